"""One workspace in hand: its tokens with what is known about them."""

import pandas as pd
import pytest

import tokenkit
from tokenkit import cli, errors, frames
from tokenkit.review.lifecycle import LIFECYCLE
from tokenkit.review.owners import OWNER
from tokenkit.sandbox import Fault

DERIVED = [*LIFECYCLE.names, *OWNER.names]


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
    assert theirs["owner_kind"].eq("service_principal").all()
    assert set(tokens["owner_kind"]) == {"user", "service_principal", "deleted"}


@pytest.mark.parametrize("asked", ["tokens", "access", "audit"])
def test_of_those_who_may_own_tokens_only_what_is_shown_is_asked_and_once(workspace, sandbox, asked):
    sandbox.requests.clear()
    getattr(workspace, asked)()
    of_people = [each for each in sandbox.requests if each.path.endswith(("/Users", "/ServicePrincipals"))]
    assert sorted(each.query["attributes"] for each in of_people) == [
        "id,applicationId,displayName,active",
        "id,userName,displayName,active",
    ]


@pytest.mark.parametrize("asked", ["access", "audit"])
def test_people_are_asked_for_their_groups_where_a_group_that_counts_is_listed_without_members(
    workspace, sandbox, asked
):
    whole = workspace.access() if asked == "access" else workspace.audit().findings
    listed = workspace.api._transport.call("GET", "/api/2.0/preview/scim/v2/Groups", query={"count": 10_000})
    bare = [{name: value for name, value in group.items() if name != "members"} for group in listed["Resources"]]
    body = {"totalResults": len(bare), "Resources": bare}
    sandbox.faults.add(Fault(path="*/Groups", status=200, body=body))
    sandbox.requests.clear()
    found = workspace.access() if asked == "access" else workspace.audit().findings
    pd.testing.assert_frame_equal(found, whole)
    of_people = [each for each in sandbox.requests if each.path.endswith(("/Users", "/ServicePrincipals"))]
    assert len(of_people) == 2
    assert all("groups" in each.query["attributes"] for each in of_people)


def test_an_audit_without_a_rule_about_groups_asks_for_none(workspace, sandbox):
    sandbox.requests.clear()
    workspace.audit(["inactive-owner", "inactive-creator", "no-expiry"])
    assert not [each for each in sandbox.requests if each.path.endswith("/Groups")]


@pytest.fixture
def made_by_twins(fresh_sandbox, connected):
    """A workspace in which two service principals of one display name created a token each, and a third another."""
    state = fresh_sandbox.workspaces[0].state
    twins = [state.directory.add("service_principal", f"app-{number}", "twin") for number in (1, 2)]
    single = state.directory.add("service_principal", "app-3", "single")
    for info, creator in zip(state.tokens.infos()[1:4], [*twins, single], strict=True):
        state.tokens.replace({**info, "created_by_id": creator.id, "created_by_username": creator.name})
    return connected(fresh_sandbox)


def test_a_creator_may_be_named_by_display_name_application_id_or_id(made_by_twins):
    tokens = made_by_twins.tokens()
    (token_id,) = tokens.loc[tokens["created_by_username"] == "app-3", "token_id"]
    number = tokens.set_index("token_id").loc[token_id, "created_by_id"]
    for name in ("single", "SINGLE", "singl?", "app-3", "APP-3", str(number)):
        assert made_by_twins.tokens(created_by=name)["token_id"].tolist() == [token_id], name
    assert len(made_by_twins.tokens(created_by="twin")) == 2
    assert list(made_by_twins.tokens(created_by="twin").columns) == list(tokens.columns)
    fleet = tokenkit.fleet([made_by_twins], progress=False)
    assert fleet.tokens(created_by="single")["token_id"].tolist() == [token_id]
    assert len(fleet.tokens(created_by="twin")) == 2


def test_a_creator_by_name_alone_is_found_by_display_name(made_by_twins, fresh_sandbox):
    """Databricks can list a token that a person created on behalf of a service principal under the latter's name."""
    tokens = fresh_sandbox.workspaces[0].state.tokens
    info, admin = tokens.infos()[4], made_by_twins.users().set_index("user_name")["id"]["admin@example.com"]
    tokens.replace({**info, "created_by_id": int(admin), "created_by_username": "app-3"})
    by_display_name = set(made_by_twins.tokens(created_by="single")["token_id"])
    assert by_display_name == set(made_by_twins.tokens(created_by="app-3")["token_id"])
    assert info["token_id"] in by_display_name


