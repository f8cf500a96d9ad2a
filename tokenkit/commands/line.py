"""A line of the magic: split into arguments, with variables of the notebook substituted.

A line is split before variables are substituted, once. The value of a variable is therefore never parsed as part of the
command. Neither the line nor a value is evaluated.
"""

from __future__ import annotations

import datetime as dt
import io
import re
import tokenize
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tokenkit import errors

_PART = re.compile(
    r"""
    (?P<blank>\s+)
    | "(?P<double>(?:\\.|[^"\\])*)"
    | '(?P<single>[^']*)'
    | [{](?P<braced>[^\W\d]\w*)[}]
    | [$](?P<dollar>[^\W\d]\w*)
    | (?P<plain>[$]|[^\s'"{$]+)
    """,
    re.VERBOSE | re.DOTALL,
)
# The rule of Windows command lines: backslashes are special only before a double quote.
_BEFORE_QUOTE = re.compile(r'(\\+)("|\Z)')
_DOLLAR = re.compile(r"[$](?P<dollar>[^\W\d]\w*)")
# A variable as in other arguments, or as in an expression but inside quotes.
_NAMED = re.compile(r"""[$]([^\W\d]\w*)|(?<=['"])@([^\W\d]\w*)(?=['"])""")
_BRACED = re.compile(r"[{]([^\W\d]\w*)[^{}]*[}]")  # also with the syntax of an f-string
_EXPRESSION = "--where"
_CONSTANTS = (str, int, float, dt.date, np.generic)
_MOST_BITS = 64


def split(line: str, names: Mapping[str, Any]) -> list[str]:
    r"""Return the arguments of a line.

    Arguments are separated by spaces, and quotes group text with spaces. A backslash is literal, except before a double
    quote inside double quotes, where it escapes the quote. ``$name`` and ``{name}`` are replaced with the value of a
    variable, which must be a text or a number. In single quotes both are literal; in double quotes ``{name}`` is. In an
    expression nothing is substituted: ``@name`` is the variable there, see ``with_constants``.

    Args:
        line: ``list --owner $who --idle {days}d``.
        names: The variables.

    Raises:
        UsageError: Quotes are unbalanced, braces do not contain a name, or a variable does not exist, has another type
            or would be parsed as an option.
    """
    found: list[str] = []
    argument: str | None = None
    literal = ""  # the argument with the names of variables, not with their values
    position = 0
    while position < len(line):
        part = _PART.match(line, position)
        if part is None:
            raise _unreadable(line[position:])
        position = part.end()
        if part["blank"] is not None:
            found += [] if argument is None else [argument]
            argument, literal = None, ""
            continue
        literal += _literal(part)
        is_expression = found[-1:] == [_EXPRESSION] or literal.startswith(f"{_EXPRESSION}=")
        argument = (argument or "") + (_literal(part) if is_expression else _substituted(part, names))
        if argument.startswith("-") and argument.partition("=")[0] != literal.partition("=")[0]:
            raise errors.UsageError(
                f"The value of the variable in {part[0]} would be parsed as an option or part of its name. Use = as in "
                f"--comment={part[0]}."
            )
    found += [] if argument is None else [argument]
    _check_expressions(found, names)
    return found


def with_constants(expression: str, names: Mapping[str, Any]) -> str:
    """Return an expression with every ``@name`` replaced by the value of the variable, as a constant.

    A text becomes a quoted text with any content escaped. A time becomes a text in ISO 8601.

    Args:
        expression: ``"owner == @who and idle_days > @days"``.
        names: The variables.

    Raises:
        UsageError: A variable does not exist, or does not hold a text, a number, True, False or a time.
    """
    if "@" not in expression:
        return expression
    found: list[tuple[int, str]] = []
    try:
        for kind, text, *_ in tokenize.generate_tokens(io.StringIO(expression.strip()).readline):
            if kind == tokenize.NAME and found[-1:] == [(tokenize.OP, "@")]:
                found[-1] = (tokenize.OP, f"({_constant(text, names)})")
            else:
                found.append((kind, text))
    except (SyntaxError, tokenize.TokenError):
        return expression  # parsing it reports the error
    return tokenize.untokenize(found).strip()


