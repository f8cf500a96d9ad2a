import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sandbox.conftest import DAY, NOON, PERMISSIONS, SCIM, StoppedClock, service_principal
from tokenkit.sandbox import Sandbox

NOW_MS = int(NOON * 1000)


def user(name, level="CAN_USE"):
    return {"user_name": f"{name}@example.com", "permission_level": level}


def group(name, level="CAN_USE"):
    return {"group_name": name, "permission_level": level}


@pytest.fixture
def company(state):
    """Six users with one token each: a, b in inner; b, c, inner in outer; d alone; e an admin; f without permission."""
    directory = state.directory
    people = {name: directory.add("user", f"{name}@example.com", name.upper()).id for name in "abcdef"}
    inner, outer = directory.add("group", "inner").id, directory.add("group", "outer").id
    directory.add_members(inner, [people["a"], people["b"]])
    directory.add_members(outer, [people["b"], people["c"], inner])
    directory.add_members(directory.group_id("admins"), [people["e"]])
    for owner in people.values():
        labels = {"owner_id": owner, "created_by_id": owner, "created_by_username": "x", "creation_time": NOW_MS}
        state.tokens.mint(expiry_time=NOW_MS + DAY * 1000, **labels)
    return people


def alive(state, company):
    return "".join(name for name, owner in company.items() if state.tokens.count(owner))


def put(client, *entries):
    return client.ok("PUT", PERMISSIONS, {"access_control_list": list(entries)})


def patch(client, *entries):
    return client.ok("PATCH", PERMISSIONS, {"access_control_list": list(entries)})


def names(document):
    fields = ("user_name", "group_name", "service_principal_name")
    entries = document["access_control_list"]
    return {entry[name]: entry["all_permissions"] for entry in entries for name in fields if name in entry}


def test_the_list_has_the_platforms_form(admin):
    document = admin.ok("GET", PERMISSIONS)
    assert (document["object_id"], document["object_type"]) == ("/authorization/tokens", "tokens")
    manage = [{"permission_level": "CAN_MANAGE", "inherited": False}]
    assert document["access_control_list"][0] == {"group_name": "admins", "all_permissions": manage}
    people = [entry for entry in document["access_control_list"] if "user_name" in entry]
    assert people
    assert all(entry["display_name"] and "@" in entry["user_name"] for entry in people)
    programs = [entry for entry in document["access_control_list"] if "service_principal_name" in entry]
    assert programs
    assert all(entry["display_name"] and len(entry["service_principal_name"]) == 36 for entry in programs)


@pytest.mark.usefixtures("company")
def test_a_replacement_keeps_admins_and_only_the_entries_given(admin):
    document = put(admin, user("d"), group("outer"))
    assert set(names(document)) == {"admins", "d@example.com", "outer"}
    assert names(document)["admins"] == [{"permission_level": "CAN_MANAGE", "inherited": False}]
    assert admin.ok("GET", PERMISSIONS) == document
    assert set(names(put(admin))) == {"admins"}
    assert set(names(admin.ok("PUT", PERMISSIONS, {}))) == {"admins"}


@pytest.mark.usefixtures("company")
def test_an_update_adds_and_changes_but_removes_nothing(admin):
    put(admin, user("d"))
    document = patch(admin, user("d", "CAN_MANAGE"), group("inner"))
    assert set(names(document)) == {"admins", "d@example.com", "inner"}
    assert names(document)["d@example.com"][0]["permission_level"] == "CAN_MANAGE"


def test_principals_who_lose_permission_lose_their_active_tokens_at_once(admin, state, company):
    patch(admin, user("d"), group("outer"))
    assert alive(state, company) == "abcdef"
    put(admin, user("d"))
    assert alive(state, company) == "def"  # e is an admin, f never had permission


def test_a_nested_group_grants_permission(admin, state, company):
    put(admin, group("outer"))
    put(admin, group("inner"))
    assert alive(state, company) == "abdef"


def test_tokens_stay_if_another_path_grants_permission(admin, state, company):
    put(admin, group("outer"), user("c"), group("inner"))
    put(admin, user("c"), group("inner"))
    assert alive(state, company) == "abcdef"
    put(admin, user("c"), user("b"))
    assert alive(state, company) == "bcdef"


def test_groups_that_contain_each_other_are_resolved(admin, state, company):
    directory = state.directory
    directory.add_members(directory.group_id("inner"), [directory.group_id("outer")])
    put(admin, group("inner"))
    assert alive(state, company) == "abcdef"
    put(admin)
    assert alive(state, company) == "def"


def test_expired_tokens_stay(admin, state, company, clock):
    put(admin, user("d"))
    clock.now += DAY
    put(admin)
    assert alive(state, company) == "abcdef"


def test_a_change_of_level_deletes_no_token(admin, state, company):
    put(admin, user("d"))
    put(admin, user("d", "CAN_MANAGE"))
    assert alive(state, company) == "abcdef"


