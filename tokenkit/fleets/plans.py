"""Plans for several workspaces: one plan for each workspace, previewed together and executed as one run.

``apply`` records every workspace's plan in the journal, as a part of one run, before the first request is sent. It then
executes the parts as ``resume`` does, so nothing is lost if the kernel is killed between two workspaces.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import chain
from types import MappingProxyType
from typing import Generic, TypeVar

import pandas as pd
import pyarrow as pa

from tokenkit.actions import resumption, revocation, update
from tokenkit.actions.options import WORKERS, Progress, RunOptions
from tokenkit.actions.permissions import PermissionEffects, PermissionPlan
from tokenkit.actions.plan import Plan, Summary, WorkspacePlan
from tokenkit.actions.result import RESULT
from tokenkit.actions.resumption import RemainingPlan, ResumePlan
from tokenkit.actions.revocation import RevocationPlan
from tokenkit.actions.update import UpdatePlan
from tokenkit.core.spelling import spelled
from tokenkit.core.wording import of, part_of, pluralize
from tokenkit.fleets.frames import by_workspace
from tokenkit.review.entries import LEVELS

P = TypeVar("P", bound=WorkspacePlan | ResumePlan)
_Selective = TypeVar("_Selective", bound=RevocationPlan | UpdatePlan | ResumePlan)

Apply = Callable[[Mapping[str, P], RunOptions], tuple[str, pd.DataFrame]]
"""Executes plans as one run, and returns the id of the run and a row for each token."""


_ELSEWHERE = "workspaces of the run that are not in this fleet"


def not_in_fleet(name: str, remaining: int) -> str:
    """Return the sentence about a workspace of a run that is not in the fleet.

    Args:
        name: The workspace.
        remaining: The number of tokens of the run that remain there.
    """
    tokens = f"{pluralize(remaining, 'token')} of the run {of(remaining, 'remains', 'remain')} there."
    return f"{name} is not in this fleet{f', and {tokens}' if remaining else '.'}"


class FleetPlan(Plan, Generic[P]):
    """Frozen plans for several workspaces. ``preview()`` shows them; ``apply()`` executes them.

    Attributes:
        plans: The plans by workspace.
        token_ids: The ids of the affected tokens, grouped by workspace.
        hosts: The workspaces in which the plan changes something.
        run_id: The run of the last ``apply()``, for ``tokenkit.resume``; None before.
    """

    _PREVIEW: pa.Schema | None = None  # the columns if there is no workspace

    def __init__(
        self,
        made: Mapping[str, P],
        apply: Apply[P],
        *,
        unplanned: int,
        elsewhere: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self.plans = dict(made)
        self._apply_all = apply
        self._unplanned = unplanned
        self._elsewhere = elsewhere
        self.token_ids = tuple(chain.from_iterable(plan.token_ids for plan in self.plans.values()))
        self.hosts = tuple(host for host, plan in self.plans.items() if len(plan))
        self.is_partial = bool(unplanned or elsewhere)

    def set_reason(self, reason: str | None) -> None:
        """Set the reason of every workspace's plan, for the journal.

        Args:
            reason: The reason, for the journal; None for no reason.
        """
        for plan in self.plans.values():
            plan.set_reason(reason)

    def _headline(self, title: str) -> str:
        failed = "; the plan is partial" + spelled(": see the fleet's .errors") if self._unplanned else ""
        return f"{super()._headline(title)}{failed}"

    def _where(self) -> str:
        return f"{pluralize(len(self), 'token')} on {self._workspaces()}"

    def _workspaces(self) -> str:
        count, missing = len(self.hosts or self.plans), self._unplanned + len(self._elsewhere)
        return part_of(count, len(self.plans) + missing if missing else count, "workspace")

    def _unplanned_warning(self) -> dict[str, int]:
        failed = "workspaces without a plan because of an error" + spelled("; see the fleet's .errors")
        counts = {failed: self._unplanned, _ELSEWHERE: len(self._elsewhere)}
        return {warning: count for warning, count in counts.items() if count}

    def _explained(self) -> dict[str, str]:
        """Return the sentences about the workspaces that are not in the fleet, by the warning that they explain."""
        sentences = [not_in_fleet(name, count) for name, count in self._elsewhere.items()]
        return {_ELSEWHERE: " ".join(sentences)} if sentences else {}

    def preview(self) -> pd.DataFrame:
        """Return a row for each affected token, with its workspace.

        Returns:
            ``workspace``, then the columns of ``RevocationPlan.preview``, ``PermissionPlan.preview``,
            ``UpdatePlan.preview`` or ``ResumePlan.preview``.
        """
        return self._concat(lambda plan: plan.preview(), self._PREVIEW)

    def _concat(self, part: Callable[[P], pd.DataFrame], empty: pa.Schema | None = None) -> pd.DataFrame:
        return by_workspace({host: part(plan) for host, plan in self.plans.items()}, empty=empty)

    def _counts(self, part: Callable[[Summary], Mapping[str, int]]) -> dict[str, int]:
        """Return the sums of the counts in the workspaces' summaries."""
        total: Counter[str] = Counter()
        for plan in self.plans.values():
            total.update(part(plan.summary()))
        return dict(total)

    def _warnings(self) -> dict[str, int]:
        return self._unplanned_warning() | self._counts(lambda summary: summary.warnings)

    def _evidence(self) -> str:
        """Return the coverage of the evidence of use, which is the same for all workspaces."""
        return next((evidence for plan in self.plans.values() if (evidence := plan.summary().evidence)), "")

    def _apply(self, options: RunOptions) -> pd.DataFrame:
        changing = self._changing()
        if not changing:
            return by_workspace({}, empty=RESULT)
        self.run_id, result = self._apply_all(changing, options)
        return result

    def _changing(self) -> Mapping[str, P]:
        """Return the plans to execute."""
        return self.plans


