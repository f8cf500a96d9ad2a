"""Resuming a run: what remains of it is a plan, which is previewed and applied like any other."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.actions import creation, evidence, permissions, revocation, states, update
from tokenkit.actions import protect as protection
from tokenkit.actions.history import FIELDS
from tokenkit.actions.journal import Entry, Journal, Run
from tokenkit.actions.kind import RunKind
from tokenkit.actions.options import Progress, RunOptions, RunSettings
from tokenkit.actions.plan import Plan, PlanContext, Summary
from tokenkit.actions.result import totals
from tokenkit.actions.run import reasons_to_skip
from tokenkit.core.spelling import spelled
from tokenkit.core.wording import pluralize
from tokenkit.review.texts import appended
from tokenkit.review.usage import summary as coverage_of

_MODULES = (revocation, permissions, update, creation)
"""The kinds of runs. Each module has a ``KIND``, and a function ``resume`` that executes what remains of a run."""
KINDS: Mapping[str, RunKind] = {module.KIND.name: module.KIND for module in _MODULES}
_RESUME = {module.KIND.name: module.resume for module in _MODULES}
_MAY_BE_DONE = "may have been processed: looked up first"
PREVIEW = pa.schema([*((field.name, field.type) for field in revocation.PREVIEW), ("outcome", pa.string())])
_NEW = [f"new_{field}" for field in FIELDS]


class RemainingPlan(Plan):
    """What remains of a run, in one workspace or several.

    Attributes:
        left_out: The other tokens that are not settled, with the reason: they will be skipped, or are no longer listed.
        kind: The kind of run.
        needs_confirmation: Whether a command asks before it resumes the run.
    """

    left_out: pd.DataFrame
    kind: RunKind
    needs_confirmation: bool

    @property
    def deletes_tokens(self) -> bool:
        """Whether the run deletes tokens, which cannot be undone."""
        return self.kind.deletes_tokens

    @property
    def only_records(self) -> bool:
        """Whether the run changes nothing, and only records why the tokens are left out.

        What is not listed is looked up first, and processed if it exists after all.
        """
        is_unlisted = self.left_out["reason"] == update.NOT_LISTED
        return not len(self) and len(self.left_out) > 0 and not is_unlisted.any() and not self.kind.is_one_change

    def set_reason(self, reason: str | None) -> None:
        """Do nothing: the run keeps its reason.

        Args:
            reason: The reason, for the journal; None for no reason.
        """

    @abstractmethod
    def check_due(self) -> None:
        """Reject a staged run before its grace period is over.

        Raises:
            UsageError: It is not over.
        """


class ResumePlan(RemainingPlan):
    """The frozen remainder of a run. ``preview()`` shows it; ``apply()`` executes it.

    Attributes:
        run_id: The run.
        token_ids: The tokens that remain to be changed.
        run: The run as recorded in the journal.
        due: The end of a staged run's grace period; None otherwise.
        left_out: The other tokens that are not settled, with the reason: they will be skipped, or are no longer listed,
            which the run records. A frame of ``token_id, owner, comment, reason``.
        needs_confirmation: Whether a command asks for confirmation: the run was staged or is from another day, so the
            workspace may have changed since the plan was confirmed.
    """

    def __init__(
        self, context: PlanContext, run: Run, entries: Sequence[Entry], options: RunOptions, *, is_change_open: bool
    ) -> None:
        self._context = context
        self._options = options
        self.run = run
        self.run_id = run.run_id
        self.due = revocation.due_of(run)
        is_of_another_day = run.started_at.normalize() != context.now().tz_convert("UTC").normalize()
        self.needs_confirmation = self.due is not None or is_of_another_day
        remaining = [entry for entry in entries if entry.state not in states.SETTLED]
        self._is_open = bool(remaining) or (not entries and is_change_open)
        self.kind = KINDS[run.kind]
        self._total = len(entries)
        self._remaining, self.left_out = _current(context, run, remaining, options)
        self.token_ids = tuple(self._remaining["token_id"])

    def _title(self) -> str:
        return (
            f"run {self.run_id}: {len(self):,} of {pluralize(self._total, 'token')} on {self._context.name} remaining"
        )

    def summary(self) -> Summary:
        """Return what remains to be done, the number to confirm, and the warnings.

        If nothing remains, ``doing`` is empty and the count is 0.
        """
        texts = self._remaining["warnings"].str.split("; ").explode()
        may_be_done = int((texts == _MAY_BE_DONE).sum())
        warnings = revocation.warnings_of(self._remaining) | ({_MAY_BE_DONE: may_be_done} if may_be_done else {})
        usage = self._options.usage
        return Summary(
            doing=self.kind.what_is_done(len(self)) if self._is_open else "",
            count=len(self),
            warnings=warnings,
            left_out=revocation.reasons_of(self.left_out),
            evidence="" if usage is None else coverage_of(usage),
            outline=[revocation.when_due(self.run.run_id, self.due, self._context.now())]
            if self._is_open and self.due is not None
            else [],
        )

    def preview(self) -> pd.DataFrame:
        """Return a row for each token that remains.

        Returns:
            ``token_id, owner, owner_kind, comment, status, last_used_day, expiry_time, warnings``, then ``outcome``:
            the outcome so far, from the journal. Of an update, there are also ``new_comment``, ``scopes`` and
            ``new_scopes``: the present values beside those that it writes.
        """
        return self._remaining.copy()

    def check_due(self) -> None:
        """Reject a staged run before its grace period is over.

        Raises:
            UsageError: It is not over.
        """
        revocation.check_due(self.run, self._context.now())

    def apply(self, *, progress: bool | Progress = True, stop: threading.Event | None = None) -> pd.DataFrame:
        """Execute what remains, and return the outcome of each token of the run.

        Args:
            progress: Whether to show a progress bar if the run takes more than two seconds, or a custom listener.
            stop: An event; once another thread sets it, no new request is sent.

        Returns:
            A row for each token of the run: ``token_id, owner, outcome, error, attempts, started_at, finished_at``.

        Raises:
            UsageError: The run was staged and its grace period is not over, or another process is executing it.
            JournalError: The journal cannot be written; nothing was sent.
        """
        with Journal(self._context.folder) as journal:
            return resume(self._context, journal, self.run, replace(self._options, progress=progress, stop=stop))

    def record(self, journal: Journal, options: RunOptions, *, run_id: str | None = None) -> Run:  # noqa: ARG002
        """Return the run, which is already in the journal.

        Args:
            journal: The journal.
            options: How the run is executed.
            run_id: Ignored: the run keeps its id.
        """
        return self.run


def make(context: PlanContext, run_id: str, options: RunOptions) -> ResumePlan:
    """Return the plan to finish a run of this workspace; see ``Workspace.plan_resume``.

    Raises:
        UsageError: There is no such run, it belongs to another workspace, or its evidence of use cannot be read again.
    """
    with Journal(context.folder) as journal:
        run = run_of(context, journal, run_id)
        return of_run(context, journal, run, options)


def of_run(context: PlanContext, journal: Journal, run: Run, options: RunOptions) -> ResumePlan:
    """Return the plan to finish a run in a journal."""
    # A run without tokens is a single request: a change of permissions that affects no token, or a token not yet seen.
    is_change_open = journal.state_of_change(run.run_id) not in states.SETTLED
    return ResumePlan(context, run, journal.entries(run.run_id), options, is_change_open=is_change_open)


def resume_by_id(context: PlanContext, run_id: str, options: RunOptions) -> pd.DataFrame:
    """Execute what remains of a run of this workspace; see ``Workspace.resume``."""
    with Journal(context.folder) as journal:
        return resume(context, journal, run_of(context, journal, run_id), options)


def run_of(context: PlanContext, journal: Journal, run_id: str) -> Run:
    """Return a run of this workspace, by its id or a unique beginning or end of it.

    Raises:
        UsageError: There is no such run, or it belongs to a fleet or to another workspace.
    """
    run_id = journal.whole_run_id(run_id)
    if parts := journal.parts(run_id):
        own = next((part.run_id for part in parts if is_of(context, part)), parts[0].run_id)
        raise errors.UsageError(f"Run {run_id} is of a fleet. Resume it there, or a part of it, such as {own}.")
    run = journal.run(run_id)
    check_is_of(context, run)
    return run


def is_of(context: PlanContext, run: Run) -> bool:
    """Return whether a run belongs to a workspace: host and id are known and equal."""
    return run.host == context.host and run.workspace_id != "" and run.workspace_id == context.workspace_id()


def check_is_of(context: PlanContext, run: Run) -> None:
    """Reject a run of another workspace.

    Raises:
        UsageError: It belongs to another workspace, or its workspace is not known.
        JournalError: The journal lacks data that resuming needs.
    """
    if run.kind not in KINDS:
        raise errors.UsageError(f"Run {run.run_id} is a {run.kind!r}, which another version of tokenkit can resume.")
    if not all(_is_of_type(run.settings.get(name), wanted) for name, wanted in KINDS[run.kind].settings.items()):
        raise errors.JournalError(f"The journal does not have all settings of run {run.run_id}. Plan again.")
    if run.host != context.host:
        raise errors.UsageError(
            f"Run {run.run_id} is of {run.host} ({run.origin}), not of {context.host}. "
            f"{spelled('Connect to that host and pass workspace=…')}."
        )
    if not run.workspace_id:
        raise errors.UsageError(
            f"Run {run.run_id} does not say which workspace of {run.host} it is of, as an earlier version of tokenkit "
            "wrote it. Plan again for what remains of it."
        )
    if run.workspace_id != (here := context.workspace_id()):
        raise errors.UsageError(
            f"Run {run.run_id} is of workspace {run.workspace_id} ({run.origin}), not of {here}, behind the same host "
            f"{run.host}. "
            f"{spelled('Connect to {address} and pass workspace=…', address=f'{run.host}/?o={run.workspace_id}')}."
        )


def _is_of_type(value: object, wanted: Any) -> bool:  # noqa: ANN401 - a type, or a list of it
    if isinstance(wanted, list):
        return isinstance(value, list) and all(isinstance(item, wanted[0]) for item in value)
    return isinstance(value, wanted)


def resume(context: PlanContext, journal: Journal, run: Run, options: RunOptions) -> pd.DataFrame:
    """Execute what remains of a run in a journal.

    Raises:
        UsageError: The run belongs to another workspace, or another process is executing it.
    """
    check_is_of(context, run)
    with journal.lock_run(run.run_id):
        return _RESUME[run.kind](context, run, journal.entries(run.run_id), journal, options)


def report(name: str, run_id: str, result: pd.DataFrame) -> str:
    """Return the counts of a resumed run's outcomes as a line of text."""
    return f"{name}: {totals(result, run_id) or 'no token was affected'}. Run {run_id}."


