"""``fleet …`` at both front ends: the commands of one workspace over several."""

import contextlib
import io
import json
import re
import signal
import threading

import pandas as pd
import pytest
import requests

import tokenkit
from tests.waiting import wait_until
from tokenkit import cli
from tokenkit.commands import comparing
from tokenkit.sandbox import Fault, Sandbox

LISTING = "/api/2.0/token-management/tokens"


@pytest.fixture
def company(monkeypatch, tmp_path):
    """Three workspaces, one profile per workspace."""
    with Sandbox(tokens=40, workspaces=3) as sandbox:
        path = tmp_path / "profiles"
        sections = [
            f"[{name}]\nhost = {workspace.host}\ntoken = {workspace.token}\n"
            for name, workspace in zip(("prod", "dev", "test"), sandbox.workspaces, strict=True)
        ]
        account = {
            "host": sandbox.account_host,
            "account_id": sandbox.account_id,
            "client_id": sandbox.client_id,
            "client_secret": sandbox.client_secret,
        }
        sections.append("[account]\n" + "".join(f"{name} = {value}\n" for name, value in account.items()))
        path.write_text("\n".join(sections), encoding="utf-8")
        monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(path))
        yield sandbox
        assert list(sandbox.errors) == []


@pytest.fixture
def notebook(company, ipython):  # noqa: ARG001 - the profiles have to be there
    return ipython


def ids(sandbox):
    return {token_id for workspace in sandbox.workspaces for token_id in workspace.state.tokens.ids()}


def shell(capsys, line, code=0):
    assert cli.main(line.split()) == code
    return capsys.readouterr()


def test_a_pattern_names_the_profiles_that_match_it_once_and_is_an_error_without_any(company, capsys):
    hosts = [workspace.host for workspace in company.workspaces]
    records = json.loads(shell(capsys, "fleet list --profiles *e*,prod,test --output json").out)
    assert {record["workspace"] for record in records} == {hosts[1], hosts[2], hosts[0]}
    records = json.loads(shell(capsys, "fleet list --profiles *d --output json").out)
    assert {record["workspace"] for record in records} == {hosts[0]}
    error = shell(capsys, "fleet list --profiles qa-*", code=2).err
    assert error == "tokenkit: No profile matches 'qa-*'. Known: prod, dev, test, account.\n"


@pytest.mark.parametrize("which", ["--profiles prod,dev,test", "--account account"])
def test_both_front_ends_list_every_workspace(company, notebook, capsys, which):
    hosts = [workspace.host for workspace in company.workspaces]
    records = json.loads(shell(capsys, f"fleet list {which} --status active --output json").out)
    frame = notebook.run_line_magic("tokens", f"fleet list {which} --status active")
    assert "3 workspaces: " in capsys.readouterr().out
    assert [record["workspace"] for record in records] == frame["workspace"].tolist()
    assert frame["workspace"].drop_duplicates().tolist() == hosts


def test_with_yes_a_warning_names_the_workspace_of_each_token(company, capsys):
    used = {}
    for name, workspace in zip(("prod", "dev"), company.workspaces, strict=False):
        ws = tokenkit.connect(name)
        token_id = ws.tokens("owner != 'admin@example.com'", status="active")["token_id"].iloc[0]
        workspace.state.tokens.touch(token_id, int(ws.now().normalize().timestamp() * 1000))
        used[token_id[:12]] = name
    said = shell(capsys, f"fleet revoke {' '.join(used)} --profiles prod,dev --yes").err
    (warning,) = [line for line in said.splitlines() if line.startswith("Warning: used in the last 7 days (2): ")]
    assert dict(re.findall(r"([0-9a-f]{12}) \(owner [^)]+, (prod|dev)\)", warning)) == used


@pytest.mark.usefixtures("company")
def test_now_is_the_current_time_of_all_workspaces(capsys):
    def remaining(now):
        columns = "workspace,token_id,expires_in_days"
        line = (
            f"fleet list --profiles prod,dev --output json --columns {columns} --where never_expires==False --now {now}"
        )
        return {
            (row["workspace"], row["token_id"]): row["expires_in_days"] for row in json.loads(shell(capsys, line)[0])
        }

    before, after = remaining("2026-03-01"), remaining("2026-03-31")
    assert len({workspace for workspace, _ in before}) == 2
    assert {round(days - after[token]) for token, days in before.items()} == {30}


