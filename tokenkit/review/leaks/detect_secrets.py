"""Yelp's detect-secrets: its baseline, which contains hashes, and ``audit --report``, which contains the values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tokenkit.review.leaks.finding import Finding, Tool, location_of, mapping, mappings, text, whole


def _wrote_baseline(found: Mapping[str, Any]) -> bool:
    results = found.get("results")
    return isinstance(results, Mapping) and (
        not found.keys().isdisjoint({"plugins_used", "generated_at"})
        or any("hashed_secret" in secret for secrets in results.values() for secret in mappings(secrets))
    )


def _findings_of_baseline(found: Mapping[str, Any]) -> Iterator[Finding]:
    for file, secrets in mapping(found, "results").items():
        for secret in mappings(secrets):
            yield Finding(
                texts=[text(secret, "hashed_secret")],
                rule=text(secret, "type"),
                location=location_of(text(secret, "filename") or file, text(secret, "line_number")),
                problem="hashed",
            )


def _wrote_report(found: Mapping[str, Any]) -> bool:
    return {"secrets", "lines", "filename"} <= found.keys()


def _findings_of_report(found: Mapping[str, Any]) -> Iterator[Finding]:
    for number, line in (mapping(found, "lines") or {"": ""}).items():
        yield Finding(
            texts=[text(found, "secrets"), str(line)],
            other=whole(found),
            rule="",
            location=location_of(text(found, "filename"), str(number)),
        )


DETECT_SECRETS = Tool("detect-secrets", _wrote_baseline, _findings_of_baseline)
DETECT_SECRETS_REPORT = Tool("detect-secrets audit", _wrote_report, _findings_of_report)
