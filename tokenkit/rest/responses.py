"""Turns a response into the requested JSON object, or into an error with a next step.

A workspace responds with JSON, SCIM's JSON, plain text or an HTML page; a proxy or a load balancer responds with a page
or an empty body. ``CAUSES`` maps error responses to their causes. The message of a response is more specific than its
``error_code``, which often repeats the status; a code is more specific than a status.
"""

from __future__ import annotations

import codecs
import json
import re
import time
from collections.abc import Collection, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from tokenkit import errors
from tokenkit.core.redaction import REDACTED, redact

_MAX_DEPTH = 64  # levels of JSON; responses of these APIs have at most six
_MAX_QUOTE_LENGTH = 500
_MAX_RETRY_AFTER_SECONDS = 600.0
_LOG_WAIT_AFTER_SECONDS = 60.0

PAGE, FOREIGN = "an HTML page", "a body that is not in the APIs' error format"
"""The forms of error responses. Text, an empty body and unknown JSON, without a header of Databricks, are foreign."""
_CODE_FIELDS = ("error_code", "errorCode")
_API_FIELDS = (*_CODE_FIELDS, "schemas", "detail")  # every error of the APIs, including SCIM, has one
_MESSAGE_FIELDS = ("message", "detail", "errorMessage", "error_description", "error", "reason")


class Cause(NamedTuple):
    """One cause of error responses: how to recognize it, and the error that it becomes.

    Attributes:
        error: The class of the error.
        advice: The next step. ``{scope}`` is replaced with the scope that the call requires, ``{renewal}`` with how to
            renew the credential.
        codes: The error codes that match; empty means any or none.
        on: The HTTP statuses that match; empty means any.
        pattern: A pattern that the message, or the URL of a redirect, must match, ignoring case.
        form: The form that the body must have: ``PAGE`` or ``FOREIGN``; empty means any.
    """

    error: type[errors.ApiError]
    advice: str
    codes: Collection[str] = ()
    on: Collection[int] = ()
    pattern: str = ""
    form: str = ""

    def matches(self, status: int, code: str, text: str, form: str) -> bool:
        """Return whether an error response has this cause."""
        return (
            (not self.on or status in self.on)
            and (not self.codes or code in self.codes)
            and self.form in {"", form}
            and re.search(self.pattern, text, re.IGNORECASE) is not None
        )


RENEWAL = "Check DATABRICKS_TOKEN and the profile, or sign in again."
_INVALID_CREDENTIAL = "The credential is invalid, expired or revoked. {renewal}"
_ADMIN_REQUIRED = "This operation requires a workspace admin. Connect as a member of the group 'admins'."
_NOT_AN_ADMIN = (
    r"\bis not an admin\b|\bonly (be called by )?(workspace )?admins\b"
    r"|\bmust be an? (workspace )?admin\b|\badmin privileges\b"
)
_CHECK_HOST = "Check that the host is the workspace's own address and that no proxy responds in its place."
_TRY_LATER = "The workspace may be overloaded or deploying. Try again later."
_PRIVATE_LINK = (
    "The workspace accepts this credential only over its private link. Connect from the network that has the private "
    "endpoint."
)
_TOKENS_DISABLED = (
    "Personal access tokens are disabled. Have an admin enable them in the workspace settings (enableTokensConfig), or "
    "sign in with OAuth."
)
_SLOW_DOWN = "Try again later, or send fewer requests at once."
_CORRECT_REQUEST = "Correct the value that the message names, then try again."
_LIST_AGAIN = "The resource already exists or was changed at the same time. List again before retrying."

