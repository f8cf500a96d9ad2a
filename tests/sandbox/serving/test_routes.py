import re

import pytest

from tests.sandbox.conftest import TOKENS
from tokenkit.sandbox import Fault
from tokenkit.sandbox.responses import ApiError
from tokenkit.sandbox.serving.routes import ACCOUNT_ENDPOINTS, ENDPOINTS, TOOLS, Router

ACCOUNT_ID = "6d0b2f6c-0000-4000-8000-000000000001"
ROUTERS = [(ENDPOINTS, Router(ENDPOINTS)), (ACCOUNT_ENDPOINTS, Router(ACCOUNT_ENDPOINTS, ACCOUNT_ID))]
find_endpoint = Router(ENDPOINTS).find


@pytest.mark.parametrize(("endpoints", "router"), ROUTERS, ids=["workspace", "account"])
def test_every_endpoint_is_in_its_table_once_and_is_found_by_its_path(endpoints, router):
    rows = [(endpoint.method, endpoint.path) for endpoint in endpoints]
    assert len(rows) == len(set(rows))
    for endpoint in endpoints:
        assert endpoint.handler.__doc__
        path = endpoint.path.replace("{resource}", "Users").replace("{account_id}", ACCOUNT_ID)
        assert router.find(endpoint.method, re.sub("{[a-z_]+}", "5", path))[0] is endpoint


def test_the_tools_of_an_endpoint_are_known():
    assert {tool for endpoint in (*ENDPOINTS, *ACCOUNT_ENDPOINTS) for tool in endpoint.tools.split()} <= set(TOOLS)


def test_only_endpoints_that_show_nothing_of_others_are_open_to_all_users():
    open_paths = {endpoint.path for endpoint in ENDPOINTS if endpoint.access == "everyone"}
    about_the_caller = {path for path in open_paths if path.startswith("/api/2.0/token/") or path.endswith("/Me")}
    folders = {path for path in open_paths if path.startswith("/api/2.0/workspace/")}
    warehouse = {path for path in open_paths if path.startswith("/api/2.0/sql/")}  # it checks who asks itself
    constant = {"/api/2.0/token-scopes", "/api/2.0/policies/clusters/list"}
    versions = {f"/api/2.{minor}/clusters/spark-versions" for minor in (0, 1)}
    assert open_paths == about_the_caller | folders | warehouse | constant | versions


@pytest.mark.parametrize(
    ("method", "path", "suggestion"),
    [
        ("GET", "/api/2.0/token-managment/tokens", "/api/2.0/token-management/tokens"),
        ("GET", "/api/2.0/clusters/list", "in the sandbox is /api/2.0/secrets/list."),
        ("POST", "/api/2.0/token-management/tokens", "with GET"),
        ("DELETE", "/api/2.0/permissions/authorization/tokens", "with GET, PUT, PATCH"),
        ("GET", "/api/2.0/preview/scim/v2/Robots", "/api/2.0/scim/v2"),
        ("GET", "/api/2.0/token-management/tokens/", "/api/2.0/token-management/tokens"),
        ("PUT", "/api/2.0/preview/scim/v2/Users/5/6", "/api/2.0/scim/v2"),
    ],
)
def test_an_unknown_endpoint_gets_a_suggestion(method, path, suggestion):
    with pytest.raises(ApiError) as error:
        find_endpoint(method, path)
    assert (error.value.status, error.value.error_code) == (404, "ENDPOINT_NOT_FOUND")
    assert f"'{method} {path}'" in error.value.message
    assert suggestion in error.value.message


def test_parameters_are_unquoted():
    assert find_endpoint("GET", f"{TOKENS}/a%20b")[1] == {"token_id": "a b"}


@pytest.mark.unknown_routes
def test_an_unknown_endpoint_is_a_404_over_http(admin):
    assert admin.error("GET", "/api/2.1/jobs/list") == (404, "ENDPOINT_NOT_FOUND")
    assert admin.error("OPTIONS", TOKENS) == (404, "ENDPOINT_NOT_FOUND")
    response = admin("HEAD", TOKENS)
    assert (response.status_code, response.content) == (404, b"")
    admin.ok("GET", TOKENS)  # the connection is still usable


@pytest.mark.unknown_routes
def test_an_unknown_endpoint_is_recorded_for_the_test_that_requested_it(sandbox, admin):
    sandbox.faults.add(Fault.named("unknown-endpoint", path=TOKENS))
    assert admin.error("GET", TOKENS) == (404, "ENDPOINT_NOT_FOUND")  # a fault is wanted
    assert admin.error("GET", f"{TOKENS}/none")[0] == 404  # so is a token that does not exist
    assert sandbox.unknown_routes == []
    sandbox.faults.clear()
    admin("GET", "/api/2.1/jobs/list?limit=1")
    admin("PUT", TOKENS)
    admin("GET", "/elsewhere")
    assert sandbox.unknown_routes == ["GET /api/2.1/jobs/list", f"PUT {TOKENS}", "GET /elsewhere"]
