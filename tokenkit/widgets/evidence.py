"""What used each token, as a screen shows it: cells of a table, and the details of one token.

Addresses are personal data. The details have them in a section of their own, so that a face whose state can be stored
in a notebook omits them.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from tokenkit.core.wording import pluralize, shown_of
from tokenkit.review.usage import MOST_LISTED, READ_FROM, SINCE, ago, programs, summary
from tokenkit.widgets import formatting

SHOWN_NAMES = 8
_NONE = ["no sign-in", "in the log"]


def cells(evidence: pd.DataFrame, *, now: pd.Timestamp) -> list[list[str]]:
    """Return the programs and the last use of each token of a page.

    Args:
        evidence: The rows of the tokens, as from ``usage.of_tokens``.
        now: The current time.
    """
    names = formatting.text(programs(evidence)).tolist()
    return [
        _NONE if pd.isna(last) else [formatting.cut(name), ago(last, now)]
        for name, last in zip(names, evidence["last_login"], strict=True)
    ]


def details(evidence: pd.Series[Any], usage: pd.DataFrame, *, now: pd.Timestamp) -> dict[str, Any]:
    """Return what a panel shows about the use of a token.

    Args:
        evidence: The row of the token, as from ``usage.of_tokens``.
        usage: The evidence of all tokens.
        now: The current time.

    Returns:
        ``sentences``: pairs of a name and a text. ``addresses``: more pairs, personal data. ``note``: the coverage of
        the log, and for a token without a sign-in what the log does not show.
    """
    sentences, addresses = [], []
    note = summary(usage)
    if pd.isna(evidence["logins"]):
        source = usage.attrs.get(READ_FROM)
        since = f" since {source[SINCE]}" if isinstance(source, dict) and SINCE in source else ""
        note = f"The audit log does not show a sign-in with this token{since}. {note}"
    else:
        days = pluralize(int(evidence["days_used"]), "day")
        sentences = [
            ["Programs", _counted(evidence, "clients") or "unknown"],
            ["Sign-ins", f"{int(evidence['logins']):,} on {days}"],
            ["First use", _time(evidence["first_login"])],
            ["Last use", f"{_time(evidence['last_login'])}, {ago(evidence['last_login'], now)}"],
            ["Networks", _counted(evidence, "source_networks") or "unknown"],
        ]
        addresses = [["Addresses", _counted(evidence, "source_addresses") or "unknown"]]
    return {"sentences": sentences, "addresses": addresses, "note": formatting.shown(note)}


def _counted(evidence: pd.Series[Any], name: str) -> str:
    """Return the most frequent names with their counts: ``dbt (4,100), curl (100) and 3 more``."""
    pairs = list(zip(evidence[name], evidence[f"{name}_counts"], strict=True))
    shown = shown_of(len(pairs), SHOWN_NAMES)
    texts = [f"{formatting.cut(formatting.shown(text))} ({count:,})" for text, count in pairs[:shown]]
    more = len(pairs) - shown
    at_least = "at least " if len(pairs) >= MOST_LISTED else ""
    return ", ".join(texts) + (f" and {at_least}{more:,} more" if more else "")


def _time(moment: pd.Timestamp) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
