"""The command ``usage``: what used each token, or the chosen ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import pandas as pd

from tokenkit import errors
from tokenkit.commands.evidence import Log, read
from tokenkit.commands.reading import with_ids
from tokenkit.commands.session import FrontEnd, Session
from tokenkit.core.wording import of, part_of
from tokenkit.review import filters
from tokenkit.review.usage import summary, summary_of
from tokenkit.workspaces.base import AnyWorkspace


def usage(
    session: Session[AnyWorkspace], *, token_ids: Sequence[str], owner: Sequence[str] | None, **log: Unpack[Log]
) -> pd.DataFrame:
    """Return what used the tokens that the IDs and owners select, or all: listed tokens first, then the most used.

    Addresses are personal data: they are shown, but not stored.

    Raises:
        TokenKitError: None of the IDs exists.
        UsageError: An owner is unknown, or as ``whole_ids``.
    """
    workspace = session.workspace()
    chosen: set[str] | None = None
    if token_ids or owner:
        chosen = _chosen(session.front_end, workspace, token_ids, {"owner": owner} if owner else {})
    found = read(session.front_end, workspace, log)
    found = found.sort_values(["matched", "logins"], ascending=False, kind="stable", ignore_index=True)
    if chosen is None:
        session.front_end.warn_last(f"{workspace.name}: {summary(found)}")
        return found
    rows = found[found["token_id"].isin(chosen)].reset_index(drop=True)
    session.front_end.warn_last(f"{workspace.name}: {summary_of(rows, len(chosen))}")
    if without := len(chosen.difference(rows["token_id"])):
        session.front_end.warn_last(
            f"{workspace.name}: no sign-in of {part_of(without, len(chosen), 'selected token')} in the rows that were "
            f"read. This does not prove that {of(without, 'it is', 'they are')} unused."
        )
    return rows


def _chosen(
    front_end: FrontEnd, workspace: AnyWorkspace, token_ids: Sequence[str], criteria: dict[str, Any]
) -> set[str]:
    tokens = workspace.tokens(**criteria)
    unknown = filters.unknown_names(
        criteria, tokens=workspace.tokens_with_aliases, principals=workspace.principal_names, chosen=tokens
    )
    if unknown:
        raise errors.UsageError(" ".join(unknown))
    return set(with_ids(front_end, tokens, token_ids, workspace, may_be_partial=True)["token_id"])
