"""Leaked values are found in whatever holds them, matched by hash, and kept nowhere."""

import base64
import hashlib
import io
import json
import traceback

import pandas as pd
import pytest

from tests.conftest import NOW
from tests.elements import texts
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


def matched(occurrences, *ids):
    return leaks.matched(occurrences, listing(*ids), name="test")


READ = [
    # the value, the input whose hash is its id, the name of the input
    (VALUE, VALUE, "value"),
    (f"{VALUE}-2", f"{VALUE}-2", "value"),
    (f"{VALUE}-12", f"{VALUE}-12", "value"),
    (f"{VALUE}-2", VALUE, "value_without_suffix"),
    (VALUE, f"{VALUE}-0", "value_with_restored_suffix"),
    (VALUE, f"{VALUE}-9", "value_with_restored_suffix"),
    (VALUE, DIGITS, "digits"),
    (f"{VALUE}-2", DIGITS, "digits"),
    (f"{VALUE}-2", f"{DIGITS}-2", "digits_and_suffix"),
    (f"{VALUE}-2", bytes.fromhex(DIGITS), "digits_as_bytes"),
    ("dkea" + DIGITS, "dkea" + DIGITS, "value"),
    ("some-other-form", "some-other-form", "value"),
    ("größer", "größer", "value"),
]


@pytest.mark.parametrize(("value", "hashed", "matched_as"), READ)
def test_a_value_is_recognized_by_the_hash_of_any_input(value, hashed, matched_as):
    found = matched(leaks.from_values(value), sha256(hashed), sha256("x"))
    assert found.tokens["token_id"].tolist() == [sha256(hashed)]
    assert found.tokens["matched_as"].tolist() == [matched_as]
    assert (found.looked_for, found.unmatched) == (1, 0)


def test_every_hash_input_has_a_case():
    assert {name for *_, name in READ} == set(leaks.HASH_INPUTS)


@pytest.mark.parametrize("typed", [f'"{VALUE}"', f"Bearer {VALUE}", f"DATABRICKS_TOKEN={VALUE};", f"{OTHER} {VALUE}"])
def test_a_value_that_is_typed_with_something_around_it_is_the_value(typed):
    assert matched(leaks.from_values([typed]), sha256(VALUE)).tokens["matched_as"].tolist() == ["value"]


@pytest.mark.parametrize(
    "hashed", [VALUE.upper(), DIGITS[:-1], f"{VALUE} ", f"{VALUE}-10", b"dapi" + bytes.fromhex(DIGITS)]
)
def test_nothing_else_matches(hashed):
    assert len(matched(leaks.from_values([VALUE]), sha256(hashed)).tokens) == 0


def test_a_leaked_token_has_its_owner_its_scopes_and_its_locations():
    found = matched(leaks.from_values([VALUE, OTHER, VALUE, f" {VALUE}\n", ""]), sha256(VALUE))
    (row,) = found.tokens.to_dict("records")
    assert (row["owner"], row["scopes"], row["status"]) == ("ann", ["sql"], "active")
    assert row["comment"] == "was [redacted]"
    assert list(row["locations"]) == ["value 1", "value 3", "value 4"]
    assert found.occurrences["location"].tolist() == ["value 1", "value 2", "value 3", "value 4"]
    assert found.occurrences["token_id"].isna().tolist() == [False, True, False, False]
    assert (found.looked_for, found.unmatched) == (2, 1)
    assert "1 matched none and may still be valid in another workspace" in repr(found)


def test_the_rows_of_leaks_are_numbered_from_zero():
    found = matched(leaks.from_values([OTHER, VALUE]), "0" * 64, sha256(VALUE), "1" * 64, sha256(OTHER))
    assert found.tokens["token_id"].to_dict() == {0: sha256(VALUE), 1: sha256(OTHER)}
    assert list(found.tokens["locations"]) == [["value 2"], ["value 1"]]
    owner = ["owner", "owner_kind", "owner_active"]
    use = ["scopes", "status", "last_used_day", "effective_end", "comment"]
    assert list(found.tokens.columns) == ["token_id", *owner, *use, "locations", "matched_as"]
    assert found.occurrences.index.tolist() == [0, 1]


def test_the_headline_counts_the_values_that_matched_and_those_that_did_not():
    assert matched(leaks.from_values([VALUE, OTHER, f"{OTHER}-1"]), sha256(VALUE)).headline() == (
        "1 of 3 values matched a token here, 2 matched none and may still be valid in another workspace"
    )
    assert matched(leaks.from_values(VALUE), sha256(VALUE)).headline() == "1 of 1 value matched a token here"
    assert matched(leaks.from_values([])).headline() == "no value found"


