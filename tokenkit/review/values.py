"""The values of columns that have a fixed set of them, so that a misspelled one is an error and never "no token"."""

from __future__ import annotations

from collections.abc import Mapping

from tokenkit.review.rule import SEVERITIES

STATUSES = ("active", "expired")
_OWNER_KINDS = ("user", "service principal", "deleted", "unknown")
_STATES = ("API_NOT_COVERED", "BACKFILLED", "COMPLETED", "DISABLED", "RUNNING", "USER_SELECTED")

FIXED: Mapping[str, tuple[str, ...]] = {
    "status": STATUSES,
    "owner_kind": _OWNER_KINDS,
    "kind": _OWNER_KINDS,
    "autoscope_state": tuple(f"AUTOSCOPE_STATE_{state}" for state in _STATES),
    "severity": SEVERITIES,
    "permission_level": ("CAN_USE", "CAN_MANAGE"),
    "advice": ("narrow", "keep", "wait", "none"),
}
