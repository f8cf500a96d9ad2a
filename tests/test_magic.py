"""``%tokens`` in a real shell."""

import numpy as np
import pandas as pd
import pytest

import tokenkit
from tests.tables import OF_THE_CLOCK
from tokenkit import errors


@pytest.fixture
def shell(sandbox, ipython, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", sandbox.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", sandbox.token)
    return ipython


def test_list_returns_a_frame_and_names_the_workspace(shell, sandbox, workspace, capsys):
    shell.run_cell("df = %tokens list")
    listed, tokens = shell.user_ns["df"], workspace.tokens()
    assert type(listed) is pd.DataFrame
    short = ["comment", "owner", "status", "idle_days", "effective_end", "scopes", "token_id"]
    assert [*listed.columns] == [*short, *(name for name in tokens.columns if name not in short)]
    of_now = [*OF_THE_CLOCK, "status"]
    pd.testing.assert_frame_equal(listed[tokens.columns].drop(columns=of_now), tokens.drop(columns=of_now))
    assert f"{sandbox.host}: 300 tokens." in capsys.readouterr().out


def test_variables_with_a_text_or_a_number_are_substituted(shell):
    shell.run_cell("who = 'admin@example.com'; days = 10")
    shell.run_cell("df = %tokens list --owner $who --idle {days}d")
    assert set(shell.user_ns["df"]["owner"]) == {"admin@example.com"}
    assert (shell.user_ns["df"]["idle_days"] >= 10).all()


def test_variables_of_a_function_are_substituted(shell):
    shell.run_cell("def listed(who):\n    df = %tokens list --owner {who}\n    return df")
    shell.run_cell("df = listed('admin@example.com')").raise_error()
    assert set(shell.user_ns["df"]["owner"]) == {"admin@example.com"}


@pytest.mark.parametrize(
    "cell",
    [
        "%tokens list --where \"owner == '{mark()}'\"",
        "%tokens list --where \"owner == '$mark()' or owner == '{mark()}'\"",
        "%tokens list --comment {mark()}",
        "%tokens list --comment '{mark()}'",
        '%tokens list --comment "{mark()}"',
        "%tokens list --comment a{mark()}b",
        "x = %tokens list --comment {mark()}",
        "x = %tokens list --where @mark()",
        "tokens list --comment {mark()}",
        "%tokens list --comment {comment}",
        "%tokens list --comment $comment",
        '%tokens list --comment "$comment"',
        '%tokens list --where "comment == @comment"',
        "%%tokens list --limit 1\nlist --comment {mark()}",
        "%%tokens list --comment {mark()}\nlist --limit 1",
        "%%tokens\nlist --limit 1 --comment $comment\nlist --limit 1 --comment {comment}",
        "%%tokens list --limit 1 --comment {comment}\nlist --limit 1",
        "%%tokens\nlist --where \"comment == '{mark()}'\"",
        "get_ipython().run_line_magic('tokens', 'list --comment {mark()}')",
        "get_ipython().run_cell_magic('tokens', 'list --comment {mark()}', 'list --comment {mark()}')",
        "%tokens list --comment {lookalike}",
    ],
)
def test_nothing_in_a_command_or_in_a_variable_is_run(shell, cell):
    class Text(str):
        def __str__(self):
            marks.append("__str__")
            return "x"

        def __format__(self, how):
            marks.append("__format__")
            return "x"

    marks = []
    shell.user_ns["mark"] = lambda: marks.append("mark") or "x"
    shell.user_ns["comment"] = "{mark()} $mark() {open('x')}"
    shell.user_ns["lookalike"] = Text("x")
    shell.run_line_magic("automagic", "on")
    shell.run_cell(cell)
    assert marks == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("list --comment {mark()}", "{mark()} is not the name of a variable"),
        ("list --comment x{ticket.upper()}", "to a variable first"),
        ("list --idle {10 // 2}d", "{10 // 2} is not the name of a variable"),
        ('revoke {" ".join(ids)} --yes', "to a variable first"),
        ("revoke {ids} --yes", "'ids' holds a list, but a command accepts only a text or a number"),
        ("revoke $frame --yes", "use ws.revoke and the other methods in Python"),
        ("list --comment {nobody}", "Unknown variable 'nobody'"),
        ("list --comment $nobody", "Unknown variable 'nobody'"),
        ("list {option}", "would be parsed as an option"),
        ("list --owner {option}", "as in --comment={option}"),
        ("list {empty}{option}", "would be parsed as an option"),
        ('list "$option"', "would be parsed as an option"),
        ("list {minus}", "would be parsed as an option"),
        ("list -{option}", "or part of its name"),
        ("list --{name}=True", "or part of its name"),
        ("list \"--where=owner != '$ticket'\"", "Write @ticket"),
        ("list --wh\"ere=owner != '$ticket'\"", "Write @ticket"),
        ("list --where \"owner != '{ticket.upper()}'\"", "Write @ticket"),
        ("list --where \"owner != '@ticket'\"", "Write @ticket"),
        ("list --limit {long}", "beyond 64 bits"),
        ('list --where "idle_days > @long"', "beyond 64 bits"),
        ("list --idle {span}d", "'span' holds a timedelta64"),
        ('list --where "idle_days > @span"', "@span has the type timedelta64"),
        ("list --where \"owner != '{ticket}'\"", "Write @ticket"),
        ("list --where \"owner != '$ticket'\"", "Write @ticket"),
        ("list --where=owner!=$ticket", "Write @ticket"),
        ('list --where "owner == @nobody"', "Unknown variable 'nobody'"),
        ('list --where "owner == @tickt"', "Did you mean ticket?"),
        ("list --where \"owner == '$tickt'\"", "Did you mean ticket? In --where, write @name"),
        ("list --where 'owner == \"@tickt\"'", "Did you mean ticket? In --where, write @name"),
        ("list --where \"owner == '$nobody@example.com'\"", "Unknown variable 'nobody'"),
        ("list --where \"owner.str.startswith('$nobody')\"", "Unknown variable 'nobody'"),
        ("list --where=owner!=$nobody", "Unknown variable 'nobody'"),
        ("access --where \"user == '@nobody'\"", "Unknown variable 'nobody'"),
        ("revoke --where \"comment in ['x', '$nobody']\" --yes", "Unknown variable 'nobody'"),
        ("list --comment $tickt", "Did you mean ticket?"),
        ('list --where "owner == @ids"', "@ids has the type list"),
        ('list --where "owner == @mark()"', "@mark has the type function"),
    ],
)
def test_an_invalid_substitution_is_an_error_with_a_next_step(shell, capsys, line, message):
    shell.run_cell("option, minus, empty, ticket, ids = '--yes', -5, '', 'OPS-1', ['a' * 64]\ndef mark(): 1 / 0")
    shell.user_ns |= {"frame": pd.DataFrame({"token_id": ["a" * 64]}), "name": "where", "long": 10**5000}
    shell.user_ns["span"] = np.timedelta64(60, "ns")  # its number alone would be parsed as days
    capsys.readouterr()
    assert isinstance(shell.run_cell(f"%tokens {line}").error_in_exec, errors.UsageError)
    assert message in capsys.readouterr().out


