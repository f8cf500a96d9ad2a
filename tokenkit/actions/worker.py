"""The workers of a run. Each takes an order, sends its request, and reports the outcome of the token to the decider.

=================================  ====================================================================================
response                           what happens to the token
=================================  ====================================================================================
success                            revoked (or updated)
404 with a code that says that     already_gone; after a lost response to an earlier DELETE of this run: revoked
the token does not exist
429                                back into the queue for the time in ``Retry-After``, while others continue; always
5xx, unreadable, or none           it may have been processed: looked up, then sent again if the token still exists
the connection failed              back into the queue; failed after all attempts
401, or a login page               the credential is invalid: nothing more is sent, the rest stays pending
tokens are disabled, the caller    the same
is not an admin or lacks a scope
anything else, any other 404       failed
=================================  ====================================================================================

If the look-ups also fail until all attempts are used up, the outcome is unknown. If a token no longer exists after a
lost response, a remark says so: this run probably deleted it, but that is not certain.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import Protocol

from tokenkit import errors
from tokenkit.actions import journal as records
from tokenkit.actions import states
from tokenkit.actions.cpu_affinity import pin_thread_to_one_cpu
from tokenkit.actions.journal import Entry
from tokenkit.actions.pacer import Pacer, Permit
from tokenkit.actions.task import Found, Outcome, Task

MOST_FAILURES = 8
HANDED_AHEAD = 0.5
"""Orders per worker beyond those in flight, so that a worker has its next order while the decider writes."""
ENDS_THE_RUN = (  # errors that apply to every token
    errors.AuthenticationError,
    errors.FeatureDisabledError,
    errors.MissingScopeError,
    errors.NotAnAdminError,
)


class Clock(Protocol):
    """A monotonic clock for waiting, and the time of day for the journal."""

    def monotonic(self) -> float:
        """Return the seconds since an arbitrary moment."""

    def time(self) -> float:
        """Return the seconds since 1970."""


def now_ms(clock: Clock) -> int:
    """Return the time of day in milliseconds, as in the journal."""
    return round(clock.time() * 1000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """An entry in the queue.

    Attributes:
        entry: The entry.
        attempts: The number of requests that were sent for it.
        failures: The number of those that failed; a 429 is not a failure.
        lost: Whether it is unknown if the last request was processed.
        if_gone: The outcome and the remark if the workspace says that the token does not exist. It was deleted by this
            run only if a request was sent and was not rejected. After a lost response this stays, also after a look-up.
        unseen: Whether the workspace's listing lacks the token, so that it is looked up before anything is sent.
        started_at_ms: The time of the first request.
    """

    entry: Entry
    attempts: int = 0
    failures: int = 0
    lost: bool = False
    if_gone: Found = (states.ALREADY_GONE, None)
    unseen: bool = False
    started_at_ms: int | None = None

    def ended(self, outcome: str, error: str | None, *, at_ms: int | None) -> Outcome:
        """Return the outcome of the token."""
        return Outcome(
            token_id=self.entry.token_id,
            outcome=outcome,
            error=None if error is None else records.storable(error),
            attempts=self.attempts,
            started_at_ms=self.started_at_ms,
            finished_at_ms=at_ms,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A worker's report to the decider about one request.

    Attributes:
        item: The entry, with this request counted.
        permit: The permit of the request.
        outcome: The outcome of the token; None if it remains.
        error: The error of the request.
        has_response: Whether there was a response, which says something about the limit.
        still_to_do: Whether the token remains although nothing failed.
    """

    item: Item
    permit: Permit
    outcome: Outcome | None = None
    error: Exception | None = None
    has_response: bool = True
    still_to_do: bool = False


