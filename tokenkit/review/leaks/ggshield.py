"""The JSON of GitGuardian's ggshield. A scan may contain scans, for example one per commit of a range."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tokenkit.review.leaks.finding import Finding, Tool, location_of, mappings, text, whole


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
                    other=whole(occurrence),
                    rule="",  # related texts, such as a host, are listed as occurrences too
                    location=location_of(text(file, "filename"), text(occurrence, "line_start|pre_line_start")),
                    commit=commit,
                    url=text(incident, "incident_url"),
                )
    for failure in mappings(found.get("errors")):
        for file in mappings(failure.get("files")) or [failure]:
            yield Finding(
                texts=[""], rule="", location=text(file, "filename|description") or "?", problem="not_scanned"
            )
    for scan in mappings(found.get("scans")):
        yield from _findings(scan)


GGSHIELD = Tool("ggshield", _wrote, _findings)
