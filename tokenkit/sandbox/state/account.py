"""The account: its own directory, OAuth secrets and rule sets, and the workspaces that belong to it.

The account's directory is a directory with the workspace id ``ACCOUNT``. It contains every identity of the workspaces
once, by name. It is updated only when it is read, so that a sandbox without requests to the account has no additional
cost.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tokenkit.sandbox.state.directory import ADMINS, USERS
from tokenkit.sandbox.state.oauth_secrets import OAuthSecrets
from tokenkit.sandbox.state.rule_sets import RuleSets
from tokenkit.sandbox.state.warehouse import Warehouse
from tokenkit.sandbox.state.workspace import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tokenkit.sandbox.state.clock import MovableClock
    from tokenkit.sandbox.state.database import Database
    from tokenkit.sandbox.state.directory import Identity

ACCOUNT = 0
"""The workspace id that means the account, in requests, faults and the database."""

ACCOUNT_ADMIN = "account_admin"

# With a single min(), SQLite takes the other columns from the row that has the minimum.
_ADD_IDENTITIES = """
    INSERT OR IGNORE INTO identities (workspace_id, id, kind, name, display_name, active, attributes)
    SELECT ?, min(id), kind, name, display_name, active, attributes FROM identities AS found
    WHERE workspace_id <> ? AND NOT (kind = 'group' AND name IN (?, ?)) AND NOT EXISTS (
        SELECT 1 FROM identities AS known
        WHERE known.workspace_id = ? AND known.kind = found.kind AND known.name = found.name
    ) GROUP BY kind, name
"""
_ADD_MEMBERSHIPS = """
    INSERT OR IGNORE INTO memberships (workspace_id, group_id, member_id)
    SELECT ?, upper.id, lower.id FROM memberships AS m
    JOIN identities AS g ON g.workspace_id = m.workspace_id AND g.id = m.group_id
    JOIN identities AS i ON i.workspace_id = m.workspace_id AND i.id = m.member_id
    JOIN identities AS upper ON upper.workspace_id = ? AND upper.kind = g.kind AND upper.name = g.name
    JOIN identities AS lower ON lower.workspace_id = ? AND lower.kind = i.kind AND lower.name = i.name
"""


class Account:
    """One account.

    Attributes:
        database: The sandbox's database.
        account_id: The account's id.
        states: The state of each workspace by workspace id, in order.
        clock: The current time.
        hosts: The address of each workspace by workspace id, in order.
        oauth_secrets: The OAuth secrets of the service principals, which are valid in every workspace.
        rule_sets: Who can use or manage a service principal.
        passed: The times before and after each time that days passed.
        warehouse: The SQL warehouse, which reads the audit log.
    """

    def __init__(
        self,
        database: Database,
        account_id: str,
        states: Mapping[int, State],
        clock: MovableClock,
        entropy: Callable[[int], bytes],
    ) -> None:
        self.database = database
        self._own = State(database, ACCOUNT, entropy)
        self._client_id = str(database.row("SELECT value FROM properties WHERE name = 'client_id'")[0])
        self.account_id = account_id
        self.entropy = entropy
        self.states = states
        self.clock = clock
        self.hosts: dict[int, str] = {}
        self.passed: list[tuple[int, int]] = []
        self.oauth_secrets = OAuthSecrets(database, entropy)
        self.rule_sets = RuleSets(database)
        self.warehouse = Warehouse(account_id.replace("-", "")[:16], clock)

    def state(self) -> State:
        """Return the account's own state, with all identities of its workspaces."""
        directory = self._own.directory
        is_new = not directory.count("service_principal")
        parameters = (ACCOUNT, ACCOUNT, ADMINS, USERS, ACCOUNT)
        with self.database.transaction():
            self.database.change(_ADD_IDENTITIES, parameters)
            if is_new:
                self.database.change(_ADD_MEMBERSHIPS, (ACCOUNT, ACCOUNT, ACCOUNT))
                client = directory.named("service_principal", self._client_id)
                if client is not None:
                    directory.replace(replace(client, attributes={"roles": [{"value": ACCOUNT_ADMIN}]}))
        return self._own

    def pass_days(self, days: float) -> None:
        """Advance the clock in every workspace: tokens in daily use are used, tokens unused for 90 days are revoked."""
        before_ms = int(self.clock() * 1000)
        self.clock.pass_days(days)
        now_ms = int(self.clock() * 1000)
        with self.database.transaction():
            for state in self.states.values():
                state.tokens.pass_time(before_ms, now_ms)
            self.passed.append((before_ms, now_ms))

    def is_admin(self, identity: Identity) -> bool:
        """Return whether an identity of the account's directory is an account admin."""
        return any(role.get("value") == ACCOUNT_ADMIN for role in identity.attributes.get("roles", []))

    def change_everywhere(self, before: Identity, after: Identity | None) -> None:
        """Remove, activate or deactivate an identity in every workspace, as it was in the account."""
        if after is not None and after.active == before.active:
            return
        for state in self.states.values():
            identity = state.directory.named(before.kind, before.name)
            if identity is not None and after is None:
                state.remove(identity.id)
            elif identity is not None and after is not None:
                state.directory.replace(replace(identity, active=after.active))
