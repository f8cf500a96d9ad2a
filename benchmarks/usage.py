"""Measure what used each token, of a large audit log, compared with the smallest query that counts sign-ins.

    python -m benchmarks.usage                 # 10 million rows and 10,000 tokens, a few minutes
    python -m benchmarks.usage --warehouse     # without Spark, about a minute

The log exists only as expressions over a range, so no memory holds it. It is read in Spark, and through the SQL
warehouse of a sandbox, on two cores of this machine. It is checked that each token's sign-ins are counted, and that a
row is fetched for each token, not for each sign-in.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from databricks.sdk.service.sql import StatementExecutionAPI, StatementState

import tokenkit
from benchmarks.goals import note
from benchmarks.revoking import sandbox
from tokenkit.sandbox import Sandbox
from tokenkit.sandbox.state.audit_rows import GeneratedRows

ROWS, TOKENS, DAYS = 10_000_000, 10_000, 30
LONGEST_SECONDS = 600  # the machine may be busy
_LOG = """
    SELECT 'account' AS account_id, '0' AS workspace_id, '2.0' AS version, 'ACCOUNT_LEVEL' AS audit_level,
        timestamp_seconds({now} - id % ({days} * 86400)) AS event_time,
        CAST(timestamp_seconds({now} - id % ({days} * 86400)) AS DATE) AS event_date,
        CAST(id AS STRING) AS event_id, CAST(id AS STRING) AS request_id, 'accounts' AS service_name,
        'tokenLogin' AS action_name, map('tokenId', ids[CAST(id % {tokens} AS INT)]) AS request_params,
        named_struct('status_code', 200, 'error_message', CAST(NULL AS STRING), 'result', CAST(NULL AS STRING))
            AS response,
        CAST(NULL AS STRING) AS session_id, concat('192.0.', id % 7, '.', id % 200, ':443') AS source_ip_address,
        element_at(array('dbt/1.7', 'curl/8.4', 'Databricks-SDK-Py/0.30'), CAST(id % 3 + 1 AS INT)) AS user_agent,
        named_struct('email', 'ann@example.com', 'subject_name', CAST(NULL AS STRING)) AS user_identity,
        named_struct('run_by', CAST(NULL AS STRING), 'run_as', CAST(NULL AS STRING)) AS identity_metadata
    FROM range({rows}) CROSS JOIN (SELECT collect_list(token_id) AS ids FROM tokens)
"""
_GENERATED = """
    SELECT 'account' AS account_id, '0' AS workspace_id, '2.0' AS version, 'ACCOUNT_LEVEL' AS audit_level,
        to_timestamp({now} - id % ({days} * 86400)) AS event_time,
        CAST(to_timestamp({now} - id % ({days} * 86400)) AS DATE) AS event_date,
        CAST(id AS VARCHAR) AS event_id, CAST(id AS VARCHAR) AS request_id, 'accounts' AS service_name,
        'tokenLogin' AS action_name, MAP {{'tokenId': token}} AS request_params,
        {{'status_code': 200, 'error_message': CAST(NULL AS VARCHAR), 'result': CAST(NULL AS VARCHAR)}} AS response,
        CAST(NULL AS VARCHAR) AS session_id, '192.0.' || id % 7 || '.' || id % 200 || ':443' AS source_ip_address,
        ['dbt/1.7', 'curl/8.4', 'Databricks-SDK-Py/0.30'][id % 3 + 1] AS user_agent,
        {{'email': 'ann@example.com', 'subject_name': CAST(NULL AS VARCHAR)}} AS user_identity,
        {{'run_by': CAST(NULL AS VARCHAR), 'run_as': CAST(NULL AS VARCHAR),
         'acting_resource': CAST(NULL AS VARCHAR)}} AS identity_metadata
    FROM (
        SELECT event.n * {tokens} + position - 1 AS id, token
        FROM range({each}) AS event(n)
        CROSS JOIN (SELECT unnest(ids) AS token, generate_subscripts(ids, 1) AS position FROM (SELECT {ids} AS ids))
    )
"""
_BASELINE = "SELECT request_params['tokenId'] AS token_id, count(*) AS n FROM log GROUP BY 1"


def main() -> None:
    """Run the benchmark with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--quick", action="store_true", help="a hundredth of the rows")
    parser.add_argument("--warehouse", action="store_true", help="without Spark")
    chosen = parser.parse_args()
    rows = chosen.rows // 100 if chosen.quick else chosen.rows
    _measure_warehouse(rows)
    if chosen.warehouse:
        return
    with sandbox(TOKENS) as company:
        ws = tokenkit.connect(host=company["host"], token=company["token"])
        spark = _session()
        _measure(ws, spark, rows)
        spark.stop()


