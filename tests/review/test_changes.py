"""What differs between two listings, and why a token is gone: boundaries, and the same as a loop over rows."""

import datetime as dt

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenkit import frames
from tokenkit.core.redaction import redact
from tokenkit.review import changes

THEN = pd.Timestamp("2026-03-01 09:30", tz="UTC")
NOW = pd.Timestamp("2026-03-08 09:30", tz="UTC")
DAY = pd.Timedelta(days=1)
MS = pd.Timedelta(milliseconds=1)
SECRET = "dapi" + "0123456789abcdef" * 2
NOTHING_REVOKED = frames.frame([], changes.CHANGES)[["token_id", "run_id", "at"]].rename(columns={"at": "finished_at"})


def ms(moment):
    return -1 if moment is None else round(moment.timestamp() * 1000)


def listing(*tokens):
    """A listing of tokens that are all alike but for what is said of them."""
    ordinary = {"owner_id": 7, "comment": "export", "creation_time": ms(THEN - 10 * DAY), "expiry_time": -1}
    return frames.frame([{"token_id": f"{n:02}"} | ordinary | token for n, token in enumerate(tokens)], frames.TOKENS)


def between(before, after, **settings):
    return changes.between(before, after, after_at=NOW, **{"revoked": NOTHING_REVOKED} | settings)


def gone(**token):
    (row,) = between(listing(token), listing()).to_dict("records")
    assert row["change"] == "removed"
    return row


CAUSES = [
    # expiry, last use, cause, since when
    (None, THEN, "revoked_externally", None),
    (THEN - DAY, THEN, "expired", THEN - DAY),  # listed though expired, swept since
    (THEN, THEN, "expired", THEN),
    (THEN + DAY, THEN, "expired", THEN + DAY),
    (NOW - MS, THEN, "expired", NOW - MS),
    (NOW, THEN, "expired", NOW),
    (NOW + MS, THEN, "revoked_externally", None),
    (None, NOW - 90 * DAY - MS, "unused_90_days", NOW - MS),
    (None, NOW - 90 * DAY, "unused_90_days", NOW),
    (None, NOW - 90 * DAY + MS, "revoked_externally", None),
    # Both: whichever came first, and on the same moment the one that was written down.
    (NOW - 2 * DAY, NOW - 91 * DAY, "expired", NOW - 2 * DAY),
    (NOW - DAY, NOW - 91 * DAY, "expired", NOW - DAY),
    (NOW - DAY, NOW - 92 * DAY, "unused_90_days", NOW - 2 * DAY),
    (NOW + DAY, NOW - 91 * DAY, "unused_90_days", NOW - DAY),
    (pd.Timestamp("9999-12-31", tz="UTC").as_unit("ms"), THEN, "revoked_externally", None),
]


@pytest.mark.parametrize(("expiry", "used", "cause", "at"), CAUSES)
def test_the_cause_of_a_removed_token(expiry, used, cause, at):
    made = NOW - 400 * DAY
    row = gone(creation_time=ms(made), expiry_time=ms(expiry), last_used_day=ms(used))
    assert row["cause"] == cause
    assert pd.isna(row["at"]) if at is None else row["at"] == at


@pytest.mark.parametrize(("age", "cause"), [(89, "revoked_externally"), (90, "unused_90_days")])
def test_a_token_that_was_never_used_is_idle_since_it_was_made(age, cause):
    assert gone(creation_time=ms(NOW - age * DAY))["cause"] == cause


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
def test_the_zone_of_the_moment_does_not_matter(zone):
    before = listing({"expiry_time": ms(NOW)}, {"expiry_time": ms(NOW + MS)})
    found = changes.between(before, listing(), after_at=NOW.tz_convert(zone), revoked=NOTHING_REVOKED)
    assert found["cause"].tolist() == ["expired", "revoked_externally"]