def test_an_oauth_secret_is_not_counted_as_a_value_that_another_workspace_may_have_issued():
    secrets = ["dose" + DIGITS, "dose" + DIGITS[::-1]]
    assert matched(leaks.from_values([VALUE, OTHER, *secrets]), sha256(VALUE)).headline() == (
        "1 of 4 values matched a token here, 1 matched none and may still be valid in another workspace, "
        "2 are OAuth secrets"
    )
    alone = matched(leaks.from_values([secrets[0], secrets[0]]))
    assert alone.headline() == "0 of 1 value (2 occurrences) matched a token here, 1 is an OAuth secret"


def test_leaks_are_compared_as_objects_and_not_by_their_frames():
    one, other = (matched(leaks.from_values(VALUE), sha256(VALUE)) for _ in range(2))
    assert one == one  # noqa: PLR0124
    assert one != other


def test_nothing_found_has_the_same_columns_and_dtypes():
    some, none = matched(leaks.from_values(VALUE), sha256(VALUE)), matched(leaks.from_values([]))
    pd.testing.assert_series_equal(some.tokens.dtypes, none.tokens.dtypes)
    pd.testing.assert_series_equal(some.occurrences.dtypes, none.occurrences.dtypes)
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
    assert found.occurrences["location"].tolist() == [f"{file}:{line}" for line, _ in values]
    assert found.occurrences["token_id"].tolist() == [sha256(value) for _, value in values]


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
    columns = ["location", "commit", "token_id", "matched_as", "kind"]
    expected = ["conf/app.py:12", "a1b2c3", sha256(VALUE), "value", "access_token"]
    assert found.occurrences[columns].to_numpy().tolist() == [expected]
    assert (found.looked_for, found.unmatched) == (1, 0)


@pytest.mark.parametrize(
    ("data", "location"),
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
def test_the_location_is_the_one_in_the_source(tmp_path, data, location):
    (tmp_path / "r").write_text(json.dumps(trufflehog(VALUE, data)))
    assert matched(leaks.from_report(tmp_path / "r")).occurrences["location"].tolist() == [location]


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
    **{
        f"other JSON with only {name}": (json.dumps([{name: VALUE}]), NO_REPORT)
        for name in (
            "Secret",
            "Match",
            "offender",
            "line",
            "rule",
            "secret_type",
            "raw",
            "secrets",
            "Raw",
            "stringsFound",
        )
    },
    "other JSON, with lines": (json.dumps([{"secret": VALUE, "line": 3, "lines": 3, "path": "x"}]), NO_REPORT),
    "a number": ("3", NO_REPORT),
    "cut short": (
        json.dumps(trufflehog(OTHER)) + "\n" + json.dumps(trufflehog(VALUE))[:-9],
        "Line 2 is not a complete",
    ),
    "a line that says nothing, after a finding of several lines": (
        json.dumps(trufflehog(VALUE), indent=1) + "\n### not json ###\n",
        f"Line {json.dumps(trufflehog(VALUE), indent=1).count(chr(10)) + 2} is neither",
    ),
    "cut short, an array": (json.dumps([gitleaks(VALUE)], indent=1)[:-9], "truncated"),
    "cut short, after a finding": (json.dumps([gitleaks(VALUE)])[:-1], "truncated"),
    "cut short, before a finding": ("[", "truncated"),
    "a line without its beginning": (
        json.dumps(trufflehog(VALUE)) + "\n" + json.dumps(trufflehog(OTHER))[9:],
        "Line 2",
    ),
    "the rest of a finding, before another": (
        json.dumps(trufflehog(OTHER))[-60:] + json.dumps(trufflehog(VALUE)),
        "Line 1 is neither",
    ),
    "a line that says nothing": (json.dumps(trufflehog(VALUE)) + "\n### not json ###\n", "Line 2 is neither"),
    "a value beside the findings": (json.dumps(trufflehog(VALUE)) + f"\ntrufflehog {OTHER}\n", "Line 2 is neither"),
    "another object": (json.dumps([gitleaks(OTHER)]) + json.dumps({"message": VALUE}), "Line 1 is not a finding"),
    "an object that has only a message": (
        json.dumps(trufflehog(VALUE)) + '\n{"message": "x"}',
        "Line 2 is not a finding",
    ),
    "an object that has only a level": (json.dumps(trufflehog(VALUE)) + '\n{"level": "x"}', "Line 2 is not a finding"),
    "a row cut short": (f"RuleID,Secret,File\nx,{VALUE},a\ny,{OTHER}", "Line 3 has 2 columns"),
    "a cell cut short": (f'RuleID,Secret,File\nx,{VALUE},"a', "Line 2 is not a complete row"),
    "nested without end": ('{"Secret": ' * 100_000, NO_REPORT),
    "a number without end": (f'[{{"Secret": "{VALUE}", "RuleID": {"9" * 5000}}}]', NO_REPORT),
}


