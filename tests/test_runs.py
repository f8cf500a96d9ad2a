"""Carrying on a run: the workspace that it was of is found, and no other is taken for it."""

import pytest

import tokenkit
from tests.conftest import NOW
from tokenkit.sandbox import Fault, Sandbox


def test_resume_finds_the_workspace_that_is_connected_and_refuses_another(fresh_sandbox, connected):
    ws = connected(fresh_sandbox)
    plan = ws.revoke(ws.tokens(status="active").tail(4))
    plan.apply()
    assert tokenkit.resume(plan.run_id)["outcome"].tolist() == ["revoked"] * 4
    with Sandbox(tokens=3) as other:
        elsewhere = tokenkit.connect(host=other.host, token=other.token)
        with pytest.raises(tokenkit.UsageError, match="is of"):
            tokenkit.resume(plan.run_id, workspace=elsewhere)


def test_a_run_of_a_profile_is_resumed_by_signing_in_as_that_profile(fresh_sandbox, tmp_path, monkeypatch):
    (tmp_path / "databrickscfg").write_text(f"[prod]\nhost = {fresh_sandbox.host}\ntoken = {fresh_sandbox.token}\n")
    by_profile = tokenkit.connect("prod", clock=NOW)
    fresh_sandbox.faults.add(Fault(method="DELETE", status=400, times=2))
    plan = by_profile.revoke(by_profile.tokens(status="active").tail(4))
    assert plan.apply()["outcome"].value_counts().to_dict() == {"failed": 2, "revoked": 2}
    run_id = plan.run_id
    del by_profile, plan
    monkeypatch.setattr("tokenkit.runs.IN_HAND", {})  # as a new process has it
    assert tokenkit.resume(run_id)["outcome"].tolist() == ["revoked"] * 4


def test_a_run_that_no_journal_has_is_said_to_be_none():
    with pytest.raises(tokenkit.UsageError, match="no run '2026'"):
        tokenkit.resume("2026")
