"""Redacts credentials in all text that is displayed or stored."""

from __future__ import annotations

import base64
import itertools
import re

from tokenkit.core.printable import UNPRINTABLE_IN_LINES

PREFIXES = ("dapi", "dose", "dkea", "dsapi")
"""The prefixes of all known kinds of Databricks credentials."""
PREFIX = f"(?:{'|'.join(PREFIXES)})"

DATABRICKS = rf"\b{PREFIX}[0-9a-z][0-9a-z-]{{15,}}|{PREFIX}[0-9a-f]{{16}}[0-9a-z-]*"
"""The pattern of a Databricks credential. After a letter, a digit or an underscore (``%3Ddapi…``, ``old_dapi…``), the
prefix must precede 16 hexadecimal digits, so that ``overdose-…`` does not match."""


def _in_base64(prefix: str) -> set[str]:
    """Return the Base64 texts of a prefix and a digit, one for each alignment, independent of the bytes before them."""
    found = set()
    for before, digit in itertools.product(range(3), "0aA"):  # the first four bits of a digit are sufficient
        text = base64.b64encode(bytes(before) + f"{prefix}{digit}".encode()).decode()
        found.add(text[-(-8 * before // 6) : (8 * (before + len(prefix)) + 4) // 6])
    return found


_IN_BASE64 = "|".join(sorted({text for name in PREFIXES for text in _in_base64(name) | _in_base64(name.upper())}))

DATABRICKS_IN_BASE64 = rf"(?-i:(?:{_IN_BASE64})[0-9A-Za-z+/_-]{{20,}}={{0,2}})"
"""The pattern of a Databricks credential in Base64, as in HTTP Basic (``token:dapi…``)."""

SECRET = "|".join(
    (
        DATABRICKS,
        DATABRICKS_IN_BASE64,
        # The same with every character percent-encoded.
        r"(?:%(?:3[0-9]|[46][1-9a-f]|[57][0-9a])){16,}(?:%2d(?:%3[0-9])+)?",
        r"\beyJ[\w-]+\.[\w-]+\.[\w-]*|(?-i:eyJ[\w-]+\.eyJ[\w-]+)\.[\w-]*",  # a signed JWT
        r"(?-i:A(?:KIA|SIA)[0-9A-Z]{16})",  # AWS
        r"(?-i:AIza[\w-]{35})",  # Google
        r"(?-i:gh[opsur]_[0-9A-Za-z]{36}|github_pat_\w{22,})",
        r"(?-i:glpat-[\w-]{20,})",  # GitLab
        r"(?-i:xox[abeprs]-[\w-]{10,})",  # Slack
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*)",
        # Any labeled value with a digit; sentences about passwords rarely contain one.
        r"(?P<label>(?:password|passwd|pwd|secret|api[_-]?key)[\"']? *(?:[:=]|%3[ad]) *)[^\x00-\x20\d]*\d[^\x00-\x20]*",
    )
)
"""The pattern of a secret with a known format, in any case and context. It is valid in Python (with ``re.ASCII``) and
in Arrow."""

CREDENTIAL = rf"{SECRET}|(?P<bearer>(?:Bearer|Authorization[\"']?\s?[:=]\s?[\"']?Basic)(?:\s|%20|\+)+)[^\s\"']+"
"""The pattern of redacted text: a secret with a known format, and text after ``Bearer`` or ``Authorization: Basic``."""

INVISIBLE = f"{UNPRINTABLE_IN_LINES}|[\ufe00-\ufe0f]"
"""An invisible character, which does not visibly separate the parts of a value."""

_CREDENTIAL = re.compile(CREDENTIAL, re.IGNORECASE | re.ASCII)
_INVISIBLE = re.compile(INVISIBLE)
REDACTED = "[redacted]"


def redact(text: str, *own: str) -> str:
    """Return text with credentials redacted.

    If invisible characters split a credential, they are removed. For columns of text, use ``review.texts.redacted``.

    Args:
        text: Any text.
        own: Known secrets, which are redacted as well.
    """
    visible = _INVISIBLE.sub("", text)
    if visible != text and (_CREDENTIAL.search(visible) or any(secret in visible for secret in filter(None, own))):
        text = visible
    for secret in filter(None, own):
        text = text.replace(secret, REDACTED)
    return _CREDENTIAL.sub(lambda found: (found["label"] or found["bearer"] or "") + REDACTED, text)
