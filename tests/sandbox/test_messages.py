import contextlib
import io
import socket
import urllib.parse

import pytest

from tokenkit.sandbox.messages import RefusedError, read_request

from .conftest import OBO, SCIM, TOKENS


def read(data):
    return read_request(io.BufferedReader(io.BytesIO(data)), lambda _: None)


def raw(sandbox, data):
    """Send bytes on a new connection and return all that comes back until it ends."""
    port = urllib.parse.urlsplit(sandbox.host).port
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        return answer


def test_a_request_is_read_to_its_end():
    request = read(
        b"POST /a%20b?x=1&y=%C3%A9&x=2&z HTTP/1.1\r\nHost: h\r\nA:  b \r\na: c\r\nContent-Length: 2\r\n\r\n{}rest"
    )
    assert (request.method, request.path, request.body) == ("POST", "/a%20b", b"{}")
    assert request.query == {"x": "2", "y": "é", "z": ""}
    assert request.headers["a"] == "b, c"


def test_chunks_are_joined():
    body = b"2;name=value\r\n{}\r\n3\r\n  \n\r\n0\r\nTrailer: x\r\n\r\n"
    assert read(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body).body == b"{}  \n"


def test_the_end_of_a_connection_is_no_request():
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
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 60_000 + b"\r\n", 413),
        (b"GET / HTTP/1.1\r\nContent-Length: 999999999999999\r\n\r\nabc", 413),
        (b"GET / HTTP/1.1\r\nContent-Length: 9999999999999999999999\r\n\r\nabc", 400),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 300 + b"\r\n", 431),
    ],
)
def test_what_is_no_request_is_refused(data, status):
    with pytest.raises(RefusedError) as refusal:
        read(data)
    assert refusal.value.error.status == status


def test_a_refusal_is_the_last_answer_on_its_connection(sandbox):
    answer = raw(sandbox, b"hello\r\n\r\nGET / HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.count(b"HTTP/1.1") == 1
    assert b"connection: close" in answer


def test_a_body_up_to_a_mebibyte_is_read_and_a_larger_one_refused(admin):
    padding = 1 << 20
    assert admin.refused("POST", OBO, data=b" " * padding) == (400, "INVALID_PARAMETER_VALUE")
    assert admin.refused("POST", OBO, data=b" " * (padding + 1)) == (413, "MAX_REQUEST_SIZE_EXCEEDED")
    chunks = (b" " * 65536 for _ in range(17))
    assert admin.refused("POST", OBO, data=chunks) == (413, "MAX_REQUEST_SIZE_EXCEEDED")
    assert admin.ok("GET", f"{SCIM}/Me")


def test_requests_follow_each_other_on_one_connection(sandbox):
    request = f"GET {TOKENS}/x HTTP/1.1\r\nAuthorization: Bearer {sandbox.token}\r\n\r\n".encode()
    last = request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert raw(sandbox, request + request + last + request).count(b"HTTP/1.1 404 Not Found") == 3


def test_an_old_client_gets_one_answer(sandbox):
    request = b"GET / HTTP/1.0\r\n\r\n"
    assert raw(sandbox, request + request).count(b"HTTP/1.1 404") == 1


def test_a_client_that_asks_first_is_told_to_go_on(sandbox):
    request = b"POST /oidc/v1/token HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\na=b"
    assert raw(sandbox, request).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 ")


def test_slow_bodies_are_waited_for_while_others_are_served(sandbox, admin):
    port = urllib.parse.urlsplit(sandbox.host).port
    head = b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n"
    chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"
    with contextlib.ExitStack() as slow:
        for data in [head, chunked] * 50:
            connection = slow.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.sendall(data)
        assert admin.ok("GET", f"{SCIM}/Me")
