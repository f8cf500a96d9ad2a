"""Where the audit log is read: given rows, files, and the warehouse, with one result."""

import pickle
from collections import Counter

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

import tokenkit
from tests.conftest import NOW
from tests.review.test_sign_ins import event, frame
from tokenkit import errors
from tokenkit.sandbox import Fault, Sandbox
from tokenkit.sandbox.state.audit_rows import GivenRows
from tokenkit.workspaces import usage as usage_sources

DAY = pd.Timedelta(days=1)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(tokens=40, clock=NOW.timestamp) as sandbox:
        yield sandbox
        assert sandbox.errors == []


@pytest.fixture
def ws(sandbox):
    return tokenkit.connect(host=sandbox.host, token=sandbox.token, clock=lambda: NOW)


def log(ws, *, days=5):
    """A log in which each token signs in as often as its position says, from three networks."""
    token_ids = ws.listing()["token_id"].tolist()[:10]
    return [
        event(
            token_id,
            event_time=(NOW - (n % days) * DAY).isoformat(),
            source_ip_address=f"192.0.{n % 3}.{n}:443",
            user_agent=f"dbt/1.{n % 4}" if position % 2 else "curl/8",
        )
        for position, token_id in enumerate([*token_ids, "f" * 64])
        for n in range(position + 1)
    ]


def seed(sandbox, events):
    """Put events into the sandbox's log."""
    sandbox.warehouse.log = GivenRows(events)


def same(one, other):
    pd.testing.assert_frame_equal(one, other)
    assert one.attrs | {"read_from": None} == other.attrs | {"read_from": None}
    return True


def test_rows_files_arrow_and_the_warehouse_give_one_result(sandbox, ws, tmp_path, monkeypatch):
    events = log(ws)
    rows = frame(*events)
    expected = ws.usage(rows=rows)
    assert expected["logins"].tolist() == list(range(11, 0, -1))
    assert expected["matched"].tolist() == [False] + [True] * 10
    params = pa.array([[*row["request_params"].items()] for row in events], pa.map_(pa.string(), pa.string()))
    table = pa.Table.from_pandas(rows.drop(columns="request_params")).append_column("request_params", params)
    rows.to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    pa.parquet.write_table(table, tmp_path / "rows.parquet")
    assert same(ws.usage(rows=table), expected)
    assert same(ws.usage(rows=tmp_path / "rows.jsonl"), expected)
    assert same(ws.usage(rows=str(tmp_path / "rows.parquet")), expected)
    seed(sandbox, events)
    assert same(ws.usage(warehouse_id=sandbox.warehouse.warehouse_id), expected)
    monkeypatch.setenv("DATABRICKS_WAREHOUSE_ID", sandbox.warehouse.warehouse_id)
    assert same(ws.usage(), expected)


def test_days_cut_the_log_and_not_given_rows(sandbox, ws):
    events = log(ws)
    seed(sandbox, events)
    recent = ws.usage(days=1, warehouse_id=sandbox.warehouse.warehouse_id)
    assert recent["logins"].sum() < len(events)
    assert recent["first_login"].min() >= NOW.floor("D") - DAY
    assert ws.usage(days=1, rows=frame(*events))["logins"].sum() == len(events)


def test_what_is_fetched_grows_with_tokens_and_not_with_rows(sandbox, ws):
    events = log(ws)
    times = 200_000 // len(events)
    seed(sandbox, events * times)
    sandbox.requests.clear()
    found = ws.usage(warehouse_id=sandbox.warehouse.warehouse_id)
    assert sandbox.warehouse.statements[-1].result.row_counts == [11]
    counts = Counter(row["request_params"]["tokenId"] for row in events)
    assert found.set_index("token_id")["logins"].to_dict() == {name: n * times for name, n in counts.items()}


@pytest.mark.parametrize("days", [0, -1, 366, 2.5, "30", True, None])
def test_days_are_a_whole_number_that_the_log_keeps(ws, days):
    with pytest.raises(errors.UsageError, match="days"):
        ws.usage(days=days)


@pytest.mark.parametrize("rows", [5, [1], {"a": 1}])
def test_other_objects_are_no_rows(ws, rows):
    with pytest.raises(errors.UsageError, match="rows cannot be"):
        ws.usage(rows=rows)


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(ws, tmp_path):
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and nothing else")
    other = tmp_path / "other.txt"
    other.write_text("one\ntwo")
    for file in (tmp_path / "missing.jsonl", broken, other, tmp_path):
        with pytest.raises(errors.UsageError, match="Cannot read"):
            ws.usage(rows=file)


