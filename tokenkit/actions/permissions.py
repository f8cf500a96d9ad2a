"""Changes of permission to use tokens: which principals lose it, and which tokens the workspace will delete."""

from __future__ import annotations

import sys
import threading
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

import pandas as pd

from tokenkit import errors, frames
from tokenkit.actions import journal as records
from tokenkit.actions import listing_before, states
from tokenkit.actions import protect as protection
from tokenkit.actions.journal import Entry, Journal, Run
from tokenkit.actions.kind import RunKind
from tokenkit.actions.options import Progress, RunOptions
from tokenkit.actions.plan import Plan, PlanContext, Summary, WorkspacePlan, entries_of, planned_tokens
from tokenkit.actions.preview import PROTECTED
from tokenkit.actions.result import NOT_COMPARED, result_of
from tokenkit.actions.revocation import LEFT_OUT, OF_SERVICE_PRINCIPAL, USED_RECENTLY, token_ids_of, was_used_recently
from tokenkit.actions.run import change_and_look_up, note_change, protected_now
from tokenkit.actions.task import LOST_AND_GONE, Task
from tokenkit.core import config, wording
from tokenkit.core.arguments import flag
from tokenkit.core.printable import printable
from tokenkit.core.spelling import is_in_command, spelled
from tokenkit.core.wording import first_of, pluralize, shown_of
from tokenkit.frames import TEXT
from tokenkit.rest.token_management import AccessControlList, access_entries
from tokenkit.review import access
from tokenkit.review import entries as acl
from tokenkit.review.rules import all_users_can_use
from tokenkit.review.values import CAN_MANAGE, CAN_USE, words

KIND = RunKind(
    name="permissions",
    doing="change the permissions, which deletes or disables {}",
    doing_without_tokens="change the permissions",
    deletes_tokens=True,
    is_one_change=True,
    settings={"asked": [dict], "before": [dict], "replace": bool},
)
CHANGES, LOSING, GAINING = "Entries that change", "Principals losing permission", "Principals gaining permission"
NOT_KNOWN = "Not known: more tokens may be lost"
"""The captions of tables of a preview or a dry run."""
_COLUMNS = ["token_id", "owner", "owner_kind", "comment", "status", "last_used_day", "expiry_time", "effect", PROTECTED]


