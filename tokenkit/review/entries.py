"""Entries of an access control list: their levels before and after a change, and the entries that a request names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from tokenkit import errors, frames
from tokenkit.review.access import ADMINS, FIELDS, USERS
from tokenkit.review.values import CAN_MANAGE, CAN_USE, words

LEVELS = frames.schema(kind=str, principal=str, permission_level=str, new_permission_level=str)
NO_ENTRY, UNCHANGED = "none", "unchanged"

Key = tuple[str, str]
"""The field of an entry that names its principal, and the name."""


def key_of(entry: Mapping[str, Any]) -> Key:
    """Return the principal of an entry."""
    return next((field, str(entry[field])) for field in FIELDS if field in entry)


def keys(rows: pd.DataFrame) -> list[Key]:
    """Return the principals of rows with the columns of ``LEVELS``."""
    fields = {kind: field for field, kind in FIELDS.items()}
    return list(zip(rows["kind"].map(fields), rows["principal"], strict=True))


def label(key: Key) -> str:
    """Return a principal for a message: ``group analysts``."""
    return f"{words(FIELDS[key[0]])} {key[1]}"


def levels(entries: pd.DataFrame) -> dict[Key, str]:
    """Return the level of each principal with an entry; the higher one if there are two."""
    found: dict[Key, str] = {}
    for field in FIELDS:
        named = entries[entries[field].notna()]
        for name, level in zip(named[field], named["permission_level"], strict=True):
            if found.get((field, name)) != CAN_MANAGE:
                found[field, name] = level
    return found


def with_levels(requested: Iterable[Mapping[str, Any]], before: pd.DataFrame, *, replace: bool) -> list[dict[str, Any]]:
    """Return entries with a level each. An entry without one grants CAN_USE, and never lowers what an addition finds.

    Args:
        requested: The entries of a request.
        before: The current entries.
        replace: Whether the entries replace all others or are added to them.

    Raises:
        UsageError: An entry lowers ``admins``, which always has CAN_MANAGE.
    """
    admins = ("group_name", ADMINS)
    kept = ({} if replace else levels(before)) | {admins: CAN_MANAGE}
    found = [{"permission_level": kept.get(key_of(entry), CAN_USE)} | dict(entry) for entry in requested]
    if any(key_of(entry) == admins and entry["permission_level"] != CAN_MANAGE for entry in found):
        raise errors.UsageError(f"Group {ADMINS} always has {CAN_MANAGE}, which cannot be changed.")
    return found


def compared(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return the level of each entry before and after a change, with the columns of ``LEVELS``. A missing level means
    that there is no such entry.
    """
    old, new = levels(before), levels(after)
    rows = [
        {
            "kind": FIELDS[key[0]],
            "principal": key[1],
            "permission_level": old.get(key),
            "new_permission_level": new.get(key),
        }
        for key in old | new
    ]
    return frames.frame(rows, LEVELS)


def changes(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return the entries that a change adds, removes or gives another level, with the columns of ``LEVELS``."""
    both = compared(before, after)
    return both[changes_level(both)].reset_index(drop=True)


def changes_level(rows: pd.DataFrame) -> pd.Series[bool]:
    """Return which entries a change adds, removes or gives another level."""
    return rows["permission_level"].fillna("") != rows["new_permission_level"].fillna("")


def as_change(rows: pd.DataFrame) -> pd.Series[str]:
    """Return the change of each entry as a text: ``CAN_MANAGE -> CAN_USE``."""
    return rows["permission_level"].fillna(NO_ENTRY) + " -> " + rows["new_permission_level"].fillna(NO_ENTRY)


def effects(rows: pd.DataFrame) -> dict[str, int]:
    """Return what changes do besides adding CAN_USE for some principals, as phrases about entries, each with its number
    of entries.
    """
    old, new = rows["permission_level"].fillna(""), rows["new_permission_level"].fillna("")
    is_added, is_removed = old == "", new == ""
    is_manage = new == CAN_MANAGE
    found = {
        "lower {}": ~is_added & ~is_removed & ~is_manage,
        f"raise {{}} to {CAN_MANAGE}": ~is_added & is_manage,
        f"add {{}} with a level above {CAN_USE}": is_added & (new != CAN_USE),
        "add {} for all users": opens_to_all(rows) & (new == CAN_USE),
        "remove {}": is_removed,
    }
    return {effect: int(chosen.sum()) for effect, chosen in found.items()}


def opens_to_all(rows: pd.DataFrame) -> pd.Series[bool]:
    """Return which changes add an entry for the group that contains all users."""
    is_new = rows["permission_level"].isna() & rows["new_permission_level"].notna()
    return is_new & (rows["kind"] == "group") & (rows["principal"] == USERS)


def without(
    before: pd.DataFrame, requested: Iterable[Mapping[str, Any]], service_principals: pd.DataFrame
) -> tuple[list[dict[str, str]], dict[str, str]]:
    """Return the entries that remain after some are removed, and why those that are not there were not found.

    Args:
        before: The current entries.
        requested: The entries to remove. A level must be the one that the entry has. A service principal may be given
            by its display name.
        service_principals: The service principals of the workspace.

    Returns:
        The remaining entries, and by the label of each entry that does not exist the end of a message about it.

    Raises:
        UsageError: An entry is that of ``admins``, has another level, or names several service principals.
    """
    known = levels(before)
    remaining = dict(known)
    named = service_principals.dropna(subset=["display_name"])
    titles = dict(zip(named["application_id"], named["display_name"], strict=True))
    missing: dict[str, str] = {}
    for entry in requested:
        key = _found(key_of(entry), remaining, titles)
        if key == ("group_name", ADMINS):
            raise errors.UsageError(f"Group {ADMINS} always has {CAN_MANAGE}, which cannot be removed.")
        level = known.get(key)
        if level is None:
            missing[label(key)] = _near(key, known, titles)
        elif entry.get("permission_level", level) != level:
            raise errors.UsageError(f"{label(key).capitalize()} has {level}, not {entry['permission_level']}.")
        else:
            remaining.pop(key, None)
    return [{field: name, "permission_level": level} for (field, name), level in remaining.items()], missing


def _found(key: Key, remaining: Iterable[Key], titles: Mapping[str, str]) -> Key:
    """Return the principal of an entry, with the application id of a service principal given by its display name."""
    field, name = key
    named = [other for other in remaining if other[0] == field and titles.get(other[1]) == name]
    if field != "service_principal_name" or key in remaining or not named:
        return key
    if len(named) > 1:
        ids = ", ".join(application_id for _, application_id in named)
        raise errors.UsageError(
            f"{len(named)} service principals have the name {name!r}. Use an application id: {ids}."
        )
    return named[0]


def _near(key: Key, entries: Iterable[Key], titles: Mapping[str, str]) -> str:
    """Return the end of a message about an entry that does not exist: similar entries of its kind."""
    names = [name for field, name in entries if field == key[0] and name != ADMINS]
    kind = words(FIELDS[key[0]])
    known = [*names, *(titles[name] for name in names if name in titles)]
    return errors.did_you_mean(key[1], known) if known else f"There is no entry of a {kind} that can be removed."
