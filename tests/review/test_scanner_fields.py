"""Each scanner's fields: what marks a finding as the scanner's own, and what every field becomes."""

import base64
import json
from dataclasses import asdict

import pytest

from tests.review.test_leaks import VALUE
from tokenkit.review.leaks.detect_secrets import DETECT_SECRETS, DETECT_SECRETS_REPORT
from tokenkit.review.leaks.finding import Finding
from tokenkit.review.leaks.ggshield import GGSHIELD
from tokenkit.review.leaks.github import GITHUB
from tokenkit.review.leaks.gitlab import GITLAB
from tokenkit.review.leaks.gitleaks import GITLEAKS, GITLEAKS_7
from tokenkit.review.leaks.sarif import SARIF
from tokenkit.review.leaks.trufflehog import TRUFFLEHOG, TRUFFLEHOG_2, TRUFFLEHOG_PORT

URL = "https://git.example.com/acme/etl/blob/1f38/a.py#L3"
COMMENT = "https://api.example.com/comments/7"

# The fewest fields that make an object a scanner's: all of the first set, and one of the second if there is one.
MARKS = {
    "detect-secrets": (DETECT_SECRETS, {"results": {}}, {"plugins_used": [], "generated_at": ""}),
    "detect-secrets audit": (DETECT_SECRETS_REPORT, {"secrets": "", "lines": {}, "filename": ""}, {}),
    "ggshield": (GGSHIELD, {"total_incidents": 0, "total_occurrences": 0}, {}),
    "ggshield, a scan": (GGSHIELD, {"entities_with_incidents": []}, {}),
    "GitHub": (GITHUB, {"secret_type": ""}, {"secret": "", "number": 1, "html_url": "", "locations_url": ""}),
    "GitHub, a webhook": (GITHUB, {"alert": {"secret_type": "", "number": 1}}, {}),
    "GitLab": (GITLAB, {"vulnerabilities": [], "scan": {"type": "secret_detection"}}, {}),
    "GitLab, older": (GITLAB, {"vulnerabilities": [{"category": "secret_detection"}]}, {}),
    "GitLab, a finding": (GITLAB, {"raw_source_code_extract": ""}, {}),
    "GitLab, by category": (GITLAB, {"category": "secret_detection"}, {}),
    "GitLab, by report": (GITLAB, {"report_type": "secret_detection"}, {}),
    "gitleaks": (GITLEAKS, {"Secret": ""}, dict.fromkeys(["RuleID", "Match", "StartLine", "Fingerprint", "File"], "")),
    "gitleaks 7": (GITLEAKS_7, {"offender": ""}, {"rule": "", "reason": "", "line": "", "lineNumber": 1}),
    "SARIF": (SARIF, {"runs": []}, {"version": "2.1.0", "$schema": ""}),
    "trufflehog": (TRUFFLEHOG, {"SourceMetadata": {}}, dict.fromkeys(["Raw", "RawV2", "DetectorName", "DetectorType"])),
    "trufflehog 2": (TRUFFLEHOG_2, {"stringsFound": []}, {"path": "", "commitHash": "", "reason": "", "diff": ""}),
    "trufflehog3": (TRUFFLEHOG_PORT, {"secret": "", "path": "", "rule": {}}, {"line": "", "context": {}}),
}


@pytest.mark.parametrize(("tool", "all_of", "one_of"), MARKS.values(), ids=MARKS)
def test_an_object_is_a_scanners_by_the_fewest_fields_that_tell_it_from_any_other(tool, all_of, one_of):
    enough = [all_of | {name: value} for name, value in one_of.items()] or [all_of]
    too_few = [one_of, *([all_of] if one_of else [])]
    too_few += [{name: value for name, value in found.items() if name != left} for found in enough for left in all_of]
    assert [tool.wrote(found) for found in enough] == [True] * len(enough)
    assert [tool.wrote(found) for found in too_few] == [False] * len(too_few)


