"""SARIF, in which gitleaks, trufflehog, ggshield and others write; not all of them write the values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tokenkit.review.leaks.finding import Finding, Tool, mapping, mappings, place, text


def _wrote(found: Mapping[str, Any]) -> bool:
    return isinstance(found.get("runs"), list) and not found.keys().isdisjoint({"version", "$schema"})


def _findings(found: Mapping[str, Any]) -> Iterator[Finding]:
    for run in mappings(found["runs"]):
        history = next(iter(mappings(run.get("versionControlProvenance"))), {})
        for result in mappings(run.get("results")):
            offender = text(result, "properties", "offender|secret")  # gitleaks 7 gives the whole line as the snippet
            commit = text(result, "partialFingerprints", "commitSha") or text(result, "properties", "commit")
            for location in mappings(result.get("locations")) or [{}]:
                where = mapping(location, "physicalLocation")
                snippets = [text(where, name, "snippet", "text") for name in ("region", "contextRegion")]
                yield Finding(
                    texts=[offender, *snippets] if offender else snippets,
                    rule=text(result, "ruleId") or text(result, "rule", "id"),
                    place=place(text(where, "artifactLocation", "uri"), text(where, "region", "startLine")),
                    commit=commit or text(history, "revisionId"),
                    url=text(result, "hostedViewerUri"),
                    source=text(result, "properties", "repo") or text(history, "repositoryUri"),
                )


SARIF = Tool("SARIF", _wrote, _findings)
