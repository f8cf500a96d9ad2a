"""Executes the entries of a run concurrently, at the rate that the workspace allows, with one proven outcome for each.

One thread, the decider, makes all decisions and writes the journal. Workers (``worker``) only send requests, and wake
the decider if orders run low or an error occurs. The decider owns the queues, the pacer, the outcomes and the journal,
so none of them needs a lock. It writes ``sent`` for the next few tokens at once, before their requests are sent,
together with the outcomes that have accumulated: every row is on the disk, at a fraction of the cost.

The calling thread only watches. Python raises ``KeyboardInterrupt`` between any two steps of the main thread, and
nothing that the run depends on happens there. An interrupt can therefore end a run, but cannot damage its records.
"""

from __future__ import annotations

import contextvars
import heapq
import itertools
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from tokenkit import errors
from tokenkit.actions import states
from tokenkit.actions.journal import Entry, Journal, Step
from tokenkit.actions.pacer import Pacer, Permit
from tokenkit.actions.states import IN_DOUBT
from tokenkit.actions.task import MAYBE_SENT_AND_GONE, Found, Outcome, Task
from tokenkit.actions.worker import ENDS_THE_RUN, HANDED_AHEAD, Clock, Item, Report, Workers, now_ms
from tokenkit.rest.transport import ON_WAIT

_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 30.0
_THROTTLED_SECONDS = 1.0  # if a 429 does not say
_MARKED_AHEAD = 4  # entries per worker; each of them is looked up after a crash
_WRITE_SECONDS = 0.1  # the maximum wait of an outcome for others to be written with, and the delay of a stop
_HEARD_SECONDS = 0.5  # the delay of Ctrl-C on systems where waiting cannot be interrupted
_STARTED_SECONDS = 1.0  # the time in which a started thread begins
INTERRUPT, STOP = "interrupt", "stop"


