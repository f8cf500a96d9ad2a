"""The journal in a folder where files can be written only once, so that SQLite does not work.

Each run is a folder of files, ``runs/20260301-093000-1a2b3c4d/000001.json``, ``000002.json``, …. Each file holds the
rows of one transaction of the journal. The file is closed before the transaction ends, and therefore before any request
of these rows is sent. The SQLite file is an index of these files on the local disk, and is rebuilt from them if it is
missing.

The first line of a file has the digest and the length of the rest. This identifies a file whose process was killed
while writing it: the transaction did not end, and none of its requests was sent. Each file also has the digest of the
previous one. If a digest does not match, a file was lost, replaced or altered, and records of sent requests may be
missing. In that case, every ``pending`` token of the run counts as ``sent``, so that it is looked up.

Files are created exclusively. If two processes on two clusters execute the same run, one of them finds that its next
file exists, and stops. Whether these file systems support exclusive creation is not documented. On one that does not, a
file is overwritten, which the digests reveal.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tokenkit import errors
from tokenkit.actions import schema
from tokenkit.actions.schema import Rows
from tokenkit.actions.states import MAYBE_SENT_AND_GONE, PENDING, SENT
from tokenkit.core import write_once
from tokenkit.core.home import make_folder

FOLDER_NAME = "runs"
_RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{8}(\.[1-9][0-9]{0,8})?")
_FILE = re.compile(r"([0-9]{6}|[1-9][0-9]{6,8})\.json")
_HEADING = b"tokenkit journal %d " % schema.VERSION
_DIGEST_LENGTH = 64
_MOST_BYTES = 1 << 30
_MOST_FILES = 999_999_999
_READERS = 16  # each file requires a request to the storage behind the folder
_TABLES = (
    """
CREATE TABLE IF NOT EXISTS files (
    run_id TEXT NOT NULL, number INTEGER NOT NULL, digest TEXT NOT NULL, is_valid INTEGER NOT NULL,
    PRIMARY KEY (run_id, number)
)""",
    "CREATE TABLE IF NOT EXISTS problems (text TEXT PRIMARY KEY)",
)
_DOUBT = (
    f"INSERT INTO steps (run_id, token_id, state, at_ms, attempts, error) "  # noqa: S608 - constants
    f"SELECT run_id, token_id, '{SENT}', at_ms, attempts, ? FROM steps s WHERE run_id = ? AND state = '{PENDING}' "
    "AND step_id = (SELECT max(step_id) FROM steps l WHERE l.run_id = s.run_id AND l.token_id = s.token_id) "
    "ORDER BY step_id"
)

File = tuple[str, int]
"""A file, as its run and its number in the run."""


class TornFileError(ValueError):
    """Raised for a file that was only partly written."""


class Ledger:
    """The files of a journal. Their index is the journal's SQLite connection.

    Args:
        folder: The state folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / FOLDER_NAME

    def exists(self) -> bool:
        """Return whether a run exists."""
        try:
            return any(_RUN_ID.fullmatch(path.name) for path in self.folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return False

    def append(self, connection: sqlite3.Connection, run_id: str, rows: Rows) -> bool:
        """Write rows of a run to its next file, inside a transaction; return whether it is the first file of the
        ledger.

        Raises:
            JournalError: The next file exists.
            OSError: The file cannot be written.
        """
        last, after = _last(connection, run_id)
        if last == _MOST_FILES:
            raise OSError(f"run {run_id} has a file {self.path(run_id, last).name}, so no file can follow")
        content = encode(run_id, last + 1, after, rows)
        path = self.path(run_id, last + 1)
        is_first = last == 0 and not self.exists()
        if last == 0:
            make_folder(path.parent)
        try:
            write_once.create(path, content)
        except FileExistsError:
            problem = (
                f"Run {run_id} is also running in another process, or an earlier write failed: {path} exists. "
                "This process sends nothing more. Stop the other process, and resume the run."
            )
        else:
            _note(connection, (run_id, last + 1), content, is_valid=True)
            return is_first
        raise errors.JournalError(problem)

    def path(self, run_id: str, number: int) -> Path:
        """Return the path of a file."""
        return self.folder / run_id / f"{number:06}.json"

    def update(self, connection: sqlite3.Connection, run_id: str | None = None) -> list[str]:
        """Update the index, inside a transaction, and return the problems that were not reported before.

        Args:
            connection: The index.
            run_id: The run; every run by default.

        Raises:
            OSError: A file cannot be read.
        """
        for statement in _TABLES:
            connection.execute(statement)
        problems: list[str] = []
        with ThreadPoolExecutor(_READERS) as readers:
            run_ids = [run_id] if run_id else sorted(self._names(self.folder, _RUN_ID, problems), key=_in_order)
            names = readers.map(lambda run: list(self._names(self.folder / run, _FILE, problems)), run_ids)
            for run, found in zip(run_ids, names, strict=True):
                numbers = sorted(int(name.removesuffix(".json")) for name in found)
                problems += self._update_run(connection, run, numbers, readers)
        return [text for text in problems if _is_new(connection, text)]

    def _update_run(
        self, connection: sqlite3.Connection, run_id: str, numbers: Sequence[int], readers: ThreadPoolExecutor
    ) -> list[str]:
        """Read the files of a run that are missing from the index, or that it has as incomplete or altered."""
        statement = "SELECT number, digest, is_valid FROM files WHERE run_id = ?"
        known = {number: (digest, valid) for number, digest, valid in connection.execute(statement, (run_id,))}
        unread = [number for number in numbers if not known.get(number, ("", False))[1]]

        def read(wanted: Sequence[int]) -> dict[int, bytes]:
            paths = [self.path(run_id, number) for number in wanted]
            return dict(zip(wanted, readers.map(_content, paths), strict=True))

        contents = read(unread)
        new = [number for number in unread if known.get(number, ("",))[0] != _digest(contents[number])]
        if new and new[0] < max(known, default=0):  # the order of rows matters, so the whole run is read again
            for table in ("files", *schema.COLUMNS):
                connection.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))  # noqa: S608 - constants
            new = list(numbers)
            contents |= read([number for number in numbers if number not in contents])
        return [text for number in new for text in self._take(connection, (run_id, number), contents[number])]

    def _take(self, connection: sqlite3.Connection, file: File, content: bytes) -> Iterator[str]:
        """Add the rows of a file to the index; yield its problems."""
        run_id, number = file
        path = self.path(*file)
        _, after = _last(connection, run_id, before=number)
        connection.execute("SAVEPOINT file")
        try:
            rows, follows = decode(content, run_id, number)
            if is_broken := follows != after:
                connection.execute(_DOUBT, (MAYBE_SENT_AND_GONE, run_id))
            schema.insert(connection, rows)
        except TornFileError:
            is_valid = False
            yield f"{path} is incomplete: its process was stopped while writing it. The file is ignored."
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError, sqlite3.IntegrityError) as failure:
            is_valid = False
            connection.execute("ROLLBACK TO file")
            connection.execute(_DOUBT, (MAYBE_SENT_AND_GONE, run_id))
            yield f"{path} is not as tokenkit wrote it ({failure}), and is not read. {_LOOKED_UP}"
        else:
            is_valid = True
            if is_broken:
                yield f"{path} does not match the digest of the previous file: one was lost or replaced. {_LOOKED_UP}"
        connection.execute("RELEASE file")
        _note(connection, file, content, is_valid=is_valid)

    def _names(self, folder: Path, pattern: re.Pattern[str], problems: list[str]) -> Iterator[str]:
        """Yield the names in a folder that belong to the journal; record all others as problems."""
        try:
            names = sorted(path.name for path in folder.iterdir())
        except FileNotFoundError:
            return
        except NotADirectoryError:
            names = []
            problems.append(f"{folder} is not a folder of the journal, and is not read.")
        for name in names:
            if pattern.fullmatch(name):
                yield name
            else:
                problems.append(f"{folder / name} is not a file of the journal, and is not read.")


