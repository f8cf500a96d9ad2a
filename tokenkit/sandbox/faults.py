"""What goes wrong, as data: which requests, how often, and what happens to them instead.

A fault is asked about before anything else looks at a request. ``after_handler`` is the cruel one: the work is done and
stays done, and the client does not get to know. What real workspaces
were seen to refuse with has names: ``Fault.named``.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Self

from tokenkit.sandbox.answers import Answer, encode
from tokenkit.sandbox.recorded import REFUSALS

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
    """A rule for requests that go wrong.

    Attributes:
        method: A glob for the method.
        path: A glob for the path, without its query; ``*`` crosses slashes.
        status: The status to answer with; None leaves the answer as it would have been.
        body: The answer's body; None gives the platform's JSON error for the status.
        content_type: The body's type; None follows from the body (HTML for text that starts with ``<``).
        headers: Headers to add to the answer.
        offset: How many matching requests pass before the first that is hit.
        times: How many are hit; None means for ever.
        latency_ms: How long the request waits first.
        drop: Reset the connection instead of an answer.
        truncate_bytes: Declare the whole length, send this much of the body, then close.
        after_handler: Let the request do its work first, and spoil only the answer.
        workspace_id: Hit this workspace alone.

    Raises:
        ValueError: No HTTP answer can carry the status, a header or the body.
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
        # Found out here, where the mistake is; in the middle of an answer it would only end a connection.
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError(f"status {self.status} ends no request; use 200 to 599")
        for text in (*self.headers, *self.headers.values(), self.content_type or ""):
            if not text.isprintable() or not _is_latin_1(text):
                raise ValueError(f"{text!r} cannot stand in a header: use printable characters of ISO 8859-1")
        self.answer(None)  # a body that cannot be encoded is a ValueError or a TypeError of its own

    @classmethod
    def named(cls, name: str, **where: Any) -> Self:  # noqa: ANN401 - a field's own type
        """Return a refusal as it was recorded; it hits every request of the API, unless ``where`` says otherwise.

        Args:
            name: Such as ``private-link``; ``tokenkit.sandbox.recorded.REFUSALS`` has them all.
            where: Other attributes, such as ``method``, ``path`` and ``times``.

        Raises:
            ValueError: Nothing of that name was recorded.
        """
        if name not in REFUSALS:
            raise ValueError(f"no refusal was recorded as {name!r}; use one of {', '.join(REFUSALS)}")
        return cls(**{"path": "/api/*", **REFUSALS[name], **where})

    def matches(self, method: str, path: str, workspace_id: int) -> bool:
        """Tell whether this fault is about a request.

        Args:
            method: The request's method, in capitals.
            path: Its path, without the query.
            workspace_id: The workspace that it was sent to.
        """
        return (
            fnmatchcase(method, self.method.upper())
            and fnmatchcase(path, self.path)
            and self.workspace_id in (None, workspace_id)
        )

    @property
    def runs_handler(self) -> bool:
        """Whether the request's own work is done."""
        spoils_nothing = self.status is None and self.body is None and not self.drop
        return self.after_handler or spoils_nothing

    def answer(self, real: Answer | None) -> Answer:
        """Return what is sent instead of the real answer.

        Args:
            real: What the handler answered; None when it did not run.
        """
        if self.status is None and self.body is None and real is not None:
            return Answer(real.status, real.body, real.content_type, {**real.headers, **self.headers})
        status = self.status or 200
        body, content_type = self._content(status)
        return Answer(status, body, self.content_type or content_type, dict(self.headers))

    def _content(self, status: int) -> tuple[bytes, str]:
        if self.body is None:
            if status < 400:
                return b"{}", "application/json"
            error = {"error_code": _ERROR_CODES.get(status, "INTERNAL_ERROR"), "message": "A fault of the sandbox"}
            return encode(error), "application/json"
        if isinstance(self.body, str | bytes):
            body = self.body.encode() if isinstance(self.body, str) else self.body
            return body, "text/html; charset=utf-8" if body.lstrip().startswith(b"<") else "text/plain; charset=utf-8"
        return encode(dict(self.body)), "application/json"


def _is_latin_1(text: str) -> bool:
    return all(ord(character) < 256 for character in text)


class Faults:
    """The faults in force. The first one that is due hits; one that is used up lets the next have its turn."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: list[tuple[Fault, list[int]]] = []

    def __repr__(self) -> str:
        with self._lock:
            return f"<Faults {[fault for fault, _ in self._seen]}>"

    def __len__(self) -> int:
        with self._lock:
            return len(self._seen)

    def add(self, *faults: Fault | str) -> None:
        """Put faults in force, after those that already are.

        Args:
            faults: Each as it is, or by the name of what was recorded: ``"private-link"`` is
                ``Fault.named("private-link")``.

        Raises:
            ValueError: Nothing of a name was recorded.
        """
        made = [Fault.named(each) if isinstance(each, str) else each for each in faults]
        with self._lock:
            self._seen.extend((fault, [0]) for fault in made)

    def clear(self) -> None:
        """Let everything work again."""
        with self._lock:
            self._seen.clear()

    def strike(self, method: str, path: str, workspace_id: int) -> Fault | None:
        """Return the fault that hits a request, and count it; None when none does."""
        with self._lock:
            for fault, seen in self._seen:
                if not fault.matches(method, path, workspace_id):
                    continue
                if fault.times is not None and seen[0] >= fault.offset + fault.times:
                    continue
                seen[0] += 1
                if seen[0] > fault.offset:
                    return fault
        return None
