"""Which workspace, and how to sign for it.

A host and a token, given or in the environment, are used as they are. Everything else (profiles, OAuth for people and
service principals, Azure, the credentials of a Databricks notebook) is the official SDK's unified authentication, which
is imported only then: it costs 0.7 s.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, Protocol
from urllib.parse import urlsplit

from tokenkit import errors
from tokenkit.rest.tracebacks import without_frames
from tokenkit.version import __version__

# The SDK asks the host what it is before it signs in, and would go on asking an unreachable one for five minutes.
_DISCOVERY_SECONDS = 15

NOT_PICKLED = (
    "What is connected to a workspace is not pickled or copied: that would write its credential down. Pass frames, "
    "which hold none, or call tokenkit.connect() where the work is done."
)


class SdkConfig(Protocol):
    """What is needed of a ``databricks.sdk.core.Config``."""

    host: Any

    def authenticate(self) -> dict[str, str]:
        """Return fresh headers."""
        ...


class Credentials:
    """A host and a way to sign a request for it.

    Attributes:
        host: ``https://…`` without a trailing slash.
        name: What the workspace is called in messages; its host, unless it was given another.
        workspace_id: Sent along where a host serves several workspaces; empty otherwise.
        origin: Where they come from, in words that may be shown: ``profile prod``, ``the environment``.
    """

    def __init__(
        self, host: str, sign: Callable[[], Mapping[str, str]], *, workspace_id: str = "", origin: str, name: str = ""
    ) -> None:
        self.host = normal_host(host)
        self.name = name or self.host
        self.workspace_id = workspace_id
        self.origin = origin
        self._sign = sign

    def __repr__(self) -> str:
        return f"<Credentials for {self.host} from {self.origin}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(NOT_PICKLED)

    @without_frames()
    def headers(self) -> Mapping[str, str]:
        """Return the headers that sign one request.

        Raises:
            ConfigurationError: The official SDK could not sign in or renew its sign-in.
        """
        try:
            return self._sign()
        except Exception as failure:  # noqa: BLE001 - each kind of sign-in raises its own; none may show what it holds
            error = _sign_in_error(failure, self.name)
        raise error


def normal_host(host: str) -> str:
    """Return a host as ``https://name``: the scheme added where it is missing, path and trailing slash removed.

    Raises:
        ConfigurationError: There is no host name in it, or a credential would travel to it unencrypted.
    """
    no_host = errors.ConfigurationError(
        f"{host!r} is not a host. Write it as https://my-workspace.cloud.databricks.com."
    )
    try:
        parts = urlsplit(host.strip() if "://" in host else f"https://{host.strip()}")
        is_host = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # half an IPv6 address, a port that is none
        raise no_host from None
    if not is_host:
        raise no_host
    if parts.username or parts.password:
        raise errors.ConfigurationError("A host must not hold a user name or password. Give the token as token=….")
    if parts.scheme == "http" and not is_loopback(host):
        raise errors.ConfigurationError(
            f"{host!r} would get your token unencrypted. Write https://; plain http is for a sandbox on this machine."
        )
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, where only a sandbox can be."""
    return urlsplit(host).hostname in {"127.0.0.1", "localhost", "::1"}


def from_token(
    host: str, token: str, *, workspace_id: str = "", origin: str = "arguments", name: str = ""
) -> Credentials:
    """Return credentials for a personal access token."""
    token = token.strip()
    if not token:
        raise errors.ConfigurationError("The token is empty.")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise errors.ConfigurationError("The token holds characters that no token has; was more than the token pasted?")
    headers = {"Authorization": f"Bearer {token}"}
    return Credentials(host, lambda: headers, workspace_id=workspace_id, origin=origin, name=name)


def from_environment(environ: Mapping[str, str] | None = None) -> Credentials:
    """Return what the environment or the official SDK's unified authentication finds.

    ``DATABRICKS_HOST`` with ``DATABRICKS_TOKEN`` needs no SDK, unless ``DATABRICKS_CONFIG_PROFILE`` or
    ``DATABRICKS_AUTH_TYPE`` asks for something else.
    """
    environ = os.environ if environ is None else environ
    host, token = environ.get("DATABRICKS_HOST", ""), environ.get("DATABRICKS_TOKEN", "")
    asks_otherwise = environ.get("DATABRICKS_CONFIG_PROFILE") or environ.get("DATABRICKS_AUTH_TYPE", "pat") != "pat"
    if host and token and not asks_otherwise:
        workspace_id = environ.get("DATABRICKS_WORKSPACE_ID", "")
        return from_token(host, token, workspace_id=workspace_id, origin="the environment")
    return from_sdk_config(sdk_config(), origin="the environment or ~/.databrickscfg")


def from_profile(profile: str) -> Credentials:
    """Return the credentials of a profile; see ``profile_config``.

    A host and a token are used as they are: the official SDK would first ask the host what it is.
    """
    _check_not_overridden(profile)
    _check_profile(profile)
    values = {name: value.strip() for name, value in _config_sections()[profile].items()}
    origin = f"profile {profile}"
    if values.get("host") and values.get("token") and values.get("auth_type", "pat") in {"", "pat"}:
        return from_token(values["host"], values["token"], workspace_id=values.get("workspace_id", ""), origin=origin)
    return from_sdk_config(sdk_config(profile=profile), origin=origin)


