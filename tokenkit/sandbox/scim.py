"""The SCIM handlers: users, service principals and groups, as RFC 7644 and the platform have them.

Removing a user or service principal removes nothing else: their tokens stay in the listing, owned by nobody, and no
longer sign in. That is this sandbox's choice (the platform's is not documented), and what an audit must find.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.answers import Answer, ScimError, encode
from tokenkit.sandbox.directory import SYSTEM_GROUPS, Identity
from tokenkit.sandbox.scim_documents import (
    KEPT_ATTRIBUTES,
    LIST_SCHEMA,
    NAME_ATTRIBUTES,
    RESOURCES,
    documents,
    projection,
)
from tokenkit.sandbox.scim_filter import condition
from tokenkit.sandbox.scim_patch import Draft, apply_operations, boolean, checked_attribute, member_ids

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenkit.sandbox.directory import Kind
    from tokenkit.sandbox.routes import Call

__all__ = [
    "RESOURCES",
    "create_resource",
    "delete_resource",
    "get_me",
    "get_resource",
    "list_resources",
    "patch_resource",
    "put_resource",
]

# The SDK asks for 10,000 at once; a smaller page makes every client really turn pages.
LARGEST_PAGE = 1000
_CONTENT_TYPE = "application/scim+json"
_SORTABLE = {"id": "id", "username": "name", "applicationid": "name", "displayname": "display_name"}


def list_resources(call: Call) -> Answer:
    """Answer one page of a kind, by id unless ``sortBy`` says otherwise."""
    kind, query = _kind(call), call.request.query
    where, parameters = condition(query.get("filter"), kind)
    start = max(1, _number(query, "startIndex", 1))
    count = min(LARGEST_PAGE, max(0, _number(query, "count", LARGEST_PAGE)))
    column = _SORTABLE.get((query.get("sortBy") or "id").lower())
    if column is None:
        raise ScimError(400, f"Cannot sort by {query['sortBy']}", "invalidPath")
    column = "name" if kind == "group" and column == "display_name" else column
    order = f"{column} DESC, id" if query.get("sortOrder") == "descending" else f"{column}, id"
    page = call.state.directory.page(kind, where, parameters, order=order, offset=start - 1, limit=count)
    answer = {
        "schemas": [LIST_SCHEMA],
        "totalResults": call.state.directory.count(kind, where, parameters),
        "startIndex": start,
        "itemsPerPage": len(page),
        "Resources": _shown(call, page),
    }
    return _answer(answer)


def get_resource(call: Call) -> Answer:
    """Answer one identity."""
    return _answer(_shown(call, [_identity(call)])[0])


def get_me(call: Call) -> Answer:
    """Answer the caller; a service principal is answered as a user whose userName is its application id."""
    return _answer(_shown(call, [replace(call.caller.identity, kind="user")])[0])


def create_resource(call: Call) -> Answer:
    """Add an identity, in the groups and with the members that the body names."""
    kind, payload, directory = _kind(call), call.request.json(), call.state.directory
    # Off Azure the platform invents application ids; whoever gives one keeps it.
    invented = call.state.new_uuid() if kind == "service_principal" else None
    name = payload.get(NAME_ATTRIBUTES[kind]) or invented
    if not isinstance(name, str) or not name.strip():
        raise ScimError(400, f"{NAME_ATTRIBUTES[kind]} is required", "invalidValue")
    if directory.named(kind, name) is not None:
        raise ScimError(409, f"{kind} with {NAME_ATTRIBUTES[kind]} {name} already exists.", "uniqueness")
    members = _check_members(call, member_ids(payload.get("members")), within=None)
    groups = _check_groups(call, member_ids(payload.get("groups")))
    display_name = None if kind == "group" else _text(payload, "displayName") or name
    identity = directory.add(
        kind, name, display_name, active=boolean(payload.get("active", True)), attributes=_kept(payload, kind, name)
    )
    directory.join(identity.id, members)
    for group_id in groups:
        directory.join(group_id, [identity.id])
    return _answer(_shown(call, [identity])[0], status=201)


def put_resource(call: Call) -> Answer:
    """Replace what may be replaced; userName, applicationId and emails stay, as the platform documents."""
    identity, payload = _identity(call), call.request.json()
    draft = Draft(identity, members=None)
    if identity.kind == "group":
        draft.rename(payload.get("displayName", identity.name))
        draft.members = set(member_ids(payload.get("members")))
    else:
        draft.identity = replace(
            identity,
            display_name=_text(payload, "displayName") or identity.display_name,
            active=boolean(payload.get("active", identity.active)),
        )
    kept = _kept({**payload, "emails": identity.attributes.get("emails")}, identity.kind, identity.name)
    draft.identity = replace(draft.identity, attributes=kept)
    return _save(call, identity, draft)


def patch_resource(call: Call) -> Answer:
    """Carry out a PatchOp."""
    identity, payload = _identity(call), call.request.json()
    members = None
    if identity.kind == "group":
        members = {member_id for _, member_id, _, _ in call.state.directory.members([identity.id])}
    draft = Draft(identity, members)
    apply_operations(draft, payload.get("Operations"))
    return _save(call, identity, draft)


def delete_resource(call: Call) -> Answer:
    """Remove an identity, its memberships and its entry in the permissions."""
    identity = _identity(call)
    if identity.kind == "group" and identity.name in SYSTEM_GROUPS:
        raise ScimError(403, f"The system group {identity.name} cannot be deleted")
    call.state.directory.remove(identity.id)
    call.state.permissions.forget(identity.id)
    return Answer(204, b"")


def _save(call: Call, before: Identity, draft: Draft) -> Answer:
    directory, after = call.state.directory, draft.identity
    if after.name != before.name:
        if before.name in SYSTEM_GROUPS:
            raise ScimError(403, f"The system group {before.name} cannot be renamed")
        other = directory.named(after.kind, after.name)
        if other is not None and other.id != before.id:
            raise ScimError(409, f"{after.kind} with displayName {after.name} already exists.", "uniqueness")
    if after != before:
        directory.replace(after)
    if draft.members is not None:
        members = _check_members(call, sorted(draft.members), within=before.id)
        directory.leave(before.id)
        directory.join(before.id, members)
    return _answer(_shown(call, [after])[0])


def _check_members(call: Call, ids: list[int], *, within: int | None) -> list[int]:
    for member_id in ids:
        if member_id == within or call.state.directory.get(member_id) is None:
            raise ScimError(
                400, f"{member_id} cannot be a member: no such user, service principal or group", "invalidValue"
            )
    return ids


def _check_groups(call: Call, ids: list[int]) -> list[int]:
    for group_id in ids:
        if call.state.directory.get(group_id, "group") is None:
            raise ScimError(400, f"Group with id {group_id} not found.", "invalidValue")
    return ids


def _kind(call: Call) -> Kind:
    return RESOURCES[call.parameters["resource"]]


def _identity(call: Call) -> Identity:
    text, kind = call.parameters["id"], _kind(call)
    is_id = text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 2**63
    identity = call.state.directory.get(int(text), kind) if is_id else None
    if identity is None:
        raise ScimError(404, f"{call.parameters['resource'][:-1]} with id {text} not found.")
    return identity


def _kept(payload: Mapping[str, Any], kind: Kind, name: str) -> dict[str, Any]:
    kept: dict[str, Any] = {
        attribute: checked_attribute(attribute, payload[attribute])
        for attribute in KEPT_ATTRIBUTES
        if payload.get(attribute)
    }
    if kind == "user":
        kept.setdefault("emails", [{"type": "work", "value": name, "primary": True}])
    return kept


def _text(payload: Mapping[str, Any], attribute: str) -> str | None:
    value = payload.get(attribute)
    if value is not None and not isinstance(value, str):
        raise ScimError(400, f"{attribute} must be a string", "invalidValue")
    return value


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "") or str(default)
    if not (text.removeprefix("-").isdigit() and text.isascii() and len(text) < 19):
        raise ScimError(400, f"{name} must be an integer, not {text!r}", "invalidValue")
    return int(text)


def _shown(call: Call, identities: list[Identity]) -> list[dict[str, Any]]:
    query = call.request.query
    wanted = projection(query.get("attributes"), query.get("excludedAttributes"))
    return documents(call.state.directory, identities, wanted)


def _answer(document: Mapping[str, Any], status: int = 200) -> Answer:
    return Answer(status, encode(document), _CONTENT_TYPE)
