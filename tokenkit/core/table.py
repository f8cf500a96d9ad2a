"""Tables and records for a terminal of a given width: the columns that fit, their widths, and their rendering.

A column that is too wide is either truncated with an ellipsis or wrapped. Text that is needed in full (an ID to copy,
an owner, a warning) is wrapped: between words if that suffices, else at the punctuation of long words. Columns that do
not fit are omitted, the least important first.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tokenkit.core.printable import width as width_of

NEEDED = 0
"""The priority of a column that is always shown."""

_GAP = 2
_CODES = {"bold": "1", "red": "31", "yellow": "33"}
_NARROWEST = 8
_READABLE = 24  # the minimum width of truncated or wrapped text before another column is added
_PART = re.compile(r"\d{4}-\d\d-\d\d|[@.]?[^-/,:;_=@.]+[-/,:;_=]*|[-/,:;_=@.]+")
"""A part of a word: words are broken at punctuation, as in an address or a UUID, but not in a date."""


@dataclass(frozen=True)
class Column:
    """A column of texts, which are printable except for line feeds.

    Attributes:
        heading: The heading.
        texts: The cells.
        priority: ``NEEDED``, or the rank of the column among those that are shown if space permits.
        least: The minimum width; 0 if it must not be narrower than its content.
        is_cut: Whether long texts are truncated with an ellipsis instead of wrapped.
        is_number: Whether the texts are right-aligned.
        styles: The styles of texts: ``bold``, ``red``, ``yellow``.
        name: The name that selects the column; it is not shown.
    """

    heading: str
    texts: Sequence[str]
    priority: int = NEEDED
    least: int = 0
    is_cut: bool = False
    is_number: bool = False
    styles: Mapping[str, str] = field(default_factory=dict)
    name: str = ""

    @functools.cached_property
    def natural(self) -> int:
        """Return the width of the content."""
        return max(width_of(self.heading), self._content)

    @functools.cached_property
    def narrow(self) -> int:
        """Return the minimum width at which no word is broken. The heading can be wrapped between words."""
        if self.is_cut:
            return min(self.natural, self.least)
        if self.least:
            return max(min(self.natural, self.least), self._longest(str.split))
        return max(self._content, *(width_of(word) for word in self.heading.split(" ")))

    @functools.cached_property
    def narrowest(self) -> int:
        """Return the minimum width at which words are broken only at punctuation."""
        return min(self.narrow, max(_NARROWEST, self._longest(_PART.findall)))

    @functools.cached_property
    def _content(self) -> int:
        return max((width_of(line) for text in self.texts for line in text.split("\n")), default=0)

    def _longest(self, split: Callable[[str], list[str]]) -> int:
        """Return the width of the longest part of the heading and the texts."""
        parts = (part for text in {self.heading, *self.texts} for word in text.split() for part in split(word))
        return max(map(width_of, parts), default=0)


def fitting(columns: Sequence[Column], width: int) -> list[tuple[Column, int]]:
    """Return the columns that fit side by side in a width, and the width of each.

    Wrapped columns get the space first, except what truncated ones need to be readable, as far as no word is broken
    and no heading is wrapped for it.
    """
    wanted = {
        id(column): max(column.narrow, min(column.natural, _READABLE)) if column.least else column.natural
        for column in columns
    }
    shown = [column for column in columns if column.priority == NEEDED]
    for column in sorted((other for other in columns if other.priority != NEEDED), key=lambda other: other.priority):
        if sum(wanted[id(other)] + _GAP for other in (*shown, column)) - _GAP <= width:
            shown.append(column)
    shown = [column for column in columns if any(column is other for other in shown)]
    available = width - _GAP * (len(shown) - 1)
    wrapped, truncated = ([column for column in shown if column.is_cut is is_cut] for is_cut in (False, True))
    readable, least = sum(wanted[id(column)] for column in truncated), sum(column.narrow for column in truncated)
    spare = available - sum(column.narrow if column.least else column.natural for column in wrapped)
    widths = _narrowed(wrapped, available - max(least, min(readable, spare)))
    widths |= _narrowed(truncated, available - sum(widths.values()))
    return [(column, widths[id(column)]) for column in shown]


def omitted(columns: Sequence[Column], width: int) -> list[Column]:
    """Return the columns that do not fit in a width."""
    shown = {id(column) for column, _ in fitting(columns, width)}
    return [column for column in columns if id(column) not in shown]


def _narrowed(columns: Sequence[Column], available: int) -> dict[int, int]:
    """Return the widths of columns after narrowing the widest ones until all fit.

    Headings that are wider than their content are wrapped first, then texts that can be wrapped: between words, then at
    punctuation, then anywhere; then all, at punctuation, then anywhere.
    """
    narrowest = [min(column.natural, _NARROWEST) for column in columns]
    stages = (
        [column.natural if column.least else column.narrow for column in columns],
        [column.narrow for column in columns],
        [column.narrowest if column.least else column.narrow for column in columns],
        [min(column.natural, column.least) if column.least else column.narrow for column in columns],
        [low if column.least else column.narrow for column, low in zip(columns, narrowest, strict=True)],
        [column.narrowest for column in columns],
        narrowest,
    )
    most = [column.natural for column in columns]
    for least in stages:
        for limit in range(max(most, default=0), _NARROWEST - 1, -1):
            widths = [max(low, min(wide, limit)) for wide, low in zip(most, least, strict=True)]
            if sum(widths) <= available:
                return {id(column): width for column, width in zip(columns, widths, strict=True)}
        most = stages[0]
    return {id(column): width for column, width in zip(columns, narrowest, strict=True)}


def table(columns: Sequence[Column], width: int, *, is_colored: bool = False) -> str:
    """Return a table with the columns that fit a width, as plain text or with color control sequences."""
    shown = fitting(columns, width)
    fold = _folder()
    drawn: list[str] = []
    for texts in zip(*((column.heading, *column.texts) for column, _ in shown), strict=True):
        cells = [
            [_cut(text, wide)] if column.is_cut else fold(text, wide)
            for (column, wide), text in zip(shown, texts, strict=True)
        ]
        if not drawn:  # a wrapped heading ends on the same line as the others
            depth = max(map(len, cells))
            cells = [[*[""] * (depth - len(lines)), *lines] for lines in cells]
        styles = [
            "bold" if not drawn else column.styles.get(text, "") for (column, _), text in zip(shown, texts, strict=True)
        ]
        drawn.append(_row(cells, shown, styles if is_colored else [""] * len(styles)))
    return "\n".join(drawn)


def record(fields: Mapping[str, str], width: int, *, is_colored: bool = False) -> str:
    """Return one field per line. Long values are wrapped."""
    names = Column("", list(fields))
    values = Column("", list(fields.values()), least=_NARROWEST)
    shown = [(names, names.natural), (values, max(_NARROWEST, width - names.natural - _GAP))]
    fold = _folder()
    styles = ["bold" if is_colored else "", ""]
    return "\n".join(_row([[name], fold(value, shown[1][1])], shown, styles) for name, value in fields.items())


def _row(cells: Sequence[Sequence[str]], shown: Sequence[tuple[Column, int]], styles: Sequence[str]) -> str:
    """Return the lines of a row. Each cell has one or more lines."""
    lines = []
    for texts in itertools.zip_longest(*cells, fillvalue=""):
        padded = []
        for text, (column, wide), style in zip(texts, shown, styles, strict=True):
            blanks = " " * (wide - width_of(text))
            styled = f"\x1b[{_CODES[style]}m{text}\x1b[0m" if style and text else text
            padded.append(f"{blanks}{styled}" if column.is_number else f"{styled}{blanks}")
        lines.append((" " * _GAP).join(padded).rstrip())
    return "\n".join(lines)


def _cut(text: str, wide: int) -> str:
    return (
        text if width_of(text) <= wide else f"{_split(text[: 4 * wide], wide - 1)[0].rstrip()}…"
    )  # a bound for hostile text


def _folder() -> Callable[[str, int], list[str]]:
    """Return a function that wraps a text between words, and words that are too long at punctuation or anywhere."""

    @functools.cache
    def wrapped(text: str, wide: int) -> list[str]:
        lines = [""]
        for number, word in enumerate(text.split(" ")):
            space = " " if number else ""
            if width_of(lines[-1] + space + word) <= wide:
                lines[-1] += space + word
                continue
            parts = (
                [word]
                if width_of(word) <= wide
                else [piece for part in _PART.findall(word) for piece in _split(part, wide)]
            )
            lines.append("")
            for part in parts:
                if width_of(lines[-1] + part) > wide:
                    lines.append("")
                lines[-1] += part
        return [line.rstrip() for line in lines if line.strip()]

    def fold(text: str, wide: int) -> list[str]:
        lines = text.split("\n")
        if all(width_of(line) <= wide for line in lines):
            return lines
        return [part for line in lines for part in wrapped(line, wide)]

    return fold


def _split(text: str, wide: int) -> list[str]:
    """Return a text in parts of a width. Wide characters, which need two columns, are whole."""
    parts = [""]
    for character in text:
        if width_of(parts[-1] + character) > wide and parts[-1]:
            parts.append("")
        parts[-1] += character
    return parts
