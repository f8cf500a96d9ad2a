"""Durations as people write them."""

import pandas as pd
import pytest

from tokenkit import errors
from tokenkit.review import durations
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
def test_any_other_text_is_an_error(text):
    with pytest.raises(errors.UsageError):
        duration(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("90", "Write 90d for days"),
        ("730", "Write 730d for days"),
        ("129600", "129600 seconds are 36h"),
        ("5400", "1.5h"),
    ],
)
def test_a_number_without_a_unit_has_a_suggestion(text, hint):
    with pytest.raises(errors.UsageError, match=hint) as raised:
        duration(text)
    assert ("d for days" in str(raised.value)) == (len(text) <= 3)


@pytest.mark.parametrize("text", ["", "x", "1d2h", "1_000", "-5", "9" * 10])
def test_what_is_no_number_has_no_suggestion(text):
    with pytest.raises(errors.UsageError, match=r"90d, 12h or 2w\.$"):
        duration(text)


@pytest.mark.parametrize("word", ["never", " None ", "FOREVER", "unlimited"])
def test_a_token_cannot_live_for_ever_however_it_is_written(word):
    with pytest.raises(
        errors.UsageError, match=r"is not a lifetime\. The lifetime of a new token is at least 1 second"
    ):
        durations.lifetime(word)


@pytest.mark.parametrize(
    ("text", "days"),
    [("730d", 730), ("1h", 1 / 24), ("104w", 728), (pd.Timedelta(days=730), 730)],
)
def test_a_lifetime_is_a_duration_that_a_token_can_have(text, days):
    assert durations.lifetime(text) == pd.Timedelta(days=days)


@pytest.mark.parametrize(
    "text", ["0d", "0.0h", "0.0001h", "731d", "105w", "730.5d", "never", "None", pd.Timedelta(0), pd.Timedelta(-1, "D")]
)
def test_an_invalid_lifetime_is_an_error_with_the_limits(text):
    with pytest.raises(errors.UsageError, match="at most 730d"):
        durations.lifetime(text)


@pytest.mark.parametrize("text", ["90", "129600", "", "-1d", "2y"])
def test_a_lifetime_needs_its_unit(text):
    with pytest.raises(errors.UsageError, match="is not a duration"):
        durations.lifetime(text)
