"""Whose tokens they are: owner and creator told apart, the departed named as such."""

import pandas as pd
import pytest

from tokenkit import frames
from tokenkit.review.owners import with_owners

BIG = 2**62 + 1
USERS = frames.frame(
    [
        {"id": 1, "user_name": "ann@example.com", "active": True},
        {"id": BIG, "user_name": "big@example.com", "active": False},
        {"id": 3, "user_name": "cy@example.com"},
    ],
    frames.USERS,
)
PRINCIPALS = frames.frame(
    [
        {"id": 10, "application_id": "app-10", "display_name": "terraform", "active": True},
        {"id": 11, "application_id": "app-11", "active": True},
    ],
    frames.SERVICE_PRINCIPALS,
)

NAMED = {"users": USERS, "service_principals": PRINCIPALS}


def owner_of(**document):
    tokens = frames.frame([document], frames.TOKENS)
    row = with_owners(tokens, users=USERS, service_principals=PRINCIPALS).iloc[0]
    return row.owner, row.owner_kind, row.owner_active


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"owner_id": 1}, ("ann@example.com", "user", True)),
        ({"owner_id": BIG}, ("big@example.com", "user", False)),
        ({"owner_id": BIG - 1, "created_by_id": 1}, (str(BIG - 1), "deleted", False)),
        ({"owner_id": 3}, ("cy@example.com", "user", True)),
        (
            {"owner_id": 10, "created_by_id": 1, "created_by_username": "app-10"},
            ("terraform", "service_principal", True),
        ),
        ({"owner_id": 11}, ("app-11", "service_principal", True)),
        ({"owner_id": 9, "created_by_id": 9, "created_by_username": "gone@x"}, ("gone@x", "deleted", False)),
        ({"owner_id": 9, "created_by_id": 1, "created_by_username": "ann@x"}, ("9", "deleted", False)),
    ],
)
def test_each_kind_of_owner_is_named(document, expected):
    assert owner_of(**document) == expected


def test_a_listing_without_owner_ids_has_unknown_owners():
    owner, kind, active = owner_of(created_by_username="ann@example.com")
    assert kind == "unknown"
    assert pd.isna(owner)
    assert pd.isna(active)


def test_neither_the_index_nor_the_order_nor_the_listing_changes():
    tokens = frames.frame([{"owner_id": 10}, {"owner_id": 99}, {"owner_id": 1}], frames.TOKENS)
    tokens.index = [7, 3, 7]
    before = tokens.copy(deep=True)
    joined = with_owners(tokens, users=USERS, service_principals=PRINCIPALS)
    pd.testing.assert_frame_equal(tokens, before)
    pd.testing.assert_frame_equal(joined[list(frames.TOKEN_COLUMNS)], before)


def test_a_workspace_without_identities_and_an_empty_listing_keep_the_dtypes():
    nobody = {"users": USERS.head(0), "service_principals": PRINCIPALS.head(0)}
    full = with_owners(frames.frame([{"owner_id": 1}], frames.TOKENS), **nobody)
    assert full["owner_kind"].tolist() == ["deleted"]
    pd.testing.assert_series_equal(with_owners(frames.frame([], frames.TOKENS), **nobody).dtypes, full.dtypes)


def test_within_workspaces_an_id_belongs_to_one_workspace():
    tokens = frames.frame([{"owner_id": each} for each in (1, 1, BIG, 10, 3, None, 1)], frames.TOKENS)
    places = ["a", "b", "b", "a", "b", "a", "nobody's"]
    users = USERS.assign(workspace=pd.array(["a", "b", "a"], dtype=frames.TEXT))
    other = users.head(1).assign(workspace="b", user_name="bo@example.com")
    users = frames.concat([users, other])
    joined = with_owners(
        tokens.assign(workspace=pd.array(places, dtype=frames.TEXT)),
        users=users,
        service_principals=PRINCIPALS.assign(workspace=pd.array(["a", "b"], dtype=frames.TEXT)),
        within="workspace",
    )
    assert joined["owner"].fillna("").tolist() == [
        "ann@example.com",
        "bo@example.com",
        "big@example.com",
        "terraform",
        "3",  # cy is of workspace a
        "",
        "1",
    ]
    kinds = ["user", "user", "user", "service_principal", "deleted", "unknown", "deleted"]
    assert joined["owner_kind"].tolist() == kinds


def test_within_workspaces_without_identities_every_owner_is_deleted():
    tokens = frames.frame([{"owner_id": 1}], frames.TOKENS).assign(workspace=pd.array(["a"], dtype=frames.TEXT))
    none = {name: frame.head(0).assign(workspace=tokens["workspace"].head(0)) for name, frame in NAMED.items()}
    assert with_owners(tokens, **none, within="workspace")["owner_kind"].tolist() == ["deleted"]
