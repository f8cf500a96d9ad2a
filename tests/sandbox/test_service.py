import pytest
import requests

from tokenkit.sandbox.service import RequestRecord, Requests

from .conftest import SCIM, TOKENS


def test_the_host_says_who_it_is_before_anybody_signs_in(sandbox, clients):
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


def test_outside_the_api_the_message_names_what_is_served(sandbox, clients):
    response = clients(sandbox.host, None)("GET", "/index.html")
    assert (response.status_code, response.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
    assert "/.well-known/databricks-config" in response.json()["message"]


def test_a_header_selects_any_workspace_on_any_port(make_sandbox, clients):
    sandbox = make_sandbox(workspaces=3)
    first, _, third = sandbox.workspaces
    client = clients(first.host, third.token)
    headers = {"X-Databricks-Workspace-Id": str(third.workspace_id)}
    response = client("GET", TOKENS, headers=headers)
    assert response.headers["x-databricks-org-id"] == str(third.workspace_id)
    assert {info["workspace_id"] for info in response.json()["token_infos"]} == {third.workspace_id}
    assert client.refused("GET", TOKENS) == (403, 403)
    config = client.ok("GET", "/.well-known/databricks-config", headers=headers)
    assert config["workspace_id"] == str(third.workspace_id)


@pytest.mark.parametrize("text", ["1", "x", "-1", "99999999999999999999999"])
def test_an_unknown_workspace_is_refused(admin, text):
    headers = {"X-Databricks-Workspace-Id": text}
    assert admin.refused("GET", TOKENS, headers=headers) == (400, "INVALID_PARAMETER_VALUE")


def test_every_answer_names_its_workspace(admin, sandbox):
    for path in (TOKENS, "/api/2.0/nothing", "/.well-known/databricks-config"):
        assert admin("GET", path).headers["x-databricks-org-id"] == str(sandbox.workspaces[0].workspace_id)


def test_requests_are_recorded_with_what_was_sent(admin, sandbox):
    admin("GET", f"{TOKENS}?created_by_id=5&created_by_username=", headers={"User-Agent": "me/1"})
    admin("GET", "/api/2.0/nothing")
    workspace_id = sandbox.workspaces[0].workspace_id
    query = {"created_by_id": "5", "created_by_username": ""}
    assert sandbox.requests[0] == RequestRecord(workspace_id, "GET", TOKENS, query, 200, "me/1")
    assert [(each.method, each.status) for each in sandbox.requests] == [("GET", 200), ("GET", 404)]
    sandbox.requests.clear()
    assert len(sandbox.requests) == 0


def test_the_record_of_requests_is_bounded():
    requests = Requests(limit=2)
    for status in (1, 2, 3):
        requests.append(RequestRecord(1, "GET", "/", {}, status, ""))
    assert [each.status for each in requests] == [2, 3]


def test_a_bug_of_the_sandbox_is_answered_and_recorded(sandbox, admin, state):
    state.database.change("ALTER TABLE memberships RENAME TO hidden")
    assert admin.refused("GET", f"{SCIM}/Me") == (500, "INTERNAL_ERROR")
    assert [type(error).__name__ for error in sandbox.errors] == ["OperationalError"]
    state.database.change("ALTER TABLE hidden RENAME TO memberships")
    admin.ok("GET", f"{SCIM}/Me")  # the failed request left no transaction open
    sandbox.errors.clear()


def test_nothing_of_a_refused_request_remains(admin, state):
    group = {"displayName": "half", "members": [{"value": "5"}]}
    assert admin("POST", f"{SCIM}/Groups", group).status_code == 400
    assert state.directory.named("group", "half") is None


def test_every_answer_says_that_it_is_a_sandbox_s(admin):
    for path in (TOKENS, "/api/2.0/nothing", "/.well-known/databricks-config"):
        assert admin("GET", path).headers["server"] == "tokenkit-sandbox"


@pytest.mark.parametrize("host", ["prod.cloud.databricks.com", "127.0.0.1.example.com:443", "10.0.0.1", "[", ""])
def test_what_was_meant_for_another_host_is_refused(admin, host):
    assert admin.refused("GET", TOKENS, headers={"Host": host}) == (421, "MISDIRECTED_REQUEST")


def test_a_sandbox_is_no_proxy_to_a_real_workspace(sandbox):
    proxied = requests.get(
        "http://prod.cloud.databricks.com" + TOKENS,
        headers={"Authorization": f"Bearer {sandbox.token}"},
        proxies={"http": sandbox.host},
        timeout=30,
    )
    assert proxied.status_code == 421
    assert "sandbox of tokenkit and not 'prod.cloud.databricks.com'" in proxied.json()["message"]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_this_machine_s_own_names_are_served(sandbox, admin, name):
    port = sandbox.host.rpartition(":")[2]
    assert admin("GET", TOKENS, headers={"Host": f"{name}:{port}"}).status_code == 200
