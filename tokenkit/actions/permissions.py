"""Changing who may use tokens: who loses the right, and which tokens the workspace deletes for it, before it does."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pandas as pd

from tokenkit import errors, frames
from tokenkit.actions import journal as records
from tokenkit.actions import plan as plans
from tokenkit.actions.executor import LOST_AND_GONE
from tokenkit.actions.journal import Entry, Journal, Run, Step
from tokenkit.actions.plan import Progress, Target
from tokenkit.actions.preview import Shown
from tokenkit.rest.token_management import AccessControlList, access_entries
from tokenkit.review import access

KIND = "permissions"
_COLUMNS = ["token_id", "owner", "owner_kind", "comment", "status", "last_used_day", "expiry_time"]


class PermissionPlan(Shown):
    """A change of the permissions, frozen. ``preview()`` shows the tokens that die of it; ``apply()`` makes it.

    Attributes:
        before: The entries as they were when it was made: the columns of ``frames.PERMISSIONS``.
        gains: Who gets the right to use tokens: a frame of ``id, principal, kind, via``.
        loses: Who loses it: ``id, principal, kind, via`` (the paths that are cut), ``tokens`` (how many die).
        keeps_by_another_path: Whose path is cut and who keeps the right by another: ``id, principal, kind, via``.
        run_id: The run of the last ``apply()``; None before.
    """

    def __init__(
        self,
        target: Target,
        asked: list[dict[str, Any]],
        before: pd.DataFrame,
        consequences: access.Consequences,
        *,
        replace: bool,
        reason: str | None,
    ) -> None:
        self._target = target
        self._asked = asked
        self.before = before
        self._dying = consequences.tokens
        self._replace = replace
        self._reason = reason
        self.gains = consequences.gains
        self.loses = consequences.loses
        self.keeps_by_another_path = consequences.keeps_by_another_path
        self.token_ids = tuple(self._dying["token_id"])
        self.run_id: str | None = None

    def __len__(self) -> int:
        return len(self.token_ids)

    def _title(self) -> str:
        return f"The permissions of {self._target.name} will change"

    def summary(self) -> plans.Summary:
        """Return what the plan takes away, the number to confirm it with, and whom it is about.

        Where nobody loses anything there is nothing to confirm: ``doing`` is empty and the count 0.
        """
        minds = effects(self, "workspace")
        doing, count = taken_away(tokens=len(self), principals=len(self.loses))
        return plans.Summary(doing=doing, count=count, minds=minds)

    def preview(self) -> pd.DataFrame:
        """Return a row for each token that the workspace will delete: ``token_id, owner, owner_kind, comment, status,
        last_used_day, expiry_time``.
        """
        return self._dying[_COLUMNS].reset_index(drop=True)

    def apply(self, *, progress: bool | Progress = True, stop: threading.Event | None = None) -> pd.DataFrame:  # noqa: ARG002 - one request; as all plans
        """Change the permissions, and return what became of each token that was to die. It cannot be undone.

        Args:
            progress: As other plans take it; one request has no progress to show.
            stop: Likewise: one request is not stopped half way.

        Returns:
            A row for each token of the preview: ``token_id, owner, outcome, error, attempts, started_at, finished_at``.
            The outcome is ``revoked`` (by the workspace, for this change), or ``failed`` where the workspace kept it.

        Raises:
            UsageError: The permissions changed since the plan, or more tokens would die than it shows: plan again.
            ApiError: The workspace refused the change; nothing changed.
            JournalError: The journal cannot be written; nothing was sent.
        """
        with Journal(self._target.folder) as journal:
            run = self.record(journal)
            with journal.held(run.run_id):
                return _carry_out(self._target, run, journal.entries(run.run_id), journal)

    def record(self, journal: Journal, *, run_id: str | None = None) -> Run:
        """Write the plan down as a run, every token ``planned``, and return it. ``resume`` carries it out.

        Args:
            journal: Where to.
            run_id: What the run is called, where it is a part of another; a new name by default.

        Raises:
            UsageError: The permissions changed since the plan, or more tokens would die than it shows: plan again.
        """
        now = make(self._target, self._asked, replace=self._replace, reason=self._reason)
        if not _same_entries(now.before, self.before):
            raise errors.UsageError(f"The permissions of {self._target.name} changed since the plan. Plan again.")
        if more := set(now.token_ids) - set(self.token_ids):
            raise errors.UsageError(
                f"{plans.counted(len(more), 'more token')} would be deleted than the plan shows. Plan again."
            )
        settings = {"asked": self._asked, "replace": self._replace, "before": access_entries(self.before)}
        run = plans.begin(self._target, KIND, reason=self._reason, settings=settings, run_id=run_id)
        journal.begin(run, plans.entries_of(self._dying))
        self.run_id = run.run_id
        return run


class _Effects(Protocol):
    @property
    def gains(self) -> pd.DataFrame: ...

    @property
    def loses(self) -> pd.DataFrame: ...

    @property
    def keeps_by_another_path(self) -> pd.DataFrame: ...

    def __len__(self) -> int: ...


def effects(plan: _Effects, where: str) -> dict[str, int]:
    """Return what a change of permissions does to principals and tokens, the worst first, and to how many."""
    return {
        f"tokens that will be deleted by the {where} for good": len(plan),
        "principals losing permission": len(plan.loses),
        "principals keeping it by another path": len(plan.keeps_by_another_path),
        "principals gaining permission": len(plan.gains),
    }


def taken_away(*, tokens: int, principals: int) -> tuple[str, int]:
    """Return in words what a change takes away, and the number to confirm it with: tokens, if any die of it."""
    if tokens:
        return f"delete {plans.counted(tokens, 'token')} for good", tokens
    return (f"take the right from {plans.counted(principals, 'principal')}" if principals else ""), principals


def make(
    target: Target, access_control_list: AccessControlList, *, replace: bool, reason: str | None
) -> PermissionPlan:
    """Return the plan to change the permissions; see ``Workspace.plan_permissions``."""
    asked = access_entries(access_control_list)
    before = target.api.get_permissions()
    direct = before[before["inherited"].ne(other=True).fillna(value=True).astype(bool)]
    after = access.changed_entries(direct, asked, replace=replace)
    identities = target.identities()
    access.check_entries(direct, after, identities)
    found = access.consequences(direct, after, identities, target.tokens())
    return PermissionPlan(target, asked, direct, found, replace=replace, reason=reason)


def _carry_out(target: Target, run: Run, entries: Sequence[Entry], journal: Journal) -> pd.DataFrame:
    """Send the change, look what is gone, and return a row for each entry."""
    change = target.api.set_permissions if run.settings["replace"] else target.api.update_permissions
    _note(journal, run, dict.fromkeys((entry.token_id for entry in entries), (records.SENT, None)), target)
    failure: errors.TokenKitError | None = None
    try:
        change(run.settings["asked"])
    except errors.TokenKitError as error:
        failure = error
    there = set(target.api.list()["token_id"])
    found: dict[str, tuple[str, str | None]] = {}
    for entry in entries:
        if entry.token_id not in there:
            found[entry.token_id] = (
                (records.REVOKED, None) if failure is None else (records.ALREADY_GONE, LOST_AND_GONE)
            )
        else:
            found[entry.token_id] = (records.FAILED, str(failure) if failure else "the workspace kept it")
    _note(journal, run, found, target)
    if failure is not None:
        raise failure
    return plans.result(journal.entries(run.run_id))


def _note(journal: Journal, run: Run, states: Mapping[str, tuple[str, str | None]], target: Target) -> None:
    at_ms = round(target.now().timestamp() * 1000)
    journal.record_all(
        Step(run_id=run.run_id, token_id=token_id, state=state, at_ms=at_ms, attempts=1, error=error)
        for token_id, (state, error) in states.items()
    )


def resume(
    target: Target,
    run: Run,
    entries: Sequence[Entry],
    journal: Journal,
    *,
    progress: bool,  # noqa: ARG001 - one request; as all kinds
    stop: threading.Event | None = None,  # noqa: ARG001
) -> pd.DataFrame:
    """Finish a run that changes permissions: send it again if the permissions are still as they were planned on.

    Raises:
        UsageError: They are neither as before the change nor as after it.
    """
    if all(entry.state in records.SETTLED for entry in entries) and entries:
        return plans.result(entries)
    now = target.api.get_permissions()
    before = _frame_of(run.settings["before"])
    after = access.changed_entries(before, run.settings["asked"], replace=run.settings["replace"])
    if not (_same_entries(now, before) or _same_entries(now, after)):
        raise errors.UsageError(
            f"The permissions of {target.name} changed since run {run.run_id} was planned. Plan again."
        )
    return _carry_out(target, run, [entry for entry in entries if entry.state not in records.SETTLED], journal)


def _frame_of(entries: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    return frames.frame(entries, frames.PERMISSIONS)


def _same_entries(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two lists grant the same, in whatever order."""
    names = ["user_name", "group_name", "service_principal_name", "permission_level"]
    return set(one[names].fillna("").itertuples(index=False, name=None)) == set(
        other[names].fillna("").itertuples(index=False, name=None)
    )
