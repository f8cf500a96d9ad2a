"""Fixtures of databricks-labs-pytester that make and remove what concerns tokens. Run by its own pytest."""

import pytest
from databricks.sdk.service.iam import PermissionLevel
from databricks.sdk.service.workspace import AclPermission


def test_a_group_has_its_members(make_group, make_user, ws):
    user = make_user()
    group = make_group(members=[user.id])
    loaded = ws.groups.get(group.id)
    assert group.display_name == loaded.display_name
    assert group.members == loaded.members


@pytest.mark.parametrize("object_id", ["tokens", "passwords"])
def test_a_group_gets_a_permission(make_authorization_permissions, make_group, ws, object_id):
    group = make_group()
    make_authorization_permissions(
        object_id=object_id, permission_level=PermissionLevel.CAN_USE, group_name=group.display_name
    )
    entries = ws.permissions.get("authorization", object_id).access_control_list
    assert group.display_name in {entry.group_name for entry in entries}


def test_a_group_reads_a_secret_scope(make_secret_scope, make_secret_scope_acl, make_group):
    scope, group = make_secret_scope(), make_group()
    make_secret_scope_acl(scope=scope, principal=group.display_name, permission=AclPermission.READ)
