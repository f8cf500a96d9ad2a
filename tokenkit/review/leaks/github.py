"""GitHub's secret-scanning alerts, as its API and its webhooks give them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tokenkit.review.leaks.finding import Finding, Tool, mapping, mappings, place, text


def _wrote(found: Mapping[str, Any]) -> bool:
    alert = mapping(found, "alert") or found
    return "secret_type" in alert and not alert.keys().isdisjoint({"secret", "number", "html_url", "locations_url"})


def _findings(found: Mapping[str, Any]) -> Iterator[Finding]:
    alert = mapping(found, "alert") or found  # a webhook sends the alert beside its repository and location
    first = mapping(alert, "first_location_detected")
    given = [*mappings(alert.get("locations")), mapping(found, "location")]
    seen = [mapping(each, "details") or each for each in given if each] or [first]
    for location in seen:
        # An issue, a comment or a discussion has a URL for a place: "issue_body_url".
        url = next((text(location, name) for name in location if name.endswith("_url")), "")
        yield Finding(
            texts=[text(alert, "secret")],
            rule=text(alert, "secret_type"),
            place=place(text(location, "path"), text(location, "start_line"), otherwise=url or text(alert, "html_url")),
            commit=text(location, "commit_sha"),
            url=text(alert, "html_url|url"),
            source=text(alert, "repository", "full_name") or text(found, "repository", "full_name"),
        )


GITHUB = Tool("GitHub secret scanning", _wrote, _findings)
