"""The account that the workspaces belong to: a host of its own, which signs in and lists them.

The real platform finds a workspace under ``https://{deployment_name}.cloud.databricks.com``. A sandbox has no names in
the DNS, so its listing says where each one is in a field that the platform does not have, ``workspace_url``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tokenkit.sandbox.answers import Answer, ApiError, Request
from tokenkit.sandbox.authentication import METADATA, discovery, oauth_client

if TYPE_CHECKING:
    from tokenkit.sandbox.authentication import OAuth
    from tokenkit.sandbox.database import Database

ACCOUNT = 0
"""What stands for the account where requests and faults name a workspace."""

_API = "/api/2.0/accounts/{account_id}/workspaces"
_OIDC = "/oidc/accounts/{account_id}"
_DISCOVERY = "/.well-known/oauth-authorization-server"


@dataclass(frozen=True)
class Account:
    """What is the same in every workspace, and where each of them is.

    Attributes:
        account_id: Its id.
        oauth: Its authorization server, whose tokens are good in every workspace too.
        hosts: The address of each workspace by its id, in order.
    """

    account_id: str
    oauth: OAuth
    database: Database = field(repr=False)
    hosts: dict[int, str] = field(default_factory=dict)

    def sign_in(self, request: Request, *, host: str, now_ms: int) -> Answer:
        """Answer what a client asks of the account's host before it has a credential."""
        oidc = _OIDC.format(account_id=self.account_id)
        match request.method, request.path:
            case "GET", path if path == METADATA:
                # One host serves every account, so it leaves the id to the client.
                return Answer.of({"oidc_endpoint": f"{host}{_OIDC}", "cloud": "AWS"})
            # An SDK from before METADATA takes this host, which is not called accounts.…, for a workspace's.
            case "GET", path if path in {oidc + _DISCOVERY, "/oidc" + _DISCOVERY}:
                return discovery(f"{host}{oidc}")
            case "POST", path if path == f"{oidc}/v1/token":
                return self.oauth.grant(request, now_ms=now_ms)
        raise self._not_served(request)

    def api(self, request: Request, *, now_ms: int) -> Answer:
        """Answer ``GET /api/2.0/accounts/{account_id}/workspaces``, and the same of one workspace."""
        listing = _API.format(account_id=self.account_id)
        if request.method != "GET" or not request.path.startswith(listing):
            raise self._not_served(request)
        oauth_client(self.database, request, now_ms=now_ms)
        workspaces = [self._workspace(number, workspace_id) for number, workspace_id in enumerate(self.hosts, 1)]
        if request.path == listing:
            return Answer.of(workspaces)
        for workspace in workspaces:
            if request.path == f"{listing}/{workspace['workspace_id']}":
                return Answer.of(workspace)
        raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", "The account has no such workspace")

    def _workspace(self, number: int, workspace_id: int) -> dict[str, object]:
        return {
            "account_id": self.account_id,
            "workspace_id": workspace_id,
            "workspace_name": f"Sandbox {number}",
            # Longer than a label of the DNS may be, so that no resolver is ever asked for it.
            "deployment_name": f"sandbox-{number}".ljust(64, "-"),
            "workspace_status": "RUNNING",
            "workspace_status_message": "Workspace is running.",
            "aws_region": "us-east-1",
            "pricing_tier": "ENTERPRISE",
            "creation_time": 1_700_000_000_000 + number,
            "workspace_url": self.hosts[workspace_id],
        }

    def _not_served(self, request: Request) -> ApiError:
        return ApiError(
            404,
            "ENDPOINT_NOT_FOUND",
            f"No API found for '{request.method} {request.path}'. The host of account {self.account_id} serves "
            f"GET {METADATA}, GET {_OIDC}{_DISCOVERY}, POST {_OIDC}/v1/token and GET {_API}.",
        )
