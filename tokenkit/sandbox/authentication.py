"""Who is calling: bearer tokens, and OAuth for the sandbox's service principal.

A personal access token works as its owner for as long as it exists, has not expired, its owner is active and tokens
are enabled. Its scopes are recorded and not enforced: a sandbox that refused by scope would need the platform's whole
map from scopes to paths. An owner without CAN_USE still signs in with a token that exists, since on the platform
losing the right deletes the token itself; where the sandbox is set to disable tokens instead, that token is refused.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from tokenkit.sandbox.answers import Answer, ApiError, Request
from tokenkit.sandbox.tokens import DAY_MS, NEVER, token_id_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenkit.sandbox.database import Database
    from tokenkit.sandbox.directory import Identity
    from tokenkit.sandbox.state import State

OAUTH_SECONDS = 3600
METADATA = "/.well-known/databricks-config"


@dataclass(frozen=True, slots=True)
class Caller:
    """The principal behind a request, and the token that brought them (None when OAuth did)."""

    identity: Identity
    token_id: str | None


def authenticate(state: State, request: Request, *, now_ms: int) -> Caller:
    """Return who sent a request, and record the use of their token.

    Raises:
        ApiError: 401 without a credential, 403 with one that is not good here, the codes numbers as they were recorded;
            404 FEATURE_DISABLED when tokens are switched off. Other forms that were seen are faults: ``Fault.named``.
    """
    value = _bearer(request)
    token_id = token_id_of(value)
    token = state.tokens.find(token_id)
    if token is None:
        return _oauth_caller(state, token_id, now_ms=now_ms)
    owner_id, expiry_time, last_used_day = token
    if expiry_time != NEVER and expiry_time <= now_ms:
        raise _no_access()
    state.settings.check_tokens_enabled()
    owner = _active(state.directory.get(owner_id))
    if state.permissions.disables(owner_id):
        raise _no_access()
    today = now_ms - now_ms % DAY_MS
    if last_used_day != today:
        state.tokens.touch(token_id, today)
    return Caller(owner, token_id)


def oauth_client(database: Database, request: Request, *, now_ms: int) -> str:
    """Return the application id of the service principal whose access token signs a request.

    Raises:
        ApiError: 401 or 403; a personal access token, which belongs to one workspace, is none.
    """
    return _application_id(database, token_id_of(_bearer(request)), now_ms=now_ms)


def discovery(oidc: str) -> Answer:
    """Return the document that tells clients where an authorization server grants tokens."""
    return Answer.of(
        {
            "issuer": oidc,
            "authorization_endpoint": f"{oidc}/v1/authorize",
            "token_endpoint": f"{oidc}/v1/token",
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "scopes_supported": ["all-apis"],
        }
    )


class OAuth:
    """The authorization server: client credentials in, an access token out, good in every workspace of the account."""

    def __init__(self, database: Database, client_id: str, client_secret: str, entropy: Callable[[int], bytes]) -> None:
        self._database = database
        self._client_id = client_id
        self._client_secret = client_secret
        self._entropy = entropy

    def grant(self, request: Request, *, now_ms: int) -> Answer:
        """Answer ``POST /oidc/v1/token``, with the secret in the header or in the form."""
        form = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
        if form.get("grant_type") != "client_credentials":
            return _oauth_error(400, "unsupported_grant_type", "The sandbox grants client_credentials only")
        client_id, client_secret = _basic(request) or (form.get("client_id", ""), form.get("client_secret", ""))
        known = hmac.compare_digest(client_id.encode(), self._client_id.encode())
        if not known or not hmac.compare_digest(client_secret.encode(), self._client_secret.encode()):
            return _oauth_error(401, "invalid_client", "Client authentication failed")
        value = self._access_token(client_id, now_ms)
        expiry = now_ms + OAUTH_SECONDS * 1000
        with self._database.transaction():
            self._database.change("DELETE FROM oauth_tokens WHERE expiry_time <= ?", (now_ms,))
            statement = "INSERT OR REPLACE INTO oauth_tokens (token_hash, application_id, expiry_time) VALUES (?, ?, ?)"
            self._database.change(statement, (token_id_of(value), client_id, expiry))
        scope = form.get("scope", "all-apis")
        grant = {"access_token": value, "token_type": "Bearer", "expires_in": OAUTH_SECONDS, "scope": scope}
        return Answer.of(grant)

    def _access_token(self, client_id: str, now_ms: int) -> str:
        # Clients may read the claims of an access token, so it has the shape of a JWT; nothing here checks its end.
        claims = {"client_id": client_id, "sub": client_id, "exp": now_ms // 1000 + OAUTH_SECONDS}
        parts = [json.dumps({"alg": "RS256", "typ": "at+jwt"}).encode(), json.dumps(claims).encode(), self._entropy(32)]
        return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def _bearer(request: Request) -> str:
    """Return the token that signs a request, as a bearer's or as the password of the user ``token``."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    user, password = _basic(request) or ("", "")
    if user == "token" and password:
        return password
    message = "Credential was not sent or was of an unsupported type for this API. [ReqId: 00000000]"
    raise ApiError(401, 401, message, {"WWW-Authenticate": 'Bearer realm="DatabricksRealm"'})


def _oauth_caller(state: State, token_hash: str, *, now_ms: int) -> Caller:
    application_id = _application_id(state.database, token_hash, now_ms=now_ms)
    return Caller(_active(state.directory.named("service_principal", application_id)), None)


def _application_id(database: Database, token_hash: str, *, now_ms: int) -> str:
    statement = "SELECT application_id FROM oauth_tokens WHERE token_hash = ? AND expiry_time > ?"
    row = database.row(statement, (token_hash, now_ms))
    if row is None:
        raise _no_access()
    return str(row[0])


def _active(owner: Identity | None) -> Identity:
    if owner is None or not owner.active:
        raise _no_access()
    return owner


def _no_access() -> ApiError:
    # Whether it is unknown, has expired, or its owner is gone is not said.
    message = "Invalid access token."
    return ApiError(403, 403, message, {"X-Databricks-Reason-Phrase": message})


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return client_id, secret


def _oauth_error(status: int, code: str, description: str) -> Answer:
    return Answer.of({"error": code, "error_description": description}, status)
