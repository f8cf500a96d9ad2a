"""SCIM documents: the JSON form of identities, and the selection of attributes."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tokenkit.sandbox.state.directory import Directory, Identity, Kind

RESOURCES: dict[str, Kind] = {"Users": "user", "ServicePrincipals": "service_principal", "Groups": "group"}
NAME_ATTRIBUTES: dict[Kind, str] = {
    "user": "userName",
    "service_principal": "applicationId",
    "group": "displayName",
}
STORED_ATTRIBUTES = ("name", "emails", "entitlements", "roles", "externalId")  # stored and returned unchanged
LIST_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
_SCHEMAS: dict[Kind, str] = {
    "user": "urn:ietf:params:scim:schemas:core:2.0:User",
    "service_principal": "urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal",
    "group": "urn:ietf:params:scim:schemas:core:2.0:Group",
}
_PATHS: dict[Kind, str] = {kind: path for path, kind in RESOURCES.items()}
_ALWAYS = frozenset({"id", "schemas"})


def projection(attributes: str | None, excluded: str | None) -> Callable[[str], bool]:
    """Return a predicate for the requested attributes.

    ``id`` and ``schemas`` are always included. A sub-attribute selects its parent.
    """
    wanted, unwanted = _names(attributes), _names(excluded)

    def wants(name: str) -> bool:
        if name in _ALWAYS:
            return True
        name = name.lower()
        return (not wanted or name in wanted) and name not in unwanted

    return wants


def documents(
    directory: Directory, identities: Sequence[Identity], wants: Callable[[str], bool]
) -> list[dict[str, Any]]:
    """Return the SCIM form of identities, with their direct groups and members. Empty lists are omitted."""
    ids = [identity.id for identity in identities]
    groups = _references(directory.groups_of(ids), {"type": "direct"}) if wants("groups") else {}
    are_groups = any(identity.kind == "group" for identity in identities)
    members = _references(directory.members(ids), {}) if are_groups and wants("members") else {}
    return [
        {
            name: value
            for name, value in _document(identity, groups, members).items()
            # Terraform requests the userName of a service principal, and reads its applicationId.
            if value is not None and (wants(name) or (name == "applicationId" and wants("userName")))
        }
        for identity in identities
    ]


def _document(
    identity: Identity, groups: dict[int, list[dict[str, str]]], members: dict[int, list[dict[str, str]]]
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "schemas": [_SCHEMAS[identity.kind]],
        "id": str(identity.id),
        NAME_ATTRIBUTES[identity.kind]: identity.name,
    }
    if identity.kind == "group":
        document["members"] = members.get(identity.id)
        document["meta"] = {"resourceType": "WorkspaceGroup"}
    else:
        document["displayName"] = identity.display_name
        document["active"] = identity.active
    document["groups"] = groups.get(identity.id)
    document.update(identity.attributes)
    return document


def _references(rows: list[tuple[int, int, Kind, str]], extra: dict[str, str]) -> dict[int, list[dict[str, str]]]:
    references = defaultdict(list)
    for of, to, kind, display in rows:
        references[of].append({"display": display, **extra, "value": str(to), "$ref": f"{_PATHS[kind]}/{to}"})
    return references


def _names(attributes: str | None) -> frozenset[str]:
    names = (attributes or "").replace(" ", "").lower().split(",")
    return frozenset(name.partition(".")[0] for name in names if name)
