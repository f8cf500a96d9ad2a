"""Whatever is typed: an answer or one line that says what is wrong, and an exit code that means something.

Lines are made from the table of commands, with hostile text where a value goes. ``pytest tests/test_fuzz.py
--hypothesis-profile=long`` tries many more.
"""

import io
import shlex
import string
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenkit import TokenKitError, cli
from tokenkit.commands import parser
from tokenkit.commands.options import MAGIC, SHELL
from tokenkit.magic import TokensMagics
from tokenkit.sandbox import Sandbox
from tokenkit.sandbox.state.tokens import token_id_of

# They serve until they are stopped; their options are read in tests/commands/test_parser.py.
PROGRAMS = {"sandbox", "lab"}
HOSTILE = [
    "", " ", "-", "--", "---", "-x", "=", "'", '"', "\\", "\x00", "\n", "a\nb: c", "\x1b[2J", "\u202e",
    "\udcff", "ﬀ", "🔥", "%s%n", "$(reboot)", "`", "{x}", "{0.__class__}", "*", "[", "[!", "../..", "<script>",
    "=1+1", "' OR 1=1 --", "None", "nan", "inf", "-1", "0", "1e999", "9" * 5_000, "9" * 400 + "d", "0d", "1d",
    "90d", "-1d", "x" * 20_000, "(" * 5_000,
]  # fmt: skip
EXPRESSIONS = [
    "idle_days > 60", "owner == 'x'", "status", "not never_expires", "idle_days", "scopes == 'a'",
    "comment.str.len() > 3", "owner.str.contains('[')", "owner.str.contains('(a+)+$')", "@x", "@pd",
    "__import__('os').system('x')", "index.name", "owner.__class__", "().__class__", "lambda: 1",
    "[x for x in scopes]", "idle_days > 'a'", "owner > 5", "idle_days ** 9", "9 ** 9 ** 9 ** 9",
    "'a' * 10 ** 12", "idle_days / 0", "creation_time > '2026-13-45'", "creation_time > 'x'", "1", "'a'",
    "None", "True", "owner == owner == owner", "not not not 1", "~status", "-owner", "owner in ['a', 1]",
    "owner in 5", "a.b.c", "`owner`", "`a b`", "owner = 1", "owner := 1", "owner; owner", "owner # x",
    "f'{owner}'", "owner[0]", "status == 'active' and " * 500 + "True", "(" * 300 + "1" + ")" * 300,
    "-" * 3_000 + "1", "owner\n==\n'x'", "e\u0301 == 1",
]  # fmt: skip
# No slash: what a line writes stays in the test's own folder.
FILES = [
    "", ".", "a.csv", "a.json", "a.xlsx", "a.html", "a.parquet", "a.txt", "no/where.csv", "\x00.csv",
    "\udcff.csv", "x" * 300 + ".csv", "-.json", ".csv", "a.csv\n", "a.csv/b.csv",
]  # fmt: skip

text = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20), st.text(string.printable, max_size=20))
known = st.sampled_from(
    ["admin@example.com", "group:users", "user:admin@example.com=CAN_MANAGE", "token_id", "owner,comment", "no-expiry",
     "unused.idle_days=45", "unused.idle_days=nan", "high", "sql", "tokenkit/x", "terraform"]
)  # fmt: skip
expression = st.one_of(
    st.sampled_from(EXPRESSIONS),
    st.lists(st.sampled_from([*EXPRESSIONS, " and ", " or ", "(", ")", "'", " == ", " in ", "not "]), max_size=4).map(
        "".join
    ),
    text,
)


def value_of(param):
    name = param.type.name
    if name == "EXPR":
        return expression
    if name in {"FILE", "FOLDER", "PATH", "BEFORE", "AFTER"}:
        return st.sampled_from(FILES)
    if param.name in {"profile", "profiles", "account", "target"}:
        return st.sampled_from(["", "nowhere", "\x00", "prod", "DEFAULT", "a b"])  # a host would be looked up
    return st.one_of(st.sampled_from(name.split("|")), text) if "|" in name else st.one_of(text, known)


@st.composite
def words(draw, front_end):
    """A line: mostly of one command with its own options, now and then of anything."""
    command = draw(st.sampled_from([row for row in parser.commands_at(front_end) if row.path not in PROGRAMS]))
    line = command.path.split()
    params = command.params_at(front_end)
    for param in draw(st.lists(st.sampled_from(params), max_size=4)) if params else []:
        # With one's own token revoked, nothing more would be answered.
        name = param.opts[0] if param.name != "include_own" else "--dry-run"
        if name.startswith("-"):
            line.append(name)
        if not getattr(param, "is_flag", False):
            line.append(draw(value_of(param)))
            if name.startswith("--") and draw(st.booleans()):
                line[-2:] = ["=".join(line[-2:])]
    if draw(st.integers(0, 9)) == 0:
        line.insert(draw(st.integers(0, len(line))), draw(text))
    return line


@pytest.fixture
def company(monkeypatch, tmp_path):
    """A sandbox that is another whenever the line before revoked the token that signs in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())  # nobody is there to answer
    monkeypatch.setattr("getpass.getpass", lambda *_: (_ for _ in ()).throw(EOFError))
    held = []

    def company():
        if not held or held[-1].workspaces[0].state.tokens.find(token_id_of(held[-1].token)) is None:
            held.append(Sandbox(tokens=30).start())
            monkeypatch.setenv("DATABRICKS_HOST", held[-1].host)
            monkeypatch.setenv("DATABRICKS_TOKEN", held[-1].token)
        return held[-1]

    yield company
    for sandbox in held:
        sandbox.stop()
        assert sandbox.errors == []


few = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)


@few
@given(line=words(SHELL))
def test_whatever_is_typed_in_a_shell_is_an_exit_code_and_at_most_one_line_of_error(company, capsys, line):
    company()
    code = cli.main(line)
    printed = capsys.readouterr()
    assert code in {0, 1, 2, 3}
    assert "Traceback" not in printed.err
    problems = [each for each in printed.err.splitlines() if each.startswith("tokenkit: ")]
    assert len(problems) == (code in {2, 3})
    if problems:
        assert printed.err.endswith(problems[0] + "\n")
        assert printed.out == "" or code == 3


@few
@given(line=words(MAGIC), quoted=st.booleans())
def test_any_input_in_a_notebook_gives_a_result_or_an_error_of_tokenkit(company, ipython, capsys, line, quoted):
    company()
    magic = TokensMagics(ipython)  # each with a session of its own
    try:
        magic.tokens(shlex.join(line) if quoted else " ".join(line))
    except TokenKitError as error:
        sys.stdout.write(f"{error}\n")
    assert "Traceback" not in capsys.readouterr().out
