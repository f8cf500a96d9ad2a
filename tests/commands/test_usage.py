"""The command ``usage``: what used each token, in a shell and from a file."""

import json
import re

import pandas as pd
import pytest

import tokenkit
from tests.review.test_sign_ins import event, frame
from tokenkit import cli
from tokenkit.sandbox import Sandbox


@pytest.fixture
def sandbox(monkeypatch):
    with Sandbox(tokens=60) as sandbox:
        monkeypatch.setenv("DATABRICKS_HOST", sandbox.host)
        monkeypatch.setenv("DATABRICKS_TOKEN", sandbox.token)
        yield sandbox
        assert sandbox.errors == []


def test_the_warehouse_reads_the_sandboxs_own_history(sandbox, capsys):
    assert cli.main(["usage", "--warehouse-id", sandbox.warehouse.warehouse_id, "--output", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) > 10
    assert all(row["logins"] > 0 and row["clients"] for row in rows)
    assert any(row["matched"] for row in rows)


def test_a_table_shows_programs_and_sign_ins(sandbox, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("DATABRICKS_WAREHOUSE_ID", sandbox.warehouse.warehouse_id)
    assert cli.main(["usage", "--days", "90", "--limit", "5"]) == 0
    heading = capsys.readouterr().out.splitlines()[0]
    assert "used by" in heading.replace("\t", " ") or "clients" in heading


@pytest.mark.usefixtures("sandbox")
def test_rows_of_a_file_need_no_warehouse(tmp_path, capsys):
    rows = tmp_path / "rows.jsonl"
    frame(event("a" * 64)).to_json(rows, orient="records", lines=True)
    assert cli.main(["usage", "--rows", str(rows), "--output", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["token_id"], row["matched"]) == ("a" * 64, False)


@pytest.mark.usefixtures("sandbox")
def test_the_closing_line_counts_the_sign_ins_of_the_selected_tokens_alone(tmp_path, capsys):
    rows = tmp_path / "rows.jsonl"
    first, second, *_ = tokenkit.connect().listing()["token_id"]
    frame(event(first), event(first), event(second), event("a" * 64)).to_json(rows, orient="records", lines=True)
    assert cli.main(["usage", first, "--rows", str(rows)]) == 0
    said = capsys.readouterr().err
    assert ": 2 sign-ins with 1 selected token in the audit log; newest sign-in: " in said
    assert "of 3 tokens in the audit log" not in said
    assert cli.main(["usage", "--rows", str(rows)]) == 0
    assert "2 of 3 tokens in the audit log are in the listing" in capsys.readouterr().err
    frame(event("a" * 64)).to_json(rows, orient="records", lines=True)  # then no sign-in proves nothing
    assert cli.main(["usage", first, "--rows", str(rows)]) == 0
    assert "so the log shows nothing about the listed tokens" in capsys.readouterr().err


@pytest.mark.usefixtures("sandbox")
def test_the_closing_line_says_how_many_of_the_selected_tokens_have_a_row(tmp_path, capsys):
    rows = tmp_path / "rows.jsonl"
    ids = tokenkit.connect().listing()["token_id"].head(3)
    frame(event(ids[0]), event(ids[0]), event(ids[1])).to_json(rows, orient="records", lines=True)
    assert cli.main(["usage", *ids, "--rows", str(rows), "--output", "json"]) == 0
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)) == 2
    assert ": 3 sign-ins with 2 of 3 selected tokens in the audit log; newest sign-in: " in printed.err
    assert ": no sign-in of 1 of 3 selected tokens in the rows that were read." in printed.err


@pytest.mark.usefixtures("sandbox")
def test_selected_tokens_without_a_sign_in_are_counted_in_the_singular_and_in_the_plural(tmp_path, capsys):
    rows = tmp_path / "rows.jsonl"
    first, second, *_ = tokenkit.connect().listing()["token_id"]
    frame(event("a" * 64)).to_json(rows, orient="records", lines=True)
    for ids, expected in (
        ([first], "no sign-in of 1 selected token in the rows that were read. This does not prove that it is unused."),
        ([first, second], "no sign-in of 2 selected tokens in the rows that were read. This does not prove that they "),
    ):
        assert cli.main(["usage", *ids, "--rows", str(rows)]) == 0
        assert expected in capsys.readouterr().err


def test_a_stopped_warehouse_is_not_started_unasked(sandbox, capsys):
    sandbox.warehouse.state = "STOPPED"
    line = ["usage", "--warehouse-id", sandbox.warehouse.warehouse_id]
    assert cli.main(line) == 2
    assert "costs money" in capsys.readouterr().err
    assert sandbox.warehouse.state == "STOPPED"
    assert cli.main([*line, "--start-warehouse"]) == 0


QUESTION = "Start it? A running warehouse costs money. [y/N] "


@pytest.fixture
def stopped(sandbox, monkeypatch):
    """The sandbox with a stopped warehouse, which commands use by default."""
    sandbox.warehouse.state = "STOPPED"
    monkeypatch.setenv("DATABRICKS_WAREHOUSE_ID", sandbox.warehouse.warehouse_id)
    return sandbox


@pytest.fixture
def replies(monkeypatch):
    """Reply at a terminal."""

    def reply(*lines):
        remaining = iter(lines)
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("sys.stdin.readline", lambda: next(remaining), raising=False)

    return reply


def statements_of(sandbox):
    return [request for request in sandbox.requests if request.method == "POST" and "/api/2.0/sql/" in request.path]


LINES = ["usage", "access --usage", "audit --usage", "report --usage --to {}", "revoke --idle 1d --usage --dry-run"]


@pytest.mark.parametrize("line", LINES)
def test_at_a_terminal_each_command_asks_before_it_starts_a_stopped_warehouse(stopped, replies, tmp_path, capsys, line):
    argv = line.format(tmp_path / "audit.csv").split()
    for reply in ("n\n", "\n", "no\n", ""):
        replies(reply)
        assert cli.main(argv) == 2
        assert f"Warehouse {stopped.warehouse.warehouse_id} is stopped. {QUESTION}" in capsys.readouterr().err
        assert stopped.warehouse.state == "STOPPED"
        assert statements_of(stopped) == []
    replies("Y\n")
    assert cli.main(argv) == 0
    assert stopped.warehouse.state == "RUNNING"
    assert QUESTION in capsys.readouterr().err
    assert cli.main(argv) == 0
    assert QUESTION not in capsys.readouterr().err


@pytest.mark.usefixtures("stopped")
def test_after_the_question_a_command_reads_the_days_that_it_was_told_to_read(replies, capsys):
    replies("yes\n")
    assert cli.main(["usage", "--days", "3"]) == 0
    first_day = (pd.Timestamp.now("UTC").floor("D") - pd.Timedelta(days=3)).date()
    assert f"in the audit log since {first_day}" in capsys.readouterr().err


@pytest.mark.parametrize("line", [*LINES, "revoke --idle 1d --usage --yes"])
def test_without_a_terminal_a_stopped_warehouse_is_an_error_that_names_the_option(stopped, tmp_path, capsys, line):
    before = set(tokenkit.connect().tokens()["token_id"])
    assert cli.main(line.format(tmp_path / "audit.csv").split()) == 2
    shown = capsys.readouterr().err
    assert "--start-warehouse" in shown
    assert QUESTION not in shown
    assert (stopped.warehouse.state, statements_of(stopped)) == ("STOPPED", [])
    assert set(tokenkit.connect().tokens()["token_id"]) == before


def test_a_notebook_asks_too(stopped, ipython, monkeypatch):
    asked = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "n")
    with pytest.raises(tokenkit.WarehouseStoppedError):
        ipython.run_line_magic("tokens", "usage")
    assert (stopped.warehouse.state, statements_of(stopped)) == ("STOPPED", [])
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "y")
    assert len(ipython.run_line_magic("tokens", "usage")) > 10
    assert [question.endswith(QUESTION) for question in asked] == [True, True]


