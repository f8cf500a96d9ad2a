"""The kinds of token in a company, and their shares.

Most are ordinary. Each of the others is a case for an audit, which applies to some of the tokens and never to all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Owner = Literal[
    "user", "busy_user", "service_principal", "admin_service_principal", "inactive", "deleted", "without_permission"
]
Scopes = Literal["ordinary", "all-apis", "authentication", "inferred", "backfilled", "disabled"]
Comment = Literal["ordinary", "none", "meaningless", "secret", "hostile"]

NEVER = None
YEAR_9999_MS = 253_402_214_400_000  # 31 December 9999, which is out of range for a nanosecond timestamp
MAX_TOKENS_PER_OWNER = 560  # near the quota of 600, so that a test can still create a few


@dataclass(frozen=True, slots=True, kw_only=True)
class Archetype:
    """One kind of token. Ranges are in days, and include their ends.

    Attributes:
        share: Tokens per thousand.
        lifetime: Days from creation to expiry; None means no expiry, and 0 the year 9999.
        age: Days since creation, if ``remaining`` is None.
        remaining: Days until expiry, negative for an expired token. The lifetime determines the creation.
        idle: Days since the last use (before the expiry, for an expired token); None means never used.
    """

    name: str
    share: float
    lifetime: int | None = 90
    age: tuple[float, float] = (2, 50)
    remaining: tuple[float, float] | None = None
    idle: tuple[int, int] | None = (0, 14)
    scopes: Scopes = "ordinary"
    comment: Comment = "ordinary"
    owner: Owner = "user"


ARCHETYPES = (
    Archetype(name="everyday, 90 days", share=183, remaining=(31, 88)),
    Archetype(name="everyday, a year", share=150, lifetime=365, age=(5, 320)),
    Archetype(name="everyday, two years", share=60, lifetime=730, age=(10, 690)),
    Archetype(name="used today", share=50, remaining=(31, 80), idle=(0, 0)),
    Archetype(name="used yesterday", share=50, remaining=(31, 80), idle=(1, 1)),
    Archetype(name="service principal", share=50, lifetime=365, age=(5, 320), idle=(0, 2), owner="service_principal"),
    Archetype(name="admin", share=10, lifetime=365, age=(5, 320), idle=(0, 2), owner="admin_service_principal"),
    Archetype(name="of one busy user", share=50, remaining=(31, 80), idle=(0, 30), owner="busy_user"),
    Archetype(name="without expiry", share=40, lifetime=NEVER, age=(30, 1500), idle=(0, 85)),
    Archetype(name="expiring in the year 9999", share=5, lifetime=0, age=(30, 900)),
    Archetype(name="expiring soon", share=45, remaining=(0.5, 29)),
    Archetype(name="expired", share=45, remaining=(-200, -0.5)),
    Archetype(name="unused for 60 days", share=35, lifetime=365, age=(95, 320), idle=(61, 88)),
    Archetype(name="never used, old", share=25, lifetime=365, age=(32, 88), idle=None),
    Archetype(name="never used, new", share=25, remaining=(70, 89.5), idle=None),
    Archetype(name="all scopes", share=20, remaining=(31, 80), scopes="all-apis"),
    Archetype(name="authentication scope", share=8, remaining=(31, 80), scopes="authentication"),
    Archetype(name="more granted than inferred", share=20, remaining=(31, 80), scopes="inferred"),
    Archetype(name="more granted than backfilled", share=14, lifetime=365, age=(40, 300), scopes="backfilled"),
    Archetype(name="autoscope disabled", share=8, remaining=(31, 80), scopes="disabled"),
    Archetype(name="owner inactive", share=20, lifetime=365, age=(60, 300), idle=(10, 80), owner="inactive"),
    Archetype(name="owner deleted", share=15, lifetime=365, age=(60, 300), idle=(20, 85), owner="deleted"),
    Archetype(name="owner without permission", share=10, remaining=(31, 80), owner="without_permission"),
    Archetype(name="no comment", share=25, remaining=(31, 80), comment="none"),
    Archetype(name="meaningless comment", share=15, remaining=(31, 80), comment="meaningless"),
    Archetype(name="a secret in the comment", share=7, remaining=(31, 80), comment="secret"),
    Archetype(name="hostile comment", share=15, remaining=(31, 80), comment="hostile"),
)


def allocate(count: int) -> list[int]:
    """Return the number of tokens of each archetype in a workspace.

    Uses the largest remainder method. Each archetype has at least one token if there are enough, and the busy user
    stays below the quota.

    Args:
        count: The number of tokens in the workspace.
    """
    total = sum(archetype.share for archetype in ARCHETYPES)
    exact = [archetype.share / total * count for archetype in ARCHETYPES]
    counts = [int(number) for number in exact]
    by_remainder = sorted(range(len(ARCHETYPES)), key=lambda index: counts[index] - exact[index])
    for index in by_remainder[: count - sum(counts)]:
        counts[index] += 1
    for index in range(len(ARCHETYPES)):
        if not counts[index] and count >= len(ARCHETYPES):
            counts[counts.index(max(counts))] -= 1
            counts[index] = 1
    for index, archetype in enumerate(ARCHETYPES):
        if archetype.owner == "busy_user" and counts[index] > MAX_TOKENS_PER_OWNER:
            counts[0] += counts[index] - MAX_TOKENS_PER_OWNER
            counts[index] = MAX_TOKENS_PER_OWNER
    return counts
