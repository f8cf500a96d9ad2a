"""One workspace, as an admin holds it in hand."""

from __future__ import annotations

import functools
import getpass
import os
import sys
import tempfile
import threading
import warnings
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tokenkit import errors, report
from tokenkit.actions import journal as records
from tokenkit.actions import permissions, revocation, update
from tokenkit.actions.executor import LOST_AND_GONE
from tokenkit.actions.journal import FILE_NAME, Journal, Run
from tokenkit.actions.permissions import PermissionPlan
from tokenkit.actions.plan import Progress, Target
from tokenkit.actions.revocation import RevocationPlan, Tokens
from tokenkit.actions.update import UpdatePlan
from tokenkit.home import home as state_folder
from tokenkit.rest import credentials as sign_in
from tokenkit.rest.identities import IdentitiesAPI
from tokenkit.rest.secrets import SecretsAPI
from tokenkit.rest.settings import SettingsAPI, TokenSettings
from tokenkit.rest.token_management import AccessControlList, TokenManagementAPI
from tokenkit.rest.transport import RetryPolicy, Transport
from tokenkit.review import access, expressions, filters, holders, lifecycle, owners, scopes
from tokenkit.review import audit as audits
from tokenkit.review import leaks as leaked
from tokenkit.review.acceptances import Acceptance
from tokenkit.review.audit import Audit, Thresholds
from tokenkit.review.changes import between
from tokenkit.review.leaks import Leaks
from tokenkit.review.rule import Context, Rule
from tokenkit.snapshots import HOST, SUFFIX, TAKEN_AT, list_snapshots, read_snapshot, unused_file, write_snapshot

if TYPE_CHECKING:
    from tokenkit.rest.credentials import Credentials
    from tokenkit.sandbox import Sandbox
    from tokenkit.widgets.access import PermissionReview
    from tokenkit.widgets.explorer import Explorer

Clock = Callable[[], pd.Timestamp]

SANDBOX = "sandbox"
"""The name that ``connect`` reads as: start a sandbox in this process."""

_SANDBOX_TOKENS = 1_000


def connect(
    target: object = None,
    *,
    host: str | None = None,
    token: str | None = None,
    workspace_id: int | str | None = None,
    clock: Clock | pd.Timestamp | str | None = None,
    retries: RetryPolicy | None = None,
    home: str | os.PathLike[str] | None = None,
    tokens: int | None = None,
    seed: int | None = None,
    workspaces: int | None = None,
) -> Workspace:
    """Return a workspace to work on. Nothing is asked of it yet, so a wrong credential shows at the first call.

    Args:
        target: One of

            - nothing: the environment, ``~/.databrickscfg``, or the notebook's own sign-in, as the official tools find
              them;
            - a profile's name: ``connect("prod")``;
            - a host: ``connect("https://my.cloud.databricks.com")``, signed in as the official tools would;
            - an official ``WorkspaceClient`` or ``Config``, whose sign-in is shared;
            - ``"sandbox"``: a make-believe workspace, started in this process.
        host: The workspace's address; with ``token``, nothing else is looked at.
        token: A personal access token for ``host``.
        workspace_id: Which workspace is meant, where a host serves several.
        clock: What "now" is for ages and statuses: a function, or one fixed moment. The time of day by default.
        retries: How patient to be; see ``RetryPolicy``.
        home: The folder of the journal and the configuration: ``TOKENKIT_HOME``, else the platform's state folder. A
            sandbox in this process has one of its own, which goes with it.
        tokens: How many tokens the sandbox has, the caller's own included; 1,000 by default.
        seed: Which make-believe company the sandbox is; 0 by default.
        workspaces: How many workspaces the sandbox has, each with so many tokens; 1 by default. The first is returned;
            ``Workspace.sandbox`` has them all, and their account.

    Raises:
        ConfigurationError: No credentials were found, or settings contradict each other.
    """
    now = _clock(clock)
    if target == SANDBOX:
        if host or token:
            raise errors.ConfigurationError(
                'connect("sandbox") starts a workspace of its own; it takes no host or token.'
            )
        count = _SANDBOX_TOKENS if tokens is None else tokens
        return _start_sandbox(now, retries, home, tokens=count, seed=seed or 0, workspaces=workspaces or 1)
    if not (tokens is seed is workspaces is None):
        raise errors.ConfigurationError(
            'tokens=, seed= and workspaces= shape a sandbox: connect("sandbox", tokens=…, seed=…).'
        )
    folder = state_folder() if home is None else Path(home)
    signed = _credentials(target, host, token, str(workspace_id or ""))
    return Workspace(signed, folder=folder, clock=now, retries=retries)


