"""SQL warehouses, and the Statement Execution API."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.handlers.statement_request import statement_request
from tokenkit.sandbox.responses import ApiError, Later, Response, invalid, whole_number
from tokenkit.sandbox.state.statement import EXTERNAL_LINKS, INLINE, LINK_LIFETIME_MS
from tokenkit.sandbox.state.warehouse import RUNNING, STOPPED

if TYPE_CHECKING:
    from tokenkit.sandbox.handlers.call import Call, Visit
    from tokenkit.sandbox.state.results import Result
    from tokenkit.sandbox.state.statement import Statement
    from tokenkit.sandbox.state.warehouse import Warehouse

_STATEMENTS = "/api/2.0/sql/statements"
STORAGE = "/storage/results"
"""The path of external links. It accepts the signature in the link, and no other credential."""

_ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "CLOSED"})


def list_warehouses(call: Call) -> Response:
    """List the SQL warehouses: one."""
    return Response.of({"warehouses": [_described(call.account.warehouse)]})


def get_warehouse(call: Call) -> Response:
    """Return the warehouse."""
    return Response.of(_described(_warehouse(call, call.parameters["warehouse_id"])))


def start_warehouse(call: Call) -> Response:
    """Start the warehouse."""
    _warehouse(call, call.parameters["warehouse_id"]).state = RUNNING
    return Response.of({})


def stop_warehouse(call: Call) -> Response:
    """Stop the warehouse."""
    _warehouse(call, call.parameters["warehouse_id"]).state = STOPPED
    return Response.of({})


def execute_statement(call: Call) -> Response | Later:
    """Run a statement, and wait for it as long as the caller asked for."""
    requested = statement_request(call)
    warehouse = _warehouse(call, call.request.json().get("warehouse_id"))
    statement = warehouse.submit(requested)
    if requested.wait_seconds == 0:
        return Response.of({"statement_id": statement.statement_id, "status": {"state": "PENDING"}})

    def after_the_wait() -> Response:
        statement.ended.wait(requested.wait_seconds)
        if requested.is_canceled_after_wait:
            warehouse.cancel(statement)
        return Response.of(_document(call, statement))

    return Later(after_the_wait)


def get_statement(call: Call) -> Response:
    """Return the state of a statement, with the beginning of its result."""
    statement = _statement(call)
    if statement.polls_left:
        statement.polls_left -= 1
    return Response.of(_document(call, statement))


def cancel_statement(call: Call) -> Response:
    """Cancel a running statement."""
    call.account.warehouse.cancel(_statement(call))
    return Response.of({})


def get_chunk(call: Call) -> Response:
    """Return a chunk of a result."""
    statement = _statement(call)
    text, result = call.parameters["chunk_index"], statement.result
    if result is None or statement.is_running:
        raise invalid(f"The statement {statement.statement_id} has no result")
    index = whole_number(text)
    if index is None or index >= len(result.chunks):
        raise invalid(f"Chunk {text[:20]} does not exist")
    return Response.of(_chunk(call, statement, result, index))


def download(visit: Visit) -> Response:
    """Return a part of a result from an external link, as cloud storage does."""
    statement_id, _, chunk_index = visit.request.path.removeprefix(f"{STORAGE}/").partition("/")
    if "authorization" in visit.request.headers:
        raise ApiError(400, "INVALID_ARGUMENT", "Only one auth mechanism allowed")
    statement = visit.account.warehouse.find(statement_id)
    result = None if statement is None else statement.result
    index, expires_ms = whole_number(chunk_index), whole_number(visit.request.query.get("expires", ""))
    if (
        statement is None
        or result is None
        or index is None
        or expires_ms is None
        or visit.request.query.get("signature") != statement.signature(index, expires_ms)
        or visit.now_ms >= expires_ms
    ):
        raise ApiError(403, "ACCESS_DENIED", "Request has expired")
    return Response(200, result.chunks[index], "application/octet-stream")


def _described(warehouse: Warehouse) -> dict[str, Any]:
    return {
        "id": warehouse.warehouse_id,
        "name": warehouse.name,
        "state": warehouse.state,
        "cluster_size": "2X-Small",
        "auto_stop_mins": 10,
        "warehouse_type": "PRO",
        "enable_serverless_compute": True,
    }


def _warehouse(call: Call, warehouse_id: object) -> Warehouse:
    warehouse = call.account.warehouse
    if not warehouse_id or not isinstance(warehouse_id, str):
        raise invalid("warehouse_id is required")
    if warehouse_id != warehouse.warehouse_id:
        raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"SQL warehouse {warehouse_id} does not exist")
    return warehouse


def _statement(call: Call) -> Statement:
    statement_id = call.parameters["statement_id"]
    statement = call.account.warehouse.find(statement_id)
    if statement is None:
        raise ApiError(404, "NOT_FOUND", f"The statement {statement_id} was not found")
    return statement


def _document(call: Call, statement: Statement) -> dict[str, Any]:
    """Return a statement in the form of the API."""
    state = RUNNING if statement.is_running and statement.state in _ENDED else statement.state
    document: dict[str, Any] = {"statement_id": statement.statement_id, "status": {"state": state}}
    if state == "FAILED" and statement.error:
        document["status"]["error"] = {"error_code": statement.error[0], "message": statement.error[1]}
    result = statement.result
    if state == "SUCCEEDED" and result is not None:
        document["manifest"] = _manifest(statement, result)
        document["result"] = _chunk(call, statement, result, 0)
    return document


def _manifest(statement: Statement, result: Result) -> dict[str, Any]:
    is_external = statement.request.disposition == EXTERNAL_LINKS
    chunks: list[dict[str, Any]] = []
    offset = 0
    for index, (content, count) in enumerate(zip(result.chunks, result.row_counts, strict=True)):
        chunk = {"chunk_index": index, "row_offset": offset, "row_count": count}
        chunks.append(chunk | {"byte_count": len(content)} if is_external else chunk)
        offset += count
    manifest = {
        "format": statement.request.format,
        "schema": {"column_count": len(result.columns), "columns": result.columns},
        "total_chunk_count": len(result.chunks),
        "chunks": chunks,
        "total_row_count": offset,
        "truncated": result.is_truncated,
    }
    return manifest | {"total_byte_count": sum(map(len, result.chunks))} if is_external else manifest


def _chunk(call: Call, statement: Statement, result: Result, index: int) -> dict[str, Any]:
    """Return a chunk: its rows, or a link to them."""
    content, count = result.chunks[index], result.row_counts[index]
    part: dict[str, Any] = {
        "chunk_index": index,
        "row_offset": sum(result.row_counts[:index]),
        "row_count": count,
    }
    if index + 1 < len(result.chunks):
        part["next_chunk_index"] = index + 1
        path = f"{_STATEMENTS}/{statement.statement_id}/result/chunks/{index + 1}"
        part["next_chunk_internal_link"] = f"{path}?row_offset={part['row_offset'] + count}"
    if statement.request.disposition == INLINE:
        return {**part, "data_array": json.loads(content)}
    expires_ms = min(call.now_ms + LINK_LIFETIME_MS, statement.closes_ms)
    expiration = datetime.fromtimestamp(expires_ms / 1000, UTC).isoformat(timespec="milliseconds")
    host = next(iter(call.account.hosts.values()))
    query = f"expires={expires_ms}&signature={statement.signature(index, expires_ms)}"
    link = f"{host}{STORAGE}/{statement.statement_id}/{index}?{query}"
    part |= {"byte_count": len(content), "external_link": link, "expiration": expiration.replace("+00:00", "Z")}
    return {"external_links": [part]}
