"""Who may use tokens, by which path, and what a change of the permissions would destroy.

The right to use tokens comes from an entry of the access-control list: of oneself, or of a group that one is in,
directly or through other groups. ``admins`` has it always. Somebody with two paths keeps the right when one is cut.
Who loses it loses their active tokens; expired tokens stay. Tokens are deleted at once and for good where an entry of
the owner's own is removed. Where the permission came through a group they may be disabled instead.
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
from tokenkit.frames import TEXT
from tokenkit.review.texts import array
from tokenkit.wording import counted

ADMINS, USERS = "admins", "users"
CAN_USE, CAN_MANAGE = "CAN_USE", "CAN_MANAGE"
_ENTRY_FIELDS = ("user_name", "group_name", "service_principal_name")


@dataclass(frozen=True, kw_only=True)
class Identities:
    """The three frames of a workspace's principals, as ``Workspace`` lists them; people may lack ``groups``, and the
    ``members`` of a group are None where the workspace does not say who is in it.
    """

    users: pd.DataFrame
    service_principals: pd.DataFrame
    groups: pd.DataFrame

    def principals(self) -> pd.DataFrame:
        """Return users and service principals alike: ``id``, ``name`` (as an entry names it), ``principal``, ``kind``,
        ``active`` (SCIM leaves it out of some answers, and there it means yes). A member of a group who is not listed
        is of the kind ``unknown`` and named by the id.
        """
        users = self.users[["id", "user_name", "active"]].rename(columns={"user_name": "name"})
        programs = self.service_principals[["id", "application_id", "display_name", "active"]].rename(
            columns={"application_id": "name"}
        )
        both = pd.concat(
            [
                users.assign(principal=users["name"], kind="user"),
                programs[["id", "name", "active"]].assign(
                    principal=programs["display_name"].fillna(programs["name"]), kind="service principal"
                ),
            ],
            ignore_index=True,
        )
        both = both.assign(active=both["active"].astype("boolean").fillna(value=True))
        members = self.groups["members"].explode().dropna().drop_duplicates().astype("Int64")
        others = members[~members.isin(both["id"]) & ~members.isin(self.groups["id"])]
        if not len(others):
            return both
        ids = pd.DataFrame({"id": others, "principal": others.astype(TEXT), "kind": "unknown"})
        return pd.concat([both, ids.astype({"kind": TEXT})], ignore_index=True)

    def untold(self) -> set[int]:
        """Return the groups of which the workspace does not say who is in them; everybody is in ``users``."""
        missing = self.groups["members"].isna() & (self.groups["display_name"] != USERS)
        return set(self.groups["id"][missing])

    def memberships(self) -> pd.DataFrame:
        """Return who is directly in which group: ``group_id``, ``id`` (of a user, a service principal or a group).

        Everybody in the workspace is in ``users``, whatever its list of members says (Databricks documentation).
        """
        listed = self.groups[["id", "members"]].explode("members").dropna()
        listed = listed.rename(columns={"id": "group_id", "members": "id"}).astype("int64")
        ids = [people["id"].astype("int64") for people in (self.users, self.service_principals)]
        everyone = pd.concat(ids, ignore_index=True)
        for group_id in self.groups.loc[self.groups["display_name"] == USERS, "id"]:
            others = listed[listed["group_id"] != group_id]
            inside = pd.concat([listed.loc[listed["group_id"] == group_id, "id"], everyone]).drop_duplicates()
            listed = pd.concat([others, pd.DataFrame({"group_id": int(group_id), "id": inside})], ignore_index=True)
        return listed


def paths(entries: pd.DataFrame, identities: Identities) -> pd.DataFrame:
    """Return every path by which a user or service principal comes to the right to use tokens.

    Args:
        entries: Who is granted what: the columns of ``frames.PERMISSIONS`` that name a principal, and
            ``permission_level``.
        identities: The workspace's principals.

    Returns:
        A row for each principal and path: ``id``, ``principal``, ``kind``, ``active``, ``permission_level``, ``via``
        (``direct``, or the groups from the entry's down to the principal's own, joined by " > "). No row for an entry
        that names nobody who is there. ``admins`` is always in it. Groups can hold each other in more ways than anybody
        reads: of the paths from an entry to a group it has the ten shortest, then one with "…" for the others.
    """
    principals, memberships = identities.principals(), identities.memberships()
    through_groups = _chains(_granted_groups(entries), identities.groups, memberships).merge(memberships, on="group_id")
    # pandas 2.2 warns of a concatenation with an empty frame of other dtypes.
    dtypes = {"id": "Int64", "permission_level": TEXT, "via": TEXT}
    both = [part[list(dtypes)].astype(dtypes) for part in (_direct(entries, principals), through_groups)]
    found = pd.concat(both, ignore_index=True).merge(principals, on="id")
    columns = ["id", "principal", "kind", "active", "permission_level", "via"]
    return found[columns].sort_values(["kind", "principal", "via"], ignore_index=True)


_MOST_CHAINS = 10


def _chains(granted: Mapping[str, str], groups: pd.DataFrame, memberships: pd.DataFrame) -> pd.DataFrame:
    """Return every group that an entry reaches, with each chain of groups to it, the shortest first."""
    names = dict(zip(groups["id"].astype("int64"), groups["display_name"], strict=True))
    nested = memberships[memberships["id"].isin(list(names))]
    within = nested.groupby("group_id")["id"].agg(list).to_dict()
    rows: list[tuple[int, str, str]] = []
    for root in (group for group, name in names.items() if name in granted):
        reached: Counter[int] = Counter()
        queue = [(root, str(names[root]), frozenset({root}))]
        for group, via, passed in queue:
            rows.append((group, granted[names[root]], via))
            for member in set(within.get(group, ())) - passed:  # no chain enters a group twice, so circles end
                reached[member] += 1
                if reached[member] <= _MOST_CHAINS:
                    queue.append((member, f"{via} > {names[member]}", passed | {member}))
                elif reached[member] == _MOST_CHAINS + 1:
                    queue.append((member, f"{names[root]} > … > {names[member]}", frozenset({root, member})))
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


def service_principal(principals: pd.DataFrame, given: str) -> pd.Series[Any]:
    """Return the service principal that is named by its application id or by its display name.

    Raises:
        UsageError: There is none, or the display name is of several.
    """
    matches = principals[principals["application_id"] == given]
    matches = matches if len(matches) else principals[principals["display_name"] == given]
    if len(matches) == 1:
        return matches.iloc[0]
    if len(matches):
        ids = ", ".join(matches["application_id"])
        raise errors.UsageError(
            f"{len(matches)} service principals are called {given!r}. Use an application id: {ids}."
        )
    known = [*principals["display_name"].dropna().unique(), *principals["application_id"].dropna()]
    raise errors.UsageError(f"There is no service principal {given!r}. {errors.did_you_mean(given, known)}")


def by_application_id(
    entries: list[dict[str, Any]], before: pd.DataFrame, principals: pd.DataFrame
) -> list[dict[str, Any]]:
    """Return entries in which a service principal that is named by its display name has its application id.

    Args:
        entries: As they are asked for.
        before: The entries as they are; a principal that has one may be deleted.
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
    """Refuse entries that are new and name nobody or no level: the workspace would, and until then a plan would miss
    them.

    Args:
        before: The entries as they are; whom they name may be gone.
        after: The entries as they would be.
        identities: The workspace's principals.

    Raises:
        UsageError: An entry names nobody, or a level that there is not.
    """
    levels = after["permission_level"]
    unknown = levels[~levels.isin((CAN_USE, CAN_MANAGE)) & ~levels.isin(before["permission_level"])]
    if len(unknown):
        raise _no_such_level(unknown.iloc[0])
    for field, (kind, names) in _listed(identities).items():
        asked = after[field].dropna()
        unknown = asked[~asked.isin(names) & ~asked.isin(before[field])]
        if len(unknown):
            name = unknown.iloc[0]
            described = f"{kind} with the application id" if field == "service_principal_name" else kind
            raise errors.UsageError(f"There is no {described} {name!r}. {errors.did_you_mean(name, names.dropna())}")


