"""The SCIM handlers: users, service principals and groups, according to RFC 7644 and the platform's documentation.

Deleting a user or service principal deletes nothing else: their tokens stay in the listing without an owner, and no
longer work. This is the sandbox's choice (the platform's behavior is not documented), and an audit must find them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.handlers.scim_documents import (
    LIST_SCHEMA,
    NAME_ATTRIBUTES,
    RESOURCES,
    STORED_ATTRIBUTES,
    documents,
    projection,
)
from tokenkit.sandbox.handlers.scim_filter import COLUMNS, condition
from tokenkit.sandbox.handlers.scim_patch import IdentityEdit, apply_operations, boolean, checked_attribute, member_ids
from tokenkit.sandbox.responses import Response, ScimError, encode, whole_number
from tokenkit.sandbox.state.directory import SYSTEM_GROUPS, Identity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenkit.sandbox.handlers.call import Call
    from tokenkit.sandbox.state.directory import Kind

# The SDK requests 10,000 at once. With a smaller page, every client must paginate.
MAX_PAGE_SIZE = 1000
_CONTENT_TYPE = "application/scim+json"


def list_resources(call: Call) -> Response:
    """Return one page of a resource type, sorted by id unless ``sortBy`` is given."""
    kind, query = _kind(call), call.request.query
    where, parameters = condition(query.get("filter"), kind)
    start = max(1, _number(query, "startIndex", 1))
    count = min(MAX_PAGE_SIZE, max(0, _number(query, "count", MAX_PAGE_SIZE)))
    sort_by = query.get("sortBy") or "id"
    column = "id" if sort_by.lower() == "id" else COLUMNS[kind].get(sort_by.lower())
    if column is None:
        raise ScimError(400, f"Cannot sort by {sort_by}", "invalidPath")
    order = f"{column} DESC, id" if query.get("sortOrder", "").lower() == "descending" else f"{column}, id"
    page = call.state.directory.page(kind, where, parameters, order=order, offset=start - 1, limit=count)
    document = {
        "schemas": [LIST_SCHEMA],
        "totalResults": call.state.directory.count(kind, where, parameters),
        "startIndex": start,
        "itemsPerPage": len(page),
        "Resources": _documents(call, page),
    }
    return _scim_response(document)


def get_resource(call: Call) -> Response:
    """Return one identity."""
    return _scim_response(_documents(call, [find_identity(call)])[0])


def get_me(call: Call) -> Response:
    """Return the caller. A service principal is returned as a user whose userName is its application id."""
    return _scim_response(_documents(call, [replace(call.caller.identity, kind="user")])[0])


def create_resource(call: Call) -> Response:
    """Create an identity with the groups and members in the body."""
    kind, payload, directory = _kind(call), call.request.json(), call.state.directory
    # Outside Azure, the platform generates application ids; one in the body is used as it is.
    generated = call.state.new_uuid() if kind == "service_principal" else None
    name = payload.get(NAME_ATTRIBUTES[kind]) or generated
    if not isinstance(name, str) or not name.strip():
        raise ScimError(400, f"{NAME_ATTRIBUTES[kind]} is required", "invalidValue")
    if directory.named(kind, name) is not None:
        raise ScimError(409, f"{kind} with {NAME_ATTRIBUTES[kind]} {name} already exists.", "uniqueness")
    members = _check_members(call, member_ids(payload.get("members")), within=None)
    groups = _check_groups(call, member_ids(payload.get("groups")))
    display_name = None if kind == "group" else _text(payload, "displayName") or name
    identity = directory.add(
        kind,
        name,
        display_name,
        active=boolean(payload.get("active", True)),
        attributes=_stored_attributes(payload, kind, name),
    )
    directory.add_members(identity.id, members)
    for group_id in groups:
        directory.add_members(group_id, [identity.id])
    return _scim_response(_documents(call, [identity])[0], status=201)


def put_resource(call: Call) -> Response:
    """Replace an identity; userName, applicationId and emails do not change, as the platform documents."""
    identity, payload = find_identity(call), call.request.json()
    edit = IdentityEdit(identity, members=None)
    if identity.kind == "group":
        edit.rename(payload.get("displayName", identity.name))
        edit.members = set(member_ids(payload.get("members")))
    else:
        edit.identity = replace(
            identity,
            display_name=_text(payload, "displayName") or identity.display_name,
            active=boolean(payload.get("active", identity.active)),
        )
    attributes = _stored_attributes(
        {**payload, "emails": identity.attributes.get("emails")}, identity.kind, identity.name
    )
    edit.identity = replace(edit.identity, attributes=attributes)
    return _save(call, identity, edit)


def patch_resource(call: Call) -> Response:
    """Apply a PatchOp."""
    identity, payload = find_identity(call), call.request.json()
    members = None
    if identity.kind == "group":
        members = {member_id for _, member_id, _, _ in call.state.directory.members([identity.id])}
    edit = IdentityEdit(identity, members)
    apply_operations(edit, payload.get("Operations"))
    return _save(call, identity, edit)


def delete_resource(call: Call) -> Response:
    """Delete an identity, its memberships and its entry in the access control list."""
    identity = find_identity(call)
    if identity.kind == "group" and identity.name in SYSTEM_GROUPS:
        raise ScimError(403, f"The system group {identity.name} cannot be deleted")
    call.state.remove(identity.id)
    return Response(204, b"")


def _save(call: Call, before: Identity, edit: IdentityEdit) -> Response:
    directory, after = call.state.directory, edit.identity
    if after.name != before.name:
        if before.name in SYSTEM_GROUPS:
            raise ScimError(403, f"The system group {before.name} cannot be renamed")
        other = directory.named(after.kind, after.name)
        if other is not None and other.id != before.id:
            raise ScimError(409, f"{after.kind} with displayName {after.name} already exists.", "uniqueness")
    if after != before:
        directory.replace(after)
    if edit.members is not None:
        members = _check_members(call, sorted(edit.members), within=before.id)
        directory.remove_members(before.id)
        directory.add_members(before.id, members)
    return _scim_response(_documents(call, [after])[0])


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


def find_identity(call: Call) -> Identity:
    """Return the identity in the path.

    Raises:
        ScimError: 404.
    """
    text, kind = call.parameters["id"], _kind(call)
    number = whole_number(text)
    identity = None if number is None else call.state.directory.get(number, kind)
    if identity is None:
        raise ScimError(404, f"{call.parameters['resource'][:-1]} with id {text} not found.")
    return identity


def _stored_attributes(payload: Mapping[str, Any], kind: Kind, name: str) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        attribute: checked_attribute(attribute, payload[attribute])
        for attribute in STORED_ATTRIBUTES
        if payload.get(attribute)
    }
    if kind == "user":
        attributes.setdefault("emails", [{"type": "work", "value": name, "primary": True}])
    return {attribute: value for attribute, value in attributes.items() if value}


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


def _documents(call: Call, identities: list[Identity]) -> list[dict[str, Any]]:
    query = call.request.query
    wanted = projection(query.get("attributes"), query.get("excludedAttributes"))
    return documents(call.state.directory, identities, wanted)


def _scim_response(document: Mapping[str, Any], status: int = 200) -> Response:
    return Response(status, encode(document), _CONTENT_TYPE)