def test_a_staged_run_asks_before_it_starts_the_warehouse_of_its_evidence(sandbox, replies, capsys):
    ws = tokenkit.connect()
    usage = ws.usage(warehouse_id=sandbox.warehouse.warehouse_id)
    tokens = ws.tokens("owner_kind == 'user'", status="active")
    unused = tokens[(tokens["owner"] != ws.me()) & ~tokens["token_id"].isin(usage["token_id"])]
    token_id = unused["token_id"].iloc[0]
    run_id = ws.revoke([token_id], usage).stage(grace="0h").run_id
    sandbox.warehouse.state = "STOPPED"
    sandbox.requests.clear()
    replies("n\n")
    assert cli.main(["resume", run_id, "--yes"]) == 2
    assert (sandbox.warehouse.state, statements_of(sandbox)) == ("STOPPED", [])
    assert token_id in ws.tokens()["token_id"].tolist()
    replies("y\n")
    assert cli.main(["resume", run_id, "--yes"]) == 0
    assert QUESTION in capsys.readouterr().err
    assert sandbox.warehouse.state == "RUNNING"
    assert token_id not in ws.tokens()["token_id"].tolist()


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("days", ["0", "366"])
def test_days_that_the_log_does_not_keep_are_a_usage_error(days):
    assert cli.main(["usage", "--days", days]) == 2


