"""The values that a column can have: those that the modules which make it give it."""

from tokenkit.actions import states
from tokenkit.review import access, changes, leaks, scopes, values
from tokenkit.review.leaks.values import kind_of
from tokenkit.review.lifecycle import DISUSE, EXPIRY, IDLE_LIMIT_DAYS


def test_the_states_of_which_a_scope_is_advised_are_those_that_can_be_asked_for():
    assert {*scopes.KNOWN, *scopes._NOT_KNOWN} == {*values.FIXED["autoscope_state"]}
    assert {scopes.NARROW, scopes.KEEP, scopes.WAIT, scopes.NONE} == {*values.FIXED["advice"]}


def test_what_ends_a_token_can_be_asked_for():
    assert values.FIXED["ends_by"] == (EXPIRY, DISUSE)


def test_the_values_of_these_columns_are_those_of_the_api_and_of_the_documentation():
    assert {
        "status": ("active", "expired"),
        "owner_kind": ("user", "service_principal", "deleted", "unknown"),
        "kind": ("user", "service_principal", "deleted", "unknown"),
        "ends_by": ("expiry", "disuse"),
        "autoscope_state": tuple(
            f"AUTOSCOPE_STATE_{state}"
            for state in ("API_NOT_COVERED", "BACKFILLED", "COMPLETED", "DISABLED", "RUNNING", "USER_SELECTED")
        ),
        "severity": ("high", "medium", "low"),
        "permission_level": ("CAN_USE", "CAN_MANAGE"),
        "advice": ("narrow", "keep", "wait", "none"),
    } == values.FIXED


def test_every_identifier_that_a_table_shows_has_words():
    identifiers = {
        *states.STATES,
        *values.FIXED["owner_kind"],
        *leaks.HASH_INPUTS,
        *(kind_of(f"{prefix}{'0' * 32}") for prefix in ("dapi", "dose")),
        access.DELETED,
        access.DELETED_OR_DISABLED,
        *(value for name, value in vars(changes).items() if name.isupper() and isinstance(value, str)),
        f"unused_{IDLE_LIMIT_DAYS}_days",
        "not_scanned",
    }
    assert {value for value in identifiers if "_" in value} == {*values.WORDS}
    assert not [text for text in values.WORDS.values() if "_" in text]
