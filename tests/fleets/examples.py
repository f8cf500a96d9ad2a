"""What the tests of fleets share: the workspaces of a sandbox in hand, and what is revoked in them."""

from databricks.sdk import AccountClient

import tokenkit
from tests.conftest import NOW
from tokenkit.rest.transport import RetryPolicy

LISTING = "/api/2.0/token-management/tokens"
IMPATIENT = RetryPolicy(budget_seconds=0)


def hands(sandbox, home=None):
    return [
        tokenkit.connect(host=each.host, token=each.token, clock=NOW, retries=IMPATIENT, home=home)
        for each in sandbox.workspaces
    ]


def behind_one_host(sandbox, home=None):
    """Connect to the workspaces of a sandbox by the first one's host, as where one host serves several."""
    return [
        tokenkit.connect(
            host=sandbox.host,
            token=each.token,
            workspace_id=each.workspace_id,
            clock=NOW,
            retries=IMPATIENT,
            home=home,
        )
        for each in sandbox.workspaces
    ]


def hosts_of(sandbox):
    return [each.host for each in sandbox.workspaces]


def account_of(sandbox, **settings):
    settings = {"client_secret": sandbox.client_secret} | settings
    return AccountClient(
        host=sandbox.account_host, account_id=sandbox.account_id, client_id=sandbox.client_id, **settings
    )


def write_profiles(monkeypatch, tmp_path, profiles):
    path = tmp_path / "profiles"
    lines = [f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in each.items()) for name, each in profiles]
    path.write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(path))


def victims_of(fleet, each=5):
    tokens = fleet.tokens(status="active")
    others = tokens[tokens["owner"] != "admin@example.com"]
    return others.groupby("workspace").head(each)


def ids(sandbox):
    return {(each.host, token_id) for each in sandbox.workspaces for token_id in each.state.tokens.ids()}
