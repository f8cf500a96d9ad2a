"""``--where``: a subset of the language of ``DataFrame.query`` that can only read columns.

``query`` evaluates attribute chains, calls and ``@`` names of the calling program, which can reach files and code. An
expression may come from a ticket or a colleague, so nothing is passed to ``eval``. An expression is parsed with ``ast``
and evaluated here. It supports columns, constants, comparisons, ``and``, ``or``, ``not`` (and ``&``, ``|``, ``~``),
``in``, the four arithmetic operations, and the methods in ``READING_METHODS``. Length, depth and time are limited, and
RE2 matches patterns (``patterns``).

It differs from ``query`` in three ways. Dates compare with times in UTC: ``expiry_time < '2027-01-01'``. A comparison
with an unknown value is unknown with every version of pandas, and a token is kept only if the result is true. A
comparison that can never be true is an error, such as a number with text, or ``status`` with an invalid value.

**Why no library?** ``DataFrame.query`` and ``numexpr`` evaluate more than columns, and SQL engines would add a
dependency and another syntax. The limits are 10,000 characters, 1,000 operators, 50 levels and 20 seconds. RE2 matches
most patterns on a million texts in less than a second, and no pattern can take exponential time.
"""

# ruff: noqa: N815 - ast calls a visitor's methods by the names of its classes

from __future__ import annotations

import ast
import functools
import inspect
import io
import operator
import re
import time
import tokenize
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit import errors, frames
from tokenkit.core.arguments import optional
from tokenkit.review import patterns, texts
from tokenkit.review.columns import named
from tokenkit.review.durations import duration
from tokenkit.review.patterns import shortened
from tokenkit.review.values import FIXED

