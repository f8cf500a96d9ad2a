"""What a token's times mean: whether it still works, how old and how idle it is, and when it ends by itself."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit.review import texts

IDLE_LIMIT_DAYS = 90
"""The platform revokes tokens that were not used for so many days (Databricks documentation)."""

_DAY_MS = 86_400_000
_LOGGER = logging.getLogger("tokenkit")


def with_lifecycle(
    tokens: pd.DataFrame, *, now: pd.Timestamp | pd.Series[pd.Timestamp], idle_limit_days: int = IDLE_LIMIT_DAYS
) -> pd.DataFrame:
    """Return the listing with columns on each token's life, as of a moment.

    Added: ``status`` (``active`` or ``expired``), ``never_expires``, ``age_days``, ``lifetime_days`` (total: from
    creation to expiry), ``expires_in_days`` (negative once expired), ``idle_days`` (since the last use, or since
    creation where there was none), ``effective_end``. Days are ``Float64``, ``<NA>`` where a token never expires or a
    time is unknown.

    A last use before the day of creation is an error in the data. Such a token is not taken for an idle one: its
    ``idle_days`` are ``<NA>``, nothing but its expiry ends it, and the log says how many there are.

    Args:
        tokens: A listing with the columns of ``frames.TOKENS``; it is not changed.
        now: The moment that ages are counted to, with a zone; or one for each token, in the listing's order.
        idle_limit_days: Days without use after which the platform revokes.
    """
    created, used, expires = (_times(tokens[name]) for name in ("creation_time", "last_used_day", "expiry_time"))
    seen = _later(used, created)
    if impossible := int((~np.isnat(created) & np.isnat(seen)).sum()):
        _LOGGER.warning(
            "%d of %d tokens have a last_used_day before their creation, which is an error in the data; how long they "
            "have been idle is unknown",
            impossible,
            len(tokens),
        )
    moment = now.as_unit("ms").asm8 if isinstance(now, pd.Timestamp) else _times(now)
    index = tokens.index
    return tokens.assign(
        status=texts.series(pc.if_else(pa.array(expires <= moment), "expired", "active"), index),
        never_expires=np.isnat(expires),
        age_days=_days(moment - created, index),
        lifetime_days=_days(expires - created, index),
        expires_in_days=_days(expires - moment, index),
        idle_days=_days(moment - seen, index),
        effective_end=_moments(_end(seen, expires, idle_limit_days), index),
    )


def last_seen(tokens: pd.DataFrame) -> pd.Series[pd.Timestamp]:
    """Return when each token was last used; the creation time stands in for a use that never was.

    ``last_used_day`` is a UTC midnight, so a token made and used on one day seems used before it was made; the later
    counts. NaT where it is before the day of creation, as that cannot be.
    """
    return _moments(_later(_times(tokens["last_used_day"]), _times(tokens["creation_time"])), tokens.index)


def days_left(tokens: pd.DataFrame) -> pd.Series[float]:
    """Return in how many days each token ends by itself: by its expiry, or by disuse if that is sooner.

    Args:
        tokens: A listing as ``with_lifecycle`` returns it.

    Returns:
        Indexed like ``tokens``: 0 where a token that is listed has not been used for longer than the platform allows,
        negative where it expired, ``<NA>`` where no end is known.
    """
    return tokens["expires_in_days"].where(~ends_by_disuse(tokens), _days_of_disuse_left(tokens))


def ends_by_disuse(tokens: pd.DataFrame) -> pd.Series[bool]:
    """Return which tokens are revoked for disuse before they expire, unless they are used."""
    disuse, expiry = _days_of_disuse_left(tokens), tokens["expires_in_days"]
    return (disuse.notna() & (expiry.isna() | (disuse < expiry).fillna(value=False))).astype(bool)


def _days_of_disuse_left(tokens: pd.DataFrame) -> pd.Series[float]:
    return (IDLE_LIMIT_DAYS - tokens["idle_days"]).clip(lower=0)


def effective_end(tokens: pd.DataFrame, *, idle_limit_days: int = IDLE_LIMIT_DAYS) -> pd.Series[pd.Timestamp]:
    """Return when each token stops working if nobody uses it again.

    The platform revokes tokens unused for 90 days, so a token "without expiry" still ends.

    Args:
        tokens: A listing with the columns of ``frames.TOKENS``.
        idle_limit_days: Days without use after which the platform revokes.

    Returns:
        UTC timestamps, indexed like ``tokens``; NaT where neither time is known.
    """
    return _moments(_end(_times(last_seen(tokens)), _times(tokens["expiry_time"]), idle_limit_days), tokens.index)


# In NumPy, as pandas takes a millisecond for each step over a short column, and a fleet has hundreds of short listings.
# In milliseconds, as the way to the year 9999 does not fit into nanoseconds.
_Times = npt.NDArray[np.datetime64]


def _times(column: pd.Series[Any]) -> _Times:
    return column.to_numpy(dtype="datetime64[ms]")


def _later(used: _Times, created: _Times) -> _Times:
    is_impossible = used < created.astype("datetime64[D]")
    return np.where(is_impossible, np.datetime64("NaT", "ms"), np.where(used > created, used, created))


def _end(seen: _Times, expires: _Times, idle_limit_days: int) -> _Times:
    idle_end = seen + np.timedelta64(idle_limit_days, "D")
    return np.where((idle_end <= expires) | np.isnat(expires), idle_end, expires)


def _moments(times: _Times, index: pd.Index) -> pd.Series[pd.Timestamp]:
    return pd.Series(times, index).dt.tz_localize("UTC")


def _days(span: npt.NDArray[np.timedelta64], index: pd.Index) -> pd.Series[float]:
    return pd.Series(pd.arrays.FloatingArray(span.view("i8") / _DAY_MS, np.isnat(span)), index)
