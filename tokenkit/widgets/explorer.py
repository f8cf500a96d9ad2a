"""The explorer: every token of a workspace or of a saved listing, to filter, look at, select and act on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import ipywidgets as widgets
import numpy as np
import pandas as pd

from tokenkit import errors, export
from tokenkit.actions.plan import counted
from tokenkit.widgets import rows, style
from tokenkit.widgets.bulk import Action, Answers, Form
from tokenkit.widgets.confirmation import Confirmation
from tokenkit.widgets.details import Details
from tokenkit.widgets.filters import Filters
from tokenkit.widgets.model import LARGEST_PAGE, Model, completed, keys_of
from tokenkit.widgets.pictures import Pictures
from tokenkit.widgets.table import PageTable, switch_button
from tokenkit.widgets.work import in_background

_PAGE_SIZES = (50, 100, 250, LARGEST_PAGE)
Part = TypeVar("Part", Form, Confirmation, Details)
_AGAIN = ("failed", "unknown", "planned", "still_listed")


@dataclass(frozen=True, kw_only=True)
class Source:
    """What an explorer needs of whoever it explores for.

    Attributes:
        name: What the workspace or the listing is called.
        read: Returns the tokens and what an audit finds about them, as they are now.
        now: The present moment.
        actions: What can be done to tokens.
        lacks: Says what the last reading lacks, in a few words; nothing if it was whole.
    """

    name: str
    read: Callable[[], tuple[pd.DataFrame, pd.DataFrame | None]]
    now: Callable[[], pd.Timestamp]
    actions: Sequence[Action] = ()
    lacks: Callable[[], str] = lambda: ""


class Explorer:
    """A screen over all tokens; it shows itself at the end of a cell.

    Args:
        source: Where the tokens come from, and what may be done to them.
        page_size: How many rows a page has, at most 500.
        plain: Whether the table is a plain list, for front ends that cannot load its JavaScript; there is a button for
            it too.

    Attributes:
        filtered: The tokens that the filters keep, as a frame, in the order of the screen.
        selected: The selected tokens, as a frame.
        widget: What is displayed, to be put into a layout of your own.
    """

    def __init__(self, source: Source, *, page_size: int = 50, plain: bool = False) -> None:
        self._source = source
        tokens, findings = source.read()
        self._model = Model(completed(tokens, now=source.now()), findings, page_size=page_size)
        self._detailed: str | None = None
        self._asked_for: list[str] = []
        self._notice = style.Notice()
        self._filters = Filters(self._model, self._filtered, self._notice.complain)
        self._table = PageTable("Tokens", self._ticked, plain=plain)
        self._pictures = Pictures(lambda: self.filtered, source.now, self._notice)
        # What nobody has asked for yet is not made yet: each widget is a few messages to the browser.
        self._slots = {part: style.made(widgets.VBox) for part in (Form, Confirmation, Details)}
        self._head = self._build_head()
        self._pager = self._build_pager()
        self._choice = self._build_choice()
        self.widget = style.screen(
            self._head,
            self._pictures.widget,
            self._filters.widget,
            self._pager,
            self._choice,
            self._slots[Form],
            self._notice.widget,
            self._slots[Confirmation],
            self._table.widget,
            self._slots[Details],
        )
        self._show()

    def __repr__(self) -> str:
        return f"<Explorer of {counted(len(self._model.tokens), 'token')} on {self._source.name}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """Return what a front end shows."""
        return style.bundle(self.widget, repr(self))

    def close(self) -> None:
        """Close the screen: its widgets go, in the kernel and in the browser, and with them the memory that they hold.

        What ``filtered`` and ``selected`` return stays as it is, until the explorer itself is forgotten.

        Raises:
            UsageError: A change is in progress.
        """
        self._confirmation.require_idle()
        style.close(self.widget)

    @property
    def filtered(self) -> pd.DataFrame:
        """The tokens that the filters keep, in the order that is shown; with the listing's own columns."""
        return self._model.filtered

    @property
    def selected(self) -> pd.DataFrame:
        """The selected tokens, whatever the filters are; with the listing's own columns."""
        return self._model.selected

    def select(self, tokens: pd.DataFrame | Collection[str]) -> None:
        """Select these tokens and no others; those that the listing does not have are left out.

        Args:
            tokens: A frame such as ``filtered`` or an audit's findings, or ids. In a listing of several workspaces ids
                alone select a token wherever it is; a frame with ``workspace`` says where.
        """
        ids, keys = self._model.tokens["token_id"], self._model.keys
        if not isinstance(tokens, pd.DataFrame):
            chosen = ids.isin(list(tokens))
        elif "workspace" in self._model.tokens and "workspace" in tokens:
            chosen = keys.isin(keys_of(tokens))
        else:
            chosen = ids.isin(tokens["token_id"])
        self._model.selection = keys[chosen].tolist()
        self._show_page()

    def export(self, path: str | Path, *, selected: bool = False) -> Path:
        """Write the filtered tokens, or the selected ones, as CSV; secrets in comments are redacted.

        Raises:
            UsageError: There is a file of that name, or it cannot be written.
        """
        tokens = self.selected if selected else self.filtered
        target = Path(path)
        try:
            with target.open("x", encoding="utf-8", newline="") as file:
                file.write(export.csv_text(tokens.assign(comment=rows.text(tokens["comment"]))))
        except FileExistsError:
            problem = f"{target} is there already: give another name."
        except OSError as error:
            problem = f"{target} cannot be written: {error.strerror}."
        else:
            return target
        raise errors.UsageError(problem)

    # Its parts

    @cached_property
    def _form(self) -> Form:
        return self._placed(Form(self._plan))

    @cached_property
    def _confirmation(self) -> Confirmation:
        return self._placed(Confirmation(self._source.name, self._carried_out, plain=self._table.plain))

    @cached_property
    def _details(self) -> Details:
        return self._placed(Details(self._step))

    def _placed(self, part: Part) -> Part:
        self._slots[type(part)].children = [part.widget]
        return part

    def _build_head(self) -> widgets.Box:
        self._title = style.text("", "tk-title")
        self._counts = style.text("", "tk-dim")
        self._refresh = style.button("Refresh", self.refresh, says="Read the tokens again")
        save = style.button(
            "Export CSV", lambda: self._save(selected=False), says="Write the filtered tokens to a file"
        )
        plain = switch_button(self._switch, plain=self._table.plain)
        words = style.made(widgets.VBox, [self._title, self._counts], names=("tk-grow",))
        return style.row(words, self._refresh, save, self._pictures.button, plain)

    def _build_pager(self) -> widgets.Box:
        columns = {title: name for title, name in rows.COLUMNS.items() if name in self._model.tokens.columns}
        options = [("the listing's order", ""), *columns.items()]  # None would be no choice at all
        self._sort = style.field(widgets.Dropdown, description="Sort by", options=options, layout={"width": "150px"})
        self._downwards = style.made(widgets.ToggleButton, description="↑ Ascending", tooltip="Turn the order round")
        sizes, now = sorted({*_PAGE_SIZES, self._model.page_size}), self._model.page_size
        size = style.field(
            widgets.Dropdown, description="Rows on a page", options=sizes, value=now, layout={"width": "110px"}
        )
        for each in (self._sort, self._downwards):
            each.observe(lambda _: self._arrange(), "value")
        size.observe(lambda change: self._resize(change["new"]), "value")
        clear = style.button("Clear filters", self._filters.clear)
        self._previous = style.button("← Previous", lambda: self._turn(-1), says="Previous page")
        self._place = style.text()
        self._next = style.button("Next →", lambda: self._turn(1), says="Next page")
        order = (self._sort, self._downwards, size, clear)
        pages = style.together(self._previous, self._place, self._next)
        return style.row(*order, pages, names=("tk-bottom",))

    def _build_choice(self) -> widgets.Box:
        self._selection = style.text("", "tk-strong")
        page = style.button("Select page", self._select_page, says="Select every token of this page")
        self._all = style.button("", self._select_matching)
        self._none = style.button("Select none", self._select_none)
        self._save_selected = style.button(
            "Export selected", lambda: self._save(selected=True), says="Write the selected tokens to a file"
        )
        self._actions = [self._opener(action) for action in self._source.actions]
        acts = style.together(self._save_selected, *self._actions)
        return style.row(self._selection, page, self._all, self._none, acts)

    def _opener(self, action: Action) -> widgets.Button:
        kind = "danger" if action.dangerous else ""
        return style.button(f"{action.verb} …", lambda: self._form.open(action), says=action.says, style=kind)

    # What is shown

    def _show(self) -> None:
        """Show everything as the model has it now."""
        counts = self._model.tokens["status"].value_counts()
        parts = [counted(len(self._model.tokens), "token"), *(f"{n:,} {status}" for status, n in counts.items())]
        if len(self._model.findings):
            parts.append(f"{self._model.with_findings:,} with findings")
        if lacks := self._source.lacks():
            parts.append(lacks)
        self._title.value = f"Tokens of {self._source.name}"
        self._counts.value = f"{' · '.join(parts)} · as of {self._source.now():%Y-%m-%d %H:%M} UTC"
        self._filters.refresh()
        self._show_page()

    def _show_page(self) -> None:
        audited = len(self._model.findings) > 0
        found = self._model.findings_of(self._model.rows_on_page()) if audited else None
        lines = rows.lines(self._model.on_page(), found)
        if self._model.sorted_by is not None:
            name, downwards = self._model.sorted_by
            arrow = "▼" if downwards else "▲"
            lines = lines.rename(columns={t: f"{t} {arrow}" for t, each in rows.COLUMNS.items() if each == name})
        self._table.show(lines, self._model.keys_on_page(), self._model.selection)
        pages, number = self._model.pages, self._model.page
        self._place.value = f"Page {number + 1:,} of {pages:,}"
        self._previous.disabled, self._next.disabled = number == 0, number + 1 >= pages
        with self._all.hold_sync():
            self._all.description = f"Select all {self._model.matching:,}"
            self._all.tooltip = f"Select all {self._model.matching:,} tokens that the filters keep, on every page"
        self._show_selection()

    def _show_selection(self) -> None:
        count, hidden = len(self._model.selection), self._model.hidden
        self._selection.value = f"{count:,} selected" + (f" ({hidden:,} hidden by the filters)" if hidden else "")
        for each in (*self._actions, self._none, self._save_selected):
            each.disabled = not count
        self._show_details()

    def _show_details(self) -> None:
        keys = self._model.selected_keys()
        if self._detailed not in keys:
            self._detailed = keys[0] if keys else None
        if self._detailed is None:
            style.show(self._slots[Details], shown=False)
            return
        style.show(self._slots[Details])
        place = keys.index(self._detailed)
        row = self._model.selected_rows[place]
        findings = self._model.findings_of(np.array([row]))
        self._details.show(self._model.tokens.iloc[row], findings, place=f"{place + 1:,} of {len(keys):,}")

    # What somebody does

    def _filtered(self) -> None:
        self._notice.say("")
        self._show_page()  # what was asked for comes first
        self._filters.refresh()
        self._pictures.refresh()

    def _arrange(self) -> None:
        self._downwards.description = "↓ Descending" if self._downwards.value else "↑ Ascending"
        self._model.sort(self._sort.value or None, descending=self._downwards.value)
        self._show_page()

    def _resize(self, size: int) -> None:
        self._model.page_size = size
        self._model.turn(0)
        self._show_page()

    def _turn(self, step: int) -> None:
        self._model.turn(self._model.page + step)
        self._show_page()

    def _ticked(self, chosen: Collection[str], among: Collection[str]) -> None:
        new = [each for each in chosen if each not in self._model.selection]
        self._model.choose(chosen, among)
        self._detailed = new[-1] if new else self._detailed
        self._show_selection()

    def _select_page(self) -> None:
        keys = self._model.keys_on_page()
        self._model.choose(keys, keys)
        self._show_page()

    def _select_matching(self) -> None:
        self._model.choose_matching()
        self._show_page()

    def _select_none(self) -> None:
        self._model.choose_none()
        self._show_page()

    def _step(self, step: int) -> None:
        ids = self._model.selected_keys()
        self._detailed = ids[(ids.index(str(self._detailed)) + step) % len(ids)]
        self._show_details()

    def _switch(self, *, plain: bool) -> None:
        self._table.switch(plain=plain)
        self._confirmation.switch(plain=plain)

    def _save(self, *, selected: bool) -> None:
        name = f"tokens-{self._source.now():%Y%m%d-%H%M%S}"
        names = (Path(f"{name}{f'-{n}' if n else ''}.csv") for n in range(10_000))
        try:
            path = self.export(next(each for each in names if not each.exists()), selected=selected)
        except errors.UsageError as problem:
            self._notice.complain(str(problem))
        else:
            self._notice.say(f"Wrote {counted(len(self.selected if selected else self.filtered), 'token')} to {path}.")

    # Reading again, and acting

    def refresh(self) -> None:
        """Read the tokens again, in the background. Filters, order and selection stay as they are."""
        self._refresh.disabled = True
        self._notice.say(f"Reading {self._source.name} …")
        in_background(self._read, done=self._refreshed, failed=self._not_refreshed, on=self.widget)

    def _read(self) -> tuple[pd.DataFrame, pd.DataFrame | None]:
        tokens, findings = self._source.read()
        return completed(tokens, now=self._source.now()), findings

    def _refreshed(self, read: tuple[pd.DataFrame, pd.DataFrame | None]) -> None:
        gone = self._model.replace(*read)
        self._refresh.disabled = False
        self._notice.say(f"{counted(gone, 'selected token')} no longer there." if gone else "")
        self._show()
        self._pictures.refresh()

    def _not_refreshed(self, words: str) -> None:
        self._refresh.disabled = False
        self._notice.complain(words)

    def _plan(self, action: Action, answers: Answers) -> None:
        """Plan what was asked for, for the tokens that are selected at this moment."""
        if self._confirmation.busy:
            self._notice.complain("Another change is in progress. Wait until it ends, or stop it.")
            return
        self._asked_for = self._model.selected_keys()
        tokens = self.selected
        self._confirmation.ask(
            lambda: action.plan(tokens, answers), verb=action.verb, carry_out=action.carry_out(answers)
        )

    def _carried_out(self, result: pd.DataFrame) -> None:
        """Read the workspace again, and leave selected what did not work, for another try."""
        if "outcome" in result:
            again = result["outcome"].isin(_AGAIN)
            self._model.choose(set(keys_of(result[again])), self._asked_for)
            self._show_page()
        self.refresh()


def explore(
    tokens: pd.DataFrame,
    *,
    findings: pd.DataFrame | None = None,
    now: pd.Timestamp | None = None,
    page_size: int = 50,
    plain: bool = False,
) -> Explorer:
    """Return the explorer of a listing that is in hand, such as a saved one. It has no actions.

    Args:
        tokens: A frame with ``token_id``; what else of a listing's columns it has is shown.
        findings: What an audit found about them: a frame with ``token_id`` and ``rule``.
        now: The moment that ages are counted to, where the frame does not have them.
        page_size: How many rows a page has, at most 500.
        plain: Whether the table is a plain list.

    Raises:
        UsageError: The frame has no column ``token_id``.
    """
    moment = pd.Timestamp.now(tz="UTC") if now is None else now
    source = Source(name="a saved listing", read=lambda: (tokens, findings), now=lambda: moment)
    return Explorer(source, page_size=page_size, plain=plain)
