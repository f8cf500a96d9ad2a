"""The tables of the journal: their columns, creation and migration, and checks of rows from other sources.

The file has a version. Version 2 added the workspace's id to a run; version 3 renamed the states ``planned`` and
``already gone`` to ``pending`` and ``already_gone``. A file of an earlier version is migrated in one transaction when
it is opened, and rejects rows of that version from then on. A file of a later version is rejected.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.actions.states import ALREADY_GONE, PENDING, STATES

Rows = Mapping[str, Sequence[Sequence[Any]]]
"""Rows to insert, by table. Each has a value for every column in ``COLUMNS``."""

VERSION = 3
COLUMNS: Mapping[str, Sequence[str]] = {
    "runs": (
        *("run_id", "kind", "host", "workspace_id", "workspace", "origin", "caller", "reason"),
        *("settings", "started_ms"),
    ),
    "entries": ("run_id", "token_id", "owner", "snapshot", "change"),
    "steps": ("run_id", "token_id", "state", "at_ms", "attempts", "error"),
}
"""The columns of each table, without SQLite's row numbers."""

_TABLES = (
    """
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, kind TEXT NOT NULL, host TEXT NOT NULL, workspace TEXT NOT NULL, origin TEXT NOT NULL,
    caller TEXT NOT NULL, reason TEXT, settings TEXT NOT NULL, started_ms INTEGER NOT NULL,
    workspace_id TEXT NOT NULL DEFAULT ''
)""",
    """
CREATE TABLE IF NOT EXISTS entries (
    entry_id INTEGER PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs, token_id TEXT NOT NULL, owner TEXT,
    snapshot TEXT NOT NULL, change TEXT, UNIQUE (run_id, token_id)
)""",
    """
CREATE TABLE IF NOT EXISTS steps (
    step_id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, token_id TEXT NOT NULL, state TEXT NOT NULL,
    at_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, error TEXT
)""",
    "CREATE INDEX IF NOT EXISTS steps_of_an_entry ON steps (run_id, token_id)",
    # A process of an earlier version may still have the file open when this version migrates it.
    """
CREATE TRIGGER IF NOT EXISTS no_states_of_earlier_versions BEFORE INSERT ON steps
WHEN NEW.state IN ('planned', 'already gone')
BEGIN SELECT RAISE(ABORT, 'a newer tokenkit migrated it'); END""",
)
_MIGRATIONS = {
    1: ("ALTER TABLE runs ADD COLUMN workspace_id TEXT NOT NULL DEFAULT ''",),
    2: (
        f"UPDATE steps SET state = '{PENDING}' WHERE state = 'planned'",  # noqa: S608 - constants
        f"UPDATE steps SET state = '{ALREADY_GONE}' WHERE state = 'already gone'",  # noqa: S608 - constants
    ),
}
"""The statements that migrate a journal from each version to the next."""
_INSERT = {
    table: f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 - constants
    for table, names in COLUMNS.items()
}
_OPTIONAL = {"reason", "owner", "change", "error"}
_DOCUMENTS = {"settings", "snapshot", "change"}
_MOST_MS = 2**43  # the year 2248, which every frame can represent


def prepare(connection: sqlite3.Connection) -> None:
    """Create the tables, or migrate those of an earlier version.

    Raises:
        sqlite3.Error: The file is damaged, of a later version, or cannot be written.
    """
    # With a write-ahead log a commit is one append and one fsync, and readers do not block it.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise sqlite3.DatabaseError("it is damaged")
    # A file that cannot be written must be detected before the first request of a run. Other processes that open the
    # file wait here, so that only one of them migrates it.
    connection.execute("BEGIN IMMEDIATE")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise sqlite3.DatabaseError(f"a newer version of tokenkit wrote it (format {version})")
    for statement in _TABLES:
        connection.execute(statement)
    for earlier in range(version or VERSION, VERSION):  # a new file has the version 0
        for statement in _MIGRATIONS[earlier]:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def insert(connection: sqlite3.Connection, rows: Rows) -> None:
    """Insert rows, starting with those of runs."""
    for table, statement in _INSERT.items():
        if rows.get(table):
            connection.executemany(statement, rows[table])


def check(rows: Rows, run_id: str) -> None:
    """Check that rows from another source are valid in this version and belong to one run.

    Raises:
        ValueError: A row is invalid, or belongs to another run.
    """
    for table, names in COLUMNS.items():
        for row in rows[table]:
            if not isinstance(row, list) or len(row) != len(names):
                raise ValueError(f"a row of {table} has other columns")
            values = dict(zip(names, row, strict=True))
            if values["run_id"] != run_id:
                raise ValueError(f"a row of {table} belongs to another run")
            for name, value in values.items():
                if not _is_possible(name, value):
                    raise ValueError(f"{name} has an invalid value")
    if rows["entries"]:
        _check_snapshots(rows["entries"])


def _is_possible(name: str, value: object) -> bool:
    if name.endswith("_ms") or name == "attempts":
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_MS
    if value is None:
        return name in _OPTIONAL
    if not isinstance(value, str):
        return False
    if name in _DOCUMENTS:
        return isinstance(json.loads(value), dict)
    return name != "state" or value in STATES


def _check_snapshots(entries: Sequence[Sequence[Any]]) -> None:
    """Check that each snapshot belongs to its token and is a valid row of a listing."""
    snapshots = [json.loads(snapshot) for _, _, _, snapshot, _ in entries]
    if any(snapshot.get("token_id") != entry[1] for entry, snapshot in zip(entries, snapshots, strict=True)):
        raise ValueError("a snapshot belongs to another token")
    try:
        frames.frame(snapshots, frames.TOKENS)
    except (errors.InvalidResponseError, pa.ArrowException, TypeError, OverflowError) as failure:
        raise ValueError("a snapshot is not a token") from failure
