"""One page of rows, with boxes to tick; the ids of what is ticked come back, never positions.

itables reports positions of the page that the browser shows, and by the time they arrive Python may show another: a
click waits while the kernel is busy. So each page carries its number where the browser cannot lose it. Every table
begins with a few hidden rows, stowaways, and which of them are selected spells the number in binary. A report is read
against the page that it was made on, and one of a page that nobody remembers is dropped.

Where the table's JavaScript cannot load, the same page is a plain list.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Collection, Sequence
from typing import Any

import ipywidgets as widgets
import pandas as pd

from tokenkit.frames import TEXT
from tokenkit.widgets import style
from tokenkit.widgets.style import STOWAWAYS

_PAGES_REMEMBERED = 64
_LONGEST_CELL = 80
_LIST_LINES = 14
_LACKS = "Tables need itables, which is not installed here. Install it with: pip install 'tokenkit[widgets]'"
# What is written into the page is a part of the id, and of that only what an id may consist of.
_TICK = """function (id, type) {
  const safe = String(id).replace(/[^0-9a-zA-Z_-]/g, "");
  return type === "display" && safe
    ? `<input type="checkbox" class="dt-select-checkbox" aria-label="Select token ${safe}">` : "";
}"""


def available() -> bool:
    """Tell whether there is a table to show, or itables is not installed."""
    return all(importlib.util.find_spec(name) for name in ("itables", "anywidget"))


if available():  # an extra, and slow to load: with this module, which is loaded before the tokens are read
    from itables import JavascriptFunction
    from itables.widget import ITable

Chosen = Callable[[Collection[str], Collection[str]], None]


class PageTable:
    """A page of rows.

    Args:
        name: What it is a table of, for screen readers.
        chosen: Called with the ids that are ticked, the last one last, and all ids of their page, when somebody ticks;
            without it there is nothing to tick.
        plain: Whether to show a plain list instead of a table.
        short: Whether it takes little height.

    Attributes:
        widget: What to display.
        plain: Whether it is a plain list; always so without itables.
    """

    def __init__(self, name: str, chosen: Chosen | None = None, *, plain: bool = False, short: bool = False) -> None:
        self._name = name
        self._chosen = chosen
        self.plain = plain or not available()
        self._names = ("tk-table", "tk-short") if short else ("tk-table",)
        self.widget = style.made(widgets.VBox, names=() if self.plain else self._names)
        self._table: Any = None
        self._number = 0
        self._pages: dict[int, Sequence[str]] = {}
        self._updating = False
        self._shown: tuple[pd.DataFrame, list[str], Collection[str]] = (pd.DataFrame(), [], ())

    def show(self, rows: pd.DataFrame, ids: Sequence[str], ticked: Collection[str] = ()) -> None:
        """Show a page.

        Args:
            rows: Text, in the columns and under the names that are shown; long text is cut.
            ids: The token of each row.
            ticked: Which ids are ticked, those of other pages among them or not.
        """
        text = rows.astype(TEXT).fillna("").reset_index(drop=True)
        for name in text.columns:
            cut = text[name].str.slice(0, _LONGEST_CELL - 1) + "…"
            text[name] = text[name].mask(text[name].str.len() > _LONGEST_CELL, cut)
        self._shown = text, list(ids), ticked
        if self.plain:
            self._show_list()
        else:
            self._show_table()

    def switch(self, *, plain: bool) -> None:
        """Show the page as a plain list, or as a table again."""
        self.plain = plain or not available()
        self.show(*self._shown)

    # As a table

    def _show_table(self) -> None:
        rows, ids, ticked = self._shown
        self._number = (self._number + 1) % 2**STOWAWAYS
        self._pages[self._number] = ids
        self._pages.pop(self._number - _PAGES_REMEMBERED, None)
        stowaways = pd.DataFrame("", index=range(STOWAWAYS), columns=rows.columns, dtype=TEXT)
        data = pd.concat([stowaways, rows], ignore_index=True).astype(object)
        if self._chosen is not None:
            data.insert(0, "", [*[""] * STOWAWAYS, *(each[:12] for each in ids)])
        selected = [bit for bit in range(STOWAWAYS) if self._number >> bit & 1]
        selected += [STOWAWAYS + position for position, each in enumerate(ids) if each in ticked]
        options = {**self._options(), "selected_rows": selected}
        if self._table is None:
            self._table = ITable(data, **options)
            self._table.observe(self._heard, "selected_rows")
        else:
            self._updating = True
            # One message, so that the browser never has one page's rows and another's ticks.
            with self._table.hold_sync():
                self._table.update(data, **options)
            self._updating = False
        if self._table not in self.widget.children:
            for each in self._names:
                self.widget.add_class(each)
            self.widget.children = [self._table]

    def _options(self) -> dict[str, Any]:
        """Return the options of the table; each update has to repeat them all."""
        return {
            "maxBytes": 0,  # no row is left out
            "allow_html": False,
            "showIndex": False,
            "paging": False,
            "ordering": False,
            "autoWidth": False,
            "layout": dict.fromkeys(["topStart", "topEnd", "bottomStart", "bottomEnd"]),
            "columnDefs": [{"targets": 0, "render": JavascriptFunction(_TICK)}] if self._chosen else [],
            "select": {"style": "multi", "selector": "td:first-child"} if self._chosen else False,
            "style": "table-layout:auto;width:100%;margin:0",
            "classes": "display nowrap compact",
            "text_in_header_can_be_selected": False,
        }

    def _heard(self, change: dict[str, Any]) -> None:
        """Read what the browser reports: the number of its page, and the positions on it."""
        if self._updating or self._chosen is None:
            return
        number = sum(1 << position for position in change["new"] if position < STOWAWAYS)
        ids = self._pages.get(number)
        if ids is not None:
            self._chosen([ids[each - STOWAWAYS] for each in change["new"] if each >= STOWAWAYS], ids)

    # As a plain list

    def _show_list(self) -> None:
        rows, ids, ticked = self._shown
        columns = [rows[name].str.pad(min(24, int(rows[name].str.len().max() or 0)), side="right") for name in rows]
        lines = ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]
        chosen = self._chosen
        # A list of its own for each page: what is clicked in an old one is told by the old one.
        listed = style.field(
            widgets.SelectMultiple,
            options=list(zip(lines, ids, strict=True)),
            value=[each for each in dict.fromkeys(ids) if each in ticked],
            description=f"{self._name} ({', '.join(map(str, rows.columns))})",
            rows=_LIST_LINES,
            disabled=chosen is None,
            names=("tk-list",),
        )
        if chosen is not None:
            listed.observe(lambda change: chosen(change["new"], ids), "value")
        self.widget.remove_class("tk-table")
        for old in self.widget.children:
            if old is not self._table:
                old.close()
        self.widget.children = [listed]


def switch_button(switch: Callable[..., None], *, plain: bool) -> widgets.Widget:
    """Return the button that calls ``switch(plain=…)``, or without itables the line that says what to install."""
    if not available():
        return style.text(_LACKS, "tk-dim")
    button = style.made(
        widgets.ToggleButton,
        description="Plain list",
        tooltip="Plain list: for where tables do not appear",
        value=plain,
    )
    button.observe(lambda change: switch(plain=change["new"]), "value")
    return button
