"""The common interface of a workspace, a fleet and a saved listing, which commands use."""

from __future__ import annotations

import os
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pandas as pd

from tokenkit import actions, errors, review
from tokenkit.core.arguments import flag, optional
from tokenkit.core.arguments import folder as folder_of
from tokenkit.core.printable import printable
from tokenkit.core.prompt import ask_unseen
from tokenkit.core.redaction import redact
from tokenkit.core.spelling import is_in_command
from tokenkit.rest.hosts import Address
from tokenkit.rest.statements import StatementsAPI
from tokenkit.rest.token_management import AccessControlList
from tokenkit.review import expressions, filters, lifecycle
from tokenkit.review.criteria import with_filters
from tokenkit.workspaces import usage as usage_sources

if TYPE_CHECKING:
    from tokenkit.actions.options import Progress, RunOptions
    from tokenkit.actions.permissions import PermissionEffects
    from tokenkit.actions.plan import Plan
    from tokenkit.actions.resumption import RemainingPlan
    from tokenkit.review.audit import Audit, Thresholds
    from tokenkit.review.audit_log import Question
    from tokenkit.review.leaks import Leaks, Source
    from tokenkit.review.rule import Rule
    from tokenkit.review.waivers import Waiver


class TokenSource(ABC):
    """A workspace, a fleet or a saved listing: tokens with their owners, and reviews of them.

    Attributes:
        name: The name in messages.
    """

    name: str
    _value_names: Mapping[str, Mapping[str, str]] = MappingProxyType({})
    """Names that an expression can use for the values of a column; see ``expressions.where``."""

    @abstractmethod
    def _described(self, *, with_aliases: bool) -> pd.DataFrame:
        """Return the tokens with their owners and the columns derived from their times.

        Args:
            with_aliases: Whether to add the columns of ``owners.ALIASES``.
        """

    @with_filters
    def tokens(self, where: str | None = None, **criteria: Any) -> pd.DataFrame:  # noqa: ANN401
        """Return the tokens with their owners and the columns derived from their times.

        All filters must match; of a list of values, one must match. A service principal matches by its display name,
        application id or id. If nothing matches, a message names the values that no token has, with similar ones.

        Args:
            where: An expression over the columns, in the language of ``DataFrame.query``:
                ``"idle_days > 60 and owner_kind == 'user'"``. It can only read columns; see ``expressions.where``.
            criteria: The filters of ``criteria.CRITERIA``.

        Returns:
            The columns of ``frames.TOKENS``, any field that the server added, then the derived columns: ``status``,
            ``never_expires``, ``age_days``, ``lifetime_days``, ``expires_in_days``, ``idle_days``, ``effective_end``,
            ``owner``, ``owner_kind``, ``owner_active``. A fleet's frame has ``workspace`` as its first column. Without
            tokens the frame has the same columns and no rows.

        Raises:
            UsageError: A filter or a column is unknown, or the expression does more than read columns.
            FleetError: No workspace of the fleet responded.
        """
        values = filters.check(where, criteria)
        described = self._described(with_aliases=filters.names_principals(values))
        found = filters.matching(described, **criteria)
        if not len(found) and not is_in_command():
            for sentence in filters.misspelt(described, criteria):
                sys.stderr.write(f"{self.name}: {printable(redact(sentence))}\n")
        if "workspace" in found:  # rows of a fleet have no unique index
            found = found.reset_index(drop=True)
        return self.filtered(found, where)

    def filtered(self, rows: pd.DataFrame, where: str | None) -> pd.DataFrame:
        """Return the rows for which an expression is true; without an expression, all.

        Args:
            rows: A frame of this source.
            where: As for ``tokens``.

        Raises:
            UsageError: As for ``tokens``.
        """
        if where is None:
            return rows
        more = lifecycle.ON_REQUEST if "effective_end" in rows else {}  # not in a frame of principals
        return expressions.where(rows, where, self._value_names, more)

    def tokens_with_aliases(self) -> pd.DataFrame:
        """Return all tokens as ``tokens`` does, with ``owners.ALIASES``: all names of each owner."""
        return self._described(with_aliases=True)

    @abstractmethod
    def principal_names(self) -> list[str] | None:
        """Return all names and ids of users and service principals, or None if they are not known."""

    @with_filters
    def scopes(self, where: str | None = None, **criteria: Any) -> pd.DataFrame:  # noqa: ANN401
        """Return for each token its granted scopes, the scopes in use, and the smallest sufficient set.

        Args:
            where: An expression over the columns of ``tokens`` and the returned ones: ``"advice == 'narrow'"``.
            criteria: As for ``tokens``.

        Returns:
            ``token_id, owner, owner_kind, last_used_day, autoscope_state, scopes, reach, used_scopes, unused_scopes,
            new_scopes, advice, reason``. See ``review.scopes`` for their meaning, and ``plan_scopes`` to follow the
            advice. A fleet's frame has ``workspace`` as its first column.

        Raises:
            UsageError: A filter or a column is unknown.
            FleetError: No workspace of the fleet responded.
        """
        filters.check(where, criteria)
        advised, described = review.scopes.advised(self.tokens(**criteria))
        return advised if where is None else advised.loc[self.filtered(described, where).index]

    @abstractmethod
    def _audit(self, rules: Sequence[Rule], *, usage: pd.DataFrame | None, **settings: Any) -> Audit:  # noqa: ANN401
        """Run rules on the tokens."""

    def audit(
        self,
        rules: Iterable[str | Rule] | None = None,
        *,
        also: Iterable[Rule] = (),
        skip: Iterable[str] = (),
        thresholds: Thresholds | None = None,
        waivers: Iterable[Waiver] | str | os.PathLike[str] | None = None,
        usage: pd.DataFrame | None = None,
    ) -> Audit:
        """Return the risks of the tokens: a finding for each token and rule. It changes nothing.

        The frames of a fleet's audit have ``workspace`` as their first column. Its ``summary`` adds up the workspaces,
        and ``not_checked`` says in how many of them a rule was not checked. An audit of a saved listing only checks
        rules that need no more than a listing.

        Args:
            rules: Only these rules: ids, or ids of the Security Analysis Tool (``IA-4``); all rules by default. See
                ``docs/audit-rules.md``.
            also: Additional rules of your own; the decorator ``tokenkit.rule`` turns a function into a rule.
            skip: Ids of rules to skip. Data that only these rules need is not requested.
            thresholds: Thresholds that replace those of the rules: ``{"unused": {"idle_days": 45}}``.
            waivers: The file of waivers, which accept findings for a reason and until a date; see
                ``tokenkit.review.waivers``.
            usage: The result of ``usage``, for rules that need evidence of use. Without it, these rules are not run, or
                not checked if ``rules`` names them.

        Raises:
            UsageError: A rule or a threshold is unknown, or ``usage`` is another frame.
            ConfigurationError: The waivers cannot be read.
            FleetError: No workspace of the fleet responded.
        """
        from tokenkit.output.report import write  # noqa: PLC0415 - needed only for reports

        chosen = review.audit.chosen(rules, also=also, skip=skip, with_usage=usage is not None)
        waivers = review.waivers.waivers_of(waivers)
        return replace(self._audit(chosen, usage=usage, thresholds=thresholds, waivers=waivers), _write=write)

    def find_leaked(
        self,
        values: Iterable[str] | str | None = None,
        *,
        file: Source | None = None,
        report: Source | None = None,
    ) -> Leaks:
        """Return which tokens leaked, with their owners, their scopes and the locations of their values.

        Values are hashed here and compared with the ids in the listing. They are not sent, stored, displayed or
        written. Without an argument, a prompt asks for values and hides the input. Do not write a value into a cell or
        a command, because both are saved.

        **A value without a match can still be valid.** It matches no token in this listing, but another workspace may
        have issued it. If a workspace of a fleet does not respond, ``errors`` names it. A fleet of an account also
        compares leaked OAuth secrets with the secrets of the account's service principals.

        Args:
            values: The values.
            file: A scanner's report, any text to search for values, or a list with one value per line. It can be an
                open file, such as ``sys.stdin.buffer``. A value in an encoding such as Base64 is found only if a
                scanner decoded it.
            report: Only a scanner's report: gitleaks 7 and 8 (JSON, CSV, SARIF), trufflehog 2 and 3 (``--json``),
                GitHub's secret-scanning alerts, GitLab's secret detection, ggshield, detect-secrets. Values that it
                redacted or hashed are in ``not_comparable``.

        Raises:
            UsageError: More than one argument is given, the file cannot be read, or the report is not supported, is
                truncated, or contains a line that cannot be read.
            FleetError: No workspace of the fleet responded.
        """
        occurrences = review.leaks.seen(values, file=file, report=report, ask=ask_unseen)
        del values  # the frame of a later error must not contain them
        if occurrences is None:
            raise errors.UsageError(review.leaks.ONE_AT_A_TIME)
        return self._matched(occurrences)

    @abstractmethod
    def _matched(self, occurrences: pd.DataFrame) -> Leaks:
        """Return the tokens that occurrences of values belong to."""


