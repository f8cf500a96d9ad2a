"""The report in a real browser without a network: hostile text is text, light and dark themes, printing."""

import datetime as dt

import pytest

import tokenkit
from tests.conftest import NOW
from tokenkit import frames
from tokenkit.output import report
from tokenkit.output.charts import DARK, LIGHT
from tokenkit.review import audit as audits
from tokenkit.review.rule import Context
from tokenkit.review.waivers import Waiver

PAYLOADS = [
    "<img src=x onerror=window.__xss=1>",
    "<script>window.__xss=1</script>",
    '"><svg onload=window.__xss=1>',
    "</td></table></style><script>window.__xss=1</script>",
    "javascript:window.__xss=1",
    "<a href=javascript:window.__xss=1>x</a>",
    "<style>*{display:none}</style>",
    "<link rel=stylesheet href=http://127.0.0.1:9/x.css>",
    "<iframe srcdoc='<script>parent.__xss=1</script>'>",
    "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>",
    "\u202eemoc\u202c <b>",
]


def documents():
    """One token for each payload, in all its texts, which expires soon."""
    day = 86_400_000
    now = int(NOW.timestamp() * 1000)
    return [
        {
            "token_id": f"{number:064x}",
            "comment": payload,
            "created_by_id": number,
            "owner_id": number,
            "created_by_username": payload,
            "creation_time": now - 300 * day,
            "last_used_day": now - day,
            "expiry_time": now + number * day,
        }
        for number, payload in enumerate(PAYLOADS, 1)
    ]


@tokenkit.rule(
    "<img src=x onerror=window.__xss=1>", title=PAYLOADS[0], severity="high", why=PAYLOADS[1], remedy=PAYLOADS[3]
)
def hostile(tokens, _context):
    return tokens["comment"] + " " + tokens["owner"]


@pytest.fixture
def opened(page, tmp_path):
    """Write a report and open it without a network; ``page.complaints`` has the browser's messages."""
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.context.set_offline(True)

    def open_(audit):
        path = report.write(audit, tmp_path / "audit.html")
        page.goto(path.as_uri())
        return path

    return open_


@pytest.fixture
def hostile_audit():
    waivers = [Waiver(rule="long-lifetime", reason=PAYLOADS[0], expires=dt.date(2026, 6, 30), owner="*")]
    listing = frames.frame(documents(), frames.TOKENS)
    rules = audits.chosen(also=[hostile])
    return audits.audit(listing, Context(now=NOW), rules=rules, waivers=waivers, name=PAYLOADS[0])


@pytest.fixture
def used(company, ws):
    """An audit with the evidence of the sandbox's audit log."""
    return ws.audit(usage=ws.usage(warehouse_id=company.warehouse.warehouse_id))


def test_hostile_text_is_text_and_the_page_sends_no_request(page, opened, hostile_audit):
    path = opened(hostile_audit)
    assert page.evaluate("window.__xss") is None
    assert page.evaluate("document.querySelectorAll('script, link, iframe, svg, body style').length") == 0
    assert [url for url in page.sent if not url.startswith("data:image/png;base64,")] == [path.as_uri()]
    shown = page.locator("main").inner_text()
    for payload in PAYLOADS:
        assert payload.replace("\u202e", "\ufffd").replace("\u202c", "\ufffd") in shown
    assert page.complaints == []  # violations of the page's content security policy would be among them


def test_the_content_security_policy_blocks_injected_content(page, opened, hostile_audit, tmp_path):
    """The second line of defense works without escaping: the same page, with an injected script and image."""
    opened(hostile_audit)
    text = (tmp_path / "audit.html").read_text("utf-8")
    more = "<script>window.__xss=1</script><img src='http://127.0.0.1:9/x.png' onerror='window.__xss=1'>"
    (tmp_path / "other.html").write_text(text.replace("<main>", f"<main>{more}"), "utf-8")
    page.goto((tmp_path / "other.html").as_uri())
    assert page.evaluate("window.__xss") is None
    assert any("Content Security Policy" in complaint for complaint in page.complaints)


