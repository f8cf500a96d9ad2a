"""Permission to sign in with a password: the access control list of ``/authorization/passwords``.

It is stored and returned, and has no effect: the sandbox has no passwords.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.state.directory import USERS
from tokenkit.sandbox.state.permissions import CAN_USE, entry_document, parse_entries
from tokenkit.sandbox.state.settings import INSERT_SETTING

if TYPE_CHECKING:
    from tokenkit.sandbox.state.database import Database
    from tokenkit.sandbox.state.directory import Directory

LEVELS = {CAN_USE: "Can use password authentication"}
_NAME = "authorization/passwords"


class Passwords:
    """The access control list of one workspace's passwords. Initially, everyone can use a password."""

    def __init__(self, database: Database, workspace_id: int, directory: Directory) -> None:
        self._database = database
        self._workspace_id = workspace_id
        self._directory = directory

    def document(self) -> dict[str, Any]:
        """Return the list in the form of the permissions endpoints."""
        identities = [self._directory.get(principal_id) for principal_id in self._principals()]
        return {
            "object_id": "/authorization/passwords",
            "object_type": "passwords",
            "access_control_list": [entry_document(identity, CAN_USE) for identity in identities if identity],
        }

    def replace(self, access_control_list: object) -> None:
        """Replace the entries."""
        self._store([principal for principal, _ in parse_entries(access_control_list, self._directory, LEVELS)])

    def update(self, access_control_list: object) -> None:
        """Add entries."""
        added = [principal for principal, _ in parse_entries(access_control_list, self._directory, LEVELS)]
        self._store([*self._principals(), *added])

    def _principals(self) -> list[int]:
        statement = "SELECT value FROM settings WHERE workspace_id = ? AND name = ?"
        row = self._database.row(statement, (self._workspace_id, _NAME))
        return [self._directory.group_id(USERS)] if row is None else json.loads(row[0])

    def _store(self, principals: list[int]) -> None:
        value = json.dumps(list(dict.fromkeys(principals)))
        self._database.change(INSERT_SETTING, (self._workspace_id, _NAME, value))
