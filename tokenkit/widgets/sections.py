"""What the explorer's screen shows about its model: plain data, fit for JSON, without comments except in rows.

All texts are redacted and printable. Values that the screen only sends back, such as an owner to filter by, are as they
are in the listing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tokenkit.core.wording import pluralize, shown_of
from tokenkit.widgets import evidence, formatting, paging
from tokenkit.widgets.actions import Action
from tokenkit.widgets.facets import Choice, DayFacet, Span
from tokenkit.widgets.model import DANGER, QUICK_FILTER, TEXT_FILTER, USED_BY, Model, holds

OFFERED_CHOICES = 100
_BARS = 7
_CHARTS = ("expiry", "idle", "age", "rule", "owner")
_SEVERE = {"High risk": "high"}
COLUMNS = {
    "comment": "Token",
    DANGER: "Findings",
    "last_used_day": "Last used",
    USED_BY: "Used by",
    "expiry_time": "Expires",
    "scopes": "Scopes",
    "workspace": "Workspace",
}
"""The columns of the table, by what they sort by."""

Section = dict[str, Any]


def title_of(column: str) -> str:
    """Return the title of the column that sorts by this."""
    return COLUMNS.get(column, column)


def table(model: Model, *, now: pd.Timestamp) -> Section:
    """Return the rows of the page, and its place."""
    positions = model.rows_on_page()
    column, descending = model.sorted_by or ("", False)
    absent = {"workspace"} - set(model.tokens.columns) | ({USED_BY} if model.evidence is None else set())
    if not model.is_audited:  # which an empty column would show as "no findings"
        absent |= {DANGER}
    rows = formatting.rows(
        model.on_page(), model.keys_on_page(), model.findings_of(positions), model.scheduled, now=now
    )
    if model.evidence is not None:
        used = evidence.cells(model.evidence.iloc[positions], now=now)
        rows = [row | {"used_by": cell} for row, cell in zip(rows, used, strict=True)]
    return {
        "columns": [{"name": name, "title": title} for name, title in COLUMNS.items() if name not in absent],
        "sort": "" if column in absent else column,
        "descending": descending,
        "rows": rows,
        **paging.section(model),
        "empty": "" if len(positions) else _empty(model),
    }


def _empty(model: Model) -> str:
    return "No token matches the filters." if len(model.tokens) else "There are no tokens."


def selection(model: Model) -> Section:
    """Return which rows of the page are selected, and how many tokens are in all."""
    chosen = model.selection
    return {
        "ids": [key for key in model.keys_on_page() if key in chosen],
        "count": len(chosen),
        "hidden": model.hidden,
        "matching": model.matching,
    }


def quick(model: Model) -> list[Section]:
    """Return the quick filters with their counts. Those that no token of the listing has are left out."""
    counts, totals = model.counts(QUICK_FILTER), model.total(QUICK_FILTER)
    chosen = model.filters.get(QUICK_FILTER)
    everything = {
        "value": "",
        "label": "All",
        "count": model.matching_without(QUICK_FILTER),
        "severity": "",
        "on": not chosen,
    }
    return [
        everything,
        *(
            {
                "value": name,
                "label": name,
                "count": count,
                "severity": _SEVERE.get(name, ""),
                "on": name == chosen,
            }
            for name, count in counts.items()
            if totals[name] or name == chosen
        ),
    ]


def filters(model: Model) -> Section:
    """Return the search text, the filters as chips, the number of matches, and the fields to filter by."""
    return {
        "searched": "Search comment, owner, creator and id",
        "text": str(model.filters.get(TEXT_FILTER, "")),
        "chips": [
            {"field": name, "label": chip(model, name, value)}
            for name, value in model.filters.items()
            if name != QUICK_FILTER
        ],
        "match": match(model),
        "matching": model.matching,
        "is_filtered": bool(model.filters),
        "fields": [
            {"name": name, "title": facet.title, "is_days": isinstance(facet, DayFacet)}
            for name, facet in model.facets.items()
            if name != QUICK_FILTER
        ],
    }


def chip(model: Model, name: str, value: Choice) -> str:
    """Return a filter in words: ``Status: active``."""
    if name == TEXT_FILTER:
        return f"Search: {formatting.shown(value)}"
    title = model.facets[name].title
    if isinstance(value, Span):
        low, high = value.low, value.high
        if low is None:
            return f"{title}: at most {pluralize(high or 0, 'day')}"
        return f"{title}: at least {pluralize(low, 'day')}" if high is None else f"{title}: {low:,} to {high:,} days"
    values = chosen_of(model, name)
    many = f" ({len(values):,})" if len(values) > 2 else ""  # first, as the end may be cut
    return f"{title}{many}: {', '.join(label(name, text) for text in values[:2])}{', …' if many else ''}"


def label(name: str, value: str) -> str:
    """Return the displayed form of a choice."""
    if name == "owner_kind":
        return formatting.KINDS.get(value, formatting.shown(value))
    if name == "workspace":
        return formatting.place(value)
    return formatting.rule_name(value) if name == "rule" else formatting.shown(value)


def match(model: Model) -> str:
    """Return how many tokens match."""
    total = pluralize(len(model.tokens), "token")
    return f"{model.matching:,} of {total} match" if model.filters else total


def chosen_of(model: Model, name: str) -> list[str]:
    """Return the choices of a filter; none if it is a range of days."""
    value = model.filters.get(name, ())
    return [value] if isinstance(value, str) else [] if isinstance(value, Span) else list(value)


def choices(model: Model, name: str, query: str = "") -> Section:
    """Return the choices of a field, the chosen ones first, that contain a text."""
    if name not in model.facets or name == QUICK_FILTER:
        return {"field": "", "query": "", "items": [], "empty": "", "more": ""}
    facet, counts = model.facets[name], model.counts(name)
    value, chosen = model.filters.get(name), chosen_of(model, name)
    wanted = query.strip().lower()
    offered = [choice for choice, count in counts.items() if (count or choice in chosen) and wanted in choice.lower()]
    offered.sort(key=lambda choice: choice not in chosen)
    shown = shown_of(len(offered), OFFERED_CHOICES)
    more = len(offered) - shown
    return {
        "field": name,
        "title": facet.title,
        "query": query,
        "is_days": isinstance(facet, DayFacet),
        "low": "" if not isinstance(value, Span) or value.low is None else str(value.low),
        "high": "" if not isinstance(value, Span) or value.high is None else str(value.high),
        "items": [
            {"value": choice, "label": label(name, choice), "count": counts[choice], "on": choice in chosen}
            for choice in offered[:shown]
        ],
        "empty": "No value contains this text." if wanted else _empty(model),
        "chosen": chosen,
        "more": f"… and {more:,} more. Type part of the name." if more else "",
        "searchable": len(counts) > 8,
    }


def panel(model: Model, key: str, *, now: pd.Timestamp) -> Section | None:
    """Return the details of a token; None if it is no longer listed."""
    row = model.row_of(key)
    if row is None:
        return None
    token = model.tokens.iloc[row]
    same_owner = holds(model.tokens["owner"] == token["owner"]) & (np.arange(len(model.tokens)) != row)
    others = model.tokens[same_owner].assign(key=model.keys[same_owner])
    return {
        "id": key,
        "schedule": _schedule(model, str(token["token_id"]), now),
        "use": _use(model, row, now),
        **formatting.details(token, model.findings_of(np.array([row])), others, now=now),
    }


def _use(model: Model, row: int, now: pd.Timestamp) -> Section | None:
    if model.evidence is None or model.usage is None:
        return None
    return evidence.details(model.evidence.iloc[row], model.usage, now=now)


def _schedule(model: Model, token_id: str, now: pd.Timestamp) -> Section | None:
    if token_id not in model.scheduled.index:
        return None
    run = model.scheduled.loc[token_id]
    count = int((model.scheduled["run_id"] == run["run_id"]).sum())
    return {
        "run": run["run_id"],
        "text": f"Its revocation is scheduled for {run['due']:%Y-%m-%d} (run {run['run_id']}, "
        f"{pluralize(count, 'token')}).",
        "is_due": bool(run["due"] <= now),
        "count": count,
    }


def unfinished(runs: pd.DataFrame | None) -> Section | None:
    """Return the newest run of which something remains, to resume it; None if there is none."""
    if runs is None or runs.empty:
        return None
    newest = runs.iloc[0]
    count = len(runs)
    return {
        "text": f"Run {newest['run_id']} is unfinished."
        if count == 1
        else f"{pluralize(count, 'run')} are unfinished. The newest is {newest['run_id']}.",
        "run": newest["run_id"],
        "label": f"Resume ({newest['remaining']:,} remaining) …",
    }


def charts(model: Model) -> list[Section]:
    """Return small charts of the matching tokens: counts only, whose bars are choices of a field."""
    found: list[Section] = []
    for name in _CHARTS:
        facet, counts = model.facets[name], model.counts(name)
        shown = [(choice, count) for choice, count in counts.items() if count or not facet.ranked][:_BARS]
        chosen = chosen_of(model, name)
        more = sum(1 for count in counts.values() if count) - len(shown)
        found.append(
            {
                "field": name,
                "title": facet.title + (f", the top {len(shown)}" if facet.ranked and more > 0 else ""),
                "bars": [
                    {"value": choice, "label": label(name, choice), "count": count, "on": choice in chosen}
                    for choice, count in shown
                ],
            }
        )
    return [chart for chart in found if any(bar["count"] for bar in chart["bars"])]


def actions(offered: Sequence[Action]) -> list[Section]:
    """Return the buttons that begin actions, the dangerous ones last."""
    ordered = sorted(offered, key=lambda action: (action.dangerous, action.name == "schedule"))
    return [
        {"name": action.name, "label": action.opens, "says": action.says, "danger": action.dangerous}
        for action in ordered
    ]