class PermissionEffects(Plan):
    """The effects of a change of permissions on principals and tokens, in one workspace or several.

    Attributes:
        changes: The entries that change, with their levels before and after.
        unchanged: The requested entries that the workspace already has.
        gaining_access: The principals that gain permission to use tokens.
        losing_access: The principals that lose permission.
        keeping_access: The principals that lose one path to the permission and keep another.
        not_known: The principals for which it is not known whether they lose tokens.
        protected: The protected tokens that the change would delete and that were not allowed.
        display_names: The display names of service principals, by application id.
        labels: The names of the workspaces of a fleet in messages, by address.
    """

    _WHERE: ClassVar[str]
    """Who deletes the tokens: ``workspace`` or ``workspaces``."""
    changes: pd.DataFrame
    unchanged: pd.DataFrame
    gaining_access: pd.DataFrame
    losing_access: pd.DataFrame
    keeping_access: pd.DataFrame
    not_known: pd.DataFrame
    protected: pd.DataFrame
    display_names: Mapping[str, str]
    labels: Mapping[str, str] = MappingProxyType({})

    @abstractmethod
    def _place(self) -> str:
        """Return the name of the workspace, or the number of workspaces."""

    def _title(self) -> str:
        if not len(self.changes):
            return f"Nothing to change in the permissions of {self._place()}{self.reasons()}"
        is_lost = len(self) or len(self.losing_access) or len(self.not_known)
        which = f", which would {self._doing()[0]}" if is_lost else ""
        return f"The permissions of {self._place()} will change: {self.changed_entries()}{which}"

    def _headline(self, title: str) -> str:
        return super()._headline(title) if len(self.changes) else title

    def _subject(self) -> str:
        # The closing lines have the entries.
        return f"The permissions of {self._place()} will change" if len(self.changes) else self._title()

    def changed_entries(self) -> str:
        """Return the first entries that change as a text: ``group analysts: CAN_MANAGE -> CAN_USE``."""
        texts = self._labels(self.changes) + ": " + acl.as_change(self.changes)
        return self._listed(texts, self.changes)

    def reasons(self) -> str:
        """Return why requested entries do not change, for the end of a message; empty if none is known."""
        level = self.unchanged["permission_level"]
        includes = (level == CAN_MANAGE).map({True: f", which includes {CAN_USE}", False: ""})
        texts = self._labels(self.unchanged) + " has " + level + " already" + includes
        return f": {self._listed(texts, self.unchanged)}" if len(texts) else ""

    def _listed(self, texts: pd.Series[str], rows: pd.DataFrame) -> str:
        """Return the first texts; of a fleet each once, with its workspace or their number."""
        if "workspace" not in rows:
            return first_of(texts.tolist(), _NAMED)
        labels = rows["workspace"].replace(dict(self.labels))
        places = labels.groupby(texts, sort=False).agg(["first", "size"])
        one, many = " in " + places["first"], " in " + places["size"].map(lambda count: pluralize(count, "workspace"))
        return first_of((places.index + one.where(places["size"] == 1, many)).tolist(), _NAMED)

    def _labels(self, rows: pd.DataFrame) -> pd.Series[str]:
        return rows["kind"].map(words).astype(TEXT) + " " + self._principals(rows)

    def _principals(self, rows: pd.DataFrame) -> pd.Series[str]:
        """Return the principals of entries: a service principal by its display name, with the application id."""
        return rows["principal"].map(
            lambda name: f"{self.display_names[name]} ({name})" if name in self.display_names else name
        )

    @abstractmethod
    def check_protection(self) -> None:
        """Reject a change that costs protected tokens which were not allowed.

        Raises:
            UsageError: It costs such tokens; the message names them.
        """

    def principals(self) -> dict[str, pd.DataFrame]:
        """Return the principals that a preview shows before the tokens, as frames by caption."""
        entries = self.changes.assign(principal=self._principals(self.changes), change=acl.as_change(self.changes))
        entries = entries[[name for name in ("workspace", "principal", "kind", "change") if name in entries]]
        return {CHANGES: entries, LOSING: self._worst_first(), NOT_KNOWN: self.not_known}

    def _worst_first(self) -> pd.DataFrame:
        return self.losing_access.sort_values("tokens", ascending=False, kind="stable")

    def summary(self) -> Summary:
        """Return what the plan removes, the number to confirm, and the affected principals and tokens.

        A change that only adds entries with CAN_USE, and none for all users, needs no confirmation: ``doing`` is empty
        and the count is 0.
        """
        not_known = "principals that may lose further tokens (not known)"
        protected = "protected tokens among them; the change is rejected unless each is allowed by its id"
        for_good = f"tokens that will be deleted by the {self._WHERE} for good"
        or_disabled = f"tokens that will be deleted or disabled by the {self._WHERE}"
        tokens = self.preview()
        may_be_disabled = tokens["effect"] == access.DELETED_OR_DISABLED
        warned = {
            protected: self.protected["token_id"].tolist(),
            for_good: tokens.loc[~may_be_disabled, "token_id"].tolist(),
            or_disabled: tokens.loc[may_be_disabled, "token_id"].tolist(),
            USED_RECENTLY: self.used_recently(),
            OF_SERVICE_PRINCIPAL: tokens.loc[tokens["owner_kind"] == "service_principal", "token_id"].tolist(),
        }
        for_all_users = f"entries for all users, which the audit reports as {all_users_can_use.id}"
        of_principals = {
            not_known: len(self.not_known),
            for_all_users: int(acl.opens_to_all(self.changes).sum()),
        }
        doing, count = self._doing()
        return Summary(
            doing=doing,
            count=count,
            warnings={warning: len(ids) for warning, ids in warned.items()} | of_principals,
            outline=self.outline(),
            explained={not_known: self._not_known()} if len(self.not_known) else {},
            warned=warned,
        )

    @abstractmethod
    def used_recently(self) -> list[str]:
        """Return the ids of the tokens that will be lost and were used in the last 7 days."""

    def effect(self) -> str:
        """Return what the change does, as a phrase, also where it needs no confirmation: ``add 1 entry``."""
        return self._doing()[0] or f"add {_entries(len(self.changes))}"

    def outline(self) -> tuple[str, ...]:
        """Return who loses, keeps and gains permission, and the entries that change, a sentence each; if that affects
        nobody, why. Empty if nothing changes.
        """
        if not len(self.changes):
            return ()
        affected = {
            "will lose permission to use tokens": self._worst_first(),
            "will keep permission by another path": self.keeping_access,
            "will gain permission to use tokens": self.gaining_access,
        }
        sentences = [
            f"{pluralize(_principals_in(rows), 'principal')} {how}: {self._listed(rows['principal'], rows)}."
            for how, rows in affected.items()
            if len(rows)
        ]
        if len(self.losing_access) and not len(self) and not len(self.not_known):
            sentences.insert(1, f"{wording.of(len(self.losing_access), 'It owns', 'They own')} no active token.")
        if not sentences and not len(self.not_known):
            only_levels = self.changes[["permission_level", "new_permission_level"]].notna().all(axis=None)
            why = "only levels change" if only_levels else "they have it by another path, or a group has no members"
            sentences = [f"No principal will gain or lose permission to use tokens: {why}."]
        return (*sentences, f"{self.changed_entries()}.")

    def _not_known(self) -> str:
        rows = self.not_known
        named = rows["kind"].map(words).astype(TEXT) + " " + rows["principal"]
        if "workspace" in rows:
            named += " in " + rows["workspace"].replace(dict(self.labels))
        return (
            f"More tokens may be deleted: {first_of((named + ', ' + rows['reason']).tolist(), _NAMED, separator='; ')}."
        )

    def _doing(self) -> tuple[str, int]:
        """Return what the change removes, and the number to confirm: the number of tokens, if any are lost."""
        if len(self):
            tokens = pluralize(len(self), "token")
            may_be_disabled = (self.losing_access["effect"] == access.DELETED_OR_DISABLED).any()
            return f"delete or disable {tokens}" if may_be_disabled else f"delete {tokens} for good", len(self)
        if losing := _principals_in(self.losing_access):
            return f"remove permission from {pluralize(losing, 'principal')}", losing
        if unknown := len(self.not_known):
            return f"remove permission from {pluralize(unknown, 'principal')} not known in full", unknown
        counts = {effect: count for effect, count in acl.effects(self.changes).items() if count}
        effects = [effect.format(_entries(count)) for effect, count in counts.items()]
        return ", ".join(effects), sum(counts.values())