def _credentials(target: object, host: str | None, token: str | None, workspace_id: str) -> Credentials:
    if target is not None and (host or token):
        raise errors.ConfigurationError("Give a profile, or host and token, not both: they might mean two workspaces.")
    if token and not host:
        raise errors.ConfigurationError("A token alone does not say which workspace it is for: give host=… as well.")
    if host:
        return sign_in.from_token(host, token, workspace_id=workspace_id) if token else sign_in.from_host(host)
    if target is None:
        return sign_in.from_environment()
    if isinstance(target, str):
        return sign_in.from_host(target) if "://" in target or "." in target else sign_in.from_profile(target)
    config: Any = getattr(target, "config", target)  # a WorkspaceClient has one, a Config is one
    if callable(getattr(config, "authenticate", None)):
        return sign_in.from_sdk_config(config)
    raise errors.ConfigurationError(
        "connect() takes a profile, a host, a databricks.sdk WorkspaceClient or Config, or 'sandbox'; "
        f"not a {type(target).__name__}."
    )


def _start_sandbox(
    clock: Clock,
    retries: RetryPolicy | None,
    home: str | os.PathLike[str] | None,
    *,
    tokens: int,
    seed: int,
    workspaces: int,
) -> Workspace:
    from tokenkit.sandbox import Sandbox  # noqa: PLC0415 - a web server and a database, for those who ask for them

    sandbox = Sandbox(tokens=tokens, seed=seed, workspaces=workspaces, clock=lambda: clock().timestamp())
    sandbox.start()
    # Without the address: the line stands in saved notebooks, where a port would change with each run.
    what = f"{tokens:,} made-up tokens" + (f" in each of {workspaces:,} workspaces" if workspaces > 1 else "")
    sys.stderr.write(f"Started a sandbox in this process: {what}, nothing of it is real.\n")
    if SANDBOX in sign_in.profiles():
        sys.stderr.write(f"Your profile {SANDBOX!r} was not used; connect to it by its host, or rename it.\n")
    # Whatever speaks with the sandbox signs by it and so holds it; when nothing does any more, it ends.
    sandbox.stop_when_forgotten()
    credentials = sign_in.Credentials(
        sandbox.host,
        lambda: {"Authorization": f"Bearer {sandbox.token}"},
        origin="the sandbox in this process",
        name=SANDBOX,
    )
    # What was done to a make-believe workspace does not belong into the record of the real ones.
    temporary = tempfile.TemporaryDirectory(prefix="tokenkit-") if home is None else None
    folder = Path(temporary.name if temporary else home or "")
    workspace = Workspace(credentials, folder=folder, clock=clock, retries=retries, sandbox=sandbox)
    if temporary:
        weakref.finalize(workspace, temporary.cleanup)
    return workspace


def _clock(given: Clock | pd.Timestamp | str | None) -> Clock:
    if given is None:
        return lambda: pd.Timestamp.now(tz="UTC")
    if callable(given):
        return given
    moment = pd.Timestamp(given)
    moment = moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
    return lambda: moment


