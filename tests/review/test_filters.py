"""Which tokens are meant: each filter on its boundary, and alone and together."""

import re

import pandas as pd
import pytest

from tokenkit import errors, frames
from tokenkit.review import filters, lifecycle, owners
from tokenkit.review.owners import ALIASES

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
        "created_by_id": 9,
        "created_by_username": "root@example.com",
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
        ({"created_by": "ROOT@*"}, ["idle-90"]),
        ({"created_by": "9"}, ["idle-90"]),
        ({"status": "expired"}, ["expired"]),
        ({"status": "active"}, ["idle-90", "idle-89", "unused-90", "ends-30", "ends-31", "bare"]),
        ({"idle": "90d"}, ["idle-90", "unused-90"]),
        ({"idle": pd.Timedelta(days=89)}, ["idle-90", "idle-89", "unused-90"]),
        ({"expires_in": "30d"}, ["idle-90", "idle-89", "unused-90", "ends-30"]),
        ({"expires_in": "744h"}, ["idle-90", "idle-89", "unused-90", "ends-30", "ends-31"]),
        ({"expires_in": "0d"}, ["idle-90", "unused-90"]),
        ({"never_expires": True}, ["idle-90", "idle-89", "unused-90", "bare"]),
        ({"never_expires": False}, ["ends-30", "ends-31", "expired"]),
        ({"scope": "sql"}, ["idle-90"]),
        ({"scope": "sq"}, []),
        ({"comment": "ci"}, ["idle-89", "ends-31"]),
        ({"comment": "(prod) 100%"}, ["idle-89"]),
        ({"comment": "ci*100%"}, ["idle-89"]),
        ({"comment": "c?"}, []),
        ({"owner": "*corp*", "scope": "all-apis"}, ["unused-90"]),
    ],
)
def test_each_filter_keeps_its_tokens(criteria, expected):
    assert kept(**criteria) == expected


def test_every_filter_has_a_case():
    marks = test_each_filter_keeps_its_tokens.pytestmark[0].args[1]
    assert {name for criteria, _ in marks for name in criteria} == {each.name for each in filters.FILTERS}


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({"owner": ["ann@example.com", "77"]}, ["idle-90", "idle-89", "expired"]),
        ({"owner": ("77", "*@corp.com")}, ["unused-90", "ends-30", "ends-31", "expired"]),
        ({"owner": pd.Series(["77", "nobody"])}, ["expired"]),
        ({"owner": [77]}, ["expired"]),
        ({"owner": []}, []),
        ({"status": ["active", "expired"]}, list(DOCUMENTS)),
        ({"scope": ["sql", "all-apis"]}, ["idle-90", "unused-90"]),
        ({"comment": ["ci", "=1"]}, ["idle-89", "unused-90", "ends-31"]),
        ({"idle": ["90d", "89d"]}, ["idle-90", "idle-89", "unused-90"]),
        ({"expires_in": ["30d", "31d"]}, ["idle-90", "idle-89", "unused-90", "ends-30", "ends-31"]),
        ({"never_expires": [True, False]}, list(DOCUMENTS)),
        ({"owner": ["ann@example.com", "bob.s@corp.com"], "scope": ["sql", "all-apis"]}, ["idle-90", "unused-90"]),
    ],
)
def test_several_values_of_a_filter_are_alternatives(criteria, expected):
    assert kept(**criteria) == expected


@pytest.mark.parametrize(
    "criteria",
    [
        {"idle": "90"},
        {"status": "actve"},
        {"nonsense": 1},
        {"idle": ["90d", "90"]},
        {"status": ["active", "actve"]},
        {"owner": {"name": "ann"}},
        {"owner": [None]},
        {"owner": ["ann", float("nan")]},
        {"owner": b"ann"},
        {"never_expires": "no"},
        {"owner": "\ud800"},
        {"comment": "\ud800"},
        {"owner": "a?" * 100_000},
    ],
)
def test_a_value_that_a_filter_cannot_take_is_a_usage_error(criteria):
    with pytest.raises(errors.UsageError):
        kept(**criteria)


@pytest.mark.parametrize(
    ("criteria", "why"),
    [
        ({"status": "expired", "expires_in": "10d"}, "an expired token has stopped working already"),
        ({"status": ["expired"], "expires_in": ["10d", "20d"]}, "an expired token has stopped working already"),
        ({"status": "expired", "never_expires": True}, "a token that never expires is not expired"),
    ],
)
def test_filters_that_no_token_can_match_are_a_usage_error(criteria, why):
    with pytest.raises(errors.UsageError, match=why):
        kept(**criteria)


