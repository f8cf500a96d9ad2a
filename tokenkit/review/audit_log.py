"""Rows of the audit log ``system.access.audit``, from pandas, Arrow, Spark or files."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit import errors, frames
from tokenkit.core.wording import of
from tokenkit.review.clients import LONGEST_USER_AGENT

TABLE: Final = "system.access.audit"
MOST_DAYS: Final = 365
"""The number of days that the table is retained."""
ACCOUNTS, TOKEN_LOGIN, INTERNAL = "accounts", "tokenLogin", "API_INT_PAT_TOKEN"
"""The service, action and authentication method of a sign-in with the internal token of a notebook or job."""
FIRST_FAILURE: Final = 400
IDENTITY, ADDRESS, USER_AGENT = "identity", "address", "user_agent"
"""The columns of ``events`` with the identity, address and program."""

OBJECTS: Final = ("full_name_arg", "table_full_name", "jobId", "job_id", "notebookPath", "warehouseId", "path")
"""The request parameters that name the object of an event. The first one that exists is used."""

# Databricks SQL, which Spark and sqlglot understand. Backslashes are avoided, because engines treat them differently.
EVENTS_SQL: Final = f"""\
  SELECT
    request_params['tokenId'] AS token_id,
    coalesce(user_identity.email, request_params['user']) AS identity,
    CASE
      WHEN source_ip_address LIKE '[%' THEN replace(split_part(source_ip_address, ']', 1), '[', '')
      WHEN source_ip_address LIKE '%.%:%' AND source_ip_address NOT LIKE '%:%:%'
        THEN split_part(source_ip_address, ':', 1)
      ELSE source_ip_address
    END AS address,
    substring(user_agent, 1, {LONGEST_USER_AGENT}) AS user_agent,
    workspace_id,
    event_time,
    service_name AS service,
    action_name AS action,
    coalesce(request_params['authenticationMethod'], '') = '{INTERNAL}' AS is_internal,
    coalesce({", ".join(f"request_params['{name}']" for name in OBJECTS)}) AS object
  FROM {{table}}
  WHERE {{period}}coalesce(response.status_code, 200) < {FIRST_FAILURE}"""  # noqa: S608 - constants
"""The subquery with the columns of ``events``, for ``str.format``."""

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Question(Generic[_Answer]):
    """A query of the log, as SQL for a table and as pandas for rows.

    Attributes:
        sql: The statement, with ``{events}`` in place of ``EVENTS_SQL``.
        of_result: Returns the frame for the result of the statement.
        of_events: Returns the frame for ``events``.
    """

    sql: str
    of_result: Callable[[pa.Table], _Answer]
    of_events: Callable[[pd.DataFrame], _Answer]

    def statement(self, table: str = TABLE, *, since: str | None = ":since") -> str:
        """Return the statement.

        Args:
            table: The table or view to read. It is an identifier that tokenkit has checked.
            since: The expression for the first ``event_date``; None reads all rows.
        """
        period = f"event_date >= {since} AND " if since else ""
        return self.sql.replace("{events}", EVENTS_SQL.format(table=table, period=period))

    def of_rows(self, rows: pd.DataFrame | pa.Table) -> _Answer:
        """Return the frame for rows; see ``events``."""
        return self.of_events(events(rows))


_MAP = pa.map_(pa.string(), pa.string())
_REQUIRED = ("event_time", "action_name", "request_params")
_COLUMNS = (
    *_REQUIRED, "service_name", "user_identity", "source_ip_address", "user_agent", "response", "workspace_id"
)  # fmt: skip


def events(rows: pd.DataFrame | pa.Table) -> pd.DataFrame:
    """Return the events of rows, without failed requests.

    Args:
        rows: Rows with the columns of ``system.access.audit``, as pandas or Arrow. ``event_time``, ``action_name`` and
            ``request_params`` are required. Structs and maps may also be dicts, lists of pairs, or texts of JSON.

    Returns:
        ``token_id, identity, address, user_agent, workspace_id, time, service, action, is_internal, object``.

    Raises:
        UsageError: A required column is missing, or a value cannot be read.
    """
    names = list(rows.columns if isinstance(rows, pd.DataFrame) else rows.column_names)
    if missing := [name for name in _REQUIRED if name not in names]:
        raise errors.UsageError(
            f"The rows are not from the audit log: {' and '.join(missing)} {of(len(missing), 'is', 'are')} "
            "missing. Select all columns of system.access.audit."
        )
    wanted = [name for name in _COLUMNS if name in names]
    with contextlib.suppress(pa.ArrowException, ValueError, OverflowError):  # the messages may quote a row
        columns = {name: _arrow(rows[name]) for name in wanted}
        none = pa.nulls(len(rows))
        params = _struct(columns["request_params"], ("tokenId", "authenticationMethod", "user", *OBJECTS))
        email = _struct(columns.get("user_identity", none), ("email",))["email"]
        status = pc.cast(_struct(columns.get("response", none), ("status_code",))["status_code"], pa.int64())
        parts = {
            "token_id": params["tokenId"],
            "is_internal": pc.fill_null(pc.equal(params["authenticationMethod"], INTERNAL), fill_value=False),
            IDENTITY: pc.coalesce(email, params["user"]),
            ADDRESS: _without_port(_text(columns.get("source_ip_address", none))),
            USER_AGENT: pc.utf8_slice_codeunits(_text(columns.get("user_agent", none)), 0, LONGEST_USER_AGENT),
            "action": _text(columns["action_name"]),
            "service": _text(columns.get("service_name", none)),
            "workspace_id": _text(columns.get("workspace_id", none)),
            "object": pc.coalesce(*(params[name] for name in OBJECTS)),
        }
        is_kept = pc.less(pc.fill_null(status, 0), FIRST_FAILURE).to_numpy(zero_copy_only=False)
        found = frames.to_pandas(pa.table(parts)).assign(time=_times(columns["event_time"]))[is_kept]
        if found["time"].notna().all():
            return found.astype({"is_internal": bool}).reset_index(drop=True)
    raise errors.UsageError(
        "The rows are not from the audit log, or a value cannot be read. Select all columns of "
        "system.access.audit, without changing them."
    )


def _arrow(column: pd.Series[Any] | pa.ChunkedArray) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        return column.combine_chunks()
    first = column.dropna().head(1)
    is_map = len(first) and isinstance(first.iloc[0], list)  # a map is a list of pairs in pandas
    return pa.array(column, _MAP if is_map else None)


def _times(times: pa.Array) -> pd.Series[pd.Timestamp]:
    """Return times in UTC, in milliseconds; those without a zone are UTC."""
    column = times.to_pandas()
    parsed = pd.to_datetime(column, utc=True, format=None if column.dtype.kind == "M" else "ISO8601")
    return pd.Series(parsed).dt.as_unit("ms")


def _struct(column: pa.Array, names: tuple[str, ...]) -> dict[str, pa.Array]:
    """Return fields as text, from structs, maps, lists of pairs or JSON."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        column = parsed(column)
    if pa.types.is_list(column.type):
        column = pa.array([pairs and [*map(tuple, pairs)] for pairs in column.to_pylist()], _MAP)
    if pa.types.is_map(column.type):
        return {name: _text(pc.map_lookup(column, pa.scalar(name), "first")) for name in names}
    if not (pa.types.is_struct(column.type) or pa.types.is_null(column.type)):
        raise pa.ArrowInvalid(f"{column.type} is not an object.")
    fields = {field.name for field in column.type} if pa.types.is_struct(column.type) else set()
    none = pa.nulls(len(column), pa.string())
    return {name: _text(pc.struct_field(column, name)) if name in fields else none for name in names}


