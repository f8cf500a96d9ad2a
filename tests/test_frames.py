"""The typed listing is correct for extreme values, with every supported pandas version."""

import copy
import datetime as dt
import gc
import json
import pickle

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit import errors, frames
from tokenkit.frames import TokenInfo
from tokenkit.output import excel, export
from tokenkit.rest import listing

INT64 = st.integers(min_value=0, max_value=2**63 - 1)
# Up to the maximum of Timestamp; larger values have their own test.
MOMENT_MS = st.integers(min_value=1, max_value=253_402_300_799_999)
TEXT = st.text(st.characters(codec="utf-8"))
KNOWN_FIELDS = {
    "token_id": TEXT,
    "comment": TEXT,
    "created_by_id": INT64,
    "created_by_username": TEXT,
    "owner_id": INT64,
    "creation_time": MOMENT_MS,
    "expiry_time": MOMENT_MS | st.just(-1),
    "last_used_day": st.integers(min_value=10**11, max_value=253_402_300_799_999),  # smaller values are seconds or days
    "scopes": st.lists(TEXT),
    "autoscope_state": TEXT,
    "inferred_scopes": st.lists(TEXT),
    "backfill_scopes": st.lists(TEXT),
    "workspace_id": INT64,
}
JSON_VALUE = st.recursive(
    st.none() | st.booleans() | INT64 | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=5
)
UNKNOWN_FIELDS = st.dictionaries(TEXT.filter(lambda name: name not in KNOWN_FIELDS), JSON_VALUE, max_size=3)


def through_arrow(documents, schema):
    """Read documents from a response."""
    found = listing.chunks([json.dumps({"found": documents}).encode()], "found", schema, chunk_bytes=1)
    return frames.concat_chunks(found, schema)


@st.composite
def token_document(draw):
    """Any subset of the known fields and some unknown ones, in any order."""
    fields = draw(st.fixed_dictionaries({}, optional=KNOWN_FIELDS)) | draw(UNKNOWN_FIELDS)
    return {name: fields[name] for name in draw(st.permutations(sorted(fields)))}


def on_the_wire(value, name):
    """Convert a cell back to its JSON value."""
    if isinstance(value, list | dict):
        return value
    if pd.isna(value):
        return -1 if name == "expiry_time" else None
    if isinstance(value, pd.Timestamp):
        return round(value.timestamp() * 1000)
    return value


@given(st.lists(token_document(), max_size=5))
def test_every_value_of_a_token_document_is_in_the_frame(documents):
    sent = json.loads(json.dumps(documents))
    frame = frames.frame(sent, frames.TOKENS)
    assert len(frame) == len(documents)
    assert list(frame.columns[:13]) == list(KNOWN_FIELDS)
    assert set(frame.columns) == set(KNOWN_FIELDS).union(*documents)
    for row, document in enumerate(documents):
        for name in frame.columns:
            absent = -1 if name == "expiry_time" else None
            assert on_the_wire(frame[name].iloc[row], name) == document.get(name, absent), name


@given(token_document())
def test_a_record_converts_back_to_its_document(document):
    document = {name: value for name, value in document.items() if value is not None}
    never = {"expiry_time"} if document.get("expiry_time") == -1 else set()  # `-1` and absent are both NaT
    expected = {name: value for name, value in document.items() if name not in never}
    assert TokenInfo.from_document(document).as_dict() == expected


@given(st.lists(token_document(), max_size=3))
def test_the_known_columns_have_the_same_dtypes_for_any_input(documents):
    empty = frames.frame([], frames.TOKENS)
    full = frames.frame(documents, frames.TOKENS)
    pd.testing.assert_series_equal(full[frames.TOKENS.names].dtypes, empty.dtypes)


