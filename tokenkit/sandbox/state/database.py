"""The sandbox's SQLite database: its tables, its lock and its transactions.

All threads share one connection under one lock, because an in-memory database belongs to its connection, and because a
request in one transaction needs no other isolation. A file is opened exclusively, so that two sandboxes cannot share
it.
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

SCHEMA_VERSION = 3

# A token's listing entry is stored as JSON text, so that a listing only concatenates. The other columns are for
# queries. The indexes of tokens are created last, because filling a table without indexes is faster.
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
CREATE TABLE past_tokens (sequence INTEGER PRIMARY KEY, workspace_id INTEGER NOT NULL, document TEXT NOT NULL);
CREATE TABLE planted_uses (
    workspace_id INTEGER NOT NULL, token_id TEXT NOT NULL, use TEXT NOT NULL, PRIMARY KEY (workspace_id, token_id)
) WITHOUT ROWID;
CREATE TABLE secret_scopes (
    workspace_id INTEGER NOT NULL, scope TEXT NOT NULL, PRIMARY KEY (workspace_id, scope)
) WITHOUT ROWID;
CREATE TABLE secrets (
    workspace_id INTEGER NOT NULL, scope TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
    updated_time INTEGER NOT NULL, PRIMARY KEY (workspace_id, scope, key)
) WITHOUT ROWID;
CREATE TABLE secret_acls (
    workspace_id INTEGER NOT NULL, scope TEXT NOT NULL, principal TEXT NOT NULL, permission TEXT NOT NULL,
    PRIMARY KEY (workspace_id, scope, principal)
) WITHOUT ROWID;
CREATE TABLE oauth_secrets (
    secret_id TEXT PRIMARY KEY, application_id TEXT NOT NULL COLLATE NOCASE, secret_hash TEXT NOT NULL,
    create_time INTEGER NOT NULL, expire_time INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX oauth_secrets_by_application ON oauth_secrets (application_id);
CREATE TABLE folders (
    workspace_id INTEGER NOT NULL, path TEXT NOT NULL, PRIMARY KEY (workspace_id, path)
) WITHOUT ROWID;
CREATE TABLE rule_sets (name TEXT PRIMARY KEY, version INTEGER NOT NULL, grant_rules TEXT NOT NULL) WITHOUT ROWID;
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
# The audit log goes on telling what used a token that was revoked, so seeded tokens are kept as they were. Tokens that
# are created later have recorded events.
_KEEP_SEEDED = """CREATE TRIGGER keep_seeded_{event} BEFORE {event} ON tokens WHEN OLD.sequence <= {last}
    BEGIN INSERT OR IGNORE INTO past_tokens VALUES (OLD.sequence, OLD.workspace_id, OLD.document); END"""


class DatabaseUnusableError(Exception):
    """The database file cannot be opened or written, or is not a sandbox's; the message gives the reason."""


class _Transaction:
    """The transactions of a connection. Each request has two, and a generator would make them take twice as long."""

    def __init__(self, connection: sqlite3.Connection, lock: threading.RLock) -> None:
        self._connection = connection
        self._lock = lock
        self._depth = 0

    def __enter__(self) -> None:
        self._lock.acquire()
        try:
            if self._depth == 0:
                self._connection.execute("BEGIN")
        except BaseException:
            self._lock.release()
            raise
        self._depth += 1

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._depth -= 1
        try:
            if self._depth == 0:
                self._connection.execute("COMMIT" if kind is None else "ROLLBACK")
        finally:
            self._lock.release()


class Database:
    """The database connection; ``is_new`` is true until ``build`` has filled the database."""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._lock = threading.RLock()
        self._name = ":memory:" if path is None else os.fspath(path)
        try:
            if path is not None:
                # The file contains the admin's token value, so other users of this machine must not read it.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(
                self._name, isolation_level=None, check_same_thread=False, cached_statements=512, timeout=0.1
            )
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from None
        self._transaction = _Transaction(self._connection, self._lock)
        try:
            self.is_new = self._prepare()
            if path is not None:
                self._restrict_mode()
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
        """Run a statement that writes, and return the number of rows affected."""
        with self._lock:
            return self._connection.execute(statement, parameters).rowcount

    def change_many(self, statement: str, parameters: Iterable[Sequence[Any]]) -> int:
        """Run a statement for each set of parameters, and return the number of rows affected."""
        with self._lock:
            return self._connection.executemany(statement, parameters).rowcount

    def transaction(self) -> _Transaction:
        """Return a context that runs its block in a transaction, under the lock.

        Commits at the end, or rolls back if the block raises. A nested transaction is part of the outer one.
        """
        return self._transaction

    @contextmanager
    def build(self) -> Iterator[None]:
        """Create the tables, run the block that fills them, then create the indexes.

        Uses one transaction, so that a file is never partly seeded.
        """
        with self.transaction():
            for statement in _statements(_TABLES):
                self._connection.execute(statement)
            yield
            for statement in _statements(_INDEXES):
                self._connection.execute(statement)
            (last,) = self.row("SELECT coalesce(max(sequence), 0) FROM tokens")
            for event in ("update", "delete"):
                self._connection.execute(_KEEP_SEEDED.format(event=event, last=last))
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self.is_new = False

    def close(self) -> None:
        """Close the connection, after the current request."""
        with self._lock:
            self._connection.close()

    def _prepare(self) -> bool:
        execute = self._connection.execute
        execute("PRAGMA locking_mode = EXCLUSIVE")
        # The state must survive a killed process but not a power failure, so the log is not synced for each request.
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = NORMAL")
        execute("PRAGMA temp_store = MEMORY")
        execute("BEGIN EXCLUSIVE")
        execute("COMMIT")
        version = execute("PRAGMA user_version").fetchone()[0]
        tables = execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if version not in (0, SCHEMA_VERSION) or (version == 0 and tables):
            raise DatabaseUnusableError(f"not a database of this version of the sandbox: {self._name}. Use a new file.")
        return bool(version == 0)

    def _restrict_mode(self) -> None:
        """Restrict an existing file to its owner, after checking that it is a sandbox's."""
        for file in filter(Path.exists, (Path(self._name), Path(f"{self._name}-wal"))):
            file.chmod(0o600)

    def _unusable(self, error: Exception) -> DatabaseUnusableError:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return DatabaseUnusableError(
            f"cannot use {self._name} as the sandbox's database: {reason}. "
            "Check its path and permissions, and that no other sandbox uses it."
        )


def _statements(script: str) -> list[str]:
    return [statement for statement in script.split(";") if statement.strip()]