def test_now_is_refused_if_any_workspace_is_not_a_sandbox(company, capsys, tmp_path, monkeypatch):
    first, *_ = company.workspaces
    path = tmp_path / "mixed.cfg"
    path.write_text(
        f"[sandbox]\nhost = {first.host}\ntoken = {first.token}\n"
        "[real]\nhost = https://prod.cloud.databricks.com\ntoken = dapi0\n"
    )
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(path))
    requests = len(company.requests)
    out, err = shell(capsys, "fleet list --profiles sandbox,real --now 2026-03-01", code=2)
    assert (out, len(company.requests)) == ("", requests)
    assert "--now is for a sandbox on this machine, not for https://prod.cloud.databricks.com" in err


@pytest.mark.usefixtures("company")
@pytest.mark.parametrize("command", ["list", "access"])
def test_where_takes_the_names_that_tables_show(capsys, command):
    line = f"fleet {command} --profiles prod,dev --output json --where workspace=='{{}}'"
    host = tokenkit.connect("dev").host
    found = json.loads(shell(capsys, line.format("dev")).out)
    assert {row["workspace"] for row in found} == {host}
    assert len(json.loads(shell(capsys, line.format(host)).out)) == len(found)
    assert shell(capsys, line.format("de"), code=2).err == "tokenkit: Invalid workspace: 'de'. Did you mean dev?\n"
    assert "Known: prod, dev." in shell(capsys, line.format("https://elsewhere.example.com"), code=2).err


def test_a_table_in_a_pipe_has_the_profiles_and_csv_the_hosts(company, capsys):
    header, *rows = shell(capsys, "fleet list --profiles prod,dev --limit 3").out.splitlines()
    assert header.startswith("workspace\t")
    assert {row.split("\t")[0] for row in rows} == {"prod"}
    assert company.host in shell(capsys, "fleet list --profiles prod,dev --limit 3 --output csv").out


@pytest.mark.parametrize("command", ["access", "audit --findings", "journal"])
def test_the_reading_commands_have_the_column_workspace(company, capsys, command):
    printed = shell(capsys, f"fleet {command} --profiles prod,dev --output csv").out
    assert "workspace" in printed.splitlines()[0].split(",")
    assert command == "journal" or all(workspace.host in printed for workspace in company.workspaces[:2])


def test_a_partial_result_is_printed_with_the_errors_and_exits_with_3(company, capsys):
    failing = company.workspaces[1]
    company.faults.add(Fault(workspace_id=failing.workspace_id, path=LISTING, status=500))
    printed = shell(capsys, "fleet list --profiles prod,dev,test --output csv", code=3)
    assert failing.host not in printed.out
    assert printed.out.count("\n") > 2 * 39
    assert "dev failed: " in printed.err  # by its profile
    assert "INTERNAL_ERROR" in printed.err
    company.faults.add(Fault(path=LISTING, status=500))
    printed = shell(capsys, "fleet list --profiles prod,dev,test", code=3)
    assert printed.err.startswith("tokenkit: tokens: none of 3 workspaces succeeded. The first: ")
    assert printed.out == ""


def test_an_audit_fails_a_pipeline_for_its_findings_first(company, capsys):
    company.faults.add(Fault(workspace_id=company.workspaces[1].workspace_id, path=LISTING, status=500))
    shell(capsys, "fleet audit --profiles prod,dev --fail-on low", code=1)
    shell(capsys, "fleet audit --profiles prod,dev", code=3)


