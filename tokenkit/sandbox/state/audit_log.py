"""The audit log: events in the form of the system table ``system.access.audit``.

The events of requests are recorded as they happen, up to a limit. The history before the sandbox's start is generated
when it is first read (``seeding/history``).
"""

from __future__ import annotations

import hashlib
import threading
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEPT_EVENTS = 100_000
EXTERNAL_TOKEN = "API_EXT_PAT_TOKEN"  # noqa: S105  # a personal access token that is used from outside
INTERNAL_TOKEN = "API_INT_PAT_TOKEN"  # noqa: S105  # the internal token of a notebook or a job


ALL, SOME, NONE = "all", "some", "none"
AUDIT_IDS = (ALL, SOME, NONE)


class Event(NamedTuple):
    """One event. Each request makes some, and a named tuple is made fastest.

    Attributes:
        time_ms: The time in epoch milliseconds.
        workspace_id: The workspace, or 0 for the account.
        action: The action, such as ``tokenLogin``.
        actor: The user name or application id.
        params: The parameters of the request.
        source: The address that the request came from.
        user_agent: The client's user agent.
        status: The status of the response.
        error: The message of an error response.
    """

    time_ms: int
    workspace_id: int
    action: str
    actor: str
    params: Mapping[str, str]
    source: str
    user_agent: str
    status: int = 200
    error: str | None = None

    def row(self, account_id: str) -> dict[str, Any]:
        """Return the event as a row of the table. The same event has the same ids."""
        identity = f"{self.time_ms}/{self.workspace_id}/{self.action}/{self.actor}/{sorted(self.params.items())}"
        event_id = str(uuid.uuid5(uuid.NAMESPACE_OID, identity))
        moment = datetime.fromtimestamp(self.time_ms / 1000, UTC)
        return {
            "account_id": account_id,
            "workspace_id": str(self.workspace_id),
            "version": "2.0",
            "event_time": f"{moment:%Y-%m-%dT%H:%M:%S}.{self.time_ms % 1000:03}Z",
            "event_date": f"{moment:%Y-%m-%d}",
            "event_id": event_id,
            "audit_level": "WORKSPACE_LEVEL" if self.workspace_id else "ACCOUNT_LEVEL",
            "service_name": "accounts",
            "action_name": self.action,
            "request_id": str(uuid.uuid5(uuid.NAMESPACE_URL, identity)),
            "request_params": dict(self.params),
            "response": {"status_code": self.status, "error_message": self.error, "result": None},
            "session_id": None,
            "source_ip_address": self.source,
            "user_agent": self.user_agent,
            "user_identity": {"email": self.actor, "subject_name": None},
            "identity_metadata": {"run_by": None, "run_as": None, "acting_resource": None},
        }


def with_audit_ids(event: Event, audit_ids: str) -> Event:
    """Return an event with the token ids of the listing, with other ones, or for ``some`` with half of them."""
    named = {name: event.params[name] for name in ("tokenId", "tokenHash") if name in event.params}
    other = {
        name: hashlib.sha256(token_id.encode()).hexdigest()
        for name, token_id in named.items()
        if audit_ids == NONE or (audit_ids == SOME and token_id[-1:] in "02468ace")
    }
    return event._replace(params={**event.params, **other}) if other else event


class AuditLog:
    """The events of the requests to the sandbox, oldest first. Above the limit, the oldest tenth is removed."""

    def __init__(self, limit: int = _KEPT_EVENTS) -> None:
        self._lock = threading.Lock()
        self._limit = limit
        self._events: list[Event] = []
        self._removed = 0

    def __len__(self) -> int:
        return len(self._events)

    def append(self, event: Event) -> None:
        """Add an event."""
        with self._lock:
            self._events.append(event)
            if len(self._events) > self._limit:
                oldest = max(1, self._limit // 10)
                del self._events[:oldest]
                self._removed += oldest

    def read(self) -> tuple[list[Event], int]:
        """Return the events, and the number of older ones that were removed."""
        with self._lock:
            return list(self._events), self._removed
