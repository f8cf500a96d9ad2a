"""One run in many workspaces, carried out and finished. Kills are in tests/actions/test_fleet_survival.py."""

import threading

import pytest

import tokenkit
from tests.conftest import NOW
from tests.fleets.examples import LISTING, behind_one_host, hands, ids, victims_of, write_profiles
from tokenkit.sandbox import Fault


def test_a_plan_revokes_in_several_workspaces_as_one_run(own_companies, tmp_path):
    fleet = tokenkit.fleet(hands(own_companies, tmp_path))
    victims = victims_of(fleet)
    before = ids(own_companies)
    plan = fleet.revoke(victims, reason="a test")
    assert len(plan) == 15
    assert plan.preview()["workspace"].value_counts().tolist() == [5, 5, 5]
    assert list(plan.preview().columns)[:3] == ["workspace", "token_id", "owner"]
    assert ids(own_companies) == before  # nothing yet
    result = plan.apply(progress=False)
    assert result["outcome"].tolist() == ["revoked"] * 15
    assert before - ids(own_companies) == set(zip(victims["workspace"], victims["token_id"], strict=True))
    journal = fleet.journal()
    assert journal["run_id"].str.rpartition(".")[0].unique().tolist() == [plan.run_id]
    assert sorted(journal["workspace"].unique()) == sorted(fleet.hosts)
    runs = fleet.runs()
    assert sorted(runs["run_id"]) == [f"{plan.run_id}.{part}" for part in (1, 2, 3)]  # begun at once, in any order
    assert runs["workspace"].tolist() == runs["host"].tolist()
    assert sorted(runs["workspace"]) == sorted(fleet.hosts)
    assert runs[["tokens", "done", "remaining"]].to_numpy().tolist() == [[5, 5, 0]] * 3
    assert fleet.resume(plan.run_id, progress=False)["outcome"].tolist() == ["revoked"] * 15  # nothing is left
    part = fleet.runs().set_index("run_id").loc[f"{plan.run_id}.2"]
    assert (
        fleet.workspace(part["workspace"]).resume(part.name)["outcome"].tolist() == ["revoked"] * 5
    )  # a part is a run


def test_a_part_of_an_id_names_a_run_whichever_folder_has_it(own_companies, tmp_path):
    first, second, *_ = own_companies.workspaces
    apart = [
        tokenkit.connect(host=each.host, token=each.token, clock=NOW, home=tmp_path / name)
        for each, name in ((first, "a"), (second, "b"))
    ]
    fleet = tokenkit.fleet(apart, progress=False)
    tokens = fleet.tokens("owner != 'admin@example.com'", status="active")
    plan = fleet.revoke(tokens[tokens["workspace"] == second.host].head(1))
    plan.apply()
    assert len(fleet.folders) == 2
    assert fleet.plan_resume(plan.run_id[-8:]).run_id == plan.run_id


def test_a_workspace_that_fails_while_a_plan_is_applied_is_left_for_resume(own_companies, tmp_path, capsys):
    fleet = tokenkit.fleet(hands(own_companies, tmp_path))
    victims = victims_of(fleet)
    plan = fleet.revoke(victims)
    failing = own_companies.workspaces[2]
    before = ids(own_companies)
    own_companies.faults.add(Fault(workspace_id=failing.workspace_id, path=LISTING, status=500))
    result = plan.apply(progress=False)
    assert result["workspace"].value_counts().tolist() == [5, 5, 5]
    failed = result[result["workspace"] == failing.host]
    assert failed["outcome"].tolist() == ["pending"] * 5
    assert failed["error"].str.contains("INTERNAL_ERROR").all()
    assert len(before - ids(own_companies)) == 10
    assert f"5 tokens remaining; to finish, run tokenkit.resume('{plan.run_id}')" in capsys.readouterr().err
    assert fleet.errors[["workspace", "operation"]].to_numpy().tolist() == [[failing.host, "apply"]]
    own_companies.faults.clear()
    result = tokenkit.resume(plan.run_id, workspace=fleet, progress=False)
    assert result["outcome"].tolist() == ["revoked"] * 15
    assert len(before - ids(own_companies)) == 15


def test_a_credential_that_expires_halfway_ends_the_run_in_its_workspace_only(own_companies, tmp_path):
    fleet = tokenkit.fleet(hands(own_companies, tmp_path))
    dead = own_companies.workspaces[0]
    own_companies.faults.add(
        Fault(workspace_id=dead.workspace_id, method="DELETE", path=f"{LISTING}/*", status=401, offset=1)
    )
    for each in own_companies.workspaces[1:]:  # so that they are under way still
        own_companies.faults.add(
            Fault(workspace_id=each.workspace_id, method="DELETE", path=f"{LISTING}/*", latency_ms=100)
        )
    result = fleet.revoke(victims_of(fleet)).apply(workers=1, progress=False)
    by_workspace = result.groupby("workspace", sort=False)["outcome"].agg(list).to_dict()
    assert by_workspace.pop(dead.host) == ["revoked", "failed", "pending", "pending", "pending"]
    assert list(by_workspace.values()) == [["revoked"] * 5] * 2


def test_permissions_that_changed_since_the_plan_are_left_alone_there(own_companies, tmp_path):
    fleet = tokenkit.fleet(hands(own_companies, tmp_path))
    entries = [{"group_name": "contractors", "permission_level": "CAN_USE"}]
    plan = fleet.plan_permissions(entries, replace=True)
    changed = fleet.workspace(own_companies.host)
    changed.token_management.update_permissions([{"group_name": "analysts", "permission_level": "CAN_USE"}])
    result = plan.apply(progress=False)
    left = result[result["workspace"] == own_companies.host]
    assert set(left["outcome"]) == {"pending"}
    assert left["error"].str.startswith("not started").all()
    assert left["owner"].notna().all()
    assert set(fleet.journal()["workspace"]) == set(fleet.hosts) - {own_companies.host}
    assert fleet.errors["workspace"].tolist() == [own_companies.host]
    assert "Plan again" in fleet.errors["message"].iloc[0]
    assert set(result[result["workspace"] != own_companies.host]["outcome"]) == {"revoked"}


