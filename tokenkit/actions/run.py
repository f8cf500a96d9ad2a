"""Executing a run: tokens to skip, requests, and the final listing that confirms the outcomes."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.actions import journal as records
from tokenkit.actions import protect as protection
from tokenkit.actions import states
from tokenkit.actions.executor import INTERRUPT, Execution
from tokenkit.actions.journal import Entry, Journal, Run, Step
from tokenkit.actions.options import RunOptions, RunSettings
from tokenkit.actions.plan import PlanContext, documents, planned_tokens
from tokenkit.actions.result import ENDED_BY, remaining, result_of
from tokenkit.actions.task import Found, Task
from tokenkit.core.progress import progress_bar
from tokenkit.core.spelling import spelled
from tokenkit.core.wording import pluralize
from tokenkit.frames import TokenInfo
from tokenkit.review.expressions import truth


def execute(
    context: PlanContext,
    run: Run,
    entries: Sequence[Entry],
    task: Task,
    journal: Journal,
    *,
    options: RunOptions,
    left_out: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Execute the entries of a recorded run, and return a row for each with the columns of ``RESULT``.

    Settled entries are not processed again. First the listing is read: tokens that drifted or are protected are
    skipped, and tokens that it lacks are looked up, never assumed to be gone. At the end the listing is read again: a
    token that is recorded as revoked or already gone but is listed becomes ``still_listed``, and so does a token that
    is recorded as updated but is listed with another comment or scopes.

    A rejected credential, disabled tokens, a full disk under the journal, Ctrl-C and ``stop`` end the run early: the
    rest is ``pending``, a message says how to resume, and ``attrs["ended_by"]`` of the result names the cause:
    ``interrupt``, ``stop``, or the name of the error's class. Each request that was sent has the outcome that its
    response proves. After an early end nothing more is sent, so the listing is not read. Resuming the run reads it,
    even if no entry remains.

    Args:
        context: The workspace.
        run: The run.
        entries: All entries of the run.
        task: The request for each entry.
        journal: The journal that has the run.
        options: The progress listener and the stop event; the rest is in the run's settings.
        left_out: Tokens that are skipped in any case, each with the reason.
    """
    executor = _RunExecutor(context, run, journal, options, RunSettings.of(run))
    open_entries = [entry for entry in entries if entry.state not in states.SETTLED]
    return executor.result_after(lambda: executor.execute(task, open_entries, left_out or {}), entries)


def change_and_look_up(
    context: PlanContext,
    run: Run,
    entries: Sequence[Entry],
    change: Callable[[], Task],
    journal: Journal,
    *,
    options: RunOptions,
) -> pd.DataFrame:
    """Make a change in a single request, look up its tokens, and return a row for each token of the run.

    Like ``execute``, it can end early, and the listing confirms its outcomes.

    Args:
        context: The workspace.
        run: The run.
        entries: The entries to look up.
        change: Makes the change, and returns how its tokens are looked up.
        journal: The journal that has the run.
        options: The progress listener and the stop event.
    """
    executor = _RunExecutor(context, run, journal, options, RunSettings())
    return executor.result_after(lambda: executor.send(change(), entries), entries)


def note_change(
    context: PlanContext,
    run: Run,
    journal: Journal,
    state: str,
    *,
    error: str | None = None,
    entries: Iterable[Entry] = (),
) -> None:
    """Record the state of a run that is a single request, and of the tokens that share it."""
    at_ms = context.now_ms()
    journal.record_all(
        Step(run_id=run.run_id, token_id=token_id, state=state, at_ms=at_ms, attempts=1, error=error)
        for token_id in (records.THE_CHANGE, *(entry.token_id for entry in entries))
    )