CAUSES: tuple[Cause, ...] = (
    Cause(errors.AccessBlockedError, _PRIVATE_LINK, on=range(300, 400), pattern="private-link-validation-error"),
    Cause(
        errors.AccessBlockedError,
        _PRIVATE_LINK,
        on=(400, 401, 403),
        pattern=r"\bunauthorized network access\b|\bpublic (network )?access is (not allowed|disabled)\b"
        r"|\bprivate (network access|link|endpoint)\b",
    ),
    Cause(
        errors.AuthenticationError,
        f"The redirect leads to a login page. {_INVALID_CREDENTIAL}",
        on=range(300, 400),
        pattern="log-?in|sign-?in|oauth|oidc|saml|sso",
    ),
    Cause(
        errors.AccessBlockedError,
        "The redirect does not lead to a login page. Check the host, and that no proxy or portal intervenes.",
        on=range(300, 400),
    ),
    Cause(
        errors.MissingScopeError,
        "Use a credential with {scope}.",
        on=(400, 401, 403),
        pattern=r"requir(ed|es?)( the)?( following)? scopes?\b|insufficient[ _]scope"
        r"|\b(lacks?|missing)( the)?( OAuth)? scopes?\b",
    ),
    Cause(
        errors.AccessBlockedError,
        "The workspace's IP access list does not allow this address. Connect from an allowed network (VPN), or have "
        "an admin add the address.",
        on=(400, 401, 403),
        pattern=r"\bIP ACL\b|IP access list|Source IP address\b.*\bblocked|\bblocked by\b.*\bingress policy\b"
        r"|\bnetwork polic(y|ies)\b",
    ),
    Cause(
        errors.AuthenticationError,
        "The credential belongs to another workspace. Check that the host and the token (or profile) belong together.",
        on=(400, 401, 403),
        pattern="(invalid|unauthorized) access to org",
    ),
    Cause(
        errors.AuthenticationError,
        "The credential's user or service principal is not in this workspace. Use another credential, or have an "
        "admin add it.",
        on=(401, 403),
        pattern=r"\b(user|principal) not found"
        r"|\b(does not belong to|is not (a member of|assigned to)) (the |this )?workspace",
    ),
    Cause(
        errors.AuthenticationError,
        "Another tenant or identity provider issued the credential. Sign in to the tenant of the workspace.",
        on=(400, 401, 403),
        pattern=r"\bIncorrectClaimException\b|\bexpected (iss|aud) claim\b",
    ),
    Cause(
        errors.AuthenticationError,
        _INVALID_CREDENTIAL,
        on=(401, 403),
        pattern=r"(invalid|unauthorized) access token"
        r"|^((the|your|provided) )*(access )?token ((has|is|was|been) )*(expired|revoked)\b",
    ),
    Cause(errors.AuthenticationError, _INVALID_CREDENTIAL, on=(400, 403), pattern=r"^invalid token[. ]*(\[.*)?$"),
    Cause(
        errors.AccessBlockedError,
        "The proxy requires a sign-in. Check HTTPS_PROXY, or exempt the workspace's host (NO_PROXY).",
        on=(407, 511),
    ),
    Cause(
        errors.AccessBlockedError,
        "The page is not from Databricks; a proxy or firewall sent it. Have the workspace's host allowed there, or "
        "check HTTPS_PROXY and NO_PROXY.",
        on=(403,),
        pattern=r"^(?!.*(databricks|error 403))",
        form=PAGE,
    ),
    Cause(errors.AuthenticationError, _INVALID_CREDENTIAL, on=(403,), form=PAGE),  # JSON: permissions
    Cause(
        errors.PermissionDeniedError,
        "Grant the service principal CAN_USE on tokens first. Azure does not support on-behalf-of tokens.",
        pattern="on-behalf-of token creation .* not enabled",
    ),
    Cause(
        errors.UnavailableError,
        "The workspace is still being set up. Try again in a few minutes.",
        on=range(400, 600),  # of any status, and a 404 among them says nothing about a token
        pattern=r"\b(unknown|no|any associated) ?worker ?env|\bworker ?env\b.*\bnot found\b|UnknownWorkerEnvironment"
        r"|ClusterNotReadyException",
    ),
    Cause(
        errors.RateLimitedError,
        _SLOW_DOWN,
        on=range(500, 600),
        pattern=r"REQUEST_LIMIT_EXCEEDED|RESOURCE_EXHAUSTED|too many requests|\blimit of \d+ .*requests",
    ),
    Cause(
        errors.FeatureDisabledError,
        _TOKENS_DISABLED,
        on=(400, 401, 403),
        pattern=r"\bpersonal access tokens?( authentication)? (is|are|(has|have) been) "
        r"(disabled|not (enabled|allowed|permitted))\b",
    ),
    Cause(
        errors.FeatureDisabledError,
        "The plan of the workspace does not include it. Permissions of tokens require the Premium plan.",
        pattern=r"\bnot available in this tier\b|\bACLs? (is|are) not supported\b",
    ),
    Cause(
        errors.AccessBlockedError,
        "The response is not in a format of Databricks; a proxy, gateway or firewall probably sent it. Have the "
        "workspace's host allowed there, or check HTTPS_PROXY and NO_PROXY.",
        on=(403,),
        pattern=r"^(?!.*\badmins?\b)",
        form=FOREIGN,
    ),
    Cause(errors.NotAnAdminError, _ADMIN_REQUIRED, on=(403,), pattern=_NOT_AN_ADMIN),
    # Codes come before statuses: FEATURE_DISABLED is a 404, QUOTA_EXCEEDED a 400.
    Cause(errors.InvalidParameterError, _CORRECT_REQUEST, ("INVALID_PARAMETER_VALUE",)),
    Cause(errors.BadRequestError, _CORRECT_REQUEST, ("MALFORMED_REQUEST",)),
    Cause(
        errors.QuotaExceededError,
        "Revoke unused tokens of this owner, then try again.",
        ("QUOTA_EXCEEDED", "RESOURCE_LIMIT_EXCEEDED"),
    ),
    Cause(errors.AuthenticationError, _INVALID_CREDENTIAL, ("UNAUTHENTICATED",)),
    Cause(errors.PermissionDeniedError, _ADMIN_REQUIRED, ("PERMISSION_DENIED",)),
    Cause(
        errors.EndpointNotFoundError,
        _CHECK_HOST,
        on=(404,),
        pattern=r"\bno api\b"
        r"|\b(endpoint|workspace|path|org(anization)?|account|shard|customer|tenant)\b.*\b(not found|(not|n't) exist)",
    ),
    # Only a 404 with one of these codes: the outcome "already_gone" depends on it.
    Cause(
        errors.NotFoundError,
        "It may have been deleted, or belong to another workspace. List again.",
        ("NOT_FOUND", "RESOURCE_DOES_NOT_EXIST"),
        on=(404,),
    ),
    Cause(errors.FeatureDisabledError, _TOKENS_DISABLED, ("FEATURE_DISABLED",)),
    Cause(errors.ConflictError, _LIST_AGAIN, ("RESOURCE_ALREADY_EXISTS", "RESOURCE_CONFLICT", "ABORTED")),
    Cause(errors.RateLimitedError, _SLOW_DOWN, ("REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED")),
    Cause(
        errors.UnavailableError,
        "A proxy could not reach the workspace. Check HTTPS_PROXY and NO_PROXY, or try again later.",
        on=range(500, 600),
        pattern=r"^(?!.*databricks).*\b(requested URL could not be retrieved|proxy error)\b",
        form=PAGE,
    ),
    Cause(errors.UnavailableError, _TRY_LATER, ("TEMPORARILY_UNAVAILABLE", "INTERNAL_ERROR")),
    Cause(errors.BadRequestError, _CORRECT_REQUEST, on=(400,)),
    Cause(errors.AuthenticationError, _INVALID_CREDENTIAL, on=(401,)),
    Cause(errors.PermissionDeniedError, _ADMIN_REQUIRED, on=(403,)),
    Cause(errors.EndpointNotFoundError, _CHECK_HOST, on=(404, 405)),
    Cause(errors.ConflictError, _LIST_AGAIN, on=(409,)),
    Cause(errors.RateLimitedError, _SLOW_DOWN, on=(429,)),
    Cause(errors.UnavailableError, _TRY_LATER, on=range(500, 600)),
    Cause(errors.ApiError, "tokenkit does not know this error. Ask the administrators of the workspace or network."),
)
"""The causes of error responses. The first that matches applies."""

