"""``--where``: the language of ``DataFrame.query``, cut down to what can only read columns.

``query`` itself evaluates attribute chains, calls and ``@`` names of the calling program, which reach files and code;
and an expression may come from a ticket or a colleague. So nothing is handed to ``eval``: an expression is parsed with
``ast``, and what is walked here is all there is. It knows columns, constants, comparisons, ``and``, ``or``, ``not``
(and ``&``, ``|``, ``~``), ``in``, the four operations, and the calls of ``READING_METHODS``. Its length, its depth and
its time are bounded, and patterns are matched by RE2 (``patterns``).

Three things are better than in ``query``. Dates compare with times in UTC: ``expiry_time < '2027-01-01'``. What is not
known is handled alike on every pandas: a comparison with it is neither yes nor no, and only a yes keeps a token. And a
comparison that can never hold, of a number with text or of ``status`` with a value that it cannot have, is an error.
"""

# ruff: noqa: N815 - ast calls a visitor's methods by the names of its classes

from __future__ import annotations

import ast
import datetime as dt
import functools
import inspect
import io
import operator
import re
import time
import tokenize
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit import errors, frames
from tokenkit.review import patterns, texts
from tokenkit.review.durations import duration
from tokenkit.review.patterns import shortened
from tokenkit.review.values import FIXED

