"""Injected faults as data: which requests they match, how often, and the response that they send.

Faults are matched first, before the rate limit and authentication. With ``after_handler`` the operation succeeds, and
the client does not see its response. Responses recorded from real workspaces have names: ``Fault.named``.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Self

from tokenkit.sandbox.responses import Response, encode
from tokenkit.sandbox.serving.recorded import RECORDED_RESPONSES

if TYPE_CHECKING:
    from collections.abc import Mapping

_ERROR_CODES = {
    400: "INVALID_PARAMETER_VALUE",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "RESOURCE_CONFLICT",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    501: "NOT_IMPLEMENTED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A rule that makes matching requests fail.

    Attributes:
        method: A glob for the method.
        path: A glob for the path, without its query; ``*`` matches slashes too.
        status: The status to send; None keeps the response of the handler.
        body: The response body; None sends the platform's JSON error for the status.
        content_type: The content type; None derives it from the body (HTML for text that starts with ``<``).
        headers: Headers to add to the response.
        offset: Number of matching requests that pass before the first failure.
        times: Number of requests that fail; None means no limit.
        latency_ms: Delay before the request is handled.
        drop: Reset the connection instead of sending a response.
        truncate_bytes: Declare the whole length, send this much of the body, then close the connection.
        after_handler: Run the handler first, and replace only its response.
        workspace_id: Match only requests to this workspace.

    Raises:
        ValueError: HTTP cannot carry the status, a header or the body.
    """

    method: str = "*"
    path: str = "*"
    status: int | None = None
    body: str | bytes | Mapping[str, object] | None = field(default=None, hash=False)
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    offset: int = 0
    times: int | None = None
    latency_ms: float = 0
    drop: bool = False
    truncate_bytes: int | None = None
    after_handler: bool = False
    workspace_id: int | None = None

    def __post_init__(self) -> None:
        # Validated here: while a response is sent, an error would only close the connection.
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError(f"status {self.status} is not a final status. Use 200 to 599.")
        for text in (*self.headers, *self.headers.values(), self.content_type or ""):
            if not text.isprintable() or not _is_latin_1(text):
                raise ValueError(f"{text!r} is not valid in a header. Use printable characters of ISO 8859-1.")
        self.response(None)  # raises ValueError or TypeError if the body cannot be encoded

    @classmethod
    def named(cls, name: str, **where: Any) -> Self:  # noqa: ANN401  # the type of the attribute
        """Return a fault that sends a recorded response. By default it matches every API request.

        Args:
            name: A key of ``tokenkit.sandbox.serving.recorded.RECORDED_RESPONSES``, such as ``private-link``.
            where: Other attributes, such as ``method``, ``path`` and ``times``.

        Raises:
            ValueError: There is no recorded response with this name.
        """
        if name not in RECORDED_RESPONSES:
            raise ValueError(f"unknown recorded response {name!r}. Use one of {', '.join(RECORDED_RESPONSES)}.")
        return cls(**{"path": "/api/*", **RECORDED_RESPONSES[name], **where})

    def matches(self, method: str, path: str, workspace_id: int) -> bool:
        """Return whether this fault applies to a request.

        Args:
            method: The request's method, in uppercase.
            path: The request's path, without the query.
            workspace_id: The workspace that the request was sent to.
        """
        return (
            fnmatchcase(method, self.method.upper())
            and fnmatchcase(path, self.path)
            and self.workspace_id in (None, workspace_id)
        )

    @property
    def runs_handler(self) -> bool:
        """Whether the handler of the request runs."""
        keeps_response = self.status is None and self.body is None and not self.drop
        return self.after_handler or keeps_response

    def response(self, real: Response | None) -> Response:
        """Return the response that is sent.

        Args:
            real: The handler's response; None if it did not run.
        """
        if self.status is None and self.body is None and real is not None:
            return Response(real.status, real.body, real.content_type, {**real.headers, **self.headers})
        status = self.status or 200
        body, content_type = self._content(status)
        return Response(status, body, self.content_type or content_type, dict(self.headers))

    def _content(self, status: int) -> tuple[bytes, str]:
        if self.body is None:
            if status < 400:
                return b"{}", "application/json"
            error = {"error_code": _ERROR_CODES.get(status, "INTERNAL_ERROR"), "message": "Simulated fault"}
            return encode(error), "application/json"
        if isinstance(self.body, str | bytes):
            body = self.body.encode() if isinstance(self.body, str) else self.body
            return body, "text/html; charset=utf-8" if body.lstrip().startswith(b"<") else "text/plain; charset=utf-8"
        return encode(dict(self.body)), "application/json"


def _is_latin_1(text: str) -> bool:
    return all(ord(character) < 256 for character in text)


class Faults:
    """The active faults. The first one that matches applies; one that was used ``times`` times is skipped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: list[tuple[Fault, list[int]]] = []  # with the number of requests that matched

    def __repr__(self) -> str:
        with self._lock:
            return f"<Faults {[fault for fault, _ in self._active]}>"

    def __len__(self) -> int:
        with self._lock:
            return len(self._active)

    def add(self, *faults: Fault | str) -> None:
        """Activate faults, after those that are active already.

        Args:
            faults: Faults, or names of recorded responses: ``"private-link"`` is ``Fault.named("private-link")``.

        Raises:
            ValueError: There is no recorded response with a name.
        """
        added = [Fault.named(fault) if isinstance(fault, str) else fault for fault in faults]
        with self._lock:
            self._active.extend((fault, [0]) for fault in added)

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._active.clear()

    def match(self, method: str, path: str, workspace_id: int) -> Fault | None:
        """Return the fault that applies to a request, and count the request; None if there is none."""
        with self._lock:
            for fault, matched in self._active:
                if not fault.matches(method, path, workspace_id):
                    continue
                if fault.times is not None and matched[0] >= fault.offset + fault.times:
                    continue
                matched[0] += 1
                if matched[0] > fault.offset:
                    return fault
        return None
