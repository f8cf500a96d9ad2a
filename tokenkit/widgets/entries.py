"""The entries of a permission review: those of a draft that match the filters, page by page.

What matches is found when a filter is set, and not after an edit: an edit must not move the rows under the pointer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tokenkit.widgets import formatting
from tokenkit.widgets.draft import Draft, Key, Names
from tokenkit.widgets.paging import PAGE_SIZES, Paged

CHANGED = "changed"
"""The quick filter of the entries with changes; the others are kinds of principals."""

Costs = Mapping[Key, Mapping[str, Any]]


class Entries(Paged):
    """The entries before or after the edits.

    Args:
        draft: The draft of the list.
        names: The displayed names of the principals.
        costs: What the removal of each entry alone would cost.

    Attributes:
        text: The search text.
        quick: The quick filter; empty for all entries.
    """

    def __init__(self, draft: Draft, names: Names, costs: Costs) -> None:
        super().__init__(PAGE_SIZES[0])
        self.text = self.quick = ""
        self._ids: dict[Key, str] = {}
        self._keys: dict[str, Key] = {}
        self._found: list[Key] = []
        self._matching: list[Key] = []
        self._load(draft, names, costs)

    def replace(self, draft: Draft, names: Names, costs: Costs) -> None:
        """Replace the draft by another, with the changes of this one. Filters and page do not change."""
        draft.repeat(self.draft)
        self._load(draft, names, costs)

    def _load(self, draft: Draft, names: Names, costs: Costs) -> None:
        self.draft, self.names, self.costs = draft, names, costs
        self._apply_filters()

    def edited(self) -> None:
        """Take note of an edit: a new entry that is removed is no longer listed."""
        self._name()
        self._found = [key for key in self._found if key in self._ids]
        self._matching = [key for key in self._matching if key in self._ids]
        self.turn(self.page)

    def _name(self) -> None:
        everybody = self.draft.everybody()
        if everybody != list(self._ids):
            self._keys = _named(everybody)
            self._ids = {key: entry for entry, key in self._keys.items()}

    # Filters

    def narrow(self, *, text: str | None = None, quick: str | None = None) -> None:
        """Set filters, and go to the first page."""
        self.text = self.text if text is None else text
        self.quick = self.quick if quick is None else quick
        self.page = 0
        self._apply_filters()

    def show(self, key: Key) -> None:
        """Remove the filters, and go to the page of an entry."""
        self.narrow(text="", quick="")
        self.turn(self._matching.index(key) // self.page_size)

    def _apply_filters(self) -> None:
        self._name()
        wanted = self.text.lower()
        self._found = [key for key in self._ids if wanted in self.names.label(key).lower()]
        self._matching = [key for key in self._found if self.quick in {"", *self._quick_filters(key)}]
        self.turn(self.page)

    def _quick_filters(self, key: Key) -> tuple[str, ...]:
        return (CHANGED, key[0]) if self.draft.change(key) else (key[0],)

    def counts(self) -> Counter[str]:
        """Return the number of entries that match the search text, for each quick filter."""
        return Counter(name for key in self._found for name in ("", *self._quick_filters(key)))

    @property
    def is_filtered(self) -> bool:
        """Whether there is a search text or a quick filter."""
        return bool(self.text or self.quick)

    @property
    def matching(self) -> int:
        """The number of entries that match the filters."""
        return len(self._matching)

    # Entries

    def __len__(self) -> int:
        return len(self._ids)

    def on_page(self) -> dict[str, Key]:
        """Return the entries of the page by the ids that events name."""
        return {self._ids[key]: key for key in self._matching[self.place]}

    def key_of(self, entry: str) -> Key | None:
        """Return the entry with this id; None if it is not listed."""
        return self._keys.get(entry)


def _named(keys: list[Key]) -> dict[str, Key]:
    """Return entries by their names, redacted, numbered where that makes two the same."""
    found: dict[str, Key] = {}
    for key in keys:
        name = formatting.shown(" ".join(key))
        found[name if name not in found else f"{name} ({len(found) + 1})"] = key
    return found
