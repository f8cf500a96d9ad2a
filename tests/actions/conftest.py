"""What the tests of changes share: whom they hit, and processes that can be killed."""

import multiprocessing

import pytest

import tokenkit
from tests.conftest import NOW
from tokenkit.actions.journal import Journal


@pytest.fixture
def victims(ws):
    """Fifty active tokens of other people."""
    tokens = ws.tokens(status="active")
    return tokens[tokens["owner"] != "admin@example.com"].head(50)


@pytest.fixture(scope="session")
def processes():
    """Processes that start fast, as tokenkit is loaded already where they are forked from."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tokenkit", "tqdm.auto", "tests.actions.children"])
    return context


def ids_of(sandbox):
    return set(sandbox.workspaces[0].state.tokens.ids())


@pytest.fixture
def ids():
    return ids_of


@pytest.fixture
def connect_as():
    def connect(sandbox, token, home):
        return tokenkit.connect(host=sandbox.host, token=token, clock=NOW, home=home)

    return connect


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path) as journal:
        yield journal


@pytest.fixture
def at_once(monkeypatch):
    """Wait between attempts for no longer than a test should."""
    monkeypatch.setattr("tokenkit.actions.executor._FIRST_BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr("tokenkit.actions.executor._LONGEST_BACKOFF_SECONDS", 0.01)
