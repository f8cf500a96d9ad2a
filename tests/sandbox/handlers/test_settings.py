import pytest

from tests.sandbox.conftest import OBO, PERMISSIONS, service_principal
from tokenkit.sandbox.state.rule_sets import USER, rule_set_name

RESTRICTION = "/api/2.0/settings/types/restrict_workspace_admins/names/default"
RULE_SETS = "/api/2.0/preview/accounts/access-control/rule-sets"
PASSWORDS = "/api/2.0/permissions/authorization/passwords"


def restriction(status, **fields):
    return {"setting": {"restrict_workspace_admins": {"status": status}, **fields}}


def test_a_restricted_admin_needs_a_role_to_create_tokens_on_behalf(admin, sandbox):
    principal = service_principal(admin)
    body = {"application_id": principal["applicationId"]}
    admin.ok("POST", OBO, body)
    admin.ok("PATCH", RESTRICTION, restriction("RESTRICT_TOKENS_AND_JOB_RUN_AS"))
    assert admin.error("POST", OBO, body) == (403, "PERMISSION_DENIED")
    name = rule_set_name(sandbox.account_id, principal["applicationId"])
    for member in ("users/admin@example.com", "groups/admins"):
        rules = [{"role": USER, "principals": [member]}]
        admin.ok("PUT", RULE_SETS, {"name": name, "rule_set": {"name": name, "grant_rules": rules}})
        admin.ok("POST", OBO, body)
    rules = [{"role": USER, "principals": ["users/other@example.com"]}]
    admin.ok("PUT", RULE_SETS, {"name": name, "rule_set": {"grant_rules": rules}})
    assert admin.error("POST", OBO, body) == (403, "PERMISSION_DENIED")
    admin.ok("DELETE", RESTRICTION)
    admin.ok("POST", OBO, body)


def test_a_setting_that_changed_meanwhile_is_a_conflict_with_the_new_etag(admin):
    etag = admin.ok("GET", RESTRICTION)["etag"]
    changed = admin.ok("PATCH", RESTRICTION, restriction("ALLOW_ALL", etag=etag))
    assert changed["etag"] != etag
    for response in (
        admin("PATCH", RESTRICTION, restriction("ALLOW_ALL", etag=etag)),
        admin("DELETE", RESTRICTION, params={"etag": etag}),
    ):
        assert (response.status_code, response.json()["error_code"]) == (409, "RESOURCE_CONFLICT")
        assert response.json()["details"][0]["metadata"] == {"etag": changed["etag"]}
    assert admin.ok("DELETE", RESTRICTION, params={"etag": changed["etag"]})["etag"] != changed["etag"]


@pytest.mark.parametrize(
    "body", [{}, {"setting": 1}, restriction("NONE"), {"setting": {"restrict_workspace_admins": []}}]
)
def test_an_unknown_status_is_rejected(admin, body):
    assert admin.error("PATCH", RESTRICTION, body) == (400, "INVALID_PARAMETER_VALUE")


def test_a_rule_set_that_changed_meanwhile_is_a_conflict(admin, sandbox):
    name = rule_set_name(sandbox.account_id, "x")
    etag = admin.ok("GET", RULE_SETS, params={"name": name})["etag"]
    admin.ok("PUT", RULE_SETS, {"name": name, "rule_set": {"etag": etag}})
    assert admin.error("PUT", RULE_SETS, {"name": name, "rule_set": {"etag": etag}}) == (409, "RESOURCE_CONFLICT")
    assert admin.error("GET", RULE_SETS, params={"name": "accounts/x"})[0] == 400
    for rules in ("x", [1], [{"principals": []}], [{"role": USER, "principals": [1]}]):
        assert admin.error("PUT", RULE_SETS, {"name": name, "rule_set": {"grant_rules": rules}})[0] == 400


def test_passwords_have_an_access_control_list_that_is_not_that_of_tokens(admin):
    tokens = admin.ok("GET", PERMISSIONS)
    finance = {"group_name": "finance", "permission_level": "CAN_USE"}
    assert [entry["group_name"] for entry in admin.ok("GET", PASSWORDS)["access_control_list"]] == ["users"]
    for method, expected in (("PATCH", ["users", "finance"]), ("PUT", ["finance"])):
        document = admin.ok(method, PASSWORDS, {"access_control_list": [finance]})
        assert [entry["group_name"] for entry in document["access_control_list"]] == expected
    assert admin.ok("GET", PERMISSIONS) == tokens
    manage = {"group_name": "finance", "permission_level": "CAN_MANAGE"}
    assert admin.error("PUT", PASSWORDS, {"access_control_list": [manage]})[0] == 400


@pytest.mark.parametrize("name", ["maxTokenLifetimeDays", "enableTokensConfig"])
def test_an_empty_value_is_rejected_in_words_that_terraform_tolerates(admin, name):
    response = admin("PATCH", "/api/2.0/workspace-conf", {name: ""})
    assert response.status_code == 400
    assert response.json()["message"].startswith("Some values are not allowed")
