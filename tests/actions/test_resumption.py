"""The plan to finish a run: what remains, what would be left out, and whether somebody is asked before it goes on."""

from dataclasses import replace

import pandas as pd
import pytest

import tokenkit
from tests.actions.examples import RUN, entries
from tests.conftest import NOW
from tokenkit import errors
from tokenkit.actions import resumption
from tokenkit.actions.journal import Journal
from tokenkit.actions.options import RunOptions
from tokenkit.commands import returned
from tokenkit.sandbox import Fault

DAY = pd.Timedelta(days=1)


@pytest.fixture
def others(ws):
    tokens = ws.tokens(status="active")
    return tokens[tokens["owner"] != "admin@example.com"].reset_index(drop=True)


@pytest.fixture
def run_id(ws, others, company):
    """A run of six tokens, four of which could not be revoked."""
    company.faults.add(Fault(method="DELETE", status=400, times=4))
    plan = ws.revoke(others.head(6))
    plan.apply(progress=False)
    company.faults.clear()
    return plan.run_id


def test_what_remains_is_shown_and_nothing_is_done(ws, company, run_id):
    company.requests.clear()
    plan = ws.plan_resume(run_id)
    preview = plan.preview()
    assert len(plan) == len(preview) == plan.summary().count == 4
    assert preview["outcome"].tolist() == ["failed"] * 4
    assert preview[["owner", "status"]].notna().all(axis=None)
    assert plan.summary().doing == "revoke 4 tokens for good"
    assert not plan.needs_confirmation
    assert "4 of 6 tokens" in repr(plan)
    assert "<table" in plan._repr_html_()
    assert {request.method for request in company.requests} == {"GET"}
    assert plan.apply(progress=False)["outcome"].tolist() == ["revoked"] * 6
    again = ws.plan_resume(run_id)
    assert (len(again), again.summary().doing, again.summary().count) == (0, "", 0)


def test_what_was_used_or_protected_since_would_be_left_out(ws, company, run_id):
    used, protected, gone, _ = ws.plan_resume(run_id).preview()["token_id"]
    state = company.workspaces[0].state
    state.tokens.touch(used, round((NOW + DAY).normalize().timestamp() * 1000))
    state.tokens.delete(gone)
    (ws.folder / "config.toml").write_text(f'[protect]\ntoken_ids = ["{protected}"]\n')
    plan = ws.plan_resume(run_id)
    reasons = plan.left_out.set_index("token_id")["reason"]
    assert reasons[used].startswith("used since the plan")
    assert reasons[protected].startswith("protected")
    assert reasons[gone] == "no longer listed"
    assert plan.left_out[["owner"]].notna().all(axis=None)
    assert len(plan) == len(plan.preview()) == plan.summary().count == 1
    assert plan.summary().doing == "revoke 1 token for good"
    assert sum(plan.summary().left_out.values()) == 3


def test_what_remains_has_the_warnings_of_a_revocation(ws, company, others):
    active = others[others["status"] == "active"]
    chosen = active.sort_values("last_used_day", ascending=False).head(6)
    plan = ws.revoke(chosen)
    expected = plan.preview().set_index("token_id")["warnings"]
    assert any("used in the last 7 days" in text for text in expected)
    company.faults.add(Fault(method="DELETE", status=400))
    plan.apply(progress=False)
    company.faults.clear()
    rest = ws.plan_resume(plan.run_id)
    assert rest.preview().set_index("token_id")["warnings"].to_dict() == expected.to_dict()
    assert rest.summary().warnings == plan.summary().warnings


