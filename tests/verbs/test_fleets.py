"""``fleet …`` through both doors: the verbs of one workspace over several."""

import io
import json

import pytest

import tokenkit
from tokenkit import cli
from tokenkit.sandbox import Fault, Sandbox

LISTING = "/api/2.0/token-management/tokens"


@pytest.fixture
def company(monkeypatch, tmp_path):
    """Three workspaces, each a profile."""
    with Sandbox(tokens=40, workspaces=3) as sandbox:
        path = tmp_path / "profiles"
        sections = [
            f"[{name}]\nhost = {each.host}\ntoken = {each.token}\n"
            for name, each in zip(("prod", "dev", "test"), sandbox.workspaces, strict=True)
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
    return {token_id for each in sandbox.workspaces for token_id in each.state.tokens.ids()}


def shell(capsys, line, code=0):
    assert cli.main(line.split()) == code
    return capsys.readouterr()


@pytest.mark.parametrize("which", ["--profiles prod,dev,test", "--account account"])
def test_both_doors_list_every_workspace(company, notebook, capsys, which):
    hosts = [each.host for each in company.workspaces]
    records = json.loads(shell(capsys, f"fleet list {which} --status active --output json").out)
    frame = notebook.run_line_magic("tokens", f"fleet list {which} --status active")
    assert "3 workspaces: " in capsys.readouterr().out
    assert [record["workspace"] for record in records] == frame["workspace"].tolist()
    assert frame["workspace"].drop_duplicates().tolist() == hosts


def test_a_table_says_in_which_workspace(company, capsys):
    printed = shell(capsys, "fleet list --profiles prod,dev --limit 3").out
    assert printed.startswith("workspace")
    assert company.host in printed


@pytest.mark.parametrize("verb", ["access", "audit", "journal"])
def test_the_reading_verbs_have_the_column_workspace(company, capsys, verb):
    printed = shell(capsys, f"fleet {verb} --profiles prod,dev --output csv").out
    assert "workspace" in printed.splitlines()[0].split(",")
    assert verb == "journal" or all(each.host in printed for each in company.workspaces[:2])


def test_a_partial_answer_is_printed_with_the_reasons_and_exits_with_3(company, capsys):
    failing = company.workspaces[1]
    company.faults.add(Fault(workspace_id=failing.workspace_id, path=LISTING, status=500))
    printed = shell(capsys, "fleet list --profiles prod,dev,test --output csv", code=3)
    assert failing.host not in printed.out
    assert printed.out.count("\n") > 2 * 39
    assert f"{failing.host} failed: " in printed.err
    assert "INTERNAL_ERROR" in printed.err
    company.faults.add(Fault(path=LISTING, status=500))
    printed = shell(capsys, "fleet list --profiles prod,dev,test", code=3)
    assert printed.err.count(" failed: ") == 3
    assert printed.out == ""


def test_an_audit_fails_a_pipeline_for_its_findings_first(company, capsys):
    company.faults.add(Fault(workspace_id=company.workspaces[1].workspace_id, path=LISTING, status=500))
    shell(capsys, "fleet audit --profiles prod,dev --fail-on low", code=1)
    shell(capsys, "fleet audit --profiles prod,dev", code=3)


def test_a_fleet_s_tokens_are_revoked_and_resumed(company, capsys, monkeypatch):
    before = ids(company)
    tokens = tokenkit.fleet(["prod", "dev"]).tokens(status="active")
    others = tokens[tokens["owner"] != "admin@example.com"]
    one, two = (others[others["workspace"] == each.host]["token_id"].iloc[0] for each in company.workspaces[:2])
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
    assert [(row["reason"], row["tokens"], row["left"]) for row in runs] == [("old", 1, 0)] * 2
    for line in (f"fleet resume {run_id} --profiles prod,dev", f"resume {run_id}", f"resume {run_id}.1 --profile prod"):
        assert "revoked" in shell(capsys, line).out


def test_the_count_is_asked_for_across_workspaces(company, notebook, capsys, monkeypatch):
    before = ids(company)
    monkeypatch.setattr("builtins.input", lambda _: "no")
    assert notebook.run_line_magic("tokens", "fleet revoke --status active --profiles prod,dev") is None
    assert "Revoke " in capsys.readouterr().out
    assert ids(company) == before


def test_a_notebook_names_a_fleet_that_a_variable_holds_and_remembers_it(company, notebook):
    notebook.user_ns["mine"] = tokenkit.fleet(["prod", "dev"])
    assert notebook.run_line_magic("tokens", "fleet list --profiles mine")["workspace"].nunique() == 2
    assert notebook.run_line_magic("tokens", "fleet list")["workspace"].nunique() == 2
    assert notebook.run_line_magic("tokens", "fleet list --profiles prod")["workspace"].unique() == [company.host]


def test_a_fleet_that_was_made_quiet_is_quiet_under_a_verb_too(company, notebook):  # noqa: ARG001 - the profiles
    notebook.user_ns |= {"mine": tokenkit.fleet(["prod"]), "quiet": tokenkit.fleet(["prod"], progress=False)}
    notebook.run_cell("%tokens fleet list --profiles mine\n%tokens fleet list --profiles quiet").raise_error()
    assert notebook.user_ns["mine"].shows_progress
    assert not notebook.user_ns["quiet"].shows_progress


def test_snapshots_are_saved_and_compared_in_every_workspace(company, capsys, tmp_path):
    folder = tmp_path / "saved"
    saved = json.loads(shell(capsys, f"fleet snapshot {folder} --profiles prod,dev --output json").out)
    assert {row["host"]: row["tokens"] for row in saved} == {each.host: 40 for each in company.workspaces[:2]}
    of_others = tokenkit.connect("dev").tokens("owner != 'admin@example.com'", status="active")
    token_id = of_others["token_id"].iloc[0]
    shell(capsys, f"revoke {token_id} --profile dev --yes")
    printed = shell(capsys, f"fleet changes {folder} --profiles prod,dev --output json")
    assert [(row["workspace"], row["token_id"]) for row in json.loads(printed.out)] == [
        (company.workspaces[1].host, token_id)
    ]
    printed = shell(capsys, f"fleet changes {folder} --profiles prod,test --output json", code=3)
    assert "has no snapshot" in printed.err


def test_a_snapshot_that_fails_in_one_workspace_lists_the_others(company, capsys, tmp_path):
    company.faults.add(Fault(workspace_id=company.workspaces[1].workspace_id, path=LISTING, status=500))
    printed = shell(capsys, f"fleet snapshot {tmp_path} --profiles prod,dev --output json", code=3)
    assert [row["host"] for row in json.loads(printed.out)] == [company.host]
    assert f"{company.workspaces[1].host} failed" in printed.err


def test_permissions_are_shown_and_granted_in_every_workspace(company, capsys):
    printed = shell(capsys, "fleet permissions add group:analysts --profiles prod,dev --output json")
    of_prod = json.loads(shell(capsys, "permissions show --profile prod --output json").out)
    assert "analysts" in {row["group_name"] for row in of_prod}
    rows = json.loads(printed.out)
    assert [row for row in rows if row.pop("workspace") == company.host] == of_prod
    assert json.loads(shell(capsys, "fleet permissions show --profiles prod,dev --output json").out) == json.loads(
        printed.out
    )


def test_permissions_are_taken_away_after_a_preview_and_the_number_that_die_of_it(
    company, capsys, notebook, monkeypatch
):
    before = ids(company)
    line = "fleet permissions set group:contractors --profiles prod,dev"
    dying = {row["token_id"] for row in json.loads(shell(capsys, f"{line} --dry-run --output json").out)}
    assert dying
    assert "add --yes" in shell(capsys, line, code=2).err
    asked = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or str(len(dying) + 1))
    assert notebook.run_line_magic("tokens", line) is None
    assert f"Type {len(dying)} to delete or disable {len(dying)} tokens on 2 workspaces" in asked[0]
    assert ids(company) == before
    monkeypatch.setattr("builtins.input", lambda _: str(len(dying)))
    result = notebook.run_line_magic("tokens", line)
    assert set(result["token_id"]) == dying == before - ids(company)


