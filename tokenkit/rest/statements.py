"""SQL on a warehouse, through the Statement Execution API.

A result of up to 25 MiB is returned inline, as texts. If a longer one fails, the statement is executed again with
external links to files in Arrow format. Such a link is itself a credential: it is never displayed, and the workspace's
credential is never sent to it.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

import pyarrow as pa

from tokenkit import errors
from tokenkit.core.printable import printable
from tokenkit.core.redaction import redact
from tokenkit.rest.listing import records
from tokenkit.rest.pace import MonotonicClock
from tokenkit.rest.transport import Transport

_STATEMENTS, _WAREHOUSES = "/api/2.0/sql/statements", "/api/2.0/sql/warehouses"
_WAIT = "30s"
_FIRST_POLL_SECONDS, _LONGEST_POLL_SECONDS = 0.5, 5.0
_RUNNING = frozenset({"PENDING", "RUNNING"})
_INLINE: Final = {"disposition": "INLINE", "format": "JSON_ARRAY"}
_EXTERNAL: Final = {"disposition": "EXTERNAL_LINKS", "format": "ARROW_STREAM"}
_TOO_LONG = re.compile("inline byte limit|EXTERNAL_LINKS", re.IGNORECASE)
_MAX_CHUNKS = 10_000
_LONGEST_MESSAGE = 500


class StatementsAPI:
    """Runs SQL on the warehouses of one workspace.

    Args:
        transport: The client.
        clock: ``monotonic`` and ``sleep``, for the interval between polls; the ``time`` module by default.
    """

    def __init__(self, transport: Transport, *, clock: MonotonicClock = time) -> None:
        self._transport = transport
        self._clock = clock

    def __repr__(self) -> str:
        return f"<StatementsAPI of {self._transport.name}>"

    def warehouses(self) -> list[tuple[str, str, str]]:
        """Return the id, name and state of each warehouse that the caller can see."""
        response = self._transport.call("GET", _WAREHOUSES)
        found = records(response, "warehouses")
        return [(self._word(row, "id"), str(row.get("name", "")), str(row.get("state", ""))) for row in found]

    def state(self, warehouse_id: str) -> str:
        """Return the state of a warehouse: ``RUNNING``, ``STARTING``, ``STOPPED``, ``STOPPING`` or ``DELETED``."""
        return self._word(self._transport.call("GET", f"{_WAREHOUSES}/{quote(warehouse_id, safe='')}"), "state")

    def execute(
        self,
        statement: str,
        *,
        warehouse_id: str,
        parameters: Mapping[str, tuple[str, str]] | None = None,
        on_poll: Callable[[str], None] | None = None,
    ) -> pa.Table:
        """Run a statement, and return its result. An interrupt cancels it.

        Args:
            statement: The SQL, with named parameters (``:since``).
            warehouse_id: The warehouse. The statement starts a stopped one.
            parameters: The SQL type and the value of each parameter.
            on_poll: Called with the state of the statement after each poll.

        Returns:
            The result. An inline result has only texts.

        Raises:
            StatementFailedError: The statement failed, was canceled or closed, or its result is truncated.
            ApiError: The warehouse does not exist, or the caller cannot use it.
        """
        body = {
            "warehouse_id": warehouse_id,
            "statement": statement,
            "parameters": [
                {"name": name, "type": kind, "value": value} for name, (kind, value) in (parameters or {}).items()
            ],
            "wait_timeout": _WAIT,
            "on_wait_timeout": "CONTINUE",
        }
        try:
            return self._run(body | _INLINE, on_poll)
        except errors.StatementFailedError as failure:
            if not _TOO_LONG.search(failure.reason):
                raise
        return self._run(body | _EXTERNAL, on_poll)

    def _run(self, body: Mapping[str, Any], on_poll: Callable[[str], None] | None) -> pa.Table:
        response = self._transport.call("POST", _STATEMENTS, body=body, is_listing=True)
        statement_id = quote(self._word(response, "statement_id"), safe="")
        wait_seconds = _FIRST_POLL_SECONDS
        try:
            while (state := self._state_of(response)) in _RUNNING:
                if on_poll:
                    on_poll(state)
                self._clock.sleep(wait_seconds)
                wait_seconds = min(wait_seconds * 2, _LONGEST_POLL_SECONDS)
                response = self._transport.call("GET", f"{_STATEMENTS}/{statement_id}", is_listing=True)
        except BaseException:
            self._cancel(statement_id)
            raise
        if state != "SUCCEEDED":
            raise self._failure(response, state)
        return self._result(statement_id, response)

    def _cancel(self, statement_id: str) -> None:
        """Cancel a statement whose result is no longer needed. It incurs costs until it ends."""
        try:
            self._transport.call("POST", f"{_STATEMENTS}/{statement_id}/cancel")
        except errors.TokenKitError:  # the error that led here is more specific
            return

    def _result(self, statement_id: str, response: Mapping[str, Any]) -> pa.Table:
        """Return all chunks of a result."""
        manifest = self._object(response, "manifest")
        if manifest.get("truncated"):
            raise errors.StatementFailedError(f"{self._transport.name} truncated the result of the statement.")
        columns = records(self._object(manifest, "schema"), "columns")
        names = [self._word(column, "name") for column in columns]
        parts: list[pa.Table] = []
        chunk: Mapping[str, Any] = {} if response.get("result") is None else self._object(response, "result")
        for _ in range(_MAX_CHUNKS):
            links = records(chunk, "external_links")
            files = [self._downloaded(self._word(link, "external_link")) for link in links]
            parts += files or [self._rows(chunk, names)]
            next_index = (links[-1] if links else chunk).get("next_chunk_index")
            if next_index is None:
                return self._whole(parts, manifest.get("total_row_count"))
            if not isinstance(next_index, int):
                raise self._malformed("the number of its next chunk")
            path = f"{_STATEMENTS}/{statement_id}/result/chunks/{next_index}"
            chunk = self._transport.call("GET", path, is_listing=True)
        raise self._malformed("an end of its result")

    def _whole(self, parts: list[pa.Table], expected: object) -> pa.Table:
        """Return the parts as one table, after checking the number of rows that the workspace reported."""
        with contextlib.suppress(pa.ArrowException):  # the message may quote a row
            table = pa.concat_tables(parts)
            if expected is not None and expected != table.num_rows:
                raise errors.InvalidResponseError(f"{self._transport.name} sent an incomplete result.")
            return table
        raise self._malformed("columns of one type")

    def _rows(self, chunk: Mapping[str, Any], names: list[str]) -> pa.Table:
        """Return the rows of an inline chunk as text."""
        with contextlib.suppress(TypeError, ValueError, pa.ArrowException):  # the messages may quote a row
            columns = [*zip(*(chunk.get("data_array") or []), strict=True)] or [()] * len(names)
            return pa.table([pa.array(column, pa.string()) for column in columns], names)
        raise self._malformed("rows of text")

    def _downloaded(self, link: str) -> pa.Table:
        content = self._transport.download(link)
        with contextlib.suppress(pa.ArrowException):  # the message may quote a row
            return pa.ipc.open_stream(content).read_all()
        raise errors.InvalidResponseError("A part of the result is not in the Arrow format.")

    def _failure(self, response: Mapping[str, Any], state: str) -> errors.StatementFailedError:
        error = self._object(response, "status").get("error")
        message = error.get("message") if isinstance(error, Mapping) else None
        reason = redact(printable(str(message or "")))[:_LONGEST_MESSAGE]
        return errors.StatementFailedError(
            f"The statement ended as {state} on {self._transport.name}: {reason or 'no reason was given'}", reason
        )

    def _state_of(self, response: Mapping[str, Any]) -> str:
        return self._word(self._object(response, "status"), "state")

    def _object(self, response: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        found = response.get(name)
        if not isinstance(found, Mapping):
            raise self._malformed(name)
        return found

    def _word(self, response: Mapping[str, Any], name: str) -> str:
        found = response.get(name)
        if not isinstance(found, str):
            raise self._malformed(name)
        return found

    def _malformed(self, name: str) -> errors.InvalidResponseError:
        return errors.InvalidResponseError(f"{self._transport.name} sent a response about a statement without {name}.")
