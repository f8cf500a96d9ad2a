"""The commands that compare the listing with an earlier one or with leaked values: snapshot, changes, find-leaked."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tokenkit import errors
from tokenkit.commands.session import Session
from tokenkit.core.printable import printable
from tokenkit.core.wording import of, pluralize
from tokenkit.fleets.fleet import Fleet
from tokenkit.output.snapshots import TAKEN_AT, WORKSPACE, list_snapshots, newest, read_snapshot
from tokenkit.review import leaks
from tokenkit.review.changes import COMMENT_CHANGED, FIRST_USED, OWNER_CHANGED, SCOPES_CHANGED
from tokenkit.review.leaks import Leaks
from tokenkit.workspaces.base import AnyWorkspace, TokenSource
from tokenkit.workspaces.changes import changes as compare
from tokenkit.workspaces.workspace import Workspace

LATEST = "latest"
"""The name of the latest snapshot of the workspace, in its own folder."""

_COUNTED = {
    OWNER_CHANGED: "changed owner",
    SCOPES_CHANGED: "changed scopes",
    COMMENT_CHANGED: "changed comment",
    FIRST_USED: "used for the first time",
}


def snapshot(session: Session[AnyWorkspace], *, path: str | None) -> pd.DataFrame:
    """Save the listing, and return its row of ``Workspace.snapshots``; of a fleet, one row per workspace."""
    workspace = session.workspace()
    saved = list_snapshots(workspace.snapshot_files(path).values())
    place = ""
    if not session.front_end.returns_objects:  # a narrow table has no room for a path that can be copied
        place = f" to {saved['path'].iloc[0]}" if len(saved) == 1 else f" in {os.path.commonpath([*saved['path']])}"
    session.say(f"{workspace.name}: {pluralize(int(saved['tokens'].sum()), 'token')} saved{place}.")
    return saved


def changes(
    session: Session[Workspace], *, before: str | None, after: str | None, since: pd.Timedelta | pd.Timestamp | None
) -> pd.DataFrame:
    """Return what changed since a snapshot. Two files are compared without a request to a workspace.

    Raises:
        UsageError: A file is not a snapshot, or the workspace has none that is old enough.
    """
    if before is not None and since is not None:
        raise errors.UsageError(f"Both a snapshot {before!r} and --since were given. Give one.")
    earlier = None if before is None or before == LATEST else _snapshot(before)
    later = None if after is None else read_snapshot(after)
    if earlier is None or later is None:
        workspace = session.workspace()
        earlier = read_snapshot(_latest(session, workspace, since)) if earlier is None else earlier
        later = workspace.tokens() if later is None else later
    found = compare(earlier, later)
    taken = f"{pd.Timestamp(earlier.attrs[TAKEN_AT]):%Y-%m-%d %H:%M} UTC"
    session.say(f"{earlier.attrs[WORKSPACE]}: {_counts(found)} since {taken}.")
    return found


def _snapshot(path: str) -> pd.DataFrame:
    if not Path(path).exists():
        raise errors.UsageError(
            f"{path} is not a snapshot: the file does not exist. Give another file, or an age as in --since 7d."
        )
    return read_snapshot(path)


def changes_of_fleet(
    session: Session[Fleet], *, path: str | None, since: pd.Timedelta | pd.Timestamp | None
) -> pd.DataFrame:
    """Return what changed in each workspace since its latest snapshot in a folder, or its latest one of that age."""
    workspaces = session.workspace()
    found = workspaces.changes(path, since=since)
    which = "" if since is None else " that is old enough"
    session.say(f"{workspaces.name}: {_counts(found)} since the latest snapshot of each workspace{which}.")
    return found


def _counts(changes: pd.DataFrame) -> str:
    counts = changes["change"].value_counts(sort=False)
    return (
        ", ".join(f"{count:,} {_COUNTED.get(str(change), change)}" for change, count in counts.items()) or "no change"
    )


def find_leaked(
    session: Session[TokenSource], *, rejected: Sequence[str], file: str | None, report: str | None
) -> Leaks:
    """Return the leaked tokens of the workspace or the fleet."""
    if tuple(rejected) == ("-",):
        file, rejected = "-", ()
    if rejected:
        raise errors.UsageError(
            "Do not type a token value in a command: the shell history and the process list expose it. Enter it at the "
            "prompt, or use --file or --report. If the value was real, remove it from the history."
        )
    workspace = session.workspace()
    prompts = file is None and report is None
    found = workspace.find_leaked(
        leaks.prompt_values(session.front_end.ask_unseen) if prompts else None,
        file=_source(session, file),
        report=_source(session, report),
    )
    # The log of a job must show that nothing was found.
    show = session.front_end.warn_last if found.is_all_clear else session.say
    show(f"{workspace.name}: {found.headline()}.")
    for heading, locations in found.notes():
        session.front_end.warn_last(heading)
        for location in locations:
            session.front_end.warn_last(f"  {printable(location)}")
    for run_id in found.revoked["run_id"].unique():
        session.front_end.hint(f"To show the run: {session.front_end.program} journal --run {run_id}")
    # What the session signs in with is revoked with another credential, as a note says.
    ids = found.tokens["token_id"].loc[~found.tokens["token_id"].isin(list(found.signs_in_with))].unique()
    if len(ids):
        fleet = ["fleet"] if "workspace" in found.tokens else []
        command = session.command(*fleet, "revoke", *ids, "--reason", "leaked")
        session.front_end.hint(f"To revoke {of(len(ids), 'it', 'them')}: {command}")
    return found


def _source(session: Session[object], path: str | None) -> leaks.Source | None:
    """Return the source that an option names: a file, or standard input for ``-``.

    Raises:
        UsageError: There is no standard input, or it is a terminal, which would show the values.
    """
    if path != "-":
        return path
    if session.front_end.returns_objects or sys.stdin.isatty():
        raise errors.UsageError("- reads standard input, which must be a pipe or a file. Give the path of a file.")
    return getattr(sys.stdin, "buffer", sys.stdin)


def _latest(session: Session[Workspace], workspace: Workspace, since: pd.Timedelta | pd.Timestamp | None) -> str:
    """Return the file of the latest snapshot, or of the latest one that is old enough."""
    saved = workspace.snapshots()
    if not len(saved):
        raise errors.UsageError(f"{workspace.name} has no snapshot. Save one with: {session.command('snapshot')}")
    return newest(saved, since, now=workspace.now(), name=workspace.name)
