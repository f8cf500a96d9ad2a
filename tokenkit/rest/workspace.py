"""The API of one workspace with one sign-in: tokens, principals, settings and secrets."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable
from typing import TypedDict

import pandas as pd

from tokenkit import errors
from tokenkit.core.spelling import spelled
from tokenkit.frames import ArrowChunk
from tokenkit.rest import secrets, settings
from tokenkit.rest.credentials import Credentials
from tokenkit.rest.identities import IdentitiesAPI, Principals
from tokenkit.rest.listing import records
from tokenkit.rest.settings import TokenSettings
from tokenkit.rest.statements import StatementsAPI
from tokenkit.rest.token_management import TokenManagementAPI, list_chunks, means_no_token_yet
from tokenkit.rest.tracebacks import without_frames
from tokenkit.rest.transport import RetryPolicy, Transport


class Owners(TypedDict):
    """The principals that can own tokens, without the column ``groups``."""

    users: pd.DataFrame
    service_principals: pd.DataFrame


class WorkspaceAPI:
    """The API of a workspace, without derived data.

    Attributes:
        host: The workspace's address.
        name: The name of the workspace in messages: the host, or ``sandbox``.
        origin: The source of the credentials, such as ``profile prod``.
        token_management: The nine operations of the Token Management API.
        one_shot: The same without retries, for runs, which have their own.
        statements: SQL on the workspace's warehouses.
    """

    def __init__(self, credentials: Credentials, *, retries: RetryPolicy | None = None) -> None:
        self._credentials = credentials
        self._transport = transport = Transport(credentials, retries=retries)
        self.one_shot = TokenManagementAPI(transport.with_retries(RetryPolicy(budget_seconds=0)))
        self.host = credentials.host
        self.name = credentials.name
        self.token_management = TokenManagementAPI(transport)
        self.origin = credentials.origin
        self._identities = IdentitiesAPI(transport)
        self.statements = StatementsAPI(transport)

    @property
    def workspace_id(self) -> str:
        """The workspace's id, as given or as the first response named it; empty until then."""
        return self._transport.workspace_id

    def identify(self) -> str:
        """Return the workspace's id. If it is unknown, a request is sent; error responses also contain the id.

        Raises:
            ConfigurationError: No response contains the id.
        """
        if not self.workspace_id:
            with contextlib.suppress(errors.ApiError):
                self.caller()
        if not self.workspace_id:
            self.note_workspace_of(self.token_management.list())
        if not self.workspace_id:
            raise errors.ConfigurationError(
                f"{self.name} does not return its workspace id, and a host can serve several workspaces. Add ?o=ID to "
                f"the host{spelled(', or pass workspace_id=…')}."
            )
        return self.workspace_id

    def note_workspace_of(self, listing: pd.DataFrame) -> None:
        """Record the workspace's id from a listing, in case a proxy removes the header with the id."""
        if not self.workspace_id:
            ids = listing["workspace_id"].dropna().unique()
            if len(ids) == 1:
                self._transport.note_workspace_id(str(ids[0]))

    def close(self) -> None:
        """Close open connections; a later call opens new ones."""
        self._transport.close()

    def chunks(self) -> list[ArrowChunk]:
        """Return the listing as chunks, which ``frames.concat_chunks`` concatenates, also for several workspaces."""
        return list_chunks(self._transport)

    def users(self) -> pd.DataFrame:
        """Return all users: ``id, user_name, display_name, active, groups``."""
        return self._identities.users()

    def service_principals(self) -> pd.DataFrame:
        """Return all service principals: ``id, application_id, display_name, active, groups``."""
        return self._identities.service_principals()

    def groups(self) -> pd.DataFrame:
        """Return all groups: ``id, display_name, members`` (ids of direct members)."""
        return self._identities.groups()

    def principals(self, granted: Collection[str] = (), *, always_with_groups: bool = True) -> Principals:
        """Return users, service principals and groups, with group members from all responses that contain them; see
        ``IdentitiesAPI.principals``.

        Args:
            granted: The names of groups whose members are required.
            always_with_groups: Whether to request the groups of users and service principals even if all members of
                these groups are listed.
        """
        return self._identities.principals(granted, always_with_groups=always_with_groups)

    def owners(self) -> Owners:
        """Return the principals that can own tokens: ``users`` and ``service_principals``, without ``groups``."""
        return {
            "users": self._identities.users(with_groups=False),
            "service_principals": self._identities.service_principals(with_groups=False),
        }

    def principal_names(self) -> list[str]:
        """Return all names and ids of users and service principals, which can denote an owner or a creator."""
        owners = self.owners()
        columns = [
            *(owners["users"][name] for name in ("user_name", "id")),
            *(owners["service_principals"][name] for name in ("display_name", "application_id", "id")),
        ]
        return [str(name) for column in columns for name in column.dropna()]

    def me(self) -> str:
        """Return the caller's user name, or the application id of a service principal."""
        return self.caller()[1]

    def who(self) -> tuple[str, bool | None]:
        """Return the caller's name, and whether the caller is a workspace admin; None if no response says so."""
        caller = self._identities.me()
        groups = records(caller, "groups")
        if any(group.get("display") == "admins" for group in groups):
            return str(caller.get("userName")), True
        is_admin = None
        try:  # the groups of a caller do not contain those that are nested
            self.token_management.get_permissions()
        except (errors.NotAnAdminError, errors.PermissionDeniedError):
            is_admin = False
        except errors.ApiError:
            pass
        return str(caller.get("userName")), is_admin

    def caller(self) -> tuple[int, str]:
        """Return the caller's id and name."""
        return self._identities.caller()

    def credential_hashes(self, of: Callable[[str], Iterable[str]]) -> frozenset[str]:
        """Return the hashes of the value that this session signs in with; see ``Credentials.hashes``."""
        return self._credentials.hashes(of)

    def permissions(self) -> pd.DataFrame | None:
        """Return the principals that can use tokens, as ``token_management.get_permissions``; None if the workspace
        never had a token, because it then has no permissions.
        """
        try:
            return self.token_management.get_permissions()
        except errors.NotFoundError as error:
            if not means_no_token_yet(error):
                raise
            return None

    def token_settings(self) -> TokenSettings:
        """Return whether tokens are enabled, and the maximum lifetime of a new token."""
        return settings.token_settings(self._transport)

    def read_settings(self) -> tuple[TokenSettings, dict[str, errors.TokenKitError]]:
        """Return the settings, and the errors of those that cannot be read; see ``settings.read_settings``."""
        return settings.read_settings(self._transport)

    def secret_scopes(self) -> list[str]:
        """Return the names of the secret scopes that the caller can see."""
        return secrets.secret_scopes(self._transport)

    def secret_keys(self, scope: str) -> list[str]:
        """Return the names of the secrets of a scope. No values are read.

        Args:
            scope: The name of an existing secret scope.

        Raises:
            NotFoundError: The scope does not exist.
            PermissionDeniedError: The caller cannot read the scope.
        """
        return secrets.secret_keys(self._transport, scope)

    @without_frames()
    def put_secret(self, scope: str, key: str, value: str) -> None:
        """Write a Databricks secret, such as the value of a new token. An existing secret is overwritten.

        Args:
            scope: The name of an existing secret scope.
            key: The name of the secret.
            value: The value of the secret. It is sent, but neither stored nor displayed.

        Raises:
            NotFoundError: The scope does not exist.
            PermissionDeniedError: The caller cannot write to the scope.
        """
        secrets.put_secret(self._transport, scope, key, value)
