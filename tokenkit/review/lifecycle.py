"""What a token's times mean: whether it still works, how old and how idle it is, and when it ends by itself."""

from __future__ import annotations

import pandas as pd

from tokenkit.frames import TEXT

IDLE_LIMIT_DAYS = 90
"""The platform revokes tokens that were not used for so many days (Databricks documentation)."""

_DAY_MS = 86_400_000


def with_lifecycle(tokens: pd.DataFrame, *, now: pd.Timestamp, idle_limit_days: int = IDLE_LIMIT_DAYS) -> pd.DataFrame:
    """Return the listing with columns on each token's life, all as of one moment.

    Added: ``status`` (``active`` or ``expired``), ``never_expires``, ``age_days``, ``lifetime_days`` (total: from
    creation to expiry), ``expires_in_days`` (negative once expired), ``idle_days`` (since the last use, or since
    creation where there was none), ``effective_end``. Days are ``Float64``, ``<NA>`` where a token never expires or a
    time is unknown.

    Args:
        tokens: A listing with the columns of ``frames.TOKENS``; it is not changed.
        now: The moment that ages are counted to, with a zone.
        idle_limit_days: Days without use after which the platform revokes.
    """
    created, expires = tokens["creation_time"], tokens["expiry_time"]
    now = now.as_unit("ms")  # in nanoseconds the difference to the year 9999 would not fit
    return tokens.assign(
        status=(expires <= now).map({True: "expired", False: "active"}).astype(TEXT),
        never_expires=expires.isna(),
        age_days=_days(now - created),
        lifetime_days=_days(expires - created),
        expires_in_days=_days(expires - now),
        idle_days=_days(now - last_seen(tokens)),
        effective_end=effective_end(tokens, idle_limit_days=idle_limit_days),
    )


def last_seen(tokens: pd.DataFrame) -> pd.Series[pd.Timestamp]:
    """Return when each token was last used; the creation time stands in for a use that never was.

    ``last_used_day`` is a UTC midnight, so a token made and used on one day seems used before it was made; the later
    counts.
    """
    used, created = tokens["last_used_day"], tokens["creation_time"]
    return used.where(used > created, created)


def effective_end(tokens: pd.DataFrame, *, idle_limit_days: int = IDLE_LIMIT_DAYS) -> pd.Series[pd.Timestamp]:
    """Return when each token stops working if nobody uses it again.

    The platform revokes tokens unused for 90 days, so a token "without expiry" still ends.

    Args:
        tokens: A listing with the columns of ``frames.TOKENS``.
        idle_limit_days: Days without use after which the platform revokes.

    Returns:
        UTC timestamps, indexed like ``tokens``; NaT where neither time is known.
    """
    idle_end = last_seen(tokens) + pd.Timedelta(days=idle_limit_days).as_unit("ms")
    expires = tokens["expiry_time"]
    return expires.where(expires < idle_end, idle_end.fillna(expires))


def _days(span: pd.Series[pd.Timedelta]) -> pd.Series[float]:
    # Not `span / Timedelta`: pandas 2.2 does that in nanoseconds, where the way to the year 9999 overflows in silence.
    milliseconds = span.dt.as_unit("ms").to_numpy().view("i8")
    days = pd.Series(milliseconds / _DAY_MS, index=span.index, dtype="Float64")
    return days.mask(span.isna())
