"""The states in the journal of the tokens of a run, and of a run that is a single request."""

from __future__ import annotations

PENDING, SENT = "pending", "sent"
REVOKED, UPDATED, ALREADY_GONE, CREATED = "revoked", "updated", "already_gone", "created"
SKIPPED, FAILED, UNKNOWN, STILL_LISTED = "skipped", "failed", "unknown", "still_listed"

STATES = frozenset({PENDING, SENT, REVOKED, UPDATED, ALREADY_GONE, CREATED, SKIPPED, FAILED, UNKNOWN, STILL_LISTED})
UNDER_WAY = (PENDING, SENT)
DONE = (CREATED, REVOKED, UPDATED, ALREADY_GONE)
SETTLED = frozenset({*DONE, SKIPPED})
"""The final outcomes. All other tokens remain: ``resume`` tries them or looks them up again."""
MAYBE_SENT_AND_GONE = (
    "the run was killed when a request may have been sent; a look-up showed that the token no longer exists"
)
"""The remark of a token that is ``sent`` although its request may not have been sent."""
NOT_CONFIRMED = "not confirmed"
"""The start of the remark of a token whose outcome the final listing could not confirm."""
IN_DOUBT = (UNKNOWN, STILL_LISTED)
"""The states that do not show whether a request was processed. The previous state does."""
