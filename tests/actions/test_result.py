"""The counts of a result, as a text."""

import pandas as pd
import pytest

from tokenkit.actions.result import counts


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
