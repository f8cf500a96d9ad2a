"""What an answer amounts to: the JSON object that was asked for, or the error that says what to do.

A workspace answers in JSON, in SCIM's JSON, in plain text, or with a page of HTML; what stands in between, a proxy or a
load balancer, with a page or with nothing. ``CAUSES`` says which refusal means what. A sentence says more than an
``error_code``, which is often just the status again, a code more than a status, and a status more than nothing.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from tokenkit import errors
from tokenkit.redaction import REDACTED, redact

_DEEPEST = 64  # levels of JSON; no answer of these APIs has more than six
_LONGEST_TEXT = 500  # of what is quoted in a message
_LONGEST_WAIT_SECONDS = 600.0  # that is believed of a Retry-After
_WORTH_A_WORD_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One reason for which requests are refused: how it is recognized, and what it means.

    Attributes:
        error: The class.
        advice: The next step. ``{scope}`` names the scope that the call needs.
        statuses: The HTTP statuses it comes with; empty means any.
        codes: The ``error_code`` it comes with; empty means any or none.
        sentence: What the message, or the address of a redirect, says.
        is_page: Whether it comes as a page of HTML; None means either way.
    """

    error: type[errors.ApiError]
    advice: str
    statuses: frozenset[int] = frozenset()
    codes: frozenset[str] = frozenset()
    sentence: re.Pattern[str] = field(default=re.compile(""))
    is_page: bool | None = None

    def explains(self, status: int, code: str, text: str, *, is_page: bool) -> bool:
        """Tell whether a refusal is of this kind."""
        return (
            (not self.statuses or status in self.statuses)
            and (not self.codes or code in self.codes)
            and self.is_page in (None, is_page)
            and self.sentence.search(text) is not None
        )


def _cause(
    error: type[errors.ApiError],
    advice: str,
    *codes: str,
    on: Collection[int] = (),
    says: str = "",
    is_page: bool | None = None,
) -> Cause:
    return Cause(
        error=error,
        advice=advice,
        statuses=frozenset(on),
        codes=frozenset(codes),
        sentence=re.compile(says, re.IGNORECASE),
        is_page=is_page,
    )


_DEAD = "The credential is wrong, expired or revoked: sign in again, or check DATABRICKS_TOKEN and the profile."
_ADMIN = "This needs a workspace admin: connect as a member of the group 'admins'."
_WHERE = "Check that the host is the workspace's address and that no proxy answers for it."
_LATER = "Try again later; the workspace may be overloaded or deploying."
_SLOWER = "Try again later, or with fewer requests at once."
_CORRECT = "Correct what the workspace names, then try again."
_CHANGED = "List again: somebody else made or changed the same thing."

