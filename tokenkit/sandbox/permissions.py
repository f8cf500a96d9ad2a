"""Who may use tokens: the access control list of ``/authorization/tokens``, and what a change of it destroys.

The surprise that this module exists for: principals who had the right before a change and do not after it lose their
active tokens at once. Expired ones stay. Only a change of this list does so; leaving a group deletes nothing here,
because the documentation speaks of permission changes alone.

Three generations of the documentation differ in what becomes of the tokens, so a workspace can be set to each:
``deleted`` (the default) deletes them; ``disabled_through_groups`` deletes those of owners whose own entry is removed,
and keeps the others, unusable until their owner has the right again; ``disabled`` keeps all of them so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.answers import ApiError, invalid
from tokenkit.sandbox.directory import ADMINS

if TYPE_CHECKING:
    from tokenkit.sandbox.database import Database
    from tokenkit.sandbox.directory import Directory, Identity, Kind
    from tokenkit.sandbox.tokens import Tokens

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
_FIELD_OF_KIND: dict[Kind, str] = {
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
        found = [
            (self._directory.get(each), level) for each, level in self._database.rows(statement, (self._workspace_id,))
        ]
        return [(identity, level) for identity, level in found if identity is not None]

    def document(self) -> dict[str, Any]:
        """Return the list as the permissions endpoints send it."""
        return {
            "object_id": "/authorization/tokens",
            "object_type": "tokens",
            "access_control_list": [_entry(identity, level) for identity, level in self.entries()],
        }

    def holders(self) -> set[int]:
        """Return the users and service principals who may use tokens, by any path."""
        entries = [identity for identity, _ in self.entries()]
        groups = {identity.id for identity in entries if identity.kind == "group"}
        groups.add(self._directory.group_id(ADMINS))
        return self._direct() | self._directory.everyone_in(groups)

    def disables(self, owner_id: int) -> bool:
        """Tell whether an owner's tokens are unusable because the owner may not use tokens."""
        return self.lost_tokens != DELETED and owner_id not in self.holders()

    def _direct(self) -> set[int]:
        return {identity.id for identity, _ in self.entries() if identity.kind != "group"}

    def replace(self, access_control_list: object, *, now_ms: int) -> None:
        """Set the direct entries, keeping CAN_MANAGE for ``admins``; whoever loses the right loses their tokens."""
        self._apply(access_control_list, now_ms=now_ms, keep=False)

    def update(self, access_control_list: object, *, now_ms: int) -> None:
        """Add entries, or change the level of those there are."""
        self._apply(access_control_list, now_ms=now_ms, keep=True)

    def forget(self, principal_id: int) -> None:
        """Drop the entry of a principal who was removed from the workspace."""
        key = (self._workspace_id, principal_id)
        self._database.change("DELETE FROM access WHERE workspace_id = ? AND principal_id = ?", key)

    def _apply(self, access_control_list: object, *, now_ms: int, keep: bool) -> None:
        changes = self._changes(access_control_list)
        before, direct = self.holders(), self._direct()
        if not keep:
            admins = (self._workspace_id, self._directory.group_id(ADMINS))
            self._database.change("DELETE FROM access WHERE workspace_id = ? AND principal_id <> ?", admins)
        rows = [(self._workspace_id, principal_id, level) for principal_id, level in changes]
        self._database.change_many(INSERT_ACCESS, rows)
        losers = (before - self.holders()) & self._tokens.owners()
        deleted = {DELETED: losers, DISABLED_THROUGH_GROUPS: losers & direct, DISABLED: set[int]()}[self.lost_tokens]
        self._tokens.delete_active_of(sorted(deleted), now_ms=now_ms)

    def _changes(self, access_control_list: object) -> list[tuple[int, str]]:
        if access_control_list is None:
            return []
        if not isinstance(access_control_list, list):
            raise invalid("access_control_list must be a list")
        return [self._change(entry) for entry in access_control_list]

    def _change(self, entry: object) -> tuple[int, str]:
        if not isinstance(entry, dict):
            raise invalid("An entry of access_control_list must be an object")
        named = [(kind, entry[name]) for kind, name in _FIELD_OF_KIND.items() if entry.get(name)]
        if len(named) != 1:
            raise invalid("Exactly one of user_name, group_name or service_principal_name must be set in each entry")
        level = entry.get("permission_level")
        kind, name = named[0]
        if not isinstance(name, str):
            raise invalid(f"{_FIELD_OF_KIND[kind]} must be a string")
        if kind == "group" and name.casefold() == ADMINS and level != CAN_MANAGE:
            raise invalid(f"Cannot change permissions for group 'admins' to {level}.")
        if not isinstance(level, str) or level not in LEVELS:
            raise invalid(f"{level!r} is not a permission level of tokens; use CAN_USE or CAN_MANAGE")
        return self._principal(kind, name).id, level

    def _principal(self, kind: Kind, name: str) -> Identity:
        identity = self._directory.named(kind, name)
        if identity is not None:
            return identity
        if kind == "service_principal":
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Service principal {name} does not exist.")
        raise invalid(f"Principal: {'UserName' if kind == 'user' else 'GroupName'}({name}) does not exist")


def _entry(identity: Identity, level: str) -> dict[str, Any]:
    entry: dict[str, Any] = {_FIELD_OF_KIND[identity.kind]: identity.name}
    if identity.kind != "group":
        entry["display_name"] = identity.display_name or identity.name
    entry["all_permissions"] = [{"permission_level": level, "inherited": False}]
    return entry
