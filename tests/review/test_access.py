"""Who may use tokens by which path, and what a change of the permissions destroys; the sandbox is the judge."""

import re

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tokenkit
from tests.acl import entry
from tests.conftest import NOW
from tokenkit import errors, frames
from tokenkit.commands.options import entry_of
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
    return frames.frame([entry(text) for text in texts], frames.PERMISSIONS)


def found(*texts):
    rows = access.paths(entries(*texts), IDENTITIES)
    return {(row.principal, row.via) for row in rows.itertuples()}


def test_admins_have_permission_without_an_entry():
    assert found() == {("u1", "admins")}


def test_a_path_has_the_principal_its_kind_its_level_and_whether_it_is_active():
    identities = access.Identities(
        users=IDENTITIES.users.assign(active=[True, False, None, True]),
        service_principals=IDENTITIES.service_principals.assign(display_name=None),
        groups=frames.frame([{"id": 101, "display_name": "team", "members": [2, 77]}], frames.GROUPS),
    )
    rows = access.paths(entries("group:team=CAN_MANAGE", "user:u3", "service-principal:app"), identities)
    assert rows.astype(object).where(rows.notna(), None).to_numpy().tolist() == [
        [9, "app", "service_principal", True, "CAN_USE", "direct"],
        [77, "77", "unknown", None, "CAN_MANAGE", "team"],
        [2, "u2", "user", False, "CAN_MANAGE", "team"],
        [3, "u3", "user", True, "CAN_USE", "direct"],
    ]
    assert list(rows.columns) == ["id", "principal", "kind", "active", "permission_level", "via"]
    dtypes = rows.dtypes[["id", "active", "permission_level", "via"]].tolist()
    assert dtypes == ["Int64", "boolean", frames.TEXT, frames.TEXT]
    none = access.paths(entries(), with_groups([]))
    assert none.dtypes[["id", "active", "permission_level", "via"]].tolist() == dtypes


def test_an_entry_of_an_unknown_principal_is_an_error_that_suggests_a_known_one():
    for text, message in {
        "user:u22": "Unknown user 'u22'. Did you mean u2?",
        "group:outr": "Unknown group 'outr'. Did you mean outer?",
        "service-principal:ap": "Unknown service principal with the application id 'ap'. Did you mean app?",
    }.items():
        with pytest.raises(errors.UsageError, match=f"^{re.escape(message)}$"):
            access.check_entries(entries(), entries(text), IDENTITIES)


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


def test_of_countless_paths_between_groups_few_are_listed():
    layers = [[100 * layer + n for n in range(4)] for layer in range(1, 13)]
    groups = [{"id": 1, "display_name": "top", "members": layers[0]}]
    for layer, below in zip(layers, [*layers[1:], [3]], strict=True):
        groups += [{"id": group, "display_name": f"g{group}", "members": below} for group in layer]
    rows = access.paths(entries("group:top"), with_groups(groups))
    assert set(rows["principal"]) == {"u3"}  # by one of more than a million ways
    assert rows["via"].str.contains("…").any()
    assert len(rows) <= 11 * len(layers[-1])


@pytest.mark.parametrize("members", [[], [2]])
def test_users_contains_every_principal_regardless_of_its_listed_members(members):
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


def test_an_entry_of_an_unknown_principal_has_no_path():
    assert found("user:ghost", "group:ghosts") == found()


def test_a_principal_with_a_second_path_keeps_permission_and_tokens():
    documents = [{"token_id": str(n), "owner_id": owner} for n, owner in enumerate((2, 3, 9))]
    tokens = lifecycle.with_lifecycle(frames.frame(documents, frames.TOKENS), now=NOW)
    result = access.consequences(entries("group:outer", "user:u3"), entries("user:u3", "user:u4"), IDENTITIES, tokens)
    assert result.losing_access["principal"].tolist() == ["ci", "u2"]
    assert result.losing_access["tokens"].tolist() == [1, 1]
    assert result.gaining_access["principal"].tolist() == ["u4"]
    assert result.keeping_access["principal"].tolist() == ["u3"]
    assert result.tokens["token_id"].tolist() == ["0", "2"]


def test_expired_tokens_are_not_affected_by_a_change():
    tokens = frames.frame([{"token_id": "old", "owner_id": 2, "expiry_time": 1}], frames.TOKENS)
    tokens = lifecycle.with_lifecycle(tokens, now=NOW)
    assert len(access.consequences(entries("user:u2"), entries(), IDENTITIES, tokens).tokens) == 0


