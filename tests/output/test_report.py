"""The report: its structure, its bounds, and that it holds no secret; tests/browser/test_report.py looks at it."""

import datetime as dt
import re
import sys
from html.parser import HTMLParser

import pandas as pd
import pytest

import tokenkit
from tests.conftest import NOW
from tests.review.test_sign_ins import event, frame
from tokenkit import errors, frames
from tokenkit.commands.spelling import counterparts
from tokenkit.core.spelling import spelling
from tokenkit.output import report
from tokenkit.review import audit as audits
from tokenkit.review.rule import Context
from tokenkit.review.waivers import Waiver

SECRET = "dapi" + "0123456789abcdef" * 2
VOID = {"meta", "img"}


class Page(HTMLParser):
    """A page as a browser takes it: text by element, attributes, and that what is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.texts, self.rows = [], [], {}, []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def all(self, tag):
        return [attributes for name, attributes in self.attributes if name == tag]


def audited(*documents, **settings):
    defaults = {"creation_time": ms(NOW - pd.Timedelta(days=1))}
    return audits.audit(
        frames.frame([defaults | document for document in documents], frames.TOKENS), Context(now=NOW), **settings
    )


def ms(moment):
    return int(moment.timestamp() * 1000)


@pytest.fixture(scope="module")
def audit(_shared_sandbox):
    return tokenkit.connect(host=_shared_sandbox.host, token=_shared_sandbox.token, clock=NOW).audit()


@pytest.fixture(scope="module")
def page(audit):
    return Page(report.html(audit))


def test_the_page_shows_the_findings_the_workspace_and_the_time(audit, page):
    assert page.texts["h1"] == [f"Token audit of {audit.name}"]
    assert page.texts["title"] == [f"Token audit of {audit.name}, 2026-03-01"]
    assert any("As of 2026-03-01, 09:30 UTC" in text for text in page.texts["p"])
    headlines = dict(zip(page.texts["span"], page.texts["b"], strict=False))
    assert headlines["findings of high severity"] == str(int((audit.findings["severity"] == "high").sum()))
    assert headlines["never expire"] == str(int(audit.tokens.query("status == 'active'")["never_expires"].sum()))
    unused = audit.tokens.query("status == 'active' and idle_days >= 60")
    never_used = int(unused["last_used_day"].isna().sum())
    assert headlines[f"unused for 60 days or more, {never_used} of them never used"] == str(len(unused))
    assert len(unused) - never_used == audit.summary.set_index("rule")["findings"]["unused"]


def test_the_page_names_python_or_commands_by_who_makes_it(audit):
    with spelling(counterparts("tokenkit")):
        of_command = Page(report.html(audit)).texts["code"]
    of_python = Page(report.html(audit)).texts["code"]
    assert {'audit.report("audit.xlsx")', 'audit.tokens.sort_values("effective_end")'} <= {*of_python}
    assert {"tokenkit report --to audit.xlsx", "tokenkit list --status active --sort effective_end"} <= {*of_command}
    assert not any("audit." in text.removesuffix("audit.xlsx") for text in of_command)


def test_every_rule_with_findings_has_a_row_with_reason_and_remedy_and_a_link_to_them(audit, page):
    found = audit.summary[audit.summary["findings"] > 0]
    for rule in found.itertuples():
        assert [rule.severity, f"{rule.title}{rule.rule}", f"{rule.findings:,}", rule.why, rule.remedy] in page.rows
    targets = {attributes["href"].removeprefix("#") for attributes in page.all("a")}
    assert targets == {attributes["id"] for attributes in page.all("h3")}
    assert len(targets) == len(found)


def test_tables_are_limited_and_show_how_many_more_rows_there_are(audit, page):
    counts = audit.findings["rule"].value_counts()
    rows = [row for row in page.rows if len(row) == 3 and row[0] != "Token"]
    assert 11 in counts.to_numpy()  # all are shown, because "and 1 more" would take as much space
    assert len(rows) == counts.where(counts <= 11, 10).sum()
    assert not [text for text in page.texts["p"] if re.search(r"[Ff]irst \d", text)]  # it is 10 or 11
    counts_shown = [found[1] for text in page.texts["p"] if (found := re.fullmatch(r"… and ([\d,]+) more\.", text))]
    assert counts_shown[: (counts > 11).sum()] == [
        f"{count - 10:,}" for count in counts[audit.findings["rule"].unique()] if count > 11
    ]


def test_tokens_that_end_soon_are_listed_in_order_with_the_reason():
    page = Page(
        report.html(
            audited(
                {"token_id": "late", "expiry_time": ms(NOW + pd.Timedelta(days=31)), "creation_time": ms(NOW)},
                {"token_id": "soon", "expiry_time": ms(NOW + pd.Timedelta(days=30)), "creation_time": ms(NOW)},
                {"token_id": "idle", "expiry_time": -1, "creation_time": ms(NOW - pd.Timedelta(days=80))},
                {"token_id": "over", "expiry_time": ms(NOW), "creation_time": ms(NOW - pd.Timedelta(days=80))},
            )
        )
    )
    assert [
        row[:3] + row[4:] for row in page.rows if len(row) == 5 and row[1] in {"expires", "unused for 90 days"}
    ] == [
        ["2026-03-11", "unused for 90 days", "idle", "never"],
        ["2026-03-31", "expires", "soon", "never"],
    ]


def test_waived_findings_and_unchecked_rules_are_shown():
    waivers = [Waiver(rule="no-expiry", reason="migrates in April", expires=dt.date(2026, 6, 30), owner="*")]
    page = Page(report.html(audited({"token_id": "a", "expiry_time": -1, "owner_id": 7}, waivers=waivers)))
    assert ["2026-06-30", "no-expiry", "a", "7", "migrates in April"] in page.rows
    assert any("was not checked: it needs" in text for text in page.texts["p"])
    clean = next(text for text in page.texts["p"] if text.startswith("No findings for"))
    assert "Never expires" not in clean


def test_no_file_contains_a_secret_of_a_comment_an_owner_or_a_waiver(tmp_path):
    waivers = [Waiver(rule="no-comment", reason=f"see {SECRET}", expires=dt.date(2026, 6, 30), owner="*")]
    soon = ms(NOW + pd.Timedelta(days=1))
    documents = [
        {
            "token_id": "a",
            "comment": f"key {SECRET}",
            "expiry_time": soon,
            "created_by_username": SECRET,
            "owner_id": 7,
        },
        {
            "token_id": "b",
            "comment": "",
            "expiry_time": -1,
            "created_by_username": SECRET,
            "created_by_id": 7,
            "owner_id": 7,
        },
    ]
    audit = audited(*documents, waivers=waivers, name=SECRET)
    for name in ("a.html", "a.xlsx", "a.csv", "a.json"):
        written = report.write(audit, tmp_path / name)
        sheets = pd.read_excel(written, sheet_name=None) if name == "a.xlsx" else {"": written.read_text("utf-8")}
        shown = "".join(str(sheet.to_numpy().tolist()) if name == "a.xlsx" else sheet for sheet in sheets.values())
        assert SECRET not in shown
        assert "[redacted]" in shown


def test_the_page_forbids_itself_scripts_and_the_network_and_holds_neither(page):
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not page.all("script") + page.all("link") + page.all("iframe")
    for _, attributes in page.attributes:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert attributes.get("src", "data:image/png;").startswith("data:image/png;")
        assert attributes.get("href", "#").startswith("#")
    assert "url(" not in page.texts["style"][0]
    assert "@import" not in page.texts["style"][0]


def test_every_chart_has_a_light_and_a_dark_version_and_a_text_alternative(page):
    images = page.all("img")
    assert len(images) == 8
    assert len({image["src"] for image in images}) == 8
    assert all(re.search(r": .* \d", image["alt"]) for image in images)


def test_without_matplotlib_the_page_is_complete_and_has_a_note(audit, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = Page(report.html(audit))
    assert page.all("img") == []
    assert any("pip install matplotlib" in text for text in page.texts["p"])
    assert len(page.all("h3")) == (audit.summary["findings"] > 0).sum()


def test_an_audit_of_an_empty_listing_is_a_page():
    page = Page(report.html(audited()))
    assert page.texts["p"].count("None.") == 2
    assert "No findings." in page.texts["p"]


def test_a_custom_rule_can_have_any_name():
    @tokenkit.rule('"><b id=x>', title="<i>t</i>", severity="low", why="<u>", remedy="a & b")
    def odd(tokens, _context):
        return "<s>" + tokens["token_id"]

    page = Page(report.html(audited({"token_id": "a"}, rules=[odd])))
    assert ["low", '<i>t</i>"><b id=x>', "1", "<u>", "a & b"] in page.rows
    assert ["a", "", "<s>a"] in page.rows
    assert page.all("i") + page.all("u") + page.all("s") == []


def test_the_workbook_has_the_findings_the_summary_and_the_tokens_with_findings(audit, tmp_path):
    sheets = pd.read_excel(audit.report(tmp_path / "audit.xlsx"), sheet_name=None, keep_default_na=False)
    assert {name: len(sheet) for name, sheet in sheets.items()} == {
        "findings": len(audit.findings),
        "summary": len(audit.summary),
        "waived": 0,
        "tokens with findings": audit.findings["token_id"].nunique(),
    }
    assert sheets["findings"]["token_id"].tolist() == audit.findings["token_id"].fillna("").tolist()
    assert sheets["summary"]["findings"].tolist() == audit.summary["findings"].tolist()


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_the_other_files_hold_the_findings(audit, tmp_path, ending):
    path = audit.report(tmp_path / f"audit.{ending}")
    read = {"csv": pd.read_csv, "json": pd.read_json}[ending](path)
    assert read["rule"].tolist() == audit.findings["rule"].tolist()


def test_a_report_that_cannot_be_written_is_an_error_with_the_reason(audit, tmp_path):
    with pytest.raises(errors.UsageError, match=r"\.html, \.csv, \.json, \.xlsx"):
        audit.report(tmp_path / "audit.pdf")
    with pytest.raises(errors.UsageError, match="No such file or directory"):
        audit.report(tmp_path / "nowhere" / "audit.html")
    with pytest.raises(errors.UsageError, match=r"tokenkit\.output\.report\.write"):
        audited().report(tmp_path / "audit.html")
    assert [*tmp_path.glob("audit*")] == []


ADDRESS, AGENT = "192.0.2.77", "acme-loader/3 (ann's laptop)"


@pytest.fixture
def used(ws):
    """An audit with evidence: a token with findings is used by a program of its own, and no other token."""
    token_id = ws.audit().findings["token_id"].dropna().iloc[0]
    row = event(token_id, event_time=NOW.isoformat(), user_agent=AGENT, source_ip_address=ADDRESS)
    rows = frame(*[row] * 1200, row | {"user_agent": "198.51.100.4/1"}, event("f" * 64))
    return ws.audit(usage=ws.usage(rows=rows)), token_id


def test_with_evidence_the_page_says_what_used_each_token_and_how_much_the_log_covers(used):
    audit, token_id = used
    page = Page(report.html(audit))
    assert any("1 of 2 tokens in the audit log is in the listing" in text for text in page.texts["p"])
    tables = [row for row in page.rows if row[-1] == "Used by"]
    assert len(tables) == (audit.summary["findings"] > 0).sum() + 1  # also that of the next ends
    by_token = {row[0][:12]: row[-1] for row in page.rows if row[-1].endswith(("in the audit log", "2026-03-01"))}
    assert by_token.pop(token_id[:12]) == "acme-loader and 1 more, 1,201 sign-ins, last on 2026-03-01"
    assert set(by_token.values()) == {"no sign-in in the audit log"}


def test_without_evidence_the_page_has_no_such_column(page):
    assert not any("Used by" in row for row in page.rows)


@pytest.mark.parametrize("ending", ["html", "xlsx", "csv", "json"])
def test_no_report_has_an_address_or_a_user_agent(used, tmp_path, ending):
    audit, token_id = used
    path = audit.report(tmp_path / f"audit.{ending}")
    if ending == "xlsx":
        sheets = pd.read_excel(path, sheet_name=None, keep_default_na=False)
        row = sheets["tokens with findings"].set_index("token_id").loc[token_id]
        assert (row["logins"], row["clients"]) == (1201, "acme-loader, unknown")
        assert row["last_login (UTC)"] == NOW.tz_localize(None)
        text = "".join(sheet.to_csv() for sheet in sheets.values())
    else:
        text = path.read_text()
    assert not [hidden for hidden in (ADDRESS, "192.0.2", "198.51.100", "acme-loader/3", "laptop") if hidden in text]
