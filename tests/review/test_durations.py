"""Durations as people write them."""

import pandas as pd
import pytest

from tokenkit import errors
from tokenkit.review.durations import duration


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90d", pd.Timedelta(days=90)),
        ("12h", pd.Timedelta(hours=12)),
        ("2w", pd.Timedelta(days=14)),
        (" 1.5 D ", pd.Timedelta(hours=36)),
        ("0d", pd.Timedelta(0)),
        (pd.Timedelta(days=3), pd.Timedelta(days=3)),
    ],
)
def test_a_number_with_its_unit_is_a_span(text, span):
    assert duration(text) == span


@pytest.mark.parametrize("text", ["90", "", "d", "-1d", "90 days", "1d2h", "1m", "٣d", "9" * 400 + "w", "1000000d"])
def test_anything_else_is_refused(text):
    with pytest.raises(errors.UsageError):
        duration(text)


def test_a_bare_number_is_told_its_unit():
    with pytest.raises(errors.UsageError, match="Write 90d for days"):
        duration("90")
