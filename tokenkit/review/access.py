"""Who can use tokens, through which paths, and the consequences of a change of permissions.

A principal has permission to use tokens through an entry of the access-control list: its own entry, or that of a group
that it is a member of, directly or through other groups. ``admins`` always has permission. A principal with two paths
keeps the permission if one is removed. A principal that loses the permission loses its active tokens and keeps expired
ones. If its own entry is removed, the tokens are deleted immediately and permanently. If the permission came through a
group, the tokens may be disabled instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit import errors
from tokenkit.core.wording import pluralize
from tokenkit.frames import TEXT
from tokenkit.review.texts import array
from tokenkit.review.values import CAN_MANAGE, CAN_USE, unknown_level

ADMINS, USERS = "admins", "users"
FIELDS = {"user_name": "user", "group_name": "group", "service_principal_name": "service_principal"}
"""The field of an entry that names its principal, and the kind of the principal."""


@dataclass(frozen=True, kw_only=True)
class Identities:
    """The users, service principals and groups of a workspace, as ``Workspace`` lists them.

    Users may lack ``groups``. The ``members`` of a group are None if the workspace does not list them.
    """

    users: pd.DataFrame
    service_principals: pd.DataFrame
    groups: pd.DataFrame

    def principals(self) -> pd.DataFrame:
        """Return users and service principals: ``id``, ``name`` (in entries), ``principal``, ``kind``, ``active``.

        SCIM omits ``active`` in some responses, where it means true. A group member that is not listed has the kind
        ``unknown`` and its id as the name.
        """
        columns = ["id", "name", "active", "principal"]
        users = self.users.assign(name=self.users["user_name"], principal=self.users["user_name"])[columns]
        others = self.service_principals
        principal = others["display_name"].fillna(others["application_id"])
        others = others.assign(name=others["application_id"], principal=principal)[columns]
        both = pd.concat([users.assign(kind="user"), others.assign(kind="service_principal")], ignore_index=True)
        both = both.assign(active=both["active"].astype("boolean").fillna(value=True))
        members = self.groups["members"].explode().dropna().drop_duplicates().astype("Int64")
        unlisted = members[~members.isin(both["id"]) & ~members.isin(self.groups["id"])]
        if not len(unlisted):
            return both
        ids = pd.DataFrame({"id": unlisted, "principal": unlisted.astype(TEXT), "kind": "unknown"})
        return pd.concat([both, ids.astype({"kind": TEXT})], ignore_index=True)

    def unlisted_groups(self) -> set[int]:
        """Return the ids of groups without a list of members. ``users`` is known to contain all principals."""
        missing = self.groups["members"].isna() & (self.groups["display_name"] != USERS)
        return set(self.groups["id"][missing])

    def memberships(self) -> pd.DataFrame:
        """Return direct memberships: ``group_id``, ``id`` (of a user, a service principal or a group).

        Every principal of the workspace is in ``users``, even if it is not listed as a member (Databricks
        documentation).
        """
        listed = self.groups[["id", "members"]].explode("members").dropna()
        listed = listed.rename(columns={"id": "group_id", "members": "id"}).astype("int64")
        ids = [principals["id"].astype("int64") for principals in (self.users, self.service_principals)]
        everyone = pd.concat(ids, ignore_index=True)
        for group_id in self.groups.loc[self.groups["display_name"] == USERS, "id"]:
            others = listed[listed["group_id"] != group_id]
            inside = pd.concat([listed.loc[listed["group_id"] == group_id, "id"], everyone]).drop_duplicates()
            listed = pd.concat([others, pd.DataFrame({"group_id": int(group_id), "id": inside})], ignore_index=True)
        return listed


def paths(entries: pd.DataFrame, identities: Identities) -> pd.DataFrame:
    """Return every path through which a user or service principal has permission to use tokens.

    Args:
        entries: The access-control list: the columns of ``frames.PERMISSIONS`` that name a principal, and
            ``permission_level``.
        identities: The workspace's principals.

    Returns:
        A row for each principal and path: ``id``, ``principal``, ``kind``, ``active``, ``permission_level``, ``via``
        (``direct``, or the groups from the entry's group to the principal's group, joined by " > "). An entry for an
        unknown principal has no row. ``admins`` is always included. Of many paths from an entry to a group, the
        result has the ten shortest and one with "…" for the others.
    """
    principals, memberships = identities.principals(), identities.memberships()
    through_groups = _chains(_granted_groups(entries), identities.groups, memberships).merge(memberships, on="group_id")
    # pandas 2.2 warns about concatenating an empty frame with other dtypes.
    dtypes = {"id": "Int64", "permission_level": TEXT, "via": TEXT}
    both = [part[list(dtypes)].astype(dtypes) for part in (_direct(entries, principals), through_groups)]
    found = pd.concat(both, ignore_index=True).merge(principals, on="id")
    columns = ["id", "principal", "kind", "active", "permission_level", "via"]
    return found[columns].sort_values(["kind", "principal", "via"], ignore_index=True)


_MOST_CHAINS = 10


def _chains(granted: Mapping[str, str], groups: pd.DataFrame, memberships: pd.DataFrame) -> pd.DataFrame:
    """Return every group that an entry applies to, with each chain of groups to it, the shortest first: ``group_id``,
    ``permission_level``, ``via``, and ``entry``, the name of the entry's group.
    """
    names = dict(zip(groups["id"].astype("int64"), groups["display_name"], strict=True))
    nested = memberships[memberships["id"].isin(list(names))]
    within = nested.groupby("group_id")["id"].agg(list).to_dict()
    rows: list[tuple[int, str, str, str]] = []
    for root in (group for group, name in names.items() if name in granted):
        reached: Counter[int] = Counter()
        queue = [(root, str(names[root]), frozenset({root}))]
        for group, via, passed in queue:
            rows.append((group, granted[names[root]], via, names[root]))
            for member in set(within.get(group, ())) - passed:  # no chain has a group twice, so cycles end
                reached[member] += 1
                if reached[member] <= _MOST_CHAINS:
                    queue.append((member, f"{via} > {names[member]}", passed | {member}))
                elif reached[member] == _MOST_CHAINS + 1:
                    queue.append((member, f"{names[root]} > … > {names[member]}", frozenset({root, member})))
    frame = pd.DataFrame(rows, columns=["group_id", "permission_level", "via", "entry"])
    return frame.astype({"group_id": "int64", "permission_level": TEXT, "via": TEXT, "entry": TEXT})


def _direct(entries: pd.DataFrame, principals: pd.DataFrame) -> pd.DataFrame:
    named = pd.concat(
        entries[[field, "permission_level"]].rename(columns={field: "name"}).assign(kind=kind)
        for field, kind in FIELDS.items()
    ).dropna(subset=["name"])
    named = named.merge(principals, on=["name", "kind"])  # a group is not a principal
    return named[["id", "permission_level", "kind", "name"]].assign(via="direct")


def _granted_groups(entries: pd.DataFrame) -> dict[str, str]:
    """Return the level of each group with an entry. ``admins`` always has CAN_MANAGE."""
    granted = entries[["group_name", "permission_level"]].dropna(subset=["group_name"])
    return dict(zip(granted["group_name"], granted["permission_level"], strict=True)) | {ADMINS: CAN_MANAGE}


def changed_entries(before: pd.DataFrame, change: Iterable[Mapping[str, Any]], *, replace: bool) -> pd.DataFrame:
    """Return the direct entries after a change.

    Args:
        before: The current permissions (``TokenManagementAPI.get_permissions``).
        change: The entries of the request.
        replace: Whether the request replaces all other entries (PUT) or adds to them (PATCH).
    """
    columns = [*FIELDS, "permission_level"]
    requested = pd.DataFrame([dict.fromkeys(columns) | dict(entry) for entry in change], columns=columns).astype(TEXT)
    kept = before[columns].astype(TEXT)
    kept = kept[kept["group_name"] == ADMINS] if replace else kept
    # Of two entries of a principal, the higher one counts.
    kept = kept.sort_values("permission_level", key=lambda level: level.ne(CAN_MANAGE), kind="stable")
    kept = kept.drop_duplicates([*FIELDS]).sort_index()
    both = pd.concat([kept, requested], ignore_index=True)
    return both.drop_duplicates([*FIELDS], keep="last", ignore_index=True)


def service_principal(principals: pd.DataFrame, given: str) -> pd.Series[Any]:
    """Return the service principal with an application id or a display name.

    Raises:
        UsageError: There is none, or several have the display name.
    """
    matches = principals[principals["application_id"] == given]
    matches = matches if len(matches) else principals[principals["display_name"] == given]
    if len(matches) == 1:
        return matches.iloc[0]
    if len(matches):
        ids = ", ".join(matches["application_id"])
        raise errors.UsageError(
            f"{len(matches)} service principals have the name {given!r}. Use an application id: {ids}."
        )
    known = [*principals["display_name"].dropna().unique(), *principals["application_id"].dropna()]
    raise errors.UsageError(f"Service principal not found: {given!r}. {errors.did_you_mean(given, known)}")


def by_application_id(
    entries: list[dict[str, Any]], before: pd.DataFrame, principals: pd.DataFrame
) -> list[dict[str, Any]]:
    """Return entries with the display names of service principals replaced by application ids.

    Args:
        entries: The requested entries.
        before: The current entries. They may name deleted principals.
        principals: The workspace's service principals.

    Raises:
        UsageError: As ``service_principal``.
    """
    field = "service_principal_name"
    kept = {None, *before[field].dropna()}
    return [
        entry
        if entry.get(field) in kept
        else entry | {field: service_principal(principals, entry[field])["application_id"]}
        for entry in entries
    ]


def check_entries(before: pd.DataFrame, after: pd.DataFrame, identities: Identities) -> None:
    """Raise an error for new entries with an unknown principal or level.

    The workspace rejects them too, but a plan would miss them before that.

    Args:
        before: The current entries. They may name deleted principals.
        after: The entries after the change.
        identities: The workspace's principals.

    Raises:
        UsageError: An entry names an unknown principal or an unknown level.
    """
    levels = after["permission_level"]
    unknown = levels[~levels.isin((CAN_USE, CAN_MANAGE)) & ~levels.isin(before["permission_level"])]
    if len(unknown):
        raise unknown_level(unknown.iloc[0])
    for field, names in _listed(identities).items():
        requested = after[field].dropna()
        unknown = requested[~requested.isin(names) & ~requested.isin(before[field])]
        if len(unknown):
            name = unknown.iloc[0]
            kind = FIELDS[field]
            described = {"service_principal": "service principal with the application id"}.get(kind, kind)
            raise errors.UsageError(f"Unknown {described} {name!r}. {errors.did_you_mean(name, names.dropna())}")


@dataclass(frozen=True, kw_only=True)
class Consequences:
    """The consequences of a change of permissions.

    Attributes:
        gaining_access: The principals that gain permission: ``id, principal, kind, via``.
        losing_access: The principals that lose permission: ``id, principal, kind, via`` (the removed paths),
            ``tokens`` (the number of affected tokens), ``effect`` (on these tokens).
        keeping_access: The principals that lose a path and keep permission through another: ``id, principal, kind,
            via``.
        tokens: The affected tokens, with ``effect``: ``deleted`` if the owner's own entry is removed,
            ``deleted_or_disabled`` if the permission came through groups. Databricks' documentation is inconsistent
            about the latter: the tokens are deleted, or disabled until the owner has permission again.
        not_known: The principals for which it is unknown whether they lose tokens: ``principal, kind, reason``.
    """

    gaining_access: pd.DataFrame
    losing_access: pd.DataFrame
    keeping_access: pd.DataFrame
    tokens: pd.DataFrame
    not_known: pd.DataFrame


DELETED, DELETED_OR_DISABLED = "deleted", "deleted_or_disabled"


def granted_groups(*entries: pd.DataFrame) -> set[str]:
    """Return the names of the groups that can use tokens, including ``admins``."""
    return {ADMINS, *pd.concat([entry["group_name"] for entry in entries]).dropna()}


def consequences(
    before: pd.DataFrame, after: pd.DataFrame, identities: Identities, tokens: pd.DataFrame
) -> Consequences:
    """Return who gains and loses permission between two lists of entries, and which tokens are affected.

    Args:
        before: The current entries.
        after: The entries after the change.
        identities: The workspace's principals.
        tokens: The listing with ``status``.
    """
    old, new = paths(before, identities), paths(after, identities)
    losing = old[~old["id"].isin(new["id"])]
    directly = _direct(before, identities.principals())["id"]
    active = tokens[tokens["status"] == "active"]
    affected = active[active["owner_id"].isin(losing["id"])]
    per_owner = affected.groupby("owner_id").size()
    losing_access = merged(losing)
    not_known = _not_known(before, after, identities)
    if ownerless := int(active["owner_id"].isna().sum()) if len(losing_access) or len(not_known) else 0:
        not_known.loc[len(not_known)] = [pluralize(ownerless, "token"), "token", "its owner is unknown"]
    removed = old.merge(new[["id", "via"]], how="left", indicator=True)
    removed = removed[(removed["_merge"] == "left_only") & removed["id"].isin(new["id"])]
    count = losing_access["id"].map(per_owner).fillna(0).astype("int64")
    return Consequences(
        gaining_access=merged(new[~new["id"].isin(old["id"])]),
        losing_access=losing_access.assign(
            tokens=count, effect=_effect(losing_access["id"], directly).where(count > 0)
        ),
        keeping_access=merged(new[new["id"].isin(removed["id"])]),
        tokens=affected.assign(effect=_effect(affected["owner_id"], directly)),
        not_known=not_known.astype(TEXT),  # a row that was added has no types with pandas 2
    )


def entry_costs(entries: pd.DataFrame, identities: Identities, tokens: pd.DataFrame) -> pd.DataFrame:
    """Return what each entry gives and, if it alone were removed, what that would cost.

    Args:
        entries: The direct entries.
        identities: The workspace's principals.
        tokens: The listing with ``status``.

    Returns:
        A row for each entry whose principal is listed, and for ``admins``: ``kind, name, members`` (the users and
        service principals with permission through it), ``alone`` (those without another path), ``tokens`` (the active
        tokens of these), ``complete`` (whether all members are known).
    """
    chains = _chains(_granted_groups(entries), identities.groups, identities.memberships())
    principals = identities.principals()
    members = chains[["entry", "group_id"]].drop_duplicates().merge(identities.memberships(), on="group_id")
    members = members[members["id"].isin(principals["id"])].rename(columns={"entry": "name"}).assign(kind="group")
    both = [
        part[["kind", "name", "id"]].astype({"kind": TEXT, "name": TEXT, "id": "Int64"})
        for part in (members, _direct(entries, principals))
    ]
    held = pd.concat(both, ignore_index=True).drop_duplicates()
    per_owner = tokens.loc[tokens["status"] == "active", "owner_id"].value_counts()
    is_alone = ~held["id"].duplicated(keep=False)
    owned = held["id"].map(per_owner).fillna(0).astype("int64")
    held = held.assign(alone=is_alone, tokens=owned.where(is_alone, 0))
    costs = held.groupby(["kind", "name"]).agg(members=("id", "size"), alone=("alone", "sum"), tokens=("tokens", "sum"))
    unlisted = set(chains["entry"][chains["group_id"].isin(identities.unlisted_groups())])
    groups = pd.DataFrame({"kind": "group", "name": chains["entry"].unique()}, dtype=TEXT)
    none = dict.fromkeys(["members", "alone", "tokens"], 0)
    costs = groups.merge(costs.reset_index(), on=["kind", "name"], how="outer").fillna(none)
    return costs.astype(dict.fromkeys(none, "int64")).assign(
        complete=~((costs["kind"] == "group") & costs["name"].isin(unlisted))
    )


def _effect(owners: pd.Series[int], directly: pd.Series[int]) -> pd.Series[str]:
    return owners.isin(directly).map({True: DELETED, False: DELETED_OR_DISABLED}).astype(TEXT)


def groups_not_known(entries: pd.DataFrame, identities: Identities) -> list[str]:
    """Return the groups with permission to use tokens whose members are not known, including groups in groups."""
    names = identities.groups.set_index("id")["display_name"]
    unlisted = _reached(entries, identities) & identities.unlisted_groups()
    absent = entries["group_name"][~entries["group_name"].isin(names)].dropna()
    return sorted({*names[list(unlisted)].dropna(), *absent})


def _reached(entries: pd.DataFrame, identities: Identities) -> set[int]:
    """Return the ids of the groups that an entry applies to, directly or through other groups."""
    chains = _chains(_granted_groups(entries), identities.groups, identities.memberships())
    return set(chains["group_id"])


def _not_known(before: pd.DataFrame, after: pd.DataFrame, identities: Identities) -> pd.DataFrame:
    """Return principals that lose permission in a change, but whose members or tokens are unknown."""
    lost = identities.unlisted_groups() & _reached(before, identities) - _reached(after, identities)
    names = identities.groups.loc[identities.groups["id"].isin(list(lost)), "display_name"]
    rows = [(name, "group", "its members are not listed") for name in names]
    for field, listed in _listed(identities).items():
        names = before[field][~before[field].isin(after[field]) & ~before[field].isin(listed)].dropna()
        rows += [(name, FIELDS[field], "it is not listed") for name in names]
    return pd.DataFrame(rows, columns=["principal", "kind", "reason"], dtype=TEXT)


def _listed(identities: Identities) -> dict[str, pd.Series[str]]:
    """Return the known names for each field of an entry."""
    return {
        "user_name": identities.users["user_name"],
        "group_name": identities.groups["display_name"],
        "service_principal_name": identities.service_principals["application_id"],
    }


def merged(found: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each principal, with all its paths in one cell: ``id, principal, kind, via``."""
    # In Arrow: a Python function for each of 100,000 groups takes seconds.
    texts = pa.table({"id": array(found["id"], pa.int64()), "via": array(found["via"])})
    by_id = texts.group_by("id", use_threads=False).aggregate([("via", "list")])
    via = pd.Series(pc.binary_join(by_id["via_list"], "; ").to_pylist(), by_id["id"].to_pandas(), dtype=TEXT)
    first = found.drop_duplicates("id")[["id", "principal", "kind"]]
    return first.assign(via=first["id"].map(via).astype(TEXT)).sort_values(["kind", "principal"], ignore_index=True)
