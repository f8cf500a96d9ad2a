"""Secret scopes, their secrets and their access control lists.

Every workspace has the scope ``tokenkit`` from the start, for the guides. The access control lists are stored and
returned, and have no effect: only admins can call the sandbox's endpoints for secrets.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tokenkit.sandbox.responses import ApiError, invalid

if TYPE_CHECKING:
    from tokenkit.sandbox.state.database import Database

FIRST_SCOPE = "tokenkit"
INSERT_SCOPE = "INSERT INTO secret_scopes (workspace_id, scope) VALUES (?, ?)"
MANAGE = "MANAGE"
PERMISSIONS = ("READ", "WRITE", MANAGE)
MAX_SECRET_BYTES = 128 << 10
_NAME = re.compile(r"[\w.@-]{1,128}", re.ASCII)


class Secrets:
    """The secrets of one workspace."""

    def __init__(self, database: Database, workspace_id: int) -> None:
        self._database = database
        self._workspace_id = workspace_id

    def scopes(self) -> list[str]:
        """Return the names of the scopes."""
        statement = "SELECT scope FROM secret_scopes WHERE workspace_id = ? ORDER BY scope"
        return [row[0] for row in self._database.rows(statement, (self._workspace_id,))]

    def add_scope(self, scope: str, manager: str) -> None:
        """Create a scope, which a principal can manage.

        Raises:
            ApiError: 400, if a scope with this name exists, or the name is not allowed.
        """
        if not _NAME.fullmatch(scope):
            raise invalid(
                "The name of a scope consists of up to 128 alphanumeric characters, dashes, underscores, @ and periods"
            )
        if scope in self.scopes():
            raise ApiError(400, "RESOURCE_ALREADY_EXISTS", f"Scope {scope} already exists!")
        self._database.change(INSERT_SCOPE, (self._workspace_id, scope))
        self.put_acl(scope, manager, MANAGE)

    def delete_scope(self, scope: str) -> None:
        """Delete a scope, its secrets and its access control list.

        Raises:
            ApiError: 404, if the scope does not exist.
        """
        self._check_scope(scope)
        for table in ("secret_scopes", "secrets", "secret_acls"):
            statement = f"DELETE FROM {table} WHERE workspace_id = ? AND scope = ?"  # noqa: S608  # fixed names
            self._database.change(statement, (self._workspace_id, scope))

    def put(self, scope: str, key: str, value: bytes, *, now_ms: int) -> None:
        """Write a secret, replacing one with the same key.

        Raises:
            ApiError: 404, if the scope does not exist; 400, if the value is too long.
        """
        self._check_scope(scope)
        if len(value) > MAX_SECRET_BYTES:
            raise invalid(f"The secret value is longer than {MAX_SECRET_BYTES} bytes")
        statement = (
            "INSERT OR REPLACE INTO secrets (workspace_id, scope, key, value, updated_time) VALUES (?, ?, ?, ?, ?)"
        )
        self._database.change(statement, (self._workspace_id, scope, key, value, now_ms))

    def delete(self, scope: str, key: str) -> None:
        """Delete a secret.

        Raises:
            ApiError: 404, if the scope or the secret does not exist.
        """
        self.content(scope, key)
        statement = "DELETE FROM secrets WHERE workspace_id = ? AND scope = ? AND key = ?"
        self._database.change(statement, (self._workspace_id, scope, key))

    def keys(self, scope: str) -> list[tuple[str, int]]:
        """Return the key of each secret of a scope, and when it was written.

        Raises:
            ApiError: 404, if the scope does not exist.
        """
        self._check_scope(scope)
        statement = "SELECT key, updated_time FROM secrets WHERE workspace_id = ? AND scope = ? ORDER BY key"
        return self._database.rows(statement, (self._workspace_id, scope))

    def content(self, scope: str, key: str) -> bytes:
        """Return a secret's value.

        Raises:
            ApiError: 404, if the scope or the secret does not exist.
        """
        self._check_scope(scope)
        statement = "SELECT value FROM secrets WHERE workspace_id = ? AND scope = ? AND key = ?"
        row = self._database.row(statement, (self._workspace_id, scope, key))
        if row is None:
            raise _missing(f"Secret does not exist with scope: {scope} and key: {key}")
        return bytes(row[0])

    def value(self, scope: str, key: str) -> str | None:
        """Return a secret's value as text, or None, for tests."""
        try:
            return self.content(scope, key).decode()
        except ApiError:
            return None

    def put_acl(self, scope: str, principal: str, permission: object) -> None:
        """Set the permission of a principal on a scope.

        Raises:
            ApiError: 404, if the scope does not exist; 400, if the permission does not exist.
        """
        self._check_scope(scope)
        if permission not in PERMISSIONS:
            raise invalid(f"permission must be one of {', '.join(PERMISSIONS)}")
        statement = (
            "INSERT OR REPLACE INTO secret_acls (workspace_id, scope, principal, permission) VALUES (?, ?, ?, ?)"
        )
        self._database.change(statement, (self._workspace_id, scope, principal, permission))

    def delete_acl(self, scope: str, principal: str) -> None:
        """Remove the permission of a principal on a scope.

        Raises:
            ApiError: 404, if the scope or the permission does not exist.
        """
        self.acl(scope, principal)
        statement = "DELETE FROM secret_acls WHERE workspace_id = ? AND scope = ? AND principal = ?"
        self._database.change(statement, (self._workspace_id, scope, principal))

    def acl(self, scope: str, principal: str) -> dict[str, str]:
        """Return the permission of a principal on a scope.

        Raises:
            ApiError: 404, if the scope or the permission does not exist.
        """
        for entry in self.acls(scope):
            if entry["principal"] == principal:
                return entry
        raise _missing(f"Failed to get secret acl for principal: {principal} for scope: {scope}")

    def acls(self, scope: str) -> list[dict[str, str]]:
        """Return the access control list of a scope.

        Raises:
            ApiError: 404, if the scope does not exist.
        """
        self._check_scope(scope)
        statement = (
            "SELECT principal, permission FROM secret_acls WHERE workspace_id = ? AND scope = ? ORDER BY principal"
        )
        rows = self._database.rows(statement, (self._workspace_id, scope))
        return [{"principal": principal, "permission": permission} for principal, permission in rows]

    def _check_scope(self, scope: str) -> None:
        if scope not in self.scopes():
            raise _missing(f"Scope {scope} does not exist!")


def _missing(message: str) -> ApiError:
    return ApiError(404, "RESOURCE_DOES_NOT_EXIST", message)