_LONGEST = 10_000
_MOST_OPERATORS = 1_000
_DEEPEST = 50
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
# As in query, & and | bind like `and` and `or`: `a > 1 & b < 2` means (a > 1) and (b < 2).
_BOOLEAN_OPERATORS = {"&": "and", "|": "or"}
_QUOTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\"""")
# Syntax of SQL, C or JSON outside of quotes, and the equivalent in an expression.
_EQUIVALENTS = (
    (r"\b(AND|OR|NOT|IN)\b|&&|\|\||!(?!=)", "Write the operators in lower case: and, or, not, in."),
    (r"\b(true|TRUE|false|FALSE)\b", "Write True or False."),
    (r"\b(null|NULL|Null|nan|NaN|NaT|none|NONE|nil)\b|\b(is|IS)\b", "Write COLUMN.isna() or COLUMN.notna()."),
    (r"(?i)\b(i?like|rlike|regexp)\b", "Write COLUMN.str.contains('text')."),
    (
        r"(?<!\.str)\.(contains|startswith|endswith|fullmatch|lower|upper|len)\b|(?<![\w.])(contains|startswith|endswith)\(",
        "Write COLUMN.str.contains('text').",
    ),
    (r"===|<>", "Write == for equal and != for not equal."),
    (r"\b\d+\s*[hdw]\b", "Write durations as a number of days: idle_days > 60."),
    (r"[\u2018\u2019\u201c\u201d`]", "Use straight quotes around text, and no quotes around columns."),
    (r"@", "Variables (@name) are not supported here."),
)
_TEXT, _NUMBERS, _FLAGS, _TIMES = "text", "numbers", "True or False", "times"
_SPANS, _LISTS, _OTHER = "durations", "lists", "values of several kinds"
_KINDS: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_boolean, _FLAGS),
    (lambda kind: pa.types.is_integer(kind) or pa.types.is_floating(kind), _NUMBERS),
    (lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind), _TEXT),
    (pa.types.is_timestamp, _TIMES),
    (pa.types.is_duration, _SPANS),
    (lambda kind: pa.types.is_list(kind) or pa.types.is_large_list(kind), _LISTS),
)
_FORMS = {
    _TEXT: "Write text in quotes.",
    _NUMBERS: "Write a number without quotes.",
    _FLAGS: "Write True or False, without quotes.",
    _TIMES: "Write a date in quotes: '2026-12-31'.",
    _SPANS: "Write a duration in quotes: '90d'.",
}


def check(expression: str) -> None:
    """Raise ``UsageError`` if an expression does not parse or does more than read columns. Columns are not checked."""
    _Checker(expression).visit(_parsed(expression))


class _InvalidValueError(errors.UsageError):
    """A value that a column never has."""


def where(
    tokens: pd.DataFrame,
    expression: str,
    names: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    on_request: Mapping[str, Callable[[pd.DataFrame], pd.Series[Any]]] = MappingProxyType({}),
) -> pd.DataFrame:
    """Return the tokens for which an expression is true.

    Args:
        tokens: Any frame. The expression can use its columns.
        expression: ``"idle_days > 60 and owner_kind == 'user'"``, ``"'sql' in scopes"``,
            ``"comment.str.contains('ci')"``. Patterns use RE2 syntax, without lookarounds and backreferences.
        names: All values of a column by another name that the expression can use instead, for each such column.
        on_request: Columns that the expression can use although the frame lacks them, with how each is computed.

    Raises:
        UsageError: The expression does not parse, uses an unknown column, does more than read columns, is not a
            condition, compares values that can never be equal (such as a number and text), or takes too long.
    """
    tree = _parsed(expression)
    asked_for = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - {*tokens.columns}
    more = tokens.assign(**{name: compute for name, compute in on_request.items() if name in asked_for})
    _Checker(expression, more.columns).visit(tree)
    try:
        _Naming(names).visit(tree)
        return tokens[truth(_tristate(_Evaluation(more).value(tree.body)))]
    except _InvalidValueError as error:
        raise errors.UsageError(str(error)) from None  # as of a filter; the expression would repeat the value
    except errors.UsageError as error:
        problem = str(error)
    except TypeError:  # the messages of numpy and pandas are about loops and dtypes
        problem = "it combines incompatible types. Write numbers without quotes, and text and dates in quotes"
    except Exception as failure:  # noqa: BLE001 - pandas may raise any error
        problem = str(failure).strip().partition("\n")[0]
    raise errors.UsageError(_sentence(f"Cannot evaluate the expression {shortened(expression)}: {problem}"))


def truth(condition: pd.Series[Any]) -> pd.Series[bool]:
    """Return a condition as plain booleans, with False for unknown."""
    return condition.astype("boolean").fillna(value=False).astype(bool)


def holds(lists: pd.Series[Any], member: str) -> pd.Series[bool]:
    """Return which lists contain a text. A missing list does not."""
    array = texts.array(lists, frames.TEXTS)
    value = pa.scalar(member.encode("utf-8", "replace").decode(), pa.string())  # no list contains half a surrogate
    hits = pc.list_parent_indices(array).filter(pc.equal(pc.list_flatten(array), value))
    mask = np.zeros(len(lists), dtype=bool)
    mask[hits.to_numpy()] = True
    return pd.Series(mask, index=lists.index, dtype=bool)


def _parsed(expression: str) -> ast.Expression:
    optional("An expression", expression, str)
    if not expression.strip():  # probably from an unset variable; without an expression every token would be kept
        raise errors.UsageError("The expression is empty. Omit it to select all tokens.")
    if len(expression) > _LONGEST:
        raise errors.UsageError(f"The expression is longer than {_LONGEST:,} characters.")
    try:
        lexemes = [
            (tokenize.NAME, _BOOLEAN_OPERATORS[text])
            if kind == tokenize.OP and text in _BOOLEAN_OPERATORS
            else (kind, text)
            for kind, text, *_ in tokenize.generate_tokens(io.StringIO(expression.strip()).readline)
        ]
        # Counted before parsing, because the parser is recursive.
        if sum(kind in {tokenize.OP, tokenize.NAME} and text != "," for kind, text in lexemes) > _MOST_OPERATORS:
            problem = (
                f"has more than {_MOST_OPERATORS:,} names and operators. Write COLUMN in ['a', 'b'] for many values"
            )
        elif _is_deep(tree := ast.parse(tokenize.untokenize(lexemes).strip(), mode="eval")):
            problem = f"is nested more than {_DEEPEST} deep"
        else:
            return tree
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        problem = f"does not parse. {_equivalent(expression)} Write text in quotes, and == for equal.".replace(
            "  ", " "
        )
    raise errors.UsageError(_sentence(f"The expression {shortened(expression)} {problem}"))


def _is_deep(tree: ast.AST) -> bool:
    level: list[ast.AST] = [tree]
    for _ in range(_DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return bool(level)


def _equivalent(expression: str) -> str:
    """Return how to write the syntax of other languages that an expression contains, or an empty text."""
    outside_quotes = _QUOTED.sub("''", expression)
    return " ".join(form for pattern, form in _EQUIVALENTS if re.search(pattern, outside_quotes))


_Operand = Any  # a column or a constant


class _Checker(ast.NodeVisitor):
    """Rejects every node without a method here. ``_Evaluation`` supports all others."""

    def __init__(self, expression: str, columns: pd.Index | None = None) -> None:
        self._expression = expression
        self._columns = columns

    def generic_visit(self, node: ast.AST) -> None:
        """Reject a node that has no method below."""
        allowed = ", ".join(sorted(READING_METHODS))
        form = _equivalent(self._expression) or f"Supported are columns, constants, comparisons, and {allowed}."
        raise errors.UsageError(
            f"The expression {shortened(self._expression)} does more than read columns "
            f"({type(node).__name__.lower()}). {form}"
        )

    def _visit_parts(self, node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            self.visit(child)

    visit_Expression = visit_BoolOp = visit_UnaryOp = visit_BinOp = visit_Compare = _visit_parts

    def _accept(self, node: ast.AST) -> None:
        """Accept a node without parts."""

    visit_And = visit_Or = visit_Not = visit_USub = visit_Invert = visit_In = visit_NotIn = _accept
    visit_Add = visit_Sub = visit_Mult = visit_Div = _accept
    visit_Eq = visit_NotEq = visit_Lt = visit_LtE = visit_Gt = visit_GtE = _accept

    def visit_Constant(self, node: ast.Constant) -> None:
        if not isinstance(node.value, str | int | float | None):  # bytes could be multiplied without limit
            self.generic_visit(node)
        if isinstance(node.value, int) and node.value.bit_length() >= 64:
            raise errors.UsageError(
                f"The expression {shortened(self._expression)} contains a number beyond 64 bits. Use a smaller number."
            )

    def visit_List(self, node: ast.List | ast.Tuple) -> None:
        for element in node.elts:
            if not _is_single_constant(element):
                self.generic_visit(element)
            self.visit(element)

    visit_Tuple = visit_List

    def visit_Name(self, node: ast.Name) -> None:
        if self._columns is not None and node.id not in self._columns:
            known = [str(column) for column in self._columns]
            headings = named(node.id, known)
            meant = f"Did you mean {' or '.join(headings)}?" if headings else errors.did_you_mean(node.id, known)
            hint = _equivalent(node.id) or meant
            raise errors.UsageError(f"Unknown column {node.id!r} (write text in quotes). {hint}")

    def visit_Call(self, node: ast.Call) -> None:
        name, target = _method(node)
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        constant = all(isinstance(item, ast.List | ast.Tuple) or _is_single_constant(item) for item in arguments)
        named = all(keyword.arg is not None for keyword in node.keywords)
        if name not in READING_METHODS or not isinstance(target, ast.Name | ast.Call) or not constant or not named:
            self.generic_visit(node)
        for part in (target, *arguments):
            self.visit(part)
        positional, keywords = _arguments(node)
        signature = inspect.signature(READING_METHODS[name])
        try:
            given = signature.bind(None, None, *positional, **keywords)
        except TypeError as mismatch:
            problem = str(mismatch)
        else:
            if name in _PATTERNED and given.arguments.get("regex", True):
                patterns.check(_pattern(given.arguments["pat"]))
            return
        takes = ", ".join(list(signature.parameters)[2:]) or "nothing"
        raise errors.UsageError(f"The expression {shortened(self._expression)}: {problem}. {name} takes {takes}.")


def _method(call: ast.Call) -> tuple[str, ast.expr]:
    """Return the dotted name of a method, and the expression that it is called on."""
    chain: list[str] = []
    target: ast.expr = call.func
    while isinstance(target, ast.Attribute):
        chain.insert(0, target.attr)
        target = target.value
    return ".".join(chain), target


def _arguments(call: ast.Call) -> tuple[list[Any], dict[str, Any]]:
    """Return the constant arguments of a call."""
    return (
        [ast.literal_eval(argument) for argument in call.args],
        {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords},
    )


def _is_single_constant(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return isinstance(node.operand, ast.Constant) and type(node.operand.value) in {int, float}
    return isinstance(node, ast.Constant)


class _Naming(ast.NodeVisitor):
    """Replaces the names of values by the values, where a column is compared with them."""

    def __init__(self, names: Mapping[str, Mapping[str, str]]) -> None:
        self._names = names

    def visit_Compare(self, node: ast.Compare) -> None:
        self._replace([node.left, *node.comparators])
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name, target = _method(node)
        if name == "isin":
            self._replace([target, *node.args, *(keyword.value for keyword in node.keywords)])
        self.generic_visit(node)

    def _replace(self, operands: list[ast.expr]) -> None:
        columns = [operand.id for operand in operands if isinstance(operand, ast.Name) and operand.id in self._names]
        constants = [element for operand in operands for element in getattr(operand, "elts", [operand])]
        for column in columns:
            for constant in constants:
                if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
                    constant.value = self._value(column, constant.value)

    def _value(self, column: str, name: str) -> str:
        values = self._names[column]
        if name not in values and name not in values.values():
            raise _InvalidValueError(f"Invalid {column}: {name!r}. {errors.did_you_mean(name, values)}")
        return values.get(name, name)


class _Evaluation:
    """Evaluates the nodes of an expression over the columns of a frame."""

    def __init__(self, tokens: pd.DataFrame) -> None:
        self._tokens = tokens
        self._ends = time.monotonic() + patterns.LONGEST_SECONDS

    def value(self, node: ast.expr) -> Any:  # noqa: ANN401, C901, PLR0911 - one case per type of node
        """Return a column or a constant."""
        if time.monotonic() > self._ends:
            raise errors.UsageError("it takes too long. Use a simpler expression")
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return self._tokens[node.id]
            case ast.List() | ast.Tuple():
                return [self.value(element) for element in node.elts]
            case ast.BoolOp():
                combine = operator.and_ if isinstance(node.op, ast.And) else operator.or_
                conditions = [_tristate(self.value(part)) for part in node.values]  # noqa: PD011 - a node of ast
                return functools.reduce(combine, conditions)
            case ast.UnaryOp(op=ast.USub()):
                return -_number(self.value(node.operand))
            case ast.UnaryOp():
                return ~_tristate(self.value(node.operand))
            case ast.BinOp():
                return _ARITHMETIC[type(node.op)](_number(self.value(node.left)), _number(self.value(node.right)))
            case ast.Compare():
                operands = [self.value(operand) for operand in (node.left, *node.comparators)]
                pairs = zip(node.ops, operands, operands[1:], strict=False)
                return functools.reduce(operator.and_, [_tristate(_compared(*pair)) for pair in pairs])
            case ast.Call():
                name, target = _method(node)
                positional, keywords = _arguments(node)
                return READING_METHODS[name](self, self.value(target), *positional, **keywords)
        raise errors.UsageError(f"unsupported {type(node).__name__}")  # the checker rejects all other nodes

    def contains(
        self, column: _Operand, pat: str, *, case: bool = True, na: bool = False, regex: bool = True
    ) -> pd.Series[bool]:
        pattern = _pattern(pat) if regex else re.escape(_pattern(pat))
        return _known(patterns.found(_texts(column), pattern, ignore_case=not case, ends=self._ends), column, na=na)

    def fullmatch(self, column: _Operand, pat: str, *, case: bool = True, na: bool = False) -> pd.Series[bool]:
        found = patterns.found(_texts(column), _pattern(pat), whole=True, ignore_case=not case, ends=self._ends)
        return _known(found, column, na=na)

    def startswith(self, column: _Operand, pat: str | list[str], *, na: bool = False) -> pd.Series[bool]:
        return _known(_texts(column).str.startswith(_beginnings(pat)), column, na=na)

    def endswith(self, column: _Operand, pat: str | list[str], *, na: bool = False) -> pd.Series[bool]:
        return _known(_texts(column).str.endswith(_beginnings(pat)), column, na=na)

    # Without the column's name, because the results may have values that the column cannot have.
    def lower(self, column: _Operand) -> pd.Series[str]:
        return _texts(column).str.lower().rename(None)

    def upper(self, column: _Operand) -> pd.Series[str]:
        return _texts(column).str.upper().rename(None)

    def len(self, column: _Operand) -> pd.Series[int]:
        return _texts(column).str.len().rename(None)

    def isna(self, column: _Operand) -> pd.Series[bool]:
        return column.isna()

    def notna(self, column: _Operand) -> pd.Series[bool]:
        return column.notna()

    def between(self, column: _Operand, left: _Operand, right: _Operand, *, inclusive: str = "both") -> pd.Series[bool]:
        if inclusive not in _INCLUSIVE:
            raise errors.UsageError(
                f"Invalid inclusive: {inclusive!r}. {errors.did_you_mean(str(inclusive), _INCLUSIVE)}"
            )
        above, below = _INCLUSIVE[inclusive]
        return _tristate(_compared(above, column, left)) & _tristate(_compared(below, column, right))

    def isin(self, column: _Operand, values: list[Any]) -> pd.Series[bool]:
        return _among(column, values)


_PATTERNED = {"str.contains", "str.fullmatch"}
_INCLUSIVE = {
    "both": (ast.GtE(), ast.LtE()),
    "neither": (ast.Gt(), ast.Lt()),
    "left": (ast.GtE(), ast.Lt()),
    "right": (ast.Gt(), ast.LtE()),
}
READING_METHODS: Mapping[str, Callable[..., Any]] = {
    name: getattr(_Evaluation, name.removeprefix("str."))
    for name in (
        *("str.contains", "str.startswith", "str.endswith", "str.fullmatch", "str.lower", "str.upper", "str.len"),
        *("isna", "notna", "between", "isin"),
    )
}
"""The only methods that an expression can call. Each reads one column and takes constants."""


def _compared(how: ast.cmpop, left: _Operand, right: _Operand) -> Any:  # noqa: ANN401 - the result of pandas
    if isinstance(how, ast.In | ast.NotIn) or (isinstance(right, list) and isinstance(how, ast.Eq | ast.NotEq)):
        found = _among(left, right)  # == and != with a list, as in query
        return found if isinstance(how, ast.In | ast.Eq) else ~_tristate(found)
    if isinstance(left, pd.Series):
        return _COMPARISONS[type(how)](left, _fitted(right, left))
    if isinstance(right, pd.Series):
        return _COMPARISONS[type(how)](_fitted(left, right), right)
    return None


def _among(left: _Operand, right: _Operand) -> pd.Series[bool]:
    """Return the rows whose value is among constants, or whose list contains a text."""
    if isinstance(right, pd.Series):
        if _kind(right) == _LISTS:
            if isinstance(left, str):
                return holds(right, left)
            raise _of_lists(right)
        form = f"{_name(right)}.str.contains('text')" if _kind(right) == _TEXT else f"{_name(right)} == …"
        raise errors.UsageError(f"{_name(right)} does not hold lists. Write {form}")
    if not isinstance(right, list) or not isinstance(left, pd.Series):
        raise errors.UsageError("in requires a column and a list. Write COLUMN in ['a', 'b']")
    if _kind(left) == _LISTS:
        raise _of_lists(left, *right[:1])
    # For an unknown value the result is unknown.
    return left.isin([_fitted(value, left) for value in right]).astype("boolean").mask(left.isna())


def _of_lists(column: pd.Series[Any], text: object = "text") -> errors.UsageError:
    return errors.UsageError(f"{_name(column)} holds lists. Write {text!r} in {_name(column)}")


def _fitted(value: _Operand, column: pd.Series[Any]) -> Any:  # noqa: ANN401 - a column or a constant
    """Return a value converted for the comparison with a column: a date becomes a time in UTC.

    Raises:
        UsageError: The value can never be equal to a value of the column.
    """
    kind = _kind(column)
    if kind == _LISTS:
        raise _of_lists(column, value if isinstance(value, str) else "text")
    if _kind(value) == _LISTS:
        raise _of_lists(value)
    if value is None:
        raise errors.UsageError(f"No value is equal to None. Write {_name(column)}.isna().")
    if isinstance(value, str) and kind == _TIMES:
        return _moment(value)
    if isinstance(value, str) and kind == _SPANS:
        return duration(value)
    if _OTHER not in {kind, _kind(value)} and _kind(value) != kind:
        raise errors.UsageError(f"{_name(column)} holds {kind}, not {_kind(value)}. {_FORMS[kind]}")
    possible = FIXED.get(str(column.name), ())
    if (
        possible and isinstance(value, str) and value not in {*possible, *column.dropna().unique()}
    ):  # a newer server may add values
        raise _InvalidValueError(f"Invalid {column.name}: {value!r}. {errors.did_you_mean(value, possible)}")
    return value


def _moment(text: str) -> pd.Timestamp:
    try:
        moment = pd.Timestamp(text)
        if pd.isna(moment):
            raise ValueError  # noqa: TRY301 - handled like other invalid dates
        return moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
    except ValueError:
        problem = f"{text!r} is not a date. Write 2026-12-31"
    raise errors.UsageError(problem)


def _kind(operand: _Operand) -> str:
    """Return the type of a column or a constant, as messages name it."""
    if not isinstance(operand, pd.Series):
        constants = ((bool, _FLAGS), (int | float, _NUMBERS), (str, _TEXT))
        return next((kind for type_, kind in constants if isinstance(operand, type_)), _OTHER)
    objects = operand.dtype == object  # their values must be inspected
    try:
        found = pa.array((operand if objects else operand.head(0)).array, from_pandas=True).type
    except (pa.ArrowException, OverflowError):
        return _OTHER
    return next((kind for is_kind, kind in _KINDS if is_kind(found)), _OTHER)


def _name(column: pd.Series[Any]) -> str:
    return "it" if column.name is None else str(column.name)


def _texts(column: _Operand) -> pd.Series[str]:
    if _kind(column) == _LISTS:
        raise _of_lists(column)
    if _kind(column) != _TEXT:
        raise errors.UsageError(f"{_name(column)} holds {_kind(column)}. Only text has str methods")
    return column


def _pattern(pat: object) -> str:
    if not isinstance(pat, str):
        raise errors.UsageError(f"Invalid pattern {pat!r}. {_FORMS[_TEXT]}")
    return pat


def _beginnings(pat: object) -> str | tuple[str, ...]:
    return tuple(map(_pattern, pat)) if isinstance(pat, list | tuple) else _pattern(pat)


def _known(found: pd.Series[bool], column: pd.Series[Any], *, na: bool) -> pd.Series[bool]:
    if not isinstance(na, bool):
        raise errors.UsageError(f"Invalid na: {na!r}. {_FORMS[_FLAGS]}")
    return found.astype(bool).mask(column.isna(), na)


def _number(value: _Operand) -> Any:  # noqa: ANN401 - a column or a constant
    if isinstance(value, list) or _kind(value) not in {_NUMBERS, _TIMES, _SPANS}:
        raise errors.UsageError("Arithmetic requires numbers or times")
    return value


def _tristate(condition: Any) -> pd.Series[bool]:  # noqa: ANN401 - the result of an operator
    """Return a condition as true, false and unknown."""
    if isinstance(condition, pd.Series) and (pd.api.types.is_bool_dtype(condition) or condition.dtype == object):
        return condition.astype("boolean")
    raise errors.UsageError("it is not a condition. Compare the column with a value")


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."
