"""Any JSON anywhere in every response that the client reads: only tokenkit errors are raised, without the credential.

The examples are the same each time. ``pytest tests/rest/test_malformed.py --hypothesis-profile=long`` tries many more.
"""

import inspect
import json
import pickle
import traceback

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rest.wire import Server, reply
from tokenkit import errors
from tokenkit.rest import credentials
from tokenkit.rest.statements import StatementsAPI
from tokenkit.rest.token_management import TokenManagementAPI
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

STATEMENT = {
    "statement_id": "s",
    "status": {"state": "SUCCEEDED"},
    "manifest": {
        "format": "JSON_ARRAY",
        "schema": {"column_count": 1, "columns": [{"name": "n", "position": 0, "type_name": "INT"}]},
        "total_row_count": 2,
        "truncated": False,
    },
    "result": {"chunk_index": 0, "row_count": 2, "data_array": [["1"], [None]]},
}
CONF = {"maxTokenLifetimeDays": "90", "enableTokensConfig": "true"}
FAILED = {"statement_id": "s", "status": {"state": "FAILED", "error": {"error_code": "X", "message": "y"}}}


def page_of(resource):
    return {"totalResults": 1, "startIndex": 1, "itemsPerPage": 1, "Resources": [resource]}


# A case for each method that reads a response, by its name; after a blank, what is special about the case.
CALLS = {
    "chunks": (lambda api: api.chunks(), {"token_infos": [TOKEN]}),
    "permissions": (lambda api: api.permissions(), ACL),
    "users": (lambda api: api.users(), page_of(USER)),
    "service_principals": (lambda api: api.service_principals(), page_of(PRINCIPAL)),
    "groups": (lambda api: api.groups(), page_of(GROUP)),
    "principals": (lambda api: api.principals(["admins"]), page_of(GROUP)),
    "principal_names": (lambda api: api.principal_names(), page_of(GROUP)),
    "owners": (lambda api: api.owners(), page_of(USER)),
    "identify": (lambda api: api.identify(), USER),
    "me": (lambda api: api.me(), USER),
    "who": (lambda api: api.who(), USER),
    "caller": (lambda api: api.caller(), USER),
    "token_settings": (lambda api: api.token_settings(), CONF),
    "read_settings": (lambda api: api.read_settings(), CONF),
    "secret_scopes": (lambda api: api.secret_scopes(), {"scopes": [{"name": "x", "backend_type": "DATABRICKS"}]}),
    "secret_keys": (lambda api: api.secret_keys("x"), {"secrets": [{"key": "k", "last_updated_timestamp": 1}]}),
    "put_secret": (lambda api: api.put_secret("a", "b", "c"), {}),
    "token_management.list": (
        lambda api: api.token_management.list(),
        {"token_infos": [TOKEN, TOKEN | {"token_id": "b"}]},
    ),
    "token_management.get": (lambda api: api.token_management.get(ID).as_dict(), {"token_info": TOKEN}),
    "token_management.delete": (lambda api: api.token_management.delete(ID), {}),
    "token_management.create_obo_token": (
        lambda api: api.token_management.create_obo_token("0-0"),
        {"token_value": "v", "token_info": TOKEN},
    ),
    "token_management.update_token_management": (
        lambda api: api.token_management.update_token_management(ID, {"comment": "x"}, "comment"),
        TOKEN,
    ),
    "token_management.update_token_management wrapped": (
        lambda api: api.token_management.update_token_management(ID, {"comment": "x"}, "comment"),
        {"token_info": TOKEN},
    ),
    "token_management.get_permission_levels": (lambda api: api.token_management.get_permission_levels(), LEVELS),
    "token_management.get_permissions": (lambda api: api.token_management.get_permissions(), ACL),
    "token_management.set_permissions": (lambda api: api.token_management.set_permissions([]), ACL),
    "token_management.update_permissions": (lambda api: api.token_management.update_permissions([]), ACL),
    "statements.warehouses": (
        lambda api: api.statements.warehouses(),
        {"warehouses": [{"id": "w", "name": "x", "state": "RUNNING"}]},
    ),
    "statements.state": (lambda api: api.statements.state("w"), {"id": "w", "state": "RUNNING"}),
    "statements.execute": (lambda api: api.statements.execute("SELECT 1", warehouse_id="w"), STATEMENT),
    "statements.execute failed": (lambda api: api.statements.execute("SELECT 1", warehouse_id="w"), FAILED),
}
READS_NO_RESPONSE = {"close", "credential_hashes", "note_workspace_of"}

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
    """Return a document with a replaced value, or without it if the replacement is ``GONE``."""
    if not place:
        return {**document, "new": value} if value is not GONE else document
    key, *rest = place
    value = changed(document[key], rest, value) if rest else value
    items = [] if value is GONE else [value]
    if isinstance(document, list):
        return [*document[:key], *items, *document[key + 1 :]]
    return {name: there for name, there in document.items() if name != key} | dict.fromkeys([key][: len(items)], value)


