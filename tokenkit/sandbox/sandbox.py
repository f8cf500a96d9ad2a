"""The sandbox as a whole: its workspaces, seeded or read from the database, and their server."""

from __future__ import annotations

import secrets
import threading
import time
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from tokenkit.sandbox.seeding.log import CompanyLog
from tokenkit.sandbox.seeding.seed import seed_account, seed_workspace
from tokenkit.sandbox.seeding.uses import COMPANY_NETWORKS, USES_BY_NAME
from tokenkit.sandbox.serving.limits import RateLimit
from tokenkit.sandbox.serving.server import Server
from tokenkit.sandbox.serving.service import Service
from tokenkit.sandbox.state.account import Account
from tokenkit.sandbox.state.audit_log import ALL, AUDIT_IDS
from tokenkit.sandbox.state.clock import MovableClock
from tokenkit.sandbox.state.database import Database
from tokenkit.sandbox.state.permissions import DELETED, LOST_TOKENS
from tokenkit.sandbox.state.workspace import State

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class SandboxWorkspace:
    """One workspace: its address and its admin's token."""

    host: str
    token: str = field(repr=False)
    workspace_id: int
    state: State = field(repr=False)


class Sandbox:
    """Simulated Databricks workspaces on this machine, for a ``with`` block, or from ``start`` to ``stop``.

    Args:
        tokens: Number of tokens in each workspace, including its admin's own; at least 1.
        workspaces: Number of workspaces.
        seed: The same seed and clock generate the same company, byte for byte.
        database: A file that stores the state; None stores it in memory. An existing sandbox file is served unchanged:
            ``tokens``, ``workspaces`` and ``seed`` are ignored.
        port: The first workspace's port; the others follow. 0 takes free ports. The account always has a free port.
        latency_ms: Delay before each API request is handled.
        rate_limit: Requests per second for each workspace; None means no limit.
        burst: Requests allowed at once under a limit; None means one second's worth.
        lost_tokens: What happens to the tokens of principals who lose permission: ``deleted``,
            ``disabled_through_groups`` or ``disabled``. The documentation has described all three.
        audit_ids: Which token ids in the audit log are also in the listing: ``all``, ``some`` or ``none``. The real
            behavior is not documented.
        clock: The workspaces' current time, in seconds since the epoch.
        monotonic: The clock of the rate limit; it must advance even if ``clock`` is fixed.
        entropy: Random bytes for the values of new tokens and for new ids.

    Attributes:
        workspaces: The workspaces, in order.
        host: The first workspace's address.
        token: The token of the first workspace's admin.
        account_host: The account's address, where the official ``AccountClient`` lists workspaces; see ``account_id``.
        account_id: The account that all workspaces belong to.
        client_id: The application id of a service principal that is an admin of every workspace and signs in with
            OAuth.
        client_secret: The OAuth secret of ``client_id``.
        warehouse: The SQL warehouse of all workspaces, over the audit log.
        company_networks: The networks that the company signs in from, for the audit's rule ``outside-networks``.
        faults: The injected faults; empty at the start.
        requests: The requests served.
        errors: The sandbox's own bugs, which clients saw as 500 INTERNAL_ERROR.
        unknown_routes: The method and path of each request that the sandbox does not serve, so that a test can fail on
            them.

    Raises:
        ValueError: A number is out of range.
        DatabaseUnusableError: The file cannot be used.
        OSError: A port is in use.
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
        audit_ids: str = ALL,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        _validate(
            tokens=tokens, workspaces=workspaces, port=port, latency_ms=latency_ms, rate_limit=rate_limit, burst=burst
        )
        if lost_tokens not in LOST_TOKENS:
            raise ValueError(f"lost_tokens must be one of {', '.join(LOST_TOKENS)}")
        if audit_ids not in AUDIT_IDS:
            raise ValueError(f"audit_ids must be one of {', '.join(AUDIT_IDS)}")
        clock = MovableClock(clock)
        started_ms = int(clock() * 1000)
        self._database = Database(database)
        try:
            if self._database.is_new:
                with self._database.build():
                    seed_account(self._database, seed=seed)
                    for position in range(workspaces):
                        seed_workspace(self._database, position, tokens=tokens, seed=seed, now_ms=int(clock() * 1000))
            else:
                # The log of an earlier process is lost, so the history agrees with the listing as it is now.
                self._database.change("DELETE FROM past_tokens WHERE sequence IN (SELECT sequence FROM tokens)")
            values = dict(self._database.rows("SELECT workspace_id, token FROM workspaces ORDER BY position"))
            self._states = {workspace_id: State(self._database, workspace_id, entropy) for workspace_id in values}
            properties: dict[str, str] = dict(self._database.rows("SELECT name, value FROM properties"))
            self.account_id = properties["account_id"]
            self.client_id = properties["client_id"]
            self.client_secret = properties["client_secret"]
            self._account = Account(self._database, self.account_id, self._states, clock, entropy)
            limits = {}
            if rate_limit is not None:
                size = max(1.0, rate_limit) if burst is None else burst
                limits = {workspace_id: RateLimit(rate_limit, size, monotonic) for workspace_id in values}
            self._service = Service(self._account, limits, latency_ms=latency_ms)
            # Without a reference to the sandbox, which ends when it is garbage-collected.
            self._log = CompanyLog(self._account, self._service.audit_log, started_ms, audit_ids)
            self.warehouse = self._account.warehouse
            self.warehouse.log = self._log
            for state in self._states.values():
                state.permissions.lost_tokens = lost_tokens
            self._server = Server(self._service, list(self._states), port=port, clock=clock)
        except BaseException:
            self._database.close()
            raise
        self.account_host = self._server.account_host
        self._account.hosts.update(zip(self._states, self._server.hosts, strict=True))
        self.workspaces = [
            SandboxWorkspace(host, values[workspace_id], workspace_id, self._states[workspace_id])
            for workspace_id, host in self._account.hosts.items()
        ]
        self.host = self.workspaces[0].host
        self.token = self.workspaces[0].token
        self.company_networks = COMPANY_NETWORKS
        self.faults = self._service.faults
        self.requests = self._service.requests
        self.errors = self._service.errors
        self.unknown_routes = self._service.unknown_routes
        self._state = "created"
        self._finalizer: weakref.finalize[[Server, Database], Sandbox] | None = None

    def __repr__(self) -> str:
        return f"<Sandbox {self.host}, workspaces: {len(self.workspaces)}, {self._state}>"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Start serving, in daemon threads."""
        if self._state == "created":
            self._server.start()
            self._state = "serving"
        return self

    def stop(self) -> None:
        """Close the ports and the database. A second call does nothing."""
        if self._state != "stopped":
            self._state = "stopped"
            if self._finalizer is not None:
                self._finalizer.detach()
            _stop_and_close(self._server, self._database)

    def stop_when_forgotten(self) -> None:
        """Also stop when the sandbox is garbage-collected."""
        self._finalizer = weakref.finalize(self, _stop_in_new_thread, self._server, self._database)
        self._finalizer.atexit = False  # the end of the process closes the ports

    def audit_events(self) -> Iterator[dict[str, Any]]:
        """Return the audit log of all workspaces, as rows of ``system.access.audit``, in no particular order.

        The history before the start of the sandbox is generated, and later requests are recorded.
        """
        return iter(self._log)

    def usage_culprits(self) -> dict[str, set[str]]:
        """Return the tokens that the audit finds in the generated audit log, by the rule that finds them.

        The rules are those that need usage; ``outside-networks`` with the thresholds ``company_networks``. A token that
        was deleted is not among them.
        """
        found: dict[str, set[str]] = {}
        for state in self._states.values():
            listed = state.tokens.ids()
            for token_id, use in state.tokens.planted_uses().items():
                for rule in USES_BY_NAME[use].rules if token_id in listed else ():
                    found.setdefault(rule, set()).add(token_id)
        return found

    def now_ms(self) -> int:
        """Return the workspaces' current time, in epoch milliseconds."""
        return int(self._account.clock() * 1000)

    def pass_days(self, days: float) -> None:
        """Advance the clock by days: tokens in daily use are used, and tokens unused for 90 days are revoked.

        Args:
            days: The number of days.
        """
        self._account.pass_days(days)

    def state(self, workspace_id: int) -> State:
        """Return the state of a workspace, for tests.

        Args:
            workspace_id: The id in its ``SandboxWorkspace``.
        """
        return self._states[workspace_id]


def _stop_and_close(server: Server, database: Database) -> None:
    server.stop()
    database.close()


def _stop_in_new_thread(server: Server, database: Database) -> None:
    # The last reference may be dropped in one of the server's own threads, and a thread cannot join itself.
    threading.Thread(target=_stop_and_close, args=(server, database), name="sandbox-end", daemon=True).start()


def _validate(
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
        raise ValueError("port must leave a port for each workspace, up to 65535")
    if not 0 <= latency_ms < float("inf"):
        raise ValueError("latency_ms must be 0 or more, and finite")
    if rate_limit is not None and not 0 < rate_limit < float("inf"):
        raise ValueError("rate_limit must be more than 0 requests per second")
    if burst is not None and not 1 <= burst < float("inf"):
        raise ValueError("burst must be at least 1 request")
