"""Generated reports of every scanner: every value is found at its location, and a damaged report is an error."""

import csv
import io
import json
import re
import traceback

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.review.test_leaks import DIGITS, VALUE, gitleaks, matched, trufflehog
from tests.review.test_scanner_reports import AWS, BANNER, HIDDEN, SAMPLES, STAMP, alert, hidden, junit, seen
from tokenkit import errors
from tokenkit.core.redaction import redact
from tokenkit.review import leaks
from tokenkit.review.leaks.values import kind_of, sha256

# A location in a report, without text that redaction changes or file systems reject.
PLACES = st.tuples(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\x00"), max_size=8
    )
    .map(lambda name: f"src/{name}x.py")
    .filter(lambda name: redact(name) == name),
    st.integers(1, 10_000),
    st.text("0123456789abcdef", min_size=7, max_size=40).filter(lambda sha: sha.strip("0")),
)


def line_of(where):
    return where[1]


VALUES = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["dapi", "dapi", "dose", "dkea"]),
        st.text("0123456789abcdef", min_size=32, max_size=32),
        st.sampled_from(["", "", "-2", "-13"]),
    ),
)
# A value may occur at several locations.
OCCURRENCES = st.lists(st.tuples(VALUES, PLACES), max_size=6, unique_by=lambda each: each[1][:2]).map(
    lambda found: [(found[0][0], where) if line_of(where) % 3 == 0 else (value, where) for value, where in found]
)


def findings(make, *, extra=None):
    """Return what a scanner writes of some occurrences, with a finding of another kind between them."""

    def made(occurrences):
        return [each for value, where in occurrences for each in (make(value, *where), *([extra] if extra else []))]

    return made


def of_3(value, file, line, commit):
    source = ("Git", "Github", "Gitlab", "Bitbucket", "Huggingface")[line % 5]
    return trufflehog(value, {source: {"commit": commit, "file": file, "line": line, "link": "", "email": "a@b"}})


def of_port(value, file, line, commit):
    return {
        "rule": {"id": "high-entropy", "message": "High Entropy", "severity": "HIGH"},
        "path": file,
        "line": str(line),
        "secret": value,
        "context": {str(line - 1): "x", str(line): f"t='{value}'"},
        "commit": commit,
    }


def audited(value, file, line, _):
    return {"secrets": value, "filename": file, "lines": {str(line): f"t = '{value}'"}, "types": ["x"], "category": "X"}


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
    added = f"@@ -{line + 5},2 +{line},3 @@ def x\n-old\n+t='{value}'\n"
    removed = f"@@ -{line - 1},3 +{line + 7},2 @@ def x\n x\n-t='{value}'\n+new\n"
    return {
        "path": file,
        "commitHash": commit,
        "stringsFound": [f"t='{value}'"],
        "diff": added if line % 2 else removed,
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
    "trufflehog 3": findings(of_3, extra=LOG),
    "trufflehog3": findings(of_port, extra=of_port(AWS, "x", 1, "a")),
    "trufflehog 2": findings(of_2, extra=of_2(AWS, "x", 1, "a")),
    "GitHub": findings(of_github, extra=of_github(AWS, "x", 1, "a") | {"secret_type": "aws"}),
    "GitLab": gitlab_of,
    "ggshield": ggshield_of,
    "SARIF": sarif_of,
    "detect-secrets audit": findings(audited, extra=audited(AWS, "x", 1, "a")),
}
WITHOUT_COMMITS = {"detect-secrets audit"}
# What a scanner says beside its findings, where both are saved to one file.
LOGS = (
    json.dumps(LOG),
    '2026-02-01T09:00:00Z\tinfo-0\ttrufflehog\trunning source\t{"id": 1}',
    "9:00AM INF 12 commits scanned.",
    'time="2026-02-01T09:00:00Z" level=info msg="opening ."',
    "🐷🔑🐷  TruffleHog. Unearth your secrets. 🐷🔑🐷",
)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
LINE_ENDS = st.sampled_from(["\n", "\r\n"])
READ = st.sampled_from([leaks.from_report, leaks.from_file])
AROUND = st.sampled_from(["array", "lines", "pages", "pretty", "nested", "records", "with a log"])
JSON_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|[\[\]{}:,]|[\w.+-]+')


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
        "records": lambda: "".join(f"\x1e{json.dumps(each, ensure_ascii=ascii_only)}\n" for each in objects),
        "with a log": lambda: "\n".join(
            line
            for number, each in enumerate([*objects, LOG])
            for line in (LOGS[number % len(LOGS)], json.dumps(each, ensure_ascii=ascii_only))
        ),
    }[around]()
    return text.replace("\n", line_end)


