"""Finds the workspace of a run in the journal."""

from __future__ import annotations

import pandas as pd

from tokenkit import errors
from tokenkit.actions.journal import Run
from tokenkit.core.clock import Clock
from tokenkit.core.spelling import spelled
from tokenkit.rest import credentials
from tokenkit.rest.hosts import Address
from tokenkit.workspaces.connect import connect
from tokenkit.workspaces.workspace import Workspace


def workspace_of(run: Run, clock: Clock | pd.Timestamp | None = None) -> Workspace:
    """Return the workspace of a run, with the sign-in of the run: its profile, or else the environment.

    No request is sent. A sign-in that is now for another host is not used.

    Args:
        run: The run.
        clock: As for ``connect``.

    Raises:
        UsageError: The sign-in no longer exists, or is for another workspace.
    """
    profile = credentials.profile_of(run.origin)
    named = profile or (run.host if run.origin == credentials.UNIFIED else None)
    try:
        workspace = connect(named, workspace_id=run.workspace_id or None, clock=clock)
    except errors.ConfigurationError as failure:
        problem = str(failure)
    else:
        if workspace.host == run.host:
            return workspace
        where = f"profile {profile!r}" if profile else credentials.ENVIRONMENT
        problem = f"{where} is for {workspace.host}."
    raise errors.UsageError(
        f"Run {run.run_id} is of {Address(run.host, run.workspace_id)}, and was signed in by {run.origin}. "
        f"{spelled('Connect there, and pass workspace=…')}. {problem}"
    )