_LONGEST = 10_000
_MOST_OPERATORS = 1_000
_DEEPEST = 50
_MOST_BITS = 64
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
_QUOTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\"""")
# What is written in SQL, C or JSON, outside of quotes, and its right form.
_RIGHT_FORMS = (
    (r"\b(AND|OR|NOT|IN)\b|&&|\|\||!(?!=)", "Write and, or, not and in, in lower case."),
    (r"\b(true|TRUE|false|FALSE)\b", "Write True or False."),
    (r"\b(null|NULL|Null|nan|NaN|NaT|none|NONE|nil)\b|\b(is|IS)\b", "Write COLUMN.isna() or COLUMN.notna()."),
    (r"(?i)\b(i?like|rlike|regexp)\b", "Write COLUMN.str.contains('text')."),
    (
        r"(?<!\.str)\.(contains|startswith|endswith|fullmatch|lower|upper|len)\b|(?<![\w.])(contains|startswith|endswith)\(",
        "Write COLUMN.str.contains('text').",
    ),
    (r"===|<>", "Equality is ==, its opposite is !=."),
    (r"\b\d+\s*[hdw]\b", "Durations are numbers of days: idle_days > 60."),
    (r"[\u2018\u2019\u201c\u201d`]", "Write straight quotes around text, and none around columns."),
    (r"@", "Names of variables (@name) are not read here."),
)
_TEXT, _NUMBERS, _FLAGS, _TIMES, _SPANS, _LISTS, _OTHER = (
    "text",
    "numbers",
    "True or False",
    "times",
    "durations",
    "lists",
    "values of several kinds",
)
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
    """Raise ``UsageError`` for an expression that does not parse or does more than read, whatever the columns are."""
    _Checker(expression).visit(_parsed(expression))


def where(tokens: pd.DataFrame, expression: str) -> pd.DataFrame:
    """Return the tokens for which an expression over the columns holds.

    Args:
        tokens: Any frame; its columns are the names that the expression may use.
        expression: ``"idle_days > 60 and owner_kind == 'user'"``, ``"'sql' in scopes"``,
            ``"comment.str.contains('ci')"``. Patterns are RE2's: without lookarounds and backreferences.

    Raises:
        UsageError: It does not parse, names an unknown column, does more than read, or is not a yes or no for each row;
            it compares what can never be equal, such as a number and text; it takes too long.
    """
    tree = _parsed(expression)
    _Checker(expression, tokens.columns).visit(tree)
    try:
        return tokens[truth(_tristate(_Evaluation(tokens).value(tree.body)))]
    except errors.UsageError as error:
        problem = str(error)
    except TypeError:  # numpy's and pandas' own words are of loops and dtypes
        problem = "it combines what does not go together: write numbers without quotes, text and dates in quotes"
    except Exception as failure:  # noqa: BLE001 - pandas raises whatever the operator at fault does
        problem = str(failure).strip().partition("\n")[0]
    raise errors.UsageError(_sentence(f"The expression {shortened(expression)} cannot be evaluated: {problem}"))


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
    value = scalar(names[name])
    kind = type(value)
    if kind in {str, bool, int} or (kind is float and np.isfinite(value)):
        return repr(value)
    if kind in {dt.date, dt.datetime, pd.Timestamp}:
        return repr(value.isoformat())
    raise errors.UsageError(
        f"@{name} holds a {kind.__name__}. An expression takes a text, a number, True, False or a time."
    )


def scalar(value: Any) -> Any:  # noqa: ANN401 - of any variable
    """Return a text or a number of numpy's as Python's, and a time as pandas'; everything else as it is.

    Raises:
        UsageError: A number beyond 64 bits, which no column holds and Python may refuse to write out.
    """
    if isinstance(value, np.datetime64):
        return pd.Timestamp(value)
    if isinstance(value, np.generic) and not isinstance(value, np.timedelta64):  # whose item() is a bare number
        return scalar(value.item()) if type(value) is not type(value.item()) else value
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise errors.UsageError("A variable holds a number beyond 64 bits.")
    return value


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
    if not expression.strip():  # of a variable that is not set; no expression at all would keep every token
        raise errors.UsageError("The expression is empty. Leave it out where none is meant.")
    if len(expression) > _LONGEST:
        raise errors.UsageError(f"The expression is longer than {_LONGEST:,} characters.")
    try:
        words = [
            (tokenize.NAME, _WORDS[text]) if kind == tokenize.OP and text in _WORDS else (kind, text)
            for kind, text, *_ in tokenize.generate_tokens(io.StringIO(expression.strip()).readline)
        ]
        # Counted before anything is parsed, as the parser itself calls itself for each.
        if sum(kind in {tokenize.OP, tokenize.NAME} and text != "," for kind, text in words) > _MOST_OPERATORS:
            problem = (
                f"has more than {_MOST_OPERATORS:,} names and operators. Write COLUMN in ['a', 'b'] for many values"
            )
        elif _is_deep(tree := ast.parse(tokenize.untokenize(words).strip(), mode="eval")):
            problem = f"is nested more than {_DEEPEST} deep"
        else:
            return tree
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        problem = f"does not parse. {_right_form(expression)} Text goes in quotes; equality is ==.".replace("  ", " ")
    raise errors.UsageError(_sentence(f"The expression {shortened(expression)} {problem}"))


def _is_deep(tree: ast.AST) -> bool:
    level: list[ast.AST] = [tree]
    for _ in range(_DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return bool(level)


def _right_form(expression: str) -> str:
    """Return how to write what an expression has of another language; nothing where it has nothing of one."""
    outside_quotes = _QUOTED.sub("''", expression)
    return " ".join(form for pattern, form in _RIGHT_FORMS if re.search(pattern, outside_quotes))


_Operand = Any  # a column or a constant


class _Checker(ast.NodeVisitor):
    """Refuses whatever is not listed here; what it lets through, ``_Evaluation`` knows."""

    def __init__(self, expression: str, columns: pd.Index | None = None) -> None:
        self._expression = expression
        self._columns = columns

    def generic_visit(self, node: ast.AST) -> None:
        """Refuse: a node that has no method below."""
        allowed = ", ".join(sorted(READING_METHODS))
        form = _right_form(self._expression) or f"Allowed are columns, constants, comparisons, and {allowed}."
        raise errors.UsageError(
            f"The expression {shortened(self._expression)} does more than read columns "
            f"({type(node).__name__.lower()}). {form}"
        )

    def _visit_parts(self, node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            self.visit(child)

    visit_Expression = visit_BoolOp = visit_UnaryOp = visit_BinOp = visit_Compare = _visit_parts

    def _accept(self, node: ast.AST) -> None:
        """Accept: it has no parts."""

    visit_And = visit_Or = visit_Not = visit_USub = visit_Invert = visit_In = visit_NotIn = _accept
    visit_Add = visit_Sub = visit_Mult = visit_Div = _accept
    visit_Eq = visit_NotEq = visit_Lt = visit_LtE = visit_Gt = visit_GtE = _accept

    def visit_Constant(self, node: ast.Constant) -> None:
        if not isinstance(node.value, str | int | float | None):  # bytes could be multiplied without end
            self.generic_visit(node)
        if isinstance(node.value, int) and node.value.bit_length() >= 64:
            raise errors.UsageError(f"The expression {shortened(self._expression)} has a number beyond 64 bits.")

    def visit_List(self, node: ast.List | ast.Tuple) -> None:
        for element in node.elts:
            if not _is_single_constant(element):
                self.generic_visit(element)
            self.visit(element)

    visit_Tuple = visit_List

    def visit_Name(self, node: ast.Name) -> None:
        if self._columns is not None and node.id not in self._columns:
            known = [str(column) for column in self._columns]
            hint = _right_form(node.id) or errors.did_you_mean(node.id, known)
            raise errors.UsageError(f"There is no column {node.id!r} (text goes in quotes). {hint}")

    def visit_Call(self, node: ast.Call) -> None:
        name, target = _method(node)
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        constant = all(isinstance(each, ast.List | ast.Tuple) or _is_single_constant(each) for each in arguments)
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
    """Return the dotted name of what is called, and what it is called on."""
    chain: list[str] = []
    target: ast.expr = call.func
    while isinstance(target, ast.Attribute):
        chain.insert(0, target.attr)
        target = target.value
    return ".".join(chain), target


def _arguments(call: ast.Call) -> tuple[list[Any], dict[str, Any]]:
    """Return the constants that a method is called with."""
    return (
        [ast.literal_eval(each) for each in call.args],
        {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords},
    )


def _is_single_constant(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return isinstance(node.operand, ast.Constant) and type(node.operand.value) in {int, float}
    return isinstance(node, ast.Constant)


class _Evaluation:
    """The values of an expression's nodes over the columns of a frame."""

    def __init__(self, tokens: pd.DataFrame) -> None:
        self._tokens = tokens
        self._ends = time.monotonic() + patterns.LONGEST_SECONDS

    def value(self, node: ast.expr) -> Any:  # noqa: ANN401, C901, PLR0911 - a case a kind of node
        """Return a column or a constant."""
        if time.monotonic() > self._ends:
            raise errors.UsageError("it takes too long")
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return self._tokens[node.id]
            case ast.List() | ast.Tuple():
                return [self.value(each) for each in node.elts]
            case ast.BoolOp():
                combine = operator.and_ if isinstance(node.op, ast.And) else operator.or_
                verdicts = [_tristate(self.value(each)) for each in node.values]  # noqa: PD011 - a node of ast
                return functools.reduce(combine, verdicts)
            case ast.UnaryOp(op=ast.USub()):
                return -_number(self.value(node.operand))
            case ast.UnaryOp():
                return ~_tristate(self.value(node.operand))
            case ast.BinOp():
                return _ARITHMETIC[type(node.op)](_number(self.value(node.left)), _number(self.value(node.right)))
            case ast.Compare():
                operands = [self.value(each) for each in (node.left, *node.comparators)]
                pairs = zip(node.ops, operands, operands[1:], strict=False)
                return functools.reduce(operator.and_, [_tristate(_compared(*each)) for each in pairs])
            case ast.Call():
                name, target = _method(node)
                positional, keywords = _arguments(node)
                return READING_METHODS[name](self, self.value(target), *positional, **keywords)
        raise errors.UsageError(f"{type(node).__name__} is not known")  # the checker lets nothing else through

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

    # Without the column's name: what is made of it may have other values than the column.
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
                f"inclusive cannot be {inclusive!r}. {errors.did_you_mean(str(inclusive), _INCLUSIVE)}"
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
    "str.contains": _Evaluation.contains,
    "str.startswith": _Evaluation.startswith,
    "str.endswith": _Evaluation.endswith,
    "str.fullmatch": _Evaluation.fullmatch,
    "str.lower": _Evaluation.lower,
    "str.upper": _Evaluation.upper,
    "str.len": _Evaluation.len,
    "isna": _Evaluation.isna,
    "notna": _Evaluation.notna,
    "between": _Evaluation.between,
    "isin": _Evaluation.isin,
}
"""The only calls in an expression. Each reads one column and takes constants."""


