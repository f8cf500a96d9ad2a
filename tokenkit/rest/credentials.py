"""Credentials: the host of a workspace, and the headers that sign its requests.

A host and a token from arguments, the environment or a profile are used directly. All other sign-ins (other profiles,
OAuth of users and service principals, Azure, the credentials of a Databricks notebook) use the official SDK's unified
authentication. The SDK is imported only then, because the import takes 0.7 s.

**A credential is sent only to the host that it was given for.** If the environment, a profile and an argument name
different hosts, an error is raised before any request is sent. The official tools let one setting override another.
"""

from __future__ import annotations

import importlib
import logging
import os
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, Protocol

from tokenkit import errors
from tokenkit.core.redaction import redact
from tokenkit.core.spelling import spelled
from tokenkit.core.wording import not_installed
from tokenkit.core.write_once import is_inside_databricks
from tokenkit.rest import notebook
from tokenkit.rest.hosts import Address, address, is_account, is_loopback, one_workspace_id
from tokenkit.rest.profiles import config_file, default_profile, profile_values, unsupported_encoding
from tokenkit.rest.profiles import profiles as profiles  # noqa: PLC0414 - public here
from tokenkit.rest.responses import RENEWAL
from tokenkit.rest.tracebacks import without_frames
from tokenkit.version import __version__

# Before it signs in, the SDK requests the host's metadata; it would retry an unreachable host for five minutes.
_DISCOVERY_SECONDS = 2
_RETRIES_FOR = "_retry_timeout_seconds"  # of a client of the official SDK
_NULL_HANDLER = logging.NullHandler()

NOTEBOOK = "the identity of this notebook"
"""The origin of credentials that Databricks provides to a notebook or a job."""
ARGUMENTS = "arguments"
ENVIRONMENT, UNIFIED = "the environment", "unified authentication"
"""The other origins of credentials that are not a profile's: of the caller, of the workspace of the environment, or of
a host."""

NOT_PICKLED = (
    "Objects that are connected to a workspace cannot be pickled or copied, because they contain a credential. Pass "
    "frames, or call tokenkit.connect() in the other process."
)


class SdkConfig(Protocol):
    """The part of ``databricks.sdk.core.Config`` that is used here."""

    host: Any

    def authenticate(self) -> dict[str, str]:
        """Return current headers."""
        ...


class Credentials:
    """A host and a function that signs requests for it.

    Attributes:
        host: ``https://…`` without a trailing slash.
        name: The name of the workspace in messages; the host by default.
        workspace_id: The workspace's id if it was given. It is sent with every request, because a host can serve
            several workspaces.
        origin: The source of the credentials, for messages: ``profile prod``, ``the environment``.
    """

    def __init__(
        self,
        host: str,
        sign: Callable[[], Mapping[str, str]],
        *,
        workspace_id: str = "",
        origin: str,
        name: str = "",
    ) -> None:
        workspace = _workspace_address(host)
        self.host = workspace.host
        self.name = name or self.host
        self.workspace_id = one_workspace_id(workspace.workspace_id, workspace_id)
        self.origin = origin
        self._sign = sign

    @property
    def renewal(self) -> str:
        """The next step if the credentials are no longer valid, which depends on their origin."""
        if profile := profile_of(self.origin):
            return (
                f"Renew the credential of profile {profile!r} in {config_file()}, or for OAuth sign in again with "
                f"`databricks auth login --profile {shlex.quote(profile)}`."
            )
        return _RENEWALS.get(self.origin, RENEWAL)

    def __repr__(self) -> str:
        return f"<Credentials for {self.host} from {self.origin}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(NOT_PICKLED)

    def of_workspace(self, workspace_id: object) -> Credentials:
        """Return the credentials for the workspace with an id.

        Raises:
            ConfigurationError: The credentials are for another workspace, or the id is invalid.
        """
        one_id = one_workspace_id(self.workspace_id, workspace_id)
        return Credentials(self.host, self._sign, workspace_id=one_id, origin=self.origin, name=self.name)

    @without_frames()
    def hashes(self, of: Callable[[str], Iterable[str]]) -> frozenset[str]:
        """Return what a function returns for the value that signs a request, without the value.

        Args:
            of: Returns the hashes of a value.

        Raises:
            ConfigurationError: As for ``headers``.
        """
        return frozenset(of(str(self.headers().get("Authorization", "")).rpartition(" ")[2]))

    @without_frames()
    def headers(self) -> Mapping[str, str]:
        """Return the headers that sign one request.

        Raises:
            ConfigurationError: The official SDK could not sign in or renew its token.
        """
        try:
            return self._sign()
        except Exception as failure:  # noqa: BLE001 - each sign-in raises its own errors, which can contain secrets
            problem = f"{self.name}: sign-in failed: {first_line(str(failure))} {self.renewal}"
            raise errors.ConfigurationError(problem) from None


