"""Functions do not make values that take all memory: DuckDB's limit does not hold for these."""

import pytest

from tokenkit.sandbox.state.audit_rows import GivenRows
from tokenkit.sandbox.state.sql_engine import SqlEngine
from tokenkit.sandbox.state.sql_errors import SqlError

BIG = "2000000000"


@pytest.fixture
def engine():
    log = GivenRows([])
    engine = SqlEngine(lambda: log)
    yield engine
    engine.close()


@pytest.mark.parametrize(
    "value",
    [
        f"length(repeat('x', {BIG}))",
        f"length(REPEAT('x', CAST({BIG} AS BIGINT)))",
        f"length(repeat('x', ({BIG})))",
        f"length(repeat('x', - -{BIG}))",
        "length(repeat('x', 100000 * 20000))",
        "length(repeat('x', n)) FROM (SELECT 2000000000 AS n)",
        "length(repeat('x', (SELECT 2000000000)))",
        "length(repeat('x', :n))",
        "length(repeat(repeat('x', 50000), 50000))",
        "length(repeat(x, 50000)) FROM (SELECT repeat('x', 50000) AS x)",
        f"length(repeat('{'x' * 10_000}', 100000))",
        "length(repeat(:long, 100000))",
        f"length(`repeat`('x', {BIG}))",
        f"length(main.repeat('x', {BIG}))",
        f"length(system.main.repeat('x', {BIG}))",
        f"length(x.repeat({BIG})) FROM (SELECT 'x' AS x)",
        f"length(lpad('x', {BIG}, 'y'))",
        f"length(rpad('x', {BIG}))",
        "length(repeat(lpad('x', 50000), 50000))",
        f"length(space({BIG}))",
        f"length(printf('%{BIG}d', 1))",
        f"length(format('{{:{BIG}}}', 1))",
        f"length(format_string('{{:{BIG}}}', 1))",
        f"length(bitstring('1', {BIG}))",
        f"size(sequence(1, {BIG}))",
        f"size(sequence(-{BIG}, 1))",
        "size(sequence(n, 1000000)) FROM (SELECT explode(sequence(1, 3000)) AS n)",
        "sequence(1, 1000000) FROM (SELECT explode(sequence(1, 3000)) AS n)",
        "explode(sequence(1, 1000000)) FROM (SELECT explode(sequence(1, 3000)) AS n)",
        "transform(sequence(1, 9000), x -> sequence(1, 9000))",
        "transform(sequence(1, 9000), x -> repeat(concat('x', x), 9000))",
        "explode(sequence(1, 1000000)) FROM VALUES (1), (2)",
        "n FROM VALUES (1) LATERAL VIEW explode(sequence(1, 1000000)) t AS n",
        f"size(range({BIG}))",
        f"size(generate_series(1, {BIG}))",
        f"size(list_resize(array(1), {BIG}))",
        f"size([x for x in range({BIG})])",
    ],
)
def test_a_function_does_not_make_a_large_value(engine, value):
    parameters = {"n": ("BIGINT", BIG), "long": ("STRING", "x" * 10_000)}
    with pytest.raises(SqlError, match=r"\[SANDBOX\] (In the|The) sandbox|PARSE"):
        engine.query(f"SELECT {value}", parameters, None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("length(repeat('x', 20000))", 20_000),
        ("length(repeat('x', :n))", 7),
        ("repeat('ab', -1)", ""),
        ("lpad('7', 3, '0')", "007"),
        ("rpad('7', 3)", "7  "),
        ("space(2)", "  "),
        ("size(sequence(1, 10000))", 10_000),
        ("array_join(sequence(1, 9, 2), ',')", "1,3,5,7,9"),
        ("count(*) FROM (SELECT explode(sequence(1, 1000000)) AS n)", 1_000_000),
        ("sum(n) FROM (SELECT explode(sequence(1, 1000000)) AS n)", 500_000_500_000),
        ("max(n) FROM (SELECT explode(sequence(1, 1000000)) + 1 AS n)", 1_000_001),
        ("count(*) FROM (SELECT explode(sequence(0, 1000000, 2)) AS n WHERE true)", 500_001),
        ("max(n) FROM (SELECT explode(sequence(1000000, 0, -1)) AS n)", 1_000_000),
        (f"lpad('7', 3) || '{'x' * 200_000}' = 'x'", False),
    ],
)
def test_a_function_makes_a_small_value(engine, value, expected):
    query = engine.query(f"SELECT {value}", {"n": ("INT", "7")}, None)
    (found,) = query.run().to_pylist()[0].values()
    assert found == expected