def test_an_empty_listing_has_the_columns_and_dtypes_of_the_contract():
    empty = frames.frame([], frames.TOKENS)
    assert len(empty) == 0
    written = {name: "text" if dtype == frames.TEXT else str(dtype) for name, dtype in empty.dtypes.items()}
    assert [f"{name}: {dtype}" for name, dtype in written.items()] == [
        "token_id: text",
        "comment: text",
        "created_by_id: Int64",
        "created_by_username: text",
        "owner_id: Int64",
        "creation_time: datetime64[ms, UTC]",
        "expiry_time: datetime64[ms, UTC]",
        "last_used_day: datetime64[ms, UTC]",
        "scopes: object",
        "autoscope_state: text",
        "inferred_scopes: object",
        "backfill_scopes: object",
        "workspace_id: Int64",
    ]


@pytest.mark.parametrize("sent", [2**53 + 1, 2**63 - 1, str(2**53 + 1), str(2**63 - 1)])
def test_ids_beyond_the_precision_of_a_float_are_exact(sent):
    frame = frames.frame([{"owner_id": sent}, {}], frames.TOKENS)
    assert frame["owner_id"].iloc[0] == int(sent)
    assert frame["owner_id"].iloc[1] is pd.NA


@pytest.mark.parametrize("never", [-1, None])
def test_an_expiry_of_minus_one_or_none_means_never(never):
    assert frames.frame([{"expiry_time": never}], frames.TOKENS)["expiry_time"].isna().all()


@pytest.mark.parametrize("unused", [-1, 0, None])
def test_a_token_that_was_never_used_has_no_last_day(unused):
    assert frames.frame([{"last_used_day": unused}], frames.TOKENS)["last_used_day"].isna().all()


def test_times_after_the_year_9999_become_its_last_millisecond():
    last = dt.datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=dt.UTC)
    frame = frames.frame([{"expiry_time": 253402300799999}, {"expiry_time": 2**63 - 1}], frames.TOKENS)
    assert frame["expiry_time"].tolist() == [last, last]


def test_an_unknown_enum_value_is_unchanged():
    frame = frames.frame([{"autoscope_state": "AUTOSCOPE_STATE_OF_2031"}], frames.TOKENS)
    assert frame["autoscope_state"].iloc[0] == "AUTOSCOPE_STATE_OF_2031"


def test_an_unknown_field_of_one_plain_type_gets_a_typed_column_after_the_known_ones():
    frame = frames.frame([{"risk": 3, "tier": "gold", "seen": True}, {}], frames.TOKENS)
    assert frame.dtypes[13:].to_dict() == {"risk": pd.Int64Dtype(), "seen": pd.BooleanDtype(), "tier": frames.TEXT}


def test_half_a_surrogate_pair_in_a_comment_does_not_break_the_listing():
    documents = json.loads(r'[{"comment": "half \ud83d pair"}, {"comment": "whole \ud83d\ude00"}]')
    assert frames.frame(documents, frames.TOKENS)["comment"].tolist() == ["half \ufffd pair", "whole 😀"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("owner_id", True),
        ("owner_id", "1_0"),
        ("owner_id", "²"),
        ("owner_id", "abc"),
        ("owner_id", 2**64),
        ("creation_time", {}),
        ("scopes", "sql"),
        ("owner_id", [1]),
        ("owner_id", 1.5),  # which would be another owner, as Arrow drops the fraction
        ("creation_time", 1.5),
    ],
)
def test_an_invalid_value_of_a_known_field_is_an_error_that_names_the_field(field, value):
    for others in ({}, {field: None}, {field: value}):
        with pytest.raises(errors.InvalidResponseError, match=field):
            frames.frame([{field: value}, others], frames.TOKENS)


def test_a_group_of_a_fraction_is_an_error_and_a_whole_number_is_one_in_any_form():
    with pytest.raises(errors.InvalidResponseError, match="groups"):
        frames.frame([{"groups": [7]}, {"groups": [1.5]}], frames.USERS)
    assert frames.frame([{"groups": [7.0]}, {"groups": [7]}], frames.USERS)["groups"].tolist() == [[7], [7]]
    assert frames.frame([{"owner_id": 7.0}, {"owner_id": 7}], frames.TOKENS)["owner_id"].tolist() == [7, 7]


def test_a_scope_cell_is_a_python_list_and_absent_differs_from_empty():
    scopes = frames.frame([{"scopes": ["sql"]}, {"scopes": []}, {}], frames.TOKENS)["scopes"]
    assert scopes.iloc[0] == ["sql"]
    assert scopes.iloc[1] == []
    assert scopes.isna().tolist() == [False, False, True]


