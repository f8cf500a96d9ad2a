"""The journal and what is unfinished: of all workspaces, without a request."""

import json

import pandas as pd
import pytest

import tokenkit
from tests.conftest import NOW
from tests.fleets.examples import hands
from tokenkit import cli, errors
from tokenkit.actions.journal import Journal, Run
from tokenkit.commands import parser, returned
from tokenkit.commands.options import SHELL
from tokenkit.core.home import home
from tokenkit.review import columns
from tokenkit.sandbox import Fault


@pytest.fixture
def unfinished(own_companies):
    """A finished and an unfinished run in one workspace, and a staged one in another."""
    first, second, _ = own_companies.workspaces
    ws = tokenkit.connect(host=first.host, token=first.token)
    tokens = ws.tokens("owner != 'admin@example.com'", status="active")
    ws.plan_update(tokens.head(1), comment="x").apply(progress=False)
    own_companies.faults.add(Fault(method="DELETE", status=400))
    interrupted = ws.revoke(tokens.tail(2))
    interrupted.apply(progress=False)
    own_companies.faults.clear()
    other = tokenkit.connect(host=second.host, token=second.token)
    staged = other.revoke(other.tokens("owner != 'admin@example.com'").head(1)).stage(grace="14d")
    own_companies.requests.clear()
    return {"interrupted": interrupted.run_id, "staged": staged.run_id, "due": staged.due}


@pytest.fixture
def rows(capsys, monkeypatch):
    """Run a command in a terminal; return its rows, and what it says."""

    def run(*argv):
        monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
        assert cli.main([*argv, "--output", "json"]) == 0
        printed = capsys.readouterr()
        return json.loads(printed.out), printed.err

    return run


def test_without_arguments_the_journal_shows_the_runs_of_all_workspaces(own_companies, unfinished, rows):
    found, said = rows("journal")
    assert len(found) == 3
    assert {row["host"] for row in found} == {each.host for each in own_companies.workspaces[:2]}
    assert "All workspaces: 3 runs in the journal." in said
    at_once = "a run that was confirmed today resumes without a question; --dry-run only shows it"
    assert f"To finish a run ({at_once}): tokenkit resume {unfinished['interrupted']}\n" in said
    assert list(own_companies.requests) == []


def test_without_a_run_resume_shows_what_is_unfinished_and_when_it_is_due(own_companies, unfinished, rows):
    found, said = rows("resume")
    assert {row["run_id"]: row["remaining"] for row in found} == {unfinished["interrupted"]: 2, unfinished["staged"]: 1}
    due = {row["run_id"]: row["due"] for row in found}
    assert due[unfinished["interrupted"]] is None
    assert due[unfinished["staged"]].startswith(f"{unfinished['due']:%Y-%m-%d}")
    assert "All workspaces: 2 unfinished runs." in said
    assert list(own_companies.requests) == []


def test_a_run_is_shown_by_its_tokens(unfinished, rows):
    found, _ = rows("journal", "--run", unfinished["interrupted"])
    assert [row["outcome"] for row in found] == ["failed", "failed"]
    found, _ = rows("journal", "--tokens")
    assert len(found) == 4


@pytest.mark.parametrize("options", ["", "--runs", "--tokens", "--runs --tokens", "--run {} --runs"])
def test_each_form_of_the_journal_has_exactly_the_columns_that_are_known_of_it(unfinished, options):
    call = parser.parse(["journal", *options.format(unfinished["interrupted"]).split()], SHELL)
    assert [*call.run(cli._ShellSession())] == [*returned.columns_of(call.shape, is_plan=False)]


@pytest.mark.usefixtures("here")
def test_the_columns_of_a_run_are_those_of_what_it_changed(unfinished):
    plan = tokenkit.connect().plan_permissions([{"group_name": "analysts"}])
    plan.apply(progress=False)
    calls = [parser.parse(["journal", "--run", run], SHELL) for run in (unfinished["interrupted"], plan.run_id)]
    tokens, entries = ({*call.run(cli._ShellSession())} for call in calls)
    runs = {*returned.columns_of("journal", is_plan=False)}
    assert {call.shape for call in calls} == {"journal --run"}
    assert tokens | entries | runs == {*returned.columns_of("journal --run", is_plan=False)}