def test_the_explorer_opens_over_a_fleet_in_a_notebook_and_a_shell_says_where_it_is(company, notebook, capsys):
    screen = notebook.run_line_magic("tokens", "fleet explore --profiles prod,dev --where \"status == 'active'\"")
    assert set(screen.filtered["workspace"]) == {each.host for each in company.workspaces[:2]}
    assert set(screen.filtered["status"]) == {"active"}
    assert "%tokens fleet explore" in shell(capsys, "fleet explore --profiles prod,dev", code=2).err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("fleet list", "--profiles prod,dev or --account NAME"),
        ("fleet list --profiles prd", "Did you mean prod"),
        ("fleet list --account nowhere", "no profile 'nowhere'"),
        ("fleet", "Say what of fleet"),
        ("fleet lst", "Did you mean list"),
        ("fleet permissions", "Say what of fleet permissions: show, set, add"),
        ("fleet permissions sho", "There is no verb 'fleet permissions sho'. Did you mean show"),
        ("fleet revoke --profiles prod", "Say which tokens"),
        ("fleet list --profiles prod --profile dev", "no option --profile"),
    ],
)
def test_what_is_called_wrongly_says_what_to_do(company, capsys, line, words):  # noqa: ARG001
    assert words in shell(capsys, line, code=2).err


def test_a_fleet_revokes_of_nobody_only_where_no_workspace_knows_the_name(company, capsys):
    before = ids(company)
    said = shell(capsys, "fleet revoke --owner admni@example.com --yes --profiles prod,dev", code=2).err
    assert "owner 'admni@example.com' is unknown" in said
    assert "Did you mean admin@example.com" in said
    shell(capsys, "fleet revoke --owner admni@example.com --yes --allow-none --profiles prod,dev")
    workspaces = [tokenkit.connect(name) for name in ("prod", "dev")]
    here, there = (set(each.users()["user_name"]) for each in workspaces)
    only_there = min(there - here - set(workspaces[0].tokens()["owner"]))
    shell(capsys, f"fleet revoke --owner {only_there} --idle 9000d --yes --profiles prod,dev")
    assert ids(company) == before
