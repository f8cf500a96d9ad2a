"""A finding of a scanner in a common form, and helpers that extract fields from reports.

Reports come from many versions of many tools, and people edit them. A field that is missing or of another type is read
as empty. It never raises an error, because the traceback would hold the report.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True, kw_only=True, repr=False)
class Finding:
    """What a scanner reports about one location. It holds the value, so it must not outlive the reading of the report.

    Attributes:
        texts: The text that the scanner reports as the secret, then other texts that may hold the value.
        other: Everything that the scanner reports about it, for a value where scanners rarely write one.
        rule: The scanner's rule.
        location: The file and line: ``conf/job.py:12``.
        commit: The commit; empty if there is none.
        url: A page that shows the finding; empty if the report has none.
        source: The repository, image or channel; empty if the report has none.
        problem: Why there is no value to compare: ``hashed`` or ``not_scanned``; empty if the texts tell it.
    """

    texts: list[str]
    rule: str
    location: str
    other: str = ""
    commit: str = ""
    url: str = ""
    source: str = ""
    problem: str = ""


class Tool(NamedTuple):
    """A scanner whose reports can be read.

    Attributes:
        name: The scanner's name.
        wrote: Whether an object of a JSON report, or a row of a CSV report, has this scanner's form.
        findings: Yields the findings in such an object.
    """

    name: str
    wrote: Callable[[Mapping[str, Any]], bool]
    findings: Callable[[Mapping[str, Any]], Iterator[Finding]]


def text(found: object, *path: str) -> str:
    """Return the text or number at a path of keys. ``|`` separates alternative keys; the first match counts."""
    *parents, last = path
    holder = mapping(found, *parents)
    for name in last.split("|"):
        value = holder.get(name)
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
            return str(value)
    return ""


def whole(found: object) -> str:
    """Return a JSON value as one text."""
    return json.dumps(found)


def mapping(found: object, *path: str) -> Mapping[str, Any]:
    """Return the object at a path of keys, or an empty one."""
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def mappings(found: object) -> list[Mapping[str, Any]]:
    """Return the objects of a list, or none if it is not a list."""
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def location_of(file: str, line: str, *, otherwise: str = "?") -> str:
    """Return ``file:line``, or ``otherwise`` if there is no file."""
    return f"{file}:{line or '?'}" if file else otherwise
