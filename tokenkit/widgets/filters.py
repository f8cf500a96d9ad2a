"""The row of filters: what is searched for, and a list for each facet with the count beside each choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from tokenkit.widgets import style
from tokenkit.widgets.facets import DayFacet, Span
from tokenkit.widgets.model import TEXT_FILTER, Model

_MOST_CHOICES = 200
_LONGEST_CHOICE = 48
_BETWEEN = "between …"
_ANY = ""  # None would be no choice at all


class Filters:
    """The filters of a model.

    Args:
        model: What is filtered.
        changed: Called when somebody has changed a filter.
        complain: Called with a line when what was typed cannot be read.

    Attributes:
        widget: What to display.
    """

    def __init__(self, model: Model, changed: Callable[[], None], complain: Callable[[str], None]) -> None:
        self._model = model
        self._changed = changed
        self._complain = complain
        self._updating = False
        self._search = style.field(
            widgets.Text,
            description="Search",
            placeholder="comment, owner, maker or id",
            tooltip="Search comment, owner, maker and id",
            continuous_update=False,
        )
        self._search.observe(lambda change: self._choose(TEXT_FILTER, change["new"].strip()), "value")
        self._lists: dict[str, widgets.Dropdown] = {}
        self._ranges: dict[str, widgets.HBox] = {}  # each is empty until somebody asks for it
        for name, facet in model.facets.items():
            self._lists[name] = style.field(widgets.Dropdown, description=facet.title, tooltip=facet.title)
            self._lists[name].observe(self._heard(name), "value")
            if isinstance(facet, DayFacet):
                self._ranges[name] = style.made(widgets.HBox, names=("tk-range",), layout={"display": "none"})
        parts = [self._search]
        for name, each in self._lists.items():
            parts += [each, *([self._ranges[name]] if name in self._ranges else [])]
        self.widget = style.made(widgets.Box, parts, names=("tk-filters",))
        self.refresh()

    def refresh(self) -> None:
        """Show what the model says now: what is chosen, and how many each choice would leave."""
        self._updating = True
        self._search.value = str(self._model.filters.get(TEXT_FILTER, ""))
        for name, listed in self._lists.items():
            chosen = self._model.filters.get(name)
            counts = self._model.counts(name)
            offered = [choice for choice, count in counts.items() if count or choice == chosen][:_MOST_CHOICES]
            if isinstance(chosen, str) and chosen not in offered:
                offered.append(chosen)
            options: list[tuple[str, Any]] = [("any", _ANY)]
            options += [(f"{_short(choice)} ({counts.get(choice, 0):,})", choice) for choice in offered]
            if name in self._ranges:
                options.append((_BETWEEN, _BETWEEN))
                self._show_range(name, shown=isinstance(chosen, Span) or listed.value == _BETWEEN)
            value = _BETWEEN if isinstance(chosen, Span) else chosen or _ANY
            if value == _ANY and listed.value == _BETWEEN:
                value = _BETWEEN  # chosen, and no number typed yet
            if (options, value) != ([*zip(listed._options_labels, listed._options_values, strict=True)], listed.value):  # noqa: SLF001 - its public options may be in another form
                with listed.hold_sync():
                    listed.options = options
                    listed.value = value
        self._updating = False

    def clear(self) -> None:
        """Take every filter away."""
        self._updating = True
        for name in self._ranges:
            self._lists[name].value = _ANY
            for box in self._ranges[name].children:
                box.value = ""
        self._updating = False
        self._model.widen()
        self._changed()

    def _heard(self, name: str) -> Callable[[dict[str, Any]], None]:
        def choose(change: dict[str, Any]) -> None:
            if self._updating:
                return
            if change["new"] == _BETWEEN:
                self._show_range(name, shown=True)
                self._choose_range(name)
            else:
                self._choose(name, change["new"])

        return choose

    def _choose(self, name: str, value: str | Span | None) -> None:
        if not self._updating:
            self._model.narrow(**{name: value})
            self._changed()

    def _show_range(self, name: str, *, shown: bool) -> None:
        place, title = self._ranges[name], self._model.facets[name].title
        if shown and not place.children:
            place.children = [
                style.field(
                    widgets.Text,
                    description=f"{title}, {end} days",
                    tooltip=f"{title}: {end} how many days",
                    placeholder=placeholder,
                    continuous_update=False,
                )
                for end, placeholder in (("from", "0"), ("to", "any"))
            ]
            for each in place.children:
                each.observe(lambda _: self._choose_range(name), "value")
        style.show(place, shown=shown)

    def _choose_range(self, name: str) -> None:
        if self._updating:
            return
        numbers = []
        for box in self._ranges[name].children:
            typed = box.value.strip()
            try:
                numbers.append(int(typed) if typed else None)
            except ValueError:
                self._complain(f"{typed!r} is not a whole number of days: write 30, or nothing for no end.")
                return
        low, high = numbers
        self._choose(name, None if low is None and high is None else Span(low, high))


def _short(choice: str) -> str:
    return choice if len(choice) <= _LONGEST_CHOICE else f"{choice[: _LONGEST_CHOICE - 1]}…"
