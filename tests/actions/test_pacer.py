"""The pacer against a token bucket, in time that is only counted: few refusals, most of the limit used."""

import heapq
import itertools
import random

import pytest

from tokenkit.actions.pacer import Pacer, Permit

TOKENS = 600
LATENCY_SECONDS = 0.05


class Bucket:
    """A workspace's limit: so many requests a second, so many at once."""

    def __init__(self, per_second, burst):
        self.per_second, self.burst = per_second, burst
        self.left, self.at = float(burst), 0.0

    def lets_through(self, now):
        self.left = min(self.burst, self.left + (now - self.at) * self.per_second)
        self.at = now
        if self.left < 1 - 1e-9:
            return False
        self.left -= 1
        return True


def simulated(bucket, *, workers, tokens=TOKENS, latency=LATENCY_SECONDS, delay=lambda: 0.0):
    """Revoke tokens through a pacer; return the seconds it took and how often it was throttled."""
    pacer, numbers, events, done, throttled = Pacer(workers=workers), itertools.count(), [], 0, 0
    waiting = [(0.0, number) for number in range(tokens)]

    def happen(at, what, *more):
        heapq.heappush(events, (at, next(numbers), what, *more))

    def hand_out(now):
        while waiting:
            leave = pacer.permit(now, remaining=len(waiting)) if waiting[0][0] <= now else waiting[0][0]
            if leave is None:
                return
            if not isinstance(leave, Permit):
                happen(leave, "turn", None, None)
                return
            happen(now + latency / 2 + delay(), "arrives", heapq.heappop(waiting)[1], leave)

    hand_out(0.0)
    now = 0.0
    while done < tokens:
        now, _, what, token, permit = heapq.heappop(events)
        if what == "arrives":
            let = bucket is None or bucket.lets_through(now)
            happen(now + latency / 2, "responded" if let else "throttled", token, permit)
            continue
        if what == "responded":
            done += 1
            pacer.responded(permit, now)
        elif what == "throttled":
            throttled += 1
            pacer.throttled(permit, now)
            heapq.heappush(waiting, (now + 1, token))
        hand_out(now)
    return now, throttled


@pytest.mark.parametrize("workers", [16, 64])
@pytest.mark.parametrize("burst", [1, 5, 30])
@pytest.mark.parametrize("per_second", [7, 30, 100])
def test_most_of_the_limit_is_used_with_few_throttled_requests(per_second, burst, workers):
    seconds, throttled = simulated(Bucket(per_second, burst), workers=workers)
    assert TOKENS / per_second / seconds >= (0.75 if burst == 1 else 0.9)
    assert throttled <= 0.05 * (TOKENS + throttled)


@pytest.mark.parametrize("seed", range(5))
def test_a_request_that_meets_the_next_one_does_not_slow_the_rest(seed):
    rng = random.Random(seed)  # noqa: S311 - a delay is no secret
    late = lambda: rng.expovariate(1 / 0.0005) + (0.008 if rng.random() < 0.02 else 0)  # noqa: E731
    seconds, throttled = simulated(Bucket(30, 1), workers=16, delay=late)
    assert TOKENS / 30 / seconds >= 0.75
    assert throttled <= 0.05 * (TOKENS + throttled)


def test_a_few_429s_after_the_search_are_ignored_and_more_are_not():
    pacer, now = Pacer(workers=16), 0.0

    def send(count, tell):
        nonlocal now
        for _ in range(count):
            leave = pacer.permit(now)
            while not isinstance(leave, Permit):
                now = leave
                leave = pacer.permit(now)
            tell(leave, now + LATENCY_SECONDS)

    opening = [pacer.permit(now) for _ in range(3)]
    for permit in opening:
        pacer.throttled(permit, LATENCY_SECONDS)
    while pacer.requests_per_second < 100:
        send(1, pacer.responded)
    send(1, pacer.throttled)  # the search is over
    send(120, pacer.responded)
    rate = pacer.requests_per_second
    send(1, pacer.throttled)
    assert pacer.requests_per_second >= rate
    send(5, pacer.throttled)
    assert pacer.requests_per_second < 0.95 * rate


