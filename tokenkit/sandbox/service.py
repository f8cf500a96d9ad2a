"""What happens to a request between socket and handler, in this order: fault, rate limit, latency, sign-in, handler.

Sign-in and handler are a transaction each: a refused request changed nothing, yet its token was used.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tokenkit.sandbox.account import ACCOUNT, Account
from tokenkit.sandbox.answers import Answer, ApiError, Request, encode, invalid
from tokenkit.sandbox.authentication import METADATA, authenticate, discovery
from tokenkit.sandbox.faults import Fault, Faults
from tokenkit.sandbox.routes import Call, find_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tokenkit.sandbox.limits import RateLimit
    from tokenkit.sandbox.state import State

DROPPED = 0  # the status of a request that got no answer
_OWN_NAMES = ("127.0.0.1", "localhost")
_KEPT_REQUESTS = 100_000
_DISCOVERY = "/oidc/.well-known/oauth-authorization-server"
_GRANT = "/oidc/v1/token"
_LOGIN = "/login.html"  # where a private link leads whoever comes by another way


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request that was served; ``status`` is what was sent, 0 when the connection was dropped.

    ``workspace_id`` is 0 where the account was asked.
    """

    workspace_id: int
    method: str
    path: str
    query: Mapping[str, str]
    status: int
    user_agent: str


class Requests:
    """The requests served, oldest first; the oldest go when there are too many."""

    def __init__(self, limit: int = _KEPT_REQUESTS) -> None:
        self._lock = threading.Lock()
        self._records: deque[RequestRecord] = deque(maxlen=limit)

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
        """Keep one more."""
        with self._lock:
            self._records.append(record)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._records.clear()


@dataclass(frozen=True, slots=True)
class Delivery:
    """An answer, and how the connection is to treat it."""

    answer: Answer
    workspace_id: int
    drop: bool = False
    truncate_bytes: int | None = None


