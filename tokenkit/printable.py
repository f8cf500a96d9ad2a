"""Text that a terminal, a page or a spreadsheet may show: nothing in it acts, hides or turns what is around it."""

from __future__ import annotations

import re

_INVISIBLE = "".join(
    (
        "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f",  # control characters (C0 and C1) but for the tab and the line end
        "\u00ad\u034f\u061c\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f",  # of no width, or blank, of one script
        "\u200b-\u200f\u2028-\u202e\u2060-\u206f",  # zero-width, line ends of Unicode, directions and isolates
        "\u3164\ufeff\uffa0\ufff0-\ufffb",
        "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff",  # shorthand, music, tags
    )
)
UNPRINTABLE_IN_LINES = f"[{_INVISIBLE}]"
"""A character that is replaced in a text of several lines. Python's regular expressions and Arrow's read it alike."""

UNPRINTABLE = f"[\\t\\n{_INVISIBLE}]"
"""The same in a text of one line."""

REPLACEMENT = "\ufffd"
_LINES = re.compile(f"[\ud800-\udfff{_INVISIBLE}]")  # a Python text may hold half a surrogate pair as well
_LINE = re.compile(f"[\ud800-\udfff\\t\\n{_INVISIBLE}]")


def printable(text: str) -> str:
    """Return text as one line without what a terminal would act on or would not show."""
    return _LINE.sub(REPLACEMENT, text)


def printable_lines(text: str) -> str:
    """Return the same with its line ends and tabs."""
    return _LINES.sub(REPLACEMENT, text)
