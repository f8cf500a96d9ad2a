"""Which workspace, and how to sign for it.

A host and a token, given, in the environment or in a profile, are used as they are. Everything else (other profiles,
OAuth for people and service principals, Azure, the credentials of a Databricks notebook) is the official SDK's unified
authentication, which is imported only then: it costs 0.7 s.

**A credential goes to no other host than the one that it was given for.** Where the environment, a profile and an
argument name two hosts, that is an error before anything is sent; the official tools let one override the other.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, Protocol

from tokenkit import errors
from tokenkit.rest.hosts import Address, address, is_account, one_workspace_id
from tokenkit.rest.profiles import config_file, default_profile, encoding_that_only_we_read, profile_values
from tokenkit.rest.profiles import profiles as profiles  # noqa: PLC0414 - whoever signs in may offer their names
from tokenkit.rest.tracebacks import without_frames
from tokenkit.version import __version__

# The SDK asks the host what it is before it signs in, and would go on asking an unreachable one for five minutes.
_DISCOVERY_SECONDS = 15
_NOWHERE = logging.NullHandler()

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
        workspace_id: Which workspace is meant, where that was said; sent along, as a host may serve several.
        origin: Where they come from, in words that may be shown: ``profile prod``, ``the environment``.
    """

    def __init__(
        self, host: str, sign: Callable[[], Mapping[str, str]], *, workspace_id: str = "", origin: str, name: str = ""
    ) -> None:
        where = _workspace_address(host)
        self.host = where.host
        self.name = name or self.host
        self.workspace_id = one_workspace_id(where.workspace_id, workspace_id)
        self.origin = origin
        self._sign = sign

    def __repr__(self) -> str:
        return f"<Credentials for {self.host} from {self.origin}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(NOT_PICKLED)

    def of_workspace(self, workspace_id: object) -> Credentials:
        """Return the same for the workspace of an id.

        Raises:
            ConfigurationError: They are for another workspace, or it is not an id.
        """
        one_id = one_workspace_id(self.workspace_id, workspace_id)
        return Credentials(self.host, self._sign, workspace_id=one_id, origin=self.origin, name=self.name)

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


def from_token(
    host: str, token: str, *, workspace_id: str = "", origin: str = "arguments", name: str = ""
) -> Credentials:
    """Return credentials for a personal access token."""
    if not isinstance(token, str):
        raise errors.ConfigurationError(f"A token is a text, not a {type(token).__name__}.")
    token = token.strip()
    if not token:
        raise errors.ConfigurationError("The token is empty.")
    if token[0] in "\"'":
        raise errors.ConfigurationError("The token is in quotation marks. Remove them.")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise errors.ConfigurationError("The token holds characters that no token has; was more than the token pasted?")
    headers = {"Authorization": f"Bearer {token}"}
    return Credentials(host, lambda: headers, workspace_id=workspace_id, origin=origin, name=name)


def from_environment() -> Credentials:
    """Return what the environment or the official SDK's unified authentication finds.

    A credential goes to the host that it was given for: ``DATABRICKS_CONFIG_PROFILE`` names a profile, else
    ``DATABRICKS_HOST`` a host, else the file a default profile, else the SDK finds the notebook's own sign-in.

    Raises:
        ConfigurationError: Nothing was found, or two of them contradict each other.
    """
    if profile := os.environ.get("DATABRICKS_CONFIG_PROFILE"):
        return from_profile(profile)
    if host := os.environ.get("DATABRICKS_HOST"):
        return from_host(host, origin="the environment")
    if os.environ.get("DATABRICKS_TOKEN"):
        raise errors.ConfigurationError(
            "DATABRICKS_TOKEN is set and DATABRICKS_HOST is not, so the workspace is unknown. Set both, or give host=…."
        )
    if default := default_profile():
        return from_profile(default)
    return from_sdk_config(sdk_config(), origin="the environment")


def from_profile(profile: str) -> Credentials:
    """Return the credentials of a profile; see ``profile_config``. A profile with a host and a token needs no SDK."""
    values = profile_values(profile)
    token = values.get("token", "").strip()
    others = any(name.startswith(_OTHER_SIGN_INS) for name in values)
    auth_type = values.get("auth_type")
    if "token" not in values or (auth_type or "pat") != "pat" or (others and not auth_type):
        config, origin = profile_config(profile), f"profile {profile}"
        return from_sdk_config(config, workspace_id=profile_address(profile).workspace_id, origin=origin)
    _refuse_overridden(profile, values, "DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_WORKSPACE_ID")
    where = profile_address(profile)
    if not where.host:
        raise errors.ConfigurationError(f"Profile {profile!r} has a token and no host. Add host = https://….")
    if not token:
        raise errors.ConfigurationError(f"The token of profile {profile!r} is empty.")
    return from_token(where.host, token, workspace_id=where.workspace_id, origin=f"profile {profile}")


