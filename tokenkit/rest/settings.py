"""The workspace's settings for tokens, from its workspace-conf."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from tokenkit import errors
from tokenkit.rest import answers
from tokenkit.rest.transport import Transport

_CONF = "/api/2.0/workspace-conf"
_MAXIMUM, _ENABLED = "maxTokenLifetimeDays", "enableTokensConfig"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenSettings:
    """What a workspace allows.

    Attributes:
        tokens_enabled: Whether personal access tokens work at all (``enableTokensConfig``; unset means yes). Switching
            it off deletes nothing.
        max_lifetime_days: The longest lifetime of a **new** token (``maxTokenLifetimeDays``); None means no maximum of
            the workspace's own, so the platform's 730 days hold.
    """

    tokens_enabled: bool
    max_lifetime_days: int | None


class SettingsAPI:
    """Reads the token settings of one workspace."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __repr__(self) -> str:
        return f"<SettingsAPI of {self._transport.name}>"

    def token_settings(self) -> TokenSettings:
        """Return whether tokens are enabled, and the longest lifetime of a new one.

        Raises:
            MalformedAnswerError: One of them is not readable.
            ApiError: One of them is refused.
        """
        settings, unread = self.read()
        for error in unread.values():
            raise error
        return settings

    def read(self) -> tuple[TokenSettings, dict[str, errors.TokenKitError]]:
        """Return the settings that can be read, and for each that cannot, by its name in ``TokenSettings``, why.

        What stands in ``TokenSettings`` for one that cannot be read means nothing.
        """
        try:
            sent = self._transport.call("GET", _CONF, query={"keys": f"{_MAXIMUM},{_ENABLED}"})
        except errors.InvalidParameterError:  # it does not have one of the keys, and tells none of the others then
            sent = None
        except (errors.ApiError, errors.MalformedAnswerError) as error:
            nothing = TokenSettings(tokens_enabled=True, max_lifetime_days=None)
            return nothing, {"max_lifetime_days": error, "tokens_enabled": error}
        readers: dict[str, tuple[str, Callable[[object, str], Any]]] = {
            "max_lifetime_days": (_MAXIMUM, _days),
            "tokens_enabled": (_ENABLED, _is_on),
        }
        values: dict[str, Any] = dict.fromkeys(readers)
        unread: dict[str, errors.TokenKitError] = {}
        for name, (key, reader) in readers.items():
            try:
                answer = self._transport.call("GET", _CONF, query={"keys": key}) if sent is None else sent
                values[name] = reader(answer.get(key), self._transport.name)
            except (errors.ApiError, errors.MalformedAnswerError) as error:
                unread[name] = error
        return TokenSettings(**values), unread


def _days(value: object, name: str) -> int | None:
    longest = answers.whole_number(value or "0")
    if longest is None or longest < 0:
        raise errors.MalformedAnswerError(
            f"{name} sent a {_MAXIMUM} that is not a number of days: {answers.quoted(value)!r}."
        )
    return longest or None


def _is_on(value: object, name: str) -> bool:
    if value is None or value == "":
        return True
    if str(value).lower() not in {"true", "false"}:
        raise errors.MalformedAnswerError(f"{name} sent an enableTokensConfig that is neither true nor false.")
    return str(value).lower() == "true"