def test_filters_that_seem_to_contradict_each_other_are_accepted_if_a_token_can_match_both():
    assert kept(never_expires=True, expires_in="30d") == ["idle-90", "idle-89", "unused-90"]  # by disuse
    assert kept(status=["active", "expired"], expires_in="0d") == ["idle-90", "unused-90"]
    assert kept(status="expired", never_expires=[True, False]) == ["expired"]
    assert kept(status="expired", never_expires=False) == ["expired"]


@pytest.mark.parametrize("name", ["owner", "created_by", "scope", "comment"])
def test_a_filter_takes_a_text_or_a_whole_number_that_is_not_empty(name):
    assert kept(**{name: "*"}) == kept(**{name: ["*", 5]})
    for given, message in (("", "The value of a filter is empty"), (1.5, "expected a text"), (None, "expected a text")):
        with pytest.raises(errors.UsageError, match=message):
            kept(**{name: [given]})


def test_filters_work_on_an_empty_listing():
    for filter_ in filters.FILTERS:
        value = {"status": "active", "idle": "1d", "expires_in": "1d", "never_expires": True}.get(filter_.name, "x")
        assert len(filters.matching(TOKENS.head(0), **{filter_.name: value})) == 0


def test_scopes_are_found_after_the_listing_was_cut_and_shuffled():
    shuffled = pd.concat([TOKENS.iloc[::-1], TOKENS]).sample(frac=1, random_state=1)
    assert set(filters.matching(shuffled, scope="clusters")["token_id"]) == {"idle-90"}


def names_unknown(criteria, *, principals=("eve@example.com", "5"), tokens=TOKENS, **settings):
    return " ".join(
        filters.unknown_names(criteria, tokens=lambda: tokens, principals=lambda: [*principals], **settings)
    )


@pytest.mark.parametrize(
    "criteria",
    [
        {"owner": "ANN@example.com"},
        {"owner": "Eve@Example.com"},
        {"owner": "5"},
        {"owner": 77},
        {"owner": "*nobody*"},
        {"owner": "nobod?"},
        {"owner": None},
        {"created_by": "root@example.com"},
        {"created_by": "EVE@example.com"},
        {"created_by": ["root@example.com", "9"]},
        {"scope": "nothing", "comment": "nothing"},
    ],
)
def test_users_service_principals_and_those_of_the_listing_are_known_in_any_case(criteria):
    assert names_unknown(criteria) == ""


@pytest.mark.parametrize(
    ("criteria", "near"),
    [
        ({"owner": "ann"}, "Unknown owner 'ann'.*Did you mean Ann@Example.com"),
        ({"owner": "eve"}, "Did you mean eve@example.com"),
        ({"owner": "bbo.s"}, "Did you mean bob.s@corp.com"),
        ({"owner": "bob.s@crop.com"}, "Did you mean bob.s@corp.com"),
        ({"owner": ["ann@example.com", "zzz"]}, "Unknown owner 'zzz'.*Known: "),
        ({"created_by": "ro0t@example.com"}, "Unknown creator 'ro0t@example.com'.*Did you mean root@example.com"),
    ],
)
def test_an_unknown_name_is_reported_with_similar_names(criteria, near):
    assert re.search(near, names_unknown(criteria))
    assert re.search(near, names_unknown(criteria, chosen=filters.matching(TOKENS, **criteria)))


def test_an_unknown_name_has_three_suggestions_at_the_most():
    listing = pd.DataFrame({"owner": [f"etl-{number}" for number in range(9)], "owner_id": range(9)})
    sentence = names_unknown({"owner": "etl"}, principals=(), tokens=listing)
    assert sentence.endswith("Did you mean etl-0 or etl-1 or etl-2?")


def test_nobody_is_suggested_whose_name_is_not_similar():
    everyone = [f"user.{number}@example.com" for number in range(99)]
    sentence = names_unknown({"owner": "nobody.here@example.com"}, principals=[*everyone, "bjorn.cohen@example.com"])
    assert re.search(r"no user, service principal or token has this name\. None of the 1\d\d known names", sentence)


