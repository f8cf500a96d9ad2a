import pytest
from databricks.sdk import AccountClient, WorkspaceClient
from databricks.sdk import errors as sdk_errors
from databricks.sdk.service.provisioning import WorkspaceStatus

from tests.sandbox.conftest import TOKENS, access_token
from tokenkit.sandbox import Fault
from tokenkit.sandbox.state.account import ACCOUNT


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
    assert [workspace.workspace_id for workspace in found] == [
        workspace.workspace_id for workspace in several.workspaces
    ]
    assert [workspace.deployment_name for workspace in found] == [f"sandbox-{n}".ljust(64, "-") for n in (1, 2, 3)]
    assert {workspace.workspace_status for workspace in found} == {WorkspaceStatus.RUNNING}
    assert account.config.auth_type == "oauth-m2m"
    assert account.workspaces.get(found[1].workspace_id) == found[1]
    with pytest.raises(sdk_errors.ResourceDoesNotExist):
        account.workspaces.get(1)


def test_a_token_of_the_account_is_valid_in_every_workspace(account, several):
    headers = account.config.authenticate()
    for workspace in several.workspaces:
        client = WorkspaceClient(host=workspace.host, token=headers["Authorization"].removeprefix("Bearer "))
        assert client.current_user.me().user_name == several.client_id


def test_the_listing_has_the_address_of_each_workspace(several, clients, path):
    client = clients(several.account_host, access_token(several, clients))
    found = client.ok("GET", path)
    assert [workspace["workspace_url"] for workspace in found] == [workspace.host for workspace in several.workspaces]


def test_the_account_requires_an_oauth_token(several, clients, path):
    assert clients(several.account_host, several.token).error("GET", path) == (403, 403)
    assert clients(several.account_host, None).error("GET", path) == (401, 401)


def test_a_wrong_secret_is_rejected(several):
    account = AccountClient(
        host=several.account_host, account_id=several.account_id, client_id=several.client_id, client_secret="wrong"
    )
    with pytest.raises(ValueError, match="invalid_client"):
        list(account.workspaces.list())


@pytest.mark.unknown_routes
def test_an_unknown_endpoint_of_the_account_names_the_known_ones(several, clients, path):
    client = clients(several.account_host, access_token(several, clients))
    for method, url_path in [("GET", TOKENS), ("GET", path.replace("workspaces", "networks")), ("DELETE", path)]:
        response = client(method, url_path)
        assert response.status_code == 404
        message = response.json()["message"]
        assert f"account {several.account_id}" in message or "with GET" in message
    other = path.replace(several.account_id, "00000000-0000-0000-0000-000000000000")
    assert client.error("GET", other) == (404, "ENDPOINT_NOT_FOUND")


def test_faults_and_records_include_the_account(account, several):
    several.faults.add(Fault(workspace_id=ACCOUNT, path="*/workspaces", status=403, times=1))
    with pytest.raises(sdk_errors.PermissionDenied):
        list(account.workspaces.list())
    assert len(list(account.workspaces.list())) == 3
    assert [request.status for request in several.requests if request.path.endswith("/workspaces")] == [403, 200]
    assert several.requests[-1].workspace_id == ACCOUNT


@pytest.fixture
def of_account(several, clients):
    client = clients(several.account_host, access_token(several, clients))
    root = f"/api/2.0/accounts/{several.account_id}"
    return lambda method, path, json=None, **options: client.ok(method, root + path, json, **options)


def test_the_account_has_the_identities_of_all_workspaces_once(of_account, several):
    users = {user["userName"] for user in of_account("GET", "/scim/v2/Users")["Resources"]}
    states = [workspace.state for workspace in several.workspaces]
    assert users == {user.name for state in states for user in state.directory.page("user")}
    groups = {group["displayName"]: group for group in of_account("GET", "/scim/v2/Groups")["Resources"]}
    assert not {"admins", "users"} & set(groups)
    names = {"members": set(), "account": {member["display"] for member in groups["analysts"]["members"]}}
    for state in states:
        members = state.directory.members([state.directory.group_id("analysts")])
        names["members"] |= {name for *_, name in members}
    assert names["account"] == names["members"]


