"""The verbs that set the listing beside something else: an earlier one, values that leaked."""

from __future__ import annotations

import argparse

import pandas as pd

from tokenkit.snapshots import list_snapshots
from tokenkit.verbs.reading import counted
from tokenkit.verbs.session import Session


def snapshot(session: Session, options: argparse.Namespace) -> pd.DataFrame:
    """Save the whole listing, and return the row that ``Workspace.snapshots`` has of it."""
    workspace = session.workspace(options.profile)
    saved = list_snapshots([workspace.snapshot(options.path)])
    session.say(f"{workspace.name}: {counted(int(saved['tokens'].iloc[0]), 'token')} saved.")
    return saved
