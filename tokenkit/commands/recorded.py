"""What completion in a shell offers from this computer: from the newest snapshot and the journal, without a request.

pandas is not imported, because the shell waits. Any problem means that nothing is offered: completion is a convenience.
A shell inserts what it is offered into the command line, so a name with other than plain characters is left out.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from pathlib import Path

from tokenkit import errors
from tokenkit.actions.states import SETTLED
from tokenkit.core.home import home

_PLAIN = re.compile(r"\w[\w.@+-]*")
_JOURNAL, _SNAPSHOTS = "journal.sqlite", "snapshots"
_MOST_RUNS = 50
_LONGEST_SECONDS = 0.3
_RUN = "CASE instr(run_id, '.') WHEN 0 THEN run_id ELSE substr(run_id, 1, instr(run_id, '.') - 1) END"  # not its parts
_REMAINING = f"""
    SELECT 1 FROM (SELECT state, max(step_id) FROM steps WHERE run_id = ? GROUP BY token_id)
    WHERE state NOT IN ({", ".join("?" * len(SETTLED))}) LIMIT 1
"""  # noqa: S608 - no value


def values(column: str) -> list[str]:
    """Return the values of a column of the newest snapshot."""
    import pyarrow as pa  # noqa: PLC0415 - only where a snapshot is read
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    try:
        found = pq.ParquetFile(_newest()).read(columns=[column])[column].drop_null().unique().to_pylist()
    except (OSError, ValueError, KeyError, pa.ArrowException):
        return []
    return sorted(value for value in map(str, found) if _PLAIN.fullmatch(value))


def run_ids() -> list[str]:
    """Return the IDs of the newest runs in the journal, the newest first. A run of a fleet is offered as a whole."""
    return _runs("true")


def updates() -> list[str]:
    """Return the IDs of the runs that ``undo`` can undo."""
    return _runs("kind = 'update'")


def unfinished() -> list[str]:
    """Return the IDs of the runs that ``resume`` can resume."""
    return _runs("true", _REMAINING)


def _runs(condition: str, test: str = "") -> list[str]:
    """Return the runs that meet a condition, and for which a query over their steps has a row.

    A large journal takes long to read: then only the newest runs are offered.
    """
    found: dict[str, None] = {}
    with contextlib.suppress(errors.TokenKitError, OSError, ValueError, sqlite3.Error):
        file = home() / _JOURNAL
        if not file.is_file():
            return []
        stop = time.monotonic() + _LONGEST_SECONDS
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=0)) as journal:
            journal.set_progress_handler(lambda: time.monotonic() > stop, 1_000)
            for part, run_id in journal.execute(
                f"SELECT run_id, {_RUN} FROM runs WHERE {condition} ORDER BY started_ms DESC"  # noqa: S608 - no value
            ):
                if len(found) == _MOST_RUNS:
                    break
                is_named = isinstance(run_id, str) and _PLAIN.fullmatch(run_id)
                if is_named and (not test or journal.execute(test, [part, *SETTLED]).fetchone()):
                    found[run_id] = None
    return [*found]


def _newest() -> Path:
    """Return the file that was written last.

    Raises:
        ValueError: There is none.
    """
    return max((home() / _SNAPSHOTS).rglob("*.parquet"), key=lambda file: file.stat().st_mtime)