class Service:
    """The pipeline; one for all workspaces of a sandbox and their account."""

    def __init__(
        self,
        account: Account,
        states: Mapping[int, State],
        limits: Mapping[int, RateLimit],
        *,
        latency_ms: float,
        clock: Callable[[], float],
    ) -> None:
        self._account = account
        self._states = states
        self._limits = limits
        self._latency_ms = latency_ms
        self._clock = clock
        self._stopping = threading.Event()
        self.faults = Faults()
        self.requests = Requests()
        self.errors: list[BaseException] = []

    def serve(self, request: Request, *, host: str, workspace_id: int) -> Delivery:
        """Return what to send for a request that came in at a workspace's host."""
        try:
            _check_host(request)
            workspace_id = self._addressed(request, workspace_id)
        except ApiError as error:
            return self._record(request, Delivery(error.answer(), workspace_id))
        fault = self.faults.strike(request.method, request.path, workspace_id)
        if fault is not None:
            self._wait(fault.latency_ms)
        real = self._answer(request, host, workspace_id) if fault is None or fault.runs_handler else None
        return self._record(request, _delivery(fault, real, workspace_id))

    def stop(self) -> None:
        """End every wait, so that no thread outlives the server by its latency."""
        self._stopping.set()

    def _addressed(self, request: Request, workspace_id: int) -> int:
        """Return the workspace that a request means: the header's on a shared host, else the port's."""
        text = request.headers.get("x-databricks-workspace-id", "").strip()
        if not text:
            return workspace_id
        named = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
        if named not in self._states:
            raise invalid(f"Workspace {text[:40]!r} of X-Databricks-Workspace-Id does not exist")
        return named

    def _answer(self, request: Request, host: str, workspace_id: int) -> Answer:
        try:
            if workspace_id == ACCOUNT:
                return self._of_account(request, host)
            if request.path.startswith("/api/"):
                return self._api(request, self._states[workspace_id])
            return self._sign_in(request, host, workspace_id)
        except ApiError as error:
            return error.answer()
        except Exception as error:  # noqa: BLE001  # a bug of the sandbox must be seen by a test, not kill a thread
            if self._stopping.is_set():
                return ApiError(503, "TEMPORARILY_UNAVAILABLE", "The sandbox is stopping").answer()
            self.errors.append(error)
            return Answer(500, encode({"error_code": "INTERNAL_ERROR", "message": f"{type(error).__name__}: {error}"}))

    def _api(self, request: Request, state: State) -> Answer:
        limit = self._limits.get(state.workspace_id)
        seconds = limit.wait_seconds() if limit else 0
        if seconds:
            message = "Current request has been rejected due to exceeding the rate limit"
            raise ApiError(429, "REQUEST_LIMIT_EXCEEDED", message, {"Retry-After": str(seconds)})
        self._wait(self._latency_ms)
        endpoint, parameters = find_endpoint(request.method, request.path)
        now_ms = int(self._clock() * 1000)
        with state.database.transaction():
            caller = authenticate(state, request, now_ms=now_ms)
            if endpoint.admin_only and not state.is_admin(caller.identity.id):
                # Committed by hand: the refusal must not undo the record of the token's use.
                refused = ApiError(403, "PERMISSION_DENIED", "Only workspace admins may call this API")
            else:
                refused = None
        if refused is not None:
            raise refused
        with state.database.transaction():
            return endpoint.handler(Call(state, request, caller, parameters, now_ms))

    def _of_account(self, request: Request, host: str) -> Answer:
        now_ms = int(self._clock() * 1000)
        if not request.path.startswith("/api/"):
            return self._account.sign_in(request, host=host, now_ms=now_ms)
        self._wait(self._latency_ms)
        return self._account.api(request, now_ms=now_ms)

    def _sign_in(self, request: Request, host: str, workspace_id: int) -> Answer:
        """Answer what a client asks before it has a credential."""
        match request.method, request.path:
            case "GET", path if path == METADATA:
                return Answer.of(
                    {
                        "oidc_endpoint": f"{host}/oidc",
                        "account_id": self._account.account_id,
                        "workspace_id": str(workspace_id),
                        "cloud": "AWS",
                    }
                )
            case "GET", path if path == _DISCOVERY:
                return discovery(f"{host}/oidc")
            case "GET", path if path == _LOGIN:
                return Fault.named("login-page").answer(None)
            case "POST", path if path == _GRANT:
                return self._account.oauth.grant(request, now_ms=int(self._clock() * 1000))
        message = (
            f"No API found for '{request.method} {request.path}'. "
            f"Outside /api/ the sandbox serves GET {METADATA}, GET {_DISCOVERY}, GET {_LOGIN} and POST {_GRANT}."
        )
        raise ApiError(404, "ENDPOINT_NOT_FOUND", message)

    def _wait(self, milliseconds: float) -> None:
        if milliseconds > 0:
            self._stopping.wait(milliseconds / 1000)

    def _record(self, request: Request, delivery: Delivery) -> Delivery:
        status = DROPPED if delivery.drop else delivery.answer.status
        user_agent = request.headers.get("user-agent", "")
        record = RequestRecord(delivery.workspace_id, request.method, request.path, request.query, status, user_agent)
        self.requests.append(record)
        return delivery


def _check_host(request: Request) -> None:
    """Refuse what was meant for another host.

    A name, a proxy or a line of ``/etc/hosts`` that leads here from a real workspace's address must not make somebody
    believe that they speak with it; nor may a web page reach a sandbox through a name of its own.
    """
    host = request.headers.get("host", _OWN_NAMES[0])
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        name = None
    if name not in _OWN_NAMES:
        message = f"This is a sandbox of tokenkit and not {host[:100]!r}; it answers to {' and '.join(_OWN_NAMES)} only"
        raise ApiError(421, "MISDIRECTED_REQUEST", message)


def _delivery(fault: Fault | None, real: Answer | None, workspace_id: int) -> Delivery:
    if fault is None:
        return Delivery(real or Answer(), workspace_id)
    return Delivery(fault.answer(real), workspace_id, drop=fault.drop, truncate_bytes=fault.truncate_bytes)
