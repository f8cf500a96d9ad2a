"""Carries out the entries of a run: many at once, at the workspace's pace, each ending in one truthful outcome.

One thread, the caller's, decides and writes; workers only send, and wake it when orders run low or something is amiss.
The decider holds the queues, the pacer, the outcomes and the journal, so none of them needs a lock, and Ctrl-C meets
one thread. It writes ``sent`` for the next few tokens at once, before any of their requests leaves, together with the
outcomes that have gathered: every row is on the disk, at a fraction of its cost.

=================================  ====================================================================================
the workspace's answer             what becomes of the token
=================================  ====================================================================================
done                               revoked (or updated)
404                                already gone
429                                back into the queue for as long as ``Retry-After`` says, while others go on; for ever
5xx, or no answer                  it may have been carried out: looked up, then sent again if it is still there
the connection could not be made   back into the queue; failed in the end
401, or a login page               the credential is dead: nothing more is sent, the rest stays planned
anything else                      failed
=================================  ====================================================================================

Where looking up fails as well until the attempts are used up, the outcome is unknown. Where a token is gone after a
lost answer, it is "already gone" and the error says why: it was most likely us, and nobody can tell.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tokenkit import errors
from tokenkit.actions import journal as records
from tokenkit.actions.journal import Entry, Journal, Step
from tokenkit.actions.pacer import Pacer, Permit
from tokenkit.actions.processor import stay_on_one
from tokenkit.actions.task import Outcome, Task

MOST_FAILURES = 8
_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 30.0
_REFUSED_SECONDS = 1.0  # where a 429 does not say
_HANDED_AHEAD = 0.5  # for each worker, so that one who is done has the next at once, even while the decider writes
_MARKED_AHEAD = 4  # for each worker; each of them is looked up after a crash
_WRITE_SECONDS = 0.1  # how long an outcome waits for others to be written with; and how soon a stop is noticed
LOST_AND_GONE = "the answer to our request was lost; looked up, it is gone"


class Clock(Protocol):
    """Seconds that only grow, for waiting, and seconds of the day, for the record."""

    def monotonic(self) -> float:
        """Return seconds since some fixed moment."""

    def time(self) -> float:
        """Return seconds since 1970."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Item:
    """An entry in the queue: requests sent for it, how many failed (a refusal is none), whether one was lost."""

    entry: Entry
    attempts: int = 0
    failures: int = 0
    lost: bool = False
    started_at_ms: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Report:
    """What a worker tells the decider of one request."""

    item: _Item
    permit: Permit
    outcome: Outcome | None = None
    error: errors.TokenKitError | None = None
    answered: bool = True
    still_to_do: bool = False


