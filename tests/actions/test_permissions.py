"""The plan to change permissions: its preview is what the workspace deletes."""

import re
import threading

import pandas as pd
import pytest

import tokenkit
from tests.conftest import NOW
from tokenkit.actions import permissions
from tokenkit.actions.journal import Journal
from tokenkit.actions.options import RunOptions
from tokenkit.sandbox import Fault, Sandbox

ONLY_ENGINEERS = [{"group_name": "data-engineers", "permission_level": "CAN_USE"}]


def test_the_preview_is_exactly_what_the_workspace_deletes(ws, company, ids):
    before = ids(company)
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    assert ids(company) == before
    preview = plan.preview()
    assert len(preview) == len(plan) > 0
    columns = ["token_id", "owner", "owner_kind", "comment", "status", "last_used_day", "expiry_time", "effect"]
    assert list(preview.columns) == [*columns, "protected"]
    assert preview.index.tolist() == list(range(len(plan)))
    assert plan.losing_access["tokens"].sum() == len(plan)
    result = plan.apply()
    assert set(result["token_id"]) == set(preview["token_id"]) == before - ids(company)
    assert result["outcome"].eq("revoked").all()
    assert set(ws.token_management.get_permissions()["group_name"].dropna()) == {"admins", "data-engineers"}


def test_tokens_that_are_in_use_are_warnings_as_before_a_revocation(ws):
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    same = ws.revoke(ws.tokens().merge(plan.preview()["token_id"]), include_own=True)
    assert set(same.token_ids) == set(plan.token_ids)
    names = ["used in the last 7 days", "a service principal's"]
    expected = {name: same.summary().warnings[name] for name in names}
    assert {name: plan.summary().warnings[name] for name in names} == expected
    assert all(expected.values())
    assert set(plan.used_recently()) == set(plan.summary().warned["used in the last 7 days"])
    of_fleet = tokenkit.fleet([ws], progress=False).plan_permissions(ONLY_ENGINEERS, replace=True)
    assert {name: of_fleet.summary().warnings[name] for name in names} == expected


def test_adding_takes_nothing_from_anybody(ws, company, ids):
    before = ids(company)
    plan = ws.plan_permissions([{"group_name": "contractors", "permission_level": "CAN_USE"}])
    assert (len(plan.losing_access), len(plan)) == (0, 0)
    assert len(plan.gaining_access) > 0
    assert len(plan.apply()) == 0
    assert ids(company) == before


def test_who_keeps_the_right_by_another_path_is_named(ws):
    permissions = ws.token_management.get_permissions()
    plan = ws.plan_permissions(permissions[permissions["group_name"] != "data-engineers"], replace=True)
    assert len(plan.keeping_access) > 0
    assert not set(plan.keeping_access["id"]) & set(plan.losing_access["id"])


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


def test_a_plan_that_would_delete_more_than_it_shows_is_rejected(ws, company, ids):
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    state = company.workspaces[0].state
    loser = int(plan.losing_access["id"].iloc[0])
    info = next(i for i in state.tokens.infos() if i["owner_id"] not in set(plan.losing_access["id"]))
    state.tokens.replace({**info, "owner_id": loser})
    before = ids(company)
    with pytest.raises(tokenkit.UsageError, match="1 more token would be deleted"):
        plan.apply()
    assert ids(company) == before


@pytest.mark.parametrize(("protects", "refused"), [("", "1 more token would be"), ("[protect]", "1 protected token")])
def test_a_change_that_would_kill_more_by_now_is_not_resumed(ws, company, ids, protects, refused):
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    with Journal(ws.folder) as journal:
        run = plan.record(journal, RunOptions())
    state = company.workspaces[0].state
    info = next(i for i in state.tokens.infos() if i["owner_id"] not in set(plan.losing_access["id"]))
    state.tokens.replace({**info, "owner_id": int(plan.losing_access["id"].iloc[0])})
    patterns = f'{protects}\ntoken_ids = ["{info["token_id"]}"]\n' if protects else ""
    (ws.folder / "config.toml").write_text(patterns)
    before = ids(company)
    with pytest.raises(tokenkit.UsageError, match=refused):
        tokenkit.resume(run.run_id, workspace=ws)
    assert ids(company) == before
    assert set(ws.journal()["outcome"]) == {"pending"}


