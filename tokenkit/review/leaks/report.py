"""Occurrences of values in a scanner's report, in any text, or among given values. Each value is hashed when read.

A scanner is recognized by the form of its report (``TOOLS``), not by the name of the file. Only a text that no scanner
wrote is searched as text.

No traceback shows a value. A function that holds the text returns the problem instead of raising, and its caller, which
holds only the name, raises.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from tokenkit import errors, frames
from tokenkit.core.redaction import redact
from tokenkit.core.wording import of, pluralize
from tokenkit.review.leaks import documents
from tokenkit.review.leaks.detect_secrets import DETECT_SECRETS, DETECT_SECRETS_REPORT
from tokenkit.review.leaks.documents import Item, Source
from tokenkit.review.leaks.finding import Finding, Tool
from tokenkit.review.leaks.finding import text as text_at
from tokenkit.review.leaks.foreign import foreign_findings
from tokenkit.review.leaks.ggshield import GGSHIELD
from tokenkit.review.leaks.github import GITHUB
from tokenkit.review.leaks.gitlab import GITLAB
from tokenkit.review.leaks.gitleaks import GITLEAKS, GITLEAKS_7
from tokenkit.review.leaks.sarif import SARIF
from tokenkit.review.leaks.trufflehog import TRUFFLEHOG, TRUFFLEHOG_2, TRUFFLEHOG_PORT, TRUFFLEHOG_TEXT
from tokenkit.review.leaks.values import hashes, is_masked, kind_of, masked_in, sha256, values_in

TOOLS: tuple[Tool, ...] = (
    GITLEAKS,
    GITLEAKS_7,
    TRUFFLEHOG,
    TRUFFLEHOG_TEXT,
    TRUFFLEHOG_2,
    TRUFFLEHOG_PORT,
    SARIF,
    GITHUB,
    GITLAB,
    GGSHIELD,
    DETECT_SECRETS,
    DETECT_SECRETS_REPORT,
)
"""The scanners whose reports can be read."""

OCCURRENCES = frames.schema(
    value=str,  # its hash, which distinguishes values; missing if there is a problem
    location=str,
    commit=str,
    url=str,
    source=str,
    kind=str,  # missing for a line that does not look like a value
    problem=str,  # why the value cannot be compared: redacted, hashed, missing, not_scanned
    token_id=str,
    matched_as=str,
)
ONE_AT_A_TIME = "Values, a file and a report cannot be combined. Use one of them."
_PROMPT = "Leaked value (input is hidden; press Enter to finish): "
_NO_REPORT = (
    "not a report of gitleaks, trufflehog, GitHub, GitLab, ggshield or detect-secrets. "
    "Use --file to search any text for values"
)
_LOGGED_SECRETS = ("verified_secrets", "unverified_secrets")
_LINE_END = re.compile(r"\r\n|\r|\n")
_USER_INFO = re.compile(r"(?<=://)[^/@\s]*@")
_Read = pd.DataFrame | str  # the occurrences in a text, or the problem
_Otherwise = Callable[[str, str, list[Item]], pd.DataFrame]


def seen(
    values: Iterable[str] | str | None, *, file: Source | None, report: Source | None, ask: Callable[[str], str | None]
) -> pd.DataFrame | None:
    """Return the occurrences in the values, the file or the report, or else in values that a person types.

    Returns:
        The columns of ``OCCURRENCES``; None if more than one of the three is given.
    """
    if sum(given is not None for given in (values, file, report)) > 1:
        return None
    if file is not None:
        return from_file(file)
    if report is not None:
        return from_report(report)
    return from_values(prompt_values(ask) if values is None else values)


def prompt_values(ask: Callable[[str], str | None]) -> list[str]:
    """Return the values that a person types, until an empty line.

    Args:
        ask: Prompts without echo. It returns None if there is no terminal.

    Raises:
        UsageError: No value was typed, or there is no terminal.
    """
    values: list[str] = []
    while value := (ask(_PROMPT) or "").strip():
        values.append(value)
    if not values:
        raise errors.UsageError(
            "No value was entered. Use --file with a file of values or --report with the report of a scanner."
        )
    return values


def from_values(values: Iterable[str] | str) -> pd.DataFrame:
    """Return the hashes of values, with the columns of ``OCCURRENCES``. Their locations are their positions.

    Raises:
        UsageError: It is neither a text nor a list.
    """
    given = [values] if isinstance(values, str) else values
    if not isinstance(given, Iterable) or isinstance(given, bytes | type):
        raise errors.UsageError("Expected a value, or a list of values.")
    texts = [str(value or "").strip() for value in given]
    return _frame(
        row
        for number, text in enumerate(texts, 1)
        for value in values_in(text) or filter(None, [text])  # it may be pasted with quotes or a name
        for row in _rows(value, location=f"value {number}", problem="redacted" if masked_in(value) else "")
    )


def from_file(file: Source) -> pd.DataFrame:
    """Return the hashes of the values in a file: a scanner's report, a text with values, or a value per line.

    Raises:
        UsageError: The file cannot be read, or is a damaged report.
    """
    return _read(file, otherwise=_in_text)


def from_report(report: Source) -> pd.DataFrame:
    """Return the hashes of the values in a scanner's report. Findings of other secrets are skipped.

    Raises:
        UsageError: The file cannot be read, is not a supported report, or is damaged.
    """
    return _read(report, otherwise=None)


def _read(source: Source, *, otherwise: _Otherwise | None) -> pd.DataFrame:
    name = documents.name_of(source)
    if values_in(name):
        raise errors.UsageError("Expected a file name, but the argument looks like a token value.")
    try:
        found = _in_report(documents.text_of(source), name, otherwise)
    except errors.UsageError:
        raise
    except Exception as failure:  # noqa: BLE001 - the frames of any error hold values
        found = f"Cannot read it ({type(failure).__name__})"
    if isinstance(found, str):
        raise errors.UsageError(f"{name}: {found}.")
    return found


def _in_report(text: str, name: str, otherwise: _Otherwise | None) -> _Read:
    """Return the occurrences in a text, or the problem with it as a report."""
    items, problem, is_report = documents.items(text, lambda row: _tool_of(row) is not None)
    findings: list[Finding] = []
    unknown: list[int] = []
    logged = 0
    for line, found, is_logged in items:
        if reports := _reports_in(found):
            is_report = True
            findings += [finding for tool, report in reports for finding in tool.findings(report)]
        elif is_logged and not values_in(json.dumps(found)):
            # In a file that is not a report, the log may be of any tool, and is searched as text.
            is_report |= otherwise is None
            logged += sum(int(count) for name in _LOGGED_SECRETS if (count := text_at(found, name)).isdecimal())
        else:
            unknown.append(line)
    if logged and not findings:
        are = of(logged, "which is", "which are")
        return (
            f"The log counts {pluralize(logged, 'secret')}, {are} not in this file. Save the scanner's standard output"
        )
    if not is_report:
        return (
            otherwise(text, name, [] if problem else items)
            if otherwise
            else f"{problem and f'{problem}. '}It is {_NO_REPORT}"
        )
    if problem:
        return problem
    if unknown:
        return f"Line {unknown[0]} is not a finding of a supported scanner"
    return _frame(row for finding in findings for row in _rows_of(finding))


def _tool_of(found: Mapping[str, Any]) -> Tool | None:
    return next((tool for tool in TOOLS if tool.wrote(found)), None)


def _reports_in(found: object) -> list[tuple[Tool, Mapping[str, Any]]] | None:
    """Return a scanner's report, or those that an object or a list wraps; None if a value would be left out."""
    if isinstance(found, Mapping) and (tool := _tool_of(found)):
        return [(tool, found)]
    if isinstance(found, str):
        return None if values_in(found) or masked_in(found) else []
    inner = found.values() if isinstance(found, Mapping) else found if isinstance(found, list) else ()
    reports: list[tuple[Tool, Mapping[str, Any]]] = []
    for item in inner:
        more = _reports_in(item)
        if more is None:
            return None
        reports += more
    return reports


