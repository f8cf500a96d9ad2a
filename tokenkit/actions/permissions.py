"""Changing who may use tokens: who loses the right, and which tokens the workspace deletes for it, before it does."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import pandas as pd

from tokenkit import errors, frames
from tokenkit.actions import journal as records
from tokenkit.actions import plan as plans
from tokenkit.actions import protect as protection
from tokenkit.actions.journal import Entry, Journal, Run, Step
from tokenkit.actions.plan import Progress, Target
from tokenkit.actions.preview import Shown
from tokenkit.actions.revocation import LEFT_OUT, token_ids_of
from tokenkit.actions.task import LOST_AND_GONE, Task
from tokenkit.frames import TEXT
from tokenkit.rest.token_management import AccessControlList, access_entries
from tokenkit.review import access

KIND = "permissions"
_COLUMNS = ["token_id", "owner", "owner_kind", "comment", "status", "last_used_day", "expiry_time", "effect"]


class PermissionPlan(Shown):
    """A change of the permissions, frozen. ``preview()`` shows the tokens that it costs; ``apply()`` makes it.

    Attributes:
        before: The entries as they were when it was made: the columns of ``frames.PERMISSIONS``.
        gains: Who gets the right to use tokens: a frame of ``id, principal, kind, via``.
        loses: Who loses it: ``id, principal, kind, via`` (the paths that are cut), ``tokens`` (how many that costs),
            ``effect`` (as in ``preview``).
        keeps_by_another_path: Whose path is cut and who keeps the right by another: ``id, principal, kind, via``.
        not_known: Of whom the workspace does not say enough to tell whether they lose tokens: ``principal, kind,
            reason``. More tokens may be lost than the preview shows.
        protected: Protected tokens that the change would cost and that were not allowed: ``token_id, owner, comment,
            reason``. While there are any, ``apply()`` refuses.
        run_id: The run of the last ``apply()``; None before.
    """

    def __init__(
        self,
        target: Target,
        asked: list[dict[str, Any]],
        before: pd.DataFrame,
        consequences: access.Consequences,
        protected: pd.DataFrame,
        *,
        replace: bool,
        allow_protected: Sequence[str],
        reason: str | None,
    ) -> None:
        self._target = target
        self._asked = asked
        self.before = before
        self._dying = consequences.tokens
        self._replace = replace
        self._allow_protected = tuple(allow_protected)
        self.protected = protected
        self._reason = reason
        self.gains = consequences.gains
        self.loses = consequences.loses
        self.keeps_by_another_path = consequences.keeps_by_another_path
        self.not_known = consequences.not_known
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
        doing, count = taken_away(self)
        return plans.Summary(doing=doing, count=count, minds=minds)

    def preview(self) -> pd.DataFrame:
        """Return a row for each token that its owner loses: ``token_id, owner, owner_kind, comment, status,
        last_used_day, expiry_time, effect``.

        ``effect`` is ``deleted`` where an entry of the owner's own is removed, and ``deleted_or_disabled`` where the
        permission came through groups: the documentation of Databricks says either, and no API tells which holds in a
        workspace. A disabled token stays in the listing, and works again once its owner has permission again.
        """
        return self._dying[_COLUMNS].reset_index(drop=True)

    def apply(self, *, progress: bool | Progress = True, stop: threading.Event | None = None) -> pd.DataFrame:
        """Change the permissions, and return what became of each token of the preview. Deletions cannot be undone.

        Args:
            progress: Show a progress bar once looking up the tokens takes more than two seconds; or who is told.
            stop: When set, by another thread, no more tokens are looked up. The change itself is one request.

        Returns:
            A row for each token of the preview: ``token_id, owner, outcome, error, attempts, started_at, finished_at``.
            The outcome is ``revoked`` (by the workspace, for this change; each is looked up), ``still_listed`` where
            the workspace still has the token, which may be disabled, or ``unknown`` where that could not be looked up.
            ``attrs["ended_by"]`` is there if the looking up ended early.

        Raises:
            UsageError: The permissions changed since the plan, more tokens would die than it shows, or protected ones
                that were not allowed: plan again.
            ApiError: The workspace refused the change; nothing changed.
            JournalError: The journal cannot be written; nothing was sent.
        """
        run_id = records.new_run_id(self._target.now())
        with Journal(self._target.folder) as journal, journal.held(run_id):
            run = self.record(journal, run_id=run_id)
            return _carry_out(self._target, run, journal.entries(run_id), journal, progress=progress, stop=stop)

    def record(self, journal: Journal, *, run_id: str | None = None) -> Run:
        """Write the plan down as a run, every token ``planned``, and return it. ``resume`` carries it out.

        Args:
            journal: Where to.
            run_id: What the run is called, where it is a part of another; a new name by default.

        Raises:
            UsageError: The permissions changed since the plan, more tokens would die than it shows, or protected ones
                that were not allowed: plan again.
        """
        self.check_protection()
        now = make(
            self._target,
            self._asked,
            replace=self._replace,
            allow_protected=self._allow_protected,
            reason=self._reason,
        )
        if not _same_entries(now.before, self.before):
            now.check_protection()
            raise errors.UsageError(f"The permissions of {self._target.name} changed since the plan. Plan again.")
        _check_costs(now, self.token_ids)
        settings = {
            "asked": self._asked,
            "replace": self._replace,
            "before": access_entries(self.before),
            "allow_protected": list(self._allow_protected),
        }
        run = plans.begin(self._target, KIND, reason=self._reason, settings=settings, run_id=run_id)
        journal.begin(run, plans.entries_of(self._dying), is_one_change=True)
        self.run_id = run.run_id
        return run

    def check_protection(self) -> None:
        """Refuse a change that costs protected tokens which were not allowed.

        Raises:
            UsageError: It does; the message names them.
        """
        _refuse_protected(self._target, self.protected)


def _check_costs(now: PermissionPlan, shown: Iterable[str]) -> None:
    """Refuse a change that costs protected tokens, or others than were shown.

    Args:
        now: The change as it would be by now.
        shown: The tokens that it was to cost.
    """
    now.check_protection()
    if more := set(now.token_ids) - set(shown):
        raise errors.UsageError(
            f"{plans.counted(len(more), 'more token')} would be deleted than the plan shows. Plan again."
        )


def _refuse_protected(target: Target, protected: pd.DataFrame) -> None:
    if not len(protected):
        return
    named = [
        f"{token_id} ({reason})"
        for token_id, reason in protected[["token_id", "reason"]].head(_NAMED).itertuples(index=False, name=None)
    ]
    more = f" and {len(protected) - _NAMED:,} more" if len(protected) > _NAMED else ""
    raise errors.UsageError(
        f"The change of permissions on {target.name} would delete {plans.counted(len(protected), 'protected token')}: "
        f"{', '.join(named)}{more}. Allow each by its id with allow_protected=[…] or --allow-protected ID, or change "
        f"{protection.FILE_NAME}."
    )


_NAMED = 5


class _Effects(Protocol):
    @property
    def gains(self) -> pd.DataFrame: ...

    @property
    def loses(self) -> pd.DataFrame: ...

    @property
    def keeps_by_another_path(self) -> pd.DataFrame: ...

    @property
    def protected(self) -> pd.DataFrame: ...

    @property
    def not_known(self) -> pd.DataFrame: ...

    def __len__(self) -> int: ...


def effects(plan: _Effects, where: str) -> dict[str, int]:
    """Return what a change of permissions does to principals and tokens, the worst first, and to how many."""
    disabled = _maybe_disabled(plan)
    return {
        "protected tokens among them; allow each by its id, or the change is refused": len(plan.protected),
        f"tokens that will be deleted by the {where} for good": len(plan) - disabled,
        f"tokens that will be deleted or disabled by the {where}": disabled,
        "principals of whom it is not known whether more tokens are lost": len(plan.not_known),
        "principals losing permission": len(plan.loses),
        "principals keeping it by another path": len(plan.keeps_by_another_path),
        "principals gaining permission": len(plan.gains),
    }


def _maybe_disabled(plan: _Effects) -> int:
    losing = plan.loses
    return int(losing["tokens"][losing["effect"] == access.DELETED_OR_DISABLED].sum()) if len(losing) else 0


def taken_away(plan: _Effects) -> tuple[str, int]:
    """Return in words what a change takes away, and the number to confirm it with: tokens, if it costs any."""
    if len(plan):
        tokens = plans.counted(len(plan), "token")
        return f"delete or disable {tokens}" if _maybe_disabled(plan) else f"delete {tokens} for good", len(plan)
    if len(plan.loses):
        return f"take the right from {plans.counted(len(plan.loses), 'principal')}", len(plan.loses)
    unknown = len(plan.not_known)
    return (f"take the right from {plans.counted(unknown, 'principal')} not known in full" if unknown else ""), unknown


def make(
    target: Target,
    access_control_list: AccessControlList,
    *,
    replace: bool,
    reason: str | None,
    allow_protected: Iterable[str] = (),
) -> PermissionPlan:
    """Return the plan to change the permissions; see ``Workspace.plan_permissions``."""
    asked = access_entries(access_control_list)
    allowed = token_ids_of(allow_protected)
    direct = _direct(target.api.get_permissions())
    after = access.changed_entries(direct, asked, replace=replace)
    identities = target.identities(access.granted_groups(direct, after))
    asked = access.by_application_id(asked, direct, identities.service_principals)
    after = access.changed_entries(direct, asked, replace=replace)
    access.check_entries(direct, after, identities)
    found = access.consequences(direct, after, identities, target.tokens())
    reasons = protection.protected(found.tokens, protection.read_protected(target.folder))
    protected = _left_protected(found.tokens.assign(reason=reasons), allowed)
    return PermissionPlan(
        target, asked, direct, found, protected, replace=replace, allow_protected=allowed, reason=reason
    )


def _left_protected(tokens: pd.DataFrame, allowed: Sequence[str]) -> pd.DataFrame:
    """Return the protected of some tokens, each with the ``reason``, without those that are allowed."""
    kept = tokens[(tokens["reason"] != "").to_numpy() & ~tokens["token_id"].isin(allowed).to_numpy()]
    return kept[LEFT_OUT.names].astype(TEXT).reset_index(drop=True)


def _direct(permissions: pd.DataFrame) -> pd.DataFrame:
    return permissions[permissions["inherited"].ne(other=True).fillna(value=True).astype(bool)]


def resume(
    target: Target,
    run: Run,
    entries: Sequence[Entry],
    journal: Journal,
    *,
    progress: bool | Progress,
    stop: threading.Event | None = None,
) -> pd.DataFrame:
    """Finish a run that changes permissions: send the change if the permissions are still as it was planned on, and
    look up the tokens that it ends.

    Raises:
        UsageError: They are neither as before the change nor as after it, the change would cost tokens that are
            protected by now or that came to be since, or the journal did not keep whom it names.
    """
    if records.is_redacted(run.settings["asked"]):
        raise errors.UsageError(
            f"The journal did not keep all names of run {run.run_id}, as one looks like a credential. Plan again."
        )
    is_made = journal.state_of_change(run.run_id) == records.UPDATED
    if not is_made and _same_entries(target.api.get_permissions(), _frame_of(run.settings["before"])):
        how = {name: run.settings[name] for name in ("replace", "allow_protected") if name in run.settings}
        now = make(target, run.settings["asked"], reason=run.reason, **how)
        _check_costs(now, [entry.token_id for entry in entries])
    return _carry_out(target, run, entries, journal, progress=progress, stop=stop)


def _carry_out(
    target: Target,
    run: Run,
    entries: Sequence[Entry],
    journal: Journal,
    *,
    progress: bool | Progress,
    stop: threading.Event | None,
) -> pd.DataFrame:
    """Make the change unless it is made, then look up what became of each token, and return a row for each."""
    left = [entry for entry in entries if entry.state not in records.SETTLED]
    if entries and not left:
        return plans.result(entries)

    def change() -> Task:
        is_made = journal.state_of_change(run.run_id) == records.UPDATED
        remark = None if is_made else _change(target, run, left, journal)
        return Task(
            send=_never,
            look_up=lambda entry: target.one_shot.get(entry.token_id),
            found=lambda _entry, _token: (records.STILL_LISTED, STILL_THERE),
            done=records.REVOKED,
            gone_after_lost=(records.REVOKED, remark),
        )

    # What the change ends is not sent for: each token is looked up, as after a request whose response was lost.
    asked = [replace(entry, state=records.UNKNOWN) for entry in left]
    return plans.change_and_look_up(target, run, asked, change, journal, progress=progress, stop=stop)


STILL_THERE = (
    "the permissions are changed, and the workspace still lists the token; it may be disabled, and then works again "
    "once its owner can use tokens"
)


def _never(entry: Entry) -> None:
    raise AssertionError(entry.token_id)


def _change(target: Target, run: Run, left: Sequence[Entry], journal: Journal) -> str | None:
    """Send the change, and return a remark on how it went; where it was not made, note that and raise why."""
    before = _frame_of(run.settings["before"])
    after = access.changed_entries(before, run.settings["asked"], replace=run.settings["replace"])
    now = target.api.get_permissions()
    if _same_entries(now, after):
        _note(target, run, journal, records.UPDATED)
        return None
    if not _same_entries(now, before):
        raise errors.UsageError(
            f"The permissions of {target.name} changed since run {run.run_id} was planned. Plan again."
        )
    patterns = protection.read_protected(target.folder)
    reasons = plans.protected_now(left, target.tokens(), patterns) if patterns else {}
    tokens = plans.planned_tokens(left)
    protected = tokens.assign(reason=pd.Series([reasons.get(entry.token_id, "") for entry in left], dtype=TEXT))
    _refuse_protected(target, _left_protected(protected, run.settings.get("allow_protected", ())))
    change = target.api.set_permissions if run.settings["replace"] else target.api.update_permissions
    _note(target, run, journal, records.SENT, entries=left)
    failure: Exception
    try:
        change(run.settings["asked"])
    except Exception as error:  # noqa: BLE001 - whatever it is, the change may have been made
        failure = error
    else:
        _note(target, run, journal, records.UPDATED)
        return None
    outcome = _found(target, before, after) if _may_have_run(failure) else records.FAILED
    if outcome == records.UPDATED:
        _note(target, run, journal, outcome)
        return LOST_AND_GONE
    _note(target, run, journal, outcome, error=str(failure), entries=left)
    raise failure


def _may_have_run(failure: Exception) -> bool:
    lost = errors.AnswerLostError | errors.MalformedAnswerError | errors.UnavailableError
    return isinstance(failure, lost) or not isinstance(failure, errors.TokenKitError)


def _found(target: Target, before: pd.DataFrame, after: pd.DataFrame) -> str:
    """Return whether a change whose response was lost was made, by what the permissions are; where they are neither as
    before nor as after it, that is unknown.
    """
    try:
        now = target.api.get_permissions()
    except errors.TokenKitError:
        return records.UNKNOWN
    if _same_entries(now, after):
        return records.UPDATED
    return records.FAILED if _same_entries(now, before) else records.UNKNOWN


def _note(
    target: Target, run: Run, journal: Journal, state: str, *, error: str | None = None, entries: Iterable[Entry] = ()
) -> None:
    """Write down the state of the change, and of the tokens that share it."""
    at_ms = round(target.now().timestamp() * 1000)
    journal.record_all(
        Step(run_id=run.run_id, token_id=token_id, state=state, at_ms=at_ms, attempts=1, error=error)
        for token_id in (records.THE_CHANGE, *(entry.token_id for entry in entries))
    )


def _frame_of(entries: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    return frames.frame(entries, frames.PERMISSIONS)


def _same_entries(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether two lists grant the same, in whatever order; inherited entries and that of ``admins`` cannot change."""
    names = ["user_name", "group_name", "service_principal_name", "permission_level"]
    granted = []
    for entries in (one, other):
        direct = _direct(entries) if "inherited" in entries else entries
        direct = direct[direct["group_name"].fillna("") != access.ADMINS]
        granted.append(set(direct[names].fillna("").itertuples(index=False, name=None)))
    return granted[0] == granted[1]