@pytest.mark.parametrize(("workers", "times"), [(16, 14), (64, 50)])
def test_without_a_limit_the_workers_are_soon_all_busy(workers, times):
    seconds, throttled = simulated(None, workers=workers, tokens=3200)
    assert throttled == 0
    assert 3200 * LATENCY_SECONDS / seconds >= times


@pytest.mark.parametrize("per_second", [1, 2])
def test_a_slow_limit_is_found_as_well(per_second):
    seconds, _ = simulated(Bucket(per_second, 5), workers=16, tokens=200)
    assert 200 / per_second / seconds >= 0.8


def test_a_limit_that_changes_half_way_is_followed():
    class Changing(Bucket):
        def lets_through(self, now):
            self.per_second = 50 if now < 4 else 10
            return super().lets_through(now)

    seconds, throttled = simulated(Changing(50, 5), workers=16)
    ideal = 4 + (TOKENS - 200) / 10
    assert ideal / seconds >= 0.85
    assert throttled <= 0.1 * TOKENS


def test_429s_for_requests_sent_before_the_last_change_change_nothing():
    pacer = Pacer(workers=8)
    permits = [pacer.permit(0.0) for _ in range(2)]
    pacer.throttled(permits[0], 0.05)
    rate = pacer.requests_per_second
    pacer.throttled(permits[1], 0.06)
    assert pacer.requests_per_second == rate


def test_a_lost_response_frees_its_permit_and_says_nothing_about_the_limit():
    pacer = Pacer(workers=1)
    assert isinstance(pacer.permit(0.0), Permit)
    assert pacer.permit(0.0) is None
    pacer.lost()
    assert isinstance(pacer.permit(0.0), Permit)
    assert pacer.requests_per_second is None


@pytest.mark.parametrize("late_seconds", [0.002, 0.009, 0.5])
def test_after_a_late_request_the_next_one_keeps_its_distance(late_seconds):
    pacer = Pacer(workers=8)
    pacer.throttled(pacer.permit(0.0), 0.05)
    at = pacer.permit(0.05)
    assert isinstance(pacer.permit(at + late_seconds), Permit)
    following = pacer.permit(at + late_seconds + 0.001)
    assert following == pytest.approx(at + late_seconds + 1 / pacer.requests_per_second)


def test_the_requests_of_the_last_second_keep_more_distance():
    def distance(left):
        pacer = Pacer(workers=16)
        pacer.throttled(pacer.permit(0.0), 0.05)
        at = pacer.permit(0.05, remaining=left)
        assert isinstance(pacer.permit(at, remaining=left), Permit)
        return pacer.permit(at, remaining=left) - at, pacer.requests_per_second

    usual, rate = distance(left=1_000)
    assert usual == pytest.approx(1 / rate)
    assert distance(left=rate)[0] == pytest.approx(usual)  # it takes a second from here
    assert distance(left=rate - 1)[0] == pytest.approx(1.1 * usual)


def test_a_pacer_shows_how_many_requests_are_at_once_and_then_its_rate():
    pacer = Pacer(workers=16)
    assert repr(pacer) == "<Pacer, 4 at once>"
    pacer.throttled(pacer.permit(0.0), 0.05)
    assert repr(pacer) == "<Pacer, 50.0 a second>"


def searching(*, workers=16):
    """Return a pacer whose first request was throttled at time 0, and had no round trip."""
    pacer = Pacer(workers=workers)
    pacer.throttled(pacer.permit(0.0), 0.0)
    return pacer


def permits(pacer, count, now):
    """Return permits that follow each other as fast as they may, and the time of the last."""
    found = []
    while len(found) < count:
        permit = pacer.permit(now)
        if isinstance(permit, Permit):
            found.append(permit)
        else:
            now = permit
    return found, now


def answered(pacer, count, *, at, now=0.0):
    """Send requests from ``now`` on, all of which are answered at once, at a later time."""
    sent, last = permits(pacer, count, now)
    assert last <= at
    for permit in sent:
        pacer.responded(permit, at)


