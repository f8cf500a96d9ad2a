"""A rule of one's own: what it is made of, and what is wrong with one."""

import pytest

from tokenkit import errors
from tokenkit.review.rule import rule


def made(**given):
    def find(tokens, _, *, least=3, words=("a",)):
        """Find nothing."""

    return rule(**{"id": "x", "title": "X", "severity": "low"} | given)(find)


def test_a_rule_needs_an_id_a_title_and_a_severity_alone():
    plain = made()
    assert (plain.id, plain.title, plain.severity, plain.why, plain.remedy, plain.sat) == ("x", "X", "low", "", "", "")
    assert (plain.subject, plain.needs, plain.expired_too) == ("token", (), False)
    assert {plain: 1}[plain] == 1
    assert {name: (one.default, one.why) for name, one in plain.thresholds.items()} == {
        "least": (3, ""),
        "words": (("a",), ""),
    }


def test_a_rule_has_what_it_is_given():
    given = {
        "why": "It is bad.",
        "remedy": "Revoke it.",
        "sat": "GOV-2",
        "severity": "high",
        "subject": "owner",
        "needs": ("owners", "settings"),
        "expired_too": True,
    }
    full = made(**given, thresholds={"words": "few"})
    assert {name: getattr(full, name) for name in given} == given
    assert [threshold.why for threshold in full.thresholds.values()] == ["", "few"]


@pytest.mark.parametrize("severity", ["high", "medium", "low"])
@pytest.mark.parametrize("subject", ["token", "owner", "workspace"])
def test_these_severities_and_subjects_are_valid(severity, subject):
    assert made(severity=severity, subject=subject).subject == subject


@pytest.mark.parametrize("name", ["id", "title", "severity", "subject", "why", "remedy", "sat"])
def test_a_text_of_a_rule_that_is_no_text_is_an_error_that_names_it(name):
    with pytest.raises(errors.UsageError) as raised:
        made(**{name: 5})
    assert str(raised.value) == f"{name} of a rule must be of type str, not int."


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"severity": "urgent"}, "Invalid severity of rule x: 'urgent'. Use one of: high, medium, low."),
        ({"subject": "group"}, "Invalid subject of rule x: 'group'. Use one of: token, owner, workspace."),
        ({"needs": "owners"}, "needs of rule x must be a list, and each value of type str."),
        ({"needs": (5,)}, "needs of rule x must be a list, and each value of type str."),
        ({"thresholds": ["few"]}, "thresholds must be a dict, not list."),
    ],
)
def test_another_value_is_an_error_that_names_the_valid_ones(given, message):
    with pytest.raises(errors.UsageError) as raised:
        made(**given)
    assert str(raised.value) == message
