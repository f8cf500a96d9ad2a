"""HTTP/1.1 on a stream of bytes: reading a request, and laying out an answer.

The standard library's handler parses headers as e-mail, which costs more than everything else a small request needs;
these few rules are all that HTTP clients use.
"""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from tokenkit.sandbox.answers import ApiError, Request

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedReader

    from tokenkit.sandbox.answers import Answer

LARGEST_BODY = 1 << 20
LARGEST_LINE = 1 << 16
MOST_HEADERS = 200
# How much of a body that is too large is read and thrown away, so that the client gets to read the refusal.
MOST_DRAINED = 64 << 20
# What tells a person, a proxy's log or a packet capture that this is no real workspace; no client is known to read it.
SERVER = "tokenkit-sandbox"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class RefusedError(Exception):
    """A request that cannot be read further: ``error`` is the last answer on its connection."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(error.message)
        self.error = error


def read_request(stream: BufferedReader, send: Callable[[bytes], object]) -> Request | None:
    """Return the next request on a connection, or None when the client has left.

    Raises:
        RefusedError: The request is malformed, or too large.
    """
    line = _line(stream)
    if line in (b"\r\n", b"\n"):  # some clients end a body with one too many
        line = _line(stream)
    if not line:
        return None
    try:
        method, target, version = line.decode("ascii").split()
        parts = urlsplit(target)
    except ValueError:
        raise _malformed("the request line is not HTTP") from None
    if not version.startswith("HTTP/1."):
        raise _malformed("only HTTP/1.1 is served")
    headers = _headers(stream)
    if parts.netloc:
        headers["host"] = parts.netloc  # RFC 9112, 3.2.2: what a client tells a proxy counts for more
    if version == "HTTP/1.0":
        headers.setdefault("connection", "close")
    if headers.get("expect", "").lower() == "100-continue":
        send(CONTINUE)
    body = _body(stream, headers)
    query = dict(parse_qsl(parts.query, keep_blank_values=True)) if parts.query else {}
    return Request(method, parts.path, query, headers, body)


def wants_close(request: Request) -> bool:
    """Tell whether the connection ends after a request."""
    return "close" in request.headers.get("connection", "").lower()


def head(answer: Answer, *, workspace_id: int, now: float, close: bool) -> bytes:
    """Return the status line and headers of an answer."""
    try:
        reason = HTTPStatus(answer.status).phrase
    except ValueError:
        reason = "Unknown"
    headers: dict[str, object] = {"server": SERVER, "date": formatdate(now, usegmt=True)}
    if answer.status not in (204, 304):
        headers |= {"content-type": answer.content_type, "content-length": len(answer.body)}
    headers["x-databricks-org-id"] = workspace_id
    # An answer may have its own: a header that stands there twice would say two things.
    headers |= {name.lower(): value for name, value in answer.headers.items()}
    lines = [f"HTTP/1.1 {answer.status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
    if close:
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _line(stream: BufferedReader) -> bytes:
    line = stream.readline(LARGEST_LINE + 1)
    if len(line) > LARGEST_LINE:
        raise RefusedError(ApiError(431, "INVALID_PARAMETER_VALUE", "A line of the request's head is too long"))
    return line


def _headers(stream: BufferedReader) -> dict[str, str]:
    headers: dict[str, str] = {}
    for _ in range(MOST_HEADERS):
        line = _line(stream)
        if line in (b"\r\n", b"\n"):
            return headers
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise _malformed("a header has no colon")
        name = name.strip().lower()
        headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    raise RefusedError(ApiError(431, "INVALID_PARAMETER_VALUE", "The request has too many headers"))


def _body(stream: BufferedReader, headers: dict[str, str]) -> bytes:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return _chunked(stream)
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise _malformed("Content-Length is no number")
    length = int(text)
    if length > LARGEST_BODY:
        _drain(stream, min(length, MOST_DRAINED))
        raise _too_large()
    body = stream.read(length) if length else b""
    if len(body) < length:
        raise _malformed("the body is shorter than its Content-Length")
    return body


def _chunked(stream: BufferedReader) -> bytes:
    chunks: list[bytes] = []
    total = 0
    while size := _chunk_size(stream):
        total += size
        if total > MOST_DRAINED:
            raise _too_large()
        if total > LARGEST_BODY:
            _drain(stream, size)
        else:
            chunks.append(stream.read(size))
        if _line(stream).strip():
            raise _malformed("a chunk is longer than its size")
    _headers(stream)  # trailers, which nobody asks for
    if total > LARGEST_BODY:
        raise _too_large()
    return b"".join(chunks)


def _chunk_size(stream: BufferedReader) -> int:
    digits = _line(stream).partition(b";")[0].strip()
    if not digits or digits.strip(b"0123456789abcdefABCDEF"):
        raise _malformed("a chunk has no size")
    return int(digits, 16)


def _drain(stream: BufferedReader, length: int) -> None:
    while length > 0:
        chunk = stream.read(min(length, LARGEST_LINE))
        if not chunk:
            return
        length -= len(chunk)


def _malformed(reason: str) -> RefusedError:
    return RefusedError(ApiError(400, "MALFORMED_REQUEST", f"Could not read the request: {reason}"))


def _too_large() -> RefusedError:
    message = f"The request's body is larger than {LARGEST_BODY} bytes"
    return RefusedError(ApiError(413, "MAX_REQUEST_SIZE_EXCEEDED", message))
