"""The tokens of many workspaces as a Spark DataFrame: a Python data source, one partition a workspace.

::

    import tokenkit.spark

    tokenkit.spark.register(spark)
    tokens = spark.read.format("databricks_tokens").option("profiles", "prod, stage").load()
    findings = spark.read.format("databricks_token_findings").option("profiles", "prod, stage").load()
    tokenkit.spark.audit(tokens, skip=["no-comment"])  # of tokens that are in Spark already

The first format has the rows of ``Fleet.tokens``, the second those of ``Fleet.audit``; both have one more column,
``error``. A frame in hand becomes a Spark DataFrame by way of Arrow: ``frames.to_arrow(ws.tokens())``, as a column of
lists that holds none has no type in pandas.

==================  ==================================================================================================
option              what it says
==================  ==================================================================================================
``profiles``        the workspaces, by profiles of ``~/.databrickscfg``
``hosts``           the workspaces, by their addresses
``account``         the workspaces of an account, by a profile or the account console's address, which needs
                    ``account_id`` as well; the driver lists them, signed in like the executors
``on_error``        ``row``: a workspace that fails becomes a row with ``workspace`` and ``error`` and nothing else;
                    ``fail``: it fails the query. ``row`` unless said otherwise
``clock``           the moment that ages and statuses are counted to, in ISO 8601; the moment of the query by default
==================  ==================================================================================================

**Where the credentials are.** Whatever an option says ends up in query plans, event logs and error messages, so no
option takes a credential, and one that looks like it is refused. Options name workspaces; each task signs in to its own
where it runs, with what its executor's environment holds: the profiles' file, or ``DATABRICKS_CLIENT_ID`` and
``DATABRICKS_CLIENT_SECRET`` of a service principal, or ``DATABRICKS_TOKEN``. A Databricks cluster fills its
environment from a secret scope when a variable is written as ``{{secrets/scope/key}}``.

Rows travel between Spark and the reviews as Arrow and not as Spark's own pandas, which makes floats of ids with a gap
and cannot hold the year 9999: so it is ``applyInArrow`` below, and not ``mapInPandas``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.redaction import redact
from tokenkit.rest import accounts
from tokenkit.rest import credentials as sign_in
from tokenkit.rest.credentials import Credentials
from tokenkit.rest.hosts import address
from tokenkit.rest.transport import RetryPolicy
from tokenkit.rest.workspace import WorkspaceAPI
from tokenkit.review import audit as audits
from tokenkit.review import lifecycle, owners
from tokenkit.review.audit import Thresholds
from tokenkit.review.rule import Context, Rule
from tokenkit.review.rules import RULES

try:
    from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
except ImportError:
    raise errors.ConfigurationError(
        "tokenkit.spark needs PySpark 4.0 or later: pip install 'tokenkit[spark]'."
    ) from None

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

_TIME = pa.timestamp("us", tz="UTC")  # what Spark's TIMESTAMP is in Arrow
_WORKSPACE, _ERROR = pa.field("workspace", pa.string()), pa.field("error", pa.string())
_OWNER = [pa.field("owner", pa.string()), pa.field("owner_kind", pa.string()), pa.field("owner_active", pa.bool_())]

TOKENS = pa.schema(
    [
        _WORKSPACE,
        *[field.with_type(_TIME) if field.type == frames.TIME else field for field in frames.TOKENS],
        ("status", pa.string()),
        ("never_expires", pa.bool_()),
        ("age_days", pa.float64()),
        ("lifetime_days", pa.float64()),
        ("expires_in_days", pa.float64()),
        ("idle_days", pa.float64()),
        ("effective_end", _TIME),
        *_OWNER,
        _ERROR,
    ]
)
"""The workspace's host, the columns of ``Workspace.tokens``, then why the workspace could not be read. A field that a
newer server adds has no column here: Spark wants to know the columns before it asks."""

_FOUND = pa.schema([_WORKSPACE, *[pa.field(name, pa.string()) for name in audits.FINDING_COLUMNS]])
FINDINGS = _FOUND.append(_ERROR)
"""The workspace's host, the columns of ``Audit.findings``, then why the workspace could not be read."""

