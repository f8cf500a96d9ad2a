import base64
import json

import pytest

from tests.sandbox.conftest import CONF, DAY, NOON, SCIM, TOKENS, access_token, group_id, member

ME = f"{SCIM}/Me"


def signed(sandbox, clients, header):
    return clients(sandbox.host, None)("GET", ME, headers={"Authorization": header.encode("latin-1")})


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "dapi00", "Basic ???", "Basic é", "Basic dG9rZW46", "Digest x"]
)
def test_a_missing_credential_is_a_401_with_a_realm_and_a_code_that_is_a_number(sandbox, clients, header):
    response = signed(sandbox, clients, header)
    assert (response.status_code, response.json()["error_code"]) == (401, 401)
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="DatabricksRealm"'
    assert response.json()["message"].endswith("[ReqId: 00000000]")


@pytest.mark.parametrize("header", ["Bearer dapi00", "Bearer é", "Basic dG9rZW46eA=="])
def test_an_invalid_credential_is_a_403_with_the_reason_in_a_header_too(sandbox, clients, header):
    response = signed(sandbox, clients, header)
    assert response.status_code == 403
    assert response.json() == {"error_code": 403, "message": "Invalid access token."}
    assert response.headers["X-Databricks-Reason-Phrase"] == "Invalid access token."


def test_a_token_can_be_the_password_of_the_user_token(sandbox, clients):
    by_password = clients(sandbox.host, None)
    assert by_password.ok("GET", ME, auth=("token", sandbox.token))["userName"] == "admin@example.com"
    assert by_password.error("GET", ME, auth=("admin@example.com", sandbox.token)) == (401, 401)


def test_a_deleted_token_cannot_sign_in(person, admin, state):
    person.ok("GET", ME)
    (token,) = state.tokens.of_owner(state.directory.named("user", "person@example.com").id, active_at=0)
    admin.ok("DELETE", f"{TOKENS}/{token['token_id']}")
    assert person.error("GET", ME) == (403, 403)


def test_an_expired_token_cannot_sign_in_and_stays_listed(person, state, clock):
    clock.now = NOON + 90 * DAY - 1
    person.ok("GET", ME)
    clock.now += 1
    assert person.error("GET", ME) == (403, 403)
    assert state.tokens.count() == 61


def test_the_owner_must_be_active(person, admin, state):
    user_id = state.directory.named("user", "person@example.com").id
    operation = {"op": "replace", "path": "active", "value": False}
    admin.ok("PATCH", f"{SCIM}/Users/{user_id}", {"Operations": [operation]})
    assert person.error("GET", ME) == (403, 403)
    admin.ok("PATCH", f"{SCIM}/Users/{user_id}", {"Operations": [{**operation, "value": True}]})
    person.ok("GET", ME)


def test_the_token_of_a_deleted_owner_stays_listed_and_cannot_sign_in(person, admin, state):
    user_id = state.directory.named("user", "person@example.com").id
    admin.ok("DELETE", f"{SCIM}/Users/{user_id}")
    assert person.error("GET", ME) == (403, 403)
    assert [info["owner_id"] for info in admin.ok("GET", TOKENS)["token_infos"]].count(user_id) == 1


def test_a_use_moves_the_day_of_last_use_to_todays_midnight(person, state, clock):
    owner = state.directory.named("user", "person@example.com").id

    def last_used():
        return state.tokens.of_owner(owner, active_at=0)[0].get("last_used_day")

    assert last_used() is None
    person.ok("GET", ME)
    midnight = int(NOON - 12 * 3600) * 1000
    assert last_used() == midnight
    clock.now += 3 * DAY + 5
    assert person.error("GET", TOKENS) == (403, "PERMISSION_DENIED")  # a failed request is recorded as a use
    assert last_used() == midnight + 3 * DAY * 1000


def test_disabled_tokens_are_rejected_until_an_admin_enables_tokens_through_oauth(admin, person, oauth, state):
    admin.ok("PATCH", CONF, {"enableTokensConfig": "false"})
    count = state.tokens.count()
    assert admin.error("GET", TOKENS) == (404, "FEATURE_DISABLED")
    assert person.error("GET", ME) == (404, "FEATURE_DISABLED")
    assert len(oauth.ok("GET", TOKENS)["token_infos"]) == count
    oauth.ok("PATCH", CONF, {"enableTokensConfig": "true"})
    assert len(admin.ok("GET", TOKENS)["token_infos"]) == count


