"""One request rate for all workers, derived from the responses and not configured.

The limit of a workspace is not known beforehand, and it differs between endpoints. If each worker follows
``Retry-After`` on its own, the workers meet again at the end of their waits and are throttled again. A pause that all
workers share never ends. So one pacer serves all workers, in three phases:

**Opening.** Until the first 429, only the number of requests in flight is limited. It starts small and grows with each
response, by two fifths per round trip. Without a limit, all workers are soon busy; with one, few requests are
throttled.

**Search.** From the first 429 on, requests are sent one at a time. The rate starts in the middle of the limits that
workspaces have. It falls by three fifths at each 429, and doubles after a while without one, until it has once been
below the limit and met it. Then it goes back by half of the last doubling.

**Steady.** The 429s measure the limit: the allowance was used up at each of two 429s, so the limit is the number of
responses between them divided by the time between them. The rate goes slightly below that, and rises slowly until the
next 429; faster up to slightly below the lowest rate that was throttled. Occasional 429s are ignored: if a limit allows
no burst, a request that the network delayed meets the next one, which says nothing about the rate. For the same reason,
requests are never closer together than the rate says, even if the last one was sent late.

A 429 among the last requests delays the end of the run by at least a second. The requests of the last second are
therefore spaced by a tenth more, which costs a tenth of a second. A 429 for a request that was sent before the last
change of the rate contains no new information and changes nothing.

**Why no library?** Retry libraries pace each worker on its own. Under a limit of 30 requests per second (600 tokens),
workers that each obey ``Retry-After`` reached .54 to .96 of the ideal time, with 276 to 481 throttled requests, and 18
tokens failed. This pacer reaches .80 to 1.04, at most 3.5 % of its requests are throttled, and no token fails. At 100
per second it reaches .79 to .96 (medians; ``benchmarks/README.md``). The constants were chosen by simulating token
buckets of 5 to 100 requests per second with bursts of 1 to 30, for 16 and 64 workers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_FIRST_WINDOW = 4
_WINDOW_GROWTH = 0.4
_SEARCH_RATE = 50.0
_SEARCH_DECREASE = 0.4
_FOUND_DECREASE = 0.75  # the limit is between half of the rate, which was not throttled, and the rate
_DOUBLING_SECONDS = 0.2
_ENOUGH_ANSWERS = 4
_DECREASE = 0.8
_CEILING_DECREASE = 0.9  # the rate up to which it then rises fast: one 429 may be accidental
_BELOW_THE_LIMIT = 0.955
_CATCH_UP = 0.5  # of the difference to the lowest rate that was throttled, per second
_TOLERATED = 0.025  # 429s, as a share of the responses
_PRICE_OF_THE_SEARCH = 4  # 429s in addition
_GROWTH = 0.01  # of the rate, each second
_LEAST_GROWTH = 0.06  # requests a second, each second
_SLOWEST = 2.0  # below it, recovering from 429s with other causes would take minutes
_SMOOTHING = 0.2
_SHORTEST_WAIT_SECONDS = 1  # ``Retry-After`` is in whole seconds
_LAST_DISTANCE = 1.1


@dataclass(frozen=True, slots=True)
class Permit:
    """A request in flight: the time at which it was sent, and the number of the rate that allowed it."""

    sent_at: float
    epoch: int


class Pacer:
    """Decides when a request can be sent. Times and responses are arguments. One thread uses it; other threads may only
    call ``still_holds``.

    Args:
        workers: The maximum number of requests in flight.
    """

    def __init__(self, *, workers: int) -> None:
        self._workers = workers
        self._window = float(min(_FIRST_WINDOW, workers))
        self._under_way = 0
        self._rate: float | None = None
        self._next_at = 0.0
        self._epoch = 0
        self._epoch_at = 0.0
        self._grown_at = 0.0
        self._answers = 0
        self._round_trip = 0.0
        self._searching = True
        self._rising = False
        self._ceiling = 0.0
        self._let_through = self._turned_away = 0

    def __repr__(self) -> str:
        pace = f"{self._rate:.1f} a second" if self._rate else f"{int(self._window)} at once"
        return f"<Pacer, {pace}>"

    @property
    def requests_per_second(self) -> float | None:
        """The current rate; None until a request is throttled."""
        return self._rate

    def permit(self, now: float, *, remaining: float = math.inf) -> Permit | float | None:
        """Return a permit to send now, or the time at which to ask again, or None if a response must arrive first.

        Args:
            now: The current time in seconds.
            remaining: The number of requests that remain to be sent, including this one.
        """
        if self._under_way >= (self._workers if self._rate else int(self._window)):
            return None
        if self._rate is not None:
            self._rate = self._risen(self._rate, now)
            if now < self._next_at:
                return self._next_at
            # A late start is not compensated: two requests would come together, which a limit without bursts rejects.
            distance = (_LAST_DISTANCE if remaining < self._rate * _SHORTEST_WAIT_SECONDS else 1) / self._rate
            self._next_at = max(self._next_at, now) + distance
        self._under_way += 1
        return Permit(now, self._epoch)

    def still_holds(self, permit: Permit) -> bool:
        """Return whether the rate of a permit is still the current one; if not, give it back with ``lost``."""
        return permit.epoch == self._epoch

    def responded(self, permit: Permit, now: float) -> None:
        """Record a response other than 429."""
        self._under_way -= 1
        self._answers += 1
        self._let_through += 1
        self._note_round_trip(now - permit.sent_at)
        if self._rate is None:
            self._window = min(self._window + _WINDOW_GROWTH, self._workers)

    def lost(self) -> None:
        """Record that a request had no response, or was not sent: it says nothing about the limit."""
        self._under_way -= 1

    def throttled(self, permit: Permit, now: float) -> None:
        """Record a 429."""
        self._under_way -= 1
        self._turned_away += 1
        self._note_round_trip(now - permit.sent_at)
        if permit.epoch != self._epoch:
            return
        if self._rate is None:
            self._change(_SEARCH_RATE, now, pause=self._round_trip)
            return
        elapsed = now - self._epoch_at
        measured = _BELOW_THE_LIMIT * self._answers / elapsed if elapsed > 0 else self._rate
        if not self._searching:
            if self._turned_away <= _PRICE_OF_THE_SEARCH + _TOLERATED * self._let_through:
                return
            wanted = min(measured, self._rate * _BELOW_THE_LIMIT)
            self._ceiling = max(self._rate * _CEILING_DECREASE, wanted)
            self._change(max(self._rate * _DECREASE, wanted), now)
        elif self._rising or self._answers >= _ENOUGH_ANSWERS:
            self._searching = False
            self._ceiling = self._rate * _BELOW_THE_LIMIT
            wanted = min(measured, self._ceiling)
            self._change(max(self._rate * _FOUND_DECREASE, wanted), now)
        else:
            self._change(self._rate * _SEARCH_DECREASE, now, pause=self._round_trip)

    def _risen(self, rate: float, now: float) -> float:
        elapsed, self._grown_at = now - self._grown_at, now
        if not self._searching:
            missing = max(self._ceiling - rate, 0.0)
            return rate + elapsed * max(_LEAST_GROWTH, _GROWTH * rate, _CATCH_UP * missing)
        # A slow rate needs fewer responses, because it would take long to rise otherwise.
        enough = min(_ENOUGH_ANSWERS, max(1.0, rate * _DOUBLING_SECONDS))
        if now - self._epoch_at < _DOUBLING_SECONDS or self._answers < enough:
            return rate
        self._epoch_at, self._answers, self._rising = now, 0, True
        return rate * 2

    def _change(self, rate: float, now: float, *, pause: float = 0.0) -> None:
        """Continue at another rate, after a pause for the responses to the requests in flight."""
        self._rate = max(rate, _SLOWEST)
        self._epoch += 1
        self._epoch_at = self._grown_at = now
        self._answers = 0
        self._rising = False
        self._next_at = now + max(1 / self._rate, pause)

    def _note_round_trip(self, seconds: float) -> None:
        known = self._round_trip or seconds
        self._round_trip = known + _SMOOTHING * (seconds - known)
