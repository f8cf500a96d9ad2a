import hashlib

from .conftest import CONF, DAY, SCIM, TOKENS, member

CREATE, LIST, DELETE = "/api/2.0/token/create", "/api/2.0/token/list", "/api/2.0/token/delete"


def test_a_person_makes_lists_and_deletes_their_own_tokens(person, admin, sandbox, clients):
    minted = person.ok("POST", CREATE, {"comment": "mine", "lifetime_seconds": DAY})
    info = minted["token_info"]
    assert info["token_id"] == hashlib.sha256(minted["token_value"].encode()).hexdigest()
    assert set(info) == {"token_id", "comment", "creation_time", "expiry_time"}
    assert info in person.ok("GET", LIST)["token_infos"]
    listed = admin.ok("GET", TOKENS, params={"created_by_username": "person@example.com"})["token_infos"]
    assert len(listed) == 2
    assert all(each["owner_id"] == each["created_by_id"] for each in listed)

    mine = clients(sandbox.host, minted["token_value"])
    assert mine.ok("GET", f"{SCIM}/Me")["userName"] == "person@example.com"
    assert person.ok("POST", DELETE, {"token_id": info["token_id"]}) == {}
    assert mine.refused("GET", f"{SCIM}/Me") == (403, 403)


def test_making_a_token_needs_the_right(sandbox, state, clients):
    outsider = member(sandbox, state, clients, "outsider@example.com", may_use=False)
    assert outsider.refused("POST", CREATE, {}) == (403, "PERMISSION_DENIED")
    assert outsider.ok("GET", f"{SCIM}/Me")["userName"] == "outsider@example.com"


def test_somebody_elses_token_is_as_good_as_none(person, admin, state):
    other = admin.ok("GET", TOKENS)["token_infos"][0]["token_id"]
    assert person.refused("POST", DELETE, {"token_id": other}) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert person.refused("POST", DELETE, {}) == (404, "RESOURCE_DOES_NOT_EXIST")
    body = {"token": {"comment": "stolen"}, "update_mask": "comment"}
    assert person.refused("PATCH", f"/api/2.0/token/{other}", body) == (404, "NOT_FOUND")
    assert other in state.tokens.ids()


def test_expired_tokens_are_not_among_the_valid_ones(person, clock):
    person.ok("POST", CREATE, {"lifetime_seconds": 60, "comment": "short"})
    assert len(person.ok("GET", LIST)["token_infos"]) == 2
    clock.now += 60
    assert len(person.ok("GET", LIST)["token_infos"]) == 1


def test_a_person_updates_their_own_comment(person):
    token_id = person.ok("POST", CREATE, {"comment": "old"})["token_info"]["token_id"]
    person.ok("PATCH", f"/api/2.0/token/{token_id}", {"token": {"comment": "new"}, "update_mask": "comment"})
    comments = {each["token_id"]: each.get("comment") for each in person.ok("GET", LIST)["token_infos"]}
    assert comments[token_id] == "new"


def test_whoever_owns_none_lists_an_empty_object(oauth):
    assert oauth.ok("GET", LIST) == {}


def test_no_token_is_made_while_tokens_are_disabled(oauth):
    oauth.ok("POST", CREATE, {})
    oauth.ok("PATCH", CONF, {"enableTokensConfig": "false"})
    assert oauth.refused("POST", CREATE, {}) == (404, "FEATURE_DISABLED")