def _current(
    context: PlanContext, run: Run, entries: Sequence[Entry], options: RunOptions
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the current state of the tokens that remain to be changed, and those that are left out."""
    listing = context.tokens()
    reasons = _reasons_to_leave_out(context, run, entries, listing, options)
    remaining = [entry for entry in entries if entry.token_id not in reasons]
    ids = [entry.token_id for entry in remaining]
    rows = listing.set_index("token_id", drop=False).reindex(ids).reset_index(drop=True)
    outcomes = pd.Series([entry.state for entry in remaining], dtype=frames.TEXT)
    warnings = pd.Series("", index=rows.index, dtype=frames.TEXT)
    warnings = warnings.mask(outcomes.isin([states.SENT, states.UNKNOWN]), _MAY_BE_DONE)
    if run.kind == revocation.KIND.name:
        about = revocation.warnings_about(context, rows, listing)
        warnings = appended(about, warnings, where=warnings != "", separator="; ")
    rows = rows.assign(outcome=outcomes, warnings=warnings)
    columns = PREVIEW.names
    if run.kind == update.KIND.name:
        columns = [*update.PREVIEW.names, *columns]
        rows = update.changed_values(remaining)[_NEW].join(rows)
    return rows[[*dict.fromkeys(columns)]], revocation.left_out_of(entries, reasons)


def _reasons_to_leave_out(
    context: PlanContext, run: Run, entries: Sequence[Entry], listing: pd.DataFrame, options: RunOptions
) -> Mapping[str, str]:
    """Return the tokens that a run would not change now, each with the reason. ``apply`` decides again."""
    kind = KINDS[run.kind]
    listed = {*listing["token_id"]}
    gone = {entry.token_id: update.NOT_LISTED for entry in entries if entry.token_id not in listed}
    if kind.is_one_change:
        return gone
    settings = RunSettings.of(run)
    patterns = protection.read_protected(context.folder, settings.protect)
    skipped = gone | reasons_to_skip(entries, listing, patterns, settings, check_last_use=kind.check_last_use)
    if kind.deletes_tokens:
        due = revocation.due_of(run)  # until then, the log need not be readable
        skipped |= evidence.signed_in_since(
            context, run, entries, options, is_due=due is not None and context.now() >= due
        )
    return skipped
