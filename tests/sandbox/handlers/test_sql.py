"""The Statement Execution API: what it rejects, and what its documentation says of limits, formats and lifetimes."""

import csv
import io

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sandbox.conftest import DAY

STATEMENTS = "/api/2.0/sql/statements"
THREE = "SELECT explode(sequence(1, 3)) AS n"
INVALID = (400, "INVALID_PARAMETER_VALUE")
EXTERNAL = {"disposition": "EXTERNAL_LINKS"}


@pytest.fixture
def execute(sandbox, admin):
    def executing(statement=THREE, **more):
        body = {"warehouse_id": sandbox.warehouse.warehouse_id, "statement": statement, "wait_timeout": "30s", **more}
        return admin.ok("POST", STATEMENTS, body)

    return executing


@pytest.mark.parametrize(
    "field",
    [
        {"parameters": [{"name": "a", "value": "1", "type": "NOPE"}]},
        {"parameters": [{"name": "a", "value": "1", "type": "INT; DROP"}]},
        {"parameters": [{"name": "a", "value": "1", "type": "DECIMAL(99,2)"}]},
        {"parameters": [{"name": "a", "value": "1", "type": "DECIMAL(2,3)"}]},
        {"parameters": [{"name": "a", "value": "1", "type": "ARRAY<INT>"}]},
        {"parameters": [{"name": "a", "value": "1", "type": 5}]},
        {"parameters": [{"name": "a", "value": {"b": 1}}]},
        {"parameters": [{"name": "a"}, {"name": "A"}]},
        {"parameters": [{"name": ""}]},
        {"parameters": [{"value": "1"}]},
        {"parameters": ["a"]},
        {"parameters": 5},
        {"parameters": {"a": 1}},
        {"parameters": True},
        {"on_wait_timeout": "FOO"},
        {"on_wait_timeout": 1},
        {"row_limit": -1},
        {"row_limit": 0},
        {"row_limit": "x"},
        {"row_limit": 1.5},
        {"row_limit": True},
        {"row_limit": 1 << 70},
        {"byte_limit": -1},
        {"byte_limit": "x"},
        {"wait_timeout": "\u0661\u0660s"},
        {"wait_timeout": "10"},
        {"wait_timeout": 10},
        {"wait_timeout": "9" * 5000 + "s"},
        {"catalog": 5},
        {"schema": []},
        {"format": "XML"},
        {"format": ["CSV"]},
        {"disposition": {}},
        {"format": "CSV"},
        {"statement": None},
        {"statement": 5},
        {"statement": " "},
        {"warehouse_id": None},
        {"warehouse_id": ["x"]},
    ],
)
def test_an_invalid_field_is_rejected_and_nothing_is_stored(sandbox, admin, field):
    body = {"warehouse_id": sandbox.warehouse.warehouse_id, "statement": "SELECT 1", **field}
    assert admin.error("POST", STATEMENTS, body) == INVALID
    assert sandbox.warehouse.statements == []
    assert sandbox.errors == []


@pytest.mark.parametrize("field", ["parameters", "row_limit", "byte_limit", "format", "on_wait_timeout", "catalog"])
def test_null_means_that_a_field_is_absent(execute, field):
    assert execute(**{field: None})["result"]["data_array"] == [["1"], ["2"], ["3"]]


@pytest.mark.parametrize("index", ["²", "٣", "9" * 5000, "-1", "1", "x", "0x0", "+0", "%20"])
def test_a_chunk_that_does_not_exist_is_rejected(sandbox, admin, execute, index):
    statement_id = execute()["statement_id"]
    assert admin.error("GET", f"{STATEMENTS}/{statement_id}/result/chunks/{index}") == INVALID
    link = execute(**EXTERNAL)["result"]["external_links"][0]["external_link"]
    path, _, query = link.partition("?")
    for changed in (
        f"{path.rpartition('/')[0]}/{index}?{query}",
        f"{path}?{query.replace('expires=', 'expires=' + index)}",
    ):
        assert requests.get(changed, timeout=30).status_code == 403
    assert sandbox.errors == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
