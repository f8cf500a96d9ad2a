"""The workspace's secrets: where the value of a new token can be put without anybody seeing it."""

from __future__ import annotations

from tokenkit import errors
from tokenkit.rest.listing import records
from tokenkit.rest.tracebacks import without_frames
from tokenkit.rest.transport import Transport

_SECRETS = "/api/2.0/secrets"


class SecretsAPI:
    """Names and writes secrets of one workspace; it has no way to read one."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __repr__(self) -> str:
        return f"<SecretsAPI of {self._transport.name}>"

    def scopes(self) -> list[str]:
        """Return the names of the secret scopes that the caller can see."""
        answer = self._transport.call("GET", f"{_SECRETS}/scopes/list")
        return self._names(answer.get("scopes"), "name")

    def keys(self, scope: str) -> list[str]:
        """Return the names of the secrets of a scope.

        Raises:
            NotFoundError: There is no such scope.
        """
        response = self._transport.call("GET", f"{_SECRETS}/list", query={"scope": scope})
        return self._names(response.get("secrets"), "key")

    def _names(self, listed: object, field: str) -> list[str]:
        found = records(listed, "secrets")
        names = [record[field] for record in found if isinstance(record.get(field), str)]
        if len(names) < len(found):
            raise errors.MalformedAnswerError(f"{self._transport.name} listed a secret or scope without a {field}.")
        return names

    @without_frames()
    def put(self, scope: str, key: str, value: str) -> None:
        """Write a secret; one that is there is overwritten.

        Raises:
            NotFoundError: There is no such scope.
        """
        self._transport.call("POST", f"{_SECRETS}/put", body={"scope": scope, "key": key, "string_value": value})
