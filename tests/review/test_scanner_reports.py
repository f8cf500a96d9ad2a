"""Real and generated reports: every value is found at its location."""

import base64
import bz2
import gzip
import html
import io
import json
import lzma
import zipfile
from pathlib import Path

import pytest

from tests.review.test_leaks import DIGITS, OTHER, VALUE, gitleaks, matched, trufflehog
from tokenkit import errors
from tokenkit.review import leaks
from tokenkit.review.leaks.values import sha256

SAMPLES = Path(__file__).parent.parent / "samples" / "scanners"
COMMIT = "1f3870be274f6c49b3e31a0c6728957f1f3870be"
# Put together, so that no scanner takes this file for a leak.
FIRST, SECOND, THIRD = "dapi" + "a1b2c3d4" * 4, "dapi" + "0badcafe" * 4 + "-2", "dapi" + "5eed1234" * 4
OAUTH = "dose" + "feed4321" * 4
SAME = [
    (FIRST, "conf/job.py:12", COMMIT, None),
    (SECOND, "conf/run.py:3", "1f3870be", "https://git.example.com/acme/etl/blob/1f38/conf/run.py#L3"),
]
SLACK = "https://acme.slack.example/archives/C0000/p1"
ALERT = "https://github.example/acme/etl/security/secret-scanning"
# The values of each sample with their locations, commits and URLs; then those that cannot be compared.
FOUND = {
    "detect-secrets.baseline": ([], [("conf/job.py:12", "hashed")]),
    "ggshield-hidden.json": ([], [("conf/job.py:12", "redacted")]),
    "github-alerts.json": (
        [
            (FIRST, "conf/job.py:12", "f14d7deb", f"{ALERT}/41"),
            (SECOND, "conf/job.py:12", "f14d7deb", f"{ALERT}/43"),
        ],
        [],
    ),
    "gitleaks7.json": ([(FIRST, "conf/job.py:12", COMMIT, None)], []),
    "gitleaks8-no-leaks.json": ([], []),
    "gitleaks8-oauth-secret.json": ([(OAUTH, "conf/sp.ini:4", COMMIT, None)], []),
    "gitleaks8-one-ends-in-dots.json": ([(FIRST, "conf/job.py:12", COMMIT, None)], []),
    "gitleaks8-redact-20.json": ([], [("conf/job.py:12", "redacted")]),
    "gitleaks8.json": (
        [
            (FIRST, "conf/job.py:12", COMMIT, None),
            (SECOND, "C:\\repos\\etl\\run.ps1:3", None, None),
            (THIRD, "backup.zip!old/job.py:7", COMMIT, "https://git.example.com/etl/blob/1f38/backup.zip#L7"),
        ],
        [],
    ),
    "gitleaks8.sarif": ([(FIRST, "conf/job.py:12", "1f3870be", None)], []),
    "trufflehog2.jsonl": ([(FIRST, "conf/job.py:1", "1f3870be", None)], []),
    "trufflehog3-from-a-terminal.jsonl": (SAME, []),
    "trufflehog3-log-only.jsonl": ([], []),
    "trufflehog3-with-its-log.jsonl": (
        [*SAME, (THIRD, SLACK, None, SLACK), (FIRST, "/app/.databrickscfg:?", None, None)],
        [],
    ),
    "trufflehog3.jsonl": (
        [*SAME, (THIRD, SLACK, None, SLACK), (FIRST, "/app/.databrickscfg:?", None, None)],
        [],
    ),
}


def seen(frame):
    """Return the hash of each distinct value with its locations."""
    rows = (
        frame[["value", "location", "commit", "url"]].astype(object).where(frame.notna(), None).itertuples(index=False)
    )
    return list(dict.fromkeys(tuple(row) for row in rows if row[0]))


def hidden(frame):
    rows = frame.dropna(subset="problem")
    return list(zip(rows["location"], rows["problem"], strict=True))


def test_every_sample_has_a_case():
    assert set(FOUND) == {file.name for file in SAMPLES.iterdir()}


@pytest.mark.parametrize("read", [leaks.from_report, leaks.from_file])
@pytest.mark.parametrize(("name", "found"), FOUND.items(), ids=FOUND)
def test_a_report_is_read_as_it_is_found(name, found, read):
    values, problems = found
    frame = read(SAMPLES / name)
    assert seen(frame) == [(sha256(value), *where) for value, *where in values]
    assert hidden(frame) == problems


