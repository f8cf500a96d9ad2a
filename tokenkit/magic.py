"""The door for a notebook: ``%tokens``."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_magic, magics_class

from tokenkit import errors, grammar
from tokenkit.commands import MAGIC
from tokenkit.workspace import Workspace, connect

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class NotebookSession:
    """A session that lasts as long as the kernel and remembers which workspace it works on."""

    def __init__(self) -> None:
        self._current: Workspace | None = None
        self._by_profile: dict[str, Workspace] = {}

    def workspace(self, profile: str | None) -> Workspace:
        """Return the workspace of a profile, or the one connected to; the first use connects as ``connect()`` would."""
        if profile is not None:
            if profile not in self._by_profile:
                self._by_profile[profile] = connect(profile)
            return self._by_profile[profile]
        if self._current is None:
            self._current = connect()
        return self._current

    def adopt(self, workspace: Workspace) -> None:
        """Make it the workspace of the commands that follow."""
        self._current = workspace

    def say(self, message: str) -> None:
        """Print to the cell, beside its answer."""
        sys.stdout.write(f"{message}\n")


@magics_class
class TokensMagics(Magics):
    """``%tokens VERB …``: the verbs of ``commands.VERBS``."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._session = NotebookSession()

    @line_magic
    def tokens(self, line: str) -> Any:  # noqa: ANN401 - each verb has its own kind of answer
        """Run one command on the tokens of a workspace; ``%tokens`` alone lists what there is."""
        try:
            words = shlex.split(line)
        except ValueError as problem:
            raise errors.UsageError(f"The quotes do not match: {str(problem).lower()}.") from None
        try:
            verb, options = grammar.parse(words, MAGIC)
        except grammar.HelpAsked as help_text:
            sys.stdout.write(f"{help_text}\n")
            return None
        return verb.run(self._session, options)


def register(shell: InteractiveShell) -> None:
    """Make ``%tokens`` known to a shell."""
    shell.register_magics(TokensMagics(shell))
