"""Whose tokens they are: the listing's owner ids joined with the workspace's identities."""

from __future__ import annotations

import pandas as pd

from tokenkit.frames import TEXT


def with_owners(tokens: pd.DataFrame, *, users: pd.DataFrame, service_principals: pd.DataFrame) -> pd.DataFrame:
    """Return the listing with ``owner``, ``owner_kind`` and ``owner_active``.

    The owner is who a token acts as (``owner_id``), not who made it: for tokens made on behalf of a service principal
    the two differ. ``owner`` is the user name or the service principal's display name. ``owner_kind`` is ``user``,
    ``service principal``, ``deleted`` (an id that no identity has any more) or ``unknown`` (the listing gave no id).
    ``owner_active`` is False for both a switched-off and a deleted owner, ``<NA>`` for an unknown one. A deleted owner
    keeps the name that the token was made under where maker and owner are the same, and is named by the id otherwise.

    Args:
        tokens: A listing with the columns of ``frames.TOKENS``; it is not changed.
        users: The frame of ``Workspace.users``.
        service_principals: The frame of ``Workspace.service_principals``.
    """
    directory = pd.concat(
        [
            pd.DataFrame({"id": users["id"], "name": users["user_name"], "active": users["active"]}).assign(
                kind="user"
            ),
            pd.DataFrame(
                {
                    "id": service_principals["id"],
                    "name": service_principals["display_name"].fillna(service_principals["application_id"]),
                    "active": service_principals["active"],
                }
            ).assign(kind="service principal"),
        ]
    ).set_index("id")
    owner_id = tokens["owner_id"]
    found = directory.reindex(owner_id.astype(object).where(owner_id.notna(), None))
    found.index = tokens.index
    known, gone = found["kind"].notna(), found["kind"].isna() & owner_id.notna()
    made_it = (tokens["created_by_id"] == owner_id).fillna(value=False)
    stand_in = tokens["created_by_username"].where(made_it, None).fillna(owner_id.astype(TEXT))
    kind = found["kind"].astype(TEXT).mask(gone, "deleted").fillna("unknown")
    # SCIM leaves `active` out of some answers, and there it means active.
    active = found["active"].astype("boolean").mask(known & found["active"].isna(), other=True).mask(gone, other=False)
    return tokens.assign(owner=found["name"].astype(TEXT).where(known, stand_in), owner_kind=kind, owner_active=active)