@pytest.mark.parametrize("read", [leaks.from_report, leaks.from_file])
def test_json_lines_may_be_a_sequence_with_a_record_separator_before_each(read):  # RFC 7464
    lines = (SAMPLES / "trufflehog3.jsonl").read_text().splitlines()
    plain, sequence = (read(io.StringIO("".join(f"{mark}{line}\n" for line in lines))) for mark in ("", "\x1e"))
    assert len(plain) > 0
    assert seen(sequence) == seen(plain)


def test_an_oauth_secret_is_named_as_such():
    found = matched(leaks.from_report(SAMPLES / "gitleaks8-oauth-secret.json"))
    assert found.occurrences["kind"].tolist() == ["oauth_secret"]
    ((heading, locations),) = found.notes()
    assert "an OAuth secret of a service principal (dose…), not a token" in heading
    assert locations == [f"conf/sp.ini:4 ({COMMIT})"]
    assert "OAuth secret" in found._repr_html_()


def test_findings_that_cannot_be_compared_are_not_an_all_clear():
    found = matched(leaks.from_report(SAMPLES / "detect-secrets.baseline"))
    assert found.looked_for == 0
    assert "1 finding cannot be compared" in repr(found)
    assert "not an all-clear" in found._repr_html_()
    assert found.notes()[0][1] == ["conf/job.py:12 (hashed)"]


def alert(value, **fields):
    """An alert as GitHub's API gives it."""
    return {
        "number": 1,
        "html_url": f"{ALERT}/1",
        "secret_type": "databricks_access_token",
        "secret": value,
        "repository": {"full_name": "acme/etl"},
    } | fields


def ggshield(match, **fields):
    incident = {"type": "apikey", "policy": "x", "occurrences": [{"match": match, "type": "apikey", "line_start": 3}]}
    file = {"filename": "a.py", "mode": "FILE", "incidents": [incident]}
    return {"id": "s", "type": "path_scan", "total_incidents": 1, "total_occurrences": 1} | {"results": [file]} | fields


def of_gitlab(value, **fields):
    found = {
        "category": "secret_detection",
        "location": {"file": "a.py", "start_line": 3, "commit": {"sha": "0000000"}},
    }
    found |= {"raw_source_code_extract": value, "identifiers": [{"type": "gitleaks_rule_id", "value": "x"}]} | fields
    return {"version": "15.0.7", "vulnerabilities": [found], "scan": {"type": "secret_detection"}}


def sarif(snippet, **fields):
    where = {
        "artifactLocation": {"uri": "a.py"},
        "region": {"startLine": 3} | ({"snippet": snippet} if snippet else {}),
    }
    result = {"ruleId": "x", "locations": [{"physicalLocation": where}], **fields}
    return {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "results": [result]}]}


