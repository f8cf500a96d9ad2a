"""The command ``journal``, and which runs are unfinished: of some workspaces, or of all, without a request."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tokenkit import errors, frames
from tokenkit.actions import permissions, run_ids, states, update
from tokenkit.actions.journal import Run
from tokenkit.actions.revocation import when_due
from tokenkit.actions.run_ids import whole_ids
from tokenkit.actions.schedule import with_due
from tokenkit.commands.restoring import how_to_restore_runs
from tokenkit.commands.session import FrontEnd, Session
from tokenkit.core.wording import of, pluralize
from tokenkit.fleets.runs import open_journals
from tokenkit.frames import TEXT
from tokenkit.rest.credentials import profile_address
from tokenkit.rest.hosts import Address, address, is_address
from tokenkit.rest.profiles import SANDBOX
from tokenkit.review.entries import LEVELS, UNCHANGED, changes_level
from tokenkit.workspaces.base import AnyWorkspace
from tokenkit.workspaces.folder import state_folder

_EVERYWHERE = "All workspaces"


@dataclass(frozen=True, kw_only=True)
class _Recorded:
    """The journal on this computer, or what it has of some workspaces. Nothing is requested from them.

    Attributes:
        name: The workspaces in messages.
        folders: The folders of the journals.
        addresses: The workspaces, by their names in frames of a fleet; None for all.
        is_of_fleet: Whether the frames have these names as their first column.
    """

    name: str
    folders: Sequence[Path]
    addresses: Mapping[str, Address] | None = None
    is_of_fleet: bool = False

    def runs(self) -> pd.DataFrame:
        """Return a row for each run, the newest first, and with the time from which staged ones can be resumed."""
        return self._newest_first(with_due(self._mine(self.all_runs())))

    def all_runs(self) -> pd.DataFrame:
        """Return a row for each run of any workspace, the oldest first."""
        with open_journals(self.folders) as journals:
            return frames.concat([journal.runs() for journal in journals.values()])

    def tokens(self) -> pd.DataFrame:
        """Return a row for each token of each run, those of the newest run first."""
        with open_journals(self.folders) as journals:
            return self._newest_first(self._mine(frames.concat([journal.frame() for journal in journals.values()])))

    def changed_permissions(self, run_ids: Sequence[str]) -> list[Run]:
        """Return those of the runs that changed permissions."""
        with open_journals(self.folders) as journals:
            made = [
                journal.run(run_id)
                for journal in journals.values()
                for run_id in run_ids
                if journal.state_of_change(run_id) == states.UPDATED
            ]
        return [run for run in made if run.kind == permissions.KIND.name]

    def can_be_undone(self, run_ids: Sequence[str]) -> bool:
        """Return whether ``undo`` can restore a token that one of the runs changed."""
        with open_journals(self.folders) as journals:
            return any(update.can_be_undone(journal, run_id) for journal in journals.values() for run_id in run_ids)

    def _mine(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of the workspaces. If the id of a workspace is not known, its host alone counts."""
        if self.addresses is None:
            return rows
        known = [(where.host, where.workspace_id, name) for name, where in self.addresses.items()]
        names = pd.DataFrame(known, columns=["host", "workspace_id", "name"], dtype=TEXT)
        by_host = names[names["workspace_id"] == ""].set_index("host")["name"]
        name = rows[["host", "workspace_id"]].merge(names, how="left")["name"]
        name = name.fillna(rows["host"].map(by_host).astype(TEXT))
        mine = rows.assign(workspace=name) if self.is_of_fleet else rows
        mine = mine[name.notna()].reset_index(drop=True)
        return mine[["workspace", *mine.columns.drop("workspace")]] if self.is_of_fleet else mine

    @staticmethod
    def _newest_first(rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows by run, the newest first, and by the numbers of its parts. Rows of a part keep their order."""
        runs, _ = pd.factorize(whole_ids(rows["run_id"]))
        parts = rows["run_id"].str.extract(r"\.(\d+)$", expand=False).fillna("0").astype(int)
        return rows.iloc[np.lexsort((parts, -runs))].reset_index(drop=True)


def _recorded(session: Session[AnyWorkspace], run_id: str | None = None) -> _Recorded:
    """Return the journal of the workspaces that the command line names, else of the connected one, else of the default
    profile's, else of all.

    A run is looked for in all, because its id alone names its workspaces.
    """
    connected = session.front_end.connected
    if not session.is_chosen and (run_id is not None or connected is None):
        return _Recorded(name=_EVERYWHERE, folders=[state_folder() if connected is None else connected.folder])
    profile = session.named.get("profile")
    if profile and profile != SANDBOX:  # an expired credential does not matter here
        where = address(profile) if is_address(profile) else profile_address(profile)
        if where.host:
            return _Recorded(name=where.host, folders=[state_folder()], addresses={where.host: where})
    workspace = session.workspace()
    return _Recorded(
        name=workspace.name,
        folders=workspace.folders,
        addresses=workspace.addresses(),
        is_of_fleet=bool(workspace.labels),
    )


def journal(session: Session[AnyWorkspace], *, run_id: str | None, runs: bool, tokens: bool) -> pd.DataFrame:
    """Return the journal on this computer: of the selected, connected or default workspace, else of all; the newest run
    first.

    Of one run, these are its tokens; of a run that changes permissions the entries before and after; and the run itself
    if it has no tokens.
    """
    if run_id:
        return _one_run(session, run_id, runs=runs, tokens=tokens)
    recorded = _recorded(session)
    found = recorded.runs()
    _warn_of_shared_hosts(session, recorded, found)
    _say_what_is_not_shown(session, recorded, len(found), "run")
    if runs or not tokens:
        session.say(f"{recorded.name}: {pluralize(len(found), 'run')} in the journal.")
        _say_what_remains(session, found)
        return found
    rows = recorded.tokens()
    session.say(f"{recorded.name}: {pluralize(len(rows), 'token')} in the journal.")
    if without := int((found["tokens"] == 0).sum()):
        session.say(
            f"{pluralize(without, 'run')} without a token {of(without, 'is', 'are')} not shown, such as a change of "
            f"permissions that affects none. To show all runs: {session.again(without='--tokens')}"
        )
    return rows


def check_can_be_undone(session: Session[AnyWorkspace], given: str) -> None:
    """Reject a run that changed permissions.

    Raises:
        UsageError: It did. The message has the commands that restore the entries.
    """
    recorded = _recorded(session, given)
    every = recorded.runs()["run_id"]
    run_id = run_ids.whole(given, every)
    if instead := _how_to_restore(session, recorded, run_id, every):
        raise errors.UsageError(
            f"Run {run_id} changed permissions, and only updates of tokens can be undone. {' '.join(instead)}"
        )


def _how_to_restore(
    session: Session[AnyWorkspace], recorded: _Recorded, run_id: str, every: pd.Series[str]
) -> list[str]:
    """Return how to restore the entries of permissions that a run changed; nothing if it changed none."""
    made = recorded.changed_permissions(every[_of_run(every, run_id)].tolist())
    return how_to_restore_runs(session.front_end, run_id, made) if made else []


def _warn_of_shared_hosts(session: Session[AnyWorkspace], recorded: _Recorded, runs: pd.DataFrame) -> None:
    """Show which hosts have several workspaces in the journal, if it is not known which of them was selected."""
    unknown = [where.host for where in (recorded.addresses or {}).values() if not where.workspace_id]
    counts = runs[runs["host"].isin(unknown)].groupby("host")["workspace_id"].nunique()
    for host, count in counts[counts > 1].items():
        session.front_end.warn_last(
            f"The runs of {count:,} workspaces behind {host} are shown. For one, add ?o=ID to the host of its profile."
        )


def _one_run(session: Session[AnyWorkspace], given: str, *, runs: bool, tokens: bool) -> pd.DataFrame:
    recorded, program = _recorded(session, given), session.front_end.program
    every = recorded.runs()
    run_id = run_ids.whole(given, every["run_id"])
    found = every[_of_run(every["run_id"], run_id)].reset_index(drop=True)
    if not len(found):
        known = every["run_id"].tolist()
        hint = errors.did_you_mean(given, known) if known else "It is empty."
        whose = "on this computer" if recorded.addresses is None else f"of {recorded.name}"
        raise errors.UsageError(f"The journal {whose} has no run {given!r}. {hint}")
    count = int(found["tokens"].sum())
    workspaces = found["workspace"].unique()
    name = pluralize(len(workspaces), "workspace") if len(workspaces) > 1 else workspaces[0]
    says = f"{name}: run {run_id}, {found['kind'].iloc[0]}, by {found['caller'].iloc[0]}"
    reason = found["reason"].dropna()
    says += f", reason: {reason.iloc[0]}" if len(reason) else ""
    session.say(f"{says}. {pluralize(count, 'token')}.")
    whole = run_id.partition(".")[0]
    if (parts := int((whole_ids(recorded.all_runs()["run_id"]) == whole).sum())) > len(found):
        session.front_end.warn_last(
            f"Run {whole} has {pluralize(parts, 'workspace')}, of which {len(found):,} "
            f"{of(len(found), 'is', 'are')} shown. For all: {program} journal --run {whole}"
        )
    is_of_permissions = found["kind"].eq(permissions.KIND.name).all()
    if is_of_permissions and not (runs or tokens):
        if count:
            session.front_end.hint(
                f"To show the {pluralize(count, 'token')}: {program} journal --run {run_id} --tokens"
            )
        rows = frames.concat([_entries(run) for run in found.to_dict("records")])
    elif runs or not (count or tokens):
        rows = found
    else:
        rows = recorded.tokens()
        rows = rows[_of_run(rows["run_id"], run_id)].reset_index(drop=True)
    for line in _how_to_restore(session, recorded, run_id, found["run_id"]):
        session.front_end.hint(line)
    if recorded.can_be_undone(found["run_id"].tolist()):
        session.front_end.hint(f"To undo this change: {program} undo {run_id}")
    if len(due := found.loc[found["remaining"] > 0, "due"].dropna()):
        session.front_end.hint(when_due(run_id, due.max(), _now(session.front_end)))
    _say_what_remains(session, found)
    return rows


def _entries(run: Mapping[Hashable, Any]) -> pd.DataFrame:
    """Return the entries of a workspace before and after a change of permissions, those that it changes first.

    These have the outcome of the change, the others ``unchanged``.
    """
    of_run = {name: run[name] for name in ("run_id", "workspace", "caller", "reason", "started_at")}
    settings = json.loads(run["settings"])
    rows = permissions.recorded_levels(settings).assign(**of_run)
    rows = rows.assign(display_name=rows["principal"].map(permissions.recorded_names(settings)).astype(TEXT))
    rows = rows.assign(outcome=pd.Series(run["change"], rows.index, dtype=TEXT).where(changes_level(rows), UNCHANGED))
    rows = rows.sort_values("outcome", key=lambda outcomes: outcomes == UNCHANGED, kind="stable", ignore_index=True)
    return rows[["run_id", "workspace", *LEVELS.names, "display_name", "outcome", "caller", "reason", "started_at"]]


def unfinished(session: Session[AnyWorkspace]) -> pd.DataFrame:
    """Return the runs of which something remains, the newest first."""
    recorded = _recorded(session)
    rows = recorded.runs()
    found = rows[rows["remaining"] > 0].reset_index(drop=True)
    session.say(f"{recorded.name}: {pluralize(len(found), 'unfinished run')}.")
    _say_what_is_not_shown(session, recorded, len(found), "unfinished run")
    _say_what_remains(session, found)
    return found


def _say_what_is_not_shown(session: Session[AnyWorkspace], recorded: _Recorded, shown: int, noun: str) -> None:
    """Say how many runs are not shown, if a setting and not the command line selects the workspace."""
    if not session.chosen_by:
        return
    remaining = recorded.all_runs()["remaining"]
    hidden = (len(remaining) if noun == "run" else int((remaining > 0).sum())) - shown
    if hidden:
        session.front_end.hint(
            f"{pluralize(hidden, noun)} of other workspaces {of(hidden, 'is', 'are')} not shown, because of "
            f"{session.chosen_by}. To show another workspace, use --profile."
        )


def _say_what_remains(session: Session[AnyWorkspace], runs: pd.DataFrame) -> None:
    now = _now(session.front_end)
    unfinished = runs[(runs["remaining"] > 0) & ~(runs["due"] > now)]
    ids = unfinished["run_id"]
    of_fleet = whole_ids(ids)
    remaining = ids.mask(of_fleet.duplicated(keep=False), of_fleet).drop_duplicates().tolist()
    if not remaining:
        return
    is_of_today = unfinished["started_at"].dt.normalize() == now.tz_convert("UTC").normalize()
    acts_at_once = bool((is_of_today & unfinished["due"].isna()).any())
    notes = [
        *([f"{pluralize(len(remaining), 'run')} unfinished"] if len(remaining) > 1 else []),
        *(["a run that was confirmed today resumes without a question; --dry-run only shows it"] * acts_at_once),
    ]
    how = f" ({'; '.join(notes)})" if notes else ""
    session.front_end.hint(f"To finish a run{how}: {session.of_run('resume', remaining[0])}")


def _now(front_end: FrontEnd) -> pd.Timestamp:
    if front_end.connected is not None:
        return front_end.connected.now()
    return front_end.now or pd.Timestamp.now("UTC")


def _of_run(ids: pd.Series[str], run_id: str) -> pd.Series[bool]:
    """Return which ids are of a run or of one of its parts."""
    return (ids == run_id) | ids.str.startswith(f"{run_id}.")
