"""What a change shows before it is made, and in a dry run."""

import json
import os
import pty
import re
import signal
import subprocess
import sys

import pytest

import tokenkit
from tests.tables import last_column
from tests.waiting import wait_until
from tokenkit import cli
from tokenkit.actions.preview import worst_first_of
from tokenkit.actions.revocation import LAST_TOKEN
from tokenkit.actions.update import ALL_APIS_ALLOWED
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
    assert losing.startswith(f"{len(plan.losing_access)} principals will lose permission to use tokens: ")
    assert keeping.startswith(f"{len(plan.keeping_access)} principals will keep permission by another path: ")
    assert gaining.startswith("2 principals will gain permission to use tokens: ")
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
def test_with_yes_the_warnings_of_a_change_of_permissions_name_tokens_and_a_resumed_run_counts_what_is_gone(
    of_another_day, company, capsys
):
    company.faults.clear()
    remaining = tokenkit.connect().plan_resume(of_another_day).token_ids
    company.workspaces[0].state.tokens.delete(remaining[0])
    assert cli.main(["resume", of_another_day, "--yes"]) == 0
    assert "Left out: 1 token (no longer listed)." in capsys.readouterr().err.splitlines()
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
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("audit", "Interrupted.\n"),
        ("revoke --status active --dry-run", "Interrupted.\n"),
        ("revoke --status active --yes", "Interrupted. Nothing was changed.\n"),
        ("create-obo etl --show-value", "Interrupted. Nothing was changed.\n"),
    ],
)
def test_ctrl_c_while_a_command_reads_says_so_and_of_a_change_that_nothing_was_changed(company, line, said):
    company.faults.add(Fault(method="GET", offset=1, latency_ms=60_000))  # until it is interrupted
    company.requests.clear()
    # In a process of its own: an interrupt anywhere, as in the connecting of a socket, may leave that open.
    command = [sys.executable, "-m", "tokenkit", *line.split()]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        wait_until(lambda: len(company.requests) or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", said)
    assert {record.method for record in company.requests} == {"GET"}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("typed", "why"), [("3", "The number is {}, not 3. "), ("no", "")])
def test_a_canceled_question_says_that_a_typed_number_is_not_the_right_one(monkeypatch, capsys, typed, why):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin.readline", lambda: f"{typed}\n", raising=False)
    count = len(tokenkit.connect().tokens(status="expired"))
    assert cli.main(["revoke", "--status", "expired"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"cancel: {why.format(count)}Nothing was changed.")


@pytest.mark.usefixtures("here")
def test_ctrl_c_at_the_question_says_that_nothing_was_changed(capsys, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin.readline", interrupt, raising=False)
    before = set(tokenkit.connect().tokens()["token_id"])
    assert cli.main(["revoke", "--status", "active"]) == 130
    assert capsys.readouterr().err.endswith("\nInterrupted. Nothing was changed.\n")
    assert set(tokenkit.connect().tokens()["token_id"]) == before


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
def test_a_comment_that_will_be_removed_is_visible():
    token_id = tokenkit.connect().tokens("comment.notna()", status="active")["token_id"].iloc[0]
    before, _ = in_a_terminal(f"update {token_id} --comment= ", "no", columns=120)
    assert "new comment" in before
    assert "(none)" in before


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_a_preview_without_a_question_obeys_quiet_and_its_warnings_remain(interrupted, quiet, capsys):
    assert cli.main(["resume", interrupted, *quiet]) == 0
    said = capsys.readouterr().err.splitlines()
    assert any(line.startswith("Warnings: ") for line in said)
    assert any("which was confirmed today." in line for line in said)
    assert any(" · " in line for line in said) != bool(quiet)  # a token in a table
