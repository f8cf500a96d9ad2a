"""The explorer in a real JupyterLab, compared with the state of the sandbox afterwards."""

import ast
import csv
import json
import re
import time

import pandas as pd
import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import violations
from tests.browser.conftest import opened
from tests.browser.user import ROWS, TICKS, Explorer, cut_focus_rings, fits
from tests.conftest import NOW
from tests.review.test_sign_ins import event
from tokenkit.sandbox import Fault
from tokenkit.sandbox.state.audit_rows import GivenRows

EXPLORE = "explorer = ws.explore(page_size=50)\nexplorer"


@pytest.fixture
def explorer(notebook, tmp_path):
    filled = notebook(
        EXPLORE,
        "len(explorer.filtered), sorted(explorer.selected['token_id'])",
        "explorer.select(explorer.filtered.tail(3))\nexplorer.select(explorer.filtered.iloc[5:9])",
    )
    filled.run(1)
    found = Explorer(filled.page)
    expect(found.rows).to_have_count(50)
    found.kernel = lambda: ast.literal_eval(filled.value(2))
    found.select = lambda: filled.run(3)
    found.use_theme = filled.use_theme
    found.keep_busy = lambda: filled.keep_busy(tmp_path / "enough")
    return found


def agree(explorer):
    """Assert that boxes, rows, the count and the kernel have the same selection; return its ids."""
    explorer.kernel()  # a click is sent after the previous one was handled
    _, selected = explorer.kernel()
    expected = [token_id for token_id in explorer.shown_ids() if token_id in selected]
    expect(explorer.screen.locator(f"{TICKS}:checked")).to_have_count(len(expected))
    checked = explorer.ticks.evaluate_all("boxes => boxes.filter(box => box.checked).map(box => box.dataset.id)")
    assert checked == expected
    rows = explorer.rows.evaluate_all("rows => rows.filter(r => r.matches('.tks-selected')).map(r => r.dataset.row)")
    assert rows == expected
    if explorer.screen.locator(".tks-browse").is_visible():
        bar = explorer.screen.locator(".tks-act-bar")
        expect(bar).to_have_count(1 if selected else 0)
        if selected:
            expect(bar).to_contain_text(f"{len(selected)} selected")
    return selected


def beside(explorer, position):
    """Click into the cell of a box, at its edge."""
    explorer.rows.nth(position).locator("td").first.click(position={"x": 3, "y": 3})


def space(explorer, position):
    explorer.ticks.nth(position).focus()
    explorer.page.keyboard.press("Space")


def stopped(explorer, company):
    company.faults.add(Fault(method="DELETE", latency_ms=300))
    explorer.press("Select all 230 that match")
    explorer.sees("230 selected")
    explorer.revoke(230)
    explorer.confirm(int(explorer.screen.locator(".tks-dialog label b").inner_text()))
    expect(explorer.screen.get_by_text(re.compile(r"^[1-9]\d* of \d+"))).to_be_visible()
    explorer.press("Stop")
    explorer.sees(re.compile(r"Stopped\. "))
    company.faults.clear()
    explorer.press("Close")
    refreshed(explorer)


def failed(explorer, company):
    company.faults.add(Fault(method="DELETE", status=400))
    explorer.revoke(2)
    explorer.confirm(2)
    explorer.sees("2 failed.")
    company.faults.clear()
    explorer.press("Close")
    refreshed(explorer)


def refreshed(explorer):
    expect(explorer.screen.locator(".tks-note", has_text="Reading")).to_have_count(0)


def not_refreshed(explorer, company):
    company.faults.add(Fault(method="GET", path="*/token-management/tokens", status=403))
    explorer.press("Refresh")
    expect(explorer.screen.locator(".tks-error")).to_be_visible()
    company.faults.clear()


def in_turn(*steps):
    def take(explorer, company):
        for step in steps:
            step(explorer, company)
            agree(explorer)

    return take


def focused(act, argument):
    """Do something, and assert that the focus is not lost by it. (Running a cell, as ``agree`` does, takes it.)"""

    def step(explorer, _):
        act(explorer, argument)
        expect(explorer.page.locator(".tk[data-waiting]")).to_have_count(0)
        assert explorer.focused is not None

    return step


def press(*names):
    return in_turn(*[focused(Explorer.press, name) for name in names])


def click(act, *positions):
    return in_turn(*[focused(act, position) for position in positions])


def whole_page(explorer, _):
    explorer.screen.get_by_label("Select all tokens on this page").click()


def searched(text):
    def search(explorer, _):
        explorer.searched.fill(text)
        explorer.page.keyboard.press("Enter")

    return search


