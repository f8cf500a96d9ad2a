"""Every command at both front ends: pairs of commands and output, and the same rows at both."""

import io
import json
import shlex
from pathlib import Path

import pandas as pd
import pytest

import tokenkit
from tests.tables import OF_THE_CLOCK
from tokenkit import cli
from tokenkit.commands import parser
from tokenkit.commands.options import MAGIC, SHELL
from tokenkit.commands.rows import as_frame
from tokenkit.commands.table import COMMANDS
from tokenkit.output import export, snapshots
from tokenkit.review import texts
from tokenkit.review.columns import short_view_first
from tokenkit.review.rules import RULES
from tokenkit.sandbox import Sandbox


@pytest.fixture
def company(monkeypatch):
    """A sandbox for one test, which the environment names."""
    with Sandbox(tokens=60) as sandbox:
        monkeypatch.setenv("DATABRICKS_HOST", sandbox.host)
        monkeypatch.setenv("DATABRICKS_TOKEN", sandbox.token)
        yield sandbox
        assert list(sandbox.errors) == []


@pytest.fixture
def notebook(company, ipython):  # noqa: ARG001 - the environment has to name it before it is used
    return ipython


@pytest.fixture
def names(company, tmp_path):
    """The values of {token} and the other placeholders in the commands below."""
    first, *others = company.workspaces[0].state.tokens.infos()
    infos = [info for info in others if info["owner_id"] != first["owner_id"]]
    of = {"host": company.host, "workspace_id": str(company.workspaces[0].workspace_id), "workspace": company.host}
    then = of | {"taken_at": pd.Timestamp("2026-01-01", tz="UTC")}
    listing = tokenkit.connect().tokens()
    earlier = snapshots.write_snapshot(listing.iloc[:-5], tmp_path / "earlier.parquet", **then)
    (tmp_path / "leaked.txt").write_text(f"token: {company.token}")
    return {
        "token": infos[0]["token_id"],
        "short": infos[1]["token_id"][:10],
        "earlier": earlier,
        "leaked": tmp_path / "leaked.txt",
    }


READING = [
    "list",
    "list --status active --sort=-idle_days --limit 7",
    "list --owner '*@example.com' --columns 'owner, comment,scopes'",
    "list --created-by admin@example.com",
    "list --idle 30d --expires-in 400d",
    "list --never-expires",
    "list --scope sql",
    "list --comment prod",
    "list --where \"owner_kind == 'service_principal'\"",
    "get {token}",
    "get {short}",
    "get {token} {short}",
    "permissions show",
    "permissions levels",
    "audit",
    "audit --findings --sort rule --limit 5",
    "access --columns principal,tokens --sort=-tokens --limit 3",
    "audit --rule IA-4 --rule unused --skip no-expiry --threshold unused.idle_days=70",
    "scopes",
    "scopes --status active --where \"advice == 'narrow'\"",
    "access",
    "access --where tokens_without_permission",
    "journal",
    "journal --runs",
    "journal --tokens",
    "changes {earlier}",
    "changes {earlier} {earlier}",
    "find-leaked --file {leaked}",
]
# The command, a part of its output, and whether {token} still exists afterwards.
CHANGING = [
    ("connect", "sandbox", True),
    ("revoke {token} --dry-run", "{token}", True),
    ("revoke {token} {short} --yes --reason because", "revoked", False),
    ("revoke --owner nobody --yes --allow-none", "token_id", True),
    ("update {token} --comment 'a new one' --yes", "updated", True),
    ("update {token} --scopes sql,jobs --dry-run", "sql", True),
    ("scopes --narrow --dry-run", "new_scopes", True),
    ("scopes --narrow --status active --yes --reason 'least privilege'", "updated", True),
    ("scopes --narrow --owner nobody --yes --allow-none", "token_id", True),
    ("permissions set group:contractors --dry-run", "owner_kind", True),
    ("permissions set group:contractors --yes", "revoked", False),
    ("permissions add group:analysts --dry-run", "via", True),
    ("permissions add group:analysts user:admin@example.com=CAN_MANAGE --yes", "analysts", True),
    ("permissions remove group:data-engineers --dry-run", "owner_kind", True),
    ("create-obo terraform --lifetime 1d --secret tokenkit/x", "expiry_time", True),
    ("snapshot", "taken_at", True),
]
# Programs of their own (tests/commands/test_lab.py, test_completion.py, tests/sandbox/test_main.py), and usage
# (test_usage.py); resume and undo need a run, below.
EXTERNALLY = {"sandbox", "lab", "completion", "resume", "undo", "report", "explore", "usage"}
FLEET = {command.path for command in COMMANDS if command.path.startswith("fleet ")}  # tests/commands/test_fleet.py