def _principals_in(rows: pd.DataFrame) -> int:
    """Return the number of principals; in a fleet, one who is in several workspaces is one, as in the list of names."""
    return rows["principal"].nunique() if "workspace" in rows else len(rows)


def _entries(count: int) -> str:
    return f"{count:,} {wording.of(count, 'entry', 'entries')}"


class PermissionPlan(PermissionEffects, WorkspacePlan):
    """A frozen change of permissions. ``preview()`` shows the tokens that will be lost; ``apply()`` makes the change.

    Attributes:
        token_ids: The tokens that will be lost.
        changes: The entries that change: ``kind, principal, permission_level, new_permission_level``. Without an
            earlier level the entry is new, and without a new one it is removed. If there are none, ``apply()`` sends
            nothing.
        unchanged: The requested entries that the workspace already has: the same columns.
        gaining_access: The principals that gain permission to use tokens: ``id, principal, kind, via``.
        losing_access: The principals that lose permission: ``id, principal, kind, via`` (the paths that are removed),
            ``tokens`` (the number that they lose), ``effect`` (as in ``preview``; missing without tokens).
        keeping_access: The principals that lose one path and keep permission by another: ``id, principal, kind, via``.
        not_known: The principals for which the workspace's data does not show whether they lose tokens: ``principal,
            kind, reason``. More tokens may be lost than the preview shows.
        protected: The protected tokens that would be lost and that were not allowed: ``token_id, owner, comment,
            reason``. If there are any, ``apply()`` raises ``UsageError``.
        before: The entries at the time of the plan: the columns of ``frames.PERMISSIONS``.
        run_id: The run of the last ``apply()``; None before.
    """

    KIND = KIND
    _WHERE = "workspace"

    def __init__(
        self,
        context: PlanContext,
        requested: list[dict[str, Any]],
        before: pd.DataFrame,
        consequences: access.Consequences,
        reasons: pd.Series[str],
        *,
        changes: pd.DataFrame,
        unchanged: pd.DataFrame,
        display_names: Mapping[str, str],
        replace: bool,
        allow_protected: Sequence[str],
        reason: str | None,
    ) -> None:
        super().__init__(context, consequences.tokens["token_id"].tolist(), reason=reason)
        self._requested = requested
        self.before = before
        self.changes = changes
        self.unchanged = unchanged
        self.display_names = display_names
        self._tokens = consequences.tokens.assign(**{PROTECTED: reasons})
        self.gaining_access = consequences.gaining_access
        self.losing_access = consequences.losing_access
        self.keeping_access = consequences.keeping_access
        self.not_known = consequences.not_known
        self.protected = _protected(self._tokens, reasons)
        self._replace = replace
        self._allow_protected = tuple(allow_protected)

    def _place(self) -> str:
        return self._context.name

    def used_recently(self) -> list[str]:
        """Return the ids of the tokens that will be lost and were used in the last 7 days."""
        is_used = was_used_recently(self._tokens["last_used_day"], self._context.now())
        return self._tokens.loc[is_used.fillna(value=False), "token_id"].tolist()

    def preview(self) -> pd.DataFrame:
        """Return a row for each token that will be lost: ``token_id, owner, owner_kind, comment, status, last_used_day,
        expiry_time, effect, protected``.

        ``effect`` is ``deleted`` if the owner's own entry is removed, and ``deleted_or_disabled`` if the permission
        came through groups: the documentation of Databricks says both, and no API reports which one applies to a
        workspace. A disabled token stays in the listing, and works again once its owner has permission again.
        ``protected`` is why the token is protected; empty if it is not, or was allowed.
        """
        return self._tokens[_COLUMNS].reset_index(drop=True)

    def apply(self, *, progress: bool | Progress = True, stop: threading.Event | None = None) -> pd.DataFrame:
        """Change the permissions, and return the outcome of each token of the preview. Deletions cannot be undone.

        Args:
            progress: Whether to show a progress bar if the look-ups take more than two seconds, or a custom listener.
            stop: An event; once another thread sets it, no more tokens are looked up. The change is a single request.

        Returns:
            A row for each token of the preview: ``token_id, owner, outcome, error, attempts, started_at, finished_at``.
            The outcome is ``revoked`` (deleted by the workspace because of this change; each token is looked up),
            ``still_listed`` if the workspace still lists the token, which may be disabled, or ``unknown`` if the
            look-up failed. Deleted tokens that were not in the preview, such as those of principals in ``not_known``,
            have rows at the end, and ``error`` says so. ``attrs["ended_by"]`` exists if the look-ups ended early.

        Raises:
            UsageError: The permissions changed since the plan, or the change would delete more tokens than the plan
                shows, or protected ones that were not allowed. Plan again.
            ApiError: The workspace rejected the change; nothing changed.
            JournalError: The journal cannot be written; nothing was sent.
        """
        if not len(self.changes):
            self._check()
            return result_of([])
        return self._apply(RunOptions(progress=progress, stop=stop))

    def _check(self) -> None:
        self.check_protection()
        now = make(
            self._context,
            self._requested,
            replace=self._replace,
            allow_protected=self._allow_protected,
            reason=self._reason,
        )
        if not _same_entries(now.before, self.before):
            now.check_protection()
            raise errors.UsageError(f"The permissions of {self._context.name} changed since the plan. Plan again.")
        _check_costs(now, self.token_ids)

    def _settings(self, options: RunOptions) -> dict[str, Any]:  # noqa: ARG002 - a change is one request
        return {
            "asked": self._requested,
            "replace": self._replace,
            "before": access_entries(self.before),
            "allow_protected": list(self._allow_protected),
            "display_names": {
                name: self.display_names[name]
                for name in acl.compared(self.before, _frame_of(self._requested))["principal"]
                if name in self.display_names
            },
        }

    def _entries(self) -> list[Entry]:
        return entries_of(self._tokens)

    def _execute(self, run: Run, entries: Sequence[Entry], journal: Journal, options: RunOptions) -> pd.DataFrame:
        return _execute(self._context, run, entries, journal, options)

    def check_protection(self) -> None:
        """Reject a change that costs protected tokens which were not allowed.

        Raises:
            UsageError: It costs such tokens; the message names them.
        """
        _reject_protected(self._context, self.protected)


