"""Carrying on a run: the workspace that it was of is found, and no other is taken for it."""

import pytest

import tokenkit
from tests.conftest import NOW
from tests.fleets.examples import behind_one_host
from tokenkit.actions.journal import Journal
from tokenkit.sandbox import Fault, Sandbox


def half_done(ws, sandbox):
    """Return the id of a run of four tokens, two of which could not be revoked."""
    tokens = ws.tokens(status="active")
    plan = ws.revoke(tokens[tokens["owner"] != "admin@example.com"].tail(4))
    sandbox.faults.add(Fault(method="DELETE", status=400, times=2))
    assert plan.apply(progress=False)["outcome"].value_counts().to_dict() == {"failed": 2, "revoked": 2}
    sandbox.faults.clear()
    return plan.run_id


def test_a_workspace_resumes_its_run_and_says_what_became_of_it(fresh_sandbox, connected, capsys):
    ws = connected(fresh_sandbox)
    run_id = half_done(ws, fresh_sandbox)
    capsys.readouterr()
    assert ws.resume(run_id, progress=False)["outcome"].tolist() == ["revoked"] * 4
    assert capsys.readouterr().err == f"{ws.name}: the whole run: 4 tokens revoked. Run {run_id}.\n"


def test_a_run_is_not_resumed_with_the_workspace_of_another_host(fresh_sandbox, connected):
    run_id = half_done(connected(fresh_sandbox), fresh_sandbox)
    with Sandbox(tokens=3) as other:
        elsewhere = tokenkit.connect(host=other.host, token=other.token)
        for resume in (elsewhere.resume, elsewhere.plan_resume, elsewhere.undo):
            with pytest.raises(tokenkit.UsageError, match=rf"is of {fresh_sandbox.host} \(arguments\), not of"):
                resume(run_id)
        with pytest.raises(tokenkit.UsageError, match="is of"):
            tokenkit.resume(run_id, workspace=elsewhere)


def test_a_run_is_not_resumed_with_another_workspace_of_the_same_host(own_companies, tmp_path):
    """It would note the live tokens of the run as gone."""
    first, second, _ = behind_one_host(own_companies, tmp_path)
    run_id = half_done(first, own_companies)
    before = set(own_companies.workspaces[0].state.tokens.ids())
    own_companies.requests.clear()
    for resume in (second.resume, second.plan_resume, second.undo):
        with pytest.raises(
            tokenkit.UsageError,
            match=rf"is of workspace {first.workspace_id} \(arguments\), not of {second.workspace_id}",
        ):
            resume(run_id)
    fleet = tokenkit.fleet([second])
    assert sorted(fleet.resume(run_id)["outcome"]) == ["failed", "failed", "revoked", "revoked"]
    left = f"?o={first.workspace_id} (arguments) is not in this fleet, and 2 tokens of the run remain there."
    assert fleet.errors["message"].iloc[0].endswith(left)
    assert {request.method for request in own_companies.requests} <= {"GET"}
    assert set(own_companies.workspaces[0].state.tokens.ids()) == before
    assert first.journal()["outcome"].value_counts().to_dict() == {"failed": 2, "revoked": 2}
    assert first.resume(run_id)["outcome"].tolist() == ["revoked"] * 4


def test_each_workspace_of_a_host_sees_its_own_runs_and_journal(own_companies, tmp_path):
    first, second, third = behind_one_host(own_companies, tmp_path)
    run_ids = {ws.workspace_id: half_done(ws, own_companies) for ws in (first, second)}
    for ws in (first, second):
        assert ws.runs()[["run_id", "workspace_id"]].to_numpy().tolist() == [
            [run_ids[ws.workspace_id], ws.workspace_id]
        ]
        assert set(ws.journal()["run_id"]) == {run_ids[ws.workspace_id]}
    assert len(third.runs()) == len(third.journal()) == 0


def test_one_workspace_in_several_spellings_is_one(fresh_sandbox, connected, tmp_path):
    run_id = half_done(connected(fresh_sandbox, home=tmp_path), fresh_sandbox)
    shouting = fresh_sandbox.host.replace("http://", "HTTP://") + "/?o=" + str(fresh_sandbox.workspaces[0].workspace_id)
    again = tokenkit.connect(host=shouting, token=fresh_sandbox.token, clock=NOW, home=tmp_path)
    assert again.runs()["run_id"].tolist() == [run_id]
    assert again.resume(run_id)["outcome"].tolist() == ["revoked"] * 4


