"""What differs between two listings of one workspace, and why a token is gone.

A workspace does not say why it no longer lists a token. The likely cause is the first of these that holds:

1. **revoked by us**: the journal has it;
2. **expired**, or **unused for 90 days**: that day had come when the later listing was taken; of both, whichever came
   first;
3. **revoked elsewhere**: by its owner, another admin or another tool. (Just **revoked**, where no journal was asked.)

A use between the two listings of a token that is gone is seen by neither, so a token that was nearly unused for 90 days
may have been used once more and then revoked.
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

CREATED, VANISHED = "created", "vanished"
RE_OWNED, RE_SCOPED, COMMENT_CHANGED, FIRST_USED = "re-owned", "re-scoped", "comment changed", "first used"
BY_US, EXPIRED, ELSEWHERE, REVOKED = "revoked by us", "expired", "revoked elsewhere", "revoked"

CHANGES = pa.schema(
    [
        ("token_id", pa.string()),
        ("change", pa.string()),
        ("cause", pa.string()),
        ("owner", pa.string()),
        ("comment", pa.string()),
        ("before", pa.string()),
        ("after", pa.string()),
        ("at", frames.TIME),
        ("run_id", pa.string()),
    ]
)


def between(
    before: pd.DataFrame,
    after: pd.DataFrame,
    *,
    after_at: pd.Timestamp,
    revoked: pd.DataFrame | None = None,
    idle_limit_days: int = IDLE_LIMIT_DAYS,
) -> pd.DataFrame:
    """Return a row for each change between two listings, created and vanished tokens first.

    Args:
        before: The earlier listing, with the columns of ``frames.TOKENS``; ``owner`` is used where it is there, and the
            owner's id otherwise.
        after: The later one.
        after_at: When it was taken, with a zone.
        revoked: What was revoked from here: ``token_id, run_id, finished_at``; None where nobody looked.
        idle_limit_days: Days without use after which the platform revokes.

    Returns:
        ``token_id, change, cause, owner, comment, before, after, at, run_id``. ``change`` is ``created``, ``vanished``,
        ``re-owned``, ``re-scoped``, ``comment changed`` or ``first used``; ``before`` and ``after`` say what of. Scopes
        are words in alphabetical order, empty where a token may do all that its owner may. ``at`` is when it happened,
        NaT where it is only known to lie between the listings. ``cause`` is said of vanished tokens. Comments are
        redacted: a listing that was saved has them so, and the other has to compare with it.
    """
    old, new = _facts(before), _facts(after)
    position = old.index.get_indexer(new.index)
    made, gone = new[position < 0], old[new.index.get_indexer(old.index) < 0]
    was, now = old.iloc[position[position >= 0]], new[position >= 0]
    owners_known = was["owner_id"].notna() & now["owner_id"].notna()
    differs = {
        (RE_OWNED, "owner"): owners_known & (was["owner_id"] != now["owner_id"]),
        (RE_SCOPED, "scopes"): was["scopes"] != now["scopes"],
        (COMMENT_CHANGED, "comment"): was["comment"].fillna("") != now["comment"].fillna(""),
        (FIRST_USED, "last_used_day"): was["last_used_day"].isna() & now["last_used_day"].notna(),
    }
    pieces = [_rows(made, CREATED, at=made["creation_time"])]
    pieces += [_rows(gone, VANISHED, **_causes(gone, after_at, revoked, idle_limit_days))]
    for (change, name), mask in differs.items():
        columns = {"before": was.loc[mask, name], "after": now.loc[mask, name]}
        if change == FIRST_USED:
            at = columns["after"]
            columns = {"after": at.dt.strftime("%Y-%m-%d"), "at": at}
        pieces.append(_rows(now[mask], change, **columns))
    changes = pd.concat(pieces, ignore_index=True)
    for name in ("comment", "before", "after"):
        changes[name] = redacted(changes[name])
    # A secret in a listing and its redaction in a snapshot are one comment.
    unseen = (changes["change"] == COMMENT_CHANGED) & (changes["before"].fillna("") == changes["after"].fillna(""))
    return changes[~unseen].reset_index(drop=True)


def _facts(listing: pd.DataFrame) -> pd.DataFrame:
    """Return what is compared of each token, by its id."""
    owner_id = listing["owner_id"].astype(TEXT)
    facts = listing[["token_id", "comment", "creation_time", "expiry_time", "last_used_day"]].assign(
        owner_id=owner_id,
        owner=listing.get("owner", owner_id),
        scopes=_words(listing["scopes"]),
    )
    return facts.drop_duplicates("token_id").set_index("token_id")


def _words(lists: pd.Series[Any]) -> pd.Series[str]:
    """Return each list as a text of its words in order, so that another order is no other list; absent is empty."""
    rows, words = members(lists)
    in_order = pa.table({"row": rows, "word": words}).sort_by([("row", "ascending"), ("word", "ascending")])["word"]
    ends = np.cumsum(np.bincount(rows, minlength=len(lists)))
    joined = pc.binary_join(pa.ListArray.from_arrays([0, *ends], in_order.combine_chunks()), " ")
    return series(joined, lists.index)


def _causes(
    gone: pd.DataFrame, after_at: pd.Timestamp, revoked: pd.DataFrame | None, idle_limit_days: int
) -> dict[str, pd.Series[Any]]:
    """Return why tokens are gone and since when, as columns."""
    end = effective_end(gone, idle_limit_days=idle_limit_days)
    ended = end <= after_at.as_unit("ms")
    cause = pd.Series(REVOKED if revoked is None else ELSEWHERE, index=gone.index, dtype=TEXT)
    cause = cause.mask(ended, f"unused for {idle_limit_days} days").mask(ended & (end == gone["expiry_time"]), EXPIRED)
    at = end.where(ended)
    if revoked is None:
        return {"cause": cause, "at": at}
    ours = revoked.drop_duplicates("token_id", keep="last").set_index("token_id").reindex(gone.index)
    by_us = ours["run_id"].notna()
    return {"cause": cause.mask(by_us, BY_US), "at": at.mask(by_us, ours["finished_at"]), "run_id": ours["run_id"]}


def _rows(tokens: pd.DataFrame, change: str, **columns: Any) -> pd.DataFrame:  # noqa: ANN401 - columns
    """Return tokens as rows of one kind of change."""
    none = frames.frame([], CHANGES)
    rows = (
        none.set_index("token_id")
        .reindex(tokens.index)
        .assign(change=change, owner=tokens["owner"], comment=tokens["comment"], **columns)
    )
    return rows.reset_index()[CHANGES.names].astype(none.dtypes.to_dict())
