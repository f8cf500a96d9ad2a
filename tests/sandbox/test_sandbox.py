import stat

import pytest

from tokenkit.sandbox import DatabaseUnusableError, Sandbox

from .conftest import CONF, OBO, SCIM, TOKENS, StoppedClock, access_token, service_principal


def test_a_sandbox_serves_without_a_with_block_and_can_be_stopped_twice(clients, clock):
    sandbox = Sandbox(tokens=3, clock=clock).start()
    try:
        assert len(clients(sandbox.host, sandbox.token).ok("GET", TOKENS)["token_infos"]) == 3
        assert sandbox.start() is sandbox
    finally:
        sandbox.stop()
        sandbox.stop()


def test_reprs_show_no_secret(make_sandbox):
    sandbox = make_sandbox(workspaces=2)
    shown = repr(sandbox) + repr(sandbox.workspaces) + repr(sandbox.workspaces[0].state) + repr(sandbox.faults)
    shown += repr(sandbox.requests) + repr(sandbox.workspaces[0].state.database)
    secrets = [workspace.token for workspace in sandbox.workspaces] + [sandbox.client_secret]
    assert all(len(secret) == 36 for secret in secrets)
    assert not [secret for secret in secrets if secret in shown]
    assert sandbox.host in shown


def test_host_and_token_are_those_of_the_first_workspace(make_sandbox):
    sandbox = make_sandbox(workspaces=2)
    first = sandbox.workspaces[0]
    assert (sandbox.host, sandbox.token) == (first.host, first.token)
    assert sandbox.state(first.workspace_id) is first.state
    assert (
        len(
            {workspace.workspace_id for workspace in sandbox.workspaces}
            | {workspace.token for workspace in sandbox.workspaces}
        )
        == 4
    )


@pytest.mark.parametrize(
    "options",
    [
        {"tokens": 0},
        {"tokens": -1},
        {"workspaces": 0},
        {"port": -1},
        {"port": 65535, "workspaces": 2},
        {"latency_ms": -1},
        {"latency_ms": float("nan")},
        {"rate_limit": 0},
        {"rate_limit": float("inf")},
        {"rate_limit": 1, "burst": 0.5},
    ],
)
def test_invalid_options_are_rejected(options):
    with pytest.raises(ValueError, match="must"):
        Sandbox(**options)


def test_a_database_file_survives_a_restart(tmp_path, clients, clock):
    path = tmp_path / "sandbox.db"
    with Sandbox(tokens=50, workspaces=2, database=path, clock=clock) as sandbox:
        before = [(workspace.workspace_id, workspace.token) for workspace in sandbox.workspaces]
        account = (sandbox.account_id, sandbox.client_id, sandbox.client_secret)
        admin = clients(sandbox.host, sandbox.token)
        deleted = admin.ok("GET", TOKENS)["token_infos"][9]["token_id"]
        admin.ok("DELETE", f"{TOKENS}/{deleted}")
        admin.ok("PATCH", CONF, {"maxTokenLifetimeDays": "7"})
        robot = service_principal(admin)
        value = admin.ok("POST", OBO, {"application_id": robot["applicationId"]})["token_value"]
        oauth = access_token(sandbox, clients)
        listing = admin("GET", TOKENS).content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with Sandbox(tokens=7, seed=9, database=path, clock=clock) as sandbox:
        assert [(workspace.workspace_id, workspace.token) for workspace in sandbox.workspaces] == before
        assert (sandbox.account_id, sandbox.client_id, sandbox.client_secret) == account
        admin = clients(sandbox.host, sandbox.token)
        assert admin("GET", TOKENS).content == listing
        assert admin.ok("GET", CONF, params={"keys": "maxTokenLifetimeDays"}) == {"maxTokenLifetimeDays": "7"}
        assert clients(sandbox.host, value).ok("GET", f"{SCIM}/Me")["id"] == robot["id"]
        clients(sandbox.host, oauth).ok("GET", TOKENS)


def test_the_value_of_a_new_token_is_not_stored(tmp_path, clients, clock):
    path = tmp_path / "sandbox.db"
    with Sandbox(tokens=5, database=path, clock=clock) as sandbox:
        admin = clients(sandbox.host, sandbox.token)
        body = {"application_id": service_principal(admin)["applicationId"]}
        value = admin.ok("POST", OBO, body)["token_value"]
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert sandbox.token.encode() in stored
    assert value.encode() not in stored


def test_two_sandboxes_cannot_share_a_file(tmp_path):
    with (
        Sandbox(tokens=1, database=tmp_path / "a.db"),
        pytest.raises(DatabaseUnusableError, match="locked"),
    ):
        Sandbox(tokens=1, database=tmp_path / "a.db")


def test_randomness_is_an_argument(clients, clock):
    values = []
    for _ in range(2):
        with Sandbox(tokens=5, clock=clock, entropy=_Counter()) as sandbox:
            admin = clients(sandbox.host, sandbox.token)
            robot = service_principal(admin)
            values.append(admin.ok("POST", OBO, {"application_id": robot["applicationId"]}))
    assert values[0] == values[1]


class _Counter:
    def __init__(self):
        self._calls = 0

    def __call__(self, count):
        self._calls += 1
        return self._calls.to_bytes(count)


def test_the_clock_is_an_argument(clients):
    with Sandbox(tokens=1, clock=StoppedClock(86_400 * 1000.5)) as sandbox:
        admin = clients(sandbox.host, sandbox.token)
        assert admin.ok("GET", TOKENS)["token_infos"][0]["last_used_day"] == 86_400_000 * 1000
        assert admin("GET", TOKENS).headers["date"] == "Wed, 27 Sep 1972 12:00:00 GMT"
