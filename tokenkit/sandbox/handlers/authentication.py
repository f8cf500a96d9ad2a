"""Authentication: personal access tokens, and the access tokens of service principals that sign in with OAuth.

A personal access token acts as its owner while it exists, has not expired, its owner is active and tokens are enabled.
Its scopes are stored but not enforced, because that would need the platform's complete map from scopes to paths. An
owner without CAN_USE can still sign in with an existing token: on the platform, losing the permission deletes the token
itself. If the sandbox is set to disable tokens instead, it rejects such a token.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from tokenkit.sandbox.handlers.call import Caller
from tokenkit.sandbox.responses import ApiError, Request
from tokenkit.sandbox.state.tokens import DAY_MS, NEVER, token_id_of

if TYPE_CHECKING:
    from tokenkit.sandbox.state.database import Database
    from tokenkit.sandbox.state.directory import Identity
    from tokenkit.sandbox.state.workspace import State


def authenticate(state: State, request: Request, *, now_ms: int) -> Caller:
    """Return the sender of a request, and record the use of their token.

    Raises:
        ApiError: 401 without a credential and 403 with an invalid one, both with numeric codes, as recorded; 404
            FEATURE_DISABLED if tokens are disabled. ``Fault.named`` has the other recorded forms.
    """
    value = _bearer(request)
    token_id = token_id_of(value)
    token = state.tokens.find(token_id)
    if token is None:
        return _oauth_caller(state, token_id, now_ms=now_ms)
    owner_id, expiry_time, last_used_day = token
    if expiry_time != NEVER and expiry_time <= now_ms:
        raise _invalid_token()
    state.settings.check_tokens_enabled()
    owner = _require_active(state.directory.get(owner_id))
    if state.permissions.disables(owner_id):
        raise _invalid_token()
    today = now_ms - now_ms % DAY_MS
    if last_used_day != today:
        state.tokens.touch(token_id, today)
    return Caller(owner, token_id)


def authenticate_with_oauth(state: State, request: Request, *, now_ms: int) -> Caller:
    """Return the sender of a request to the account.

    Raises:
        ApiError: 401 or 403. A personal access token is not accepted, because it belongs to one workspace.
    """
    return _oauth_caller(state, token_id_of(_bearer(request)), now_ms=now_ms)


def insert_access_token(database: Database, value: str, application_id: str, *, expiry_time: int, now_ms: int) -> None:
    """Store the hash of a new access token, and remove the expired ones."""
    database.change("DELETE FROM oauth_tokens WHERE expiry_time <= ?", (now_ms,))
    statement = "INSERT OR REPLACE INTO oauth_tokens (token_hash, application_id, expiry_time) VALUES (?, ?, ?)"
    database.change(statement, (token_id_of(value), application_id, expiry_time))


def _bearer(request: Request) -> str:
    """Return the token of a request: a bearer token, or the password of the user ``token``."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    user, password = basic(request) or ("", "")
    if user == "token" and password:
        return password
    message = "Credential was not sent or was of an unsupported type for this API. [ReqId: 00000000]"
    raise ApiError(401, 401, message, {"WWW-Authenticate": 'Bearer realm="DatabricksRealm"'})


def _oauth_caller(state: State, token_hash: str, *, now_ms: int) -> Caller:
    statement = "SELECT application_id FROM oauth_tokens WHERE token_hash = ? AND expiry_time > ?"
    row = state.database.row(statement, (token_hash, now_ms))
    if row is None:
        raise _invalid_token()
    return Caller(_require_active(state.directory.named("service_principal", row[0])), None)


def _require_active(owner: Identity | None) -> Identity:
    if owner is None or not owner.active:
        raise _invalid_token()
    return owner


def _invalid_token() -> ApiError:
    # The response does not tell whether the token is unknown or expired, or its owner inactive or deleted.
    message = "Invalid access token."
    return ApiError(403, 403, message, {"X-Databricks-Reason-Phrase": message})


def basic(request: Request) -> tuple[str, str] | None:
    """Return the user and the password of HTTP Basic authentication, or None."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return client_id, secret
