import time

import pytest
import requests

from tokenkit.sandbox import Fault
from tokenkit.sandbox.faults import Faults

from .conftest import OBO, PERMISSIONS, SCIM, TOKENS, service_principal


def statuses(client, count, path=TOKENS):
    return [client("GET", path).status_code for _ in range(count)]


def test_a_fault_hits_after_its_offset_and_so_many_times(admin, sandbox):
    sandbox.faults.add(Fault(method="GET", path=TOKENS, status=503, offset=1, times=2))
    assert statuses(admin, 5) == [200, 503, 503, 200, 200]


def test_a_fault_without_times_hits_until_it_is_cleared(admin, sandbox):
    sandbox.faults.add(Fault(status=503))
    assert statuses(admin, 3) == [503, 503, 503]
    sandbox.faults.clear()
    assert statuses(admin, 1) == [200]


def test_a_fault_keeps_to_its_method_and_path(admin, sandbox):
    sandbox.faults.add(Fault(method="DELETE", path=f"{TOKENS}/*", status=429, headers={"Retry-After": "1"}, times=1))
    assert statuses(admin, 1) == [200]
    assert admin.ok("GET", f"{SCIM}/Me")
    response = admin("DELETE", f"{TOKENS}/abc?x=1")
    assert (response.status_code, response.headers["Retry-After"]) == (429, "1")
    assert response.json()["error_code"] == "REQUEST_LIMIT_EXCEEDED"
    assert admin("DELETE", f"{TOKENS}/abc").status_code == 404


def test_the_platforms_error_code_goes_with_the_status(admin, sandbox):
    sandbox.faults.add(Fault(status=503, times=1), Fault(status=403, times=1))
    assert admin.refused("GET", TOKENS) == (503, "TEMPORARILY_UNAVAILABLE")
    assert admin.refused("GET", TOKENS) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize(
    ("body", "content_type", "sent"),
    [
        ("<html>Sign in</html>", None, (b"<html>Sign in</html>", "text/html; charset=utf-8")),
        ("overloaded", None, (b"overloaded", "text/plain; charset=utf-8")),
        (b"\xff\x00", "application/json", (b"\xff\x00", "application/json")),
        (
            {"error_code": "QUOTA_EXCEEDED", "message": "é"},
            None,
            ('{"error_code":"QUOTA_EXCEEDED","message":"é"}'.encode(), "application/json"),
        ),
        ("", None, (b"", "text/plain; charset=utf-8")),
    ],
)
def test_a_fault_sends_any_body(admin, sandbox, body, content_type, sent):
    sandbox.faults.add(Fault(status=403, body=body, content_type=content_type))
    response = admin("GET", TOKENS)
    assert response.status_code == 403
    assert (response.content, response.headers["content-type"]) == sent


def test_a_dropped_connection_is_a_reset(admin, sandbox, state):
    sandbox.faults.add(Fault(method="DELETE", drop=True, times=1))
    victim = next(iter(state.tokens.ids()))
    with pytest.raises(requests.ConnectionError, match="reset"):
        admin("DELETE", f"{TOKENS}/{victim}")
    assert victim in state.tokens.ids()
    assert sandbox.requests[-1].status == 0
    assert statuses(admin, 1) == [200]


def test_an_answer_can_be_lost_after_the_work_is_done(admin, sandbox, state):
    sandbox.faults.add(Fault(method="DELETE", drop=True, after_handler=True, times=1))
    doomed = next(
        info["token_id"] for info in state.tokens.infos() if info["created_by_username"] != "admin@example.com"
    )
    with pytest.raises(requests.ConnectionError):
        admin("DELETE", f"{TOKENS}/{doomed}")
    assert doomed not in state.tokens.ids()
    assert admin.refused("DELETE", f"{TOKENS}/{doomed}") == (404, "NOT_FOUND")


def test_an_answer_can_be_replaced_after_the_work_is_done(admin, sandbox, state):
    robot = service_principal(admin)["applicationId"]
    sandbox.faults.add(Fault(method="POST", status=503, after_handler=True, times=1))
    before = state.tokens.count()
    assert admin.refused("POST", OBO, {"application_id": robot}) == (503, "TEMPORARILY_UNAVAILABLE")
    assert state.tokens.count() == before + 1