AWS = "AKIA" + "Q3EGRFTX7KPMZ2WB"
COMPLETE = json.dumps(trufflehog(VALUE))
OF_AWS = trufflehog(AWS, DetectorName="AWS")
ALERT_OF_AWS = alert(AWS, secret_type="amazon_aws_access_key_id")
# Other forms of one finding, and its location.
WAYS = {
    "gh --paginate": (json.dumps([alert(VALUE)]) + json.dumps([ALERT_OF_AWS]) + "[]", f"{ALERT}/1"),
    "gh --slurp": (json.dumps([[alert(VALUE)], []]), f"{ALERT}/1"),
    "gh --jq": (json.dumps(ALERT_OF_AWS) + "\n" + json.dumps(alert(VALUE)), f"{ALERT}/1"),
    "one alert": (json.dumps(alert(VALUE)), f"{ALERT}/1"),
    "a webhook": (
        json.dumps({"alert": alert(VALUE), "location": {"details": {"path": "b.py", "start_line": 2}}}),
        "b.py:2",
    ),
    "an alert with its location": (
        json.dumps([alert(VALUE, locations=[{"type": "commit", "details": {"path": "b.py", "start_line": 2}}])]),
        "b.py:2",
    ),
    "an alert in a comment": (
        json.dumps([alert(VALUE, first_location_detected={"issue_comment_url": "https://api.x/comments/7"})]),
        "https://api.x/comments/7",
    ),
    "through jq": (json.dumps(trufflehog(VALUE), indent=2) + "\n" + json.dumps(OF_AWS, indent=2), None),
    "through jq -s": (json.dumps([trufflehog(VALUE)], indent=2), None),
    "through jq -C": (COMPLETE.replace(VALUE, f"\x1b[0;32m{VALUE}\x1b[0m"), None),
    "through jq --seq": (f"\x1e{COMPLETE}\n", None),
    "in the log of a pipeline": (f"2026-02-01T09:00:00.123Z {COMPLETE}\n2026-02-01T09:00:01Z INFO done\n", None),
    "in a container's log": (f"scanner-1  | {COMPLETE}\n", None),
    "with a log in words": (
        '2026-02-01T09:00:00Z\tinfo-0\ttrufflehog\trunning source\t{"id": 1}\n'
        f"{COMPLETE}\n2026-02-01T09:00:00Z\terror-0\ttrufflehog\tcould not clone\n",
        None,
    ),
    "with gitleaks' banner": (
        "    ○\n    │╲\n    │ ○\n    ○ ░\n    ░    gitleaks\n\n"
        + json.dumps([gitleaks(VALUE)])
        + "\n9:00AM INF scan completed in 3s\n9:00AM WRN leaks found: 1\n",
        None,
    ),
    "with gitleaks 7's log": (
        'time="2026-02-01T09:00:00Z" level=info msg="opening ."\n' + json.dumps([gitleaks(VALUE)]),
        None,
    ),
    "in a recorded terminal": (
        f"Script started on 2026-02-01\nann@host:~$ trufflehog git . --json\r\n{COMPLETE}\r\nann@host:~$ exit\r\n",
        None,
    ),
    "several reports": (json.dumps([gitleaks(VALUE)]) + "\n" + json.dumps(OF_AWS), None),
    "gitleaks 8 before 8.2": (
        json.dumps([{"RuleID": "x", "Secret": VALUE, "Context": "", "File": "b", "StartLine": 2}]),
        "b:2",
    ),
    "gitleaks 3": (json.dumps([{"line": f"t={VALUE}", "offender": "t", "reason": "x", "file": "b"}]), "b:?"),
    "gitleaks 7, SARIF": (json.dumps(sarif({"text": "t = REDACTED"}, properties={"offender": VALUE})), "a.py:3"),
    "SARIF, the line around it": (json.dumps(sarif({"text": f"token = '{VALUE}'"})), "a.py:3"),
    "gitleaks 7, CSV": (f"repo,line,commit,offender,leakURL,rule,file\nr,t={VALUE},,{VALUE},,x,b.py\n", "b.py:?"),
    "CSV through Excel": (f"RuleID;Commit;File;Secret;StartLine\r\nx;;b.py;{VALUE};2\r\n", "b.py:2"),
    "GitLab, the line around it": (json.dumps(of_gitlab(f"token = '{VALUE}'")), "a.py:3"),
    "GitLab, lines": (json.dumps(of_gitlab(["x\n", f"token = '{VALUE}'\n"])), "a.py:3"),
    "GitLab, one finding": (json.dumps(of_gitlab(VALUE)["vulnerabilities"]), "a.py:3"),
    "ggshield": (json.dumps(ggshield(VALUE)), "a.py:3"),
    "ggshield, a range of commits": (
        json.dumps({"total_incidents": 1, "total_occurrences": 1, "scans": [ggshield(VALUE, type="commit")]}),
        "a.py:3",
    ),
    "detect-secrets audit": (
        json.dumps(
            [{"secrets": VALUE, "filename": "a.py", "lines": {"3": "x"}, "types": [], "category": "UNVERIFIED"}]
        ),
        "a.py:3",
    ),
    "trufflehog3": (
        json.dumps(
            [{"secret": VALUE, "path": "a.py", "line": "3", "rule": {"id": "x"}, "context": {"3": f"t={VALUE}"}}]
        ),
        "a.py:3",
    ),
    "trufflehog3, in the line alone": (
        json.dumps([{"secret": "t", "path": "a.py", "line": "3", "rule": {"id": "x"}, "context": {"3": f"t={VALUE}"}}]),
        "a.py:3",
    ),
    "trufflehog 2, only the digits": (
        json.dumps({"path": "a.py", "stringsFound": [DIGITS], "diff": f"@@ -1 +3 @@\n-t\n+t = '{VALUE}'\n"}),
        "a.py:3",
    ),
    "trufflehog before 3.28": (json.dumps(trufflehog(base64.b64encode(VALUE.encode()).decode())), None),
}


