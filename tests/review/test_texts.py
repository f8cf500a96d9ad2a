"""Columns of text made in Arrow agree with what Python would make of each row."""

import re

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from tokenkit import frames
from tokenkit.core.redaction import SECRET, redact
from tokenkit.review import texts

SECRETS = [
    "dapi" + "0a" * 16,
    "dapi" + "z-9" * 6,  # not hexadecimal
    "AKIA" + "0A" * 8,
    "password=hunter2",
    "eyJhbGciOi.eyJzdWIi.c2ln",
    "-----BEGIN PRIVATE KEY-----\nx",
    "Bearer opaque==",
]


def column(*values):
    return pd.Series([*values], index=range(5, 5 + len(values)), dtype=frames.TEXT)


def test_constants_numbers_and_texts_are_concatenated_by_row_and_numbers_are_truncated():
    numbers = pd.Series([59.999, 1_000_000.5], index=[3, 1], dtype="Float64")
    found = texts.concat_columns("in ", numbers, " days: ", pd.Series(["a", "b"], index=[3, 1], dtype=frames.TEXT))
    assert found.to_dict() == {3: "in 59 days: a", 1: "in 1000000 days: b"}
    assert found.dtype == frames.TEXT


def test_tenths_are_shown_where_there_are_any():
    numbers = pd.Series([90.0, 90.04, 90.06, 2_912_383.0], dtype="Float64")
    assert texts.tenths(numbers).tolist() == ["90", "90", "90.1", "2912383"]


def test_lists_are_counted_and_joined_whatever_their_index():
    lists = pd.Series([["a", "b"], None, []], index=[4, 4, 2], dtype=pd.ArrowDtype(frames.TEXTS))
    assert list(texts.lengths(lists).items()) == [(4, 2), (4, 0), (2, 0)]
    assert list(texts.join_lists(lists.dropna()).items()) == [(4, "a, b"), (2, "")]


def test_no_rows_make_an_empty_column_of_text():
    assert texts.concat_columns("x", pd.Series([], dtype="Float64")).dtype == frames.TEXT
    assert texts.repeated("x", pd.RangeIndex(0)).dtype == frames.TEXT
    assert texts.redacted(column()).dtype == frames.TEXT


@given(st.lists(st.one_of(st.none(), st.text(max_size=12), st.sampled_from(SECRETS)), max_size=4), st.text(max_size=3))
def test_a_column_is_redacted_as_each_text_would_be(values, between):
    text = between.join(filter(None, values))
    both = column(text, *values)
    expected = [None if value is None else redact(value) for value in (text, *values)]
    assert [None if pd.isna(value) else value for value in texts.redacted(both)] == expected
    held = [bool(value and re.search(SECRET, value, re.IGNORECASE | re.ASCII)) for value in (text, *values)]
    assert texts.holding_secrets(both).tolist() == held


def test_a_missing_number_is_shown_as_unknown():
    days = pd.Series([2.9, None], index=["a", "b"], dtype="Float64")
    assert texts.concat_columns(days, " days old").tolist() == ["2 days old", "an unknown number of days old"]


def test_one_day_is_singular():
    numbers = pd.Series([1, 11, 0, 21])
    assert texts.concat_columns("idle for ", numbers, " days").tolist() == [
        "idle for 1 day",
        "idle for 11 days",
        "idle for 0 days",
        "idle for 21 days",
    ]
    assert texts.concat_columns(texts.tenths(pd.Series([1.0, 1.1, 31.1])), " days").tolist() == [
        "1 day",
        "1.1 days",
        "31.1 days",
    ]


def test_what_may_be_saved_has_no_secret_in_texts_in_lists_or_in_names():
    secret = SECRETS[0]
    frame = pd.DataFrame(
        {
            "comment": column(f"key {secret}", None).array,
            "scopes": pd.Series([["sql", f"x {secret}"], None], dtype=object),
            "unknown": pd.Series([{secret: [f"y {secret}", {"a": secret, "b": 1}]}, None], dtype=object),
            "number": [1, 2],
            secret: [3, 4],
            f"{secret} ": [5, 6],
        }
    )
    saved = texts.written(frame)
    assert list(saved.columns) == ["comment", "scopes", "unknown", "number", "[redacted]", "[redacted] "]
    assert saved["comment"].fillna("").tolist() == ["key [redacted]", ""]
    assert saved["scopes"].tolist() == [["sql", "x [redacted]"], None]
    assert saved["unknown"].tolist() == [{"[redacted]": ["y [redacted]", {"a": "[redacted]", "b": 1}]}, None]
    assert saved[["number", "[redacted]"]].to_numpy().tolist() == [[1, 3], [2, 4]]
    two = frame[[secret]].assign(**{SECRETS[1]: 0})
    assert list(texts.written(two).columns) == ["[redacted]", "[redacted] 1"]
