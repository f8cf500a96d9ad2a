"""What "now" is."""

import pandas as pd
import pytest


@pytest.mark.parametrize(
    "clock",
    [
        "2026-03-01 09:30",
        pd.Timestamp("2026-03-01 10:30", tz="Europe/Berlin"),
        lambda: pd.Timestamp("2026-03-01 09:30Z"),
    ],
)
def test_the_clock_is_a_moment_in_any_zone_or_a_function(sandbox, connected, clock):
    assert connected(sandbox, clock=clock).now() == pd.Timestamp("2026-03-01 09:30", tz="UTC")