_LOOKED_UP = "Pending tokens of the run will be looked up first, because requests may have been sent for them."


def encode(run_id: str, number: int, after: str, rows: Rows) -> bytes:
    """Return the content of a file.

    Args:
        run_id: The run.
        number: The number of the file in the run.
        after: The digest of the previous file; empty for the first one.
        rows: The rows.
    """
    document: dict[str, Any] = {"run_id": run_id, "number": number, "after": after}
    document |= {table: list(rows.get(table, ())) for table in schema.COLUMNS}
    body = json.dumps(document).encode() + b"\n"
    return b"%b%b %d\n%b" % (_HEADING, _digest(body).encode(), len(body), body)


def decode(content: bytes, run_id: str, number: int) -> tuple[Rows, str]:
    """Return the rows of a file, and the digest of the previous file.

    Raises:
        TornFileError: The file ends too early.
        ValueError: The content is not from ``encode``, or belongs to another file.
    """
    heading, separator, body = content.partition(b"\n")
    if not heading.startswith(_HEADING[: len(heading)]):
        raise ValueError("another version may have written it")
    if not separator and len(heading) < len(_HEADING) + _DIGEST_LENGTH + 20:
        raise TornFileError
    digest, length = heading.removeprefix(_HEADING).split(b" ")
    if len(body) < int(length):
        raise TornFileError
    if len(body) != int(length) or _digest(body).encode() != digest:
        raise ValueError("its digest differs")
    document = json.loads(body)
    if (document["run_id"], document["number"]) != (run_id, number):
        raise ValueError("it belongs to another file of the journal")
    rows = {table: document[table] for table in schema.COLUMNS}
    schema.check(rows, run_id)
    return rows, str(document["after"])


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _content(path: Path) -> bytes:
    """Return the content of a regular file, and an empty one for anything else. Links are not followed, and a pipe does
    not block.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        return b"not a file\n"
    with path.open("rb") as file:
        return file.read(_MOST_BYTES)


def _last(connection: sqlite3.Connection, run_id: str, *, before: int = _MOST_FILES + 1) -> tuple[int, str]:
    """Return the number and digest of a run's last file, or of the last one before a number."""
    statement = "SELECT number, digest FROM files WHERE run_id = ? AND number < ? ORDER BY number DESC LIMIT 1"
    return connection.execute(statement, (run_id, before)).fetchone() or (0, "")


def _note(connection: sqlite3.Connection, file: File, content: bytes, *, is_valid: bool) -> None:
    connection.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", (*file, _digest(content), is_valid))


def _is_new(connection: sqlite3.Connection, problem: str) -> bool:
    return connection.execute("INSERT OR IGNORE INTO problems VALUES (?)", (problem,)).rowcount == 1


def _in_order(run_id: str) -> tuple[str, int]:
    """Return the sort key of a run: by time, and for parts of a fleet's run by number."""
    whole, _, part = run_id.partition(".")
    return whole, int(part or 0)
