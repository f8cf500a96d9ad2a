"""Yelp's detect-secrets: its baseline, which holds hashes, and ``audit --report``, which holds the values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tokenkit.review.leaks.finding import Finding, Tool, mapping, mappings, place, text


def _wrote_baseline(found: Mapping[str, Any]) -> bool:
    return isinstance(found.get("results"), Mapping) and not found.keys().isdisjoint({"plugins_used", "generated_at"})


def _findings_of_baseline(found: Mapping[str, Any]) -> Iterator[Finding]:
    for file, secrets in mapping(found, "results").items():
        for secret in mappings(secrets):
            yield Finding(
                texts=[text(secret, "hashed_secret")],
                rule=text(secret, "type"),
                place=place(text(secret, "filename") or file, text(secret, "line_number")),
                hashed=True,
            )


def _wrote_report(found: Mapping[str, Any]) -> bool:
    return {"secrets", "lines", "filename"} <= found.keys()


def _findings_of_report(found: Mapping[str, Any]) -> Iterator[Finding]:
    for number, line in (mapping(found, "lines") or {"": ""}).items():
        yield Finding(
            texts=[text(found, "secrets"), str(line)],
            rule="",
            place=place(text(found, "filename"), str(number)),
        )


DETECT_SECRETS = Tool("detect-secrets", _wrote_baseline, _findings_of_baseline)
DETECT_SECRETS_REPORT = Tool("detect-secrets audit", _wrote_report, _findings_of_report)
