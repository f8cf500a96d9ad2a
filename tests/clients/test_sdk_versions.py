"""The oldest official SDK for Python that tokenkit allows, and the newest, each in an environment of its own."""

import json
import os
import re
from importlib.metadata import requires

import pytest

from tests.clients import python_tools
from tests.clients.coverage import called, documented
from tests.conftest import NOW
from tests.parts import needs
from tokenkit.sandbox import Sandbox

pytestmark = pytest.mark.timeout(1200)  # the first test of a version has to install it

OLDEST, NEWEST = "sdk-oldest", "sdk-newest"


@pytest.fixture(scope="module", params=[OLDEST, NEWEST])
def run(request, tmp_path_factory):
    """The sandbox, its tokens and identities before a version called it, and what the version found."""
    needs("duckdb", "the warehouse needs")
    with Sandbox(tokens=60, clock=NOW.timestamp) as sandbox:
        state = sandbox.workspaces[0].state
        before = {
            "tokens": {info["token_id"]: info for info in state.tokens.infos()},
            "users": {str(user.id) for user in state.directory.page("user")},
            "application_id": state.directory.page("service_principal")[0].name,
        }
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path_factory.mktemp("home")),
            "DATABRICKS_HOST": sandbox.host,
            "DATABRICKS_TOKEN": sandbox.token,
            "WAREHOUSE_ID": sandbox.warehouse.warehouse_id,
            "APPLICATION_ID": before["application_id"],
        }
        found = json.loads(python_tools.run(request.param, "call_with_sdk.py", environment=environment))
        yield sandbox, before, found
        assert list(sandbox.errors) == []
        assert called(sandbox) <= documented("sdk")


def groups(permissions):
    return [entry.get("group_name") for entry in permissions["access_control_list"]]


def test_the_oldest_is_the_one_that_tokenkit_allows():
    (lowest,) = {
        found[1] for line in requires("tokenkit-databricks") if (found := re.match(r"databricks-sdk>=([\d.]+)$", line))
    }
    ((requirement,),) = python_tools.REQUIREMENTS[OLDEST]
    assert requirement == f"databricks-sdk=={lowest}.0"


def test_it_reads_every_token(run):
    _, before, found = run
    tokens = {token["token_id"]: token for token in found["tokens"]}
    assert set(tokens) == set(before["tokens"])
    for token_id, token in tokens.items():
        # A version knows only the fields of its time, and omits empty ones.
        assert token.items() <= before["tokens"][token_id].items()
        assert {"token_id", "creation_time", "expiry_time", "owner_id"} <= set(token)


def test_it_creates_and_deletes_a_token_of_a_service_principal_and_one_of_its_own(run):
    _, before, found = run
    assert found["as_it"] == before["application_id"]
    assert found["minted"]["comment"] == "nightly"
    assert found["error"][0] == "NOT_FOUND"
    assert "Token does not exist" in found["error"][1]
    assert found["own_tokens"] == ["laptop"]


def test_it_reads_and_changes_who_can_use_tokens(run):
    _, _, found = run
    assert found["levels"] == 2
    assert {"admins", "users"} <= set(groups(found["updated"]))
    assert groups(found["set"]) == groups(found["permissions"]) == ["admins", "users"]


def test_it_manages_users(run):
    _, before, found = run
    assert found["me"] == "admin@example.com"
    assert set(found["users"]) == before["users"]
    assert found["user"] in ([False, "Newer", True], [None, "Newer", True])  # the oldest omits what is false


def test_it_runs_a_statement_in_the_warehouse(run):
    sandbox, _, found = run
    assert found["warehouses"] == [sandbox.warehouse.warehouse_id]
    assert (found["warehouse"], found["state"]) == ("RUNNING", "SUCCEEDED")
    counts = dict(found["rows"])
    assert int(counts["revokeDbToken"]) >= 1
    assert int(counts["tokenLogin"]) > 60
