"""The API of a workspace: the parts without a test module of their own."""

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


def test_permissions_are_none_if_the_workspace_never_had_a_token(api, sandbox):
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
def test_other_errors_do_not_mean_that_there_are_no_permissions(api, sandbox, status, body, expected):
    sandbox.faults.add(Fault(path=PERMISSIONS, status=status, body=body))
    with pytest.raises(expected) as raised:
        api.permissions()
    assert type(raised.value) is expected


def test_a_review_reports_that_tokens_are_disabled(workspace, sandbox):
    sandbox.faults.add(Fault(path=PERMISSIONS, status=404, body={"error_code": "FEATURE_DISABLED"}))
    with pytest.raises(errors.FeatureDisabledError):
        workspace.access()
    note, _ = workspace.audit().notes  # the other counts the tokens without scopes
    assert note.startswith("all-users-can-use was not checked: ")
    assert "FEATURE_DISABLED" in note


@pytest.mark.parametrize(
    "me",
    [{}, {"userName": "a@b"}, {"id": None, "userName": "a@b"}, {"id": "x", "userName": "a@b"}, {"id": "7"},
     {"id": True, "userName": "a@b"}, {"id": "7", "userName": ["a@b"]}],
)  # fmt: skip
def test_an_unidentified_caller_is_an_error_and_no_plan_is_made(api, workspace, sandbox, me):
    token_ids = list(workspace.tokens()["token_id"].head(3))
    sandbox.faults.add(Fault(path="*/Me", status=200, body=me))
    with pytest.raises(errors.InvalidResponseError):
        api.me()
    with pytest.raises(errors.InvalidResponseError):
        workspace.revoke(token_ids).preview()


def test_an_unreadable_secret_scope_is_an_invalid_response(api, sandbox):
    for scopes in (["x"], "x", {"x": 1}, [{}], [{"name": 1}], [{"name": None}], 7):
        sandbox.faults.add(Fault(path="*/scopes/list", status=200, body={"scopes": scopes}))
        with pytest.raises(errors.InvalidResponseError):
            api.secret_scopes()
        sandbox.faults.clear()
    sandbox.faults.add(Fault(path="*/scopes/list", status=200, body={}))
    assert api.secret_scopes() == []


ADMIN, OTHER = [{"display": "admins"}], [{"display": "data engineers"}]


@pytest.mark.parametrize(
    ("groups", "status", "is_admin", "requests"),
    [
        ({"groups": [*OTHER, *ADMIN]}, 500, True, 1),
        ({"groups": OTHER}, 403, False, 2),
        ({"groups": OTHER}, 500, None, 2),
        ({"groups": OTHER}, 200, None, 2),  # a group of admins may be nested in another one
        ({"groups": None}, 403, False, 2),
        ({}, 403, False, 2),
    ],
)
def test_a_caller_is_an_admin_if_a_response_says_so(api, sandbox, groups, status, is_admin, requests):
    sandbox.faults.add(Fault(path="*/Me", status=200, body={"id": "7", "userName": "ann@example.com"} | groups))
    body = {403: {"error_code": "PERMISSION_DENIED"}, 200: {"access_control_list": []}}.get(status, "")
    sandbox.faults.add(Fault(path=PERMISSIONS, status=status, body=body, times=9))
    assert api.who() == ("ann@example.com", is_admin)
    assert len({request.path for request in sandbox.requests}) == requests


def test_the_names_of_principals_are_those_that_an_owner_or_a_creator_can_have(api):
    names, owners = api.principal_names(), api.owners()
    users, others = owners["users"], owners["service_principals"]
    assert list(owners) == ["users", "service_principals"]
    assert not {"groups"} & {*users.columns, *others.columns}
    assert names == [
        *users["user_name"],
        *users["id"].astype(str),
        *others["display_name"].dropna(),
        *others["application_id"],
        *others["id"].astype(str),
    ]
    assert len(users) > len(others) > 0


