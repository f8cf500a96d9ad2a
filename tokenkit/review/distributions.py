"""How a listing is spread: counts by week, age, idle time and owner, small enough for a chart or a sentence.

Counts only, so that nothing that somebody wrote into a comment can reach a picture.
"""

from __future__ import annotations

import pandas as pd

IN_USE_DAYS = 30
"""Days without use up to which a token counts as in use, so that nobody expects the platform to revoke it."""

WEEKS = 26
SEVERITIES = ("high", "medium", "low")
_DAYS_OF_A_WEEK = 7
_AGES = {30: "under 30 d", 90: "30-90 d", 180: "90-180 d", 365: "180-365 d", 730: "1-2 years", None: "2 years +"}
_IDLE_TIMES = {7: "under 7 d", 30: "7-30 d", 60: "30-60 d", 90: "60-90 d", None: "90 d +"}


def ends_by_week(tokens: pd.DataFrame, *, now: pd.Timestamp, weeks: int = WEEKS) -> pd.DataFrame:
    """Return how many active tokens end in each of the coming weeks, the one of ``now`` first.

    Tokens in use end at their expiry. For those idle for ``IN_USE_DAYS`` or more the platform's own revocation counts
    too, where it is earlier: what nobody used for a month is likely to be left so.

    Args:
        tokens: A listing with the columns of ``Workspace.tokens``.
        now: The moment that weeks are counted from, with a zone.
        weeks: How far to look.

    Returns:
        ``expires`` and ``unused``, indexed by the Monday (UTC) that a week begins with. A token that should have ended
        before ``now`` is counted in the first week.
    """
    today = now.tz_convert("UTC").as_unit("ms").normalize()
    monday = today - pd.Timedelta(days=today.weekday()).as_unit("ms")
    horizon = monday + pd.Timedelta(days=_DAYS_OF_A_WEEK * weeks).as_unit("ms")
    active = tokens[tokens["status"] == "active"]
    expires, left_alone = active["expiry_time"], (active["idle_days"] >= IN_USE_DAYS).fillna(value=False).astype(bool)
    ends = active["effective_end"].where(left_alone, expires)
    soon = ends < horizon
    # Only what is near: the way to the year 9999 does not fit in the nanoseconds that pandas 2.2 counts in.
    overdue = ends < monday
    week = (ends.mask(overdue, monday)[soon] - monday).dt.days // _DAYS_OF_A_WEEK
    at_expiry = (ends == expires)[soon]
    mondays = pd.DatetimeIndex([monday + pd.Timedelta(days=_DAYS_OF_A_WEEK * n) for n in range(weeks)], name="week")
    counts = {name: week[mask].value_counts() for name, mask in (("expires", at_expiry), ("unused", ~at_expiry))}
    return pd.DataFrame(
        {name: each.reindex(range(weeks), fill_value=0).to_numpy() for name, each in counts.items()}, index=mondays
    )


def by_age(tokens: pd.DataFrame) -> pd.DataFrame:
    """Return how many active tokens are how old: ``expires`` and ``never expires``, indexed by age in words."""
    active = tokens[tokens["status"] == "active"]
    return _counted(active["age_days"], _AGES, active["never_expires"], names=("expires", "never expires"))


def by_idle_time(tokens: pd.DataFrame) -> pd.DataFrame:
    """Return how many active tokens were not used for how long: ``used before`` and ``never used``, indexed by idle
    time in words. A token that was never used is idle since it was made.
    """
    active = tokens[tokens["status"] == "active"]
    never_used = active["last_used_day"].isna()
    return _counted(active["idle_days"], _IDLE_TIMES, never_used, names=("used before", "never used"))


def by_owner(findings: pd.DataFrame) -> pd.DataFrame:
    """Return how many findings each owner has, the worst first: ``high``, ``medium``, ``low``, indexed by owner.

    Args:
        findings: The findings of an audit; those without an owner are about the workspace and not counted.
    """
    counts = pd.crosstab(findings["owner"], findings["severity"]).reindex(columns=SEVERITIES, fill_value=0)
    counts.columns.name = None
    return counts.sort_values([*SEVERITIES], ascending=False, kind="stable")


def _counted(
    days: pd.Series[float], bins: dict[int | None, str], special: pd.Series[bool], *, names: tuple[str, str]
) -> pd.DataFrame:
    """Return counts of the ordinary and the special in bins, which hold their lower edge and not their upper one."""
    edges = [float("-inf"), *(edge for edge in bins if edge is not None), float("inf")]
    known = days.notna()
    binned = pd.cut(days[known].astype(float), edges, right=False, labels=[*bins.values()])
    masks = zip(names, (~special[known], special[known]), strict=True)
    counts = pd.DataFrame({name: binned[mask].value_counts(sort=False) for name, mask in masks})
    return counts.set_axis(pd.Index([*bins.values()]))
