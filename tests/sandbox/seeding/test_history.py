"""The audit log: its history, and what is recorded of requests."""

import datetime as dt
from collections import Counter

import pytest

from tests.sandbox.conftest import DAY, NOON, PERMISSIONS, SCIM, TOKENS, access_token, service_principal

FIELDS = [
    "account_id", "workspace_id", "version", "event_time", "event_date", "event_id", "audit_level", "service_name",
    "action_name", "request_id", "request_params", "response", "session_id", "source_ip_address", "user_agent",
    "user_identity", "identity_metadata",
]  # fmt: skip  # the columns of system.access.audit


@pytest.fixture
def company(make_sandbox):
    return make_sandbox(tokens=400)


def external(events):
    return [
        event for event in events
        if event["action_name"] == "tokenLogin"
        and event["request_params"]["authenticationMethod"] == "API_EXT_PAT_TOKEN"
    ]  # fmt: skip


def test_an_event_has_the_columns_of_the_system_table(company):
    for event in company.audit_events():
        assert list(event) == FIELDS
        assert event["event_date"] == event["event_time"][:10]
        assert all(isinstance(value, str) for value in event["request_params"].values())


def test_the_history_agrees_with_the_last_use_of_each_token(company):
    infos = {info["token_id"]: info for info in company.workspaces[0].state.tokens.infos()}
    for token_id in company.usage_culprits()["use-disagrees"]:
        del infos[token_id]  # on purpose
    last = {}
    for event in external(company.audit_events()):
        token_id, day = event["request_params"]["tokenId"], event["event_date"]
        if event["response"]["status_code"] == 200:
            last[token_id] = max(last.get(token_id, day), day)
    earliest = NOON - 58 * DAY
    for token_id, info in infos.items():
        used = info.get("last_used_day")
        if used is None:
            assert token_id not in last
        elif used / 1000 > earliest:
            assert last[token_id] == f"{dt.datetime.fromtimestamp(used / 1000, dt.UTC):%Y-%m-%d}"
    assert len(last) > 250


def test_the_history_has_what_makes_a_log_hard_to_read(company):
    events = list(company.audit_events())
    actions = Counter(event["action_name"] for event in events)
    expected = {
        "tokenLogin",
        "generateDbToken",
        "revokeDbToken",
        "garbageCollectDbToken",
        "mintOAuthToken",
        "samlLogin",
        "login",
    }
    assert expected <= set(actions)
    ids = company.workspaces[0].state.tokens.ids()
    named = {event["request_params"]["tokenId"] for event in external(events)}
    assert named - ids  # revoked tokens
    methods = {event["request_params"].get("authenticationMethod") for event in events}
    assert "API_INT_PAT_TOKEN" in methods
    assert any(":" in event["source_ip_address"] for event in events)
    assert any(event["response"]["status_code"] == 401 for event in events)
    assert {"tokenId", "tokenHash"} <= {
        name for event in events if event["action_name"] == "revokeDbToken" for name in event["request_params"]
    }
    assert len({event["event_id"] for event in events}) == len(events)


def test_the_history_is_the_same_whenever_it_is_read(company, clock):
    before = list(company.audit_events())
    clock.now += 5 * DAY
    assert list(company.audit_events()) == before


def test_the_history_keeps_what_used_a_token_that_was_used_or_revoked_since(company):
    before = list(company.audit_events())
    tokens = company.workspaces[0].state.tokens
    victim, used = sorted(tokens.ids())[:2]
    tokens.touch(used, int(NOON * 1000))
    tokens.delete(victim)
    after = list(company.audit_events())
    assert sorted(event["event_id"] for event in after) == sorted(event["event_id"] for event in before)


def test_a_token_that_is_created_has_no_history(company, clients):
    admin = clients(company.host, company.token)
    events = len(list(company.audit_events()))
    for _ in range(3):
        token_id = admin.ok("POST", "/api/2.0/token/create", {})["token_info"]["token_id"]
        admin.ok("DELETE", f"{TOKENS}/{token_id}")
    recorded = list(company.audit_events())[events:]
    assert Counter(event["action_name"] for event in recorded) == {
        "tokenLogin": 6,
        "generateDbToken": 3,
        "revokeDbToken": 3,
    }
    assert company.workspaces[0].state.database.rows("SELECT * FROM past_tokens") == []  # nothing is kept of them


