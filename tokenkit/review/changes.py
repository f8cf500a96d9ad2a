"""Differences between two listings of one workspace, and the likely cause of each removed token.

A workspace does not report why a token is no longer listed. The likely cause is the first of these that applies:

1. ``revoked_by_tokenkit``: the journal records the revocation.
2. ``expired`` or ``unused_90_days``: that time had passed when the later listing was taken. If both apply, the earlier
   one counts.
3. ``revoked_externally``: revoked by its owner, another admin or another tool. Without a journal: ``revoked``.

A changed comment or changed scopes are ``updated_by_tokenkit`` if the last update in the journal wrote the new value.
Any other change has no cause: nothing says who made it.

Neither listing shows a use of a removed token between them. A token that was almost unused for 90 days may have been
used once more and then revoked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit import frames
from tokenkit.frames import TEXT
from tokenkit.review.lifecycle import IDLE_LIMIT_DAYS, effective_end
from tokenkit.review.texts import members, redacted, series

CREATED, REMOVED = "created", "removed"
OWNER_CHANGED, SCOPES_CHANGED = "owner_changed", "scopes_changed"
COMMENT_CHANGED, FIRST_USED = "comment_changed", "first_used"
BY_TOKENKIT, EXPIRED, EXTERNALLY, REVOKED = "revoked_by_tokenkit", "expired", "revoked_externally", "revoked"
UPDATED_BY_TOKENKIT = "updated_by_tokenkit"

CHANGES = frames.schema(
    token_id=str, change=str, cause=str, owner=str, comment=str, before=str, after=str, at=frames.TIME, run_id=str
)


def between(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    after_at: pd.Timestamp,
    revoked: pd.DataFrame | None = None,
    updated: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return a row for each change between two listings, created and removed tokens first.

    Args:
        before: The earlier listing, with the columns of ``frames.TOKENS``; Without ``owner``, the
            owner's id is used.
        after: The later listing.
        after_at: When the later listing was taken, with a time zone.
        revoked: The revocations in the journal: ``token_id, run_id, finished_at``. None if no journal was read.
        updated: The updates in the journal since the earlier listing, oldest first: the same columns, ``new_comment``
            and ``new_scopes``.

    Returns:
        ``token_id, change, cause, owner, comment, before, after, at, run_id``. ``change`` is ``created``, ``removed``,
        ``owner_changed``, ``scopes_changed``, ``comment_changed`` or ``first_used``. ``before`` and ``after`` have the
        old and the new value. Scopes are separated by blanks, in alphabetical order, and empty if the token has all the
        owner's permissions. ``at`` is the time of the change, NaT if it is only known to be between the listings.
        Removed tokens have a ``cause``, and so have updates by tokenkit. Comments are redacted, because those in a
        saved listing are.
    """
    old, new = _facts(before), _facts(after)
    position = old.index.get_indexer(new.index)
    created, removed = new[position < 0], old[new.index.get_indexer(old.index) < 0]
    was, now = old.iloc[position[position >= 0]], new[position >= 0]
    owners_known = was["owner_id"].notna() & now["owner_id"].notna()
    differs = {
        (OWNER_CHANGED, "owner"): owners_known & (was["owner_id"] != now["owner_id"]),
        (SCOPES_CHANGED, "scopes"): was["scopes"] != now["scopes"],
        (COMMENT_CHANGED, "comment"): was["comment"].fillna("") != now["comment"].fillna(""),
        (FIRST_USED, "last_used_day"): was["last_used_day"].isna() & now["last_used_day"].notna(),
    }
    chunks = [_rows(created, CREATED, at=created["creation_time"])]
    chunks += [_rows(removed, REMOVED, **_causes(removed, after_at, revoked))]
    for (change, name), mask in differs.items():
        columns = {"before": was.loc[mask, name], "after": now.loc[mask, name]}
        if change == FIRST_USED:
            at = columns["after"]
            columns = {"after": at.dt.strftime("%Y-%m-%d"), "at": at}
        elif name in _UPDATED and updated is not None:
            columns |= _causes_of_updates(columns["after"], name, updated)
        chunks.append(_rows(now[mask], change, **columns))
    changes = pd.concat(chunks, ignore_index=True)
    for name in ("comment", "before", "after"):
        changes[name] = redacted(changes[name])
    # A secret in a listing and its redaction in a snapshot are the same comment.
    is_same = changes["before"].fillna("") == changes["after"].fillna("")
    return changes[~(is_same & (changes["change"] == COMMENT_CHANGED))].reset_index(drop=True)


