"""One workspace, as an admin holds it in hand: its tokens with what is known about them, and plans to change them.

It is longer than 400 lines because all that can be done with a workspace is one list: mostly docstrings, as no method
does more than ask (``rest/``), review (``review/``), plan (``actions/``) or show (``widgets/``).
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pandas as pd

from tokenkit import errors
from tokenkit.actions import permissions, resumption, revocation, update
from tokenkit.actions.journal import Journal
from tokenkit.actions.permissions import PermissionPlan
from tokenkit.actions.plan import Progress, Target
from tokenkit.actions.resumption import ResumePlan
from tokenkit.actions.revocation import RevocationPlan, Tokens
from tokenkit.actions.update import UpdatePlan
from tokenkit.clock import Clock, clock_of
from tokenkit.home import private_folder
from tokenkit.prompt import ask_unseen
from tokenkit.rest.credentials import NOT_PICKLED
from tokenkit.rest.token_management import AccessControlList
from tokenkit.rest.transport import RetryPolicy
from tokenkit.rest.workspace import WorkspaceAPI
from tokenkit.review import access, expressions, filters, holders, lifecycle, owners, scopes
from tokenkit.review import audit as audits
from tokenkit.review import leaks as leaked
from tokenkit.review.acceptances import Acceptance
from tokenkit.review.audit import Audit, Thresholds
from tokenkit.review.leaks import Leaks
from tokenkit.review.rule import Rule
from tokenkit.snapshots import HOST, SUFFIX, TAKEN_AT, WORKSPACE_ID, list_snapshots, unused_file, write_snapshot

if TYPE_CHECKING:
    from tokenkit.rest.credentials import Credentials
    from tokenkit.sandbox import Sandbox
    from tokenkit.widgets.access import PermissionReview
    from tokenkit.widgets.explorer import Explorer

FOLDER = "journal_folder"
"""Where the journal of a listing's workspace is, in ``DataFrame.attrs``."""