class Workers:
    """The threads that send the requests of a run.

    Args:
        task: The request for each entry.
        pacer: The pacer, of which workers only read whether a permit still holds.
        count: The number of requests in flight.
        clock: The clock.
        stop: An event; once another thread sets it, no new request is sent.

    Attributes:
        reports: The reports, which the decider removes.
        wanted: Set if orders run low or an error occurred, so that the decider must look.
        over: Set if nothing more is to be sent.
    """

    def __init__(self, task: Task, pacer: Pacer, *, count: int, clock: Clock, stop: threading.Event) -> None:
        self._task = task
        self._pacer = pacer
        self._few = count * HANDED_AHEAD / 2
        self._clock = clock
        self._stop = stop
        self._orders: queue.SimpleQueue[tuple[Item, Permit] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self.reports: deque[Report] = deque()
        self.wanted, self.over = threading.Event(), threading.Event()

    def start(self, count: int) -> None:
        """Start a number of threads."""
        names = [f"tokenkit-{number}" for number in range(count)]
        self._threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(self._work,), name=name, daemon=True)
            for name in names
        ]
        for thread in self._threads:
            thread.start()

    def order(self, item: Item, permit: Permit) -> None:
        """Have an entry processed."""
        self._orders.put((item, permit))

    def end(self) -> None:
        """Let the threads finish the orders before this call, and wait for them."""
        for _ in self._threads:
            self._orders.put(None)
        for thread in self._threads:
            thread.join()

    def is_ending(self) -> bool:
        """Return whether nothing more is to be sent."""
        return self.over.is_set() or self._stop.is_set()

    def _work(self) -> None:
        pin_thread_to_one_cpu()
        while (order := self._orders.get()) is not None:
            report = self._processed(*order)
            self.reports.append(report)
            # Waking the decider for each response is another switch of threads. While there are orders for the workers
            # that finish next, it can sleep, except if an error occurred.
            if report.error is not None or self._orders.qsize() <= self._few:
                self.wanted.set()

    def _processed(self, item: Item, permit: Permit) -> Report:
        if self.is_ending() or not self._pacer.still_holds(permit):
            return Report(item=item, permit=permit, has_response=False, still_to_do=True)
        started_at_ms = item.started_at_ms or now_ms(self._clock)
        item = replace(item, attempts=item.attempts + 1, started_at_ms=started_at_ms)
        report = self._look_up(item, permit) if item.lost or item.unseen else self._send(item, permit)
        if isinstance(report.error, ENDS_THE_RUN):
            self.over.set()  # before the next order, which may be in the queue
        return report

    def _send(self, item: Item, permit: Permit) -> Report:
        error: Exception
        try:
            self._task.send(item.entry)
        except errors.NotFoundError:
            return self._settled(item, permit, *item.if_gone)
        except errors.RateLimitedError as rejection:
            return Report(item=item, permit=permit, error=rejection)
        except errors.ConnectionFailedError as failure:
            error = failure
        except (errors.ResponseLostError, errors.InvalidResponseError, errors.UnavailableError) as failure:
            item, error = self._lost(item), failure
        except errors.TokenKitError as rejection:
            return self._settled(item, permit, states.FAILED, rejection)
        except Exception as failure:  # noqa: BLE001 - the request may have been processed
            item, error = self._lost(item), failure
        else:
            return self._settled(item, permit, self._task.done)
        return self._again(item, permit, error)

    def _look_up(self, item: Item, permit: Permit) -> Report:
        """Determine whether the token still exists, and whether it already has the requested values."""
        error: Exception
        try:
            found = self._task.found(item.entry, self._task.look_up(item.entry))
        except errors.NotFoundError:
            return self._settled(item, permit, *item.if_gone)
        except errors.RateLimitedError as rejection:
            return Report(item=replace(item, attempts=item.attempts - 1), permit=permit, error=rejection)
        except ENDS_THE_RUN as rejection:
            return self._settled(item, permit, states.UNKNOWN if item.lost else states.FAILED, rejection)
        except Exception as failure:  # noqa: BLE001 - the state of the token is not known
            error = failure
        else:
            if found is None:
                return Report(item=replace(item, lost=False, unseen=False), permit=permit, still_to_do=True)
            return self._settled(item, permit, *found)
        return self._again(item, permit, error)

    def _lost(self, item: Item) -> Item:
        """Report an entry for which it is unknown whether its request was processed."""
        return replace(item, lost=True, if_gone=self._task.gone_after_lost)

    def _again(self, item: Item, permit: Permit, error: Exception) -> Report:
        """Report that an entry is to be tried again, or its outcome once the attempts are used up."""
        item = replace(item, failures=item.failures + 1)
        if item.failures < MOST_FAILURES:
            return Report(item=item, permit=permit, error=error, has_response=isinstance(error, errors.ApiError))
        return self._settled(item, permit, states.UNKNOWN if item.lost else states.FAILED, error)

    def _settled(self, item: Item, permit: Permit, outcome: str, why: Exception | str | None = None) -> Report:
        error = why if isinstance(why, Exception) else None
        unexpected = error is not None and not isinstance(error, errors.TokenKitError)
        remark = f"{type(why).__name__}: {why}" if unexpected else why
        has_response = not unexpected and not isinstance(why, errors.ConnectionFailedError | errors.ResponseLostError)
        ended = item.ended(outcome, None if remark is None else str(remark), at_ms=now_ms(self._clock))
        return Report(item=item, permit=permit, outcome=ended, error=error, has_response=has_response)