def test_a_mapped_function_receives_lists_or_none_after_any_operation():
    records = [{"token_id": "a", "scopes": ["sql", "jobs"]}, {"token_id": "b"}, {"token_id": "c", "scopes": []}]
    listing = frames.frame(records, frames.TOKENS)
    twice = pd.concat([listing, listing]).sort_values("token_id", ascending=False).drop_duplicates("token_id")
    assert twice["scopes"].map(lambda scopes: scopes).tolist() == [[], None, ["sql", "jobs"]]
    assert twice["scopes"].map(len, na_action="ignore").tolist()[::2] == [0, 2]
    assert twice["scopes"].dtype == object


@pytest.mark.parametrize("read", [frames.frame, through_arrow], ids=["json", "arrow"])
@pytest.mark.parametrize("sent", [20_148, 1_740_787_200, 1_740_787_200_000])
def test_a_day_of_use_is_the_same_day_in_days_in_seconds_and_in_milliseconds(read, sent):
    used = read([{"last_used_day": sent}] * 3, frames.TOKENS)["last_used_day"]
    assert used.tolist() == [pd.Timestamp("2025-03-01", tz="UTC")] * 3


@pytest.mark.parametrize("sent", [0, -1, -(2**62), -(2**63), None])
def test_an_invalid_day_of_use_means_never(sent):
    assert frames.frame([{"last_used_day": sent}], frames.TOKENS)["last_used_day"].isna().all()


def test_changing_a_list_changes_no_other_token():
    alike = frames.frame([{"scopes": ["sql"]}, {"scopes": ["sql"]}], frames.TOKENS)
    alike["scopes"].iloc[0].append("jobs")
    assert alike["scopes"].tolist() == [["sql", "jobs"], ["sql"]]


def test_lists_are_created_without_the_garbage_collector_and_its_state_is_restored():
    records = [{"scopes": ["sql"]}] * 5_000
    gc.disable()
    try:
        frames.frame(records, frames.TOKENS)
        assert not gc.isenabled()
    finally:
        gc.enable()
    frames.frame(records, frames.TOKENS)
    assert gc.isenabled()


def test_every_schema_gives_an_empty_frame_with_its_columns():
    schemas = [value for value in vars(frames).values() if isinstance(value, pa.Schema)]
    assert len(schemas) == 6
    for schema in schemas:
        assert list(frames.frame([], schema).columns) == schema.names


def test_records_with_absent_values_compare_equal():
    document = {"token_id": "a", "scopes": ["sql"], "expiry_time": -1, "odd": {"x": 1}}
    first, second = TokenInfo.from_document(document), TokenInfo.from_document(document)
    assert first == second == pickle.loads(pickle.dumps(second))  # noqa: S301 - our own
    assert first == copy.deepcopy(second)
    assert first != TokenInfo.from_document(document | {"scopes": ["jobs"]})
    assert first != TokenInfo.from_document(document | {"odd": {}})
    assert first != document


@pytest.mark.parametrize("value", ["half \ud83d", ["half \ud83d"], {"half \ud83d": "half \ud83d"}, [{}, "half \ud83d"]])
def test_half_a_surrogate_pair_in_an_unknown_field_can_be_exported(value):
    frame = frames.frame([{"comment": "a", "odd \ud83d": value}, {"odd \ud83d": 1}], frames.TOKENS)
    assert "odd" in export.csv_text(frame)
    export.json_text(frame).encode()
    export.tsv_text(frame).encode()
    excel.workbook({"tokens": frame})


def test_a_record_has_none_for_absent_values_and_keeps_unknown_fields():
    info = TokenInfo.from_document({"token_id": "a" * 64, "owner_id": 7, "expiry_time": -1, "shard": {"n": 1}})
    assert (info.token_id, info.owner_id, info.comment, info.scopes) == ("a" * 64, 7, None, None)
    assert type(info.owner_id) is int
    assert info.expiry_time is pd.NaT
    assert info.extra == {"shard": {"n": 1}}
