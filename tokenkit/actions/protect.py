"""Protected tokens, which no plan changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from tokenkit import errors
from tokenkit.core import config
from tokenkit.core.redaction import redact
from tokenkit.frames import TEXT
from tokenkit.review.patterns import like

_TABLE = config.PROTECT
_TOKEN_ID = re.compile(r"[0-9a-f]{64}|(?=.*[*?])[0-9a-f*?]+", re.IGNORECASE)
# The column of the listing that patterns are matched against, by the key in the file and in the argument.
_COLUMNS = {"owners": "owner", "comments": "comment", "token_ids": "token_id"}


def read_protected(folder: Path, more: Mapping[str, Sequence[str]] | None = None) -> dict[str, list[str]]:
    """Return the patterns of the table ``[protect]`` in ``config.toml``, and additional ones. Without a file, nothing
    is protected.

    ::

        [protect]
        owners = ["terraform", "*@oncall.example.com"]   # * and ? stand for any text
        comments = ["*break glass*"]
        token_ids = ["3f1c*"]

    Args:
        folder: The folder of the file.
        more: Additional patterns.

    Raises:
        ConfigurationError: The file cannot be read or is invalid. A misspelled protection is never ignored.
    """
    table = config.read_table(folder, config.PROTECT, consequence=", so it is not known what it protects")
    patterns = check(table, where=str(folder / config.FILE_NAME))
    for name, values in check(more or {}).items():
        patterns[name] = [*patterns.get(name, []), *values]
    return patterns


def check(protect: Mapping[str, Sequence[str]], *, where: str = _TABLE) -> dict[str, list[str]]:
    """Return the patterns as lists.

    Raises:
        ConfigurationError: A key is unknown, a value is not a list of texts, or a pattern can match nothing.
    """
    if not isinstance(protect, Mapping):
        raise errors.ConfigurationError(f"{_TABLE} in {where} must be a table with the keys {', '.join(_COLUMNS)}.")
    patterns = {}
    for name, values in protect.items():
        if name not in _COLUMNS:
            raise errors.ConfigurationError(
                f"Unknown key {name!r} in {where}. {errors.did_you_mean(str(name), _COLUMNS)}"
            )
        is_list = isinstance(values, Iterable) and not isinstance(values, str | Mapping)
        given = list(values) if is_list else []
        if not is_list or not all(isinstance(value, str) for value in given):
            raise errors.ConfigurationError(f"{name} in {where} must be a list of texts.")
        if problem := next(filter(None, (_problem(name, pattern) for pattern in given)), ""):
            raise errors.ConfigurationError(f"{name} in {where} protects nothing: {problem}.")
        patterns[name] = given
    return patterns


def _problem(name: str, pattern: str) -> str:
    """Return why a pattern matches nothing, or an empty text."""
    shown = repr(redact(pattern))
    if not pattern.strip():
        return "a pattern is empty"
    if name == "comments":
        return ""
    if pattern != pattern.strip() or not pattern.isprintable():
        return f"{shown} has a blank or an invisible character in it that no {_COLUMNS[name]} has"
    if name == "token_ids" and not _TOKEN_ID.fullmatch(pattern):
        return f"{shown} is not a token id. Write all 64 digits, or a pattern with *, such as '3f1c*'"
    return ""


def protected(tokens: pd.DataFrame, protect: Mapping[str, Sequence[str]]) -> pd.Series[str]:
    """Return why each token is protected, or an empty text. Patterns match whole texts, ignoring case.

    An owner can also be given by id.
    """
    reasons = pd.Series("", index=tokens.index, dtype=TEXT)
    for name, patterns in protect.items():
        column = tokens[_COLUMNS[name]].fillna("")
        for pattern in patterns:
            matches = like(column, pattern)
            if name == "owners":
                matches |= (tokens["owner_id"].astype(TEXT) == pattern).fillna(value=False)
            reasons = reasons.mask(matches & (reasons == ""), f"protected: {_COLUMNS[name]} {pattern}")
    return reasons
