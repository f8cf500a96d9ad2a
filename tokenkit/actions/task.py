"""What a run does to each of its tokens, and what became of one: all that plans and the executor have to agree on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tokenkit.actions import journal as records
from tokenkit.actions.journal import Entry
from tokenkit.frames import TokenInfo

LOST_AND_GONE = "the response to our request was lost; looked up, it is gone"

Found = tuple[str, str | None]
"""An outcome, and a remark."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is done to each entry, in one request without retries of its own.

    Attributes:
        send: Carries out an entry; raises what the workspace says.
        look_up: Returns the token of an entry as it is now; ``NotFoundError`` says that it does not exist.
        done: The outcome when ``send`` returns.
        found: What a token that was looked up is: an outcome and a remark, or None if it is still to be done.
        gone_after_lost: The outcome and remark of a token that does not exist after a request of the run was lost.
        minds_use: Whether a token that was used since the plan is left alone.
    """

    send: Callable[[Entry], None]
    look_up: Callable[[Entry], TokenInfo]
    done: str
    found: Callable[[Entry, TokenInfo], Found | None] = lambda _entry, _token: None
    gone_after_lost: Found = (records.ALREADY_GONE, LOST_AND_GONE)
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
