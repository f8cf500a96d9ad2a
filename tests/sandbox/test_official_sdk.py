"""The official SDK works with the sandbox."""

import time

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import (
    BadRequest,
    InvalidParameterValue,
    NotFound,
    PermissionDenied,
    ResourceConflict,
)
from databricks.sdk.service import iam, settings

from tokenkit.sandbox import Fault


@pytest.fixture
def w(sandbox, monkeypatch):
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CONFIG_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return WorkspaceClient(host=sandbox.host, token=sandbox.token)


@pytest.mark.skipif(
    not hasattr(settings.TokenManagementAPI, "update_token_management"),
    reason="this databricks-sdk has no update of tokens",
)
def test_the_references_usage_example_runs(w, sandbox):
    groups = {group.display_name: group.id for group in w.groups.list()}
    spn = w.service_principals.create(
        display_name=f"sdk-{time.time_ns()}", groups=[iam.ComplexValue(value=groups["admins"])]
    )
    obo = w.token_management.create_obo_token(application_id=spn.application_id, lifetime_seconds=60)
    by_id = w.token_management.get(token_id=obo.token_info.token_id)
    assert by_id.token_info.owner_id == int(spn.id)
    assert obo.token_info.token_id in {token.token_id for token in w.token_management.list()}
    minted = WorkspaceClient(host=sandbox.host, token=obo.token_value)
    assert minted.current_user.me().user_name == spn.application_id
    updated = w.token_management.update_token_management(
        obo.token_info.token_id,
        settings.TokenInfo(comment="later", scopes=["sql"]),
        settings.FieldMask(["comment", "scopes"]),
    )
    assert (updated.comment, updated.scopes) == ("later", ["sql"])
    w.service_principals.delete(id=spn.id)
    w.token_management.delete(token_id=obo.token_info.token_id)
    with pytest.raises(NotFound):
        w.token_management.get(token_id=obo.token_info.token_id)


def test_permissions_make_a_round_trip(w):
    levels = w.token_management.get_permission_levels().permission_levels
    assert [level.permission_level for level in levels] == [settings.TokenPermissionLevel.CAN_USE, None]
    request = settings.TokenAccessControlRequest(
        group_name="analysts", permission_level=settings.TokenPermissionLevel.CAN_USE
    )
    after = w.token_management.update_permissions(access_control_list=[request])
    assert "analysts" in {entry.group_name for entry in after.access_control_list}
    after = w.token_management.set_permissions(access_control_list=[request])
    assert {entry.group_name for entry in after.access_control_list} == {"admins", "analysts"}
    assert w.token_management.get_permissions() == after


def test_the_sdks_round_trip_of_permissions_is_rejected_because_it_loses_can_manage(w):
    entries = w.token_management.get_permissions().access_control_list
    requests = [
        settings.TokenAccessControlRequest(group_name=entry.group_name) for entry in entries if entry.group_name
    ]
    with pytest.raises(InvalidParameterValue, match="Cannot change permissions for group 'admins' to None"):
        w.token_management.set_permissions(access_control_list=requests)


def test_the_sdk_reads_every_page(w, state):
    with state.database.transaction():
        for number in range(1500):
            state.directory.add("user", f"extra{number}@example.com")
    users = list(w.users.list(attributes="userName"))
    assert len(users) == len({user.id for user in users}) == state.directory.count("user") > 1500
    assert [user.user_name for user in w.users.list(filter='userName eq "extra7@example.com"')] == [
        "extra7@example.com"
    ]


def test_users_and_groups_can_be_edited(w):
    user = w.users.create(user_name="ann@example.com", display_name="Ann")
    group = w.groups.create(display_name="team", members=[iam.ComplexValue(value=user.id)])
    w.groups.patch(
        group.id,
        operations=[iam.Patch(op=iam.PatchOp.REMOVE, path=f'members[value eq "{user.id}"]')],
        schemas=[iam.PatchSchema.URN_IETF_PARAMS_SCIM_API_MESSAGES_2_0_PATCH_OP],
    )
    assert w.groups.get(group.id).members == []
    w.users.update(user.id, active=False, user_name="ann@example.com")
    assert w.users.get(user.id).active is False
    with pytest.raises(ResourceConflict):
        w.users.create(user_name="ann@example.com")
    w.users.delete(user.id)
    w.groups.delete(group.id)
    with pytest.raises(NotFound):
        w.users.get(user.id)


def test_own_tokens_and_settings(w):
    created = w.tokens.create(comment="mine", lifetime_seconds=3600)
    assert created.token_info.token_id in {token.token_id for token in w.tokens.list()}
    w.tokens.delete(created.token_info.token_id)
    w.workspace_conf.set_status({"maxTokenLifetimeDays": "30"})
    assert w.workspace_conf.get_status("maxTokenLifetimeDays") == {"maxTokenLifetimeDays": "30"}
    with pytest.raises(InvalidParameterValue):
        w.tokens.create(lifetime_seconds=31 * 86_400)


def test_oauth_signs_in_as_the_service_principal(sandbox):
    w = WorkspaceClient(host=sandbox.host, client_id=sandbox.client_id, client_secret=sandbox.client_secret)
    assert w.config.auth_type == "oauth-m2m"
    assert w.current_user.me().user_name == sandbox.client_id
    assert len(list(w.token_management.list())) == 60
    assert w.get_workspace_id() == sandbox.workspaces[0].workspace_id


def test_errors_are_the_sdks_types(w, sandbox, person):
    with pytest.raises(PermissionDenied, match="Invalid access token"):
        WorkspaceClient(host=sandbox.host, token="dapi00").current_user.me()
    with pytest.raises(PermissionDenied):
        list(WorkspaceClient(host=sandbox.host, token=person.token).token_management.list())
    with pytest.raises(InvalidParameterValue):
        w.token_management.create_obo_token("unknown")
    with pytest.raises(BadRequest):
        w.users.create(user_name="")
    sandbox.faults.add(Fault(path="/api/*", status=403, body="<html>Sign in</html>", times=1))
    with pytest.raises(PermissionDenied):
        w.current_user.me()


def test_the_sdk_retries_after_a_429(w, sandbox):
    fault = Fault(path="/api/*", status=429, headers={"Retry-After": "0"}, times=1)
    sandbox.faults.add(fault)
    assert w.current_user.me().user_name == "admin@example.com"
    assert [request.status for request in sandbox.requests][-2:] == [429, 200]