@pytest.mark.parametrize("read", [leaks.from_report, leaks.from_file])
@pytest.mark.parametrize(("report", "location"), WAYS.values(), ids=WAYS)
def test_a_finding_is_found_whatever_it_came_through(report, location, read):
    assert [row[:2] for row in seen(read(io.StringIO(report)))] == [(sha256(VALUE), location or "conf/app.py:12")]


@pytest.mark.parametrize(("sha", "commit"), [("0000000", ""), ("a1b2c30", "a1b2c30")])
def test_a_scan_of_gitlab_without_history_names_no_commit(sha, commit):
    report = of_gitlab(VALUE, location={"file": "a.py", "start_line": 3, "commit": {"sha": sha}})
    found = matched(leaks.from_report(io.StringIO(json.dumps(report))), sha256(VALUE))
    assert found.occurrences["commit"].fillna("").tolist() == [commit]


VERBOSE = f"""Finding:     token = "{VALUE}"
Secret:      {VALUE}
RuleID:      databricks-api-token
Entropy:     3.500000
File:        a.py
Line:        3
Commit:      {COMMIT}
Fingerprint: {COMMIT}:a.py:databricks-api-token:3
"""
FOR_PEOPLE = f"""Found unverified result 🐷🔑❓
Detector Type: DatabricksToken
Decoder Type: PLAIN
Raw result: {VALUE}
Commit: {COMMIT}
Email: Ann <ann@example.com>
File: a.py
Line: 3
Repository: https://git.example.com/acme/etl
Timestamp: 2026-01-01 00:00:00 +0000
"""
BANNER = "    ○\n    │╲\n    │ ○\n    ○ ░\n    ░    gitleaks\n\n"
STAMP = "2026-02-01T09:00:00.1234567Z "
IN_BASE64 = base64.b64encode(f"token:{VALUE}".encode()).decode()


def junit(*found):
    failures = "".join(f"<testcase><failure>{html.escape(json.dumps(each))}</failure></testcase>" for each in found)
    return f'<?xml version="1.0"?>\n<testsuites>\n<testsuite name="gitleaks">\n{failures}</testsuite>\n</testsuites>\n'