def profile_config(profile: str) -> SdkConfig:
    """Return the official ``Config`` of a profile in ``~/.databrickscfg``, or in the file that
    ``DATABRICKS_CONFIG_FILE`` names.

    The official tools let ``DATABRICKS_HOST`` override the host of a profile that was asked for by name. Somebody who
    types ``prod`` and lands elsewhere revokes the wrong tokens, so here the contradiction is an error.

    Raises:
        ConfigurationError: No such profile, or the environment contradicts it.
    """
    _check_not_overridden(profile)
    _check_profile(profile)
    return sdk_config(profile=profile)


def _check_not_overridden(profile: str) -> None:
    overriding = [name for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN") if os.environ.get(name)]
    if overriding:
        raise errors.ConfigurationError(
            f"Profile {profile!r} is overridden by {' and '.join(overriding)} in the environment. "
            f"Unset {'it' if len(overriding) == 1 else 'them'}, or connect without a profile."
        )


def profiles() -> list[str]:
    """Return the names of the profiles in the configuration file; none if it is missing or cannot be read."""
    return [name for name, values in _config_sections().items() if name != "__settings__" and values]


def profile_host(profile: str) -> str:
    """Return the host that a profile names, without signing in; empty where the sign-in has to find it.

    Raises:
        ConfigurationError: No such profile, or a host that is none.
    """
    _check_profile(profile)
    host = _config_sections()[profile].get("host", "").strip()
    return normal_host(host) if host else ""


def _check_profile(profile: str) -> None:
    known = profiles()
    if profile not in known:
        hint = errors.did_you_mean(profile, known) if known else "It has no profile at all."
        raise errors.ConfigurationError(f"There is no profile {profile!r} in {_config_file()}. {hint}")


def _config_sections() -> Mapping[str, Mapping[str, str]]:
    import configparser  # noqa: PLC0415 - only a profile needs it

    # To the official tools DEFAULT is a profile like others, whose values the others do not take over.
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        parser.read(_config_file(), encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return {}
    return {name: dict(parser[name]) for name in parser.sections()}


def _config_file() -> Path:
    return Path(os.environ.get("DATABRICKS_CONFIG_FILE") or "~/.databrickscfg").expanduser()


def from_host(host: str) -> Credentials:
    """Return credentials for a host by whatever sign-in the official SDK finds for it."""
    return from_sdk_config(sdk_config(host=normal_host(host)), origin="unified authentication")


def from_sdk_config(config: SdkConfig, *, origin: str = "a databricks.sdk object") -> Credentials:
    """Return credentials that share an official ``Config``'s sign-in, its renewals included."""
    if not config.host:
        raise errors.ConfigurationError(_NOTHING_FOUND)
    return Credentials(
        str(config.host),
        config.authenticate,
        workspace_id=str(getattr(config, "workspace_id", None) or ""),
        origin=origin,
    )


_NOTHING_FOUND = (
    'No workspace is configured. Name a profile of ~/.databrickscfg (connect("prod"), --profile prod), set '
    "DATABRICKS_HOST and DATABRICKS_TOKEN, or give connect() a host and a token. To try things out: "
    'connect("sandbox"), or tokenkit lab.'
)


def load_sdk() -> None:
    """Import the official SDK, before threads would do it all at once."""
    importlib.import_module("databricks.sdk.core")


@without_frames()
def sdk_config(**arguments: Any) -> SdkConfig:  # noqa: ANN401 - the arguments of Config
    """Build the official ``Config``; what it raises becomes one line."""
    from databricks.sdk.core import Config  # noqa: PLC0415 - 0.7 s, and only needed here

    # What it warns of is said by our errors; without a handler Python prints it to whoever has set up no logging.
    logging.getLogger("databricks").addHandler(logging.NullHandler())
    try:
        config: SdkConfig = Config(
            **arguments,
            product="tokenkit",
            product_version=__version__,
            retry_timeout_seconds=_DISCOVERY_SECONDS,
        )
    except Exception as failure:  # noqa: BLE001 - the SDK raises ValueError, OSError, DatabricksError and what it wraps
        error = _configuration_error(failure)
    else:
        return config
    raise error


def _configuration_error(failure: Exception) -> errors.ConfigurationError:
    said = str(failure)
    if "cannot configure default credentials" in said:
        return errors.ConfigurationError(_NOTHING_FOUND)
    return errors.ConfigurationError(f"databricks-sdk found no usable credentials: {first_line(said)}")


def _sign_in_error(failure: Exception, name: str) -> errors.ConfigurationError:
    return errors.ConfigurationError(
        f"{name}: signing in failed: {first_line(str(failure))} Sign in again, or use another profile."
    )


def first_line(text: str) -> str:
    """Return the beginning of what another library said, as a sentence's end."""
    return text.strip().splitlines()[0][:300] if text.strip() else "no reason given."