def _check_costs(now: PermissionPlan, shown: Iterable[str]) -> None:
    """Reject a change that would delete protected tokens, or tokens that were not shown.

    Args:
        now: The change as it would be now.
        shown: The tokens that the plan showed.
    """
    now.check_protection()
    if more := set(now.token_ids) - set(shown):
        raise errors.UsageError(
            f"{pluralize(len(more), 'more token')} would be deleted than the plan shows. Plan again."
        )


def _reject_protected(context: PlanContext, protected: pd.DataFrame) -> None:
    if not len(protected):
        return
    named = [
        f"{token_id} ({reason})"
        for token_id, reason in protected[["token_id", "reason"]].itertuples(index=False, name=None)
    ]
    every = f"{spelled('plan.preview() shows all of them')}. " if len(named) > shown_of(len(named), _NAMED) else ""
    raise errors.UsageError(
        f"The change of permissions on {context.name} would delete "
        f"{pluralize(len(protected), 'protected token')}: {first_of(named, _NAMED)}. "
        f"{every}Allow each by its id with {spelled('allow_protected=[…]')}, or change {config.FILE_NAME}."
    )


_NAMED = 5


def make(
    context: PlanContext,
    access_control_list: AccessControlList,
    *,
    replace: bool,
    reason: str | None,
    allow_protected: Iterable[str] = (),
) -> PermissionPlan:
    """Return the plan to change the permissions; see ``Workspace.plan_permissions``."""
    flag("replace", replace)
    requested = access_entries(access_control_list, needs_levels=False)
    direct = _direct(context.api.get_permissions())
    after = access.changed_entries(direct, requested, replace=replace)
    identities = context.identities(access.granted_groups(direct, after))
    requested = access.by_application_id(requested, direct, identities.service_principals)
    requested = acl.with_levels(requested, direct, replace=replace)
    return _make(
        context, direct, requested, identities, replace=replace, reason=reason, allow_protected=allow_protected
    )