def test_a_fleet_s_tokens_are_revoked_and_resumed(company, capsys, monkeypatch):
    before = ids(company)
    tokens = tokenkit.fleet(["prod", "dev"]).tokens(status="active")
    others = tokens[tokens["owner"] != "admin@example.com"]
    one, two = (
        others[others["workspace"] == workspace.host]["token_id"].iloc[0] for workspace in company.workspaces[:2]
    )
    printed = shell(capsys, f"fleet revoke {one} {two[:12]} --profiles prod,dev --dry-run --output csv")
    assert one in printed.out
    assert two in printed.out
    assert ids(company) == before
    shell(capsys, f"fleet revoke {one} {two[:12]} --profiles prod,dev", code=2)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    result = shell(capsys, f"fleet revoke {one} {two[:12]} --profiles prod,dev --yes --reason old --output json")
    assert [row["outcome"] for row in json.loads(result.out)] == ["revoked", "revoked"]
    assert before - ids(company) == {one, two}
    journal = json.loads(shell(capsys, "fleet journal --profiles prod,dev --output json").out)
    run_id = journal[0]["run_id"].rpartition(".")[0]
    assert {row["reason"] for row in journal} == {"old"}
    of_the_run = json.loads(shell(capsys, f"fleet journal --profiles prod --run {run_id} --output json").out)
    assert [row["token_id"] for row in of_the_run] == [one]
    runs = json.loads(shell(capsys, f"fleet journal --profiles prod,dev --runs --run {run_id} --output json").out)
    assert [(row["reason"], row["tokens"], row["remaining"]) for row in runs] == [("old", 1, 0)] * 2
    for line in (f"fleet resume {run_id} --profiles prod,dev", f"resume {run_id}", f"resume {run_id}.1 --profile prod"):
        finished = shell(capsys, line)
        assert "nothing remains" in finished.err
        assert finished.out.count("\n") == 1  # the headings


def test_the_count_of_all_workspaces_is_the_confirmation(company, notebook, capsys, monkeypatch):
    before = ids(company)
    monkeypatch.setattr("builtins.input", lambda _: "no")
    assert notebook.run_line_magic("tokens", "fleet revoke --status active --profiles prod,dev") is None
    assert "Revoke " in capsys.readouterr().out
    assert ids(company) == before


def test_a_change_names_only_the_workspaces_that_it_changes(company, capsys):
    tokens = tokenkit.fleet(["prod", "dev"]).tokens("owner != 'admin@example.com'", status="active")
    of_dev = tokens[tokens["workspace"] == company.workspaces[1].host]["token_id"]
    dry = shell(capsys, f"fleet revoke {of_dev.iloc[0]} --profiles prod,dev --dry-run")
    assert "\n1 workspace (dev): would revoke 1 token for good." in f"\n{dry.err}"
    company.faults.add(Fault(method="DELETE", status=401))
    stopped = shell(capsys, f"fleet revoke {' '.join(of_dev.head(2))} --profiles prod,dev --yes", code=1)
    assert "1 workspace (dev): " in stopped.err
    company.faults.clear()
    assert stopped.err.count("tokenkit resume ") == 1
    (run_id,) = {run.partition(".")[0] for run in tokenkit.connect("dev").runs()["run_id"]}
    resumed = shell(capsys, f"fleet resume {run_id} --profiles prod,dev --yes")
    assert "prod" not in stopped.err + resumed.err
    assert "\n1 workspace (dev): the whole run: 2 tokens revoked" in resumed.err


def test_a_change_says_of_how_many_workspaces_it_is_if_one_failed(company, capsys):
    tokens = tokenkit.fleet(["prod"]).tokens("owner != 'admin@example.com'", status="active")["token_id"]
    company.faults.add(Fault(workspace_id=company.workspaces[1].workspace_id, status=500))
    printed = shell(capsys, f"fleet revoke {tokens.iloc[0]} --profiles prod,dev,test --yes", code=3).err
    assert "\n1 of 3 workspaces (prod): 1 token revoked. Run " in f"\n{printed}"
    assert printed.splitlines()[-1].startswith("The result is partial (2 of 3 workspaces): dev failed: ")


def test_a_notebook_remembers_the_fleet_of_a_variable(company, notebook):
    notebook.user_ns["mine"] = tokenkit.fleet(["prod", "dev"])
    assert notebook.run_line_magic("tokens", "fleet list --profiles mine")["workspace"].nunique() == 2
    assert notebook.run_line_magic("tokens", "fleet list")["workspace"].nunique() == 2
    assert notebook.run_line_magic("tokens", "fleet list --profiles prod")["workspace"].unique() == [company.host]


