"""The tables of endpoints, and the lookup of a request in them.

To add an endpoint, write a handler (a function from a ``Call`` to a ``Response``) and add a row here. The list in
``docs/sandbox.md`` comes from these tables: ``python -m tokenkit.sandbox.serving.reference``.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

from tokenkit.sandbox.handlers import (
    account,
    account_scim,
    clock,
    own_tokens,
    scim,
    secrets,
    settings,
    sign_in,
    sql,
    stubs,
)
from tokenkit.sandbox.handlers import token_management as admin
from tokenkit.sandbox.handlers.scim_documents import RESOURCES
from tokenkit.sandbox.responses import ApiError, Response
from tokenkit.sandbox.serving.recorded import RECORDED_RESPONSES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tokenkit.sandbox.handlers.call import Visit

Access = Literal["admins", "everyone", "no credential"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row of a table.

    Attributes:
        method: The HTTP method.
        path: The path, with the names of its parameters in braces.
        handler: A function from a ``Call`` to a ``Response`` or ``Later``, or from a ``Visit`` to a ``Response`` if no
            credential is needed.
        tools: The keys in ``TOOLS`` of the official tools that the tests run against it.
        access: Who can call it. The admins of an account are its own.
    """

    method: str
    path: str
    handler: Callable[[Any], Any]
    tools: str = ""
    access: Access = "admins"


TOOLS = {
    "sdk": "the official SDK for Python",
    "sdk-go": "the official SDK for Go",
    "cli": "the official CLI (`databricks`)",
    "terraform": "the official Terraform provider",
    "cartography": "cartography",
    "pytester": "databricks-labs-pytester",
    "ucx": "UCX's crawl of token permissions",
    "sat": "the requests of the Security Analysis Tool",
    "curl": "`curl --netrc`",
}

METADATA = "/.well-known/databricks-config"
_AUTHORIZATION_SERVER = "/.well-known/oauth-authorization-server"
_TOKENS = "/api/2.0/token-management/tokens"
_PERMISSIONS = "/api/2.0/permissions/authorization/tokens"
_PASSWORDS = "/api/2.0/permissions/authorization/passwords"  # a path
_RESTRICTION = "/api/2.0/settings/types/restrict_workspace_admins/names/default"
_SCIM = "/api/2.0/scim/v2"
_ACCOUNT_SCIM = "/api/2.0/account/scim/v2"
_SECRETS = "/api/2.0/accounts/servicePrincipals/{id}/credentials/secrets"
_ACCOUNT = "/api/2.0/accounts/{account_id}"
_ACCOUNT_SECRETS = _ACCOUNT + "/servicePrincipals/{id}/credentials/secrets"
_ACCOUNT_OIDC = "/oidc/accounts/{account_id}"
_ASSIGNMENTS = _ACCOUNT + "/workspaces/{workspace_id}/permissionassignments"
_WAREHOUSES = "/api/2.0/sql/warehouses"
_STATEMENTS = "/api/2.0/sql/statements"


def _login_page(_: Visit) -> Response:
    """Return the page that a workspace with a private link redirects to."""
    return Response(200, RECORDED_RESPONSES["login-page"]["body"].encode(), "text/html")


