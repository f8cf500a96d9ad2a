"""Changes between two listings of a workspace, with those that tokenkit made identified by the journal."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from tokenkit import actions, errors, frames
from tokenkit.actions import states
from tokenkit.core.arguments import frame
from tokenkit.core.clock import clock_of, moment
from tokenkit.core.spelling import spelled
from tokenkit.output.snapshots import HOST, TAKEN_AT, WORKSPACE_ID, read_snapshot
from tokenkit.review.changes import COMPARED, between
from tokenkit.workspaces.folder import state_folder

FOLDER = "journal_folder"
"""The key in ``DataFrame.attrs`` for the folder of the journal of a listing's workspace."""


def changes(
    before: pd.DataFrame | str | os.PathLike[str],
    after: pd.DataFrame | str | os.PathLike[str],
    journal: pd.DataFrame | None = None,
    *,
    after_at: pd.Timestamp | str | None = None,
) -> pd.DataFrame:
    """Return the changes between two listings of one workspace: a row for each change, with the cause of each removal.

    ::

        tokenkit.changes("snapshots/prod-20260301T093000Z.parquet", ws.tokens())

    Args:
        before: The earlier listing: a frame from ``Workspace.tokens`` or ``read_snapshot``, or the path of a snapshot.
        after: The later listing, in the same forms.
        journal: The result of ``Workspace.journal``. By default, the journal is read from the folder of the listing's
            workspace, the folder of a snapshot, or else the state folder.
        after_at: The time of the later listing, for a frame without that information; by default, now.

    Returns:
        ``token_id, change, cause, owner, comment, before, after, at, run_id``. ``change`` is ``created``, ``removed``,
        ``owner_changed``, ``scopes_changed``, ``comment_changed`` or ``first_used``. ``cause`` is the likely cause of a
        removal: ``revoked_by_tokenkit`` (with the ``run_id``), ``expired``, ``unused_90_days``, ``revoked_externally``;
        and ``updated_by_tokenkit`` (with the ``run_id``) of a comment or scopes that tokenkit wrote. See
        ``tokenkit.review.changes``. Without changes, the frame has the same columns and no rows.

    Raises:
        UsageError: The listings are from different workspaces or in the wrong order, or a file is not a snapshot.
    """
    was, now = _listing("before", before), _listing("after", after)
    if journal is not None:
        frame("journal", journal, ("token_id", "run_id", "kind", "outcome", "error", "finished_at"))
    of = _workspace_of(was, now)
    at = clock_of(now.attrs.get(TAKEN_AT))() if after_at is None else moment("after_at", after_at)
    if TAKEN_AT in was.attrs and pd.Timestamp(was.attrs[TAKEN_AT]) > at:
        raise errors.UsageError("The first listing is later than the second one. Pass the earlier one first.")
    if journal is None and of:
        with actions.journal.Journal(_folder_of(after, before)) as opened:
            journal = opened.frame(**of)
    if journal is None:
        return between(was, now, after_at=at)
    updated = _updated_from_here(journal, since=was.attrs.get(TAKEN_AT))
    return between(was, now, after_at=at, revoked=_revoked_from_here(journal), updated=updated)


def _listing(name: str, given: pd.DataFrame | str | os.PathLike[str]) -> pd.DataFrame:
    return frame(name, given, COMPARED) if isinstance(given, pd.DataFrame) else read_snapshot(given)


def _workspace_of(*listings: pd.DataFrame) -> dict[str, str]:
    """Return the host and the id of the workspace of both listings; empty if the listings do not name it.

    Raises:
        UsageError: They are from different workspaces, or this cannot be determined.
    """
    origins = [
        (listing.attrs[HOST], listing.attrs.get(WORKSPACE_ID, "")) for listing in listings if HOST in listing.attrs
    ]
    for host, workspace_id in origins:
        if not workspace_id:
            raise errors.UsageError(
                f"A listing of {host} does not say which workspace of that host it is of: an earlier version of "
                "tokenkit saved it, or no response named the workspace. Take a new snapshot"
                f"{spelled('; with connect(…, workspace_id=…) where that does not help')}."
            )
    named = list(dict.fromkeys(origins))
    if len(named) > 1:
        first, second = (host if named[0][0] != named[1][0] else f"{host}/?o={of}" for host, of in named)
        raise errors.UsageError(f"The listings are from different workspaces: {first} and {second}.")
    return dict(zip((HOST, WORKSPACE_ID), named[0], strict=True)) if named else {}


def _folder_of(*listings: pd.DataFrame | str | os.PathLike[str]) -> Path:
    """Return the folder of the journal of the listings' workspace."""
    for listing in listings:
        if not isinstance(listing, pd.DataFrame):
            beside = Path(listing).absolute().parent.parent  # Workspace.snapshot writes to a folder next to it
            if actions.journal.has_journal(beside):
                return beside
        elif FOLDER in listing.attrs:
            return Path(listing.attrs[FOLDER])
    return state_folder()


def recorded_revocations(folders: Iterable[Path]) -> pd.DataFrame:
    """Return the tokens that the journals in folders have as revoked, of any workspace. A journal that cannot be read
    has none: who looks for leaked tokens needs no journal.
    """
    found = [frames.frame([], actions.history.TOKENS.columns)]
    for folder in folders:
        with contextlib.suppress(errors.JournalError):
            if actions.journal.has_journal(folder):
                with actions.journal.Journal(folder) as journal:
                    found.append(journal.frame())
    rows = frames.concat(found)
    return rows[rows["outcome"] == states.REVOKED]


def _updated_from_here(journal: pd.DataFrame, *, since: str | None) -> pd.DataFrame | None:
    """Return the rows of a journal of tokens that were updated, after a time if it is known."""
    if not {"new_comment", "new_scopes"}.issubset(journal):
        return None
    updated = journal[(journal["outcome"] == states.UPDATED) & (journal["kind"] == actions.update.KIND.name)]
    return updated if since is None else updated[updated["finished_at"] >= moment("taken_at", since)]


def _revoked_from_here(journal: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a journal whose tokens, if they no longer exist, were deleted by tokenkit.

    Besides revoked tokens, these are tokens whose request was sent without a known response, and tokens that were still
    listed.
    """
    deleting = [kind.name for kind in actions.resumption.KINDS.values() if kind.deletes_tokens]
    in_doubt = journal["outcome"].isin([states.SENT, *states.IN_DOUBT])
    unseen = in_doubt | journal["error"].isin([actions.task.LOST_AND_GONE, actions.task.MAYBE_SENT_AND_GONE])
    return journal[(journal["outcome"] == states.REVOKED) | (unseen & journal["kind"].isin(deleting))]
