"""``--where``: an expression that can only read."""

import contextlib

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
        ("-idle_days < -89", ["idle-90", "unused-90"]),
    ],
)
def test_an_expression_reads_columns_as_query_would(expression, expected):
    assert selected(expression) == expected


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
    ("expression", "message"),
    [
        ("ownr == 'x'", "Did you mean owner"),
        ("idle > 60", "Did you mean idle_days"),  # the heading in tables
        ("idle_days >", "does not parse"),
        ("idle_days", "not a condition"),
        ("1 == 1", "not a condition"),
        ("owner_id > 'text'", "Cannot evaluate"),
        ("(" * 400 + "idle_days" + ")" * 400, "does not parse"),
        ("idle_days > 1 " * 2000, "longer than"),
        ("idle_days.between(1, 2, inclusive='lefd')", "Invalid inclusive: 'lefd'. Did you mean left"),
        ("", "is empty"),
        ("comment = 'x'", "== for equal"),
        ("idle_days + expiry_time > 3", "combines incompatible types. Write numbers without quotes, and text"),
        ("owner == scopes", "scopes holds lists. Write 'text' in scopes"),
        ("comment.str.contains('x', na=5)", "Invalid na: 5. Write True or False"),
    ],
)
def test_an_invalid_expression_is_an_error_with_the_reason(expression, message):
    with pytest.raises(errors.UsageError, match=message):
        selected(expression)


@given(st.text(max_size=40) | st.from_regex(r"[a-z_.()'@=<>0-9 \[\]&|~]{0,40}"))
def test_no_text_at_all_gets_an_expression_past_a_usage_error(expression):
    with contextlib.suppress(errors.UsageError):
        selected(expression)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("scopes == 'all-apis'", "Write 'all-apis' in scopes"),
        ("'all-apis' != scopes", "Write 'all-apis' in scopes"),
        ("scopes == ['all-apis']", "Write 'all-apis' in scopes"),
        ("scopes == []", "Write 'text' in scopes"),
        ("scopes in ['sql']", "Write 'sql' in scopes"),
        ("['sql'] in scopes", "Write 'text' in scopes"),
        ("scopes.isin(['sql'])", "Write 'sql' in scopes"),
        ("scopes.str.contains('sql')", "Write 'text' in scopes"),
        ("owner in scopes", "Write 'text' in scopes"),
        ("scopes == inferred_scopes", "Write 'text' in scopes"),
        ("'jane' in owner", "Write owner.str.contains"),
        ("owner in ('jane')", "Write COLUMN in"),
        ("owner == None", "Write owner.isna"),
        ("comment == null", "Write COLUMN.isna"),
        ("comment is None", "Write COLUMN.isna"),
        ("comment IS NULL", "Write COLUMN.isna"),
        ("comment in ['a', None]", "Write comment.isna"),
        ("idle_days > 60 AND never_expires", "Write the operators in lower case: and, or, not, in"),
        ("NOT(never_expires)", "Write the operators in lower case: and, or, not, in"),
        ("idle_days > 60 && never_expires", "Write the operators in lower case: and, or, not, in"),
        ("owner IN ('a', 'b')", "Write the operators in lower case: and, or, not, in"),
        ("never_expires == true", "Write True or False"),
        ("never_expires == 'true'", "Write True or False"),
        ("never_expires == 1", "Write True or False"),
        ("never_expires = true", "Write True or False.*== for equal"),
        ("owner LIKE 'jane%'", r"Write COLUMN\.str\.contains"),
        ("comment.contains('ci')", r"Write COLUMN\.str\.contains"),
        ("owner == \u201cjane\u201d", "straight quotes"),
        ("owner <> 'jane'", "!= for not equal"),
        ("idle_days > 60d", "a number of days"),
        ("idle_days == '60'", "Write a number without quotes"),
        ("owner_id in ['77']", "Write a number without quotes"),
        ("owner == 77", "Write text in quotes"),
        ("owner.isin([77])", "Write text in quotes"),
        ("expiry_time == 5", "Write a date in quotes"),
        ("expiry_time == ''", "is not a date"),
        ("expiry_time < 'NaT'", "is not a date"),
        ("expiry_time == comment", "holds times, not text"),
        ("owner_id.str.contains('7')", "Only text has str methods"),
    ],
)
def test_a_condition_that_is_never_true_is_an_error_with_the_correct_form(expression, message):
    with pytest.raises(errors.UsageError, match=message):
        selected(expression)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("status == 'actve'", "Did you mean active"),
        ("'Active' == status", "Did you mean active"),
        ("status in ['active', 'revoked']", "Invalid status: 'revoked'"),
        ("status.isin(['gone'])", "Known: active, expired"),
        ("status != ['gone']", "Known: active, expired"),
        ("owner_kind == 'service principal'", "Did you mean service_principal"),
        ("owner_kind != 'usr'", "Did you mean user"),
        ("autoscope_state == 'COMPLETED'", "AUTOSCOPE_STATE_COMPLETED"),
    ],
)
def test_a_value_that_a_column_cannot_have_is_an_error(expression, message):
    with pytest.raises(errors.UsageError, match=message):
        selected(expression)
    with pytest.raises(errors.UsageError, match=message):
        expressions.where(TOKENS.head(0), expression)


