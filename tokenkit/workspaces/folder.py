"""The state folder. Inside Databricks, it belongs to the user of the notebook."""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path

from tokenkit import errors
from tokenkit.core.home import home
from tokenkit.core.write_once import is_inside_databricks
from tokenkit.rest import credentials
from tokenkit.rest.transport import RetryPolicy
from tokenkit.rest.workspace import WorkspaceAPI

USERS = Path("/Workspace/Users")
_RETRIES = RetryPolicy(budget_seconds=15)


def state_folder() -> Path:
    """Return the folder of the journal, the configuration and the snapshots. It may not exist yet.

    It is the folder in ``TOKENKIT_HOME``, if that is set. Inside Databricks, where the local disk is lost with the
    cluster, it is ``.tokenkit`` in the user's workspace folder, if there is one. Otherwise, it is the platform's state
    folder.
    """
    if os.getenv("TOKENKIT_HOME") or not is_inside_databricks():
        return home()
    try:
        user = _notebook_user()
    except errors.TokenKitError:  # no sign-in or no response: the journal reports that it would be lost
        return home()
    folder = USERS / user
    is_one_folder = folder.parent == USERS and folder.name != ".."
    with contextlib.suppress(OSError):
        if is_one_folder and folder.is_dir():
            return folder / ".tokenkit"
    return home()


@functools.cache
def _notebook_user() -> str:
    """Return the user name, or application id, of this notebook or job, from its workspace."""
    config = credentials.sdk_config(auth_type="runtime")
    workspace = WorkspaceAPI(credentials.from_sdk_config(config), retries=_RETRIES)
    try:
        return workspace.me()
    finally:
        workspace.close()