def test_with_a_profile_the_journal_is_of_one_workspace(own_companies, unfinished, rows, monkeypatch):
    second = own_companies.workspaces[1]
    monkeypatch.setenv("DATABRICKS_HOST", second.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", second.token)
    found, _ = rows("journal", "--profile", second.host)
    assert [row["run_id"] for row in found] == [unfinished["staged"]]


def test_of_a_fleet_s_run_the_whole_is_suggested(own_companies, rows):
    fleet = tokenkit.fleet(hands(own_companies))
    own_companies.faults.add(Fault(method="DELETE", status=400))
    run = fleet.revoke(fleet.tokens("owner != 'admin@example.com'").groupby("workspace").head(1))
    run.apply(progress=False)
    found, said = rows("resume")
    assert {row["run_id"] for row in found} == {f"{run.run_id}.{part}" for part in (1, 2, 3)}
    assert said.endswith(f"To finish a run: tokenkit resume {run.run_id}\n")


def test_on_a_computer_without_runs_there_is_nothing(capsys):
    for command in ("journal", "resume"):
        assert cli.main([command]) == 0
        (headings,) = capsys.readouterr().out.splitlines()
        assert "\trun_id\t" in headings


@pytest.mark.usefixtures("here")
def test_a_run_of_permissions_is_shown_by_its_entries_and_found_by_the_end_of_its_id(rows):
    ws = tokenkit.connect()
    plan = ws.plan_permissions([{"group_name": "analysts"}], reason="SEC-1")
    plan.apply(progress=False)
    found, said = rows("journal", "--run", plan.run_id.rpartition("-")[2])
    entries = {row["principal"]: (row["permission_level"], row["new_permission_level"]) for row in found}
    assert entries["analysts"] == (None, "CAN_USE")
    assert entries["data-engineers"] == ("CAN_USE", "CAN_USE")
    assert [row["outcome"] for row in found] == ["updated"] + ["unchanged"] * (len(found) - 1)
    assert found[0]["principal"] == "analysts"
    assert {(row["caller"], row["reason"]) for row in found} == {("admin@example.com", "SEC-1")}
    assert f"run {plan.run_id}, permissions, by admin@example.com, reason: SEC-1" in said


@pytest.mark.usefixtures("here")
def test_a_service_principal_in_a_run_of_permissions_has_the_display_name_that_it_had(rows):
    ws = tokenkit.connect()
    listed = set(ws.token_management.get_permissions()["service_principal_name"])
    known = ws.service_principals()
    principal = known[~known["application_id"].isin(listed)].iloc[0]
    plan = ws.plan_permissions([{"service_principal_name": principal["application_id"]}])
    plan.apply(progress=False)
    found, _ = rows("journal", "--run", plan.run_id)
    names = {row["principal"]: row["display_name"] for row in found}
    assert names[principal["application_id"]] == principal["display_name"]
    assert names["data-engineers"] is None
    shown = {column.name: column.texts for column in columns.columns(pd.DataFrame(found))}
    assert principal["display_name"] in shown["principal"]
    assert "data-engineers" in shown["principal"]


@pytest.mark.usefixtures("here")
def test_a_run_that_updates_is_shown_with_the_values_before_and_after_it(rows):
    ws = tokenkit.connect()
    token = ws.tokens("owner != 'admin@example.com'", status="active").head(1)
    update = ws.plan_update(token, comment="owned by the data team")
    update.apply(progress=False)
    ((row,), said) = rows("journal", "--run", update.run_id)
    assert (row["comment"], row["new_comment"], row["new_scopes"]) == (
        token["comment"].iloc[0],
        "owned by the data team",
        None,
    )
    assert f"{ws.name}: run {update.run_id}" in said


@pytest.mark.usefixtures("here")
def test_a_run_that_updates_names_the_command_that_undoes_it_if_old_values_are_in_the_journal(rows):
    ws = tokenkit.connect()
    kept, secret = ws.tokens("owner != 'admin@example.com'", status="active")["token_id"].head(2)
    ws.token_management.update_token_management(secret, {"comment": f"dapi{'1' * 32}"}, ["comment"])
    for token_id, is_kept in ((kept, True), (secret, False)):
        update = ws.plan_update(token_id, comment="owned by the data team")
        update.apply(progress=False)
        said = rows("journal", "--run", update.run_id)[1]
        assert (f"To undo this change: tokenkit undo {update.run_id}\n" in said) == is_kept


@pytest.fixture
def profiles(own_companies, tmp_path, monkeypatch):
    """The profiles prod, dev and test of three workspaces, which a test can take the credentials from."""
    path = tmp_path / "profiles"

    def write(*, token=None):
        path.write_text(
            "\n".join(
                f"[{name}]\nhost = {each.host}\ntoken = {token or each.token}\n"
                for name, each in zip(("prod", "dev", "test"), own_companies.workspaces, strict=True)
            )
        )

    write()
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(path))
    return write