@pytest.fixture
def used_rows(sandbox, tmp_path):  # noqa: ARG001 - it is what is connected to
    """A file of the log in which a token of somebody else was used by dbt an hour ago; and the token."""
    ws = tokenkit.connect()
    tokens = ws.tokens("owner_kind == 'user'", status="active")
    token_id = tokens.loc[tokens["owner"] != ws.me(), "token_id"].iloc[0]
    rows = tmp_path / "rows.jsonl"
    then = (ws.now() - pd.Timedelta(hours=1)).isoformat()
    events = [event(token_id, event_time=then, user_agent="dbt/1", source_ip_address=f"192.0.{n}.1") for n in range(12)]
    frame(*events).to_json(rows, orient="records", lines=True)
    return str(rows), token_id


def test_revoke_previews_what_used_each_token(used_rows, capsys):
    rows, token_id = used_rows
    line = ["revoke", token_id, "--usage", "--rows", rows, "--dry-run", "--output", "json"]
    assert cli.main(line) == 0
    out, err = capsys.readouterr()
    (row,) = json.loads(out)
    assert row["used_by"] == "dbt from 192.0.0.0/24 and 11 more, 12 sign-ins, 1 hour ago"
    assert "1 of 1 token in the audit log is in the listing" in err


@pytest.mark.parametrize("to", ["audit.html", "audit.csv"])
def test_audit_and_report_check_the_rules_that_need_evidence(used_rows, tmp_path, capsys, to):
    rows, token_id = used_rows
    assert (
        cli.main(["audit", "--rule", "many-networks", "--usage", "--rows", rows, "--findings", "--output", "json"]) == 0
    )
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["token_id"], row["evidence"]) == (token_id, "12 networks on 1 day")
    every = ["audit", "--skip", "many-networks", "--usage", "--rows", rows, "--findings", "--output", "json"]
    assert cli.main(every) == 0
    assert "many-networks" not in capsys.readouterr().out
    assert cli.main(["report", "--usage", "--rows", rows, "--to", str(tmp_path / to)]) == 0
    written = (tmp_path / to).read_text()
    assert "12 networks" in written
    assert "192.0." not in written


def test_access_shows_who_uses_tokens_and_how_much_of_the_log_is_listed(used_rows, capsys):
    rows, token_id = used_rows
    owner = tokenkit.connect().tokens(f"token_id == '{token_id}'")["owner"].item()
    assert cli.main(["access", "--usage", "--rows", rows, "--where", "logins > 0", "--output", "json"]) == 0
    shown = capsys.readouterr()
    (row,) = json.loads(shown.out)
    assert (row["principal"], row["logins"], row["clients"]) == (owner, 12, ["dbt"])
    assert "1 token in the audit log is in the listing" in shown.err