def from_token(host: str, token: str, *, workspace_id: str = "", origin: str = ARGUMENTS) -> Credentials:
    """Return credentials for a personal access token."""
    if not isinstance(token, str):
        raise errors.ConfigurationError(f"A token must be a string, not {type(token).__name__}.")
    token = token.strip()
    if not token:
        raise errors.ConfigurationError("The token is empty.")
    if token[0] in "\"'":
        raise errors.ConfigurationError("The token is in quotation marks. Remove the quotation marks.")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise errors.ConfigurationError(
            "The token contains characters that are invalid in a token. Check that only the token was pasted."
        )
    headers = {"Authorization": f"Bearer {token}"}
    return Credentials(host, lambda: headers, workspace_id=workspace_id, origin=origin)


def from_environment() -> Credentials:
    """Return the credentials of the environment, or those that the official SDK's unified authentication finds.

    The order is: the profile in ``DATABRICKS_CONFIG_PROFILE``, the host in ``DATABRICKS_HOST``, the default profile of
    the configuration file, and the identity of a Databricks notebook.

    Raises:
        ConfigurationError: No credentials were found, or two settings conflict.
    """
    if profile := os.getenv("DATABRICKS_CONFIG_PROFILE"):
        return from_profile(profile)
    if host := os.getenv("DATABRICKS_HOST"):
        return from_host(host, origin=ENVIRONMENT)
    if os.getenv("DATABRICKS_TOKEN"):
        raise errors.ConfigurationError(
            f"DATABRICKS_TOKEN is set, but DATABRICKS_HOST is not. Set DATABRICKS_HOST{spelled(', or pass host=…')}."
        )
    if default := default_profile():
        return from_profile(default)
    if is_inside_databricks():
        return from_notebook()
    return from_sdk_config(sdk_config(), origin=ENVIRONMENT)


def from_notebook() -> Credentials:
    """Return the credentials of the Databricks notebook or job that runs this.

    Raises:
        ConfigurationError: Databricks provides none to this process.
    """
    load_sdk()
    try:
        config = sdk_config(_for=NOTEBOOK, auth_type="runtime")
    except errors.ConfigurationError as failure:
        own, problem = notebook.identity(), str(failure)
    else:
        return from_sdk_config(config, origin=NOTEBOOK)
    if own is None:
        raise errors.ConfigurationError(problem)
    return Credentials(own.host, own.sign, workspace_id=one_workspace_id("", own.workspace_id), origin=NOTEBOOK)


_OF_PROFILE = "profile "


def profile_of(origin: str) -> str:
    """Return the profile that the origin of credentials names; empty if they are not of a profile."""
    return origin.removeprefix(_OF_PROFILE) if origin.startswith(_OF_PROFILE) else ""


def from_profile(profile: str) -> Credentials:
    """Return the credentials of a profile; see ``profile_config``. A profile with a host and a token avoids the SDK."""
    values = profile_values(profile)
    workspace = _check_is_workspace(profile_address(profile), account_id=values.get("account_id", ""))
    token = values.get("token", "").strip()
    others = any(name.startswith(_OTHER_SIGN_INS) for name in values)
    auth_type = values.get("auth_type")
    if "token" not in values or (auth_type or "pat") != "pat" or (others and not auth_type):
        config, origin = profile_config(profile), f"{_OF_PROFILE}{profile}"
        return from_sdk_config(config, workspace_id=workspace.workspace_id, origin=origin)
    _check_not_overridden(profile, values, "DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_WORKSPACE_ID")
    if not workspace.host:
        raise errors.ConfigurationError(f"Profile {profile!r} has a token but no host. Add host = https://….")
    if not token:
        raise errors.ConfigurationError(f"The token of profile {profile!r} is empty.")
    return from_token(workspace.host, token, workspace_id=workspace.workspace_id, origin=f"{_OF_PROFILE}{profile}")


