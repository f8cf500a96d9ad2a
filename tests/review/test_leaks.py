"""Leaked values are found in whatever holds them, matched by hash, and kept nowhere."""

import base64
import hashlib
import json
import traceback

import pandas as pd
import pytest

from tests.conftest import NOW
from tokenkit import errors, frames
from tokenkit.review import leaks, lifecycle

DIGITS = "0123456789abcdef" * 2
VALUE = "dapi" + DIGITS  # put together, so that no scanner takes this file for a leak
OTHER = "dapi" + DIGITS[::-1]
NO_ONE = frames.frame([], frames.USERS)


def sha256(value):
    return hashlib.sha256(value if isinstance(value, bytes) else value.encode()).hexdigest()


def listing(*ids):
    """A listing of tokens with these ids."""
    tokens = frames.frame(
        [{"token_id": each, "comment": f"was {VALUE}", "scopes": ["sql"]} for each in ids], frames.TOKENS
    )
    tokens = lifecycle.with_lifecycle(tokens, now=NOW)
    return tokens.assign(owner="ann", owner_kind="user", owner_active=True)


def matched(sightings, *ids):
    return leaks.matched(sightings, listing(*ids), name="test")


READ = [
    # the value, of which its id is the hash, the reading
    (VALUE, VALUE, "the value"),
    (f"{VALUE}-2", f"{VALUE}-2", "the value"),
    (f"{VALUE}-12", f"{VALUE}-12", "the value"),
    (f"{VALUE}-2", VALUE, "the value without its suffix"),
    (VALUE, f"{VALUE}-3", "the value and a suffix that was cut off"),
    (VALUE, DIGITS, "its digits"),
    (f"{VALUE}-2", DIGITS, "its digits"),
    (f"{VALUE}-2", f"{DIGITS}-2", "its digits and its suffix"),
    (f"{VALUE}-2", bytes.fromhex(DIGITS), "its digits as bytes"),
    ("dkea" + DIGITS, "dkea" + DIGITS, "the value"),
    ("some-other-form", "some-other-form", "the value"),
    ("größer", "größer", "the value"),
]


@pytest.mark.parametrize(("value", "hashed", "reading"), READ)
def test_a_value_is_recognised_by_any_reading_of_the_documentation(value, hashed, reading):
    found = matched(leaks.from_values(value), sha256(hashed), sha256("x"))
    assert found.tokens["token_id"].tolist() == [sha256(hashed)]
    assert found.tokens["reading"].tolist() == [reading]
    assert (found.looked_for, found.unmatched) == (1, 0)


def test_every_reading_stands_in_the_cases():
    assert {reading for *_, reading in READ} == set(leaks.READINGS)


@pytest.mark.parametrize("typed", [f'"{VALUE}"', f"Bearer {VALUE}", f"DATABRICKS_TOKEN={VALUE};", f"{OTHER} {VALUE}"])
def test_a_value_that_is_typed_with_something_around_it_is_the_value(typed):
    assert matched(leaks.from_values([typed]), sha256(VALUE)).tokens["reading"].tolist() == ["the value"]


@pytest.mark.parametrize("hashed", [VALUE.upper(), DIGITS[:-1], f"{VALUE} ", b"dapi" + bytes.fromhex(DIGITS)])
def test_nothing_else_matches(hashed):
    assert len(matched(leaks.from_values([VALUE]), sha256(hashed)).tokens) == 0


def test_a_token_says_whose_it_is_what_it_may_do_and_where_it_was_seen():
    found = matched(leaks.from_values([VALUE, OTHER, VALUE, f" {VALUE}\n", ""]), sha256(VALUE))
    (row,) = found.tokens.to_dict("records")
    assert (row["owner"], row["scopes"], row["status"]) == ("ann", ["sql"], "active")
    assert row["comment"] == "was [redacted]"
    assert list(row["places"]) == ["value 1", "value 3", "value 4"]
    assert found.sightings["place"].tolist() == ["value 1", "value 2", "value 3", "value 4"]
    assert found.sightings["token_id"].isna().tolist() == [False, True, False, False]
    assert (found.looked_for, found.unmatched) == (2, 1)
    assert "1 not in it, which does not mean dead" in repr(found)


