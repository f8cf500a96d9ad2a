"""The lifecycle of tokens: their status, age, idle time, and the time at which they stop working."""

from __future__ import annotations

import functools
import logging
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit import frames
from tokenkit.review import texts
from tokenkit.review.values import FIXED

IDLE_LIMIT_DAYS = 90
"""Days without use after which the platform revokes a token (Databricks documentation)."""

LIFECYCLE = frames.schema(
    status=str,
    never_expires=bool,
    age_days=float,
    lifetime_days=float,
    expires_in_days=float,
    idle_days=float,
    effective_end=frames.TIME,
)
"""The columns that ``with_lifecycle`` adds, in this order. Spark, snapshots and the tests take them from here."""

_DAY_MS = 86_400_000
_TOLERANCE = np.timedelta64(10, "m")  # clocks of computers differ by less
_LOGGER = logging.getLogger("tokenkit")


def with_lifecycle(tokens: pd.DataFrame, *, now: pd.Timestamp | pd.Series[pd.Timestamp]) -> pd.DataFrame:
    """Return the listing with the lifecycle of each token at a point in time.

    Added: ``status`` (``active`` or ``expired``), ``never_expires``, ``age_days``, ``lifetime_days`` (total: from
    creation to expiry), ``expires_in_days`` (negative once expired), ``idle_days`` (since the last use, or since
    creation if the token was never used), ``effective_end``. Days are ``Float64``, and ``<NA>`` if a token never
    expires or a time is unknown.

    A last use before the day of creation is an error in the data. Such a token has ``idle_days`` of ``<NA>``, and its
    ``effective_end`` is its expiry. The log reports the number of such tokens. Days are 0 for a token that was created
    or used after ``now``.

    Args:
        tokens: A listing with the columns of ``frames.TOKENS``; it is not changed.
        now: The reference time, with a time zone; or one for each token, in the listing's order.
    """
    created, used, expires = (_times(tokens[name]) for name in ("creation_time", "last_used_day", "expiry_time"))
    seen = _later(used, created)
    if impossible := int((~np.isnat(created) & np.isnat(seen)).sum()):
        _LOGGER.warning(
            "%d of %d tokens have a last_used_day before their creation, which is an error in the data; "
            "their idle time is unknown",
            impossible,
            len(tokens),
        )
    moment = _moment(now)
    index = tokens.index
    return tokens.assign(
        status=texts.series(pc.if_else(pa.array(expires <= moment), "expired", "active"), index),
        never_expires=np.isnat(expires),
        age_days=_days_since(created, moment, index),
        lifetime_days=_days(expires - created, index),
        expires_in_days=_days(expires - moment, index),
        idle_days=_days_since(seen, moment, index),
        effective_end=_moments(_end(seen, expires), index),
    )


def check_clock(tokens: pd.DataFrame, *, now: pd.Timestamp | pd.Series[pd.Timestamp]) -> None:
    """Log how many tokens were created or used after the time of this computer's clock, which means that it is wrong.

    A time that somebody gave is not checked: a listing is newer than a past day on purpose.

    Args:
        tokens: A listing with the columns of ``frames.TOKENS``.
        now: The time of the clock, or one for each token. NaT checks nothing.
    """
    moment = _moment(now)
    is_ahead = _times(last_seen(tokens)) > moment + _TOLERANCE
    if ahead := int(is_ahead.sum()):
        _warn_of_clock(ahead, len(tokens), f"{pd.Series(moment).max():%Y-%m-%d %H:%M}")


def _moment(now: pd.Timestamp | pd.Series[pd.Timestamp]) -> np.datetime64 | npt.NDArray[np.datetime64]:
    return now.as_unit("ms").asm8 if isinstance(now, pd.Timestamp) else _times(now)


@functools.lru_cache(maxsize=100)  # once, although a command reads a listing several times
def _warn_of_clock(ahead: int, total: int, now: str) -> None:
    _LOGGER.warning(
        "%d of %d tokens were created or used after the current time (%s UTC); check the clock of this computer, "
        "because ages and ends depend on it",
        ahead,
        total,
        now,
    )


def last_seen(tokens: pd.DataFrame) -> pd.Series[pd.Timestamp]:
    """Return the time of the last use of each token, or its creation time if it was never used.

    ``last_used_day`` is a UTC midnight and can precede a creation on the same day. In that case the creation time
    counts. NaT if the last use is before the day of creation, which is an error in the data.
    """
    return _moments(_later(_times(tokens["last_used_day"]), _times(tokens["creation_time"])), tokens.index)


