"""The exceptions that tokenkit raises, in one tree.

::

    TokenKitError
    ├── ConfigurationError (ValueError)         no credentials, an unknown profile, or conflicting settings
    ├── UsageError (ValueError)                 an invalid command or argument; no request was sent
    │   └── WarehouseStoppedError               a SQL warehouse is stopped, and starting it was not allowed
    ├── ConnectionFailedError (ConnectionError) the workspace could not be reached; no request was sent
    ├── ResponseLostError (ConnectionError)     the request was sent, but no response arrived; the outcome is unknown
    ├── JournalError                            the journal cannot be written or read; a run stops before it continues
    ├── FleetError                              no workspace of a fleet could be read
    ├── StatementFailedError                    a SQL statement failed, was canceled, or has a truncated result
    ├── InvalidResponseError                    the response is not what the API returns: HTML, empty, truncated
    └── ApiError                                the workspace returned an error
        ├── BadRequestError                     400
        │   ├── InvalidParameterError (ValueError)  INVALID_PARAMETER_VALUE
        │   └── QuotaExceededError              QUOTA_EXCEEDED: 600 tokens per user and workspace
        ├── AuthenticationError                 the credential is invalid, or belongs to another workspace
        │   └── AccessBlockedError              an IP access list, a private link or a proxy blocks access
        ├── PermissionDeniedError (PermissionError)  403: the caller lacks permission
        │   ├── NotAnAdminError                 the caller is not a workspace admin
        │   └── MissingScopeError               the credential lacks a scope that the call requires
        ├── NotFoundError (LookupError)         404 whose error code states that the resource does not exist
        ├── EndpointNotFoundError               any other 404: an unknown endpoint, a proxy's page, an empty body
        ├── FeatureDisabledError                FEATURE_DISABLED: tokens are disabled in the workspace
        ├── ConflictError                       409
        ├── RateLimitedError                    429, after all retries that the budget allows
        └── UnavailableError                    5xx, after all retries that the budget allows

A message states what happened, in which workspace, and what to do next. It never contains a credential. Errors that
correspond to a built-in exception also derive from it, so ``except ValueError`` works as a pandas user expects. A
notebook shows an error as one line: see ``_render_traceback_``.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from tokenkit.core.printable import printable
from tokenkit.core.redaction import redact


class TokenKitError(Exception):
    """Base class of all errors that tokenkit raises deliberately. A message can quote the workspace or an argument, so
    what looks like a secret in it is redacted.
    """

    @property
    def happened(self) -> str:
        """What happened, without advice."""
        return str(self)

    def __init__(self, message: str = "") -> None:
        super().__init__(redact(message))

    def __str__(self) -> str:
        return printable(super().__str__())

    def _render_traceback_(self) -> list[str]:
        """Return the line that IPython shows instead of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class ConfigurationError(TokenKitError, ValueError):
    """No usable credentials, an unknown profile, or conflicting settings."""


class UsageError(TokenKitError, ValueError):
    """An invalid command or argument. No request was sent."""


class WarehouseStoppedError(UsageError):
    """A SQL warehouse is stopped, and starting it, which costs money, was not allowed. It was not started.

    Attributes:
        warehouse_id: The warehouse.
        days: The number of days of the audit log that it was to read.
    """

    def __init__(self, message: str, warehouse_id: str = "", days: int = 0) -> None:
        super().__init__(message)
        self.warehouse_id = warehouse_id
        self.days = days


class ConnectionFailedError(TokenKitError, ConnectionError):
    """The workspace could not be reached. No request was sent, so nothing changed."""


class ResponseLostError(TokenKitError, ConnectionError):
    """The request was sent, but no response arrived. Whether it took effect is unknown."""


class InvalidResponseError(TokenKitError):
    """The response is not the expected JSON: a login page, an empty body, or a truncated body."""


class JournalError(TokenKitError):
    """The journal is damaged, locked, read-only or full. No request is sent unless the journal recorded it first."""


class FleetError(TokenKitError):
    """No workspace of a fleet could be read. ``Fleet.errors`` lists the error of each workspace."""


