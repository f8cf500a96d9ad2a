"""The counts of a result, as a text."""

import pandas as pd
import pytest

from tokenkit.actions.result import counts, totals


@pytest.mark.parametrize(
    ("outcomes", "text"),
    [
        ({"still_listed": 60}, "60 tokens still listed"),
        ({"revoked": 1}, "1 token revoked"),
        ({"revoked": 1_200, "still_listed": 3, "failed": 1}, "1,200 tokens revoked, 3 still listed, 1 failed"),
        ({}, ""),
    ],
)
def test_the_first_count_says_of_what(outcomes, text):
    result = pd.DataFrame({"outcome": pd.Series(outcomes, dtype="int64").repeat(list(outcomes.values())).index})
    assert counts(result.assign(error=None)) == text


@pytest.mark.parametrize(
    ("run_id", "text"),
    [
        ("20260301-093000-a63646d3", "the whole run: 2 tokens revoked"),
        ("20260301-093000-a63646d3.1", "this part of the run: 2 tokens revoked"),
    ],
)
def test_the_counts_of_a_resumed_run_say_that_they_are_of_all_its_tokens(run_id, text):
    result = pd.DataFrame({"outcome": ["revoked"] * 2, "error": None})
    assert totals(result, run_id) == text
    assert totals(result.head(0), run_id) == ""
