import pytest

from tests.sandbox.conftest import SCIM


def test_groups_are_listed_for_clients_older_than_scim(admin):
    names = admin.ok("GET", "/api/2.0/groups/list")["group_names"]
    assert {"admins", "users", "platform-admins"} <= set(names)
    members = admin.ok("GET", "/api/2.0/groups/list-members", params={"group_name": "admins"})["members"]
    assert {"group_name": "platform-admins"} in members
    assert {"user_name": "admin@example.com"} in members
    for query in ({"group_name": "platform-admins"}, {"user_name": "admin@example.com"}):
        assert "admins" in admin.ok("GET", "/api/2.0/groups/list-parents", params=query)["group_names"]
    assert admin.error("GET", "/api/2.0/groups/list-members", params={"group_name": "x"})[0] == 404
    assert admin.error("GET", "/api/2.0/groups/list-members")[0] == 400


def test_a_folder_is_found_once_it_was_made(admin):
    path = "/Workspace/Users/admin@example.com/.bundle/x"
    assert admin.error("GET", "/api/2.0/workspace/get-status", params={"path": path})[0] == 404
    admin.ok("POST", "/api/2.0/workspace/mkdirs", {"path": path})
    for found in (path, path.rpartition("/")[0], "/Users/admin@example.com", "/"):
        status = admin.ok("GET", "/api/2.0/workspace/get-status", params={"path": found})
        assert status["object_type"] == "DIRECTORY"
    assert admin.error("POST", "/api/2.0/workspace/mkdirs", {"path": "x"})[0] == 400


@pytest.mark.parametrize(
    ("path", "key"), [("/api/2.0/clusters/spark-versions", "versions"), ("/api/2.0/token-scopes", "scopes")]
)
def test_everyone_can_read_what_is_the_same_everywhere(person, path, key):
    assert person.ok("GET", path)[key]


def test_terraforms_empty_entitlement_and_its_question_for_a_user_name(admin):
    body = {"displayName": "robot", "entitlements": [{}]}
    created = admin.ok("POST", f"{SCIM}/ServicePrincipals", body)
    assert "entitlements" not in created
    attributes = {"attributes": "userName,displayName,active,externalId,entitlements"}
    read = admin.ok("GET", f"{SCIM}/ServicePrincipals/{created['id']}", params=attributes)
    assert read["applicationId"] == created["applicationId"]
