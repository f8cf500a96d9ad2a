"""Which tokens are meant: each filter on its boundary, and alone and together."""

import pandas as pd
import pytest

from tokenkit import errors, frames
from tokenkit.review import filters, lifecycle, owners

NOW = pd.Timestamp("2026-03-01", tz="UTC")
DAY_MS = 86_400_000
NOW_MS = int(NOW.timestamp() * 1000)
USERS = frames.frame(
    [{"id": 1, "user_name": "Ann@Example.com"}, {"id": 2, "user_name": "bob.s@corp.com"}], frames.USERS
)


def days_ago(days):
    return NOW_MS - days * DAY_MS


DOCUMENTS = {
    "idle-90": {
        "owner_id": 1,
        "creation_time": days_ago(300),
        "last_used_day": days_ago(90),
        "scopes": ["sql", "clusters"],
    },
    "idle-89": {
        "owner_id": 1,
        "creation_time": days_ago(300),
        "last_used_day": days_ago(89),
        "comment": "CI (prod) 100%",
    },
    "unused-90": {"owner_id": 2, "creation_time": days_ago(90), "scopes": ["all-apis"], "comment": "=1+1"},
    "ends-30": {"owner_id": 2, "creation_time": days_ago(5), "expiry_time": days_ago(-30), "scopes": []},
    "ends-31": {"owner_id": 2, "creation_time": days_ago(5), "expiry_time": days_ago(-31), "comment": "ci"},
    "expired": {"owner_id": 77, "creation_time": days_ago(9), "expiry_time": days_ago(1)},
    "bare": {},
}


def listing():
    documents = [{"token_id": name, "expiry_time": -1} | document for name, document in DOCUMENTS.items()]
    tokens = lifecycle.with_lifecycle(frames.frame(documents, frames.TOKENS), now=NOW)
    return owners.with_owners(tokens, users=USERS, service_principals=frames.frame([], frames.SERVICE_PRINCIPALS))


TOKENS = listing()


def kept(**criteria):
    return filters.matching(TOKENS, **criteria)["token_id"].tolist()


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({}, list(DOCUMENTS)),
        ({"owner": None}, list(DOCUMENTS)),
        ({"owner": "ann@example.com"}, ["idle-90", "idle-89"]),
        ({"owner": "*@corp.com"}, ["unused-90", "ends-30", "ends-31"]),
        ({"owner": "bobxs@corp.com"}, []),
        ({"owner": "corp"}, []),
        ({"owner": "77"}, ["expired"]),
        ({"status": "expired"}, ["expired"]),
        ({"status": "active"}, ["idle-90", "idle-89", "unused-90", "ends-30", "ends-31", "bare"]),
        ({"idle": "90d"}, ["idle-90", "unused-90"]),
        ({"idle": pd.Timedelta(days=89)}, ["idle-90", "idle-89", "unused-90"]),
        ({"expires_in": "30d"}, ["ends-30"]),
        ({"expires_in": "744h"}, ["ends-30", "ends-31"]),
        ({"never_expires": True}, ["idle-90", "idle-89", "unused-90", "bare"]),
        ({"never_expires": False}, ["ends-30", "ends-31", "expired"]),
        ({"scope": "sql"}, ["idle-90"]),
        ({"scope": "sq"}, []),
        ({"comment": "ci"}, ["idle-89", "ends-31"]),
        ({"comment": "(prod) 100%"}, ["idle-89"]),
        ({"comment": "ci*100%"}, ["idle-89"]),
        ({"comment": "c?"}, []),
        ({"comment": ""}, ["idle-89", "unused-90", "ends-31"]),
        ({"owner": "*corp*", "scope": "all-apis"}, ["unused-90"]),
    ],
)
def test_each_filter_keeps_what_it_says(criteria, expected):
    assert kept(**criteria) == expected


def test_every_filter_stands_in_the_cases_above():
    marks = test_each_filter_keeps_what_it_says.pytestmark[0].args[1]
    assert {name for criteria, _ in marks for name in criteria} == {each.name for each in filters.FILTERS}


@pytest.mark.parametrize("criteria", [{"idle": "90"}, {"status": "actve"}, {"nonsense": 1}])
def test_a_value_that_a_filter_cannot_take_is_a_usage_error(criteria):
    with pytest.raises(errors.UsageError):
        kept(**criteria)


def test_filters_work_on_an_empty_listing():
    for each in filters.FILTERS:
        value = {"status": "active", "idle": "1d", "expires_in": "1d", "never_expires": True}.get(each.name, "x")
        assert len(filters.matching(TOKENS.head(0), **{each.name: value})) == 0


def test_scopes_are_found_after_the_listing_was_cut_and_shuffled():
    shuffled = pd.concat([TOKENS.iloc[::-1], TOKENS]).sample(frac=1, random_state=1)
    assert set(filters.matching(shuffled, scope="clusters")["token_id"]) == {"idle-90"}
