"""Leaked token values: where they were seen, and which tokens of a listing they are.

A value is hashed where it is read, and goes no further: what is kept is where it was seen and what its hashes are.
"""

from tokenkit.review.leaks.documents import Source
from tokenkit.review.leaks.matching import Leaks, matched
from tokenkit.review.leaks.report import (
    ONE_AT_A_TIME,
    SIGHTINGS,
    TOOLS,
    from_file,
    from_report,
    from_values,
    seen,
    typed,
)
from tokenkit.review.leaks.values import READINGS

__all__ = [
    "ONE_AT_A_TIME",
    "READINGS",
    "SIGHTINGS",
    "TOOLS",
    "Leaks",
    "Source",
    "from_file",
    "from_report",
    "from_values",
    "matched",
    "seen",
    "typed",
]
