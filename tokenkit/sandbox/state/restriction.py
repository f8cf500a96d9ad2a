"""The setting RestrictWorkspaceAdmins, which decides on behalf of which service principals an admin creates tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.responses import ApiError, invalid

if TYPE_CHECKING:
    from tokenkit.sandbox.state.settings import WorkspaceConf

ALLOW_ALL = "ALLOW_ALL"
RESTRICTED = "RESTRICT_TOKENS_AND_JOB_RUN_AS"
_NAME = "restrict_workspace_admins"


class Restriction:
    """The setting of one workspace. At first it allows everything."""

    def __init__(self, settings: WorkspaceConf) -> None:
        self._settings = settings

    @property
    def is_restricted(self) -> bool:
        """Whether admins need the role *Service Principal User* to create tokens on behalf of a service principal."""
        return self._stored()[1] == RESTRICTED

    def document(self) -> dict[str, Any]:
        """Return the setting in the form of the API."""
        etag, status = self._stored()
        return {"etag": etag, _NAME: {"status": status}, "setting_name": "default"}

    def set(self, setting: object) -> None:
        """Change the setting.

        Raises:
            ApiError: 400, if the status does not exist; 409, if the etag is not the current one.
        """
        given = setting if isinstance(setting, dict) else {}
        content = given.get(_NAME)
        status = content.get("status") if isinstance(content, dict) else None
        if status not in (ALLOW_ALL, RESTRICTED):
            raise invalid(f"{_NAME}.status must be {ALLOW_ALL} or {RESTRICTED}")
        self.check(given.get("etag"))
        self._store(status)

    def reset(self, etag: object) -> str:
        """Restore the default, and return the new etag.

        Raises:
            ApiError: 409, if the etag is not the current one.
        """
        self.check(etag)
        self._store(ALLOW_ALL)
        return self._stored()[0]

    def check(self, etag: object) -> None:
        """Check that an etag, if there is one, is the current one.

        Raises:
            ApiError: 409, with the current etag where the official clients read it.
        """
        current = self._stored()[0]
        if etag and etag != current:
            info = {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "RESOURCE_CONFLICT",
                "domain": "settings.databricks.com",
                "metadata": {"etag": current},
            }
            raise ApiError(409, "RESOURCE_CONFLICT", "The etag is not the current one", details=[info])

    def _stored(self) -> tuple[str, str]:
        stored = self._settings.get(_NAME)
        version, status = json.loads(stored) if stored else (0, ALLOW_ALL)
        return f"v{version}", status

    def _store(self, status: str) -> None:
        version = int(self._stored()[0][1:]) + 1
        self._settings.store(_NAME, json.dumps([version, status]))