def test_a_change_that_would_delete_protected_tokens_says_which_and_how_to_allow_or_unprotect_them(ws):
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    patterns = ", ".join(f'"{token_id}"' for token_id in plan.token_ids[:2])
    ws.folder.mkdir(parents=True, exist_ok=True)
    (ws.folder / "config.toml").write_text(f"[protect]\ntoken_ids = [{patterns}]\n")
    with pytest.raises(tokenkit.UsageError) as caught:
        ws.plan_permissions(ONLY_ENGINEERS, replace=True).apply()
    said = str(caught.value)
    assert "would delete 2 protected tokens: " in said
    assert said.endswith(" Allow each by its id with allow_protected=[…], or change config.toml.")
    assert all(token_id in said for token_id in plan.token_ids[:2])


def test_a_recorded_change_is_not_resumed_once_the_permissions_have_changed(ws, company, ids):
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    with Journal(ws.folder) as journal:
        run = plan.record(journal, RunOptions())
    ws.token_management.update_permissions([{"group_name": "contractors", "permission_level": "CAN_USE"}])
    now, before = ws.token_management.get_permissions(), ids(company)
    with pytest.raises(tokenkit.UsageError, match=f"changed since run {run.run_id} was planned. Plan again"):
        tokenkit.resume(run.run_id, workspace=ws)
    pd.testing.assert_frame_equal(ws.token_management.get_permissions(), now)
    assert ids(company) == before


@pytest.mark.parametrize(
    ("owners", "sentence"),
    [
        ([], ""),
        (["ann"], "1 token was deleted that the preview did not show: ann (1)."),
        (["ann", "bob", "ann"], "3 tokens were deleted that the preview did not show: ann (2), bob (1)."),
        (list("abcde"), "5 tokens were deleted that the preview did not show: a (1), b (1), c (1), d (1), e (1)."),
        (list("abcdef"), "6 tokens .*, e \\(1\\), f \\(1\\)\\."),
        (list("abcdefg"), "7 tokens .*, e \\(1\\) and 2 more owners\\."),
        (["ann"] * 1_500, "1,500 tokens were deleted that the preview did not show: ann (1,500)."),
    ],
)
def test_tokens_that_were_lost_beyond_the_preview_are_named_by_owner(owners, sentence):
    error = [permissions.BEYOND_PREVIEW] * len(owners) + [None, "another remark"]
    result = pd.DataFrame({"owner": [*owners, "zoe", "zoe"], "error": pd.array(error, "string")})
    said = permissions.beyond_preview(result)
    assert said == sentence or re.fullmatch(sentence, said)


def test_a_rejected_change_is_an_error_and_every_token_failed(ws, company, ids):
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


def test_whether_a_change_replaces_the_permissions_is_true_or_false(ws):
    with pytest.raises(tokenkit.UsageError, match=r"^replace must be True or False, not str\.$"):
        ws.plan_permissions(ONLY_ENGINEERS, replace="no")


def test_no_token_is_looked_up_after_a_stop_and_the_change_is_made(ws, company):
    plan, stop = ws.plan_permissions(ONLY_ENGINEERS, replace=True), threading.Event()
    stop.set()
    result = plan.apply(stop=stop)
    assert result.attrs["ended_by"] == "stop"
    assert set(result["outcome"]) == {"unknown"}
    assert sum(record.method == "PUT" for record in company.requests) == 1
    assert set(ws.resume(plan.run_id)["outcome"]) == {"revoked"}


def test_a_change_that_never_arrived_is_sent_by_resume(ws, company, ids):
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    company.faults.add(Fault(method="PUT", drop=True, times=1))
    with pytest.raises(tokenkit.ResponseLostError):
        plan.apply()
    assert set(plan.token_ids) <= ids(company)
    assert tokenkit.resume(plan.run_id, workspace=ws)["outcome"].eq("revoked").all()
    assert not set(plan.token_ids) & ids(company)


def test_a_plan_shows_itself(ws):
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    assert repr(plan).startswith("<PermissionPlan: The permissions of ")
    assert f"will change: {plan.changed_entries()}, which would " in repr(plan)
    assert ": CAN_USE -> none" in repr(plan)
    assert repr(plan).endswith(f"delete or disable {len(plan)} tokens; nothing changes before .apply()>")
    assert f"{len(plan.losing_access)} principals will lose permission to use tokens: " in plan._repr_html_()
    assert str(plan).count(plan.changed_entries()) == 1
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