@dataclass
class _RunExecutor:
    """Executes one run: skips tokens, sends requests for the others, and confirms the outcomes by the listing."""

    context: PlanContext
    run: Run
    journal: Journal
    options: RunOptions
    settings: RunSettings
    execution: Execution | None = None

    def result_after(self, work: Callable[[], object], entries: Sequence[Entry]) -> pd.DataFrame:
        """Call a function, and return a row for each entry of the run, even after an interrupt."""
        try:
            work()
            interrupted = False
        except KeyboardInterrupt:
            interrupted = True
        execution, error, unwritten = self.execution, None, None
        ended_by = INTERRUPT if interrupted else None
        if execution is not None:
            ended_by, error, unwritten = execution.ended_by or ended_by, execution.error, execution.unwritten
        with contextlib.suppress(errors.JournalError):
            entries = self.journal.entries(self.run.run_id)
        rows = result_of(entries, unwritten)
        if ended_by is not None:
            rows.attrs[ENDED_BY] = ended_by
            self.options.listener.end_early(_how_to_resume(error, self.run, remaining(rows), len(rows)))
        return rows

    def execute(self, task: Task, entries: Sequence[Entry], left_out: Mapping[str, str]) -> None:
        """Execute the entries that remain, except those that are skipped, and confirm the outcomes."""
        if not entries:
            self.confirm(task)
            return
        patterns = protection.read_protected(self.context.folder, self.settings.protect)
        listing = self.context.tokens() if patterns else self.context.api.list()
        unlisted = {entry.token_id for entry in entries} - set(listing["token_id"])
        listed = [entry for entry in entries if entry.token_id not in unlisted]
        skipped = self._skipped(task, listed, listing, patterns) | dict(left_out)
        self._record({token_id: (states.SKIPPED, reason) for token_id, reason in skipped.items()}, entries)
        self.send(task, [entry for entry in entries if entry.token_id not in skipped], unlisted, patterns)

    def send(
        self,
        task: Task,
        entries: Sequence[Entry],
        unlisted: Collection[str] = (),
        patterns: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Send the requests, and confirm the outcomes unless the execution ended early.

        Args:
            task: The request for each entry.
            entries: The entries to process.
            unlisted: The tokens that the listing lacks. They are looked up before it is decided whether to skip them.
            patterns: The patterns of protected tokens.
        """

        def found(entry: Entry, token: TokenInfo) -> Found | None:
            if (known := task.found(entry, token)) is not None or entry.token_id not in unlisted:
                return known
            current = frames.frame([token.as_dict()], frames.TOKENS)
            current = current.assign(owner=pd.Series([entry.owner], dtype=frames.TEXT))
            reason = self._skipped(task, [entry], current, patterns or {}).get(entry.token_id)
            return None if reason is None else (states.SKIPPED, reason)

        total, kind = len(entries), self.run.kind
        listener, done = self.options.listener, itertools.count(1)
        reported = contextlib.nullcontext(lambda _: listener.advance(next(done), total))
        with progress_bar(total, kind, unit="token") if self.options.shows_bar else reported as advance:
            self.execution = Execution(
                self.run.run_id,
                replace(task, found=found),
                self.journal,
                workers=self.settings.workers,
                clock=_RunClock(self.context),
                stop=self.options.stop,
                on_outcome=lambda _: advance(1),
            )
            self.execution.execute(entries, unseen=unlisted)
        if self.execution.ended_by is None:
            self.confirm(task, entries)

    def _skipped(
        self, task: Task, entries: Sequence[Entry], listing: pd.DataFrame, patterns: Mapping[str, Sequence[str]]
    ) -> dict[str, str]:
        return reasons_to_skip(entries, listing, patterns, self.settings, check_last_use=task.check_last_use)

    def confirm(self, task: Task, sent: Sequence[Entry] = ()) -> None:
        """Read the listing once more, and record what contradicts the run: tokens that are recorded as revoked or
        already gone but are listed, and tokens that are recorded as updated but are listed with other values.

        If the listing cannot be read, these outcomes get a remark, which a later reading removes. Other values of an
        update that an earlier execution made are no contradiction: somebody may have changed them since.

        Args:
            task: The request for each entry.
            sent: The entries as they were sent, because the journal may not have all of a change.
        """
        changes = {entry.token_id: entry.change for entry in sent}
        done = [
            replace(entry, change=changes.get(entry.token_id, entry.change))
            for entry in self.journal.entries(self.run.run_id)
            if entry.state in (states.REVOKED, states.ALREADY_GONE, states.UPDATED)
        ]
        if not done:
            return
        try:
            listing = self.context.api.list()
        except errors.TokenKitError as failure:
            remark = f"{states.NOT_CONFIRMED}, because the final listing could not be read: {failure}"
            self._record({entry.token_id: (entry.state, remark) for entry in done if entry.error is None}, done)
            return
        listing = listing[listing["token_id"].isin([entry.token_id for entry in done])]
        listed = {document["token_id"]: TokenInfo.from_document(document) for document in documents(listing)}
        contradicted = [
            entry
            for entry in done
            if entry.token_id in listed
            and not _is_as_recorded(task, entry, listed[entry.token_id])
            and (entry.state != states.UPDATED or entry.token_id in changes or _is_unconfirmed(entry))
        ]
        in_doubt = {entry.token_id for entry in contradicted}
        confirmed = [entry for entry in done if _is_unconfirmed(entry) and entry.token_id not in in_doubt]
        self._record({entry.token_id: (entry.state, None) for entry in confirmed}, confirmed)
        self._record(
            {
                entry.token_id: (states.STILL_LISTED, f"{entry.state}, {_STILL_LISTED[entry.state]}")
                for entry in contradicted
            },
            contradicted,
        )

    def _record(self, found: Mapping[str, Found], entries: Sequence[Entry]) -> None:
        """Record outcomes that needed no request."""
        at_ms = self.context.now_ms()
        self.journal.record_all(
            Step(
                run_id=self.run.run_id,
                token_id=entry.token_id,
                state=found[entry.token_id][0],
                at_ms=at_ms,
                attempts=entry.attempts,
                error=found[entry.token_id][1],
            )
            for entry in entries
            if entry.token_id in found
        )


_STILL_THERE = "and the workspace still lists it; resume the run to try again"
_STILL_LISTED = {
    states.REVOKED: _STILL_THERE,
    states.ALREADY_GONE: _STILL_THERE,
    states.UPDATED: "and the workspace lists it with another comment or scopes; resume the run to try again",
}


def _is_unconfirmed(entry: Entry) -> bool:
    return (entry.error or "").startswith(states.NOT_CONFIRMED)


def _is_as_recorded(task: Task, entry: Entry, listed: TokenInfo) -> bool:
    """Return whether a listed token is as the journal says."""
    if entry.state != states.UPDATED:
        return False
    # A change that is not completely in the journal cannot be compared.
    return records.is_redacted(entry.change) or task.found(entry, listed) is not None


class _RunClock:
    """The executor's clock: it waits in real time, and records the workspace's time, which a test or guide can fix."""

    def __init__(self, context: PlanContext) -> None:
        self._now = context.now

    def monotonic(self) -> float:
        return time.monotonic()

    def time(self) -> float:
        return self._now().timestamp()


def _how_to_resume(error: errors.TokenKitError | None, run: Run, count: int, total: int) -> str:
    why = "Stopped" if error is None else f"Ended early: {records.storable(str(error))}"
    return f"{why.rstrip('.')}. {count:,} of {pluralize(total, 'token')} remaining{how_to_finish(run.run_id, count)}."


def how_to_finish(run_id: str, count: int) -> str:
    """Return how to finish a run of which tokens remain, as a clause; empty if none do, or if a command will say it.

    Args:
        run_id: The run, or the run of several workspaces.
        count: The number of tokens that remain.
    """
    how = spelled("; to finish, run tokenkit.resume({run_id!r}), or in a shell tokenkit resume {run_id}", run_id=run_id)
    return how if count else ""


_COMPARED = pa.schema([frames.TOKENS.field(name) for name in ("token_id", "owner_id", "last_used_day")])
_LONG_AGO = pd.Timestamp(0, tz="UTC")


ABSENT: Mapping[str, Any] = {"comment": "", "scopes": []}
"""The values of the fields that an update can change, of a token that has none."""


def has(token: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Return whether a token, as the API represents it, has these values of fields. The order of scopes is ignored."""
    return all(_is_same(token.get(name, ABSENT[name]), value) for name, value in values.items())


def _is_same(one: Any, other: Any) -> bool:  # noqa: ANN401 - a comment or scopes
    return set(one) == set(other) if isinstance(one, list) and isinstance(other, list) else bool(one == other)


def values_before(entry: Entry) -> dict[str, Any]:
    """Return the values in the snapshot of the fields that an entry changes."""
    return {name: entry.snapshot.get(name, ABSENT[name]) for name in entry.change or {}}


def _changed_since(entries: Sequence[Entry], tokens: pd.DataFrame) -> dict[str, str]:
    """Return the tokens whose comment or scopes an update would replace, and which somebody else has replaced."""
    updates = {entry.token_id: entry for entry in entries if entry.change}
    if not updates:
        return {}
    listed = documents(tokens[tokens["token_id"].isin(list(updates))])
    found: dict[str, str] = {}
    for token in listed:
        entry = updates[token["token_id"]]
        before = values_before(entry)  # the journal may not have all of it
        known = {name: value for name, value in before.items() if not records.is_redacted({name: value})}
        if not has(token, known) and not has(token, entry.change or {}):
            found[entry.token_id] = f"{' and '.join(known)} changed since the plan"
    return found


def drift(entries: Sequence[Entry], tokens: pd.DataFrame, *, check_last_use: bool) -> dict[str, str]:
    """Return what changed about tokens since the plan: another owner, a later use, or the values to be replaced.

    A token that the listing lacks did not drift; a request determines whether it still exists.

    Args:
        entries: The entries of a run.
        tokens: The current listing.
        check_last_use: Whether a use since the plan counts.
    """
    compared = [{name: entry.snapshot.get(name) for name in _COMPARED.names} for entry in entries]
    before = frames.frame(compared, _COMPARED).set_index("token_id")
    now = tokens[_COMPARED.names].set_index("token_id").reindex(before.index)
    is_listed = before.index.isin(tokens["token_id"])
    other_owner = truth(now["owner_id"] != before["owner_id"]) & is_listed
    used = truth(now["last_used_day"] > before["last_used_day"].fillna(_LONG_AGO)) & ~other_owner & check_last_use
    days, owners = now["last_used_day"].dt.strftime("%Y-%m-%d"), now["owner_id"]
    return {
        **_changed_since(entries, tokens),
        **{name: f"owner changed since the plan (now {owners[name]})" for name in before.index[other_owner]},
        **{name: f"used since the plan, on {days[name]}" for name in before.index[used]},
    }


def reasons_to_skip(
    entries: Sequence[Entry],
    listing: pd.DataFrame,
    patterns: Mapping[str, Sequence[str]],
    settings: RunSettings,
    *,
    check_last_use: bool,
) -> dict[str, str]:
    """Return which tokens a run skips, each with the reason: those that drifted and those that are protected.

    Args:
        entries: The entries of a run.
        listing: The current listing; with ``owner`` where there are patterns.
        patterns: The patterns of protected tokens.
        settings: The settings of the run.
        check_last_use: Whether a use since the plan counts as drift.
    """
    drifted = {} if settings.despite_drift else drift(entries, listing, check_last_use=check_last_use)
    return drifted | protected_now(entries, listing, patterns)


def protected_now(
    entries: Sequence[Entry], tokens: pd.DataFrame, patterns: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Return why tokens are protected, by their state when planned or by their current state.

    Args:
        entries: The entries of a run.
        tokens: The current listing with ``owner``.
        patterns: The patterns of protected tokens.
    """
    if not patterns:
        return {}
    now = tokens[tokens["token_id"].isin([entry.token_id for entry in entries])]
    reasons: dict[str, str] = {}
    for state in (planned_tokens(entries), now):
        found = protection.protected(state.set_index("token_id", drop=False), patterns)
        reasons |= {str(token_id): reason for token_id, reason in found[found != ""].items()}
    return reasons
