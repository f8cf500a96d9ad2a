"""Refusals as they were recorded of real workspaces and of what stands before them, each under a name.

``Fault.named`` makes a fault of one. Ids, addresses and names in them are made up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_REQUEST_ID = "[ReqId: 00000000]"


def _says(status: int, message: str, code: int | str = "", **more: object) -> dict[str, Any]:
    """Return a refusal in the platform's form, in which the code is often the status once more."""
    return {"status": status, "body": {"error_code": code or status, "message": message, **more}}


def _page(status: int, title: str, body: str = "") -> dict[str, Any]:
    return {"status": status, "body": f"<html><head><title>{title}</title></head><body>{body}</body></html>"}


REFUSALS: Mapping[str, Mapping[str, Any]] = {
    "invalid-token": {
        **_says(403, "Invalid access token."),
        "headers": {"X-Databricks-Reason-Phrase": "Invalid access token."},
    },
    "invalid-token-page": _page(403, "Error 403 Invalid access token."),
    "invalid-token-text": {"status": 400, "body": "Invalid Token"},
    "credential-not-sent": {
        **_says(401, f"Credential was not sent or was of an unsupported type for this API. {_REQUEST_ID}"),
        "headers": {"WWW-Authenticate": 'Bearer realm="DatabricksRealm"'},
    },
    "invalid-org": _says(403, "Invalid access to Org: 1111222233334444"),
    "user-not-found": _says(403, "user not found"),
    "scopes": _says(403, "Provided OAuth token does not have required scopes: access-management", "PERMISSION_DENIED"),
    "not-admin": _says(403, "Requesting user 'someone@example.com' is not an admin.", "PERMISSION_DENIED"),
    "error-info": _says(
        403,
        "Only workspace admins can list tokens",
        "PERMISSION_DENIED",
        details=[
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "USER_NOT_ADMIN",
                "domain": "tokens.databricks.com",
                "metadata": {},
            },
            {"@type": "type.googleapis.com/google.rpc.RequestInfo", "request_id": "00000000", "serving_data": ""},
        ],
    ),
    "ip-access-list": _says(
        403, "Source IP address: 203.0.113.7 is blocked by Databricks IP ACL for workspace: 1111222233334444"
    ),
    # On a real workspace the redirect names its host. Here it leads to the sandbox's own page: whoever follows it,
    # as the official SDK does, stays on this machine.
    "private-link": {
        "status": 303,
        "body": "",
        "content_type": "text/html",
        "headers": {"Location": "/login.html?error=private-link-validation-error:1111222233334444"},
    },
    "login-redirect": {
        "status": 302,
        "body": "",
        "content_type": "text/html",
        "headers": {"Location": "/login.html?next_url=%2F"},
    },
    "unknown-endpoint": _says(404, "No API found for 'GET /token-management/tokens'", "ENDPOINT_NOT_FOUND"),
    "login-page": {
        "status": 200,
        "body": "<!doctype html><html><head><title>Databricks - Sign In</title></head><body></body></html>",
    },
    "proxy-block": {
        **_page(403, "Internet security: this category is blocked", "Contact IT."),
        "headers": {"Server": "Proxy/6.2"},
    },
    "proxy-sign-in": {
        **_page(407, "Proxy Authentication Required"),
        "headers": {"Proxy-Authenticate": 'Basic realm="Proxy"'},
    },
    "gateway": _page(502, "502 Bad Gateway", "<center><h1>502 Bad Gateway</h1></center>"),
    "scim-limit-as-500": {
        "status": 500,
        "body": {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "detail": "REQUEST_LIMIT_EXCEEDED: Workspace 1111222233334444 exceeded the concurrent limit of 4 requests.",
            "status": "500",
        },
        "content_type": "application/scim+json",
    },
    # With the server's own time, by which a client has to read the other: five seconds.
    "retry-after-date": {
        **_says(429, "slow down", "REQUEST_LIMIT_EXCEEDED"),
        "headers": {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT", "Date": "Wed, 21 Oct 2026 07:27:55 GMT"},
    },
    "new-workspace": _says(400, "Unknown worker environment WorkerEnvId(workerenv-1111222233334444)", "BAD_REQUEST"),
    "obo-disabled": _says(
        403,
        "On-behalf-of token creation for service principals is not enabled for this workspace",
        "PERMISSION_DENIED",
    ),
    "tokens-disabled": _says(404, "Personal access tokens are disabled in this workspace", "FEATURE_DISABLED"),
}
