"""Carries out the entries of a run: many at once, at the workspace's pace, each ending in one truthful outcome.

One thread, the decider, decides and writes; workers only send, and wake it when orders run low or something is amiss.
The decider holds the queues, the pacer, the outcomes and the journal, so none of them needs a lock. It writes ``sent``
for the next few tokens at once, before any of their requests leaves, together with the outcomes that have gathered:
every row is on the disk, at a fraction of its cost.

The calling thread only watches. Python raises ``KeyboardInterrupt`` between any two steps of the main thread; nothing
that the run rests on happens there, so an interrupt can end a run and cannot spoil its bookkeeping.

=================================  ====================================================================================
response                           what becomes of the token
=================================  ====================================================================================
done                               revoked (or updated)
404, the code says it is not there already gone; after a lost response to an earlier DELETE of this run: revoked
429                                back into the queue for as long as ``Retry-After`` says, while others go on; for ever
5xx, unreadable, or none           it may have been carried out: looked up, then sent again if it is still there
the connection could not be made   back into the queue; failed in the end
401, or a login page               the credential is dead: nothing more is sent, the rest stays planned
tokens are disabled, the caller    likewise
is no admin or lacks a scope
anything else, any other 404       failed
=================================  ====================================================================================

Where looking up fails as well until the attempts are used up, the outcome is unknown. Where a token is gone after a
lost response, a remark says so: that it was this run is likely, not certain.
"""

from __future__ import annotations

import heapq
import itertools
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tokenkit import errors
from tokenkit.actions import journal as records
from tokenkit.actions.journal import Entry, Journal, Step
from tokenkit.actions.pacer import Pacer, Permit
from tokenkit.actions.processor import stay_on_one
from tokenkit.actions.task import LOST_AND_GONE, Outcome, Task

MOST_FAILURES = 8
_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 30.0
_REFUSED_SECONDS = 1.0  # where a 429 does not say
_HANDED_AHEAD = 0.5  # for each worker, so that one who is done has the next at once, even while the decider writes
_MARKED_AHEAD = 4  # for each worker; each of them is looked up after a crash
_WRITE_SECONDS = 0.1  # how long an outcome waits for others to be written with; and how soon a stop is noticed
_HEARD_SECONDS = 0.5  # in which Ctrl-C is heard on systems where waiting cannot be interrupted
_STARTED_SECONDS = 1.0  # in which a thread that was started has begun
INTERRUPT, STOP = "interrupt", "stop"
_ENDS_THE_RUN = (  # what says the same of every token
    errors.AuthenticationError,
    errors.FeatureDisabledError,
    errors.MissingScopeError,
    errors.NotAnAdminError,
)


