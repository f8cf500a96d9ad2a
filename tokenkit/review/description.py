"""Adds lifecycle and owner columns to a listing."""

from __future__ import annotations

import pandas as pd

from tokenkit.review import lifecycle, owners


def described(
    listing: pd.DataFrame,
    *,
    now: pd.Timestamp | pd.Series[pd.Timestamp],
    users: pd.DataFrame,
    service_principals: pd.DataFrame,
    within: str | None = None,
) -> pd.DataFrame:
    """Return the listing with the columns of ``lifecycle.with_lifecycle`` and of ``owners.with_owners``.

    Args:
        listing: A listing with the columns of ``frames.TOKENS``; it is not changed.
        now: The reference time, or one for each token.
        users: The frame of ``Workspace.users``.
        service_principals: The frame of ``Workspace.service_principals``.
        within: A column of all three frames, such as ``workspace``, within which ids are unique.
    """
    aged = lifecycle.with_lifecycle(listing, now=now)
    return owners.with_owners(aged, users=users, service_principals=service_principals, within=within)


def described_alone(listing: pd.DataFrame, *, now: pd.Timestamp) -> pd.DataFrame:
    """Return a saved listing with the same columns. Owners are derived from the listing alone.

    Args:
        listing: A listing with the columns of ``frames.TOKENS``; it is not changed.
        now: The reference time.
    """
    return owners.with_owners_known(lifecycle.with_lifecycle(listing, now=now))
