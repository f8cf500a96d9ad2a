"""Finishing a run that the journal has: what remains of it is a plan, which is looked at and applied as any other."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.actions import creation, permissions, revocation, update
from tokenkit.actions import journal as records
from tokenkit.actions import plan as plans
from tokenkit.actions import protect as protection
from tokenkit.actions.journal import Entry, Journal, Run
from tokenkit.actions.plan import Progress, Settings, Summary, Target, counted
from tokenkit.actions.preview import Shown

_RESUME = {module.KIND: module.resume for module in (revocation, permissions, update, creation)}
_DOING = {
    revocation.KIND: "revoke {} for good",
    permissions.KIND: "change the permissions, which deletes {} for good",
    update.KIND: "change {}",
    creation.KIND: "look for the token that was created",
}
PREVIEW = pa.schema([*((field.name, field.type) for field in revocation.PREVIEW), ("outcome", pa.string())])


class ResumePlan(Shown):
    """What remains of a run, frozen. ``preview()`` shows it and what would be left out; ``apply()`` carries it out.

    Attributes:
        run_id: The run.
        token_ids: What remains.
        run: What the journal says of it.
        left_out: What remains and will not be carried out, with the reason: ``token_id, owner, comment, reason``.
        due: For a staged run, when its grace period ends; None otherwise.
        needs_confirmation: Whether a command asks before it goes on: the run was staged, or is of another day, and the
            workspace may have changed since somebody looked at it.
    """

    def __init__(self, target: Target, run: Run, entries: Sequence[Entry], *, is_change_open: bool) -> None:
        self._target = target
        self.run = run
        self.run_id: str | None = run.run_id
        due = run.settings.get("due")
        self.due = pd.Timestamp(due) if due else None
        another_day = run.started_at.normalize() != target.now().tz_convert("UTC").normalize()
        self.needs_confirmation = self.due is not None or another_day
        self._is_open = any(entry.state not in records.SETTLED for entry in entries) or (not entries and is_change_open)
        self._total = len(entries)
        remaining = [entry for entry in entries if entry.state not in records.SETTLED]
        self._remaining, self.left_out = _looked_at(target, run, remaining)
        self.token_ids = tuple(self._remaining["token_id"])

    def __len__(self) -> int:
        return len(self._remaining)

    def _title(self) -> str:
        return f"run {self.run_id}: {len(self):,} of {counted(self._total, 'token')} on {self._target.name} remaining"

    def summary(self) -> Summary:
        """Return what is still to be done, the number to confirm it with, and what to mind.

        Where nothing remains, ``doing`` is empty and the count 0.
        """
        words = self._remaining["warnings"].str.split("; ").explode()
        warnings = {str(name): int(count) for name, count in words[words != ""].value_counts().items()}
        doing = what_is_done(self.run.kind, len(self)) if self._is_open else ""
        return Summary(doing=doing, count=len(self), minds=warnings, left_out=revocation.reasons_of(self.left_out))

    def preview(self) -> pd.DataFrame:
        """Return a row for each token that is still to be done.

        Returns:
            ``token_id, owner, owner_kind, comment, status, last_used_day, expiry_time, warnings``, then ``outcome``:
            what the journal says became of it so far.
        """
        return self._remaining.copy()

    def check_due(self) -> None:
        """Refuse a staged run before its grace period is over.

        Raises:
            UsageError: It is not.
        """
        if self.due is not None and self._target.now() < self.due:
            raise errors.UsageError(
                f"Run {self.run_id} was staged and is due on {self.due:%Y-%m-%d %H:%M} UTC, not before."
            )

    def apply(self, *, progress: bool | Progress = True, stop: threading.Event | None = None) -> pd.DataFrame:
        """Carry out what remains, and return what became of each token of the run.

        Args:
            progress: Show a progress bar once it takes more than two seconds; or who is told instead.
            stop: When set, by another thread, nothing new is sent.

        Returns:
            A row for each token of the run: ``token_id, owner, outcome, error, attempts, started_at, finished_at``.

        Raises:
            UsageError: It was staged and its grace period is not over, or another process carries it out now.
            JournalError: The journal cannot be written; nothing was sent.
        """
        with Journal(self._target.folder) as journal:
            return carry_on(self._target, journal, self.run, progress=progress, stop=stop)


def make(target: Target, run_id: str) -> ResumePlan:
    """Return the plan to finish a run of this workspace; see ``Workspace.plan_resume``.

    Raises:
        UsageError: There is no such run, or it is of another workspace.
    """
    with Journal(target.folder) as journal:
        run = run_of(target, journal, run_id)
        return of_run(target, journal, run)


def of_run(target: Target, journal: Journal, run: Run) -> ResumePlan:
    """Return the plan to finish a run that a journal has."""
    # A run without tokens is one request: a change of permissions by which none ends, a token that was not seen.
    is_change_open = journal.state_of_change(run.run_id) not in records.SETTLED
    return ResumePlan(target, run, journal.entries(run.run_id), is_change_open=is_change_open)


def carry_out(
    target: Target, run_id: str, *, progress: bool | Progress, stop: threading.Event | None = None
) -> pd.DataFrame:
    """Carry out what is left of a run of this workspace; see ``Workspace.resume``."""
    with Journal(target.folder) as journal:
        return carry_on(target, journal, run_of(target, journal, run_id), progress=progress, stop=stop)


def run_of(target: Target, journal: Journal, run_id: str) -> Run:
    """Return a run of this workspace.

    Raises:
        UsageError: There is no such run, it is of a fleet, or it is of another workspace.
    """
    if parts := journal.parts(run_id):
        own = next((part.run_id for part in parts if is_of(target, part)), parts[0].run_id)
        raise errors.UsageError(f"Run {run_id} is of a fleet: give the fleet, or resume a part of it, such as {own}.")
    run = journal.run(run_id)
    check_is_of(target, run)
    return run


def is_of(target: Target, run: Run) -> bool:
    """Tell whether a run is of a workspace: host and id are the same, and known."""
    return run.host == target.host and run.workspace_id != "" and run.workspace_id == target.workspace_id()


def check_is_of(target: Target, run: Run) -> None:
    """Refuse to resume a run with another workspace than its own.

    Raises:
        UsageError: It is of another workspace, or it is not known which it is of.
    """
    if run.kind not in _RESUME:
        raise errors.UsageError(f"Run {run.run_id} is a {run.kind!r}, which another version of tokenkit can resume.")
    if run.host != target.host:
        raise errors.UsageError(
            f"Run {run.run_id} is of {run.host}, not of {target.host}. Connect there and give workspace=…."
        )
    if not run.workspace_id:
        raise errors.UsageError(
            f"Run {run.run_id} does not say which workspace of {run.host} it is of, as an earlier version of tokenkit "
            "wrote it. Plan again what is left of it."
        )
    if run.workspace_id != (here := target.workspace_id()):
        raise errors.UsageError(
            f"Run {run.run_id} is of workspace {run.workspace_id}, not of {here}, behind the same host {run.host}. "
            f"Connect to {run.host}/?o={run.workspace_id} and give workspace=…."
        )


def carry_on(
    target: Target, journal: Journal, run: Run, *, progress: bool | Progress, stop: threading.Event | None = None
) -> pd.DataFrame:
    """Carry out what is left of a run that a journal has.

    Raises:
        UsageError: The workspace is another than the run's, or another process carries it out now.
    """
    check_is_of(target, run)
    with journal.held(run.run_id):
        return _RESUME[run.kind](target, run, journal.entries(run.run_id), journal, progress=progress, stop=stop)


def what_is_done(kind: str, count: int) -> str:
    """Return what a run of a kind does to so many tokens, as a question says it."""
    return _DOING[kind].format(counted(count, "token"))


def report(name: str, run_id: str, result: pd.DataFrame) -> str:
    """Return in one line what became of the tokens of a run."""
    counts = result["outcome"].value_counts()
    said = ", ".join(f"{count:,} {outcome}" for outcome, count in counts.items()) or "no token was affected"
    return f"{name}: {said}. Run {run_id}."


def _looked_at(target: Target, run: Run, entries: Sequence[Entry]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what remains as the workspace has it now, and what of it would be left out."""
    listing = target.tokens()
    reasons = _reasons_to_leave_out(target, run, entries, listing)
    remaining = [entry for entry in entries if entry.token_id not in reasons]
    ids = [entry.token_id for entry in remaining]
    rows = listing.set_index("token_id", drop=False).reindex(ids).reset_index(drop=True)
    is_listed = rows["token_id"].notna()
    states = pd.Series([entry.state for entry in remaining], dtype=frames.TEXT)
    may_be_done = states.isin([records.SENT, records.UNKNOWN])
    rows = rows.assign(
        token_id=pd.Series(ids, dtype=frames.TEXT),
        owner=rows["owner"].where(is_listed, pd.Series([entry.owner for entry in remaining], dtype=frames.TEXT)),
        outcome=states,
        warnings=pd.Series("", index=rows.index, dtype=frames.TEXT)
        .mask(may_be_done, "may have been carried out: looked up first")
        .mask(~is_listed, "not in the listing"),
    )
    left_out = [
        {"token_id": entry.token_id, "owner": entry.owner, "comment": entry.snapshot.get("comment")}
        | {"reason": reasons[entry.token_id]}
        for entry in entries
        if entry.token_id in reasons
    ]
    return rows[PREVIEW.names], frames.frame(left_out, revocation.LEFT_OUT)


def _reasons_to_leave_out(
    target: Target, run: Run, entries: Sequence[Entry], listing: pd.DataFrame
) -> Mapping[str, str]:
    """Return which tokens a run would skip by now, as ``apply`` decides it again."""
    if run.kind not in {revocation.KIND, update.KIND}:
        return {}
    settings = Settings.of(replace(run, settings={k: v for k, v in run.settings.items() if k != "due"}))
    listed = set(listing["token_id"])
    there = [entry for entry in entries if entry.token_id in listed]
    minds_use = run.kind == revocation.KIND
    reasons = {} if settings.despite_drift else plans.drift(there, listing, minds_use=minds_use)
    patterns = protection.read_protected(target.folder, settings.protect)
    return reasons | plans.protected_now(entries, listing, patterns)
