"""What a plan will do, in short, for every front end: a few rows, the most dangerous first, and closing lines.

The rows are a sample; the closing lines count all of the plan and are never cut. They come last, so that they stand
right before whatever asks for a confirmation.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from tokenkit.frames import TEXT
from tokenkit.markup import Markup, element, joined
from tokenkit.printable import printable
from tokenkit.redaction import redact
from tokenkit.wording import counted

if TYPE_CHECKING:
    from tokenkit.actions.plan import Summary

SHOWN_ROWS = 20
ID_LETTERS = 12
WARNINGS = "warnings"
"""The column that is never cut."""
_NOT_SHOWN = ["id", "owner_kind", "status", "expiry_time"]  # plan.preview() has them
_NARROWEST = 8
_GAP = "  "
_INDENT = "    "


class Plan(Protocol):
    """What is needed of a plan."""

    def summary(self) -> Summary:
        """Return what it will do, in words and numbers."""
        ...

    def preview(self) -> pd.DataFrame:
        """Return a row for each token that it is about."""
        ...


@dataclass(frozen=True)
class Table:
    """Some rows of a plan.

    Attributes:
        caption: What they are; empty where that is plain.
        rows: Texts, fit to be shown once they are escaped.
        total: How many rows there are in all.
    """

    caption: str
    rows: pd.DataFrame
    total: int

    @property
    def more(self) -> str:
        """What is said of the rows that are not shown."""
        return f"… and {self.total - len(self.rows):,} more" if self.total > len(self.rows) else ""

    def text(self, width: int | None = None) -> str:
        """Return it as lines for a terminal of a width; the warnings of a row stand below it, whole."""
        width = width or shutil.get_terminal_size().columns
        beside = self.rows.drop(columns=WARNINGS, errors="ignore")
        cells = [list(beside.columns), *beside.to_numpy().tolist()]
        widths = _fitting([max(map(len, column)) for column in zip(*cells, strict=True)], width)
        warnings = ["", *self.rows.get(WARNINGS, [""] * len(self.rows))]
        lines = []
        for row, below in zip(cells, warnings, strict=True):
            lines.append(_GAP.join(map(_cut, row, widths)).rstrip())
            lines += textwrap.wrap(below, width, initial_indent=_INDENT, subsequent_indent=_INDENT)
        return "\n".join(filter(None, [f"{self.caption}:" if self.caption else "", *lines, self.more]))


@dataclass(frozen=True, repr=False)
class Preview:
    """A plan in short.

    Attributes:
        title: What it will do.
        tables: Whom and what it is about.
        closing: What was left out and the counts of warnings, a line each, the warnings last.
    """

    title: str
    tables: tuple[Table, ...]
    closing: tuple[str, ...]

    def text(self, width: int | None = None) -> str:
        """Return it as lines for a terminal of a width in columns; that of this one, if left out."""
        parts = [self.title, *(table.text(width) for table in self.tables), "\n".join(self.closing)]
        return "\n\n".join(filter(None, parts))

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        lines = (element("p", line) for line in self.closing)
        return joined(element("p", element("b", self.title)), *map(_table_html, self.tables), *lines)


class Shown:
    """A plan that shows itself: on one line as ``repr``, in short in IPython."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._headline()}>"

    def _headline(self) -> str:
        return f"{self._title()}; nothing changes before .apply()"

    def _title(self) -> str:
        raise NotImplementedError

    def _in_short(self: Any) -> Preview:
        return of(self, title=self._headline())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ANN401, ARG002, FBT001 - as IPython calls it
        printer.text(repr(self._in_short()))

    def _repr_html_(self) -> str:
        return self._in_short()._repr_html_()


