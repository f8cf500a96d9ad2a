"""A workspace that commands find through the environment, and runs in its journal."""

import pytest

import tokenkit
from tokenkit.actions.journal import Journal
from tokenkit.sandbox import Fault


@pytest.fixture
def here(company, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", company.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", company.token)
    return company


@pytest.fixture
def interrupted(here):
    """The id of a run of today of four tokens, two of which could not be revoked."""
    workspace = tokenkit.connect()
    tokens = workspace.tokens(status="active")
    plan = workspace.revoke(tokens[tokens["owner"] != workspace.me()].head(4))
    here.faults.add(Fault(method="DELETE", status=400, times=2))
    plan.apply(progress=False)
    here.faults.clear()
    return plan.run_id


@pytest.fixture
def of_another_day(interrupted):
    with Journal(tokenkit.connect().folder) as journal:
        journal._connection.execute("UPDATE runs SET started_ms = started_ms - 86400000")
    return interrupted
