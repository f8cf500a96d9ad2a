"""Which tokens are meant: the filters that Python, the magic and the shell share, in one table.

A filter is a keyword in Python (``owner=``), an option in a command (``--owner``), and a mask over the frame. Several
values of one filter (``owner=["ann", "bob"]``, ``--owner ann --owner bob``) keep what any of them keeps; several
filters keep what all of them keep. ``where`` is for everything else: an expression in the language of
``DataFrame.query``, cut down to what cannot do more than read columns.
"""

from __future__ import annotations

import difflib
import functools
import numbers
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tokenkit import errors, frames
from tokenkit.review import expressions, lifecycle, patterns
from tokenkit.review.durations import duration
from tokenkit.review.values import STATUSES


@dataclass(frozen=True)
class Filter:
    """One way to choose tokens.

    Attributes:
        name: The keyword in Python; with hyphens, the option in a command.
        help: What it keeps.
        mask: From a listing with the derived columns and one value to the rows that it keeps.
        metavar: What the value is called; None for a switch, whose one value is True.
        choices: The values that it takes, where they are few.
        read: Makes the value of what was typed, or raises ``UsageError``; what it made, it takes as well.
        columns: Where the values of tokens stand, if one that none has may be misspelt.
        names_principals: Whether a value names a user or service principal, who may have no token.
    """

    name: str
    help: str
    mask: Callable[[pd.DataFrame, Any], pd.Series[bool]]
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    read: Callable[[Any], Any] = str
    columns: tuple[str, ...] = ()
    names_principals: bool = False

    def read_all(self, given: Any) -> list[Any]:  # noqa: ANN401 - one value or several
        """Return the values that were given, read.

        Raises:
            UsageError: A value that the filter cannot take.
        """
        several = isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping)
        values = [self.read(each) for each in (given if several else [given])]
        for value in values:
            if self.choices and value not in self.choices:
                raise errors.UsageError(
                    f"{self.name} cannot be {value!r}. {errors.did_you_mean(str(value), self.choices)}"
                )
        return values

    def kept(self, tokens: pd.DataFrame, values: Iterable[Any]) -> pd.Series[bool]:
        """Return which rows any of the values keeps."""
        nothing = pd.Series(data=False, index=tokens.index, dtype=bool)
        masks = (expressions.truth(self.mask(tokens, value)) for value in values)
        return functools.reduce(operator.or_, masks, nothing)

    def known(self, tokens: pd.DataFrame) -> list[str]:
        """Return the values that tokens have."""
        columns = [tokens[name] for name in self.columns]
        singly = [column if column.dtype == frames.TEXT else column.explode() for column in columns]
        return pd.concat([column.dropna().astype(frames.TEXT) for column in singly]).unique().tolist()


def _text(given: object) -> str:
    if (
        isinstance(given, str) and not given
    ):  # of a variable that is not set; as a part of a comment it would keep all that have one
        raise errors.UsageError("An empty text chooses nothing.")
    if isinstance(given, str | numbers.Integral):
        return str(given)
    raise errors.UsageError(f"{given!r} is not text.")


def _switch(given: object) -> bool:
    if isinstance(given, bool | np.bool_):
        return bool(given)
    raise errors.UsageError(f"{given!r} is not True or False.")


def _scope(tokens: pd.DataFrame, scope: str) -> pd.Series[bool]:
    return expressions.holds(tokens["scopes"], scope)


def _owner(tokens: pd.DataFrame, pattern: str) -> pd.Series[bool]:
    found = _named(tokens["owner"], tokens["owner_id"], pattern)
    return found | patterns.like(tokens[_APPLICATION_ID], pattern) if _APPLICATION_ID in tokens else found


def _created_by(tokens: pd.DataFrame, pattern: str) -> pd.Series[bool]:
    return _named(tokens["created_by_username"], tokens["created_by_id"], pattern)


def _named(names: pd.Series[str], ids: pd.Series[int], pattern: str) -> pd.Series[bool]:
    return patterns.like(names, pattern) | (ids.astype(frames.TEXT) == pattern)


def _comment(tokens: pd.DataFrame, text: str) -> pd.Series[bool]:
    regex = re.escape(text).replace(r"\*", ".*")  # not "?", which comments have as it is
    return patterns.found(tokens["comment"], f"(?s:{regex})", ignore_case=True)


