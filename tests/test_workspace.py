"""One workspace in hand: its tokens with what is known about them."""

import pandas as pd
import pytest

from tokenkit import errors, frames

DERIVED = [
    "status",
    "never_expires",
    "age_days",
    "lifetime_days",
    "expires_in_days",
    "idle_days",
    "effective_end",
    "owner",
    "owner_kind",
    "owner_active",
]


def test_tokens_are_the_listing_with_the_derived_columns_of_the_contract(workspace):
    tokens = workspace.tokens()
    assert list(tokens.columns) == [*frames.TOKEN_COLUMNS, *DERIVED]
    pd.testing.assert_frame_equal(tokens[list(frames.TOKEN_COLUMNS)], workspace.token_management.list())


def test_an_empty_listing_has_the_derived_columns_and_their_dtypes_too(workspace):
    nothing = workspace.tokens(created_by="nobody@example.com")
    assert len(nothing) == 0
    pd.testing.assert_series_equal(nothing.dtypes, workspace.tokens().dtypes)


def test_the_owner_is_who_a_token_acts_as(workspace):
    tokens, principals = workspace.tokens(), workspace.service_principals()
    theirs = tokens[tokens["owner_id"] == principals["id"].iloc[0]]
    assert theirs["owner"].eq(principals["display_name"].iloc[0]).all()
    assert theirs["owner_kind"].eq("service principal").all()
    assert set(tokens["owner_kind"]) == {"user", "service principal", "deleted"}


@pytest.mark.parametrize("asked", ["tokens", "access", "audit"])
def test_of_those_who_may_own_tokens_only_what_is_shown_is_asked_and_once(workspace, sandbox, asked):
    sandbox.requests.clear()
    getattr(workspace, asked)()
    groups = "" if asked == "tokens" else ",groups"  # who is in a group, where the group does not say it
    of_people = [each for each in sandbox.requests if each.path.endswith(("/Users", "/ServicePrincipals"))]
    assert sorted(each.query["attributes"] for each in of_people) == [
        f"id,applicationId,displayName,active{groups}",
        f"id,userName,displayName,active{groups}",
    ]


def test_filters_and_where_hold_together(workspace):
    everything = workspace.tokens()
    found = workspace.tokens("idle_days > 30", status="active", owner="*@example.com")
    expected = everything[
        (everything["idle_days"] > 30)
        & (everything["status"] == "active")
        & everything["owner"].str.endswith("@example.com")
    ]
    assert 0 < len(found) < len(everything)
    pd.testing.assert_frame_equal(found, expected)


def test_created_by_is_asked_of_the_server(workspace, sandbox):
    creator = workspace.tokens().iloc[2]["created_by_username"]
    sandbox.requests.clear()
    assert set(workspace.tokens(created_by=creator)["created_by_username"]) == {creator}
    assert sandbox.requests[0].query == {"created_by_username": creator}


def test_an_unknown_filter_is_refused_before_anything_is_asked(workspace, sandbox):
    with pytest.raises(errors.UsageError, match="Did you mean owner"):
        workspace.tokens(ownr="x")
    assert not list(sandbox.requests)


def test_a_creator_is_asked_of_the_server_and_found_in_any_case_by_a_pattern_and_among_several(sandbox, workspace):
    everything = workspace.tokens()
    first, second = everything["created_by_username"].value_counts().index[:2]
    theirs = everything[everything["created_by_username"] == first]

    def found(*creators):
        return workspace.tokens(created_by=list(creators))["token_id"].tolist()

    sandbox.requests.clear()
    assert found(first) == theirs["token_id"].tolist()
    (listing,) = [record for record in sandbox.requests if record.path.endswith("/token-management/tokens")]
    assert listing.query == {"created_by_username": first}
    assert found(first.upper()) == theirs["token_id"].tolist()
    assert found(f"{first[:-3]}*") == theirs["token_id"].tolist()
    creator_id = theirs["created_by_id"].iloc[0]
    assert found(str(creator_id)) == everything["token_id"][everything["created_by_id"] == creator_id].tolist()
    both = everything[everything["created_by_username"].isin([first, second])]
    assert found(first, second, first) == both["token_id"].tolist()
    assert found("nobody@example.com") == []


def test_a_plan_for_an_unknown_owner_is_refused_and_a_query_for_one_finds_nothing(workspace):
    assert len(workspace.tokens(owner="admni@example.com")) == 0
    assert len(workspace.scopes(created_by="admni@example.com")) == 0
    for name in ("owner", "created_by"):
        with pytest.raises(errors.UsageError, match=r"Did you mean admin@example\.com"):
            workspace.plan_scopes(**{name: ["admin@example.com", "admni@example.com"]})
        assert len(workspace.plan_scopes(**{name: "admni@example.com"}, allow_none=True)) == 0
        assert len(workspace.plan_scopes(**{name: "*admni*"})) == 0


def test_a_service_principal_is_meant_by_its_application_id_as_an_owner(workspace):
    principals = workspace.service_principals()
    everything = workspace.tokens()
    principal = principals[principals["id"].isin(everything["owner_id"])].iloc[0]
    theirs = everything["token_id"][everything["owner_id"] == principal["id"]].tolist()
    for name in (principal["application_id"], principal["application_id"].upper()):
        found = workspace.tokens(owner=name)
        assert found["token_id"].tolist() == theirs
        assert found.columns.tolist() == everything.columns.tolist()
