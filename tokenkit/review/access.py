"""Who may use tokens, by which path, and what a change of the permissions would destroy.

The right to use tokens comes from an entry of the access-control list: of oneself, or of a group that one is in,
directly or through other groups. ``admins`` has it always. Somebody with two paths keeps the right when one is cut.
Whoever loses it loses their active tokens, at once and for good; expired tokens stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tokenkit import errors
from tokenkit.frames import TEXT

ADMINS = "admins"
CAN_USE, CAN_MANAGE = "CAN_USE", "CAN_MANAGE"
_ENTRY_FIELDS = ("user_name", "group_name", "service_principal_name")


@dataclass(frozen=True, kw_only=True)
class Identities:
    """The three frames of a workspace's principals, as ``Workspace`` lists them."""

    users: pd.DataFrame
    service_principals: pd.DataFrame
    groups: pd.DataFrame

    def principals(self) -> pd.DataFrame:
        """Return users and service principals alike: ``id``, ``name`` (as an entry names it), ``principal``,
        ``kind``.
        """
        users = self.users[["id", "user_name"]].rename(columns={"user_name": "name"})
        programs = self.service_principals[["id", "application_id", "display_name"]].rename(
            columns={"application_id": "name"}
        )
        return pd.concat(
            [
                users.assign(principal=users["name"], kind="user"),
                programs[["id", "name"]].assign(
                    principal=programs["display_name"].fillna(programs["name"]), kind="service principal"
                ),
            ],
            ignore_index=True,
        )


def paths(entries: pd.DataFrame, identities: Identities) -> pd.DataFrame:
    """Return every path by which a user or service principal comes to the right to use tokens.

    Args:
        entries: Who is granted what: the columns of ``frames.PERMISSIONS`` that name a principal, and
            ``permission_level``.
        identities: The workspace's principals.

    Returns:
        A row for each principal, entry and group of theirs: ``id``, ``principal``, ``kind``, ``permission_level``,
        ``via`` (``direct``, or the groups from the entry's down to the principal's own, joined by " > "). No row for an
        entry that names nobody who is there. ``admins`` is always in it.
    """
    principals = identities.principals()
    members = identities.groups[["id", "members"]].explode("members").dropna()
    members = members.rename(columns={"id": "group_id", "members": "id"}).astype("int64")
    through_groups = _chains(_granted_groups(entries), identities.groups).merge(members, on="group_id")
    # pandas 2.2 warns of a concatenation with an empty frame of other dtypes.
    dtypes = {"id": "Int64", "permission_level": TEXT, "via": TEXT}
    both = [part[list(dtypes)].astype(dtypes) for part in (_direct(entries, principals), through_groups)]
    found = pd.concat(both, ignore_index=True).merge(principals, on="id")
    columns = ["id", "principal", "kind", "permission_level", "via"]
    return found[columns].sort_values(["kind", "principal", "via"], ignore_index=True)


def _chains(granted: Mapping[str, str], groups: pd.DataFrame) -> pd.DataFrame:
    """Return every group that an entry reaches, with the shortest chain of groups to it."""
    names = dict(zip(groups["id"].astype(int), groups["display_name"], strict=True))
    within = {
        group: [int(member) for member in members if int(member) in names]
        for group, members in zip(names, groups["members"], strict=True)
        if isinstance(members, list)
    }
    rows: list[tuple[int, str, str]] = []
    for root in (group for group, name in names.items() if name in granted):
        via = {root: str(names[root])}  # a group that was reached is not entered again, so circles end
        queue = [root]
        for group in queue:
            rows.append((group, granted[names[root]], via[group]))
            for member in within.get(group, ()):
                if member not in via:
                    via[member] = f"{via[group]} > {names[member]}"
                    queue.append(member)
    frame = pd.DataFrame(rows, columns=["group_id", "permission_level", "via"])
    return frame.astype({"group_id": "int64", "permission_level": TEXT, "via": TEXT})


def _direct(entries: pd.DataFrame, principals: pd.DataFrame) -> pd.DataFrame:
    named = pd.concat(
        [
            entries[["user_name", "permission_level"]].rename(columns={"user_name": "name"}).assign(kind="user"),
            entries[["service_principal_name", "permission_level"]]
            .rename(columns={"service_principal_name": "name"})
            .assign(kind="service principal"),
        ]
    ).dropna(subset=["name"])
    return named.merge(principals, on=["name", "kind"])[["id", "permission_level"]].assign(via="direct")


