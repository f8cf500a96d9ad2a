"""The explorer in a real JupyterLab, asserted against what the sandbox has afterwards."""

import ast
import json
import re

import pytest
from playwright.sync_api import expect

from tokenkit.sandbox import Fault

ROWS = ".tokenkit > .tk-table tbody tr:visible"
TICKS = f"{ROWS} input.dt-select-checkbox"
EXPLORE = "explorer = ws.explore(page_size=50)\nexplorer"


class Explorer:
    """An explorer on a page, and somebody at it."""

    def __init__(self, page):
        self.page = page
        self.screen = page.locator(".tokenkit")
        self.rows = page.locator(ROWS)
        self.ticks = page.locator(TICKS)

    def press(self, name):
        self.screen.get_by_role("button", name=name, exact=True).click()

    def choose(self, label, choice):
        """Choose from a list by the words before the count; return the count."""
        option = self.screen.get_by_label(label, exact=True).locator("option", has_text=choice)
        words = option.inner_text()
        self.screen.get_by_label(label, exact=True).select_option(words)
        count = re.search(r"\(([\d,]+)\)$", words)
        return int(count.group(1).replace(",", "")) if count else None

    def sees(self, words):
        expect(self.screen.get_by_text(words).first).to_be_visible()

    def tick(self, *positions):
        for position in positions:
            self.ticks.nth(position).click()

    def shown_ids(self):
        """Return the beginnings of the ids on the page, which the boxes are labelled with."""
        labels = self.ticks.evaluate_all("boxes => boxes.map(box => box.getAttribute('aria-label'))")
        return [label.removeprefix("Select token ") for label in labels]

    def preview(self, action="Revoke"):
        self.press(f"{action} …")
        self.press("Preview")

    def confirm(self, count, action="Revoke"):
        self.screen.get_by_label(re.compile(r"^Type ")).fill(str(count))
        self.press(action)


@pytest.fixture
def explorer(notebook, tmp_path):
    filled = notebook(
        EXPLORE,
        "len(explorer.filtered), sorted(explorer.selected['token_id'].str[:12])",
        "explorer.select(explorer.filtered.tail(3))\nexplorer.select(explorer.filtered.iloc[5:9])",
    )
    filled.run(1)
    found = Explorer(filled.page)
    expect(found.rows).to_have_count(50)
    found.next_cell = lambda: filled.run(2).inner_text()
    found.select = lambda: filled.run(3)
    found.keep_busy = lambda: filled.keep_busy(tmp_path / "enough")
    return found


WRONG = (f"{ROWS}.selected:has(input:not(:checked))", f"{ROWS}:not(.selected):has(input:checked)")


def agree(explorer):
    """Assert that boxes, rows and the kernel say the same is selected; return the beginnings of its ids."""
    explorer.next_cell()  # a click is sent once the one before it is heard
    _, selected = ast.literal_eval(explorer.next_cell())
    expected = [each for each in explorer.shown_ids() if each in selected]
    expect(explorer.page.locator(f"{TICKS}:checked")).to_have_count(len(expected))
    for rows in WRONG:
        expect(explorer.page.locator(rows)).to_have_count(0)
    checked = explorer.ticks.evaluate_all("boxes => boxes.filter(box => box.checked).map(box => box.ariaLabel)")
    assert [each.removeprefix("Select token ") for each in checked] == expected
    explorer.sees(re.compile(f"^{len(selected)} selected"))
    return selected


def beside(explorer, position):
    """Click into the cell of a box, at its edge."""
    cell = explorer.rows.nth(position).locator("td").first
    cell.click(position={"x": 2, "y": 2})


def space(explorer, position):
    explorer.ticks.nth(position).focus()
    explorer.page.keyboard.press("Space")


def stopped(explorer, company):
    company.faults.add(Fault(method="DELETE", latency_ms=300))
    explorer.press("Select all 230")
    explorer.sees("230 selected")
    explorer.preview()
    explorer.sees(re.compile(r"Revoke \d+ tokens for good on"))
    title = explorer.screen.locator(".tk-title", has_text="Revoke").inner_text()
    explorer.confirm(re.search(r"\d+", title).group())
    expect(explorer.screen.get_by_text(re.compile(r"^[1-9]\d* of \d+$"))).to_be_visible()
    explorer.press("Stop")
    explorer.sees(re.compile(r"Stopped\. "))
    company.faults.clear()
    refreshed(explorer)


def failed(explorer, company):
    company.faults.add(Fault(method="DELETE", status=400))
    explorer.preview()
    explorer.sees("Revoke 2 tokens for good on")
    explorer.confirm(2)
    explorer.sees("2 failed.")
    company.faults.clear()
    refreshed(explorer)


def refreshed(explorer):
    expect(explorer.screen.get_by_role("button", name="Refresh")).to_be_enabled()


