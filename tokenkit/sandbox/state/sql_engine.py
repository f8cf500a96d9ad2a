"""Databricks' SQL over the sandbox's tables: a statement is translated, and DuckDB runs it.

DuckDB has no access to files or the network, cannot load extensions, and is
limited in memory and time. Both packages are imported with the first statement.
"""

from __future__ import annotations

import contextlib
import threading
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.state.audit_rows import GeneratedRows
from tokenkit.sandbox.state.sql_errors import SqlError
from tokenkit.sandbox.state.sql_translation import Session, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tokenkit.sandbox.state.audit_rows import Rows

_ROWS_AT_ONCE = 20_000
_INTERRUPT_SECONDS = 0.05
_AUDIT = """CREATE TABLE audit (
    account_id VARCHAR, workspace_id VARCHAR, version VARCHAR, event_time TIMESTAMPTZ, event_date DATE,
    event_id VARCHAR, audit_level VARCHAR, service_name VARCHAR, action_name VARCHAR, request_id VARCHAR,
    request_params MAP(VARCHAR, VARCHAR),
    response STRUCT(status_code INTEGER, error_message VARCHAR, result VARCHAR),
    session_id VARCHAR, source_ip_address VARCHAR, user_agent VARCHAR,
    user_identity STRUCT(email VARCHAR, subject_name VARCHAR),
    identity_metadata STRUCT(run_by VARCHAR, run_as VARCHAR, acting_resource VARCHAR)
)"""
_CATALOG = """
CREATE VIEW information_schema_tables AS
    SELECT 'system' AS table_catalog, 'access' AS table_schema, 'audit' AS table_name, 'MANAGED' AS table_type;
CREATE VIEW information_schema_columns AS
    SELECT 'system' AS table_catalog, 'access' AS table_schema, 'audit' AS table_name, column_name,
        column_index - 1 AS ordinal_position, data_type AS full_data_type
    FROM duckdb_columns() WHERE table_name = 'audit';
"""
_CANCELED = "The statement was canceled"


class Query:
    """A statement over the log as it was when the statement was submitted.

    Args:
        cursor: A cursor of DuckDB, whose transaction has begun.
        statement: The statement in DuckDB's dialect.
        row_limit: The maximum number of rows.
        longest_seconds: The time after which the statement is ended.
    """

    def __init__(self, cursor: Any, statement: str, row_limit: int | None, longest_seconds: float) -> None:  # noqa: ANN401 - of duckdb
        self._cursor = cursor
        self._statement = statement
        self._row_limit = row_limit
        self._longest_seconds = longest_seconds
        self._is_canceled = False
        self._ends = threading.Event()  # it must end, or has ended
        self._has_ended = threading.Event()

    def run(self) -> Any:  # noqa: ANN401 - an Arrow table
        """Return the result as an Arrow table. It can be called once.

        Raises:
            SqlError: The statement fails, takes too long, or is canceled.
        """
        import duckdb  # noqa: PLC0415 - an extra, imported with the first statement

        watcher = threading.Thread(target=self._interrupt, name="sandbox-statement-end", daemon=True)
        watcher.start()
        try:
            if self._is_canceled:
                raise SqlError(_CANCELED)
            result = self._cursor.sql(self._statement)
            return (result if self._row_limit is None else result.limit(int(self._row_limit))).to_arrow_table()
        except duckdb.InterruptException:
            ended = _CANCELED if self._is_canceled else f"The statement ran for more than {self._longest_seconds:.0f} s"
            raise SqlError(ended) from None
        except duckdb.Error as error:
            raise SqlError(f"[SANDBOX] {error}") from None
        finally:
            self.close()
            watcher.join()

    def close(self) -> None:
        """Free its memory."""
        self._has_ended.set()
        self._ends.set()
        self._cursor.close()

    def cancel(self) -> None:
        """End the statement, if it has not ended."""
        self._is_canceled = True
        self._ends.set()

    def _interrupt(self) -> None:
        """Wait until the statement must end, and interrupt it until it does: DuckDB forgets early interrupts."""
        import duckdb  # noqa: PLC0415 - an extra, imported with the first statement

        self._ends.wait(self._longest_seconds)
        while not self._has_ended.wait(_INTERRUPT_SECONDS):
            with contextlib.suppress(duckdb.ConnectionException):  # its cursor is closed
                self._cursor.interrupt()


