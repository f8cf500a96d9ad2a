"""The interface between commands and front ends, and the workspace that a command runs on."""

from __future__ import annotations

import contextlib
import functools
import shlex
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tokenkit import errors

if TYPE_CHECKING:
    import pandas as pd

    from tokenkit.fleets.fleet import Fleet
    from tokenkit.review.preview import Preview
    from tokenkit.workspaces.base import AnyWorkspace
    from tokenkit.workspaces.workspace import Workspace


HELP = "help"
"""The value of ``--columns`` that lists the columns."""


class FrontEnd(ABC):
    """A front end: one command of a shell, or a notebook while its kernel runs.

    Attributes:
        returns_objects: Whether the user receives the result as an object; a shell only prints it.
        program: The name of the program: ``tokenkit`` or ``%tokens``.
        now: The current time of the command; None for the system clock.
        has_begun_to_change: Whether the running command may have changed something.
    """

    returns_objects = False
    now: pd.Timestamp | None = None
    has_begun_to_change = False
    program: str
    _listing: pd.DataFrame | None = None

    @property
    def shows_progress(self) -> bool:
        """Whether to show progress bars."""
        return True

    @property
    def has_summary(self) -> bool:
        """Whether a person reads a message below the result, which says how many rows it has."""
        return False

    @property
    def connected(self) -> Workspace | None:
        """The connected workspace, or None."""
        return None

    def connect(self, target: str | None) -> Workspace:
        """Connect to a workspace, and use it for later commands."""
        from tokenkit.workspaces.connect import connect  # noqa: PLC0415 - needs pandas, which help must not wait for

        return connect(target)

    def workspace_of(self, profile: str | None) -> Workspace:
        """Return the workspace of a profile, or without one the connected workspace."""
        return self.connect(profile)

    def holder_of(self, run_id: str) -> AnyWorkspace:
        """Return the workspace or the fleet of a run in the journal."""
        from tokenkit.fleets.connect import holder_of  # noqa: PLC0415 - as above

        return holder_of(run_id)

    @abstractmethod
    def fleet(self, profiles: str | None, account: str | None, account_id: str | None) -> Fleet:
        """Return the workspaces that the options select."""

    @abstractmethod
    def say(self, message: str) -> None:
        """Show a message that is not part of the result."""

    def say_below(self, message: str) -> None:
        """Show how to see more, directly below the table that a shell prints: the counts and warnings remain last."""
        self.say(message)

    @abstractmethod
    def warn(self, message: str) -> None:
        """Show a message that must also appear in logs."""

    def warn_last(self, message: str) -> None:
        """Show a message that must also appear in logs, after a result that is printed."""
        self.warn(message)

    def warn_partial(self, message: str) -> None:
        """Show what the result lacks of what was asked for, after it. A shell then exits with 3."""
        self.warn_last(message)

    def hint(self, message: str) -> None:
        """Show what can be run next, or that rows were left out as asked, after the result, also in logs. ``--quiet``
        leaves it out.
        """
        self.warn_last(message)

    def conclude(self, message: str) -> None:
        """Show a message that must also appear in logs, after all others if possible."""
        self.warn(message)

    @abstractmethod
    def show(self, in_short: Preview, *, is_asked: bool = True) -> None:
        """Show the preview of a plan. The closing lines come last, directly before the confirmation.

        Args:
            in_short: The preview.
            is_asked: Whether a question follows. Without one, a terminal shows all rows, also if they do not fit the
                screen, and ``--quiet`` leaves the preview out.
        """

    @abstractmethod
    def ask(self, question: str) -> str | None:
        """Return the reply to a question, or None without a terminal."""

    @abstractmethod
    def ask_unseen(self, question: str) -> str | None:
        """Return the reply to a question without echoing it, or None without a terminal."""

    def keep(self, name: str, value: str, *, in_environment: bool) -> None:  # noqa: ARG002
        """Set a variable of the notebook, or of the environment of the process."""
        raise errors.UsageError("A command cannot set a variable of the shell.")

    def remember(self, listing: pd.DataFrame) -> None:
        """Keep a listing for the completion of owners and IDs."""
        self._listing = listing

    def known(self, column: str, profiles: Sequence[str] = ()) -> list[str]:  # noqa: ARG002
        """Return the values of a column of the last listing, for completion.

        Args:
            column: The column.
            profiles: The workspaces that the command line selects, if any.
        """
        listing = self._listing
        return [] if listing is None or column not in listing else listing[column].dropna().unique().tolist()