def not_refreshed(explorer, company):
    company.faults.add(Fault(method="GET", path="*/token-management/tokens", status=403))
    explorer.press("Refresh")
    expect(explorer.screen.locator(".tk-error")).to_be_visible()
    company.faults.clear()


def in_turn(*steps):
    def take(explorer, company):
        for step in steps:
            step(explorer, company)
            agree(explorer)

    return take


def press(*names):
    return in_turn(*[lambda explorer, _, name=name: explorer.press(name) for name in names])


def choose(label, choice):
    return lambda explorer, _: explorer.choose(label, choice)


def click(act, *positions):
    return in_turn(*[lambda explorer, _, position=position: act(explorer, position) for position in positions])


PATHS = {
    "a click": click(Explorer.tick, 0, 3, 0),
    "a click beside the box": click(beside, 0, 3, 0, 49),
    "the space bar": click(space, 0, 3, 0),
    "a click with shift": click(lambda explorer, n: explorer.ticks.nth(n).click(modifiers=["Shift"]), 6, 2, 6),
    "two clicks at once": click(lambda explorer, n: explorer.ticks.nth(n).dblclick(), 0, 3),
    "Select page": press("Select page"),
    "Select page twice": press("Select page", "Select page"),
    "Select all and none": press("Select all 230", "Select none", "Select page", "Select all 230"),
    "the next page and back": press("Next →", "Select page", "← Previous", "Select none", "Next →"),
    "select()": lambda explorer, _: explorer.select(),
    "an order and its reverse": in_turn(
        choose("Sort by", "Owner"),
        lambda explorer, _: explorer.screen.get_by_role("button", name="Ascending").click(),
        choose("Sort by", "the listing's order"),
    ),
    "a filter and its undoing": in_turn(choose("Status", "expired"), press("Select page", "Clear filters")),
    "a filter that hides what is selected": in_turn(press("Select page"), choose("Status", "expired")),
    "a refresh": in_turn(press("Select page", "Refresh"), lambda explorer, _: refreshed(explorer)),
    "a refresh that fails": not_refreshed,
    "another size of the page": in_turn(choose("Rows on a page", "100"), press("Select page")),
    "the plain list and back": lambda explorer, _: [explorer.press("Plain list"), explorer.press("Plain list")],
    "a stopped run": stopped,
    "a run that failed": failed,
}


@pytest.mark.parametrize("path", PATHS)
def test_a_box_is_ticked_exactly_where_its_token_is_selected(explorer, company, path):
    explorer.tick(1, 4)
    before = agree(explorer)
    assert len(before) == 2
    PATHS[path](explorer, company)
    agree(explorer)
    expect(explorer.ticks.nth(2)).to_be_visible()
    for act in (Explorer.tick, beside, space):  # whatever it was before, each changes one token, the one that is seen
        before, seen = agree(explorer), explorer.shown_ids()[2]
        act(explorer, 2)
        assert set(before) ^ set(agree(explorer)) == {seen}


def test_the_boxes_of_two_explorers_and_of_two_views_of_one_are_their_own(notebook):
    filled = notebook(
        "explorer = ws.explore(page_size=50)\nother = ws.explore(page_size=50)\ndisplay(explorer, explorer, other)",
        "[sorted(each.selected['token_id'].str[:12]) for each in (explorer, other)]",
    )
    filled.run(1)
    screens = filled.page.locator(".tokenkit")
    expect(screens).to_have_count(3)
    expect(filled.page.locator(TICKS)).to_have_count(150)

    def ticked():
        filled.run(2)  # as in agree
        selected, others = ast.literal_eval(filled.run(2).inner_text())
        for screen, ids in zip(screens.all(), (selected, selected, others), strict=True):
            expect(screen.locator(".tk-table input:checked")).to_have_count(len(ids))
            expect(screen.locator(".tk-table tr.selected:visible")).to_have_count(len(ids))
        return len(selected), len(others)

    screens.nth(0).locator(".dt-select-checkbox").nth(3).click()
    screens.nth(1).locator(".dt-select-checkbox").nth(5).click()
    assert ticked() == (2, 0)
    screens.nth(2).get_by_role("button", name="Select page").click()
    assert ticked() == (2, 50)
    screens.nth(2).locator(".dt-select-checkbox").nth(5).click()
    screens.nth(0).locator(".dt-select-checkbox").nth(5).click()
    assert ticked() == (1, 49)


def test_the_boxes_of_a_fleet_s_explorer_show_what_is_selected(notebook, company):
    filled = notebook(
        "explorer = tokenkit.fleet([ws]).explore(page_size=50)\nexplorer",
        "len(explorer.filtered), sorted(explorer.selected['token_id'].str[:12])",
    )
    filled.run(1)
    explorer = Explorer(filled.page)
    expect(explorer.rows).to_have_count(50)
    explorer.next_cell = lambda: filled.run(2).inner_text()
    PATHS["Select page"](explorer, company)
    PATHS["a click"](explorer, company)
    PATHS["the next page and back"](explorer, company)
    PATHS["a click beside the box"](explorer, company)


