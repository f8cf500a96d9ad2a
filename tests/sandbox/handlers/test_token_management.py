import hashlib
import json

import pytest

from tests.sandbox.conftest import CONF, DAY, NOON, OBO, PERMISSIONS, SCIM, TOKENS, member, service_principal

NOW_MS = int(NOON * 1000)


def test_a_listing_has_exactly_as_many_tokens_as_asked_for(admin, state):
    infos = admin.ok("GET", TOKENS)["token_infos"]
    assert len(infos) == len({info["token_id"] for info in infos}) == 60
    assert {info["token_id"] for info in infos} == state.tokens.ids()


def test_the_preview_alias_returns_the_same(admin):
    alias = TOKENS.replace("/2.0/", "/2.0/preview/")
    assert admin("GET", alias).content == admin("GET", TOKENS).content


def test_a_token_has_its_fields_in_the_references_order_and_no_empty_ones(admin, sandbox):
    for info in admin.ok("GET", TOKENS)["token_infos"]:
        assert list(info) == sorted(info)
        assert None not in info.values()
        assert "" not in info.values()
        assert [] not in info.values()
        assert len(info["token_id"]) == 64
        assert info["workspace_id"] == sandbox.workspaces[0].workspace_id


def test_a_listing_filters_by_creator(admin):
    everything = admin.ok("GET", TOKENS)["token_infos"]
    creator = everything[3]["created_by_id"]
    found = admin.ok("GET", TOKENS, params={"created_by_id": creator})["token_infos"]
    assert found == [info for info in everything if info["created_by_id"] == creator]
    assert 0 < len(found) < len(everything)

    name = everything[3]["created_by_username"]
    found = admin.ok("GET", TOKENS, params={"created_by_username": name})["token_infos"]
    assert found == [info for info in everything if info["created_by_username"] == name]
    both = {"created_by_username": name, "created_by_id": creator + 1}
    assert admin.ok("GET", TOKENS, params=both) == {}


def test_a_listing_without_tokens_is_an_empty_object(admin):
    assert admin.ok("GET", TOKENS, params={"created_by_username": "unknown@example.com"}) == {}


@pytest.mark.parametrize("text", ["me", "1.5", "-1", "99999999999999999999", "²"])
def test_a_creator_id_that_is_not_an_id_is_rejected(admin, text):
    assert admin.error("GET", TOKENS, params={"created_by_id": text}) == (400, "INVALID_PARAMETER_VALUE")


def test_get_wraps_the_token_of_the_listing(admin):
    info = admin.ok("GET", TOKENS)["token_infos"][7]
    assert admin.ok("GET", f"{TOKENS}/{info['token_id']}") == {"token_info": info}


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH"])
def test_an_unknown_token_is_not_found(admin, method):
    response = admin(method, f"{TOKENS}/{'0' * 64}", {"update_mask": "comment", "token": {"comment": "a"}})
    assert response.status_code == 404
    assert response.json() == {"error_code": "NOT_FOUND", "message": "Token does not exist"}


def test_a_deleted_token_is_not_found_again(admin, state):
    token_id = admin.ok("GET", TOKENS)["token_infos"][5]["token_id"]
    assert admin.ok("DELETE", f"{TOKENS}/{token_id}") == {}
    assert token_id not in state.tokens.ids()
    assert admin.error("DELETE", f"{TOKENS}/{token_id}") == (404, "NOT_FOUND")
    assert state.tokens.count() == 59


def test_an_update_changes_only_the_masked_fields_and_returns_the_token_unwrapped(admin):
    before = next(info for info in admin.ok("GET", TOKENS)["token_infos"] if "scopes" in info)
    path = f"{TOKENS}/{before['token_id']}"
    token = {"comment": 'new "comment" 🙂', "scopes": ["sql", "jobs"], "owner_id": 1}
    after = admin.ok("PATCH", path, {"token": token, "update_mask": "comment"})
    assert after == {**before, "comment": token["comment"]}
    assert admin.ok("GET", path) == {"token_info": after}
    after = admin.ok("PATCH", path, {"token": token, "update_mask": "scopes,comment"})
    assert after["scopes"] == ["sql", "jobs"]
    assert list(after) == sorted(after)


def test_a_masked_field_that_is_absent_is_cleared(admin):
    before = next(info for info in admin.ok("GET", TOKENS)["token_infos"] if "scopes" in info and "comment" in info)
    after = admin.ok("PATCH", f"{TOKENS}/{before['token_id']}", {"token": {}, "update_mask": "*"})
    assert after == {name: value for name, value in before.items() if name not in ("scopes", "comment")}


