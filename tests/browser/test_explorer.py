"""The explorer in a real JupyterLab, asserted against what the sandbox has afterwards."""

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
def explorer(notebook):
    filled = notebook(EXPLORE, "len(explorer.filtered), sorted(explorer.selected['token_id'].str[:12])")
    filled.run(1)
    found = Explorer(filled.page)
    expect(found.rows).to_have_count(50)
    found.next_cell = lambda: filled.run(2).inner_text()
    return found


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
