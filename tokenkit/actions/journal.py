"""The record of every change, written before the request is sent.

The journal is one SQLite file in the state folder. Several processes can write to it. A run is the execution of a plan.
It has an entry for each token, with a snapshot of the token. An entry has steps, which are rows that never change::

    pending → sent → revoked | updated | already_gone | failed | unknown
    pending → skipped
    revoked | already_gone → still_listed   the listing at the end of the run still has the token
    updated → still_listed                  the listing at the end of the run has another comment or scopes

The row ``sent`` is on the disk before its request is sent. After a crash, an entry whose last step is ``pending`` was
not sent. An entry whose last step is ``sent`` may have been processed and must be looked up. Only plans and
``create-obo`` write to the journal. The nine methods of ``ws.token_management`` do not.

A run of ``create-obo`` has no token at first. The run is written before the request is sent, and the token is added as
``created`` once its id is known. The request has its own steps: ``pending → sent → created | skipped`` (no token was
created) ``| unknown`` (it is not known whether a token was created, or which one).

The runs of a fleet's plan, one for each workspace, are parts of one run: ``20260301-093000-1a2b3c4d.1``, ``….2``. All
parts are recorded before the first request is sent.

A run that changes permissions also has steps for the change itself: ``pending → sent → updated | failed | unknown``.

A write to disk takes milliseconds, so ``record_all`` writes many rows at once.

``schema`` defines the tables and their versions. In a folder where files can be written only once, such as the
persistent folders of Databricks, the rows are in separate files, and SQLite is an index on the local disk: see
``ledger``.

No credential is written. Comments are part of the snapshot, and text in them that looks like a credential is redacted
first.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from tokenkit import errors, frames
from tokenkit.actions import history, run_ids, schema
from tokenkit.actions.history import View
from tokenkit.actions.ledger import Ledger
from tokenkit.actions.schema import Rows
from tokenkit.actions.states import IN_DOUBT, PENDING
from tokenkit.core import write_once
from tokenkit.core.home import home, private_file, private_folder, restrict_file
from tokenkit.core.printable import printable
from tokenkit.core.redaction import REDACTED, redact
from tokenkit.core.spelling import spelled
from tokenkit.review.texts import redacted

THE_CHANGE = ""
"""The token id in the steps of the change itself."""

FILE_NAME = "journal.sqlite"
_BUSY_SECONDS = 30
_BUSY_PAUSE_SECONDS = 0.02
_OF_A_RUN = schema.COLUMNS["runs"][:8]


@dataclass(frozen=True, kw_only=True)
class Run:
    """The execution of a plan.

    Attributes:
        kind: ``revoke``, ``permissions``, ``update`` or ``create-obo``.
        host: The workspace's address.
        workspace_id: The workspace's id, because a host can serve several; empty in a run that an earlier version
            wrote.
        workspace: The workspace's name in messages.
        origin: The source of the credentials, to find them again: ``profile prod``.
        caller: The user name or application id that ran it.
        reason: The reason, as the caller gave it.
        settings: The other data that resuming needs.
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
    """One token of a run: its state when planned, the intended change, and its last recorded state.

    Attributes:
        certain: The last state that is not in doubt, and its remark. For an entry that is ``unknown`` or
            ``still_listed``, it says whether the run sent a request for it, and what the response was.
    """

    token_id: str
    owner: str | None
    snapshot: Mapping[str, Any]
    change: Mapping[str, Any] | None = None
    state: str = PENDING
    certain: tuple[str, str | None] = (PENDING, None)
    attempts: int = 0
    error: str | None = None
    at_ms: int | None = None
    started_at_ms: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A state of a token, with the time in epoch milliseconds."""

    run_id: str
    token_id: str
    state: str
    at_ms: int
    attempts: int = 0
    error: str | None = None


def new_run_id(now: pd.Timestamp) -> str:
    """Return a unique id that sorts by time."""
    return f"{now.tz_convert('UTC'):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


class Journal:
    """An open journal; close it, or use it in a ``with`` statement.

    Args:
        folder: The folder of the file; created if it does not exist.

    Raises:
        JournalError: The file cannot be opened for writing, or is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._folder = folder
        self._ledger: Ledger | None = None
        self._lock = threading.Lock()
        with self._explained():
            self._ledger = _ledger_in(folder)
            if self._ledger is not None:
                self.path = _index_folder(folder) / FILE_NAME
            private_folder(self.path.parent)
            private_file(self.path)
            for file in self.path.parent.glob(f"{FILE_NAME}-*"):  # SQLite gives new ones the mode of the main file
                restrict_file(file)  # another process can delete them at any time
            self._connection = self._open()
        try:
            self._update_index()
        except BaseException:
            self._connection.close()
            raise

    def __repr__(self) -> str:
        return f"<Journal {self.path}>"

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def create_run(self, run: Run, entries: Sequence[Entry], *, is_one_change: bool = False) -> None:
        """Write a run and its entries, all ``pending``, in one transaction.

        Args:
            run: The run.
            entries: Its tokens.
            is_one_change: Whether the run is a single request, whose steps are recorded in addition to those of the
                tokens.
        """
        self._check_lasts()
        run_id, at_ms = run.run_id, round(run.started_at.timestamp() * 1000)
        texts = [getattr(run, name) for name in _OF_A_RUN]
        of_run = [None if text is None else storable(text) for text in texts]
        tokens = [
            (
                run_id,
                entry.token_id,
                None if entry.owner is None else storable(entry.owner),
                snapshot,
                _json(entry.change),
            )
            for entry, snapshot in zip(entries, _snapshots(entries), strict=True)
        ]
        pending = [entry.token_id for entry in entries] + [THE_CHANGE] * is_one_change
        is_first = self._write(
            run_id,
            {
                "runs": [(*of_run, _json(run.settings), at_ms)],
                "entries": tokens,
                "steps": [(run_id, token_id, PENDING, at_ms, 0, None) for token_id in pending],
            },
        )
        if is_first:
            sys.stderr.write(f"The journal is in {self._folder}. {write_once.readers_of(self._folder)}.\n")

    @contextlib.contextmanager
    def lock_run(self, run_id: str) -> Iterator[None]:
        """Prevent other processes from executing the same run. The system releases the lock when the process ends.

        Raises:
            UsageError: Another process is executing it.
        """
        # The file is never deleted. Otherwise a waiting process could lock the deleted file, and another its successor.
        with self._explained():
            lock = sqlite3.connect(private_file(self.path.with_name(f"{run_id}.lock")), timeout=0, isolation_level=None)
        with contextlib.closing(lock):
            with self._explained():
                is_taken = _is_taken(lock)
            if is_taken:
                raise errors.UsageError(
                    f"Run {run_id} is already running in another process. Wait until it ends, or stop it."
                )
            self._update_index(run_id)
            yield

    def record_all(self, steps: Iterable[Step]) -> None:
        """Write steps, in one transaction for each run. They are on the disk when this returns.

        Raises:
            JournalError: The steps could not be written.
        """
        by_run: dict[str, list[Sequence[Any]]] = {}
        for step in steps:
            by_run.setdefault(step.run_id, []).append(_row(step))
        for run_id, rows in by_run.items():
            self._write(run_id, {"steps": rows})

    def add(self, run_id: str, entry: Entry, *, at_ms: int, is_the_change: bool) -> None:
        """Write an entry that was created or found during a run, with its state.

        Args:
            run_id: The run.
            entry: The token.
            at_ms: The time in epoch milliseconds.
            is_the_change: Whether the state is also that of the run's single request.

        Raises:
            JournalError: The entry could not be written.
        """
        step = Step(
            run_id=run_id,
            token_id=entry.token_id,
            state=entry.state,
            at_ms=at_ms,
            attempts=entry.attempts or 1,
            error=entry.error,
        )
        steps = [step, replace(step, token_id=THE_CHANGE)] if is_the_change else [step]
        token = (run_id, entry.token_id, entry.owner, *_snapshots([entry]), None)
        self._write(run_id, {"entries": [token], "steps": [_row(step) for step in steps]})

    def whole_run_id(self, given: str) -> str:
        """Return the id of a run for its unique beginning or end; see ``run_ids.whole``.

        Raises:
            UsageError: Several runs match.
        """
        return run_ids.whole(given, self.run_ids())

    def run_ids(self) -> list[str]:
        """Return the ids of all runs, and of parts of runs."""
        return [run_id for (run_id,) in self._rows("SELECT run_id FROM runs")]

    def has_run(self, run_id: str) -> bool:
        """Return whether a run with this id exists, whole or in parts."""
        return bool(self._rows("SELECT 1 FROM runs WHERE run_id = ?", run_id) or self.parts(run_id))

    def parts(self, run_id: str) -> list[Run]:
        """Return the parts of a fleet's run in the order of its plan; empty for any other run."""
        beginning = f"{run_id}."
        statement = (
            "SELECT run_id FROM runs WHERE substr(run_id, 1, ?1) = ?2 ORDER BY CAST(substr(run_id, ?1 + 1) AS INTEGER)"
        )
        return [self.run(part_id) for (part_id,) in self._rows(statement, len(beginning), beginning)]

    def run(self, run_id: str) -> Run:
        """Return a run.

        Raises:
            UsageError: There is no such run. The message suggests a similar id.
        """
        statement = f"SELECT {', '.join(_OF_A_RUN)}, settings, started_ms FROM runs WHERE run_id = ?"  # noqa: S608 - constants
        rows = self._rows(statement, run_id)
        if not rows:
            newest = self._rows("SELECT run_id FROM runs ORDER BY started_ms DESC LIMIT 20")
            hint = errors.did_you_mean(run_id, [name for (name,) in newest]) if newest else "The journal is empty."
            raise errors.UsageError(f"The journal {self.path} has no run {run_id!r}. {hint}")
        with self._explained():
            *head, settings, started_ms = rows[0]
            started_at = pd.Timestamp(started_ms, unit="ms", tz="UTC")
            return Run(**dict(zip(_OF_A_RUN, head, strict=True)), started_at=started_at, settings=json.loads(settings))

    def entries(self, run_id: str) -> list[Entry]:
        """Return the entries of a run, each with its last state, in the order of the plan."""
        statement = (
            "SELECT e.token_id, e.owner, e.snapshot, e.change, s.state, s.attempts, s.error, s.at_ms, "  # noqa: S608
            f"{history.STARTED_MS}, c.state, c.error FROM entries e "
            "JOIN steps s ON s.step_id = "
            "(SELECT max(step_id) FROM steps l WHERE l.run_id = e.run_id AND l.token_id = e.token_id) "
            "JOIN steps c ON c.step_id = "
            "(SELECT max(step_id) FROM steps l WHERE l.run_id = e.run_id AND l.token_id = e.token_id "
            f"AND l.state NOT IN {history.quoted(IN_DOUBT)}) "
            "WHERE e.run_id = ? ORDER BY e.entry_id"
        )
        rows = self._rows(statement, run_id)
        with self._explained():
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
                    started_at_ms=sent_at_ms,
                    certain=(sure, remark),
                )
                for token_id, owner, snapshot, change, state, attempts, error, at_ms, sent_at_ms, sure, remark in rows
            ]

    def state_of_change(self, run_id: str) -> str | None:
        """Return the last state of a run's single change; None if the run has only tokens."""
        statement = "SELECT state FROM steps WHERE run_id = ? AND token_id = ? ORDER BY step_id DESC LIMIT 1"
        rows = self._rows(statement, run_id, THE_CHANGE)
        return str(rows[0][0]) if rows else None

    def frame(
        self, *, host: str | None = None, workspace_id: str | None = None, run_id: str | None = None
    ) -> pd.DataFrame:
        """Return a row for each token of each run, oldest first, with the columns of ``history.TOKENS``."""
        return self._read(history.TOKENS, host=host, workspace_id=workspace_id, run_id=run_id)

    def runs(self, *, host: str | None = None, workspace_id: str | None = None) -> pd.DataFrame:
        """Return a row for each run, oldest first, with the columns of ``history.RUNS``."""
        return self._read(history.RUNS, host=host, workspace_id=workspace_id)

    def _rows(self, statement: str, *parameters: object) -> list[Any]:
        with self._explained(), self._lock:
            return self._connection.execute(statement, parameters).fetchall()

    def _read(self, view: View, **only: str | None) -> pd.DataFrame:
        with self._explained(), self._lock:
            return view.read(self._connection, **only)

    def _open(self) -> sqlite3.Connection:
        # If two processes open a new file at once, SQLite reports "locked" to one of them without waiting: it waits for
        # writers, but not for the switch to a write-ahead log.
        deadline = time.monotonic() + _BUSY_SECONDS
        while True:
            connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                schema.prepare(connection)
            except BaseException as failure:
                connection.close()
                if not _is_busy(failure) or time.monotonic() > deadline:
                    raise
            else:
                return connection
            time.sleep(_BUSY_PAUSE_SECONDS)

    def _check_lasts(self) -> None:
        """Reject a run whose journal would be lost with the cluster, unless the caller chose the folder."""
        is_default = self._folder == home({}) and not os.getenv("TOKENKIT_HOME")
        if is_default and self._ledger is None and write_once.is_inside_databricks():
            raise errors.JournalError(
                f"The journal would be lost with the cluster: {self._folder} is on its disk, and your folder below "
                f"/Workspace/Users was not found. Set TOKENKIT_HOME{spelled(', or pass home=…,')} to a persistent "
                "folder, such as /Workspace/Users/you@example.com/.tokenkit or one in /Volumes."
            )

    def _write(self, run_id: str, rows: Rows) -> bool:
        """Write rows of a run in one transaction. They are on the disk when this returns.

        Returns:
            Whether these are the first rows of a ledger.
        """
        with self._explained(), self._lock, self._transaction() as connection:
            is_first = self._ledger is not None and self._ledger.append(connection, run_id, rows)
            schema.insert(connection, rows)
        return is_first

    def _update_index(self, run_id: str | None = None) -> None:
        """Update the index of a ledger, because other clusters may have written to it."""
        if self._ledger is None:
            return
        with self._explained(), self._lock, self._transaction() as connection:
            problems = self._ledger.update(connection, run_id)
        for problem in problems:
            sys.stderr.write(f"{printable(problem)}\n")

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

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Convert errors of SQLite, of the system and of invalid files to a ``JournalError`` with the next step."""
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
        where = self.path if self._ledger is None else f"{self._ledger.folder}, with its index {self.path},"
        return errors.JournalError(
            f"The journal {where} cannot be used: {problem}. Nothing is done that cannot be written down first. "
            "Make room, repair or move the file, or set TOKENKIT_HOME to another folder."
        )


def storable(text: str) -> str:
    """Return a text as the journal stores it: without credentials, and without unpaired surrogates, which cannot be
    encoded.
    """
    return redact(frames.encodable(text))


def is_redacted(value: object) -> bool:
    """Return whether the journal stores a value only in part or not at all, because it looks like a credential."""
    return REDACTED in json.dumps(value)


def _snapshots(entries: Sequence[Entry]) -> list[str | None]:
    """Return the snapshots as redacted JSON. All are searched in one pass, because few contain anything to redact."""
    texts = pd.Series([frames.encodable("\n".join(_texts(entry.snapshot))) for entry in entries], dtype=frames.TEXT)
    suspects = redacted(texts) != texts
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
        for item in value:
            yield from _texts(item)


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(stored(value))


def stored(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can be
    """Return a value as the journal stores it: without credentials."""
    if isinstance(value, str):
        return redact(value)  # unpaired surrogates are written as escapes
    if isinstance(value, Mapping):
        return {storable(str(name)): stored(item) for name, item in value.items()}
    return [stored(item) for item in value] if isinstance(value, list | tuple) else value


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


def _row(step: Step) -> Sequence[Any]:
    error = storable(step.error) if step.error else None
    return (step.run_id, step.token_id, step.state, step.at_ms, step.attempts, error)


def has_journal(folder: Path) -> bool:
    """Return whether a folder has a journal."""
    return (folder / FILE_NAME).exists() or Ledger(folder).exists()


def _ledger_in(folder: Path) -> Ledger | None:
    """Return the ledger of a state folder; None if its journal is a SQLite file."""
    ledger, file = Ledger(folder), folder / FILE_NAME
    if ledger.exists() or write_once.is_write_once(folder):
        if file.exists():
            raise ValueError(f"{folder} has a file {FILE_NAME}, which is not read there. Move it to a local folder")
        return ledger
    private_folder(folder)
    return None if file.exists() or write_once.takes_sqlite(folder) else ledger


def _index_folder(folder: Path) -> Path:
    """Return the local folder for the index of a ledger."""
    local = home({})
    if write_once.is_write_once(local):
        local = Path(tempfile.gettempdir()) / f"tokenkit-{os.getuid()}"
    return private_folder(local, "index", hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:16])