@pytest.mark.parametrize("width", [1280, 800, 400])
def test_the_charts_are_visible_and_nothing_is_wider_than_the_window(page, opened, workspace, width):
    page.set_viewport_size({"width": width, "height": 900})
    opened(workspace.audit())
    visible = page.locator("figure img:visible")
    assert visible.count() == 4
    assert all(visible.evaluate_all("images => images.map(image => image.naturalWidth > 0)"))
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("scheme", "palette", "kind"), [("light", LIGHT, "on-light"), ("dark", DARK, "on-dark")])
def test_the_page_follows_light_and_dark_and_prints_light(page, opened, workspace, scheme, palette, kind):
    page.emulate_media(color_scheme=scheme)
    opened(workspace.audit())
    assert set(page.locator("figure img:visible").evaluate_all("all => all.map(image => image.className)")) == {kind}
    ink = "getComputedStyle(document.body).getPropertyValue('--ink')"
    assert page.evaluate(ink) == palette.ink
    page.emulate_media(media="print", color_scheme=scheme)
    assert set(page.locator("figure img:visible").evaluate_all("all => all.map(image => image.className)")) == {
        "on-light"
    }
    assert page.evaluate(ink) == LIGHT.ink


def test_with_evidence_an_id_is_in_one_line_at_every_width(page, opened, used):
    opened(used)
    for width in (1280, 800, 420):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        lines = page.locator("td.token code").evaluate_all("all => all.map(it => it.getClientRects().length)")
        assert set(lines) == {1}


BROKEN_DATES = r"""() => [...document.querySelectorAll("td")].flatMap(cell => {
    const [texts, range] = [document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), document.createRange()];
    const broken = [];
    for (let text; (text = texts.nextNode()); )
        for (const {index, 0: date} of text.data.matchAll(/\d{4}-\d\d-\d\d/g)) {
            range.setStart(text, index);
            range.setEnd(text, index + date.length);
            if (range.getClientRects().length > 1) broken.push(cell.innerText);
        }
    return broken;
})"""


@pytest.mark.parametrize("width", [1280, 800, 420])
def test_no_line_is_broken_within_a_date(page, opened, used, width):
    page.set_viewport_size({"width": width, "height": 900})
    opened(used)
    assert page.get_by_text("last on").count() > 10
    assert page.evaluate(BROKEN_DATES) == []


def test_on_a_phone_nothing_is_beside_the_screen_and_each_date_and_number_says_what_it_is(page, opened, used):
    page.set_viewport_size({"width": 420, "height": 900})
    opened(used)
    beside = "all => all.filter(each => each.scrollWidth > each.clientWidth).length"
    assert page.locator(".scroll").evaluate_all(beside) == 0
    labels = "all => all.map(each => getComputedStyle(each, '::before').content.replaceAll('\"', ''))"
    unnamed = page.locator("td:is(.number, .nowrap):not(:has(.severity))")
    assert set(unnamed.evaluate_all(labels)) == {"Findings: ", "Stops working: ", "Last used: "}
    assert "Used by: " in set(page.locator("td.text").evaluate_all(labels))


@pytest.mark.parametrize("has_evidence", [False, True])
def test_no_table_is_cut_off_in_print(page, opened, workspace, used, has_evidence):
    page.set_viewport_size({"width": 700, "height": 1000})  # A4 within its margins
    page.emulate_media(media="print")
    opened(used if has_evidence else workspace.audit())
    cut = "all => all.filter(each => each.scrollWidth > each.clientWidth + 1).length"
    assert page.locator(".scroll, main").evaluate_all(cut) == 0
    assert set(
        page.locator("tr, figure").evaluate_all("all => all.map(each => getComputedStyle(each).breakInside)")
    ) == {"avoid"}
    heads = page.locator("thead").evaluate_all("all => all.map(each => getComputedStyle(each).display)")
    assert set(heads) == {"table-header-group"}  # repeated on every page
    pdf = page.pdf(format="A4", prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF-")
    assert pdf.count(b"/Type /Page\n") > 3
