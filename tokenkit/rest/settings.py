"""The workspace's settings for tokens, from its workspace-conf."""

from __future__ import annotations

import dataclasses

from tokenkit import errors
from tokenkit.rest import answers
from tokenkit.rest.transport import Transport

_CONF = "/api/2.0/preview/workspace-conf"


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
        """Return whether tokens are enabled, and the longest lifetime of a new one."""
        answer = self._transport.call("GET", _CONF, query={"keys": "maxTokenLifetimeDays,enableTokensConfig"})
        sent = answer.get("maxTokenLifetimeDays")
        longest = answers.whole_number(sent or "0")
        if longest is None or longest < 0:
            raise errors.MalformedAnswerError(
                f"{self._transport.name} sent a maxTokenLifetimeDays that is not a number of days: "
                f"{answers.quoted(sent)!r}."
            )
        return TokenSettings(
            tokens_enabled=_is_on(answer.get("enableTokensConfig"), self._transport.name),
            max_lifetime_days=longest or None,
        )


def _is_on(value: object, name: str) -> bool:
    if value is None or value == "":
        return True
    if str(value).lower() not in {"true", "false"}:
        raise errors.MalformedAnswerError(f"{name} sent an enableTokensConfig that is neither true nor false.")
    return str(value).lower() == "true"
