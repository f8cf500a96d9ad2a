"""Reports as they are found in the field, and generated ones: every value is found, each at its place."""

import base64
import csv
import io
import json
import traceback
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.review.test_leaks import DIGITS, OTHER, VALUE, gitleaks, matched, trufflehog
from tokenkit import errors
from tokenkit.redaction import redact
from tokenkit.review import leaks
from tokenkit.review.leaks.values import kind_of, sha256

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
# The values of each sample with their places, commits and URLs; then what cannot be compared.
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
    """The values of a reading, hashed, with where they were seen; of each once, whatever its readings."""
    rows = frame[["value", "place", "commit", "url"]].astype(object).where(frame.notna(), None).itertuples(index=False)
    return list(dict.fromkeys(tuple(row) for row in rows if row[0]))


def hidden(frame):
    rows = frame.dropna(subset="problem")
    return list(zip(rows["place"], rows["problem"], strict=True))


def test_every_sample_stands_in_the_cases():
    assert set(FOUND) == {file.name for file in SAMPLES.iterdir()}


@pytest.mark.parametrize("read", [leaks.from_report, leaks.from_file])
@pytest.mark.parametrize(("name", "found"), FOUND.items(), ids=FOUND)
def test_a_report_is_read_as_it_is_found(name, found, read):
    values, problems = found
    frame = read(SAMPLES / name)
    assert seen(frame) == [(sha256(value), *where) for value, *where in values]
    assert hidden(frame) == problems


def test_an_oauth_secret_is_named_as_such():
    found = matched(leaks.from_report(SAMPLES / "gitleaks8-oauth-secret.json"))
    assert found.sightings["kind"].tolist() == ["oauth_secret"]
    ((heading, locations),) = found.notes()
    assert "an OAuth secret of a service principal (dose…), not a token" in heading
    assert locations == [f"conf/sp.ini:4 ({COMMIT})"]
    assert "OAuth secret" in found._repr_html_()


