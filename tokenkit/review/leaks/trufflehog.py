"""The JSON lines of trufflehog 3 and its text for people, and the JSON lines of version 2.

trufflehog 3 writes those of version 2 with ``--json-legacy``.

``trufflehog3``, in one word, is a different tool: a port to Python. Its versions 2 and 3 have their own formats.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tokenkit.review.leaks.finding import Finding, Tool, location_of, mapping, text, whole
from tokenkit.review.leaks.values import values_in

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")
# Fields that identify the source where there is no file: S3, Slack, Postman, Elasticsearch, Docker …
_SOURCES = "repository|repo|image|bucket|container|package|channel_name|space|index|project_name|workspace_name"


def _wrote_3(found: Mapping[str, Any]) -> bool:
    return "SourceMetadata" in found and not found.keys().isdisjoint({"Raw", "RawV2", "DetectorName", "DetectorType"})


def _findings_3(found: Mapping[str, Any]) -> Iterator[Finding]:
    data = mapping(found, "SourceMetadata", "Data")  # {"Git": {…}}, {"Filesystem": {…}}, {"Slack": {…}} …
    kind = next(iter(data), "?")
    where = mapping(data, kind)
    # A file in a repository has a line; an image or a page has none.
    file, line, url = text(where, "file|filename|path"), text(where, "line"), text(where, "link")
    otherwise = url or " ".join([kind, *(str(value) for value in where.values() if isinstance(value, str))])
    raw = text(found, "Raw")
    yield Finding(
        texts=[raw, text(found, "RawV2"), _plain(raw)],
        other=whole(found),
        rule=text(found, "DetectorName"),
        location=location_of(file, line, otherwise=otherwise),
        commit=text(where, "commit"),
        url=url,
        source=text(where, _SOURCES),
    )


def _wrote_text(found: Mapping[str, Any]) -> bool:
    return {"Detector Type", "Raw result"} <= found.keys()


def _findings_text(found: Mapping[str, Any]) -> Iterator[Finding]:
    where = {name.lower(): value for name, value in found.items() if name != "Raw result"}
    yield from _findings_3(
        {
            "SourceMetadata": {"Data": {"": where}},
            "Raw": found["Raw result"],
            "DetectorName": found["Detector Type"],
        }
    )


def _plain(raw: str) -> str:
    """Return the text that older versions of trufflehog encode as base64."""
    try:
        return base64.b64decode(raw, validate=True).decode()
    except ValueError:  # not base64, or not text
        return ""


def _wrote_2(found: Mapping[str, Any]) -> bool:
    return "stringsFound" in found and not found.keys().isdisjoint({"path", "commitHash", "reason", "diff"})


def _findings_2(found: Mapping[str, Any]) -> Iterator[Finding]:
    strings = found["stringsFound"]
    diff = [*_lines(text(found, "diff"))]
    for string in dict.fromkeys(strings) if isinstance(strings, list) else [strings]:
        # Its rules may match only the digits of a value. The line holds the whole value.
        seen = [(number, line) for number, line in diff if str(string) in line] or [("", "")]
        for number, line in seen:
            whole = next((value for value in values_in(line) if str(string) in value), "")
            yield Finding(
                texts=[str(string or ""), whole],
                rule=text(found, "reason"),
                location=location_of(text(found, "path"), number),
                commit=text(found, "commitHash"),
            )


def _lines(diff: str) -> Iterator[tuple[str, str]]:
    """Yield the lines of a diff with their numbers. A removed line has its number in the old file."""
    old = new = 0
    for line in diff.split("\n"):
        if hunk := _HUNK.match(line):
            old, new = int(hunk[1]), int(hunk[2])
        elif old or new:
            yield str(old if line.startswith("-") else new), line
            old, new = old + (not line.startswith("+")), new + (not line.startswith("-"))
        else:
            yield "", line  # before any hunk


def _wrote_port(found: Mapping[str, Any]) -> bool:
    return {"secret", "path", "rule"} <= found.keys() and not found.keys().isdisjoint({"line", "context"})


def _findings_port(found: Mapping[str, Any]) -> Iterator[Finding]:
    context = mapping(found, "context")
    yield Finding(
        texts=[text(found, "secret"), text(context, text(found, "line"))],
        other=whole(found),
        rule=" ".join(filter(None, (text(found, "rule", "id"), text(found, "rule", "message")))),
        location=location_of(text(found, "path"), text(found, "line")),
        commit=text(found, "commit"),
    )


TRUFFLEHOG = Tool("trufflehog", _wrote_3, _findings_3)
TRUFFLEHOG_TEXT = Tool("trufflehog", _wrote_text, _findings_text)
TRUFFLEHOG_2 = Tool("trufflehog 2", _wrote_2, _findings_2)
TRUFFLEHOG_PORT = Tool("trufflehog3", _wrote_port, _findings_port)