@pytest.mark.parametrize(
    ("tool", "found"),
    [
        (DETECT_SECRETS, {"results": [], "version": "1"}),
        (GITLAB, {"vulnerabilities": "none"}),
        (GITLAB, {"vulnerabilities": [], "scan": {"type": "sast"}}),
        (GITLAB, {"vulnerabilities": [{"category": "sast"}]}),
        (SARIF, {"runs": {}, "version": "2.1.0"}),
    ],
)
def test_an_object_with_fields_of_that_name_but_other_content_is_another_programs(tool, found):
    assert not tool.wrote(found)


PLACE = {"rule": "a rule", "location": "a.py:3", "commit": "1f38", "url": URL, "source": "acme/etl"}
BARE = PLACE | {"commit": "", "url": "", "source": ""}
LOCATION = {"physicalLocation": {"artifactLocation": {"uri": "a.py"}, "region": {"startLine": 3}}}
DETAILS = {"path": "a.py", "start_line": 3, "commit_sha": "1f38"}
ALERT = {"secret": VALUE, "secret_type": "a rule", "html_url": URL, "repository": {"full_name": "acme/etl"}}
GITLAB_FINDING = {
    "raw_source_code_extract": VALUE,
    "identifiers": [{"value": "a rule"}],
    "location": {"file": "a.py", "start_line": 3, "commit": {"sha": "1f38"}},
    "links": [{"url": URL}, {"url": "https://other.example.com"}],
}
GITLEAKS_FINDING = {
    "Secret": VALUE,
    "Match": "match",
    "Context": "context",
    "RuleID": "a rule",
    "File": "a.py",
    "StartLine": 3,
    "Commit": "1f38",
    "Link": URL,
}
GITLEAKS_7_FINDING = {
    "offender": VALUE,
    "line": "line",
    "rule": "a rule",
    "file": "a.py",
    "lineNumber": 3,
    "commit": "1f38",
    "leakURL": URL,
    "repoURL": "acme/etl",
}
GGSHIELD_INCIDENT = {"incident_url": URL, "occurrences": [{"match": VALUE, "line_start": 3}]}
GGSHIELD_FILE = {"filename": "a.py", "incidents": [GGSHIELD_INCIDENT]}
GIT = {"file": "a.py", "line": 3, "commit": "1f38", "link": URL, "repository": "acme/etl"}
DIFF = "\n".join(["subject", "@@ -2,2 +5,2 @@ def f():", " kept", f"-{VALUE}", f"+{VALUE} anew", f" {VALUE}"])


def without(found, *names):
    return {name: value for name, value in found.items() if name not in names}


def of_trufflehog(data, **fields):
    return {"SourceMetadata": {"Data": data}, "Raw": VALUE, "RawV2": "both", "DetectorName": "a rule"} | fields


def of_sarif(result, **run):
    return {"version": "2.1.0", "runs": [{"results": [{"ruleId": "a rule", "locations": [LOCATION]} | result]} | run]}