class _SelectivePlan(FleetPlan[_Selective]):
    """A plan that leaves out tokens: ``left_out``."""

    def __init__(
        self,
        made: Mapping[str, _Selective],
        apply: Apply[_Selective],
        *,
        unplanned: int,
        elsewhere: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        super().__init__(made, apply, unplanned=unplanned, elsewhere=elsewhere)
        self.left_out = self._concat(lambda plan: plan.left_out, revocation.LEFT_OUT)


class FleetRevocationPlan(_SelectivePlan[RevocationPlan]):
    """A frozen set of tokens to revoke in several workspaces.

    Attributes:
        left_out: The requested tokens that will not be revoked: ``workspace, token_id, owner, comment, reason``.
    """

    _PREVIEW = revocation.PREVIEW

    def warnings(self) -> dict[str, int]:
        """Return each warning of the preview, the most severe first, with its number of tokens."""
        return revocation.warnings_of(self.preview())

    def losing_last_token(self) -> list[str]:
        """Return the owners whose last active token in a workspace will be revoked."""
        return [*dict.fromkeys(chain.from_iterable(plan.losing_last_token() for plan in self.plans.values()))]

    def apply(
        self,
        *,
        workers: int = WORKERS,
        despite_drift: bool = False,
        progress: bool | Progress = True,
        stop: threading.Event | None = None,
    ) -> pd.DataFrame:
        """Revoke the tokens, in several workspaces at once, and return the outcome of each. This cannot be undone.

        Args:
            workers: The maximum number of requests in flight per workspace.
            despite_drift: As for ``RevocationPlan.apply``.
            progress: Whether to show a progress bar if it takes more than two seconds, or a custom listener.
            stop: An event; once another thread sets it, no new request is sent.

        Returns:
            ``workspace`` and the columns of ``RevocationPlan.apply``: a row for each token of the plan. Those of a
            workspace that failed are ``pending``, with its error; ``tokenkit.resume(plan.run_id)`` continues.

        Raises:
            JournalError: The journal cannot be written; nothing was sent.
        """
        return self._apply(RunOptions(workers=workers, despite_drift=despite_drift, progress=progress, stop=stop))

    def _title(self) -> str:
        return f"{self._where()} will be revoked for good"

    def summary(self) -> Summary:
        """Return what the plan will do, the number to confirm, and the warnings."""
        return Summary(
            doing=revocation.KIND.what_is_done(len(self)) if len(self) else "",
            count=len(self),
            warnings=self._unplanned_warning() | self.warnings(),
            left_out=revocation.reasons_of(self.left_out),
            resembling=self._counts(lambda summary: summary.resembling),
            evidence=self._evidence(),
            explained=revocation.explained(self.losing_last_token(), where=" in a workspace"),
        )


class FleetUpdatePlan(_SelectivePlan[UpdatePlan]):
    """Frozen changes of comments and scopes in several workspaces.

    Attributes:
        left_out: The requested tokens that will not be changed: ``workspace, token_id, owner, comment, reason``.
    """

    _PREVIEW = update.PREVIEW

    @property
    def can_be_undone(self) -> bool:
        """Whether the change can be undone in any workspace."""
        return any(plan.can_be_undone for plan in self.plans.values())

    def apply(
        self, *, workers: int = WORKERS, progress: bool | Progress = True, stop: threading.Event | None = None
    ) -> pd.DataFrame:
        """Change the tokens, in several workspaces at once, and return the outcome of each.

        Args:
            workers: The maximum number of requests in flight per workspace.
            progress: Whether to show a progress bar if it takes more than two seconds, or a custom listener.
            stop: An event; once another thread sets it, no new request is sent.

        Returns:
            ``workspace`` and the columns of ``UpdatePlan.apply``: a row for each token of the plan. Tokens of a
            workspace that failed are ``pending``, with its error; ``tokenkit.resume(plan.run_id)`` continues.

        Raises:
            JournalError: The journal cannot be written; nothing was sent.
        """
        return self._apply(RunOptions(workers=workers, progress=progress, stop=stop))

    def _title(self) -> str:
        return f"{self._where()} will be changed"

    def summary(self) -> Summary:
        """Return what the plan will do, the number to confirm, and the warnings."""
        return Summary(
            doing=update.KIND.what_is_done(len(self)) if len(self) else "",
            count=len(self),
            warnings=self._warnings(),
            left_out=revocation.reasons_of(self.left_out),
            explained=self._explained(),
            warned=self._warned(),
        )

    def _warned(self) -> dict[str, list[str]]:
        warned: dict[str, list[str]] = {}
        for plan in self.plans.values():
            for warning, ids in plan.summary().warned.items():
                warned.setdefault(warning, []).extend(ids)
        return warned


class FleetResumePlan(_SelectivePlan[ResumePlan], RemainingPlan):
    """The frozen remainder of a run in several workspaces.

    Attributes:
        left_out: The other tokens that are not settled: ``workspace, token_id, owner, comment, reason``.
    """

    _PREVIEW = resumption.PREVIEW

    def __init__(
        self,
        run_id: str,
        made: Mapping[str, ResumePlan],
        resume: Callable[[RunOptions], pd.DataFrame],
        *,
        unplanned: int,
        elsewhere: Mapping[str, int],
    ) -> None:
        super().__init__(made, lambda _, options: (run_id, resume(options)), unplanned=unplanned, elsewhere=elsewhere)
        self.run_id = run_id
        self.needs_confirmation = any(plan.needs_confirmation for plan in self.plans.values())
        self.kind = next(plan.kind for plan in self.plans.values())

    def check_due(self) -> None:
        """Reject a staged run before its grace period is over.

        Raises:
            UsageError: It is not over.
        """
        for plan in self.plans.values():
            plan.check_due()

    def apply(self, *, progress: bool | Progress = True, stop: threading.Event | None = None) -> pd.DataFrame:
        """Execute what remains, in several workspaces at once, and return the outcome of each token of the run.

        Args:
            progress: Whether to show a progress bar if it takes more than two seconds, or a custom listener.
            stop: An event; once another thread sets it, no new request is sent.

        Returns:
            ``workspace`` and the columns of ``ResumePlan.apply``: a row for each token of the run.
        """
        return self._apply(RunOptions(progress=progress, stop=stop))

    def _title(self) -> str:
        return f"{self._where()} remaining"

    def summary(self) -> Summary:
        """Return what remains to be done, the number to confirm, and the warnings."""
        is_open = any(plan.summary().doing for plan in self.plans.values())
        return Summary(
            doing=self.kind.what_is_done(len(self)) if is_open else "",
            count=len(self),
            warnings=self._warnings(),
            left_out=revocation.reasons_of(self.left_out),
            evidence=self._evidence(),
            explained=self._explained(),
            outline=[*dict.fromkeys(chain.from_iterable(plan.summary().outline for plan in self.plans.values()))],
        )


class FleetPermissionPlan(PermissionEffects, FleetPlan[PermissionPlan]):
    """A frozen change of permissions in several workspaces. ``preview()`` shows the tokens that will be lost.

    Attributes:
        changes: The entries that change: ``workspace, kind, principal, permission_level, new_permission_level``. A
            workspace without any is not sent a request.
        unchanged: The requested entries that exist: the same columns.
        gaining_access: The principals that gain permission: ``workspace, id, principal, kind, via``.
        losing_access: The principals that lose permission: ``workspace, id, principal, kind, via, tokens, effect``.
        keeping_access: The principals that keep permission by another path: ``workspace, id, principal, kind, via``.
        not_known: The principals that may lose more tokens: ``workspace, principal, kind, reason``.
        protected: The protected tokens that would be lost: ``workspace, token_id, owner, comment, reason``.
    """

    _WHERE = "workspaces"

    def __init__(
        self,
        made: Mapping[str, PermissionPlan],
        apply: Apply[PermissionPlan],
        *,
        unplanned: int,
        labels: Mapping[str, str],
    ) -> None:
        super().__init__(made, apply, unplanned=unplanned)
        self.labels = labels
        self.changes = self._concat(lambda plan: plan.changes, LEVELS)
        self.hosts = tuple(self._changing())
        self.unchanged = self._concat(lambda plan: plan.unchanged, LEVELS)
        self.display_names = dict(chain.from_iterable(plan.display_names.items() for plan in self.plans.values()))
        self.gaining_access = self._concat(lambda plan: plan.gaining_access)
        self.losing_access = self._concat(lambda plan: plan.losing_access)
        self.keeping_access = self._concat(lambda plan: plan.keeping_access)
        self.not_known = self._concat(lambda plan: plan.not_known)
        self.protected = self._concat(lambda plan: plan.protected, revocation.LEFT_OUT)

    def check_protection(self) -> None:
        """Reject a change that would delete protected tokens that were not allowed.

        Raises:
            UsageError: There are such tokens. The message names those of the first workspace that has any.
        """
        for plan in self.plans.values():
            plan.check_protection()

    def apply(self, *, progress: bool | Progress = True, stop: threading.Event | None = None) -> pd.DataFrame:
        """Change the permissions, in several workspaces at once, and return the outcome of each token of the preview.

        Args:
            progress: Whether to show a progress bar if it takes more than two seconds, or a custom listener.
            stop: An event; once another thread sets it, no new request is sent.

        Returns:
            ``workspace`` and the columns of ``PermissionPlan.apply``. A workspace is not changed if its permissions
            changed since the plan, or if the change would delete tokens that are now protected. The fleet's ``errors``
            lists these workspaces.

        Raises:
            UsageError: The change would delete protected tokens that were not allowed. Nothing was sent to any
                workspace.
            JournalError: The journal cannot be written; nothing was sent.
        """
        self.check_protection()
        return self._apply(RunOptions(progress=progress, stop=stop))

    def _changing(self) -> Mapping[str, PermissionPlan]:
        return {host: plan for host, plan in self.plans.items() if len(plan.changes)}

    def used_recently(self) -> list[str]:
        """Return the ids of the tokens that will be lost and were used in the last 7 days, in any workspace."""
        return [*chain.from_iterable(plan.used_recently() for plan in self.plans.values())]

    def _place(self) -> str:
        return self._workspaces()

    def summary(self) -> Summary:
        """Return what the plan removes, the number to confirm, and the affected principals and tokens."""
        summary = super().summary()
        return replace(summary, warnings={**self._unplanned_warning(), **summary.warnings})
