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
    """Revoke tokens through a pacer; return the seconds it took and how often it was refused."""
    pacer, numbers, events, done, refused = Pacer(workers=workers), itertools.count(), [], 0, 0
    waiting = [(0.0, number) for number in range(tokens)]

    def happen(at, what, *more):
        heapq.heappush(events, (at, next(numbers), what, *more))

    def hand_out(now):
        while waiting:
            leave = pacer.permit(now, left=len(waiting)) if waiting[0][0] <= now else waiting[0][0]
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
            happen(now + latency / 2, "answered" if let else "refused", token, permit)
            continue
        if what == "answered":
            done += 1
            pacer.answered(permit, now)
        elif what == "refused":
            refused += 1
            pacer.refused(permit, now)
            heapq.heappush(waiting, (now + 1, token))
        hand_out(now)
    return now, refused


@pytest.mark.parametrize("workers", [16, 64])
@pytest.mark.parametrize("burst", [1, 5, 30])
@pytest.mark.parametrize("per_second", [7, 30, 100])
def test_most_of_the_limit_is_used_with_few_refusals(per_second, burst, workers):
    seconds, refused = simulated(Bucket(per_second, burst), workers=workers)
    assert TOKENS / per_second / seconds >= (0.75 if burst == 1 else 0.9)
    assert refused <= 0.05 * (TOKENS + refused)


@pytest.mark.parametrize("seed", range(5))
def test_a_request_that_meets_the_next_one_does_not_slow_the_rest(seed):
    rng = random.Random(seed)  # noqa: S311 - a delay is no secret
    late = lambda: rng.expovariate(1 / 0.0005) + (0.008 if rng.random() < 0.02 else 0)  # noqa: E731
    seconds, refused = simulated(Bucket(30, 1), workers=16, delay=late)
    assert TOKENS / 30 / seconds >= 0.75
    assert refused <= 0.05 * (TOKENS + refused)


def test_a_few_refusals_after_the_search_are_let_pass_and_more_are_not():
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
        pacer.refused(permit, LATENCY_SECONDS)
    while pacer.requests_per_second < 100:
        send(1, pacer.answered)
    send(1, pacer.refused)  # the search is over
    send(120, pacer.answered)
    rate = pacer.requests_per_second
    send(1, pacer.refused)
    assert pacer.requests_per_second >= rate
    send(5, pacer.refused)
    assert pacer.requests_per_second < 0.95 * rate


@pytest.mark.parametrize(("workers", "times"), [(16, 14), (64, 50)])
def test_without_a_limit_the_workers_are_soon_all_busy(workers, times):
    seconds, refused = simulated(None, workers=workers, tokens=3200)
    assert refused == 0
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

    seconds, refused = simulated(Changing(50, 5), workers=16)
    ideal = 4 + (TOKENS - 200) / 10
    assert ideal / seconds >= 0.85
    assert refused <= 0.1 * TOKENS


def test_refusals_of_what_left_before_the_last_change_change_nothing():
    pacer = Pacer(workers=8)
    permits = [pacer.permit(0.0) for _ in range(2)]
    pacer.refused(permits[0], 0.05)
    rate = pacer.requests_per_second
    pacer.refused(permits[1], 0.06)
    assert pacer.requests_per_second == rate


def test_a_lost_answer_frees_its_place_and_says_nothing_of_the_limit():
    pacer = Pacer(workers=1)
    assert isinstance(pacer.permit(0.0), Permit)
    assert pacer.permit(0.0) is None
    pacer.lost()
    assert isinstance(pacer.permit(0.0), Permit)
    assert pacer.requests_per_second is None


@pytest.mark.parametrize("late_seconds", [0.002, 0.009, 0.5])
def test_after_a_late_request_the_next_one_keeps_its_distance(late_seconds):
    pacer = Pacer(workers=8)
    pacer.refused(pacer.permit(0.0), 0.05)
    at = pacer.permit(0.05)
    assert isinstance(pacer.permit(at + late_seconds), Permit)
    following = pacer.permit(at + late_seconds + 0.001)
    assert following == pytest.approx(at + late_seconds + 1 / pacer.requests_per_second)


def test_the_requests_of_the_last_second_keep_more_distance():
    def distance(left):
        pacer = Pacer(workers=16)
        pacer.refused(pacer.permit(0.0), 0.05)
        at = pacer.permit(0.05, left=left)
        assert isinstance(pacer.permit(at, left=left), Permit)
        return pacer.permit(at, left=left) - at, pacer.requests_per_second

    usual, rate = distance(left=1_000)
    assert usual == pytest.approx(1 / rate)
    assert distance(left=rate)[0] == pytest.approx(usual)  # it takes a second from here
    assert distance(left=rate - 1)[0] == pytest.approx(1.1 * usual)
