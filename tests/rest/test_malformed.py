"""Any JSON in any place of every answer that the client reads: errors of ours come out, and none holds the credential.

The examples are the same each time. ``pytest tests/rest/test_malformed.py --hypothesis-profile=long`` tries many more.
"""

import json
import pickle
import traceback

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rest.wire import Server, reply
from tokenkit import errors
from tokenkit.rest import credentials
from tokenkit.rest.transport import RetryPolicy
from tokenkit.rest.workspace import WorkspaceAPI

SECRET = "opaque-Credential.of/no+known=form"
ID = "ab" * 32
GONE = object()
TOKEN = {
    "token_id": ID, "creation_time": 1_700_000_000_000, "expiry_time": -1, "comment": "etl", "created_by_id": 7,
    "created_by_username": "a@b", "owner_id": "9007199254740993", "workspace_id": 12, "last_used_day": 1_700_000_000,
    "scopes": ["sql", "all-apis"], "autoscope_state": "COMPLETED", "inferred_scopes": ["sql"], "new": 1,
}  # fmt: skip
USER = {"id": "7", "userName": "a@b", "displayName": "A", "active": True, "groups": [{"value": "70", "display": "x"}]}
PRINCIPAL = {"id": "8", "applicationId": "0-0", "displayName": "etl", "active": True, "groups": [{"value": "70"}]}
GROUP = {"id": "70", "displayName": "admins", "members": [{"value": "7", "$ref": "Users/7"}]}
ACL = {
    "object_id": "/authorization/tokens",
    "access_control_list": [
        {"group_name": "admins", "all_permissions": [{"permission_level": "CAN_MANAGE", "inherited": False}]},
        {"user_name": "a@b", "all_permissions": [{"permission_level": "CAN_USE", "inherited": True}]},
    ],
}
LEVELS = {"permission_levels": [{"permission_level": "CAN_USE", "description": "may"}]}
REFUSAL = {
    "error_code": "NOT_FOUND",
    "message": "Token does not exist",
    "detail": "REQUEST_LIMIT_EXCEEDED",
    "details": [{"@type": "x", "reason": "y", "metadata": {}}],
}


def page_of(resource):
    return {"totalResults": 1, "startIndex": 1, "itemsPerPage": 1, "Resources": [resource]}


CALLS = {
    "list": (lambda api: api.token_management.list(), {"token_infos": [TOKEN, TOKEN | {"token_id": "b"}]}),
    "pieces": (lambda api: api.pieces(), {"token_infos": [TOKEN]}),
    "get": (lambda api: api.token_management.get(ID).as_dict(), {"token_info": TOKEN}),
    "delete": (lambda api: api.token_management.delete(ID), {}),
    "create": (lambda api: api.token_management.create_obo_token("0-0"), {"token_value": "v", "token_info": TOKEN}),
    "update": (lambda api: api.token_management.update_token_management(ID, {"comment": "x"}, "comment"), TOKEN),
    "wrapped update": (
        lambda api: api.token_management.update_token_management(ID, {"comment": "x"}, "comment"),
        {"token_info": TOKEN},
    ),
    "levels": (lambda api: api.token_management.get_permission_levels(), LEVELS),
    "get_permissions": (lambda api: api.token_management.get_permissions(), ACL),
    "set_permissions": (lambda api: api.token_management.set_permissions([]), ACL),
    "update_permissions": (lambda api: api.token_management.update_permissions([]), ACL),
    "permissions": (lambda api: api.permissions(), ACL),
    "users": (lambda api: api.users(), page_of(USER)),
    "service principals": (lambda api: api.service_principals(), page_of(PRINCIPAL)),
    "groups": (lambda api: api.groups(), page_of(GROUP)),
    "owners": (lambda api: api.owners(), page_of(USER)),
    "me": (lambda api: api.me(), USER),
    "settings": (lambda api: api.token_settings(), {"maxTokenLifetimeDays": "90", "enableTokensConfig": "true"}),
    "scopes": (lambda api: api.secret_scopes(), {"scopes": [{"name": "x", "backend_type": "DATABRICKS"}]}),
    "put_secret": (lambda api: api.put_secret("a", "b", "c"), {}),
}