@pytest.mark.parametrize(("report", "message"), WRONG.values(), ids=WRONG)
def test_the_problem_with_a_report_is_named_without_its_values(tmp_path, report, message):
    (tmp_path / "r.json").write_text(report)
    with pytest.raises(errors.UsageError, match=message) as caught:
        leaks.from_report(tmp_path / "r.json")
    with_locals = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    inside = [frame for frame in with_locals.stack if "tokenkit" in frame.filename and "/tests/" not in frame.filename]
    shown = "".join(str(frame.locals) for frame in inside) + str(caught.value) + repr(caught.value.__context__)
    assert inside
    assert DIGITS not in shown
    assert caught.value.__context__ is None


def test_an_unreadable_file_is_named_and_a_value_instead_of_a_name_is_not(tmp_path):
    for read in (leaks.from_file, leaks.from_report):
        with pytest.raises(errors.UsageError, match=r"Cannot read .*nowhere: No such file"):
            read(tmp_path / "nowhere")
        with pytest.raises(errors.UsageError, match=r"Cannot read .*: it is a folder, not a file"):
            read(tmp_path)
        with pytest.raises(errors.UsageError, match="looks like a token value") as caught:
            read(VALUE)
        assert DIGITS not in str(caught.value)


def test_prompts_for_values_end_with_an_empty_line():
    answers = iter([f" {VALUE}", OTHER, "", "never asked"])
    assert leaks.prompt_values(lambda _: next(answers)) == [VALUE, OTHER]
    with pytest.raises(errors.UsageError, match="No value was entered"):
        leaks.prompt_values(lambda _: None)


def test_the_secrets_of_an_account_are_named_and_the_other_values_stay():
    secret, other = ("dose" + digits * 2 for digits in ("0123456789abcdef", "fedcba9876543210"))
    listed = pd.DataFrame(
        {
            "application_id": ["app-1", "app-2"],
            "display_name": ["etl", "ci"],
            "secret_id": ["s-1", "s-2"],
            "secret_hash": [sha256(secret).upper(), "0" * 64],
            "status": ["ACTIVE", "ACTIVE"],
            "expire_time": ["2027-01-01T00:00:00Z", None],
        },
        dtype=frames.TEXT,
    )
    found = leaks.matched(
        leaks.from_values([VALUE, secret, OTHER, secret, other]), listing(sha256(VALUE)), name="t", oauth_secrets=listed
    )
    rows = found.occurrences[["location", "token_id", "secret_id", "kind"]].astype(object)
    assert rows.where(rows.notna(), None).to_numpy().tolist() == [
        ["value 1", sha256(VALUE), None, "access_token"],
        ["value 2", None, "s-1", "oauth_secret"],
        ["value 3", None, None, "access_token"],
        ["value 4", None, "s-1", "oauth_secret"],
        ["value 5", None, None, "oauth_secret"],
    ]
    assert found.oauth_secrets["location"].tolist() == ["value 2", "value 4"]
    assert found.oauth_secrets[["application_id", "secret_id"]].drop_duplicates().to_numpy().tolist() == [
        ["app-1", "s-1"]
    ]
    assert "value" not in found.oauth_secrets
    assert (found.looked_for, found.unmatched, found.unmatched_secrets) == (4, 1, 2)
    headings = [heading for heading, _ in found.notes()]
    assert [locations for _, locations in found.notes()] == [
        ["value 2: etl (app-1), secret s-1, ACTIVE", "value 4: etl (app-1), secret s-1, ACTIVE"],
        ["value 3"],
        ["value 5"],
    ]
    assert headings[0].startswith("OAuth secrets of these service principals leaked")
    assert "matched no hash that the account lists" in headings[2]


