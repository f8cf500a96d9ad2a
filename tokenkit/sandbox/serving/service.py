"""The request pipeline between socket and handler: fault, rate limit, latency, authentication, handler.

Authentication and handler each have their own transaction: a request that fails changes nothing, but the use of its
token is recorded.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tokenkit.sandbox.handlers.authentication import authenticate, authenticate_with_oauth
from tokenkit.sandbox.handlers.call import Call, Visit
from tokenkit.sandbox.handlers.sign_in import grant
from tokenkit.sandbox.responses import ApiError, Later, Request, Response, invalid, whole_number
from tokenkit.sandbox.serving.auditing import events_of, grant_event
from tokenkit.sandbox.serving.faults import Faults
from tokenkit.sandbox.serving.routes import ACCOUNT_ENDPOINTS, ENDPOINTS, Router
from tokenkit.sandbox.state.account import ACCOUNT
from tokenkit.sandbox.state.audit_log import AuditLog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tokenkit.sandbox.serving.limits import RateLimit
    from tokenkit.sandbox.serving.routes import Endpoint
    from tokenkit.sandbox.state.account import Account

DROPPED = 0  # the recorded status of a request without a response
_OWN_NAMES = ("127.0.0.1", "localhost")
_KEPT_REQUESTS = 100_000
_KEPT_BYTES = 64 << 20
_OBJECT_BYTES = 150
_KEPT_UNKNOWN_ROUTES = 1_000


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request that was served.

    ``status`` is the status sent, 0 if the connection was dropped. ``workspace_id`` is 0 for requests to the account.
    """

    workspace_id: int
    method: str
    path: str
    query: Mapping[str, str]
    status: int
    user_agent: str


class Requests:
    """The requests served, oldest first. Above the limit of their number or size, the oldest are removed."""

    def __init__(self, limit: int = _KEPT_REQUESTS, limit_bytes: int = _KEPT_BYTES) -> None:
        self._lock = threading.Lock()
        self._records: deque[RequestRecord] = deque()
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._bytes = 0

    def __repr__(self) -> str:
        return f"<{len(self)} requests>"

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[RequestRecord]:
        with self._lock:
            return iter(list(self._records))

    def __getitem__(self, index: int) -> RequestRecord:
        with self._lock:
            return self._records[index]

    def append(self, record: RequestRecord) -> None:
        """Add a record."""
        with self._lock:
            self._records.append(record)
            self._bytes += _size(record)
            while len(self._records) > self._limit or self._bytes > self._limit_bytes:
                self._bytes -= _size(self._records.popleft())

    def clear(self) -> None:
        """Remove all records."""
        with self._lock:
            self._records.clear()
            self._bytes = 0


def _size(record: RequestRecord) -> int:
    """Return the bytes that a record takes, about: its texts, and a constant for the objects around them."""
    size = _OBJECT_BYTES * 4 + len(record.path) + len(record.user_agent)
    for name, value in record.query.items():
        size += _OBJECT_BYTES + len(name) + len(value)
    return size


@dataclass(frozen=True, slots=True)
class Delivery:
    """A response, and how to send it."""

    response: Response
    workspace_id: int
    drop: bool = False
    truncate_bytes: int | None = None


