"""Clients that others wrote take the sandbox for a workspace, at pinned versions and in environments of their own."""

import json
import os
import subprocess

import pytest
import requests

from tests.clients import python_tools
from tests.clients.coverage import called, documented
from tests.conftest import NOW
from tokenkit.sandbox import Sandbox

pytestmark = pytest.mark.timeout(1200)  # the first test of a client has to install it

# What the Security Analysis Tool (0.6) asks a workspace and the account about tokens and their owners.
SETTINGS = (
    "enforceUserIsolation,enforceWorkspaceViewAcls,enforceClusterViewAcls,enableJobViewAcls,enableHlsRuntime,enableDcs,"
    "enableGp3,enableEnforceImdsV2,enableJobsEmailsV2,enableProjectTypeInWorkspace,enableWorkspaceFilesystem,"
    "enableProjectsAllowList,intercomAdminConsent,enable-X-Frame-Options,enable-X-Content-Type-Options,"
    "enable-X-XSS-Protection,enableResultsDownloading,enableUploadDataUis,enableExportNotebook,"
    "enableNotebookGitVersioning,enableNotebookTableClipboard,enableWebTerminal,enableDbfsFileBrowser,"
    "enableDatabricksAutologgingAdminConf,mlflowModelServingEndpointCreationEnabled,"
    "mlflowModelRegistryEmailNotificationsEnabled,heapAnalyticsAdminConsent,"
    "storeInteractiveNotebookResultsInCustomerAccount,enableVerboseAuditLogs,enableFileStoreEndpoint,"
    "jobsListBackendPaginationEnabled,maxTokenLifetimeDays,enableDeprecatedGlobalInitScripts,"
    "enableLibraryAndInitScriptOnSharedCluster,enableTokensConfig,enableIpAccessLists"
)
OF_A_WORKSPACE = {
    "/api/2.0/clusters/spark-versions": "versions",
    "/api/2.0/token-management/tokens": "token_infos",
    "/api/2.0/token/list": None,  # the tool's service principal has no token of its own, so its rules find nothing
    "/api/2.0/permissions/authorization/tokens": "access_control_list",
    "/api/2.0/permissions/authorization/tokens/permissionLevels": "permission_levels",
    "/api/2.0/preview/scim/v2/Users": "Resources",
    "/api/2.0/preview/scim/v2/Groups": "Resources",
    "/api/2.0/preview/scim/v2/ServicePrincipals": "Resources",
    "/api/2.0/preview/accounts/access-control/assignable-roles": "roles",
    "/api/2.0/secrets/scopes/list": "scopes",
    "/api/2.0/secrets/list?scope=tokenkit": None,
    "/api/2.0/secrets/acls/list?scope=tokenkit": None,
    "/api/2.0/ip-access-lists": None,
    "/api/2.0/policies/clusters/list": None,
    "/api/2.0/settings/types/restrict_workspace_admins/names/default": "restrict_workspace_admins",
    f"/api/2.0/workspace-conf?keys={SETTINGS}": "maxTokenLifetimeDays",
    "/api/2.0/preview/workspace-conf?keys=projectsAllowList": "projectsAllowList",
}
OF_THE_ACCOUNT = {
    "/scim/v2/Groups": "Resources",
    "/scim/v2/ServicePrincipals": "Resources",
    "/scim/v2/Users": "Resources",
    "/workspaces/{workspace_id}/permissionassignments": "permission_assignments",
    "/workspaces/{workspace_id}/permissionassignments/permissions": "permissions",
}


@pytest.fixture
def company(held):
    with Sandbox(tokens=60, workspaces=2, clock=NOW.timestamp) as sandbox:
        yield held(sandbox)


@pytest.fixture
def environment(company, tmp_path):
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "DATABRICKS_HOST": company.host,
        "DATABRICKS_TOKEN": company.token,
        "WORKSPACE": company.host,
        "WORKSPACE_ID": str(company.workspaces[0].workspace_id),
        "TOKEN": company.token,
        "ACCOUNT": company.account_host,
        "ACCOUNT_ID": company.account_id,
        "CLIENT_ID": company.client_id,
        "CLIENT_SECRET": company.client_secret,
    }


