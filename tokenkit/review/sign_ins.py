"""Sign-ins with each token, from the audit log.

A sign-in is a successful event ``tokenLogin`` of the service ``accounts`` (source: recorded rows and Databricks' own
detections). Sign-ins with the internal tokens of notebooks and jobs are counted and then excluded.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit import frames
from tokenkit.frames import TEXT
from tokenkit.review.audit_log import (
    ACCOUNTS,
    ADDRESS,
    IDENTITY,
    TOKEN_LOGIN,
    USER_AGENT,
    Question,
    malformed,
    parsed,
    result_of,
)

MOST_NAMES: Final = 1000
"""The maximum number of addresses, user agents and identities per token; the most frequent ones are kept."""

_NAMES = (IDENTITY, ADDRESS, USER_AGENT)
_TOTALS = frames.schema(token_id=str, logins=int, first_login=frames.TIME, last_login=frames.TIME, days_used=int)
_COVERAGE = frames.schema(names=str, internal_logins=int, newest_event=frames.TIME, workspace_ids=str)
_NAME = (pa.field("kind", pa.string()), pa.field("name", pa.string()), pa.field("n", pa.int64()))

# One row per token, or one row without a token if there is none. Each row has the coverage of the log.
_SQL = f"""\
WITH events AS (
{{events}} AND service_name = '{ACCOUNTS}' AND action_name = '{TOKEN_LOGIN}' AND request_params['tokenId'] IS NOT NULL
),
logins AS (SELECT * FROM events WHERE NOT is_internal),
totals AS (
  SELECT token_id, count(*) AS logins, min(event_time) AS first_login, max(event_time) AS last_login,
    count(DISTINCT floor(unix_seconds(event_time) / 86400)) AS days_used
  FROM logins GROUP BY token_id
),
named AS (
  SELECT token_id, 'identity' AS kind, identity AS name FROM logins
  UNION ALL SELECT token_id, 'address', address FROM logins
  UNION ALL SELECT token_id, 'user_agent', user_agent FROM logins
),
counted AS (SELECT token_id, kind, name, count(*) AS n FROM named WHERE name <> '' GROUP BY token_id, kind, name),
ranked AS (SELECT *, row_number() OVER (PARTITION BY token_id, kind ORDER BY n DESC, name) AS position FROM counted),
names AS (
  SELECT token_id, to_json(collect_list(named_struct('kind', kind, 'name', name, 'n', n))) AS names
  FROM ranked WHERE position <= {MOST_NAMES} GROUP BY token_id
),
covered AS (
  SELECT count_if(is_internal) AS internal_logins, max(event_time) AS newest_event,
    to_json(collect_set(CAST(workspace_id AS STRING))) AS workspace_ids
  FROM events
)
SELECT totals.token_id, logins, first_login, last_login, days_used, names, internal_logins, newest_event, workspace_ids
FROM covered LEFT JOIN (totals LEFT JOIN names ON totals.token_id = names.token_id) ON true
ORDER BY totals.token_id"""  # noqa: S608 - constants


@dataclass(frozen=True)
class SignIns:
    """The sign-ins in the audit log, also those with tokens that are not in a listing.

    Attributes:
        totals: ``token_id, logins, first_login, last_login, days_used``, without internal sign-ins.
        names: ``token_id, kind, name, n``: how often each name occurs; at most ``MOST_NAMES`` per token and kind.
        internal_logins: The number of sign-ins with the internal tokens of notebooks and jobs.
        newest_event: The time of the last sign-in in the log; NaT for an empty log. The log is delayed by minutes to
            hours.
        workspace_ids: The ids of workspaces with sign-ins, without 0, which denotes the account.
    """

    totals: pd.DataFrame
    names: pd.DataFrame
    internal_logins: int
    newest_event: pd.Timestamp
    workspace_ids: tuple[str, ...]


def _of_events(events: pd.DataFrame) -> SignIns:
    is_login = (events["action"] == TOKEN_LOGIN) & (events["service"].fillna(ACCOUNTS) == ACCOUNTS)
    events = events[is_login & events["token_id"].notna()]
    logins = events[~events["is_internal"]]
    by_token = logins.assign(day=logins["time"].dt.floor("D")).groupby("token_id", as_index=False)
    totals = by_token.agg(
        logins=("time", "size"), first_login=("time", "min"), last_login=("time", "max"), days_used=("day", "nunique")
    )
    return SignIns(
        totals.astype({"token_id": TEXT, "logins": "Int64", "days_used": "Int64"}),
        _counted(logins.melt("token_id", [*_NAMES], var_name="kind", value_name="name").assign(n=1)),
        internal_logins=int(events["is_internal"].sum()),
        newest_event=events["time"].max(),
        workspace_ids=_workspaces(events["workspace_id"].dropna().unique().tolist()),
    )


def _of_result(result: pa.Table) -> SignIns:
    rows = result_of(result, pa.schema([*_TOTALS, *_COVERAGE]))
    with contextlib.suppress(IndexError, TypeError, ValueError, pa.ArrowException):  # their texts may quote a row
        first = rows.slice(0, 1).to_pylist()[0]
        rows = rows.filter(pc.is_valid(rows["token_id"]))
        lists = parsed(rows["names"], pa.list_(pa.struct(_NAME)))
        entries = lists.flatten()
        token_ids = rows["token_id"].combine_chunks().take(pc.list_parent_indices(lists))
        names = pa.table([token_ids, *entries.flatten()], ["token_id", *(field.name for field in _NAME)])
        return SignIns(
            frames.to_pandas(rows.select(_TOTALS.names)),
            _counted(frames.to_pandas(names)),
            internal_logins=first["internal_logins"] or 0,
            newest_event=pd.Timestamp(first["newest_event"]),
            workspace_ids=_workspaces(json.loads(first["workspace_ids"] or "[]")),
        )
    raise malformed()


SIGN_INS = Question(_SQL, _of_result, _of_events)
"""The sign-ins of each token, with addresses and programs."""


def _counted(named: pd.DataFrame) -> pd.DataFrame:
    """Return how often each name occurs, without empty names."""
    named = named[named["name"].fillna("") != ""].astype({"name": TEXT, "kind": TEXT, "token_id": TEXT})
    return most_frequent(named, MOST_NAMES)


def most_frequent(names: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return the most frequent names of each token and kind, in order. Counts of equal names are added.

    Args:
        names: ``token_id, kind, name, n``.
        most: The maximum number of names per token and kind.
    """
    names = names.groupby(["token_id", "kind", "name"], as_index=False).agg({"n": "sum"})
    names = names.sort_values(["token_id", "kind", "n", "name"], ascending=[True, True, False, True])
    return names[names.groupby(["token_id", "kind"]).cumcount() < most].reset_index(drop=True)


def _workspaces(ids: list[str]) -> tuple[str, ...]:
    return tuple(sorted(set(ids) - {"0"}))