def test_stopping_leaves_the_rest_planned_and_resumable(own_companies, tmp_path):
    fleet = tokenkit.fleet(hands(own_companies, tmp_path))
    plan = fleet.revoke(victims_of(fleet))
    stop = threading.Event()
    stop.set()
    before = ids(own_companies)
    result = plan.apply(progress=False, stop=stop)
    assert set(result["outcome"]) == {"pending"}
    assert result.attrs["ended_by"] == "stop"
    assert ids(own_companies) == before
    assert set(fleet.resume(plan.run_id, progress=False)["outcome"]) == {"revoked"}


def test_a_run_of_another_fleet_is_executed_for_the_workspaces_of_this_one(own_companies, tmp_path, capsys):
    whole = tokenkit.fleet(hands(own_companies, tmp_path))
    plan = whole.revoke(victims_of(whole))
    stop = threading.Event()
    stop.set()
    plan.apply(progress=False, stop=stop)
    smaller = tokenkit.fleet(hands(own_companies, tmp_path)[:2])
    result = smaller.resume(plan.run_id, progress=False)
    assert result["outcome"].value_counts().to_dict() == {"revoked": 10, "pending": 5}
    (left,) = smaller.errors["message"]
    assert left.endswith(" (arguments) is not in this fleet, and 5 tokens of the run remain there.")
    rest = smaller.plan_resume(plan.run_id)
    assert rest._in_short().closing == (f"Warning: {left}",)
    assert "2 of 3 workspaces" in repr(rest)
    with pytest.raises(tokenkit.UsageError, match="no run 'x'"):
        smaller.resume("x")
    with pytest.raises(tokenkit.UsageError, match=rf"a part of it, such as {plan.run_id}\.3"):
        tokenkit.resume(plan.run_id, workspace=hands(own_companies, tmp_path)[2])
    assert "\n5 tokens remaining" in capsys.readouterr().err


# Two workspaces behind one host


def test_a_run_in_two_workspaces_of_one_host_is_done_in_each_and_resumed_in_each(own_companies, tmp_path):
    members = behind_one_host(own_companies, tmp_path)
    fleet = tokenkit.fleet(members)
    assert fleet.hosts == tuple(f"{own_companies.host}/?o={each.workspace_id}" for each in members)
    victims = victims_of(fleet)
    own_companies.faults.add(Fault(method="DELETE", status=400, times=3))
    plan = fleet.revoke(victims)
    result = plan.apply(progress=False)
    assert result["workspace"].value_counts().to_dict() == dict.fromkeys(fleet.hosts, 5)
    assert result["outcome"].value_counts().to_dict() == {"revoked": 12, "failed": 3}
    own_companies.faults.clear()
    runs = fleet.runs()
    assert sorted(runs["workspace"]) == sorted(fleet.hosts)
    assert sorted(runs["workspace_id"]) == sorted(each.workspace_id for each in members)
    remaining = fleet.plan_resume(plan.run_id)
    assert len(remaining) == len(remaining.preview()) == remaining.summary().count == 3
    assert set(remaining.preview()["workspace"]) <= set(fleet.hosts)
    assert not remaining.needs_confirmation
    assert remaining.apply(progress=False)["outcome"].tolist() == ["revoked"] * 15
    gone = set(zip(victims["workspace"], victims["token_id"], strict=True))
    left = {
        (host, token_id)
        for host, each in zip(fleet.hosts, own_companies.workspaces, strict=True)
        for token_id in each.state.tokens.ids()
    }
    assert not gone & left
    assert set(zip(*[fleet.journal()[name] for name in ("workspace", "token_id")], strict=True)) == gone


def test_a_fleet_of_one_of_them_leaves_the_other_alone(own_companies, tmp_path):
    """Its id is not known before it is asked, and its host is that of the others."""
    whole = tokenkit.fleet(behind_one_host(own_companies, tmp_path))
    plan = whole.revoke(victims_of(whole))
    stop = threading.Event()
    stop.set()
    plan.apply(progress=False, stop=stop)
    alone = tokenkit.fleet([hands(own_companies, tmp_path)[0]])
    assert alone.hosts == (own_companies.host,)
    assert len(alone.plan_resume(plan.run_id)) == 5
    result = alone.resume(plan.run_id, progress=False)
    assert result["outcome"].value_counts().to_dict() == {"pending": 10, "revoked": 5}
    assert result.set_index("workspace").loc[own_companies.host, "outcome"].tolist() == ["revoked"] * 5
    assert len(alone.runs()) == 1


def test_a_fleet_s_run_is_resumed_by_signing_in_to_each_workspace_as_the_run_was(own_companies, monkeypatch, tmp_path):
    profiles = [
        (f"p{number}", {"host": f"{own_companies.host}/?o={each.workspace_id}", "token": each.token})
        for number, each in enumerate(own_companies.workspaces)
    ]
    write_profiles(monkeypatch, tmp_path, profiles)
    fleet = tokenkit.fleet([name for name, _ in profiles], clock=NOW)
    own_companies.faults.add(Fault(method="DELETE", status=400, times=3))
    plan = fleet.revoke(victims_of(fleet))
    plan.apply(progress=False)
    own_companies.faults.clear()
    result = tokenkit.resume(plan.run_id, progress=False)
    assert result["outcome"].tolist() == ["revoked"] * 15
    assert set(result["workspace"]) == set(fleet.hosts)