def test_nothing_found_has_the_same_columns_and_dtypes():
    some, none = matched(leaks.from_values(VALUE), sha256(VALUE)), matched(leaks.from_values([]))
    pd.testing.assert_series_equal(some.tokens.dtypes, none.tokens.dtypes)
    pd.testing.assert_series_equal(some.sightings.dtypes, none.sightings.dtypes)
    assert (none.looked_for, none.unmatched) == (0, 0)


TEXTS = [
    (f"token = '{VALUE}'\nother={OTHER}-1;", [(1, VALUE), (2, f"{OTHER}-1")]),
    (f"a {VALUE} b {OTHER}", [(1, VALUE), (1, OTHER)]),
    (f"https://x/?t%3D{VALUE}%20", [(1, VALUE)]),
    (f"\n\n{VALUE}-2abc", [(3, VALUE)]),
    (f"{VALUE}0", []),  # longer than a value: another thing, in a text that is no list
    ("just words here\n", []),
    ("first-opaque\n\nsecond-opaque\n", [(1, "first-opaque"), (3, "second-opaque")]),  # a list, one a line
    (f"{VALUE}\nnot-of-that-form\n", [(1, VALUE)]),
    ("", []),
]


@pytest.mark.parametrize(("text", "values"), TEXTS[:4] + TEXTS[5:])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_any_text_is_searched_and_a_list_is_taken_line_by_line(tmp_path, text, values, encoding):
    file = tmp_path / "x.txt"
    file.write_text(text, encoding=encoding)
    found = matched(leaks.from_file(file), *{sha256(value) for _, value in values})
    assert found.sightings["place"].tolist() == [f"{file}:{line}" for line, _ in values]
    assert found.sightings["token_id"].tolist() == [sha256(value) for _, value in values]


def test_bytes_that_are_no_text_do_not_hide_a_value(tmp_path):
    (tmp_path / "core").write_bytes(b"\xff\x00\xfe" + VALUE.encode() + b"\x80\n\x00")
    assert len(matched(leaks.from_file(tmp_path / "core"), sha256(VALUE)).tokens) == 1


def gitleaks(value, **fields):
    """A finding as gitleaks 8 writes it (report.Finding)."""
    return {
        "RuleID": "databricks-api-token",
        "Description": "Uncovered a Databricks API token, which may compromise big data analytics platforms.",
        "StartLine": 12,
        "EndLine": 12,
        "StartColumn": 9,
        "EndColumn": 45,
        "Match": f'"{value}"',
        "Secret": value,
        "File": "conf/app.py",
        "SymlinkFile": "",
        "Commit": "a1b2c3",
        "Entropy": 3.9,
        "Author": "Ann",
        "Email": "ann@example.com",
        "Date": "2026-02-01T09:00:00Z",
        "Message": "add config",
        "Tags": [],
        "Fingerprint": "a1b2c3:conf/app.py:databricks-api-token:12",
    } | fields


def trufflehog(value, data=None, **fields):
    """A finding as trufflehog 3 writes it (pkg/output/json.go)."""
    where = {
        "commit": "a1b2c3",
        "file": "conf/app.py",
        "email": "Ann <ann@example.com>",
        "repository": "https://x/y.git",
    }
    where |= {"timestamp": "2026-02-01 09:00:00 +0000", "line": 12}
    return {
        "SourceMetadata": {"Data": data or {"Git": where}},
        "SourceID": 1,
        "SourceType": 16,
        "SourceName": "trufflehog - git",
        "DetectorType": 31,
        "DetectorName": "DatabricksToken",
        "DecoderName": "PLAIN",
        "Verified": False,
        "Raw": value,
        "RawV2": "",
        "Redacted": "",
        "ExtraData": None,
        "StructuredData": None,
    } | fields


