"""A plan to change permissions where the workspace leaves out who is in which group."""

import json

import pandas as pd
import pytest

import tokenkit
from tests.acl import entry
from tests.actions.test_permissions import ONLY_ENGINEERS
from tokenkit import cli
from tokenkit.actions import permissions
from tokenkit.rest.token_management import TokenManagementAPI
from tokenkit.review import access
from tokenkit.sandbox import Fault

GROUPS, GROUP = "/api/2.0/preview/scim/v2/Groups", "/api/2.0/preview/scim/v2/Groups/*"
PEOPLE = ("/api/2.0/preview/scim/v2/Users", "/api/2.0/preview/scim/v2/ServicePrincipals")
EVERYTHING_IS_GONE = []


@pytest.fixture
def answer(ws, company):
    """Let a listing be answered as it is, with each resource changed."""

    def install(path, change):
        resources = ws.api._transport.call("GET", path, query={"count": 10_000})["Resources"]
        changed = [change(each) for each in resources]
        kept = [each for each in changed if each is not None]
        company.faults.add(Fault(path=path, status=200, body={"totalResults": len(kept), "Resources": kept}))

    return install


def without(*names):
    return lambda resource: {name: value for name, value in resource.items() if name not in names}


def set_to(**values):
    return lambda resource: resource | values


def effects(plan):
    rows = plan.preview()[["token_id", "effect"]].itertuples(index=False, name=None)
    return set(rows), set(plan.losing_access["id"]), len(plan.not_known)


@pytest.mark.parametrize(
    "change",
    [
        without("members"),
        without("members", "groups"),
        set_to(members=None),
        set_to(members=[]),
        lambda group: group if group["displayName"] == "admins" else without("members")(group),
        lambda group: group | {"members": group.get("members", [])[:1]},
    ],
    ids=["none", "no groups either", "null", "empty", "of admins only", "one of each"],
)
@pytest.mark.parametrize("entries", [ONLY_ENGINEERS, EVERYTHING_IS_GONE], ids=["engineers", "nobody"])
def test_the_members_that_a_listing_leaves_out_are_asked_for_another_way(ws, answer, change, entries):
    whole = effects(ws.plan_permissions(entries, replace=True))
    answer(GROUPS, change)
    assert effects(ws.plan_permissions(entries, replace=True)) == whole
    assert len(whole[0]) > 0


@pytest.mark.parametrize("body", [{"id": "1"}, {"id": "1", "members": None}])
def test_a_plan_says_which_groups_it_does_not_know_and_asks_before_it_goes_on(ws, company, answer, body):
    answer(GROUPS, without("members", "groups"))
    for path in PEOPLE:
        answer(path, without("groups"))
    company.faults.add(Fault(path=GROUP, status=200, body=body))
    plan = ws.plan_permissions(EVERYTHING_IS_GONE, replace=True)
    granted = set(ws.token_management.get_permissions()["group_name"].dropna()) - {"admins", "users"}
    assert granted <= set(plan.not_known["principal"])
    assert set(plan.not_known["kind"]) == {"group"}
    summary = plan.summary()
    assert summary.doing
    assert summary.count > 0
    shown = repr(plan._in_short())
    assert "\nWarning: More tokens may be deleted: group " in shown
    first = "; ".join(f"group {row.principal}, {row.reason}" for row in plan.not_known.head(2).itertuples())
    assert f"More tokens may be deleted: {first}; group " in shown
    assert all(name in shown for name in granted)
    only_unknown = ws.plan_permission_removal([{"group_name": plan.not_known["principal"].iloc[0]}]).summary()
    assert (only_unknown.doing, only_unknown.count) == ("remove permission from 1 principal not known in full", 1)


@pytest.mark.parametrize("status", [403, 404, 500])
def test_groups_that_cannot_be_read_are_known_from_their_members_and_reported_as_known_in_part(
    ws, company, answer, status
):
    whole = ws.plan_permissions(EVERYTHING_IS_GONE, replace=True)
    answer(GROUPS, without("members"))
    company.faults.add(Fault(path=GROUP, status=status))
    plan = ws.plan_permissions(EVERYTHING_IS_GONE, replace=True)
    assert len(plan.not_known) > 0
    assert 0 < len(plan) <= len(whole)


def test_a_group_that_is_not_listed_at_all_is_not_known(ws, answer):
    answer(GROUPS, lambda group: group if group["displayName"] in {"admins", "users"} else None)
    plan = ws.plan_permissions(EVERYTHING_IS_GONE, replace=True)
    listed = ws.token_management.get_permissions()["group_name"].dropna()
    assert set(listed) - {"admins", "users"} <= set(plan.not_known["principal"])
    assert plan.summary().count > 0