def test_admins_of_a_nested_group_are_admins(person, admin, state):
    user_id = str(state.directory.named("user", "person@example.com").id)
    inner = admin.ok("POST", f"{SCIM}/Groups", {"displayName": "inner", "members": [{"value": user_id}]})
    outer = admin.ok("POST", f"{SCIM}/Groups", {"displayName": "outer", "members": [{"value": inner["id"]}]})
    assert person.error("GET", TOKENS) == (403, "PERMISSION_DENIED")
    join = {"op": "add", "path": "members", "value": [{"value": outer["id"]}]}
    admin.ok("PATCH", f"{SCIM}/Groups/{group_id(admin, 'admins')}", {"Operations": [join]})
    person.ok("GET", TOKENS)


def test_client_credentials_come_in_the_header_or_in_the_form(sandbox, clients):
    form = {"grant_type": "client_credentials", "client_id": sandbox.client_id, "client_secret": sandbox.client_secret}
    grant = clients(sandbox.host, None).ok("POST", "/oidc/v1/token", data=form)
    assert (grant["token_type"], grant["expires_in"]) == ("Bearer", 3600)
    for token in (grant["access_token"], access_token(sandbox, clients)):
        assert clients(sandbox.host, token).ok("GET", ME)["userName"] == sandbox.client_id


def test_an_access_token_can_be_read_as_a_jwt(sandbox, clients):
    claims = access_token(sandbox, clients).split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(claims + "==="))["sub"] == sandbox.client_id


def test_an_access_token_is_not_a_personal_token_and_expires_after_an_hour(state, oauth, clock):
    assert len(oauth.ok("GET", TOKENS)["token_infos"]) == state.tokens.count() == 60
    clock.now += 3599
    oauth.ok("GET", ME)
    clock.now += 1
    assert oauth.error("GET", ME) == (403, 403)


@pytest.mark.parametrize(
    ("form", "auth", "error"),
    [
        ({"grant_type": "password"}, None, (400, "unsupported_grant_type")),
        ({}, None, (400, "unsupported_grant_type")),
        ({"grant_type": "client_credentials"}, None, (401, "invalid_client")),
        ({"grant_type": "client_credentials"}, ("unknown", "x"), (401, "invalid_client")),
        ({"grant_type": "client_credentials", "client_id": "é", "client_secret": "é"}, None, (401, "invalid_client")),
    ],
)
def test_a_bad_grant_is_rejected_in_oauths_own_form(sandbox, clients, form, auth, error):
    response = clients(sandbox.host, None)("POST", "/oidc/v1/token", data=form, auth=auth)
    assert (response.status_code, response.json()["error"]) == error


def test_a_wrong_secret_is_rejected(sandbox, clients):
    form = {"grant_type": "client_credentials"}
    response = clients(sandbox.host, None)("POST", "/oidc/v1/token", data=form, auth=(sandbox.client_id, "wrong"))
    assert response.status_code == 401


def test_a_basic_header_that_is_not_base64_is_rejected(sandbox, clients):
    headers = {"Authorization": "Basic ???"}
    form = {"grant_type": "client_credentials"}
    assert clients(sandbox.host, None)("POST", "/oidc/v1/token", data=form, headers=headers).status_code == 401


def test_an_access_token_works_in_every_workspace_of_the_account(make_sandbox, clients):
    sandbox = make_sandbox(workspaces=2)
    token = access_token(sandbox, clients, sandbox.workspaces[0].host)
    for workspace in sandbox.workspaces:
        clients(workspace.host, token).ok("GET", TOKENS)


def test_a_personal_token_works_in_its_own_workspace_alone(make_sandbox, clients):
    first, second = make_sandbox(workspaces=2).workspaces
    assert clients(second.host, first.token).error("GET", TOKENS) == (403, 403)


def test_an_owner_without_permission_can_still_sign_in(sandbox, state, clients):
    member(sandbox, state, clients, "outsider@example.com", can_use=False).ok("GET", ME)
