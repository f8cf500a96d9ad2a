"""The workspaces' current time, which can be moved forward."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DAY_SECONDS = 86_400


class MovableClock:
    """A clock that runs with another clock, ahead of it by a number of days."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._passed = 0.0

    def __call__(self) -> float:
        """Return the seconds since the epoch."""
        return self._clock() + self._passed

    def pass_days(self, days: float) -> None:
        """Move the clock forward."""
        with self._lock:
            self._passed += days * DAY_SECONDS

    def text(self) -> str:
        """Return the current time in ISO 8601."""
        return datetime.fromtimestamp(int(self()), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def running_from(start: str, clock: Callable[[], float]) -> Callable[[], float]:
    """Return a clock that starts at a given time and runs with another clock.

    Args:
        start: A time in ISO 8601; without a time zone, in UTC.
        clock: The other clock.

    Raises:
        ValueError: The text is not a time.
    """
    try:
        moment = datetime.fromisoformat(start)
    except ValueError:
        raise ValueError(f"--clock: {start!r} is not a time. Write 2026-03-01 or 2026-03-01T09:30+01:00.") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    offset = aware.timestamp() - clock()
    return lambda: clock() + offset