def profile_config(profile: str) -> SdkConfig:
    """Return the official ``Config`` of a profile in ``~/.databrickscfg``, or in the file in
    ``DATABRICKS_CONFIG_FILE``.

    The official tools let the environment override the host or the credential of a named profile. A user who names
    ``prod`` and reaches another workspace would revoke the wrong tokens, and the credential of one host would be sent
    to another. Here such a conflict is an error.

    Raises:
        ConfigurationError: The profile does not exist, or the environment conflicts with it.
        ConnectionFailedError: As for ``from_host``.
    """
    values = profile_values(profile)
    _check_not_overridden(profile, values, "DATABRICKS_HOST", *_SETTINGS_OF_A_HOST)
    if encoding := unsupported_encoding():
        raise errors.ConfigurationError(
            f"The official SDK, which profile {profile!r} requires, cannot read {config_file()}: its encoding is "
            f"{encoding}. Save the file as UTF-8 without a byte order mark."
        )
    workspace = profile_address(profile)
    config = sdk_config(_for=f"profile {profile!r}", profile=profile, host=workspace.host or None)
    return _checked(config, workspace.host)


def profile_address(profile: str) -> Address:
    """Return the address in a profile, without signing in; the host is empty if only the sign-in determines it.

    Raises:
        ConfigurationError: The profile does not exist, or its host is invalid.
    """
    values = profile_values(profile)
    host, workspace_id = values.get("host", "").strip(), values.get("workspace_id")
    try:
        workspace = address(host) if host else Address("")
        return Address(workspace.host, one_workspace_id(workspace.workspace_id, workspace_id))
    except errors.ConfigurationError as failure:
        raise errors.ConfigurationError(f"Profile {profile!r} in {config_file()}: {failure}") from None


def from_host(host: str, *, origin: str = UNIFIED) -> Credentials:
    """Return credentials for a host, from the environment or the official SDK's unified authentication.

    Raises:
        ConfigurationError: The environment's credentials are for another host, or no credentials were found.
        ConnectionFailedError: The sign-in requires a request, and the host could not be reached.
    """
    workspace = _workspace_address(host)
    check_environment_is_for(workspace)
    if profile := os.getenv("DATABRICKS_CONFIG_PROFILE"):
        return from_profile(profile)
    token = os.getenv("DATABRICKS_TOKEN", "")
    if token and os.getenv("DATABRICKS_AUTH_TYPE", "pat") == "pat":
        workspace_id = one_workspace_id(workspace.workspace_id, os.getenv("DATABRICKS_WORKSPACE_ID"))
        return from_token(workspace.host, token, workspace_id=workspace_id, origin=ENVIRONMENT)
    config = _checked(sdk_config(_for=workspace.host, host=workspace.host), workspace.host)
    return from_sdk_config(config, workspace_id=workspace.workspace_id, origin=origin)


def _workspace_address(host: str) -> Address:
    return _check_is_workspace(address(host))


def _check_is_workspace(workspace: Address, *, account_id: str = "") -> Address:
    # A sandbox on this machine writes an account_id only into the profile of its account. Elsewhere workspaces have it.
    if is_account(workspace.host) or (account_id and is_loopback(workspace.host)):
        raise errors.ConfigurationError(
            f"{workspace.host} is an account console, not a workspace. Use the profile or the host of a workspace, or "
            f"all workspaces of the account: {spelled('fleet(account=…)')}."
        )
    return workspace


def check_environment_is_for(workspace: Address) -> None:
    """Check that the environment does not name another workspace, so that its credentials can be used.

    Raises:
        ConfigurationError: ``DATABRICKS_HOST`` or ``DATABRICKS_CONFIG_PROFILE`` names another workspace.
    """
    named = {}
    if host := os.getenv("DATABRICKS_HOST"):
        named["DATABRICKS_HOST"] = address(host)
    if profile := os.getenv("DATABRICKS_CONFIG_PROFILE"):
        named["DATABRICKS_CONFIG_PROFILE"] = profile_address(profile)
    for variable, other in named.items():
        both_known = workspace.workspace_id and other.workspace_id
        if other.host != workspace.host or (both_known and workspace.workspace_id != other.workspace_id):
            raise errors.ConfigurationError(
                f"The environment's credentials are not for {workspace}: {variable} is for {other or 'no host'}. Unset "
                f"{variable}{spelled(', or pass host=… and token=…')}."
            )


