"""Findings in JSON of other tools, which are recognized by what every finding has: a file, a line and a value."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tokenkit.review.leaks.finding import Finding, location_of
from tokenkit.review.leaks.values import masked_in, values_in

_FILE = frozenset({"file", "path", "filename", "filepath", "blobpath", "uri"})
_LINE = frozenset({"line", "linenumber", "lineno", "startline", "linestart"})


def foreign_findings(objects: list[Mapping[str, Any]]) -> list[Finding]:
    """Return a finding for each value in JSON objects; none if one of them has no file and line beside it."""
    findings: list[Finding] = []
    places: dict[int, tuple[str, str]] = {}  # of each object that was looked through
    for found in objects:
        for text, holders in _texts(found, []):
            if not values_in(text) and not masked_in(text):
                continue
            for holder in reversed(holders):
                if id(holder) not in places:
                    places[id(holder)] = (_first(holder, _FILE), _first(holder, _LINE))
                file, line = places[id(holder)]
                if file and line.isdecimal():
                    break
            else:
                return []
            problem = "" if values_in(text) else "redacted"
            findings.append(Finding(texts=[text], rule="", location=location_of(file, line), problem=problem))
    return findings


def _texts(found: object, holders: list[Mapping[str, Any]]) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """Yield each text with the objects that it is in, up to the one that is an item of a list."""
    if isinstance(found, str):
        yield found, holders
    elif isinstance(found, Mapping):
        for inner in found.values():
            yield from _texts(inner, [*holders, found])
    elif isinstance(found, list):
        for inner in found:
            yield from _texts(inner, [] if isinstance(inner, Mapping) else holders)


def _first(found: Mapping[str, Any], names: Collection[str]) -> str:
    """Return the text or number that is nearest below an object and has one of the names; empty if there is none."""
    queue: deque[object] = deque([found])
    while queue:
        holder = queue.popleft()
        if isinstance(holder, Mapping):
            for name, value in holder.items():
                is_named = name.lower().replace("_", "") in names
                if is_named and isinstance(value, str | int) and not isinstance(value, bool) and value != "":
                    return str(value)
            queue.extend(holder.values())
        elif isinstance(holder, list):
            queue.extend(holder)
    return ""
