"""Sign-ins of the audit log, counted from rows in any form, and by SQL, as plain Python counts them."""

import io
import json
from collections import Counter
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.json
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenkit import errors
from tokenkit.review import sign_ins
from tokenkit.review.sign_ins import SIGN_INS

SAMPLE = Path(__file__).parents[1] / "samples" / "other" / "audit-rows.jsonl"
A, B = "a" * 64, "b" * 64
EXTERNAL, INTERNAL = "API_EXT_PAT_TOKEN", "API_INT_PAT_TOKEN"
DUCKDB_TABLE = (
    "CREATE TABLE audit (event_time TIMESTAMPTZ, event_date DATE, workspace_id BIGINT, source_ip_address VARCHAR, "
    "user_agent VARCHAR, service_name VARCHAR, action_name VARCHAR, user_identity STRUCT(email VARCHAR), "
    "request_params MAP(VARCHAR, VARCHAR), response STRUCT(status_code INTEGER))"
)


def event(token_id=A, **values):
    """A row of the log as Python has it."""
    row = {
        "event_time": "2026-03-01T09:30:00Z",
        "workspace_id": 17,
        "source_ip_address": "192.0.2.9",
        "user_agent": "dbt/1.7",
        "service_name": "accounts",
        "action_name": "tokenLogin",
        "user_identity": {"email": "ann@example.com"},
        "request_params": {"tokenId": token_id, "authenticationMethod": values.pop("method", EXTERNAL)},
        "response": {"status_code": 200},
    }
    return row | values


def frame(*events):
    return pd.DataFrame([*events], columns=[*event()])


def queried(*events):
    """What the SQL about tokens finds in a table with these rows."""
    return queried_by(SIGN_INS, *events)


def queried_by(question, *events):
    """What the SQL of a question finds in a table with these rows."""
    with duckdb.connect() as connection:
        connection.execute(DUCKDB_TABLE)
        for row in events:
            params = {name: value for name, value in row["request_params"].items() if value is not None}
            connection.execute(
                "INSERT INTO audit SELECT $event_time, CAST($event_time AS DATE), $workspace_id, $source_ip_address, "
                "$user_agent, $service_name, $action_name, $user_identity, MAP($names, $values), $response",
                {
                    **{name: value for name, value in row.items() if name != "request_params"},
                    "names": [*params],
                    "values": [*params.values()],
                },
            )
        statement = question.statement("audit", since="DATE '2000-01-01'")
        (translated,) = sqlglot.transpile(statement, read="databricks", write="duckdb")
        return connection.sql(translated).to_arrow_table()


def rows_of(found):
    """What was found, in plain Python."""
    totals = {
        row["token_id"]: (row["logins"], row["first_login"], row["last_login"], row["days_used"])
        for row in found.totals.to_dict("records")
    }
    names = [(row["token_id"], row["kind"], row["name"], row["n"]) for row in found.names.to_dict("records")]
    newest = None if pd.isna(found.newest_event) else found.newest_event
    return totals, names, found.internal_logins, newest, found.workspace_ids


FIRST = pd.Timestamp("2026-01-01", tz="UTC")
TIMES = st.integers(0, 3 * 86_400).map(lambda seconds: (FIRST + pd.Timedelta(seconds=seconds)).isoformat())
ADDRESSES = {
    "192.0.2.9": "192.0.2.9",
    "192.0.2.9:443": "192.0.2.9",
    "2001:db8::1": "2001:db8::1",
    "[2001:db8::1]:443": "2001:db8::1",
    "[2001:db8::1]": "2001:db8::1",
    "::ffff:192.0.2.1": "::ffff:192.0.2.1",
    "unix": "unix",
    "": None,
    None: None,
}
EVENTS = st.builds(
    event,
    st.sampled_from([A, B, "c" * 64, None]),
    event_time=TIMES,
    source_ip_address=st.sampled_from([*ADDRESSES]),
    user_agent=st.sampled_from(["dbt/1.7", "curl/8", "", None, "x" * 400, "é" * 301, "'; DROP TABLE audit"]),
    action_name=st.sampled_from(["tokenLogin"] * 5 + ["login"]),
    service_name=st.sampled_from(["accounts"] * 5 + ["jobs"]),
    response=st.sampled_from([{"status_code": 200}] * 4 + [{"status_code": 403}, {"status_code": None}]),
    workspace_id=st.sampled_from([0, 17, 2**62]),
    user_identity=st.sampled_from([{"email": "ann@example.com"}, {"email": None}]),
    method=st.sampled_from([EXTERNAL] * 3 + [INTERNAL]),
)


