import pytest
import requests

from tests.sandbox.conftest import OBO, PERMISSIONS, SCIM, TOKENS, service_principal
from tokenkit.sandbox import Fault
from tokenkit.sandbox.serving.faults import Faults


def statuses(client, count, path=TOKENS):
    return [client("GET", path).status_code for _ in range(count)]


def test_a_fault_applies_after_its_offset_and_a_number_of_times(admin, sandbox):
    sandbox.faults.add(Fault(method="GET", path=TOKENS, status=503, offset=1, times=2))
    assert statuses(admin, 5) == [200, 503, 503, 200, 200]


def test_a_fault_without_times_applies_until_it_is_cleared(admin, sandbox):
    sandbox.faults.add(Fault(status=503))
    assert statuses(admin, 3) == [503, 503, 503]
    sandbox.faults.clear()
    assert statuses(admin, 1) == [200]


def test_a_fault_applies_to_its_method_and_path_only(admin, sandbox):
    sandbox.faults.add(Fault(method="DELETE", path=f"{TOKENS}/*", status=429, headers={"Retry-After": "1"}, times=1))
    assert statuses(admin, 1) == [200]
    assert admin.ok("GET", f"{SCIM}/Me")
    response = admin("DELETE", f"{TOKENS}/abc?x=1")
    assert (response.status_code, response.headers["Retry-After"]) == (429, "1")
    assert response.json()["error_code"] == "REQUEST_LIMIT_EXCEEDED"
    assert admin("DELETE", f"{TOKENS}/abc").status_code == 404


def test_the_default_error_code_depends_on_the_status(admin, sandbox):
    sandbox.faults.add(Fault(status=503, times=1), Fault(status=403, times=1))
    assert admin.error("GET", TOKENS) == (503, "TEMPORARILY_UNAVAILABLE")
    assert admin.error("GET", TOKENS) == (403, "PERMISSION_DENIED")


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
    token_id = next(iter(state.tokens.ids()))
    with pytest.raises(requests.ConnectionError, match="reset"):
        admin("DELETE", f"{TOKENS}/{token_id}")
    assert token_id in state.tokens.ids()
    assert sandbox.requests[-1].status == 0
    assert statuses(admin, 1) == [200]


def test_a_response_can_be_lost_after_the_handler_ran(admin, sandbox, state):
    sandbox.faults.add(Fault(method="DELETE", drop=True, after_handler=True, times=1))
    deleted = next(
        info["token_id"] for info in state.tokens.infos() if info["created_by_username"] != "admin@example.com"
    )
    with pytest.raises(requests.ConnectionError):
        admin("DELETE", f"{TOKENS}/{deleted}")
    assert deleted not in state.tokens.ids()
    assert admin.error("DELETE", f"{TOKENS}/{deleted}") == (404, "NOT_FOUND")


def test_a_response_can_be_replaced_after_the_handler_ran(admin, sandbox, state):
    robot = service_principal(admin)["applicationId"]
    sandbox.faults.add(Fault(method="POST", status=503, after_handler=True, times=1))
    before = state.tokens.count()
    assert admin.error("POST", OBO, {"application_id": robot}) == (503, "TEMPORARILY_UNAVAILABLE")
    assert state.tokens.count() == before + 1


def test_without_after_handler_the_handler_does_not_run(admin, sandbox, state):
    sandbox.faults.add(Fault(method="PUT", status=503))
    before = state.permissions.document()
    assert admin("PUT", PERMISSIONS, {}).status_code == 503
    assert state.permissions.document() == before


@pytest.mark.parametrize("sent", [0, 1, 500])
def test_a_truncated_response_declares_its_whole_length(admin, sandbox, sent):
    whole = admin("GET", TOKENS).content
    sandbox.faults.add(Fault(path=TOKENS, truncate_bytes=sent, times=1))
    with admin("GET", TOKENS, stream=True) as response:
        assert int(response.headers["content-length"]) == len(whole)
        got = []
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
            got.extend(response.iter_content(1))
    assert len(got) <= sent
    assert admin("GET", TOKENS).content == whole


def test_a_change_with_a_truncated_response_is_made(admin, sandbox, state):
    sandbox.faults.add(Fault(method="DELETE", truncate_bytes=1))
    deleted = state.tokens.infos()[5]["token_id"]
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        admin("DELETE", f"{TOKENS}/{deleted}")
    assert deleted not in state.tokens.ids()


def test_latency_alone_does_not_change_the_response(admin, sandbox):
    sandbox.faults.add(Fault(path=TOKENS, latency_ms=600_000, times=1), Fault(path=TOKENS, latency_ms=1, times=1))
    with pytest.raises(requests.ReadTimeout):
        admin("GET", TOKENS, timeout=0.2)
    assert statuses(admin, 2) == [200, 200]


def test_headers_alone_are_added_to_the_response(admin, sandbox):
    sandbox.faults.add(Fault(headers={"X-Extra": "1"}))
    response = admin("GET", TOKENS)
    assert response.headers["X-Extra"] == "1"
    assert response.json()["token_infos"]


def test_a_fault_can_apply_to_one_workspace_only(make_sandbox, clients):
    sandbox = make_sandbox(workspaces=2)
    first, second = (clients(workspace.host, workspace.token) for workspace in sandbox.workspaces)
    sandbox.faults.add(Fault(status=503, workspace_id=sandbox.workspaces[1].workspace_id))
    assert statuses(first, 1) + statuses(second, 1) == [200, 503]


def test_a_fault_can_apply_before_authentication(sandbox, clients):
    sandbox.faults.add(Fault(path="/.well-known/*", status=404))
    assert clients(sandbox.host, None)("GET", "/.well-known/databricks-config").status_code == 404


def test_a_used_up_fault_is_skipped():
    faults = Faults()
    faults.add(Fault(status=429, times=1), Fault(path="/b", status=503, times=1), Fault(status=500, offset=1, times=1))
    matches = [faults.match("GET", path, 1) for path in ("/b", "/a", "/b", "/b", "/b")]
    assert [fault and fault.status for fault in matches] == [429, None, 503, 500, None]


def test_a_fault_is_data():
    assert Fault(status=503) == Fault(status=503)
    assert len({Fault(status=503), Fault(status=503), Fault(status=504)}) == 2
    with pytest.raises(AttributeError):
        Fault().status = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"headers": {"X-Note": "snow \u2603"}}, "is not valid in a header"),
        ({"headers": {"X-Note\r\nX-More": "1"}}, "is not valid in a header"),
        ({"headers": {"X-Note": "1\r\n\r\n<html>"}}, "is not valid in a header"),
        ({"body": "x", "content_type": "text/\u2603"}, "is not valid in a header"),
        ({"body": "\ud83d"}, "surrogates"),
        ({"body": {"a": "\ud83d"}}, "surrogates"),
        ({"status": 100}, "is not a final status"),
        ({"status": 1000}, "is not a final status"),
    ],
)
def test_a_fault_that_http_cannot_carry_is_rejected_at_once(settings, message):
    with pytest.raises(ValueError, match=message):
        Fault(**settings)


def test_a_header_can_contain_what_http_can_carry(admin, sandbox):
    sandbox.faults.add(Fault(headers={"X-Note": "größer"}))
    assert admin("GET", TOKENS).headers["X-Note"] == "größer"
