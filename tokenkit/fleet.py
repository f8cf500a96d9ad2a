"""Many workspaces, and the verbs of one.

Each verb asks every workspace, many at once, and puts the answers one below the other with the column ``workspace``
(its host) before them. **A workspace that fails costs its own rows and no others**: it becomes a row of
``Fleet.errors``, a line says that the answer is partial, and only where nobody answers is there an exception.

One method does all of that, ``Fleet._each``; a verb is what it asks of a workspace.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.actions import journal as records
from tokenkit.actions import plan as plans
from tokenkit.actions.journal import Journal, Run, new_run_id
from tokenkit.actions.plan import Progress, counted
from tokenkit.actions.revocation import token_ids_of
from tokenkit.clock import Clock
from tokenkit.comparison import changes
from tokenkit.connecting import SANDBOX, connect
from tokenkit.fleet_audit import joined_audit
from tokenkit.fleet_plans import (
    FleetPermissionPlan,
    FleetRevocationPlan,
    Plan,
    Record,
    Together,
    by_workspace,
    not_begun,
    with_workspace,
)
from tokenkit.home import home as state_folder
from tokenkit.redaction import redact
from tokenkit.rest import accounts, credentials
from tokenkit.rest.token_management import AccessControlList
from tokenkit.rest.transport import RetryPolicy
from tokenkit.review import expressions, filters
from tokenkit.review.acceptances import Acceptance
from tokenkit.review.audit import Audit, Thresholds
from tokenkit.review.rule import Rule
from tokenkit.runs import carry_on, folder_of, workspace_of
from tokenkit.runs import resume as resume_one
from tokenkit.workspace import Workspace

if TYPE_CHECKING:
    from tokenkit.widgets.explorer import Explorer

WORKERS = 64
"""How many workspaces are asked at once."""

_APPLYING = 8  # each has threads of its own
_PATIENCE = RetryPolicy(budget_seconds=30)  # one that is down should not keep the others waiting for five minutes
_NAMED_FAILURES = 3

ERRORS = pa.schema(
    [("workspace", pa.string()), ("asked", pa.string()), ("kind", pa.string()), ("message", pa.string())]
)

_Answer = TypeVar("_Answer")


def fleet(
    workspaces: object = (),
    *,
    account: object = None,
    account_id: str | None = None,
    clock: Clock | pd.Timestamp | str | None = None,
    retries: RetryPolicy | None = None,
    home: str | os.PathLike[str] | None = None,
    workers: int = WORKERS,
    progress: bool = True,
) -> Fleet:
    """Return many workspaces to work on as one. None of them is asked anything yet.

    Args:
        workspaces: What ``connect`` takes, any number of it: profiles, hosts, official ``WorkspaceClient`` or
            ``Config``; and connected workspaces. Two names for one host are one workspace.
        account: The workspaces of an account, instead: an official ``AccountClient`` or ``Config``, a profile, or the
            host of the account console. Its sign-in is used for each of them. Those that are not running are left out,
            and stand in ``Fleet.errors``.
        account_id: Which account, where ``account`` is a host.
        clock: As for ``connect``; for the workspaces that are not connected yet, as are the next two.
        retries: How patient to be with each; 30 seconds by default, as all wait for the slowest.
        home: The folder of the journal.
        workers: How many workspaces are asked at once.
        progress: Show a progress bar over what takes more than two seconds.

    Raises:
        ConfigurationError: No workspace, an unknown profile, or an account that could not be listed.
    """
    settings: dict[str, Any] = {"clock": clock, "retries": retries or _PATIENCE, "home": home}
    if account is not None:
        if workspaces != ():
            raise errors.ConfigurationError("Give workspaces, or an account, not both.")
        made = _fleet_of_account(accounts.account_config(account, account_id), settings, workers)
        made.shows_progress = progress
        return made
    given = [workspaces] if isinstance(workspaces, str) or not isinstance(workspaces, Iterable) else list(workspaces)
    if not given:
        raise errors.ConfigurationError('A fleet has at least one workspace: fleet(["prod", "dev"]), or account=….')
    made = Fleet([_member(each, settings) for each in given], workers=workers)
    made.shows_progress = progress
    return made


def _fleet_of_account(config: Any, settings: Mapping[str, Any], workers: int) -> Fleet:  # noqa: ANN401 - the SDK's Config
    found = accounts.account_workspaces(config)
    running = [each for each in found if each.status == accounts.RUNNING and each.host]
    if not running:
        raise errors.ConfigurationError(
            f"{config.host}: account {config.account_id} has no running workspace that the caller can see."
        )
    members = [
        _Member(each.host, _folder(settings), lambda each=each: Workspace(each.sign_in(), **_made_with(settings)))  # type: ignore[misc]
        for each in running
    ]
    left_out = {
        each.host or each.name: errors.ConfigurationError(f"{each.name} is {each.status}, so it is not asked.")
        for each in found
        if each not in running
    }
    return Fleet(members, workers=workers, left_out=left_out)


def _member(given: object, settings: Mapping[str, Any]) -> _Member:
    if isinstance(given, Workspace):
        return _Member(given.host, given.folder, lambda: given)
    if not isinstance(given, str) or given == SANDBOX:
        made = connect(given, **settings)  # nothing is asked: an SDK object has signed in, or will
        return _Member(made.host, made.folder, lambda: made)
    credentials.load_sdk()  # before threads would do it, all at once
    is_host = "://" in given or "." in given
    host = credentials.normal_host(given) if is_host else credentials.profile_host(given)
    if not host:
        raise errors.ConfigurationError(
            f"Profile {given!r} names no host, so it is not known which workspace it is: give connect({given!r})."
        )
    return _Member(host, _folder(settings), lambda: connect(given, **settings))


def _folder(settings: Mapping[str, Any]) -> Path:
    return state_folder() if settings["home"] is None else Path(settings["home"])


def _made_with(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {"clock": settings["clock"], "retries": settings["retries"], "folder": _folder(settings)}


class _Member:
    """A workspace of a fleet, connected when it is first asked something: that may take a request."""

    def __init__(self, host: str, folder: Path, connect_it: Callable[[], Workspace]) -> None:
        self.host = host
        self.folder = folder
        self._connect = connect_it
        self._lock = threading.Lock()
        self._workspace: Workspace | None = None

    def workspace(self) -> Workspace:
        with self._lock:
            if self._workspace is None:
                made = self._connect()
                if made.host != self.host:
                    raise errors.ConfigurationError(f"{self.host} turned out to be {made.host}. Name that instead.")
                self._workspace = made
            return self._workspace


class Fleet:
    """Workspaces in hand. ``fleet`` makes one.

    Every verb is that of ``Workspace`` and takes what that takes; a frame has the column ``workspace`` first.

    Attributes:
        hosts: The workspaces' addresses, which is what the column ``workspace`` holds.
        name: What it is called in messages: ``3 workspaces``.
        shows_progress: Whether a progress bar is shown over what takes more than two seconds.
    """

    def __init__(
        self, members: Sequence[_Member], *, workers: int = WORKERS, left_out: Mapping[str, Exception] | None = None
    ) -> None:
        self._members: dict[str, _Member] = {}
        for member in members:
            self._members.setdefault(member.host, member)  # of two names for one host, the first stands
        self._workers = workers
        self.shows_progress = True
        self._failures: dict[str, list[dict[str, str]]] = {}
        self.hosts = tuple(self._members)
        self.name = counted(len(self.hosts), "workspace")
        self._note("discover", left_out or {}, of=len(self) + len(left_out or {}))

    def __len__(self) -> int:
        return len(self.hosts)

    def __repr__(self) -> str:
        failed = len({row["workspace"] for rows in self._failures.values() for row in rows})
        return f"<Fleet of {self.name}{f', {failed} of them failed: see .errors' if failed else ''}>"

    @property
    def errors(self) -> pd.DataFrame:
        """What went wrong: a row for each workspace that failed, ``workspace, asked, kind, message``.

        ``asked`` is the verb; of each verb, the last time counts. ``kind`` is the error's class.
        """
        return frames.frame([row for rows in self._failures.values() for row in rows], ERRORS)

    def forget_errors(self) -> None:
        """Empty ``errors``, before asking anew."""
        self._failures.clear()

    def workspace(self, host: str) -> Workspace:
        """Return one of the workspaces, connected.

        Args:
            host: Its address, as in ``hosts`` and in the column ``workspace``.

        Raises:
            UsageError: It is not of this fleet.
        """
        self._check([host])
        return self._members[host].workspace()

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
        filters.check(where, {name: value for name, value in criteria.items() if name != "created_by"})
        tokens = self._joined("tokens", lambda workspace: workspace.tokens(**criteria))
        return expressions.where(tokens, where) if where else tokens

    def listing(self) -> pd.DataFrame:
        """Return every token as the workspaces list them: the frame of ``token_management.list``, ``workspace`` first.

        One request a workspace; ``tokens()`` adds whose they are and what their times mean.

        Returns:
            ``workspace``, then the columns of ``frames.TOKENS``, and any that a server added.

        Raises:
            FleetError: No workspace answered.
        """
        pieces = self._each("listing", lambda workspace: workspace.pieces())
        together = frames.joined([piece for each in pieces.values() for piece in each], frames.TOKENS)
        return with_workspace(together, {host: sum(map(len, each)) for host, each in pieces.items()})

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
        audits = self._each(
            "audit",
            lambda workspace: workspace.audit(rules, also=also, skip=skip, thresholds=thresholds, accept=accept),
        )
        return joined_audit(audits, name=self.name, plan=self.revoke)

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
        folder = self._dataset(path)

        def save(workspace: Workspace) -> Path:
            place = quote(workspace.host.partition("://")[2], safe="")
            return workspace.snapshot(folder / f"workspace={place}" / f"day={workspace.now():%Y-%m-%d}")

        return self._each("snapshot", save)

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
                raise errors.ConfigurationError(f"{workspace.host} has no snapshot in {folder}. Take one first.")
            return changes(saved["path"].iloc[-1], workspace.tokens())

        return self._joined("changes", changed)

    def _dataset(self, path: str | os.PathLike[str] | None) -> Path:
        return self._folders()[0] / "snapshots" if path is None else Path(path).expanduser()

    def journal(self) -> pd.DataFrame:
        """Return what was done to the workspaces' tokens from here: the frame of ``Workspace.journal``.

        No workspace is asked.

        Returns:
            ``workspace``, then the other columns of ``Workspace.journal``.

        Raises:
            JournalError: The journal is damaged.
        """
        with _open_journals(self._folders()) as journals:
            rows = frames.concat([journal.frame() for journal in journals.values()])
        mine = rows[rows["host"].isin(self.hosts)].reset_index(drop=True)
        return mine.assign(workspace=mine["host"])[["workspace", *mine.columns.drop("workspace")]]

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
        made = self._each(
            "revoke",
            lambda workspace: workspace.revoke(
                chosen[workspace.host], include_own=include_own, protect=protect, reason=reason
            ),
            hosts=list(chosen),
        )
        return FleetRevocationPlan(made, self._apply, unplanned=len(chosen) - len(made))

    def explore(self, where: str | None = None, *, page_size: int = 100, plain: bool = False) -> Explorer:
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

        if where:
            expressions.check(where)

        read_last: list[Audit] = []

        def read() -> tuple[pd.DataFrame, pd.DataFrame]:
            read_last[:] = [audit := self.audit()]
            return expressions.where(audit.tokens, where) if where else audit.tokens, audit.findings

        def lacks() -> str:
            failed = len(self._failures["audit"])
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
        reason: str | None = None,
    ) -> FleetPermissionPlan:
        """Return a plan to make the same change of permissions in every workspace, and which tokens die of it where.

        Args:
            access_control_list: As for ``Workspace.plan_permissions``, as are the others.
            replace: Whether the entries replace all others.
            reason: Why, for the journal.

        Raises:
            FleetError: No workspace answered.
            UsageError: An entry that names nobody or several, or no level.
        """
        made = self._each(
            "plan_permissions",
            lambda workspace: workspace.plan_permissions(access_control_list, replace, reason=reason),
        )
        return FleetPermissionPlan(made, self._apply, unplanned=len(self) - len(made))

    def resume(self, run_id: str, *, progress: bool = True, stop: threading.Event | None = None) -> pd.DataFrame:
        """Finish a run of a fleet, and return what became of each of its tokens; see ``tokenkit.resume``.

        Args:
            run_id: As the plan's ``apply`` and ``journal`` name it.
            progress: Show a progress bar once it takes more than two seconds.
            stop: When set, by another thread, nothing new is sent.

        Returns:
            ``workspace``, then the columns of ``tokenkit.resume``: a row for each token of the run.

        Raises:
            UsageError: There is no such run.
        """
        with _open_journals(self._folders()) as journals:
            parts = [(journal, part) for journal in journals.values() for part in journal.parts(run_id)]
            parts = parts or [(each, each.run(run_id)) for each in journals.values() if each.has(run_id)]
            if not parts:
                raise errors.UsageError(f"There is no run {run_id!r} here; Fleet.journal() has them all.")
            return self._carry_on(run_id, parts, Together(plans.Terminal(), {}), progress=progress, stop=stop)

    def _folders(self) -> list[Path]:
        return list(dict.fromkeys(member.folder for member in self._members.values()))

    def _check(self, hosts: Iterable[object]) -> None:
        for host in hosts:
            if host not in self._members:
                raise errors.UsageError(f"{host!r} is no workspace of this fleet; its .hosts are.")

    def _by_workspace(self, tokens: object) -> dict[str, list[str]]:
        """Return the ids that a frame names, by workspace."""
        if not isinstance(tokens, pd.DataFrame) or not {"workspace", "token_id"} <= set(tokens.columns):
            raise errors.UsageError(
                "Say in which workspace each token is: a frame with the columns workspace and token_id, as "
                "fleet.tokens() gives it. For one workspace, use fleet.workspace(host).revoke(…)."
            )
        self._check(tokens["workspace"].unique())
        return {str(host): token_ids_of(rows) for host, rows in tokens.groupby("workspace", sort=False)["token_id"]}

    def _joined(self, asked: str, ask: Callable[[Workspace], pd.DataFrame]) -> pd.DataFrame:
        return by_workspace(self._each(asked, ask))

    def _each(
        self, asked: str, ask: Callable[[Workspace], _Answer], *, hosts: Sequence[str] | None = None
    ) -> dict[str, _Answer]:
        """Return each workspace's answer by its host, in the fleet's order; those that failed stand in ``errors``.

        Raises:
            UsageError: Every workspace refused the call itself, so it is the call.
            FleetError: None answered.
        """
        answers, failures = self._gather(asked, ask, self.hosts if hosts is None else hosts, workers=self._workers)
        if failures and not answers:
            first = next(iter(failures.values()))
            if all(isinstance(each, errors.UsageError) for each in failures.values()):
                raise first
            self._note(asked, failures, of=len(failures), quietly=True)
            raise errors.FleetError(
                f"{asked}: none of {counted(len(failures), 'workspace')} answered; .errors has all. The first: {first}"
            )
        self._note(asked, failures, of=len(answers) + len(failures))
        return answers

    def _gather(
        self,
        asked: str,
        ask: Callable[[Workspace], _Answer],
        hosts: Sequence[str],
        *,
        workers: int,
        progress: bool = True,
        stop: threading.Event | None = None,
    ) -> tuple[dict[str, _Answer], dict[str, Exception]]:
        """Ask workspaces, many at once; return the answers and the failures by host, in the order given.

        Ctrl-C ends it at once; where there is a ``stop``, it is set, and what is under way is waited for.
        """
        if not hosts:
            return {}, {}
        answers: dict[str, _Answer] = {}
        failures: dict[str, Exception] = {}

        def asked_of(host: str) -> _Answer:
            workspace = self._members[host].workspace()
            try:
                return ask(workspace)
            finally:
                workspace.close()  # a thousand workspaces would keep more connections than a process may have

        pool = ThreadPoolExecutor(min(workers, len(hosts)), thread_name_prefix="tokenkit-fleet")
        futures = {pool.submit(asked_of, host): host for host in hosts}
        try:
            with _progress_bar(len(hosts), asked, shown=progress and self.shows_progress) as advance:
                _wait_for(futures, advance, stop)
        finally:
            pool.shutdown(wait=stop is not None, cancel_futures=True)
        for future, host in futures.items():
            try:
                answers[host] = future.result()
            except CancelledError:
                failures[host] = errors.ConnectionFailedError(f"{host} was not asked: stopped before its turn.")
            except Exception as failure:  # noqa: BLE001 - whatever it is, it costs this workspace only
                failures[host] = failure
        return answers, failures

    def _note(self, asked: str, failures: Mapping[str, Exception], *, of: int, quietly: bool = False) -> None:
        """Keep what failed, and say that it did."""
        self._failures[asked] = [
            {"workspace": host, "asked": asked, "kind": type(failure).__name__, "message": redact(str(failure))}
            for host, failure in failures.items()
        ]
        if failures and not quietly:
            kinds = ", ".join(sorted({type(failure).__name__ for failure in failures.values()})[:_NAMED_FAILURES])
            sys.stderr.write(
                f"{asked}: the answer is partial, {len(failures):,} of {counted(of, 'workspace')} failed ({kinds}); "
                "see .errors.\n"
            )

    def _apply(
        self, made: Mapping[str, Plan], record: Record, *, progress: bool | Progress, stop: threading.Event | None
    ) -> tuple[str, pd.DataFrame]:
        """Write down every plan as a part of one run, then carry them all out; return the run's id and the result."""
        run_id = new_run_id(self.workspace(next(iter(made))).now())
        part_ids = {host: f"{run_id}.{number}" for number, host in enumerate(made, 1)}
        watcher = plans.Terminal() if isinstance(progress, bool) else progress
        together, bars = Together(watcher, {host: len(plan) for host, plan in made.items()}), progress is True
        with _open_journals(self._folders()) as journals:

            def begin(workspace: Workspace) -> tuple[Journal, Run]:
                journal = journals[workspace.folder]
                return journal, record(made[workspace.host], journal, part_ids[workspace.host])

            begun, failures = self._gather("apply", begin, list(made), workers=self._workers, progress=bars)
            ended = self._carry_on(run_id, list(begun.values()), together, progress=bars, stop=stop, failures=failures)
        missed = {host: not_begun(made[host], failure) for host, failure in failures.items()}
        return run_id, frames.concat([ended, by_workspace(missed, empty=plans.RESULT)])

    def _carry_on(
        self,
        run_id: str,
        parts: Sequence[tuple[Journal, Run]],
        together: Together,
        *,
        progress: bool,
        stop: threading.Event | None,
        failures: Mapping[str, Exception] | None = None,
    ) -> pd.DataFrame:
        """Carry out what is left of a run's parts, and return a row for each of their tokens."""
        by_host = {run.host: (journal, run) for journal, run in parts}
        stop = stop or threading.Event()

        def carry_on_there(workspace: Workspace) -> pd.DataFrame:
            journal, run = by_host[workspace.host]
            return carry_on(journal, run, workspace, progress=together.part(run.host), stop=stop)

        strangers = [host for host in by_host if host not in self._members]
        mine = [host for host in by_host if host in self._members]
        workers = min(self._workers, _APPLYING)
        ended, failed = self._gather("apply", carry_on_there, mine, workers=workers, progress=progress, stop=stop)
        failed |= {host: errors.UsageError(f"{host} is not of this fleet.") for host in strangers}
        for host, failure in failed.items():
            journal, run = by_host[host]
            ended[host] = _left(plans.result(journal.entries(run.run_id)), failure)
        failures = {**(failures or {}), **failed}
        self._note("apply", failures, of=len(by_host) + len(failures) - len(failed))
        result = by_workspace({host: ended[host] for host in by_host}, empty=plans.RESULT)
        left = int(result["outcome"].isin([records.PLANNED, records.UNKNOWN]).sum())
        if left or failed:
            together.end_early(f"{counted(left, 'token')} left; tokenkit.resume({run_id!r}) finishes the run.")
        return result


