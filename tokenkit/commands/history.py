"""The command ``journal``, and which runs are unfinished: of one workspace, or of all without a request."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from tokenkit import errors, frames
from tokenkit.actions import permissions, run_ids
from tokenkit.actions.journal import Journal
from tokenkit.actions.options import DUE
from tokenkit.commands.session import FrontEnd, Session
from tokenkit.core.home import home
from tokenkit.core.wording import pluralize
from tokenkit.frames import TEXT
from tokenkit.review.entries import LEVELS, UNCHANGED, changes_level
from tokenkit.workspaces.base import AnyWorkspace

_EVERYWHERE = "All workspaces"


def journal(session: Session[AnyWorkspace], *, run_id: str | None, runs: bool, tokens: bool) -> pd.DataFrame:
    """Return the journal on this computer: of the connected or selected workspace, else of all workspaces.

    Of one run, these are its tokens; of a run that changes permissions the entries before and after; and the run itself
    if it has no tokens.
    """
    if run_id:
        return _one_run(session, run_id, runs=runs, tokens=tokens)
    name, rows = _read(session, by_token=tokens)
    is_by_run = "remaining" in rows
    session.say(f"{name}: {pluralize(len(rows), 'run' if is_by_run else 'token')} in the journal.")
    if is_by_run:
        _say_what_remains(session, rows)
    return rows


def _one_run(session: Session[AnyWorkspace], given: str, *, runs: bool, tokens: bool) -> pd.DataFrame:
    name, every = _read(session, by_token=False)
    run_id = run_ids.whole(given, every["run_id"])
    found = every[_of_run(every, run_id)].reset_index(drop=True)
    if not len(found):
        known = every["run_id"].tolist()[::-1]
        hint = errors.did_you_mean(given, known) if known else "It is empty."
        whose = "on this computer" if name == _EVERYWHERE else f"of {name}"
        raise errors.UsageError(f"The journal {whose} has no run {given!r}. {hint}")
    count = int(found["tokens"].sum())
    workspaces = found["workspace"].unique()
    name = name if len(workspaces) > 1 else workspaces[0]
    says = f"{name}: run {run_id}, {found['kind'].iloc[0]}, by {found['caller'].iloc[0]}"
    reason = found["reason"].dropna()
    says += f", reason: {reason.iloc[0]}" if len(reason) else ""
    session.say(f"{says}. {pluralize(count, 'token')}.")
    is_of_permissions = found["kind"].eq(permissions.KIND.name).all()
    if is_of_permissions and not (runs or tokens):
        if count:
            session.say(f"To show the tokens: {session.front_end.program} journal --run {run_id} --tokens")
        rows = frames.concat([_entries(run) for run in found.to_dict("records")])
    elif runs or not (count or tokens):
        rows = found
    else:
        rows = _read(session, by_token=True)[1]
        rows = rows[_of_run(rows, run_id)].reset_index(drop=True)
    _say_what_remains(session, found)
    return rows


def _entries(run: Mapping[Hashable, Any]) -> pd.DataFrame:
    """Return the entries of a workspace before and after a change of permissions, those that it changes first.

    These have the outcome of the change, the others ``unchanged``.
    """
    of_run = {name: run[name] for name in ("run_id", "workspace", "caller", "reason", "started_at")}
    rows = permissions.recorded_levels(json.loads(run["settings"])).assign(**of_run)
    rows = rows.assign(outcome=pd.Series(run["change"], rows.index, dtype=TEXT).where(changes_level(rows), UNCHANGED))
    rows = rows.sort_values("outcome", key=lambda outcomes: outcomes == UNCHANGED, kind="stable", ignore_index=True)
    return rows[["run_id", "workspace", *LEVELS.names, "outcome", "caller", "reason", "started_at"]]


def unfinished(session: Session[AnyWorkspace]) -> pd.DataFrame:
    """Return the runs of which something remains."""
    name, rows = _read(session, by_token=False)
    found = rows[rows["remaining"] > 0].reset_index(drop=True)
    session.say(f"{name}: {pluralize(len(found), 'unfinished run')}.")
    _say_what_remains(session, found)
    return found


def _read(session: Session[AnyWorkspace], *, by_token: bool) -> tuple[str, pd.DataFrame]:
    if (workspace := _workspace(session)) is not None:
        return workspace.name, _with_due(workspace.journal() if by_token else workspace.runs())
    with Journal(home()) as everything:
        return _EVERYWHERE, _with_due(everything.frame() if by_token else everything.runs())


def _workspace(session: Session[AnyWorkspace]) -> AnyWorkspace | None:
    """Return the workspace that the command line names or that is connected; None for all of this computer."""
    return session.workspace() if session.is_chosen else session.front_end.connected


def _with_due(rows: pd.DataFrame) -> pd.DataFrame:
    """Return runs with the time from which staged ones can be resumed, if there are such."""
    if "settings" not in rows:
        return rows
    due = pd.to_datetime(rows["settings"].map(lambda text: json.loads(text).get(DUE), na_action="ignore"), utc=True)
    return rows.assign(due=due) if due.notna().any() else rows


def _say_what_remains(session: Session[AnyWorkspace], runs: pd.DataFrame) -> None:
    now = _now(session.front_end)
    due = runs["due"] if "due" in runs else pd.Series(pd.NaT, runs.index, dtype="datetime64[ms, UTC]")
    unfinished = runs[(runs["remaining"] > 0) & ~(due > now)]
    ids = unfinished["run_id"]
    of_fleet = ids.str.replace(r"\..*", "", regex=True)  # of RUN.1, the part of a workspace
    remaining = ids.mask(of_fleet.duplicated(keep=False), of_fleet).drop_duplicates().tolist()
    if not remaining:
        return
    is_of_today = unfinished["started_at"].dt.normalize() == now.tz_convert("UTC").normalize()
    acts_at_once = bool((is_of_today & due[unfinished.index].isna()).any())
    notes = [
        *([f"{pluralize(len(remaining), 'run')} unfinished"] if len(remaining) > 1 else []),
        *(["a run that was confirmed today resumes without a question; --dry-run only shows it"] * acts_at_once),
    ]
    how = f" ({'; '.join(notes)})" if notes else ""
    session.front_end.hint(f"To finish a run{how}: {session.front_end.program} resume {remaining[-1]}")


def _now(front_end: FrontEnd) -> pd.Timestamp:
    if front_end.connected is not None:
        return front_end.connected.now()
    return front_end.now or pd.Timestamp.now("UTC")


def _of_run(rows: pd.DataFrame, run_id: str) -> pd.Series[bool]:
    """Return which rows of a journal belong to a run or to one of its parts."""
    return (rows["run_id"] == run_id) | rows["run_id"].str.startswith(f"{run_id}.")
