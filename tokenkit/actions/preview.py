"""The short preview of a plan for every front end: a few rows, the most dangerous first, and closing lines."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import pandas as pd

from tokenkit.core.wording import pluralize
from tokenkit.review.preview import SHOWN_ROWS, WARNINGS, Preview, labelled, named, table, visible

if TYPE_CHECKING:
    from tokenkit.actions.plan import Plan, Summary


PROTECTED = "protected"
"""The column of a preview with the reasons why tokens are protected."""
LOST_TOKENS = "Tokens that will be deleted or disabled"
"""The caption of the tokens of a plan whose preview has more tables."""


def of(
    plan: Plan,
    *,
    title: str | None = None,
    tokens: pd.DataFrame | None = None,
    limit: int = SHOWN_ROWS,
    without: Collection[str] = (),
    labels: Mapping[str, str] = MappingProxyType({}),
    see_all: Callable[[str], str] = lambda _: "",
    names_tokens: bool = False,
) -> Preview:
    """Return the short preview of a plan.

    Args:
        plan: Any plan.
        title: The title, if the one from the plan's summary does not fit.
        tokens: The rows of the plan's own preview, with more columns.
        limit: The maximum number of rows to show of each table.
        without: The captions of tables that are shown elsewhere.
        labels: The names of workspaces in tables, by address.
        see_all: Returns how to see all rows of the table with a caption, as a clause.
        names_tokens: Whether warnings name the first of their tokens, because the tables are not shown.
    """
    summary = plan.summary()
    parts = dict(plan.principals())
    tokens = plan.preview() if tokens is None else tokens
    of_tokens = LOST_TOKENS if parts else ""
    parts[of_tokens] = worst_first_of(tokens, list(summary.warnings))
    parts = {caption: labelled(rows, labels) for caption, rows in parts.items()}
    tables = [
        table(rows, caption=caption, limit=limit, see_all=see_all(caption))
        for caption, rows in parts.items()
        if caption not in without
    ]
    doing = title or summary.doing or "nothing to do"
    return Preview(
        title=visible(doing[:1].upper() + doing[1:]),
        tables=tuple(shown for shown in tables if shown.total),
        closing=_closing(summary, _tokens_of_warnings(summary, parts[of_tokens]) if names_tokens else {}),
    )


def worst_first_of(tokens: pd.DataFrame, warnings: Sequence[str]) -> pd.DataFrame:
    """Return rows with the most dangerous first: protected ones, then by the most severe warning and the last use.
    Expired tokens are last, because nothing stops without them.

    Args:
        tokens: Rows of a preview; returned unchanged if it lacks these columns.
        warnings: All possible warnings, the most severe first.
    """
    if "last_used_day" in tokens:
        tokens = tokens.sort_values("last_used_day", ascending=False, na_position="last", kind="stable")
    if WARNINGS in tokens:
        ranks = {warning: rank for rank, warning in enumerate(warnings)}
        worst = tokens[WARNINGS].str.partition("; ")[0] if len(tokens) else tokens[WARNINGS]
        tokens = tokens.loc[worst.map(ranks).fillna(len(ranks)).sort_values(kind="stable").index]
    if "status" in tokens:
        tokens = tokens.sort_values("status", key=lambda statuses: statuses == "expired", kind="stable")
    if PROTECTED in tokens:
        tokens = tokens.sort_values(PROTECTED, key=lambda reasons: reasons == "", kind="stable")
    return tokens


def _tokens_of_warnings(summary: Summary, tokens: pd.DataFrame) -> dict[str, str]:
    """Return the first tokens of each warning, as a text, the most dangerous first."""
    warned = {warning: tokens["token_id"].isin(list(ids)) for warning, ids in summary.warned.items()}
    if WARNINGS in tokens:
        texts = tokens[WARNINGS].str.split("; ").explode()
        at = {warning: texts.index[texts == warning] for warning in summary.warnings}
        warned |= {warning: tokens.index.to_series().isin(rows) for warning, rows in at.items()}
    return {warning: named(tokens[is_warned]) for warning, is_warned in warned.items() if is_warned.any()}


def left_out(summary: Summary) -> list[str]:
    """Return a sentence for each reason for which a plan leaves tokens out."""
    return [f"Left out: {pluralize(count, 'token')} ({reason})." for reason, count in summary.left_out.items()]


def _closing(summary: Summary, named_tokens: Mapping[str, str]) -> tuple[str, ...]:
    counts = {what: count for what, count in summary.warnings.items() if count and what not in summary.explained}
    warnings = ", ".join(f"{what} ({count:,})" for what, count in counts.items() if what not in named_tokens)
    with_tokens = [
        f"Warning: {what} ({counts[what]:,}): {named_tokens[what]}." for what in counts if what in named_tokens
    ]
    explained = [f"Warning: {sentence}" for sentence in summary.explained.values()]
    closing = [
        summary.evidence,
        *left_out(summary),
        *summary.unprotected,
        *explained,
        *summary.outline,
        *with_tokens,
        f"Warnings: {warnings}." if warnings else "",
    ]
    return tuple(visible(line) for line in closing if line)
