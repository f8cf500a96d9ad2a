"""The verbs that open a screen, which only a notebook can show."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tokenkit import errors
from tokenkit.verbs.session import Session

if TYPE_CHECKING:
    from tokenkit.widgets.explorer import Explorer


def explore(session: Session, options: argparse.Namespace) -> Explorer:
    """Open the explorer on the workspace's tokens."""
    if not session.returns_objects:
        raise errors.UsageError(
            "The explorer is a screen for a notebook: `%tokens explore` or `%tokens fleet explore` there. "
            "Here, `tokenkit list` and `tokenkit audit` say the same, and `tokenkit lab` opens notebooks."
        )
    return session.workspace(options.profile).explore(options.where, plain=options.plain)
