import pytest


@pytest.fixture
def directory(state):
    return state.directory


def test_a_new_id_is_a_positive_int64_and_often_beyond_a_float(directory):
    ids = [directory.add("user", f"u{number}").id for number in range(50)]
    assert all(0 < each < 2**63 for each in ids)
    assert any(each > 2**53 for each in ids)


def test_an_id_that_is_taken_is_not_given_twice(directory):
    same = iter([b"\0" * 8, b"\0" * 7 + b"\x08", b"\0" * 7 + b"\x08", b"\0" * 7 + b"\x0a"])
    directory._entropy = lambda _: next(same)
    assert [directory.add("user", "a").id, directory.add("user", "b").id] == [4, 5]


def test_everyone_in_nested_groups_is_found_through_a_cycle(directory):
    ann, ben = directory.add("user", "ann").id, directory.add("service_principal", "ben").id
    one, two = directory.add("group", "one").id, directory.add("group", "two").id
    directory.join(one, [two, ann])
    directory.join(two, [one, ben])
    assert directory.everyone_in([one]) == directory.everyone_in([two]) == {ann, ben}
    assert directory.is_in(ben, "one")
    assert not directory.is_in(ben, "admins")
    assert directory.everyone_in([]) == set()


def test_joining_twice_is_joining_once(directory):
    ann, team = directory.add("user", "ann").id, directory.add("group", "team").id
    directory.join(team, [ann, ann])
    directory.join(team, [ann])
    assert [member for _, member, _, _ in directory.members([team])] == [ann]
    directory.leave(team, [ann])
    assert directory.members([team]) == []


def test_workspaces_know_nothing_of_each_other(make_sandbox):
    first, second = (each.state.directory for each in make_sandbox(workspaces=2).workspaces)
    person = first.add("user", "only@example.com")
    assert second.named("user", "only@example.com") is None
    assert second.get(person.id) is None
    assert not second.is_in(person.id, "users")


def test_a_group_that_must_exist_is_missed_loudly(directory):
    with pytest.raises(LookupError):
        directory.group_id("nobody")