def test_the_journal_takes_precedence_over_other_causes():
    before = listing({}, {"expiry_time": ms(THEN + DAY)}, {"last_used_day": ms(NOW - 100 * DAY)}, {})
    rows = [("00", "run-1", NOW - DAY), ("01", "run-1", NOW - DAY), ("02", "run-2", NOW), ("other", "run-2", NOW)]
    revoked = pd.DataFrame(rows, columns=["token_id", "run_id", "finished_at"])
    found = between(before, listing(), revoked=revoked)
    assert found["cause"].tolist() == ["revoked_by_tokenkit"] * 3 + ["revoked_externally"]
    assert found["run_id"].tolist()[:3] == ["run-1", "run-1", "run-2"]
    assert found["at"].tolist()[:3] == [NOW - DAY, NOW - DAY, NOW]
    assert pd.isna(found["run_id"].iloc[3])


def test_of_two_runs_that_took_a_token_the_later_one_counts():
    rows = [("00", "run-1", NOW - DAY), ("00", "run-2", NOW)]
    revoked = pd.DataFrame(rows, columns=["token_id", "run_id", "finished_at"])
    (row,) = between(listing({}), listing(), revoked=revoked).to_dict("records")
    assert (row["cause"], row["run_id"], row["at"]) == ("revoked_by_tokenkit", "run-2", NOW)


def test_without_a_journal_the_cause_is_only_revoked():
    found = between(listing({}, {"expiry_time": ms(NOW - DAY)}), listing(), revoked=None)
    assert found["cause"].tolist() == ["revoked", "expired"]
    assert found["at"].tolist() == [pd.NaT, NOW - DAY]


def test_every_kind_of_change_is_one_row():
    before = listing({"scopes": ["sql", "jobs"]}, {"owner_id": 1}, {}, {"comment": "old"}, {})
    made = {"token_id": "new", "creation_time": ms(NOW - DAY)}
    used = {"last_used_day": ms(NOW.normalize())}
    after = listing({"scopes": ["sql"]}, {"owner_id": 2}, used, {"comment": "new"}, made)
    found = between(before, after)
    assert found[["token_id", "change"]].to_numpy().tolist() == [
        ["new", "created"],
        ["04", "removed"],
        ["01", "owner_changed"],
        ["00", "scopes_changed"],
        ["03", "comment_changed"],
        ["02", "first_used"],
    ]
    assert found["before"].iloc[2:5].tolist() == ["1", "jobs sql", "old"]
    assert found["after"].iloc[2:].tolist() == ["2", "sql", "new", "2026-03-08"]
    assert found["at"].iloc[[0, 5]].tolist() == [NOW - DAY, NOW.normalize()]
    assert found["at"].iloc[1:5].isna().all()
    assert found["owner"].tolist() == ["7", "7", "2", "7", "7", "7"]
    assert found["comment"].tolist() == ["export", "export", "export", "export", "new", "export"]


def test_owners_are_named_where_the_listing_names_them():
    before, after = listing({"owner_id": 1}).assign(owner="ann"), listing({"owner_id": 2}).assign(owner="bob")
    (row,) = between(before, after).to_dict("records")
    assert (row["owner"], row["before"], row["after"]) == ("bob", "ann", "bob")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"scopes": ["sql", "jobs"]}, {"scopes": ["jobs", "sql"]}),
        ({"scopes": []}, {}),
        ({"comment": ""}, {"comment": None}),
        ({"owner_id": None}, {"owner_id": 3}),
        ({"last_used_day": ms(THEN)}, {"last_used_day": ms(NOW)}),
        ({"comment": f"x {SECRET}"}, {"comment": "x [redacted]"}),
    ],
    ids=[
        "order of scopes",
        "no scopes",
        "no comment",
        "owner not said",
        "used again",
        "redacted by a snapshot",
    ],
)
def test_equivalent_values_are_not_a_change(before, after):
    assert len(between(listing(before), listing(after))) == 0
    assert len(between(listing(after), listing(before))) == 0


