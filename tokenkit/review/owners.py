"""Whose tokens they are: the listing's owner ids joined with the workspace's identities."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit import frames
from tokenkit.review.texts import array


def with_owners(
    tokens: pd.DataFrame, *, users: pd.DataFrame, service_principals: pd.DataFrame, within: str | None = None
) -> pd.DataFrame:
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
        within: A column of all three, such as ``workspace``: an id means somebody in the same only.
    """
    # In Arrow, as pandas takes ten times as long for a short listing, of which a fleet has hundreds.
    ids = pa.concat_arrays([array(each["id"], pa.int64()) for each in (users, service_principals)])
    names = pa.concat_arrays(
        [
            array(users["user_name"]),
            pc.coalesce(array(service_principals["display_name"]), array(service_principals["application_id"])),
        ]
    )
    kinds = pa.concat_arrays([pa.repeat("user", len(users)), pa.repeat("service principal", len(service_principals))])
    active = pa.concat_arrays([array(each["active"], pa.bool_()) for each in (users, service_principals)])
    owner_id = array(tokens["owner_id"], pa.int64())
    if within is None:
        at = pc.index_in(owner_id, ids, skip_nulls=True)
    else:
        places = pa.concat_arrays([array(each[within]) for each in (users, service_principals)])
        at = _index_in_both((owner_id, array(tokens[within])), (ids, places))
    known, has_id = pc.is_valid(at), pc.is_valid(owner_id)
    made_it = pc.fill_null(pc.equal(array(tokens["created_by_id"], pa.int64()), owner_id), fill_value=False)
    maker = pc.if_else(made_it, array(tokens["created_by_username"]), pa.scalar(None, pa.string()))
    found = {
        "owner": pc.if_else(known, names.take(at), pc.coalesce(maker, owner_id.cast(pa.string()))),
        "owner_kind": pc.coalesce(kinds.take(at), pc.if_else(has_id, "deleted", "unknown")),
        # SCIM leaves `active` out of some answers, and there it means active.
        "owner_active": pc.if_else(
            known,
            pc.fill_null(active, fill_value=True).take(at),
            pc.if_else(has_id, False, pa.scalar(None, pa.bool_())),  # noqa: FBT003
        ),
    }
    columns = frames.to_pandas(pa.table(found))
    return tokens.assign(**{name: columns[name].array for name in found})


def application_ids(
    tokens: pd.DataFrame, service_principals: pd.DataFrame, *, within: str | None = None
) -> pd.Series[str]:
    """Return the application id of each token's owner, absent where that is not a service principal.

    Args:
        tokens: A listing with the columns of ``frames.TOKENS``.
        service_principals: The frame of ``Workspace.service_principals``.
        within: As for ``with_owners``.
    """
    keys = ["owner_id"] if within is None else ["owner_id", within]
    named = service_principals.rename(columns={"id": "owner_id"})[[*keys, "application_id"]]
    named = named.dropna(subset=keys).drop_duplicates(keys)
    found = tokens[keys].merge(named, on=keys, how="left")["application_id"]
    return found.set_axis(tokens.index)


def with_owners_known(tokens: pd.DataFrame) -> pd.DataFrame:
    """Return the listing with its owners as they are in it, else with what it says of them itself.

    Without the workspace's identities nobody can say what an owner is: ``owner_kind`` is ``unknown``.
    """
    if set(tokens.columns) >= {"owner", "owner_kind", "owner_active"}:
        return tokens
    users, programs = (frames.frame([], columns) for columns in (frames.USERS, frames.SERVICE_PRINCIPALS))
    unknown = pd.array([pd.NA] * len(tokens), dtype="boolean")
    without = with_owners(tokens, users=users, service_principals=programs)
    return without.assign(owner_kind="unknown", owner_active=unknown)


def _index_in_both(pairs: tuple[pa.Array, pa.Array], known: tuple[pa.Array, pa.Array]) -> pa.Array:
    """Return where each pair of values stands among the known pairs; a pair with nothing in it is nowhere."""
    # Arrow looks up no pairs, so each is made one number: of the place of its first value and of that of its second.
    firsts, seconds = (each.unique() for each in known)

    def numbered(first: pa.Array, second: pa.Array) -> pa.Array:
        at = pc.index_in(first, firsts, skip_nulls=True).cast(pa.int64())
        return pc.add(pc.multiply(at, len(seconds)), pc.index_in(second, seconds, skip_nulls=True))

    return pc.index_in(numbered(*pairs), numbered(*known), skip_nulls=True)
