"""The official CLI (in Go) takes the sandbox for a workspace, and for an account."""

import json
import os
import shutil
import subprocess

import pytest

from tests.clients import go_tools
from tests.clients.coverage import called, documented
from tests.conftest import NOW
from tests.parts import needs
from tokenkit.sandbox import Sandbox
from tokenkit.sandbox.profiles import profiles_of, write_profiles

pytestmark = pytest.mark.timeout(1800)  # the first test may have to build it

ADMINS = {"group_name": "admins", "permission_level": "CAN_MANAGE"}
ANALYSTS = {"group_name": "analysts", "permission_level": "CAN_USE"}
DEACTIVATE = {
    "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    "Operations": [{"op": "replace", "path": "active", "value": False}],
}
RESTRICTED = {
    "allow_missing": True,
    "field_mask": "restrict_workspace_admins.status",
    "setting": {
        "setting_name": "default",
        "restrict_workspace_admins": {"status": "RESTRICT_TOKENS_AND_JOB_RUN_AS"},
    },
}


@pytest.fixture(scope="module")
def program():
    found = go_tools.find("databricks")
    if found is None and shutil.which("go") is None:
        pytest.skip("the official CLI is built from source, and there is no Go on this machine")
    return found or go_tools.build("databricks")


@pytest.fixture(scope="module")
def company():
    with Sandbox(tokens=60, workspaces=2, clock=NOW.timestamp) as sandbox:
        yield sandbox
        assert list(sandbox.errors) == []


@pytest.fixture
def run(program, tmp_path):
    """Run the CLI with a configuration in the environment, and return what it printed."""

    def run(*arguments, fails=False, **configuration):
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "DATABRICKS_CLI_DISABLE_UPDATE_CHECK": "1"}
        environment |= {f"DATABRICKS_{name.upper()}": value for name, value in configuration.items()}
        command = [program, *arguments, "--output", "json"]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120
        )
        assert (done.returncode != 0) == fails, done.stderr
        return done.stderr if fails else json.loads(done.stdout or "null")

    return run


@pytest.fixture
def databricks(run, company, held):
    """Run the CLI as the admin of a workspace."""
    held(company).unknown_routes.clear()
    return lambda *arguments, **options: run(*arguments, host=company.host, token=company.token, **options)


@pytest.fixture
def account(run, company, held):
    """Run the CLI as an admin of the account."""
    held(company).unknown_routes.clear()
    signed_in = {name: getattr(company, name) for name in ("account_id", "client_id", "client_secret")}
    return lambda *arguments, **options: run(*arguments, host=company.account_host, **signed_in, **options)


@pytest.fixture
def principal(databricks):
    created = databricks("service-principals", "create", "--display-name", "robot")
    yield created
    databricks("service-principals", "delete", created["id"])


def body(document):
    return "--json", json.dumps(document)


def test_it_says_who_is_signed_in_and_how(databricks):
    described = databricks("auth", "describe")
    assert (described["status"], described["username"]) == ("success", "admin@example.com")
    assert databricks("current-user", "me")["userName"] == "admin@example.com"


def test_a_wrong_token_is_an_error_that_it_can_parse(run, company):
    assert "Invalid access token" in run("token-management", "list", host=company.host, token="dapi0", fails=True)


def test_it_lists_shows_and_revokes_the_tokens_of_everyone(databricks, company):
    tokens = databricks("token-management", "list")
    assert {token["token_id"] for token in tokens} == company.workspaces[0].state.tokens.ids()
    mine = databricks("token-management", "list", "--created-by-username", "admin@example.com")
    assert {token["created_by_username"] for token in mine} == {"admin@example.com"}
    victim = next(token for token in tokens if token not in mine)
    assert databricks("token-management", "get", victim["token_id"])["token_info"] == victim
    databricks("token-management", "delete", victim["token_id"])
    assert "Token does not exist" in databricks("token-management", "get", victim["token_id"], fails=True)


def test_it_creates_a_token_on_behalf_of_a_service_principal(databricks, principal, run, company):
    minted = databricks("token-management", "create-obo-token", principal["applicationId"], "--lifetime-seconds", "600")
    me = run("current-user", "me", host=company.host, token=minted["token_value"])
    assert me["userName"] == principal["applicationId"]
    token = {"token": {"comment": "nightly"}, "update_mask": "comment"}
    path = f"/api/2.0/token-management/tokens/{minted['token_info']['token_id']}"
    assert databricks("api", "patch", path, *body(token))["comment"] == "nightly"


