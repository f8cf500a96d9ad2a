"""Hostile and endless responses: their cost is limited, and errors and interrupts show no secrets."""

import gzip
import itertools
import json
import os
import re
import signal
import threading
import time
import traceback
import tracemalloc
import warnings
import zlib
from pathlib import Path

import pytest
import urllib3
from IPython.core.ultratb import AutoFormattedTB

import tokenkit
from tests.rest.wire import reply
from tokenkit import errors
from tokenkit.rest import credentials
from tokenkit.rest.credentials import Credentials
from tokenkit.rest.transport import RetryPolicy, Transport
from tokenkit.rest.workspace import WorkspaceAPI

TOKENS = "/api/2.0/token-management/tokens"
REST = Path(tokenkit.__file__).parent / "rest"
SECRET = "opaque-Credential.of/no+known=form"
HEAD = b"HTTP/1.1 200 OK\r\n"


def secret():
    """Return the credential; as a literal, it would appear in the traceback of the test."""
    return SECRET


def connected(server, *, seconds=0.5):
    patience = RetryPolicy(budget_seconds=0, read_timeout_seconds=seconds)
    return tokenkit.connect(host=server.host, token=SECRET, retries=patience)


def transport_to(server, **settings):
    policy = RetryPolicy(**{"budget_seconds": 0, "read_timeout_seconds": 20} | settings)
    return Transport(credentials.from_token(server.host, SECRET), retries=policy)


def dripping(head, seconds=0.01, block=b" "):
    """Yield bytes until the reader disconnects."""
    yield head
    while True:
        time.sleep(seconds)
        yield block


