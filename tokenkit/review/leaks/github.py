"""GitHub's secret-scanning alerts, from its API and its webhooks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tokenkit.review.leaks.finding import Finding, Tool, location_of, mapping, mappings, text, whole


def _wrote(found: Mapping[str, Any]) -> bool:
    alert = mapping(found, "alert") or found
    return "secret_type" in alert and not alert.keys().isdisjoint({"secret", "number", "html_url", "locations_url"})


def _findings(found: Mapping[str, Any]) -> Iterator[Finding]:
    alert = mapping(found, "alert") or found  # a webhook sends the alert beside its repository and location
    first = mapping(alert, "first_location_detected")
    given = [*mappings(alert.get("locations")), mapping(found, "location")]
    locations = [mapping(found_at, "details") or found_at for found_at in given if found_at] or [first]
    for location in locations:
        # An issue, a comment or a discussion has a URL instead of a path: "issue_body_url".
        url = next((text(location, name) for name in location if name.endswith("_url")), "")
        yield Finding(
            texts=[text(alert, "secret")],
            other=whole(alert),
            rule=text(alert, "secret_type"),
            location=location_of(
                text(location, "path"), text(location, "start_line"), otherwise=url or text(alert, "html_url")
            ),
            commit=text(location, "commit_sha"),
            url=text(alert, "html_url|url"),
            source=text(alert, "repository", "full_name") or text(found, "repository", "full_name"),
        )


GITHUB = Tool("GitHub secret scanning", _wrote, _findings)
