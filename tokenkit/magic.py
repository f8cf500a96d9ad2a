"""The front end for a notebook: ``%tokens`` for one command, ``%%tokens`` for several."""

from __future__ import annotations

import os
import sys
from collections import ChainMap
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pandas as pd
from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope, no_var_expand
from IPython.display import display

from tokenkit import errors
from tokenkit.commands import completion, parser
from tokenkit.commands.fleet import fleet_of
from tokenkit.commands.line import split, with_constants
from tokenkit.commands.options import MAGIC
from tokenkit.commands.rows import arranged
from tokenkit.commands.session import FrontEnd
from tokenkit.core.installation import warn_of_other_distribution
from tokenkit.core.printable import printable
from tokenkit.core.prompt import ask_unseen
from tokenkit.core.redaction import redact
from tokenkit.fleets.fleet import Fleet
from tokenkit.rest import credentials
from tokenkit.rest.tracebacks import without_frames
from tokenkit.review.columns import short_view_first
from tokenkit.review.preview import Preview
from tokenkit.workspaces.connect import connect
from tokenkit.workspaces.workspace import Workspace

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_Kind = TypeVar("_Kind")
_LISTINGS = ("list", "fleet list")
_LINE = r"^(?:.*=\s*)?%{1,2}tokens\b"


class NotebookSession(FrontEnd):
    """The front end of a kernel, which remembers the connected workspace.

    Args:
        names: The variables of the notebook, which may hold a workspace or a fleet.
    """

    returns_objects = True
    program = parser.program(MAGIC)

    def __init__(self, names: MutableMapping[str, Any]) -> None:
        self._names = names
        self._current: Workspace | None = None
        self._by_profile: dict[str | None, Workspace] = {}
        self._fleet: Fleet | None = None
        self._fleets: dict[tuple[str | None, ...], Fleet] = {}

    def connect(self, target: str | None) -> Workspace:
        """Connect to a profile, a host or the sandbox, or use the workspace of a variable."""
        variable = self._variable(target, Workspace)
        if variable is not None and target in credentials.profiles():
            raise errors.UsageError(
                f"{target!r} is both a variable of this notebook and a profile. Rename the variable."
            )
        self._current = connect(target) if variable is None else variable
        return self._current

    def workspace_of(self, profile: str | None) -> Workspace:
        """Return the workspace of a profile, or the connected one; the first use connects like ``connect()``."""
        if profile is None and self._current is not None:
            return self._current
        if profile not in self._by_profile:
            self._by_profile[profile] = connect(profile)
        return self._by_profile[profile]

    @property
    def connected(self) -> Workspace | None:
        """Return the connected workspace, or None."""
        return self._current or self._by_profile.get(None)

    def fleet(self, profiles: str | None, account: str | None, account_id: str | None) -> Fleet:
        """Return the fleet that the options select, or the fleet of a variable; without options, the last fleet."""
        key = (profiles, account, account_id)
        if (variable := self._variable(profiles, Fleet)) is not None:
            self._fleet = variable
        elif self._fleet is None or any(key):
            self._fleet = self._fleets.setdefault(key, self._fleets.get(key) or fleet_of(*key))
        return self._fleet

    def _variable(self, name: str | None, kind: type[_Kind]) -> _Kind | None:
        """Return the value of a variable of the notebook, if it is of this kind."""
        value = self._names.get(name or "")
        return value if isinstance(value, kind) else None

    def say(self, message: str) -> None:
        """Print to the output of the cell."""
        sys.stdout.write(f"{printable(redact(message))}\n")

    warn = say

    def show(self, in_short: Preview, *, is_asked: bool = True) -> None:  # noqa: ARG002 - a page has room for all
        """Display the preview of a plan, as HTML if possible."""
        display(in_short)

    def ask(self, question: str) -> str | None:
        """Ask below the cell; return None if the front end does not support input (nbclient, papermill, jobs)."""
        try:
            return input(question)
        except (EOFError, OSError, RuntimeError, ValueError):  # IPython and Python raise different errors
            return None

    def ask_unseen(self, question: str) -> str | None:
        """Ask below the cell without echoing or saving the reply."""
        return ask_unseen(question)

    @without_frames()
    def keep(self, name: str, value: str, *, in_environment: bool) -> None:
        """Set a variable of the notebook, or of the environment of the kernel."""
        if in_environment:
            os.environ[name] = value
        elif name.isidentifier():
            self._names[name] = value
        else:
            raise errors.UsageError(f"{name!r} is not a valid variable name.")


