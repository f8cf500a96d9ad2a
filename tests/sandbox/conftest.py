"""A small sandbox with a fixed clock, and plain HTTP clients."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import requests

from tokenkit.sandbox import Sandbox

NOON = 1_772_366_400.0  # 1 March 2026, 12:00 UTC
DAY = 86_400
TOKENS = "/api/2.0/token-management/tokens"
OBO = "/api/2.0/token-management/on-behalf-of/tokens"
PERMISSIONS = "/api/2.0/permissions/authorization/tokens"
SCIM = "/api/2.0/preview/scim/v2"
CONF = "/api/2.0/preview/workspace-conf"


@dataclass
class StoppedClock:
    now: float = NOON

    def __call__(self) -> float:
        return self.now


@dataclass
class Client:
    """A client with a host and a credential."""

    host: str
    token: str | None
    session: requests.Session = field(default_factory=requests.Session)

    def __call__(self, method, path, json=None, **options):
        headers = dict(options.pop("headers", {}))
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        return self.session.request(method, self.host + path, json=json, headers=headers, **{"timeout": 30, **options})

    def ok(self, method, path, json=None, **options):
        response = self(method, path, json, **options)
        assert response.ok, response.text
        return response.json() if response.content else None

    def error(self, method, path, json=None, **options):
        """Return the status and error code of a request that must fail."""
        response = self(method, path, json, **options)
        assert not response.ok, response.text
        return response.status_code, response.json()["error_code"]


class Clients:
    """Makes clients and closes them."""

    def __init__(self):
        self._clients = []

    def __call__(self, host, token):
        self._clients.append(Client(host, token))
        return self._clients[-1]

    def close(self):
        for client in self._clients:
            client.session.close()


@pytest.fixture
def clock():
    return StoppedClock()


@pytest.fixture
def clients():
    clients = Clients()
    yield clients
    clients.close()


@pytest.fixture
def make_sandbox(clock, held):
    """Start sandboxes, stop them at the end, and check that they recorded no bugs."""
    made = []

    def make(**options):
        options = {"tokens": 60, "clock": clock, **options}
        made.append(held(Sandbox(**options).start()))
        return made[-1]

    yield make
    for sandbox in made:
        sandbox.stop()


@pytest.fixture
def sandbox(make_sandbox):
    return make_sandbox()


@pytest.fixture
def state(sandbox):
    return sandbox.workspaces[0].state


@pytest.fixture
def admin(sandbox, clients):
    return clients(sandbox.host, sandbox.token)


@pytest.fixture
def oauth(sandbox, clients):
    """An admin client with an OAuth token."""
    return clients(sandbox.host, access_token(sandbox, clients))


@pytest.fixture
def person(sandbox, state, clients):
    """A client with the token of an ordinary user who can use tokens."""
    return member(sandbox, state, clients, "person@example.com", can_use=True)


def access_token(sandbox, clients, host=None):
    anonymous = clients(host or sandbox.host, None)
    form = {"grant_type": "client_credentials", "scope": "all-apis"}
    credentials = (sandbox.client_id, sandbox.client_secret)
    return anonymous("POST", "/oidc/v1/token", data=form, auth=credentials).json()["access_token"]


def member(sandbox, state, clients, name, *, can_use):
    """Add a user with a token, and return a client with it."""
    now_ms = int(NOON * 1000)
    user = state.directory.add("user", name, "Some Person")
    if can_use:
        entry = {"user_name": name, "permission_level": "CAN_USE"}
        state.permissions.update([entry], now_ms=now_ms)
    minted = state.tokens.mint(
        owner_id=user.id,
        created_by_id=user.id,
        created_by_username=name,
        creation_time=now_ms,
        expiry_time=now_ms + 90 * DAY * 1000,
    )
    return clients(sandbox.host, minted.value)


def service_principal(admin, *groups, name="robot"):
    body = {"displayName": name, "groups": [{"value": group} for group in groups]}
    return admin.ok("POST", f"{SCIM}/ServicePrincipals", body)


def group_id(admin, name):
    found = admin.ok("GET", f"{SCIM}/Groups", params={"filter": f'displayName eq "{name}"'})
    return found["Resources"][0]["id"]