def test_it_creates_lists_changes_and_deletes_own_tokens(databricks):
    minted = databricks("tokens", "create", "--comment", "laptop", "--lifetime-seconds", "600")
    token_id = minted["token_info"]["token_id"]
    assert token_id in {token["token_id"] for token in databricks("tokens", "list")}
    databricks("tokens", "update", token_id, *body({"token": {"comment": "desk"}, "update_mask": "comment"}))
    assert "desk" in {token.get("comment") for token in databricks("tokens", "list")}
    databricks("tokens", "delete", token_id)
    assert token_id not in {token["token_id"] for token in databricks("tokens", "list")}


def test_it_reads_and_changes_who_can_use_tokens(databricks):
    levels = databricks("permissions", "get-permission-levels", "authorization", "tokens")["permission_levels"]
    assert [level["permission_level"] for level in levels] == ["CAN_USE", "CAN_MANAGE"]
    assert databricks("token-management", "get-permission-levels")["permission_levels"] == levels
    before = databricks("permissions", "get", "authorization", "tokens")
    assert databricks("token-management", "get-permissions") == before
    users = {"group_name": "users", "permission_level": "CAN_USE"}
    for command in (["permissions", "update", "authorization", "tokens"], ["token-management", "update-permissions"]):
        after = databricks(*command, *body({"access_control_list": [users]}))
        assert "users" in {entry.get("group_name") for entry in after["access_control_list"]}
    for command in (["permissions", "set", "authorization", "tokens"], ["token-management", "set-permissions"]):
        after = databricks(*command, *body({"access_control_list": [ADMINS, users]}))
        assert [entry["group_name"] for entry in after["access_control_list"]] == ["admins", "users"]


def test_it_reads_and_changes_who_can_use_passwords(databricks):
    passwords = "authorization", "passwords"
    assert databricks("permissions", "get", *passwords)["object_type"] == "passwords"
    levels = databricks("permissions", "get-permission-levels", *passwords)["permission_levels"]
    assert [level["permission_level"] for level in levels] == ["CAN_USE"]
    for verb, expected in (("update", ["users", "analysts"]), ("set", ["analysts"])):
        after = databricks("permissions", verb, *passwords, *body({"access_control_list": [ANALYSTS]}))
        assert [entry["group_name"] for entry in after["access_control_list"]] == expected


def test_it_manages_users(databricks):
    created = databricks("users", "create", "--user-name", "new@example.com", "--display-name", "New")
    user_id = created["id"]
    databricks("users", "patch", user_id, *body(DEACTIVATE))
    assert not databricks("users", "get", user_id)["active"]
    databricks("users", "update", user_id, "--user-name", "new@example.com", "--display-name", "Newer", "--active")
    found = databricks("users", "list", "--filter", 'userName eq "new@example.com"')
    assert [(user["id"], user["active"]) for user in found] == [(user_id, True)]
    assert databricks("users", "get", user_id)["displayName"] == "Newer"
    databricks("users", "delete", user_id)
    assert "not found" in databricks("users", "get", user_id, fails=True)


def test_it_manages_groups(databricks, principal):
    group = databricks("groups", "create", *body({"displayName": "crew", "members": [{"value": principal["id"]}]}))
    assert [member["value"] for member in databricks("groups", "get", group["id"])["members"]] == [principal["id"]]
    remove = {"schemas": DEACTIVATE["schemas"], "Operations": [{"op": "remove", "path": "members"}]}
    databricks("groups", "patch", group["id"], *body(remove))
    databricks("groups", "update", group["id"], "--display-name", "team")
    assert "team" in {found["displayName"] for found in databricks("groups", "list")}
    databricks("groups", "delete", group["id"])


def test_it_manages_service_principals_and_their_oauth_secrets(databricks, principal, run, company):
    assert principal["id"] in {found["id"] for found in databricks("service-principals", "list")}
    secret = databricks("service-principal-secrets-proxy", "create", principal["id"], "--lifetime", "86400s")
    listed = databricks("service-principal-secrets-proxy", "list", principal["id"])
    assert [found["id"] for found in listed] == [secret["id"]]
    assert "secret" not in listed[0]
    signed_in = {"client_id": principal["applicationId"], "client_secret": secret["secret"]}
    assert run("current-user", "me", host=company.host, **signed_in)["userName"] == principal["applicationId"]
    databricks("service-principal-secrets-proxy", "delete", principal["id"], secret["id"])
    assert "cannot configure default credentials" in run(
        "current-user", "me", host=company.host, fails=True, **signed_in
    )


def test_it_manages_secrets(databricks):
    databricks("secrets", "create-scope", "vault")
    assert "vault" in {scope["name"] for scope in databricks("secrets", "list-scopes")}
    databricks("secrets", "put-secret", "vault", "key", "--string-value", "value")
    assert [secret["key"] for secret in databricks("secrets", "list-secrets", "vault")] == ["key"]
    assert databricks("secrets", "get-secret", "vault", "key") == {"key": "key", "value": "dmFsdWU="}
    databricks("secrets", "put-acl", "vault", "users", "READ")
    assert databricks("secrets", "get-acl", "vault", "users") == {"permission": "READ", "principal": "users"}
    assert {acl["principal"] for acl in databricks("secrets", "list-acls", "vault")} == {"users", "admin@example.com"}
    databricks("secrets", "delete-acl", "vault", "users")
    databricks("secrets", "delete-secret", "vault", "key")
    databricks("secrets", "delete-scope", "vault")
    assert "does not exist" in databricks("secrets", "list-secrets", "vault", fails=True)


