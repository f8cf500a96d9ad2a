"""The owners of tokens: the listing's owner ids joined with the workspace's identities."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit import frames
from tokenkit.review.texts import array

OWNER = frames.schema(owner=str, owner_kind=str, owner_active=bool)
"""The columns that ``with_owners`` adds, in this order. Spark and the tests take them from here."""


def with_owners(
    tokens: pd.DataFrame, *, users: pd.DataFrame, service_principals: pd.DataFrame, within: str | None = None
) -> pd.DataFrame:
    """Return the listing with ``owner``, ``owner_kind`` and ``owner_active``.

    The owner is the identity that a token acts as (``owner_id``), not its creator. The two differ for tokens created on
    behalf of a service principal. ``owner`` is the user name or the service principal's display name. ``owner_kind`` is
    ``user``, ``service_principal``, ``deleted`` (no identity has the id) or ``unknown`` (the listing has no id).
    ``owner_active`` is False for an inactive or deleted owner, and ``<NA>`` for an unknown one. A deleted owner has the
    creator's name if the owner created the token, and the id as its name otherwise.

    Args:
        tokens: A listing with the columns of ``frames.TOKENS``; it is not changed.
        users: The frame of ``Workspace.users``.
        service_principals: The frame of ``Workspace.service_principals``.
        within: A column of all three frames, such as ``workspace``, within which ids are unique.
    """
    # In Arrow: pandas takes ten times as long for short listings, and a fleet has hundreds of them.
    names = pa.concat_arrays(
        [
            array(users["user_name"]),
            pc.coalesce(array(service_principals["display_name"]), array(service_principals["application_id"])),
        ]
    )
    kinds = pa.concat_arrays([pa.repeat("user", len(users)), pa.repeat("service_principal", len(service_principals))])
    active = pa.concat_arrays([array(identities["active"], pa.bool_()) for identities in (users, service_principals)])
    owner_id = array(tokens["owner_id"], pa.int64())
    at = _positions(owner_id, tokens, (users, service_principals), within)
    known, has_id = pc.is_valid(at), pc.is_valid(owner_id)
    is_creator = pc.fill_null(pc.equal(array(tokens["created_by_id"], pa.int64()), owner_id), fill_value=False)
    creator = pc.if_else(is_creator, array(tokens["created_by_username"]), pa.scalar(None, pa.string()))
    found = {
        "owner": pc.if_else(known, names.take(at), pc.coalesce(creator, owner_id.cast(pa.string()))),
        "owner_kind": pc.coalesce(kinds.take(at), pc.if_else(has_id, "deleted", "unknown")),
        # SCIM omits `active` in some responses, where it means true.
        "owner_active": pc.if_else(
            known,
            pc.fill_null(active, fill_value=True).take(at),
            pc.if_else(has_id, False, pa.scalar(None, pa.bool_())),  # noqa: FBT003
        ),
    }
    columns = frames.to_pandas(pa.table(found))
    return tokens.assign(**{name: columns[name].array for name in found})


def with_aliases(
    tokens: pd.DataFrame, *, users: pd.DataFrame, service_principals: pd.DataFrame, within: str | None = None
) -> pd.DataFrame:
    """Return the listing with the columns of ``ALIASES``: further names of owners and creators.

    They are missing if the owner or creator is not of that kind.

    Args:
        tokens: A listing with the columns of ``frames.TOKENS``; it is not changed.
        users: The frame of ``Workspace.users``.
        service_principals: The frame of ``Workspace.service_principals``.
        within: As for ``with_owners``.
    """
    found = {}
    for alias, (of, key, name) in ALIASES.items():
        identities = service_principals if name in service_principals else users
        at = _positions(array(tokens[of], _KEYS[key]), tokens, (identities,), within, key=key)
        found[alias] = array(identities[name]).take(at)
    columns = frames.to_pandas(pa.table(found))
    return tokens.assign(**{alias: columns[alias].array for alias in ALIASES})


CREATOR_S_USER_NAME, LISTED_CREATOR = "creator's user name", "display name of the creator's name"
ALIASES = {
    "owner's application id": ("owner_id", "id", "application_id"),
    "creator's application id": ("created_by_id", "id", "application_id"),
    "creator's display name": ("created_by_id", "id", "display_name"),
    # Of a token on behalf of a service principal, ``created_by_username`` can be that of the service principal, whereas
    # ``created_by_id`` is that of the person.
    CREATOR_S_USER_NAME: ("created_by_id", "id", "user_name"),
    LISTED_CREATOR: ("created_by_username", "application_id", "display_name"),
}
"""The column of an alias, with the column of the listing, the key of the identities that it has, and the kind of name.
The API has no column with a blank.
"""
_KEYS = {"id": pa.int64(), "application_id": pa.string()}


def with_owners_known(tokens: pd.DataFrame) -> pd.DataFrame:
    """Return the listing with its existing owner columns, or else with owners derived from the listing alone.

    Without the workspace's identities, ``owner_kind`` is ``unknown``.
    """
    if set(tokens.columns) >= set(OWNER.names):
        return tokens[[*tokens.columns.difference(OWNER.names, sort=False), *OWNER.names]]
    users, service_principals = (frames.frame([], columns) for columns in (frames.USERS, frames.SERVICE_PRINCIPALS))
    unknown = pd.array([pd.NA] * len(tokens), dtype="boolean")
    derived = with_owners(tokens, users=users, service_principals=service_principals)
    return derived.assign(owner_kind="unknown", owner_active=unknown)


def _positions(
    wanted: pa.Array, tokens: pd.DataFrame, identities: Sequence[pd.DataFrame], within: str | None, *, key: str = "id"
) -> pa.Array:
    """Return the position of each key among the identities, or null."""
    ids = pa.concat_arrays([array(frame[key], _KEYS[key]) for frame in identities])
    if within is None:
        return pc.index_in(wanted, ids, skip_nulls=True)
    groups = pa.concat_arrays([array(frame[within]) for frame in identities])
    return _index_in_both((wanted, array(tokens[within])), (ids, groups))


def _index_in_both(pairs: tuple[pa.Array, pa.Array], known: tuple[pa.Array, pa.Array]) -> pa.Array:
    """Return the position of each pair of values in the known pairs, or null."""
    # Arrow cannot look up pairs, so the positions of both values are combined into one number.
    firsts, seconds = (values.unique() for values in known)

    def numbered(first: pa.Array, second: pa.Array) -> pa.Array:
        at = pc.index_in(first, firsts, skip_nulls=True).cast(pa.int64())
        return pc.add(pc.multiply(at, len(seconds)), pc.index_in(second, seconds, skip_nulls=True))

    return pc.index_in(numbered(*pairs), numbered(*known), skip_nulls=True)
