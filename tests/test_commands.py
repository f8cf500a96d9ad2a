"""Every verb through both doors: pairs of what is typed and what is shown, and the same rows from both."""

import io
import json
import shlex
from pathlib import Path

import pandas as pd
import pytest

import tokenkit
from tokenkit import cli, export, grammar, snapshots
from tokenkit.commands import VERBS
from tokenkit.options import MAGIC, SHELL
from tokenkit.sandbox import Sandbox


@pytest.fixture
def company(monkeypatch):
    """A sandbox of one test's own, found through the environment."""
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
    """What stands for {token} and the like in the lines below."""
    state = company.workspaces[0].state
    infos = [info for info in state.tokens.infos() if info["owner_id"] != state.tokens.infos()[0]["owner_id"]]
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
    "list --where \"owner_kind == 'service principal'\"",
    "get {token}",
    "get {short}",
    "permissions show",
    "permissions levels",
    "audit",
    "audit --rule IA-4 --rule unused --skip no-expiry --threshold unused.idle_days=70",
    "scopes",
    "scopes --status active --where \"advice == 'narrow'\"",
    "access",
    "access --where holds_without_right",
    "journal",
    "journal --runs",
    "changes {earlier}",
    "changes {earlier} {earlier}",
    "find-leaked --file {leaked}",
]
# What is typed, what is shown, and whether {token} survives it.
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
    ("permissions add group:analysts user:admin@example.com=CAN_MANAGE", "analysts", True),
    ("create-obo terraform --lifetime 1d --secret tokenkit/x", "expiry_time", True),
    ("snapshot", "taken_at", True),
]
# Their own programs, tested in tests/test_lab.py and tests/sandbox/test_main.py; resume and undo need a run, below.
ELSEWHERE = {"sandbox", "lab", "resume", "undo", "report", "explore"}
FLEET = {verb.words for verb in VERBS if verb.words.startswith("fleet ")}  # tests/verbs/test_fleets.py


def test_every_verb_stands_in_the_cases():
    lines = [*READING, *(line for line, _, _ in CHANGING)]
    said = {verb.words for line in lines for verb in [grammar.parse(shlex.split(line), SHELL)[0]]}
    assert said | ELSEWHERE | FLEET == {verb.words for verb in VERBS}


def steady(frame):
    """Drop the columns that go on with the clock."""
    return frame.drop(columns=["age_days", "idle_days", "expires_in_days"], errors="ignore")


@pytest.mark.parametrize("line", READING)
def test_the_shell_and_the_magic_give_the_same_rows(notebook, company, names, capsys, line):
    line = line.format(**names)
    answer = notebook.run_line_magic("tokens", line)
    assert f"{company.host}: " in capsys.readouterr().out  # an answer says which workspace it is from
    code = 1 if line.startswith("find-leaked") else 0  # it found one
    assert cli.main([*shlex.split(line), "--output", "json"]) == code
    records = json.loads(capsys.readouterr().out)
    frame = cli.as_frame(answer)
    same = [{name: record[name] for name in steady(frame).columns} for record in records]
    assert same == json.loads(json.dumps(export.records(steady(frame))))
    assert len(records) == len(frame)
    assert len(frame) or line.startswith("journal") or "idle" in line or line.count("earlier") == 2


