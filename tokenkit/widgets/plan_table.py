"""Rows of a plan or of a result, as cells that every screen shows.

A cell is a list whose first item is its kind: ``token`` (comment, owner, short id), ``principal`` (its name, and its
kind and path), ``text``, ``two`` (a line and a smaller one), ``pills`` (warnings with their severities, or scopes),
``outcome`` (with its severity).
"""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from tokenkit.core.wording import pluralize, shown_of
from tokenkit.review.preview import never_used
from tokenkit.review.values import words
from tokenkit.widgets import formatting

_NOT_SHOWN = ("id", "owner_kind", "status", "expiry_time", "attempts", "started_at", "finished_at", "created_by")
_TITLES = {"last_used_day": "Last used", "error": "Details", "new_comment": "New comment"}

_VALUES = ("effect", "kind")  # of fixed sets, in the form of a query
_SCOPES = ("scopes", "new_scopes")
WARNING_LEVELS = {
    "this session signs in with it": "high",
    "yours": "high",
    "access to all APIs": "high",
    "used in the last 7 days": "high",
    "a service principal's": "medium",
}
"""The severity of warnings about tokens."""
_OUTCOME_LEVELS = {"failed": "high", "unknown": "high", "still listed": "medium"}
_LONG_ID = re.compile(r"\b[0-9a-f]{64}\b")
_REQUEST = r" Request: [A-Z]+ \S+\.$"  # compiled, pandas 2 would leave Arrow

Cell = list[Any]


def table(rows: pd.DataFrame, *, caption: str, now: pd.Timestamp, most: int) -> dict[str, Any]:
    """Return some rows as a table.

    Args:
        rows: Any frame.
        caption: What they are.
        now: The current time.
        most: How many rows to show.

    Returns:
        ``caption, columns`` (titles), ``rows`` (lists of cells), ``more``: the line about the rows that are not shown.
    """
    part = rows.head(shown_of(len(rows), most))
    columns: dict[str, list[Cell]] = {}
    if "token_id" in part:
        columns["Token"] = _tokens(part)
        part = part.drop(columns=["token_id", "owner", "comment"], errors="ignore")
    if "principal" in part:
        columns["Principal"] = _principals(part)
        part = part.drop(columns=["principal", "kind", "via"], errors="ignore")
    if {"tokens", "effect"} <= {*part}:
        columns["Tokens"] = _losses(part)
        part = part.drop(columns=["tokens", "effect"])
    for name in part.columns:
        cells = _cells(str(name), part, now) if name not in _NOT_SHOWN else []
        if any(cell[1] for cell in cells):
            columns[_TITLES.get(str(name), formatting.sentence(formatting.shown(str(name)).replace("_", " ")))] = cells
    more = len(rows) - len(part)
    return {
        "caption": caption,
        "columns": list(columns),
        "rows": [list(cells) for cells in zip(*columns.values(), strict=True)],
        "more": f"… and {pluralize(more, 'more row')}" if more else "",
    }


def without_requests(messages: pd.Series[str]) -> pd.Series[str]:
    """Return errors of tokens without their last sentence, which repeats the id."""
    return formatting.text(messages).str.replace(_REQUEST, "", regex=True)


def line(cells: list[Cell]) -> str:
    """Return the cells of a row as one line of text, for a list."""
    return " · ".join(filter(None, (" ".join(filter(None, _flat(cell))) for cell in cells)))


def _flat(cell: Cell) -> list[str]:
    kind, *values = cell
    if kind == "token":
        title, owner, short = values
        return [" · ".join(filter(None, [title or "no comment", owner, short]))]
    if kind == "outcome":  # its severity is a color
        return [values[0]]
    return ["; ".join(values[0])] if kind == "pills" else [str(value) for value in values]


def _tokens(rows: pd.DataFrame) -> list[Cell]:
    absent = [""] * len(rows)
    texts = [
        formatting.text(rows[name]).fillna("").tolist() if name in rows else absent for name in ("comment", "owner")
    ]
    short = [formatting.short_id(token_id) for token_id in rows["token_id"]]
    return [["token", *cell] for cell in zip(*texts, short, strict=True)]


def _principals(rows: pd.DataFrame) -> list[Cell]:
    texts = [formatting.text(rows[name]).fillna("") for name in ("principal", "kind", "via") if name in rows]
    return [["principal", name, " · ".join(filter(None, map(words, more)))] for name, *more in zip(*texts, strict=True)]


def _losses(rows: pd.DataFrame) -> list[Cell]:
    effects = rows["effect"].map(words).where(rows["tokens"] > 0, "")
    return [["two", f"{count:,}", effect] for count, effect in zip(rows["tokens"], effects, strict=True)]


def _cells(name: str, rows: pd.DataFrame, now: pd.Timestamp) -> list[Cell]:
    column = rows[name]
    if name == "last_used_day":
        return [
            ["two", never, ""] if pd.isna(day) else ["two", formatting.ago(day, now), f"{day:%Y-%m-%d}"]
            for day, never in zip(column, never_used(rows), strict=True)
        ]
    if name == "workspace":
        column = column.map(formatting.place)
    texts = formatting.text(column).fillna("").tolist()
    if name == "error":
        texts = without_requests(column).fillna("").tolist()
        texts = [_LONG_ID.sub(lambda found: formatting.short_id(found[0]), text) for text in texts]
    if name == "change":
        texts = [text.replace("->", "→") for text in texts]
    if name in _VALUES:
        texts = [words(text) for text in texts]
    if name == "warnings":
        pills = [[warning for warning in text.split("; ") if warning] for text in texts]
        return [["pills", each, [WARNING_LEVELS.get(warning, "") for warning in each]] for each in pills]
    if name in _SCOPES:  # no new scopes are no change, and no scopes are no limit
        names = column.map(formatting.scope_names)
        return [["pills", each] for each in (names if name == "scopes" else names.where(column.notna(), ""))]
    if name == "outcome":
        return [["outcome", text, _OUTCOME_LEVELS.get(text, "")] for text in texts]
    return [["text", text] for text in texts]
