"""Faults of the network and the server, and how they reach the caller."""

import contextlib
import dataclasses
import gzip
import io
import itertools
import json
import logging
import re
import socket
import sys
import traceback

import certifi
import pytest

from tests.conftest import ManualClock
from tests.rest.wire import reply
from tests.waiting import wait_until
from tokenkit import errors
from tokenkit.rest import credentials
from tokenkit.rest.token_management import TokenManagementAPI
from tokenkit.rest.transport import ON_WAIT, RetryPolicy, Transport
from tokenkit.sandbox import Fault, Sandbox
from tokenkit.version import __version__

TOKENS = "/api/2.0/token-management/tokens"
OBO = "/api/2.0/token-management/on-behalf-of/tokens"
LOGIN_PAGE = "<html><head><title>Sign in to Databricks</title></head><body>403</body></html>"


@pytest.fixture
def transport(sign_in, manual_clock):
    with_a_minute = RetryPolicy(budget_seconds=60)
    transport = Transport(sign_in, retries=with_a_minute, clock=manual_clock, jitter=lambda: 0.5)
    yield transport
    transport.close()


@pytest.mark.parametrize("name", vars(RetryPolicy()))
def test_each_time_of_a_retry_policy_is_a_number_of_seconds(name):
    for valid in (0.001, 1_000_000):
        assert getattr(RetryPolicy(**{name: valid}), name) == valid
    for invalid in (-0.001, 1_000_001, "1", None):
        with pytest.raises(errors.UsageError, match=name):
            RetryPolicy(**{name: invalid})


def test_a_retry_policy_may_wait_for_nothing_but_a_response():
    assert vars(RetryPolicy()) == {
        "budget_seconds": 300, "first_wait_seconds": 1, "longest_wait_seconds": 30, "read_timeout_seconds": 60,
    }  # fmt: skip
    RetryPolicy(budget_seconds=0, first_wait_seconds=0, longest_wait_seconds=0)
    with pytest.raises(errors.UsageError, match="read_timeout_seconds must not be 0: no response would be read"):
        RetryPolicy(read_timeout_seconds=0)


def test_the_policy_of_retries_must_be_one(sign_in):
    with pytest.raises(errors.UsageError, match=r"^retries must be of type RetryPolicy, not int\.$"):
        Transport(sign_in, retries=5)


def sent(sandbox, method):
    return [record for record in sandbox.requests if record.method == method]


def test_a_429_is_retried_after_the_seconds_that_it_names(sandbox, transport, manual_clock):
    sandbox.faults.add(Fault(status=429, headers={"Retry-After": "7"}, times=2))
    assert "token_infos" in transport.call("GET", TOKENS)
    assert manual_clock.slept == [7, 7]


@pytest.mark.parametrize("status", [429, 503])
def test_without_retry_after_the_wait_doubles_and_is_jittered(sandbox, transport, manual_clock, status):
    sandbox.faults.add(Fault(status=status, times=3))
    transport.call("GET", TOKENS)
    assert manual_clock.slept == [0.5, 1, 2]


@pytest.mark.parametrize("header", ["soon", "-3", "1.5", "9" * 30])
def test_an_invalid_retry_after_counts_as_absent(sandbox, transport, manual_clock, header):
    sandbox.faults.add(Fault(status=429, headers={"Retry-After": header}, times=1))
    transport.call("GET", TOKENS)
    assert manual_clock.slept == [0.5]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=429, headers={"Retry-After": "1"}, times=1),
        Fault(status=503, times=1),
        Fault(status=503, headers={"Retry-After": "2"}, times=1),
        Fault(drop=True, times=1),
        Fault(drop=True, after_handler=True, times=1),
        Fault(truncate_bytes=100, times=1),
    ],
    ids=["429", "503", "503 with a wait", "reset", "reset after the handler ran", "cut short"],
)
def test_a_transient_fault_does_not_reach_the_caller(sandbox, transport, fault):
    whole = transport.call("GET", TOKENS)
    sandbox.faults.add(fault)
    assert transport.call("GET", TOKENS) == whole


def test_a_wait_that_exceeds_the_budget_does_not_start(sandbox, transport, manual_clock):
    sandbox.faults.add(Fault(status=429, headers={"Retry-After": "61"}))
    with pytest.raises(errors.RateLimitedError) as raised:
        transport.call("GET", TOKENS)
    assert raised.value.retry_after_seconds == 61
    assert manual_clock.slept == []


