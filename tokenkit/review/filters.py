"""Which tokens are meant: the filters that Python, the magic and the shell share, in one table.

A filter is a keyword in Python (``owner=``), an option in a command (``--owner``), and a mask over the frame. ``where``
is for everything else: an expression in the language of ``DataFrame.query``, cut down to what cannot do more than read
columns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tokenkit import errors, frames
from tokenkit.review import expressions
from tokenkit.review.durations import duration


@dataclass(frozen=True)
class Filter:
    """One way to choose tokens.

    Attributes:
        name: The keyword in Python; with hyphens, the option in a command.
        help: What it keeps.
        mask: From a listing with the derived columns and the filter's value to the rows that it keeps.
        metavar: What the value is called; None for a switch, whose value is True.
        choices: The values that it takes, where they are few.
        read: Makes the value of what was typed, or raises ``UsageError``; what it made, it takes as well.
        known: The values that tokens have, where one that none has may be misspelt.
    """

    name: str
    help: str
    mask: Callable[[pd.DataFrame, Any], pd.Series[bool]]
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    read: Callable[[Any], Any] = str
    known: Callable[[pd.DataFrame], pd.Series[str]] | None = None


def like(texts: pd.Series[str], pattern: str) -> pd.Series[bool]:
    """Return which texts a pattern matches as a whole, in any case; ``*`` and ``?`` stand for any text and letter."""
    # Arrow's regular expressions are RE2, which does not know all that fnmatch.translate writes.
    regex = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return expressions.truth(texts.str.fullmatch(f"(?s:{regex})", case=False))


def _scope(tokens: pd.DataFrame, scope: str) -> pd.Series[bool]:
    return expressions.holds(tokens["scopes"], scope)


def _owner(tokens: pd.DataFrame, pattern: str) -> pd.Series[bool]:
    return like(tokens["owner"], pattern) | (tokens["owner_id"].astype(frames.TEXT) == pattern)


def _comment(tokens: pd.DataFrame, text: str) -> pd.Series[bool]:
    regex = re.escape(text).replace(r"\*", ".*")  # not "?", which comments have as it is
    return tokens["comment"].str.contains(f"(?s:{regex})", case=False, regex=True)


def _status(tokens: pd.DataFrame, status: str) -> pd.Series[bool]:
    return tokens["status"] == status


def _idle(tokens: pd.DataFrame, span: pd.Timedelta) -> pd.Series[bool]:
    return tokens["idle_days"] >= span / _DAY


def _expires_in(tokens: pd.DataFrame, span: pd.Timedelta) -> pd.Series[bool]:
    return tokens["expires_in_days"].between(0, span / _DAY)


def _never_expires(tokens: pd.DataFrame, wanted: bool) -> pd.Series[bool]:  # noqa: FBT001 - a filter's value
    return tokens["never_expires"] == wanted


_DAY = pd.Timedelta(days=1)
FILTERS: tuple[Filter, ...] = (
    Filter(
        "owner",
        "whose owner has this name or id; * and ? stand for any text",
        _owner,
        "NAME",
        known=lambda tokens: tokens["owner"],
    ),
    Filter("status", "that still work, or that expired", _status, "STATUS", choices=("active", "expired")),
    Filter("idle", "not used for at least so long (since they were made, if never)", _idle, "90d", read=duration),
    Filter(
        "expires_in",
        "that expire within so long; those that expired already are left out",
        _expires_in,
        "30d",
        read=duration,
    ),
    Filter("never_expires", "without an expiry", _never_expires, read=bool),
    Filter(
        "scope",
        "that were granted this scope",
        _scope,
        "SCOPE",
        known=lambda tokens: tokens["scopes"].explode(),
    ),
    Filter("comment", "whose comment contains this text, in any case; * stands for any text", _comment, "TEXT"),
)
_BY_NAME = {each.name: each for each in FILTERS}


def check(expression: str | None, criteria: Mapping[str, Any]) -> dict[str, Any]:
    """Return the criteria that keep less than everything, their values read; so what is wrong shows before any request.

    Raises:
        UsageError: An unknown filter, a value that it cannot take, an expression that does not parse or does more than
            read. Only a wrong column is not found here, as the server may add columns.
    """
    if expression:
        expressions.check(expression)
    values = {}
    for name, given in criteria.items():
        if name not in _BY_NAME:
            raise errors.UsageError(f"There is no filter {name!r}. {errors.did_you_mean(name, _BY_NAME)}")
        if given is not None:
            values[name] = _BY_NAME[name].read(given)
            if (choices := _BY_NAME[name].choices) and values[name] not in choices:
                known = errors.did_you_mean(values[name], choices)
                raise errors.UsageError(f"{name} cannot be {values[name]!r}. {known}")
    return values


def misspelt(tokens: pd.DataFrame, criteria: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each criterion that no token meets though it names a value, with the near one.

    Args:
        tokens: The whole listing, with the derived columns. In an empty one nothing is misspelt.
        criteria: The names of ``FILTERS`` with their values.
    """
    said: list[str] = []
    if not len(tokens):
        return said
    for name, value in check(None, criteria).items():
        filter_ = _BY_NAME[name]
        if filter_.known is not None and not expressions.truth(filter_.mask(tokens, value)).any():
            known = filter_.known(tokens).dropna().unique()
            said.append(f"No token has the {name} {value!r}. {errors.did_you_mean(value, sorted(known))}")
    return said


def matching(tokens: pd.DataFrame, **criteria: Any) -> pd.DataFrame:  # noqa: ANN401 - each filter has its own kind of value
    """Return the tokens that every criterion keeps. One that is None keeps all; so does giving none.

    Args:
        tokens: A listing with the derived columns, as ``Workspace.tokens`` returns it.
        criteria: The names of ``FILTERS`` with their values.

    Raises:
        UsageError: An unknown filter, or a value that it cannot take.
    """
    for name, value in check(None, criteria).items():
        tokens = tokens[expressions.truth(_BY_NAME[name].mask(tokens, value))]
    return tokens
