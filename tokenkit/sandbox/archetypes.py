"""The deck of tokens: what kinds of token a company has, and how many of each in a thousand.

Most are boring. The others answer the questions of an audit, each with some of the tokens and never with all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Owner = Literal["person", "heavy", "program", "admin program", "inactive", "deleted", "without the right"]
Scopes = Literal["ordinary", "all-apis", "authentication", "inferred", "backfilled", "disabled"]
Comment = Literal["ordinary", "none", "meaningless", "secret", "hostile"]

NEVER = None
YEAR_9999_MS = 253_402_214_400_000  # 31 December 9999: a nanosecond timestamp cannot hold it
MOST_OF_ONE_OWNER = 560  # near the quota of 600, with room for a test to mint a few more


@dataclass(frozen=True, slots=True, kw_only=True)
class Archetype:
    """One kind of token. Ranges are in days, their ends included.

    Attributes:
        share: Tokens in a thousand.
        lifetime: Days from creation to expiry; None is never; 0 stands for the year 9999.
        age: Days since creation, for a token that has no ``left``.
        left: Days until expiry, negative once expired; creation follows from the lifetime.
        idle: Days since the last use (before the expiry, for an expired token); None is never used.
    """

    name: str
    share: float
    lifetime: int | None = 90
    age: tuple[float, float] = (2, 50)
    left: tuple[float, float] | None = None
    idle: tuple[int, int] | None = (0, 14)
    scopes: Scopes = "ordinary"
    comment: Comment = "ordinary"
    owner: Owner = "person"


DECK = (
    Archetype(name="everyday, 90 days", share=183, left=(31, 88)),
    Archetype(name="everyday, a year", share=150, lifetime=365, age=(5, 320)),
    Archetype(name="everyday, two years", share=60, lifetime=730, age=(10, 690)),
    Archetype(name="used today", share=50, left=(31, 80), idle=(0, 0)),
    Archetype(name="used yesterday", share=50, left=(31, 80), idle=(1, 1)),
    Archetype(name="a program's", share=50, lifetime=365, age=(5, 320), idle=(0, 2), owner="program"),
    Archetype(name="an admin program's", share=10, lifetime=365, age=(5, 320), idle=(0, 2), owner="admin program"),
    Archetype(name="of one busy owner", share=50, left=(31, 80), idle=(0, 30), owner="heavy"),
    Archetype(name="never expiring", share=40, lifetime=NEVER, age=(30, 1500), idle=(0, 85)),
    Archetype(name="expiring in the year 9999", share=5, lifetime=0, age=(30, 900)),
    Archetype(name="expiring soon", share=45, left=(0.5, 29)),
    Archetype(name="expired", share=45, left=(-200, -0.5)),
    Archetype(name="unused for 60 days", share=35, lifetime=365, age=(95, 320), idle=(61, 88)),
    Archetype(name="never used, old", share=25, lifetime=365, age=(32, 88), idle=None),
    Archetype(name="never used, new", share=25, left=(70, 89.5), idle=None),
    Archetype(name="everything allowed", share=20, left=(31, 80), scopes="all-apis"),
    Archetype(name="may mint any token", share=8, left=(31, 80), scopes="authentication"),
    Archetype(name="more granted than inferred", share=20, left=(31, 80), scopes="inferred"),
    Archetype(name="more granted than backfilled", share=14, lifetime=365, age=(40, 300), scopes="backfilled"),
    Archetype(name="autoscope switched off", share=8, left=(31, 80), scopes="disabled"),
    Archetype(name="owner inactive", share=20, lifetime=365, age=(60, 300), idle=(10, 80), owner="inactive"),
    Archetype(name="owner deleted", share=15, lifetime=365, age=(60, 300), idle=(20, 85), owner="deleted"),
    Archetype(name="owner without the right", share=10, left=(31, 80), owner="without the right"),
    Archetype(name="no comment", share=25, left=(31, 80), comment="none"),
    Archetype(name="meaningless comment", share=15, left=(31, 80), comment="meaningless"),
    Archetype(name="a secret in the comment", share=7, left=(31, 80), comment="secret"),
    Archetype(name="hostile comment", share=15, left=(31, 80), comment="hostile"),
)


def allot(count: int) -> list[int]:
    """Return how many tokens of each archetype a workspace of so many has.

    By largest remainder; at least one of each where there are enough tokens; and the busy owner stays under the quota.
    """
    total = sum(archetype.share for archetype in DECK)
    exact = [archetype.share / total * count for archetype in DECK]
    counts = [int(each) for each in exact]
    by_remainder = sorted(range(len(DECK)), key=lambda index: counts[index] - exact[index])
    for index in by_remainder[: count - sum(counts)]:
        counts[index] += 1
    for index in range(len(DECK)):
        if not counts[index] and count >= len(DECK):
            counts[counts.index(max(counts))] -= 1
            counts[index] = 1
    for index, archetype in enumerate(DECK):
        if archetype.owner == "heavy" and counts[index] > MOST_OF_ONE_OWNER:
            counts[0] += counts[index] - MOST_OF_ONE_OWNER
            counts[index] = MOST_OF_ONE_OWNER
    return counts