IN_ACCOUNT = " It matched no hash that the account lists; the input of those hashes is not documented."
NOTES = [
    # the values, whether an account was searched, the heading
    ([VALUE], False, "This value matched no token here. It may still be valid in another workspace:"),
    ([VALUE, OTHER], False, "These values matched no token here. They may still be valid in another workspace:"),
    (
        ["dose" + DIGITS],
        False,
        "This is an OAuth secret of a service principal (dose…), not a token. Delete it in the account:",
    ),
    (
        ["dose" + DIGITS, "dose" + DIGITS[::-1]],
        True,
        f"These are OAuth secrets of service principals (dose…), not tokens.{IN_ACCOUNT} Delete them in the account:",
    ),
    (
        ["dose" + DIGITS],
        True,
        f"This is an OAuth secret of a service principal (dose…), not a token.{IN_ACCOUNT} Delete it in the account:",
    ),
    (
        ["dapi0123****************"],
        False,
        "This finding cannot be compared because its value is not in the report. It is not an all-clear:",
    ),
    (
        ["dapi0123****************", "dapi4567****************"],
        False,
        "These findings cannot be compared because their values are not in the report. It is not an all-clear:",
    ),
]
NO_SECRETS = pd.DataFrame(
    columns=["application_id", "display_name", "secret_id", "secret_hash", "status", "expire_time"], dtype=frames.TEXT
)


@pytest.mark.parametrize(("values", "with_account", "heading"), NOTES)
def test_a_note_says_what_is_not_known_of_one_value_or_of_several(values, with_account, heading):
    found = leaks.matched(
        leaks.from_values(values), listing(), name="test", oauth_secrets=NO_SECRETS if with_account else None
    )
    ((note, locations),) = found.notes()
    assert note == heading
    assert [location.partition(" (")[0] for location in locations] == [f"value {n}" for n, _ in enumerate(values, 1)]
    assert len(found.not_comparable) == (len(values) if "****" in values[0] else 0)


def test_a_location_has_its_commit_its_source_and_its_page():
    row = dict.fromkeys(leaks.report.OCCURRENCES.names) | {"location": "a.py:3", "value": "x", "kind": "access_token"}
    where = {"commit": "1f38", "source": "acme/etl", "url": "https://x/y"}
    rows = [row, row | {"location": "b.py:4", **where}, row | {"location": "c.py:5", "problem": "hashed", "url": "u"}]
    found = matched(frames.frame(rows, leaks.report.OCCURRENCES))
    assert [locations for _, locations in found.notes()] == [
        ["a.py:3", "b.py:4 (1f38, acme/etl, https://x/y)"],
        ["c.py:5 (hashed, u)"],
    ]
    assert list(found.not_comparable.columns) == ["location", "problem", "commit", "url", "source"]
    assert found.not_comparable.index.tolist() == [0]
    assert list(found.occurrences.columns) == ["location", "commit", "token_id", "matched_as", "kind", "url", "source"]


def test_lines_that_were_compared_are_counted_and_are_no_values():
    found = matched(leaks.from_file(io.StringIO("first-opaque\nsecond-opaque\n")))
    assert (found.looked_for, found.lines) == (0, 2)
    assert found.headline() == "no value found; 2 lines compared as values matched no token here"
    assert repr(found) == f"<Leaks on test: {found.headline()}>"
    assert str(found) == repr(found.in_short())  # as print shows it
    one = matched(leaks.from_file(io.StringIO("first-opaque\nsecond-opaque\n")), sha256("first-opaque"))
    assert (one.looked_for, one.unmatched, one.lines) == (1, 0, 1)
    assert one.occurrences["kind"].tolist() == ["unknown"]
    masked = matched(leaks.from_values([VALUE, "dapi0123****************"]), sha256(VALUE))
    assert masked.headline() == "1 of 1 value matched a token here, 1 finding cannot be compared"
    assert masked.not_comparable["problem"].tolist() == ["redacted"]


def test_the_rows_in_short_are_those_that_decide_and_the_closing_line_is_a_sentence():
    found = matched(leaks.from_values([VALUE]), sha256(VALUE))
    in_short = found.in_short()
    assert in_short.title == "Leaks on test"
    (table,) = in_short.tables
    assert [*table.rows] == ["token", "last used (UTC)", "locations"]
    assert in_short.closing == ("1 of 1 value matched a token here.",)
    assert matched(leaks.from_values([])).in_short().tables == ()
    assert matched(leaks.from_values([])).in_short().closing == ("No value found.",)


@pytest.mark.parametrize(("count", "more"), [(1, 0), (21, 0), (22, 2)])
def test_places_of_unmatched_values_in_short_are_twenty_or_the_number_of_the_others(count, more):
    values = [f"dapi{number:032x}" for number in range(count)]
    _, *places, _ = matched(leaks.from_values(values)).in_short().closing
    assert len(places) == (20 + 1 if more else count)
    assert (places[-1] == f"… and {more} more") is bool(more)


