"""A workspace as it answers: what no endpoint of its own has a test for."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import tokenkit
from tokenkit import errors
from tokenkit.rest.credentials import from_token
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
        (
            404,
            {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Workspace does not exist"},
            errors.EndpointNotFoundError,
        ),
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
    with pytest.raises(errors.FeatureDisabledError):
        workspace.access()
    (note,) = workspace.audit().notes
    assert note.startswith("everyone-may was not checked: ")
    assert "FEATURE_DISABLED" in note


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


# Which workspace responds


def test_the_first_response_says_which_workspace_it_is(api, sandbox):
    known = str(sandbox.workspaces[0].workspace_id)
    assert api.workspace_id == ""
    api.token_management.list()
    assert api.workspace_id == api.identify() == known
    assert len(sandbox.requests) == 1
    assert api._one_shot._transport.workspace_id == known


@pytest.mark.parametrize("status", [401, 403, 500])
def test_a_refusal_says_which_workspace_it_is_too(api, sandbox, status):
    sandbox.faults.add(Fault(path="*", status=status))
    assert api.identify() == str(sandbox.workspaces[0].workspace_id)


def test_another_workspace_that_responds_in_between_is_an_error(api, companies):
    api.me()
    (elsewhere,) = {str(companies.workspaces[1].workspace_id)}
    with pytest.raises(errors.ConfigurationError, match=f"is workspace {elsewhere}, not {api.workspace_id}"):
        api._transport.note_workspace_id(elsewhere)


@pytest.fixture
def without_header():
    """A workspace behind something that takes the header away, and what its tokens say of it."""
    said = {"workspace_ids": []}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            tokens = [{"token_id": f"t{at}", "workspace_id": each} for at, each in enumerate(said["workspace_ids"])]
            is_listing = self.path.startswith("/api/2.0/token-management/tokens")
            other = {"id": "1", "userName": "ann", "totalResults": 0}
            body = json.dumps({"token_infos": tokens} if is_listing else other).encode()
            self.send_response(200)
            self.send_header("X-Databricks-Org-Id", "0")  # as an account's host does
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        said["host"] = f"http://127.0.0.1:{server.server_address[1]}"
        yield said
        server.shutdown()


def test_where_no_header_says_it_the_tokens_of_the_listing_do(without_header):
    api = WorkspaceAPI(from_token(without_header["host"], "dapi1"))
    without_header["workspace_ids"] = [1234567890123456789, 1234567890123456789]
    assert api.identify() == "1234567890123456789"
    api.close()
    workspace = tokenkit.connect(host=without_header["host"], token="dapi1")
    assert workspace.tokens().attrs["workspace_id"] == "1234567890123456789"
    workspace.close()


@pytest.mark.parametrize("workspace_ids", [[], [5, 6]], ids=["no token", "two workspaces"])
def test_where_nothing_says_it_nothing_is_begun(without_header, workspace_ids):
    without_header["workspace_ids"] = workspace_ids
    api = WorkspaceAPI(from_token(without_header["host"], "dapi1"))
    with pytest.raises(errors.ConfigurationError, match=r"does not say which workspace it is.* workspace_id="):
        api.identify()
    api.close()
    named = WorkspaceAPI(from_token(without_header["host"], "dapi1", workspace_id="5"))
    assert named.identify() == "5"
    named.close()


@pytest.mark.parametrize("what", [lambda ws: ws.runs(), lambda ws: ws.journal(), lambda ws: ws.snapshots()])
def test_a_workspace_that_is_not_known_has_no_runs_and_no_snapshots_to_show(without_header, what, tmp_path):
    workspace = tokenkit.connect(host=without_header["host"], token="dapi1", home=tmp_path)
    with pytest.raises(errors.ConfigurationError, match="does not say which workspace it is"):
        what(workspace)
    workspace.close()
