"""Text that somebody wrote to harm whoever reads it is inert in every output.

Comments, names and scopes are written by anyone with a token, names of new fields and messages by whatever answers.
"""

import contextlib
import csv
import io
import json
import re
import unicodedata
from html.parser import HTMLParser

import openpyxl
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import NOW
from tests.review.test_sign_ins import event
from tests.review.test_sign_ins import frame as log
from tokenkit import cli, errors, frames
from tokenkit.actions import options, preview
from tokenkit.core import table as terminal
from tokenkit.core.markup import element
from tokenkit.output import excel, export, report
from tokenkit.rest.credentials import from_token
from tokenkit.rest.token_management import TokenManagementAPI
from tokenkit.rest.transport import Transport
from tokenkit.review import audit as audits
from tokenkit.review import columns, lifecycle, owners, usage
from tokenkit.review.leaks import Leaks
from tokenkit.review.rule import Context
from tokenkit.review.sign_ins import SIGN_INS
from tokenkit.sandbox import Fault
from tokenkit.widgets import evidence, formatting, plan_table

DIGITS = "0123456789abcdef" * 2
ACTING = {"Cc", "Cf", "Zl", "Zp", "Cs"}
SIGNS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
LETTERS = st.sampled_from(
    "\x00\x07\x08\x1b\x7f\x85\x9b\u00ad\u061c\u180e\u200b\u200d\u200e\u202e\u2066\u2028\ufeff\U000e0041"
)
PIECES = st.one_of(
    LETTERS,
    st.sampled_from("\t\n\r;,\"' &a_="),
    st.sampled_from(["\x1b[2J", "\x1b]0;owned\x07", "\x9b31m", "\r\n", "[red]", "[/]", "[link=http://x]"]),
    st.sampled_from(["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</td>", "&lt;", "'\"><b>"]),
    st.sampled_from(["=1+1", "+1", "-2", "@SUM(A1)", "\uff1d1", ';=cmd|"/c calc"!A0', "\t=1", "\n+1", '"=1']),
    st.sampled_from(
        [f"{before}dapi{DIGITS}{after}" for before in ("", "_", "9", "%3D", "é") for after in ("", "-2", "_")]
    ),
    st.characters(codec="utf-8"),
)
HOSTILE = st.lists(PIECES, max_size=8).map("".join)
tried = settings(derandomize=True, max_examples=15, deadline=None)


def acting(text, *, but="\n"):
    """Return the characters of a text that act on a reader."""
    return {letter for letter in text if unicodedata.category(letter) in ACTING} - set(but)


def values(text):
    """Return the token values that can be read in a text."""
    return re.findall(r"dapi[0-9a-f]{32}", text)


def listing(text, name="new"):
    """Return two tokens that hold a text wherever one can be, one of them in a column of a newer server."""
    documents = [
        {
            "token_id": text,
            "comment": text,
            "created_by_username": text,
            "autoscope_state": text,
            "scopes": [text, text],
        },
        {"token_id": "b" * 64, "comment": f"x{text}", "scopes": [], name: text},
    ]
    tokens = lifecycle.with_lifecycle(frames.frame(documents, frames.TOKENS), now=NOW)
    users = frames.frame([{"id": 1, "user_name": text, "display_name": text}], frames.USERS)
    programs = frames.frame([], frames.SERVICE_PRINCIPALS)
    return owners.with_owners(tokens.assign(owner_id=1), users=users, service_principals=programs)


