"""The tree of errors, and how they are displayed."""

import re

import pytest

import tokenkit
from tokenkit import errors

CLASSES = [
    value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.TokenKitError)
]


def test_the_docstring_draws_every_error_below_its_parent():
    drawn = re.findall(r"^(?:    )([│ ├└─]*)(\w+Error)\b", errors.__doc__, re.MULTILINE)
    depths = {name: len(indent) // 4 for indent, name in drawn}
    assert set(depths) == {error.__name__ for error in CLASSES}
    for error in CLASSES:
        ancestors = [base for base in error.__mro__ if base in CLASSES]
        assert depths[error.__name__] == len(ancestors) - 1, error


def test_every_error_is_public():
    assert {error.__name__ for error in CLASSES} <= set(tokenkit.__all__)


@pytest.mark.parametrize("error", [error for error in CLASSES if not issubclass(error, errors.ApiError)])
def test_a_notebook_shows_an_error_as_one_line(error):
    assert error("what happened")._render_traceback_() == [f"{error.__name__}: what happened"]


def test_only_a_404_with_such_a_code_means_that_a_token_does_not_exist():
    others = (errors.FeatureDisabledError, errors.EndpointNotFoundError)
    assert not any(issubclass(other, errors.NotFoundError | LookupError) for other in others)


def test_a_similar_name_is_suggested_or_else_all_are_listed():
    assert errors.did_you_mean("ownr", ["owner", "status"]) == "Did you mean owner?"
    assert errors.did_you_mean("xyz", ["owner", "status"]) == "Known: owner, status."
    assert errors.did_you_mean("xyz", ["owner"] * 2_000) == "None of the 2,000 known names is similar."


PEOPLE = ["admin@example.com", "mei.ito@example.com", "jose.smith@example.com", "Zoe.Ahmed@example.com", "zoe-ahmed"]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("x@example.com", []),
        ("zoe.quist@example.com", []),
        ("zoe.ahmad@example.com", ["Zoe.Ahmed@example.com"]),
        ("zoe.ahmed@exmaple.com", ["Zoe.Ahmed@example.com"]),
        ("zoe.ahmed", ["Zoe.Ahmed@example.com", "zoe-ahmed"]),
        ("@example.com", []),
    ],
)
def test_addresses_are_not_similar_because_of_their_domain(name, near):
    assert errors.similar(name, PEOPLE) == near
