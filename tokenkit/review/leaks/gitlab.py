"""The report of GitLab's secret detection (``gl-secret-detection-report.json``), and its findings one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tokenkit.review.leaks.finding import Finding, Tool, mapping, mappings, place, text


def _wrote(found: Mapping[str, Any]) -> bool:
    if isinstance(found.get("vulnerabilities"), list):
        kind = text(found, "scan", "type")
        return kind == "secret_detection" or any(_wrote(each) for each in mappings(found["vulnerabilities"]))
    return "raw_source_code_extract" in found or text(found, "category|report_type") == "secret_detection"


def _findings(found: Mapping[str, Any]) -> Iterator[Finding]:
    for each in mappings(found["vulnerabilities"]) if "vulnerabilities" in found else [found]:
        extract = each.get("raw_source_code_extract")
        location = mapping(each, "location")
        commit = text(location, "commit", "sha") or text(each, "commit", "sha")
        yield Finding(
            texts=["\n".join(map(str, extract)) if isinstance(extract, list) else str(extract or "")],
            rule=" ".join(text(identifier, "value|name") for identifier in mappings(each.get("identifiers"))),
            place=place(text(location, "file"), text(location, "start_line")),
            commit="" if not commit.strip("0") else commit,  # "0000000" is of a scan without history
            url=next((text(link, "url") for link in mappings(each.get("links"))), ""),
        )


GITLAB = Tool("GitLab secret detection", _wrote, _findings)