class Execution:
    """One run being carried out.

    Args:
        run_id: The run, which the journal has begun.
        task: What is done to each entry.
        journal: Where each step is written before and after its request.
        workers: How many requests may be under way at once.
        clock: ``monotonic`` and ``time``; the ``time`` module by default.
        stop: When set, nothing new is sent.
        on_outcome: Called, by the calling thread, with each outcome as it comes.
    """

    def __init__(
        self,
        run_id: str,
        task: Task,
        journal: Journal,
        *,
        workers: int = 16,
        clock: Clock = time,
        stop: threading.Event | None = None,
        on_outcome: Callable[[Outcome], None] = lambda _: None,
    ) -> None:
        self._run_id = run_id
        self._task = task
        self._journal = journal
        self._workers = workers
        self._clock = clock
        self._stop = stop or threading.Event()  # the caller's, who may have other runs under way with it
        self._over = threading.Event()
        self._on_outcome = on_outcome
        self._pacer = Pacer(workers=workers + math.ceil(workers * _HANDED_AHEAD))
        self._orders: queue.SimpleQueue[tuple[_Item, Permit] | None] = queue.SimpleQueue()
        self._reports: deque[_Report] = deque()
        self._wanted = threading.Event()  # the decider is, by a worker
        self._fresh: deque[_Item] = deque()
        self._later: list[tuple[float, int, _Item]] = []  # a heap: from when on, and in which order
        self._numbers = itertools.count()
        self._outcomes: dict[str, Outcome] = {}
        self._unwritten: list[Outcome] = []
        self._marked: set[str] = set()  # written down as sent
        self._written_at = 0.0
        self._under_way = 0
        self.ended_by: errors.TokenKitError | KeyboardInterrupt | None = None

    def carry_out(self, entries: Iterable[Entry]) -> Mapping[str, Outcome]:
        """Return the outcome of every entry that got one; those without are still to be done, see ``ended_by``.

        It returns when all are settled, when ``stop`` is set, on Ctrl-C, when the credential is dead, or when the
        journal can no longer be written. What is under way is waited for, so no outcome is guessed.
        """
        for entry in entries:
            may_be_done = entry.state in (records.SENT, records.UNKNOWN)
            self._fresh.append(_Item(entry=entry, attempts=entry.attempts, lost=may_be_done))
        threads = [
            threading.Thread(target=self._work, name=f"tokenkit-{number}", daemon=True)
            for number in range(min(self._workers, len(self._fresh)))
        ]
        for thread in threads:
            thread.start()
        try:
            self._decide()
        except KeyboardInterrupt as interrupt:
            self._end(interrupt)
            self._decide()
        finally:
            for _ in threads:
                self._orders.put(None)
        for thread in threads:
            thread.join()
        self._set_aside()
        return self._outcomes

    def _decide(self) -> None:
        while self._under_way or ((self._fresh or self._later) and not self._is_ending()):
            self._wanted.wait(self._hand_out())
            self._wanted.clear()
            while self._reports:
                self._take(self._reports.popleft())
            if self._clock.monotonic() - self._written_at > _WRITE_SECONDS:
                self._write()
        self._write()

    def _hand_out(self) -> float:
        """Give workers what may leave now; return how long to wait for a report at the most."""
        while (self._fresh or self._later) and not self._is_ending():
            now = self._clock.monotonic()
            # Another try comes after all first ones: most are gone soonest so, and the order is always the same.
            ready_at, item = (now, self._fresh[0]) if self._fresh else (self._later[0][0], self._later[0][2])
            if ready_at <= now and not self._is_marked(item) and not self._mark(item):
                break
            left = len(self._fresh) + len(self._later)
            leave = self._pacer.permit(now, left=left) if ready_at <= now else ready_at
            if leave is None:
                break
            if not isinstance(leave, Permit):
                return min(max(leave - now, 0.0), _WRITE_SECONDS)
            if self._fresh:
                self._fresh.popleft()
            else:
                heapq.heappop(self._later)
            self._under_way += 1
            self._orders.put((item, leave))
        return _WRITE_SECONDS

    def _is_marked(self, item: _Item) -> bool:
        """Whether the journal knows all that a request for an item could do; looking up does nothing."""
        return item.lost or item.entry.token_id in self._marked

    def _mark(self, item: _Item) -> bool:
        """Write ``sent`` for an item and the next fresh ones; return whether it could be written."""
        rate = self._pacer.requests_per_second
        ahead = self._workers * _MARKED_AHEAD
        ahead = ahead if rate is None else max(1, min(ahead, int(rate)))
        fresh = [each for each in itertools.islice(self._fresh, ahead) if each is not item]
        items = [item, *(each for each in fresh if not self._is_marked(each))]
        now_ms = self._now_ms()
        if not self._write([self._step(each.entry, records.SENT, each.attempts + 1, now_ms) for each in items]):
            return False
        self._marked.update(each.entry.token_id for each in items)
        return True

    def _take(self, report: _Report) -> None:
        self._under_way -= 1
        now, error, item = self._clock.monotonic(), report.error, report.item
        if isinstance(error, errors.RateLimitedError):
            self._pacer.refused(report.permit, now)
            asked = error.retry_after_seconds
            self._put(item, at=now + (_REFUSED_SECONDS if asked is None else asked))
            return
        if report.answered:
            self._pacer.answered(report.permit, now)
        else:
            self._pacer.lost()
        if report.outcome is not None:
            self._outcomes[item.entry.token_id] = report.outcome
            self._unwritten.append(report.outcome)
            self._on_outcome(report.outcome)
        elif report.still_to_do:
            self._put(item, at=now)
        else:
            wait_seconds = min(_FIRST_BACKOFF_SECONDS * 2 ** (item.failures - 1), _LONGEST_BACKOFF_SECONDS)
            asked = error.retry_after_seconds if isinstance(error, errors.ApiError) else None
            self._put(item, at=now + (wait_seconds if asked is None else asked))
        if isinstance(error, errors.AuthenticationError):
            self._end(error)

    def _put(self, item: _Item, *, at: float) -> None:
        heapq.heappush(self._later, (at, next(self._numbers), item))

    def _end(self, why: errors.TokenKitError | KeyboardInterrupt) -> None:
        """Send nothing more."""
        self.ended_by = self.ended_by or why
        self._over.set()

    def _is_ending(self) -> bool:
        return self._over.is_set() or self._stop.is_set()

    def _write(self, marks: Sequence[Step] = ()) -> bool:
        """Write the outcomes that have gathered, and marks; return whether they could be written.

        Where an outcome could not, the journal says ``sent``, which is looked up.
        """
        outcomes, self._unwritten = self._unwritten, []
        self._written_at = self._clock.monotonic()
        steps = [
            Step(
                run_id=self._run_id,
                token_id=each.token_id,
                state=each.outcome,
                at_ms=each.finished_at_ms or self._now_ms(),
                attempts=each.attempts,
                error=each.error,
            )
            for each in outcomes
        ]
        if not steps and not marks:
            return True
        try:
            self._journal.record_all([*steps, *marks])
        except errors.JournalError as error:
            self._end(error)
            return False
        return True

    def _set_aside(self) -> None:
        """Give what a stop left in the queue a truthful end: what may have been carried out is unknown."""
        steps, now_ms = [], self._now_ms()
        for item in itertools.chain(self._fresh, (item for _, _, item in self._later)):
            if item.lost:
                unknown = self._outcome(item, records.UNKNOWN, "stopped before it could be looked up")
                self._outcomes[item.entry.token_id] = unknown
                steps.append(self._step(item.entry, records.UNKNOWN, item.attempts, now_ms))
            elif item.entry.token_id in self._marked:
                # It did not leave, or was turned away, so it is still to be done.
                steps.append(self._step(item.entry, records.PLANNED, item.attempts, now_ms))
        with contextlib.suppress(errors.JournalError):  # the journal says `sent`, and that is looked up as well
            self._journal.record_all(steps)

    def _step(self, entry: Entry, state: str, attempts: int, at_ms: int) -> Step:
        return Step(run_id=self._run_id, token_id=entry.token_id, state=state, at_ms=at_ms, attempts=attempts)

    # What follows runs in the workers. Of the decider's it touches the reports, the flags, and reads the pacer's rate.

    def _work(self) -> None:
        stay_on_one()
        few = self._workers * _HANDED_AHEAD / 2
        while (order := self._orders.get()) is not None:
            report = self._served(*order)
            self._reports.append(report)
            # To wake it for each answer is another change of threads. While there is work for those who will be done
            # next it may sleep; what it must hear at once is that something is amiss.
            if report.error is not None or self._orders.qsize() <= few:
                self._wanted.set()

    def _served(self, item: _Item, permit: Permit) -> _Report:
        if self._is_ending() or not self._pacer.still_holds(permit):
            return _Report(item=item, permit=permit, answered=False, still_to_do=True)
        try:
            report = self._look_up(item, permit) if item.lost else self._send(item, permit)
        except Exception as error:  # noqa: BLE001 - whatever it is, the decider waits for a report
            failed = self._outcome(item, records.FAILED, f"{type(error).__name__}: {error}")
            return _Report(item=item, permit=permit, outcome=failed, answered=False)
        if isinstance(report.error, errors.AuthenticationError):
            self._over.set()  # before the next order, which is here already
        return report

    def _send(self, item: _Item, permit: Permit) -> _Report:
        item = replace(item, attempts=item.attempts + 1, started_at_ms=item.started_at_ms or self._now_ms())
        entry = item.entry
        error: errors.TokenKitError
        try:
            self._task.send(entry)
        except errors.NotFoundError:
            return self._settled(item, permit, records.ALREADY_GONE)
        except errors.RateLimitedError as refusal:
            return _Report(item=item, permit=permit, error=refusal)
        except errors.AuthenticationError as refusal:
            return self._settled(item, permit, records.FAILED, refusal)
        except (errors.AnswerLostError, errors.MalformedAnswerError, errors.UnavailableError) as failure:
            item, error = replace(item, lost=True), failure
        except errors.ConnectionFailedError as failure:
            error = failure
        except errors.TokenKitError as refusal:
            return self._settled(item, permit, records.FAILED, refusal)
        else:
            return self._settled(item, permit, self._task.done)
        return self._again(item, permit, error)

    def _look_up(self, item: _Item, permit: Permit) -> _Report:
        """Find out what became of an entry whose answer was lost."""
        item = replace(item, attempts=item.attempts + 1, started_at_ms=item.started_at_ms or self._now_ms())
        try:
            found = self._task.look_up(item.entry)
        except errors.RateLimitedError as refusal:
            return _Report(item=replace(item, attempts=item.attempts - 1), permit=permit, error=refusal)
        except errors.AuthenticationError as refusal:
            return self._settled(item, permit, records.UNKNOWN, refusal)
        except errors.TokenKitError as failure:
            return self._again(item, permit, failure)
        if found is None:
            return _Report(item=replace(item, lost=False), permit=permit, still_to_do=True)
        outcome, remark = found
        return self._settled(item, permit, outcome, remark)

    def _again(self, item: _Item, permit: Permit, error: errors.TokenKitError) -> _Report:
        """Report that an entry is to be tried again, or its end once the attempts are used up."""
        item = replace(item, failures=item.failures + 1)
        if item.failures < MOST_FAILURES:
            return _Report(item=item, permit=permit, error=error, answered=isinstance(error, errors.ApiError))
        return self._settled(item, permit, records.UNKNOWN if item.lost else records.FAILED, error)

    def _settled(
        self, item: _Item, permit: Permit, outcome: str, why: errors.TokenKitError | str | None = None
    ) -> _Report:
        settled = self._outcome(item, outcome, None if why is None else str(why))
        error = why if isinstance(why, errors.TokenKitError) else None
        answered = not isinstance(why, errors.ConnectionFailedError | errors.AnswerLostError)
        return _Report(item=item, permit=permit, outcome=settled, error=error, answered=answered)

    def _outcome(self, item: _Item, outcome: str, error: str | None) -> Outcome:
        return Outcome(
            token_id=item.entry.token_id,
            outcome=outcome,
            error=error,
            attempts=item.attempts,
            started_at_ms=item.started_at_ms,
            finished_at_ms=self._now_ms(),
        )

    def _now_ms(self) -> int:
        return round(self._clock.time() * 1000)
