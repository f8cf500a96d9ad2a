"""Small changes to a module's source, each of which a test should notice.

What changes: comparisons, ``and``/``or``, ``not``, conditions (negated), arithmetic, numbers, booleans, texts, returned
values, ``break``/``continue``; what is removed: a keyword argument, a call whose result is not used, a ``raise``, an
augmented assignment.

What does not change: imports, annotations, docstrings, ``__all__``, what only a type checker or ``python -m`` reads,
and prose. A text is prose if it has a letter next to a space: messages, help, and also SQL. Guards against mistakes of
our own code do not change either, because no test of correct code can notice that they are missing: ``strict`` of
``zip``; and ``frozen``, ``kw_only`` and ``slots`` of a dataclass, which are for mypy.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from typing import NamedTuple

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_PROSE = re.compile(r"[^\W\d_] | [^\W\d_]")
_ONLY_TYPES = {"cast", "TypeVar", "NewType"}
_GUARDS = {"zip": {"strict"}, "dataclass": {"frozen", "kw_only", "slots"}}


class Mutation(NamedTuple):
    """One change of a module."""

    first_line: int
    last_line: int  # of the changed part, or of its statement where Python does not know the part's own
    before: str
    after: str
    source: str  # of the whole module


class _Site(NamedTuple):
    """Where a node is, and what takes its place."""

    parent: ast.AST
    field: str
    at: int | None  # its index, if the field is a list
    statement: ast.stmt
    node: ast.AST
    variant: ast.AST


def count(source: str) -> int:
    """Return the number of mutations of a module."""
    return sum(1 for _ in _sites(ast.parse(source)))


def mutate(source: str, number: int) -> Mutation:
    """Return one mutation of a module; they are numbered from 0."""
    tree = ast.parse(source)
    site = next(site for at, site in enumerate(_sites(tree)) if at == number)
    if site.at is None:
        setattr(site.parent, site.field, site.variant)
    else:
        getattr(site.parent, site.field)[site.at] = site.variant
    first, last = _lines(site)
    mutated = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
    return Mutation(first, last, *_difference(site), mutated)


def _sites(tree: ast.Module) -> Iterator[_Site]:
    """Yield each place of a module and each change that fits it, from the top down."""
    for statement in tree.body:
        yield from _within(tree, "body", tree.body.index(statement), statement, statement)


def _within(parent: ast.AST, field: str, index: int | None, node: ast.AST, statement: ast.stmt) -> Iterator[_Site]:
    if _ignored(parent, field, index, node):
        return
    if isinstance(node, ast.stmt):
        statement = node
    seen = {ast.unparse(node)}
    for variant in _variants(node, is_condition=field in {"test", "ifs"}):
        text = ast.unparse(variant)
        if text not in seen:
            seen.add(text)
            yield _Site(parent, field, index, statement, node, variant)
    for name, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            yield from _within(node, name, None, value, statement)
        elif isinstance(value, list):
            for at, child in enumerate(value):
                if isinstance(child, ast.AST):
                    yield from _within(node, name, at, child, statement)


def _ignored(parent: ast.AST, field: str, index: int | None, node: ast.AST) -> bool:
    """Tell whether a node, and what it consists of, is no behavior."""
    only_type = isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and parent.func.id in _ONLY_TYPES
    if field in {"annotation", "returns"} or (only_type and field == "args" and index == 0):
        return True
    match node:
        case (
            ast.Expr(value=ast.Constant())  # a docstring
            | ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Compare(left=ast.Name(id="__name__")))
        ):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]) | ast.AnnAssign(annotation=ast.Name(id="TypeAlias")):
            return True
        case ast.keyword(arg=str(name)):
            return _is_guard(parent, name)
        case ast.Constant(value=str(text)):
            return _PROSE.search(text) is not None or _is_prose(parent)
    return False


def _is_guard(call: ast.AST, keyword: str) -> bool:
    """Tell whether a keyword argument only guards against a mistake of our own code."""
    return isinstance(call, ast.Call) and keyword in _GUARDS.get(ast.unparse(call.func).rpartition(".")[2], ())


def _is_prose(node: ast.AST) -> bool:
    """Tell whether a node is an f-string with prose in it."""
    return isinstance(node, ast.JoinedStr) and any(
        isinstance(part, ast.Constant) and _PROSE.search(str(part.value)) for part in node.values
    )


def _variants(node: ast.AST, *, is_condition: bool) -> Iterator[ast.AST]:
    """Yield what can take a node's place."""
    yield from _other_operators(node)
    yield from _other_values(node)
    if isinstance(node, ast.Call):
        for at, keyword in enumerate(node.keywords):
            if keyword.arg and not _is_guard(node, keyword.arg):
                yield _with(node, keywords=node.keywords[:at] + node.keywords[at + 1 :])
    if isinstance(node, ast.Raise | ast.AugAssign) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        yield ast.Pass()
    if is_condition and isinstance(node, ast.expr) and not _has_opposite(node):
        yield ast.UnaryOp(ast.Not(), node)


def _has_opposite(node: ast.expr) -> bool:
    """Tell whether another operator negates a condition already."""
    match node:
        case (
            ast.UnaryOp(op=ast.Not())
            | ast.Compare(ops=[ast.Eq() | ast.NotEq() | ast.Is() | ast.IsNot() | ast.In() | ast.NotIn()])
        ):
            return True
    return False


def _other_operators(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=ops):
            for at, operator in enumerate(ops):
                yield _with(node, ops=[*ops[:at], _COMPARISONS[type(operator)](), *ops[at + 1 :]])
        case ast.BoolOp(op=operator):
            yield _with(node, op=ast.Or() if isinstance(operator, ast.And) else ast.And())
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.BinOp() | ast.AugAssign() if type(node.op) in _ARITHMETIC:
            yield _with(node, op=_ARITHMETIC[type(node.op)]())


def _other_values(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(value=str(value)):
            yield ast.Constant(value + "XX")
        case ast.Constant(value=bytes(value)):
            yield ast.Constant(value + b"XX")
        case ast.Return(value=ast.expr()):
            yield ast.Return(ast.Constant(None))
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _lines(site: _Site) -> tuple[int, int]:
    """Return the lines of a part, without those of a block that it begins."""
    node = site.node if isinstance(site.node, ast.expr | ast.stmt) else site.statement
    if not site.statement.lineno <= node.lineno <= (site.statement.end_lineno or 0):
        node = site.statement  # Python 3.11 counts the lines within an f-string from its own first
    body = getattr(node, "body", None)
    last = body[0].lineno - 1 if isinstance(body, list) else node.end_lineno
    return node.lineno, max(node.lineno, last or node.lineno)


def _difference(site: _Site) -> tuple[str, str]:
    """Return a change as text: what was there, and what is there instead."""
    if isinstance(site.node, ast.Call) and isinstance(site.variant, ast.Call):
        dropped = next(keyword for keyword in site.node.keywords if keyword not in site.variant.keywords)
        return f"{_short(site.node.func)}(…, {_short(dropped)})", "without the keyword"
    return _short(site.node), _short(site.variant)


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(ast.fix_missing_locations(node)).split())
    return text if len(text) <= 100 else f"{text[:99]}…"