def of(plan: Plan, *, title: str | None = None, limit: int = SHOWN_ROWS) -> Preview:
    """Return a plan in short.

    Args:
        plan: Any plan.
        title: What it will do, where the caller knows better than its summary.
        limit: How many rows of each table to show.
    """
    summary = plan.summary()
    tables = []
    if (losing := getattr(plan, "loses", None)) is not None:
        worst_first = losing.sort_values("tokens", ascending=False, kind="stable")
        tables.append(table(worst_first, caption="Principals losing permission", limit=limit))
    if (not_known := getattr(plan, "not_known", None)) is not None:
        tables.append(table(not_known, caption="Not known: more tokens may be lost", limit=limit))
    caption = "Tokens that will be deleted or disabled" if tables else ""
    tokens = worst_first_of(plan.preview(), list(summary.minds))
    tables.append(table(tokens, caption=caption, limit=limit))
    doing = title or summary.doing or "nothing to do"
    return Preview(
        title=visible(doing[:1].upper() + doing[1:]),
        tables=tuple(shown for shown in tables if shown.total),
        closing=_closing(summary),
    )


def worst_first_of(tokens: pd.DataFrame, warnings: Sequence[str]) -> pd.DataFrame:
    """Return rows with the most dangerous first: those with the worst warning, of these the last used.

    Args:
        tokens: Rows of a preview; one without the columns for it stays as it is.
        warnings: All warnings that there are, the worst first.
    """
    if "last_used_day" in tokens:
        tokens = tokens.sort_values("last_used_day", ascending=False, na_position="last", kind="stable")
    if WARNINGS in tokens:
        ranks = {warning: rank for rank, warning in enumerate(warnings)}
        worst = tokens[WARNINGS].str.partition("; ")[0] if len(tokens) else tokens[WARNINGS]
        tokens = tokens.loc[worst.map(ranks).fillna(len(ranks)).sort_values(kind="stable").index]
    return tokens


def visible(text: str) -> str:
    """Return a text without secrets and without what a terminal would act on."""
    return printable(redact(text))


def _closing(summary: Summary) -> tuple[str, ...]:
    left_out = [f"Left out: {counted(count, 'token')} ({reason})." for reason, count in summary.left_out.items()]
    minds = ", ".join(f"{what} ({count:,})" for what, count in summary.minds.items() if count)
    return tuple(map(visible, [*left_out, *([f"Warnings: {minds}."] if minds else [])]))


def table(rows: pd.DataFrame, *, caption: str = "", limit: int = SHOWN_ROWS) -> Table:
    """Return the first rows of a frame as texts.

    Args:
        rows: Any frame.
        caption: What they are.
        limit: How many to show.
    """
    shown = rows.head(limit).drop(columns=_NOT_SHOWN, errors="ignore")
    texts = {str(name): [_cell(value) for value in shown[name].array] for name in shown}
    text = pd.DataFrame(texts, dtype=TEXT)
    if "token_id" in text:
        text["token_id"] = text["token_id"].str.slice(stop=ID_LETTERS)
    return Table(caption, text.loc[:, (text != "").any()], len(rows))


def _cell(value: Any) -> str:  # noqa: ANN401 - of any column
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    if not pd.api.types.is_scalar(value):
        return visible(", ".join(map(str, value)))
    return "" if pd.isna(value) else visible(str(value))


def _fitting(widths: list[int], width: int) -> list[int]:
    """Return the widths of columns that fit beside each other: the widest are made narrower."""
    room = width - len(_GAP) * (len(widths) - 1)
    widest = max(widths)
    while widest > _NARROWEST and sum(min(natural, widest) for natural in widths) > room:
        widest -= 1
    return [min(natural, widest) for natural in widths]


def _cut(text: str, width: int) -> str:
    return (text if len(text) <= width else f"{text[: width - 1]}…").ljust(width)


def _table_html(table: Table) -> Markup:
    names = element("tr", *(element("th", str(name)) for name in table.rows))
    rows = (element("tr", *(element("td", text) for text in row)) for row in table.rows.itertuples(index=False))
    return joined(
        *([element("p", f"{table.caption}:")] if table.caption else []),
        element("table", element("thead", names), element("tbody", *rows)),
        *([element("p", table.more)] if table.more else []),
    )
