import random

import pytest

from tokenkit.sandbox.company import found_company, people_count


def company(seed=0, tokens=1000, **options):
    options = {"client_id": "robot", "everyone_may": False, **options}
    return found_company(random.Random(seed), tokens=tokens, **options)  # noqa: S311


def entitled(company):
    seen, waiting = set(), [principal for principal, _ in company.access]
    while waiting:
        each = waiting.pop()
        if each not in seen:
            seen.add(each)
            waiting += [member for group, member in company.memberships if group == each]
    return seen


def test_the_same_chance_founds_the_same_company():
    assert company() == company()
    assert company() != company(seed=1)


@pytest.mark.parametrize("tokens", [1, 60, 1000, 20_000])
@pytest.mark.parametrize("seed", range(5))
def test_every_pool_of_owners_is_what_it_says(seed, tokens):
    firm = company(seed, tokens)
    known = {each.id: each for each in firm.identities}
    right = entitled(firm)
    pools = {name: {owner.owner_id for owner in pool} for name, pool in firm.owners.items()}
    assert all(pools.values()), pools
    assert pools["person"] | pools["heavy"] | pools["program"] | pools["admin program"] <= right
    assert all(known[each].active for each in pools["person"] | pools["program"] | pools["without the right"])
    assert not pools["without the right"] & right
    assert not any(known[each].active for each in pools["inactive"])
    assert not pools["deleted"] & set(known)
    assert not pools["heavy"] & pools["person"]


def test_some_people_have_the_right_and_no_token():
    firm = company()
    owners = {owner.owner_id for pool in firm.owners.values() for owner in pool}
    idle = [each for each in firm.identities if each.kind == "user" and each.active and each.id not in owners]
    assert {each.id for each in idle} & entitled(firm)


def test_names_and_ids_are_unique_and_ids_outgrow_floats():
    firm = company(tokens=100_000)
    assert len({(each.kind, each.name) for each in firm.identities}) == len(firm.identities)
    ids = {each.id for each in firm.identities}
    assert len(ids) == len(firm.identities)
    assert all(0 < each < 2**63 for each in ids)
    assert 0.4 < sum(each > 2**53 for each in ids) / len(ids) < 0.8
    assert all(each.name.isascii() for each in firm.identities)


def test_groups_nest_in_admins_too():
    firm = company()
    groups = {each.name: each.id for each in firm.identities if each.kind == "group"}
    assert (groups["admins"], groups["platform-admins"]) in firm.memberships
    assert (groups["data-engineers"], groups["streaming-team"]) in firm.memberships


def test_everyone_may_where_users_may():
    users = next(each.id for each in company().identities if each.name == "users")
    assert users not in dict(company().access)
    assert dict(company(everyone_may=True).access)[users] == "CAN_USE"


def test_companies_grow_slower_than_their_tokens():
    counts = [people_count(tokens) for tokens in (1, 1000, 100_000, 1_000_000)]
    assert counts == sorted(counts)
    assert counts[0] == 30
    assert counts[-1] < 20_000
