"""Scheduled revocations: what the journal has for later, and how it is canceled."""

import threading

import pandas as pd
import pytest

import tokenkit
from tests.conftest import NOW
from tokenkit.actions import schedule
from tokenkit.rest.transport import RetryPolicy


@pytest.fixture
def staged(ws):
    """A staged revocation of three tokens."""
    tokens = ws.tokens("owner != 'admin@example.com'").head(3)
    return ws.revoke(tokens).stage(grace="7d")


def test_the_tokens_of_a_staged_run_are_scheduled_until_it_is_executed(ws, company, staged, tmp_path):
    found = schedule.scheduled(ws.plan_context())
    assert len(found) == 3
    assert set(found["run_id"]) == {staged.run_id}
    assert set(found["due"]) == {NOW + pd.Timedelta(days=7)}
    later = tokenkit.connect(
        host=company.host,
        token=company.token,
        retries=RetryPolicy(budget_seconds=0),
        clock=NOW + pd.Timedelta(days=8),
        home=tmp_path / "home",
    )
    later.resume(staged.run_id, progress=False)
    assert schedule.scheduled(later.plan_context()).empty


def test_other_runs_are_not_scheduled(ws):
    ws.revoke(ws.tokens("owner != 'admin@example.com'").head(1)).apply(progress=False)
    found = schedule.scheduled(ws.plan_context())
    assert found.empty
    assert list(found.columns) == ["token_id", "run_id", "due"]


def test_what_remains_of_a_run_is_unfinished_unless_it_waits_for_a_date(ws, staged):
    assert staged.run_id in set(ws.runs()["run_id"])
    assert schedule.unfinished(ws.runs()).empty
    tokens = ws.tokens("owner != 'admin@example.com'")
    finished = ws.revoke(tokens.iloc[3:4])
    finished.apply(progress=False)
    stop = threading.Event()
    stop.set()
    stopped = [ws.revoke(rows) for rows in (tokens.iloc[4:6], tokens.iloc[6:9])]
    for plan in stopped:
        plan.apply(progress=False, stop=stop)
    runs = ws.runs()
    expected = [(stopped[1].run_id, 3), (stopped[0].run_id, 2)]
    assert list(schedule.unfinished(runs).itertuples(index=False, name=None)) == expected
    part = runs["run_id"].where(runs["run_id"] != stopped[0].run_id, f"{stopped[1].run_id}.2")
    of_fleet = schedule.unfinished(runs.assign(run_id=part))
    assert of_fleet.to_dict("list") == {"run_id": [stopped[1].run_id], "remaining": [5]}
    nothing = schedule.unfinished(runs[:0])
    assert list(nothing.columns) == ["run_id", "remaining"]
    assert nothing.empty


def test_a_canceled_schedule_revokes_nothing_and_says_why(ws, company, staged):
    before = set(company.workspaces[0].state.tokens.ids())
    assert schedule.cancel(ws.plan_context(), staged.run_id) == 3
    assert schedule.scheduled(ws.plan_context()).empty
    journal = ws.journal()
    assert set(journal["outcome"]) == {"skipped"}
    assert set(journal["error"]) == {"the schedule was canceled"}
    assert ws.runs()["remaining"].tolist() == [0]
    assert len(ws.plan_resume(staged.run_id)) == 0
    assert set(company.workspaces[0].state.tokens.ids()) == before
    assert schedule.cancel(ws.plan_context(), staged.run_id) == 0


def test_only_a_staged_run_of_this_workspace_is_canceled(ws):
    plan = ws.revoke(ws.tokens("owner != 'admin@example.com'").head(1))
    plan.apply(progress=False)
    with pytest.raises(tokenkit.UsageError, match="was not staged"):
        schedule.cancel(ws.plan_context(), plan.run_id)
    with pytest.raises(tokenkit.UsageError):
        schedule.cancel(ws.plan_context(), "no-such-run")
