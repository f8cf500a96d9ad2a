"""The plan to change comments and scopes, and the way back."""

import pandas as pd
import pytest

import tokenkit
from tests.actions.examples import as_before
from tokenkit.actions import update
from tokenkit.actions.journal import Journal
from tokenkit.actions.options import RunOptions
from tokenkit.core.wording import pluralize
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
    ws.token_management.update_token_management(token_id, {"comment": f"old key: {secret}"}, update_mask="comment")
    plan = ws.plan_update(token_id, comment="clean")
    plan.apply()
    undo = plan.undo()
    assert (len(undo), undo.left_out["token_id"].tolist()) == (0, [token_id])
    assert undo.summary().left_out == {"the journal does not keep texts that look like credentials": 1}
    undo.apply()
    assert comments(ws, [token_id]) == ["clean"]


def test_what_may_have_been_changed_is_left_out_of_the_undoing_by_name(ws, company, victims, monkeypatch):
    monkeypatch.setattr("tokenkit.actions.executor._FIRST_BACKOFF_SECONDS", 0.001)
    lost, *done = victims["token_id"].head(3)
    company.faults.add(Fault(method="PATCH", path=f"*/{lost}", drop=True, after_handler=True))
    company.faults.add(Fault(method="GET", path=f"*/{lost}", status=404, body="<html>"))
    plan = ws.plan_update([lost, *done], comment="new")
    assert plan.apply()["outcome"].tolist() == ["unknown", "updated", "updated"]
    company.faults.clear()
    undo = plan.undo()
    assert (set(undo.token_ids), undo.left_out["token_id"].tolist()) == (set(done), [lost])
    assert undo.left_out["reason"].tolist() == [f"may have been changed: resume {plan.run_id}"]
    ws.resume(plan.run_id)
    assert len(plan.undo()) == 3


@pytest.mark.parametrize("comment", ["{}", "key: {}", "token=%20{}", "was da\u200bpi{}"])
def test_a_new_comment_with_what_looks_like_a_credential_is_refused(ws, company, victims, comment):
    digits = "0123456789abcdef" * 2
    text = comment.format(digits if "pi{" in comment else f"dapi{digits}")
    chosen = victims["token_id"].head(2)
    rows = pd.DataFrame({"token_id": chosen, "new_comment": ["nightly", text]})
    for refused in (lambda: ws.plan_update(chosen, comment=text), lambda: ws.plan_update(rows)):
        with pytest.raises(tokenkit.UsageError, match="looks like a credential") as caught:
            refused()
        assert digits not in str(caught.value)
    assert not [record for record in company.requests if record.method == "PATCH"]


def test_a_secret_that_an_earlier_version_was_to_write_is_not_written_redacted_by_resume(
    ws, company, victims, monkeypatch
):
    monkeypatch.setattr(update, "without_credential", as_before)
    secret = "dapi" + "0123456789abcdef" * 2
    token_id = victims["token_id"].iloc[0]
    before = comments(ws, [token_id])
    company.faults.add(Fault(method="PATCH", status=400, times=1))
    plan = ws.plan_update(token_id, comment=f"key: {secret}")
    assert plan.apply()["outcome"].tolist() == ["failed"]
    result = tokenkit.resume(plan.run_id, workspace=ws)
    assert result["outcome"].tolist() == ["skipped"]
    assert result["error"].iloc[0] == "the journal does not keep texts that look like credentials"
    assert comments(ws, [token_id]) == before


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