def test_a_run_of_which_the_workspace_is_not_known_is_of_none(fresh_sandbox, connected):
    ws = connected(fresh_sandbox)
    run_id = half_done(ws, fresh_sandbox)
    with Journal(ws.folder) as journal:
        journal._connection.execute("UPDATE runs SET workspace_id = ''")
    assert len(ws.runs()) == 0
    with pytest.raises(tokenkit.UsageError, match=r"does not say which workspace of .* Plan again"):
        ws.resume(run_id)


def test_a_run_of_a_kind_that_is_not_known_is_rejected(fresh_sandbox, connected):
    ws = connected(fresh_sandbox)
    run_id = half_done(ws, fresh_sandbox)
    with Journal(ws.folder) as journal:
        journal._connection.execute("UPDATE runs SET kind = 'rotate'")
    with pytest.raises(tokenkit.UsageError, match="'rotate', which another version of tokenkit can resume"):
        ws.resume(run_id)


# Without a workspace the run is signed in as it was


def test_a_run_of_a_profile_is_resumed_by_signing_in_as_that_profile(fresh_sandbox, tmp_path):
    (tmp_path / "databrickscfg").write_text(f"[prod]\nhost = {fresh_sandbox.host}\ntoken = {fresh_sandbox.token}\n")
    run_id = half_done(tokenkit.connect("prod", clock=NOW), fresh_sandbox)
    assert tokenkit.resume(run_id)["outcome"].tolist() == ["revoked"] * 4


def test_a_run_of_one_of_two_workspaces_of_a_host_finds_its_own(own_companies, tmp_path):
    second = own_companies.workspaces[1]
    (tmp_path / "databrickscfg").write_text(f"[prod]\nhost = {own_companies.host}\ntoken = {second.token}\n")
    ws = tokenkit.connect("prod", workspace_id=second.workspace_id, clock=NOW)
    run_id = half_done(ws, own_companies)
    assert tokenkit.resume(run_id)["outcome"].tolist() == ["revoked"] * 4


@pytest.mark.parametrize("changed", ["profile", "environment"])
def test_a_sign_in_that_is_for_another_host_by_now_is_not_used(changed, fresh_sandbox, tmp_path, monkeypatch):
    config = tmp_path / "databrickscfg"
    if changed == "profile":
        config.write_text(f"[prod]\nhost = {fresh_sandbox.host}\ntoken = {fresh_sandbox.token}\n")
    else:
        monkeypatch.setenv("DATABRICKS_HOST", fresh_sandbox.host)
        monkeypatch.setenv("DATABRICKS_TOKEN", fresh_sandbox.token)
    run_id = half_done(tokenkit.connect("prod" if changed == "profile" else None, clock=NOW), fresh_sandbox)
    with Sandbox(tokens=3) as other:
        config.write_text(f"[prod]\nhost = {other.host}\ntoken = {other.token}\n")
        monkeypatch.setenv("DATABRICKS_HOST" if changed == "environment" else "UNUSED", other.host)
        fresh_sandbox.requests.clear()
        with pytest.raises(tokenkit.UsageError, match=rf"is for {other.host}\.") as raised:
            tokenkit.resume(run_id)
        assert "pass workspace=" in str(raised.value)
        assert len(other.requests) == len(fresh_sandbox.requests) == 0


def test_a_run_that_was_signed_in_by_arguments_asks_for_its_workspace(fresh_sandbox, connected):
    ws = connected(fresh_sandbox)
    run_id = half_done(ws, fresh_sandbox)
    with pytest.raises(tokenkit.UsageError, match=r"was signed in by arguments\. Connect there, and pass workspace="):
        tokenkit.resume(run_id)
    assert tokenkit.resume(run_id, workspace=ws)["outcome"].tolist() == ["revoked"] * 4


def test_a_run_that_is_in_no_journal_is_reported_as_unknown():
    with pytest.raises(tokenkit.UsageError, match="no run '2026'"):
        tokenkit.resume("2026")
