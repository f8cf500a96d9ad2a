"""Rule sets: who can use or manage a service principal of the account."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.responses import ApiError, invalid

if TYPE_CHECKING:
    from tokenkit.sandbox.state.database import Database

MANAGER = "roles/servicePrincipal.manager"
USER = "roles/servicePrincipal.user"


class RuleSets:
    """The rule sets of one account. A rule set that was never written is empty."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> dict[str, Any]:
        """Return a rule set."""
        row = self._database.row("SELECT version, grant_rules FROM rule_sets WHERE name = ?", (name,))
        version, grant_rules = row or (0, "[]")
        document: dict[str, Any] = {"name": name, "etag": f"v{version}"}
        rules = json.loads(grant_rules)
        return document | ({"grant_rules": rules} if rules else {})

    def put(self, name: str, rules: object, etag: object) -> dict[str, Any]:
        """Replace a rule set, and return the new one.

        Raises:
            ApiError: 409, if the etag is not the current one; 400, if a rule is malformed.
        """
        current = self.get(name)["etag"]
        if etag and etag != current:
            raise ApiError(409, "RESOURCE_CONFLICT", f"The etag of rule set {name} is {current}. Read it again.")
        if not isinstance(rules, list) or not all(_is_rule(rule) for rule in rules):
            raise invalid("grant_rules must be a list of objects with a role and principals")
        statement = (
            "INSERT INTO rule_sets (name, version, grant_rules) VALUES (?, 1, ?) ON CONFLICT (name) "
            "DO UPDATE SET version = version + 1, grant_rules = excluded.grant_rules"
        )
        self._database.change(statement, (name, json.dumps(rules)))
        return self.get(name)

    def grants(self, name: str, role: str, principals: set[str]) -> bool:
        """Return whether a rule set grants a role to one of the principals, such as ``users/a@example.com``."""
        rules = self.get(name).get("grant_rules", [])
        return any(rule["role"] == role and principals & set(rule["principals"]) for rule in rules)


def rule_set_name(account_id: str, application_id: str) -> str:
    """Return the name of a service principal's rule set."""
    return f"accounts/{account_id}/servicePrincipals/{application_id}/ruleSets/default"


def _is_rule(rule: object) -> bool:
    if not isinstance(rule, dict) or not isinstance(rule.get("role"), str):
        return False
    principals = rule.setdefault("principals", [])
    return isinstance(principals, list) and all(isinstance(principal, str) for principal in principals)
