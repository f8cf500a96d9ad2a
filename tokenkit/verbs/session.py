"""What a verb needs of the door it came through."""

from __future__ import annotations

from typing import Any, Protocol

import pandas as pd

from tokenkit.actions.preview import Preview
from tokenkit.fleet import Fleet
from tokenkit.workspace import Workspace


class Session(Protocol):
    """A shell command, or a notebook for as long as its kernel runs.

    Attributes:
        returns_objects: Whether what a verb returns stays in the person's hands; a shell only prints it.
        program: What a command begins with here: ``tokenkit`` or ``%tokens``.
    """

    returns_objects: bool
    program: str

    @property
    def shows_progress(self) -> bool:
        """Whether somebody watches, so that a progress bar is of use."""
        ...

    def connect(self, target: str | None) -> Workspace:
        """Connect, and make it the workspace that later commands are for."""
        ...

    def workspace(self, profile: str | None) -> Workspace:
        """Return the workspace that a command is for: of the profile, else the one connected to."""
        ...

    @property
    def in_hand(self) -> Workspace | None:
        """The workspace connected to, if there is one already."""
        ...

    def fleet(self, profiles: str | None, account: str | None, account_id: str | None) -> Fleet:
        """Return the workspaces that a command is for."""
        ...

    def say(self, message: str) -> None:
        """Show the person a line that is not part of the answer."""
        ...

    def warn(self, message: str) -> None:
        """Show a line that must not be missed, also where nobody watches."""
        ...

    def show(self, in_short: Preview) -> None:
        """Show the person what a plan will do; the closing lines come last, right before the question."""
        ...

    def ask(self, question: str) -> str | None:
        """Return what the person answers, or None where there is nobody to ask."""
        ...

    def ask_unseen(self, question: str) -> str | None:
        """Return what the person types without showing it, or None where there is nobody to ask."""
        ...

    def keep(self, name: str, value: str, *, in_environment: bool) -> None:
        """Give a variable of the person's, or of the process's environment, a value."""
        ...

    def remember(self, listing: pd.DataFrame) -> None:
        """Keep a listing for the completion of owners and ids."""
        ...

    def remembered(self) -> pd.DataFrame | None:
        """Return the last listing, if there was one."""
        ...


class Over:
    """A session whose workspace is a fleet or a saved listing; everything else is the session's."""

    def __init__(self, session: Session, workspace: object) -> None:
        self._session = session
        self._workspace = workspace

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the session has
        return getattr(self._session, name)

    def workspace(self, profile: str | None) -> Any:  # noqa: ANN401, ARG002 - as of any session
        """Return the fleet or the listing."""
        return self._workspace
