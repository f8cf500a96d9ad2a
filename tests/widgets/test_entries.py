"""A permission review with more entries than a page has, in both faces."""

import json
import re

import ipywidgets as widgets
import pytest

from tests.widgets.conftest import settle

PEOPLE = [f"person-{number:03}@example.com" for number in range(120)]


@pytest.fixture(autouse=True)
def people(company):
    """Permit 120 more users, and return how many entries there are."""
    state = company.workspaces[0].state
    for name in PEOPLE:
        state.directory.add("user", name)
    state.permissions.update(
        [{"user_name": name, "permission_level": "CAN_USE"} for name in PEOPLE], now_ms=1_772_357_400_000
    )
    return len(list(state.permissions.entries()))


@pytest.fixture
def user(ws, browser):
    return browser(ws.review_access())


@pytest.fixture
def review(ws):
    return ws.review_access(plain=True)


@pytest.fixture
def plain(review, person):
    return person(review.widget)


def shown(user):
    return [entry["id"] for entry in user.sections["entries"]["rows"]]


def change_of(user, entry):
    return {row["id"]: row["change"] for row in user.sections["entries"]["rows"]}[entry]


def quick(user):
    return {item["label"]: item["count"] for item in user.sections["quick"]}


def test_fifty_entries_are_shown_and_all_are_on_one_of_the_pages(user, people):
    section = user.sections["entries"]
    assert (section["page"], section["pages"], section["place"]) == (0, 3, f"1 to 50 of {people}")
    seen = shown(user)
    for page in (1, 2):
        user.do("turn", page=page)
        assert user.says == f"Page {page + 1} of 3."
        seen += shown(user)
    assert len(set(seen)) == len(seen) == people
    user.do("size", size=250)
    assert shown(user) == seen


def test_an_edit_sends_no_more_than_the_page(user):
    user.received.clear()
    user.do("remove", id=shown(user)[10])
    rows = [
        len(message["sections"]["entries"]["rows"]) for message in user.received if "entries" in message["sections"]
    ]
    assert rows == [50]
    assert max(len(json.dumps(message)) for message in user.received) < 20_000


def test_an_edit_of_the_second_page_stays_and_the_page_stays(user, ws):
    user.do("turn", page=1)
    entry, before = shown(user)[3], shown(user)
    user.do("remove", id=entry)
    assert (user.sections["entries"]["page"], shown(user)) == (1, before)
    user.do("turn", page=0)
    user.do("turn", page=1)
    assert change_of(user, entry) == "removed"
    user.do("apply")
    user.confirm(user.asks["count"])
    assert entry.removeprefix("user ") not in set(ws.token_management.get_permissions()["user_name"].dropna())


def test_counts_changes_and_warnings_are_about_all_pages(user, people):
    assert f" {people} entries, " in user.sections["about"]["line"]
    user.do("remove", id="group data-scientists")
    deleted = len(user.sections["draft"]["tables"][-1]["rows"])
    (losing,) = re.findall(r"^(\d+) principals", user.sections["draft"]["verdict"])
    user.do("turn", page=2)
    for name in PEOPLE[-2:]:
        user.do("remove", id=f"user {name}")
    draft = user.sections["draft"]
    assert draft["changes"] == quick(user)["Changed"] == 3
    assert draft["told"].startswith("Remove group data-scientists. Remove user person-118@example.com.")
    lost = f"{int(losing) + 2} principals would lose permission, and {deleted} tokens would be deleted or disabled."
    assert deleted > 0
    assert draft["verdict"] == user.says == lost


def test_a_search_finds_an_entry_of_another_page_whatever_the_case(user, people):
    assert f"user {PEOPLE[-1]}" not in shown(user)
    user.do("search", text="PERSON-119")
    assert shown(user) == [f"user {PEOPLE[-1]}"]
    assert user.says == user.sections["filters"]["match"] == f"1 of {people} entries match"
    user.do("remove", id=shown(user)[0])
    assert change_of(user, f"user {PEOPLE[-1]}") == "removed"
    user.do("search", text="nobody has this name")
    assert (shown(user), user.sections["entries"]["empty"]) == ([], "No entry matches the filters.")
    user.do("clear")
    assert len(shown(user)) == 50
    assert user.sections["draft"]["changes"] == 1