def test_without_after_handler_nothing_is_done(admin, sandbox, state):
    sandbox.faults.add(Fault(method="PUT", status=503))
    before = state.permissions.document()
    assert admin("PUT", PERMISSIONS, {}).status_code == 503
    assert state.permissions.document() == before


@pytest.mark.parametrize("sent", [0, 1, 500])
def test_a_truncated_answer_declares_its_whole_length(admin, sandbox, sent):
    whole = admin("GET", TOKENS).content
    sandbox.faults.add(Fault(path=TOKENS, truncate_bytes=sent, times=1))
    with admin("GET", TOKENS, stream=True) as response:
        assert int(response.headers["content-length"]) == len(whole)
        got = []
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
            got.extend(response.iter_content(1))
    assert len(got) <= sent
    assert admin("GET", TOKENS).content == whole


def test_a_truncated_change_is_done(admin, sandbox, state):
    sandbox.faults.add(Fault(method="DELETE", truncate_bytes=1))
    doomed = state.tokens.infos()[5]["token_id"]
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        admin("DELETE", f"{TOKENS}/{doomed}")
    assert doomed not in state.tokens.ids()


def test_latency_alone_leaves_the_answer_as_it_is(admin, sandbox):
    sandbox.faults.add(Fault(path=TOKENS, latency_ms=80, times=1))
    started = time.monotonic()
    assert statuses(admin, 1) == [200]
    assert time.monotonic() - started >= 0.08


def test_headers_alone_are_added_to_the_real_answer(admin, sandbox):
    sandbox.faults.add(Fault(headers={"X-Extra": "1"}))
    response = admin("GET", TOKENS)
    assert response.headers["X-Extra"] == "1"
    assert response.json()["token_infos"]


def test_a_fault_may_hit_one_workspace_alone(make_sandbox, clients):
    sandbox = make_sandbox(workspaces=2)
    first, second = (clients(each.host, each.token) for each in sandbox.workspaces)
    sandbox.faults.add(Fault(status=503, workspace_id=sandbox.workspaces[1].workspace_id))
    assert statuses(first, 1) + statuses(second, 1) == [200, 503]


def test_a_fault_may_hit_before_anybody_signs_in(sandbox, clients):
    sandbox.faults.add(Fault(path="/.well-known/*", status=404))
    assert clients(sandbox.host, None)("GET", "/.well-known/databricks-config").status_code == 404


def test_faults_take_turns():
    faults = Faults()
    faults.add(Fault(status=429, times=1), Fault(path="/b", status=503, times=1), Fault(status=500, offset=1, times=1))
    struck = [faults.strike("GET", path, 1) for path in ("/b", "/a", "/b", "/b", "/b")]
    assert [fault and fault.status for fault in struck] == [429, None, 503, 500, None]


def test_a_fault_is_data():
    assert Fault(status=503) == Fault(status=503)
    assert len({Fault(status=503), Fault(status=503), Fault(status=504)}) == 2
    with pytest.raises(AttributeError):
        Fault().status = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"headers": {"X-Note": "snow \u2603"}}, "cannot stand in a header"),
        ({"headers": {"X-Note\r\nX-More": "1"}}, "cannot stand in a header"),
        ({"headers": {"X-Note": "1\r\n\r\n<html>"}}, "cannot stand in a header"),
        ({"body": "x", "content_type": "text/\u2603"}, "cannot stand in a header"),
        ({"body": "\ud83d"}, "surrogates"),
        ({"body": {"a": "\ud83d"}}, "surrogates"),
        ({"status": 100}, "ends no request"),
        ({"status": 1000}, "ends no request"),
    ],
)
def test_a_fault_that_no_answer_could_carry_is_refused_where_it_is_made(settings, words):
    with pytest.raises(ValueError, match=words):
        Fault(**settings)


def test_a_header_may_hold_what_http_can_carry(admin, sandbox):
    sandbox.faults.add(Fault(headers={"X-Note": "größer"}))
    assert admin("GET", TOKENS).headers["X-Note"] == "größer"
