"""The current time."""

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
def test_a_clock_is_a_time_in_any_time_zone_or_a_function(sandbox, connected, clock):
    assert connected(sandbox, clock=clock).now() == pd.Timestamp("2026-03-01 09:30", tz="UTC")
