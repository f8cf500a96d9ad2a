"""The tokens of several workspaces as a Spark DataFrame: a Python data source with one partition per workspace.

::

    import tokenkit.spark

    tokenkit.spark.register(spark)
    tokens = spark.read.format("databricks_tokens").option("profiles", "prod, stage").load()
    findings = spark.read.format("databricks_token_findings").option("profiles", "prod, stage").load()
    usage = spark.read.format("databricks_token_usage").option("profiles", "prod").option("warehouse_id", "…").load()
    tokenkit.spark.audit(tokens, skip=["no-comment"])  # for tokens that are already in Spark

The first format has the rows of ``Fleet.tokens``, and the second those of ``Fleet.audit``. The third has those of
``Workspace.usage`` for the listed tokens of each workspace, read by its SQL warehouse. All have one additional column,
``error``. To convert a pandas frame to a Spark DataFrame, use ``frames.to_arrow(ws.tokens())``, because an empty column
of lists has no type in pandas.

==================  ==================================================================================================
option              meaning
==================  ==================================================================================================
``profiles``        the workspaces, as profiles of ``~/.databrickscfg``
``hosts``           the workspaces, as hosts
``account``         all workspaces of an account, as a profile or the account console's host, which also requires
                    ``account_id``; the driver lists them, with the same sign-in as the executors
``on_error``        ``row`` (default): a workspace that fails becomes a row with only ``workspace`` and ``error``;
                    ``fail``: the query fails
``warehouse_id``    of the third format: the SQL warehouse; ``DATABRICKS_WAREHOUSE_ID`` of the executor by default
``days``            of the third format: the days of the audit log to read; 30 by default
``clock``           the time that ages and statuses refer to, in ISO 8601; the time of the query by default
==================  ==================================================================================================

**Credentials.** Options appear in query plans, event logs and error messages. So no option accepts a credential, and an
option that looks like one is an error. Options name workspaces. Each task signs in to its workspace with the
environment of its executor: the configuration file with the profiles, or ``DATABRICKS_CLIENT_ID`` and
``DATABRICKS_CLIENT_SECRET`` of a service principal, or ``DATABRICKS_TOKEN``. A Databricks cluster sets an environment
variable from a secret scope if its value is written as ``{{secrets/scope/key}}``.

Rows are exchanged with Spark as Arrow. Spark's conversion to pandas would turn ids with missing values into floats, and
does not support the year 9999. So ``applyInArrow`` is used instead of ``mapInPandas``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.core.home import home
from tokenkit.core.redaction import redact
from tokenkit.core.wording import comma_list, not_installed
from tokenkit.rest import accounts
from tokenkit.rest import credentials as sign_in
from tokenkit.rest.credentials import Credentials
from tokenkit.rest.hosts import address
from tokenkit.rest.transport import RetryPolicy
from tokenkit.rest.workspace import WorkspaceAPI
from tokenkit.review import audit as audits
from tokenkit.review.audit import Thresholds
from tokenkit.review.audit_log import MOST_DAYS
from tokenkit.review.description import described
from tokenkit.review.lifecycle import LIFECYCLE
from tokenkit.review.owners import OWNER
from tokenkit.review.rule import IN_LISTINGS, Context, Rule
from tokenkit.review.rules import RULES
from tokenkit.review.usage import USAGE as EVIDENCE
from tokenkit.workspaces.workspace import Workspace

try:
    from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
except ImportError:
    raise errors.ConfigurationError(
        not_installed("tokenkit.spark requires PySpark 4.0 or later", "pyspark>=4.0")
    ) from None

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

_TIME = pa.timestamp("us", tz="UTC")  # Spark's TIMESTAMP in Arrow
_WORKSPACE, _ERROR = pa.field("workspace", pa.string()), pa.field("error", pa.string())


def _of_spark(field: pa.Field) -> pa.Field:
    return field.with_type(_TIME) if field.type == frames.TIME else field


TOKENS = pa.schema(
    [
        _WORKSPACE,
        *map(_of_spark, (*frames.TOKENS, *LIFECYCLE, *OWNER)),
        _ERROR,
    ]
)
"""The workspace's host, the columns of ``Workspace.tokens``, and the error if the workspace could not be read. Unknown
fields have no columns, because Spark must know the columns before the query."""

_FINDINGS_WITHOUT_ERROR = pa.schema([_WORKSPACE, *[pa.field(name, pa.string()) for name in audits.FINDING_COLUMNS]])
FINDINGS = _FINDINGS_WITHOUT_ERROR.append(_ERROR)
"""The workspace's host, the columns of ``Audit.findings``, and the error if the workspace could not be read."""

