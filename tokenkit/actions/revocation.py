"""Revoking tokens: the tokens are fixed and shown beforehand, never chosen again by position or by a filter."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tokenkit import errors, frames
from tokenkit.actions import protect as protection
from tokenkit.actions import states
from tokenkit.actions.evidence import kept, signed_in_since, source_of
from tokenkit.actions.journal import Entry, Journal, Run
from tokenkit.actions.kind import ONLY_LEFT_OUT, RunKind
from tokenkit.actions.options import DUE, WORKERS, Progress, RunOptions, RunSettings
from tokenkit.actions.plan import PlanContext, Summary, WorkspacePlan, entries_of
from tokenkit.actions.run import execute
from tokenkit.actions.task import LOST_AND_GONE, Task
from tokenkit.core.arguments import flag, table
from tokenkit.core.redaction import redact
from tokenkit.core.spelling import spelled
from tokenkit.core.wording import first_of, of, pluralize
from tokenkit.frames import TEXT
from tokenkit.review import filters
from tokenkit.review.durations import duration
from tokenkit.review.expressions import truth
from tokenkit.review.owners import CREATOR_S_USER_NAME, with_aliases
from tokenkit.review.patterns import shortened
from tokenkit.review.texts import appended
from tokenkit.review.usage import of_tokens, sentences
from tokenkit.review.usage import summary as coverage_of

KIND = RunKind(name="revoke", doing="revoke {} for good", doing_without_tokens=ONLY_LEFT_OUT, deletes_tokens=True)
RECENTLY_DAYS = 7
USED_RECENTLY, OF_SERVICE_PRINCIPAL = f"used in the last {RECENTLY_DAYS} days", "a service principal's"
_SIGNS_IN, _YOURS, LAST_TOKEN = "this session signs in with it", "yours", "its owner keeps no active token"
_NAMED = 5
_WARNINGS = (
    _SIGNS_IN,
    _YOURS,
    USED_RECENTLY,
    OF_SERVICE_PRINCIPAL,
    LAST_TOKEN,
    "expired already",
    "last used before it was created: an error in the data",
)
"""The warnings of a preview, the most severe first."""
PREVIEW = frames.schema(
    token_id=str,
    owner=str,
    owner_kind=str,
    comment=str,
    status=str,
    last_used_day=frames.TIME,
    expiry_time=frames.TIME,
    warnings=str,
)
USED_BY = "used_by"
"""The column of a preview with what used each token, in a plan with evidence of use."""
NOT_FOUND = "not found"
"""The reason for leaving out a requested token that the workspace does not list."""
LEFT_OUT = frames.schema(token_id=str, owner=str, comment=str, reason=str)
"""The tokens that a plan leaves out. A reason fits one token and several, because a summary counts the tokens of each:
``Left out: 3 tokens (comment changed since the plan)``.
"""

Tokens = pd.DataFrame | pd.Series | Iterable[str] | str


_TOKEN_ID = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)


def token_ids_of(tokens: Tokens) -> list[str]:
    """Return the given token ids: from a frame's column ``token_id``, a column or list of ids, or one id.

    Surrounding blanks and upper case are accepted. A frame without rows and an empty list select no tokens.

    Raises:
        UsageError: The frame lacks that column, or a value is not a complete id, such as a part of one or an
            expression.
    """
    if isinstance(tokens, pd.DataFrame):
        if tokens.columns.tolist().count("token_id") != 1:
            raise errors.UsageError("A frame of tokens must have exactly one column token_id.")
        tokens = tokens["token_id"]
    several = isinstance(tokens, Iterable) and not isinstance(tokens, str | bytes | Mapping)
    given: list[Any] = list(tokens) if several else [tokens]
    for token_id in given:
        if not isinstance(token_id, str) or not _TOKEN_ID.fullmatch(token_id.strip()):
            raise errors.UsageError(
                f"{redact(shortened(str(token_id)))} is not a token id, which has 64 hexadecimal digits. Pass complete "
                "ids or a frame of tokens. To select by an expression, pass the result of tokens(…)."
            )
    return list(dict.fromkeys(token_id.strip().lower() for token_id in given))


class RevocationPlan(WorkspacePlan):
    """A frozen set of tokens to revoke. ``preview()`` shows them with their warnings; ``apply()`` revokes them.

    Attributes:
        token_ids: The tokens that will be revoked.
        left_out: The requested tokens that will not be revoked, with the reason: a frame of ``token_id, owner, comment,
            reason``.
        run_id: The run of the last ``apply()``, for ``tokenkit.resume``; None before.
    """

    KIND = KIND

    def __init__(
        self,
        context: PlanContext,
        planned: pd.DataFrame,
        left_out: pd.DataFrame,
        *,
        protect: Mapping[str, Sequence[str]],
        reason: str | None,
        resembling: Mapping[str, int],
        used: Mapping[str, Mapping[str, Any]],
        used_from: Mapping[str, Any],
        coverage: str,
    ) -> None:
        super().__init__(context, planned["token_id"].tolist(), reason=reason)
        self._protect = protect
        self._planned = planned
        self._used, self._used_from = used, used_from
        self._coverage = coverage
        self._resembling = resembling
        self._due: pd.Timestamp | None = None
        self.left_out = left_out

    def _title(self) -> str:
        rest = f", {len(self.left_out):,} left out" if len(self.left_out) else ""
        return f"{pluralize(len(self), 'token')} on {self._context.name} will be revoked for good{rest}"

    def summary(self) -> Summary:
        """Return what the plan will do, the number to confirm, and the warnings."""
        return Summary(
            doing=KIND.what_is_done(len(self)) if len(self) else "",
            count=len(self),
            warnings=self.warnings(),
            left_out=reasons_of(self.left_out),
            resembling=self._resembling,
            evidence=self._coverage,
            explained=explained(self.losing_last_token()),
        )

    def preview(self) -> pd.DataFrame:
        """Return a row for each token that will be revoked, with its warnings.

        Returns:
            ``token_id, owner, owner_kind, comment, status, last_used_day, expiry_time, warnings``; ``warnings`` is
            text, empty where there are none. A plan with evidence of use has ``used_by`` before the warnings.
        """
        *columns, last = PREVIEW.names
        evidence = [USED_BY] if USED_BY in self._planned else []
        return self._planned[[*columns, *evidence, last]].reset_index(drop=True)

    def warnings(self) -> dict[str, int]:
        """Return each warning of the preview, the most severe first, with its number of tokens."""
        return warnings_of(self._planned)

    def losing_last_token(self) -> list[str]:
        """Return the owners whose last active token will be revoked."""
        has_warning = self._planned["warnings"].str.split("; ").map(lambda warnings: LAST_TOKEN in warnings)
        owners = self._planned[has_warning.astype(bool)].drop_duplicates("owner_id")  # names are not unique
        return owners["owner"].fillna(owners["owner_id"].astype(TEXT)).tolist()

    def apply(
        self,
        *,
        workers: int = WORKERS,
        despite_drift: bool = False,
        progress: bool | Progress = True,
        stop: threading.Event | None = None,
    ) -> pd.DataFrame:
        """Revoke the tokens of the plan, and return the outcome of each. This cannot be undone.

        Args:
            workers: The maximum number of requests in flight. The rate adapts to the workspace's limit.
            despite_drift: Whether to revoke tokens that were used, or changed owner, since the plan was made.
            progress: Whether to show a progress bar if it takes more than two seconds, or a custom listener.
            stop: An event; once another thread sets it, no new request is sent.

        Returns:
            A row for each token of the plan: ``token_id, owner, outcome, error, attempts, started_at, finished_at``.
            The outcome is ``revoked``, ``already_gone`` (the workspace says that the token does not exist), ``skipped``
            (it drifted, or is now protected), ``failed``, ``unknown``, ``still_listed`` (it was recorded as revoked or
            already gone, and the final listing still has it), or ``pending`` if the run ended before its turn.
            ``attrs["ended_by"]`` exists if the run ended early: ``interrupt``, ``stop``, or the name of an error's
            class. After that nothing is sent, so the final listing is not read; ``resume`` reads it, even if no token
            remains.

        Raises:
            UsageError: The plan is staged; nothing was sent.
            ConfigurationError: The protected tokens cannot be read; nothing was sent.
            JournalError: The journal cannot be written; nothing was sent.
        """
        return self._apply(RunOptions(workers=workers, despite_drift=despite_drift, progress=progress, stop=stop))

    def _settings(self, options: RunOptions) -> dict[str, Any]:
        return RunSettings(
            workers=options.workers,
            despite_drift=options.despite_drift,
            protect=self._protect,
            usage=self._used,
            usage_from=self._used_from,
        ).as_dict()

    def _entries(self) -> list[Entry]:
        return _own_last(entries_of(self._planned), self._planned)

    def _execute(self, run: Run, entries: Sequence[Entry], journal: Journal, options: RunOptions) -> pd.DataFrame:
        return resume(self._context, run, entries, journal, options)

    def stage(self, *, grace: str | pd.Timedelta = "14d") -> StagedRevocation:
        """Record the plan as a run that can be resumed after a grace period, and return the notices to send.

        Args:
            grace: The time for owners to object, or to use a token again, which excludes it: ``14d``, ``2w``. A token
                that is protected by then is skipped as well. A plan with evidence of use reads the audit log again.
        """
        due, identities = self._context.now() + duration(grace), self._context.identities(())
        # Of a token on behalf of a service principal, the listing can name that service principal as the creator.
        named = with_aliases(self._planned, users=identities.users, service_principals=identities.service_principals)
        creator = named[CREATOR_S_USER_NAME].fillna(named["created_by_username"])
        with Journal(self._context.folder) as journal:
            run, _ = self._record(journal, self._settings(RunOptions()) | {DUE: due.isoformat()})
        self._due = due
        return StagedRevocation(run.run_id, due, self._planned.assign(created_by_username=creator))

    def _check(self) -> None:
        if self._due is not None:
            raise errors.UsageError(
                f"The plan is staged as run {self.run_id}, which is due on {self._due:%Y-%m-%d}. "
                "To revoke the tokens before, make a new plan."
            )


def warnings_of(preview: pd.DataFrame) -> dict[str, int]:
    """Return each warning of a preview, the most severe first, with its number of tokens."""
    counts = preview["warnings"].str.split("; ").explode().value_counts()
    return {warning: int(counts[warning]) for warning in _WARNINGS if warning in counts}


def explained(owners: Sequence[str], *, where: str = "") -> dict[str, str]:
    """Return the sentence about owners whose last token will be revoked, by the warning that it explains.

    Args:
        owners: The owners.
        where: Where they have no other active token, if the plan is for several workspaces.
    """
    if not owners:
        return {}
    keep = of(len(owners), "keeps", "keep")
    return {LAST_TOKEN: f"{pluralize(len(owners), 'owner')} {keep} no active token{where}: {first_of(owners, _NAMED)}."}


def left_out_of(entries: Iterable[Entry], reasons: Mapping[str, str]) -> pd.DataFrame:
    """Return the entries that have a reason to be left out of a plan, with the columns of ``LEFT_OUT``."""
    rows = [
        {"token_id": entry.token_id, "owner": entry.owner, "comment": entry.snapshot.get("comment")}
        | {"reason": reasons[entry.token_id]}
        for entry in entries
        if entry.token_id in reasons
    ]
    return frames.frame(rows, LEFT_OUT)


def reasons_of(left_out: pd.DataFrame) -> dict[str, int]:
    """Return each reason why tokens are left out of a plan, with its number of tokens."""
    return {str(reason): int(count) for reason, count in left_out["reason"].value_counts().items()}


class StagedRevocation:
    """A revocation that was announced.

    Attributes:
        run_id: The run for ``tokenkit.resume`` once it is due.
        due: The end of the grace period.
        notices: Whom to notify of which tokens: a frame for a mail merge, ``owner, owner_kind, created_by, tokens,
            comments, due``. ``created_by`` names the creators of the tokens, because a service principal does not read
            mail.
    """

    def __init__(self, run_id: str, due: pd.Timestamp, planned: pd.DataFrame) -> None:
        self.run_id = run_id
        self.due = due
        is_own = (planned["created_by_id"] == planned["owner_id"]).fillna(value=False).astype(bool)
        creator = planned["created_by_username"].fillna(planned["created_by_id"].astype(TEXT)).fillna("")
        by_owner = planned.assign(
            comment=planned["comment"].fillna(""), created_by=creator.mask(is_own, planned["owner"])
        ).groupby(["owner", "owner_kind", "owner_id"], as_index=False, dropna=False)  # names are not unique
        notices = by_owner.agg(
            created_by=("created_by", lambda names: "; ".join(names.unique())),
            tokens=("token_id", "size"),
            comments=("comment", "; ".join),
        )
        self.notices = notices.drop(columns="owner_id").assign(due=due)

    def __repr__(self) -> str:
        tokens = pluralize(int(self.notices["tokens"].sum()), "token")
        return f"<StagedRevocation of {tokens}, due {self.due:%Y-%m-%d}: tokenkit.resume({self.run_id!r})>"


def notice_text(notices: pd.DataFrame, where: str) -> str:
    """Return notices as a text to send, with a paragraph for each owner.

    Args:
        notices: The notices of a staged revocation.
        where: The name of the workspace.
    """
    reads_mail = (notices["owner_kind"] != "service_principal").fillna(value=True).to_numpy()
    owner = notices["owner"].fillna("unknown owner").astype(TEXT)
    whose = pd.Series("your", notices.index, dtype=TEXT).where(reads_mail, "the service principal " + owner + "'s")
    count = notices["tokens"].map(lambda number: pluralize(number, "Databricks token"))
    comments = notices["comments"].astype(TEXT).str.strip("; ")
    letters = (
        ("To " + owner.where(reads_mail, notices["created_by"].astype(TEXT)) + ": " + whose + " " + count)
        + (" on " + where + " will be revoked on " + notices["due"].dt.strftime("%Y-%m-%d"))
        + (": " + comments).where(comments != "", "")
        + ". If you need one, say so before that date. Tokens whose use is recorded in the meantime are skipped."
    )
    return str(letters.str.cat(sep="\n\n"))


def make(
    context: PlanContext,
    tokens: Tokens,
    *,
    include_own: bool,
    protect: Mapping[str, Sequence[str]] | None,
    reason: str | None,
    usage: pd.DataFrame | None = None,
) -> RevocationPlan:
    """Return the plan to revoke tokens; see ``Workspace.revoke``."""
    flag("include_own", include_own)
    requested = token_ids_of(tokens)
    protect = protection.check(table("protect", protect))
    listing = context.tokens()
    filters.require_unambiguous(tokens)
    caller_id, _ = context.caller()
    ids = pd.Series(requested, dtype=TEXT)
    is_listed = ids.isin(listing["token_id"])
    chosen = listing.set_index("token_id", drop=False).loc[ids[is_listed]].reset_index(drop=True)
    patterns = protection.read_protected(context.folder, protect)
    reasons = _reasons_to_leave_out(chosen, caller_id, include_own=include_own, patterns=patterns)
    planned = chosen[(reasons == "").to_numpy()]
    last_use = planned["last_used_day"]
    used: Mapping[str, Mapping[str, Any]] = {}
    used_from: Mapping[str, Any] = {}
    if usage is not None:
        evidence = of_tokens(planned["token_id"], usage)
        planned = planned.assign(**{USED_BY: sentences(evidence, now=context.now())})
        last_use = last_use.mask(
            ~(last_use >= evidence["last_login"]) & evidence["last_login"].notna(), evidence["last_login"]
        )
        used, used_from = kept(planned["token_id"], evidence), source_of(usage)
    planned = planned.assign(warnings=warnings_about(context, planned, listing, last_use=last_use))
    unknown = ids[~is_listed].to_frame("token_id")
    left_out = pd.concat(
        [
            chosen.assign(reason=reasons)[LEFT_OUT.names][(reasons != "").to_numpy()].astype(TEXT),
            unknown.assign(owner=None, comment=None, reason=NOT_FOUND).astype(TEXT),
        ],
        ignore_index=True,
    )
    planned = planned.reset_index(drop=True)
    return RevocationPlan(
        context,
        planned,
        left_out,
        protect=protect,
        reason=reason,
        resembling=protection.resembling(planned, listing, patterns),
        used=used,
        used_from=used_from,
        coverage="" if usage is None else coverage_of(usage),
    )


def _reasons_to_leave_out(
    chosen: pd.DataFrame, caller_id: int, *, include_own: bool, patterns: Mapping[str, Sequence[str]]
) -> pd.Series[str]:
    reasons = protection.protected(chosen, patterns)
    own = (chosen["owner_id"] == caller_id).fillna(value=False).astype(bool)
    excluded = own & (reasons == "") & (not include_own)
    return reasons.mask(excluded, f"yours; excluded without {spelled('include_own=True')}")


def warnings_about(
    context: PlanContext,
    planned: pd.DataFrame,
    listing: pd.DataFrame,
    *,
    last_use: pd.Series[pd.Timestamp] | None = None,
) -> pd.Series[str]:
    """Return the warnings about the revocation of each token, joined into one text.

    Args:
        context: The workspace.
        planned: The tokens, with the columns of the listing.
        listing: The whole listing.
        last_use: When each token was last used, if that is known better than by the listing.
    """
    now, signs_in_with, (caller_id, _) = context.now(), context.signs_in_with(), context.caller()
    last_use = planned["last_used_day"] if last_use is None else last_use
    active = listing[listing["status"] == "active"]
    remaining = active[~active["token_id"].isin(planned["token_id"])]
    about = (
        planned["token_id"].isin(list(signs_in_with)),
        planned["owner_id"] == caller_id,
        was_used_recently(last_use, now),
        planned["owner_kind"] == "service_principal",
        (planned["status"] == "active") & ~planned["owner_id"].isin(remaining["owner_id"]),
        planned["status"] == "expired",
        planned[["creation_time", "last_used_day"]].notna().all(axis=1) & planned["idle_days"].isna(),
    )
    words = pd.Series("", index=planned.index, dtype=TEXT)
    for text, mask in zip(_WARNINGS, about, strict=True):
        words = appended(words, text, where=truth(mask), separator="; ")
    return words


def was_used_recently(last_use: pd.Series[pd.Timestamp], now: pd.Timestamp) -> pd.Series[bool]:
    """Return which tokens were used in the last ``RECENTLY_DAYS`` days."""
    return last_use >= now.normalize() - pd.Timedelta(days=RECENTLY_DAYS)


def _own_last(entries: list[Entry], planned: pd.DataFrame) -> list[Entry]:
    """Move the caller's own tokens to the end, and the one that the session signs in with after them: without it, the
    run could not continue. That of an OAuth session or of another hash input is not known.
    """
    signs_in = planned["warnings"].str.startswith(_SIGNS_IN)
    rank = planned["warnings"].str.startswith(_YOURS).astype(int) + 2 * signs_in.astype(int)
    return [entries[at] for at in np.argsort(rank.to_numpy(dtype=int), kind="stable")]


def resume(
    context: PlanContext, run: Run, entries: Sequence[Entry], journal: Journal, options: RunOptions
) -> pd.DataFrame:
    """Execute what remains of a run that revokes.

    Raises:
        UsageError: The run was staged, and its grace period is not over, or its evidence of use cannot be read again.
    """
    check_due(run, context.now())
    remaining = [entry for entry in entries if entry.state not in states.SETTLED]
    signed_in = signed_in_since(context, run, remaining, options, is_due=due_of(run) is not None)
    task = Task(
        send=lambda entry: context.one_shot.delete(entry.token_id),
        look_up=lambda entry: context.one_shot.get(entry.token_id),
        done=states.REVOKED,
        gone_after_lost=(states.REVOKED, LOST_AND_GONE),
    )
    return execute(context, run, entries, task, journal, options=options, left_out=signed_in)


def due_of(run: Run) -> pd.Timestamp | None:
    """Return the end of a staged run's grace period; None for any other run.

    Raises:
        JournalError: The recorded time cannot be read.
    """
    due = run.settings.get(DUE)
    if not due:
        return None
    with contextlib.suppress(ValueError, TypeError):
        if (moment := pd.Timestamp(due)).tzinfo is not None:
            return moment
    raise errors.JournalError(f"The journal has no due time for run {run.run_id}. Plan again.")


def check_due(run: Run, now: pd.Timestamp) -> None:
    """Reject a staged run whose grace period is not over.

    Raises:
        UsageError: It is not over.
    """
    due = due_of(run)
    if due is not None and now < due:
        raise errors.UsageError(when_due(run.run_id, due, now))


def when_due(run_id: str, due: pd.Timestamp, now: pd.Timestamp) -> str:
    """Return the sentence about the end of a staged run's grace period."""
    says = "cannot be resumed before" if now < due else "has been due since"
    return f"Run {run_id} was staged and {says} {due.tz_convert('UTC'):%Y-%m-%d %H:%M} UTC."
