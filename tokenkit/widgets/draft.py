"""A draft of an access control list, and the names of the principals in it.

This module does not depend on ipywidgets and sends no requests: the draft becomes the entries of a plan.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from tokenkit.core.printable import printable
from tokenkit.frames import TEXT
from tokenkit.review.access import ADMINS, Identities
from tokenkit.review.texts import holding_secrets
from tokenkit.review.values import CAN_MANAGE, CAN_USE

_MARKUP = r'["<>`$\\]|&#?\w+;'
KINDS = {"group": "group_name", "user": "user_name", "service_principal": "service_principal_name"}

Key = tuple[str, str]
"""The kind of a principal, and its name in an entry."""


class Draft:
    """The direct entries of a list, before and after the edits.

    Args:
        permissions: The current list, with the columns of ``frames.PERMISSIONS``.

    Attributes:
        direct: The original entries, without inherited ones.
    """

    def __init__(self, permissions: pd.DataFrame) -> None:
        self.direct = _direct(permissions)
        self._before = _levels(self.direct)
        self._now = dict(self._before)

    def everybody(self) -> list[Key]:
        """Return all principals with an entry before or after the edits: the listed ones, then the added ones."""
        return list(self._before | self._now)

    def level(self, key: Key) -> str | None:
        """Return the new level of a principal; None without an entry."""
        return self._now.get(key)

    def levels(self, key: Key) -> list[str]:
        """Return the levels to choose from: CAN_USE, and what the entry has or had.

        Databricks documents CAN_MANAGE for ``admins`` only. A newer server could have other levels.
        """
        known = (CAN_USE, self._before.get(key), self._now.get(key))
        return list(dict.fromkeys(level for level in known if level is not None))

    def put(self, key: Key, level: str) -> None:
        """Add an entry, or change its level."""
        if not self.fixed(key):
            self._now[key] = level

    def remove(self, key: Key) -> None:
        """Remove an entry."""
        if not self.fixed(key):
            self._now.pop(key, None)

    def restore(self, key: Key) -> None:
        """Restore the original entry."""
        if key in self._before:
            self._now[key] = self._before[key]

    def discard(self) -> None:
        """Restore the original list."""
        self._now = dict(self._before)

    def repeat(self, other: Draft) -> None:
        """Make the changes of another draft, except those that the list has already."""
        for key in other.everybody():
            level = other.level(key)
            if other.change(key) and level is not None:
                self.put(key, level)
            elif other.change(key):
                self.remove(key)

    def fixed(self, key: Key) -> bool:
        """Return whether an entry cannot be changed: ``admins`` always has CAN_MANAGE."""
        return key == ("group", ADMINS)

    def change(self, key: Key) -> str:
        """Return a short description of the change of an entry; empty without a change."""
        before, after = self._before.get(key), self._now.get(key)
        if before == after:
            return ""
        return "new" if before is None else "removed" if after is None else f"was {before}"

    @property
    def changed(self) -> bool:
        """Whether the draft has changes."""
        return self._now != self._before

    def entries(self) -> list[dict[str, str]]:
        """Return the complete new list, for a plan that replaces the current one."""
        kept = [(key, self._now[key]) for key in self.everybody() if key in self._now]
        return [{KINDS[kind]: name, "permission_level": level} for (kind, name), level in kept]

    def began_as(self, permissions: pd.DataFrame) -> bool:
        """Return whether a list equals the original list of the draft."""
        return _levels(_direct(permissions)) == self._before


def _direct(permissions: pd.DataFrame) -> pd.DataFrame:
    return permissions[~permissions["inherited"].fillna(value=False).astype(bool)]


def _levels(permissions: pd.DataFrame) -> dict[Key, str]:
    """Return the level of each direct entry; the higher one if there are two."""
    levels: dict[Key, str] = {}
    for kind, field in KINDS.items():
        named = permissions[permissions[field].notna()]
        for name, level in zip(named[field], named["permission_level"], strict=True):
            if levels.get((kind, name)) != CAN_MANAGE:
                levels[kind, name] = level
    return levels


class Names:
    """The displayed names of principals, and the lookup of a typed name.

    Args:
        identities: The workspace's principals.
    """

    def __init__(self, identities: Identities) -> None:
        service_principals = identities.service_principals
        ids = service_principals["application_id"].astype(TEXT)
        display_names = service_principals["display_name"].astype(TEXT).replace("", pd.NA)
        shown = display_names + " (" + ids + ")"
        self._names: dict[str, pd.Series[str]] = {
            "group": identities.groups["display_name"].astype(TEXT),
            "user": identities.users["user_name"].astype(TEXT),
            "service_principal": ids,
        }
        self._labels = self._names | {"service_principal": shown.fillna(ids)}
        self._display_names = display_names
        titles = zip(ids, display_names.fillna(ids), strict=True)
        self._titles = {("service_principal", str(name)): str(title) for name, title in titles}
        self._service_principal_labels = dict(zip(ids, self._labels["service_principal"], strict=True))

    def label(self, key: Key) -> str:
        """Return the displayed name; for a service principal its display name and application id."""
        kind, name = key
        return self._service_principal_labels.get(name, name) if kind == "service_principal" else name

    def title(self, key: Key) -> str:
        """Return the display name of a service principal, or the name of another principal."""
        return self._titles.get(key, key[1])

    def offered(self, kind: str, text: str, *, most: int = 50) -> Sequence[str]:
        """Return the first labels of a kind that contain the typed text.

        Labels that look like a secret, or that a screen would show in another form, are left out. They can be typed,
        and ``named`` finds them.
        """
        labels = self._labels[kind].dropna()
        fits = labels[labels.str.contains(re.escape(text), case=False)]
        fits = fits[~holding_secrets(fits)].sort_values().head(2 * most)
        return [label for label in fits if printable(label) == label][:most]

    def named(self, kind: str, text: str) -> str | None:
        """Return the name for a typed text: a label, a name, or a unique display name."""
        for candidates in (self._labels[kind], self._names[kind]):
            if (found := self._names[kind][candidates == text]).size:
                return str(found.iloc[0])
        if kind == "service_principal" and (found := self._names[kind][self._display_names == text]).size == 1:
            return str(found.iloc[0])
        return None


def suggestible(labels: Sequence[str]) -> list[str]:
    """Return the labels that a Combobox may suggest: ipywidgets 7 renders its suggestions as HTML."""
    return [label for label in labels if not re.search(_MARKUP, label)]
