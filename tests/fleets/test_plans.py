"""Plans over several workspaces: what they show, what they hit and what they leave out."""

import pandas as pd

import tokenkit
from tests.fleets.examples import hands, ids, victims_of
from tokenkit.sandbox import Fault


def test_what_is_left_out_says_where(own_companies, tmp_path):
    fleet = tokenkit.fleet(hands(own_companies, tmp_path))
    tokens = fleet.tokens()
    own = tokens[tokens["owner"] == "admin@example.com"]
    unknown = pd.DataFrame({"workspace": [own_companies.host], "token_id": ["f" * 64]})
    plan = fleet.revoke(pd.concat([own[["workspace", "token_id"]], unknown]))
    assert len(plan) == 0
    assert plan.left_out["reason"].value_counts()["not found"] == 1
    assert set(plan.left_out["workspace"]) == set(fleet.hosts)
    assert plan.apply()["outcome"].tolist() == []
    assert list(plan.preview().columns)[:2] == ["workspace", "token_id"]


def test_tokens_are_revoked_in_the_workspace_that_the_frame_names_and_in_no_other(own_companies, tmp_path):
    """An id that two workspaces have is two tokens."""
    first, second, _ = own_companies.workspaces
    twin = victims_of(tokenkit.fleet(hands(own_companies, tmp_path))).iloc[0]
    document = first.state.tokens.find(twin["token_id"])
    assert document is not None
    database = first.state.database
    with database.transaction():
        database.change(
            "INSERT INTO tokens (workspace_id, token_id, owner_id, created_by_id, created_by_username, expiry_time, "
            "last_used_day, document) SELECT ?, token_id, owner_id, created_by_id, created_by_username, expiry_time, "
            "last_used_day, document FROM tokens WHERE workspace_id = ? AND token_id = ?",
            (second.workspace_id, first.workspace_id, twin["token_id"]),
        )
    fleet = tokenkit.fleet(hands(own_companies, tmp_path))
    tokens = fleet.tokens()
    both = tokens[tokens["token_id"] == twin["token_id"]]
    assert both["workspace"].tolist() == [first.host, second.host]
    fleet.revoke(both.tail(1)).apply(progress=False)
    assert (first.host, twin["token_id"]) in ids(own_companies)
    assert (second.host, twin["token_id"]) not in ids(own_companies)


def test_an_empty_frame_makes_an_empty_plan(fleet):
    plan = fleet.revoke(fleet.tokens().head(0))
    assert len(plan) == 0
    assert list(plan.preview().columns) == ["workspace", *tokenkit.fleets.plans.revocation.PREVIEW.names]
    assert len(plan.apply()) == 0
    assert plan.run_id is None


def test_a_workspace_that_cannot_be_planned_for_is_left_and_shown(own_companies, tmp_path):
    fleet = tokenkit.fleet(hands(own_companies, tmp_path))
    victims = victims_of(fleet)
    failing = own_companies.workspaces[1]
    own_companies.faults.add(Fault(workspace_id=failing.workspace_id, status=500))
    plan = fleet.revoke(victims)
    assert (len(plan), len(plan.plans)) == (10, 2)
    assert fleet.errors["operation"].tolist() == ["revoke"]
    assert "2 of 3 workspaces" in repr(plan)
    assert "the plan is partial" in repr(plan)
    assert "without a plan because of an error" in plan._repr_html_()


def test_permissions_change_in_every_workspace_and_the_deleted_tokens_are_shown(own_companies, tmp_path):
    fleet = tokenkit.fleet(hands(own_companies, tmp_path))
    plan = fleet.plan_permissions([{"group_name": "contractors", "permission_level": "CAN_USE"}], replace=True)
    assert "group data-engineers: CAN_USE -> none in 3 workspaces" in plan.changed_entries()
    assert plan.preview()["workspace"].nunique() == 3
    assert plan.losing_access["workspace"].nunique() == 3
    assert {"workspace", "principal", "via"} <= set(plan.gaining_access.columns) & set(plan.keeping_access.columns)
    assert "3 workspaces will change" in repr(plan)
    before = ids(own_companies)
    result = plan.apply(progress=False)
    assert set(result["outcome"]) == {"revoked"}
    assert before - ids(own_companies) == set(zip(result["workspace"], result["token_id"], strict=True))


def test_a_right_that_is_taken_and_costs_no_token_is_confirmed_by_how_many_lose_it(own_companies, tmp_path):
    fleet = tokenkit.fleet(hands(own_companies, tmp_path)[:1])
    before = fleet.permissions()
    newcomer = {"user_name": "new@example.com", "permission_level": "CAN_USE"}
    own_companies.workspaces[0].state.directory.add("user", newcomer["user_name"])
    fleet.plan_permissions([newcomer]).apply()
    plan = fleet.plan_permissions(before.drop(columns="workspace"), replace=True)
    assert plan.losing_access["principal"].tolist() == [newcomer["user_name"]]
    assert (plan.summary().doing, plan.summary().count) == ("remove permission from 1 principal", 1)
    plan.apply()
    pd.testing.assert_frame_equal(fleet.permissions(), before)


def test_plans_escape_what_anybody_may_have_written(own_companies, tmp_path):
    state = own_companies.workspaces[0].state
    hostile = "<img src=x onerror=alert(1)>"
    fleet = tokenkit.fleet(hands(own_companies, tmp_path))
    victim = victims_of(fleet, each=1).iloc[[0]]
    fleet.workspace(own_companies.host).token_management.update_token_management(
        victim["token_id"].iloc[0], {"comment": hostile}, "comment"
    )
    assert state.tokens.find(victim["token_id"].iloc[0]) is not None
    shown = fleet.revoke(victim)._repr_html_()
    assert "<img" not in shown
    assert "&lt;img" in shown
