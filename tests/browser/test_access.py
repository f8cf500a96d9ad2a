"""The permission review in a real JupyterLab, asserted against what the sandbox has afterwards."""

import re

import pytest
from playwright.sync_api import expect

REVIEW = "review = ws.review_access()\nreview"


class Review:
    """A permission review on a page, and somebody at it."""

    def __init__(self, page):
        self.page = page
        self.screen = page.locator(".tokenkit")
        self.entries = page.locator(".tk-entries > .tk-row")

    def row(self, words):
        return self.entries.filter(has_text=words)

    def press(self, name):
        self.screen.get_by_role("button", name=name, exact=True).click()

    def sees(self, words):
        expect(self.screen.get_by_text(words).first).to_be_visible()

    def weighed(self):
        """Wait until the draft is weighed; return how many principals lose the right, and how many tokens die."""
        verdict = self.screen.get_by_text(re.compile(r"would lose the right, \d+ tokens? be deleted or disabled\."))
        expect(verdict).to_be_visible()
        return [int(number) for number in re.findall(r"\d+", verdict.inner_text())]


@pytest.fixture
def review(notebook):
    filled = notebook(REVIEW)
    filled.run(1)
    found = Review(filled.page)
    expect(found.row("group admins")).to_be_visible()
    return found


def ids_of(company):
    return set(company.workspaces[0].state.tokens.ids())


def listed(company):
    return {identity.name: level for identity, level in company.workspaces[0].state.permissions.entries()}


def test_an_entry_is_removed_its_deletions_are_seen_and_after_the_count_is_typed_they_happen(review, company):
    state = company.workspaces[0].state
    before, entitled = ids_of(company), state.permissions.holders()
    review.row("group data-scientists").get_by_role("button", name="Remove").click()
    losers, dying = review.weighed()
    expect(review.row("group data-scientists")).to_contain_text("removed")
    expect(review.screen.get_by_text("Who loses the right:")).to_be_visible()
    expect(review.screen.locator(".tk-beside .tk-table").last.locator("tbody tr:visible")).to_have_count(dying)
    assert (ids_of(company), "data-scientists" in listed(company)) == (before, True)
    review.press("Apply …")
    review.sees(f"Delete or disable {dying} tokens on")
    typed = review.screen.get_by_label(re.compile(r"^Type "))
    typed.fill(str(dying - 1))
    expect(review.screen.get_by_role("button", name="Apply", exact=True)).to_be_disabled()
    typed.fill(str(dying))
    review.press("Apply")
    review.sees(f"{dying} revoked.")
    assert len(before - ids_of(company)) == dying > 0
    assert len(entitled - state.permissions.holders()) == losers
    assert "data-scientists" not in listed(company)
    expect(review.row("group data-scientists")).to_have_count(0)


def test_somebody_is_added_and_another_level_given_and_nobody_loses_anything(review, company):
    before = ids_of(company)
    review.screen.get_by_label("Name", exact=True).fill("contractors")
    review.press("Add")
    review.row("group data-engineers").get_by_label("Level of entry").select_option("CAN_MANAGE")
    expect(review.row("group contractors")).to_contain_text("new")
    expect(review.row("group data-engineers")).to_contain_text("was CAN_USE")
    review.sees("Nobody would lose the right, and no token be deleted.")
    review.press("Apply …")
    review.sees("The permissions were changed, and no token was deleted.")
    assert listed(company)["contractors"] == "CAN_USE"
    assert listed(company)["data-engineers"] == "CAN_MANAGE"
    assert ids_of(company) == before


def test_it_is_used_with_the_keyboard_alone(review, company):
    page = review.page
    before = ids_of(company)
    review.row("group data-scientists").get_by_role("button").focus()
    page.keyboard.press("Enter")
    _, dying = review.weighed()
    # An edit leaves the focus where it was.
    assert page.evaluate("() => document.activeElement.textContent") == "Restore"
    review.screen.get_by_role("button", name="Apply …").focus()
    page.keyboard.press("Enter")
    box = review.screen.get_by_label(re.compile(r"^Type \d+ to delete"))
    expect(box).to_be_visible()
    box.focus()
    page.keyboard.type(str(dying))
    expect(review.screen.get_by_role("button", name="Apply", exact=True)).to_be_enabled()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    review.sees(f"{dying} revoked.")
    assert len(before - ids_of(company)) == dying


def test_admins_cannot_be_taken_off_and_every_control_has_a_name(review):
    admins = review.row("group admins")
    expect(admins.get_by_role("button")).to_be_disabled()
    expect(admins.get_by_role("combobox")).to_be_disabled()
    for control in review.screen.locator("select, input, button").all():
        if control.is_visible():
            assert control.evaluate(
                "node => node.textContent.trim() || [...node.labels].map(l => l.textContent).join('')"
            )
    assert admins.get_by_label("Level of entry").count() == 1
    assert review.page.locator(".tk-unseen > .widget-label").first.bounding_box()["width"] <= 1


def test_hostile_names_are_text_everywhere(notebook, company):
    state = company.workspaces[0].state
    hostile = "<img src=x onerror=window.__xss=1>", r"$\href{javascript:window.__xss=1}{pay}$"
    groups = [state.directory.add("group", name) for name in hostile]
    person = state.directory.add("user", '"><svg onload=window.__xss=1>@example.com')
    state.directory.join(groups[0].id, [person.id])
    state.permissions.update(
        [{"group_name": name, "permission_level": "CAN_USE"} for name in hostile], now_ms=1_772_357_400_000
    )
    filled = notebook(REVIEW)
    filled.run(1)
    page, review = filled.page, Review(filled.page)
    for name in hostile:
        expect(review.row(name)).to_be_visible()
    review.row(hostile[0]).get_by_role("button", name="Remove").click()
    review.sees(re.compile(r"1 principal would lose the right"))
    expect(review.screen.locator(".tk-beside .tk-table").first).to_contain_text("<svg onload")
    review.screen.get_by_label("Name", exact=True).fill("data-")
    expect(page.locator("datalist option")).to_have_count(2)
    review.screen.get_by_label("Name", exact=True).fill("onerror")  # it can be typed, and is never offered
    expect(page.locator("datalist option")).to_have_count(0)
    assert page.locator(".tokenkit mjx-container").count() == 0
    assert page.locator(".tokenkit img[src='x'], .tokenkit svg[onload], .tokenkit a[href^=javascript]").count() == 0


def test_where_tables_cannot_load_plain_lists_show_the_same(notebook, company):
    filled = notebook("ws.review_access(plain=True)")
    filled.run(1)
    review = Review(filled.page)
    review.row("group data-scientists").get_by_role("button", name="Remove").click()
    _, dying = review.weighed()
    expect(review.screen.locator("select[multiple]").last.locator("option")).to_have_count(dying)
    assert filled.page.locator(".itables_anywidget").count() == 0
    review.press("Apply …")
    review.screen.get_by_label(re.compile(r"^Type ")).fill(str(dying))
    review.press("Apply")
    review.sees(f"{dying} revoked.")
    assert "data-scientists" not in listed(company)