USAGE = pa.schema([_WORKSPACE, *map(_of_spark, EVIDENCE), _ERROR])
"""The workspace's host, the columns of ``Workspace.usage``, and the error if the audit log could not be read."""

_LISTING = pa.schema([*frames.TOKENS, *OWNER])  # the input of the rules
_SPARK_TYPES = {
    pa.string(): "STRING",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    _TIME: "TIMESTAMP",
    frames.TEXTS: "ARRAY<STRING>",
    frames.IDS: "ARRAY<BIGINT>",
}
_ROWS_PER_BATCH = 10_000
_FLEET_RETRIES = RetryPolicy(budget_seconds=30)  # the default would delay a query by five minutes
_OPTIONS = ("profiles", "hosts", "account", "account_id", "on_error", "clock")
_OPTIONS_OF_USAGE = (*_OPTIONS, "warehouse_id", "days")
_DAYS = "30"
Ask = Callable[[Credentials, pd.Timestamp], pd.DataFrame]
_ON_ERROR = ("row", "fail")
_SECRET_NAMES = ("token", "secret", "password", "credential", "key", "auth", "bearer")


def register(spark: SparkSession) -> None:
    """Register the formats ``databricks_tokens``, ``databricks_token_findings`` and ``databricks_token_usage``."""
    for source in (TokensDataSource, FindingsDataSource, UsageDataSource):
        spark.dataSource.register(source)


def audit(
    tokens: DataFrame,
    rules: Iterable[str | Rule] | None = None,
    *,
    also: Iterable[Rule] = (),
    skip: Iterable[str] = (),
    thresholds: Thresholds | None = None,
    now: pd.Timestamp | None = None,
) -> DataFrame:
    """Audit tokens in a Spark DataFrame and return the findings, one row per token and rule.

    Each workspace is audited in one task, because some rules count the tokens of an owner. No requests are sent, so
    rules that require settings, permissions or groups of the workspace are skipped. The format
    ``databricks_token_findings`` applies all rules.

    Args:
        tokens: A DataFrame of the format ``databricks_tokens``, or a table that was saved from it: the column
            ``workspace`` and the columns of a listing, optionally with owners. Rows with an error are ignored.
        rules: As for ``Workspace.audit``, as are the next three parameters.
        also: Custom rules.
        skip: The ids of rules to skip.
        thresholds: Thresholds that replace those of the rules.
        now: The time of the audit; the current time by default.

    Returns:
        ``workspace, rule, severity, token_id, owner, evidence, remedy``.

    Raises:
        UsageError: A rule is unknown or requires more than a listing, or a column is missing.
    """
    missing = [name for name in ("workspace", *frames.TOKENS.names) if name not in tokens.columns]
    if missing:
        raise errors.UsageError(f"Not a DataFrame of tokens: {', '.join(missing)} is missing. Use databricks_tokens.")
    chosen = audits.chosen(rules, also=also, skip=skip)
    unsupported = [rule.id for rule in chosen if set(rule.needs) - IN_LISTINGS]
    if unsupported and rules is not None:
        raise errors.UsageError(
            f"A listing does not contain the data that {' and '.join(unsupported)} needs. Read the format "
            f"{FindingsDataSource.name()} instead."
        )
    # Built-in rules are passed by id, because their functions need not be serialized.
    built_in = [rule.id for rule in chosen if rule in RULES and rule.id not in unsupported]
    custom = [rule for rule in chosen if rule not in RULES]
    time = now or pd.Timestamp.now(tz="UTC")

    def findings(key: tuple[Any, ...], table: pa.Table) -> pa.Table:
        known = [field for field in _LISTING if field.name in table.schema.names]
        listing = frames.to_pandas(table.select([field.name for field in known]).cast(pa.schema(known)))
        selected = audits.chosen(built_in, also=custom)
        found = audits.audit(listing, Context(now=time), rules=selected, thresholds=thresholds).findings
        found = found.assign(workspace=key[0].as_py())
        return pa.Table.from_pandas(found, schema=_FINDINGS_WITHOUT_ERROR, preserve_index=False)

    read = tokens.filter("error IS NULL") if "error" in tokens.columns else tokens
    return read.groupBy("workspace").applyInArrow(findings, schema=_spark_schema(_FINDINGS_WITHOUT_ERROR))