ENDPOINTS = (
    Endpoint("GET", _TOKENS, admin.list_tokens, "sdk sdk-go cli cartography sat"),
    Endpoint("GET", _TOKENS + "/{token_id}", admin.get_token, "sdk sdk-go cli terraform"),
    Endpoint("DELETE", _TOKENS + "/{token_id}", admin.delete_token, "sdk sdk-go cli terraform"),
    Endpoint("PATCH", _TOKENS + "/{token_id}", admin.update_token, "sdk sdk-go cli"),
    Endpoint(
        "POST", "/api/2.0/token-management/on-behalf-of/tokens", admin.create_obo_token, "sdk sdk-go cli terraform"
    ),
    Endpoint("GET", _PERMISSIONS + "/permissionLevels", admin.get_permission_levels, "sdk sdk-go cli sat"),
    Endpoint("GET", _PERMISSIONS, admin.get_permissions, "sdk sdk-go cli terraform pytester ucx sat"),
    Endpoint("PUT", _PERMISSIONS, admin.set_permissions, "sdk sdk-go cli terraform pytester"),
    Endpoint("PATCH", _PERMISSIONS, admin.update_permissions, "sdk sdk-go cli pytester"),
    Endpoint("GET", _PASSWORDS + "/permissionLevels", settings.get_password_levels, "cli"),
    Endpoint("GET", _PASSWORDS, settings.get_password_permissions, "sdk cli terraform pytester ucx"),
    Endpoint("PUT", _PASSWORDS, settings.set_password_permissions, "cli terraform pytester"),
    Endpoint("PATCH", _PASSWORDS, settings.update_password_permissions, "cli pytester"),
    Endpoint("GET", "/api/2.0/workspace-conf", settings.get_settings, "sdk sdk-go cli terraform cartography sat"),
    Endpoint("PATCH", "/api/2.0/workspace-conf", settings.set_settings, "sdk sdk-go cli terraform"),
    Endpoint("GET", _RESTRICTION, settings.get_restriction, "sdk cli terraform sat"),
    Endpoint("PATCH", _RESTRICTION, settings.set_restriction, "cli terraform"),
    Endpoint("DELETE", _RESTRICTION, settings.reset_restriction, "cli terraform"),
    Endpoint("GET", "/api/2.0/secrets/scopes/list", secrets.list_scopes, "cli terraform cartography sat"),
    Endpoint("POST", "/api/2.0/secrets/scopes/create", secrets.create_scope, "sdk cli terraform pytester"),
    Endpoint("POST", "/api/2.0/secrets/scopes/delete", secrets.delete_scope, "sdk cli terraform pytester"),
    Endpoint("GET", "/api/2.0/secrets/list", secrets.list_secrets, "cli terraform sat"),
    Endpoint("POST", "/api/2.0/secrets/put", secrets.put_secret, "sdk cli terraform"),
    Endpoint("GET", "/api/2.0/secrets/get", secrets.get_secret, "sdk cli"),
    Endpoint("POST", "/api/2.0/secrets/delete", secrets.delete_secret, "cli terraform"),
    Endpoint("GET", "/api/2.0/secrets/acls/list", secrets.list_acls, "cli sat"),
    Endpoint("GET", "/api/2.0/secrets/acls/get", secrets.get_acl, "cli terraform"),
    Endpoint("POST", "/api/2.0/secrets/acls/put", secrets.put_acl, "cli terraform pytester"),
    Endpoint("POST", "/api/2.0/secrets/acls/delete", secrets.delete_acl, "cli terraform pytester"),
    Endpoint("POST", "/api/2.0/token/create", own_tokens.create_token, "sdk sdk-go cli terraform", access="everyone"),
    Endpoint(
        "GET", "/api/2.0/token/list", own_tokens.list_own_tokens, "sdk sdk-go cli terraform sat curl", access="everyone"
    ),
    Endpoint(
        "POST", "/api/2.0/token/delete", own_tokens.delete_own_token, "sdk sdk-go cli terraform", access="everyone"
    ),
    Endpoint("PATCH", "/api/2.0/token/{token_id}", own_tokens.update_own_token, "sdk sdk-go cli", access="everyone"),
    Endpoint("GET", "/api/2.0/token-scopes", stubs.list_token_scopes, "cli", access="everyone"),
    Endpoint("GET", _SCIM + "/Me", scim.get_me, "sdk sdk-go cli terraform", access="everyone"),
    Endpoint("GET", _SCIM + "/{resource}", scim.list_resources, "sdk sdk-go cli terraform cartography pytester sat"),
    Endpoint("POST", _SCIM + "/{resource}", scim.create_resource, "sdk sdk-go cli terraform pytester"),
    Endpoint("GET", _SCIM + "/{resource}/{id}", scim.get_resource, "sdk sdk-go cli terraform pytester"),
    Endpoint("PUT", _SCIM + "/{resource}/{id}", scim.put_resource, "sdk sdk-go cli"),
    Endpoint("PATCH", _SCIM + "/{resource}/{id}", scim.patch_resource, "sdk sdk-go cli terraform"),
    Endpoint("DELETE", _SCIM + "/{resource}/{id}", scim.delete_resource, "sdk sdk-go cli terraform pytester"),
    Endpoint("GET", _ACCOUNT_SCIM + "/{resource}", account_scim.list_resources, "ucx"),
    Endpoint("GET", _ACCOUNT_SCIM + "/{resource}/{id}", account_scim.get_resource, "ucx"),
    Endpoint("GET", "/api/2.0/permissionassignments", account.list_assignments),
    Endpoint("PUT", "/api/2.0/permissionassignments/principals/{principal_id}", account.put_assignment, "ucx"),
    Endpoint("DELETE", "/api/2.0/permissionassignments/principals/{principal_id}", account.delete_assignment),
    Endpoint("GET", _SECRETS, account.list_oauth_secrets, "cli"),
    Endpoint("POST", _SECRETS, account.create_oauth_secret, "cli"),
    Endpoint("DELETE", _SECRETS + "/{secret_id}", account.delete_oauth_secret, "cli"),
    Endpoint("GET", "/api/2.0/accounts/access-control/assignable-roles", account.list_assignable_roles, "sat"),
    Endpoint("GET", "/api/2.0/accounts/access-control/rule-sets", account.get_rule_set),
    Endpoint("PUT", "/api/2.0/accounts/access-control/rule-sets", account.put_rule_set),
    Endpoint("POST", "/api/2.0/workspace/mkdirs", stubs.make_folder, "sdk cli", access="everyone"),
    Endpoint("GET", "/api/2.0/workspace/get-status", stubs.get_folder, "sdk cli", access="everyone"),
    Endpoint("GET", "/api/2.0/groups/list", stubs.list_legacy_groups),
    Endpoint("GET", "/api/2.0/groups/list-members", stubs.list_legacy_members),
    Endpoint("GET", "/api/2.0/groups/list-parents", stubs.list_legacy_parents),
    Endpoint("GET", "/api/2.0/clusters/spark-versions", stubs.list_spark_versions, "sat", access="everyone"),
    Endpoint(
        "GET", "/api/2.1/clusters/spark-versions", stubs.list_spark_versions, "sdk cli terraform", access="everyone"
    ),
    Endpoint("GET", "/api/2.0/ip-access-lists", stubs.list_ip_access_lists, "sdk cli cartography sat"),
    Endpoint(
        "GET",
        "/api/2.0/policies/clusters/list",
        stubs.list_cluster_policies,
        "sdk cli cartography sat",
        access="everyone",
    ),
    Endpoint("GET", _WAREHOUSES, sql.list_warehouses, "sdk sdk-go cli", access="everyone"),
    Endpoint("GET", _WAREHOUSES + "/{warehouse_id}", sql.get_warehouse, "sdk sdk-go cli", access="everyone"),
    Endpoint("POST", _WAREHOUSES + "/{warehouse_id}/start", sql.start_warehouse, "sdk cli", access="everyone"),
    Endpoint("POST", _WAREHOUSES + "/{warehouse_id}/stop", sql.stop_warehouse, "sdk cli", access="everyone"),
    Endpoint("POST", _STATEMENTS, sql.execute_statement, "sdk sdk-go cli", access="everyone"),
    Endpoint("POST", _STATEMENTS + "/", sql.execute_statement, "sdk", access="everyone"),  # SDKs such as 0.20
    Endpoint("GET", _STATEMENTS + "/{statement_id}", sql.get_statement, "sdk cli", access="everyone"),
    Endpoint("POST", _STATEMENTS + "/{statement_id}/cancel", sql.cancel_statement, "sdk", access="everyone"),
    Endpoint(
        "GET", _STATEMENTS + "/{statement_id}/result/chunks/{chunk_index}", sql.get_chunk, "sdk", access="everyone"
    ),
    Endpoint("GET", sql.STORAGE + "/{statement_id}/{chunk_index}", sql.download, access="no credential"),
    Endpoint("GET", "/sandbox/clock", clock.get_clock),
    Endpoint("POST", "/sandbox/clock", clock.pass_days),
    Endpoint("GET", METADATA, sign_in.metadata, "sdk sdk-go cli terraform", access="no credential"),
    Endpoint("GET", "/oidc" + _AUTHORIZATION_SERVER, sign_in.discover, "sdk cli", access="no credential"),
    Endpoint("POST", "/oidc/v1/token", sign_in.grant, "sdk cli cartography sat", access="no credential"),
    Endpoint("GET", "/login.html", _login_page, access="no credential"),
)
"""What the host of a workspace serves. The first match is used."""