def _status(tokens: pd.DataFrame, status: str) -> pd.Series[bool]:
    return tokens["status"] == status


def _idle(tokens: pd.DataFrame, span: pd.Timedelta) -> pd.Series[bool]:
    return tokens["idle_days"] >= span / _DAY


def _expires_in(tokens: pd.DataFrame, span: pd.Timedelta) -> pd.Series[bool]:
    return lifecycle.days_left(tokens).between(0, span / _DAY)


def _never_expires(tokens: pd.DataFrame, wanted: bool) -> pd.Series[bool]:  # noqa: FBT001 - a filter's value
    return tokens["never_expires"] == wanted


_DAY = pd.Timedelta(days=1)
_APPLICATION_ID = "owner's application id"
FILTERS: tuple[Filter, ...] = (
    Filter(
        "owner",
        "whose owner has this name or id; * and ? stand for any text",
        _owner,
        "NAME",
        read=_text,
        columns=("owner", "owner_id"),
        names_principals=True,
    ),
    Filter(
        "created_by",
        "whose creator has this name or id; * and ? stand for any text",
        _created_by,
        "NAME",
        read=_text,
        columns=("created_by_username", "created_by_id"),
        names_principals=True,
    ),
    Filter("status", "that still work, or that expired", _status, "STATUS", choices=STATUSES),
    Filter("idle", "not used for at least so long (since they were made, if never)", _idle, "90d", read=duration),
    Filter(
        "expires_in",
        "that end within this time, by expiry or after 90 days of disuse; expired tokens are left out",
        _expires_in,
        "30d",
        read=duration,
    ),
    Filter("never_expires", "without an expiry", _never_expires, read=_switch),
    Filter(
        "scope",
        "that were granted this scope",
        _scope,
        "SCOPE",
        read=_text,
        columns=("scopes",),
    ),
    Filter(
        "comment",
        "whose comment contains this text, in any case; * stands for any text",
        _comment,
        "TEXT",
        read=_text,
    ),
)
_BY_NAME = {each.name: each for each in FILTERS}


