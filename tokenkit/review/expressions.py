"""``--where``: the language of ``DataFrame.query``, cut down to what can only read columns.

``query`` itself evaluates attribute chains, calls and ``@`` names of the calling program, which reach files and code;
and an expression may come from a ticket or a colleague. So nothing is handed to ``eval``: an expression is parsed with
``ast``, and what is walked here is all there is. It knows columns, constants, comparisons, ``and``, ``or``, ``not``
(and ``&``, ``|``, ``~``), ``in``, the four operations, and the calls of ``READING_METHODS``.

Two things are better than in ``query``. Dates compare with times in UTC: ``expiry_time < '2027-01-01'``. And what is
not known is handled alike on every pandas: a comparison with it is neither yes nor no, and only a yes keeps a token.
"""

# ruff: noqa: N815 - ast calls a visitor's methods by the names of its classes

from __future__ import annotations

import ast
import datetime as dt
import io
import operator
import tokenize
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from tokenkit import errors, frames
from tokenkit.review import texts

READING_METHODS = frozenset(
    {
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
    }
)
"""The only calls in an expression. Each reads one column and takes constants."""

_LONGEST = 10_000
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
# As in query, these bind like the words: `a > 1 & b < 2` means (a > 1) and (b < 2).
_WORDS = {"&": "and", "|": "or"}


def check(expression: str) -> None:
    """Raise ``UsageError`` for an expression that does not parse or does more than read, whatever the columns are."""
    _Checker(expression).visit(_parsed(expression))


def where(tokens: pd.DataFrame, expression: str) -> pd.DataFrame:
    """Return the tokens for which an expression over the columns holds.

    Args:
        tokens: Any frame; its columns are the names that the expression may use.
        expression: ``"idle_days > 60 and owner_kind == 'user'"``, ``"'sql' in scopes"``,
            ``"comment.str.contains('ci')"``.

    Raises:
        UsageError: It does not parse, names an unknown column, does more than read, or is not a yes or no for each row.
    """
    tree = _parsed(expression)
    _Checker(expression, tokens.columns).visit(tree)
    try:
        verdict = _value(tree.body, tokens)
        if isinstance(verdict, pd.Series):
            return tokens[truth(_tristate(verdict))]
        problem = "it is not a yes or no for each token"
    except errors.UsageError as error:
        problem = str(error)
    except TypeError:  # numpy's and pandas' own words are of loops and dtypes
        problem = "it compares what does not go together: numbers stand without quotes, texts and dates with them"
    except Exception as failure:  # noqa: BLE001 - pandas raises whatever the operator at fault does
        problem = str(failure).strip().partition("\n")[0]
    raise errors.UsageError(f"The expression {_shown(expression)} cannot be evaluated: {problem.rstrip('.')}.")


