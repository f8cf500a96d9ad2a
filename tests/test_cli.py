"""``tokenkit`` in a shell: command lines, their output and exit codes."""

import contextlib
import csv
import fcntl
import io
import json
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios

import click
import pandas as pd
import pytest
from rich.cells import cell_len

import tokenkit
from tokenkit import cli
from tokenkit.commands import changing, parser
from tokenkit.commands.options import SHELL, label
from tokenkit.core.home import home
from tokenkit.sandbox import Fault


@pytest.fixture
def shell(sandbox, monkeypatch, capsys):
    """Run a command against the sandbox; return the exit code, standard output and standard error."""
    monkeypatch.setenv("DATABRICKS_HOST", sandbox.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", sandbox.token)

    def run(*argv):
        code = cli.main(argv)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_json_is_a_list_of_records_with_times_in_iso_8601(shell, workspace):
    code, out, err = shell("list", "--output", "json")
    records = json.loads(out)
    listing = workspace.token_management.list()
    assert (code, err) == (0, "")
    assert [record["token_id"] for record in records] == listing["token_id"].tolist()
    assert [record["owner_id"] for record in records] == listing["owner_id"].tolist()  # whole, beyond 2**53
    read_back = pd.Series(pd.to_datetime([record["creation_time"] for record in records])).dt.as_unit("ms")
    assert read_back.tolist() == listing["creation_time"].tolist()
    never = listing["expiry_time"].isna()
    assert [record["expiry_time"] is None for record in records] == never.tolist()
    assert never.any()
    assert all(isinstance(record["scopes"], list | None) for record in records)


def test_csv_has_every_column_and_no_formula(shell, workspace):
    code, out, _ = shell("list", "--output", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert list(rows[0]) == list(workspace.tokens().columns)
    assert any(row["comment"].startswith("'=") for row in rows)
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "@"))]


def test_a_table_in_a_pipe_has_tabs_full_ids_and_no_padding(shell, workspace):
    code, out, err = shell("list", "--limit", "2")
    assert (code, err) == (0, f"{workspace.name}: {len(workspace.tokens())} tokens. Showing the first 2.\n")
    assert "\x1b" not in out
    headings, first, _ = (line.split("\t") for line in out.splitlines())
    token = workspace.tokens().iloc[0]
    row = dict(zip(headings, first, strict=True))
    assert (row["token_id"], row["owner"], row["comment"]) == (token["token_id"], token["owner"], token["comment"])
    assert headings[0] == "owner"
    assert headings[-1] == "token_id"
    assert all(cell == cell.strip() for cell in first)


def test_booleans_in_a_pipe_are_yes_or_blank(shell):
    _, out, _ = shell("access", "--columns", "can_use,tokens_without_permission")
    assert {cell for line in out.splitlines()[1:] for cell in line.split("\t")} == {"yes", ""}


@pytest.fixture
def screen(shell, monkeypatch):
    """Run a command as in a terminal; return all that it shows, in its order."""

    def run(*argv):
        with monkeypatch.context() as patched:
            patched.setattr("sys.stdout.isatty", lambda: True, raising=False)
            patched.setattr("sys.stderr", sys.stdout)
            return shell(*argv)[1]

    return run


def test_the_summary_follows_the_table(screen, sandbox):
    *_, last, hint, summary = screen("list").splitlines()
    assert summary == f"{sandbox.host}: 300 tokens."
    assert last.split()[-1] in {info["token_id"][:12] for info in sandbox.workspaces[0].state.tokens.infos()}
    assert hint.startswith("Columns that do not fit: status, scopes, ")
    quiet = screen("list", "--quiet")
    assert "300 tokens" not in quiet
    assert "do not fit" not in quiet


def test_a_summary_of_an_audit_says_how_to_see_the_tokens(screen):
    hint = "To show the tokens, or with --rule RULE those of one rule: tokenkit audit --findings"
    assert hint in screen("audit").splitlines()
    assert f"{hint} --skip unused" in screen("audit", "--skip", "unused").splitlines()
    assert hint not in screen("audit", "--findings")
    assert hint not in screen("audit", "--quiet")


