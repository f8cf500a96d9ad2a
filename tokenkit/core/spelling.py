"""How a message spells what it tells the user to pass or to call: in Python, or as options and commands.

A message is spelled where it is made, piece by piece, and is never rewritten: a finished sentence also contains texts
from outside, which can look like anything.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar

_IN_COMMANDS: ContextVar[Mapping[str, str] | None] = ContextVar("_IN_COMMANDS", default=None)


def spelled(in_python: str, **values: str) -> str:
    """Return a piece of a message in Python, or its counterpart while a command runs.

    Args:
        in_python: The piece, such as ``include_own=True``. It is also the key of its counterpart.
        values: What ``{name}`` or ``{name!r}`` in the piece and its counterpart stands for.
    """
    piece = (_IN_COMMANDS.get() or {}).get(in_python, in_python)
    return piece.format(**values) if values else piece


def is_in_command() -> bool:
    """Return whether a command runs, which shows messages about its result itself."""
    return _IN_COMMANDS.get() is not None


@contextlib.contextmanager
def spelling(in_commands: Mapping[str, str]) -> Iterator[None]:
    """Spell pieces of messages as options and commands, in this context.

    A thread that makes messages needs the context of its creator: ``contextvars.copy_context().run``.

    Args:
        in_commands: The counterpart of each piece.
    """
    token = _IN_COMMANDS.set(in_commands)
    try:
        yield
    finally:
        _IN_COMMANDS.reset(token)
