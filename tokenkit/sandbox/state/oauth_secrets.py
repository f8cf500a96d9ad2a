"""The OAuth secrets of the account's service principals: at most five for each, for up to 730 days.

Only a hash of a value is stored. The documentation does not say which bytes ``secret_hash`` is a hash of; here, of the
whole value.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.responses import ApiError, invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from tokenkit.sandbox.state.database import Database

MAX_SECRETS = 5
MAX_LIFETIME_SECONDS = 730 * 86_400
_COLUMNS = "secret_id, secret_hash, create_time, expire_time"
INSERT_HASH = f"INSERT INTO oauth_secrets (application_id, {_COLUMNS}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608


class OAuthSecrets:
    """The OAuth secrets of one account."""

    def __init__(self, database: Database, entropy: Callable[[int], bytes]) -> None:
        self._database = database
        self._entropy = entropy

    def of(self, application_id: str) -> list[dict[str, Any]]:
        """Return the secrets of a service principal, oldest first, without their values."""
        statement = f"SELECT {_COLUMNS} FROM oauth_secrets WHERE application_id = ? ORDER BY create_time, secret_id"  # noqa: S608
        return [_document(*row) for row in self._database.rows(statement, (application_id,))]

    def create(self, application_id: str, lifetime: object, *, now_ms: int) -> dict[str, Any]:
        """Create a secret, and return it with its value, which is not stored.

        Args:
            application_id: The service principal.
            lifetime: A number of seconds such as ``7776000s``; None means 730 days.
            now_ms: The current time.

        Raises:
            ApiError: 400, if the lifetime is invalid or the service principal has five secrets.
        """
        seconds = _seconds(lifetime)
        if len(self.of(application_id)) >= MAX_SECRETS:
            message = f"A service principal can have up to {MAX_SECRETS} OAuth secrets. Delete one first."
            raise ApiError(400, "RESOURCE_EXHAUSTED", message)
        value = "dose" + self._entropy(16).hex()
        secret_id = str(uuid.UUID(bytes=self._entropy(16), version=4))
        row = (secret_id, hash_of(value), now_ms, now_ms + seconds * 1000)
        self._database.change(INSERT_HASH, (application_id, *row))
        return {**_document(*row), "secret": value}

    def delete(self, application_id: str, secret_id: str) -> None:
        """Delete a secret of a service principal.

        Raises:
            ApiError: 404, if it does not exist.
        """
        statement = "DELETE FROM oauth_secrets WHERE application_id = ? AND secret_id = ?"
        if not self._database.change(statement, (application_id, secret_id)):
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"OAuth secret {secret_id} does not exist")

    def accepts(self, application_id: str, value: str, *, now_ms: int) -> bool:
        """Return whether a value is an unexpired secret of a service principal."""
        statement = "SELECT secret_hash FROM oauth_secrets WHERE application_id = ? AND expire_time > ?"
        given = hash_of(value)
        hashes = [row[0] for row in self._database.rows(statement, (application_id, now_ms))]
        return any([hmac.compare_digest(given, stored) for stored in hashes])  # noqa: C419  # in constant time


def hash_of(value: str) -> str:
    """Return the hash of a secret's value."""
    return hashlib.sha256(value.encode()).hexdigest()


def _seconds(lifetime: object) -> int:
    if lifetime in (None, ""):
        return MAX_LIFETIME_SECONDS
    match = re.fullmatch(r"([0-9]{1,12})(\.0+)?s", lifetime) if isinstance(lifetime, str) else None
    if match is None or not 0 < int(match[1]) <= MAX_LIFETIME_SECONDS:
        raise invalid(f"lifetime must be a number of seconds such as '7776000s', up to '{MAX_LIFETIME_SECONDS}s'")
    return int(match[1])


def _document(secret_id: str, secret_hash: str, create_time: int, expire_time: int) -> dict[str, Any]:
    created = _timestamp(create_time)
    return {
        "id": secret_id,
        "secret_hash": secret_hash,
        "create_time": created,
        "update_time": created,
        "status": "ACTIVE",
        "expire_time": _timestamp(expire_time),
    }


def _timestamp(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
