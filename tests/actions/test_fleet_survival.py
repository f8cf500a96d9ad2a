"""Killed and resumed across workspaces, as tests/actions/test_survival.py does it for one."""

import random

import pytest

from tests.actions import children
from tests.actions.test_survival import kill_after
from tests.conftest import NOW
from tokenkit.actions.journal import Journal
from tokenkit.actions.states import SETTLED
from tokenkit.sandbox import Fault, Sandbox

EACH = 60
WORKSPACES = 5
KILLS = 6


@pytest.fixture
def companies():
    with Sandbox(tokens=EACH + 40, workspaces=WORKSPACES, clock=NOW.timestamp, latency_ms=2) as sandbox:
        yield sandbox
        assert list(sandbox.errors) == []


def pairs(sandbox):
    return {(each.host, token_id) for each in sandbox.workspaces for token_id in each.state.tokens.ids()}


@pytest.mark.parametrize("seed", [1, 2])
def test_a_fleet_s_run_killed_again_and_again_ends_as_exactly_the_plan(companies, processes, tmp_path, seed):
    rng = random.Random(seed)  # noqa: S311 - a kill is no secret
    workspaces = [(each.host, each.token) for each in companies.workspaces]
    hosts = {each.workspace_id: each.host for each in companies.workspaces}
    fleet = children.fleet_of(workspaces, tmp_path)
    tokens = fleet.tokens()
    others = tokens[tokens["owner"] != "admin@example.com"]
    chosen = others.groupby("workspace").sample(EACH, random_state=seed)[["workspace", "token_id"]]
    wanted = set(chosen.itertuples(index=False, name=None))
    before = pairs(companies)
    if seed == 2:  # answers that are lost on top of it
        companies.faults.add(Fault(method="DELETE", drop=True, after_handler=True, offset=30, times=30))
    companies.requests.clear()
    process = processes.Process(target=children.revoke_in_a_fleet, args=(workspaces, tmp_path, chosen))
    process.start()
    kills = int(kill_after(process, companies, rng.randrange(1, 30)))
    run_ids = fleet.journal()["run_id"].unique().tolist()
    assert len(run_ids) == WORKSPACES  # each part was written down before the first request
    run_id = run_ids[0].rpartition(".")[0]
    while True:
        with Journal(tmp_path) as journal:
            entries = [(part.host, entry) for part in journal.parts(run_id) for entry in journal.entries(part.run_id)]
        settled = {(host, entry.token_id) for host, entry in entries if entry.state in SETTLED}
        sent = {(host, entry.token_id) for host, entry in entries if entry.state != "pending"}
        gone = before - pairs(companies)
        assert gone <= wanted
        assert settled <= gone <= sent
        companies.requests.clear()
        process = processes.Process(target=children.resume_in_a_fleet, args=(workspaces, tmp_path, run_id))
        process.start()
        killed = kill_after(process, companies, rng.randrange(1, 60) if kills < KILLS else 10_000)
        asked = {(hosts[each.workspace_id], each.path.rpartition("/")[2]) for each in companies.requests}
        assert not asked & settled  # no request for a token that was recorded as gone
        kills += killed
        if not killed:
            break
    assert kills >= KILLS - 1
    assert process.exitcode == 0
    assert before - pairs(companies) == wanted
    rows = fleet.journal()
    assert set(rows[["workspace", "token_id"]].itertuples(index=False, name=None)) == wanted
    assert len(rows) == len(wanted)
    assert set(rows["outcome"]) <= {"revoked", "already_gone"}