def test_the_changed_entries_of_all_pages_are_listed_together_and_an_edit_moves_none_of_them(user):
    changed = []
    for page in (0, 1):
        user.do("turn", page=page)
        changed.append(shown(user)[20])
        user.do("remove", id=changed[-1])
    user.do("quick", value="changed")
    assert shown(user) == changed
    user.do("restore", id=changed[0])
    assert shown(user) == changed
    assert quick(user)["Changed"] == 1
    user.do("quick", value="group")
    assert {entry.partition(" ")[0] for entry in shown(user)} == {"group"}
    user.do("quick", value="group")  # the same again removes it
    assert len(shown(user)) == 50


def test_a_new_entry_is_on_the_page_that_is_shown_and_not_listed_after_its_removal(user, people):
    user.do("search", text="person-007")
    user.do("add", kind="group", text="contractors")
    section = user.sections["entries"]
    assert (section["page"], shown(user)[-1]) == (section["pages"] - 1, "group contractors")
    assert not user.sections["filters"]["is_filtered"]
    user.do("remove", id="group contractors")
    assert "group contractors" not in shown(user)
    assert user.sections["filters"]["match"] == f"{people} entries"


def test_a_refresh_keeps_the_draft_the_filters_and_the_page(user, ws):
    user.do("quick", value="user")
    user.do("turn", page=1)
    entry, before = shown(user)[0], shown(user)
    user.do("remove", id=entry)
    ws.token_management.update_permissions([{"group_name": "contractors", "permission_level": "CAN_USE"}])
    user.do("refresh")
    assert shown(user) == before
    assert change_of(user, entry) == "removed"
    user.do("clear")
    assert quick(user)["Changed"] == 1


def test_the_plain_review_has_the_same_pages(review, plain, people):
    first = list(review._face.rows)
    plain.press("Next →")
    assert "Page 2 of 3" in plain.reads()
    entry, row = list(review._face.rows.items())[4]
    assert entry not in first
    assert row.level.description == "Level of entry 55"
    row.button.click()
    settle()
    plain.press("← Previous")
    assert list(review._face.rows) == first
    plain.choose("Show", "Changed")
    assert list(review._face.rows) == [entry]
    assert review._face.rows[entry].change.value == "removed"
    plain.choose("Show", "All")
    plain.type("Search", "person-119")
    assert list(review._face.rows) == [f"user {PEOPLE[-1]}"]
    assert f"1 of {people} entries match" in plain.reads()
    plain.type("Search", "nobody has this name")
    assert "No entry matches the filters." in plain.reads()
    plain.type("Search", "")
    plain.named(widgets.Dropdown, "Rows per page").value = 250
    assert len(review._face.rows) == people


def test_an_old_row_of_the_plain_review_edits_its_own_entry(review, plain):
    entry, old = list(review._face.rows.items())[7]
    pressed = old._pressed
    plain.press("Next →")
    pressed()
    settle()
    plain.press("← Previous")
    assert review._face.rows[entry].change.value == "removed"
    assert [name for name, row in review._face.rows.items() if row.change.value == "removed"] == [entry]


def test_a_short_list_has_neither_filters_nor_pages(ws, company, browser, person):
    company.workspaces[0].state.permissions.replace(
        [{"group_name": "data-scientists", "permission_level": "CAN_USE"}], now_ms=1_772_357_400_000
    )
    user = browser(ws.review_access())
    assert (user.sections["filters"], user.sections["quick"]) == (None, [])
    assert (user.sections["entries"]["sizes"], user.sections["entries"]["place"]) == ([], "")
    plain = person(ws.review_access(plain=True).widget)
    assert not [part for part in plain.parts(widgets.Widget) if getattr(part, "description", "") == "Rows per page"]
    assert not [part for part in plain.parts(widgets.Text) if part.description == "Search"]
