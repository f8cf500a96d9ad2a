"""Where values were seen: in a report, in any text, or among values that are given; each is hashed where it is read.

The scanner is recognised by the form of what it wrote (``TOOLS``), not by a name or an ending. Only a text that no
scanner wrote is searched as text.

No function here that can fail holds a value when it does, so a traceback shows none: what may fail while it has the
text returns the problem, and its caller, who has only the name, raises.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.redaction import redact
from tokenkit.review.leaks import documents
from tokenkit.review.leaks.detect_secrets import DETECT_SECRETS, DETECT_SECRETS_REPORT
from tokenkit.review.leaks.documents import Source
from tokenkit.review.leaks.finding import Finding, Tool
from tokenkit.review.leaks.finding import text as text_at
from tokenkit.review.leaks.ggshield import GGSHIELD
from tokenkit.review.leaks.github import GITHUB
from tokenkit.review.leaks.gitlab import GITLAB
from tokenkit.review.leaks.gitleaks import GITLEAKS, GITLEAKS_7
from tokenkit.review.leaks.sarif import SARIF
from tokenkit.review.leaks.trufflehog import TRUFFLEHOG, TRUFFLEHOG_2
from tokenkit.review.leaks.values import hashes, is_masked, kind_of, masked_in, sha256, values_in

TOOLS: tuple[Tool, ...] = (
    GITLEAKS,
    GITLEAKS_7,
    TRUFFLEHOG,
    TRUFFLEHOG_2,
    SARIF,
    GITHUB,
    GITLAB,
    GGSHIELD,
    DETECT_SECRETS,
    DETECT_SECRETS_REPORT,
)
"""The scanners whose reports are read."""

SIGHTINGS = pa.schema(
    [
        ("value", pa.string()),  # its hash, to tell values apart; missing where there is a problem
        ("place", pa.string()),
        ("commit", pa.string()),
        ("url", pa.string()),
        ("source", pa.string()),
        ("kind", pa.string()),
        ("problem", pa.string()),  # why it cannot be compared: redacted, hashed, missing
        ("token_id", pa.string()),
        ("reading", pa.string()),
    ]
)
ONE_AT_A_TIME = "Give values, a file or a report: one of them at a time."
_PROMPT = "A leaked value (nothing is shown; Enter alone ends): "
_NO_REPORT = (
    "not a report of gitleaks, trufflehog, GitHub, GitLab, ggshield or detect-secrets that can be read. As a file "
    "(--file) any text is searched for values"
)
_LOGGED_SECRETS = ("verified_secrets", "unverified_secrets")
_LINE_END = re.compile(r"\r\n|\r|\n")
_USER_INFO = re.compile(r"(?<=://)[^/@\s]*@")
_Read = pd.DataFrame | str  # what is in a text, or the problem with it


def seen(
    values: Iterable[str] | str | None,
    *,
    file: Source | None,
    report: Source | None,
    ask: Callable[[str], str | None],
) -> pd.DataFrame | None:
    """Return what is in the one of them that is given, else in what a person types; None where several are given.

    Returns:
        The columns of ``SIGHTINGS``.
    """
    if sum(each is not None for each in (values, file, report)) > 1:
        return None
    if file is not None:
        return from_file(file)
    if report is not None:
        return from_report(report)
    return from_values(typed(ask) if values is None else values)


def typed(ask: Callable[[str], str | None]) -> list[str]:
    """Return the values that a person types, until one is empty.

    Args:
        ask: Asks without showing the answer; None where there is nobody to ask.

    Raises:
        UsageError: There is nobody to ask.
    """
    values: list[str] = []
    while answer := (ask(_PROMPT) or "").strip():
        values.append(answer)
    if not values:
        raise errors.UsageError("No value was typed. Give a file of values, or the report of a scanner.")
    return values


def from_values(values: Iterable[str] | str) -> pd.DataFrame:
    """Return values as hashes, with the columns of ``SIGHTINGS``; their places are their positions."""
    given = [values] if isinstance(values, str) else values
    texts = [str(each or "").strip() for each in given]
    return _frame(
        row
        for number, text in enumerate(texts, 1)
        for value in values_in(text) or filter(None, [text])  # pasted with its quotes, perhaps, or its name
        for row in _rows(value, place=f"value {number}", problem="redacted" if masked_in(value) else "")
    )


def from_file(file: Source) -> pd.DataFrame:
    """Return the values in a file as hashes: of a scanner's report, else whatever looks like a value, else every line.

    Raises:
        UsageError: The file cannot be read, or is a report that is damaged.
    """
    return _read(file, otherwise=_in_text)


def from_report(report: Source) -> pd.DataFrame:
    """Return the values in a scanner's report as hashes. Findings of other secrets are passed over.

    Raises:
        UsageError: The file cannot be read, is no such report, or is damaged.
    """
    return _read(report, otherwise=None)


def _read(source: Source, *, otherwise: Callable[[str, str], pd.DataFrame] | None) -> pd.DataFrame:
    name = documents.name_of(source)
    if values_in(name):
        raise errors.UsageError("The name of a file was expected, and what came looks like a token's value.")
    try:
        found = _in_report(documents.text_of(source), name, otherwise)
    except errors.UsageError:
        raise
    except Exception as failure:  # noqa: BLE001 - whatever it is, its frames have values in them
        found = f"It cannot be read ({type(failure).__name__})"
    if isinstance(found, str):
        raise errors.UsageError(f"{name}: {found}.")
    return found


def _in_report(text: str, name: str, otherwise: Callable[[str, str], pd.DataFrame] | None) -> _Read:
    """Return what is in a text, or what is wrong with it as a report."""
    items, problem, is_report = documents.items(text, lambda row: _tool_of(row) is not None)
    findings: list[Finding] = []
    unknown: list[int] = []
    logged = 0
    for line, found, is_logged in items:
        if tool := _tool_of(found):
            is_report = True
            findings += tool.findings(found)
        elif is_logged and not values_in(json.dumps(found)):
            # In a file that is no report a log may be anybody's, and is searched as text.
            is_report |= otherwise is None
            logged += sum(int(count) for name in _LOGGED_SECRETS if (count := text_at(found, name)).isdecimal())
        else:
            unknown.append(line)
    if logged and not findings:
        return f"The log counts {logged:,} secrets, which are not in this file. Save the scanner's standard output"
    if not is_report:
        return otherwise(text, name) if otherwise else f"{problem and f'{problem}. '}It is {_NO_REPORT}"
    if problem:
        return problem
    if unknown:
        return f"Line {unknown[0]} is not a finding of a scanner that can be read"
    return _frame(row for finding in findings for row in _rows_of(finding))


def _tool_of(found: Mapping[str, Any]) -> Tool | None:
    return next((tool for tool in TOOLS if tool.wrote(found)), None)


def _in_text(text: str, name: str) -> pd.DataFrame:
    lines = _LINE_END.split(text)
    rows = [
        row
        for number, line in enumerate(lines, 1)
        for value in values_in(line) or ([""] if masked_in(line) else [])
        for row in _rows(value, place=f"{name}:{number}", problem="" if value else "redacted")
    ]
    if not rows and all(len(line.split()) <= 1 and '"' not in line for line in lines):
        rows = [
            row
            for number, line in enumerate(lines, 1)
            if line.strip()
            for row in _rows(line.strip(), place=f"{name}:{number}")
        ]
    return _frame(rows)


def _rows_of(finding: Finding) -> Iterator[dict[str, str | None]]:
    """Yield the rows of a finding: of its values, or why it has none; of a secret of another kind there are none."""
    first = finding.texts[0].strip()
    values: list[str] = next(filter(None, map(values_in, finding.texts)), [])
    problem = ""
    if not values:
        if finding.hashed:
            problem = "hashed"
        elif not first:
            problem = "missing"
        elif is_masked(first):
            problem = "redacted"
        elif "databricks" in finding.rule.lower():
            values = [first]
    for value in [""] if problem else values:
        yield from _rows(
            value,
            problem=problem,
            place=finding.place,
            commit=finding.commit,
            url=finding.url,
            source=finding.source,
        )


def _rows(value: str, *, problem: str = "", **where: str) -> Iterator[dict[str, str | None]]:
    """Yield a row for each hash of a value, without the value; of none, a row that has its problem."""
    row: dict[str, str | None] = {name: _USER_INFO.sub("", redact(text)) or None for name, text in where.items()}
    if problem:
        yield row | {"problem": problem}
        return
    row |= {"value": sha256(value), "kind": kind_of(value)}
    for token_id, reading in hashes(value):
        yield row | {"token_id": token_id, "reading": reading}


def _frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    return frames.frame(rows, SIGHTINGS)
