"""All pages of users, service principals and groups."""

import pandas as pd
import pytest

from tests.rest.wire import reply
from tokenkit import errors, frames
from tokenkit.rest import credentials
from tokenkit.rest.identities import IdentitiesAPI
from tokenkit.rest.transport import RetryPolicy, Transport
from tokenkit.sandbox import Fault


def test_users_have_ids_names_and_groups(workspace):
    users, groups = workspace.users(), workspace.groups()
    assert list(users.columns) == frames.USERS.names
    admin = users[users["user_name"] == "admin@example.com"].iloc[0]
    assert admin.active
    admins = groups[groups["display_name"] == "admins"].iloc[0]
    assert admins.id in admin.groups
    assert admin.id in admins.members


def test_the_three_listings_agree_on_memberships(workspace):
    users, principals, groups = workspace.users(), workspace.service_principals(), workspace.groups()
    from_groups = set(groups[["id", "members"]].explode("members").dropna().itertuples(index=False, name=None))
    people = pd.concat([users, principals])[["id", "groups"]].explode("groups").dropna()
    from_people = {(group, person) for person, group in people.itertuples(index=False, name=None)}
    nested = {(group, member) for group, member in from_groups if member in set(groups["id"])}
    assert from_groups - nested == from_people
    assert nested  # the sandbox has a nested group


@pytest.mark.parametrize("listing", ["users", "service_principals", "groups"])
def test_all_pages_of_a_listing_are_read(fresh_sandbox, connected, listing):
    workspace = connected(fresh_sandbox)
    whole = getattr(workspace, listing)()
    fresh_sandbox.requests.clear()
    workspace.api._identities._page_size = 3
    pd.testing.assert_frame_equal(getattr(workspace, listing)(), whole)
    assert len(fresh_sandbox.requests) > len(whole) / 3 - 1 > 1


def test_a_listing_with_fewer_entries_than_its_total_is_an_error(workspace, sandbox):
    body = {"totalResults": 3, "Resources": [{"id": "1", "userName": "a"}]}
    sandbox.faults.add(Fault(path="*/Users", status=200, body=body, times=1))
    sandbox.faults.add(Fault(path="*/Users", status=200, body={"totalResults": 3}))
    with pytest.raises(errors.InvalidResponseError, match="1 of 3 Users"):
        workspace.users()


def test_a_user_in_two_pages_is_listed_once(workspace, sandbox):
    page = {"totalResults": 2, "Resources": [{"id": "1", "userName": "a"}]}
    sandbox.faults.add(Fault(path="*/Users", status=200, body=page))
    assert workspace.users()["user_name"].tolist() == ["a"]


@pytest.mark.parametrize("listing", ["users", "service_principals", "groups"])
def test_without_principals_the_frames_have_columns_and_no_rows(workspace, sandbox, listing):
    sandbox.faults.add(Fault(path="*scim*", status=200, body={"totalResults": 0}))
    nothing = getattr(workspace, listing)()
    assert len(nothing) == 0
    sandbox.faults.clear()
    pd.testing.assert_series_equal(nothing.dtypes, getattr(workspace, listing)().dtypes)


@pytest.mark.parametrize("listing", ["users", "service_principals", "groups"])
@pytest.mark.parametrize(
    "response",
    [
        {},
        {"Resources": []},
        {"totalResults": None},
        {"totalResults": "many", "Resources": []},
        {"totalResults": -1},
        {"totalResults": True},
        {"totalResults": 1.5},
        {"totalResults": "²"},
        {"totalResults": 1, "Resources": [{}]},
        {"totalResults": 1, "Resources": [{"id": None}]},
        {"totalResults": 1, "Resources": [{"id": "x"}]},
        {"totalResults": 1, "Resources": [{"id": ["1"]}]},
        {"totalResults": 1, "Resources": {"id": "1"}},
        {"totalResults": 1, "Resources": ["1"]},
        {"totalResults": 1, "Resources": [{"id": "1", "groups": ["7"], "members": ["7"]}], "x": 1},
        {"totalResults": 1, "Resources": [{"id": "1", "groups": [{}], "members": [{}]}]},
        {"totalResults": 1, "Resources": [{"id": "1", "groups": {"value": 7}, "members": 7}]},
    ],
)
def test_a_listing_without_ids_or_totals_is_invalid(workspace, sandbox, listing, response):
    sandbox.faults.add(Fault(path="*scim*", status=200, body=response))
    with pytest.raises(errors.InvalidResponseError):
        getattr(workspace, listing)()


def test_no_plan_is_made_if_the_owners_of_tokens_are_unknown(workspace, sandbox):
    token_ids = list(workspace.tokens()["token_id"].head(3))
    sandbox.faults.add(Fault(path="*scim*Users*", status=200, body={}))
    with pytest.raises(errors.InvalidResponseError):
        workspace.revoke(token_ids).preview()


@pytest.mark.parametrize("promise", ["fixed", "growing", "endless"])
def test_endless_pages_are_an_error(promise, serve):
    def response(number):
        total = {"fixed": 10_000, "growing": number + 1, "endless": 10**12}[promise]
        users = [{"id": str(number if promise != "fixed" else min(number, 3))}]
        return reply({"totalResults": total, "Resources": users})

    with serve(response) as server:
        transport = Transport(credentials.from_token(server.host, "dapi1"), retries=RetryPolicy(budget_seconds=0))
        with pytest.raises(errors.InvalidResponseError, match=r"repeatedly|too many pages"):
            IdentitiesAPI(transport).users()
        transport.close()
    assert len(server.requests) < 50


def test_later_pages_may_be_as_small_as_the_first(serve):
    def response(number):
        return reply({"totalResults": 40, "Resources": [{"id": str(number), "userName": f"u{number}"}]})

    with serve(response) as server:
        transport = Transport(credentials.from_token(server.host, "dapi1"), retries=RetryPolicy(budget_seconds=0))
        assert len(IdentitiesAPI(transport).users()) == 40
        transport.close()


def test_me_is_the_caller(workspace):
    assert workspace.me() == "admin@example.com"