def check(expression: str | None, criteria: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the criteria that keep less than everything, the values of each read; so what is wrong shows before any
    request.

    Raises:
        UsageError: An unknown filter, a value that it cannot take, an expression that does not parse or does more than
            read. Only a wrong column is not found here, as the server may add columns.
    """
    if expression is not None:
        expressions.check(expression)
    values = {}
    for name, given in criteria.items():
        if name not in _BY_NAME:
            raise errors.UsageError(f"There is no filter {name!r}. {errors.did_you_mean(name, _BY_NAME)}")
        if given is not None:
            values[name] = _BY_NAME[name].read_all(given)
    return values


def misspelt(tokens: pd.DataFrame, criteria: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each value that no token has though tokens have others, with the near one.

    Args:
        tokens: The whole listing, with the derived columns. In an empty one nothing is misspelt.
        criteria: The names of ``FILTERS`` with their values.
    """
    if not len(tokens):
        return []
    return [
        f"No token has the {filter_.name} {value!r}. {_near(value, filter_.known(tokens))}"
        for filter_, value in _meeting_none(tokens, criteria)
    ]


def only_creator(values: Mapping[str, list[Any]]) -> str | None:
    """Return the one creator whose tokens are meant, whom a server can be asked for; None where there is none such.

    Args:
        values: What ``check`` returned.
    """
    creators = values.get("created_by", [])
    return creators[0] if len(creators) == 1 and not _is_pattern(creators[0]) else None


def _is_pattern(name: str) -> bool:
    return bool(set("*?") & set(name))


def unknown_names(
    criteria: Mapping[str, Any],
    *,
    tokens: Callable[[], pd.DataFrame],
    principals: Callable[[], Iterable[str]],
    chosen: pd.DataFrame | None = None,
) -> list[str]:
    """Return a sentence for each owner or creator that is unknown, with the near names.

    Known are users, service principals, and the owners and creators of the listing, in any case of letters. A pattern
    (``*``, ``?``) means nobody in particular. To list nothing of an unknown name is right, but a change asks this
    first: it must not seem done because a name was misspelled.

    Args:
        criteria: The names of ``FILTERS`` with their values.
        tokens: Gives the whole listing, with the derived columns. Asked for only where ``chosen`` leaves doubt.
        principals: Gives the names and ids of users and service principals. Asked for only where the listing does.
        chosen: The tokens that the criteria chose, where they are in hand: who owns one of them is known.
    """
    doubtful = [
        (_BY_NAME[name], value)
        for name, values in check(None, criteria).items()
        if _BY_NAME[name].names_principals
        for value in values
        if not _is_pattern(value)
    ]
    if chosen is not None:
        doubtful = [(filter_, value) for filter_, value in doubtful if not filter_.kept(chosen, [value]).any()]
    if not doubtful:
        return []
    listing = tokens()
    doubtful = [(filter_, value) for filter_, value in doubtful if not filter_.kept(listing, [value]).any()]
    names = [*principals()] if doubtful else []
    in_any_case = {name.lower() for name in names}
    return [
        f"{filter_.name} {value!r} is unknown: no user, service principal or token has that name. "
        f"{_near(value, {*names, *filter_.known(listing)})}"
        for filter_, value in doubtful
        if value.lower() not in in_any_case
    ]


def ambiguous_names(criteria: Mapping[str, Any], tokens: Callable[[], pd.DataFrame]) -> list[str]:
    """Return a sentence for each owner that is the name of several, of whom a change may be meant for one only.

    Args:
        criteria: The names of ``FILTERS`` with their values.
        tokens: Gives the whole listing, with the derived columns. Asked for only where an owner is named.
    """
    names = [name for name in check(None, criteria).get("owner", []) if not _is_pattern(name)]
    if not names:
        return []
    listing = tokens()
    ids = {name: listing.loc[listing["owner"].str.lower() == name.lower(), "owner_id"].unique() for name in names}
    return [
        f"owner {name!r} is the name of several owners. Use an id: {', '.join(map(str, found))}."
        for name, found in ids.items()
        if len(found) > 1
    ]


def require_known(
    criteria: Mapping[str, Any], *, tokens: Callable[[], pd.DataFrame], principals: Callable[[], Iterable[str]]
) -> None:
    """Raise ``UsageError`` for ``unknown_names``."""
    if unknown := unknown_names(criteria, tokens=tokens, principals=principals):
        raise errors.UsageError(" ".join(unknown))


def _meeting_none(tokens: pd.DataFrame, criteria: Mapping[str, Any]) -> list[tuple[Filter, Any]]:
    """Return the values that could be misspelt and keep no token."""
    return [
        (filter_, value)
        for filter_, values in ((_BY_NAME[name], values) for name, values in check(None, criteria).items())
        if filter_.columns
        for value in values
        if not filter_.kept(tokens, [value]).any()
    ]


def _near(word: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: those that contain it, else as ``did_you_mean``.

    Of an address, what comes before the @ counts as well.
    """
    names = list(known)
    containing = [name for name in names if word.lower() in name.lower()]
    by_local_part = {name.partition("@")[0].lower(): name for name in names}
    similar = difflib.get_close_matches(word.partition("@")[0].lower(), by_local_part, n=2, cutoff=0.7)
    near = containing[:_MOST_NEAR] or [by_local_part[each] for each in similar]
    return f"Did you mean {' or '.join(near)}?" if near and word else errors.did_you_mean(word, sorted(names))


_MOST_NEAR = 3


def matching(
    tokens: pd.DataFrame,
    *,
    application_ids: pd.Series[str] | None = None,
    **criteria: Any,  # noqa: ANN401 - each filter has its own kind of value
) -> pd.DataFrame:
    """Return the tokens that every criterion keeps. One that is None keeps all; so does giving none.

    Args:
        tokens: A listing with the derived columns, as ``Workspace.tokens`` returns it.
        application_ids: The application id of each token's owner, by which a service principal is meant as well.
        criteria: The names of ``FILTERS``, each with its value or with several, of which any will do.

    Raises:
        UsageError: An unknown filter, or a value that it cannot take.
    """
    asked = tokens if application_ids is None else tokens.assign(**{_APPLICATION_ID: application_ids})
    kept = pd.Series(data=True, index=tokens.index, dtype=bool)
    for name, values in check(None, criteria).items():
        kept &= _BY_NAME[name].kept(asked, values)
    return tokens[kept]
