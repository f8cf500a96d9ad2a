"""The SQL of the sandbox reads its own tables, and nothing else of the machine."""

import pytest

from tokenkit.sandbox.state import sql_engine
from tokenkit.sandbox.state.audit_rows import GeneratedRows, GivenRows
from tokenkit.sandbox.state.sql_engine import SqlEngine, SqlError

EVENT = {
    "workspace_id": 17,
    "event_time": "2026-03-01T09:30:00Z",
    "service_name": "accounts",
    "action_name": "tokenLogin",
    "request_params": {"tokenId": "a" * 64},
    "response": {"status_code": 200},
    "user_identity": {"email": "ann@example.com"},
}


@pytest.fixture
def events():
    return [EVENT]


@pytest.fixture
def engine(events):
    log = GivenRows(events)
    engine = SqlEngine(lambda: log)
    yield engine
    engine.close()


def rows(engine, sql, parameters=None, row_limit=None):
    return engine.query(sql, parameters or {}, row_limit).run().to_pylist()


def test_the_audit_log_is_read_in_databricks_own_dialect(engine):
    sql = (
        "SELECT `request_params`['tokenId'] AS t, user_identity.email FROM system.access.audit WHERE event_date = :day"
    )
    assert rows(engine, sql, {"day": ("DATE", "2026-03-01")}) == [{"t": "a" * 64, "email": "ann@example.com"}]
    assert rows(engine, sql, {"day": ("DATE", "2026-03-02")}) == []
    assert rows(engine, sql, {"day": ("DATE", None)}) == []


def test_new_events_are_seen_by_the_next_statement(engine, events):
    count = "SELECT count(*) AS n FROM system.access.audit"
    assert rows(engine, count) == [{"n": 1}]
    events.append(EVENT)
    assert rows(engine, count) == [{"n": 2}]


def test_the_information_schema_describes_the_audit_log(engine):
    assert rows(engine, "SELECT table_name FROM system.information_schema.tables") == [{"table_name": "audit"}]
    columns = rows(engine, "SELECT column_name FROM system.information_schema.columns ORDER BY ordinal_position")
    assert [row["column_name"] for row in columns][:2] == ["account_id", "workspace_id"]


def test_rows_are_limited(engine):
    assert len(rows(engine, "SELECT explode(sequence(1, 50)) AS n", row_limit=7)) == 7


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE system.access.audit",
        "INSERT INTO system.access.audit SELECT * FROM system.access.audit",
        "DELETE FROM system.access.audit",
        "SELECT 1; SELECT 2",
        "",
        "COPY (SELECT 1) TO '/tmp/x'",
        "ATTACH 'x' AS y",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA version",
        "SET enable_external_access = true",
        "CALL pragma_version()",
        "EXPLAIN SELECT 1",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT read_text('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM audit",
        "SELECT * FROM rows",
        "SELECT * FROM (SELECT * FROM main.audit)",
        "SELECT (SELECT count(*) FROM audit)",
        "WITH audit AS (SELECT * FROM main.audit) SELECT * FROM audit",
        "SELECT * FROM system.access.audit, range(10)",
        "SELECT getenv('HOME')",
        "SELECT " + "(" * 5_000 + "1" + ")" * 5_000,
        "SELECT " + "NOT " * 5_000 + "true",
        "SELECT :missing",
        "SELECT 'unfinished",
    ],
)
def test_a_statement_that_does_more_than_read_the_sandboxs_tables_fails(engine, sql):
    with pytest.raises(SqlError):
        rows(engine, sql)
    assert rows(engine, "SELECT count(*) AS n FROM system.access.audit") == [{"n": 1}]


def test_a_name_of_a_subquery_is_no_table_of_the_engine(engine):
    assert rows(engine, "WITH audit AS (SELECT 5 AS n) SELECT * FROM audit") == [{"n": 5}]


MANY = "(SELECT explode(sequence(1, 9999999)) AS n)"


def test_a_statement_is_ended_after_its_time(engine):
    engine.longest_seconds = 0.2
    with pytest.raises(SqlError, match="ran for more than"):
        rows(engine, f"SELECT sum(a.n * b.n) FROM {MANY} a, {MANY} b")  # noqa: S608 - constants
    assert rows(engine, "SELECT 1 AS n") == [{"n": 1}]


def test_a_statement_cannot_take_all_memory_and_writes_no_file_instead(engine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    engine.memory_bytes = 48 << 20
    grouped = "SELECT count(*) FROM (SELECT repeat(CAST(n AS STRING), 20) AS t FROM {} GROUP BY 1)"
    with pytest.raises(SqlError, match="Memory"):
        rows(engine, grouped.format("(SELECT explode(sequence(1, 2000000)) AS n)"))
    assert list(tmp_path.iterdir()) == []


def test_a_result_cannot_take_all_memory(engine):
    with pytest.raises(SqlError, match="Memory"):
        rows(engine, "SELECT collect_list(repeat('x', 20000)) FROM (SELECT explode(sequence(1, 100000)) AS n)")


COUNT = "SELECT count(*) AS n FROM system.access.audit"


def test_each_row_is_loaded_once(engine, events):
    for n in range(1, 4):
        events[:] = [EVENT] * n
        for _ in range(3):
            assert rows(engine, COUNT) == [{"n": n}]
        assert engine.loaded == n


def test_a_statement_sees_the_log_as_it_was_when_it_was_submitted(engine, events):
    submitted = engine.query(COUNT, {}, None)
    events.append(events[0])
    assert rows(engine, COUNT) == [{"n": 2}]
    assert submitted.run().to_pylist() == [{"n": 1}]


def test_a_statement_that_is_canceled_before_it_runs_does_not_run(engine):
    submitted = engine.query(COUNT, {}, None)
    submitted.cancel()
    with pytest.raises(SqlError, match="canceled"):
        submitted.run()
    submitted.cancel()  # it has ended
    assert rows(engine, COUNT) == [{"n": 1}]


def test_all_rows_are_loaded_again_if_the_log_says_that_older_ones_changed(engine, events):
    events += [EVENT] * 4
    assert rows(engine, COUNT) == [{"n": 5}]
    events[:] = [{**EVENT, "workspace_id": 18}] * 2
    assert rows(engine, "SELECT DISTINCT workspace_id FROM system.access.audit") == [{"workspace_id": "18"}]
    assert engine.loaded == 7


def test_more_rows_than_are_loaded_at_once(engine, events, monkeypatch):
    monkeypatch.setattr(sql_engine, "_ROWS_AT_ONCE", 3)
    events[:] = [{**EVENT, "workspace_id": n} for n in range(10)]
    found = rows(engine, "SELECT DISTINCT workspace_id FROM system.access.audit ORDER BY CAST(workspace_id AS INT)")
    assert [row["workspace_id"] for row in found] == [str(n) for n in range(10)]


def test_another_log_replaces_the_rows():
    logs = [GivenRows([EVENT] * 2)]
    engine = SqlEngine(lambda: logs[-1])
    assert rows(engine, COUNT) == [{"n": 2}]
    logs.append(GivenRows([EVENT]))
    assert rows(engine, COUNT) == [{"n": 1}]
    logs.append(GeneratedRows("SELECT 'tokenLogin' AS action_name, range AS n FROM range(1000000)"))
    assert rows(engine, COUNT) == [{"n": 1_000_000}]
    assert engine.loaded == 3
    engine.close()
