"""The profiles in ``~/.databrickscfg``, or in the file in ``DATABRICKS_CONFIG_FILE``.

The file is read as the official tools read it, in the encodings that editors and shells write. Input that the official
tools reject is an error here too, with the line number and the reason. The line itself is never shown, because it can
contain a token.
"""

from __future__ import annotations

import codecs
import io
import os
import re
from collections.abc import Mapping
from pathlib import Path

from tokenkit import errors
from tokenkit.core.redaction import redact

SANDBOX = "sandbox"
"""The name that ``connect`` reads as: start a sandbox in this process."""

_SETTINGS = "__settings__"
_SETTING = re.compile(r"\s*[\w.-]+\s*[=:]")
_INVALID_LINE = "expected a profile, such as [prod], or a setting, such as host = https://…."
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: ("utf-8-sig", "UTF-8 with a byte order mark"),
    codecs.BOM_UTF16_LE: ("utf-16", "UTF-16"),
    codecs.BOM_UTF16_BE: ("utf-16", "UTF-16"),
}


def config_file() -> Path:
    """Return the path of the configuration file.

    Raises:
        ConfigurationError: The path is in a home directory that does not exist.
    """
    named = os.getenv("DATABRICKS_CONFIG_FILE") or "~/.databrickscfg"
    try:
        return Path(named).expanduser()
    except RuntimeError:
        raise errors.ConfigurationError(f"Home directory not found: {named}. Set DATABRICKS_CONFIG_FILE.") from None


def profiles() -> list[str]:
    """Return the names of the profiles; an empty list if the file is missing or cannot be read."""
    try:
        return _names(_sections())
    except errors.ConfigurationError:
        return []


def profile_values(profile: str) -> Mapping[str, str]:
    """Return the settings of a profile.

    Raises:
        ConfigurationError: The profile does not exist, or the file cannot be read.
    """
    sections = _sections()
    known = _names(sections)
    if profile not in known:
        hint = errors.did_you_mean(profile, known) if known else "The file has no profiles."
        raise errors.ConfigurationError(f"There is no profile {redact(profile)!r} in {config_file()}. {hint}")
    return sections[profile]


def default_profile() -> str | None:
    """Return the default profile, or None.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    sections = _sections()
    named = sections.get(_SETTINGS, {}).get("default_profile", "").strip()
    return named or ("DEFAULT" if sections.get("DEFAULT") else None)


def unsupported_encoding() -> str:
    """Return the name of the file's encoding if the official SDK cannot read it, else an empty text."""
    try:
        _, name = _decoded(config_file().read_bytes())
    except OSError:  # no file
        return ""
    return name


def _names(sections: Mapping[str, Mapping[str, str]]) -> list[str]:
    return [name for name, values in sections.items() if name != _SETTINGS and values]


def _sections() -> Mapping[str, Mapping[str, str]]:
    import configparser  # noqa: PLC0415 - only for profiles

    file = config_file()
    # As in the official tools, other profiles do not inherit the values of DEFAULT.
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        text, _ = _decoded(file.read_bytes())
        parser.read_file(io.StringIO(text, newline=None))  # any line ending
    except FileNotFoundError:
        return {}
    except OSError as failure:
        problem = f": {failure.strerror}."
    except UnicodeDecodeError:
        problem = ": it is not text in a known encoding. Save it as UTF-8."
    except configparser.DuplicateSectionError as failure:
        problem = f", line {failure.lineno}: profile [{redact(failure.section)}] is defined twice. Remove one of them."
    except configparser.DuplicateOptionError as failure:
        problem = (
            f", line {failure.lineno}: {redact(failure.option)} is defined twice in [{redact(failure.section)}]. "
            "Remove one of them."
        )
    except configparser.MissingSectionHeaderError as failure:
        precedes = "a setting precedes the first profile. Add [DEFAULT] above it."
        problem = f", line {failure.lineno}: {precedes if _SETTING.match(failure.line) else _INVALID_LINE}"
    except configparser.ParsingError as failure:
        lines = ", ".join(str(number) for number, _ in failure.errors)
        problem = f", line {lines}: {_INVALID_LINE}"
    else:
        sections = {name: dict(parser[name]) for name in parser.sections()}
        # In "host https://…" the colon would separate the name from the value.
        odd = next((name for values in sections.values() for name in values if len(name.split()) > 1), None)
        if odd is None:
            return sections
        numbers = [number for number, line in enumerate(text.lower().splitlines(), 1) if line.strip().startswith(odd)]
        problem = f", line {numbers[0]}: {_INVALID_LINE}"
    raise errors.ConfigurationError(f"{file} cannot be read{problem}")


def _decoded(content: bytes) -> tuple[str, str]:
    """Return a file's text, and the name of its encoding if the official SDK cannot read it."""
    mark = next(filter(content.startswith, _BYTE_ORDER_MARKS), None)
    if mark:
        encoding, name = _BYTE_ORDER_MARKS[mark]
        text = content.decode(encoding).lstrip("\ufeff")  # some editors add another one at each save
    else:
        try:
            text, name = content.decode("utf-8"), ""
        except UnicodeDecodeError:
            text, name = content.decode("latin-1"), "Latin-1"
    if "\0" in text:
        raise UnicodeDecodeError("utf-8", content, 0, 1, "not text")
    return text, name
