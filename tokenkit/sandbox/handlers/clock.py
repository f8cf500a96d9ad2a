"""The handlers of the sandbox's own endpoint ``/sandbox/clock``, which no real workspace has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenkit.sandbox.responses import Response, invalid

if TYPE_CHECKING:
    from tokenkit.sandbox.handlers.call import Call

MAX_DAYS = 3650


def get_clock(call: Call) -> Response:
    """Return the sandbox's current time."""
    return Response.of({"now": call.account.clock.text()})


def pass_days(call: Call) -> Response:
    """Advance the clock by days: tokens in daily use are used, and tokens unused for 90 days are revoked."""
    days = call.request.json().get("days")
    if not isinstance(days, int | float) or isinstance(days, bool) or not 0 < days <= MAX_DAYS:
        raise invalid(f"days must be a number of days, up to {MAX_DAYS}")
    call.account.pass_days(days)
    return Response.of({"now": call.account.clock.text()})
