import pytest

from tokenkit.sandbox.handlers.scim_patch import IdentityEdit, apply_operations, boolean, member_ids
from tokenkit.sandbox.responses import ScimError
from tokenkit.sandbox.state.directory import Identity


def user(**attributes):
    return IdentityEdit(Identity(1, "user", "ann@example.com", "Ann", attributes=attributes), members=None)


def team(*members):
    return IdentityEdit(Identity(2, "group", "team"), members=set(members))


def applied(edit, op, path=None, value=None):
    operation = {"op": op, "path": path, "value": value}
    apply_operations(edit, [{name: content for name, content in operation.items() if content is not None}])
    return edit


def test_operations_are_applied_in_order():
    edit = team(1)
    operations = [{"op": "add", "path": "members", "value": [{"value": "5"}]}, {"op": "remove", "path": "members"}]
    apply_operations(edit, operations)
    assert edit.members == set()
    apply_operations(edit, operations[::-1])
    assert edit.members == {5}


def test_active_can_be_a_string_without_a_path():
    assert applied(user(), "replace", "active", "False").identity.active is False
    assert applied(user(), "Replace", None, {"active": False}).identity.active is False


def test_active_can_be_a_list_of_one_object_as_in_the_platforms_documentation():
    assert applied(user(), "replace", "active", [{"value": "false"}]).identity.active is False
    for value in ([], [{"value": "false"}] * 2, [{}], ["false"], {"value": "false"}):
        with pytest.raises(ScimError, match="active"):
            applied(user(), "replace", "active", value)


def test_a_path_or_a_name_can_begin_with_its_schema():
    schema = "urn:ietf:params:scim:schemas:core:2.0:User:"
    assert applied(user(), "replace", schema + "active", False).identity.active is False
    assert applied(user(), "replace", None, {schema + "displayName": "A."}).identity.display_name == "A."
    assert applied(user(), "add", schema + "name.familyName", "B").identity.attributes == {"name": {"familyName": "B"}}
    for path in (schema, schema.rstrip(":"), schema + "shoeSize"):
        with pytest.raises(ScimError, match="cannot be changed"):
            applied(user(), "replace", path, "x")


def test_the_display_name_of_a_group_is_its_name():
    assert applied(team(), "replace", "displayName", "crew").identity.name == "crew"
    edit = applied(user(), "add", "displayName", "Ann B.")
    assert (edit.identity.name, edit.identity.display_name) == ("ann@example.com", "Ann B.")


@pytest.mark.parametrize("path", ["userName", "emails", "applicationId", "groups", 'emails[type eq "work"].value'])
def test_what_the_platform_ignores_is_ignored(path):
    assert applied(user(), "replace", path, "x").identity == user().identity


def test_entitlements_are_edited_one_by_one():
    edit = applied(user(), "add", "entitlements", [{"value": "a"}, {"value": "b"}])
    applied(edit, "add", "entitlements", [{"value": "a"}])
    assert edit.identity.attributes == {"entitlements": [{"value": "a"}, {"value": "b"}]}
    applied(edit, "remove", 'entitlements[value eq "a"]')
    assert edit.identity.attributes == {"entitlements": [{"value": "b"}]}
    applied(edit, "replace", "entitlements", [{"value": "c"}])
    assert edit.identity.attributes == {"entitlements": [{"value": "c"}]}
    applied(edit, "remove", "entitlements")
    assert edit.identity.attributes == {}


def test_a_part_of_the_name_is_replaced():
    edit = applied(user(name={"givenName": "Ann", "familyName": "A"}), "replace", "name.familyName", "B")
    assert edit.identity.attributes["name"] == {"givenName": "Ann", "familyName": "B"}
    assert applied(edit, "remove", "name").identity.attributes == {}


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
def test_an_invalid_operation_is_rejected(operations):
    with pytest.raises(ScimError) as error:
        apply_operations(user(), operations)
    assert error.value.status == 400


def test_booleans_are_read_strictly():
    assert [boolean(value) for value in (True, "TRUE", "false")] == [True, True, False]
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


def test_a_string_has_no_sub_attributes_to_change():
    with pytest.raises(ScimError):
        applied(user(externalId="x"), "replace", "externalId.part", {"a": 1})
