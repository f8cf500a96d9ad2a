"""Who may use tokens by which path, and what a change of the permissions destroys; the sandbox is the judge."""

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tokenkit
from tests.conftest import NOW
from tokenkit import errors, frames
from tokenkit.review import access, lifecycle
from tokenkit.sandbox import Sandbox

IDENTITIES = access.Identities(
    users=frames.frame([{"id": n, "user_name": f"u{n}"} for n in (1, 2, 3, 4)], frames.USERS),
    service_principals=frames.frame(
        [{"id": 9, "application_id": "app", "display_name": "ci"}], frames.SERVICE_PRINCIPALS
    ),
    groups=frames.frame(
        [
            {"id": 100, "display_name": "admins", "members": [1]},
            {"id": 101, "display_name": "outer", "members": [102, 2]},
            {"id": 102, "display_name": "inner", "members": [3, 9, 101]},  # a circle
            {"id": 103, "display_name": "other", "members": [3]},
        ],
        frames.GROUPS,
    ),
)


def entries(*texts):
    return frames.frame([access.entry_of(text) for text in texts], frames.PERMISSIONS)


def found(*texts):
    rows = access.paths(entries(*texts), IDENTITIES)
    return {(row.principal, row.via) for row in rows.itertuples()}


def test_admins_have_the_right_without_any_entry():
    assert found() == {("u1", "admins")}


def test_groups_are_expanded_however_deep_and_circles_end():
    assert found("group:outer") - found() == {("u2", "outer"), ("u3", "outer > inner"), ("ci", "outer > inner")}


def test_every_path_of_a_principal_is_found():
    paths = found("group:outer", "group:other", "user:u3", "service-principal:app")
    assert {via for principal, via in paths if principal == "u3"} == {"outer > inner", "other", "direct"}
    assert {via for principal, via in paths if principal == "ci"} == {"outer > inner", "direct"}


def test_every_chain_of_groups_between_an_entry_and_a_group_is_named():
    groups = [
        {"id": 100, "display_name": "admins", "members": []},
        {"id": 101, "display_name": "top", "members": [102, 103]},
        {"id": 102, "display_name": "left", "members": [104]},
        {"id": 103, "display_name": "right", "members": [102, 104]},
        {"id": 104, "display_name": "bottom", "members": [3, 101]},  # a circle
    ]
    rows = access.paths(entries("group:top"), with_groups(groups))
    assert rows["via"].tolist() == [
        "top > left > bottom",
        "top > right > bottom",
        "top > right > left > bottom",
    ]


def test_groups_that_hold_each_other_in_countless_ways_end_and_the_rest_of_the_paths_is_said():
    layers = [[100 * layer + n for n in range(4)] for layer in range(1, 13)]
    groups = [{"id": 1, "display_name": "top", "members": layers[0]}]
    for layer, below in zip(layers, [*layers[1:], [3]], strict=True):
        groups += [{"id": group, "display_name": f"g{group}", "members": below} for group in layer]
    rows = access.paths(entries("group:top"), with_groups(groups))
    assert set(rows["principal"]) == {"u3"}  # by one of more than a million ways
    assert rows["via"].str.contains("…").any()
    assert len(rows) <= 11 * len(layers[-1])


@pytest.mark.parametrize("members", [[], [2]])
def test_everybody_is_in_users_whatever_its_members_are_said_to_be(members):
    groups = [
        {"id": 100, "display_name": "everyone", "members": [101]},
        {"id": 101, "display_name": "users", "members": members},
    ]
    rows = access.paths(entries("group:everyone"), with_groups(groups))
    assert rows["principal"].tolist() == ["ci", "u1", "u2", "u3", "u4"]
    assert set(rows["via"]) == {"everyone > users"}


def with_groups(groups):
    return access.Identities(
        users=IDENTITIES.users,
        service_principals=IDENTITIES.service_principals,
        groups=frames.frame(groups, frames.GROUPS),
    )


def test_an_entry_of_somebody_who_is_not_there_reaches_nobody():
    assert found("user:ghost", "group:ghosts") == found()


def test_whoever_keeps_a_second_path_keeps_the_right_and_the_tokens():
    documents = [{"token_id": str(n), "owner_id": owner} for n, owner in enumerate((2, 3, 9))]
    tokens = lifecycle.with_lifecycle(frames.frame(documents, frames.TOKENS), now=NOW)
    result = access.consequences(entries("group:outer", "user:u3"), entries("user:u3", "user:u4"), IDENTITIES, tokens)
    assert result.loses["principal"].tolist() == ["ci", "u2"]
    assert result.loses["tokens"].tolist() == [1, 1]
    assert result.gains["principal"].tolist() == ["u4"]
    assert result.keeps_by_another_path["principal"].tolist() == ["u3"]
    assert result.tokens["token_id"].tolist() == ["0", "2"]


