"""SQL on a warehouse: inline and by links, in parts, slow, canceled, denied and truncated."""

import pytest

from tests.conftest import NOW, ManualClock
from tests.rest.wire import reply
from tokenkit import errors
from tokenkit.rest.credentials import from_token
from tokenkit.rest.statements import StatementsAPI
from tokenkit.rest.transport import RetryPolicy, Transport
from tokenkit.sandbox import Fault, Sandbox

TEN = "SELECT explode(sequence(1, 10)) AS n"
STATEMENTS = "/api/2.0/sql/statements"


@pytest.fixture
def sandbox():
    with Sandbox(tokens=1, clock=NOW.timestamp) as sandbox:
        yield sandbox
        assert sandbox.errors == []
        assert sandbox.unknown_routes == []


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def api(sandbox, clock):
    return StatementsAPI(
        Transport(from_token(sandbox.host, sandbox.token), retries=RetryPolicy(budget_seconds=0)), clock=clock
    )


def run(api, sandbox, sql=TEN, **settings):
    return api.execute(sql, warehouse_id=sandbox.warehouse.warehouse_id, **settings)


def paths(sandbox):
    return [(request.method, request.path.split("/")[-1]) for request in sandbox.requests]


def test_a_short_result_comes_inline_as_texts(api, sandbox):
    result = run(api, sandbox, "SELECT 1 AS n, 'x' AS t, CAST(NULL AS STRING) AS nothing, true AS yes")
    assert result.to_pylist() == [{"n": "1", "t": "x", "nothing": None, "yes": "true"}]
    assert len(sandbox.requests) == 1


def test_a_result_without_rows_has_its_columns(api, sandbox):
    result = run(api, sandbox, "SELECT 1 AS n, 2 AS m WHERE false")
    assert (result.num_rows, result.column_names) == (0, ["n", "m"])


def test_an_inline_result_of_several_chunks_is_whole(api, sandbox):
    sandbox.warehouse.chunk_bytes = 24
    assert run(api, sandbox)["n"].to_pylist() == [str(n) for n in range(1, 11)]
    assert ("GET", "1") in paths(sandbox)


def test_a_long_result_comes_by_links_without_the_credential(api, sandbox):
    sandbox.warehouse.inline_bytes, sandbox.warehouse.chunk_bytes = 10, 24
    assert [str(n) for n in run(api, sandbox)["n"].to_pylist()] == [str(n) for n in range(1, 11)]
    downloads = [request for request in sandbox.requests if request.path.startswith("/storage/")]
    assert len(downloads) > 1
    assert all(request.status == 200 for request in downloads)  # the storage refuses a request with a credential


def test_parameters_are_sent_apart_from_the_statement(api, sandbox):
    hostile = "'; DROP TABLE system.access.audit --"
    result = run(api, sandbox, "SELECT :x AS x, :n + 1 AS n", parameters={"x": ("STRING", hostile), "n": ("INT", "4")})
    assert result.to_pylist() == [{"x": hostile, "n": "5"}]


def test_a_slow_statement_is_asked_for_until_it_ends(api, sandbox, clock):
    sandbox.warehouse.polls = 5
    states = []
    assert run(api, sandbox, on_poll=states.append).num_rows == 10
    assert states == ["RUNNING"] * 5
    assert clock.slept == [0.5, 1.0, 2.0, 4.0, 5.0]


def test_an_interrupt_cancels_the_statement(api, sandbox):
    sandbox.warehouse.polls = 5

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(api, sandbox, on_poll=interrupt)
    assert paths(sandbox)[-1] == ("POST", "cancel")
    (statement,) = sandbox.warehouse.statements
    assert statement.state == "CANCELED"


def test_an_interrupt_stays_one_where_the_statement_cannot_be_canceled(api, sandbox):
    sandbox.warehouse.polls = 5
    sandbox.faults.add(Fault(status=500, path=f"{STATEMENTS}/*/cancel"))

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(api, sandbox, on_poll=interrupt)


def test_a_failed_statement_says_why_without_a_credential(api, sandbox):
    sandbox.warehouse.failure = "[BOOM]\x1b[31m " + "dapi" + "0" * 32 + "x" * 2000
    with pytest.raises(errors.StatementFailedError, match=r"FAILED on .*BOOM") as caught:
        run(api, sandbox)
    assert "dapi0" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 700


def test_a_statement_that_others_cancel_is_an_error(api, sandbox):
    sandbox.warehouse.polls = 3

    def cancel(_):
        (statement,) = sandbox.warehouse.statements
        statement.state, statement.polls_left = "CANCELED", 0

    with pytest.raises(errors.StatementFailedError, match="CANCELED"):
        run(api, sandbox, on_poll=cancel)


