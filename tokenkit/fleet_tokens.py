"""The tokens of several workspaces as one frame: each is only asked, and what they say is put together at once.

A frame costs pandas milliseconds however few rows it has, and one thread of an interpreter runs at a time. So there is
one of everything, for all workspaces together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

import pandas as pd

from tokenkit import frames
from tokenkit.fleet_plans import by_workspace, with_workspace
from tokenkit.frames import Piece
from tokenkit.rest.workspace import Owners
from tokenkit.review import lifecycle, owners
from tokenkit.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Said:
    """What one workspace says of its tokens.

    Attributes:
        tokens: The listing, in pieces.
        owners: Who may own them.
        now: The workspace's present moment.
    """

    tokens: list[Piece]
    owners: Owners
    now: pd.Timestamp


def ask(workspace: Workspace, *, creator: str | None = None) -> Said:
    """Ask a workspace for all that ``tokens`` needs of it: of one creator, if it has tokens of theirs."""
    listing = workspace.pieces(created_by_username=creator)
    if creator and not any(map(len, listing)):  # the server compares letter by letter
        listing = workspace.pieces()
    return Said(tokens=listing, owners=workspace.owners(), now=workspace.now())


def listing(pieces: Mapping[str, list[Piece]]) -> pd.DataFrame:
    """Return the listings of workspaces as one frame, the workspace of each token first."""
    together = frames.joined(list(chain.from_iterable(pieces.values())), frames.TOKENS)
    return with_workspace(together, _lengths(pieces))


def tokens(said: Mapping[str, Said]) -> pd.DataFrame:
    """Return the tokens of workspaces with their owners and what their times mean: the frames of ``Workspace.tokens``.

    Args:
        said: What each workspace said, at least one.
    """
    pieces = {host: each.tokens for host, each in said.items()}
    moments = pd.Series([each.now for each in said.values()]).repeat(list(_lengths(pieces).values()))
    aged = lifecycle.with_lifecycle(listing(pieces), now=moments)
    users = by_workspace({host: each.owners["users"] for host, each in said.items()})
    return owners.with_owners(aged, users=users, service_principals=service_principals(said), within="workspace")


def service_principals(said: Mapping[str, Said]) -> pd.DataFrame:
    """Return the service principals of workspaces as one frame.

    Args:
        said: What each workspace said, at least one.
    """
    return by_workspace({host: each.owners["service_principals"] for host, each in said.items()})


def _lengths(pieces: Mapping[str, list[Piece]]) -> dict[str, int]:
    return {host: sum(map(len, each)) for host, each in pieces.items()}
