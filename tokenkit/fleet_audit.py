"""One audit of several workspaces, joined from theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from tokenkit import frames
from tokenkit.actions.plan import counted
from tokenkit.fleet_plans import by_workspace
from tokenkit.review.audit import Audit, MakePlan, WriteReport
from tokenkit.review.rule import SEVERITIES


def joined_audit(audits: Mapping[str, Audit], *, name: str, plan: MakePlan, write: WriteReport) -> Audit:
    """Return the audits of workspaces as one, the worst findings first.

    Args:
        audits: At least one, by workspace.
        name: What they are called together.
        plan: Makes a revocation plan of a frame of tokens with the column ``workspace``.
        write: Writes an audit into a file.
    """

    def stacked(part: Callable[[Audit], pd.DataFrame]) -> pd.DataFrame:
        return by_workspace({host: part(audit) for host, audit in audits.items()})

    findings = stacked(lambda audit: audit.findings)
    worst_first = findings["severity"].map(SEVERITIES.index).sort_values(kind="stable").index
    first = next(iter(audits.values()))
    return Audit(
        findings=findings.loc[worst_first].reset_index(drop=True),
        accepted=stacked(lambda audit: audit.accepted),
        summary=_summary(stacked(lambda audit: audit.summary), first.summary),
        tokens=stacked(lambda audit: audit.tokens),
        notes=tuple(dict.fromkeys(note for audit in audits.values() for note in audit.notes)),
        name=name,
        now=first.now,
        plan=plan,
        write=write,
    )


def _summary(every: pd.DataFrame, first: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each rule in the order of the first audit, counted over the workspaces."""
    by_rule = every.groupby("rule", sort=False)
    # A rule that was checked nowhere has no count.
    counts = by_rule[["findings", "accepted"]].sum(min_count=1)
    missing = every[every["not_checked"] != ""].groupby("rule", sort=False)["not_checked"].agg(["size", "first"])
    where = missing["size"].map(lambda count: f"{counted(count, 'workspace')}: ").astype(frames.TEXT)
    words = where + missing["first"]
    rules = first["rule"]
    return first.assign(
        findings=rules.map(counts["findings"]).astype("Int64"),
        accepted=rules.map(counts["accepted"]).astype("Int64"),
        not_checked=words.reindex(rules, fill_value="").array,
    )
