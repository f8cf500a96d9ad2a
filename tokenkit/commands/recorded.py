"""What completion in a shell offers from this computer: from the newest snapshots and the journal, without a request.

pandas is not imported, because the shell waits. Any problem means that nothing is offered: completion is a convenience.
A shell inserts what it is offered into the command line, so a name with other than plain characters is left out.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tokenkit import errors
from tokenkit.actions.states import ALREADY_GONE, REVOKED, SETTLED
from tokenkit.core.home import home
from tokenkit.rest.credentials import profile_address
from tokenkit.rest.hosts import Address, address, is_address

_PLAIN = re.compile(r"\w[\w.@+-]*")
_JOURNAL, _SNAPSHOTS = "journal.sqlite", "snapshots"
_ORIGIN = (b"tokenkit.host", b"tokenkit.workspace_id")
"""The keys of a snapshot's metadata that name its workspace."""
_MOST_RUNS = 50
_LONGEST_SECONDS = 0.3
_RUN = "CASE instr(run_id, '.') WHEN 0 THEN run_id ELSE substr(run_id, 1, instr(run_id, '.') - 1) END"  # not its parts
_REMAINING = f"""
    SELECT 1 FROM (SELECT state, max(step_id) FROM steps WHERE run_id = ? GROUP BY token_id)
    WHERE state NOT IN ({", ".join("?" * len(SETTLED))}) LIMIT 1
"""  # noqa: S608 - no value
_REVOKED = """
    SELECT token_id FROM (SELECT token_id, state, max(step_id) FROM steps GROUP BY run_id, token_id)
    WHERE state IN (?, ?)
"""
_PROBLEMS = (errors.TokenKitError, OSError, ValueError, sqlite3.Error)


def values(column: str, profiles: Sequence[str] = ()) -> list[str]:
    """Return the values of a column of the newest snapshot of each workspace.

    Args:
        column: The column.
        profiles: The profiles or hosts of the workspaces; by default, the newest snapshot of any workspace is read.
    """
    found: set[str] = set()
    stop = time.monotonic() + _LONGEST_SECONDS
    for where in map(_address, profiles) if profiles else [None]:
        with contextlib.suppress(OSError, ValueError):
            newest_first = sorted((home() / _SNAPSHOTS).rglob("*.parquet"), key=_written_at, reverse=True)
            of_workspace = (_values_of(file, column, where) for file in newest_first if time.monotonic() < stop)
            found.update(next((texts for texts in of_workspace if texts is not None), []))
    return sorted(value for value in found if _PLAIN.fullmatch(value))


def run_ids() -> list[str]:
    """Return the IDs of the newest runs in the journal, the newest first. A run of a fleet is offered as a whole."""
    return _runs("true")


def updates() -> list[str]:
    """Return the IDs of the runs that ``undo`` can undo."""
    return _runs("kind = 'update'")


def unfinished() -> list[str]:
    """Return the IDs of the runs that ``resume`` can resume."""
    return _runs("true", _REMAINING)


def revoked() -> set[str]:
    """Return the ids of the tokens that the journal says are revoked; none if it takes long to read."""
    with contextlib.suppress(*_PROBLEMS), _journal() as journal:
        return {token_id for (token_id,) in journal.execute(_REVOKED, [REVOKED, ALREADY_GONE])}
    return set()


def _runs(condition: str, test: str = "") -> list[str]:
    """Return the runs that meet a condition, and for which a query over their steps has a row.

    A large journal takes long to read: then only the newest runs are offered.
    """
    found: dict[str, None] = {}
    with contextlib.suppress(*_PROBLEMS), _journal() as journal:
        for part, run_id in journal.execute(
            f"SELECT run_id, {_RUN} FROM runs WHERE {condition} ORDER BY started_ms DESC"  # noqa: S608 - no value
        ):
            if len(found) == _MOST_RUNS:
                break
            is_named = isinstance(run_id, str) and _PLAIN.fullmatch(run_id)
            if is_named and (not test or journal.execute(test, [part, *SETTLED]).fetchone()):
                found[run_id] = None
    return [*found]


@contextlib.contextmanager
def _journal() -> Iterator[sqlite3.Connection]:
    """Open the journal to read, for a short time.

    Raises:
        FileNotFoundError: There is no journal.
    """
    file = home() / _JOURNAL
    if not file.is_file():
        raise FileNotFoundError(file)
    stop = time.monotonic() + _LONGEST_SECONDS
    with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=0)) as journal:
        journal.set_progress_handler(lambda: time.monotonic() > stop, 1_000)
        yield journal


def _address(profile: str) -> Address:
    """Return the address of a profile or a host; an empty one, of which there is no snapshot, if it is not known."""
    with contextlib.suppress(errors.TokenKitError):
        return address(profile) if is_address(profile) else profile_address(profile)
    return Address("")


def _written_at(file: Path) -> float:
    return file.stat().st_mtime


def _values_of(file: Path, column: str, where: Address | None) -> list[str] | None:
    """Return the values in a file; None if it is not a snapshot of the workspace, whose host alone counts if its id is
    not known.
    """
    import pyarrow as pa  # noqa: PLC0415 - only where a snapshot is read
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    try:
        snapshot = pq.ParquetFile(file)
        origin = [(snapshot.schema_arrow.metadata or {}).get(key, b"").decode() for key in _ORIGIN]
        if where is not None and [where.host, where.workspace_id or origin[1]] != origin:
            return None
        return [str(value) for value in snapshot.read(columns=[column])[column].drop_null().unique().to_pylist()]
    except (OSError, ValueError, KeyError, pa.ArrowException):
        return None