def test_the_opening_grows_by_two_fifths_of_a_request_with_each_response_up_to_the_workers():
    pacer = Pacer(workers=6)
    at_once = []
    for _ in range(8):
        in_flight = [*iter(lambda: pacer.permit(0.0), None)]
        at_once.append(len(in_flight))
        for _ in in_flight[1:]:
            pacer.lost()
        pacer.responded(in_flight[0], 0.1)
    assert at_once == [4, 4, 4, 5, 5, 6, 6, 6]
    assert repr(pacer) == "<Pacer, 6 at once>"
    few = Pacer(workers=2)
    assert len([*iter(lambda: few.permit(0.0), None)]) == 2


def test_the_search_begins_at_50_falls_by_three_fifths_and_pauses_for_a_round_trip():
    pacer = Pacer(workers=16)
    pacer.throttled(pacer.permit(0.0), 0.1)
    assert pacer.requests_per_second == 50
    assert pacer.permit(0.1) == pytest.approx(0.2)  # 0.1 for the requests in flight
    permit = pacer.permit(0.2)
    assert pacer.permit(0.2) == pytest.approx(0.22)
    pacer.throttled(permit, 0.25)
    assert pacer.requests_per_second == pytest.approx(20)
    assert pacer.permit(0.25) == pytest.approx(0.25 + 0.09)  # the mean of round trips follows the last by a fifth
    pacer.responded(pacer.permit(0.34), 0.41)
    pacer.throttled(pacer.permit(0.41), 0.45)
    assert pacer.requests_per_second == pytest.approx(8)
    assert pacer.permit(0.45) == pytest.approx(0.45 + 1 / 8)  # longer than a round trip
    for rate in (3.2, 2, 2):
        (permit,), now = permits(pacer, 1, 0.45)
        pacer.throttled(permit, now)
        assert pacer.requests_per_second == pytest.approx(rate)


@pytest.mark.parametrize(("answers", "at", "rate"), [(4, 0.2, 100), (3, 0.2, 50), (4, 0.1999, 50)])
def test_the_search_doubles_after_a_while_with_enough_responses(answers, at, rate):
    pacer = searching()
    answered(pacer, answers, at=0.15)
    pacer.permit(at)
    assert pacer.requests_per_second == rate


@pytest.mark.parametrize(("throttled", "answers", "rate"), [(2, 1, 8), (2, 2, 16), (4, 1, 4)])
def test_a_slow_search_needs_fewer_responses_to_double(throttled, answers, rate):
    pacer, now = searching(), 0.0
    for _ in range(throttled):
        (permit,), now = permits(pacer, 1, now)
        pacer.throttled(permit, now)
    answered(pacer, answers, now=now, at=now + 0.6)
    pacer.permit(now + 0.7)
    assert pacer.requests_per_second == pytest.approx(rate)


@pytest.mark.parametrize(
    ("answers", "rate"),
    [
        (3, 20),  # not below the limit yet
        (4, 37.5),  # 4 responses in an eighth of a second measure less than three quarters of the rate
        (5, 0.955 * 5 * 8),
        (8, 0.955 * 50),  # with those of the opening, more than the rate
    ],
)
def test_the_search_ends_at_a_429_after_enough_responses_with_what_they_measure(answers, rate):
    pacer = Pacer(workers=16)
    throttled, *opening = (pacer.permit(0.0) for _ in range(4))
    pacer.throttled(throttled, 0.0)
    for permit in opening if answers == 8 else ():
        pacer.responded(permit, 0.1)
    answered(pacer, min(answers, 5), at=0.11)
    pacer.throttled(pacer.permit(0.121), 0.125)
    assert pacer.requests_per_second == pytest.approx(rate)