def packed(beginning, block, times):
    """Compress a body of many equal blocks without creating the whole body."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(beginning), *(packer.compress(block) for _ in range(times))]
    return b"".join([*parts, packer.flush()])


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Drip: ",
        HEAD + b"Content-Length: 1000000\r\n\r\n",
        HEAD + b"\r\n",
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 1000000\r\n\r\n",
    ],
    ids=["status line", "header", "body", "body without an end", "refusal"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_endless_slow_response_is_aborted_at_its_deadline(serve, head, method):
    with serve(lambda _: dripping(head, block=b"1")) as server:
        transport = transport_to(server, read_timeout_seconds=0.3)
        with pytest.raises(errors.ResponseLostError, match="in time"):
            transport.call(method, TOKENS)
        transport.close()


def test_a_truncated_response_is_an_error_also_with_urllib3_before_2_0(serve, monkeypatch):
    if not urllib3.__version__.startswith("1."):
        request = urllib3.connection.HTTPConnection.request
        monkeypatch.setattr(
            urllib3.connection.HTTPConnection,
            "request",
            lambda *args, **settings: request(*args, **settings | {"enforce_content_length": False}),
        )

    def respond(_):
        yield HEAD + b"Content-Length: 4321\r\n\r\n" + b"{" + b" " * 1233
        raise OSError  # the server closes the connection

    with serve(respond) as server:
        transport = transport_to(server)
        with pytest.raises(errors.ResponseLostError) as raised:
            transport.call("GET", TOKENS)
        transport.close()
    assert str(raised.value) == (
        f"The response of {server.host} to GET {TOKENS} was truncated: 1,234 of 4,321 bytes received. Try again."
    )


def test_a_slow_response_does_not_exceed_the_budget_of_all_attempts(serve):
    with serve(lambda _: dripping(HEAD + b"Content-Length: 1000000\r\n\r\n")) as server:
        transport = transport_to(server, budget_seconds=0.5, read_timeout_seconds=0.1)
        with pytest.raises(errors.ResponseLostError):
            transport.call("GET", TOKENS)
        transport.close()
        assert 1 <= len(server.requests) <= 6


def test_a_slow_chunked_response_is_aborted_as_well(serve):
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    with serve(lambda _: dripping(head, block=b"1\r\n \r\n")) as server:
        for call in (lambda ws: ws.token_management.list(), lambda ws: ws.users(), lambda ws: ws.me()):
            workspace = connected(server, seconds=0.3)
            with pytest.raises(errors.ResponseLostError):
                call(workspace)


@pytest.mark.parametrize(
    ("head", "block"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"X: y\r\n" * 1000),
        (HEAD + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"") * 1000),
    ],
    ids=["interim answers", "trailers", "packing of nothing"],
)
def test_bytes_that_do_not_extend_the_body_are_not_progress(serve, head, block):
    with serve(lambda _: itertools.chain([head], itertools.repeat(block))) as server:
        workspace = connected(server, seconds=30)
        with pytest.raises(errors.InvalidResponseError, match="endless response"):
            workspace.token_management.list()


def test_a_slow_but_steady_listing_has_no_deadline(serve):
    body = json.dumps({"token_infos": [{"token_id": f"{n:064x}"} for n in range(2_000)]}).encode()

    def slowly(_):
        yield HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode()
        for start in range(0, len(body), 2_000):
            time.sleep(0.01)
            yield body[start : start + 2_000]

    with serve(slowly) as server:
        listing = connected(server, seconds=0.2).token_management.list()
    assert len(listing) == 2_000


@pytest.mark.parametrize(
    ("beginning", "filling"),
    [
        (b"", b" "),
        (b"[", b"[],"),
        (b'{"token_infos":[', b"[],"),
        (b'{"token_infos":[{"token_id":"a"},', b'{"token_id":"a"},'),
        (b'{"token_infos":[{"token_id":"a"},{"x":"', b"a"),
        (b'{"Resources":[', b'{"id":"1"},'),
    ],
)
def test_a_decompression_bomb_is_an_error_before_it_fills_the_memory(serve, beginning, filling):
    body = packed(beginning, filling * (1 << 20), 300 // len(filling))
    assert len(body) < 1 << 20
    with serve(lambda _: reply(body, "Content-Encoding: gzip")) as server:
        workspace = connected(server, seconds=60)
        for call in (workspace.token_management.list, workspace.users, workspace.me):
            tracemalloc.start()
            try:
                with pytest.raises(errors.InvalidResponseError):
                    call()
                assert tracemalloc.get_traced_memory()[1] < 40 << 20
            finally:
                tracemalloc.stop()


def test_of_an_error_that_is_a_decompression_bomb_only_the_beginning_is_read(serve):
    body = packed(b"", b" " * (1 << 20), 300)
    failed = [
        b"HTTP/1.1 400 Bad Request\r\nContent-Encoding: gzip\r\n",
        f"Content-Length: {len(body)}\r\n\r\n".encode(),
    ]
    with serve(lambda _: [b"".join(failed), body]) as server:
        workspace = connected(server, seconds=60)
        tracemalloc.start()
        try:
            with pytest.raises(errors.ApiError):
                workspace.me()
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd", "gzip,identity", "x"])
def test_a_body_with_an_unrequested_encoding_is_invalid(serve, encoding):
    body = gzip.compress(packed(b"", b" " * (1 << 20), 100))
    with serve(lambda _: reply(body, f"Content-Encoding: {encoding}")) as server:
        workspace = connected(server, seconds=60)
        for call in (workspace.token_management.list, workspace.users, workspace.me):
            with pytest.raises(errors.InvalidResponseError, match="not requested"):
                call()


def test_a_listing_of_very_similar_tokens_is_not_a_decompression_bomb(serve):
    token = {"creation_time": 1, "comment": "the same " * 20, "owner_id": 7, "scopes": ["all-apis"] * 5}
    text = json.dumps({"token_infos": [token | {"token_id": f"{n:064}"} for n in range(60_000)]}).encode()
    assert len(text) > 1 << 24
    with serve(lambda _: reply(gzip.compress(text, 9), "Content-Encoding: gzip")) as server:
        assert len(connected(server, seconds=60).token_management.list()) == 60_000


def test_a_long_response_is_invalid_and_a_long_error_response_is_still_an_error(serve):
    heads = [HEAD + b"\r\n", b"HTTP/1.1 401 Unauthorized\r\n\r\n"]
    with serve(lambda number: itertools.chain([heads[number - 1]], itertools.repeat(b" " * 65_536))) as server:
        workspace = connected(server, seconds=60)
        with pytest.raises(errors.InvalidResponseError, match="exceeds"):
            workspace.me()
        with pytest.raises(errors.AuthenticationError):
            workspace.me()


@pytest.mark.parametrize("fields", [50, 5_000])
@pytest.mark.parametrize("spread", ["in one token", "one in each token"])
def test_fifty_new_fields_are_columns_and_thousands_are_an_error(serve, fields, spread):
    tokens = [{"token_id": f"{n:064}"} for n in range(fields)]
    for number, token in enumerate(tokens if spread == "one in each token" else tokens[:1] * fields):
        token[f"field_{number}"] = number
    with serve(lambda _: reply({"token_infos": tokens})) as server:
        api = connected(server, seconds=60).token_management
        if fields == 50:
            assert {f"field_{n}" for n in range(50)} <= set(api.list().columns)
        else:
            with pytest.raises(errors.InvalidResponseError, match="fields"):
                api.list()


def test_a_listing_with_many_apparent_list_starts_is_read_in_bounded_time(serve):
    trap = b'{"token_infos":[{"x":1}]},'
    body = b'{"a":[' + trap * 60_000 + b'{}],"token_infos":[{"token_id":"a"}]}'
    with serve(lambda _: reply(body)) as server:
        assert connected(server, seconds=60).token_management.list()["token_id"].tolist() == ["a"]


@pytest.mark.parametrize("status", ["999 Fine", "600 Fine", "304 Not Modified", "300 Choices"])
def test_only_a_2xx_is_a_success(serve, status):
    with serve(lambda _: reply({}, status=status)) as server, pytest.raises(errors.ApiError):
        connected(server).token_management.delete("a" * 64)


@pytest.mark.parametrize(
    "head",
    [
        b"\xff\xfe\r\n\r\n",
        b"HTTP/1.1 \xb2\xb20 OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n{",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
        b"HTTP/1.1 429 Slow\r\nRetry-After: \xb2\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: \xff\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
    ],
)
def test_a_response_that_is_not_http_is_a_tokenkit_error(serve, head):
    def once(_):
        yield head
        raise OSError  # closes the connection

    with serve(once) as server:
        workspace = connected(server, seconds=5)
        for call in (workspace.token_management.list, workspace.users, workspace.me):
            with pytest.raises(errors.TokenKitError) as raised:
                call()
            assert (raised.value.__cause__, raised.value.__context__) == (None, None)


def shown(failure):
    """Return the traceback as a notebook with %xmode Verbose and an error tracker show it."""
    as_a_whole = traceback.TracebackException.from_exception(failure, capture_locals=True).format()
    verbose = AutoFormattedTB(mode="Verbose", tb_offset=0).text(type(failure), failure, failure.__traceback__)
    return "".join(as_a_whole) + re.sub(r"\x1b\[[\d;]*m", "", verbose)


def assert_bare(raised):
    """Assert that an exception shows no frame of the transport or below it, and none of their values."""
    text = shown(raised.value)
    files = {Path(frame.filename) for frame in traceback.extract_tb(raised.value.__traceback__)}
    assert {file.parent for file in files} <= {
        Path(__file__).parent,
        *Path(tokenkit.__file__).parents,
        REST,
        REST.parent / "workspaces",
    }
    assert "transport.py" not in {file.name for file in files}
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)
    assert SECRET not in text


def interrupting(*parts):
    """Send some bytes, then interrupt the reader while it waits for more."""

    def response(_):
        yield from parts
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        time.sleep(30)

    return response


@pytest.mark.parametrize(
    "parts",
    [[b""], [HEAD], [HEAD + b"Content-Length: 99\r\n\r\n", b'{"a":']],
    ids=["before the response", "in its head", "in its body"],
)
def test_an_interrupt_has_no_frames_with_the_credential(serve, parts):
    with serve(interrupting(*parts)) as server:
        workspace = connected(server, seconds=60)
        calls = (
            workspace.token_management.list,
            workspace.users,
            workspace.me,
            lambda: workspace.token_management.delete("a" * 64),
        )
        for call in calls:
            with pytest.raises(KeyboardInterrupt) as raised:
                call()
            assert_bare(raised)


@pytest.mark.parametrize("leaving", [KeyboardInterrupt, SystemExit, GeneratorExit, RuntimeError, MemoryError])
def test_an_exception_of_a_reader_or_a_sign_in_has_no_frames_with_the_credential(serve, leaving):
    def reading(blocks):
        list(blocks)
        raise leaving

    def signing(_secret=SECRET):
        raise leaving

    with serve(lambda _: reply({})) as server:
        with pytest.raises(leaving) as read:
            transport_to(server).read(TOKENS, reading)
        sign_in = Credentials(server.host, signing, origin="a test")
        with pytest.raises((leaving, errors.ConfigurationError)) as signed:
            Transport(sign_in).call("GET", TOKENS)
    for raised in (read, signed):
        assert_bare(raised)


def test_an_interrupt_of_a_sign_in_of_the_official_sdk_shows_no_secret(serve):
    with serve(interrupting(b"")) as server, pytest.raises(KeyboardInterrupt) as raised:
        # A sign-in for which every version of the SDK sends a request to the host.
        credentials.sdk_config(host=server.host, client_id="robot", client_secret=secret())
    assert_bare(raised)


def test_a_stored_secret_is_in_no_frame_of_an_interrupt(serve):
    with serve(interrupting(b"")) as server:
        api = WorkspaceAPI(credentials.from_token(server.host, "dapi"))
        with pytest.raises(KeyboardInterrupt) as raised:
            api.put_secret("scope", "key", secret())
    assert_bare(raised)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_has_its_own_connections(serve):
    with serve(lambda _: reply({"id": "7", "userName": "a@b"})) as server:
        transport = transport_to(server)
        transport.call("GET", TOKENS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about running threads; the child only sends a request
            child = os.fork()
        if child == 0:
            try:
                transport.call("GET", TOKENS)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        transport.call("GET", TOKENS)
        transport.close()
    parent, of_the_child, again = server.peers
    assert parent == again != of_the_child


def test_netrc_is_not_read_and_no_credential_is_sent_to_a_redirect(serve, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password leaked\ndefault login a password b\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with serve(lambda _: reply({})) as other:
        elsewhere = reply({}, f"Location: {other.host}/", status="302 Found")
        with serve(lambda number: reply({}) if number == 1 else elsewhere) as server:
            transport = transport_to(server)
            transport.call("GET", TOKENS)
            with pytest.raises(errors.AuthenticationError):
                transport.call("GET", TOKENS)
            transport.close()
        assert other.requests == []
    assert all(f"Authorization: Bearer {SECRET}\r\n" in request for request in server.requests)
    assert "Basic" not in "".join(server.requests)


@pytest.mark.parametrize(
    "host",
    [
        "https://[::1", "https://[", "http://]", "https://[::1]x", "https://a:b", "https://a:99999", "https://a:-1",
        "https://\u2100.example", "https://a\u2488com", "https://" + "a" * 70 + ".example", "https://.", "https://..",
        "https://a..b", "https://*", "https://a b", "https://\ud800", "https://\x00", "https://%00", "https://a\\b",
        "https://xn--", "https://[v1.x]", "https://[::1%eth0]", "https://\u00b2", "https://0x7f.1:0", "[::1", "//[",
    ],
)  # fmt: skip
def test_an_odd_host_is_a_tokenkit_error(host):
    patience = RetryPolicy(budget_seconds=0)
    with pytest.raises(errors.TokenKitError):
        tokenkit.connect(host=host, token=SECRET, retries=patience).me()
