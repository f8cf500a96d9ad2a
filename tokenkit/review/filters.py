"""The filters of ``criteria``, applied to frames of tokens.

A filter is a keyword in Python (``owner=``), an option in a command (``--owner``), and a mask over the frame. Values of
one filter (``owner=["ann", "bob"]``, ``--owner ann --owner bob``) are combined with "or", and filters with "and".
``where`` is for everything else: an expression in a subset of ``DataFrame.query`` that can only read columns.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tokenkit import errors, frames
from tokenkit.review import expressions, lifecycle, owners, patterns
from tokenkit.review.criteria import CRITERIA, Criterion


@dataclass(frozen=True, kw_only=True)
class Filter(Criterion):
    """A criterion, applied to frames.

    Attributes:
        mask: Returns the rows to keep, for a listing with the derived columns and one value.
        aliases: Further columns with values of this kind, in a listing with ``owners.ALIASES``.
    """

    mask: Callable[[pd.DataFrame, Any], pd.Series[bool]]
    aliases: tuple[str, ...] = ()

    def kept(self, tokens: pd.DataFrame, values: Iterable[Any]) -> pd.Series[bool]:
        """Return the rows that match any of the values."""
        nothing = pd.Series(data=False, index=tokens.index, dtype=bool)
        masks = (expressions.truth(self.mask(tokens, value)) for value in values)
        return functools.reduce(operator.or_, masks, nothing)

    def known(self, tokens: pd.DataFrame) -> list[str]:
        """Return the distinct values in the tokens' columns."""
        columns = [tokens[name] for name in (*self.columns, *self.aliases) if name in tokens]
        exploded = [column if column.dtype == frames.TEXT else column.explode() for column in columns]
        return pd.concat([column.dropna().astype(frames.TEXT) for column in exploded]).unique().tolist()


def _named(tokens: pd.DataFrame, names: Iterable[str], ids: str, pattern: str) -> pd.Series[bool]:
    named = [patterns.like(tokens[name], pattern) for name in names if name in tokens]
    return functools.reduce(operator.or_, named) | (tokens[ids].astype(frames.TEXT) == pattern)


def _comment(tokens: pd.DataFrame, text: str) -> pd.Series[bool]:
    regex = re.escape(text).replace(r"\*", ".*")  # not "?", which is common in comments
    return patterns.found(tokens["comment"], f"(?s:{regex})", ignore_case=True)


_DAY = pd.Timedelta(days=1)
_OWNER_ALIASES, _CREATOR_ALIASES = (
    tuple(alias for alias, (of, *_) in owners.ALIASES.items() if of.startswith(whose)) for whose in ("owner", "created")
)
_MASKS: Mapping[str, Callable[[pd.DataFrame, Any], pd.Series[bool]]] = {
    "owner": lambda tokens, name: _named(tokens, ("owner", *_OWNER_ALIASES), "owner_id", name),
    "created_by": lambda tokens, name: _named(
        tokens, ("created_by_username", *_CREATOR_ALIASES), "created_by_id", name
    ),
    "status": lambda tokens, status: tokens["status"] == status,
    "idle": lambda tokens, span: tokens["idle_days"] >= span / _DAY,
    "expires_in": lambda tokens, span: lifecycle.days_left(tokens).between(0, span / _DAY),
    "never_expires": lambda tokens, wanted: tokens["never_expires"] == wanted,
    "scope": lambda tokens, scope: expressions.holds(tokens["scopes"], scope),
    "comment": _comment,
}
_ALIASES = {"owner": _OWNER_ALIASES, "created_by": _CREATOR_ALIASES}
FILTERS = tuple(
    Filter(**vars(criterion), mask=_MASKS[criterion.name], aliases=_ALIASES.get(criterion.name, ()))
    for criterion in CRITERIA
)
_BY_NAME = {filter_.name: filter_ for filter_ in FILTERS}


