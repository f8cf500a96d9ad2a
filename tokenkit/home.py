"""Where tokenkit keeps what outlives a process, and that nobody else on the machine may read it.

In a notebook on Databricks the modes of files may mean nothing, as a shared file system shows every file as open:
nothing is refused or changed there for its mode.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import operator
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from tokenkit import errors


def home(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder that ``TOKENKIT_HOME`` names, else the platform's state folder; it may not exist yet."""
    named = (os.environ if environ is None else environ).get("TOKENKIT_HOME")
    if named:
        return _absolute(named)
    from platformdirs import user_state_path  # noqa: PLC0415 - only who names no folder needs it

    return user_state_path("tokenkit", appauthor=False)


@functools.cache
def _absolute(named: str) -> Path:
    """Return where a name leads when it is first used: a relative one must not lead elsewhere after a ``chdir``."""
    return Path(named).expanduser().absolute()


def private_folder(folder: Path, *below: str) -> Path:
    """Return a folder that is there and that only its owner can open (mode 0700); one that is too open is tightened.

    Args:
        folder: The state folder, made with all above it that is missing.
        below: Names of folders in it, each in the one before. The last is returned.

    Raises:
        ConfigurationError: Everybody may write to one of them, or it cannot be made or tightened.
    """
    paths = [*itertools.accumulate(below, operator.truediv, initial=folder)]
    with _explained(paths[-1]):
        for path in paths:
            make_folder(path)
            _tighten(path, 0o700)
    return paths[-1]


def make_folder(folder: Path) -> None:
    """Make a folder and all above it that is missing, each for its owner alone; what is there stays as it is."""
    for missing in [each for each in (folder, *folder.parents) if not each.exists()][::-1]:
        missing.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(exist_ok=True)  # says so where a file is in its place


def private_file(path: Path) -> Path:
    """Return a file that is there and that only its owner can read (mode 0600); one that is too open is tightened.

    Raises:
        ConfigurationError: Everybody may write to it, or it cannot be made or tightened.
    """
    with _explained(path):
        try:
            # One that is there is not opened: to close it again would take SQLite's locks on it away.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            _tighten(path, 0o600)
    return path


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as failure:
        problem = failure.strerror or str(failure)
    else:
        return
    raise errors.ConfigurationError(f"{path} cannot be made private: {problem}. Set TOKENKIT_HOME to another folder.")


def _tighten(path: Path, mode: int) -> None:
    if os.name != "posix" or "DATABRICKS_RUNTIME_VERSION" in os.environ:
        return
    now = path.stat().st_mode
    if now & stat.S_IWOTH:
        raise errors.ConfigurationError(
            f"Everybody on this machine may write to {path}, so its content cannot be trusted. Set TOKENKIT_HOME to "
            f"another folder, or run chmod {mode:o} on this one if nobody else has used it."
        )
    if now & ~mode & 0o777:
        path.chmod(mode)