class StatementFailedError(TokenKitError):
    """A SQL statement failed, was canceled, or its result is truncated.

    Attributes:
        reason: The engine's own message, redacted and cut to 500 characters; empty if it gave none.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class ApiError(TokenKitError):
    """The workspace returned an error response.

    Attributes:
        status: The HTTP status.
        error_code: The API's error code, such as ``PERMISSION_DENIED``; empty if the response has none.
        details: The objects in the ``details`` of the response.
        workspace: The name of the workspace in messages.
        request: The request that failed, such as ``GET /api/2.0/token-management/tokens``.
        retry_after_seconds: The wait that the workspace requested, or None.
        after_lost_response: Whether an earlier attempt of the same request was sent and its response was lost. The
            error may then result from the success of that attempt: a repeated DELETE returns 404.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        error_code: str = "",
        details: Sequence[Mapping[str, Any]] = (),
        workspace: str = "",
        request: str = "",
        happened: str = "",
        retry_after_seconds: float | None = None,
        after_lost_response: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.details = details
        self.workspace = workspace
        self.request = request
        self._happened = printable(redact(happened))
        self.retry_after_seconds = retry_after_seconds
        self.after_lost_response = after_lost_response

    @property
    def happened(self) -> str:
        """What the response says, without advice."""
        return self._happened or str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to rebuild the error in another process, including its keyword arguments."""
        return functools.partial(type(self), status=self.status), self.args, self.__dict__


class BadRequestError(ApiError):
    """400: the workspace rejected the request as invalid."""


class InvalidParameterError(BadRequestError, ValueError):
    """400 ``INVALID_PARAMETER_VALUE``: the workspace does not accept a lifetime, mask, principal or id."""


class QuotaExceededError(BadRequestError):
    """``QUOTA_EXCEEDED``: the owner has the maximum number of tokens in the workspace (600)."""


class AuthenticationError(ApiError):
    """The credential is missing, invalid, expired, revoked, or issued for another workspace."""


class AccessBlockedError(AuthenticationError):
    """An IP access list, a private link or a proxy blocks access to the workspace for any credential."""


class PermissionDeniedError(ApiError, PermissionError):
    """403: the caller lacks permission. Most of the Token Management API requires a workspace admin."""


class NotAnAdminError(PermissionDeniedError):
    """The caller is not a workspace admin, so all calls that require an admin fail."""


class MissingScopeError(PermissionDeniedError):
    """The credential lacks a scope that the call requires."""


class NotFoundError(ApiError, LookupError):
    """404 whose error code states that the resource does not exist. No other response proves this."""


class EndpointNotFoundError(ApiError):
    """404 without such a code: the endpoint is unknown, or a proxy responded. It proves nothing about a token."""


class FeatureDisabledError(ApiError):
    """``FEATURE_DISABLED``: personal access tokens are disabled in this workspace. Existing tokens are kept."""


class ConflictError(ApiError):
    """409: the resource already exists, or was changed concurrently."""


class RateLimitedError(ApiError):
    """429: too many requests; the retry budget is exhausted."""


class UnavailableError(ApiError):
    """5xx: the workspace is overloaded, deploying or failing; the retry budget is exhausted."""


_MAX_LISTED = 40


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the last sentence of a message about an unknown name: similar names, or the known ones if they are few."""
    names = list(known)
    if near := similar(name, names):
        return f"Did you mean {' or '.join(map(quoted, near))}?"
    return known_names(names)


def similar(name: str, known: Iterable[str], *, cutoff: float = 0.7) -> list[str]:
    """Return at most two known names that are similar to a name, ignoring case.

    Of email addresses only the local part is compared: with a common domain, everyone's address is similar.

    Args:
        name: The unknown name.
        known: The known names. An address is compared only with addresses, if there are any.
        cutoff: The least similarity, from 0 to 1.
    """
    names = list(known)
    addresses = [candidate for candidate in names if "@" in candidate] if "@" in name else []
    by_form = {_compared(candidate): candidate for candidate in reversed(addresses or names)}
    return [by_form[form] for form in difflib.get_close_matches(_compared(name), by_form, n=2, cutoff=cutoff)]


def _compared(name: str) -> str:
    """Return the part of a name that is compared with others."""
    return (name.partition("@")[0] or name).lower()


def known_names(names: Collection[str], at_most: int = _MAX_LISTED) -> str:
    """Return a list of the known names, as the last sentence of a message; of many, only how many there are."""
    if len(names) > at_most:
        return f"None of the {len(names):,} known names is similar."
    return f"Known: {', '.join(map(quoted, names))}."


def quoted(name: str) -> str:
    """Return a name for a list of names: in quotes unless it is one plain word, so that it is clear where it ends."""
    return name if _PLAIN.fullmatch(name) else repr(name)


_PLAIN = re.compile(r"[\w@.-]+")
