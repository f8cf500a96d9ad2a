"""The tree of errors, and how one looks to a person."""

import re

import pytest

import tokenkit
from tokenkit import errors

CLASSES = [
    value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.TokenKitError)
]


def test_every_error_stands_in_the_tree_of_the_docstring_under_its_parent():
    drawn = re.findall(r"^(?:    )([│ ├└─]*)(\w+Error)\b", errors.__doc__, re.MULTILINE)
    depths = {name: len(indent) // 4 for indent, name in drawn}
    assert set(depths) == {each.__name__ for each in CLASSES}
    for each in CLASSES:
        ancestors = [base for base in each.__mro__ if base in CLASSES]
        assert depths[each.__name__] == len(ancestors) - 1, each


def test_every_error_is_public():
    assert {each.__name__ for each in CLASSES} <= set(tokenkit.__all__)


@pytest.mark.parametrize("error", [each for each in CLASSES if not issubclass(each, errors.ApiError)])
def test_a_notebook_shows_an_error_as_one_line(error):
    assert error("what happened")._render_traceback_() == [f"{error.__name__}: what happened"]


def test_only_a_404_whose_code_says_so_is_a_token_that_does_not_exist():
    others = (errors.FeatureDisabledError, errors.EndpointNotFoundError)
    assert not any(issubclass(other, errors.NotFoundError | LookupError) for other in others)


def test_a_near_word_is_suggested_and_without_one_all_are_named():
    assert errors.did_you_mean("ownr", ["owner", "status"]) == "Did you mean owner?"
    assert errors.did_you_mean("xyz", ["owner", "status"]) == "Known: owner, status."
    assert errors.did_you_mean("xyz", ["owner"] * 2_000).endswith("owner and 1,960 more.")
