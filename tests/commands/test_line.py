"""A line of the magic: the variables of an expression become constants."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from tests.review.test_filters import TOKENS
from tokenkit import errors
from tokenkit.commands.line import with_constants
from tokenkit.review import expressions


def selected(expression):
    return expressions.where(TOKENS, expression)["token_id"].tolist()


@pytest.mark.parametrize(
    ("expression", "names", "expected"),
    [
        ("owner == @who", {"who": "Ann@Example.com"}, ["idle-90", "idle-89"]),
        ("owner == @ who and idle_days > @days", {"who": "Ann@Example.com", "days": 89}, ["idle-90"]),
        ("idle_days == @days", {"days": np.int64(89)}, ["idle-89"]),
        ("expiry_time < @then", {"then": pd.Timestamp("2026-03-01", tz="UTC")}, ["expired"]),
        ("expiry_time < @then", {"then": dt.date(2026, 3, 1)}, ["expired"]),
        ("never_expires == @never and owner_kind == 'unknown'", {"never": True}, ["bare"]),
        ("owner == @who", {"who": "x' or owner_id == 1 or owner == 'x"}, []),
        ("comment == @text", {"text": '"""\\\n'}, []),
        ("comment == '@who'", {"who": "CI"}, []),
        ("owner_id in [@one, 77]", {"one": 1}, ["idle-90", "idle-89", "expired"]),
        ("comment.str.contains(@text)", {"text": "CI"}, ["idle-89"]),
    ],
)
def test_a_name_after_an_at_sign_is_the_constant_that_it_holds(expression, names, expected):
    assert selected(with_constants(expression, names)) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["a"], "has the type list"),
        (None, "has the type NoneType"),
        (float("nan"), "has the type float"),
        (float("inf"), "has the type float"),
        (pd.NaT, "has the type NaTType"),
        (print, "has the type builtin"),
        (type("Text", (str,), {})("a"), "has the type Text"),
    ],
)
def test_a_variable_that_is_not_a_constant_is_an_error(value, message):
    with pytest.raises(errors.UsageError, match=message):
        with_constants("owner == @value", {"value": value})


@pytest.mark.parametrize("expression", ["owner == @", "@", "owner == @1", "@('x')", "owner == @who @who", "'@"])
def test_an_invalid_expression_with_an_at_sign_is_an_error(expression):
    with pytest.raises(errors.UsageError, match=r"does not parse|Cannot evaluate|does more"):
        selected(with_constants(expression, {"who": "x"}))