def make_removal(
    context: PlanContext,
    access_control_list: AccessControlList,
    *,
    reason: str | None,
    allow_protected: Iterable[str] = (),
) -> tuple[PermissionPlan, dict[str, str]]:
    """Return the plan to remove entries, and by the label of each entry that does not exist the end of a message about
    it; see ``Workspace.plan_permission_removal``.
    """
    requested = access_entries(access_control_list, needs_levels=False)
    direct = _direct(context.api.get_permissions())
    identities = context.identities(access.granted_groups(direct))
    remaining, missing = acl.without(direct, requested, identities.service_principals)
    plan = _make(context, direct, remaining, identities, replace=True, reason=reason, allow_protected=allow_protected)
    return plan, missing


def check_found(name: str, missing: Mapping[str, str]) -> None:
    """Reject the removal of entries that do not exist.

    Args:
        name: The workspace, or the workspaces.
        missing: As ``make_removal`` returns them.

    Raises:
        UsageError: There are such entries.
    """
    if missing:
        raise errors.UsageError(
            " ".join(f"There is no entry of {entry} on {name}. {near}" for entry, near in missing.items())
        )


def _make(
    context: PlanContext,
    direct: pd.DataFrame,
    requested: list[dict[str, Any]],
    identities: access.Identities,
    *,
    replace: bool,
    reason: str | None,
    allow_protected: Iterable[str],
) -> PermissionPlan:
    allowed = token_ids_of(allow_protected)
    after = access.changed_entries(direct, requested, replace=replace)
    access.check_entries(direct, after, identities)
    changes = acl.changes(direct, after)
    changing = set(acl.keys(changes))
    kept = [entry for entry in requested if acl.key_of(entry) not in changing]
    found = access.consequences(direct, after, identities, context.tokens())
    reasons = protection.protected(found.tokens, protection.read_protected(context.folder))
    named = identities.service_principals.dropna(subset=["application_id", "display_name"])
    return PermissionPlan(
        context,
        requested if replace else [entry for entry in requested if entry not in kept],
        direct,
        found,
        reasons.mask(found.tokens["token_id"].isin(allowed), ""),
        changes=changes,
        unchanged=acl.compared(_frame_of(kept), _frame_of(kept)),
        display_names=dict(zip(named["application_id"], named["display_name"], strict=True)),
        replace=replace,
        allow_protected=allowed,
        reason=reason,
    )


