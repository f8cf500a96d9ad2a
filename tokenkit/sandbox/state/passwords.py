"""Permission to sign in with a password: the access control list of ``/authorization/passwords``.

It is stored and returned, and has no effect: the sandbox has no passwords.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.state.directory import USERS
from tokenkit.sandbox.state.permissions import CAN_USE, list_document, parse_entries

if TYPE_CHECKING:
    from tokenkit.sandbox.state.directory import Directory
    from tokenkit.sandbox.state.settings import WorkspaceConf

LEVELS = {CAN_USE: "Can use password authentication"}
_NAME = "authorization/passwords"


class Passwords:
    """The access control list of one workspace's passwords. Initially, everyone can use a password."""

    def __init__(self, settings: WorkspaceConf, directory: Directory) -> None:
        self._settings = settings
        self._directory = directory

    def document(self) -> dict[str, Any]:
        """Return the list in the form of the permissions endpoints."""
        identities = [self._directory.get(principal_id) for principal_id in self._principals()]
        return list_document("passwords", [(identity, CAN_USE) for identity in identities if identity])

    def replace(self, access_control_list: object) -> None:
        """Replace the entries."""
        self._store([principal for principal, _ in parse_entries(access_control_list, self._directory, LEVELS)])

    def update(self, access_control_list: object) -> None:
        """Add entries."""
        added = [principal for principal, _ in parse_entries(access_control_list, self._directory, LEVELS)]
        self._store([*self._principals(), *added])

    def _principals(self) -> list[int]:
        stored = self._settings.get(_NAME)
        return [self._directory.group_id(USERS)] if stored is None else json.loads(stored)

    def _store(self, principals: list[int]) -> None:
        self._settings.store(_NAME, json.dumps(list(dict.fromkeys(principals))))
