"""``%tokens`` in a real shell."""

import numpy as np
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


def test_variables_that_hold_a_text_or_a_number_are_put_in(shell):
    shell.run_cell("who = 'admin@example.com'; days = 10")
    shell.run_cell("df = %tokens list --owner $who --idle {days}d")
    assert set(shell.user_ns["df"]["owner"]) == {"admin@example.com"}
    assert (shell.user_ns["df"]["idle_days"] >= 10).all()


def test_variables_of_a_function_are_put_in(shell):
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
    ("line", "words"),
    [
        ("list --comment {mark()}", "{mark()} is not the name of a variable"),
        ("list --comment x{ticket.upper()}", "Assign it to a variable first"),
        ("list --idle {10 // 2}d", "{10 // 2} is not the name of a variable"),
        ('revoke {" ".join(ids)} --yes', "Assign it to a variable first"),
        ("revoke {ids} --yes", "'ids' holds a list, and only a text or a number"),
        ("revoke $frame --yes", "ws.revoke and the other methods take frames and lists"),
        ("list --comment {nobody}", "no variable 'nobody'"),
        ("list --comment $nobody", "no variable 'nobody'"),
        ("list {option}", "would be read as an option"),
        ("list --owner {option}", "as in --comment={option}"),
        ("list {empty}{option}", "would be read as an option"),
        ('list "$option"', "would be read as an option"),
        ("list {minus}", "would be read as an option"),
        ("list -{option}", "or as a part of its name"),
        ("list --{name}=True", "or as a part of its name"),
        ("list \"--where=owner != '$ticket'\"", "Write @ticket"),
        ("list --wh\"ere=owner != '$ticket'\"", "Write @ticket"),
        ("list --where \"owner != '{ticket.upper()}'\"", "Write @ticket"),
        ("list --where \"owner != '@ticket'\"", "Write @ticket"),
        ("list --limit {long}", "beyond 64 bits"),
        ('list --where "idle_days > @long"', "beyond 64 bits"),
        ("list --idle {span}d", "'span' holds a timedelta64"),
        ('list --where "idle_days > @span"', "@span holds a timedelta64"),
        ("list --where \"owner != '{ticket}'\"", "Write @ticket"),
        ("list --where \"owner != '$ticket'\"", "Write @ticket"),
        ("list --where=owner!=$ticket", "Write @ticket"),
        ('list --where "owner == @nobody"', "no variable 'nobody'"),
        ('list --where "owner == @ids"', "@ids holds a list"),
        ('list --where "owner == @mark()"', "@mark holds a function"),
    ],
)
def test_what_cannot_be_put_in_is_an_error_that_says_what_to_do(shell, capsys, line, words):
    shell.run_cell("option, minus, empty, ticket, ids = '--yes', -5, '', 'OPS-1', ['a' * 64]\ndef mark(): 1 / 0")
    shell.user_ns |= {"frame": pd.DataFrame({"token_id": ["a" * 64]}), "name": "where", "long": 10**5000}
    shell.user_ns["span"] = np.timedelta64(60, "ns")  # of which the number alone would be read as days
    capsys.readouterr()
    assert isinstance(shell.run_cell(f"%tokens {line}").error_in_exec, errors.UsageError)
    assert words in capsys.readouterr().out


def test_a_variable_is_one_word_and_is_put_in_once(shell, workspace):
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
def test_quotes_keep_braces_and_backslashes_stay(shell, workspace, written, comment):
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
        ("list --profile nowhere", "There is no profile 'nowhere'"),
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
