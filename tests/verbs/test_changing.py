"""What the changing verbs do that takes more than one of them."""

import json
import os
import pty
import shlex
import subprocess
import sys

import pytest

import tokenkit
from tokenkit import cli
from tokenkit.actions.journal import Journal
from tokenkit.sandbox import Fault


def in_a_terminal(line, answer, *, columns=80):
    """Run a command in a terminal of its own, answer its question, and return what stood there before and after it."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": str(columns), "TERM": "xterm"}
    command = [sys.executable, "-m", "tokenkit", *line.split()]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment):
        os.close(theirs)
        shown = b""
        while not shown.endswith(b"leave them: ") and (more := os.read(ours, 4096)):
            shown += more
        os.write(ours, f"{answer}\n".encode())
        before, shown = shown.decode(), b""
        try:
            while more := os.read(ours, 4096):
                shown += more
        except OSError:  # as Linux says that the other end is closed
            pass
        os.close(ours)
    return before.replace("\r\n", "\n"), shown.decode()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("columns", [80, 120])
def test_a_shell_shows_the_plan_and_last_of_all_the_counts_of_its_warnings(columns):
    before, after = in_a_terminal("revoke --status active", "no", columns=columns)
    preview, _, question = before.rpartition("\n")
    plan = tokenkit.connect().revoke(tokenkit.connect().tokens(status="active"))
    assert question.startswith(f"Type {len(plan)} to revoke {len(plan)} tokens for good on http://")
    counts = ", ".join(f"{warning} ({count})" for warning, count in plan.warnings().items())
    assert preview.splitlines()[-1] == f"Warnings: {counts}."
    assert plan.preview()["token_id"].isin(tokenkit.connect().tokens()["token_id"]).all()
    assert f"    {plan.preview()['warnings'].iloc[0]}" in preview
    assert "Nothing was changed." in after


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("line", ["revoke --status active", "permissions set group:contractors"])
def test_a_terminal_of_ipython_shows_the_plan_before_it_asks(ipython, monkeypatch, capsys, line):
    shown = []
    monkeypatch.setattr("builtins.input", lambda _: shown.append(capsys.readouterr().out) or "no")
    assert ipython.run_line_magic("tokens", line) is None
    (before,) = shown
    assert before.rstrip().splitlines()[-1].startswith("Warnings: ")
    assert "… and " in before
    assert "Nothing was changed." in capsys.readouterr().out


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("flag", ["--dry-run", "--yes"])
def test_what_is_not_shown_has_its_warnings_said_all_the_same(capsys, flag):
    tokens = tokenkit.connect().tokens(status="active")
    mine = tokens["owner"] == tokenkit.connect().me()
    used = tokens[~mine].sort_values("last_used_day", na_position="first")["token_id"].iloc[-1]
    own = tokens.loc[mine, "token_id"].iloc[0]
    assert cli.main(["revoke", own, used, flag]) == 0
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in said if line.startswith(("Left out", "Warnings"))] == [
        "Left out",
        "Warnings",
    ]


@pytest.mark.usefixtures("here")
def test_a_dry_run_has_the_most_dangerous_tokens_first_and_no_warning_cut(capsys, monkeypatch):
    assert cli.main(["revoke", "--status", "active", "--dry-run", "--output", "json"]) == 0
    warnings = [row["warnings"] for row in json.loads(capsys.readouterr().out)]
    warned = [each != "" for each in warnings]
    assert warned == sorted(warned, reverse=True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["revoke", "--status", "active", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    flowing = " ".join(shown.split())
    assert all(each in flowing for each in warnings)
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.usefixtures("here")
def test_what_an_update_changed_is_put_back_by_undo_which_asks_first(capsys):
    tokens = tokenkit.connect().tokens()
    token_id = tokens.loc[tokens["owner"] != tokenkit.connect().me(), "token_id"].iloc[0]

    def comment():
        return tokenkit.connect().token_management.get(token_id).comment

    def last_run():
        capsys.readouterr()
        assert cli.main(["journal", "--output", "json"]) == 0
        return json.loads(capsys.readouterr().out)[-1]["run_id"]

    before = comment()
    assert cli.main(["update", token_id, "--comment", "a new one", "--yes"]) == 0
    said = capsys.readouterr().err
    run_id = last_run()
    assert f"To put it back: tokenkit undo {run_id}" in said
    assert cli.main(["undo", run_id, "--dry-run", "--output", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["comment"], row["new_comment"]) == ("a new one", before)
    assert cli.main(["undo", run_id]) == 2  # there is nobody to ask
    assert comment() == "a new one"
    assert cli.main(["undo", run_id, "--yes", "--reason", "the wrong ticket"]) == 0
    assert comment() == before
    assert tokenkit.connect().journal()["reason"].iloc[-1] == "the wrong ticket"
    assert cli.main(["revoke", token_id, "--yes"]) == 0
    assert cli.main(["undo", last_run(), "--yes"]) == 2
    assert "only updates can be undone" in capsys.readouterr().err


@pytest.fixture
def interrupted(here):
    """The id of a run of today of four tokens, two of which could not be revoked."""
    workspace = tokenkit.connect()
    tokens = workspace.tokens(status="active")
    plan = workspace.revoke(tokens[tokens["owner"] != workspace.me()].head(4))
    here.faults.add(Fault(method="DELETE", status=400, times=2))
    plan.apply(progress=False)
    here.faults.clear()
    return plan.run_id


@pytest.fixture
def of_another_day(interrupted):
    with Journal(tokenkit.connect().folder) as journal:
        journal._connection.execute("UPDATE runs SET started_ms = started_ms - 86400000")
    return interrupted


def deleted(here):
    return sum(request.method == "DELETE" for request in here.requests)


def test_a_run_of_today_that_was_interrupted_goes_on_after_showing_what_remains(here, interrupted, capsys):
    here.requests.clear()
    assert cli.main(["resume", interrupted]) == 0
    said = capsys.readouterr().err
    assert "failed" in said  # what remains, with what the journal says of it
    assert f"4 revoked. Run {interrupted}" in said
    assert deleted(here) == 2
    assert cli.main(["resume", interrupted]) == 0
    assert f"nothing remains of run {interrupted}" in capsys.readouterr().err
    assert deleted(here) == 2


def test_a_dry_run_of_resume_shows_what_remains_and_touches_nothing(here, interrupted, capsys):
    here.requests.clear()
    assert cli.main(["resume", interrupted, "--dry-run", "--output", "json"]) == 0
    assert [row["outcome"] for row in json.loads(capsys.readouterr().out)] == ["failed", "failed"]
    assert deleted(here) == 0


def test_a_run_of_another_day_is_asked_about(here, of_another_day, capsys):
    here.requests.clear()
    assert cli.main(["resume", of_another_day]) == 2  # there is nobody to ask
    assert "add --yes" in capsys.readouterr().err
    assert deleted(here) == 0
    assert cli.main(["resume", of_another_day, "--yes"]) == 0
    assert deleted(here) == 2


def test_a_staged_run_is_asked_about_and_not_before_it_is_due(here, capsys):
    workspace = tokenkit.connect()
    tokens = workspace.tokens(status="active")
    staged = workspace.revoke(tokens[tokens["owner"] != workspace.me()].head(2)).stage(grace="1d")
    here.requests.clear()
    assert cli.main(["resume", staged.run_id, "--yes"]) == 2
    assert "not before" in capsys.readouterr().err
    assert cli.main(["resume", staged.run_id, "--dry-run"]) == 0
    with Journal(workspace.folder) as journal:
        journal._connection.execute(
            "UPDATE runs SET settings = json_set(settings, '$.due', '2026-01-01T00:00:00+00:00')"
        )
    assert cli.main(["resume", staged.run_id]) == 2
    assert deleted(here) == 0
    assert cli.main(["resume", staged.run_id, "--yes"]) == 0
    assert deleted(here) == 2


def test_a_run_of_a_fleet_of_another_day_is_asked_about_too(here, of_another_day, capsys):
    here.requests.clear()
    assert cli.main(["fleet", "resume", of_another_day, "--profiles", here.host]) == 2
    assert "add --yes" in capsys.readouterr().err
    assert deleted(here) == 0
    assert cli.main(["fleet", "resume", of_another_day, "--profiles", here.host, "--yes"]) == 0
    assert deleted(here) == 2


def test_in_a_notebook_the_count_is_asked_for_with_the_plan_before_it(
    here, of_another_day, ipython, monkeypatch, capsys
):
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


def test_a_notebook_resumes_with_the_workspace_in_hand(company, connected, ipython, tmp_path):
    """It was signed in by arguments, so that no other sign-in is known."""
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
@pytest.mark.parametrize("verb", ["revoke --yes", "scopes --narrow --yes"])
@pytest.mark.parametrize("filter_", ["--owner", "--created-by"])
def test_a_change_for_a_name_that_nobody_has_is_refused_with_near_names_unless_none_is_allowed(
    capsys, company, verb, filter_
):
    before = company.workspaces[0].state.tokens.ids()
    for name, near in (("admni@example.com", "admin@example.com"), ("Admin@exa", "admin@example.com")):
        assert cli.main(shlex.split(f"{verb} {filter_} {name}")) == 2
        said = capsys.readouterr().err
        assert f"{name!r} is unknown" in said
        assert near in said
        # Of several names, each has to be known.
        assert cli.main(shlex.split(f"{verb} {filter_} admin@example.com {filter_} {name}")) == 2
        capsys.readouterr()
        assert cli.main(shlex.split(f"{verb} {filter_} {name} --allow-none")) == 0
        assert f"{name!r} is unknown" in capsys.readouterr().err
    assert company.workspaces[0].state.tokens.ids() == before


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("verb", ["revoke --yes", "scopes --narrow --yes"])
def test_known_are_users_service_principals_and_owners_in_any_case_and_a_pattern_never_fails(capsys, company, verb):
    ws = tokenkit.connect()
    principals, tokens = ws.service_principals(), ws.tokens()
    idle = min(set(ws.users()["user_name"]) - set(tokens["owner"]) - set(tokens["created_by_username"]))
    application_id = principals["application_id"].iloc[0]
    before = company.workspaces[0].state.tokens.ids()
    for name in (idle, idle.upper(), application_id, "*nobody*", "nobod?"):
        for filter_ in ("--owner", "--created-by"):
            assert cli.main([*shlex.split(verb), filter_, name, "--idle", "9000d"]) == 0, name
    assert company.workspaces[0].state.tokens.ids() == before
    assert "is unknown" not in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_a_filter_given_again_adds_to_the_first(capsys):
    counts = tokenkit.connect().tokens()["owner"].value_counts()
    names = counts.index[counts.index.str.contains("@")][:3].tolist()

    def listed(line):
        assert cli.main([*shlex.split(line), "--output", "json"]) == 0
        return json.loads(capsys.readouterr().out)

    options = " ".join(f"--owner {name}" for name in names)
    assert {row["owner"] for row in listed(f"list {options}")} == set(names)
    assert len(listed(f"list {options}")) == counts[names].sum()
    assert len(listed(f"revoke {options} --include-own --dry-run")) == counts[names].sum()
    assert {row["owner"] for row in listed(f"scopes {options}")} == set(names)
    assert len(listed(f"list {options} --status active --status expired")) == counts[names].sum()
    creators = tokenkit.connect().tokens()["created_by_username"].value_counts()
    both = " ".join(f"--created-by {name}" for name in creators.index[:2])
    assert len(listed(f"list {both}")) == creators.iloc[:2].sum()
