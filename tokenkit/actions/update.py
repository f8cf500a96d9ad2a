"""Changes of comments and scopes, with a preview of old and new values, and undo from the journal."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from tokenkit import errors, frames
from tokenkit.actions import journal as records
from tokenkit.actions import protect as protection
from tokenkit.actions import states
from tokenkit.actions.history import FIELDS
from tokenkit.actions.journal import Entry, Journal, Run
from tokenkit.actions.kind import ONLY_LEFT_OUT, RunKind
from tokenkit.actions.options import WORKERS, Progress, RunOptions, RunSettings
from tokenkit.actions.plan import PlanContext, Summary, WorkspacePlan, entries_of, json_values, planned_tokens
from tokenkit.actions.revocation import Tokens, left_out_of, reasons_of, token_ids_of
from tokenkit.actions.run import execute, has, protected_now, values_before
from tokenkit.actions.task import Found, Task
from tokenkit.core.arguments import optional, several, without_credential
from tokenkit.core.redaction import redact
from tokenkit.core.spelling import spelled
from tokenkit.core.wording import first_of, pluralize
from tokenkit.frames import TokenInfo
from tokenkit.review import filters
from tokenkit.review.scopes import ALL_APIS

KIND = RunKind(
    name="update",
    doing="change {}",
    doing_without_tokens=ONLY_LEFT_OUT,
    deletes_tokens=False,
    check_last_use=False,
)
PREVIEW = frames.schema(
    token_id=str, owner=str, comment=str, new_comment=str, scopes=frames.TEXTS, new_scopes=frames.TEXTS
)


class UpdatePlan(WorkspacePlan):
    """Frozen changes of comments and scopes. ``preview()`` shows old and new values; ``apply()`` makes the changes;
    ``undo()`` plans their reversal.

    Attributes:
        token_ids: The tokens that will be changed.
        left_out: The requested tokens that will not be changed, with the reason: a frame of ``token_id, owner, comment,
            reason``.
        run_id: The run of the last ``apply()``; None before.
    """

    KIND = KIND

    def __init__(
        self, context: PlanContext, entries: Sequence[Entry], left_out: pd.DataFrame, *, reason: str | None
    ) -> None:
        super().__init__(context, [entry.token_id for entry in entries], reason=reason)
        self.left_out = left_out
        self._changes = tuple(entries)

    def _title(self) -> str:
        return f"{pluralize(len(self), 'token')} on {self._context.name} will be changed"

    def summary(self) -> Summary:
        """Return what the plan will do, the number to confirm, the number of tokens that get other scopes or all APIs,
        and what is left out.
        """
        changes = {entry.token_id: entry.change or {} for entry in self._changes}
        scopes = {token_id: change["scopes"] for token_id, change in changes.items() if "scopes" in change}
        warned = {
            ALL_APIS_ALLOWED: [token_id for token_id, names in scopes.items() if not names or ALL_APIS in names],
            _CANNOT_BE_RESTORED: [entry.token_id for entry in self._changes if not _is_kept(entry)],
            "new scopes": list(scopes),
        }
        return Summary(
            doing=KIND.what_is_done(len(self)) if len(self) else "",
            count=len(self),
            warnings={warning: len(ids) for warning, ids in warned.items()},
            left_out=reasons_of(self.left_out),
            warned=warned,
        )

    @property
    def can_be_undone(self) -> bool:
        """Whether the journal will have the old values of any token."""
        return any(map(_is_kept, self._changes))

    def preview(self) -> pd.DataFrame:
        """Return a row for each token that changes: ``token_id, owner, comment, new_comment, scopes, new_scopes``.

        A field that does not change has no new value. Tokens that already have the requested values are not in the
        plan.
        """
        return changed_values(self._changes)

    def apply(
        self, *, workers: int = WORKERS, progress: bool | Progress = True, stop: threading.Event | None = None
    ) -> pd.DataFrame:
        """Change the tokens, and return the outcome of each.

        Args:
            workers: The maximum number of requests in flight.
            progress: Whether to show a progress bar if it takes more than two seconds, or a custom listener.
            stop: An event; once another thread sets it, no new request is sent.

        Returns:
            A row for each token: ``token_id, owner, outcome, error, attempts, started_at, finished_at``; the outcome is
            ``updated``, ``already_gone``, ``skipped`` (its owner, or a value to be replaced, changed since the plan, or
            it is now protected), ``failed``, ``unknown``, ``pending``, as for ``RevocationPlan.apply``, or
            ``still_listed`` (it was recorded as updated and is listed with another comment or scopes, or was recorded
            as already gone and is listed).

        Raises:
            ConfigurationError: The protected tokens cannot be read; nothing was sent.
            JournalError: The journal cannot be written; nothing was sent.
        """
        return self._apply(RunOptions(workers=workers, progress=progress, stop=stop))

    def _settings(self, options: RunOptions) -> dict[str, Any]:
        return RunSettings(workers=options.workers).as_dict()

    def _entries(self) -> Sequence[Entry]:
        return self._changes

    def _execute(self, run: Run, entries: Sequence[Entry], journal: Journal, options: RunOptions) -> pd.DataFrame:
        # These entries have the complete values, which the journal may not have.
        return _execute(self._context, run, entries, journal, options)

    def undo(self) -> UpdatePlan:
        """Return the plan that reverses what the last ``apply()`` changed.

        Raises:
            UsageError: The plan was not applied.
        """
        if self.run_id is None:
            raise errors.UsageError("This plan was not applied, so there is nothing to undo.")
        return undo(self._context, self.run_id)


def changed_values(entries: Sequence[Entry]) -> pd.DataFrame:
    """Return a row for each entry with the columns of ``PREVIEW``: the values in its snapshot and the new ones."""
    rows = [
        {"token_id": entry.token_id, "owner": entry.owner}
        | {field: entry.snapshot.get(field) for field in FIELDS}
        | {f"new_{field}": value for field, value in (entry.change or {}).items()}
        for entry in entries
    ]
    return frames.frame(rows, PREVIEW)


def changes_of(tokens: Tokens, *, comment: str | None, scopes: Sequence[str] | None) -> dict[str, dict[str, Any]]:
    """Return the new values of each token: the same for all, or else those in each row's ``new_comment`` and
    ``new_scopes``; see ``Workspace.plan_update``.

    Raises:
        UsageError: No change is given, a token is in two rows, a value is not a comment or a list of scopes, or a
            comment looks like it contains a credential.
    """
    same = {
        "comment": without_credential("comment", optional("comment", comment, str)),
        "scopes": None if scopes is None else several("scopes", scopes, str),
    }
    ids = token_ids_of(tokens)
    if wanted := {name: value for name, value in same.items() if value is not None}:
        return dict.fromkeys(ids, wanted)
    fields = [field for field in FIELDS if isinstance(tokens, pd.DataFrame) and f"new_{field}" in tokens]
    if not isinstance(tokens, pd.DataFrame) or not fields:
        raise errors.UsageError(
            "Nothing to change. "
            f"{spelled('Pass comment=…, scopes=…, or a frame with the column new_comment or new_scopes')}."
        )
    if len(ids) != len(tokens):
        raise errors.UsageError("A token is in two rows of the frame. Pass one row for each token.")
    changes: dict[str, dict[str, Any]] = {token_id: {} for token_id in ids}
    for field in fields:
        for token_id, value in zip(ids, json_values(tokens[f"new_{field}"]), strict=True):
            if value is not None:
                changes[token_id][field] = _checked(field, value)
    return {token_id: change for token_id, change in changes.items() if change}


def _checked(field: str, value: Any) -> Any:  # noqa: ANN401 - any value of a frame
    is_text = isinstance(value, str)
    if field == "comment" and is_text:
        return without_credential("comment", value)
    if field == "scopes" and not is_text and isinstance(value, Iterable) and all(isinstance(x, str) for x in value):
        return list(value)
    what = "a text" if field == "comment" else "a list of texts"
    raise errors.UsageError(f"new_{field} must be {what} in each row, not {redact(repr(value))[:80]}.")


def make(
    context: PlanContext, tokens: Tokens, *, comment: str | None, scopes: Sequence[str] | None, reason: str | None
) -> UpdatePlan:
    """Return the plan to change tokens; see ``Workspace.plan_update``."""
    changes = changes_of(tokens, comment=comment, scopes=scopes)
    listing = context.tokens().set_index("token_id", drop=False)
    filters.require_unambiguous(tokens)
    if missing := [token_id for token_id in changes if token_id not in listing.index]:
        raise errors.UsageError(f"{context.name} has no token {first_of([*map(repr, missing)], 1)}.")
    entries = []
    for entry in entries_of(listing.loc[list(changes)]):
        wanted = changes[entry.token_id].items()
        if change := {name: value for name, value in wanted if not has(entry.snapshot, {name: value})}:
            entries.append(replace(entry, change=change))
    return _plan(context, entries, listing.reset_index(drop=True), {}, reason=reason)


def _plan(
    context: PlanContext,
    entries: Sequence[Entry],
    tokens: pd.DataFrame,
    unknown: Mapping[str, str],
    *,
    reason: str | None,
) -> UpdatePlan:
    """Return the plan of the entries, without those that are protected or whose values are unknown."""
    patterns = protection.read_protected(context.folder)
    reasons = {**unknown, **protected_now(entries, tokens, patterns)}
    planned = [entry for entry in entries if entry.token_id not in reasons]
    return UpdatePlan(context, planned, left_out_of(entries, reasons), reason=reason)


def can_be_undone(journal: Journal, run_id: str) -> bool:
    """Return whether a run in the journal changed a token whose old values it has."""
    if not journal.has_run(run_id) or journal.run(run_id).kind != KIND.name:
        return False
    return any(entry.state == states.UPDATED and _is_kept(entry) for entry in journal.entries(run_id))


def undo(context: PlanContext, run_id: str, *, reason: str | None = None) -> UpdatePlan:
    """Return the plan that reverses what a run changed, from the snapshots in the journal.

    Left out are texts that are not in the journal because they look like credentials, tokens for which it is not known
    whether they were changed, and tokens that have other values now than the run wrote: somebody changed them since.
    """
    with Journal(context.folder) as journal:
        run, entries = journal.run(run_id), journal.entries(run_id)
    if run.kind != KIND.name:
        instead = _INSTEAD.get(run.kind, "").format(run_id)
        raise errors.UsageError(
            f"Run {run_id} is of kind {run.kind!r}. Only runs of kind 'update' can be undone.{instead}"
        )
    done = [entry for entry in entries if entry.state in (states.UPDATED, *_IN_DOUBT)]
    back = [
        Entry(
            token_id=entry.token_id,
            owner=entry.owner,
            snapshot=dict(entry.snapshot) | dict(entry.change or {}),
            change=values_before(entry),
        )
        for entry in done
    ]
    now = _current(context, [entry.token_id for entry in back])
    unknown = {entry.token_id: _why_not_undone(entry, now.get(entry.token_id)) for entry in back}
    unknown = {token_id: why for token_id, why in unknown.items() if why}
    unknown |= {entry.token_id: _NOT_KEPT for entry in back if records.is_redacted(entry.change)}
    unknown |= {entry.token_id: f"may have been changed: resume {run_id}" for entry in done if entry.state in _IN_DOUBT}
    return _plan(context, back, planned_tokens(back), unknown, reason=reason or f"undo of {run_id}")


def _current(context: PlanContext, token_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Return the tokens as the workspace lists them now."""
    listing = context.tokens()
    return {entry.token_id: entry.snapshot for entry in entries_of(listing[listing["token_id"].isin(token_ids)])}