_LISTING = pa.schema([*frames.TOKENS, *_OWNER])  # what the rules look at
_SPARK_TYPES = {
    pa.string(): "STRING",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    _TIME: "TIMESTAMP",
    frames.TEXTS: "ARRAY<STRING>",
}
_ROWS_A_BATCH = 10_000
_PATIENCE = RetryPolicy(budget_seconds=30)  # one that is down should not keep the query waiting for five minutes
_OPTIONS = ("profiles", "hosts", "account", "account_id", "on_error", "clock")
_ON_ERROR = ("row", "fail")
_SECRET_WORDS = ("token", "secret", "password", "credential", "key", "auth", "bearer")


def register(spark: SparkSession) -> None:
    """Make the formats ``databricks_tokens`` and ``databricks_token_findings`` known to a session."""
    spark.dataSource.register(TokensDataSource)
    spark.dataSource.register(FindingsDataSource)


def audit(
    tokens: DataFrame,
    rules: Iterable[str | Rule] | None = None,
    *,
    also: Iterable[Rule] = (),
    skip: Iterable[str] = (),
    thresholds: Thresholds | None = None,
    now: pd.Timestamp | None = None,
) -> DataFrame:
    """Return what is dangerous about tokens that Spark has: a finding for each token and rule.

    A workspace is audited as a whole, in one task, as some rules count what an owner has. No workspace is asked, so the
    rules that need more than tokens and their owners (the workspace's settings, permissions, groups) are left out; the
    format ``databricks_token_findings`` has every rule.

    Args:
        tokens: The format ``databricks_tokens``, or a table that was saved from it: the column ``workspace`` and those
            of a listing, with owners if it has them. Rows that tell of a failed workspace are passed over.
        rules: As for ``Workspace.audit``, as are the next three.
        also: Rules of your own.
        skip: Ids of rules to leave out.
        thresholds: What a rule compares with, where that is other than its own.
        now: The moment that the audit is of; this one by default.

    Returns:
        ``workspace, rule, severity, token_id, owner, evidence, remedy``.

    Raises:
        UsageError: An unknown rule, one that needs more than a listing, or a column that is not there.
    """
    missing = [name for name in ("workspace", *frames.TOKENS.names) if name not in tokens.columns]
    if missing:
        raise errors.UsageError(f"These are no tokens of workspaces: {', '.join(missing)} is missing.")
    chosen = audits.chosen(rules, also=also, skip=skip)
    beyond = [rule.id for rule in chosen if set(rule.needs) - {"owners"}]
    if beyond and rules is not None:
        raise errors.UsageError(
            f"A listing does not hold what {' and '.join(beyond)} needs. Read the format {FindingsDataSource.name()}, "
            "which asks the workspaces."
        )
    # By their ids: the functions of our own rules need not travel.
    ours = [rule.id for rule in chosen if rule in RULES and rule.id not in beyond]
    yours = [rule for rule in chosen if rule not in RULES]
    moment = now or pd.Timestamp.now(tz="UTC")

    def findings(key: tuple[Any, ...], table: pa.Table) -> pa.Table:
        known = [field for field in _LISTING if field.name in table.schema.names]
        listing = frames.to_pandas(table.select([field.name for field in known]).cast(pa.schema(known)))
        selected = audits.chosen(ours, also=yours)
        found = audits.audit(listing, Context(now=moment), rules=selected, thresholds=thresholds).findings
        return pa.Table.from_pandas(found.assign(workspace=key[0].as_py()), schema=_FOUND, preserve_index=False)

    read = tokens.filter("error IS NULL") if "error" in tokens.columns else tokens
    return read.groupBy("workspace").applyInArrow(findings, schema=_declared(_FOUND))