PATHS = {
    "a click": click(Explorer.tick, 0, 3, 0),
    "a click beside the box": click(beside, 0, 3, 0, 49),
    "the space bar": click(space, 0, 3, 0),
    "a click with shift": click(lambda explorer, n: explorer.ticks.nth(n).click(modifiers=["Shift"]), 6, 2, 6),
    "two clicks at once": click(lambda explorer, n: explorer.ticks.nth(n).dblclick(), 0, 3),
    "the box of the page": in_turn(whole_page, whole_page, whole_page),
    "all and none": press("Select all 230 that match", "Clear selection"),
    "the next page and back": in_turn(
        press("Next page"), whole_page, press("Previous page", "Clear selection", "Next page")
    ),
    "select()": lambda explorer, _: explorer.select(),
    "an order and its reverse": press("Token", "Token", "Last used", "Findings"),
    "a quick filter": in_turn(lambda explorer, _: explorer.quick("High risk"), whole_page, press("Clear")),
    "a search": in_turn(searched("terraform"), whole_page, searched("")),
    "a filter that hides what is selected": in_turn(
        whole_page, lambda explorer, _: explorer.filter("Status", "expired")
    ),
    "a refresh": in_turn(whole_page, lambda explorer, _: explorer.press("Refresh"), lambda e, _: refreshed(e)),
    "a refresh that fails": not_refreshed,
    "another size of the page": in_turn(
        lambda explorer, _: explorer.screen.get_by_label("Rows per page").select_option("100"), whole_page
    ),
    "a question and its cancellation": in_turn(
        lambda explorer, _: explorer.revoke(2), press("Cancel", "Schedule revocation …", "Cancel")
    ),
    "a stopped run": stopped,
    "a run that failed": failed,
}


@pytest.mark.parametrize("path", PATHS)
def test_a_box_is_checked_exactly_if_its_token_is_selected(explorer, company, path):
    explorer.tick(1, 4)
    before = agree(explorer)
    assert len(before) == 2
    PATHS[path](explorer, company)
    agree(explorer)
    expect(explorer.ticks.nth(2)).to_be_visible()
    for act in (Explorer.tick, beside, space):  # whatever it was before, each changes the token that is seen
        before, seen = agree(explorer), explorer.shown_ids()[2]
        act(explorer, 2)
        assert set(before) ^ set(agree(explorer)) == {seen}


def test_two_explorers_are_independent_and_two_views_of_one_agree(notebook):
    filled = notebook(
        "explorer = ws.explore(page_size=50)\nother = ws.explore(page_size=50)\ndisplay(explorer, explorer, other)",
        "[sorted(screen.selected['token_id']) for screen in (explorer, other)]",
    )
    filled.run(1)
    screens = filled.page.locator(".tk")
    expect(screens).to_have_count(3)
    expect(filled.page.locator(TICKS)).to_have_count(150)

    def ticked():
        filled.run(2)  # as in agree
        selected, others = ast.literal_eval(filled.value(2))
        for screen, ids in zip(screens.all(), (selected, selected, others), strict=True):
            expect(screen.locator(f"{TICKS}:checked")).to_have_count(len(ids))
        return len(selected), len(others)

    screens.nth(0).locator(TICKS).nth(3).click()
    screens.nth(1).locator(TICKS).nth(5).click()
    assert ticked() == (2, 0)
    screens.nth(2).get_by_label("Select all tokens on this page").click()
    assert ticked() == (2, 50)
    screens.nth(2).locator(TICKS).nth(5).click()
    screens.nth(0).locator(TICKS).nth(5).click()
    assert ticked() == (1, 49)


def test_the_boxes_of_a_fleet_s_explorer_show_the_selection(notebook, company):
    filled = notebook(
        "explorer = tokenkit.fleet([ws]).explore(page_size=50)\nexplorer",
        "len(explorer.filtered), sorted(explorer.selected['token_id'] + ' ' + explorer.selected['workspace'])",
    )
    filled.run(1)
    explorer = Explorer(filled.page)
    expect(explorer.rows).to_have_count(50)
    explorer.kernel = lambda: ast.literal_eval(filled.value(2))
    for path in ("a click", "the box of the page", "the next page and back", "a click beside the box"):
        PATHS[path](explorer, company)


@pytest.mark.parametrize("pressed", ["Next page", "Select all 230 that match", "Clear selection", "Refresh"])
def test_clicks_while_the_kernel_is_busy_change_the_tokens_that_were_seen(explorer, pressed):
    """While the kernel is busy, the old page is displayed, and the user clicks its boxes."""
    explorer.tick(1, 4)
    agree(explorer)
    release = explorer.keep_busy()
    try:
        explorer.press(pressed)
        seen = explorer.shown_ids()
        explorer.tick(2, 6)
        boxes = explorer.ticks.evaluate_all("boxes => [2, 6].map(position => boxes[position].checked)")
    finally:
        release()
    assert boxes == [True, True]  # at once
    selected = set(agree(explorer))
    if pressed == "Select all 230 that match":
        assert len(selected) == 230
    else:
        assert {seen[2], seen[6]} <= selected
        assert len(selected) == {"Next page": 4, "Clear selection": 2, "Refresh": 4}[pressed]
    refreshed(explorer)
    before, seen = set(agree(explorer)), explorer.shown_ids()
    explorer.tick(7)
    assert before ^ set(agree(explorer)) == {seen[7]}