WITHOUT_OTHER = (DETECT_SECRETS, TRUFFLEHOG_2)
# A finding with all fields, then those whose fields have other names or are missing.
FINDINGS = [
    (
        DETECT_SECRETS,
        {"results": {"a.py": [{"hashed_secret": "5e", "type": "a rule", "line_number": 3}]}},
        [BARE | {"texts": ["5e"], "problem": "hashed"}],
    ),
    (
        DETECT_SECRETS,
        {"results": {"a.py": [{"filename": "b.py"}]}},
        [BARE | {"texts": [""], "rule": "", "location": "b.py:?", "problem": "hashed"}],
    ),
    (
        DETECT_SECRETS_REPORT,
        {"secrets": VALUE, "lines": {"3": "line", "7": "other"}, "filename": "a.py"},
        [
            BARE | {"texts": [VALUE, "line"], "rule": ""},
            BARE | {"texts": [VALUE, "other"], "rule": "", "location": "a.py:7"},
        ],
    ),
    (
        DETECT_SECRETS_REPORT,
        {"secrets": VALUE, "lines": {}, "filename": "a.py"},
        [BARE | {"texts": [VALUE, ""], "rule": "", "location": "a.py:?"}],
    ),
    (
        GGSHIELD,
        {"type": "commit", "id": "1f38", "entities_with_incidents": [GGSHIELD_FILE]},
        [PLACE | {"texts": [VALUE], "rule": "", "source": ""}],
    ),
    (
        GGSHIELD,
        {"type": "range", "id": "1f38", "scans": [{"type": "path_scan", "id": "x", "results": [GGSHIELD_FILE]}]},
        [PLACE | {"texts": [VALUE], "rule": "", "source": "", "commit": ""}],
    ),
    (GITHUB, ALERT | {"locations": [{"details": DETAILS}]}, [PLACE | {"texts": [VALUE]}]),
    (GITHUB, {"alert": ALERT, "location": {"details": DETAILS}}, [PLACE | {"texts": [VALUE]}]),
    (GITHUB, ALERT | {"first_location_detected": DETAILS}, [PLACE | {"texts": [VALUE]}]),
    (
        GITHUB,
        {"alert": without(ALERT, "repository"), "location": DETAILS, "repository": {"full_name": "acme/etl"}},
        [PLACE | {"texts": [VALUE]}],
    ),
    (
        GITHUB,
        ALERT | {"first_location_detected": {"type": "issue", "issue_comment_url": COMMENT}},
        [PLACE | {"texts": [VALUE], "location": COMMENT, "commit": ""}],
    ),
    (
        GITHUB,
        without(ALERT, "html_url") | {"url": URL, "locations": [{"details": DETAILS}, {"details": {"path": "b.py"}}]},
        [PLACE | {"texts": [VALUE]}, PLACE | {"texts": [VALUE], "location": "b.py:?", "commit": ""}],
    ),
    (GITHUB, ALERT, [PLACE | {"texts": [VALUE], "location": URL, "commit": ""}]),
    (GITLAB, {"vulnerabilities": [GITLAB_FINDING]}, [PLACE | {"texts": [VALUE], "source": ""}]),
    (
        GITLAB,
        GITLAB_FINDING
        | {
            "raw_source_code_extract": ["one", VALUE],
            "identifiers": [{"name": "a"}, {"value": "rule"}],
            "location": {"file": "a.py", "start_line": 3},
            "commit": {"sha": "1f38"},
            "links": [],
        },
        [PLACE | {"texts": [f"one\n{VALUE}"], "source": "", "url": ""}],
    ),
    (
        GITLAB,
        {"category": "secret_detection", "location": {"file": "a.py", "commit": {"sha": "0000000"}}},
        [BARE | {"texts": [""], "rule": "", "location": "a.py:?"}],
    ),
    (GITLEAKS, GITLEAKS_FINDING, [PLACE | {"texts": [VALUE, "match", "context"], "source": ""}]),
    (
        GITLEAKS,
        without(GITLEAKS_FINDING, "File", "Commit", "Link") | {"SymlinkFile": "link.py"},
        [BARE | {"texts": [VALUE, "match", "context"], "location": "link.py:3"}],
    ),
    (GITLEAKS_7, GITLEAKS_7_FINDING, [PLACE | {"texts": [VALUE, "line"]}]),
    (
        GITLEAKS_7,
        without(GITLEAKS_7_FINDING, "rule", "repoURL") | {"reason": "a reason", "repo": "etl"},
        [PLACE | {"texts": [VALUE, "line"], "rule": "a reason", "source": "etl"}],
    ),
    (
        SARIF,
        of_sarif(
            {
                "properties": {"offender": VALUE, "commit": "older", "repo": "acme/etl"},
                "partialFingerprints": {"commitSha": "1f38"},
                "hostedViewerUri": URL,
            },
            versionControlProvenance=[{"revisionId": "oldest", "repositoryUri": "other"}],
        ),
        [PLACE | {"texts": [VALUE, "", ""]}],
    ),
    (
        SARIF,
        of_sarif({"properties": {"secret": VALUE, "commit": "1f38"}, "ruleId": "", "rule": {"id": "a rule"}}),
        [BARE | {"texts": [VALUE, "", ""], "commit": "1f38"}],
    ),
    (
        SARIF,
        of_sarif(
            {
                "locations": [
                    {
                        "physicalLocation": {
                            "artifactLocation": {"uri": "a.py"},
                            "region": {"startLine": 3, "snippet": {"text": VALUE}},
                            "contextRegion": {"snippet": {"text": "context"}},
                        }
                    }
                ]
            },
            versionControlProvenance=[{"revisionId": "1f38", "repositoryUri": "acme/etl"}, {"revisionId": "other"}],
        ),
        [PLACE | {"texts": [VALUE, "context"], "url": ""}],
    ),
    (SARIF, of_sarif({"locations": []}), [BARE | {"texts": ["", ""], "location": "?"}]),
    (TRUFFLEHOG, of_trufflehog({"Git": GIT}), [PLACE | {"texts": [VALUE, "both", ""]}]),
    (
        TRUFFLEHOG,
        of_trufflehog({"Git": GIT}, Raw=base64.b64encode(VALUE.encode()).decode()),
        [PLACE | {"texts": [base64.b64encode(VALUE.encode()).decode(), "both", VALUE]}],
    ),
    (
        TRUFFLEHOG,
        of_trufflehog({"Slack": {"channel_name": "general", "link": URL, "number": 7}}),
        [PLACE | {"texts": [VALUE, "both", ""], "location": URL, "source": "general", "commit": ""}],
    ),
    (
        TRUFFLEHOG,
        of_trufflehog({"Docker": {"image": "acme/etl", "tag": "v1", "layer": 3}}),
        [BARE | {"texts": [VALUE, "both", ""], "location": "Docker acme/etl v1", "source": "acme/etl"}],
    ),
    (TRUFFLEHOG, of_trufflehog({}), [BARE | {"texts": [VALUE, "both", ""], "location": "?"}]),
    (
        TRUFFLEHOG_2,
        {"stringsFound": [VALUE, VALUE], "path": "a.py", "commitHash": "1f38", "reason": "a rule", "diff": DIFF},
        [
            PLACE | {"texts": [VALUE, VALUE], "url": "", "source": "", "location": f"a.py:{line}"}
            for line in (3, 6, 7)  # the removed line by its number in the old file
        ],
    ),
    (
        TRUFFLEHOG_2,
        {"stringsFound": [VALUE[4:]], "path": "a.py", "diff": f"{VALUE} before any hunk"},
        [BARE | {"texts": [VALUE[4:], VALUE], "rule": "", "location": "a.py:?"}],
    ),
    (
        TRUFFLEHOG_2,
        {"stringsFound": VALUE, "path": "a.py", "diff": "of another string"},
        [BARE | {"texts": [VALUE, ""], "rule": "", "location": "a.py:?"}],
    ),
    (
        TRUFFLEHOG_PORT,
        {
            "secret": VALUE,
            "path": "a.py",
            "line": "3",
            "context": {"2": "other", "3": "line"},
            "rule": {"id": "a", "message": "rule"},
            "commit": "1f38",
        },
        [PLACE | {"texts": [VALUE, "line"], "url": "", "source": ""}],
    ),
    (
        TRUFFLEHOG_PORT,
        {"secret": VALUE, "path": "a.py", "rule": {"message": "rule"}, "context": {}},
        [BARE | {"texts": [VALUE, ""], "rule": "rule", "location": "a.py:?"}],
    ),
]


@pytest.mark.parametrize(("tool", "found", "expected"), FINDINGS)
def test_every_field_of_a_finding_is_read(tool, found, expected):
    read = [asdict(finding) for finding in tool.findings(found)]
    others = [fields.pop("other") for fields in read]
    assert read == [
        {name: value for name, value in asdict(Finding(**fields)).items() if name != "other"} for fields in expected
    ]
    # All that it reports about the finding, where its own fields may lack the value.
    whole = json.dumps(found, ensure_ascii=False)
    assert [other != "" and other in whole for other in others] == [tool not in WITHOUT_OTHER] * len(others)
