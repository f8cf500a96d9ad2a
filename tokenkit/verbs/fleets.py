"""Verbs over many workspaces at once: those of one workspace, run with a fleet in its place.

A fleet has what these verbs use of a workspace, under the same names. So a verb over a fleet is made of the verb, and
nothing of it is written twice.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from typing import cast

from tokenkit import errors
from tokenkit.fleet import Fleet
from tokenkit.fleet_connecting import fleet
from tokenkit.verbs.session import Over, Session

Run = Callable[[Session, argparse.Namespace], object]


def across(run: Run) -> Run:
    """Return what a verb does, over the fleet that ``--profiles`` or ``--account`` says."""

    @functools.wraps(run)
    def run_across(session: Session, options: argparse.Namespace) -> object:
        workspaces = session.fleet(options.profiles, options.account, options.account_id)
        workspaces.shows_progress &= session.shows_progress  # a fleet in hand may have been made to show none
        workspaces.forget_errors()  # what is said at the end is about this command
        over = cast("Session", Over(session, workspaces))
        try:
            return run(over, argparse.Namespace(**vars(options), profile=workspaces.name))
        finally:
            for workspace, message in workspaces.errors[["workspace", "message"]].itertuples(index=False, name=None):
                session.warn(f"{workspace} failed: {message}")

    return run_across


def fleet_of(profiles: str | None, account: str | None, account_id: str | None) -> Fleet:
    """Return the fleet that the options name.

    Raises:
        UsageError: They name none.
    """
    if profiles:
        return fleet([each.strip() for each in profiles.split(",") if each.strip()])
    if account:
        return fleet(account=account, account_id=account_id)
    raise errors.UsageError("Say which workspaces: --profiles prod,dev or --account NAME.")