def test_all_attempts_together_keep_to_the_budget(sandbox, transport, manual_clock):
    sandbox.faults.add(Fault(status=503, headers={"Retry-After": "25"}))
    with pytest.raises(errors.UnavailableError):
        transport.call("GET", TOKENS)
    assert manual_clock.slept == [25, 25]


def test_a_transport_with_other_retries_uses_the_same_connections(sandbox, transport, manual_clock):
    sandbox.faults.add(Fault(status=503, times=1))
    with pytest.raises(errors.UnavailableError):
        transport.with_retries(RetryPolicy(budget_seconds=0)).call("GET", TOKENS)
    assert manual_clock.slept == []
    sandbox.faults.add(Fault(status=503, times=1))
    transport.call("GET", TOKENS)  # its own retries are unchanged
    assert manual_clock.slept == [0.5]
    assert transport.with_retries(RetryPolicy())._adapter is transport._adapter


def test_a_host_that_was_never_reached_is_given_up_sooner(transport, monkeypatch):
    send, seconds = transport._adapter.send, []
    monkeypatch.setattr(
        transport._adapter, "send", lambda *what, **how: seconds.append(how["timeout"][0]) or send(*what, **how)
    )
    transport.call("GET", TOKENS)
    transport.call("GET", TOKENS)
    assert seconds == [5, 10]


def test_an_error_of_several_blocks_is_read_whole_and_an_endless_one_in_part(sandbox, transport):
    said = {"error_code": "PERMISSION_DENIED", "message": "Tokens are disabled here"}
    sandbox.faults.add(Fault(status=403, body={"details": "x" * 300_000} | said, times=1))
    with pytest.raises(errors.ApiError, match="Tokens are disabled here") as caught:
        transport.call("GET", TOKENS)
    assert caught.value.error_code == "PERMISSION_DENIED"
    sandbox.faults.add(Fault(status=403, body={"details": "x" * 1_500_000} | said, times=1))
    with pytest.raises(errors.ApiError) as caught:
        transport.call("GET", TOKENS)
    assert caught.value.error_code != "PERMISSION_DENIED"


def test_whoever_shows_the_waits_is_told_of_each_instead_of_the_log(sandbox, transport, caplog):
    told = []
    shown = ON_WAIT.set(lambda seconds, error: told.append((seconds, type(error))))
    sandbox.faults.add(Fault(status=429, headers={"Retry-After": "5"}, times=1))
    try:
        transport.call("GET", TOKENS)
    finally:
        ON_WAIT.reset(shown)
    assert told == [(5, errors.RateLimitedError)]
    assert caplog.text == ""


@pytest.mark.parametrize("seconds", [2, 5])
def test_a_long_wait_is_logged(sandbox, transport, caplog, seconds):
    sandbox.faults.add(Fault(status=429, headers={"Retry-After": str(seconds)}, times=1))
    with caplog.at_level(logging.WARNING, logger="tokenkit"):
        transport.call("GET", TOKENS)
    assert f"waiting {seconds} s" in caplog.text
    assert sandbox.token not in caplog.text


@pytest.mark.parametrize(
    "fault",
    [
        Fault(method="POST", drop=True, after_handler=True),
        Fault(method="POST", truncate_bytes=10, after_handler=True),
        Fault(method="POST", status=503, after_handler=True),
        Fault(method="POST", drop=True),
        Fault(method="POST", status=503),
    ],
    ids=["dropped after the handler ran", "cut short", "503 after the handler ran", "dropped", "503"],
)
def test_a_post_that_may_have_taken_effect_is_not_retried(sandbox, transport, fault):
    sandbox.faults.add(fault)
    with pytest.raises((errors.ResponseLostError, errors.UnavailableError)):
        transport.call("POST", "/api/2.0/token/create", body={"comment": "once"})
    assert len(sent(sandbox, "POST")) == 1


def test_a_post_that_cannot_have_taken_effect_is_retried(sandbox, transport):
    sandbox.faults.add(Fault(method="POST", status=429, headers={"Retry-After": "1"}, times=1))
    response = transport.call("POST", "/api/2.0/token/create", body={"comment": "sent twice", "lifetime_seconds": 60})
    transport.call("DELETE", f"{TOKENS}/{response['token_info']['token_id']}")
    assert [record.status for record in sent(sandbox, "POST")] == [429, 200]


