"""Everything about one token, with what was found about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import pandas as pd

from tokenkit.widgets import rows, style


class Details:
    """A panel about one token.

    Args:
        step: Called with -1 or 1 to go to another of the selected tokens.

    Attributes:
        widget: What to display.
    """

    def __init__(self, step: Callable[[int], None]) -> None:
        self._title = style.text("", "tk-strong")
        self._previous = style.button("←", lambda: step(-1), says="Details of the previous selected token")
        self._next = style.button("→", lambda: step(1), says="Details of the next selected token")
        self._grid = style.made(widgets.Box, names=("tk-details",))
        head = style.row(self._title, self._previous, self._next)
        self.widget = style.made(widgets.VBox, [head, self._grid], names=("tk-panel",))
        self._pairs: list[tuple[widgets.Label, widgets.Label]] = []

    def show(self, token: pd.Series[Any], findings: pd.DataFrame, *, place: str) -> None:
        """Show a token.

        Args:
            token: A row of the listing.
            findings: What was found about it.
            place: Which of the selected tokens it is: ``2 of 7``.
        """
        pairs = rows.details(token, findings)
        while len(self._pairs) < len(pairs):  # labels are made once and used again
            self._pairs.append((style.text("", "tk-dim"), style.text()))
        del self._pairs[len(pairs) :]
        self._title.value = f"Details of selected token {place}"
        for (name, value), (name_label, value_label) in zip(pairs, self._pairs, strict=True):
            name_label.value, value_label.value = name, value
        style.fill(self._grid, [label for pair in self._pairs for label in pair])
