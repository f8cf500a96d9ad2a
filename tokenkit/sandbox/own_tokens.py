"""The handlers of ``/api/2.0/token``: what anybody may do with their own tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.answers import Answer, ApiError
from tokenkit.sandbox.token_management import apply_update, lifetime_and_labels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenkit.sandbox.routes import Call

# The reference's PublicTokenInfo: what an owner is told, without whose the token is.
_PUBLIC = (
    "autoscope_state", "backfill_scopes", "comment", "creation_time", "expiry_time", "inferred_scopes",
    "scopes", "token_id",
)  # fmt: skip


def create_token(call: Call) -> Answer:
    """Mint a token for the caller."""
    payload = call.request.json()
    call.state.settings.check_tokens_enabled()
    me = call.caller.identity
    if me.id not in call.state.permissions.holders():
        raise ApiError(403, "PERMISSION_DENIED", f"{me.name} does not have permission to create tokens")
    minted = call.state.tokens.mint(
        owner_id=me.id, created_by_id=me.id, created_by_username=me.name, **lifetime_and_labels(call, payload)
    )
    return Answer.of({"token_value": minted.value, "token_info": _public(minted.info)})


def list_own_tokens(call: Call) -> Answer:
    """Answer the caller's valid tokens."""
    infos = call.state.tokens.of_owner(call.caller.identity.id, active_at=call.now_ms)
    return Answer.of({"token_infos": [_public(info) for info in infos]} if infos else {})


def delete_own_token(call: Call) -> Answer:
    """Remove one of the caller's tokens."""
    info = _own(call, call.request.json().get("token_id"), "RESOURCE_DOES_NOT_EXIST")
    call.state.tokens.delete(info["token_id"])
    return Answer()


def update_own_token(call: Call) -> Answer:
    """Change the comment or the scopes of one of the caller's tokens."""
    info = _own(call, call.parameters["token_id"], "NOT_FOUND")
    call.state.tokens.replace(apply_update(info, call.request.json()))
    return Answer()


def _own(call: Call, token_id: object, error_code: str) -> dict[str, Any]:
    document = call.state.tokens.document(token_id) if isinstance(token_id, str) else None
    info: dict[str, Any] = json.loads(document) if document else {}
    # Somebody else's token is answered like none at all: what exists is not for everybody to know.
    if info.get("owner_id") != call.caller.identity.id:
        raise ApiError(404, error_code, "Token does not exist")
    return info


def _public(info: Mapping[str, Any]) -> dict[str, Any]:
    return {name: info[name] for name in _PUBLIC if name in info}