def test_expired_tokens_do_not_die_of_a_change():
    tokens = frames.frame([{"token_id": "old", "owner_id": 2, "expiry_time": 1}], frames.TOKENS)
    tokens = lifecycle.with_lifecycle(tokens, now=NOW)
    assert len(access.consequences(entries("user:u2"), entries(), IDENTITIES, tokens).tokens) == 0


@pytest.mark.parametrize("replace", [True, False])
def test_a_change_adds_to_the_entries_or_replaces_them_and_admins_stay(replace):
    before = entries("group:admins=CAN_MANAGE", "group:outer", "user:u2")
    after = access.changed_entries(before, [access.entry_of("user:u2=CAN_MANAGE")], replace=replace)
    rows = set(after[["group_name", "user_name", "permission_level"]].fillna("").itertuples(index=False, name=None))
    kept = set() if replace else {("outer", "", "CAN_USE")}
    assert rows == {("admins", "", "CAN_MANAGE"), ("", "u2", "CAN_MANAGE")} | kept


@pytest.mark.parametrize("text", ["outer", "grp:outer", "group:", "group:x=CAN_FLY", ""])
def test_what_is_not_an_entry_is_refused(text):
    with pytest.raises(errors.UsageError):
        access.entry_of(text)


ENTRY = st.sampled_from(range(40))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(change=st.lists(ENTRY, max_size=6), first=st.lists(ENTRY, max_size=6), replace=st.booleans())
def test_the_preview_is_what_the_workspace_deletes(change, first, replace):
    """Any list of any groups, users and service principals, nested and overlapping; a fresh company each time."""
    with Sandbox(tokens=150, seed=4, clock=NOW.timestamp) as sandbox:
        ws = tokenkit.connect(host=sandbox.host, token=sandbox.token, clock=NOW)
        groups = [f"group:{name}" for name in sorted(ws.groups()["display_name"]) if name != "admins"]
        users = [f"user:{name}" for name in sorted(ws.users()["user_name"])[:15]]
        programs = [f"service-principal:{name}" for name in sorted(ws.service_principals()["application_id"])[:10]]
        choices = [access.entry_of(each) for each in (*groups, *users, *programs)]
        pick = lambda numbers: [choices[number % len(choices)] for number in dict.fromkeys(numbers)]  # noqa: E731
        ws.token_management.set_permissions(pick(first))
        before, tokens = ws.token_management.get_permissions(), ws.tokens()
        asked = pick(change)
        after = access.changed_entries(before, asked, replace=replace)
        expected = access.consequences(before, after, ws.identities(), tokens).tokens
        change_permissions = ws.token_management.set_permissions if replace else ws.token_management.update_permissions
        change_permissions(asked)
        gone = set(tokens["token_id"]) - set(ws.token_management.list()["token_id"])
        assert gone == set(expected["token_id"])


def test_an_entry_that_is_new_has_to_name_somebody_and_one_that_is_there_may_not(workspace):
    listed = workspace.token_management.get_permissions()
    gone = access.changed_entries(listed, [access.entry_of("user:gone@example.com")], replace=False)
    access.check_entries(gone, gone, workspace.identities())
    with pytest.raises(errors.UsageError, match="no user 'gone@"):
        access.check_entries(listed, gone, workspace.identities())


@pytest.mark.parametrize("level", ["CAN_FLY", "can_use", ""])
def test_a_new_entry_has_a_level_that_there_is_and_what_is_there_keeps_its_own(workspace, level):
    listed = workspace.token_management.get_permissions()
    asked = access.changed_entries(listed, [{"group_name": "users", "permission_level": level}], replace=False)
    access.check_entries(asked, asked, workspace.identities())
    with pytest.raises(errors.UsageError, match=f"There is no level '{level}': it is CAN_USE or CAN_MANAGE"):
        access.check_entries(listed, asked, workspace.identities())


def test_a_display_name_of_several_service_principals_is_asked_back_with_their_ids():
    principals = pd.DataFrame({"application_id": ["id-1", "id-2", "id-3"], "display_name": ["etl", "etl", "id-1"]})
    with pytest.raises(errors.UsageError, match=r"2 service principals .* Use an application id: id-1, id-2"):
        access.service_principal(principals, "etl")
    assert access.service_principal(principals, "id-1")["display_name"] == "etl"
