"""SCIM filters, as far as the platform supports them: simple comparisons joined by ``and`` and ``or``."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tokenkit.sandbox.answers import ScimError, encode

if TYPE_CHECKING:
    from tokenkit.sandbox.directory import Kind

_STRING = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'()]+"""
_COMPARISON = re.compile(rf"\s*([\w.]+)\s+(eq|ne|co|sw)\s+({_STRING})(?:\s+|$)", re.IGNORECASE)
# SQLite takes an expression of a depth of 1,000; nobody writes a hundred comparisons by hand.
_MOST_COMPARISONS = 100
_CONNECTIVE = re.compile(r"(and|or)\s", re.IGNORECASE)
_COLUMNS: dict[Kind, dict[str, str]] = {
    "user": {"username": "name", "emails.value": "name", "displayname": "display_name"},
    "service_principal": {"applicationid": "name", "displayname": "display_name"},
    "group": {"displayname": "name"},
}
_OPERATORS = {
    "eq": "{column} = ? COLLATE NOCASE",
    "ne": "{column} <> ? COLLATE NOCASE",
    "co": "instr(lower({column}), lower(?)) > 0",
    "sw": "instr(lower({column}), lower(?)) = 1",
}


def condition(text: str | None, kind: Kind) -> tuple[str, list[object]]:
    """Return a filter as an SQL condition on the columns of identities, and its parameters; no filter is always true.

    Raises:
        ScimError: 400 invalidFilter.
    """
    if not text or not text.strip():
        return "1", []
    clauses: list[str] = []
    parameters: list[object] = []
    position = 0
    while True:
        found = _COMPARISON.match(text, position)
        if not found or len(clauses) == _MOST_COMPARISONS:
            raise _refusal(text)
        clause, parameter = _comparison(text, kind, *found.groups())
        clauses.append(clause)
        parameters.append(parameter)
        if found.end() == len(text):
            return " ".join(clauses), parameters
        connective = _CONNECTIVE.match(text, found.end())
        if not connective:
            raise _refusal(text)
        clauses.append(connective[1].upper())
        position = connective.end()


def _comparison(text: str, kind: Kind, attribute: str, operator: str, literal: str) -> tuple[str, object]:
    attribute, operator = attribute.lower(), operator.lower()
    try:
        value = _value(literal)
        encode(value)  # half a surrogate pair is no text that the database could be asked for
    except ValueError:
        raise _refusal(text) from None
    if attribute == "active" and isinstance(value, bool) and kind != "group" and operator in ("eq", "ne"):
        return f"active {'=' if operator == 'eq' else '<>'} ?", int(value)
    if attribute == "id" and operator in ("eq", "ne") and _is_id(str(value)):
        return f"id {'=' if operator == 'eq' else '<>'} ?", int(str(value))
    column = _COLUMNS[kind].get(attribute)
    if column is None or not isinstance(value, str):
        raise _refusal(text)
    return _OPERATORS[operator].format(column=column), value


def _value(literal: str) -> object:
    """Return what is compared with: besides strings of JSON, the platform takes single quotes and no quotes at all."""
    if literal[0] == "'":
        return re.sub(r"\\(.)", r"\1", literal[1:-1])
    if literal[0] == '"':
        return json.loads(literal)
    return json.loads(literal.lower()) if literal.lower() in ("true", "false") else literal


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 2**63


def _refusal(text: str) -> ScimError:
    return ScimError(400, f'Invalid filter: {text}; write one like userName eq "someone@example.com"', "invalidFilter")
