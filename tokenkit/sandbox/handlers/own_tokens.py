"""The handlers of ``/api/2.0/token``: operations of a user on their own tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.handlers.token_management import apply_update, lifetime_and_labels
from tokenkit.sandbox.responses import ApiError, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenkit.sandbox.handlers.call import Call

# The reference's PublicTokenInfo, which has no owner and no creator.
_PUBLIC_FIELDS = (
    "autoscope_state", "backfill_scopes", "comment", "creation_time", "expiry_time", "inferred_scopes",
    "scopes", "token_id",
)  # fmt: skip


def create_token(call: Call) -> Response:
    """Create a token for the caller."""
    payload = call.request.json()
    call.state.settings.check_tokens_enabled()
    owner = call.caller.identity
    if owner.id not in call.state.permissions.holders():
        raise ApiError(403, "PERMISSION_DENIED", f"{owner.name} does not have permission to create tokens")
    minted = call.state.tokens.mint(
        owner_id=owner.id, created_by_id=owner.id, created_by_username=owner.name, **lifetime_and_labels(call, payload)
    )
    return Response.of({"token_value": minted.value, "token_info": _public_info(minted.info)})


def list_own_tokens(call: Call) -> Response:
    """Return the caller's active tokens."""
    infos = call.state.tokens.of_owner(call.caller.identity.id, active_at=call.now_ms)
    return Response.of({"token_infos": [_public_info(info) for info in infos]} if infos else {})


def delete_own_token(call: Call) -> Response:
    """Delete one of the caller's tokens."""
    info = _own_token_info(call, call.request.json().get("token_id"), "RESOURCE_DOES_NOT_EXIST")
    call.state.tokens.delete(info["token_id"])
    return Response()


def update_own_token(call: Call) -> Response:
    """Change the comment or the scopes of one of the caller's tokens."""
    info = _own_token_info(call, call.parameters["token_id"], "NOT_FOUND")
    call.state.tokens.replace(apply_update(info, call.request.json()))
    return Response()


def _own_token_info(call: Call, token_id: object, error_code: str) -> dict[str, Any]:
    document = call.state.tokens.document(token_id) if isinstance(token_id, str) else None
    info: dict[str, Any] = json.loads(document) if document else {}
    # Another owner's token gets the same response as an unknown one, so that callers cannot probe for tokens.
    if info.get("owner_id") != call.caller.identity.id:
        raise ApiError(404, error_code, "Token does not exist")
    return info


def _public_info(info: Mapping[str, Any]) -> dict[str, Any]:
    return {name: info[name] for name in _PUBLIC_FIELDS if name in info}
