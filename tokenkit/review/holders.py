"""Who may use tokens and who holds them, side by side: the two are not the same people.

Somebody may hold tokens that work and not have the right (any more): leaving a group deletes nothing. Many have the
right and never made use of it.
"""

from __future__ import annotations

import pandas as pd

from tokenkit.frames import TEXT
from tokenkit.review import access
from tokenkit.review.access import CAN_MANAGE, Identities

_DTYPES = {
    "id": "Int64",
    "principal": TEXT,
    "kind": TEXT,
    "active": "boolean",
    "may_use": "bool",
    "permission_level": TEXT,
    "via": TEXT,
    "tokens": "int64",
    "last_used_day": None,
    "holds_without_right": "bool",
    "right_unused": "bool",
}


def holders(permissions: pd.DataFrame, identities: Identities, tokens: pd.DataFrame) -> pd.DataFrame:
    """Return everybody who may use tokens or holds one that works, a row each.

    Args:
        permissions: The access-control list: the columns of ``frames.PERMISSIONS``.
        identities: The workspace's principals.
        tokens: The listing with ``status`` and its owners.

    Returns:
        ``id``, ``principal``, ``kind`` (``user``, ``service principal``, or as ``owners`` has it ``deleted`` and
        ``unknown``), ``active``; ``may_use``, ``permission_level`` (the highest), ``via`` (every path, joined by "; ");
        ``tokens`` (how many that work), ``last_used_day`` (of any token that is listed); and two verdicts:
        ``holds_without_right``, and ``right_unused`` where no token that is listed was ever used. What is missing
        cannot be seen: tokens that were used and are gone.
    """
    found = access.paths(permissions, identities)
    managing = found.loc[found["permission_level"] == CAN_MANAGE, "id"]
    level = found.drop_duplicates("id").set_index("id")["permission_level"]
    entitled = access.merged(found)[["id", "via"]].assign(may_use=True)
    entitled = entitled.assign(
        permission_level=entitled["id"].map(level).astype(TEXT).mask(entitled["id"].isin(managing), CAN_MANAGE)
    )
    rows = entitled.merge(_holdings(tokens), on="id", how="outer").merge(
        identities.principals()[["id", "principal", "kind", "active"]], on="id", how="left"
    )
    may_use = rows["may_use"].notna()
    held = rows["tokens"].fillna(0).astype("int64")
    gone = rows["kind"].isna() & (rows["owner_kind"] == "deleted")
    rows = rows.assign(
        principal=rows["principal"].fillna(rows["owner"]),
        kind=rows["kind"].fillna(rows["owner_kind"]),
        active=rows["active"].astype("boolean").mask(gone, other=False),
        may_use=may_use,
        tokens=held,
        holds_without_right=~may_use & (held > 0),
        right_unused=may_use & rows["last_used_day"].isna(),
    )[may_use | (held > 0)]
    typed = rows[list(_DTYPES)].astype({name: dtype for name, dtype in _DTYPES.items() if dtype is not None})
    return typed.sort_values(["kind", "principal", "id"], ignore_index=True)


def _holdings(tokens: pd.DataFrame) -> pd.DataFrame:
    """Return how many tokens of each owner work, and when any was last used; owners without an id are one."""
    owned = pd.DataFrame(
        {
            "id": tokens["owner_id"],
            "owner": tokens["owner"],
            "owner_kind": tokens["owner_kind"],
            "works": (tokens["status"] == "active").astype("int64"),
            "last_used_day": tokens["last_used_day"],
        }
    )
    return owned.groupby("id", as_index=False, dropna=False, sort=False).agg(
        owner=("owner", "first"),
        owner_kind=("owner_kind", "first"),
        tokens=("works", "sum"),
        last_used_day=("last_used_day", "max"),
    )