def test_a_variable_is_one_argument_and_is_substituted_once(shell, workspace):
    token_id = workspace.tokens(owner="admin@example.com")["token_id"].iloc[0]
    shell.user_ns |= {"text": "a $who {who} 'b\" --yes", "who": "nobody", "token_id": token_id}
    shell.run_cell("r = %tokens update {token_id} --comment $text --dry-run").raise_error()
    assert shell.user_ns["r"]["new_comment"].tolist() == [shell.user_ns["text"]]


@pytest.mark.parametrize(
    ("written", "comment"),
    [
        ("'{who} $who'", "{who} $who"),
        ('"{who} $who"', "{who} ann"),
        ('"$5 and \\"more\\""', '$5 and "more"'),
        ("{who}-{who}", "ann-ann"),
        ("$who.$days", "ann.7"),
        ("x{days}d", "x7d"),
        ("'{open(1)}'", "{open(1)}"),
        (r"C:\Users\ann\r.json", r"C:\Users\ann\r.json"),
        (r'"C:\my files\r.json"', r"C:\my files\r.json"),
        (r"'C:\my files\'", "C:\\my files\\"),
        (r'"C:\my files\\"', "C:\\my files\\"),
        (r"\\server\share", r"\\server\share"),
        ("--comment=it''s", "its"),
    ],
)
def test_braces_in_quotes_and_backslashes_are_literal(shell, workspace, written, comment):
    token_id = workspace.tokens(owner="admin@example.com")["token_id"].iloc[0]
    shell.user_ns |= {"who": "ann", "days": np.int64(7), "token_id": token_id}
    option = written if written.startswith("--") else f"--comment {written}"
    shell.run_cell(f"r = %tokens update {token_id} {option} --dry-run").raise_error()
    assert shell.user_ns["r"]["new_comment"].tolist() == [comment]


def test_an_expression_takes_variables_as_constants(shell, workspace):
    shell.user_ns |= {"who": workspace.tokens()["owner"].mode()[0], "days": 30, "then": pd.Timestamp("2026-01-15")}
    shell.run_cell("df = %tokens list --where 'owner == @who and age_days > @days and creation_time < @then'")
    df = shell.user_ns["df"]
    assert len(df) > 0
    assert set(df["owner"]) == {shell.user_ns["who"]}
    assert df["creation_time"].max() < shell.user_ns["then"].tz_localize("UTC")
    shell.user_ns["who"] = "' or owner_id > 0 or owner == '"
    shell.run_cell("df = %tokens list --where 'owner == @who'").raise_error()
    assert len(shell.user_ns["df"]) == 0


