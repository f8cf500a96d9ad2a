import pytest

from tests.sandbox.conftest import CONF

# As clients ask for them, each in one request.
CLIENTS = {
    "the exporter of Terraform": "enableIpAccessLists enableTokensConfig maxTokenLifetimeDays maxUserInactiveDays "
    "storeInteractiveNotebookResultsInCustomerAccount enableDeprecatedClusterNamedInitScripts "
    "enableDeprecatedGlobalInitScripts enforceWorkspaceViewAcls enforceUserIsolation enableProjectTypeInWorkspace "
    "enableWorkspaceFilesystem enableProjectsAllowList projectsAllowList reposIpynbResultsExportPermissions "
    "enable-X-Frame-Options enable-X-Content-Type-Options enable-X-XSS-Protection enableResultsDownloading "
    "enableUploadDataUis enableExportNotebook enableNotebookTableClipboard enableWebTerminal enableDbfsFileBrowser "
    "enableDatabricksAutologgingAdminConf mlflowRunArtifactDownloadEnabled mlflowModelServingEndpointCreationEnabled "
    "mlflowModelRegistryEmailNotificationsEnabled rStudioUserDefaultHomeBase enableVerboseAuditLogs "
    "enableEnforceImdsV2 enableLibraryAndInitScriptOnSharedCluster enablePipelinesDataSample "
    "customerApprovedWSLoginExpirationTime enableLegacyNotebookVisualizations enableJobViewAcls enforceClusterViewAcls",
    "the Security Analysis Tool": "enforceUserIsolation enforceWorkspaceViewAcls enforceClusterViewAcls "
    "enableJobViewAcls enableHlsRuntime enableDcs enableGp3 enableEnforceImdsV2 enableJobsEmailsV2 "
    "enableProjectTypeInWorkspace enableWorkspaceFilesystem enableProjectsAllowList projectsAllowList "
    "intercomAdminConsent enable-X-Frame-Options enable-X-Content-Type-Options enable-X-XSS-Protection "
    "enableResultsDownloading enableUploadDataUis enableExportNotebook enableNotebookGitVersioning "
    "enableNotebookTableClipboard enableWebTerminal enableDbfsFileBrowser enableDatabricksAutologgingAdminConf "
    "mlflowModelServingEndpointCreationEnabled mlflowModelRegistryEmailNotificationsEnabled heapAnalyticsAdminConsent "
    "storeInteractiveNotebookResultsInCustomerAccount enableVerboseAuditLogs enableFileStoreEndpoint "
    "jobsListBackendPaginationEnabled maxTokenLifetimeDays enableDeprecatedGlobalInitScripts "
    "enableLibraryAndInitScriptOnSharedCluster enableTokensConfig enableIpAccessLists",
    "StackQL": "enableWebTerminal enableTokensConfig maxTokenLifetimeDays rStudioUserDefaultHomeBase "
    "projectsAllowListPermissions reposIpynbResultsExportPermissions loginLogo productName homePageLogo "
    "homePageLogoWidth homePageWelcomeMessage sidebarLogoText sidebarLogoActive sidebarLogoInactive customReferences "
    "loginLogoWidth enableClusterAclsConfig enableJobAclsConfig enableWorkspaceAclsConfig "
    "heapAnalyticsAdminConsent jobsListBackendPaginationOptOut",
}


@pytest.mark.parametrize("keys", CLIENTS.values(), ids=CLIENTS)
def test_every_key_that_clients_request_has_a_response_on_both_paths(admin, keys):
    for path in (CONF, "/api/2.0/workspace-conf"):
        assert set(admin.ok("GET", path, params={"keys": ",".join(keys.split())})) == set(keys.split())


def test_an_unset_setting_is_null(admin):
    assert admin.ok("GET", CONF, params={"keys": "maxTokenLifetimeDays,enableTokensConfig"}) == {
        "maxTokenLifetimeDays": None,
        "enableTokensConfig": "true",
    }


def test_a_setting_is_a_string_and_zero_resets_it(admin):
    keys = {"keys": "maxTokenLifetimeDays"}
    response = admin("PATCH", CONF, {"maxTokenLifetimeDays": "180"})
    assert (response.status_code, response.content) == (204, b"")
    assert admin.ok("GET", CONF, params=keys) == {"maxTokenLifetimeDays": "180"}
    admin.ok("PATCH", CONF, {"maxTokenLifetimeDays": "0"})
    assert admin.ok("GET", CONF, params=keys) == {"maxTokenLifetimeDays": None}


def test_the_sdks_path_works_too(admin):
    admin.ok("PATCH", "/api/2.0/workspace-conf", {"maxTokenLifetimeDays": "7"})
    assert admin.ok("GET", CONF, params={"keys": "maxTokenLifetimeDays"}) == {"maxTokenLifetimeDays": "7"}


@pytest.mark.parametrize(
    "change",
    [
        {"maxTokenLifetimeDays": 90},
        {"maxTokenLifetimeDays": "-1"},
        {"maxTokenLifetimeDays": "731"},
        {"maxTokenLifetimeDays": "ninety"},
        {"maxTokenLifetimeDays": "²"},
        {"maxTokenLifetimeDays": None},
        {"enableTokensConfig": True},
        {"enableTokensConfig": "no"},
        {"enableEverything": "true"},
        {"maxTokenLifetimeDays": "30", "enableEverything": "true"},
    ],
)
def test_an_invalid_setting_is_rejected_and_changes_nothing(admin, state, change):
    assert admin.error("PATCH", CONF, change) == (400, "INVALID_PARAMETER_VALUE")
    assert state.settings.get("maxTokenLifetimeDays") is None


@pytest.mark.parametrize("query", ["", "?keys=", "?keys=,", "?keys=enableEverything", "?keys=enableTokensConfig,x"])
def test_a_request_for_no_or_unknown_settings_is_rejected(admin, query):
    assert admin.error("GET", CONF + query) == (400, "INVALID_PARAMETER_VALUE")


def test_every_key_that_does_not_exist_is_named_in_one_list_of_json(admin):
    response = admin("GET", f"{CONF}?keys=enableA,maxTokenLifetimeDays,enableB")
    assert response.json()["message"] == 'Invalid keys: ["enableA","enableB"]'
    response = admin("PATCH", CONF, {"enableA": "x", "enableTokensConfig": "false", "enableB": "y"})
    assert response.json()["message"] == 'Invalid keys: ["enableA","enableB"]'


def test_a_key_without_an_effect_is_stored(admin):
    keys = {"keys": "enableIpAccessLists,enableDcs"}
    admin.ok("PATCH", CONF, {"enableIpAccessLists": "true"})
    assert admin.ok("GET", CONF, params=keys) == {"enableIpAccessLists": "true", "enableDcs": None}
