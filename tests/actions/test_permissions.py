"""The plan to change permissions: its preview is what the workspace deletes."""

import pandas as pd
import pytest

import tokenkit
from tests.conftest import NOW
from tokenkit.actions.journal import Journal
from tokenkit.sandbox import Fault, Sandbox

ONLY_ENGINEERS = [{"group_name": "data-engineers", "permission_level": "CAN_USE"}]


def test_the_preview_is_exactly_what_the_workspace_deletes(ws, company, ids):
    before = ids(company)
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    assert ids(company) == before
    preview = plan.preview()
    assert len(preview) == len(plan) > 0
    assert plan.loses["tokens"].sum() == len(plan)
    result = plan.apply()
    assert set(result["token_id"]) == set(preview["token_id"]) == before - ids(company)
    assert result["outcome"].eq("revoked").all()
    assert set(ws.token_management.get_permissions()["group_name"].dropna()) == {"admins", "data-engineers"}


def test_adding_takes_nothing_from_anybody(ws, company, ids):
    before = ids(company)
    plan = ws.plan_permissions([{"group_name": "contractors", "permission_level": "CAN_USE"}])
    assert (len(plan.loses), len(plan)) == (0, 0)
    assert len(plan.gains) > 0
    assert len(plan.apply()) == 0
    assert ids(company) == before


def test_who_keeps_the_right_by_another_path_is_named(ws):
    permissions = ws.token_management.get_permissions()
    plan = ws.plan_permissions(permissions[permissions["group_name"] != "data-engineers"], replace=True)
    assert len(plan.keeps_by_another_path) > 0
    assert not set(plan.keeps_by_another_path["id"]) & set(plan.loses["id"])


def test_the_journal_has_the_tokens_that_died_and_why(ws):
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True, reason="fewer people")
    plan.apply()
    rows = ws.journal()
    assert set(rows["token_id"]) == set(plan.token_ids)
    assert set(rows["kind"]) == {"permissions"}
    assert set(rows["reason"]) == {"fewer people"}
    assert set(rows["outcome"]) == {"revoked"}


def test_permissions_that_changed_since_the_plan_are_left_alone(ws, company, ids):
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    ws.token_management.update_permissions([{"group_name": "contractors", "permission_level": "CAN_USE"}])
    before = ids(company)
    with pytest.raises(tokenkit.UsageError, match="changed since the plan"):
        plan.apply()
    assert ids(company) == before


def test_a_plan_that_would_kill_more_than_it_shows_is_refused(ws, company, ids):
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    state = company.workspaces[0].state
    loser = int(plan.loses["id"].iloc[0])
    info = next(i for i in state.tokens.infos() if i["owner_id"] not in set(plan.loses["id"]))
    state.tokens.replace({**info, "owner_id": loser})
    before = ids(company)
    with pytest.raises(tokenkit.UsageError, match="1 more token would be deleted"):
        plan.apply()
    assert ids(company) == before


@pytest.mark.parametrize(("protects", "refused"), [("", "1 more token would be"), ("[protect]", "1 protected token")])
def test_a_change_that_would_kill_more_by_now_is_not_resumed(ws, company, ids, protects, refused):
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    with Journal(ws.folder) as journal:
        run = plan.record(journal)
    state = company.workspaces[0].state
    info = next(i for i in state.tokens.infos() if i["owner_id"] not in set(plan.loses["id"]))
    state.tokens.replace({**info, "owner_id": int(plan.loses["id"].iloc[0])})
    patterns = f'{protects}\ntoken_ids = ["{info["token_id"]}"]\n' if protects else ""
    (ws.folder / "config.toml").write_text(patterns)
    before = ids(company)
    with pytest.raises(tokenkit.UsageError, match=refused):
        tokenkit.resume(run.run_id, workspace=ws)
    assert ids(company) == before
    assert set(ws.journal()["outcome"]) == {"planned"}


def test_a_refused_change_is_an_error_and_every_token_failed(ws, company, ids):
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    before = ids(company)
    company.faults.add(Fault(method="PUT", status=400))
    with pytest.raises(tokenkit.InvalidParameterError):
        plan.apply()
    assert ids(company) == before
    assert set(ws.journal()["outcome"]) == {"failed"}


def test_a_change_whose_response_was_lost_is_looked_up_and_done(ws, company, ids):
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    company.faults.add(Fault(method="PUT", drop=True, after_handler=True, times=1))
    result = plan.apply()
    assert set(result["outcome"]) == {"revoked"}
    assert result["error"].str.contains("lost").all()
    assert not set(plan.token_ids) & ids(company)
    assert tokenkit.resume(plan.run_id, workspace=ws)["outcome"].eq("revoked").all()


