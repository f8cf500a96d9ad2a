"""A line of the magic: split into words, with the notebook's variables put in.

A line is split first and variables are put in afterwards, once. So what a variable holds is never read as part of the
command, and nothing is ever evaluated: neither the line nor a value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tokenkit import errors
from tokenkit.review import expressions

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
# As Windows reads its own command lines: backslashes count only in front of a double quote.
_BEFORE_QUOTE = re.compile(r'(\\+)("|\Z)')
_DOLLAR = re.compile(r"[$](?P<dollar>[^\W\d]\w*)")
# As other words name it (in braces also as an f-string does), and as an expression does, but in quotes.
_NAMED = re.compile(r"""[{]([^\W\d]\w*)[^{}]*[}]|[$]([^\W\d]\w*)|(?<=['"])@([^\W\d]\w*)(?=['"])""")
_EXPRESSION = "--where"


def words(line: str, names: Mapping[str, Any]) -> list[str]:
    r"""Return the words of a line.

    Words are separated by spaces. Quotes keep a word together, and a backslash is a backslash: only before a double
    quote inside double quotes does it make that quote a part of the text. ``$name`` and ``{name}`` stand for a variable
    that holds a text or a number. In single quotes both stay as they are, in double quotes ``{name}`` does. Nothing is
    put into an expression: there ``@name`` is the variable, see ``expressions.with_constants``.

    Args:
        line: ``list --owner $who --idle {days}d``.
        names: The variables.

    Raises:
        UsageError: Quotes that do not match, braces that hold no name, a variable that is not there, holds something
            else, or would be read as an option.
    """
    found: list[str] = []
    word: str | None = None
    typed = ""  # the word, but with the names of variables where it has their values
    place = 0
    while place < len(line):
        part = _PART.match(line, place)
        if part is None:
            raise _unreadable(line[place:])
        place = part.end()
        if part["blank"] is not None:
            found += [] if word is None else [word]
            word, typed = None, ""
            continue
        typed += _as_written(part)
        of_expression = found[-1:] == [_EXPRESSION] or typed.startswith(f"{_EXPRESSION}=")
        word = (word or "") + (_as_written(part) if of_expression else _put_in(part, names))
        if word.startswith("-") and word.partition("=")[0] != typed.partition("=")[0]:
            raise errors.UsageError(
                f"The value of the variable in {part[0]} would be read as an option, or as a part of its name. Write "
                f"it with =, as in --comment={part[0]}."
            )
    found += [] if word is None else [word]
    _refuse_names_in_expressions(found, names)
    return found


def _as_written(part: re.Match[str]) -> str:
    """Return a part without its quotes."""
    if part["double"] is not None:
        return _BEFORE_QUOTE.sub(lambda run: "\\" * (len(run[1]) // 2) + run[2], part["double"])
    return part["single"] if part["single"] is not None else part[0]


def _put_in(part: re.Match[str], names: Mapping[str, Any]) -> str:
    """Return a part with the variables that it names put in."""
    if (name := part["braced"] or part["dollar"]) is not None:
        return _text_of(name, names)
    text = _as_written(part)
    return _DOLLAR.sub(lambda found: _text_of(found["dollar"], names), text) if part["double"] is not None else text


def _text_of(name: str, names: Mapping[str, Any]) -> str:
    if name not in names:
        raise errors.UsageError(f"There is no variable {name!r}. In single quotes, $ and braces stay as they are.")
    value = expressions.scalar(names[name])
    if type(value) not in {str, int, float}:
        raise errors.UsageError(
            f"{name!r} holds a {type(value).__name__}, and only a text or a number can be put into a command. In "
            "Python, ws.revoke and the other methods take frames and lists."
        )
    return str(value)


def _unreadable(rest: str) -> errors.UsageError:
    if rest.startswith("{"):
        braces = rest.partition("}")
        return errors.UsageError(
            f"{braces[0]}{braces[1]} is not the name of a variable, and nothing is evaluated in a command. Assign it "
            "to a variable first, then write {name}. In quotes, braces stay as they are."
        )
    return errors.UsageError(
        'The quotes do not match. A backslash before " makes it a part of the text: double that one, or use single '
        "quotes."
    )


def _refuse_names_in_expressions(found: list[str], names: Mapping[str, Any]) -> None:
    """Refuse an expression that names a variable as other words do: compared as a text, it could choose any token."""
    for before, word in zip(["", *found], found, strict=False):
        if before == _EXPRESSION or word.startswith(f"{_EXPRESSION}="):
            for found_name in _NAMED.findall(word):
                if (name := "".join(found_name)) in names:
                    raise errors.UsageError(
                        f"Nothing is put into {_EXPRESSION}. Write @{name}, without quotes around it, for the variable "
                        f"{name!r}."
                    )
