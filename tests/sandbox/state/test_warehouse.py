"""The warehouse ends with its sandbox, or with the process, whatever it runs."""

import subprocess
import sys
import threading
import weakref

import pytest

from tokenkit.sandbox import Sandbox
from tokenkit.sandbox.state.statement import StatementRequest

MANY = "(SELECT explode(sequence(1, 999999)) AS n)"
LONG = f"SELECT sum(a.n * b.n) FROM {MANY} a, {MANY} b"  # noqa: S608 - constants
UNSTOPPED = f"""
from tokenkit.sandbox import Sandbox
from tokenkit.sandbox.state.statement import StatementRequest
sandbox = Sandbox(tokens=1).start()
sandbox.warehouse.engine.longest_seconds = 100_000
for _ in range(6):
    sandbox.warehouse.submit(StatementRequest({LONG!r}))
print([statement.state for statement in sandbox.warehouse.statements])
"""
OVER_HTTP = f"""
import requests
from tokenkit.sandbox import Sandbox
sandbox = Sandbox(tokens=1).start()
sandbox.warehouse.engine.longest_seconds = 100_000
body = {{"statement": {LONG!r}, "warehouse_id": sandbox.warehouse.warehouse_id, "wait_timeout": "0s"}}
for _ in range(6):
    headers = {{"Authorization": f"Bearer {{sandbox.token}}"}}
    requests.post(f"{{sandbox.host}}/api/2.0/sql/statements", json=body, headers=headers, timeout=60).raise_for_status()
print([statement.state for statement in sandbox.warehouse.statements])
"""

UNPARSABLE = """
from tokenkit.sandbox import Sandbox
from tokenkit.sandbox.state.statement import StatementRequest
with Sandbox(tokens=1) as sandbox:
    for sql in ("INSTALL httpfs", "EXPLAIN SELECT 1", "SHOW TABLES", "SELECT 1; CALL x()"):
        print(sandbox.warehouse.submit(StatementRequest(sql)).state)
"""


@pytest.fixture
def sandbox():
    with Sandbox(tokens=1) as sandbox:
        yield sandbox


@pytest.mark.parametrize("program", [UNSTOPPED, OVER_HTTP])
def test_a_process_ends_while_statements_run_in_a_sandbox_that_is_not_stopped(program):
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=90, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count("RUNNING") == 6


def test_a_statement_that_cannot_be_parsed_prints_nothing():
    ended = subprocess.run([sys.executable, "-c", UNPARSABLE], capture_output=True, text=True, timeout=90, check=False)
    assert (ended.stdout, ended.stderr) == ("FAILED\n" * 4, "")


def test_a_stopped_sandbox_keeps_neither_threads_nor_the_database_of_its_warehouse(sandbox):
    engine = sandbox.warehouse.engine
    engine.longest_seconds = 100_000
    running = [sandbox.warehouse.submit(StatementRequest(LONG)) for _ in range(6)]
    queries = [weakref.ref(statement.query) for statement in running]
    sandbox.stop()
    assert {statement.state for statement in running} == {"CANCELED"}
    assert [thread for thread in threading.enumerate() if thread.name.startswith("sandbox-statement")] == []
    assert [query for query in queries if query() is not None] == []
    assert engine._connection is None


def test_a_stopped_sandbox_runs_no_statement(sandbox):
    sandbox.warehouse.submit(StatementRequest("SELECT 1")).ended.wait(60)
    sandbox.stop()
    statement = sandbox.warehouse.submit(StatementRequest("SELECT 1"))
    assert (statement.state, statement.error[0]) == ("FAILED", "TEMPORARILY_UNAVAILABLE")
    assert statement.ended.is_set()


def test_more_statements_than_run_at_once_all_end(sandbox):
    statements = [sandbox.warehouse.submit(StatementRequest(f"SELECT {n} AS n")) for n in range(50)]
    assert all(statement.ended.wait(60) for statement in statements)
    assert [statement.result.chunks for statement in statements] == [[f'[["{n}"]]'.encode()] for n in range(50)]


def test_a_statement_that_is_forgotten_while_it_waits_for_others_is_canceled(sandbox):
    sandbox.warehouse.engine.longest_seconds = 100_000
    running = [sandbox.warehouse.submit(StatementRequest(LONG)) for _ in range(6)]
    quick = [sandbox.warehouse.submit(StatementRequest("SELECT 1 AS n")) for _ in range(100)]
    assert [statement.state for statement in running] == ["CANCELED"] * 6
    assert all(statement.ended.wait(60) for statement in quick)


def test_whatever_goes_wrong_ends_a_statement(sandbox, monkeypatch):
    def out_of_threads(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", out_of_threads)
    statement = sandbox.warehouse.submit(StatementRequest("SELECT 1"))
    monkeypatch.undo()
    assert (statement.state, statement.error[0]) == ("FAILED", "INTERNAL_ERROR")
    sandbox.warehouse.log = None
    statement = sandbox.warehouse.submit(StatementRequest("SELECT 1"))
    assert (statement.state, statement.ended.is_set()) == ("FAILED", True)