_TOKEN_FACTS = ("token_id", "comment", "creation_time", "expiry_time", "last_used_day")
COMPARED = (*_TOKEN_FACTS, "owner_id", "scopes")
"""The columns that a listing needs."""


def _facts(listing: pd.DataFrame) -> pd.DataFrame:
    """Return the compared columns of each token, indexed by its id."""
    owner_id = listing["owner_id"].astype(TEXT)
    facts = listing[[*_TOKEN_FACTS]].assign(
        owner_id=owner_id, owner=listing.get("owner", owner_id), scopes=_join_sorted(listing["scopes"])
    )
    return facts.drop_duplicates("token_id").set_index("token_id")


def _join_sorted(lists: pd.Series[Any]) -> pd.Series[str]:
    """Return each list as a sorted, blank-separated text, so that order does not matter. A missing list is empty."""
    rows, names = members(lists)
    in_order = pa.table({"row": rows, "name": names}).sort_by([("row", "ascending"), ("name", "ascending")])["name"]
    ends = np.cumsum(np.bincount(rows, minlength=len(lists)))
    joined = pc.binary_join(pa.ListArray.from_arrays([0, *ends], in_order.combine_chunks()), " ")
    return series(joined, lists.index)


def _causes(removed: pd.DataFrame, after_at: pd.Timestamp, revoked: pd.DataFrame | None) -> dict[str, pd.Series[Any]]:
    """Return why and when tokens were removed, as columns."""
    end = effective_end(removed)
    ended = end <= after_at.as_unit("ms")
    cause = pd.Series(REVOKED if revoked is None else EXTERNALLY, index=removed.index, dtype=TEXT)
    cause = cause.mask(ended, f"unused_{IDLE_LIMIT_DAYS}_days").mask(ended & (end == removed["expiry_time"]), EXPIRED)
    at = end.where(ended)
    if revoked is None:
        return {"cause": cause, "at": at}
    runs = revoked.drop_duplicates("token_id", keep="last").set_index("token_id").reindex(removed.index)
    by_tokenkit = runs["run_id"].notna()
    return {
        "cause": cause.mask(by_tokenkit, BY_TOKENKIT),
        "at": at.mask(by_tokenkit, runs["finished_at"]),
        "run_id": runs["run_id"],
    }


_UPDATED = ("comment", "scopes")
"""The facts that tokenkit can update."""


def _causes_of_updates(now: pd.Series[str], name: str, updated: pd.DataFrame) -> dict[str, pd.Series[Any]]:
    """Return for each new value the run that wrote it, as columns; the last update of the token counts."""
    wrote = updated[updated[f"new_{name}"].notna()].drop_duplicates("token_id", keep="last")
    values = _join_sorted(wrote["new_scopes"]) if name == "scopes" else wrote["new_comment"]
    runs = wrote.assign(value=values).set_index("token_id").reindex(now.index)
    is_written = redacted(runs["value"]).eq(redacted(now.fillna(""))).fillna(value=False)
    cause = pd.Series(UPDATED_BY_TOKENKIT, index=now.index, dtype=TEXT)
    return {
        "cause": cause.where(is_written),
        "at": runs["finished_at"].where(is_written),
        "run_id": runs["run_id"].where(is_written),
    }


def _rows(tokens: pd.DataFrame, change: str, **columns: Any) -> pd.DataFrame:  # noqa: ANN401 - columns
    """Return tokens as rows of one kind of change."""
    empty = frames.frame([], CHANGES)
    rows = (
        empty.set_index("token_id")
        .reindex(tokens.index)
        .assign(change=change, owner=tokens["owner"], comment=tokens["comment"], **columns)
    )
    return rows.reset_index()[CHANGES.names].astype(empty.dtypes.to_dict())
