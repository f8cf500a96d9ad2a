"""Every error that tokenkit raises, in one tree.

::

    TokenKitError
    ├── ConfigurationError (ValueError)         no credentials, an unknown profile, a setting that contradicts another
    ├── UsageError (ValueError)                 a command or an argument that no request was made for
    ├── ConnectionFailedError (ConnectionError) nothing reached the workspace
    ├── AnswerLostError (ConnectionError)       the request left, its answer never came: it may have been carried out
    ├── JournalError                            the journal cannot be written or read; a run stops before it goes on
    ├── FleetError                              no workspace of a fleet answered
    ├── MalformedAnswerError                    an answer came that is not what the API answers: HTML, empty, cut short
    └── ApiError                                the workspace said no
        ├── BadRequestError                     400
        │   ├── InvalidParameterError (ValueError)  INVALID_PARAMETER_VALUE
        │   └── QuotaExceededError              QUOTA_EXCEEDED: 600 tokens a user and workspace
        ├── AuthenticationError                 the credential is dead, or not one of this workspace
        │   └── AccessBlockedError              an IP access list, a private link or a proxy blocks the way there
        ├── PermissionDeniedError (PermissionError)  403: the caller may not do this
        │   ├── NotAnAdminError                 the caller is not a workspace admin
        │   └── MissingScopeError               the credential lacks a scope that the call needs
        ├── NotFoundError (LookupError)         404 whose code says that the thing asked for does not exist
        ├── EndpointNotFoundError               any other 404: an unknown endpoint, a proxy's page, an empty body
        ├── FeatureDisabledError                FEATURE_DISABLED: tokens are disabled in the workspace
        ├── ConflictError                       409
        ├── RateLimitedError                    429, after every retry that the budget allowed
        └── UnavailableError                    5xx, likewise

A message says what happened, on which workspace, and what to do next; it never holds a credential. Errors that Python
has a word for are that built-in as well, so ``except ValueError`` catches what a pandas user would expect it to. In a
notebook an error is one line: see ``_render_traceback_``.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tokenkit.printable import printable


class TokenKitError(Exception):
    """The root: ``except TokenKitError`` catches everything that tokenkit raises on purpose."""

    def __str__(self) -> str:
        return printable(super().__str__())

    def _render_traceback_(self) -> list[str]:
        """Return the one line that IPython shows in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]


class ConfigurationError(TokenKitError, ValueError):
    """No usable credentials, an unknown profile, or settings that contradict each other."""


class UsageError(TokenKitError, ValueError):
    """An argument that was refused before any request was made."""


class ConnectionFailedError(TokenKitError, ConnectionError):
    """The workspace could not be reached; nothing was sent, so nothing was carried out."""


class AnswerLostError(TokenKitError, ConnectionError):
    """The request was sent and its answer never came: whether it was carried out is unknown."""


class MalformedAnswerError(TokenKitError):
    """The answer was not JSON of the expected form: a login page, an empty body, a body cut short."""


class JournalError(TokenKitError):
    """The journal is damaged, locked, read-only or full. Nothing is sent that could not be written down first."""


class FleetError(TokenKitError):
    """No workspace of a fleet could be asked; ``Fleet.errors`` has what went wrong with each."""


class ApiError(TokenKitError):
    """The workspace refused a request.

    Attributes:
        status: The HTTP status.
        error_code: The API's own code, such as ``PERMISSION_DENIED``; empty where the answer had none.
        details: The objects that the API added.
        workspace: The one that answered, by the name that messages use.
        request: The request that was refused, as in ``GET /api/2.0/token-management/tokens``.
        retry_after_seconds: How long the workspace asked to wait, where it did.
        after_lost_answer: Whether an earlier attempt of the same request was sent and its answer lost, so that this
            refusal may be the echo of our own success (a DELETE that answers 404).
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
        retry_after_seconds: float | None = None,
        after_lost_answer: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.details = details
        self.workspace = workspace
        self.request = request
        self.retry_after_seconds = retry_after_seconds
        self.after_lost_answer = after_lost_answer

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how it is rebuilt in another process; an exception would do it without the keywords."""
        return functools.partial(type(self), status=self.status), self.args, self.__dict__


class BadRequestError(ApiError):
    """400: the request makes no sense to the workspace."""


class InvalidParameterError(BadRequestError, ValueError):
    """400 ``INVALID_PARAMETER_VALUE``: a lifetime, mask, principal or id that the workspace does not take."""


class QuotaExceededError(BadRequestError):
    """``QUOTA_EXCEEDED``: the owner has as many tokens as a workspace allows (600)."""


class AuthenticationError(ApiError):
    """The credential is missing, wrong, expired, revoked, or issued for another workspace."""


class AccessBlockedError(AuthenticationError):
    """An IP access list, a private link or a proxy blocks the way to the workspace, whatever the credential."""


class PermissionDeniedError(ApiError, PermissionError):
    """403: the caller may not do this; most of the Token Management API is for workspace admins only."""


class NotAnAdminError(PermissionDeniedError):
    """The caller is not a workspace admin, so all calls for admins will be refused."""


class MissingScopeError(PermissionDeniedError):
    """The credential lacks a scope that the call needs."""


class NotFoundError(ApiError, LookupError):
    """404 whose code says that the token or principal asked for does not exist: the only proof that it is gone."""


class EndpointNotFoundError(ApiError):
    """A 404 that says nothing about a token: the endpoint is unknown there, or something in between answered."""


class FeatureDisabledError(ApiError):
    """``FEATURE_DISABLED``: personal access tokens are disabled in this workspace; existing ones are kept."""


class ConflictError(ApiError):
    """409: the same thing exists, or somebody changed it first."""


class RateLimitedError(ApiError):
    """429: too many requests, and the retry budget is spent."""


class UnavailableError(ApiError):
    """5xx: the workspace is overloaded, deploying or broken, and the retry budget is spent."""


_NAMED = 40


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown word: the near one if there is one, else those that are known."""
    words = list(known)
    by_lower = {each.lower(): each for each in words}
    near = difflib.get_close_matches(word.lower(), by_lower, n=2, cutoff=0.7)
    if near:
        return f"Did you mean {' or '.join(by_lower[each] for each in near)}?"
    more = f" and {len(words) - _NAMED:,} more" if len(words) > _NAMED else ""
    return f"Known: {', '.join(words[:_NAMED])}{more}."