def _in_text(text: str, name: str, items: list[Item]) -> pd.DataFrame:
    findings = foreign_findings([item.found for item in items])
    if findings:
        return _frame(row for finding in findings for row in _rows_of(finding))
    lines = _LINE_END.split(text)
    rows = [
        row
        for number, line in enumerate(lines, 1)
        for value in values_in(line) or ([""] if masked_in(line) else [])
        for row in _rows(value, location=f"{name}:{number}", problem="" if value else "redacted")
    ]
    if not rows and all(len(line.split()) <= 1 and '"' not in line for line in lines):
        rows = [
            row | {"kind": None}  # some values have an unknown form, so every line is compared
            for number, line in enumerate(lines, 1)
            if line.strip()
            for row in _rows(line.strip(), location=f"{name}:{number}")
        ]
    return _frame(rows)


def _rows_of(finding: Finding) -> Iterator[dict[str, str | None]]:
    """Yield rows for the values of a finding, or one row with the problem. Another kind of secret yields no row."""
    first = finding.texts[0].strip()
    values: list[str] = next(filter(None, map(values_in, finding.texts)), [])
    others = [] if values else values_in(finding.other)
    problem = ""
    if not values:
        if finding.problem:
            problem = finding.problem
        elif is_masked(first):
            problem = "redacted"
        elif not first and not others:
            problem = "missing"
        elif first and "databricks" in finding.rule.lower():
            values = [first]
    for value in [*([""] if problem else values), *others]:
        yield from _rows(
            value,
            problem="" if value else problem,
            location=finding.location,
            commit=finding.commit,
            url=finding.url,
            source=finding.source,
        )


def _rows(value: str, *, problem: str = "", **where: str) -> Iterator[dict[str, str | None]]:
    """Yield a row for each hash of a value, without the value, or one row with the problem."""
    row: dict[str, str | None] = {name: _USER_INFO.sub("", redact(text)) or None for name, text in where.items()}
    if problem:
        yield row | {"problem": problem}
        return
    row |= {"value": sha256(value), "kind": kind_of(value)}
    for token_id, hash_input in hashes(value):
        yield row | {"token_id": token_id, "matched_as": hash_input}


def _frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    return frames.frame(rows, OCCURRENCES)
