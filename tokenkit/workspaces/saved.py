"""A saved listing, without a workspace: a snapshot, or the JSON of the API, the official CLI or ``tokenkit list``.

It contains only the data of a listing. Owners are known only in what tokenkit wrote. Other data of a workspace
(permissions, settings, identities) is not known, and operations that need it raise an error.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames, review
from tokenkit.core.arguments import file as file_of
from tokenkit.core.clock import Clock, clock_of
from tokenkit.core.redaction import REDACTED, redact
from tokenkit.core.wording import pluralize
from tokenkit.output.snapshots import TAKEN_AT, WORKSPACE, read_snapshot
from tokenkit.review import lifecycle
from tokenkit.review.description import described_alone
from tokenkit.review.lifecycle import LIFECYCLE
from tokenkit.review.owners import OWNER
from tokenkit.workspaces.base import TokenSource

if TYPE_CHECKING:
    from tokenkit.review.audit import Audit
    from tokenkit.review.leaks import Leaks
    from tokenkit.review.rule import Rule
    from tokenkit.widgets.explorer import Explorer

_PARQUET = b"PAR1"
_DERIVED = frozenset([*LIFECYCLE.names, *OWNER.names])
"""The columns that only tokenkit's own JSON has, which also differs from the API's in that times are text."""
_WITH_OWNERS = pa.schema([*frames.TOKENS, *OWNER])
_SAVED = frozenset(_WITH_OWNERS.names)
_TIMES = tuple(field.name for field in frames.TOKENS if field.type == frames.TIME)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LINE = re.compile(r"Line [\d,]+")


def read_listing(path: str | os.PathLike[str], *, as_of: Clock | pd.Timestamp | str | None = None) -> pd.DataFrame:
    """Return a saved listing as ``Workspace.tokens`` would, without any request.

    The reference time for ages is the time in the file (a snapshot has one), or else ``as_of``, or else now;
    ``attrs["taken_at"]`` contains it. To revoke tokens, pass the listing to ``ws.revoke(listing)``, which uses only the
    ids and reads all other data again.

    Args:
        path: A snapshot, or JSON from the API (``{"token_infos": […]}``), the official CLI (``[…]``) or ``tokenkit list
            --output json``.
        as_of: The time of the listing, for a file without a time.

    Returns:
        The columns of ``Workspace.tokens``. JSON of the API contains no owners: ``owner`` is the creator's name if the
        creator owns the token, or else the owner's id; ``owner_kind`` is ``unknown`` and ``owner_active`` is missing.

    Raises:
        UsageError: The file cannot be read, or is not a listing.
    """
    return SavedListing(path, as_of=as_of).tokens()


class SavedListing(TokenSource):
    """A saved listing that replaces a workspace, for operations that read tokens.

    Attributes:
        name: The file.
        moment: The source of the reference time: ``the file``, ``as_of`` or ``now``.

    Args:
        path: As for ``read_listing``.
        as_of: As for ``read_listing``.
        now: The current time, or None for the system clock's.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        as_of: Clock | pd.Timestamp | str | None = None,
        now: pd.Timestamp | None = None,
    ) -> None:
        file = file_of("path", path)
        self.name = str(file)
        self._listing = _read(file)
        in_file = self._listing.attrs.get(TAKEN_AT)
        self.moment = "the file" if in_file else "now" if as_of is None else "as_of"
        self._now = clock_of(clock_of(in_file or (now if as_of is None else as_of))())
        if self.moment == "now" and now is None:
            lifecycle.check_clock(self._listing, now=self.now())

    def now(self) -> pd.Timestamp:
        """Return the reference time for ages."""
        return self._now()

    def _described(self, *, with_aliases: bool) -> pd.DataFrame:  # noqa: ARG002
        tokens = described_alone(self._listing, now=self.now())
        tokens.attrs |= {WORKSPACE: self.name} | self._listing.attrs | {TAKEN_AT: self.now().isoformat()}
        return tokens

    def _audit(self, rules: Sequence[Rule], *, usage: pd.DataFrame | None, **settings: Any) -> Audit:  # noqa: ANN401
        context = review.rule.Context(now=self.now(), usage=usage, unread=_unread(self._listing))
        return review.audit.audit(self._listing, context, rules=rules, name=self.name, **settings)

    def _matched(self, occurrences: pd.DataFrame) -> Leaks:
        return review.leaks.matched(occurrences, self.tokens(), name=self.name)

    def explore(self, where: str | None = None, *, usage: pd.DataFrame | None = None, plain: bool = False) -> Explorer:
        """Return the widget of ``Workspace.explore`` without any changes."""
        from tokenkit.widgets.explorer import Explorer  # noqa: PLC0415 - widgets are for notebooks
        from tokenkit.widgets.model import Known  # noqa: PLC0415
        from tokenkit.widgets.source import Source  # noqa: PLC0415

        found = self.audit(usage=usage)
        tokens = self.filtered(found.tokens, where)
        source = Source(
            name=self.name,
            read=lambda: (tokens, found.findings),
            now=self.now,
            known=lambda: Known(usage=usage),
            is_saved=True,
        )
        return Explorer(source, plain=plain)

    def plan_update(self, *_: object, **__: object) -> NoReturn:
        """Raise an error, because changes require a workspace."""
        raise errors.UsageError("A saved listing cannot be changed. Omit --from to use the workspace.")

    def principal_names(self) -> None:
        """Return None, because a file has no identities."""

    def snapshots(self) -> NoReturn:
        """Raise an error, because a file has no snapshots."""
        raise errors.UsageError(f"A comparison with {self.name} requires an earlier listing. Pass its file.")


