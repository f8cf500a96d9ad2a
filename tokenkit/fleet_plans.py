"""Plans over several workspaces: a plan for each, shown as one and carried out as one run.

Applying writes every workspace's plan into the journal, as a part of one run, before the first request leaves; carrying
the parts out is then what ``resume`` does with any run. So a kernel that dies between two workspaces loses nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

import pandas as pd
import pyarrow as pa

from tokenkit import frames
from tokenkit.actions import journal as records
from tokenkit.actions import plan as plans
from tokenkit.actions import resumption, revocation
from tokenkit.actions.journal import Journal, Run
from tokenkit.actions.permissions import PermissionPlan, effects, taken_away
from tokenkit.actions.plan import Progress
from tokenkit.actions.preview import Shown
from tokenkit.actions.resumption import ResumePlan
from tokenkit.actions.revocation import RevocationPlan
from tokenkit.redaction import redact


class Plan(Protocol):
    """What is needed of a workspace's plan."""

    token_ids: tuple[str, ...]

    def __len__(self) -> int:
        """Count the tokens that are hit."""
        ...

    def preview(self) -> pd.DataFrame:
        """Return a row for each of them."""
        ...


P = TypeVar("P", bound=Plan)
Record = Callable[[Any, Journal, str], Run]
"""Writes a plan into a journal as a run of that id."""


class Apply(Protocol):
    """Carries out plans as one run."""

    def __call__(
        self, made: Mapping[str, Any], record: Record, *, progress: bool | Progress, stop: threading.Event | None
    ) -> tuple[str, pd.DataFrame]:
        """Return the run's id, and a row for each token of the plans."""
        ...


def by_workspace(parts: Mapping[str, pd.DataFrame], *, empty: pa.Schema | None = None) -> pd.DataFrame:
    """Return frames one below the other, the workspace of each before its columns.

    Args:
        parts: A frame for each workspace.
        empty: The columns where there are no parts.
    """
    together = frames.concat(list(parts.values()) or [frames.frame([], empty or pa.schema([]))])
    return with_workspace(together, {host: len(part) for host, part in parts.items()})


def with_workspace(together: pd.DataFrame, rows: Mapping[str, int]) -> pd.DataFrame:
    """Return a frame of the rows of several workspaces, the workspace of each before its columns.

    Args:
        together: The rows, those of a workspace one after the other.
        rows: How many of them each has.
    """
    hosts = pd.Series(list(rows), dtype=frames.TEXT)
    together.insert(0, "workspace", hosts.repeat(list(rows.values())).array)
    return together


def not_begun(plan: Plan, failure: Exception) -> pd.DataFrame:
    """Return the result of a plan that could not be written down."""
    said = f"not begun, and not in the journal: {redact(str(failure))}"
    rows = [{"token_id": each, "outcome": records.PLANNED, "error": said, "attempts": 0} for each in plan.token_ids]
    return frames.frame(rows, plans.RESULT).assign(owner=plan.preview()["owner"].array)


class Together:
    """Adds up how far the workspaces of a run are, for somebody who watches them all.

    Each is carried out in a thread of its own; whoever watches is told by one at a time.

    Args:
        watcher: Who watches.
        counts: How many tokens each workspace has to do, as far as that is known.
    """

    def __init__(self, watcher: Progress, counts: Mapping[str, int]) -> None:
        self._watcher = watcher
        self._lock = threading.Lock()
        self._done = 0
        self._totals = dict(counts)

    def part(self, host: str) -> Progress:
        """Return who watches one of the workspaces."""
        return _Part(self, host)

    def advance(self, host: str, total: int) -> None:
        """Take note that a workspace is a token further; what it left out beforehand is no part of its total."""
        with self._lock:
            self._done, self._totals[host] = self._done + 1, total
            self._watcher.advance(self._done, sum(self._totals.values()))

    def end_early(self, words: str) -> None:
        """Take note that something of the run is left, and of how to go on."""
        self._watcher.end_early(words)


class _Part:
    """Watches one workspace. What it leaves is said once, of the whole run."""

    def __init__(self, together: Together, host: str) -> None:
        self._together, self._host = together, host

    def advance(self, done: int, total: int) -> None:  # noqa: ARG002 - each call is a token more
        self._together.advance(self._host, total)

    def end_early(self, words: str) -> None:
        pass