types = st.sampled_from(["INT", "date", "DECIMAL(5,2)", "TIMESTAMP", "VOID", "NOPE", "STRUCT<a: INT>", "", "BINARY"])
parameters = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["a", "b", "A", ""]) | json_values},
        optional={"value": st.sampled_from(["1", "2026-01-01", "", "x"]) | json_values, "type": types | json_values},
    ),
    max_size=3,
)
sqls = st.sampled_from(
    [
        *(THREE, "SELECT :a AS a", "SELECT :a + :b, current_user()", "SELECT * FROM audit", "SELECT 1 AS a, 2 AS a"),
        *(
            "SELECT * FROM system.access.audit",
            "SELECT X'00', INTERVAL 1 DAY, 1.5, NULL",
            "SELECT '\0'",
            "DROP TABLE x",
        ),
        *("SELECT array(1, 2), map('a', 1), named_struct('a', 1)", "SELECT ?", "SELECT now(", "VALUES (1)", "SELECT"),
    ]
)
bodies = st.fixed_dictionaries(
    {"statement": sqls | st.text(max_size=30) | json_values},
    optional={
        "parameters": parameters | json_values,
        "wait_timeout": st.sampled_from(["0s", "5s", "50s", "1s", "s", ""]) | json_values,
        "on_wait_timeout": st.sampled_from(["CONTINUE", "CANCEL", "FOO"]) | json_values,
        "disposition": st.sampled_from(["INLINE", "EXTERNAL_LINKS"]) | json_values,
        "format": st.sampled_from(["JSON_ARRAY", "ARROW_STREAM", "CSV"]) | json_values,
        "row_limit": st.integers(-2, 5) | json_values,
        "byte_limit": st.integers(-2, 50) | json_values,
        "catalog": st.sampled_from(["system", "main", ""]) | json_values,
        "schema": st.sampled_from(["access", "information_schema", "`"]) | json_values,
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies)
def test_no_body_breaks_the_sandbox_or_leaves_a_statement_that_does_not_end(sandbox, admin, body):
    stored = len(sandbox.warehouse.statements)
    response = admin("POST", STATEMENTS, {"warehouse_id": sandbox.warehouse.warehouse_id} | body)
    assert sandbox.errors == []
    if response.status_code == 400:
        assert response.json()["error_code"] in {"INVALID_PARAMETER_VALUE", "MALFORMED_REQUEST"}
        assert len(sandbox.warehouse.statements) == stored
        return
    assert response.status_code == 200
    statement = sandbox.warehouse.find(response.json()["statement_id"])
    assert statement.ended.wait(60)
    document = admin.ok("GET", f"{STATEMENTS}/{statement.statement_id}")
    assert document["status"]["state"] in {"SUCCEEDED", "FAILED", "CANCELED"}
    assert document["status"].get("error", {}).get("error_code") != "INTERNAL_ERROR"


def test_an_asynchronous_statement_is_pending_and_is_not_canceled(sandbox, admin, execute):
    begun = execute(wait_timeout="0s", on_wait_timeout="CANCEL")
    assert begun["status"] == {"state": "PENDING"}
    assert sandbox.warehouse.find(begun["statement_id"]).ended.wait(60)
    ended = admin.ok("GET", f"{STATEMENTS}/{begun['statement_id']}")
    assert ended["status"] == {"state": "SUCCEEDED"}


@pytest.mark.parametrize(("limit", "rows", "is_truncated"), [(1, 1, True), (2, 2, True), (3, 3, False), (4, 3, False)])
def test_a_row_limit_that_cuts_the_result_says_so(execute, limit, rows, is_truncated):
    manifest = execute(row_limit=limit)["manifest"]
    assert (manifest["total_row_count"], manifest["truncated"]) == (rows, is_truncated)


@pytest.mark.parametrize(
    ("limit", "rows", "is_truncated"), [(1, 0, True), (20, 2, True), (76, 9, True), (1000, 10, False)]
)
def test_a_byte_limit_cuts_whole_rows_and_says_so(execute, limit, rows, is_truncated):
    document = execute("SELECT explode(sequence(1, 10)) AS n", byte_limit=limit)
    assert (document["manifest"]["total_row_count"], document["manifest"]["truncated"]) == (rows, is_truncated)
    assert document["result"]["data_array"] == [[str(n)] for n in range(1, rows + 1)]


def test_csv_by_external_links_has_one_header_and_the_word_null(sandbox, admin, execute):
    sandbox.warehouse.chunk_bytes = 30
    sql = "SELECT concat('a\"', n, ',\n') AS t, n, NULL AS nothing FROM (SELECT explode(sequence(1, 3)) AS n)"
    document = execute(sql, format="CSV", **EXTERNAL)
    assert document["manifest"]["format"] == "CSV"
    assert document["manifest"]["total_chunk_count"] > 1
    text = ""
    for index in range(document["manifest"]["total_chunk_count"]):
        chunk = admin.ok("GET", f"{STATEMENTS}/{document['statement_id']}/result/chunks/{index}")
        (link,) = chunk["external_links"]
        content = requests.get(link["external_link"], timeout=30).content
        assert len(content) == link["byte_count"]
        text += content.decode()
    rows = [*csv.reader(io.StringIO(text, newline=""))]
    assert rows == [["t", "n", "nothing"], *([f'a"{n},\n', str(n), "null"] for n in range(1, 4))]


@pytest.mark.parametrize(
    ("name", "defaults"),
    [
        ("audit", {"catalog": "system", "schema": "access"}),
        ("access.audit", {"catalog": "SYSTEM"}),
        ("audit", {"catalog": "System", "schema": "Access"}),
        ("tables", {"catalog": "system", "schema": "information_schema"}),
        ("system.access.audit", {"catalog": "main", "schema": "default"}),
    ],
)
def test_tables_are_found_in_the_default_catalog_and_schema(execute, name, defaults):
    assert execute(f"SELECT count(*) FROM {name}", **defaults)["status"] == {"state": "SUCCEEDED"}  # noqa: S608 - constants


@pytest.mark.parametrize(
    ("name", "defaults"),
    [
        ("audit", {}),
        ("audit", {"schema": "access"}),
        ("access.audit", {"schema": "access"}),
        ("audit", {"catalog": "system"}),
        ("audit", {"catalog": "main", "schema": "access"}),
        ("nowhere.system.access.audit", {"catalog": "system", "schema": "access"}),
    ],
)
def test_other_tables_are_not_found(execute, name, defaults):
    error = execute(f"SELECT count(*) FROM {name}", **defaults)["status"]["error"]  # noqa: S608 - constants
    assert error["message"].startswith("[TABLE_OR_VIEW_NOT_FOUND]")


def test_a_result_is_available_for_one_hour_however_often_it_is_polled(admin, clock, execute):
    path = f"{STATEMENTS}/{execute()['statement_id']}"
    for _ in range(4):
        assert admin.ok("GET", path)["status"] == {"state": "SUCCEEDED"}
        clock.now += 899
    assert admin.ok("GET", f"{path}/result/chunks/0")["row_count"] == 3
    clock.now += 4
    assert admin.ok("GET", path)["status"] == {"state": "CLOSED"}
    assert "result" not in admin.ok("GET", path)
    assert admin.error("GET", f"{path}/result/chunks/0") == INVALID


def test_a_result_of_yesterday_is_closed(sandbox, admin, clock, execute):
    path = f"{STATEMENTS}/{execute()['statement_id']}"
    clock.now += DAY
    assert admin.ok("GET", path)["status"] == {"state": "CLOSED"}
    assert sandbox.warehouse.statements[0].result is None


def test_each_link_has_its_own_expiry(admin, clock, execute):
    def link():
        return admin.ok("GET", path)["result"]["external_links"][0]

    path = f"{STATEMENTS}/{execute(**EXTERNAL)['statement_id']}"
    old = link()
    clock.now += 600
    new = link()
    assert old["expiration"] == "2026-03-01T12:15:00.000Z"
    assert new["expiration"] == "2026-03-01T12:25:00.000Z"
    clock.now += 300
    assert requests.get(old["external_link"], timeout=30).status_code == 403
    assert requests.get(new["external_link"], timeout=30).status_code == 200
    renewed = old["external_link"].replace("expires=1", "expires=2")
    assert requests.get(renewed, timeout=30).status_code == 403
    clock.now += 45 * 60 - 60
    last = link()
    assert last["expiration"] == "2026-03-01T13:00:00.000Z"  # with the result
    clock.now += 60
    assert requests.get(last["external_link"], timeout=30).status_code == 403


@pytest.mark.parametrize("settings", [{}, EXTERNAL])
def test_columns_of_one_name_keep_their_values(execute, settings):
    document = execute("SELECT 1 AS a, 2 AS a, 3 AS b, 4 AS a", **settings)
    assert [column["name"] for column in document["manifest"]["schema"]["columns"]] == ["a", "a", "b", "a"]
    result = document["result"]
    if settings:
        rows = requests.get(result["external_links"][0]["external_link"], timeout=30).json()
    else:
        rows = result["data_array"]
    assert rows == [["1", "2", "3", "4"]]


@pytest.mark.parametrize(
    ("sql", "type_name", "type_text"),
    [
        ("CAST(1 AS BIGINT)", "LONG", "BIGINT"),
        ("CAST(1 AS TINYINT)", "BYTE", "TINYINT"),
        ("CAST(1 AS SMALLINT)", "SHORT", "SMALLINT"),
        ("CAST(1 AS FLOAT)", "FLOAT", "FLOAT"),
        ("CAST(1 AS DECIMAL(10,2))", "DECIMAL", "DECIMAL(10,2)"),
        ("INTERVAL 1 DAY", "INTERVAL", "INTERVAL"),
        ("CAST('x' AS BINARY)", "BINARY", "BINARY"),
        ("array(1, 2)", "ARRAY", "ARRAY<INT>"),
        ("array(array('x'))", "ARRAY", "ARRAY<ARRAY<STRING>>"),
        ("map('a', 1)", "MAP", "MAP<STRING, INT>"),
        ("named_struct('a', 1, 'b', 'x')", "STRUCT", "STRUCT<a: INT, b: STRING>"),
    ],
)
def test_columns_have_the_types_of_databricks(execute, sql, type_name, type_text):
    (column,) = execute(f"SELECT {sql} AS c")["manifest"]["schema"]["columns"]
    assert (column["type_name"], column["type_text"]) == (type_name, type_text)
    assert (column.get("type_precision"), column.get("type_scale")) == (
        (10, 2) if type_name == "DECIMAL" else (None, None)
    )


def test_the_current_user_is_the_caller(admin, execute):
    me = admin.ok("GET", "/api/2.0/preview/scim/v2/Me")["userName"]
    assert execute("SELECT current_user(), session_user()")["result"]["data_array"] == [[me, me]]


def test_names_of_parameters_are_not_case_sensitive(execute):
    document = execute("SELECT :Day, :DAY", parameters=[{"name": "day", "value": "x"}])
    assert document["result"]["data_array"] == [["x", "x"]]
