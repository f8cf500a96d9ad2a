"""Fifty values are planted in a repository and twenty of them work: those are found, and no value is anywhere else."""

import contextlib
import io
import json
import logging
import os
import pty
import re
import secrets
import shlex
import subprocess
import sys
import traceback
from pathlib import Path

import nbformat
import pytest
import requests
from nbclient import NotebookClient

import tokenkit
from tests.conftest import NOW
from tests.review.test_leaks import gitleaks, trufflehog
from tokenkit import cli, errors
from tokenkit.commands import returned
from tokenkit.core.home import home
from tokenkit.magic import TokensMagics
from tokenkit.sandbox import Fault

SAMPLES = Path(__file__).parent.parent / "samples" / "scanners"
LIVE, PLANTED = 20, 50
DAY_MS = 86_400_000
_PATTERN = re.compile(r"dapi[0-9a-f]{32}")


@pytest.fixture
def company(fresh_sandbox, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", fresh_sandbox.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", fresh_sandbox.token)
    return fresh_sandbox


@pytest.fixture
def live(company):
    """Values of tokens that work, by their ids."""
    tokens = company.workspaces[0].state.tokens
    owner = tokens.infos()[-1]
    now_ms = round(NOW.timestamp() * 1000)
    minted = [
        tokens.mint(
            owner_id=owner["owner_id"],
            created_by_id=owner["owner_id"],
            created_by_username="ann",
            creation_time=now_ms,
            expiry_time=now_ms + 30 * DAY_MS,
            # A comment contains a value, too.
            comment=None if number else f"see dapi{secrets.token_hex(16)}",
        )
        for number in range(LIVE)
    ]
    return {each.info["token_id"]: each.value for each in minted}


@pytest.fixture
def values(live, company):
    """All that are planted, the working ones between the others, and the one in a comment."""
    others = [f"dapi{secrets.token_hex(16)}" for _ in range(PLANTED - LIVE)]
    planted = [value for pair in zip(others, live.values(), strict=False) for value in pair] + others[LIVE:]
    assert len(set(planted)) == PLANTED
    (in_a_comment,) = [
        match[0]
        for info in company.workspaces[0].state.tokens.infos()
        if info["token_id"] in live
        for match in _PATTERN.finditer(info.get("comment", ""))
    ]
    return [*planted, in_a_comment]


@pytest.fixture
def repository(tmp_path, values):
    """A repository with fifty values in ten files of different kinds, committed."""
    folder = tmp_path / "repository"
    folder.mkdir()
    forms = [
        "token = '{}'",
        "DATABRICKS_TOKEN={}",
        '  "token": "{}",',
        "curl -H 'Authorization: Bearer {}'",
        "# {} old",
    ]
    for number in range(10):
        lines = [forms[n].format(value) for n, value in enumerate(values[5 * number : 5 * number + 5])]
        (folder / f"file{number}.txt").write_text("\n\n".join(["nothing here", *lines]))
    git = ["git", "-c", "user.name=ann", "-c", "user.email=ann@example.com", "-C", str(folder)]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "all of it"]):
        subprocess.run([*git, *command], check=True)
    return folder