class FleetPlan(Shown, Generic[P]):
    """A plan for each of several workspaces, frozen. ``preview()`` shows them; ``apply()`` carries them out.

    Attributes:
        plans: The plans by workspace.
        run_id: The run of the last ``apply()``, for ``tokenkit.resume``; None before.
    """

    _PREVIEW: pa.Schema | None = None  # its columns where there is no workspace

    def __init__(self, made: Mapping[str, P], apply: Apply, *, unplanned: int) -> None:
        self.plans = dict(made)
        self.run_id: str | None = None
        self._apply_all = apply
        self._unplanned = unplanned

    def __len__(self) -> int:
        return sum(len(plan) for plan in self.plans.values())

    def _headline(self) -> str:
        failed = f"; {plans.counted(self._unplanned, 'workspace')} failed" if self._unplanned else ""
        return f"{super()._headline()}{failed}"

    def _missed(self) -> dict[str, int]:
        words = "workspaces that could not be planned; see the fleet's .errors"
        return {words: self._unplanned} if self._unplanned else {}

    def preview(self) -> pd.DataFrame:
        """Return a row for each token that is hit, and where.

        Returns:
            ``workspace``, then the columns of ``RevocationPlan.preview``, ``PermissionPlan.preview`` or
            ``ResumePlan.preview``.
        """
        return self._joined(lambda plan: plan.preview(), self._PREVIEW)

    def _joined(self, part: Callable[[P], pd.DataFrame], empty: pa.Schema | None = None) -> pd.DataFrame:
        return by_workspace({host: part(plan) for host, plan in self.plans.items()}, empty=empty)

    def _carry_out(self, record: Record, *, progress: bool | Progress, stop: threading.Event | None) -> pd.DataFrame:
        if not self.plans:
            return by_workspace({}, empty=plans.RESULT)
        self.run_id, result = self._apply_all(self.plans, record, progress=progress, stop=stop)
        return result

    def summary(self) -> plans.Summary:
        """Return what the plan will do, the number to confirm it with, and what to mind."""
        raise NotImplementedError

    def _title(self) -> str:
        raise NotImplementedError


class FleetRevocationPlan(FleetPlan[RevocationPlan]):
    """Tokens to revoke in several workspaces, frozen."""

    _PREVIEW = revocation.PREVIEW

    @property
    def left_out(self) -> pd.DataFrame:
        """What was asked for and will not be revoked: ``workspace, token_id, owner, comment, reason``."""
        return self._joined(lambda plan: plan.left_out, revocation.LEFT_OUT)

    def warnings(self) -> dict[str, int]:
        """Return each warning that the preview has, the worst first, with how many tokens it is about."""
        return revocation.warnings_of(self.preview())

    def apply(
        self,
        *,
        workers: int = plans.WORKERS,
        despite_drift: bool = False,
        progress: bool | Progress = True,
        stop: threading.Event | None = None,
    ) -> pd.DataFrame:
        """Revoke the tokens, in several workspaces at once, and return what became of each. It cannot be undone.

        Args:
            workers: How many requests may be under way at once in a workspace.
            despite_drift: As for ``RevocationPlan.apply``.
            progress: Show a progress bar once it takes more than two seconds; or who is told instead.
            stop: When set, by another thread, nothing new is sent.

        Returns:
            ``workspace`` and the columns of ``RevocationPlan.apply``: a row for each token of the plan. Those of a
            workspace that failed are ``planned``, with its error; ``tokenkit.resume(plan.run_id)`` goes on.

        Raises:
            JournalError: The journal cannot be written; nothing was sent.
        """
        return self._carry_out(
            lambda plan, journal, run_id: plan.record(
                journal, run_id=run_id, workers=workers, despite_drift=despite_drift
            ),
            progress=progress,
            stop=stop,
        )

    def _title(self) -> str:
        where = plans.counted(len(self.plans), "workspace")
        return f"{plans.counted(len(self), 'token')} on {where} will be revoked for good"

    def summary(self) -> plans.Summary:
        """Return what the plan will do, the number to confirm it with, and what to mind."""
        doing = f"revoke {plans.counted(len(self), 'token')} for good" if len(self) else ""
        minds = self._missed() | self.warnings()
        return plans.Summary(doing=doing, count=len(self), minds=minds, left_out=revocation.reasons_of(self.left_out))