@pytest.mark.parametrize(("line", "shown", "survives"), CHANGING)
@pytest.mark.parametrize("door", [MAGIC, SHELL])
def test_every_changing_verb_does_what_it_says(notebook, company, names, capsys, door, line, shown, survives):
    line, shown = line.format(**names), shown.format(**names)
    if door == MAGIC:
        answer = notebook.run_line_magic("tokens", line)
        printed = capsys.readouterr().out + cli.as_frame(answer).to_string(max_colwidth=80)
        shown = company.host if shown == "sandbox" else shown
    else:
        assert cli.main(shlex.split(line)) == 0
        printed = capsys.readouterr().out
        shown = {"sandbox": company.host, "token_id": "Nothing found"}.get(shown, shown)
    assert shown in printed
    assert (names["token"] in company.workspaces[0].state.tokens.ids()) == survives


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("revok", "Did you mean revoke?"),
        ("permissions sho", "no verb 'permissions sho'. Did you mean show?"),
        ("permissions add group:analyst", "There is no group 'analyst'. Did you mean analysts?"),
        ("permissions set group:admins user:An@example.com --dry-run", "There is no user 'An@example.com'."),
        ("update {token}", "--comment or --scopes"),
        ("list --where 'owner == terraform'", "text goes in quotes"),
        ("journal --run 2026", "has no run '2026'"),
        ("changes nope.parquet", "nope.parquet"),
        ("revoke", "Say which tokens"),
        ("revoke --limit 5", "Say which tokens"),
        ("revoke 0123456789", "no token '0123456789'"),
        ("revoke abc", "too short"),
        ("revoke --where 'ownr == 1'", "Did you mean owner?"),
        ("revoke {token}", "add --yes"),
        ("revoke {token} --ys", "Did you mean --yes?"),
        ("get", "required: ID"),
        ("get 0123456789", "no token '0123456789'"),
        ("get ''", "at least 8 characters"),
        ("update {token}", "Say what to change"),
        ("update {token} --comment x", "add --yes"),
        ("scopes --narrow", "add --yes"),
        ("scopes --where 'advise == 1'", "Did you mean advice?"),
        ("permissions", "show, levels, set, add"),
        ("permissions sho", "Did you mean show?"),
        ("permissions set", "required: ENTRY"),
        ("permissions set analysts", "group:NAME"),
        ("permissions set grop:analysts", "Did you mean group?"),
        ("permissions set group:data-engineers", "add --yes"),
        ("permissions add group:x=CAN_FLY", "CAN_USE or CAN_MANAGE"),
        ("create-obo terrafrm --secret tokenkit/x", "Did you mean terraform?"),
        ("create-obo terraform --secret nowhere/x", "no secret scope 'nowhere'"),
        ("create-obo terraform --secret x", "SCOPE/KEY"),
        ("create-obo terraform --lifetime 90 --secret tokenkit/x", "Write 90d for days"),
        ("resume 2026", "no run '2026'"),
        ("undo 2026", "no run '2026'"),
        ("audit --rule no-expiri", "Did you mean no-expiry?"),
        ("audit --skip nothing", "no rule 'nothing'"),
        ("audit --threshold 45", "write RULE.NAME=VALUE"),
        ("audit --threshold unusd.idle_days=45", "Did you mean unused?"),
        ("audit --threshold unused.idle_day=45", "Did you mean idle_days?"),
        ("audit --threshold no-expiry.days=45", "It has none."),
        ("audit --threshold unused.idle_days=long", "idle_days of unused is a number"),
        ("audit --accept nowhere.toml", "nowhere.toml cannot be read"),
        ("access --where hold_without_right", "Did you mean holds_without_right?"),
        ("report --to audit.pdf", ".html, .csv, .json, .xlsx"),
        ("report --to nowhere/audit.html", "No such file or directory"),
        ("list --to tokens.txt", ".csv, .json, .xlsx"),
        ("list --to nowhere/tokens.csv", "No such file or directory"),
        ("journal --rn x", "Did you mean --run or --runs?"),
        ("changes", "has no snapshot yet"),
        ("changes nowhere.parquet", "no such file"),
        ("find-leaked something", "does not belong into a command"),
        ("find-leaked --file nowhere.txt", "cannot be read: No such file"),
        ("find-leaked --report {earlier}", "not a report of gitleaks"),
        ("connect nowhere", "nowhere"),
        ("connect sandbox --profile prod", "Give one"),
        ("--profile prod list", "Options come after the verb"),
        ("list --sort -idle_days", "is written with =, as in --sort=-idle_days"),
        ("list --where \"idle_days > '60'\"", "Write a number without quotes"),
        ("list --where \"scopes == 'all-apis'\"", "Write 'all-apis' in scopes"),
        ("revoke --where \"status == 'actve'\" --yes", "Did you mean active?"),
        ("revoke --owner nobody --yes", "owner 'nobody' is unknown"),
        ("revoke --owner terraform --owner nobody --yes", "owner 'nobody' is unknown"),
        ("revoke --created-by nobody --yes", "created_by 'nobody' is unknown"),
        ("scopes --narrow --owner nobody --yes", "owner 'nobody' is unknown"),
        ("scopes --narrow --created-by nobody --yes", "created_by 'nobody' is unknown"),
        ("revoke {token} --owner nobody --yes", "owner 'nobody' is unknown"),
        ("list --limit 5 --limit 6", "--limit is given twice"),
        ("create-obo terraform --lifetime 0d --secret ops/x", "at most 730d"),
        ("create-obo terraform --lifetime never --secret ops/x", "at most 730d"),
        ("create-obo terraform --lifetime 129600 --secret ops/x", "129600 seconds are 36h"),
        ("audit --rule IA4", "Did you mean IA-4?"),
        ("permissions add group:x=CAN_USEE", "no level 'CAN_USEE'"),
        ("permissions add group:", "names nobody"),
    ],
)
@pytest.mark.parametrize("door", [MAGIC, SHELL])
def test_every_mistake_is_one_line_that_says_what_to_do_and_changes_nothing(
    notebook, company, names, capsys, monkeypatch, door, line, words
):
    before = company.workspaces[0].state.tokens.ids()
    line = line.format(**names)
    monkeypatch.setattr("sys.stdin", io.StringIO())  # nobody is there to answer
    if door == MAGIC:
        result = notebook.run_cell(f"%tokens {line}")
        printed = capsys.readouterr().out
        assert isinstance(result.error_in_exec, tokenkit.TokenKitError)
        assert "Traceback" not in printed
        problem = [each for each in printed.splitlines() if "Error: " in each]
        assert len(problem) == 1
        printed = problem[0]
    else:
        assert cli.main(shlex.split(line)) == 2
        printed = capsys.readouterr().err.splitlines()[-1]
    assert words in printed
    assert company.workspaces[0].state.tokens.ids() == before