def _measure_warehouse(rows: int) -> None:
    with Sandbox(tokens=TOKENS) as company:
        warehouse = company.warehouse
        warehouse.engine.longest_seconds = LONGEST_SECONDS
        patient = tokenkit.RetryPolicy(read_timeout_seconds=LONGEST_SECONDS)
        ws = tokenkit.connect(host=company.host, token=company.token, retries=patient)
        ids, now = ws.listing()["token_id"].tolist(), int(ws.now().timestamp())
        each = rows // len(ids)
        warehouse.log = GeneratedRows(_GENERATED.format(now=now, days=DAYS, each=each, ids=ids, tokens=len(ids)))
        count = "SELECT count(*) AS n FROM system.access.audit GROUP BY request_params['tokenId']"
        signed_in = Config(host=company.host, token=company.token, http_timeout_seconds=LONGEST_SECONDS)
        statements = WorkspaceClient(config=signed_in).statement_execution
        baseline, _ = _timed(lambda: _executed(statements, count, warehouse.warehouse_id))
        assert warehouse.statements[-1].result.row_counts == [len(ids)], warehouse.statements[-1].error
        seconds, found = _timed(lambda: ws.usage(warehouse_id=warehouse.warehouse_id))
        answered = warehouse.statements[-1].result
    assert found["logins"].tolist() == [each] * len(ids)
    fetched, size = sum(answered.row_counts), sum(map(len, answered.chunks))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(
        f"{each * len(ids):,} rows in the warehouse, {len(ids):,} tokens: {seconds:.1f} s; counting: {baseline:.1f} s"
    )
    print(f"fetched: {fetched:,} rows, {size:,} bytes; peak memory of client and sandbox: {memory:,} MB")
    note(f"usage of {rows:,} rows in the warehouse, to counting", seconds / baseline)
    note("rows fetched from the warehouse, to tokens in the log", fetched / len(ids), most=1)


def _executed(statements: StatementExecutionAPI, query: str, warehouse_id: str) -> None:
    """Execute a statement, and wait for its end."""
    response = statements.execute_statement(query, warehouse_id, wait_timeout="50s")
    while response.status.state in {StatementState.PENDING, StatementState.RUNNING}:
        time.sleep(0.2)
        response = statements.get_statement(response.statement_id)


def _session() -> Any:  # noqa: ANN401 - a SparkSession
    from pyspark.sql import SparkSession  # noqa: PLC0415 - an extra

    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.ui.showConsoleProgress", "false").config("spark.driver.memory", "2g")
    return builder.config("spark.driver.host", "127.0.0.1").config("spark.sql.shuffle.partitions", "4").getOrCreate()


def _measure(ws: tokenkit.Workspace, spark: Any, rows: int) -> None:  # noqa: ANN401 - a SparkSession
    listing = ws.listing()
    spark.createDataFrame(listing[["token_id"]]).createOrReplaceTempView("tokens")
    statement = _LOG.format(now=int(ws.now().timestamp()), days=DAYS, tokens=len(listing), rows=rows)
    log = spark.sql(statement)
    log.createOrReplaceTempView("log")
    fetched: list[int] = []
    as_arrow = type(log).toArrow

    def counted(frame: Any) -> Any:  # noqa: ANN401 - of Spark and Arrow
        table = as_arrow(frame)
        fetched.append(table.num_rows)
        return table

    type(log).toArrow = counted
    try:
        baseline, expected = _timed(lambda: spark.sql(_BASELINE).toPandas())
        seconds, found = _timed(lambda: ws.usage(rows=log))
    finally:
        type(log).toArrow = as_arrow
    assert found.set_index("token_id")["logins"].to_dict() == expected.set_index("token_id")["n"].to_dict()
    assert found["logins"].sum() == rows
    most = max(fetched)
    print(f"{rows:,} rows, {len(listing):,} tokens: {seconds:.1f} s, {most:,} rows fetched; counting: {baseline:.1f} s")
    note(f"usage of {rows:,} rows in Spark, to counting", seconds / baseline)
    note("rows fetched, to tokens in the log", most / len(expected), most=1.01)


def _timed(work: Any) -> tuple[float, Any]:  # noqa: ANN401 - of any result
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


if __name__ == "__main__":
    main()
