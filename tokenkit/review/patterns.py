"""Patterns over columns of text.

Only RE2, which Arrow has, matches them: its time grows with the text, and not with what the pattern makes of it. So
neither a pattern from a ticket nor a hostile comment makes a search run for ever.
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
"""How long a search may take. A pattern with large counts, such as ``(a?){1000}``, costs RE2 a second for a few hundred
texts; any other is done with a million in less than one."""

_SLICE_SECONDS = 0.1


def check(pattern: str) -> None:
    """Raise ``UsageError`` for a pattern that RE2 does not take: lookarounds, backreferences, what does not parse."""
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except ValueError as failure:  # ArrowInvalid is one, and so is half a surrogate pair
        problem = str(failure).strip().partition("\n")[0].removeprefix("Invalid regular expression: ").rstrip(".")
    else:
        return
    raise errors.UsageError(
        f"{shortened(pattern)} is not a pattern that can be searched for: {problem}. "
        "Lookarounds and backreferences are not supported (the syntax is that of RE2)."
    )


def found(
    column: pd.Series[Any], pattern: str, *, whole: bool = False, ignore_case: bool = False, ends: float | None = None
) -> pd.Series[bool]:
    """Return which texts a pattern is found in; an absent text has none.

    Args:
        column: Texts.
        pattern: A regular expression of RE2.
        whole: Whether it must match a text as a whole.
        ignore_case: Whether upper and lower case are the same.
        ends: When to give up, by ``time.monotonic``; ``LONGEST_SECONDS`` from now by default.

    Raises:
        UsageError: RE2 does not take the pattern, or the search takes too long.
    """
    check(pattern)  # alone, as a bracket too many would end the group
    ends = time.monotonic() + LONGEST_SECONDS if ends is None else ends
    regex = rf"\A(?:{pattern})\z" if whole else pattern
    encoded = pc.dictionary_encode(texts.array(column), null_encoding="encode")
    known: pa.Array = encoded.dictionary
    verdicts = [pa.array([], pa.bool_())]
    size = at = 0
    while at < len(known):
        began = time.monotonic()
        if began >= ends:
            raise errors.UsageError(f"{shortened(pattern)} takes too long to search for. Write a simpler pattern.")
        size = max(size, 1)
        verdicts.append(pc.match_substring_regex(known.slice(at, size), regex, ignore_case=ignore_case))
        at += size
        size = size * 2 if time.monotonic() - began < _SLICE_SECONDS else size // 2
    hits = pa.concat_arrays(verdicts).take(encoded.indices)
    return pd.Series(texts.mask(hits), index=column.index, dtype=bool)


def like(column: pd.Series[Any], glob: str) -> pd.Series[bool]:
    """Return which texts a pattern matches as a whole, in any case; ``*`` and ``?`` stand for any text and letter."""
    regex = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in glob)
    return found(column, f"(?s:{regex})", whole=True, ignore_case=True)


def shortened(text: str) -> str:
    """Return a text in quotes, as a message shows it: its beginning, where it is long."""
    return repr(text if len(text) <= 80 else text[:77] + "…")