@pytest.fixture
def reports(repository, tmp_path):
    """Reports of the repository in the formats of gitleaks and trufflehog."""
    commit = subprocess.run(
        ["git", "-C", str(repository), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    )
    commit = commit.stdout.strip()
    seen = [
        (match[0], file.name, line)
        for file in sorted(repository.glob("*.txt"))
        for line, text in enumerate(file.read_text().splitlines(), 1)
        for match in _PATTERN.finditer(text)
    ]
    assert len(seen) == PLANTED
    found = [gitleaks(value, File=file, StartLine=line, Commit=commit) for value, file, line in seen]
    (tmp_path / "gitleaks.json").write_text(json.dumps(found, indent=1))
    found = [trufflehog(value, {"Git": {"commit": commit, "file": file, "line": line}}) for value, file, line in seen]
    (tmp_path / "trufflehog.json").write_text("".join(f"{json.dumps(each)}\n" for each in found))
    (tmp_path / "list.txt").write_text("\n".join(value for value, _, _ in seen))
    return tmp_path


def assert_clean(text, values):
    assert [value for value in values if value in text or value.removeprefix("dapi") in text] == []


def assert_clean_folder(folder, values):
    files = [each for each in folder.rglob("*") if each.is_file()]
    assert files
    for file in files:
        assert_clean(file.read_bytes().decode("latin-1"), values)
        if file.suffix == ".parquet":  # compressed
            assert_clean(tokenkit.read_snapshot(file).to_csv(), values)


@pytest.mark.parametrize(
    ("kind", "name"), [("report", "gitleaks.json"), ("report", "trufflehog.json"), ("file", "list.txt")]
)
def test_the_twenty_valid_tokens_are_found_and_revoked_without_showing_a_value(
    company, connected, reports, live, values, caplog, capsys, kind, name
):
    caplog.set_level(logging.DEBUG)
    ws = connected(company)
    leaks = ws.find_leaked(**{kind: reports / name})
    assert set(leaks.tokens["token_id"]) == set(live)
    assert (leaks.looked_for, leaks.unmatched, len(leaks.occurrences)) == (PLANTED, PLANTED - LIVE, PLANTED)
    assert leaks.tokens["matched_as"].eq("value").all()
    place = r"file\d\.txt:\d+" if kind == "report" else r".*list\.txt:\d+"
    assert leaks.occurrences["location"].str.fullmatch(place).all()

    before = ws.snapshot()
    plan = leaks.revoke(reason="in a repository")
    assert set(plan.token_ids) == set(live)
    result = plan.apply(progress=False)
    assert result["outcome"].tolist() == ["revoked"] * LIVE
    changes = tokenkit.changes(before, ws.tokens())
    assert changes["cause"].tolist() == ["revoked_by_tokenkit"] * LIVE

    shown = [leaks, leaks.tokens, leaks.occurrences, plan, plan.preview(), result, changes, ws.journal()]
    texts = [repr(each) + (each._repr_html_() or "") for each in shown]
    texts += [each.to_csv() for each in shown if hasattr(each, "to_csv")]
    assert caplog.text
    assert_clean("".join(texts) + caplog.text + str(capsys.readouterr()), values[:PLANTED])
    assert_clean("".join(str(vars(each)) for each in (leaks, plan)), values[:PLANTED])
    assert_clean("".join(f"{each.path} {each.query}" for each in company.requests), values)
    assert_clean_folder(ws.folder, values)


@pytest.mark.usefixtures("company")
@pytest.mark.parametrize("output", ["table", "json", "csv"])
def test_the_shell_finds_them_and_prints_no_value(reports, live, values, capsys, output, tmp_path):
    code = cli.main(["find-leaked", "--report", str(reports / "gitleaks.json"), "--output", output])
    printed = capsys.readouterr()
    assert code == 1
    assert all(token_id in printed.out for token_id in live)
    heading, *lines, command = printed.err.splitlines()
    assert heading == "These values matched no token here. They may still be valid in another workspace:"
    assert len(lines) == PLANTED - LIVE
    assert all(re.fullmatch(r"  file\d\.txt:\d+ \([0-9a-f]{40}\)", line) for line in lines)
    assert set(live) == set(re.findall(r"[0-9a-f]{64}", command))
    assert cli.main([*shlex.split(command.partition("tokenkit ")[2]), "--yes"]) == 0
    assert cli.main(["find-leaked", "--report", str(reports / "gitleaks.json"), "--exit-zero"]) == 0
    assert "To revoke" not in capsys.readouterr().err
    assert_clean(printed.out + printed.err, values)
    assert cli.main(["snapshot"]) == 0
    assert_clean_folder(tmp_path / "home", values)


# Each sample's exit code, how many locations matched nothing, and how many cannot be compared.
ENDS = {
    "detect-secrets.baseline": (3, 0, 1),
    "ggshield-hidden.json": (3, 0, 1),
    "github-alerts.json": (1, 2, 0),
    "gitleaks7.json": (1, 1, 0),
    "gitleaks8-no-leaks.json": (0, 0, 0),
    "gitleaks8-oauth-secret.json": (1, 1, 0),
    "gitleaks8-one-ends-in-dots.json": (1, 1, 0),
    "gitleaks8-redact-20.json": (3, 0, 1),
    "gitleaks8.json": (1, 3, 0),
    "gitleaks8.sarif": (1, 1, 0),
    "trufflehog2.jsonl": (1, 1, 0),
    "trufflehog3-from-a-terminal.jsonl": (1, 2, 0),
    "trufflehog3-log-only.jsonl": (0, 0, 0),
    "trufflehog3-with-its-log.jsonl": (1, 4, 0),
    "trufflehog3.jsonl": (1, 4, 0),
}


@pytest.mark.usefixtures("company")
def test_the_exit_code_says_whether_a_value_was_found_or_could_not_be_compared(capsys, values):
    assert set(ENDS) == {file.name for file in SAMPLES.iterdir()}
    for name, (code, unmatched, hidden) in ENDS.items():
        assert cli.main(["find-leaked", "--report", str(SAMPLES / name)]) == code, name
        printed = capsys.readouterr().err
        assert printed.count("\n  ") == unmatched + hidden, name
        assert ("not an all-clear" in printed) == bool(hidden)
        assert_clean(printed, values)
        assert cli.main(["find-leaked", "--report", str(SAMPLES / name), "--exit-zero"]) == (3 if hidden else 0), name
        capsys.readouterr()


@pytest.mark.usefixtures("company")
@pytest.mark.parametrize("argv", [["--report", "-"], ["--file", "-"], ["-"]])
def test_a_report_comes_through_a_pipe(reports, live, values, argv):
    command = [sys.executable, "-m", "tokenkit", "find-leaked", *argv, "--output", "json"]
    with (reports / "gitleaks.json").open("rb") as report:
        done = subprocess.run(command, stdin=report, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert {record["token_id"] for record in json.loads(done.stdout)} == set(live)
    assert_clean(done.stdout + done.stderr, values)


@pytest.mark.usefixtures("company")
def test_a_notebook_has_no_standard_input(ipython):
    with pytest.raises(errors.UsageError, match="which must be a pipe or a file"):
        TokensMagics(ipython).tokens("find-leaked --report -")


def test_a_fleet_names_the_workspace_of_a_leaked_token(own_companies, monkeypatch, tmp_path, capsys):
    profiles, report, owned = [], [], {}
    for number, workspace in enumerate(own_companies.workspaces[:2]):
        profiles.append(f"[p{number}]\nhost = {workspace.host}\ntoken = {workspace.token}\n")
        value = tokenkit.connect(host=workspace.host, token=workspace.token).token_management.create_obo_token(
            own_companies.client_id
        )
        owned[value.token_info.token_id] = workspace.host
        report.append(gitleaks(value.token_value, StartLine=number + 1))
    report.append(gitleaks(f"dapi{secrets.token_hex(16)}", StartLine=9))
    (tmp_path / "r.json").write_text(json.dumps(report))
    (tmp_path / "cfg").write_text("".join(profiles))
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "cfg"))
    command = ["fleet", "find-leaked", "--report", str(tmp_path / "r.json"), "--profiles", "p0,p1"]
    assert cli.main([*command, "--output", "json"]) == 1
    printed = capsys.readouterr()
    assert {record["token_id"]: record["workspace"] for record in json.loads(printed.out)} == owned
    assert "matched no token here" in printed.err
    assert "conf/app.py:9 (a1b2c3)" in printed.err
    *_, revoke = printed.err.splitlines()
    assert revoke.endswith(" --reason leaked --profiles p0,p1")
    assert cli.main([*shlex.split(revoke.partition("tokenkit ")[2]), "--yes"]) == 0
    assert cli.main(command) == 1
    assert "To revoke" not in capsys.readouterr().err


