import hashlib

from tests.sandbox.conftest import CONF, DAY, SCIM, TOKENS, member

CREATE, LIST, DELETE = "/api/2.0/token/create", "/api/2.0/token/list", "/api/2.0/token/delete"


def test_a_user_creates_lists_and_deletes_their_own_tokens(person, admin, sandbox, clients):
    minted = person.ok("POST", CREATE, {"comment": "mine", "lifetime_seconds": DAY})
    info = minted["token_info"]
    assert info["token_id"] == hashlib.sha256(minted["token_value"].encode()).hexdigest()
    assert set(info) == {"token_id", "comment", "creation_time", "expiry_time"}
    assert info in person.ok("GET", LIST)["token_infos"]
    listed = admin.ok("GET", TOKENS, params={"created_by_username": "person@example.com"})["token_infos"]
    assert len(listed) == 2
    assert all(info["owner_id"] == info["created_by_id"] for info in listed)

    mine = clients(sandbox.host, minted["token_value"])
    assert mine.ok("GET", f"{SCIM}/Me")["userName"] == "person@example.com"
    assert person.ok("POST", DELETE, {"token_id": info["token_id"]}) == {}
    assert mine.error("GET", f"{SCIM}/Me") == (403, 403)


def test_creating_a_token_requires_permission(sandbox, state, clients):
    outsider = member(sandbox, state, clients, "outsider@example.com", can_use=False)
    assert outsider.error("POST", CREATE, {}) == (403, "PERMISSION_DENIED")
    assert outsider.ok("GET", f"{SCIM}/Me")["userName"] == "outsider@example.com"


def test_the_token_of_another_user_is_not_found(person, admin, state):
    other = admin.ok("GET", TOKENS)["token_infos"][0]["token_id"]
    assert person.error("POST", DELETE, {"token_id": other}) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert person.error("POST", DELETE, {}) == (404, "RESOURCE_DOES_NOT_EXIST")
    body = {"token": {"comment": "stolen"}, "update_mask": "comment"}
    assert person.error("PATCH", f"/api/2.0/token/{other}", body) == (404, "NOT_FOUND")
    assert other in state.tokens.ids()


def test_expired_tokens_are_not_listed(person, clock):
    person.ok("POST", CREATE, {"lifetime_seconds": 60, "comment": "short"})
    assert len(person.ok("GET", LIST)["token_infos"]) == 2
    clock.now += 60
    assert len(person.ok("GET", LIST)["token_infos"]) == 1


def test_a_user_updates_their_own_comment(person):
    token_id = person.ok("POST", CREATE, {"comment": "old"})["token_info"]["token_id"]
    person.ok("PATCH", f"/api/2.0/token/{token_id}", {"token": {"comment": "new"}, "update_mask": "comment"})
    comments = {info["token_id"]: info.get("comment") for info in person.ok("GET", LIST)["token_infos"]}
    assert comments[token_id] == "new"


def test_a_listing_without_tokens_is_an_empty_object(oauth):
    assert oauth.ok("GET", LIST) == {}


def test_no_token_is_created_while_tokens_are_disabled(oauth):
    oauth.ok("POST", CREATE, {})
    oauth.ok("PATCH", CONF, {"enableTokensConfig": "false"})
    assert oauth.error("POST", CREATE, {}) == (404, "FEATURE_DISABLED")
