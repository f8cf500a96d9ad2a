import pytest

from tests.sandbox.conftest import SCIM, TOKENS, group_id, service_principal

USERS, GROUPS, SERVICE_PRINCIPALS = f"{SCIM}/Users", f"{SCIM}/Groups", f"{SCIM}/ServicePrincipals"


def scim_error(client, method, path, json=None, **options):
    response = client(method, path, json, **options)
    error = response.json()
    assert error["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert error["detail"]
    assert error["status"] == str(response.status_code)
    return response.status_code


def new_user(admin, short_name, **extra):
    return admin.ok("POST", USERS, {"userName": f"{short_name}@example.com", "displayName": short_name, **extra})


def new_group(admin, name, *members):
    return admin.ok("POST", GROUPS, {"displayName": name, "members": [{"value": member["id"]} for member in members]})


def patch(admin, path, *operations):
    schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]
    return admin.ok("PATCH", path, {"schemas": schemas, "Operations": list(operations)})


def members(document):
    return {member["value"] for member in document.get("members", ())}


def test_pages_of_users_are_sorted_by_id_and_complete(admin, state):
    total = state.directory.count("user")
    seen = []
    for start in range(1, total + 8, 7):
        page = admin.ok("GET", USERS, params={"startIndex": start, "count": 7})
        assert (page["totalResults"], page["startIndex"]) == (total, start)
        assert page["itemsPerPage"] == len(page["Resources"])
        seen += [int(user["id"]) for user in page["Resources"]]
    assert page["Resources"] == []
    assert seen == sorted(set(seen))
    assert len(seen) == total > 7


def test_a_page_is_never_larger_than_a_thousand(admin, state):
    with state.database.transaction():
        for number in range(1001):
            state.directory.add("user", f"extra{number}@example.com")
    page = admin.ok("GET", USERS, params={"count": 10000})
    assert page["itemsPerPage"] == len(page["Resources"]) == 1000
    assert page["totalResults"] > 1001


@pytest.mark.parametrize(
    "query", ["startIndex=x", "startIndex=--5", "count=1.5", "sortBy=shoeSize", "count=99999999999999999999"]
)
def test_an_invalid_page_is_rejected(admin, query):
    assert scim_error(admin, "GET", f"{USERS}?{query}") == 400


def test_count_zero_counts_and_a_negative_start_is_the_first(admin):
    page = admin.ok("GET", USERS, params={"count": 0})
    assert (page["Resources"], page["itemsPerPage"]) == ([], 0)
    assert page["totalResults"] > 0
    assert admin.ok("GET", USERS, params={"startIndex": -5, "count": 1})["startIndex"] == 1


def test_sorting_by_name_both_ways(admin):
    def names(order):
        page = admin.ok("GET", USERS, params={"sortBy": "userName", "sortOrder": order})
        return [user["userName"] for user in page["Resources"]]

    assert names("ascending") == sorted(names("ascending"))
    assert names("descending") == names("ascending")[::-1]


@pytest.mark.parametrize("sort_by", ["emails", "emails.value", "name.givenName", "displayName", "externalId"])
def test_sorting_by_other_attributes(admin, sort_by):
    for given in ("Cy", "Al", "Bo"):
        name = f"{given}@sorted.example.com".lower()
        body = {"userName": name, "displayName": given, "name": {"givenName": given}, "externalId": given}
        admin.ok("POST", USERS, body)
    query = {"sortBy": sort_by, "sortOrder": "DESCENDING", "filter": 'userName co "@sorted."'}
    found = admin.ok("GET", USERS, params=query)["Resources"]
    assert [user["displayName"] for user in found] == ["Cy", "Bo", "Al"]


def test_groups_are_sorted_by_name(admin):
    names = [group["displayName"] for group in admin.ok("GET", GROUPS, params={"sortBy": "displayName"})["Resources"]]
    assert names == sorted(names)


def test_filters_find_by_name_ignoring_case(admin):
    new_user(admin, "Zoe")
    robot = service_principal(admin, name="r2d2")
    for path, text, found in [
        (USERS, 'userName eq "zoe@EXAMPLE.com"', 1),
        (USERS, 'displayName eq "Zoe"', 1),
        (USERS, 'userName eq "unknown"', 0),
        (SERVICE_PRINCIPALS, 'displayName eq "r2d2"', 1),
        (SERVICE_PRINCIPALS, f'applicationId eq "{robot["applicationId"]}"', 1),
        (GROUPS, 'displayName eq "admins"', 1),
    ]:
        page = admin.ok("GET", path, params={"filter": text})
        assert (page["totalResults"], len(page["Resources"])) == (found, found), text