def at(line=3, **region):
    return {"physicalLocation": {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": line, **region}}}


# What other options, versions and wrappers of the same tools make of one finding, all of a.py, line 3.
IN_THE_FIELD = {
    "gitleaks -v": f"{BANNER}{VERBOSE}\n9:00AM INF 1 commits scanned.\n9:00AM WRN leaks found: 1\n",
    "gitleaks -v, in the log of a pipeline": "".join(f"{STAMP}{line}\n" for line in f"{VERBOSE}\n".split("\n")),
    "gitleaks -v, by gh run view --log": "".join(f"scan\tRun it\t{STAMP}{line}\n" for line in VERBOSE.split("\n")),
    "gitleaks, JUnit": junit(gitleaks(VALUE, File="a.py", StartLine=3), gitleaks(AWS, RuleID="aws", Match=AWS)),
    "gitleaks, by repository": json.dumps({"etl": [gitleaks(VALUE, File="a.py", StartLine=3)], "docs": []}),
    "gitleaks, CSV that Excel saved": f"sep=;\r\nRuleID;File;Secret;StartLine\r\nx;a.py;{VALUE};3\r\n",
    "gitleaks, a value in Base64": json.dumps([gitleaks(IN_BASE64, RuleID="generic", File="a.py", StartLine=3)]),
    "trufflehog, for people": f"🐷🔑🐷  TruffleHog. Unearth your secrets. 🐷🔑🐷\n\n{FOR_PEOPLE}\n",
    "trufflehog, wrapped": json.dumps({"results": [trufflehog(VALUE, {"Git": {"file": "a.py", "line": 3}})]}),
    "trufflehog, only in the extra data": json.dumps(
        trufflehog("", {"Git": {"file": "a.py", "line": 3}}, ExtraData={"token": VALUE})
    ),
    "GitHub, GraphQL": json.dumps(
        {"data": {"alerts": [alert(VALUE, first_location_detected={"path": "a.py", "start_line": 3})]}}
    ),
    "GitLab's API": json.dumps(
        [
            {
                "report_type": "secret_detection",
                "location": {"file": "a.py", "start_line": 3},
                "raw_metadata": json.dumps({"raw_source_code_extract": VALUE}),
            }
        ]
    ),
    "ggshield, a removed line": json.dumps(
        {
            "entities_with_incidents": [
                {"filename": "a.py", "incidents": [{"occurrences": [{"match": VALUE, "pre_line_start": 3}]}]}
            ]
        }
    ),
    "detect-secrets audit, wrapped": json.dumps(
        {"results": [{"secrets": VALUE, "filename": "a.py", "lines": {"3": "x"}, "types": []}]}
    ),
    "detect-secrets audit, a list": json.dumps([{"secrets": [VALUE], "filename": "a.py", "lines": {"3": "x"}}]),
    "SARIF, in the message": json.dumps(sarif(None, message={"text": f"found {VALUE}"})),
    "SARIF, in a property": json.dumps(sarif(None, properties={"match": VALUE})),
    "SARIF, at a related location alone": json.dumps(
        sarif(None, locations=[], relatedLocations=[at(snippet={"text": VALUE})])
    ),
    "SARIF, a file by its number": json.dumps(
        {
            "version": "2.1.0",
            "runs": [
                {
                    "artifacts": [{"location": {"uri": "a.py"}}],
                    "results": [
                        {
                            "locations": [
                                {
                                    "physicalLocation": {
                                        "artifactLocation": {"index": 0},
                                        "region": {"startLine": 3, "snippet": {"text": VALUE}},
                                    }
                                }
                            ]
                        }
                    ],
                }
            ],
        }
    ),
}


@pytest.mark.parametrize("read", [leaks.from_report, leaks.from_file])
@pytest.mark.parametrize("report", IN_THE_FIELD.values(), ids=IN_THE_FIELD)
def test_a_finding_is_found_in_every_form_that_its_tool_writes(report, read):
    frame = read(io.StringIO(report))
    assert [row[:2] for row in seen(frame)] == [(sha256(VALUE), "a.py:3")]
    assert hidden(frame) == []


# Other tools, whose findings have a file and a line as well.
FOREIGN = {
    "whispers": {"key": "token", "value": VALUE, "line": 3, "file": "a.py", "rule_id": "apikey"},
    "noseyparker": {
        "match_content": VALUE,
        "matches": [
            {
                "location": {"source_span": {"start": {"line": 3, "column": 9}, "end": {"line": 3, "column": 45}}},
                "provenance": [{"kind": "file", "path": "a.py"}],
                "snippet": {"before": "t = ", "matching": VALUE, "after": "\n"},
            }
        ],
    },
    "kingfisher": {"findings": [{"rule": {"id": "x"}, "finding": {"snippet": VALUE, "line": 3, "path": "a.py"}}]},
    "semgrep": {"results": [{"path": "a.py", "start": {"line": 3, "col": 1}, "extra": {"lines": f"t = '{VALUE}'"}}]},
    "names that somebody chose": {"rule": "databricks", "file": "a.py", "line": 3, "secret": VALUE},
}


@pytest.mark.parametrize("report", FOREIGN.values(), ids=FOREIGN)
def test_json_of_another_tool_is_searched_as_a_file_and_each_value_has_its_place(report):
    assert [row[:2] for row in seen(leaks.from_file(io.StringIO(json.dumps([report], indent=1))))] == [
        (sha256(VALUE), "a.py:3")
    ]
    with pytest.raises(errors.UsageError, match="Use --file to search any text"):  # it might have hashes
        leaks.from_report(io.StringIO(json.dumps([report])))


def test_each_finding_of_another_tool_has_its_own_place_and_a_masked_one_is_no_all_clear():
    found = [{"file": "a.py", "line": 3, "value": VALUE}, {"file": "b.py", "line": 7, "value": "dapi0123…"}]
    frame = leaks.from_file(io.StringIO(json.dumps({"findings": found})))
    assert [row[:2] for row in seen(frame)] == [(sha256(VALUE), "a.py:3")]
    assert hidden(frame) == [("b.py:7", "redacted")]


@pytest.mark.parametrize(
    "found", [{"token": VALUE}, {"file": "a.py", "token": VALUE}, {"a": [{"line": 3}], "b": VALUE}]
)
def test_json_that_is_no_finding_is_searched_as_text(found):
    frame = leaks.from_file(io.StringIO(json.dumps(found, indent=1)))
    line = next(number for number, text in enumerate(json.dumps(found, indent=1).split("\n"), 1) if VALUE in text)
    assert [row[:2] for row in seen(frame)] == [(sha256(VALUE), f"the input:{line}")]


def test_a_wrapper_with_a_value_outside_of_its_findings_is_not_taken_for_a_report():
    report = json.dumps({"findings": [gitleaks(VALUE)], "ignored": [{"secret": OTHER}]})
    with pytest.raises(errors.UsageError, match="not a report"):
        leaks.from_report(io.StringIO(report))
    assert {row[0] for row in seen(leaks.from_file(io.StringIO(report)))} == {sha256(VALUE), sha256(OTHER)}


def test_a_masked_secret_and_a_value_beside_it_are_both_reported():
    frame = leaks.from_report(io.StringIO(json.dumps([gitleaks("REDACTED", Match="x", Message=f"drop {VALUE}")])))
    assert [row[0] for row in seen(frame)] == [sha256(VALUE)]
    assert [problem for _, problem in hidden(frame)] == ["redacted"]


def test_a_secret_of_several_lines_is_read_to_its_end():
    text = VERBOSE.replace(f"Secret:      {VALUE}", f"Secret:      first line\nsecond line {VALUE}")
    found = leaks.from_report(io.StringIO(text))
    assert set(found["token_id"].dropna()) >= {sha256(VALUE)}
    assert found["location"].unique().tolist() == ["a.py:3"]


def test_lines_for_people_that_are_no_finding_are_an_error_beside_findings():
    for read in (leaks.from_report, leaks.from_file):
        with pytest.raises(errors.UsageError, match="Line 11 is neither a finding"):
            read(io.StringIO(f"{VERBOSE}\n\nFinding: {OTHER}\n\n"))


NOT_SCANNED = {
    "GitLab": (of_gitlab(VALUE) | {"scan": {"type": "secret_detection", "status": "failure"}}, "the scan failed"),
    "SARIF": (
        {"version": "2.1.0", "runs": [{"results": [], "invocations": [{"executionSuccessful": False}]}]},
        "the scan failed",
    ),
    "ggshield": (
        ggshield(VALUE, errors=[{"files": [{"mode": "FILE", "filename": "big.bin"}], "description": "too big"}]),
        "big.bin",
    ),
}


@pytest.mark.parametrize(("report", "location"), NOT_SCANNED.values(), ids=NOT_SCANNED)
def test_what_the_scanner_failed_to_scan_is_not_an_all_clear(report, location):
    found = matched(leaks.from_report(io.StringIO(json.dumps(report))))
    assert found.not_comparable[["location", "problem"]].to_numpy().tolist() == [[location, "not_scanned"]]
    assert "The scanner reports that it failed here. It is not an all-clear" in repr(found.in_short())


def zipped(content):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("report.json", content)
    return packed.getvalue()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zipped])