def _compared(how: ast.cmpop, left: _Operand, right: _Operand) -> Any:  # noqa: ANN401 - what pandas returns
    if isinstance(how, ast.In | ast.NotIn) or (isinstance(right, list) and isinstance(how, ast.Eq | ast.NotEq)):
        found = _among(left, right)  # == and != with a list, as query reads them
        return found if isinstance(how, ast.In | ast.Eq) else ~_tristate(found)
    if isinstance(left, pd.Series):
        return _COMPARISONS[type(how)](left, _fitted(right, left))
    if isinstance(right, pd.Series):
        return _COMPARISONS[type(how)](_fitted(left, right), right)
    return None


def _among(left: _Operand, right: _Operand) -> pd.Series[bool]:
    """Return for which rows a value is among some constants, or a text in a column of lists."""
    if isinstance(right, pd.Series):
        if _kind(right) == _LISTS:
            if isinstance(left, str):
                return holds(right, left)
            raise _of_lists(right)
        form = f"{_name(right)}.str.contains('text')" if _kind(right) == _TEXT else f"{_name(right)} == …"
        raise errors.UsageError(f"{_name(right)} does not hold lists. Write {form}")
    if not isinstance(right, list) or not isinstance(left, pd.Series):
        raise errors.UsageError("in asks for a column among a list. Write COLUMN in ['a', 'b']")
    if _kind(left) == _LISTS:
        raise _of_lists(left, *right[:1])
    # An unknown value is neither among them nor not.
    return left.isin([_fitted(each, left) for each in right]).astype("boolean").mask(left.isna())


