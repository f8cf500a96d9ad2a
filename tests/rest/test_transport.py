"""What the wire does to a request: each fault, and what the caller gets to see of it."""

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
from tokenkit import errors
from tokenkit.rest import credentials
from tokenkit.rest.token_management import TokenManagementAPI
from tokenkit.rest.transport import RetryPolicy, Transport
from tokenkit.sandbox import Fault, Sandbox

TOKENS = "/api/2.0/token-management/tokens"
OBO = "/api/2.0/token-management/on-behalf-of/tokens"
LOGIN_PAGE = "<html><head><title>Sign in to Databricks</title></head><body>403</body></html>"


@pytest.fixture
def transport(sign_in, manual_clock):
    with_a_minute = RetryPolicy(budget_seconds=60)
    transport = Transport(sign_in, retries=with_a_minute, clock=manual_clock, jitter=lambda: 0.5)
    yield transport
    transport.close()


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
def test_a_retry_after_that_is_no_number_and_no_date_counts_as_absent(sandbox, transport, manual_clock, header):
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
def test_a_passing_fault_does_not_reach_whoever_reads(sandbox, transport, fault):
    whole = transport.call("GET", TOKENS)
    sandbox.faults.add(fault)
    assert transport.call("GET", TOKENS) == whole


def test_a_wait_that_does_not_fit_the_budget_is_not_begun(sandbox, transport, manual_clock):
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


def test_one_that_is_as_patient_as_it_is_told_uses_the_same_connections(sandbox, transport, manual_clock):
    sandbox.faults.add(Fault(status=503, times=1))
    with pytest.raises(errors.UnavailableError):
        transport.patient(RetryPolicy(budget_seconds=0)).call("GET", TOKENS)
    assert manual_clock.slept == []
    sandbox.faults.add(Fault(status=503, times=1))
    transport.call("GET", TOKENS)  # its own patience is what it was
    assert manual_clock.slept == [0.5]
    assert transport.patient(RetryPolicy())._adapter is transport._adapter


def test_a_wait_that_a_person_would_notice_is_announced(sandbox, transport, caplog):
    sandbox.faults.add(Fault(status=429, headers={"Retry-After": "5"}, times=1))
    with caplog.at_level(logging.WARNING, logger="tokenkit"):
        transport.call("GET", TOKENS)
    assert "waiting 5 s" in caplog.text
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
def test_a_post_that_may_have_been_carried_out_is_sent_once(sandbox, transport, fault):
    sandbox.faults.add(fault)
    with pytest.raises((errors.AnswerLostError, errors.UnavailableError)):
        transport.call("POST", "/api/2.0/token/create", body={"comment": "once"})
    assert len(sent(sandbox, "POST")) == 1


def test_a_post_that_was_turned_away_is_sent_again(sandbox, transport):
    sandbox.faults.add(Fault(method="POST", status=429, headers={"Retry-After": "1"}, times=1))
    answer = transport.call("POST", "/api/2.0/token/create", body={"comment": "twice asked", "lifetime_seconds": 60})
    transport.call("DELETE", f"{TOKENS}/{answer['token_info']['token_id']}")
    assert [record.status for record in sent(sandbox, "POST")] == [429, 200]


def test_a_refusal_that_follows_a_lost_answer_says_so(sandbox, transport):
    made = transport.call("POST", "/api/2.0/token/create", body={"lifetime_seconds": 60})
    path = f"{TOKENS}/{made['token_info']['token_id']}"
    sandbox.faults.add(Fault(method="DELETE", drop=True, after_handler=True, times=1))
    with pytest.raises(errors.NotFoundError) as raised:
        transport.call("DELETE", path)
    assert raised.value.after_lost_answer
    with pytest.raises(errors.NotFoundError) as raised:
        transport.call("DELETE", path)
    assert not raised.value.after_lost_answer


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_that_fails_is_a_lost_answer_to_whatever_may_be_repeated(sandbox, sign_in, manual_clock, status):
    transport = Transport(sign_in, clock=manual_clock)
    api = TokenManagementAPI(transport)
    made = transport.call("POST", "/api/2.0/token/create", body={"lifetime_seconds": 60})
    page = "<html><title>Bad Gateway</title></html>"
    sandbox.faults.add(Fault(method="DELETE", status=status, body=page, after_handler=True, times=1))
    api.delete(made["token_info"]["token_id"])  # the 404 of its repetition is our own success
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
def test_what_was_turned_away_for_the_moment_is_sent_again_whatever_it_is(sandbox, transport, fault):
    sandbox.faults.add(fault)
    made = transport.call("POST", "/api/2.0/token/create", body={"lifetime_seconds": 60})
    sandbox.faults.add(dataclasses.replace(fault, method="DELETE"))
    transport.call("DELETE", f"{TOKENS}/{made['token_info']['token_id']}")
    with pytest.raises(errors.NotFoundError) as raised:
        transport.call("DELETE", f"{TOKENS}/{made['token_info']['token_id']}")
    assert not raised.value.after_lost_answer


