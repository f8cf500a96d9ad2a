"""What all plans share: what they need of a workspace, how they are carried out and resumed, how they look.

A plan is frozen: it holds token ids and a snapshot of each token, and nothing that is done to the workspace afterwards
changes it. ``apply()`` looks at the workspace again before it sends anything, and leaves out what has changed since
(drift).
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames, wording
from tokenkit.actions import journal as records
from tokenkit.actions.executor import LOST_AND_GONE, Execution
from tokenkit.actions.journal import Entry, Journal, Run, Step, new_run_id
from tokenkit.actions.task import Outcome, Task
from tokenkit.rest.token_management import TokenManagementAPI
from tokenkit.review.access import Identities
from tokenkit.wording import counted as counted  # noqa: PLC0414 - plans count, and so do all that import it from here

WORKERS = 16
RESULT = pa.schema(
    [
        ("token_id", pa.string()),
        ("owner", pa.string()),
        ("outcome", pa.string()),
        ("error", pa.string()),
        ("attempts", pa.int64()),
        ("started_at", frames.TIME),
        ("finished_at", frames.TIME),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a plan needs of the workspace it is for.

    Attributes:
        host: Its address.
        name: What it is called in messages.
        origin: Where the credentials came from, in words.
        api: The token management calls, with patience.
        one_shot: The same without any retry; the executor has its own.
        tokens: The listing with owners and derived columns, as it is now.
        identities: The workspace's principals, as they are now.
        caller: The caller's id and name.
        now: The present moment.
        folder: Where the journal and the configuration lie.
    """

    host: str
    name: str
    origin: str
    api: TokenManagementAPI
    one_shot: TokenManagementAPI
    tokens: Callable[[], pd.DataFrame]
    identities: Callable[[], Identities]
    caller: Callable[[], tuple[int, str]]
    now: Callable[[], pd.Timestamp]
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a run is carried out, kept with it so that it is resumed alike.

    Attributes:
        workers: How many requests may be under way at once.
        despite_drift: Whether tokens that changed since the plan are done all the same.
    """

    workers: int = WORKERS
    despite_drift: bool = False


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a plan will do, in words and numbers, for whoever is asked to confirm it.

    Attributes:
        doing: ``revoke 12 tokens for good``; empty where there is nothing to do.
        count: The number to type.
        minds: What to mind, the worst first, and how many tokens or principals it is about.
        left_out: Why tokens that were asked for are not in the plan, and how many.
    """

    doing: str
    count: int
    minds: Mapping[str, int]
    left_out: Mapping[str, int] = field(default_factory=dict)


class Progress(Protocol):
    """Whoever watches a run, on a screen of their own. Both are called by the thread that carries the run out."""

    def advance(self, done: int, total: int) -> None:
        """Take note of how many tokens have got an outcome, of how many there are to do."""
        ...

    def end_early(self, words: str) -> None:
        """Take note that something is left, and of why and how to go on."""
        ...


def entries_of(tokens: pd.DataFrame) -> list[Entry]:
    """Return an entry for each row of a listing with ``owner``; its snapshot is the token as the wire has it."""
    columns = {name: on_the_wire(tokens[name]) for name in frames.TOKENS.names}
    return [
        Entry(
            token_id=values[0],
            owner=owner,
            snapshot={name: value for name, value in zip(columns, values, strict=True) if value is not None},
        )
        for values, owner in zip(zip(*columns.values(), strict=True), on_the_wire(tokens["owner"]), strict=True)
    ]


def on_the_wire(column: pd.Series[Any]) -> list[Any]:
    """Return a column as JSON has it: times in milliseconds, what is absent as None."""
    if column.dtype == object:  # whatever somebody put there
        return [None if gone else value for value, gone in zip(column.tolist(), column.isna(), strict=True)]
    values = pa.array(column, from_pandas=True)
    if pa.types.is_timestamp(values.type):
        values = values.cast(frames.TIME).cast(pa.int64())
    return values.to_pylist()


_WATCHED = pa.schema([frames.TOKENS.field(name) for name in ("token_id", "owner_id", "last_used_day")])


def drift(entries: Sequence[Entry], tokens: pd.DataFrame, *, minds_use: bool = True) -> dict[str, str]:
    """Return what changed about tokens since they were planned: ``gone``, owned by another, used since.

    Args:
        entries: The entries of a run.
        tokens: The listing as it is now.
        minds_use: Whether a use since the plan counts.
    """
    watched = [{name: entry.snapshot.get(name) for name in _WATCHED.names} for entry in entries]
    before = frames.frame(watched, _WATCHED).set_index("token_id")
    listed = tokens[_WATCHED.names].set_index("token_id")
    gone = pd.Series(listed.index.get_indexer(before.index) < 0, index=before.index)
    now = listed.reindex(before.index)
    other_owner = _true(now["owner_id"] != before["owner_id"]) & ~gone
    used = _true(now["last_used_day"] > before["last_used_day"].fillna(_LONG_AGO)) & ~gone & ~other_owner & minds_use
    days = now["last_used_day"].dt.strftime("%Y-%m-%d")
    return (
        dict.fromkeys(before.index[gone], GONE)
        | {name: f"owned by another since the plan ({now.loc[name, 'owner_id']})" for name in before.index[other_owner]}
        | {name: f"used since the plan, on {days[name]}" for name in before.index[used]}
    )


def _true(verdict: pd.Series[Any]) -> pd.Series[bool]:
    return verdict.astype("boolean").fillna(value=False).astype(bool)


_LONG_AGO = pd.Timestamp(0, tz="UTC")
GONE = "gone"


