"""The identities of a workspace: users, service principals, groups and memberships.

Groups nest, and two groups can contain each other. Memberships are resolved by recursive queries with UNION, which
drops duplicates, so that cycles terminate.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tokenkit.sandbox.state.database import Database

Kind = Literal["user", "service_principal", "group"]
ADMINS = "admins"
USERS = "users"
SYSTEM_GROUPS = frozenset({ADMINS, USERS})
_COLUMNS = "id, kind, name, display_name, active, attributes"
INSERT_IDENTITY = f"INSERT INTO identities (workspace_id, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  # fixed names
INSERT_MEMBERSHIP = "INSERT OR IGNORE INTO memberships (workspace_id, group_id, member_id) VALUES (?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Identity:
    """One principal. ``name`` is the userName, the applicationId, or the group's displayName."""

    id: int
    kind: Kind
    name: str
    display_name: str | None = None
    active: bool = True
    attributes: dict[str, Any] = field(default_factory=dict)  # other SCIM attributes: entitlements, emails, …


class Directory:
    """The identities of one workspace."""

    def __init__(self, database: Database, workspace_id: int, entropy: Callable[[int], bytes]) -> None:
        self._database = database
        self._workspace_id = workspace_id
        self._entropy = entropy

    def get(self, identity_id: int, kind: Kind | None = None) -> Identity | None:
        """Return an identity by its id, or None."""
        identity = next(self._found("id = ?", identity_id), None)
        return identity if identity and kind in (None, identity.kind) else None

    def named(self, kind: Kind, name: str) -> Identity | None:
        """Return an identity by its name, ignoring case, or None."""
        return next(self._found("kind = ? AND name = ?", kind, name), None)

    def group_id(self, name: str) -> int:
        """Return the id of a group.

        Raises:
            LookupError: There is no group with this name.
        """
        group = self.named("group", name)
        if group is None:
            raise LookupError(name)
        return group.id

    def count(self, kind: Kind, where: str = "1", parameters: Sequence[Any] = ()) -> int:
        """Return the number of identities of a kind that match an SQL condition."""
        statement = f"SELECT count(*) FROM identities WHERE workspace_id = ? AND kind = ? AND ({where})"  # noqa: S608
        return int(self._database.row(statement, (self._workspace_id, kind, *parameters))[0])

    def page(
        self,
        kind: Kind,
        where: str = "1",
        parameters: Sequence[Any] = (),
        *,
        order: str = "id",
        offset: int = 0,
        limit: int = -1,
    ) -> list[Identity]:
        """Return a page of the identities of a kind that match an SQL condition."""
        condition = f"kind = ? AND ({where}) ORDER BY {order} LIMIT ? OFFSET ?"
        return list(self._found(condition, kind, *parameters, limit, offset))

    def people(self) -> list[Identity]:
        """Return all users, then all service principals."""
        return list(self._found("kind <> 'group' ORDER BY kind DESC, id"))

    def add(
        self,
        kind: Kind,
        name: str,
        display_name: str | None = None,
        *,
        active: bool = True,
        attributes: dict[str, Any] | None = None,
    ) -> Identity:
        """Add an identity with a new id. In a workspace, users and service principals are added to ``users``."""
        identity_id = self._new_id()
        identity = Identity(identity_id, kind, name, display_name, active, attributes or {})
        self._database.change(INSERT_IDENTITY, identity_row(self._workspace_id, identity))
        everyone = self.named("group", USERS)
        if kind != "group" and everyone is not None:  # an account has no such group
            self.add_members(everyone.id, [identity_id])
        return identity

    def replace(self, identity: Identity) -> None:
        """Write a changed identity back."""
        statement = (
            "UPDATE identities SET name = ?, display_name = ?, active = ?, attributes = ? "
            "WHERE workspace_id = ? AND id = ?"
        )
        row = identity_row(self._workspace_id, identity)
        self._database.change(statement, (*row[3:], self._workspace_id, identity.id))

    def remove(self, identity_id: int) -> None:
        """Remove an identity and its memberships, but not its tokens."""
        key = (self._workspace_id, identity_id)
        self._database.change("DELETE FROM identities WHERE workspace_id = ? AND id = ?", key)
        self._database.change("DELETE FROM memberships WHERE workspace_id = ? AND member_id = ?", key)
        self._database.change("DELETE FROM memberships WHERE workspace_id = ? AND group_id = ?", key)

    def add_members(self, group_id: int, member_ids: Iterable[int]) -> None:
        """Add members to a group."""
        self._database.change_many(
            INSERT_MEMBERSHIP, [(self._workspace_id, group_id, member_id) for member_id in member_ids]
        )

    def remove_members(self, group_id: int, member_ids: Iterable[int] | None = None) -> None:
        """Remove members from a group; all of them by default."""
        statement = "DELETE FROM memberships WHERE workspace_id = ? AND group_id = ?"
        if member_ids is None:
            self._database.change(statement, (self._workspace_id, group_id))
            return
        rows = [(self._workspace_id, group_id, member_id) for member_id in member_ids]
        self._database.change_many(statement + " AND member_id = ?", rows)

    def members(self, group_ids: Sequence[int]) -> list[tuple[int, int, Kind, str]]:
        """Return the direct members of groups: the group's id, and the member's id, kind and display name."""
        return self._related("group_id", "member_id", group_ids)

    def groups_of(self, member_ids: Sequence[int]) -> list[tuple[int, int, Kind, str]]:
        """Return the groups that have members directly: the member's id, and the group's id, kind and name."""
        return self._related("member_id", "group_id", member_ids)

    def principals_in(self, group_ids: Iterable[int]) -> set[int]:
        """Return the users and service principals in groups, including nested groups."""
        statement = """
            WITH RECURSIVE inside (id) AS (
                SELECT value FROM json_each(?)
                UNION SELECT member_id FROM memberships JOIN inside ON group_id = inside.id WHERE workspace_id = ?
            )
            SELECT id FROM inside JOIN identities USING (id) WHERE workspace_id = ? AND kind <> 'group'
        """
        parameters = (json.dumps(list(group_ids)), self._workspace_id, self._workspace_id)
        return {identity_id for (identity_id,) in self._database.rows(statement, parameters)}

    def is_in(self, identity_id: int, group_name: str) -> bool:
        """Return whether an identity is in a group, directly or through nested groups."""
        statement = """
            WITH RECURSIVE above (id) AS (
                SELECT ?
                UNION SELECT group_id FROM memberships JOIN above ON member_id = above.id WHERE workspace_id = ?
            )
            SELECT 1 FROM above JOIN identities USING (id) WHERE workspace_id = ? AND kind = 'group' AND name = ?
        """
        parameters = (identity_id, self._workspace_id, self._workspace_id, group_name)
        return self._database.row(statement, parameters) is not None

    def _found(self, condition: str, *parameters: object) -> Iterator[Identity]:
        statement = f"SELECT {_COLUMNS} FROM identities WHERE workspace_id = ? AND {condition}"  # noqa: S608
        return map(_identity, self._database.rows(statement, (self._workspace_id, *parameters)))

    def _related(self, of: str, to: str, ids: Sequence[int]) -> list[tuple[int, int, Kind, str]]:
        # CROSS JOIN: the planner must start from the ids, and not read all memberships for each page of a listing.
        statement = (
            f"SELECT {of}, {to}, kind, coalesce(display_name, name) FROM json_each(?) AS asked "  # noqa: S608
            f"CROSS JOIN memberships AS m ON m.workspace_id = ? AND {of} = asked.value "
            f"CROSS JOIN identities AS i ON i.workspace_id = m.workspace_id AND i.id = {to} ORDER BY {of}, {to}"
        )
        return self._database.rows(statement, (json.dumps(list(ids)), self._workspace_id))

    def _new_id(self) -> int:
        while True:
            # Real ids are int64. Use all 63 bits, so that a client that reads them as floats fails.
            identity_id = int.from_bytes(self._entropy(8)) >> 1
            if identity_id and self.get(identity_id) is None:
                return identity_id


def identity_row(workspace_id: int, identity: Identity) -> tuple[Any, ...]:
    """Return the table row of an identity."""
    attributes = json.dumps(identity.attributes, ensure_ascii=False) if identity.attributes else "{}"
    named = (identity.kind, identity.name, identity.display_name)
    return (workspace_id, identity.id, *named, int(identity.active), attributes)


def _identity(row: tuple[Any, ...]) -> Identity:
    identity_id, kind, name, display_name, active, attributes = row
    return Identity(identity_id, kind, name, display_name, bool(active), json.loads(attributes))