def test_a_fleet_with_a_failed_workspace_reports_it_and_finds_the_rest(companies, fleet, capsys):
    down = companies.workspaces[1]
    companies.faults.add(Fault(path="*/token-management/tokens", workspace_id=down.workspace_id, status=403))
    found = fleet.find_leaked(f"dapi{secrets.token_hex(16)}")
    assert (found.looked_for, found.unmatched) == (1, 1)
    assert fleet.errors["workspace"].tolist() == [down.host]
    assert "find_leaked: the result is partial" in capsys.readouterr().err


@pytest.fixture
def of_account(own_companies, monkeypatch):
    """A fleet of every workspace of an account, found as an admin names it."""
    for name in ("account_id", "client_id", "client_secret"):
        monkeypatch.setenv(f"DATABRICKS_{name.upper()}", getattr(own_companies, name))
    return tokenkit.fleet(account=own_companies.account_host, progress=False)


def test_an_oauth_secret_is_looked_for_among_those_of_the_account(own_companies, of_account, tmp_path, capsys):
    other = f"dose{secrets.token_hex(16)}"
    (tmp_path / "leaked.txt").write_text(f"a: {own_companies.client_secret} b: {other}\n")
    found = of_account.find_leaked(file=tmp_path / "leaked.txt")
    (secret,) = found.oauth_secrets.to_dict("records")
    assert secret["application_id"] == own_companies.client_id
    assert secret["status"] == "ACTIVE"
    assert secret["location"].endswith("leaked.txt:1")
    assert found.occurrences["secret_id"].tolist().count(secret["secret_id"]) == 1
    assert len(found.occurrences) == 2
    command = ["fleet", "find-leaked", "--file", str(tmp_path / "leaked.txt"), "--account", own_companies.account_host]
    assert cli.main(command) == 1
    printed = capsys.readouterr().err
    assert f"({own_companies.client_id}), secret {secret['secret_id']}, ACTIVE" in printed
    assert "the input of those hashes is not documented" in printed
    assert_clean(printed + repr(found) + found._repr_html_(), [own_companies.client_secret, other])


