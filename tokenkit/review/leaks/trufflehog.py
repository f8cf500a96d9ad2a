"""The JSON lines of trufflehog 3, and those of version 2, which trufflehog 3 writes too with ``--json-legacy``."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tokenkit.review.leaks.finding import Finding, Tool, mapping, place, text
from tokenkit.review.leaks.values import values_in

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")
# What says where, of the sources that have no file: S3, Slack, Postman, Elasticsearch, Docker …
_SOURCES = "repository|repo|image|bucket|container|package|channel_name|space|index|project_name|workspace_name"


def _wrote_3(found: Mapping[str, Any]) -> bool:
    return "SourceMetadata" in found and not found.keys().isdisjoint({"Raw", "RawV2", "DetectorName", "DetectorType"})


def _findings_3(found: Mapping[str, Any]) -> Iterator[Finding]:
    data = mapping(found, "SourceMetadata", "Data")  # {"Git": {…}}, {"Filesystem": {…}}, {"Slack": {…}} …
    kind = next(iter(data), "?")
    where = mapping(data, kind)
    # A file of a repository is at a line; an image or a page has none.
    file, line, url = text(where, "file|filename|path"), text(where, "line"), text(where, "link")
    otherwise = url or " ".join([kind, *(str(value) for value in where.values() if isinstance(value, str))])
    raw = text(found, "Raw")
    yield Finding(
        texts=[raw, text(found, "RawV2"), _plain(raw)],
        rule=text(found, "DetectorName"),
        place=place(file, line, otherwise=otherwise),
        commit=text(where, "commit"),
        url=url,
        source=text(where, _SOURCES),
    )


def _plain(raw: str) -> str:
    """Return what an older trufflehog wrote in base64."""
    try:
        return base64.b64decode(raw, validate=True).decode()
    except ValueError:  # no base64, or no text in it
        return ""


def _wrote_2(found: Mapping[str, Any]) -> bool:
    return "stringsFound" in found and not found.keys().isdisjoint({"path", "commitHash", "reason", "diff"})


def _findings_2(found: Mapping[str, Any]) -> Iterator[Finding]:
    strings = found["stringsFound"]
    diff = [*_lines(text(found, "diff"))]
    for string in dict.fromkeys(strings) if isinstance(strings, list) else [strings]:
        # It looks for digits too, and cuts a value's kind off: the line has the whole.
        seen = [(number, line) for number, line in diff if str(string) in line] or [("", "")]
        for number, line in seen:
            whole = next((value for value in values_in(line) if str(string) in value), "")
            yield Finding(
                texts=[str(string or ""), whole],
                rule=text(found, "reason"),
                place=place(text(found, "path"), number),
                commit=text(found, "commitHash"),
            )


def _lines(diff: str) -> Iterator[tuple[str, str]]:
    """Yield the lines of a diff with their numbers: of those that it takes away, in the file as it was."""
    old = new = 0
    for line in diff.split("\n"):
        if hunk := _HUNK.match(line):
            old, new = int(hunk[1]), int(hunk[2])
        elif old or new:
            yield str(old if line.startswith("-") else new), line
            old, new = old + (not line.startswith("+")), new + (not line.startswith("-"))
        else:
            yield "", line  # before any hunk


TRUFFLEHOG = Tool("trufflehog", _wrote_3, _findings_3)
TRUFFLEHOG_2 = Tool("trufflehog 2", _wrote_2, _findings_2)
