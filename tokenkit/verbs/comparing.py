"""The verbs that set the listing beside something else: an earlier one, values that leaked."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import cast

import pandas as pd

from tokenkit import errors
from tokenkit.actions.plan import counted
from tokenkit.comparison import changes as compare
from tokenkit.fleet import Fleet
from tokenkit.printable import printable
from tokenkit.review import leaks
from tokenkit.review.leaks import Leaks
from tokenkit.snapshots import TAKEN_AT, WORKSPACE, list_snapshots, read_snapshot
from tokenkit.verbs.session import Session
from tokenkit.workspace import Workspace

LATEST = "latest"
"""The word for the newest snapshot of the workspace, in its own folder."""


def snapshot(session: Session, options: argparse.Namespace) -> pd.DataFrame:
    """Save the whole listing, and return the row that ``Workspace.snapshots`` has of it; of a fleet, a row for each."""
    workspace: Workspace | Fleet = session.workspace(options.profile)
    path = options.path
    saved = list_snapshots(
        workspace.snapshot_files(path).values() if isinstance(workspace, Fleet) else [workspace.snapshot(path)]
    )
    session.say(f"{workspace.name}: {counted(int(saved['tokens'].sum()), 'token')} saved.")
    return saved


def changes(session: Session, options: argparse.Namespace) -> pd.DataFrame:
    """Return what changed since a snapshot. Two files are compared without asking any workspace."""
    before = None if options.before == LATEST else read_snapshot(options.before)
    after = None if options.after is None else read_snapshot(options.after)
    if before is None or after is None:
        workspace = session.workspace(options.profile)
        before = read_snapshot(_latest(workspace)) if before is None else before
        after = workspace.tokens() if after is None else after
    found = compare(before, after)
    since = f"{pd.Timestamp(before.attrs[TAKEN_AT]):%Y-%m-%d %H:%M} UTC"
    session.say(f"{before.attrs[WORKSPACE]}: {_counts(found)} since {since}.")
    return found


def changes_of_fleet(session: Session, options: argparse.Namespace) -> pd.DataFrame:
    """Return what changed in each workspace since its newest snapshot in a folder."""
    workspaces = cast("Fleet", session.workspace(options.profile))
    found = workspaces.changes(options.path)
    session.say(f"{workspaces.name}: {_counts(found)} since the newest snapshot of each.")
    return found


def _counts(changes: pd.DataFrame) -> str:
    counts = changes["change"].value_counts(sort=False)
    return ", ".join(f"{count:,} {change}" for change, count in counts.items()) or "no change"


def find_leaked(session: Session, options: argparse.Namespace) -> Leaks:
    """Return which tokens of the workspace leaked, or of a fleet's."""
    if options.refused == ["-"]:
        options.file, options.refused = "-", []
    if options.refused:
        raise errors.UsageError(
            "A value does not belong into a command: the history keeps it, and others see it while it runs. Leave it "
            "out and type it when you are asked, or give --file or --report. If it was a real one, remove it from the "
            "history."
        )
    workspace: Workspace | Fleet = session.workspace(options.profile)
    asks = options.file is None and options.report is None
    found = workspace.find_leaked(
        leaks.typed(session.ask_unseen) if asks else None,
        file=_source(session, options.file),
        report=_source(session, options.report),
    )
    session.say(f"{workspace.name}: {found.counted()}.")
    for heading, locations in found.notes():
        session.warn(heading)
        for location in locations:
            session.warn(f"  {printable(location)}")
    if session.returns_objects:
        say_how_to_revoke(session, found, options)
    return found


def say_how_to_revoke(session: Session, found: Leaks, options: argparse.Namespace) -> None:
    """Show the command that revokes what leaked, as the last of the answer."""
    if not len(found.tokens):
        return
    words = ["revoke", *found.tokens["token_id"].unique(), "--reason", "leaked"]
    if "workspace" in found.tokens:
        words = ["fleet", *words]
        where = {"--profiles": options.profiles, "--account": options.account, "--account-id": options.account_id}
    else:
        where = {"--profile": options.profile}
    words += [word for name, value in where.items() if value for word in (name, value)]
    session.warn(f"To revoke {'it' if len(found.tokens) == 1 else 'them'}: {session.program} {shlex.join(words)}")


def _source(session: Session, path: str | None) -> leaks.Source | None:
    """Return what an option names: a file, or for ``-`` the standard input.

    Raises:
        UsageError: There is no standard input, or a person would have to type into it and see the values.
    """
    if path != "-":
        return path
    if session.returns_objects or sys.stdin.isatty():
        raise errors.UsageError("- is the standard input, which only a shell's pipe or file has. Name a file instead.")
    return getattr(sys.stdin, "buffer", sys.stdin)


def _latest(workspace: Workspace) -> str:
    saved = workspace.snapshots()
    if not len(saved):
        raise errors.UsageError(f"{workspace.name} has no snapshot yet. The verb snapshot saves one to compare with.")
    return str(saved["path"].iloc[-1])