def test_the_secrets_of_the_account_are_listed_only_if_one_leaked(own_companies, of_account):
    own_companies.requests.clear()
    found = of_account.find_leaked(f"dapi{secrets.token_hex(16)}")
    assert found.oauth_secrets is None
    assert not [each for each in own_companies.requests if each.path.endswith("/secrets")]


def test_an_account_that_does_not_list_its_secrets_is_an_error_of_the_fleet_and_no_all_clear(own_companies, of_account):
    own_companies.faults.add(Fault(path="*/credentials/secrets", status=403))
    found = of_account.find_leaked(own_companies.client_secret)
    assert found.oauth_secrets is None
    assert "could not be listed" in of_account.errors["message"].iloc[0]
    assert "This is an OAuth secret of a service principal (dose…), not a token. Delete" in str(found.notes())


@pytest.mark.usefixtures("company")
def test_a_saved_notebook_holds_no_value(reports, live, values):
    code = [
        "%load_ext tokenkit",
        f"leaks = %tokens find-leaked --report {reports}/trufflehog.json\nleaks",
        "import tokenkit\nws = tokenkit.connect()\nplan = leaks.revoke()\nplan",
        "plan.apply()",
        "leaks.occurrences",
        "%xmode Verbose",
        f"ws.find_leaked(report='{reports}/broken.json')",
        "tokens = ws.find_leaked(open('" + f"{reports}/list.txt" + "').read().split())\ntokens",
        f"%tokens find-leaked {values[0][:4]}nothing",
    ]
    (reports / "broken.json").write_text((reports / "trufflehog.json").read_text()[:-40])
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in code])
    NotebookClient(notebook, kernel_name="python3", timeout=60, allow_errors=True).execute()
    saved = nbformat.writes(notebook)
    assert all(token_id in saved for token_id in list(live)[:5])
    assert "20 of " in saved
    assert "is truncated" in saved
    assert "Do not type a token value" in saved
    assert_clean(saved, values)


@pytest.mark.usefixtures("company")
@pytest.mark.parametrize(
    "line", ["find-leaked {}", "find-leaked --profile x {}", "find-leaked --file {}", "find-leaked --report {}"]
)
def test_a_value_in_a_command_is_rejected_and_not_repeated(values, line, capsys):
    assert cli.main(line.format(values[0]).split()) == 2
    printed = capsys.readouterr()
    assert "looks like a token value" in printed.err or "Do not type a token value" in printed.err
    assert_clean(printed.out + printed.err, values)


@pytest.mark.usefixtures("company")
@pytest.mark.parametrize("line", ["get {}", "list {}", "list --status {}", "{}", "revoke {}"])
def test_a_value_in_another_command_is_not_repeated_either(values, line, capsys):
    assert cli.main(line.format(values[0]).split()) == 2
    printed = capsys.readouterr()
    assert "[redacted]" in printed.err
    if line in {"get {}", "revoke {}"}:
        assert "looks like a token value, not a token ID" in printed.err
        assert printed.err.endswith("tokenkit find-leaked\n")
    assert_clean(printed.out + printed.err, values)


@pytest.mark.usefixtures("company")
def test_a_value_in_a_line_of_a_cell_is_not_repeated(values, ipython):
    with pytest.raises(errors.UsageError, match="Line 2, 'find-leaked") as caught:
        TokensMagics(ipython).tokens("", f"find-leaked {values[0]}")
    assert_clean(str(caught.value), values)


