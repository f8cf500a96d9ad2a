"""Durations and dates as text: ``90d``, ``12h``, ``2w``; ``2026-03-01``."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from typing import TYPE_CHECKING

from tokenkit import errors

if TYPE_CHECKING:
    import pandas as pd

_HOURS = {"h": 1, "d": 24, "w": 7 * 24}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([hdw])", re.ASCII | re.IGNORECASE)
_LONGEST_HOURS = 100 * 365.25 * 24
LONGEST_LIFETIME_DAYS = 730
"""The longest lifetime of a new token. A workspace's maximum may be lower."""


def duration(text: str | pd.Timedelta) -> pd.Timedelta:
    """Return the duration of ``90d``, ``12h`` or ``2w``. A number without a unit is ambiguous and not accepted.

    Raises:
        UsageError: The text is not a number followed by ``h``, ``d`` or ``w``, or is longer than a century.
    """
    span = _span(text)
    import pandas as pd  # noqa: PLC0415 - errors in a command line are reported without it

    return pd.Timedelta(span)


def lifetime(text: str | pd.Timedelta) -> pd.Timedelta:
    """Return the lifetime of a new token.

    Raises:
        UsageError: The text is not a duration, or not a valid lifetime.
    """
    allowed = f"The lifetime of a new token is at least 1 second and at most {LONGEST_LIFETIME_DAYS}d"
    if isinstance(text, str) and text.strip().lower() in {"never", "none", "forever", "unlimited"}:
        raise errors.UsageError(f"{text!r} is not a lifetime. {allowed}.")
    if not dt.timedelta(seconds=1) <= _span(text) <= dt.timedelta(days=LONGEST_LIFETIME_DAYS):
        raise errors.UsageError(f"{text!r} is not a valid lifetime. {allowed}.")
    return duration(text)


def date(text: str) -> pd.Timestamp:
    """Return the time in UTC of ``2026-03-01`` or ``2026-03-01T09:30+01:00``.

    Raises:
        UsageError: The text is not a date.
    """
    import pandas as pd  # noqa: PLC0415 - as above

    # Of other texts, such as 1m, pandas makes a time of the year 1.
    if re.match(r"[0-9]{4}-[0-9]", text):
        with contextlib.suppress(ValueError):
            found = pd.Timestamp(text)  # not `to_datetime`, which ends in 2262 in pandas 2
            return found.tz_localize("UTC") if found.tzinfo is None else found.tz_convert("UTC")
    raise errors.UsageError(f"{text!r} is not a date. Write 2026-03-01, or 2026-03-01T09:30+01:00.")


def duration_or_date(given: str | pd.Timedelta | pd.Timestamp) -> pd.Timedelta | pd.Timestamp:
    """Return a duration, which counts back from now, or a time in UTC.

    Raises:
        UsageError: The argument is neither.
    """
    text = given if isinstance(given, dt.timedelta) else str(given)
    with contextlib.suppress(errors.UsageError):
        return duration(text)
    with contextlib.suppress(errors.UsageError):
        return date(str(text))
    raise errors.UsageError(f"{given!r} is neither a duration nor a date. Write 7d, 12h or 2w, or 2026-03-01.")


def _span(text: str | dt.timedelta) -> dt.timedelta:
    if isinstance(text, dt.timedelta):
        return text
    match = _DURATION.fullmatch(str(text).strip())
    if not match:
        hint = _with_unit(str(text).strip())
        raise errors.UsageError(f"{text!r} is not a duration. Write a number with a unit: 90d, 12h or 2w.{hint}")
    hours = float(match[1]) * _HOURS[match[2].lower()]
    if hours > _LONGEST_HOURS:  # checked first, because many digits overflow
        raise errors.UsageError(f"{text!r} is longer than 100 years. Use a shorter duration.")
    return dt.timedelta(hours=hours)


def _with_unit(text: str) -> str:
    """Return a suggestion for a number without a unit."""
    if not (text.isascii() and text.isdigit()):
        return ""
    if len(text) <= 4 and int(text) <= LONGEST_LIFETIME_DAYS:
        return f" Write {text}d for days."
    return f" {text} seconds are {int(text) / 3600:g}h." if len(text) <= 9 else ""
