"""Many workspaces with the methods of one.

Each method queries every workspace, many at once, and concatenates the results with ``workspace`` (the host) as the
first column. A method defines the query of one workspace. ``Members.each`` queries all of them and handles failures.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

import pandas as pd

from tokenkit import errors, frames
from tokenkit.actions import schedule
from tokenkit.actions.options import RunOptions
from tokenkit.actions.permissions import check_found, make_removal
from tokenkit.actions.revocation import token_ids_of
from tokenkit.actions.update import UpdatePlan
from tokenkit.core.home import private_folder
from tokenkit.core.spelling import spelled
from tokenkit.core.wording import first_of, pluralize
from tokenkit.fleets import runs
from tokenkit.fleets import tokens as fleet_tokens
from tokenkit.fleets.audit import joined_audit
from tokenkit.fleets.frames import by_workspace
from tokenkit.fleets.members import Members
from tokenkit.fleets.plans import FleetPermissionPlan, FleetResumePlan, FleetRevocationPlan, FleetUpdatePlan
from tokenkit.output.snapshots import check_target
from tokenkit.rest.credentials import NOT_PICKLED
from tokenkit.rest.hosts import Address
from tokenkit.rest.statements import StatementsAPI
from tokenkit.rest.token_management import AccessControlList
from tokenkit.review import expressions, owners
from tokenkit.review import leaks as leaked
from tokenkit.review.audit import Audit
from tokenkit.review.durations import duration_or_date
from tokenkit.review.leaks import Leaks
from tokenkit.review.rule import Rule
from tokenkit.workspaces.base import ManagedSource
from tokenkit.workspaces.changes import recorded_revocations
from tokenkit.workspaces.workspace import Workspace

if TYPE_CHECKING:
    from tokenkit.widgets.explorer import Explorer

_NAMED = 5


class Fleet(ManagedSource[FleetUpdatePlan]):
    """Many workspaces. ``fleet`` returns one.

    It has the methods of ``Workspace`` with the same parameters. Frames have ``workspace`` as their first column.

    Attributes:
        hosts: The workspaces' addresses, as in the column ``workspace``; ``https://host/?o=ID`` if a host serves
            several of them.
        labels: The names of the workspaces in tables, by address: a profile, or the name in the account.
    """

    def __init__(self, members: Members, *, oauth_secrets: Callable[[], pd.DataFrame] | None = None) -> None:
        self.hosts = members.hosts
        self.folders = members.folders()
        self.labels: Mapping[str, str] = members.labels
        self._value_names = {"workspace": {label: host for host, label in self.labels.items()}}
        self._members = members
        self._oauth_secrets = oauth_secrets
        self._apply = functools.partial(runs.apply, members)

    def __reduce__(self) -> NoReturn:
        raise TypeError(NOT_PICKLED)

    def __len__(self) -> int:
        return len(self.hosts)

    def __repr__(self) -> str:
        failed = self._members.errors["workspace"].nunique()
        note = f", {failed} of them failed{spelled(': see .errors')}" if failed else ""
        return f"<Fleet of {pluralize(len(self), 'workspace')}: {first_of([*self.labels.values()], _NAMED)}{note}>"

    @property
    def name(self) -> str:  # type: ignore[override]  # nobody sets it
        """The name in messages: ``3 workspaces``, or ``2 of 3 workspaces`` if one is in ``errors``."""
        return self._members.name_without(self._failed())

    @property
    def full_name(self) -> str:  # type: ignore[override]  # as above
        """The name in confirmations: the number of workspaces, and the names of those that did not fail."""
        failed = self._failed()
        return self._with_names(self.name, [host for host in self.hosts if host not in failed])

    def name_for(self, hosts: Sequence[str]) -> str:
        """Return the name in messages, with the names of the workspaces that the message is about if others are not in
        it.

        Args:
            hosts: The workspaces that the message is about.
        """
        is_of_all = {*self.hosts} <= {*hosts}
        return self._members.name_of_some(hosts) if is_of_all else self.full_name_for(hosts)

    def full_name_for(self, hosts: Sequence[str]) -> str:
        """Return the name in confirmations, with the names of the workspaces that change.

        Args:
            hosts: The workspaces that change.
        """
        return self._with_names(self._members.name_of_some(hosts), hosts)

    def _with_names(self, name: str, hosts: Iterable[str]) -> str:
        names = [self.labels.get(host, host) for host in hosts]
        return f"{name} ({', '.join(names[:_NAMED])}{', …' if len(names) > _NAMED else ''})"

    def addresses(self) -> Mapping[str, Address]:
        """The host and the id of each workspace in ``hosts``, as far as they are known without a request."""
        return self._members.addresses()

    def _failed(self) -> set[str]:
        return set(self._members.errors["workspace"])

    @contextlib.contextmanager
    def without_messages(self) -> Iterator[None]:
        """Print no message about workspaces that fail meanwhile: the caller reads ``errors``."""
        before, self._members.reports_failures = self._members.reports_failures, False
        try:
            yield
        finally:
            self._members.reports_failures = before

    @property
    def shows_progress(self) -> bool:
        """Whether to show a progress bar for operations that take more than two seconds."""
        return self._members.shows_progress

    @shows_progress.setter
    def shows_progress(self, shown: bool) -> None:
        self._members.shows_progress = shown

    @property
    def errors(self) -> pd.DataFrame:
        """A row for each workspace that failed: ``workspace, operation, error_type, message``.

        ``operation`` is the method; only the last call of each method counts. ``error_type`` is the error's class.
        """
        return self._members.errors

    def forget_errors(self) -> None:
        """Clear ``errors``, except of workspaces that were left out when the fleet was made."""
        self._members.forget_failures()

    def workspace(self, host: str) -> Workspace:
        """Return one of the workspaces, connected.

        Args:
            host: The address, as in ``hosts`` and in the column ``workspace``, or the name, as in ``labels``.

        Raises:
            UsageError: The fleet has no such workspace.
        """
        return self._members.workspace(host)

    def _described(self, *, with_aliases: bool) -> pd.DataFrame:
        responses = self._members.each("tokens", fleet_tokens.ask)
        tokens = fleet_tokens.tokens(responses)
        if not with_aliases:
            return tokens
        return owners.with_aliases(tokens, **fleet_tokens.owners(responses), within="workspace")

    def users(self) -> pd.DataFrame:
        """Return every user of every workspace.

        Returns:
            ``workspace``, then the columns of ``Workspace.users``.

        Raises:
            FleetError: No workspace responded.
        """
        return self._concat("users", lambda workspace: workspace.users())

    def service_principals(self) -> pd.DataFrame:
        """Return every service principal of every workspace.

        Returns:
            ``workspace``, then the columns of ``Workspace.service_principals``.

        Raises:
            FleetError: No workspace responded.
        """
        return self._concat("service_principals", lambda workspace: workspace.service_principals())

    def groups(self) -> pd.DataFrame:
        """Return every group of every workspace.

        Returns:
            ``workspace``, then the columns of ``Workspace.groups``.

        Raises:
            FleetError: No workspace responded.
        """
        return self._concat("groups", lambda workspace: workspace.groups())

    def principal_names(self) -> list[str]:
        """Return all names and ids of users and service principals, which can denote an owner or a creator.

        Raises:
            FleetError: No workspace responded.
        """
        names = self._members.each("principal_names", lambda workspace: workspace.principal_names())
        return [*dict.fromkeys(chain.from_iterable(names.values()))]

    def listing(self) -> pd.DataFrame:
        """Return all tokens as the workspaces list them: the frame of ``token_management.list``, with ``workspace``.

        It takes one request per workspace. ``tokens()`` adds the owners and the columns derived from times.

        Returns:
            ``workspace``, then the columns of ``frames.TOKENS``, and any that a server added.

        Raises:
            FleetError: No workspace responded.
        """
        return fleet_tokens.listing(self._members.each("listing", lambda workspace: workspace.api.chunks()))

    def permissions(self) -> pd.DataFrame:
        """Return who can use tokens in each workspace: the frame of ``token_management.get_permissions``.

        Returns:
            ``workspace``, then the columns of ``frames.PERMISSIONS``. A workspace that never had a token has no
            permissions and no row.

        Raises:
            FleetError: No workspace responded.
        """

        def asked(workspace: Workspace) -> pd.DataFrame:
            found = workspace.permissions()
            return frames.frame([], frames.PERMISSIONS) if found is None else found

        return self._concat("permissions", asked)

    def access(self, where: str | None = None, *, usage: pd.DataFrame | None = None) -> pd.DataFrame:
        """Return who can use or owns tokens in each workspace: the frame of ``Workspace.access``.

        Args:
            where: An expression over the columns, ``workspace`` included.
            usage: The result of ``usage``, as for ``Workspace.access``.

        Returns:
            ``workspace``, then the columns of ``Workspace.access``.

        Raises:
            FleetError: No workspace responded.
        """
        principals = self._concat("access", lambda workspace: workspace.access(usage=usage))
        return self.filtered(principals, where)

    def _audit(self, rules: Sequence[Rule], *, usage: pd.DataFrame | None, **settings: Any) -> Audit:  # noqa: ANN401
        audits = self._members.each("audit", lambda workspace: workspace.audit(rules, usage=usage, **settings))
        return joined_audit(audits, name=self._members.name_without({*self.hosts} - {*audits}), plan=self.revoke)

    def _statements(self) -> dict[str, StatementsAPI]:
        return {self.labels[host]: self.workspace(host).api.statements for host in self.hosts}

    def now(self) -> pd.Timestamp:
        """Return the reference time for ages: that of the first workspace."""
        return self.workspace(self.hosts[0]).now()

    def _matched(self, occurrences: pd.DataFrame) -> Leaks:
        responses = self._members.each("find_leaked", fleet_tokens.ask)
        secrets = self._listed_secrets() if (occurrences["kind"] == leaked.OAUTH_SECRET).any() else None
        tokens = fleet_tokens.tokens(responses)
        name = self._members.name_without({*self.hosts} - {*responses})
        signs_in_with = set().union(*(response.signs_in_with for response in responses.values()))
        return leaked.matched(
            occurrences,
            tokens,
            name=name,
            plan=self.revoke,
            oauth_secrets=secrets,
            signs_in_with=signs_in_with,
            revoked=self._with_names_of_workspaces(recorded_revocations(self.folders)),
            workspaces=self.hosts,
        )

    def _with_names_of_workspaces(self, recorded: pd.DataFrame) -> pd.DataFrame:
        """Return rows of the journal with this fleet's names of its workspaces; others keep theirs."""
        names = recorded["workspace"].copy()
        for (host, workspace_id), rows in recorded.fillna({"workspace_id": ""}).groupby(["host", "workspace_id"]):
            name = self._members.name_of(Address(str(host), str(workspace_id)))
            if name in self._members:
                names[rows.index] = name
        return recorded.assign(workspace=names)

    def _listed_secrets(self) -> pd.DataFrame | None:
        if self._oauth_secrets is None:
            return None
        try:
            return self._oauth_secrets()
        except (errors.ConfigurationError, errors.ConnectionFailedError) as failure:
            self._members.note("oauth_secrets", {"account": failure}, of=1)
            return None

    def snapshot(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Save the listing of every workspace, and return the folder: one data set of Parquet files.

        The files are in ``workspace=prod.example.com/day=2026-03-01``, which pandas, DuckDB and Spark read as
        additional columns.

        Args:
            path: The folder; by default ``snapshots`` next to the journal.

        Raises:
            FleetError: No workspace responded.
        """
        self.snapshot_files(path)
        return self._snapshots_in(path)

    def snapshot_files(self, path: str | os.PathLike[str] | None = None) -> dict[str, Path]:
        """Save the listings as ``snapshot`` does, and return the file of each workspace that responded.

        Args:
            path: As for ``snapshot``.

        Raises:
            UsageError: The path is not that of a folder.
            FleetError: No workspace responded.
        """
        check_target(self._snapshots_in(path), is_folder=True)
        folder = private_folder(self.folders[0], "snapshots") if path is None else self._snapshots_in(path)

        def save(workspace: Workspace) -> Path:
            place = quote(self._members.name_of(workspace).partition("://")[2], safe="")
            return workspace.snapshot(folder / f"workspace={place}" / f"day={workspace.now():%Y-%m-%d}")

        return self._members.each("snapshot", save)

    def changes(
        self, path: str | os.PathLike[str] | None = None, *, since: str | pd.Timedelta | pd.Timestamp | None = None
    ) -> pd.DataFrame:
        """Return the changes in each workspace since its latest snapshot: the frame of ``tokenkit.changes``.

        Args:
            path: The folder that ``snapshot`` wrote to.
            since: As for ``Workspace.changes``. A workspace whose snapshots are all newer is in ``errors``.

        Returns:
            ``workspace``, then the columns of ``tokenkit.changes``.

        Raises:
            FleetError: No workspace responded, or none has a snapshot there.
            UsageError: No workspace has a snapshot that is old enough.
        """
        folder, age = self._snapshots_in(path), None if since is None else duration_or_date(since)
        return self._concat("changes", lambda workspace: workspace.changes(folder, since=age))

    def snapshots(self, path: str | os.PathLike[str] | None = None) -> pd.DataFrame:
        """Return the snapshots of the workspaces in a folder and its subfolders: the frame of ``Workspace.snapshots``.

        Args:
            path: The folder; by default the one that ``snapshot`` writes to.

        Returns:
            ``workspace``, then the other columns of ``Workspace.snapshots``.

        Raises:
            FleetError: No workspace responded.
        """
        folder = self._snapshots_in(path)
        return self._concat("snapshots", lambda workspace: workspace.snapshots(folder).drop(columns="workspace"))

    def _journalled(self, operation: str, read: Callable[..., pd.DataFrame]) -> pd.DataFrame:
        known = self._members.each(operation, lambda workspace: (workspace.host, workspace.identify()))
        with runs.open_journals(self.folders) as journals:
            rows = frames.concat([read(journal) for journal in journals.values()])
        of = ["host", "workspace_id"]
        names = pd.DataFrame([(*at, name) for name, at in known.items()], columns=[*of, "name"], dtype=frames.TEXT)
        mine = rows.merge(names, on=of)
        mine["workspace"] = mine.pop("name")
        return mine[["workspace", *mine.columns.drop("workspace")]]

    def revoke(
        self,
        tokens: pd.DataFrame,
        usage: pd.DataFrame | None = None,
        *,
        include_own: bool = False,
        protect: Mapping[str, Sequence[str]] | None = None,
        reason: str | None = None,
    ) -> FleetRevocationPlan:
        """Return a plan to revoke tokens in several workspaces. It changes nothing.

        Args:
            tokens: A frame with the columns ``workspace`` and ``token_id``, as ``tokens()`` returns it. Ids alone are
                rejected, because they do not name the workspace.
            usage: The frame of ``usage``. As for ``Workspace.revoke``, as are the other parameters.
            include_own: Whether to include your own tokens.
            protect: Tokens that are never revoked.
            reason: The reason, for the journal.

        Raises:
            UsageError: The frame has no column ``workspace``, or names a workspace that is not in the fleet.
            FleetError: No workspace responded.
        """
        chosen = self._by_workspace(tokens)
        made = self._members.each(
            "revoke",
            lambda workspace: workspace.revoke(
                chosen[self._members.name_of(workspace)],
                usage,
                include_own=include_own,
                protect=protect,
                reason=reason,
            ),
            hosts=list(chosen),
        )
        return FleetRevocationPlan(made, self._apply, unplanned=len(chosen) - len(made))

    plan_revocation = revoke

    def explore(
        self,
        where: str | None = None,
        *,
        usage: pd.DataFrame | None = None,
        page_size: int = 50,
        plain: bool = False,
    ) -> Explorer:
        """Return the widget in which the tokens of all workspaces are filtered, inspected, selected and revoked.

        A token is selected in its workspace only: the same id in another workspace is another token. To stage
        revocations or change tokens, explore a single workspace.

        Args:
            where: Show only tokens for which this expression is true; it can use ``workspace``.
            usage: The result of ``usage``. The widget then shows what used each token, and its plans have this
                evidence.
            page_size: As for ``Workspace.explore``.
            plain: As for ``Workspace.explore``.

        Raises:
            UsageError: The expression is not valid, or ``usage`` is another frame.
            FleetError: No workspace responded.
        """
        from tokenkit.widgets.actions import revoking  # noqa: PLC0415 - widgets are for notebooks
        from tokenkit.widgets.explorer import Explorer  # noqa: PLC0415
        from tokenkit.widgets.model import Known  # noqa: PLC0415
        from tokenkit.widgets.source import Source  # noqa: PLC0415

        if where is not None:
            expressions.check(where)

        read_last: list[Audit] = []

        def read() -> tuple[pd.DataFrame, pd.DataFrame]:
            read_last[:] = [audit := self.audit(usage=usage)]
            return self.filtered(audit.tokens, where), audit.findings

        def lacks() -> str:
            failed = len(self._members.failures["audit"])
            return f"{pluralize(failed, 'workspace')} failed{spelled(': see .errors')}" if failed else ""

        source = Source(
            name=self.name,
            read=read,
            now=lambda: read_last[0].now,
            known=lambda: Known(usage=usage, unfinished=schedule.unfinished(self.runs())),
            actions=[revoking(functools.partial(self.revoke, usage=usage))],
            plan_resume=self.plan_resume,
            lacks=lacks,
        )
        return Explorer(source, page_size=page_size, plain=plain)

    def plan_permissions(
        self,
        access_control_list: AccessControlList,
        replace: bool = False,  # noqa: FBT001, FBT002 - as Workspace.plan_permissions
        *,
        allow_protected: Iterable[str] = (),
        reason: str | None = None,
    ) -> FleetPermissionPlan:
        """Return a plan to make the same change of permissions in every workspace, and the tokens that will be deleted.

        Args:
            access_control_list: As for ``Workspace.plan_permissions``, as are the other parameters.
            replace: Whether the entries replace all others.
            allow_protected: Ids of protected tokens that the change may delete, in any workspace.
            reason: The reason, for the journal.

        Raises:
            FleetError: No workspace responded.
            UsageError: An entry names no principal or several, or no level.
        """
        allowed = token_ids_of(allow_protected)
        made = self._members.each(
            "plan_permissions",
            lambda workspace: workspace.plan_permissions(
                access_control_list, replace, allow_protected=allowed, reason=reason
            ),
        )
        return FleetPermissionPlan(made, self._apply, unplanned=len(self) - len(made), labels=self.labels)

    def plan_permission_removal(
        self,
        access_control_list: AccessControlList,
        *,
        allow_protected: Iterable[str] = (),
        reason: str | None = None,
    ) -> FleetPermissionPlan:
        """Return a plan to remove entries of the permissions in every workspace that has them. It changes nothing.

        Args:
            access_control_list: As for ``Workspace.plan_permission_removal``, as are the other parameters.
            allow_protected: Ids of protected tokens that the change may delete, in any workspace.
            reason: The reason, for the journal.

        Raises:
            FleetError: No workspace responded.
            UsageError: No workspace has such an entry, or it is that of ``admins``.
        """
        allowed = token_ids_of(allow_protected)
        found = self._members.each(
            "plan_permission_removal",
            lambda workspace: make_removal(
                workspace.plan_context(), access_control_list, allow_protected=allowed, reason=reason
            ),
        )
        missing = [of_workspace for _, of_workspace in found.values()]
        nowhere = {entry: near for entry, near in missing[0].items() if all(entry in other for other in missing)}
        check_found(self.name, nowhere)
        made = {host: plan for host, (plan, _) in found.items()}
        return FleetPermissionPlan(made, self._apply, unplanned=len(self) - len(made), labels=self.labels)

    def plan_update(
        self,
        tokens: pd.DataFrame,
        *,
        comment: str | None = None,
        scopes: Sequence[str] | None = None,
        reason: str | None = None,
    ) -> FleetUpdatePlan:
        """Return a plan to change comments or scopes of tokens in several workspaces. It changes nothing.

        Args:
            tokens: A frame with the columns ``workspace`` and ``token_id``, as ``tokens()`` and ``scopes()`` return it.
            comment: As for ``Workspace.plan_update``.
            scopes: As for ``Workspace.plan_update``.
            reason: The reason, for the journal.

        Raises:
            UsageError: The frame has no column ``workspace``, or names a workspace that is not in the fleet.
            FleetError: No workspace responded.
        """
        chosen = self._by_workspace(tokens)
        made = self._members.each(
            "plan_update",
            lambda workspace: workspace.plan_update(
                chosen[self._members.name_of(workspace)], comment=comment, scopes=scopes, reason=reason
            ),
            hosts=list(chosen),
        )
        return FleetUpdatePlan(made, self._apply, unplanned=len(chosen) - len(made))

    def undo(self, run_id: str, *, reason: str | None = None) -> FleetUpdatePlan:
        """Return the plan that reverses what an update of several workspaces changed.

        Args:
            run_id: The run of ``FleetUpdatePlan.apply``, or a part of it.
            reason: The reason, for the journal; the run that it undoes by default.

        Raises:
            UsageError: There is no such run, or it was not an update.
            FleetError: None of its workspaces responded.
        """

        def undo_part(workspace: Workspace, part_id: str) -> UpdatePlan:
            return workspace.undo(part_id, reason=reason)

        run_id = runs.whole_run_id(self._members, run_id)
        made, unplanned, elsewhere = runs.plan_parts(self._members, run_id, "undo", undo_part)
        return FleetUpdatePlan(made, self._apply, unplanned=unplanned, elsewhere=elsewhere)

    plan_undo = undo

    def plan_resume(
        self, run_id: str, usage: pd.DataFrame | None = None, *, ignore_usage: bool = False
    ) -> FleetResumePlan:
        """Return the plan to finish a run of a fleet, or of one of its workspaces. It changes nothing.

        Args:
            run_id: The id of the run, as in the plan's ``run_id`` and in ``runs``.
            usage: As for ``resume``.
            ignore_usage: As for ``resume``.

        Raises:
            UsageError: There is no such run.
            FleetError: None of its workspaces responded.
        """
        run_id = runs.whole_run_id(self._members, run_id)
        plan_part = functools.partial(Workspace.plan_resume, usage=usage, ignore_usage=ignore_usage)
        made, unplanned, elsewhere = runs.plan_parts(self._members, run_id, "resume", plan_part)

        def resume(options: RunOptions) -> pd.DataFrame:
            return runs.resume(self._members, run_id, replace(options, usage=usage, ignore_usage=ignore_usage))

        open_there = {name: count for name, count in elsewhere.items() if count}
        return FleetResumePlan(run_id, made, resume, unplanned=unplanned, elsewhere=open_there)

    def _resume(self, run_id: str, options: RunOptions) -> pd.DataFrame:
        return runs.resume(self._members, runs.whole_run_id(self._members, run_id), options)

    def _by_workspace(self, tokens: object) -> dict[str, pd.DataFrame]:
        """Return the rows of a frame by workspace. The attributes say which owners they were selected by."""
        if not isinstance(tokens, pd.DataFrame) or not {"workspace", "token_id"} <= set(tokens.columns):
            raise errors.UsageError(
                "It is not clear in which workspace each token is. "
                f"{spelled('Pass a frame with the columns workspace and token_id, as fleet.tokens() returns it')}. "
                f"{spelled('For one workspace, use fleet.workspace(host).revoke(…)')}."
            )
        hosts = tokens["workspace"].tolist()
        if not all(isinstance(host, str) for host in hosts):
            raise errors.UsageError("The column workspace must name a workspace in each row.")
        addresses = {host: self._members.address_of(host) for host in dict.fromkeys(hosts)}
        rows_of = tokens.assign(workspace=tokens["workspace"].map(addresses)).groupby("workspace", sort=False)
        chosen = {str(host): rows for host, rows in rows_of}
        for rows in chosen.values():
            token_ids_of(rows)  # an error before any request is sent
            rows.attrs = tokens.attrs
        return chosen

    def _concat(self, asked: str, ask: Callable[[Workspace], pd.DataFrame]) -> pd.DataFrame:
        return by_workspace(self._members.each(asked, ask))
