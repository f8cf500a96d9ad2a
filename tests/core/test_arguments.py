"""Checks of arguments: what is accepted, and the error that names the valid values."""

from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import pytest

from tokenkit import errors
from tokenkit.core import arguments
from tokenkit.core.arguments import folder, whole_number


@pytest.mark.parametrize("given", [1, 7, np.int64(7), 1_000])
def test_a_whole_number_within_its_limits_is_returned(given):
    assert whole_number("workers", given, least=1, most=1_000) == given
    assert type(whole_number("workers", given, least=1)) is int


@pytest.mark.parametrize("given", [0, -1, 1_001, True, False, None, "7", 7.0, 2.5, float("nan"), [7]])
def test_what_is_not_a_whole_number_within_its_limits_is_an_error_that_names_them(given):
    with pytest.raises(errors.UsageError, match=r"^workers must be a whole number, from 1 to 1,000\.$"):
        whole_number("workers", given, least=1, most=1_000)


def test_without_an_upper_limit_only_the_lower_one_is_named():
    assert whole_number("rows", 10**12, least=1_000) == 10**12
    with pytest.raises(errors.UsageError, match=r"^rows must be a whole number, at least 1,000\.$"):
        whole_number("rows", 999, least=1_000)


@pytest.mark.parametrize("given", ["state", Path("state"), PurePosixPath("state")])
def test_a_folder_is_a_text_or_a_path(given):
    assert folder("home", given) == Path("state")


@pytest.mark.parametrize("given", ["", "  ", b"state", None, 7, ["state"]])
def test_what_is_not_a_path_is_an_error(given):
    with pytest.raises(errors.UsageError, match=r"^home must be the path of a folder"):
        folder("home", given)


class Path7:
    def __fspath__(self):
        return b"state"


TABLE = {"a": 1}
FRAME = pd.DataFrame({"a": [1], "b": [2]})
VALID = [
    (arguments.seconds, {"least": 0.5, "most": 1_000}, [(0.5, 0.5), (1_000, 1_000.0), (7, 7.0)]),
    (arguments.flag, {}, [(True, True), (False, False)]),
    (arguments.table, {}, [(None, {}), (TABLE, TABLE), ({}, {})]),
    (arguments.file, {}, [("a.csv", Path("a.csv")), (Path("a"), Path("a")), ("~/a", Path.home() / "a")]),
    (arguments.folder, {}, [("a:b", Path("a:b")), ("C:/a", Path("C:/a")), ("a/b:/c", Path("a/b:/c"))]),
]
INVALID = [
    (
        arguments.seconds,
        {"least": 0.5, "most": 1_000},
        [0.4, 1_000.1, True, None, "7", float("nan")],
        "x must be a number of seconds, from 0.5 to 1,000.",
    ),
    (arguments.flag, {}, ["no"], "x must be True or False, not str."),
    (arguments.flag, {}, [1, 0], "x must be True or False, not int."),
    (arguments.table, {}, [[("a", 1)], []], "x must be a dict, not list."),
    (
        arguments.file,
        {},
        ["", " ", "a\0b", 7, None, b"a", Path7()],
        "x must be the path of a file, as a string or a path object.",
    ),
    (
        arguments.file,
        {},
        ["~nobody-has-this-name/a"],
        "x is in the home folder of an unknown user: ~nobody-has-this-name/a.",
    ),
    (
        arguments.folder,
        {},
        ["dbfs:/a"],
        "x must be a path, not a URI: dbfs:/a. Inside Databricks, files of dbfs:/ are below /dbfs or /Volumes.",
    ),
]


@pytest.mark.parametrize(("check", "limits", "cases"), VALID)
def test_a_valid_argument_is_returned(check, limits, cases):
    for given, returned in cases:
        found = check("x", given, **limits)
        assert (found, type(found)) == (returned, type(returned))


@pytest.mark.parametrize(("check", "limits", "cases", "message"), INVALID)
def test_an_invalid_argument_is_an_error_that_names_what_is_valid(check, limits, cases, message):
    for given in cases:
        with pytest.raises(errors.UsageError) as found:
            check("x", given, **limits)
        assert str(found.value) == message


def test_a_frame_must_have_the_columns_that_are_read():
    assert arguments.frame("tokens", FRAME, ["a", "b"]) is FRAME
    with pytest.raises(errors.UsageError, match=r"^tokens must be a DataFrame, not dict\.$"):
        arguments.frame("tokens", TABLE, [])
    with pytest.raises(errors.UsageError, match=r"^tokens lacks the columns c, d\.$"):
        arguments.frame("tokens", FRAME, ["c", "a", "d"])


def test_an_optional_argument_is_none_or_of_its_type():
    assert arguments.optional("x", None, str) is None
    assert arguments.optional("x", "", str) == ""
    with pytest.raises(errors.UsageError, match=r"^x must be of type str, not int\.$"):
        arguments.optional("x", 0, str)


def test_several_values_are_a_list_and_one_value_is_none():
    assert arguments.several("x", ("a", 1), str, int) == ["a", 1]
    assert arguments.several("x", iter("ab"), str) == ["a", "b"]
    assert arguments.several("x", [], str) == []
    for given in ("ab", b"ab", {"a": 1}, str, 7, None, [1]):
        with pytest.raises(errors.UsageError, match=r"^x must be a list, and each value of type str or Path\.$"):
            arguments.several("x", given, str, Path)
