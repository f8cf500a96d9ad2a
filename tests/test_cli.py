"""``tokenkit`` in a shell: what is typed, what is printed where, and the exit code."""

import csv
import dataclasses
import io
import json
import os
import shlex
import subprocess
import sys

import pandas as pd
import pytest

from tokenkit import cli, commands, grammar
from tokenkit.sandbox import Fault


@pytest.fixture
def shell(sandbox, monkeypatch, capsys):
    """Run a command against the sandbox; return the exit code, standard output and standard error."""
    monkeypatch.setenv("DATABRICKS_HOST", sandbox.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", sandbox.token)

    def run(*words):
        code = cli.main(words)
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


def test_a_table_into_a_pipe_is_plain_and_has_whole_ids(shell, workspace):
    code, out, err = shell("list", "--limit", "2")
    assert (code, err) == (0, "")
    assert "\x1b" not in out
    assert out.splitlines()[1].split()[0] == workspace.token_management.list()["token_id"].iloc[0]


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


def test_an_empty_answer_is_said_in_a_table_and_is_an_empty_list_in_json(shell):
    assert shell("list", "--owner", "nobody")[:2] == (0, "Nothing found.\n")
    assert json.loads(shell("list", "--owner", "nobody", "--output", "json")[1]) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("lst", "Did you mean list?"),
        ("list --ownr x", "Did you mean --owner?"),
        ("list extra", "no use for 'extra'"),
        ("list --limit x", "not a whole number"),
        ("list --idle 90", "Write 90d for days"),
        ("list --status actve", "invalid choice: 'actve'"),
        ("list --owner", "expected one argument"),
        ("list --columns ownr", "Did you mean owner?"),
        ("list --sort ownr", "Did you mean owner?"),
        ("list --where ownr==1", "Did you mean owner?"),
        ("list --where @x", "does not parse"),
        ("list --output xml", "invalid choice: 'xml'"),
        ("list --profile nowhere", "nowhere"),
        ("sandbox --tokens many", "many"),
    ],
)
def test_a_mistake_is_one_line_on_standard_error_and_exit_code_2(shell, line, words):
    code, out, err = shell(*line.split(" "))
    assert (code, out) == (2, "")
    assert words in err
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


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"], ["list", "--help"]])
def test_help_goes_to_standard_output(shell, words):
    code, out, err = shell(*words)
    assert (code, err) == (0, "")
    assert "list" in out


def test_connect_says_who_and_where(shell, sandbox):
    code, out, _ = shell("connect", "--output", "json")
    assert code == 0
    assert json.loads(out) == [{"workspace": sandbox.host, "host": sandbox.host}]


def test_a_shell_is_told_what_a_command_could_become(tmp_path):
    """The protocol of argcomplete, as bash and zsh speak it after register-python-argcomplete."""
    line = "tokenkit permissions s"
    environment = os.environ | {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line))}
    environment |= {"_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "out"), "_ARGCOMPLETE_IFS": "\n"}
    subprocess.run([sys.executable, "-m", "tokenkit"], env=environment, check=True)
    assert {word.strip() for word in (tmp_path / "out").read_text().split("\n")} == {"set", "show"}


def test_the_command_is_installed_and_a_reader_who_leaves_is_no_error(sandbox):
    environment = os.environ | {"DATABRICKS_HOST": sandbox.host, "DATABRICKS_TOKEN": sandbox.token}
    command = f"{sys.executable} -m tokenkit list --output csv | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("token_id,comment")
    assert (done.returncode, done.stderr) == (0, "")


def in_bash(command, sandbox, **environment):
    """Run a command in a process of its own; return its exit code, standard output and standard error."""
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
def test_the_exit_code_is_the_same_where_nobody_reads(sandbox, command, code):
    assert in_bash(f"set -o pipefail; tokenkit {command}", sandbox)[0] == code


EMPTY = {
    "revoke --where=": "The expression is empty",
    "revoke --where ' '": "The expression is empty",
    "revoke --comment ''": "An empty text chooses nothing",
    "revoke --owner ''": "An empty text chooses nothing",
    "revoke --scope ''": "An empty text chooses nothing",
    "revoke ''": "is too short",
    "scopes --narrow --where=": "The expression is empty",
    "list --columns ''": "expected at least one name",
    "access --where=": "The expression is empty",
    "create-obo terraform --scopes , --show-value": "expected at least one name",
}


@pytest.mark.parametrize("command", EMPTY)
def test_what_a_variable_that_is_not_set_leaves_empty_chooses_nothing(shell, company, command):
    before = company.workspaces[0].state.tokens.ids()
    words = shlex.split(command) + (["--yes"] if command.startswith(("revoke", "scopes")) else [])
    code, out, err = shell(*words)
    assert (code, out) == (2, "")
    assert EMPTY[command] in err
    assert company.workspaces[0].state.tokens.ids() == before


@pytest.mark.parametrize(
    ("command", "environment", "words"),
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
def test_what_nobody_foresaw_has_an_exit_code_of_its_own_and_one_line(sandbox, command, environment, words):
    code, _, err = in_bash(command, sandbox, **environment)
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err
    if words is not None:
        assert code == 70
        assert words in err


@pytest.mark.parametrize("command", ["tokenkit list --limit 1 <&-", "tokenkit list --limit 1 2>&-"])
def test_an_answer_needs_no_other_stream_than_its_own(sandbox, command):
    code, out, err = in_bash(command, sandbox)
    assert (code, err) == (0, "")
    assert "token_id" in out


def test_where_no_one_can_be_asked_because_the_input_is_closed_nothing_is_changed(sandbox, workspace):
    token_id = workspace.tokens("owner != 'admin@example.com'")["token_id"].iloc[0]
    code, _, err = in_bash(f"tokenkit revoke {token_id} <&-", sandbox)
    assert code == 2
    assert "add --yes" in err.splitlines()[-1]


def test_an_unexpected_exception_shows_nothing_that_it_is_about(shell, monkeypatch):
    secret = "dapi" + "0123456789abcdef" * 2

    def fail(*_, **__):
        raise KeyError(secret, "nobody foresaw this")

    monkeypatch.setattr(grammar, "parse", fail)
    code, out, err = shell("list")
    assert (code, out) == (70, "")
    assert err.startswith("tokenkit: Unexpected KeyError in test_cli.py, line ")
    assert err.count("\n") == 1
    assert "foresaw" not in err


@pytest.mark.parametrize(
    ("outcomes", "attrs", "code"),
    [
        (["revoked", "already gone", "skipped", "updated"], {}, 0),
        (["revoked", "failed"], {}, 1),
        (["unknown"], {}, 1),
        (["planned"], {}, 1),
        (["still_listed"], {}, 1),
        (["an outcome of a later version"], {}, 1),
        (["revoked", "planned"], {"ended_by": "interrupt"}, 130),
        (["revoked"], {"ended_by": "interrupt"}, 130),
        (["planned"], {"ended_by": "stop"}, 1),
        (["planned"], {"ended_by": "AuthenticationError"}, 1),
    ],
)
def test_the_exit_code_of_a_change_says_whether_all_of_it_was_done(shell, monkeypatch, outcomes, attrs, code):
    def change(*_):
        result = pd.DataFrame({"token_id": "a", "outcome": outcomes, "attempts": 1})
        result.attrs |= attrs
        return result

    (verb,) = [verb for verb in commands.VERBS if verb.words == "resume"]
    monkeypatch.setattr(grammar, "VERBS", (dataclasses.replace(verb, run=change),))
    assert shell("resume", "x")[0] == code
