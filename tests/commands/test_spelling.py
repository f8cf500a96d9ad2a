"""Messages of the layers below name Python; those of a command name options and commands, and nobody's text changes."""

import ast
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest

import tokenkit
from tokenkit import cli, errors
from tokenkit.commands import parser
from tokenkit.commands.options import MAGIC, SHELL
from tokenkit.commands.spelling import COUNTERPARTS, counterparts
from tokenkit.commands.table import COMMANDS
from tokenkit.core.spelling import spelled, spelling
from tokenkit.review.audit import EVERY_RULE
from tokenkit.sandbox import Fault, Sandbox

ROOT = Path(tokenkit.__file__).parent
PYTHON = re.compile(
    r"\b[a-z_]{3,}=(?:True|False|None|…|\[|\{)|\b(?:ws|fleet|workspace|plan|audit|leaks|tokenkit)\.[a-z_.]+\("
    r"|\b(?:connect|fleet|usage)\(|\b(?:Fleet|Workspace)\.[a-z]|(?<![\w/])\.(?:errors|hosts|apply|token_value)\b"
)
OPTIONS = {name for command in COMMANDS for param in command.params_at(SHELL) for name in param.opts}
PATHS = {command.path for command in COMMANDS}
NOT_IN_COMMANDS = {
    "actions/plan.py": ("; nothing changes before .apply()",),  # the repr of an object
    "actions/revocation.py": (": tokenkit.resume(", "<StagedRevocation of "),  # the same
    "rest/token_management.py": ("; .token_value is not shown>", ".token_value instead"),  # the same, and pickling
    "rest/credentials.py": ("cannot be pickled or copied",),
    # Methods and arguments that no command calls or passes on.
    "review/audit.py": ("Use ws.revoke(audit.findings) instead", "Use tokenkit.output.report.write"),
    "review/leaks/matching.py": ("Use ws.revoke(leaks.tokens) instead",),
    "review/usage.py": ("Not a result of usage()", "Pass the frame that ws.usage() returned"),
    "workspaces/connect.py": ('connect("sandbox"', "Pass host=… as well", "connect() requires a profile"),
}
HOSTILE = "bot, or pass home=…; tokenkit.resume('x') with include_own=True, see .errors"
ENTRY = "bot, or pass home; ws.usage() or ws.plan_scopes()"  # = would begin a level


def sources():
    for path in [*ROOT.glob("[afrwo]*/**/*.py"), *ROOT.glob("core/*.py"), ROOT / "errors.py", ROOT / "frames.py"]:
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith("widgets/"):  # whose texts only a notebook or a page shows
            yield name, ast.parse(path.read_text("utf-8"))