def test_a_compressed_report_is_an_error_and_no_all_clear(pack):
    for read in (leaks.from_report, leaks.from_file):
        with pytest.raises(errors.UsageError, match="it is compressed"):
            read(io.BytesIO(pack(json.dumps([gitleaks(VALUE)]).encode())))


@pytest.mark.parametrize("before", range(4))
def test_a_value_in_base64_is_found_wherever_it_begins(before):
    plain = f"{'x' * before}{VALUE}:x".encode()
    for encoded in (base64.b64encode(plain).decode(), base64.urlsafe_b64encode(plain).decode().rstrip("=")):
        frame = leaks.from_file(io.StringIO(f"x\nAuthorization: Basic {encoded}\n"))
        assert [row[:2] for row in seen(frame)] == [(sha256(VALUE), "the input:2")]


OPAQUE = "some-other-form"
BY_RULE = {
    "gitleaks": lambda rule: [gitleaks(OPAQUE, RuleID=rule, Match=OPAQUE)],
    "trufflehog": lambda rule: trufflehog(OPAQUE, DetectorName=rule),
    "SARIF": lambda rule: sarif({"text": OPAQUE}, ruleId=rule),
    "SARIF, the rule's number": lambda rule: {
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"rules": [{"id": rule}]}},
                "results": [{"ruleIndex": 0, "locations": [at(snippet={"text": OPAQUE})]}],
            }
        ],
    },
    "SARIF, the rule itself": lambda rule: sarif({"text": OPAQUE}, ruleId=None, rule={"id": rule}),
    "GitHub": lambda rule: [alert(OPAQUE, secret_type=rule)],
    "GitLab": lambda rule: of_gitlab(OPAQUE, identifiers=[{"type": "gitleaks_rule_id", "value": rule}]),
}


