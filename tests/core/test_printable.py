"""Control and invisible characters are replaced."""

import re
import unicodedata

import pandas as pd
import pytest

from tokenkit.core.printable import UNPRINTABLE, UNPRINTABLE_IN_LINES, printable, printable_lines
from tokenkit.frames import TEXT

VISIBLE_SIGNS = {*range(0x600, 0x606), 0x6DD, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x13430, 0x13460)}
ACTING = [
    chr(code)
    for code in range(0x110000)
    if unicodedata.category(chr(code)) in {"Cc", "Cf", "Zl", "Zp", "Cs"} and code not in VISIBLE_SIGNS
]


def test_every_control_format_and_separator_character_of_unicode_is_replaced():
    assert len(ACTING) > 2_200
    assert {printable(f"a{letter}b") for letter in ACTING} == {"a\ufffdb"}
    kept = [letter for letter in ACTING if printable_lines(letter) != "\ufffd"]
    assert kept == ["\t", "\n"]


@pytest.mark.parametrize(("pattern", "clean"), [(UNPRINTABLE, printable), (UNPRINTABLE_IN_LINES, printable_lines)])
def test_arrow_reads_the_pattern_as_python_does(pattern, clean):
    letters = [chr(code) for code in range(0x20000) if not 0xD800 <= code <= 0xDFFF] + ["\U000e0041", "\U000e0100"]
    column = pd.Series(letters, dtype=TEXT)
    replaced = column.str.replace(pattern, "\ufffd", regex=True)
    assert replaced.tolist() == [clean(letter) for letter in letters]
    assert [re.sub(pattern, "\ufffd", letter) for letter in letters] == replaced.tolist()


@pytest.mark.parametrize("text", ["Zoë, 東京, ключ, 😀, ❤️", "a - b; c", "שלום", "👍🏽"])
def test_ordinary_text_is_unchanged(text):
    assert printable(text) == text


def test_every_visible_character_of_ascii_is_unchanged():
    text = "".join(map(chr, range(0x20, 0x7F)))
    assert printable(text) == printable_lines(text) == text
    assert re.findall(UNPRINTABLE, text) == re.findall(UNPRINTABLE_IN_LINES, text) == []