def test_a_severity_is_one_of_three():
    findings = pd.DataFrame({"severity": ["high", "low"]})
    assert len(expressions.where(findings, "severity == 'medium'")) == 0
    with pytest.raises(errors.UsageError, match="Known: high, medium, low"):
        expressions.where(findings, "severity == 'critical'")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("workspace == 'prod'", [0]),
        ("'prod' == workspace", [0]),
        ("workspace == 'https://a'", [0]),
        ("workspace != 'prod'", [1, 2]),
        ("workspace in ['dev', 'https://a'] and not owner == 'prod'", [0, 1]),
        ("workspace.isin(['prod', 'dev']) == True", [0, 1]),
        ("workspace not in ('prod',) & owner in ['prod']", [2]),
        ("workspace.str.contains('b')", [1]),
    ],
)
def test_a_value_can_be_given_by_its_name(expression, expected):
    rows = pd.DataFrame({"workspace": ["https://a", "https://b", "https://c"], "owner": ["x", "y", "prod"]})
    names = {"workspace": {"prod": "https://a", "dev": "https://b", "https://c": "https://c"}}
    assert expressions.where(rows, expression, names).index.tolist() == expected


@pytest.mark.parametrize("compared", ["== 'prd'", "in ['prod', 'prd']", ".isin(['prd'])"])
def test_a_value_without_a_name_is_an_error_with_a_similar_one(compared):
    rows = pd.DataFrame({"workspace": ["https://a"]})
    with pytest.raises(errors.UsageError, match=r"^Invalid workspace: 'prd'\. Did you mean prod\?"):
        expressions.where(rows, f"workspace {compared}", {"workspace": {"prod": "https://a"}})


def test_values_that_are_made_of_a_column_are_not_held_to_its_set():
    assert selected("status.str.upper() == 'EXPIRED'") == ["expired"]
    assert selected("(status == 'expired') == True") == ["expired"]


def test_a_value_that_only_a_newer_server_has_can_be_asked_for():
    newer = TOKENS.assign(autoscope_state="AUTOSCOPE_STATE_PAUSED")
    assert len(expressions.where(newer, "autoscope_state == 'AUTOSCOPE_STATE_PAUSED'")) == len(TOKENS)


@pytest.mark.parametrize(
    "expression",
    [
        "comment.str.contains(owner)",
        "comment.str.contains(pat=owner)",
        "comment.str.contains(owner.str.lower())",
        "owner.isin(comment)",
        "owner.isin([comment])",
        "owner.isin(values=('a', comment))",
        "owner in [comment]",
        "idle_days.between(1, age_days)",
        "idle_days.between(1, -age_days)",
        "idle_days.between(1, 2 * 3)",
        "comment.str.contains('a', case=never_expires)",
    ],
)
def test_a_call_and_a_list_take_constants_only(expression):
    with pytest.raises(errors.UsageError, match="does more than read columns"):
        expressions.check(expression)


