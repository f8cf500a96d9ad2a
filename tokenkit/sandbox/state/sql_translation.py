"""Databricks' SQL in DuckDB's dialect: one statement that only reads the sandbox's tables."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenkit.sandbox.state.sql_errors import SqlError
from tokenkit.sandbox.state.sql_limits import limit_sizes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlglot.expressions import Expr

# Without a handler, sqlglot's warnings about what it cannot parse are printed on stderr.
logging.getLogger("sqlglot").addHandler(logging.NullHandler())

_TABLES = {
    ("system", "access", "audit"): "audit",
    ("system", "information_schema", "tables"): "information_schema_tables",
    ("system", "information_schema", "columns"): "information_schema_columns",
}


@dataclass(frozen=True, slots=True)
class Session:
    """What a statement means by names that it does not qualify, and by ``current_user()``.

    Attributes:
        catalog: The default catalog; empty for none that the sandbox has.
        schema: The default schema; empty for none that the sandbox has.
        user: The name of the caller.
    """

    catalog: str = ""
    schema: str = ""
    user: str = "sandbox"


def translated(statement: str, parameters: Mapping[str, tuple[str, str | None]], session: Session) -> str:
    """Return a statement in DuckDB's dialect.

    Args:
        statement: The statement in Databricks' dialect.
        parameters: The SQL type and the value of each named parameter, by its name in lowercase.
        session: The defaults of the statement.

    Raises:
        SqlError: It is not one statement that only reads tables of the sandbox.
    """
    import sqlglot  # noqa: PLC0415 - an extra, imported with the first statement
    from sqlglot import exp  # noqa: PLC0415 - as above

    try:
        parsed = [one for one in sqlglot.parse(statement, read="databricks") if one is not None]
    except (sqlglot.errors.SqlglotError, RecursionError):
        raise SqlError("[PARSE_SYNTAX_ERROR] Syntax error. SQLSTATE: 42601") from None
    if len(parsed) != 1 or not isinstance(parsed[0], exp.Query):
        raise SqlError("[SANDBOX] The sandbox runs one statement that reads: SELECT, with or without WITH.")
    (query,) = parsed
    for placeholder in list(query.find_all(exp.Placeholder)):
        name = str(placeholder.name).lower()
        if name not in parameters:
            raise SqlError(f"[UNBOUND_SQL_PARAMETER] Found the unbound parameter: {name}. SQLSTATE: 42P02")
        kind, value = parameters[name]
        literal = exp.null() if value is None else exp.Literal.string(value)
        placeholder.replace(exp.cast(literal, kind, dialect="databricks"))
    for user in list(query.find_all(exp.CurrentUser, exp.SessionUser)):
        user.replace(exp.Literal.string(session.user))
    _replace_tables(query, session)
    limit_sizes(query)
    try:
        return str(query.sql(dialect="duckdb"))
    except RecursionError:
        raise SqlError("[PARSE_SYNTAX_ERROR] The statement is nested too deeply. SQLSTATE: 42601") from None


def _replace_tables(query: Expr, session: Session) -> None:
    """Replace the tables of a query with those of the engine.

    Raises:
        SqlError: The sandbox does not have one of them.
    """
    from sqlglot import exp  # noqa: PLC0415 - an extra, imported with the first statement

    names = {cte.alias_or_name.lower() for cte in query.find_all(exp.CTE)}
    for table in list(query.find_all(exp.Table)):
        path = tuple(part.name.lower() for part in table.parts)
        if len(path) == 1 and path[0] in names and isinstance(table.this, exp.Identifier):
            continue
        full = (session.catalog.lower(), session.schema.lower())[: 3 - len(path)] + path
        if full not in _TABLES or not isinstance(table.this, exp.Identifier):
            shown = ".".join(f"`{part.name}`" for part in table.parts)
            raise SqlError(
                f"[TABLE_OR_VIEW_NOT_FOUND] The table or view {shown} cannot be found. Verify the spelling and "
                "correctness of the schema and catalog. SQLSTATE: 42P01"
            )
        table.replace(exp.to_table(_TABLES[full], alias=table.alias or path[-1]))
