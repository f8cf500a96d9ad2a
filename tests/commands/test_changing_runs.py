"""Runs that are resumed or undone."""

import json

import pandas as pd
import pytest

import tokenkit
from tokenkit import cli
from tokenkit.actions.journal import Journal
from tokenkit.sandbox import Fault


@pytest.mark.usefixtures("here")
def test_undo_restores_what_an_update_changed_after_confirmation(capsys):
    tokens = tokenkit.connect().tokens()
    token_id = tokens.loc[tokens["owner"] != tokenkit.connect().me(), "token_id"].iloc[0]

    def comment():
        return tokenkit.connect().token_management.get(token_id).comment

    def last_run():
        capsys.readouterr()
        assert cli.main(["journal", "--output", "json"]) == 0
        return json.loads(capsys.readouterr().out)[0]["run_id"]

    before = comment()
    assert cli.main(["update", token_id, "--comment", "a new one", "--yes"]) == 0
    printed = capsys.readouterr().err
    run_id = last_run()
    assert f"To undo this change: tokenkit undo {run_id}" in printed
    assert cli.main(["undo", run_id, "--dry-run", "--output", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["comment"], row["new_comment"]) == ("a new one", before)
    assert cli.main(["undo", run_id]) == 2  # no terminal
    assert comment() == "a new one"
    assert cli.main(["undo", run_id, "--yes", "--reason", "the wrong ticket"]) == 0
    assert comment() == before
    assert tokenkit.connect().journal()["reason"].iloc[-1] == "the wrong ticket"
    assert cli.main(["revoke", token_id, "--yes"]) == 0
    assert cli.main(["undo", last_run(), "--yes"]) == 2
    said = capsys.readouterr().err
    assert said.endswith("is of kind 'revoke'. Only runs of kind 'update' can be undone.\n")


def deleted(here):
    return sum(request.method == "DELETE" for request in here.requests)


def test_an_interrupted_run_of_today_resumes_after_showing_what_remains(here, interrupted, capsys):
    here.requests.clear()
    assert cli.main(["resume", interrupted]) == 0
    printed = capsys.readouterr().err
    assert "failed" in printed  # what remains, with the outcome in the journal
    assert printed.lower().count("revoke 2 tokens for good") == 1
    assert f": the whole run: 4 tokens revoked. Run {interrupted}." in printed
    outcomes = tokenkit.connect().journal().query("run_id == @interrupted")["outcome"]
    assert outcomes.tolist() == ["revoked"] * 4  # what `journal --run` shows
    assert deleted(here) == 2
    assert cli.main(["resume", interrupted]) == 0
    assert f"nothing remains of run {interrupted}" in capsys.readouterr().err
    assert deleted(here) == 2


def test_a_dry_run_of_resume_shows_what_remains_and_changes_nothing(here, interrupted, capsys):
    here.requests.clear()
    assert cli.main(["resume", interrupted, "--dry-run", "--output", "json"]) == 0
    assert [row["outcome"] for row in json.loads(capsys.readouterr().out)] == ["failed", "failed"]
    assert deleted(here) == 0


@pytest.mark.usefixtures("here")
def test_now_is_the_current_time_of_a_run_whose_workspace_is_not_named(capsys):
    tokens = tokenkit.connect().tokens("owner != 'admin@example.com'", status="active")
    assert cli.main(["update", tokens["token_id"].iloc[0], "--comment", "x", "--yes"]) == 0
    updated = tokenkit.connect().runs()["run_id"].iloc[-1]
    plan = tokenkit.connect().revoke(tokens.tail(1)).stage(grace="14d")
    late, early = (f"{plan.due + pd.Timedelta(days=days):%Y-%m-%d}" for days in (1, -2))
    capsys.readouterr()
    assert cli.main(["resume", plan.run_id, "--yes", "--now", early]) == 2
    assert "cannot be resumed before" in capsys.readouterr().err
    assert cli.main(["resume", plan.run_id, "--yes", "--now", late, "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["started_at"].startswith(late)
    assert cli.main(["undo", updated, "--yes", "--now", late, "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["started_at"].startswith(late)


@pytest.mark.usefixtures("here")
def test_now_is_rejected_for_a_run_of_any_other_host(interrupted, capsys, monkeypatch):
    other = "https://prod.cloud.databricks.com"
    with Journal(tokenkit.connect().folder) as journal:
        journal._connection.execute("UPDATE runs SET host = ?", [other])
    monkeypatch.setenv("DATABRICKS_HOST", other)
    for line in (["resume", interrupted], ["resume", interrupted, "--dry-run"]):
        assert cli.main([*line, "--now", "2026-03-01"]) == 2
        assert f"--now is for a sandbox on this machine, not for {other}" in capsys.readouterr().err


def test_a_run_of_another_day_requires_confirmation(here, of_another_day, capsys):
    here.requests.clear()
    assert cli.main(["resume", of_another_day]) == 2  # no terminal
    assert "Use --yes" in capsys.readouterr().err
    assert deleted(here) == 0
    assert cli.main(["resume", of_another_day, "--yes"]) == 0
    assert deleted(here) == 2


def test_a_run_of_another_day_asks_even_if_no_token_is_listed_because_it_looks_them_up(here, of_another_day, capsys):
    workspace = tokenkit.connect()
    for token_id in workspace.plan_resume(of_another_day).token_ids:
        workspace.token_management.delete(token_id)  # by somebody else
    here.requests.clear()
    assert cli.main(["resume", of_another_day]) == 2  # no terminal
    said = capsys.readouterr().err
    assert said.startswith("Record the outcomes of the tokens that are left out\n")
    assert "Left out: 2 tokens (no longer listed)." in said
    assert {request.method for request in here.requests} == {"GET"}
    assert cli.main(["resume", of_another_day, "--yes"]) == 0
    outcomes = tokenkit.connect().journal().query("run_id == @of_another_day")["outcome"]
    assert outcomes.value_counts().to_dict() == {"revoked": 2, "already_gone": 2}


def test_a_staged_run_requires_confirmation_and_does_not_start_before_it_is_due(here, capsys):
    workspace = tokenkit.connect()
    tokens = workspace.tokens(status="active")
    staged = workspace.revoke(tokens[tokens["owner"] != workspace.me()].head(2)).stage(grace="1d")
    here.requests.clear()
    assert cli.main(["resume", staged.run_id, "--yes"]) == 2
    assert "cannot be resumed before" in capsys.readouterr().err
    assert cli.main(["resume", staged.run_id, "--yes", "--usage", "--rows", "missing.json"]) == 2
    assert "cannot be resumed before" in capsys.readouterr().err  # and nothing about the evidence
    assert cli.main(["resume", staged.run_id, "--dry-run"]) == 0
    not_due = f"Run {staged.run_id} was staged and cannot be resumed before {staged.due:%Y-%m-%d %H:%M} UTC."
    assert not_due in capsys.readouterr().err.splitlines()
    with Journal(workspace.folder) as journal:
        journal._connection.execute(
            "UPDATE runs SET settings = json_set(settings, '$.due', '2026-01-01T00:00:00+00:00')"
        )
    assert cli.main(["resume", staged.run_id]) == 2
    assert f"Run {staged.run_id} was staged and has been due since 2026-01-01 00:00 UTC." in capsys.readouterr().err
    assert deleted(here) == 0
    assert cli.main(["resume", staged.run_id, "--yes"]) == 0
    assert deleted(here) == 2


def test_a_run_of_a_fleet_of_another_day_requires_confirmation(here, of_another_day, capsys):
    here.requests.clear()
    assert cli.main(["fleet", "resume", of_another_day, "--profiles", here.host]) == 2
    assert "Use --yes" in capsys.readouterr().err
    assert deleted(here) == 0
    assert cli.main(["fleet", "resume", of_another_day, "--profiles", here.host, "--yes"]) == 0
    assert deleted(here) == 2


def test_a_notebook_asks_for_the_count_after_showing_the_plan(here, of_another_day, ipython, monkeypatch, capsys):
    here.requests.clear()
    asked = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "no")
    assert ipython.run_line_magic("tokens", f"resume {of_another_day}") is None
    assert capsys.readouterr().out.startswith("Revoke 2 tokens for good")
    assert "Type 2 to revoke 2 tokens for good" in asked[0]
    assert deleted(here) == 0
    monkeypatch.setattr("builtins.input", lambda _: "2")
    assert len(ipython.run_line_magic("tokens", f"resume {of_another_day}")) == 4
    assert deleted(here) == 2


def test_a_notebook_resumes_with_the_connected_workspace(company, connected, ipython, tmp_path):
    """The workspace was connected with arguments, which are not stored."""
    ws = connected(company, home=tmp_path / "elsewhere")
    tokens = ws.tokens(status="active")
    company.faults.add(Fault(method="DELETE", status=400))
    plan = ws.revoke(tokens[tokens["owner"] != ws.me()].head(2))
    plan.apply(progress=False)
    company.faults.clear()
    ipython.user_ns["ws"] = ws
    ipython.run_line_magic("tokens", "connect ws")
    assert ipython.run_line_magic("tokens", f"resume {plan.run_id}")["outcome"].tolist() == ["revoked"] * 2


@pytest.mark.usefixtures("here")
def test_an_old_comment_that_looks_like_a_credential_cannot_be_restored_and_this_is_said(capsys):
    tokens = tokenkit.connect().tokens()
    token_id = tokens.loc[tokens["owner"] != tokenkit.connect().me(), "token_id"].iloc[0]
    tokenkit.connect().token_management.update_token_management(
        token_id, {"comment": "dapi0123456789abcdef0123456789abcdef"}, ["comment"]
    )
    assert cli.main(["update", token_id, "--comment", "clean", "--yes"]) == 0
    printed = capsys.readouterr().err
    assert "the old comment cannot be restored: it looks like a credential (1)" in printed
    assert "To undo" not in printed
    run_id = tokenkit.connect().runs()["run_id"].iloc[-1]
    assert cli.main(["undo", run_id, "--yes"]) == 1
    assert "nothing to restore" in capsys.readouterr().err


def test_undo_finds_the_workspace_of_its_run(company, tmp_path, capsys):
    (tmp_path / "databrickscfg").write_text(f"[prod]\nhost = {company.host}\ntoken = {company.token}\n")
    ws = tokenkit.connect("prod")
    tokens = ws.tokens()
    plan = ws.plan_update(tokens[tokens["owner"] != ws.me()].head(1), comment="another")
    plan.apply(progress=False)
    assert cli.main(["undo", plan.run_id[-8:], "--yes"]) == 0
    assert "1 token updated" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_a_finished_run_is_resumed_without_rows(capsys):
    ws = tokenkit.connect()
    tokens = ws.tokens(status="active")
    plan = ws.revoke(tokens[tokens["owner"] != ws.me()].head(3))
    plan.apply(progress=False)
    assert cli.main(["resume", plan.run_id, "--output", "json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == []
    assert f"nothing remains of run {plan.run_id}" in printed.err


@pytest.mark.usefixtures("here")
def test_after_an_interrupted_run_the_hint_says_whether_resume_asks(here, of_another_day, capsys):
    tokens = tokenkit.connect().tokens("owner != 'admin@example.com'", status="active")
    here.faults.add(Fault(method="DELETE", status=400))
    assert cli.main(["revoke", tokens["token_id"].iloc[-1], "--yes"]) == 1
    run_id = tokenkit.connect().runs()["run_id"].iloc[-1]
    without = "until 00:00 UTC without confirmation, as it was confirmed today; --dry-run only shows what remains"
    assert f"To finish the run ({without}): tokenkit resume {run_id}\n" in capsys.readouterr().err
    assert cli.main(["resume", of_another_day, "--yes"]) == 1
    assert f"To finish the run (after a confirmation): tokenkit resume {of_another_day}\n" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_a_run_that_ended_early_names_the_command_that_finishes_it_once(here, capsys):
    tokens = tokenkit.connect().tokens("owner != 'admin@example.com'", status="active")
    here.faults.add(Fault(method="DELETE", status=401))
    assert cli.main(["revoke", *tokens["token_id"].tail(2), "--yes"]) == 1
    run_id = tokenkit.connect().runs()["run_id"].iloc[-1]
    said = capsys.readouterr().err
    assert "Ended early: " in said
    assert said.count(f"tokenkit resume {run_id}") == 1


@pytest.mark.usefixtures("here")
def test_an_interrupt_while_the_result_is_made_names_the_run(monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("tokenkit.actions.run.result_of", interrupt)
        assert cli.main(["revoke", "--status", "active", "--limit", "3", "--yes"]) == 130
    (run_id,) = tokenkit.connect().runs()["run_id"]
    said = f"Run {run_id} returned no result. To see what it did: tokenkit journal --run {run_id}\n"
    assert capsys.readouterr().err.endswith(said)
    assert tokenkit.connect().journal()["outcome"].tolist() == ["revoked"] * 3


def test_an_error_after_a_run_has_begun_names_the_run(here, capsys):
    listing = "/api/2.0/token-management/tokens"
    here.faults.add(Fault(method="GET", path=listing, status=500, offset=2))
    assert cli.main(["revoke", "--status", "active", "--yes"]) == 3
    *_, named, error = capsys.readouterr().err.splitlines()
    (run_id,) = tokenkit.connect().runs()["run_id"]
    assert named == f"Run {run_id} returned no result. To see what it did: tokenkit journal --run {run_id}"
    assert "Simulated fault" in error
    assert [record.method for record in here.requests if record.method != "GET"] == []