def test_the_question_says_whether_tokens_are_deleted_or_may_only_be_disabled(ws):
    everybody = ws.plan_permissions([], replace=True)
    assert everybody.summary().doing == f"delete or disable {len(everybody)} tokens"
    losing = everybody.preview()
    somebody = losing.loc[losing["owner_kind"] == "user", "owner"].iloc[0]
    ws.token_management.set_permissions([{"user_name": somebody, "permission_level": "CAN_USE"}])
    alone = ws.plan_permissions([], replace=True)
    assert set(alone.preview()["effect"]) == {"deleted"}
    assert alone.summary().doing.endswith("for good")


def test_a_change_that_costs_no_token_asks_about_the_principals(ws):
    tokens, users = ws.tokens(), ws.users()
    without = users.loc[~users["id"].isin(tokens["owner_id"]), "user_name"].head(2)
    keep = ws.token_management.get_permissions()
    ws.token_management.update_permissions([{"user_name": name, "permission_level": "CAN_USE"} for name in without])
    summary = ws.plan_permissions(keep, replace=True).summary()
    losing = ws.plan_permissions(keep, replace=True).losing_access
    assert (summary.count, len(losing)) == (2, 2)
    assert summary.doing == "remove permission from 2 principals"
    assert summary.outline[0].startswith("2 principals will lose permission to use tokens: ")


def test_a_disabled_token_is_rejected_and_works_again_once_its_owner_has_permission(tmp_path):
    with Sandbox(tokens=60, clock=NOW.timestamp, lost_tokens="disabled") as sandbox:
        ws = tokenkit.connect(host=sandbox.host, token=sandbox.token, clock=NOW, home=tmp_path)
        user = ws.api._transport.call("POST", "/api/2.0/preview/scim/v2/Users", body={"userName": "eve@example.com"})
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


def levels_of(ws, group):
    listed = ws.token_management.get_permissions()
    return listed.loc[listed["group_name"] == group, "permission_level"].tolist()


def grant(group, level=None):
    return [{"group_name": group} | ({"permission_level": level} if level else {})]


def test_a_plan_names_a_service_principal_by_its_display_name_and_the_id_to_type(ws):
    principal = ws.service_principals().iloc[0]
    named = f"{principal['display_name']} ({principal['application_id']})"
    plan = ws.plan_permissions([{"service_principal_name": principal["display_name"]}])
    assert plan.changed_entries() == f"service principal {named}: none -> CAN_USE"
    assert plan.principals()["Entries that change"]["principal"].tolist() == [named]
    assert plan.changes["principal"].tolist() == [principal["application_id"]]
    plan.apply(progress=False)
    again = ws.plan_permissions([{"service_principal_name": principal["application_id"]}])
    assert again.reasons() == f": service principal {named} has CAN_USE already"
    fleet = tokenkit.fleet([ws]).plan_permissions([{"service_principal_name": principal["application_id"]}])
    assert fleet.reasons() == f": service principal {named} has CAN_USE already in {ws.host}"


def test_a_change_that_nobody_notices_says_so_and_why(ws):
    member = ws.access("can_use")
    member = member.loc[member["via"].str.contains("data-engineers", na=False) & (member["kind"] == "user")].iloc[0]
    plan = ws.plan_permissions([{"user_name": member["principal"]}])
    nobody = "No principal will gain or lose permission to use tokens: "
    assert plan.outline()[0] == f"{nobody}they have it by another path, or a group has no members."
    raised = ws.plan_permissions([{"group_name": "data-engineers", "permission_level": "CAN_MANAGE"}])
    assert raised.outline() == (f"{nobody}only levels change.", "group data-engineers: CAN_USE -> CAN_MANAGE.")
    assert ws.plan_permissions([{"group_name": "data-engineers"}]).outline() == ()


