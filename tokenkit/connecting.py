"""From what an admin names, a profile or a host, to the workspace that is meant."""

from __future__ import annotations

import os
import sys
import tempfile
import weakref
from pathlib import Path
from typing import Any

import pandas as pd

from tokenkit import errors
from tokenkit.clock import Clock, clock_of
from tokenkit.home import home as state_folder
from tokenkit.rest import credentials as sign_in
from tokenkit.rest.hosts import is_address
from tokenkit.rest.transport import RetryPolicy
from tokenkit.wording import counted
from tokenkit.workspace import Workspace

SANDBOX = "sandbox"
"""The name that ``connect`` reads as: start a sandbox in this process."""

_SANDBOX_TOKENS = 1_000


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
    """Return a workspace to work on. Nothing is asked of it yet, so a wrong credential shows at the first call.

    Args:
        target: One of

            - nothing: the environment, ``~/.databrickscfg``, or the notebook's own sign-in, as the official tools find
              them;
            - a profile's name: ``connect("prod")``;
            - a host: ``connect("https://my.cloud.databricks.com")``, signed in as the official tools would;
            - an official ``WorkspaceClient`` or ``Config``, whose sign-in is shared;
            - ``"sandbox"``: a make-believe workspace, started in this process.
        host: The workspace's address; with ``token``, nothing else is looked at. Without, the environment's credentials
            are used, unless the environment names another host. ``?o=ID`` in it says which workspace is meant.
        token: A personal access token for ``host``.
        workspace_id: Which workspace is meant, where a host serves several; what a response says is checked against it.
        clock: What "now" is for ages and statuses: a function, or one fixed moment. The time of day by default.
        retries: How patient to be; see ``RetryPolicy``.
        home: The folder of the journal and the configuration: ``TOKENKIT_HOME``, else the platform's state folder. A
            sandbox in this process has one of its own, which goes with it.
        tokens: How many tokens the sandbox has, the caller's own included; 1,000 by default.
        seed: Which make-believe company the sandbox is; 0 by default.
        workspaces: How many workspaces the sandbox has, each with so many tokens; 1 by default. The first is returned;
            ``Workspace.sandbox`` has them all, and their account.

    Raises:
        ConfigurationError: No credentials were found, settings contradict each other, or the credentials at hand are
            for another host.
    """
    now = clock_of(clock)
    if target == SANDBOX:
        if not (host is token is workspace_id is None):
            raise errors.ConfigurationError(
                'connect("sandbox") starts a workspace of its own; it takes no host, token or workspace id.'
            )
        count = _SANDBOX_TOKENS if tokens is None else tokens
        return _start_sandbox(now, retries, home, tokens=count, seed=seed or 0, workspaces=workspaces or 1)
    if not (tokens is seed is workspaces is None):
        raise errors.ConfigurationError(
            'tokens=, seed= and workspaces= shape a sandbox: connect("sandbox", tokens=…, seed=…).'
        )
    folder = state_folder() if home is None else Path(home)
    signed = _credentials(target, host, token).of_workspace(workspace_id)
    return Workspace(signed, folder=folder, clock=now, retries=retries)


def _credentials(target: object, host: str | None, token: str | None) -> sign_in.Credentials:
    if target is not None and not (host is token is None):
        raise errors.ConfigurationError("Give a profile, or host and token, not both: they might mean two workspaces.")
    if host is not None:
        return sign_in.from_host(host) if token is None else sign_in.from_token(host, token)
    if token is not None:
        raise errors.ConfigurationError("A token alone does not say which workspace it is for: give host=… as well.")
    if target is None:
        return sign_in.from_environment()
    if isinstance(target, str):
        return sign_in.from_host(target) if is_address(target) else sign_in.from_profile(target)
    config: Any = getattr(target, "config", target)  # a WorkspaceClient has one, a Config is one
    if callable(getattr(config, "authenticate", None)):
        return sign_in.from_sdk_config(config)
    raise errors.ConfigurationError(
        "connect() takes a profile, a host, a databricks.sdk WorkspaceClient or Config, or 'sandbox'; "
        f"not a {type(target).__name__}."
    )


def _start_sandbox(
    clock: Clock,
    retries: RetryPolicy | None,
    home: str | os.PathLike[str] | None,
    *,
    tokens: int,
    seed: int,
    workspaces: int,
) -> Workspace:
    from tokenkit.sandbox import Sandbox  # noqa: PLC0415 - a web server and a database, for those who ask for them

    sandbox = Sandbox(tokens=tokens, seed=seed, workspaces=workspaces, clock=lambda: clock().timestamp())
    sandbox.start()
    # Without the address: the line stands in saved notebooks, where a port would change with each run.
    what = f"{counted(tokens, 'made-up token')}" + (f" in each of {workspaces:,} workspaces" if workspaces > 1 else "")
    sys.stderr.write(f"Started a sandbox in this process: {what}, nothing of it is real.\n")
    if SANDBOX in sign_in.profiles():
        sys.stderr.write(f"Your profile {SANDBOX!r} was not used; connect to it by its host, or rename it.\n")
    # Whatever speaks with the sandbox signs by it and so holds it; when nothing does any more, it ends.
    sandbox.stop_when_forgotten()
    credentials = sign_in.Credentials(
        sandbox.host,
        lambda: {"Authorization": f"Bearer {sandbox.token}"},
        origin="the sandbox in this process",
        name=SANDBOX,
    )
    # What was done to a make-believe workspace does not belong into the record of the real ones.
    temporary = tempfile.TemporaryDirectory(prefix="tokenkit-") if home is None else None
    folder = Path(temporary.name if temporary else home or "")
    workspace = Workspace(credentials, folder=folder, clock=clock, retries=retries, sandbox=sandbox)
    if temporary:
        weakref.finalize(workspace, temporary.cleanup)
    return workspace