def test_a_refused_secret_takes_the_new_token_back(company, capsys):
    before = company.workspaces[0].state.tokens.ids()
    company.faults.add(tokenkit.sandbox.Fault(method="POST", path="*/secrets/put", status=403))
    assert cli.main(["create-obo", "terraform", "--secret", "tokenkit/x"]) == 2
    assert "was revoked again" in capsys.readouterr().err
    assert company.workspaces[0].state.tokens.ids() == before


def test_create_obo_in_a_shell_wants_somewhere_for_the_value_and_shows_it_only_when_told(company, capsys):
    assert cli.main(["create-obo", "terraform"]) == 2
    assert "--show-value" in capsys.readouterr().err
    assert cli.main(["create-obo", "terraform", "--show-value", "--lifetime", "1d"]) == 0
    value = capsys.readouterr().out.strip()
    assert tokenkit.connect(host=company.host, token=value).me() != "admin@example.com"
    assert cli.main(["create-obo", "terraform", "--secret", "tokenkit/x", "--lifetime", "1d", "--output", "json"]) == 0
    stored = company.workspaces[0].state.secrets.value("tokenkit", "x")
    printed = capsys.readouterr()
    assert stored not in printed.out + printed.err


@pytest.mark.parametrize("line", ["list --to tokens.xls", "report --to audit.pdf", "changes nope.parquet"])
def test_a_file_that_cannot_be_is_refused_before_the_workspace_is_asked(company, names, line):  # noqa: ARG001 - profiles
    company.requests.clear()
    assert cli.main(shlex.split(line)) == 2
    assert not list(company.requests)