ACCOUNT_ENDPOINTS = (
    Endpoint("GET", _ACCOUNT + "/workspaces", account.list_workspaces, "sdk-go cli cartography sat"),
    Endpoint("GET", _ACCOUNT + "/workspaces/{workspace_id}", account.get_workspace, "sdk-go cli"),
    Endpoint("GET", _ASSIGNMENTS + "/permissions", account.list_assignment_permissions, "cli sat"),
    Endpoint("GET", _ASSIGNMENTS, account.list_assignments, "cli cartography sat"),
    Endpoint("PUT", _ASSIGNMENTS + "/principals/{principal_id}", account.put_assignment, "sdk cli"),
    Endpoint("DELETE", _ASSIGNMENTS + "/principals/{principal_id}", account.delete_assignment, "cli"),
    Endpoint("GET", _ACCOUNT + "/scim/v2/{resource}", account_scim.list_resources, "cli cartography sat"),
    Endpoint("POST", _ACCOUNT + "/scim/v2/{resource}", account_scim.create_resource, "sdk cli"),
    Endpoint("GET", _ACCOUNT + "/scim/v2/{resource}/{id}", account_scim.get_resource, "cli"),
    Endpoint("PUT", _ACCOUNT + "/scim/v2/{resource}/{id}", account_scim.put_resource),
    Endpoint("PATCH", _ACCOUNT + "/scim/v2/{resource}/{id}", account_scim.patch_resource, "cli"),
    Endpoint("DELETE", _ACCOUNT + "/scim/v2/{resource}/{id}", account_scim.delete_resource, "sdk cli"),
    Endpoint("GET", _ACCOUNT_SECRETS, account.list_oauth_secrets, "sdk cli sat"),
    Endpoint("POST", _ACCOUNT_SECRETS, account.create_oauth_secret, "sdk cli"),
    Endpoint("DELETE", _ACCOUNT_SECRETS + "/{secret_id}", account.delete_oauth_secret, "sdk cli"),
    Endpoint("GET", _ACCOUNT + "/access-control/assignable-roles", account.list_assignable_roles, "cli"),
    Endpoint("GET", _ACCOUNT + "/access-control/rule-sets", account.get_rule_set, "cli"),
    Endpoint("PUT", _ACCOUNT + "/access-control/rule-sets", account.put_rule_set, "cli"),
    Endpoint("GET", METADATA, sign_in.account_metadata, "sdk sdk-go cli", access="no credential"),
    Endpoint("GET", _ACCOUNT_OIDC + _AUTHORIZATION_SERVER, sign_in.discover, "sdk sdk-go cli", access="no credential"),
    # An SDK that does not know METADATA treats this host as a workspace, because its name is not accounts.….
    Endpoint("GET", "/oidc" + _AUTHORIZATION_SERVER, sign_in.discover, access="no credential"),
    Endpoint("POST", _ACCOUNT_OIDC + "/v1/token", sign_in.grant, "sdk-go cli cartography sat", access="no credential"),
)
"""What the host of the account serves."""