def expected(events):
    """The same, counted an event at a time."""
    read = [
        row
        for row in events
        if (row["action_name"], row["service_name"]) == ("tokenLogin", "accounts")
        and row["request_params"]["tokenId"]
        and (row["response"]["status_code"] or 0) < 400
    ]
    logins = [row for row in read if row["request_params"]["authenticationMethod"] != INTERNAL]
    names, totals = Counter(), {}
    for row in logins:
        token_id = row["request_params"]["tokenId"]
        for kind, name in (
            ("identity", row["user_identity"]["email"]),
            ("address", ADDRESSES[row["source_ip_address"]]),
            ("user_agent", (row["user_agent"] or "")[:300]),
        ):
            if name:
                names[token_id, kind, name] += 1
        totals.setdefault(token_id, []).append(pd.Timestamp(row["event_time"]))
    return (
        {
            token_id: (len(times), min(times), max(times), len({time.date() for time in times}))
            for token_id, times in sorted(totals.items())
        },
        sorted(((*key, n) for key, n in names.items()), key=lambda row: (row[0], row[1], -row[3], row[2])),
        len(read) - len(logins),
        max((pd.Timestamp(row["event_time"]) for row in read), default=None),
        tuple(sorted({str(row["workspace_id"]) for row in read} - {"0"})),
    )


@given(st.lists(EVENTS, max_size=12))
@settings(max_examples=60)
def test_rows_are_counted_as_an_event_at_a_time(events):
    assert rows_of(SIGN_INS.of_rows(frame(*events))) == expected(events)


@given(st.lists(EVENTS, max_size=8))
@settings(max_examples=25, deadline=None)
def test_the_sql_counts_the_same_as_python(events):
    assert rows_of(SIGN_INS.of_result(queried(*events))) == expected(events)


def test_the_sql_returns_a_row_a_token_and_one_row_where_there_is_none():
    assert queried(*[event(A)] * 30, *[event(B)] * 9, event("c" * 64, method=INTERNAL)).num_rows == 2
    assert queried(event(method=INTERNAL)).num_rows == 1
    assert queried().num_rows == 1


def test_a_result_of_texts_is_read_as_one_with_types():
    result = queried(event(), event(B, user_agent=None), event(B, event_time="2026-03-02T00:00:00Z"))
    texts = pa.table({name: result[name].cast(pa.string()) for name in result.column_names})
    assert rows_of(SIGN_INS.of_result(texts)) == rows_of(SIGN_INS.of_result(result))


def test_a_result_of_another_query_is_an_error():
    result = queried(event())
    for broken in (
        result.drop_columns("names"),
        result.slice(0, 0),
        result.set_column(5, "names", pa.array(["[{"])),
        result.set_column(5, "names", pa.array(['[{"kind": "address"'])),
        result.set_column(5, "names", pa.array(["[]} {"])),
        result.set_column(5, "names", pa.array(['{"a": 1}'])),
        result.set_column(8, "workspace_ids", pa.array(["nothing"])),
        result.set_column(1, "logins", pa.array(["many"])),
    ):
        with pytest.raises(errors.InvalidResponseError) as caught:
            SIGN_INS.of_result(broken)
        assert caught.value.__context__ is None


def test_a_recorded_row_of_a_notebooks_own_token_is_counted_as_internal():
    found = SIGN_INS.of_rows(pyarrow.json.read_json(SAMPLE))
    assert (len(found.totals), found.internal_logins, found.workspace_ids) == (0, 1, ("1111222233334444",))
    assert rows_of(SIGN_INS.of_rows(pd.read_json(SAMPLE, lines=True))) == rows_of(found)