def test_a_busy_kernel_is_named_and_the_input_is_kept(explorer):
    release = explorer.keep_busy()
    try:
        place = explorer.rows.nth(3).bounding_box()
        explorer.tick(3)
        explorer.sees("Waiting for the kernel.")
        assert explorer.rows.nth(3).bounding_box() == place  # else the next click would meet another row
    finally:
        release()
    expect(explorer.screen.locator(".tks-wait")).to_have_count(0)
    assert len(agree(explorer)) == 1


def test_clicks_do_not_postpone_the_line_about_a_busy_kernel_and_it_covers_nothing(explorer):
    release = explorer.keep_busy()
    waiting = explorer.screen.locator(".tks-wait")
    try:
        explorer.tick(3)
        before = time.monotonic()
        while not waiting.count() and time.monotonic() - before < 30:
            explorer.ticks.nth(4).click(delay=500)
        expect(waiting).to_be_visible()
        box = waiting.bounding_box()
        rows = explorer.screen.locator("h2, .tks-quick, .tks-bar").all()
        assert all(row.bounding_box()["y"] + row.bounding_box()["height"] <= box["y"] for row in rows)
    finally:
        release()
    expect(waiting).to_have_count(0)


def ids_of(company):
    return set(company.workspaces[0].state.tokens.ids())


def test_tokens_are_found_by_quick_filters_search_chips_and_charts(explorer, company):
    infos = company.workspaces[0].state.tokens.infos()
    count = explorer.quick("Never expires")
    expect(explorer.rows).to_have_count(count)
    explorer.hears(f"{count} of 230 tokens match")
    explorer.quick("Never expires")
    expect(explorer.rows).to_have_count(50)
    search = explorer.searched
    search.press_sequentially("terraform")  # without Enter: it waits until the typing ends
    matching = [info for info in infos if "terraform" in json.dumps(info).lower()]
    explorer.sees(re.compile(r"^\d+ of 230 tokens match$"))
    assert len(explorer.shown_ids()) >= min(50, len(matching)) > 0
    explorer.expect_focus("search")
    explorer.page.keyboard.press("Escape")
    explorer.sees("230 tokens")
    expired = explorer.filter("Status", "expired")
    expect(explorer.rows).to_have_count(expired)
    explorer.expect_focus("filter")
    explorer.press("Remove filter Status: expired")
    expect(explorer.rows).to_have_count(50)
    explorer.expect_focus("filter")
    explorer.press("Charts")
    bar = explorer.button(re.compile(r"^Idle for: 60 to 89 days, \d+ tokens$"), exact=False)
    count = int(re.search(r"(\d+) tokens", bar.get_attribute("aria-label")).group(1))
    bar.click()
    expect(explorer.rows).to_have_count(min(count, 50))
    assert bar.get_attribute("aria-pressed") == "true"
    explorer.searched.fill("no such token")
    explorer.sees("No token matches the filters.")
    explorer.press("Clear filters")
    explorer.sees("230 tokens")


def test_owners_are_found_by_typing_among_all(explorer, company):
    owners = sorted({info["created_by_username"] for info in company.workspaces[0].state.tokens.infos()})
    wanted = next(owner for owner in reversed(owners) if "@" in owner)
    explorer.press("+ Filter")
    explorer.expect_focus("filter-field")
    explorer.screen.get_by_label("Filter by").select_option("Owner")
    explorer.screen.get_by_label("Find Owner").fill(wanted[:9])
    choices = explorer.screen.locator(".tks-choices label")
    expect(choices).to_have_count(sum(wanted[:9] in owner for owner in owners))  # those that were typed
    choices.filter(has_text=wanted).locator("input").click()
    expect(explorer.screen.locator(".tks-chip", has_text=wanted)).to_be_visible()
    explorer.page.keyboard.press("Escape")
    explorer.expect_focus("filter")
    expect(explorer.screen.locator(".tks-popover")).to_have_count(0)


def test_headers_sort_and_say_so(explorer):
    header = explorer.screen.get_by_role("columnheader", name="Token", exact=True)
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    explorer.hears("Sorted by Token, ascending.")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "descending")
    explorer.expect_focus("sort:comment")
    explorer.press("Next page")
    explorer.sees("Page 2 of 5")
    explorer.hears("Page 2 of 5.")
    explorer.expect_focus("next")


def test_a_row_opens_the_panel_selects_nothing_and_escape_goes_back(explorer, company):
    row = explorer.shown_ids()[2]
    explorer.rows.nth(2).locator(".tks-open").click()
    panel = explorer.screen.locator("aside")
    expect(panel).to_contain_text(row)
    explorer.expect_focus("panel")
    assert agree(explorer) == []
    for sentence in ("Access", "Last used", "Created", "Ends", "Same owner"):
        expect(panel.get_by_text(sentence, exact=True)).to_be_visible()
    expect(panel.locator("details dl")).to_be_hidden()
    panel.locator("summary").click()
    expect(panel.locator("details dl")).to_contain_text("token id")
    explorer.page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    explorer.expect_focus(f"look:{row}")
    explorer.rows.nth(4).locator("td").nth(2).click()  # anywhere in the row
    expect(panel).to_contain_text(explorer.shown_ids()[4])
    assert agree(explorer) == []
    info = next(
        info for info in company.workspaces[0].state.tokens.infos() if info["token_id"] == explorer.shown_ids()[4]
    )
    expect(panel.locator("h3")).to_have_text(info.get("comment") or "no comment")