def test_an_addition_without_a_level_never_lowers_one_and_sends_nothing(ws, company):
    ws.token_management.update_permissions(grant("bi-team", "CAN_MANAGE"))
    company.requests.clear()
    plan = ws.plan_permissions(grant("bi-team"))
    assert repr(plan).endswith("group bi-team has CAN_MANAGE already, which includes CAN_USE>")
    assert (len(plan.changes), plan.summary().doing) == (0, "")
    assert len(plan.apply()) == 0
    assert plan.run_id is None
    assert {request.method for request in company.requests} == {"GET"}
    assert levels_of(ws, "bi-team") == ["CAN_MANAGE"]


@pytest.mark.parametrize(
    ("before", "level", "change", "doing"),
    [
        ("CAN_MANAGE", "CAN_USE", "CAN_MANAGE -> CAN_USE", "lower 1 entry"),
        ("CAN_USE", "CAN_MANAGE", "CAN_USE -> CAN_MANAGE", "raise 1 entry to CAN_MANAGE"),
    ],
)
def test_a_change_of_a_level_is_shown_and_confirmed(ws, before, level, change, doing):
    ws.token_management.update_permissions(grant("bi-team", before))
    plan = ws.plan_permissions(grant("bi-team", level))
    assert f"group bi-team: {change}" in repr(plan)
    assert change in plan._repr_html_().replace("-&gt;", "->")
    assert (plan.summary().doing, plan.summary().count) == (doing, 1)
    plan.apply()
    assert levels_of(ws, "bi-team") == [level]


def test_adding_can_use_alone_needs_no_confirmation_and_adding_more_does(ws):
    assert ws.plan_permissions(grant("contractors")).summary().doing == ""
    more = ws.plan_permissions(grant("contractors", "CAN_MANAGE")).summary()
    assert (more.doing, more.count) == ("add 1 entry with a level above CAN_USE", 1)


def test_permission_for_all_users_is_confirmed_and_the_preview_says_that_the_audit_reports_it(ws):
    plan = ws.plan_permissions([*grant("users"), *grant("contractors")])
    assert (plan.summary().doing, plan.summary().count) == ("add 1 entry for all users", 1)
    assert "entries for all users, which the audit reports as all-users-can-use (1)" in plan._in_short().closing[-1]
    assert ws.audit(rules=["all-users-can-use"]).summary["findings"].tolist() == [0]
    plan.apply()
    assert ws.audit(rules=["all-users-can-use"]).summary["findings"].tolist() == [1]
    raised = ws.plan_permissions(grant("users", "CAN_MANAGE")).summary()
    assert raised.doing == "raise 1 entry to CAN_MANAGE"
    assert not any(count for warning, count in raised.warnings.items() if "all users" in warning)  # it is not new


@pytest.mark.parametrize("replace", [True, False])
def test_admins_cannot_be_lowered(ws, replace):
    with pytest.raises(tokenkit.UsageError, match="always has CAN_MANAGE"):
        ws.plan_permissions(grant("admins", "CAN_USE"), replace)


def test_a_removal_keeps_all_other_entries(ws):
    before = ws.token_management.get_permissions()
    plan = ws.plan_permission_removal(grant("bi-team"))
    assert plan.changes["principal"].tolist() == ["bi-team"]
    plan.apply()
    after = ws.token_management.get_permissions()
    names = ["user_name", "group_name", "service_principal_name", "permission_level"]
    expected = before.loc[before["group_name"].fillna("") != "bi-team", names].fillna("")
    assert set(after[names].fillna("").itertuples(index=False)) == set(expected.itertuples(index=False))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (grant("bi-tea"), "no entry of group bi-tea .* Did you mean bi-team"),
        (grant("admins"), "always has CAN_MANAGE"),
        (grant("bi-team", "CAN_MANAGE"), "has CAN_USE, not CAN_MANAGE"),
    ],
)
def test_an_entry_that_cannot_be_removed_is_an_error(ws, entry, message):
    with pytest.raises(tokenkit.UsageError, match=message):
        ws.plan_permission_removal(entry)


def test_a_service_principal_is_removed_by_its_display_name(ws):
    listed = ws.token_management.get_permissions()["service_principal_name"].dropna()
    programs = ws.service_principals().set_index("application_id")["display_name"]
    plan = ws.plan_permission_removal([{"service_principal_name": programs[listed.iloc[0]]}])
    assert plan.changes["principal"].tolist() == [listed.iloc[0]]
