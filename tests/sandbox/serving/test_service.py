import pytest
import requests

from tests.sandbox.conftest import SCIM, TOKENS
from tokenkit.sandbox.serving.service import RequestRecord, Requests


def test_the_host_metadata_needs_no_credential(sandbox, clients):
    workspace = sandbox.workspaces[0]
    response = clients(sandbox.host, None)("GET", "/.well-known/databricks-config")
    assert response.json() == {
        "oidc_endpoint": f"{sandbox.host}/oidc",
        "account_id": sandbox.account_id,
        "workspace_id": str(workspace.workspace_id),
        "cloud": "AWS",
    }
    discovery = clients(sandbox.host, None).ok("GET", "/oidc/.well-known/oauth-authorization-server")
    assert discovery["token_endpoint"] == f"{sandbox.host}/oidc/v1/token"


@pytest.mark.unknown_routes
def test_an_unknown_path_outside_the_api_names_the_known_ones(sandbox, clients):
    response = clients(sandbox.host, None)("GET", "/index.html")
    assert (response.status_code, response.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
    assert "/login.html" in response.json()["message"]


def test_a_header_selects_any_workspace_on_any_port(make_sandbox, clients):
    sandbox = make_sandbox(workspaces=3)
    first, _, third = sandbox.workspaces
    client = clients(first.host, third.token)
    headers = {"X-Databricks-Workspace-Id": str(third.workspace_id)}
    response = client("GET", TOKENS, headers=headers)
    assert response.headers["x-databricks-org-id"] == str(third.workspace_id)
    assert {info["workspace_id"] for info in response.json()["token_infos"]} == {third.workspace_id}
    assert client.error("GET", TOKENS) == (403, 403)
    config = client.ok("GET", "/.well-known/databricks-config", headers=headers)
    assert config["workspace_id"] == str(third.workspace_id)


@pytest.mark.parametrize("text", ["1", "x", "-1", "99999999999999999999999"])
def test_an_unknown_workspace_is_rejected(admin, text):
    headers = {"X-Databricks-Workspace-Id": text}
    assert admin.error("GET", TOKENS, headers=headers) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.unknown_routes
def test_every_response_has_the_id_of_its_workspace(admin, sandbox):
    for path in (TOKENS, "/api/2.0/nothing", "/.well-known/databricks-config"):
        assert admin("GET", path).headers["x-databricks-org-id"] == str(sandbox.workspaces[0].workspace_id)


@pytest.mark.unknown_routes
def test_requests_are_recorded_with_the_status_sent(admin, sandbox):
    admin("GET", f"{TOKENS}?created_by_id=5&created_by_username=", headers={"User-Agent": "me/1"})
    admin("GET", "/api/2.0/nothing")
    workspace_id = sandbox.workspaces[0].workspace_id
    query = {"created_by_id": "5", "created_by_username": ""}
    assert sandbox.requests[0] == RequestRecord(workspace_id, "GET", TOKENS, query, 200, "me/1")
    assert [(record.method, record.status) for record in sandbox.requests] == [("GET", 200), ("GET", 404)]
    sandbox.requests.clear()
    assert len(sandbox.requests) == 0


def test_the_record_of_requests_is_bounded():
    requests = Requests(limit=2)
    for status in (1, 2, 3):
        requests.append(RequestRecord(1, "GET", "/", {}, status, ""))
    assert [record.status for record in requests] == [2, 3]


def test_the_record_of_requests_is_bounded_in_bytes():
    requests = Requests(limit_bytes=1_000_000)
    texts = {"path": ("/" * 60_000, {}, ""), "query": ("/", {"q": "x" * 60_000}, ""), "agent": ("/", {}, "x" * 60_000)}
    for path, query, agent in texts.values():
        for status in range(100):
            requests.append(RequestRecord(1, "GET", path, query, status, agent))
        assert 10 < len(requests) < 17
        assert requests[-1].status == 99  # the newest are kept
        requests.clear()


def test_a_bug_of_the_sandbox_is_a_500_and_is_recorded(sandbox, admin, state):
    state.database.change("ALTER TABLE memberships RENAME TO hidden")
    assert admin.error("GET", f"{SCIM}/Me") == (500, "INTERNAL_ERROR")
    assert [type(error).__name__ for error in sandbox.errors] == ["OperationalError"]
    state.database.change("ALTER TABLE hidden RENAME TO memberships")
    admin.ok("GET", f"{SCIM}/Me")  # no transaction is left open
    sandbox.errors.clear()


def test_a_failed_request_changes_nothing(admin, state):
    group = {"displayName": "half", "members": [{"value": "5"}]}
    assert admin("POST", f"{SCIM}/Groups", group).status_code == 400
    assert state.directory.named("group", "half") is None


@pytest.mark.unknown_routes
def test_every_response_is_marked_as_a_sandbox_s(admin):
    for path in (TOKENS, "/api/2.0/nothing", "/.well-known/databricks-config"):
        assert admin("GET", path).headers["server"] == "tokenkit-sandbox"


@pytest.mark.parametrize("host", ["prod.cloud.databricks.com", "127.0.0.1.example.com:443", "10.0.0.1", "[", ""])
def test_a_request_to_another_host_name_is_rejected(admin, host):
    assert admin.error("GET", TOKENS, headers={"Host": host}) == (421, "MISDIRECTED_REQUEST")


def test_a_sandbox_is_not_a_proxy_to_a_real_workspace(sandbox):
    proxied = requests.get(
        "http://prod.cloud.databricks.com" + TOKENS,
        headers={"Authorization": f"Bearer {sandbox.token}"},
        proxies={"http": sandbox.host},
        timeout=30,
    )
    assert proxied.status_code == 421
    assert "tokenkit sandbox, not 'prod.cloud.databricks.com'" in proxied.json()["message"]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_the_names_of_this_machine_are_accepted(sandbox, admin, name):
    port = sandbox.host.rpartition(":")[2]
    assert admin("GET", TOKENS, headers={"Host": f"{name}:{port}"}).status_code == 200
