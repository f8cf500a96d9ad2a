"""Connects to the workspace of a profile, a host or an SDK object."""

from __future__ import annotations

import os
import sys
import tempfile
import weakref
from pathlib import Path
from typing import Any

import pandas as pd

from tokenkit import errors
from tokenkit import sandbox as simulation
from tokenkit.core.arguments import folder as folder_of
from tokenkit.core.arguments import optional, whole_number
from tokenkit.core.clock import Clock, clock_of
from tokenkit.core.installation import warn_of_other_distribution
from tokenkit.core.printable import printable
from tokenkit.core.wording import pluralize
from tokenkit.rest import credentials as sign_in
from tokenkit.rest.hosts import is_address
from tokenkit.rest.profiles import SANDBOX
from tokenkit.rest.tracebacks import without_frames
from tokenkit.rest.transport import RetryPolicy
from tokenkit.workspaces.folder import state_folder
from tokenkit.workspaces.workspace import Workspace

_SANDBOX_TOKENS = 1_000
_MOST_TOKENS = 10_000_000


@without_frames()
def connect(
    target: object = None,
    *,
    host: str | None = None,
    token: str | None = None,
    workspace_id: int | str | None = None,
    clock: Clock | pd.Timestamp | str | None = None,
    retries: RetryPolicy | None = None,
    home: str | os.PathLike[str] | None = None,
    tokens: int | None = None,
    seed: int | None = None,
    workspaces: int | None = None,
) -> Workspace:
    """Return a workspace. No request is sent yet, so an invalid credential causes an error at the first call. Only for
    the identity of a notebook, the name is requested and printed.

    Args:
        target: One of

            - None: the environment, ``~/.databrickscfg``, or the identity of a Databricks notebook, as in the official
              tools;
            - a profile's name: ``connect("prod")``;
            - a host: ``connect("https://my.cloud.databricks.com")``, with the sign-in that the official tools would
              use;
            - an official ``WorkspaceClient`` or ``Config``, whose sign-in is shared;
            - ``"sandbox"``: a simulated workspace, started in this process.
        host: The workspace's address. With ``token``, no other setting is read. Otherwise, the environment's
            credentials are used, unless the environment names another host. The host can contain the workspace's id as
            ``?o=ID``.
        token: A personal access token for ``host``.
        workspace_id: The id of the workspace, if the host serves several. It is compared with the id in responses.
        clock: The reference time for ages and statuses: a function, or a fixed time. By default, the current time.
        retries: How long and how often to retry; see ``RetryPolicy``.
        home: The folder of the journal and the configuration. By default ``TOKENKIT_HOME``, or else the platform's
            state folder; inside Databricks, ``.tokenkit`` in your workspace folder. A sandbox in this process has a
            temporary folder.
        tokens: The number of tokens in the sandbox, including the caller's own; 1,000 by default.
        seed: The seed of the generated company in the sandbox; 0 by default.
        workspaces: The number of workspaces in the sandbox, each with this number of tokens; 1 by default. The first
            one is returned; ``Workspace.sandbox`` has all of them, and their account.

    Raises:
        UsageError: A number, the clock or the folder is invalid.
        ConfigurationError: No credentials were found, settings conflict, or the credentials are for another host.
        ConnectionFailedError: The sign-in requires a request, and the host could not be reached.
    """
    warn_of_other_distribution()
    now = clock_of(clock)
    optional("retries", retries, RetryPolicy)
    folder = None if home is None else folder_of("home", home)
    if isinstance(target, str) and target == SANDBOX:
        if not (host is token is workspace_id is None):
            raise errors.ConfigurationError(
                'connect("sandbox") starts a new workspace and does not accept a host, token or workspace id.'
            )
        return _start_sandbox(
            now,
            retries,
            home,
            tokens=whole_number("tokens", _SANDBOX_TOKENS if tokens is None else tokens, least=1, most=_MOST_TOKENS),
            seed=whole_number("seed", 0 if seed is None else seed, least=0),
            workspaces=whole_number("workspaces", 1 if workspaces is None else workspaces, least=1, most=1_000),
        )
    if not (tokens is seed is workspaces is None):
        raise errors.ConfigurationError(
            'tokens=, seed= and workspaces= are only for a sandbox: connect("sandbox", tokens=…, seed=…).'
        )
    signed = _credentials(target, host, token).of_workspace(workspace_id)
    workspace = Workspace(signed, folder=state_folder() if folder is None else folder, clock=now, retries=retries)
    if signed.origin == sign_in.NOTEBOOK:
        _say_who(workspace)
    return workspace


def _credentials(target: object, host: str | None, token: str | None) -> sign_in.Credentials:
    if target is not None and not (host is token is None):
        raise errors.ConfigurationError(
            "Pass either a profile, or a host and a token. They might be for different workspaces."
        )
    if host is not None:
        return sign_in.from_host(host) if token is None else sign_in.from_token(host, token)
    if token is not None:
        raise errors.ConfigurationError("A token does not identify its workspace. Pass host=… as well.")
    if target is None:
        return sign_in.from_environment()
    if isinstance(target, str):
        return sign_in.from_host(target) if is_address(target) else sign_in.from_profile(target)
    config: Any = getattr(target, "config", target)  # a WorkspaceClient has a Config, or this is one
    if callable(getattr(config, "authenticate", None)):
        return sign_in.from_sdk_config(config)
    raise errors.ConfigurationError(
        "connect() requires a profile, a host, a databricks.sdk WorkspaceClient or Config, or 'sandbox'; "
        f"not a {type(target).__name__}."
    )


def _say_who(workspace: Workspace) -> None:
    """Print the identity of the notebook, which the user did not choose, and whether it is not a workspace admin."""
    user, is_admin = workspace.api.who()
    problem = " This is not a workspace admin, so most requests will be denied." if is_admin is False else ""
    sys.stderr.write(printable(f"Signed in to {workspace.host} as {user}, {sign_in.NOTEBOOK}.{problem}") + "\n")


def _start_sandbox(
    clock: Clock,
    retries: RetryPolicy | None,
    home: str | os.PathLike[str] | None,
    *,
    tokens: int,
    seed: int,
    workspaces: int,
) -> Workspace:
    sandbox = simulation.Sandbox(tokens=tokens, seed=seed, workspaces=workspaces, clock=lambda: clock().timestamp())
    sandbox.start()
    # Without the address: saved notebooks contain this line, and the port would change with each run.
    what = pluralize(tokens, "made-up token") + (f" in each of {workspaces:,} workspaces" if workspaces > 1 else "")
    sys.stderr.write(f"Started a sandbox in this process: {what}, nothing of it is real.\n")
    if SANDBOX in sign_in.profiles():
        sys.stderr.write(f"Your profile {SANDBOX!r} was not used. Connect to it by its host, or rename it.\n")
    # The sign-in function holds a reference to the sandbox, which ends when no client is left.
    sandbox.stop_when_forgotten()
    credentials = sign_in.Credentials(
        sandbox.host,
        lambda: {"Authorization": f"Bearer {sandbox.token}"},
        origin="the sandbox in this process",
        name=SANDBOX,
    )
    # Runs on a simulated workspace do not belong in the journal of real ones.
    temporary = tempfile.TemporaryDirectory(prefix="tokenkit-") if home is None else None
    folder = Path(temporary.name if temporary else home or "")
    workspace = Workspace(credentials, folder=folder, clock=clock, retries=retries, sandbox=sandbox)
    if temporary:
        weakref.finalize(workspace, temporary.cleanup)
    return workspace