def test_an_error_after_a_lost_response_is_marked(sandbox, transport):
    made = transport.call("POST", "/api/2.0/token/create", body={"lifetime_seconds": 60})
    path = f"{TOKENS}/{made['token_info']['token_id']}"
    sandbox.faults.add(Fault(method="DELETE", drop=True, after_handler=True, times=1))
    with pytest.raises(errors.NotFoundError) as raised:
        transport.call("DELETE", path)
    assert raised.value.after_lost_response
    with pytest.raises(errors.NotFoundError) as raised:
        transport.call("DELETE", path)
    assert not raised.value.after_lost_response


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_error_counts_as_a_lost_response_for_idempotent_requests(sandbox, sign_in, manual_clock, status):
    transport = Transport(sign_in, clock=manual_clock)
    api = TokenManagementAPI(transport)
    made = transport.call("POST", "/api/2.0/token/create", body={"lifetime_seconds": 60})
    page = "<html><title>Bad Gateway</title></html>"
    sandbox.faults.add(Fault(method="DELETE", status=status, body=page, after_handler=True, times=1))
    api.delete(made["token_info"]["token_id"])  # the repeated DELETE returns 404
    sandbox.faults.add(Fault(method="POST", status=status, body=page))
    with pytest.raises(errors.UnavailableError):
        transport.call("POST", "/api/2.0/token/create", body={"lifetime_seconds": 60})
    assert [record.status for record in sent(sandbox, "DELETE")] == [status, 404]
    assert len(sent(sandbox, "POST")) == 2
    transport.close()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500, body={"detail": "REQUEST_LIMIT_EXCEEDED: the concurrent limit of 4 requests"}, times=1),
        Fault(status=400, body={"error_code": "X", "message": "Unknown worker environment WorkerEnvId(1)"}, times=1),
    ],
    ids=["a limit", "a young workspace"],
)
def test_every_request_that_cannot_have_taken_effect_is_retried(sandbox, transport, fault):
    sandbox.faults.add(fault)
    made = transport.call("POST", "/api/2.0/token/create", body={"lifetime_seconds": 60})
    sandbox.faults.add(dataclasses.replace(fault, method="DELETE"))
    transport.call("DELETE", f"{TOKENS}/{made['token_info']['token_id']}")
    with pytest.raises(errors.NotFoundError) as raised:
        transport.call("DELETE", f"{TOKENS}/{made['token_info']['token_id']}")
    assert not raised.value.after_lost_response


def test_a_500_without_a_limit_is_not_transient(sandbox, transport):
    sandbox.faults.add(Fault(status=500))
    with pytest.raises(errors.UnavailableError):
        transport.call("GET", TOKENS)
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, ""),
        (404, "<html><title>404</title></html>"),
        (404, {"error_code": "FEATURE_DISABLED"}),
        (404, {"error_code": "ENDPOINT_NOT_FOUND"}),
        (404, {"error_code": 404, "message": "Token does not exist"}),
        (404, {"error_code": ["NOT_FOUND"]}),
        (404, "[]"),
        (404, '"NOT_FOUND"'),
        (404, {"message": "NOT_FOUND"}),
        (410, {"error_code": "NOT_FOUND"}),
        (400, {"error_code": "NOT_FOUND"}),
    ],
)
@pytest.mark.parametrize("lost_before", [False, True])
def test_a_deletion_counts_as_done_only_after_a_404_about_the_token(sandbox, sign_in, status, body, lost_before):
    transport = Transport(sign_in, clock=ManualClock())
    api = TokenManagementAPI(transport)
    if lost_before:
        sandbox.faults.add(Fault(method="DELETE", status=504, times=1))
    sandbox.faults.add(Fault(status=status, body=body))
    for call in (api.delete, api.get):
        with pytest.raises(errors.ApiError) as raised:
            call("ab" * 32)
        assert not isinstance(raised.value, errors.NotFoundError)
    transport.close()


def test_a_failed_connection_is_distinguished_from_a_lost_response(manual_clock):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    transport = Transport(
        credentials.from_token(nobody, "dapi"),
        retries=RetryPolicy(budget_seconds=2),
        clock=manual_clock,
        jitter=lambda: 1,
    )
    with pytest.raises(errors.ConnectionFailedError, match="no request was sent"):
        transport.call("POST", OBO, body={})
    assert manual_clock.slept == [1]  # a POST is retried too, because the first was not sent


