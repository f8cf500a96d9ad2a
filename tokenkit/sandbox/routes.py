"""The one table of endpoints, and the search in it.

To serve one more endpoint, write a handler (a function from a ``Call`` to an ``Answer``) and add a row here.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tokenkit.sandbox import own_tokens, scim, secrets
from tokenkit.sandbox import token_management as admin
from tokenkit.sandbox.answers import Answer, ApiError, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tokenkit.sandbox.authentication import Caller
    from tokenkit.sandbox.state import State


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way through a handler."""

    state: State
    request: Request
    caller: Caller
    parameters: Mapping[str, str]
    now_ms: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row of the table."""

    method: str
    path: str
    handler: Callable[[Call], Answer]
    admin_only: bool = True


_TOKENS = "/api/2.0/token-management/tokens"
_PERMISSIONS = "/api/2.0/permissions/authorization/tokens"
_SCIM = "/api/2.0/scim/v2"

ENDPOINTS = (
    Endpoint("GET", _TOKENS, admin.list_tokens),
    Endpoint("GET", _TOKENS + "/{token_id}", admin.get_token),
    Endpoint("DELETE", _TOKENS + "/{token_id}", admin.delete_token),
    Endpoint("PATCH", _TOKENS + "/{token_id}", admin.update_token),
    Endpoint("POST", "/api/2.0/token-management/on-behalf-of/tokens", admin.create_obo_token),
    Endpoint("GET", _PERMISSIONS + "/permissionLevels", admin.get_permission_levels),
    Endpoint("GET", _PERMISSIONS, admin.get_permissions),
    Endpoint("PUT", _PERMISSIONS, admin.set_permissions),
    Endpoint("PATCH", _PERMISSIONS, admin.update_permissions),
    Endpoint("GET", "/api/2.0/workspace-conf", admin.get_settings),
    Endpoint("PATCH", "/api/2.0/workspace-conf", admin.set_settings),
    Endpoint("GET", "/api/2.0/secrets/scopes/list", secrets.list_scopes),
    Endpoint("POST", "/api/2.0/secrets/scopes/create", secrets.create_scope),
    Endpoint("GET", "/api/2.0/secrets/list", secrets.list_secrets),
    Endpoint("POST", "/api/2.0/secrets/put", secrets.put_secret),
    Endpoint("POST", "/api/2.0/token/create", own_tokens.create_token, admin_only=False),
    Endpoint("GET", "/api/2.0/token/list", own_tokens.list_own_tokens, admin_only=False),
    Endpoint("POST", "/api/2.0/token/delete", own_tokens.delete_own_token, admin_only=False),
    Endpoint("PATCH", "/api/2.0/token/{token_id}", own_tokens.update_own_token, admin_only=False),
    Endpoint("GET", _SCIM + "/Me", scim.get_me, admin_only=False),
    Endpoint("GET", _SCIM + "/{resource}", scim.list_resources),
    Endpoint("POST", _SCIM + "/{resource}", scim.create_resource),
    Endpoint("GET", _SCIM + "/{resource}/{id}", scim.get_resource),
    Endpoint("PUT", _SCIM + "/{resource}/{id}", scim.put_resource),
    Endpoint("PATCH", _SCIM + "/{resource}/{id}", scim.patch_resource),
    Endpoint("DELETE", _SCIM + "/{resource}/{id}", scim.delete_resource),
)  # the first row that fits is taken


def find_endpoint(method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
    """Return the endpoint of a request and the parameters in its path.

    ``/api/2.0/preview/…`` is an alias of ``/api/2.0/…``: token management and workspace-conf are documented under
    both, SCIM under the former alone.

    Raises:
        ApiError: 404 ENDPOINT_NOT_FOUND, naming the nearest endpoint there is.
    """
    path_served = "/api/2.0/" + path.removeprefix("/api/2.0/preview/") if path.startswith("/api/2.0/preview/") else path
    segments = path_served.split("/")
    for endpoint, template in _SPLIT:
        if endpoint.method == method and len(template) == len(segments):
            parameters = _match(template, segments)
            if parameters is not None:
                return endpoint, parameters
    raise ApiError(404, "ENDPOINT_NOT_FOUND", f"No API found for '{method} {path}'. {_mend(path_served, segments)}")


_SPLIT = tuple((endpoint, endpoint.path.split("/")) for endpoint in ENDPOINTS)


def _match(template: list[str], segments: list[str]) -> dict[str, str] | None:
    parameters = {}
    for expected, given in zip(template, segments, strict=True):
        if expected.startswith("{"):
            if not given or (expected == "{resource}" and given not in scim.RESOURCES):
                return None
            parameters[expected[1:-1]] = unquote(given)
        elif expected != given:
            return None
    return parameters


def _mend(path: str, segments: list[str]) -> str:
    methods = [
        endpoint.method
        for endpoint, template in _SPLIT
        if len(template) == len(segments) and _match(template, segments) is not None
    ]
    if methods:
        return f"The sandbox serves this path with {', '.join(methods)}."
    near = difflib.get_close_matches(path, [endpoint.path for endpoint in ENDPOINTS], n=1, cutoff=0)
    return f"The nearest that the sandbox serves is {near[0]}; its endpoints stand in tokenkit/sandbox/routes.py."
