"""The journal and what is unfinished: of all workspaces, without a request."""

import json

import pytest

import tokenkit
from tests.fleets.examples import hands
from tokenkit import cli
from tokenkit.sandbox import Fault


@pytest.fixture
def unfinished(own_companies):
    """A finished and an unfinished run in one workspace, and a staged one in another."""
    first, second, _ = own_companies.workspaces
    ws = tokenkit.connect(host=first.host, token=first.token)
    tokens = ws.tokens("owner != 'admin@example.com'", status="active")
    ws.plan_update(tokens.head(1), comment="x").apply(progress=False)
    own_companies.faults.add(Fault(method="DELETE", status=400))
    interrupted = ws.revoke(tokens.tail(2))
    interrupted.apply(progress=False)
    own_companies.faults.clear()
    other = tokenkit.connect(host=second.host, token=second.token)
    staged = other.revoke(other.tokens("owner != 'admin@example.com'").head(1)).stage(grace="14d")
    own_companies.requests.clear()
    return {"interrupted": interrupted.run_id, "staged": staged.run_id, "due": staged.due}


@pytest.fixture
def rows(capsys, monkeypatch):
    """Run a command in a terminal; return its rows, and what it says."""

    def run(*argv):
        monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
        assert cli.main([*argv, "--output", "json"]) == 0
        printed = capsys.readouterr()
        return json.loads(printed.out), printed.err

    return run


def test_without_arguments_the_journal_shows_the_runs_of_all_workspaces(own_companies, unfinished, rows):
    found, said = rows("journal")
    assert len(found) == 3
    assert {row["host"] for row in found} == {each.host for each in own_companies.workspaces[:2]}
    assert "All workspaces: 3 runs in the journal." in said
    at_once = "a run that was confirmed today resumes without a question; --dry-run only shows it"
    assert f"To finish a run ({at_once}): tokenkit resume {unfinished['interrupted']}\n" in said
    assert list(own_companies.requests) == []


def test_without_a_run_resume_shows_what_is_unfinished_and_when_it_is_due(own_companies, unfinished, rows):
    found, said = rows("resume")
    assert {row["run_id"]: row["remaining"] for row in found} == {unfinished["interrupted"]: 2, unfinished["staged"]: 1}
    due = {row["run_id"]: row["due"] for row in found}
    assert due[unfinished["interrupted"]] is None
    assert due[unfinished["staged"]].startswith(f"{unfinished['due']:%Y-%m-%d}")
    assert "All workspaces: 2 unfinished runs." in said
    assert list(own_companies.requests) == []


def test_a_run_is_shown_by_its_tokens(unfinished, rows):
    found, _ = rows("journal", "--run", unfinished["interrupted"])
    assert [row["outcome"] for row in found] == ["failed", "failed"]
    found, _ = rows("journal", "--tokens")
    assert len(found) == 4


def test_with_a_profile_the_journal_is_of_one_workspace(own_companies, unfinished, rows, monkeypatch):
    second = own_companies.workspaces[1]
    monkeypatch.setenv("DATABRICKS_HOST", second.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", second.token)
    found, _ = rows("journal", "--profile", second.host)
    assert [row["run_id"] for row in found] == [unfinished["staged"]]


def test_of_a_fleet_s_run_the_whole_is_suggested(own_companies, rows):
    fleet = tokenkit.fleet(hands(own_companies))
    own_companies.faults.add(Fault(method="DELETE", status=400))
    run = fleet.revoke(fleet.tokens("owner != 'admin@example.com'").groupby("workspace").head(1))
    run.apply(progress=False)
    found, said = rows("resume")
    assert {row["run_id"] for row in found} == {f"{run.run_id}.{part}" for part in (1, 2, 3)}
    assert said.endswith(f"To finish a run: tokenkit resume {run.run_id}\n")


def test_on_a_computer_without_runs_there_is_nothing(capsys):
    assert cli.main(["journal"]) == 0
    assert cli.main(["resume"]) == 0
    assert capsys.readouterr().out == "Nothing found.\n" * 2


@pytest.mark.usefixtures("here")
def test_a_run_of_permissions_is_shown_by_its_entries_and_found_by_the_end_of_its_id(rows):
    ws = tokenkit.connect()
    plan = ws.plan_permissions([{"group_name": "analysts"}], reason="SEC-1")
    plan.apply(progress=False)
    found, said = rows("journal", "--run", plan.run_id.rpartition("-")[2])
    entries = {row["principal"]: (row["permission_level"], row["new_permission_level"]) for row in found}
    assert entries["analysts"] == (None, "CAN_USE")
    assert entries["data-engineers"] == ("CAN_USE", "CAN_USE")
    assert [row["outcome"] for row in found] == ["updated"] + ["unchanged"] * (len(found) - 1)
    assert found[0]["principal"] == "analysts"
    assert {(row["caller"], row["reason"]) for row in found} == {("admin@example.com", "SEC-1")}
    assert f"run {plan.run_id}, permissions, by admin@example.com, reason: SEC-1" in said


@pytest.mark.usefixtures("here")
def test_a_run_that_updates_is_shown_with_the_values_before_and_after_it(rows):
    ws = tokenkit.connect()
    token = ws.tokens("owner != 'admin@example.com'", status="active").head(1)
    update = ws.plan_update(token, comment="owned by the data team")
    update.apply(progress=False)
    ((row,), said) = rows("journal", "--run", update.run_id)
    assert (row["comment"], row["new_comment"], row["new_scopes"]) == (
        token["comment"].iloc[0],
        "owned by the data team",
        None,
    )
    assert f"{ws.name}: run {update.run_id}" in said
