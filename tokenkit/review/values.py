"""The columns with a fixed set of values, so that a misspelled value is an error instead of an empty result; and the
words for values where a person reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from tokenkit import errors

Severity = Literal["high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low")
"""The severities, from the most to the least severe."""

RULE_IDS = (
    "secret-in-comment",
    "inactive-owner",
    "admin-service-principal",
    "broad-scope",
    "no-expiry",
    "inactive-creator",
    "long-lifetime",
    "lifetime-over-maximum",
    "no-maximum-lifetime",
    "all-users-can-use",
    "unused",
    "never-used",
    "unused-scopes",
    "near-token-quota",
    "no-comment",
    "expires-soon",
    "inactive-owner-still-used",
    "outside-networks",
    "shared-by-programs",
    "many-networks",
    "interactive-service-principal",
    "use-disagrees",
)
"""The ids of ``audit.EVERY_RULE``, so that command-line completion does not have to import the rules."""

CAN_USE, CAN_MANAGE = "CAN_USE", "CAN_MANAGE"

STATUSES = ("active", "expired")
_OWNER_KINDS = ("user", "service_principal", "deleted", "unknown")
_STATES = ("API_NOT_COVERED", "BACKFILLED", "COMPLETED", "DISABLED", "RUNNING", "USER_SELECTED")

FIXED: Mapping[str, tuple[str, ...]] = {
    "status": STATUSES,
    "owner_kind": _OWNER_KINDS,
    "kind": _OWNER_KINDS,
    "ends_by": ("expiry", "disuse"),
    "autoscope_state": tuple(f"AUTOSCOPE_STATE_{state}" for state in _STATES),
    "severity": SEVERITIES,
    "permission_level": (CAN_USE, CAN_MANAGE),
    "advice": ("narrow", "keep", "wait", "none"),
}


WORDS: Mapping[str, str] = {
    "service_principal": "service principal",
    "access_token": "access token",
    "oauth_secret": "OAuth secret",
    "already_gone": "already gone",
    "still_listed": "still listed",
    "deleted_or_disabled": "deleted or disabled",
    "owner_changed": "owner changed",
    "scopes_changed": "scopes changed",
    "comment_changed": "comment changed",
    "first_used": "first used",
    "revoked_by_tokenkit": "revoked by tokenkit",
    "updated_by_tokenkit": "updated by tokenkit",
    "revoked_externally": "revoked externally",
    "unused_90_days": "unused for 90 days",
    "value_without_suffix": "value without suffix",
    "value_with_restored_suffix": "value with restored suffix",
    "digits_and_suffix": "digits and suffix",
    "digits_as_bytes": "digits as bytes",
    "not_scanned": "not scanned",
}
"""The words for values that are identifiers, in tables, previews and widgets. Frames and files have the identifiers."""


def words(value: str) -> str:
    """Return the words for a value of a fixed set."""
    return WORDS.get(value, value)


def unknown_level(level: str) -> errors.UsageError:
    """Return the error about a permission level that does not exist."""
    return errors.UsageError(f"Unknown permission level {level!r}. Use {CAN_USE} or {CAN_MANAGE}.")