def test_no_secret_of_a_comment_is_shown():
    before = listing({"comment": f"old {SECRET}"}, {"comment": f"gone {SECRET}"})
    after = listing({"comment": f"new {SECRET}"}).assign(token_id=["00"])
    found = between(before, after)
    assert SECRET not in found.to_csv()
    assert found["before"].tolist()[1] == "old [redacted]"


@pytest.mark.parametrize(("before", "after"), [((), ()), (({},), ({},)), (({},), ()), ((), ({},))])
def test_the_columns_and_dtypes_are_always_the_same(before, after):
    found = between(listing(*before), listing(*after))
    pd.testing.assert_series_equal(found.dtypes, frames.frame([], changes.CHANGES).dtypes)


MOMENTS = st.sampled_from([None, *(NOW + n * DAY for n in (-200, -100, -91, -90, -89, -30, -8, -7, -1, 0, 1, 500))])
TOKEN = st.fixed_dictionaries(
    {
        "owner_id": st.sampled_from([None, 1, 2]),
        "comment": st.sampled_from([None, "", "a", "b", f"a {SECRET}", "a [redacted]"]),
        "creation_time": st.sampled_from([NOW - n * DAY for n in (0, 1, 89, 90, 91, 300)]).map(ms),
        "expiry_time": MOMENTS.map(ms),
        "last_used_day": MOMENTS.map(ms),
        "scopes": st.sampled_from([None, [], ["a"], ["b", "a"], ["a", "b"]]),
    }
)
LISTINGS = st.dictionaries(st.sampled_from("abcdef"), TOKEN)


def by_hand(before, after, revoked):
    """The changes as a loop over tokens would find them."""
    found = set()
    for token_id in {*before, *after}:
        was, now = before.get(token_id), after.get(token_id)
        if was is None:
            found.add((token_id, "created", None))
        elif now is None:
            found.add((token_id, "removed", cause_by_hand(was, revoked.get(token_id))))
        else:
            if None not in (was["owner_id"], now["owner_id"]) and was["owner_id"] != now["owner_id"]:
                found.add((token_id, "owner_changed", None))
            if set(was["scopes"] or ()) != set(now["scopes"] or ()):
                found.add((token_id, "scopes_changed", None))
            if redact(was["comment"] or "") != redact(now["comment"] or ""):
                found.add((token_id, "comment_changed", None))
            if was["last_used_day"] < 0 <= now["last_used_day"]:
                found.add((token_id, "first_used", None))
    return found


def cause_by_hand(token, run_id):
    if run_id:
        return "revoked_by_tokenkit"
    used, created, day = token["last_used_day"], token["creation_time"], 86_400_000
    # Used before the day of its creation: an error in the data, which says nothing of its use.
    ends = [] if 0 < used < created - created % day else [(max(used, created) + 90 * day, "unused_90_days")]
    if token["expiry_time"] >= 0:
        ends.insert(0, (token["expiry_time"], "expired"))
    end, cause = min(ends, key=lambda each: each[0], default=(ms(NOW) + 1, None))
    return cause if end <= ms(NOW) else "revoked_externally"


@settings(deadline=dt.timedelta(seconds=20))
@given(before=LISTINGS, after=LISTINGS, revoked=st.dictionaries(st.sampled_from("abcdef"), st.just("run"), max_size=2))
def test_the_changes_are_those_that_a_loop_over_tokens_finds(before, after, revoked):
    ours = pd.DataFrame(
        {"token_id": [*revoked], "run_id": [*revoked.values()], "finished_at": pd.Series([NOW] * len(revoked))}
    )
    as_frames = [
        frames.frame([{"token_id": token_id} | token for token_id, token in each.items()], frames.TOKENS)
        for each in (before, after)
    ]
    found = between(*as_frames, revoked=ours.astype({"token_id": frames.TEXT, "run_id": frames.TEXT}))
    rows = (
        found[["token_id", "change", "cause"]]
        .astype(object)
        .where(found[["token_id", "change", "cause"]].notna(), None)
    )
    assert {tuple(row) for row in rows.to_numpy().tolist()} == by_hand(before, after, revoked)
    assert not found.duplicated(["token_id", "change"]).any()