def _granted_groups(entries: pd.DataFrame) -> dict[str, str]:
    """Return the level of each group with an entry; ``admins`` has CAN_MANAGE whatever its entry says."""
    granted = entries[["group_name", "permission_level"]].dropna(subset=["group_name"])
    return dict(zip(granted["group_name"], granted["permission_level"], strict=True)) | {ADMINS: CAN_MANAGE}


def changed_entries(before: pd.DataFrame, change: Iterable[Mapping[str, Any]], *, replace: bool) -> pd.DataFrame:
    """Return the direct entries as they will be after a change.

    Args:
        before: The permissions as they are (``TokenManagementAPI.get_permissions``).
        change: The entries of the request.
        replace: Whether they replace all others (a PUT) or are added to them (a PATCH).
    """
    asked = pd.DataFrame([dict.fromkeys((*_ENTRY_FIELDS, "permission_level")) | dict(each) for each in change])
    asked = asked.reindex(columns=[*_ENTRY_FIELDS, "permission_level"]).astype(TEXT)
    kept = before[[*_ENTRY_FIELDS, "permission_level"]].astype(TEXT)
    kept = kept[kept["group_name"] == ADMINS] if replace else kept
    return pd.concat([kept, asked], ignore_index=True).drop_duplicates(
        list(_ENTRY_FIELDS), keep="last", ignore_index=True
    )


@dataclass(frozen=True, kw_only=True)
class Consequences:
    """What a change of the permissions does.

    Attributes:
        gains: Those who get the right: ``id, principal, kind, via``.
        loses: Those who lose it: ``id, principal, kind, via`` (the paths that were cut), ``tokens`` (how many die).
        keeps_by_another_path: Those whose path is cut and who keep the right by another: ``id, principal, kind, via``.
        tokens: The rows of the listing that the workspace will delete.
    """

    gains: pd.DataFrame
    loses: pd.DataFrame
    keeps_by_another_path: pd.DataFrame
    tokens: pd.DataFrame


def consequences(
    before: pd.DataFrame, after: pd.DataFrame, identities: Identities, tokens: pd.DataFrame
) -> Consequences:
    """Return who gains and loses the right between two lists of entries, and which tokens die of it.

    Args:
        before: The entries as they are.
        after: The entries as they would be.
        identities: The workspace's principals.
        tokens: The listing with ``status``.
    """
    old, new = paths(before, identities), paths(after, identities)
    losing = old[~old["id"].isin(new["id"])]
    dying = tokens[tokens["owner_id"].isin(losing["id"]) & (tokens["status"] == "active")]
    per_owner = dying.groupby("owner_id").size()
    loses = _merged(losing)
    cut = old.merge(new[["id", "via"]], on=["id", "via"], how="left", indicator=True)
    cut = cut[(cut["_merge"] == "left_only") & cut["id"].isin(new["id"])]
    return Consequences(
        gains=_merged(new[~new["id"].isin(old["id"])]),
        loses=loses.assign(tokens=loses["id"].map(per_owner).fillna(0).astype("int64")),
        keeps_by_another_path=_merged(new[new["id"].isin(cut["id"])]),
        tokens=dying,
    )


def _merged(found: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each principal, its paths in one cell."""
    merged: pd.DataFrame = found.groupby(["id", "principal", "kind"], as_index=False, sort=False).agg(
        {"via": "; ".join}
    )
    return merged.sort_values(["kind", "principal"], ignore_index=True)


def entry_of(text: str, *, level: str = CAN_USE) -> dict[str, str]:
    """Read an entry as it is typed: ``group:data-engineers``, ``user:ann@example.com=CAN_MANAGE``,
    ``service-principal:ID``.

    Raises:
        UsageError: It is not of that form.
    """
    kinds = {"user": "user_name", "group": "group_name", "service-principal": "service_principal_name"}
    kind, colon, rest = text.partition(":")
    if not colon or kind not in kinds:
        near = errors.did_you_mean(kind, kinds) if colon else ""
        raise errors.UsageError(
            f"{text!r} is not an entry: write group:NAME, user:NAME or service-principal:ID. {near}".rstrip()
        )
    name, _, asked = rest.partition("=")
    level = asked.upper() or level
    if not name or level not in (CAN_USE, CAN_MANAGE):
        raise errors.UsageError(f"{text!r} needs a name, and the level {CAN_USE} or {CAN_MANAGE} if any.")
    return {kinds[kind]: name, "permission_level": level}
