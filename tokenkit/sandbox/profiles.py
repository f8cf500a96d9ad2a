"""Profiles for the official tools: a configuration file with an admin, a user and a service principal.

Writing it creates a token of an ordinary user in each workspace, because a seeded token has no value.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from tokenkit.sandbox.state.tokens import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenkit.sandbox.sandbox import Sandbox, SandboxWorkspace

FIRST_LINE = "# Written by tokenkit sandbox, which overwrites this file. Valid while that sandbox runs."
_DEFAULT = ".databrickscfg"
_TOKEN_DAYS = 90


def profiles_of(sandbox: Sandbox) -> dict[str, dict[str, str]]:
    """Return the profiles of a sandbox by name, after creating the users' tokens.

    The first workspace's are ``admin``, ``user`` and ``service-principal``; the second's are ``admin-2`` and so on.
    ``account`` is the account's.
    """
    signed_in = {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret}
    profiles: dict[str, dict[str, str]] = {}
    for number, workspace in enumerate(sandbox.workspaces, 1):
        suffix = "" if number == 1 else f"-{number}"
        profiles[f"admin{suffix}"] = {"host": workspace.host, "token": workspace.token}
        profiles[f"user{suffix}"] = {"host": workspace.host, "token": _users_token(workspace, sandbox.now_ms())}
        profiles[f"service-principal{suffix}"] = {"host": workspace.host, **signed_in}
    profiles["account"] = {"host": sandbox.account_host, "account_id": sandbox.account_id, **signed_in}
    return profiles


def check_writable(path: Path) -> None:
    """Check that a file can be written: that it is not the default one, and is new or written by a sandbox.

    Raises:
        ValueError: It is the default file, was not written by a sandbox, or cannot be read; and what to do.
    """
    defaults = [Path.home() / _DEFAULT]
    if os.environ.get("USERPROFILE"):
        defaults.append(Path(os.environ["USERPROFILE"]) / _DEFAULT)
    problem = ""
    if any(path.resolve() == default.resolve() for default in defaults):
        problem = "is the file of your own profiles, which a sandbox never writes"
    elif path.is_symlink():
        problem = "is a symbolic link"
    elif not path.parent.is_dir():
        problem = f"cannot be written: there is no folder {path.parent}"
    else:
        try:
            if not path.read_bytes().startswith(FIRST_LINE.encode()):
                problem = "was not written by a sandbox, which would overwrite it"
        except FileNotFoundError:
            pass
        except OSError as failure:
            problem = f"cannot be read: {failure.strerror}"
    if problem:
        raise ValueError(
            f"--profiles: {path} {problem}. Give the path of a new file, as in --profiles sandbox.cfg. Official tools "
            "and tokenkit read it if DATABRICKS_CONFIG_FILE is its path."
        )


def write_profiles(path: Path, profiles: Mapping[str, Mapping[str, str]]) -> None:
    """Write profiles to a file that only its owner can read, in one step.

    Raises:
        ValueError: See ``check_writable``.
        OSError: It cannot be written.
    """
    check_writable(path)
    sections = [
        "\n".join([f"[{name}]", *(f"{key} = {value}" for key, value in profile.items()), ""])
        for name, profile in profiles.items()
    ]
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with os.fdopen(os.open(partial, flags, stat.S_IRUSR | stat.S_IWUSR), "w", encoding="utf-8") as file:
            file.write("\n".join([FIRST_LINE, "", *sections]))
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def _users_token(workspace: SandboxWorkspace, now_ms: int) -> str:
    """Create a token of an active user who is not an admin and can use tokens."""
    state = workspace.state
    with state.database.transaction():
        holders = state.permissions.holders()
        user = next(
            user
            for user in state.directory.page("user")
            if user.active and user.id in holders and not state.is_admin(user.id)
        )
        maximum = state.settings.expiry_time(None, now_ms=now_ms)
        minted = state.tokens.mint(
            owner_id=user.id,
            created_by_id=user.id,
            created_by_username=user.name,
            creation_time=now_ms,
            expiry_time=min(now_ms + _TOKEN_DAYS * DAY_MS, maximum),
            comment="laptop",
        )
    return minted.value