def _protected(tokens: pd.DataFrame, reasons: pd.Series[str]) -> pd.DataFrame:
    """Return the tokens that have a reason to be protected, each with its ``reason``."""
    kept = tokens.assign(reason=reasons)[(reasons != "").to_numpy()]
    return kept[LEFT_OUT.names].astype(TEXT).reset_index(drop=True)


def _direct(permissions: pd.DataFrame) -> pd.DataFrame:
    return permissions[permissions["inherited"].ne(other=True).fillna(value=True).astype(bool)]


def resume(
    context: PlanContext, run: Run, entries: Sequence[Entry], journal: Journal, options: RunOptions
) -> pd.DataFrame:
    """Finish a run that changes permissions: send the change if the permissions are still as they were when it was
    planned, and look up the affected tokens.

    Raises:
        UsageError: The permissions are neither as before nor as after the change, the change would delete tokens that
            are now protected or were created since, or the journal does not have all names in the entries.
    """
    if records.is_redacted(run.settings["asked"]):
        raise errors.UsageError(
            f"The journal does not have all names of run {run.run_id}, because one looks like a credential. Plan again."
        )
    is_made = journal.state_of_change(run.run_id) == states.UPDATED
    if not is_made and _same_entries(context.api.get_permissions(), _frame_of(run.settings["before"])):
        how = {name: run.settings[name] for name in ("replace", "allow_protected") if name in run.settings}
        now = make(context, run.settings["asked"], reason=run.reason, **how)
        _check_costs(now, [entry.token_id for entry in entries])
    return _execute(context, run, entries, journal, options)


def _execute(
    context: PlanContext, run: Run, entries: Sequence[Entry], journal: Journal, options: RunOptions
) -> pd.DataFrame:
    """Make the change unless it was already made, look up each token, and return a row for each."""
    left = [entry for entry in entries if entry.state not in states.SETTLED]
    is_made = journal.state_of_change(run.run_id) == states.UPDATED
    if entries and not left and not is_made:
        return result_of(entries)

    not_compared: list[str] = []

    def change() -> Task:
        remark = None
        if not is_made:
            remark = _change(context, run, left, journal)
            note_change(context, run, journal, states.UPDATED)
        not_compared[:] = _note_more(context, run, entries, journal)
        return Task(
            send=_never,
            look_up=lambda entry: context.one_shot.get(entry.token_id),
            found=lambda _entry, _token: (states.STILL_LISTED, STILL_THERE),
            done=states.REVOKED,
            gone_after_lost=(states.REVOKED, remark),
        )

    # No request is sent for a token: each is looked up, as after a request whose response was lost.
    doubtful = [replace(entry, state=states.UNKNOWN, certain=(states.SENT, None)) for entry in left]
    result = change_and_look_up(context, run, doubtful, change, journal, options=options)
    if not_compared:
        result.attrs[NOT_COMPARED] = not_compared[0]
    return result


STILL_THERE = (
    "the permissions changed, and the workspace still lists the token; if it is disabled, it works again "
    "once its owner can use tokens"
)


BEYOND_PREVIEW = "not in the preview: listed before the change and missing after it"


def _note_more(context: PlanContext, run: Run, entries: Sequence[Entry], journal: Journal) -> list[str]:
    """Record the deleted tokens that the plan did not show, such as those of group members that the workspace does not
    list. Because the change was made, a listing that cannot be read does not raise an error: a sentence is returned,
    and ``resume`` reads the listing again.
    """
    before = listing_before.read(context.folder, run.run_id)
    if before is None:  # it was compared, or an earlier version made the change
        return []
    try:
        now = context.api.list()
    except errors.TokenKitError as failure:
        problem = (
            "Whether tokens outside the preview were lost is not known, because the listing could not be read: "
            f"{records.storable(str(failure))}"
        )
        if not is_in_command():
            sys.stderr.write(f"{context.name}: the permissions changed. {printable(problem)}\n")
        return [problem]
    known = {entry.token_id for entry in entries} | set(now["token_id"])
    for entry in entries_of(before[~before["token_id"].isin(list(known))]):
        gone = replace(entry, state=states.REVOKED, error=BEYOND_PREVIEW)
        journal.add(run.run_id, gone, at_ms=context.now_ms(), is_the_change=False)
    listing_before.forget(context.folder, run.run_id)
    return []