@pytest.mark.parametrize(("answers", "rate"), [(0, 75), (24, 75), (27, 0.955 * 27 / 0.32), (30, 0.955 * 30 / 0.32)])
def test_the_search_ends_at_a_429_after_it_doubled_between_half_the_step_and_below_the_rate(answers, rate):
    pacer = searching(workers=40)
    answered(pacer, 4, at=0.15)
    first = pacer.permit(0.2)  # 100 a second from here
    answered(pacer, answers, now=0.2, at=0.52)
    pacer.throttled(first, 0.52)
    assert pacer.requests_per_second == pytest.approx(rate)


def test_a_429_at_the_very_moment_of_a_doubling_measures_nothing():
    pacer = searching()
    answered(pacer, 4, at=0.15)
    pacer.throttled(pacer.permit(0.2), 0.2)
    assert pacer.requests_per_second == pytest.approx(95.5)


def steady(answers):
    """Return a pacer whose search ended at time 0.5 at 75 a second, eight permits, and the time of the responses."""
    pacer = searching(workers=1000)
    answered(pacer, 4, at=0.15)
    pacer.throttled(pacer.permit(0.2), 0.5)
    assert pacer.requests_per_second == 75
    sent, now = permits(pacer, answers + 8, 0.5)
    for permit in sent[:answers]:
        pacer.responded(permit, now)
    return pacer, sent[answers:], now


@pytest.mark.parametrize(("answers", "ignored"), [(0, 2), (35, 2), (36, 3)])  # of 4 and a fortieth of 40 responses
def test_occasional_429s_are_ignored_in_the_steady_phase(answers, ignored):
    pacer, sent, now = steady(answers)
    rates = []
    for permit in sent[: ignored + 1]:
        pacer.throttled(permit, now)
        rates.append(pacer.requests_per_second)
    assert len({*rates[:ignored]}) == 1
    assert rates[ignored] < rates[0]


@pytest.mark.parametrize("answers", [0, 20, 180])
def test_a_steady_rate_falls_to_what_the_responses_measure_and_by_no_more_than_a_fifth(answers):
    pacer, sent, now = steady(answers)
    rate = pacer.requests_per_second
    while pacer.requests_per_second == rate:
        pacer.throttled(sent.pop(), now)
    fallen = pacer.requests_per_second
    assert fallen == pytest.approx(max(0.8 * rate, 0.955 * answers / (now - 0.5)))
    pacer.permit(now + 0.01)
    missing = max(0.9 * rate, fallen) - fallen  # to just below what was throttled
    assert pacer.requests_per_second - fallen == pytest.approx(0.01 * max(0.01 * fallen, 0.5 * missing))


def test_a_steady_rate_rises_fast_to_below_what_was_throttled_and_slowly_from_there():
    pacer, _, at = steady(0)
    rises = []
    for _ in range(300):
        before, at = pacer.requests_per_second, at + 0.1
        pacer.permit(at)
        rises.append((before, (pacer.requests_per_second - before) / 0.1))
    assert rises[0][0] < 85
    assert rises[-1][0] > 100
    for before, rise in rises:
        assert rise == pytest.approx(max(0.06, 0.01 * before, 0.5 * (95.5 - before)))


def test_the_slowest_rate_rises_by_a_little_each_second():
    pacer, now = searching(), 0.0
    for _ in range(4):
        (permit,), now = permits(pacer, 1, now)
        pacer.throttled(permit, now)
    answered(pacer, 1, now=now, at=now + 0.6)
    (permit,), now = permits(pacer, 1, now + 0.7)
    pacer.throttled(permit, now)
    assert pacer.requests_per_second == pytest.approx(3)
    while (rate := pacer.requests_per_second) < 3.82:
        now += 1
        pacer.permit(now)
    pacer.permit(now + 1)
    assert pacer.requests_per_second - rate == pytest.approx(0.06)


def test_no_more_requests_are_in_flight_than_workers_whatever_the_rate():
    pacer = searching(workers=3)
    sent, now = permits(pacer, 3, 0.0)
    assert pacer.permit(now + 1) is None
    pacer.responded(sent[0], now + 1)
    assert isinstance(pacer.permit(now + 1), Permit)
    assert pacer.still_holds(sent[1])
    pacer.throttled(sent[1], now + 1)
    assert not pacer.still_holds(sent[2])
