"""The permission review in a real JupyterLab, compared with the state of the sandbox afterwards."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import violations
from tests.browser.user import Review, cut_focus_rings, fits

REVIEW = "review = ws.review_access()\nreview"


@pytest.fixture
def review(notebook):
    filled = notebook(REVIEW)
    filled.run(1)
    found = Review(filled.page)
    expect(found.row("admins")).to_be_visible()
    return found


def ids_of(company):
    return set(company.workspaces[0].state.tokens.ids())


def listed(company):
    return {identity.name: level for identity, level in company.workspaces[0].state.permissions.entries()}


def test_removing_an_entry_shows_its_deletions_which_are_made_after_the_count_is_typed(review, company):
    state = company.workspaces[0].state
    before, permitted = ids_of(company), state.permissions.holders()
    row = review.row("data-scientists")
    cost = [int(number) for number in row.locator("td").all_inner_texts()[1:3]]
    review.press("Remove group data-scientists")
    losing, deletions = review.wait_for_plan()
    assert losing == cost[1] <= cost[0]
    expect(row).to_contain_text(f"{deletions}")
    expect(row).to_contain_text("removed")
    review.expect_focus("entry:group data-scientists")  # an edit does not move the focus
    review.hears(f"{losing} principals would lose permission, and {deletions} tokens would be deleted or disabled.")
    expect(review.screen.get_by_role("table", name="Principals losing permission")).to_be_visible()
    expect(
        review.screen.locator("aside").get_by_role("table", name="Tokens that will").locator("tbody tr")
    ).to_have_count(deletions)
    assert (ids_of(company), "data-scientists" in listed(company)) == (before, True)
    review.press("Apply …")
    review.expect_focus("decision")
    review.sees("Remove group data-scientists. This will delete or disable")
    typed = review.screen.get_by_label(re.compile(r"^Type "))
    typed.fill(str(deletions - 1))
    expect(review.screen.get_by_role("button", name="Change the permissions")).to_be_disabled()
    review.screen.get_by_label("Reason (kept in the journal)").fill("ticket SEC-4711")
    typed.fill(str(deletions))
    review.press("Change the permissions")
    review.sees(f"{deletions} revoked.")
    review.sees("Permissions changed.")
    assert len(before - ids_of(company)) == deletions > 0
    assert len(permitted - state.permissions.holders()) == losing
    assert "data-scientists" not in listed(company)
    review.press("Close")
    expect(row).to_have_count(0)


def test_an_entry_is_added_with_the_keyboard_only_and_confirmed_without_a_count(review, company):
    page, before = review.page, ids_of(company)
    review.screen.get_by_label("Name", exact=True).focus()
    page.keyboard.type("contractors")
    page.keyboard.press("Enter")
    expect(review.row("contractors")).to_contain_text("new")
    review.expect_focus("add-name")
    review.hears("No principal would lose permission, and no token would be deleted.")
    review.screen.get_by_role("button", name="Apply …").focus()
    page.keyboard.press("Enter")
    review.expect_focus("decision")
    review.sees("Add group contractors with CAN_USE. No principal loses permission.")
    expect(review.screen.get_by_label(re.compile(r"^Type "))).to_have_count(0)
    page.keyboard.press("Escape")
    review.expect_focus("apply")
    assert "contractors" not in listed(company)
    page.keyboard.press("Enter")
    # The heading has the focus already while the plan is made, and the text of the first question is still read out.
    expect(review.screen.get_by_role("button", name="Change the permissions")).to_be_enabled()
    review.expect_focus("decision")
    for _ in range(4):  # the entries that change, the reason, Cancel, and the button
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    review.sees("Permissions changed.")
    assert listed(company)["contractors"] == "CAN_USE"
    assert ids_of(company) == before


def test_admins_cannot_be_removed_and_axe_has_no_objection_in_both_themes(review):
    expect(review.row("admins").get_by_role("button")).to_have_count(0)
    found = {}
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        review.page.evaluate("name => jupyterapp.commands.execute('apputils:change-theme', {theme: name})", theme)
        expect(review.page.locator(".tk.tks-dark")).to_have_count(1 if "Dark" in theme else 0)
        found[theme] = violations(review.page)
        review.press(re.compile("^Remove group data-scientists|^Restore group data-scientists"))
        found[f"{theme}, the draft"] = violations(review.page)
    review.press("Remove group data-scientists")
    review.wait_for_plan()
    review.press("Apply …")
    expect(review.screen.get_by_label(re.compile(r"^Type "))).to_be_visible()
    found["the question"] = violations(review.page)
    assert {place: objections for place, objections in found.items() if objections} == {}


def test_every_kind_is_added_in_a_narrow_screen_in_view_and_kept_by_a_refresh(review, company):
    page, state = review.page, company.workspaces[0].state
    state.directory.add("service_principal", "11111111-0000-4000-8000-000000000000", "narrow")
    page.set_viewport_size({"width": 560, "height": 900})
    try:
        review.press("Refresh")
        review.screen.get_by_label("Kind of principal").select_option("service principal")
        expect(review.screen.locator("datalist option[value^='narrow (']")).to_have_count(1)
        review.screen.get_by_label("Name", exact=True).fill("11111111-0000-4000-8000-000000000000")
        page.keyboard.press("Enter")
        expect(review.row("narrow")).to_contain_text("new")
        expect(review.row("narrow").get_by_role("button")).to_be_in_viewport()  # not below the edge of the table
        table = review.screen.locator(".tks-table")
        assert table.evaluate("it => it.scrollTop + it.clientHeight >= it.scrollHeight - 1")
        assert fits(page)
        state.permissions.update(
            [{"group_name": "contractors", "permission_level": "CAN_USE"}], now_ms=1_772_357_400_000
        )
        review.press("Refresh")
        expect(review.row("contractors")).to_be_visible()
        expect(review.row("narrow")).to_contain_text("new")
        expect(review.screen.locator(".tks-act-bar")).to_contain_text("1 change")
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.parametrize("width", [1280, 560])
def test_the_chosen_level_is_shown_in_full(notebook, company, width):
    company.workspaces[0].state.permissions.update(
        [{"group_name": "bi-team", "permission_level": "CAN_MANAGE"}], now_ms=1_772_357_400_000
    )
    filled = notebook(REVIEW)
    filled.run(1)
    level = Review(filled.page).screen.get_by_label("Level of group bi-team")
    expect(level).to_have_value("CAN_MANAGE")
    filled.page.set_viewport_size({"width": width, "height": 900})
    try:
        filled.page.wait_for_function(f"() => document.querySelector('.tk').offsetWidth < {width}")
        widths = "it => [it.offsetWidth, (it.style.maxWidth = 'none', it.offsetWidth)]"
        shown, needed = level.evaluate(widths)
        assert shown == needed
    finally:
        filled.page.set_viewport_size({"width": 1280, "height": 900})


def test_an_edit_moves_no_row(review):
    place = "rows => rows.map(row => row.getBoundingClientRect().top)"
    before = review.entries.evaluate_all(place)
    for name in ("data-engineers", "data-scientists", "bi-team", "service-accounts"):
        review.press(f"Remove group {name}")
        expect(review.row(name)).to_contain_text("removed")
    assert review.entries.evaluate_all(place) == pytest.approx(before, abs=1)


def test_a_long_list_is_paged_searched_and_edited_with_the_keyboard_in_wide_and_narrow_screens(notebook, company):
    state = company.workspaces[0].state
    people = [f"person-{number:03}@example.com" for number in range(120)]
    for name in people:
        state.directory.add("user", name)
    state.permissions.update(
        [{"user_name": name, "permission_level": "CAN_USE"} for name in people], now_ms=1_772_357_400_000
    )
    filled = notebook(REVIEW)
    filled.run(1)
    review, page = Review(filled.page), filled.page
    expect(review.entries).to_have_count(50)
    review.screen.get_by_role("button", name="Next page").focus()
    page.keyboard.press("Enter")
    review.hears("Page 2 of 3.")
    review.expect_focus("next")
    remove = review.screen.get_by_role("button", name="Remove user person-060@example.com")
    remove.focus()
    page.keyboard.press("Enter")
    expect(review.row("person-060")).to_contain_text("removed")
    review.hears("1 principal would lose permission, and 0 tokens would be deleted or disabled.")
    review.expect_focus("entry:user person-060@example.com")
    expect(review.screen.locator(".tks-foot")).to_contain_text("Page 2 of 3")
    review.screen.get_by_role("searchbox", name="Search principals").fill("PERSON-119")
    expect(review.entries).to_have_count(1)
    review.expect_focus("search")
    expect(review.row("person-119")).to_be_visible()
    review.press(re.compile("^Changed"))
    expect(review.entries).to_have_count(0)
    expect(review.screen.get_by_label("Rows per page")).to_have_count(0)
    assert violations(page) == []
    review.press("Clear filters")
    review.expect_focus("search")
    try:
        for width in (1280, 860, 560):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function("width => document.querySelector('.tk').offsetWidth < width", arg=width)
            assert fits(page)
            assert cut_focus_rings(page) == []
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})


def test_hostile_names_are_text_everywhere(notebook, company):
    state = company.workspaces[0].state
    hostile = "<img src=x onerror=window.__xss=1>", r"$\href{javascript:window.__xss=1}{pay}$", "\u202egnp.exe" * 90
    groups = [state.directory.add("group", name) for name in hostile]
    person = state.directory.add("user", '"><svg onload=window.__xss=1>@example.com')
    state.directory.add_members(groups[0].id, [person.id])
    state.permissions.update(
        [{"group_name": name, "permission_level": "CAN_USE"} for name in hostile], now_ms=1_772_357_400_000
    )
    filled = notebook(REVIEW)
    filled.run(1)
    review = Review(filled.page)
    for name in hostile[:2]:
        expect(review.row(name)).to_be_visible()
    assert "\u202e" not in review.screen.inner_text()
    review.press(f"Remove group {hostile[0]}")
    review.sees(re.compile(r"1 principal would lose permission"))
    expect(review.screen.locator("aside table").first).to_contain_text("<svg onload")
    review.screen.get_by_label("Name", exact=True).fill("onerror")
    expect(filled.page.locator("datalist option")).to_have_count(1)  # as the value of an option, which is never HTML
    assert filled.page.locator(".tk :is(img, mjx-container, svg[onload], a[href^=javascript])").count() == 0
    assert fits(filled.page)
    review.press(f"Remove group {hostile[2]}".replace("\u202e", "\ufffd"))
    review.wait_for_plan()
    review.press("Apply …")
    expect(review.screen.get_by_label(re.compile(r"^Type "))).to_be_visible()
    assert fits(filled.page)  # a long name does not push the change out of view


def test_the_plain_review_shows_the_same(notebook, company):
    filled = notebook("ws.review_access(plain=True)")
    filled.run(1)
    screen = filled.page.locator(".tokenkit")
    row = screen.locator(".tk-entries > .tk-row", has_text="group data-scientists")
    expect(row).to_contain_text("only this entry: ")
    row.get_by_role("button", name="Remove").click()
    lines = screen.get_by_label(re.compile("^Tokens that will be deleted"))
    deletions = len(lines.input_value().splitlines())
    assert filled.page.locator(".tk").count() == 0
    screen.get_by_role("button", name="Apply …").click()
    screen.get_by_label(re.compile(r"^Type ")).fill(str(deletions))
    screen.get_by_role("button", name="Change the permissions").click()
    expect(screen.get_by_text(f"{deletions} revoked.")).to_be_visible()
    assert "data-scientists" not in listed(company)