class SqlEngine:
    """Prepares statements on the audit log. It is thread-safe.

    Args:
        log: Returns the log. The engine loads its rows once, and before each statement those that were added since.

    Attributes:
        loaded: The number of rows that were loaded, from the start on.
        longest_seconds: The time after which a statement is ended.
        memory_bytes: The memory that statements have, beside the rows of the log. No file takes what exceeds it.
            DuckDB does not count a value while a function makes it, which ``sql_limits`` is for, nor the result.
    """

    def __init__(self, log: Callable[[], Rows | GeneratedRows]) -> None:
        self.loaded = 0
        self.longest_seconds = 60.0
        self.memory_bytes = 512 << 20
        self._log = log
        self._is_closed = False
        self._lock = threading.Lock()
        self._connection: Any = None
        self._source: Rows | GeneratedRows | None = None
        self._mark: Any = None

    def query(
        self,
        statement: str,
        parameters: Mapping[str, tuple[str, str | None]],
        row_limit: int | None,
        session: Session = Session(),  # noqa: B008 - immutable
    ) -> Query:
        """Return a statement that can run, in any thread, over the log as it is now.

        Args:
            statement: One statement that reads.
            parameters: The SQL type and the value of each named parameter.
            row_limit: The maximum number of rows.
            session: The defaults of the statement.

        Raises:
            SqlError: The statement is not allowed, or the engine is closed.
        """
        prepared = translated(statement, parameters, session)
        with self._lock:
            if self._is_closed:
                raise SqlError("The SQL warehouse has been closed with its sandbox", "TEMPORARILY_UNAVAILABLE")
            cursor = self._loaded_connection().cursor()
            cursor.execute("BEGIN")
            cursor.execute("SELECT 1 FROM audit LIMIT 0")  # the transaction sees what is there when it first reads
        return Query(cursor, prepared, row_limit, self.longest_seconds)

    def close(self) -> None:
        """Accept no more statements, and free the memory when the last one has ended."""
        with self._lock:
            self._is_closed = True
            self._disconnect()

    def _disconnect(self) -> None:
        # Not closed, because statements may still run. Without a reference, it ends with the last of them.
        self._connection = self._source = self._mark = None

    def _loaded_connection(self) -> Any:  # noqa: ANN401 - of duckdb
        source = self._log()
        if source is not self._source:
            self._disconnect()
        if not isinstance(source, GeneratedRows):
            part = source.read(self._mark)
            if part.is_whole:
                self._disconnect()
                self._connection = _connected(_AUDIT)
            self._insert(part.rows)
            self._mark = part.mark
        elif self._connection is None:
            self._connection = _connected(f"CREATE VIEW audit AS {source.statement}")
        if self._source is None:
            _restrict(self._connection, self.memory_bytes)
        self._source = source
        return self._connection

    def _insert(self, events: Iterable[Mapping[str, Any]]) -> None:
        import pyarrow as pa  # noqa: PLC0415 - an extra, imported with the first statement

        rows, schema = map(_row, events), None
        while part := list(islice(rows, _ROWS_AT_ONCE)):
            schema = schema or _schema(pa, self._connection.table("audit").limit(0).to_arrow_table().schema)
            self._connection.register("rows", pa.Table.from_pylist(part, schema))
            self._connection.execute("INSERT INTO audit SELECT * FROM rows")
            self._connection.unregister("rows")
            self.loaded += len(part)


def _connected(audit: str) -> Any:  # noqa: ANN401 - of duckdb
    """Return a new database with the table or view of the log."""
    import duckdb  # noqa: PLC0415 - an extra, imported with the first statement

    connection = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
    connection.execute("SET GLOBAL TimeZone = 'UTC'")  # also of cursors
    connection.execute(audit)
    connection.execute(_CATALOG)
    return connection


def _restrict(connection: Any, memory_bytes: int) -> None:  # noqa: ANN401 - of duckdb
    """Take a database's access to anything else, and limit the memory that it has beside the rows of the log."""
    (rows,) = connection.execute("SELECT sum(memory_usage_bytes) FROM duckdb_memory()").fetchone()
    connection.execute(f"SET memory_limit = '{memory_bytes + rows} bytes'; SET threads = 2")
    connection.execute("SET temp_directory = ''")
    connection.execute("SET enable_external_access = false; SET lock_configuration = true")


def _row(event: Mapping[str, Any]) -> dict[str, Any]:
    params = list((event.get("request_params") or {}).items())
    time = datetime.fromisoformat(event["event_time"])
    return {
        **event,
        "workspace_id": str(event.get("workspace_id", 0)),
        "event_time": time,
        "event_date": time.astimezone(UTC).date(),
        "request_params": params,
    }


def _schema(pa: Any, kinds: Any) -> Any:  # noqa: ANN401 - pyarrow, and its schema
    times = {"event_time": pa.timestamp("us", tz="UTC")}
    return pa.schema([(field.name, times.get(field.name, field.type)) for field in kinds])