def mutants(document):
    """Responses with one value replaced or removed, sometimes the whole response."""
    places = st.sampled_from(list(places_in(document)))
    one = st.builds(lambda place, value: changed(document, place, value), places, st.one_of(values, st.just(GONE)))
    return st.one_of(one, one, one, values)


@pytest.fixture(scope="module")
def wire():
    class Wire:
        response = b""

    wire = Wire()
    server = Server(lambda _: wire.response)
    wire.api = WorkspaceAPI(credentials.from_token(server.host, SECRET), retries=RetryPolicy(budget_seconds=0))
    yield wire
    wire.api.close()
    server.close()


def test_every_method_that_reads_a_response_has_a_case():
    apis = {"": WorkspaceAPI, "token_management.": TokenManagementAPI, "statements.": StatementsAPI}
    methods = {
        prefix + name
        for prefix, api in apis.items()
        for name, value in vars(api).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }
    missing = methods - READS_NO_RESPONSE - {name.partition(" ")[0] for name in CALLS}
    assert missing == set(), "add a case to CALLS: the method, and a response that it reads"


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
def test_any_json_anywhere_in_a_response_is_read_or_is_a_tokenkit_error(wire, name, data):
    call, document = CALLS[name]
    wire.response = reply(data.draw(mutants(document)))
    assert_only_our_errors(wire.api, call)


@settings(derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_json_anywhere_in_an_error_response_is_a_tokenkit_error(wire, data):
    status = data.draw(st.sampled_from([300, 302, 400, 401, 403, 404, 407, 409, 418, 429, 500, 502, 503, 504, 599]))
    reason = data.draw(st.sampled_from(["", "Bad", SECRET, "\u00b2\u00ff"]))
    header = data.draw(st.sampled_from(["X-Databricks-Reason-Phrase: ", "Retry-After: ", "Location: ", "Date: "]))
    wire.response = reply(
        data.draw(mutants(REFUSAL)),
        header + data.draw(st.sampled_from([SECRET, "\u00b2", "9" * 5_000, "-1", "soon", "http://[::1", ""])),
        status=f"{status} {reason}",
    )
    name = data.draw(st.sampled_from(sorted(CALLS)))
    assert_only_our_errors(wire.api, CALLS[name][0])


@settings(derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_bytes_are_a_tokenkit_error(wire, data):
    markup = st.lists(
        st.sampled_from(["<", "<!", "[", "<title", ">", "&#", "9" * 50, "<![x[", "<pre>", "]]>", SECRET, "{"])
    )
    text = st.one_of(markup.map("".join), st.integers(0, 200_000).map(lambda count: "[" * count), st.text())
    body = data.draw(st.one_of(text.map(lambda text: text.encode("utf-8", "replace")), st.binary()))
    wire.response = reply(body, status=data.draw(st.sampled_from(["200 OK", "403 No", "404 No", "500 No"])))
    name = data.draw(st.sampled_from(sorted(CALLS)))
    assert_only_our_errors(wire.api, CALLS[name][0])
