"""What "now" is: the time of day, or a moment that is given, so that a guide and a test can fix it."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

Clock = Callable[[], pd.Timestamp]


def clock_of(given: Clock | pd.Timestamp | str | None) -> Clock:
    """Return a clock in UTC: the time of day, or the one moment that is given; a moment without a zone is UTC's."""
    if given is None:
        return lambda: pd.Timestamp.now(tz="UTC")
    if callable(given):
        return given
    moment = pd.Timestamp(given)
    moment = moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
    return lambda: moment