def test_a_terminal_names_the_columns_that_do_not_fit(screen, shell, monkeypatch):
    hint = "Columns that do not fit: "
    names = re.findall(r"\w+", screen("access").partition(hint)[2].partition(".")[0])
    assert names
    assert hint not in screen("access", "--columns", ",".join(["principal", *names]))
    assert hint not in "".join(map(str, shell("access")))  # a pipe has all
    monkeypatch.setenv("COLUMNS", "300")
    assert hint not in screen("access")


def test_a_table_of_principals_has_in_80_columns_how_they_get_permission(screen):
    assert screen("access", "--no-color").splitlines()[1].endswith("  via")


@pytest.mark.parametrize(("line", "total"), [("access", None), ("access --where can_use", None), ("audit", 16)])
def test_a_limit_names_the_number_of_all_rows(screen, shell, line, total):
    rows = json.loads(shell(*line.split(), "--output", "json")[1])
    total = total or len(rows)
    assert f"\nShowing the first 2 of {total} rows.\n" in screen(*line.split(), "--limit", "2")
    assert "Showing" not in screen(*line.split(), "--limit", str(total))


def test_scopes_shows_the_tokens_that_can_be_narrowed_and_counts_the_others(shell):
    now = "2026-03-01"
    every = tokenkit.connect(clock=now).scopes()
    is_narrow = every["advice"] == "narrow"
    assert 0 < is_narrow.sum() < len(every)
    code, out, err = shell("scopes", "--now", now, "--output", "json")
    assert (code, [row["token_id"] for row in json.loads(out)]) == (0, every.loc[is_narrow, "token_id"].tolist())
    hidden = f"{(~is_narrow).sum()} tokens whose scopes cannot be narrowed are not shown. "
    hidden += f"To show all: tokenkit scopes --all --now {now} --output json\n"
    assert err == hidden
    _, out, err = shell("scopes", "--all", "--now", now, "--output", "json")
    assert ([row["token_id"] for row in json.loads(out)], err) == (every["token_id"].tolist(), "")
    assert shell("scopes", "--owner", "nobody@example.com")[2].startswith("No token has the owner 'nobody@example.com'")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("list", 0),
        ("scopes", 0),
        ("scopes --narrow --yes", 2),
        ("revoke --yes", 2),
        ("revoke --yes --allow-none", 0),
        ("update --comment x --yes", 2),
        ("usage --rows rows.jsonl", 2),
    ],
)
def test_an_unknown_owner_is_a_warning_for_a_listing_and_a_usage_error_for_a_change(shell, command, code):
    found, _, said = shell(*command.split(), "--owner", "nobody@example.com")
    assert found == code
    assert said.count("'nobody@example.com'") == 1
    assert "user" in said


