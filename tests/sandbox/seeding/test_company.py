import random

import pytest

from tokenkit.sandbox.seeding.company import generate_company, user_count


def company(seed=0, tokens=1000, **options):
    options = {"client_id": "robot", "all_users_can_use": False, **options}
    return generate_company(random.Random(seed), tokens=tokens, **options)  # noqa: S311


def permitted(company):
    seen, waiting = set(), [principal for principal, _ in company.access]
    while waiting:
        principal = waiting.pop()
        if principal not in seen:
            seen.add(principal)
            waiting += [member for group, member in company.memberships if group == principal]
    return seen


def test_the_same_seed_generates_the_same_company():
    assert company() == company()
    assert company() != company(seed=1)


@pytest.mark.parametrize("tokens", [1, 60, 1000, 20_000])
@pytest.mark.parametrize("seed", range(5))
def test_every_pool_has_the_owners_of_its_name(seed, tokens):
    firm = company(seed, tokens)
    known = {identity.id: identity for identity in firm.identities}
    with_permission = permitted(firm)
    pools = {name: {owner.owner_id for owner in pool} for name, pool in firm.owners.items()}
    assert all(pools.values()), pools
    assert (
        pools["user"] | pools["busy_user"] | pools["service_principal"] | pools["admin_service_principal"]
        <= with_permission
    )
    assert all(
        known[identity_id].active
        for identity_id in pools["user"] | pools["service_principal"] | pools["without_permission"]
    )
    assert not pools["without_permission"] & with_permission
    assert not any(known[identity_id].active for identity_id in pools["inactive"])
    assert not pools["deleted"] & set(known)
    assert not pools["busy_user"] & pools["user"]


def test_some_users_have_permission_and_no_token():
    firm = company()
    owners = {owner.owner_id for pool in firm.owners.values() for owner in pool}
    idle = [user for user in firm.identities if user.kind == "user" and user.active and user.id not in owners]
    assert {user.id for user in idle} & permitted(firm)


def test_names_and_ids_are_unique_and_some_ids_exceed_floats():
    firm = company(tokens=100_000)
    assert len({(identity.kind, identity.name) for identity in firm.identities}) == len(firm.identities)
    ids = {identity.id for identity in firm.identities}
    assert len(ids) == len(firm.identities)
    assert all(0 < identity_id < 2**63 for identity_id in ids)
    assert 0.4 < sum(identity_id > 2**53 for identity_id in ids) / len(ids) < 0.8
    assert all(identity.name.isascii() for identity in firm.identities)


def test_admins_contains_a_group():
    firm = company()
    groups = {group.name: group.id for group in firm.identities if group.kind == "group"}
    assert (groups["admins"], groups["platform-admins"]) in firm.memberships
    assert (groups["data-engineers"], groups["streaming-team"]) in firm.memberships


def test_all_users_can_use_tokens_through_the_group_users():
    users = next(group.id for group in company().identities if group.name == "users")
    assert users not in dict(company().access)
    assert dict(company(all_users_can_use=True).access)[users] == "CAN_USE"


def test_user_counts_grow_slower_than_token_counts():
    counts = [user_count(tokens) for tokens in (1, 1000, 100_000, 1_000_000)]
    assert counts == sorted(counts)
    assert counts[0] == 30
    assert counts[-1] < 20_000