CAUSES: tuple[Cause, ...] = (
    _cause(
        errors.AccessBlockedError,
        "The workspace accepts this credential only through its private link: connect from the network that has the "
        "private endpoint.",
        on=range(300, 400),
        says="private-link-validation-error",
    ),
    _cause(
        errors.AuthenticationError,
        f"That is a login page. {_DEAD}",
        on=range(300, 400),
        says="log-?in|sign-?in|oidc|saml|sso",
    ),
    _cause(
        errors.AccessBlockedError,
        "Nobody signs in there: check the workspace's address, and that no proxy or portal answers for it.",
        on=range(300, 400),
    ),
    _cause(
        errors.MissingScopeError,
        "Use a credential with {scope}.",
        on=(400, 401, 403),
        says=r"requir(ed|es?)( the)? scopes?\b|insufficient[ _]scope",
    ),
    _cause(
        errors.AccessBlockedError,
        "The workspace's IP access list does not allow this address: connect from an allowed network (VPN), or have "
        "an admin add the address.",
        on=(400, 401, 403),
        says=r"\bIP ACL\b|IP access list|Source IP address\b.*\bblocked",
    ),
    _cause(
        errors.AuthenticationError,
        "The credential belongs to another workspace: check that the host and the token (or profile) go together.",
        on=(400, 401, 403),
        says="invalid access to org",
    ),
    _cause(
        errors.AuthenticationError,
        "The credential's user or service principal is not in this workspace: have an admin add it, or use another "
        "credential.",
        on=(401, 403),
        says=r"\buser not found",
    ),
    _cause(
        errors.AuthenticationError,
        _DEAD,
        on=(401, 403),
        says=r"invalid access token|^((the|your|provided) )*(access )?token ((has|is|was|been) )*(expired|revoked)\b",
    ),
    _cause(errors.AuthenticationError, _DEAD, on=(400, 403), says=r"^invalid token[. ]*(\[.*)?$"),
    _cause(
        errors.AccessBlockedError,
        "A proxy wants you to sign in to it: check HTTPS_PROXY, or have the workspace's host exempted (NO_PROXY).",
        on=(407, 511),
    ),
    _cause(
        errors.AccessBlockedError,
        "The page is not from Databricks: a proxy or firewall on the way answered. Have it allow the workspace's host, "
        "or check HTTPS_PROXY and NO_PROXY.",
        on=(403,),
        says=r"^(?!.*(databricks|error 403))",
        is_page=True,
    ),
    _cause(errors.AuthenticationError, _DEAD, on=(403,), is_page=True),  # a JSON 403 is about permissions
    _cause(
        errors.PermissionDeniedError,
        "Grant the service principal CAN_USE on tokens first. Azure has no on-behalf-of tokens.",
        says="on-behalf-of token creation .* not enabled",
    ),
    _cause(
        errors.UnavailableError,
        "The workspace is still being set up: try again in some minutes.",
        on=(400,),
        says="unknown worker environment",
    ),
    _cause(
        errors.RateLimitedError,
        _SLOWER,
        on=range(500, 600),
        says=r"REQUEST_LIMIT_EXCEEDED|RESOURCE_EXHAUSTED|too many requests|\blimit of \d+ .*requests",
    ),
    _cause(errors.NotAnAdminError, _ADMIN, on=(403,), says=r"\bis not an admin\b|\bonly (workspace )?admins\b"),
    # FEATURE_DISABLED comes as a 404, QUOTA_EXCEEDED as a 400: a code is more exact than a status.
    _cause(errors.InvalidParameterError, _CORRECT, "INVALID_PARAMETER_VALUE"),
    _cause(errors.BadRequestError, _CORRECT, "MALFORMED_REQUEST"),
    _cause(
        errors.QuotaExceededError, "Revoke tokens of this owner that nobody uses, then try again.", "QUOTA_EXCEEDED"
    ),
    _cause(errors.AuthenticationError, _DEAD, "UNAUTHENTICATED"),
    _cause(errors.PermissionDeniedError, _ADMIN, "PERMISSION_DENIED"),
    _cause(
        errors.EndpointNotFoundError,
        _WHERE,
        on=(404,),
        says=r"\bno api\b|\b(endpoint|workspace|path)\b.*\b(not found|(not|n't) exist)",
    ),
    # Only a 404 with such a code: it is what "already gone" rests on.
    _cause(
        errors.NotFoundError,
        "List again: it may have been revoked, or belong to another workspace.",
        "NOT_FOUND",
        "RESOURCE_DOES_NOT_EXIST",
        on=(404,),
    ),
    _cause(
        errors.FeatureDisabledError,
        "Personal access tokens are disabled in this workspace (enableTokensConfig).",
        "FEATURE_DISABLED",
    ),
    _cause(errors.ConflictError, _CHANGED, "RESOURCE_ALREADY_EXISTS", "RESOURCE_CONFLICT", "ABORTED"),
    _cause(errors.RateLimitedError, _SLOWER, "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED"),
    _cause(errors.UnavailableError, _LATER, "TEMPORARILY_UNAVAILABLE", "INTERNAL_ERROR"),
    _cause(errors.BadRequestError, _CORRECT, on=(400,)),
    _cause(errors.AuthenticationError, _DEAD, on=(401,)),
    _cause(errors.PermissionDeniedError, _ADMIN, on=(403,)),
    _cause(errors.EndpointNotFoundError, _WHERE, on=(404,)),
    _cause(errors.ConflictError, _CHANGED, on=(409,)),
    _cause(errors.RateLimitedError, _SLOWER, on=(429,)),
    _cause(errors.UnavailableError, _LATER, on=range(500, 600)),
    _cause(errors.ApiError, "Ask whoever runs the workspace or the network; tokenkit does not know this refusal."),
)
"""Which refusal means what: the first that explains it counts."""