def test_tokens_of_two_pages_are_revoked_after_the_count_is_typed(explorer, company):
    before = ids_of(company)
    explorer.tick(3, 5)
    expected = [explorer.shown_ids()[position] for position in (3, 5)]
    explorer.hears("2 selected.")
    explorer.press("Next page")
    explorer.sees("Page 2 of 5")
    explorer.tick(0)
    explorer.sees("3 selected")
    expected.append(explorer.shown_ids()[0])
    assert explorer.kernel() == (230, sorted(expected))
    explorer.filter("Status", "expired")  # moving rows does not change the revoked tokens
    explorer.sees("3 hidden by the filters")
    explorer.revoke(3)
    explorer.expect_focus("decision")
    expect(explorer.screen.locator(".tks-browse")).to_be_hidden()
    typed = explorer.screen.get_by_label("to confirm")
    typed.fill("2")
    expect(explorer.button("Revoke 3 tokens")).to_be_disabled()
    explorer.page.keyboard.press("Enter")
    explorer.sees("That is not the number of tokens.")
    assert typed.get_attribute("aria-invalid") == "true"
    field, error = typed.bounding_box(), explorer.screen.locator(".tks-problem", has_text="That is not the number")
    top = "it => { const range = new Range(); range.selectNodeContents(it); return range.getBoundingClientRect().top; }"
    assert error.evaluate(top) >= field["y"] + field["height"] + 3  # below the field's outline
    assert ids_of(company) == before
    explorer.screen.get_by_label("Reason (kept in the journal)").fill("ticket SEC-4711")
    explorer.confirm(3)
    explorer.sees("3 revoked.")
    explorer.expect_focus("decision")
    explorer.hears("3 revoked.")
    assert before - ids_of(company) == set(expected)
    explorer.press("Close")
    explorer.expect_focus("list")
    refreshed(explorer)
    assert agree(explorer) == []


def test_enter_and_escape_never_confirm(explorer, company):
    before = ids_of(company)
    explorer.tick(0, 1)
    explorer.revoke(2)
    explorer.screen.get_by_label("to confirm").fill("2")
    explorer.page.keyboard.press("Enter")
    explorer.expect_focus("go")  # which a second Enter presses
    assert ids_of(company) == before
    explorer.page.keyboard.press("Escape")
    expect(explorer.screen.get_by_role("dialog")).to_have_count(0)
    explorer.expect_focus("act:revoke")
    assert ids_of(company) == before


def test_a_stopped_run_is_resumed_on_the_screen(explorer, company):
    before = ids_of(company)
    company.faults.add(Fault(method="DELETE", latency_ms=300))
    explorer.tick(0)
    explorer.press("Select all 230 that match")
    explorer.revoke(230)
    explorer.sees("Left out: 1 token (yours")
    explorer.confirm(229)
    expect(explorer.screen.get_by_text(re.compile(r"^[1-9]\d* of 229"))).to_be_visible()
    explorer.press("Stop")
    explorer.sees(re.compile(r"Stopped\. .* remaining"))
    revoked = before - ids_of(company)
    assert 0 < len(revoked) < len(before) - 20
    company.faults.clear()
    left = len(before - revoked) - 1  # excluding our own
    explorer.sees(f"Resume ({left} remaining)")
    explorer.press("Close")
    explorer.sees(re.compile(r"^Run \S+ is unfinished\.$"))
    explorer.press(f"Resume ({left} remaining) …")
    explorer.sees(re.compile(f"Revoke {left} tokens for good on"))
    explorer.expect_focus("decision")
    explorer.confirm(left, verb="Resume for")
    explorer.sees("229 revoked.")  # of the whole run
    explorer.press("Close")
    expect(explorer.screen.locator(".tks-unfinished")).to_be_empty()
    assert len(ids_of(company)) == 1


def test_failed_tokens_have_their_reason_beside_them_and_are_retried(explorer, company):
    explorer.tick(0, 1, 2)
    chosen = explorer.shown_ids()[:3]
    company.faults.add(Fault(method="DELETE", path=f"*/{chosen[1]}", status=400, times=1))
    explorer.revoke(3)
    explorer.confirm(3)
    explorer.sees("2 revoked, 1 failed.")
    first = explorer.screen.locator(".tks-dialog tbody tr").first
    expect(first).to_contain_text(chosen[1][:12])
    expect(first).to_contain_text("failed")
    assert len(first.locator("td").last.inner_text()) > 20
    explorer.press("Retry 1 failed token")
    expect(explorer.screen.get_by_label("to confirm")).to_be_visible()
    explorer.expect_focus("decision")
    explorer.confirm(1)
    explorer.sees("1 revoked.")
    assert not set(chosen) & ids_of(company)


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_a_failure_stands_out_with_room_for_its_reason_and_the_retry_is_the_main_button(explorer, company, theme):
    explorer.tick(0, 1)
    company.faults.add(Fault(method="DELETE", path=f"*/{explorer.shown_ids()[1]}", status=400, times=1))
    explorer.revoke(2)
    explorer.confirm(2)
    explorer.sees("1 revoked, 1 failed.")
    dialog, page = explorer.screen.locator(".tks-dialog"), explorer.page
    outcomes = dialog.locator("td.tks-k-outcome")
    assert outcomes.all_inner_texts() == ["failed", "revoked"]
    assert [cell.locator(".tks-high").count() for cell in outcomes.all()] == [1, 0]
    expect(dialog.locator(".tks-primary")).to_have_text("Retry 1 failed token")
    explorer.use_theme(theme)
    try:
        for width in (1280, 860):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function("width => document.querySelector('.tk').offsetWidth < width", arg=width)
            cells = dialog.locator("tbody tr").first.locator("td").all()
            token, _, details = (cell.bounding_box()["width"] for cell in cells)
            assert details > token
            assert fits(page)
            assert cut_focus_rings(page) == []
            assert violations(page) == []
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})
        explorer.use_theme("JupyterLab Light")