class TokensDataSource(DataSource):
    """The tokens of workspaces, read-only. ``register`` makes it known; the module's docstring has the options."""

    columns = TOKENS

    def __init__(self, options: MutableMapping[str, str]) -> None:
        # Looked through before Spark has a source with these options, as it writes them into plans.
        _check_names(options)
        _check_values(options)
        super().__init__(options)
        self._workspaces = _named_workspaces(options)
        self._on_error = options.get("on_error", "row")
        self._clock = _moment(options["clock"]) if "clock" in options else None
        if self._on_error not in _ON_ERROR:
            known = errors.did_you_mean(self._on_error, _ON_ERROR)
            raise errors.ConfigurationError(f"on_error cannot be {self._on_error!r}. {known}")

    @classmethod
    def name(cls) -> str:
        """Return the format's name."""
        return "databricks_tokens"

    @staticmethod
    def ask(credentials: Credentials, now: pd.Timestamp) -> pd.DataFrame:
        """Return a workspace's tokens, as ``Workspace.tokens`` does."""
        asked = WorkspaceAPI(credentials, retries=_PATIENCE)
        aged = lifecycle.with_lifecycle(asked.token_management.list(), now=now)
        return owners.with_owners(aged, **asked.owners())

    def schema(self) -> str:
        """Return the columns as Spark declares them."""
        return _declared(self.columns)

    def reader(self, schema: StructType) -> WorkspacesReader:  # noqa: ARG002 - Spark's signature
        """Return what reads the workspaces that the options name.

        Raises:
            ConfigurationError: The account could not be listed.
        """
        now = self._clock or pd.Timestamp.now(tz="UTC")
        workspaces = [*self._workspaces, *_workspaces_of_account(self.options)]
        hosts = tuple(each.name for each in workspaces if not each.is_profile and each.status == accounts.RUNNING)
        workspaces = [replace(each, hosts=hosts) for each in workspaces]
        return WorkspacesReader(workspaces, self.ask, self.columns, now=now, fail=self._on_error == "fail")


class FindingsDataSource(TokensDataSource):
    """What every rule of the audit finds in workspaces; the options are those of their tokens."""

    columns = FINDINGS

    @classmethod
    def name(cls) -> str:
        """Return the format's name."""
        return "databricks_token_findings"

    @staticmethod
    def ask(credentials: Credentials, now: pd.Timestamp) -> pd.DataFrame:
        """Return a workspace's findings, as ``Workspace.audit`` does."""
        asked = WorkspaceAPI(credentials, retries=_PATIENCE)
        context = audits.read_context(asked, now=now)
        return audits.audit(asked.token_management.list(), context).findings


@dataclass(frozen=True)
class NamedWorkspace(InputPartition):
    """What a task is told of its workspace: a host or a profile's name, and nothing secret.

    Attributes:
        name: The host or the profile.
        is_profile: Which of them it is.
        status: As the account has it.
        hosts: All hosts of the query: the one token of an environment goes to no two of them.
    """

    name: str
    is_profile: bool = False
    status: str = accounts.RUNNING
    hosts: tuple[str, ...] = ()

    def credentials(self) -> Credentials:
        """Sign in, with what the place has where this runs."""
        if self.status != accounts.RUNNING:
            raise errors.ConfigurationError(f"{self.name} is {self.status}, so it is not asked.")
        if self.is_profile:
            return sign_in.from_profile(self.name)
        sign_in.check_token_is_for(map(address, self.hosts))
        return sign_in.from_host(self.name)


