"""Durations as people write them: ``90d``, ``12h``, ``2w``."""

from __future__ import annotations

import re

import pandas as pd

from tokenkit import errors

_HOURS = {"h": 1, "d": 24, "w": 7 * 24}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([hdw])", re.ASCII | re.IGNORECASE)
_LONGEST_HOURS = 100 * 365.25 * 24
LONGEST_LIFETIME = pd.Timedelta(days=730)
"""The longest lifetime that a new token can have; a workspace's maximum may be lower."""


def duration(text: str | pd.Timedelta) -> pd.Timedelta:
    """Return how long ``90d``, ``12h`` or ``2w`` is. A bare number needs its unit: 90 could be meant in any.

    Raises:
        UsageError: It is not a number and one of ``h``, ``d``, ``w``, or is longer than a century.
    """
    if isinstance(text, pd.Timedelta):
        return text
    match = _DURATION.fullmatch(str(text).strip())
    if not match:
        hint = _with_unit(str(text).strip())
        raise errors.UsageError(
            f"{text!r} is not a duration: write a number with its unit, as in 90d, 12h or 2w.{hint}"
        )
    hours = float(match[1]) * _HOURS[match[2].lower()]
    if hours > _LONGEST_HOURS:  # compared before it is made, as a long row of digits would overflow a Timedelta
        raise errors.UsageError(f"{text!r} is longer than a century.")
    return pd.Timedelta(hours=hours)


def lifetime(text: str | pd.Timedelta) -> pd.Timedelta:
    """Return the lifetime of a new token, written as a duration.

    Raises:
        UsageError: It is not a duration, or not one that a new token can have.
    """
    allowed = f"A new token lives at least 1 second and at most {LONGEST_LIFETIME.days}d"
    if isinstance(text, str) and text.strip().lower() in {"never", "none", "forever", "unlimited"}:
        raise errors.UsageError(f"{text!r} is not a lifetime. {allowed}.")
    span = duration(text)
    if not pd.Timedelta(seconds=1) <= span <= LONGEST_LIFETIME:
        raise errors.UsageError(f"{text!r} is not a lifetime that a token can have. {allowed}.")
    return span


def _with_unit(text: str) -> str:
    """Return how a bare number may have been meant."""
    if not (text.isascii() and text.isdigit()):
        return ""
    if len(text) <= 4 and int(text) <= LONGEST_LIFETIME.days:
        return f" Write {text}d for days."
    return f" {text} seconds are {int(text) / 3600:g}h." if len(text) <= 9 else ""
