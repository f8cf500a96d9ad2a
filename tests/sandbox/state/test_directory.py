import pytest


@pytest.fixture
def directory(state):
    return state.directory


def test_a_new_id_is_a_positive_int64_and_often_beyond_a_float(directory):
    ids = [directory.add("user", f"u{number}").id for number in range(50)]
    assert all(0 < number < 2**63 for number in ids)
    assert any(number > 2**53 for number in ids)


def test_ids_are_unique(directory):
    same = iter([b"\0" * 8, b"\0" * 7 + b"\x08", b"\0" * 7 + b"\x08", b"\0" * 7 + b"\x0a"])
    directory._entropy = lambda _: next(same)
    assert [directory.add("user", "a").id, directory.add("user", "b").id] == [4, 5]


def test_principals_in_nested_groups_are_found_through_a_cycle(directory):
    ann, ben = directory.add("user", "ann").id, directory.add("service_principal", "ben").id
    one, two = directory.add("group", "one").id, directory.add("group", "two").id
    directory.add_members(one, [two, ann])
    directory.add_members(two, [one, ben])
    assert directory.principals_in([one]) == directory.principals_in([two]) == {ann, ben}
    assert directory.is_in(ben, "one")
    assert not directory.is_in(ben, "admins")
    assert directory.principals_in([]) == set()


def test_adding_a_member_twice_has_no_effect(directory):
    ann, team = directory.add("user", "ann").id, directory.add("group", "team").id
    directory.add_members(team, [ann, ann])
    directory.add_members(team, [ann])
    assert [member for _, member, _, _ in directory.members([team])] == [ann]
    directory.remove_members(team, [ann])
    assert directory.members([team]) == []


def test_workspaces_do_not_share_identities(make_sandbox):
    first, second = (workspace.state.directory for workspace in make_sandbox(workspaces=2).workspaces)
    person = first.add("user", "only@example.com")
    assert second.named("user", "only@example.com") is None
    assert second.get(person.id) is None
    assert not second.is_in(person.id, "users")


def test_the_id_of_an_unknown_group_is_a_lookup_error(directory):
    with pytest.raises(LookupError):
        directory.group_id("unknown")


def test_a_page_of_members_reads_only_their_memberships(make_sandbox):
    steps = []
    for users in (200, 3200):
        sandbox = make_sandbox(tokens=5)
        state = sandbox.workspaces[0].state
        with state.database.transaction():
            ids = [state.directory.add("user", f"more{number}@example.com").id for number in range(users)]
        counted = 0

        def count():
            nonlocal counted
            counted += 1

        state.database._connection.set_progress_handler(count, 100)
        assert len(state.directory.groups_of(ids[:100])) == 100
        state.database._connection.set_progress_handler(None, 0)
        steps.append(counted)
    assert steps[1] < 1.5 * steps[0]