def test_every_command_is_in_the_cases():
    lines = [*READING, *(line for line, _, _ in CHANGING)]
    tested = {parser.parse(shlex.split(line), SHELL).command.path for line in lines}
    assert tested | EXTERNALLY | FLEET == {command.path for command in COMMANDS}


def steady(frame):
    """Drop the columns that change with the clock."""
    return frame.drop(columns=OF_THE_CLOCK, errors="ignore")


@pytest.mark.parametrize("line", READING)
def test_the_shell_and_the_magic_give_the_same_rows(notebook, company, names, capsys, line):
    line = line.format(**names)
    result = notebook.run_line_magic("tokens", line)
    name = "All workspaces" if line.startswith("journal") else company.host
    assert f"{name}: " in capsys.readouterr().out  # the output names the workspace
    code = 1 if line.startswith("find-leaked") else 0  # it found one
    assert cli.main([*shlex.split(line), "--output", "json"]) == code
    records = json.loads(capsys.readouterr().out)
    frame = as_frame(result)
    same = [{name: record[name] for name in steady(frame).columns} for record in records]
    shown = texts.written(steady(frame))  # a shell shows no secret
    assert same == json.loads(json.dumps(export.records(shown)).replace("`%tokens ", "`tokenkit "))
    assert len(records) == len(frame)
    assert len(frame) or line.startswith("journal") or "idle" in line or line.count("earlier") == 2