NOISE = "🐷🔑🐷  TruffleHog. Unearth your secrets. 🐷🔑🐷\n"
LOG = json.dumps({"level": "info-0", "msg": "finished scanning", "chunks": 3}) + "\n"
AWS = "AKIA" + "Q3EGRFTX7KPMZ2WB"
REPORTS = {
    "gitleaks": json.dumps([gitleaks(VALUE)]),
    "gitleaks, indented": json.dumps([gitleaks(VALUE)], indent=1),
    "gitleaks, another rule": json.dumps([gitleaks(f"DATABRICKS_TOKEN={VALUE}", RuleID="generic-api-key")]),
    "gitleaks, value in the match": json.dumps([gitleaks("x", Match=f"t={VALUE}", RuleID="generic-api-key")]),
    "gitleaks, beside other secrets": json.dumps(
        [gitleaks(AWS, RuleID="aws-access-token", Match=AWS), gitleaks(VALUE)]
    ),
    "trufflehog": json.dumps(trufflehog(VALUE)) + "\n",
    "trufflehog, both outputs": NOISE + LOG + json.dumps(trufflehog(VALUE)) + "\n" + LOG,
    "trufflehog, an array": json.dumps([trufflehog(VALUE)]),
    "trufflehog before 3.28": json.dumps(trufflehog(base64.b64encode(VALUE.encode()).decode())),
    "trufflehog, two parts": json.dumps(trufflehog("https://x.cloud.databricks.com", RawV2=f"{VALUE}:x.cloud")),
    "trufflehog, other secrets": json.dumps(trufflehog(AWS, DetectorName="AWS")) + "\n" + json.dumps(trufflehog(VALUE)),
}


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_a_report_is_read(tmp_path, report):
    file = tmp_path / "report.json"
    file.write_text(report, encoding="utf-8")
    found = matched(leaks.from_report(file), sha256(VALUE))
    columns = ["place", "commit", "token_id", "reading", "kind"]
    expected = ["conf/app.py:12", "a1b2c3", sha256(VALUE), "the value", "access_token"]
    assert found.sightings[columns].to_numpy().tolist() == [expected]
    assert (found.looked_for, found.unmatched) == (1, 0)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({"Filesystem": {"file": "/srv/app.py", "line": 3}}, "/srv/app.py:3"),
        ({"Filesystem": {"file": "/srv/app.py"}}, "/srv/app.py:?"),
        ({"Github": {"link": "https://github.com/x/y/blob/a/b#L3", "file": "b", "line": 3}}, "b:3"),
        ({"Slack": {"link": "https://x.slack.com/p1"}}, "https://x.slack.com/p1"),
        ({"Elasticsearch": {"index": "logs", "document_id": "7"}}, "Elasticsearch logs 7"),
        ({"GCS": {"bucket": "b", "filename": "x.env"}}, "x.env:?"),
        ({"Stdin": {}}, "Stdin"),
        ({"Git": None}, "Git"),
        ({"Filesystem": {"file": f"{VALUE}.txt", "line": 1}}, "[redacted].txt:1"),
    ],
)
def test_the_place_is_what_the_source_says(tmp_path, data, place):
    (tmp_path / "r").write_text(json.dumps(trufflehog(VALUE, data)))
    assert matched(leaks.from_report(tmp_path / "r")).sightings["place"].tolist() == [place]


@pytest.mark.parametrize("report", ["[]", "", "[]\n", NOISE])
def test_a_report_without_findings_finds_nothing(tmp_path, report):
    (tmp_path / "r").write_text(report, encoding="utf-8")
    if report == NOISE:
        with pytest.raises(errors.UsageError, match="not a report of gitleaks"):
            leaks.from_report(tmp_path / "r")
    else:
        assert matched(leaks.from_report(tmp_path / "r")).looked_for == 0


