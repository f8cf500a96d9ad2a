"""Text for terminals, pages and spreadsheets, without control, invisible and bidirectional characters."""

from __future__ import annotations

import re

_INVISIBLE = "".join(
    (
        "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f",  # control characters (C0 and C1) except tab and line feed
        "\u00ad\u034f\u061c\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f",  # zero-width or blank, in one script
        "\u200b-\u200f\u2028-\u202e\u2060-\u206f",  # zero-width, Unicode line ends, directional marks and isolates
        "\u3164\ufeff\uffa0\ufff0-\ufffb",
        "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff",  # shorthand, music, tags
    )
)
UNPRINTABLE_IN_LINES = f"[{_INVISIBLE}]"
"""A character that is replaced in multi-line text. The pattern is valid in Python and in Arrow."""

UNPRINTABLE = f"[\\t\\n{_INVISIBLE}]"
"""A character that is replaced in single-line text."""

REPLACEMENT = "\ufffd"
_LINES = re.compile(f"[\ud800-\udfff{_INVISIBLE}]")  # Python strings can also contain half a surrogate pair
_LINE = re.compile(f"[\ud800-\udfff\\t\\n{_INVISIBLE}]")


def printable(text: str) -> str:
    """Return text as one line, with control and invisible characters replaced."""
    return _LINE.sub(REPLACEMENT, text)


def width(text: str) -> int:
    """Return the number of terminal columns that a text occupies. Wide ones, such as emoji, need two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - only for text that is not ASCII

    return cell_len(text)


def printable_lines(text: str) -> str:
    """Return text with control and invisible characters replaced, except tabs and line feeds."""
    return _LINES.sub(REPLACEMENT, text)
