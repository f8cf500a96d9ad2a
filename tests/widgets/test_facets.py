"""Facets: which tokens have a choice, and how many."""

import numpy as np
import pandas as pd
import pytest

from tokenkit import frames
from tokenkit.widgets import facets
from tokenkit.widgets.facets import DayFacet, Span

ALL = np.ones(5, dtype=bool)


def test_a_column_is_counted_and_masked_with_the_most_frequent_choice_first():
    owners = facets.of_column("Owner", pd.Series(["ann", "bob", "bob", None, "cy"], dtype=frames.TEXT))
    assert owners.counts(ALL) == {"bob": 2, "ann": 1, "cy": 1}
    assert next(iter(owners.counts(ALL))) == "bob"
    assert owners.mask("bob").tolist() == [False, True, True, False, False]
    assert owners.counts(np.array([True, True, False, False, False])) == {"ann": 1, "bob": 1, "cy": 0}
    assert not owners.mask("nobody").any()


def test_the_given_order_comes_first_and_other_values_follow():
    column = pd.Series(["expired", "active", "odd", "expired", "expired"], dtype=frames.TEXT)
    status = facets.of_column("Status", column, order=("active", "expired"))
    assert list(status.counts(ALL).items()) == [("active", 1), ("expired", 3), ("odd", 1)]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([["sql", "jobs"], None, [], ["sql", "sql"], ["jobs"]], dtype=pd.ArrowDtype(frames.TEXTS)),
        pd.Series([["sql", "jobs"], None, [], np.array(["sql", "sql"]), ("jobs",)], dtype=object),
        pd.Series(["sql; jobs", None, "", "sql; sql", "jobs"], dtype=frames.TEXT),
    ],
    ids=["arrow", "objects", "strings of a CSV"],
)
def test_lists_count_a_token_once_for_each_of_its_scopes_in_every_format(column):
    scopes = facets.of_lists("Scope", column)
    assert scopes.counts(ALL) == {"sql": 2, "jobs": 2}
    assert scopes.mask("sql").tolist() == [True, False, False, True, False]
    assert scopes.mask("jobs").tolist() == [True, False, False, False, True]


def test_findings_without_a_token_or_about_an_unknown_one_are_ignored():
    findings = pd.DataFrame({"row": [1, 1, 1, 4, -1, -1], "rule": ["old", "idle", "old", "old", "acl", "old"]})
    rules = facets.of_findings("Rule", findings, size=5)
    assert rules.counts(ALL) == {"old": 2, "idle": 1}
    assert rules.mask("old").tolist() == [False, True, False, False, True]


def test_spans_of_days_include_both_ends_and_absent_is_a_separate_choice():
    days = pd.Series([0.0, 6.99, 7.0, 90.4, pd.NA], dtype="Float64")
    facet = DayFacet("Idle", days, {"new": Span(None, 6), "week": Span(7, 90), "never": None})
    assert facet.counts(ALL) == {"new": 2, "week": 2, "never": 1}
    assert facet.mask(Span(7, 90)).tolist() == [False, False, True, True, False]
    assert facet.mask(Span(None, 6)).tolist() == [True, True, False, False, False]
    assert facet.mask("never").tolist() == [False] * 4 + [True]


def test_an_empty_column_has_no_choices_and_no_counts():
    empty = frames.frame([], frames.TOKENS)
    nothing = np.ones(0, dtype=bool)
    assert facets.of_column("Owner", empty["comment"]).counts(nothing) == {}
    assert facets.of_lists("Scope", empty["scopes"]).counts(nothing) == {}