@pytest.mark.parametrize(("line", "shown", "survives"), CHANGING)
@pytest.mark.parametrize("front_end", [MAGIC, SHELL])
def test_every_changing_command_has_its_effect(notebook, company, names, capsys, front_end, line, shown, survives):
    line, shown = line.format(**names), shown.format(**names)
    if front_end == MAGIC:
        result = notebook.run_line_magic("tokens", line)
        printed = capsys.readouterr().out + as_frame(result).to_string(max_colwidth=80)
        shown = company.host if shown == "sandbox" else shown
    else:
        assert cli.main(shlex.split(line)) == 0
        printed = "".join(capsys.readouterr())
        shown = {"sandbox": company.host, "token_id": "nothing to "}.get(shown, shown)
    assert shown in printed
    assert (names["token"] in company.workspaces[0].state.tokens.ids()) == survives


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("revok", "Did you mean revoke?"),
        ("permissions sho", "Unknown command 'permissions sho'. Did you mean show?"),
        ("permissions add group:analyst", "Unknown group 'analyst'. Did you mean analysts?"),
        ("permissions set group:admins user:An@example.com --dry-run", "Unknown user 'An@example.com'."),
        ("update {token}", "--comment or --scopes"),
        ("list --where 'owner == terraform'", "write text in quotes"),
        ("journal --run 2026", "has no run '2026'"),
        ("changes nope.parquet", "nope.parquet"),
        ("revoke", "Missing selection of tokens"),
        ("revoke --limit 5", "Missing selection of tokens"),
        ("revoke 0123456789", "no token '0123456789'"),
        ("revoke abc", "too short"),
        ("revoke --where 'ownr == 1'", "Did you mean owner?"),
        ("revoke {token}", "Use --yes or --dry-run"),
        ("revoke {token} --yess", "Did you mean --yes?"),
        ("get", "Missing argument: ID"),
        ("update 0123456789 --comment x --dry-run", "no token '0123456789'"),
        ("get ''", "Missing value for ID"),
        ("update {token}", "Nothing to change"),
        ("update {token} --comment x", "Use --yes or --dry-run"),
        ("scopes --narrow", "Use --yes or --dry-run"),
        ("scopes --where 'advise == 1'", "Did you mean advice?"),
        ("permissions", "show, levels, set, add or remove"),
        ("permissions sho", "Did you mean show?"),
        ("permissions set", "Missing argument: ENTRY"),
        ("permissions set analysts", "group:NAME"),
        ("permissions set grop:analysts", "Did you mean group?"),
        ("permissions set group:data-engineers", "Use --yes or --dry-run"),
        ("permissions add group:x=CAN_FLY", "CAN_USE or CAN_MANAGE"),
        ("create-obo terrafrm --secret tokenkit/x", "Did you mean terraform?"),
        ("create-obo terraform --secret nowhere/x", "no secret scope 'nowhere'"),
        ("create-obo terraform --secret x", "SCOPE/KEY"),
        ("create-obo terraform --lifetime 90 --secret tokenkit/x", "Write 90d for days"),
        ("resume 2026", "no run '2026'"),
        ("undo 2026", "no run '2026'"),
        ("audit --rule no-expiri", "Did you mean no-expiry?"),
        ("audit --skip nothing", "Unknown rule 'nothing'"),
        ("audit --threshold 45", "Write RULE.NAME=VALUE"),
        ("audit --threshold unusd.idle_days=45", "Did you mean unused?"),
        ("audit --threshold unused.idle_day=45", "Did you mean idle_days?"),
        ("audit --threshold no-expiry.days=45", "It has no thresholds."),
        ("audit --threshold unused.idle_days=long", "idle_days of unused must be a number"),
        ("audit --waivers nowhere.toml", "Cannot read the waivers in nowhere.toml"),
        ("access --where token_without_permission", "Did you mean tokens_without_permission?"),
        ("report --to audit.pdf", ".html, .csv, .json, .xlsx"),
        ("report --to nowhere/audit.html", "its folder is missing"),
        ("list --to tokens.txt", ".csv, .json, .xlsx"),
        ("list --to nowhere/tokens.csv", "its folder is missing"),
        ("snapshot foo.json", "foo.json is not a file that ends in .parquet, or a folder"),
        ("snapshot foo.xlsx", "For other formats, use `{program} list --to FILE`."),
        ("journal --rn x", "Did you mean --run or --runs?"),
        ("changes", "has no snapshot"),
        ("changes nowhere.parquet", "does not exist"),
        ("find-leaked something", "Do not type a token value"),
        ("find-leaked --file nowhere.txt", "Cannot read nowhere.txt: No such file"),
        ("find-leaked --report {earlier}", "not a report of gitleaks"),
        ("connect nowhere", "nowhere"),
        ("connect sandbox --profile prod", "Give one"),
        ("--limit 5 list", "Options follow the command"),
        ("ls", "Run `{program} list`"),
        ("rm {token}", "Run `{program} revoke {token}`."),
        ("delete {token}", "Run `{program} revoke {token}`."),
        ("whoami", "Run `{program} connect`"),
        ("update --comment x", "Missing selection of tokens"),
        ("access --columns princpal", "Did you mean principal?"),
        ("access --sort princpal", "Unknown column 'princpal'"),
        ("audit --explain no-expiri", "Did you mean no-expiry?"),
        ("list --sort -idle_days", "that begins with -, as in --sort=-idle_days"),
        ("list --where \"idle_days > '60'\"", "Write a number without quotes"),
        ("list --where \"scopes == 'all-apis'\"", "Write 'all-apis' in scopes"),
        ("revoke --where \"status == 'actve'\" --yes", "Did you mean active?"),
        ("revoke --owner nobody --yes", "Unknown owner 'nobody'"),
        ("revoke --owner terraform --owner nobody --yes", "Unknown owner 'nobody'"),
        ("revoke --created-by nobody --yes", "Unknown creator 'nobody'"),
        ("scopes --narrow --owner nobody --yes", "Unknown owner 'nobody'"),
        ("scopes --narrow --created-by nobody --yes", "Unknown creator 'nobody'"),
        ("revoke {token} --owner nobody --yes", "Unknown owner 'nobody'"),
        ("list --limit 5 --limit 6", "--limit was given more than once"),
        ("create-obo terraform --lifetime 0d --secret ops/x", "at most 730d"),
        ("create-obo terraform --lifetime never --secret ops/x", "at most 730d"),
        ("create-obo terraform --lifetime 129600 --secret ops/x", "129600 seconds are 36h"),
        ("audit --rule IA4", "Did you mean IA-4?"),
        ("permissions add group:x=CAN_USEE", "Unknown permission level 'CAN_USEE'"),
        ("permissions add group:", "Missing name"),
    ],
)
@pytest.mark.parametrize("front_end", [MAGIC, SHELL])
def test_every_usage_error_is_one_line_with_a_next_step_and_changes_nothing(
    notebook, company, names, capsys, monkeypatch, front_end, line, message
):
    before = company.workspaces[0].state.tokens.ids()
    line = line.format(**names)
    message = message.replace("{program}", parser.program(front_end)).replace("{token}", names["token"])
    monkeypatch.setattr("sys.stdin", io.StringIO())  # no terminal
    if front_end == MAGIC:
        result = notebook.run_cell(f"%tokens {line}")
        printed = capsys.readouterr().out
        assert isinstance(result.error_in_exec, tokenkit.TokenKitError)
        assert "Traceback" not in printed
        problem = [text for text in printed.splitlines() if "Error: " in text]
        assert len(problem) == 1
        printed = problem[0]
    else:
        assert cli.main(shlex.split(line)) == 2
        printed = capsys.readouterr().err.splitlines()[-1]
    assert message in printed
    assert company.workspaces[0].state.tokens.ids() == before