@dataclass(frozen=True, kw_only=True)
class Consequences:
    """What a change of the permissions does.

    Attributes:
        gains: Those who get the right: ``id, principal, kind, via``.
        loses: Those who lose it: ``id, principal, kind, via`` (the paths that were cut), ``tokens`` (how many that
            costs), ``effect`` (what becomes of them).
        keeps_by_another_path: Those whose path is cut and who keep the right by another: ``id, principal, kind, via``.
        tokens: The rows of the listing that their owners will lose, with ``effect``: ``deleted`` where an entry of
            the owner's own is removed, ``deleted_or_disabled`` where the permission came through groups. Databricks'
            documentation differs on the latter: the tokens are deleted, or disabled until the owner has permission
            again.
        not_known: Of whom it is not known whether they lose tokens: ``principal, kind, reason``.
    """

    gains: pd.DataFrame
    loses: pd.DataFrame
    keeps_by_another_path: pd.DataFrame
    tokens: pd.DataFrame
    not_known: pd.DataFrame


DELETED, DELETED_OR_DISABLED = "deleted", "deleted_or_disabled"


def granted_groups(*entries: pd.DataFrame) -> set[str]:
    """Return the names of the groups that can use tokens, ``admins`` among them."""
    return {ADMINS, *pd.concat([each["group_name"] for each in entries]).dropna()}


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
    directly = _direct(before, identities.principals())["id"]
    active = tokens[tokens["status"] == "active"]
    dying = active[active["owner_id"].isin(losing["id"])]
    per_owner = dying.groupby("owner_id").size()
    loses = merged(losing)
    not_known = _not_known(before, after, identities)
    if ownerless := int(active["owner_id"].isna().sum()) if len(loses) or len(not_known) else 0:
        not_known.loc[len(not_known)] = [counted(ownerless, "token"), "token", "the owner is not named"]
    cut = old.merge(new[["id", "via"]], on=["id", "via"], how="left", indicator=True)
    cut = cut[(cut["_merge"] == "left_only") & cut["id"].isin(new["id"])]
    return Consequences(
        gains=merged(new[~new["id"].isin(old["id"])]),
        loses=loses.assign(
            tokens=loses["id"].map(per_owner).fillna(0).astype("int64"), effect=_effect(loses["id"], directly)
        ),
        keeps_by_another_path=merged(new[new["id"].isin(cut["id"])]),
        tokens=dying.assign(effect=_effect(dying["owner_id"], directly)),
        not_known=not_known,
    )


