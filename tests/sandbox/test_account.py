import pytest
from databricks.sdk import AccountClient, WorkspaceClient
from databricks.sdk import errors as sdk_errors
from databricks.sdk.service.provisioning import WorkspaceStatus

from tests.sandbox.conftest import TOKENS, access_token
from tokenkit.sandbox import Fault
from tokenkit.sandbox.account import ACCOUNT


@pytest.fixture
def several(make_sandbox):
    return make_sandbox(workspaces=3, tokens=5)


@pytest.fixture
def account(several):
    return AccountClient(
        host=several.account_host,
        account_id=several.account_id,
        client_id=several.client_id,
        client_secret=several.client_secret,
    )


@pytest.fixture
def path(several):
    return f"/api/2.0/accounts/{several.account_id}/workspaces"


def test_the_official_account_client_lists_the_workspaces(account, several):
    found = list(account.workspaces.list())
    assert [each.workspace_id for each in found] == [each.workspace_id for each in several.workspaces]
    assert [each.deployment_name for each in found] == [f"sandbox-{n}".ljust(64, "-") for n in (1, 2, 3)]
    assert {each.workspace_status for each in found} == {WorkspaceStatus.RUNNING}
    assert account.config.auth_type == "oauth-m2m"
    assert account.workspaces.get(found[1].workspace_id) == found[1]
    with pytest.raises(sdk_errors.ResourceDoesNotExist):
        account.workspaces.get(1)


def test_the_account_s_sign_in_is_good_in_every_workspace(account, several):
    headers = account.config.authenticate()
    for workspace in several.workspaces:
        client = WorkspaceClient(host=workspace.host, token=headers["Authorization"].removeprefix("Bearer "))
        assert client.current_user.me().user_name == several.client_id


def test_the_listing_says_where_each_workspace_is(several, clients, path):
    client = clients(several.account_host, access_token(several, clients))
    found = client.ok("GET", path)
    assert [each["workspace_url"] for each in found] == [each.host for each in several.workspaces]


def test_the_account_wants_an_access_token_of_its_own(several, clients, path):
    assert clients(several.account_host, several.token).refused("GET", path) == (403, 403)
    assert clients(several.account_host, None).refused("GET", path) == (401, 401)


def test_a_wrong_secret_is_refused(several):
    account = AccountClient(
        host=several.account_host, account_id=several.account_id, client_id=several.client_id, client_secret="wrong"
    )
    with pytest.raises(ValueError, match="invalid_client"):
        list(account.workspaces.list())


def test_what_the_account_does_not_serve_is_said(several, clients, path):
    client = clients(several.account_host, access_token(several, clients))
    for method, asked in [("GET", TOKENS), ("GET", path.replace("workspaces", "networks")), ("DELETE", path)]:
        response = client(method, asked)
        assert response.status_code == 404
        assert "/workspaces" in response.json()["message"]
    other = path.replace(several.account_id, "00000000-0000-0000-0000-000000000000")
    assert client.refused("GET", other) == (404, "ENDPOINT_NOT_FOUND")


def test_faults_and_records_know_the_account(account, several):
    several.faults.add(Fault(workspace_id=ACCOUNT, path="*/workspaces", status=403, times=1))
    with pytest.raises(sdk_errors.PermissionDenied):
        list(account.workspaces.list())
    assert len(list(account.workspaces.list())) == 3
    assert [each.status for each in several.requests if each.path.endswith("/workspaces")] == [403, 200]
    assert several.requests[-1].workspace_id == ACCOUNT