def days_since_use(tokens: pd.DataFrame) -> pd.Series[int]:
    """Return the number of days (UTC) since the day of each token's last use.

    Unlike ``idle_days``, it does not depend on the time of the creation on that day.

    Args:
        tokens: A listing as ``with_lifecycle`` returns it.

    Returns:
        Indexed like ``tokens``: 0 if a token was used today, or after the current time of a clock that was set back.
        ``<NA>`` if it was never used, or if ``idle_days`` is missing.
    """
    before_seen = _days(_times(last_seen(tokens)) - _times(tokens["last_used_day"]), tokens.index)
    since = (tokens["idle_days"].astype("Float64") + before_seen) * _DAY_MS
    # Rounded to milliseconds: a sum of fractions of days can be just below a whole day.
    return (since.round() // _DAY_MS).clip(lower=0).astype("Int64")


def days_left(tokens: pd.DataFrame) -> pd.Series[float]:
    """Return the days until each token stops working, by expiry or by disuse, whichever is earlier.

    Args:
        tokens: A listing as ``with_lifecycle`` returns it.

    Returns:
        Indexed like ``tokens``: 0 if a listed token is idle for longer than the platform allows, negative if it
        expired, ``<NA>`` if its end is unknown.
    """
    disuse = _days_of_disuse_left(tokens)
    return tokens["expires_in_days"].where(~_is_earlier(disuse, tokens["expires_in_days"]), disuse)


def ends_by(tokens: pd.DataFrame) -> pd.Series[str]:
    """Return the cause of each token's ``effective_end``: ``expiry``, or ``disuse`` (90 days without use).

    Args:
        tokens: A listing as ``with_lifecycle`` returns it.

    Returns:
        Indexed like ``tokens``; missing if the end is unknown.
    """
    is_expiry = (tokens["effective_end"] == tokens["expiry_time"]).astype(bool)
    named = is_expiry.map({True: EXPIRY, False: DISUSE}).astype(frames.TEXT)
    return named.mask(tokens["effective_end"].isna())


EXPIRY, DISUSE = FIXED["ends_by"]
ON_REQUEST = MappingProxyType({"ends_by": ends_by})
"""The columns that a listing has only if they are asked for, with how each is computed."""


def ends_by_disuse(tokens: pd.DataFrame) -> pd.Series[bool]:
    """Return which tokens will be revoked for disuse before they expire, unless they are used."""
    return _is_earlier(_days_of_disuse_left(tokens), tokens["expires_in_days"])


def _is_earlier(disuse: pd.Series[float], expiry: pd.Series[float]) -> pd.Series[bool]:
    return (disuse.notna() & (expiry.isna() | (disuse < expiry).fillna(value=False))).astype(bool)


def _days_of_disuse_left(tokens: pd.DataFrame) -> pd.Series[float]:
    return (IDLE_LIMIT_DAYS - tokens["idle_days"]).clip(lower=0)


def effective_end(tokens: pd.DataFrame) -> pd.Series[pd.Timestamp]:
    """Return when each token stops working if it is not used again.

    The platform revokes tokens unused for 90 days, so a token "without expiry" still ends.

    Args:
        tokens: A listing with the columns of ``frames.TOKENS``.

    Returns:
        UTC timestamps, indexed like ``tokens``; NaT if neither time is known.
    """
    return _moments(_end(_times(last_seen(tokens)), _times(tokens["expiry_time"])), tokens.index)


# In NumPy: pandas takes a millisecond for each step over a short column, and a fleet has hundreds of short listings.
# In milliseconds: nanoseconds do not reach the year 9999.
_Times = npt.NDArray[np.datetime64]


def _times(column: pd.Series[Any]) -> _Times:
    return column.to_numpy(dtype="datetime64[ms]")


def _later(used: _Times, created: _Times) -> _Times:
    is_impossible = used < created.astype("datetime64[D]")
    return np.where(is_impossible, np.datetime64("NaT", "ms"), np.where(used > created, used, created))


def _end(seen: _Times, expires: _Times) -> _Times:
    idle_end = seen + np.timedelta64(IDLE_LIMIT_DAYS, "D")
    return np.where((idle_end <= expires) | np.isnat(expires), idle_end, expires)


def _moments(times: _Times, index: pd.Index) -> pd.Series[pd.Timestamp]:
    return pd.Series(times, index).dt.tz_localize("UTC")


def _days_since(times: _Times, moment: _Times | np.datetime64[Any], index: pd.Index) -> pd.Series[float]:
    """Return the days since past times. A time after the moment counts as the moment, because a clock is wrong."""
    return _days(np.maximum(moment, times) - times, index)


def _days(span: npt.NDArray[np.timedelta64], index: pd.Index) -> pd.Series[float]:
    return pd.Series(pd.arrays.FloatingArray(span.view("i8") / _DAY_MS, np.isnat(span)), index)