def test_a_truncated_result_is_an_error(api, sandbox):
    sandbox.warehouse.is_truncating = True
    with pytest.raises(errors.StatementFailedError, match="truncated"):
        run(api, sandbox)


def test_an_unknown_warehouse_is_an_error_of_the_api(api):
    with pytest.raises(errors.NotFoundError, match="does not exist"):
        api.execute(TEN, warehouse_id="../../token/list")


def test_an_expired_link_is_an_error_that_does_not_show_it(api, sandbox):
    sandbox.warehouse.inline_bytes = 0
    sandbox.faults.add(Fault(path="/storage/*", status=403, body="<Error><Code>AccessDenied</Code></Error>"))
    with pytest.raises(errors.ResponseLostError, match="Links expire") as caught:
        run(api, sandbox)
    assert "signature" not in str(caught.value)


GOOD = {
    "statement_id": "1",
    "status": {"state": "SUCCEEDED"},
    "manifest": {"format": "JSON_ARRAY", "schema": {"columns": [{"name": "n"}]}, "total_row_count": 1},
    "result": {"data_array": [["1"]]},
}


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        ({"statement_id": 7}, "without statement_id."),
        ({"status": None}, "without status."),
        ({"status": {"state": 3}}, "without state."),
        ({"manifest": None}, "without manifest."),
        ({"manifest": {}}, "without schema."),
        ({"manifest": {"schema": {"columns": [{}]}}}, "without name."),
        ({"manifest": {"schema": {"columns": "n"}}}, "'columns' that is not a list of objects."),
        ({"manifest": GOOD["manifest"] | {"total_row_count": 2}}, "an incomplete result."),
        ({"result": 5}, "without result."),
        ({"result": {"data_array": [["1"], ["1", "2"]]}}, "without rows of text."),
        ({"result": {"data_array": 5}}, "without rows of text."),
        ({"result": {"data_array": [[{}]]}}, "without rows of text."),
        ({"result": {"external_links": [{}]}}, "without external_link."),
        ({"result": {"external_links": "x"}}, "'external_links' that is not a list of objects."),
        ({"result": {"data_array": [["1"]], "next_chunk_index": "2"}}, "without the number of its next chunk."),
    ],
)
def test_a_malformed_response_is_an_error_that_names_what_is_missing(serve, broken, what):
    with serve(lambda _: reply(GOOD | broken)) as server:
        api = StatementsAPI(Transport(from_token(server.host, "dapi" + "1" * 32)))
        with pytest.raises(errors.InvalidResponseError) as raised:
            api.execute("SELECT 1", warehouse_id="w")
    assert str(raised.value).endswith(what)


@pytest.mark.parametrize(
    ("response", "found"),
    [
        ({}, []),
        (
            {"warehouses": [{"id": "a"}, {"id": "b", "name": "B", "state": "RUNNING"}]},
            [("a", "", ""), ("b", "B", "RUNNING")],
        ),
        ({"warehouses": [{"name": "B"}]}, "without id."),
        ({"warehouses": {"id": "a"}}, "'warehouses' that is not a list of objects."),
    ],
)
def test_a_warehouse_has_an_id_and_may_have_a_name_and_a_state(serve, response, found):
    with serve(lambda _: reply(response)) as server:
        api = StatementsAPI(Transport(from_token(server.host, "dapi" + "1" * 32)))
        if isinstance(found, list):
            assert api.warehouses() == found
        else:
            with pytest.raises(errors.InvalidResponseError) as raised:
                api.warehouses()
            assert str(raised.value).endswith(found)
    assert server.requests[0].startswith("GET /api/2.0/sql/warehouses ")


def test_the_state_of_a_warehouse_is_that_of_its_own_response(serve):
    with serve(lambda number: reply([{"state": "STARTING"}, {}][number - 1])) as server:
        api = StatementsAPI(Transport(from_token(server.host, "dapi" + "1" * 32)))
        assert api.state("a/b") == "STARTING"
        with pytest.raises(errors.InvalidResponseError, match=r"without state\.$"):
            api.state("a/b")
    assert server.requests[0].startswith("GET /api/2.0/sql/warehouses/a%2Fb ")


def test_a_link_that_is_not_https_is_not_followed_from_a_real_workspace(serve):
    with serve(lambda _: reply(b"")) as server:
        transport = Transport(from_token("https://adb-1.azuredatabricks.net", "dapi" + "1" * 32))
        with pytest.raises(errors.InvalidResponseError, match="not HTTPS"):
            transport.download(f"{server.host}/part")
        assert server.requests == []


@pytest.mark.parametrize("status", ["302 Found", "403 Forbidden", "500 Oops"])
def test_a_storage_that_does_not_deliver_is_asked_once_and_no_redirect_is_followed(serve, status):
    with serve(lambda _: reply(b"", "Location: /elsewhere", status=status)) as server:
        transport = Transport(from_token(server.host, "dapi" + "1" * 32))
        with pytest.raises(errors.ResponseLostError, match="storage") as caught:
            transport.download(f"{server.host}/part?signature=secret")
        assert len(server.requests) == 1
        assert "authorization" not in server.requests[0].lower()
        assert "secret" not in str(caught.value)