def test_it_reads_and_changes_settings(databricks, principal):
    databricks("workspace-conf", "set-status", *body({"maxTokenLifetimeDays": "90"}))
    assert databricks("workspace-conf", "get-status", "maxTokenLifetimeDays") == {"maxTokenLifetimeDays": "90"}
    databricks("settings", "restrict-workspace-admins", "update", *body(RESTRICTED))
    assert databricks("settings", "restrict-workspace-admins", "get")["restrict_workspace_admins"] == {
        "status": "RESTRICT_TOKENS_AND_JOB_RUN_AS"
    }
    refused = databricks("token-management", "create-obo-token", principal["applicationId"], fails=True)
    assert "does not have the role Service Principal User" in refused
    databricks("settings", "restrict-workspace-admins", "delete")
    databricks("token-management", "create-obo-token", principal["applicationId"])


def test_it_finds_what_is_beside_tokens(databricks):
    assert databricks("clusters", "spark-versions")["versions"]
    assert databricks("ip-access-lists", "list") == []
    assert databricks("cluster-policies", "list") == []
    assert databricks("api", "get", "/api/2.0/token-scopes")["scopes"]


def test_it_lists_the_profiles_that_the_sandbox_writes_and_uses_each(run, company, tmp_path):
    write_profiles(tmp_path / "sandbox.cfg", profiles_of(company))
    configured = {"config_file": str(tmp_path / "sandbox.cfg")}
    listed = run("auth", "profiles", **configured)["profiles"]
    assert {found["name"] for found in listed} > {"admin", "user", "service-principal", "account"}
    assert all(found["valid"] for found in listed)
    for profile, name in (("admin", "admin@example.com"), ("service-principal", company.client_id)):
        assert run("current-user", "me", "--profile", profile, **configured)["userName"] == name
    user = run("current-user", "me", "--profile", "user", **configured)["userName"]
    refused = run("token-management", "list", "--profile", "user", fails=True, **configured)
    assert f"Requesting user '{user}' is not an admin." in refused


def test_it_lists_identities_by_filter_order_and_attributes(databricks):
    every = [user["userName"] for user in databricks("users", "list")]
    some = databricks("users", "list", "--filter", 'userName co "x"', "--attributes", "userName", "--count", "3")
    assert [user["userName"] for user in some] == [name for name in every if "x" in name]
    assert all(user.keys() == {"id", "userName", "schemas"} for user in some)
    sorting = "--sort-by", "emails", "--sort-order", "descending", "--count", "5"
    assert [user["userName"] for user in databricks("users-v2", "list", *sorting)] == sorted(every, reverse=True)
    assert "invalidFilter" in databricks("users", "list", "--filter", "userName pr", fails=True)
    admins = databricks("groups", "list", "--filter", 'displayName eq "admins"', "--attributes", "members")
    assert len(admins[0]["members"]) > 0
    assert databricks("service-principals", "list", "--filter", 'applicationId eq "x"') == []


def test_what_it_asks_wrongly_is_an_error_that_it_prints(databricks):
    for command, message in (
        (["token-management", "get", "x"], "Token does not exist"),
        (["token-management", "delete", "x"], "Token does not exist"),
        (["token-management", "create-obo-token", "x"], "Service principal with application_id x does not exist"),
        (["tokens", "delete", "x"], "Token does not exist"),
        (["tokens", "create", "--lifetime-seconds", "-5"], "must be a positive number"),
        (["workspace-conf", "get-status", "a,b"], 'Invalid keys: ["a","b"]'),
        (["workspace-conf", "set-status", *body({"maxTokenLifetimeDays": ""})], "Some values are not allowed"),
        (["secrets", "create-scope", "a/b"], "alphanumeric characters"),
        (["secrets", "put-acl", "tokenkit", "nobody@example.com", "READ"], "is not a user"),
        (["service-principal-secrets-proxy", "list", "1"], "Service principal 1 does not exist"),
        (["warehouses", "get", "x"], "SQL warehouse x does not exist"),
    ):
        assert message in databricks(*command, fails=True)


def test_it_writes_a_secret_of_bytes(databricks):
    databricks("secrets", "put-secret", "tokenkit", "bytes", "--bytes-value", "value")
    assert databricks("secrets", "get-secret", "tokenkit", "bytes")["value"] == "dmFsdWU="
    databricks("secrets", "delete-secret", "tokenkit", "bytes")