def check_token_is_for(named: Iterable[Address]) -> None:
    """Check that a token in the environment is not used for several hosts.

    Raises:
        ConfigurationError: There are several hosts, and the environment has a token without a host or profile.
    """
    hosts = list(dict.fromkeys(workspace.host for workspace in named))
    has_host = os.getenv("DATABRICKS_HOST") or os.getenv("DATABRICKS_CONFIG_PROFILE")
    if len(hosts) > 1 and os.getenv("DATABRICKS_TOKEN") and not has_host:
        raise errors.ConfigurationError(
            f"DATABRICKS_TOKEN is valid for one workspace, but {len(hosts)} hosts are named. "
            "Use profiles, or sign in as a service principal (DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET)."
        )


def _check_not_overridden(profile: str, values: Mapping[str, str], *variables: str) -> None:
    """Check that the environment does not override settings of a profile."""

    def is_overridden(variable: str) -> bool:
        given, own = os.getenv(variable, ""), values.get(variable.removeprefix("DATABRICKS_").lower(), "")
        if variable == "DATABRICKS_WORKSPACE_ID":
            own = profile_address(profile).workspace_id
        if variable == "DATABRICKS_HOST" and given and own:
            return address(given).host != address(own).host
        return given not in {"", own}

    overriding = [variable for variable in variables if is_overridden(variable)]
    if overriding:
        raise errors.ConfigurationError(
            f"Profile {profile!r} is overridden by {' and '.join(overriding)} in the environment. "
            f"Unset {'it' if len(overriding) == 1 else 'them'}, or connect without a profile."
        )


def _checked(config: SdkConfig, host: str) -> SdkConfig:
    """Return a ``Config`` after checking that its sign-in is for the requested host."""
    if host and address(str(config.host)).host != host:
        raise errors.ConfigurationError(f"The sign-in found is for {config.host}, not {host}. Check the profile.")
    return config


def from_sdk_config(
    config: SdkConfig, *, workspace_id: str = "", origin: str = "a databricks.sdk object"
) -> Credentials:
    """Return credentials that share the sign-in of an official ``Config``, including token renewal."""
    if not config.host:
        raise errors.ConfigurationError(f"No workspace is configured. {spelled(_HOW_TO_CONNECT)}.")
    known = getattr(config, "workspace_id", None)
    return Credentials(
        str(config.host),
        config.authenticate,
        # Where a notebook provides no id, the SDK stores the text "None".
        workspace_id=one_workspace_id(workspace_id, None if known == "None" else known),
        origin=origin,
    )


_OTHER_SIGN_INS = ("client_", "username", "password", "azure_", "google_", "oidc_", "metadata_service_")
_SETTINGS_OF_A_HOST = tuple(
    f"DATABRICKS_{name}"
    for name in ("TOKEN", "CLIENT_ID", "CLIENT_SECRET", "USERNAME", "PASSWORD", "WORKSPACE_ID", "METADATA_SERVICE_URL")
)
_RENEWALS = {
    NOTEBOOK: "Run the cell again. If the error persists, detach and reattach the notebook, or run the job again.",
    ENVIRONMENT: "Renew the credential in the environment, such as DATABRICKS_TOKEN, or sign in again.",
    ARGUMENTS: "Pass another token, or sign in again.",
}
_NO_NOTEBOOK = (
    "Databricks provides no credentials to this process{reason}. The identity of a notebook is available only in "
    "Python cells and in jobs, not in %sh or on workers. Name a profile, or set DATABRICKS_HOST and DATABRICKS_TOKEN."
)
_HOW_TO_CONNECT = (
    'Name a profile of ~/.databrickscfg with connect("prod"), set '
    "DATABRICKS_HOST and DATABRICKS_TOKEN, or pass host=… and token=… to connect(). To try tokenkit without a "
    'workspace, use connect("sandbox") or run `tokenkit lab`'
)


def load_sdk() -> None:
    """Import the official SDK before several threads import it at once.

    Raises:
        ConfigurationError: The SDK is not installed.
    """
    # Without a handler, logging would print the SDK's warnings in addition to the error.
    logging.getLogger("databricks.sdk").addHandler(_NULL_HANDLER)
    try:
        importlib.import_module("databricks.sdk.core")
        oauth = importlib.import_module("databricks.sdk.oauth")
    except ImportError:
        problem = not_installed("This sign-in requires databricks-sdk", "databricks-sdk")
        raise errors.ConfigurationError(problem) from None
    # In versions 0.40 to 0.67, which the runtimes have, these ask a host with a client of their own. It retries for 300
    # seconds, whatever the Config says.
    for name in ("get_workspace_endpoints", "get_account_endpoints"):
        for client in getattr(getattr(oauth, name, None), "__defaults__", None) or ():
            if hasattr(client, _RETRIES_FOR):
                setattr(client, _RETRIES_FOR, _DISCOVERY_SECONDS)


