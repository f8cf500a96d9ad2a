"""Counts with their nouns, shortened ids, comma-separated lists, and texts that several packages share."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

SHORT_ID = 12
"""The number of characters of a token's id in tables. Commands accept them instead of the complete id."""


def pluralize(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 token``, ``2,000 tokens``.

    Args:
        count: The number of items.
        noun: The singular, which can be several words: ``active token``.
    """
    return f"{count:,} {of(count, noun)}"


def of(count: int, singular: str, plural: str | None = None) -> str:
    """Return the singular or plural for a count, without the count; see ``pluralize``."""
    return singular if count == 1 else plural or f"{singular}s"


def in_progress(doing: str) -> str:
    """Return what is being done, for what to do, which begins with a regular verb: ``Revoking 2 tokens``."""
    verb, space, rest = doing.partition(" ")
    return f"{verb.removesuffix('e')}ing{space}{rest}"


def part_of(count: int, total: int, noun: str) -> str:
    """Return a count, and out of how many if that is more: ``3 workspaces``, ``2 of 3 workspaces``."""
    return pluralize(count, noun) if count == total else f"{count:,} of {pluralize(total, noun)}"


def shown_of(total: int, most: int) -> int:
    """Return how many items of a list to show: at most ``most``, or one more instead of "and 1 more"."""
    return total if total <= most + 1 else most


def first_of(texts: Sequence[str], most: int, *, noun: str = "", separator: str = ", ") -> str:
    """Return the first texts of a list, and how many more there are: ``a, b and 3 more``.

    Args:
        texts: All texts.
        most: The number of texts to show; see ``shown_of``.
        noun: What the others are, in the plural.
        separator: The text between two of them.
    """
    shown = shown_of(len(texts), most)
    more = f" and {len(texts) - shown:,} more {noun}".rstrip() if len(texts) > shown else ""
    return f"{separator.join(texts[:shown])}{more}"


def why_unreadable(failure: OSError) -> str:
    """Return why a file cannot be read, to follow ``Cannot read PATH:``."""
    if isinstance(failure, IsADirectoryError):
        return "it is a folder, not a file"
    return failure.strerror or type(failure).__name__


def comma_list(text: str) -> list[str]:
    """Return the items of a comma-separated list: ``a, b`` is ``["a", "b"]``. Empty items are ignored."""
    return [item for part in text.split(",") if (item := part.strip())]


def not_installed(requirement: str, package: str) -> str:
    """Return the message about a missing package, with the command that installs it.

    The command never names tokenkit: on the package index, that name belongs to another project.

    Args:
        requirement: The feature and the package: ``Charts require matplotlib``.
        package: What pip installs: ``matplotlib``, ``pyspark>=4.0``.
    """
    return f"{requirement}, which is not installed. Install it with: pip install {shlex.quote(package)}"
