import pytest

from tokenkit.sandbox.answers import ApiError
from tokenkit.sandbox.routes import ENDPOINTS, find_endpoint

from .conftest import TOKENS


def test_no_endpoint_stands_twice_in_the_table():
    rows = [(endpoint.method, endpoint.path) for endpoint in ENDPOINTS]
    assert len(rows) == len(set(rows))


def test_every_endpoint_says_what_it_does_and_is_found_by_its_own_path():
    for endpoint in ENDPOINTS:
        assert endpoint.handler.__doc__
        path = endpoint.path.replace("{resource}", "Users").replace("{id}", "5").replace("{token_id}", "abc")
        assert find_endpoint(endpoint.method, path)[0] is endpoint


def test_only_what_concerns_the_caller_alone_is_open_to_everybody():
    open_paths = {endpoint.path for endpoint in ENDPOINTS if not endpoint.admin_only}
    assert all(path.startswith("/api/2.0/token/") or path.endswith("/Me") for path in open_paths)


@pytest.mark.parametrize(
    ("method", "path", "mend"),
    [
        ("GET", "/api/2.0/token-managment/tokens", "/api/2.0/token-management/tokens"),
        ("GET", "/api/2.0/clusters/list", "tokenkit/sandbox/routes.py"),
        ("POST", "/api/2.0/token-management/tokens", "with GET"),
        ("DELETE", "/api/2.0/permissions/authorization/tokens", "with GET, PUT, PATCH"),
        ("GET", "/api/2.0/preview/scim/v2/Robots", "/api/2.0/scim/v2"),
        ("GET", "/api/2.0/token-management/tokens/", "/api/2.0/token-management/tokens"),
        ("PUT", "/api/2.0/preview/scim/v2/Users/5/6", "/api/2.0/scim/v2"),
    ],
)
def test_an_unknown_endpoint_is_told_the_nearest_there_is(method, path, mend):
    with pytest.raises(ApiError) as refusal:
        find_endpoint(method, path)
    assert (refusal.value.status, refusal.value.error_code) == (404, "ENDPOINT_NOT_FOUND")
    assert f"'{method} {path}'" in refusal.value.message
    assert mend in refusal.value.message


def test_parameters_are_unquoted():
    assert find_endpoint("GET", f"{TOKENS}/a%20b")[1] == {"token_id": "a b"}


def test_an_unknown_endpoint_fails_loudly_over_http(admin):
    assert admin.refused("GET", "/api/2.1/jobs/list") == (404, "ENDPOINT_NOT_FOUND")
    assert admin.refused("OPTIONS", TOKENS) == (404, "ENDPOINT_NOT_FOUND")
    response = admin("HEAD", TOKENS)
    assert (response.status_code, response.content) == (404, b"")
    admin.ok("GET", TOKENS)  # the connection is still good