@pytest.mark.usefixtures("ws")
@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_a_command_warns_of_each_group_that_is_not_known(company, answer, monkeypatch, capsys, quiet):
    answer(GROUPS, lambda group: group if group["displayName"] in {"admins", "users"} else None)
    monkeypatch.setenv("DATABRICKS_HOST", company.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", company.token)
    assert cli.main(["permissions", "set", "user:admin@example.com", "--dry-run", *quiet]) == 0
    assert "More tokens may be deleted: group " in capsys.readouterr().err


def test_a_member_who_is_in_no_listing_loses_tokens_as_others_do(ws, answer):
    whole = set(ws.plan_permissions(EVERYTHING_IS_GONE, replace=True).token_ids)
    answer(PEOPLE[0], lambda user: user if user["userName"] == "admin@example.com" else None)
    assert whole <= set(ws.plan_permissions(EVERYTHING_IS_GONE, replace=True).token_ids)


def test_a_group_that_is_really_empty_is_no_doubt(ws):
    ws.api._transport.call("POST", GROUPS, body={"displayName": "nobody-yet"})
    ws.token_management.update_permissions([{"group_name": "nobody-yet", "permission_level": "CAN_USE"}])
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    assert len(plan.not_known) == 0


def test_what_is_not_known_and_stays_granted_is_no_doubt(ws, company, answer):
    answer(GROUPS, without("members", "groups"))
    for path in PEOPLE:
        answer(path, without("groups"))
    company.faults.add(Fault(path=GROUP, status=404))
    plan = ws.plan_permissions([{"group_name": "contractors", "permission_level": "CAN_USE"}])
    assert (len(plan.not_known), plan.summary().doing) == (0, "")


def test_tokens_without_a_named_owner_are_reported_as_in_doubt():
    identities = access.Identities(
        users=pd.DataFrame({"id": [1], "user_name": ["u"], "active": [True]}),
        service_principals=pd.DataFrame(columns=["id", "application_id", "display_name", "active"]),
        groups=pd.DataFrame({"id": [9], "display_name": ["admins"], "members": [[]]}),
    )
    before = tokenkit.frames.frame([entry("user:u")], tokenkit.frames.PERMISSIONS)
    tokens = pd.DataFrame({"token_id": ["t"], "owner_id": pd.array([None], "Int64"), "status": ["active"]})
    found = access.consequences(before, before.head(0), identities, tokens)
    assert found.not_known["principal"].tolist() == ["1 token"]


@pytest.fixture
def in_the_dark(ws, company, answer):
    """Let the workspace say of no group who is in it."""
    answer(GROUPS, without("members", "groups"))
    for path in PEOPLE:
        answer(path, without("groups"))
    company.faults.add(Fault(path=GROUP, status=200, body={"id": "1"}))
    return ws


def test_what_is_lost_of_those_who_were_not_known_is_in_the_result_and_in_the_journal(in_the_dark, company, ids):
    before, owners = ids(company), in_the_dark.tokens().set_index("token_id")["owner"]
    plan = in_the_dark.plan_permissions(EVERYTHING_IS_GONE, replace=True)
    result = plan.apply()
    lost = before - ids(company)
    beyond = result[~result["token_id"].isin(plan.token_ids)]
    assert set(result["token_id"]) == lost > set(plan.token_ids)
    assert set(beyond["outcome"]) == {"revoked"}
    assert set(beyond["error"]) == {permissions.BEYOND_PREVIEW}
    assert beyond["owner"].tolist() == owners[beyond["token_id"]].tolist()
    recorded = in_the_dark.journal().set_index("token_id")
    assert set(recorded.index) == lost
    assert recorded.loc[beyond["token_id"], "error"].eq(permissions.BEYOND_PREVIEW).all()
    said = permissions.beyond_preview(result)
    assert said.startswith(f"{len(beyond):,} tokens were deleted that the preview did not show: ")
    most, count = beyond["owner"].value_counts().index[0], beyond["owner"].value_counts().iloc[0]
    assert f"{most} ({count})" in said
    again = in_the_dark.resume(plan.run_id)
    assert set(again["token_id"]) == lost


@pytest.mark.parametrize("when", ["before it was recorded", "before the second listing"])
def test_what_is_lost_of_those_who_were_not_known_is_found_where_the_process_ended_after_the_change(
    in_the_dark, company, ids, when
):
    api, before = in_the_dark.token_management, ids(company)
    change = api.set_permissions
    plan = in_the_dark.plan_permissions(EVERYTHING_IS_GONE, replace=True)

    def end():
        raise SystemExit

    def change_and_end(entries):
        changed = change(entries)
        if when == "before it was recorded":
            end()
        api.list = end
        return changed

    api.set_permissions = change_and_end
    with pytest.raises(SystemExit):
        plan.apply()
    del api.set_permissions
    vars(api).pop("list", None)
    lost = before - ids(company)
    assert lost > set(plan.token_ids)
    assert in_the_dark.runs()["remaining"].iloc[0] > 0
    result = in_the_dark.resume(plan.run_id)
    beyond = result[~result["token_id"].isin(plan.token_ids)]
    assert set(result["token_id"]) == lost
    assert set(beyond["error"]) == {permissions.BEYOND_PREVIEW}
    assert set(in_the_dark.journal()["token_id"]) == lost
    assert in_the_dark.runs()["remaining"].iloc[0] == 0
    assert list(in_the_dark.folder.glob("*.parquet")) == []


def test_access_says_of_whom_it_is_not_known_whether_they_have_the_permission(ws, answer, company, monkeypatch, capsys):
    known = ws.access().set_index("id")
    answer(GROUPS, without("members", "groups"))
    for path in PEOPLE:
        answer(path, without("groups"))
    company.faults.add(Fault(path=GROUP, status=404))
    rows = ws.access().set_index("id")
    unknown = rows[rows["can_use"].isna()]
    assert len(unknown) > 0
    assert unknown["tokens_without_permission"].isna().all()
    certain = rows[rows["can_use"].notna()]
    assert certain["can_use"].equals(known.loc[certain.index, "can_use"])
    assert not certain["tokens_without_permission"][certain["kind"] != "deleted"].any()
    assert len(ws.access("tokens_without_permission")) == certain["tokens_without_permission"].sum()
    monkeypatch.setenv("DATABRICKS_HOST", company.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", company.token)
    assert cli.main(["access"]) == 0
    assert "principals may have permission through a group whose members" in capsys.readouterr().err


@pytest.mark.usefixtures("in_the_dark")
def test_a_shell_says_what_is_lost_of_those_who_were_not_known(company, ids, monkeypatch, capsys):
    monkeypatch.setenv("DATABRICKS_HOST", company.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", company.token)
    before = ids(company)
    assert cli.main(["permissions", "set", "user:admin@example.com", "--yes", "--output", "json"]) == 0
    printed = capsys.readouterr()
    rows = json.loads(printed.out)
    beyond = [row for row in rows if row["error"] == permissions.BEYOND_PREVIEW]
    assert {row["token_id"] for row in rows} == before - ids(company)
    assert beyond
    assert f"{len(beyond):,} tokens were deleted that the preview did not show: " in printed.err


LISTING = "/api/2.0/token-management/tokens"
NOT_KNOWN = "Whether tokens outside the preview were lost is not known, because the listing could not be read: "


@pytest.fixture
def breaking(in_the_dark, company, monkeypatch):
    """Let the listing fail once the permissions changed."""
    change = TokenManagementAPI.set_permissions

    def change_and_break(api, entries):
        changed = change(api, entries)
        company.faults.add(Fault(method="GET", path=LISTING, status=400))
        return changed

    monkeypatch.setattr(TokenManagementAPI, "set_permissions", change_and_break)
    return in_the_dark


def test_if_the_listing_cannot_be_read_after_the_change_it_says_that_more_may_be_lost_and_resume_reads_it(
    breaking, company, ids, capsys, tmp_path
):
    plan = breaking.plan_permissions(EVERYTHING_IS_GONE, replace=True)
    before = ids(company)
    result = plan.apply()
    company.faults.clear()
    assert set(result["token_id"]) == set(plan.token_ids) < before - ids(company)
    assert permissions.beyond_preview(result).startswith(NOT_KNOWN)
    assert f"the permissions changed. {NOT_KNOWN}" in capsys.readouterr().err
    company.requests.clear()
    finished = breaking.resume(plan.run_id)
    assert {record.method for record in company.requests} == {"GET"}
    assert set(finished["token_id"]) == before - ids(company)
    assert " tokens were deleted that the preview did not show: " in permissions.beyond_preview(finished)
    assert [*tmp_path.rglob("*.before.parquet")] == []


@pytest.mark.usefixtures("breaking")
def test_a_shell_says_that_more_may_be_lost_exits_with_1_and_resume_says_what(company, ids, monkeypatch, capsys):
    monkeypatch.setenv("DATABRICKS_HOST", company.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", company.token)
    before = ids(company)
    assert cli.main(["permissions", "set", "user:admin@example.com", "--yes", "--output", "json"]) == 1
    said = capsys.readouterr().err
    assert said.count(NOT_KNOWN) == 1
    (command,) = [line.partition(": tokenkit ")[2] for line in said.splitlines() if ": tokenkit resume " in line]
    company.faults.clear()
    assert cli.main(command.split()) == 0
    assert "tokens were deleted that the preview did not show: " in capsys.readouterr().err
    recorded = tokenkit.connect().journal()
    assert set(recorded["token_id"]) == before - ids(company)


def test_a_fleet_says_that_more_may_be_lost(breaking, company):
    plan = tokenkit.fleet([breaking], progress=False).plan_permissions(EVERYTHING_IS_GONE, replace=True)
    result = plan.apply()
    company.faults.clear()
    assert permissions.beyond_preview(result).startswith(NOT_KNOWN)
