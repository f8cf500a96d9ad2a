import json

import pytest

from tokenkit.sandbox.responses import ApiError, Request, Response, ScimError, encode

from .conftest import OBO


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[1]",
        b"5",
        b"null",
        b"nonsense",
        b"\xff",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": "\\ud800"}',
        b"{}x",
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": ' + b"1" * 5000 + b"}",
    ],
)
def test_a_body_that_is_not_a_json_object_is_malformed(admin, body):
    headers = {"Content-Type": "application/json"}
    assert admin.error("POST", OBO, data=body, headers=headers) == (400, "MALFORMED_REQUEST")


def test_a_body_that_is_nested_as_deeply_as_some_interpreters_read_is_rejected(admin):
    body = b'{"a": ' + b"[" * 950 + b"]" * 950 + b"}"
    status, code = admin.error("POST", OBO, data=body, headers={"Content-Type": "application/json"})
    assert status == 400
    assert code in {"MALFORMED_REQUEST", "INVALID_PARAMETER_VALUE"}  # which of them, the depth of Python's stack says


def test_an_empty_body_is_an_empty_object():
    assert Request("POST", "/", body=b" \n").json() == {}


def test_json_is_compact_utf8():
    assert encode({"a": ["é", 1]}) == '{"a":["é",1]}'.encode()


def test_errors_have_the_platforms_two_forms():
    usual = ApiError(404, "NOT_FOUND", "Token does not exist", {"Retry-After": "1"}).response()
    assert json.loads(usual.body) == {"error_code": "NOT_FOUND", "message": "Token does not exist"}
    assert usual.headers == {"Retry-After": "1"}
    scim = ScimError(409, "exists", "uniqueness").response()
    assert json.loads(scim.body) == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "detail": "exists",
        "status": "409",
        "scimType": "uniqueness",
    }


def test_no_secret_shows_in_a_repr():
    request = Request("POST", "/", headers={"authorization": "Bearer dapi00"}, body=b"dapi00")
    assert "dapi00" not in repr(request) + repr(Response(body=b"dapi00"))
