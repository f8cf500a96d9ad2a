"""Many workspaces asked at once: partial answers, and those that fail."""

import socket
import threading

import pytest

import tokenkit
from tests.conftest import NOW
from tests.fleets.examples import IMPATIENT, LISTING, hands, hosts_of, write_profiles
from tokenkit.sandbox import Fault


@pytest.fixture
def unreachable():
    """A host where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_if_one_workspace_fails_only_its_rows_are_missing_and_it_is_reported(companies, fleet, capsys):
    failing = companies.workspaces[1]
    companies.faults.add(Fault(workspace_id=failing.workspace_id, path=LISTING, status=500))
    tokens = fleet.tokens()
    assert set(tokens["workspace"]) == set(hosts_of(companies)) - {failing.host}
    error = fleet.errors.iloc[0]
    assert (len(fleet.errors), error["workspace"], error["operation"], error["error_type"]) == (
        1,
        failing.host,
        "tokens",
        "UnavailableError",
    )
    assert "INTERNAL_ERROR" in error["message"]
    assert capsys.readouterr().err == (
        "tokens: the result is partial: 1 of 4 workspaces failed (UnavailableError); see .errors.\n"
    )
    assert "1 of them failed" in repr(fleet)
    companies.faults.clear()
    fleet.tokens()
    assert len(fleet.errors) == 0  # of a verb, the last time counts
    assert capsys.readouterr().err == ""


def test_each_way_to_fail_has_its_kind(companies, unreachable):
    first, second, third, fourth = companies.workspaces
    companies.faults.add(
        Fault(workspace_id=second.workspace_id, path=LISTING, status=403, body="<html><title>no</title></html>"),
        Fault(workspace_id=third.workspace_id, path=LISTING, truncate_bytes=100),
    )
    fleet = tokenkit.fleet(
        [
            *hands(companies)[:3],
            tokenkit.connect(host=fourth.host, token="dapi" + "0" * 32),
            tokenkit.connect(host=unreachable, token="dapi" + "1" * 32, retries=IMPATIENT),
        ]
    )
    tokens = fleet.tokens()
    assert set(tokens["workspace"]) == {first.host}
    kinds = fleet.errors.set_index("workspace")["error_type"].to_dict()
    assert kinds == {
        second.host: "AccessBlockedError",
        third.host: "ResponseLostError",
        fourth.host: "AuthenticationError",
        unreachable: "ConnectionFailedError",
    }
    assert "dapi" not in fleet.errors.to_string()


def test_a_sign_in_that_fails_is_a_workspace_that_fails(companies, monkeypatch, tmp_path):
    first, second, *_ = companies.workspaces
    bad = {"host": second.host, "client_id": "nobody", "client_secret": "wrong"}
    write_profiles(monkeypatch, tmp_path, [("good", {"host": first.host, "token": first.token}), ("bad", bad)])
    fleet = tokenkit.fleet(["good", "bad"], clock=NOW)
    assert set(fleet.tokens()["workspace"]) == {first.host}
    assert fleet.errors["workspace"].tolist() == [second.host]
    assert fleet.errors["error_type"].tolist() == ["ConfigurationError"]


def test_if_no_workspace_responds_there_is_one_exception_and_every_reason(companies, fleet):
    companies.faults.add(Fault(path=LISTING, status=500))
    with pytest.raises(tokenkit.FleetError, match="none of 4 workspaces succeeded") as raised:
        fleet.tokens()
    assert hosts_of(companies)[0] in str(raised.value)
    assert fleet.errors["workspace"].tolist() == hosts_of(companies)


def test_a_call_that_every_workspace_rejects_is_a_usage_error(companies, fleet):
    with pytest.raises(tokenkit.UsageError, match="ownr"):
        fleet.tokens(ownr="x")
    assert len(companies.requests) == 0
    with pytest.raises(tokenkit.UsageError, match="Did you mean owner"):
        fleet.tokens("ownr == 'x'")
    with pytest.raises(tokenkit.UsageError, match="requires one of user_name"):
        fleet.plan_permissions([{"permission_level": "CAN_USE"}])


def test_a_mistake_of_our_own_in_one_workspace_loses_no_other(companies, fleet):
    def odd(workspace):
        if workspace.host == companies.host:
            raise ZeroDivisionError("a mistake")
        return workspace.token_management.list()

    assert len(fleet._concat("odd", odd)) == 3 * 80
    assert fleet.errors["error_type"].tolist() == ["ZeroDivisionError"]


def test_no_more_workspaces_are_asked_at_once_than_the_bound(companies):
    under_way, most, lock = [0], [0], threading.Lock()
    together = threading.Barrier(2, timeout=30)

    def watched(_):
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        together.wait()
        with lock:
            under_way[0] -= 1

    tokenkit.fleet(hands(companies), workers=2)._members.each("watch", watched)
    assert most[0] == 2


def test_a_fleet_keeps_no_connection_open(fleet):
    fleet.tokens()
    for workspace in fleet.hosts:
        pools = fleet.workspace(workspace).api._transport._adapter.poolmanager.pools
        assert len(pools) == 0


def test_one_workspace_that_rejects_the_call_does_not_hide_that_none_responded(fleet):
    def ask(workspace):
        if workspace.host == fleet.hosts[0]:
            raise tokenkit.UsageError("no such group here")
        raise tokenkit.ConnectionFailedError("nobody listens")

    with pytest.raises(tokenkit.FleetError, match="none of 4 workspaces succeeded"):
        fleet._members.each("plan_permissions", ask)
    assert set(fleet.errors["error_type"]) == {"UsageError", "ConnectionFailedError"}
