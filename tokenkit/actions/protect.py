"""Protected tokens, which no plan changes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from tokenkit import errors
from tokenkit.core import config
from tokenkit.core.redaction import redact
from tokenkit.frames import TEXT
from tokenkit.review.patterns import like, shortened

_TABLE = config.PROTECT
_TOKEN_ID = re.compile(r"[0-9a-f]{64}|(?=.*[*?])[0-9a-f*?]+", re.IGNORECASE)
_LEAST_LETTERS = 5
"""Shorter patterns, such as ``data`` or ``prod``, are in too many names."""
_CLOSE = 0.85
"""The similarity of a misspelled name, as ``difflib`` measures it: ``terrafrom`` is one of ``terraform``."""
_MOST_WORDS = 16
"""The words of a name that are compared: the number of their sequences grows with its square."""
_BOUNDARY = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])|(?<=[^\W\d_])(?=\d)")


def read_protected(folder: Path, more: Mapping[str, Sequence[str]] | None = None) -> dict[str, list[str]]:
    """Return the patterns of the table ``[protect]`` in ``config.toml``, and additional ones. Without a file, nothing
    is protected.

    ::

        [protect]
        owners = ["terraform", "*@oncall.example.com"]   # * and ? stand for any text
        comments = ["*break glass*"]
        token_ids = ["3f1c*"]

    Args:
        folder: The folder of the file.
        more: Additional patterns.

    Raises:
        ConfigurationError: The file cannot be read or is invalid. A misspelled protection is never ignored.
    """
    table = config.read_table(folder, config.PROTECT, consequence=", so it is not known what it protects")
    patterns = check(table, where=config.place(folder, config.PROTECT))
    for name, values in check(more or {}).items():
        patterns[name] = [*patterns.get(name, []), *values]
    return patterns


def check(protect: Mapping[str, Sequence[str]], *, where: str = _TABLE) -> dict[str, list[str]]:
    """Return the patterns as lists.

    Raises:
        ConfigurationError: A key is unknown, a value is not a list of texts, or a pattern can match nothing.
    """
    if not isinstance(protect, Mapping):
        raise errors.ConfigurationError(f"{where} must be a table with the keys {', '.join(config.PROTECTED_COLUMNS)}.")
    patterns = {}
    for name, values in protect.items():
        if name not in config.PROTECTED_COLUMNS:
            raise errors.ConfigurationError(
                f"Unknown key {name!r} in {where}. {errors.did_you_mean(str(name), config.PROTECTED_COLUMNS)}"
            )
        is_list = isinstance(values, Iterable) and not isinstance(values, str | Mapping)
        given = list(values) if is_list else []
        if not is_list or not all(isinstance(value, str) for value in given):
            raise errors.ConfigurationError(f"{name} of {where} must be a list of texts.")
        if problem := next(filter(None, (_problem(name, pattern) for pattern in given)), ""):
            raise errors.ConfigurationError(f"{name} of {where} protects nothing: {problem}.")
        patterns[name] = given
    return patterns


def _problem(name: str, pattern: str) -> str:
    """Return why a pattern matches nothing, or an empty text."""
    shown = repr(redact(pattern))
    if not pattern.strip():
        return "a pattern is empty"
    if name == "comments":
        return ""
    if pattern != pattern.strip() or not pattern.isprintable():
        return f"{shown} has a blank or an invisible character in it that no {config.PROTECTED_COLUMNS[name]} has"
    if name == "token_ids" and not _TOKEN_ID.fullmatch(pattern):
        return f"{shown} is not a token id. Write all 64 digits, or a pattern with *, such as '3f1c*'"
    return ""


def protected(tokens: pd.DataFrame, protect: Mapping[str, Sequence[str]]) -> pd.Series[str]:
    """Return why each token is protected, or an empty text. Patterns match whole texts, ignoring case.

    An owner can also be given by id.
    """
    reasons = pd.Series("", index=tokens.index, dtype=TEXT)
    for name, patterns in protect.items():
        column = tokens[config.PROTECTED_COLUMNS[name]].fillna("")
        for pattern in patterns:
            matches = like(column, pattern)
            if name == "owners":
                matches |= (tokens["owner_id"].astype(TEXT) == pattern).fillna(value=False)
            reasons = reasons.mask(matches & (reasons == ""), f"protected: {config.PROTECTED_COLUMNS[name]} {pattern}")
    return reasons


def resembling(tokens: pd.DataFrame, listing: pd.DataFrame, protect: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return the owners that are not protected although their names resemble a protected one, as phrases, each with its
    number of tokens.

    A name resembles a pattern if it has its words, as ``terraform-prod`` has those of ``terraform``. A pattern that
    matches no owner of the listing may be misspelled, so a similar name resembles it, too.

    Args:
        tokens: The tokens that are not protected.
        listing: All tokens.
        protect: The patterns.
    """
    counts = {str(owner): int(count) for owner, count in tokens["owner"].value_counts().items()}
    all_owners = listing.drop_duplicates(["owner", "owner_id"])
    patterns = protect.get("owners", ()) if counts else ()
    names = {owner: _phrases(owner) for owner in counts} if patterns else {}
    phrases = pd.Series(names, dtype=object).explode().dropna().astype(TEXT)
    resembled: dict[str, str] = {}
    for pattern in patterns:
        is_unmatched = not (protected(all_owners, {"owners": [pattern]}) != "").any()
        for owner in _similar(pattern, counts, phrases, is_unmatched=is_unmatched):
            resembled.setdefault(owner, pattern)
    return {
        f"owner {shortened(owner)} is not protected, although its name resembles the protected {shortened(pattern)}": (
            counts[owner]
        )
        for owner, pattern in resembled.items()
    }


def _similar(pattern: str, owners: Iterable[str], phrases: pd.Series[str], *, is_unmatched: bool) -> list[str]:
    """Return the owners whose names resemble a pattern. ``phrases`` are those of each owner."""
    name = pattern.strip("*?")
    if "*" in name or "?" in name:
        return []
    if "@" in name:  # the addresses of colleagues have words in common, so only a misspelling counts
        return [owner for owner in owners if is_unmatched and _is_near_address(owner, name)]
    wanted = "".join(_words(name))
    if len(wanted) < _LEAST_LETTERS or wanted.isdecimal():
        return []
    is_like = phrases.isin(_near(wanted, phrases) if is_unmatched else [wanted])
    return phrases.index[is_like].unique().tolist()


def _is_near_address(owner: str, address: str) -> bool:
    """Return whether an address has the same name and a similar domain, or a similar name and the same domain. An
    address without a name is a domain.
    """
    (name, _, domain), (own_name, _, own_domain) = (text.casefold().rpartition("@") for text in (address, owner))
    if own_domain == domain:
        return len(name) >= _LEAST_LETTERS and bool(_near(name, [own_name]))
    return name in {"", own_name} and bool(_near(domain, [own_domain]))


def _near(wanted: str, names: Iterable[str]) -> list[str]:
    """Return the names that are equal or similar."""
    known = set(names)
    return difflib.get_close_matches(wanted, known, n=max(len(known), 1), cutoff=_CLOSE)


def _phrases(owner: str) -> list[str]:
    """Return each sequence of words in a name, joined. The domain of an address is not a part of the name."""
    words = _words(owner.partition("@")[0])[:_MOST_WORDS]
    return ["".join(words[start:end]) for start in range(len(words)) for end in range(start + 1, len(words) + 1)]


def _words(name: str) -> list[str]:
    return _BOUNDARY.sub(" ", name).casefold().split()