def test_a_500_that_names_no_limit_does_not_pass(sandbox, transport):
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
def test_a_deletion_is_taken_for_done_only_where_a_404_names_the_token(sandbox, sign_in, status, body, lost_before):
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


def test_a_host_that_refuses_connections_is_told_apart_from_a_lost_answer(manual_clock):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    transport = Transport(
        credentials.from_token(nobody, "dapi"),
        retries=RetryPolicy(budget_seconds=2),
        clock=manual_clock,
        jitter=lambda: 1,
    )
    with pytest.raises(errors.ConnectionFailedError, match="nothing was sent"):
        transport.call("POST", OBO, body={})
    assert manual_clock.slept == [1]  # also a POST is tried again, as the first never left


def test_a_host_that_never_answered_is_given_up_soon_and_one_that_did_is_waited_for(manual_clock):
    patience = RetryPolicy(budget_seconds=300)
    with Sandbox(tokens=1) as sandbox:
        sign_in = credentials.from_token(sandbox.host, sandbox.token)
        stranger, acquainted = (
            Transport(sign_in, retries=patience, clock=manual_clock, jitter=lambda: 1) for _ in range(2)
        )
        acquainted.call("GET", TOKENS)
    for transport, most in ((stranger, 15), (acquainted, 300)):
        manual_clock.slept.clear()
        with pytest.raises(errors.ConnectionFailedError):
            transport.call("GET", TOKENS)
        assert most / 2 < sum(manual_clock.slept) <= most


def test_an_answer_that_takes_too_long_is_a_lost_answer(sandbox, sign_in):
    impatient = Transport(sign_in, retries=RetryPolicy(budget_seconds=0, read_timeout_seconds=0.05))
    sandbox.faults.add(Fault(latency_ms=500, times=1))
    with pytest.raises(errors.AnswerLostError, match="in time"):
        impatient.call("GET", TOKENS)
    impatient.close()


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (Fault(status=403, body=LOGIN_PAGE), errors.AuthenticationError, "Sign in to Databricks"),
        (Fault(status=401), errors.AuthenticationError, "sign in again"),
        (Fault(status=403), errors.PermissionDeniedError, "admin"),
        (Fault(status=302, body="", headers={"Location": "https://login"}), errors.AuthenticationError, "login page"),
        (Fault(status=403, body=""), errors.PermissionDeniedError, "Forbidden"),
        (Fault(status=400, body='{"error_code": "QUOTA_EXCEEDED"}'), errors.QuotaExceededError, "QUOTA_EXCEEDED"),
        (Fault(status=404, body='{"error_code": "NOT_FOUND", "message": "x"}'), errors.NotFoundError, "x"),
        (Fault(status=404, body='{"error_code": "FEATURE_DISABLED"}'), errors.FeatureDisabledError, "are disabled"),
        (Fault(status=409, body='{"error_code": "NEW_IN_2031"}'), errors.ConflictError, "NEW_IN_2031"),
        (Fault(status=418, body="teapot"), errors.ApiError, "418"),
        (Fault(status=500, body='["no object"]'), errors.UnavailableError, "500"),
        (Fault(status=200, body=LOGIN_PAGE), errors.MalformedAnswerError, "web page"),
        (Fault(status=200, body=""), errors.MalformedAnswerError, "empty body"),
        (Fault(status=200, body="[]"), errors.MalformedAnswerError, "not a JSON object"),
        (Fault(status=200, body='{"token_infos": ['), errors.MalformedAnswerError, "not a JSON object"),
        (Fault(truncate_bytes=1000), errors.AnswerLostError, "try again|broke off"),
    ],
)
def test_an_answer_becomes_an_error_that_names_the_workspace_and_the_way_out(sandbox, sign_in, fault, error, words):
    sandbox.faults.add(fault)
    transport = Transport(sign_in, retries=RetryPolicy(budget_seconds=0))
    with pytest.raises(error, match=words) as raised:
        transport.call("GET", TOKENS)
    transport.close()
    assert type(raised.value) is error
    assert sandbox.host in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_redirect_is_not_followed(sandbox, transport):
    elsewhere = {"Location": f"{transport.host}{TOKENS}"}
    sandbox.faults.add(Fault(status=302, body="", headers=elsewhere, times=1))
    with pytest.raises(errors.AccessBlockedError, match=f"redirected to {transport.host}"):
        transport.call("GET", TOKENS)
    assert len(sandbox.requests) == 1


def test_a_deletion_may_answer_with_nothing_at_all(sandbox, transport):
    sandbox.faults.add(Fault(method="DELETE", status=200, body=""))
    assert transport.call("DELETE", f"{TOKENS}/x") == {}


@pytest.mark.parametrize("fault", [Fault(status=403, body=LOGIN_PAGE), Fault(drop=True), Fault(status=200, body="")])
def test_no_exception_of_requests_and_no_credential_hangs_on_an_error(sandbox, sign_in, fault):
    sandbox.faults.add(fault)
    transport = Transport(sign_in, retries=RetryPolicy(budget_seconds=0))
    with pytest.raises(errors.TokenKitError) as raised:
        transport.call("GET", TOKENS)
    transport.close()
    chain = list(itertools.takewhile(bool, (raised.value.__cause__, raised.value.__context__)))
    assert chain == []
    shown = traceback.TracebackException.from_exception(raised.value, capture_locals=True).format()
    assert sandbox.token not in "".join(shown)