def test_cartography_reads_tokens_identities_and_the_account(company, environment):
    read = json.loads(python_tools.run("cartography", "read_with_cartography.py", environment=environment))
    state = company.workspaces[0].state
    assert {token["token_id"] for token in read["tokens"]} == state.tokens.ids()
    assert read["with_oauth"] == len(read["tokens"]) == 60
    for name, kind in (("users", "user"), ("groups", "group"), ("service_principals", "service_principal")):
        assert len(read[name]) == state.directory.count(kind)
        assert len(read[f"account_{name}"]) >= len(read[name]) - 2  # the account has no `admins` and `users`
    assert len(read["account_workspaces"]) == 2
    assert len(read["assignments"]) >= len(read["users"])
    assert called(company) == documented("cartography")


def test_the_fixtures_of_pytester_make_and_remove_groups_and_permissions(company, environment):
    before = company.workspaces[0].state.directory.count("group")
    options = ["-m", "pytest", "-q", "--noconftest", "-c", os.devnull, "-p", "no:cacheprovider"]
    printed = python_tools.run("labs", "fixtures_of_pytester.py", *options, environment=environment)
    assert "4 passed" in printed
    assert company.workspaces[0].state.directory.count("group") == before
    assert called(company) == documented("pytester")


def test_ucx_crawls_token_permissions_and_assigns_a_group(company, environment):
    crawled = json.loads(python_tools.run("labs", "crawl_with_ucx.py", environment=environment))
    assert set(crawled["permissions"]) == {"tokens", "passwords"}
    groups = {entry.get("group_name") for entry in crawled["permissions"]["tokens"]["access_control_list"]}
    assert "admins" in groups
    assert crawled["assigned"]["permissions"] == ["USER"]
    assert crawled["assigned"]["principal"]["group_name"] == crawled["group"]
    assert called(company) == documented("ucx")


def test_the_requests_of_the_security_analysis_tool_are_served(company):
    form = {"grant_type": "client_credentials", "scope": "all-apis"}
    signed_in = company.client_id, company.client_secret
    grant = f"{company.account_host}/oidc/accounts/{company.account_id}/v1/token"
    with requests.Session() as session:
        token = session.post(grant, data=form, auth=signed_in, timeout=30).json()["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        session.get(f"{company.account_host}/api/2.0/accounts/{company.account_id}/workspaces", timeout=30).json()
        found = {}
        for template, key in OF_THE_ACCOUNT.items():
            path = template.format(workspace_id=company.workspaces[0].workspace_id)
            response = session.get(f"{company.account_host}/api/2.0/accounts/{company.account_id}{path}", timeout=30)
            found[template] = response.json()
            assert found[template][key]
        for principal in found["/scim/v2/ServicePrincipals"]["Resources"]:
            path = f"/api/2.0/accounts/{company.account_id}/servicePrincipals/{principal['id']}/credentials/secrets"
            assert session.get(company.account_host + path, timeout=30).ok
        token = session.post(f"{company.host}/oidc/v1/token", data=form, auth=signed_in, timeout=30).json()
        session.headers["Authorization"] = f"Bearer {token['access_token']}"
        for path, key in OF_A_WORKSPACE.items():
            response = session.get(company.host + path, timeout=30)
            assert response.ok, response.text
            assert key is None or key in response.json()
    assert called(company) == documented("sat")


def test_curl_signs_in_with_a_netrc_file(company, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login token password {company.token}\n")
    netrc.chmod(0o600)
    command = ["curl", "--silent", "--fail", "--netrc-file", str(netrc)]
    listed = subprocess.run([*command, f"{company.host}/api/2.0/token/list"], check=True, capture_output=True)
    assert json.loads(listed.stdout)["token_infos"][0]["comment"] == "tokenkit (this session)"
    assert called(company) == documented("curl")
