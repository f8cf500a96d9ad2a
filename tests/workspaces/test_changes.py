"""``tokenkit.changes`` on a workspace in which things happen: what the listings, the snapshots and the journal tell."""

import gc

import pandas as pd
import pytest

import tokenkit
from tests.conftest import NOW
from tests.fleets.examples import behind_one_host
from tokenkit import errors
from tokenkit.sandbox import Fault

WEEK = pd.Timedelta(days=7)


@pytest.fixture
def company(fresh_sandbox):
    return fresh_sandbox


@pytest.fixture
def ws(company, connected):
    return connected(company)


@pytest.fixture
def others(ws):
    """Active tokens of other people, as rows."""
    tokens = ws.tokens(status="active")
    return tokens[tokens["owner"] != "admin@example.com"].reset_index(drop=True)


def test_a_week_in_which_everything_happens(ws, company, others, connected):
    before = ws.snapshot()
    state = company.workspaces[0].state
    ids = others["token_id"].tolist()
    unused = others[others["last_used_day"].isna()]["token_id"].iloc[0]
    ours, theirs, labelled, scoped = [each for each in ids if each != unused][:4]

    run = ws.revoke([ours], reason="test")
    run.apply(progress=False)
    state.tokens.delete(theirs)
    update = ws.plan_update([labelled], comment="another")
    update.apply(progress=False)
    narrowing = ws.plan_update([scoped], scopes=["unity-catalog"])
    narrowing.apply(progress=False)
    state.tokens.touch(unused, round((NOW + WEEK).normalize().timestamp() * 1000))
    made = state.tokens.mint(
        owner_id=int(others["owner_id"].iloc[0]),
        created_by_id=int(others["owner_id"].iloc[0]),
        created_by_username="ann",
        creation_time=round((NOW + WEEK).timestamp() * 1000),
        expiry_time=-1,
    )

    later = connected(company, clock=NOW + WEEK)
    found = tokenkit.changes(before, later.tokens()).set_index(["change", "token_id"])
    assert set(found.index) == {
        ("created", made.info["token_id"]),
        ("removed", ours),
        ("removed", theirs),
        ("comment_changed", labelled),
        ("scopes_changed", scoped),
        ("first_used", unused),
    }
    assert found.loc[("removed", ours), ["cause", "run_id"]].tolist() == ["revoked_by_tokenkit", run.run_id]
    assert found.loc[("removed", theirs), "cause"] == "revoked_externally"
    by_run = ["cause", "run_id"]
    assert found.loc[("comment_changed", labelled), by_run].tolist() == ["updated_by_tokenkit", update.run_id]
    assert found.loc[("scopes_changed", scoped), by_run].tolist() == ["updated_by_tokenkit", narrowing.run_id]
    assert found.loc[("scopes_changed", scoped), "at"] == NOW
    assert found.loc[("scopes_changed", scoped), "after"] == "unity-catalog"
    assert found.loc[("comment_changed", labelled), "after"] == "another"
    assert found.loc[("first_used", unused), "after"] == "2026-03-08"
    assert found.loc[("created", made.info["token_id"]), "owner"] == others["owner"].iloc[0]


def test_two_snapshots_and_two_frames_tell_the_same(ws, company, others, connected):
    before, first = ws.tokens(), ws.snapshot()
    company.workspaces[0].state.tokens.delete(others["token_id"].iloc[0])
    later = connected(company, clock=NOW + WEEK)
    after, second = later.tokens(), later.snapshot()
    pd.testing.assert_frame_equal(tokenkit.changes(first, second), tokenkit.changes(before, after))
    assert len(tokenkit.changes(first, str(second))) == 1
    assert len(tokenkit.changes(second, after)) == 0


def test_tokens_that_ran_out_between_are_told_from_those_that_were_revoked(ws, others, connected, company):
    before = ws.tokens()
    soon = others[others["expiry_time"] < NOW + WEEK]["token_id"].iloc[0]
    company.workspaces[0].state.tokens.delete(soon)
    (row,) = tokenkit.changes(before, connected(company, clock=NOW + WEEK).tokens()).to_dict("records")
    assert (row["token_id"], row["cause"]) == (soon, "expired")


@pytest.mark.parametrize(
    "faults",
    [
        [Fault(method="DELETE", drop=True, after_handler=True, times=1)],
        [Fault(method="DELETE", drop=True, after_handler=True), Fault(method="GET", path="*/tokens/*", status=401)],
    ],
    ids=["looked up, and deleted", "unknown"],
)
def test_a_revocation_whose_response_was_lost_is_attributed_to_tokenkit_too(ws, company, others, faults):
    before = ws.tokens()
    plan = ws.revoke(others["token_id"].iloc[0])
    company.faults.add(*faults)
    outcome = plan.apply(progress=False)["outcome"].iloc[0]
    company.faults.clear()
    assert outcome in {"revoked", "unknown"}
    found = tokenkit.changes(before, ws.tokens())
    assert found[["cause", "run_id"]].to_numpy().tolist() == [["revoked_by_tokenkit", plan.run_id]]


