"""An access-control list that is being edited: what it was, what it is to be, and who can be named in it.

Nothing here knows of widgets, and nothing is sent: a draft becomes the entries of a plan.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from tokenkit.frames import TEXT
from tokenkit.review.access import ADMINS, CAN_MANAGE, CAN_USE, Identities

_MARKUP = r'["<>`$\\]|&#?\w+;'  # ipywidgets 7 puts what a Combobox offers into HTML
LEVELS = (CAN_USE, CAN_MANAGE)
KINDS = {"group": "group_name", "user": "user_name", "service principal": "service_principal_name"}

Key = tuple[str, str]
"""The kind of a principal, and the name that an entry has for it."""


class Draft:
    """The direct entries of a list, as they were read and as they are to be.

    Args:
        permissions: The list as it was read: the columns of ``frames.PERMISSIONS``.
    """

    def __init__(self, permissions: pd.DataFrame) -> None:
        self._before = _levels(permissions)
        self._now = dict(self._before)

    def everybody(self) -> list[Key]:
        """Return everybody who had an entry or is to have one, as they were listed and then as they were added."""
        return list(self._before | self._now)

    def level(self, key: Key) -> str | None:
        """Return the level that somebody is to have; None without an entry."""
        return self._now.get(key)

    def put(self, key: Key, level: str) -> None:
        """Give somebody an entry, or another level."""
        if not self.fixed(key):
            self._now[key] = level

    def remove(self, key: Key) -> None:
        """Take somebody's entry away."""
        if not self.fixed(key):
            self._now.pop(key, None)

    def restore(self, key: Key) -> None:
        """Make somebody's entry what it was."""
        if key in self._before:
            self._now[key] = self._before[key]

    def discard(self) -> None:
        """Make the whole list what it was."""
        self._now = dict(self._before)

    def fixed(self, key: Key) -> bool:
        """Return whether the workspace lets nobody change this entry: ``admins`` always has CAN_MANAGE."""
        return key == ("group", ADMINS)

    def change(self, key: Key) -> str:
        """Return in a word what is to become of somebody's entry; empty where nothing is."""
        was, is_to_be = self._before.get(key), self._now.get(key)
        if was == is_to_be:
            return ""
        return "new" if was is None else "removed" if is_to_be is None else f"was {was}"

    @property
    def changed(self) -> bool:
        """Whether anything is to change."""
        return self._now != self._before

    def entries(self) -> list[dict[str, str]]:
        """Return the whole list as it is to be, for a plan that replaces."""
        kept = [(key, self._now[key]) for key in self.everybody() if key in self._now]
        return [{KINDS[kind]: name, "permission_level": level} for (kind, name), level in kept]

    def began_as(self, permissions: pd.DataFrame) -> bool:
        """Return whether a list is the one that the draft began with."""
        return _levels(permissions) == self._before


def _levels(permissions: pd.DataFrame) -> dict[Key, str]:
    """Return the level of each direct entry, the higher one where there are two."""
    inherited = permissions["inherited"].fillna(value=False).astype(bool)
    levels: dict[Key, str] = {}
    for kind, field in KINDS.items():
        named = permissions[permissions[field].notna() & ~inherited]
        for name, level in zip(named[field], named["permission_level"], strict=True):
            if levels.get((kind, name)) != CAN_MANAGE:
                levels[kind, name] = level
    return levels


class Names:
    """What principals are called on a screen, and which of them are meant by what is typed.

    Args:
        identities: The workspace's principals.
    """

    def __init__(self, identities: Identities) -> None:
        programs = identities.service_principals
        ids = programs["application_id"].astype(TEXT)
        shown = programs["display_name"].astype(TEXT) + " (" + ids + ")"
        self._names: dict[str, pd.Series[str]] = {
            "group": identities.groups["display_name"].astype(TEXT),
            "user": identities.users["user_name"].astype(TEXT),
            "service principal": ids,
        }
        self._labels = self._names | {"service principal": shown.fillna(ids)}
        self._display_names = programs["display_name"].astype(TEXT)
        self._programs = dict(zip(ids, self._labels["service principal"], strict=True))

    def label(self, key: Key) -> str:
        """Return what somebody is called; a service principal by its display name and its application id."""
        kind, name = key
        return self._programs.get(name, name) if kind == "service principal" else name

    def offered(self, kind: str, text: str, *, most: int = 50) -> Sequence[str]:
        """Return the first labels of a kind that contain what was typed so far.

        Those that a browser might take for markup are not among them: they can be typed, and are found by ``named``.
        """
        labels = self._labels[kind].dropna()
        fits = labels.str.contains(re.escape(text), case=False) & ~labels.str.contains(_MARKUP)
        return labels[fits].sort_values().head(most).tolist()

    def named(self, kind: str, text: str) -> str | None:
        """Return the name of whoever is meant: by label, by name, or by a display name that one alone has."""
        for candidates in (self._labels[kind], self._names[kind]):
            if (found := self._names[kind][candidates == text]).size:
                return str(found.iloc[0])
        if kind == "service principal" and (found := self._names[kind][self._display_names == text]).size == 1:
            return str(found.iloc[0])
        return None
