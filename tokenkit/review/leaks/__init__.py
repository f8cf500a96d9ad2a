"""Leaked token values: where they occurred, and which tokens of a listing they belong to.

Each value is hashed as soon as it is read. Only its hashes and its locations are kept.
"""

from tokenkit.review.leaks.documents import Source
from tokenkit.review.leaks.matching import Leaks, matched
from tokenkit.review.leaks.report import (
    OCCURRENCES,
    ONE_AT_A_TIME,
    TOOLS,
    from_file,
    from_report,
    from_values,
    prompt_values,
    seen,
)
from tokenkit.review.leaks.values import HASH_INPUTS, OAUTH_SECRET, ids_of

__all__ = [
    "HASH_INPUTS",
    "OAUTH_SECRET",
    "OCCURRENCES",
    "ONE_AT_A_TIME",
    "TOOLS",
    "Leaks",
    "Source",
    "from_file",
    "from_report",
    "from_values",
    "ids_of",
    "matched",
    "prompt_values",
    "seen",
]
