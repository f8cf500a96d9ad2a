"""Many workspaces in hand, and the verbs of one.

Each verb asks every workspace, many at once, and puts the answers one below the other with the column ``workspace``
(its host) before them. A verb is what it asks of a workspace; asking all of them, and what becomes of those that fail,
is ``Members.each``.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pandas as pd

from tokenkit import errors, fleet_runs, fleet_tokens, frames
from tokenkit.actions.journal import Journal
from tokenkit.actions.plan import Progress, counted
from tokenkit.actions.resumption import report
from tokenkit.actions.revocation import token_ids_of
from tokenkit.comparison import changes
from tokenkit.fleet_audit import joined_audit
from tokenkit.fleet_members import Members
from tokenkit.fleet_plans import FleetPermissionPlan, FleetResumePlan, FleetRevocationPlan, by_workspace
from tokenkit.home import private_folder
from tokenkit.prompt import ask_unseen
from tokenkit.rest.token_management import AccessControlList
from tokenkit.review import expressions, filters, owners
from tokenkit.review import leaks as leaked
from tokenkit.review.acceptances import Acceptance
from tokenkit.review.audit import Audit, Thresholds
from tokenkit.review.leaks import Leaks
from tokenkit.review.rule import Rule
from tokenkit.workspace import Workspace

if TYPE_CHECKING:
    from tokenkit.widgets.explorer import Explorer


class Fleet:
    """Workspaces in hand. ``fleet`` makes one.

    Every verb is that of ``Workspace`` and takes what that takes; a frame has the column ``workspace`` first.

    Attributes:
        hosts: The workspaces' addresses, which is what the column ``workspace`` holds; ``https://host/?o=ID`` where two
            of them are behind one host.
        name: What it is called in messages: ``3 workspaces``.
    """

    def __init__(self, members: Members) -> None:
        self.hosts = members.hosts
        self.name = members.name
        self._members = members
        self._apply = functools.partial(fleet_runs.apply, members)

    def __len__(self) -> int:
        return len(self.hosts)

    def __repr__(self) -> str:
        failed = self._members.errors["workspace"].nunique()
        return f"<Fleet of {self.name}{f', {failed} of them failed: see .errors' if failed else ''}>"

    @property
    def shows_progress(self) -> bool:
        """Whether a progress bar is shown over what takes more than two seconds."""
        return self._members.shows_progress

    @shows_progress.setter
    def shows_progress(self, shown: bool) -> None:
        self._members.shows_progress = shown

    @property
    def errors(self) -> pd.DataFrame:
        """What went wrong: a row for each workspace that failed, ``workspace, asked, kind, message``.

        ``asked`` is the verb; of each verb, the last time counts. ``kind`` is the error's class.
        """
        return self._members.errors

    def forget_errors(self) -> None:
        """Empty ``errors``, before asking anew."""
        self._members.failures.clear()

    def workspace(self, host: str) -> Workspace:
        """Return one of the workspaces, connected.

        Args:
            host: Its address, as in ``hosts`` and in the column ``workspace``.

        Raises:
            UsageError: It is not of this fleet.
        """
        return self._members.workspace(host)

    def tokens(self, where: str | None = None, **criteria: Any) -> pd.DataFrame:  # noqa: ANN401 - as Workspace.tokens
        """Return every token of every workspace: the frame of ``Workspace.tokens``, with ``workspace`` first.

        Args:
            where: An expression over the columns, ``workspace`` included.
            criteria: As for ``Workspace.tokens``.

        Returns:
            ``workspace``, then the columns of ``Workspace.tokens``.

        Raises:
            FleetError: No workspace answered.
            UsageError: An unknown filter or column.
        """
        creator = filters.only_creator(filters.check(where, criteria))
        said = self._members.each("tokens", functools.partial(fleet_tokens.ask, creator=creator))
        together, programs = fleet_tokens.tokens(said), fleet_tokens.service_principals(said)
        application_ids = owners.application_ids(together, programs, within="workspace")
        tokens = filters.matching(together, application_ids=application_ids, **criteria).reset_index(drop=True)
        return expressions.where(tokens, where) if where else tokens

    def principal_names(self) -> list[str]:
        """Return every name and id of the workspaces' users and service principals: an owner or creator is one of them.

        Raises:
            FleetError: No workspace answered.
        """
        names = self._members.each("principal_names", lambda workspace: workspace.principal_names())
        return [*dict.fromkeys(chain.from_iterable(names.values()))]

    def listing(self) -> pd.DataFrame:
        """Return every token as the workspaces list them: the frame of ``token_management.list``, ``workspace`` first.

        One request a workspace; ``tokens()`` adds whose they are and what their times mean.

        Returns:
            ``workspace``, then the columns of ``frames.TOKENS``, and any that a server added.

        Raises:
            FleetError: No workspace answered.
        """
        return fleet_tokens.listing(self._members.each("listing", lambda workspace: workspace.pieces()))

    def permissions(self) -> pd.DataFrame:
        """Return who may use tokens of which workspace: the frame of ``token_management.get_permissions``.

        Returns:
            ``workspace``, then the columns of ``frames.PERMISSIONS``. A workspace where no token was ever made has no
            permissions yet, and no row.

        Raises:
            FleetError: No workspace answered.
        """

        def asked(workspace: Workspace) -> pd.DataFrame:
            found = workspace.permissions()
            return frames.frame([], frames.PERMISSIONS) if found is None else found

        return self._joined("permissions", asked)

    def access(self, where: str | None = None) -> pd.DataFrame:
        """Return who may use tokens of which workspace, and who holds one: the frame of ``Workspace.access``.

        Args:
            where: An expression over the columns, ``workspace`` included.

        Returns:
            ``workspace``, then the columns of ``Workspace.access``.

        Raises:
            FleetError: No workspace answered.
        """
        everybody = self._joined("access", lambda workspace: workspace.access())
        return everybody if where is None else expressions.where(everybody, where)

    def audit(
        self,
        rules: Iterable[str | Rule] | None = None,
        *,
        also: Iterable[Rule] = (),
        skip: Iterable[str] = (),
        thresholds: Thresholds | None = None,
        accept: Iterable[Acceptance] | str | os.PathLike[str] | None = None,
    ) -> Audit:
        """Return what is dangerous about the tokens of all workspaces: an audit whose frames have ``workspace`` first.

        Its ``summary`` counts over the workspaces; ``not_checked`` says in how many of them a rule was not.

        Args:
            rules: As for ``Workspace.audit``, as are the others.
            also: Rules of your own.
            skip: Ids of rules to leave out.
            thresholds: What rules compare with.
            accept: What is accepted, in every workspace alike.

        Raises:
            FleetError: No workspace answered.
            UsageError: An unknown rule or threshold.
        """
        # Each workspace goes through them again.
        rules = None if rules is None else list(rules)
        also, skip = list(also), list(skip)
        accept = accept if accept is None or isinstance(accept, str | os.PathLike) else list(accept)
        from tokenkit.report import write  # noqa: PLC0415 - as Workspace.audit

        audits = self._members.each(
            "audit",
            lambda workspace: workspace.audit(rules, also=also, skip=skip, thresholds=thresholds, accept=accept),
        )
        return joined_audit(audits, name=self.name, plan=self.revoke, write=write)

    def find_leaked(
        self,
        values: Iterable[str] | str | None = None,
        *,
        file: leaked.Source | None = None,
        report: leaked.Source | None = None,
    ) -> Leaks:
        """Return which tokens of all workspaces leaked: as ``Workspace.find_leaked``, with ``workspace`` first.

        The values are read once, and compared with the listing of every workspace. One that does not answer is in
        ``errors``: a value that matched nothing may be of it.

        Args:
            values: As for ``Workspace.find_leaked``, as are the others.
            file: A scanner's report, or a text of any kind.
            report: A scanner's report.

        Raises:
            FleetError: No workspace answered.
            UsageError: As for ``Workspace.find_leaked``.
        """
        sightings = leaked.seen(values, file=file, report=report, ask=ask_unseen)
        del values  # what fails below must not have them in its frame
        if sightings is None:
            raise errors.UsageError(leaked.ONE_AT_A_TIME)
        said = self._members.each("find_leaked", fleet_tokens.ask)
        return leaked.matched(sightings, fleet_tokens.tokens(said), name=self.name, plan=self.revoke)

    def snapshot(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Save the listing of every workspace, and return the folder: one data set of Parquet files.

        The files lie under ``workspace=prod.example.com/day=2026-03-01``, which pandas, DuckDB and Spark read as
        columns beside those of ``Workspace.snapshot``.

        Args:
            path: The folder; ``snapshots`` beside the journal by default.

        Raises:
            FleetError: No workspace answered.
        """
        self.snapshot_files(path)
        return self._dataset(path)

    def snapshot_files(self, path: str | os.PathLike[str] | None = None) -> dict[str, Path]:
        """Save the listings as ``snapshot`` does, and return the file of each workspace that answered.

        Args:
            path: As for ``snapshot``.

        Raises:
            FleetError: No workspace answered.
        """
        folder = private_folder(self._members.folders()[0], "snapshots") if path is None else self._dataset(path)

        def save(workspace: Workspace) -> Path:
            place = quote(self._members.name_of(workspace).partition("://")[2], safe="")
            return workspace.snapshot(folder / f"workspace={place}" / f"day={workspace.now():%Y-%m-%d}")

        return self._members.each("snapshot", save)

    def changes(self, path: str | os.PathLike[str] | None = None) -> pd.DataFrame:
        """Return what changed in each workspace since its newest snapshot: the frame of ``tokenkit.changes``.

        Args:
            path: The folder that ``snapshot`` wrote to.

        Returns:
            ``workspace``, then the columns of ``tokenkit.changes``.

        Raises:
            FleetError: No workspace answered, or none has a snapshot there.
        """
        folder = self._dataset(path)

        def changed(workspace: Workspace) -> pd.DataFrame:
            saved = workspace.snapshots(folder)
            if not len(saved):
                raise errors.ConfigurationError(f"{workspace.name} has no snapshot in {folder}. Take one first.")
            return changes(saved["path"].iloc[-1], workspace.tokens())

        return self._joined("changes", changed)

    def _dataset(self, path: str | os.PathLike[str] | None) -> Path:
        return self._members.folders()[0] / "snapshots" if path is None else Path(path).expanduser()

    def journal(self) -> pd.DataFrame:
        """Return what was done to the workspaces' tokens from here. One that did not respond yet is asked for its id.

        Returns:
            ``workspace``, then the other columns of ``Workspace.journal``.

        Raises:
            JournalError: The journal is damaged.
        """
        return self._journalled("journal", Journal.frame)

    def runs(self) -> pd.DataFrame:
        """Return the runs in the workspaces from here. One that did not respond yet is asked for its id.

        Returns:
            ``workspace``, then the other columns of ``Workspace.runs``; parts of a run have its id and ``.1``, ``.2`` …

        Raises:
            JournalError: The journal is damaged.
        """
        return self._journalled("runs", Journal.runs)

    def _journalled(self, asked: str, read: Callable[[Journal], pd.DataFrame]) -> pd.DataFrame:
        known = self._members.each(asked, lambda workspace: (workspace.host, workspace.identify()))
        with fleet_runs.open_journals(self._members.folders()) as journals:
            rows = frames.concat([read(journal) for journal in journals.values()])
        of = ["host", "workspace_id"]
        names = pd.DataFrame(list(known.values()), columns=of, dtype=frames.TEXT).assign(
            name=pd.Series(list(known), dtype=frames.TEXT)
        )
        mine = rows.merge(names, on=of)
        mine["workspace"] = mine.pop("name")
        return mine[["workspace", *mine.columns.drop("workspace")]]

    def revoke(
        self,
        tokens: pd.DataFrame,
        *,
        include_own: bool = False,
        protect: Mapping[str, Sequence[str]] | None = None,
        reason: str | None = None,
    ) -> FleetRevocationPlan:
        """Return a plan to revoke tokens in several workspaces. It changes nothing.

        Args:
            tokens: A frame with the columns ``workspace`` and ``token_id``, as ``tokens()`` gives it. Ids alone do not
                say where, and are refused: a token that is revoked in the wrong workspace is gone.
            include_own: As for ``Workspace.revoke``, as are the others.
            protect: Tokens that are left alone.
            reason: Why, for the journal.

        Raises:
            UsageError: No column ``workspace``, or a workspace that is not of this fleet.
            FleetError: No workspace answered.
        """
        chosen = self._by_workspace(tokens)
        made = self._members.each(
            "revoke",
            lambda workspace: workspace.revoke(
                chosen[self._members.name_of(workspace)], include_own=include_own, protect=protect, reason=reason
            ),
            hosts=list(chosen),
        )
        return FleetRevocationPlan(made, self._apply, unplanned=len(chosen) - len(made))

    def explore(self, where: str | None = None, *, page_size: int = 50, plain: bool = False) -> Explorer:
        """Return the screen on which the tokens of all workspaces are filtered, looked at, selected and revoked.

        A selected token is one of its workspace: the same id elsewhere is another. To stage or to change tokens,
        explore the one workspace.

        Args:
            where: Only tokens for which this expression holds, ``workspace`` included.
            page_size: As for ``Workspace.explore``.
            plain: Whether the table is a plain list.

        Raises:
            FleetError: No workspace answered.
        """
        from tokenkit.widgets.bulk import revoking  # noqa: PLC0415 - widgets are for notebooks
        from tokenkit.widgets.explorer import Explorer, Source  # noqa: PLC0415

        if where is not None:
            expressions.check(where)

        read_last: list[Audit] = []

        def read() -> tuple[pd.DataFrame, pd.DataFrame]:
            read_last[:] = [audit := self.audit()]
            return expressions.where(audit.tokens, where) if where else audit.tokens, audit.findings

        def lacks() -> str:
            failed = len(self._members.failures["audit"])
            return f"{counted(failed, 'workspace')} failed: see .errors" if failed else ""

        source = Source(
            name=self.name,
            read=read,
            now=lambda: read_last[0].now,
            actions=[revoking(self.revoke)],
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
        """Return a plan to make the same change of permissions in every workspace, and which tokens die of it where.

        Args:
            access_control_list: As for ``Workspace.plan_permissions``, as are the others.
            replace: Whether the entries replace all others.
            allow_protected: Ids of protected tokens that the change may cost, wherever they are.
            reason: Why, for the journal.

        Raises:
            FleetError: No workspace answered.
            UsageError: An entry that names nobody or several, or no level.
        """
        allowed = token_ids_of(allow_protected)
        made = self._members.each(
            "plan_permissions",
            lambda workspace: workspace.plan_permissions(
                access_control_list, replace, allow_protected=allowed, reason=reason
            ),
        )
        return FleetPermissionPlan(made, self._apply, unplanned=len(self) - len(made))

    def plan_resume(self, run_id: str) -> FleetResumePlan:
        """Return the plan to finish a run of a fleet, or of one of its workspaces. It changes nothing.

        Args:
            run_id: As the plan's ``apply`` and ``journal`` name it.

        Raises:
            UsageError: There is no such run.
            FleetError: None of its workspaces answered.
        """
        made, unplanned = fleet_runs.plan_resume(self._members, run_id)
        resume = functools.partial(fleet_runs.resume, self._members, run_id)
        return FleetResumePlan(run_id, made, resume, unplanned=unplanned)

    def resume(
        self, run_id: str, *, progress: bool | Progress = True, stop: threading.Event | None = None
    ) -> pd.DataFrame:
        """Finish a run of a fleet, say what became of it, and return what became of each of its tokens; see
        ``tokenkit.resume``.

        Args:
            run_id: As the plan's ``apply`` and ``journal`` name it.
            progress: Show a progress bar once it takes more than two seconds; or who is told instead.
            stop: When set, by another thread, nothing new is sent.

        Returns:
            ``workspace``, then the columns of ``tokenkit.resume``: a row for each token of the run.

        Raises:
            UsageError: There is no such run.
        """
        result = fleet_runs.resume(self._members, run_id, progress=progress, stop=stop)
        sys.stderr.write(f"{report(self.name, run_id, result)}\n")
        return result

    def _by_workspace(self, tokens: object) -> dict[str, list[str]]:
        """Return the ids that a frame names, by workspace."""
        if not isinstance(tokens, pd.DataFrame) or not {"workspace", "token_id"} <= set(tokens.columns):
            raise errors.UsageError(
                "Say in which workspace each token is: a frame with the columns workspace and token_id, as "
                "fleet.tokens() gives it. For one workspace, use fleet.workspace(host).revoke(…)."
            )
        self._members.check(tokens["workspace"].unique())
        return {str(host): token_ids_of(rows) for host, rows in tokens.groupby("workspace", sort=False)["token_id"]}

    def _joined(self, asked: str, ask: Callable[[Workspace], pd.DataFrame]) -> pd.DataFrame:
        return by_workspace(self._members.each(asked, ask))