def _literal(part: re.Match[str]) -> str:
    """Return the text of a part without its quotes."""
    if part["double"] is not None:
        return _BEFORE_QUOTE.sub(lambda run: "\\" * (len(run[1]) // 2) + run[2], part["double"])
    return part["single"] if part["single"] is not None else part[0]


def _substituted(part: re.Match[str], names: Mapping[str, Any]) -> str:
    """Return the text of a part with its variables substituted."""
    if (name := part["braced"] or part["dollar"]) is not None:
        return _text_of(name, names)
    text = _literal(part)
    return _DOLLAR.sub(lambda found: _text_of(found["dollar"], names), text) if part["double"] is not None else text


def _text_of(name: str, names: Mapping[str, Any]) -> str:
    if name not in names:
        raise errors.UsageError(f"{_no_variable(name, names)} Use single quotes for literal $ and braces.")
    value = _scalar(names[name])
    if type(value) not in {str, int, float}:
        raise errors.UsageError(
            f"{name!r} holds a {type(value).__name__}, but a command accepts only a text or a number. For frames and "
            "lists, use ws.revoke and the other methods in Python."
        )
    return str(value)


def _unreadable(rest: str) -> errors.UsageError:
    if rest.startswith("{"):
        braces = rest.partition("}")
        return errors.UsageError(
            f"{braces[0]}{braces[1]} is not the name of a variable, and commands do not evaluate expressions. Assign "
            "it to a variable first, then write {name}. In quotes, braces are literal."
        )
    return errors.UsageError(
        'The quotes do not match. A backslash before " escapes it: double the backslash, or use single quotes.'
    )


def _check_expressions(found: list[str], names: Mapping[str, Any]) -> None:
    """Raise ``UsageError`` if an expression has a variable in the syntax of other arguments.

    It would be compared as a text and could match any token. Braces that do not name a variable are allowed, because a
    pattern can have them.
    """
    for before, argument in zip(["", *found], found, strict=False):
        if before == _EXPRESSION or argument.startswith(f"{_EXPRESSION}="):
            named = ["".join(groups) for groups in _NAMED.findall(argument)]
            for name in [*named, *(name for name in _BRACED.findall(argument) if name in names)]:
                if name not in names:
                    raise errors.UsageError(
                        f"{_no_variable(name, names)} In {_EXPRESSION}, write @name without "
                        "quotes. Assign a text that contains $ or @ to a variable first."
                    )
                raise errors.UsageError(
                    f"Variables are not substituted in {_EXPRESSION}. Write @{name} without quotes."
                )


def _constant(name: str, names: Mapping[str, Any]) -> str:
    if name not in names:
        raise errors.UsageError(_no_variable(name, names))
    value = _scalar(names[name])
    kind = type(value)
    if kind in {str, bool, int} or (kind is float and np.isfinite(value)):
        return repr(value)
    if kind in {dt.date, dt.datetime, pd.Timestamp}:
        return repr(value.isoformat())
    raise errors.UsageError(
        f"@{name} has the type {kind.__name__}. Use a variable with a text, a number, True, False or a time."
    )


def _no_variable(name: str, names: Mapping[str, Any]) -> str:
    """Return the message for an unknown variable, with similar names."""
    known = [other for other, value in names.items() if other[:1] != "_" and issubclass(type(value), _CONSTANTS)]
    near = errors.did_you_mean(name, known) if known else "Define a variable with a text or a number first."
    return f"Unknown variable {name!r}. {near}"


def _scalar(value: Any) -> Any:  # noqa: ANN401 - of any variable
    """Return numpy's texts and numbers as Python's, and times as pandas'. Other values are returned unchanged.

    Raises:
        UsageError: The value is a number beyond 64 bits. No column holds one, and Python may be unable to format it.
    """
    if isinstance(value, np.datetime64):
        return pd.Timestamp(value)
    if isinstance(value, np.generic) and not isinstance(value, np.timedelta64):  # its item() is a plain number
        return _scalar(value.item()) if type(value) is not type(value.item()) else value
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise errors.UsageError("A variable holds a number beyond 64 bits. Use a smaller number.")
    return value
