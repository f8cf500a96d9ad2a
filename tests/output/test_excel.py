"""Excel workbooks: pandas and openpyxl read the written values, and no cell is a formula or a rounded id."""

import datetime as dt
import io
import sys

import openpyxl
import pandas as pd
import pytest

from tokenkit import errors, frames
from tokenkit.output import excel

DOCUMENTS = [
    {
        "token_id": "1e5",
        "comment": "plain",
        "owner_id": 2**62 + 1,
        "creation_time": 1_700_000_000_123,
        "scopes": ["sql", "jobs"],
    },
    {"token_id": "b", "comment": None, "expiry_time": 253402300799999, "scopes": []},
]


def cells(frame):
    """Return the cells of a frame's first data row by heading, as openpyxl reads them."""
    sheet = openpyxl.load_workbook(io.BytesIO(excel.workbook({"tokens": frame})))["tokens"]
    return {heading.value: cell for heading, cell in zip(sheet[1], sheet[2], strict=True)}


def read(frame):
    return pd.read_excel(io.BytesIO(excel.workbook({"tokens": frame})), dtype=str, keep_default_na=False)


def test_pandas_reads_back_every_row_of_a_listing(workspace):
    tokens = workspace.tokens()
    back = read(tokens)
    assert back["token_id"].tolist() == tokens["token_id"].tolist()
    assert back["owner_id"].tolist() == tokens["owner_id"].astype(str).tolist()
    comments = tokens["comment"].fillna("").str.replace("\r\n", "\n")  # the line ends of a workbook
    assert back["comment"].tolist() == comments.tolist()
    times = pd.to_datetime(back["creation_time (UTC)"]).dt.tz_localize("UTC")
    assert (times == tokens["creation_time"].dt.floor("s")).all()
    assert [*back.columns.str.removesuffix(" (UTC)")] == [*tokens.columns]


def test_ids_are_exact_text_times_are_dates_and_absent_values_are_empty():
    first = cells(frames.frame(DOCUMENTS, frames.TOKENS))
    assert (first["owner_id"].value, first["token_id"].value) == (str(2**62 + 1), "1e5")
    assert first["creation_time (UTC)"].value == dt.datetime(2023, 11, 14, 22, 13, 20)  # noqa: DTZ001 - no time zones in Excel
    assert first["creation_time (UTC)"].is_date
    assert first["scopes"].value == "sql; jobs"
    assert first["expiry_time (UTC)"].value is None
    second = read(frames.frame(DOCUMENTS, frames.TOKENS)).iloc[1]
    assert second["expiry_time (UTC)"] == "9999-12-31 23:59:59"
    assert second["comment"] == second["owner_id"] == ""


def test_a_time_in_another_time_zone_is_written_in_utc():
    there = pd.DataFrame({"due": pd.to_datetime(["2026-03-01 00:30"]).tz_localize("Europe/Berlin")})
    assert cells(there)["due (UTC)"].value == dt.datetime(2026, 2, 28, 23, 30)  # noqa: DTZ001


def test_numbers_and_booleans_are_numbers_and_booleans_and_large_numbers_are_text():
    frame = pd.DataFrame({"days": [-1.5], "tokens": [12], "active": [True], "size": [10**15], "gone": [float("nan")]})
    row = {name: cell.value for name, cell in cells(frame.astype({"tokens": "Int64"})).items()}
    assert row == {"days": -1.5, "tokens": 12, "active": True, "size": "1000000000000000", "gone": None}


def test_a_small_id_is_text_too():
    assert cells(pd.DataFrame({"id": [7], "owner_id": [8]}))["id"].value == "7"
    assert cells(pd.DataFrame({"id": [7], "owner_id": [8]}))["owner_id"].value == "8"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("http://x")', "#N/A", "#REF!"])
def test_excel_does_not_calculate_text_even_if_it_is_edited(text):
    cell = cells(frames.frame([{"comment": text}], frames.TOKENS))["comment"]
    assert (cell.value, cell.data_type, cell.quotePrefix) == (text, "s", True)


@pytest.mark.parametrize("text", ["<b>&amp;", "0012", "TRUE", "2026-01-01", "a\nb", "データ連携", "😀", "'quoted", " "])
def test_other_text_is_unchanged(text):
    cell = cells(frames.frame([{"comment": text}], frames.TOKENS))["comment"]
    assert (cell.value, cell.data_type) == (text, "s")


@pytest.mark.parametrize(("text", "shown"), [("a\x00b\x1b[0m", "a\ufffdb\ufffd[0m"), ("a\r\nb\rc", "a\nb\nc")])
def test_characters_that_are_invalid_in_a_workbook_are_replaced(text, shown):
    assert cells(frames.frame([{"comment": text}], frames.TOKENS))["comment"].value == shown


def test_text_that_is_too_long_for_a_cell_is_truncated():
    assert cells(frames.frame([{"comment": "x" * 40_000}], frames.TOKENS))["comment"].value == "x" * 32_767


def test_an_unknown_field_is_text():
    frame = frames.frame([{"=new": {"a": 1}, "plain": "=1"}], frames.TOKENS)
    row = cells(frame)
    assert (row["=new"].value, row["=new"].data_type) == ("{'a': 1}", "s")
    assert row["plain"].data_type == "s"


def test_a_heading_is_never_a_formula():
    sheet = openpyxl.load_workbook(io.BytesIO(excel.workbook({"a": pd.DataFrame({"=1+1": [1]})})))["a"]
    assert (sheet["A1"].value, sheet["A1"].data_type) == ("=1+1", "s")


def test_headings_are_frozen_and_have_filters():
    book = openpyxl.load_workbook(io.BytesIO(excel.workbook({"a": pd.DataFrame({"x": [1, 2], "y": [3, 4]})})))
    assert (book["a"].freeze_panes, book["a"].auto_filter.ref) == ("A2", "A1:B3")


def test_an_empty_frame_is_its_headings():
    back = read(frames.frame([], frames.TOKENS))
    assert len(back) == 0
    assert [*back.columns.str.removesuffix(" (UTC)")] == [*frames.TOKEN_COLUMNS]


def test_too_many_rows_for_a_sheet_are_an_error_before_any_write():
    with pytest.raises(errors.UsageError, match=r"1,048,575 rows; tokens has 1,048,576\. Write CSV"):
        excel.workbook({"tokens": pd.DataFrame({"a": range(excel.ROWS + 1)})})


def test_without_openpyxl_a_one_line_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(errors.ConfigurationError, match=r"pip install openpyxl"):
        excel.workbook({})
