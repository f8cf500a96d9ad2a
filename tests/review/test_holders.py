"""Who may use tokens and who holds them; the sandbox's own state is the judge."""

import pandas as pd
import pytest

from tests.conftest import NOW
from tests.review.test_access import IDENTITIES, entries
from tests.review.test_sign_ins import A, B, event, frame
from tokenkit import frames
from tokenkit.review import access, holders, lifecycle, owners, usage
from tokenkit.review.sign_ins import SIGN_INS

USED = 1_770_000_000_000


def tokens(*documents):
    listing = frames.frame(documents, frames.TOKENS)
    aged = lifecycle.with_lifecycle(listing, now=NOW)
    return owners.with_owners(aged, users=IDENTITIES.users, service_principals=IDENTITIES.service_principals)


def found(*texts, held=()):
    return holders.holders(entries(*texts), IDENTITIES, tokens(*held)).set_index("principal")


def test_a_principal_is_one_row_with_every_path_and_the_highest_level():
    rows = found("group:outer", "group:other=CAN_MANAGE", "user:u3")
    assert rows.loc["u3", "via"] == "direct; other; outer > inner"
    assert rows["permission_level"].to_dict() == {
        "u1": "CAN_MANAGE",
        "u2": "CAN_USE",
        "u3": "CAN_MANAGE",
        "ci": "CAN_USE",
    }


def test_tokens_that_work_are_counted_and_the_last_use_of_any_is_named():
    held = [
        {"token_id": "a", "owner_id": 2, "last_used_day": USED},
        {"token_id": "b", "owner_id": 2},
        {"token_id": "old", "owner_id": 2, "expiry_time": 1, "last_used_day": USED + 86_400_000},
    ]
    row = found("group:outer", held=held).loc["u2"]
    assert row["tokens"] == 2
    assert row["last_used_day"] == pd.Timestamp(USED + 86_400_000, unit="ms", tz="UTC")


def test_owners_of_tokens_without_permission_are_listed_also_unknown_ones():
    held = [
        {"token_id": "a", "owner_id": 4},
        {"token_id": "b", "owner_id": 77, "created_by_id": 77, "created_by_username": "gone@example.com"},
        {"token_id": "c"},
        {"token_id": "d", "owner_id": 1},
    ]
    rows = found("group:outer", held=held).reset_index()
    without = rows[rows["tokens_without_permission"]]
    assert set(zip(without["principal"].fillna("?"), without["kind"], without["tokens"], strict=True)) == {
        ("u4", "user", 1),
        ("gone@example.com", "deleted", 1),
        ("?", "unknown", 1),
    }
    by_kind = without.set_index("kind")["active"]
    assert (by_kind["user"], by_kind["deleted"], by_kind["unknown"]) == (True, False, pd.NA)


def test_a_principal_with_only_expired_tokens_and_no_permission_is_not_listed():
    assert "u4" not in found(held=[{"token_id": "old", "owner_id": 4, "expiry_time": 1}]).index


@pytest.mark.parametrize(("use", "unused"), [({}, True), ({"last_used_day": USED}, False)])
def test_a_permission_is_unused_until_a_token_is_used(use, unused):
    rows = found("user:u4", "user:u2", held=[{"token_id": "a", "owner_id": 4} | use])
    assert rows.loc["u4", "permission_unused"] == unused
    assert rows.loc["u2", "permission_unused"]


def test_evidence_is_summed_over_all_tokens_of_an_owner_and_missing_without_a_sign_in():
    held = [
        {"token_id": A, "owner_id": 2},
        {"token_id": B, "owner_id": 2, "expiry_time": 1},
        {"token_id": "c" * 64, "owner_id": 3},
    ]
    log = [
        event(A, user_agent="dbt/1", event_time="2026-02-01T00:00:00Z"),
        event(A, user_agent="curl/8", event_time="2026-02-03T00:00:00Z"),
        event(B, user_agent="dbt/2", event_time="2026-02-02T00:00:00Z"),
        event("d" * 64, user_agent="Tableau"),
    ]
    listing = tokens(*held)
    evidence = usage.usage(SIGN_INS.of_rows(frame(*log)), listing)
    rows = holders.holders(entries("group:outer", "user:u3"), IDENTITIES, listing, evidence).set_index("principal")
    used = rows.loc["u2"]
    assert (used["logins"], sorted(used["clients"])) == (3, ["curl", "dbt"])
    assert used["last_login"] == pd.Timestamp("2026-02-03", tz="UTC")
    assert rows["permission_unused"].to_dict() == {"u1": True, "u2": False, "u3": True, "ci": True}
    others = rows.drop(index="u2")
    assert others[["logins", "last_login", "clients"]].isna().all(axis=None)
    without = holders.holders(entries("group:outer", "user:u3"), IDENTITIES, listing)
    same = [name for name in without.columns if name != "permission_unused"]
    pd.testing.assert_frame_equal(rows.reset_index()[same], without[same])


def test_an_empty_result_has_the_same_columns_and_dtypes():
    nobody = access.Identities(
        users=IDENTITIES.users.head(0),
        service_principals=IDENTITIES.service_principals.head(0),
        groups=IDENTITIES.groups.head(0),
    )
    nothing = holders.holders(entries(), nobody, tokens())
    assert len(nothing) == 0
    pd.testing.assert_series_equal(nothing.dtypes, found("user:u4").reset_index()[nothing.columns].dtypes)


def test_access_agrees_with_a_count_in_plain_python_over_the_sandbox(workspace, sandbox):
    state = sandbox.workspaces[0].state
    infos = state.tokens.infos()
    works = [info for info in infos if not 0 < info["expiry_time"] <= NOW.timestamp() * 1000]
    rows = workspace.access().set_index("id")
    entitled, holding = state.permissions.holders(), {info["owner_id"] for info in works}
    used = {info["owner_id"] for info in infos if info.get("last_used_day")}
    assert set(rows.index[rows["can_use"]]) == entitled
    assert set(rows.index[rows["tokens_without_permission"]]) == holding - entitled
    assert set(rows.index[rows["permission_unused"]]) == entitled - used
    assert len(holding - entitled) > 3
    assert len(entitled - used) > 3
    assert rows["tokens"].to_dict() == {
        each: sum(info["owner_id"] == each for info in works) for each in entitled | holding
    }


def test_access_can_be_asked_with_an_expression(workspace):
    everybody = workspace.access()
    pd.testing.assert_frame_equal(
        workspace.access("tokens_without_permission and kind == 'user'"),
        everybody[everybody["tokens_without_permission"] & (everybody["kind"] == "user")],
    )
