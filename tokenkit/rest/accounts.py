"""The workspaces of an account: which there are, where, and how to sign for each of them.

The official SDK signs in to the account and lists; the sign-in for a workspace is made as ``AccountClient.
get_workspace_client`` makes it, so one service principal (or person) signs in everywhere, on every cloud.

A workspace's host follows from its deployment name and the account's cloud, as the credential goes there: the name is
labels of a host name and nothing else, and the host ends with the cloud's own zone. Only an account on this machine,
which is a sandbox, is asked where its workspaces are, and they are on this machine too.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tokenkit import errors
from tokenkit.redaction import redact
from tokenkit.rest import credentials
from tokenkit.rest.credentials import Credentials
from tokenkit.rest.hosts import address, is_address, is_label, is_loopback
from tokenkit.rest.tracebacks import without_frames

RUNNING = "RUNNING"
NO_ADDRESS = "without a valid address"


@dataclass(frozen=True, kw_only=True)
class AccountWorkspace:
    """A workspace as its account lists it.

    Attributes:
        host: Its address; empty where it has none yet.
        name: What people call it.
        workspace_id: Its id.
        status: ``RUNNING``, or why it cannot be asked: ``PROVISIONING``, ``FAILED``, ``BANNED`` …, or
            ``NO_ADDRESS`` where its deployment name is not one.
        sign_in: Returns credentials for it; this may ask the account's host.
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
        account_id: Which account, where a host is given and the environment does not say.

    Raises:
        ConfigurationError: No such profile, no usable credentials, or no account id.
    """
    if isinstance(account, str) and is_address(account):
        where = address(account)
        host = where.host
        credentials.check_environment_is_for(where)
        if not (account_id or os.environ.get("DATABRICKS_ACCOUNT_ID")):
            raise errors.ConfigurationError(f"{host} serves many accounts: say which by account_id=… or --account-id.")
        config: Any = credentials.sdk_config(_for=host, host=host, account_id=account_id)
    elif isinstance(account, str):
        config = credentials.profile_config(account)
    else:
        config = getattr(account, "config", account)
        if not callable(getattr(config, "authenticate", None)):
            raise errors.ConfigurationError(
                "account= takes a databricks.sdk AccountClient or Config, a profile, or the account console's host; "
                f"not a {type(account).__name__}."
            )
    if not config.account_id:
        raise errors.ConfigurationError(f"{config.host}: which account? Its account_id is not set.")
    if account_id and account_id != config.account_id:
        raise errors.ConfigurationError(f"{account!r} is of account {config.account_id}, not {account_id}.")
    return config


@without_frames()
def account_workspaces(config: Any) -> list[AccountWorkspace]:  # noqa: ANN401 - as above
    """Return every workspace of an account, in the account's order.

    Raises:
        ConfigurationError: The account refused the sign-in or the listing, or could not be reached.
    """
    from databricks.sdk.core import ApiClient  # noqa: PLC0415 - 0.7 s, and only needed here

    try:
        # As AccountClient.workspaces.list() does, which drops the fields that it does not know.
        listing = ApiClient(config).do("GET", f"/api/2.0/accounts/{config.account_id}/workspaces")
        return [_workspace(config, document) for document in listing]
    except errors.ConfigurationError:
        raise
    except Exception as failure:  # noqa: BLE001 - the SDK raises its own, requests' and ValueError
        error = errors.ConfigurationError(
            f"{config.host}: the workspaces of account {config.account_id} could not be listed: "
            f"{credentials.first_line(str(failure))} The caller must be an admin of the account."
        )
    raise error


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
    """Return where a workspace is, or None where what its account says is not such an address."""
    # Azure's are two labels: adb-1234567890123456.7
    name, is_sandbox = deployment.lower(), is_loopback(config.host)
    if not is_sandbox and not (deployment.isascii() and all(is_label(label) for label in name.split("."))):
        return None
    try:
        where = address(str(document.get("workspace_url")) if is_sandbox else config.environment.deployment_url(name))
    except errors.ConfigurationError:
        return None
    return None if is_sandbox and not is_loopback(where.host) else where.host


@without_frames()
def _sign_in(config: Any, host: str, document: dict[str, Any]) -> Credentials:  # noqa: ANN401 - as above
    from databricks.sdk.azure import get_azure_resource_id  # noqa: PLC0415 - loaded with the account
    from databricks.sdk.service.provisioning import Workspace  # noqa: PLC0415

    try:
        own = config.deep_copy()
        own.host = host
        own.azure_workspace_resource_id = get_azure_resource_id(Workspace.from_dict(document))
        own.account_id = None
        own.workspace_id = document["workspace_id"]
        own.init_auth()
    except Exception as failure:  # noqa: BLE001 - each kind of sign-in raises its own
        error = errors.ConfigurationError(f"{host}: signing in failed: {credentials.first_line(str(failure))}")
    else:
        return credentials.from_sdk_config(own, origin=f"account {config.account_id}")
    raise error