def test_each_token_gets_its_own_change_from_a_frame_and_it_is_journalled_and_put_back(ws, victims):
    chosen = victims[victims["comment"].notna() & ~victims["comment"].str.contains("dapi|AKIA", na=False)].head(4)
    wanted = chosen[["token_id"]].assign(
        new_comment=["first", None, "third", None], new_scopes=[["sql"], ["files", "jobs"], None, None]
    )
    plan = ws.plan_update(wanted, reason="each its own")
    assert plan.token_ids == tuple(chosen["token_id"].head(3))
    assert plan.preview()["new_comment"].fillna("").tolist() == ["first", "", "third"]
    assert plan.apply()["outcome"].eq("updated").all()
    after = ws.token_management.list().set_index("token_id").loc[chosen["token_id"]]
    before = chosen.set_index("token_id")
    kept = before["comment"].tolist()
    assert after["comment"].tolist() == ["first", kept[1], "third", kept[3]]
    assert after["scopes"].head(2).tolist() == [["sql"], ["files", "jobs"]]
    assert scopes_of(after.tail(2)) == scopes_of(before.tail(2))
    assert set(ws.journal()["reason"]) == {"each its own"}
    assert plan.undo().apply()["outcome"].eq("updated").all()
    again = ws.token_management.list().set_index("token_id").loc[chosen["token_id"]]
    assert again["comment"].tolist() == before["comment"].tolist()
    assert scopes_of(again) == scopes_of(before)


def scopes_of(tokens):
    return [each if isinstance(each, list) else [] for each in tokens["scopes"]]


def test_a_preview_is_a_frame_to_plan_from_and_gives_the_same_plan(ws, victims):
    plan = ws.plan_update(victims.head(3), comment="new", scopes=["sql"])
    assert ws.plan_update(plan.preview()).preview().equals(plan.preview())


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"new_comment": [7, 8]}, "new_comment must be a text"),
        ({"new_scopes": ["sql", "jobs"]}, "new_scopes must be a list of texts"),
        ({"new_scopes": [[1], ["sql"]]}, "new_scopes must be a list of texts"),
        ({"new_comment": ["one", "another"], "token_id": "a" * 64}, "in two rows"),
    ],
)
def test_a_frame_without_one_clear_change_for_each_token_is_rejected(ws, victims, columns, words):
    with pytest.raises(tokenkit.UsageError, match=words):
        ws.plan_update(victims[["token_id"]].head(2).assign(**columns))


def test_a_run_that_left_something_is_finished_with_each_tokens_own_change(ws, company, victims):
    wanted = victims[["token_id"]].head(3).assign(new_comment=["first", "second", "third"])
    plan = ws.plan_update(wanted)
    company.faults.add(Fault(method="PATCH", status=400, offset=1, times=1))
    assert sorted(plan.apply(workers=1)["outcome"]) == ["failed", "updated", "updated"]
    assert tokenkit.resume(plan.run_id, workspace=ws)["outcome"].eq("updated").all()
    assert comments(ws, plan.token_ids) == ["first", "second", "third"]


def test_what_is_so_already_is_not_in_the_plan(ws, victims):
    one = victims[victims["comment"].notna()].iloc[0]
    plan = ws.plan_update(one.token_id, comment=one.comment)
    assert (len(plan), plan.summary().doing, plan.summary().count, plan.can_be_undone) == (0, "", 0, False)
    assert plan.preview().dtypes.to_dict() == ws.plan_update(one.token_id, comment="new").preview().dtypes.to_dict()


@pytest.mark.parametrize(
    ("tokens", "changes", "words"),
    [(None, {}, "Nothing to change"), (["0" * 64], {"comment": "x"}, "has no token")],
)
def test_an_impossible_plan_is_rejected(ws, victims, tokens, changes, words):
    with pytest.raises(tokenkit.UsageError, match=words):
        ws.plan_update(victims if tokens is None else tokens, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"comment": 5}, "comment must be of type str, not int."),
        ({"scopes": "sql"}, "scopes must be a list, and each value of type str."),
        ({"comment": "x", "reason": 5}, "reason must be of type str, not int."),
    ],
)
def test_an_argument_of_an_update_that_cannot_be_used_is_named(ws, victims, changes, message):
    with pytest.raises(tokenkit.UsageError) as raised:
        ws.plan_update(victims, **changes)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("count", "end"), [(1, "."), (2, f", '{1:064x}'."), (3, " and 2 more."), (1_502, " and 1,501 more.")]
)
def test_tokens_that_do_not_exist_are_counted_and_the_first_is_named(ws, victims, count, end):
    missing = [f"{number:064x}" for number in range(count)]
    with pytest.raises(tokenkit.UsageError) as raised:
        ws.plan_update([*victims["token_id"], *missing], comment="x")
    assert str(raised.value) == f"{ws.name} has no token {missing[0]!r}{end}"


