"""The sources of a workspace's audit log: rows from an earlier query, Spark, or a SQL warehouse.

A query aggregates in the engine, so the result grows with the number of tokens, not of sign-ins. It always filters on
``event_date``, by which the table is partitioned, and never on ``workspace_id``: rows of the account have 0, and one
query covers all workspaces of a metastore's region.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import uuid
from collections.abc import Mapping
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
import pyarrow as pa

from tokenkit import errors, review
from tokenkit.core.progress import progress_bar
from tokenkit.core.redaction import redact
from tokenkit.core.spelling import spelled
from tokenkit.core.wording import first_of, pluralize, why_unreadable
from tokenkit.rest.statements import StatementsAPI

if TYPE_CHECKING:
    from tokenkit.review.audit_log import Question

_Answer = TypeVar("_Answer")
_MOST_NAMED = 5
_WAREHOUSE = "DATABRICKS_WAREHOUSE_ID"
_STOPPED = frozenset({"STOPPED", "STOPPING"})
_GRANTS = (
    "An admin of the metastore can grant it: GRANT USE SCHEMA ON SCHEMA system.access TO `<you>`; "
    "GRANT SELECT ON TABLE system.access.audit TO `<you>`."
)
_DENIED = ("PERMISSION", "PRIVILEGE", "NOT AUTHORIZED", "USE SCHEMA", "USE CATALOG")
_NOT_FOUND = ("TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND", "CATALOG_NOT_FOUND", "REQUIRES_SINGLE_PART_NAMESPACE")


def first_day(days: int, now: pd.Timestamp) -> str:
    """Return the first day to read, as ``2026-03-01`` (UTC).

    Raises:
        UsageError: ``days`` is not a number from 1 to 365.
    """
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= review.audit_log.MOST_DAYS:
        raise errors.UsageError(
            f"days must be a whole number from 1 to {review.audit_log.MOST_DAYS}: the audit log has no earlier rows."
        )
    return str((now.tz_convert("UTC").floor("D") - pd.Timedelta(days=days)).date())


def source(rows: Any, warehouse_id: str | None, *, since: str) -> dict[str, Any]:  # noqa: ANN401 - as below
    """Return where a log is read, in a form that the journal can keep."""
    if rows is not None:
        return {"rows": True}
    return {review.usage.SINCE: since, "warehouse_id": chosen_warehouse(warehouse_id)}


def from_rows(question: Question[_Answer], rows: Any) -> _Answer:  # noqa: ANN401 - a frame of one of three libraries, or a file
    """Return the result of a query for rows from an earlier query.

    Args:
        question: The query.
        rows: A pandas frame, an Arrow table, a Spark DataFrame, or a file of Parquet or JSON lines.

    Raises:
        UsageError: The rows are not from the audit log, or the file cannot be read.
    """
    if isinstance(rows, pd.DataFrame | pa.Table):
        return question.of_rows(rows)
    if isinstance(rows, str | os.PathLike):
        return question.of_rows(_read(Path(rows).expanduser()))
    if hasattr(rows, "createOrReplaceTempView"):
        view = f"tokenkit_{uuid.uuid4().hex}"
        rows.createOrReplaceTempView(view)
        try:
            return from_spark(question, rows.sparkSession, table=view)
        finally:
            rows.sparkSession.catalog.dropTempView(view)
    raise errors.UsageError(
        f"rows cannot be {type(rows).__name__}. Pass a DataFrame of pandas or Spark, an Arrow table, or a file."
    )


def _read(file: Path) -> pa.Table:
    """Return the rows of a file of Parquet or JSON lines."""
    from pyarrow import json, parquet  # noqa: PLC0415 - needed only for files

    try:
        with file.open("rb") as content:
            is_parquet = content.read(4) == b"PAR1"
        return parquet.read_table(file) if is_parquet else json.read_json(file)
    except OSError as failure:
        problem = why_unreadable(failure) if failure.strerror else "it is not a readable Parquet file"
    except (pa.ArrowException, ValueError):  # the message may quote a row
        problem = "it is neither Parquet nor JSON lines"
    raise errors.UsageError(f"Cannot read {file}: {problem}.")


def active_spark() -> Any | None:  # noqa: ANN401 - a SparkSession, classic or Connect
    """Return the session of a program that already uses Spark, or None."""
    sql = sys.modules.get("pyspark.sql")
    return sql.SparkSession.getActiveSession() if sql else None


def from_spark(question: Question[_Answer], spark: Any, *, table: str = "", since: str | None = None) -> _Answer:  # noqa: ANN401 - as above
    """Return the result of a query that a Spark session executes on a table.

    Args:
        question: The query.
        spark: The session.
        table: An identifier that tokenkit has checked; by default the audit log's.
        since: The first day; None reads all rows.

    Raises:
        StatementFailedError: The query failed.
    """
    if not callable(getattr(spark, "sql", None)):
        raise errors.UsageError(f"spark must be a SparkSession, not {type(spark).__name__}.")
    table = table or review.audit_log.TABLE
    statement = question.statement(table, since=f"DATE '{since}'" if since else None)
    try:
        frame = spark.sql(statement)
        result = frame.toArrow() if hasattr(frame, "toArrow") else pa.Table.from_pandas(frame.toPandas())
    except Exception as failure:
        if not type(failure).__module__.startswith("pyspark"):
            raise
        reason = redact(str(failure).partition("\n")[0])
    else:
        return question.of_result(result)
    raise _explained(errors.StatementFailedError(f"Spark could not query {table}: {reason}", reason))


def chosen_warehouse(warehouse_id: str | None) -> str:
    """Return the id of the warehouse in the argument or in the environment; empty if there is none.

    Raises:
        UsageError: The value is not an id.
    """
    chosen = warehouse_id or os.environ.get(_WAREHOUSE) or ""
    if not re.fullmatch(r"[0-9A-Za-z_-]*", chosen):
        raise errors.UsageError(f"{chosen!r} is not the id of a warehouse, such as 1234567890abcdef.")
    return chosen


def from_warehouse(
    question: Question[_Answer],
    statements: Mapping[str, StatementsAPI],
    warehouse_id: str | None,
    *,
    days: int,
    since: str,
    may_start: bool,
) -> _Answer:
    """Return the result of a query that a SQL warehouse executes on the audit log.

    Args:
        question: The query.
        statements: The APIs that can have the warehouse, by the name of their workspace.
        warehouse_id: The warehouse; ``DATABRICKS_WAREHOUSE_ID`` by default.
        days: The number of days, for the error.
        since: The first day.
        may_start: Whether to start a stopped warehouse, which costs money.

    Raises:
        ConfigurationError: There is no warehouse.
        UsageError: The warehouse does not exist.
        WarehouseStoppedError: The warehouse is stopped, and ``may_start`` is false.
        StatementFailedError: The query failed.
    """
    chosen = chosen_warehouse(warehouse_id)
    if not chosen:
        raise errors.ConfigurationError(
            f"A SQL warehouse is required to read the audit log. {spelled('Pass warehouse_id=…')}, set {_WAREHOUSE}, "
            f"or {spelled('pass rows=… from an earlier query')}. {_known_warehouses(statements)}"
        )
    holder, state = _found(statements, chosen)
    if state in _STOPPED and not may_start:
        raise errors.WarehouseStoppedError(
            f"Warehouse {chosen} is stopped, and a running one costs money. "
            f"Allow it with {spelled('start_warehouse=True')}.",
            chosen,
            days,
        )
    parameters = {"since": ("DATE", since)}
    try:
        with progress_bar(None, "The warehouse reads the audit log", unit=" polls", shown=None) as advance:
            result = holder.execute(
                question.statement(), warehouse_id=chosen, parameters=parameters, on_poll=lambda _: advance(1)
            )
    except errors.StatementFailedError as failure:
        explained = _explained(failure)
    else:
        return question.of_result(result)
    raise explained


def _found(statements: Mapping[str, StatementsAPI], warehouse_id: str) -> tuple[StatementsAPI, str]:
    """Return the API that has a warehouse, and the state of the warehouse. A warehouse belongs to one workspace.

    Raises:
        UsageError: It does not exist.
        TokenKitError: No workspace says whether it has the warehouse.
    """
    failures: list[errors.TokenKitError] = []
    for api in statements.values():
        try:
            return api, api.state(warehouse_id)
        except (errors.NotFoundError, errors.InvalidParameterError):  # an id that no warehouse can have is invalid
            continue
        except errors.TokenKitError as failure:
            failures.append(failure)
    if len(failures) == len(statements):
        raise failures[0]
    where = next(iter(statements)) if len(statements) == 1 else f"any of {pluralize(len(statements), 'workspace')}"
    raise errors.UsageError(
        f"SQL warehouse {warehouse_id} does not exist in {where}, or you cannot use it. {_known_warehouses(statements)}"
    )


def _known_warehouses(statements: Mapping[str, StatementsAPI]) -> str:
    """Return some warehouses that the caller can use, as a sentence: of several workspaces, the first of each first."""
    by_workspace = []
    for name, api in islice(statements.items(), _MOST_NAMED):
        where = f" in {name}" if len(statements) > 1 else ""
        with contextlib.suppress(*([errors.TokenKitError] if where else [])):
            by_workspace.append([f"{warehouse_id} ({title}){where}" for warehouse_id, title, _ in api.warehouses()])
    found = [*filter(None, chain.from_iterable(zip_longest(*by_workspace)))]
    others = len(statements) - _MOST_NAMED
    more = f", and those of {pluralize(others, 'more workspace')}" if others > 0 else ""
    return f"Warehouses: {first_of(found, _MOST_NAMED) or 'none that you can use'}{more}."


def _explained(failure: errors.StatementFailedError) -> errors.StatementFailedError:
    """Return the error with the next step, if it is known."""
    text, table = failure.reason.upper(), review.audit_log.TABLE
    if any(word in text for word in _DENIED):
        return errors.StatementFailedError(f"You do not have permission to read {table}. {_GRANTS}", failure.reason)
    if any(word in text for word in _NOT_FOUND):
        return errors.StatementFailedError(
            f"{table} does not exist, or you lack permission to see it. An account admin enables the system schema "
            f"'access'. {_GRANTS}",
            failure.reason,
        )
    return failure
