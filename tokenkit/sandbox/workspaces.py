"""The sandbox as a whole: its workspaces, made or found in the database, and the server before them."""

from __future__ import annotations

import secrets
import threading
import time
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from tokenkit.sandbox.account import Account
from tokenkit.sandbox.authentication import OAuth
from tokenkit.sandbox.database import Database
from tokenkit.sandbox.limits import RateLimit
from tokenkit.sandbox.permissions import DELETED, LOST_TOKENS
from tokenkit.sandbox.seed import seed_account, seed_workspace
from tokenkit.sandbox.server import Server
from tokenkit.sandbox.service import Requests, Service
from tokenkit.sandbox.state import State

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from tokenkit.sandbox.faults import Faults


@dataclass(frozen=True, slots=True)
class SandboxWorkspace:
    """One workspace: where it is, and its admin's token."""

    host: str
    token: str = field(repr=False)
    workspace_id: int
    state: State = field(repr=False)


class Sandbox:
    """Databricks workspaces on this machine, for as long as a ``with`` block, or from ``start`` to ``stop``.

    Args:
        tokens: How many tokens each workspace has, its admin's own included; at least 1.
        workspaces: How many workspaces.
        seed: The same seed and clock give the same company, to the byte.
        database: A file to keep the state in; None keeps it in memory. A file that already holds a sandbox is served as
            it is, and ``tokens``, ``workspaces`` and ``seed`` do not matter.
        port: The first workspace's port, the others following; 0 takes free ones, as the account always does.
        latency_ms: How long each API request waits before it is handled.
        rate_limit: Requests a second for each workspace; None means no limit.
        burst: How many requests may come at once under a limit; None means a second's worth.
        lost_tokens: What becomes of the tokens of those who lose permission: ``deleted``, ``disabled_through_groups``
            or ``disabled``, as the three generations of the documentation have it; see ``permissions``.
        clock: Seconds since the epoch: what the workspaces believe the time to be.
        monotonic: The clock of the rate limit, which must run even where ``clock`` stands still.
        entropy: Random bytes for the values of new tokens and for new ids.

    Attributes:
        workspaces: The workspaces, in order.
        account_host: The account's address, where the official ``AccountClient`` lists them; see ``account_id``.

    Raises:
        ValueError: A number is out of range.
        DatabaseUnusableError: The file cannot be used.
        OSError: A port is taken.
    """

    def __init__(
        self,
        *,
        tokens: int = 1000,
        workspaces: int = 1,
        seed: int = 0,
        database: str | os.PathLike[str] | None = None,
        port: int = 0,
        latency_ms: float = 0,
        rate_limit: float | None = None,
        burst: float | None = None,
        lost_tokens: str = DELETED,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        _check(
            tokens=tokens, workspaces=workspaces, port=port, latency_ms=latency_ms, rate_limit=rate_limit, burst=burst
        )
        if lost_tokens not in LOST_TOKENS:
            raise ValueError(f"lost_tokens must be one of {', '.join(LOST_TOKENS)}")
        self._database = Database(database)
        try:
            if self._database.is_new:
                with self._database.build():
                    seed_account(self._database, seed=seed)
                    for position in range(workspaces):
                        seed_workspace(self._database, position, tokens=tokens, seed=seed, now_ms=int(clock() * 1000))
            self._service = self._make_service(
                latency_ms=latency_ms,
                rate_limit=rate_limit,
                burst=burst,
                clock=clock,
                monotonic=monotonic,
                entropy=entropy,
            )
            for state in self._states.values():
                state.permissions.lost_tokens = lost_tokens
            self._server = Server(self._service, list(self._states), port=port, clock=clock)
        except BaseException:
            self._database.close()
            raise
        self.account_host = self._server.account_host
        self._account.hosts.update(zip(self._states, self._server.hosts, strict=True))
        values = self._tokens()
        self.workspaces = [
            SandboxWorkspace(host, values[workspace_id], workspace_id, self._states[workspace_id])
            for workspace_id, host in self._account.hosts.items()
        ]
        self._state = "made"
        self._forgotten: weakref.finalize[[Server, Database], Sandbox] | None = None

    def __repr__(self) -> str:
        return f"<Sandbox {self.host}, workspaces: {len(self.workspaces)}, {self._state}>"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Begin to serve, in daemon threads."""
        if self._state == "made":
            self._server.start()
            self._state = "serving"
        return self

    def stop(self) -> None:
        """Close the ports and the database; a second time does nothing."""
        if self._state != "stopped":
            self._state = "stopped"
            if self._forgotten is not None:
                self._forgotten.detach()
            _end(self._server, self._database)

    def stop_when_forgotten(self) -> None:
        """Stop, too, once nothing in this process holds the sandbox any more."""
        self._forgotten = weakref.finalize(self, _end_elsewhere, self._server, self._database)
        self._forgotten.atexit = False  # a process that ends closes its ports by itself

    @property
    def host(self) -> str:
        """The first workspace's address."""
        return self.workspaces[0].host

    @property
    def token(self) -> str:
        """The first workspace's admin's token."""
        return self.workspaces[0].token

    @property
    def account_id(self) -> str:
        """The account that all workspaces belong to."""
        return self._property("account_id")

    @property
    def client_id(self) -> str:
        """The application id of a service principal that is an admin of every workspace and may sign in by OAuth."""
        return self._property("client_id")

    @property
    def client_secret(self) -> str:
        """The secret that goes with ``client_id``."""
        return self._property("client_secret")

    @property
    def faults(self) -> Faults:
        """What goes wrong; nothing, until something is added."""
        return self._service.faults

    @property
    def requests(self) -> Requests:
        """The requests served."""
        return self._service.requests

    @property
    def errors(self) -> list[BaseException]:
        """The sandbox's own mistakes, which clients saw as 500 INTERNAL_ERROR."""
        return self._service.errors

    def state(self, workspace_id: int) -> State:
        """Return the state of a workspace, for a look inside.

        Args:
            workspace_id: As its ``SandboxWorkspace`` has it.
        """
        return self._states[workspace_id]

    def _make_service(
        self,
        *,
        latency_ms: float,
        rate_limit: float | None,
        burst: float | None,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        entropy: Callable[[int], bytes],
    ) -> Service:
        ids = [each for (each,) in self._database.rows("SELECT workspace_id FROM workspaces ORDER BY position")]
        self._states = {workspace_id: State(self._database, workspace_id, entropy) for workspace_id in ids}
        limits = {}
        if rate_limit is not None:
            size = max(1.0, rate_limit) if burst is None else burst
            limits = {workspace_id: RateLimit(rate_limit, size, monotonic) for workspace_id in ids}
        self._properties = dict(self._database.rows("SELECT name, value FROM properties"))
        oauth = OAuth(self._database, self.client_id, self.client_secret, entropy)
        self._account = Account(self.account_id, oauth, self._database)
        return Service(self._account, self._states, limits, latency_ms=latency_ms, clock=clock)

    def _tokens(self) -> dict[int, str]:
        return dict(self._database.rows("SELECT workspace_id, token FROM workspaces"))

    def _property(self, name: str) -> str:
        return str(self._properties[name])


def _end(server: Server, database: Database) -> None:
    server.stop()
    database.close()


def _end_elsewhere(server: Server, database: Database) -> None:
    # Whoever drops the last reference may be one of the server's own threads, which cannot wait for itself.
    threading.Thread(target=_end, args=(server, database), name="sandbox-end", daemon=True).start()


def _check(
    *,
    tokens: int,
    workspaces: int,
    port: int,
    latency_ms: float,
    rate_limit: float | None,
    burst: float | None,
) -> None:
    if tokens < 1:
        raise ValueError("tokens must be at least 1: the admin's own token is one")
    if workspaces < 1:
        raise ValueError("workspaces must be at least 1")
    if port < 0 or port + workspaces - 1 > 65535:
        raise ValueError("port must leave room for a port each for the workspaces, up to 65535")
    if not 0 <= latency_ms < float("inf"):
        raise ValueError("latency_ms must not be negative")
    if rate_limit is not None and not 0 < rate_limit < float("inf"):
        raise ValueError("rate_limit must be more than 0 requests a second")
    if burst is not None and not 1 <= burst < float("inf"):
        raise ValueError("burst must be at least 1 request")
