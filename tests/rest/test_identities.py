"""Users, service principals and groups, all pages of them."""

import pandas as pd
import pytest

from tokenkit import errors, frames
from tokenkit.sandbox import Fault


def test_users_have_ids_names_and_the_groups_they_are_in(workspace):
    users, groups = workspace.users(), workspace.groups()
    assert list(users.columns) == frames.USERS.names
    admin = users[users["user_name"] == "admin@example.com"].iloc[0]
    assert admin.active
    admins = groups[groups["display_name"] == "admins"].iloc[0]
    assert admins.id in admin.groups
    assert admin.id in admins.members


def test_the_three_listings_agree_on_who_is_a_member_of_what(workspace):
    users, principals, groups = workspace.users(), workspace.service_principals(), workspace.groups()
    from_groups = set(groups[["id", "members"]].explode("members").dropna().itertuples(index=False, name=None))
    people = pd.concat([users, principals])[["id", "groups"]].explode("groups").dropna()
    from_people = {(group, person) for person, group in people.itertuples(index=False, name=None)}
    nested = {(group, member) for group, member in from_groups if member in set(groups["id"])}
    assert from_groups - nested == from_people
    assert nested  # a group within a group is there to be found


@pytest.mark.parametrize("listing", ["users", "service_principals", "groups"])
def test_all_pages_are_read_when_the_server_sends_a_few_at_a_time(fresh_sandbox, connected, listing):
    workspace = connected(fresh_sandbox)
    whole = getattr(workspace, listing)()
    fresh_sandbox.requests.clear()
    workspace._identities._page_size = 3
    pd.testing.assert_frame_equal(getattr(workspace, listing)(), whole)
    assert len(fresh_sandbox.requests) > len(whole) / 3 - 1 > 1


def test_a_listing_that_ends_before_its_total_is_an_error_and_not_a_short_frame(workspace, sandbox):
    body = {"totalResults": 3, "Resources": [{"id": "1", "userName": "a"}]}
    sandbox.faults.add(Fault(path="*/Users", status=200, body=body, times=1))
    sandbox.faults.add(Fault(path="*/Users", status=200, body={"totalResults": 3}))
    with pytest.raises(errors.MalformedAnswerError, match="1 of 3 Users"):
        workspace.users()


def test_somebody_who_comes_twice_as_the_pages_shift_is_listed_once(workspace, sandbox):
    page = {"totalResults": 2, "Resources": [{"id": "1", "userName": "a"}]}
    sandbox.faults.add(Fault(path="*/Users", status=200, body=page))
    assert workspace.users()["user_name"].tolist() == ["a"]


@pytest.mark.parametrize("listing", ["users", "service_principals", "groups"])
def test_no_principals_at_all_give_the_columns_and_no_rows(workspace, sandbox, listing):
    sandbox.faults.add(Fault(path="*scim*", status=200, body={"totalResults": 0}))
    nothing = getattr(workspace, listing)()
    assert len(nothing) == 0
    sandbox.faults.clear()
    pd.testing.assert_series_equal(nothing.dtypes, getattr(workspace, listing)().dtypes)


def test_me_is_the_caller(workspace):
    assert workspace.me() == "admin@example.com"
