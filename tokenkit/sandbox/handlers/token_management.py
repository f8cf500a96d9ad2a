"""The handlers of token management and token permissions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.responses import ApiError, Response, invalid, whole_number
from tokenkit.sandbox.state.permissions import LEVELS
from tokenkit.sandbox.state.rule_sets import USER, rule_set_name
from tokenkit.sandbox.state.tokens import in_order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenkit.sandbox.handlers.call import Call

_MUTABLE = ("comment", "scopes")


def list_tokens(call: Call) -> Response:
    """Return every token, or those of one creator; an empty object if there are none.

    Expired tokens are listed. The documentation does not say whether the platform lists them, so clients must handle
    them.
    """
    documents = call.state.tokens.documents(
        created_by_id=_creator_id(call.request.query.get("created_by_id")),
        created_by_username=call.request.query.get("created_by_username") or None,
    )
    return Response(200, b"".join((b'{"token_infos":[', b",".join(documents), b"]}")) if documents else b"{}")


def get_token(call: Call) -> Response:
    """Return one token."""
    return Response(200, b'{"token_info":' + _document(call).encode() + b"}")


def delete_token(call: Call) -> Response:
    """Delete a token. The response is an empty object; its form is not documented."""
    if not call.state.tokens.delete(call.parameters["token_id"]):
        raise _no_such_token()
    return Response()


def update_token(call: Call) -> Response:
    """Change a token's comment or scopes, and return the token, unwrapped."""
    payload = call.request.json()
    info = apply_update(json.loads(_document(call)), payload)
    call.state.tokens.replace(info)
    return Response.of(info)


def create_obo_token(call: Call) -> Response:
    """Create a token that acts as a service principal."""
    payload = call.request.json()
    call.state.settings.check_tokens_enabled()
    application_id = payload.get("application_id")
    if not isinstance(application_id, str) or not application_id:
        raise invalid("application_id is required")
    owner = call.state.directory.named("service_principal", application_id)
    if owner is None:
        raise invalid(f"Service principal with application_id {application_id} does not exist")
    _check_may_act_as(call, application_id)
    minted = call.state.tokens.mint(
        owner_id=owner.id,
        # The creator is the admin who called. The creator's username is the service principal's application id: clients
        # show this, and it is not documented.
        created_by_id=call.caller.identity.id,
        created_by_username=owner.name,
        **lifetime_and_labels(call, payload),
    )
    return Response.of({"token_value": minted.value, "token_info": minted.info})


def get_permission_levels(_: Call) -> Response:
    """Return the permission levels of tokens."""
    levels = [{"permission_level": level, "description": description} for level, description in LEVELS.items()]
    return Response.of({"permission_levels": levels})


def get_permissions(call: Call) -> Response:
    """Return the access control list."""
    _check_tokens_exist(call)
    return Response.of(call.state.permissions.document())


def set_permissions(call: Call) -> Response:
    """Replace the access control list."""
    _check_tokens_exist(call)
    call.state.permissions.replace(call.request.json().get("access_control_list"), now_ms=call.now_ms)
    return Response.of(call.state.permissions.document())


def update_permissions(call: Call) -> Response:
    """Add to the access control list."""
    _check_tokens_exist(call)
    call.state.permissions.update(call.request.json().get("access_control_list"), now_ms=call.now_ms)
    return Response.of(call.state.permissions.document())


def apply_update(info: Mapping[str, Any], payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return a listing entry with the masked fields of an update written over it.

    Raises:
        ApiError: 400, if the mask has a field other than comment and scopes, or a value has the wrong type.
    """
    mask = payload.get("update_mask")
    if not isinstance(mask, str) or not mask:
        raise invalid("update_mask is required: comment, scopes, or both separated by a comma")
    names = _MUTABLE if mask == "*" else tuple(mask.split(","))
    for name in names:
        if name not in _MUTABLE:
            # The documentation does not list the mutable fields; its example has these two.
            raise invalid(f"Field {name!r} of update_mask cannot be updated; use comment and scopes")
    token = payload.get("token", {})
    if not isinstance(token, dict):
        raise invalid("token must be an object")
    checked = {"comment": _comment(token), "scopes": _scopes(token)}
    changed = {**info, **{name: checked[name] for name in names}}
    return in_order({name: value for name, value in changed.items() if value not in (None, "", [])})


def lifetime_and_labels(call: Call, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the validated fields that both endpoints for creating a token read from the body."""
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


def _check_may_act_as(call: Call, application_id: str) -> None:
    """Check that an admin can create a token on behalf of a service principal, where the workspace restricts it."""
    if not call.state.restriction.is_restricted:
        return
    caller = call.caller.identity
    groups = {f"groups/{name}" for _, _, _, name in call.state.directory.groups_of([caller.id])}
    own = f"{'users' if caller.kind == 'user' else 'servicePrincipals'}/{caller.name}"
    name = rule_set_name(call.account.account_id, application_id)
    if not call.account.rule_sets.grants(name, USER, groups | {own}):
        message = f"{caller.name} does not have the role Service Principal User on {application_id}"
        raise ApiError(403, "PERMISSION_DENIED", message)


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
    creator_id = whole_number(text)
    if creator_id is None:
        raise invalid(f"created_by_id must be an integer, not {text!r}")
    return creator_id


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
