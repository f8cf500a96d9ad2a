"""Runs named by a part of their id."""

import pytest

import tokenkit
from tokenkit.actions.run_ids import whole

RUNS = ["20260301-093000-1a2b3c4d", "20260301-093100-aaaaaaaa.1", "20260301-093100-aaaaaaaa.2"]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("20260301-093000-1a2b3c4d", RUNS[0]),
        ("1a2b3c4d", RUNS[0]),
        ("20260301-0930", RUNS[0]),
        ("aaaaaaaa", "20260301-093100-aaaaaaaa"),
        ("aaaaaaaa.2", RUNS[2]),
        ("ffffffff", "ffffffff"),
        ("d", RUNS[0]),
        ("a", "20260301-093100-aaaaaaaa"),
        ("20260301-0931", "20260301-093100-aaaaaaaa"),
        (".2", RUNS[2]),
        ("1", "1"),  # not the first part of a run
        ("", ""),
    ],
)
def test_a_unique_beginning_or_end_names_a_run(given, found):
    assert whole(given, RUNS) == found


def test_an_ambiguous_part_is_an_error():
    with pytest.raises(tokenkit.UsageError, match=r"2 runs match '20260301': .*Give more characters"):
        whole("20260301", RUNS)


def test_what_is_not_a_text_is_an_error():
    with pytest.raises(tokenkit.UsageError, match="run_id must be a string, not int"):
        whole(20260301, RUNS)


def test_of_many_runs_that_match_the_newest_three_are_named_and_the_others_counted():
    runs = [f"20260301-09300{number}-1a2b3c4d" for number in range(5)]
    with pytest.raises(tokenkit.UsageError) as raised:
        whole("20260301", runs)
    named = ", ".join(runs[:1:-1])
    assert str(raised.value) == f"5 runs match '20260301': {named} and 2 more. Give more characters."
    with pytest.raises(tokenkit.UsageError) as raised:
        whole("20260301", runs[:4])
    assert all(run in str(raised.value) for run in runs[:4])
