"""The handlers without authentication: metadata of a host, and the OAuth authorization server.

The server grants access tokens for the OAuth secrets of service principals, valid in every workspace.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from tokenkit.sandbox.handlers.authentication import basic, insert_access_token
from tokenkit.sandbox.responses import Response
from tokenkit.sandbox.state.account import ACCOUNT

if TYPE_CHECKING:
    from tokenkit.sandbox.handlers.call import Visit
    from tokenkit.sandbox.responses import Request

OAUTH_SECONDS = 3600


def metadata(visit: Visit) -> Response:
    """Return the sign-in address for clients of a workspace, and its account."""
    return Response.of(
        {
            "oidc_endpoint": f"{visit.host}/oidc",
            "account_id": visit.account.account_id,
            "workspace_id": str(visit.workspace_id),
            "cloud": "AWS",
        }
    )


def account_metadata(visit: Visit) -> Response:
    """Return the sign-in address for clients of an account."""
    # One host serves every account, so the client fills in the id.
    return Response.of({"oidc_endpoint": f"{visit.host}/oidc/accounts/{{account_id}}", "cloud": "AWS"})


def discover(visit: Visit) -> Response:
    """Return the metadata document of the authorization server."""
    oidc = f"{visit.host}/oidc"
    if visit.workspace_id == ACCOUNT:
        oidc += f"/accounts/{visit.account.account_id}"
    return Response.of(
        {
            "issuer": oidc,
            "authorization_endpoint": f"{oidc}/v1/authorize",
            "token_endpoint": f"{oidc}/v1/token",
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "scopes_supported": ["all-apis"],
        }
    )


def grant(visit: Visit) -> Response:
    """Grant an access token for an OAuth secret, which is in the header or in the form."""
    form = _form(visit.request)
    if form.get("grant_type") != "client_credentials":
        return _error(400, "unsupported_grant_type", "The sandbox grants client_credentials only")
    client_id, secret = client_of(visit.request)
    if not visit.account.oauth_secrets.accepts(client_id, secret, now_ms=visit.now_ms):
        return _error(401, "invalid_client", "Client authentication failed")
    value = _access_token(visit, client_id)
    expiry_time = visit.now_ms + OAUTH_SECONDS * 1000
    insert_access_token(visit.account.database, value, client_id, expiry_time=expiry_time, now_ms=visit.now_ms)
    scope = form.get("scope", "all-apis")
    return Response.of({"access_token": value, "token_type": "Bearer", "expires_in": OAUTH_SECONDS, "scope": scope})


def client_of(request: Request) -> tuple[str, str]:
    """Return the application id and the secret of a request for an access token."""
    form = _form(request)
    return basic(request) or (form.get("client_id", ""), form.get("client_secret", ""))


def _form(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}


def _access_token(visit: Visit, client_id: str) -> str:
    # Shaped like a JWT, because clients may read its claims. The signature is random bytes and is not checked.
    claims = {"client_id": client_id, "sub": client_id, "exp": visit.now_ms // 1000 + OAUTH_SECONDS}
    header = {"alg": "RS256", "typ": "at+jwt"}
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), visit.account.entropy(32)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def _error(status: int, code: str, description: str) -> Response:
    return Response.of({"error": code, "error_description": description}, status)
