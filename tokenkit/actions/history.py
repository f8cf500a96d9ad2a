"""The history in the journal, as frames: a row for each token of each run, or a row for each run."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from tokenkit import frames
from tokenkit.actions.states import DONE, FAILED, SENT, SETTLED, SKIPPED, STILL_LISTED, UNDER_WAY, UNKNOWN

FIELDS = ("comment", "scopes")
"""The fields of a token that an update can change."""


def quoted(states: Iterable[str]) -> str:
    """Return states as a SQL list."""
    return "(" + ", ".join(f"'{state}'" for state in sorted(states)) + ")"


@dataclass(frozen=True)
class View:
    """A query of the journal.

    Attributes:
        select: The SELECT clause, over runs ``r``.
        order: The GROUP BY and ORDER BY clauses.
        columns: The columns of the frame, including an empty one.
        complete: Returns a row of the frame for a row of the query.
    """

    select: str
    order: str
    columns: pa.Schema
    complete: Callable[[dict[str, Any]], dict[str, Any]] = dict

    def read(self, connection: sqlite3.Connection, **only: str | None) -> pd.DataFrame:
        """Return the rows of the runs whose columns have the given values. None matches any value."""
        where = {f"r.{name} = ?": value for name, value in only.items() if value is not None}
        clause = f"WHERE {' AND '.join(where)} " if where else ""
        cursor = connection.execute(f"{self.select} {clause}{self.order}", list(where.values()))
        names = [column[0] for column in cursor.description]
        return frames.frame([self.complete(dict(zip(names, row, strict=True))) for row in cursor], self.columns)


def _with_values(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a token with the fields that an update can change: as they were, and the requested values."""
    change = json.loads(row.pop("change") or "{}")
    before = json.loads(row["snapshot"])
    values = {field: before.get(field) for field in FIELDS}
    return row | values | {f"new_{field}": change.get(field) for field in FIELDS}


# A token is marked as sent before its request, and loses the attempt again if the run ended before its turn.
STARTED_MS = f"""(SELECT min(f.at_ms) FROM steps f WHERE f.run_id = e.run_id AND f.token_id = e.token_id
        AND f.state = '{SENT}' AND f.step_id > coalesce((SELECT max(z.step_id) FROM steps z
        WHERE z.run_id = e.run_id AND z.token_id = e.token_id AND z.attempts = 0), 0))"""  # noqa: S608 - constants
"""SQL: the time of the first request for the entry ``e``; NULL if none was sent."""
_UNDER_WAY, _SETTLED = quoted(UNDER_WAY), quoted(SETTLED)
_OF_A_RUN = dict.fromkeys(("run_id", "kind", "workspace", "host", "workspace_id", "caller", "reason"), str)
TOKENS = View(
    f"""
SELECT e.run_id, r.kind, r.workspace, r.host, r.workspace_id, r.caller, r.reason, e.token_id, e.owner,
s.state AS outcome, s.error, s.attempts,
       {STARTED_MS} AS started_at, CASE WHEN s.state IN {_UNDER_WAY} THEN NULL ELSE s.at_ms END AS finished_at,
       r.started_ms AS run_started_at, e.snapshot, e.change
FROM entries e JOIN runs r USING (run_id)
JOIN steps s ON s.step_id = (SELECT max(step_id) FROM steps l WHERE l.run_id = e.run_id AND l.token_id = e.token_id)
""",  # noqa: S608 - constants
    "ORDER BY r.started_ms, e.entry_id",
    frames.schema(
        **_OF_A_RUN,
        **dict.fromkeys(("token_id", "owner", "comment", "new_comment"), str),
        **dict.fromkeys(("scopes", "new_scopes"), frames.TEXTS),
        **dict.fromkeys(("outcome", "error"), str),
        attempts=int,
        **dict.fromkeys(("started_at", "finished_at", "run_started_at"), frames.TIME),
        snapshot=str,
    ),
    _with_values,
)
# `resume` processes what remains: every token that is not settled, or else the change or the creation itself.
RUNS = View(
    f"""
SELECT r.run_id, r.kind, r.workspace, r.host, r.workspace_id, r.caller, r.reason, r.started_ms AS started_at,
       c.state AS change,
       CASE WHEN min(s.state NOT IN {_UNDER_WAY}) OR (s.state IS NULL AND c.state NOT IN {_UNDER_WAY})
            THEN coalesce(max(s.at_ms), c.at_ms) END AS finished_at, count(s.state) AS tokens,
       count(*) FILTER (WHERE s.state IN {quoted(DONE)}) AS done,
       count(*) FILTER (WHERE s.state = '{SKIPPED}') AS skipped,
       count(*) FILTER (WHERE s.state = '{FAILED}') AS failed,
       count(*) FILTER (WHERE s.state = '{UNKNOWN}') AS unknown,
       count(*) FILTER (WHERE s.state = '{STILL_LISTED}') AS still_listed,
       max(count(*) FILTER (WHERE s.state NOT IN {_SETTLED}), coalesce(c.state NOT IN {_SETTLED}, 0)) AS remaining,
       r.settings
FROM runs r LEFT JOIN entries e USING (run_id)
LEFT JOIN steps s
       ON s.step_id = (SELECT max(step_id) FROM steps l WHERE l.run_id = e.run_id AND l.token_id = e.token_id)
LEFT JOIN steps c
       ON c.step_id = (SELECT max(step_id) FROM steps l WHERE l.run_id = r.run_id AND l.token_id = '')
""",  # noqa: S608 - our own words
    "GROUP BY r.run_id ORDER BY r.started_ms, r.rowid",
    frames.schema(
        **_OF_A_RUN,
        **dict.fromkeys(("started_at", "finished_at"), frames.TIME),
        change=str,
        **dict.fromkeys(("tokens", "done", "skipped", "failed", "unknown", "still_listed", "remaining"), int),
        settings=str,
    ),
)
