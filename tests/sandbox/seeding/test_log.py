"""The warehouse's log grows by the requests since it was last read, and is whole again when its past changed."""

import pytest

from tests.conftest import NOW
from tokenkit.sandbox import Sandbox

SQL = "/api/2.0/sql/statements"


@pytest.fixture
def count(sandbox, admin):
    """Ask the warehouse for the number of rows."""

    def ask():
        warehouse_id = sandbox.warehouse.warehouse_id
        statement = "SELECT count(*), count(DISTINCT event_id) FROM system.access.audit"
        found = admin.ok("POST", SQL, {"warehouse_id": warehouse_id, "statement": statement})
        ((number, distinct),) = found["result"]["data_array"]
        return int(number), int(distinct)

    return ask


@pytest.fixture
def sandbox():
    with Sandbox(tokens=40, workspaces=2, clock=NOW.timestamp) as sandbox:
        yield sandbox
        assert list(sandbox.errors) == []


def test_the_warehouse_counts_what_the_log_has(sandbox, count):
    first, _ = count()
    assert first == len(list(sandbox.audit_events())) - 1  # the statement's own sign-in is recorded after it
    assert count()[0] == first + 1


def test_a_part_is_the_rows_since_the_mark(sandbox, admin):
    log = sandbox.warehouse.log
    whole = log.read(None)
    rows = list(whole.rows)
    assert whole.is_whole
    admin.ok("GET", "/api/2.0/token/list")
    admin.ok("POST", "/api/2.0/token/create", {"comment": "x"})
    part = log.read(whole.mark)
    assert not part.is_whole
    assert [row["action_name"] for row in part.rows] == ["tokenLogin", "tokenLogin", "generateDbToken"]
    assert list(log.read(part.mark).rows) == []
    assert len(list(sandbox.audit_events())) == len(rows) + 3


def test_passed_days_change_the_past(sandbox, count):
    before = sandbox.warehouse.log.read(None)
    number, _ = count()
    sandbox.pass_days(3)
    after = sandbox.warehouse.log.read(before.mark)
    assert after.is_whole
    later, distinct = count()
    assert later == distinct  # no row is there twice
    assert later > number + 2
    assert later == len(list(sandbox.audit_events())) - 1
