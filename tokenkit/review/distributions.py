"""Distributions of a listing: counts by week, age, idle time and owner, small enough for a chart or a sentence.

They contain counts and no comments, so free text cannot appear in a chart.
"""

from __future__ import annotations

import pandas as pd

from tokenkit.review.values import SEVERITIES

IN_USE_DAYS = 30
"""Days without use below which a token counts as in use, so that it is expected to last until its expiry."""

WEEKS = 26
_DAYS_OF_A_WEEK = 7
_AGES = {30: "under 30 d", 90: "30-90 d", 180: "90-180 d", 365: "180-365 d", 730: "1-2 years", None: "2 years +"}
_IDLE_TIMES = {7: "under 7 d", 30: "7-30 d", 60: "30-60 d", 90: "60-90 d", None: "90 d +"}


def ends_by_week(tokens: pd.DataFrame, *, now: pd.Timestamp) -> pd.DataFrame:
    """Return how many active tokens end in each of the coming weeks, the one of ``now`` first.

    Tokens in use end at their expiry. Tokens idle for ``IN_USE_DAYS`` or more end when the platform revokes them, if
    that is earlier: a token that was not used for a month is unlikely to be used again.

    Args:
        tokens: A listing with the columns of ``Workspace.tokens``.
        now: The start of the first week, with a time zone.

    Returns:
        ``expires`` and ``unused``, indexed by the Monday (UTC) on which each week begins. A token that should have
        ended before ``now`` is counted in the first week.
    """
    today = now.tz_convert("UTC").as_unit("ms").normalize()
    monday = today - pd.Timedelta(days=today.weekday()).as_unit("ms")
    horizon = monday + pd.Timedelta(days=_DAYS_OF_A_WEEK * WEEKS).as_unit("ms")
    active = tokens[tokens["status"] == "active"]
    expires, is_idle = active["expiry_time"], (active["idle_days"] >= IN_USE_DAYS).fillna(value=False).astype(bool)
    ends = active["effective_end"].where(is_idle, expires)
    soon = ends < horizon
    # Only near times: the year 9999 exceeds the range of nanoseconds, which pandas 2.2 uses here.
    overdue = ends < monday
    week = (ends.mask(overdue, monday)[soon] - monday).dt.days // _DAYS_OF_A_WEEK
    at_expiry = (ends == expires)[soon]
    mondays = pd.DatetimeIndex([monday + pd.Timedelta(days=_DAYS_OF_A_WEEK * n) for n in range(WEEKS)], name="week")
    counts = {name: week[mask].value_counts() for name, mask in (("expires", at_expiry), ("unused", ~at_expiry))}
    return pd.DataFrame(
        {name: count.reindex(range(WEEKS), fill_value=0).to_numpy() for name, count in counts.items()}, index=mondays
    )


def by_age(tokens: pd.DataFrame) -> pd.DataFrame:
    """Return the number of active tokens by age: ``expires`` and ``never expires``, indexed by the label of the age."""
    active = tokens[tokens["status"] == "active"]
    return _count_by_bin(active["age_days"], _AGES, active["never_expires"], names=("expires", "never expires"))


def by_idle_time(tokens: pd.DataFrame) -> pd.DataFrame:
    """Return the number of active tokens by idle time: ``used before`` and ``never used``, indexed by the label of the
    idle time. A token that was never used is idle since its creation.
    """
    active = tokens[tokens["status"] == "active"]
    never_used = active["last_used_day"].isna()
    return _count_by_bin(active["idle_days"], _IDLE_TIMES, never_used, names=("used before", "never used"))


def by_owner(findings: pd.DataFrame) -> pd.DataFrame:
    """Return the number of findings by owner, the most severe first: ``high``, ``medium``, ``low``, indexed by owner.

    Args:
        findings: The findings of an audit. Those without an owner are about the workspace and are not counted.
    """
    counts = pd.crosstab(findings["owner"], findings["severity"]).reindex(columns=SEVERITIES, fill_value=0)
    counts.columns.name = None
    return counts.sort_values([*SEVERITIES], ascending=False, kind="stable")


def _count_by_bin(
    days: pd.Series[float], bins: dict[int | None, str], special: pd.Series[bool], *, names: tuple[str, str]
) -> pd.DataFrame:
    """Return counts of ordinary and special tokens by bin. Bins include their lower and not their upper edge."""
    edges = [float("-inf"), *(edge for edge in bins if edge is not None), float("inf")]
    known = days.notna()
    binned = pd.cut(days[known].astype(float), edges, right=False, labels=[*bins.values()])
    masks = zip(names, (~special[known], special[known]), strict=True)
    counts = pd.DataFrame({name: binned[mask].value_counts(sort=False) for name, mask in masks})
    return counts.set_axis(pd.Index([*bins.values()]))