class _Variables(ChainMap[str, Any]):
    """The variables of the notebook. Their values may be tokens, and verbose tracebacks show the ``repr`` of locals."""

    def __repr__(self) -> str:
        return f"<{len(self)} variables>"


@magics_class
class TokensMagics(Magics):
    """``%tokens COMMAND …``: the commands of ``commands.table``."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.session = NotebookSession(shell.user_ns)

    @needs_local_scope
    @no_var_expand  # IPython would evaluate expressions in braces
    @line_cell_magic
    def tokens(self, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - the type of the result depends on the command
        """Run a command on the tokens of a workspace. ``%tokens`` without a command lists all commands.

        ``%%tokens`` runs the commands of a cell, one per line. It displays all results and returns the last one.
        ``$name`` and ``{name}`` insert the value of a variable, which must be a text or a number. In ``--where``, use
        ``@name``.
        """
        assert self.shell is not None
        names = _Variables(dict(local_ns or {}), self.shell.user_ns)
        if cell is None:
            return self._run(line, names)
        commands = [command.strip() for command in [line, *cell.splitlines()]]
        result = None
        for number, command in enumerate(commands):
            if not command or command.startswith("#"):
                continue
            if result is not None:
                display(result)
            try:
                result = self._run(command, names)
            except errors.UsageError as error:
                problem = errors.UsageError(f"Line {number + 1}, {redact(command)!r}: {redact(str(error))}")
            else:
                continue
            raise problem
        return result

    def _run(self, command: str, names: Mapping[str, Any]) -> Any:  # noqa: ANN401 - as above
        try:
            call = parser.parse(split(command, names), MAGIC)
        except parser.HelpRequested as help_text:
            sys.stdout.write(f"{help_text}\n")
            return None
        if call.params.get("where") is not None:
            call.params["where"] = with_constants(call.params["where"], names)
        found = call.run(self.session)
        result = arranged(found, call.rows, self.session, is_plan=call.is_plan, is_change=call.is_change)
        is_listing = call.command.path in _LISTINGS and not call.rows["columns"]
        return short_view_first(result) if is_listing and isinstance(result, pd.DataFrame) else result


class _CompletionEvent(Protocol):
    text_until_cursor: str
    symbol: str


def register(shell: InteractiveShell) -> None:
    """Register ``%tokens`` and its completion with IPython."""
    warn_of_other_distribution()
    magics = TokensMagics(shell)
    shell.register_magics(magics)

    def complete(_: InteractiveShell, event: _CompletionEvent) -> list[str]:
        return completions(event.text_until_cursor, event.symbol, magics.session)

    shell.set_hook("complete_command", complete, re_key=_LINE)


def completions(text: str, symbol: str, session: NotebookSession) -> list[str]:
    """Return the completions of the symbol at the cursor.

    Args:
        text: The line up to the cursor: ``df = %tokens list --ow``.
        symbol: The last part, as IPython splits it: for ``--ow`` it is ``ow``, because hyphens separate symbols.
        session: The front end, which has the last listing.
    """
    command = text.rpartition("%tokens")[2]
    argv = command.split()
    prefix = "" if not command or command[-1].isspace() else argv.pop()
    kept = len(prefix) - len(symbol)
    found = completion.complete(argv, prefix, MAGIC, session)
    return [offer[kept:] for offer in found if offer.startswith(prefix)]