def test_who_leaves_the_account_leaves_every_workspace(of_account, several):
    (admin,) = of_account("GET", "/scim/v2/Users", params={"filter": 'userName eq "admin@example.com"'})["Resources"]
    body = {"Operations": [{"op": "replace", "path": "active", "value": False}]}
    of_account("PATCH", f"/scim/v2/Users/{admin['id']}", body)
    states = [workspace.state for workspace in several.workspaces]
    assert [state.directory.named("user", "admin@example.com").active for state in states] == [False] * 3
    of_account("DELETE", f"/scim/v2/Users/{admin['id']}")
    assert [state.directory.named("user", "admin@example.com") for state in states] == [None] * 3
    found = of_account("GET", "/scim/v2/Users", params={"filter": 'userName eq "admin@example.com"'})
    assert found["totalResults"] == 0


def test_an_oauth_secret_signs_in_everywhere_until_it_expires_or_is_deleted(of_account, several, clients, clock):
    principal = of_account("POST", "/scim/v2/ServicePrincipals", {"displayName": "robot"})
    secrets = f"/servicePrincipals/{principal['id']}/credentials/secrets"
    secret = of_account("POST", secrets, {"lifetime": "600s"})
    assert (secret["create_time"], secret["expire_time"]) == ("2026-03-01T12:00:00Z", "2026-03-01T12:10:00Z")
    grants = [f"{several.host}/oidc/v1/token", f"{several.account_host}/oidc/accounts/{several.account_id}/v1/token"]

    def statuses(value=secret["secret"]):
        form = {"grant_type": "client_credentials"}
        pair = (principal["applicationId"], value)
        return [clients(grant, None)("POST", "", data=form, auth=pair).status_code for grant in grants]

    assert statuses() == [200, 200]
    assert statuses("wrong") == [401, 401]
    assert "secret" not in of_account("GET", secrets)["secrets"][0]
    clock.now += 600
    assert statuses() == [401, 401]
    longer = of_account("POST", secrets)
    assert statuses(longer["secret"]) == [200, 200]
    of_account("DELETE", f"{secrets}/{longer['id']}")
    assert statuses(longer["secret"]) == [401, 401]


def test_a_service_principal_has_up_to_five_oauth_secrets(several, clients):
    admin = clients(several.host, several.token)
    principal = several.workspaces[0].state.directory.page("service_principal")[0]
    path = f"/api/2.0/accounts/servicePrincipals/{principal.id}/credentials/secrets"
    for _ in range(5):
        admin.ok("POST", path)
    assert admin.error("POST", path) == (400, "RESOURCE_EXHAUSTED")
    for lifetime in ("0s", "1", "63072001s", 5, "-1s", "1e3s"):
        assert admin.error("POST", path, {"lifetime": lifetime})[0] == 400
    assert admin.error("DELETE", f"{path}/none")[0] == 404
    assert admin.error("GET", path.replace(str(principal.id), "1"))[0] == 404


def test_only_an_account_admin_can_read_the_account(of_account, several, clients):
    principal = of_account("POST", "/scim/v2/ServicePrincipals", {"displayName": "robot"})
    secret = of_account("POST", f"/servicePrincipals/{principal['id']}/credentials/secrets")
    form = {"grant_type": "client_credentials"}
    grant = clients(several.host, None)(
        "POST", "/oidc/v1/token", data=form, auth=(principal["applicationId"], secret["secret"])
    )
    client = clients(several.account_host, grant.json()["access_token"])
    path = f"/api/2.0/accounts/{several.account_id}/scim/v2/Users"
    assert client.error("GET", path) == (403, "PERMISSION_DENIED")
    role = {"Operations": [{"op": "add", "path": "roles", "value": [{"value": "account_admin"}]}]}
    of_account("PATCH", f"/scim/v2/ServicePrincipals/{principal['id']}", role)
    client.ok("GET", path)


def test_an_assignment_makes_a_user_or_an_admin_of_a_workspace(of_account, several):
    state = several.workspaces[1].state
    user = of_account("POST", "/scim/v2/Users", {"userName": "mover@example.com"})
    path = f"/workspaces/{state.workspace_id}/permissionassignments"
    for level, is_admin in (("ADMIN", True), ("USER", False)):
        of_account("PUT", f"{path}/principals/{user['id']}", {"permissions": [level]})
        assert state.is_admin(state.directory.named("user", "mover@example.com").id) == is_admin
        listed = {
            found["principal"].get("user_name"): found for found in of_account("GET", path)["permission_assignments"]
        }
        assert listed["mover@example.com"]["permissions"] == [level]
        assert listed["mover@example.com"]["principal"]["principal_id"] == int(user["id"])
    of_account("PUT", f"{path}/principals/{user['id']}", {"permissions": []})
    assert state.directory.named("user", "mover@example.com") is None
