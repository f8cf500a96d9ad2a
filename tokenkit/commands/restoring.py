"""The commands that restore the entries of permissions that a run changed: after it, in the journal and in ``undo``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

import pandas as pd

from tokenkit import frames
from tokenkit.actions import permissions
from tokenkit.actions.journal import Run
from tokenkit.commands.session import FrontEnd
from tokenkit.rest.credentials import ENVIRONMENT, UNIFIED, profile_of
from tokenkit.review.entries import changes_level

_STARTS = {
    "add": ("To restore the entries, but no tokens", "Then"),
    "remove": (
        "To remove the entries again, after a preview of the tokens that this deletes, if any",
        "Then, after a preview of the tokens that this deletes, if any",
    ),
}
"""What a command is for, as the first one and after another one."""


def how_to_restore(program: str, run_id: str, changes: pd.DataFrame, profiles: Mapping[str, str | None]) -> list[str]:
    """Return the commands that restore entries, each after what it is for; if none can be typed, where the entries are.

    Args:
        program: The name of the program.
        run_id: The run that changed the entries.
        changes: The entries: ``workspace``, then the columns of ``entries.LEVELS``.
        profiles: What ``--profile`` takes for each workspace; empty for the workspace of the environment or the
            connected one, None if nothing names it.
    """
    return commands(program, changes, profiles) or [
        f"The entries before the change: {program} journal --run {run_id}. `permissions set` with these restores the "
        "entries, but no tokens, and removes entries that were added since."
    ]


def how_to_restore_runs(front_end: FrontEnd, run_id: str, runs: Sequence[Run]) -> list[str]:
    """Return the same for a run in the journal that changed permissions.

    Args:
        front_end: The front end.
        run_id: The run.
        runs: Its parts, or the run itself.
    """
    entries = frames.concat([permissions.recorded_levels(run.settings).assign(workspace=run.run_id) for run in runs])
    profiles = {run.run_id: _profile(front_end, run) for run in runs}
    return how_to_restore(front_end.program, run_id, entries[changes_level(entries)], profiles)


def commands(program: str, changes: pd.DataFrame, profiles: Mapping[str, str | None]) -> list[str]:
    """Return the commands, as ``how_to_restore``; nothing if a workspace or a principal cannot be typed."""
    alike: dict[_Opposite, list[str | None]] = {}
    for workspace, of_one in changes.groupby("workspace", sort=False):
        alike.setdefault(_opposite(of_one), []).append(profiles[str(workspace)])
    *others, last = [profile for group in alike.values() for profile in group]
    if not all([*others, last or not others]) or last is None or changes["principal"].str.contains("=").any():
        return []
    path, option = (["fleet", "permissions"], "--profiles") if others else (["permissions"], "--profile")
    lines: list[str] = []
    for opposite, group in alike.items():
        where = [option, ",".join(map(str, group))] if any(group) else []
        for verb, entries in opposite:
            lines.append(f"{_STARTS[verb][bool(lines)]}: {program} {shlex.join([*path, verb, *entries, *where])}")
    return lines


_Opposite = tuple[tuple[str, tuple[str, ...]], ...]


def _opposite(changes: pd.DataFrame) -> _Opposite:
    """Return the commands that restore entries, each with its entries.

    Entries are added before others are removed, because a principal that has none in between would lose its tokens.
    """
    old = changes["permission_level"]
    entries = changes["kind"].str.replace("_", "-") + ":" + changes["principal"]
    verbs = {"add": (entries + "=" + old)[old.notna()], "remove": entries[old.isna()]}
    return tuple((verb, tuple(named)) for verb, named in verbs.items() if len(named))


def _profile(front_end: FrontEnd, run: Run) -> str | None:
    """Return what ``--profile`` takes for the workspace of a run; see ``how_to_restore``."""
    if named := profile_of(run.origin) or (run.host if run.origin == UNIFIED else ""):
        return named
    is_connected = front_end.connected is not None and front_end.connected.host == run.host
    return "" if is_connected or run.origin == ENVIRONMENT else None