def _left(known: pd.DataFrame, failure: Exception) -> pd.DataFrame:
    """Return what is known of a part that could not be carried out, and why."""
    still_open = known["outcome"] == records.PLANNED
    return known.assign(error=known["error"].mask(still_open, redact(str(failure))))


@contextlib.contextmanager
def _open_journals(folders: Iterable[Path]) -> Iterator[dict[Path, Journal]]:
    """Open the journal of each folder once, for all threads."""
    with contextlib.ExitStack() as stack:
        yield {folder: stack.enter_context(Journal(folder)) for folder in folders}


def _wait_for(futures: Iterable[Future[Any]], advance: Callable[[], None], stop: threading.Event | None) -> None:
    try:
        for _ in as_completed(futures):
            advance()
    except KeyboardInterrupt:
        if stop is None:
            raise
        stop.set()  # what is under way ends by itself, with its true outcomes
        for future in futures:
            future.cancel()
        for _ in as_completed(futures):
            pass


@contextlib.contextmanager
def _progress_bar(total: int, asked: str, *, shown: bool) -> Iterator[Callable[[], None]]:
    if not shown:
        yield lambda: None
        return
    from tqdm.auto import tqdm  # noqa: PLC0415 - only a fleet needs it

    # Nothing is shown of what is over within two seconds.
    with tqdm(total=total, desc=asked, unit="workspace", delay=2, leave=False, file=sys.stderr) as bar:
        yield lambda: bar.update(1) and None


