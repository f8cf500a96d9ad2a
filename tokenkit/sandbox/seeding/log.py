"""The audit log of all workspaces, as the warehouse reads it: the generated history, then the recorded events."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.seeding.history import history
from tokenkit.sandbox.state.audit_log import with_audit_ids
from tokenkit.sandbox.state.audit_rows import Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tokenkit.sandbox.state.account import Account
    from tokenkit.sandbox.state.audit_log import AuditLog, Event

Mark = tuple[tuple[int, int], int]


@dataclass(frozen=True, slots=True)
class CompanyLog:
    """The log of an account.

    Attributes:
        account: The account.
        recorded: The events of requests.
        started_ms: When the sandbox started: the history is of the time before.
        audit_ids: Which token ids are those of the listing.
    """

    account: Account
    recorded: AuditLog
    started_ms: int
    audit_ids: str

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield all rows."""
        yield from self.read(None).rows

    def read(self, mark: Mark | None) -> Part:
        """Return the rows since a mark; all of them if days passed, or if events were removed."""
        passed = tuple(self.account.passed)
        events, removed = self.recorded.read()
        version = (len(passed), removed)
        after = (version, len(events))
        if mark is not None and mark[0] == version:
            return Part(after, self._rows(events[mark[1] :]), is_whole=False)
        states = self.account.states.values()
        histories = (history(state, now_ms=self.started_ms, passed=passed) for state in states)
        return Part(after, self._rows(chain(chain.from_iterable(histories), events)), is_whole=True)

    def _rows(self, events: Iterable[Event]) -> Iterator[dict[str, Any]]:
        return (with_audit_ids(event, self.audit_ids).row(self.account.account_id) for event in events)
