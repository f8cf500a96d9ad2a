"""Tokens that are never revoked, whatever a plan is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from tokenkit import errors
from tokenkit.frames import TEXT
from tokenkit.review.patterns import like

FILE_NAME = "config.toml"
# What a pattern is matched against: the key in the file and the argument, the column of the listing.
_COLUMNS = {"owners": "owner", "comments": "comment", "token_ids": "token_id"}


def read_protected(folder: Path) -> dict[str, list[str]]:
    """Return the table ``[protect]`` of ``config.toml``; nothing is protected where there is no such file.

    ::

        [protect]
        owners = ["terraform", "*@oncall.example.com"]   # * and ? stand for any text
        comments = ["*break glass*"]
        token_ids = ["3f1c…"]

    Raises:
        ConfigurationError: The file cannot be read as that. A protection that is misspelt must not be silently none.
    """
    import tomllib  # noqa: PLC0415 - only such a file needs it

    path = folder / FILE_NAME
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("protect", {})
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as problem:
        message = f"{path} cannot be read, so nobody knows what it protects: {problem}."
    else:
        return check(table, where=str(path))
    raise errors.ConfigurationError(message)


def check(protect: Mapping[str, Sequence[str]], *, where: str = "protect") -> dict[str, list[str]]:
    """Return the patterns as lists.

    Raises:
        ConfigurationError: An unknown key, or a value that is not a list of texts.
    """
    patterns = {}
    for name, values in protect.items():
        if name not in _COLUMNS:
            raise errors.ConfigurationError(f"{where} protects no {name!r}. {errors.did_you_mean(name, _COLUMNS)}")
        if isinstance(values, str) or not all(isinstance(each, str) for each in values):
            raise errors.ConfigurationError(f"{name} in {where} must be a list of texts.")
        patterns[name] = list(values)
    return patterns


def protected(tokens: pd.DataFrame, protect: Mapping[str, Sequence[str]]) -> pd.Series[str]:
    """Return why each token is protected, empty where it is not; patterns match whole texts in any case."""
    reasons = pd.Series("", index=tokens.index, dtype=TEXT)
    for name, patterns in protect.items():
        column = tokens[_COLUMNS[name]].fillna("")
        for pattern in patterns:
            reasons = reasons.mask(like(column, pattern) & (reasons == ""), f"protected: {_COLUMNS[name]} {pattern}")
    return reasons
