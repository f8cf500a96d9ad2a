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
    never = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "tokens tokens does not exist"}
    sandbox.faults.add(Fault(path=PERMISSIONS, status=404, body=never))
    assert api.permissions() is None


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (403, {"error_code": "PERMISSION_DENIED"}, errors.PermissionDeniedError),
        (404, {"error_code": "FEATURE_DISABLED"}, errors.FeatureDisabledError),
        (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Workspace does not exist"}, errors.NotFoundError),
        (404, {"error_code": "ENDPOINT_NOT_FOUND"}, errors.EndpointNotFoundError),
        (404, "<html></html>", errors.EndpointNotFoundError),
        (404, "tokens tokens does not exist", errors.EndpointNotFoundError),
        (404, "", errors.EndpointNotFoundError),
    ],
)
def test_any_other_refusal_does_not_mean_that_there_are_no_permissions(api, sandbox, status, body, expected):
    sandbox.faults.add(Fault(path=PERMISSIONS, status=status, body=body))
    with pytest.raises(expected) as raised:
        api.permissions()
    assert type(raised.value) is expected


def test_a_review_with_tokens_disabled_is_not_silent_about_it(workspace, sandbox):
    sandbox.faults.add(Fault(path=PERMISSIONS, status=404, body={"error_code": "FEATURE_DISABLED"}))
    for review in (workspace.access, workspace.audit):
        with pytest.raises(errors.FeatureDisabledError):
            review()


@pytest.mark.parametrize(
    "me",
    [{}, {"userName": "a@b"}, {"id": None, "userName": "a@b"}, {"id": "x", "userName": "a@b"}, {"id": "7"},
     {"id": True, "userName": "a@b"}, {"id": "7", "userName": ["a@b"]}],
)  # fmt: skip
def test_a_caller_of_whom_nothing_is_said_is_malformed_and_nothing_is_planned(api, workspace, sandbox, me):
    token_ids = list(workspace.tokens()["token_id"].head(3))
    sandbox.faults.add(Fault(path="*/Me", status=200, body=me))
    with pytest.raises(errors.MalformedAnswerError):
        api.me()
    with pytest.raises(errors.MalformedAnswerError):
        workspace.revoke(token_ids).preview()


def test_a_secret_scope_that_cannot_be_read_is_malformed(api, sandbox):
    for scopes in (["x"], "x", {"x": 1}, [{}], [{"name": 1}], [{"name": None}], 7):
        sandbox.faults.add(Fault(path="*/scopes/list", status=200, body={"scopes": scopes}))
        with pytest.raises(errors.MalformedAnswerError):
            api.secret_scopes()
        sandbox.faults.clear()
    sandbox.faults.add(Fault(path="*/scopes/list", status=200, body={}))
    assert api.secret_scopes() == []


def test_after_close_a_call_opens_a_new_connection(api):
    assert api.me() == "admin@example.com"
    api.close()
    assert api.me() == "admin@example.com"
