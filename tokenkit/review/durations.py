"""Durations as people write them: ``90d``, ``12h``, ``2w``."""

from __future__ import annotations

import re

import pandas as pd

from tokenkit import errors

_HOURS = {"h": 1, "d": 24, "w": 7 * 24}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([hdw])", re.ASCII | re.IGNORECASE)
_LONGEST_HOURS = 100 * 365.25 * 24


def duration(text: str | pd.Timedelta) -> pd.Timedelta:
    """Return how long ``90d``, ``12h`` or ``2w`` is. A bare number needs its unit: 90 could be meant in any.

    Raises:
        UsageError: It is not a number and one of ``h``, ``d``, ``w``, or is longer than a century.
    """
    if isinstance(text, pd.Timedelta):
        return text
    match = _DURATION.fullmatch(str(text).strip())
    if not match:
        hint = f" Write {text}d for days." if str(text).strip().isdigit() else ""
        raise errors.UsageError(
            f"{text!r} is not a duration: write a number with its unit, as in 90d, 12h or 2w.{hint}"
        )
    hours = float(match[1]) * _HOURS[match[2].lower()]
    if hours > _LONGEST_HOURS:  # compared before it is made, as a long row of digits would overflow a Timedelta
        raise errors.UsageError(f"{text!r} is longer than a century.")
    return pd.Timedelta(hours=hours)
