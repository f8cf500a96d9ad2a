"""The changing commands in combination."""

import io
import json
import os
import pty
import re
import shlex
import subprocess
import sys

import pandas as pd
import pytest
import requests

import tokenkit
from tests.tables import last_column
from tokenkit import cli
from tokenkit.actions.journal import Journal
from tokenkit.actions.preview import worst_first_of
from tokenkit.actions.revocation import LAST_TOKEN
from tokenkit.actions.update import ALL_APIS_ALLOWED
from tokenkit.commands import parser, returned
from tokenkit.commands.options import SHELL
from tokenkit.core.home import home
from tokenkit.core.wording import pluralize
from tokenkit.sandbox import Fault


def in_a_terminal(line, reply, *, columns=80):
    """Run a command in a new terminal, reply to its question, and return the output before and after the reply."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": str(columns), "TERM": "xterm"}
    command = [sys.executable, "-m", "tokenkit", *line.split()]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment):
        os.close(theirs)
        shown = b""
        while not shown.endswith(b"to cancel: ") and (more := os.read(ours, 4096)):
            shown += more
        os.write(ours, f"{reply}\n".encode())
        before, shown = shown.decode(), b""
        try:
            while more := os.read(ours, 4096):
                shown += more
        except OSError:  # Linux: the other end is closed
            pass
        os.close(ours)
    return before.replace("\r\n", "\n"), shown.decode()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("columns", [80, 120])
def test_a_shell_shows_the_plan_and_finally_the_counts_of_its_warnings(columns):
    before, after = in_a_terminal("revoke --status active", "no", columns=columns)
    preview, _, question = before.rpartition("\n")
    plan = tokenkit.connect().revoke(tokenkit.connect().tokens(status="active"))
    assert question.startswith(f"Type {len(plan)} to revoke {len(plan)} tokens for good on http://")
    counted = {warning: count for warning, count in plan.warnings().items() if warning != LAST_TOKEN}
    counts = ", ".join(f"{warning} ({count})" for warning, count in counted.items())
    assert preview.splitlines()[-1] == f"Warnings: {counts}."
    assert plan.preview()["token_id"].isin(tokenkit.connect().tokens()["token_id"]).all()
    assert plan.preview()["warnings"].iloc[0] in last_column(preview, "warnings")
    assert "(from the environment)" in question
    assert "Nothing was changed." in after


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("lines", [24, 40])
def test_a_preview_before_a_confirmation_fits_the_terminal_and_says_how_to_see_all(monkeypatch, lines):
    monkeypatch.setenv("LINES", str(lines))
    before, _ = in_a_terminal("revoke --status active", "no")
    preview = before[before.index("Revoke ") :]
    assert lines * 2 / 3 <= len(preview.splitlines()) <= lines - 2  # long lines are wrapped
    plan = tokenkit.connect().revoke(tokenkit.connect().tokens(status="active"))
    worst = worst_first_of(plan.preview(), list(plan.warnings()))["token_id"].str.slice(stop=12).tolist()
    flowing = "".join(preview.split())
    shown = [token_id for token_id in worst if token_id in flowing]
    assert shown == worst[: len(shown)]
    assert f"… and {len(plan) - len(shown)} more; --dry-run shows all of them\n" in before


@pytest.mark.usefixtures("here")
def test_the_outline_of_a_change_of_permissions_is_directly_before_the_question():
    before, _ = in_a_terminal("permissions set group:contractors", "no")
    plan = tokenkit.connect().plan_permissions([{"group_name": "contractors"}], replace=True)
    *_, losing, keeping, gaining, outline, warnings, question = before.splitlines()
    assert losing.startswith(f"{len(plan.losing_access)} principals would lose permission to use tokens: ")
    assert keeping.startswith(f"{len(plan.keeping_access)} principals would keep permission by another path: ")
    assert gaining.startswith("2 principals would gain permission to use tokens: ")
    assert outline == f"{plan.changed_entries()}."
    assert warnings.startswith("Warnings: ")
    assert question.startswith(f"Type {len(plan)} to delete or disable {len(plan)} tokens on ")
    assert before.count(outline) == 1


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("line", ["revoke --status active", "permissions set group:contractors"])
def test_the_warnings_of_a_dry_run_are_after_its_rows(line):
    command = [sys.executable, "-m", "tokenkit", *line.split(), "--dry-run"]
    printed = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout
    assert len(printed.splitlines()) > 20
    assert printed.splitlines()[-1].startswith("Warnings: ")


@pytest.mark.usefixtures("here")
def test_permission_for_all_users_is_asked_for_or_given_with_yes(capsys):
    assert cli.main(["permissions", "add", "group:users"]) == 2
    assert capsys.readouterr().err.endswith(
        "Confirmation required, but there is no terminal. Use --yes or --dry-run.\n"
    )
    assert "users" not in set(tokenkit.connect().permissions()["group_name"].dropna())
    assert cli.main(["permissions", "add", "group:users", "--yes"]) == 0
    assert "which the audit reports as all-users-can-use (1)" in capsys.readouterr().err
    assert "users" in set(tokenkit.connect().permissions()["group_name"].dropna())


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
def test_the_warnings_of_a_plan_without_preview_are_shown(capsys, flag):
    tokens = tokenkit.connect().tokens(status="active")
    mine = tokens["owner"] == tokenkit.connect().me()
    used = tokens[~mine].sort_values("last_used_day", na_position="first")["token_id"].iloc[-1]
    own = tokens.loc[mine, "token_id"].iloc[0]
    assert cli.main(["revoke", own, used, flag]) == 0
    printed = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in printed if line.startswith(("Left out", "Warning"))] == [
        "Left out",
        "Warning",
    ]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("line", "warning"),
    [
        ("revoke {ids}", "used in the last 7 days"),
        ("update {ids} --scopes all-apis", ALL_APIS_ALLOWED),
        ("update {ids} --scopes all-apis", "new scopes"),
    ],
)
def test_with_yes_each_warning_names_its_first_tokens_because_no_preview_is_shown(company, capsys, line, warning):
    ws = tokenkit.connect()
    tokens = ws.tokens("owner != 'admin@example.com'", status="active").head(6).set_index("token_id")
    today = int(ws.now().normalize().timestamp() * 1000)
    for token_id in tokens.index:
        company.workspaces[0].state.tokens.touch(token_id, today)
    argv = line.format(ids=" ".join(tokens.index)).split()
    assert cli.main([*argv, "--yes"]) == 0
    (said,) = [text for text in capsys.readouterr().err.splitlines() if text.startswith(f"Warning: {warning} (6): ")]
    assert said.endswith(" and 3 more.")
    found = dict(re.findall(r"([0-9a-f]{12}) \(owner ([^)]+)\)", said))
    assert found == {
        token_id[:12]: tokens.loc[token_id, "owner"] for token_id in tokens.index if token_id[:12] in found
    }
    assert len(found) == 3


@pytest.mark.usefixtures("here")
def test_with_yes_the_warnings_of_a_change_of_permissions_and_of_a_resumed_run_name_tokens(
    of_another_day, company, capsys
):
    company.faults.clear()
    remaining = tokenkit.connect().plan_resume(of_another_day).token_ids
    company.workspaces[0].state.tokens.delete(remaining[0])
    assert cli.main(["resume", of_another_day, "--yes"]) == 0
    (said,) = [text for text in capsys.readouterr().err.splitlines() if text.startswith("Warning: no longer listed")]
    assert said.startswith(f"Warning: no longer listed (1): {remaining[0][:12]} (owner ")
    lost = tokenkit.connect().plan_permission_removal([{"group_name": "data-engineers"}]).preview()
    assert cli.main(["permissions", "remove", "group:data-engineers", "--yes"]) == 0
    (said,) = [text for text in capsys.readouterr().err.splitlines() if text.startswith("Warning: tokens that will be")]
    assert f" by the workspace ({len(lost)}): " in said
    assert {*re.findall(r"([0-9a-f]{12}) \(owner ", said)} <= {*lost["token_id"].str.slice(stop=12)}


@pytest.mark.usefixtures("here")
def test_a_dry_run_has_the_most_dangerous_tokens_first_and_no_warning_cut(capsys, monkeypatch):
    assert cli.main(["revoke", "--status", "active", "--dry-run", "--output", "json"]) == 0
    warnings = [row["warnings"] for row in json.loads(capsys.readouterr().out)]
    warned = [warning != "" for warning in warnings]
    assert warned == sorted(warned, reverse=True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["revoke", "--status", "active", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    flowing = last_column(shown, "warnings")
    assert all(warning in flowing for warning in warnings)
    assert max(map(len, shown.splitlines())) <= 80


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
@pytest.mark.parametrize("command", ["revoke --yes", "scopes --narrow --yes"])
@pytest.mark.parametrize("filter_", ["--owner", "--created-by"])
def test_a_change_for_an_unknown_name_is_an_error_with_near_names_unless_none_is_allowed(
    capsys, company, command, filter_
):
    before = company.workspaces[0].state.tokens.ids()
    for name, near in (("admni@example.com", "admin@example.com"), ("Admin@exa", "admin@example.com")):
        assert cli.main(shlex.split(f"{command} {filter_} {name}")) == 2
        printed = capsys.readouterr().err
        assert f" {name!r}: no user, service principal or token" in printed
        assert near in printed
        # All names must be known.
        assert cli.main(shlex.split(f"{command} {filter_} admin@example.com {filter_} {name}")) == 2
        capsys.readouterr()
        assert cli.main(shlex.split(f"{command} {filter_} {name} --allow-none")) == 0
        assert f" {name!r}: no user, service principal or token" in capsys.readouterr().err
    assert company.workspaces[0].state.tokens.ids() == before


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", ["revoke --yes", "scopes --narrow --yes"])
def test_users_service_principals_and_owners_are_known_in_any_case_and_a_pattern_never_fails(capsys, company, command):
    ws = tokenkit.connect()
    principals, tokens = ws.service_principals(), ws.tokens()
    idle = min(set(ws.users()["user_name"]) - set(tokens["owner"]) - set(tokens["created_by_username"]))
    application_id = principals["application_id"].iloc[0]
    before = company.workspaces[0].state.tokens.ids()
    for name in (idle, idle.upper(), application_id, "*nobody*", "nobod?"):
        for filter_ in ("--owner", "--created-by"):
            assert cli.main([*shlex.split(command), filter_, name, "--idle", "9000d"]) == 0, name
    assert company.workspaces[0].state.tokens.ids() == before
    assert "Unknown" not in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_a_repeated_filter_adds_to_the_first(capsys):
    counts = tokenkit.connect().tokens()["owner"].value_counts()
    names = counts.index[counts.index.str.contains("@")][:3].tolist()

    def listed(line):
        assert cli.main([*shlex.split(line), "--output", "json"]) == 0
        return json.loads(capsys.readouterr().out)

    options = " ".join(f"--owner {name}" for name in names)
    assert {row["owner"] for row in listed(f"list {options}")} == set(names)
    assert len(listed(f"list {options}")) == counts[names].sum()
    assert len(listed(f"revoke {options} --include-own --dry-run")) == counts[names].sum()
    assert {row["owner"] for row in listed(f"scopes --all {options}")} == set(names)
    assert len(listed(f"list {options} --status active --status expired")) == counts[names].sum()
    creators = tokenkit.connect().tokens()["created_by_username"].value_counts()
    both = " ".join(f"--created-by {name}" for name in creators.index[:2])
    assert len(listed(f"list {both}")) == creators.iloc[:2].sum()


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
def test_ctrl_c_at_the_question_says_that_nothing_was_changed(capsys, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin.readline", interrupt, raising=False)
    before = set(tokenkit.connect().tokens()["token_id"])
    assert cli.main(["revoke", "--status", "active"]) == 130
    assert capsys.readouterr().err.endswith("\nNothing was changed.\n")
    assert set(tokenkit.connect().tokens()["token_id"]) == before


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


CHANGES = [
    "revoke {token} --yes",
    "update {token} --comment new --yes",
    "scopes --narrow --yes",
    "permissions remove group:data-engineers --yes",
    "permissions add group:contractors",
    "resume {run}",
]


@pytest.mark.parametrize("line", CHANGES)
@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--columns", "help"], 0, "outcome"),
        (["--columns", "ownr"], 2, "Unknown column 'ownr'. Did you mean owner?"),
        (["--columns", "owner,severity"], 2, "Unknown column 'severity'"),
        (["--dry-run", "--columns", "severity"], 2, "Unknown column 'severity'"),
        (["--to", "{folder}/missing/rows.csv"], 2, "its folder is missing"),
        (["--to", "{folder}/rows.csv"], 2, "it is a folder"),
    ],
)
def test_output_options_are_checked_before_anything_changes(
    here, interrupted, tmp_path, capsys, line, options, code, said
):
    (tmp_path / "rows.csv").mkdir()
    token_id = tokenkit.connect().tokens(status="active")["token_id"].iloc[-1]
    argv = line.format(token=token_id, run=interrupted).split()
    here.requests.clear()
    assert cli.main([*argv, *(option.format(folder=tmp_path) for option in options)]) == code
    assert said in "".join(capsys.readouterr())
    assert list(here.requests) == []


@pytest.mark.parametrize("line", [*CHANGES, "undo {update} --yes", "permissions set group:contractors --yes"])
def test_the_columns_of_every_result_of_a_change_are_known_before(interrupted, capsys, line):
    ws = tokenkit.connect()
    token_id = ws.tokens(status="active")["token_id"].iloc[-1]
    update = ws.plan_update(token_id, comment="earlier")
    update.apply(progress=False)
    argv = line.format(token=token_id, run=interrupted, update=update.run_id).split()
    assert cli.main([*argv, "--output", "csv"]) == 0
    call = parser.parse(argv, SHELL)
    columns = capsys.readouterr().out.splitlines()[0].split(",")
    assert {*columns} <= {*returned.columns_of(call.command.path, is_plan=call.is_plan)}


@pytest.mark.usefixtures("here")
def test_a_result_has_every_column_of_the_listing_that_is_asked_for_and_names_those_that_it_lacks(capsys):
    tokens = tokenkit.connect().tokens("owner != 'admin@example.com'", status="active")
    (used, unused), names = tokens["token_id"].head(2), ["token_id", "comment", "age_days", "outcome"]
    line = ["revoke", used, "--yes", "--columns", ",".join([*names, "used_by"]), "--output", "json"]
    assert cli.main(line) == 0
    printed = capsys.readouterr()
    expected = tokens.set_index("token_id", drop=False).loc[used, names[:2]].tolist()
    (row,) = json.loads(printed.out)
    assert [*row] == names
    assert ([row[name] for name in names[:2]], row["outcome"]) == (expected, "revoked")
    assert printed.err.splitlines()[-1] == "Not in this result: column used_by."
    assert cli.main(["revoke", unused, "--dry-run", "--columns", "outcome,error", "--output", "json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)[0]["token_id"] == unused
    assert printed.err.splitlines()[-1] == "Not in this result: columns outcome, error. All its columns are shown."


@pytest.mark.parametrize("how", ["--dry-run", "--yes", ""])
@pytest.mark.parametrize("option", ["--limit 2", "--sort owner"])
def test_what_does_not_select_what_is_changed_is_rejected_before_any_request_in_a_dry_run_too(
    here, capsys, option, how
):
    here.requests.clear()
    assert cli.main(f"scopes --narrow {option} {how}".split()) == 2
    assert f"{option.split()[0]} does not select what is changed" in capsys.readouterr().err
    assert list(here.requests) == []
    assert cli.main(f"scopes {option}".split()) == 0


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("option", [["--limit", "2"], ["--sort", "owner"]])
def test_an_option_that_does_not_limit_a_change_is_refused_with_it(option, capsys):
    assert cli.main(["scopes", "--narrow", *option, "--yes"]) == 2
    assert f"{option[0]} does not select what is changed" in capsys.readouterr().err
    assert cli.main(["scopes", *option]) == 0


@pytest.mark.parametrize(
    ("change", "undo"),
    [
        ("add group:contractors", "remove group:contractors"),
        ("remove group:data-engineers", "add group:data-engineers=CAN_USE"),
    ],
)
@pytest.mark.parametrize("where", [[], ["--profile", "prod"]])
def test_a_change_of_permissions_names_its_opposite_in_the_same_workspace(change, undo, where, here, tmp_path, capsys):
    (tmp_path / "databrickscfg").write_text(f"[prod]\nhost = {here.host}\ntoken = {here.token}\n")
    assert cli.main(["permissions", *change.split(), "--yes", *where]) in (0, 1)
    said = capsys.readouterr().err
    start = "To restore the entries, but no tokens"
    if undo.startswith("remove"):
        start = "To remove the entries again, after a preview of the tokens that this deletes, if any"
    ready = f"{start}: tokenkit permissions {' '.join([undo, *where])}\n"
    assert ready in said
    (run_id,) = tokenkit.connect().runs()["run_id"]
    assert cli.main(["journal", "--run", run_id]) == 0
    assert ready in capsys.readouterr().err
    assert cli.main(["undo", run_id[-8:]]) == 2
    said = capsys.readouterr().err
    assert said == f"tokenkit: Run {run_id} changed permissions, and only updates of tokens can be undone. {ready}"


@pytest.mark.usefixtures("here")
def test_the_commands_that_undo_a_mixed_change_of_permissions_restore_all_entries(capsys):
    def entries():
        found = tokenkit.connect().permissions()
        return set(found[["user_name", "group_name", "permission_level"]].fillna("").itertuples(index=False, name=None))

    for entry in ("user:zoe.obrien@example.com", "group:bi-team", "group:data-engineers"):
        assert cli.main(["permissions", "add", entry, "--yes"]) == 0
    before = entries()
    change = ["group:bi-team", "group:data-engineers=CAN_MANAGE", "group:contractors", "group:analysts"]
    capsys.readouterr()
    assert cli.main(["permissions", "set", *change, "--yes"]) == 0
    assert entries() != before
    said = capsys.readouterr().err
    commands = [line.partition(": tokenkit ")[2] for line in said.splitlines() if ": tokenkit permissions " in line]
    assert [command.split()[1] for command in commands] == ["add", "remove"]
    for command in commands:
        assert cli.main([*shlex.split(command), "--yes"]) == 0
    assert entries() == before


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("line", "would"),
    [
        ("revoke --status expired", "would revoke "),
        ("update --status expired --comment x", "would change "),
        ("permissions set group:contractors", "would delete or disable "),
        ("permissions add group:analysts", "would add 1 entry, without a confirmation."),
    ],
)
def test_a_dry_run_says_what_it_would_do_in_logs_and_on_a_terminal_what_its_rows_are(line, would, capsys, monkeypatch):
    argv = [*line.split(), "--dry-run"]
    assert cli.main(argv) == 0
    printed = capsys.readouterr()
    assert printed.err.count(f"{tokenkit.connect().full_name}: {would}") == 1
    assert "dry run" not in printed.out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert cli.main(argv) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith(" (dry run, nothing was changed):")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("revoke --scope no-such-scope", "nothing to revoke; no token matches."),
        ("update --scope no-such-scope --comment=x", "nothing to change; no token matches."),
        ("update {} --comment={}", "nothing to change; the tokens already have these values."),
        ("scopes --narrow --status expired", "nothing to narrow (advice: "),
        ("scopes --narrow --scope no-such-scope", "nothing to narrow; no token matches."),
        ("permissions add group:data-engineers", "Nothing to change: group data-engineers has CAN_USE already."),
    ],
)
def test_a_change_of_nothing_says_why(line, why, capsys):
    token = tokenkit.connect().tokens("comment == comment.str.lower() and not comment.str.contains(' ')").iloc[0]
    assert cli.main([*line.format(token["token_id"], token["comment"]).split(), "--dry-run"]) == 0
    assert why in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_a_change_that_needs_no_confirmation_says_once_in_logs_what_it_did(capsys):
    assert cli.main(["permissions", "add", "group:analysts", "--quiet"]) == 0
    gaining, outline, done = capsys.readouterr().err.splitlines()
    assert " would gain permission to use tokens: " in gaining
    assert outline == "group analysts: none -> CAN_USE."
    assert done.startswith(f"{tokenkit.connect().name}: permissions changed. Run ")


@pytest.mark.usefixtures("here")
def test_a_rule_that_is_named_and_cannot_be_checked_does_not_pass(capsys):
    assert cli.main(["audit", "--fail-on", "high", "--rule", "outside-networks"]) == 3
    assert "--fail-on high is undecided: outside-networks was not checked." in capsys.readouterr().err


def test_an_audit_without_findings_does_not_pass_if_a_rule_of_the_severity_was_not_checked(capsys, tmp_path):
    token = {"token_id": "a" * 64, "comment": "nightly export of the data team", "owner_id": 1, "scopes": ["sql"]}
    now = {"creation_time": 1_795_000_000_000, "expiry_time": 1_799_000_000_000, "last_used_day": 1_795_700_000_000}
    (tmp_path / "saved.json").write_text(json.dumps({"token_infos": [token | now]}))
    line = ["audit", "--from", str(tmp_path / "saved.json"), "--as-of", "2026-11-28", "--fail-on", "high"]
    assert cli.main(line) == 3
    said = capsys.readouterr().err
    skip = "--skip inactive-owner --skip admin-service-principal"
    assert "--fail-on high is undecided: inactive-owner, admin-service-principal were not checked. " in said
    assert f"To leave them out, add {skip}.\n" in said
    assert cli.main([*line, *skip.split()]) == 0  # rules of a lower severity were not checked either
    assert "inactive-creator was not checked" in capsys.readouterr().err
    (tmp_path / "saved.json").write_text(json.dumps({"token_infos": [token]}))
    assert cli.main(line) == 1  # a finding decides: it never expires


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", ["revoke", "update --comment x"])
def test_a_token_given_by_id_that_the_filters_exclude_is_named(capsys, command):
    tokens = tokenkit.connect().tokens("owner != 'admin@example.com'").drop_duplicates("owner").head(2)
    (one, other), (owner, not_theirs) = tokens["token_id"], tokens["owner"]
    excluded = f"{other[:12]} (owner {not_theirs})."
    assert cli.main([*command.split(), one[:12], other, "--owner", owner, "--dry-run", "--output", "json"]) == 0
    printed = capsys.readouterr()
    assert [row["token_id"] for row in json.loads(printed.out)] == [one]
    assert f"The filters exclude 1 of 2 tokens given by ID: {excluded}" in printed.err
    assert cli.main([*command.split(), other, "--owner", owner, "--dry-run"]) == 1
    printed = capsys.readouterr().err
    assert f"The filters exclude 1 token given by ID: {excluded}" in printed
    assert "already have these values" not in printed
    assert cli.main([*command.split(), one, "--owner", owner, "--dry-run"]) == 0
    assert "exclude" not in capsys.readouterr().err


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_revocation_by_owner_names_the_command_that_lists_what_the_owner_created_for_service_principals(
    here, capsys, is_deleted
):
    ws = tokenkit.connect()
    tokens, people = ws.tokens(status="active"), ws.users().set_index("id")["user_name"].drop(ws.api.caller()[0])
    created = tokens[(tokens["owner_kind"] == "service_principal") & tokens["created_by_id"].isin(people.index)]
    creator_id = created["created_by_id"].mode().iloc[0]
    expected = set(created.loc[created["created_by_id"] == creator_id, "token_id"])
    if is_deleted:
        path = f"/api/2.0/preview/scim/v2/Users/{creator_id}"
        requests.delete(here.host + path, headers={"Authorization": f"Bearer {here.token}"}, timeout=10)
    for how in ("--dry-run", "--yes", "--yes --allow-none"):
        assert cli.main(["revoke", "--owner", people[creator_id], *how.split()]) == 0
        last = capsys.readouterr().err.splitlines()[-1]
        said, command = re.fullmatch(r"(.*) not revoked\. To list (?:it|them): tokenkit (.*)", last).groups()
        assert said.startswith(f"{pluralize(len(expected), 'active token')} that {people[creator_id]} created for ")
        assert cli.main([*shlex.split(command), "--output", "json"]) == 0
        assert {token["token_id"] for token in json.loads(capsys.readouterr().out)} == expected
        if is_deleted and how == "--yes":
            break  # without a token, the deleted owner's name is unknown
    other = people[~people.index.isin(created["created_by_id"])].iloc[0]
    for line in (["--owner", other], ["--owner", "*@example.com", "--idle", "1d"]):  # the latter is not about a leaver
        assert cli.main(["revoke", *line, "--dry-run"]) == 0
        assert "--created-by" not in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_a_preview_can_show_any_column_of_the_listing(capsys):
    ws = tokenkit.connect()
    tokens = ws.tokens("owner != 'admin@example.com' and scopes.notna()", status="active").set_index("token_id")
    token_id = tokens.index[0]
    names = ["token_id", "scopes", "created_by_username", "warnings"]
    command = ["revoke", token_id]
    assert cli.main([*command, "--dry-run", "--columns", ",".join(names), "--output", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert list(row) == names
    assert (row["scopes"], row["created_by_username"]) == tuple(tokens.loc[token_id, names[1:3]])
    assert cli.main([*command, "--dry-run", "--columns", "help", "--output", "json"]) == 0
    assert {*names, *ws.tokens().columns} <= {row["column"] for row in json.loads(capsys.readouterr().out)}
    assert cli.main([*command, "--dry-run", "--columns", "scoops"]) == 2
    assert "Unknown column 'scoops'" in capsys.readouterr().err
    before, _ = in_a_terminal(f"revoke {token_id} --columns scopes", "no", columns=120)
    assert ", ".join(tokens.loc[token_id, "scopes"]) in before
    assert cli.main([*command, "--dry-run", "--output", "json"]) == 0
    assert "scopes" not in json.loads(capsys.readouterr().out)[0]


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
def test_an_update_names_its_undo_only_if_it_changed_something(here, capsys):
    token_id = tokenkit.connect().tokens(status="active")["token_id"].iloc[-1]
    here.faults.add(Fault(method="PATCH", status=400, times=1))
    assert cli.main(["update", token_id, "--comment", "new", "--yes"]) == 1
    assert "undo" not in capsys.readouterr().err
    assert cli.main(["update", token_id, "--comment", "new", "--yes"]) == 0
    assert "To undo this change: tokenkit undo " in capsys.readouterr().err


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("names", ["token_id,token_id", "outcome,Outcome,token"])
def test_a_column_that_is_named_twice_is_shown_once(capsys, names):
    token_id = tokenkit.connect().tokens("owner != 'admin@example.com'", status="active")["token_id"].iloc[-1]
    assert cli.main(["revoke", token_id, "--yes", "--columns", names, "--output", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert list(row) == [*dict.fromkeys({"token": "token_id"}.get(name, name) for name in names.lower().split(","))]


@pytest.mark.usefixtures("here")
def test_a_result_that_cannot_be_shown_is_counted_with_its_run(capsys, monkeypatch):
    token_id = tokenkit.connect().tokens("owner != 'admin@example.com'", status="active")["token_id"].iloc[-1]
    monkeypatch.setattr("tokenkit.commands.printing.arranged", lambda *_, **__: 1 / 0)
    assert cli.main(["revoke", token_id, "--yes"]) == 70
    said = capsys.readouterr().err
    (run_id,) = tokenkit.connect().runs()["run_id"]
    assert f": 1 token revoked. Run {run_id}." in said
    assert "Unexpected ZeroDivisionError" in said


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("option", [["--dry-run"], ["--yes"], ["--reason", "x"], ["--allow-none"]])
def test_options_of_a_change_of_scopes_require_it(option, capsys):
    assert cli.main(["scopes", *option]) == 2
    assert f"{option[0]} is for a change. To narrow the scopes, add --narrow." in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_a_change_that_is_limited_says_of_how_many_tokens(capsys):
    workspace = tokenkit.connect()
    count = len(workspace.revoke(workspace.tokens(status="active")))
    assert cli.main(["revoke", "--status", "active", "--limit", "2", "--dry-run"]) == 0
    assert f"--limit selects the first 2 of {count} tokens that can be changed." in capsys.readouterr().err
    assert cli.main(["revoke", "--status", "active", "--limit", str(count), "--dry-run"]) == 0
    assert "--limit" not in capsys.readouterr().err


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", ["revoke", "update --comment new", "fleet revoke --profiles {host}"])
def test_a_limit_counts_the_tokens_that_are_changed_and_not_those_that_are_left_out(here, command, capsys):
    workspace = tokenkit.connect()
    owned = workspace.tokens(status="active").sort_values("token_id")
    own = workspace.tokens(owner=workspace.me(), status="active")["token_id"]
    protected, *rest = owned.loc[~owned["token_id"].isin(own), "token_id"]
    workspace.folder.mkdir(mode=0o700)
    (workspace.folder / "config.toml").write_text(f"[protect]\ntoken_ids = {[protected, *own]}\n")
    line = shlex.split(command.format(host=here.host))
    limited = ["--status", "active", "--sort", "token_id", "--limit", "3", "--output", "json", "--dry-run"]
    assert cli.main([*line, *limited]) == 0
    printed = capsys.readouterr()
    assert {row["token_id"] for row in json.loads(printed.out)} == {*rest[:3]}
    assert f"--limit selects the first 3 of {len(rest)} tokens that can be changed." in printed.err
    assert f"Left out: 1 token (protected: token_id {protected})." in printed.err


@pytest.mark.usefixtures("here")
def test_a_comment_that_will_be_removed_is_visible():
    token_id = tokenkit.connect().tokens("comment.notna()", status="active")["token_id"].iloc[0]
    before, _ = in_a_terminal(f"update {token_id} --comment= ", "no", columns=120)
    assert "new comment" in before
    assert "(none)" in before


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("change", "listed"),
    [
        ("set group:contractors", ["Entries that change:", "Principals losing permission:"]),
        ("add group:analysts", ["Entries that change:"]),
    ],
)
def test_a_dry_run_of_permissions_shows_the_confirmation_s_tables_as_a_whole(change, listed, capsys, monkeypatch):
    argv = ["permissions", *change.split()]
    assert cli.main([*argv, "--dry-run", "--output", "json"]) == 0
    dry = capsys.readouterr()
    assert [line for line in dry.err.splitlines() if line.endswith(":")] == listed
    assert json.loads(dry.out)
    if "set" in change:
        monkeypatch.setattr("sys.stdin", io.StringIO("no\n"))
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        assert cli.main(argv) == 1
        asked, last = capsys.readouterr().err.split("Tokens that will be deleted or disabled:")
        title, tables = asked.rstrip().split("\n", 1)
        workspace = tokenkit.connect()
        assert dry.err.startswith(f"{workspace.full_name}: would {title[:1].lower()}{title[1:]}.\n")
        assert dry.err.rstrip().splitlines()[-1] in last
        shown, more = tables.rsplit("\n… and ", 1)
        assert shown.split() == dry.err.split()[len(dry.err.split("\n")[0].split()) :][: len(shown.split())]
        assert more.endswith(" more; --dry-run shows all of them")
        losing = workspace.plan_permissions([{"group_name": "contractors"}], replace=True).losing_access
        assert all(name in dry.err for name in losing["principal"])


@pytest.mark.usefixtures("here")
def test_a_quiet_dry_run_of_permissions_prints_the_rows_and_the_closing_lines_alone(capsys):
    assert cli.main(["permissions", "set", "group:contractors", "--dry-run", "--quiet"]) == 0
    printed = capsys.readouterr()
    assert all(line.endswith(".") for line in printed.err.splitlines()), printed.err
    assert "Warnings: " in printed.err
    assert "Entries that change:" not in printed.err
    assert printed.out


@pytest.mark.usefixtures("here")
def test_a_dry_run_of_permissions_says_how_to_save_each_table_that_it_cuts(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("tokenkit.commands.changing._MOST_ROWS", 1)
    argv = ["permissions", "set", "group:contractors", "--dry-run"]
    assert cli.main(argv) == 0
    plan = tokenkit.connect().plan_permissions([{"group_name": "contractors"}], replace=True)
    expected = {
        "Entries that change:": plan.changes[["principal", "kind", "permission_level", "new_permission_level"]],
        "Principals losing permission:": plan.losing_access[["principal"]],
    }
    said = capsys.readouterr().err
    for caption, rows in expected.items():
        (more, how) = re.search(r"… and (\d+) more; (.+) saves all of them", said.partition(caption)[2]).groups()
        assert int(more) == len(rows) - 1
        file = tmp_path / "rows.json"
        assert cli.main([*argv, *shlex.split(how.replace("FILE", str(file)))]) == 0
        assert json.loads(file.read_text()) == json.loads(rows.to_json(orient="records"))


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_a_preview_without_a_question_obeys_quiet_and_its_warnings_remain(interrupted, quiet, capsys):
    assert cli.main(["resume", interrupted, *quiet]) == 0
    said = capsys.readouterr().err.splitlines()
    assert any(line.startswith("Warnings: ") for line in said)
    assert any("which was confirmed today." in line for line in said)
    assert any(" · " in line for line in said) != bool(quiet)  # a token in a table


@pytest.mark.usefixtures("here")
def test_a_dry_run_of_permissions_has_the_principals_whose_columns_are_asked_for(capsys):
    argv = ["permissions", "set", "group:contractors", "--dry-run", "--output", "json", "--columns"]
    losing = tokenkit.connect().plan_permissions([{"group_name": "contractors"}], replace=True).losing_access
    assert cli.main([*argv, "principal,tokens"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == losing[["principal", "tokens"]].to_dict("records")
    assert "Not in this result" not in printed.err
    assert cli.main([*argv, "owner,age_days"]) == 0
    assert json.loads(capsys.readouterr().out)[0].keys() == {"owner", "age_days"}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("line", ["revoke --owner nobody@example.com --allow-none", "update --scopes a --idle 9000d"])
def test_a_change_of_nothing_says_so_once(line, capsys):
    assert cli.main(line.split()) == 0
    printed = capsys.readouterr()
    assert "nothing to " in printed.err
    assert printed.out == ""


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


@pytest.mark.usefixtures("here")
def test_a_revocation_of_own_tokens_given_by_id_fails(capsys):
    own = tokenkit.connect().tokens(owner="admin@example.com")["token_id"]
    assert cli.main(["revoke", *own, "--yes"]) == 1
    assert "nothing to revoke" in capsys.readouterr().err
    assert cli.main(["revoke", "--owner", "admin@example.com", "--yes"]) == 0


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("flag", ["--yes", "--dry-run"])
@pytest.mark.parametrize("change", ["revoke", "update --comment=x", "update --scopes=sql"])
def test_a_change_of_given_ids_that_are_all_left_out_fails(capsys, change, flag):
    """One is protected: a filter may leave it out, but whoever names it must know."""
    home().mkdir(parents=True, exist_ok=True)
    (home() / "config.toml").write_text('[protect]\nowners = ["terraform"]')
    before = tokenkit.connect().tokens()
    token = before.loc[before["owner"] == "terraform", "token_id"].iloc[0]
    argv = [*change.split(), flag, "--output", "json"]
    assert cli.main([*argv, token]) == 1
    printed = capsys.readouterr()
    assert "Left out: 1 token (protected: owner terraform)." in printed.err
    assert json.loads(printed.out) == []
    assert cli.main([*argv, "--owner", "terraform"]) == 0
    assert cli.main([*argv, token, "--owner", "jenkins", "--allow-none"]) == 1  # the filters exclude it
    assert tokenkit.connect().tokens()["comment"].equals(before["comment"])