def test_a_change_that_never_arrived_is_sent_by_resume(ws, company, ids):
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    company.faults.add(Fault(method="PUT", drop=True, times=1))
    with pytest.raises(tokenkit.AnswerLostError):
        plan.apply()
    assert set(plan.token_ids) <= ids(company)
    assert tokenkit.resume(plan.run_id, workspace=ws)["outcome"].eq("revoked").all()
    assert not set(plan.token_ids) & ids(company)


def test_a_plan_shows_itself(ws):
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    assert "will change; nothing changes before .apply()" in repr(plan)
    assert f"principals losing permission ({len(plan.loses)})" in plan._repr_html_()
    assert isinstance(plan.preview(), pd.DataFrame)


@pytest.mark.parametrize("lost_tokens", ["deleted", "disabled_through_groups", "disabled"])
def test_the_preview_is_exact_in_each_behaviour_that_is_documented(lost_tokens, tmp_path):
    with Sandbox(tokens=160, clock=NOW.timestamp, lost_tokens=lost_tokens) as sandbox:
        ws = tokenkit.connect(host=sandbox.host, token=sandbox.token, clock=NOW, home=tmp_path)
        state = sandbox.workspaces[0].state
        # Somebody outside of all groups but users, whose own entry goes.
        somebody = ws.plan_permissions([], replace=True).preview().query("owner_kind == 'user'")["owner"].iloc[0]
        ws.token_management.update_permissions([{"user_name": somebody, "permission_level": "CAN_USE"}])
        before = ws.tokens(status="active")
        before = before[before["owner_id"].isin(state.permissions.holders())]  # those of others do not work as it is
        plan = ws.plan_permissions([], replace=True)
        preview = plan.preview().set_index("token_id")
        assert set(preview["effect"]) == {"deleted", "deleted_or_disabled"}
        assert somebody in set(preview.loc[preview["effect"] == "deleted", "owner"])
        result = plan.apply().set_index("token_id")
        gone = set(before["token_id"]) - state.tokens.ids()
        unusable = {
            token_id
            for token_id, owner in before[["token_id", "owner_id"]].itertuples(index=False)
            if token_id in gone or state.permissions.disables(owner)
        }
        assert unusable == set(preview.index)
        expected = {
            "deleted": set(preview.index),
            "disabled_through_groups": set(preview.index[preview["effect"] == "deleted"]),
            "disabled": set(),
        }[lost_tokens]
        assert gone == expected
        assert set(result.index[result["outcome"] == "revoked"]) == gone
        assert set(result.index[result["outcome"] == "still_listed"]) == set(preview.index) - gone
        assert set(result["outcome"]) <= {"revoked", "still_listed"}
        recorded = ws.journal().set_index("token_id")["outcome"]
        assert recorded.to_dict() == result["outcome"].to_dict()


def test_a_disabled_token_is_refused_and_works_again_once_its_owner_has_the_right(tmp_path):
    with Sandbox(tokens=60, clock=NOW.timestamp, lost_tokens="disabled") as sandbox:
        ws = tokenkit.connect(host=sandbox.host, token=sandbox.token, clock=NOW, home=tmp_path)
        user = ws._transport.call("POST", "/api/2.0/preview/scim/v2/Users", body={"userName": "eve@example.com"})
        ws.token_management.update_permissions([{"user_name": "eve@example.com", "permission_level": "CAN_USE"}])
        state = sandbox.workspaces[0].state
        at = round(NOW.timestamp() * 1000)
        minted = state.tokens.mint(
            owner_id=int(user["id"]),
            created_by_id=int(user["id"]),
            created_by_username="eve@example.com",
            creation_time=at,
            expiry_time=-1,
        )
        eve = tokenkit.connect(host=sandbox.host, token=minted.value, clock=NOW, home=tmp_path)
        assert eve.me() == "eve@example.com"
        ws.plan_permissions([], replace=True).apply()
        with pytest.raises(tokenkit.AuthenticationError):
            eve.me()
        ws.token_management.update_permissions([{"user_name": "eve@example.com", "permission_level": "CAN_USE"}])
        assert eve.me() == "eve@example.com"


def test_a_service_principal_may_be_named_by_its_display_name(ws):
    principals = ws.service_principals()
    principal = principals[~principals["display_name"].duplicated(keep=False)].iloc[0]
    ws.plan_permissions(
        [{"service_principal_name": principal["display_name"], "permission_level": "CAN_USE"}], replace=False
    ).apply()
    assert principal["application_id"] in set(ws.token_management.get_permissions()["service_principal_name"])
    with pytest.raises(tokenkit.UsageError, match=f"Did you mean .*{principal['display_name']}"):
        ws.plan_permissions(
            [{"service_principal_name": f"{principal['display_name']}x", "permission_level": "CAN_USE"}]
        )