def check(expression: str | None, criteria: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the criteria that are not None, with their values converted. It reports errors before any request.

    Raises:
        UsageError: A filter is unknown, a value is not valid, two filters contradict each other, or an expression does
            not parse or does more than read columns. Unknown columns are not detected here, because the server may add
            columns.
    """
    if expression is not None:
        expressions.check(expression)
    values = {}
    for name, given in criteria.items():
        if name not in _BY_NAME:
            raise errors.UsageError(f"Unknown filter {name!r}. {errors.did_you_mean(name, _BY_NAME)}")
        if given is not None:
            values[name] = _BY_NAME[name].read_all(given)
    _check_consistent(values)
    return values


def _check_consistent(values: Mapping[str, list[Any]]) -> None:
    """Reject filters that select no token of any listing."""
    if set(values.get("status", ())) != {"expired"}:
        return
    instead = "Remove one of the filters."
    if values.get("expires_in"):
        raise errors.UsageError(f"The filters select nothing: an expired token has stopped working already. {instead}")
    if set(values.get("never_expires", ())) == {True}:
        raise errors.UsageError(f"The filters select nothing: a token that never expires is not expired. {instead}")


def misspelt(
    tokens: pd.DataFrame, criteria: Mapping[str, Any], principals: Callable[[], Iterable[str] | None] = lambda: None
) -> list[str]:
    """Return a message for each value that matches no token, with a similar known value.

    Args:
        tokens: The whole listing, with the derived columns. For an empty listing there are no messages.
        criteria: The names of ``FILTERS`` with their values.
        principals: Returns the names and ids of users and service principals, or None if they are not known. Called
            only if an owner or creator matches no token: someone without tokens is not a misspelled name.
    """
    checked = [(filter_, value) for filter_, value in _pairs(criteria) if filter_.columns] if len(tokens) else []
    unmatched = _unmatched(checked, tokens)
    is_asked = any(filter_.names_principals and not _is_pattern(value) for filter_, value in unmatched)
    names = principals() if is_asked else None
    return [_without_tokens(filter_, value, filter_.known(tokens), names) for filter_, value in unmatched]


def _without_tokens(filter_: Filter, value: str, known: list[str], names: Iterable[str] | None) -> str:
    """Return a message about a value of no token."""
    no_token = f"No token has the {filter_.noun or filter_.name} {value!r}"
    if names is None or not filter_.names_principals or _is_pattern(value):
        return f"{no_token}. {_near(value, known)}"
    if value.lower() in {name.lower() for name in names}:
        return f"{no_token}. A user or service principal has this name."
    return f"{no_token}, and no user or service principal has this name. {_near(value, {*names, *known})}"


def names_principals(values: Mapping[str, list[Any]]) -> bool:
    """Return whether the criteria name an owner or creator, which may be an alias of a service principal.

    Args:
        values: The result of ``check``.
    """
    return any(_BY_NAME[name].names_principals for name in values)


def _pairs(criteria: Mapping[str, Any]) -> list[tuple[Filter, Any]]:
    return [(_BY_NAME[name], value) for name, values in check(None, criteria).items() for value in values]


def _named_principals(criteria: Mapping[str, Any]) -> list[tuple[Filter, str]]:
    """Return the names of owners and creators in the criteria, without patterns."""
    return [(of, value) for of, value in _pairs(criteria) if of.names_principals and not _is_pattern(value)]


def _is_pattern(name: str) -> bool:
    return bool(set("*?") & set(name))


def unknown_names(
    criteria: Mapping[str, Any],
    *,
    tokens: Callable[[], pd.DataFrame],
    principals: Callable[[], Iterable[str]],
    chosen: pd.DataFrame | None = None,
) -> list[str]:
    """Return a message for each unknown owner or creator, with similar names.

    Users, service principals, and the owners and creators in the listing are known, regardless of case. Patterns
    (``*``, ``?``) are not checked. Listing commands may return nothing for an unknown name. Changes check it first, so
    that a misspelled name is not mistaken for a completed change.

    Args:
        criteria: The names of ``FILTERS`` with their values.
        tokens: Returns the whole listing, with the derived columns. Called only if ``chosen`` is not conclusive.
        principals: Returns the names and ids of users and service principals. Called only if the listing is not
            conclusive.
        chosen: The tokens that the criteria selected, if available. Their owners and creators are known.
    """
    unresolved = _named_principals(criteria)
    if chosen is not None:
        unresolved = _unmatched(unresolved, chosen)
    if not unresolved:
        return []
    listing = tokens()
    unresolved = _unmatched(unresolved, listing)
    names = [*principals()] if unresolved else []
    known_names = {name.lower() for name in names}
    return [
        f"Unknown {filter_.noun or filter_.name} {value!r}: no user, service principal or token has this name. "
        f"{_near(value, {*names, *filter_.known(listing)})}"
        for filter_, value in unresolved
        if value.lower() not in known_names
    ]


OF_SERVICE_PRINCIPALS = 'owner_kind == "service_principal"'
"""The expression for tokens of service principals."""


def created_for_others(tokens: pd.DataFrame, names: Sequence[str]) -> tuple[int, list[str]]:
    """Return how many active tokens of service principals the named owners created for others, and their creators.

    Args:
        tokens: The whole listing, with the derived columns and the aliases.
        names: The names, as ``owner`` takes them.

    Returns:
        The number, and the values of ``created_by`` that find the tokens: the names, and the ids of creators that have
        no name, because they were deleted.
    """
    is_owner, is_named, is_active = (
        _BY_NAME[name].kept(tokens, values)
        for name, values in (("owner", names), ("created_by", names), ("status", ["active"]))
    )
    is_of_others = expressions.truth(tokens["owner_kind"] == "service_principal") & is_active & ~is_owner
    is_creator = is_named | tokens["created_by_id"].isin(tokens.loc[is_owner, "owner_id"].dropna())
    ids = tokens.loc[is_of_others & is_creator & ~is_named, "created_by_id"].astype(frames.TEXT)
    return int((is_of_others & is_creator).sum()), [*names, *ids.unique()]


def ambiguous_names(criteria: Mapping[str, Any], tokens: Callable[[], pd.DataFrame]) -> list[str]:
    """Return a message for each name that several owners or creators share. A change may be meant for only one of them.

    Args:
        criteria: The names of ``FILTERS`` with their values.
        tokens: Returns the whole listing, with the derived columns and the aliases. Called only if the criteria name
            an owner or creator.
    """
    named = _named_principals(criteria)
    listing = tokens() if named else pd.DataFrame()
    sentences = []
    for filter_, value in named:
        name, ids = filter_.columns
        where = ["workspace"] if "workspace" in listing else []
        parts = []
        for column in (name, *filter_.aliases):
            if column in listing:
                is_named = listing[column].str.lower().eq(value.lower()).fillna(value=False).to_numpy(dtype=bool)
                parts.append(listing.loc[is_named, where].assign(id=_ids(listing, ids, column)[is_named]))
        found = pd.concat(parts).dropna().drop_duplicates()
        if where:  # the same person has a different id in each workspace
            found = found[found.duplicated("workspace", keep=False)]
        if len(found) > 1:
            whose = "owners" if ids == "owner_id" else "creators"
            several = ", ".join(found["id"])
            sentences.append(f"The name {value!r} is shared by several {whose}. Use an id: {several}.")
    return sentences


def _ids(listing: pd.DataFrame, ids: str, column: str) -> pd.Series[str]:
    """Return the id of the principal that each token's name in a column is of.

    A token that a person created on behalf of a service principal can be listed under the latter's application id,
    beside the person's id. Only the user name is the person's.
    """
    found = listing[ids].astype(frames.TEXT)
    if ids == "created_by_id" and owners.LISTED_CREATOR in listing and column != owners.CREATOR_S_USER_NAME:
        found = found.mask(listing[owners.LISTED_CREATOR].notna(), listing["created_by_username"])
    return found


AMBIGUOUS = "ambiguous_names"
"""The key of messages about ambiguous names in ``DataFrame.attrs`` of the result of ``matching``."""


def require_unambiguous(chosen: object) -> None:
    """Raise an error if tokens were selected by an ambiguous name: the change may be meant for only one principal.

    Args:
        chosen: The tokens to change: the result of ``matching``, or a part or column of it. Other objects pass.

    Raises:
        UsageError: The tokens were selected by an ambiguous name.
    """
    if sentences := chosen.attrs.get(AMBIGUOUS) if isinstance(chosen, pd.DataFrame | pd.Series) else None:
        raise errors.UsageError(" ".join([*sentences, "Nothing was changed."]))


def require_known(
    criteria: Mapping[str, Any], *, tokens: Callable[[], pd.DataFrame], principals: Callable[[], Iterable[str]]
) -> None:
    """Raise ``UsageError`` for ``unknown_names`` and for ``ambiguous_names``."""
    unknown = unknown_names(criteria, tokens=tokens, principals=principals)
    if problems := unknown or ambiguous_names(criteria, tokens):
        raise errors.UsageError(" ".join(problems))


def _unmatched(pairs: Iterable[tuple[Filter, Any]], tokens: pd.DataFrame) -> list[tuple[Filter, Any]]:
    """Return the values that match no token."""
    return [(filter_, value) for filter_, value in pairs if not filter_.kept(tokens, [value]).any()]


def _near(given: str, known: Iterable[str]) -> str:
    """Return a suggestion for an unknown name: names that contain it, or similar ones, or all if they are few."""
    # Addresses first and ids last.
    names = sorted(known, key=lambda name: (name.isdigit(), "@" not in name, name))
    containing = [name for name in names if given.lower() in name.lower()]
    near = containing[:_MOST_NEAR] or errors.similar(given, names, cutoff=0.75)
    if near and given:
        return f"Did you mean {' or '.join(map(errors.quoted, near))}?"
    return errors.known_names(names, at_most=_MOST_LISTED)


_MOST_NEAR, _MOST_LISTED = 3, 12


def matching(
    tokens: pd.DataFrame,
    **criteria: Any,  # noqa: ANN401 - each filter has its own kind of value
) -> pd.DataFrame:
    """Return the tokens that match all criteria. A criterion of None matches every token.

    Args:
        tokens: A listing with the derived columns, as ``Workspace.tokens`` returns it. If it has ``owners.ALIASES``, a
            service principal is also found by its other names. The result does not contain these columns.
        criteria: The names of ``FILTERS``, each with a value or several alternative values.

    Raises:
        UsageError: A filter is unknown, or a value is not valid for it.
    """
    kept = pd.Series(data=True, index=tokens.index, dtype=bool)
    for name, values in check(None, criteria).items():
        kept &= _BY_NAME[name].kept(tokens, values)
    found = tokens[kept]
    found = found.drop(columns=[alias for alias in owners.ALIASES if alias in found])
    if sentences := ambiguous_names(criteria, lambda: tokens):
        found.attrs[AMBIGUOUS] = sentences
    return found