def coloured(text):
    """The text as jq and terminals show it: each token of JSON in a color."""
    return JSON_TOKEN.sub(lambda token: f"\x1b[0;{32 + len(token[0]) % 5}m{token[0]}\x1b[0m", text)


def expected(occurrences, *, with_commits=True):
    return {
        (sha256(value), f"{file}:{line}", commit if with_commits else None)
        for value, (file, line, commit) in occurrences
    }


def assert_all_found(read, content, occurrences, *, with_commits=True):
    frame = read(io.BytesIO(content))
    rows, put_in = [row[:3] for row in seen(frame)], expected(occurrences, with_commits=with_commits)
    assert (set(rows), len(rows)) == (put_in, len(put_in))
    assert hidden(frame) == []
    kinds = dict(zip(frame["value"], frame["kind"], strict=True))
    assert kinds == {sha256(value): kind_of(value) for value, _ in occurrences}


@pytest.mark.parametrize("kind", JSON_KINDS)
@given(
    occurrences=OCCURRENCES,
    around=AROUND,
    order=st.randoms(),
    ascii_only=st.booleans(),
    in_color=st.booleans(),
    line_end=LINE_ENDS,
    code=ENCODINGS,
    read=READ,
)
def test_every_value_in_a_report_is_found_at_its_location(
    kind, occurrences, around, order, ascii_only, in_color, line_end, code, read
):
    objects = shuffled(JSON_KINDS[kind](occurrences), order)
    report = written(objects, around, ascii_only=ascii_only, line_end=line_end)
    report = coloured(report) if in_color and around != "with a log" else report
    assert_all_found(read, report.encode(code), occurrences, with_commits=kind not in WITHOUT_COMMITS)


@given(occurrences=OCCURRENCES, order=st.randoms(), indent=st.sampled_from([None, 2]), code=ENCODINGS, read=READ)
def test_every_hash_of_a_baseline_is_not_comparable_and_has_its_location(occurrences, order, indent, code, read):
    results = {}
    for value, (file, line, _) in occurrences:
        secret = {"type": "x", "filename": file, "hashed_secret": sha256(value)[:40], "line_number": line}
        results.setdefault(file, []).append(secret)
    baseline = shuffled({"version": "1.5.0", "plugins_used": [], "results": results, "generated_at": "x"}, order)
    frame = read(io.BytesIO(json.dumps(baseline, indent=indent).encode(code)))
    assert seen(frame) == []
    assert sorted(hidden(frame)) == sorted((f"{file}:{line}", "hashed") for _, (file, line, _) in occurrences)


@given(
    kind=st.sampled_from([*JSON_KINDS]), occurrences=OCCURRENCES.filter(len), stars=st.sampled_from(["*" * 28, "..."])
)
def test_every_redacted_value_is_not_comparable(kind, occurrences, stars):
    masked = [(f"dapi0badcafe{stars}", where) for _, where in occurrences]
    frame = leaks.from_report(io.StringIO(json.dumps(JSON_KINDS[kind](masked))))
    assert seen(frame) == []
    assert sorted(hidden(frame)) == sorted((f"{file}:{line}", "redacted") for _, (file, line, _) in occurrences)


