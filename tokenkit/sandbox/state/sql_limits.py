"""Limits on the functions that make a value as large as a number in the statement.

DuckDB's memory limit holds for what it stores, as in groups, sorts and lists of rows, and not for a value that a
function makes. So the size of such a value must be a constant, and small. The limit does not hold for a text that other
functions make longer step by step, such as a column that nested subqueries concatenate with itself.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.state.sql_errors import SqlError

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

LONGEST_TEXT = 20_000
"""The longest text that ``repeat``, ``lpad``, ``rpad`` and ``space`` make of one letter. DuckDB makes 2,048 at once."""

LONGEST_LIST = 10_000
"""The longest list of ``sequence``. Longer ones that are exploded at once become rows, and no list is made."""

_REFUSED = frozenset(
    {
        *("repeat", "lpad", "rpad", "space", "sequence"),  # in a form that is not recognized
        *("range", "generate_series", "list_resize", "array_resize", "bitstring", "format", "format_string", "printf"),
    }
)


def limit_sizes(query: Expr) -> None:
    """Check the size of the values that functions make, and make rows of long lists that are exploded at once.

    Raises:
        SqlError: A size is not a constant, or too large.
    """
    import sqlglot  # noqa: PLC0415 - an extra, imported with the first statement
    from sqlglot import exp  # noqa: PLC0415 - as above

    for function in query.find_all(exp.Anonymous, exp.Format):
        name = function.name.lower() if isinstance(function, exp.Anonymous) else "format_string"
        if name in _REFUSED:
            raise SqlError(f"[SANDBOX] The sandbox does not have the function {name}.")
    for function in query.find_all(exp.Repeat, exp.Pad, exp.Space, exp.GenerateSeries):
        if function.find_ancestor(exp.Lambda):
            raise SqlError("[SANDBOX] In the sandbox, a lambda function does not make texts or sequences.")
    made = [
        *(_constant(pad.args.get("expression")) for pad in query.find_all(exp.Pad)),
        *(_constant(space.this) for space in query.find_all(exp.Space)),
    ]
    times = [max(1, _constant(repeat.args.get("times"))) for repeat in query.find_all(exp.Repeat)]
    if times:
        made += [len(literal.this) for literal in query.find_all(exp.Literal) if literal.is_string]
    if max((1, *made)) * math.prod(times) > LONGEST_TEXT:
        raise SqlError(f"[SANDBOX] The sandbox's functions make texts of at most {LONGEST_TEXT} characters.")
    for sequence in list(query.find_all(exp.GenerateSeries)):
        start, end, step = (_constant(sequence.args.get(name)) for name in ("start", "end", "step"))
        if abs(end - start) // max(1, abs(step)) < LONGEST_LIST:
            continue
        select = sequence.find_ancestor(exp.Select)
        if (
            not isinstance(sequence.parent, exp.Explode)
            or not isinstance(select, exp.Select)
            or any(select.args.get(name) for name in ("from_", "joins", "laterals"))
        ):
            raise SqlError(
                f"[SANDBOX] The sandbox's sequences have at most {LONGEST_LIST} elements, except those in SELECT "
                "explode(sequence(…)) without FROM."
            )
        table = f"SELECT 1 FROM generate_series({start}, {end}, {step}) AS rows(col)"  # noqa: S608 - integers
        rows = sqlglot.parse_one(table, read="duckdb")
        select.set("from_", rows.args["from_"])
        sequence.parent.replace(exp.column("col", table="rows"))


def _constant(size: Any) -> int:  # noqa: ANN401 - an expression of sqlglot
    """Return the integer that a size is, as it is or as a parameter; 1 for none.

    Raises:
        SqlError: It is not an integer, or not a constant.
    """
    from sqlglot import exp  # noqa: PLC0415 - an extra, imported with the first statement

    if size is None:
        return 1
    if isinstance(size, exp.Neg):
        return -_constant(size.this)
    if isinstance(size, exp.Cast | exp.Paren):
        return _constant(size.this)
    text = size.this if isinstance(size, exp.Literal) else ""
    if not re.fullmatch("-?[0-9]{1,15}", text):
        raise SqlError("[SANDBOX] In the sandbox, the size of a text or a sequence must be a constant integer.")
    return int(text)
