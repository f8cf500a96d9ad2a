"""Changing comments and scopes of tokens: shown before and after, and undone from the journal."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.actions import journal as records
from tokenkit.actions import plan as plans
from tokenkit.actions import protect as protection
from tokenkit.actions.journal import Entry, Journal, Run
from tokenkit.actions.plan import Progress, Settings, Target
from tokenkit.actions.preview import Shown
from tokenkit.actions.revocation import LEFT_OUT, Tokens, reasons_of, token_ids_of
from tokenkit.actions.task import Found, Task
from tokenkit.frames import TokenInfo
from tokenkit.redaction import redact

KIND = "update"
FIELDS = ("comment", "scopes")
_PREVIEW = pa.schema(
    [
        ("token_id", pa.string()),
        ("owner", pa.string()),
        ("comment", pa.string()),
        ("new_comment", pa.string()),
        ("scopes", frames.TEXTS),
        ("new_scopes", frames.TEXTS),
    ]
)


class UpdatePlan(Shown):
    """Changes of comments and scopes, frozen. ``preview()`` shows old and new; ``apply()`` makes them; ``undo()`` plans
    back.

    Attributes:
        left_out: What was asked for and will not be changed, with the reason: a frame of ``token_id, owner, comment,
            reason``.
        run_id: The run of the last ``apply()``; None before.
    """

    def __init__(self, target: Target, entries: Sequence[Entry], left_out: pd.DataFrame, *, reason: str | None) -> None:
        self._target = target
        self.left_out = left_out
        self._entries = tuple(entries)
        self._reason = reason
        self.token_ids = tuple(entry.token_id for entry in entries)
        self.run_id: str | None = None

    def __len__(self) -> int:
        return len(self.token_ids)

    def _title(self) -> str:
        return f"{plans.counted(len(self), 'token')} on {self._target.name} will be changed"

    def summary(self) -> plans.Summary:
        """Return what the plan will do, the number to confirm it with, how many tokens get other scopes, and what is
        left out.
        """
        scopes = sum("scopes" in (entry.change or {}) for entry in self._entries)
        doing = f"change {plans.counted(len(self), 'token')}" if len(self) else ""
        return plans.Summary(
            doing=doing, count=len(self), minds={"new scopes": scopes}, left_out=reasons_of(self.left_out)
        )

    def preview(self) -> pd.DataFrame:
        """Return a row for each token that changes: ``token_id, owner, comment, new_comment, scopes, new_scopes``.

        A field that does not change has nothing under its new name. Tokens that are already as wanted are not in the
        plan.
        """
        rows = [
            {"token_id": entry.token_id, "owner": entry.owner}
            | {field: entry.snapshot.get(field) for field in FIELDS}
            | {f"new_{field}": value for field, value in (entry.change or {}).items()}
            for entry in self._entries
        ]
        return frames.frame(rows, _PREVIEW)

    def apply(
        self, *, workers: int = plans.WORKERS, progress: bool | Progress = True, stop: threading.Event | None = None
    ) -> pd.DataFrame:
        """Change the tokens, and return what became of each.

        Args:
            workers: How many requests may be under way at once.
            progress: Show a progress bar once it takes more than two seconds; or who is told instead.
            stop: When set, by another thread, nothing new is sent.

        Returns:
            A row for each token: ``token_id, owner, outcome, error, attempts, started_at, finished_at``; the outcome is
            ``updated``, ``already gone``, ``skipped`` (it changed owner, or is protected by now), ``failed``,
            ``unknown``, ``still_listed`` or ``planned``, as for ``RevocationPlan.apply``.

        Raises:
            ConfigurationError: What is protected cannot be read; nothing was sent.
            JournalError: The journal cannot be written; nothing was sent.
        """
        settings = Settings(workers=workers).as_dict()
        run = plans.begin(self._target, KIND, reason=self._reason, settings=settings)
        with Journal(self._target.folder) as journal, journal.held(run.run_id):
            journal.begin(run, self._entries)
            self.run_id = run.run_id
            # The journal may not have kept all of what is to be written; here it is.
            return _carry_out(self._target, run, self._entries, journal, progress=progress, stop=stop)

    def undo(self) -> UpdatePlan:
        """Return the plan that puts back what the last ``apply()`` changed.

        Raises:
            UsageError: It was not applied.
        """
        if self.run_id is None:
            raise errors.UsageError("This plan was not applied, so there is nothing to undo.")
        return undo(self._target, self.run_id)


def changes_of(tokens: Tokens, *, comment: str | None, scopes: Sequence[str] | None) -> dict[str, dict[str, Any]]:
    """Return what is to become of each token: the same for all, else what each row's ``new_comment`` and
    ``new_scopes`` say; see ``Workspace.plan_update``.

    Raises:
        UsageError: Nothing is said, a token is in two rows, or a value is no comment or no list of scopes.
    """
    same = {"comment": comment, "scopes": None if scopes is None else list(scopes)}
    ids = token_ids_of(tokens)
    if wanted := {name: value for name, value in same.items() if value is not None}:
        return dict.fromkeys(ids, wanted)
    fields = [field for field in FIELDS if isinstance(tokens, pd.DataFrame) and f"new_{field}" in tokens]
    if not isinstance(tokens, pd.DataFrame) or not fields:
        raise errors.UsageError(
            "Say what to change: comment=…, scopes=…, or a frame with the column new_comment or new_scopes."
        )
    if len(ids) != len(tokens):
        raise errors.UsageError("A token is in two rows of the frame: say once what is to become of it.")
    changes: dict[str, dict[str, Any]] = {token_id: {} for token_id in ids}
    for field in fields:
        for token_id, value in zip(ids, plans.on_the_wire(tokens[f"new_{field}"]), strict=True):
            if value is not None:
                changes[token_id][field] = _checked(field, value)
    return {token_id: change for token_id, change in changes.items() if change}


def _checked(field: str, value: Any) -> Any:  # noqa: ANN401 - whatever a frame holds
    is_text = isinstance(value, str)
    if field == "comment" and is_text:
        return value
    if field == "scopes" and not is_text and isinstance(value, Iterable) and all(isinstance(x, str) for x in value):
        return list(value)
    what = "a text" if field == "comment" else "a list of texts"
    raise errors.UsageError(f"new_{field} must be {what} in each row, not {redact(repr(value))[:80]}.")


def make(target: Target, changes: Mapping[str, Mapping[str, Any]], *, reason: str | None) -> UpdatePlan:
    """Return the plan to change tokens, each as ``changes`` has it under its id; see ``Workspace.plan_update``."""
    listing = target.tokens().set_index("token_id", drop=False)
    if missing := [token_id for token_id in changes if token_id not in listing.index]:
        raise errors.UsageError(
            f"{target.name} has no token {missing[0]!r}" + (f" and {len(missing) - 1:,} more." if missing[1:] else ".")
        )
    entries = []
    for entry in plans.entries_of(listing.loc[list(changes)]):
        wanted = changes[entry.token_id]
        change = {name: value for name, value in wanted.items() if entry.snapshot.get(name, _ABSENT[name]) != value}
        if change:
            entries.append(replace(entry, change=change))
    return _plan(target, entries, listing.reset_index(drop=True), {}, reason=reason)


def _plan(
    target: Target,
    entries: Sequence[Entry],
    tokens: pd.DataFrame,
    unknown: Mapping[str, str],
    *,
    reason: str | None,
) -> UpdatePlan:
    """Return the plan of entries without those that are protected, or that nobody knows how to change."""
    patterns = protection.read_protected(target.folder)
    reasons = {**unknown, **plans.protected_now(entries, tokens, patterns)}
    rows = [
        {
            "token_id": entry.token_id,
            "owner": entry.owner,
            "comment": entry.snapshot.get("comment"),
            "reason": reasons[entry.token_id],
        }
        for entry in entries
        if entry.token_id in reasons
    ]
    planned = [entry for entry in entries if entry.token_id not in reasons]
    return UpdatePlan(target, planned, frames.frame(rows, LEFT_OUT), reason=reason)


_ABSENT: dict[str, Any] = {"comment": "", "scopes": []}


def undo(target: Target, run_id: str, *, reason: str | None = None) -> UpdatePlan:
    """Return the plan that puts back what a run changed, from the snapshots in the journal.

    What the journal did not keep, as it looks like a credential, cannot be put back, and is left out; so is what may
    have been changed, and nobody knows.
    """
    with Journal(target.folder) as journal:
        run, entries = journal.run(run_id), journal.entries(run_id)
    if run.kind != KIND:
        raise errors.UsageError(f"Run {run_id} is a {run.kind}; only updates can be undone.")
    done = [entry for entry in entries if entry.state in (records.UPDATED, *_IN_DOUBT)]
    back = [
        Entry(
            token_id=entry.token_id,
            owner=entry.owner,
            snapshot=dict(entry.snapshot) | dict(entry.change or {}),
            change={name: entry.snapshot.get(name, _ABSENT[name]) for name in entry.change or {}},
        )
        for entry in done
    ]
    unknown = {entry.token_id: _NOT_KEPT for entry in back if records.is_redacted(entry.change)}
    unknown |= {
        entry.token_id: f"it may have been changed: resume {run_id}" for entry in done if entry.state in _IN_DOUBT
    }
    return _plan(target, back, plans.planned_tokens(back), unknown, reason=reason or f"undo of {run_id}")


_IN_DOUBT = (records.SENT, records.UNKNOWN)
_NOT_KEPT = "the journal did not keep the text, as it looks like a credential"


def resume(
    target: Target,
    run: Run,
    entries: Sequence[Entry],
    journal: Journal,
    *,
    progress: bool | Progress,
    stop: threading.Event | None = None,
) -> pd.DataFrame:
    """Carry out what is left of a run that updates; a text that the journal did not keep is not written."""
    unknown = {entry.token_id: _NOT_KEPT for entry in entries if records.is_redacted(entry.change)}
    return _carry_out(target, run, entries, journal, progress=progress, stop=stop, left_out=unknown)


def _carry_out(
    target: Target,
    run: Run,
    entries: Sequence[Entry],
    journal: Journal,
    *,
    progress: bool | Progress,
    stop: threading.Event | None,
    left_out: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    def send(entry: Entry) -> None:
        change = entry.change or {}
        target.one_shot.update_token_management(entry.token_id, change, list(change))

    def found(entry: Entry, token: TokenInfo) -> Found | None:
        document, wanted = token.as_dict(), entry.change or {}
        as_wanted = all(document.get(name, _ABSENT[name]) == value for name, value in wanted.items())
        return (records.UPDATED, None) if as_wanted else None

    task = Task(
        send=send,
        look_up=lambda entry: target.one_shot.get(entry.token_id),
        done=records.UPDATED,
        found=found,
        minds_use=False,
    )
    how = Settings.of(run)
    return plans.carry_out(
        target, run, entries, task, journal, settings=how, progress=progress, stop=stop, left_out=left_out
    )