nested = st.integers(1, 150).map(lambda depth: json.loads('{"a":[' * depth + "]}" * depth))
odd = st.sampled_from(
    [
        SECRET, f"x{SECRET}y", {SECRET: SECRET}, [SECRET], "\u00b2", "\ud800", "a\ud800b", {"\udfff": 1}, "-1", "1e999",
        "9" * 5_000, "nan", "0x1F", "", " ", "true", 0, -1, 2**63, -(2**63), 10**400, 1e400, -1e400, 0.5, 1.0, True,
        float("nan"), {}, [], [[]], [None], {"": None}, "x" * 100_000, {f"f{n}": n for n in range(300)}, "2026-01-01",
        "\x00", "\u202e",
    ]
)  # fmt: skip
values = st.one_of(
    odd,
    nested,
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), odd),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
        max_leaves=6,
    ),
)


def places_in(document, place=()):
    yield place
    if isinstance(document, dict | list):
        for key in document if isinstance(document, dict) else range(len(document)):
            yield from places_in(document[key], (*place, key))


def changed(document, place, value):
    """Return a document with another value at a place, or without the place where the value is ``GONE``."""
    if not place:
        return {**document, "new": value} if value is not GONE else document
    key, *rest = place
    value = changed(document[key], rest, value) if rest else value
    items = [] if value is GONE else [value]
    if isinstance(document, list):
        return [*document[:key], *items, *document[key + 1 :]]
    return {name: there for name, there in document.items() if name != key} | dict.fromkeys([key][: len(items)], value)


def mutants(document):
    """Answers of which one place holds something else or is gone, now and then all of it."""
    places = st.sampled_from(list(places_in(document)))
    one = st.builds(lambda place, value: changed(document, place, value), places, st.one_of(values, st.just(GONE)))
    return st.one_of(one, one, one, values)


@pytest.fixture(scope="module")
def wire():
    class Wire:
        answer = b""

    wire = Wire()
    server = Server(lambda _: wire.answer)
    wire.api = WorkspaceAPI(credentials.from_token(server.host, SECRET), retries=RetryPolicy(budget_seconds=0))
    yield wire
    wire.api.close()
    server.close()


def failure_of(call, api):
    try:
        call(api)
    except errors.TokenKitError as error:
        return error


def assert_only_our_errors(api, call):
    error = failure_of(call, api)
    if error is None:
        return
    assert (error.__cause__, error.__context__) == (None, None)
    told = "".join(traceback.TracebackException.from_exception(error).format())
    assert SECRET not in f"{told} {error!r} {vars(error)} {pickle.dumps(error)!r}"
    assert str(error).encode("utf-8")
    assert "\n" not in str(error)
    assert len(str(error)) < 1_500


@pytest.mark.parametrize("name", CALLS)
@settings(derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_json_in_any_place_of_an_answer_is_read_or_is_an_error_of_ours(wire, name, data):
    call, document = CALLS[name]
    wire.answer = reply(data.draw(mutants(document)))
    assert_only_our_errors(wire.api, call)


@settings(derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_json_in_any_place_of_a_refusal_is_an_error_of_ours(wire, data):
    status = data.draw(st.sampled_from([300, 302, 400, 401, 403, 404, 407, 409, 418, 429, 500, 502, 503, 504, 599]))
    reason = data.draw(st.sampled_from(["", "Bad", SECRET, "\u00b2\u00ff"]))
    header = data.draw(st.sampled_from(["X-Databricks-Reason-Phrase: ", "Retry-After: ", "Location: ", "Date: "]))
    wire.answer = reply(
        data.draw(mutants(REFUSAL)),
        header + data.draw(st.sampled_from([SECRET, "\u00b2", "9" * 5_000, "-1", "soon", "http://[::1", ""])),
        status=f"{status} {reason}",
    )
    name = data.draw(st.sampled_from(sorted(CALLS)))
    assert_only_our_errors(wire.api, CALLS[name][0])


@settings(derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_bytes_are_an_error_of_ours(wire, data):
    markup = st.lists(
        st.sampled_from(["<", "<!", "[", "<title", ">", "&#", "9" * 50, "<![x[", "<pre>", "]]>", SECRET, "{"])
    )
    text = st.one_of(markup.map("".join), st.integers(0, 200_000).map(lambda count: "[" * count), st.text())
    body = data.draw(st.one_of(text.map(lambda text: text.encode("utf-8", "replace")), st.binary()))
    wire.answer = reply(body, status=data.draw(st.sampled_from(["200 OK", "403 No", "404 No", "500 No"])))
    name = data.draw(st.sampled_from(sorted(CALLS)))
    assert_only_our_errors(wire.api, CALLS[name][0])
