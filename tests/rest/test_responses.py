"""Which error a response becomes, and its message."""

import json
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest

from tokenkit import errors
from tokenkit.rest import responses

SAMPLES = Path(__file__).parent.parent / "samples" / "errors"
REQUEST = "GET /api/2.0/token-management/tokens"
CREDENTIAL = "opaque-Credential.of/no+known=form"


def error_for(status, body, *, headers=None, request=REQUEST, reason="Reason"):
    content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return responses.api_error(
        status,
        content,
        reason=reason,
        headers=headers or {},
        request=request,
        credential=CREDENTIAL,
        name="https://prod.example.com",
    )


def sampled(name, **settings):
    sample = json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))
    return error_for(sample["status"], sample["body"], headers=sample["headers"], **settings)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (404, "PERMISSION_DENIED", errors.PermissionDeniedError),  # the code has priority
        (404, "NOT_FOUND", errors.NotFoundError),
        (404, "RESOURCE_DOES_NOT_EXIST", errors.NotFoundError),
        (404, "FEATURE_DISABLED", errors.FeatureDisabledError),
        (404, "ENDPOINT_NOT_FOUND", errors.EndpointNotFoundError),
        (404, "", errors.EndpointNotFoundError),
        (404, "NEW_CODE", errors.EndpointNotFoundError),
        (404, 404, errors.EndpointNotFoundError),
        (404, ["NOT_FOUND"], errors.EndpointNotFoundError),
        (404, {"NOT_FOUND": True}, errors.EndpointNotFoundError),
        (404, None, errors.EndpointNotFoundError),
        (400, "NOT_FOUND", errors.BadRequestError),
        (410, "NOT_FOUND", errors.ApiError),
        (503, "", errors.UnavailableError),
        (500, "NEW_CODE", errors.UnavailableError),
        (418, "", errors.ApiError),
        (999, "", errors.ApiError),
    ],
)
def test_a_code_has_priority_over_a_status_unless_it_is_unknown(status, code, expected):
    assert type(error_for(status, {"error_code": code, "message": "x"})) is expected


@pytest.mark.parametrize(
    "body",
    [
        "",
        " ",
        "null",
        "[]",
        '["NOT_FOUND"]',
        '"NOT_FOUND"',
        "NOT_FOUND",
        "<html><title>NOT_FOUND</title></html>",
        '{"error_code": "NOT_FOUND"',
        '{"message": "NOT_FOUND"}',
        '[{"error_code": "NOT_FOUND"}]',
        '{"error": {"error_code": "NOT_FOUND"}}',
        "<![x[",
        b"\xff\xfe",
        "[" * 100_000,
    ],
)
def test_a_404_that_is_not_an_object_with_such_a_code_says_nothing_about_a_token(body):
    assert type(error_for(404, body)) is errors.EndpointNotFoundError


@pytest.mark.parametrize(
    ("sample", "expected", "next_step"),
    [
        ("invalid-token", errors.AuthenticationError, "invalid, expired or revoked"),
        ("credential-not-sent", errors.AuthenticationError, "invalid, expired or revoked"),
        ("invalid-org", errors.AuthenticationError, "belongs to another workspace"),
        ("private-link", errors.AccessBlockedError, "private endpoint"),
        ("proxy-block", errors.AccessBlockedError, "not from Databricks"),
        ("scopes", errors.MissingScopeError, "the scope 'authentication'"),
        ("error-info", errors.NotAnAdminError, "workspace admin"),
        ("gateway", errors.UnavailableError, "Try again later"),
        ("scim-limit-as-500", errors.RateLimitedError, "fewer requests"),
        ("retry-after-date", errors.RateLimitedError, "fewer requests"),
    ],
)
def test_a_recorded_error_response_names_its_cause_the_request_and_the_next_step(sample, expected, next_step):
    error = sampled(sample)
    assert type(error) is expected
    assert next_step in str(error)
    assert error.request == REQUEST
    assert str(error).startswith("https://prod.example.com returned an error (")
    assert str(error).endswith(f" Request: {REQUEST}.")