def test_a_fleet_without_progress_shows_none_in_a_command(company, notebook):  # noqa: ARG001 - the profiles
    notebook.user_ns |= {"mine": tokenkit.fleet(["prod"]), "quiet": tokenkit.fleet(["prod"], progress=False)}
    notebook.run_cell("%tokens fleet list --profiles mine\n%tokens fleet list --profiles quiet").raise_error()
    assert notebook.user_ns["mine"].shows_progress
    assert not notebook.user_ns["quiet"].shows_progress


def test_snapshots_are_saved_and_compared_in_every_workspace(company, capsys, tmp_path):
    folder = tmp_path / "saved"
    saved = json.loads(shell(capsys, f"fleet snapshot {folder} --profiles prod,dev --output json").out)
    assert {row["host"]: row["tokens"] for row in saved} == {workspace.host: 40 for workspace in company.workspaces[:2]}
    of_others = tokenkit.connect("dev").tokens("owner != 'admin@example.com'", status="active")
    token_id = of_others["token_id"].iloc[0]
    shell(capsys, f"revoke {token_id} --profile dev --yes")
    printed = shell(capsys, f"fleet changes {folder} --profiles prod,dev --output json")
    assert [(row["workspace"], row["token_id"]) for row in json.loads(printed.out)] == [
        (company.workspaces[1].host, token_id)
    ]
    printed = shell(capsys, f"fleet changes {folder} --profiles prod,test --output json", code=3)
    assert "has no snapshot" in printed.err
    printed = shell(capsys, f"fleet changes {folder} --since 2999-01-01 --profiles prod,dev --output json")
    assert [row["token_id"] for row in json.loads(printed.out)] == [token_id]
    printed = shell(capsys, f"fleet changes {folder} --since 1d --profiles prod,dev", code=2)
    assert "has no snapshot from before" in printed.err


def test_changes_are_counted_in_whole_phrases():
    changes = pd.DataFrame({"change": ["removed", "owner_changed", "owner_changed", "scopes_changed", "first_used"]})
    assert comparing._counts(changes) == "1 removed, 2 changed owner, 1 changed scopes, 1 used for the first time"
    assert comparing._counts(changes.head(0)) == "no change"


def test_a_snapshot_that_fails_in_one_workspace_lists_the_others(company, capsys, tmp_path):
    company.faults.add(Fault(workspace_id=company.workspaces[1].workspace_id, path=LISTING, status=500))
    printed = shell(capsys, f"fleet snapshot {tmp_path} --profiles prod,dev --output json", code=3)
    assert [row["host"] for row in json.loads(printed.out)] == [company.host]
    assert "dev failed" in printed.err


def test_permissions_are_shown_and_granted_in_every_workspace(company, capsys):
    printed = shell(capsys, "fleet permissions add group:analysts --profiles prod,dev --output json")
    of_prod = json.loads(shell(capsys, "permissions show --profile prod --output json").out)
    assert "analysts" in {row["group_name"] for row in of_prod}
    rows = json.loads(printed.out)
    assert [row for row in rows if row.pop("workspace") == company.host] == of_prod
    assert json.loads(shell(capsys, "fleet permissions show --profiles prod,dev --output json").out) == json.loads(
        printed.out
    )


def test_permissions_are_removed_after_a_preview_and_the_number_of_deleted_tokens(
    company, capsys, notebook, monkeypatch
):
    before = ids(company)
    line = "fleet permissions set group:contractors --profiles prod,dev"
    deleted = {row["token_id"] for row in json.loads(shell(capsys, f"{line} --dry-run --output json").out)}
    assert deleted
    refused = shell(capsys, line, code=2).err
    assert "Use --yes" in refused
    preview, _, question = refused.partition("\nWarnings: ")
    assert question
    assert {"prod", "dev"} <= {line.split(" ")[0] for line in preview.splitlines()}
    assert "127.0.0.1" not in preview.partition("Entries that change:")[2]
    asked = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or str(len(deleted) + 1))
    assert notebook.run_line_magic("tokens", line) is None
    assert f"Type {len(deleted)} to delete or disable {len(deleted)} tokens on 2 workspaces" in asked[0]
    assert ids(company) == before
    monkeypatch.setattr("builtins.input", lambda _: str(len(deleted)))
    result = notebook.run_line_magic("tokens", line)
    assert set(result["token_id"]) == deleted == before - ids(company)


