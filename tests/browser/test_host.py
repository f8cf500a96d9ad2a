"""The explorer in a host that is not Jupyter, in a frame that may run scripts and nothing else."""

import asyncio
import re

import pandas as pd
import pytest
from playwright.sync_api import expect

import tokenkit
from tests.browser.accessibility import violations
from tests.browser.conftest import opened
from tests.browser.host import Host
from tests.browser.user import Explorer, Review, fits
from tests.conftest import NOW
from tokenkit.sandbox import Fault


@pytest.fixture
def shown(ws, chromium):
    """Show an explorer in a frame; return its user. No request may leave this machine."""
    pages = []

    def show(screen=None, *, kind=Explorer, **settings):
        host = Host(screen or ws.explore())
        with host, opened(chromium, **{"viewport": {"width": 1100, "height": 1300}} | settings) as page:
            pages.append(page)
            page.goto(host.url)
            page.frame_locator("iframe").locator(".tk").wait_for()
            user = kind(page, page.frames[1])
            expect(user.screen.locator(".tks-head button").first).to_be_visible()
            yield user
            allowed = (host.url, "about:", "blob:", "data:")
            assert [url for url in page.sent if not url.startswith(allowed)] == []
            assert user.frame.evaluate("() => window.__xss") is None

    opened_now = []

    def begin(*arguments, **settings):
        asyncio._set_running_loop(chromium.loop)
        opened_now.append(show(*arguments, **settings))
        return next(opened_now[-1])

    yield begin
    for showing in opened_now:
        with pytest.raises(StopIteration):
            next(showing)


def ids_of(company):
    return set(company.workspaces[0].state.tokens.ids())


def test_tokens_are_found_looked_at_and_revoked(shown, company):
    before = ids_of(company)
    user = shown()
    expect(user.rows).to_have_count(50)
    count = user.quick("Never expires")
    expect(user.rows).to_have_count(count)
    user.hears(f"{count} of 230 tokens match")
    user.rows.nth(1).locator(".tks-open").click()
    user.expect_focus("panel")
    chosen = user.shown_ids()[1]
    expect(user.screen.locator("aside")).to_contain_text(chosen)
    user.page.keyboard.press("Escape")
    user.expect_focus(f"look:{chosen}")
    user.tick(1)
    user.revoke(1)
    user.expect_focus("decision")
    user.confirm(1)
    user.sees("1 revoked.")
    assert before - ids_of(company) == {chosen}


def test_where_the_clipboard_is_forbidden_there_is_a_field_to_copy_from(shown):
    user = shown()
    user.rows.first.locator(".tks-open").click()
    user.press("Copy id")
    field = user.screen.get_by_label("Copy id: copy from here")
    expect(field).to_be_focused()
    assert field.input_value() == user.shown_ids()[0]
    assert user.frame.evaluate("() => document.activeElement.selectionEnd") == 64


