"""Carrying out one run in many workspaces, and finishing it later.

Every workspace's plan is written into its journal, as a part of the run, before the first request leaves. From there on
applying and resuming are the same: what is left of each part is carried out.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from tokenkit import errors, frames
from tokenkit.actions import journal as records
from tokenkit.actions import plan as plans
from tokenkit.actions.executor import INTERRUPT
from tokenkit.actions.journal import Journal, Run, new_run_id
from tokenkit.actions.plan import Progress, counted
from tokenkit.actions.resumption import ResumePlan, carry_on
from tokenkit.fleet_members import Members
from tokenkit.fleet_plans import Plan, Record, Together, by_workspace, not_begun
from tokenkit.redaction import redact
from tokenkit.workspace import Workspace

_APPLYING = 8  # each has threads of its own


def apply(
    members: Members,
    made: Mapping[str, Plan],
    record: Record,
    *,
    progress: bool | Progress,
    stop: threading.Event | None,
) -> tuple[str, pd.DataFrame]:
    """Write down every plan as a part of one run, then carry them all out; return the run's id and the result."""
    run_id = new_run_id(members.workspace(next(iter(made))).now())
    part_ids = {host: f"{run_id}.{number}" for number, host in enumerate(made, 1)}
    watcher = plans.Terminal() if isinstance(progress, bool) else progress
    together, bars = Together(watcher, {host: len(plan) for host, plan in made.items()}), progress is True
    with open_journals(members.folders()) as journals:

        def begin(workspace: Workspace) -> tuple[Journal, Run]:
            journal = journals[workspace.folder]
            name = members.name_of(workspace)
            return journal, record(made[name], journal, part_ids[name])

        begun, failures = members.gather("apply", begin, list(made), workers=members.workers, progress=bars)
        ended = _carry_on(members, run_id, list(begun.values()), together, progress=bars, stop=stop, failures=failures)
    missed = {host: not_begun(made[host], failure) for host, failure in failures.items()}
    return run_id, frames.concat([ended, by_workspace(missed, empty=plans.RESULT)])


def resume(members: Members, run_id: str, *, progress: bool | Progress, stop: threading.Event | None) -> pd.DataFrame:
    """Finish a run of a fleet, and return what became of each of its tokens.

    Raises:
        UsageError: There is no such run.
    """
    with open_journals(members.folders()) as journals:
        parts = _parts(members, journals, run_id)
        watcher = plans.Terminal() if isinstance(progress, bool) else progress
        bars = progress is True
        return _carry_on(members, run_id, parts, Together(watcher, {}), progress=bars, stop=stop)


def plan_resume(members: Members, run_id: str) -> tuple[dict[str, ResumePlan], int]:
    """Return the plan to finish each part of a run, by workspace, and how many parts could not be planned.

    Raises:
        UsageError: There is no such run.
        FleetError: No workspace of it could be asked.
    """
    with open_journals(members.folders()) as journals:
        part_ids = {members.name_of(part): part.run_id for _, part in _parts(members, journals, run_id)}
    mine = [name for name in part_ids if name in members]
    if not mine:
        raise errors.UsageError(f"Run {run_id} is of none of the workspaces of this fleet: {', '.join(part_ids)}.")

    def planned(workspace: Workspace) -> ResumePlan:
        return workspace.plan_resume(part_ids[members.name_of(workspace)])

    made = members.each("resume", planned, hosts=mine)
    return made, len(part_ids) - len(made)


def _parts(members: Members, journals: Mapping[Path, Journal], run_id: str) -> list[tuple[Journal, Run]]:
    """Return the parts of a run, or the one run, with the journal of each.

    Raises:
        UsageError: There is no such run.
    """
    parts = [(journal, part) for journal in journals.values() for part in journal.parts(run_id)]
    parts = parts or [(each, each.run(run_id)) for each in journals.values() if each.has(run_id)]
    if not parts:
        raise errors.UsageError(f"There is no run {run_id!r} here; Fleet.runs() has them all.")
    hosts = [part.host for _, part in parts]
    for host in {host for host in hosts if hosts.count(host) > 1 and host in members}:
        members.workspace(host).identify()  # which of the parts is meant
    return parts


def _carry_on(
    members: Members,
    run_id: str,
    parts: Sequence[tuple[Journal, Run]],
    together: Together,
    *,
    progress: bool,
    stop: threading.Event | None,
    failures: Mapping[str, Exception] | None = None,
) -> pd.DataFrame:
    """Carry out what is left of a run's parts, and return a row for each of their tokens."""
    by_host = {members.name_of(run): (journal, run) for journal, run in parts}
    asked_to_stop = stop is not None
    stop = stop or threading.Event()

    def carry_on_there(workspace: Workspace) -> pd.DataFrame:
        name = members.name_of(workspace)
        journal, run = by_host[name]
        target = workspace._target()  # noqa: SLF001 - private to the package
        return carry_on(target, journal, run, progress=together.part(name), stop=stop)

    strangers = [host for host in by_host if host not in members]
    mine = [host for host in by_host if host in members]
    workers = min(members.workers, _APPLYING)
    ended, failed = members.gather("apply", carry_on_there, mine, workers=workers, progress=progress, stop=stop)
    failed |= {host: errors.UsageError(f"{host} is not of this fleet.") for host in strangers}
    for host, failure in failed.items():
        journal, run = by_host[host]
        ended[host] = _left(plans.result(journal.entries(run.run_id)), failure)
    failures = {**(failures or {}), **failed}
    members.note("apply", failures, of=len(by_host) + len(failures) - len(failed))
    result = by_workspace({host: ended[host] for host in by_host}, empty=plans.RESULT)
    left = plans.remaining(result)
    if ended_by := _ended_by(ended.values(), failed, stop, asked_to_stop=asked_to_stop):
        result.attrs[plans.ENDED_BY] = ended_by
    if left or failed:
        together.end_early(f"{counted(left, 'token')} left; tokenkit.resume({run_id!r}) finishes the run.")
    return result


def _ended_by(
    ended: Iterable[pd.DataFrame], failed: Mapping[str, Exception], stop: threading.Event, *, asked_to_stop: bool
) -> str | None:
    """Return what ended a run early, as the results of its parts say it; None where nothing did."""
    if stop.is_set() and not asked_to_stop:
        return INTERRUPT  # nobody else has this event
    parts = [str(part.attrs[plans.ENDED_BY]) for part in ended if plans.ENDED_BY in part.attrs]
    return next(iter([*parts, *(type(failure).__name__ for failure in failed.values())]), None)


def _left(known: pd.DataFrame, failure: Exception) -> pd.DataFrame:
    """Return what is known of a part that could not be carried out, and why."""
    still_open = known["outcome"] == records.PLANNED
    return known.assign(error=known["error"].mask(still_open, redact(str(failure))))


@contextlib.contextmanager
def open_journals(folders: Iterable[Path]) -> Iterator[dict[Path, Journal]]:
    """Open the journal of each folder once, for all threads."""
    with contextlib.ExitStack() as stack:
        yield {folder: stack.enter_context(Journal(folder)) for folder in folders}
