"""From a run that the journal has to the workspace that it was of."""

from __future__ import annotations

from tokenkit import errors
from tokenkit.actions.journal import Run
from tokenkit.connecting import connect
from tokenkit.rest.hosts import Address
from tokenkit.workspace import Workspace


def workspace_of(run: Run) -> Workspace:
    """Return the workspace of a run, signed in as the run was: by its profile, else by the environment.

    Nothing is sent: where that sign-in is for another host by now, it is not used.

    Raises:
        UsageError: There is no such sign-in any more, or it is for another workspace.
    """
    _, is_profile, profile = run.origin.partition("profile ")
    named = profile if is_profile else run.host if run.origin == "unified authentication" else None
    try:
        workspace = connect(named, workspace_id=run.workspace_id or None)
    except errors.ConfigurationError as failure:
        problem = str(failure)
    else:
        if workspace.host == run.host:
            return workspace
        where = f"profile {profile!r}" if is_profile else "the environment"
        problem = f"{where} is for {workspace.host}."
    raise errors.UsageError(
        f"Run {run.run_id} is of {Address(run.host, run.workspace_id)}, and was signed in by {run.origin}. Connect "
        f"there, and give workspace=… or --profile. {problem}"
    )