def test_a_display_name_of_several_is_asked_back_before_a_change_in_a_shell_and_in_python(
    made_by_twins, fresh_sandbox, monkeypatch, capsys
):
    with pytest.raises(errors.UsageError, match=r"The name 'twin' is shared by several creators\. Use an id: "):
        made_by_twins.plan_scopes(created_by="twin")
    made_by_twins.plan_scopes(created_by="single")
    monkeypatch.setenv("DATABRICKS_HOST", fresh_sandbox.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", fresh_sandbox.token)
    assert cli.main(["revoke", "--created-by", "twin", "--yes"]) == 2
    said = capsys.readouterr().err
    assert "The name 'twin' is shared by several creators" in said
    assert "Nothing was changed." in said
    assert len(made_by_twins.tokens(created_by="twin")) == 2
    assert cli.main(["list", "--created-by", "twin"]) == 0
    with pytest.raises(errors.UsageError, match="service principals have the name 'twin'"):
        made_by_twins.plan_permissions([{"service_principal_name": "twin", "permission_level": "CAN_USE"}])
    assert cli.main(["permissions", "add", "service-principal:twin"]) == 2
    assert cli.main(["create-obo", "twin", "--show-value"]) == 2


def test_an_empty_result_names_the_values_that_no_token_has(workspace, capsys):
    owner = workspace.tokens()["owner"].iloc[-1]
    workspace.tokens(owner=[owner, "nobody"])
    workspace.tokens("idle_days < 0", owner=owner)
    assert capsys.readouterr().err == ""
    assert not len(workspace.tokens(owner=f"x{owner}"))
    assert capsys.readouterr().err == f"{workspace.name}: No token has the owner 'x{owner}'. Did you mean {owner}?\n"
    assert not len(workspace.scopes(scope="sqll"))
    assert "No token has the scope 'sqll'. Did you mean sql?" in capsys.readouterr().err
    assert not len(tokenkit.fleet([workspace]).tokens(owner="nobody"))
    assert capsys.readouterr().err.count("No token has the owner 'nobody'.") == 1


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


def test_a_creator_has_the_tokens_that_the_listing_shows_under_the_name_of_a_service_principal(workspace):
    everything = workspace.tokens()
    names = workspace.users().set_index("id")["user_name"]
    by_others = everything["owner_id"] != everything["created_by_id"]
    for creator_id in everything.loc[
        by_others & everything["created_by_id"].isin(names.index), "created_by_id"
    ].unique():
        theirs = everything.loc[everything["created_by_id"] == creator_id, "token_id"].tolist()
        assert workspace.tokens(created_by=names[creator_id])["token_id"].tolist() == theirs
        assert workspace.tokens(created_by=str(creator_id))["token_id"].tolist() == theirs
    assert by_others.any()


def test_an_unknown_filter_is_rejected_before_any_request(workspace, sandbox):
    with pytest.raises(errors.UsageError, match="Did you mean owner"):
        workspace.tokens(ownr="x")
    assert not list(sandbox.requests)


def test_a_creator_is_found_in_any_case_by_a_pattern_and_among_several(workspace):
    everything = workspace.tokens()
    first, second = everything["created_by_username"].value_counts().index[:2]
    ids = everything.drop_duplicates("created_by_username").set_index("created_by_username")["created_by_id"]
    named, by_id = everything["created_by_username"], everything["created_by_id"]
    theirs = everything[(named == first) | (by_id == ids[first])]

    def found(*creators):
        return workspace.tokens(created_by=list(creators))["token_id"].tolist()

    assert found(first) == theirs["token_id"].tolist()
    assert found(first.upper()) == theirs["token_id"].tolist()
    assert found(f"{first[:-3]}*") == theirs["token_id"].tolist()
    creator_id = theirs["created_by_id"].iloc[0]
    assert found(str(creator_id)) == everything["token_id"][everything["created_by_id"] == creator_id].tolist()
    both = everything[named.isin([first, second]) | by_id.isin(ids[[first, second]])]
    assert found(first, second, first) == both["token_id"].tolist()
    assert found("nobody@example.com") == []


def test_a_plan_for_an_unknown_owner_is_rejected_and_a_query_for_one_finds_nothing(workspace):
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
