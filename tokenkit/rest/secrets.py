"""The workspace's secrets, which can store the value of a new token without displaying it.

Their names can be listed, and secrets written. Values cannot be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tokenkit import errors
from tokenkit.rest.listing import records
from tokenkit.rest.tracebacks import without_frames
from tokenkit.rest.transport import Transport

_SECRETS = "/api/2.0/secrets"


def secret_scopes(transport: Transport) -> list[str]:
    """Return the names of the secret scopes that the caller can see."""
    response = transport.call("GET", f"{_SECRETS}/scopes/list")
    return _names(transport, records(response, "scopes"), "name")


def secret_keys(transport: Transport, scope: str) -> list[str]:
    """Return the names of the secrets of a scope.

    Raises:
        NotFoundError: The scope does not exist.
    """
    response = transport.call("GET", f"{_SECRETS}/list", query={"scope": scope})
    return _names(transport, records(response, "secrets"), "key")


def _names(transport: Transport, found: Sequence[Mapping[str, Any]], field: str) -> list[str]:
    names = [record[field] for record in found if isinstance(record.get(field), str)]
    if len(names) < len(found):
        raise errors.InvalidResponseError(f"{transport.name} listed a secret or scope without a {field}.")
    return names


@without_frames()
def put_secret(transport: Transport, scope: str, key: str, value: str) -> None:
    """Write a secret. An existing secret is overwritten.

    Raises:
        NotFoundError: The scope does not exist.
    """
    transport.call("POST", f"{_SECRETS}/put", body={"scope": scope, "key": key, "string_value": value})
