"""SARIF, a format of gitleaks, trufflehog, ggshield and others. Some of them omit the values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tokenkit.review.leaks.finding import Finding, Tool, location_of, mapping, mappings, text, whole


def _wrote(found: Mapping[str, Any]) -> bool:
    return isinstance(found.get("runs"), list) and not found.keys().isdisjoint({"version", "$schema"})


def _findings(found: Mapping[str, Any]) -> Iterator[Finding]:
    for run in mappings(found["runs"]):
        history = next(iter(mappings(run.get("versionControlProvenance"))), {})
        artifacts = mappings(run.get("artifacts"))
        rules = mappings(mapping(run, "tool", "driver").get("rules"))
        if any(invocation.get("executionSuccessful") is False for invocation in mappings(run.get("invocations"))):
            yield Finding(texts=[""], rule="", location="the scan failed", problem="not_scanned")
        for result in mappings(run.get("results")):
            offender = text(result, "properties", "offender|secret")  # the snippet of gitleaks 7 is the whole line
            commit = text(result, "partialFingerprints", "commitSha") or text(result, "properties", "commit")
            rule = text(_at(rules, result.get("ruleIndex")), "id")
            for location in mappings(result.get("locations")) or mappings(result.get("relatedLocations")) or [{}]:
                physical = mapping(location, "physicalLocation")
                artifact = _at(artifacts, mapping(physical, "artifactLocation").get("index"))
                snippets = [text(physical, name, "snippet", "text") for name in ("region", "contextRegion")]
                yield Finding(
                    texts=[offender, *snippets] if offender else snippets,
                    other=whole(result),
                    rule=text(result, "ruleId") or text(result, "rule", "id") or rule,
                    location=location_of(
                        text(physical, "artifactLocation", "uri") or text(artifact, "location", "uri"),
                        text(physical, "region", "startLine"),
                    ),
                    commit=commit or text(history, "revisionId"),
                    url=text(result, "hostedViewerUri"),
                    source=text(result, "properties", "repo") or text(history, "repositoryUri"),
                )


def _at(objects: list[Mapping[str, Any]], index: object) -> Mapping[str, Any]:
    """Return the object that a result refers to by its index, or an empty one."""
    return objects[index] if isinstance(index, int) and 0 <= index < len(objects) else {}


SARIF = Tool("SARIF", _wrote, _findings)
