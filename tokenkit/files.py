"""Answers on their way into files: the ending of the name says how, and a file is there whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from tokenkit import errors, excel, export

Target = str | os.PathLike[str]
ENDINGS = (".csv", ".json", ".xlsx")


def ending_of(to: Target, known: Sequence[str] = ENDINGS) -> str:
    """Return the ending of a file's name, which says how it is written; asked before there is anything to write.

    Raises:
        UsageError: It is none of those that are known.
    """
    ending = Path(to).suffix.lower()
    if ending not in known:
        raise errors.UsageError(f"{to} should end in {', '.join(known)}, which says what to write.")
    return ending


def save(frames: Mapping[str, pd.DataFrame], to: Target, *, progress: bool = False) -> Path:
    """Write frames as the name's ending says, ``.csv``, ``.json`` or ``.xlsx``, and return where they are.

    Args:
        frames: By name. An Excel workbook has a sheet for each; the others hold the first.
        to: The file. One that is there is replaced.
        progress: Show a progress bar once it takes more than two seconds.

    Raises:
        UsageError: Another ending, or the file cannot be written.
        ConfigurationError: openpyxl, for Excel, is not installed.
    """
    ending = ending_of(to)
    first = next(iter(frames.values()))
    if ending == ".xlsx":
        return write(to, excel.workbook(frames, progress=progress))
    if ending == ".csv":
        return write(to, export.csv_text(first).encode("utf-8-sig"))  # the mark tells Excel that it is UTF-8
    return write(to, export.json_text(first).encode())


def write(to: Target, content: bytes) -> Path:
    """Write a file in one step, and return where it is; if that fails, what was there before still is.

    Whoever could not read the one that was there cannot read the new one.

    Raises:
        UsageError: It cannot be written.
    """
    path = Path(to).expanduser()
    beside = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with beside.open("xb") as file:  # never through a link that somebody else put there
            if path.is_file():
                beside.chmod(beside.stat().st_mode & path.stat().st_mode & 0o777)
            file.write(content)
        beside.replace(path)
    except OSError as problem:
        refused = errors.UsageError(f"{path} cannot be written: {problem.strerror}.")
    else:
        return path
    finally:
        beside.unlink(missing_ok=True)
    raise refused
