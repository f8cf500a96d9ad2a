"""What goes in and out of a handler: a request, an answer, and the errors that become answers.

The wire form of errors has two shapes, as on the real platform: ``{"error_code", "message"}`` everywhere, and the
SCIM form under ``/scim/v2``. A handler raises; the service turns what it raised into an answer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping

SCIM_ERROR_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, parsed; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # they hold the credential
    body: bytes = field(default=b"", repr=False)

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object; an empty body is an empty object.

        Raises:
            ApiError: 400 MALFORMED_REQUEST, when the body is no JSON object.
        """
        if not self.body.strip():
            return {}
        try:
            document = json.loads(self.body, parse_constant=_refuse_constant)
            # JSON can spell half a surrogate pair, which no UTF-8 answer could ever send back.
            encode(_nested(document))
        except (ValueError, RecursionError) as error:
            raise ApiError(400, "MALFORMED_REQUEST", f"Could not parse request object: {error}") from None
        if not isinstance(document, dict):
            raise ApiError(400, "MALFORMED_REQUEST", "Could not parse request object: expected a JSON object")
        return document


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; the server adds the length, the date and the workspace's id."""

    status: int = 200
    body: bytes = field(default=b"{}", repr=False)  # it may hold a new token's value
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, document: object, status: int = 200) -> Answer:
        """Return an answer with a JSON document."""
        return cls(status, encode(document))


class ApiError(Exception):
    """A refusal, in the platform's usual form."""

    def __init__(
        self, status: int, error_code: str | int, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.message = message
        self.headers = dict(headers or {})

    def answer(self) -> Answer:
        """Return what the client is sent."""
        body = encode({"error_code": self.error_code, "message": self.message})
        return Answer(self.status, body, headers=self.headers)


class ScimError(ApiError):
    """A refusal in the form of RFC 7644, section 3.12."""

    def __init__(self, status: int, detail: str, scim_type: str | None = None) -> None:
        super().__init__(status, f"SCIM_{status}", detail)
        self.scim_type = scim_type

    def answer(self) -> Answer:
        """Return what the client is sent."""
        document = {"schemas": [SCIM_ERROR_SCHEMA], "detail": self.message, "status": str(self.status)}
        if self.scim_type:
            document["scimType"] = self.scim_type
        return Answer(self.status, encode(document), "application/scim+json")


def invalid(message: str) -> ApiError:
    """Return the usual refusal of a bad argument."""
    return ApiError(400, "INVALID_PARAMETER_VALUE", message)


def encode(document: object) -> bytes:
    """Return compact JSON in UTF-8, the layout of every document that the sandbox sends."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _nested(document: object) -> object:
    """Return a document within a hundred lists.

    How deep a document may be depends on how deep in the program it is read and written. What passes a check with this
    much to spare can be stored, and shown ever after.
    """
    for _ in range(100):
        document = [document]
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
