"""The workspaces of an account: their names and hosts, and how to sign in to each.

The official SDK signs in to the account and lists the workspaces. The sign-in for a workspace works as in
``AccountClient.get_workspace_client``, so one service principal or user can sign in to all workspaces, on every cloud.

Because the credential is sent to it, the host of a workspace is derived from its deployment name and the account's
cloud: the name must consist of host name labels, and the host ends with the cloud's own domain. Only for an account on
this machine, which is a sandbox, are the hosts taken from the listing, and they must be on this machine too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tokenkit import errors, frames
from tokenkit.core.redaction import redact
from tokenkit.core.spelling import spelled
from tokenkit.rest import credentials
from tokenkit.rest.credentials import Credentials
from tokenkit.rest.hosts import address, is_address, is_label, is_loopback
from tokenkit.rest.tracebacks import without_frames

RUNNING = "RUNNING"
NO_ADDRESS = "without a valid address"


@dataclass(frozen=True, kw_only=True)
class AccountWorkspace:
    """A workspace in the listing of its account.

    Attributes:
        host: The workspace's address; empty if it has none yet.
        name: The display name.
        workspace_id: The workspace's id.
        status: ``RUNNING``, or why the workspace cannot be used: ``PROVISIONING``, ``FAILED``, ``BANNED`` …, or
            ``NO_ADDRESS`` if its deployment name is invalid.
        sign_in: Returns credentials for the workspace. The call can send a request to the account's host.
    """

    host: str
    name: str
    workspace_id: int
    status: str
    sign_in: Callable[[], Credentials]


def account_config(account: object, account_id: str | None = None) -> Any:  # noqa: ANN401 - a databricks.sdk.core.Config
    """Return the official ``Config`` of an account.

    Args:
        account: An official ``AccountClient`` or ``Config``, a profile's name, or the account console's host.
        account_id: The account's id, if a host is given and the environment has no ``DATABRICKS_ACCOUNT_ID``.

    Raises:
        ConfigurationError: The profile does not exist, or there are no usable credentials or no account id.
        ConnectionFailedError: The account could not be reached.
    """
    if isinstance(account, str) and is_address(account):
        console = address(account)
        host = console.host
        credentials.check_environment_is_for(console)
        if not (account_id or os.getenv("DATABRICKS_ACCOUNT_ID")):
            raise errors.ConfigurationError(f"{host} serves many accounts. {spelled('Pass account_id=…')}.")
        config: Any = credentials.sdk_config(_for=host, host=host, account_id=account_id)
    elif isinstance(account, str):
        config = credentials.profile_config(account)
    else:
        config = getattr(account, "config", account)
        if not callable(getattr(config, "authenticate", None)):
            raise errors.ConfigurationError(
                "account= must be a databricks.sdk AccountClient or Config, a profile, or the account console's host, "
                f"not {type(account).__name__}."
            )
    if not config.account_id:
        raise errors.ConfigurationError(f"The account_id for {config.host} is not set. {spelled('Pass account_id=…')}.")
    if account_id and account_id != config.account_id:
        raise errors.ConfigurationError(
            f"{account!r} is for account {config.account_id}, not {account_id}. Check account_id."
        )
    return config


@without_frames()
def account_workspaces(config: Any) -> list[AccountWorkspace]:  # noqa: ANN401 - as above
    """Return all workspaces of an account, in the order of its listing.

    Raises:
        ConfigurationError: The sign-in or the listing failed.
        ConnectionFailedError: The account could not be reached.
    """
    try:
        # As in AccountClient.workspaces.list(), which would drop unknown fields.
        listing = _client(config).do("GET", f"/api/2.0/accounts/{config.account_id}/workspaces")
        return [_workspace(config, document) for document in listing]
    except errors.ConfigurationError:
        raise
    except Exception as failure:  # noqa: BLE001 - errors of the SDK, of requests, and ValueError
        raise _not_listed(config, "workspaces", failure) from None


OAUTH_SECRETS = frames.schema(
    application_id=str, display_name=str, secret_id=str, secret_hash=str, status=str, expire_time=str
)


@without_frames()
def oauth_secrets(config: Any) -> pd.DataFrame:  # noqa: ANN401 - as above
    """Return the OAuth secrets of all service principals of an account, with the columns of ``OAUTH_SECRETS``.

    The frame does not contain the secret values. ``secret_hash`` is a hash of the value; the documentation does not say
    which bytes are hashed.

    Raises:
        ConfigurationError: The listing failed.
        ConnectionFailedError: The account could not be reached.
    """
    root = f"/api/2.0/accounts/{config.account_id}"
    try:
        client = _client(config)
        rows = [
            {
                "application_id": principal.get("applicationId"),
                "display_name": principal.get("displayName"),
                "secret_id": secret.get("id"),
                **{name: secret.get(name) for name in ("secret_hash", "status", "expire_time")},
            }
            for principal in _principals(client, f"{root}/scim/v2/ServicePrincipals")
            for secret in _secrets(client, f"{root}/servicePrincipals/{principal['id']}/credentials/secrets")
        ]
        return frames.frame(rows, OAUTH_SECRETS)
    except Exception as failure:  # noqa: BLE001 - as above
        raise _not_listed(config, "OAuth secrets", failure) from None


def _client(config: Any) -> Any:  # noqa: ANN401 - the SDK's ApiClient
    from databricks.sdk.core import ApiClient  # noqa: PLC0415 - takes 0.7 s

    return ApiClient(config)


def _not_listed(config: Any, what: str, failure: Exception) -> errors.TokenKitError:  # noqa: ANN401 - as above
    if credentials.is_unreachable(str(failure)):
        return errors.ConnectionFailedError(f"{config.host} could not be reached. {credentials.CHECK_HOST}")
    if getattr(failure, "error_code", None) == "ENDPOINT_NOT_FOUND":
        return errors.ConfigurationError(
            f"{config.host} is not the console of account {config.account_id}: it does not list its {what}. "
            "Use the host or a profile of the console."
        )
    return errors.ConfigurationError(
        f"{config.host}: the {what} of account {config.account_id} could not be listed: "
        f"{credentials.first_line(str(failure))} Check that the caller is an account admin."
    )


def _principals(client: Any, path: str) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - the SDK's ApiClient
    start = 1
    for _ in range(_MAX_PAGES):
        query = {"startIndex": start, "count": 1000, "attributes": "id,applicationId,displayName"}
        response = client.do("GET", path, query=query)
        page = response.get("Resources") or []
        yield from page
        start += len(page)
        if not page or start > int(response["totalResults"]):
            return


def _secrets(client: Any, path: str) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - the SDK's ApiClient
    query: dict[str, str] = {}
    for _ in range(_MAX_PAGES):
        response = client.do("GET", path, query=query)
        yield from response.get("secrets") or []
        if not response.get("next_page_token"):
            return
        query = {"page_token": response["next_page_token"]}


_MAX_PAGES = 1000


def _workspace(config: Any, document: dict[str, Any]) -> AccountWorkspace:  # noqa: ANN401 - as above
    deployment = str(document.get("deployment_name") or "")
    host, status = _host(config, document, deployment), str(document.get("workspace_status") or RUNNING)
    return AccountWorkspace(
        host=host or "",
        name=redact(str(document.get("workspace_name") or deployment or document.get("workspace_id"))),
        workspace_id=int(document["workspace_id"]),
        status=NO_ADDRESS if host is None and status == RUNNING else status,
        sign_in=lambda: _sign_in(config, host or "", document),
    )


def _host(config: Any, document: dict[str, Any], deployment: str) -> str | None:  # noqa: ANN401 - as above
    """Return the host of a workspace, or None if the account's listing has no valid one."""
    # A name on Azure has two labels: adb-1234567890123456.7
    name, is_sandbox = deployment.lower(), is_loopback(config.host)
    if not is_sandbox and not (deployment.isascii() and all(is_label(label) for label in name.split("."))):
        return None
    try:
        found = address(str(document.get("workspace_url")) if is_sandbox else config.environment.deployment_url(name))
    except errors.ConfigurationError:
        return None
    return None if is_sandbox and not is_loopback(found.host) else found.host


@without_frames()
def _sign_in(config: Any, host: str, document: dict[str, Any]) -> Credentials:  # noqa: ANN401 - as above
    from databricks.sdk.azure import get_azure_resource_id  # noqa: PLC0415 - already imported
    from databricks.sdk.service.provisioning import Workspace  # noqa: PLC0415

    try:
        own = config.deep_copy()
        own.host = host
        own.azure_workspace_resource_id = get_azure_resource_id(Workspace.from_dict(document))
        own.account_id = None
        own.workspace_id = document["workspace_id"]
        # Its name in versions before 0.21; the copy has the account's sign-in, which the workspace rejects.
        (getattr(own, "init_auth", None) or own._init_auth)()  # noqa: SLF001
    except Exception as failure:  # noqa: BLE001 - each sign-in raises its own errors
        problem = f"{host}: sign-in failed: {credentials.first_line(str(failure))}"
        raise errors.ConfigurationError(problem) from None
    return credentials.from_sdk_config(own, origin=f"account {config.account_id}")
