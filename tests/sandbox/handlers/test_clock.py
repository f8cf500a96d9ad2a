"""Days pass in the sandbox, as an admin wishes."""

import json

import pytest

from tests.sandbox.conftest import DAY, NOON, TOKENS

CLOCK = "/sandbox/clock"
DAY_MS = DAY * 1000


def infos(admin):
    return {info["token_id"]: info for info in admin.ok("GET", TOKENS)["token_infos"]}


def test_the_clock_moves_by_days(admin):
    assert admin.ok("GET", CLOCK) == {"now": "2026-03-01T12:00:00Z"}
    assert admin.ok("POST", CLOCK, {"days": 1.5}) == {"now": "2026-03-03T00:00:00Z"}
    assert admin("GET", TOKENS).headers["Date"] == "Tue, 03 Mar 2026 00:00:00 GMT"


def test_tokens_in_daily_use_go_on_being_used_until_they_expire(make_sandbox, clients):
    sandbox = make_sandbox(tokens=300)
    admin = clients(sandbox.host, sandbox.token)
    before = infos(admin)
    admin.ok("POST", CLOCK, {"days": 20})
    after = infos(admin)
    now_ms, today = int((NOON + 20 * DAY) * 1000), int(NOON // DAY * DAY * 1000)
    active = {
        str(identity.id)
        for kind in ("user", "service_principal")
        for identity in sandbox.workspaces[0].state.directory.page(kind)
        if identity.active
    }
    moved = 0
    for token_id, info in after.items():
        used, old = info.get("last_used_day"), before[token_id].get("last_used_day")
        if old is None or old < today - 14 * DAY_MS or str(info["owner_id"]) not in active:
            assert used == old
            continue
        end = info["expiry_time"] if info["expiry_time"] != -1 else now_ms
        assert used == min(old + 20 * DAY_MS, end - end % DAY_MS)
        assert json.dumps(info) == json.dumps({**before[token_id], "last_used_day": used})  # nothing else changed
        moved += used != old
    assert moved > 100


def test_tokens_unused_for_90_days_are_revoked_and_expired_ones_stay(make_sandbox, clients):
    sandbox = make_sandbox(tokens=300)
    admin = clients(sandbox.host, sandbox.token)
    before = infos(admin)
    admin.ok("POST", CLOCK, {"days": 60})
    after = infos(admin)
    now_ms = int((NOON + 60 * DAY) * 1000)
    revoked = {
        token_id
        for token_id, info in before.items()
        if (info["expiry_time"] == -1 or info["expiry_time"] > now_ms)
        and after.get(token_id, info).get("last_used_day", info["creation_time"]) + 90 * DAY_MS <= now_ms
    }
    assert revoked == before.keys() - after.keys()
    assert 10 < len(revoked) < 200
    assert any(info["expiry_time"] != -1 and info["expiry_time"] < now_ms for info in after.values())


@pytest.mark.parametrize("days", [0, -1, 3651, "1", None, True, [1], float("1e400")])
def test_other_days_are_rejected(admin, days):
    body = json.dumps({"days": days})
    assert admin.error("POST", CLOCK, data=body)[0] == 400
    assert admin.ok("GET", CLOCK) == {"now": "2026-03-01T12:00:00Z"}


def test_only_an_admin_can_let_days_pass(person, sandbox, clients):
    assert person.error("POST", CLOCK, {"days": 1}) == (403, "PERMISSION_DENIED")
    assert clients(sandbox.host, None).error("POST", CLOCK, {"days": 1}) == (401, 401)
