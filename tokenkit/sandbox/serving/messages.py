"""HTTP/1.1 on a stream of bytes: parsing a request, and formatting a response.

The standard library's handler parses headers as email, which costs more than the rest of a small request. This module
supports what HTTP clients use.
"""

from __future__ import annotations

import re
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from tokenkit.sandbox.responses import ApiError, Request

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedReader

    from tokenkit.sandbox.responses import Response

MAX_BODY_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 16
MAX_HEADERS = 200
MAX_HEAD_BYTES = 1 << 18
# This much of a body that is too large is read and discarded, so that the client reads the error response.
MAX_DRAINED_BYTES = 64 << 20
# Marks responses of the sandbox for people, proxy logs and packet captures. No known client reads it.
SERVER = "tokenkit-sandbox"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
# RFC 9110, 5.6.2. What is stricter than some servers cannot be read in two ways, by a proxy and by the sandbox.
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rf"({_NAME}) ([!-~]+) (HTTP/[0-9](?:\.[0-9])?)")
_HEADER = re.compile(rf"({_NAME}):[ \t]*([^\0\r\n]*)")
_CHUNK = re.compile(r"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\0\r\n]*)?")


class UnreadableRequestError(Exception):
    """A request that cannot be read further; ``error`` is the last response on its connection."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(error.message)
        self.error = error


def read_request(stream: BufferedReader, send: Callable[[bytes], object]) -> Request | None:
    """Return the next request on a connection, or None if the client closed it.

    Raises:
        UnreadableRequestError: The request is malformed, or too large.
    """
    line = _line(stream)
    if line == "":  # some clients send an extra line break after a body
        line = _line(stream)
    if line is None:
        return None
    try:
        method, target, version = _parse(_REQUEST_LINE, line, "the request line is not valid HTTP")
        parts = urlsplit(target)
    except ValueError:
        raise _malformed("the request line is not valid HTTP") from None
    if "@" in parts.netloc:
        raise _malformed("its target has a user")
    if not version.startswith("HTTP/1."):
        raise _malformed("only HTTP/1.0 and HTTP/1.1 are supported")
    headers = _headers(stream)
    if parts.netloc:
        headers["host"] = parts.netloc  # RFC 9112, 3.2.2: an absolute target overrides the header
    if version == "HTTP/1.0":
        headers.setdefault("connection", "close")
        if "transfer-encoding" in headers:
            raise _malformed("HTTP/1.0 has no Transfer-Encoding")
    if headers.get("expect", "").lower() == "100-continue":
        send(CONTINUE)
    body = _body(stream, headers)
    query = dict(parse_qsl(parts.query, keep_blank_values=True)) if parts.query else {}
    return Request(method, parts.path, query, headers, body)


def wants_close(request: Request) -> bool:
    """Return whether the connection closes after a request."""
    options = request.headers.get("connection", "").lower().split(",")
    return "close" in (option.strip() for option in options)


def head(response: Response, *, workspace_id: int, now: float, close: bool) -> bytes:
    """Return the status line and headers of a response."""
    headers: dict[str, object] = {"server": SERVER, "date": _date(int(now))}
    if response.status not in (204, 304):
        headers |= {"content-type": response.content_type, "content-length": len(response.body)}
    headers["x-databricks-org-id"] = workspace_id
    # The headers of the response override these; sending a header twice would be ambiguous.
    headers |= {name.lower(): value for name, value in response.headers.items()}
    status_line = f"HTTP/1.1 {response.status} {_reason(response.status)}"
    lines = [status_line, *(f"{name}: {value}" for name, value in headers.items())]
    if close:
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@lru_cache(maxsize=2)  # formatting a date costs more than the rest of the head
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


@lru_cache
def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _line(stream: BufferedReader) -> str | None:
    """Return a line without its end, or None at the end of the stream."""
    line = stream.readline(MAX_LINE_BYTES + 1)
    if len(line) > MAX_LINE_BYTES:
        raise UnreadableRequestError(
            ApiError(431, "INVALID_PARAMETER_VALUE", "The request line or a header is too long")
        )
    if not line:
        return None
    if not line.endswith(b"\r\n"):
        raise _malformed("a line does not end with a carriage return and a line feed")
    return line[:-2].decode("latin-1")


def _parse(pattern: re.Pattern[str], line: str | None, problem: str) -> tuple[str, ...]:
    found = pattern.fullmatch(line or "")
    if found is None:
        raise _malformed(problem)
    return found.groups()


def _headers(stream: BufferedReader) -> dict[str, str]:
    headers: dict[str, str] = {}
    size = 0
    for _ in range(MAX_HEADERS):
        line = _line(stream)
        if line == "":
            return headers
        name, value = _header(line)
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
        size += len(name) + len(value)
        if size > MAX_HEAD_BYTES:
            break
    raise UnreadableRequestError(
        ApiError(431, "INVALID_PARAMETER_VALUE", "The request has too many headers, or too large ones")
    )


@lru_cache(maxsize=256)  # a client sends nearly the same headers with each request
def _header(line: str | None) -> tuple[str, str]:
    name, value = _parse(_HEADER, line, "a header has no name, a space beside it, or a control character")
    return name.lower(), value.rstrip(" \t")


def _body(stream: BufferedReader, headers: dict[str, str]) -> bytes:
    encoding = headers.get("transfer-encoding")
    if encoding is not None and "content-length" in headers:
        # RFC 9112, 6.3: a server and a proxy that read such a request differently can be made to see two requests.
        raise _malformed("it has both Transfer-Encoding and Content-Length")
    if encoding is not None and encoding.lower() == "chunked":
        return _chunked(stream)
    if encoding is not None:
        raise _malformed(f"Transfer-Encoding {encoding[:40]!r} is not supported; only chunked is")
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise _malformed("Content-Length is not a number")
    length = int(text)
    if length > MAX_BODY_BYTES:
        _drain(stream, min(length, MAX_DRAINED_BYTES))
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
        if total > MAX_DRAINED_BYTES:
            raise _too_large()
        if total > MAX_BODY_BYTES:
            _drain(stream, size)
        else:
            chunks.append(stream.read(size))
        if _line(stream) != "":
            raise _malformed("a chunk is longer than its size")
    _headers(stream)  # trailers are ignored
    if total > MAX_BODY_BYTES:
        raise _too_large()
    return b"".join(chunks)


def _chunk_size(stream: BufferedReader) -> int:
    (digits,) = _parse(_CHUNK, _line(stream), "a chunk has no size")
    return int(digits, 16)


def _drain(stream: BufferedReader, length: int) -> None:
    while length > 0:
        chunk = stream.read(min(length, MAX_LINE_BYTES))
        if not chunk:
            return
        length -= len(chunk)


def _malformed(reason: str) -> UnreadableRequestError:
    return UnreadableRequestError(ApiError(400, "MALFORMED_REQUEST", f"Could not read the request: {reason}"))


def _too_large() -> UnreadableRequestError:
    message = f"The request body is larger than {MAX_BODY_BYTES} bytes"
    return UnreadableRequestError(ApiError(413, "MAX_REQUEST_SIZE_EXCEEDED", message))
