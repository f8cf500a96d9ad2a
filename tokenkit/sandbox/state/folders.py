"""The folders of a workspace's file tree: enough for the official CLI to check where a bundle would be deployed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.responses import ApiError, invalid

if TYPE_CHECKING:
    from tokenkit.sandbox.state.database import Database

_PREFIX = "/Workspace"
_FIRST = ("/", "/Users", "/Shared")


class Folders:
    """The folders of one workspace."""

    def __init__(self, database: Database, workspace_id: int) -> None:
        self._database = database
        self._workspace_id = workspace_id

    def add(self, path: object) -> None:
        """Create a folder and its parents.

        Raises:
            ApiError: 400, if the path is not absolute.
        """
        parts = _normal(path).strip("/").split("/")
        paths = ["/" + "/".join(parts[: number + 1]) for number in range(len(parts))]
        rows = [(self._workspace_id, folder) for folder in paths]
        self._database.change_many("INSERT OR IGNORE INTO folders (workspace_id, path) VALUES (?, ?)", rows)

    def status(self, path: object) -> dict[str, Any]:
        """Return a folder in the form of the API.

        Raises:
            ApiError: 404, if there is no folder with this path.
        """
        folder = _normal(path)
        statement = "SELECT 1 FROM folders WHERE workspace_id = ? AND path = ?"
        if folder not in _FIRST and self._database.row(statement, (self._workspace_id, folder)) is None:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Path ({path}) doesn't exist.")
        object_id = int.from_bytes(hashlib.sha256(folder.encode()).digest()[:6])
        return {"object_type": "DIRECTORY", "path": folder, "object_id": object_id, "resource_id": str(object_id)}


def _normal(path: object) -> str:
    if not isinstance(path, str) or not path.startswith("/"):
        raise invalid("path must be absolute")
    return "/" + path.removeprefix(_PREFIX).strip("/")
