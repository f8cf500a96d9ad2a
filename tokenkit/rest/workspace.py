"""Everything that is asked of one workspace with one sign-in: its tokens, its people, its settings, its secrets."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from typing import TypedDict

import pandas as pd

from tokenkit import errors
from tokenkit.frames import Piece
from tokenkit.rest.credentials import Credentials
from tokenkit.rest.identities import Everybody, IdentitiesAPI
from tokenkit.rest.secrets import SecretsAPI
from tokenkit.rest.settings import SettingsAPI, TokenSettings
from tokenkit.rest.token_management import TokenManagementAPI, listed, means_no_token_yet
from tokenkit.rest.tracebacks import without_frames
from tokenkit.rest.transport import RetryPolicy, Transport


class Owners(TypedDict):
    """Those who may own tokens, without the column ``groups``."""

    users: pd.DataFrame
    service_principals: pd.DataFrame


class WorkspaceAPI:
    """What a workspace answers, as it answers it.

    Attributes:
        host: Its address.
        name: What it is called in messages: the host, or ``sandbox``.
        token_management: The nine calls of the Token Management API.
    """

    def __init__(self, credentials: Credentials, *, retries: RetryPolicy | None = None) -> None:
        self._transport = transport = Transport(credentials, retries=retries)
        # For a run, which has its own patience.
        self._one_shot = TokenManagementAPI(transport.patient(RetryPolicy(budget_seconds=0)))
        self.host = credentials.host
        self.name = credentials.name
        self.token_management = TokenManagementAPI(transport)
        self._origin = credentials.origin
        self._identities = IdentitiesAPI(transport)
        self._settings = SettingsAPI(transport)
        self._secrets = SecretsAPI(transport)

    @property
    def workspace_id(self) -> str:
        """The workspace's id, as it was given or as the first response named it; empty before."""
        return self._transport.workspace_id

    def identify(self) -> str:
        """Return the workspace's id. It is asked for where it is not known yet; a refusal names it as well.

        Raises:
            ConfigurationError: No response names it.
        """
        if not self.workspace_id:
            with contextlib.suppress(errors.ApiError):
                self._caller()
        if not self.workspace_id:
            self._note_workspace_of(self.token_management.list())
        if not self.workspace_id:
            raise errors.ConfigurationError(
                f"{self.name} does not say which workspace it is, and one host may serve several. Add ?o=ID to the "
                "host, or give workspace_id=…."
            )
        return self.workspace_id

    def _note_workspace_of(self, listing: pd.DataFrame) -> None:
        """Take the id from the tokens, where something in between takes the header away that has it."""
        if not self.workspace_id:
            ids = listing["workspace_id"].dropna().unique()
            if len(ids) == 1:
                self._transport.note_workspace_id(str(ids[0]))

    def close(self) -> None:
        """Close the connections that are kept open; a later call opens new ones."""
        self._transport.close()

    def pieces(self, *, created_by_username: str | None = None) -> list[Piece]:
        """Return the listing in pieces, which ``frames.joined`` puts together, those of many workspaces at once.

        Args:
            created_by_username: As for ``token_management.list``.
        """
        return listed(self._transport, {"created_by_username": created_by_username})

    def users(self) -> pd.DataFrame:
        """Return every user: ``id, user_name, display_name, active, groups``."""
        return self._identities.users()

    def service_principals(self) -> pd.DataFrame:
        """Return every service principal: ``id, application_id, display_name, active, groups``."""
        return self._identities.service_principals()

    def groups(self) -> pd.DataFrame:
        """Return every group: ``id, display_name, members`` (ids of those directly in it)."""
        return self._identities.groups()

    def everybody(self, granted: Collection[str] = ()) -> Everybody:
        """Return users, service principals and groups, with the members of the groups from each response that names
        them; see ``IdentitiesAPI.everybody``.

        Args:
            granted: The names of groups whose members have to be known.
        """
        return self._identities.everybody(granted)

    def owners(self) -> Owners:
        """Return those who may own tokens: ``users`` and ``service_principals``, without the column ``groups``."""
        return {
            "users": self._identities.users(with_groups=False),
            "service_principals": self._identities.service_principals(with_groups=False),
        }

    def principal_names(self) -> list[str]:
        """Return every name and id of the users and service principals: what can be meant by an owner or a creator."""
        owners = self.owners()
        columns = [
            *(owners["users"][name] for name in ("user_name", "id")),
            *(owners["service_principals"][name] for name in ("display_name", "application_id", "id")),
        ]
        return [str(name) for column in columns for name in column.dropna()]

    def me(self) -> str:
        """Return the caller's user name, or the application id of a service principal."""
        return self._caller()[1]

    def _caller(self) -> tuple[int, str]:
        return self._identities.caller()

    def permissions(self) -> pd.DataFrame | None:
        """Return who may use tokens, as ``token_management.get_permissions``; None where no token was ever made, of
        which the API says that nothing is there.
        """
        try:
            return self.token_management.get_permissions()
        except errors.NotFoundError as error:
            if not means_no_token_yet(error):
                raise
            return None

    def token_settings(self) -> TokenSettings:
        """Return whether tokens are enabled, and the longest lifetime of a new one."""
        return self._settings.token_settings()

    def read_settings(self) -> tuple[TokenSettings, dict[str, errors.TokenKitError]]:
        """Return the settings that can be read, and why each other cannot; see ``SettingsAPI.read``."""
        return self._settings.read()

    def secret_scopes(self) -> list[str]:
        """Return the names of the secret scopes that the caller can see."""
        return self._secrets.scopes()

    def secret_keys(self, scope: str) -> list[str]:
        """Return the names of the secrets of a scope; no value is read.

        Args:
            scope: The secret scope's name; it must be there.

        Raises:
            NotFoundError: There is no such scope.
            PermissionDeniedError: The caller may not read it.
        """
        return self._secrets.keys(scope)

    @without_frames()
    def put_secret(self, scope: str, key: str, value: str) -> None:
        """Write a Databricks secret, such as the value of a new token; one that is there is overwritten.

        Args:
            scope: The secret scope's name; it must be there.
            key: What the secret is called in it.
            value: The secret itself. It is sent, and neither kept nor shown.

        Raises:
            NotFoundError: There is no such scope.
            PermissionDeniedError: The caller may not write to it.
        """
        self._secrets.put(scope, key, value)