def test_a_server_that_echoes_the_credential_does_not_get_it_into_an_error(sandbox, sign_in):
    sandbox.faults.add(Fault(status=401, body={"error_code": "X", "message": f"Invalid token {sandbox.token}"}))
    transport = Transport(sign_in, retries=RetryPolicy(budget_seconds=0))
    with pytest.raises(errors.AuthenticationError, match=r"Invalid token \[redacted\]"):
        transport.call("GET", TOKENS)
    transport.close()


def test_proxies_and_certificates_of_the_environment_are_kept(monkeypatch):
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


def test_certificates_that_are_not_there_are_named(sign_in, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/company.pem")
    with pytest.raises(errors.ConfigurationError, match=r"/nowhere/company\.pem.*REQUESTS_CA_BUNDLE"):
        Transport(sign_in)


def test_a_sandbox_on_this_machine_is_not_asked_through_a_proxy(sign_in, monkeypatch):
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


class Terminal(io.StringIO):
    def isatty(self):
        return True


class EachLookTakesSeconds(ManualClock):
    """Time that passes while somebody looks at it, as it does while an answer is read."""

    def monotonic(self):
        self.seconds += 3
        return self.seconds


def whole(blocks):
    return json.loads(b"".join(blocks))


def test_a_body_is_read_as_it_comes(transport):
    assert transport.read(TOKENS, whole) == transport.call("GET", TOKENS)


@pytest.mark.parametrize(
    "fault", [Fault(truncate_bytes=100_000, times=1), Fault(drop=True, times=1), Fault(status=503, times=1)]
)
def test_a_body_that_breaks_off_is_asked_for_again_and_read_from_its_beginning(sandbox, transport, fault):
    expected = transport.read(TOKENS, whole)
    sandbox.requests.clear()
    sandbox.faults.add(fault)
    assert transport.read(TOKENS, whole) == expected
    assert len(list(sandbox.requests)) == 2


def test_a_body_that_breaks_off_for_ever_is_a_lost_answer_within_the_budget(sandbox, transport, manual_clock):
    sandbox.faults.add(Fault(truncate_bytes=100_000))
    with pytest.raises(errors.AnswerLostError, match=re.escape(sandbox.host)) as raised:
        transport.read(TOKENS, whole)
    assert raised.value.__context__ is None
    assert 30 < sum(manual_clock.slept) <= 60


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (Fault(status=200, body=LOGIN_PAGE), errors.MalformedAnswerError, "web page"),
        (Fault(status=200, body=""), errors.MalformedAnswerError, "empty body"),
        (Fault(status=200, body='{"token_infos": [{"token_id":'), errors.MalformedAnswerError, "not a whole one"),
        (Fault(status=403, body=LOGIN_PAGE), errors.AuthenticationError, "Sign in to Databricks"),
        (Fault(status=302, body="", headers={"Location": "https://login"}), errors.AuthenticationError, "login page"),
    ],
)
def test_a_body_that_cannot_be_read_is_an_error_that_names_the_workspace(workspace, sandbox, fault, error, words):
    sandbox.faults.add(fault)
    with pytest.raises(error, match=words) as raised:
        workspace.token_management.list()
    assert type(raised.value) is error
    assert sandbox.host in str(raised.value)
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)
    shown = traceback.TracebackException.from_exception(raised.value, capture_locals=True).format()
    assert sandbox.token not in "".join(shown)


@pytest.mark.parametrize("end", [None, -20])
def test_a_packed_body_is_unpacked_and_one_that_ends_too_early_is_no_listing(workspace, sandbox, end):
    packed = gzip.compress(json.dumps({"token_infos": [{"token_id": f"{n:064}"} for n in range(3_000)]}).encode())
    sandbox.faults.add(Fault(status=200, body=packed[:end], headers={"Content-Encoding": "gzip"}))
    if end is None:
        assert len(workspace.token_management.list()) == 3_000
    else:
        with pytest.raises(errors.TokenKitError, match=re.escape(sandbox.host)):
            workspace.token_management.list()


def test_a_body_that_takes_longer_than_two_seconds_shows_how_far_it_is(sign_in, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    slow = Transport(sign_in, clock=EachLookTakesSeconds())
    slow.read(TOKENS, whole)
    slow.close()
    assert "B/s" in sys.stderr.getvalue()


def test_a_body_that_is_there_at_once_or_that_nobody_watches_shows_nothing(sign_in, transport, monkeypatch, capsys):
    slow = Transport(sign_in, clock=EachLookTakesSeconds())
    slow.read(TOKENS, whole)
    slow.close()
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys, "stderr", Terminal())
    transport.read(TOKENS, whole)
    assert not sys.stderr.getvalue()