def _effect(owners: pd.Series[int], directly: pd.Series[int]) -> pd.Series[str]:
    return owners.isin(directly).map({True: DELETED, False: DELETED_OR_DISABLED}).astype(TEXT)


def _not_known(before: pd.DataFrame, after: pd.DataFrame, identities: Identities) -> pd.DataFrame:
    """Return what can use tokens before a change and not after it, and is not known well enough to say who loses."""
    memberships, untold = identities.memberships(), identities.untold()
    reached = [
        _chains(_granted_groups(entries), identities.groups, memberships)["group_id"] for entries in (before, after)
    ]
    lost = untold & set(reached[0]) - set(reached[1])
    names = identities.groups.loc[identities.groups["id"].isin(list(lost)), "display_name"]
    rows = [(name, "group", "its members are not listed") for name in names]
    for field, (kind, listed) in _listed(identities).items():
        names = before[field][~before[field].isin(after[field]) & ~before[field].isin(listed)].dropna()
        rows += [(name, kind, "it is not listed") for name in names]
    return pd.DataFrame(rows, columns=["principal", "kind", "reason"], dtype=TEXT)


def _listed(identities: Identities) -> dict[str, tuple[str, pd.Series[str]]]:
    """Return for each field of an entry what it names, and the names that there are."""
    return {
        "user_name": ("user", identities.users["user_name"]),
        "group_name": ("group", identities.groups["display_name"]),
        "service_principal_name": ("service principal", identities.service_principals["application_id"]),
    }


def merged(found: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each principal of some paths, its paths in one cell: ``id, principal, kind, via``."""
    # A Python function for each of a hundred thousand groups takes seconds.
    texts = pa.table({"id": array(found["id"], pa.int64()), "via": array(found["via"])})
    by_id = texts.group_by("id", use_threads=False).aggregate([("via", "list")])
    via = pd.Series(pc.binary_join(by_id["via_list"], "; ").to_pylist(), by_id["id"].to_pandas(), dtype=TEXT)
    first = found.drop_duplicates("id")[["id", "principal", "kind"]]
    return first.assign(via=first["id"].map(via).astype(TEXT)).sort_values(["kind", "principal"], ignore_index=True)


def _no_such_level(level: str) -> errors.UsageError:
    return errors.UsageError(f"There is no level {level!r}: it is {CAN_USE} or {CAN_MANAGE}.")


def entry_of(text: str, *, level: str = CAN_USE) -> dict[str, str]:
    """Read an entry as it is typed: ``group:data-engineers``, ``user:ann@example.com=CAN_MANAGE``,
    ``service-principal:terraform``.

    Raises:
        UsageError: It is not of that form.
    """
    kinds = {"user": "user_name", "group": "group_name", "service-principal": "service_principal_name"}
    kind, colon, rest = text.partition(":")
    if not colon or kind not in kinds:
        near = errors.did_you_mean(kind, kinds) if colon else ""
        raise errors.UsageError(
            f"{text!r} is not an entry: write group:NAME, user:NAME or service-principal:NAME. {near}".rstrip()
        )
    name, _, asked = rest.partition("=")
    level = asked.upper() or level
    if not name:
        raise errors.UsageError(f"{text!r} names nobody: write {kind}:NAME.")
    if level not in (CAN_USE, CAN_MANAGE):
        raise _no_such_level(asked)
    return {kinds[kind]: name, "permission_level": level}
