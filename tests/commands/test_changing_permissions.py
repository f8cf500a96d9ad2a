"""Changes of permissions: their dry run, their confirmation, and the commands that undo them."""

import io
import json
import re
import shlex

import pytest

import tokenkit
from tokenkit import cli


@pytest.mark.usefixtures("here")
def test_permission_for_all_users_is_asked_for_or_given_with_yes(capsys):
    assert cli.main(["permissions", "add", "group:users"]) == 2
    assert capsys.readouterr().err.endswith(
        "Confirmation required, but there is no terminal. Use --yes or --dry-run.\n"
    )
    assert "users" not in set(tokenkit.connect().permissions()["group_name"].dropna())
    assert cli.main(["permissions", "add", "group:users", "--yes"]) == 0
    assert "which the audit reports as all-users-can-use (1)" in capsys.readouterr().err
    assert "users" in set(tokenkit.connect().permissions()["group_name"].dropna())


@pytest.mark.parametrize(
    ("change", "undo"),
    [
        ("add group:contractors", "remove group:contractors"),
        ("remove group:data-engineers", "add group:data-engineers=CAN_USE"),
    ],
)
@pytest.mark.parametrize("where", [[], ["--profile", "prod"]])
def test_a_change_of_permissions_names_its_opposite_in_the_same_workspace(change, undo, where, here, tmp_path, capsys):
    (tmp_path / "databrickscfg").write_text(f"[prod]\nhost = {here.host}\ntoken = {here.token}\n")
    assert cli.main(["permissions", *change.split(), "--yes", *where]) in (0, 1)
    said = capsys.readouterr().err
    start = "To restore the entries, but no tokens"
    if undo.startswith("remove"):
        start = "To remove the entries again, after a preview of the tokens that this deletes, if any"
    ready = f"{start}: tokenkit permissions {' '.join([undo, *where])}\n"
    assert ready in said
    (run_id,) = tokenkit.connect().runs()["run_id"]
    assert cli.main(["journal", "--run", run_id]) == 0
    assert ready in capsys.readouterr().err
    assert cli.main(["undo", run_id[-8:]]) == 2
    said = capsys.readouterr().err
    assert said == f"tokenkit: Run {run_id} changed permissions, and only updates of tokens can be undone. {ready}"


@pytest.mark.usefixtures("here")
def test_the_commands_that_undo_a_mixed_change_of_permissions_restore_all_entries(capsys):
    def entries():
        found = tokenkit.connect().permissions()
        return set(found[["user_name", "group_name", "permission_level"]].fillna("").itertuples(index=False, name=None))

    for entry in ("user:zoe.obrien@example.com", "group:bi-team", "group:data-engineers"):
        assert cli.main(["permissions", "add", entry, "--yes"]) == 0
    before = entries()
    change = ["group:bi-team", "group:data-engineers=CAN_MANAGE", "group:contractors", "group:analysts"]
    capsys.readouterr()
    assert cli.main(["permissions", "set", *change, "--yes"]) == 0
    assert entries() != before
    said = capsys.readouterr().err
    commands = [line.partition(": tokenkit ")[2] for line in said.splitlines() if ": tokenkit permissions " in line]
    assert [command.split()[1] for command in commands] == ["add", "remove"]
    for command in commands:
        assert cli.main([*shlex.split(command), "--yes"]) == 0
    assert entries() == before


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("change", "listed"),
    [
        ("set group:contractors", ["Entries that change:", "Principals losing permission:"]),
        ("add group:analysts", ["Entries that change:"]),
    ],
)
def test_a_dry_run_of_permissions_shows_the_confirmation_s_tables_as_a_whole(change, listed, capsys, monkeypatch):
    argv = ["permissions", *change.split()]
    assert cli.main([*argv, "--dry-run", "--output", "json"]) == 0
    dry = capsys.readouterr()
    assert [line for line in dry.err.splitlines() if line.endswith(":")] == listed
    assert json.loads(dry.out)
    if "set" in change:
        monkeypatch.setattr("sys.stdin", io.StringIO("no\n"))
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        assert cli.main(argv) == 1
        asked, last = capsys.readouterr().err.split("Tokens that will be deleted or disabled:")
        title, tables = asked.rstrip().split("\n", 1)
        workspace = tokenkit.connect()
        assert dry.err.startswith(f"{workspace.full_name}: would {title[:1].lower()}{title[1:]}.\n")
        assert dry.err.rstrip().splitlines()[-1] in last
        shown, more = tables.rsplit("\n… and ", 1)
        assert shown.split() == dry.err.split()[len(dry.err.split("\n")[0].split()) :][: len(shown.split())]
        assert more.endswith(" more; --dry-run shows all of them")
        losing = workspace.plan_permissions([{"group_name": "contractors"}], replace=True).losing_access
        assert all(name in dry.err for name in losing["principal"])


@pytest.mark.usefixtures("here")
def test_a_quiet_dry_run_of_permissions_prints_the_rows_and_the_closing_lines_alone(capsys):
    assert cli.main(["permissions", "set", "group:contractors", "--dry-run", "--quiet"]) == 0
    printed = capsys.readouterr()
    assert all(line.endswith(".") for line in printed.err.splitlines()), printed.err
    assert "Warnings: " in printed.err
    assert "Entries that change:" not in printed.err
    assert printed.out


@pytest.mark.usefixtures("here")
def test_a_dry_run_of_permissions_says_how_to_save_each_table_that_it_cuts(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("tokenkit.commands.changing._MOST_ROWS", 1)
    argv = ["permissions", "set", "group:contractors", "--dry-run"]
    assert cli.main(argv) == 0
    plan = tokenkit.connect().plan_permissions([{"group_name": "contractors"}], replace=True)
    expected = {
        "Entries that change:": plan.changes[["principal", "kind", "permission_level", "new_permission_level"]],
        "Principals losing permission:": plan.losing_access[["principal"]],
    }
    said = capsys.readouterr().err
    for caption, rows in expected.items():
        (more, how) = re.search(r"… and (\d+) more; (.+) saves all of them", said.partition(caption)[2]).groups()
        assert int(more) == len(rows) - 1
        file = tmp_path / "rows.json"
        assert cli.main([*argv, *shlex.split(how.replace("FILE", str(file)))]) == 0
        assert json.loads(file.read_text()) == json.loads(rows.to_json(orient="records"))


@pytest.mark.usefixtures("here")
def test_a_dry_run_of_permissions_has_the_principals_whose_columns_are_asked_for(capsys):
    argv = ["permissions", "set", "group:contractors", "--dry-run", "--output", "json", "--columns"]
    losing = tokenkit.connect().plan_permissions([{"group_name": "contractors"}], replace=True).losing_access
    assert cli.main([*argv, "principal,tokens"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == losing[["principal", "tokens"]].to_dict("records")
    assert "Not in this result" not in printed.err
    assert cli.main([*argv, "owner,age_days"]) == 0
    assert json.loads(capsys.readouterr().out)[0].keys() == {"owner", "age_days"}