def _of_lists(column: pd.Series[Any], text: object = "text") -> errors.UsageError:
    return errors.UsageError(f"{_name(column)} holds lists. Write {text!r} in {_name(column)}")


def _fitted(value: _Operand, column: pd.Series[Any]) -> Any:  # noqa: ANN401 - a column or a constant
    """Return what a column is compared with, a date as a moment in UTC.

    Raises:
        UsageError: It can never be equal to what the column holds.
    """
    kind = _kind(column)
    if kind == _LISTS:
        raise _of_lists(column, value if isinstance(value, str) else "text")
    if _kind(value) == _LISTS:
        raise _of_lists(value)
    if value is None:
        raise errors.UsageError(f"Nothing is equal to None. Write {_name(column)}.isna().")
    if isinstance(value, str) and kind == _TIMES:
        return _moment(value)
    if isinstance(value, str) and kind == _SPANS:
        return duration(value)
    if _OTHER not in {kind, _kind(value)} and _kind(value) != kind:
        raise errors.UsageError(f"{_name(column)} holds {kind}, not {_kind(value)}. {_FORMS[kind]}")
    possible = FIXED.get(str(column.name), ())
    if possible and isinstance(value, str) and value not in {*possible, *column.dropna().unique()}:  # a newer server's
        raise errors.UsageError(f"{column.name} cannot be {value!r}. {errors.did_you_mean(value, possible)}")
    return value


def _moment(text: str) -> pd.Timestamp:
    try:
        moment = pd.Timestamp(text)
        if pd.isna(moment):
            raise ValueError  # noqa: TRY301 - as any other text that is not a date
        return moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
    except ValueError:
        problem = f"{text!r} is not a date. Write 2026-12-31"
    raise errors.UsageError(problem)


def _kind(operand: _Operand) -> str:
    """Return what a column holds, or a constant is: one of the words that messages use."""
    if not isinstance(operand, pd.Series):
        constants = ((bool, _FLAGS), (int | float, _NUMBERS), (str, _TEXT))
        return next((kind for type_, kind in constants if isinstance(operand, type_)), _OTHER)
    objects = operand.dtype == object  # which have to be looked at
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
        raise errors.UsageError(f"{_name(column)} holds {_kind(column)}: only text has str methods")
    return column


def _pattern(pat: object) -> str:
    if not isinstance(pat, str):
        raise errors.UsageError(f"{pat!r} is not text to search for. {_FORMS[_TEXT]}")
    return pat


def _beginnings(pat: object) -> str | tuple[str, ...]:
    return tuple(map(_pattern, pat)) if isinstance(pat, list | tuple) else _pattern(pat)


def _known(found: pd.Series[bool], column: pd.Series[Any], *, na: bool) -> pd.Series[bool]:
    if not isinstance(na, bool):
        raise errors.UsageError(f"na cannot be {na!r}. {_FORMS[_FLAGS]}")
    return found.astype(bool).mask(column.isna(), na)


def _number(value: _Operand) -> Any:  # noqa: ANN401 - a column or a constant
    if isinstance(value, list) or _kind(value) not in {_NUMBERS, _TIMES, _SPANS}:
        raise errors.UsageError("Only numbers and times are calculated with")
    return value


def _tristate(verdict: Any) -> pd.Series[bool]:  # noqa: ANN401 - what an operator returned
    """Return yes, no and not known."""
    if isinstance(verdict, pd.Series) and (pd.api.types.is_bool_dtype(verdict) or verdict.dtype == object):
        return verdict.astype("boolean")
    raise errors.UsageError("it is not a yes or no for each token")


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."