class FleetResumePlan(FleetPlan[ResumePlan]):
    """What remains of a run in several workspaces, frozen."""

    _PREVIEW = resumption.PREVIEW

    def __init__(
        self, run_id: str, made: Mapping[str, ResumePlan], resume: Callable[..., pd.DataFrame], *, unplanned: int
    ) -> None:
        super().__init__(made, lambda *_, **how: (run_id, resume(**how)), unplanned=unplanned)
        self.run_id = run_id

    @property
    def left_out(self) -> pd.DataFrame:
        """What remains and will not be carried out: ``workspace, token_id, owner, comment, reason``."""
        return self._joined(lambda plan: plan.left_out, revocation.LEFT_OUT)

    @property
    def needs_confirmation(self) -> bool:
        """Whether a command asks before it goes on; see ``ResumePlan``."""
        return any(plan.needs_confirmation for plan in self.plans.values())

    def check_due(self) -> None:
        """Refuse a staged run before its grace period is over.

        Raises:
            UsageError: It is not.
        """
        for plan in self.plans.values():
            plan.check_due()

    def apply(self, *, progress: bool | Progress = True, stop: threading.Event | None = None) -> pd.DataFrame:
        """Carry out what remains, in several workspaces at once, and return what became of each token of the run.

        Args:
            progress: Show a progress bar once it takes more than two seconds; or who is told instead.
            stop: When set, by another thread, nothing new is sent.

        Returns:
            ``workspace`` and the columns of ``ResumePlan.apply``: a row for each token of the run.
        """
        return self._carry_out(lambda plan, *_: plan.run, progress=progress, stop=stop)

    def _title(self) -> str:
        return f"{plans.counted(len(self), 'token')} on {plans.counted(len(self.plans), 'workspace')} remaining"

    def summary(self) -> plans.Summary:
        """Return what is still to be done, the number to confirm it with, and what to mind."""
        every = [plan.summary() for plan in self.plans.values()]
        minds = self._missed()
        for words in dict.fromkeys(name for each in every for name in each.minds):
            minds[words] = sum(each.minds.get(words, 0) for each in every)
        kind = next(iter(self.plans.values())).run.kind
        doing = resumption.what_is_done(kind, len(self)) if any(each.doing for each in every) else ""
        return plans.Summary(doing=doing, count=len(self), minds=minds)


class FleetPermissionPlan(FleetPlan[PermissionPlan]):
    """One change of the permissions of several workspaces, frozen. ``preview()`` shows the tokens that die of it."""

    @property
    def gains(self) -> pd.DataFrame:
        """Who gets the right where: ``workspace, id, principal, kind, via``."""
        return self._joined(lambda plan: plan.gains)

    @property
    def loses(self) -> pd.DataFrame:
        """Who loses it where: ``workspace, id, principal, kind, via, tokens, effect``."""
        return self._joined(lambda plan: plan.loses)

    @property
    def keeps_by_another_path(self) -> pd.DataFrame:
        """Whose path is cut and who keeps the right by another: ``workspace, id, principal, kind, via``."""
        return self._joined(lambda plan: plan.keeps_by_another_path)

    @property
    def not_known(self) -> pd.DataFrame:
        """Of whom it is not known whether they lose tokens where: ``workspace, principal, kind, reason``."""
        return self._joined(lambda plan: plan.not_known)

    @property
    def protected(self) -> pd.DataFrame:
        """Protected tokens that it would cost where, not allowed: ``workspace, token_id, owner, comment, reason``."""
        return self._joined(lambda plan: plan.protected, revocation.LEFT_OUT)

    def check_protection(self) -> None:
        """Refuse a change that costs protected tokens which were not allowed.

        Raises:
            UsageError: It does; the message names those of the first such workspace.
        """
        for plan in self.plans.values():
            plan.check_protection()

    def apply(self, *, progress: bool | Progress = True, stop: threading.Event | None = None) -> pd.DataFrame:
        """Change the permissions, in several workspaces at once, and return what became of each token that was to die.

        Args:
            progress: Show a progress bar once it takes more than two seconds; or who is told instead.
            stop: When set, by another thread, nothing new is sent.

        Returns:
            ``workspace`` and the columns of ``PermissionPlan.apply``. A workspace whose permissions changed since the
            plan is left alone, as is one in which it would cost tokens that are protected by now; the fleet's
            ``errors`` says so.

        Raises:
            UsageError: It would cost protected tokens that were not allowed; nothing was sent anywhere.
            JournalError: The journal cannot be written; nothing was sent.
        """
        self.check_protection()
        return self._carry_out(
            lambda plan, journal, run_id: plan.record(journal, run_id=run_id), progress=progress, stop=stop
        )

    def _title(self) -> str:
        return f"The permissions of {plans.counted(len(self.plans), 'workspace')} will change"

    def summary(self) -> plans.Summary:
        """Return what the plan takes away, the number to confirm it with, and whom it is about."""
        minds = self._missed() | effects(self, "workspaces")
        doing, count = taken_away(self)
        return plans.Summary(doing=doing, count=count, minds=minds)