NO_REPORT = "not a report of gitleaks"
WRONG = {
    "no text": ("PAR1\0\n{ \0", NO_REPORT),
    "no JSON": (f"token: {VALUE}", NO_REPORT),
    "other JSON": (json.dumps([{"secret": VALUE}]), NO_REPORT),
    "a number": ("3", NO_REPORT),
    "cut short": (json.dumps(trufflehog(OTHER)) + "\n" + json.dumps(trufflehog(VALUE))[:-9], "Line 2 is not a whole"),
    "cut short, an array": (json.dumps([gitleaks(VALUE)], indent=1)[:-9], "cut short"),
    "cut short, after a finding": (json.dumps([gitleaks(VALUE)])[:-1], "cut short"),
    "cut short, before a finding": ("[", "cut short"),
    "a line without its beginning": (
        json.dumps(trufflehog(VALUE)) + "\n" + json.dumps(trufflehog(OTHER))[9:],
        "Line 2",
    ),
    "a line that says nothing": (json.dumps(trufflehog(VALUE)) + "\n### not json ###\n", "Line 2 is neither"),
    "a value beside the findings": (json.dumps(trufflehog(VALUE)) + f"\ntrufflehog {OTHER}\n", "Line 2 is neither"),
    "another object": (json.dumps([gitleaks(OTHER)]) + json.dumps({"message": VALUE}), "Line 1 is not a finding"),
    "a row cut short": (f"RuleID,Secret,File\nx,{VALUE},a\ny,{OTHER}", "Line 3 has 2 columns"),
    "a cell cut short": (f'RuleID,Secret,File\nx,{VALUE},"a', "Line 2 is not a whole row"),
    "nested without end": ('{"Secret": ' * 100_000, NO_REPORT),
    "a number without end": (f'[{{"Secret": "{VALUE}", "RuleID": {"9" * 5000}}}]', NO_REPORT),
}


@pytest.mark.parametrize(("report", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_a_report_is_said_without_the_values_in_it(tmp_path, report, words):
    (tmp_path / "r.json").write_text(report)
    with pytest.raises(errors.UsageError, match=words) as caught:
        leaks.from_report(tmp_path / "r.json")
    with_locals = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    inside = [frame for frame in with_locals.stack if "tokenkit" in frame.filename and "/tests/" not in frame.filename]
    shown = "".join(str(frame.locals) for frame in inside) + str(caught.value) + repr(caught.value.__context__)
    assert inside
    assert DIGITS not in shown
    assert caught.value.__context__ is None


def test_a_file_that_cannot_be_read_is_named_and_a_value_in_its_place_is_not(tmp_path):
    for read in (leaks.from_file, leaks.from_report):
        with pytest.raises(errors.UsageError, match="cannot be read: No such file"):
            read(tmp_path / "nowhere")
        with pytest.raises(errors.UsageError, match="cannot be read: Is a directory"):
            read(tmp_path)
        with pytest.raises(errors.UsageError, match="looks like a token's value") as caught:
            read(VALUE)
        assert DIGITS not in str(caught.value)


def test_values_are_typed_until_one_is_empty():
    answers = iter([f" {VALUE}", OTHER, "", "never asked"])
    assert leaks.typed(lambda _: next(answers)) == [VALUE, OTHER]
    with pytest.raises(errors.UsageError, match="No value was typed"):
        leaks.typed(lambda _: None)


def test_what_is_kept_holds_no_value():
    sightings = leaks.from_values([VALUE, OTHER])
    found = matched(sightings, sha256(VALUE))
    kept = sightings.to_csv() + "".join(str(each) + repr(each) for each in vars(found).values())
    kept += found.tokens.to_csv() + found.sightings.to_csv() + found._repr_html_() + repr(found)
    assert DIGITS not in kept
    assert DIGITS[::-1] not in kept


def test_the_page_of_leaks_escapes_what_people_wrote():
    tokens = listing(sha256(VALUE)).assign(owner="<script>alert(1)</script>")
    assert "<script>" not in leaks.matched(leaks.from_values(VALUE), tokens, name="<b>")._repr_html_()


def test_a_plan_is_made_of_what_was_found_and_only_on_a_workspace():
    asked = {}
    found = leaks.matched(
        leaks.from_values(VALUE),
        listing(sha256(VALUE)),
        name="test",
        plan=lambda tokens, **said: asked.update(said, tokens=tokens),
    )
    found.revoke(reason="in a repository", include_own=True)
    assert asked.pop("tokens")["token_id"].tolist() == [sha256(VALUE)]
    assert asked == {"reason": "in a repository", "include_own": True}
    with pytest.raises(errors.UsageError, match="saved listing"):
        matched(leaks.from_values(VALUE)).revoke()