def test_what_is_not_known_of_a_change_has_a_row_for_each_group_principal_and_kind_of_token():
    documents = [{"token_id": "theirs", "owner_id": 2}, {"token_id": "nobodys"}, {"token_id": "nobodys too"}]
    tokens = lifecycle.with_lifecycle(
        frames.frame([*documents, {"token_id": "old", "expiry_time": 1}], frames.TOKENS), now=NOW
    )
    hidden = access.Identities(
        users=IDENTITIES.users,
        service_principals=IDENTITIES.service_principals,
        groups=IDENTITIES.groups.assign(members=[[1], [102, 2], None, None]),
    )
    before = entries("group:outer", "group:other", "group:ghosts", "user:ghost", "service-principal:gone", "user:u3")
    rows = access.consequences(before, entries("group:other", "user:u3"), hidden, tokens).not_known
    assert rows.to_numpy().tolist() == [
        ["inner", "group", "its members are not listed"],
        ["ghost", "user", "it is not listed"],
        ["ghosts", "group", "it is not listed"],
        ["gone", "service_principal", "it is not listed"],
        ["2 tokens", "token", "its owner is unknown"],
    ]
    assert list(rows.columns) == ["principal", "kind", "reason"]
    assert set(rows.dtypes) == {frames.TEXT}
    known = access.consequences(before, before, hidden, tokens).not_known
    assert (len(known), list(known.columns), set(known.dtypes)) == (0, list(rows.columns), {frames.TEXT})


def test_a_token_without_an_owner_is_not_known_if_a_change_takes_permission_from_anybody():
    tokens = lifecycle.with_lifecycle(frames.frame([{"token_id": "nobodys"}], frames.TOKENS), now=NOW)
    for before, after, expected in (
        (entries("user:u3"), entries(), ["1 token"]),
        (entries("user:ghost"), entries(), ["ghost", "1 token"]),
        (entries(), entries("user:u3"), []),
    ):
        found = access.consequences(before, after, IDENTITIES, tokens)
        assert found.not_known["principal"].tolist() == expected


def test_the_effect_on_a_token_depends_on_whether_its_owner_has_an_entry():
    documents = [{"token_id": str(n), "owner_id": n} for n in (1, 2, 3, 9)]
    tokens = lifecycle.with_lifecycle(frames.frame(documents, frames.TOKENS), now=NOW)
    result = access.consequences(entries("group:outer", "user:u3", "user:u4"), entries(), IDENTITIES, tokens)
    losing = result.losing_access
    rows = losing[["id", "principal", "kind", "via", "tokens", "effect"]].astype(object)
    assert rows.where(rows.notna(), None).to_numpy().tolist() == [
        [9, "ci", "service_principal", "outer > inner", 1, "deleted_or_disabled"],
        [2, "u2", "user", "outer", 1, "deleted_or_disabled"],
        [3, "u3", "user", "direct; outer > inner", 1, "deleted"],
        [4, "u4", "user", "direct", 0, None],
    ]
    assert list(losing.columns) == ["id", "principal", "kind", "via", "tokens", "effect"]
    assert (losing["tokens"].dtype, losing["effect"].dtype) == ("int64", frames.TEXT)
    assert result.tokens.set_index("token_id")["effect"].to_dict() == {
        "2": "deleted_or_disabled",
        "3": "deleted",
        "9": "deleted_or_disabled",
    }
    assert len(result.gaining_access) == len(result.keeping_access) == 0


def costs(identities, *texts):
    tokens = frames.frame([{"token_id": f"{n}{m}", "owner_id": n} for n in (1, 2, 3, 9) for m in (1, 2)], frames.TOKENS)
    found = access.entry_costs(entries(*texts), identities, lifecycle.with_lifecycle(tokens, now=NOW))
    return {row.name: (row.members, row.alone, row.tokens, row.complete) for row in found.itertuples(index=False)}


def test_an_entry_costs_the_tokens_of_those_who_have_permission_through_it_alone():
    admins = {"admins": (1, 1, 2, True)}
    assert costs(IDENTITIES) == admins
    assert costs(IDENTITIES, "group:outer") == admins | {"outer": (3, 3, 6, True)}
    assert costs(IDENTITIES, "group:outer", "group:other", "user:u2") == admins | {
        "outer": (3, 1, 2, True),
        "other": (1, 0, 0, True),
        "u2": (1, 0, 0, True),
    }


