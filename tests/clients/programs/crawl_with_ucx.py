"""Crawl the permissions of tokens and passwords, and the groups of the account, with UCX's own classes."""

import json

from databricks.labs.ucx.workspace_access.generic import GenericPermissionsSupport, Listing, tokens_and_passwords
from databricks.sdk import WorkspaceClient

client = WorkspaceClient()
support = GenericPermissionsSupport(client, [Listing(tokens_and_passwords, "object_id", "authorization")])
crawled = [task() for task in support.get_crawler_tasks()]
listed = client.api_client.do("GET", "/api/2.0/account/scim/v2/Groups", query={"attributes": "id,displayName,meta"})
group = client.api_client.do("GET", f"/api/2.0/account/scim/v2/Groups/{listed['Resources'][0]['id']}")
path = f"/api/2.0/preview/permissionassignments/principals/{group['id']}"
assigned = client.api_client.do("PUT", path, data=json.dumps({"permissions": ["USER"]}))
print(
    json.dumps(
        {
            "permissions": {found.object_id: json.loads(found.raw) for found in crawled},
            "group": group["displayName"],
            "assigned": assigned,
        }
    )
)