@pytest.mark.parametrize("expired", [None, "dapi-expired"])
def test_the_journal_of_a_profile_or_a_fleet_is_read_without_a_request(
    own_companies, unfinished, profiles, rows, expired
):
    profiles(token=expired)
    found, said = rows("journal", "--profile", "dev")
    assert [row["run_id"] for row in found] == [unfinished["staged"]]
    assert f"{own_companies.workspaces[1].host}: 1 run in the journal." in said
    found, said = rows("fleet", "journal", "--profiles", "prod,test")
    assert {row["workspace"] for row in found} == {own_companies.host}
    assert "2 workspaces: 2 runs in the journal." in said
    assert list(own_companies.requests) == []


def test_of_a_host_with_several_workspaces_in_the_journal_that_is_said(tmp_path, rows, monkeypatch):
    path = tmp_path / "profiles"
    path.write_text(
        "[both]\nhost = https://prod.example.com\ntoken = dapi0\n"
        "[one]\nhost = https://prod.example.com/?o=2\ntoken = dapi0\n"
    )
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(path))
    with Journal(home()) as journal:
        for workspace_id in ("1", "2"):
            journal.create_run(
                Run(
                    run_id=f"20260301-093000-0000000{workspace_id}",
                    kind="revoke",
                    host="https://prod.example.com",
                    workspace="https://prod.example.com",
                    origin="profile both",
                    caller="ann",
                    reason=None,
                    started_at=NOW,
                    workspace_id=workspace_id,
                ),
                [],
            )
    found, said = rows("journal", "--profile", "both")
    assert [row["workspace_id"] for row in found] == [2, 1]
    assert "The runs of 2 workspaces behind https://prod.example.com are shown. For one, add ?o=ID to the host" in said
    found, said = rows("journal", "--profile", "one")
    assert [row["workspace_id"] for row in found] == [2]
    assert "?o=ID" not in said


@pytest.mark.usefixtures("profiles")
def test_a_limit_shows_the_newest_runs_and_the_parts_of_one_in_their_order(unfinished, rows):
    fleet = tokenkit.fleet(["prod", "dev", "test"])
    run = fleet.revoke(fleet.tokens("owner != 'admin@example.com'").groupby("workspace").head(1))
    run.apply(progress=False)
    newest = [f"{run.run_id}.{part}" for part in (1, 2, 3)]
    assert [row["run_id"] for row in rows("journal", "--limit", "3")[0]] == newest
    assert [row["run_id"] for row in rows("journal", "--tokens", "--limit", "3")[0]] == newest
    runs = [row["run_id"] for row in rows("journal")[0]]
    assert runs[:4] == [*newest, unfinished["staged"]]
    assert [row["run_id"] for row in rows("resume")[0]] == [unfinished["staged"], unfinished["interrupted"]]


@pytest.mark.usefixtures("here")
def test_what_has_no_token_is_counted_where_tokens_are_shown(rows):
    tokenkit.connect().plan_permissions([{"group_name": "analysts"}]).apply(progress=False)
    found, said = rows("journal", "--tokens")
    assert found == []
    assert "1 run without a token is not shown, such as a change of permissions" in said