def as_pairs(rows):
    return rows.assign(request_params=[[*params.items()] for params in rows["request_params"]])


def as_texts_of_pairs(rows):
    return rows.assign(request_params=as_pairs(rows)["request_params"].map(json.dumps))


def as_json_lines_of_pairs(rows):
    lines = as_pairs(rows).to_json(orient="records", lines=True)
    return pyarrow.json.read_json(io.BytesIO(lines.encode()))


def as_json(rows):
    return rows.assign(**{name: rows[name].map(json.dumps) for name in ("request_params", "user_identity", "response")})


def as_indented_json(rows):
    return rows.assign(request_params=rows["request_params"].map(lambda params: json.dumps(params, indent=1)))


def as_arrow(rows):
    params = pa.array([[*params.items()] for params in rows["request_params"]], pa.map_(pa.string(), pa.string()))
    table = pa.Table.from_pandas(rows.drop(columns="request_params").assign(event_time=as_times(rows)["event_time"]))
    return table.append_column("request_params", params)


def as_times(rows):
    return rows.assign(event_time=pd.to_datetime(rows["event_time"], utc=True))


def as_local_times(rows):
    return rows.assign(event_time=pd.to_datetime(rows["event_time"], utc=True).dt.tz_convert("Asia/Tokyo"))


def as_naive_times(rows):
    return rows.assign(event_time=pd.to_datetime(rows["event_time"], utc=True).dt.tz_localize(None))


def with_an_index(rows):
    return rows.set_index(pd.Index([5] * len(rows)))


@pytest.mark.parametrize(
    "form",
    [
        as_pairs,
        as_texts_of_pairs,
        as_json_lines_of_pairs,
        as_json,
        as_indented_json,
        as_arrow,
        as_times,
        as_local_times,
        as_naive_times,
        with_an_index,
    ],
)
def test_rows_are_read_in_every_form_that_pandas_arrow_and_csv_give_them(form):
    rows = frame(event(), event(B, event_time="2026-03-02T23:59:59Z", user_agent=None), event(B, method=INTERNAL))
    assert rows_of(SIGN_INS.of_rows(form(rows))) == rows_of(SIGN_INS.of_rows(rows))


@pytest.mark.parametrize("params", [5, "5", '"tokenId"', True, [["tokenId"]]])
def test_parameters_that_are_no_object_are_an_error_and_not_a_log_without_sign_ins(params):
    with pytest.raises(errors.UsageError, match="a value cannot be read"):
        SIGN_INS.of_rows(frame(event()).assign(request_params=[params]))


def test_columns_that_are_not_required_may_be_missing():
    found = SIGN_INS.of_rows(frame(event())[["event_time", "action_name", "request_params"]])
    assert found.totals["logins"].tolist() == [1]
    assert len(found.names) == 0


def test_rows_without_a_required_column_are_an_error_that_names_it():
    with pytest.raises(errors.UsageError, match="event_time and request_params are missing"):
        SIGN_INS.of_rows(frame(event())[["action_name"]])


@pytest.mark.parametrize(
    "values",
    [
        {"event_time": "yesterday"},
        {"event_time": None},
        {"request_params": "{"},
        {"request_params": 7},
        {"response": "[1"},
    ],
)
def test_values_that_cannot_be_read_are_an_error_that_does_not_quote_them(values):
    with pytest.raises(errors.UsageError, match="cannot be read") as caught:
        SIGN_INS.of_rows(frame(event(), event(**values)))
    assert caught.value.__context__ is None


def test_of_a_thousand_names_the_most_frequent_stay(monkeypatch):
    monkeypatch.setattr(sign_ins, "MOST_NAMES", 2)
    events = [event(user_agent=name) for name in ("c", "b", "b", "a", "d", "d")]
    for found in (SIGN_INS.of_rows(frame(*events)), SIGN_INS.of_result(queried(*events))):
        agents = found.names[found.names["kind"] == "user_agent"]
        assert list(zip(agents["name"], agents["n"], strict=True)) == [("b", 2), ("d", 2)]