@pytest.mark.parametrize("make", [of_8, of_7])
@given(
    occurrences=OCCURRENCES,
    order=st.randoms(),
    delimiter=st.sampled_from(",;\t"),
    line_end=LINE_ENDS,
    code=ENCODINGS,
    read=READ,
)
def test_every_value_in_rows_is_found_at_its_location(make, occurrences, order, delimiter, line_end, code, read):
    rows = [make(value, *where) for value, where in occurrences]
    rows = [row | {"Message": 'said "no",\nthen; left'} for row in rows]
    columns = order.sample([*rows[0]], len(rows[0])) if rows else []
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, delimiter=delimiter, lineterminator=line_end)
    if rows:  # gitleaks writes nothing of nothing
        writer.writeheader()
    writer.writerows(rows)
    assert_all_found(read, text.getvalue().encode(code), occurrences)


def for_people(kind, occurrences):
    """The findings as gitleaks -v and trufflehog write them for people."""
    blocks = {
        "gitleaks": "Finding:     t = '{0}'\nSecret:      {0}\nRuleID:      x\nFile:        {1}\nLine:        {2}\n"
        "Commit:      {3}\n",
        "trufflehog": "Found unverified result 🐷🔑❓\nDetector Type: x\nDecoder Type: PLAIN\nRaw result: {0}\n"
        "Commit: {3}\nFile: {1}\nLine: {2}\nTimestamp: 2026-01-01 00:00:00 +0000\n",
    }
    found = [blocks[kind].format(value, *where) for value, where in occurrences]
    return "\n".join([f"{BANNER if kind == 'gitleaks' else LOGS[-1]}\n", *found, "9:00AM INF scan completed in 3s\n"])


@pytest.mark.parametrize("kind", ["gitleaks", "trufflehog"])
@pytest.mark.parametrize("stamp", ["", STAMP, f"scan\tRun it\t{STAMP}"])
@given(occurrences=OCCURRENCES.filter(len), line_end=LINE_ENDS, code=ENCODINGS, read=READ)
def test_every_value_in_text_for_people_is_found_at_its_location(kind, stamp, occurrences, line_end, code, read):
    lines = for_people(kind, occurrences).split("\n")
    assert_all_found(read, line_end.join(f"{stamp}{line}" for line in lines).encode(code), occurrences)


@given(occurrences=OCCURRENCES, code=ENCODINGS, read=READ)
def test_every_value_in_junit_is_found_at_its_location(occurrences, code, read):
    report = junit(*(of_8(value, *where) for value, where in occurrences))
    assert_all_found(read, report.encode(code), occurrences)


@pytest.mark.parametrize("kind", [*JSON_KINDS])
def test_a_report_truncated_at_any_character_is_an_error(kind):
    occurrences = [(VALUE, ("src/x.py", 1, "0000001")), (VALUE, ("src/y.py", 2, "0000002"))]
    whole = json.dumps(JSON_KINDS[kind](occurrences))
    for end in range(1, len(whole)):
        with pytest.raises(errors.UsageError):
            leaks.from_report(io.StringIO(whole[:end]))


@given(occurrences=OCCURRENCES.filter(len), share=st.floats(0, 1), kind=st.sampled_from([*JSON_KINDS]))
def test_a_truncated_report_is_an_error_and_never_has_fewer_findings(occurrences, share, kind):
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
def test_any_report_is_read_or_is_a_usage_error_without_a_value(anything):
    for read in (leaks.from_report, leaks.from_file):
        problem = None
        try:
            found = matched(read(io.StringIO(json.dumps(anything))))
        except errors.UsageError as error:
            problem = error
        else:
            assert DIGITS not in repr(found) + found._repr_html_() + found.occurrences.to_csv()
        if problem:
            stack = traceback.TracebackException.from_exception(problem, capture_locals=True).stack
            inside = [frame for frame in stack if "/tokenkit/review/" in frame.filename]
            assert DIGITS not in "".join(str(frame.locals) for frame in inside) + str(problem)
            assert problem.__context__ is None
            assert "cannot be read (" not in str(problem)  # a reader knew what to do
