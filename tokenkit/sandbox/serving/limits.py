"""A rate limit as a token bucket, which matches the observed behavior of the platform's limits."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class RateLimit:
    """A limit of requests per second, with a burst that refills while there are no requests."""

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._lock = threading.Lock()
        self._available = float(burst)
        self._filled_at = clock()

    def wait_seconds(self) -> int:
        """Take one request from the bucket.

        Returns:
            0 if one was available, else the whole seconds until one is (at least 1).
        """
        with self._lock:
            now = self._clock()
            refill = max(0.0, now - self._filled_at) * self._per_second
            self._available = min(self._burst, self._available + refill)
            self._filled_at = now
            if self._available >= 1:
                self._available -= 1
                return 0
            return max(1, math.ceil((1 - self._available) / self._per_second))
