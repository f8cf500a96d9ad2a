"""The workspace's settings for tokens, from its workspace-conf."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from tokenkit import errors
from tokenkit.rest import responses
from tokenkit.rest.transport import Transport

_CONF = "/api/2.0/workspace-conf"
_MAXIMUM, _ENABLED = "maxTokenLifetimeDays", "enableTokensConfig"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenSettings:
    """The token settings of a workspace.

    Attributes:
        tokens_enabled: Whether personal access tokens are enabled (``enableTokensConfig``; unset means yes). Disabling
            them deletes no tokens.
        max_lifetime_days: The maximum lifetime of a **new** token (``maxTokenLifetimeDays``). None means that the
            workspace sets none, so the platform's maximum of 730 days applies.
    """

    tokens_enabled: bool
    max_lifetime_days: int | None


def token_settings(transport: Transport) -> TokenSettings:
    """Return whether tokens are enabled, and the maximum lifetime of a new token.

    Raises:
        InvalidResponseError: A setting cannot be parsed.
        ApiError: The workspace returned an error for a setting.
    """
    settings, unread = read_settings(transport)
    for error in unread.values():
        raise error
    return settings


def read_settings(transport: Transport) -> tuple[TokenSettings, dict[str, errors.TokenKitError]]:
    """Return the settings, and the errors of those that cannot be read, by their names in ``TokenSettings``.

    The value of a setting with an error has no meaning.
    """
    try:
        sent = transport.call("GET", _CONF, query={"keys": f"{_MAXIMUM},{_ENABLED}"})
    except errors.InvalidParameterError:  # one key is unknown, so the response has none of them
        sent = None
    except (errors.ApiError, errors.InvalidResponseError) as error:
        unknown = TokenSettings(tokens_enabled=True, max_lifetime_days=None)
        return unknown, {"max_lifetime_days": error, "tokens_enabled": error}
    readers: dict[str, tuple[str, Callable[[object, str], Any]]] = {
        "max_lifetime_days": (_MAXIMUM, _days),
        "tokens_enabled": (_ENABLED, _is_on),
    }
    values: dict[str, Any] = dict.fromkeys(readers)
    unread: dict[str, errors.TokenKitError] = {}
    for name, (key, reader) in readers.items():
        try:
            found = transport.call("GET", _CONF, query={"keys": key}) if sent is None else sent
            values[name] = reader(found.get(key), transport.name)
        except (errors.ApiError, errors.InvalidResponseError) as error:
            unread[name] = error
    return TokenSettings(**values), unread


def _days(value: object, name: str) -> int | None:
    longest = responses.whole_number(value or "0")
    if longest is None or longest < 0:
        raise errors.InvalidResponseError(
            f"{name} sent a {_MAXIMUM} that is not a number of days: {responses.quoted(value)!r}."
        )
    return longest or None


def _is_on(value: object, name: str) -> bool:
    if value is None or value == "":
        return True
    if str(value).lower() not in {"true", "false"}:
        raise errors.InvalidResponseError(f"{name} sent an enableTokensConfig that is neither true nor false.")
    return str(value).lower() == "true"
