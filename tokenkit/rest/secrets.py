"""The workspace's secrets: where the value of a new token can be put without anybody seeing it."""

from __future__ import annotations

from tokenkit import errors
from tokenkit.rest.listing import records
from tokenkit.rest.tracebacks import without_frames
from tokenkit.rest.transport import Transport

_SECRETS = "/api/2.0/secrets"


class SecretsAPI:
    """Writes secrets of one workspace; it has no way to read one."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __repr__(self) -> str:
        return f"<SecretsAPI of {self._transport.name}>"

    def scopes(self) -> list[str]:
        """Return the names of the secret scopes that the caller can see."""
        answer = self._transport.call("GET", f"{_SECRETS}/scopes/list")
        scopes = records(answer.get("scopes"), "scopes")
        names = [scope["name"] for scope in scopes if isinstance(scope.get("name"), str)]
        if len(names) < len(scopes):
            raise errors.MalformedAnswerError(f"{self._transport.name} listed a secret scope without a name.")
        return names

    @without_frames()
    def put(self, scope: str, key: str, value: str) -> None:
        """Write a secret; one that is there is overwritten.

        Raises:
            NotFoundError: There is no such scope.
        """
        self._transport.call("POST", f"{_SECRETS}/put", body={"scope": scope, "key": key, "string_value": value})
