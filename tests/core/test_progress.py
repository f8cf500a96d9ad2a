"""The one progress bar: what it shows and where it shows nothing."""

import re
import sys

import pytest

from tokenkit.core.progress import progress_bar


def test_it_shows_what_is_in_progress_and_how_far_it_is(capsys):
    with progress_bar(4, "Excel", unit="row", delay_seconds=0) as advance:
        advance(1)
    shown = capsys.readouterr()
    assert re.search(r"Excel.*/4 .*row", shown.err)
    assert shown.out == ""


def test_bytes_are_shown_in_larger_units(capsys):
    with progress_bar(3_000_000, "prod", unit="B", delay_seconds=0) as advance:
        advance(1)
    assert "3.00M" in capsys.readouterr().err


@pytest.mark.parametrize("options", [{"shown": False}, {"total": 0}, {"shown": None}])
def test_nothing_is_shown_unasked_of_no_work_or_where_no_terminal_is(options, capsys):
    with progress_bar(**{"total": 4, "description": "x", "unit": "row", "delay_seconds": 0} | options) as advance:
        advance(1)
    assert capsys.readouterr().err == ""


def test_in_the_log_of_a_job_the_bar_is_not_updated_a_thousand_times(capsys):
    with progress_bar(100_000, "revoking", unit="token", delay_seconds=0) as advance:
        for _ in range(100_000):
            advance(1)
    assert 0 < capsys.readouterr().err.count("revoking") < 10


def test_nothing_is_shown_of_what_ends_at_once(capsys):
    with progress_bar(4, "Excel", unit="row") as advance:
        advance(4)
    assert capsys.readouterr().err == ""


def test_work_that_is_not_shown_does_not_load_tqdm(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with progress_bar(4, "Excel", unit="row", shown=False) as advance:
        advance(4)