@pytest.mark.parametrize(
    ("path", "read", "name"),
    [
        ("*/scopes/list", lambda api: api.secret_scopes(), "scopes"),
        ("*/secrets/list", lambda api: api.secret_keys("x"), "secrets"),
        ("*/Users", lambda api: api.users(), "Resources"),
        ("*/permissionLevels", lambda api: api.token_management.get_permission_levels(), "permission_levels"),
        ("*/authorization/tokens", lambda api: api.permissions(), "access_control_list"),
        ("*/token-management/tokens", lambda api: api.token_management.list(), "token_infos"),
    ],
)
@pytest.mark.parametrize("value", [5, "x", {"x": 1}, ["x"], [[{}]], [None]])
def test_a_list_that_is_none_is_an_error_that_names_its_field(api, sandbox, path, read, name, value):
    sandbox.faults.add(Fault(path=path, status=200, body={name: value}))
    with pytest.raises(errors.InvalidResponseError) as raised:
        read(api)
    assert str(raised.value) == f"The workspace sent a value of {name!r} that is not a list of objects."


def test_after_close_a_call_opens_a_new_connection(api):
    assert api.me() == "admin@example.com"
    api.close()
    assert api.me() == "admin@example.com"


# Which workspace responds


def test_the_first_response_contains_the_workspace_id(api, sandbox):
    known = str(sandbox.workspaces[0].workspace_id)
    assert api.workspace_id == ""
    api.token_management.list()
    assert api.workspace_id == api.identify() == known
    assert len(sandbox.requests) == 1
    assert api.one_shot._transport.workspace_id == known


@pytest.mark.parametrize("status", [401, 403, 500])
def test_an_error_response_contains_the_workspace_id_too(api, sandbox, status):
    sandbox.faults.add(Fault(path="*", status=status))
    assert api.identify() == str(sandbox.workspaces[0].workspace_id)


def test_a_response_of_another_workspace_is_an_error(api, companies):
    api.me()
    (elsewhere,) = {str(companies.workspaces[1].workspace_id)}
    with pytest.raises(errors.ConfigurationError, match=f"is workspace {elsewhere}, not {api.workspace_id}"):
        api._transport.note_workspace_id(elsewhere)


@pytest.fixture
def without_header():
    """A workspace behind a proxy that removes the header, and the ids in its tokens."""
    sent = {"workspace_ids": []}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            tokens = [{"token_id": f"t{at}", "workspace_id": id_} for at, id_ in enumerate(sent["workspace_ids"])]
            is_listing = self.path.startswith("/api/2.0/token-management/tokens")
            other = {"id": "1", "userName": "ann", "totalResults": 0}
            body = json.dumps({"token_infos": tokens} if is_listing else other).encode()
            self.send_response(200)
            self.send_header("X-Databricks-Org-Id", "0")  # as an account's host sends
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sent["host"] = f"http://127.0.0.1:{server.server_address[1]}"
        yield sent
        server.shutdown()


def test_without_the_header_the_workspace_id_comes_from_the_listing(without_header):
    api = WorkspaceAPI(from_token(without_header["host"], "dapi1"))
    without_header["workspace_ids"] = [1234567890123456789, 1234567890123456789]
    assert api.identify() == "1234567890123456789"
    api.close()
    workspace = tokenkit.connect(host=without_header["host"], token="dapi1")
    assert workspace.tokens().attrs["workspace_id"] == "1234567890123456789"
    workspace.close()


@pytest.mark.parametrize("workspace_ids", [[], [5, 6]], ids=["no token", "two workspaces"])
def test_without_a_workspace_id_no_run_starts(without_header, workspace_ids):
    without_header["workspace_ids"] = workspace_ids
    api = WorkspaceAPI(from_token(without_header["host"], "dapi1"))
    with pytest.raises(errors.ConfigurationError, match=r"does not return its workspace id.* workspace_id="):
        api.identify()
    api.close()
    named = WorkspaceAPI(from_token(without_header["host"], "dapi1", workspace_id="5"))
    assert named.identify() == "5"
    named.close()


@pytest.mark.parametrize("what", [lambda ws: ws.runs(), lambda ws: ws.journal(), lambda ws: ws.snapshots()])
def test_a_workspace_without_an_id_shows_no_runs_and_no_snapshots(without_header, what, tmp_path):
    workspace = tokenkit.connect(host=without_header["host"], token="dapi1", home=tmp_path)
    with pytest.raises(errors.ConfigurationError, match="does not return its workspace id"):
        what(workspace)
    workspace.close()


def test_the_groups_of_principals_are_requested_unless_those_that_are_needed_list_their_members(api):
    assert "groups" in api.principals({"admins"})["users"]
    assert "groups" not in api.principals({"admins"}, always_with_groups=False)["users"]