@pytest.mark.parametrize("pressed", ["Next →", "Select page", "Select none", "Refresh"])
def test_clicks_that_wait_for_a_busy_kernel_select_what_was_clicked_and_tick_it(explorer, pressed):
    """Until the kernel has time the page is the old one, and so are the boxes that somebody sees and clicks."""
    explorer.tick(1, 4)
    agree(explorer)
    release = explorer.keep_busy()
    explorer.press(pressed)
    seen = explorer.shown_ids()
    explorer.tick(2, 6)
    release()
    selected = agree(explorer)
    assert {seen[2], seen[6]} <= set(selected)
    assert len(selected) == {"Next →": 4, "Select page": 50, "Select none": 2, "Refresh": 4}[pressed]
    if pressed == "Refresh":
        refreshed(explorer)
    before, seen = agree(explorer), explorer.shown_ids()
    explorer.tick(7)
    assert set(before) ^ set(agree(explorer)) == {seen[7]}


def ids_of(company):
    return set(company.workspaces[0].state.tokens.ids())


def beginnings(ids):
    return sorted(each[:12] for each in ids)


def test_it_renders_a_page_filters_sorts_and_turns_pages(explorer, company):
    first = explorer.shown_ids()
    explorer.press("Next →")
    explorer.sees("Page 2 of 5")
    assert not set(first) & set(explorer.shown_ids())
    infos = company.workspaces[0].state.tokens.infos()
    explorer.choose("Sort by", "Comment")
    explorer.screen.get_by_role("button", name="Ascending").click()
    last = max(info.get("comment", "").lower() for info in infos)
    expect(explorer.rows.first).to_contain_text(re.compile(re.escape(last[:20]), re.IGNORECASE))
    count = explorer.choose("Status", "expired")
    expect(explorer.rows).to_have_count(count)
    assert explorer.next_cell() == f"({count}, [])"


def test_tokens_of_two_pages_are_selected_revoked_after_the_count_is_typed_and_their_end_is_seen(explorer, company):
    before = ids_of(company)
    explorer.tick(3, 5)
    expected = [explorer.shown_ids()[each] for each in (3, 5)]
    explorer.sees("2 selected")
    explorer.press("Next →")
    explorer.sees("Page 2 of 5")
    explorer.tick(0)
    explorer.sees("3 selected")
    expected.append(explorer.shown_ids()[0])
    assert explorer.next_cell() == f"(230, {sorted(expected)})"
    explorer.choose("Status", "expired")  # nothing that moves rows changes who is hit
    explorer.sees("hidden by the filters")
    explorer.preview()
    explorer.sees("Revoke 3 tokens for good on")
    explorer.screen.get_by_label(re.compile(r"^Type ")).fill("2")
    expect(explorer.screen.get_by_role("button", name="Revoke", exact=True)).to_be_disabled()
    assert ids_of(company) == before
    explorer.confirm(3)
    explorer.sees("3 revoked.")
    assert beginnings(before - ids_of(company)) == sorted(expected)
    explorer.sees("0 selected")


def test_a_run_is_stopped_half_way_and_what_is_left_stays_selected_for_another_try(explorer, company):
    before = ids_of(company)
    company.faults.add(Fault(method="DELETE", latency_ms=300))
    explorer.press("Select all 230")
    explorer.sees("230 selected")
    explorer.preview()
    explorer.sees(re.compile(r"Revoke \d+ tokens for good on"))
    title = explorer.screen.locator(".tk-title", has_text="Revoke").inner_text()
    explorer.confirm(re.search(r"\d+", title).group())
    expect(explorer.screen.get_by_text(re.compile(r"^[1-9]\d* of \d+$"))).to_be_visible()
    explorer.press("Stop")
    explorer.sees(re.compile(r"Stopped\. .* are left"))
    gone = before - ids_of(company)
    assert 0 < len(gone) < len(before) - 20
    company.faults.clear()
    left = len(before - gone) - 1  # our own was left out
    explorer.sees(f"{left} selected")
    explorer.preview()
    explorer.sees(f"Revoke {left} tokens for good on")
    explorer.confirm(left)
    explorer.sees(f"{left} revoked.")
    assert len(ids_of(company)) == 1


