"""Text without what looks like a credential, for everything that is shown or written down."""

from __future__ import annotations

import re

from tokenkit.printable import UNPRINTABLE_IN_LINES

PREFIXES = ("dapi", "dose", "dkea", "dsapi")
"""How every kind of value begins that Databricks is known to issue."""
PREFIX = f"(?:{'|'.join(PREFIXES)})"

DATABRICKS = rf"\b{PREFIX}[0-9a-z][0-9a-z-]{{15,}}|{PREFIX}[0-9a-f]{{16}}[0-9a-z-]*"
"""What a value of Databricks looks like. Beside a letter, a digit or an underscore (``%3Ddapi…``, ``old_dapi…``) it
begins with 16 hexadecimal digits, as ``overdose-…`` does not."""

SECRET = "|".join(
    (
        DATABRICKS,
        r"\beyJ[\w-]+\.[\w-]+\.[\w-]*|(?-i:eyJ[\w-]+\.eyJ[\w-]+)\.[\w-]*",  # a signed JWT
        r"(?-i:A(?:KIA|SIA)[0-9A-Z]{16})",  # AWS
        r"(?-i:AIza[\w-]{35})",  # Google
        r"(?-i:gh[opsur]_[0-9A-Za-z]{36}|github_pat_\w{22,})",
        r"(?-i:glpat-[\w-]{20,})",  # GitLab
        r"(?-i:xox[abeprs]-[\w-]{10,})",  # Slack
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*)",
        # Whatever is called one and has a digit in it, as few sentences about passwords have.
        r"(?P<said>(?:password|passwd|pwd|secret|api[_-]?key)[\"']? *(?:[:=]|%3[ad]) *)[^\x00-\x20\d]*\d[^\x00-\x20]*",
    )
)
"""What a secret of a known form looks like, in any case and beside anything. Python's regular expressions (with
``re.ASCII``) and Arrow's read it alike."""

CREDENTIAL = rf"{SECRET}|(?P<bearer>Bearer(?:\s|%20|\+)+)[^\s\"']+"
"""What is redacted: a secret of a known form, and whatever follows the word Bearer."""

UNSEEN = f"{UNPRINTABLE_IN_LINES}|[\ufe00-\ufe0f]"
"""A character that nobody sees, and that does not make two words of a value which it stands in."""

_CREDENTIAL = re.compile(CREDENTIAL, re.IGNORECASE | re.ASCII)
_UNSEEN = re.compile(UNSEEN)
REDACTED = "[redacted]"


def redact(text: str, *own: str) -> str:
    """Return the text without anything that looks like a credential, nor the ones that are given.

    Where one is hidden by characters that are not seen, the text loses those too. For a column of texts there is
    ``review.texts.redacted``.
    """
    seen = _UNSEEN.sub("", text)
    if seen != text and (_CREDENTIAL.search(seen) or any(secret in seen for secret in filter(None, own))):
        text = seen
    for secret in filter(None, own):
        text = text.replace(secret, REDACTED)
    return _CREDENTIAL.sub(lambda found: (found["said"] or found["bearer"] or "") + REDACTED, text)
