"""SCIM's PatchOp: a list of small edits, carried out on a draft before anything is written."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.answers import ScimError
from tokenkit.sandbox.scim_documents import KEPT_ATTRIBUTES

if TYPE_CHECKING:
    from tokenkit.sandbox.directory import Identity

_ELEMENT = re.compile(r'(\w+)\[\s*value\s+eq\s+"([^"]*)"\s*\]', re.IGNORECASE)
_LISTS = {"entitlements", "roles", "emails"}
# The platform documents these as ignored, not refused.
_IGNORED = {"username", "emails", "applicationid", "id", "schemas", "groups", "meta"}


@dataclass(slots=True)
class Draft:
    """An identity as it will be; ``members`` is None where there are none to change."""

    identity: Identity
    members: set[int] | None

    def rename(self, name: object) -> None:
        """Give the identity another displayed name, which for a group is its name."""
        if not isinstance(name, str) or not name.strip():
            raise ScimError(400, "displayName must be a string", "invalidValue")
        is_group = self.identity.kind == "group"
        self.identity = replace(self.identity, name=name) if is_group else replace(self.identity, display_name=name)


def apply_operations(draft: Draft, operations: object) -> None:
    """Carry out the operations of a PatchOp on a draft.

    Raises:
        ScimError: 400, when an operation is none, or names what cannot be changed.
    """
    if not isinstance(operations, list) or not operations:
        raise ScimError(400, "Operations must be a list of at least one operation", "invalidSyntax")
    for operation in operations:
        if not isinstance(operation, dict) or not isinstance(operation.get("op"), str):
            raise ScimError(400, "An operation must be an object with an op", "invalidSyntax")
        verb, path, value = operation["op"].lower(), operation.get("path"), operation.get("value")
        if verb not in ("add", "remove", "replace"):
            raise ScimError(400, f"Unknown operation {operation['op']!r}", "invalidSyntax")
        if path:
            _apply(draft, verb, str(path), value)
        elif isinstance(value, dict):
            for name, each in value.items():
                _apply(draft, verb, name, each)
        else:
            raise ScimError(400, "An operation without a path needs an object as its value", "noTarget")


def boolean(value: object) -> bool:
    """Return SCIM's ``active``; some identity providers send it as text."""
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if isinstance(value, bool):
        return value
    raise ScimError(400, "active must be true or false", "invalidValue")


def member_ids(value: object) -> list[int]:
    """Return the ids in a list of references; None is an empty one."""
    references = [value] if isinstance(value, dict) else value or []
    if not isinstance(references, list):
        raise ScimError(400, "A list of references is needed", "invalidValue")
    ids = []
    for reference in references:
        text = str(reference.get("value", "")) if isinstance(reference, dict) else ""
        if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 2**63):
            raise ScimError(400, f"{reference!r} is not a reference: an object with an id as its value", "invalidValue")
        ids.append(int(text))
    return ids


def checked_attribute(name: str, value: object) -> object:
    """Return the value of a kept attribute, after checking that it has the attribute's shape."""
    if name in _LISTS:
        fits = isinstance(value, list) and all(isinstance(each, dict) for each in value)
    else:
        fits = isinstance(value, dict if name == "name" else str)
    if not fits:
        raise ScimError(400, f"The value of {name} has the wrong type", "invalidValue")
    return value


def _apply(draft: Draft, verb: str, path: str, value: object) -> None:
    element = _ELEMENT.fullmatch(path.strip())
    name = (element[1] if element else path.partition(".")[0]).strip().lower()
    if name == "members":
        value = [{"value": element[2]}] if element else value
        _edit_members(draft, verb, value)
    elif name in _IGNORED:
        return
    elif name == "active" and draft.identity.kind != "group" and verb != "remove":
        draft.identity = replace(draft.identity, active=boolean(value))
    elif name == "displayname" and verb != "remove":
        draft.rename(value)
    else:
        _edit_attribute(draft, verb, path.strip(), value, element[2] if element else None)


def _edit_members(draft: Draft, verb: str, value: object) -> None:
    if draft.members is None:
        raise ScimError(400, "Only a group has members", "invalidPath")
    ids = set(member_ids(value))
    if verb == "replace":
        draft.members = ids
    elif verb == "add":
        draft.members |= ids
    else:
        draft.members -= ids if value else set(draft.members)


def _edit_attribute(draft: Draft, verb: str, path: str, value: object, element: str | None) -> None:
    names = {name.lower(): name for name in KEPT_ATTRIBUTES}
    parent, _, child = path.partition("[")[0].partition(".")
    name = names.get(parent.lower())
    if name is None:
        raise ScimError(400, f"{path} cannot be changed", "invalidPath")
    attributes: dict[str, Any] = dict(draft.identity.attributes)
    old = attributes.get(name)
    if name in _LISTS:
        attributes[name] = _edited_list(old or [], verb, value, element)
    elif child and isinstance(old, dict | None):
        attributes[name] = {**(old or {}), child: value}
    else:
        attributes[name] = value
    if verb == "remove" and not child and name not in _LISTS:
        attributes[name] = None
    kept = {key: each for key, each in attributes.items() if each}
    if name in kept:
        checked_attribute(name, kept[name])
    draft.identity = replace(draft.identity, attributes=kept)


def _edited_list(old: list[Any], verb: str, value: object, element: str | None) -> list[Any]:
    given = value if isinstance(value, list) else [value] if value else []
    if element is not None and verb == "remove":
        return [each for each in old if each.get("value") != element]
    if verb == "remove":
        return [each for each in old if given and each not in given]
    if verb == "replace":
        return given
    return old + [each for each in given if each not in old]
