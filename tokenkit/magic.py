"""The door for a notebook: ``%tokens``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_magic, magics_class

from tokenkit import errors, grammar
from tokenkit.commands import MAGIC
from tokenkit.rest import credentials
from tokenkit.workspace import Workspace, connect

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class NotebookSession:
    """A session that lasts as long as the kernel and remembers which workspace it works on.

    Args:
        names: The notebook's variables, in which a workspace may be named.
    """

    def __init__(self, names: Mapping[str, object]) -> None:
        self._names = names
        self._current: Workspace | None = None
        self._by_profile: dict[str | None, Workspace] = {}

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

    def say(self, message: str) -> None:
        """Print to the cell, beside its answer."""
        sys.stdout.write(f"{message}\n")


@magics_class
class TokensMagics(Magics):
    """``%tokens VERB …``: the verbs of ``commands.VERBS``."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._session = NotebookSession(shell.user_ns)

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
