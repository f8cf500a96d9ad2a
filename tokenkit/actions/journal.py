"""The record of every change, written ahead of it.

One SQLite file under ``home()``, which several processes may write. A run is a plan being carried out; it has an entry
for each token, with a snapshot of what the token was; an entry has steps, each a row that is never changed::

    planned → sent → revoked | updated | already gone | failed | unknown
    planned → skipped
    revoked | already gone → still_listed   the listing at the end of the run has it all the same

The row ``sent`` is on the disk before its request leaves. So after a crash an entry whose last step is ``planned`` was
not sent, and one whose last step is ``sent`` may have been carried out and has to be looked up. What is not here was
not done by a plan or by ``create-obo``; the nine calls of ``ws.token_management`` write no journal.

A run of ``create-obo`` has no token when it begins. It is written before the request is sent, and the token is added
once its id is known, as ``created``.

The runs of a fleet's plan, one a workspace, are parts of one run: ``20260301-093000-1a2b3c4d.1``, ``….2``. They are all
begun before the first of them sends anything.

A run that changes permissions has steps of its own as well, those of the change: ``planned → sent → updated | failed |
unknown``.

A row on the disk costs milliseconds, so rows are written many at once: see ``record_all``.

No credential is written. Comments are, as the snapshot would be worth little without them; what looks like a credential
in one is redacted first.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from tokenkit import errors, frames
from tokenkit.actions import history
from tokenkit.actions.history import View
from tokenkit.home import private_file, private_folder
from tokenkit.redaction import REDACTED, redact
from tokenkit.review.texts import redacted

PLANNED, SENT = "planned", "sent"
REVOKED, UPDATED, ALREADY_GONE = "revoked", "updated", "already gone"
CREATED, SKIPPED, FAILED, UNKNOWN, STILL_LISTED = "created", "skipped", "failed", "unknown", "still_listed"
SETTLED = frozenset({CREATED, REVOKED, UPDATED, ALREADY_GONE, SKIPPED})
"""The outcomes that a resumed run leaves alone. Every other token is left, whoever counts: it is tried or looked up
again."""
THE_CHANGE = ""
"""What stands for the id of a token in the steps of the change itself."""

FILE_NAME = "journal.sqlite"
_VERSION = 2  # 2: the workspace's id
_BUSY_SECONDS = 30
_BUSY_PAUSE_SECONDS = 0.02
_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, kind TEXT NOT NULL, host TEXT NOT NULL, workspace TEXT NOT NULL, origin TEXT NOT NULL,
    caller TEXT NOT NULL, reason TEXT, settings TEXT NOT NULL, started_ms INTEGER NOT NULL,
    workspace_id TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS entries (
    entry_id INTEGER PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs, token_id TEXT NOT NULL, owner TEXT,
    snapshot TEXT NOT NULL, change TEXT, UNIQUE (run_id, token_id)
);
CREATE TABLE IF NOT EXISTS steps (
    step_id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, token_id TEXT NOT NULL, state TEXT NOT NULL,
    at_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, error TEXT
);
CREATE INDEX IF NOT EXISTS steps_of_an_entry ON steps (run_id, token_id);
"""


_OF_A_RUN = ("run_id", "kind", "host", "workspace_id", "workspace", "origin", "caller", "reason")