def test_the_new_token_is_revoked_if_the_secret_cannot_be_written(company, capsys):
    before = company.workspaces[0].state.tokens.ids()
    company.faults.add(tokenkit.sandbox.Fault(method="POST", path="*/secrets/put", status=403))
    assert cli.main(["create-obo", "terraform", "--secret", "tokenkit/x"]) == 2
    assert "was revoked" in capsys.readouterr().err
    assert company.workspaces[0].state.tokens.ids() == before


def test_create_obo_in_a_shell_requires_a_place_for_the_value_and_shows_it_only_on_request(company, capsys):
    assert cli.main(["create-obo", "terraform"]) == 2
    assert "--show-value" in capsys.readouterr().err
    assert cli.main(["create-obo", "terraform", "--show-value", "--lifetime", "1d"]) == 0
    value = capsys.readouterr().out.strip()
    assert tokenkit.connect(host=company.host, token=value).me() != "admin@example.com"
    assert cli.main(["create-obo", "terraform", "--secret", "tokenkit/x", "--lifetime", "1d", "--output", "json"]) == 0
    stored = company.workspaces[0].state.secrets.value("tokenkit", "x")
    printed = capsys.readouterr()
    assert stored not in printed.out + printed.err


@pytest.mark.parametrize(
    "line",
    [
        "list --to tokens.xls",
        "report --to audit.pdf",
        "changes nope.parquet",
        "list --columns ownr",
        "list --sort=-idel_days",
        "access --columns owner",
        "audit --sort serverity",
        "audit --rule serverity",
        "revoke --status expired --sort idel_days --dry-run",
        "fleet list --columns wokspace --profiles x,y",
    ],
)
def test_an_invalid_file_or_column_is_an_error_before_any_request(company, names, line):  # noqa: ARG001 - profiles
    company.requests.clear()
    assert cli.main(shlex.split(line)) == 2
    assert not list(company.requests)