@pytest.mark.parametrize(
    ("status", "body", "expected", "next_step"),
    [
        (403, {"error_code": 403, "message": "Source IP address: 10.1.2.3 is blocked by Databricks IP ACL"},
         errors.AccessBlockedError, "IP access list"),
        (403, {"error_code": 403, "message": "user not found"}, errors.AuthenticationError, "not in this workspace"),
        (403, {"error_code": "PERMISSION_DENIED", "message": "Invalid access token. [ReqId: 00]"},
         errors.AuthenticationError, "sign in again"),
        (403, "<html><title>Error 403 Invalid access token.</title>", errors.AuthenticationError, "sign in again"),
        (400, "Invalid Token", errors.AuthenticationError, "sign in again"),
        (400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "Invalid token lifetime"},
         errors.InvalidParameterError, "Invalid token lifetime"),
        (400, {"error_code": "NEW", "message": "Provided access token does not have required scopes: a"},
         errors.MissingScopeError, "required scopes: a"),
        (403, {"error_code": "PERMISSION_DENIED", "message": "Requesting user 'a@b' is not an admin."},
         errors.NotAnAdminError, "workspace admin"),
        (407, "", errors.AccessBlockedError, "HTTPS_PROXY"),
        (400, {"error_code": "X", "message": "Unknown worker environment WorkerEnvId(1)"},
         errors.UnavailableError, "being set up"),
        # As official clients know it, in any status.
        (400, {"error_code": "BAD_REQUEST", "message": "Current organization 5 does not have any associated worker "
               "environments"}, errors.UnavailableError, "being set up"),
        (400, {"error_code": "X", "message": "There is no worker environment with id workerenv-5"},
         errors.UnavailableError, "being set up"),
        (500, {"error_code": "X", "message": "com.databricks.backend.manager.util.UnknownWorkerEnvironmentException"},
         errors.UnavailableError, "being set up"),
        (404, {"error_code": "NOT_FOUND", "message": "worker env WorkerEnvId(workerenv-5) not found"},
         errors.UnavailableError, "being set up"),
        (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Organization 5 does not exist"},
         errors.EndpointNotFoundError, "Check that the host"),
        (404, "The account does not exist or the user does not belong to this account",
         errors.EndpointNotFoundError, "Check that the host"),
        (403, {"error_code": 403, "message": "Unauthorized access to Org: 5"}, errors.AuthenticationError,
         "another workspace"),
        (403, "io.jsonwebtoken.IncorrectClaimException: Expected iss claim to be: https://sts.windows.net/a",
         errors.AuthenticationError, "Another tenant"),
        (500, {"error_code": "INTERNAL_ERROR", "message": "FEATURE_DISABLED: ACLs for tokens are disabled or not "
               "available in this tier"}, errors.FeatureDisabledError, "Premium plan"),
        (403, {"error_code": "PERMISSION_DENIED", "message": "ACL is not supported in your workspace."},
         errors.FeatureDisabledError, "Premium plan"),
        (403, {"error_code": 403, "message": "Personal access tokens have been disabled for this workspace"},
         errors.FeatureDisabledError, "enableTokensConfig"),
        (403, {"error_code": "PERMISSION_DENIED", "message": "Blocked by the network policy of the account"},
         errors.AccessBlockedError, "allowed network"),
        (403, {"error_code": "PERMISSION_DENIED", "message": "This API requires the following scope(s): a"},
         errors.MissingScopeError, "scope(s): a"),
        (403, {"error_code": "PERMISSION_DENIED", "message": "This API can only be called by workspace admins."},
         errors.NotAnAdminError, "workspace admin"),
        (503, "<html><title>ERROR: The requested URL could not be retrieved</title>", errors.UnavailableError,
         "HTTPS_PROXY"),
        (405, "Method Not Allowed", errors.EndpointNotFoundError, "Check that the host"),
        # Other forms of JSON.
        (403, {"errorCode": "PERMISSION_DENIED", "errorMessage": "User is not an admin"}, errors.NotAnAdminError,
         "User is not an admin"),
        (401, {"error": "invalid_token", "error_description": "It expired"}, errors.AuthenticationError, "It expired"),
        (429, {"error": {"code": 429, "message": "Quota of the gateway"}}, errors.RateLimitedError, "of the gateway"),
        (403, {"error_code": "PERMISSION_DENIED", "message": "", "details": [{"reason": "IP_ACL"}]},
         errors.PermissionDeniedError, "IP_ACL"),
        (418, "short and stout", errors.ApiError, "short and stout"),
        (400, "Wrong id:\nit is too short\n", errors.BadRequestError, "Wrong id: it is too short"),
        (400, "[ReqId: 5] Wrong id", errors.BadRequestError, "Wrong id"),
        (400, {"error_code": 400, "message": "Invalid access to Org: 5"}, errors.AuthenticationError, "another work"),
        (403, {"error_code": "PERMISSION_DENIED", "message": "The access token was revoked"},
         errors.AuthenticationError, "sign in again"),
        (403, {"error_code": "PERMISSION_DENIED", "message": "Cannot change a token that is expired"},
         errors.PermissionDeniedError, "admin"),
        (403, {"error_code": "PERMISSION_DENIED", "message": "This call requires scopes that are lacking: a"},
         errors.MissingScopeError, "lacking: a"),
        (404, {"error_code": "NOT_FOUND", "message": "No API found for 'DELETE /x'"},
         errors.EndpointNotFoundError, "address"),
        (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Workspace 5 does not exist"},
         errors.EndpointNotFoundError, "address"),
        (403, {"error_code": 403, "message": "Unauthorized network access to workspace: 5"},
         errors.AccessBlockedError, "private endpoint"),
        (403, {"error_code": "PERMISSION_DENIED", "message": "Public access is not allowed for workspace: 5"},
         errors.AccessBlockedError, "private endpoint"),
        (403, {"error_code": 403, "message": "Access is blocked by the context-based ingress policy"},
         errors.AccessBlockedError, "allowed network"),
        (403, {"error_code": 403, "message": "Unauthorized access token"}, errors.AuthenticationError, "sign in again"),
        (403, {"error_code": 403, "message": "User does not belong to workspace 5"},
         errors.AuthenticationError, "not in this workspace"),
        (403, {"error_code": "PERMISSION_DENIED", "message": "Service principal 7 is not a member of this workspace"},
         errors.AuthenticationError, "not in this workspace"),
        (403, {"error_code": "PERMISSION_DENIED", "message": "The token lacks scope 'authentication'"},
         errors.MissingScopeError, "the scope 'authentication'"),
        (403, {"error_code": 403, "message": "This token is missing scopes: access-management"},
         errors.MissingScopeError, "the scope 'authentication'"),
        (403, {"error_code": "PERMISSION_DENIED", "message": "User must be a workspace admin to call this API"},
         errors.NotAnAdminError, "workspace admin"),
        (403, {"error_code": 403, "message": "This operation requires admin privileges"},
         errors.NotAnAdminError, "workspace admin"),
        (403, {"error_code": "PERMISSION_DENIED", "message": "Personal access token authentication is disabled here"},
         errors.FeatureDisabledError, "enableTokensConfig"),
        (403, b"\xef\xbb\xbf<html><head><title>Blocked by policy</title></head></html>",
         errors.AccessBlockedError, "not from Databricks"),
    ],
)  # fmt: skip
def test_a_message_is_more_specific_than_the_code_or_the_status(status, body, expected, next_step):
    error = error_for(status, body)
    assert type(error) is expected
    assert next_step in str(error)


