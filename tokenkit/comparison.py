"""What changed between two listings of a workspace, by whose hand: the journal tells what was revoked from here."""

from __future__ import annotations

import os

import pandas as pd

from tokenkit import errors
from tokenkit.actions import journal as records
from tokenkit.actions import update
from tokenkit.actions.journal import Journal
from tokenkit.actions.task import LOST_AND_GONE
from tokenkit.clock import clock_of
from tokenkit.home import home as state_folder
from tokenkit.review.changes import between
from tokenkit.snapshots import HOST, TAKEN_AT, read_snapshot
from tokenkit.workspace import IN_HAND


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
        journal: What was done from here, as ``Workspace.journal`` has it; by default it is looked up for the workspace
            that the listings name.
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
    hosts = list(dict.fromkeys(each.attrs[HOST] for each in (was, now) if HOST in each.attrs))
    if len(hosts) > 1:
        raise errors.UsageError(f"The listings are of two workspaces: {hosts[0]} and {hosts[1]}.")
    at = clock_of(after_at or now.attrs.get(TAKEN_AT))()
    if TAKEN_AT in was.attrs and pd.Timestamp(was.attrs[TAKEN_AT]) > at:
        raise errors.UsageError("The first listing is the later one. Give the earlier one first.")
    if journal is None and hosts:
        journal = _journal_of(hosts[0])
    return between(was, now, after_at=at, revoked=None if journal is None else _revoked_from_here(journal))


def _journal_of(host: str) -> pd.DataFrame:
    """Return what was done from here to the tokens of a workspace, in hand or not."""
    known = IN_HAND.get(host)
    with Journal(known.folder if known else state_folder()) as journal:
        return journal.frame(host=host)


def _revoked_from_here(journal: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a journal whose tokens, if they are gone, are gone by our hand.

    Beside what it has as revoked that is what was sent and whose answer nobody saw, and what was listed for a while.
    """
    states = [records.SENT, records.UNKNOWN, records.STILL_LISTED]
    unseen = journal["outcome"].isin(states) | (journal["error"] == LOST_AND_GONE)
    return journal[(journal["outcome"] == records.REVOKED) | (unseen & (journal["kind"] != update.KIND))]