def test_an_incomplete_run_is_exit_code_1_and_resume_finishes_it(company, names, capsys):
    company.faults.add(tokenkit.sandbox.Fault(method="DELETE", status=400, times=1))
    assert cli.main(["revoke", names["token"], "--yes", "--output", "json"]) == 1
    assert json.loads(capsys.readouterr().out)[0]["outcome"] == "failed"
    assert cli.main(["journal", "--output", "json"]) == 0
    run_id = json.loads(capsys.readouterr().out)[0]["run_id"]
    assert cli.main(["resume", run_id, "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["outcome"] == "revoked"


@pytest.mark.usefixtures("company")
def test_your_own_tokens_are_left_out_with_a_message_also_in_a_pipe(capsys):
    assert cli.main(["revoke", "--owner", "admin@example.com", "--yes"]) == 0
    assert "yours" in capsys.readouterr().err
    assert tokenkit.connect().me() == "admin@example.com"


@pytest.mark.usefixtures("company")
def test_an_audit_in_a_pipeline_fails_on_findings_of_a_severity_or_worse(capsys, tmp_path, monkeypatch):
    assert cli.main(["audit", "--output", "json"]) == 0
    findings = pd.DataFrame(json.loads(capsys.readouterr().out))
    assert set(findings["severity"]) == {"high", "medium", "low"}
    for severity in ("high", "medium", "low"):
        assert cli.main(["audit", "--fail-on", severity]) == 1
    assert cli.main(["audit", "--rule", "no-comment", "--fail-on", "medium"]) == 0
    assert cli.main(["audit", "--rule", "no-comment", "--fail-on", "low"]) == 1
    assert cli.main(["audit", "--fail-on", "dire"]) == 2
    waivers = tmp_path / "waivers.toml"
    waivers.write_text('[[waiver]]\nrule = "no-comment"\nowner = "*"\nreason = "later"\nexpires = 9999-12-31\n')
    line = ["audit", "--rule", "no-comment", "--fail-on", "low", "--waivers", str(waivers)]
    assert cli.main(line) == 0
    waivers.write_text(waivers.read_text().replace("9999", "2020"))
    capsys.readouterr()
    assert cli.main(line) == 1
    assert "Expired on 2020-12-31: the waiver of no-comment for owner *." in capsys.readouterr().err
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi" + "0" * 32)
    assert cli.main(["audit", "--fail-on", "high"]) == 3


@pytest.mark.usefixtures("company")
def test_tokens_that_end_soon_are_listed_with_the_reason_of_the_end(capsys):
    expected = tokenkit.connect().tokens(expires_in="60d")
    by_expiry = (expected["effective_end"] == expected["expiry_time"]).tolist()
    assert cli.main(["list", "--expires-in", "60d", "--output", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["ends_by"] for row in rows] == ["expiry" if expires else "disuse" for expires in by_expiry]
    assert {row["ends_by"] for row in rows} == {"expiry", "disuse"}
    assert cli.main(["list", "--expires-in", "60d"]) == 0
    assert {"effective_end", "ends_by"} <= set(capsys.readouterr().out.splitlines()[0].split())
    assert cli.main(["list", "--output", "json"]) == 0
    assert "ends_by" not in json.loads(capsys.readouterr().out)[0]


@pytest.mark.usefixtures("company")
def test_the_summary_of_an_audit_is_a_row_for_each_rule(capsys):
    assert cli.main(["audit", "--output", "json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert {"rule", "title", "severity", "findings", "waived", "why", "remedy", "not_checked"} == set(summary[0])
    assert len(summary) == len(RULES)


def test_list_thresholds_are_separated_by_commas(notebook):
    audit = notebook.run_line_magic("tokens", "audit --rule broad-scope --threshold broad-scope.scopes=jobs,files")
    assert audit.findings["evidence"].isin(["granted jobs", "granted files", "granted jobs, files"]).all()
    assert len(audit.findings) > 0


def test_the_explorer_opens_in_a_notebook_and_a_shell_names_the_magic(notebook, company, capsys):
    explorer = notebook.run_line_magic("tokens", "explore --where \"status == 'active'\"")
    assert set(explorer.filtered["status"]) == {"active"}
    assert repr(explorer).endswith(f"on {company.host}>")
    assert cli.main(["explore"]) == 2
    assert "%tokens explore" in capsys.readouterr().err


def test_an_id_in_a_variable_is_substituted(notebook, names):
    notebook.user_ns["token_id"] = names["token"]
    notebook.run_cell("r = %tokens revoke $token_id --yes")
    assert notebook.user_ns["r"]["outcome"].tolist() == ["revoked"]


@pytest.mark.parametrize("ending", ["csv", "json", "xlsx"])
@pytest.mark.parametrize("front_end", [MAGIC, SHELL])
def test_a_listing_is_written_to_a_file_with_a_message_if_it_exists(notebook, capsys, tmp_path, ending, front_end):
    line = f"list --columns token_id,owner_id,comment --limit 5 --to {tmp_path}/tokens.{ending}"
    for _ in range(2):
        path = Path(tmp_path / f"tokens.{ending}")
        there = path.exists()
        if front_end == MAGIC:
            assert notebook.run_line_magic("tokens", line) == path
            assert ("Replacing the existing file" in capsys.readouterr().out) == there
        else:
            assert cli.main(shlex.split(line)) == 0
            assert capsys.readouterr().out == f"{path}\n"
    read = {"csv": pd.read_csv, "json": pd.read_json, "xlsx": pd.read_excel}[ending]
    assert (
        read(path, dtype=str)["owner_id"].tolist() == tokenkit.connect().tokens()["owner_id"][:5].astype(str).tolist()
    )


@pytest.mark.parametrize("front_end", [MAGIC, SHELL])
def test_a_report_is_written_to_a_file_with_a_message_if_it_exists(notebook, capsys, tmp_path, monkeypatch, front_end):
    monkeypatch.chdir(tmp_path)
    for line, name in [("report", "audit.html"), ("report --rule no-expiry --to audit.html", "audit.html")]:
        there = Path(name).exists()
        if front_end == MAGIC:
            assert notebook.run_line_magic("tokens", line) == Path(name)
            assert ("Replacing the existing file" in capsys.readouterr().out) == there
        else:
            assert cli.main(shlex.split(line)) == 0
            assert capsys.readouterr().out == f"{name}\n"
    text = Path(name).read_text("utf-8")
    assert "Token audit of" in text
    assert "1 of 1 rules checked" in text


def test_a_frame_of_the_magic_is_the_same_as_in_python(notebook):
    pd.testing.assert_frame_equal(
        steady(notebook.run_line_magic("tokens", "list")),
        steady(short_view_first(tokenkit.connect().tokens())),
    )