def test_a_principal_without_tokens_is_not_a_misspelled_name():
    def said(names, **criteria):
        (sentence,) = filters.misspelt(TOKENS, criteria, lambda: names)
        return sentence

    known = ["ann.b@example.com"]
    assert said(known, owner="Ann.B@example.com") == (
        "No token has the owner 'Ann.B@example.com'. A user or service principal has this name."
    )
    gone = said(known, created_by="ann.bo@example.com")
    assert gone.startswith(
        "No token has the creator 'ann.bo@example.com', and no user or service principal has this name. "
    )
    assert gone.endswith("Did you mean ann.b@example.com?")
    assert said(None, owner="Anne@example.com") == (
        "No token has the owner 'Anne@example.com'. Did you mean Ann@Example.com?"
    )
    assert said(known, owner="x*").startswith("No token has the owner 'x*'. ")


def test_principals_are_requested_only_if_the_tokens_are_not_conclusive():
    def never():
        raise AssertionError

    criteria = {"owner": ["ann@example.com", "*x*"]}
    chosen = filters.matching(TOKENS, **criteria)
    assert filters.unknown_names(criteria, tokens=never, principals=never, chosen=chosen) == []
    assert filters.unknown_names({"owner": "77"}, tokens=lambda: TOKENS, principals=never, chosen=chosen) == []


def test_a_name_of_several_owners_is_ambiguous():
    listing = pd.DataFrame({"owner": ["etl", "ETL", "ann", None], "owner_id": [1, 2, 3, 4]})
    (sentence,) = filters.ambiguous_names({"owner": ["etl", "ann", "e*", "2"]}, lambda: listing)
    assert sentence == "The name 'etl' is shared by several owners. Use an id: 1, 2."


def test_a_name_of_several_creators_is_ambiguous_whichever_of_their_names_it_is():
    listing = pd.DataFrame(
        {
            "created_by_username": ["app-1", "app-2", "ann", "ann", "bob"],
            "created_by_id": pd.array([1, 2, 3, 4, 5], "Int64"),
            "creator's display name": ["etl", "ETL", None, None, None],
        }
    )
    several = filters.ambiguous_names({"created_by": ["etl", "ann", "app-1", "bob", "e*", "1"]}, lambda: listing)
    assert several == [
        "The name 'etl' is shared by several creators. Use an id: 1, 2.",
        "The name 'ann' is shared by several creators. Use an id: 3, 4.",
    ]


def test_a_service_principal_for_which_several_persons_created_tokens_is_one_creator():
    listing = pd.DataFrame(
        {
            "created_by_username": ["app-1", "app-1", "app-1", "app-2", "ann"],
            "created_by_id": pd.array([3, 4, 1, 3, 3], "Int64"),
            "creator's user name": ["ann", "bob", None, "ann", "ann"],
            "creator's display name": [None, None, "etl", None, None],
            "display name of the creator's name": ["etl", "etl", "etl", "other", None],
        }
    )
    criteria = {"created_by": ["etl", "app-1", "other", "ann", "bob"]}
    assert filters.ambiguous_names(criteria, lambda: listing) == []
    twins = listing.assign(**{"display name of the creator's name": ["etl", "etl", "etl", "ETL", None]})
    (sentence,) = filters.ambiguous_names(criteria, lambda: twins)
    assert sentence == "The name 'etl' is shared by several creators. Use an id: app-1, app-2."


def test_aliases_are_not_in_the_result():
    aliased = TOKENS.assign(**{alias: pd.Series("terraform", TOKENS.index, dtype=frames.TEXT) for alias in ALIASES})
    found = filters.matching(aliased, owner="terraform", created_by="TERRA*")
    pd.testing.assert_frame_equal(found, TOKENS)


def test_tokens_selected_by_an_ambiguous_name_are_not_changed():
    listing = pd.DataFrame({"token_id": list("abcd"), "owner": ["etl", "ETL", "ann", None], "owner_id": [1, 2, 3, 4]})
    chosen = filters.matching(listing, owner=["etl", "ann", "e*", "2"])
    for part in (chosen, chosen.head(1), chosen["token_id"]):
        with pytest.raises(errors.UsageError) as caught:
            filters.require_unambiguous(part)
        assert str(caught.value) == "The name 'etl' is shared by several owners. Use an id: 1, 2. Nothing was changed."
    for owner in ("e*", "2", "ann", ["1", "ann"], None):
        filters.require_unambiguous(filters.matching(listing, owner=owner))
    filters.require_unambiguous(["a token's id"])
    apart = filters.matching(listing.assign(workspace=["one", "other", "one", "one"]), owner="etl")
    filters.require_unambiguous(apart)
