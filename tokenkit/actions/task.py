"""The request of a run for each token, and its outcome: the interface between plans and the executor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenkit.actions import states
from tokenkit.actions.states import MAYBE_SENT_AND_GONE as MAYBE_SENT_AND_GONE  # noqa: PLC0414 - beside the other one
from tokenkit.frames import TokenInfo

if TYPE_CHECKING:
    from tokenkit.actions.journal import Entry

LOST_AND_GONE = "the response to the request was lost; a look-up showed that the token no longer exists"

Found = tuple[str, str | None]
"""An outcome and a remark."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """The request for each entry. It has no retries of its own.

    Attributes:
        send: Sends the request of an entry, and raises the error that the workspace returns.
        look_up: Returns the current token of an entry, or raises ``NotFoundError`` if it does not exist.
        done: The outcome when ``send`` returns.
        found: Returns the outcome and remark for a token that was looked up, or None if the request must still be sent.
        gone_after_lost: The outcome and remark of a token that does not exist after a request of the run was lost.
        check_last_use: Whether to skip a token that was used since the plan.
    """

    send: Callable[[Entry], None]
    look_up: Callable[[Entry], TokenInfo]
    done: str
    found: Callable[[Entry, TokenInfo], Found | None] = lambda _entry, _token: None
    gone_after_lost: Found = (states.ALREADY_GONE, LOST_AND_GONE)
    check_last_use: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The outcome of one token."""

    token_id: str
    outcome: str
    error: str | None
    attempts: int
    started_at_ms: int | None
    finished_at_ms: int | None