def test_a_token_that_another_admin_had_revoked_before_is_not_attributed_to_tokenkit(ws, company, others):
    before = ws.tokens()
    plan = ws.revoke(others["token_id"].iloc[0])
    company.workspaces[0].state.tokens.delete(others["token_id"].iloc[0])
    assert plan.apply(progress=False)["outcome"].tolist() == ["already_gone"]
    assert tokenkit.changes(before, ws.tokens())["cause"].tolist() == ["revoked_externally"]


def test_the_journal_is_found_without_a_connected_workspace(company, connected):
    ws = connected(company)
    tokens = ws.tokens(status="active")
    first = ws.snapshot()
    ws.revoke(tokens[tokens["owner"] != "admin@example.com"].head(1)).apply(progress=False)
    second = ws.snapshot()
    del ws
    gc.collect()
    assert tokenkit.changes(first, second)["cause"].tolist() == ["revoked_by_tokenkit"]


def test_a_journal_that_is_given_is_the_one_that_is_asked(ws, others):
    before = ws.tokens()
    nothing = ws.journal()
    ws.revoke(others["token_id"].iloc[0]).apply(progress=False)
    assert tokenkit.changes(before, ws.tokens(), nothing)["cause"].tolist() == ["revoked_externally"]
    assert tokenkit.changes(before, ws.tokens(), ws.journal())["cause"].tolist() == ["revoked_by_tokenkit"]


def test_frames_that_say_nothing_of_themselves_are_compared_as_of_a_given_moment(ws):
    before = ws.token_management.list()
    row = before[before["expiry_time"] > NOW].nsmallest(1, "expiry_time")
    (expiry,) = row["expiry_time"]
    after = before.drop(row.index)
    assert tokenkit.changes(before, after, after_at=expiry)["cause"].tolist() == ["expired"]
    early = tokenkit.changes(before, after, after_at=(expiry - pd.Timedelta(milliseconds=1)).isoformat())
    assert early["cause"].tolist() == ["revoked"]


def test_the_earlier_listing_comes_first(ws, connected, company):
    later = connected(company, clock=NOW + WEEK)
    with pytest.raises(errors.UsageError, match="earlier one first"):
        tokenkit.changes(later.snapshot(), ws.snapshot())


def test_listings_of_two_workspaces_behind_one_host_are_not_compared(companies):
    first, second = behind_one_host(companies)[:2]
    with pytest.raises(
        errors.UsageError, match=f"different workspaces: .*o={first.workspace_id} and .*{second.workspace_id}"
    ):
        tokenkit.changes(first.tokens(), second.tokens())


def test_another_connection_with_another_home_does_not_change_results_of_the_first(company, connected, tmp_path):
    ws = connected(company, home=tmp_path / "one")
    before, file = ws.tokens(), ws.snapshot()
    plan = ws.revoke(before[before["owner"] != "admin@example.com"].head(1))
    plan.apply(progress=False)
    later = ws.snapshot()
    other = connected(company, home=tmp_path / "two")
    for pair in ((before, ws.tokens()), (file, ws.tokens()), (file, later), (before, later)):
        assert tokenkit.changes(*pair)["cause"].tolist() == ["revoked_by_tokenkit"]
    assert tokenkit.changes(before, other.tokens())["cause"].tolist() == ["revoked_externally"]


def test_listings_of_two_workspaces_are_not_compared(ws):
    other = ws.tokens()
    other.attrs["host"] = "https://other.example.com"
    with pytest.raises(errors.UsageError, match=r"different workspaces.*other\.example\.com"):
        tokenkit.changes(ws.tokens(), other)


def test_a_comment_that_was_changed_again_elsewhere_is_not_tokenkit_s(ws, company, others, connected):
    ids = others["token_id"].tolist()[:3]
    again, earlier, back = ids
    ws.plan_update([earlier], comment="ours").apply(progress=False)

    def write(token_id, comment):  # as another tool does
        ws.token_management.update_token_management(token_id, {"comment": comment}, ["comment"])

    write(earlier, "theirs")
    later = connected(company, clock=NOW + WEEK)
    before = later.snapshot()
    after = connected(company, clock=NOW + 2 * WEEK)
    after.plan_update([again, back], comment="ours").apply(progress=False)
    write(again, "theirs")
    write(earlier, "ours")  # as tokenkit did before the snapshot
    found = tokenkit.changes(before, after.tokens()).set_index("token_id")
    assert found["change"].eq("comment_changed").all()
    assert found.loc[ids, "cause"].isna().tolist() == [True, True, False]
    assert found.loc[ids, "run_id"].isna().tolist() == [True, True, False]