@pytest.mark.parametrize(
    "expression",
    [
        "comment.str.contains('^[a-z]{2}$')",
        "comment == '5$ and 7 $'",
        "owner == 'ann@example.com'",
        "owner.str.endswith('@example.com')",
        "comment == 'say {nobody}'",
    ],
)
def test_an_expression_keeps_text_that_does_not_name_a_variable(shell, expression):
    shell.run_cell(f'df = %tokens list --where "{expression}"').raise_error()
    assert "token_id" in shell.user_ns["df"]


def test_a_text_with_a_dollar_sign_is_compared_through_a_variable(shell, workspace):
    token_id = workspace.tokens(owner="admin@example.com")["token_id"].iloc[0]
    changed = workspace.plan_update(token_id, comment="$nobody")
    changed.apply()
    shell.user_ns["wanted"] = "$nobody"
    shell.run_cell("df = %tokens list --where 'comment == @wanted'").raise_error()
    workspace.undo(changed.run_id).apply()
    assert shell.user_ns["df"]["token_id"].tolist() == [token_id]


def test_quoted_expressions_are_one_argument(shell):
    shell.run_cell("""df = %tokens list --where "owner_kind == 'service_principal' and not never_expires" """)
    assert set(shell.user_ns["df"]["owner_kind"]) == {"service_principal"}


def test_connect_accepts_a_variable_with_a_workspace(shell, workspace, capsys):
    shell.user_ns["mine"] = workspace
    shell.run_cell("same = %tokens connect mine")
    assert shell.user_ns["same"] is workspace
    assert "as admin@example.com" in capsys.readouterr().out


def test_a_name_of_both_a_variable_and_a_profile_is_an_error(shell, workspace, sandbox, tmp_path):
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
    ("line", "message"),
    [
        ("lst", "Did you mean list?"),
        ("list --ownr x", "Did you mean --owner?"),
        ("list --where 'ownr == 1'", "Did you mean owner?"),
        ("list 'unbalanced", "quotes do not match"),
        ("sandbox", "Run `tokenkit sandbox` in a terminal"),
        ("list --idle 90", "Write 90d for days"),
        ("list --profile nowhere", "There is no profile 'nowhere'"),
    ],
)
def test_a_usage_error_is_one_line_and_fails_the_cell(shell, capsys, line, message):
    result = shell.run_cell(f"%tokens {line}")
    printed = capsys.readouterr().out
    assert isinstance(result.error_in_exec, tokenkit.TokenKitError)
    assert message in printed
    assert "Traceback" not in printed
    assert len(printed.strip().splitlines()) == 1


def test_the_version_is_printed(shell, capsys):
    shell.run_cell("%tokens --version").raise_error()
    assert capsys.readouterr().out == f"tokenkit {tokenkit.__version__}\n"


def test_the_magic_without_arguments_lists_all_commands(shell, capsys):
    for line in ("", "--help", "list --help"):
        assert shell.run_line_magic("tokens", line) is None
        assert "list" in capsys.readouterr().out
    shell.run_line_magic("tokens", "")
    assert "sandbox " not in capsys.readouterr().out.replace("'sandbox'", "")


# A notebook of Databricks.

DATABRICKS_MAGICS = {
    *("autoreload", "cd", "config", "conda", "fs", "md", "md-sandbox", "pip", "python", "r", "restart_python", "run"),
    *("scala", "set_cell_max_output_size_in_mb", "sh", "skip", "sql", "tensorboard"),
}


def test_no_magic_has_a_name_that_databricks_uses(ipython):
    own = {
        name
        for magics in ipython.magics_manager.magics.values()
        for name, magic in magics.items()
        if type(getattr(magic, "__self__", None)).__module__.startswith("tokenkit")
    }
    assert own == {"tokens"}
    assert own & DATABRICKS_MAGICS == set()


def test_a_shell_that_ignores_completers_runs_commands(sandbox, ipython, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", sandbox.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", sandbox.token)
    monkeypatch.setattr(ipython, "set_hook", lambda *_, **__: None)
    ipython.run_line_magic("reload_ext", "tokenkit")
    ipython.run_cell("df = %tokens list --limit 2").raise_error()
    assert len(ipython.user_ns["df"]) == 2


@pytest.mark.parametrize("stdin", [None, "closed"])
def test_a_question_in_a_process_without_standard_input_is_one_line_that_names_the_option(
    stdin, shell, monkeypatch, tmp_path
):
    if stdin == "closed":
        with (tmp_path / "empty").open("w") as unreadable:
            monkeypatch.setattr("sys.stdin", unreadable)
    else:
        monkeypatch.setattr("sys.stdin", None)
    token_id = tokenkit.connect().tokens("owner_kind == 'user'", status="active")["token_id"].iloc[-1]
    result = shell.run_cell(f"%tokens revoke {token_id}")
    assert isinstance(result.error_in_exec, errors.UsageError)
    assert "--yes" in str(result.error_in_exec)
    assert token_id in set(tokenkit.connect().tokens()["token_id"])
