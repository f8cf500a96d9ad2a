"""Carrying on a run that the journal has, with the workspace that it was of."""

from __future__ import annotations

import threading
from pathlib import Path

import pandas as pd

from tokenkit import errors
from tokenkit.actions import creation, permissions, revocation, update
from tokenkit.actions.journal import FILE_NAME, Journal, Run
from tokenkit.actions.plan import Progress
from tokenkit.connecting import connect
from tokenkit.home import home as state_folder
from tokenkit.workspace import IN_HAND, Workspace

_RESUME = {module.KIND: module.resume for module in (revocation, permissions, update, creation)}


def resume(run_id: str, *, workspace: Workspace | None = None, progress: bool = True) -> pd.DataFrame:
    """Finish a run that was stopped, killed or staged, and return what became of each of its tokens.

    What the journal records as revoked, gone or skipped is left alone. What may have been carried out is looked up
    first. What was used or changed owner since the plan is skipped, as it would have been by ``apply``.

    Args:
        run_id: As ``apply`` and ``Workspace.journal`` name it.
        workspace: The workspace of the run; by default one that is connected to the same host, else signed in as the
            run was.
        progress: Show a progress bar once it takes more than two seconds.

    Returns:
        A row for each token of the run: ``token_id, owner, outcome, error, attempts, started_at, finished_at``.

    Raises:
        UsageError: There is no such run, or the workspace is another than the run's.
    """
    with Journal(workspace.folder if workspace else folder_of(run_id)) as journal:
        run = journal.run(run_id)
        return carry_on(journal, run, workspace or workspace_of(run), progress=progress)


def carry_on(
    journal: Journal, run: Run, workspace: Workspace, *, progress: bool | Progress, stop: threading.Event | None = None
) -> pd.DataFrame:
    """Carry out what is left of a run that a journal has.

    Raises:
        UsageError: The workspace is another than the run's, or another process carries it out now.
    """
    if workspace.host != run.host:
        raise errors.UsageError(
            f"Run {run.run_id} is of {run.host}, not of {workspace.host}. Connect there and give workspace=…."
        )
    with journal.held(run.run_id):
        target, entries = workspace._target(), journal.entries(run.run_id)  # noqa: SLF001 - private to the package
        return _RESUME[run.kind](target, run, entries, journal, progress=progress, stop=stop)


def folder_of(run_id: str) -> Path:
    """Return the folder whose journal has a run: of a workspace in hand, else the state folder."""
    for folder in {workspace.folder for workspace in IN_HAND.values()} - {state_folder()}:
        if (folder / FILE_NAME).exists():
            with Journal(folder) as journal:
                if journal.has(run_id):
                    return folder
    return state_folder()


def workspace_of(run: Run) -> Workspace:
    """Return the workspace of a run: one in hand, else connected as the run was, by its profile or the environment."""
    if (in_hand := IN_HAND.get(run.host)) is not None:
        return in_hand
    _, is_profile, profile = run.origin.partition("profile ")
    return connect(profile if is_profile else None)
