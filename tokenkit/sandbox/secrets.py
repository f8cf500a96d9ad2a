"""Secret scopes and secrets: enough to put the value of a new token away and to find it there again in a test.

Every workspace has the scope ``tokenkit`` from the start, so that a guide has somewhere to put a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenkit.sandbox.answers import Answer, ApiError, invalid

if TYPE_CHECKING:
    from tokenkit.sandbox.database import Database
    from tokenkit.sandbox.routes import Call

FIRST_SCOPE = "tokenkit"
INSERT_SCOPE = "INSERT INTO secret_scopes (workspace_id, scope) VALUES (?, ?)"


class Secrets:
    """The secrets of one workspace."""

    def __init__(self, database: Database, workspace_id: int) -> None:
        self._database = database
        self._workspace_id = workspace_id

    def scopes(self) -> list[str]:
        """Return the names of the scopes."""
        statement = "SELECT scope FROM secret_scopes WHERE workspace_id = ? ORDER BY scope"
        return [row[0] for row in self._database.rows(statement, (self._workspace_id,))]

    def add_scope(self, scope: str) -> None:
        """Make a scope.

        Raises:
            ApiError: 400, when there is one of that name.
        """
        if scope in self.scopes():
            raise ApiError(400, "RESOURCE_ALREADY_EXISTS", f"Scope {scope} already exists!")
        self._database.change(INSERT_SCOPE, (self._workspace_id, scope))

    def put(self, scope: str, key: str, value: str) -> None:
        """Write a secret, over one that is there.

        Raises:
            ApiError: 404, when there is no such scope.
        """
        if scope not in self.scopes():
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Scope {scope} does not exist!")
        statement = "INSERT OR REPLACE INTO secrets (workspace_id, scope, key, value) VALUES (?, ?, ?, ?)"
        self._database.change(statement, (self._workspace_id, scope, key, value))

    def keys(self, scope: str) -> list[str]:
        """Return the names of the secrets of a scope.

        Raises:
            ApiError: 404, when there is no such scope.
        """
        if scope not in self.scopes():
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Scope {scope} does not exist!")
        statement = "SELECT key FROM secrets WHERE workspace_id = ? AND scope = ? ORDER BY key"
        return [row[0] for row in self._database.rows(statement, (self._workspace_id, scope))]

    def value(self, scope: str, key: str) -> str | None:
        """Return a secret, for a test to look at; no endpoint does."""
        statement = "SELECT value FROM secrets WHERE workspace_id = ? AND scope = ? AND key = ?"
        row = self._database.row(statement, (self._workspace_id, scope, key))
        return None if row is None else str(row[0])


def list_scopes(call: Call) -> Answer:
    """Answer the scopes; the key is absent when there are none."""
    scopes = [{"name": scope, "backend_type": "DATABRICKS"} for scope in call.state.secrets.scopes()]
    return Answer.of({"scopes": scopes} if scopes else {})


def create_scope(call: Call) -> Answer:
    """Make a scope."""
    call.state.secrets.add_scope(_text(call, "scope"))
    return Answer()


def list_secrets(call: Call) -> Answer:
    """Answer the names of a scope's secrets; the key is absent when there are none."""
    scope = call.request.query.get("scope", "")
    if not scope:
        raise invalid("scope must be a text")
    secrets = [{"key": key} for key in call.state.secrets.keys(scope)]
    return Answer.of({"secrets": secrets} if secrets else {})


def put_secret(call: Call) -> Answer:
    """Write a secret."""
    call.state.secrets.put(_text(call, "scope"), _text(call, "key"), _text(call, "string_value"))
    return Answer()


def _text(call: Call, name: str) -> str:
    value = call.request.json().get(name)
    if not isinstance(value, str) or not value:
        raise invalid(f"{name} must be a text")
    return value
