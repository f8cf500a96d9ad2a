"""What all plans share: what they need of a workspace, how they are carried out and resumed, how they look.

A plan is frozen: it holds token ids and a snapshot of each token, and nothing that is done to the workspace afterwards
changes it. ``apply()`` looks at the workspace again before it sends anything, and leaves out what has changed since
(drift) and what is protected by then. At the end it reads the listing once more, and says what is still there.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames, wording
from tokenkit.actions import journal as records
from tokenkit.actions import protect as protection
from tokenkit.actions.executor import INTERRUPT, Execution
from tokenkit.actions.journal import Entry, Journal, Run, Step, new_run_id
from tokenkit.actions.task import Found, Outcome, Task
from tokenkit.frames import TokenInfo
from tokenkit.printable import printable
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
        workspace_id: Returns its id, which is asked for where it is not known.
        name: What it is called in messages.
        origin: Where the credentials came from, in words.
        api: The token management calls, with patience.
        one_shot: The same without any retry; the executor has its own.
        tokens: The listing with owners and derived columns, as it is now.
        identities: The workspace's principals, as they are now; given the groups whose members have to be known.
        caller: The caller's id and name.
        now: The present moment.
        folder: Where the journal and the configuration lie.
    """

    host: str
    workspace_id: Callable[[], str]
    name: str
    origin: str
    api: TokenManagementAPI
    one_shot: TokenManagementAPI
    tokens: Callable[[], pd.DataFrame]
    identities: Callable[[Collection[str]], Identities]
    caller: Callable[[], tuple[int, str]]
    now: Callable[[], pd.Timestamp]
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a run is carried out, kept with it so that it is resumed alike.

    Attributes:
        workers: How many requests may be under way at once.
        despite_drift: Whether tokens that changed since the plan are done all the same.
        protect: What the plan was told to protect, in addition to ``config.toml``.
    """

    workers: int = WORKERS
    despite_drift: bool = False
    protect: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return them as the journal keeps them."""
        return asdict(self)

    @classmethod
    def of(cls, run: Run) -> Settings:
        """Return those of a run.

        Raises:
            JournalError: It has some that this version does not know.
        """
        known = {each.name for each in fields(cls)}
        if unknown := run.settings.keys() - known:
            raise errors.JournalError(
                f"Run {run.run_id} has settings that this version does not know: {', '.join(sorted(unknown))}. "
                "Upgrade tokenkit to resume it."
            )
        return cls(**run.settings)


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
    """Return what changed about tokens since they were planned: owned by another, used since.

    A token that the listing lacks did not change: whether it is gone, the workspace is asked.

    Args:
        entries: The entries of a run.
        tokens: The listing as it is now.
        minds_use: Whether a use since the plan counts.
    """
    watched = [{name: entry.snapshot.get(name) for name in _WATCHED.names} for entry in entries]
    before = frames.frame(watched, _WATCHED).set_index("token_id")
    now = tokens[_WATCHED.names].set_index("token_id").reindex(before.index)
    is_listed = before.index.isin(tokens["token_id"])
    other_owner = _true(now["owner_id"] != before["owner_id"]) & is_listed
    used = _true(now["last_used_day"] > before["last_used_day"].fillna(_LONG_AGO)) & ~other_owner & minds_use
    days = now["last_used_day"].dt.strftime("%Y-%m-%d")
    return {
        name: f"owned by another since the plan ({now.loc[name, 'owner_id']})" for name in before.index[other_owner]
    } | {name: f"used since the plan, on {days[name]}" for name in before.index[used]}


def _true(verdict: pd.Series[Any]) -> pd.Series[bool]:
    return verdict.astype("boolean").fillna(value=False).astype(bool)


_LONG_AGO = pd.Timestamp(0, tz="UTC")


