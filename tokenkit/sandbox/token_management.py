"""The handlers of token management, of token permissions, and of the workspace's token settings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.answers import Answer, ApiError, invalid
from tokenkit.sandbox.permissions import LEVELS
from tokenkit.sandbox.settings import check_keys
from tokenkit.sandbox.tokens import in_order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenkit.sandbox.routes import Call

_MUTABLE = ("comment", "scopes")


def list_tokens(call: Call) -> Answer:
    """Answer every token, or those of one creator; nothing found is an empty object.

    Expired tokens stay in the listing: whether the platform lists them is not documented, and a client must cope.
    """
    documents = call.state.tokens.documents(
        created_by_id=_creator_id(call.request.query.get("created_by_id")),
        created_by_username=call.request.query.get("created_by_username") or None,
    )
    return Answer(200, b"".join((b'{"token_infos":[', b",".join(documents), b"]}")) if documents else b"{}")


def get_token(call: Call) -> Answer:
    """Answer one token."""
    return Answer(200, b'{"token_info":' + _document(call).encode() + b"}")


def delete_token(call: Call) -> Answer:
    """Remove a token for good; the answer's form is not documented, an empty object here."""
    if not call.state.tokens.delete(call.parameters["token_id"]):
        raise _no_such_token()
    return Answer()


def update_token(call: Call) -> Answer:
    """Change a token's comment or scopes, and answer the token itself, unwrapped."""
    payload = call.request.json()
    info = apply_update(json.loads(_document(call)), payload)
    call.state.tokens.replace(info)
    return Answer.of(info)


def create_obo_token(call: Call) -> Answer:
    """Mint a token that acts as a service principal."""
    payload = call.request.json()
    call.state.settings.check_tokens_enabled()
    application_id = payload.get("application_id")
    if not isinstance(application_id, str) or not application_id:
        raise invalid("application_id is required")
    owner = call.state.directory.named("service_principal", application_id)
    if owner is None:
        raise invalid(f"Service principal with application_id {application_id} does not exist")
    minted = call.state.tokens.mint(
        owner_id=owner.id,
        # The creator is the admin who asked. That the username is the service principal's application id is seen in
        # clients and not documented.
        created_by_id=call.caller.identity.id,
        created_by_username=owner.name,
        **lifetime_and_labels(call, payload),
    )
    return Answer.of({"token_value": minted.value, "token_info": minted.info})


def get_permission_levels(_: Call) -> Answer:
    """Answer the levels that tokens know."""
    levels = [{"permission_level": level, "description": description} for level, description in LEVELS.items()]
    return Answer.of({"permission_levels": levels})


def get_permissions(call: Call) -> Answer:
    """Answer the access control list."""
    _check_tokens_exist(call)
    return Answer.of(call.state.permissions.document())


def set_permissions(call: Call) -> Answer:
    """Replace the access control list."""
    _check_tokens_exist(call)
    call.state.permissions.replace(call.request.json().get("access_control_list"), now_ms=call.now_ms)
    return Answer.of(call.state.permissions.document())


def update_permissions(call: Call) -> Answer:
    """Add to the access control list."""
    _check_tokens_exist(call)
    call.state.permissions.update(call.request.json().get("access_control_list"), now_ms=call.now_ms)
    return Answer.of(call.state.permissions.document())


def get_settings(call: Call) -> Answer:
    """Answer the settings asked for; an unset one is null."""
    names = [name for name in call.request.query.get("keys", "").split(",") if name]
    if not names:
        raise invalid("keys is required: a list of settings separated by commas")
    check_keys(names)
    return Answer.of({name: call.state.settings.get(name) for name in names})


def set_settings(call: Call) -> Answer:
    """Change settings."""
    changes = call.request.json()
    check_keys(changes)
    for name, value in changes.items():
        call.state.settings.set(name, value)
    return Answer(204, b"")


def apply_update(info: Mapping[str, Any], payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return a listing entry with the masked fields of an update written over it.

    Raises:
        ApiError: 400, when the mask names anything but comment and scopes, or a value has the wrong type.
    """
    mask = payload.get("update_mask")
    if not isinstance(mask, str) or not mask:
        raise invalid("update_mask is required: comment, scopes, or both separated by a comma")
    names = _MUTABLE if mask == "*" else tuple(mask.split(","))
    for name in names:
        if name not in _MUTABLE:
            # The documentation does not say which fields are mutable; these two are what its example names.
            raise invalid(f"Field {name!r} of update_mask cannot be updated; use comment and scopes")
    token = payload.get("token", {})
    if not isinstance(token, dict):
        raise invalid("token must be an object")
    checked = {"comment": _comment(token), "scopes": _scopes(token)}
    changed = {**info, **{name: checked[name] for name in names}}
    return in_order({name: value for name, value in changed.items() if value not in (None, "", [])})


def lifetime_and_labels(call: Call, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what both ways of minting a token read from their body, checked."""
    autoscope_enabled = payload.get("autoscope_enabled")
    if autoscope_enabled is not None and not isinstance(autoscope_enabled, bool):
        raise invalid("autoscope_enabled must be true or false")
    return {
        "creation_time": call.now_ms,
        "expiry_time": call.state.settings.expiry_time(payload.get("lifetime_seconds"), now_ms=call.now_ms),
        "comment": _comment(payload),
        "scopes": _scopes(payload),
        "autoscope_enabled": autoscope_enabled,
    }


def _document(call: Call) -> str:
    document = call.state.tokens.document(call.parameters["token_id"])
    if document is None:
        raise _no_such_token()
    return document


def _no_such_token() -> ApiError:
    return ApiError(404, "NOT_FOUND", "Token does not exist")


def _check_tokens_exist(call: Call) -> None:
    # The platform creates the permissions object with the first token (Terraform issue 1122).
    if not call.state.tokens.exist():
        raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", "tokens tokens does not exist")


def _creator_id(text: str | None) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 2**63):
        raise invalid(f"created_by_id must be an integer, not {text!r}")
    return int(text)


def _comment(payload: Mapping[str, Any]) -> str | None:
    comment = payload.get("comment")
    if comment is not None and not isinstance(comment, str):
        raise invalid("comment must be a string")
    return comment


def _scopes(payload: Mapping[str, Any]) -> list[str] | None:
    scopes = payload.get("scopes")
    if scopes is None:
        return None
    if not isinstance(scopes, list) or not all(isinstance(scope, str) and scope for scope in scopes):
        raise invalid("scopes must be a list of strings")
    return scopes
