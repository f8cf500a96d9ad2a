"""Commands on a saved listing: the commands that only read tokens, with ``--from FILE`` in place of a workspace."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import pandas as pd

from tokenkit import errors
from tokenkit.commands.session import FrontEnd, Session, in_one
from tokenkit.review.durations import duration
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


def moment(text: str) -> pd.Timestamp:
    """Parse a date or a time.

    Raises:
        UsageError: The text is not a date.
    """
    # Of other texts, such as 1m, pandas makes a time of the year 1.
    found = pd.to_datetime(text, utc=True, errors="coerce") if re.match(r"[0-9]{4}-[0-9]", text) else pd.NaT
    if pd.isna(found):
        raise errors.UsageError(f"{text!r} is not a date. Write 2026-03-01, or 2026-03-01T09:30+01:00.")
    return found


def age_or_moment(text: str) -> pd.Timedelta | pd.Timestamp:
    """Parse a duration, which counts back from now, or a date.

    Raises:
        UsageError: The text is neither.
    """
    for parse in (duration, moment):
        with contextlib.suppress(errors.UsageError):
            return parse(text)
    raise errors.UsageError(f"{text!r} is neither a duration nor a date. Write 7d, 12h or 2w, or 2026-03-01.")
