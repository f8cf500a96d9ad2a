"""The tokens of many workspaces as a Spark DataFrame: a Python data source, one partition a workspace.

    import tokenkit.spark

    tokenkit.spark.register(spark)
    tokens = spark.read.format("databricks_tokens").option("profiles", "prod, stage").load()

==================  ==================================================================================================
option              what it says
==================  ==================================================================================================
``profiles``        the workspaces, by profiles of ``~/.databrickscfg``
``hosts``           the workspaces, by their addresses
``on_error``        ``row``: a workspace that fails becomes a row with ``workspace`` and ``error`` and nothing else;
                    ``fail``: it fails the query. ``row`` unless said otherwise
``clock``           the moment that ages and statuses are counted to, in ISO 8601; the moment of the query by default
==================  ==================================================================================================

**Where the credentials are.** Whatever an option says ends up in query plans, event logs and error messages, so no
option takes a credential, and one that looks like it is refused. Options name workspaces; each task signs in to its own
where it runs, with what its executor's environment holds: the profiles' file, or ``DATABRICKS_CLIENT_ID`` and
``DATABRICKS_CLIENT_SECRET`` of a service principal, or ``DATABRICKS_TOKEN``. A Databricks cluster fills its
environment from a secret scope when a variable is written as ``{{secrets/scope/key}}``.

Each row is what ``Workspace.tokens`` has, so every review works on it. Between Spark and the reviews rows travel as
Arrow and not as Spark's pandas: that makes floats of ids with a gap, and cannot hold the year 9999.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.redaction import redact
from tokenkit.rest import credentials as sign_in
from tokenkit.rest.credentials import Credentials
from tokenkit.rest.identities import IdentitiesAPI
from tokenkit.rest.token_management import TokenManagementAPI
from tokenkit.rest.transport import Transport
from tokenkit.review import lifecycle, owners

try:
    from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
except ImportError:
    raise errors.ConfigurationError(
        "tokenkit.spark needs PySpark 4.0 or later: pip install 'tokenkit[spark]'."
    ) from None

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.types import StructType

FORMAT = "databricks_tokens"

_TIME = pa.timestamp("us", tz="UTC")  # what Spark's TIMESTAMP is in Arrow
SCHEMA = pa.schema(
    [
        *[(field.name, _TIME if field.type == frames.TIME else field.type) for field in frames.TOKENS],
        ("status", pa.string()),
        ("never_expires", pa.bool_()),
        ("age_days", pa.float64()),
        ("lifetime_days", pa.float64()),
        ("expires_in_days", pa.float64()),
        ("idle_days", pa.float64()),
        ("effective_end", _TIME),
        ("owner", pa.string()),
        ("owner_kind", pa.string()),
        ("owner_active", pa.bool_()),
        ("workspace", pa.string()),
        ("error", pa.string()),
    ]
)
"""The columns of ``Workspace.tokens``, then the workspace's host, then why it could not be read. A field that a newer
server adds has no column here: Spark wants to know the columns before it asks."""

_SPARK_TYPES = {
    pa.string(): "STRING",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    _TIME: "TIMESTAMP",
    frames.TEXTS: "ARRAY<STRING>",
}
_ROWS_A_BATCH = 10_000
_OPTIONS = ("profiles", "hosts", "on_error", "clock")
_ON_ERROR = ("row", "fail")
_SECRET_WORDS = ("token", "secret", "password", "credential", "key", "auth", "bearer")


def register(spark: SparkSession) -> None:
    """Make ``spark.read.format("databricks_tokens")`` known to a session."""
    spark.dataSource.register(TokensDataSource)


class TokensDataSource(DataSource):
    """The tokens of workspaces, read-only. ``register`` makes it known; the module's docstring has the options."""

    def __init__(self, options: MutableMapping[str, str]) -> None:
        # Looked through before Spark has a source with these options, as it writes them into plans.
        _check_names(options)
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
        return FORMAT

    def schema(self) -> str:
        """Return the columns as Spark declares them."""
        return ", ".join(f"{field.name} {_SPARK_TYPES[field.type]}" for field in SCHEMA)

    def reader(self, schema: StructType) -> TokensReader:  # noqa: ARG002 - Spark's signature
        """Return what reads the workspaces that the options name."""
        now = self._clock or pd.Timestamp.now(tz="UTC")
        return TokensReader(self._workspaces, now=now, fail=self._on_error == "fail")


