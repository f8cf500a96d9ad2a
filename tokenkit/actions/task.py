"""What a run does to each of its tokens, and what became of one: all that plans and the executor have to agree on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tokenkit.actions.journal import Entry


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is done to each entry, in one request without retries of its own.

    Attributes:
        send: Carries out an entry; raises what the workspace says.
        look_up: Tells what became of an entry whose answer was lost: an outcome and a remark, or None if it is still to
            be done.
        done: The outcome when ``send`` returns.
        minds_use: Whether a token that was used since the plan is left alone.
    """

    send: Callable[[Entry], None]
    look_up: Callable[[Entry], tuple[str, str | None] | None]
    done: str
    minds_use: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of one token."""

    token_id: str
    outcome: str
    error: str | None = None
    attempts: int = 0
    started_at_ms: int | None = None
    finished_at_ms: int | None = None
