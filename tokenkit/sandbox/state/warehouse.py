"""The SQL warehouse of the sandbox's account: its state, and the statements that it runs.

The limits are those of the real one: 25 MiB inline, chunks of at most 20 MiB, results that are available for one hour.
Attributes simulate other cases: a stopped warehouse, or a slow, denied or truncated statement.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from tokenkit.sandbox.state.audit_rows import GivenRows
from tokenkit.sandbox.state.results import cut, result_of
from tokenkit.sandbox.state.sql_engine import SqlEngine
from tokenkit.sandbox.state.sql_errors import SqlError
from tokenkit.sandbox.state.statement import INLINE, RESULT_LIFETIME_MS, Statement

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenkit.sandbox.state.audit_rows import GeneratedRows, Rows
    from tokenkit.sandbox.state.results import Result
    from tokenkit.sandbox.state.sql_engine import Query
    from tokenkit.sandbox.state.statement import StatementRequest

RUNNING, STOPPED = "RUNNING", "STOPPED"
_KEPT_STATEMENTS = 100
_STATEMENTS_AT_ONCE = 4
_END_SECONDS = 5.0
_DENIED = (
    "[INSUFFICIENT_PERMISSIONS] Insufficient privileges: User does not have USE SCHEMA on Schema 'system.access'. "
    "SQLSTATE: 42501"
)


class Warehouse:
    """A SQL warehouse over the audit log.

    Args:
        warehouse_id: Its id.
        clock: The current time, in seconds since the epoch.

    Attributes:
        log: The audit log; replace it to set its rows (``GivenRows``).
        state: ``RUNNING`` or ``STOPPED``; a statement starts a stopped one.
        is_denied: Whether callers lack the permission to read ``system.access``.
        polls: The number of polls that report a statement as running.
        failure: The message with which every statement fails; None for none.
        is_truncating: Whether results lack their last row.
        inline_bytes: The maximum size of an inline result.
        chunk_bytes: The maximum size of a chunk.
        engine: What runs the statements.
    """

    def __init__(self, warehouse_id: str, clock: Callable[[], float]) -> None:
        self.log: Rows | GeneratedRows = GivenRows(())
        self.warehouse_id = warehouse_id
        self.name = "Starter Warehouse"
        self.state = RUNNING
        self.is_denied = False
        self.polls = 0
        self.failure: str | None = None
        self.is_truncating = False
        self.inline_bytes = 25 << 20
        self.chunk_bytes = 20 << 20
        self.engine = SqlEngine(lambda: self.log)  # it can be replaced
        self._statements: OrderedDict[str, Statement] = OrderedDict()
        self._clock = clock
        self._lock = threading.Lock()
        self._slots = threading.Semaphore(_STATEMENTS_AT_ONCE)
        self._threads: set[threading.Thread] = set()

    def __repr__(self) -> str:
        return f"<Warehouse {self.warehouse_id}, {self.state}>"

    def submit(self, request: StatementRequest) -> Statement:
        """Start a statement over the log as it is now, and return it; ``ended`` is set when it has run.

        ``polls`` determines how long it is shown as running after that. Whatever goes wrong ends it as ``FAILED``.
        """
        statement = Statement(request, self.polls)
        self._store(statement)
        self.state = RUNNING
        try:
            self._check(request.sql)
            row_limit = None if request.row_limit is None else request.row_limit + 1  # one more shows truncation
            query = self.engine.query(request.sql, request.parameters, row_limit, request.session)
            self._start(statement, query)
        except Exception as error:  # noqa: BLE001 - the statement is stored, and the caller waits for its end
            self._end(statement, "FAILED", error=_failure(error))
        return statement

    def cancel(self, statement: Statement) -> None:
        """End a statement without a result, unless it has one that is no longer shown as running."""
        if statement.is_running:
            self._end(statement, "CANCELED")
            query = statement.query
            if query is not None:
                query.cancel()

    def _store(self, statement: Statement) -> None:
        removed = []
        with self._lock:
            self._statements[statement.statement_id] = statement
            while len(self._statements) > _KEPT_STATEMENTS:
                removed.append(self._statements.popitem(last=False)[1])
        for oldest in removed:
            self.cancel(oldest)

    def _start(self, statement: Statement, query: Query) -> None:
        """Run a statement in a thread of its own, which does not keep the process from ending."""
        name = f"sandbox-statement-{statement.statement_id[:8]}"
        thread = threading.Thread(target=self._run, args=(statement, query), name=name, daemon=True)
        with self._lock:
            statement.query = query
            if statement.ended.is_set():  # canceled in the meantime
                query.cancel()
            else:
                statement.state = "RUNNING"
            if not self._threads:
                # DuckDB must not run while the interpreter ends.
                atexit.register(self.close)
            self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            self._forget(thread)
            statement.query = None
            raise

    def _forget(self, thread: threading.Thread) -> None:
        with self._lock:
            self._threads.discard(thread)
            if not self._threads:
                atexit.unregister(self.close)

    def _run(self, statement: Statement, query: Query) -> None:
        try:
            with self._slots:
                result = self._result(statement.request, query)
            self._end(statement, "SUCCEEDED", result=result)
        except Exception as error:  # noqa: BLE001 - of a thread, where nobody sees it
            self._end(statement, "FAILED", error=_failure(error))
        finally:
            statement.query = None
            self._forget(threading.current_thread())

    def _end(
        self,
        statement: Statement,
        state: str,
        *,
        result: Result | None = None,
        error: tuple[str, str] | None = None,
    ) -> None:
        """Set the final state of a statement. The first one stays, unless it is canceled while shown as running."""
        with self._lock:
            if not statement.ended.is_set() or (state == "CANCELED" and statement.polls_left):
                statement.result, statement.error = result, error
                statement.closes_ms = int(self._clock() * 1000) + RESULT_LIFETIME_MS
                statement.state = state
            if state == "CANCELED":
                statement.polls_left = 0
            statement.ended.set()

    def _check(self, sql: str) -> None:
        """Fail if the attributes require it.

        Raises:
            SqlError: The caller lacks the permission, or every statement fails.
        """
        if self.is_denied and "system." in sql.lower():
            raise SqlError(_DENIED)
        if self.failure is not None:
            raise SqlError(self.failure)

    @property
    def statements(self) -> list[Statement]:
        """Return the stored statements, oldest first."""
        return list(self._statements.values())

    def find(self, statement_id: str) -> Statement | None:
        """Return a stored statement. One whose result is no longer available is closed."""
        statement = self._statements.get(statement_id)
        if statement is not None:
            with self._lock:
                if statement.state == "SUCCEEDED" and self._clock() * 1000 >= statement.closes_ms:
                    statement.state, statement.result = "CLOSED", None
        return statement

    def close(self) -> None:
        """End all statements, accept no more, and free the memory."""
        self.engine.close()
        for statement in self.statements:  # no request waits for them any longer
            if not statement.ended.is_set():
                self.cancel(statement)
        with self._lock:
            threads = list(self._threads)
        ends = time.monotonic() + _END_SECONDS
        for thread in threads:
            thread.join(max(0, ends - time.monotonic()))
        atexit.unregister(self.close)

    def _result(self, request: StatementRequest, query: Query) -> Result:
        """Run a statement, and return its result.

        Raises:
            SqlError: It fails, or its result is too long to be inline.
        """
        whole = query.run()
        table = cut(whole, request.row_limit, request.byte_limit)
        if self.is_truncating:
            table = table.slice(0, max(table.num_rows - 1, 0))
        is_truncated = self.is_truncating or table.num_rows < whole.num_rows
        result = result_of(table, request.format, chunk_bytes=self.chunk_bytes, is_truncated=is_truncated)
        if request.disposition == INLINE and sum(map(len, result.chunks)) > self.inline_bytes:
            raise SqlError(
                f"Inline byte limit exceeded. Statements executed with disposition=INLINE can have a result size of at "
                f"most {self.inline_bytes} bytes. Please execute the statement with disposition=EXTERNAL_LINKS if you "
                "want to download the full result."
            )
        return result


def _failure(error: Exception) -> tuple[str, str]:
    """Return the code and the message of a statement that failed."""
    if isinstance(error, SqlError):
        return error.error_code, str(error)
    if isinstance(error, ImportError):
        return "BAD_REQUEST", f"The sandbox's warehouse requires {error.name}. pip install duckdb sqlglot"
    return "INTERNAL_ERROR", f"{type(error).__name__}: {error}"