def resume(run_id: str, *, workspace: Workspace | Fleet | None = None, progress: bool = True) -> pd.DataFrame:
    """Finish a run that was stopped, killed or staged, and return what became of each of its tokens.

    What the journal records as revoked, gone or skipped is left alone. What may have been carried out is looked up
    first. What was used or changed owner since the plan is skipped, as it would have been by ``apply``.

    Args:
        run_id: As ``apply`` and ``Workspace.journal`` name it: of one workspace, of a fleet, or of a part of it.
        workspace: The workspace of the run, or the fleet; by default workspaces that are connected to the same host,
            else signed in as the run was.
        progress: Show a progress bar once it takes more than two seconds.

    Returns:
        A row for each token of the run: ``token_id, owner, outcome, error, attempts, started_at, finished_at``; of a
        fleet's run, ``workspace`` before them.

    Raises:
        UsageError: There is no such run, or the workspace is another than the run's.
    """
    if isinstance(workspace, Fleet):
        return workspace.resume(run_id, progress=progress)
    folder = workspace.folder if workspace else folder_of(run_id)
    with Journal(folder) as journal:
        parts = journal.parts(run_id)
    if not parts:
        return resume_one(run_id, workspace=workspace, progress=progress)
    if workspace is not None:
        own = next((part.run_id for part in parts if part.host == workspace.host), parts[0].run_id)
        raise errors.UsageError(f"Run {run_id} is of a fleet: give the fleet, or resume a part of it, such as {own}.")
    return Fleet([_member_of(part, folder) for part in parts]).resume(run_id, progress=progress)


def _member_of(run: Run, folder: Path) -> _Member:
    return _Member(run.host, folder, lambda: workspace_of(run))