def test_service_principals_are_named_by_application_id(admin, state):
    robot = service_principal(admin, name="robot")
    entry = {"service_principal_name": robot["applicationId"], "permission_level": "CAN_USE"}
    document = patch(admin, entry)
    last = document["access_control_list"][-1]
    assert (last["service_principal_name"], last["display_name"]) == (robot["applicationId"], "robot")
    labels = {"created_by_id": 1, "created_by_username": "x", "creation_time": NOW_MS, "expiry_time": -1}
    state.tokens.mint(owner_id=int(robot["id"]), **labels)
    put(admin)
    assert state.tokens.count(int(robot["id"])) == 0


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        ({"permission_level": "CAN_USE"}, (400, "INVALID_PARAMETER_VALUE")),
        ({**user("d"), **group("inner")}, (400, "INVALID_PARAMETER_VALUE")),
        (user("d", "CAN_RUN"), (400, "INVALID_PARAMETER_VALUE")),
        (user("d", ["CAN_USE"]), (400, "INVALID_PARAMETER_VALUE")),
        (user("d", None), (400, "INVALID_PARAMETER_VALUE")),
        (user("unknown"), (400, "INVALID_PARAMETER_VALUE")),
        (group("unknown"), (400, "INVALID_PARAMETER_VALUE")),
        ({"user_name": 5, "permission_level": "CAN_USE"}, (400, "INVALID_PARAMETER_VALUE")),
        ("d@example.com", (400, "INVALID_PARAMETER_VALUE")),
        ({"service_principal_name": "unknown", "permission_level": "CAN_USE"}, (404, "RESOURCE_DOES_NOT_EXIST")),
    ],
)
def test_an_invalid_entry_is_rejected_and_changes_nothing(admin, state, company, entry, error):
    put(admin, group("outer"))
    before = admin.ok("GET", PERMISSIONS)
    for method in ("PUT", "PATCH"):
        assert admin.error(method, PERMISSIONS, {"access_control_list": [user("d"), entry]}) == error
        assert admin.ok("GET", PERMISSIONS) == before
    assert alive(state, company) == "abcdef"


def test_a_list_of_another_type_is_rejected(admin):
    assert admin.error("PUT", PERMISSIONS, {"access_control_list": {}}) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize("level", [None, "CAN_USE"])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_the_level_of_admins_cannot_be_lowered(admin, method, level):
    response = admin(method, PERMISSIONS, {"access_control_list": [group("admins", level)]})
    assert response.status_code == 400
    assert response.json()["message"] == f"Cannot change permissions for group 'admins' to {level}."


def test_deleting_a_principal_removes_its_entry(admin, company):
    put(admin, user("d"), user("c"))
    admin.ok("DELETE", f"{SCIM}/Users/{company['d']}")
    assert set(names(admin.ok("GET", PERMISSIONS))) == {"admins", "c@example.com"}


def test_leaving_a_group_deletes_no_token(admin, state, company):
    put(admin, group("outer"))
    state.directory.remove_members(state.directory.group_id("inner"))
    assert alive(state, company) == "abcdef"


def _reachable(members, start):
    """Return the principals in groups, in plain Python."""
    seen, waiting = set(), list(start)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(members.get(name, ()))
    return seen


_GROUPS = ["g0", "g1", "g2", "g3"]
_PEOPLE = ["p0", "p1", "p2", "p3", "p4"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    members=st.dictionaries(st.sampled_from(_GROUPS), st.sets(st.sampled_from(_GROUPS + _PEOPLE), max_size=5)),
    before=st.sets(st.sampled_from(_GROUPS + _PEOPLE), max_size=4),
    after=st.sets(st.sampled_from(_GROUPS + _PEOPLE), max_size=4),
)
def test_deleted_tokens_agree_with_an_implementation_in_plain_python(members, before, after):
    sandbox = Sandbox(tokens=1, clock=StoppedClock())
    try:
        state = sandbox.workspaces[0].state
        with state.database.transaction():
            ids = {name: state.directory.add("group", name).id for name in _GROUPS}
            ids |= {name: state.directory.add("user", f"{name}@example.com").id for name in _PEOPLE}
            for name, held in members.items():
                state.directory.add_members(ids[name], [ids[member] for member in held])
            state.permissions.replace([_entry(name) for name in sorted(before)], now_ms=NOW_MS)
            labels = {"created_by_id": 1, "created_by_username": "x", "creation_time": NOW_MS, "expiry_time": -1}
            for name in _PEOPLE:
                state.tokens.mint(owner_id=ids[name], **labels)
            state.permissions.replace([_entry(name) for name in sorted(after)], now_ms=NOW_MS)
        had, has = _reachable(members, before), _reachable(members, after)
        remaining = {name for name in _PEOPLE if state.tokens.count(ids[name])}
        assert remaining == {name for name in _PEOPLE if name not in had or name in has}
    finally:
        sandbox.stop()


def _entry(name):
    return group(name) if name in _GROUPS else user(name)
