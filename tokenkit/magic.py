"""The door for a notebook: ``%tokens`` for a line, ``%%tokens`` for several."""

from __future__ import annotations

import os
import sys
from collections import ChainMap
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Protocol

from IPython.core.error import StdinNotImplementedError
from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope, no_var_expand
from IPython.display import display

from tokenkit import errors, grammar
from tokenkit.actions.preview import Preview
from tokenkit.connecting import connect
from tokenkit.fleet import Fleet
from tokenkit.line import words
from tokenkit.options import MAGIC
from tokenkit.printable import printable
from tokenkit.prompt import ask_unseen
from tokenkit.redaction import redact
from tokenkit.rest import credentials
from tokenkit.review import expressions
from tokenkit.verbs.fleets import fleet_of
from tokenkit.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd
    from IPython.core.interactiveshell import InteractiveShell

_LINE = r"^(?:.*=\s*)?%{1,2}tokens\b"


class NotebookSession:
    """A session that lasts as long as the kernel and remembers which workspace it works on.

    Args:
        names: The notebook's variables, in which a workspace may be named.
    """

    returns_objects = True
    program = grammar.program(MAGIC)
    shows_progress = True

    def __init__(self, names: MutableMapping[str, Any]) -> None:
        self._names = names
        self._current: Workspace | None = None
        self._by_profile: dict[str | None, Workspace] = {}
        self._fleet: Fleet | None = None
        self._fleets: dict[tuple[str | None, ...], Fleet] = {}
        self._listing: pd.DataFrame | None = None

    def connect(self, target: str | None) -> Workspace:
        """Connect to a profile, a host or the sandbox, or take a workspace that a variable holds."""
        variable = self._names.get(target) if target else None
        if isinstance(variable, Workspace) and target in credentials.profiles():
            raise errors.UsageError(
                f"{target!r} is a variable of this notebook and a profile too. Rename the variable."
            )
        self._current = variable if isinstance(variable, Workspace) else connect(target)
        return self._current

    def workspace(self, profile: str | None) -> Workspace:
        """Return the workspace of a profile, or the one connected to; the first use connects as ``connect()`` would."""
        if profile is None and self._current is not None:
            return self._current
        if profile not in self._by_profile:
            self._by_profile[profile] = connect(profile)
        return self._by_profile[profile]

    @property
    def in_hand(self) -> Workspace | None:
        """Return the workspace connected to, by name or by the first use."""
        return self._current or self._by_profile.get(None)

    def fleet(self, profiles: str | None, account: str | None, account_id: str | None) -> Fleet:
        """Return the fleet that the options name, or that a variable of that name holds; the last one, if neither."""
        variable = self._names.get(profiles) if profiles else None
        key = (profiles, account, account_id)
        if isinstance(variable, Fleet):
            self._fleet = variable
        elif self._fleet is None or any(key):
            self._fleet = self._fleets.setdefault(key, self._fleets.get(key) or fleet_of(*key))
        return self._fleet

    def say(self, message: str) -> None:
        """Print to the cell, beside its answer."""
        sys.stdout.write(f"{printable(message)}\n")

    warn = say

    def show(self, in_short: Preview) -> None:
        """Display a plan in short, as HTML where the front end can."""
        display(in_short)

    def ask(self, question: str) -> str | None:
        """Ask below the cell; None where the front end cannot ask (nbclient, papermill)."""
        try:
            return input(question)
        except (StdinNotImplementedError, EOFError):
            return None

    def ask_unseen(self, question: str) -> str | None:
        """Ask below the cell, in a field that shows nothing and of which nothing is saved."""
        return ask_unseen(question)

    def keep(self, name: str, value: str, *, in_environment: bool) -> None:
        """Set a variable of the notebook, or of the kernel's environment."""
        if in_environment:
            os.environ[name] = value
        elif name.isidentifier():
            self._names[name] = value
        else:
            raise errors.UsageError(f"{name!r} is no name for a variable.")

    def remember(self, listing: pd.DataFrame) -> None:
        """Keep a listing for the completion of owners and ids."""
        self._listing = listing

    def remembered(self) -> pd.DataFrame | None:
        """Return the last listing, if there was one."""
        return self._listing


@magics_class
class TokensMagics(Magics):
    """``%tokens VERB …``: the verbs of ``commands.VERBS``."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.session = NotebookSession(shell.user_ns)

    @needs_local_scope
    @no_var_expand  # which evaluates whatever stands in braces
    @line_cell_magic
    def tokens(self, line: str, cell: str | None = None, local_ns: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - each verb has its own kind of answer
        """Run a command on the tokens of a workspace; ``%tokens`` alone lists what there is.

        As ``%%tokens``, run the commands of a cell, a line each. Every answer is shown, and the last one is returned.
        ``$name`` and ``{name}`` stand for a variable that holds a text or a number, in ``--where`` ``@name`` does.
        """
        assert self.shell is not None
        names = ChainMap(dict(local_ns or {}), self.shell.user_ns)
        if cell is None:
            return self._run(line, names)
        commands = [each.strip() for each in [line, *cell.splitlines()]]
        answer = None
        for number, command in enumerate(commands):
            if not command or command.startswith("#"):
                continue
            if answer is not None:
                display(answer)
            try:
                answer = self._run(command, names)
            except errors.UsageError as error:
                problem = errors.UsageError(f"Line {number + 1}, {redact(command)!r}: {redact(str(error))}")
            else:
                continue
            raise problem
        return answer

    def _run(self, command: str, names: Mapping[str, Any]) -> Any:  # noqa: ANN401 - as above
        try:
            verb, options = grammar.parse(words(command, names), MAGIC)
        except grammar.HelpAsked as help_text:
            sys.stdout.write(f"{help_text}\n")
            return None
        if getattr(options, "where", None) is not None:
            options.where = expressions.with_constants(options.where, names)
        return verb.run(self.session, options)


class _CompletionEvent(Protocol):
    text_until_cursor: str
    symbol: str


def register(shell: InteractiveShell) -> None:
    """Make ``%tokens`` and its completion known to a shell."""
    magics = TokensMagics(shell)
    shell.register_magics(magics)

    def complete(_: InteractiveShell, event: _CompletionEvent) -> list[str]:
        return completions(event.text_until_cursor, event.symbol, magics.session)

    shell.set_hook("complete_command", complete, re_key=_LINE)


def completions(text: str, symbol: str, session: NotebookSession) -> list[str]:
    """Return what could stand for the symbol under the cursor.

    Args:
        text: The line up to the cursor: ``df = %tokens list --ow``.
        symbol: Its last part, as IPython cuts it: hyphens part words there, so of ``--ow`` it is ``ow``.
        session: What knows profiles, owners and ids.
    """
    typed = text.rpartition("%tokens")[2]
    words = typed.split()
    prefix = "" if not typed or typed[-1].isspace() else words.pop()
    kept = len(prefix) - len(symbol)
    found = grammar.complete(words, prefix, MAGIC, session)
    return [each[kept:] for each in found if each.startswith(prefix)]