def test_an_entry_of_a_group_without_members_costs_nothing():
    identities = with_groups(
        [{"id": 100, "display_name": "admins"}, {"id": 105, "display_name": "empty", "members": []}]
    )
    assert costs(identities, "group:empty") == {"admins": (0, 0, 0, False), "empty": (0, 0, 0, True)}
    tokens = lifecycle.with_lifecycle(frames.frame([], frames.TOKENS), now=NOW)
    found = access.entry_costs(entries("group:empty"), identities, tokens)
    assert list(found.columns) == ["kind", "name", "members", "alone", "tokens", "complete"]
    assert found.dtypes[["members", "alone", "tokens"]].tolist() == ["int64"] * 3
    assert found["kind"].tolist() == ["group", "group"]


def test_what_an_entry_costs_is_incomplete_where_members_are_not_listed():
    hidden = IDENTITIES.groups.assign(members=[[1], [102, 2], None, [3]])
    identities = access.Identities(
        users=IDENTITIES.users, service_principals=IDENTITIES.service_principals, groups=hidden
    )
    found = costs(identities, "group:outer", "group:other", "user:stranger")
    assert found == {"admins": (1, 1, 2, True), "outer": (1, 1, 2, False), "other": (1, 1, 2, True)}


@pytest.mark.parametrize("replace", [True, False])
def test_a_change_adds_to_the_entries_or_replaces_them_and_admins_stay(replace):
    before = entries("group:admins=CAN_MANAGE", "group:outer", "user:u2")
    after = access.changed_entries(before, [entry("user:u2=CAN_MANAGE")], replace=replace)
    rows = set(after[["group_name", "user_name", "permission_level"]].fillna("").itertuples(index=False, name=None))
    kept = set() if replace else {("outer", "", "CAN_USE")}
    assert rows == {("admins", "", "CAN_MANAGE"), ("", "u2", "CAN_MANAGE")} | kept


@pytest.mark.parametrize("text", ["outer", "grp:outer", "group:", "group:x=CAN_FLY", ""])
def test_an_invalid_entry_is_an_error(text):
    with pytest.raises(errors.UsageError):
        entry_of(text)


ENTRY = st.sampled_from(range(40))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(change=st.lists(ENTRY, max_size=6), first=st.lists(ENTRY, max_size=6), replace=st.booleans())
def test_the_preview_lists_the_tokens_that_the_workspace_deletes(change, first, replace):
    """Any list of any groups, users and service principals, nested and overlapping; a fresh company each time."""
    with Sandbox(tokens=150, seed=4, clock=NOW.timestamp) as sandbox:
        ws = tokenkit.connect(host=sandbox.host, token=sandbox.token, clock=NOW)
        groups = [f"group:{name}" for name in sorted(ws.groups()["display_name"]) if name != "admins"]
        users = [f"user:{name}" for name in sorted(ws.users()["user_name"])[:15]]
        programs = [f"service-principal:{name}" for name in sorted(ws.service_principals()["application_id"])[:10]]
        choices = [entry(each) for each in (*groups, *users, *programs)]
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


def test_a_new_entry_must_name_a_known_principal_and_a_current_one_need_not(workspace):
    listed = workspace.token_management.get_permissions()
    gone = access.changed_entries(listed, [entry("user:gone@example.com")], replace=False)
    access.check_entries(gone, gone, workspace.identities())
    with pytest.raises(errors.UsageError, match="Unknown user 'gone@"):
        access.check_entries(listed, gone, workspace.identities())


@pytest.mark.parametrize("level", ["CAN_FLY", "can_use", ""])
def test_a_new_entry_must_have_a_known_level_and_a_current_one_need_not(workspace, level):
    listed = workspace.token_management.get_permissions()
    asked = access.changed_entries(listed, [{"group_name": "users", "permission_level": level}], replace=False)
    access.check_entries(asked, asked, workspace.identities())
    with pytest.raises(errors.UsageError, match=f"Unknown permission level '{level}'. Use CAN_USE or CAN_MANAGE"):
        access.check_entries(listed, asked, workspace.identities())


def test_a_display_name_of_several_service_principals_is_asked_back_with_their_ids():
    principals = pd.DataFrame({"application_id": ["id-1", "id-2", "id-3"], "display_name": ["etl", "etl", "id-1"]})
    with pytest.raises(errors.UsageError, match=r"2 service principals .* Use an application id: id-1, id-2"):
        access.service_principal(principals, "etl")
    assert access.service_principal(principals, "id-1")["display_name"] == "etl"