@pytest.mark.usefixtures("company")
def test_without_a_terminal_the_error_names_the_options(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert cli.main(["find-leaked"]) == 2
    assert "Use --file with a file of values" in capsys.readouterr().err


def test_a_terminal_asks_and_shows_nothing_of_what_is_typed(company, live, values):
    (token_id, value), *_ = live.items()
    terminal, its_end = pty.openpty()
    command = [sys.executable, "-m", "tokenkit", "find-leaked", "--output", "json"]
    process = subprocess.Popen(command, stdin=its_end, stdout=its_end, stderr=its_end, start_new_session=True)
    os.close(its_end)
    shown = b""
    for reply in (value, values[0], ""):
        while not shown.endswith(b"to finish): "):
            shown += os.read(terminal, 1)
        os.write(terminal, reply.encode() + b"\n")
        shown += os.read(terminal, 1)
    with contextlib.suppress(OSError):  # Linux: the terminal is closed
        while piece := os.read(terminal, 4096):
            shown += piece
    os.close(terminal)
    assert process.wait() == 1
    assert token_id in shown.decode()
    assert f"{company.host}: 1 of 2 values matched a token here" in shown.decode()
    assert_clean(shown.decode(), values)


@pytest.mark.parametrize("given", [{"values": "x", "file": "y"}, {"file": "x", "report": "y"}])
def test_several_sources_are_an_error(workspace, given):
    with pytest.raises(errors.UsageError, match="Use one of them"):
        workspace.find_leaked(**given)


def test_values_are_not_in_the_frames_of_an_error_that_comes_later(company, connected, live):
    ws = connected(company)
    company.faults.add(Fault(path="*/token-management/tokens", status=500))
    values = list(live.values())
    with pytest.raises(errors.UnavailableError) as caught:
        ws.find_leaked(values)
    stack = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    inside = [
        frame for frame in stack if f"{os.sep}tokenkit{os.sep}" in frame.filename and "test_" not in frame.filename
    ]
    assert len(inside) > 1
    assert_clean("".join(str(frame.locals) for frame in inside), values)


def test_nothing_found_makes_a_plan_of_nothing(workspace):
    nothing = workspace.find_leaked(f"dapi{secrets.token_hex(16)}")
    assert (nothing.looked_for, nothing.unmatched) == (1, 1)
    assert len(nothing.revoke()) == 0


@pytest.mark.parametrize(
    ("text", "compared"),
    [
        ("nothing to see here\n", 0),
        ("", 0),
        ("hello\n", 1),
        ("README\nLICENSE\nREADME\n", 3),
        ("{}", 1),
        ("hunter2\n", 1),
    ],
)
@pytest.mark.usefixtures("company")
def test_a_text_without_a_value_exits_with_0_and_a_message(tmp_path, capsys, text, compared):
    (tmp_path / "notes.txt").write_text(text)
    assert cli.main(["find-leaked", "--file", str(tmp_path / "notes.txt")]) == 0
    printed = capsys.readouterr()
    assert "no value found" in printed.err
    assert (f"{compared} line" in printed.err) == bool(compared)
    assert "may still be valid" not in printed.err


@pytest.mark.usefixtures("company")
def test_a_line_of_no_known_form_is_found_if_it_is_a_token_here_and_a_masked_value_is_no_all_clear(
    tmp_path, capsys, live
):
    value = next(iter(live.values()))
    for name, text, code in (
        ("live", value, 1),
        ("other", "dapi" + "0" * 32, 1),
        ("masked", "dapi12**************", 3),
    ):
        (tmp_path / name).write_text(f"{text}\n")
        assert cli.main(["find-leaked", "--file", str(tmp_path / name)]) == code, name
        assert "no value found" not in capsys.readouterr().err


def test_a_report_with_findings_of_the_same_value_counts_findings_and_values(company, tmp_path):
    (tmp_path / "r.json").write_text(json.dumps([gitleaks(company.token), gitleaks(company.token, File="ci.yml")]))
    found = tokenkit.connect().find_leaked(report=tmp_path / "r.json")
    assert found.headline() == "1 of 1 value (2 occurrences) matched a token here"
    (tmp_path / "r.json").write_text(json.dumps([gitleaks(company.token)]))
    assert tokenkit.connect().find_leaked(report=tmp_path / "r.json").headline() == "1 of 1 value matched a token here"


def test_the_token_that_the_session_signs_in_with_is_named_with_what_to_do(
    own_companies, monkeypatch, tmp_path, capsys
):
    first = own_companies.workspaces[0]
    create, signed = f"{first.host}/api/2.0/token/create", {"Authorization": f"Bearer {first.token}"}
    made = requests.post(create, headers=signed, timeout=10).json()
    value, token_id = made["token_value"], made["token_info"]["token_id"]
    (tmp_path / "r.json").write_text(json.dumps([gitleaks(value)]))
    (tmp_path / "cfg").write_text(f"[p]\nhost = {first.host}\ntoken = {value}\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "cfg"))
    said = "This session signs in with this token. Use another credential, and revoke it with "
    for line in (["find-leaked", "--profile", "p"], ["fleet", "find-leaked", "--profiles", "p"]):
        assert cli.main([*line, "--report", str(tmp_path / "r.json")]) == 1
        printed = capsys.readouterr().err
        assert f"{said}--include-own:\n  {token_id}\n" in printed
        assert "To revoke it" not in printed  # which would leave it out
        assert value not in printed
    found = tokenkit.connect("p").find_leaked(report=tmp_path / "r.json")
    assert f"{said}include_own=True:" in str(found)
    assert said not in str(tokenkit.connect(host=first.host, token=first.token).find_leaked(report=tmp_path / "r.json"))


@pytest.mark.parametrize("source", [[], ["--file", "-"], ["--report", "nowhere.json"]])
def test_the_columns_are_listed_before_any_value_is_asked_for_and_without_a_request(
    company, monkeypatch, capsys, source
):
    monkeypatch.setattr("tokenkit.cli.ask_unseen", lambda _: pytest.fail("a value was asked for"))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    company.requests.clear()
    assert cli.main(["find-leaked", *source, "--columns", "help", "--output", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"token_id": "always", "owner": "always", "matched_as": "if it fits"}.items() <= {
        row["column"]: row["in_tables"] for row in rows
    }.items()
    assert list(company.requests) == []


@pytest.mark.parametrize("by", ["option", "environment", "configuration"])
def test_the_command_that_revokes_names_the_profile_whatever_chose_it(company, live, tmp_path, monkeypatch, capsys, by):
    profiles = tmp_path / "profiles"
    profiles.write_text(f"[prod]\nhost = {company.host}\ntoken = {company.token}\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(profiles))
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN"):
        monkeypatch.delenv(name)
    if by == "environment":
        monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "prod")
    if by == "configuration":
        home().mkdir()
        (home() / "config.toml").write_text('[defaults]\nprofile = "prod"\n')
    leaked = tmp_path / "leaked.txt"
    leaked.write_text(next(iter(live.values())))
    assert cli.main(["find-leaked", "--file", str(leaked), *["--profile", "prod"] * (by == "option")]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == f"To revoke it: tokenkit revoke {next(iter(live))} --reason leaked --profile prod"


@pytest.mark.parametrize("fleet", [[], ["fleet"]])
def test_a_value_whose_token_tokenkit_revoked_is_not_said_to_be_valid_elsewhere(
    company, live, tmp_path, capsys, monkeypatch, fleet
):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    ws = tokenkit.connect()
    gone, value = next(iter(live.items()))
    run = ws.revoke([gone])
    run.apply(progress=False)
    leaked = tmp_path / "leaked.txt"
    leaked.write_text(f"token = {value}\n")
    (tmp_path / "databrickscfg").write_text(f"[prod]\nhost = {company.host}\ntoken = {company.token}\n")
    where = ["--profiles", "prod"] if fleet else []
    assert cli.main([*fleet, "find-leaked", "--file", str(leaked), *where]) == 1
    said = capsys.readouterr().err
    assert "0 of 1 value matched a token here, 1 belongs to a token that tokenkit revoked." in said
    day = ws.runs()["finished_at"].iloc[0]
    assert f"Run {run.run_id} revoked the token of this value on {day:%Y-%m-%d}:\n  {leaked}:1\n" in said
    assert f"To show the run: tokenkit journal --run {run.run_id}\n" in said
    assert "may still be valid" not in said
    found = ws.find_leaked(value)
    assert (found.unmatched, found.revoked["run_id"].tolist()) == (0, [run.run_id])
    assert (len(found.tokens), found.rows["status"].tolist()) == (0, ["revoked"])


def test_a_token_that_tokenkit_revoked_in_another_workspace_is_named_with_it_and_is_not_a_row(
    own_companies, tmp_path, capsys, monkeypatch
):
    first, second, *_ = own_companies.workspaces
    other = tokenkit.connect(host=second.host, token=second.token)
    created = other.token_management.create_obo_token(other.service_principals()["application_id"].iloc[0])
    plan = other.revoke(created.token_info.token_id, include_own=True)
    plan.apply(progress=False)
    leaked = tmp_path / "leaked.txt"
    leaked.write_text(f"{created.token_value}\n")
    monkeypatch.setenv("DATABRICKS_HOST", first.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", first.token)
    assert cli.main(["find-leaked", "--file", str(leaked), "--output", "json"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out) == []
    assert f"Run {plan.run_id} of {other.name} revoked the token of this value on " in printed.err
    assert f"tokenkit journal --run {plan.run_id}\n" in printed.err
    (tmp_path / "databrickscfg").write_text(
        "".join(f"[{name}]\nhost = {each.host}\ntoken = {each.token}\n" for name, each in (("a", first), ("b", second)))
    )
    assert cli.main(["fleet", "find-leaked", "--file", str(leaked), "--profiles", "a,b", "--output", "json"]) == 1
    printed = capsys.readouterr()
    assert [row["workspace"] for row in json.loads(printed.out)] == [other.name]
    assert f"Run {plan.run_id} revoked the token of this value on " in printed.err
    assert cli.main(["fleet", "find-leaked", "--file", str(leaked), "--profiles", "a", "--output", "json"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out) == []
    assert f"Run {plan.run_id} of {other.name} revoked the token of this value on " in printed.err


@pytest.mark.parametrize("fleet", [[], ["fleet"]])
def test_a_token_that_tokenkit_revoked_is_a_row_behind_those_that_work(company, live, tmp_path, capsys, fleet):
    ws = tokenkit.connect()
    (gone, value), (works, other), *_ = live.items()
    (owner,) = ws.tokens().query("token_id == @gone")["owner"]
    ws.revoke([gone]).apply(progress=False)
    leaked = tmp_path / "leaked.txt"
    leaked.write_text(f"{value}\n{other}\nagain: {value}\n")
    (tmp_path / "databrickscfg").write_text(f"[prod]\nhost = {company.host}\ntoken = {company.token}\n")
    line = [*fleet, "find-leaked", "--file", str(leaked), *(["--profiles", "prod"] if fleet else [])]
    assert cli.main([*line, "--output", "json"]) == 1
    first, second = json.loads(capsys.readouterr().out)
    assert first["token_id"] == works
    assert first["status"] in {"active", "expired"}
    assert (second["token_id"], second["status"], second["owner"]) == (gone, "revoked", owner)
    assert (second["locations"], second["matched_as"]) == ([f"{leaked}:1", f"{leaked}:3"], "value")
    assert [*first] == [*second] == [*returned.columns_of(" ".join([*fleet, "find-leaked"]), is_plan=False)]
    assert cli.main([*line, "--columns", "token_id,comment", "--output", "csv"]) == 1
    printed = capsys.readouterr()
    assert [row.partition(",")[0] for row in printed.out.splitlines()] == ["token_id", works, gone]
    assert f" revoke {works} --reason leaked" in printed.err.splitlines()[-1]
    assert not [token for token in live if token not in (works, gone) and token in printed.out]


@pytest.mark.usefixtures("company")
@pytest.mark.parametrize(
    ("name", "text", "shown", "code"),
    [
        ("--file", f"dapi{'0' * 32}", "No token matched.", 1),
        ("--report", json.dumps([gitleaks("REDACTED", File="a.py", StartLine=1)]), "No token matched.", 3),
        ("--file", "nothing here", "Nothing found.", 0),
    ],
)
def test_nothing_is_said_to_be_found_only_if_there_was_no_value(tmp_path, monkeypatch, capsys, name, text, shown, code):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    path = tmp_path / "leaked.json"
    path.write_text(text)
    assert cli.main(["find-leaked", name, str(path)]) == code
    assert capsys.readouterr().out == f"{shown}\n"
