"""One audit of several workspaces, joined from the audit of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from tokenkit import frames
from tokenkit.core.wording import pluralize
from tokenkit.fleets.frames import by_workspace
from tokenkit.review.audit import Audit, MakePlan, unscoped_notes
from tokenkit.review.values import SEVERITIES


def joined_audit(audits: Mapping[str, Audit], *, name: str, plan: MakePlan) -> Audit:
    """Return the audits of workspaces as one, the most severe findings first.

    Args:
        audits: The audits by workspace, at least one.
        name: The name of the joined audit.
        plan: Returns a revocation plan for a frame of tokens with the column ``workspace``.
    """

    def stacked(part: Callable[[Audit], pd.DataFrame]) -> pd.DataFrame:
        return by_workspace({host: part(audit) for host, audit in audits.items()})

    findings = stacked(lambda audit: audit.findings)
    worst_first = findings["severity"].map(SEVERITIES.index).sort_values(kind="stable").index
    first = next(iter(audits.values()))
    summary = _summary(stacked(lambda audit: audit.summary), first.summary)
    # A waiver applies to all workspaces, so it is used if it matches in one of them.
    matching_nowhere = [
        note for note in first.unmatched_waivers if all(note in audit.unmatched_waivers for audit in audits.values())
    ]
    tokens, checked = stacked(lambda audit: audit.tokens), set(summary.loc[summary["findings"].notna(), "rule"])
    of_one = {note for audit in audits.values() for note in unscoped_notes(audit.tokens, rules=checked)}
    notes = dict.fromkeys(
        note
        for audit in audits.values()
        for note in audit.notes
        if note not in of_one and (note not in audit.unmatched_waivers or note in matching_nowhere)
    )
    return Audit(
        findings=findings.loc[worst_first].reset_index(drop=True),
        waived=stacked(lambda audit: audit.waived),
        summary=summary,
        tokens=tokens,
        notes=(*notes, *unscoped_notes(tokens, rules=checked)),
        unmatched_waivers=tuple(matching_nowhere),
        name=name,
        now=first.now,
        _plan=plan,
    )


def _summary(every: pd.DataFrame, first: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each rule in the order of the first audit, counted over the workspaces."""
    by_rule = every.groupby("rule", sort=False)
    # A rule that was not checked in any workspace has no count.
    counts = by_rule[["findings", "waived"]].sum(min_count=1)
    missing = every[every["not_checked"] != ""].groupby("rule", sort=False)["not_checked"].agg(["size", "first"])
    where = missing["size"].map(lambda count: f"{pluralize(count, 'workspace')}: ").astype(frames.TEXT)
    words = where + missing["first"]
    rules = first["rule"]
    return first.assign(
        findings=rules.map(counts["findings"]).astype("Int64"),
        waived=rules.map(counts["waived"]).astype("Int64"),
        not_checked=words.reindex(rules, fill_value="").array,
    )