_SCOPES = {"/api/2.0/token-management": "authentication", "/api/2.0/permissions": "access-management"}


def is_transient(error: errors.ApiError) -> bool:
    """Return whether a later attempt may succeed."""
    return isinstance(error, errors.RateLimitedError) or (
        isinstance(error, errors.UnavailableError) and error.status not in {500, 501}
    )


def parse_json(content: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a JSON text.

    Raises:
        ValueError: The text is not JSON, or its nesting would exhaust the stack of code that traverses it.
    """
    try:
        value = json.loads(content)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None
    check_depth(value)
    return value


def check_depth(value: object) -> None:
    """Check that a JSON value is not nested too deeply.

    Raises:
        ValueError: It is nested too deeply.
    """
    level: list[object] = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise ValueError("JSON that is nested too deeply")


def quoted(text: object, credential: str = "") -> str:
    """Return text from a server for use in a message: one line, of limited length, without credentials.

    All server text in messages passes through this function. A value that is not text gives an empty string.
    """
    if not isinstance(text, str):
        return ""
    for spelling in filter(None, (credential, quote(credential, safe=""))):
        text = text.replace(spelling, REDACTED)
    # JSON can contain half a surrogate pair, which UTF-8 cannot encode.
    text = text.encode("utf-8", "replace").decode("utf-8")
    line = redact(" ".join(text.split())[: 8 * _MAX_QUOTE_LENGTH], credential)
    return line if len(line) <= _MAX_QUOTE_LENGTH else f"{line[:_MAX_QUOTE_LENGTH]}…"


def whole_number(text: object) -> int | None:
    """Return an integer, or a text of ASCII digits (headers, 64-bit numbers in JSON) as one; None for other values."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    is_number = isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 20
    return int(str(text)) if is_number else None


def document(
    content: bytes, method: str, request: str, name: str, credential: str = ""
) -> dict[str, Any] | errors.InvalidResponseError:
    """Return the JSON object of a successful response, or an error if there is none.

    Args:
        content: The complete body.
        method: The request's method. The response to a DELETE may be empty.
        request: The request's method and path, for the message.
        name: The name of the workspace in messages.
        credential: The credential of the request, which is redacted wherever the response repeats it.
    """
    if not content.strip() and method == "DELETE":
        return {}  # whether a DELETE returns `{}` or an empty body is not documented
    value = _json(content, credential)
    return value if isinstance(value, dict) else malformed(content, request, name)


def malformed(content: bytes, request: str, name: str) -> errors.InvalidResponseError:
    """Return the error for a successful response that is not a JSON object; the beginning of the body is sufficient."""
    if not content.strip():
        return errors.InvalidResponseError(
            f"{name} responded to {request} with an empty body. Try again. If the error persists, check that the host "
            "is a Databricks workspace."
        )
    page = _looks_like_html(content)
    kind = "a web page, possibly a login page" if page else "a body that is not a complete JSON object"
    return errors.InvalidResponseError(f"{name} responded to {request} with {kind}. {_CHECK_HOST}")


def api_error(
    status: int,
    content: bytes,
    *,
    reason: str,
    headers: Mapping[str, str],
    request: str,
    credential: str,
    name: str,
    renewal: str = RENEWAL,
) -> errors.ApiError:
    """Return the error for an error response: JSON, SCIM's JSON, a page, text, or an empty body.

    Args:
        status: The HTTP status; below 400 it is a redirect.
        content: The body.
        reason: HTTP's name of the status, which is quoted if the response has no message.
        headers: The response's headers, with case-insensitive names.
        request: The request's method and path.
        credential: The credential of the request, which is redacted.
        name: The name of the workspace in messages.
        renewal: How to renew the credential.
    """
    body = _json(content, credential)
    found: dict[str, Any] = body if isinstance(body, dict) else {}
    code = next(filter(None, (quoted(found.get(name), credential) for name in _CODE_FIELDS)), "")
    is_page = body is None and _looks_like_html(content)
    location, challenge = headers.get("Location", ""), headers.get("WWW-Authenticate", "")
    if status < 400:
        target = quoted(location.partition("?")[0], credential)
        text = f"redirect to {target}" if target else "redirect without a location"
    else:
        text = _text(found, content, credential, is_page=is_page)
    text = (
        text
        or quoted(headers.get("X-Databricks-Reason-Phrase"), credential)
        or quoted(challenge if "error" in challenge else "", credential)
        or quoted(reason, credential)
    )
    evidence = location if status < 400 else text
    is_known = any(name in found for name in _API_FIELDS) or _is_from_databricks(headers)
    form = PAGE if is_page else "" if is_known else FOREIGN
    cause = next(cause for cause in CAUSES if cause.matches(status, code, evidence, form))
    scope = next((f"the scope {scope!r}" for path, scope in _SCOPES.items() if path in request), "that scope")
    requested_seconds = _retry_after_seconds(headers)
    is_long = requested_seconds is not None and requested_seconds > _LOG_WAIT_AFTER_SECONDS
    details = found.get("details")
    sentences = [
        f"{name} returned an error ({code or status}): {(text or 'no reason given').rstrip('.')}.",
        cause.advice.format(scope=scope, renewal=renewal),
        f"The response asks to wait {requested_seconds:,.0f} s." if is_long else "",
        f"Request: {request}.",
    ]
    error = cause.error(
        " ".join(filter(None, sentences)),
        status=status,
        error_code=code,
        details=[detail for detail in details if isinstance(detail, dict)] if isinstance(details, list) else (),
        workspace=name,
        request=request,
        happened=sentences[0],
    )
    if is_transient(error) and requested_seconds is not None:
        error.retry_after_seconds = min(requested_seconds, _MAX_RETRY_AFTER_SECONDS)
    return error


def _is_from_databricks(headers: Mapping[str, str]) -> bool:
    """Return whether the headers show that Databricks itself sent the response."""
    if server := headers.get("Server", ""):
        return "databricks" in server.lower()
    return any(name.lower().startswith("x-databricks-") for name in headers)


def _text(found: Mapping[str, Any], content: bytes, credential: str, *, is_page: bool) -> str:
    """Return the message in the body of an error response."""
    if is_page:
        from tokenkit.rest import pages  # noqa: PLC0415 - rarely needed

        return quoted(pages.title(content), credential)
    if found:
        inner = [found.get("error"), *(found["details"] if isinstance(found.get("details"), list) else ())]
        holders = [found, *(holder for holder in inner if isinstance(holder, dict))]  # as Google's APIs send it
        messages = (quoted(holder.get(name), credential) for holder in holders for name in _MESSAGE_FIELDS)
        return next(filter(None, messages), "")
    text = " ".join(content.decode("utf-8", "replace").split())
    is_shown = text.isprintable() and not text.startswith(("{", "[{", '["'))  # not truncated JSON
    return quoted(text, credential) if is_shown else ""


def _json(content: bytes, credential: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON body with the credential redacted, also where it is escaped; None if the body is not JSON."""
    try:
        value = parse_json(content)
    except ValueError:
        return None
    may_contain_it = credential and (credential.encode() in content or b"\\" in content)
    return _without(value, credential) if may_contain_it else value


def _without(value: Any, credential: str) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return value.replace(credential, REDACTED)
    if isinstance(value, list):
        return [_without(item, credential) for item in value]
    if isinstance(value, dict):
        return {name.replace(credential, REDACTED): _without(item, credential) for name, item in value.items()}
    return value


def _retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the wait that ``Retry-After`` requests, as seconds or as a date by the server's clock.

    An invalid, past or zero value counts as absent, so that every retry waits.
    """
    text = headers.get("Retry-After", "").strip()
    seconds: float | None = whole_number(text)
    if seconds is None:
        until, now = _moment(text), _moment(headers.get("Date", ""))
        seconds = None if until is None else until - (time.time() if now is None else now)
    return seconds if seconds is not None and seconds > 0 else None


def _moment(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _looks_like_html(content: bytes) -> bool:
    return content.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"<"