@pytest.mark.usefixtures("company")
def test_the_commands_that_undo_a_change_of_permissions_restore_the_entries_of_each_workspace(capsys):
    def entries():
        names = ["workspace", "user_name", "group_name", "permission_level"]
        rows = json.loads(shell(capsys, "fleet permissions show --profiles prod,dev,test --output json").out)
        return {tuple(row[name] for name in names) for row in rows}

    shell(capsys, "permissions add group:analysts --profile dev")
    shell(capsys, "fleet permissions add group:contractors --profiles prod,dev,test")
    before = entries()
    change = "group:analysts group:contractors group:finance"
    said = shell(capsys, f"fleet permissions set {change} --profiles prod,dev,test --yes").err
    assert entries() != before
    commands = [
        line.partition(": tokenkit ")[2] for line in said.splitlines() if ": tokenkit fleet permissions" in line
    ]
    assert len({command.partition("--profiles")[2] for command in commands}) > 1
    for command in commands:
        shell(capsys, f"{command} --yes")
    assert entries() == before


def test_a_fleet_names_the_principals_that_may_lose_more_tokens(company, capsys, monkeypatch):
    path = "/api/2.0/preview/scim/v2/Groups"
    groups = tokenkit.connect("prod").api._transport.call("GET", path, query={"count": 10_000})["Resources"]
    known = [group for group in groups if group["displayName"] in {"admins", "users"}]
    company.faults.add(Fault(path=path, status=200, body={"totalResults": len(known), "Resources": known}))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    said = shell(capsys, "fleet permissions remove group:data-engineers --profiles prod --dry-run").err
    assert "More tokens may be deleted: group data-engineers in prod, " in said


def test_the_line_below_the_access_of_a_fleet_counts_each_principal_once_and_says_how_many_rows_there_are(
    company, capsys, monkeypatch
):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    for workspace in company.workspaces:
        requests.post(
            f"{workspace.host}/api/2.0/preview/scim/v2/Users",
            json={"userName": "everywhere@example.com", "active": True},
            headers={"Authorization": f"Bearer {workspace.token}"},
            timeout=10,
        ).raise_for_status()
    tokenkit.fleet(["prod", "dev", "test"]).plan_permissions([{"group_name": "users"}]).apply(progress=False)
    printed = shell(capsys, "fleet access --profiles prod,dev,test --output json")
    rows = pd.DataFrame(json.loads(printed.out))
    can_use, without = (
        rows.loc[rows[name].eq(True), "principal"].nunique() for name in ("can_use", "tokens_without_permission")
    )
    count = rows["principal"].nunique()
    assert rows["principal"].eq("everywhere@example.com").sum() == 3
    assert (
        f"3 workspaces: {count} principals in {len(rows)} rows, one for each workspace: {can_use} can use tokens, "
        f"{without} have tokens without permission.\n"
    ) in printed.err


def test_the_explorer_opens_over_a_fleet_in_a_notebook_and_a_shell_names_the_magic(company, notebook, capsys):
    explorer = notebook.run_line_magic("tokens", "fleet explore --profiles prod,dev --where \"status == 'active'\"")
    assert set(explorer.filtered["workspace"]) == {workspace.host for workspace in company.workspaces[:2]}
    assert set(explorer.filtered["status"]) == {"active"}
    assert "%tokens fleet explore" in shell(capsys, "fleet explore --profiles prod,dev", code=2).err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("fleet list", "--profiles prod,dev or --account NAME"),
        ("fleet list --profiles prd", "Did you mean prod"),
        ("fleet list --account nowhere", "no profile 'nowhere'"),
        ("fleet", "Missing subcommand for `fleet`: list"),
        ("fleet lst", "Did you mean list"),
        ("fleet permissions", "Missing subcommand for `fleet permissions`: show, set, add or remove"),
        (
            "fleet get abc",
            "`fleet get` does not exist. Run `tokenkit get … --profile NAME`. The commands of fleet are list,",
        ),
        ("fleet lab", "`fleet lab` does not exist. Run `tokenkit lab …`. The"),
        ("fleet permissions sho", "Unknown command 'fleet permissions sho'. Did you mean show"),
        ("fleet revoke --profiles prod", "Missing selection of tokens"),
        ("fleet list --profiles prod --profile dev", "Unknown option --profile"),
        ("fleet list --profiles prod --fail-on high", "--fail-on, which belongs to `audit` and `fleet audit`."),
        ("fleet snapshot all.parquet --profiles prod", "all.parquet is not a folder: snapshots are Parquet files."),
    ],
)
def test_a_usage_error_has_a_next_step(company, capsys, line, message):  # noqa: ARG001
    assert message in shell(capsys, line, code=2).err


