"""Counts for charts: every token in one bin, on the boundary too."""

import pandas as pd
import pytest

from tokenkit import frames
from tokenkit.review import distributions
from tokenkit.review.lifecycle import with_lifecycle

NOW = pd.Timestamp("2026-03-04 09:30", tz="UTC")  # a Wednesday
MONDAY = pd.Timestamp("2026-03-02", tz="UTC")
DAY = pd.Timedelta(days=1)


def ms(moment):
    return int(moment.timestamp() * 1000)


def listing(*documents, now=NOW):
    defaults = {"creation_time": ms(NOW - DAY), "last_used_day": ms(NOW.normalize()), "expiry_time": -1}
    return with_lifecycle(frames.frame([defaults | each for each in documents], frames.TOKENS), now=now)


def week_of(document, now=NOW):
    counts = distributions.ends_by_week(listing(document, now=now), now=now)
    return [(str(week.date()), name) for name in counts for week in counts.index[counts[name] > 0]]


@pytest.mark.parametrize(
    ("ends", "week"),
    [
        (NOW + pd.Timedelta(milliseconds=1), "2026-03-02"),
        (MONDAY + 7 * DAY - pd.Timedelta(milliseconds=1), "2026-03-02"),
        (MONDAY + 7 * DAY, "2026-03-09"),
        (MONDAY + 26 * 7 * DAY - pd.Timedelta(milliseconds=1), "2026-08-24"),
    ],
)
def test_a_token_in_use_ends_in_the_week_of_its_expiry(ends, week):
    assert week_of({"expiry_time": ms(ends)}) == [(week, "expires")]


@pytest.mark.parametrize("expiry", [ms(MONDAY + 26 * 7 * DAY), -1, 253402300799999, ms(NOW)])
def test_tokens_that_end_later_or_never_or_ended_are_in_no_week(expiry):
    assert week_of({"expiry_time": expiry}) == []


@pytest.mark.parametrize(
    ("idle_days", "expected"),
    [
        (29, []),  # in use: nobody expects it to be revoked
        (31, [("2026-04-27", "unused")]),
        (89, [("2026-03-02", "unused")]),
        (95, [("2026-03-02", "unused")]),  # overdue
    ],
)
def test_a_token_unused_for_a_month_ends_when_the_platform_revokes_it(idle_days, expected):
    old = {"creation_time": ms(NOW - 400 * DAY), "last_used_day": ms((NOW - idle_days * DAY).normalize())}
    assert week_of(old) == expected


def test_the_earlier_of_expiry_and_revocation_counts():
    idle = {"creation_time": ms(NOW - 400 * DAY), "last_used_day": ms((NOW - 60 * DAY).normalize())}
    assert week_of(idle | {"expiry_time": ms(NOW + 10 * DAY)}) == [("2026-03-09", "expires")]
    assert week_of(idle | {"expiry_time": ms(NOW + 100 * DAY)}) == [("2026-03-30", "unused")]


def test_weeks_are_the_same_for_a_clock_of_another_zone():
    late_sunday = pd.Timestamp("2026-03-08 23:30", tz="America/Los_Angeles")  # a Monday in UTC
    assert distributions.ends_by_week(listing(), now=late_sunday).index[0] == MONDAY + 7 * DAY


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (0, "under 30 d"),
        (29.99, "under 30 d"),
        (30, "30-90 d"),
        (89.99, "30-90 d"),
        (90, "90-180 d"),
        (179.99, "90-180 d"),
        (180, "180-365 d"),
        (364.99, "180-365 d"),
        (365, "1-2 years"),
        (729.99, "1-2 years"),
        (730, "2 years +"),
    ],
)
def test_an_age_is_in_the_bin_that_begins_with_it(days, words):
    counts = distributions.by_age(listing({"creation_time": ms(NOW - days * DAY)}))
    assert counts.loc[words, "never expires"] == counts.to_numpy().sum() == 1


@pytest.mark.parametrize(
    ("days", "label"),
    [
        (6.99, "under 7 d"),
        (7, "7-30 d"),
        (29.99, "7-30 d"),
        (30, "30-60 d"),
        (59.99, "30-60 d"),
        (60, "60-90 d"),
        (89.99, "60-90 d"),
        (90, "90 d +"),
    ],
)
def test_an_idle_time_is_in_the_bin_that_begins_with_it(days, label):
    counts = distributions.by_idle_time(listing({"creation_time": ms(NOW - days * DAY), "last_used_day": None}))
    assert counts.loc[label, "never used"] == counts.to_numpy().sum() == 1


@pytest.mark.parametrize(("idle_days", "weeks"), [(29.99, []), (30, [("2026-04-27", "unused")])])
def test_a_token_is_no_longer_in_use_from_the_thirtieth_day_on(idle_days, weeks):
    assert week_of({"creation_time": ms(NOW - idle_days * DAY), "last_used_day": None}) == weeks


def test_there_are_26_weeks_from_this_one_on():
    weeks = distributions.ends_by_week(listing(), now=NOW).index
    assert weeks.tolist() == [MONDAY + 7 * n * DAY for n in range(26)]


def test_a_token_never_used_is_idle_since_it_was_made():
    made = {"creation_time": ms(NOW - 60 * DAY)}
    counts = distributions.by_idle_time(listing(made | {"last_used_day": None}, made))
    assert counts.loc["60-90 d"].to_dict() == {"used before": 0, "never used": 1}
    assert counts.loc["under 7 d"].to_dict() == {"used before": 1, "never used": 0}


def test_expired_tokens_and_unknown_times_are_not_counted():
    tokens = listing({"expiry_time": ms(NOW - DAY)}, {"creation_time": None, "last_used_day": None})
    assert distributions.by_age(tokens).to_numpy().sum() == 0
    assert distributions.by_idle_time(tokens).to_numpy().sum() == 0


def test_owners_are_sorted_by_their_worst_findings():
    findings = pd.DataFrame(
        {"owner": ["a", "b", "b", "c", "c", None], "severity": ["high", "medium", "low", "high", "low", "high"]}
    )
    counts = distributions.by_owner(findings)
    assert [*counts.itertuples(name=None)] == [("c", 1, 0, 1), ("a", 1, 0, 0), ("b", 0, 1, 1)]


def test_nothing_gives_the_same_bins_with_zeros():
    empty, one = listing(), listing({})
    for count in (distributions.by_age, distributions.by_idle_time):
        assert count(empty).index.equals(count(one).index)
        assert not count(empty).to_numpy().any()
    assert distributions.by_owner(pd.DataFrame({"owner": [], "severity": []})).columns.tolist() == [
        "high",
        "medium",
        "low",
    ]
