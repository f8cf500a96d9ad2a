"""The recorded events are bounded, and say how many are gone."""

import pytest

from tokenkit.sandbox.state.audit_log import AuditLog, Event


def event(time_ms):
    return Event(time_ms, 0, "tokenLogin", "ann@example.com", {}, "127.0.0.1", "curl/8")


@pytest.mark.parametrize(("limit", "kept", "removed"), [(10, 10, 15), (25, 25, 0), (24, 23, 2), (3, 3, 22)])
def test_above_the_limit_the_oldest_tenth_is_removed(limit, kept, removed):
    log = AuditLog(limit)
    for time_ms in range(25):
        log.append(event(time_ms))
    events, gone = log.read()
    assert (len(events), len(log), gone) == (kept, kept, removed)
    assert [each.time_ms for each in events] == [*range(removed, 25)]