def test_a_name_is_unknown_to_a_fleet_if_no_workspace_knows_it(company, capsys):
    before = ids(company)
    message = shell(capsys, "fleet revoke --owner admni@example.com --yes --profiles prod,dev", code=2).err
    assert "Unknown owner 'admni@example.com'" in message
    assert "Did you mean admin@example.com" in message
    shell(capsys, "fleet revoke --owner admni@example.com --yes --allow-none --profiles prod,dev")
    workspaces = [tokenkit.connect(name) for name in ("prod", "dev")]
    here, there = (set(workspace.users()["user_name"]) for workspace in workspaces)
    only_there = min(there - here - set(workspaces[0].tokens()["owner"]))
    shell(capsys, f"fleet revoke --owner {only_there} --idle 9000d --yes --profiles prod,dev")
    assert ids(company) == before


@contextlib.contextmanager
def interrupted(sandbox, method):
    """Press Ctrl-C once a sandbox has a request with a method."""
    over = threading.Event()

    def press():
        wait_until(lambda: over.is_set() or any(record.method == method for record in sandbox.requests))
        if not over.is_set():
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    try:
        yield
    finally:
        over.set()
        presser.join()


@pytest.mark.parametrize("line", ["revoke {ids}", "resume {run}"])
def test_an_interrupted_run_says_so_and_exits_with_130(company, capsys, line):
    fleet = tokenkit.fleet(["prod", "dev"])
    tokens = fleet.tokens(status="active")
    tokens = tokens[tokens["owner"] != "admin@example.com"].groupby("workspace").head(3)
    plan = fleet.revoke(tokens)
    if "run" in line:
        stop = threading.Event()
        stop.set()
        plan.apply(progress=False, stop=stop)
    line = line.format(ids=" ".join(tokens["token_id"]), run=plan.run_id)
    company.faults.add(Fault(method="DELETE", path=f"{LISTING}/*", offset=1, latency_ms=300))
    with interrupted(company, "DELETE"):  # while the others wait for their responses
        printed = shell(capsys, f"fleet {line} --profiles prod,dev --yes", code=130)
    assert "Interrupted. " in printed.err


@pytest.mark.usefixtures("company")
@pytest.mark.parametrize("command", ["list", "audit --findings", "access", "revoke --status expired --dry-run"])
def test_a_workspace_has_its_profile_in_a_pipe_and_its_address_in_json_csv_and_files(command, capsys, tmp_path):
    line = f"fleet {command} --profiles dev --columns workspace"
    address = tokenkit.connect("dev").host
    assert {*shell(capsys, line).out.splitlines()} == {"workspace", "dev"}
    assert {*shell(capsys, f"{line} --output csv").out.splitlines()} == {"workspace", address}
    assert {row["workspace"] for row in json.loads(shell(capsys, f"{line} --output json").out)} == {address}
    shell(capsys, f"{line} --to {tmp_path / 'rows.csv'}")
    assert {*(tmp_path / "rows.csv").read_text(encoding="utf-8-sig").split()} == {"workspace", address}
    meanings = json.loads(shell(capsys, "fleet list --columns help --output json").out)
    (said,) = (row["meaning"] for row in meanings if row["column"] == "workspace")
    assert said.endswith("in tables and pipes, and its address in JSON, CSV, files and DataFrames")


def test_workspaces_that_fail_alike_are_named_in_one_message(company, capsys):
    for workspace in company.workspaces[:2]:
        company.faults.add(Fault(workspace_id=workspace.workspace_id, status=500))
    printed = shell(capsys, "fleet list --profiles prod,dev,test", code=3).err.splitlines()
    start = "The result is partial (1 of 3 workspaces): prod, dev failed alike. The first: "
    assert [line.startswith(start) for line in printed if "failed" in line] == [True]
    company.faults.add(Fault(workspace_id=company.workspaces[2].workspace_id, status=500))
    (line,) = shell(capsys, "fleet list --profiles prod,dev,test", code=3).err.splitlines()
    assert line.startswith("tokenkit: tokens: none of 3 workspaces succeeded. The first: ")


