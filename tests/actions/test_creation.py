"""A token is created on behalf of a service principal: journalled, and never alive without anybody knowing of it."""

import contextlib
import json
import shlex
import sqlite3

import pytest

import tokenkit
from tokenkit import cli
from tokenkit.actions import creation
from tokenkit.sandbox import Fault, Sandbox

LINE = "create-obo terraform --lifetime 1d --comment nightly --secret tokenkit/x"
CREATE, PUT = "*/on-behalf-of/tokens", "*/secrets/put"
VALUE_LOST = [
    Fault(path=CREATE, status=200, body={"token_value": None}, after_handler=True),
    Fault(path=CREATE, status=200, body="<html>", after_handler=True),
    Fault(path=CREATE, status=200, body="{", after_handler=True),
    Fault(path=CREATE, status=200, body={"token_info": {}, "token_value": "dapi0"}, after_handler=True),
    Fault(path=CREATE, status=500, after_handler=True),
    Fault(path=CREATE, drop=True, after_handler=True),
    Fault(path=CREATE, truncate_bytes=20, after_handler=True),
]


@pytest.fixture
def company(monkeypatch):
    with Sandbox(tokens=60) as sandbox:
        monkeypatch.setenv("DATABRICKS_HOST", sandbox.host)
        monkeypatch.setenv("DATABRICKS_TOKEN", sandbox.token)
        yield sandbox


@pytest.fixture
def made(company):
    """The tokens that came to be since."""
    state = company.workspaces[0].state
    before = set(state.tokens.ids())
    return lambda: set(state.tokens.ids()) - before


def secret(company, key="x"):
    return company.workspaces[0].state.secrets.value("tokenkit", key)


def test_a_new_token_is_in_the_journal_and_named(company, made, capsys):
    assert cli.main([*shlex.split(LINE), "--output", "json"]) == 0
    (token_id,) = made()
    printed = capsys.readouterr()
    assert f"created token {token_id}. Run " in printed.err
    (row,) = tokenkit.connect().journal().to_dict("records")
    assert (row["kind"], row["token_id"], row["outcome"], row["owner"]) == (
        "create-obo",
        token_id,
        "created",
        "terraform",
    )
    (run,) = tokenkit.connect().runs().to_dict("records")
    assert (run["tokens"], run["done"], run["remaining"]) == (1, 1, 0)
    value = secret(company)
    folder = tokenkit.connect().folder
    assert not any(value.encode() in path.read_bytes() for path in folder.iterdir() if path.is_file())
    assert cli.main(["resume", run["run_id"], "--output", "json"]) == 0
    assert len(made()) == 1


@pytest.mark.parametrize("comment", ["was {}", "{}", "see https://ci/%20{}", "Bearer {}"])
def test_a_comment_with_what_looks_like_a_credential_creates_nothing(company, made, capsys, comment):
    value = "dapi" + "0123456789abcdef" * 2
    company.requests.clear()
    assert cli.main(shlex.split(LINE.replace("nightly", f"'{comment.format(value)}'"))) == 2
    printed = capsys.readouterr().err
    assert "looks like a credential" in printed
    assert value not in printed
    assert made() == set()
    assert not [record for record in company.requests if record.method == "POST"]


@pytest.mark.parametrize("fault", VALUE_LOST)
def test_a_token_whose_value_is_lost_is_named(company, made, capsys, fault):
    company.faults.add(fault)
    assert cli.main(shlex.split(LINE)) == 3
    (token_id,) = made()
    assert f"The value is lost. Revoke the token: tokenkit revoke {token_id}" in capsys.readouterr().err
    assert secret(company) is None
    (run,) = tokenkit.connect().runs().to_dict("records")
    assert (run["change"], run["tokens"], run["remaining"]) == ("unknown", 0, 1)
    assert cli.main(["resume", run["run_id"]]) == 2
    assert token_id in capsys.readouterr().err
    assert tokenkit.connect().runs()["remaining"].tolist() == [1]
    assert cli.main(["revoke", token_id, "--yes"]) == 0
    assert cli.main(["resume", run["run_id"]]) == 0
    (run, _) = tokenkit.connect().runs().to_dict("records")
    assert (run["change"], run["remaining"]) == ("skipped", 0)
    with contextlib.closing(sqlite3.connect(tokenkit.connect().folder / "journal.sqlite")) as journal:
        reasons = journal.execute("SELECT error FROM steps WHERE state = 'skipped'").fetchall()
    assert reasons == [("no token was created, or it was revoked",)]


def test_a_creation_whose_request_may_be_under_way_is_looked_at_again_before_it_is_settled(company, made, capsys):
    company.faults.add(Fault(path=CREATE, drop=True))
    assert cli.main(shlex.split(LINE)) == 3
    (run,) = tokenkit.connect().runs().to_dict("records")
    assert (run["change"], run["remaining"]) == ("unknown", 1)
    assert (
        f"The workspace lists no new token. Run `tokenkit resume {run['run_id']}` to check again."
        in capsys.readouterr().err
    )
    assert len(tokenkit.connect().resume(run["run_id"])) == 0
    assert tokenkit.connect().runs()[["change", "remaining"]].to_numpy().tolist() == [["skipped", 0]]
    assert made() == set()


@pytest.mark.parametrize(("answer", "survives"), [("1", False), ("no", True), ("", True)])
def test_a_token_whose_value_is_lost_is_revoked_on_request(company, made, ipython, monkeypatch, answer, survives):
    company.faults.add(VALUE_LOST[0])
    asked = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or answer)
    result = ipython.run_cell(f"%tokens {LINE}")
    assert isinstance(result.error_in_exec, tokenkit.ResponseLostError)
    assert asked == ["Type 1 to revoke 1 token now, anything else to keep them: "]
    assert bool(made()) == survives


