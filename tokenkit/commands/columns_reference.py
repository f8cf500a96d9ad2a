"""Generates the page of all columns: ``python -m tokenkit.commands.columns_reference > docs/columns.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from tokenkit.commands import returned
from tokenkit.review.columns import spec_of

_HEAD = """# Columns

`ws.tokens()` and `tokenkit list` have the columns of the first three tables. `--columns NAMES` selects columns, and
`--columns help` lists those of a command. `--where` and `ws.tokens("…")` filter by them, and by `ends_by`. Times are in
UTC; NaT is "never" or "not known". Tables and pipes show a boolean as `yes` or blank, and as `?` if it is not known;
JSON has `null`, and CSV an empty cell. A list in a cell of CSV is JSON, as in `["sql", "jobs"]`; pipes and spreadsheets
separate the items by `; `. Tables of a fleet have `workspace` first. This page is generated from the table of the
columns.
"""


def page() -> str:
    """Return the page as Markdown."""
    listing = {
        "From the API": returned.API,
        "Derived from the time": returned.LIFECYCLE,
        "Derived from the users and service principals": returned.OWNER,
    }
    others = {f"Of `{path}`": columns for path, columns in returned.without_listing().items()}
    return _HEAD + "".join(_section(title, columns) for title, columns in {**listing, **others}.items() if columns)


def _section(title: str, columns: Iterable[str]) -> str:
    rows = "".join(f"| `{name}` | {spec_of(name).meaning} |\n" for name in columns)
    return f"\n## {title}\n\n| column | meaning |\n|---|---|\n{rows}"


if __name__ == "__main__":
    sys.stdout.write(page())
