"""What a value looks like, whole or masked, and what its token's id may be.

The documentation says that a token's id is the SHA-256 of the token, and not of which bytes. So every reading of that
is tried (``READINGS``), and the answer says which one it was. A wrong one cannot match by chance.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from tokenkit.redaction import PREFIX, PREFIXES

READINGS: Mapping[str, Callable[[str, str, str], Iterable[str | bytes]]] = {
    "the value": lambda kind, digits, suffix: [kind + digits + suffix],
    "the value without its suffix": lambda kind, digits, suffix: [kind + digits] if suffix else [],
    # Some scanners know no suffix and cut it off.
    "the value and a suffix that was cut off": lambda kind, digits, suffix: (
        [] if suffix else [f"{kind}{digits}-{number}" for number in range(10)]
    ),
    "its digits": lambda _, digits, __: [digits],
    "its digits and its suffix": lambda _, digits, suffix: [digits + suffix] if suffix else [],
    "its digits as bytes": lambda _, digits, __: [bytes.fromhex(digits)],
}
"""What of a value may be hashed to the token's id: of its kind (``dapi``), its digits, and its suffix (``-2``)."""

# Without a boundary before it: in %20dapi… and 3Ddapi… the value is what follows the escape.
_VALUE = re.compile(rf"({PREFIX})([0-9a-f]{{32}})(-\d+)?(?![0-9A-Za-z])")

_MASK = r"(?:\.{3}|…|[*•█●]{2,}|[xX#]{6,}|[\[(<{]*(?i:redact|masked|hidden|removed|obfuscated)\w*)"
_MASKED = re.compile(_MASK)
# In a text of any kind three dots are mostly just that: some digits must be left, or many be masked.
_MASKED_IN_TEXT = re.compile(rf"{PREFIX}(?:[0-9a-f]{{1,31}}(?:\.{{3}}|…|[*•█●]{{2}})|[*•█●xX]{{8}})")
_WORDS = re.compile(r"[\s=:\"'`,;()<>\[\]{}]+")


def values_in(text: str) -> list[str]:
    """Return the values in a text."""
    return [match[0] for match in _VALUE.finditer(text)]


def masked_in(text: str) -> bool:
    """Return whether a value stands in a text of any kind with some of its characters hidden."""
    return _MASKED_IN_TEXT.search(text) is not None


def is_masked(text: str) -> bool:
    """Return whether what is given as a secret is hidden, in part or whole, and may be a value by what is left."""
    mask = _MASKED.search(text)
    if not mask:
        return False
    visible = _WORDS.split(text[: mask.start()])[-1]
    return any(prefix.startswith(visible) or visible.startswith(prefix) for prefix in PREFIXES)


def kind_of(value: str) -> str:
    """Return ``access_token``, ``oauth_secret`` (a service principal's), or ``unknown`` for a value of another form."""
    match = _VALUE.fullmatch(value)
    if not match:
        return "unknown"
    return "oauth_secret" if match[1] == "dose" else "access_token"


def hashes(value: str) -> Iterator[tuple[str, str]]:
    """Yield what the id of a value's token may be, and by which reading."""
    match = _VALUE.fullmatch(value)
    kind, digits, suffix = match.groups(default="") if match else (value, "", "")
    for reading, of in READINGS.items() if match else [*READINGS.items()][:1]:
        for hashed in of(kind, digits, suffix):
            yield sha256(hashed), reading


def sha256(value: str | bytes) -> str:
    """Return a hash as ids are written."""
    return hashlib.sha256(value.encode(errors="surrogatepass") if isinstance(value, str) else value).hexdigest()