def test_a_host_that_does_not_accept_a_connection_in_time_was_sent_nothing(manual_clock, monkeypatch):
    monkeypatch.setattr("tokenkit.rest.transport._CONNECT_TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as waiting:
        for _ in range(3):  # as many as the system keeps; the next one is not answered
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        host = f"http://127.0.0.1:{full.getsockname()[1]}"
        transport = Transport(
            credentials.from_token(host, "dapi"), retries=RetryPolicy(budget_seconds=0), clock=manual_clock
        )
        with pytest.raises(errors.ConnectionFailedError, match="no request was sent"):
            transport.call("POST", OBO, body={})


def test_a_host_that_never_responded_gets_a_smaller_budget_than_one_that_did(manual_clock):
    patience = RetryPolicy(budget_seconds=300)
    with Sandbox(tokens=1) as sandbox:
        sign_in = credentials.from_token(sandbox.host, sandbox.token)
        stranger, acquainted = (
            Transport(sign_in, retries=patience, clock=manual_clock, jitter=lambda: 1) for _ in range(2)
        )
        acquainted.call("GET", TOKENS)
    for transport, most in ((stranger, 1.5), (acquainted, 300)):
        manual_clock.slept.clear()
        with pytest.raises(errors.ConnectionFailedError):
            transport.call("GET", TOKENS)
        assert most / 2 < sum(manual_clock.slept) <= most


def test_a_response_that_takes_too_long_is_a_lost_response(sandbox, sign_in):
    impatient = Transport(sign_in, retries=RetryPolicy(budget_seconds=0, read_timeout_seconds=0.05))
    sandbox.faults.add(Fault(latency_ms=500, times=1))
    with pytest.raises(errors.ResponseLostError, match="in time"):
        impatient.call("GET", TOKENS)
    impatient.close()
    wait_until(lambda: len(sandbox.requests) == 1)  # otherwise the sandbox records it during a later test


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        (Fault(status=403, body=LOGIN_PAGE), errors.AuthenticationError, "Sign in to Databricks"),
        (Fault(status=401), errors.AuthenticationError, "sign in again"),
        (Fault(status=403), errors.PermissionDeniedError, "admin"),
        (Fault(status=302, body="", headers={"Location": "https://login"}), errors.AuthenticationError, "login page"),
        (Fault(status=403, body=""), errors.AccessBlockedError, "Forbidden"),
        (Fault(status=400, body='{"error_code": "QUOTA_EXCEEDED"}'), errors.QuotaExceededError, "QUOTA_EXCEEDED"),
        (Fault(status=404, body='{"error_code": "NOT_FOUND", "message": "x"}'), errors.NotFoundError, "x"),
        (
            Fault(status=404, body='{"error_code": "FEATURE_DISABLED"}'),
            errors.FeatureDisabledError,
            "Have an admin enable them",
        ),
        (Fault(status=409, body='{"error_code": "NEW_IN_2031"}'), errors.ConflictError, "NEW_IN_2031"),
        (Fault(status=418, body="teapot"), errors.ApiError, "418"),
        (Fault(status=500, body='["no object"]'), errors.UnavailableError, "500"),
        (Fault(status=200, body=LOGIN_PAGE), errors.InvalidResponseError, "web page"),
        (Fault(status=200, body=""), errors.InvalidResponseError, "empty body"),
        (Fault(status=200, body="[]"), errors.InvalidResponseError, "not a complete JSON"),
        (Fault(status=200, body='{"token_infos": ['), errors.InvalidResponseError, "not a complete JSON"),
        (Fault(truncate_bytes=1000), errors.ResponseLostError, "[Tt]ry again|broke off"),
    ],
)
def test_an_error_response_becomes_an_error_with_workspace_and_next_step(sandbox, sign_in, fault, error, message):
    sandbox.faults.add(fault)
    transport = Transport(sign_in, retries=RetryPolicy(budget_seconds=0))
    with pytest.raises(error, match=message) as raised:
        transport.call("GET", TOKENS)
    transport.close()
    assert type(raised.value) is error
    assert sandbox.host in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_redirect_is_not_followed(sandbox, transport):
    elsewhere = {"Location": f"{transport.host}{TOKENS}"}
    sandbox.faults.add(Fault(status=302, body="", headers=elsewhere, times=1))
    with pytest.raises(errors.AccessBlockedError, match=f"redirect to {transport.host}"):
        transport.call("GET", TOKENS)
    assert len(sandbox.requests) == 1


