"""Which tokens are meant: the filters that Python, the magic and the shell share, in one table.

A filter is a keyword in Python (``owner=``), an option in a command (``--owner``), and a mask over the frame. ``where``
is for everything else: an expression in the language of ``DataFrame.query``, cut down to what cannot do more than read
columns.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit import errors, frames
from tokenkit.review.durations import duration


@dataclass(frozen=True)
class Filter:
    """One way to choose tokens.

    Attributes:
        name: The keyword in Python; with hyphens, the option in a command.
        help: What it keeps.
        mask: From a listing with the derived columns and the filter's value to the rows that it keeps.
        metavar: What the value is called; None for a switch, whose value is True.
        choices: The values that it takes, where they are few.
        read: Makes the value of what was typed, or raises ``UsageError``; what it made, it takes as well.
    """

    name: str
    help: str
    mask: Callable[[pd.DataFrame, Any], pd.Series[bool]]
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    read: Callable[[Any], Any] = str


def has_scope(tokens: pd.DataFrame, scope: str) -> pd.Series[bool]:
    """Return which tokens were granted a scope; a token without scopes has none of them."""
    lists = pa.array(tokens["scopes"].array, frames.TEXTS)
    if isinstance(lists, pa.ChunkedArray):
        lists = lists.combine_chunks()
    hits = pc.list_parent_indices(lists).filter(pc.equal(pc.list_flatten(lists), scope))
    mask = np.zeros(len(tokens), dtype=bool)
    mask[hits.to_numpy()] = True
    return pd.Series(mask, index=tokens.index, dtype=bool)


def _owner(tokens: pd.DataFrame, pattern: str) -> pd.Series[bool]:
    # Arrow's regular expressions are RE2, which does not know all that fnmatch.translate writes.
    regex = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    named = _truth(tokens["owner"].str.fullmatch(f"(?s:{regex})", case=False))
    return named | (tokens["owner_id"].astype(frames.TEXT) == pattern)


def _comment(tokens: pd.DataFrame, text: str) -> pd.Series[bool]:
    return tokens["comment"].str.contains(re.escape(text), case=False, regex=True)


def _status(tokens: pd.DataFrame, status: str) -> pd.Series[bool]:
    return tokens["status"] == status


def _idle(tokens: pd.DataFrame, span: pd.Timedelta) -> pd.Series[bool]:
    return tokens["idle_days"] >= span / _DAY


def _expires_in(tokens: pd.DataFrame, span: pd.Timedelta) -> pd.Series[bool]:
    return tokens["expires_in_days"].between(0, span / _DAY)


def _never_expires(tokens: pd.DataFrame, wanted: bool) -> pd.Series[bool]:  # noqa: FBT001 - a filter's value
    return tokens["never_expires"] == wanted


def _truth(verdict: pd.Series[Any]) -> pd.Series[bool]:
    """Return a verdict as plain booleans: what is not known is no."""
    return verdict.astype("boolean").fillna(value=False).astype(bool)


_DAY = pd.Timedelta(days=1)
FILTERS: tuple[Filter, ...] = (
    Filter("owner", "whose owner has this name or id; * and ? stand for any text", _owner, "NAME"),
    Filter("status", "that still work, or that expired", _status, "STATUS", choices=("active", "expired")),
    Filter("idle", "not used for at least so long (since they were made, if never)", _idle, "90d", read=duration),
    Filter(
        "expires_in",
        "that expire within so long; those that expired already are left out",
        _expires_in,
        "30d",
        read=duration,
    ),
    Filter("never_expires", "without an expiry", _never_expires, read=bool),
    Filter("scope", "that were granted this scope", has_scope, "SCOPE"),
    Filter("comment", "whose comment contains this text, in any case", _comment, "TEXT"),
)
_BY_NAME = {each.name: each for each in FILTERS}


def check(expression: str | None, criteria: Mapping[str, Any]) -> dict[str, Any]:
    """Return the criteria that keep less than everything, their values read; so what is wrong shows before any request.

    Raises:
        UsageError: An unknown filter, a value that it cannot take, an expression that does not parse or does more than
            read. Only a wrong column is not found here, as the server may add columns.
    """
    if expression:
        _parsed(expression)
    values = {}
    for name, given in criteria.items():
        if name not in _BY_NAME:
            raise errors.UsageError(f"There is no filter {name!r}. {errors.did_you_mean(name, _BY_NAME)}")
        if given is not None:
            values[name] = _BY_NAME[name].read(given)
            if (choices := _BY_NAME[name].choices) and values[name] not in choices:
                known = errors.did_you_mean(values[name], choices)
                raise errors.UsageError(f"{name} cannot be {values[name]!r}. {known}")
    return values


def matching(tokens: pd.DataFrame, **criteria: Any) -> pd.DataFrame:  # noqa: ANN401 - each filter has its own kind of value
    """Return the tokens that every criterion keeps. One that is None keeps all; so does giving none.

    Args:
        tokens: A listing with the derived columns, as ``Workspace.tokens`` returns it.
        criteria: The names of ``FILTERS`` with their values.

    Raises:
        UsageError: An unknown filter, or a value that it cannot take.
    """
    for name, value in check(None, criteria).items():
        tokens = tokens[_truth(_BY_NAME[name].mask(tokens, value))]
    return tokens


def where(tokens: pd.DataFrame, expression: str) -> pd.DataFrame:
    """Return the tokens for which an expression over the columns holds.

    The language is that of ``DataFrame.query``: comparisons, ``and``, ``or``, ``not``, ``in``, arithmetic, dates as
    text (``expiry_time < '2027-01-01'``). ``query`` itself evaluates attribute chains and ``@`` names of the calling
    program, which reach files and code; an expression may come from a ticket or a colleague, so it is parsed first and
    may hold nothing but columns, constants, operators, and the methods of ``READING_METHODS``, such as
    ``comment.str.contains('ci')``.

    Raises:
        UsageError: It does not parse, names an unknown column, does more than read, or is not a yes or no for each row.
    """
    tree = _parsed(expression, tokens.columns)
    # What is evaluated is written from what was checked, so no difference between two parsers lets anything past.
    checked = ast.unparse(_ZonedTimes(tokens, expression).visit(tree))
    try:
        verdict = tokens.eval(checked, engine="python", parser="pandas")
    except Exception as failure:  # noqa: BLE001 - pandas raises whatever the operator at fault does
        problem = str(failure).strip().partition("\n")[0]
    else:
        if isinstance(verdict, pd.Series) and (pd.api.types.is_bool_dtype(verdict) or verdict.dtype == object):
            return tokens[_truth(verdict)]
        problem = "it is not a yes or no for each token"
    raise errors.UsageError(f"The expression {_shown(expression)} cannot be evaluated: {problem}.")


class _ZonedTimes(ast.NodeTransformer):
    """Gives the dates that are compared with a column of times their zone; ``eval`` refuses to compare them without."""

    def __init__(self, tokens: pd.DataFrame, expression: str) -> None:
        self._times = set(tokens.select_dtypes("datetimetz").columns)
        self._expression = expression

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        operands = [node.left, *node.comparators]
        if any(isinstance(operand, ast.Name) and operand.id in self._times for operand in operands):
            node.left, *node.comparators = (self._zoned(operand) for operand in operands)
        return self.generic_visit(node)

    def _zoned(self, operand: ast.expr) -> ast.expr:
        if not (isinstance(operand, ast.Constant) and isinstance(operand.value, str)):
            return operand
        try:
            moment = pd.Timestamp(operand.value)
            zoned = moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
        except ValueError:
            problem = f"{operand.value!r} is not a date; write 2026-12-31"
            raise errors.UsageError(
                f"The expression {_shown(self._expression)} cannot be evaluated: {problem}."
            ) from None
        return ast.copy_location(ast.Constant(zoned.isoformat()), operand)


READING_METHODS = frozenset(
    [
        "str.contains",
        "str.startswith",
        "str.endswith",
        "str.fullmatch",
        "str.lower",
        "str.upper",
        "str.len",
        "isna",
        "notna",
        "between",
        "isin",
    ]
)
"""The only calls in an expression. Each reads one column and takes constants."""

_OPERATORS = (
    ast.And, ast.Or, ast.Not, ast.USub, ast.Invert, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.BitAnd, ast.BitOr,
    ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn,
)  # fmt: skip
_STRUCTURE = (
    ast.Expression,
    ast.BoolOp,
    ast.UnaryOp,
    ast.BinOp,
    ast.Compare,
    ast.List,
    ast.Tuple,
    ast.Constant,
    ast.Load,
)
_LONGEST_EXPRESSION = 10_000


def _parsed(expression: str, columns: pd.Index | None = None) -> ast.Expression:
    """Return the tree of an expression that does no more than read these columns, or any if they are not known yet."""
    if len(expression) > _LONGEST_EXPRESSION:
        raise errors.UsageError(f"The expression is longer than {_LONGEST_EXPRESSION:,} characters.")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        hint = (
            " Names of variables (@name) are not read."
            if "@" in expression
            else " Text goes in quotes; equality is ==."
        )
        raise errors.UsageError(f"The expression {_shown(expression)} does not parse.{hint}") from None
    allowed_calls: set[ast.AST] = set()
    for node in ast.walk(tree):  # parents come before their children
        if isinstance(node, ast.Call):
            allowed_calls |= _reading_call(node)
        if isinstance(node, ast.Name) and columns is not None and node.id not in columns:
            known = [str(column) for column in columns]
            raise errors.UsageError(f"There is no column {node.id!r}. {errors.did_you_mean(node.id, known)}")
        if not isinstance(node, (*_OPERATORS, *_STRUCTURE, ast.Name)) and node not in allowed_calls:
            raise errors.UsageError(
                f"The expression {_shown(expression)} does more than read columns ({type(node).__name__.lower()}). "
                f"Allowed are columns, constants, comparisons, and {', '.join(sorted(READING_METHODS))}."
            )
    return tree


def _reading_call(call: ast.Call) -> set[ast.AST]:
    """Return the nodes of a call that is one of ``READING_METHODS`` on a column, or nothing."""
    chain: list[str] = []
    nodes: set[ast.AST] = {call, *call.keywords}
    target: ast.expr = call.func
    while isinstance(target, ast.Attribute):
        chain.insert(0, target.attr)
        nodes.add(target)
        target = target.value
    # lower and upper may stand before another method: comment.str.lower().str.contains('ci')
    on_column = isinstance(target, ast.Name | ast.Call)
    return nodes if on_column and ".".join(chain) in READING_METHODS else set()


def _shown(expression: str) -> str:
    return repr(expression if len(expression) <= 80 else expression[:77] + "…")