def pieces():
    """Return the pieces that messages spell, each with its module."""
    for name, tree in sources():
        constants = {
            node.targets[0].id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "spelled":
                piece = constants.get(node.args[0].id) if isinstance(node.args[0], ast.Name) else node.args[0]
                if ast.unparse(piece) != "rule.remedy":
                    yield name, ast.literal_eval(piece)


def remedies():
    return [rule.remedy for rule in EVERY_RULE if PYTHON.search(rule.remedy)]


def other_texts():
    """Return the texts that are neither docstrings nor spelled."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for name, tree in sources():
        seen = set()
        for node in ast.walk(tree):
            if isinstance(node, kinds) and isinstance(node.body[0], ast.Expr):
                seen.add(id(node.body[0].value))
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):  # the docstring of a constant
                seen.add(id(node.value))
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "spelled":
                seen |= {id(part) for part in ast.walk(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in seen:
                yield name, node.value


@pytest.mark.parametrize(("name", "piece"), [*pieces(), *(("review", remedy) for remedy in remedies())])
def test_every_piece_has_a_counterpart_with_options_and_commands_that_exist(name, piece):
    counterpart = COUNTERPARTS[piece]
    assert not PYTHON.search(counterpart), name
    assert {*re.findall(r"(?<![\w-])--[a-z][a-z-]+", counterpart)} <= OPTIONS | {"--account"}
    for line in re.findall(r"\{program\} ([a-z -]+)", counterpart.replace("{fleet}", "")):
        words = line.split(" {")[0].split()
        assert words == ["fleet"] or any(path.split() == words[: len(path.split())] for path in PATHS), line
    in_every_text = {"program", "fleet", "selection"}
    assert {*re.findall(r"\{(\w+)", counterpart)} - in_every_text <= {*re.findall(r"\{(\w+)", piece)}


def test_every_counterpart_is_of_a_piece_that_a_message_spells():
    assert {piece for _, piece in pieces()} | {*remedies()} == {*COUNTERPARTS}


def test_no_template_names_python():
    assert [path.name for path in ROOT.glob("output/*.jinja") if PYTHON.search(path.read_text("utf-8"))] == []


def test_no_other_text_below_the_commands_names_python():
    allowed = {*COUNTERPARTS}
    found = [
        (name, text)
        for name, text in other_texts()
        if PYTHON.search(text)
        and text not in allowed
        and not any(known in text for known in NOT_IN_COMMANDS.get(name, ()))
    ]
    assert found == [], "put the piece into spelled(), and its counterpart into commands/spelling.py"


def test_a_piece_is_python_unless_a_command_runs():
    assert spelled("include_own=True") == "include_own=True"
    with spelling(counterparts("%tokens")):
        assert spelled("include_own=True") == "--include-own"
        days = spelled("Pass newer evidence with usage=ws.usage(days={days})", days="{x}'")
        assert days == "Read newer evidence with --usage --days {x}'"
        assert spelled("Fleet.runs() lists all runs") == "`%tokens fleet journal` lists all runs"
        assert spelled("a text of somebody's own rule {x}") == "a text of somebody's own rule {x}"
    assert spelled("a run {run_id!r}", run_id="2026-a") == "a run '2026-a'"


@pytest.fixture
def company(monkeypatch, tmp_path):
    """Two workspaces with a profile each."""
    with Sandbox(tokens=40, workspaces=2) as sandbox:
        path = tmp_path / "profiles"
        sections = [
            f"[{name}]\nhost = {workspace.host}\ntoken = {workspace.token}\n"
            for name, workspace in zip(("prod", "dev"), sandbox.workspaces, strict=True)
        ]
        path.write_text("\n".join(sections), encoding="utf-8")
        monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(path))
        yield sandbox
        assert list(sandbox.errors) == []


@pytest.fixture(params=["tokenkit", "%tokens"])
def told(request, company, ipython, capsys):  # noqa: ARG001 - the profiles have to be there
    """Run a command at a front end, and return everything that it shows."""

    def run(line):
        if request.param == "tokenkit":
            cli.main(shlex.split(line))
            problem = ""
        else:
            try:
                problem = repr(ipython.run_line_magic("tokens", line))
            except tokenkit.TokenKitError as error:
                problem = str(error)
        printed = capsys.readouterr()
        return f"{printed.out}{printed.err}{problem}"

    run.program = request.param
    return run


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("list --profile https://u:p@h.cloud.databricks.com", "Set DATABRICKS_HOST and DATABRICKS_TOKEN, or use a pro"),
        ("audit --profile prod --rule many-networks", "it needs the workspace's usage (--usage)"),
        ("fleet audit --profiles prod,dev --rule many-networks", "needs the workspace's usage (--usage)"),
        ("audit --explain many-networks", "Compare the networks with `{program} usage`."),
        ("audit --profile prod --rule no-comment --output json", "record it: `{program} update … --comment`."),
        ("revoke --profile prod --owner admin@example.com --dry-run", "yours; excluded without --include-own"),
        ("fleet revoke --profiles prod,dev --owner admin@example.com --dry-run", "excluded without --include-own"),
        ("fleet audit --account https://accounts.cloud.databricks.com", "serves many accounts. Add --account-id ID."),
        ("fleet resume 20200101-000000-0 --yes --profiles prod,dev", "fleet journal --profiles prod,dev` lists all"),
        ("usage --profile prod", "Add --warehouse-id ID, set DATABRICKS_WAREHOUSE_ID, or give the rows of an earlier"),
        ("list --from {saved}", "`{program} snapshot` saves one."),
    ],
)  # fmt: skip
def test_messages_of_both_front_ends_name_options_and_commands(told, tmp_path, line, expected):
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "no.parquet")
    if "--output" in line and told.program == "%tokens":
        line, expected = line.partition(" --output")[0], ""
    said = told(line.format(saved=tmp_path / "no.parquet"))
    assert expected.format(program=told.program) in re.sub(r"\s+", " ", said)
    assert not PYTHON.search(said)


def test_a_report_names_commands(told, tmp_path):
    page = tmp_path / "audit.html"
    told(f"report --profile prod --rule no-comment --rule many-networks --to {page}")
    assert f"`{told.program} update … --comment`" in page.read_text("utf-8")
    assert "ws." not in page.read_text("utf-8")


@pytest.mark.parametrize("which", [0, slice(None)])
def test_the_errors_of_a_fleet_name_no_attribute(told, company, which):
    failing = company.workspaces[:1] if which == 0 else company.workspaces
    for workspace in failing:
        company.faults.add(
            Fault(workspace_id=workspace.workspace_id, path="/api/2.0/token-management/tokens", status=400)
        )
    said = told("fleet list --profiles prod,dev --limit 1")
    assert "succeeded. The first: " in said if which != 0 else " failed" in said
    assert ".errors" not in said


def test_text_of_a_workspace_and_of_a_command_line_stays_as_it_is(told, company, tmp_path, monkeypatch):
    directory = company.workspaces[0].state.directory
    for number, name in enumerate([HOSTILE, ENTRY]):
        directory.add("service_principal", f"00000000-0000-0000-0000-00000000b07{number}", name)
    value = "--show-value" if told.program == "tokenkit" else "--variable v"
    said = told(f"create-obo {shlex.quote(HOSTILE + 'x')} --comment x {value} --profile prod")
    assert f"Did you mean {HOSTILE!r}?" in said
    entry = shlex.quote(f"service-principal:{ENTRY}x")
    assert f"Did you mean {ENTRY!r}?" in told(f"permissions add {entry} --yes --profile prod")
    assert f"no entry of service principal {ENTRY}x" in told(f"permissions remove {entry} --yes --profile prod")
    assert 'connect("prod")' in told("list --profile prod --where 'comment == connect(\"prod\")'")
    profile = "include_own=True"
    (tmp_path / "more").write_text(f"[{profile}]\nhost = https://x.cloud.databricks.com\n", encoding="utf-8")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "more"))
    assert f"Did you mean '{profile}'?" in told("list --profile include_own=Tru")


def test_a_long_message_of_quotes_is_shown_without_being_searched(company, capsys):  # noqa: ARG001 - as above
    assert cli.main(["list", "--profile", "'" * 100_000]) == 2
    assert "'" * 1_000 in capsys.readouterr().err


def test_names_that_are_not_one_plain_word_are_quoted_in_suggestions():
    assert errors.did_you_mean("bt", ["bot, or pass home=…", "a b"]) == "Known: 'bot, or pass home=…', 'a b'."
    assert errors.did_you_mean("ann@x.co", ["ann@x.com", "--ann"]) == "Did you mean ann@x.com?"


@pytest.mark.parametrize("front_end", [SHELL, MAGIC])
def test_the_program_of_each_front_end_names_itself(front_end):
    program = parser.program(front_end)
    assert counterparts(program)["Fleet.runs() lists all runs"] == f"`{program} fleet journal` lists all runs"