def test_the_response_to_a_deletion_can_be_empty(sandbox, transport):
    sandbox.faults.add(Fault(method="DELETE", status=200, body=""))
    assert transport.call("DELETE", f"{TOKENS}/x") == {}


@pytest.mark.parametrize("fault", [Fault(status=403, body=LOGIN_PAGE), Fault(drop=True), Fault(status=200, body="")])
def test_an_error_refers_to_no_exception_of_requests_and_no_credential(sandbox, sign_in, fault):
    sandbox.faults.add(fault)
    transport = Transport(sign_in, retries=RetryPolicy(budget_seconds=0))
    with pytest.raises(errors.TokenKitError) as raised:
        transport.call("GET", TOKENS)
    transport.close()
    chain = list(itertools.takewhile(bool, (raised.value.__cause__, raised.value.__context__)))
    assert chain == []
    shown = traceback.TracebackException.from_exception(raised.value, capture_locals=True).format()
    assert sandbox.token not in "".join(shown)


def test_a_credential_that_the_server_echoes_is_not_in_the_error(sandbox, sign_in):
    sandbox.faults.add(Fault(status=401, body={"error_code": "X", "message": f"Invalid token {sandbox.token}"}))
    transport = Transport(sign_in, retries=RetryPolicy(budget_seconds=0))
    with pytest.raises(errors.AuthenticationError, match=r"Invalid token \[redacted\]"):
        transport.call("GET", TOKENS)
    transport.close()


