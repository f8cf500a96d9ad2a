"""Somebody else's program, which `mypy --strict` reads against the installed wheel: what is public has its types.

`assert_type` fails on Any, so a package that lost its `py.typed`, or a name that lost its types, is noticed.
"""

from typing import assert_type

import pandas as pd

import tokenkit


def stale(workspace: tokenkit.Workspace, *, idle: str) -> pd.DataFrame:
    """Return the tokens that nobody used for long."""
    return workspace.tokens("owner_kind == 'user'", idle=idle)


def main() -> int:
    """Revoke them, and return how many were not."""
    workspace = tokenkit.connect("sandbox", retries=tokenkit.RetryPolicy(budget_seconds=5))
    assert_type(workspace, tokenkit.Workspace)
    tokens = stale(workspace, idle="90d")
    assert_type(tokens, pd.DataFrame)
    assert_type(workspace.token_management.get("0" * 64), tokenkit.TokenInfo)
    made = workspace.token_management.create_obo_token("an-application", lifetime_seconds=60)
    assert_type(made, tokenkit.OboToken)
    assert_type(made.token_value, str)
    assert_type(workspace.audit(), tokenkit.Audit)
    plan = workspace.revoke(tokens, reason="idle")
    assert_type(plan, tokenkit.RevocationPlan)
    assert_type(plan.preview(), pd.DataFrame)
    assert_type(tokenkit.fleet(["prod", workspace]), tokenkit.Fleet)
    entry = {"group_name": "users", "permission_level": "CAN_USE"}
    assert_type(workspace.plan_permissions([entry], replace=True), tokenkit.PermissionPlan)
    try:
        result = plan.apply()
    except tokenkit.TokenKitError as error:
        assert_type(error, tokenkit.TokenKitError)
        raise
    return int((result["outcome"] != "revoked").sum())
