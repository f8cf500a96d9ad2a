"""Commands on a saved listing: the commands that only read tokens, with ``--from FILE`` in place of a workspace."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pandas as pd

from tokenkit import errors
from tokenkit.commands.session import FrontEnd, Session, in_one
from tokenkit.workspaces.base import TokenSource
from tokenkit.workspaces.saved import SavedListing

_MOMENTS = {
    "the file": "the time in the file",
    "as_of": "the time of --as-of",
    "now": "the current time, because the file has none",
}


@contextlib.contextmanager
def in_one_or_saved(
    front_end: FrontEnd, *, profile: str | None, from_file: str | None, as_of: pd.Timestamp | None
) -> Iterator[Session[TokenSource]]:
    """Open a session on the file of ``--from``, or without it on a workspace."""
    if from_file is None and as_of is None:
        with in_one(front_end, profile=profile) as session:
            yield session
        return
    if from_file is None:
        raise errors.UsageError("--as-of is the time of a saved listing. Give its file with --from, or remove --as-of.")
    if profile is not None:
        raise errors.UsageError(
            f"--from reads the file {from_file}, and --profile the workspace of {profile!r}. Remove one of them."
        )
    listing = SavedListing(from_file, as_of=as_of, now=front_end.now)
    front_end.warn(f"{listing.name}: ages count from {listing.now():%Y-%m-%d %H:%M} UTC, {_MOMENTS[listing.moment]}.")
    yield Session(front_end=front_end, workspace=lambda: listing, named={})
