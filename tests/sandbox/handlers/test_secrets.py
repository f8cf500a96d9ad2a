import base64

import pytest

SCOPES, SECRETS, ACLS = "/api/2.0/secrets/scopes", "/api/2.0/secrets", "/api/2.0/secrets/acls"


@pytest.fixture
def vault(admin):
    admin.ok("POST", f"{SCOPES}/create", {"scope": "vault"})
    return {"scope": "vault"}


def test_a_secret_is_written_listed_read_and_deleted(admin, vault):
    secret = {**vault, "key": "key"}
    assert admin.ok("GET", f"{SECRETS}/list", params=vault) == {}
    admin.ok("POST", f"{SECRETS}/put", {**secret, "string_value": "é"})
    (listed,) = admin.ok("GET", f"{SECRETS}/list", params=vault)["secrets"]
    assert listed == {"key": "key", "last_updated_timestamp": 1_772_366_400_000}
    assert base64.b64decode(admin.ok("GET", f"{SECRETS}/get", params=secret)["value"]).decode() == "é"
    admin.ok("POST", f"{SECRETS}/put", {**secret, "bytes_value": base64.b64encode(b"\x00\xff").decode()})
    assert base64.b64decode(admin.ok("GET", f"{SECRETS}/get", params=secret)["value"]) == b"\x00\xff"
    admin.ok("POST", f"{SECRETS}/delete", secret)
    assert admin.error("GET", f"{SECRETS}/get", params=secret) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert admin.error("POST", f"{SECRETS}/delete", secret) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_a_scope_is_deleted_with_everything_in_it(admin, vault):
    admin.ok("POST", f"{SECRETS}/put", {**vault, "key": "key", "string_value": "x"})
    admin.ok("POST", f"{SCOPES}/delete", vault)
    admin.ok("POST", f"{SCOPES}/create", vault)
    assert admin.ok("GET", f"{SECRETS}/list", params=vault) == {}
    assert len(admin.ok("GET", f"{ACLS}/list", params=vault)["items"]) == 1


def test_the_creator_of_a_scope_can_manage_it_or_names_a_principal_that_can(admin, vault):
    assert admin.ok("GET", f"{ACLS}/list", params=vault)["items"] == [
        {"principal": "admin@example.com", "permission": "MANAGE"}
    ]
    admin.ok("POST", f"{SCOPES}/create", {"scope": "open", "initial_manage_principal": "users"})
    assert admin.ok("GET", f"{ACLS}/list", params={"scope": "open"})["items"][0]["principal"] == "users"


def test_permissions_are_set_read_and_removed(admin, vault):
    users = {**vault, "principal": "users"}
    admin.ok("POST", f"{ACLS}/put", {**users, "permission": "READ"})
    assert admin.ok("GET", f"{ACLS}/get", params=users) == {"principal": "users", "permission": "READ"}
    assert admin.error("POST", f"{ACLS}/put", {**users, "permission": "OWN"}) == (400, "INVALID_PARAMETER_VALUE")
    admin.ok("POST", f"{ACLS}/delete", users)
    for method, path in (("GET", "get"), ("POST", "delete")):
        body = {"json": users} if method == "POST" else {"params": users}
        assert admin.error(method, f"{ACLS}/{path}", **body) == (404, "RESOURCE_DOES_NOT_EXIST")


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("put", {"scope": "tokenkit", "key": "k"}, 400),
        ("put", {"scope": "tokenkit", "key": "k", "string_value": "x", "bytes_value": "eA=="}, 400),
        ("put", {"scope": "tokenkit", "key": "k", "bytes_value": "no Base64"}, 400),
        ("put", {"scope": "tokenkit", "key": "k", "string_value": "x" * (129 << 10)}, 400),
        ("put", {"scope": "none", "key": "k", "string_value": "x"}, 404),
        ("scopes/create", {"scope": "tokenkit"}, 400),
        ("scopes/create", {"scope": ["x"]}, 400),
        ("scopes/create", {"scope": "a/b"}, 400),
        ("scopes/create", {"scope": "x" * 129}, 400),
        ("scopes/create", {"scope": "open", "initial_manage_principal": "nobody"}, 400),
        ("scopes/create", {"scope": "open", "initial_manage_principal": ["users"]}, 400),
        ("acls/put", {"scope": "tokenkit", "principal": "nobody@example.com", "permission": "READ"}, 400),
        ("scopes/delete", {"scope": "none"}, 404),
        ("acls/put", {"scope": "none", "principal": "users", "permission": "READ"}, 404),
    ],
)
def test_wrong_requests_are_rejected(admin, path, body, error):
    assert admin.error("POST", f"{SECRETS}/{path}", body)[0] == error
