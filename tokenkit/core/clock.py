"""The current time: the system clock, or a fixed time for guides and tests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pandas as pd

from tokenkit import errors

Clock = Callable[[], pd.Timestamp]


def system_time() -> pd.Timestamp:
    """Return the time of the system's clock in UTC."""
    return pd.Timestamp.now(tz="UTC")


def system_clock() -> pd.Timestamp:
    """The clock of this computer. Unlike a time that somebody gave, it can be wrong."""
    return system_time()  # looked up when it is called, so that pages run at a fixed time


def clock_of(given: Clock | pd.Timestamp | str | None) -> Clock:
    """Return a clock in UTC: the system clock by default, or a fixed time. A time without a time zone is UTC.

    Raises:
        UsageError: The argument is neither a time nor a function.
    """
    if given is None or given is system_clock:
        return system_clock
    if callable(given):
        return lambda: moment("clock", given())
    timestamp = moment("clock", given)
    return lambda: timestamp


def moment(name: str, given: object) -> pd.Timestamp:
    """Return an argument as a time in UTC. A time without a time zone is UTC.

    Raises:
        UsageError: The argument is not a time.
    """
    try:
        timestamp = pd.Timestamp(given) if isinstance(given, str | dt.date) else None
    except ValueError:
        timestamp = None
    if timestamp is None or pd.isna(timestamp):
        hint = ", or a function that returns one" if name == "clock" else ""
        raise errors.UsageError(f'{name} must be a time, such as "2026-03-01 09:30"{hint}.')
    return timestamp.tz_localize("UTC") if timestamp.tzinfo is None else timestamp.tz_convert("UTC")