class Service:
    """The pipeline, shared by all workspaces of a sandbox and their account."""

    def __init__(self, account: Account, limits: Mapping[int, RateLimit], *, latency_ms: float) -> None:
        self._account = account
        self._states = account.states
        self._workspace_router = Router(ENDPOINTS)
        self._account_router = Router(ACCOUNT_ENDPOINTS, account.account_id)
        self._limits = limits
        self._latency_ms = latency_ms
        self._stopping = threading.Event()
        self.faults = Faults()
        self.requests = Requests()
        self.audit_log = AuditLog()
        self.errors: list[BaseException] = []
        self.unknown_routes: list[str] = []

    def serve(self, request: Request, *, host: str, workspace_id: int) -> Delivery:
        """Return the response to a request that was sent to a workspace's host."""
        try:
            _check_host(request)
            workspace_id = self._addressed_workspace(request, workspace_id)
        except ApiError as error:
            return self._record(request, Delivery(error.response(), workspace_id))
        fault = self.faults.match(request.method, request.path, workspace_id)
        if fault is None:
            return self._record(request, Delivery(self._respond(request, host, workspace_id), workspace_id))
        self._wait(fault.latency_ms)
        response = fault.response(self._respond(request, host, workspace_id) if fault.runs_handler else None)
        return self._record(request, Delivery(response, workspace_id, fault.drop, fault.truncate_bytes))

    def stop(self) -> None:
        """End all simulated latency and statements, so that the threads end with the server and DuckDB is freed."""
        self._stopping.set()
        self._account.warehouse.close()

    def _addressed_workspace(self, request: Request, workspace_id: int) -> int:
        """Return the workspace of a request: the one in its header, as on a shared host, else the one of the port."""
        text = request.headers.get("x-databricks-workspace-id", "").strip()
        if not text:
            return workspace_id
        addressed = whole_number(text)
        if addressed is None or addressed not in self._states:
            raise invalid(f"Workspace {text[:40]!r} of X-Databricks-Workspace-Id does not exist")
        return addressed

    def _respond(self, request: Request, host: str, workspace_id: int) -> Response:
        try:
            if request.path.startswith("/api/"):
                self._limit(workspace_id)
                self._wait(self._latency_ms)
            router = self._account_router if workspace_id == ACCOUNT else self._workspace_router
            endpoint, parameters = router.find(request.method, request.path)
            now_ms = int(self._account.clock() * 1000)
            if endpoint.access == "no credential":
                return self._admit(endpoint, Visit(self._account, request, host, workspace_id, now_ms))
            return self._answer(endpoint, request, parameters, workspace_id, now_ms)
        except ApiError as error:
            if error.error_code == "ENDPOINT_NOT_FOUND" and len(self.unknown_routes) < _KEPT_UNKNOWN_ROUTES:
                self.unknown_routes.append(f"{request.method} {request.path}")
            return error.response()
        except Exception as error:  # noqa: BLE001  # recorded, so that tests see a bug of the sandbox
            if self._stopping.is_set():
                return ApiError(503, "TEMPORARILY_UNAVAILABLE", "The sandbox is stopping").response()
            self.errors.append(error)
            return ApiError(500, "INTERNAL_ERROR", f"{type(error).__name__}: {error}").response()

    def _limit(self, workspace_id: int) -> None:
        limit = self._limits.get(workspace_id)
        seconds = limit.wait_seconds() if limit else 0
        if seconds:
            message = "Current request has been rejected due to exceeding the rate limit"
            raise ApiError(429, "REQUEST_LIMIT_EXCEEDED", message, {"Retry-After": str(seconds)})

    def _admit(self, endpoint: Endpoint, visit: Visit) -> Response:
        with self._account.database.transaction():
            response: Response = endpoint.handler(visit)
        if endpoint.handler is grant:
            self.audit_log.append(grant_event(visit, response))
        return response

    def _answer(
        self, endpoint: Endpoint, request: Request, parameters: dict[str, str], workspace_id: int, now_ms: int
    ) -> Response:
        # Two transactions: one that fails keeps the record of the token's use.
        with self._account.database.transaction():
            if workspace_id == ACCOUNT:
                state = self._account.state()
                caller = authenticate_with_oauth(state, request, now_ms=now_ms)
                is_admin = self._account.is_admin(caller.identity)
            else:
                state = self._states[workspace_id]
                caller = authenticate(state, request, now_ms=now_ms)
                is_admin = endpoint.access == "everyone" or state.is_admin(caller.identity.id)
        call = Call(self._account, state, request, caller, parameters, now_ms)
        if endpoint.access == "admins" and not is_admin:
            message = f"Requesting user '{caller.identity.name}' is not an admin."
            response = ApiError(403, "PERMISSION_DENIED", message).response()
        else:
            try:
                with self._account.database.transaction():
                    answer: Response | Later = endpoint.handler(call)
                response = answer.response() if isinstance(answer, Later) else answer
            except ApiError as error:
                response = error.response()
        for event in events_of(call, endpoint.method, endpoint.path, response):
            self.audit_log.append(event)
        return response

    def _wait(self, milliseconds: float) -> None:
        if milliseconds > 0:
            self._stopping.wait(milliseconds / 1000)

    def _record(self, request: Request, delivery: Delivery) -> Delivery:
        status = DROPPED if delivery.drop else delivery.response.status
        user_agent = request.headers.get("user-agent", "")
        record = RequestRecord(delivery.workspace_id, request.method, request.path, request.query, status, user_agent)
        self.requests.append(record)
        return delivery


def _check_host(request: Request) -> None:
    """Reject a request that was sent to another host name.

    A DNS name, a proxy or a line in ``/etc/hosts`` must not let the sandbox pass for a real workspace, and a web page
    must not reach a sandbox through its own host name (DNS rebinding).
    """
    host = request.headers.get("host", _OWN_NAMES[0])
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        name = None
    if name not in _OWN_NAMES:
        message = f"This is a tokenkit sandbox, not {host[:100]!r}. Use {' or '.join(_OWN_NAMES)}."
        raise ApiError(421, "MISDIRECTED_REQUEST", message)
