"""The explorer of a fleet: a selected token is revoked in its own workspace only."""

import threading

import pytest

import tokenkit
from tests.conftest import NOW
from tests.waiting import wait_until
from tests.widgets.conftest import settle
from tokenkit.actions.options import StderrProgress
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
def user(explorer, browser):
    return browser(explorer)


@pytest.fixture
def ids(own_companies):
    """The ids of the tokens that each workspace has now."""
    return lambda: {workspace.host: set(workspace.state.tokens.ids()) for workspace in own_companies.workspaces}


@pytest.fixture
def targets(explorer):
    """Two active tokens of other users in each workspace."""
    tokens = explorer.filtered.query("status == 'active' and owner != 'admin@example.com'")
    return tokens.groupby("workspace").head(2)


def test_the_explorer_shows_the_tokens_of_all_workspaces_and_filters_by_workspace(explorer, user, fleet):
    listing = fleet.tokens()
    assert len(explorer.filtered) == len(listing)
    user.filter("workspace", fleet.hosts[1])
    assert set(explorer.filtered["workspace"]) == {fleet.hosts[1]}
    assert list(explorer.filtered.columns) == list(listing.columns)


def test_selected_tokens_are_revoked_in_their_own_workspaces(explorer, user, ids, targets):
    before = ids()
    explorer.select(targets)
    user.revoke(len(targets))
    revoked = {host: before[host] - now for host, now in ids().items()}
    assert revoked == {host: set(rows["token_id"]) for host, rows in targets.groupby("workspace")}
    assert len(targets) == 6
    assert explorer.selected.empty


def test_the_tokens_of_a_failing_workspace_stay_selected_and_the_others_are_revoked(
    explorer, user, ids, targets, own_companies
):
    before = ids()
    down = own_companies.workspaces[1]
    own_companies.faults.add(Fault(method="DELETE", path=f"{LISTING}/*", status=400, workspace_id=down.workspace_id))
    explorer.select(targets)
    user.revoke(len(targets))
    assert {host: len(before[host] - now) for host, now in ids().items()} == {
        workspace.host: 0 if workspace is down else 2 for workspace in own_companies.workspaces
    }
    assert set(explorer.selected["workspace"]) == {down.host}
    assert len(explorer.selected) == 2


def test_a_failing_workspace_is_reported(fleet, own_companies, browser):
    own_companies.faults.add(Fault(path=LISTING, status=403, workspace_id=own_companies.workspaces[0].workspace_id))
    explorer = fleet.explore()
    assert browser(explorer).sections["about"]["lacks"] == "1 workspace failed: see .errors"
    assert set(explorer.filtered["workspace"]) == set(fleet.hosts[1:])


def test_the_progress_counts_all_workspaces(explorer, user, targets):
    explorer.select(targets)
    user.revoke(len(targets))
    views = [content["sections"].get("decision") or {} for content in user.received if "sections" in content]
    progress = [view["progress"] for view in views if "progress" in view]
    assert (progress[-1]["done"], progress[-1]["total"]) == (6, 6)
    done = [step["done"] for step in progress]
    assert done == sorted(done)


def test_a_stopped_run_is_resumed_and_keeps_the_remaining_tokens_selected(explorer, user, ids, own_companies):
    before = ids()
    own_companies.faults.add(Fault(method="DELETE", latency_ms=200))
    others = explorer.filtered.query("owner != 'admin@example.com'")
    explorer.select(others)
    user.do("act", action="revoke")
    explorer._on_event({"event": "confirm", "number": user.asks["number"], "typed": str(len(others)), "answers": {}})
    wait_until(lambda: sum(len(before[host] - now) for host, now in ids().items()) >= 5)
    explorer._on_event({"event": "stop"})
    settle()
    own_companies.faults.clear()
    revoked = sum(len(before[host] - now) for host, now in ids().items())
    assert 5 <= revoked < len(others)
    remaining = len(others) - revoked
    assert user.asks["lines"] == [f"{remaining} tokens remaining."]
    assert len(explorer.selected) == remaining
    assert user.sections["unfinished"]["label"] == f"Resume ({remaining} remaining) …"  # of all its parts
    user.do("resume", run=user.sections["unfinished"]["run"])
    user.confirm(remaining)
    assert not set(others["token_id"]) & set().union(*ids().values())


def test_a_stop_reaches_the_plan_of_all_workspaces(explorer, ids, targets):
    before = ids()
    action = explorer._source.actions[0]
    stop = threading.Event()
    stop.set()
    result = action.execute({})(action.plan(targets, {}), StderrProgress(), stop)
    assert set(result["outcome"]) == {"pending"}
    assert ids() == before


def test_only_actions_of_a_fleet_are_offered(user):
    assert [action["name"] for action in user.sections["actions"]] == ["revoke"]


def test_the_table_of_a_fleet_has_the_workspace_and_a_key_for_each_token(user, fleet):
    assert [column["title"] for column in user.sections["table"]["columns"]][-1] == "Workspace"
    assert {row["workspace"] for row in user.sections["table"]["rows"]} <= {
        host.removeprefix("http://") for host in fleet.hosts
    }
    assert all(key.split(" ")[1] in fleet.hosts for key in user.page)
