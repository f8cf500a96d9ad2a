"""The argument of every handler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenkit.sandbox.responses import Request
    from tokenkit.sandbox.state.account import Account
    from tokenkit.sandbox.state.directory import Identity
    from tokenkit.sandbox.state.workspace import State


@dataclass(frozen=True, slots=True)
class Caller:
    """The principal that sent a request, and the id of their personal access token (None for OAuth)."""

    identity: Identity
    token_id: str | None


@dataclass(frozen=True, slots=True)
class Visit:
    """A request to an endpoint that needs no credential.

    Attributes:
        account: The account of the sandbox.
        request: The request.
        host: The address that the request was sent to.
        workspace_id: The workspace of that address, or ``ACCOUNT``.
        now_ms: The current time.
    """

    account: Account
    request: Request
    host: str
    workspace_id: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class Call:
    """A request with its caller and the state of its workspace, or the account's own state."""

    account: Account
    state: State
    request: Request
    caller: Caller
    parameters: Mapping[str, str]
    now_ms: int