@without_frames()
def sdk_config(*, _for: str = "", **arguments: Any) -> SdkConfig:  # noqa: ANN401 - the arguments of Config
    """Build the official ``Config``; its errors become one line, which names what the ``Config`` is ``_for``."""
    load_sdk()
    from databricks.sdk.core import Config  # noqa: PLC0415 - takes 0.7 s

    try:
        config: SdkConfig = Config(
            **arguments,
            product="tokenkit",
            product_version=__version__,
            retry_timeout_seconds=_DISCOVERY_SECONDS,
        )
    except Exception as failure:  # noqa: BLE001 - ValueError, OSError, DatabricksError and wrapped errors
        raise _configuration_error(failure, _for, **arguments) from None
    return config


def _configuration_error(
    failure: Exception,
    subject: str,
    *,
    host: str | None = None,
    profile: str = "",
    **_: Any,  # noqa: ANN401 - the other arguments of Config
) -> errors.TokenKitError:
    message = str(failure)
    found_nothing = "cannot configure default credentials" in message
    if subject == NOTEBOOK:
        return errors.ConfigurationError(
            _NO_NOTEBOOK.format(reason="" if found_nothing else f" ({first_line(message).rstrip('.')})")
        )
    if not subject and (encoding := unsupported_encoding()) and (names := profiles()):
        return errors.ConfigurationError(
            f"No workspace is named, and the official SDK cannot read {config_file()}: its encoding is {encoding}. "
            f"Name a profile ({', '.join(map(redact, names))}), or save the file as UTF-8 without a byte order mark."
        )
    if profile and (lacking := _lacking(profile, host, message)):
        return errors.ConfigurationError(f"Profile {profile!r} in {config_file()} has {lacking}.")
    if host and is_unreachable(message):
        how = f" with {subject}" if profile else ""
        return errors.ConnectionFailedError(
            f"{host} could not be reached, or does not say how to sign in{how}. {CHECK_HOST}"
        )
    about = f" for {subject}" if subject else ""
    if not found_nothing:
        problem = f"databricks-sdk found no usable credentials{about}: {first_line(message)}"
    elif about:
        problem = (
            f"No credentials were found{about}. {spelled('Pass host=… and token=…, set')} DATABRICKS_HOST and "
            "DATABRICKS_TOKEN, or name a profile that contains credentials."
        )
    else:
        problem = f"No workspace is configured. {spelled(_HOW_TO_CONNECT)}."
    return errors.ConfigurationError(problem)


def _lacking(profile: str, host: str | None, message: str) -> str:
    """Return what a profile lacks, and what to add, if the official SDK failed for that reason."""
    if not (host or os.getenv("DATABRICKS_HOST") or _RESOURCE in profile_values(profile)):
        return "no host. Add host = https://…, the address of the workspace or of the account's console"
    return f"no account_id, which {host} requires. Add account_id = …" if _LACKS_ACCOUNT_ID in message else ""


CHECK_HOST = "Check the host name, the network and the proxy."
_RESOURCE = "azure_workspace_resource_id"  # names the workspace in place of a host
_LACKS_ACCOUNT_ID = "account_id is required"
# The SDK goes on without the metadata of a host that it could not reach: then the URL to sign in at is None.
_UNREACHABLE = re.compile(
    "Invalid URL 'None'|Max retries exceeded|timed out|Connection (?:refused|aborted|reset)|"
    "Failed to (?:resolve|establish)",
    re.IGNORECASE,
)
_SETTINGS_OF_THE_SDK = re.compile(r"\.? (?:Config|Env): .*")


def is_unreachable(message: str) -> bool:
    """Return whether a message of the official SDK is about a host that could not be reached."""
    return bool(_UNREACHABLE.search(message))


def first_line(text: str) -> str:
    """Return the first line of another library's message as a sentence, without the settings that the official SDK
    appends.
    """
    if not text.strip():
        return "no reason given."
    line = redact(_SETTINGS_OF_THE_SDK.sub(".", text.strip().splitlines()[0])[:300])
    return line if line.endswith((".", "!", "?")) else f"{line}."
