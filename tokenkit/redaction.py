"""Text without what looks like a credential, for everything that is shown or written down."""

from __future__ import annotations

import re

# A token value of any kind Databricks is known to issue, a signed JWT, or whatever follows the word Bearer.
_SECRET = re.compile(
    r"\bd(?:api|ose|kea|sapi)[0-9a-z][0-9a-z-]{15,}|\beyJ[\w-]+\.[\w-]+\.[\w-]*|(?<=Bearer )[^\s\"']+", re.IGNORECASE
)
REDACTED = "[redacted]"


def redact(text: str, *own: str) -> str:
    """Return the text without anything that looks like a credential, nor the ones that are given."""
    for secret in filter(None, own):
        text = text.replace(secret, REDACTED)
    return _SECRET.sub(REDACTED, text)
