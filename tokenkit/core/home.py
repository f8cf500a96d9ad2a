"""The state folder of tokenkit, which only its owner can read, and the atomic replacement of files.

On Databricks, a shared file system can show every file as accessible to everyone, whatever its mode. So modes are
neither checked nor changed there. Where it writes files only once, a file is replaced by deleting it first.
"""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import operator
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from tokenkit import errors
from tokenkit.core import write_once
from tokenkit.core.arguments import folder as folder_of


def home(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder in ``TOKENKIT_HOME``, or else the platform's state folder. It may not exist yet."""
    named = os.getenv("TOKENKIT_HOME") if environ is None else environ.get("TOKENKIT_HOME")
    if named:
        return _absolute(named)
    from platformdirs import user_state_path  # noqa: PLC0415 - only without TOKENKIT_HOME

    return user_state_path("tokenkit", appauthor=False)


@functools.cache
def _absolute(named: str) -> Path:
    """Return the absolute path of a folder when it is first used, so that ``chdir`` does not change it later."""
    return folder_of("TOKENKIT_HOME", named).absolute()


def private_folder(folder: Path, *below: str) -> Path:
    """Create a folder that only its owner can access (mode 0700), or restrict the mode of an existing one.

    Args:
        folder: The state folder. Missing parent folders are created.
        below: The names of nested subfolders.

    Returns:
        The innermost folder.

    Raises:
        ConfigurationError: Other users could replace the folder, everyone can write to a folder, or a folder cannot be
            created or restricted.
    """
    paths = [*itertools.accumulate(below, operator.truediv, initial=folder)]
    with _configuration_errors(paths[-1]):
        _check_parents(folder)
        for path in paths:
            make_folder(path)
            _restrict(path, 0o700)
    return paths[-1]


def make_folder(folder: Path) -> None:
    """Create a folder and missing parent folders with mode 0700. Existing folders are not changed."""
    for missing in [path for path in (folder, *folder.parents) if not path.exists()][::-1]:
        missing.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(exist_ok=True)  # raises an error if a file exists at this path


def private_file(path: Path) -> Path:
    """Create a file that only its owner can access (mode 0600), or restrict the mode of an existing one.

    Raises:
        ConfigurationError: Everyone can write to the file, or it cannot be created or restricted.
    """
    with _configuration_errors(path):
        try:
            # Do not open an existing file: closing it would release SQLite's locks.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            _restrict(path, 0o600)
    return path


def restrict_file(path: Path) -> None:
    """Restrict the mode of a file to its owner (0600). A file that another process has deleted stays deleted.

    Raises:
        ConfigurationError: Everyone can write to the file, or its mode cannot be changed.
    """
    with _configuration_errors(path), contextlib.suppress(FileNotFoundError):
        _restrict(path, 0o600)


@contextlib.contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[IO[bytes]]:
    """Open a new file that replaces ``path`` when the block ends without an exception.

    The file is replaced atomically: if anything fails, an existing file is unchanged. In a folder that writes files
    only once, this is not possible. There the whole content is collected first, the existing file is deleted, and the
    new one is written.

    The new file is accessible to no more users than the file that it replaces.

    Args:
        path: The file to replace.
        private: Whether only the owner can access the new file (mode 0600).

    Raises:
        OSError: The file cannot be written.
    """
    mode = 0o600 if private else 0o666
    if write_once.is_write_once(path.parent):
        with io.BytesIO() as content:
            yield content
            path.unlink(missing_ok=True)
            try:
                write_once.create(path, content.getvalue(), mode=mode)
            except FileExistsError:
                raise
            except BaseException:  # readers cannot distinguish half a file from a whole one
                path.unlink(missing_ok=True)
                raise
        return
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        # "x": never through an existing link
        with open(partial, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            if path.is_file():
                partial.chmod(partial.stat().st_mode & path.stat().st_mode & 0o777)
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def _configuration_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        problem = f"Cannot make {path} private: {failure.strerror or str(failure)}."
        raise errors.ConfigurationError(f"{problem} Set TOKENKIT_HOME to another folder.") from None


def _has_file_modes() -> bool:
    return os.name == "posix" and not write_once.is_inside_databricks()


def _check_parents(folder: Path) -> None:
    """Check that no other user can rename or replace a folder through one of its parent folders.

    As with ``StrictModes`` of OpenSSH, all parents up to the home directory or the root are checked, with links
    resolved. Unlike OpenSSH, this accepts folders with the sticky bit (``/tmp``), where only the owner of an entry can
    rename it, and folders that a group can write to, because many systems give every user a group of their own.
    """
    if not _has_file_modes():
        return
    for parent in folder.resolve().parents:
        if parent.exists():
            status = parent.stat()
            is_foreign = os.geteuid() != 0 and status.st_uid not in {0, os.geteuid()}
            if is_foreign or (status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX):
                problem = "Another user owns" if is_foreign else "Everyone on this machine can write to"
                raise errors.ConfigurationError(
                    f"{problem} {parent}, which contains {folder}, so other users could replace that folder. Set "
                    f"TOKENKIT_HOME to another folder{'' if is_foreign else f', or run `chmod o-w {parent}`'}."
                )
        if parent == Path.home():
            return


def _restrict(path: Path, mode: int) -> None:
    if not _has_file_modes():
        return
    now = path.stat().st_mode
    if now & stat.S_IWOTH:
        raise errors.ConfigurationError(
            f"Everyone on this machine can write to {path}, so its content cannot be trusted. Set TOKENKIT_HOME to "
            f"another folder, or run `chmod {mode:o}` on this one if only you have used it."
        )
    if now & ~mode & 0o777:
        path.chmod(mode)