@pytest.mark.usefixtures("profiles")
def test_a_part_of_a_fleet_s_run_says_of_how_many_it_is(own_companies, rows):
    fleet = tokenkit.fleet(["prod", "dev", "test"])
    plan = fleet.plan_permissions([{"group_name": "contractors"}])
    plan.apply(progress=False)
    own_companies.requests.clear()
    whole = f"Run {plan.run_id} has 3 workspaces, of which 1 is shown. For all: tokenkit journal --run {plan.run_id}\n"
    opposite = "tokenkit {}permissions remove group:contractors {}\n"
    for line in (f"journal --run {plan.run_id}.2", f"fleet journal --profiles dev --run {plan.run_id}"):
        found, said = rows(*line.split())
        assert {row["run_id"] for row in found} == {f"{plan.run_id}.2"}
        assert whole in said
        assert opposite.format("", "--profile dev") in said
    found, said = rows("journal", "--run", plan.run_id)
    assert {row["run_id"] for row in found} == {f"{plan.run_id}.{part}" for part in (1, 2, 3)}
    assert "of which" not in said
    assert said.startswith(f"3 workspaces: run {plan.run_id}, permissions, ")
    assert opposite.format("fleet ", "--profiles prod,dev,test") in said
    assert list(own_companies.requests) == []
    assert cli.main(["undo", plan.run_id]) == 2


@pytest.mark.usefixtures("profiles")
def test_a_run_is_found_although_the_default_profile_is_of_another_workspace(own_companies, unfinished, rows):
    home().mkdir(exist_ok=True)
    (home() / "config.toml").write_text('[defaults]\nprofile = "prod"\n')
    assert {row["host"] for row in rows("journal")[0]} == {own_companies.host}
    found, _ = rows("journal", "--run", unfinished["staged"])
    assert {row["host"] for row in found} == {own_companies.workspaces[1].host}


@pytest.mark.usefixtures("own_companies")
def test_a_staged_run_says_when_it_is_due_and_one_that_is_not_staged_does_not(unfinished, rows):
    said = f"Run {unfinished['staged']} was staged and cannot be resumed before {unfinished['due']:%Y-%m-%d %H:%M} UTC."
    assert said in rows("journal", "--run", unfinished["staged"])[1].splitlines()
    assert "was staged" not in rows("journal", "--run", unfinished["interrupted"])[1]


@pytest.mark.usefixtures("profiles")
@pytest.mark.parametrize(
    ("command", "noun"), [("journal", "run"), ("journal --tokens", "run"), ("resume", "unfinished run")]
)
def test_the_default_profile_limits_the_journal_and_resume_alike_and_both_say_so(unfinished, rows, command, noun):
    of_first = rows(*command.split(), "--profile", "prod")[0]
    home().mkdir(exist_ok=True)
    (home() / "config.toml").write_text('[defaults]\nprofile = "prod"\n')
    found, said = rows(*command.split())
    assert found == of_first
    assert unfinished["staged"] not in {row["run_id"] for row in found}
    assert (
        f"1 {noun} of other workspaces is not shown, because of profile of [defaults] in {home() / 'config.toml'}. To "
        "show another workspace, use --profile.\n"
    ) in said
    assert "not shown, because of" not in rows(*command.split(), "--profile", "prod")[1]


@pytest.mark.usefixtures("here")
def test_a_change_of_permissions_that_was_not_made_has_no_command_that_restores_it(company, rows, capsys):
    ws = tokenkit.connect()
    company.faults.add(Fault(method="PATCH", path="/api/2.0/permissions/authorization/tokens", status=400))
    plan = ws.plan_permissions([{"group_name": "analysts"}])
    with pytest.raises(errors.ApiError):
        plan.apply(progress=False)
    (run_id,) = ws.runs()["run_id"]
    assert "permissions remove" not in rows("journal", "--run", run_id)[1]
    assert cli.main(["undo", run_id]) == 2
    assert "permissions remove" not in capsys.readouterr().err
