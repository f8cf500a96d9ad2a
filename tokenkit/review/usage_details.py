"""What probably happened after the sign-ins with one token.

The log names a token only in its sign-ins. Later events are attributed to it by identity, address and time. This is a
guess: another program with the same identity and address looks the same.
"""

from __future__ import annotations

from typing import Final

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.frames import TEXT
from tokenkit.review.audit_log import ADDRESS, IDENTITY, TOKEN_LOGIN, Question, result_of

SESSION_MINUTES: Final = 60
"""The number of minutes after a sign-in during which an event is attributed to it."""

MOST_ROWS: Final = 1000
_HEX_DIGITS = frozenset("0123456789abcdef")
DETAILS = frames.schema(service=str, action=str, object=str, events=int, first_time=frames.TIME, last_time=frames.TIME)
_BY = ["service", "action", "object"]
_SQL = f"""\
WITH events AS (
{{events}}
),
logins AS (
  SELECT identity, address, event_time FROM events
  WHERE action = '{TOKEN_LOGIN}' AND token_id = '<token_id>' AND NOT is_internal
),
following AS (
  SELECT * FROM events WHERE action <> '{TOKEN_LOGIN}' AND EXISTS (
    SELECT 1 FROM logins
    WHERE logins.identity = events.identity AND logins.address = events.address
      AND events.event_time BETWEEN logins.event_time AND logins.event_time + INTERVAL {SESSION_MINUTES} MINUTES
  )
)
SELECT service, action, object, count(*) AS events, min(event_time) AS first_time, max(event_time) AS last_time
FROM following GROUP BY service, action, object
ORDER BY events DESC, service, action, object LIMIT {MOST_ROWS}"""  # noqa: S608 - constants


def details(token_id: str) -> Question[pd.DataFrame]:
    """Return the query for the events after the sign-ins with a token.

    Args:
        token_id: The token's id.

    Raises:
        UsageError: The argument is not the id of a token.
    """
    wanted = token_id.strip().lower() if isinstance(token_id, str) else ""
    if len(wanted) != 64 or set(wanted) - _HEX_DIGITS:
        raise errors.UsageError("usage_details requires the id of one token, which has 64 hexadecimal digits.")

    def of_events(events: pd.DataFrame) -> pd.DataFrame:
        events = events.astype({IDENTITY: object, ADDRESS: object})  # pandas cannot join on empty Arrow columns
        is_login = events["action"] == TOKEN_LOGIN
        where = events[[IDENTITY, ADDRESS]].notna().all(axis=1)
        mine = is_login & (events["token_id"] == wanted) & ~events["is_internal"] & where
        logins = events.loc[mine, [IDENTITY, ADDRESS, "time"]].sort_values("time").assign(is_after=True)
        others = events[~is_login & where].sort_values("time")
        window = pd.Timedelta(minutes=SESSION_MINUTES)
        near = pd.merge_asof(others, logins, on="time", by=[IDENTITY, ADDRESS], tolerance=window)
        found = near[near["is_after"].notna()].groupby(_BY, as_index=False, dropna=False)
        counted = found.agg(events=("time", "size"), first_time=("time", "min"), last_time=("time", "max"))
        return _in_order(counted.astype(dict.fromkeys(_BY, TEXT) | {"events": "Int64"}))

    def of_result(result: pa.Table) -> pd.DataFrame:
        return _in_order(frames.to_pandas(result_of(result, DETAILS)))

    return Question(_SQL.replace("<token_id>", wanted), of_result, of_events)


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the most frequent rows, in order."""
    ordered = rows.sort_values(["events", *_BY], ascending=[False, True, True, True], na_position="first")
    return ordered.head(MOST_ROWS).reset_index(drop=True)