def test_where_downloads_are_forbidden_the_file_is_written_by_the_kernel(shown, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    user = shown()
    user.press("Download CSV")
    user.press("Write it where the kernel runs")
    user.sees(re.compile(r"^Wrote 230 tokens to "))
    assert len(list(tmp_path.glob("*.csv"))) == 1


def test_a_color_scheme_that_changes_while_the_screen_is_open_is_followed(shown):
    user = shown(color_scheme="light")
    for scheme in ("dark", "light"):
        user.page.emulate_media(color_scheme=scheme)
        user.frame.wait_for_function(
            "dark => document.querySelector('.tk').classList.contains('tks-dark') === dark", arg=scheme == "dark"
        )


def test_a_run_is_stopped_and_resumed(shown, company):
    before = ids_of(company)
    user = shown()
    company.faults.add(Fault(method="DELETE", latency_ms=300))
    user.tick(0)
    user.press("Select all 230 that match")
    user.revoke(230)
    user.confirm(229)
    expect(user.screen.get_by_text(re.compile(r"^[1-9]\d* of 229"))).to_be_visible()
    user.expect_focus("decision")
    user.page.keyboard.press("Escape")  # does not hide a run
    user.press("Stop")
    user.sees(re.compile(r"Stopped\. .* remaining"))
    company.faults.clear()
    revoked = len(before - ids_of(company))
    assert 0 < revoked < 229
    user.press(f"Resume ({229 - revoked} remaining)")
    user.confirm(229 - revoked, verb="Resume for")
    user.sees("229 revoked.")  # of the whole run
    assert len(ids_of(company)) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_has_no_objection_whatever_the_color_scheme(shown, scheme):
    user = shown(color_scheme=scheme)
    expect(user.rows).to_have_count(50)
    assert user.screen.evaluate("root => root.classList.contains('tks-dark')") == (scheme == "dark")
    found = {"the table": violations(user.frame)}
    user.rows.first.locator(".tks-open").click()
    expect(user.screen.locator("aside")).to_be_visible()
    user.tick(0, 1)
    user.press("Charts")
    user.quick("Never expires")
    user.press("+ Filter")
    expect(user.screen.locator(".tks-popover")).to_be_visible()
    found["the panel, charts and filters"] = violations(user.frame)
    user.searched.fill("no such token")
    user.sees("No token matches the filters.")
    found["nothing"] = violations(user.frame)
    for opener in ("Edit scopes or comment …", "Schedule revocation …", "Revoke 2 …"):
        user.press(opener)
        expect(user.button("Cancel")).to_be_visible()
        found[opener] = violations(user.frame)
        if "Revoke" not in opener:
            user.press("Cancel")
    user.confirm(2)
    user.sees("2 revoked.")
    found["the result"] = violations(user.frame)
    assert {place: objections for place, objections in found.items() if objections} == {}
    user.screen.evaluate("root => root.append(document.createElement('button'))")
    assert len(violations(user.frame)) == 1  # it does look


SIZES = [
    *[
        (width, 1, scheme)
        for width, scheme in ((650, "light"), (800, "dark"), (1200, "no-preference"), (2300, "light"))
    ],
    *[(width, 2, scheme) for width, scheme in ((800, "no-preference"), (1200, "light"), (1600, "dark"))],
]


@pytest.fixture(params=SIZES, ids="{0[0]} pixels at {0[1]}00 %, {0[2]}".format)
def size(request):
    """The settings of a page as wide as this, zoomed, in a host that prefers light, dark, or neither."""
    width, zoom, scheme = request.param
    return {
        "viewport": {"width": width // zoom, "height": 1300},
        "device_scale_factor": zoom,
        "color_scheme": scheme,
    }


def test_nothing_scrolls_sideways_and_a_tick_moves_no_row(shown, size):
    user = shown(**size)
    expect(user.rows).to_have_count(50)
    assert fits(user.frame)
    counted = user.rows.first.locator(".tks-c-danger .tks-pill", has_text=re.compile(r"^\+\d+$"))
    assert sum(count.is_visible() for count in counted.all()) == 1
    place = user.rows.nth(1).bounding_box()
    user.tick(0)
    user.sees("1 selected")
    assert user.rows.nth(1).bounding_box() == place
    user.rows.first.locator(".tks-open").click()
    expect(user.screen.locator("aside")).to_be_visible()
    assert fits(user.frame)
    user.press("Charts")
    user.press("+ Filter")
    expect(user.screen.locator(".tks-popover")).to_be_visible()
    assert fits(user.frame)
    user.revoke(1)
    assert fits(user.frame)


def test_nothing_of_the_permission_review_scrolls_sideways(shown, size, ws):
    review = shown(ws.review_access(), kind=Review, **size)
    expect(review.row("admins")).to_be_visible()
    assert fits(review.frame)
    review.press("Remove group data-scientists")
    review.wait_for_plan()
    assert fits(review.frame)
    review.press("Apply …")
    expect(review.screen.get_by_label(re.compile(r"^Type "))).to_be_visible()
    assert fits(review.frame)


BROKEN_WORDS = r"""() => [...document.querySelectorAll(".tks-rows td:not(.tks-k-token)")].flatMap(cell => {
    const [texts, range] = [document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), document.createRange()];
    const broken = [];
    for (let text; (text = texts.nextNode()); )
        for (const {index, 0: word} of text.data.matchAll(/\d{4}-\d\d-\d\d|[^\s-]+/g)) {
            range.setStart(text, index);
            range.setEnd(text, index + word.length);
            if (range.getClientRects().length > 1) broken.push(word);
        }
    return broken;
})"""


@pytest.mark.parametrize("width", [600, 860, 1280])
def test_beside_long_comments_no_word_of_the_permission_review_is_broken(shown, company, ws, width):
    tokens = company.workspaces[0].state.tokens
    for info in tokens.infos():
        tokens.replace(info | {"comment": "migration of the dev tables, " * 9})
    review = shown(ws.review_access(), kind=Review, viewport={"width": width, "height": 1300})
    review.press("Remove group data-scientists")
    review.wait_for_plan()
    assert review.frame.evaluate(BROKEN_WORDS) == []
    review.press("Apply …")
    expect(review.screen.get_by_label(re.compile(r"^Type "))).to_be_visible()
    assert review.frame.evaluate(BROKEN_WORDS) == []


def test_counts_of_charts_stay_in_one_line(shown, ws):
    tokens = pd.concat([ws.tokens()] * 100, ignore_index=True)
    user = shown(tokenkit.explore(tokens.assign(token_id=tokens.index.astype(str)), now=NOW))
    user.press("Charts")
    bars = user.screen.locator(".tks-bar-button")
    expect(bars.filter(has_text=re.compile(r"\d\d,\d{3}")).first).to_be_visible()
    assert len(set(bars.evaluate_all("bars => bars.map(bar => bar.offsetHeight)"))) == 1


def test_hostile_text_is_text_and_displaces_nothing(shown, company):
    state = company.workspaces[0].state
    for info, text in zip(
        state.tokens.infos()[:2], ("\u202egnp.exe", "<img src=x onerror=window.__xss=1>"), strict=True
    ):
        state.tokens.replace({**info, "comment": text * 50})
    user = shown()
    user.searched.fill("__xss")
    expect(user.rows).to_have_count(1)
    assert user.screen.locator("img").count() == 0
    assert fits(user.frame)


def test_a_screen_that_its_host_calls_disconnected_says_so_and_is_inert(shown):
    user = shown()
    user.frame.locator("#output").evaluate("output => output.classList.add('jupyter-widgets-disconnected')")
    user.sees("Run the notebook's cells again.")
    assert user.screen.locator(".tks-body").evaluate("body => body.inert")
    user.frame.locator("#output").evaluate("output => output.classList.remove('jupyter-widgets-disconnected')")
    expect(user.screen.locator(".tks-gone")).to_be_hidden()
    user.tick(0)
    user.sees("1 selected")