class Router:
    """Finds the endpoint of a request."""

    def __init__(self, endpoints: Sequence[Endpoint], account_id: str = "") -> None:
        self._endpoints = endpoints
        self._account_id = account_id
        self._split = [(endpoint, endpoint.path.split("/")) for endpoint in endpoints]

    def find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
        """Return the endpoint of a request and the parameters in its path.

        ``/api/2.0/preview/…`` is an alias of ``/api/2.0/…``: the documentation has token management and workspace-conf
        under both, and SCIM only under the former.

        Raises:
            ApiError: 404 ENDPOINT_NOT_FOUND; the message names the closest endpoint.
        """
        preview = "/api/2.0/preview/"
        path_served = "/api/2.0/" + path.removeprefix(preview) if path.startswith(preview) else path
        segments = path_served.split("/")
        for endpoint, template in self._split:
            if endpoint.method == method and len(template) == len(segments):
                parameters = self._match(template, segments)
                if parameters is not None:
                    return endpoint, parameters
        message = f"No API found for '{method} {path}'. {self._suggest(path_served, segments)}"
        raise ApiError(404, "ENDPOINT_NOT_FOUND", message)

    def _match(self, template: list[str], segments: list[str]) -> dict[str, str] | None:
        parameters = {}
        for expected, given in zip(template, segments, strict=True):
            if expected.startswith("{"):
                if not given or (expected == "{resource}" and given not in RESOURCES):
                    return None
                if expected == "{account_id}" and given != self._account_id:
                    return None
                parameters[expected[1:-1]] = unquote(given)
            elif expected != given:
                return None
        return parameters

    def _suggest(self, path: str, segments: list[str]) -> str:
        methods = [
            endpoint.method
            for endpoint, template in self._split
            if len(template) == len(segments) and self._match(template, segments) is not None
        ]
        if methods:
            return f"The sandbox serves this path with {', '.join(methods)}."
        near = difflib.get_close_matches(path, [endpoint.path for endpoint in self._endpoints], n=1, cutoff=0)
        where = f"account {self._account_id}" if self._account_id else "a workspace"
        return f"The closest endpoint of {where} in the sandbox is {near[0]}."