@pytest.mark.parametrize(("order", "code"), [("prod,bad", 0), ("bad,prod", 3)])
@pytest.mark.parametrize("command", ["list", "revoke --status expired --dry-run"])
def test_of_profiles_of_one_workspace_the_one_that_signs_in_is_named(company, capsys, tmp_path, order, code, command):
    with (tmp_path / "profiles").open("a") as file:
        file.write(f"\n[bad]\nhost = {company.host}\ntoken = dapi{'0' * 32}\n")
    used, unused = order.split(",")
    line, *_ = shell(capsys, f"fleet {command} --profiles {order}", code=code).err.splitlines()
    assert line == (
        f"{unused} is the same workspace as {used}. Only the credential of {used}, which is given first, is used."
    )


@pytest.mark.usefixtures("company")
def test_a_workspace_whose_error_names_it_is_named_once(capsys, tmp_path):
    with (tmp_path / "profiles").open("a") as file:
        file.write("\n[bare]\nhost = http://127.0.0.1:1\n")
    *_, line = shell(capsys, "fleet list --profiles prod,bare", code=3).err.splitlines()
    assert line.startswith("The result is partial (1 of 2 workspaces): No credentials were found for profile 'bare'. ")
    assert line.count("bare") == 1


def test_workspaces_that_fail_differently_have_a_message_each(company, capsys):
    for workspace, status in zip(company.workspaces, (500, 403, 400), strict=True):
        company.faults.add(Fault(workspace_id=workspace.workspace_id, status=status))
    *each, last = shell(capsys, "fleet list --profiles prod,dev,test", code=3).err.splitlines()
    names = ["prod", "dev", "test"]
    assert [f"(0 of 3 workspaces): {name} failed: " in line for name, line in zip(names, each, strict=True)] == [
        True
    ] * 3
    assert "none of 3 workspaces succeeded" in last


@pytest.mark.usefixtures("company")
def test_a_run_is_resumed_with_some_of_its_workspaces_and_says_what_remains_in_the_others(capsys):
    fleet = tokenkit.fleet(["prod", "dev"])
    tokens = fleet.tokens("owner != 'admin@example.com'", status="active").groupby("workspace").head(3)
    plan = fleet.revoke(tokens)
    stop = threading.Event()
    stop.set()
    plan.apply(progress=False, stop=stop)
    left = "(profile dev) is not in this fleet, and 3 tokens of the run remain there."
    assert left in shell(capsys, f"fleet resume {plan.run_id} --profiles prod --dry-run").err
    printed = shell(capsys, f"fleet resume {plan.run_id} --profiles prod", code=1)
    assert "because of an error" not in printed.err
    warnings = [line for line in printed.err.splitlines() if line.startswith("Warning: ") and "this fleet" in line]
    assert [line.endswith(left) for line in warnings] == [True]
    assert "\n2 workspaces: the whole run: 3 tokens revoked, 3 pending. Run " in printed.err
    last = printed.err.splitlines()[-1]
    assert last.startswith(f"The result is partial (1 workspace): {tokenkit.connect('dev').host}/?o=")
    assert last.endswith(left)
    assert last.count("http://") == 1  # the workspace is named once
    assert left in shell(capsys, f"fleet resume {plan.run_id} --profiles prod", code=1).err
    shell(capsys, f"fleet resume {plan.run_id} --profiles dev")
    assert "is not in this fleet" not in shell(capsys, f"fleet resume {plan.run_id} --profiles prod").err


