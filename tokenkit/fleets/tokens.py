"""The tokens of several workspaces as one frame: each workspace is queried, and all responses are processed at once.

pandas takes milliseconds per frame regardless of the number of rows, and an interpreter runs one thread at a time. Each
step is therefore executed once, for all workspaces together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

import pandas as pd

from tokenkit import frames
from tokenkit.fleets.frames import by_workspace, with_workspace
from tokenkit.frames import ArrowChunk
from tokenkit.rest.workspace import Owners
from tokenkit.review import leaks, lifecycle
from tokenkit.review.description import described
from tokenkit.workspaces.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class WorkspaceTokens:
    """The responses of one workspace about its tokens.

    Attributes:
        tokens: The listing, in chunks.
        owners: The users and service principals.
        now: The workspace's current time.
        has_system_clock: Whether that is the time of this computer's clock.
        signs_in_with: The possible ids of the token that the session signs in with.
    """

    tokens: list[ArrowChunk]
    owners: Owners
    now: pd.Timestamp
    has_system_clock: bool
    signs_in_with: frozenset[str]


def ask(workspace: Workspace) -> WorkspaceTokens:
    """Request all that ``tokens`` needs from a workspace."""
    return WorkspaceTokens(
        tokens=workspace.api.chunks(),
        owners=workspace.api.owners(),
        now=workspace.now(),
        has_system_clock=workspace.has_system_clock,
        signs_in_with=workspace.api.credential_hashes(leaks.ids_of),
    )


def listing(chunks: Mapping[str, list[ArrowChunk]]) -> pd.DataFrame:
    """Return the listings of workspaces as one frame, the workspace of each token first."""
    together = frames.concat_chunks(list(chain.from_iterable(chunks.values())), frames.TOKENS)
    return with_workspace(together, _lengths(chunks))


def tokens(responses: Mapping[str, WorkspaceTokens]) -> pd.DataFrame:
    """Return the tokens of workspaces with owner and lifecycle columns, as ``Workspace.tokens`` does.

    Args:
        responses: The responses of the workspaces, at least one.
    """
    chunks = {host: response.tokens for host, response in responses.items()}
    lengths = list(_lengths(chunks).values())
    moments = pd.Series([response.now for response in responses.values()]).repeat(lengths)
    listed = listing(chunks)
    is_checked = pd.Series([response.has_system_clock for response in responses.values()]).repeat(lengths)
    lifecycle.check_clock(listed, now=moments.where(is_checked))
    return described(listed, now=moments, **owners(responses), within="workspace")


def owners(responses: Mapping[str, WorkspaceTokens]) -> Owners:
    """Return the users and the service principals of workspaces, each as one frame.

    Args:
        responses: The responses of the workspaces, at least one.
    """
    return {
        "users": by_workspace({host: response.owners["users"] for host, response in responses.items()}),
        "service_principals": by_workspace(
            {host: response.owners["service_principals"] for host, response in responses.items()}
        ),
    }


def _lengths(chunks: Mapping[str, list[ArrowChunk]]) -> dict[str, int]:
    return {host: sum(map(len, listed)) for host, listed in chunks.items()}
