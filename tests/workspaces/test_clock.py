"""The warning that the clock of this computer is wrong: of that clock, and not of a time that somebody gave."""

from pathlib import Path

import pandas as pd
import pytest

import tokenkit
from tests.conftest import NOW
from tokenkit import cli
from tokenkit.review import lifecycle

PAST = "2024-03-01"
SAVED = Path(__file__).parent.parent / "samples" / "databricks" / "token-management-tokens.json"  # it has no time
WARNING = "check the clock of this computer"
READ = [
    lambda ws: ws.tokens(),
    lambda ws: ws.access(),
    lambda ws: ws.audit(),
    lambda ws: tokenkit.fleet([ws]).tokens(),
]


@pytest.fixture(autouse=True)
def clock_of_this_computer(monkeypatch, sandbox):
    """Set the clock of this computer back, and sign in to the sandbox."""
    lifecycle._warn_of_clock.cache_clear()  # each warning is shown once in a process
    monkeypatch.setattr("tokenkit.core.clock.system_time", lambda: pd.Timestamp(PAST, tz="UTC"))
    monkeypatch.setenv("DATABRICKS_HOST", sandbox.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", sandbox.token)


@pytest.mark.parametrize("read", [*READ, lambda _: tokenkit.read_listing(SAVED)])
def test_a_clock_that_is_behind_the_tokens_is_a_warning(caplog, read):
    read(tokenkit.connect())
    assert WARNING in caplog.text


@pytest.mark.parametrize(
    "read",
    [
        *READ,
        lambda _: tokenkit.fleet([tokenkit.connect().host], clock=PAST).tokens(),
        lambda _: tokenkit.read_listing(SAVED, as_of=PAST),
    ],
)
def test_a_past_time_that_was_given_is_none(caplog, read):
    read(tokenkit.connect(clock=PAST))
    assert WARNING not in caplog.text


def test_of_a_fleet_only_the_workspaces_without_a_given_time_are_checked(caplog, companies, connected):
    first, second, *_ = companies.workspaces
    checked = tokenkit.connect(host=first.host, token=first.token)
    tokenkit.fleet([checked, connected(second, clock=NOW)]).tokens()
    assert f"80 of 160 tokens were created or used after the current time ({PAST} 00:00 UTC)" in caplog.text


@pytest.mark.parametrize(
    "line",
    [f"list --now {PAST}", f"list --from {SAVED} --as-of {PAST}", f"audit --from {SAVED} --now {PAST}"],
)
def test_the_time_of_an_option_is_none(caplog, capsys, line):
    assert cli.main(line.split()) == 0
    assert WARNING not in caplog.text + capsys.readouterr().err