def test_the_log_agrees_with_the_listing_after_days_have_passed(company):
    before = {event["event_id"] for event in company.audit_events()}
    company.pass_days(5)
    company.pass_days(40)
    last = {}
    for event in external(company.audit_events()):
        before.discard(event["event_id"])
        if event["response"]["status_code"] == 200:
            token_id, day = event["request_params"]["tokenId"], event["event_date"]
            last[token_id] = max(last.get(token_id, day), day)
    infos = [info for info in company.workspaces[0].state.tokens.infos() if info.get("last_used_day", 0) > NOON * 1000]
    assert len(infos) > 100
    planted = company.workspaces[0].state.tokens.planted_uses()
    for info in infos:
        used = f"{dt.datetime.fromtimestamp(info['last_used_day'] / 1000, dt.UTC):%Y-%m-%d}"
        assert last[info["token_id"]] == used or info["token_id"] in planted


def test_a_database_that_is_opened_again_has_a_log_that_agrees_with_its_listing(make_sandbox, tmp_path):
    path = tmp_path / "sandbox.db"
    with make_sandbox(tokens=100, database=path) as sandbox:
        sandbox.pass_days(3)
        victim = min(sandbox.workspaces[0].state.tokens.ids() - sandbox.usage_culprits()["use-disagrees"])
        sandbox.workspaces[0].state.tokens.delete(victim)
        culprits = sandbox.usage_culprits()
    again = make_sandbox(database=path)
    assert again.usage_culprits() == culprits
    last = {info["token_id"]: info.get("last_used_day") for info in again.workspaces[0].state.tokens.infos()}
    used = {event["request_params"]["tokenId"] for event in external(again.audit_events())}
    assert {token_id for token_id, day in last.items() if day == NOON * 1000 - 43_200_000} <= used


@pytest.mark.parametrize(("audit_ids", "share"), [("all", (0.9, 1)), ("some", (0.3, 0.7)), ("none", (0, 0))])
def test_the_token_ids_match_the_listing_wholly_partly_or_not_at_all(make_sandbox, audit_ids, share):
    sandbox = make_sandbox(tokens=400, audit_ids=audit_ids)
    ids = sandbox.workspaces[0].state.tokens.ids()
    named = {event["request_params"]["tokenId"] for event in external(sandbox.audit_events())}
    low, high = share
    assert low <= len(named & ids) / len(named) <= high


def test_another_share_is_rejected(make_sandbox):
    with pytest.raises(ValueError, match="audit_ids must be one of all, some, none"):
        make_sandbox(audit_ids="half")


def test_requests_are_recorded(sandbox, state, admin, clients):
    before = len(list(sandbox.audit_events()))
    minted = admin.ok("POST", "/api/2.0/token/create", {"comment": "x"}, headers={"User-Agent": "mine/1"})
    token_id = minted["token_info"]["token_id"]
    admin.ok("DELETE", f"{TOKENS}/{token_id}")
    admin("DELETE", f"{TOKENS}/{token_id}")
    admin.ok("PATCH", PERMISSIONS, {"access_control_list": []})
    robot = clients(sandbox.host, access_token(sandbox, clients))
    robot.ok("GET", f"{SCIM}/Me")
    recorded = list(sandbox.audit_events())[before:]
    found = [(event["action_name"], event["response"]["status_code"]) for event in recorded]
    assert found == [
        ("tokenLogin", 200), ("generateDbToken", 200), ("tokenLogin", 200), ("revokeDbToken", 200),
        ("tokenLogin", 200), ("revokeDbToken", 404), ("tokenLogin", 200), ("changeDbTokenAcl", 200),
        ("mintOAuthToken", 200), ("oidcTokenAuthorization", 200),
    ]  # fmt: skip
    assert recorded[0]["request_params"] == {
        "user": "admin@example.com",
        "tokenId": next(
            iter(state.tokens.of_owner(state.directory.named("user", "admin@example.com").id, active_at=0))
        )["token_id"],
        "authenticationMethod": "API_EXT_PAT_TOKEN",
    }
    assert recorded[0]["user_agent"] == "mine/1"
    assert recorded[3]["request_params"] == {"tokenId": token_id}
    assert recorded[5]["response"]["error_message"] == "Token does not exist"
    assert recorded[8]["user_identity"]["email"] == sandbox.client_id


def test_no_event_contains_a_value(sandbox, admin):
    value = admin.ok("POST", "/api/2.0/token/create", {"comment": "x"})["token_value"]
    principal = service_principal(admin)
    secret = admin.ok("POST", f"/api/2.0/accounts/servicePrincipals/{principal['id']}/credentials/secrets", {})[
        "secret"
    ]
    text = repr(list(sandbox.audit_events()))
    assert value not in text
    assert secret not in text
    assert sandbox.token not in text