def test_a_run_of_which_a_workspace_cannot_be_read_is_not_said_to_be_finished(company, capsys):
    tokens = tokenkit.fleet(["prod", "dev"]).tokens("owner != 'admin@example.com'", status="active")
    plan = tokenkit.fleet(["prod", "dev"]).revoke(tokens.groupby("workspace").head(2))
    dev = company.workspaces[1].workspace_id
    company.faults.add(Fault(method="DELETE", workspace_id=dev, status=401))
    plan.apply(progress=False)
    company.faults.clear()
    company.faults.add(Fault(workspace_id=dev, status=401))
    dry = shell(capsys, f"resume {plan.run_id} --dry-run", code=3).err
    assert "1 of 2 workspaces failed. The first: " in dry
    assert "The credential is invalid" in dry
    assert f"nothing remains of run {plan.run_id} in the workspaces that could be read." in dry
    assert dry.endswith(f"It is not known what remains of run {plan.run_id} in the other workspaces.\n")
    stopped = shell(capsys, f"resume {plan.run_id}", code=1).err
    assert f": tokenkit resume {plan.run_id}\n" in stopped


@pytest.mark.parametrize(
    "command", ["list", "audit", "access", "permissions show", "permissions add group:admins --dry-run"]
)
def test_a_workspace_that_did_not_respond_is_not_counted_and_is_the_last_line(command, company, capsys):
    company.faults.add(Fault(workspace_id=company.workspaces[1].workspace_id, status=500))
    last = shell(capsys, f"fleet {command} --profiles prod,dev,test", code=3).err.splitlines()[-1]
    assert last.startswith("The result is partial (2 of 3 workspaces): dev failed: ")


def test_a_run_of_an_account_is_finished_with_the_command_that_names_the_account(company, capsys):
    company.faults.add(Fault(method="DELETE", status=400))
    tokens = tokenkit.connect("dev").tokens("owner != 'admin@example.com'", status="active")
    token_id = tokens["token_id"].iloc[0]
    assert cli.main(["fleet", "revoke", token_id, "--account", "account", "--yes"]) == 1
    command = capsys.readouterr().err.splitlines()[-1].partition(": tokenkit ")[2]
    run_id = tokenkit.fleet(account="account").runs()["run_id"].iloc[0].partition(".")[0]
    assert command == f"fleet resume {run_id} --account account"
    of_part = command.replace(run_id, f"{run_id}.1")
    assert f"tokenkit {of_part}\n" in shell(capsys, "fleet journal --account account").err
    company.faults.clear()
    assert "1 token revoked" in shell(capsys, command).err


@pytest.mark.usefixtures("company")
def test_a_change_of_permissions_names_the_workspace_of_each_entry_and_principal(capsys, monkeypatch):
    shell(capsys, "permissions add group:contractors --profile dev")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    line = "fleet permissions remove group:contractors group:data-engineers --profiles prod,dev,test"
    said = shell(capsys, f"{line} --dry-run").err
    entries = said.partition("Entries that change:\n")[2].splitlines()[1:5]
    assert {tuple(row.split()[:2]) for row in entries} == {
        ("dev", "contractors"),
        *((name, "data-engineers") for name in ("prod", "dev", "test")),
    }
    losing = next(line for line in said.splitlines() if " will lose permission to use tokens: " in line)
    assert " in 1 workspace" not in said
    count, shown = int(losing.split()[0]), losing.partition(": ")[2].rstrip(".").replace(" and ", ", ").split(", ")
    assert count == len(shown) - 1 + int(shown[-1].removesuffix(" more"))
    assert all(" in " in principal for principal in losing.partition(": ")[2].split(" and ")[0].split(", "))
    assert "group contractors: CAN_USE -> none in dev" in said
    assert "group data-engineers: CAN_USE -> none in 3 workspaces" in said
    done = shell(capsys, f"{line} --yes --quiet", code=0).err.splitlines()[-1]
    assert re.match(r"3 workspaces: permissions changed; \d+ tokens revoked\. Run ", done)


@pytest.mark.usefixtures("company")
def test_principals_without_tokens_lose_no_tokens(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    ws = tokenkit.connect("prod")
    users = ws.users()["user_name"]
    without = users[~users.isin(ws.access()["principal"])].iloc[0]
    shell(capsys, f"permissions add user:{without} --profile prod")
    said = "".join(shell(capsys, f"fleet permissions remove user:{without} --profiles prod --dry-run"))
    assert f"1 principal will lose permission to use tokens: {without} in prod." in said
    assert "It owns no active token." in said
    assert "deleted" not in said