def test_what_cannot_be_compared_is_no_all_clear():
    found = matched(leaks.from_report(SAMPLES / "detect-secrets.baseline"))
    assert found.looked_for == 0
    assert "1 that cannot be compared" in repr(found)
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
# Other ways through which one finding comes, and its place.
WAYS = {
    "gh --paginate": (json.dumps([alert(VALUE)]) + json.dumps([ALERT_OF_AWS]) + "[]", f"{ALERT}/1"),
    "gh --slurp": (json.dumps([[alert(VALUE)], []]), f"{ALERT}/1"),
    "gh --jq": (json.dumps(ALERT_OF_AWS) + "\n" + json.dumps(alert(VALUE)), f"{ALERT}/1"),
    "one alert": (json.dumps(alert(VALUE)), f"{ALERT}/1"),
    "a webhook": (
        json.dumps({"alert": alert(VALUE), "location": {"details": {"path": "b.py", "start_line": 2}}}),
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
    "trufflehog 2, only the digits": (
        json.dumps({"path": "a.py", "stringsFound": [DIGITS], "diff": f"@@ -1 +3 @@\n-t\n+t = '{VALUE}'\n"}),
        "a.py:3",
    ),
    "trufflehog before 3.28": (json.dumps(trufflehog(base64.b64encode(VALUE.encode()).decode())), None),
}


@pytest.mark.parametrize("read", [leaks.from_report, leaks.from_file])
@pytest.mark.parametrize(("report", "place"), WAYS.values(), ids=WAYS)
def test_a_finding_is_found_whatever_it_came_through(report, place, read):
    assert [row[:2] for row in seen(read(io.StringIO(report)))] == [(sha256(VALUE), place or "conf/app.py:12")]


HIDDEN = {
    "gitleaks --redact": [gitleaks("REDACTED", Match='token = "REDACTED"', RuleID="generic-api-key")],
    "gitleaks --redact=99": [gitleaks("...", Match='token = "..."')],
    "gitleaks 8.0": [gitleaks("REDACT", Match="REDACTED")],
    "gitleaks 7 --redact": [{"offender": "REDACTED", "line": "t = REDACTED", "rule": "Databricks", "file": "a"}],
    "gitleaks, SARIF": sarif({"text": "REDACTED"}),
    "SARIF of trufflehog, which has no values": sarif(None),
    "GitHub's hide_secret": [{name: value for name, value in alert("").items() if name != "secret"}],
    "ggshield": ggshield("dapi0**************************cdef"),
    "ggshield, a short beginning": ggshield("dap*********************************"),
    "GitLab without the line": of_gitlab(None),
    "trufflehog without Raw": trufflehog(""),
    "stars": [gitleaks("********")],
    "dots": [gitleaks("dapi0123…")],
}


@pytest.mark.parametrize("report", HIDDEN.values(), ids=HIDDEN)
def test_what_is_hidden_is_said_to_be(report):
    found = matched(leaks.from_report(io.StringIO(json.dumps(report))))
    assert found.looked_for == 0
    assert len(found.not_comparable) == 1


@pytest.mark.parametrize("secret", [AWS, "AKIA************WB", "ghp_012345...", "xk-placeholder...", "just-a-word"])
def test_a_secret_of_another_kind_is_passed_over_hidden_or_not(secret):
    report = [
        gitleaks(secret, RuleID="generic-api-key", Match=secret),
        alert(secret, secret_type="x"),
        ggshield(secret),
    ]
    found = matched(leaks.from_report(io.StringIO(json.dumps(report))))
    assert (found.looked_for, len(found.not_comparable)) == (0, 0)


@pytest.mark.parametrize("line", ["token: dapi0123****cdef", "DATABRICKS_TOKEN=dapi0123...", "dapiXXXXXXXXXXXX"])
def test_a_masked_value_in_a_text_is_said_to_be(line):
    assert hidden(leaks.from_file(io.StringIO(f"x y\n{line}\n"))) == [("the input:2", "redacted")]
    assert hidden(leaks.from_file(io.StringIO("values begin with dapi... or dose…, as in dapi-cli\n"))) == []


def test_the_log_of_an_application_is_searched_like_any_text():
    log = json.dumps({"level": "info", "msg": f"calling with {VALUE}"})
    assert [row[:2] for row in seen(leaks.from_file(io.StringIO(log)))] == [(sha256(VALUE), "the input:1")]
    for report in (log, f"{COMPLETE}\n{log}"):
        with pytest.raises(errors.UsageError, match=r"not a finding|not a report"):
            leaks.from_report(io.StringIO(report))
    assert len(leaks.from_file(io.StringIO('{"level":"info","msg":"x"}\n'))) == 0


def test_a_log_without_the_findings_that_it_counts_is_no_all_clear():
    line = json.dumps({"level": "info-0", "msg": "finished scanning", "verified_secrets": 0, "unverified_secrets": 3})
    for read in (leaks.from_report, leaks.from_file):
        with pytest.raises(errors.UsageError, match="The log counts 3 secrets"):
            read(io.StringIO(line))
    assert len(seen(leaks.from_report(io.StringIO(f"{COMPLETE}\n{line}")))) == 1


@pytest.mark.parametrize("first", ["garbage", COMPLETE[:80], COMPLETE[9:], '{"a": ['])
def test_a_report_with_a_damaged_beginning_is_recognised_and_refused(first):
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


# A place as scanners write it: nothing that redaction would change, nor what no file system takes.
PLACES = st.tuples(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\x00"), max_size=8
    )
    .map(lambda name: f"src/{name}x.py")
    .filter(lambda name: redact(name) == name),
    st.integers(1, 10_000),
    st.text("0123456789abcdef", min_size=7, max_size=40).filter(lambda sha: sha.strip("0")),
)
VALUES = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["dapi", "dapi", "dose", "dkea"]),
        st.text("0123456789abcdef", min_size=32, max_size=32),
        st.sampled_from(["", "", "-2", "-13"]),
    ),
)
OCCURRENCES = st.lists(
    st.tuples(VALUES, PLACES), max_size=6, unique_by=(lambda each: each[0], lambda each: each[1][:2])
)


def findings(make, *, extra=None):
    """Return what a scanner writes of some occurrences, with a finding of another kind between them."""

    def made(occurrences):
        return [each for value, where in occurrences for each in (make(value, *where), *([extra] if extra else []))]

    return made


