"""Waivers: findings that are accepted for a reason and until a date.

They are kept in a file in the user's own repository, so that each decision is reviewed like any other change::

    [[waiver]]
    rule = "no-expiry"
    owner = "terraform"            # or token_id; * matches any text, ? any character
    reason = "replaced in the migration of the second quarter"
    expires = 2026-06-30

Every waiver needs an expiry date, so that no finding is waived permanently. After that date, the finding counts again
and the audit has a note about it.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tokenkit import errors, frames
from tokenkit.core.arguments import file, several
from tokenkit.core.wording import why_unreadable
from tokenkit.review.patterns import like

_FIELDS = ("rule", "token_id", "owner", "reason", "expires")


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """A decision to accept findings of one rule until a date.

    Attributes:
        rule: The rule's id.
        reason: The reason for the decision.
        expires: The last day on which the waiver applies, in UTC.
        token_id: A pattern for token ids. If ``owner`` is given too, both must match.
        owner: A pattern for owners. Without ``token_id`` and ``owner``, the waiver applies to findings about the
            workspace. Use ``owner = "*"`` for all tokens.
    """

    rule: str
    reason: str
    expires: dt.date
    token_id: str | None = None
    owner: str | None = None

    def __str__(self) -> str:
        subject = [f"{name} {value}" for name in ("token_id", "owner") if (value := getattr(self, name))]
        return f"the waiver of {self.rule} for {' and '.join(subject) or 'the workspace'}"

    def expired(self, now: pd.Timestamp) -> bool:
        """Return whether the last day is over."""
        return now.tz_convert("UTC").date() > self.expires

    def matches(self, findings: pd.DataFrame) -> pd.Series[bool]:
        """Return which findings the waiver applies to."""
        mask = findings["rule"] == self.rule
        if self.token_id is None and self.owner is None:
            return mask & findings["token_id"].isna() & findings["owner"].isna()
        for name in ("token_id", "owner"):
            if pattern := getattr(self, name):
                mask &= like(findings[name], pattern)
        return mask


def waivers_of(given: Iterable[Waiver] | str | os.PathLike[str] | None) -> tuple[Waiver, ...]:
    """Return the given waivers, or those of the file; none for None.

    Raises:
        UsageError: The argument is neither a list of waivers nor a path.
        ConfigurationError: The file cannot be read or is not valid.
    """
    if isinstance(given, str | os.PathLike):
        return read_waivers(given)
    return () if given is None else tuple(several("waivers", given, Waiver))


def read_waivers(path: str | os.PathLike[str]) -> tuple[Waiver, ...]:
    """Return the waivers of a file.

    Raises:
        ConfigurationError: The file cannot be read or is not valid. A misspelled waiver is never ignored, and never
            applies to everything.
    """
    import tomllib  # noqa: PLC0415 - only needed to read such a file

    try:
        document = tomllib.loads(file("waivers", path).read_text(encoding="utf-8"))
    except OSError as failure:
        message = f"Cannot read the waivers in {path}: {why_unreadable(failure)}."
    except (ValueError, RecursionError) as failure:
        message = f"Cannot read the waivers in {path}: {str(failure).rstrip('.')}."
    else:
        entries = document.get("waiver", [])
        if set(document) <= {"waiver"} and isinstance(entries, list):
            return tuple(_waiver(entry, f"{path}, entry {n}") for n, entry in enumerate(entries, start=1))
        message = f"{path} must contain [[waiver]] tables and nothing else."
    raise errors.ConfigurationError(message)


def _waiver(entry: Any, where: str) -> Waiver:  # noqa: ANN401 - any TOML value
    if not isinstance(entry, Mapping):
        raise errors.ConfigurationError(f"{where} is not a table. Write [[waiver]] above its lines.")
    for name, value in entry.items():
        if name not in _FIELDS:
            raise errors.ConfigurationError(f"{where}: unknown field {name!r}. {errors.did_you_mean(name, _FIELDS)}")
        if name != "expires" and not (isinstance(value, str) and value.strip()):
            raise errors.ConfigurationError(f"{where}: {name} must be a non-empty text.")
    for name in ("rule", "reason", "expires"):
        if name not in entry:
            raise errors.ConfigurationError(f"{where}: missing {name}. A waiver needs rule, reason and expires.")
    # In Python, a datetime is also a date.
    if not isinstance(entry["expires"], dt.date) or isinstance(entry["expires"], dt.datetime):
        raise errors.ConfigurationError(f"{where}: expires must be a date without quotes, as in expires = 2026-06-30.")
    return Waiver(**entry)


def split(
    findings: pd.DataFrame, waivers: Iterable[Waiver], *, now: pd.Timestamp
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return the findings that count, the waived findings (with ``reason`` and ``expires``), and notes.

    An expired waiver does not apply. A note says how many findings it matched. If several waivers match, the first one
    counts.
    """
    reason = pd.Series(None, index=findings.index, dtype=frames.TEXT)
    expires = pd.Series(pd.NaT, index=findings.index, dtype="datetime64[ms, UTC]")
    notes = []
    for waiver in waivers:
        hits = waiver.matches(findings) & reason.isna()
        if not waiver.expired(now):
            reason = reason.mask(hits, waiver.reason)
            expires = expires.mask(hits, pd.Timestamp(waiver.expires, tz="UTC").as_unit("ms"))
        elif count := int(hits.sum()):
            count_again = "finding counts" if count == 1 else "findings count"
            notes.append(f"Expired on {waiver.expires}: {waiver}. {count:,} {count_again} again.")
    is_waived = reason.notna()
    waived = findings[is_waived].assign(reason=reason[is_waived], expires=expires[is_waived])
    return findings[~is_waived].reset_index(drop=True), waived.reset_index(drop=True), notes
