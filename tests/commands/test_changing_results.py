"""The rows of a change, their columns, and what is said after it."""

import json

import pytest

import tokenkit
from tokenkit import cli
from tokenkit.commands import parser, returned
from tokenkit.commands.options import SHELL
from tokenkit.sandbox import Fault

CHANGES = [
    "revoke {token} --yes",
    "update {token} --comment new --yes",
    "scopes --narrow --yes",
    "permissions remove group:data-engineers --yes",
    "permissions add group:contractors",
    "resume {run}",
]


@pytest.mark.parametrize("line", CHANGES)
@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--columns", "help"], 0, "outcome"),
        (["--columns", "ownr"], 2, "Unknown column 'ownr'. Did you mean owner?"),
        (["--columns", "owner,severity"], 2, "Unknown column 'severity'"),
        (["--dry-run", "--columns", "severity"], 2, "Unknown column 'severity'"),
        (["--to", "{folder}/missing/rows.csv"], 2, "its folder is missing"),
        (["--to", "{folder}/rows.csv"], 2, "it is a folder"),
    ],
)
def test_output_options_are_checked_before_anything_changes(
    here, interrupted, tmp_path, capsys, line, options, code, said
):
    (tmp_path / "rows.csv").mkdir()
    token_id = tokenkit.connect().tokens(status="active")["token_id"].iloc[-1]
    argv = line.format(token=token_id, run=interrupted).split()
    here.requests.clear()
    assert cli.main([*argv, *(option.format(folder=tmp_path) for option in options)]) == code
    assert said in "".join(capsys.readouterr())
    assert list(here.requests) == []


@pytest.mark.parametrize("line", [*CHANGES, "undo {update} --yes", "permissions set group:contractors --yes"])
def test_the_columns_of_every_result_of_a_change_are_known_before(interrupted, capsys, line):
    ws = tokenkit.connect()
    token_id = ws.tokens(status="active")["token_id"].iloc[-1]
    update = ws.plan_update(token_id, comment="earlier")
    update.apply(progress=False)
    argv = line.format(token=token_id, run=interrupted, update=update.run_id).split()
    assert cli.main([*argv, "--output", "csv"]) == 0
    call = parser.parse(argv, SHELL)
    columns = capsys.readouterr().out.splitlines()[0].split(",")
    assert {*columns} <= {*returned.columns_of(call.command.path, is_plan=call.is_plan)}


@pytest.mark.usefixtures("here")
def test_a_result_has_every_column_of_the_listing_that_is_asked_for_and_names_those_that_it_lacks(capsys):
    tokens = tokenkit.connect().tokens("owner != 'admin@example.com'", status="active")
    (used, unused), names = tokens["token_id"].head(2), ["token_id", "comment", "age_days", "outcome"]
    line = ["revoke", used, "--yes", "--columns", ",".join([*names, "used_by"]), "--output", "json"]
    assert cli.main(line) == 0
    printed = capsys.readouterr()
    expected = tokens.set_index("token_id", drop=False).loc[used, names[:2]].tolist()
    (row,) = json.loads(printed.out)
    assert [*row] == names
    assert ([row[name] for name in names[:2]], row["outcome"]) == (expected, "revoked")
    assert printed.err.splitlines()[-1] == "Not in this result: column used_by."
    assert cli.main(["revoke", unused, "--dry-run", "--columns", "outcome,error", "--output", "json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)[0]["token_id"] == unused
    assert printed.err.splitlines()[-1] == "Not in this result: columns outcome, error. All its columns are shown."


@pytest.mark.usefixtures("here")
def test_a_change_that_needs_no_confirmation_says_once_in_logs_what_it_did(capsys):
    assert cli.main(["permissions", "add", "group:analysts", "--quiet"]) == 0
    gaining, outline, done = capsys.readouterr().err.splitlines()
    assert " will gain permission to use tokens: " in gaining
    assert outline == "group analysts: none -> CAN_USE."
    assert done.startswith(f"{tokenkit.connect().name}: permissions changed. Run ")


@pytest.mark.usefixtures("here")
def test_an_update_names_its_undo_only_if_it_changed_something(here, capsys):
    token_id = tokenkit.connect().tokens(status="active")["token_id"].iloc[-1]
    here.faults.add(Fault(method="PATCH", status=400, times=1))
    assert cli.main(["update", token_id, "--comment", "new", "--yes"]) == 1
    assert "undo" not in capsys.readouterr().err
    assert cli.main(["update", token_id, "--comment", "new", "--yes"]) == 0
    assert "To undo this change: tokenkit undo " in capsys.readouterr().err


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("names", ["token_id,token_id", "outcome,Outcome,token"])
def test_a_column_that_is_named_twice_is_shown_once(capsys, names):
    token_id = tokenkit.connect().tokens("owner != 'admin@example.com'", status="active")["token_id"].iloc[-1]
    assert cli.main(["revoke", token_id, "--yes", "--columns", names, "--output", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert list(row) == [*dict.fromkeys({"token": "token_id"}.get(name, name) for name in names.lower().split(","))]


@pytest.mark.usefixtures("here")
def test_a_result_that_cannot_be_shown_is_counted_with_its_run(capsys, monkeypatch):
    token_id = tokenkit.connect().tokens("owner != 'admin@example.com'", status="active")["token_id"].iloc[-1]
    monkeypatch.setattr("tokenkit.commands.printing.arranged", lambda *_, **__: 1 / 0)
    assert cli.main(["revoke", token_id, "--yes"]) == 70
    said = capsys.readouterr().err
    (run_id,) = tokenkit.connect().runs()["run_id"]
    assert f": 1 token revoked. Run {run_id}." in said
    assert "Unexpected ZeroDivisionError" in said
