"""A statement of the sandbox's warehouse: what was requested, and what became of it."""

from __future__ import annotations

import hmac
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tokenkit.sandbox.state.results import JSON_ARRAY
from tokenkit.sandbox.state.sql_translation import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenkit.sandbox.state.results import Result
    from tokenkit.sandbox.state.sql_engine import Query

INLINE, EXTERNAL_LINKS = "INLINE", "EXTERNAL_LINKS"
LINK_LIFETIME_MS = 15 * 60 * 1000
RESULT_LIFETIME_MS = 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class StatementRequest:
    """A valid request to run a statement.

    Attributes:
        sql: The statement.
        parameters: The SQL type and the value of each parameter, by its name in lowercase.
        session: The default catalog and schema, and the user.
        disposition: ``INLINE`` or ``EXTERNAL_LINKS``.
        format: ``JSON_ARRAY``, ``ARROW_STREAM`` or ``CSV``.
        row_limit: The maximum number of rows.
        byte_limit: The maximum size of the result.
        wait_seconds: How long the caller waits for the result.
        is_canceled_after_wait: Whether the statement is canceled if it has not ended then.
    """

    sql: str
    parameters: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    session: Session = field(default_factory=Session)
    disposition: str = INLINE
    format: str = JSON_ARRAY
    row_limit: int | None = None
    byte_limit: int | None = None
    wait_seconds: int = 10
    is_canceled_after_wait: bool = False


@dataclass
class Statement:
    """A statement, from its submission until it is removed.

    Attributes:
        request: What was requested.
        polls_left: The number of remaining polls that report it as running.
        statement_id: Its id.
        state: ``PENDING``, ``RUNNING``, ``SUCCEEDED``, ``FAILED``, ``CANCELED`` or ``CLOSED``.
        error: The code and the message of a failed statement.
        result: The result of one that succeeded and is not closed.
        closes_ms: The time at which its result is removed.
        ended: Set when it has run, or never will.
        query: What runs, until it has run.
    """

    request: StatementRequest
    polls_left: int
    statement_id: str = field(default_factory=lambda: secrets.token_hex(16))
    state: str = "PENDING"
    error: tuple[str, str] | None = None
    result: Result | None = field(default=None, repr=False)
    closes_ms: int = 0
    ended: threading.Event = field(default_factory=threading.Event, repr=False)
    query: Query | None = field(default=None, repr=False)
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(16), repr=False)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended, or is shown as running."""
        return bool(self.polls_left) or not self.ended.is_set()

    def signature(self, index: int, expires_ms: int) -> str:
        """Return the secret part of a link to a chunk. Each link has its own expiry, which it signs."""
        return hmac.digest(self._key, f"{index} {expires_ms}".encode(), "sha256").hex()
