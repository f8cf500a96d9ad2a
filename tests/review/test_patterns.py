"""Patterns: what RE2 takes, in a time that is bounded."""

import time

import pandas as pd
import pytest

from tokenkit import errors, frames
from tokenkit.review import patterns

COMMENTS = pd.Series(["ci", "CI (prod)", None, "", "ci\nnight", "ci"], index=list("abcdef"), dtype=frames.TEXT)


def found(pattern, **settings):
    return "".join(COMMENTS.index[patterns.found(COMMENTS, pattern, **settings)])


@pytest.mark.parametrize(
    ("pattern", "settings", "expected"),
    [
        ("ci", {}, "aef"),
        ("CI", {"ignore_case": True}, "abef"),
        ("ci", {"whole": True}, "af"),
        ("c|ci", {"whole": True}, "af"),
        ("ci$", {}, "af"),
        ("(?m:ci$)", {}, "aef"),
        ("", {"whole": True}, "d"),
        (r"\d", {}, ""),
    ],
)
def test_a_pattern_is_found_in_part_of_a_text_or_matches_it_as_a_whole(pattern, settings, expected):
    assert found(pattern, **settings) == expected


@pytest.mark.parametrize("pattern", ["(", "a)|(b", "(?=a)", r"(a)\1", "a{1001}", "a**", "\ud800", "(.{1000}){2}"])
def test_a_pattern_that_re2_does_not_take_is_a_usage_error(pattern):
    for whole in (False, True):
        with pytest.raises(errors.UsageError, match="Invalid pattern"):
            found(pattern, whole=whole)


def test_the_message_about_a_pattern_has_the_reason_in_one_line():
    with pytest.raises(errors.UsageError) as raised:
        patterns.check("(a")
    assert str(raised.value) == (
        "Invalid pattern '(a': missing ): (a. Use RE2 syntax, which has no lookarounds and no backreferences."
    )


def test_a_pattern_that_does_not_end_in_other_engines_is_matched():
    hostile = pd.Series(["a" * 100_000 + "!"], dtype=frames.TEXT)
    assert not patterns.found(hostile, "^(a+)+$").any()
    assert not patterns.found(hostile, "(a|a)*b").any()
    assert not patterns.like(hostile, "*a" * 50 + "b").any()


def test_a_search_gives_up_when_its_time_is_over():
    with pytest.raises(errors.UsageError, match="takes too long"):
        patterns.found(COMMENTS, "ci", ends=time.monotonic())
    assert not patterns.found(COMMENTS.head(0), "ci", ends=time.monotonic()).any()


def test_every_text_of_a_long_column_is_searched():
    numbers = pd.Series([str(number) for number in range(10_000)], dtype=frames.TEXT)
    assert patterns.found(numbers, "7$").sum() == 1_000
    assert patterns.like(numbers, "*7").sum() == 1_000


@pytest.mark.parametrize(
    ("glob", "expected"), [("CI", "af"), ("ci*", "abef"), ("c?", "af"), ("*(prod)", "b"), ("ci.", ""), ("", "d")]
)
def test_a_glob_matches_a_text_as_a_whole_in_any_case(glob, expected):
    assert "".join(COMMENTS.index[patterns.like(COMMENTS, glob)]) == expected


def test_a_long_text_is_shortened_to_eighty_characters_in_quotes():
    assert patterns.shortened("a'b") == '"a\'b"'
    assert patterns.shortened("x" * 80) == f"'{'x' * 80}'"
    assert patterns.shortened("x" * 81) == f"'{'x' * 77}…'"
