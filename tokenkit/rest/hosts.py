"""Addresses of workspaces: a host, and the workspace's id if the host serves several workspaces.

Credentials are sent to these hosts, so ambiguous input is an error and is never repaired.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import parse_qs, urlsplit

from tokenkit import errors
from tokenkit.core.redaction import redact
from tokenkit.core.spelling import spelled

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
WORKSPACE_ID = re.compile(r"[1-9][0-9]{0,18}")
_PROBLEMS = {
    r"\s[#;]": "ends with a comment. Move the comment to its own line",
    r"^[\"']": "is in quotation marks. Remove the quotation marks",
    r"\n": "continues on the next line, which is indented. Remove the indentation",
    r"\s": "contains whitespace",
    r"[^!-~]|\\": "contains a character that is invalid in a host",
}
"""What is wrong with a text that matches a pattern, the most specific first."""

_PORTS = {"https": 443, "http": 80}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_MAX_NAME_LENGTH = 253


@dataclass(frozen=True)
class Address:
    """A workspace's address.

    Attributes:
        host: ``https://name`` in lower case, without the default port, so that all spellings of a host are equal.
        workspace_id: The id of the workspace; empty if it was not given.
    """

    host: str
    workspace_id: str = ""

    def __str__(self) -> str:
        return f"{self.host}/?o={self.workspace_id}" if self.workspace_id else self.host


def address(text: str) -> Address:
    """Return the address for the host or a URL of a workspace, as users type or paste it.

    Raises:
        ConfigurationError: The text is not a host, or a credential would be sent unencrypted.
    """
    if not isinstance(text, str):
        raise errors.ConfigurationError(f"A host must be a string, not {type(text).__name__}.")
    given = text.strip()
    for pattern, problem in _PROBLEMS.items():
        if re.search(pattern, given):
            _raise_invalid(given, problem)
    try:
        parts = urlsplit(given if "://" in given else f"https://{given}")
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.username is not None or parts.password is not None:
        raise errors.ConfigurationError(
            f"A host must not contain a user name or password. {spelled('Pass the token as token=…')}."
        )
    name = _host_name((parts.hostname or "").removesuffix("."), in_brackets="[" in parts.netloc)
    if parts.scheme not in _PORTS or name is None:
        _raise_invalid(given, "is not a host")
    if parts.scheme == "http" and name.strip("[]") not in _LOOPBACK:
        raise errors.ConfigurationError(
            f"{_quoted(given)} would receive the token unencrypted. Use https://; http:// is only allowed for a "
            "sandbox on this machine."
        )
    suffix = "" if port in {None, _PORTS[parts.scheme]} else f":{port}"
    ids = parse_qs(parts.query).get("o", [])
    return Address(f"{parts.scheme}://{name}{suffix}", one_workspace_id(*ids))


def is_address(text: str) -> bool:
    """Return whether a text is a host or URL rather than the name of a profile."""
    return "://" in text or "." in text


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, which only a sandbox uses."""
    return urlsplit(host).hostname in _LOOPBACK


def is_account(host: str) -> bool:
    """Return whether a host is a Databricks account console, which has no tokens."""
    first, _, zone = (urlsplit(host).hostname or "").partition(".")
    return first in {"accounts", "accounts-dod"} and "databricks" in zone


def is_label(text: str) -> bool:
    """Return whether a text is one label of a host name."""
    return re.fullmatch(_LABEL, text) is not None


def one_workspace_id(*given: object) -> str:
    """Return the one workspace id in the arguments; empty if there is none.

    Args:
        given: Ids as texts or numbers; None and the empty text are ignored.

    Raises:
        ConfigurationError: A value is not an id, or two ids differ.
    """
    texts = [str(value).strip() for value in given if value is not None]
    ids = list(dict.fromkeys(filter(None, texts)))
    for workspace_id in ids:
        if not WORKSPACE_ID.fullmatch(workspace_id):
            raise errors.ConfigurationError(
                f"{_quoted(workspace_id)} is not a workspace id. Use the number after ?o= in the workspace's URL."
            )
    if len(ids) > 1:
        raise errors.ConfigurationError(f"Conflicting workspace ids: {ids[0]} and {ids[1]}. Pass one of them.")
    return ids[0] if ids else ""


def _host_name(name: str, *, in_brackets: bool) -> str | None:
    """Return a host name as it is written in a URL; None if it is invalid."""
    if in_brackets:
        try:
            return f"[{ipaddress.IPv6Address(name)}]" if "%" not in name else None
        except ValueError:
            return None
    return name if len(name) <= _MAX_NAME_LENGTH and _NAME.fullmatch(name) else None


def _raise_invalid(given: str, problem: str) -> NoReturn:
    raise errors.ConfigurationError(
        f"{_quoted(given)} {problem}. Write the host as https://my-workspace.cloud.databricks.com."
    )


def _quoted(given: str) -> str:
    """Return the part of the input that cannot contain a secret; an indented next line of a file can follow it."""
    return repr(redact(given.split(maxsplit=1)[0].rpartition("@")[2])) if given else "''"
