"""The plan to change comments and scopes, and the way back."""

import pytest

import tokenkit
from tokenkit.sandbox import Fault


def comments(ws, token_ids):
    listing = ws.token_management.list().set_index("token_id")
    return listing.loc[list(token_ids), "comment"].tolist()


def test_a_comment_is_changed_and_put_back(ws, victims):
    chosen = victims[~victims["comment"].str.contains("dapi|AKIA", na=False)].head(5)
    before = comments(ws, chosen["token_id"])
    plan = ws.plan_update(chosen, comment="owned by the data team", reason="labels")
    assert plan.preview()["comment"].fillna("").tolist() == [each if isinstance(each, str) else "" for each in before]
    assert plan.preview()["new_comment"].eq("owned by the data team").all()
    assert plan.apply()["outcome"].eq("updated").all()
    assert set(comments(ws, chosen["token_id"])) == {"owned by the data team"}
    assert plan.undo().apply()["outcome"].eq("updated").all()
    after = comments(ws, chosen["token_id"])
    assert [each or "" for each in after] == [each if isinstance(each, str) else "" for each in before]


def test_a_secret_in_a_comment_is_not_put_back_as_the_journal_did_not_keep_it(ws, victims):
    secret = "dapi" + "0123456789abcdef" * 2
    token_id = victims["token_id"].iloc[0]
    ws.plan_update(token_id, comment=f"old key: {secret}").apply()
    plan = ws.plan_update(token_id, comment="clean")
    plan.apply()
    plan.undo().apply()
    assert comments(ws, [token_id]) == ["old key: [redacted]"]


def test_scopes_are_changed_and_put_back(ws, victims):
    chosen = victims[victims["scopes"].notna()].head(3)
    plan = ws.plan_update(chosen, scopes=["sql"])
    plan.apply()
    listing = ws.token_management.list().set_index("token_id")
    assert [listing.loc[each, "scopes"] for each in plan.token_ids] == [["sql"]] * len(plan)
    ws.undo(plan.run_id).apply()
    listing = ws.token_management.list().set_index("token_id")
    wanted = chosen.set_index("token_id")["scopes"]
    assert [listing.loc[each, "scopes"] for each in plan.token_ids] == [wanted[each] for each in plan.token_ids]


def test_what_is_so_already_is_not_in_the_plan(ws, victims):
    one = victims[victims["comment"].notna()].iloc[0]
    assert len(ws.plan_update(one.token_id, comment=one.comment)) == 0


@pytest.mark.parametrize(
    ("tokens", "changes", "words"),
    [(None, {}, "Say what to change"), (["0" * 64], {"comment": "x"}, "has no token")],
)
def test_a_plan_that_cannot_be_is_refused(ws, victims, tokens, changes, words):
    with pytest.raises(tokenkit.UsageError, match=words):
        ws.plan_update(victims if tokens is None else tokens, **changes)


def test_what_was_not_applied_cannot_be_undone(ws, victims):
    with pytest.raises(tokenkit.UsageError, match="not applied"):
        ws.plan_update(victims, comment="x").undo()
    revoked = ws.revoke(victims.head(1))
    revoked.apply()
    with pytest.raises(tokenkit.UsageError, match="only updates"):
        ws.undo(revoked.run_id)


def test_an_answer_that_was_lost_is_looked_up_and_known_to_be_done(ws, company, victims):
    company.faults.add(Fault(method="PATCH", drop=True, after_handler=True, times=3))
    result = ws.plan_update(victims, comment="new").apply()
    assert result["outcome"].eq("updated").all()
    assert [record.method for record in company.requests].count("PATCH") == len(victims)


def test_a_use_since_the_plan_is_no_reason_to_skip_and_a_gone_token_is_gone(ws, company, victims):
    plan = ws.plan_update(victims.head(2), comment="new")
    state = company.workspaces[0].state
    state.tokens.touch(plan.token_ids[0], 1_772_323_200_000)
    state.tokens.delete(plan.token_ids[1])
    assert plan.apply()["outcome"].tolist() == ["updated", "already gone"]


def test_a_plan_shows_itself(ws, victims):
    plan = ws.plan_update(victims, comment="<b>new</b>")
    assert "UpdatePlan of 50 tokens" in repr(plan)
    assert "<b>new" not in plan._repr_html_()
