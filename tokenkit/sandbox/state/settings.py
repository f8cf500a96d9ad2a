"""The workspace-conf settings, of which two affect tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tokenkit.sandbox.responses import ApiError, invalid
from tokenkit.sandbox.state.tokens import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tokenkit.sandbox.state.database import Database

MAX_LIFETIME_KEY = "maxTokenLifetimeDays"
TOKENS_ENABLED_KEY = "enableTokensConfig"
MAX_LIFETIME_DAYS = 730
# The keys that official clients, Terraform, StackQL and the Security Analysis Tool use. The first two have an effect
# here; the others are only stored.
KEYS = frozenset(
    {
        MAX_LIFETIME_KEY,
        TOKENS_ENABLED_KEY,
        "customReferences",
        "customerApprovedWSLoginExpirationTime",
        "enable-X-Content-Type-Options",
        "enable-X-Frame-Options",
        "enable-X-XSS-Protection",
        "enableAclsConfig",
        "enableClusterAclsConfig",
        "enableDatabricksAutologgingAdminConf",
        "enableDbfsFileBrowser",
        "enableDcs",
        "enableDeprecatedClusterNamedInitScripts",
        "enableDeprecatedGlobalInitScripts",
        "enableEnforceImdsV2",
        "enableExportNotebook",
        "enableFileStoreEndpoint",
        "enableGp3",
        "enableHlsRuntime",
        "enableIpAccessLists",
        "enableJobAclsConfig",
        "enableJobViewAcls",
        "enableJobsEmailsV2",
        "enableLegacyNotebookVisualizations",
        "enableLibraryAndInitScriptOnSharedCluster",
        "enableNotebookGitVersioning",
        "enableNotebookTableClipboard",
        "enablePipelinesDataSample",
        "enableProjectTypeInWorkspace",
        "enableProjectsAllowList",
        "enableResultsDownloading",
        "enableTableAclsConfig",
        "enableUploadDataUis",
        "enableVerboseAuditLogs",
        "enableWebTerminal",
        "enableWorkspaceAclsConfig",
        "enableWorkspaceFilesystem",
        "enforceClusterViewAcls",
        "enforceUserIsolation",
        "enforceWorkspaceViewAcls",
        "heapAnalyticsAdminConsent",
        "homePageLogo",
        "homePageLogoWidth",
        "homePageWelcomeMessage",
        "intercomAdminConsent",
        "jobsListBackendPaginationEnabled",
        "jobsListBackendPaginationOptOut",
        "loginLogo",
        "loginLogoWidth",
        "maxUserInactiveDays",
        "mlflowModelRegistryEmailNotificationsEnabled",
        "mlflowModelServingEndpointCreationEnabled",
        "mlflowRunArtifactDownloadEnabled",
        "productName",
        "projectsAllowList",
        "projectsAllowListPermissions",
        "rStudioUserDefaultHomeBase",
        "reposIpynbResultsExportPermissions",
        "sidebarLogoActive",
        "sidebarLogoInactive",
        "sidebarLogoText",
        "storeInteractiveNotebookResultsInCustomerAccount",
    }
)
INSERT_SETTING = (
    "INSERT INTO settings (workspace_id, name, value) VALUES (?, ?, ?) "
    "ON CONFLICT (workspace_id, name) DO UPDATE SET value = excluded.value"
)


class WorkspaceConf:
    """The settings of one workspace. Values are strings; an unset one is None."""

    def __init__(self, database: Database, workspace_id: int) -> None:
        self._database = database
        self._workspace_id = workspace_id

    def get(self, name: str) -> str | None:
        """Return a setting, or None if it is unset."""
        statement = "SELECT value FROM settings WHERE workspace_id = ? AND name = ?"
        row = self._database.row(statement, (self._workspace_id, name))
        return None if row is None else str(row[0])

    def store(self, name: str, value: str) -> None:
        """Write a setting as it is."""
        self._database.change(INSERT_SETTING, (self._workspace_id, name, value))

    def set(self, name: str, value: object) -> None:
        """Change a setting. ``"0"`` resets the maximum lifetime to the platform's.

        Raises:
            ApiError: 400, if the platform does not accept the value.
        """
        if not isinstance(value, str):
            raise invalid(f"The value of {name} must be a string")
        if not value and name in (MAX_LIFETIME_KEY, TOKENS_ENABLED_KEY):
            # Terraform tolerates this message when it destroys a setting.
            raise invalid(f"Some values are not allowed: {json.dumps({name: value})}")
        if name == MAX_LIFETIME_KEY and not (
            value.isascii() and value.isdigit() and len(value) < 10 and int(value) <= MAX_LIFETIME_DAYS
        ):
            raise invalid(
                f"{MAX_LIFETIME_KEY} must be a whole number of days from 0 to {MAX_LIFETIME_DAYS}, not {value!r}"
            )
        if name == TOKENS_ENABLED_KEY and value not in ("true", "false"):
            raise invalid(f"{TOKENS_ENABLED_KEY} must be 'true' or 'false', not {value!r}")
        if name == MAX_LIFETIME_KEY and int(value) == 0:
            key = (self._workspace_id, name)
            self._database.change("DELETE FROM settings WHERE workspace_id = ? AND name = ?", key)
            return
        self.store(name, value)

    def check_tokens_enabled(self) -> None:
        """Check that tokens are enabled, which is the default.

        Raises:
            ApiError: 404 FEATURE_DISABLED, if tokens are disabled.
        """
        if self.get(TOKENS_ENABLED_KEY) == "false":
            raise ApiError(404, "FEATURE_DISABLED", "Personal access tokens are disabled in this workspace")

    def expiry_time(self, lifetime_seconds: object, *, now_ms: int) -> int:
        """Return the expiry of a token that is created now, after checking the requested lifetime.

        The default is the longest lifetime: two years, or the workspace's maximum. The maximum affects only new tokens.

        Raises:
            ApiError: 400, if the lifetime is not a positive number or exceeds the maximum.
        """
        maximum = self.get(MAX_LIFETIME_KEY)
        max_days = min(MAX_LIFETIME_DAYS, int(maximum)) if maximum else MAX_LIFETIME_DAYS
        if lifetime_seconds is None:
            return now_ms + max_days * DAY_MS
        # As everywhere in the platform's APIs, a 64-bit number can be a string in JSON.
        if isinstance(lifetime_seconds, str) and lifetime_seconds.isascii() and lifetime_seconds.isdigit():
            lifetime_seconds = int(lifetime_seconds[:20])
        if not isinstance(lifetime_seconds, int) or isinstance(lifetime_seconds, bool) or lifetime_seconds <= 0:
            raise invalid("lifetime_seconds must be a positive number of seconds")
        if lifetime_seconds * 1000 > max_days * DAY_MS:
            raise invalid(f"lifetime_seconds exceeds the maximum of {max_days} days for new tokens")
        return now_ms + lifetime_seconds * 1000


def check_keys(names: Iterable[str]) -> None:
    """Check that all keys exist.

    Raises:
        ApiError: 400, with all unknown keys as a JSON list, which Terraform parses.
    """
    unknown = [name for name in names if name not in KEYS]
    if unknown:
        raise invalid(f"Invalid keys: {json.dumps(unknown, separators=(',', ':'))}")
