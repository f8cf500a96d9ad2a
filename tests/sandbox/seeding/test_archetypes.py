import pytest

from tokenkit.sandbox.seeding.archetypes import ARCHETYPES, MAX_TOKENS_PER_OWNER, allocate


@pytest.mark.parametrize(
    "count", [0, 1, 5, len(ARCHETYPES) - 1, len(ARCHETYPES), len(ARCHETYPES) + 1, 59, 999, 12_345, 999_999]
)
def test_every_token_is_allocated(count):
    counts = allocate(count)
    assert sum(counts) == count
    assert min(counts) >= (1 if count >= len(ARCHETYPES) else 0)


def test_shares_are_kept_to_less_than_two_tokens():
    total = sum(archetype.share for archetype in ARCHETYPES)
    for archetype, count in zip(ARCHETYPES, allocate(1000), strict=True):
        assert abs(count - archetype.share / total * 1000) < 2


def test_ordinary_tokens_are_the_majority():
    boring = [
        count
        for archetype, count in zip(ARCHETYPES, allocate(1000), strict=True)
        if archetype.name.startswith(("everyday", "used", "service principal"))
    ]
    assert sum(boring) > 500


def test_the_busy_user_stays_below_the_quota():
    counts = {archetype.name: count for archetype, count in zip(ARCHETYPES, allocate(1_000_000), strict=True)}
    assert counts["of one busy user"] == MAX_TOKENS_PER_OWNER < 600


def test_every_kind_can_be_dated():
    for archetype in ARCHETYPES:
        assert archetype.remaining is None or archetype.lifetime
        if archetype.remaining and archetype.remaining[0] > 0:
            assert archetype.remaining[1] <= archetype.lifetime, archetype.name
        if archetype.lifetime and archetype.remaining is None:
            assert archetype.age[1] < archetype.lifetime, archetype.name