@dataclass(frozen=True)
class NamedWorkspace(InputPartition):
    """What a task is told of its workspace: a name to sign in by, and nothing secret."""

    kind: str
    name: str

    def credentials(self) -> Credentials:
        """Sign in, with what the place has where this runs."""
        return sign_in.from_profile(self.name) if self.kind == "profile" else sign_in.from_host(self.name)


class TokensReader(DataSourceReader):
    """Reads each workspace in a task of its own, all as of one moment."""

    def __init__(self, workspaces: list[NamedWorkspace], *, now: pd.Timestamp, fail: bool) -> None:
        self._workspaces = workspaces
        self._now = now
        self._fail = fail

    def partitions(self) -> list[InputPartition]:
        """Return a partition for each workspace."""
        return [*self._workspaces]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """Yield a workspace's tokens as Arrow.

        Raises:
            TokenKitError: The workspace could not be read, and the options say that this fails the query.
        """
        assert isinstance(partition, NamedWorkspace)
        name = partition.name
        try:
            credentials = partition.credentials()
            name = credentials.host
            tokens = _tokens(credentials, now=self._now).assign(workspace=name, error=None)
        except errors.TokenKitError as failure:
            if self._fail:
                raise
            table = pa.Table.from_pylist([{"workspace": name, "error": redact(str(failure))}], schema=SCHEMA)
        else:
            table = pa.Table.from_pandas(tokens, schema=SCHEMA, preserve_index=False)
        yield from table.to_batches(max_chunksize=_ROWS_A_BATCH)


def _tokens(credentials: Credentials, *, now: pd.Timestamp) -> pd.DataFrame:
    """Return what ``Workspace.tokens`` does."""
    transport = Transport(credentials)
    identities = IdentitiesAPI(transport)
    aged = lifecycle.with_lifecycle(TokenManagementAPI(transport).list(), now=now)
    return owners.with_owners(aged, users=identities.users(), service_principals=identities.service_principals())


def _check_names(options: MutableMapping[str, str]) -> None:
    """Refuse an option that is not known, without a word about its value."""
    for name in options:
        if name in _OPTIONS:
            continue
        if any(word in name.lower() for word in _SECRET_WORDS):
            raise errors.ConfigurationError(
                f"{FORMAT} takes no credentials as options, so {name!r} is refused: Spark writes options into plans "
                "and logs. Put it into profiles, or into the executors' environment (DATABRICKS_CLIENT_ID and "
                "DATABRICKS_CLIENT_SECRET, on Databricks written as {{secrets/scope/key}}). A real one that stood here "
                "is to be revoked: it may have been written down on its way."
            )
        raise errors.ConfigurationError(f"{FORMAT} has no option {name!r}. {errors.did_you_mean(name, _OPTIONS)}")


def _named_workspaces(options: MutableMapping[str, str]) -> list[NamedWorkspace]:
    hosts = dict.fromkeys(sign_in.normal_host(host) for host in _words(options.get("hosts", "")))
    profiles = _words(options.get("profiles", ""))
    named = [*(NamedWorkspace("profile", name) for name in profiles), *(NamedWorkspace("host", host) for host in hosts)]
    if not named:
        raise errors.ConfigurationError(
            f"{FORMAT} does not know which workspaces to read: give the option profiles ('prod, stage') or hosts "
            "('https://…, https://…')."
        )
    return named


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
