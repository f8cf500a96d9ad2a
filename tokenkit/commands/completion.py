"""Completion of command lines: in a shell with the scripts of click, in a notebook for ``%tokens``."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    get_completion_class,
    shell_complete,
)

from tokenkit.commands.options import SHELL
from tokenkit.commands.parser import program, tree
from tokenkit.commands.session import FrontEnd, Session

_VARIABLE = "_TOKENKIT_COMPLETE"
_DESCENDING = "--sort=-"


class _WholeWords(ShellComplete):
    """Completes ``--status=a`` as ``--status=active``. click returns ``active``, which would replace the option; and
    options for ``--sort=-a``.
    """

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        option = _option_of(incomplete)
        start = _DESCENDING if incomplete.startswith(_DESCENDING) else option
        found = super().get_completions(args, option + incomplete.removeprefix(start))
        return [
            CompletionItem(f"{start}{item.value}", item.type, item.help) if _is_plain(item) else item for item in found
        ]


@add_completion_class
class _Zsh(_WholeWords, ZshComplete):
    """Completion in zsh."""


@add_completion_class
class _Fish(_WholeWords, FishComplete):
    """Completion in fish. click's script would cut a value at its first comma."""

    source_template = FishComplete.source_template.replace('string split ","', 'string split --max 1 ","')


@add_completion_class
class _Bash(_WholeWords, BashComplete):
    """Completion in bash, which splits ``--status=active`` at ``=``, and completes what follows. click would use the
    ``=`` as the value.
    """

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        start = f"{args[-2]}=" if args[1:] and args[-1] == "=" else ""
        before = [arg for arg in (args[:-2] if start else args) if arg != "="]
        return [
            CompletionItem(item.value.removeprefix(start), item.type, item.help)
            for item in super().get_completions(before, start + incomplete)
        ]

    def source(self) -> str:
        # BashComplete checks the version of the first bash in PATH, which may be another one.
        return ShellComplete.source(self)


def completed_for_shell(front_end: FrontEnd) -> int | None:
    """Print completions if a shell requests them.

    Returns:
        The exit code; None if there is no request.
    """
    instruction = os.getenv(_VARIABLE)
    if not instruction:
        return None
    return shell_complete(tree(SHELL), {"obj": front_end}, program(SHELL), _VARIABLE, instruction)


def script(session: Session[object], *, shell: str) -> str:
    """Return the script that completes ``tokenkit`` in a shell."""
    completion_class = get_completion_class(shell)
    assert completion_class is not None, shell
    return completion_class(tree(SHELL), {}, session.front_end.program, _VARIABLE).source()


def complete(argv: Sequence[str], prefix: str, front_end: str, session: FrontEnd) -> list[str]:
    """Return the completions of an argument.

    Args:
        argv: The arguments before it, without the name of the program.
        prefix: The beginning of the argument.
        front_end: ``MAGIC`` or ``SHELL``.
        session: The front end, which has the last listing.
    """
    finder = _WholeWords(tree(front_end), {"obj": session}, program(front_end), _VARIABLE)
    start = _option_of(prefix)
    found: set[str] = set()
    for item in finder.get_completions(list(argv), prefix):
        if _is_plain(item):
            found.add(item.value)
        else:
            paths = glob.glob(f"{glob.escape(item.value)}*")  # noqa: PTH207 - keeps the spelling of the prefix
            found.update(f"{start}{path}" for path in paths)
    return sorted(found)


def _option_of(argument: str) -> str:
    """Return the name of the option and ``=``, if an argument begins with them."""
    name, equals, _ = argument.partition("=")
    return name + equals if equals and name.startswith("-") else ""


def _is_plain(item: CompletionItem) -> bool:
    return item.type == "plain"  # otherwise a file, which the shell completes
