"""The result of a run, with a row for each token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from tokenkit import frames
from tokenkit.actions import states
from tokenkit.actions.task import Outcome
from tokenkit.core.wording import pluralize
from tokenkit.review.values import words

if TYPE_CHECKING:
    from tokenkit.actions.journal import Entry

RESULT = frames.schema(
    token_id=str, owner=str, outcome=str, error=str, attempts=int, started_at=frames.TIME, finished_at=frames.TIME
)
ENDED_BY = "ended_by"
"""The key in ``DataFrame.attrs`` for the cause of an early end: ``interrupt``, ``stop`` or the name of an error class.
"""
RUN = "run"
"""The key in ``DataFrame.attrs`` for the id of the run of a result that a command shows."""

NOTHING_CHANGED = "nothing_changed"
"""The key in ``DataFrame.attrs`` for that a command changed none of the tokens, or of the run, that its arguments name.
"""


def result_of(entries: Sequence[Entry], unwritten: Mapping[str, Outcome] | None = None) -> pd.DataFrame:
    """Return a row for each entry with the columns of ``RESULT``.

    Args:
        entries: The entries of a run, each with its last state.
        unwritten: The outcomes that could not be written to the journal, by token id.
    """
    known = unwritten or {}
    outcomes = [known.get(entry.token_id) or _journalled_outcome(entry) for entry in entries]
    rows = [
        (entry.token_id, entry.owner, end.outcome, end.error, end.attempts, end.started_at_ms, end.finished_at_ms)
        for entry, end in zip(entries, outcomes, strict=True)
    ]
    return frames.frame([dict(zip(RESULT.names, row, strict=True)) for row in rows], RESULT)


def _journalled_outcome(entry: Entry) -> Outcome:
    """Return the outcome in the journal. An entry that is ``sent`` is ``unknown``, because its response can no longer
    arrive.
    """
    return Outcome(
        token_id=entry.token_id,
        outcome=states.UNKNOWN if entry.state == states.SENT else entry.state,
        error=entry.error,
        attempts=entry.attempts,
        started_at_ms=entry.started_at_ms,
        finished_at_ms=None if entry.state == states.PENDING else entry.at_ms,
    )


def counts(result: pd.DataFrame) -> str:
    """Return the number of tokens of each outcome as a text (``3 tokens revoked, 1 failed``), and of those that no
    final listing confirmed; empty without tokens.
    """
    outcomes = [
        f"{f'{count:,}' if position else pluralize(count, 'token')} {words(str(outcome))}"
        for position, (outcome, count) in enumerate(result["outcome"].value_counts().items())
    ]
    count = unconfirmed(result)
    return ", ".join(outcomes) + (f" ({count:,} {states.NOT_CONFIRMED})" if count else "")


def totals(result: pd.DataFrame, run_id: str) -> str:
    """Return the counts of a resumed run, and that they are of all its tokens, as in the journal; empty without any."""
    found = counts(result)
    return f"{all_of(run_id)}: {found}" if found else ""


def all_of(run_id: str) -> str:
    """Return what the counts of a resumed run are of: all its tokens, also those that were processed before."""
    return "this part of the run" if "." in run_id else "the whole run"


def unconfirmed(result: pd.DataFrame) -> int:
    """Return the number of tokens of a result whose outcome no final listing confirmed."""
    return int(result["error"].astype(frames.TEXT).str.startswith(states.NOT_CONFIRMED, na=False).sum())


NOT_COMPARED = "not_compared"
"""The key in ``DataFrame.attrs`` of why it is unknown whether a change of permissions cost more than was planned."""


def is_confirmed(result: pd.DataFrame) -> bool:
    """Return whether a listing after the change confirmed all outcomes. If not, ``resume`` reads it again."""
    return not unconfirmed(result) and NOT_COMPARED not in result.attrs


def remaining(result: pd.DataFrame) -> int:
    """Return the number of tokens of a result that remain, and that ``resume`` would process."""
    return int((~result["outcome"].isin(list(states.SETTLED))).sum())
