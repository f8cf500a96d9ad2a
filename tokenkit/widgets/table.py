"""One page of rows, with boxes to tick; the ids of what is ticked come back, never positions.

itables reports positions of the page that the browser shows, and by the time they arrive Python may show another: a
click waits while the kernel is busy. So each page carries its number where the browser cannot lose it. Every table
begins with a few hidden rows, stowaways, and which of them are selected spells the number in binary. A report is read
against the page that it was made on: what differs from what that page had before was clicked, and nothing else changes.

A box is ticked exactly where its token is selected. The table's own program keeps the two together while its column is
known to hold boxes; whenever a report shows that the browser has something else than it should, because the click was
on an older page or on one of two rows of the same id, the page is sent again.

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
# What is written into the page is a part of the id, and of that only what an id may consist of. By the name DataTables
# tells that a column holds boxes: only in such a column does it tick and untick them as rows are selected.
_TICK = """Object.assign(function (id, type) {
  const safe = String(id).replace(/[^0-9a-zA-Z_-]/g, "");
  return type === "display" && safe
    ? `<input type="checkbox" class="dt-select-checkbox" aria-label="Select token ${safe}">` : "";
}, {_name: "selectCheckbox"})"""
# A box in the heading would select the hidden rows with the others.
_SELECT = {"style": "multi", "selector": "td:first-child", "headerCheckbox": False}


def available() -> bool:
    """Tell whether there is a table to show, or itables is not installed."""
    return all(importlib.util.find_spec(name) for name in ("itables", "anywidget"))


if available():  # an extra, and slow to load: with this module, which is loaded before the tokens are read
    from itables import JavascriptCode
    from itables.widget import ITable

    class _Table(ITable):
        # Read once: anywidget watches a file for changes, on behalf of every table that was ever made.
        _esm, _css = (str(file) for file in (ITable._esm, ITable._css))  # type: ignore[assignment]  # noqa: SLF001 - by design


Chosen = Callable[[Collection[str], Collection[str]], None]


class PageTable:
    """A page of rows.

    Args:
        name: What it is a table of, for screen readers.
        chosen: Called when somebody ticks or unticks boxes, with the ids that are ticked now, the last one last, and
            the ids of all boxes that were changed; without it there is nothing to tick.
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
        self._pages: dict[int, tuple[Sequence[str], set[int]]] = {}  # the ids of each, and which rows are ticked
        self._updating = False
        self._rows, self._ids = pd.DataFrame(), list[str]()
        self._ticked: frozenset[str] = frozenset()

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
        self._rows, self._ids, self._ticked = text, list(ids), frozenset(ticked)
        self._display()

    def switch(self, *, plain: bool) -> None:
        """Show the page as a plain list, or as a table again."""
        self.plain = plain or not available()
        self._display()

    def _display(self) -> None:
        if self.plain:
            self._show_list()
        else:
            self._show_table()

    def _report(self, ticked: Sequence[str], unticked: Sequence[str]) -> None:
        """Say what was ticked and unticked, and remember it for when the page is shown again."""
        if self._chosen is not None and (ticked or unticked):
            self._ticked = (self._ticked - set(unticked)) | set(ticked)
            self._chosen(ticked, [*ticked, *unticked])

    # As a table

    def _show_table(self) -> None:
        rows, ids = self._rows, self._ids
        self._number = (self._number + 1) % 2**STOWAWAYS
        self._pages[self._number] = ids, set(self._positions())
        self._pages.pop(self._number - _PAGES_REMEMBERED, None)
        stowaways = pd.DataFrame("", index=range(STOWAWAYS), columns=rows.columns, dtype=TEXT)
        data = pd.concat([stowaways, rows], ignore_index=True).astype(object)
        if self._chosen is not None:
            data.insert(0, "", [*[""] * STOWAWAYS, *(each[:12] for each in ids)])
        selected = [bit for bit in range(STOWAWAYS) if self._number >> bit & 1]
        selected += [STOWAWAYS + position for position in self._positions()]
        options = {**self._options(), "selected_rows": selected}
        if self._table is None:
            self._table = _Table(data, **options)
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
            style.fill(self.widget, [self._table])

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
            "columnDefs": [{"targets": 0, "render": JavascriptCode(_TICK)}] if self._chosen else [],
            "select": _SELECT if self._chosen else False,
            "style": "table-layout:auto;width:100%;margin:0",
            "classes": "display nowrap compact",
            "text_in_header_can_be_selected": False,
        }

    def _positions(self) -> list[int]:
        """Return which rows of the page are ticked."""
        return [position for position, each in enumerate(self._ids) if each in self._ticked]

    def _heard(self, change: dict[str, Any]) -> None:
        """Read what the browser reports: the number of its page, and the positions on it."""
        if self._updating or self._chosen is None:
            return
        number = sum(1 << position for position in change["new"] if position < STOWAWAYS)
        now = [position - STOWAWAYS for position in change["new"] if position >= STOWAWAYS]
        if number in self._pages:
            ids, before = self._pages[number]
            self._pages[number] = ids, set(now)
            ticked, unticked = (each for each in now if each not in before), before.difference(now)
            self._report([ids[each] for each in ticked], [ids[each] for each in unticked])
        if (number, sorted(now)) != (self._number, self._positions()):
            self._display()

    # As a plain list

    def _show_list(self) -> None:
        rows, ids = self._rows, self._ids
        widths = {name: min(24, max(map(len, rows[name]), default=0)) for name in rows}
        columns = [rows[name].str.pad(widths[name], side="right") for name in rows]
        lines = ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]
        # A list of its own for each page: what is clicked in an old one is told by the old one.
        listed = style.field(
            widgets.SelectMultiple,
            options=list(zip(lines, ids, strict=True)),
            value=[each for each in dict.fromkeys(ids) if each in self._ticked],
            description=f"{self._name} ({', '.join(map(str, rows.columns))})",
            rows=_LIST_LINES,
            disabled=self._chosen is None,
            names=("tk-list",),
        )
        listed.observe(self._picked, "value")
        self.widget.remove_class("tk-table")
        self._table = None
        style.fill(self.widget, [listed])

    def _picked(self, change: dict[str, Any]) -> None:
        """Read what is selected in a list."""
        before, now = change["old"], change["new"]
        ticked = [each for each in now if each not in before]
        self._report(ticked, [each for each in before if each not in now])


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