def profile_config(profile: str) -> SdkConfig:
    """Return the official ``Config`` of a profile in ``~/.databrickscfg``, or in the file that
    ``DATABRICKS_CONFIG_FILE`` names.

    The official tools let the environment override the host or the credential of a profile that was asked for by name.
    Somebody who types ``prod`` and reaches another workspace revokes the wrong tokens, and the credential of one host
    is sent to another; so here the contradiction is an error.

    Raises:
        ConfigurationError: No such profile, or the environment contradicts it.
    """
    values = profile_values(profile)
    _refuse_overridden(profile, values, "DATABRICKS_HOST", *_SETTINGS_OF_A_HOST)
    if encoding := encoding_that_only_we_read():
        raise errors.ConfigurationError(
            f"{config_file()} is {encoding}, which the official SDK does not read, and profile {profile!r} signs in "
            "by it. Save the file as UTF-8 without a byte order mark."
        )
    where = profile_address(profile)
    config = sdk_config(_for=f"profile {profile!r}", profile=profile, host=where.host or None)
    return _checked(config, where.host)


def profile_address(profile: str) -> Address:
    """Return the address that a profile names, without signing in; its host is empty where the sign-in has to find it.

    Raises:
        ConfigurationError: No such profile, or a host that is none.
    """
    values = profile_values(profile)
    host, workspace_id = values.get("host", "").strip(), values.get("workspace_id")
    try:
        where = address(host) if host else Address("")
        return Address(where.host, one_workspace_id(where.workspace_id, workspace_id))
    except errors.ConfigurationError as failure:
        problem = str(failure)
    raise errors.ConfigurationError(f"Profile {profile!r} in {config_file()}: {problem}")


def from_host(host: str, *, origin: str = "unified authentication") -> Credentials:
    """Return credentials for a host by whatever sign-in the environment or the official SDK has for it.

    Raises:
        ConfigurationError: The environment's credentials are for another host, or there are none.
    """
    where = _workspace_address(host)
    check_environment_is_for(where)
    if profile := os.environ.get("DATABRICKS_CONFIG_PROFILE"):
        return from_profile(profile)
    token = os.environ.get("DATABRICKS_TOKEN", "")
    if token and os.environ.get("DATABRICKS_AUTH_TYPE", "pat") == "pat":
        workspace_id = one_workspace_id(where.workspace_id, os.environ.get("DATABRICKS_WORKSPACE_ID"))
        return from_token(where.host, token, workspace_id=workspace_id, origin="the environment")
    config = _checked(sdk_config(_for=where.host, host=where.host), where.host)
    return from_sdk_config(config, workspace_id=where.workspace_id, origin=origin)


def _workspace_address(host: str) -> Address:
    where = address(host)
    if is_account(where.host):
        raise errors.ConfigurationError(
            f"{where.host} is the console of an account, not a workspace. Name a workspace's host, or take all "
            "workspaces of the account: fleet(account=…), tokenkit fleet … --account NAME."
        )
    return where


def check_environment_is_for(where: Address) -> None:
    """Refuse to use the environment's credentials for a host where the environment names another.

    Raises:
        ConfigurationError: ``DATABRICKS_HOST`` or ``DATABRICKS_CONFIG_PROFILE`` names another workspace.
    """
    named = {}
    if host := os.environ.get("DATABRICKS_HOST"):
        named["DATABRICKS_HOST"] = address(host)
    if profile := os.environ.get("DATABRICKS_CONFIG_PROFILE"):
        named["DATABRICKS_CONFIG_PROFILE"] = profile_address(profile)
    for variable, other in named.items():
        both_known = where.workspace_id and other.workspace_id
        if other.host != where.host or (both_known and where.workspace_id != other.workspace_id):
            raise errors.ConfigurationError(
                f"{where} was named, and {variable} in the environment is for {other or 'no host'}. A credential is "
                f"not sent to another host: unset {variable}, or give host=… and token=…."
            )


def check_token_is_for(named: Iterable[Address]) -> None:
    """Refuse several hosts where the environment has the token of one, and does not say of which.

    Raises:
        ConfigurationError: It is so.
    """
    hosts = list(dict.fromkeys(where.host for where in named))
    says_which = os.environ.get("DATABRICKS_HOST") or os.environ.get("DATABRICKS_CONFIG_PROFILE")
    if len(hosts) > 1 and os.environ.get("DATABRICKS_TOKEN") and not says_which:
        raise errors.ConfigurationError(
            f"DATABRICKS_TOKEN is the token of one workspace, and {len(hosts)} hosts are named. "
            "Name profiles, or sign in as a service principal (DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET)."
        )


