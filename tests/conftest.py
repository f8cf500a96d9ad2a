"""What every test may lean on: a sandbox, its workspace, a clock that only moves when it is slept on."""

import atexit
import gc
import os
import signal
import sys

import pandas as pd
import pytest
from hypothesis import settings
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import tokenkit
from tokenkit.rest import credentials
from tokenkit.rest.transport import RetryPolicy
from tokenkit.sandbox import Sandbox

# Timings are never asserted, and a busy machine is no failure.
settings.register_profile("tokenkit", deadline=None)
settings.register_profile("long", deadline=None, max_examples=5_000)  # pytest --hypothesis-profile=long
settings.load_profile("tokenkit")

# A shell ignores Ctrl-C for its background jobs, which these tests can be, and their processes inherit it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

NOW = pd.Timestamp("2026-03-01 09:30", tz="UTC")


class ManualClock:
    """Time for the retry loop: sleeping is noted and takes none."""

    def __init__(self):
        self.seconds = 1_000.0  # the machine was started a while ago
        self.slept = []

    def monotonic(self):
        return self.seconds

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.seconds += seconds


@pytest.fixture(autouse=True)
def no_workspace_of_the_developer(monkeypatch, tmp_path):
    """Keep the environment and the files of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "ARM_", "TOKENKIT_"))]:
        if name != "TOKENKIT_REQUIRE_ALL":
            monkeypatch.delenv(name)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "databrickscfg"))
    monkeypatch.setenv("TOKENKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(scope="module")
def _shared_sandbox():
    with Sandbox(tokens=300, clock=NOW.timestamp) as sandbox:
        yield sandbox
        assert list(sandbox.errors) == []


@pytest.fixture
def held(request):
    """Fail the test if a sandbox of its own erred, or was sent a request that it does not serve."""
    sandboxes = []

    def hold(sandbox):
        sandboxes.append(sandbox)
        return sandbox

    yield hold
    assert [error for sandbox in sandboxes for error in sandbox.errors] == []
    if request.node.get_closest_marker("unknown_routes") is None:
        assert [route for sandbox in sandboxes for route in sandbox.unknown_routes] == []


def _cleared(sandbox):
    sandbox.faults.clear()
    sandbox.requests.clear()
    sandbox.unknown_routes.clear()
    return sandbox


@pytest.fixture
def sandbox(_shared_sandbox, held):
    """A sandbox that a module shares; for tests that only read, or that clean up what they make."""
    yield held(_cleared(_shared_sandbox))
    _shared_sandbox.faults.clear()


@pytest.fixture
def fresh_sandbox(held):
    """A sandbox of one test's own, to change at will."""
    with Sandbox(tokens=60, clock=NOW.timestamp) as sandbox:
        yield held(sandbox)


@pytest.fixture
def connected():
    """Connect to a sandbox's first workspace, patient for no longer than a test should be."""

    def connect(sandbox, **settings):
        settings = {"retries": RetryPolicy(budget_seconds=0), "clock": NOW} | settings
        return tokenkit.connect(host=sandbox.host, token=sandbox.token, **settings)

    return connect


@pytest.fixture
def workspace(sandbox, connected):
    return connected(sandbox)


@pytest.fixture
def company(held):
    """A larger sandbox of one test's own, of which ``ws`` is the workspace."""
    with Sandbox(tokens=160, clock=NOW.timestamp) as sandbox:
        yield held(sandbox)


@pytest.fixture
def ws(company, connected, tmp_path):
    return connected(company, home=tmp_path / "home")


@pytest.fixture(scope="module")
def _shared_companies():
    with Sandbox(tokens=80, workspaces=4, clock=NOW.timestamp) as sandbox:
        yield sandbox
        assert list(sandbox.errors) == []


@pytest.fixture
def companies(_shared_companies, held):
    """A sandbox of four workspaces that a module shares, for tests that only read."""
    yield held(_cleared(_shared_companies))
    _shared_companies.faults.clear()


@pytest.fixture
def own_companies(held):
    """A sandbox of three workspaces of one test's own, to change at will."""
    with Sandbox(tokens=60, workspaces=3, clock=NOW.timestamp) as sandbox:
        yield held(sandbox)


@pytest.fixture
def fleet(companies, connected):
    return tokenkit.fleet([connected(each) for each in companies.workspaces])


@pytest.fixture
def manual_clock():
    return ManualClock()


@pytest.fixture
def sign_in(sandbox):
    return credentials.from_token(sandbox.host, sandbox.token)


@pytest.fixture
def ipython(monkeypatch):
    """A shell of IPython with the magic loaded: one a test, as the magic remembers its workspace."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # which IPython replaces
    shell = InteractiveShell(config=Config(HistoryManager={"hist_file": ":memory:"}))
    shell.run_line_magic("load_ext", "tokenkit")
    yield shell
    atexit.unregister(shell.atexit_operations)
    gc.freeze()  # the end of a shell collects garbage, which takes long among thousands of tests
    shell.atexit_operations()
    gc.unfreeze()