def _why_not_undone(entry: Entry, now: Mapping[str, Any] | None) -> str:
    """Return why an entry that restores values is left out: the token is not listed, has them already, or has others
    than the run wrote. An empty text if none of these.
    """
    if now is None:
        return NOT_LISTED
    if has(now, entry.change or {}):
        return _RESTORED
    return "" if has(now, values_before(entry)) else _CHANGED_SINCE


def _is_kept(entry: Entry) -> bool:
    """Return whether the old values of a change are, or will be, in the journal."""
    return not records.is_redacted(records.stored(values_before(entry)))


_INSTEAD = {
    "permissions": (
        " `tokenkit journal --run {}` shows the entries before the change, and the command that restores them, but no "
        "tokens."
    )
}
ALL_APIS_ALLOWED = "access to all APIs"
_CANNOT_BE_RESTORED = "the old comment cannot be restored: it looks like a credential"
_IN_DOUBT = (states.SENT, *states.IN_DOUBT)
_RESTORED = "already restored to the earlier values"
_CHANGED_SINCE = "changed since, to other values than the run wrote"
NOT_LISTED = "no longer listed"
_NOT_KEPT = "the journal does not keep texts that look like credentials"


def resume(
    context: PlanContext, run: Run, entries: Sequence[Entry], journal: Journal, options: RunOptions
) -> pd.DataFrame:
    """Execute what remains of a run that updates. A text that is not in the journal is not written."""
    not_kept = {entry.token_id: _NOT_KEPT for entry in entries if records.is_redacted(entry.change)}
    return _execute(context, run, entries, journal, options, left_out=not_kept)


def _execute(
    context: PlanContext,
    run: Run,
    entries: Sequence[Entry],
    journal: Journal,
    options: RunOptions,
    *,
    left_out: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    def send(entry: Entry) -> None:
        change = entry.change or {}
        context.one_shot.update_token_management(entry.token_id, change, list(change))

    def found(entry: Entry, token: TokenInfo) -> Found | None:
        return (states.UPDATED, None) if has(token.as_dict(), entry.change or {}) else None

    task = Task(
        send=send,
        look_up=lambda entry: context.one_shot.get(entry.token_id),
        done=states.UPDATED,
        found=found,
        check_last_use=KIND.check_last_use,
    )
    return execute(context, run, entries, task, journal, options=options, left_out=left_out)