class TokensDataSource(DataSource):
    """The tokens of workspaces, read-only. See ``register``, and the module's docstring for the options."""

    columns = TOKENS
    known_options: tuple[str, ...] = _OPTIONS

    def __init__(self, options: MutableMapping[str, str]) -> None:
        # Check options first, because Spark writes the options of a source into plans.
        _check_names(options, self.known_options)
        _check_values(options)
        super().__init__(options)
        self._workspaces = _named_workspaces(options)
        self._on_error = options.get("on_error", "row")
        self._clock = _timestamp(options["clock"]) if "clock" in options else None
        if self._on_error not in _ON_ERROR:
            hint = errors.did_you_mean(self._on_error, _ON_ERROR)
            raise errors.ConfigurationError(f"on_error cannot be {self._on_error!r}. {hint}")

    @classmethod
    def name(cls) -> str:
        """Return the format's name."""
        return "databricks_tokens"

    def asking(self) -> Ask:
        """Return the function that reads a workspace; each task calls it."""
        return _tokens_of

    def schema(self) -> str:
        """Return the columns as a Spark schema."""
        return _spark_schema(self.columns)

    def reader(self, schema: StructType) -> WorkspacesReader:  # noqa: ARG002 - Spark's signature
        """Return a reader for the workspaces in the options.

        Raises:
            ConfigurationError: The workspaces of the account could not be listed.
        """
        now = self._clock or pd.Timestamp.now(tz="UTC")
        workspaces = [*self._workspaces, *_workspaces_of_account(self.options)]
        hosts = tuple(
            workspace.name
            for workspace in workspaces
            if not workspace.is_profile and workspace.status == accounts.RUNNING
        )
        workspaces = [replace(workspace, hosts=hosts) for workspace in workspaces]
        fail = self._on_error == "fail"
        ask = self.asking()
        return WorkspacesReader(workspaces=workspaces, ask=ask, columns=self.columns, now=now, fail=fail)


class FindingsDataSource(TokensDataSource):
    """The audit findings of workspaces, for all rules. The options are those of ``TokensDataSource``."""

    columns = FINDINGS

    @classmethod
    def name(cls) -> str:
        """Return the format's name."""
        return "databricks_token_findings"

    def asking(self) -> Ask:
        """Return the function that reads a workspace; each task calls it."""
        return _findings_of


class UsageDataSource(TokensDataSource):
    """What used the tokens of workspaces, read by the SQL warehouse of each workspace. Only listed tokens have rows,
    and a stopped warehouse is not started. The options are those of ``TokensDataSource``, ``warehouse_id`` and
    ``days``.
    """

    columns = USAGE
    known_options = _OPTIONS_OF_USAGE

    @classmethod
    def name(cls) -> str:
        """Return the format's name."""
        return "databricks_token_usage"

    def asking(self) -> Ask:
        """Return the function that reads a workspace; each task calls it."""
        days, warehouse_id = self.options.get("days", _DAYS), self.options.get("warehouse_id", "")
        if not (re.fullmatch("[0-9]{1,3}", days) and 1 <= int(days) <= MOST_DAYS):
            raise errors.ConfigurationError(f"Invalid days: {days!r}. Use a whole number from 1 to {MOST_DAYS}.")
        return partial(_usage_of, days=int(days), warehouse_id=warehouse_id)


def _usage_of(credentials: Credentials, now: pd.Timestamp, *, days: int, warehouse_id: str) -> pd.DataFrame:
    """Return what used the tokens of a workspace, as ``Workspace.usage`` does."""
    workspace = Workspace(credentials, folder=home(), clock=lambda: now, retries=_FLEET_RETRIES)
    found = workspace.usage(days, warehouse_id=warehouse_id)
    return found[found["matched"]]


def _tokens_of(credentials: Credentials, now: pd.Timestamp) -> pd.DataFrame:
    """Return the tokens of a workspace, as ``Workspace.tokens`` does."""
    workspace = WorkspaceAPI(credentials, retries=_FLEET_RETRIES)
    return described(workspace.token_management.list(), now=now, **workspace.owners())


def _findings_of(credentials: Credentials, now: pd.Timestamp) -> pd.DataFrame:
    """Return the findings of a workspace, as ``Workspace.audit`` does."""
    workspace = WorkspaceAPI(credentials, retries=_FLEET_RETRIES)
    context = audits.read_context(workspace, now=now)
    return audits.audit(workspace.token_management.list(), context).findings