def git(value, file, line, commit):
    return trufflehog(value, {"Git": {"commit": commit, "file": file, "line": line}})


def of_8(value, file, line, commit):
    return gitleaks(value, File=file, StartLine=line, Commit=commit)


def of_7(value, file, line, commit):
    return {
        "line": f"x = '{value}'",
        "lineNumber": line,
        "offender": value,
        "commit": commit,
        "rule": "x",
        "file": file,
    }


def of_2(value, file, line, commit):
    diff = f"@@ -{line + 5},2 +{line},3 @@ def x\n-old\n+t='{value}'\n"
    return {
        "path": file,
        "commitHash": commit,
        "stringsFound": [f"t='{value}'"],
        "diff": diff,
        "reason": "High Entropy",
    }


def of_github(value, file, line, commit):
    return alert(value, first_location_detected={"path": file, "start_line": line, "commit_sha": commit})


def gitlab_of(occurrences):
    found = [
        {
            "category": "secret_detection",
            "raw_source_code_extract": value,
            "location": {"file": file, "start_line": line, "commit": {"sha": commit}},
        }
        for value, (file, line, commit) in occurrences
    ]
    return [{"version": "15.0.7", "scan": {"type": "secret_detection"}, "vulnerabilities": found}]


def ggshield_of(occurrences):
    scans = [
        {
            "id": commit,
            "type": "commit",
            "total_incidents": 1,
            "total_occurrences": 1,
            "entities_with_incidents": [
                {"filename": file, "incidents": [{"occurrences": [{"match": value, "line_start": line}]}]}
            ],
        }
        for value, (file, line, commit) in occurrences
    ]
    return [{"type": "commit_range", "total_incidents": 0, "total_occurrences": 0, "scans": scans}]


def sarif_of(occurrences):
    results = [
        {
            "ruleId": "x",
            "partialFingerprints": {"commitSha": commit},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": file},
                        "region": {"startLine": line, "snippet": {"text": value}},
                    }
                }
            ],
        }
        for value, (file, line, commit) in occurrences
    ]
    return [{"version": "2.1.0", "$schema": "x", "runs": [{"results": results}]}]


LOG = {"level": "info-0", "msg": "running source"}
JSON_KINDS = {
    "gitleaks 8": findings(of_8, extra=gitleaks(AWS, RuleID="aws", Match=AWS)),
    "gitleaks 7": findings(of_7, extra=of_7(AWS, "x", 1, "a")),
    "trufflehog 3": findings(git, extra=LOG),
    "trufflehog 2": findings(of_2, extra=of_2(AWS, "x", 1, "a")),
    "GitHub": findings(of_github, extra=of_github(AWS, "x", 1, "a") | {"secret_type": "aws"}),
    "GitLab": gitlab_of,
    "ggshield": ggshield_of,
    "SARIF": sarif_of,
}
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
LINE_ENDS = st.sampled_from(["\n", "\r\n"])
READ = st.sampled_from([leaks.from_report, leaks.from_file])
AROUND = st.sampled_from(["array", "lines", "pages", "pretty", "nested"])


def shuffled(found, order):
    """The same objects with their keys in another order, at every depth."""
    if isinstance(found, dict):
        keys = order.sample([*found], len(found))
        return {key: shuffled(found[key], order) for key in keys}
    return [shuffled(each, order) for each in found] if isinstance(found, list) else found


def written(objects, around, *, ascii_only, line_end):
    """The objects as JSON, in one of the ways that tools and pipes put them."""
    text = {
        "array": lambda: json.dumps(objects, ensure_ascii=ascii_only, indent=1),
        "lines": lambda: "\n".join(json.dumps(each, ensure_ascii=ascii_only) for each in objects) + "\n",
        "pages": lambda: "".join(json.dumps([each], ensure_ascii=ascii_only) for each in objects),
        "pretty": lambda: "\n".join(json.dumps(each, ensure_ascii=ascii_only, indent="\t") for each in objects),
        "nested": lambda: json.dumps([objects, []], ensure_ascii=ascii_only, separators=(",", ":")),
    }[around]()
    return text.replace("\n", line_end)