def test_proxies_and_certificates_of_the_environment_are_used(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    sign_in = credentials.from_token("https://prod.example.com", "dapi1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    through_a_proxy = Transport(sign_in, retries=RetryPolicy(budget_seconds=0))
    assert through_a_proxy._settings["verify"] == certifi.where()
    with pytest.raises(errors.ConnectionFailedError, match="proxy"):
        through_a_proxy.call("GET", TOKENS)
    monkeypatch.setenv("NO_PROXY", "prod.example.com")
    direct = Transport(sign_in)
    assert not direct._settings["proxies"]
    for transport in (through_a_proxy, direct):
        transport.close()


def test_a_missing_ca_bundle_is_an_error_that_names_it(sign_in, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/company.pem")
    with pytest.raises(errors.ConfigurationError, match=r"/nowhere/company\.pem.*REQUESTS_CA_BUNDLE"):
        Transport(sign_in)


def test_requests_to_a_sandbox_on_this_machine_bypass_the_proxy(sign_in, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    transport = Transport(sign_in, retries=RetryPolicy(budget_seconds=0))
    assert "token_infos" in transport.call("GET", TOKENS)
    transport.close()


def test_the_workspace_header_chooses_a_workspace_on_a_shared_host():
    with Sandbox(tokens=3, workspaces=2) as sandbox:
        second = sandbox.workspaces[1]
        shared = credentials.from_token(sandbox.host, second.token, workspace_id=str(second.workspace_id))
        transport = Transport(shared)
        tokens = transport.call("GET", TOKENS)["token_infos"]
        transport.close()
    assert {token["workspace_id"] for token in tokens} == {second.workspace_id}


class StderrProgress(io.StringIO):
    def isatty(self):
        return True


class EachLookTakesSeconds(ManualClock):
    """A clock that advances on every reading, as it does while a response is read."""

    def monotonic(self):
        self.seconds += 3
        return self.seconds


def whole(blocks):
    return json.loads(b"".join(blocks))


def test_a_request_says_who_sends_it_and_what_it_can_read(serve):
    with serve(lambda _: reply({})) as server:
        transport = Transport(credentials.from_token(server.host, "secret"))
        transport.call("GET", "/x", query={"a": 1, "none": None, "b": "c d"})
        transport.close()
    first, *headers = server.requests[0].strip().split("\r\n")
    assert first == "GET /x?a=1&b=c+d HTTP/1.1"
    expected = {
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "User-Agent": f"tokenkit/{__version__}",
        "Authorization": "Bearer secret",
    }
    assert dict(line.split(": ", 1) for line in headers).items() >= expected.items()


def test_a_body_is_streamed(transport):
    assert transport.read(TOKENS, whole) == transport.call("GET", TOKENS)


def test_a_listing_may_be_longer_than_any_other_response(serve):
    body = reply({"token_infos": ["x" * 17_000_000]})
    with serve(lambda _: body) as server:
        transport = Transport(credentials.from_token(server.host, "secret"))
        assert len(transport.read("/x", whole)["token_infos"][0]) == 17_000_000
        with pytest.raises(errors.InvalidResponseError):
            transport.call("GET", "/x")
        transport.close()


@pytest.mark.parametrize(
    ("fault", "status"),
    [(Fault(truncate_bytes=100_000, times=1), 200), (Fault(drop=True, times=1), 0), (Fault(status=503, times=1), 503)],
)
def test_a_body_that_breaks_off_is_requested_again_and_read_from_the_start(sandbox, transport, fault, status):
    expected = transport.read(TOKENS, whole)
    sandbox.requests.clear()
    sandbox.faults.add(fault)
    assert transport.read(TOKENS, whole) == expected
    assert [record.status for record in sandbox.requests] == [status, 200]


def test_a_body_that_always_breaks_off_is_a_lost_response_within_the_budget(sandbox, transport, manual_clock):
    sandbox.faults.add(Fault(truncate_bytes=100_000))
    with pytest.raises(errors.ResponseLostError, match=re.escape(sandbox.host)) as raised:
        transport.read(TOKENS, whole)
    assert raised.value.__context__ is None
    assert 30 < sum(manual_clock.slept) <= 60


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        (Fault(status=200, body=LOGIN_PAGE), errors.InvalidResponseError, "web page"),
        (Fault(status=200, body=""), errors.InvalidResponseError, "empty body"),
        (
            Fault(status=200, body='{"token_infos": [{"token_id":'),
            errors.InvalidResponseError,
            "not a complete JSON",
        ),
        (Fault(status=403, body=LOGIN_PAGE), errors.AuthenticationError, "Sign in to Databricks"),
        (Fault(status=302, body="", headers={"Location": "https://login"}), errors.AuthenticationError, "login page"),
    ],
)
def test_a_body_that_cannot_be_read_is_an_error_that_names_the_workspace(workspace, sandbox, fault, error, message):
    sandbox.faults.add(fault)
    with pytest.raises(error, match=message) as raised:
        workspace.token_management.list()
    assert type(raised.value) is error
    assert sandbox.host in str(raised.value)
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)
    shown = traceback.TracebackException.from_exception(raised.value, capture_locals=True).format()
    assert sandbox.token not in "".join(shown)


@pytest.mark.parametrize("end", [None, -20])
def test_a_compressed_body_is_decompressed_and_a_truncated_one_is_an_error(workspace, sandbox, end):
    packed = gzip.compress(json.dumps({"token_infos": [{"token_id": f"{n:064}"} for n in range(3_000)]}).encode())
    sandbox.faults.add(Fault(status=200, body=packed[:end], headers={"Content-Encoding": "gzip"}))
    if end is None:
        assert len(workspace.token_management.list()) == 3_000
    else:
        with pytest.raises(errors.TokenKitError, match=re.escape(sandbox.host)):
            workspace.token_management.list()


def test_a_body_that_takes_longer_than_two_seconds_shows_a_progress_bar(sign_in, monkeypatch):
    monkeypatch.setattr(sys, "stderr", StderrProgress())
    slow = Transport(sign_in, clock=EachLookTakesSeconds())
    slow.read(TOKENS, whole)
    slow.close()
    assert "B/s" in sys.stderr.getvalue()


def test_a_fast_body_or_one_without_a_terminal_shows_no_progress_bar(sign_in, transport, monkeypatch, capsys):
    slow = Transport(sign_in, clock=EachLookTakesSeconds())
    slow.read(TOKENS, whole)
    slow.close()
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys, "stderr", StderrProgress())
    transport.read(TOKENS, whole)
    assert not sys.stderr.getvalue()


def test_an_encoding_that_was_not_requested_is_an_error(sandbox, transport):
    sandbox.faults.add(Fault(status=200, body={}, headers={"Content-Encoding": "br"}))
    with pytest.raises(errors.InvalidResponseError, match="Content-Encoding that was not requested"):
        transport.call("GET", TOKENS)


def test_what_cannot_be_written_as_json_is_not_sent(sandbox, transport):
    endless = {}
    endless["x"] = endless
    for value in (float("nan"), object(), endless):
        with pytest.raises(errors.UsageError, match="was not sent: an argument cannot be written as JSON"):
            transport.call("POST", OBO, body={"comment": value})
    assert list(sandbox.requests) == []