def test_a_run_that_left_something_is_exit_code_1_and_resume_finishes_it(company, names, capsys):
    company.faults.add(tokenkit.sandbox.Fault(method="DELETE", status=400, times=1))
    assert cli.main(["revoke", names["token"], "--yes", "--output", "json"]) == 1
    assert json.loads(capsys.readouterr().out)[0]["outcome"] == "failed"
    assert cli.main(["journal", "--output", "json"]) == 0
    run_id = json.loads(capsys.readouterr().out)[0]["run_id"]
    assert cli.main(["resume", run_id, "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["outcome"] == "revoked"


@pytest.mark.usefixtures("company")
def test_your_own_tokens_are_left_out_and_that_is_said_also_in_a_pipe(capsys):
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
    accepted = tmp_path / "accepted.toml"
    accepted.write_text('[[accept]]\nrule = "no-comment"\nowner = "*"\nreason = "later"\nuntil = 9999-12-31\n')
    line = ["audit", "--rule", "no-comment", "--fail-on", "low", "--accept", str(accepted)]
    assert cli.main(line) == 0
    accepted.write_text(accepted.read_text().replace("9999", "2020"))
    capsys.readouterr()
    assert cli.main(line) == 1
    assert "Expired on 2020-12-31: the acceptance of no-comment for owner *." in capsys.readouterr().err
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi" + "0" * 32)
    assert cli.main(["audit", "--fail-on", "high"]) == 3


@pytest.mark.usefixtures("company")
def test_the_summary_of_an_audit_is_a_row_for_each_rule(capsys):
    assert cli.main(["audit", "--summary", "--output", "json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert {"rule", "title", "severity", "findings", "accepted", "why", "remedy", "not_checked"} == set(summary[0])
    assert len(summary) == 15


def test_thresholds_that_are_lists_are_typed_with_commas(notebook):
    audit = notebook.run_line_magic("tokens", "audit --rule wide-scope --threshold wide-scope.scopes=jobs,files")
    assert audit.findings["evidence"].isin(["granted jobs", "granted files", "granted jobs, files"]).all()
    assert len(audit.findings) > 0


def test_the_explorer_opens_in_a_notebook_and_a_shell_says_where_it_is(notebook, company, capsys):
    screen = notebook.run_line_magic("tokens", "explore --where \"status == 'active'\"")
    assert set(screen.filtered["status"]) == {"active"}
    assert repr(screen).endswith(f"on {company.host}>")
    assert cli.main(["explore"]) == 2
    assert "%tokens explore" in capsys.readouterr().err


def test_an_id_that_a_variable_holds_is_put_in(notebook, names):
    notebook.user_ns["token_id"] = names["token"]
    notebook.run_cell("r = %tokens revoke $token_id --yes")
    assert notebook.user_ns["r"]["outcome"].tolist() == ["revoked"]


@pytest.mark.parametrize("ending", ["csv", "json", "xlsx"])
@pytest.mark.parametrize("door", [MAGIC, SHELL])
def test_a_listing_goes_into_the_file_that_is_named_and_replacing_one_is_said(notebook, capsys, tmp_path, ending, door):
    line = f"list --columns token_id,owner_id,comment --limit 5 --to {tmp_path}/tokens.{ending}"
    for _ in range(2):
        path = Path(tmp_path / f"tokens.{ending}")
        there = path.exists()
        if door == MAGIC:
            assert notebook.run_line_magic("tokens", line) == path
            assert ("is replaced" in capsys.readouterr().out) == there
        else:
            assert cli.main(shlex.split(line)) == 0
            assert capsys.readouterr().out == f"{path}\n"
    read = {"csv": pd.read_csv, "json": pd.read_json, "xlsx": pd.read_excel}[ending]
    assert (
        read(path, dtype=str)["owner_id"].tolist() == tokenkit.connect().tokens()["owner_id"][:5].astype(str).tolist()
    )


@pytest.mark.parametrize("door", [MAGIC, SHELL])
def test_a_report_goes_into_the_file_that_is_named_and_replacing_one_is_said(
    notebook, capsys, tmp_path, monkeypatch, door
):
    monkeypatch.chdir(tmp_path)
    for line, name in [("report", "audit.html"), ("report --rule no-expiry --to audit.html", "audit.html")]:
        there = Path(name).exists()
        if door == MAGIC:
            assert notebook.run_line_magic("tokens", line) == Path(name)
            assert ("is replaced" in capsys.readouterr().out) == there
        else:
            assert cli.main(shlex.split(line)) == 0
            assert capsys.readouterr().out == f"{name}\n"
    text = Path(name).read_text("utf-8")
    assert "Token audit of" in text
    assert "1 of 1 rules checked" in text


def test_a_frame_of_the_magic_is_what_python_gives(notebook):
    pd.testing.assert_frame_equal(
        steady(notebook.run_line_magic("tokens", "list")), steady(tokenkit.connect().tokens())
    )