def test_attributes_are_included_or_excluded(admin):
    chosen = admin.ok("GET", USERS, params={"attributes": "userName,name.familyName", "count": 1})["Resources"][0]
    assert set(chosen) == {"schemas", "id", "userName", "name"}
    group = admin.ok("GET", f"{GROUPS}/{group_id(admin, 'users')}", params={"excludedAttributes": "members"})
    assert "members" not in group
    assert group["displayName"] == "users"


def test_a_new_user_is_in_users_and_in_the_groups_named(admin):
    team = new_group(admin, "team")
    user = new_user(
        admin, "ann", groups=[{"value": team["id"]}], name={"givenName": "Ann"}, entitlements=[{"value": "x"}]
    )
    assert {group["display"] for group in user["groups"]} == {"users", "team"}
    assert user["active"] is True
    assert user["emails"][0]["value"] == "ann@example.com"
    assert user == admin.ok("GET", f"{USERS}/{user['id']}")
    (member,) = admin.ok("GET", f"{GROUPS}/{team['id']}")["members"]
    assert member == {"display": "ann", "value": user["id"], "$ref": f"Users/{user['id']}"}


def test_a_service_principal_gets_an_application_id_unless_it_brings_one(admin):
    invented = service_principal(admin)
    assert len(invented["applicationId"]) == 36
    body = {"applicationId": "0d7c1b0e-0000-4000-8000-000000000001"}
    assert admin.ok("POST", SERVICE_PRINCIPALS, body)["applicationId"] == body["applicationId"]
    assert scim_error(admin, "POST", SERVICE_PRINCIPALS, body) == 409


def test_creating_a_service_principal_in_admins_makes_it_an_admin(admin, sandbox, clients):
    robot = service_principal(admin, group_id(admin, "admins"))
    body = {"application_id": robot["applicationId"]}
    token = admin.ok("POST", "/api/2.0/token-management/on-behalf-of/tokens", body)["token_value"]
    clients(sandbox.host, token).ok("GET", TOKENS)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (USERS, {}, 400),
        (USERS, {"userName": " "}, 400),
        (USERS, {"userName": 5}, 400),
        (USERS, {"userName": "admin@example.com"}, 409),
        (USERS, {"userName": "ADMIN@example.com"}, 409),
        (USERS, {"userName": "a", "active": "perhaps"}, 400),
        (USERS, {"userName": "a", "displayName": 5}, 400),
        (USERS, {"userName": "a", "groups": [{"value": "12"}]}, 400),
        (USERS, {"userName": "a", "groups": ["admins"]}, 400),
        (USERS, {"userName": "a", "groups": 5}, 400),
        (USERS, {"userName": "a", "entitlements": ["x"]}, 400),
        (USERS, {"userName": "a", "name": "x"}, 400),
        (GROUPS, {}, 400),
        (GROUPS, {"displayName": "admins"}, 409),
        (GROUPS, {"displayName": "a", "members": [{"value": "12"}]}, 400),
        (GROUPS, {"displayName": "a", "members": [{"value": "99999999999999999999"}]}, 400),
    ],
)
def test_an_invalid_identity_is_a_scim_error_and_is_not_created(admin, state, path, body, status):
    before = [state.directory.count(kind) for kind in ("user", "service_principal", "group")]
    assert scim_error(admin, "POST", path, body) == status
    assert [state.directory.count(kind) for kind in ("user", "service_principal", "group")] == before


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("identity", ["5", "x", "99999999999999999999"])
@pytest.mark.parametrize("resource", ["Users", "ServicePrincipals", "Groups"])
def test_an_unknown_identity_is_not_found(admin, method, resource, identity):
    body = {"displayName": "a", "Operations": [{"op": "add", "path": "displayName", "value": "a"}]}
    assert scim_error(admin, method, f"{SCIM}/{resource}/{identity}", body) == 404


def test_an_identity_is_found_under_its_own_kind_only(admin):
    user = new_user(admin, "ann")
    assert scim_error(admin, "GET", f"{GROUPS}/{user['id']}") == 404


def test_members_are_added_removed_and_replaced(admin):
    ann, ben, cai = (new_user(admin, name) for name in ("ann", "ben", "cai"))
    path = f"{GROUPS}/{new_group(admin, 'team', ann)['id']}"
    add = {"op": "add", "path": "members", "value": [{"value": ben["id"]}, {"value": cai["id"]}]}
    assert members(patch(admin, path, add)) == {ann["id"], ben["id"], cai["id"]}
    one = {"op": "Remove", "path": f'members[value eq "{ben["id"]}"]'}
    assert members(patch(admin, path, one)) == {ann["id"], cai["id"]}
    listed = {"op": "remove", "path": "members", "value": [{"value": ann["id"]}]}
    assert members(patch(admin, path, listed)) == {cai["id"]}
    whole = {"op": "replace", "value": {"members": [{"value": ann["id"]}]}}
    assert members(patch(admin, path, whole)) == {ann["id"]}
    assert members(patch(admin, path, {"op": "remove", "path": "members"})) == set()
    assert {group["display"] for group in admin.ok("GET", f"{USERS}/{ann['id']}")["groups"]} == {"users"}


