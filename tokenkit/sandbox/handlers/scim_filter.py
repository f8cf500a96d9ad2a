"""SCIM filters, to the extent that the platform supports them: comparisons joined by ``and`` and ``or``."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tokenkit.sandbox.responses import ScimError, encode, whole_number

if TYPE_CHECKING:
    from tokenkit.sandbox.state.directory import Kind

_STRING = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'()]+"""
_COMPARISON = re.compile(rf"\s*([\w.]+)\s+(eq|ne|co|sw)\s+({_STRING})(?:\s+|$)", re.IGNORECASE)
# Well below the depth of 1,000 that SQLite allows for an expression.
_MAX_COMPARISONS = 100
_CONNECTIVE = re.compile(r"(and|or)\s", re.IGNORECASE)
_EXTERNAL_ID = {"externalid": "coalesce(attributes ->> '$.externalId', '')"}
COLUMNS: dict[Kind, dict[str, str]] = {
    "user": {
        "username": "name",
        "emails": "name",
        "emails.value": "name",
        "displayname": "display_name",
        "name.givenname": "coalesce(attributes ->> '$.name.givenName', '')",
        "name.familyname": "coalesce(attributes ->> '$.name.familyName', '')",
        **_EXTERNAL_ID,
    },
    "service_principal": {"applicationid": "name", "displayname": "display_name", **_EXTERNAL_ID},
    "group": {"displayname": "name", **_EXTERNAL_ID},
}
"""What can be filtered and sorted by, as SQL."""

_OPERATORS = {
    "eq": "{column} = ? COLLATE NOCASE",
    "ne": "{column} <> ? COLLATE NOCASE",
    "co": "instr(lower({column}), lower(?)) > 0",
    "sw": "instr(lower({column}), lower(?)) = 1",
}


def condition(text: str | None, kind: Kind) -> tuple[str, list[object]]:
    """Return a filter as an SQL condition on the columns of identities, with its parameters.

    Without a filter, the condition is always true.

    Raises:
        ScimError: 400 invalidFilter.
    """
    if not text or not text.strip():
        return "1", []
    clauses: list[str] = []
    parameters: list[object] = []
    position = 0
    while True:
        comparison = _COMPARISON.match(text, position)
        if not comparison or len(clauses) == _MAX_COMPARISONS:
            raise _invalid_filter(text)
        clause, parameter = _comparison(text, kind, *comparison.groups())
        clauses.append(clause)
        parameters.append(parameter)
        if comparison.end() == len(text):
            return " ".join(clauses), parameters
        connective = _CONNECTIVE.match(text, comparison.end())
        if not connective:
            raise _invalid_filter(text)
        clauses.append(connective[1].upper())
        position = connective.end()


def _comparison(text: str, kind: Kind, attribute: str, operator: str, literal: str) -> tuple[str, object]:
    attribute, operator = attribute.lower(), operator.lower()
    try:
        value = _value(literal)
        encode(value)  # SQLite cannot take a lone surrogate as a parameter
    except ValueError:
        raise _invalid_filter(text) from None
    if attribute == "active" and isinstance(value, bool) and kind != "group" and operator in ("eq", "ne"):
        return f"active {'=' if operator == 'eq' else '<>'} ?", int(value)
    number = whole_number(str(value))
    if attribute == "id" and operator in ("eq", "ne") and number is not None:
        return f"id {'=' if operator == 'eq' else '<>'} ?", number
    column = COLUMNS[kind].get(attribute)
    if column is None or not isinstance(value, str):
        raise _invalid_filter(text)
    return _OPERATORS[operator].format(column=column), value


def _value(literal: str) -> object:
    """Return the value of a literal. The platform accepts JSON strings, single quotes, and no quotes."""
    if literal[0] == "'":
        return re.sub(r"\\(.)", r"\1", literal[1:-1])
    if literal[0] == '"':
        return json.loads(literal)
    return json.loads(literal.lower()) if literal.lower() in ("true", "false") else literal


def _invalid_filter(text: str) -> ScimError:
    return ScimError(400, f'Invalid filter: {text}. Use the form userName eq "someone@example.com"', "invalidFilter")
