"""Principals that can use tokens compared with principals that own tokens.

A principal can own active tokens without permission: leaving a group deletes no tokens. Many principals have permission
and never use it.
"""

from __future__ import annotations

import pandas as pd

from tokenkit.frames import TEXT
from tokenkit.review import access
from tokenkit.review.access import Identities
from tokenkit.review.usage import OF_A_TOKEN, with_evidence
from tokenkit.review.values import CAN_MANAGE

_DTYPES = {
    "id": "Int64",
    "principal": TEXT,
    "kind": TEXT,
    "active": "boolean",
    "can_use": "boolean",
    "permission_level": TEXT,
    "via": TEXT,
    "tokens": "int64",
    "last_used_day": None,
    "tokens_without_permission": "boolean",
    "permission_unused": "boolean",
}


def holders(
    permissions: pd.DataFrame, identities: Identities, tokens: pd.DataFrame, usage: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return a row for each principal that can use tokens or owns an active token.

    Args:
        permissions: The access-control list: the columns of ``frames.PERMISSIONS``.
        identities: The workspace's principals.
        tokens: The listing with ``status`` and owner columns.
        usage: The result of ``Workspace.usage``.

    Returns:
        ``id``, ``principal``, ``kind`` (``user``, ``service_principal``, ``deleted`` or ``unknown``, as in ``owners``),
        ``active``; ``can_use``, ``permission_level`` (the highest), ``via`` (every path, joined by "; "); ``tokens``
        (the number of active tokens), ``last_used_day`` (of any listed token); ``tokens_without_permission``, and
        ``permission_unused``, which is true if no listed token was ever used. Removed tokens are not taken into
        account. If the members of a group with permission are not known, these three are ``<NA>`` for principals
        without a known path to the permission. With ``usage`` also ``logins`` (sign-ins with any listed token),
        ``last_login`` and ``clients`` (a list of programs), missing without a sign-in in the log, and a sign-in counts
        as a use.
    """
    if usage is not None:
        tokens = with_evidence(tokens, usage)
    found = access.paths(permissions, identities)
    managing = found.loc[found["permission_level"] == CAN_MANAGE, "id"]
    level = found.drop_duplicates("id").set_index("id")["permission_level"]
    entitled = access.merged(found)[["id", "via"]].assign(can_use=True)
    entitled = entitled.assign(
        permission_level=entitled["id"].map(level).astype(TEXT).mask(entitled["id"].isin(managing), CAN_MANAGE)
    )
    rows = entitled.merge(_holdings(tokens), on="id", how="outer").merge(
        identities.principals()[["id", "principal", "kind", "active"]], on="id", how="left"
    )
    can_use = rows["can_use"].notna().astype("boolean")
    is_principal = rows["kind"].notna()
    if access.groups_not_known(permissions, identities):
        can_use = can_use.mask(~can_use & is_principal)
    token_count = rows["tokens"].fillna(0).astype("int64")
    is_deleted = rows["kind"].isna() & (rows["owner_kind"] == "deleted")
    rows = rows.assign(
        principal=rows["principal"].fillna(rows["owner"]),
        kind=rows["kind"].fillna(rows["owner_kind"]),
        active=rows["active"].astype("boolean").mask(is_deleted, other=False),
        can_use=can_use,
        tokens=token_count,
        tokens_without_permission=~can_use & (token_count > 0),
        permission_unused=can_use & ~_is_used(rows),
    )[rows["can_use"].notna() | (token_count > 0)]
    evidence = [name for name in OF_A_TOKEN if name in rows]
    converted = rows[[*_DTYPES, *evidence]].astype(
        {name: dtype for name, dtype in _DTYPES.items() if dtype is not None}
    )
    return converted.sort_values(["kind", "principal", "id"], ignore_index=True)


def _holdings(tokens: pd.DataFrame) -> pd.DataFrame:
    """Return the number of active tokens and the last use of each owner. Owners without an id are one row."""
    is_active = (tokens["status"] == "active").astype("int64")
    by_owner = tokens.assign(is_active=is_active).groupby("owner_id", dropna=False, sort=False)
    found = by_owner.agg(
        owner=("owner", "first"),
        owner_kind=("owner_kind", "first"),
        tokens=("is_active", "sum"),
        last_used_day=("last_used_day", "max"),
    )
    if "logins" in tokens:
        programs = tokens[["owner_id", "clients"]].explode("clients").dropna(subset="clients").drop_duplicates()
        found = found.assign(
            logins=by_owner["logins"].sum(min_count=1),
            last_login=by_owner["last_login"].max(),
            clients=programs.groupby("owner_id", dropna=False)["clients"].agg(list),
        )
    return found.rename_axis("id").reset_index()


def _is_used(rows: pd.DataFrame) -> pd.Series[bool]:
    is_used = rows["last_used_day"].notna()
    return is_used | rows["logins"].notna() if "logins" in rows else is_used