def test_groups_nest_and_list_nested_groups(admin):
    inner = new_group(admin, "inner")
    outer = new_group(admin, "outer", inner)
    assert outer["members"] == [{"display": "inner", "value": inner["id"], "$ref": f"Groups/{inner['id']}"}]
    held = admin.ok("GET", f"{GROUPS}/{inner['id']}")["groups"]
    assert held == [{"display": "outer", "type": "direct", "value": outer["id"], "$ref": f"Groups/{outer['id']}"}]


def test_a_group_cannot_contain_itself_or_an_unknown_identity(admin):
    path = f"{GROUPS}/{new_group(admin, 'team')['id']}"
    for member in (path.rpartition("/")[2], "7"):
        add = {"op": "add", "path": "members", "value": [{"value": member}]}
        assert scim_error(admin, "PATCH", path, {"Operations": [add]}) == 400
    assert "members" not in admin.ok("GET", path)


def test_a_replacement_changes_the_given_attributes_and_keeps_the_user_name(admin):
    user = new_user(admin, "ann", entitlements=[{"value": "x"}])
    body = {"userName": "other@example.com", "displayName": "Ann B.", "active": False, "emails": [{"value": "b"}]}
    after = admin.ok("PUT", f"{USERS}/{user['id']}", body)
    assert (after["userName"], after["displayName"], after["active"]) == ("ann@example.com", "Ann B.", False)
    assert after["emails"] == user["emails"]
    assert "entitlements" not in after
    assert after == admin.ok("GET", f"{USERS}/{user['id']}")


def test_replacing_a_group_replaces_its_members(admin):
    ann, ben = new_user(admin, "ann"), new_user(admin, "ben")
    path = f"{GROUPS}/{new_group(admin, 'team', ann)['id']}"
    after = admin.ok("PUT", path, {"displayName": "crew", "members": [{"value": ben["id"]}]})
    assert (after["displayName"], members(after)) == ("crew", {ben["id"]})
    assert members(admin.ok("PUT", path, {"displayName": "crew"})) == set()


def test_system_groups_cannot_be_deleted_or_renamed(admin):
    path = f"{GROUPS}/{group_id(admin, 'admins')}"
    assert scim_error(admin, "DELETE", path) == 403
    rename = {"op": "replace", "path": "displayName", "value": "gods"}
    assert scim_error(admin, "PATCH", path, {"Operations": [rename]}) == 403
    assert admin.ok("GET", path)["displayName"] == "admins"


def test_a_group_cannot_take_the_name_of_another(admin):
    path = f"{GROUPS}/{new_group(admin, 'team')['id']}"
    rename = {"op": "replace", "path": "displayName", "value": "users"}
    assert scim_error(admin, "PATCH", path, {"Operations": [rename]}) == 409


def test_a_deleted_group_has_no_members(admin):
    ann = new_user(admin, "ann")
    team = new_group(admin, "team", ann)
    response = admin("DELETE", f"{GROUPS}/{team['id']}")
    assert (response.status_code, response.content) == (204, b"")
    assert {group["display"] for group in admin.ok("GET", f"{USERS}/{ann['id']}")["groups"]} == {"users"}


def test_me_is_the_caller(admin, oauth, sandbox):
    assert admin.ok("GET", f"{SCIM}/Me")["userName"] == "admin@example.com"
    me = oauth.ok("GET", f"{SCIM}/Me")
    assert (me["userName"], me["displayName"]) == (sandbox.client_id, "tokenkit-automation")
    assert {group["display"] for group in me["groups"]} == {"admins", "users"}


def test_hostile_names_are_returned_unchanged(admin):
    name = "Robert'); DROP TABLE identities;-- <b>\" \\ %_"
    new_group(admin, name)
    text = name.replace("\\", "\\\\").replace('"', '\\"')
    found = admin.ok("GET", GROUPS, params={"filter": f'displayName eq "{text}"'})
    assert [user["displayName"] for user in found["Resources"]] == [name]


def test_a_deeply_nested_attribute_can_be_listed(admin):
    for depth in range(850, 1000):
        nest = "[" * depth + "]" * depth
        body = f'{{"userName": "deep{depth}", "entitlements": [{{"value": {nest}}}]}}'
        assert admin("POST", USERS, data=body.encode()).status_code in {201, 400}
    assert admin.ok("GET", USERS)
