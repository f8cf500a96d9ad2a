"""Ages, ends and statuses, on the boundary, with a clock that stands still."""

import pandas as pd
import pytest

from tokenkit import frames
from tokenkit.review import lifecycle

NOW = pd.Timestamp("2026-03-01 09:30", tz="UTC")
DAY = pd.Timedelta(days=1)


def ms(moment):
    return int(pd.Timestamp(moment).tz_convert("UTC").timestamp() * 1000)


def token(created="2026-01-01 00:00+00:00", expires=None, used=None):
    document = {"creation_time": ms(created), "expiry_time": -1 if expires is None else ms(expires)}
    return document | ({} if used is None else {"last_used_day": ms(used)})


def derived(*documents, now=NOW):
    return lifecycle.with_lifecycle(frames.frame(documents, frames.TOKENS), now=now)


@pytest.mark.parametrize(
    ("expires", "status"),
    [(NOW, "expired"), (NOW - DAY, "expired"), (NOW + pd.Timedelta(milliseconds=1), "active"), (None, "active")],
)
def test_a_token_is_expired_from_the_moment_of_its_expiry_on(expires, status):
    assert derived(token(expires=expires))["status"].tolist() == [status]


def test_never_is_never_and_has_no_days():
    row = derived(token(expires=None)).iloc[0]
    assert row.never_expires
    assert pd.isna(row.lifetime_days)
    assert pd.isna(row.expires_in_days)


def test_days_are_counted_from_creation_to_expiry_and_from_now():
    row = derived(
        token(created="2026-02-01 09:30+00:00", expires="2026-03-03 09:30+00:00", used="2026-02-27 00:00+00:00")
    ).iloc[0]
    assert (row.age_days, row.lifetime_days, row.expires_in_days) == (28, 30, 2)
    assert row.idle_days == 2 + 9.5 / 24


def test_the_days_to_the_year_9999_do_not_overflow():
    row = derived(token(created="2026-03-01 09:30+00:00", expires="9999-12-31 09:30+00:00")).iloc[0]
    assert row.lifetime_days == row.expires_in_days == 2_912_383
    assert row.effective_end == pd.Timestamp("2026-03-01 09:30+00:00") + 90 * DAY


def test_an_expired_token_has_negative_days_left():
    assert derived(token(expires=NOW - 3 * DAY))["expires_in_days"].tolist() == [-3]


def test_a_use_before_the_day_of_creation_is_an_error_in_the_data_and_no_idle_token(caplog):
    days = derived(
        token(created="2026-02-01 09:30+00:00", used="2026-01-31 00:00+00:00"),
        token(created="2026-02-01 09:30+00:00", used="2026-02-01 00:00+00:00", expires="2026-05-01 00:00+00:00"),
        token(created="2026-02-01 09:30+00:00", used="1974-06-01 00:00+00:00", expires="2026-06-01 00:00+00:00"),
    )
    assert days["idle_days"].isna().tolist() == [True, False, True]
    assert days["effective_end"].isna().tolist() == [True, False, False]
    assert days["effective_end"].iloc[2] == pd.Timestamp("2026-06-01", tz="UTC")
    assert "2 of 3 tokens have a last_used_day before their creation" in caplog.text
    caplog.clear()
    derived(token(), token(used="2026-01-01 00:00+00:00"))
    assert caplog.text == ""


def test_a_time_after_the_current_one_is_no_negative_number_of_days_and_said_once(caplog):
    tokens = [
        token(created=NOW + 3 * DAY, expires=NOW + 5 * DAY),
        token(created=NOW - 3 * DAY, used=(NOW + 2 * DAY).floor("D")),
        token(created=NOW + pd.Timedelta(minutes=9)),  # clocks differ a little
        token(created=NOW - 3 * DAY),
    ]
    days = derived(*tokens)
    assert caplog.text == ""  # the time may be given on purpose
    for _ in range(2):
        lifecycle.check_clock(frames.frame(tokens, frames.TOKENS), now=NOW)
    assert days["age_days"].tolist() == [0, 3, 0, 3]
    assert days["idle_days"].tolist() == [0, 0, 0, 3]
    assert days["expires_in_days"].iloc[0] == 5
    assert len(caplog.records) == 1
    assert "2 of 4 tokens were created or used after the current time (2026-03-01 09:30 UTC)" in caplog.text