def test_six_causes_are_six_different_sentences():
    causes = ["invalid-token", "invalid-org", "scopes", "private-link", "proxy-block", "error-info"]
    assert len({str(sampled(name)).split(". ")[-2] for name in causes}) == len(causes)


def test_the_message_names_the_scope_that_the_call_requires():
    assert "'access-management'" in str(sampled("scopes", request="PUT /api/2.0/permissions/authorization/tokens"))
    assert "Use a credential with that scope." in str(sampled("scopes", request="GET /api/2.0/secrets/scopes/list"))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("1000000000", 600),
        ("9" * 5_000, None),
        ("²", None),
        ("0", None),
        ("-3", None),
        ("1.5", None),
        ("soon", None),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30),
        ("Wed, 21 Oct 2026 07:27:00 GMT", None),
        ("Wed, 21 Oct 9999 07:27:00 GMT", 600),
        ("Wed, 99 Oct 2026 07:28:00 GMT", None),
        ("Wed, 21 Oct 99999999999 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_by_the_servers_clock_and_never_longer_than_ten_minutes(header, seconds):
    error = error_for(429, "", headers={"Retry-After": header, "Date": "Wed, 21 Oct 2026 07:28:00 GMT"})
    assert error.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        ({"error_code": CREDENTIAL, "message": "x"}, {}, ""),
        ({"error_code": "X", "message": f"not {CREDENTIAL}!"}, {}, ""),
        ({"error_code": "X", "detail": CREDENTIAL}, {}, ""),
        ({"error_code": "X", "details": [{"seen": [CREDENTIAL], CREDENTIAL: 1}]}, {}, ""),
        ('{"error_code": "X", "details": [{"seen": "\\u006fpaque-Credential.of\\/no+known=form"}]}', {}, ""),
        (f"<html><title>{CREDENTIAL}</title>", {}, ""),
        ("<title>&#111;paque-Credential.of/no+known=form</title>", {}, ""),
        (f"no, {CREDENTIAL}", {}, ""),
        ("", {"X-Databricks-Reason-Phrase": CREDENTIAL}, ""),
        ("", {}, f"Bad {CREDENTIAL}"),
        ({"message": ["x" * 495 + CREDENTIAL]}, {}, ""),
        ({"message": "x" * 495 + CREDENTIAL}, {}, ""),
    ],
)
def test_a_credential_that_an_error_response_repeats_is_redacted(body, headers, reason):
    error = error_for(400, body, headers=headers, reason=reason)
    assert CREDENTIAL not in f"{error!r} {error} {vars(error)}"
    assert CREDENTIAL[:12] not in str(error)