class Workspace:
    """A workspace and what an admin does with its tokens. ``connect`` makes one.

    Attributes:
        host: Its address.
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
        transport = Transport(credentials, retries=retries)
        one_shot = Transport(credentials, retries=RetryPolicy(budget_seconds=0))
        self._transports = (transport, one_shot)
        self._one_shot = TokenManagementAPI(one_shot)
        self.host = credentials.host
        self.name = credentials.name
        self.token_management = TokenManagementAPI(transport)
        self.sandbox = sandbox
        self.folder = folder
        self._origin = credentials.origin
        self._identities = IdentitiesAPI(transport)
        self._settings = SettingsAPI(transport)
        self._secrets = SecretsAPI(transport)
        self._now = _clock(clock)
        _CONNECTED[self.host] = self

    def __repr__(self) -> str:
        return f"<Workspace {self.name}, signed in by {self._origin}>"

    def close(self) -> None:
        """Close the connections that are kept open; a later call opens new ones."""
        for transport in self._transports:
            transport.close()

    def now(self) -> pd.Timestamp:
        """Return the moment that ages and statuses are counted to."""
        return self._now()

    def users(self) -> pd.DataFrame:
        """Return every user: ``id, user_name, display_name, active, groups``."""
        return self._identities.users()

    def service_principals(self) -> pd.DataFrame:
        """Return every service principal: ``id, application_id, display_name, active, groups``."""
        return self._identities.service_principals()

    def groups(self) -> pd.DataFrame:
        """Return every group: ``id, display_name, members`` (ids of those directly in it)."""
        return self._identities.groups()

    def identities(self) -> access.Identities:
        """Return users, service principals and groups together, as the reviews of access take them."""
        return access.Identities(users=self.users(), service_principals=self.service_principals(), groups=self.groups())

    def me(self) -> str:
        """Return the caller's user name, or the application id of a service principal."""
        return self._caller()[1]

    def _caller(self) -> tuple[int, str]:
        caller = self._identities.me()
        return int(caller.get("id", 0)), str(caller.get("userName", ""))

    def _target(self) -> Target:
        return Target(
            host=self.host,
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

    def token_settings(self) -> TokenSettings:
        """Return whether tokens are enabled, and the longest lifetime of a new one."""
        return self._settings.token_settings()

    def secret_scopes(self) -> list[str]:
        """Return the names of the secret scopes that the caller can see."""
        return self._secrets.scopes()

    def put_secret(self, scope: str, key: str, value: str) -> None:
        """Write a Databricks secret, such as the value of a new token; one that is there is overwritten.

        Args:
            scope: The secret scope's name; it must be there.
            key: What the secret is called in it.
            value: The secret itself. It is sent, and neither kept nor shown.

        Raises:
            NotFoundError: There is no such scope.
            PermissionDeniedError: The caller may not write to it.
        """
        self._secrets.put(scope, key, value)

    def tokens(self, where: str | None = None, *, created_by: str | None = None, **criteria: Any) -> pd.DataFrame:  # noqa: ANN401
        """Return the listing joined with its owners and the columns derived from its times.

        Args:
            where: An expression over the columns, in the language of ``DataFrame.query``:
                ``"idle_days > 60 and owner_kind == 'user'"``. It may read columns and nothing else; see
                ``filters.where``.
            created_by: Only tokens that this user made; the one filter that the server applies.
            criteria: Further filters, which all must hold: the keywords of ``filters.FILTERS``, such as
                ``owner="*@example.com"``, ``idle="90d"``, ``status="active"``, ``never_expires=True``.

        Returns:
            The columns of ``frames.TOKENS``, any field the server added, then the derived ones: ``status``,
            ``never_expires``, ``age_days``, ``lifetime_days``, ``expires_in_days``, ``idle_days``, ``effective_end``,
            ``owner``, ``owner_kind``, ``owner_active``. An empty listing has them all.

        Raises:
            UsageError: An unknown filter or column, or an expression that does more than read columns.
        """
        filters.check(where, criteria)
        listing = self.token_management.list(created_by_username=created_by)
        now = self.now()
        aged = lifecycle.with_lifecycle(listing, now=now)
        joined = owners.with_owners(aged, users=self.users(), service_principals=self.service_principals())
        tokens = filters.matching(joined, **criteria)
        tokens = expressions.where(tokens, where) if where else tokens
        tokens.attrs |= {HOST: self.host, TAKEN_AT: now.isoformat()}  # as texts: pandas writes attrs as JSON
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
        file = self._snapshots_in(path)
        if file.suffix != SUFFIX:
            file = unused_file(file, workspace=self.name, taken_at=taken_at)
        return write_snapshot(tokens, file, host=self.host, workspace=self.name, taken_at=taken_at)

    def snapshots(self, path: str | os.PathLike[str] | None = None) -> pd.DataFrame:
        """Return this workspace's snapshots in a folder and those below it, oldest first.

        Args:
            path: The folder; the one that ``snapshot`` writes to by default.

        Returns:
            ``path, workspace, host, taken_at, tokens`` (how many).
        """
        found = list_snapshots(self._snapshots_in(path).rglob(f"*{SUFFIX}"))
        return found[found[HOST] == self.host].reset_index(drop=True)

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
        everybody = holders.holders(permissions, self.identities(), self.tokens())
        return expressions.where(everybody, where) if where else everybody

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
        chosen = audits.chosen(rules, also=also, skip=skip)
        needs = {need for rule in chosen for need in rule.needs}
        context = Context(
            now=self.now(),
            identities=self.identities(),
            permissions=self._permissions() if "permissions" in needs else None,
            settings=self.token_settings() if "settings" in needs else None,
        )
        listing = self.token_management.list()
        return audits.audit(
            listing,
            context,
            rules=chosen,
            thresholds=thresholds,
            accept=accept,
            name=self.name,
            plan=self.revoke,
            write=report.write,
        )

    def scopes(self, where: str | None = None, *, created_by: str | None = None, **criteria: Any) -> pd.DataFrame:  # noqa: ANN401
        """Return for each token what it was granted, what it is known to use, and the smallest set between.

        Args:
            where: An expression over the columns of ``tokens`` and those returned: ``"advice == 'narrow'"``.
            created_by: As for ``tokens``.
            criteria: As for ``tokens``.

        Returns:
            ``token_id, owner, owner_kind, last_used_day, autoscope_state, scopes, reach, used_scopes, unused_scopes,
            new_scopes, advice, reason``. See ``review.scopes`` for what they mean, and ``plan_scopes`` to follow the
            advice.
        """
        filters.check(where, criteria)
        tokens = self.tokens(created_by=created_by, **criteria)
        advised = scopes.advise(tokens)
        if where:
            both = tokens.join(advised[advised.columns.difference(tokens.columns)])
            advised = advised.loc[expressions.where(both, where).index]
        return advised

    def find_leaked(
        self,
        values: Iterable[str] | str | None = None,
        *,
        file: str | os.PathLike[str] | None = None,
        report: str | os.PathLike[str] | None = None,
    ) -> Leaks:
        """Return which of the workspace's tokens leaked: whose they are, what they may do, where they were seen.

        Values are hashed here and compared with the listing's ids. They are not sent, kept, shown or written anywhere.
        Without an argument they are asked for, and what is typed is not shown; do not write one into a cell or a
        command, which are saved.

        **Not found is not harmless.** It says that no token in this listing has this value: another workspace may have
        issued it.

        Args:
            values: The values, from wherever a program has them.
            file: A text of any kind that is searched for values, or a list with a value a line.
            report: The report of gitleaks (``-f json``) or trufflehog 3 (``--json``), with the values in it.

        Raises:
            UsageError: More than one of them; a file that cannot be read; a report that is none, is cut short, or has
                its values redacted.
        """
        if sum(each is not None for each in (values, file, report)) > 1:
            raise errors.UsageError("Give values, a file or a report: one of them at a time.")
        if file is not None:
            sightings = leaked.from_file(file)
        elif report is not None:
            sightings = leaked.from_report(report)
        else:
            sightings = leaked.from_values(leaked.typed(ask_unseen) if values is None else values)
        del values  # what fails below must not have them in its frame
        return leaked.matched(sightings, self.tokens(), name=self.name, plan=self.revoke)

    def _permissions(self) -> pd.DataFrame | None:
        """Return who may use tokens; None where no token was ever made, of which the API says that nothing is there."""
        try:
            return self.token_management.get_permissions()
        except errors.NotFoundError:
            return None

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
            tokens: A frame with the column ``token_id``, ids, or one id. What counts is the ids; everything else about
                the tokens is read from the workspace now.
            include_own: Also revoke tokens of whoever is signed in. Left out by default, as one of them may be what
                this session is signed in with.
            protect: Tokens that are not revoked even if they are asked for, in addition to ``[protect]`` in
                ``config.toml``: patterns under ``owners``, ``comments``, ``token_ids``.
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
        reason: str | None = None,
    ) -> PermissionPlan:
        """Return a plan to change who may use tokens: who gains and loses the right, and **which tokens die of it**.

        It changes nothing. Groups are expanded, nested ones too; somebody who keeps the right by another path keeps
        their tokens; ``admins`` keeps ``CAN_MANAGE`` whatever the list says.

        Args:
            access_control_list: As for ``token_management.set_permissions``.
            replace: Whether the entries replace all others, or are added to them.
            reason: Why, for the journal.

        Raises:
            UsageError: An entry that names nobody or several, or no level.
        """
        return permissions.make(self._target(), access_control_list, replace=replace, reason=reason)

    def plan_update(
        self,
        tokens: Tokens,
        *,
        comment: str | None = None,
        scopes: Sequence[str] | None = None,
        reason: str | None = None,
    ) -> UpdatePlan:
        """Return a plan to give tokens another comment or other scopes. It changes nothing, and can be undone once
        applied.

        Args:
            tokens: As for ``revoke``. Where neither ``comment`` nor ``scopes`` is given, a frame in which each row says
                what its own token gets: ``new_comment``, ``new_scopes`` (the columns of ``UpdatePlan.preview`` and of
                ``scopes``); what is missing there is left.
            comment: What it is to be, for all alike; None leaves it.
            scopes: What they are to be, for all alike; None leaves them.
            reason: Why, for the journal.

        Raises:
            UsageError: A token that is not there, or nothing to change.
        """
        return update.make(self._target(), update.changes_of(tokens, comment=comment, scopes=scopes), reason=reason)

    def plan_scopes(
        self,
        where: str | None = None,
        *,
        created_by: str | None = None,
        reason: str | None = None,
        **criteria: Any,  # noqa: ANN401
    ) -> UpdatePlan:
        """Return a plan to narrow tokens to the scopes that they use, each to its own. It changes nothing, and can be
        undone once applied.

        Args:
            where: As for ``scopes``.
            created_by: As for ``scopes``.
            reason: Why, for the journal.
            criteria: As for ``scopes``. Of the tokens that they choose, those are in the plan whose use is known to be
                less than what they were granted.
        """
        return self.plan_update(self.scopes(where, created_by=created_by, **criteria), reason=reason)

    def explore(self, where: str | None = None, *, page_size: int = 100, plain: bool = False) -> Explorer:
        """Return the screen on which tokens are filtered, looked at, selected and changed; it shows itself.

        Args:
            where: Only tokens for which this expression holds, as for ``tokens``.
            page_size: How many rows a page has, at most 500.
            plain: Whether the table is a plain list, for front ends that cannot load its JavaScript.
        """
        from tokenkit.widgets.bulk import revoking, staging, updating  # noqa: PLC0415 - widgets are for notebooks
        from tokenkit.widgets.explorer import Explorer, Source  # noqa: PLC0415

        if where:
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
            plan=lambda entries: self.plan_permissions(entries, replace=True),
        )
        return PermissionReview(source, plain=plain)

    def undo(self, run_id: str) -> UpdatePlan:
        """Return the plan that puts back what an update changed; only what the journal says was updated.

        Args:
            run_id: As ``UpdatePlan.run_id`` and ``journal`` name it.

        Raises:
            UsageError: There is no such run, or it was no update.
        """
        return update.undo(self._target(), run_id)

    def journal(self) -> pd.DataFrame:
        """Return what was done to this workspace's tokens from here: a row for each token of each run, oldest first.

        Returns:
            ``run_id, kind, workspace, host, caller, reason, token_id, owner, outcome, error, attempts, started_at,
            finished_at, run_started_at, snapshot`` (JSON of what the token was). No run gives the same columns with no
            rows.

        Raises:
            JournalError: The journal is damaged.
        """
        with Journal(self.folder) as journal:
            return journal.frame(host=self.host)