_SCOPES = {"/api/2.0/token-management": "authentication", "/api/2.0/permissions": "access-management"}


def is_passing(error: errors.ApiError) -> bool:
    """Tell whether a later attempt may not meet this refusal."""
    return isinstance(error, errors.RateLimitedError) or (
        isinstance(error, errors.UnavailableError) and error.status not in {500, 501}
    )


def parsed(content: bytes) -> Any:  # noqa: ANN401 - whatever JSON can be
    """Return what a JSON text says.

    Raises:
        ValueError: It is not JSON, or is nested deeper than any answer of these APIs, so that whoever walks through it
            later would run out of stack.
    """
    try:
        value = json.loads(content)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None
    check_depth(value)
    return value


def check_depth(value: object) -> None:
    """Refuse JSON that is nested too deeply.

    Raises:
        ValueError: It is.
    """
    level: list[object] = [value]
    for _ in range(_DEEPEST):
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
    """Return what a server said as it may stand in a message: one line, not long, and without a credential.

    Every text of a server that gets into a message passes through here. What is not text gives nothing.
    """
    if not isinstance(text, str):
        return ""
    whole = text
    for spelled in filter(None, (credential, quote(credential, safe=""))):
        whole = whole.replace(spelled, REDACTED)
    # Half a surrogate pair can be spelled in JSON, and neither be printed nor written down.
    whole = whole.encode("utf-8", "replace").decode("utf-8")
    line = redact(" ".join(whole.split())[: 8 * _LONGEST_TEXT], credential)
    return line if len(line) <= _LONGEST_TEXT else f"{line[:_LONGEST_TEXT]}…"


