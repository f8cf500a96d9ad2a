"""Revoking tokens: who is hit is decided and shown before, and never by position or by a filter that runs again."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.actions import journal as records
from tokenkit.actions import plan as plans
from tokenkit.actions import protect as protection
from tokenkit.actions.journal import Entry, Journal, Run
from tokenkit.actions.plan import Progress, Settings, Target
from tokenkit.actions.preview import Shown
from tokenkit.actions.task import LOST_AND_GONE, Task
from tokenkit.frames import TEXT
from tokenkit.redaction import redact
from tokenkit.review.durations import duration
from tokenkit.review.patterns import shortened

KIND = "revoke"
RECENTLY_DAYS = 7
_YOURS = "yours"
_WARNINGS = (
    _YOURS,
    f"used in the last {RECENTLY_DAYS} days",
    "a service principal's",
    "the last token of its owner",
    "expired already",
    "last used before it was created: an error in the data",
)
"""What a preview warns of, the worst first."""
PREVIEW = pa.schema(
    [
        ("token_id", pa.string()),
        ("owner", pa.string()),
        ("owner_kind", pa.string()),
        ("comment", pa.string()),
        ("status", pa.string()),
        ("last_used_day", frames.TIME),
        ("expiry_time", frames.TIME),
        ("warnings", pa.string()),
    ]
)
LEFT_OUT = pa.schema([(name, pa.string()) for name in ("token_id", "owner", "comment", "reason")])

Tokens = pd.DataFrame | pd.Series | Iterable[str] | str


_TOKEN_ID = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)


def token_ids_of(tokens: Tokens) -> list[str]:
    """Return the ids that were meant: of a frame's column ``token_id``, of a column or list of ids, or the one id.

    Blanks around an id and upper case are read as well. No rows, or an empty list, are no tokens.

    Raises:
        UsageError: A frame without that column, or something that is not a whole id: a part of one, an expression.
    """
    if isinstance(tokens, pd.DataFrame):
        if tokens.columns.tolist().count("token_id") != 1:
            raise errors.UsageError("A frame of tokens needs the column token_id, once.")
        tokens = tokens["token_id"]
    several = isinstance(tokens, Iterable) and not isinstance(tokens, str | bytes | Mapping)
    given: list[Any] = list(tokens) if several else [tokens]
    for each in given:
        if not isinstance(each, str) or not _TOKEN_ID.fullmatch(each.strip()):
            raise errors.UsageError(
                f"{redact(shortened(str(each)))} is not a token id, which has 64 hexadecimal digits. Give whole ids or "
                "a frame of tokens; to choose by an expression, pass what tokens(…) returns for it."
            )
    return list(dict.fromkeys(each.strip().lower() for each in given))


class RevocationPlan(Shown):
    """Tokens to revoke, frozen. ``preview()`` shows them and what to mind; ``apply()`` revokes them.

    Attributes:
        token_ids: What will be revoked.
        left_out: What was asked for and will not be, with the reason: a frame of ``token_id, owner, comment, reason``.
        run_id: The run of the last ``apply()``, for ``tokenkit.resume``; None before.
    """

    def __init__(
        self,
        target: Target,
        planned: pd.DataFrame,
        left_out: pd.DataFrame,
        *,
        protect: Mapping[str, Sequence[str]],
        reason: str | None,
    ) -> None:
        self._target = target
        self._protect = protect
        self._planned = planned
        self._reason = reason
        self.left_out = left_out
        self.token_ids = tuple(planned["token_id"])
        self.run_id: str | None = None

    def __len__(self) -> int:
        return len(self.token_ids)

    def _title(self) -> str:
        rest = f", {len(self.left_out):,} left out" if len(self.left_out) else ""
        return f"{plans.counted(len(self), 'token')} on {self._target.name} will be revoked for good{rest}"

    def summary(self) -> plans.Summary:
        """Return what the plan will do, the number to confirm it with, and what to mind."""
        doing = f"revoke {plans.counted(len(self), 'token')} for good" if len(self) else ""
        left_out = reasons_of(self.left_out)
        return plans.Summary(doing=doing, count=len(self), minds=self.warnings(), left_out=left_out)

    def preview(self) -> pd.DataFrame:
        """Return a row for each token that will be revoked, with what to mind about it.

        Returns:
            ``token_id, owner, owner_kind, comment, status, last_used_day, expiry_time, warnings``; ``warnings`` is
            text, empty where there is nothing to mind.
        """
        return self._planned[PREVIEW.names].reset_index(drop=True)

    def warnings(self) -> dict[str, int]:
        """Return each warning that the preview has, the worst first, with how many tokens it is about."""
        return warnings_of(self._planned)

    def apply(
        self,
        *,
        workers: int = plans.WORKERS,
        despite_drift: bool = False,
        progress: bool | Progress = True,
        stop: threading.Event | None = None,
    ) -> pd.DataFrame:
        """Revoke the tokens of the plan, and return what became of each. It cannot be undone.

        Args:
            workers: How many requests may be under way at once. The pace follows the workspace's limit by itself.
            despite_drift: Also revoke tokens that were used, or changed owner, since the plan was made.
            progress: Show a progress bar once it takes more than two seconds; or who is told instead.
            stop: When set, by another thread, nothing new is sent.

        Returns:
            A row for each token of the plan: ``token_id, owner, outcome, error, attempts, started_at, finished_at``.
            The outcome is ``revoked``, ``already gone`` (the workspace says that there is no such token), ``skipped``
            (it drifted, or is protected by now), ``failed``, ``unknown``, ``still_listed`` (it was called revoked or
            gone, and the listing at the end still has it), or ``planned`` where the run ended before its turn.
            ``attrs["ended_by"]`` is there if it ended early: ``interrupt``, ``stop``, or the name of an error's class.

        Raises:
            ConfigurationError: What is protected cannot be read; nothing was sent.
            JournalError: The journal cannot be written; nothing was sent.
        """
        run_id = records.new_run_id(self._target.now())
        with Journal(self._target.folder) as journal, journal.held(run_id):
            run, entries = self._begin(journal, self._settings(workers, despite_drift=despite_drift), run_id)
            return resume(self._target, run, entries, journal, progress=progress, stop=stop)

    def record(
        self, journal: Journal, *, run_id: str | None = None, workers: int = plans.WORKERS, despite_drift: bool = False
    ) -> Run:
        """Write the plan down as a run, every token ``planned``, and return it. ``resume`` carries it out.

        Args:
            journal: Where to.
            run_id: What the run is called, where it is a part of another; a new name by default.
            workers: As for ``apply``.
            despite_drift: As for ``apply``.
        """
        run, _ = self._begin(journal, self._settings(workers, despite_drift=despite_drift), run_id)
        return run

    def _settings(self, workers: int = plans.WORKERS, *, despite_drift: bool = False) -> dict[str, Any]:
        return Settings(workers=workers, despite_drift=despite_drift, protect=self._protect).as_dict()

    def _begin(self, journal: Journal, settings: dict[str, Any], run_id: str | None = None) -> tuple[Run, list[Entry]]:
        run = plans.begin(self._target, KIND, reason=self._reason, settings=settings, run_id=run_id)
        entries = _own_last(plans.entries_of(self._planned), self._planned)
        journal.begin(run, entries)
        self.run_id = run.run_id
        return run, entries

    def stage(self, *, grace: str | pd.Timedelta = "14d") -> StagedRevocation:
        """Record the intent to revoke, and return whom to tell. Nothing is revoked before the grace is over.

        Args:
            grace: How long people have to object, or to go on using a token, which takes it out: ``14d``, ``2w``. A
                token that is protected meanwhile is left out as well.
        """
        span = duration(grace)
        due = self._target.now() + span
        with Journal(self._target.folder) as journal:
            run, _ = self._begin(journal, self._settings() | {"due": due.isoformat()})
        return StagedRevocation(run.run_id, due, self._planned)


def warnings_of(preview: pd.DataFrame) -> dict[str, int]:
    """Return each warning that a preview has, the worst first, with how many tokens it is about."""
    counts = preview["warnings"].str.split("; ").explode().value_counts()
    return {warning: int(counts[warning]) for warning in _WARNINGS if warning in counts}


def reasons_of(left_out: pd.DataFrame) -> dict[str, int]:
    """Return each reason for which tokens are left out of a plan, with how many they are."""
    return {str(reason): int(count) for reason, count in left_out["reason"].value_counts().items()}


class StagedRevocation:
    """A revocation that was announced.

    Attributes:
        run_id: What ``tokenkit.resume`` carries out once it is due.
        due: From when on.
        notices: Whom to tell of which token: a frame for a mail merge, ``owner, owner_kind, tokens, comments, due``.
    """

    def __init__(self, run_id: str, due: pd.Timestamp, planned: pd.DataFrame) -> None:
        self.run_id = run_id
        self.due = due
        by_owner = planned.assign(comment=planned["comment"].fillna("")).groupby(
            ["owner", "owner_kind"], as_index=False
        )
        notices = by_owner.agg(tokens=("token_id", "size"), comments=("comment", "; ".join))
        self.notices = notices.assign(due=due)

    def __repr__(self) -> str:
        tokens = plans.counted(int(self.notices["tokens"].sum()), "token")
        return f"<StagedRevocation of {tokens}, due {self.due:%Y-%m-%d}: tokenkit.resume({self.run_id!r})>"


def make(
    target: Target,
    tokens: Tokens,
    *,
    include_own: bool,
    protect: Mapping[str, Sequence[str]] | None,
    reason: str | None,
) -> RevocationPlan:
    """Return the plan to revoke tokens; see ``Workspace.revoke``."""
    asked = token_ids_of(tokens)
    listing = target.tokens()
    caller_id, _ = target.caller()
    found = listing.set_index("token_id", drop=False).reindex(asked)
    missing = found["token_id"].isna().to_numpy()
    chosen = listing.set_index("token_id", drop=False).loc[
        [each for each, gone in zip(asked, missing, strict=True) if not gone]
    ]
    chosen = chosen.reset_index(drop=True)
    protect = protection.check(protect or {})
    reasons = _reasons_to_leave_out(target, chosen, caller_id, include_own=include_own, protect=protect)
    planned = chosen[(reasons == "").to_numpy()]
    planned = planned.assign(warnings=_warnings(planned, listing, caller_id, now=target.now()))
    unknown = pd.DataFrame({"token_id": np.array(asked, dtype=object)[missing]}, dtype=TEXT)
    left_out = pd.concat(
        [
            chosen.assign(reason=reasons)[LEFT_OUT.names][(reasons != "").to_numpy()].astype(TEXT),
            unknown.assign(owner=None, comment=None, reason="no such token").astype(TEXT),
        ],
        ignore_index=True,
    )
    return RevocationPlan(target, planned.reset_index(drop=True), left_out, protect=protect, reason=reason)


def _reasons_to_leave_out(
    target: Target,
    chosen: pd.DataFrame,
    caller_id: int,
    *,
    include_own: bool,
    protect: Mapping[str, Sequence[str]],
) -> pd.Series[str]:
    reasons = protection.protected(chosen, protection.read_protected(target.folder, protect))
    own = (chosen["owner_id"] == caller_id).fillna(value=False).astype(bool)
    return (
        reasons
        if include_own
        else reasons.mask(own & (reasons == ""), "yours; include_own=True or --include-own takes it too")
    )


def _warnings(planned: pd.DataFrame, listing: pd.DataFrame, caller_id: int, *, now: pd.Timestamp) -> pd.Series[str]:
    """Return what to mind about each token, joined into a text."""
    recently = now.normalize() - pd.Timedelta(days=RECENTLY_DAYS)
    active = listing[listing["status"] == "active"]
    remaining = active[~active["token_id"].isin(planned["token_id"])]
    about = (
        planned["owner_id"] == caller_id,
        planned["last_used_day"] >= recently,
        planned["owner_kind"] == "service principal",
        (planned["status"] == "active") & ~planned["owner_id"].isin(remaining["owner_id"]),
        planned["status"] == "expired",
        planned[["creation_time", "last_used_day"]].notna().all(axis=1) & planned["idle_days"].isna(),
    )
    words = pd.Series("", index=planned.index, dtype=TEXT)
    for text, mask in zip(_WARNINGS, about, strict=True):
        hits = mask.astype("boolean").fillna(value=False).astype(bool)
        words = words.mask(hits & (words != ""), words + "; " + text).mask(hits & (words == ""), text)
    return words


def _own_last(entries: list[Entry], planned: pd.DataFrame) -> list[Entry]:
    """Put the caller's own tokens at the end: one of them may be what the run is signed with."""
    yours = planned["warnings"].str.startswith(_YOURS).to_numpy(dtype=bool)
    return [entry for entry, own in zip(entries, yours, strict=True) if not own] + [
        entry for entry, own in zip(entries, yours, strict=True) if own
    ]


def resume(
    target: Target,
    run: Run,
    entries: Sequence[Entry],
    journal: Journal,
    *,
    progress: bool | Progress,
    stop: threading.Event | None = None,
) -> pd.DataFrame:
    """Carry out what is left of a run that revokes.

    Raises:
        UsageError: It was staged, and its grace is not over.
    """
    settings = dict(run.settings)
    due = settings.pop("due", None)
    if due and target.now() < pd.Timestamp(due):
        raise errors.UsageError(
            f"Run {run.run_id} was staged and is due on {pd.Timestamp(due):%Y-%m-%d %H:%M} UTC, not before."
        )
    task = Task(
        send=lambda entry: target.one_shot.delete(entry.token_id),
        look_up=lambda entry: target.one_shot.get(entry.token_id),
        done=records.REVOKED,
        gone_after_lost=(records.REVOKED, LOST_AND_GONE),
    )
    how = Settings.of(replace(run, settings=settings))
    return plans.carry_out(target, run, entries, task, journal, settings=how, progress=progress, stop=stop)
