"""The official SDK's warehouses and statements against the sandbox: inline, by links, slow, canceled, failed."""

import urllib.error
import urllib.request

import pyarrow as pa
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.sql import (
    Disposition,
    ExecuteStatementRequestOnWaitTimeout,
    Format,
    StatementParameterListItem,
    StatementState,
)

from tests.conftest import NOW
from tokenkit.sandbox import Sandbox

TEN = "SELECT explode(sequence(1, 10)) AS n"


@pytest.fixture
def seconds():
    return [NOW.timestamp()]


@pytest.fixture
def sandbox(seconds):
    with Sandbox(tokens=1, clock=lambda: seconds[0]) as sandbox:
        yield sandbox
        assert sandbox.errors == []
        assert sandbox.unknown_routes == []


@pytest.fixture
def client(sandbox):
    return WorkspaceClient(host=sandbox.host, token=sandbox.token)


@pytest.fixture
def execute(sandbox, client):
    def executing(statement=TEN, **settings):
        return client.statement_execution.execute_statement(
            statement, sandbox.warehouse.warehouse_id, wait_timeout="30s", **settings
        )

    return executing


def test_warehouses_are_listed_started_and_stopped(sandbox, client):
    (warehouse,) = client.warehouses.list()
    assert warehouse.id == sandbox.warehouse.warehouse_id
    assert client.warehouses.stop_and_wait(warehouse.id).state.value == "STOPPED"
    assert client.warehouses.start_and_wait(warehouse.id).state.value == "RUNNING"


def test_an_inline_result_has_its_types_and_texts(execute):
    response = execute(
        "SELECT CAST(:n AS INT) AS n, DATE '2026-03-01' AS d, TIMESTAMP '2026-03-01 09:30:00' AS t, NULL AS z",
        parameters=[StatementParameterListItem(name="n", type="INT", value="7")],
    )
    assert response.status.state == StatementState.SUCCEEDED
    assert [column.name for column in response.manifest.schema.columns] == ["n", "d", "t", "z"]
    ((number, day, time, nothing),) = response.result.data_array
    assert (number, day, nothing) == ("7", "2026-03-01", None)
    assert time.startswith("2026-03-01T09:30:00.000")


def test_the_chunks_of_an_inline_result_are_read_one_after_the_other(sandbox, client, execute):
    sandbox.warehouse.chunk_bytes = 24
    response = execute()
    rows, index = response.result.data_array, response.result.next_chunk_index
    while index is not None:
        chunk = client.statement_execution.get_statement_result_chunk_n(response.statement_id, index)
        rows, index = rows + chunk.data_array, chunk.next_chunk_index
    assert [int(row[0]) for row in rows] == [*range(1, 11)]
    assert response.manifest.total_chunk_count > 1


def test_external_links_are_arrow_that_needs_no_credential_and_expires(seconds, execute):
    response = execute(disposition=Disposition.EXTERNAL_LINKS, format=Format.ARROW_STREAM)
    (link,) = response.result.external_links
    with urllib.request.urlopen(link.external_link) as part:  # noqa: S310 - of the sandbox
        assert pa.ipc.open_stream(part.read()).read_all()["n"].to_pylist() == [*range(1, 11)]
    signed = urllib.request.Request(link.external_link, headers={"Authorization": "Bearer x"})  # noqa: S310 - as above
    for request in (signed, link.external_link.replace("signature=", "signature=0")):
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(request)  # noqa: S310 - as above
    seconds[0] += 15 * 60
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(link.external_link)  # noqa: S310 - as above


def test_a_limit_that_cuts_the_result_sets_truncated(execute):
    assert execute(row_limit=9).manifest.truncated is True
    assert execute(byte_limit=20).manifest.truncated is True
    whole = execute(row_limit=10, byte_limit=1 << 20).manifest
    assert (whole.truncated, whole.total_row_count) == (False, 10)


def test_csv_comes_by_external_links(execute):
    response = execute("SELECT 'x' AS a, 2 AS a, NULL AS b", disposition=Disposition.EXTERNAL_LINKS, format=Format.CSV)
    (link,) = response.result.external_links
    with urllib.request.urlopen(link.external_link) as part:  # noqa: S310 - of the sandbox
        assert part.read() == b"a,a,b\r\nx,2,null\r\n"
    assert response.manifest.total_byte_count == link.byte_count


def test_an_asynchronous_statement_is_pending_and_its_result_is_closed_after_an_hour(seconds, sandbox, client):
    begun = client.statement_execution.execute_statement(
        "SELECT count(*) FROM audit",
        sandbox.warehouse.warehouse_id,
        catalog="system",
        schema="access",
        wait_timeout="0s",
        on_wait_timeout=ExecuteStatementRequestOnWaitTimeout.CANCEL,
    )
    assert begun.status.state == StatementState.PENDING
    assert sandbox.warehouse.statements[0].ended.wait(60)
    ended = client.statement_execution.get_statement(begun.statement_id)
    assert ended.status.state == StatementState.SUCCEEDED
    assert (ended.manifest.schema.columns[0].type_name.value, ended.manifest.truncated) == ("LONG", False)
    seconds[0] += 60 * 60
    assert client.statement_execution.get_statement(begun.statement_id).status.state == StatementState.CLOSED


def test_a_slow_statement_runs_until_it_is_asked_for_and_can_be_canceled(sandbox, client, execute):
    sandbox.warehouse.polls = 2
    response = execute()
    assert response.status.state == StatementState.RUNNING
    assert client.statement_execution.get_statement(response.statement_id).status.state == StatementState.RUNNING
    assert client.statement_execution.get_statement(response.statement_id).status.state == StatementState.SUCCEEDED
    response = execute()
    client.statement_execution.cancel_execution(response.statement_id)
    assert client.statement_execution.get_statement(response.statement_id).status.state == StatementState.CANCELED
    canceled = execute(on_wait_timeout=ExecuteStatementRequestOnWaitTimeout.CANCEL)
    assert canceled.status.state == StatementState.CANCELED


def test_failures_have_the_form_of_the_real_ones(sandbox, execute):
    response = execute("SELECT * FROM nowhere")
    assert response.status.state == StatementState.FAILED
    assert response.status.error.message.startswith("[TABLE_OR_VIEW_NOT_FOUND]")
    sandbox.warehouse.is_denied = True
    assert "USE SCHEMA" in execute("SELECT * FROM system.access.audit").status.error.message
    sandbox.warehouse.is_denied = False
    sandbox.warehouse.inline_bytes = 10
    assert "EXTERNAL_LINKS" in execute().status.error.message


@pytest.mark.parametrize(
    "settings",
    [{"wait_timeout": "3s"}, {"wait_timeout": "60s"}, {"wait_timeout": "soon"}, {"format": Format.ARROW_STREAM}],
)
def test_settings_that_the_real_api_rejects_are_rejected(sandbox, client, settings):
    with pytest.raises(Exception, match=r"wait_timeout|INLINE"):
        client.statement_execution.execute_statement(TEN, sandbox.warehouse.warehouse_id, **settings)