_Answer = TypeVar("_Answer")
_Update_co = TypeVar("_Update_co", bound="Plan", covariant=True)


class ManagedSource(TokenSource, Generic[_Update_co]):
    """A workspace or a fleet. Frames of a fleet have ``workspace`` as their first column.

    Methods accept frames of tokens as returned by ``tokens``. A fleet's frame names the workspaces. A workspace also
    accepts token ids. The type parameter is the type of the plans that update tokens.

    Attributes:
        full_name: The name in confirmations, with its source.
        hosts: The names of the workspaces in frames: their hosts, with ``?o=ID`` if several share one.
        folders: The folders of their journals.
        labels: The names of the workspaces of a fleet in tables, by address.
    """

    full_name: str
    hosts: tuple[str, ...]
    folders: Sequence[Path]
    labels: Mapping[str, str]

    def name_for(self, hosts: Sequence[str]) -> str:  # noqa: ARG002 - for a fleet
        """Return the name in messages; of a fleet, with the number of the workspaces that the message is about.

        Args:
            hosts: The workspaces that the message is about.
        """
        return self.name

    def full_name_for(self, hosts: Sequence[str]) -> str:  # noqa: ARG002 - as above
        """Return the name in confirmations; of a fleet, with the names of the workspaces that change.

        Args:
            hosts: The workspaces that change.
        """
        return self.full_name

    @abstractmethod
    def addresses(self) -> Mapping[str, Address]:
        """The host and the id of each workspace in ``hosts``, as far as they are known without a request."""

    @abstractmethod
    def principal_names(self) -> list[str]:
        """See ``Workspace.principal_names``."""

    @abstractmethod
    def permissions(self) -> pd.DataFrame | None:
        """See ``Workspace.permissions``."""

    @abstractmethod
    def access(self, where: str | None = None, *, usage: pd.DataFrame | None = None) -> pd.DataFrame:
        """See ``Workspace.access``."""

    @abstractmethod
    def listing(self) -> pd.DataFrame:
        """See ``Workspace.listing``."""

    @abstractmethod
    def service_principals(self) -> pd.DataFrame:
        """See ``WorkspaceAPI.service_principals``."""

    @abstractmethod
    def now(self) -> pd.Timestamp:
        """Return the reference time for ages."""

    @abstractmethod
    def _statements(self) -> Mapping[str, StatementsAPI]:
        """Return the APIs that can have a warehouse, by the name of their workspace."""

    def usage(
        self,
        days: int = 30,
        rows: Any = None,  # noqa: ANN401 - a frame of one of three libraries, or a file
        warehouse_id: str | None = None,
        *,
        spark: Any = None,  # noqa: ANN401 - a SparkSession, classic or Connect
        start_warehouse: bool = False,
    ) -> pd.DataFrame:
        """Return what used each token, from the audit log: a row for each token, the most used first.

        A token without a row has no sign-in in the rows that were read. This does not prove that it is unused: the log
        is delayed by minutes to hours and covers only the metastore's region. The token ids in the log are probably
        those of the listing, but this is not proven; ``attrs`` says how many of them are listed.

        Args:
            days: The number of days to read from the log, up to 365. It does not limit given rows.
            rows: Rows of ``system.access.audit`` from an earlier query: a DataFrame of pandas or Spark, an Arrow table,
                or a file of Parquet or JSON lines.
            warehouse_id: The SQL warehouse that reads the log; ``DATABRICKS_WAREHOUSE_ID`` by default. It is used if
                no rows are given and Spark is not in use.
            spark: The session that reads the log; by default the active one of a program that uses Spark.
            start_warehouse: Whether to start a stopped warehouse, which costs money.

        Returns:
            ``token_id, logins, first_login, last_login, days_used, source_addresses, source_networks, user_agents,
            clients, matched, identities``, and the counts of the lists: ``source_addresses_counts,
            source_networks_counts, user_agents_counts, clients_counts, identities_counts``. A fleet's frame has
            ``workspace`` as its first column, missing for a token that is not listed. Without sign-ins the frame has
            the same columns and no rows.

        Raises:
            UsageError: The rows are not from the audit log.
            WarehouseStoppedError: The warehouse is stopped.
            ConfigurationError: There is no warehouse.
            StatementFailedError: The log cannot be read. The message names the missing permission.
        """
        question = review.sign_ins.SIGN_INS
        found = self._read_log(question, days, rows, warehouse_id, spark=spark, start_warehouse=start_warehouse)
        frame = review.usage.usage(found, self.listing(), self.service_principals())
        frame.attrs[review.usage.READ_FROM] = usage_sources.source(rows, warehouse_id, since=self._first_day(days))
        return frame

    def sign_in_methods(
        self,
        days: int = 30,
        rows: Any = None,  # noqa: ANN401 - a frame of one of three libraries, or a file
        warehouse_id: str | None = None,
        *,
        spark: Any = None,  # noqa: ANN401 - a SparkSession, classic or Connect
        start_warehouse: bool = False,
    ) -> pd.DataFrame:
        """Return how each owner of active tokens signs in. Owners who sign in only without tokens come first.

        Args:
            days: As for ``usage``, as are the other parameters.
            rows: Rows from an earlier query.
            warehouse_id: The SQL warehouse.
            spark: The session.
            start_warehouse: Whether to start a stopped warehouse.

        Returns:
            ``owner, owner_kind, tokens, token_logins, oauth_logins, browser_logins, last_token_login, last_other_login,
            only_other``; see ``review.sign_in_methods.by_owner``. A row for each owner of an active token. A fleet's
            owners are those of all workspaces.

        Raises:
            UsageError: As for ``usage``, as are the other errors.
        """
        question = review.sign_in_methods.METHODS_OF_IDENTITIES
        found = self._read_log(question, days, rows, warehouse_id, spark=spark, start_warehouse=start_warehouse)
        return review.sign_in_methods.by_owner(found, self.tokens(), self.service_principals())

    def usage_details(
        self,
        token_id: str,
        days: int = 30,
        rows: Any = None,  # noqa: ANN401 - a frame of one of three libraries, or a file
        warehouse_id: str | None = None,
        *,
        spark: Any = None,  # noqa: ANN401 - a SparkSession, classic or Connect
        start_warehouse: bool = False,
    ) -> pd.DataFrame:
        """Return what probably happened after the sign-ins with a token, the most frequent first.

        The log names a token only in its sign-ins. Events within the following hour are attributed to it by identity
        and address. This is a guess: another program with the same identity and address looks the same.

        Args:
            token_id: The id of one token.
            days: As for ``usage``, as are the other parameters.
            rows: Rows from an earlier query.
            warehouse_id: The SQL warehouse.
            spark: The session.
            start_warehouse: Whether to start a stopped warehouse.

        Returns:
            ``service, action, object`` (a table, a job or another object that the event names), ``events`` (how many),
            ``first_time, last_time``; at most 1,000 rows.

        Raises:
            UsageError: The argument is not the id of a token, or as for ``usage``, as are the other errors.
        """
        question = review.usage_details.details(token_id)
        return self._read_log(question, days, rows, warehouse_id, spark=spark, start_warehouse=start_warehouse)

    def _first_day(self, days: int) -> str:
        return usage_sources.first_day(days, self.now())

    def _read_log(
        self,
        question: Question[_Answer],
        days: int,
        rows: Any,  # noqa: ANN401 - as usage's
        warehouse_id: str | None,
        *,
        spark: Any,  # noqa: ANN401 - as usage's
        start_warehouse: bool,
    ) -> _Answer:
        since = self._first_day(days)
        warehouse_id = optional("warehouse_id", warehouse_id, str)
        may_start = flag("start_warehouse", start_warehouse)
        if rows is not None:
            return usage_sources.from_rows(question, rows)
        session = usage_sources.active_spark() if spark is None else spark
        if warehouse_id is None and session is not None:
            return usage_sources.from_spark(question, session, since=since)
        return usage_sources.from_warehouse(
            question, self._statements(), warehouse_id, days=days, since=since, may_start=may_start
        )

    @abstractmethod
    def snapshot_files(self, path: str | os.PathLike[str] | None = None) -> dict[str, Path]:
        """See ``Workspace.snapshot_files``."""

    def _snapshots_in(self, path: str | os.PathLike[str] | None) -> Path:
        """Return the folder of snapshots; by default the one next to the journal."""
        return self.folders[0] / "snapshots" if path is None else folder_of("path", path)

    @abstractmethod
    def changes(
        self, path: str | os.PathLike[str] | None = None, *, since: str | pd.Timedelta | pd.Timestamp | None = None
    ) -> pd.DataFrame:
        """See ``Workspace.changes``."""

    @abstractmethod
    def _journalled(self, operation: str, read: Callable[..., pd.DataFrame]) -> pd.DataFrame:
        """Return the journal's rows about the workspaces; ``read`` is a method of ``Journal``."""

    def journal(self) -> pd.DataFrame:
        """Return the changes in the local journal, one row for each token of each run, oldest first. A workspace whose
        id is unknown is asked for it.

        Returns:
            ``run_id, kind, workspace, host, workspace_id, caller, reason, token_id, owner, comment, new_comment,
            scopes, new_scopes, outcome, error, attempts, started_at, finished_at, run_started_at, snapshot`` (JSON of
            the token before the change). ``comment`` and ``scopes`` are of the token before the change. The new values
            are those that an update requested; a field that it did not change has none. Without runs the frame has the
            same columns and no rows. A fleet's frame has ``workspace`` as its first column.

        Raises:
            JournalError: The journal is damaged.
        """
        return self._journalled("journal", actions.journal.Journal.frame)

    def runs(self) -> pd.DataFrame:
        """Return the runs in the local journal, one row for each, oldest first. A workspace whose id is unknown is
        asked for it.

        Returns:
            ``run_id, kind`` (revoke, permissions, update, create-obo), ``workspace, host, workspace_id, caller, reason,
            started_at, finished_at`` (``NaT`` while something is pending or sent, and if there was nothing to do);
            ``change`` (of a run that changes permissions or creates a token, the state of that request: ``pending``,
            ``sent``, ``updated`` or ``created``, ``failed``, ``unknown``, or ``skipped`` if no token was created); then
            the number of ``tokens``, and of those that are ``done`` (created, revoked, updated, already_gone),
            ``skipped, failed, unknown, still_listed``, and ``remaining``, which ``resume`` would process. Without
            tokens, ``remaining`` is 1 if the request itself is not settled. ``settings`` is JSON of what ``resume``
            needs: ``workers, despite_drift, protect, usage`` (the evidence that the plan showed) and ``usage_from``;
            of a run that changes permissions the entries ``asked`` for, those ``before``, and ``replace``; of one that
            creates a token its ``owner_id`` and the ids ``before``; of a staged run also when it is ``due``.
            Without runs the frame has the same columns and no rows. A fleet's frame has ``workspace`` as its first
            column; parts of a run have its id and ``.1``, ``.2`` ….

        Raises:
            JournalError: The journal is damaged.
        """
        return self._journalled("runs", actions.journal.Journal.runs)

    @abstractmethod
    def revoke(
        self,
        tokens: pd.DataFrame,
        usage: pd.DataFrame | None = None,
        *,
        include_own: bool = False,
        reason: str | None = None,
    ) -> Plan:
        """See ``Workspace.revoke``."""

    @abstractmethod
    def plan_permissions(
        self,
        access_control_list: AccessControlList,
        replace: bool = False,  # noqa: FBT001, FBT002 - the contract's signature
        *,
        allow_protected: Iterable[str] = (),
        reason: str | None = None,
    ) -> PermissionEffects:
        """See ``Workspace.plan_permissions``."""

    @abstractmethod
    def plan_permission_removal(
        self,
        access_control_list: AccessControlList,
        *,
        allow_protected: Iterable[str] = (),
        reason: str | None = None,
    ) -> PermissionEffects:
        """See ``Workspace.plan_permission_removal``."""

    @abstractmethod
    def plan_update(
        self,
        tokens: pd.DataFrame,
        *,
        comment: str | None = None,
        scopes: Sequence[str] | None = None,
        reason: str | None = None,
    ) -> _Update_co:
        """See ``Workspace.plan_update``."""

    @with_filters
    def plan_scopes(
        self,
        where: str | None = None,
        *,
        reason: str | None = None,
        allow_none: bool = False,
        **criteria: Any,  # noqa: ANN401
    ) -> _Update_co:
        """Return a plan to narrow each token to the scopes that it uses. It changes nothing, and can be undone once
        applied.

        Of the matching tokens, the plan contains those that are known to use less than they were granted.

        Args:
            where: As for ``scopes``.
            reason: The reason, for the journal.
            allow_none: Whether an owner or creator may be unknown, as in a job that runs every night.
            criteria: As for ``scopes``.

        Raises:
            UsageError: As for ``tokens``; or an owner or creator is unknown, see ``filters.unknown_names``.
            FleetError: No workspace of the fleet responded.
        """
        if not flag("allow_none", allow_none):
            filters.require_known(criteria, tokens=self.tokens_with_aliases, principals=self.principal_names)
        return self.plan_update(self.scopes(where, **criteria), reason=reason)

    @abstractmethod
    def undo(self, run_id: str, *, reason: str | None = None) -> _Update_co:
        """See ``Workspace.undo``."""

    @abstractmethod
    def plan_resume(
        self, run_id: str, usage: pd.DataFrame | None = None, *, ignore_usage: bool = False
    ) -> RemainingPlan:
        """See ``Workspace.plan_resume``."""

    @abstractmethod
    def _resume(self, run_id: str, options: RunOptions) -> pd.DataFrame:
        """Execute what remains of a run."""

    def resume(
        self,
        run_id: str,
        usage: pd.DataFrame | None = None,
        *,
        ignore_usage: bool = False,
        progress: bool | Progress = True,
        stop: threading.Event | None = None,
    ) -> pd.DataFrame:
        """Finish a run, print a summary, and return the outcome of each of its tokens.

        Calling this method is the confirmation; ``plan_resume`` shows beforehand what remains. Tokens that the journal
        records as revoked, already gone or skipped are not processed again. A request that may have been processed is
        looked up first. Tokens that were used or changed owner since the plan are skipped, as ``apply`` does. A staged
        run that was planned with evidence of use reads the audit log again, as it was read for the plan, and skips
        tokens that signed in since. If the log cannot be read, is late, or begins after the plan, nothing is sent.

        Args:
            run_id: The id of the run, as in the plan's ``run_id`` and in ``runs``.
            usage: Newer evidence: the result of ``usage``. Tokens that signed in since the plan are skipped.
            ignore_usage: Whether to resume a run that was planned with evidence without reading it again.
            progress: Whether to show a progress bar if it takes more than two seconds, or a custom listener.
            stop: An event; once another thread sets it, no new request is sent.

        Returns:
            A row for each token of the run: ``token_id, owner, outcome, error, attempts, started_at, finished_at``. A
            fleet's frame has ``workspace`` as its first column.

        Raises:
            UsageError: As for ``plan_resume``; or the run is staged and its grace period is not over, or another
                process is executing it, or its evidence of use cannot be read again.
        """
        options = actions.options.RunOptions(progress=progress, stop=stop, usage=usage, ignore_usage=ignore_usage)
        result = self._resume(run_id, options)
        sys.stderr.write(f"{actions.resumption.report(self.name, run_id, result)}\n")
        return result


AnyWorkspace = ManagedSource["Plan"]
"""A workspace or a fleet, for code that applies the plans of either."""