def test_the_message_about_an_expression_names_all_that_is_supported():
    with pytest.raises(errors.UsageError) as raised:
        expressions.check("[owner for owner in comment]")
    methods = ", ".join(sorted(expressions.READING_METHODS))
    assert str(raised.value) == (
        "The expression '[owner for owner in comment]' does more than read columns (listcomp). "
        f"Supported are columns, constants, comparisons, and {methods}."
    )


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("comment.str.contains('^(a+)+$', flags=2)", "unexpected keyword argument 'flags'"),
        ("comment.str.contains('^(a+)+$', True, 2)", "too many positional"),
        ("comment.str.fullmatch('(a+)+', flags=0)", "unexpected keyword argument 'flags'"),
        ("comment.str.contains('(?=(a+)+$)x')", "Invalid pattern"),
        ("comment.str.contains('(?<!a)b')", "Invalid pattern"),
        (r"comment.str.contains(r'(a+)\1')", "Invalid pattern"),
        (r"comment.str.fullmatch(pat=r'(?P<x>a+)(?P=x)')", "Invalid pattern"),
        ("comment.str.contains('(')", "Invalid pattern"),
        ("comment.str.fullmatch('a)|(b')", "Invalid pattern"),
        ("comment.str.contains('a{1000}{1000}')", "Invalid pattern"),
        ("comment.str.contains('((a{100}){100}){100}')", "Invalid pattern"),
        ("comment.str.contains(5)", "Invalid pattern 5"),
        ("comment.str.contains()", "missing a required argument: 'pat'"),
        ("comment.isna(1)", "too many positional arguments. isna takes nothing"),
        ("comment.str.contains()", r"'pat'. str\.contains takes pat, case, na, regex\."),
    ],
)
def test_an_invalid_or_unbounded_call_is_an_error_before_any_column_is_read(expression, message):
    with pytest.raises(errors.UsageError, match=message):
        expressions.check(expression)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("comment.str.contains('ci', case=False)", ["idle-89", "ends-31"]),
        ("comment.str.contains('(?i)CI$')", ["ends-31"]),
        ("comment.str.contains('(', regex=False)", ["idle-89"]),
        ("comment.str.contains('ci', na=True) and owner_id == 77", ["expired"]),
        ("comment.str.fullmatch('c|ci')", ["ends-31"]),
        ("comment.str.fullmatch('C')", []),
        ("comment.str.startswith(('c', '='))", ["unused-90", "ends-31"]),
        ("not comment.str.endswith('ci')", ["idle-90", "idle-89", "unused-90", "ends-30", "expired", "bare"]),
        ("idle_days.between(89, 90, inclusive='left')", ["idle-89"]),
        ("idle_days.between(89, 90, inclusive='right')", ["idle-90", "unused-90"]),
        ("idle_days.between(89, 90, inclusive='both')", ["idle-90", "idle-89", "unused-90"]),
        ("idle_days.between(89, 90, inclusive='neither')", []),
        ("idle_days.between(-5, 5)", ["ends-30", "ends-31"]),
        ("expiry_time - creation_time > '35d'", ["ends-31"]),
        ("owner.isin(['Ann@Example.com']) and comment.notna()", ["idle-89"]),
        ("comment.str.len() == 2", ["ends-31"]),
    ],
)
def test_methods_take_the_arguments_of_pandas(expression, expected):
    assert selected(expression) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "not " * 2000 + "never_expires",
        "not " * 900 + "never_expires",
        "~" * 900 + "never_expires",
        "-" * 60 + "idle_days > 1",
        "1 + " * 900 + "idle_days > 1",
        "comment" + ".str.lower()" * 100 + " == 'a'",
        "idle_days if True else " * 60 + "1",
        "lambda: " * 400 + "1",
        "[" * 150 + "]" * 150,
        " < ".join(["idle_days"] * 600),
        "never_expires" + " and never_expires" * 550,
    ],
)
def test_an_expression_that_is_too_deep_or_too_long_is_an_error(expression):
    with pytest.raises(errors.UsageError, match=r"nested more than|names and operators|longer than"):
        selected(expression)


@pytest.mark.parametrize(
    ("at_the_limit", "over_it", "message"),
    [
        ("comment == '{}'".format("x" * 9_987), "comment == '{}'".format("x" * 9_988), "longer than 10,000 characters"),
        (
            "owner_id in [" + "-1," * 996 + "]",
            "owner_id in [" + "-1," * 997 + "]",
            "more than 1,000 names and operators",
        ),
        ("not " * 47 + "never_expires", "not " * 48 + "never_expires", "nested more than 50 deep"),
    ],
)
def test_an_expression_may_be_as_long_and_as_deep_as_its_error_says(at_the_limit, over_it, message):
    assert isinstance(selected(at_the_limit), list)
    with pytest.raises(errors.UsageError, match=message):
        selected(over_it)


def test_many_values_and_terms_are_no_depth():
    ids = [*range(1_000, 2_500), 77]
    assert selected(f"owner_id in {ids}") == ["expired"]
    assert selected(" or ".join(f"owner_id == {number}" for number in ids[-200:])) == ["expired"]


@pytest.mark.parametrize(
    "expression",
    [
        "b'a' * 1000000000 == comment",
        "'a' * 1000000000 == comment",
        "comment * 1000000000 == 'a'",
        "['a'] * 1000000000 == comment",
        "10 ** 10 ** 10 > idle_days",
        "10 << 10000000000 > idle_days",
        "comment.str.repeat(1000000000) == 'a'",
        "comment.str.pad(1000000000) == 'a'",
        "comment.str.zfill(width=1000000000) == 'a'",
        "idle_days > " + "9" * 4000,
        "idle_days > " + "9" * 5000,
    ],
)
def test_nothing_in_an_expression_grows_without_bounds(expression):
    with pytest.raises(errors.UsageError):
        selected(expression)


def test_a_column_of_objects_that_only_a_newer_server_sends_can_be_compared_and_has_no_str_methods():
    newer = TOKENS.assign(origin=[{"from": "ui"}] * len(TOKENS), size=[10**30] * len(TOKENS))
    assert len(expressions.where(newer, "origin == 'ui'")) == 0
    assert len(expressions.where(newer, "size > 3")) == len(TOKENS)
    with pytest.raises(errors.UsageError, match=r"origin holds values of several kinds\. Only text has str methods"):
        expressions.where(newer, "origin.str.contains('ui')")


def test_an_expression_that_takes_too_long_ends(monkeypatch):
    monkeypatch.setattr("tokenkit.review.patterns.LONGEST_SECONDS", -1)
    with pytest.raises(errors.UsageError, match=r"takes too long\. Use a simpler expression"):
        selected("idle_days > 1")