def test_without_a_warehouse_the_error_lists_those_that_there_are(sandbox, ws):
    with pytest.raises(errors.ConfigurationError, match=sandbox.warehouse.warehouse_id):
        ws.usage()


@pytest.mark.parametrize("settings", [{}, {"start_warehouse": True}])
def test_an_unknown_warehouse_is_an_error_that_lists_those_that_there_are(sandbox, ws, settings):
    known = f"Warehouses: {sandbox.warehouse.warehouse_id} "
    with pytest.raises(errors.UsageError, match="SQL warehouse 1234 does not exist in ") as raised:
        ws.usage(warehouse_id="1234", **settings)
    assert known in str(raised.value)
    with pytest.raises(errors.UsageError, match=known):
        tokenkit.fleet([ws]).usage(warehouse_id="1234", **settings)
    sandbox.faults.add(
        Fault(path="/api/2.0/sql/warehouses/1234", status=400, body={"error_code": "INVALID_PARAMETER_VALUE"})
    )
    with pytest.raises(errors.UsageError, match="does not exist"):
        ws.usage(warehouse_id="1234", **settings)
    sandbox.faults.clear()


def test_an_unknown_warehouse_of_a_fleet_is_an_error_that_lists_those_of_every_workspace(sandbox, ws):
    with Sandbox(tokens=3, seed=5) as other, Sandbox(tokens=3, seed=6) as unreachable:
        workspaces = [tokenkit.connect(host=each.host, token=each.token) for each in (other, unreachable)]
        fleet = tokenkit.fleet([ws, *workspaces])
        unreachable.faults.add(Fault(path="/api/2.0/sql/*", status=403))
        for setting, error in (({"warehouse_id": "1234"}, errors.UsageError), ({}, errors.ConfigurationError)):
            with pytest.raises(error) as raised:
                fleet.usage(**setting)
            known = str(raised.value).partition("Warehouses: ")[2]
            assert [part.partition(" ")[0] for part in known.split(", ")] == [
                each.warehouse.warehouse_id for each in (sandbox, other)
            ]
            assert all(f" in {each.host}" in known for each in (sandbox, other))
        assert len(fleet.usage(warehouse_id=other.warehouse.warehouse_id)) > 0
        for each in (sandbox, other):
            each.faults.add(Fault(path="/api/2.0/sql/*", status=403))
        with pytest.raises(errors.PermissionDeniedError):
            fleet.usage(warehouse_id="1234")
        sandbox.faults.clear()


def test_the_warehouses_of_many_workspaces_are_named_one_of_each_and_counted():
    class Api:
        def __init__(self, *ids):
            self._ids = ids

        def warehouses(self):
            return [(warehouse_id, "starter", "RUNNING") for warehouse_id in self._ids]

    apis = {f"w{number}": Api(f"{number}a", f"{number}b") for number in range(7)}
    assert usage_sources._known_warehouses(apis) == (
        "Warehouses: 0a (starter) in w0, 1a (starter) in w1, 2a (starter) in w2, 3a (starter) in w3, "
        "4a (starter) in w4 and 5 more, and those of 2 more workspaces."
    )


def test_a_stopped_warehouse_is_started_only_if_told_to(sandbox, ws):
    sandbox.warehouse.state = "STOPPED"
    before = len(sandbox.warehouse.statements)
    with pytest.raises(errors.WarehouseStoppedError, match="costs money") as stopped:
        ws.usage(7, warehouse_id=sandbox.warehouse.warehouse_id)
    for error in (stopped.value, pickle.loads(pickle.dumps(stopped.value))):  # noqa: S301 - our own
        assert (error.warehouse_id, error.days) == (sandbox.warehouse.warehouse_id, 7)
        assert str(error) == str(stopped.value)
    assert (sandbox.warehouse.state, len(sandbox.warehouse.statements)) == ("STOPPED", before)
    ws.usage(warehouse_id=sandbox.warehouse.warehouse_id, start_warehouse=True)
    assert sandbox.warehouse.state == "RUNNING"


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ("[INSUFFICIENT_PERMISSIONS] User does not have USE SCHEMA on Schema 'system.access'.", "GRANT USE SCHEMA"),
        (
            "[TABLE_OR_VIEW_NOT_FOUND] The table or view `system`.`access`.`audit` cannot be found.",
            "enables the system",
        ),
        ("[DIVIDE_BY_ZERO] Division by zero.", "DIVIDE_BY_ZERO"),
    ],
)
def test_a_statement_that_fails_says_what_to_do(sandbox, ws, monkeypatch, failure, words):
    monkeypatch.setattr(sandbox.warehouse, "failure", failure)
    with pytest.raises(errors.StatementFailedError, match=words):
        ws.usage(warehouse_id=sandbox.warehouse.warehouse_id)
