"""Executing one run in many workspaces, and resuming it.

Every workspace's plan is recorded in its journal, as a part of the run, before the first request is sent. After that,
applying and resuming are the same: what remains of each part is executed.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from tokenkit import errors, frames
from tokenkit.actions import run_ids, states
from tokenkit.actions.executor import INTERRUPT
from tokenkit.actions.journal import Journal, Run, new_run_id
from tokenkit.actions.options import Progress, RunOptions
from tokenkit.actions.plan import WorkspacePlan
from tokenkit.actions.result import ENDED_BY, NOT_COMPARED, RESULT, remaining, result_of
from tokenkit.actions.resumption import ResumePlan
from tokenkit.actions.resumption import resume as resume_run
from tokenkit.actions.run import how_to_finish
from tokenkit.core.redaction import redact
from tokenkit.core.spelling import spelled
from tokenkit.core.wording import pluralize
from tokenkit.fleets.frames import by_workspace
from tokenkit.fleets.members import Members
from tokenkit.fleets.plans import P, not_in_fleet
from tokenkit.workspaces.workspace import Workspace

_APPLYING = 8  # each has its own threads


def _not_recorded(plan: WorkspacePlan | ResumePlan, failure: Exception) -> pd.DataFrame:
    """Return the result of a plan that could not be recorded."""
    error = f"not started, and not in the journal: {redact(str(failure))}"
    pending = {"outcome": states.PENDING, "error": error, "attempts": 0}
    rows = [{"token_id": token_id, **pending} for token_id in plan.token_ids]
    return frames.frame(rows, RESULT).assign(owner=plan.preview()["owner"].array)


class ProgressAggregator:
    """Adds up the progress of the workspaces of a run for one listener.

    Each workspace is executed in its own thread. Calls to the listener never overlap.

    Args:
        listener: The listener of the whole run.
        counts: The number of tokens of each workspace, if it is known.
    """

    def __init__(self, listener: Progress, counts: Mapping[str, int]) -> None:
        self._listener = listener
        self._lock = threading.Lock()
        self._done = 0
        self._totals = dict(counts)

    def advance(self, host: str, total: int) -> None:
        """Count one more outcome of a workspace, whose total does not include tokens that were skipped beforehand."""
        with self._lock:
            self._done, self._totals[host] = self._done + 1, total
            self._listener.advance(self._done, sum(self._totals.values()))


class _WorkspaceProgress:
    """The listener of one workspace. What remains is reported once, for the whole run."""

    def __init__(self, aggregator: ProgressAggregator, host: str) -> None:
        self._aggregator, self._host = aggregator, host

    def advance(self, done: int, total: int) -> None:  # noqa: ARG002 - each call counts one token
        self._aggregator.advance(self._host, total)

    def end_early(self, message: str) -> None:
        pass


def apply(members: Members, made: Mapping[str, P], options: RunOptions) -> tuple[str, pd.DataFrame]:
    """Record every plan as a part of one run, execute all of them, and return the id of the run and the result."""
    run_id = new_run_id(members.workspace(next(iter(made))).now())
    part_ids = {host: f"{run_id}.{number}" for number, host in enumerate(made, 1)}
    with open_journals(members.folders()) as journals:

        def begin(workspace: Workspace) -> tuple[Journal, Run]:
            journal = journals[workspace.folder]
            name = members.name_of(workspace)
            return journal, made[name].record(journal, options, run_id=part_ids[name])

        begun, failures = members.gather(
            "apply", begin, list(made), workers=members.workers, progress=options.shows_bar
        )
        counts = {host: len(plan) for host, plan in made.items()}
        ended = _execute(members, run_id, list(begun.values()), options, counts=counts, failures=failures)
    missed = {host: _not_recorded(made[host], failure) for host, failure in failures.items()}
    result = frames.concat([ended, by_workspace(missed, empty=RESULT)])
    result.attrs = ended.attrs  # pandas drops them
    return run_id, result


def resume(members: Members, run_id: str, options: RunOptions) -> pd.DataFrame:
    """Resume a run of a fleet, and return the outcome of each of its tokens.

    Raises:
        UsageError: There is no such run.
    """
    with open_journals(members.folders()) as journals:
        return _execute(members, run_id, _parts(members, journals, run_id), options)


def plan_parts(
    members: Members, run_id: str, operation: str, make: Callable[[Workspace, str], P]
) -> tuple[dict[str, P], int, dict[str, int]]:
    """Return a plan for each part of a run, by workspace, how many parts could not be planned because of an error, and
    the workspaces of the run that are not in the fleet, each with the number of tokens that remain there.

    Args:
        members: The workspaces of the fleet.
        run_id: The run.
        operation: The name of the operation in ``Fleet.errors``.
        make: Makes the plan for the part of a run with this id.

    Raises:
        UsageError: There is no such run.
        FleetError: None of its workspaces responded.
    """
    with open_journals(members.folders()) as journals:
        parts = _parts(members, journals, run_id)
        part_ids = {members.name_of(part): part.run_id for _, part in parts}
        elsewhere = {
            _named(members, part): remaining(result_of(journal.entries(part.run_id)))
            for journal, part in parts
            if members.name_of(part) not in members
        }
    own = [name for name in part_ids if name in members]
    if not own:
        raise errors.UsageError(f"Run {run_id} belongs to no workspace of this fleet: {', '.join(part_ids)}.")
    made = members.each(operation, lambda workspace: make(workspace, part_ids[members.name_of(workspace)]), hosts=own)
    return made, len(own) - len(made), elsewhere


def _named(members: Members, run: Run) -> str:
    """Return the workspace of a run, with the profile or other origin of its credentials."""
    return f"{members.name_of(run)} ({run.origin})"


def whole_run_id(members: Members, run_id: str) -> str:
    """Return the id of a run for its unique beginning or end, in any journal of the fleet.

    Raises:
        UsageError: Several runs match.
    """
    with open_journals(members.folders()) as journals:
        known = [known_id for journal in journals.values() for known_id in journal.run_ids()]
    return run_ids.whole(run_id, known)


def _parts(members: Members, journals: Mapping[Path, Journal], run_id: str) -> list[tuple[Journal, Run]]:
    """Return the parts of a run, or the one run, with the journal of each.

    Raises:
        UsageError: There is no such run.
    """
    parts = [(journal, part) for journal in journals.values() for part in journal.parts(run_id)]
    parts = parts or [(journal, journal.run(run_id)) for journal in journals.values() if journal.has_run(run_id)]
    if not parts:
        raise errors.UsageError(f"There is no run {run_id!r} here. {spelled('Fleet.runs() lists all runs')}.")
    hosts = [part.host for _, part in parts]
    for host in {host for host in hosts if hosts.count(host) > 1 and host in members}:
        members.workspace(host).identify()  # the parts belong to different workspaces
    return parts


def _execute(
    members: Members,
    run_id: str,
    parts: Sequence[tuple[Journal, Run]],
    options: RunOptions,
    *,
    counts: Mapping[str, int] = MappingProxyType({}),
    failures: Mapping[str, Exception] = MappingProxyType({}),
) -> pd.DataFrame:
    """Execute what remains of a run's parts, and return a row for each of their tokens."""
    by_host = {members.name_of(run): (journal, run) for journal, run in parts}
    stop = options.stop or threading.Event()
    aggregator = ProgressAggregator(options.listener, counts)

    def execute_there(workspace: Workspace) -> pd.DataFrame:
        name = members.name_of(workspace)
        journal, run = by_host[name]
        of_workspace = replace(options, progress=_WorkspaceProgress(aggregator, name), stop=stop)
        return resume_run(workspace.plan_context(), journal, run, of_workspace)

    foreign_hosts = [host for host in by_host if host not in members]
    mine = [host for host in by_host if host in members]
    workers = min(members.workers, _APPLYING)
    ended, failed = members.gather("apply", execute_there, mine, workers=workers, progress=options.shows_bar, stop=stop)
    for host in foreign_hosts:
        journal, run = by_host[host]
        ended[host] = result_of(journal.entries(run.run_id))
        if remaining(ended[host]):
            failed[host] = errors.UsageError(not_in_fleet(_named(members, run), remaining(ended[host])))
    for host, failure in failed.items():
        journal, run = by_host[host]
        ended[host] = _left(result_of(journal.entries(run.run_id)), failure)
    failures = {**failures, **failed}
    members.note("apply", failures, of=len(by_host) + len(failures) - len(failed))
    result = by_workspace({host: ended[host] for host in by_host}, empty=RESULT)
    count = remaining(result)
    not_compared = [str(part.attrs[NOT_COMPARED]) for part in ended.values() if NOT_COMPARED in part.attrs]
    if not_compared:
        result.attrs[NOT_COMPARED] = " ".join(not_compared)
    if ended_by := _ended_by(ended.values(), failed, stop, asked_to_stop=options.stop is not None):
        result.attrs[ENDED_BY] = ended_by
    if count or failed:
        options.listener.end_early(f"{pluralize(count, 'token')} remaining{how_to_finish(run_id, count)}.")
    return result


def _ended_by(
    ended: Iterable[pd.DataFrame], failed: Mapping[str, Exception], stop: threading.Event, *, asked_to_stop: bool
) -> str | None:
    """Return what ended a run early, from the results of its parts; None if nothing did."""
    if stop.is_set() and not asked_to_stop:
        return INTERRUPT  # an internal event, which the caller does not have
    parts = [str(part.attrs[ENDED_BY]) for part in ended if ENDED_BY in part.attrs]
    return next(iter([*parts, *(type(failure).__name__ for failure in failed.values())]), None)


def _left(known: pd.DataFrame, failure: Exception) -> pd.DataFrame:
    """Return the known outcomes of a part that could not be executed, with the error."""
    still_open = known["outcome"] == states.PENDING
    return known.assign(error=known["error"].mask(still_open, redact(str(failure))))


@contextlib.contextmanager
def open_journals(folders: Iterable[Path]) -> Iterator[dict[Path, Journal]]:
    """Open the journal of each folder once, for all threads."""
    with contextlib.ExitStack() as stack:
        yield {folder: stack.enter_context(Journal(folder)) for folder in folders}
