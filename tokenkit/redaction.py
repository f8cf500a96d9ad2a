"""Text without what looks like a credential, for everything that is shown or written down."""

from __future__ import annotations

import re

SECRET = "|".join(
    (
        r"\bd(?:api|ose|kea|sapi)[0-9a-z][0-9a-z-]{15,}",  # Databricks: every kind of token that it is known to issue
        r"\beyJ[\w-]+\.[\w-]+\.[\w-]*",  # a signed JWT
        r"(?-i:\bA(?:KIA|SIA)[0-9A-Z]{16}\b)",  # AWS
        r"(?-i:\bAIza[\w-]{35})",  # Google
        r"(?-i:\bgh[opsur]_[0-9A-Za-z]{36}|\bgithub_pat_\w{22,})",
        r"(?-i:\bglpat-[\w-]{20,})",  # GitLab
        r"(?-i:\bxox[abeprs]-[\w-]{10,})",  # Slack
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*)",
        # Whatever is said to be one and has a digit in it, as few sentences about passwords have.
        r"(?P<said>\b(?:password|passwd|pwd|secret|api[_-]?key) *[:=] *)[^\x00-\x20\d]*\d[^\x00-\x20]*",
    )
)
"""What a secret of a known form looks like, in any case. Python's regular expressions (with ``re.ASCII``) and Arrow's
read it alike."""

CREDENTIAL = rf"{SECRET}|(?P<bearer>\bBearer )[^\s\"']+"
"""What is redacted: a secret of a known form, and whatever follows the word Bearer."""

_CREDENTIAL = re.compile(CREDENTIAL, re.IGNORECASE | re.ASCII)
REDACTED = "[redacted]"


def redact(text: str, *own: str) -> str:
    """Return the text without anything that looks like a credential, nor the ones that are given.

    For a column of texts there is ``review.texts.redacted``.
    """
    for secret in filter(None, own):
        text = text.replace(secret, REDACTED)
    return _CREDENTIAL.sub(lambda found: (found["said"] or found["bearer"] or "") + REDACTED, text)
