"""What a token looks like on the screen: on one line of a table, and on a page of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tokenkit.export import words
from tokenkit.frames import TEXT
from tokenkit.printable import printable, printable_lines
from tokenkit.redaction import redact

COLUMNS: dict[str, str] = {
    "Workspace": "workspace",
    "Status": "status",
    "Owner": "owner",
    "Comment": "comment",
    "Idle days": "idle_days",
    "Expires": "expiry_time",
    "Scopes": "scopes",
    "Kind": "owner_kind",
    "Created": "creation_time",
    "Last used": "last_used_day",
    "Token id": "token_id",
}
"""The columns of the table, and what they are made of; those that a listing does not have are left out."""

ID_LETTERS = 12


def lines(tokens: pd.DataFrame, findings: pd.DataFrame | None) -> pd.DataFrame:
    """Return tokens as the table shows them: text, secrets in comments redacted, what was found beside the comment.

    Args:
        tokens: Rows of a listing, indexed by their positions in it.
        findings: What was found about them, with ``row``; None where there was no audit.
    """
    shown = {title: text(tokens[name]) for title, name in COLUMNS.items() if name in tokens.columns}
    shown["Expires"] = shown["Expires"].fillna("never")
    shown["Last used"] = shown["Last used"].fillna("never")
    shown["Idle days"] = whole_days(tokens["idle_days"])
    shown["Token id"] = text(tokens["token_id"]).str.slice(0, ID_LETTERS)
    table = pd.DataFrame(shown, index=tokens.index)
    if findings is not None:
        rules = findings.drop_duplicates(["row", "rule"]).groupby("row")["rule"].agg(", ".join)
        found = rules.reindex(table.index).astype(TEXT)
        table.insert(list(table.columns).index("Comment") + 1, "Found", found)
    return table


def details(token: pd.Series[Any], findings: pd.DataFrame) -> list[tuple[str, str]]:
    """Return everything about one token as names and texts, what is absent left out; what was found comes last."""
    pairs = []
    for name, value in token.items():
        said = _said(str(name), value)
        if said:
            pairs.append((printable(str(name).replace("_", " ")), _shown(said)))
    for finding in findings.to_dict("records"):
        severity = f" ({finding['severity']})" if isinstance(finding.get("severity"), str) else ""
        words = [str(finding[each]) for each in ("evidence", "remedy") if isinstance(finding.get(each), str)]
        pairs.append((f"{finding['rule']}{severity}", printable_lines(redact("\n".join(words) or "found"))))
    return pairs


def _said(name: str, value: Any) -> str:  # noqa: ANN401 - a cell
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    if isinstance(value, list | np.ndarray):
        return ", ".join(map(str, value))
    if pd.isna(value):
        return "never" if name in {"expiry_time", "last_used_day"} else ""
    if name.endswith("_days"):
        return f"{float(value):,.1f}"
    return str(value)


def text(column: pd.Series[Any]) -> pd.Series[str]:
    """Return a column as text: days for times, words for lists, secrets redacted."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return column.dt.strftime("%Y-%m-%d").astype(TEXT)
    if column.dtype == object:
        column = words(column)
    return column.astype(TEXT).map(_shown, na_action="ignore").astype(TEXT)


def _shown(text: str) -> str:
    return printable(redact(text))


def whole_days(column: pd.Series[Any]) -> pd.Series[str]:
    """Return days as whole numbers."""
    numbers = np.floor(column.astype("Float64").to_numpy(dtype=float, na_value=np.nan))
    return pd.Series(numbers, index=column.index).astype("Int64").astype(TEXT)