@dataclass(frozen=True, kw_only=True)
class Run:
    """A plan being carried out: what kind, where, by whom, why.

    Attributes:
        kind: ``revoke``, ``permissions``, ``update`` or ``create-obo``.
        host: The workspace's address.
        workspace_id: Its id, as one host may serve several; empty in a run that an earlier version wrote.
        workspace: What it is called in messages.
        origin: Where the credentials came from, to find them again: ``profile prod``.
        caller: Who ran it.
        reason: Why, in the words of whoever ran it.
        settings: What resuming needs beside the entries.
    """

    run_id: str
    kind: str
    host: str
    workspace: str
    origin: str
    caller: str
    reason: str | None
    started_at: pd.Timestamp
    workspace_id: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One token of a run: what it was when planned, what is to change, and the last that is known of it."""

    token_id: str
    owner: str | None
    snapshot: Mapping[str, Any]
    change: Mapping[str, Any] | None = None
    state: str = PLANNED
    attempts: int = 0
    error: str | None = None
    at_ms: int | None = None
    started_at_ms: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """Something that became of a token, at a moment (epoch milliseconds)."""

    run_id: str
    token_id: str
    state: str
    at_ms: int
    attempts: int = 0
    error: str | None = None


def new_run_id(now: pd.Timestamp) -> str:
    """Return an id that sorts by time and that nobody else has."""
    return f"{now.tz_convert('UTC'):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


class Journal:
    """An open journal; close it, or use it in a ``with`` statement.

    Args:
        folder: Where it lies; made if it is not there.

    Raises:
        JournalError: It cannot be opened for writing, or is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._lock = threading.Lock()
        with self._explained():
            private_folder(folder)
            for file in (self.path, *folder.glob(f"{FILE_NAME}-*")):  # SQLite gives new ones beside it its mode
                private_file(file)
            self._connection = self._open()

    def __repr__(self) -> str:
        return f"<Journal {self.path}>"

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def begin(self, run: Run, entries: Sequence[Entry], *, is_one_change: bool = False) -> None:
        """Write a run and its entries, all ``planned``, or nothing of them.

        Args:
            run: The run.
            entries: Its tokens.
            is_one_change: Whether it is one request, whose own steps are recorded beside those of the tokens.
        """
        at_ms = _ms(run.started_at)
        rows = [
            (
                run.run_id,
                each.token_id,
                None if each.owner is None else storable(each.owner),
                snapshot,
                _json(each.change),
            )
            for each, snapshot in zip(entries, _snapshots(entries), strict=True)
        ]
        texts = {name: getattr(run, name) for name in _OF_A_RUN}
        values: dict[str, str | int | None] = {
            name: None if text is None else storable(text) for name, text in texts.items()
        }
        values |= {"settings": _json(run.settings), "started_ms": at_ms}
        with self._explained(), self._lock, self._transaction() as connection:
            # The names are ours.
            statement = f"INSERT INTO runs ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})"  # noqa: S608
            connection.execute(statement, list(values.values()))
            statement = "INSERT INTO entries (run_id, token_id, owner, snapshot, change) VALUES (?, ?, ?, ?, ?)"
            connection.executemany(statement, rows)
            statement = (
                "INSERT INTO steps (run_id, token_id, state, at_ms, attempts) "
                "SELECT run_id, token_id, ?, ?, 0 FROM entries WHERE run_id = ? ORDER BY entry_id"
            )
            connection.execute(statement, (PLANNED, at_ms, run.run_id))
            if is_one_change:
                self._insert_steps(
                    connection, [Step(run_id=run.run_id, token_id=THE_CHANGE, state=PLANNED, at_ms=at_ms)]
                )

    @contextlib.contextmanager
    def held(self, run_id: str) -> Iterator[None]:
        """Keep other processes from carrying out the same run meanwhile; the system lets go when a process dies.

        Raises:
            UsageError: Another process carries it out now.
        """
        # The file stays. Were it taken away, a process that waits for it could come to hold the one that is gone, and
        # another one its successor.
        with self._explained():
            lock = sqlite3.connect(private_file(self.path.with_name(f"{run_id}.lock")), timeout=0, isolation_level=None)
        with contextlib.closing(lock):
            with self._explained():
                is_taken = _is_taken(lock)
            if is_taken:
                raise errors.UsageError(
                    f"Run {run_id} is being carried out by another process. Wait for it, or stop it."
                )
            yield

    def record_all(self, steps: Iterable[Step]) -> None:
        """Write steps, all or none; when this returns, they are on the disk.

        Raises:
            JournalError: They could not be written.
        """
        with self._explained(), self._lock, self._transaction() as connection:
            self._insert_steps(connection, steps)

    def add(self, run_id: str, entry: Entry, *, at_ms: int) -> None:
        """Write an entry that came to be while a run was carried out, with its state.

        Raises:
            JournalError: It could not be written.
        """
        with self._explained(), self._lock, self._transaction() as connection:
            statement = "INSERT INTO entries (run_id, token_id, owner, snapshot) VALUES (?, ?, ?, ?)"
            connection.execute(statement, (run_id, entry.token_id, entry.owner, *_snapshots([entry])))
            step = Step(run_id=run_id, token_id=entry.token_id, state=entry.state, at_ms=at_ms, attempts=1)
            self._insert_steps(connection, [step])

    def has(self, run_id: str) -> bool:
        """Tell whether there is such a run, or one in parts."""
        statement = "SELECT 1 FROM runs WHERE run_id = ?"
        with self._explained(), self._lock:
            whole = self._connection.execute(statement, (run_id,)).fetchone()
        return whole is not None or bool(self.parts(run_id))

    def parts(self, run_id: str) -> list[Run]:
        """Return the parts of a run of a fleet in the order of its plan; none if it is no such run."""
        beginning = f"{run_id}."
        statement = "SELECT run_id FROM runs WHERE substr(run_id, 1, ?) = ? ORDER BY rowid"
        with self._explained(), self._lock:
            found = self._connection.execute(statement, (len(beginning), beginning)).fetchall()
        return [self.run(part_id) for (part_id,) in found]

    def run(self, run_id: str) -> Run:
        """Return a run.

        Raises:
            UsageError: There is no such run; the message suggests the near one.
        """
        with self._explained(), self._lock:
            statement = f"SELECT {', '.join(_OF_A_RUN)}, settings, started_ms FROM runs WHERE run_id = ?"  # noqa: S608 - our own names
            row = self._connection.execute(statement, (run_id,)).fetchone()
            if row is None:
                known = [
                    each[0]
                    for each in self._connection.execute("SELECT run_id FROM runs ORDER BY started_ms DESC LIMIT 20")
                ]
                hint = errors.did_you_mean(run_id, known) if known else "It has no runs."
                raise errors.UsageError(f"The journal {self.path} has no run {run_id!r}. {hint}")
            *head, settings, started_ms = row
            started_at = pd.Timestamp(started_ms, unit="ms", tz="UTC")
            return Run(**dict(zip(_OF_A_RUN, head, strict=True)), started_at=started_at, settings=json.loads(settings))

    def entries(self, run_id: str) -> list[Entry]:
        """Return the entries of a run in the order of its plan, each with its last state."""
        statement = (
            "SELECT e.token_id, e.owner, e.snapshot, e.change, s.state, s.attempts, s.error, s.at_ms, "
            "(SELECT min(at_ms) FROM steps f WHERE f.run_id = e.run_id AND f.token_id = e.token_id "
            "AND f.state = 'sent') FROM entries e "
            "JOIN steps s ON s.step_id = "
            "(SELECT max(step_id) FROM steps l WHERE l.run_id = e.run_id AND l.token_id = e.token_id) "
            "WHERE e.run_id = ? ORDER BY e.entry_id"
        )
        with self._explained(), self._lock:
            rows = self._connection.execute(statement, (run_id,)).fetchall()
            return [
                Entry(
                    token_id=token_id,
                    owner=owner,
                    snapshot=json.loads(snapshot),
                    change=json.loads(change) if change else None,
                    state=state,
                    attempts=attempts,
                    error=error,
                    at_ms=at_ms,
                    started_at_ms=started_at_ms,
                )
                for token_id, owner, snapshot, change, state, attempts, error, at_ms, started_at_ms in rows
            ]

    def state_of_change(self, run_id: str) -> str | None:
        """Return the last state of the change that a run is; None where it is none, or its tokens are all it is."""
        statement = "SELECT state FROM steps WHERE run_id = ? AND token_id = ? ORDER BY step_id DESC LIMIT 1"
        with self._explained(), self._lock:
            row = self._connection.execute(statement, (run_id, THE_CHANGE)).fetchone()
        return None if row is None else str(row[0])

    def frame(
        self, *, host: str | None = None, workspace_id: str | None = None, run_id: str | None = None
    ) -> pd.DataFrame:
        """Return a row for each token of each run, oldest first, with the columns of ``history.TOKENS``."""
        return self._read(history.TOKENS, host=host, workspace_id=workspace_id, run_id=run_id)

    def runs(self, *, host: str | None = None, workspace_id: str | None = None) -> pd.DataFrame:
        """Return a row for each run, oldest first, with the columns of ``history.RUNS``."""
        return self._read(history.RUNS, host=host, workspace_id=workspace_id)

    def _read(self, view: View, **only: str | None) -> pd.DataFrame:
        with self._explained(), self._lock:
            return view.read(self._connection, **only)

    def _open(self) -> sqlite3.Connection:
        # Where two processes open a new file at once, SQLite tells one of them "locked" without waiting: it waits for
        # writers, not for the change to a write-ahead log.
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(connection)
            except BaseException as failure:
                connection.close()
                if not _is_busy(failure) or time.monotonic() > deadline:
                    raise
            else:
                return connection
            time.sleep(_BUSY_PAUSE_SECONDS)

    @staticmethod
    def _prepare(connection: sqlite3.Connection) -> None:
        # With a write-ahead log a commit is one append and one fsync, and readers do not stand in its way.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("it is damaged")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise sqlite3.DatabaseError(f"a newer tokenkit wrote it (version {version})")
        connection.executescript(_SCHEMA)
        # What cannot be written must show now, before the first request of a run.
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] == 1:  # another process may have been faster
            connection.execute("ALTER TABLE runs ADD COLUMN workspace_id TEXT NOT NULL DEFAULT ''")
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    @staticmethod
    def _insert_steps(connection: sqlite3.Connection, steps: Iterable[Step]) -> None:
        statement = "INSERT INTO steps (run_id, token_id, state, at_ms, attempts, error) VALUES (?, ?, ?, ?, ?, ?)"
        rows = (
            (s.run_id, s.token_id, s.state, s.at_ms, s.attempts, storable(s.error) if s.error else None) for s in steps
        )
        connection.executemany(statement, rows)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what SQLite, the system and a file of another make raise into an error that says what to do."""
        try:
            yield
        except errors.ConfigurationError as failure:  # the folder is not private
            raise self._error(failure) from None
        except errors.TokenKitError:
            raise
        except (sqlite3.Error, OSError, ValueError, TypeError, OverflowError, RecursionError) as failure:
            raise self._error(failure) from None

    def _error(self, failure: Exception) -> errors.JournalError:
        problem = str(failure).rstrip(".")
        return errors.JournalError(
            f"The journal {self.path} cannot be used: {problem}. Nothing is done that cannot be written down first. "
            "Make room, repair or move the file, or set TOKENKIT_HOME to another folder."
        )


def storable(text: str) -> str:
    """Return a text as the journal keeps it: no credential, and no half of a surrogate pair, which no file can hold."""
    return redact(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def is_redacted(value: object) -> bool:
    """Whether the journal did not keep a value, or a part of it, because it looks like a credential."""
    return REDACTED in json.dumps(value)


def _snapshots(entries: Sequence[Entry]) -> list[str | None]:
    """Return what tokens were as JSON, redacted. All are looked through at once, as few have anything to redact."""
    said = pd.Series([frames.encodable("\n".join(_texts(entry.snapshot))) for entry in entries], dtype=frames.TEXT)
    suspects = redacted(said) != said
    return [
        _json(entry.snapshot) if suspect else json.dumps(dict(entry.snapshot))
        for entry, suspect in zip(entries, suspects, strict=True)
    ]


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - whatever JSON can be
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(_stored(value))


def _stored(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can be
    if isinstance(value, str):
        return redact(value)  # half of a surrogate pair is written as an escape
    if isinstance(value, Mapping):
        return {storable(str(name)): _stored(each) for name, each in value.items()}
    return [_stored(each) for each in value] if isinstance(value, list | tuple) else value


def _is_taken(lock: sqlite3.Connection) -> bool:
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as failure:
        if not _is_busy(failure):
            raise
        return True
    return False


def _is_busy(failure: BaseException) -> bool:
    return isinstance(failure, sqlite3.OperationalError) and failure.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _ms(moment: pd.Timestamp) -> int:
    return round(moment.timestamp() * 1000)
