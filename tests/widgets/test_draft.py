"""An access-control list being edited, and who is meant by what is typed."""

import pytest

from tokenkit import frames
from tokenkit.review import access
from tokenkit.widgets.draft import Draft, Names

ADMINS, ENGINEERS, ANN = ("group", "admins"), ("group", "engineers"), ("user", "ann")


def permissions(*texts, **more):
    return frames.frame([access.entry_of(text) | more for text in texts], frames.PERMISSIONS)


@pytest.fixture
def draft():
    return Draft(permissions("group:admins=CAN_MANAGE", "group:engineers", "user:ann=CAN_MANAGE"))


def test_a_draft_begins_as_the_list_and_changes_nothing(draft):
    assert draft.everybody() == [ADMINS, ENGINEERS, ANN]
    assert not draft.changed
    assert [draft.change(key) for key in draft.everybody()] == ["", "", ""]


def test_what_is_to_become_of_each_entry_is_a_word(draft):
    draft.remove(ENGINEERS)
    draft.put(ANN, "CAN_USE")
    draft.put(("service principal", "app"), "CAN_USE")
    assert [draft.change(key) for key in draft.everybody()] == ["", "removed", "was CAN_MANAGE", "new"]
    assert draft.entries() == [
        {"group_name": "admins", "permission_level": "CAN_MANAGE"},
        {"user_name": "ann", "permission_level": "CAN_USE"},
        {"service_principal_name": "app", "permission_level": "CAN_USE"},
    ]


def test_a_draft_that_is_taken_back_is_none(draft):
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


def test_admins_stay_as_they_are(draft):
    draft.remove(ADMINS)
    draft.put(ADMINS, "CAN_USE")
    assert draft.level(ADMINS) == "CAN_MANAGE"
    assert not draft.changed


def test_inherited_entries_are_no_part_of_it_and_of_two_levels_the_higher_counts():
    two = permissions("user:ann=CAN_MANAGE", "user:ann=CAN_USE")
    assert Draft(two).entries() == [{"user_name": "ann", "permission_level": "CAN_MANAGE"}]
    assert Draft(permissions("user:ann", inherited=True)).entries() == []


def test_a_list_that_somebody_else_changed_is_not_what_the_draft_began_with(draft):
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
def test_a_name_that_could_be_markup_is_not_offered_but_found_once_it_is_typed(name):
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
    assert [names.offered(kind, "") for kind in ("group", "user", "service principal")] == [["R&D Zürich"], [], []]
    assert names.named("group", name) == name
    assert names.named("service principal", name) == "app-9"


def test_names_are_offered_by_any_part_of_them_in_any_case_and_never_as_a_pattern():
    assert NAMES.offered("user", "AN") == ["Ann"]
    assert NAMES.offered("user", "(x") == ["bob(x)"]
    assert NAMES.offered("service principal", "") == ["app-4", "ci (app-1)", "twin (app-2)", "twin (app-3)"]
    assert NAMES.offered("service principal", "", most=2) == ["app-4", "ci (app-1)"]


@pytest.mark.parametrize(
    ("kind", "text", "name"),
    [
        ("service principal", "ci (app-1)", "app-1"),
        ("service principal", "app-2", "app-2"),
        ("service principal", "ci", "app-1"),
        ("service principal", "twin", None),
        ("group", "engineers", "engineers"),
        ("group", "Ann", None),
        ("user", "", None),
    ],
)
def test_whoever_is_typed_is_somebody_who_is_there_or_nobody(kind, text, name):
    assert NAMES.named(kind, text) == name
