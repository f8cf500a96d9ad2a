"""Leaked token values: where they were seen, and which tokens of a listing they are.

A value is hashed where it is read, and goes no further: what is kept is where it was seen and what its hashes are. No
function here that can fail holds a value when it does, so a traceback shows none.

The documentation says that a token's id is the SHA-256 of the token, and not of which bytes. So every reading of that
is tried (``READINGS``), and the answer says which one it was. A wrong one cannot match by chance.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.markup import element
from tokenkit.printable import printable
from tokenkit.redaction import redact
from tokenkit.review.texts import redacted

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
_VALUE = re.compile(r"(d(?:api|ose|kea|sapi))([0-9a-f]{32})(-\d+)?(?![0-9A-Za-z])")

SIGHTINGS = pa.schema(
    [
        ("value", pa.string()),  # its hash, to tell values apart
        ("place", pa.string()),
        ("commit", pa.string()),
        ("token_id", pa.string()),
        ("reading", pa.string()),
    ]
)
_TOKEN_COLUMNS = [
    "token_id",
    "owner",
    "owner_kind",
    "owner_active",
    "scopes",
    "status",
    "last_used_day",
    "effective_end",
    "comment",
]
_PROMPT = "A leaked value (nothing is shown; Enter alone ends): "
_SHOWN_ROWS = 20
_Seen = tuple[str, str, str | None]  # value, place, commit


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Leaks:
    """Which tokens of a workspace leaked. It holds no value.

    Attributes:
        tokens: A row for each token that leaked: whose it is, what it may do, when it was last used, and the ``places``
            where its value was seen. ``reading`` says of what its id is the hash.
        sightings: A row for each place where a value was seen: ``place, commit, token_id, reading``; ``token_id`` is
            missing for a value of no token in the listing.
        looked_for: How many different values were looked for.
        unmatched: How many of them are of no token in the listing. **That does not make them harmless**: another
            workspace may have issued them.
        name: Of which workspace.
        plan: Makes a revocation plan of tokens.
    """

    tokens: pd.DataFrame
    sightings: pd.DataFrame
    looked_for: int
    unmatched: int
    name: str
    plan: Callable[..., Any] | None = field(default=None)

    def __repr__(self) -> str:
        return f"<Leaks on {self.name}: {self.counted()}>"

    def _repr_html_(self) -> str:
        shown = self.tokens.head(_SHOWN_ROWS)
        shown = shown.assign(
            **{str(name): shown[name].dt.strftime("%Y-%m-%d") for name in shown.select_dtypes("datetimetz")}
        )
        more = f"<p>… and {len(self.tokens) - _SHOWN_ROWS:,} more: <code>.tokens</code></p>"
        shown = shown.assign(**{str(name): shown[name].str.join(" ") for name in shown if shown[name].dtype == object})
        texts = {
            str(name): shown[name].map(printable, na_action="ignore")
            for name in shown
            if pd.api.types.is_string_dtype(shown[name].dtype)
        }
        table = shown.assign(**texts).to_html(index=False, border=0, escape=True, na_rep="")
        return (
            f"{element('p', element('b', f'Leaks on {self.name}'), f': {self.counted()}')}{table}"
            f"{more if len(self.tokens) > _SHOWN_ROWS else ''}"
        )

    def counted(self) -> str:
        """Return the outcome in words."""
        found = self.looked_for - self.unmatched
        said = f"of {self.looked_for:,} value{'' if self.looked_for == 1 else 's'}, {found:,} in the listing"
        return f"{said}, {self.unmatched:,} not in it, which does not mean dead" if self.unmatched else said

    def revoke(self, **settings: Any) -> Any:  # noqa: ANN401 - the plan's kind is the maker's
        """Return a plan to revoke the tokens that leaked. It changes nothing: look at ``preview()``, then ``apply()``.

        Args:
            settings: As for ``Workspace.revoke``: ``reason="in the repository since May"``, ``include_own=True``.
        """
        if self.plan is None:
            raise errors.UsageError(
                "These were looked for in a saved listing. ws.revoke(leaks.tokens) plans on a workspace."
            )
        return self.plan(self.tokens, **{"reason": "leaked"} | settings)


def matched(
    sightings: pd.DataFrame, tokens: pd.DataFrame, *, name: str, plan: Callable[..., Any] | None = None
) -> Leaks:
    """Return which tokens of a listing were seen.

    Args:
        sightings: What ``from_values``, ``from_file`` or ``from_report`` returned.
        tokens: A listing with owners and derived columns.
        name: Of which workspace.
        plan: Makes a revocation plan of tokens.
    """
    hits = sightings[["value", "token_id", "reading"]].merge(tokens["token_id"])
    seen = sightings[["value", "place", "commit"]].drop_duplicates()
    seen = seen.merge(hits.drop_duplicates(), on="value", how="left")
    by_token = seen.dropna(subset="token_id").drop_duplicates(["token_id", "place"]).groupby("token_id", sort=False)
    places = by_token["place"].agg(list).astype(object)
    leaked = tokens[tokens["token_id"].isin(places.index)][_TOKEN_COLUMNS].reset_index(drop=True)
    return Leaks(
        tokens=leaked.assign(
            comment=redacted(leaked["comment"]),
            places=places.reindex(leaked["token_id"]).array,
            reading=by_token["reading"].first().reindex(leaked["token_id"]).array,
        ),
        sightings=seen[["place", "commit", "token_id", "reading"]],
        looked_for=seen["value"].nunique(),
        unmatched=seen.loc[seen["token_id"].isna(), "value"].nunique(),
        name=name,
        plan=plan,
    )


def typed(ask: Callable[[str], str | None]) -> list[str]:
    """Return the values that a person types, until one is empty.

    Args:
        ask: Asks without showing the answer; None where there is nobody to ask.

    Raises:
        UsageError: There is nobody to ask.
    """
    values: list[str] = []
    while answer := (ask(_PROMPT) or "").strip():
        values.append(answer)
    if not values:
        raise errors.UsageError("No value was typed. Give a file of values, or the report of gitleaks or trufflehog.")
    return values


def from_values(values: Iterable[str] | str) -> pd.DataFrame:
    """Return values as hashes, with the columns of ``SIGHTINGS``; their places are their positions."""
    given = [values] if isinstance(values, str) else values
    return _hashed(
        (value, f"value {number}", None)
        for number, text in enumerate(given, 1)
        for value in _values([text], is_ours=True)  # pasted with its quotes, perhaps, or its name
    )


def from_file(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Return the values in a text as hashes: whatever looks like a token's value, else one value a line.

    Raises:
        UsageError: The file cannot be read.
    """
    _check_is_no_value(path)
    return _in_text(_text(path), os.fspath(path))