@dataclass(frozen=True)
class NamedWorkspace(InputPartition):
    """The workspace of a task: a host or a profile, without secrets.

    Attributes:
        name: The host or the profile.
        is_profile: Whether ``name`` is a profile.
        status: The status in the account's listing.
        hosts: All hosts of the query. A token of the environment is not sent to several hosts.
    """

    name: str
    is_profile: bool = False
    status: str = accounts.RUNNING
    hosts: tuple[str, ...] = ()

    def credentials(self) -> Credentials:
        """Sign in with the environment of this process."""
        if self.status != accounts.RUNNING:
            raise errors.ConfigurationError(f"{self.name} is {self.status}, so it was skipped.")
        if self.is_profile:
            return sign_in.from_profile(self.name)
        sign_in.check_token_is_for(map(address, self.hosts))
        return sign_in.from_host(self.name)


@dataclass(frozen=True, kw_only=True)
class WorkspacesReader(DataSourceReader):
    """Reads each workspace in its own task, with the same time for all workspaces."""

    workspaces: list[NamedWorkspace]
    ask: Ask
    columns: pa.Schema
    now: pd.Timestamp
    fail: bool

    def partitions(self) -> list[InputPartition]:
        """Return a partition for each workspace."""
        return [*self.workspaces]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a workspace as Arrow.

        Raises:
            TokenKitError: The workspace could not be read, and ``on_error`` is ``fail``.
        """
        assert isinstance(partition, NamedWorkspace)
        name = partition.name
        try:
            credentials = partition.credentials()
            name = credentials.host
            found = self.ask(credentials, self.now).assign(workspace=name, error=None)
        except errors.TokenKitError as failure:
            if self.fail:
                raise
            table = pa.Table.from_pylist([{"workspace": name, "error": redact(str(failure))}], schema=self.columns)
        else:
            table = pa.Table.from_pandas(found, schema=self.columns, preserve_index=False)
        yield from table.to_batches(max_chunksize=_ROWS_PER_BATCH)


def _spark_schema(columns: pa.Schema) -> str:
    """Return columns as a Spark schema."""
    return ", ".join(f"{field.name} {_SPARK_TYPES[field.type]}" for field in columns)


def _check_names(options: MutableMapping[str, str], known: Sequence[str]) -> None:
    """Check that all options are known, without showing their values."""
    for name in options:
        if name in known:
            continue
        if any(part in name.lower() for part in _SECRET_NAMES):
            raise errors.ConfigurationError(
                f"Invalid option {name!r}: credentials are not allowed in options, because Spark writes options into "
                "plans and logs. Use profiles, or set DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET in the "
                "executors' environment (on Databricks, as {{secrets/scope/key}}). Revoke a real credential, because "
                "it may have been logged."
            )
        raise errors.ConfigurationError(f"Unknown option {name!r}. {errors.did_you_mean(name, known)}")


def _check_values(options: MutableMapping[str, str]) -> None:
    """Check that no option contains a credential, without showing its value."""
    for name, value in options.items():
        has_secret_name = any(f"{part}=" in value.lower() for part in _SECRET_NAMES)
        has_user = "@" in value and name != "hosts"  # address() checks hosts
        if has_secret_name or has_user or redact(value) != value:
            raise errors.ConfigurationError(
                f"Invalid option {name!r}: it appears to contain a credential, and Spark writes options into plans and "
                "logs. Use only profiles or hosts. Revoke a real credential, because it may have been logged."
            )


def _named_workspaces(options: MutableMapping[str, str]) -> list[NamedWorkspace]:
    hosts = dict.fromkeys(str(address(host)) for host in _split(options.get("hosts", "")))
    profiles = _split(options.get("profiles", ""))
    if not profiles and not hosts and not options.get("account"):
        raise errors.ConfigurationError(
            "No workspaces are given. Set the option profiles ('prod, stage'), hosts ('https://…, https://…') or "
            "account."
        )
    return [*(NamedWorkspace(name, is_profile=True) for name in profiles), *map(NamedWorkspace, hosts)]


def _workspaces_of_account(options: MutableMapping[str, str]) -> list[NamedWorkspace]:
    if not options.get("account"):
        return []
    config = accounts.account_config(options["account"], options.get("account_id"))
    found = accounts.account_workspaces(config)
    return [NamedWorkspace(workspace.host or workspace.name, status=workspace.status) for workspace in found]


def _split(text: str) -> list[str]:
    """Return the distinct names in a comma-separated list."""
    return list(dict.fromkeys(comma_list(text)))


def _timestamp(text: str) -> pd.Timestamp:
    try:
        timestamp = pd.Timestamp(text)
    except ValueError:
        raise errors.ConfigurationError(f"clock cannot be {text!r}. Write the time as 2026-03-01T09:30Z.") from None
    return timestamp.tz_localize("UTC") if timestamp.tzinfo is None else timestamp.tz_convert("UTC")
