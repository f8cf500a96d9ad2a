"""Call a workspace with the official SDK for Python, with what its oldest and its newest version have in common."""

import json
import os

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service import iam, settings

client = WorkspaceClient()
application_id, warehouse_id = os.environ["APPLICATION_ID"], os.environ["WAREHOUSE_ID"]
found = {"me": client.current_user.me().user_name}

tokens = client.token_management
found["tokens"] = [token.as_dict() for token in tokens.list()]
minted = tokens.create_obo_token(application_id=application_id, lifetime_seconds=600, comment="nightly")
found["minted"] = tokens.get(token_id=minted.token_info.token_id).token_info.as_dict()
found["as_it"] = WorkspaceClient(host=client.config.host, token=minted.token_value).current_user.me().user_name
tokens.delete(token_id=minted.token_info.token_id)
try:
    tokens.get(token_id=minted.token_info.token_id)
except DatabricksError as error:
    found["error"] = [error.error_code, str(error)]

own = client.tokens.create(comment="laptop", lifetime_seconds=600).token_info
found["own_tokens"] = [token.comment for token in client.tokens.list() if token.token_id == own.token_id]
client.tokens.delete(token_id=own.token_id)
found["own_tokens"] += [token.comment for token in client.tokens.list() if token.token_id == own.token_id]

found["levels"] = len(tokens.get_permission_levels().permission_levels)
users = settings.TokenAccessControlRequest(group_name="users", permission_level=settings.TokenPermissionLevel.CAN_USE)
found["updated"] = tokens.update_permissions(access_control_list=[users]).as_dict()
levels = {"admins": iam.PermissionLevel.CAN_MANAGE, "users": iam.PermissionLevel.CAN_USE}
entries = [iam.AccessControlRequest(group_name=name, permission_level=level) for name, level in levels.items()]
found["set"] = client.permissions.set("authorization", "tokens", access_control_list=entries).as_dict()
found["permissions"] = client.permissions.get("authorization", "tokens").as_dict()

found["users"] = [user.id for user in client.users.list(attributes="id,userName", count=7)]
user = client.users.create(user_name="new@example.com", display_name="New")
deactivate = iam.Patch(op=iam.PatchOp.REPLACE, path="active", value="false")  # it omits a False
schemas = [iam.PatchSchema.URN_IETF_PARAMS_SCIM_API_MESSAGES_2_0_PATCH_OP]
client.users.patch(user.id, operations=[deactivate], schemas=schemas)
found["user"] = [client.users.get(user.id).active]
client.users.update(user.id, user_name="new@example.com", display_name="Newer", active=True)
(named,) = client.users.list(filter='userName eq "new@example.com"')
found["user"] += [named.display_name, named.active]
client.users.delete(user.id)

found["warehouses"] = [warehouse.id for warehouse in client.warehouses.list()]
found["warehouse"] = client.warehouses.get(warehouse_id).state.value
statement = "SELECT action_name, count(*) FROM system.access.audit GROUP BY 1"
response = client.statement_execution.execute_statement(statement=statement, warehouse_id=warehouse_id)
found["state"] = client.statement_execution.get_statement(response.statement_id).status.state.value
found["rows"] = response.result.data_array
print(json.dumps(found))
