"""Frames on their way out: whatever the reader would act on is disarmed."""

import io
import json

import pandas as pd
import pytest

from tokenkit import export, frames
from tokenkit.printable import printable

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


def test_records_are_json_with_exact_ids_iso_times_and_null_for_what_is_absent():
    records = json.loads(json.dumps(export.records(frames.frame(DOCUMENTS, frames.TOKENS))))
    assert records[0]["owner_id"] == 2**62 + 1
    assert records[0]["creation_time"] == "2023-11-14T22:13:20.123Z"
    assert records[0]["scopes"] == ["sql", "jobs"]
    assert records[1]["expiry_time"] == "9999-12-31T23:59:59.999Z"
    assert (records[1]["comment"], records[1]["owner_id"], records[1]["scopes"]) == (None, None, [])


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x")'])
def test_a_spreadsheet_calculates_no_cell_of_the_csv(formula):
    text = export.csv_text(frames.frame([{"comment": formula, "scopes": [formula]}], frames.TOKENS))
    row = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False).iloc[0]
    assert row["comment"] == row["scopes"] == "'" + formula.replace("\r", "\n")


def test_csv_keeps_numbers_times_and_ordinary_text_as_they_are():
    frame = frames.frame([{"comment": "a - b", "owner_id": 5, "creation_time": 0}], frames.TOKENS).assign(days=-1.5)
    row = pd.read_csv(io.StringIO(export.csv_text(frame)), dtype=str).iloc[0]
    assert (row["comment"], row["owner_id"], row["creation_time"]) == ("a - b", "5", "1970-01-01T00:00:00.000Z")
    assert row["days"] == "-1.5"


@pytest.mark.parametrize("letter", ["\x1b", "\x07", "\x08", "\n", "\r", "\x9b", "\u202e", "\u2066"])
def test_what_a_terminal_would_act_on_is_replaced(letter):
    frame = frames.frame([{"comment": f"a{letter}b"}], frames.TOKENS)
    assert export.terminal_text(frame)["comment"].tolist() == ["a\ufffdb"]
    assert printable(f"a{letter}b") == "a\ufffdb"


def test_text_for_a_terminal_is_days_words_and_blanks():
    row = export.terminal_text(frames.frame(DOCUMENTS, frames.TOKENS).assign(idle_days=[1.25, None])).iloc[0]
    assert (row["creation_time"], row["scopes"], row["expiry_time"], row["idle_days"]) == (
        "2023-11-14",
        "sql jobs",
        "",
        "1.2",
    )


def test_a_plain_table_has_aligned_columns():
    text = export.plain_table(pd.DataFrame({"a": ["x", "long"], "b": ["y", ""]}))
    assert text == "a     b\nx     y\nlong\n"


def test_an_empty_frame_goes_every_way_out():
    empty = frames.frame([], frames.TOKENS)
    assert export.records(empty) == []
    assert export.csv_text(empty) == ",".join(frames.TOKEN_COLUMNS) + "\n"
    assert len(export.terminal_text(empty)) == 0