def test_in_a_low_window_a_message_is_seen_moves_no_row_and_the_screen_does_not_scroll_away(explorer, company):
    page, place = explorer.page, "row => row.getBoundingClientRect().top"
    page.set_viewport_size({"width": 1280, "height": 600})
    try:
        explorer.screen.evaluate("screen => screen.scrollIntoView()")
        before = explorer.rows.first.evaluate(place)
        company.faults.add(Fault(method="GET", path="*/token-management/tokens", status=403))
        explorer.press("Refresh")
        error = explorer.screen.locator(".tks-error")
        expect(error).to_be_in_viewport(ratio=1)
        assert explorer.rows.first.evaluate(place) == pytest.approx(before, abs=1)
        company.faults.clear()
        explorer.press("Dismiss this message")
        assert fits(page)
        explorer.screen.locator(".tks-foot").scroll_into_view_if_needed()
        explorer.screen.evaluate("screen => screen.scrollIntoView({block: 'end'})")
        company.faults.add(Fault(method="GET", path="*/token-management/tokens", status=403))
        explorer.button("Refresh").evaluate("button => button.click()")  # it is above the window
        expect(error).to_be_in_viewport(ratio=1)
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})


def test_comment_and_scopes_are_edited_with_known_scopes(explorer, company):
    explorer.tick(1)
    token_id = explorer.shown_ids()[1]
    explorer.press("Edit scopes or comment …")
    explorer.expect_focus("decision")
    explorer.screen.get_by_label("New comment").fill("by Ann")
    explorer.screen.get_by_label("jobs", exact=True).check()
    explorer.screen.get_by_label("sql", exact=True).check()
    explorer.press("Preview")
    explorer.sees("by Ann")
    explorer.confirm(1, verb="Change")
    explorer.sees("1 updated.")
    info = next(info for info in company.workspaces[0].state.tokens.infos() if info["token_id"] == token_id)
    assert (info["comment"], info["scopes"]) == ("by Ann", ["jobs", "sql"])


def test_a_grace_period_is_chosen_and_is_in_the_title(explorer, company):
    before = ids_of(company)
    explorer.tick(0)
    explorer.press("Schedule revocation …")
    explorer.sees("for 2026-03-15?")
    explorer.screen.get_by_label("7 days", exact=True).check()
    explorer.sees("for 2026-03-08?")
    explorer.screen.get_by_label("Other, such as 21d").fill("soon")
    explorer.sees(re.compile("soon"))
    explorer.screen.get_by_label("Other, such as 21d").fill("21d")
    explorer.sees("for 2026-03-22?")
    explorer.confirm(1, verb="Schedule")
    explorer.sees("Scheduled: 1 token, 1 owner to notify.")
    explorer.press("Copy notices")
    expect(explorer.button("Copied")).to_be_visible()
    assert ids_of(company) == before


def test_csv_is_downloaded_by_the_browser(explorer, company):
    count = explorer.filter("Status", "expired")
    with explorer.page.expect_download() as download:
        explorer.press("Download CSV")
    rows = list(csv.DictReader(download.value.path().read_text().splitlines()))
    assert download.value.suggested_filename == "tokens-20260301-093000.csv"
    assert len(rows) == count
    assert {row["token_id"] for row in rows} <= ids_of(company)
    explorer.sees("Write it where the kernel runs")


def test_the_explorer_can_be_used_with_the_keyboard_only(explorer, company):
    page = explorer.page
    before = ids_of(company)
    explorer.searched.focus()
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.dataset.id"):
            break
    page.keyboard.press("Space")
    explorer.sees("1 selected")
    (chosen,) = agree(explorer)
    explorer.button("Revoke 1 …").focus()
    page.keyboard.press("Enter")
    expect(explorer.screen.get_by_label("to confirm")).to_be_visible()
    explorer.expect_focus("decision")
    for _ in range(6):  # over the rows and the reason, to the text field
        page.keyboard.press("Tab")
        if (explorer.focused or "").startswith("typed:"):
            break
    page.keyboard.type("1")
    page.keyboard.press("Enter")
    explorer.expect_focus("go")
    page.keyboard.press("Enter")
    explorer.sees("1 revoked.")
    assert before - ids_of(company) == {chosen}
    page.keyboard.press("Escape")
    expect(explorer.rows).to_have_count(50)


