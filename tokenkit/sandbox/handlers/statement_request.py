"""The body of a request to run a statement. It is validated as a whole before anything is stored."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.responses import invalid
from tokenkit.sandbox.state.results import ARROW_STREAM, CSV, JSON_ARRAY
from tokenkit.sandbox.state.sql_translation import Session
from tokenkit.sandbox.state.statement import EXTERNAL_LINKS, INLINE, StatementRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenkit.sandbox.handlers.call import Call

_CONTINUE, _CANCEL = "CONTINUE", "CANCEL"
_MAX_SQL_BYTES = 16 << 20
_MAX_INTEGER = (1 << 63) - 1
_TYPES = frozenset(
    {
        *("BIGINT", "LONG", "INT", "INTEGER", "SMALLINT", "SHORT", "TINYINT", "BYTE", "FLOAT", "REAL", "DOUBLE"),
        *("STRING", "BINARY", "BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMP_NTZ", "VOID"),
    }
)
_DECIMAL = re.compile(r"(?:DECIMAL|DEC|NUMERIC)(?: ?\( ?([0-9]{1,2}) ?(?:, ?([0-9]{1,2}) ?)?\))?")
_MAX_PRECISION = 38


def statement_request(call: Call) -> StatementRequest:
    """Return the statement that a request asks for.

    Raises:
        ApiError: 400, if a field is not valid.
    """
    body = call.request.json()
    sql = _text(body, "statement")
    if not sql.strip():
        raise invalid("statement is required")
    if len(sql.encode()) > _MAX_SQL_BYTES:
        raise invalid("statement must be at most 16 MiB")
    disposition = _choice(body, "disposition", (INLINE, EXTERNAL_LINKS))
    kind = _choice(body, "format", (JSON_ARRAY, ARROW_STREAM, CSV))
    if disposition == INLINE and kind != JSON_ARRAY:
        raise invalid("INLINE disposition supports only the JSON_ARRAY format")
    wait_seconds = _wait_seconds(body)
    on_wait_timeout = _choice(body, "on_wait_timeout", (_CONTINUE, _CANCEL))
    return StatementRequest(
        sql,
        _parameters(body),
        Session(_text(body, "catalog"), _text(body, "schema"), call.caller.identity.name),
        disposition,
        kind,
        _limit(body, "row_limit"),
        _limit(body, "byte_limit"),
        wait_seconds,
        is_canceled_after_wait=on_wait_timeout == _CANCEL and wait_seconds > 0,
    )


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise invalid(f"{name} must be a string")
    return value


def _choice(body: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> str:
    value = _text(body, name) or choices[0]
    if value not in choices:
        raise invalid(f"{name} must be one of {', '.join(choices)}")
    return value


def _limit(body: Mapping[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value < _MAX_INTEGER:
        raise invalid(f"{name} must be a positive integer")
    return value


def _wait_seconds(body: Mapping[str, Any]) -> int:
    found = re.fullmatch("([0-9]{1,2})s", _text(body, "wait_timeout") or "10s")
    seconds = int(found[1]) if found else -1
    if seconds != 0 and not 5 <= seconds <= 50:
        raise invalid("wait_timeout must be 0s, or between 5s and 50s")
    return seconds


def _parameters(body: Mapping[str, Any]) -> dict[str, tuple[str, str | None]]:
    """Return the type and the value of each parameter, by its name in lowercase: names are not case-sensitive."""
    entries = body.get("parameters")
    if entries is None:
        return {}
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise invalid("parameters must be a list of objects")
    parameters: dict[str, tuple[str, str | None]] = {}
    for entry in entries:
        name = _text(entry, "name").lower()
        if not name:
            raise invalid("A parameter must have a name")
        if name in parameters:
            raise invalid(f"The parameter {name[:100]} is given twice")
        parameters[name] = (_type(entry), None if entry.get("value") is None else _text(entry, "value"))
    return parameters


def _type(entry: Mapping[str, Any]) -> str:
    kind = _text(entry, "type").strip().upper() or "STRING"
    decimal = _DECIMAL.fullmatch(kind)
    if decimal:
        precision, scale = int(decimal[1] or 10), int(decimal[2] or 0)
        if 1 <= precision <= _MAX_PRECISION and scale <= precision:
            return f"DECIMAL({precision},{scale})"
    if kind not in _TYPES:
        raise invalid(f"{kind[:100]} is not the type of a parameter")
    return kind
