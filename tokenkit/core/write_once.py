"""Folders where files can be written only once: created, written sequentially, read, listed and deleted.

Inside Databricks, the persistent folders are of this kind. In ``/Volumes`` and ``/dbfs``, files cannot be renamed,
locked, appended to or changed in place. The capabilities of ``/Workspace`` are not documented, so it is treated the
same.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

ROOTS = ("/Workspace", "/Volumes", "/dbfs")
_NO_SYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)


def is_inside_databricks() -> bool:
    """Return whether this process runs on a cluster or on serverless compute of Databricks."""
    return os.getenv("DATABRICKS_RUNTIME_VERSION") is not None


def is_write_once(path: Path) -> bool:
    """Return, by its path, whether a folder is a persistent folder of Databricks."""
    return is_inside_databricks() and any(Path(os.path.realpath(path)).is_relative_to(root) for root in ROOTS)


def takes_sqlite(folder: Path) -> bool:
    """Return whether SQLite works in a folder, by trying it.

    Raises:
        OSError: New files cannot be written there either.
    """
    import sqlite3  # noqa: PLC0415 - not needed for commands that only show help

    path = folder / f".{secrets.token_hex(8)}.probe"
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("CREATE TABLE probe (x)")
            works = True
    except sqlite3.Error:
        works = False
    finally:
        for leftover in folder.glob(f"{path.name}*"):
            leftover.unlink(missing_ok=True)
    if not works:
        create(path, b"\0" * 8192)
        path.unlink()
    return works


def create(path: Path, content: bytes | memoryview, *, mode: int = 0o600) -> None:
    """Write a new file. When this returns, the file is closed and on the disk.

    Raises:
        FileExistsError: The file exists.
        OSError: The file cannot be written; a part of it may exist.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), mode)
    try:
        remaining = memoryview(content)
        while remaining:
            remaining = remaining[os.write(descriptor, remaining) :]
        _sync(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.close(descriptor)
        raise
    os.close(descriptor)  # such a file system may report only here that the file was not written


def readers_of(folder: Path) -> str:
    """Return who can read a folder, as the end of a sentence: "… can read it"."""
    parts = Path(os.path.realpath(folder)).parts[1:]
    match parts:
        case ("Workspace", "Users", name, *_):
            return f"{name} and the admins of the workspace can read it"
        case ("Workspace", *_):
            return "Everyone who can view that workspace folder, and the admins of the workspace, can read it"
        case ("Volumes", catalog, schema, volume, *_):
            return f"Everyone with READ VOLUME on {catalog}.{schema}.{volume} can read it"
        case ("dbfs", *_):
            return "Every user of the workspace can read it"
        case _:
            return "Its file system determines who can read it"


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as failure:
        if failure.errno not in _NO_SYNC:  # there, the file is saved when it is closed
            raise