@pytest.mark.parametrize("report", BY_RULE.values(), ids=BY_RULE)
def test_a_value_of_an_unknown_form_is_compared_if_a_rule_about_databricks_found_it(report):
    found = matched(leaks.from_report(io.StringIO(json.dumps(report("DATABRICKS_api_token")))), sha256(OPAQUE))
    assert found.tokens["token_id"].tolist() == [sha256(OPAQUE)]
    other = matched(leaks.from_report(io.StringIO(json.dumps(report("generic-api-key")))), sha256(OPAQUE))
    assert (other.looked_for, len(other.not_comparable)) == (0, 0)


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"properties": {"commit": COMMIT, "repo": "acme/etl"}}, [COMMIT, None, "acme/etl"]),
        ({"partialFingerprints": {"commitSha": COMMIT}}, [COMMIT, None, None]),
        ({"hostedViewerUri": "https://x.example/1"}, [None, "https://x.example/1", None]),
    ],
)
def test_a_result_of_sarif_has_its_commit_its_page_and_its_repository(fields, where):
    found = matched(leaks.from_report(io.StringIO(json.dumps(sarif({"text": VALUE}, **fields)))))
    rows = found.occurrences[["commit", "url", "source"]].astype(object)
    assert rows.where(rows.notna(), None).to_numpy().tolist() == [where]


def test_a_run_of_sarif_says_which_commit_and_repository_it_scanned():
    report = sarif({"text": VALUE})
    report["runs"][0]["versionControlProvenance"] = [{"revisionId": COMMIT, "repositoryUri": "https://x.example/etl"}]
    found = matched(leaks.from_report(io.StringIO(json.dumps(report))))
    assert found.occurrences[["commit", "source"]].to_numpy().tolist() == [[COMMIT, "https://x.example/etl"]]


HIDDEN = {
    "gitleaks --redact": [gitleaks("REDACTED", Match='token = "REDACTED"', RuleID="generic-api-key")],
    "gitleaks --redact=99": [gitleaks("...", Match='token = "..."')],
    "gitleaks 8.0": [gitleaks("REDACT", Match="REDACTED")],
    "gitleaks 7 --redact": [{"offender": "REDACTED", "line": "t = REDACTED", "rule": "Databricks", "file": "a"}],
    "gitleaks, SARIF": sarif({"text": "REDACTED"}),
    "SARIF of trufflehog, which has no values": sarif(None),
    "GitHub's hide_secret": [{name: value for name, value in alert("").items() if name != "secret"}],
    "ggshield": ggshield("dapi0**************************cdef"),
    "semgrep without a sign-in": sarif({"text": "requires login"}),
    "ggshield, a short beginning": ggshield("dap*********************************"),
    "GitLab without the line": of_gitlab(None),
    "trufflehog without Raw": trufflehog(""),
    "stars": [gitleaks("********")],
    "dots": [gitleaks("dapi0123…")],
}
WITHOUT_A_VALUE = {
    "GitHub's hide_secret",
    "GitLab without the line",
    "trufflehog without Raw",
    "SARIF of trufflehog, which has no values",
}


@pytest.mark.parametrize("case", HIDDEN)
def test_a_value_that_is_masked_or_missing_is_reported_as_such(case):
    found = matched(leaks.from_report(io.StringIO(json.dumps(HIDDEN[case]))))
    assert found.looked_for == 0
    assert found.not_comparable["problem"].tolist() == ["missing" if case in WITHOUT_A_VALUE else "redacted"]


