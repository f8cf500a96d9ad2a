import contextlib
import io
import socket
import urllib.parse

import pytest

from tests.sandbox.conftest import OBO, SCIM, TOKENS
from tokenkit.sandbox.serving.messages import UnreadableRequestError, read_request


def read(data):
    return read_request(io.BufferedReader(io.BytesIO(data)), lambda _: None)


def raw(sandbox, data):
    """Send bytes on a new connection and return everything received until it closes."""
    port = urllib.parse.urlsplit(sandbox.host).port
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        response = b""
        while chunk := connection.recv(65536):
            response += chunk
        return response


def test_a_request_is_read_to_its_end():
    request = read(
        b"POST /a%20b?x=1&y=%C3%A9&x=2&z HTTP/1.1\r\nHost: h\r\nA:  b \r\na: c\r\nContent-Length: 2\r\n\r\n{}rest"
    )
    assert (request.method, request.path, request.body) == ("POST", "/a%20b", b"{}")
    assert request.query == {"x": "2", "y": "é", "z": ""}
    assert request.headers["a"] == "b, c"


@pytest.mark.parametrize(
    "headers",
    [
        b"Transfer-Encoding: chunked\r\nContent-Length: 2",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked",
        b"Content-Length: 2\r\nTransfer-Encoding: identity",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: chunked, chunked",
        b"Content-Length: 2\r\nContent-Length: 3",
        b"Content-Length: 2\r\nTransfer-Encoding:",
        b"Transfer-Encoding: \x0bchunked",
        b"Transfer-Encoding: \xa0chunked",
        b"X: a\rContent-Length: 2",
        b"X: a\r\n folded: 2",
        b"X: a\nContent-Length: 2",
        b"Content-Length\0: 2",
        b"Content-Length: 2, 2",
        b"Content-Length: +2",
        b"Content-Length : 2",
        b" Content-Length: 2",
        b": 2",
    ],
)
def test_a_request_whose_length_could_be_read_in_two_ways_is_rejected(headers):
    with pytest.raises(UnreadableRequestError) as rejected:
        read(b"POST / HTTP/1.1\r\nHost: h\r\n" + headers + b"\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
    assert rejected.value.error.status == 400


@pytest.mark.parametrize(
    "chunks", [b"2;\n{}\r\n0\r\n\r\n", b"2\n{}\n0\n\n", b"2\r\n{} \r\n0\r\n\r\n", b" 2\r\n{}\r\n0\r\n\r\n"]
)
def test_chunks_that_could_be_read_in_two_ways_are_rejected(chunks):
    with pytest.raises(UnreadableRequestError) as rejected:
        read(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    assert rejected.value.error.status == 400


def test_http_1_0_has_no_chunks():
    with pytest.raises(UnreadableRequestError):
        read(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")


def test_a_request_in_a_body_is_not_served(sandbox):
    request = f"GET {TOKENS}/x HTTP/1.1\r\nAuthorization: Bearer {sandbox.token}\r\n\r\n".encode()
    first = request.replace(b"\r\n\r\n", b"\r\nContent-Length: %d\r\n\r\n" % len(request))
    assert raw(sandbox, first + request + request).count(b"HTTP/1.1 404 Not Found") == 2


def test_chunks_are_joined():
    body = b"2;name=value\r\n{}\r\n3\r\n  \n\r\n0\r\nTrailer: x\r\n\r\n"
    assert read(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body).body == b"{}  \n"


def test_the_end_of_a_connection_is_not_a_request():
    assert read(b"") is None
    assert read(b"\r\n") is None


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/2\r\n\r\n", 400),
        (b"GET / FTP/1.1\r\n\r\n", 400),
        (b"G\xffT / HTTP/1.1\r\n\r\n", 400),
        (b"GET http://[ HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: two\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc", 400),
        (b"GET / HTTP/1.1\r\nHost: h", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 300, 431),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", 413),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 60_000 + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffff\r\n", 413),
        (b"GET / HTTP/1.1\r\nContent-Length: 999999999999999\r\n\r\nabc", 413),
        (b"GET / HTTP/1.1\r\nContent-Length: 9999999999999999999999\r\n\r\nabc", 400),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 300 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + (b"a: " + b"b" * 60_000 + b"\r\n") * 5 + b"\r\n", 431),
        (b"GET / HTTP/1.1\n\n", 400),
        (b"GET\t/\tHTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.x\r\n\r\n", 400),
        (b"GET /\0 HTTP/1.1\r\n\r\n", 400),
        (b"G\x01T / HTTP/1.1\r\n\r\n", 400),
        (b"GET http://user@127.0.0.1/ HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\na: b\0c\r\n\r\n", 400),
    ],
)
def test_a_malformed_request_is_rejected(data, status):
    with pytest.raises(UnreadableRequestError) as error:
        read(data)
    assert error.value.error.status == status


def test_an_unreadable_request_ends_its_connection(sandbox):
    response = raw(sandbox, b"hello\r\n\r\nGET / HTTP/1.1\r\n\r\n")
    assert response.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert response.count(b"HTTP/1.1") == 1
    assert b"connection: close" in response


def test_a_body_up_to_a_mebibyte_is_read_and_a_larger_one_is_rejected(admin):
    padding = 1 << 20
    assert admin.error("POST", OBO, data=b" " * padding) == (400, "INVALID_PARAMETER_VALUE")
    assert admin.error("POST", OBO, data=b" " * (padding + 1)) == (413, "MAX_REQUEST_SIZE_EXCEEDED")
    chunks = (b" " * 65536 for _ in range(17))
    assert admin.error("POST", OBO, data=chunks) == (413, "MAX_REQUEST_SIZE_EXCEEDED")
    assert admin.ok("GET", f"{SCIM}/Me")


def test_requests_follow_each_other_on_one_connection(sandbox):
    request = f"GET {TOKENS}/x HTTP/1.1\r\nAuthorization: Bearer {sandbox.token}\r\n\r\n".encode()
    last = request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert raw(sandbox, request + request + last + request).count(b"HTTP/1.1 404 Not Found") == 3


@pytest.mark.unknown_routes
def test_an_http_1_0_client_gets_one_response(sandbox):
    request = b"GET / HTTP/1.0\r\n\r\n"
    assert raw(sandbox, request + request).count(b"HTTP/1.1 404") == 1


def test_expect_100_continue_is_supported(sandbox):
    request = b"POST /oidc/v1/token HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\na=b"
    assert raw(sandbox, request).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 ")


def test_a_slow_body_does_not_block_other_requests(sandbox, admin):
    port = urllib.parse.urlsplit(sandbox.host).port
    head = b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n"
    chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"
    with contextlib.ExitStack() as slow:
        for data in [head, chunked] * 50:
            connection = slow.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.sendall(data)
        assert admin.ok("GET", f"{SCIM}/Me")
