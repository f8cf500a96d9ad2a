"""What followed the sign-ins with a token: by identity, address and time, from rows and by SQL."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import NOW
from tests.review.test_sign_ins import INTERNAL, A, B, event, frame, queried_by
from tokenkit import errors
from tokenkit.review import audit_log
from tokenkit.review.usage_details import details


def at(minutes, action="getTable", token_id=None, **values):
    """An event some minutes after noon; one of Unity Catalog unless it is a sign-in."""
    params = {"tokenId": token_id, "authenticationMethod": values.pop("method", "")}
    params |= {"user": None} if token_id else {"user": values.pop("table", None)}
    return event(
        event_time=(NOW + pd.Timedelta(minutes=minutes)).isoformat(),
        action_name="tokenLogin" if token_id else action,
        service_name="accounts" if token_id else "unityCatalog",
        request_params=params,
        **values,
    )


EVENTS = st.builds(
    at,
    st.sampled_from([0, 1, 59, 60, 61, 200]),
    action=st.sampled_from(["getTable", "runNow"]),
    token_id=st.sampled_from([None, None, A, B]),
    user_identity=st.sampled_from([{"email": "ann"}, {"email": "bob"}, {"email": None}]),
    source_ip_address=st.sampled_from(["192.0.2.1:5", "192.0.2.2", None]),
    method=st.sampled_from(["", INTERNAL]),
)


@given(st.lists(EVENTS, max_size=10))
@settings(max_examples=25)
def test_rows_and_sql_give_the_same(events):
    question = details(A)
    in_sql = question.of_result(queried_by(question, *events))
    pd.testing.assert_frame_equal(in_sql, question.of_rows(frame(*events)))


def found(*events):
    return details(A).of_rows(frame(*events)).to_dict("records")


def test_events_of_the_same_identity_and_address_within_an_hour_follow():
    (row,) = found(at(0, token_id=A), at(1), at(60), at(61), at(-1))
    assert (row["service"], row["action"], row["events"]) == ("unityCatalog", "getTable", 2)


def test_events_of_others_or_of_another_address_do_not():
    assert found(at(0, token_id=A), at(1, user_identity={"email": "bob"}), at(1, source_ip_address="192.0.2.77")) == []


def test_sign_ins_with_another_token_or_with_a_notebooks_own_start_nothing():
    assert found(at(0, token_id=B), at(0, token_id=A, method=INTERNAL), at(1)) == []


def test_a_port_is_not_part_of_the_address():
    assert len(found(at(0, token_id=A, source_ip_address="192.0.2.9:1"), at(1, source_ip_address="192.0.2.9:2"))) == 1


def test_tables_and_jobs_are_named():
    rows = [
        at(0, token_id=A),
        *(event(event_time=NOW.isoformat(), action_name="x", service_name="s", request_params=params) for params in (
            {"full_name_arg": "main.sales.orders"}, {"jobId": "17"}, {"other": "y"},
        )),
    ]  # fmt: skip
    assert {row["object"] if isinstance(row["object"], str) else None for row in found(*rows)} == {
        "main.sales.orders", "17", None,
    }  # fmt: skip


@pytest.mark.parametrize("name", audit_log.OBJECTS)
def test_each_parameter_that_names_an_object_is_read_and_the_first_of_several_counts(name):
    params = {each: f"{each} 17" for each in audit_log.OBJECTS[audit_log.OBJECTS.index(name) :]}
    action = event(event_time=NOW.isoformat(), action_name="x", service_name="s", request_params=params)
    assert f"{name} 17" in {row["object"] for row in found(at(0, token_id=A), action)}


@pytest.mark.parametrize("token_id", ["", "x", "a" * 63, "g" * 64, None, 5, "'" * 64])
def test_anything_but_one_whole_id_is_an_error(token_id):
    with pytest.raises(errors.UsageError, match="64 hexadecimal"):
        details(token_id)


def test_of_equally_frequent_rows_those_without_an_object_are_first():
    objects = [{"full_name_arg": "main.a.b"}, {"other": "x"}, {"full_name_arg": "main.a.a"}]
    events = [
        event(event_time=NOW.isoformat(), action_name="x", service_name="s", request_params=params)
        for params in objects
    ]
    rows = found(at(0, token_id=A), *events)
    shown = [row["object"] if isinstance(row["object"], str) else "" for row in rows]
    assert shown == ["", "main.a.a", "main.a.b"]
