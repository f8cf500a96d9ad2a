"""Short previews of plans, audits and leaks, for a terminal and in HTML.

A token is one cell, with its comment above its owner and short ID. The rows are a sample, with the most dangerous
first. The closing lines give the complete counts, are never truncated, and come last, right before a confirmation.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from tokenkit.core import table as tables
from tokenkit.core.markup import Markup, element, join_markup
from tokenkit.core.printable import printable
from tokenkit.core.printable import width as width_of
from tokenkit.core.redaction import redact
from tokenkit.core.wording import SHORT_ID, first_of, shown_of
from tokenkit.frames import TEXT
from tokenkit.review import columns

SHOWN_ROWS = 20
_FEWEST_ROWS = 3
_NAMED = 3
_AROUND = 5  # the title, the blank lines, and the question, which can have two lines
WARNINGS = "warnings"
CAPTION = "caption"
"""The key in ``DataFrame.attrs`` for what the rows of a frame are, above its table in a terminal."""
EMPTY = "empty"
"""The key in ``DataFrame.attrs`` for what a terminal shows in place of a table without rows."""
TOKEN = "token"  # noqa: S105 - a heading
NO_COMMENT, NEVER = "(no comment)", "never"
_OF_A_TOKEN = ["comment", "owner", "token_id"]
_NOT_SHOWN = [
    "id",
    "owner_kind",
    "owner_active",
    "status",
    "expiry_time",
    "effective_end",
]  # the whole frames have them
_SECONDARY = "font-size:smaller;opacity:.75"
_LEAST = {TOKEN: 20, WARNINGS: 16, "principal": 30, "owner": 30}


@dataclass(frozen=True)
class Table:
    """Some rows of a frame.

    Attributes:
        caption: The caption; empty if none is needed.
        rows: Texts by heading, printable and without secrets. The cell of a token has two lines.
        total: The number of all rows.
        see_all: How to see all rows, as a clause; empty if it need not be said.
    """

    caption: str
    rows: pd.DataFrame
    total: int
    see_all: str = ""

    @property
    def more(self) -> str:
        """Return the line about the rows that are not shown; empty if all are shown."""
        how = f"; {self.see_all}" if self.see_all else ""
        return f"… and {self.total - len(self.rows):,} more{how}" if self.total > len(self.rows) else ""

    def text(self, width: int | None = None, *, height: int | None = None) -> str:
        """Return the rows for a terminal. No text is truncated.

        Args:
            width: The width of the terminal; by default, the current one.
            height: The maximum number of lines; some rows are shown in any case.
        """
        width = width or shutil.get_terminal_size().columns
        drawn = [
            tables.Column(str(name), self.rows[name].tolist(), least=_LEAST.get(str(name), 10)) for name in self.rows
        ]
        rows = tables.table(drawn, width) if drawn else ""
        text = "\n".join(filter(None, [f"{self.caption}:" if self.caption else "", rows, self.more]))
        if height is None or text.count("\n") < height or len(self.rows) <= _FEWEST_ROWS:
            return text
        return replace(self, rows=self.rows.iloc[:-1]).text(width, height=height)

    def html(self) -> Markup:
        """Return the rows as HTML."""
        names = element("tr", *(element("th", str(name), style="text-align:left") for name in self.rows))
        rows = (element("tr", *map(_td, row)) for row in self.rows.itertuples(index=False))
        return join_markup(
            *([element("p", f"{self.caption}:")] if self.caption else []),
            element("table", element("thead", names), element("tbody", *rows)),
            *([element("p", self.more)] if self.more else []),
        )


def _td(text: str) -> Markup:
    first, line_feed, second = text.partition("\n")
    below = [element("div", second, style=_SECONDARY)] if line_feed else []
    return element("td", first, *below, style="text-align:left")


@dataclass(frozen=True, repr=False)
class Preview:
    """A short preview.

    Attributes:
        title: The title: the subject, or what a plan will do.
        tables: The rows.
        closing: The omitted rows and the counts, one line each, with warnings last.
    """

    title: str
    tables: tuple[Table, ...]
    closing: tuple[str, ...]

    def text(self, width: int | None = None, *, height: int | None = None) -> str:
        """Return the preview as lines of text for a terminal.

        Args:
            width: The width of the terminal; by default, the current one.
            height: The number of lines of the terminal. Tables have fewer rows if they would not fit.
        """
        width = width or shutil.get_terminal_size().columns
        closing = "\n".join(self.closing)
        if height is not None and self.tables:
            around = sum(-(-width_of(line) // width) for line in self.closing) + len(self.tables) + _AROUND
            height = max(0, height - around) // len(self.tables)
        parts = [self.title, *(table.text(width, height=height) for table in self.tables), closing]
        return "\n\n".join(filter(None, parts))

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        lines = (element("p", line) for line in self.closing)
        return join_markup(element("p", element("b", self.title)), *(table.html() for table in self.tables), *lines)


def visible(text: str) -> str:
    """Return a text without secrets and without terminal control characters."""
    return printable(redact(text))


def is_of_plan(rows: pd.DataFrame) -> bool:
    """Return whether rows are the tokens that a plan will delete, each with its warnings or the effect on it."""
    return "token_id" in rows and (WARNINGS in rows or "effect" in rows)


def labelled(rows: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """Return rows with the names of their workspaces in place of addresses that look alike.

    Args:
        rows: Any frame.
        labels: The names of the workspaces by address.
    """
    if "workspace" not in rows or not labels:
        return rows
    return rows.assign(workspace=rows["workspace"].map(lambda address: labels.get(address, address)))


def table(rows: pd.DataFrame, *, caption: str = "", limit: int = SHOWN_ROWS, see_all: str = "") -> Table:
    """Return the first rows of a frame as texts, with each token in one cell.

    Args:
        rows: Any frame.
        caption: The caption.
        limit: The maximum number of rows; one more is shown instead of "and 1 more".
        see_all: How to see all rows, as a clause.
    """
    first = rows.head(shown_of(len(rows), limit))
    shown = first.drop(columns=_NOT_SHOWN, errors="ignore")
    cells: dict[str, Any] = {}
    names = [str(name) for name in shown.columns]
    is_of_tokens = set(_OF_A_TOKEN) <= set(names)
    if is_of_tokens:
        names = [name for name in names if name not in _OF_A_TOKEN]
        at = 1 if names[:1] == ["workspace"] else 0
        names.insert(at, TOKEN)
    for name in names:
        if name == TOKEN and is_of_tokens:
            cells[TOKEN] = _token_cells(shown)
        else:
            shown_column = columns.column(shown[[name]], name)
            texts = list(shown_column.texts)
            if name == "last_used_day":
                texts = [text or never for text, never in zip(texts, never_used(first), strict=True)]
            cells[shown_column.heading] = texts
    text = pd.DataFrame(cells, index=range(len(shown)), dtype=TEXT)
    last = [name for name in text.columns if name == WARNINGS]
    text = text[[*(name for name in text.columns if name not in last), *last]]
    return Table(caption, text.loc[:, (text != "").any()], len(rows), see_all)


def named(tokens: pd.DataFrame) -> str:
    """Return the first tokens of a frame by their short ids, owners and workspaces of a fleet, and how many more there
    are.
    """
    where = "" if "workspace" not in tokens else ", " + tokens["workspace"]
    texts = tokens["token_id"].str.slice(stop=SHORT_ID) + " (owner " + tokens["owner"].fillna("unknown") + where + ")"
    return first_of(texts.tolist(), _NAMED)


def never_used(rows: pd.DataFrame) -> list[str]:
    """Return what an empty last use means: never, or nothing for a token that is no longer listed."""
    is_listed = rows["status"].notna() if "status" in rows else [True] * len(rows)
    return [NEVER if listed else "" for listed in is_listed]


def _token_cells(tokens: pd.DataFrame) -> list[str]:
    comments, owners, ids = (map(columns.cell, tokens[name].tolist()) for name in _OF_A_TOKEN)
    return [
        f"{comment or NO_COMMENT}\n{' · '.join(filter(None, [owner, token_id[:SHORT_ID]]))}"
        for comment, owner, token_id in zip(comments, owners, ids, strict=True)
    ]
