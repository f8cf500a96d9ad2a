"""A listing that was saved, offline: a snapshot, or the JSON of the API or of the official CLI.

It says what a listing says. Who owns a token is known of a snapshot only; what else a workspace would be asked
(permissions, settings, identities) is not known, and what needs it says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pandas as pd

from tokenkit import errors, frames
from tokenkit.clock import Clock, clock_of
from tokenkit.review import audit as audits
from tokenkit.review import expressions, filters, lifecycle, owners, scopes
from tokenkit.review import leaks as leaked
from tokenkit.review.acceptances import Acceptance
from tokenkit.review.audit import Audit, Thresholds
from tokenkit.review.leaks import Leaks, documents
from tokenkit.review.rule import Context, Rule
from tokenkit.snapshots import TAKEN_AT, WORKSPACE, read_snapshot

if TYPE_CHECKING:
    from tokenkit.widgets.explorer import Explorer

_PARQUET = b"PAR1"


def read_listing(path: str | os.PathLike[str], *, as_of: Clock | pd.Timestamp | str | None = None) -> pd.DataFrame:
    """Return a saved listing as ``Workspace.tokens`` would: nothing is asked of a workspace.

    Ages count from the moment in the file (a snapshot has one), else ``as_of``, else now; ``attrs["taken_at"]`` says
    which moment that is. To revoke what is in it, ``ws.revoke(listing)`` takes the ids and reads everything else anew.

    Args:
        path: A snapshot, or JSON as the API (``{"token_infos": […]}``) or the official CLI (``[…]``) gives it.
        as_of: When the listing was taken, of a file that does not say so.

    Returns:
        The columns of ``Workspace.tokens``. In JSON there are no owners: ``owner`` is who created the token if they
        own it, else the owner's id; ``owner_kind`` is ``unknown`` and ``owner_active`` is missing.

    Raises:
        UsageError: The file cannot be read, or is not a listing.
    """
    return SavedListing(path, as_of=as_of).tokens()


class SavedListing:
    """A saved listing in the place of a workspace, for all that reads tokens.

    Attributes:
        name: The file.
        moment: Where the moment that ages count from stands: ``the file``, ``as_of`` or ``now``.
    """

    def __init__(self, path: str | os.PathLike[str], *, as_of: Clock | pd.Timestamp | str | None = None) -> None:
        self.name = os.fspath(path)
        self._listing = _read(path)
        in_file = self._listing.attrs.get(TAKEN_AT)
        self.moment = "the file" if in_file else "now" if as_of is None else "as_of"
        self._now = clock_of(clock_of(in_file or as_of)())

    def now(self) -> pd.Timestamp:
        """Return the moment that ages count from."""
        return self._now()

    def tokens(self, where: str | None = None, **criteria: Any) -> pd.DataFrame:  # noqa: ANN401
        """Return the tokens as ``Workspace.tokens`` does."""
        filters.check(where, criteria)
        tokens = owners.with_owners_known(lifecycle.with_lifecycle(self._listing, now=self.now()))
        tokens = filters.matching(tokens, **criteria)
        tokens = expressions.where(tokens, where) if where else tokens
        tokens.attrs |= {WORKSPACE: self.name} | self._listing.attrs | {TAKEN_AT: self.now().isoformat()}
        return tokens

    def scopes(self, where: str | None = None, **criteria: Any) -> pd.DataFrame:  # noqa: ANN401
        """Return what ``Workspace.scopes`` does."""
        filters.check(where, criteria)
        return scopes.advised(self.tokens(**criteria), where)

    def audit(
        self,
        rules: Iterable[str | Rule] | None = None,
        *,
        skip: Iterable[str] = (),
        thresholds: Thresholds | None = None,
        accept: Iterable[Acceptance] | str | os.PathLike[str] | None = None,
    ) -> Audit:
        """Return what ``Workspace.audit`` does, but for the rules that need more than a listing: they say so."""
        from tokenkit.report import write  # noqa: PLC0415 - pages and pictures are for who has an audit

        return audits.audit(
            self._listing,
            Context(now=self.now()),
            rules=audits.chosen(rules, skip=skip),
            thresholds=thresholds,
            accept=accept,
            name=self.name,
            write=write,
        )

    def find_leaked(
        self,
        values: Iterable[str] | str | None = None,
        *,
        file: leaked.Source | None = None,
        report: leaked.Source | None = None,
    ) -> Leaks:
        """Return what ``Workspace.find_leaked`` does, without a plan: a saved listing cannot be changed."""
        sightings = leaked.seen(values, file=file, report=report, ask=lambda _: None)
        del values  # what fails below must not have them in its frame
        if sightings is None:
            raise errors.UsageError(leaked.ONE_AT_A_TIME)
        return leaked.matched(sightings, self.tokens(), name=self.name)

    def explore(self, where: str | None = None, *, plain: bool = False) -> Explorer:
        """Return the screen of ``Workspace.explore``, on which nothing can be changed."""
        from tokenkit.widgets.explorer import Explorer, Source  # noqa: PLC0415 - widgets are for notebooks

        found = self.audit()
        tokens = found.tokens if where is None else expressions.where(found.tokens, where)
        return Explorer(Source(name=self.name, read=lambda: (tokens, found.findings), now=self.now), plain=plain)

    def plan_update(self, *_: object, **__: object) -> NoReturn:
        """Refuse: a change is of a workspace."""
        raise errors.UsageError("A saved listing cannot be changed: leave --from out, and the workspace is read anew.")

    def principal_names(self) -> NoReturn:
        """Refuse: only a change asks who is known."""
        self.plan_update()

    def snapshots(self) -> NoReturn:
        """Refuse: a file has none."""
        raise errors.UsageError(f"Changes up to {self.name} are since another listing: name the earlier one's file.")


def _read(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Return what a file holds, with the columns of ``frames.TOKENS``, and of a snapshot those it has beside them."""
    text = documents.text_of(path)
    if text.startswith(_PARQUET.decode()):
        return read_snapshot(Path(path).expanduser())
    found, problem, _ = documents.items(text, lambda _: False)
    problem = problem if text.strip() else "it is empty"
    records: list[Mapping[str, Any]] = []
    for line, answer, _ in found:
        of_answer = _records(answer)
        if of_answer is None:
            problem = problem or f"line {line} has neither a token nor a list of tokens"
        records += of_answer or []
    if not problem:
        try:
            return frames.frame(records, frames.TOKENS)
        except errors.MalformedAnswerError as failure:
            problem = str(failure).rstrip(".")
    raise errors.UsageError(
        f"{path} is not a saved listing: {problem[:1].lower()}{problem[1:]}. Save one with `tokenkit snapshot FILE` or "
        "`databricks token-management list --output json`."
    )


def _records(answer: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """Return the tokens of an answer of the API; None where it is something else."""
    found = answer.get("token_infos", [answer["token_info"]] if "token_info" in answer else [answer] if answer else [])
    whole = isinstance(found, list) and all(isinstance(each, Mapping) and each.get("token_id") for each in found)
    return found if whole else None
