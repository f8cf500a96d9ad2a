"""A handler's input and output: requests, responses, and the errors that become responses.

Errors have two forms, as on the real platform: ``{"error_code", "message"}``, and the SCIM form under ``/scim/v2``. A
handler raises an error, and the service sends its response.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SCIM_ERROR_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, parsed. Header names are lowercase."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # contains the credential
    body: bytes = field(default=b"", repr=False)

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object; an empty body is an empty object.

        Raises:
            ApiError: 400 MALFORMED_REQUEST, if the body is not a JSON object.
        """
        if not self.body.strip():
            return {}
        try:
            document = json.loads(self.body, parse_constant=_reject_constant)
            # JSON can contain a lone surrogate, which a UTF-8 response cannot.
            encode(_nested(document))
        except (ValueError, RecursionError) as error:
            raise ApiError(400, "MALFORMED_REQUEST", f"Could not parse request object: {error}") from None
        if not isinstance(document, dict):
            raise ApiError(400, "MALFORMED_REQUEST", "Could not parse request object: expected a JSON object")
        return document


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response. The server adds the length, the date and the workspace's id."""

    status: int = 200
    body: bytes = field(default=b"{}", repr=False)  # may contain a new token's value
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, document: object, status: int = 200) -> Response:
        """Return a response with a JSON document."""
        return cls(status, encode(document))


@dataclass(frozen=True, slots=True)
class Later:
    """A response that takes time. It is made after the transaction, so that other requests do not wait for it.

    Attributes:
        response: Waits, and returns the response. It may read nothing from the database.
    """

    response: Callable[[], Response]


class ApiError(Exception):
    """An error response, in the platform's usual form."""

    def __init__(
        self,
        status: int,
        error_code: str | int,
        message: str,
        headers: Mapping[str, str] | None = None,
        details: list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.message = message
        self.headers = dict(headers or {})
        self.details = details

    def response(self) -> Response:
        """Return the HTTP response for this error."""
        document: dict[str, Any] = {"error_code": self.error_code, "message": self.message}
        if self.details:
            document["details"] = self.details
        return Response(self.status, encode(document), headers=self.headers)


class ScimError(ApiError):
    """An error response in the form of RFC 7644, section 3.12."""

    def __init__(self, status: int, detail: str, scim_type: str | None = None) -> None:
        super().__init__(status, f"SCIM_{status}", detail)
        self.scim_type = scim_type

    def response(self) -> Response:
        """Return the HTTP response for this error."""
        document = {"schemas": [SCIM_ERROR_SCHEMA], "detail": self.message, "status": str(self.status)}
        if self.scim_type:
            document["scimType"] = self.scim_type
        return Response(self.status, encode(document), "application/scim+json")


def invalid(message: str) -> ApiError:
    """Return the usual error for an invalid argument."""
    return ApiError(400, "INVALID_PARAMETER_VALUE", message)


def whole_number(text: str) -> int | None:
    """Return the number that ASCII digits are, such as an id; None for any other text, or what SQLite cannot store."""
    is_number = text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 2**63
    return int(text) if is_number else None


def encode(document: object) -> bytes:
    """Return compact JSON in UTF-8, the format of every document that the sandbox sends."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _nested(document: object) -> object:
    """Return a document inside a hundred lists.

    The deepest document that JSON can read or write depends on the depth of the call stack. A document that passes
    the check with this margin can be stored and sent later.
    """
    for _ in range(100):
        document = [document]
    return document


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
