"""Secret scopes and secrets, for storing a token's value."""

import pytest
from databricks.sdk import WorkspaceClient, errors

from tokenkit.sandbox import Sandbox
from tokenkit.sandbox.state.secrets import FIRST_SCOPE


@pytest.fixture
def sandbox():
    with Sandbox(tokens=2, workspaces=2) as sandbox:
        yield sandbox


@pytest.fixture
def official(sandbox):
    return WorkspaceClient(host=sandbox.host, token=sandbox.token)


def test_a_secret_is_written_and_overwritten(sandbox, official):
    for value in ("one", "two"):
        official.secrets.put_secret(FIRST_SCOPE, "key", string_value=value)
        assert sandbox.workspaces[0].state.secrets.value(FIRST_SCOPE, "key") == value
    assert sandbox.workspaces[1].state.secrets.value(FIRST_SCOPE, "key") is None


def test_a_scope_is_created_once(official):
    official.secrets.create_scope("mine")
    assert [scope.name for scope in official.secrets.list_scopes()] == ["mine", FIRST_SCOPE]
    with pytest.raises(errors.ResourceAlreadyExists):
        official.secrets.create_scope("mine")


def test_the_names_of_secrets_are_listed_and_no_value_is(official):
    assert list(official.secrets.list_secrets(FIRST_SCOPE)) == []
    official.secrets.put_secret(FIRST_SCOPE, "one", string_value="x")
    official.secrets.put_secret(FIRST_SCOPE, "two", string_value="y")
    assert [secret.key for secret in official.secrets.list_secrets(FIRST_SCOPE)] == ["one", "two"]
    with pytest.raises(errors.ResourceDoesNotExist):
        list(official.secrets.list_secrets("nowhere"))


def test_a_secret_in_no_scope_is_not_found(official):
    with pytest.raises(errors.ResourceDoesNotExist):
        official.secrets.put_secret("nowhere", "key", string_value="x")


def test_a_secret_needs_a_scope_a_key_and_a_value(official):
    with pytest.raises(errors.InvalidParameterValue):
        official.secrets.put_secret(FIRST_SCOPE, "key")
