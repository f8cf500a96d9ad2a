"""What the permission review shows about its draft and the plan of it: plain data, fit for JSON.

All texts are redacted and printable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tokenkit.actions.permissions import PermissionPlan
from tokenkit.core.wording import SHORT_ID, of, pluralize
from tokenkit.review import access
from tokenkit.review.values import words
from tokenkit.widgets import formatting, paging, plan_table
from tokenkit.widgets.decision import SHOWN_ROWS
from tokenkit.widgets.draft import KINDS, Draft, Key, Names
from tokenkit.widgets.entries import CHANGED, Costs, Entries

LOSING, NOT_KNOWN = "Principals losing permission", "Unknown impact: more tokens could be lost"
_IN_USE_DAYS = 7
_ENDS = {"group": "deleted or disabled", "user": "deleted", "service_principal": "deleted"}

Section = dict[str, Any]


def costs_of(costs: pd.DataFrame) -> Costs:
    """Return the row of each entry in ``access.entry_costs``."""
    rows = zip(costs["kind"], costs["name"], costs.to_dict("records"), strict=True)
    return {(kind, name): {str(column): value for column, value in row.items()} for kind, name, row in rows}


def entries(listed: Entries) -> Section:
    """Return the rows of the page, and its place if there can be several."""
    pages = paging.section(listed)
    return {
        "rows": [_entry(listed, entry, key) for entry, key in listed.on_page().items()],
        **(pages if is_long(listed) else pages | {"sizes": [], "place": ""}),
        "empty": "" if listed.matching else "No entry matches the filters.",
    }


def is_long(listed: Entries) -> bool:
    """Return whether there is something to search: more entries than the smallest page has, or a filter."""
    return len(listed) > paging.PAGE_SIZES[0] or listed.is_filtered


def _entry(listed: Entries, entry: str, key: Key) -> Section:
    draft, title = listed.draft, listed.names.title(key)
    return {
        "id": entry,
        "kind": words(key[0]),
        "name": formatting.shown(title),
        "detail": formatting.shown(key[1]) if title != key[1] else "",
        "level": draft.level(key) or "",
        "levels": draft.levels(key),
        "fixed": draft.fixed(key),
        "change": draft.change(key),
        **_cost(key, draft, listed.costs.get(key)),
    }


def quick(listed: Entries) -> list[Section]:
    """Return the quick filters with their counts; none for a short list."""
    labels = {"": "All", CHANGED: "Changed"} | {kind: f"{words(kind).capitalize()}s" for kind in KINDS}
    counts = listed.counts()
    return [
        {"value": value, "label": label, "count": counts[value], "severity": "", "on": value == listed.quick}
        for value, label in labels.items()
        if is_long(listed)
    ]


def filters(listed: Entries) -> Section | None:
    """Return the search text and the number of matches; None for a short list."""
    if not is_long(listed):
        return None
    return {
        "searched": "Search principals",
        "text": listed.text,
        "chips": [],
        "fields": [],
        "match": match(listed),
        "matching": listed.matching,
        "is_filtered": listed.is_filtered,
    }


def match(listed: Entries) -> str:
    """Return how many entries match."""
    total = _entries(len(listed))
    return f"{listed.matching:,} of {total} match" if listed.is_filtered else total


def _entries(count: int) -> str:
    return f"{count:,} {of(count, 'entry', 'entries')}"


def _cost(key: Key, draft: Draft, cost: Mapping[str, Any] | None) -> Section:
    if draft.change(key) == "new":
        return {"members": "", "alone": "", "tokens": "", "ends": ""}
    if cost is None:
        return {"members": "not listed", "alone": "unknown", "tokens": "unknown", "ends": ""}
    more = "" if cost["complete"] else " or more"
    members, alone, tokens = (f"{int(cost[name]):,}{more}" for name in ("members", "alone", "tokens"))
    is_kept = draft.fixed(key)
    return {
        "members": members if key[0] == "group" else "",
        "alone": alone,
        "tokens": "" if is_kept else tokens,
        "ends": "" if is_kept or tokens == "0" else _ENDS[key[0]],
    }


def counts(listed: Entries, tokens: pd.DataFrame) -> str:
    """Return what there is, in numbers."""
    active = int((tokens["status"] == "active").sum())
    return f"{_entries(len(listed))}, {pluralize(active, 'active token')}"


def adding(names: Names, kind: str, text: str, *, is_added: bool = False) -> Section:
    """Return the kinds of principals that can be added, and the names of one kind that contain a text.

    Args:
        names: The principals.
        kind: Their kind.
        text: The typed text.
        is_added: Whether the text has just become an entry, so that the field is to be emptied.
    """
    return {
        "kinds": [[words(kind), kind] for kind in KINDS],
        "kind": kind,
        "offered": list(names.offered(kind, text)),
        "is_added": is_added,
    }


def changes(draft: Draft, names: Names) -> list[str]:
    """Return a sentence for each change of the draft."""
    told = []
    for key in draft.everybody():
        if change := draft.change(key):
            who = f"{words(key[0])} {formatting.shown(names.label(key))}"
            level = draft.level(key)
            told.append(
                f"Add {who} with {level}."
                if change == "new"
                else f"Remove {who}."
                if level is None
                else f"Change {who} from {change.removeprefix('was ')} to {level}."
            )
    return told


def in_one_line(sentences: list[str], *, most: int = 4) -> str:
    """Return the first changes as one text."""
    more = len(sentences) - most
    return " ".join(sentences[:most]) + (f" And {pluralize(more, 'more change')}." if more > 0 else "")


def nothing(verdict: str) -> Section:
    """Return the impact of a draft without a plan."""
    return {"verdict": verdict, "cards": [], "tables": []}


def impact(plan: PermissionPlan, *, now: pd.Timestamp) -> Section:
    """Return what a plan does to principals and tokens."""
    losing = plan.losing_access.sort_values("tokens", ascending=False, kind="stable")
    tokens = plan.preview().drop(columns="protected", errors="ignore")  # which have checkboxes
    tables = {LOSING: losing, NOT_KNOWN: plan.not_known, "Tokens that will be deleted or disabled": tokens}
    shown = [
        plan_table.table(rows, caption=title, now=now, most=SHOWN_ROWS) for title, rows in tables.items() if len(rows)
    ]
    return {"verdict": _verdict(plan), "cards": _cards(plan, now), "tables": shown}


def _verdict(plan: PermissionPlan) -> str:
    if len(plan.losing_access):
        losing, tokens = pluralize(len(plan.losing_access), "principal"), pluralize(len(plan), "token")
        first = (
            f" Allow each of {pluralize(len(plan.protected), 'protected token')} first." if len(plan.protected) else ""
        )
        return f"{losing} would lose permission, and {tokens} would be deleted or disabled.{first}"
    if len(plan.not_known):
        return "It is unknown how many principals would lose permission."
    return "No principal would lose permission, and no token would be deleted."


def _cards(plan: PermissionPlan, now: pd.Timestamp) -> list[Section]:
    tokens = plan.preview()
    disabled = int((tokens["effect"] == access.DELETED_OR_DISABLED).sum())
    in_use = int((tokens["last_used_day"] > now - pd.Timedelta(days=_IN_USE_DAYS)).sum())
    principals = [len(plan.not_known), len(plan.gaining_access), len(plan.keeping_access)]
    cards = [
        (len(plan.losing_access), "{principal} losing permission", ""),
        (len(plan) - disabled, "{token} deleted for good", "high"),
        (disabled, "{token} deleted or disabled (Databricks documents both)", "medium"),
        (in_use, f"of them used in the last {_IN_USE_DAYS} days", "high"),
        (len(plan.protected), "protected {token} among them", "high"),
        (principals[0], "{principal} with unknown impact", "medium"),
        (principals[1], "{principal} gaining permission", ""),
        (principals[2], "{principal} keeping permission through another path", ""),
    ]
    return [
        {
            "count": count,
            "label": label.format(token=of(count, "token"), principal=of(count, "principal")),
            "level": level,
        }
        for count, label, level in cards
        if count
    ]


def protected(offered: pd.DataFrame, allowed: Mapping[str, bool]) -> list[Section]:
    """Return the protected tokens, each with whether the user allowed its deletion."""
    shown = pd.DataFrame({name: formatting.text(offered[name]) for name in ("owner", "comment", "reason")}).fillna("")
    return [
        {
            "id": token_id,
            "text": " · ".join(filter(None, [token_id[:SHORT_ID], *words])),
            "on": allowed.get(token_id, False),
        }
        for token_id, words in zip(offered["token_id"], shown.to_numpy().tolist(), strict=True)
    ]
