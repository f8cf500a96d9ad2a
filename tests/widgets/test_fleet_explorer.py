"""The explorer of a fleet: a selected token is one of its workspace, and is revoked there and nowhere else."""

import threading

import ipywidgets as widgets
import pytest

import tokenkit
from tests.conftest import NOW
from tests.widgets.conftest import settle
from tokenkit.actions.plan import Terminal
from tokenkit.rest.transport import RetryPolicy
from tokenkit.sandbox import Fault

LISTING = "/api/2.0/token-management/tokens"


@pytest.fixture
def fleet(own_companies, tmp_path):
    settings = {"clock": NOW, "retries": RetryPolicy(budget_seconds=0), "home": tmp_path}
    return tokenkit.fleet([tokenkit.connect(host=w.host, token=w.token, **settings) for w in own_companies.workspaces])


@pytest.fixture
def explorer(fleet):
    return fleet.explore(page_size=20)


@pytest.fixture
def somebody(explorer, person):
    return person(explorer.widget)


@pytest.fixture
def ids(own_companies):
    """The ids of the tokens that each workspace has at this moment."""
    return lambda: {workspace.host: set(workspace.state.tokens.ids()) for workspace in own_companies.workspaces}


@pytest.fixture
def victims(explorer):
    """Two active tokens of other people in each workspace."""
    tokens = explorer.filtered.query("status == 'active' and owner != 'admin@example.com'")
    return tokens.groupby("workspace").head(2)


def revoke(somebody, count):
    somebody.press("Revoke …")
    somebody.press("Preview")
    somebody.type("Type", str(count))
    somebody.press("Revoke")


def test_it_shows_the_tokens_of_all_workspaces_and_filters_by_workspace(explorer, somebody, fleet):
    listing = fleet.tokens()
    assert len(explorer.filtered) == len(listing)
    somebody.choose("Workspace", fleet.hosts[1])
    assert set(explorer.filtered["workspace"]) == {fleet.hosts[1]}
    assert list(explorer.filtered.columns) == list(listing.columns)


def test_what_is_selected_is_revoked_in_its_own_workspaces(explorer, somebody, ids, victims):
    before = ids()
    explorer.select(victims)
    revoke(somebody, len(victims))
    gone = {host: before[host] - now for host, now in ids().items()}
    assert gone == {host: set(rows["token_id"]) for host, rows in victims.groupby("workspace")}
    assert len(victims) == 6
    assert explorer.selected.empty


def test_a_workspace_that_fails_leaves_its_tokens_selected_and_costs_no_others(
    explorer, somebody, ids, victims, own_companies
):
    before = ids()
    down = own_companies.workspaces[1]
    own_companies.faults.add(Fault(method="DELETE", path=f"{LISTING}/*", status=400, workspace_id=down.workspace_id))
    explorer.select(victims)
    revoke(somebody, len(victims))
    assert {host: len(before[host] - now) for host, now in ids().items()} == {
        each.host: 0 if each is down else 2 for each in own_companies.workspaces
    }
    assert set(explorer.selected["workspace"]) == {down.host}
    assert len(explorer.selected) == 2


def test_a_workspace_that_does_not_answer_is_said_on_the_screen(fleet, own_companies, person):
    own_companies.faults.add(Fault(path=LISTING, status=403, workspace_id=own_companies.workspaces[0].workspace_id))
    explorer = fleet.explore()
    assert any("1 workspace failed: see .errors" in line for line in person(explorer.widget).reads())
    assert set(explorer.filtered["workspace"]) == set(fleet.hosts[1:])


def test_the_bar_moves_over_all_workspaces_together_and_ends_where_they_do(explorer, somebody, victims):
    explorer.select(victims)
    seen = []
    (bar,) = somebody.parts(widgets.IntProgress, explorer._confirmation._bar)
    bar.observe(lambda _: seen.append((bar.value, bar.max)), ["value", "max"])
    revoke(somebody, len(victims))
    assert seen[-1] == (6, 6)
    values = [value for value, _ in seen]
    assert values == sorted(values)


def test_a_stop_half_way_says_how_to_go_on_and_leaves_the_rest_selected(explorer, somebody, ids, own_companies, fleet):
    before = ids()
    own_companies.faults.add(Fault(method="DELETE", latency_ms=200))
    others = explorer.filtered.query("owner != 'admin@example.com'")
    explorer.select(others)
    somebody.press("Revoke …")
    somebody.press("Preview")
    somebody.type("Type", str(len(others)))
    somebody.named(widgets.Button, "Revoke").click()
    while sum(len(before[host] - now) for host, now in ids().items()) < 5:
        pass
    somebody.named(widgets.Button, "Stop").click()
    settle()
    assert 0 < explorer._confirmation._bar.value < explorer._confirmation._bar.max
    gone = sum(len(before[host] - now) for host, now in ids().items())
    assert 5 <= gone < len(others)
    run_id = fleet.journal()["run_id"].iloc[-1].rpartition(".")[0]
    left = len(others) - gone
    assert f"{left} tokens left; tokenkit.resume({run_id!r}) finishes the run." in somebody.reads()
    assert len(explorer.selected) == left


def test_a_stop_is_heard_by_the_plan_of_all_workspaces(explorer, ids, victims):
    before = ids()
    action = explorer._source.actions[0]
    stop = threading.Event()
    stop.set()
    result = action.carry_out({})(action.plan(victims, {"reason": ""}), Terminal(), stop)
    assert set(result["outcome"]) == {"planned"}
    assert ids() == before


def test_only_what_a_fleet_can_do_is_offered(somebody):
    offered = {each.description for each in somebody.parts(widgets.Button)}
    assert "Revoke …" in offered
    assert not offered & {"Stage …", "Update …"}
