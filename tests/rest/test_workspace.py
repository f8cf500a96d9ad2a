"""A workspace as it answers: what no endpoint of its own has a test for."""

import pytest

from tokenkit import errors
from tokenkit.rest.workspace import WorkspaceAPI
from tokenkit.sandbox import Fault

PERMISSIONS = "*/permissions/authorization/tokens"


@pytest.fixture
def api(sign_in):
    api = WorkspaceAPI(sign_in)
    yield api
    api.close()


def test_permissions_are_none_where_no_token_was_ever_made(api, sandbox):
    assert api.permissions().equals(api.token_management.get_permissions())
    sandbox.faults.add(Fault(path=PERMISSIONS, status=404, body={"error_code": "RESOURCE_DOES_NOT_EXIST"}))
    assert api.permissions() is None
    sandbox.faults.clear()
    sandbox.faults.add(Fault(path=PERMISSIONS, status=403, body={"error_code": "PERMISSION_DENIED"}))
    with pytest.raises(errors.PermissionDeniedError):
        api.permissions()


def test_after_close_a_call_opens_a_new_connection(api):
    assert api.me() == "admin@example.com"
    api.close()
    assert api.me() == "admin@example.com"
