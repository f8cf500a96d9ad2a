import pytest

from tokenkit.sandbox.archetypes import DECK, MOST_OF_ONE_OWNER, allot


@pytest.mark.parametrize("count", [0, 1, 5, len(DECK) - 1, len(DECK), len(DECK) + 1, 59, 999, 12_345, 999_999])
def test_every_token_is_allotted(count):
    counts = allot(count)
    assert sum(counts) == count
    assert min(counts) >= (1 if count >= len(DECK) else 0)


def test_shares_are_kept_to_less_than_two_tokens():
    total = sum(archetype.share for archetype in DECK)
    for archetype, count in zip(DECK, allot(1000), strict=True):
        assert abs(count - archetype.share / total * 1000) < 2


def test_the_boring_ones_are_the_majority():
    boring = [
        count
        for archetype, count in zip(DECK, allot(1000), strict=True)
        if archetype.name.startswith(("everyday", "used", "a program"))
    ]
    assert sum(boring) > 500


def test_the_busy_owner_stays_below_the_quota():
    counts = {archetype.name: count for archetype, count in zip(DECK, allot(1_000_000), strict=True)}
    assert counts["of one busy owner"] == MOST_OF_ONE_OWNER < 600


def test_every_kind_can_be_dated():
    for archetype in DECK:
        assert archetype.left is None or archetype.lifetime
        if archetype.left and archetype.left[0] > 0:
            assert archetype.left[1] <= archetype.lifetime, archetype.name
        if archetype.lifetime and archetype.left is None:
            assert archetype.age[1] < archetype.lifetime, archetype.name