def test_a_fleet_has_the_same_evidence_in_access(used_rows):
    rows, _ = used_rows
    ws = tokenkit.connect()
    fleet = tokenkit.fleet([ws])
    found = fleet.access("logins > 0", usage=fleet.usage(rows=rows))
    expected = ws.access("logins > 0", usage=ws.usage(rows=rows))
    pd.testing.assert_frame_equal(found.drop(columns="workspace"), expected, check_dtype=False)
    assert len(expected) == 1


def test_resume_takes_newer_evidence(used_rows, capsys):
    rows, token_id = used_rows
    run_id = tokenkit.connect().revoke([token_id]).stage(grace="0h").run_id
    assert cli.main(["resume", run_id, "--usage", "--rows", rows, "--dry-run"]) == 0
    assert token_id in tokenkit.connect().tokens()["token_id"].tolist()
    capsys.readouterr()


def test_a_run_with_evidence_of_a_file_names_the_ways_to_resume_it(used_rows, capsys):
    rows, token_id = used_rows
    ws = tokenkit.connect()
    run_id = ws.revoke([token_id], ws.usage(rows=rows)).stage(grace="0h").run_id
    assert cli.main(["resume", run_id, "--yes"]) == 2
    assert "--ignore-usage" in capsys.readouterr().err
    assert cli.main(["resume", run_id, "--yes", "--ignore-usage"]) == 0
    assert token_id not in ws.tokens()["token_id"].tolist()


@pytest.mark.parametrize("state", ["STOPPED", "RUNNING"])
def test_a_run_whose_log_cannot_be_read_again_names_options_that_can_be_pasted(sandbox, capsys, monkeypatch, state):
    ws, warehouse = tokenkit.connect(), sandbox.warehouse
    usage = ws.usage(90, warehouse_id=warehouse.warehouse_id)
    tokens = ws.tokens("owner_kind == 'user'", status="active")
    unused = tokens[(tokens["owner"] != ws.me()) & ~tokens["token_id"].isin(usage["token_id"])]
    run_id = ws.revoke(unused["token_id"].head(1), usage).stage(grace="0h").run_id
    with monkeypatch.context() as patched:
        patched.setattr(warehouse, "state", state)
        patched.setattr(warehouse, "failure", "OUT_OF_MEMORY")
        assert cli.main(["resume", run_id, "--yes"]) == 2
        named = re.search(r"newer evidence with (--usage [^,]*), or resume without", capsys.readouterr().err)
        start = " --start-warehouse" if state == "STOPPED" else ""
        assert named[1] == f"--usage --days 90 --warehouse-id {warehouse.warehouse_id}{start}"
    warehouse.state = state
    assert cli.main(["resume", run_id, "--yes", *named[1].split()]) == 0
    assert unused["token_id"].iloc[0] not in ws.tokens()["token_id"].tolist()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (["audit", "--rows", "rows.jsonl"], "--rows requires --usage"),
        (["revoke", "a" * 64, "--warehouse-id", "a"], "--warehouse-id requires --usage"),
        (["report", "--start-warehouse"], "--start-warehouse requires --usage"),
    ],
)
@pytest.mark.usefixtures("sandbox")
def test_options_of_the_log_without_usage_are_rejected(capsys, line, problem):
    assert cli.main(line) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.usefixtures("sandbox")
def test_a_saved_listing_has_no_log(tmp_path, capsys):
    snapshot = str(tokenkit.connect().snapshot(tmp_path / "s.parquet"))
    assert cli.main(["audit", "--from", snapshot, "--usage"]) == 2
    assert "A saved listing has no audit log" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--days", "7"], ["--warehouse-id", "abc"], ["--start-warehouse"]])
def test_an_option_that_rows_would_ignore_is_an_error(used_rows, option, capsys):
    rows, _ = used_rows
    assert cli.main(["usage", "--rows", rows, *option]) == 2
    assert f"Omit {option[0]}, or omit --rows" in capsys.readouterr().err


def test_in_a_pipe_the_share_of_the_logs_tokens_is_reported(used_rows, capsys):
    rows, _ = used_rows
    assert cli.main(["usage", "--rows", rows, "--output", "json"]) == 0
    assert "not proven to be unused" in capsys.readouterr().err
