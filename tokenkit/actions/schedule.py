"""Scheduled revocations: the tokens that are staged for a later date, and the canceling of a schedule."""

from __future__ import annotations

import json

import pandas as pd

from tokenkit import errors
from tokenkit.actions import run_ids, states
from tokenkit.actions.journal import Journal, Step
from tokenkit.actions.options import DUE
from tokenkit.actions.plan import PlanContext
from tokenkit.actions.resumption import run_of
from tokenkit.actions.revocation import due_of
from tokenkit.frames import TEXT

_TIME = pd.DatetimeTZDtype("ms", "UTC")
_CANCELED = "the schedule was canceled"


def with_due(runs: pd.DataFrame) -> pd.DataFrame:
    """Return runs with ``due``, the time from which staged ones can be resumed."""
    due = runs["settings"].map(lambda text: json.loads(text).get(DUE), na_action="ignore")
    return runs.assign(due=pd.to_datetime(due, utc=True).astype(_TIME))


def unfinished(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of which something remains that waits for no date, the newest first.

    Returns:
        ``run_id, remaining``. The parts of a fleet's run are one.
    """
    left = runs[(runs["remaining"] > 0) & with_due(runs)["due"].isna()]
    counts = left.groupby(run_ids.whole_ids(left["run_id"]), sort=False)["remaining"].sum()
    return counts.iloc[::-1].reset_index()


def scheduled(context: PlanContext) -> pd.DataFrame:
    """Return the tokens of a workspace whose revocation is staged and not yet executed.

    Returns:
        ``token_id, run_id, due``, the oldest run first.
    """
    rows = []
    with Journal(context.folder) as journal:
        runs = journal.runs(host=context.host, workspace_id=context.workspace_id())
        for run_id, settings in runs.loc[runs["remaining"] > 0, ["run_id", "settings"]].itertuples(index=False):
            due = json.loads(settings).get(DUE)
            if due:
                pending = [entry.token_id for entry in journal.entries(run_id) if entry.state == states.PENDING]
                rows += [(token_id, run_id, due) for token_id in pending]
    found = pd.DataFrame(rows, columns=["token_id", "run_id", "due"]).astype(TEXT)
    return found.assign(due=pd.to_datetime(found["due"], utc=True, format="ISO8601"))


def cancel(context: PlanContext, run_id: str) -> int:
    """Cancel a staged revocation, and return the number of tokens that will not be revoked.

    The journal records them as skipped, with the reason, so ``resume`` does not touch them.

    Raises:
        UsageError: There is no such run, it was not staged, or it is running.
    """
    with Journal(context.folder) as journal:
        run = run_of(context, journal, run_id)
        if due_of(run) is None:
            raise errors.UsageError(f"Run {run_id} was not staged, so there is no schedule to cancel.")
        with journal.lock_run(run_id):
            at_ms = context.now_ms()
            steps = [
                Step(run_id=run_id, token_id=entry.token_id, state=states.SKIPPED, at_ms=at_ms, error=_CANCELED)
                for entry in journal.entries(run_id)
                if entry.state == states.PENDING
            ]
            journal.record_all(steps)
    return len(steps)