def expected(occurrences):
    return {(sha256(value), f"{file}:{line}", commit) for value, (file, line, commit) in occurrences}


def assert_all_found(read, content, occurrences):
    frame = read(io.BytesIO(content))
    assert {row[:3] for row in seen(frame)} == expected(occurrences)
    assert hidden(frame) == []
    kinds = dict(zip(frame["value"], frame["kind"], strict=True))
    assert kinds == {sha256(value): kind_of(value) for value, _ in occurrences}


@pytest.mark.parametrize("kind", JSON_KINDS)
@given(
    occurrences=OCCURRENCES,
    around=AROUND,
    order=st.randoms(),
    ascii_only=st.booleans(),
    line_end=LINE_ENDS,
    code=ENCODINGS,
    read=READ,
)
def test_as_many_values_are_found_as_were_put_in_each_at_its_place(
    kind, occurrences, around, order, ascii_only, line_end, code, read
):
    objects = shuffled(JSON_KINDS[kind](occurrences), order)
    report = written(objects, around, ascii_only=ascii_only, line_end=line_end)
    assert_all_found(read, report.encode(code), occurrences)


@pytest.mark.parametrize("make", [of_8, of_7])
@given(
    occurrences=OCCURRENCES,
    order=st.randoms(),
    delimiter=st.sampled_from(",;\t"),
    line_end=LINE_ENDS,
    code=ENCODINGS,
    read=READ,
)
def test_as_many_values_are_found_in_rows_as_were_put_in_each_at_its_place(
    make, occurrences, order, delimiter, line_end, code, read
):
    rows = [make(value, *where) for value, where in occurrences]
    rows = [row | {"Message": 'said "no",\nthen; left'} for row in rows]
    columns = order.sample([*rows[0]], len(rows[0])) if rows else []
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, delimiter=delimiter, lineterminator=line_end)
    if rows:  # gitleaks writes nothing of nothing
        writer.writeheader()
    writer.writerows(rows)
    assert_all_found(read, text.getvalue().encode(code), occurrences)


@given(occurrences=OCCURRENCES.filter(len), share=st.floats(0, 1), kind=st.sampled_from([*JSON_KINDS]))
def test_a_report_that_is_cut_short_is_refused_and_never_finds_fewer(occurrences, share, kind):
    whole = json.dumps(JSON_KINDS[kind](occurrences))
    cut = whole[: 1 + round(share * (len(whole) - 2))]
    with pytest.raises(errors.UsageError):
        leaks.from_report(io.StringIO(cut))


def keys(found):
    """Every key of a report, at every depth."""
    if isinstance(found, dict):
        return {*found, *(key for each in found.values() for key in keys(each))}
    return {key for each in found for key in keys(each)} if isinstance(found, list) else set()


def known_keys():
    """The keys that scanners write, of which a report of anything is made."""
    some = [(VALUE, ("x.py", 1, "a"))]
    found = keys([make(some) for make in JSON_KINDS.values()]) | keys([*HIDDEN.values()])
    baseline = json.loads((SAMPLES / "detect-secrets.baseline").read_text())
    return sorted(found | keys(baseline) | {"alert", "location", "locations", "details", "lines", "secrets", "links"})


KEYS = st.sampled_from(known_keys())
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from([VALUE, "REDACTED", "x", "", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(ANYTHING)
def test_whatever_a_report_holds_it_is_read_or_refused_by_an_error_of_ours_without_a_value(anything):
    for read in (leaks.from_report, leaks.from_file):
        problem = None
        try:
            found = matched(read(io.StringIO(json.dumps(anything))))
        except errors.UsageError as error:
            problem = error
        else:
            assert DIGITS not in repr(found) + found._repr_html_() + found.sightings.to_csv()
        if problem:
            stack = traceback.TracebackException.from_exception(problem, capture_locals=True).stack
            inside = [frame for frame in stack if "/tokenkit/review/" in frame.filename]
            assert DIGITS not in "".join(str(frame.locals) for frame in inside) + str(problem)
            assert problem.__context__ is None
            assert "cannot be read (" not in str(problem)  # a reader knew what to do
