"""Where hostile text of a workspace is allowed in the state of widgets: in labels, tables, inputs and options of lists.

ipywidgets 7 renders descriptions and the suggestions of a Combobox as HTML. The allowed traits are listed here, and
every trait of every widget is checked, visible or not.
"""

import json

import ipywidgets as widgets
import pytest

import tokenkit
from tests.widgets.conftest import settle
from tokenkit.widgets.saved import explore

MARK = "window.__xss=1"
HOSTILE = (
    f"<img src=x onerror={MARK}>",
    f'"><svg onload={MARK}>',
    f'x" autofocus onfocus="{MARK}',
    rf"$\href{{javascript:{MARK}}}{{pay here}}$",
    f"&lt;img src=x onerror={MARK}&gt;",
)
TEXT_ONLY = {
    ("LabelModel", "value"),
    ("TextModel", "value"),
    ("ComboboxModel", "value"),
    ("DropdownModel", "_options_labels"),
    ("SelectMultipleModel", "_options_labels"),
    ("TextareaModel", "value"),
}


def parts(root):
    yield root
    for child in getattr(root, "children", ()):
        yield from parts(child)


def places(screen):
    """Return the model and the trait of all state with hostile text."""
    return {
        (part.get_state()["_model_name"], name)
        for part in parts(screen)
        for name, value in part.get_state().items()
        if MARK in json.dumps(value, default=repr)
    }


@pytest.fixture
def hostile(company):
    """A workspace in which all names are hostile."""
    state = company.workspaces[0].state
    infos = [info for info in state.tokens.infos() if info["created_by_username"] != "admin@example.com"]
    entries = []
    for info, name in zip(infos, HOSTILE * 8, strict=False):
        changed = {**info, "comment": name, "created_by_username": name, "scopes": [name], "owner_id": 4711}
        state.tokens.replace({**changed, "created_by_id": 4711})
    for number, name in enumerate(HOSTILE):
        group = state.directory.add("group", name)
        person = state.directory.add("user", f"{name}@example.com", name)
        state.directory.add_members(group.id, [person.id])
        state.tokens.mint(
            owner_id=person.id, created_by_id=person.id, created_by_username=name, creation_time=1, expiry_time=-1
        )
        program = state.directory.add("service_principal", f"{number:08x}-0000-4000-8000-000000000000", name)
        entries += [
            {"group_name": group.name, "permission_level": "CAN_USE"},
            {"user_name": person.name, "permission_level": "CAN_USE"},
            {"service_principal_name": program.name, "permission_level": "CAN_USE"},
        ]
    state.permissions.update(entries, now_ms=1_772_357_400_000)


@pytest.mark.usefixtures("hostile")
def test_the_plain_explorer_has_hostile_text_only_in_safe_traits(ws, person):
    explorer = ws.explore(plain=True)
    user = person(explorer.widget)
    seen = places(explorer.widget)
    user.type("Search", MARK)
    for field in ("Owner", "Scope"):
        user.choose("Filter by", field)
        seen |= places(explorer.widget)
    user.choose("Details of", user.tokens.options[0][0])
    seen |= places(explorer.widget)
    for opener, verb in (("Edit", "Change"), ("Schedule", "Schedule"), ("Revoke", "Revoke")):
        explorer.select(explorer.filtered)
        user.press(opener)
        if opener == "Edit":
            user.type("New comment", HOSTILE[0])
            user.press("Preview")
        seen |= places(explorer.widget)
        user.type("Type", str(explorer._decision.plan.summary().count))
        user.press(f"{verb} {explorer._decision.plan.summary().count}")
        seen |= places(explorer.widget)
        user.press("Close")
    assert seen <= TEXT_ONLY
    assert {("LabelModel", "value"), ("SelectMultipleModel", "_options_labels")} <= seen


@pytest.mark.usefixtures("hostile")
def test_no_trait_of_the_explorer_has_text_of_the_workspace(ws, browser):
    explorer = ws.explore()
    user = browser(explorer)
    user.do("search", text=MARK)
    user.do("choices", field="owner")
    user.do("charts", on=True)
    user.do("look", id=user.page[0])
    explorer.select(explorer.filtered)
    user.do("act", action="revoke")
    assert places(explorer.widget) == set()
    assert MARK in json.dumps(user.received)  # as text, in messages


@pytest.mark.usefixtures("hostile")
def test_no_trait_of_a_saved_listing_has_its_text(ws, browser):
    audit = ws.audit()
    screen = explore(audit.tokens, findings=audit.findings.assign(rule=HOSTILE[0], severity=HOSTILE[1]))
    user = browser(screen)
    user.do("look", id=user.page[0])
    assert places(screen.widget) == set()
    assert MARK in json.dumps(user.received)  # as text, in messages
    classes = {severity for row in user.sections["table"]["rows"] for severity, _ in row["findings"]}
    assert classes <= {""}  # a severity becomes the name of a class


@pytest.mark.usefixtures("hostile")
def test_no_trait_of_a_fleet_s_explorer_has_its_text(ws, browser):
    screen = tokenkit.fleet([ws]).explore()
    user = browser(screen)
    screen.select(screen.filtered)
    user.do("act", action="revoke")
    assert places(screen.widget) == set()
    assert MARK in json.dumps(user.received)


@pytest.mark.usefixtures("hostile")
def test_the_plain_permission_review_has_hostile_text_only_in_safe_traits(ws, person):
    review = ws.review_access(plain=True)
    user = person(review.widget)
    seen = places(review.widget)
    for kind in ("group", "user", "service_principal"):
        user.type("Name", "")
        user.named(widgets.Dropdown, "Add").value = kind
        assert user.named(widgets.Combobox, "Name").options
        user.type("Name", HOSTILE[0])
        seen |= places(review.widget)
        user.press("Add")
    for row in [row for row in review._face.rows.values() if HOSTILE[0] in row.who.value]:
        row.button.click()
        settle()
    seen |= places(review.widget)
    user.press("Apply …")
    seen |= places(review.widget)
    user.type("Type", str(review._decision.plan.summary().count))
    user.press("Change the permissions")
    seen |= places(review.widget)
    assert seen <= TEXT_ONLY
    assert {("LabelModel", "value"), ("ComboboxModel", "value")} <= seen


@pytest.mark.usefixtures("hostile")
def test_no_trait_of_the_permission_review_has_text_of_the_workspace(ws, browser):
    review = ws.review_access()
    user = browser(review)
    for entry in [entry["id"] for entry in user.sections["entries"]["rows"] if MARK in entry["id"]]:
        user.do("remove", id=entry)
    user.do("suggest", kind="user", text=MARK)
    user.do("apply")
    assert user.asks["phase"] == "asking"
    assert places(review.widget) == set()
    assert MARK in json.dumps(user.received)  # as text, in messages
