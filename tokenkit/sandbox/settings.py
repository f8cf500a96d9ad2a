"""The workspace-conf switches that concern tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tokenkit.sandbox.answers import ApiError, invalid
from tokenkit.sandbox.tokens import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tokenkit.sandbox.database import Database

MAXIMUM = "maxTokenLifetimeDays"
ENABLED = "enableTokensConfig"
LONGEST_DAYS = 730
# What official clients, Terraform and the Security Analysis Tool ask for; the first two have a meaning here, the others
# are kept as they are set.
KEYS = frozenset(
    {
        MAXIMUM,
        ENABLED,
        "customerApprovedWSLoginExpirationTime",
        "enable-X-Content-Type-Options",
        "enable-X-Frame-Options",
        "enable-X-XSS-Protection",
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
        "enableJobViewAcls",
        "enableJobsEmailsV2",
        "enableLibraryAndInitScriptOnSharedCluster",
        "enableNotebookGitVersioning",
        "enableNotebookTableClipboard",
        "enableProjectTypeInWorkspace",
        "enableProjectsAllowList",
        "enableResultsDownloading",
        "enableUploadDataUis",
        "enableVerboseAuditLogs",
        "enableWebTerminal",
        "enableWorkspaceFilesystem",
        "enforceClusterViewAcls",
        "enforceUserIsolation",
        "enforceWorkspaceViewAcls",
        "heapAnalyticsAdminConf",
        "jobsListBackendPaginationEnabled",
        "mlflowModelRegistryEmailNotificationsEnabled",
        "mlflowModelServingEndpointCreationEnabled",
        "mlflowRunArtifactDownloadEnabled",
        "projectsAllowList",
        "projectsAllowListPermissions",
        "rStudioUserDefaultHomeBase",
        "storeInteractiveNotebookResultsInCustomerAccount",
    }
)
INSERT_SETTING = (
    "INSERT INTO settings (workspace_id, name, value) VALUES (?, ?, ?) "
    "ON CONFLICT (workspace_id, name) DO UPDATE SET value = excluded.value"
)


class Settings:
    """The settings of one workspace; every value is text, and an unset one is None."""

    def __init__(self, database: Database, workspace_id: int) -> None:
        self._database = database
        self._workspace_id = workspace_id

    def get(self, name: str) -> str | None:
        """Return a setting, or None."""
        statement = "SELECT value FROM settings WHERE workspace_id = ? AND name = ?"
        row = self._database.row(statement, (self._workspace_id, name))
        return None if row is None else str(row[0])

    def set(self, name: str, value: object) -> None:
        """Change a setting; ``"0"`` takes the longest lifetime back to the platform's.

        Raises:
            ApiError: 400, when the value is not one of the platform's.
        """
        if not isinstance(value, str):
            raise invalid(f"The value of {name} must be a string")
        if name == MAXIMUM and not (
            value.isascii() and value.isdigit() and len(value) < 10 and int(value) <= LONGEST_DAYS
        ):
            raise invalid(f"{MAXIMUM} must be a whole number of days from 0 to {LONGEST_DAYS}, not {value!r}")
        if name == ENABLED and value not in ("true", "false"):
            raise invalid(f"{ENABLED} must be 'true' or 'false', not {value!r}")
        if name == MAXIMUM and int(value) == 0:
            key = (self._workspace_id, name)
            self._database.change("DELETE FROM settings WHERE workspace_id = ? AND name = ?", key)
            return
        self._database.change(INSERT_SETTING, (self._workspace_id, name, value))

    def tokens_enabled(self) -> bool:
        """Tell whether tokens may be used at all; unset means yes."""
        return self.get(ENABLED) != "false"

    def check_tokens_enabled(self) -> None:
        """Refuse with FEATURE_DISABLED when tokens are switched off."""
        if not self.tokens_enabled():
            raise ApiError(404, "FEATURE_DISABLED", "Personal access tokens are disabled in this workspace")

    def expiry_time(self, lifetime_seconds: object, *, now_ms: int) -> int:
        """Return when a token made now ends, after checking the lifetime asked for.

        An omitted lifetime is the longest one: two years, or the workspace's maximum. The maximum holds for new
        tokens only, so nothing else reads it.

        Raises:
            ApiError: 400, when the lifetime is no positive number, or too long.
        """
        maximum = self.get(MAXIMUM)
        longest_days = min(LONGEST_DAYS, int(maximum)) if maximum else LONGEST_DAYS
        if lifetime_seconds is None:
            return now_ms + longest_days * DAY_MS
        # 64-bit numbers may stand in JSON as text, as everywhere in the platform's APIs.
        if isinstance(lifetime_seconds, str) and lifetime_seconds.isascii() and lifetime_seconds.isdigit():
            lifetime_seconds = int(lifetime_seconds[:20])
        if not isinstance(lifetime_seconds, int) or isinstance(lifetime_seconds, bool) or lifetime_seconds <= 0:
            raise invalid("lifetime_seconds must be a positive number of seconds")
        if lifetime_seconds * 1000 > longest_days * DAY_MS:
            raise invalid(f"lifetime_seconds exceeds the maximum of {longest_days} days for new tokens")
        return now_ms + lifetime_seconds * 1000


def check_keys(names: Iterable[str]) -> None:
    """Refuse keys that do not exist, all of them in one list of JSON, which Terraform parses.

    Raises:
        ApiError: 400, when there are any.
    """
    unknown = [name for name in names if name not in KEYS]
    if unknown:
        raise invalid(f"Invalid keys: {json.dumps(unknown, separators=(',', ':'))}")
