"""The report of GitLab's secret detection (``gl-secret-detection-report.json``), and its single findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tokenkit.review.leaks.finding import Finding, Tool, location_of, mapping, mappings, text, whole


def _wrote(found: Mapping[str, Any]) -> bool:
    if isinstance(found.get("vulnerabilities"), list):
        kind = text(found, "scan", "type")
        return kind == "secret_detection" or any(_wrote(finding) for finding in mappings(found["vulnerabilities"]))
    return "raw_source_code_extract" in found or text(found, "category|report_type") == "secret_detection"


def _findings(found: Mapping[str, Any]) -> Iterator[Finding]:
    for finding in mappings(found["vulnerabilities"]) if "vulnerabilities" in found else [found]:
        extract = finding.get("raw_source_code_extract")
        location = mapping(finding, "location")
        commit = text(location, "commit", "sha") or text(finding, "commit", "sha")
        yield Finding(
            texts=["\n".join(map(str, extract)) if isinstance(extract, list) else str(extract or "")],
            other=whole(finding),
            rule=" ".join(text(identifier, "value|name") for identifier in mappings(finding.get("identifiers"))),
            location=location_of(text(location, "file"), text(location, "start_line")),
            commit="" if not commit.strip("0") else commit,  # a scan without history reports "0000000"
            url=next((text(link, "url") for link in mappings(finding.get("links"))), ""),
        )
    if text(found, "scan", "status") == "failure":
        yield Finding(texts=[""], rule="", location="the scan failed", problem="not_scanned")


GITLAB = Tool("GitLab secret detection", _wrote, _findings)