def test_a_storage_that_cannot_be_reached_is_an_error_that_does_not_show_the_link():
    transport = Transport(from_token("http://127.0.0.1:9", "dapi" + "1" * 32))
    with pytest.raises(errors.ConnectionFailedError) as caught:
        transport.download("http://127.0.0.1:9/part?signature=secret")
    assert "secret" not in str(caught.value)


def test_a_part_that_is_not_arrow_is_an_error(serve):
    with serve(lambda _: reply(b"<Error/>")) as server:
        link = {"external_link": f"{server.host}/part", "chunk_index": 0}
        document = GOOD | {"result": {"external_links": [link]}}
        with serve(lambda _: reply(document)) as workspace:
            api = StatementsAPI(Transport(from_token(workspace.host, "dapi" + "1" * 32)))
            with pytest.raises(errors.InvalidResponseError, match="Arrow"):
                api.execute("SELECT 1", warehouse_id="w")


MANY = "(SELECT explode(sequence(1, 4000000)) AS n)"
LONG = f"SELECT sum(a.n * b.n) AS n FROM {MANY} a, {MANY} b"  # noqa: S608 - constants


def post(transport, sandbox, sql, **more):
    body = {"statement": sql, "warehouse_id": sandbox.warehouse.warehouse_id} | more
    return transport.call("POST", "/api/2.0/sql/statements", body=body)


@pytest.fixture
def transport(sandbox):
    transport = Transport(from_token(sandbox.host, sandbox.token))
    yield transport
    transport.close()


def test_a_statement_that_outlasts_its_wait_is_running_and_other_requests_are_answered(sandbox, transport):
    sandbox.warehouse.engine.longest_seconds = 1000
    begun = post(transport, sandbox, LONG, wait_timeout="0s")
    assert begun["status"] == {"state": "PENDING"}
    path = f"/api/2.0/sql/statements/{begun['statement_id']}"
    for _ in range(3):
        assert transport.call("GET", path)["status"] == {"state": "RUNNING"}
    quick = post(transport, sandbox, "SELECT 1 AS n")
    assert quick["result"]["data_array"] == [["1"]]
    transport.call("POST", f"{path}/cancel")
    assert transport.call("GET", path)["status"] == {"state": "CANCELED"}
    (statement, _) = sandbox.warehouse.statements
    assert statement.ended.wait(60)


def test_a_statement_is_canceled_when_its_wait_ends_if_the_caller_asked_for_that(sandbox, transport):
    sandbox.warehouse.engine.longest_seconds = 1000
    ended = post(transport, sandbox, LONG, wait_timeout="5s", on_wait_timeout="CANCEL")
    assert ended["status"] == {"state": "CANCELED"}


def test_a_sandbox_stops_while_a_statement_runs(sandbox, transport):
    sandbox.warehouse.engine.longest_seconds = 1000
    post(transport, sandbox, LONG, wait_timeout="0s")
    sandbox.stop()
    (statement,) = sandbox.warehouse.statements
    assert statement.state == "CANCELED"


def test_a_statement_is_sent_with_all_that_the_service_would_otherwise_assume(sandbox, api, monkeypatch):
    sent, call = [], Transport.call

    def note(transport, method, path, **more):
        sent.append(more.get("body"))
        return call(transport, method, path, **more)

    monkeypatch.setattr(Transport, "call", note)
    sandbox.warehouse.inline_bytes = 10
    run(api, sandbox)
    common = {
        "warehouse_id": sandbox.warehouse.warehouse_id,
        "statement": TEN,
        "parameters": [],
        "wait_timeout": "30s",
        "on_wait_timeout": "CONTINUE",
    }
    assert sent[0] == common | {"disposition": "INLINE", "format": "JSON_ARRAY"}
    assert common | {"disposition": "EXTERNAL_LINKS", "format": "ARROW_STREAM"} in sent


def test_a_result_whose_parts_never_end_is_an_error(serve, monkeypatch):
    monkeypatch.setattr("tokenkit.rest.statements._MAX_CHUNKS", 3)
    part = {"data_array": [["1"]], "next_chunk_index": 1}
    with serve(lambda number: reply(part if number > 1 else GOOD | {"result": part})) as server:
        api = StatementsAPI(Transport(from_token(server.host, "dapi" + "1" * 32)))
        with pytest.raises(errors.InvalidResponseError, match=r"without an end of its result\.$"):
            api.execute("SELECT 1", warehouse_id="w")
    assert len(server.requests) == 1 + 3
