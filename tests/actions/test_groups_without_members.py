"""A plan to change permissions where the workspace leaves out who is in which group."""

import pandas as pd
import pytest

import tokenkit
from tests.actions.test_permissions import ONLY_ENGINEERS
from tokenkit.review import access
from tokenkit.sandbox import Fault

GROUPS, GROUP = "/api/2.0/preview/scim/v2/Groups", "/api/2.0/preview/scim/v2/Groups/*"
PEOPLE = ("/api/2.0/preview/scim/v2/Users", "/api/2.0/preview/scim/v2/ServicePrincipals")
EVERYTHING_IS_GONE = []


@pytest.fixture
def answer(ws, company):
    """Let a listing be answered as it is, with each resource changed."""

    def install(path, change):
        resources = ws._transport.call("GET", path, query={"count": 10_000})["Resources"]
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
    return set(rows), set(plan.loses["id"]), len(plan.not_known)


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
    assert "not known" in shown
    assert all(name in shown for name in granted)


@pytest.mark.parametrize("status", [403, 404, 500])
def test_groups_that_cannot_be_asked_for_are_known_from_the_people_in_them_and_said_to_be_known_in_part(
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


def test_a_member_who_is_in_no_listing_loses_tokens_as_others_do(ws, answer):
    whole = set(ws.plan_permissions(EVERYTHING_IS_GONE, replace=True).token_ids)
    answer(PEOPLE[0], lambda user: user if user["userName"] == "admin@example.com" else None)
    assert whole <= set(ws.plan_permissions(EVERYTHING_IS_GONE, replace=True).token_ids)


def test_a_group_that_is_really_empty_is_no_doubt(ws):
    ws._transport.call("POST", GROUPS, body={"displayName": "nobody-yet"})
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


def test_tokens_whose_owner_is_not_named_are_said_to_be_in_doubt():
    identities = access.Identities(
        users=pd.DataFrame({"id": [1], "user_name": ["u"], "active": [True]}),
        service_principals=pd.DataFrame(columns=["id", "application_id", "display_name", "active"]),
        groups=pd.DataFrame({"id": [9], "display_name": ["admins"], "members": [[]]}),
    )
    before = tokenkit.frames.frame([access.entry_of("user:u")], tokenkit.frames.PERMISSIONS)
    tokens = pd.DataFrame({"token_id": ["t"], "owner_id": pd.array([None], "Int64"), "status": ["active"]})
    found = access.consequences(before, before.head(0), identities, tokens)
    assert found.not_known["principal"].tolist() == ["1 token"]