@pytest.mark.parametrize(
    ("method", "change", "doing", "done"),
    [
        ("DELETE", lambda ws, ids: ws.revoke(ids), "revoke 2 tokens for good", "revoked"),
        ("PATCH", lambda ws, ids: ws.plan_update(ids, comment="x"), "change 2 tokens", "updated"),
    ],
)
def test_a_token_that_is_no_longer_listed_is_not_counted_and_is_settled(
    ws, company, others, method, change, doing, done
):
    plan = change(ws, [*others["token_id"].head(3)])
    company.faults.add(Fault(method=method, status=400, times=3))
    plan.apply(progress=False)
    company.faults.clear()
    gone = plan.token_ids[0]
    company.workspaces[0].state.tokens.delete(gone)
    for rest in (ws.plan_resume(plan.run_id), tokenkit.fleet([ws]).plan_resume(plan.run_id)):
        assert (len(rest), rest.summary().count, rest.summary().doing) == (2, 2, doing)
        assert rest.left_out[["token_id", "reason"]].to_numpy().tolist() == [[gone, "no longer listed"]]
        assert "Left out: 1 token (no longer listed)." in str(rest)
    outcomes = ws.resume(plan.run_id).set_index("token_id")["outcome"]
    assert outcomes.pop(gone) == "already_gone"
    assert outcomes.tolist() == [done] * 2


def test_a_change_of_permissions_is_confirmed_although_all_its_tokens_are_gone(ws, company):
    company.faults.add(Fault(method="PUT", status=400, times=1))
    change = ws.plan_permissions([{"group_name": "contractors", "permission_level": "CAN_USE"}], replace=True)
    with pytest.raises(tokenkit.ApiError):
        change.apply(progress=False)
    for token_id in change.token_ids:
        company.workspaces[0].state.tokens.delete(token_id)
    plan = ws.plan_resume(change.run_id)
    assert (len(plan), plan.summary().doing) == (0, "change the permissions")
    assert len(plan.left_out) == len(change)
    assert not plan.only_records  # it sends its one request in any case


def test_a_run_of_another_day_and_a_staged_one_need_a_confirmation(ws, others, run_id, company, connected):
    staged = ws.revoke(others.tail(2)).stage(grace="12h")
    plan = ws.plan_resume(staged.run_id)
    assert plan.needs_confirmation
    with pytest.raises(tokenkit.UsageError, match="cannot be resumed before 2026-03-01 21:30 UTC"):
        plan.check_due()
    with pytest.raises(tokenkit.UsageError, match="cannot be resumed before"):
        plan.apply()
    later = connected(company, clock=NOW + pd.Timedelta(hours=14), home=ws.folder)
    assert not later.plan_resume(run_id).needs_confirmation
    due = later.plan_resume(staged.run_id)
    due.check_due()
    fleet_plan = tokenkit.fleet([ws]).plan_resume(staged.run_id)
    assert "staged and cannot be resumed before 2026-03-01 21:30 UTC." in str(plan)
    assert str(fleet_plan).count("staged and cannot be resumed before 2026-03-01 21:30 UTC.") == 1
    assert "staged and has been due since 2026-03-01 21:30 UTC." in str(due)
    assert "staged" not in str(later.plan_resume(run_id))
    assert connected(company, clock=NOW + DAY, home=ws.folder).plan_resume(run_id).needs_confirmation


def test_an_update_and_a_change_of_permissions_are_resumed_by_a_plan_too(ws, others, company):
    company.faults.add(Fault(method="PATCH", status=400, times=1))
    update = ws.plan_update(others.head(2), comment="x")
    update.apply(progress=False)
    company.faults.clear()
    plan = ws.plan_resume(update.run_id)
    assert plan.summary().doing == "change 1 token"
    values = ["token_id", "comment", "new_comment", "scopes", "new_scopes"]
    expected = update.preview()[values].set_index("token_id").loc[[*plan.token_ids]].reset_index()
    pd.testing.assert_frame_equal(plan.preview()[values], expected)
    assert plan.apply(progress=False)["outcome"].tolist() == ["updated"] * 2
    company.faults.add(Fault(method="PUT", status=400, times=1))
    change = ws.plan_permissions([{"group_name": "contractors", "permission_level": "CAN_USE"}], replace=True)
    with pytest.raises(tokenkit.ApiError):
        change.apply()
    company.faults.clear()
    plan = ws.plan_resume(change.run_id)
    assert plan.summary().doing.startswith("change the permissions, which deletes or disables")
    assert len(plan) == len(change)
    assert plan.apply()["outcome"].eq("revoked").all()