def with_constants(expression: str, names: Mapping[str, Any]) -> str:
    """Return an expression in which every ``@name`` is the constant that a variable holds.

    A text becomes a quoted text, whatever is written in it, and a time a text in ISO 8601.

    Args:
        expression: ``"owner == @who and idle_days > @days"``.
        names: The variables.

    Raises:
        UsageError: A variable that is not there, or holds something else than a text, a number, True, False or a time.
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
        return expression  # which does not parse, and is told so
    return tokenize.untokenize(found).strip()


def _constant(name: str, names: Mapping[str, Any]) -> str:
    if name not in names:
        raise errors.UsageError(f"There is no variable {name!r} for @{name}. {errors.did_you_mean(name, names)}")
    value = names[name].item() if isinstance(names[name], np.generic) else names[name]
    kind = type(value)
    if kind in {str, bool, int} or (kind is float and np.isfinite(value)):
        return repr(value)
    if kind in {dt.date, dt.datetime, pd.Timestamp}:
        return repr(value.isoformat())
    raise errors.UsageError(
        f"@{name} holds a {kind.__name__}. An expression takes a text, a number, True, False or a time."
    )


def truth(verdict: pd.Series[Any]) -> pd.Series[bool]:
    """Return a verdict as plain booleans: what is not known is no."""
    return verdict.astype("boolean").fillna(value=False).astype(bool)


def holds(lists: pd.Series[Any], member: str) -> pd.Series[bool]:
    """Return in which lists a text is; an absent list holds nothing."""
    array = texts.array(lists, frames.TEXTS)
    hits = pc.list_parent_indices(array).filter(pc.equal(pc.list_flatten(array), member))
    mask = np.zeros(len(lists), dtype=bool)
    mask[hits.to_numpy()] = True
    return pd.Series(mask, index=lists.index, dtype=bool)


def _parsed(expression: str) -> ast.Expression:
    if len(expression) > _LONGEST:
        raise errors.UsageError(f"The expression is longer than {_LONGEST:,} characters.")
    try:
        words = [
            (tokenize.NAME, _WORDS[text]) if kind == tokenize.OP and text in _WORDS else (kind, text)
            for kind, text, *_ in tokenize.generate_tokens(io.StringIO(expression.strip()).readline)
        ]
        return ast.parse(tokenize.untokenize(words).strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        hint = (
            "Names of variables (@name) are not read." if "@" in expression else "Text goes in quotes; equality is ==."
        )
    raise errors.UsageError(f"The expression {_shown(expression)} does not parse. {hint}")


class _Checker(ast.NodeVisitor):
    """Refuses whatever is not listed here; what it lets through, ``_value`` knows."""

    def __init__(self, expression: str, columns: pd.Index | None = None) -> None:
        self._expression = expression
        self._columns = columns

    def generic_visit(self, node: ast.AST) -> None:
        """Refuse: a node that has no method below."""
        allowed = ", ".join(sorted(READING_METHODS))
        raise errors.UsageError(
            f"The expression {_shown(self._expression)} does more than read columns ({type(node).__name__.lower()}). "
            f"Allowed are columns, constants, comparisons, and {allowed}."
        )

    def _visit_parts(self, node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            self.visit(child)

    visit_Expression = visit_BoolOp = visit_UnaryOp = visit_BinOp = visit_Compare = visit_List = visit_Tuple = (
        _visit_parts
    )

    def _accept(self, node: ast.AST) -> None:
        """Accept: it has no parts."""

    visit_Constant = visit_Load = visit_And = visit_Or = visit_Not = visit_USub = visit_Invert = _accept
    visit_Add = visit_Sub = visit_Mult = visit_Div = visit_In = visit_NotIn = _accept
    visit_Eq = visit_NotEq = visit_Lt = visit_LtE = visit_Gt = visit_GtE = _accept

    def visit_Name(self, node: ast.Name) -> None:
        if self._columns is not None and node.id not in self._columns:
            known = [str(column) for column in self._columns]
            raise errors.UsageError(
                f"There is no column {node.id!r} (text goes in quotes). {errors.did_you_mean(node.id, known)}"
            )

    def visit_Call(self, node: ast.Call) -> None:
        method, target = _method(node)
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        constant = all(isinstance(each, ast.Constant | ast.List | ast.Tuple) for each in arguments)
        named = all(keyword.arg is not None for keyword in node.keywords)
        if method not in READING_METHODS or not isinstance(target, ast.Name | ast.Call) or not constant or not named:
            self.generic_visit(node)
        for part in (target, *arguments):
            self.visit(part)


def _method(call: ast.Call) -> tuple[str, ast.expr]:
    """Return the dotted name of what is called, and what it is called on."""
    chain: list[str] = []
    target: ast.expr = call.func
    while isinstance(target, ast.Attribute):
        chain.insert(0, target.attr)
        target = target.value
    return ".".join(chain), target


def _value(node: ast.expr, tokens: pd.DataFrame) -> Any:  # noqa: ANN401, C901, PLR0911 - a case a kind of node
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return tokens[node.id]
        case ast.List() | ast.Tuple():
            return [_value(each, tokens) for each in node.elts]
        case ast.BoolOp():
            verdicts = [_tristate(_value(each, tokens)) for each in node.values]  # noqa: PD011 - a node of ast
            combine = operator.and_ if isinstance(node.op, ast.And) else operator.or_
            combined = verdicts[0]
            for verdict in verdicts[1:]:
                combined = combine(combined, verdict)
            return combined
        case ast.UnaryOp(op=ast.USub()):
            return -_value(node.operand, tokens)
        case ast.UnaryOp():
            return ~_tristate(_value(node.operand, tokens))
        case ast.BinOp():
            return _ARITHMETIC[type(node.op)](_number(node.left, tokens), _number(node.right, tokens))
        case ast.Compare():
            operands = [_value(each, tokens) for each in (node.left, *node.comparators)]
            pairs = zip(node.ops, operands, operands[1:], strict=False)
            verdicts = [_tristate(_compared(each, left, right)) for each, left, right in pairs]
            combined = verdicts[0]
            for verdict in verdicts[1:]:
                combined = combined & verdict
            return combined
        case ast.Call():
            return _called(node, tokens)
    raise errors.UsageError(f"{type(node).__name__} is not known")  # the checker lets nothing else through


def _compared(how: ast.cmpop, left: Any, right: Any) -> Any:  # noqa: ANN401 - columns or constants
    if isinstance(how, ast.In | ast.NotIn):
        found = _among(left, right)
        return found if isinstance(how, ast.In) else ~_tristate(found)
    if isinstance(right, list) and isinstance(how, ast.Eq | ast.NotEq):  # as query reads it
        found = _among(left, right)
        return found if isinstance(how, ast.Eq) else ~_tristate(found)
    return _COMPARISONS[type(how)](_zoned(left, right), _zoned(right, left))


def _among(left: Any, right: Any) -> Any:  # noqa: ANN401 - columns or constants
    if isinstance(right, pd.Series):
        return holds(right, left)
    # An unknown value is neither among them nor not.
    return left.isin([_zoned(each, left) for each in right]).astype("boolean").mask(left.isna())


def _zoned(value: Any, other: Any) -> Any:  # noqa: ANN401 - columns or constants
    """Return a date as a moment in UTC where it is compared with a column of times."""
    if not (isinstance(value, str) and isinstance(other, pd.Series) and isinstance(other.dtype, pd.DatetimeTZDtype)):
        return value
    try:
        moment = pd.Timestamp(value)
        return moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
    except ValueError:
        problem = f"{value!r} is not a date; write 2026-12-31"
    raise errors.UsageError(problem)


def _number(node: ast.expr, tokens: pd.DataFrame) -> Any:  # noqa: ANN401 - a column or a constant
    value = _value(node, tokens)
    if isinstance(value, str | list) or (isinstance(value, pd.Series) and value.dtype == frames.TEXT):
        raise errors.UsageError("text is not calculated with")
    return value


def _called(node: ast.Call, tokens: pd.DataFrame) -> Any:  # noqa: ANN401 - a column or a verdict
    name, target = _method(node)
    method = _value(target, tokens)
    for part in name.split("."):
        method = getattr(method, part)
    return method(
        *(_value(each, tokens) for each in node.args),
        **{str(keyword.arg): _value(keyword.value, tokens) for keyword in node.keywords},
    )


def _tristate(verdict: Any) -> pd.Series[bool]:  # noqa: ANN401 - what an operator returned
    """Return yes, no and not known."""
    if isinstance(verdict, pd.Series) and (pd.api.types.is_bool_dtype(verdict) or verdict.dtype == object):
        return verdict.astype("boolean")
    raise errors.UsageError("it is not a yes or no for each token")


def _shown(expression: str) -> str:
    return repr(expression if len(expression) <= 80 else expression[:77] + "…")