def whole_number(text: object) -> int | None:
    """Return a number that is written in ASCII digits, as headers and 64-bit numbers in JSON are; None of all else."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    is_number = isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 20
    return int(str(text)) if is_number else None


def document(
    content: bytes, method: str, what: str, name: str, credential: str = ""
) -> dict[str, Any] | errors.MalformedAnswerError:
    """Return the JSON object of a successful answer, or the error that says why there is none.

    Args:
        content: The body, whole.
        method: The request's method; a DELETE may be answered with nothing.
        what: The request, for the message.
        name: What the workspace is called.
        credential: What the request was signed with, which is taken out wherever the answer repeats it.
    """
    if not content.strip() and method == "DELETE":
        return {}  # whether a deletion answers `{}` or nothing is not documented
    answer = _json(content, credential)
    return answer if isinstance(answer, dict) else malformed(content, what, name)


def malformed(content: bytes, what: str, name: str) -> errors.MalformedAnswerError:
    """Return the error for a successful answer that is not a JSON object; its beginning is enough to know why."""
    if not content.strip():
        return errors.MalformedAnswerError(
            f"{name} answered {what} with an empty body. Try again; if it persists, check that the host is a "
            "Databricks workspace."
        )
    page = _looks_like_html(content)
    kind = "a web page (perhaps a login page)" if page else "something that is not a JSON object, or not a whole one"
    return errors.MalformedAnswerError(
        f"{name} answered {what} with {kind}. Check that the host is the workspace's own address and that no proxy "
        "stands in between."
    )


def refusal(
    status: int, content: bytes, *, reason: str, headers: Mapping[str, str], request: str, credential: str, name: str
) -> errors.ApiError:
    """Return the error that a refusal stands for, from JSON, SCIM's JSON, a page, text, or nothing at all.

    Args:
        status: Below 400 it is a redirect.
        content: The body.
        reason: What HTTP calls the status, where nothing better is said.
        headers: Those of the answer, under names of any case.
        request: Its method and path.
        credential: What the request was signed with, to keep it out of what is said.
        name: What the workspace is called.
    """
    answer = _json(content, credential)
    found: dict[str, Any] = answer if isinstance(answer, dict) else {}
    code = quoted(found.get("error_code"), credential)
    is_page = answer is None and _looks_like_html(content)
    where, challenge = headers.get("Location", ""), headers.get("WWW-Authenticate", "")
    if status < 400:
        text = f"it redirected to {quoted(where.partition('?')[0], credential) or 'nowhere'}"
    else:
        text = _text(found, content, credential, is_page=is_page)
    text = (
        text
        or quoted(headers.get("X-Databricks-Reason-Phrase"), credential)
        or quoted(challenge if "error" in challenge else "", credential)
        or quoted(reason, credential)
    )
    evidence = where if status < 400 else text
    cause = next(each for each in CAUSES if each.explains(status, code, evidence, is_page=is_page))
    scope = next((f"the scope {scope!r}" for path, scope in _SCOPES.items() if path in request), "that scope")
    asked_seconds = _retry_after_seconds(headers)
    is_long = asked_seconds is not None and asked_seconds > _WORTH_A_WORD_SECONDS
    details = found.get("details")
    sentences = [
        f"{name} refused ({code or status}): {(text or 'no reason given').rstrip('.')}.",
        cause.advice.format(scope=scope),
        f"It asked to wait {asked_seconds:,.0f} s." if is_long else "",
        f"Request: {request}.",
    ]
    error = cause.error(
        " ".join(filter(None, sentences)),
        status=status,
        error_code=code,
        details=[each for each in details if isinstance(each, dict)] if isinstance(details, list) else (),
        workspace=name,
        request=request,
    )
    if is_passing(error) and asked_seconds is not None:
        error.retry_after_seconds = min(asked_seconds, _LONGEST_WAIT_SECONDS)
    return error


def _text(found: Mapping[str, Any], content: bytes, credential: str, *, is_page: bool) -> str:
    """Return what a refusal says in its body."""
    if is_page:
        from tokenkit.rest import pages  # noqa: PLC0415 - only a page needs it

        return quoted(pages.title(content), credential)
    if found:
        said = (quoted(found.get(name), credential) for name in ("message", "detail", "error"))
        return next(filter(None, said), "")
    text = " ".join(content.decode("utf-8", "replace").split())
    is_shown = text.isprintable() and not text.startswith(("{", "[{", '["'))  # not what is left of JSON
    return quoted(text, credential) if is_shown else ""


def _json(content: bytes, credential: str) -> Any:  # noqa: ANN401 - whatever JSON can be
    """Return what a body says without the credential, which may be spelled with escapes; None if it is not JSON."""
    try:
        answer = parsed(content)
    except ValueError:
        return None
    may_hold_it = credential and (credential.encode() in content or b"\\" in content)
    return _without(answer, credential) if may_hold_it else answer


def _without(value: Any, credential: str) -> Any:  # noqa: ANN401 - whatever JSON can be
    if isinstance(value, str):
        return value.replace(credential, REDACTED)
    if isinstance(value, list):
        return [_without(item, credential) for item in value]
    if isinstance(value, dict):
        return {name.replace(credential, REDACTED): _without(item, credential) for name, item in value.items()}
    return value


def _retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return how long ``Retry-After`` asks to wait, in seconds or until a date by the server's own clock.

    Nonsense, the past and 0 count as absent, so that nobody asks again without a pause.
    """
    text = headers.get("Retry-After", "").strip()
    asked: float | None = whole_number(text)
    if asked is None:
        until, now = _moment(text), _moment(headers.get("Date", ""))
        asked = None if until is None else until - (time.time() if now is None else now)
    return asked if asked is not None and asked > 0 else None


def _moment(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _looks_like_html(content: bytes) -> bool:
    return content.lstrip()[:1] == b"<"
