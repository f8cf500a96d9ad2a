"""The token settings, read from workspace-conf."""

import pytest

from tokenkit import TokenSettings, errors
from tokenkit.sandbox import Fault


@pytest.mark.parametrize(
    ("body", "settings"),
    [
        ({}, TokenSettings(tokens_enabled=True, max_lifetime_days=None)),
        (
            {"maxTokenLifetimeDays": None, "enableTokensConfig": None},
            TokenSettings(tokens_enabled=True, max_lifetime_days=None),
        ),
        (
            {"maxTokenLifetimeDays": "90", "enableTokensConfig": "true"},
            TokenSettings(tokens_enabled=True, max_lifetime_days=90),
        ),
        (
            {"maxTokenLifetimeDays": "0", "enableTokensConfig": "false"},
            TokenSettings(tokens_enabled=False, max_lifetime_days=None),
        ),
        ({"maxTokenLifetimeDays": ""}, TokenSettings(tokens_enabled=True, max_lifetime_days=None)),
    ],
)
def test_every_spelling_of_a_setting_is_read(workspace, sandbox, body, settings):
    sandbox.faults.add(Fault(path="*workspace-conf", status=200, body=body))
    assert workspace.token_settings() == settings


def test_the_sandbox_returns_its_settings(workspace):
    assert workspace.token_settings() == TokenSettings(tokens_enabled=True, max_lifetime_days=None)


def test_a_maximum_that_is_not_a_number_is_an_error(workspace, sandbox):
    sandbox.faults.add(Fault(path="*workspace-conf", status=200, body={"maxTokenLifetimeDays": "many"}))
    with pytest.raises(errors.InvalidResponseError, match="many"):
        workspace.token_settings()