@pytest.mark.parametrize("secret", [AWS, "AKIA************WB", "ghp_012345...", "xk-placeholder...", "just-a-word"])
def test_a_secret_of_another_kind_is_passed_over_hidden_or_not(secret):
    report = [
        gitleaks(secret, RuleID="generic-api-key", Match=secret),
        alert(secret, secret_type="x"),
        ggshield(secret),
    ]
    found = matched(leaks.from_report(io.StringIO(json.dumps(report))))
    assert (found.looked_for, len(found.not_comparable)) == (0, 0)


def test_a_baseline_that_was_cut_to_its_results_has_hashes():
    report = {"results": {"a.py": [{"type": "Hex", "hashed_secret": "a" * 40, "line_number": 3}]}}
    for read in (leaks.from_report, leaks.from_file):
        assert hidden(read(io.StringIO(json.dumps(report)))) == [("a.py:3", "hashed")]


@pytest.mark.parametrize(
    "line", ["dap****************4", "token: dapi0123****cdef", "DATABRICKS_TOKEN=dapi0123...", "dapiXXXXXXXXXXXX"]
)
def test_a_masked_value_in_a_text_is_reported_as_redacted(line):
    assert hidden(leaks.from_file(io.StringIO(f"x y\n{line}\n"))) == [("the input:2", "redacted")]
    assert hidden(leaks.from_file(io.StringIO("values begin with dapi... or dose…, as in dapi-cli\n"))) == []


def test_the_log_of_an_application_is_searched_like_any_text():
    log = json.dumps({"level": "info", "msg": f"calling with {VALUE}"})
    assert [row[:2] for row in seen(leaks.from_file(io.StringIO(log)))] == [(sha256(VALUE), "the input:1")]
    for report in (log, f"{COMPLETE}\n{log}"):
        with pytest.raises(errors.UsageError, match=r"not a finding|not a report"):
            leaks.from_report(io.StringIO(report))
    assert len(leaks.from_file(io.StringIO('{"level":"info","msg":"x"}\n'))) == 0


@pytest.mark.parametrize("key", ["msg", "message"])
def test_lines_of_a_log_beside_findings_are_no_findings(key):
    line = json.dumps({"level": "info", key: "scanned 3 files"})
    found = seen(leaks.from_report(io.StringIO(f"{line}\n{COMPLETE}\n{line}")))
    assert [row[0] for row in found] == [sha256(VALUE)]


def test_a_log_without_the_findings_that_it_counts_is_not_an_all_clear():
    line = json.dumps({"level": "info-0", "msg": "finished scanning", "verified_secrets": 0, "unverified_secrets": 3})
    for read in (leaks.from_report, leaks.from_file):
        with pytest.raises(errors.UsageError, match="The log counts 3 secrets"):
            read(io.StringIO(line))
    assert len(seen(leaks.from_report(io.StringIO(f"{COMPLETE}\n{line}")))) == 1


@pytest.mark.parametrize("first", ["garbage", COMPLETE[:80], COMPLETE[9:], '{"a": ['])
def test_a_report_with_a_damaged_beginning_is_recognized_and_rejected(first):
    for read in (leaks.from_report, leaks.from_file):  # as a text, its values would be at the report's own lines
        with pytest.raises(errors.UsageError, match="Line 1 is") as caught:
            read(io.StringIO(f"{first}\n{COMPLETE}\n"))
        assert "not a report" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "[]",
        "[ ]\r\n",
        "null",
        "[][]",
        "RuleID,Commit,File,Secret\n",
        '{"version": "2.1.0", "runs": [{"results": null}]}',
    ],
)
def test_an_empty_report_finds_nothing(text):
    for read in (leaks.from_report, leaks.from_file):
        assert len(read(io.StringIO(text))) == 0


def test_credentials_in_an_address_are_not_kept():
    where = {"file": "a", "repository": f"https://ann:{VALUE}@x/y.git", "link": "https://oauth2:hunter2@x/y"}
    frame = leaks.from_report(io.StringIO(json.dumps(trufflehog(OTHER, {"Gitlab": where}))))
    assert set(frame["source"]) == {"https://x/y.git"}
    assert set(frame["url"]) == {"https://x/y"}