def test_it_runs_a_statement_in_the_warehouse(databricks, company):
    needs("duckdb", "the warehouse needs")
    (warehouse,) = databricks("warehouses", "list")
    assert warehouse["id"] == company.warehouse.warehouse_id
    assert databricks("warehouses", "stop", warehouse["id"])["state"] == "STOPPED"
    assert databricks("warehouses", "start", warehouse["id"])["state"] == "RUNNING"
    statement = {"warehouse_id": warehouse["id"], "statement": "SELECT count(*) FROM system.access.audit"}
    done = databricks("api", "post", "/api/2.0/sql/statements", *body(statement))
    again = databricks("api", "get", f"/api/2.0/sql/statements/{done['statement_id']}")
    assert again["result"]["data_array"] == done["result"]["data_array"]
    assert int(done["result"]["data_array"][0][0]) > 60


def test_it_validates_a_bundle(databricks, tmp_path):
    targets = {"dev": {"default": True, "mode": "development"}}
    (tmp_path / "databricks.yml").write_text(json.dumps({"bundle": {"name": "tokens"}, "targets": targets}))
    validated = databricks("bundle", "validate")
    assert validated["workspace"]["current_user"]["userName"] == "admin@example.com"


@pytest.mark.unknown_routes  # it first asks the account for the user of a workspace
def test_it_lists_the_workspaces_of_an_account(account, company):
    assert account("auth", "describe")["status"] == "success"
    workspaces = account("account", "workspaces", "list")
    assert [found["workspace_id"] for found in workspaces] == [found.workspace_id for found in company.workspaces]
    assert account("account", "workspaces", "get", str(workspaces[1]["workspace_id"])) == workspaces[1]


def test_it_manages_the_identities_of_an_account(account, databricks):
    for resource, name in (
        ("users", "--user-name"),
        ("groups", "--display-name"),
        ("service-principals", "--display-name"),
    ):
        created = account("account", resource, "create", name, "everywhere@example.com")
        assert created["id"] in {found["id"] for found in account("account", resource, "list")}
        account(
            "account",
            resource,
            "patch",
            created["id"],
            *body({**DEACTIVATE, "Operations": [{"op": "replace", "path": "displayName", "value": "Elsewhere"}]}),
        )
        assert account("account", resource, "get", created["id"])["displayName"] == "Elsewhere"
        account("account", resource, "delete", created["id"])
    leaving = next(user for user in databricks("users", "list") if user["userName"] != "admin@example.com")
    known = account("account", "users", "list", "--filter", f'userName eq "{leaving["userName"]}"')
    account("account", "users", "delete", known[0]["id"])
    assert leaving["userName"] not in {user["userName"] for user in databricks("users", "list")}


def test_it_assigns_an_identity_to_a_workspace(account, databricks, company):
    user = account("account", "users", "create", "--user-name", "mover@example.com")
    workspace = str(company.workspaces[0].workspace_id)
    assignments = "account", "workspace-assignment"
    account(*assignments, "update", workspace, user["id"], *body({"permissions": ["ADMIN"]}))
    listed = {
        found["principal"]["user_name"]: found["permissions"]
        for found in account(*assignments, "list", workspace)
        if "user_name" in found["principal"]
    }
    assert listed["mover@example.com"] == ["ADMIN"]
    assert account(*assignments, "get", workspace)["permissions"]
    account(*assignments, "delete", workspace, user["id"])
    assert "mover@example.com" not in {found["userName"] for found in databricks("users", "list")}


def test_it_manages_oauth_secrets_and_roles_of_an_account(account, company):
    principal = account("account", "service-principals", "create", "--display-name", "robot")
    secret = account("account", "service-principal-secrets", "create", principal["id"])
    assert [found["id"] for found in account("account", "service-principal-secrets", "list", principal["id"])] == [
        secret["id"]
    ]
    account("account", "service-principal-secrets", "delete", principal["id"], secret["id"])
    resource = f"accounts/{company.account_id}/servicePrincipals/{principal['applicationId']}"
    control = "account", "access-control"
    roles = account(*control, "get-assignable-roles-for-resource", resource)["roles"]
    name = f"{resource}/ruleSets/default"
    rules = account(*control, "get-rule-set", name, "")
    rules["grant_rules"] = [{"role": role["name"], "principals": ["users/admin@example.com"]} for role in roles]
    after = account(*control, "update-rule-set", *body({"name": name, "rule_set": rules}))
    assert after["grant_rules"] == rules["grant_rules"]
    assert after["etag"] != rules["etag"]


@pytest.mark.usefixtures("program")
def test_the_table_of_endpoints_says_which_ones_it_was_run_against(company):
    """Runs last, after every test of this module."""
    assert called(company) == documented("cli")
