import pytest

from tests.sandbox.conftest import SCIM, TOKENS, StoppedClock
from tokenkit.sandbox.serving.limits import RateLimit


def test_a_burst_is_served_and_then_the_rate():
    clock = StoppedClock(0)
    limit = RateLimit(2, 3, clock)
    assert [limit.wait_seconds() for _ in range(5)] == [0, 0, 0, 1, 1]
    clock.now += 0.5
    assert [limit.wait_seconds() for _ in range(2)] == [0, 1]
    clock.now += 60
    assert [limit.wait_seconds() for _ in range(4)] == [0, 0, 0, 1]


@pytest.mark.parametrize(("rate", "wait"), [(100, 1), (1, 1), (0.5, 2), (0.3, 4)])
def test_the_wait_is_whole_seconds_and_sufficient(rate, wait):
    clock = StoppedClock(0)
    limit = RateLimit(rate, 1, clock)
    assert [limit.wait_seconds(), limit.wait_seconds()] == [0, wait]
    clock.now += wait
    assert limit.wait_seconds() == 0


def test_a_clock_that_goes_back_does_not_reduce_the_limit():
    clock = StoppedClock(10)
    limit = RateLimit(1, 2, clock)
    assert limit.wait_seconds() == 0
    clock.now = 5
    assert limit.wait_seconds() == 0
    assert limit.wait_seconds() == 1


def test_a_limited_workspace_sends_429_with_whole_seconds(make_sandbox, clients):
    tick = StoppedClock(0)
    sandbox = make_sandbox(rate_limit=0.5, burst=2, monotonic=tick)
    admin = clients(sandbox.host, sandbox.token)
    assert [admin("GET", TOKENS).status_code for _ in range(2)] == [200, 200]
    response = admin("GET", TOKENS)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "2")
    assert response.json()["error_code"] == "REQUEST_LIMIT_EXCEEDED"
    tick.now += 2
    assert admin("GET", f"{SCIM}/Me").status_code == 200


def test_each_workspace_has_its_own_limit(make_sandbox, clients):
    sandbox = make_sandbox(rate_limit=1, workspaces=2, monotonic=StoppedClock(0))
    first, second = (clients(workspace.host, workspace.token) for workspace in sandbox.workspaces)
    codes = [client("GET", f"{SCIM}/Me").status_code for client in (first, first, second, second)]
    assert codes == [200, 429, 200, 429]


def test_sign_in_is_not_limited(make_sandbox, clients):
    sandbox = make_sandbox(rate_limit=1, monotonic=StoppedClock(0))
    anonymous = clients(sandbox.host, None)
    assert [anonymous("GET", "/.well-known/databricks-config").status_code for _ in range(4)] == [200] * 4
