"""Recognition of token values, complete or masked, and the token ids that a value may have.

The documentation says that a token's id is the SHA-256 of the token, but not of which bytes. ``hashes`` therefore tries
every interpretation in ``HASH_INPUTS`` and reports which one matched. A wrong one cannot match by chance.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from tokenkit.core.redaction import DATABRICKS_IN_BASE64, PREFIX, PREFIXES

HASH_INPUTS: Mapping[str, Callable[[str, str, str], Iterable[str | bytes]]] = {
    "value": lambda kind, digits, suffix: [kind + digits + suffix],
    "value_without_suffix": lambda kind, digits, suffix: [kind + digits] if suffix else [],
    # Some scanners do not know the suffix and omit it.
    "value_with_restored_suffix": lambda kind, digits, suffix: (
        [] if suffix else [f"{kind}{digits}-{number}" for number in range(10)]
    ),
    "digits": lambda _, digits, __: [digits],
    "digits_and_suffix": lambda _, digits, suffix: [digits + suffix] if suffix else [],
    "digits_as_bytes": lambda _, digits, __: [bytes.fromhex(digits)],
}
"""The parts of a value whose hash may be the token's id, from its prefix (``dapi``), digits and suffix (``-2``)."""

# No boundary before the prefix: in %20dapi… and 3Ddapi… an escape precedes the value.
_VALUE = re.compile(rf"({PREFIX})([0-9a-f]{{32}})(-\d+)?(?![0-9A-Za-z])")

_BASE64 = re.compile(DATABRICKS_IN_BASE64)
_STANDARD = str.maketrans("-_", "+/")
_BASE64_DIGITS = re.compile(r"[0-9A-Za-z+/_-]*\Z")

_MASK = r"(?:requires login|\.{3}|…|[*•█●]{2,}|[xX#]{6,}|[\[(<{]*(?i:redact|masked|hidden|removed|obfuscated)\w*)"
_MASKED = re.compile(_MASK)
# In free text, three dots alone are not a mask: some digits must be visible, or many characters masked.
_MASKED_IN_TEXT = re.compile(
    rf"{PREFIX}(?:[0-9a-f]{{1,31}}(?:\.{{3}}|…|[*•█●]{{2}})|[*•█●xX]{{8}})|\b(?:dap|dos|dke|dsa)[*•█●]{{8}}"
)
_SEPARATORS = re.compile(r"[\s=:\"'`,;()<>\[\]{}]+")


def values_in(text: str) -> list[str]:
    """Return the values in a text, also in Base64."""
    decoded = [plain for match in _BASE64.finditer(text) for plain in _decoded(text, *match.span())]
    return [match[0] for found in (text, *decoded) for match in _VALUE.finditer(found)]


def _decoded(text: str, start: int, end: int) -> Iterator[str]:
    """Yield what a part of Base64 text may say, for each of the four ways to divide it into groups."""
    before = _BASE64_DIGITS.search(text[max(0, start - 4) : start])
    digits = f"{before[0] if before else ''}{text[start:end].rstrip('=')}".translate(_STANDARD)
    for first in range(4):
        group = digits[first:]
        group = group[: len(group) - (len(group) % 4 == 1)]
        yield base64.b64decode(f"{group}{'=' * (-len(group) % 4)}").decode("latin-1")


def masked_in(text: str) -> bool:
    """Return whether a text contains a partly masked value."""
    return _MASKED_IN_TEXT.search(text) is not None


def is_masked(text: str) -> bool:
    """Return whether a reported secret is masked, in part or whole, and its visible part may belong to a value."""
    mask = _MASKED.search(text)
    if not mask:
        return False
    visible = _SEPARATORS.split(text[: mask.start()])[-1]
    return any(prefix.startswith(visible) or visible.startswith(prefix) for prefix in PREFIXES)


def kind_of(value: str) -> str:
    """Return ``access_token``, ``oauth_secret`` (of a service principal), or ``unknown`` for any other form."""
    match = _VALUE.fullmatch(value)
    if not match:
        return "unknown"
    return OAUTH_SECRET if match[1] == "dose" else "access_token"


OAUTH_SECRET = "oauth_secret"  # noqa: S105 - a kind of value


def hashes(value: str) -> Iterator[tuple[str, str]]:
    """Yield the possible token ids of a value, each with the name of its hash input."""
    match = _VALUE.fullmatch(value)
    kind, digits, suffix = match.groups(default="") if match else (value, "", "")
    for hash_input, inputs_of in HASH_INPUTS.items() if match else [*HASH_INPUTS.items()][:1]:
        for hashed in inputs_of(kind, digits, suffix):
            yield sha256(hashed), hash_input


def ids_of(value: str) -> set[str]:
    """Return the possible token ids of a value."""
    return {token_id for token_id, _ in hashes(value)}


def sha256(value: str | bytes) -> str:
    """Return the SHA-256 in the format of a token id."""
    return hashlib.sha256(value.encode(errors="surrogatepass") if isinstance(value, str) else value).hexdigest()