@pytest.mark.parametrize(
    "body",
    [
        {"token": {"comment": "a"}},
        {"token": {"comment": "a"}, "update_mask": ""},
        {"token": {"comment": "a"}, "update_mask": ["comment"]},
        {"token": {"comment": "a"}, "update_mask": "comment, scopes"},
        {"token": {"owner_id": 1}, "update_mask": "owner_id"},
        {"token": {"comment": 5}, "update_mask": "comment"},
        {"token": {"scopes": "sql"}, "update_mask": "scopes"},
        {"token": {"scopes": [1]}, "update_mask": "scopes"},
        {"token": "comment", "update_mask": "comment"},
    ],
)
def test_a_bad_mask_or_value_is_rejected_and_changes_nothing(admin, body):
    info = admin.ok("GET", TOKENS)["token_infos"][9]
    path = f"{TOKENS}/{info['token_id']}"
    assert admin.error("PATCH", path, body) == (400, "INVALID_PARAMETER_VALUE")
    assert admin.ok("GET", path)["token_info"] == info


def test_an_on_behalf_of_token_signs_in_as_its_service_principal(admin, sandbox, state, clients):
    robot = service_principal(admin)
    body = {"application_id": robot["applicationId"], "lifetime_seconds": 60, "comment": "for the robot"}
    minted = admin.ok("POST", OBO, body)
    info = minted["token_info"]
    assert info["token_id"] == hashlib.sha256(minted["token_value"].encode()).hexdigest()
    assert info["owner_id"] == int(robot["id"])
    assert info["created_by_username"] == robot["applicationId"]
    assert info["created_by_id"] == state.directory.named("user", "admin@example.com").id
    assert (info["creation_time"], info["expiry_time"]) == (NOW_MS, NOW_MS + 60_000)
    assert "last_used_day" not in info
    assert "scopes" not in info
    me = clients(sandbox.host, minted["token_value"]).ok("GET", f"{SCIM}/Me")
    assert (me["id"], me["userName"]) == (robot["id"], robot["applicationId"])
    assert admin.ok("GET", f"{TOKENS}/{info['token_id']}")["token_info"]["last_used_day"] == NOW_MS - 12 * 3600 * 1000


def test_a_minted_token_records_its_scopes(admin):
    robot = service_principal(admin)["applicationId"]
    info = admin.ok("POST", OBO, {"application_id": robot, "scopes": ["sql"]})["token_info"]
    assert (info["scopes"], info["autoscope_state"]) == (["sql"], "AUTOSCOPE_STATE_USER_SELECTED")
    info = admin.ok("POST", OBO, {"application_id": robot, "autoscope_enabled": True})["token_info"]
    assert info["autoscope_state"] == "AUTOSCOPE_STATE_RUNNING"


def test_an_omitted_lifetime_is_two_years_or_the_maximum(admin):
    robot = service_principal(admin)["applicationId"]
    info = admin.ok("POST", OBO, {"application_id": robot})["token_info"]
    assert info["expiry_time"] - info["creation_time"] == 730 * DAY * 1000
    admin.ok("PATCH", CONF, {"maxTokenLifetimeDays": "90"})
    info = admin.ok("POST", OBO, {"application_id": robot})["token_info"]
    assert info["expiry_time"] - info["creation_time"] == 90 * DAY * 1000


@pytest.mark.parametrize("lifetime", [0, -1, 730 * DAY + 1, 10**30, "soon", 1.5, True, [], "0", "²"])
def test_an_impossible_lifetime_is_rejected(admin, state, lifetime):
    robot = service_principal(admin)["applicationId"]
    body = {"application_id": robot, "lifetime_seconds": lifetime}
    assert admin.error("POST", OBO, body) == (400, "INVALID_PARAMETER_VALUE")
    assert state.tokens.count() == 60


@pytest.mark.parametrize("lifetime", [1, 730 * DAY, "60"])
def test_a_lifetime_at_the_limit_is_accepted(admin, lifetime):
    robot = service_principal(admin)["applicationId"]
    info = admin.ok("POST", OBO, {"application_id": robot, "lifetime_seconds": lifetime})["token_info"]
    assert info["expiry_time"] - info["creation_time"] == int(lifetime) * 1000


def test_the_maximum_lifetime_applies_to_new_tokens_only(admin, state):
    robot = service_principal(admin)["applicationId"]
    before = state.tokens.documents()
    admin.ok("PATCH", CONF, {"maxTokenLifetimeDays": "30"})
    body = {"application_id": robot, "lifetime_seconds": 30 * DAY + 1}
    assert admin.error("POST", OBO, body) == (400, "INVALID_PARAMETER_VALUE")
    assert state.tokens.documents() == before
    admin.ok("POST", OBO, {**body, "lifetime_seconds": 30 * DAY})
    admin.ok("PATCH", CONF, {"maxTokenLifetimeDays": "0"})
    admin.ok("POST", OBO, body)


