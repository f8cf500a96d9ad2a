"""Where hostile text of a workspace may stand in a widget's state: in labels, tables, inputs and options of lists.

ipywidgets 7 takes descriptions, and what a Combobox offers, for HTML. So what is allowed is written down here, trait by
trait, and every trait of every widget of every screen is read, whether it can be seen or not.
"""

import json

import ipywidgets as widgets
import pytest

import tokenkit
from tests.widgets.conftest import settle, tick
from tokenkit.widgets.explorer import explore

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
    ("AnyModel", "_dt_args"),  # the table, which escapes each cell: tests/browser
}


def parts(root):
    yield root
    for child in getattr(root, "children", ()):
        yield from parts(child)


def places(screen):
    """Return the model and the trait of everything that holds hostile text."""
    return {
        (part.get_state()["_model_name"], name)
        for part in parts(screen)
        for name, value in part.get_state().items()
        if MARK in json.dumps(value, default=repr)
    }


@pytest.fixture
def hostile(company):
    """Everything that somebody can name in a workspace has a hostile name."""
    state = company.workspaces[0].state
    infos = [info for info in state.tokens.infos() if info["created_by_username"] != "admin@example.com"]
    entries = []
    for info, name in zip(infos, HOSTILE * 8, strict=False):
        changed = {**info, "comment": name, "created_by_username": name, "scopes": [name], "owner_id": 4711}
        state.tokens.replace({**changed, "created_by_id": 4711})
    for number, name in enumerate(HOSTILE):
        group = state.directory.add("group", name)
        person = state.directory.add("user", f"{name}@example.com", name)
        state.directory.join(group.id, [person.id])
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
@pytest.mark.parametrize("plain", [False, True])
def test_the_explorer_has_hostile_text_only_where_it_is_text(ws, person, plain):
    explorer = ws.explore(plain=plain)
    somebody = person(explorer.widget)
    seen = places(explorer.widget)
    somebody.type("Search", MARK)
    for action, answers in (("Update", {"New comment": HOSTILE[0]}), ("Stage", {"Grace": "7d"}), ("Revoke", {})):
        explorer.select(explorer.filtered)
        somebody.press(f"{action} …")
        for name, answer in answers.items():
            somebody.type(name, answer)
        somebody.press("Preview")
        seen |= places(explorer.widget)
        somebody.type("Type", str(explorer._confirmation.plan.summary().count))
        somebody.press(action)
        seen |= places(explorer.widget)
    assert seen <= TEXT_ONLY
    assert {("LabelModel", "value"), ("DropdownModel", "_options_labels")} <= seen


@pytest.mark.usefixtures("hostile")
def test_the_explorer_of_a_saved_listing_has_it_only_where_it_is_text(ws):
    audit = ws.audit()
    screen = explore(audit.tokens, findings=audit.findings.assign(rule=HOSTILE[0], severity=HOSTILE[1]))
    tick(screen._table, 0, 1)
    assert places(screen.widget) <= TEXT_ONLY


@pytest.mark.usefixtures("hostile")
def test_the_explorer_of_a_fleet_has_it_only_where_it_is_text(ws):
    screen = tokenkit.fleet([ws]).explore()
    screen.select(screen.filtered)
    assert places(screen.widget) <= TEXT_ONLY


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("plain", [False, True])
def test_the_permission_review_has_hostile_text_only_where_it_is_text(ws, person, plain):
    review = ws.review_access(plain=plain)
    somebody = person(review.widget)
    seen = places(review.widget)
    for kind in ("group", "user", "service principal"):
        somebody.type("Name", "")
        somebody.named(widgets.Dropdown, "Add").value = kind
        assert somebody.named(widgets.Combobox, "Name").options
        somebody.type("Name", HOSTILE[0])
        seen |= places(review.widget)
        somebody.press("Add")
    for row in [row for row in review._rows.values() if HOSTILE[0] in row._whose.value]:
        row._button.click()
        settle()
    seen |= places(review.widget)
    somebody.press("Apply …")
    seen |= places(review.widget)
    somebody.type("Type", str(review._confirmation.plan.summary().count))
    somebody.press("Apply")
    seen |= places(review.widget)
    assert seen <= TEXT_ONLY
    assert {("LabelModel", "value"), ("ComboboxModel", "value")} <= seen
