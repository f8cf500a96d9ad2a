"""Writes frames to files. The suffix of the name determines the format, and files are replaced atomically."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from tokenkit import errors
from tokenkit.core.arguments import file as file_of
from tokenkit.core.home import replacing
from tokenkit.output import excel, export

FilePath = str | os.PathLike[str]
ENDINGS = (".csv", ".json", ".xlsx")


def ending_of(to: FilePath, known: Sequence[str] = ENDINGS) -> str:
    """Return the suffix of a file's name, which determines the format.

    Raises:
        UsageError: The suffix is unknown.
    """
    ending = file_of("to", to).suffix.lower()
    if ending not in known:
        raise errors.UsageError(f"Unknown file format: {to}. Use a name that ends in {', '.join(known)}.")
    return ending


def check(to: FilePath, known: Sequence[str] = ENDINGS) -> None:
    """Check that a file can probably be created, before anything is done for it.

    Raises:
        UsageError: The suffix is unknown, the folder is missing or not writable, or the name is that of a folder.
        ConfigurationError: openpyxl, which Excel files require, is not installed.
    """
    if ending_of(to, known) == ".xlsx":
        excel.check_installed()
    path = file_of("to", to).expanduser()
    try:
        problem = "it is a folder" if stat.S_ISDIR(path.stat().st_mode) else ""
    except FileNotFoundError:
        problem = ""
    except OSError as failure:
        problem = failure.strerror or "the operating system does not say why"
    if not problem and not os.access(path.parent, os.W_OK):
        problem = "its folder is missing or read-only"
    if problem:
        raise errors.UsageError(f"{path} cannot be written: {problem}. Choose another file.")


def save(frames: Mapping[str, pd.DataFrame], to: FilePath, *, progress: bool = False) -> Path:
    """Write frames as ``.csv``, ``.json`` or ``.xlsx``, according to the suffix, and return the path.

    Args:
        frames: The frames by name. An Excel workbook has a sheet for each; other formats contain the first frame only.
        to: The file. An existing file is replaced.
        progress: Whether to show a progress bar after two seconds.

    Raises:
        UsageError: The suffix is unknown, or the file cannot be written.
        ConfigurationError: openpyxl, which Excel files require, is not installed.
    """
    ending = ending_of(to)
    first = next(iter(frames.values()))
    if ending == ".xlsx":
        return write(to, excel.workbook(frames, progress=progress))
    if ending == ".csv":
        return write(to, export.csv_text(first).encode("utf-8-sig"))  # Excel requires the byte order mark
    return write(to, export.json_text(first).encode())


def write(to: FilePath, content: bytes) -> Path:
    """Write a file atomically, and return its path. If this fails, an existing file is unchanged.

    The new file is accessible to no more users than the file that it replaces.

    Raises:
        UsageError: The file cannot be written.
    """
    path = file_of("to", to)
    try:
        with replacing(path) as file:
            file.write(content)
    except OSError as problem:
        error = errors.UsageError(f"{path} cannot be written: {problem.strerror}. Choose another file.")
    else:
        return path
    raise error
