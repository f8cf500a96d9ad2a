"""Who signs in how, counted from rows and by SQL, and joined to the owners of tokens."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import NOW
from tests.review.test_sign_ins import EXTERNAL, INTERNAL, event, frame, queried_by
from tokenkit import frames
from tokenkit.review.sign_in_methods import METHODS_OF_IDENTITIES, by_owner

ACTIONS = ["tokenLogin", "mintOAuthToken", "oidcTokenAuthorization", "samlLogin", "login", "logout"]
EVENTS = st.builds(
    event,
    action_name=st.sampled_from(ACTIONS),
    service_name=st.sampled_from(["accounts"] * 4 + ["jobs"]),
    event_time=st.integers(0, 5).map(lambda days: (NOW - pd.Timedelta(days=days)).isoformat()),
    user_identity=st.sampled_from([{"email": "ann@example.com"}, {"email": "6f1c"}, {"email": None}]),
    method=st.sampled_from([EXTERNAL, INTERNAL]),
    response=st.sampled_from([{"status_code": 200}, {"status_code": 401}]),
)


@given(st.lists(EVENTS, max_size=8))
@settings(max_examples=25)
def test_rows_and_sql_give_the_same(events):
    pd.testing.assert_frame_equal(
        METHODS_OF_IDENTITIES.of_result(queried_by(METHODS_OF_IDENTITIES, *events)),
        METHODS_OF_IDENTITIES.of_rows(frame(*events)),
    )


def test_sign_ins_are_counted_by_method():
    events = [event(action_name=action, method=EXTERNAL) for action in ACTIONS] + [event(method=INTERNAL)]
    (row,) = METHODS_OF_IDENTITIES.of_rows(frame(*events)).to_dict("records")
    assert (row["token_logins"], row["oauth_logins"], row["browser_logins"]) == (1, 2, 2)


@pytest.fixture
def tokens():
    rows = [
        ("ann", "user", "active"),
        ("ann", "user", "expired"),
        ("etl", "service_principal", "active"),
        ("bob", "user", "active"),
    ]
    tokens = pd.DataFrame(rows, columns=["owner", "owner_kind", "status"], dtype=frames.TEXT)
    return tokens.assign(token_id="x", owner_id=pd.array([7, 7, 1, 8], "Int64"))


def test_owners_who_only_sign_in_otherwise_come_first_and_no_owner_is_missing(tokens):
    principals = frames.frame([{"id": 1, "application_id": "6f1c", "display_name": "etl"}], frames.SERVICE_PRINCIPALS)
    events = [
        event(user_identity={"email": "ann"}),
        event(user_identity={"email": "6f1c"}, action_name="mintOAuthToken"),
    ]
    found = by_owner(METHODS_OF_IDENTITIES.of_rows(frame(*events)), tokens, principals)
    assert found["owner"].tolist() == ["etl", "ann", "bob"]
    assert found["only_other"].tolist() == [True, False, False]
    assert found["tokens"].tolist() == [1, 1, 1]
    assert found["token_logins"].tolist() == [0, 1, 0]
    assert pd.isna(found["last_token_login"].iloc[2])


def test_an_owner_of_several_other_sign_ins_only_signs_in_otherwise(tokens):
    principals = frames.frame([], frames.SERVICE_PRINCIPALS)
    others = [event(user_identity={"email": "ann"}, action_name=name) for name in ("mintOAuthToken", "login")]
    found = by_owner(METHODS_OF_IDENTITIES.of_rows(frame(*others)), tokens, principals).set_index("owner")
    assert found.loc["ann", ["token_logins", "oauth_logins", "browser_logins"]].tolist() == [0, 1, 1]
    assert found.loc["ann", "only_other"]


def test_without_events_every_owner_has_a_row_that_proves_nothing(tokens):
    found = by_owner(METHODS_OF_IDENTITIES.of_rows(frame()), tokens, frames.frame([], frames.SERVICE_PRINCIPALS))
    assert len(found) == 3
    assert not found["only_other"].any()


def test_service_principals_of_one_display_name_are_counted_apart_and_letter_case_makes_no_difference(tokens):
    both = [{"id": n, "application_id": f"6F1C-{n}", "display_name": "etl"} for n in (1, 2)]
    second = tokens[tokens["owner"] == "etl"].assign(owner_id=pd.array([2], "Int64"))
    events = [
        event(user_identity={"email": "6f1c-1"}, action_name="mintOAuthToken"),
        event(user_identity={"email": "6f1c-2"}),
        event(user_identity={"email": "Ann"}),
    ]
    found = by_owner(
        METHODS_OF_IDENTITIES.of_rows(frame(*events)),
        pd.concat([tokens, second]),
        frames.frame(both, frames.SERVICE_PRINCIPALS),
    )
    rows = zip(found["owner"], found["token_logins"], found["oauth_logins"], strict=True)
    assert sorted(map(list, rows)) == [["ann", 1, 0], ["bob", 0, 0], ["etl", 0, 1], ["etl", 1, 0]]
