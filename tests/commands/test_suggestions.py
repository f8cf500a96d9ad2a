"""Commands that messages suggest are whole: they can be pasted, and run on the workspaces of the command before."""

import re
import shlex

import pytest

import tokenkit
from tokenkit import cli
from tokenkit.commands import parser
from tokenkit.commands.options import SHELL
from tokenkit.commands.spelling import counterparts
from tokenkit.sandbox import Fault, Sandbox
from tokenkit.sandbox.profiles import profiles_of

_SUGGESTED = re.compile(r"(?:: |`)(tokenkit [^`\n]+)")


@pytest.fixture
def company(tmp_path):
    """Three workspaces with a profile each."""
    with Sandbox(tokens=40, workspaces=3) as sandbox:
        profiles = zip(("prod", "dev", "it's"), sandbox.workspaces, strict=True)
        text = "".join(f"[{name}]\nhost = {each.host}\ntoken = {each.token}\n" for name, each in profiles)
        (tmp_path / "databrickscfg").write_text(text)
        yield sandbox
        assert list(sandbox.errors) == []


@pytest.fixture
def suggested(company, tmp_path, capsys, monkeypatch):
    """Return the commands that the messages of a command in a terminal suggest.

    In the journal are a revocation, a change of permissions without a token, and a run of which a token remains.
    """
    ws = tokenkit.connect("prod")
    tokens = ws.tokens("owner_kind == 'user' and owner != 'admin@example.com'", status="active")
    revoked = ws.revoke(tokens.head(1))
    revoked.apply(progress=False)
    allowed = ws.plan_permissions([{"group_name": "analysts"}])
    allowed.apply(progress=False)
    company.faults.add(Fault(method="DELETE", status=400))
    ws.revoke(tokens.tail(1)).apply(progress=False)
    company.faults.clear()
    (tmp_path / "leaked.txt").write_text(profiles_of(company)["user"]["token"])
    (tmp_path / "bad.parquet").write_text("no Parquet")
    capsys.readouterr()
    monkeypatch.setenv("COLUMNS", "100")
    names = {
        "gone": tokens["token_id"].iloc[0],
        "token": tokens["token_id"].iloc[1],
        "run": revoked.run_id,
        "allowed": allowed.run_id,
        "folder": tmp_path,
    }

    def run(line):
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
        cli.main(shlex.split(line.format(**names)))
        return _SUGGESTED.findall(capsys.readouterr().err)

    return run


@pytest.mark.parametrize(
    ("line", "starts"),
    [
        ("audit --profile prod", ["audit --findings", "list --where"]),
        ('audit --profile "it\'s" --rule no-expiry', ["audit --findings"]),
        ("fleet audit --profiles prod,dev --skip unused", ["fleet audit --findings", "fleet list --where"]),
        ("scopes --profile prod --owner '*@example.com'", ["scopes --all"]),
        ("--profile prod scopes", ["scopes --all"]),
        ("scopes --limit 2 --profile prod", ["scopes --all"]),
        ("journal --tokens --profile prod", ["journal"]),
        ("journal --tokens --limit=1 --profile prod", ["journal"]),
        ("fleet journal --tokens --profiles prod,dev", ["fleet journal"]),
        ("journal --run {allowed}", ["permissions remove"]),
        ("resume --profile prod", ["resume"]),
        ("changes --profile prod", ["snapshot"]),
        ("fleet changes --profiles prod,dev", ["fleet snapshot"]),
        ("fleet resume 20200101-000000-0 --yes --profiles prod,dev", ["fleet journal"]),
        ("find-leaked --profile prod --file {folder}/leaked.txt", ["revoke"]),
        ("fleet find-leaked --profiles prod,dev --file {folder}/leaked.txt", ["fleet revoke"]),
        ("get {gone} --profile prod", ["journal"]),
        ("revoke --owner *@example.com --dry-run --profile prod", ["list --created-by '*@example.com' --status"]),
        ("fleet revoke --owner *@example.com --dry-run --profiles prod,dev", ["fleet list --created-by"]),
        ("update {token} --comment x --yes --profile prod", ["undo"]),
        ("permissions remove group:analysts --yes --profile prod", ["permissions add"]),
        ("undo {allowed} --profile prod", ["permissions remove"]),
        ("ls --profile prod", ["list"]),
        ("fleet ls --profiles prod,dev", ["fleet list"]),
        ("permissions --profile prod show", ["permissions show"]),
        ("fleet --profiles prod,dev", ["fleet list"]),
        ("changes {folder}/bad.parquet", ["snapshot"]),
    ],
)
def test_a_suggested_command_is_whole_and_selects_the_workspaces_of_the_one_before(suggested, line, starts):
    found = suggested(line)
    given = re.search(r"--profiles? (\"[^\"]*\"|\S+)", line)
    assert len(found) >= len(starts)
    for command, start in zip(found, starts, strict=False):
        assert command.startswith(f"tokenkit {start}")
    for command in found:
        argv = shlex.split(command)[1:]
        call = parser.parse(argv, SHELL)
        assert call.rows.get("limit") is None, command
        if given and not call.params.get("run_id"):
            assert {*call.named.values()} - {None} == {shlex.split(given[1])[0]}, command


@pytest.mark.parametrize(
    ("line", "code"),
    [("audit --profile prod", 0), ("scopes --profile prod", 0), ("fleet changes --profiles prod,dev", 0)],
)
def test_a_suggested_command_runs(suggested, line, code, capsys):
    for command in suggested(line)[:1]:
        assert cli.main(shlex.split(command)[1:]) == code
        assert capsys.readouterr().out


def test_commands_in_messages_of_the_layers_below_select_the_workspaces():
    texts = counterparts("tokenkit", "fleet changes", ["--profiles", "it's,dev"])
    for piece in ("Save one with snapshot()", "Fleet.runs() lists all runs"):
        (command,) = re.findall(r"`tokenkit ([^`]+)`", texts[piece])
        assert parser.parse(shlex.split(command), SHELL).named["profiles"] == "it's,dev"
    texts = counterparts("tokenkit", "report", ["--profile", "prod"])
    for piece in ('audit.report("audit.xlsx")', 'audit.tokens.sort_values("effective_end")'):
        command = texts[piece].removeprefix("tokenkit ")
        assert parser.parse(shlex.split(command), SHELL).named["profile"] == "prod"