def parsed(texts: pa.Array | pa.ChunkedArray, kind: pa.DataType | None = None) -> pa.Array:
    """Return the values of JSON texts."""
    from pyarrow import json  # noqa: PLC0415 - needed only for texts of JSON

    if not len(texts):
        return pa.array([], kind or pa.null())
    lines = pc.binary_join_element_wise('{"value":', pc.coalesce(_text(texts), "null"), "}", "")
    content = "\n".join(lines.to_pylist()).encode()
    schema = pa.schema([("value", kind)]) if kind else None
    table = json.read_json(
        io.BytesIO(content),
        json.ReadOptions(block_size=len(content) + 1),
        json.ParseOptions(explicit_schema=schema, newlines_in_values=True),
    )
    if table.num_rows != len(texts):
        raise pa.ArrowInvalid("A text is not one JSON value.")
    return table["value"].combine_chunks()


def display_names(identities: pd.Series[str], service_principals: pd.DataFrame) -> pd.Series[str]:
    """Return identities with the display names of service principals, which the log identifies by application id.

    Display names are chosen freely. One that several have, or that looks like a user name, is followed by the id.
    """
    known = service_principals.dropna(subset=["application_id"]).drop_duplicates("application_id")
    ids, names = known["application_id"].str.lower(), known["display_name"].fillna(known["application_id"])
    is_ambiguous = names.str.lower().duplicated(keep=False) | names.str.contains("@", regex=False)
    labels = names.mask(is_ambiguous, names + " (" + ids + ")")
    return identities.str.lower().map(dict(zip(ids, labels, strict=True))).fillna(identities).astype(frames.TEXT)


def result_of(result: pa.Table, expected: pa.Schema) -> pa.Table:
    """Return the result of a statement with the expected columns. A JSON result has only texts.

    Raises:
        InvalidResponseError: A column is missing or has other values.
    """
    with contextlib.suppress(KeyError, ValueError, pa.ArrowException):  # the messages may quote a row
        return pa.table({field.name: _typed(result[field.name], field.type) for field in expected})
    raise malformed()


def malformed() -> errors.InvalidResponseError:
    """Return the error for a result that no statement of tokenkit can have."""
    return errors.InvalidResponseError("The result of the audit log query does not have the expected form.")


def _typed(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if kind == frames.TIME:
        times = _times(column.combine_chunks()) if is_text else column
        return pa.chunked_array([pa.array(times, kind)]) if is_text else column.cast(kind, safe=False)
    return column.cast(kind)


def _text(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    found = column.cast(pa.string())
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _without_port(addresses: pa.Array) -> pa.Array:
    """Return addresses without ports, and IPv6 addresses without brackets."""
    addresses = pc.replace_substring_regex(addresses, r"^\[([^\]]*)\].*$", r"\1")
    return pc.replace_substring_regex(addresses, r"^([^:]*\.[^:]*):[^:]*$", r"\1")
