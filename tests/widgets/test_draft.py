"""The draft of an access control list, and the lookup of typed names."""

import pytest

from tests.acl import entry
from tokenkit import frames
from tokenkit.review import access
from tokenkit.widgets.draft import Draft, Names, suggestible

ADMINS, ENGINEERS, ANN = ("group", "admins"), ("group", "engineers"), ("user", "ann")


def permissions(*texts, **more):
    return frames.frame([entry(text) | more for text in texts], frames.PERMISSIONS)


@pytest.fixture
def draft():
    return Draft(permissions("group:admins=CAN_MANAGE", "group:engineers", "user:ann=CAN_MANAGE"))


def test_a_new_draft_equals_the_list(draft):
    assert draft.everybody() == [ADMINS, ENGINEERS, ANN]
    assert not draft.changed
    assert [draft.change(key) for key in draft.everybody()] == ["", "", ""]


def test_the_change_of_each_entry_is_described(draft):
    draft.remove(ENGINEERS)
    draft.put(ANN, "CAN_USE")
    draft.put(("service_principal", "app"), "CAN_USE")
    assert [draft.change(key) for key in draft.everybody()] == ["", "removed", "was CAN_MANAGE", "new"]
    assert draft.entries() == [
        {"group_name": "admins", "permission_level": "CAN_MANAGE"},
        {"user_name": "ann", "permission_level": "CAN_USE"},
        {"service_principal_name": "app", "permission_level": "CAN_USE"},
    ]


def test_a_reverted_draft_has_no_changes(draft):
    before = draft.entries()
    draft.remove(ENGINEERS)
    draft.restore(ENGINEERS)
    draft.put(("user", "bob"), "CAN_USE")
    draft.remove(("user", "bob"))
    assert not draft.changed
    assert draft.entries() == before
    draft.remove(ANN)
    draft.discard()
    assert not draft.changed


def test_the_changes_of_a_draft_are_repeated_on_a_newer_list_except_those_that_it_has(draft):
    draft.remove(ENGINEERS)
    draft.put(ANN, "CAN_USE")
    draft.put(("group", "new"), "CAN_USE")
    newer = Draft(permissions("group:admins=CAN_MANAGE", "user:ann=CAN_MANAGE", "group:new", "user:bob"))
    newer.repeat(draft)
    assert {key: newer.change(key) for key in newer.everybody() if newer.change(key)} == {ANN: "was CAN_MANAGE"}
    older = Draft(permissions("group:engineers"))
    older.repeat(draft)
    assert older.level(ENGINEERS) is None
    assert older.level(("group", "new")) == "CAN_USE"


def test_admins_cannot_be_changed(draft):
    draft.remove(ADMINS)
    draft.put(ADMINS, "CAN_USE")
    assert draft.level(ADMINS) == "CAN_MANAGE"
    assert not draft.changed


def test_inherited_entries_are_excluded_and_the_higher_of_two_levels_counts():
    two = permissions("user:ann=CAN_MANAGE", "user:ann=CAN_USE")
    assert Draft(two).entries() == [{"user_name": "ann", "permission_level": "CAN_MANAGE"}]
    assert Draft(permissions("user:ann", inherited=True)).entries() == []


def test_a_list_that_changed_meanwhile_differs_from_the_original_of_the_draft(draft):
    draft.remove(ANN)
    assert draft.began_as(permissions("user:ann=CAN_MANAGE", "group:engineers", "group:admins=CAN_MANAGE"))
    assert not draft.began_as(permissions("user:ann", "group:engineers", "group:admins=CAN_MANAGE"))


NAMES = Names(
    access.Identities(
        users=frames.frame([{"id": n, "user_name": name} for n, name in enumerate(["Ann", "bob(x)"])], frames.USERS),
        service_principals=frames.frame(
            [
                {"id": 10, "application_id": "app-1", "display_name": "ci"},
                {"id": 11, "application_id": "app-2", "display_name": "twin"},
                {"id": 12, "application_id": "app-3", "display_name": "twin"},
                {"id": 13, "application_id": "app-4"},
                {"id": 14, "application_id": "app-5", "display_name": ""},
            ],
            frames.SERVICE_PRINCIPALS,
        ),
        groups=frames.frame([{"id": 20, "display_name": "engineers", "members": []}], frames.GROUPS),
    )
)


@pytest.mark.parametrize(
    "name",
    [
        '"><img src=x onerror=window.__xss=1>',
        "<script>",
        "a$x$",
        r"\\href",
        '" autofocus onfocus=x a="',
        "a`b",
        "&lt;b&gt;",
    ],
)
def test_a_name_that_could_be_markup_is_not_suggested_but_found_when_typed(name):
    names = Names(
        access.Identities(
            users=frames.frame([{"id": 1, "user_name": name}], frames.USERS),
            service_principals=frames.frame(
                [{"id": 2, "application_id": "app-9", "display_name": name}], frames.SERVICE_PRINCIPALS
            ),
            groups=frames.frame(
                [{"id": 3, "display_name": name}, {"id": 4, "display_name": "R&D Zürich"}], frames.GROUPS
            ),
        )
    )
    offered = [names.offered(kind, "") for kind in ("group", "user", "service_principal")]
    assert [suggestible(labels) for labels in offered] == [["R&D Zürich"], [], []]
    assert [len(labels) for labels in offered] == [2, 1, 1]
    assert names.named("group", name) == name
    assert names.named("service_principal", name) == "app-9"


def test_names_are_suggested_by_any_part_ignoring_case_and_never_by_a_pattern():
    assert NAMES.offered("user", "AN") == ["Ann"]
    assert NAMES.offered("user", "(x") == ["bob(x)"]
    assert NAMES.offered("service_principal", "") == [*("app-4", "app-5", "ci (app-1)", "twin (app-2)", "twin (app-3)")]
    assert NAMES.offered("service_principal", "", most=3) == ["app-4", "app-5", "ci (app-1)"]


def test_a_service_principal_without_a_name_is_shown_by_its_application_id():
    assert [NAMES.title(("service_principal", name)) for name in ("app-1", "app-4", "app-5")] == [
        "ci",
        "app-4",
        "app-5",
    ]


@pytest.mark.parametrize(
    ("kind", "text", "name"),
    [
        ("service_principal", "ci (app-1)", "app-1"),
        ("service_principal", "app-2", "app-2"),
        ("service_principal", "ci", "app-1"),
        ("service_principal", "twin", None),
        ("group", "engineers", "engineers"),
        ("group", "Ann", None),
        ("user", "", None),
    ],
)
def test_a_typed_name_is_an_existing_principal_or_none(kind, text, name):
    assert NAMES.named(kind, text) == name