def _refuse_overridden(profile: str, values: Mapping[str, str], *variables: str) -> None:
    """Refuse a profile whose settings the environment would replace by others."""

    def contradicts(variable: str) -> bool:
        given, own = os.environ.get(variable, ""), values.get(variable.removeprefix("DATABRICKS_").lower(), "")
        if variable == "DATABRICKS_WORKSPACE_ID":
            own = profile_address(profile).workspace_id
        if variable == "DATABRICKS_HOST" and given and own:
            return address(given).host != address(own).host
        return given not in {"", own}

    overriding = [variable for variable in variables if contradicts(variable)]
    if overriding:
        raise errors.ConfigurationError(
            f"Profile {profile!r} is overridden by {' and '.join(overriding)} in the environment. "
            f"Unset {'it' if len(overriding) == 1 else 'them'}, or connect without a profile."
        )


def _checked(config: SdkConfig, host: str) -> SdkConfig:
    """Return a ``Config`` whose sign-in is for the host that was asked for."""
    if host and address(str(config.host)).host != host:
        raise errors.ConfigurationError(f"{host} was named, and the sign-in that was found is for {config.host}.")
    return config


def from_sdk_config(
    config: SdkConfig, *, workspace_id: str = "", origin: str = "a databricks.sdk object"
) -> Credentials:
    """Return credentials that share an official ``Config``'s sign-in, its renewals included."""
    if not config.host:
        raise errors.ConfigurationError(_NOTHING_FOUND)
    return Credentials(
        str(config.host),
        config.authenticate,
        workspace_id=one_workspace_id(workspace_id, getattr(config, "workspace_id", None)),
        origin=origin,
    )


_OTHER_SIGN_INS = ("client_", "username", "password", "azure_", "google_", "oidc_", "metadata_service_")
_SETTINGS_OF_A_HOST = tuple(
    f"DATABRICKS_{name}"
    for name in ("TOKEN", "CLIENT_ID", "CLIENT_SECRET", "USERNAME", "PASSWORD", "WORKSPACE_ID", "METADATA_SERVICE_URL")
)
_NOTHING_FOUND = (
    'No workspace is configured. Name a profile of ~/.databrickscfg (connect("prod"), --profile prod), set '
    "DATABRICKS_HOST and DATABRICKS_TOKEN, or give connect() a host and a token. To try things out: "
    'connect("sandbox"), or tokenkit lab.'
)


def load_sdk() -> None:
    """Import the official SDK, before threads would do it all at once."""
    # Its warnings about a host that is down are for whoever set up logging; ours is one error.
    logging.getLogger("databricks.sdk").addHandler(_NOWHERE)
    importlib.import_module("databricks.sdk.core")


@without_frames()
def sdk_config(*, _for: str = "", **arguments: Any) -> SdkConfig:  # noqa: ANN401 - the arguments of Config
    """Build the official ``Config``; what it raises becomes one line, which names what it was ``_for``."""
    load_sdk()
    from databricks.sdk.core import Config  # noqa: PLC0415 - 0.7 s, and only needed here

    try:
        config: SdkConfig = Config(
            **arguments,
            product="tokenkit",
            product_version=__version__,
            retry_timeout_seconds=_DISCOVERY_SECONDS,
        )
    except Exception as failure:  # noqa: BLE001 - the SDK raises ValueError, OSError, DatabricksError and what it wraps
        error = _configuration_error(failure, _for)
    else:
        return config
    raise error


def _configuration_error(failure: Exception, whose: str) -> errors.ConfigurationError:
    said = str(failure)
    if "cannot configure default credentials" not in said:
        about = f" for {whose}" if whose else ""
        return errors.ConfigurationError(f"databricks-sdk found no usable credentials{about}: {first_line(said)}")
    if not whose:
        return errors.ConfigurationError(_NOTHING_FOUND)
    return errors.ConfigurationError(
        f"No credentials were found for {whose}. Give host=… and token=…, set DATABRICKS_HOST and DATABRICKS_TOKEN, or "
        "name a profile that holds them."
    )


def _sign_in_error(failure: Exception, name: str) -> errors.ConfigurationError:
    return errors.ConfigurationError(
        f"{name}: signing in failed: {first_line(str(failure))} Sign in again, or use another profile."
    )


def first_line(text: str) -> str:
    """Return the beginning of what another library said, as a sentence's end."""
    return text.strip().splitlines()[0][:300] if text.strip() else "no reason given."