def test_what_was_not_applied_cannot_be_undone(ws, victims):
    with pytest.raises(tokenkit.UsageError, match="not applied"):
        ws.plan_update(victims, comment="x").undo()
    revoked = ws.revoke(victims.head(1))
    revoked.apply()
    with pytest.raises(tokenkit.UsageError, match="Only runs of kind 'update'"):
        ws.undo(revoked.run_id)


def test_a_token_whose_response_was_lost_is_looked_up_and_known_to_be_updated(ws, company, victims):
    company.faults.add(Fault(method="PATCH", drop=True, after_handler=True, times=3))
    result = ws.plan_update(victims, comment="new").apply()
    assert result["outcome"].eq("updated").all()
    assert [record.method for record in company.requests].count("PATCH") == len(victims)


def test_a_use_since_the_plan_is_not_a_reason_to_skip_and_a_deleted_token_is_already_gone(ws, company, victims):
    plan = ws.plan_update(victims.head(2), comment="new")
    state = company.workspaces[0].state
    state.tokens.touch(plan.token_ids[0], 1_772_323_200_000)
    state.tokens.delete(plan.token_ids[1])
    assert plan.apply()["outcome"].tolist() == ["updated", "already_gone"]


def test_the_summary_counts_the_tokens_that_get_other_scopes(ws, victims):
    changes = victims[["token_id"]].assign(new_comment="x", new_scopes=None)
    changes["new_scopes"] = [["sql"]] * 3 + [None] * (len(victims) - 3)
    assert ws.plan_update(changes).summary().warnings["new scopes"] == 3
    assert ws.plan_update(victims, comment="x").summary().warnings["new scopes"] == 0


@pytest.mark.parametrize(("scopes", "count"), [(["all-apis", "sql"], 2), ([], 2), (["sql"], 0)])
def test_the_summary_counts_the_tokens_that_get_access_to_all_apis(ws, victims, scopes, count):
    limited = victims.head(2)
    ws.plan_update(limited, scopes=["clusters"]).apply()
    plan = ws.plan_update(limited, scopes=scopes)
    assert plan.summary().warnings["access to all APIs"] == count
    assert ("access to all APIs (2)" in str(plan)) is bool(count)


def test_a_plan_shows_itself(ws, victims):
    plan = ws.plan_update(victims, comment="<b>new</b>")
    assert "<UpdatePlan: 50 tokens on " in repr(plan)
    assert "<b>new" not in plan._repr_html_()


@pytest.mark.parametrize("later", [{"comment": "of somebody else"}, {"scopes": ["sql"]}])
def test_what_somebody_changed_since_is_left_out_of_the_undoing(ws, victims, later):
    plan = ws.plan_update(victims, comment="x", scopes=["sql", "jobs"])
    plan.apply()
    changed = victims["token_id"].iloc[0]
    ws.token_management.update_token_management(changed, later, update_mask=[*later])
    undo = plan.undo()
    assert undo.left_out[["token_id", "reason"]].to_numpy().tolist() == [
        [changed, "changed since, to other values than the run wrote"]
    ]
    undo.apply()
    kept = ws.tokens().set_index("token_id").loc[changed]
    assert kept[next(iter(later))] == next(iter(later.values()))
    assert set(undo.token_ids) == {*victims["token_id"]} - {changed}


def test_what_was_undone_is_not_undone_again(ws, victims):
    plan = ws.plan_update(victims, comment="x")
    plan.apply()
    plan.undo().apply()
    again = plan.undo()
    assert len(again) == 0
    assert again.summary().left_out == {"already restored to the earlier values": len(victims)}


