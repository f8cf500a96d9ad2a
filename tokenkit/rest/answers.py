"""What an answer amounts to: the JSON object that was asked for, or the error that says what to do.

An ``error_code`` says more than a status, and a status more than a page. A workspace answers in JSON, in SCIM's JSON,
or with a page of HTML; what stands in between, a proxy or a load balancer, with a page or with nothing.
"""

from __future__ import annotations

import json
from typing import Any

from tokenkit import errors
from tokenkit.redaction import redact

PASSING_STATUSES = frozenset({429, 503})
"""Refusals that a later attempt may not meet."""

_ADVICE: dict[type[errors.ApiError], str] = {
    errors.AuthenticationError: (
        "The credential is wrong, expired or revoked: sign in again, or check DATABRICKS_TOKEN and the profile."
    ),
    errors.PermissionDeniedError: "This needs a workspace admin: connect as a member of the group 'admins'.",
    errors.FeatureDisabledError: "Personal access tokens are disabled in this workspace (enableTokensConfig).",
    errors.EndpointNotFoundError: "Check that the host is the workspace's address and that no proxy answers for it.",
    errors.NotFoundError: "List again: it may have been revoked, or belong to another workspace.",
    errors.QuotaExceededError: "Revoke tokens of this owner that nobody uses, then try again.",
    errors.RateLimitedError: "Try again later, or with fewer requests at once.",
    errors.UnavailableError: "Try again later; the workspace may be overloaded or deploying.",
}


def document(content: bytes, method: str, what: str, name: str) -> dict[str, Any] | errors.MalformedAnswerError:
    """Return the JSON object of a successful answer, or the error that says why there is none.

    Args:
        content: The body, whole.
        method: The request's method; a DELETE may be answered with nothing.
        what: The request, for the message.
        name: What the workspace is called.
    """
    if not content.strip() and method == "DELETE":
        return {}  # whether a deletion answers `{}` or nothing is not documented
    answer = _json(content)
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
    status: int, content: bytes, *, reason: str, retry_after: str, credential: str, name: str
) -> errors.ApiError:
    """Return the error that a refusal stands for, from JSON, SCIM's JSON, a page, or nothing at all.

    Args:
        status: Below 400 it is a redirect.
        content: The body.
        reason: What HTTP calls the status, where nothing better is said.
        retry_after: The header ``Retry-After``, or nothing.
        credential: What the request was signed with, to keep it out of what is said.
        name: What the workspace is called.
    """
    answer = _json(content)
    said_in_json: dict[str, Any] = answer if isinstance(answer, dict) else {}
    code = str(said_in_json.get("error_code") or "")
    said = said_in_json.get("message") or said_in_json.get("detail") or said_in_json.get("error") or ""
    page = not said_in_json and _looks_like_html(content)
    kind = errors.api_error_class(status, code)
    if status < 400:
        said, kind = "it redirected to a login page", errors.AuthenticationError
    elif page:
        from tokenkit.rest import pages  # noqa: PLC0415 - only a page needs it

        said = pages.title(content)
        # A workspace answers a bad or expired credential with 403 and a page; a JSON 403 is about rights.
        kind = errors.AuthenticationError if status == 403 else kind
    details = said_in_json.get("details")
    said = redact(str(said), credential).strip() or reason or "no reason given"
    return kind(
        f"{name} refused ({code or status}): {said.rstrip('.')}. {_ADVICE.get(kind, '')}".rstrip(),
        status=status,
        error_code=code,
        details=details if isinstance(details, list) else (),
        workspace=name,
        retry_after_seconds=_seconds(retry_after) if status in PASSING_STATUSES else None,
    )


def _json(content: bytes) -> Any:  # noqa: ANN401 - whatever JSON can be
    try:
        return json.loads(content)
    except ValueError:
        return None


def _seconds(retry_after: str) -> float | None:
    """Return the whole seconds of ``Retry-After``; the date form, which this API does not send, counts as absent."""
    text = retry_after.strip()
    return float(text) if text.isdigit() else None


def _looks_like_html(content: bytes) -> bool:
    return content.lstrip()[:1] == b"<"
