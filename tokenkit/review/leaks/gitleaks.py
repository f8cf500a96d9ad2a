"""The reports of gitleaks: JSON and CSV of version 8, and of earlier versions, which use other field names.

``sarif`` reads its SARIF.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tokenkit.review.leaks.finding import Finding, Tool, location_of, text, whole


def _wrote_8(found: Mapping[str, Any]) -> bool:
    return "Secret" in found and not found.keys().isdisjoint({"RuleID", "Match", "StartLine", "Fingerprint", "File"})


def _findings_8(found: Mapping[str, Any]) -> Iterator[Finding]:
    yield Finding(
        texts=[*(text(found, name) for name in ("Secret", "Match|Finding", "Context"))],
        other=whole(found),
        rule=text(found, "RuleID"),
        location=location_of(text(found, "File|SymlinkFile"), text(found, "StartLine|Line")),
        commit=text(found, "Commit"),
        url=text(found, "Link"),
    )


def _wrote_7(found: Mapping[str, Any]) -> bool:
    return "offender" in found and not found.keys().isdisjoint({"rule", "reason", "line", "lineNumber"})


def _findings_7(found: Mapping[str, Any]) -> Iterator[Finding]:
    yield Finding(
        texts=[text(found, "offender"), text(found, "line")],
        other=whole(found),
        rule=text(found, "rule|reason"),
        location=location_of(text(found, "file"), text(found, "lineNumber")),
        commit=text(found, "commit"),
        url=text(found, "leakURL"),
        source=text(found, "repoURL|repo"),
    )


GITLEAKS = Tool("gitleaks", _wrote_8, _findings_8)
GITLEAKS_7 = Tool("gitleaks 7", _wrote_7, _findings_7)