def test_a_change_that_costs_no_token_is_to_be_finished_until_it_is_made(ws, company):
    change = ws.plan_permissions([{"group_name": "contractors", "permission_level": "CAN_USE"}])
    assert len(change) == 0
    company.faults.add(Fault(method="PATCH", status=400, times=1))
    with pytest.raises(tokenkit.ApiError):
        change.apply(progress=False)
    company.faults.clear()
    assert ws.plan_resume(change.run_id).summary().doing.startswith("change the permissions")
    ws.resume(change.run_id)
    plan = ws.plan_resume(change.run_id)
    assert (plan.summary().doing, plan.summary().count, len(plan)) == ("", 0, 0)


def test_a_run_is_held_before_the_journal_has_it(ws, others, monkeypatch):
    """Whoever sees it in the journal cannot carry it out as well."""
    begin, tried = Journal.create_run, []

    def begin_and_let_another_resume(journal, run, entries, **how):
        begin(journal, run, entries, **how)
        tried.append(run.run_id)
        with pytest.raises(tokenkit.UsageError, match="another process"):
            ws.resume(run.run_id)

    monkeypatch.setattr(Journal, "create_run", begin_and_let_another_resume)
    new = [{"group_name": "contractors", "permission_level": "CAN_USE"}]
    plans = [ws.revoke(others.head(1)), ws.plan_update(others.tail(1), comment="x"), ws.plan_permissions(new)]
    for plan in plans:
        plan.apply(progress=False)
    assert tried == [plan.run_id for plan in plans]
    assert ws.runs()["remaining"].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("revoke", {"due": "soon"}),
        ("revoke", {"due": 5}),
        ("permissions", {}),
        ("permissions", {"asked": [5], "before": [], "replace": True}),
        ("create-obo", {"owner_id": "x", "before": []}),
        ("create-obo", {"owner_id": 7, "before": [{}]}),
    ],
)
def test_a_run_whose_settings_were_altered_is_an_error_of_the_journal(ws, kind, settings):
    run = replace(RUN, kind=kind, settings=settings, host=ws.host, workspace_id=ws.identify())
    with Journal(ws.folder) as journal:
        journal.create_run(run, entries("x"), is_one_change=kind != "revoke")
    with pytest.raises(errors.JournalError, match=f"{run.run_id}.*Plan again"):
        ws.plan_resume(run.run_id)
    with pytest.raises(errors.JournalError, match=f"{run.run_id}.*Plan again"):
        ws.resume(run.run_id)


def test_a_change_of_permissions_without_tokens_is_not_said_to_delete_any():
    assert resumption.KINDS["permissions"].what_is_done(0) == "change the permissions"
    assert (
        resumption.KINDS["permissions"].what_is_done(1) == "change the permissions, which deletes or disables 1 token"
    )


@pytest.mark.parametrize("kind", ["revoke", "update"])
def test_a_run_of_which_all_other_tokens_are_left_out_is_not_said_to_change_any(kind):
    assert resumption.KINDS[kind].what_is_done(0) == "record the outcomes of the tokens that are left out"


def test_what_remains_of_an_update_has_the_present_values_and_the_new_ones(ws, others):
    listed, other = others["token_id"].head(2)
    plan = ws.plan_update([listed, other], scopes=["sql"])
    with Journal(ws.folder) as journal:
        run = plan.record(journal, RunOptions())
    ws.token_management.update_token_management(listed, {"comment": "of today"}, update_mask="comment")
    before = plan.preview().set_index("token_id")
    rows = ws.plan_resume(run.run_id).preview().set_index("token_id")
    assert rows.loc[listed, "comment"] == "of today"
    assert rows["new_comment"].isna().all()
    assert rows["new_scopes"].map(list).tolist() == [["sql"]] * 2
    pd.testing.assert_series_equal(rows["scopes"], before["scopes"])
    fleet_rows = tokenkit.fleet([ws]).plan_resume(run.run_id).preview()
    assert fleet_rows["new_scopes"].map(list).tolist() == [["sql"]] * 2
    assert set(rows.columns) <= {*returned.columns_of("resume", is_plan=True)}