def planned_tokens(entries: Sequence[Entry]) -> pd.DataFrame:
    """Return the tokens of entries as they were planned: the columns of a listing, and ``owner``."""
    tokens = frames.frame([entry.snapshot for entry in entries], frames.TOKENS)
    return tokens.assign(owner=pd.Series([entry.owner for entry in entries], dtype=frames.TEXT))


def protected_now(
    entries: Sequence[Entry], tokens: pd.DataFrame, patterns: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Return why tokens are protected, by what they were when planned or by what they are now.

    Args:
        entries: The entries of a run.
        tokens: The listing with ``owner`` as it is now.
        patterns: What is protected.
    """
    if not patterns:
        return {}
    now = tokens[tokens["token_id"].isin([entry.token_id for entry in entries])]
    either = [part.set_index("token_id", drop=False) for part in (planned_tokens(entries), now)]
    reasons: dict[str, str] = {}
    for part in either:
        found = protection.protected(part, patterns)
        reasons |= {str(token_id): reason for token_id, reason in found[found != ""].items()}
    return reasons


def begin(
    target: Target, kind: str, *, reason: str | None, settings: Mapping[str, Any], run_id: str | None = None
) -> Run:
    """Return a new run of a plan; the journal does not have it yet."""
    _, caller = target.caller()
    return Run(
        run_id=run_id or new_run_id(target.now()),
        kind=kind,
        host=target.host,
        workspace_id=target.workspace_id(),
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
    left_out: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Carry out the entries of a run that the journal has, and return a row for each with the columns of ``RESULT``.

    What the journal records as settled is not touched again. The listing is read once more first: what drifted or is
    protected is skipped; what it lacks is looked up, and never taken for gone on its word. It is read again at the end:
    what it still has of the tokens that are called revoked or gone is ``still_listed``.

    A dead credential, tokens that are disabled, a full disk under the journal, Ctrl-C and ``stop`` end it early: the
    rest is ``planned``, a line says how to go on, and ``attrs["ended_by"]`` of the result says what ended it:
    ``interrupt``, ``stop``, or the name of the error's class. Whatever was sent has its true outcome.

    Args:
        target: The workspace.
        run: The run.
        entries: All its entries.
        task: What is done to each.
        journal: Where the run is.
        settings: How it is carried out.
        progress: Whether a bar is shown, or who is told instead.
        stop: When set, by another thread, nothing new is sent.
        left_out: Tokens that are skipped in any case, and why.
    """
    conduct = _Conduct(target, run, journal, settings, progress=progress, stop=stop)
    left = [entry for entry in entries if entry.state not in records.SETTLED]
    return conduct.ended(lambda: conduct.carry_out(task, left, left_out or {}), entries)


def change_and_look_up(
    target: Target,
    run: Run,
    entries: Sequence[Entry],
    change: Callable[[], Task],
    journal: Journal,
    *,
    progress: bool | Progress,
    stop: threading.Event | None,
) -> pd.DataFrame:
    """Make a change that is one request, find out what became of its tokens, and return a row for each of the run.

    It ends early, and is confirmed by the listing, as ``carry_out`` does and is.

    Args:
        target: The workspace.
        run: The run.
        entries: The entries that are to be looked up.
        change: Makes the change, and returns how its tokens are looked up.
        journal: Where the run is.
        progress: Whether a bar is shown, or who is told instead.
        stop: When set, by another thread, no more tokens are looked up.
    """
    conduct = _Conduct(target, run, journal, Settings(), progress=progress, stop=stop)
    return conduct.ended(lambda: conduct.execute(change(), entries), entries)


ENDED_BY = "ended_by"


def remaining(result: pd.DataFrame) -> int:
    """Return how many tokens of a result are left: those that ``resume`` would touch."""
    return int((~result["outcome"].isin(list(records.SETTLED))).sum())


class _Conduct:
    """A run being carried out: what is left out at first, the execution, the listing at its end."""

    def __init__(
        self,
        target: Target,
        run: Run,
        journal: Journal,
        settings: Settings,
        *,
        progress: bool | Progress,
        stop: threading.Event | None,
    ) -> None:
        self._target = target
        self._run = run
        self._journal = journal
        self._settings = settings
        self._shows_bar = progress is True
        self._watcher: Progress = Terminal() if isinstance(progress, bool) else progress
        self._stop = stop
        self._execution: Execution | None = None

    def ended(self, work: Callable[[], object], entries: Sequence[Entry]) -> pd.DataFrame:
        """Do some of the work below, and return a row for each entry of the run.

        An interrupt is no reason to lose what is known: the rows are read from the journal after it.
        """
        try:
            work()
            interrupted = False
        except KeyboardInterrupt:
            interrupted = True
        execution, error, unwritten = self._execution, None, None
        ended_by = INTERRUPT if interrupted else None
        if execution is not None:
            ended_by, error, unwritten = execution.ended_by or ended_by, execution.error, execution.unwritten
        with contextlib.suppress(errors.JournalError):
            entries = self._journal.entries(self._run.run_id)
        rows = result(entries, unwritten)
        if ended_by is not None:
            rows.attrs[ENDED_BY] = ended_by
            self._watcher.end_early(_how_to_go_on(error, self._run, remaining(rows), len(rows)))
        return rows

    def carry_out(self, task: Task, entries: Sequence[Entry], left_out: Mapping[str, str]) -> None:
        """Carry out entries that are left, but for some that are left out, and confirm what came of them."""
        if not entries:
            return
        patterns = protection.read_protected(self._target.folder, self._settings.protect)
        listing = self._target.tokens() if patterns else self._target.api.list()
        unseen = {entry.token_id for entry in entries} - set(listing["token_id"])
        listed = [entry for entry in entries if entry.token_id not in unseen]
        spared = self._spared(task, listed, listing, patterns) | dict(left_out)
        self._note({token_id: (records.SKIPPED, reason) for token_id, reason in spared.items()}, entries)
        todo = [entry for entry in entries if entry.token_id not in spared]
        self.execute(task, todo, unseen, patterns)

    def execute(
        self,
        task: Task,
        entries: Sequence[Entry],
        unseen: Collection[str] = (),
        patterns: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Send what there is to send, and unless that ended early, confirm what came of it.

        Args:
            task: What is done to each.
            entries: What is to be done.
            unseen: Those that the listing lacks; what they are is known once they are looked up.
            patterns: What is protected.
        """

        def found(entry: Entry, token: TokenInfo) -> Found | None:
            if (known := task.found(entry, token)) is not None or entry.token_id not in unseen:
                return known
            now = frames.frame([token.as_dict()], frames.TOKENS)
            now = now.assign(owner=pd.Series([entry.owner], dtype=frames.TEXT))
            reason = self._spared(task, [entry], now, patterns or {}).get(entry.token_id)
            return None if reason is None else (records.SKIPPED, reason)

        bar = _progress_bar if self._shows_bar else _counted_for
        with bar(len(entries), self._run, self._watcher) as advance:
            self._execution = Execution(
                self._run.run_id,
                replace(task, found=found),
                self._journal,
                workers=self._settings.workers,
                clock=_Clock(self._target),
                stop=self._stop,
                on_outcome=lambda _: advance(1),
            )
            self._execution.carry_out(entries, unseen=unseen)
        if self._execution.ended_by is None:
            self._confirm()

    def _spared(
        self, task: Task, entries: Sequence[Entry], listing: pd.DataFrame, patterns: Mapping[str, Sequence[str]]
    ) -> dict[str, str]:
        """Return which tokens are left out, and why: what drifted, unless that is let pass, and what is protected."""
        drifted = {} if self._settings.despite_drift else drift(entries, listing, minds_use=task.minds_use)
        return drifted | protected_now(entries, listing, patterns)

    def _confirm(self) -> None:
        """Read the listing once more, and note which tokens it still has that are called revoked or gone.

        Where it cannot be read, what is called so gets a remark.
        """
        entries = self._journal.entries(self._run.run_id)
        called_gone = [entry for entry in entries if entry.state in (records.REVOKED, records.ALREADY_GONE)]
        if not called_gone:
            return
        try:
            listed = set(self._target.api.list()["token_id"])
        except errors.TokenKitError as failure:
            remark = f"not confirmed, as the listing could not be read at the end: {failure}"
            self._note({e.token_id: (e.state, remark) for e in called_gone if e.error is None}, called_gone)
            return
        still_there = [entry for entry in called_gone if entry.token_id in listed]
        self._note(
            {e.token_id: (records.STILL_LISTED, f"{e.state}, {_STILL_LISTED}") for e in still_there}, still_there
        )

    def _note(self, found: Mapping[str, Found], entries: Sequence[Entry]) -> None:
        """Write down what became of tokens without a request for each."""
        at_ms = round(self._target.now().timestamp() * 1000)
        self._journal.record_all(
            Step(
                run_id=self._run.run_id,
                token_id=entry.token_id,
                state=found[entry.token_id][0],
                at_ms=at_ms,
                attempts=entry.attempts,
                error=found[entry.token_id][1],
            )
            for entry in entries
            if entry.token_id in found
        )


_STILL_LISTED = "and the workspace still lists it; resume the run to try again"


class _Clock:
    """Waits are real; the record is of the workspace's clock, which a test or a guide may have fixed."""

    def __init__(self, target: Target) -> None:
        self._now = target.now

    def monotonic(self) -> float:
        return time.monotonic()

    def time(self) -> float:
        return self._now().timestamp()


def _how_to_go_on(error: errors.TokenKitError | None, run: Run, left: int, total: int) -> str:
    why = "Stopped" if error is None else f"Ended early: {records.storable(str(error))}"
    how = f"; tokenkit.resume({run.run_id!r}) finishes them, in a shell tokenkit resume {run.run_id}" if left else ""
    return f"{why.rstrip('.')}. {left:,} of {total:,} {wording.of(left, 'is', 'are')} left{how}."


class Terminal:
    """Nobody in particular watches: what must be said goes to the standard error."""

    def advance(self, done: int, total: int) -> None:
        """Say nothing."""

    def end_early(self, words: str) -> None:
        """Print it."""
        sys.stderr.write(f"{printable(words)}\n")


@contextlib.contextmanager
def _counted_for(total: int, _run: Run, watcher: Progress) -> Iterator[Callable[[int], None]]:
    done = itertools.count(1)
    yield lambda _: watcher.advance(next(done), total)


@contextlib.contextmanager
def _progress_bar(total: int, run: Run, _watcher: Progress) -> Iterator[Callable[[int], None]]:
    if not total:
        yield lambda _: None
        return
    from tqdm.auto import tqdm  # noqa: PLC0415 - only a run needs it

    # Nothing is shown of a run that is over within two seconds.
    with tqdm(total=total, desc=run.kind, unit="token", delay=2, leave=False, file=sys.stderr) as bar:
        yield lambda count: bar.update(count) and None


def result(entries: Sequence[Entry], unwritten: Mapping[str, Outcome] | None = None) -> pd.DataFrame:
    """Return a row for each entry with the columns of ``RESULT``.

    Args:
        entries: The entries of a run, each with its last state.
        unwritten: What became of those whose outcome the journal could not take.
    """
    known = unwritten or {}
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
    """Return what the journal knows of an entry; of one that was sent, nobody waits for the response any more."""
    return Outcome(
        token_id=entry.token_id,
        outcome=records.UNKNOWN if entry.state == records.SENT else entry.state,
        error=entry.error,
        attempts=entry.attempts,
        started_at_ms=entry.started_at_ms,
        finished_at_ms=None if entry.state == records.PLANNED else entry.at_ms,
    )