def _read(path: Path) -> pd.DataFrame:
    """Return the content of a file, with the columns of ``frames.TOKENS`` and any additional ones of a snapshot."""
    if path.is_dir():
        raise _not_a_listing(path, "it is a folder. Give one of its files")
    text = review.leaks.documents.text_of(path)
    if text.startswith(_PARQUET.decode()):
        return read_snapshot(path)
    found, damage, _ = review.leaks.documents.items(text, lambda _: False)
    problem = _damage(damage) if text.strip() else "it is empty"
    records: dict[str, Mapping[str, Any]] = {}  # the file may contain a token twice
    for line, response, _ in found:
        tokens_of_response = _records(response)
        if tokens_of_response is None:
            problem = problem or _describe_response(response, line)
        records |= {str(record["token_id"]): record for record in tokens_of_response or []}
    is_output = any(not _DERIVED.isdisjoint(record) for record in records.values())
    if is_output and not all(_SAVED.issubset(record) for record in records.values()):
        problem = problem or "it does not have all columns of `tokenkit list`, so save it without --columns"
    if not problem:
        try:
            if is_output:
                return frames.frame(map(_as_sent, records.values()), _WITH_OWNERS)
            return frames.frame(records.values(), frames.TOKENS)
        except errors.InvalidResponseError as failure:
            problem = str(failure).rstrip(".")
    raise _not_a_listing(path, problem)


def _not_a_listing(path: Path, problem: str) -> errors.UsageError:
    return errors.UsageError(
        f"{path} is not a saved listing: {problem[:1].lower()}{problem[1:]}. Save one with `tokenkit snapshot FILE`, "
        "`tokenkit list --output json` or `databricks token-management list --output json`."
    )


def _unread(listing: pd.DataFrame) -> dict[str, str]:
    """Return the reason why the comments of a listing cannot be checked for secrets; empty if they can be.

    Only what tokenkit wrote is redacted. Elsewhere ``[redacted]`` is a person's text, as it can be in a comment here,
    so it does not prove that there was a secret.
    """
    is_redacted = TAKEN_AT in listing.attrs or not set(OWNER.names).isdisjoint(listing)
    count = int(listing["comment"].str.contains(REDACTED, regex=False).sum()) if is_redacted else 0
    where = f"{REDACTED} is in {pluralize(count, 'comment')}"
    return {"comments": f"secrets are redacted when a listing is saved: {where}"} if count else {}


def _as_sent(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a token of tokenkit's own JSON as the API sends it, with its owner. Its age is derived again."""
    times = {name: _milliseconds(record[name]) for name in _TIMES}
    return {name: value for name, value in record.items() if name not in LIFECYCLE.names} | times


def _milliseconds(given: object) -> object:
    """Return a time that is written in ISO 8601 as the API sends it; any other value is returned as it is."""
    try:
        found = dt.datetime.fromisoformat(given) if isinstance(given, str) else None
    except ValueError:
        found = None
    # Not timestamp(), a float that can be a millisecond less.
    return given if found is None or found.tzinfo is None else (found - _EPOCH) // dt.timedelta(milliseconds=1)


def _damage(problem: str) -> str:
    """Return the problem with a file as JSON, derived from the problem with it as a scanner's report."""
    line = _LINE.match(problem)
    return f"{line[0]} is not complete JSON" if line else problem and "it is truncated"


def _describe_response(response: Mapping[str, Any], line: int) -> str:
    """Describe a response without tokens: an error response that was saved instead of a listing, or anything else."""
    if "error_code" in response:
        return f"it is an error response: {redact(str(response.get('message') or response['error_code'])).rstrip('.')}"
    return f"line {line} has neither a token nor a list of tokens"


def _records(response: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """Return the tokens in a response of the API; None for any other value."""
    found = [response["token_info"]] if "token_info" in response else [response] if response else []
    if "token_infos" in response:
        found = [] if response["token_infos"] is None else response["token_infos"]
    whole = isinstance(found, list) and all(isinstance(token, Mapping) and token.get("token_id") for token in found)
    return found if whole else None