def test_quiet_leaves_out_hints_and_no_warning(shell, company, monkeypatch, tmp_path):
    monkeypatch.setenv("DATABRICKS_HOST", company.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", company.token)
    owner = tokenkit.connect().tokens("owner != 'admin@example.com'", status="active")["owner"].iloc[0]
    update = ["update", "--owner", owner, "--comment"]
    assert "To undo this change: tokenkit undo " in shell(*update, "x", "--yes")[2]
    said = shell(*update, "y", "--yes", "--quiet")[2]
    assert "updated. Run " in said
    assert "To undo" not in said
    ws = tokenkit.connect()
    application_id = ws.service_principals()["application_id"].iloc[0]
    created = ws.token_management.create_obo_token(application_id)
    (tmp_path / "x.txt").write_text(created.token_value)
    assert "To revoke it: " in shell("find-leaked", "--file", str(tmp_path / "x.txt"))[2]
    assert "To revoke" not in shell("find-leaked", "--file", str(tmp_path / "x.txt"), "--quiet")[2]
    plan = ["permissions", "set", "group:contractors", "--dry-run"]
    warned = [line for line in shell(*plan)[2].splitlines() if line.startswith("Warnings: ")]
    assert warned
    assert set(warned) <= set(shell(*plan, "--quiet")[2].splitlines())


def test_the_summary_of_access_counts_the_rows_and_all_principals(screen, workspace):
    everyone, at = workspace.access(), ["--now", f"{workspace.now():%Y-%m-%d}"]
    without = everyone["tokens_without_permission"].fillna(value=False)
    have = "has" if without.sum() == 1 else "have"
    shown = f"{without.sum()} of {len(everyone)} principals: 0 can use tokens, {without.sum()} {have} tokens without"
    assert shown in screen("access", "--where", "tokens_without_permission", "--limit", "1", *at)
    shown = f": {len(everyone)} principals: {everyone['can_use'].sum()} can use tokens, {without.sum()} {have} "
    assert shown in screen("access", *at)


def test_an_audit_that_fails_says_in_a_line_on_standard_error_what_failed(shell, sandbox):
    code, out, err = shell(
        "audit", "--rule", "no-expiry", "--rule", "unused", "--fail-on", "medium", "--output", "json"
    )
    counts = {row["rule"]: row["findings"] for row in json.loads(out)}
    total = sum(counts.values())
    listed = ", ".join(f"{rule} ({count})" for rule, count in counts.items())
    assert code == 1
    assert (
        err == f"{sandbox.host}: failed by --fail-on medium: {total} findings of severity medium or higher: {listed}.\n"
    )
    assert shell("audit", "--rule", "no-expiry", "--output", "json")[2] == ""


def test_a_terminal_has_colors_unless_it_or_the_user_does_not_want_them(screen, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[31mhigh\x1b[0m" in screen("audit")
    assert "\x1b" not in screen("audit", "--no-color")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in screen("audit")
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in screen("audit")


def test_a_rule_is_explained_without_a_workspace(capsys):
    assert cli.main(["audit", "--explain", "unused"]) == 0
    explained = capsys.readouterr().out
    assert explained.startswith("unused (medium): ")
    assert "Remedy: " in explained
    assert "Threshold unused.idle_days (default: " in explained
    assert cli.main(["audit", "--explain", "IA-4"]) == 0
    assert capsys.readouterr().out.count("Remedy: ") == 2


def test_an_explained_rule_has_the_thresholds_that_apply(capsys):
    home().mkdir(parents=True, exist_ok=True)
    (home() / "config.toml").write_text("[defaults.thresholds]\nunused.idle_days = 45\nbroad-scope.scopes = ['sql']\n")
    for option, expected in ([], "45"), (["--threshold", "unused.idle_days=50.5"], "50.5"):
        assert cli.main(["audit", "--explain", "unused", *option]) == 0
        assert f"Threshold unused.idle_days = {expected} (default: 60): " in capsys.readouterr().out
    assert cli.main(["audit", "--explain", "broad-scope"]) == 0
    assert "Threshold broad-scope.scopes = sql (default: " in capsys.readouterr().out


def test_an_update_takes_filters(shell, workspace):
    owner = workspace.tokens("owner_kind == 'user' and owner != 'admin@example.com'")["owner"].iloc[-1]
    expected = workspace.tokens(owner=owner)["token_id"]
    _, out, _ = shell("update", "--owner", owner, "--comment", "x", "--dry-run", "--output", "json")
    assert {row["token_id"] for row in json.loads(out)} == set(expected)
    code, _, err = shell("update", "--owner", "nobody", "--comment", "x", "--yes")
    assert code == 2
    assert "Unknown owner 'nobody'" in err


def test_control_sequences_in_a_comment_do_not_reach_the_terminal(shell, sandbox):
    document = {"token_id": "a" * 64, "comment": "\x1b[2J\x1b]0;owned\x07 \u202egnp"}
    sandbox.faults.add(Fault(path="*/token-management/tokens", status=200, body={"token_infos": [document]}))
    _, out, _ = shell("list")
    assert "owned" in out
    assert not set(out) & {"\x1b", "\x07", "\u202e"}


def test_columns_sort_and_limit_arrange_the_table(shell):
    _, out, _ = shell("list", "--columns", "owner,idle_days", "--sort=-idle_days", "--limit", "3", "--output", "json")
    records = json.loads(out)
    assert [list(record) for record in records] == [["owner", "idle_days"]] * 3
    idle = [record["idle_days"] for record in records]
    assert idle == sorted(idle, reverse=True)


@pytest.mark.parametrize("command", ["list", "update --status active --comment x --yes"])
def test_columns_are_accepted_by_their_headings_in_any_case(shell, command):
    code, out, _ = shell(*command.split(), "--columns", "Owner,TOKEN", "--output", "csv")
    assert (code, out.splitlines()[0]) == (0, "owner,token_id")


def test_a_table_is_sorted_by_a_heading(shell):
    by_name, by_heading = (
        shell("list", f"--sort=-{name}", "--columns", "token_id,last used (UTC)", "--output", "csv")
        for name in ("last_used_day", "last used")
    )
    assert by_heading == by_name
    assert by_name[1].startswith("token_id,last_used_day\n")


def test_an_empty_result_is_a_message_for_a_person_and_headings_or_an_empty_list_for_a_program(shell, monkeypatch):
    code, headings, _ = shell("list", "--owner", "nobody")
    assert (code, headings.count("\n")) == (0, 1)
    assert headings == shell("list", "--limit", "1")[1].splitlines(keepends=True)[0]
    assert shell("list", "--owner", "nobody", "--columns", "token_id")[1] == "token_id\n"
    with monkeypatch.context() as patch:
        patch.setattr("sys.stderr.isatty", lambda: True, raising=False)
        _, out, err = shell("list", "--where", "idle_days > 9000")
        assert (out, err.splitlines()[-1].endswith(": 0 tokens.")) == (headings, True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert shell("list", "--owner", "nobody")[1] == "Nothing found.\n"
    assert json.loads(shell("list", "--owner", "nobody", "--output", "json")[1]) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("lst", "Did you mean list?"),
        ("list --ownr x", "Did you mean --owner or --now?"),
        ("list extra", "Unexpected argument 'extra'"),
        ("list --limit x", "not a whole number"),
        ("list --idle 90", "Write 90d for days"),
        ("list --status actve", "'actve' is not a valid value. Did you mean active?"),
        ("list --owner", "--owner requires a value"),
        ("list --columns ownr", "Did you mean owner?"),
        ("list --sort ownr", "Did you mean owner?"),
        ("list --where ownr==1", "Did you mean owner?"),
        ("list --where @x", "does not parse"),
        ("list --output xml", "'xml' is not a valid value. Known: table, json, csv."),
        ("list --profile nowhere", "nowhere"),
        ("sandbox --tokens many", "many"),
    ],
)
def test_a_usage_error_is_one_line_on_standard_error_and_exit_code_2(shell, line, message):
    code, out, err = shell(*line.split(" "))
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "fault", [Fault(status=401), Fault(status=403, body="<html><title>Sign in</title>"), Fault(status=500)]
)
def test_a_workspace_that_cannot_be_read_is_exit_code_3(shell, sandbox, fault):
    sandbox.faults.add(fault)
    code, out, err = shell("list")
    assert (code, out) == (3, "")
    assert err.startswith("tokenkit: http://127.0.0.1")
    assert err.count("\n") == 1


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"], ["help"], ["list", "--help"]])
def test_help_goes_to_standard_output(shell, argv):
    code, out, err = shell(*argv)
    assert (code, err) == (0, "")
    assert "list" in out


def test_connect_shows_the_workspace(shell, sandbox):
    code, out, _ = shell("connect", "--output", "json")
    assert code == 0
    (record,) = json.loads(out)
    assert record.pop("workspace_id") == sandbox.workspaces[0].workspace_id
    assert record == {
        "workspace": sandbox.host,
        "host": sandbox.host,
        "user": "admin@example.com",
        "signed_in_by": "the environment",
        "admin": True,
    }


def test_a_terminal_says_of_a_connection_and_of_a_token_only_what_the_record_does_not(screen, sandbox, workspace):
    token_id = workspace.tokens("scopes.notna()")["token_id"].iloc[0]
    for argv, last in ((["connect"], "workspace id"), (["get", token_id], "owner active")):
        assert last in screen(*argv).splitlines()[-1]
    sandbox.faults.add(Fault(path="*/permissions/authorization/tokens", status=403))
    last = screen("connect").splitlines()[-1]
    assert last.endswith("admin@example.com is not an admin: only admins can list and change tokens.")


def test_the_command_is_installed_and_a_closed_pipe_is_not_an_error(sandbox):
    environment = os.environ | {"DATABRICKS_HOST": sandbox.host, "DATABRICKS_TOKEN": sandbox.token}
    command = f"{sys.executable} -m tokenkit list --output csv | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("token_id,comment")
    assert (done.returncode, done.stderr) == (0, "")


def in_bash(command, sandbox, **environment):
    """Run a command in a new process; return its exit code, standard output and standard error."""
    environment = {"DATABRICKS_HOST": sandbox.host, "DATABRICKS_TOKEN": sandbox.token} | environment
    command = command.replace("tokenkit", f"{sys.executable} -m tokenkit")
    done = subprocess.run(
        ["bash", "-c", command], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("audit --fail-on low | true", 1),
        ("revoke --status active --limit 3 --dry-run 2>/dev/full | true", 0),
        ("revoke --status active --dry-run 2> >(true)", 0),
        ("--help | true", 0),
    ],
)
def test_the_exit_code_is_the_same_without_a_reader(sandbox, command, code):
    assert in_bash(f"set -o pipefail; tokenkit {command}", sandbox)[0] == code


EMPTY = {
    "revoke --where=": "Missing value for --where",
    "revoke --where ' '": "Missing value for --where",
    "revoke --comment ''": "The value of a filter is empty",
    "revoke --owner ''": "The value of a filter is empty",
    "revoke --scope ''": "The value of a filter is empty",
    "revoke ''": "Missing value for ID",
    "scopes --narrow --where=": "Missing value for --where",
    "list --columns ''": "expected at least one name",
    "access --where=": "Missing value for --where",
    "create-obo terraform --scopes , --show-value": "expected at least one name",
}


@pytest.mark.parametrize("command", EMPTY)
def test_an_empty_value_of_an_unset_variable_selects_nothing(shell, company, command):
    before = company.workspaces[0].state.tokens.ids()
    argv = shlex.split(command) + (["--yes"] if command.startswith(("revoke", "scopes")) else [])
    code, out, err = shell(*argv)
    assert (code, out) == (2, "")
    assert EMPTY[command] in err
    assert company.workspaces[0].state.tokens.ids() == before


def taking_values():
    """Yield every parameter of every command that takes a value, as a command in which it is empty, and its name."""
    for command in parser.commands_at(SHELL):
        params = command.params_at(SHELL)
        positionals = [param for param in params if isinstance(param, click.Argument)]
        for param in params:
            if getattr(param, "is_flag", False) or (command.path, param.name) == ("update", "comment"):
                continue
            before = positionals[: positionals.index(param)] if param in positionals else positionals
            typed = ["x" * 64 for other in positionals if (other in before or other.required) and other is not param]
            name = label(param)
            yield [*command.path.split(), *typed, "" if param in positionals else f"{name}="], name


@pytest.mark.parametrize(("argv", "name"), [*taking_values()])
def test_no_option_takes_an_empty_value_and_the_error_names_it(shell, sandbox, argv, name):
    code, out, err = shell(*argv)
    assert (code, out) == (2, "")
    assert name in err
    assert err.count("\n") == 1
    assert list(sandbox.requests) == []


def test_an_empty_comment_removes_the_comment(shell, workspace):
    token_id = workspace.tokens("comment.notna()")["token_id"].iloc[0]
    code, out, _ = shell("update", token_id, "--comment", "", "--dry-run", "--output", "json")
    assert code == 0
    assert json.loads(out)[0]["new_comment"] == ""


@pytest.mark.parametrize("width", [60, 100])
def test_a_table_is_aligned_for_characters_of_any_width(fresh_sandbox, width):
    """Chinese, Japanese and Korean characters and emoji are two columns wide."""
    tokens = fresh_sandbox.workspaces[0].state.tokens
    for info, comment in zip(
        tokens.infos(), ["夜間エクスポート 二", "plain text", "🚀 デプロイ ✅ " * 9, "한국어"], strict=False
    ):
        tokens.replace({**info, "comment": comment})
    environment = {"DATABRICKS_HOST": fresh_sandbox.host, "DATABRICKS_TOKEN": fresh_sandbox.token}
    columns = ("list", "--columns", "comment,owner_kind", "--limit", "4")
    lines = printed(columns, environment, width=width)
    edges = {cell_len(line.partition("user")[0].partition("service")[0]) for line in lines if "user" in line}
    assert len(edges) == 1
    assert max(map(cell_len, lines)) <= width


def printed(argv, environment, *, width):
    """Return the lines that a command prints in a terminal of a width, or in a pipe."""
    read, write = pty.openpty() if width else os.pipe()
    if width:
        fcntl.ioctl(write, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    child = subprocess.Popen(
        [sys.executable, "-m", "tokenkit", *argv],
        env={name: value for name, value in os.environ.items() if name != "COLUMNS"} | environment,  # xdist sets it
        stdin=write if width else None,
        stdout=write,
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    output = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while block := os.read(read, 65536):
            output += block
    os.close(read)
    assert child.wait() == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", output.decode()).splitlines()


@pytest.mark.parametrize("command", [["--version"], ["--version", "list"]])
def test_the_version_sends_no_request(shell, sandbox, command):
    assert shell(*command) == (0, f"tokenkit {tokenkit.__version__}\n", "")
    assert list(sandbox.requests) == []


@pytest.mark.parametrize(
    ("command", "environment", "message"),
    [
        ("tokenkit list", {"PYTHONIOENCODING": "cp1252"}, "its encoding is charmap"),
        ("tokenkit list --output csv", {"PYTHONIOENCODING": "ascii"}, "its encoding is ascii"),
        ("tokenkit list > /dev/full", {}, "No space left on device"),
        ("tokenkit list --limit 1 > /dev/full", {}, "No space left on device"),
        ("tokenkit --help > /dev/full", {}, "No space left on device"),
        ("tokenkit list >&-", {}, "Standard output is closed"),
        ("tokenkit snapshot /proc/here", {}, None),
    ],
)
def test_an_unexpected_error_has_its_own_exit_code_and_one_line(sandbox, command, environment, message):
    code, _, err = in_bash(command, sandbox, **environment)
    *before, last = err.splitlines()
    assert last.startswith("tokenkit: ")
    assert len(before) == ("--limit" in command)  # what the command has said of its rows
    assert "Traceback" not in err
    if message is not None:
        assert code == 70
        assert message in err


@pytest.mark.parametrize("command", ["tokenkit list --limit 1 --quiet <&-", "tokenkit list --limit 1 2>&-"])
def test_a_result_requires_only_standard_output(sandbox, command):
    code, out, err = in_bash(command, sandbox)
    assert (code, err) == (0, "")
    assert "token_id" in out


def test_nothing_is_changed_without_confirmation_if_the_input_is_closed(sandbox, workspace):
    token_id = workspace.tokens("owner != 'admin@example.com'")["token_id"].iloc[0]
    code, _, err = in_bash(f"tokenkit revoke {token_id} <&-", sandbox)
    assert code == 2
    assert "Use --yes" in err.splitlines()[-1]


def test_an_unexpected_exception_does_not_show_its_message(shell, monkeypatch):
    secret = "dapi" + "0123456789abcdef" * 2

    def fail(*_, **__):
        raise KeyError(secret, "unforeseen details")

    monkeypatch.setattr(parser, "parse", fail)
    code, out, err = shell("list")
    assert (code, out) == (70, "")
    assert err.startswith("tokenkit: Unexpected KeyError in test_cli.py, line ")
    assert err.count("\n") == 1
    assert "unforeseen" not in err


@pytest.mark.parametrize(
    ("outcomes", "attrs", "code"),
    [
        (["revoked", "already_gone", "skipped", "updated"], {}, 0),
        (["revoked", "failed"], {}, 1),
        (["unknown"], {}, 1),
        (["pending"], {}, 1),
        (["still_listed"], {}, 1),
        (["an outcome of a later version"], {}, 1),
        (["revoked", "pending"], {"ended_by": "interrupt"}, 130),
        (["revoked"], {"ended_by": "interrupt"}, 130),
        (["pending"], {"ended_by": "stop"}, 1),
        (["pending"], {"ended_by": "AuthenticationError"}, 1),
    ],
)
def test_the_exit_code_of_a_change_shows_whether_it_is_complete(shell, monkeypatch, outcomes, attrs, code):
    def change(*_, **__):
        result = pd.DataFrame({"token_id": "a", "outcome": outcomes, "attempts": 1, "error": None}, dtype=object)
        result.attrs |= attrs
        return result

    monkeypatch.setattr(changing, "resume", change)
    assert shell("resume", "x")[0] == code


@pytest.mark.parametrize(
    "argv", [["lst{}"], ["list", "{}"], ["list", "--profile={}"], ["list", "--owner={}"], ["get", "{}"]]
)
@pytest.mark.parametrize(
    "hostile", ["\x1b[2J\x07", "\u202e\u200b", "a\nb\r", "x" * 100_000, "dapi" + "0123456789abcdef" * 2]
)
def test_quoted_input_is_inert_short_and_without_a_value(shell, argv, hostile):
    code, _, err = shell(*(word.format(hostile) for word in argv))
    assert code in {0, 2, 3}
    assert all(len(line) < 5_000 and line.isprintable() for line in err.removesuffix("\n").split("\n"))
    assert err.count("\n") <= 1
    assert "dapi0123" not in err


def test_invalid_utf_8_and_null_characters_are_errors(shell):
    for text in ("\udcff\udcfe", "a\0b"):
        code, out, err = shell("list", f"--owner={text}")
        assert (code, out) == (2, "")
        assert "not valid text" in err


def test_now_is_the_current_time_of_a_command_on_a_sandbox(shell):
    def ages(*options):
        code, out, _ = shell("list", "--output", "json", "--limit", "1", *options)
        assert code == 0
        return json.loads(out)[0]["age_days"]

    assert ages("--now", "2026-03-31") == pytest.approx(ages("--now", "2026-03-01") + 30, abs=1)


def test_now_is_the_current_time_of_a_saved_listing_without_a_time(shell, tmp_path):
    file = tmp_path / "x.json"
    file.write_text('[{"token_id": "x", "creation_time": 1740787200000}]')  # 2025-03-01

    def read(*options):
        code, out, err = shell("list", "--from", str(file), "--output", "json", *options)
        assert code == 0
        return json.loads(out)[0]["age_days"], err

    age, said = read("--now", "2025-03-11")
    assert age == 10
    assert "ages count from 2025-03-11 00:00 UTC, the current time" in said
    assert read("--now", "2025-03-11", "--as-of", "2025-03-06")[0] == 5


def test_now_is_rejected_for_any_other_host(shell, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", "https://prod.cloud.databricks.com")
    code, out, err = shell("list", "--now", "2026-03-01")
    assert (code, out) == (2, "")
    assert "--now is for a sandbox on this machine, not for https://prod.cloud.databricks.com" in err
