"""Evidence of use in runs: a staged run that was planned with evidence reads the audit log again before it sends
anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tokenkit import errors, frames
from tokenkit.actions.journal import Entry, Run
from tokenkit.actions.options import RunOptions, RunSettings
from tokenkit.actions.plan import PlanContext, json_values
from tokenkit.core.spelling import spelled
from tokenkit.review.texts import concat_columns, join_lists
from tokenkit.review.usage import READ_FROM, SINCE, of_tokens, period_and_warehouse

_LATE_DAYS = 2
"""The log is delayed by hours. Without any sign-in for longer, it does not show what was used since the plan."""


def kept(token_ids: pd.Series[str], evidence: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the evidence to store in the journal, by token id: sign-ins, programs and the last sign-in."""
    found = evidence[evidence["logins"].notna()]
    columns = {
        "logins": json_values(found["logins"]),
        "last_login": json_values(found["last_login"]),
        "clients": found["clients"].tolist(),
    }
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return dict(zip(token_ids[found.index], rows, strict=True))


def source_of(usage: pd.DataFrame) -> dict[str, Any]:
    """Return the source of evidence, for the settings of a run. A frame without a source counts as given rows."""
    source = usage.attrs.get(READ_FROM)
    return dict(source) if isinstance(source, Mapping) else {"rows": True}


def signed_in_since(
    context: PlanContext, run: Run, entries: Sequence[Entry], options: RunOptions, *, is_due: bool
) -> dict[str, str]:
    """Return the tokens that signed in since the plan, each with the reason to skip it.

    The log is read if evidence is passed, or if the run was staged, is due, and was planned with evidence.

    Args:
        context: The workspace.
        run: The run.
        entries: The entries that remain.
        options: The given evidence, or the choice to ignore evidence.
        is_due: Whether the run was staged and its grace period is over.

    Raises:
        UsageError: The evidence cannot be read again or does not cover the time since the plan, or the given frame is
            not a result of ``usage``.
    """
    settings = RunSettings.of(run)
    needs_evidence = options.usage is not None or (is_due and bool(settings.usage_from))
    if not entries or not needs_evidence or options.ignore_usage or settings.despite_drift:
        return {}
    token_ids = pd.Series([entry.token_id for entry in entries], dtype=frames.TEXT)
    known = _last_logins(run, settings, token_ids)
    usage = _read_again(context, run, settings.usage_from) if options.usage is None else options.usage
    if gap := _gap(usage, run, now=context.now()):
        next_step = _how_to_proceed(settings.usage_from, now=context.now())
        raise errors.UsageError(f"The evidence of use for run {run.run_id} is incomplete: {gap}. {next_step}")
    evidence = of_tokens(token_ids, usage)
    found = evidence[evidence["last_login"] > known]
    days = found["last_login"].dt.strftime("%Y-%m-%d").astype(frames.TEXT)
    reasons = concat_columns("signed in since the plan, on ", days, " by ", join_lists(found["clients"]))
    return dict(zip(token_ids[found.index], reasons, strict=True))


def _last_logins(run: Run, settings: RunSettings, token_ids: pd.Series[str]) -> pd.Series[pd.Timestamp]:
    """Return the last sign-in of each token that the plan knew; if there is none, the first day that it read.

    The log is delayed, so a sign-in before the plan can also be new.
    """
    try:
        since = pd.to_datetime(settings.usage_from.get(SINCE) or run.started_at, utc=True)
        last = {token_id: row["last_login"] for token_id, row in settings.usage.items()}
        return pd.to_datetime(token_ids.map(last), unit="ms", utc=True).fillna(since)
    except (AttributeError, KeyError, TypeError, ValueError):
        problem = errors.JournalError(f"The journal does not have the evidence of run {run.run_id}. Plan again.")
    raise problem


def _gap(usage: pd.DataFrame, run: Run, *, now: pd.Timestamp) -> str:
    """Return what evidence lacks of the time since the plan; empty if nothing."""
    source = source_of(usage)
    if SINCE in source and not pd.to_datetime(source[SINCE], utc=True, errors="coerce") <= run.started_at:
        return f"it begins on {source[SINCE]}, after the plan"
    # A log without a recent sign-in of any token is late, or is of an earlier query or another region.
    if not usage["last_login"].max() >= now - pd.Timedelta(days=_LATE_DAYS):
        return f"it has no sign-in of the last {_LATE_DAYS} days with any token"
    return ""


def _read_again(context: PlanContext, run: Run, source: Mapping[str, Any]) -> pd.DataFrame:
    failure: errors.TokenKitError
    if SINCE not in source:
        failure = errors.UsageError("it was read from rows that were passed")
    else:
        try:
            return context.usage(source)
        except errors.TokenKitError as caught:
            failure = caught
    message = (
        f"Run {run.run_id} was planned with evidence of use, which cannot be read again: {str(failure).rstrip('.')}. "
        f"{_how_to_proceed(source, failure, now=context.now())}"
    )
    if isinstance(failure, errors.WarehouseStoppedError):  # which a command can start
        raise errors.WarehouseStoppedError(message, failure.warehouse_id, failure.days)
    raise errors.UsageError(message)


def _how_to_proceed(
    source: Mapping[str, Any], failure: errors.TokenKitError | None = None, *, now: pd.Timestamp
) -> str:
    """Return the next step, which reads the period of the plan from its warehouse if the plan read the log."""
    ignored = f"or resume without evidence with {spelled('ignore_usage=True')}."
    if SINCE not in source:
        return f"Nothing was sent. {spelled('Pass newer evidence with usage=ws.usage(…)')}, {ignored}"
    days, warehouse_id = period_and_warehouse(source, now=now)
    if isinstance(failure, errors.WarehouseStoppedError):
        newer = spelled(
            "Pass newer evidence with usage=ws.usage(days={days}, warehouse_id={warehouse_id!r}, start_warehouse=True)",
            days=str(failure.days),
            warehouse_id=failure.warehouse_id,
        )
    elif warehouse_id:
        newer = spelled(
            "Pass newer evidence with usage=ws.usage(days={days}, warehouse_id={warehouse_id!r})",
            days=str(days),
            warehouse_id=warehouse_id,
        )
    else:
        newer = spelled("Pass newer evidence with usage=ws.usage(days={days})", days=str(days))
    return f"Nothing was sent. {newer}, {ignored}"
