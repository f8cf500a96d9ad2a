"""A workspace that commands find through the environment."""

import pytest


@pytest.fixture
def here(company, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", company.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", company.token)
    return company