class Execution:
    """The execution of one run.

    Args:
        run_id: The run, which is already in the journal.
        task: The request for each entry.
        journal: The journal, which records each request before and after it is sent.
        workers: The maximum number of requests in flight.
        clock: ``monotonic`` and ``time``; the ``time`` module by default.
        stop: An event; once another thread sets it, no new request is sent.
        on_outcome: Called, by the calling thread, with each outcome.

    Attributes:
        outcomes: The outcomes so far, by token id.
        unwritten: Those of them that could not be written to the journal. It still says ``sent``, so they are looked
            up.
        ended_by: ``interrupt``, ``stop``, or the class of the error that ended it early; None after all entries.
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
        self._most = workers
        self._clock = clock
        self._stop = stop or threading.Event()  # belongs to the caller, who may use it for other runs too
        self._on_outcome = on_outcome
        self._pacer = Pacer(workers=workers + math.ceil(workers * HANDED_AHEAD))
        self._workers = Workers(task, self._pacer, count=workers, clock=clock, stop=self._stop)
        self._fresh: deque[Item] = deque()
        self._later: list[tuple[float, int, Item]] = []  # a heap: the time from which on, and the order
        self._numbers = itertools.count()
        self._news: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()  # for the calling thread; None at the end
        self._to_write: list[Outcome] = []
        self._marked: set[str] = set()  # recorded as sent
        self._written_at = 0.0
        self._under_way = 0
        self._failing: errors.TokenKitError | None = None  # the last error of a request
        self._told_until = 0.0
        self._begun, self._done = threading.Event(), threading.Event()
        self._failure: BaseException | None = None
        self.outcomes: dict[str, Outcome] = {}
        self.unwritten: dict[str, Outcome] = {}
        self.ended_by: str | None = None
        self.error: errors.TokenKitError | None = None

    def execute(self, entries: Iterable[Entry], *, unseen: Collection[str] = ()) -> Mapping[str, Outcome]:
        """Return the outcomes by token id. Entries without an outcome remain; see ``ended_by``.

        It returns once all entries have an outcome, ``stop`` is set, Ctrl-C was pressed, the workspace rejects all
        requests, or the journal cannot be written. It waits for the requests in flight, so no outcome is guessed; a
        second Ctrl-C does not wait.

        Args:
            entries: The entries.
            unseen: The tokens among them that the workspace's listing lacks.
        """
        for entry in entries:
            self._fresh.append(
                Item(
                    entry=entry,
                    attempts=entry.attempts,
                    lost=entry.state in (states.SENT, *IN_DOUBT),
                    if_gone=self._if_gone(entry),
                    unseen=entry.token_id in unseen,
                )
            )
        decider = threading.Thread(
            target=contextvars.copy_context().run, args=(self._run,), name="tokenkit-decider", daemon=True
        )
        try:
            self._watch(decider)
        except BaseException as failure:
            self._workers.over.set()
            self._workers.wanted.set()
            # The interrupt may have come before the decider was started. It sends nothing from now on.
            if self._begun.wait(_STARTED_SECONDS):
                self._done.wait()
            # If the interrupt came inside the code of a lock, an error about the lock arrives here.
            if not isinstance(failure, KeyboardInterrupt) and not isinstance(failure.__context__, KeyboardInterrupt):
                raise
            self.ended_by = self.ended_by or INTERRUPT
        if self._failure is not None:
            raise self._failure
        return self.outcomes

    def _if_gone(self, entry: Entry) -> Found:
        """Return the outcome and remark for an entry of an earlier execution whose token no longer exists."""
        certain, remark = entry.certain if entry.state in IN_DOUBT else (entry.state, MAYBE_SENT_AND_GONE)
        if certain == states.SENT:
            return (states.ALREADY_GONE, remark) if remark else self._task.gone_after_lost
        # It may have been recorded as done although it was still listed.
        return (certain, remark) if certain == states.REVOKED else (states.ALREADY_GONE, None)

    def _watch(self, decider: threading.Thread) -> None:
        """Start the decider, and pass outcomes on until it ends."""
        decider.start()
        while True:
            try:
                outcome = self._news.get(timeout=_HEARD_SECONDS)
            except queue.Empty:
                continue
            if outcome is None:
                return
            self._on_outcome(outcome)

    # The following methods run in the decider.

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
        self._workers.start(min(self._most, len(self._fresh)))
        try:
            self._note_killed()
            self._decide()
        finally:
            self._workers.over.set()
            self._workers.end()
        self._set_aside()

    def _note_killed(self) -> None:
        """Record the entries that the run had marked as sent when it was killed. Whether they were sent is unknown."""
        killed = [item.entry for item in self._fresh if item.entry.state == states.SENT]
        at_ms = now_ms(self._clock)
        self._write(
            [self._step(one.token_id, states.SENT, one.attempts, at_ms, error=MAYBE_SENT_AND_GONE) for one in killed]
        )

    def _decide(self) -> None:
        while self._under_way or ((self._fresh or self._later) and not self._workers.is_ending()):
            self._workers.wanted.wait(self._hand_out())
            self._workers.wanted.clear()
            while self._workers.reports:
                self._take(self._workers.reports.popleft())
            if self._clock.monotonic() - self._written_at > _WRITE_SECONDS:
                self._write()
        self._write()

    def _hand_out(self) -> float:
        """Give the workers the orders that can be sent now; return the maximum time to wait for a report."""
        while (self._fresh or self._later) and not self._workers.is_ending():
            now = self._clock.monotonic()
            # Retries come after all first attempts: most tokens are done soonest, and the order is always the same.
            ready_at, item = (now, self._fresh[0]) if self._fresh else (self._later[0][0], self._later[0][2])
            if ready_at <= now and not self._is_marked(item) and not self._mark(item):
                break
            remaining = len(self._fresh) + len(self._later)
            permit = self._pacer.permit(now, remaining=remaining) if ready_at <= now else ready_at
            if permit is None:
                break
            if not isinstance(permit, Permit):
                self._say_wait(ready_at, now)
                return min(max(permit - now, 0.0), _WRITE_SECONDS)
            if self._fresh:
                self._fresh.popleft()
            else:
                heapq.heappop(self._later)
            self._under_way += 1
            self._workers.order(item, permit)
        return _WRITE_SECONDS

    def _say_wait(self, ready_at: float, now: float) -> None:
        """Report once that nothing is sent until a time, because every request that remains has failed."""
        if self._failing is not None and not self._under_way and max(now, self._told_until) < ready_at:
            self._told_until = ready_at
            ON_WAIT.get()(ready_at - now, self._failing)

    def _is_marked(self, item: Item) -> bool:
        """Return whether the journal has all that a request for an item can change. A look-up changes nothing."""
        return item.lost or item.unseen or item.entry.token_id in self._marked

    def _mark(self, item: Item) -> bool:
        """Write ``sent`` for an item and the next fresh ones; return whether it could be written."""
        rate = self._pacer.requests_per_second
        ahead = self._most * _MARKED_AHEAD
        ahead = ahead if rate is None else max(1, min(ahead, int(rate)))
        others = [fresh for fresh in itertools.islice(self._fresh, ahead) if fresh is not item]
        marked = [item, *(other for other in others if not self._is_marked(other))]
        at_ms = now_ms(self._clock)
        if not self._write([self._step(one.entry.token_id, states.SENT, one.attempts + 1, at_ms) for one in marked]):
            return False
        self._marked.update(one.entry.token_id for one in marked)
        return True

    def _take(self, report: Report) -> None:
        self._under_way -= 1
        now, error, item = self._clock.monotonic(), report.error, report.item
        if isinstance(error, errors.RateLimitedError):
            self._pacer.throttled(report.permit, now)
            self._failing = error
            requested = error.retry_after_seconds
            self._put(item, at=now + (_THROTTLED_SECONDS if requested is None else requested))
            return
        if report.has_response:
            self._pacer.responded(report.permit, now)
        else:
            self._pacer.lost()
        if report.outcome is not None:
            self.outcomes[item.entry.token_id] = report.outcome
            self._to_write.append(report.outcome)
            self._news.put(report.outcome)
        elif report.still_to_do:
            self._put(item, at=now)
        else:
            self._failing = error if isinstance(error, errors.TokenKitError) else self._failing
            wait_seconds = backoff_seconds(item.failures)
            requested = error.retry_after_seconds if isinstance(error, errors.ApiError) else None
            self._put(item, at=now + (wait_seconds if requested is None else requested))
        if isinstance(error, ENDS_THE_RUN):
            self._end(error)

    def _put(self, item: Item, *, at: float) -> None:
        heapq.heappush(self._later, (at, next(self._numbers), item))

    def _end(self, why: errors.TokenKitError | str) -> None:
        """Stop sending requests, and record the reason."""
        if self.ended_by is None:
            self.error = why if isinstance(why, errors.TokenKitError) else None
            self.ended_by = type(why).__name__ if self.error is not None else str(why)
        self._workers.over.set()
        self._workers.wanted.set()

    def _write(self, marks: Sequence[Step] = ()) -> bool:
        """Write the accumulated outcomes, and marks; return whether they could be written."""
        outcomes, self._to_write = self._to_write, []
        self._written_at = self._clock.monotonic()
        steps = [
            self._step(end.token_id, end.outcome, end.attempts, end.finished_at_ms or now_ms(self._clock), end.error)
            for end in outcomes
        ]
        if not steps and not marks:
            return True
        try:
            self._journal.record_all([*steps, *marks])
        except errors.JournalError as error:
            self.unwritten |= {outcome.token_id: outcome for outcome in outcomes}
            self._end(error)
            return False
        return True

    def _set_aside(self) -> None:
        """Give each queued entry its outcome: ``unknown`` if its request may have been processed."""
        ends = []
        for item in itertools.chain(self._fresh, (item for _, _, item in self._later)):
            if item.lost:
                why = "stopped before it could be looked up"
                ends.append(item.ended(states.UNKNOWN, why, at_ms=now_ms(self._clock)))
            elif item.entry.token_id in self._marked:
                # It was not sent, or it was throttled, so it remains.
                ends.append(item.ended(states.PENDING, None, at_ms=None))
        self.outcomes |= {outcome.token_id: outcome for outcome in ends}
        self._to_write += ends
        self._write()  # otherwise the journal says `sent`, which is looked up as well
        if (self._fresh or self._later) and self.ended_by is None and self._stop.is_set():
            self.ended_by = STOP

    def _step(self, token_id: str, state: str, attempts: int, at_ms: int, error: str | None = None) -> Step:
        return Step(run_id=self._run_id, token_id=token_id, state=state, at_ms=at_ms, attempts=attempts, error=error)


def backoff_seconds(failures: int) -> float:
    """Return the time until the next attempt after a number of failures, if no response names another."""
    return min(_FIRST_BACKOFF_SECONDS * 2.0 ** (failures - 1), _LONGEST_BACKOFF_SECONDS)
