"""What changed between two listings of a workspace, by whose hand: the journal tells what was revoked from here."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from tokenkit import errors
from tokenkit.actions import journal as records
from tokenkit.actions import update
from tokenkit.actions.journal import FILE_NAME, Journal
from tokenkit.actions.task import LOST_AND_GONE
from tokenkit.clock import clock_of
from tokenkit.home import home as state_folder
from tokenkit.review.changes import between
from tokenkit.snapshots import HOST, TAKEN_AT, WORKSPACE_ID, read_snapshot
from tokenkit.workspace import FOLDER


def changes(
    before: pd.DataFrame | str | os.PathLike[str],
    after: pd.DataFrame | str | os.PathLike[str],
    journal: pd.DataFrame | None = None,
    *,
    after_at: pd.Timestamp | str | None = None,
) -> pd.DataFrame:
    """Return what changed between two listings of one workspace: a row for each change, and why tokens are gone.

    ::

        tokenkit.changes("snapshots/prod-20260301T093000Z.parquet", ws.tokens())

    Args:
        before: The earlier listing: a frame of ``Workspace.tokens`` or ``read_snapshot``, or a snapshot's file.
        after: The later one, likewise.
        journal: What was done from here, as ``Workspace.journal`` has it; by default it is read from the folder of the
            workspace that a listing is of, or that a snapshot lies in, else from the state folder.
        after_at: When the later listing was taken, for a frame that does not say so; by default, now.

    Returns:
        ``token_id, change, cause, owner, comment, before, after, at, run_id``. ``change`` is ``created``, ``vanished``,
        ``re-owned``, ``re-scoped``, ``comment changed`` or ``first used``. ``cause`` is the likely one of a token that
        vanished: ``revoked by us`` (with the ``run_id``), ``expired``, ``unused for 90 days``, ``revoked elsewhere``;
        see ``tokenkit.review.changes``. No change gives the same columns with no rows.

    Raises:
        UsageError: The listings are of two workspaces, or the first is the later one; a file is no snapshot.
    """
    was, now = (each if isinstance(each, pd.DataFrame) else read_snapshot(each) for each in (before, after))
    of = _workspace_of(was, now)
    at = clock_of(after_at or now.attrs.get(TAKEN_AT))()
    if TAKEN_AT in was.attrs and pd.Timestamp(was.attrs[TAKEN_AT]) > at:
        raise errors.UsageError("The first listing is the later one. Give the earlier one first.")
    if journal is None and of:
        with Journal(_folder_of(after, before)) as opened:
            journal = opened.frame(**of)
    return between(was, now, after_at=at, revoked=None if journal is None else _revoked_from_here(journal))


def _workspace_of(*listings: pd.DataFrame) -> dict[str, str]:
    """Return the host and the id of the one workspace that listings are of; nothing where they do not say.

    Raises:
        UsageError: They are of two workspaces, or it cannot be known that they are of one.
    """
    said = [(listing.attrs[HOST], listing.attrs.get(WORKSPACE_ID, "")) for listing in listings if HOST in listing.attrs]
    for host, workspace_id in said:
        if not workspace_id:
            raise errors.UsageError(
                f"A listing of {host} does not say which workspace of that host it is of: an earlier version of "
                "tokenkit saved it, or no response named the workspace. Take a new snapshot; with connect(…, "
                "workspace_id=…) where that does not help."
            )
    named = list(dict.fromkeys(said))
    if len(named) > 1:
        first, second = (host if named[0][0] != named[1][0] else f"{host}/?o={of}" for host, of in named)
        raise errors.UsageError(f"The listings are of two workspaces: {first} and {second}.")
    return dict(zip((HOST, WORKSPACE_ID), named[0], strict=True)) if named else {}


def _folder_of(*listings: pd.DataFrame | str | os.PathLike[str]) -> Path:
    """Return where the journal of the listings' workspace is."""
    for listing in listings:
        if not isinstance(listing, pd.DataFrame):
            beside = Path(listing).absolute().parent.parent  # Workspace.snapshot writes into a folder beside it
            if (beside / FILE_NAME).exists():
                return beside
        elif FOLDER in listing.attrs:
            return Path(listing.attrs[FOLDER])
    return state_folder()


def _revoked_from_here(journal: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a journal whose tokens, if they are gone, are gone by our hand.

    Beside what it has as revoked that is what was sent and whose answer nobody saw, and what was listed for a while.
    """
    states = [records.SENT, records.UNKNOWN, records.STILL_LISTED]
    unseen = journal["outcome"].isin(states) | (journal["error"] == LOST_AND_GONE)
    return journal[(journal["outcome"] == records.REVOKED) | (unseen & (journal["kind"] != update.KIND))]