def from_report(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Return the values in the JSON report of gitleaks, or in the JSON lines of trufflehog 3, as hashes.

    Findings of other secrets are passed over.

    Raises:
        UsageError: The file cannot be read, is no such report, is cut short, or has its values redacted.
    """
    _check_is_no_value(path)
    found = _in_report(_text(path))
    if isinstance(found, str):
        raise errors.UsageError(f"{path}: {found}")
    return found


def _check_is_no_value(path: str | os.PathLike[str]) -> None:
    if _VALUE.search(os.fspath(path)):
        raise errors.UsageError("The name of a file was expected, and what came looks like a token's value.")


def _text(path: str | os.PathLike[str]) -> str:
    """Return a file's text whatever its encoding; values are ASCII, and PowerShell writes UTF-16."""
    try:
        content = Path(path).expanduser().read_bytes()
    except OSError as failure:
        problem = failure.strerror
    else:
        encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
        return content.decode(encoding, "replace")
    raise errors.UsageError(f"{path} cannot be read: {problem}.")


def _in_text(text: str, name: str) -> pd.DataFrame:
    lines = text.splitlines()
    found: list[_Seen] = [
        (match[0], f"{name}:{number}", None) for number, line in enumerate(lines, 1) for match in _VALUE.finditer(line)
    ]
    if not found and all(len(line.split()) <= 1 for line in lines):
        found = [(line.strip(), f"{name}:{number}", None) for number, line in enumerate(lines, 1) if line.strip()]
    return _hashed(found)


def _in_report(text: str) -> pd.DataFrame | str:
    """Return the values of a report as hashes, or what is wrong with it."""
    findings = _findings(text)
    if isinstance(findings, str):
        return findings
    gitleaks = [each for each in findings if "Secret" in each and "RuleID" in each]
    trufflehog = [each for each in findings if "SourceMetadata" in each and "Raw" in each]
    if findings and not gitleaks and not trufflehog:
        return _NO_REPORT
    if any(str(each["Secret"]) == "REDACTED" or str(each["Secret"]).endswith("...") for each in gitleaks):
        return "The values are redacted. Let gitleaks write the report without --redact, and delete it afterwards."
    return _hashed([*_of_gitleaks(gitleaks), *_of_trufflehog(trufflehog)])


_NO_REPORT = (
    "That is no JSON report of gitleaks (-f json) or trufflehog 3 (--json). Given as a file rather than a report, any "
    "text is searched for values."
)


def _findings(text: str) -> list[dict[str, Any]] | str:
    """Return the objects of a JSON array or of JSON lines, or what is wrong with them."""
    try:
        whole = json.loads(text)
    except ValueError:
        pass
    else:
        return [each for each in (whole if isinstance(whole, list) else [whole]) if isinstance(each, dict)]
    if "\0" in text:
        return _NO_REPORT  # no text at all, where a line that begins with a brace means nothing
    findings = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.lstrip().startswith("{"):
            continue  # trufflehog's own words, where both of its outputs went into the file
        try:
            findings.append(json.loads(line))
        except ValueError:
            return f"Line {number} is no whole JSON object: the report is cut short, or no JSON lines."
    return findings if findings or not text.strip() else _NO_REPORT


def _of_gitleaks(findings: Iterable[Mapping[str, Any]]) -> Iterator[_Seen]:
    for each in findings:
        place = f"{each.get('File') or '?'}:{each.get('StartLine') or '?'}"
        is_ours = "databricks" in str(each["RuleID"]).lower()
        for value in _values([each["Secret"], each.get("Match")], is_ours=is_ours):
            yield value, place, each.get("Commit") or None


def _of_trufflehog(findings: Iterable[Mapping[str, Any]]) -> Iterator[_Seen]:
    for each in findings:
        data = (each["SourceMetadata"] or {}).get("Data") or {"?": {}}
        kind, where = next(iter(data.items()))  # {"Git": {…}}, {"Filesystem": {…}}, {"S3": {…}} …
        place = f"{where.get('file') or where.get('link') or kind}:{where.get('line') or '?'}"
        is_ours = "databricks" in str(each.get("DetectorName")).lower()
        for value in _values([each["Raw"], each.get("RawV2"), _plain(each["Raw"])], is_ours=is_ours):
            yield value, place, where.get("commit") or None


def _plain(raw: object) -> str:
    """Return what an older trufflehog wrote in base64."""
    try:
        return base64.b64decode(str(raw), validate=True).decode()
    except ValueError:  # no base64, or no text in it
        return ""


def _values(texts: Iterable[object], *, is_ours: bool) -> list[str]:
    """Return the values in the first of the texts that has any; of a Databricks finding without, its first text."""
    written = [str(each or "") for each in texts]
    for text in written:
        if found := [match[0] for match in _VALUE.finditer(text)]:
            return found
    return [written[0].strip()] if is_ours and written[0].strip() else []


def _hashed(seen: Iterable[_Seen]) -> pd.DataFrame:
    """Return a row for each sighting and hash, without the values."""
    rows = [
        {"value": _sha256(value), "place": redact(place), "commit": commit, "token_id": token_id, "reading": reading}
        for value, place, commit in seen
        if value
        for token_id, reading in _hashes(value)
    ]
    return frames.frame(rows, SIGHTINGS)


def _hashes(value: str) -> Iterator[tuple[str, str]]:
    """Yield what the id of a value's token may be, and by which reading."""
    match = _VALUE.fullmatch(value)
    kind, digits, suffix = match.groups(default="") if match else (value, "", "")
    for reading, of in READINGS.items() if match else [*READINGS.items()][:1]:
        for hashed in of(kind, digits, suffix):
            yield _sha256(hashed), reading


def _sha256(value: str | bytes) -> str:
    return hashlib.sha256(value.encode(errors="surrogatepass") if isinstance(value, str) else value).hexdigest()
