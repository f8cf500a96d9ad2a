"""``%tokens`` in a real shell."""

import pandas as pd
import pytest

import tokenkit
from tokenkit import errors


@pytest.fixture
def shell(sandbox, ipython, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", sandbox.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", sandbox.token)
    return ipython


def test_list_returns_a_frame_and_says_which_workspace_it_is_of(shell, sandbox, workspace, capsys):
    shell.run_cell("df = %tokens list")
    assert isinstance(shell.user_ns["df"], pd.DataFrame)
    pd.testing.assert_frame_equal(
        shell.user_ns["df"].drop(columns=["age_days", "idle_days", "expires_in_days", "status"]),
        workspace.tokens().drop(columns=["age_days", "idle_days", "expires_in_days", "status"]),
    )
    assert f"{sandbox.host}: 300 tokens." in capsys.readouterr().out


def test_variables_and_expressions_expand(shell):
    shell.run_cell("who = 'admin@example.com'; days = 10_000")
    shell.run_cell("df = %tokens list --owner $who --idle {days // 1000}d")
    assert set(shell.user_ns["df"]["owner"]) <= {"admin@example.com"}


def test_quoted_expressions_stay_whole(shell):
    shell.run_cell("""df = %tokens list --where "owner_kind == 'service principal' and not never_expires" """)
    assert set(shell.user_ns["df"]["owner_kind"]) == {"service principal"}


def test_connect_takes_a_workspace_that_a_variable_holds(shell, workspace, capsys):
    shell.user_ns["mine"] = workspace
    shell.run_cell("same = %tokens connect mine")
    assert shell.user_ns["same"] is workspace
    assert "as admin@example.com" in capsys.readouterr().out


def test_a_name_that_is_a_variable_and_a_profile_is_refused(shell, workspace, sandbox, tmp_path):
    (tmp_path / "databrickscfg").write_text(f"[mine]\nhost = {sandbox.host}\n")
    shell.user_ns["mine"] = workspace
    result = shell.run_cell("%tokens connect mine")
    assert isinstance(result.error_in_exec, errors.UsageError)


def test_connect_to_the_sandbox_starts_one(shell):
    shell.run_cell("w = %tokens connect sandbox")
    assert shell.user_ns["w"].name == "sandbox"
    shell.run_cell("df = %tokens list --limit 5")
    assert shell.user_ns["df"]["workspace_id"].iloc[0] == shell.user_ns["w"].tokens()["workspace_id"].iloc[0]
    shell.user_ns["w"].sandbox.stop()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("lst", "Did you mean list?"),
        ("list --ownr x", "Did you mean --owner?"),
        ("list --where 'ownr == 1'", "Did you mean owner?"),
        ("list 'unbalanced", "quotes do not match"),
        ("sandbox", "in a terminal, tokenkit sandbox does it"),
        ("list --idle 90", "Write 90d for days"),
        ("list --profile nowhere", "overridden by DATABRICKS_HOST"),
    ],
)
def test_a_mistake_is_one_line_and_fails_the_cell(shell, capsys, line, words):
    result = shell.run_cell(f"%tokens {line}")
    printed = capsys.readouterr().out
    assert isinstance(result.error_in_exec, tokenkit.TokenKitError)
    assert words in printed
    assert "Traceback" not in printed
    assert len(printed.strip().splitlines()) == 1


def test_the_magic_alone_and_help_list_what_there_is(shell, capsys):
    for line in ("", "--help", "list --help"):
        assert shell.run_line_magic("tokens", line) is None
        assert "list" in capsys.readouterr().out
    shell.run_line_magic("tokens", "")
    assert "sandbox " not in capsys.readouterr().out.replace("'sandbox'", "")
