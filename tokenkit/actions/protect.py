"""Tokens that no plan touches, whatever it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tokenkit import errors
from tokenkit.frames import TEXT
from tokenkit.review.patterns import like

FILE_NAME = "config.toml"
_TABLE = "protect"
# What a pattern is matched against: the key in the file and the argument, the column of the listing.
_COLUMNS = {"owners": "owner", "comments": "comment", "token_ids": "token_id"}


def read_protected(folder: Path, more: Mapping[str, Sequence[str]] | None = None) -> dict[str, list[str]]:
    """Return the table ``[protect]`` of ``config.toml``, and further patterns; nothing is protected without a file.

    ::

        [protect]
        owners = ["terraform", "*@oncall.example.com"]   # * and ? stand for any text
        comments = ["*break glass*"]
        token_ids = ["3f1c*"]

    Args:
        folder: Where the file is.
        more: What is protected beside it.

    Raises:
        ConfigurationError: The file cannot be read as that. A protection that is misspelled must not be silently none.
    """
    patterns = _in_file(folder / FILE_NAME)
    for name, values in check(more or {}).items():
        patterns[name] = [*patterns.get(name, []), *values]
    return patterns


def _in_file(path: Path) -> dict[str, list[str]]:
    import tomllib  # noqa: PLC0415 - only such a file needs it

    try:
        if path.exists() and not path.is_file():
            problem = "it is not a file"  # a pipe would be waited for
        else:
            return _checked(tomllib.loads(path.read_text(encoding="utf-8-sig")), path)
    except FileNotFoundError:
        dangling = [place for place in (path, *path.parents) if place.is_symlink() and not place.exists()]
        if not dangling:
            return {}
        problem = f"the link {dangling[0]} leads nowhere"
    except errors.ConfigurationError:
        raise
    except RecursionError:
        problem = "it is nested too deeply"
    except (OSError, ValueError) as failure:
        problem = str(failure).rstrip(".")
    raise errors.ConfigurationError(f"{path} cannot be read, so nobody knows what it protects: {problem}.")


def _checked(document: Mapping[str, Any], path: Path) -> dict[str, list[str]]:
    for name in document:
        if name != _TABLE:
            raise errors.ConfigurationError(f"{path} has no table {name!r}. {errors.did_you_mean(name, [_TABLE])}")
    return check(document.get(_TABLE, {}), where=str(path))


def check(protect: Mapping[str, Sequence[str]], *, where: str = _TABLE) -> dict[str, list[str]]:
    """Return the patterns as lists.

    Raises:
        ConfigurationError: An unknown key, or a value that is not a list of texts.
    """
    if not isinstance(protect, Mapping):
        raise errors.ConfigurationError(f"{_TABLE} in {where} must be a table with the keys {', '.join(_COLUMNS)}.")
    patterns = {}
    for name, values in protect.items():
        if name not in _COLUMNS:
            raise errors.ConfigurationError(f"{where} protects no {name!r}. {errors.did_you_mean(str(name), _COLUMNS)}")
        is_list = isinstance(values, Iterable) and not isinstance(values, str | Mapping)
        given = list(values) if is_list else []
        if not is_list or not all(isinstance(value, str) for value in given):
            raise errors.ConfigurationError(f"{name} in {where} must be a list of texts.")
        patterns[name] = given
    return patterns


def protected(tokens: pd.DataFrame, protect: Mapping[str, Sequence[str]]) -> pd.Series[str]:
    """Return why each token is protected, empty where it is not; patterns match whole texts in any case.

    An owner may be given by id as well.
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