HOSTILE = (
    "<img src=x onerror=window.__xss=1>",
    "<script>window.__xss=1</script>",
    '"><svg onload=window.__xss=1>',
    r"$\href{javascript:window.__xss=1}{pay here}$",
    "https://elsewhere.example.com/x.png ![](https://elsewhere.example.com/y.png)",
    "\u202egnp.exe\u2066 \u200b\u200f",
    "x" * 2_000,
    "\U0001f4a3" * 40,
)


def test_hostile_comments_owners_creators_and_scopes_are_text_everywhere(notebook, company):
    state = company.workspaces[0].state
    infos = [info for info in state.tokens.infos() if info["created_by_username"] != "admin@example.com"]
    for info, text in zip(infos, HOSTILE * 2, strict=False):
        changed = {**info, "comment": text, "created_by_username": text, "scopes": [text], "owner_id": 4711}
        state.tokens.replace({**changed, "created_by_id": 4711})
    filled = notebook(EXPLORE)
    filled.run(1)
    page = filled.page
    explorer = Explorer(page)
    expect(explorer.rows).to_have_count(50)
    width = explorer.screen.bounding_box()["width"]
    explorer.press("Charts")
    explorer.filter("Owner", "<img")
    expect(explorer.rows).to_have_count(2)
    expect(explorer.rows.first).to_contain_text("<img src=x onerror=window.__xss=1>")
    explorer.press("Clear")
    explorer.press("+ Filter")
    explorer.screen.get_by_label("Filter by").select_option("Scope")
    expect(explorer.screen.locator(".tks-choices")).to_contain_text("<script>window.__xss=1</script>")
    explorer.close_filters()
    for text in ("__xss", "elsewhere.example.com", "gnp.exe", "xxxxxx", "\U0001f4a3"):
        explorer.searched.fill(text)
        page.keyboard.press("Enter")
        expect(explorer.rows).to_have_count(8 if text == "__xss" else 2)
        expect(explorer.rows.first).to_contain_text(text)
        explorer.rows.first.locator(".tks-open").click()
        expect(explorer.screen.locator("aside h3")).to_contain_text(text)
        assert explorer.screen.bounding_box()["width"] == width
        assert fits(page)
        # A long owner does not push the findings out of the panel.
        panel, finding = (explorer.screen.locator(name).first for name in (".tks-panel", ".tks-finding"))
        assert finding.bounding_box()["y"] < panel.bounding_box()["y"] + panel.bounding_box()["height"]
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b-\u200f]", explorer.screen.inner_text())
    explorer.searched.fill("__xss")
    page.keyboard.press("Enter")
    expect(explorer.rows).to_have_count(8)
    explorer.screen.get_by_label("Select all tokens on this page").click()
    explorer.revoke(8)
    expect(explorer.screen.locator(".tks-dialog tbody tr")).to_have_count(8)
    assert page.locator(".tk mjx-container").count() == 0
    assert page.locator(".tk img, .tk svg[onload], .tk a[href^=javascript], .tk script").count() == 0


ADDRESS = "192.0.2.77"


def test_what_used_a_token_is_in_its_row_its_panel_and_its_plan(notebook, company):
    infos = company.workspaces[0].state.tokens.infos()
    used = next(info["token_id"] for info in infos if info["created_by_username"] != "admin@example.com")
    then = {"event_time": (NOW - pd.Timedelta(hours=3)).isoformat(), "source_ip_address": ADDRESS}
    agents = ["dbt/1.7"] * 300 + [text for text in HOSTILE for _ in range(2)]
    log = [event(used, user_agent=agent, **then) for agent in agents]
    company.warehouse.log = GivenRows(log)
    filled = notebook(f"ws.explore(usage=ws.usage(warehouse_id={company.warehouse.warehouse_id!r}))")
    filled.run(1)
    explorer = Explorer(filled.page)
    page, panel = filled.page, explorer.screen.locator("aside")
    expect(explorer.rows).to_have_count(50)
    explorer.sees("1 of 1 token in the audit log since 2026-01-30 is in the listing")
    explorer.screen.get_by_role("columnheader", name="Used by").get_by_role("button").click()
    expect(explorer.rows.first.locator(".tks-c-used_by")).to_contain_text(re.compile(r"dbt and \d+ more"))
    assert explorer.shown_ids()[0] == used
    expect(explorer.rows.nth(1).locator(".tks-c-used_by")).to_have_text("no sign-inin the log")
    explorer.rows.nth(1).locator(".tks-open").click()
    expect(panel).to_contain_text("The audit log does not show a sign-in with this token since 2026-01-30.")
    explorer.rows.first.locator(".tks-open").click()
    expect(panel).to_contain_text(f"{ADDRESS} ({len(agents)})")
    expect(panel).to_contain_text("dbt (300)")
    found = {}
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        filled.use_theme(theme)
        found[theme] = violations(page)
    assert {theme: words for theme, words in found.items() if words} == {}
    for width in (800, 1200, 1600):
        page.set_viewport_size({"width": width, "height": 900})
        expect(explorer.screen.locator("aside")).to_be_visible()
        assert fits(page)
        assert explorer.rows.first.locator(".tks-c-comment").bounding_box()["width"] > 100
    page.set_viewport_size({"width": 1280, "height": 900})
    assert page.locator(".tk img, .tk svg[onload], .tk a[href^=javascript], .tk script").count() == 0
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b-\u200f]", explorer.screen.inner_text())
    assert ADDRESS not in filled.save()
    explorer.tick(0)
    explorer.revoke(1)
    dialog = explorer.screen.get_by_role("dialog")
    expect(dialog).to_contain_text(re.compile(rf"from 192\.0\.2\.0/24, {len(agents)} sign-ins, 3 hours ago"))
    expect(dialog).to_contain_text("used in the last 7 days")
    expect(dialog).to_contain_text("1 of 1 token in the audit log since 2026-01-30 is in the listing")


