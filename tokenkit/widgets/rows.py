"""A table of ``plan_table`` on a screen of ipywidgets: lines of text."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from tokenkit.widgets import plan_table, style

_MOST_LINES = 14


def lines(table: dict[str, Any]) -> widgets.Textarea:
    """Return a table as a text field that cannot be edited."""
    shown = [f"{number:,}. {plan_table.line(cells)}" for number, cells in enumerate(table["rows"], 1)]
    return style.field(
        widgets.Textarea,
        description=f"{table['caption']}: {', '.join(table['columns'])}" if table["caption"] else "Tokens",
        value="\n".join([*shown, *([table["more"]] if table["more"] else [])]),
        disabled=True,
        rows=min(_MOST_LINES, len(shown) + 2),
        names=("tk-list",),
    )