def test_a_leak_is_revoked_with_a_reason_unless_another_is_given():
    plan = leaks.matched(leaks.from_values(VALUE), listing(), name="t", plan=lambda _, **settings: settings)
    assert plan.revoke() == {"reason": "leaked"}
    assert plan.revoke(reason="x", include_own=True) == {"reason": "x", "include_own": True}


def test_values_a_file_and_a_report_are_read_one_at_a_time_and_else_are_asked_for():
    text, report = (lambda: io.StringIO(f"a {VALUE}"), lambda: io.StringIO(json.dumps([gitleaks(VALUE)])))
    ask = iter([VALUE, ""]).__next__

    def seen(values=None, file=None, report=None):
        found = leaks.report.seen(values, file=file, report=report, ask=lambda _: ask())
        return None if found is None else found["location"].iloc[0]

    assert seen([VALUE]) == "value 1"
    assert seen(file=text()) == "the input:1"
    assert seen(report=report()) == "conf/app.py:12"
    assert seen([], text()) is seen([], None, report()) is seen(None, text(), report()) is None
    assert seen() == "value 1"


@pytest.mark.parametrize("given", [b"dapi", 7, None, str])
def test_what_is_no_list_of_values_is_an_error(given):
    with pytest.raises(errors.UsageError, match=r"^Expected a value, or a list of values\.$"):
        leaks.from_values(given)


def test_a_source_has_a_name_and_what_has_none_is_an_error(tmp_path):
    named = io.StringIO(VALUE)
    named.name = "job.log"
    assert leaks.from_file(named)["location"].iloc[0] == "job.log:1"
    for given in (7, b"r", None):
        with pytest.raises(
            errors.UsageError, match=r"^Expected the path of a file, as a string or a path object, or an"
        ):
            leaks.from_file(given)
    for given in ("a\0b", "~nobody-has-this-name/r"):
        with pytest.raises(errors.UsageError, match=r"^Cannot read .*: not a valid file name\.$"):
            leaks.from_file(given)
    (tmp_path / "r").write_text(f"t={VALUE}")
    assert leaks.from_file(tmp_path / "r")["location"].iloc[0] == f"{tmp_path / 'r'}:1"


def test_results_hold_no_value():
    occurrences = leaks.from_values([VALUE, OTHER])
    found = matched(occurrences, sha256(VALUE))
    kept = occurrences.to_csv() + "".join(str(value) + repr(value) for value in vars(found).values())
    kept += found.tokens.to_csv() + found.occurrences.to_csv() + found._repr_html_() + repr(found)
    assert DIGITS not in kept
    assert DIGITS[::-1] not in kept


def test_the_html_of_leaks_escapes_free_text():
    tokens = listing(sha256(VALUE)).assign(owner="<script>alert(1)</script>")
    assert "<script>" not in leaks.matched(leaks.from_values(VALUE), tokens, name="<b>")._repr_html_()


def test_leaks_in_html_have_twenty_tokens_then_the_locations_of_the_other_values():
    values = [f"dapi{number:032x}" for number in range(50)]
    found = matched(leaks.from_values(values), *map(sha256, values[:23]))
    page = found._repr_html_()
    assert texts(page, "b") == ["Leaks on test"]
    assert texts(page, "th") == ["token", "last used (UTC)", "locations"]
    assert len(texts(page, "tr")) == 1 + 20
    title, more, heading, *values, others, closing = texts(page, "p")
    assert (title, more, others) == ("Leaks on test", "… and 3 more", "… and 7 more")
    assert heading == found.notes()[0][0]
    assert values == [f"- value {number}" for number in range(24, 44)]
    assert closing.startswith("23 of 50 values matched a token here")


def test_leaked_tokens_can_be_planned_for_revocation_only_on_a_workspace():
    requested = {}
    found = leaks.matched(
        leaks.from_values(VALUE),
        listing(sha256(VALUE)),
        name="test",
        plan=lambda tokens, **settings: requested.update(settings, tokens=tokens),
    )
    found.revoke(reason="in a repository", include_own=True)
    assert requested.pop("tokens")["token_id"].tolist() == [sha256(VALUE)]
    assert requested == {"reason": "in a repository", "include_own": True}
    with pytest.raises(errors.UsageError, match="saved listing"):
        matched(leaks.from_values(VALUE)).revoke()