def beyond_preview(result: pd.DataFrame) -> str:
    """Return a sentence about deleted tokens that the plan did not show, or that it is not known whether there are any;
    empty if there are none.

    Args:
        result: What ``apply`` or ``resume`` returned.
    """
    if problem := result.attrs.get(NOT_COMPARED):
        return str(problem)
    counts = result.loc[(result["error"] == BEYOND_PREVIEW).fillna(value=False), "owner"].value_counts()
    if not len(counts):
        return ""
    named = first_of([f"{owner} ({count:,})" for owner, count in counts.items()], _NAMED, noun="owners")
    tokens = pluralize(int(counts.sum()), "token")
    return f"{tokens} {wording.of(int(counts.sum()), 'was', 'were')} deleted that the preview did not show: {named}."


def _never(entry: Entry) -> None:
    raise AssertionError(entry.token_id)


def _change(context: PlanContext, run: Run, left: Sequence[Entry], journal: Journal) -> str | None:
    """Send the change unless it was already made, and return a remark on it. If it was not made, record that and raise
    the cause.
    """
    before = _frame_of(run.settings["before"])
    after = access.changed_entries(before, run.settings["asked"], replace=run.settings["replace"])
    now = context.api.get_permissions()
    if _same_entries(now, after):
        return None
    if not _same_entries(now, before):
        raise errors.UsageError(
            f"The permissions of {context.name} changed since run {run.run_id} was planned. Plan again."
        )
    patterns = protection.read_protected(context.folder)
    listing = context.tokens()
    reasons = protected_now(left, listing, patterns)
    allowed = run.settings.get("allow_protected", ())
    kept = ["" if entry.token_id in allowed else reasons.get(entry.token_id, "") for entry in left]
    _reject_protected(context, _protected(planned_tokens(left), pd.Series(kept, dtype=TEXT)))
    change = context.api.set_permissions if run.settings["replace"] else context.api.update_permissions
    listing_before.keep(context.folder, run.run_id, listing)
    note_change(context, run, journal, states.SENT, entries=left)
    failure: Exception
    try:
        change(run.settings["asked"])
    except Exception as error:  # noqa: BLE001 - after any error, the change may have been made
        failure = error
    else:
        return None
    outcome = _found(context, before, after) if _may_have_run(failure) else states.FAILED
    if outcome == states.UPDATED:
        return LOST_AND_GONE
    if outcome == states.FAILED:
        listing_before.forget(context.folder, run.run_id)
    note_change(context, run, journal, outcome, error=str(failure), entries=left)
    raise failure


def _may_have_run(failure: Exception) -> bool:
    lost = errors.ResponseLostError | errors.InvalidResponseError | errors.UnavailableError
    return isinstance(failure, lost) or not isinstance(failure, errors.TokenKitError)


def _found(context: PlanContext, before: pd.DataFrame, after: pd.DataFrame) -> str:
    """Return whether a change with a lost response was made, according to the current permissions. If they are neither
    as before nor as after the change, that is unknown.
    """
    try:
        now = context.api.get_permissions()
    except errors.TokenKitError:
        return states.UNKNOWN
    if _same_entries(now, after):
        return states.UPDATED
    return states.FAILED if _same_entries(now, before) else states.UNKNOWN


def recorded_levels(settings: Mapping[str, Any]) -> pd.DataFrame:
    """Return all entries of a run's workspace with their levels before and after the change: the columns of
    ``entries.LEVELS``.

    Args:
        settings: The settings of a run that changes permissions, from the journal.
    """
    before = _frame_of(settings["before"])
    return acl.compared(before, access.changed_entries(before, settings["asked"], replace=settings["replace"]))


def recorded_names(settings: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the display names of the service principals in the entries of a run, by application id.

    Args:
        settings: As for ``recorded_levels``. Earlier versions recorded no names.
    """
    names = settings.get("display_names")
    return names if isinstance(names, dict) else {}


def _frame_of(entries: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    return frames.frame(entries, frames.PERMISSIONS)


def _same_entries(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Return whether two lists grant the same, in any order. Inherited entries and that of ``admins`` cannot change."""
    names = [*access.FIELDS, "permission_level"]
    granted = []
    for entries in (one, other):
        direct = _direct(entries) if "inherited" in entries else entries
        direct = direct[direct["group_name"].fillna("") != access.ADMINS]
        granted.append(set(direct[names].fillna("").itertuples(index=False, name=None)))
    return granted[0] == granted[1]