def test_idle_time_runs_from_creation_where_there_was_no_use():
    assert derived(token(created=NOW - 10 * DAY))["idle_days"].tolist() == [10]


def test_a_use_on_the_day_of_creation_is_not_before_it():
    made = "2026-02-20 18:00+00:00"
    assert lifecycle.last_seen(derived(token(created=made, used="2026-02-20 00:00+00:00"))).tolist() == [
        pd.Timestamp(made)
    ]


@pytest.mark.parametrize(
    ("document", "end"),
    [
        (token(created="2026-01-01 00:00+00:00"), pd.Timestamp("2026-01-01 00:00+00:00") + 90 * DAY),
        (token(used="2026-02-01 00:00+00:00"), pd.Timestamp("2026-02-01 00:00+00:00") + 90 * DAY),
        (
            token(used="2026-02-01 00:00+00:00", expires="2026-02-10 00:00+00:00"),
            pd.Timestamp("2026-02-10 00:00+00:00"),
        ),
        (
            token(used="2026-02-01 00:00+00:00", expires="9999-12-31 00:00+00:00"),
            pd.Timestamp("2026-02-01 00:00+00:00") + 90 * DAY,
        ),
        ({"expiry_time": ms("2026-05-01 00:00+00:00")}, pd.Timestamp("2026-05-01 00:00+00:00")),
    ],
    ids=["never used", "used", "expires first", "idle first", "only the expiry is known"],
)
def test_the_effective_end_is_the_earlier_of_expiry_and_idleness(document, end):
    assert derived(document)["effective_end"].tolist() == [end]


def test_unknown_times_have_unknown_results():
    row = derived({}).iloc[0]
    assert row.status == "active"
    assert row[["age_days", "idle_days", "lifetime_days", "effective_end"]].isna().all()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/St_Johns"])
def test_the_zone_of_the_clock_changes_nothing(zone):
    documents = [token(expires=NOW), token(used="2026-02-01 00:00+00:00"), token(expires="2026-05-01 00:00+00:00")]
    pd.testing.assert_frame_equal(derived(*documents, now=NOW.tz_convert(zone)), derived(*documents))


def test_the_listing_itself_is_not_changed_and_an_empty_one_gets_the_same_dtypes():
    listing = frames.frame([token()], frames.TOKENS)
    before = listing.copy(deep=True)
    full = lifecycle.with_lifecycle(listing, now=NOW)
    pd.testing.assert_frame_equal(listing, before)
    pd.testing.assert_series_equal(derived().dtypes, full.dtypes)


def test_each_token_can_have_its_own_reference_time():
    documents = [token(expires=NOW + 6 * DAY, used=NOW)] * 3
    moments = [NOW + days * DAY for days in (1, 5, 9)]
    together = derived(*documents, now=pd.Series(moments, index=[7, 7, 8]))
    apart = [derived(documents[0], now=moment) for moment in moments]
    pd.testing.assert_frame_equal(together, frames.concat(apart))
    assert together["status"].tolist() == ["active", "active", "expired"]


def test_a_token_ends_by_expiry_or_by_disuse_whichever_is_earlier():
    tokens = derived(
        token(created="2026-02-01 00:00+00:00", expires="2026-03-10 00:00+00:00"),
        token(created="2026-02-01 00:00+00:00", expires="2027-03-10 00:00+00:00"),
        token(created="2026-02-01 00:00+00:00"),
        token(created="2026-02-01 00:00+00:00", used="2026-01-01 00:00+00:00"),
    )
    assert lifecycle.ends_by(tokens).fillna("").tolist() == ["expiry", "disuse", "disuse", ""]
    assert lifecycle.ends_by_disuse(tokens).tolist() == [False, True, True, False]
    left = lifecycle.days_left(tokens)
    assert left.iloc[:3].tolist() == pytest.approx(
        [(pd.Timestamp("2026-03-10", tz="UTC") - NOW) / DAY]
        + [90 - (NOW - pd.Timestamp("2026-02-01", tz="UTC")) / DAY] * 2
    )
    assert pd.isna(left.iloc[3])
