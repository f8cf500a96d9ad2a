"""``--where``: an expression that can only read."""

import contextlib
import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.review.test_filters import TOKENS
from tokenkit import errors
from tokenkit.review import expressions


def selected(expression):
    return expressions.where(TOKENS, expression)["token_id"].tolist()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("idle_days > 89", ["idle-90", "unused-90"]),
        ("idle_days > 89 and owner_kind == 'user'", ["idle-90", "unused-90"]),
        ("(idle_days > 89) & ~(owner_id == 1)", ["unused-90"]),
        ("not never_expires", ["ends-30", "ends-31", "expired"]),
        ("owner_id in [1, 77]", ["idle-90", "idle-89", "expired"]),
        ("owner == 'Ann@Example.com'", ["idle-90", "idle-89"]),
        ("expiry_time < '2026-03-01'", ["expired"]),
        ("comment.str.contains('CI')", ["idle-89"]),
        ("comment.str.lower().str.startswith('ci')", ["idle-89", "ends-31"]),
        ("comment.isna() and owner_id == 2", ["ends-30"]),
        ("idle_days.between(89, 90)", ["idle-90", "idle-89", "unused-90"]),
        ("age_days - idle_days > 200", ["idle-90", "idle-89"]),
        ("comment == '@import'", []),
        ("never_expires == True and owner_kind == 'unknown'", ["bare"]),
        ("'sql' in scopes", ["idle-90"]),
        ("'sql' not in scopes and owner_id == 1", ["idle-89"]),
        ("owner_id == [77, 1]", ["idle-90", "idle-89", "expired"]),
        ("owner_id != [77, 2]", ["idle-90", "idle-89"]),
        ("owner_id == 1 & idle_days == 89 | owner_id == 77", ["idle-89", "expired"]),
        ("60 < idle_days < 90", ["idle-89"]),
        ("never_expires and owner_id == 2 or lifetime_days > 30", ["unused-90", "ends-30", "ends-31"]),
        ("not lifetime_days > 30", ["expired"]),
        ("expiry_time.between('2026-02-01', '2026-03-01')", ["expired"]),
        ("expiry_time in ['2026-02-28']", ["expired"]),
        ("idle_days == -(-90)", ["idle-90", "unused-90"]),
    ],
)
def test_an_expression_reads_columns_as_query_would(expression, expected):
    assert selected(expression) == expected


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
    assert selected(expressions.with_constants(expression, names)) == expected


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (["a"], "holds a list"),
        (None, "holds a NoneType"),
        (float("nan"), "holds a float"),
        (float("inf"), "holds a float"),
        (pd.NaT, "holds a NaTType"),
        (print, "holds a builtin"),
        (type("Text", (str,), {})("a"), "holds a Text"),
    ],
)
def test_what_is_no_constant_is_refused(value, words):
    with pytest.raises(errors.UsageError, match=words):
        expressions.with_constants("owner == @value", {"value": value})


@pytest.mark.parametrize("expression", ["owner == @", "@", "owner == @1", "@('x')", "owner == @who @who", "'@"])
def test_what_does_not_parse_with_an_at_sign_is_told_so(expression):
    with pytest.raises(errors.UsageError, match=r"does not parse|cannot be evaluated|does more"):
        selected(expressions.with_constants(expression, {"who": "x"}))


ESCAPES = [
    "@__import__('os').system('true')",
    "@pd.read_csv('/etc/passwd')",
    "__import__('os')",
    "open('/etc/passwd').read()",
    "comment.__class__",
    "comment.str.__init__",
    "comment.to_csv('/tmp/leak')",
    "comment.apply(print)",
    "comment.str.contains(pat=open('/etc/passwd'))",
    "comment.map(exec)",
    "idle_days.pipe(eval)",
    "(lambda: 1)()",
    "[x for x in comment]",
    "idle_days ** 9999999",
    "idle_days if True else 1",
    "f'{comment}'",
    "comment[0]",
    "(comment := 1)",
    "comment.str",
    "comment.values.tofile('/tmp/leak')",
    "comment.str.contains('a').to_pickle('/tmp/leak')",
    "index.map(print)",
    "`comment` == 1",
    "tokens.shape",
    "idle_days @ idle_days",
    "import os",
    "comment.str.replace('a', 'b') == 'b'",
    "isna(comment)",
    "'a'.format(comment)",
]


@pytest.mark.parametrize("expression", ESCAPES)
def test_an_expression_cannot_do_more_than_read(expression):
    with pytest.raises(errors.UsageError) as raised:
        selected(expression)
    assert raised.value.__cause__ is None
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("ownr == 'x'", "Did you mean owner"),
        ("idle_days >", "does not parse"),
        ("idle_days", "not a yes or no"),
        ("1 == 1", "not a yes or no"),
        ("owner_id > 'text'", "cannot be evaluated"),
        ("(" * 400 + "idle_days" + ")" * 400, "does not parse"),
        ("idle_days > 1 " * 2000, "longer than"),
        ("", "does not parse"),
        ("comment = 'x'", "equality is =="),
    ],
)
def test_a_wrong_expression_says_what_is_wrong(expression, words):
    with pytest.raises(errors.UsageError, match=words):
        selected(expression)


@given(st.text(max_size=40) | st.from_regex(r"[a-z_.()'@=<>0-9 \[\]&|~]{0,40}"))
def test_no_text_at_all_gets_an_expression_past_a_usage_error(expression):
    with contextlib.suppress(errors.UsageError):
        selected(expression)