class Page(HTMLParser):
    """HTML as a browser takes it: which elements and attributes there are, and the text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.attributes, self.text = set(), set(), ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


def assert_page_is_inert(html):
    page = Page(html)
    assert not page.elements & {"script", "iframe", "link", "object"}
    assert not {name for name in page.attributes if name.startswith("on")}
    assert acting(html, but="\n\t") == set()
    assert values(html) == []


@tried
@given(HOSTILE, HOSTILE)
def test_in_a_table_of_a_terminal(text, name):
    found = listing(text, f"new {name}")
    for width in (60, 200):
        assert acting(terminal.table(columns.columns(found), width)) == set()
    piped = export.tsv_text(found)
    assert acting(piped, but="\t\n") == set()
    assert piped.count("\n") == 3
    assert {line.count("\t") for line in piped.splitlines()} == {len(found.columns) - 1}


@tried
@given(HOSTILE, HOSTILE)
def test_in_csv_whatever_parts_its_cells(text, name):
    written = export.csv_text(listing(text.lstrip(), f"{name.lstrip()} new"))
    assert acting(written, but="\n\t") == set()
    for delimiter in (",", ";", "\t"):
        cells = [cell for row in csv.reader(io.StringIO(written), delimiter=delimiter) for cell in row]
        assert [cell for cell in cells if cell.lstrip(" \n\t").startswith(SIGNS) and not is_number(cell)] == []


def is_number(cell):
    return re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", cell) is not None


@tried
@given(HOSTILE, HOSTILE)
def test_in_json_which_loses_nothing(text, name):
    written = export.json_text(listing(text, f"new {name}"))
    assert acting(written) == set()
    first, second = json.loads(written)
    assert (first["comment"], first["scopes"], second[f"new {name}"]) == (text, [text, text], text)


@settings(tried, max_examples=8)
@given(HOSTILE, HOSTILE)
def test_in_a_workbook(text, name):
    book = openpyxl.load_workbook(io.BytesIO(excel.workbook({"tokens": listing(text, f"={name}")})))
    cells = [cell for row in book["tokens"].iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "inlineStr", "n", "d", "b"}
    shown = [cell for cell in cells if isinstance(cell.value, str)]
    assert acting("".join(cell.value for cell in shown), but="\n\t") == set()
    assert [cell.value for cell in shown if cell.value.startswith(SIGNS) and not cell.quotePrefix] == []


@tried
@given(HOSTILE)
def test_in_the_html_of_a_plan_of_leaks_and_of_any_element(text):
    tokens = listing(text)
    table = preview.table(tokens[["token_id", "owner", "comment", "scopes"]], caption="Tokens")
    in_short = preview.Preview(title="2 tokens", tables=(table,), closing=("Warnings: yours (1).",))
    assert_page_is_inert(in_short._repr_html_())
    assert acting(in_short.text(80), but="\n") == set()
    location = {"location": text, "commit": text, "url": text, "source": text}
    occurrences = pd.DataFrame([location | {"token_id": None, "matched_as": None, "kind": "access_token"}] * 2)
    hidden = pd.DataFrame([location | {"problem": "redacted"}])
    revoked = occurrences.head(1).assign(token_id="0", run_id=text, finished_at=NOW, workspace=text)
    leaks = Leaks(
        tokens=tokens,
        rows=tokens,
        revoked=revoked[["token_id", "run_id", "finished_at", "workspace", "location"]],
        occurrences=occurrences,
        not_comparable=hidden,
        looked_for=1,
        unmatched=1,
        name="w",
        lines=0,
        oauth_secrets=None,
        unmatched_secrets=0,
        signs_in_with=[],
        _plan=None,
    )
    page = Page(leaks._repr_html_())
    assert "script" not in page.elements
    assert acting(leaks._repr_html_(), but="\n\t") == set()
    page = Page(element("p", text, title=text))
    assert page.elements == {"p"}
    assert acting(element("p", text, title=text), but="\n\t") == set()


@settings(tried, max_examples=3)
@given(HOSTILE)
def test_in_a_report(text):
    tokens = listing(text)
    audit = audits.audit(tokens, Context(now=NOW, usage=used_by(text, tokens)))
    assert_page_is_inert(report.html(audit))
    assert values("".join(audit.findings["evidence"])) == []


def used_by(text, tokens):
    """Return evidence in which a program and an address with a text used the second token of a listing."""
    row = event(tokens["token_id"].iloc[1], user_agent=text, source_ip_address=text)
    return usage.usage(SIGN_INS.of_rows(log(row, row | {"user_agent": f"x{text}/1"})), tokens)


@tried
@given(HOSTILE)
def test_in_the_explorer(text):
    tokens = listing(text)
    found = pd.DataFrame({"row": [0], "rule": ["r"], "severity": ["high"], "evidence": [text], "remedy": [text]})
    rows = formatting.rows(tokens, ["key"] * len(tokens), found, pd.DataFrame(), now=NOW)
    panel = formatting.details(tokens.iloc[0], found, tokens.assign(key="key"), now=NOW)
    table = plan_table.table(tokens, caption="Tokens", now=NOW, most=1)
    known = used_by(text, tokens)
    use = usage.of_tokens(tokens["token_id"], known)
    cells = [*evidence.cells(use, now=NOW), usage.sentences(use, now=NOW).tolist()]
    used = texts_of([cells, evidence.details(use.iloc[1], known, now=NOW)])
    shown = "".join([*texts_of(rows), formatting.line(rows[0]), *texts_of(table), *used])
    assert acting(shown) == set()
    assert acting("".join(texts_of(panel)), but="\n\t") == set()
    assert values(shown) == values("".join(texts_of(panel))) == []


def texts_of(data):
    """Return all texts in plain data."""
    if isinstance(data, str):
        return [data]
    parts = data.values() if isinstance(data, dict) else data if isinstance(data, list) else []
    return [text for part in parts for text in texts_of(part)]


@tried
@given(HOSTILE)
def test_in_an_error_and_in_what_ends_a_run_early(text):
    error = errors.ApiError(f"the workspace said {text}", status=500)
    with contextlib.redirect_stderr(io.StringIO()) as printed:
        cli._fail(str(error), 1)
        options.StderrProgress().end_early(f"Ended early: {error}")
    lines = [str(error), *error._render_traceback_(), *printed.getvalue().splitlines()]
    assert len(lines) == 4
    assert acting("".join(lines)) == set()


HOSTILE_MESSAGE = f"\x1b[2J\u202e\u200b\u061c\x9b31m\r\n=1+1 <script> x_dapi{DIGITS}"


def test_in_the_log_and_in_the_last_line_of_a_command(fresh_sandbox, manual_clock, monkeypatch, capsys, caplog):
    body = {"error_code": "TEMPORARILY_UNAVAILABLE", "message": HOSTILE_MESSAGE}
    fault = Fault(path="*/tokens", status=503, body=body, headers={"Retry-After": "30"}, times=1)
    fresh_sandbox.faults.add(fault)
    credentials = from_token(fresh_sandbox.host, fresh_sandbox.token)
    TokenManagementAPI(Transport(credentials, clock=manual_clock)).list()
    assert "waiting" in caplog.text
    assert acting(caplog.text) == set()
    assert values(caplog.text) == []
    fresh_sandbox.faults.add(Fault(path="*/tokens", status=400, body=body | {"error_code": "X"}))
    monkeypatch.setenv("DATABRICKS_HOST", fresh_sandbox.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", fresh_sandbox.token)
    assert cli.main(["list"]) != 0
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert acting(printed) == set()
    assert values(printed) == []
