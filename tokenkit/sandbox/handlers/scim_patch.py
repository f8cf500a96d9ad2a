"""SCIM's PatchOp: a list of operations, applied to a copy of the identity before anything is written."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.handlers.scim_documents import STORED_ATTRIBUTES
from tokenkit.sandbox.responses import ScimError, whole_number

if TYPE_CHECKING:
    from tokenkit.sandbox.state.directory import Identity

_ELEMENT = re.compile(r'(\w+)\[\s*value\s+eq\s+"([^"]*)"\s*\]', re.IGNORECASE)
_LISTS = {"entitlements", "roles", "emails"}
_SCHEMA = re.compile(r"urn:[\w:.]+:2\.0:\w+:(?=\w)", re.IGNORECASE)
# The platform ignores these, according to its documentation.
_IGNORED = {"username", "emails", "applicationid", "id", "schemas", "groups", "meta"}


@dataclass(slots=True)
class IdentityEdit:
    """An edited identity; ``members`` is None except for a group."""

    identity: Identity
    members: set[int] | None

    def rename(self, name: object) -> None:
        """Change the display name, which is the name of a group."""
        if not isinstance(name, str) or not name.strip():
            raise ScimError(400, "displayName must be a string", "invalidValue")
        is_group = self.identity.kind == "group"
        self.identity = replace(self.identity, name=name) if is_group else replace(self.identity, display_name=name)


def apply_operations(edit: IdentityEdit, operations: object) -> None:
    """Apply the operations of a PatchOp to an identity.

    Raises:
        ScimError: 400, if an operation is malformed or its path cannot be changed.
    """
    if not isinstance(operations, list) or not operations:
        raise ScimError(400, "Operations must be a list of at least one operation", "invalidSyntax")
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("op"), str):
            raise ScimError(400, "An operation must be an object with an op", "invalidSyntax")
        op, path, value = operation["op"].lower(), operation.get("path"), operation.get("value")
        if op not in ("add", "remove", "replace"):
            raise ScimError(400, f"Unknown operation {operation['op']!r}", "invalidSyntax")
        if path:
            _apply(edit, op, str(path), value)
        elif isinstance(value, dict):
            for name, attribute in value.items():
                _apply(edit, op, name, attribute)
        else:
            raise ScimError(400, "An operation without a path needs an object as its value", "noTarget")


def boolean(value: object) -> bool:
    """Return the value of ``active``.

    Some identity providers send it as a string, and the platform's documentation as a list of one object.
    """
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        value = value[0].get("value")
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if isinstance(value, bool):
        return value
    raise ScimError(400, "active must be true or false", "invalidValue")


def member_ids(value: object) -> list[int]:
    """Return the ids in a list of references; None is an empty list."""
    references = [value] if isinstance(value, dict) else value or []
    if not isinstance(references, list):
        raise ScimError(400, "Expected a list of references", "invalidValue")
    ids = []
    for reference in references:
        number = whole_number(str(reference.get("value", ""))) if isinstance(reference, dict) else None
        if number is None:
            raise ScimError(
                400, f"{reference!r} is not a reference: expected an object with an id as its value", "invalidValue"
            )
        ids.append(number)
    return ids


def checked_attribute(name: str, value: object) -> object:
    """Return the value of a stored attribute, after checking its type.

    An element without a value is dropped: Terraform sends one, so that the platform adds no entitlements of its own.
    """
    if name in _LISTS:
        is_valid = isinstance(value, list) and all(isinstance(element, dict) for element in value)
        if isinstance(value, list) and is_valid:
            value = [element for element in value if element.get("value")]
    else:
        is_valid = isinstance(value, dict if name == "name" else str)
    if not is_valid:
        raise ScimError(400, f"The value of {name} has the wrong type", "invalidValue")
    return value


def _apply(edit: IdentityEdit, op: str, path: str, value: object) -> None:
    path = _SCHEMA.sub("", path.strip(), count=1)
    element = _ELEMENT.fullmatch(path)
    name = re.split(r"[.\[]", path, maxsplit=1)[0].strip().lower()
    if name == "members":
        value = [{"value": element[2]}] if element else value
        _edit_members(edit, op, value)
    elif name in _IGNORED:
        return
    elif name == "active" and edit.identity.kind != "group" and op != "remove":
        edit.identity = replace(edit.identity, active=boolean(value))
    elif name == "displayname" and op != "remove":
        edit.rename(value)
    else:
        _edit_attribute(edit, op, path, value, element[2] if element else None)


def _edit_members(edit: IdentityEdit, op: str, value: object) -> None:
    if edit.members is None:
        raise ScimError(400, "Only a group has members", "invalidPath")
    ids = set(member_ids(value))
    if op == "replace":
        edit.members = ids
    elif op == "add":
        edit.members |= ids
    else:
        edit.members -= ids if value else set(edit.members)


def _edit_attribute(edit: IdentityEdit, op: str, path: str, value: object, element: str | None) -> None:
    names = {name.lower(): name for name in STORED_ATTRIBUTES}
    parent, _, child = path.partition("[")[0].partition(".")
    name = names.get(parent.lower())
    if name is None:
        raise ScimError(400, f"{path} cannot be changed", "invalidPath")
    attributes: dict[str, Any] = dict(edit.identity.attributes)
    old = attributes.get(name)
    if name in _LISTS:
        attributes[name] = _edited_list(old or [], op, value, element)
    elif child and isinstance(old, dict | None):
        attributes[name] = {**(old or {}), child: value}
    else:
        attributes[name] = value
    if op == "remove" and not child and name not in _LISTS:
        attributes[name] = None
    if attributes[name]:
        attributes[name] = checked_attribute(name, attributes[name])
    attributes = {key: content for key, content in attributes.items() if content}
    edit.identity = replace(edit.identity, attributes=attributes)


def _edited_list(old: list[Any], op: str, value: object, element: str | None) -> list[Any]:
    given = value if isinstance(value, list) else [value] if value else []
    if element is not None and op == "remove":
        return [item for item in old if item.get("value") != element]
    if op == "remove":
        return [item for item in old if given and item not in given]
    if op == "replace":
        return given
    return old + [item for item in given if item not in old]
