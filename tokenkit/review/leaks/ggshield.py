"""The JSON of GitGuardian's ggshield, whose scans may hold scans, of a range of commits for example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tokenkit.review.leaks.finding import Finding, Tool, mappings, place, text


def _wrote(found: Mapping[str, Any]) -> bool:
    return {"total_incidents", "total_occurrences"} <= found.keys() or "entities_with_incidents" in found


def _findings(found: Mapping[str, Any]) -> Iterator[Finding]:
    commit = text(found, "id") if found.get("type") == "commit" else ""
    files = mappings(found.get("entities_with_incidents")) or mappings(found.get("results"))
    for file in files:
        for incident in mappings(file.get("incidents")):
            for occurrence in mappings(incident.get("occurrences")):
                yield Finding(
                    texts=[text(occurrence, "match")],
                    rule="",  # what it found beside a value, a host for example, is an occurrence too
                    place=place(text(file, "filename"), text(occurrence, "line_start")),
                    commit=commit,
                    url=text(incident, "incident_url"),
                )
    for scan in mappings(found.get("scans")):
        yield from _findings(scan)


GGSHIELD = Tool("ggshield", _wrote, _findings)
