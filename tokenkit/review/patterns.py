"""Regular expressions and globs over columns of text.

They are matched by RE2, which Arrow includes, in time linear in the length of the text. Neither a pattern from a ticket
nor a hostile comment can make a search run without end.
"""

from __future__ import annotations

import re
import time
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit import errors
from tokenkit.review import texts

LONGEST_SECONDS = 20.0
"""The time limit of a search. A pattern with large counts, such as ``(a?){1000}``, takes RE2 a second for a few hundred
texts. Other patterns take less than a second for a million."""

_SLICE_SECONDS = 0.1


def check(pattern: str) -> None:
    """Raise ``UsageError`` for a pattern that RE2 does not support: lookarounds, backreferences, invalid syntax."""
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except ValueError as failure:  # ArrowInvalid, or half of a surrogate pair
        problem = str(failure).strip().partition("\n")[0].removeprefix("Invalid regular expression: ").rstrip(".")
    else:
        return
    raise errors.UsageError(
        f"Invalid pattern {shortened(pattern)}: {problem}. "
        "Use RE2 syntax, which has no lookarounds and no backreferences."
    )


def found(
    column: pd.Series[Any], pattern: str, *, whole: bool = False, ignore_case: bool = False, ends: float | None = None
) -> pd.Series[bool]:
    """Return which texts contain a match of a pattern. A missing text does not.

    Args:
        column: Texts.
        pattern: A regular expression in RE2 syntax.
        whole: Whether the pattern must match the whole text.
        ignore_case: Whether to ignore case.
        ends: The deadline, by ``time.monotonic``; ``LONGEST_SECONDS`` from now by default.

    Raises:
        UsageError: RE2 does not support the pattern, or the search takes too long.
    """
    check(pattern)  # on its own, because an unbalanced bracket would close the group below
    ends = time.monotonic() + LONGEST_SECONDS if ends is None else ends
    regex = rf"\A(?:{pattern})\z" if whole else pattern
    encoded = pc.dictionary_encode(texts.array(column), null_encoding="encode")
    known: pa.Array = encoded.dictionary
    verdicts = [pa.array([], pa.bool_())]
    size = at = 0
    while at < len(known):
        began = time.monotonic()
        if began >= ends:
            raise errors.UsageError(f"{shortened(pattern)} takes too long to match. Use a simpler pattern.")
        size = max(size, 1)
        verdicts.append(pc.match_substring_regex(known.slice(at, size), regex, ignore_case=ignore_case))
        at += size
        size = size * 2 if time.monotonic() - began < _SLICE_SECONDS else size // 2
    hits = pa.concat_arrays(verdicts).take(encoded.indices)
    return pd.Series(texts.mask(hits), index=column.index, dtype=bool)


def like(column: pd.Series[Any], glob: str) -> pd.Series[bool]:
    """Return which texts a glob matches, ignoring case. ``*`` matches any text and ``?`` any character."""
    regex = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in glob)
    return found(column, f"(?s:{regex})", whole=True, ignore_case=True)


def shortened(text: str) -> str:
    """Return a text in quotes for a message, truncated if it is long."""
    return repr(text if len(text) <= 80 else text[:77] + "…")
