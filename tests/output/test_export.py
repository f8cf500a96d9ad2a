"""Exports neutralize everything that their readers would execute."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from tokenkit import frames
from tokenkit.core.printable import printable
from tokenkit.output import export

DOCUMENTS = [
    {
        "token_id": "a",
        "comment": "plain",
        "owner_id": 2**62 + 1,
        "creation_time": 1_700_000_000_123,
        "scopes": ["sql", "jobs"],
    },
    {"token_id": "b", "comment": None, "expiry_time": 253402300799999, "scopes": []},
]


def test_records_are_json_with_exact_ids_iso_times_and_null_for_absent_values():
    records = json.loads(json.dumps(export.records(frames.frame(DOCUMENTS, frames.TOKENS))))
    assert records[0]["owner_id"] == 2**62 + 1
    assert records[0]["creation_time"] == "2023-11-14T22:13:20.123Z"
    assert records[0]["scopes"] == ["sql", "jobs"]
    assert records[1]["expiry_time"] == "9999-12-31T23:59:59.999Z"
    assert (records[1]["comment"], records[1]["owner_id"], records[1]["scopes"]) == (None, None, [])


@pytest.mark.parametrize("dtype", [frames.TEXT, object])  # pandas 2 makes objects of texts
def test_the_id_of_a_workspace_is_a_number_in_json_where_a_frame_has_text(dtype):
    ids = pd.Series(["5336466741831618", "9" * 19, "", None, "x"], dtype=dtype)
    found = [record["workspace_id"] for record in export.records(pd.DataFrame({"workspace_id": ids}))]
    assert found == [5336466741831618, 10**19 - 1, None, None, "x"]


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x")'])
def test_the_csv_contains_no_formulas(formula):
    text = export.csv_text(frames.frame([{"comment": formula, "scopes": [formula]}], frames.TOKENS))
    row = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False).iloc[0]
    assert row["comment"] == "'" + formula.replace("\r", "\n")
    assert json.loads(row["scopes"]) == [formula]  # behind a bracket, it is not a formula


def test_lists_in_csv_are_json_and_are_read_back_whatever_their_items_contain():
    lists = [["a; b", "c"], ['say "x", y', "l\nm"], [], None, np.array(["é"], dtype=object), [1, 2]]
    frame = pd.DataFrame({"findings": pd.Series(lists, dtype=object), "field": [{"a": [1]}] * 6})
    read = pd.read_csv(io.StringIO(export.csv_text(frame)))
    assert read["findings"].dropna().map(json.loads).tolist() == [list(each) for each in lists if each is not None]
    assert read["findings"].map(export.listed, na_action="ignore")[5] == ["1", "2"]
    assert export.listed(read["findings"][0]) == lists[0]
    assert read["field"].map(json.loads).tolist() == frame["field"].tolist()


@pytest.mark.parametrize("text", ["sql; jobs", "[a; b", "[" * 100_000])
def test_text_that_is_not_json_has_the_separator_of_pipes_between_items(text):
    assert export.listed(text) == text.split("; ")


def test_csv_preserves_numbers_times_and_ordinary_text():
    frame = frames.frame([{"comment": "a - b", "owner_id": 5, "creation_time": 0}], frames.TOKENS).assign(days=-1.5)
    row = pd.read_csv(io.StringIO(export.csv_text(frame)), dtype=str).iloc[0]
    assert (row["comment"], row["owner_id"], row["creation_time"]) == ("a - b", "5", "1970-01-01T00:00:00.000Z")
    assert row["days"] == "-1.5"


@pytest.mark.parametrize("letter", ["\x1b", "\x07", "\x08", "\n", "\r", "\x9b", "\u202e", "\u2066"])
def test_control_characters_are_replaced_for_a_terminal(letter):
    frame = frames.frame([{"comment": f"a{letter}b"}], frames.TOKENS)
    assert export.terminal_text(frame)["comment"].tolist() == ["a\ufffdb"]
    assert printable(f"a{letter}b") == "a\ufffdb"


def test_text_for_a_terminal_has_dates_lists_and_empty_cells():
    row = export.terminal_text(frames.frame(DOCUMENTS, frames.TOKENS).assign(idle_days=[1.25, None])).iloc[0]
    assert (row["creation_time"], row["scopes"], row["expiry_time"], row["idle_days"]) == (
        "2023-11-14",
        "sql; jobs",
        "",
        "1.2",
    )


def test_tab_separated_values_are_whole_with_tabs_only_between_them():
    times = pd.to_datetime(["2026-03-01 09:30:00", None], utc=True)
    frame = pd.DataFrame({"a": ["x\ty", "long"], "b": [True, False], "c": times, "d": [["p", "q"], None]})
    assert export.tsv_text(frame) == "a\tb\tc\td\nx\ufffdy\tyes\t2026-03-01T09:30:00.000Z\tp; q\nlong\t\t\t\n"


def test_a_boolean_in_a_pipe_is_not_no_if_it_is_not_known_and_csv_and_json_have_their_own_null():
    frame = pd.DataFrame({"can_use": pd.array([True, False, None], "boolean"), "n": [1, 2, 3]})
    assert export.tsv_text(frame) == "can_use\tn\nyes\t1\n\t2\n?\t3\n"
    assert export.csv_text(frame) == "can_use,n\nTrue,1\nFalse,2\n,3\n"
    assert [record["can_use"] for record in export.records(frame)] == [True, False, None]


def test_an_empty_frame_can_be_exported_in_every_format():
    empty = frames.frame([], frames.TOKENS)
    assert export.records(empty) == []
    assert export.csv_text(empty) == ",".join(frames.TOKEN_COLUMNS) + "\n"
    assert len(export.terminal_text(empty)) == 0