@pytest.mark.parametrize(
    "body",
    [{}, {"application_id": ""}, {"application_id": 5}, {"application_id": "00000000-0000-0000-0000-000000000000"}],
)
def test_an_on_behalf_of_token_needs_a_known_service_principal(admin, body):
    assert admin.error("POST", OBO, body) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize("extra", [{"comment": 5}, {"scopes": "sql"}, {"scopes": [""]}, {"autoscope_enabled": "yes"}])
def test_a_label_of_the_wrong_type_is_rejected(admin, extra):
    body = {"application_id": service_principal(admin)["applicationId"], **extra}
    assert admin.error("POST", OBO, body) == (400, "INVALID_PARAMETER_VALUE")


def test_a_user_can_have_at_most_600_active_tokens(admin, state):
    robot = service_principal(admin)
    body = {"application_id": robot["applicationId"]}
    labels = {"created_by_id": 1, "created_by_username": "x", "creation_time": NOW_MS}
    with state.database.transaction():
        for _ in range(599):
            state.tokens.mint(owner_id=int(robot["id"]), expiry_time=NOW_MS + 1000, **labels)
    admin.ok("POST", OBO, body)
    assert admin.error("POST", OBO, body) == (400, "QUOTA_EXCEEDED")


def test_token_ids_are_escaped_neither_by_quotes_nor_by_percent_signs(admin):
    assert admin.error("GET", f"{TOKENS}/x%27%20OR%201=1--") == (404, "NOT_FOUND")
    assert admin.error("GET", f"{TOKENS}/%2e%2e%2fadmins") == (404, "NOT_FOUND")


def test_an_ordinary_user_cannot_manage_tokens(person, state):
    before = state.tokens.count()
    for method, path in [
        ("GET", TOKENS),
        ("GET", f"{TOKENS}/x"),
        ("DELETE", f"{TOKENS}/{next(iter(state.tokens.ids()))}"),
        ("PATCH", f"{TOKENS}/x"),
        ("POST", OBO),
        ("GET", PERMISSIONS),
        ("GET", f"{PERMISSIONS}/permissionLevels"),
        ("PUT", PERMISSIONS),
        ("PATCH", PERMISSIONS),
        ("GET", f"{CONF}?keys=maxTokenLifetimeDays"),
        ("PATCH", CONF),
        ("GET", f"{SCIM}/Users"),
        ("POST", f"{SCIM}/Groups"),
        ("DELETE", f"{SCIM}/Users/1"),
    ]:
        assert person.error(method, path, {}) == (403, "PERMISSION_DENIED"), (method, path)
    assert state.tokens.count() == before


def test_permission_levels_are_the_two_of_tokens(admin):
    levels = admin.ok("GET", f"{PERMISSIONS}/permissionLevels")["permission_levels"]
    assert [level["permission_level"] for level in levels] == ["CAN_USE", "CAN_MANAGE"]
    assert all(level["description"] for level in levels)


def test_without_tokens_the_permissions_object_does_not_exist(oauth, state):
    state.database.change("DELETE FROM tokens")
    response = oauth("GET", PERMISSIONS)
    assert response.status_code == 404
    assert response.json() == {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "tokens tokens does not exist"}
    assert oauth.error("PUT", PERMISSIONS, {}) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert oauth.error("PATCH", PERMISSIONS, {}) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert oauth.ok("GET", TOKENS) == {}


def test_hostile_comments_come_back_as_they_were_sent(admin, sandbox, state, clients):
    person = member(sandbox, state, clients, "poet@example.com", can_use=True)
    for comment in [
        '},{"token_id":"0',
        "\x00\x1f\x7f",
        "\u2028",
        "a\nb\r\n",
        "🔥\u202e",
        "'; DROP TABLE tokens; --",
        "\\",
    ]:
        token_id = person.ok("POST", "/api/2.0/token/create", {"comment": comment})["token_info"]["token_id"]
        infos = {info["token_id"]: info for info in admin.ok("GET", TOKENS)["token_infos"]}
        assert infos[token_id]["comment"] == comment
    assert json.loads(admin("GET", TOKENS).content)


def test_an_empty_parameter_does_not_filter(admin):
    whole = admin.ok("GET", TOKENS)
    assert admin.ok("GET", f"{TOKENS}?created_by_id=&created_by_username=") == whole
