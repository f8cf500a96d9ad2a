"""The filters that select tokens in Python, the magic and the shell: their names, values and help, in one table.

``filters`` applies them to frames. This module does not import pandas, so that help, completion and errors in a command
line appear without delay.
"""

from __future__ import annotations

import inspect
import numbers
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tokenkit import errors
from tokenkit.review.durations import duration
from tokenkit.review.values import STATUSES


@dataclass(frozen=True)
class Criterion:
    """A way to select tokens.

    Attributes:
        name: The keyword in Python and, with hyphens, the option in a command.
        help: The help text of the option.
        metavar: The placeholder for the value in help texts; None for a switch, whose only value is True.
        choices: The valid values, if there is a fixed set.
        read: Converts an argument to a value, or raises ``UsageError``. It also accepts its own results.
        columns: The columns that hold the values of tokens, if unknown values are likely to be misspelled.
        noun: What a value is in messages, if not the name.
        names_principals: Whether a value names a user or service principal, which may have no token.
    """

    name: str
    help: str
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    read: Callable[[Any], Any] = str
    columns: tuple[str, ...] = ()
    noun: str = ""
    names_principals: bool = False

    def read_all(self, given: Any) -> list[Any]:  # noqa: ANN401 - one value or several
        """Return the given values, converted by ``read``.

        Raises:
            UsageError: A value is not valid for the filter.
        """
        is_several = isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping)
        values = [self.read(value) for value in (given if is_several else [given])]
        for value in values:
            if self.choices and value not in self.choices:
                raise errors.UsageError(
                    f"Invalid {self.name}: {value!r}. {errors.did_you_mean(str(value), self.choices)}"
                )
        return values


def _text(given: object) -> str:
    # Probably from an unset variable. As part of a comment, it would match all comments.
    if isinstance(given, str) and not given:
        raise errors.UsageError("The value of a filter is empty. Omit the filter to select all tokens.")
    if isinstance(given, str | numbers.Integral):
        return str(given)
    raise errors.UsageError(f"Invalid value {given!r}: expected a text.")


def _switch(given: object) -> bool:
    if type(given).__name__ in {"bool", "bool_"}:  # numpy's as well
        return bool(given)
    raise errors.UsageError(f"Invalid value {given!r}: expected True or False.")


CRITERIA: tuple[Criterion, ...] = (
    Criterion(
        "owner",
        "owner by name, application id or id; * matches any text, ? any character",
        "NAME",
        read=_text,
        columns=("owner", "owner_id"),
        names_principals=True,
    ),
    Criterion(
        "created_by",
        "creator by name, application id or id; * matches any text, ? any character",
        "NAME",
        read=_text,
        columns=("created_by_username", "created_by_id"),
        noun="creator",
        names_principals=True,
    ),
    Criterion("status", "token status: active or expired", "STATUS", choices=STATUSES),
    Criterion("idle", "unused for at least this long (since creation, if never used)", "90d", read=duration),
    Criterion(
        "expires_in",
        "stops working within this time, by expiry or after 90 days of disuse; excludes expired tokens",
        "30d",
        read=duration,
    ),
    Criterion("never_expires", "without an expiry time", read=_switch),
    Criterion("scope", "has this scope", "SCOPE", read=_text, columns=("scopes",)),
    Criterion("comment", "comment contains this text, ignoring case; * matches any text", "TEXT", read=_text),
)

_Method = TypeVar("_Method", bound=Callable[..., Any])


def with_filters(method: _Method) -> _Method:
    """Show the filters that a method takes as ``**criteria`` in its signature and docstring, for TAB and ``?``."""
    signature = inspect.signature(method)
    own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    keywords = [
        inspect.Parameter(
            criterion.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation="str | Sequence[str] | None" if criterion.metavar else "bool | None",
        )
        for criterion in CRITERIA
    ]
    method.__signature__ = signature.replace(parameters=[*own, *keywords])  # type: ignore[attr-defined]
    explained = "".join(f"    {criterion.name}: {_sentence(criterion.help)}\n" for criterion in CRITERIA)
    if method.__doc__:  # python -OO has none
        method.__doc__ = re.sub(
            r"    criteria: .*\n(?: {8}.*\n)*", lambda _: explained, inspect.cleandoc(method.__doc__)
        )
    return method


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}.".replace("*", "``*``")
