"""Creates the fleet for profiles, hosts or an account, and finds the fleet of a run.

Workspaces are not connected here. Each is connected when it is first used.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from tokenkit import errors
from tokenkit.actions.journal import Journal, Run
from tokenkit.core.arguments import folder as folder_of
from tokenkit.core.arguments import optional
from tokenkit.core.clock import Clock, clock_of
from tokenkit.core.spelling import spelled
from tokenkit.fleets.fleet import Fleet
from tokenkit.fleets.members import WORKERS, Member, Members
from tokenkit.rest import accounts, credentials
from tokenkit.rest.hosts import Address, address, is_address
from tokenkit.rest.profiles import SANDBOX
from tokenkit.rest.tracebacks import without_frames
from tokenkit.rest.transport import RetryPolicy
from tokenkit.workspaces.base import AnyWorkspace, ManagedSource
from tokenkit.workspaces.connect import connect
from tokenkit.workspaces.folder import state_folder
from tokenkit.workspaces.runs import workspace_of
from tokenkit.workspaces.workspace import Workspace

_FLEET_RETRIES = RetryPolicy(budget_seconds=30)  # a workspace that is down must not delay the others by five minutes


@without_frames()
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
    """Return many workspaces as one. No request is sent yet.

    Args:
        workspaces: Any number of values that ``connect`` accepts (profiles, hosts, official ``WorkspaceClient`` or
            ``Config``) or connected workspaces. Two names for the same workspace count once, with the credential of
            the first, and a message says so. Workspaces that share a host are asked for their ids, and are named
            ``https://host/?o=ID`` if they differ.
        account: Instead, all workspaces of an account: an official ``AccountClient`` or ``Config``, a profile, or the
            host of the account console. Its sign-in is used for each workspace. Workspaces that are not running are
            left out and listed in ``Fleet.errors``.
        account_id: The account's id, if ``account`` is a host.
        clock: As for ``connect``. Like the next two, it applies to workspaces that are not connected yet.
        retries: How long and how often to retry; 30 seconds per workspace by default, because all wait for the slowest.
        home: The folder of the journal.
        workers: The number of workspaces to query at once.
        progress: Whether to show a progress bar for operations that take more than two seconds.

    Raises:
        ConfigurationError: There is no workspace, a profile is unknown, or the account could not be listed.
        ConnectionFailedError: The account could not be reached.
    """
    settings: dict[str, Any] = {
        "clock": clock_of(clock),
        "retries": optional("retries", retries, RetryPolicy) or _FLEET_RETRIES,
        "home": None if home is None else folder_of("home", home),
    }
    if account is not None:
        if workspaces != ():
            raise errors.ConfigurationError("Pass either workspaces or an account, not both.")
        config = accounts.account_config(account, account_id)
        members, left_out = _of_account(config, settings)
        return Fleet(
            Members(members, workers=workers, shows_progress=progress, left_out=left_out),
            oauth_secrets=functools.partial(accounts.oauth_secrets, config),
        )
    given = [workspaces] if isinstance(workspaces, str) or not isinstance(workspaces, Iterable) else list(workspaces)
    if not given:
        how = spelled('Pass fleet(["prod", "dev"]), or account=…')
        raise errors.ConfigurationError(f"A fleet requires at least one workspace. {how}.")
    credentials.check_token_is_for(
        address(target) for target in given if isinstance(target, str) and is_address(target)
    )
    return Fleet(Members([_named(target, settings) for target in given], workers=workers, shows_progress=progress))


def _of_account(
    config: Any,  # noqa: ANN401 - the SDK's Config
    settings: Mapping[str, Any],
) -> tuple[list[Member], dict[str, Exception]]:
    """Return the running workspaces of an account, and why the others are left out."""
    found = accounts.account_workspaces(config)
    running = [workspace for workspace in found if workspace.status == accounts.RUNNING and workspace.host]
    if not running:
        raise errors.ConfigurationError(
            f"{config.host}: account {config.account_id} has no running workspace that the caller can see."
        )
    folder = _folder(settings)
    members = [
        Member(
            Address(workspace.host, str(workspace.workspace_id)),
            folder,
            lambda workspace=workspace: Workspace(  # type: ignore[misc]
                workspace.sign_in(), folder=folder, clock=settings["clock"], retries=settings["retries"]
            ),
            label=workspace.name,
        )
        for workspace in running
    ]
    left_out: dict[str, Exception] = {
        workspace.host or workspace.name: errors.ConfigurationError(
            f"{workspace.name} is {workspace.status}, so it is left out."
        )
        for workspace in found
        if workspace not in running
    }
    return members, left_out


def _named(given: object, settings: Mapping[str, Any]) -> Member:
    if isinstance(given, Workspace):
        return Member(Address(given.host, given.workspace_id), given.folder, lambda: given)
    if not isinstance(given, str) or given == SANDBOX:
        made = connect(given, **settings)  # no request is sent: an SDK object signs in itself
        return Member(Address(made.host, made.workspace_id), made.folder, lambda: made)
    credentials.load_sdk()  # before several threads import it at once
    where = address(given) if is_address(given) else credentials.profile_address(given)
    if not where.host:
        raise errors.ConfigurationError(
            f"Profile {given!r} has no host, so its workspace is not known. "
            f"{spelled('Pass connect({profile!r}) instead', profile=given)}."
        )
    label = "" if is_address(given) else given
    return Member(where, _folder(settings), lambda: connect(given, **settings), label=label)


def _folder(settings: Mapping[str, Any]) -> Path:
    return settings["home"] or state_folder()


def resume(
    run_id: str,
    *,
    workspace: AnyWorkspace | None = None,
    usage: pd.DataFrame | None = None,
    ignore_usage: bool = False,
    progress: bool = True,
) -> pd.DataFrame:
    """Finish a run that was stopped, killed or staged, print a summary, and return the outcome of each token.

    Calling this function is the confirmation; ``Workspace.plan_resume`` shows beforehand what remains. Tokens that the
    journal records as revoked, already gone or skipped are not processed again. A request that may have been processed
    is looked up first. Tokens that were used or changed owner since the plan are skipped, as ``apply`` does.

    Args:
        run_id: The id of the run, as in the plan's ``run_id`` and in ``runs``: of one workspace, of a fleet, or of a
            part of a fleet's run.
        workspace: The workspace or the fleet of the run. By default, the run is looked up in the journal of the state
            folder, and the sign-in is the one that the run used: its profile, or else the environment, if that is for
            the run's host.
        usage: Newer evidence of use: the result of ``Workspace.usage``. Tokens that signed in since the plan are
            skipped.
        ignore_usage: Whether to resume a run that was planned with evidence without reading it again.
        progress: Whether to show a progress bar if it takes more than two seconds.

    Returns:
        A row for each token of the run: ``token_id, owner, outcome, error, attempts, started_at, finished_at``; a
        fleet's run has ``workspace`` as the first column.

    Raises:
        UsageError: There is no such run, it belongs to another workspace, or there is no sign-in for its workspace.
    """
    if workspace is not None and not isinstance(workspace, ManagedSource):
        raise errors.UsageError(f"workspace must be a Workspace or a Fleet, not {type(workspace).__name__}.")
    holder = holder_of(run_id) if workspace is None else workspace
    return holder.resume(run_id, usage, ignore_usage=ignore_usage, progress=progress)


def holder_of(run_id: str, clock: Clock | pd.Timestamp | None = None) -> AnyWorkspace:
    """Return the workspace or fleet of a run in the journal of the state folder, with the sign-in of the run.

    Args:
        run_id: As for ``resume``.
        clock: As for ``connect``.

    Raises:
        UsageError: There is no such run, or there is no sign-in for its workspace.
    """
    with Journal(state_folder()) as journal:
        run_id = journal.whole_run_id(run_id)
        parts = journal.parts(run_id)
        run = None if parts else journal.run(run_id)
    return workspace_of(run, clock) if run is not None else Fleet(Members(_member_of(part, clock) for part in parts))


def _member_of(run: Run, clock: Clock | pd.Timestamp | None) -> Member:
    return Member(Address(run.host, run.workspace_id), state_folder(), lambda: workspace_of(run, clock))