class WorkspacesReader(DataSourceReader):
    """Asks each workspace in a task of its own, all as of one moment."""

    def __init__(
        self,
        workspaces: list[NamedWorkspace],
        ask: Callable[[Credentials, pd.Timestamp], pd.DataFrame],
        columns: pa.Schema,
        *,
        now: pd.Timestamp,
        fail: bool,
    ) -> None:
        self._workspaces = workspaces
        self._ask = ask
        self._columns = columns
        self._now = now
        self._fail = fail

    def partitions(self) -> list[InputPartition]:
        """Return a partition for each workspace."""
        return [*self._workspaces]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """Yield a workspace's answer as Arrow.

        Raises:
            TokenKitError: The workspace could not be read, and the options say that this fails the query.
        """
        assert isinstance(partition, NamedWorkspace)
        name = partition.name
        try:
            credentials = partition.credentials()
            name = credentials.host
            answer = self._ask(credentials, self._now).assign(workspace=name, error=None)
        except errors.TokenKitError as failure:
            if self._fail:
                raise
            table = pa.Table.from_pylist([{"workspace": name, "error": redact(str(failure))}], schema=self._columns)
        else:
            table = pa.Table.from_pandas(answer, schema=self._columns, preserve_index=False)
        yield from table.to_batches(max_chunksize=_ROWS_A_BATCH)


def _declared(columns: pa.Schema) -> str:
    """Return columns as Spark declares them."""
    return ", ".join(f"{field.name} {_SPARK_TYPES[field.type]}" for field in columns)


def _check_names(options: MutableMapping[str, str]) -> None:
    """Refuse an option that is not known, without a word about its value."""
    for name in options:
        if name in _OPTIONS:
            continue
        if any(word in name.lower() for word in _SECRET_WORDS):
            raise errors.ConfigurationError(
                f"The source takes no credentials as options, so {name!r} is refused: Spark writes options into plans "
                "and logs. Put it into profiles, or into the executors' environment (DATABRICKS_CLIENT_ID and "
                "DATABRICKS_CLIENT_SECRET, on Databricks written as {{secrets/scope/key}}). A real one that stood here "
                "is to be revoked: it may have been written down on its way."
            )
        raise errors.ConfigurationError(f"The source has no option {name!r}. {errors.did_you_mean(name, _OPTIONS)}")


def _check_values(options: MutableMapping[str, str]) -> None:
    """Refuse an option whose value holds a credential, without a word of it."""
    for name, value in options.items():
        told = any(f"{word}=" in value.lower() for word in _SECRET_WORDS)
        names_a_user = "@" in value and name != "hosts"  # which are refused by a rule of their own
        if told or names_a_user or redact(value) != value:
            raise errors.ConfigurationError(
                f"The option {name!r} seems to hold a credential, so it is refused: Spark writes options into plans "
                "and logs. Name workspaces there, by profiles or by their hosts alone. Revoke the credential if it is "
                "real: it may have been written down on its way."
            )


def _named_workspaces(options: MutableMapping[str, str]) -> list[NamedWorkspace]:
    hosts = dict.fromkeys(str(address(host)) for host in _words(options.get("hosts", "")))
    profiles = _words(options.get("profiles", ""))
    if not profiles and not hosts and not options.get("account"):
        raise errors.ConfigurationError(
            "It is not said which workspaces to read: give the option profiles ('prod, stage'), hosts "
            "('https://…, https://…') or account."
        )
    return [*(NamedWorkspace(name, is_profile=True) for name in profiles), *map(NamedWorkspace, hosts)]


def _workspaces_of_account(options: MutableMapping[str, str]) -> list[NamedWorkspace]:
    if not options.get("account"):
        return []
    config = accounts.account_config(options["account"], options.get("account_id"))
    found = accounts.account_workspaces(config)
    return [NamedWorkspace(each.host or each.name, status=each.status) for each in found]


def _words(text: str) -> list[str]:
    """Return the names in a list with commas, each once."""
    return list(dict.fromkeys(filter(None, (word.strip() for word in text.split(",")))))


def _moment(text: str | None) -> pd.Timestamp:
    if text is None:
        return pd.Timestamp.now(tz="UTC")
    try:
        moment = pd.Timestamp(text)
    except ValueError:
        raise errors.ConfigurationError(f"clock cannot be {text!r}. Write a moment as 2026-03-01T09:30Z.") from None
    return moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
