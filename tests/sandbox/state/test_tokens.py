import hashlib
import json

from tests.sandbox.conftest import DAY, NOON
from tokenkit.sandbox.state.tokens import FIELD_ORDER, token_id_of, token_info

NOW_MS = int(NOON * 1000)


def mint(state, owner=1, **extra):
    labels = {"owner_id": owner, "created_by_id": owner, "created_by_username": "x", "creation_time": NOW_MS}
    return state.tokens.mint(**{**labels, "expiry_time": NOW_MS + DAY * 1000, **extra})


def test_a_tokens_id_is_the_sha256_of_its_value():
    assert token_id_of("dapié") == hashlib.sha256("dapié".encode()).hexdigest()


def test_the_value_of_a_new_token_looks_real_and_is_not_in_its_repr(state):
    minted = mint(state)
    assert minted.value.startswith("dapi")
    assert len(minted.value) == 36
    assert minted.value not in repr(minted)


def test_unset_fields_are_omitted_and_the_others_are_in_order():
    info = token_info(workspace_id=1, comment="", scopes=[], token_id="a", last_used_day=None, owner_id=2)
    assert list(info) == ["owner_id", "token_id", "workspace_id"]
    assert list(FIELD_ORDER) == sorted(FIELD_ORDER)


def test_tokens_are_counted_by_owner_and_activity(state):
    mint(state, 1)
    mint(state, 1, expiry_time=NOW_MS - 1)
    mint(state, 1, expiry_time=-1)
    mint(state, 2)
    assert [state.tokens.count(1), state.tokens.count(2), state.tokens.count(3)] == [3, 1, 0]
    assert state.tokens.count(1, active_at=NOW_MS) == 2
    assert {1, 2} <= state.tokens.owners()


def test_only_active_tokens_of_the_owners_named_are_deleted(state):
    kept = [mint(state, 1, expiry_time=NOW_MS).info["token_id"], mint(state, 2).info["token_id"]]
    deleted = [mint(state, 1).info["token_id"], mint(state, 1, expiry_time=-1).info["token_id"]]
    assert state.tokens.delete_active_of([1, 3], now_ms=NOW_MS) == 2
    assert state.tokens.delete_active_of([], now_ms=NOW_MS) == 0
    assert state.tokens.ids() >= set(kept)
    assert not state.tokens.ids() & set(deleted)


def test_touching_writes_the_day_into_the_entry_and_the_column(state):
    token_id = mint(state).info["token_id"]
    state.tokens.touch(token_id, 86_400_000)
    assert json.loads(state.tokens.document(token_id))["last_used_day"] == 86_400_000
    assert state.tokens.find(token_id)[2] == 86_400_000
    state.tokens.touch("unknown", 1)


def test_workspaces_do_not_share_tokens(make_sandbox):
    first, second = (workspace.state for workspace in make_sandbox(workspaces=2).workspaces)
    token_id = mint(first).info["token_id"]
    assert second.tokens.find(token_id) is None
    assert not second.tokens.delete(token_id)
    assert first.tokens.delete(token_id)
