"""What the journal says was done, as frames: a row for each token of each run, or a row for each run."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from tokenkit import frames


@dataclass(frozen=True)
class View:
    """One way to read the journal.

    Attributes:
        select: What is read, of runs ``r``.
        order: How it is grouped and ordered.
        columns: The frame's; also when it is empty.
    """

    select: str
    order: str
    columns: pa.Schema

    def read(self, connection: sqlite3.Connection, **only: str | None) -> pd.DataFrame:
        """Return what there is of the runs whose columns are as given; None stands for any."""
        where = {f"r.{name} = ?": value for name, value in only.items() if value is not None}
        clause = f"WHERE {' AND '.join(where)} " if where else ""
        cursor = connection.execute(f"{self.select} {clause}{self.order}", list(where.values()))
        names = [each[0] for each in cursor.description]
        return frames.frame([dict(zip(names, row, strict=True)) for row in cursor], self.columns)


_OF_A_RUN = [
    (name, pa.string()) for name in ("run_id", "kind", "workspace", "host", "workspace_id", "caller", "reason")
]
TOKENS = View(
    """
SELECT e.run_id, r.kind, r.workspace, r.host, r.workspace_id, r.caller, r.reason, e.token_id, e.owner,
s.state AS outcome, s.error, s.attempts,
       (SELECT min(at_ms) FROM steps f WHERE f.run_id = e.run_id AND f.token_id = e.token_id AND f.state = 'sent') AS
       started_at, CASE WHEN s.state IN ('planned', 'sent') THEN NULL ELSE s.at_ms END AS finished_at,
       r.started_ms AS run_started_at, e.snapshot
FROM entries e JOIN runs r USING (run_id)
JOIN steps s ON s.step_id = (SELECT max(step_id) FROM steps l WHERE l.run_id = e.run_id AND l.token_id = e.token_id)
""",
    "ORDER BY e.entry_id",
    pa.schema(
        [
            *_OF_A_RUN,
            ("token_id", pa.string()),
            ("owner", pa.string()),
            ("outcome", pa.string()),
            ("error", pa.string()),
            ("attempts", pa.int64()),
            ("started_at", frames.TIME),
            ("finished_at", frames.TIME),
            ("run_started_at", frames.TIME),
            ("snapshot", pa.string()),
        ]
    ),
)
# What is left is what `resume` touches: every token that is not settled; where no token ends, the change itself.
RUNS = View(
    """
SELECT r.run_id, r.kind, r.workspace, r.host, r.workspace_id, r.caller, r.reason, r.started_ms AS started_at,
       c.state AS change,
       CASE WHEN min(s.state NOT IN ('planned', 'sent')) OR (s.state IS NULL AND c.state NOT IN ('planned', 'sent'))
            THEN coalesce(max(s.at_ms), c.at_ms) END AS finished_at, count(s.state) AS tokens,
       count(*) FILTER (WHERE s.state IN ('created', 'revoked', 'updated', 'already gone')) AS done,
       count(*) FILTER (WHERE s.state = 'skipped') AS skipped,
       count(*) FILTER (WHERE s.state = 'failed') AS failed,
       count(*) FILTER (WHERE s.state = 'unknown') AS unknown,
       count(*) FILTER (WHERE s.state = 'still_listed') AS still_listed,
       max(count(*) FILTER (WHERE s.state NOT IN ('created', 'revoked', 'updated', 'already gone', 'skipped')),
           coalesce(c.state <> 'updated', 0)) AS "left", r.settings
FROM runs r LEFT JOIN entries e USING (run_id)
LEFT JOIN steps s
       ON s.step_id = (SELECT max(step_id) FROM steps l WHERE l.run_id = e.run_id AND l.token_id = e.token_id)
LEFT JOIN steps c
       ON c.step_id = (SELECT max(step_id) FROM steps l WHERE l.run_id = r.run_id AND l.token_id = '')
""",
    "GROUP BY r.run_id ORDER BY r.rowid",
    pa.schema(
        [
            *_OF_A_RUN,
            ("started_at", frames.TIME),
            ("finished_at", frames.TIME),
            ("change", pa.string()),
            ("tokens", pa.int64()),
            ("done", pa.int64()),
            ("skipped", pa.int64()),
            ("failed", pa.int64()),
            ("unknown", pa.int64()),
            ("still_listed", pa.int64()),
            ("left", pa.int64()),
            ("settings", pa.string()),
        ]
    ),
)
