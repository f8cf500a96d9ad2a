"""Counts with their nouns."""

import ast
import re
from pathlib import Path

import pytest

import tokenkit
from tokenkit.core.wording import comma_list, first_of, in_progress, not_installed, of, pluralize, shown_of


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        ((0, "token"), "0 tokens"),
        ((1, "token"), "1 token"),
        ((2_000, "token"), "2,000 tokens"),
    ],
)
def test_a_count_has_its_noun_in_singular_or_plural(arguments, written):
    assert pluralize(*arguments) == written
    assert of(*arguments) == written.partition(" ")[2]


def test_a_word_with_a_plural_of_its_own_is_given_both():
    assert (of(1, "expires", "expire"), of(2, "expires", "expire")) == ("expires", "expire")


@pytest.mark.parametrize(
    ("doing", "written"), [("Revoke 2 tokens", "Revoking 2 tokens"), ("Look for it", "Looking for it")]
)
def test_what_is_being_done_has_the_verb_of_what_to_do(doing, written):
    assert in_progress(doing) == written


_COUNTED = re.compile(r"\{[^{}]*\} (?:more )?(tokens|findings|runs|values|workspaces|principals|owners|rows)\b")


def test_no_message_has_a_fixed_plural_after_a_number():
    """Use ``pluralize`` for a noun after a number in braces, unless a condition excludes 1."""
    package = Path(tokenkit.__file__).parent
    suspects = {
        f"{path.relative_to(package)}: {found[0]}"
        for path in sorted(package.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.JoinedStr) and (found := _COUNTED.search(ast.unparse(node)))
    }
    # These counts exceed 1. The last is on a button next to "Select page".
    assert {suspect for suspect in suspects if "len(matches)" not in suspect} <= {
        "commands/history.py: {count:,} workspaces",
        "workspaces/connect.py: {workspaces:,} workspaces",
        "output/excel.py: {ROWS:,} rows",
        "review/rules.py: {_QUOTA} tokens",
        "widgets/explorer.py: {self._model.matching:,} tokens",
    }


@pytest.mark.parametrize(
    ("texts", "shown"),
    [("", ""), ("ab", "a, b"), ("abc", "a, b, c"), ("abcd", "a, b and 2 more"), ("abcde", "a, b and 3 more")],
)
def test_a_list_shows_its_first_items_and_counts_the_others_if_they_are_several(texts, shown):
    assert first_of(texts, 2) == shown
    assert shown_of(len(texts), 2) == (len(texts) if len(texts) <= 3 else 2)


def test_the_items_that_are_not_shown_can_have_a_noun_and_all_a_separator():
    assert first_of("abcd", 1, noun="owners", separator="; ") == "a and 3 more owners"
    assert first_of("ab", 1, noun="owners", separator="; ") == "a; b"


@pytest.mark.parametrize(
    ("text", "items"), [("a, b", ["a", "b"]), ("a", ["a"]), (" a ,, b c,", ["a", "b c"]), ("", []), (" , ", [])]
)
def test_a_list_with_commas_is_read_without_blanks_and_empty_items(text, items):
    assert comma_list(text) == items


def test_a_missing_package_is_named_with_the_command_that_installs_it():
    message = not_installed("Excel files require openpyxl", "openpyxl")
    assert message == "Excel files require openpyxl, which is not installed. Install it with: pip install openpyxl"
    assert not_installed("Notebooks require X", "x[widget]").endswith("pip install 'x[widget]'")
