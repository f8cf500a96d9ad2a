"""The commands that open a widget, which requires a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from tokenkit import errors
from tokenkit.commands.evidence import Evidence, evidence_of
from tokenkit.commands.session import Session
from tokenkit.fleets.fleet import Fleet
from tokenkit.workspaces.saved import SavedListing
from tokenkit.workspaces.workspace import Workspace

if TYPE_CHECKING:
    from tokenkit.widgets.explorer import Explorer


def explore(
    session: Session[Workspace | Fleet | SavedListing],
    *,
    where: str | None,
    plain: bool,
    **options: Unpack[Evidence],
) -> Explorer:
    """Open the explorer with the tokens of the workspace."""
    if not session.front_end.returns_objects:
        raise errors.UsageError(
            "The explorer requires a notebook. Run `%tokens explore` or `%tokens fleet explore` in a notebook; "
            "`tokenkit lab` opens one. In a shell, use `tokenkit list` and `tokenkit audit`."
        )
    workspace = session.workspace()
    evidence = evidence_of(session.front_end, workspace, options)
    return workspace.explore(where, usage=evidence, plain=plain)
