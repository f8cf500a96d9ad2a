"""The official SDK for Go takes the sandbox for a workspace and its account."""

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

pytestmark = pytest.mark.timeout(1800)  # the program may have to be built


@pytest.fixture(scope="module")
def program():
    found = go_tools.find("go_sdk")
    if found is None and shutil.which("go") is None:
        pytest.skip("the program is built from source, and there is no Go on this machine")
    return found or go_tools.build("go_sdk")


@pytest.fixture(scope="module")
def company():
    needs("duckdb", "the warehouse needs")
    with Sandbox(tokens=60, workspaces=2, clock=NOW.timestamp) as sandbox:
        yield sandbox
        assert list(sandbox.errors) == []
        assert sandbox.unknown_routes == []


@pytest.fixture(scope="module")
def before(company):
    """The tokens and identities before the program ran."""
    state = company.workspaces[0].state
    kinds = ("user", "group", "service_principal")
    identities = {f"{kind}s": {str(each.id) for each in state.directory.page(kind)} for kind in kinds}
    return {"tokens": {info["token_id"]: info for info in state.tokens.infos()}, **identities}


@pytest.fixture(scope="module")
def found(program, company, before, tmp_path_factory):  # noqa: ARG001 - before is read before it runs
    """What the program printed. It reads before it changes anything."""
    principal = next(iter(company.workspaces[0].state.directory.page("service_principal")))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path_factory.mktemp("home")),
        "HOST": company.host,
        "TOKEN": company.token,
        "WAREHOUSE_ID": company.warehouse.warehouse_id,
        "APPLICATION_ID": principal.name,
        "ACCOUNT_HOST": company.account_host,
        "ACCOUNT_ID": company.account_id,
        "CLIENT_ID": company.client_id,
        "CLIENT_SECRET": company.client_secret,
    }
    done = subprocess.run([program], check=False, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_reads_every_token_field_by_field(found, before):
    tokens = {token["token_id"]: token for token in found["tokens"]}
    assert set(tokens) == set(before["tokens"])
    for token_id, info in before["tokens"].items():
        # It omits what is empty, and lists every field that it knows.
        assert {name: tokens[token_id].get(name) for name in info if info[name] != []} == {
            name: value for name, value in info.items() if value != []
        }


def test_it_reads_every_identity(found, before):
    assert found["me"] == "admin@example.com"
    for name in ("users", "groups", "service_principals"):
        assert {each["id"] for each in found[name]} == before[name]


def test_it_creates_changes_and_deletes_tokens_of_others_and_its_own(found):
    assert found["tokens_of_others"] == ["nightly", "weekly", "weekly"]
    assert found["error"] == {"code": "NOT_FOUND", "status": 404, "not_found": True}
    assert found["own_tokens"] == ["laptop", "desk"]


def test_it_reads_and_changes_who_can_use_tokens(found):
    permissions = found["permissions"]
    assert [level["permission_level"] for level in permissions["levels"]] == ["CAN_USE", "CAN_MANAGE"]
    assert permissions["before"]["object_id"] == "/authorization/tokens"
    groups = [entry["group_name"] for entry in permissions["set"]["access_control_list"]]
    assert groups == ["admins", "users"]
    assert "users" in {entry.get("group_name") for entry in permissions["updated"]["access_control_list"]}
    assert permissions["after"] == permissions["set"]


def test_it_manages_users_groups_and_service_principals(found):
    identities = found["identities"]
    assert not identities.get("inactive")
    assert not identities["robot_active"]
    ((named),) = identities["named"]
    assert (named["displayName"], named["active"]) == ("New", True)
    assert [member["value"] for member in identities["remaining"]] == [identities["robot"]]


def test_it_reads_and_changes_settings(found):
    before, after = found["settings"]
    assert after == {**before, "maxTokenLifetimeDays": "90"}


def test_it_runs_a_statement_in_the_warehouse(found, company):
    assert [warehouse["id"] for warehouse in found["warehouses"]] == [company.warehouse.warehouse_id]
    ((logins,),) = found["statement"]
    recorded = [event for event in company.audit_events() if event["action_name"] == "tokenLogin"]
    assert 60 < int(logins) < len(recorded)  # it signed in again since


def test_it_reads_the_workspaces_of_an_account(found, company):
    assert [each["workspace_id"] for each in found["workspaces"]] == [each.workspace_id for each in company.workspaces]
    assert found["workspace"] == found["workspaces"][-1]


@pytest.mark.usefixtures("found")
def test_the_table_of_endpoints_says_which_ones_it_was_run_against(company):
    assert called(company) == documented("sdk-go")
