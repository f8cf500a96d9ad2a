"""One finding of a scanner, whatever its report looks like, and what readers of reports take findings out of.

Reports come from many versions and through many hands. So a field is read as whatever it is: one that is missing or of
another type is empty, and never an error that would have the report in its frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True, kw_only=True, repr=False)
class Finding:
    """What a scanner says of one place. It holds the value, and must not outlive the reading of the report.

    Attributes:
        texts: What it gives as the secret, then what else of it may hold the value.
        rule: By which rule it was found.
        place: Where: ``conf/job.py:12``.
        commit: In which commit; empty where it is none.
        url: Where to look at it; empty where nobody says.
        source: Of which repository, image or channel; likewise.
        hashed: Whether the secret is given as a hash.
    """

    texts: list[str]
    rule: str
    place: str
    commit: str = ""
    url: str = ""
    source: str = ""
    hashed: bool = False


class Tool(NamedTuple):
    """A scanner whose reports can be read.

    Attributes:
        name: What people call it.
        wrote: Whether an object of a JSON report, or a row of a CSV report, is of its form.
        findings: Yields what is in such an object.
    """

    name: str
    wrote: Callable[[Mapping[str, Any]], bool]
    findings: Callable[[Mapping[str, Any]], Iterator[Finding]]


def text(found: object, *path: str) -> str:
    """Return the text or number at a path of keys, of the first key that has one where several are given by ``|``."""
    *parents, last = path
    holder = mapping(found, *parents)
    for name in last.split("|"):
        value = holder.get(name)
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
            return str(value)
    return ""


def mapping(found: object, *path: str) -> Mapping[str, Any]:
    """Return the object at a path of keys; an empty one where there is none."""
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def mappings(found: object) -> list[Mapping[str, Any]]:
    """Return the objects of a list; none where it is no list."""
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def place(file: str, line: str, *, otherwise: str = "?") -> str:
    """Return a place as people write it; without a file, what else says where."""
    return f"{file}:{line or '?'}" if file else otherwise
