"""Findings that somebody decided to live with, for a reason and until a day.

They stand in a file in the user's own repository, so that a decision is reviewed and dated like any change::

    [[accept]]
    rule = "no-expiry"
    owner = "terraform"            # or token_id; * and ? stand for any text
    reason = "replaced in the migration of the second quarter"
    until = 2026-06-30

Whoever accepts something for ever has forgotten it, so the day is not optional. From the day after, the finding counts
again, and the audit says why.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tokenkit import errors, frames
from tokenkit.review.patterns import like

_FIELDS = ("rule", "token_id", "owner", "reason", "until")


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """One decision to live with findings of one rule.

    Attributes:
        rule: The rule's id.
        reason: Why.
        until: The last day that it holds, in UTC.
        token_id: Which tokens, as a pattern; with ``owner``, both must match.
        owner: Whose. Without either it is about the workspace, never about all tokens: that is ``owner = "*"``.
    """

    rule: str
    reason: str
    until: dt.date
    token_id: str | None = None
    owner: str | None = None

    def __str__(self) -> str:
        whose = [f"{name} {value}" for name in ("token_id", "owner") if (value := getattr(self, name))]
        return f"the acceptance of {self.rule} for {' and '.join(whose) or 'the workspace'}"

    def expired(self, now: pd.Timestamp) -> bool:
        """Whether its last day is over."""
        return now.tz_convert("UTC").date() > self.until

    def matches(self, findings: pd.DataFrame) -> pd.Series[bool]:
        """Return which findings it is about."""
        mask = findings["rule"] == self.rule
        if self.token_id is None and self.owner is None:
            return mask & findings["token_id"].isna() & findings["owner"].isna()
        for name in ("token_id", "owner"):
            if pattern := getattr(self, name):
                mask &= like(findings[name], pattern)
        return mask


def read(path: str | os.PathLike[str]) -> tuple[Acceptance, ...]:
    """Return the acceptances of a file.

    Raises:
        ConfigurationError: It cannot be read as that. What is misspelt must not be silently none, or all.
    """
    import tomllib  # noqa: PLC0415 - only such a file needs it

    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        message = f"{path} cannot be read, so nobody knows what it accepts: {problem}."
    else:
        entries = document.get("accept", [])
        if set(document) <= {"accept"} and isinstance(entries, list):
            return tuple(_acceptance(entry, f"{path}, entry {n}") for n, entry in enumerate(entries, start=1))
        message = f"{path} must hold tables [[accept]] and nothing else."
    raise errors.ConfigurationError(message)


def _acceptance(entry: Any, where: str) -> Acceptance:  # noqa: ANN401 - TOML in
    if not isinstance(entry, Mapping):
        raise errors.ConfigurationError(f"{where} is no table: write [[accept]] above its lines.")
    for name, value in entry.items():
        if name not in _FIELDS:
            raise errors.ConfigurationError(f"{where} has {name!r}. {errors.did_you_mean(name, _FIELDS)}")
        if name != "until" and not (isinstance(value, str) and value.strip()):
            raise errors.ConfigurationError(f"{where}: {name} must be a text.")
    for name in ("rule", "reason", "until"):
        if name not in entry:
            raise errors.ConfigurationError(f"{where} has no {name}; an acceptance needs a rule, a reason and an end.")
    # A moment is a date as well, to Python.
    if not isinstance(entry["until"], dt.date) or isinstance(entry["until"], dt.datetime):
        raise errors.ConfigurationError(f"{where}: until must be a day without quotes, as in until = 2026-06-30.")
    return Acceptance(**entry)


def split(
    findings: pd.DataFrame, acceptances: Iterable[Acceptance], *, now: pd.Timestamp
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return the findings that count, those that are accepted (with ``reason`` and ``until``), and what to mind.

    What expired accepts nothing, and where it would have, that is said. Of several that match, the first counts.
    """
    reason = pd.Series(None, index=findings.index, dtype=frames.TEXT)
    until = pd.Series(pd.NaT, index=findings.index, dtype="datetime64[ms, UTC]")
    notes = []
    for each in acceptances:
        hits = each.matches(findings) & reason.isna()
        if not each.expired(now):
            reason = reason.mask(hits, each.reason)
            until = until.mask(hits, pd.Timestamp(each.until, tz="UTC").as_unit("ms"))
        elif count := int(hits.sum()):
            verb = "finding counts" if count == 1 else "findings count"
            notes.append(f"Expired on {each.until}: {each}. {count:,} {verb} again.")
    accepted = reason.notna()
    taken = findings[accepted].assign(reason=reason[accepted], until=until[accepted])
    return findings[~accepted].reset_index(drop=True), taken.reset_index(drop=True), notes
