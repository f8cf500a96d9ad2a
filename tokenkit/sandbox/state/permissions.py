"""Permission to use tokens: the access control list of ``/authorization/tokens``, and the tokens that a change deletes.

Principals who lose permission through a change of the list lose their active tokens at once; expired tokens stay. Only
a change of this list has that effect. Leaving a group deletes nothing here, because the documentation mentions only
permission changes.

Three versions of the documentation differ in what happens to the tokens, so a workspace can be set to each:
``deleted`` (the default) deletes them. ``disabled_through_groups`` deletes the tokens of owners whose own entry is
removed, and disables the others until their owner regains permission. ``disabled`` disables all of them in this way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.responses import ApiError, invalid
from tokenkit.sandbox.state.directory import ADMINS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tokenkit.sandbox.state.database import Database
    from tokenkit.sandbox.state.directory import Directory, Identity, Kind
    from tokenkit.sandbox.state.tokens import Tokens

CAN_USE = "CAN_USE"
CAN_MANAGE = "CAN_MANAGE"
LEVELS = {
    CAN_USE: "Can create and use tokens",
    CAN_MANAGE: "Can manage the permissions of tokens, and create and use them",
}
INSERT_ACCESS = (
    "INSERT INTO access (workspace_id, principal_id, level) VALUES (?, ?, ?) "
    "ON CONFLICT (workspace_id, principal_id) DO UPDATE SET level = excluded.level"
)
DELETED, DISABLED_THROUGH_GROUPS, DISABLED = "deleted", "disabled_through_groups", "disabled"
LOST_TOKENS = (DELETED, DISABLED_THROUGH_GROUPS, DISABLED)
NAME_FIELDS: dict[Kind, str] = {
    "user": "user_name",
    "service_principal": "service_principal_name",
    "group": "group_name",
}


class Permissions:
    """The access control list of one workspace's tokens."""

    def __init__(self, database: Database, workspace_id: int, directory: Directory, tokens: Tokens) -> None:
        self._database = database
        self._workspace_id = workspace_id
        self._directory = directory
        self._tokens = tokens
        self.lost_tokens = DELETED

    def entries(self) -> list[tuple[Identity, str]]:
        """Return the direct entries, oldest first."""
        statement = "SELECT principal_id, level FROM access WHERE workspace_id = ? ORDER BY sequence"
        rows = self._database.rows(statement, (self._workspace_id,))
        entries = [(self._directory.get(principal_id), level) for principal_id, level in rows]
        return [(identity, level) for identity, level in entries if identity is not None]

    def document(self) -> dict[str, Any]:
        """Return the list in the form of the permissions endpoints."""
        return list_document("tokens", self.entries())

    def holders(self) -> set[int]:
        """Return the users and service principals who can use tokens, directly or through groups."""
        entries = [identity for identity, _ in self.entries()]
        groups = {identity.id for identity in entries if identity.kind == "group"}
        groups.add(self._directory.group_id(ADMINS))
        return self._direct() | self._directory.principals_in(groups)

    def disables(self, owner_id: int) -> bool:
        """Return whether an owner's tokens are disabled because the owner has no permission to use tokens."""
        return self.lost_tokens != DELETED and owner_id not in self.holders()

    def _direct(self) -> set[int]:
        return {identity.id for identity, _ in self.entries() if identity.kind != "group"}

    def replace(self, access_control_list: object, *, now_ms: int) -> None:
        """Replace the entries, except CAN_MANAGE of ``admins``. Principals who lose permission lose their tokens."""
        self._apply(access_control_list, now_ms=now_ms, keep=False)

    def update(self, access_control_list: object, *, now_ms: int) -> None:
        """Add entries, or change the level of existing ones."""
        self._apply(access_control_list, now_ms=now_ms, keep=True)

    def remove_entry(self, principal_id: int) -> None:
        """Remove the entry of a principal who was deleted from the workspace."""
        key = (self._workspace_id, principal_id)
        self._database.change("DELETE FROM access WHERE workspace_id = ? AND principal_id = ?", key)

    def _apply(self, access_control_list: object, *, now_ms: int, keep: bool) -> None:
        changes = parse_entries(access_control_list, self._directory, LEVELS)
        before, direct = self.holders(), self._direct()
        if not keep:
            admins = (self._workspace_id, self._directory.group_id(ADMINS))
            self._database.change("DELETE FROM access WHERE workspace_id = ? AND principal_id <> ?", admins)
        rows = [(self._workspace_id, principal_id, level) for principal_id, level in changes]
        self._database.change_many(INSERT_ACCESS, rows)
        losing = (before - self.holders()) & self._tokens.owners()
        deleted = {DELETED: losing, DISABLED_THROUGH_GROUPS: losing & direct, DISABLED: set[int]()}[self.lost_tokens]
        self._tokens.delete_active_of(sorted(deleted), now_ms=now_ms)


def parse_entries(access_control_list: object, directory: Directory, levels: Iterable[str]) -> list[tuple[int, str]]:
    """Return the principal and the level of each entry of a request.

    Raises:
        ApiError: 400, if an entry is malformed or its level does not exist; 404, if a service principal does not exist.
    """
    if access_control_list is None:
        return []
    if not isinstance(access_control_list, list):
        raise invalid("access_control_list must be a list")
    return [_parse_entry(entry, directory, levels) for entry in access_control_list]


def _parse_entry(entry: object, directory: Directory, levels: Iterable[str]) -> tuple[int, str]:
    if not isinstance(entry, dict):
        raise invalid("An entry of access_control_list must be an object")
    named = [(kind, entry[name]) for kind, name in NAME_FIELDS.items() if entry.get(name)]
    if len(named) != 1:
        raise invalid("Exactly one of user_name, group_name or service_principal_name must be set in each entry")
    level = entry.get("permission_level")
    kind, name = named[0]
    if not isinstance(name, str):
        raise invalid(f"{NAME_FIELDS[kind]} must be a string")
    if CAN_MANAGE in levels and kind == "group" and name.casefold() == ADMINS and level != CAN_MANAGE:
        raise invalid(f"Cannot change permissions for group 'admins' to {level}.")
    if not isinstance(level, str) or level not in levels:
        raise invalid(f"{level!r} is not a permission level; use {' or '.join(levels)}")
    return _principal(kind, name, directory).id, level


def _principal(kind: Kind, name: str, directory: Directory) -> Identity:
    identity = directory.named(kind, name)
    if identity is not None:
        return identity
    if kind == "service_principal":
        raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Service principal {name} does not exist.")
    raise invalid(f"Principal: {'UserName' if kind == 'user' else 'GroupName'}({name}) does not exist")


def list_document(kind: str, entries: Iterable[tuple[Identity, str]]) -> dict[str, Any]:
    """Return an access control list in the form of the permissions endpoints."""
    return {
        "object_id": f"/authorization/{kind}",
        "object_type": kind,
        "access_control_list": [_entry_document(identity, level) for identity, level in entries],
    }


def _entry_document(identity: Identity, level: str) -> dict[str, Any]:
    entry: dict[str, Any] = {NAME_FIELDS[identity.kind]: identity.name}
    if identity.kind != "group":
        entry["display_name"] = identity.display_name or identity.name
    entry["all_permissions"] = [{"permission_level": level, "inherited": False}]
    return entry