def test_it_is_used_with_the_keyboard_alone(explorer, company):
    page = explorer.page
    before = ids_of(company)
    explorer.ticks.nth(2).focus()
    page.keyboard.press("Space")
    explorer.sees("1 selected")
    (chosen,) = [explorer.shown_ids()[2]]
    explorer.screen.get_by_role("button", name="Revoke …").focus()
    page.keyboard.press("Enter")
    expect(explorer.screen.get_by_role("button", name="Preview")).to_be_visible()
    for _ in range(20):  # to the preview, and on to the box, whatever stands between
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.textContent") == "Preview":
            break
    page.keyboard.press("Space")
    box = explorer.screen.get_by_label(re.compile(r"^Type 1 to revoke"))
    expect(box).to_be_visible()
    box.focus()
    page.keyboard.type("1")
    expect(explorer.screen.get_by_role("button", name="Revoke", exact=True)).to_be_enabled()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    explorer.sees("1 revoked.")
    assert beginnings(before - ids_of(company)) == [chosen]


HOSTILE = (
    "<img src=x onerror=window.__xss=1>",
    "<script>window.__xss=1</script>",
    '"><svg onload=window.__xss=1>',
    r"$\href{javascript:window.__xss=1}{pay here}$",
    "https://elsewhere.example.com/x.png ![](https://elsewhere.example.com/y.png)",
)


def test_hostile_comments_owners_makers_and_scopes_are_text_everywhere(notebook, company):
    state = company.workspaces[0].state
    infos = [info for info in state.tokens.infos() if info["created_by_username"] != "admin@example.com"]
    for info, text in zip(infos, HOSTILE * 2, strict=False):
        changed = {**info, "comment": text, "created_by_username": text, "scopes": [text], "owner_id": 4711}
        state.tokens.replace({**changed, "created_by_id": 4711})
    filled = notebook(EXPLORE, "import ipywidgets\nipywidgets.Label('$x^2$')")
    filled.run(1)
    page = filled.page
    explorer = Explorer(page)
    explorer.choose("Owner", "<img")
    expect(explorer.rows).to_have_count(2)
    expect(explorer.rows.first).to_contain_text("<img src=x onerror=window.__xss=1>")
    explorer.press("Clear filters")
    explorer.screen.get_by_label("Search").fill("elsewhere.example.com")
    page.keyboard.press("Enter")
    expect(explorer.rows).to_have_count(2)
    explorer.screen.get_by_label("Search").fill("__xss")
    page.keyboard.press("Enter")
    expect(explorer.rows).to_have_count(8)
    explorer.press("Select all 8")
    details = explorer.screen.locator(".tk-details")
    seen = set()
    for number in range(8):
        explorer.sees(f"Details of selected token {number + 1} of 8")
        seen |= {text for text in HOSTILE if text in details.inner_text()}
        if "href" in details.inner_text():
            filled.run(2)  # mathematics is typeset here, so it would have been typeset there
            expect(page.locator(".jp-OutputArea mjx-container")).to_have_count(1)
            assert page.locator(".tokenkit mjx-container").count() == 0
        explorer.press("→")
    assert seen == {text for text in HOSTILE if "__xss" in text}
    explorer.preview()
    explorer.sees("Revoke 8 tokens for good on")
    expect(explorer.screen.locator(".tk-panel tbody tr:visible")).to_have_count(8)
    assert page.locator(".tokenkit mjx-container").count() == 0
    assert page.locator(".tokenkit img[src='x'], .tokenkit svg[onload], .tokenkit a[href^=javascript]").count() == 0
    explorer.press("Cancel")
    explorer.press("Plain list")
    expect(explorer.screen.locator("select[multiple]:visible option")).to_have_count(8)


def test_where_the_table_cannot_load_a_plain_list_does_every_action(notebook, company):
    before = ids_of(company)
    filled = notebook("ws.explore(page_size=50, plain=True)")
    filled.run(1)
    page = filled.page
    explorer = Explorer(page)
    listed = explorer.screen.locator("select[multiple]").first
    expect(listed.locator("option")).to_have_count(50)
    assert page.locator(".itables_anywidget").count() == 0
    count = explorer.choose("Kind of owner", "service principal")
    expect(listed.locator("option")).to_have_count(count)
    words = listed.locator("option").nth(1).inner_text()
    listed.select_option(words)
    explorer.sees("1 selected")
    explorer.preview()
    explorer.sees("Revoke 1 token for good on")
    explorer.confirm(1)
    explorer.sees("1 revoked.")
    (gone,) = before - ids_of(company)
    assert words.endswith(gone[:12])


def test_a_saved_notebook_holds_the_line_and_no_secret(notebook, company):
    filled = notebook(EXPLORE)
    filled.run(1)
    expect(Explorer(filled.page).rows).to_have_count(50)
    saved = json.loads(filled.save())
    (output,) = saved["cells"][1]["outputs"]
    assert "".join(output["data"]["text/plain"]) == f"<Explorer of 230 tokens on {company.host}>"
    outputs = json.dumps([cell["outputs"] for cell in saved["cells"]] + [saved["metadata"]])
    assert len(outputs) < 2_000
    assert not re.search(r"dapi[0-9a-f]{32}", outputs)