def begin(
    target: Target, kind: str, *, reason: str | None, settings: Mapping[str, Any], run_id: str | None = None
) -> Run:
    """Return a new run of a plan; the journal does not have it yet."""
    _, caller = target.caller()
    return Run(
        run_id=run_id or new_run_id(target.now()),
        kind=kind,
        host=target.host,
        workspace=target.name,
        origin=target.origin,
        caller=caller,
        reason=reason,
        started_at=target.now(),
        settings=settings,
    )


def carry_out(
    target: Target,
    run: Run,
    entries: Sequence[Entry],
    task: Task,
    journal: Journal,
    *,
    settings: Settings,
    progress: bool | Progress,
    stop: threading.Event | None,
) -> pd.DataFrame:
    """Carry out the entries of a run that the journal has, and return a row for each with the columns of ``RESULT``.

    What the journal records as settled is not touched again. The listing is read once more first: what is gone is noted
    as gone without a request, what drifted is skipped.

    A dead credential, a full disk under the journal, Ctrl-C and ``stop`` end it early: the rest is ``planned`` and a
    line says how to go on. Whatever was sent has its true outcome.
    """
    open_entries = [entry for entry in entries if entry.state not in records.SETTLED]
    outcomes: dict[str, Outcome] = {}
    changed = drift(open_entries, target.api.list(), minds_use=task.minds_use) if open_entries else {}
    todo, steps = [], []
    for entry in open_entries:
        found = changed.get(entry.token_id)
        if found is None or (found != GONE and settings.despite_drift):
            todo.append(entry)
            continue
        lost = entry.state in (records.SENT, records.UNKNOWN)
        outcome = records.ALREADY_GONE if found == GONE else records.SKIPPED
        error = found if found != GONE else LOST_AND_GONE if lost else None
        at_ms = round(target.now().timestamp() * 1000)
        step = Step(
            run_id=run.run_id, token_id=entry.token_id, state=outcome, at_ms=at_ms, attempts=entry.attempts, error=error
        )
        steps.append(step)
        outcomes[entry.token_id] = Outcome(
            token_id=entry.token_id, outcome=outcome, error=error, attempts=entry.attempts, finished_at_ms=at_ms
        )
    journal.record_all(steps)
    watcher = Terminal() if isinstance(progress, bool) else progress
    with _progress_bar(len(todo), run) if progress is True else _counted_for(watcher, len(todo)) as advance:
        execution = Execution(
            run.run_id,
            task,
            journal,
            workers=settings.workers,
            clock=_Clock(target),
            stop=stop,
            on_outcome=lambda _: advance(1),
        )
        outcomes |= execution.carry_out(todo)
    ended = result(entries, outcomes)
    left = int(ended["outcome"].isin([records.PLANNED, records.UNKNOWN]).sum())
    if execution.ended_by is not None or (left and stop is not None and stop.is_set()):
        watcher.end_early(_how_to_go_on(execution.ended_by, run, left, len(entries)))
    return ended


class _Clock:
    """Waits are real; the record is of the workspace's clock, which a test or a guide may have fixed."""

    def __init__(self, target: Target) -> None:
        self._now = target.now

    def monotonic(self) -> float:
        return time.monotonic()

    def time(self) -> float:
        return self._now().timestamp()


def _how_to_go_on(ended_by: errors.TokenKitError | KeyboardInterrupt | None, run: Run, left: int, total: int) -> str:
    why = f"Ended early: {ended_by}" if isinstance(ended_by, errors.TokenKitError) else "Stopped"
    how = f"tokenkit.resume({run.run_id!r}) finishes them, in a shell tokenkit resume {run.run_id}"
    return f"{why.rstrip('.')}. {left:,} of {total:,} {wording.of(left, 'is', 'are')} left; {how}."


class Terminal:
    """Nobody in particular watches: what must be said goes to the standard error."""

    def advance(self, done: int, total: int) -> None:
        """Say nothing."""

    def end_early(self, words: str) -> None:
        """Print it."""
        sys.stderr.write(f"{words}\n")


@contextlib.contextmanager
def _counted_for(watcher: Progress, total: int) -> Iterator[Callable[[int], None]]:
    done = itertools.count(1)
    yield lambda _: watcher.advance(next(done), total)


@contextlib.contextmanager
def _progress_bar(total: int, run: Run) -> Iterator[Callable[[int], None]]:
    if not total:
        yield lambda _: None
        return
    from tqdm.auto import tqdm  # noqa: PLC0415 - only a run needs it

    # Nothing is shown of a run that is over within two seconds.
    with tqdm(total=total, desc=run.kind, unit="token", delay=2, leave=False, file=sys.stderr) as bar:
        yield lambda count: bar.update(count) and None


def result(entries: Sequence[Entry], outcomes: Mapping[str, Outcome] | None = None) -> pd.DataFrame:
    """Return a row for each entry with the columns of ``RESULT``: its outcome, else what was known of it."""
    known = outcomes or {}
    ended = [known.get(entry.token_id) or _known_outcome(entry) for entry in entries]
    rows = [
        {
            "token_id": entry.token_id,
            "owner": entry.owner,
            "outcome": end.outcome,
            "error": end.error,
            "attempts": end.attempts,
            "started_at": end.started_at_ms,
            "finished_at": end.finished_at_ms,
        }
        for entry, end in zip(entries, ended, strict=True)
    ]
    return frames.frame(rows, RESULT)


def _known_outcome(entry: Entry) -> Outcome:
    """Return what was known of an entry before this run: its end, or that it is still to be done."""
    if entry.state not in records.SETTLED:
        return Outcome(token_id=entry.token_id, outcome=records.PLANNED, attempts=entry.attempts)
    return Outcome(
        token_id=entry.token_id,
        outcome=entry.state,
        error=entry.error,
        attempts=entry.attempts,
        finished_at_ms=entry.at_ms,
    )