class Clock(Protocol):
    """Seconds that only grow, for waiting, and seconds of the day, for the record."""

    def monotonic(self) -> float:
        """Return seconds since some fixed moment."""

    def time(self) -> float:
        """Return seconds since 1970."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Item:
    """An entry in the queue.

    Attributes:
        attempts: Requests sent for it.
        failures: How many of them failed; a 429 is none.
        lost: Whether the last may have been carried out, and nobody knows.
        ours: Whether a request of this run was ever lost; also once it was looked up.
        unseen: Whether the workspace's listing lacks it, so that it is looked up before anything is sent.
    """

    entry: Entry
    attempts: int = 0
    failures: int = 0
    lost: bool = False
    ours: bool = False
    unseen: bool = False
    started_at_ms: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Report:
    """What a worker tells the decider of one request."""

    item: _Item
    permit: Permit
    outcome: Outcome | None = None
    error: Exception | None = None
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

    Attributes:
        outcomes: What became of the entries so far.
        unwritten: Those of them that the journal could not take: it says ``sent``, which is looked up.
        ended_by: ``interrupt``, ``stop``, or the error class that ended it early; None when all entries had their turn.
        error: That error.
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
        self._news: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()  # for the calling thread; None is the end
        self._to_write: list[Outcome] = []
        self._marked: set[str] = set()  # written down as sent
        self._written_at = 0.0
        self._under_way = 0
        self._begun, self._done = threading.Event(), threading.Event()
        self._failure: BaseException | None = None
        self.outcomes: dict[str, Outcome] = {}
        self.unwritten: dict[str, Outcome] = {}
        self.ended_by: str | None = None
        self.error: errors.TokenKitError | None = None

    def carry_out(self, entries: Iterable[Entry], *, unseen: Collection[str] = ()) -> Mapping[str, Outcome]:
        """Return the outcome of every entry that got one; those without are still to be done, see ``ended_by``.

        It returns when all are settled, when ``stop`` is set, on Ctrl-C, when the workspace lets nothing more be done,
        or when the journal can no longer be written. What is under way is waited for, so no outcome is guessed; a
        second Ctrl-C does not wait.

        Args:
            entries: What to do.
            unseen: The tokens among them that the workspace's listing lacks.
        """
        for entry in entries:
            known_lost = entry.state in (records.UNKNOWN, records.STILL_LISTED)
            self._fresh.append(
                _Item(
                    entry=entry,
                    attempts=entry.attempts,
                    lost=known_lost or entry.state == records.SENT,
                    ours=known_lost,
                    unseen=entry.token_id in unseen,
                )
            )
        decider = threading.Thread(target=self._run, name="tokenkit-decider", daemon=True)
        try:
            self._watch(decider)
        except BaseException as failure:
            self._over.set()
            self._wanted.set()
            # It may have been interrupted before it started the decider, which sends nothing from now on.
            if self._begun.wait(_STARTED_SECONDS):
                self._done.wait()
            # Where it came inside of a lock's own code, an error about the lock is what arrives here.
            if not isinstance(failure, KeyboardInterrupt) and not isinstance(failure.__context__, KeyboardInterrupt):
                raise
            self.ended_by = self.ended_by or INTERRUPT
        if self._failure is not None:
            raise self._failure
        return self.outcomes

    def _watch(self, decider: threading.Thread) -> None:
        """Start the decider, and pass outcomes on until it is done."""
        decider.start()
        while True:
            try:
                outcome = self._news.get(timeout=_HEARD_SECONDS)
            except queue.Empty:
                continue
            if outcome is None:
                return
            self._on_outcome(outcome)

    # What follows runs in the decider.

    def _run(self) -> None:
        self._begun.set()
        try:
            self._work_off()
        except BaseException as failure:  # noqa: BLE001 - the calling thread raises it
            self._failure = failure
        finally:
            self._done.set()
            self._news.put(None)

    def _work_off(self) -> None:
        threads = [
            threading.Thread(target=self._work, name=f"tokenkit-{number}", daemon=True)
            for number in range(min(self._workers, len(self._fresh)))
        ]
        for thread in threads:
            thread.start()
        try:
            self._decide()
        finally:
            self._over.set()
            for _ in threads:
                self._orders.put(None)
            for thread in threads:
                thread.join()
        self._set_aside()

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
        return item.lost or item.unseen or item.entry.token_id in self._marked

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
            self.outcomes[item.entry.token_id] = report.outcome
            self._to_write.append(report.outcome)
            self._news.put(report.outcome)
        elif report.still_to_do:
            self._put(item, at=now)
        else:
            wait_seconds = min(_FIRST_BACKOFF_SECONDS * 2 ** (item.failures - 1), _LONGEST_BACKOFF_SECONDS)
            asked = error.retry_after_seconds if isinstance(error, errors.ApiError) else None
            self._put(item, at=now + (wait_seconds if asked is None else asked))
        if isinstance(error, _ENDS_THE_RUN):
            self._end(error)

    def _put(self, item: _Item, *, at: float) -> None:
        heapq.heappush(self._later, (at, next(self._numbers), item))

    def _end(self, why: errors.TokenKitError | str) -> None:
        """Send nothing more."""
        if self.ended_by is None:
            self.error = why if isinstance(why, errors.TokenKitError) else None
            self.ended_by = type(why).__name__ if self.error is not None else str(why)
        self._over.set()
        self._wanted.set()

    def _is_ending(self) -> bool:
        return self._over.is_set() or self._stop.is_set()

    def _write(self, marks: Sequence[Step] = ()) -> bool:
        """Write the outcomes that have gathered, and marks; return whether they could be written."""
        outcomes, self._to_write = self._to_write, []
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
            self.unwritten |= {each.token_id: each for each in outcomes}
            self._end(error)
            return False
        return True

    def _set_aside(self) -> None:
        """Give what is still in the queue a truthful end: what may have been carried out is unknown."""
        ends = []
        for item in itertools.chain(self._fresh, (item for _, _, item in self._later)):
            if item.lost:
                ends.append(self._outcome(item, records.UNKNOWN, "stopped before it could be looked up"))
            elif item.entry.token_id in self._marked:
                # It did not leave, or was turned away, so it is still to be done.
                ends.append(replace(self._outcome(item, records.PLANNED, None), finished_at_ms=None))
        self.outcomes |= {each.token_id: each for each in ends}
        self._to_write += ends
        self._write()  # where it cannot, the journal says `sent`, and that is looked up as well
        if (self._fresh or self._later) and self.ended_by is None and self._stop.is_set():
            self.ended_by = STOP

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
        item = replace(item, attempts=item.attempts + 1, started_at_ms=item.started_at_ms or self._now_ms())
        report = self._look_up(item, permit) if item.lost or item.unseen else self._send(item, permit)
        if isinstance(report.error, _ENDS_THE_RUN):
            self._over.set()  # before the next order, which is here already
        return report

    def _send(self, item: _Item, permit: Permit) -> _Report:
        error: Exception
        try:
            self._task.send(item.entry)
        except errors.NotFoundError:
            return self._gone(item, permit)
        except errors.RateLimitedError as refusal:
            return _Report(item=item, permit=permit, error=refusal)
        except errors.ConnectionFailedError as failure:
            error = failure
        except (errors.AnswerLostError, errors.MalformedAnswerError, errors.UnavailableError) as failure:
            item, error = replace(item, lost=True, ours=True), failure
        except errors.TokenKitError as refusal:
            return self._settled(item, permit, records.FAILED, refusal)
        except Exception as failure:  # noqa: BLE001 - whatever it is, the request may have been carried out
            item, error = replace(item, lost=True, ours=True), failure
        else:
            return self._settled(item, permit, self._task.done)
        return self._again(item, permit, error)

    def _look_up(self, item: _Item, permit: Permit) -> _Report:
        """Find out whether an entry is there still, and as it is wanted."""
        error: Exception
        try:
            found = self._task.found(item.entry, self._task.look_up(item.entry))
        except errors.NotFoundError:
            return self._gone(item, permit)
        except errors.RateLimitedError as refusal:
            return _Report(item=replace(item, attempts=item.attempts - 1), permit=permit, error=refusal)
        except _ENDS_THE_RUN as refusal:
            return self._settled(item, permit, records.UNKNOWN if item.lost else records.FAILED, refusal)
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is not known what became of the entry
            error = failure
        else:
            if found is None:
                return _Report(item=replace(item, lost=False, unseen=False), permit=permit, still_to_do=True)
            return self._settled(item, permit, *found)
        return self._again(item, permit, error)

    def _gone(self, item: _Item, permit: Permit) -> _Report:
        """Report an entry that the workspace says is not there."""
        if item.ours:
            return self._settled(item, permit, *self._task.gone_after_lost)
        return self._settled(item, permit, records.ALREADY_GONE, LOST_AND_GONE if item.lost else None)

    def _again(self, item: _Item, permit: Permit, error: Exception) -> _Report:
        """Report that an entry is to be tried again, or its end once the attempts are used up."""
        item = replace(item, failures=item.failures + 1)
        if item.failures < MOST_FAILURES:
            return _Report(item=item, permit=permit, error=error, answered=isinstance(error, errors.ApiError))
        return self._settled(item, permit, records.UNKNOWN if item.lost else records.FAILED, error)

    def _settled(self, item: _Item, permit: Permit, outcome: str, why: Exception | str | None = None) -> _Report:
        error = why if isinstance(why, Exception) else None
        unexpected = error is not None and not isinstance(error, errors.TokenKitError)
        remark = f"{type(why).__name__}: {why}" if unexpected else why
        answered = not unexpected and not isinstance(why, errors.ConnectionFailedError | errors.AnswerLostError)
        settled = self._outcome(item, outcome, None if remark is None else str(remark))
        return _Report(item=item, permit=permit, outcome=settled, error=error, answered=answered)

    def _outcome(self, item: _Item, outcome: str, error: str | None) -> Outcome:
        return Outcome(
            token_id=item.entry.token_id,
            outcome=outcome,
            error=None if error is None else records.storable(error),
            attempts=item.attempts,
            started_at_ms=item.started_at_ms,
            finished_at_ms=self._now_ms(),
        )

    def _now_ms(self) -> int:
        return round(self._clock.time() * 1000)