def ask_unseen(question: str) -> str | None:
    """Return what a person types without showing it; None where nobody can be asked, or it would show."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return getpass.getpass(question)
        except (EOFError, NotImplementedError, getpass.GetPassWarning):
            return None


def resume(run_id: str, *, workspace: Workspace | None = None, progress: bool = True) -> pd.DataFrame:
    """Finish a run that was stopped, killed or staged, and return what became of each of its tokens.

    What the journal records as revoked, gone or skipped is left alone. What may have been carried out is looked up
    first. What was used or changed owner since the plan is skipped, as it would have been by ``apply``.

    Args:
        run_id: As ``apply`` and ``Workspace.journal`` name it.
        workspace: The workspace of the run; by default one that is connected to the same host, else signed in as the
            run was.
        progress: Show a progress bar once it takes more than two seconds.

    Returns:
        A row for each token of the run: ``token_id, owner, outcome, error, attempts, started_at, finished_at``.

    Raises:
        UsageError: There is no such run, or the workspace is another than the run's.
    """
    with Journal(workspace.folder if workspace else folder_of(run_id)) as journal:
        run = journal.run(run_id)
        return carry_on(journal, run, workspace or workspace_of(run), progress=progress)


def carry_on(
    journal: Journal, run: Run, workspace: Workspace, *, progress: bool | Progress, stop: threading.Event | None = None
) -> pd.DataFrame:
    """Carry out what is left of a run that a journal has.

    Raises:
        UsageError: The workspace is another than the run's, or another process carries it out now.
    """
    if workspace.host != run.host:
        raise errors.UsageError(
            f"Run {run.run_id} is of {run.host}, not of {workspace.host}. Connect there and give workspace=…."
        )
    with journal.held(run.run_id):
        target, entries = workspace._target(), journal.entries(run.run_id)  # noqa: SLF001 - one module
        return _RESUME[run.kind](target, run, entries, journal, progress=progress, stop=stop)


def changes(
    before: pd.DataFrame | str | os.PathLike[str],
    after: pd.DataFrame | str | os.PathLike[str],
    journal: pd.DataFrame | None = None,
    *,
    after_at: pd.Timestamp | str | None = None,
) -> pd.DataFrame:
    """Return what changed between two listings of one workspace: a row for each change, and why tokens are gone.

    ::

        tokenkit.changes("snapshots/prod-20260301T093000Z.parquet", ws.tokens())

    Args:
        before: The earlier listing: a frame of ``Workspace.tokens`` or ``read_snapshot``, or a snapshot's file.
        after: The later one, likewise.
        journal: What was done from here, as ``Workspace.journal`` has it; by default it is looked up for the workspace
            that the listings name.
        after_at: When the later listing was taken, for a frame that does not say so; by default, now.

    Returns:
        ``token_id, change, cause, owner, comment, before, after, at, run_id``. ``change`` is ``created``, ``vanished``,
        ``re-owned``, ``re-scoped``, ``comment changed`` or ``first used``. ``cause`` is the likely one of a token that
        vanished: ``revoked by us`` (with the ``run_id``), ``expired``, ``unused for 90 days``, ``revoked elsewhere``;
        see ``tokenkit.review.changes``. No change gives the same columns with no rows.

    Raises:
        UsageError: The listings are of two workspaces, or the first is the later one; a file is no snapshot.
    """
    was, now = (each if isinstance(each, pd.DataFrame) else read_snapshot(each) for each in (before, after))
    hosts = list(dict.fromkeys(each.attrs[HOST] for each in (was, now) if HOST in each.attrs))
    if len(hosts) > 1:
        raise errors.UsageError(f"The listings are of two workspaces: {hosts[0]} and {hosts[1]}.")
    at = _clock(after_at or now.attrs.get(TAKEN_AT))()
    if TAKEN_AT in was.attrs and pd.Timestamp(was.attrs[TAKEN_AT]) > at:
        raise errors.UsageError("The first listing is the later one. Give the earlier one first.")
    if journal is None and hosts:
        journal = _journal_of(hosts[0])
    return between(was, now, after_at=at, revoked=None if journal is None else _revoked_from_here(journal))


def _journal_of(host: str) -> pd.DataFrame:
    """Return what was done from here to the tokens of a workspace, in hand or not."""
    known = _CONNECTED.get(host)
    with Journal(known.folder if known else state_folder()) as journal:
        return journal.frame(host=host)


def _revoked_from_here(journal: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a journal whose tokens, if they are gone, are gone by our hand.

    Beside what it has as revoked that is what was sent and whose answer nobody saw.
    """
    unseen = journal["outcome"].isin([records.SENT, records.UNKNOWN]) | (journal["error"] == LOST_AND_GONE)
    return journal[(journal["outcome"] == records.REVOKED) | (unseen & (journal["kind"] != update.KIND))]


_RESUME = {module.KIND: module.resume for module in (revocation, permissions, update)}
_CONNECTED: weakref.WeakValueDictionary[str, Workspace] = weakref.WeakValueDictionary()
"""The workspaces in hand by their host, so that a run is resumed with the sign-in that is there."""


def folder_of(run_id: str) -> Path:
    """Return the folder whose journal has a run: of a workspace in hand, else the state folder."""
    for folder in {workspace.folder for workspace in _CONNECTED.values()} - {state_folder()}:
        if (folder / FILE_NAME).exists():
            with Journal(folder) as journal:
                if journal.has(run_id):
                    return folder
    return state_folder()


def workspace_of(run: Run) -> Workspace:
    """Return the workspace of a run: one in hand, else connected as the run was, by its profile or the environment."""
    if (in_hand := _CONNECTED.get(run.host)) is not None:
        return in_hand
    _, is_profile, profile = run.origin.partition("profile ")
    return connect(profile if is_profile else None)
