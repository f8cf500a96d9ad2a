"""One workspace: its tokens, reviews of them, and plans to change them.

The module is mostly docstrings. Methods only call other packages: ``rest/`` for requests, ``review/``, ``actions/`` for
plans, and ``widgets/``.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, TypeVar

import pandas as pd

from tokenkit import actions, errors, review
from tokenkit.core.clock import Clock, clock_of, system_clock
from tokenkit.core.home import private_folder
from tokenkit.core.spelling import spelled
from tokenkit.output.snapshots import (
    HOST,
    SUFFIX,
    TAKEN_AT,
    WORKSPACE_ID,
    check_target,
    list_snapshots,
    newest,
    unused_file,
    write_snapshot,
)
from tokenkit.rest.credentials import NOT_PICKLED, profile_of
from tokenkit.rest.hosts import Address
from tokenkit.rest.statements import StatementsAPI
from tokenkit.rest.token_management import AccessControlList
from tokenkit.rest.tracebacks import without_frames
from tokenkit.rest.transport import RetryPolicy
from tokenkit.rest.workspace import WorkspaceAPI
from tokenkit.review import expressions, lifecycle, owners
from tokenkit.review.description import described
from tokenkit.workspaces.base import ManagedSource
from tokenkit.workspaces.changes import FOLDER, recorded_revocations
from tokenkit.workspaces.changes import changes as changes_between

if TYPE_CHECKING:
    from tokenkit.actions.options import RunOptions
    from tokenkit.actions.permissions import PermissionPlan
    from tokenkit.actions.plan import PlanContext
    from tokenkit.actions.resumption import ResumePlan
    from tokenkit.actions.revocation import RevocationPlan, Tokens
    from tokenkit.actions.update import UpdatePlan
    from tokenkit.rest.credentials import Credentials
    from tokenkit.review.access import Identities
    from tokenkit.review.audit import Audit
    from tokenkit.review.leaks import Leaks
    from tokenkit.review.rule import Rule
    from tokenkit.sandbox import Sandbox
    from tokenkit.widgets.access import PermissionReview
    from tokenkit.widgets.explorer import Explorer


_Settings = ParamSpec("_Settings")
_Result = TypeVar("_Result")


def _of_api(
    method: Callable[Concatenate[WorkspaceAPI, _Settings], _Result],
) -> Callable[Concatenate[Workspace, _Settings], _Result]:
    """Return a method of the API as a method of the workspace, with the same parameters and documentation."""

    @functools.wraps(method)
    def call(workspace: Workspace, /, *args: _Settings.args, **settings: _Settings.kwargs) -> _Result:
        return method(workspace.api, *args, **settings)

    return call


class Workspace(ManagedSource["UpdatePlan"]):
    """A workspace and its tokens. ``connect`` returns one.

    Attributes:
        host: The workspace's address.
        workspace_id: The workspace's id, as given or as the first response named it; empty until then.
        name: The name in messages: the host, or ``sandbox``.
        profile: The profile that signs in; empty if it is not a profile.
        full_name: The name in confirmations, with the source of the credentials.
        labels: Empty; for a fleet, the names of its workspaces in tables.
        token_management: The nine operations of the Token Management API.
        folder: The folder of the journal and the configuration.
        sandbox: The simulated workspace that ``connect("sandbox")`` started; its ``faults`` can be set.
        api: The requests to the workspace, without derived data.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        folder: Path,
        clock: Clock | None = None,
        retries: RetryPolicy | None = None,
        sandbox: Sandbox | None = None,
    ) -> None:
        self.api = WorkspaceAPI(credentials, retries=retries)
        self.host = credentials.host
        self.hosts = (self.host,)
        self.name = credentials.name
        self.profile = profile_of(credentials.origin)
        self.token_management = self.api.token_management
        self.full_name = self.name if sandbox is not None else f"{self.name} (from {self.api.origin})"
        self.labels: Mapping[str, str] = {}
        self.sandbox = sandbox
        self.folder = folder
        self.folders = (folder,)
        self._now = clock_of(clock)

    def __reduce__(self) -> NoReturn:
        raise TypeError(NOT_PICKLED)

    def __repr__(self) -> str:
        return f"<Workspace {self.name}, signed in by {self.api.origin}>"

    users = _of_api(WorkspaceAPI.users)
    service_principals = _of_api(WorkspaceAPI.service_principals)
    groups = _of_api(WorkspaceAPI.groups)
    owners = _of_api(WorkspaceAPI.owners)
    principal_names = _of_api(WorkspaceAPI.principal_names)
    me = _of_api(WorkspaceAPI.me)
    identify = _of_api(WorkspaceAPI.identify)
    permissions = _of_api(WorkspaceAPI.permissions)
    token_settings = _of_api(WorkspaceAPI.token_settings)
    read_settings = _of_api(WorkspaceAPI.read_settings)
    secret_scopes = _of_api(WorkspaceAPI.secret_scopes)
    secret_keys = _of_api(WorkspaceAPI.secret_keys)
    put_secret = without_frames()(_of_api(WorkspaceAPI.put_secret))
    close = _of_api(WorkspaceAPI.close)

    @property
    def workspace_id(self) -> str:
        """The workspace's id, as given or as the first response named it; empty until then."""
        return self.api.workspace_id

    def addresses(self) -> Mapping[str, Address]:
        """The host, and the id if it is known."""
        return {self.host: Address(self.host, self.workspace_id)}

    def now(self) -> pd.Timestamp:
        """Return the current time, which ages and statuses refer to."""
        return self._now()

    @property
    def has_system_clock(self) -> bool:
        """Whether ages refer to the clock of this computer, and not to a time that was given."""
        return self._now is system_clock

    def identities(self, granted: Collection[str] = ()) -> Identities:
        """Return users, service principals and groups together, for the reviews of access.

        Args:
            granted: The names of groups whose members are required.
        """
        return review.access.Identities(**self.api.principals(granted))

    def plan_context(self) -> PlanContext:
        """Return the workspace data that plans need."""
        return actions.plan.PlanContext(
            host=self.host,
            workspace_id=self.identify,
            name=self.name,
            origin=self.api.origin,
            api=self.token_management,
            one_shot=self.api.one_shot,
            tokens=self.tokens,
            identities=self.identities,
            caller=functools.cache(self.api.caller),  # the same caller for a plan and its run
            signs_in_with=lambda: self.api.credential_hashes(review.leaks.ids_of),
            now=self.now,
            usage=self._usage_again,
            folder=self.folder,
        )

    def _usage_again(self, source: Mapping[str, Any]) -> pd.DataFrame:
        """Return what used each token, from the source and the first day of earlier evidence."""
        days, warehouse_id = review.usage.period_and_warehouse(source, now=self.now())
        return self.usage(days, warehouse_id=warehouse_id or None)

    def _described(self, *, with_aliases: bool) -> pd.DataFrame:
        # Not filtered by the server: it compares names with those in the listing, which lack the person who created a
        # token on behalf of a service principal.
        listing, now = self._listing_and_time()
        self.api.note_workspace_of(listing)
        identities = self.api.owners()
        tokens = described(listing, now=now, **identities)
        tokens = owners.with_aliases(tokens, **identities) if with_aliases else tokens
        # As texts: pandas writes attrs as JSON.
        tokens.attrs |= {HOST: self.host, WORKSPACE_ID: self.workspace_id, TAKEN_AT: now.isoformat()}
        tokens.attrs[FOLDER] = str(self.folder)
        return tokens

    def _listing_and_time(self) -> tuple[pd.DataFrame, pd.Timestamp]:
        listing, now = self.token_management.list(), self.now()
        if self.has_system_clock:
            lifecycle.check_clock(listing, now=now)
        return listing, now

    def listing(self) -> pd.DataFrame:
        """Return all tokens as the workspace lists them: the frame of ``token_management.list``.

        It takes one request. ``tokens()`` adds the owners and the columns derived from times.

        Returns:
            The columns of ``frames.TOKENS``, and any that the server added.
        """
        listing = self.token_management.list()
        self.api.note_workspace_of(listing)
        return listing

    def snapshot(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Save the whole listing as a Parquet file, and return the file.

        ``tokenkit.read_snapshot`` returns the same frame, ``tokenkit.changes`` compares two, and pandas, DuckDB and
        Spark can read the file. Text in comments that looks like a credential is redacted, as in the journal. Only you
        can read the file (mode 0600).

        Args:
            path: A folder, or a file that ends in ``.parquet``, which is replaced; by default the folder ``snapshots``
                next to the journal. In a folder, the file is named after the workspace and the time (UTC), and no file
                is replaced.

        Raises:
            UsageError: The path has the suffix of another kind of file.
            ConfigurationError: The file cannot be written.
        """
        check_target(self._snapshots_in(path))
        tokens = self.tokens()
        taken_at = pd.Timestamp(tokens.attrs[TAKEN_AT])
        file = private_folder(self.folder, "snapshots") if path is None else self._snapshots_in(path)
        if file.suffix != SUFFIX:
            file = unused_file(file, workspace=self.name, taken_at=taken_at)
        return write_snapshot(
            tokens, file, host=self.host, workspace_id=self.identify(), workspace=self.name, taken_at=taken_at
        )

    def snapshots(self, path: str | os.PathLike[str] | None = None) -> pd.DataFrame:
        """Return this workspace's snapshots in a folder and its subfolders, oldest first.

        Args:
            path: The folder; by default the one that ``snapshot`` writes to.

        Returns:
            ``path, workspace, host, workspace_id, taken_at, tokens`` (the number of tokens). Snapshots of earlier
            versions of tokenkit do not name their workspace, and are omitted.
        """
        found = list_snapshots(self._snapshots_in(path).rglob(f"*{SUFFIX}"))
        mine = (found[HOST] == self.host) & (found[WORKSPACE_ID] == self.identify())
        return found[mine.fillna(value=False)].reset_index(drop=True)

    def snapshot_files(self, path: str | os.PathLike[str] | None = None) -> dict[str, Path]:
        """Save the listing as ``snapshot`` does, and return the file by the workspace's address, as a fleet does.

        Args:
            path: As for ``snapshot``.

        Raises:
            ConfigurationError: The file cannot be written.
        """
        return {self.host: self.snapshot(path)}

    def changes(
        self, path: str | os.PathLike[str] | None = None, *, since: str | pd.Timedelta | pd.Timestamp | None = None
    ) -> pd.DataFrame:
        """Return the changes since the latest snapshot of this workspace: the frame of ``tokenkit.changes``.

        Args:
            path: The folder of the snapshots; by default the one that ``snapshot`` writes to.
            since: Compare with the newest snapshot that is at least this old (``"7d"``) or from before a date, not with
                the latest one.

        Returns:
            The columns of ``tokenkit.changes``.

        Raises:
            ConfigurationError: The folder has no snapshot of this workspace.
            UsageError: None of them is old enough.
        """
        saved = self.snapshots(path)
        if not len(saved):
            raise errors.ConfigurationError(
                f"{self.name} has no snapshot in {self._snapshots_in(path)}. {spelled('Save one with snapshot()')}."
            )
        return changes_between(newest(saved, since, now=self.now(), name=self.name), self.tokens())

    def access(self, where: str | None = None, *, usage: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return a row for each principal that can use tokens or owns an active token.

        Args:
            where: An expression over the columns, as for ``tokens``: ``"tokens_without_permission"``.
            usage: The result of ``usage``, for the columns ``logins``, ``last_login`` and ``clients``.

        Returns:
            ``id, principal, kind, active``; ``can_use``, ``permission_level``, ``via`` (every path of groups to the
            permission); ``tokens`` (the number of active tokens), ``last_used_day``; ``tokens_without_permission``,
            ``permission_unused``. See ``review.holders``. ``<NA>`` is not known: the workspace does not return the
            members of a group. With ``usage`` also ``logins, last_login, clients``: the sign-ins with the principal's
            tokens in the audit log. They are missing without a sign-in, which does not prove that nothing uses them.
        """
        permissions = self.token_management.get_permissions()
        listing, now = self._listing_and_time()
        granted = review.access.granted_groups(permissions)
        identities = review.access.Identities(**self.api.principals(granted, always_with_groups=False))
        tokens = described(listing, now=now, users=identities.users, service_principals=identities.service_principals)
        principals = review.holders.holders(permissions, identities, tokens, usage)
        return self.filtered(principals, where)

    def _audit(self, rules: Sequence[Rule], *, usage: pd.DataFrame | None, **settings: Any) -> Audit:  # noqa: ANN401
        context = replace(review.audit.read_context(self.api, rules, now=self.now()), usage=usage)
        listing, _ = self._listing_and_time()
        return review.audit.audit(listing, context, rules=rules, name=self.name, plan=self.revoke, **settings)

    def _statements(self) -> dict[str, StatementsAPI]:
        return {self.name: self.api.statements}

    def _matched(self, occurrences: pd.DataFrame) -> Leaks:
        signs_in_with = self.api.credential_hashes(review.leaks.ids_of)
        return review.leaks.matched(
            occurrences,
            self.tokens(),
            name=self.name,
            plan=self.revoke,
            signs_in_with=signs_in_with,
            revoked=recorded_revocations(self.folders),
        )

    def revoke(
        self,
        tokens: Tokens,
        usage: pd.DataFrame | None = None,
        *,
        include_own: bool = False,
        protect: Mapping[str, Sequence[str]] | None = None,
        reason: str | None = None,
    ) -> RevocationPlan:
        """Return a plan to revoke tokens. It changes nothing: review ``preview()``, then ``apply()``.

        Args:
            tokens: A frame with the column ``token_id``, complete ids, or one id; for an expression, the frame that
                ``tokens`` returns for it. Only the ids count; all other data of the tokens is read from the workspace.
            usage: The result of ``usage``. The preview then shows what used each token, and warns of recent sign-ins.
                The journal stores programs and counts, but no addresses.
            include_own: Whether to revoke the caller's own tokens. They are left out by default, because this session
                may use one of them.
            protect: Tokens that are never revoked, in addition to ``[protect]`` in ``config.toml``: patterns under
                ``owners``, ``comments``, ``token_ids``. ``apply`` and ``resume`` check both again.
            reason: The reason, for the journal.

        Raises:
            UsageError: A value is not a token id, ``usage`` is not a result of ``usage``, or ``tokens`` selected the
                tokens by a name that several owners share.
            ConfigurationError: The list of protected tokens cannot be read.
        """
        return actions.revocation.make(
            self.plan_context(), tokens, include_own=include_own, protect=protect, reason=reason, usage=usage
        )

    plan_revocation = revoke

    def plan_permissions(
        self,
        access_control_list: AccessControlList,
        replace: bool = False,  # noqa: FBT001, FBT002 - the contract's signature
        *,
        allow_protected: Iterable[str] = (),
        reason: str | None = None,
    ) -> PermissionPlan:
        """Return a plan to change who can use tokens: the principals that gain and lose permission, and **the tokens
        that will be deleted**.

        It changes nothing. Groups are expanded, including nested ones. A principal that keeps the permission through
        another path keeps its tokens. ``admins`` always keeps ``CAN_MANAGE``.

        Args:
            access_control_list: As for ``token_management.set_permissions``, but the level is optional. An entry
                without one grants ``CAN_USE``; added to others, it never lowers the level of an entry that exists.
            replace: Whether the entries replace all others or are added to them.
            allow_protected: Ids of protected tokens that the change may delete. If it would delete others, the plan's
                ``protected`` lists them and ``apply()`` raises an error.
            reason: The reason, for the journal.

        Raises:
            UsageError: An entry does not name exactly one principal, or lowers the level of ``admins``.
            ConfigurationError: The list of protected tokens cannot be read.
        """
        return actions.permissions.make(
            self.plan_context(), access_control_list, replace=replace, allow_protected=allow_protected, reason=reason
        )

    def plan_permission_removal(
        self,
        access_control_list: AccessControlList,
        *,
        allow_protected: Iterable[str] = (),
        reason: str | None = None,
    ) -> PermissionPlan:
        """Return a plan to remove entries of the permissions and keep all others. It changes nothing.

        Args:
            access_control_list: The entries to remove, as for ``plan_permissions``. A level must be the one that the
                entry has.
            allow_protected: As for ``plan_permissions``.
            reason: The reason, for the journal.

        Raises:
            UsageError: There is no such entry, or it is that of ``admins``. The message suggests similar entries.
            ConfigurationError: The list of protected tokens cannot be read.
        """
        plan, missing = actions.permissions.make_removal(
            self.plan_context(), access_control_list, allow_protected=allow_protected, reason=reason
        )
        actions.permissions.check_found(self.name, missing)
        return plan

    def plan_update(
        self,
        tokens: Tokens,
        *,
        comment: str | None = None,
        scopes: Sequence[str] | None = None,
        reason: str | None = None,
    ) -> UpdatePlan:
        """Return a plan to change the comments or scopes of tokens. It changes nothing, and can be undone once applied.
        Protected tokens are left out.

        Args:
            tokens: As for ``revoke``. Without ``comment`` and ``scopes``, a frame whose rows contain the values for
                their own tokens: ``new_comment``, ``new_scopes`` (the columns of ``UpdatePlan.preview`` and of
                ``scopes``). A missing value leaves the field unchanged.
            comment: The new comment of all tokens; None leaves the comments unchanged.
            scopes: The new scopes of all tokens; None leaves the scopes unchanged.
            reason: The reason, for the journal.

        Raises:
            UsageError: A token does not exist, there is nothing to change, a comment contains what looks like a
                credential, or the tokens were selected by a name that several owners share.
            ConfigurationError: The list of protected tokens cannot be read.
        """
        return actions.update.make(self.plan_context(), tokens, comment=comment, scopes=scopes, reason=reason)

    def explore(
        self,
        where: str | None = None,
        *,
        usage: pd.DataFrame | None = None,
        page_size: int = 50,
        plain: bool = False,
    ) -> Explorer:
        """Return the widget in which tokens are filtered, inspected, selected and changed. It displays itself.

        Args:
            where: Show only tokens for which this expression is true, as for ``tokens``.
            usage: The result of ``usage``. The widget then shows what used each token, its plans have this evidence,
                and a scheduled revocation reads the log again before it revokes anything.
            page_size: The number of rows per page, at most 500.
            plain: Whether to use only ipywidgets, for front ends that cannot load custom JavaScript.

        Raises:
            UsageError: The expression is not valid, or ``usage`` is another frame.
        """
        from tokenkit.widgets.actions import revoking, scheduling, updating  # noqa: PLC0415 - widgets are for notebooks
        from tokenkit.widgets.explorer import Explorer  # noqa: PLC0415
        from tokenkit.widgets.model import Known  # noqa: PLC0415
        from tokenkit.widgets.source import Source  # noqa: PLC0415

        if where is not None:
            expressions.check(where)
        context = self.plan_context()

        def known() -> Known:
            _, caller = context.caller()
            return Known(
                caller=caller,
                scheduled=actions.schedule.scheduled(context),
                usage=usage,
                unfinished=actions.schedule.unfinished(self.runs()),
            )

        def read() -> tuple[pd.DataFrame, pd.DataFrame]:
            audit = self.audit(usage=usage)
            return self.filtered(audit.tokens, where), audit.findings

        revoke = functools.partial(self.revoke, usage=usage)
        source = Source(
            name=self.name,
            read=read,
            now=self.now,
            known=known,
            actions=[revoking(revoke), scheduling(revoke, self.now), updating(self.plan_update)],
            plan_resume=self.plan_resume,
            cancel=lambda run_id: actions.schedule.cancel(context, run_id),
        )
        return Explorer(source, page_size=page_size, plain=plain)

    def review_access(self, *, plain: bool = False) -> PermissionReview:
        """Return the widget in which a change of permissions is drafted, next to its consequences. It displays itself.

        Args:
            plain: Whether to use only ipywidgets, for front ends that cannot load custom JavaScript.
        """
        from tokenkit.widgets.access import PermissionReview, Source  # noqa: PLC0415 - widgets are for notebooks

        def read() -> tuple[pd.DataFrame, Identities, pd.DataFrame]:
            permissions = self.token_management.get_permissions()
            return permissions, self.identities(review.access.granted_groups(permissions)), self.tokens()

        source = Source(
            name=self.name,
            now=self.now,
            read=read,
            plan=lambda entries, **allowed: self.plan_permissions(entries, replace=True, **allowed),
            plan_resume=self.plan_resume,
        )
        return PermissionReview(source, plain=plain)

    def plan_resume(self, run_id: str, usage: pd.DataFrame | None = None, *, ignore_usage: bool = False) -> ResumePlan:
        """Return the plan to finish a run of this workspace that was interrupted or staged. It changes nothing.

        Args:
            run_id: The id of the run, as in the plan's ``run_id`` and in ``runs``, or a unique beginning or end of it.
            usage: As for ``resume``.
            ignore_usage: As for ``resume``.

        Raises:
            UsageError: The journal in this workspace's folder has no such run, the run belongs to another workspace, or
                its evidence of use cannot be read again.
        """
        return actions.resumption.make(
            self.plan_context(), run_id, actions.options.RunOptions(usage=usage, ignore_usage=ignore_usage)
        )

    def _resume(self, run_id: str, options: RunOptions) -> pd.DataFrame:
        return actions.resumption.resume_by_id(self.plan_context(), run_id, options)

    def undo(self, run_id: str, *, reason: str | None = None) -> UpdatePlan:
        """Return the plan that reverses an update, for the tokens that the journal records as updated.

        Left out are protected tokens, texts that are not in the journal because they look like credentials, and tokens
        that somebody changed since, which have other values than the run wrote: see the plan's ``left_out``.

        Args:
            run_id: The id of the run, as in ``UpdatePlan.run_id`` and ``journal``, or a unique beginning or end of it.
            reason: The reason, for the journal; by default the id of the run.

        Raises:
            UsageError: There is no such run, or it is not an update.
        """
        context = self.plan_context()
        with actions.journal.Journal(self.folder) as journal:
            run = actions.resumption.run_of(context, journal, run_id)
        return actions.update.undo(context, run.run_id, reason=reason)

    plan_undo = undo

    def _journalled(self, operation: str, read: Callable[..., pd.DataFrame]) -> pd.DataFrame:  # noqa: ARG002
        workspace_id = self.identify()
        with actions.journal.Journal(self.folder) as journal:
            return read(journal, host=self.host, workspace_id=workspace_id)