@pytest.mark.parametrize(
    "body",
    [
        {"error_code": "X\ud800", "message": "half \ud800 of a pair"},
        {"message": "password=" * 100_000},
        {"message": {"not": ["a", "text"]}, "error_code": 1e400},
        {"message": "line\nbreak\r\nand\x00more"},
        {"message": "long " * 100_000},
        "[" * 100_000,
        '{"message": "' + "x" * 10 + '", "details": ' + "[" * 500 + "]" * 500 + "}",
        "<![x[",
        "<title>&#" + "9" * 5_000 + ";</title>",
        "<title" * 10_000,
        b"\xff\xfe\x00",
    ],
)
def test_any_error_response_becomes_one_line_that_can_be_encoded(body):
    text = str(error_for(400, body))
    assert "\n" not in text
    assert len(text) < 1_500
    assert text.encode("utf-8").decode("utf-8") == text


@pytest.mark.parametrize("text", ["private-link-validation-error", "login", "see the sign-in page", "oidc", "sso"])
@pytest.mark.parametrize(
    ("status", "expected"),
    [(400, errors.BadRequestError), (404, errors.EndpointNotFoundError), (500, errors.UnavailableError)],
)
def test_what_the_text_of_a_redirect_would_mean_counts_only_in_a_redirect(status, expected, text):
    assert type(error_for(status, {"message": text})) is expected


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308, 399])
def test_every_status_of_a_redirect_is_one(status):
    assert type(error_for(status, "", headers={"Location": "/login.html"})) is errors.AuthenticationError
    assert type(error_for(status, "", headers={"Location": "/elsewhere"})) is errors.AccessBlockedError


