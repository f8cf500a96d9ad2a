"""From what an admin names, profiles, hosts or an account, to the fleet that is meant; and from a run to its fleet.

None of the workspaces is connected here: each is when it is first asked something.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from tokenkit import errors
from tokenkit.actions.journal import Journal, Run
from tokenkit.clock import Clock
from tokenkit.connecting import SANDBOX, connect
from tokenkit.fleet import Fleet
from tokenkit.fleet_members import WORKERS, Member, Members
from tokenkit.home import home as state_folder
from tokenkit.rest import accounts, credentials
from tokenkit.rest.hosts import Address, address, is_address
from tokenkit.rest.transport import RetryPolicy
from tokenkit.runs import workspace_of
from tokenkit.workspace import Workspace

_PATIENCE = RetryPolicy(budget_seconds=30)  # one that is down should not keep the others waiting for five minutes


def fleet(
    workspaces: object = (),
    *,
    account: object = None,
    account_id: str | None = None,
    clock: Clock | pd.Timestamp | str | None = None,
    retries: RetryPolicy | None = None,
    home: str | os.PathLike[str] | None = None,
    workers: int = WORKERS,
    progress: bool = True,
) -> Fleet:
    """Return many workspaces to work on as one. None of them is asked anything yet.

    Args:
        workspaces: What ``connect`` takes, any number of it: profiles, hosts, official ``WorkspaceClient`` or
            ``Config``; and connected workspaces. Two names for one workspace are one; those that share a host are
            asked which workspace they are, and are called ``https://host/?o=ID`` where they are several.
        account: The workspaces of an account, instead: an official ``AccountClient`` or ``Config``, a profile, or the
            host of the account console. Its sign-in is used for each of them. Those that are not running are left out,
            and stand in ``Fleet.errors``.
        account_id: Which account, where ``account`` is a host.
        clock: As for ``connect``; for the workspaces that are not connected yet, as are the next two.
        retries: How patient to be with each; 30 seconds by default, as all wait for the slowest.
        home: The folder of the journal.
        workers: How many workspaces are asked at once.
        progress: Show a progress bar over what takes more than two seconds.

    Raises:
        ConfigurationError: No workspace, an unknown profile, or an account that could not be listed.
    """
    settings: dict[str, Any] = {"clock": clock, "retries": retries or _PATIENCE, "home": home}
    if account is not None:
        if workspaces != ():
            raise errors.ConfigurationError("Give workspaces, or an account, not both.")
        members, left_out = _of_account(accounts.account_config(account, account_id), settings)
        return Fleet(Members(members, workers=workers, shows_progress=progress, left_out=left_out))
    given = [workspaces] if isinstance(workspaces, str) or not isinstance(workspaces, Iterable) else list(workspaces)
    if not given:
        raise errors.ConfigurationError('A fleet has at least one workspace: fleet(["prod", "dev"]), or account=….')
    credentials.check_token_is_for(address(each) for each in given if isinstance(each, str) and is_address(each))
    return Fleet(Members([_named(each, settings) for each in given], workers=workers, shows_progress=progress))


def _of_account(
    config: Any,  # noqa: ANN401 - the SDK's Config
    settings: Mapping[str, Any],
) -> tuple[list[Member], dict[str, Exception]]:
    """Return the workspaces of an account that are running, and why the others are left out."""
    found = accounts.account_workspaces(config)
    running = [each for each in found if each.status == accounts.RUNNING and each.host]
    if not running:
        raise errors.ConfigurationError(
            f"{config.host}: account {config.account_id} has no running workspace that the caller can see."
        )
    members = [
        Member(
            Address(each.host, str(each.workspace_id)),
            _folder(settings),
            lambda each=each: Workspace(each.sign_in(), **_made_with(settings)),  # type: ignore[misc]
        )
        for each in running
    ]
    left_out: dict[str, Exception] = {
        each.host or each.name: errors.ConfigurationError(f"{each.name} is {each.status}, so it is not asked.")
        for each in found
        if each not in running
    }
    return members, left_out


def _named(given: object, settings: Mapping[str, Any]) -> Member:
    if isinstance(given, Workspace):
        return Member(Address(given.host, given.workspace_id), given.folder, lambda: given)
    if not isinstance(given, str) or given == SANDBOX:
        made = connect(given, **settings)  # nothing is asked: an SDK object has signed in, or will
        return Member(Address(made.host, made.workspace_id), made.folder, lambda: made)
    credentials.load_sdk()  # before threads would do it, all at once
    where = address(given) if is_address(given) else credentials.profile_address(given)
    if not where.host:
        raise errors.ConfigurationError(
            f"Profile {given!r} names no host, so it is not known which workspace it is: give connect({given!r})."
        )
    return Member(where, _folder(settings), lambda: connect(given, **settings))


def _folder(settings: Mapping[str, Any]) -> Path:
    return state_folder() if settings["home"] is None else Path(settings["home"])


def _made_with(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {"clock": settings["clock"], "retries": settings["retries"], "folder": _folder(settings)}


def resume(run_id: str, *, workspace: Workspace | Fleet | None = None, progress: bool = True) -> pd.DataFrame:
    """Finish a run that was stopped, killed or staged, say what became of it, and return what became of each token.

    Calling it is the confirmation; ``Workspace.plan_resume`` shows what remains before. What the journal records as
    revoked, gone or skipped is left alone. What may have been carried out is looked up first. What was used or changed
    owner since the plan is skipped, as it would have been by ``apply``.

    Args:
        run_id: As ``apply`` and ``Workspace.journal`` name it: of one workspace, of a fleet, or of a part of it.
        workspace: The workspace of the run, or the fleet, which are asked as ``Workspace.resume`` does. By default the
            run is looked up in the state folder's journal and signed in as it was: by its profile, else by the
            environment, if that is for the run's host.
        progress: Show a progress bar once it takes more than two seconds.

    Returns:
        A row for each token of the run: ``token_id, owner, outcome, error, attempts, started_at, finished_at``; of a
        fleet's run, ``workspace`` before them.

    Raises:
        UsageError: There is no such run, the workspace is another than the run's, or there is no sign-in for it.
    """
    return (workspace or holder_of(run_id)).resume(run_id, progress=progress)


def holder_of(run_id: str) -> Workspace | Fleet:
    """Return the workspace or the fleet of a run that the state folder's journal has, signed in as the run was.

    Raises:
        UsageError: There is no such run, or no sign-in for its workspace.
    """
    with Journal(state_folder()) as journal:
        parts = journal.parts(run_id)
        run = None if parts else journal.run(run_id)
    return workspace_of(run) if run is not None else Fleet(Members(_member_of(part) for part in parts))


def _member_of(run: Run) -> Member:
    return Member(Address(run.host, run.workspace_id), state_folder(), lambda: workspace_of(run))
