"""Checks of arguments. An invalid argument is an error that names the valid values, before anything is done."""

from __future__ import annotations

import contextlib
import math
import operator
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar

from tokenkit import errors
from tokenkit.core.redaction import redact

if TYPE_CHECKING:
    import pandas as pd

_Value = TypeVar("_Value")


def whole_number(name: str, given: object, *, least: int, most: int | None = None) -> int:
    """Return an argument after checking that it is a whole number.

    Raises:
        UsageError: The argument is not a whole number, or it is too small or too large.
    """
    number = least - 1
    if isinstance(given, SupportsIndex) and not isinstance(given, bool | type):
        with contextlib.suppress(TypeError):  # an array of NumPy
            number = operator.index(given)
    if number < least or (most is not None and number > most):
        allowed = f"at least {least:,}" if most is None else f"from {least:,} to {most:,}"
        raise errors.UsageError(f"{name} must be a whole number, {allowed}.")
    return number


def seconds(name: str, given: object, *, least: float, most: float) -> float:
    """Return an argument after checking that it is a number of seconds.

    Raises:
        UsageError: The argument is not a number, or it is too small or too large.
    """
    number = float(given) if isinstance(given, int | float) and not isinstance(given, bool) else math.nan
    if not least <= number <= most:
        raise errors.UsageError(f"{name} must be a number of seconds, from {least:,} to {most:,}.")
    return number


_Text = TypeVar("_Text", str, None, str | None)


def without_credential(name: str, given: _Text) -> _Text:
    """Return a text for the workspace after checking that it contains no credential, which other users could read.

    Raises:
        UsageError: A part of the text looks like a credential.
    """
    if given is not None and redact(given) != given:
        raise errors.UsageError(
            f"The {name} {redact(given)!r} contains what looks like a credential, and others can read a {name}. "
            "Describe the token without it. Nothing was changed."
        )
    return given


def frame(name: str, given: object, columns: Iterable[str]) -> pd.DataFrame:
    """Return an argument after checking that it is a DataFrame with some columns.

    Raises:
        UsageError: The argument is of another type, or lacks a column.
    """
    import pandas as pd  # noqa: PLC0415 - a command line that only shows help has no time for it

    if not isinstance(given, pd.DataFrame):
        raise errors.UsageError(f"{name} must be a DataFrame, not {type(given).__name__}.")
    if missing := [column for column in columns if column not in given.columns]:
        raise errors.UsageError(f"{name} lacks the columns {', '.join(missing)}.")
    return given


def flag(name: str, given: object) -> bool:
    """Return an argument after checking that it is True or False, because any other value, "no" too, would be true.

    Raises:
        UsageError: The argument is another value.
    """
    if isinstance(given, bool):
        return given
    raise errors.UsageError(f"{name} must be True or False, not {type(given).__name__}.")


def table(name: str, given: object) -> Mapping[Any, Any]:
    """Return an argument after checking that it is None, which is an empty table, or a mapping.

    Raises:
        UsageError: The argument is of another type.
    """
    if given is not None and not isinstance(given, Mapping):
        raise errors.UsageError(f"{name} must be a dict, not {type(given).__name__}.")
    return given or {}


def optional(name: str, given: object, kind: type[_Value]) -> _Value | None:
    """Return an argument after checking that it is None or of a type.

    Raises:
        UsageError: The argument is of another type.
    """
    if given is None or isinstance(given, kind):
        return given
    raise errors.UsageError(f"{name} must be of type {kind.__name__}, not {type(given).__name__}.")


def several(name: str, given: object, *kinds: type) -> list[Any]:
    """Return an argument as a list after checking that it is several values, and each of one of the types.

    Raises:
        UsageError: The argument is one value, or a value is of another type.
    """
    if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping | type):
        values = list(given)
        if all(isinstance(value, kinds) for value in values):
            return values
    types = " or ".join(kind.__name__ for kind in kinds)
    raise errors.UsageError(f"{name} must be a list, and each value of type {types}.")


def file(name: str, given: object) -> Path:
    """Return an argument after checking that it is the path of a file.

    Raises:
        UsageError: The argument is not a path.
    """
    return _path(name, given, "file")


def folder(name: str, given: object) -> Path:
    """Return an argument after checking that it is the path of a folder.

    Raises:
        UsageError: The argument is not a path, or it is a URI: ``dbfs:/…`` would be a folder below the current one.
    """
    path = _path(name, given, "folder")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(given)):
        raise errors.UsageError(
            f"{name} must be a path, not a URI: {given}. Inside Databricks, files of dbfs:/ are below /dbfs or "
            "/Volumes."
        )
    return path


def _path(name: str, given: object, what: str) -> Path:
    text = os.fspath(given) if isinstance(given, str | os.PathLike) else None
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise errors.UsageError(f"{name} must be the path of a {what}, as a string or a path object.")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise errors.UsageError(f"{name} is in the home folder of an unknown user: {text}.") from None