class Workspace(WorkspaceAPI):
    """A workspace and what an admin does with its tokens. ``connect`` makes one.

    Attributes:
        host: Its address.
        workspace_id: Its id, as it was given or as the first response named it; empty before.
        name: What it is called in messages: the host, or ``sandbox``.
        token_management: The nine calls of the Token Management API.
        folder: Where its journal and the configuration lie.
        sandbox: The sandbox behind it, where ``connect("sandbox")`` started one; its ``faults`` can be set.
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
        super().__init__(credentials, retries=retries)
        self.sandbox = sandbox
        self.folder = folder
        self._now = clock_of(clock)

    def __reduce__(self) -> NoReturn:
        raise TypeError(NOT_PICKLED)

    def __repr__(self) -> str:
        return f"<Workspace {self.name}, signed in by {self._origin}>"

    def now(self) -> pd.Timestamp:
        """Return the moment that ages and statuses are counted to."""
        return self._now()

    def identities(self, granted: Collection[str] = ()) -> access.Identities:
        """Return users, service principals and groups together, as the reviews of access take them.

        Args:
            granted: The names of groups whose members have to be known; see ``everybody``.
        """
        return access.Identities(**self.everybody(granted))

    def _target(self) -> Target:
        return Target(
            host=self.host,
            workspace_id=self.identify,
            name=self.name,
            origin=self._origin,
            api=self.token_management,
            one_shot=self._one_shot,
            tokens=self.tokens,
            identities=self.identities,
            caller=functools.cache(self._caller),  # a plan and its run are by the same
            now=self.now,
            folder=self.folder,
        )

    def tokens(self, where: str | None = None, **criteria: Any) -> pd.DataFrame:  # noqa: ANN401
        """Return the listing joined with its owners and the columns derived from its times.

        Args:
            where: An expression over the columns, in the language of ``DataFrame.query``:
                ``"idle_days > 60 and owner_kind == 'user'"``. It may read columns and nothing else; see
                ``expressions.where``.
            criteria: Further filters, which all must hold: the keywords of ``filters.FILTERS``, such as
                ``owner="*@example.com"``, ``created_by="ann@example.com"``, ``idle="90d"``, ``status="active"``,
                ``never_expires=True``. A list of values keeps what any of them keeps.

        Returns:
            The columns of ``frames.TOKENS``, any field the server added, then the derived ones: ``status``,
            ``never_expires``, ``age_days``, ``lifetime_days``, ``expires_in_days``, ``idle_days``, ``effective_end``,
            ``owner``, ``owner_kind``, ``owner_active``. An empty listing has them all.

        Raises:
            UsageError: An unknown filter or column, or an expression that does more than read columns.
        """
        values = filters.check(where, criteria)
        creator = filters.only_creator(values)
        listing = self.token_management.list(created_by_username=creator)
        if creator and not len(listing):  # the server compares letter by letter
            listing = self.token_management.list()
        self._note_workspace_of(listing)
        now = self.now()
        aged = lifecycle.with_lifecycle(listing, now=now)
        identities = self.owners()
        joined = owners.with_owners(aged, **identities)
        application_ids = owners.application_ids(joined, identities["service_principals"])
        tokens = filters.matching(joined, application_ids=application_ids, **criteria)
        tokens = expressions.where(tokens, where) if where else tokens
        # As texts: pandas writes attrs as JSON.
        tokens.attrs |= {HOST: self.host, WORKSPACE_ID: self.workspace_id, TAKEN_AT: now.isoformat()}
        tokens.attrs[FOLDER] = str(self.folder)
        return tokens

    def snapshot(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Save the whole listing as a Parquet file, and return the file.

        ``tokenkit.read_snapshot`` gives the same frame back, ``tokenkit.changes`` compares, and pandas, DuckDB or Spark
        read it as any other file. What looks like a credential in a comment is redacted, as in the journal; only you
        may read the file (mode 0600).

        Args:
            path: A folder, or a file that ends in ``.parquet`` and is written over; the folder ``snapshots`` beside
                the journal by default. In a folder the file is named by workspace and time (UTC), and none is
                written over.

        Raises:
            ConfigurationError: The file cannot be written.
        """
        tokens = self.tokens()
        taken_at = pd.Timestamp(tokens.attrs[TAKEN_AT])
        file = private_folder(self.folder, "snapshots") if path is None else self._snapshots_in(path)
        if file.suffix != SUFFIX:
            file = unused_file(file, workspace=self.name, taken_at=taken_at)
        return write_snapshot(
            tokens, file, host=self.host, workspace_id=self.identify(), workspace=self.name, taken_at=taken_at
        )

    def snapshots(self, path: str | os.PathLike[str] | None = None) -> pd.DataFrame:
        """Return this workspace's snapshots in a folder and those below it, oldest first.

        Args:
            path: The folder; the one that ``snapshot`` writes to by default.

        Returns:
            ``path, workspace, host, workspace_id, taken_at, tokens`` (how many). A snapshot that an earlier version of
            tokenkit saved does not say which workspace it is of, and is left out.
        """
        found = list_snapshots(self._snapshots_in(path).rglob(f"*{SUFFIX}"))
        mine = (found[HOST] == self.host) & (found[WORKSPACE_ID] == self.identify())
        return found[mine.fillna(value=False)].reset_index(drop=True)

    def _snapshots_in(self, path: str | os.PathLike[str] | None) -> Path:
        return self.folder / "snapshots" if path is None else Path(path).expanduser()

    def access(self, where: str | None = None) -> pd.DataFrame:
        """Return everybody who may use tokens or holds one that works, a row each.

        Args:
            where: An expression over the columns, as for ``tokens``: ``"holds_without_right"``.

        Returns:
            ``id, principal, kind, active``; ``may_use``, ``permission_level``, ``via`` (every path of groups to the
            right); ``tokens`` that work, ``last_used_day``; ``holds_without_right``, ``right_unused``. See
            ``review.holders``.
        """
        permissions = self.token_management.get_permissions()
        aged = lifecycle.with_lifecycle(self.token_management.list(), now=self.now())
        identities = self.identities(access.granted_groups(permissions))
        tokens = owners.with_owners(aged, users=identities.users, service_principals=identities.service_principals)
        everybody = holders.holders(permissions, identities, tokens)
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
        """Return what is dangerous about the workspace's tokens: a finding for each token and rule. It changes nothing.

        Args:
            rules: Only these: ids, or ids of the Security Analysis Tool (``IA-4``); every rule by default. All of them
                stand in ``docs/audit-rules.md``.
            also: Rules of your own beside them; the decorator ``tokenkit.rule`` makes one of a function.
            skip: Ids of rules to leave out. What only they need is not asked of the workspace.
            thresholds: What a rule compares with, where that is other than its own:
                ``{"unused": {"idle_days": 45}}``.
            accept: The file in which findings are accepted, each with a reason and an end; see
                ``tokenkit.review.acceptances``.

        Raises:
            UsageError: An unknown rule or threshold.
            ConfigurationError: The acceptances cannot be read.
        """
        from tokenkit.report import write  # noqa: PLC0415 - pages and pictures are for who has an audit

        chosen = audits.chosen(rules, also=also, skip=skip)
        context = audits.read_context(self, chosen, now=self.now())
        listing = self.token_management.list()
        return audits.audit(
            listing,
            context,
            rules=chosen,
            thresholds=thresholds,
            accept=accept,
            name=self.name,
            plan=self.revoke,
            write=write,
        )

    def scopes(self, where: str | None = None, **criteria: Any) -> pd.DataFrame:  # noqa: ANN401
        """Return for each token what it was granted, what it is known to use, and the smallest set between.

        Args:
            where: An expression over the columns of ``tokens`` and those returned: ``"advice == 'narrow'"``.
            criteria: As for ``tokens``.

        Returns:
            ``token_id, owner, owner_kind, last_used_day, autoscope_state, scopes, reach, used_scopes, unused_scopes,
            new_scopes, advice, reason``. See ``review.scopes`` for what they mean, and ``plan_scopes`` to follow the
            advice.
        """
        filters.check(where, criteria)
        return scopes.advised(self.tokens(**criteria), where)

    def find_leaked(
        self,
        values: Iterable[str] | str | None = None,
        *,
        file: leaked.Source | None = None,
        report: leaked.Source | None = None,
    ) -> Leaks:
        """Return which of the workspace's tokens leaked: whose they are, what they may do, where they were seen.

        Values are hashed here and compared with the listing's ids. They are not sent, kept, shown or written anywhere.
        Without an argument they are asked for, and what is typed is not shown; do not write one into a cell or a
        command, which are saved.

        **Not found is not harmless.** It says that no token in this listing has this value: another workspace may have
        issued it.

        Args:
            values: The values, from wherever a program has them.
            file: A scanner's report, else a text of any kind that is searched for values, or a list with a value a
                line. It may be an open file: ``sys.stdin.buffer``.
            report: A scanner's report and nothing else: of gitleaks 7 and 8 (JSON, CSV, SARIF), trufflehog 2 and 3
                (``--json``), GitHub's secret-scanning alerts, GitLab's secret detection, ggshield, detect-secrets. What
                it has redacted or hashed is in ``not_comparable``.

        Raises:
            UsageError: More than one of them; a file that cannot be read; a report that is none, is cut short, or has a
                line that cannot be read.
        """
        sightings = leaked.seen(values, file=file, report=report, ask=ask_unseen)
        del values  # what fails below must not have them in its frame
        if sightings is None:
            raise errors.UsageError(leaked.ONE_AT_A_TIME)
        return leaked.matched(sightings, self.tokens(), name=self.name, plan=self.revoke)

    def revoke(
        self,
        tokens: Tokens,
        *,
        include_own: bool = False,
        protect: Mapping[str, Sequence[str]] | None = None,
        reason: str | None = None,
    ) -> RevocationPlan:
        """Return a plan to revoke tokens. It changes nothing: look at ``preview()``, then ``apply()``.

        Args:
            tokens: A frame with the column ``token_id``, whole ids, or one id; for an expression, what ``tokens``
                returns for it. What counts is the ids; everything else about the tokens is read from the workspace now.
            include_own: Also revoke tokens of whoever is signed in. Left out by default, as one of them may be what
                this session is signed in with.
            protect: Tokens that are not revoked even if they are asked for, in addition to ``[protect]`` in
                ``config.toml``: patterns under ``owners``, ``comments``, ``token_ids``. Both are looked at again by
                ``apply`` and ``resume``.
            reason: Why, for the journal.

        Raises:
            UsageError: Something that is no token id.
            ConfigurationError: The list of protected tokens cannot be read.
        """
        return revocation.make(self._target(), tokens, include_own=include_own, protect=protect, reason=reason)

    def plan_permissions(
        self,
        access_control_list: AccessControlList,
        replace: bool = False,  # noqa: FBT001, FBT002 - the contract's signature
        *,
        allow_protected: Iterable[str] = (),
        reason: str | None = None,
    ) -> PermissionPlan:
        """Return a plan to change who may use tokens: who gains and loses the right, and **which tokens die of it**.

        It changes nothing. Groups are expanded, nested ones too; somebody who keeps the right by another path keeps
        their tokens; ``admins`` keeps ``CAN_MANAGE`` whatever the list says.

        Args:
            access_control_list: As for ``token_management.set_permissions``.
            replace: Whether the entries replace all others, or are added to them.
            allow_protected: Ids of protected tokens that the change may cost. While it would cost others, the plan's
                ``protected`` names them and ``apply()`` refuses.
            reason: Why, for the journal.

        Raises:
            UsageError: An entry that names nobody or several, or no level.
            ConfigurationError: What is protected cannot be read.
        """
        return permissions.make(
            self._target(), access_control_list, replace=replace, allow_protected=allow_protected, reason=reason
        )

    def plan_update(
        self,
        tokens: Tokens,
        *,
        comment: str | None = None,
        scopes: Sequence[str] | None = None,
        reason: str | None = None,
    ) -> UpdatePlan:
        """Return a plan to give tokens another comment or other scopes. It changes nothing, and can be undone once
        applied. Protected tokens are left out.

        Args:
            tokens: As for ``revoke``. Where neither ``comment`` nor ``scopes`` is given, a frame in which each row says
                what its own token gets: ``new_comment``, ``new_scopes`` (the columns of ``UpdatePlan.preview`` and of
                ``scopes``); what is missing there is left.
            comment: What it is to be, for all alike; None leaves it.
            scopes: What they are to be, for all alike; None leaves them.
            reason: Why, for the journal.

        Raises:
            UsageError: A token that is not there, or nothing to change.
            ConfigurationError: What is protected cannot be read.
        """
        return update.make(self._target(), update.changes_of(tokens, comment=comment, scopes=scopes), reason=reason)

    def plan_scopes(
        self,
        where: str | None = None,
        *,
        reason: str | None = None,
        allow_none: bool = False,
        **criteria: Any,  # noqa: ANN401
    ) -> UpdatePlan:
        """Return a plan to narrow tokens to the scopes that they use, each to its own. It changes nothing, and can be
        undone once applied.

        Args:
            where: As for ``scopes``.
            reason: Why, for the journal.
            allow_none: Whether an owner or creator may be unknown, as in a job that runs every night.
            criteria: As for ``scopes``. Of the tokens that they choose, those are in the plan whose use is known to be
                less than what they were granted.

        Raises:
            UsageError: As for ``tokens``; an owner or creator that is unknown, see ``filters.unknown_names``.
        """
        if not allow_none:
            filters.require_known(criteria, tokens=self.tokens, principals=self.principal_names)
        return self.plan_update(self.scopes(where, **criteria), reason=reason)

    def explore(self, where: str | None = None, *, page_size: int = 50, plain: bool = False) -> Explorer:
        """Return the screen on which tokens are filtered, looked at, selected and changed; it shows itself.

        Args:
            where: Only tokens for which this expression holds, as for ``tokens``.
            page_size: How many rows a page has, at most 500.
            plain: Whether the table is a plain list, for front ends that cannot load its JavaScript.
        """
        from tokenkit.widgets.bulk import revoking, staging, updating  # noqa: PLC0415 - widgets are for notebooks
        from tokenkit.widgets.explorer import Explorer, Source  # noqa: PLC0415

        if where is not None:
            expressions.check(where)

        def read() -> tuple[pd.DataFrame, pd.DataFrame]:
            audit = self.audit()
            return expressions.where(audit.tokens, where) if where else audit.tokens, audit.findings

        source = Source(
            name=self.name,
            read=read,
            now=self.now,
            actions=[revoking(self.revoke), staging(self.revoke), updating(self.plan_update)],
        )
        return Explorer(source, page_size=page_size, plain=plain)

    def review_access(self, *, plain: bool = False) -> PermissionReview:
        """Return the screen on which the permissions are drafted, with what the draft would destroy beside it; it shows
        itself.

        Args:
            plain: Whether tables are plain lists, for front ends that cannot load their JavaScript.
        """
        from tokenkit.widgets.access import PermissionReview, Source  # noqa: PLC0415 - widgets are for notebooks

        source = Source(
            name=self.name,
            read=lambda: (self.token_management.get_permissions(), self.identities()),
            plan=lambda entries, **allowed: self.plan_permissions(entries, replace=True, **allowed),
        )
        return PermissionReview(source, plain=plain)

    def plan_resume(self, run_id: str) -> ResumePlan:
        """Return the plan to finish a run of this workspace that was stopped, killed or staged. It changes nothing.

        Args:
            run_id: As a plan's ``run_id`` and ``runs`` name it.

        Raises:
            UsageError: There is no such run in the journal of this workspace's folder, or it is of another workspace.
        """
        return resumption.make(self._target(), run_id)

    def resume(
        self, run_id: str, *, progress: bool | Progress = True, stop: threading.Event | None = None
    ) -> pd.DataFrame:
        """Finish a run of this workspace, say what became of it, and return what became of each of its tokens.

        Calling it is the confirmation; ``plan_resume`` shows what remains before. What the journal records as revoked,
        gone or skipped is left alone. What may have been carried out is looked up first. What was used or changed owner
        since the plan is skipped, as it would have been by ``apply``.

        Args:
            run_id: As a plan's ``run_id`` and ``runs`` name it.
            progress: Show a progress bar once it takes more than two seconds; or who is told instead.
            stop: When set, by another thread, nothing new is sent.

        Returns:
            A row for each token of the run: ``token_id, owner, outcome, error, attempts, started_at, finished_at``.

        Raises:
            UsageError: As ``plan_resume``; or the run was staged and its grace period is not over, or another process
                carries it out now.
        """
        result = resumption.carry_out(self._target(), run_id, progress=progress, stop=stop)
        sys.stderr.write(f"{resumption.report(self.name, run_id, result)}\n")
        return result

    def undo(self, run_id: str, *, reason: str | None = None) -> UpdatePlan:
        """Return the plan that puts back what an update changed; only what the journal says was updated.

        What is protected, or was a text that the journal did not keep as it looks like a credential, is left out: see
        the plan's ``left_out``.

        Args:
            run_id: As ``UpdatePlan.run_id`` and ``journal`` name it.
            reason: Why, for the journal; the run that it undoes, if left out.

        Raises:
            UsageError: There is no such run, or it was no update.
        """
        target = self._target()
        with Journal(self.folder) as journal:
            resumption.run_of(target, journal, run_id)
        return update.undo(target, run_id, reason=reason)

    def journal(self) -> pd.DataFrame:
        """Return what was done to this workspace's tokens from here: a row for each token of each run, oldest first.

        Returns:
            ``run_id, kind, workspace, host, workspace_id, caller, reason, token_id, owner, outcome, error, attempts,
            started_at, finished_at, run_started_at, snapshot`` (JSON of what the token was). No run gives the same
            columns with no rows.

        Raises:
            JournalError: The journal is damaged.
        """
        workspace_id = self.identify()
        with Journal(self.folder) as journal:
            return journal.frame(host=self.host, workspace_id=workspace_id)

    def runs(self) -> pd.DataFrame:
        """Return the runs that the journal has of this workspace, oldest first: which there were, and what is left.

        Returns:
            ``run_id, kind`` (revoke, permissions, update), ``workspace, host, workspace_id, caller, reason, started_at,
            finished_at`` (``NaT`` while something is planned or sent, and where there was nothing to do); ``change``
            (of a run that changes permissions, what became of the change itself: ``planned``, ``sent``, ``updated``,
            ``failed``, ``unknown``); then how many ``tokens``, and of them ``done`` (revoked, updated, already gone),
            ``skipped, failed, unknown, still_listed``, and ``left``: how many ``resume`` would touch, which are those
            that are neither done nor skipped. ``left`` is 1 where no token ends and the change itself is not made.
            ``settings`` is JSON of what was asked. No run gives the same columns with no rows.

        Raises:
            JournalError: The journal is damaged.
        """
        workspace_id = self.identify()
        with Journal(self.folder) as journal:
            return journal.runs(host=self.host, workspace_id=workspace_id)