def test_a_long_text_of_a_server_is_cut_and_says_so():
    assert responses.quoted("x" * 501) == "x" * 500 + "…"
    assert responses.quoted("x" * 500) == "x" * 500


@pytest.mark.parametrize("body", ['{"message": "cut', '[{"message": "cut', '["message", "cut'])
def test_json_that_was_cut_is_not_quoted(body):
    assert "cut" not in str(error_for(400, body))
    assert "plain [text]" in str(error_for(400, "plain [text]"))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (7, 7),
        ("7", 7),
        ("9" * 19, int("9" * 19)),
        ("9" * 20, None),
        ("-7", None),
        ("\u0667", None),
        (True, None),
        (7.0, None),
    ],
)
def test_a_whole_number_has_at_most_nineteen_ascii_digits(text, number):
    assert responses.whole_number(text) == number
    assert isinstance(responses.whole_number(text), type(number))


def test_a_document_that_is_nested_too_deeply_is_malformed():
    shallow, deep = b"[" * 60 + b"]" * 60, b"[" * 70 + b"]" * 70
    assert responses.document(b'{"x":' + shallow + b"}", "GET", "GET /", "w")["x"]
    for nested in (deep, b"[" * 100_000, b'{"a":' * 900 + b"1" + b"}" * 900):
        found = responses.document(b'{"x":' + nested + b"}", "GET", "GET /", "w")
        assert isinstance(found, errors.InvalidResponseError)


def raising(error):
    raise error


def test_every_error_can_be_pickled_and_raised_in_another_process():
    samples = [sampled(path.stem) for path in SAMPLES.glob("*.json") if path.stem != "login-page"]
    for error in [*samples, error_for(404, {"error_code": "NOT_FOUND", "details": [{"a": 1}]})]:
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
    with (
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool,
        pytest.raises(errors.AuthenticationError, match="another workspace") as raised,
    ):
        pool.submit(raising, sampled("invalid-org")).result(timeout=60)
    assert raised.value.status == 403


@pytest.mark.parametrize(
    ("location", "expected", "message"),
    [
        ("/login.html?next_url=x", errors.AuthenticationError, "login page"),
        ("https://sso.example.com/saml?x", errors.AuthenticationError, "login page"),
        (
            "http://captive.example/hello?secret=1",
            errors.AccessBlockedError,
            "redirect to http://captive.example/hello.",
        ),
        ("", errors.AccessBlockedError, "redirect without a location"),
    ],
)
def test_a_redirect_is_about_the_credential_only_if_it_leads_to_a_login_page(location, expected, message):
    error = error_for(302, "", headers={"Location": location})
    assert type(error) is expected
    assert message in str(error)
    assert "secret" not in str(error)


def test_a_missing_scope_is_recognized_by_the_challenge_alone():
    error = error_for(403, "", headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'})
    assert type(error) is errors.MissingScopeError


@pytest.mark.parametrize("blanks", [0, 90, 190])
def test_no_part_of_a_credential_in_a_page_is_shown(blanks):
    error = error_for(403, f"<html><title>{'x ' * blanks}{CREDENTIAL}</title>")
    assert CREDENTIAL[:8] not in str(error)


def test_the_credential_is_redacted_if_it_is_percent_encoded():
    assert CREDENTIAL[:8] not in str(error_for(400, {"message": quote(CREDENTIAL, safe="")}))


def test_a_credential_with_invisible_characters_between_its_letters_is_redacted():
    error = error_for(400, {"error_code": "X", "message": "echo " + "\u200b".join(CREDENTIAL)})
    assert "echo [redacted]" in str(error)
