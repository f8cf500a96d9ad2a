"""Read a workspace and its account with cartography's own functions, and print what each makes of it."""

import json
import os

from cartography.intel.databricks import (
    account_groups,
    account_service_principals,
    account_users,
    account_workspaces,
    cluster_policies,
    groups,
    ip_access_lists,
    secret_scopes,
    service_principals,
    tokens,
    users,
    workspace_assignments,
    workspaces,
)
from cartography.intel.databricks.util import DatabricksAccountClient, DatabricksWorkspaceClient

workspace = DatabricksWorkspaceClient(os.environ["WORKSPACE"], token=os.environ["TOKEN"])
signed_in = {name: os.environ[name.upper()] for name in ("client_id", "client_secret")}
account = DatabricksAccountClient(os.environ["ACCOUNT"], os.environ["ACCOUNT_ID"], **signed_in)
print(
    json.dumps(
        {
            "tokens": tokens.transform(tokens.get(workspace), "w"),
            "users": users.transform(users.get(workspace), "w"),
            "groups": groups.transform(groups.get(workspace), "w"),
            "service_principals": service_principals.transform(service_principals.get(workspace), "w"),
            "ip_access_lists": ip_access_lists.transform(ip_access_lists.get(workspace), "w"),
            "cluster_policies": cluster_policies.get(workspace),
            "secret_scopes": secret_scopes.get(workspace),
            "workspace": workspaces.get(workspace),
            "with_oauth": len(tokens.get(DatabricksWorkspaceClient(os.environ["WORKSPACE"], **signed_in))),
            "account_workspaces": account_workspaces.get(account),
            "account_users": account_users.transform(account_users.get(account), "a"),
            "account_groups": account_groups.transform(account_groups.get(account), "a"),
            "account_service_principals": account_service_principals.transform(
                account_service_principals.get(account), "a"
            ),
            "assignments": workspace_assignments.transform(
                workspace_assignments.get(account, {os.environ["WORKSPACE_ID"]: "w"})[0], "a"
            ),
        },
        default=str,
    )
)
