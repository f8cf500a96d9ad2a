"""Where a workspace is: a host, and the workspace's id where a host serves several.

A credential goes wherever this module says, so whatever could be read in two ways is refused rather than repaired.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import parse_qs, urlsplit

from tokenkit import errors
from tokenkit.redaction import redact

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_WORKSPACE_ID = re.compile(r"[1-9][0-9]{0,18}")
_PORTS = {"https": 443, "http": 80}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_LONGEST_NAME = 253


@dataclass(frozen=True)
class Address:
    """A workspace's address.

    Attributes:
        host: ``https://name``, in lower case and without a port that is the scheme's own: every spelling of a host is
            one.
        workspace_id: Which workspace of the host is meant; empty where that was not said.
    """

    host: str
    workspace_id: str = ""

    def __str__(self) -> str:
        return f"{self.host}/?o={self.workspace_id}" if self.workspace_id else self.host


def address(text: str) -> Address:
    """Return the address that a host or a URL of a workspace names, as people write and paste it.

    Raises:
        ConfigurationError: It is not a host, or a credential would be sent to it unencrypted.
    """
    if not isinstance(text, str):
        raise errors.ConfigurationError(f"A host is a text, not a {type(text).__name__}.")
    given = text.strip()
    if re.search(r"\s[#;]", given):
        _refuse(given, "ends with a comment. Put the comment on a line of its own")
    if given[:1] in {'"', "'"}:
        _refuse(given, "is in quotation marks. Remove them")
    if re.search(r"\s", given):
        _refuse(given, "contains a blank")
    if not given.isascii() or not given.isprintable() or "\\" in given:
        _refuse(given, "contains a character that a host cannot have")
    try:
        parts = urlsplit(given if "://" in given else f"https://{given}")
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.username is not None or parts.password is not None:
        raise errors.ConfigurationError("A host must not hold a user name or password. Give the token as token=….")
    name = _host_name((parts.hostname or "").removesuffix("."), in_brackets="[" in parts.netloc)
    if parts.scheme not in _PORTS or name is None:
        _refuse(given, "is not a host")
    if parts.scheme == "http" and name.strip("[]") not in _LOOPBACK:
        raise errors.ConfigurationError(
            f"{_shown(given)} would get your token unencrypted. Write https://; plain http is for a sandbox on this "
            "machine."
        )
    suffix = "" if port in {None, _PORTS[parts.scheme]} else f":{port}"
    ids = parse_qs(parts.query).get("o", [])
    return Address(f"{parts.scheme}://{name}{suffix}", one_workspace_id(*ids))


def normal_host(text: str) -> str:
    """Return the host of an address; see ``address``."""
    return address(text).host


def is_address(text: str) -> bool:
    """Tell whether what somebody typed is a host or URL, rather than the name of a profile."""
    return "://" in text or "." in text


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, where only a sandbox can be."""
    return urlsplit(host).hostname in _LOOPBACK


def is_account(host: str) -> bool:
    """Tell whether a host is an account console of Databricks, which has no tokens of its own."""
    first, _, zone = (urlsplit(host).hostname or "").partition(".")
    return first in {"accounts", "accounts-dod"} and "databricks" in zone


def is_label(text: str) -> bool:
    """Tell whether a text is one label of a host name."""
    return re.fullmatch(_LABEL, text) is not None


def one_workspace_id(*given: object) -> str:
    """Return the workspace id that everything given agrees on; empty where nothing names one.

    Args:
        given: Ids as texts or numbers; None and the empty text name none.

    Raises:
        ConfigurationError: Something is not an id, or two ids differ.
    """
    texts = [str(value).strip() for value in given if value is not None]
    ids = list(dict.fromkeys(filter(None, texts)))
    for workspace_id in ids:
        if not _WORKSPACE_ID.fullmatch(workspace_id):
            raise errors.ConfigurationError(
                f"{_shown(workspace_id)} is not a workspace id. It is the number after ?o= in the workspace's URL."
            )
    if len(ids) > 1:
        raise errors.ConfigurationError(f"Two workspaces are named, {ids[0]} and {ids[1]}. Name one.")
    return ids[0] if ids else ""


def _host_name(name: str, *, in_brackets: bool) -> str | None:
    """Return a name as it stands in a URL; None where it is not a name."""
    if in_brackets:
        try:
            return f"[{ipaddress.IPv6Address(name)}]" if "%" not in name else None
        except ValueError:
            return None
    return name if len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) else None


def _refuse(given: str, problem: str) -> NoReturn:
    raise errors.ConfigurationError(
        f"{_shown(given)} {problem}. Write the host as https://my-workspace.cloud.databricks.com."
    )


def _shown(given: str) -> str:
    """Return what was given as far as it can hold no secret: an indented next line of a file would follow it."""
    return repr(redact(given.split(maxsplit=1)[0].rpartition("@")[2])) if given else "''"