@pytest.mark.parametrize("again", ["apply", "resume"])
def test_what_somebody_changed_since_the_plan_is_not_overwritten(ws, victims, again):
    changed, _ = chosen = victims["token_id"].head(2).tolist()
    plan = ws.plan_update(chosen, comment="from the plan")
    ws.token_management.update_token_management(changed, {"comment": "owner's note"}, update_mask="comment")
    if again == "apply":
        result = plan.apply()
    else:
        with Journal(ws.folder) as journal:
            run = plan.record(journal, RunOptions())
        assert ws.plan_resume(run.run_id).left_out["token_id"].tolist() == [changed]
        result = ws.resume(run.run_id)
    result = result.set_index("token_id").loc[chosen]
    assert result["outcome"].tolist() == ["skipped", "updated"]
    assert result["error"].iloc[0] == "comment changed since the plan"
    assert comments(ws, chosen) == ["owner's note", "from the plan"]


def test_another_field_that_changed_since_the_plan_does_not_prevent_the_update(ws, victims):
    token_id = victims["token_id"].iloc[0]
    plan = ws.plan_update(token_id, comment="from the plan")
    ws.token_management.update_token_management(token_id, {"scopes": ["sql"]}, update_mask="scopes")
    assert plan.apply()["outcome"].tolist() == ["updated"]


def test_a_finished_update_that_was_undone_or_changed_since_is_not_resumed(ws, company, victims):
    _, noted = chosen = victims["token_id"].head(2).tolist()
    plan = ws.plan_update(chosen, comment="from the plan")
    plan.apply()
    ws.token_management.update_token_management(noted, {"comment": "owner's note"}, update_mask="comment")
    ws.undo(plan.run_id).apply()
    before = comments(ws, chosen)
    company.requests.clear()
    assert ws.resume(plan.run_id)["outcome"].tolist() == ["updated", "updated"]
    assert ws.resume(plan.run_id)["outcome"].tolist() == ["updated", "updated"]
    assert "PATCH" not in {record.method for record in company.requests}
    assert comments(ws, chosen) == before
    assert ws.runs()["remaining"].tolist() == [0, 0]


def test_a_token_that_is_gone_is_left_out_of_the_undoing(ws, company, victims):
    gone, kept = chosen = victims["token_id"].head(2).tolist()
    plan = ws.plan_update(chosen, comment="from the plan")
    plan.apply()
    company.workspaces[0].state.tokens.delete(gone)
    undo = ws.undo(plan.run_id)
    assert undo.token_ids == (kept,)
    assert undo.left_out[["token_id", "reason"]].to_numpy().tolist() == [[gone, "no longer listed"]]


@pytest.mark.parametrize("count", [1, 3])
def test_the_reasons_that_a_preview_counts_fit_one_token_and_several(ws, victims, count):
    chosen = victims["token_id"].head(count).tolist()
    plan = ws.plan_update(chosen, comment="from the plan")
    with Journal(ws.folder) as journal:
        run = plan.record(journal, RunOptions())
    for token_id in chosen:
        ws.token_management.update_token_management(token_id, {"comment": "owner's note"}, update_mask="comment")
    tokens = pluralize(count, "token")
    assert f"Left out: {tokens} (comment changed since the plan)." in str(ws.plan_resume(run.run_id))
    ws.plan_update(chosen, comment="from the plan").apply()
    undone = ws.resume(run.run_id), ws.undo(run.run_id).apply()
    assert [set(each["outcome"]) for each in undone] == [{"updated"}, {"updated"}]
    assert f"Left out: {tokens} (already restored to the earlier values)." in str(ws.undo(run.run_id))
    for token_id in chosen:
        ws.token_management.update_token_management(token_id, {"comment": "a third"}, update_mask="comment")
    assert f"Left out: {tokens} (changed since, to other values than the run wrote)." in str(ws.undo(run.run_id))
    own = ws.tokens(owner=ws.me())["token_id"].head(count)
    own_tokens = pluralize(len(own), "token")
    assert f"Left out: {own_tokens} (yours; excluded without include_own=True)." in str(ws.revoke(own))
    assert f"Left out: {tokens} (not found)." in str(ws.revoke([str(number) * 64 for number in range(count)]))
