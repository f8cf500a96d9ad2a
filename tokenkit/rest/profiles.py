"""The profiles in ``~/.databrickscfg``, or in the file that ``DATABRICKS_CONFIG_FILE`` names.

The file is read as the official tools read it, in the encodings that editors and shells write. What the official tools
refuse is refused here too, with the line and the reason. A line itself is never shown: it may hold a token.
"""

from __future__ import annotations

import codecs
import io
import os
from collections.abc import Mapping
from pathlib import Path

from tokenkit import errors
from tokenkit.redaction import redact

_SETTINGS = "__settings__"
_NO_SETTING = "neither a profile, such as [prod], nor a setting, such as host = https://…."
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: ("utf-8-sig", "UTF-8 with a byte order mark"),
    codecs.BOM_UTF16_LE: ("utf-16", "UTF-16"),
    codecs.BOM_UTF16_BE: ("utf-16", "UTF-16"),
}


def config_file() -> Path:
    """Return where the profiles are.

    Raises:
        ConfigurationError: In a home directory that there is not.
    """
    named = os.environ.get("DATABRICKS_CONFIG_FILE") or "~/.databrickscfg"
    try:
        return Path(named).expanduser()
    except RuntimeError:
        pass
    raise errors.ConfigurationError(f"{named}: there is no such home directory. Set DATABRICKS_CONFIG_FILE.")


def profiles() -> list[str]:
    """Return the names of the profiles; none where the file is missing or cannot be read."""
    try:
        return _names(_sections())
    except errors.ConfigurationError:
        return []


def profile_values(profile: str) -> Mapping[str, str]:
    """Return what the file says of a profile.

    Raises:
        ConfigurationError: There is no such profile, or the file cannot be read.
    """
    sections = _sections()
    known = _names(sections)
    if profile not in known:
        hint = errors.did_you_mean(profile, known) if known else "It has no profile at all."
        raise errors.ConfigurationError(f"There is no profile {redact(profile)!r} in {config_file()}. {hint}")
    return sections[profile]


def default_profile() -> str | None:
    """Return the profile that is meant where none is named; None where there is none.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    sections = _sections()
    named = sections.get(_SETTINGS, {}).get("default_profile", "").strip()
    return named or ("DEFAULT" if sections.get("DEFAULT") else None)


def encoding_that_only_we_read() -> str:
    """Return what the file's encoding is called where the official SDK cannot read it, else nothing."""
    _, name = _decoded(config_file().read_bytes())
    return name


def _names(sections: Mapping[str, Mapping[str, str]]) -> list[str]:
    return [name for name, values in sections.items() if name != _SETTINGS and values]


def _sections() -> Mapping[str, Mapping[str, str]]:
    import configparser  # noqa: PLC0415 - only a profile needs it

    file = config_file()
    # To the official tools DEFAULT is a profile like others, whose values the others do not take over.
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        text, _ = _decoded(file.read_bytes())
        parser.read_file(io.StringIO(text, newline=None))  # a line may end as on any system
    except FileNotFoundError:
        return {}
    except OSError as failure:
        problem = f": {failure.strerror}."
    except UnicodeDecodeError:
        problem = ": it is not a text file."
    except configparser.DuplicateSectionError as failure:
        problem = f", line {failure.lineno}: profile [{redact(failure.section)}] is there twice. Remove one."
    except configparser.DuplicateOptionError as failure:
        problem = (
            f", line {failure.lineno}: {redact(failure.option)} is there twice in [{redact(failure.section)}]. "
            "Remove one."
        )
    except configparser.MissingSectionHeaderError as failure:
        problem = f", line {failure.lineno}: a setting comes before the first profile. Add [DEFAULT] above it."
    except configparser.ParsingError as failure:
        lines = ", ".join(str(number) for number, _ in failure.errors)
        problem = f", line {lines}: {_NO_SETTING}"
    else:
        sections = {name: dict(parser[name]) for name in parser.sections()}
        # Of "host https://…" the colon would part a name from its value.
        odd = next((name for values in sections.values() for name in values if len(name.split()) > 1), None)
        if odd is None:
            return sections
        numbers = [number for number, line in enumerate(text.lower().splitlines(), 1) if line.strip().startswith(odd)]
        problem = f", line {numbers[0]}: {_NO_SETTING}"
    raise errors.ConfigurationError(f"{file} cannot be read{problem}")


def _decoded(content: bytes) -> tuple[str, str]:
    """Return a file's text, and what its encoding is called where the official SDK cannot read it."""
    for mark, (encoding, name) in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return content.decode(encoding), name
    if b"\0" in content:
        raise UnicodeDecodeError("utf-8", content, 0, 1, "not a text")
    try:
        return content.decode("utf-8"), ""
    except UnicodeDecodeError:
        return content.decode("latin-1"), "Latin-1"