def test_where_the_workspace_cannot_be_asked_the_run_looks_again(company, made, capsys):
    company.faults.add(Fault(path=CREATE, drop=True, after_handler=True, times=1))
    company.faults.add(Fault(path="*/token-management/tokens", method="GET", status=400, offset=1, times=1))
    assert cli.main(shlex.split(LINE)) == 3
    run_id = tokenkit.connect().runs()["run_id"].iloc[0]
    assert f"Run `tokenkit resume {run_id}` to check again" in capsys.readouterr().err
    assert cli.main(["resume", run_id]) == 2
    (token_id,) = made()
    assert token_id in capsys.readouterr().err


@pytest.mark.parametrize("fault", [Fault(path=CREATE, status=400), Fault(path=CREATE, status=403)])
def test_a_rejected_request_creates_nothing_and_says_why(company, made, capsys, fault):
    company.faults.add(fault)
    assert cli.main(shlex.split(LINE)) == 3
    assert "revoke" not in capsys.readouterr().err
    assert made() == set()
    assert tokenkit.connect().runs()[["change", "remaining"]].to_numpy().tolist() == [["skipped", 0]]


@pytest.mark.parametrize(
    "fault", [Fault(path=PUT, status=403), Fault(path=PUT, drop=True), Fault(path=PUT, status=404)]
)
def test_a_token_whose_secret_cannot_be_stored_is_named_and_revoked_again(company, made, capsys, fault):
    company.faults.add(fault)
    assert cli.main(shlex.split(LINE)) == 2
    assert made() == set()
    journal = tokenkit.connect().journal()
    assert journal["outcome"].tolist() == ["created", "revoked"]
    assert f"Token {journal['token_id'].iloc[0]} was revoked." in capsys.readouterr().err


def test_one_that_cannot_be_revoked_again_is_named(company, made, capsys):
    company.faults.add(Fault(path=PUT, status=403))
    company.faults.add(Fault(method="DELETE", status=400))
    assert cli.main(shlex.split(LINE)) == 2
    (token_id,) = made()
    assert f"The value is lost. Revoke the token: tokenkit revoke {token_id}" in capsys.readouterr().err


def test_a_secret_that_exists_is_not_overwritten_unless_told_to(company, made, capsys):
    assert cli.main(shlex.split(LINE)) == 0
    value = secret(company)
    assert cli.main(shlex.split(LINE)) == 2
    assert "The secret tokenkit/x already exists" in capsys.readouterr().err
    assert (secret(company), len(made())) == (value, 1)
    assert cli.main([*shlex.split(LINE), "--overwrite"]) == 0
    assert secret(company) != value
    assert cli.main(shlex.split(LINE.replace("/x", "/y"))) == 0


@pytest.mark.parametrize("option", ["--variable not-a-name", "--env A=B", "--variable 1x"])
def test_a_variable_that_cannot_be_set_is_rejected_before_a_token_is_made(made, ipython, option):
    result = ipython.run_cell(f"%tokens create-obo terraform {option}")
    assert isinstance(result.error_in_exec, tokenkit.UsageError)
    assert made() == set()


@pytest.mark.parametrize(
    ("scopes", "words"),
    [
        ("sqll", "Unknown scope 'sqll'. Did you mean sql?"),
        ("jobs,Clusters", "Unknown scope 'Clusters'. Did you mean clusters?"),
        ("all-api", "Did you mean all-apis?"),
        ("unity_catalog", "Did you mean unity-catalog?"),
    ],
)
@pytest.mark.parametrize("command", ["create-obo terraform --show-value --lifetime 1d", "update {token} --yes"])
def test_a_scope_that_is_nearly_a_known_one_is_asked_back(company, made, capsys, command, scopes, words):
    command = command.format(token=company.workspaces[0].state.tokens.infos()[-1]["token_id"])
    line = [*shlex.split(command), "--scopes", scopes]
    assert cli.main(line) == 2
    assert words in capsys.readouterr().err
    assert made() == set()
    assert cli.main([*line, "--allow-unknown"]) == 0


@pytest.mark.parametrize("scopes", ["sql", "quantum-annealing", "sql,jobs,zzz", "all-apis"])
def test_known_and_unknown_scopes_pass(made, capsys, scopes):
    line = ["create-obo", "terraform", "--secret", "tokenkit/x", "--scopes", scopes, "--output", "json"]
    assert cli.main(line) == 0
    assert json.loads(capsys.readouterr().out)[0]["scopes"] == scopes.split(",")
    assert len(made()) == 1


@pytest.mark.parametrize(("answer", "count"), [("yes", 1), ("no", 0)])
def test_a_question_about_a_scope_is_asked_where_there_is_a_terminal(made, ipython, monkeypatch, answer, count):
    monkeypatch.setattr("builtins.input", lambda _: answer)
    ipython.run_cell("%tokens create-obo terraform --scopes sqll --lifetime 1d")
    assert len(made()) == count


def test_an_interrupted_request_names_the_token(made, tmp_path):
    workspace = tokenkit.connect(home=tmp_path)
    target = workspace.plan_context()

    class Interrupted:
        def list(self):
            return target.api.list()

        def create_obo_token(self, application_id, **request):
            target.api.create_obo_token(application_id, **request)
            raise KeyboardInterrupt

    principal = workspace.service_principals().iloc[0]
    created = creation.create(type(target)(**{**vars(target), "api": Interrupted()}), principal, {})
    assert created.made is None
    assert set(created.without_value) == made() != set()