def test_axe_has_no_objection_in_both_themes(notebook):
    filled = notebook(EXPLORE)
    filled.run(1)
    explorer = Explorer(filled.page)
    expect(explorer.rows).to_have_count(50)
    explorer.rows.first.locator(".tks-open").click()
    explorer.tick(0, 1)
    explorer.press("Charts")
    explorer.quick("Never expires")
    explorer.press("+ Filter")
    found = {}
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        filled.use_theme(theme)
        expect(explorer.screen).to_have_class(
            re.compile("tks-dark") if "Dark" in theme else re.compile("^tk( tks-has-panel)?$")
        )
        found[theme, "the table"] = violations(filled.page)
    for opener in ("Edit scopes or comment …", "Schedule revocation …", "Revoke 2 …"):
        explorer.press(opener)
        expect(explorer.screen.get_by_role("button", name=re.compile("Cancel"))).to_be_visible()
        for theme in ("JupyterLab Dark", "JupyterLab Light"):
            filled.use_theme(theme)
            found[theme, opener] = violations(filled.page)
        if "Revoke" not in opener:
            explorer.press("Cancel")
    explorer.confirm(2)
    explorer.sees("2 revoked.")
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        filled.use_theme(theme)
        found[theme, "the result"] = violations(filled.page)
    assert {place: words for place, words in found.items() if words} == {}


def test_what_has_the_focus_has_an_outline_that_nothing_cuts_off(explorer):
    explorer.rows.first.locator(".tks-open").click()
    explorer.tick(0, 1)
    explorer.press("Charts")
    explorer.press("+ Filter")
    expect(explorer.screen.locator(".tks-popover")).to_be_visible()
    expect(explorer.screen.locator("aside")).to_be_visible()
    assert cut_focus_rings(explorer.page) == []
    explorer.revoke(2)
    assert cut_focus_rings(explorer.page) == []


def test_the_charts_cut_off_no_label_but_names_of_owners(explorer):
    explorer.press("Charts")
    figures = explorer.screen.locator(".tks-charts figure")
    expect(figures).to_have_count(5)
    for figure in figures.all()[:-1]:
        cut = "labels => labels.filter(it => it.scrollWidth > it.clientWidth).map(it => it.textContent)"
        assert figure.locator(".tks-bar-button span").evaluate_all(cut) == []


@pytest.mark.parametrize("width", [800, 1200, 1600])
def test_six_columns_never_scroll_sideways(explorer, width):
    page = explorer.page
    page.set_viewport_size({"width": width, "height": 900})
    try:
        expect(explorer.screen.get_by_role("columnheader")).to_have_count(6)
        for _ in range(2):
            assert fits(page)
            explorer.rows.first.locator(".tks-open").click()
            expect(explorer.screen.locator("aside")).to_be_visible()
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.parametrize("width", [640, 800, 1000, 1200, 1600])
def test_the_first_tick_moves_no_row_and_an_id_is_whole_or_hidden(explorer, width):
    page = explorer.page
    page.set_viewport_size({"width": width, "height": 900})
    right = "document.querySelector('.tk').getBoundingClientRect().right"
    page.wait_for_function(f"() => innerWidth - 120 < {right} && {right} <= innerWidth")  # later than the window
    top = "() => ['.tks-table', '.tk'].map(name => document.querySelector(name).getBoundingClientRect().top)"
    try:
        table, screen = page.evaluate(top)
        explorer.tick(3)
        explorer.sees("1 selected")
        assert table - screen == pytest.approx(page.evaluate("([a, b]) => a - b", page.evaluate(top)))
        cut = """lines => lines.map(line => {
            const [own, id] = [line, line.lastElementChild].map(node => node.getBoundingClientRect());
            return id.top >= own.bottom - 1 ? "hidden" : id.right <= own.right + 1 ? "whole" : line.textContent;
        })"""
        found = set(explorer.screen.locator(".tks-owner").evaluate_all(cut))
        assert ("whole" in found) == (width != 800)  # where no name leaves room for it
        assert found <= {"whole", "hidden"}
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})


