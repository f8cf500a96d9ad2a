"""The sandbox's SQLite database: its tables, its one lock, its transactions.

One connection serves every thread, under one lock, because an in-memory database belongs to its connection, and
because a request that is one transaction needs no other isolation. A file is opened exclusively: two sandboxes on
one file would each believe that they are the workspace.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SCHEMA_VERSION = 1

# A token's listing entry is kept as finished JSON text, so that a listing only joins texts; the columns beside it are
# what the handlers search by. Indexes of tokens come last, because filling a table first is faster.
_TABLES = """
CREATE TABLE properties (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE workspaces (position INTEGER PRIMARY KEY, workspace_id INTEGER NOT NULL UNIQUE, token TEXT NOT NULL);
CREATE TABLE settings (
    workspace_id INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (workspace_id, name)
) WITHOUT ROWID;
CREATE TABLE identities (
    workspace_id INTEGER NOT NULL, id INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL COLLATE NOCASE,
    display_name TEXT COLLATE NOCASE, active INTEGER NOT NULL, attributes TEXT NOT NULL,
    PRIMARY KEY (workspace_id, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX identities_by_name ON identities (workspace_id, kind, name);
CREATE TABLE memberships (
    workspace_id INTEGER NOT NULL, group_id INTEGER NOT NULL, member_id INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, group_id, member_id)
) WITHOUT ROWID;
CREATE INDEX memberships_by_member ON memberships (workspace_id, member_id, group_id);
CREATE TABLE access (
    sequence INTEGER PRIMARY KEY, workspace_id INTEGER NOT NULL, principal_id INTEGER NOT NULL, level TEXT NOT NULL,
    UNIQUE (workspace_id, principal_id)
);
CREATE TABLE tokens (
    sequence INTEGER PRIMARY KEY, workspace_id INTEGER NOT NULL, token_id TEXT NOT NULL, owner_id INTEGER NOT NULL,
    created_by_id INTEGER NOT NULL, created_by_username TEXT NOT NULL, expiry_time INTEGER NOT NULL,
    last_used_day INTEGER, document TEXT NOT NULL
);
CREATE TABLE secret_scopes (
    workspace_id INTEGER NOT NULL, scope TEXT NOT NULL, PRIMARY KEY (workspace_id, scope)
) WITHOUT ROWID;
CREATE TABLE secrets (
    workspace_id INTEGER NOT NULL, scope TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (workspace_id, scope, key)
) WITHOUT ROWID;
CREATE TABLE oauth_tokens (
    token_hash TEXT PRIMARY KEY, application_id TEXT NOT NULL, expiry_time INTEGER NOT NULL
) WITHOUT ROWID;
"""
_INDEXES = """
CREATE UNIQUE INDEX tokens_by_id ON tokens (workspace_id, token_id);
CREATE INDEX tokens_by_workspace ON tokens (workspace_id);
CREATE INDEX tokens_by_owner ON tokens (workspace_id, owner_id);
CREATE INDEX tokens_by_creator ON tokens (workspace_id, created_by_id);
CREATE INDEX tokens_by_creator_name ON tokens (workspace_id, created_by_username);
"""


class DatabaseUnusableError(Exception):
    """The database file cannot be opened, written, or is somebody else's; the message says which."""


class Database:
    """The connection; ``is_new`` until ``build`` has filled it."""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._name = ":memory:" if path is None else os.fspath(path)
        try:
            if path is not None:
                # The file keeps the admin's token value: nobody else on this machine should read it.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(
                self._name, isolation_level=None, check_same_thread=False, cached_statements=512, timeout=0.1
            )
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from None
        try:
            self.is_new = self._prepare()
            if path is not None:
                self._tighten()
        except (OSError, sqlite3.Error) as error:
            self._connection.close()
            raise self._unusable(error) from None
        except DatabaseUnusableError:
            self._connection.close()
            raise

    def __repr__(self) -> str:
        return f"<Database {Path(self._name).name}>"

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Return every row of a query."""
        with self._lock:
            return self._connection.execute(statement, parameters).fetchall()

    def row(self, statement: str, parameters: Sequence[Any] = ()) -> Any:  # noqa: ANN401  # rows are untyped tuples
        """Return the first row of a query, or None."""
        with self._lock:
            return self._connection.execute(statement, parameters).fetchone()

    def change(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement that writes, and return how many rows it touched."""
        with self._lock:
            return self._connection.execute(statement, parameters).rowcount

    def change_many(self, statement: str, parameters: Iterable[Sequence[Any]]) -> int:
        """Run a statement for each set of parameters, and return how many rows were touched."""
        with self._lock:
            return self._connection.executemany(statement, parameters).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the lock; commit at the end, or undo everything when the block raises. Inner ones join the outer."""
        with self._lock:
            if self._depth:
                yield
                return
            self._connection.execute("BEGIN")
            self._depth = 1
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            else:
                self._connection.execute("COMMIT")
            finally:
                self._depth = 0

    @contextmanager
    def build(self) -> Iterator[None]:
        """Make the tables, let the caller fill them, then index; in one transaction, so no file is half seeded."""
        with self.transaction():
            for statement in _statements(_TABLES):
                self._connection.execute(statement)
            yield
            for statement in _statements(_INDEXES):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self.is_new = False

    def close(self) -> None:
        """Close the connection, once the request that runs has ended."""
        with self._lock:
            self._connection.close()

    def _prepare(self) -> bool:
        execute = self._connection.execute
        execute("PRAGMA locking_mode = EXCLUSIVE")
        # A sandbox must survive a killed process, not a power cut: the write-ahead log without a sync a request.
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = NORMAL")
        execute("PRAGMA temp_store = MEMORY")
        execute("BEGIN EXCLUSIVE")
        execute("COMMIT")
        version = execute("PRAGMA user_version").fetchone()[0]
        tables = execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if version not in (0, SCHEMA_VERSION) or (version == 0 and tables):
            raise DatabaseUnusableError(f"{self._name} is not a database of this version's sandbox; name a new file")
        return bool(version == 0)

    def _tighten(self) -> None:
        """Keep a file that was there, now that it is known to be a sandbox's, from everybody else too."""
        for file in filter(Path.exists, (Path(self._name), Path(f"{self._name}-wal"))):
            file.chmod(0o600)

    def _unusable(self, error: Exception) -> DatabaseUnusableError:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return DatabaseUnusableError(f"cannot use {self._name} as the sandbox's database: {reason}")


def _statements(script: str) -> list[str]:
    return [statement for statement in script.split(";") if statement.strip()]
