"""How counts are written."""

from __future__ import annotations


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return a count with its noun: ``1 token``, ``2,000 tokens``.

    Args:
        count: How many there are.
        noun: What one of them is called; it may be several words: ``token is left``.
        plural: What several are called, where it is not ``noun`` with an s.
    """
    return f"{count:,} {of(count, noun, plural)}"


def of(count: int, singular: str, plural: str | None = None) -> str:
    """Return the words for a count without it, as ``counted`` chooses them."""
    return singular if count == 1 else plural or f"{singular}s"
