"""One request rate for all workers, found by asking and not configured.

Nobody knows a workspace's limit beforehand, and it is not the same for every endpoint. Workers that each obey
``Retry-After`` alone meet again at the end of their waits and are refused again; a pause shared by all never ends. So
there is one pacer for all of them, in three phases:

**Opening.** Until the first refusal only the number of requests under way is held: it starts small and grows with each
answer, two fifths faster with each round trip. Without a limit all workers are soon busy; with one, few are refused.

**Search.** From the first refusal on, requests leave one at a time. The rate starts in the middle of the limits that
workspaces have, falls by three fifths at each refusal, and doubles after a while without one, until it was once below
the limit and met it; then it goes back half of the last doubling.

**Steady.** The refusals measure the limit: the allowance was used up at each of two refusals, so what was answered
between them, over the time between them, is the limit. The rate goes a little below that, and rises slowly until the
next; faster up to a little below the lowest rate that was refused. Few refusals are let pass: where a limit allows no
burst, a request that the network delayed meets the next one, and that says nothing of the rate. For the same reason
requests are never closer together than the rate says, even when the last one left late.

Whoever is refused while the last requests leave is waited for by nobody else, for a second at the least. So those of
the last second keep a tenth more distance, which costs a tenth of a second.

A refusal of a request that left before the last change of rate says nothing new and changes nothing.

The numbers were chosen by simulation of token buckets of 5 to 100 requests a second with bursts of 1 to 30, for 16 and
64 workers; ``benchmarks/`` shows what comes of them over HTTP.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_FIRST_WINDOW = 4
_WINDOW_GROWTH = 0.4
_SEARCH_RATE = 50.0
_SEARCH_DECREASE = 0.4
_FOUND_DECREASE = 0.75  # the limit is between half of the rate, which was let through, and the rate
_DOUBLING_SECONDS = 0.2
_ENOUGH_ANSWERS = 4
_DECREASE = 0.8
_CEILING_DECREASE = 0.9  # what it then rises to fast: one refusal may have been an accident
_BELOW_THE_LIMIT = 0.955
_CATCH_UP = 0.5  # of what is missing to the lowest rate that was refused, each second
_TOLERATED = 0.025  # refusals, of the answers
_PRICE_OF_THE_SEARCH = 4  # and so many more
_GROWTH = 0.01  # of the rate, each second
_LEAST_GROWTH = 0.06  # requests a second, each second
_SLOWEST = 2.0  # below it, a storm that had other causes would take minutes to recover from
_SMOOTHING = 0.2
_SHORTEST_WAIT_SECONDS = 1  # ``Retry-After`` is in whole seconds
_LAST_DISTANCE = 1.1


@dataclass(frozen=True, slots=True)
class Permit:
    """A request under way: when it left, and under which rate."""

    left_at: float
    epoch: int


class Pacer:
    """Decides when a request may leave. Time is an argument and so is every answer. One thread asks and tells it;
    others may only see whether leave ``still_holds``.

    Args:
        workers: How many requests may be under way at once.
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
        """The present rate; None while no request was refused."""
        return self._rate

    def permit(self, now: float, *, left: float = math.inf) -> Permit | float | None:
        """Return leave to send now, else the moment to ask again, or None if an answer must come first.

        Args:
            now: The present moment, in seconds.
            left: How many requests there are still to send, this one included.
        """
        if self._under_way >= (self._workers if self._rate else int(self._window)):
            return None
        if self._rate is not None:
            self._rate = self._risen(self._rate, now)
            if now < self._next_at:
                return self._next_at
            # A late start is not made up for: two requests would come together, which a limit without bursts refuses.
            distance = (_LAST_DISTANCE if left < self._rate * _SHORTEST_WAIT_SECONDS else 1) / self._rate
            self._next_at = max(self._next_at, now) + distance
        self._under_way += 1
        return Permit(now, self._epoch)

    def still_holds(self, permit: Permit) -> bool:
        """Whether the rate is still the one under which leave was given; else give it back with ``lost``."""
        return permit.epoch == self._epoch

    def answered(self, permit: Permit, now: float) -> None:
        """Note that a request was let through, whatever the workspace said to it."""
        self._under_way -= 1
        self._answers += 1
        self._let_through += 1
        self._note_round_trip(now - permit.left_at)
        if self._rate is None:
            self._window = min(self._window + _WINDOW_GROWTH, self._workers)

    def lost(self) -> None:
        """Note that a request got no answer, or never left: it says nothing of the limit."""
        self._under_way -= 1

    def refused(self, permit: Permit, now: float) -> None:
        """Note that a request was turned away for coming too soon."""
        self._under_way -= 1
        self._turned_away += 1
        self._note_round_trip(now - permit.left_at)
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
        # A slow rate needs fewer answers, or it would be long before it is a fast one.
        enough = min(_ENOUGH_ANSWERS, max(1.0, rate * _DOUBLING_SECONDS))
        if now - self._epoch_at < _DOUBLING_SECONDS or self._answers < enough:
            return rate
        self._epoch_at, self._answers, self._rising = now, 0, True
        return rate * 2

    def _change(self, rate: float, now: float, *, pause: float = 0.0) -> None:
        """Go on at another rate, after a pause in which what is under way comes back."""
        self._rate = max(rate, _SLOWEST)
        self._epoch += 1
        self._epoch_at = self._grown_at = now
        self._answers = 0
        self._rising = False
        self._next_at = now + max(1 / self._rate, pause)

    def _note_round_trip(self, seconds: float) -> None:
        known = self._round_trip or seconds
        self._round_trip = known + _SMOOTHING * (seconds - known)
