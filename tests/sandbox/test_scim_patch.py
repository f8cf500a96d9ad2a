import pytest

from tokenkit.sandbox.answers import ScimError
from tokenkit.sandbox.directory import Identity
from tokenkit.sandbox.scim_patch import Draft, apply_operations, boolean, member_ids


def user(**attributes):
    return Draft(Identity(1, "user", "ann@example.com", "Ann", attributes=attributes), members=None)


def team(*members):
    return Draft(Identity(2, "group", "team"), members=set(members))


def applied(draft, op, path=None, value=None):
    operation = {"op": op, "path": path, "value": value}
    apply_operations(draft, [{name: each for name, each in operation.items() if each is not None}])
    return draft


def test_operations_are_carried_out_in_turn():
    draft = team(1)
    operations = [{"op": "add", "path": "members", "value": [{"value": "5"}]}, {"op": "remove", "path": "members"}]
    apply_operations(draft, operations)
    assert draft.members == set()
    apply_operations(draft, operations[::-1])
    assert draft.members == {5}


def test_active_may_come_as_text_and_without_a_path():
    assert applied(user(), "replace", "active", "False").identity.active is False
    assert applied(user(), "Replace", None, {"active": False}).identity.active is False


def test_the_display_name_of_a_group_is_its_name():
    assert applied(team(), "replace", "displayName", "crew").identity.name == "crew"
    draft = applied(user(), "add", "displayName", "Ann B.")
    assert (draft.identity.name, draft.identity.display_name) == ("ann@example.com", "Ann B.")


@pytest.mark.parametrize("path", ["userName", "emails", "applicationId", "groups", 'emails[type eq "work"].value'])
def test_what_the_platform_ignores_is_ignored(path):
    before = user().identity
    draft = user()
    if "[" in path:
        with pytest.raises(ScimError):
            applied(draft, "replace", path, "x")
    else:
        applied(draft, "replace", path, "x")
    assert draft.identity == before


def test_entitlements_are_edited_one_by_one():
    draft = applied(user(), "add", "entitlements", [{"value": "a"}, {"value": "b"}])
    applied(draft, "add", "entitlements", [{"value": "a"}])
    assert draft.identity.attributes == {"entitlements": [{"value": "a"}, {"value": "b"}]}
    applied(draft, "remove", 'entitlements[value eq "a"]')
    assert draft.identity.attributes == {"entitlements": [{"value": "b"}]}
    applied(draft, "replace", "entitlements", [{"value": "c"}])
    assert draft.identity.attributes == {"entitlements": [{"value": "c"}]}
    applied(draft, "remove", "entitlements")
    assert draft.identity.attributes == {}


def test_a_part_of_the_name_is_replaced():
    draft = applied(user(name={"givenName": "Ann", "familyName": "A"}), "replace", "name.familyName", "B")
    assert draft.identity.attributes["name"] == {"givenName": "Ann", "familyName": "B"}
    assert applied(draft, "remove", "name").identity.attributes == {}


@pytest.mark.parametrize(
    "operations",
    [
        None,
        [],
        {},
        ["add"],
        [{"path": "active"}],
        [{"op": 5}],
        [{"op": "move", "path": "active"}],
        [{"op": "add"}],
        [{"op": "add", "value": "x"}],
        [{"op": "replace", "path": "active"}],
        [{"op": "replace", "path": "active", "value": "perhaps"}],
        [{"op": "remove", "path": "active"}],
        [{"op": "remove", "path": "displayName"}],
        [{"op": "replace", "path": "displayName", "value": ""}],
        [{"op": "replace", "path": "shoeSize", "value": "42"}],
        [{"op": "replace", "path": "members", "value": [{"value": "5"}]}],
        [{"op": "add", "path": "entitlements", "value": ["x"]}],
        [{"op": "replace", "path": "name", "value": "Ann"}],
        [{"op": "replace", "path": "externalId", "value": 5}],
    ],
)
def test_an_operation_that_is_none_is_refused(operations):
    with pytest.raises(ScimError) as refusal:
        apply_operations(user(), operations)
    assert refusal.value.status == 400


def test_booleans_are_read_strictly():
    assert [boolean(each) for each in (True, "TRUE", "false")] == [True, True, False]
    for value in (1, None, "yes", []):
        with pytest.raises(ScimError):
            boolean(value)


def test_references_are_ids():
    assert member_ids([{"value": "5"}, {"value": 9223372036854775807}]) == [5, 2**63 - 1]
    assert member_ids({"value": "5"}) == [5]
    assert member_ids(None) == []
    for value in ("5", ["5"], [{}], [{"value": "-5"}], [{"value": str(2**63)}], [{"value": "²"}]):
        with pytest.raises(ScimError):
            member_ids(value)


def test_a_text_has_no_parts_to_change():
    with pytest.raises(ScimError):
        applied(user(externalId="x"), "replace", "externalId.part", {"a": 1})
