"""The events of the audit log that a request causes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.handlers.sign_in import client_of
from tokenkit.sandbox.state.audit_log import EXTERNAL_TOKEN, Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenkit.sandbox.handlers.call import Call, Visit
    from tokenkit.sandbox.responses import Response

_SOURCE = "127.0.0.1"
_MAX_TEXT = 300
_TOKENS = "/api/2.0/token-management/tokens"
_PERMISSIONS = "/api/2.0/permissions/authorization/tokens"
# The recorded event of an endpoint, in addition to the sign-in, by the method and path of its row.
ACTIONS = {
    ("POST", "/api/2.0/token/create"): "generateDbToken",
    ("POST", "/api/2.0/token-management/on-behalf-of/tokens"): "generateDbToken",
    ("POST", "/api/2.0/token/delete"): "revokeDbToken",
    ("DELETE", _TOKENS + "/{token_id}"): "revokeDbToken",
    ("PUT", _PERMISSIONS): "changeDbTokenAcl",
    ("PATCH", _PERMISSIONS): "changeDbTokenAcl",
}


def events_of(call: Call, method: str, path: str, response: Response) -> Iterator[Event]:
    """Return the events of a request with a credential: the sign-in, and the action if it is one of ``ACTIONS``."""
    actor, token_id = call.caller.identity.name, call.caller.token_id
    if token_id is not None:
        params = {"user": actor, "tokenId": token_id, "authenticationMethod": EXTERNAL_TOKEN}
        yield _event(call, "tokenLogin", params, 200)
    else:
        yield _event(call, "oidcTokenAuthorization", {"user": actor}, 200)
    action = ACTIONS.get((method, path))
    if action is not None:
        yield _event(call, action, _params(call, action, response), response.status, _error(response))


def grant_event(visit: Visit, response: Response) -> Event:
    """Return the event of a sign-in with an OAuth secret."""
    error = None if response.status < 400 else str(_document(response.body).get("error", ""))
    actor = client_of(visit.request)[0][:_MAX_TEXT]
    params = {"user": actor, "authenticationMethod": "OAUTH_CLIENT_SECRET"}
    agent = visit.request.headers.get("user-agent", "")[:_MAX_TEXT]
    workspace_id, now_ms = visit.workspace_id, visit.now_ms
    return Event(now_ms, workspace_id, "mintOAuthToken", actor, params, _SOURCE, agent, response.status, error)


def _event(call: Call, action: str, params: dict[str, str], status: int, error: str | None = None) -> Event:
    agent = call.request.headers.get("user-agent", "")[:_MAX_TEXT]
    name = call.caller.identity.name
    return Event(call.now_ms, call.state.workspace_id, action, name, params, _SOURCE, agent, status, error)


def _params(call: Call, action: str, response: Response) -> dict[str, str]:
    if action == "revokeDbToken":
        token_id = call.parameters.get("token_id") or _document(call.request.body).get("token_id", "")
        return {"tokenId": str(token_id)[:_MAX_TEXT]}
    if action == "generateDbToken":
        info = _document(response.body).get("token_info", {})
        return {
            "userId": str(info.get("owner_id", call.caller.identity.id)),
            "tokenExpirationTime": str(info.get("expiry_time", "")),
        }
    return {}


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _error(response: Response) -> str | None:
    return None if response.status < 400 else str(_document(response.body).get("message", ""))[:_MAX_TEXT]
