"""The values that a column can have: those that the modules which make it give it."""

from tokenkit.review import scopes, values


def test_the_states_of_which_a_scope_is_advised_are_those_that_can_be_asked_for():
    assert {*scopes.KNOWN, *scopes._NOT_KNOWN} == {*values.FIXED["autoscope_state"]}
    assert {scopes.NARROW, scopes.KEEP, scopes.WAIT, scopes.NONE} == {*values.FIXED["advice"]}