_Source_co = TypeVar("_Source_co", covariant=True)


@dataclass(frozen=True, kw_only=True)
class Session(Generic[_Source_co]):
    """A front end during one command, and the workspace, the fleet or the saved listing that the command runs on.

    Attributes:
        front_end: The front end.
        workspace: Returns what the command runs on. It is called when the command needs it, so that usage errors come
            first.
        named: The options that select the workspaces, with their values.
        is_chosen: Whether the options select a workspace; otherwise the session uses the connected one.
        argv: The command line, without the name of the program, beginning with the command.
        path: The command: ``permissions show``.
        rows: The options that select rows and columns of the result, with their values.
        chosen_by: The setting that selects the workspace, if the command line does not; it is not the environment.
    """

    front_end: FrontEnd
    workspace: Callable[[], _Source_co]
    named: Mapping[str, Any]
    is_chosen: bool = True
    argv: Sequence[str] = ()
    path: str = ""
    rows: Mapping[str, Any] = field(default_factory=dict)
    chosen_by: str = ""

    @property
    def columns(self) -> Sequence[str]:
        """The columns to show, as ``--columns`` names them; empty for the usual ones."""
        return self.rows.get("columns") or ()

    def say(self, message: str) -> None:
        """Show a message that is not part of the result."""
        self.front_end.say(message)

    def warn(self, message: str) -> None:
        """Show a message that must also appear in logs."""
        self.front_end.warn(message)

    def command(self, *argv: str) -> str:
        """Return a command to suggest, with the options that select the workspaces of this one.

        It can be run later and in another shell, so it names a profile also where the environment, the configuration
        or a connection did.

        Args:
            argv: The command and its arguments.
        """
        named = self.named if any(self.named.values()) else {"profile": self.profile()}
        options = [(f"--{name.replace('_', '-')}", value) for name, value in named.items() if value]
        return shlex.join([self.front_end.program, *argv, *chain.from_iterable(options)])

    def again(self, *options: str, without: str = "") -> str:
        """Return this command with other options, to suggest: whole, so that it can be pasted, and without ``--limit``,
        because it shows more.

        Args:
            options: The options to add.
            without: The option without a value to leave out.
        """
        path, rest = self.path.split(), []
        args = iter(self.argv[len(path) :])
        for arg in args:
            if arg == "--limit":
                next(args, None)
            elif arg != without and not arg.startswith("--limit="):
                rest.append(arg)
        return shlex.join([self.front_end.program, *path, *options, *rest])

    def profile(self) -> str:
        """Return what ``--profile`` takes for the workspace; empty if only the environment or a connection names it."""
        return str(self.named.get("profile") or getattr(self.workspace(), "profile", ""))

    def of_run(self, verb: str, run_id: str) -> str:
        """Return a command to suggest for a run, whose workspaces the journal names, but for those of an account.

        Args:
            verb: The command: ``resume``.
            run_id: The run.
        """
        if self.named.get("account"):
            return self.command("fleet", verb, run_id)
        return shlex.join([self.front_end.program, verb, run_id])


@contextlib.contextmanager
def in_one(front_end: FrontEnd, *, profile: str | None = None) -> Iterator[Session[Workspace]]:
    """Open a session on the workspace of a profile, or without one on the connected workspace."""
    yield Session(
        front_end=front_end,
        workspace=functools.cache(lambda: front_end.workspace_of(profile)),
        named={"profile": profile},
        is_chosen=profile is not None,
    )