def test_the_tokens_of_a_fleet_have_room_and_their_workspace_at_every_width(notebook, company):
    filled = notebook("tokenkit.fleet([ws]).explore(page_size=50)")
    filled.run(1)
    explorer, page = Explorer(filled.page), filled.page
    expect(explorer.rows).to_have_count(50)
    place = company.host.removeprefix("http://")
    try:
        for width in (800, 1200, 1600):
            page.set_viewport_size({"width": width, "height": 900})
            for _ in range(2):
                assert fits(page)
                assert explorer.rows.first.locator(".tks-c-comment").bounding_box()["width"] > 150
                expect(explorer.rows.first.get_by_text(place).locator("visible=true")).to_have_count(1)
                explorer.rows.first.locator(".tks-open").click()
                expect(explorer.screen.locator("aside")).to_be_visible()
            page.keyboard.press("Escape")
            expect(explorer.screen.locator("aside")).to_have_count(0)
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})


ENDED = "The kernel that this screen belongs to has ended. Run the notebook's cells again."


@pytest.mark.parametrize("end", ["session.kernel.restart()", "shutdown()"])
def test_a_screen_whose_kernel_has_ended_says_so_and_takes_no_input(lab, chromium, end):
    with opened(chromium) as page:  # a page of its own, as its kernel ends
        notebook = lab.open(page)
        notebook.fill('import pandas as pd\ntokenkit.explore(pd.DataFrame({"token_id": ["a"]}))')
        notebook.run(0)
        screen = page.locator(".tk")
        expect(screen.locator(ROWS)).to_have_count(1)
        page.evaluate(f"() => jupyterapp.shell.currentWidget.sessionContext.{end}")
        if end == "shutdown()":  # of which a front end tells its screens nothing, so a click finds out
            screen.locator(TICKS).click()
        expect(screen.locator(".tks-gone")).to_have_text(ENDED)
        expect(screen.locator(".tks-gone")).to_be_visible()
        assert screen.locator(".tks-body").evaluate("body => body.inert")
        expect(screen.locator(TICKS)).not_to_be_checked()  # a click that no kernel received
        assert screen.locator(".tks-wait").count() == 0


def test_without_javascript_of_others_the_plain_screen_supports_every_action(notebook, company):
    before = ids_of(company)
    filled = notebook("ws.explore(page_size=50, plain=True)")
    filled.run(1)
    page = filled.page
    screen = page.locator(".tokenkit")
    expect(screen.get_by_text("This is the plain screen (plain=True).")).to_be_visible()
    assert page.locator(".tk").count() == 0
    offered = screen.get_by_label("Show").locator("option", has_text="Service principals")
    expect(offered).to_have_count(1)
    label = offered.inner_text()
    count = int(re.search(r"\d+", label).group())
    screen.get_by_label("Show").select_option(label=label)
    listed = screen.get_by_label(re.compile("^Tokens"))
    expect(listed.locator("option")).to_have_count(count)
    label = listed.locator("option").nth(1).inner_text()
    listed.select_option(index=1)
    expect(screen.get_by_text("1 selected")).to_be_visible()
    screen.get_by_role("button", name="Revoke …").click()
    expect(screen.get_by_text(re.compile("^Revoke 1 token on"))).to_be_visible()
    screen.get_by_label(re.compile("^Type 1")).fill("1")
    screen.get_by_role("button", name="Revoke 1 token").click()
    expect(screen.get_by_text("1 revoked.")).to_be_visible()
    (revoked,) = before - ids_of(company)
    assert label.endswith(revoked[:12])


def test_a_saved_notebook_has_title_and_counts_and_no_row(notebook, company):
    filled = notebook(EXPLORE)
    filled.run(1)
    explorer = Explorer(filled.page)
    expect(explorer.rows).to_have_count(50)
    explorer.rows.first.locator(".tks-open").click()
    expect(explorer.screen.locator("aside")).to_be_visible()
    saved = json.loads(filled.save())
    (output,) = saved["cells"][1]["outputs"]
    text = "".join(output["data"]["text/plain"])
    assert re.fullmatch(f"Tokens of {company.host}: 230 tokens, .*with findings. Run this cell to open it.", text)
    outputs = json.dumps([cell["outputs"] for cell in saved["cells"]] + [saved["metadata"]])
    assert len(outputs) < 2_000
    assert not re.search(r"dapi[0-9a-f]{32}", outputs)
    assert not set(re.findall(r"[0-9a-f]{64}", outputs)) & ids_of(company)


def test_stored_widget_state_shows_title_and_counts_without_a_kernel_and_no_row(notebook):
    filled = notebook(EXPLORE, "import json, ipywidgets\nprint(json.dumps(ipywidgets.Widget.get_manager_state()))")
    filled.run(1)
    explorer = Explorer(filled.page)
    expect(explorer.rows).to_have_count(50)
    shown = explorer.screen.locator(ROWS).first.inner_text().split("\n")[0]
    state = filled.page.evaluate(
        "async () => { const cell = jupyterapp.shell.currentWidget.content.widgets[1];"
        " return JSON.stringify(cell.outputArea.model.toJSON()); }"
    )
    assert shown not in state
