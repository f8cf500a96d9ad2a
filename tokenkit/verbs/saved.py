"""Verbs over a saved listing: those of a workspace that only read tokens, with ``--from FILE`` in its place."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from typing import Any, cast

import pandas as pd

from tokenkit import errors
from tokenkit.saved import SavedListing
from tokenkit.verbs.session import Over, Session

Run = Callable[[Session, argparse.Namespace], Any]
_MOMENTS = {
    "the file": "the moment in the file",
    "as_of": "the moment of --as-of",
    "now": "now: the file has no moment",
}


def or_saved(run: Run) -> Run:
    """Return what a verb does, over the file of ``--from`` where it is given."""

    @functools.wraps(run)
    def run_over_either(session: Session, options: argparse.Namespace) -> object:
        file, as_of = getattr(options, "from_file", None), getattr(options, "as_of", None)  # a fleet has neither
        if file is None and as_of is None:
            return run(session, options)
        if file is None or options.profile is not None:
            raise errors.UsageError("--from and --as-of are for a file, and ask no workspace: leave --profile out.")
        listing = SavedListing(file, as_of=as_of)
        session.warn(f"{listing.name}: ages count from {listing.now():%Y-%m-%d %H:%M} UTC, {_MOMENTS[listing.moment]}.")
        return run(cast("Session", Over(session, listing)), options)

    return run_over_either


def moment(text: str) -> pd.Timestamp:
    """Read a moment as it is typed.

    Raises:
        UsageError: It is not one.
    """
    found = pd.to_datetime(text, utc=True, errors="coerce")
    if pd.isna(found):
        raise errors.UsageError(f"{text!r} is not a date: write 2026-03-01, or 2026-03-01T09:30+01:00.")
    return found
