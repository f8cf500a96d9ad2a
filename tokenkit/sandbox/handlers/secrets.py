"""The handlers of ``/api/2.0/secrets``: scopes, secrets and access control lists."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from tokenkit.sandbox.responses import Response, invalid

if TYPE_CHECKING:
    from tokenkit.sandbox.handlers.call import Call
    from tokenkit.sandbox.state.directory import Kind


def list_scopes(call: Call) -> Response:
    """List the secret scopes; the key is absent if there are none."""
    scopes = [{"name": scope, "backend_type": "DATABRICKS"} for scope in call.state.secrets.scopes()]
    return Response.of({"scopes": scopes} if scopes else {})


def create_scope(call: Call) -> Response:
    """Create a secret scope, which the caller can manage."""
    payload = call.request.json()
    manager = payload.get("initial_manage_principal") or call.caller.identity.name
    call.state.secrets.add_scope(_text(payload, "scope"), _principal(call, manager))
    return Response()


def delete_scope(call: Call) -> Response:
    """Delete a secret scope with its secrets."""
    call.state.secrets.delete_scope(_text(call.request.json(), "scope"))
    return Response()


def list_secrets(call: Call) -> Response:
    """List the names of a scope's secrets; the key is absent if there are none."""
    keys = call.state.secrets.keys(_text(call.request.query, "scope"))
    secrets = [{"key": key, "last_updated_timestamp": updated_time} for key, updated_time in keys]
    return Response.of({"secrets": secrets} if secrets else {})


def put_secret(call: Call) -> Response:
    """Write a secret: ``string_value``, or ``bytes_value`` in Base64."""
    payload = call.request.json()
    if "bytes_value" in payload and "string_value" in payload:
        raise invalid("Only one of string_value and bytes_value can be given")
    if "bytes_value" in payload:
        try:
            value = base64.b64decode(_text(payload, "bytes_value"), validate=True)
        except ValueError:
            raise invalid("bytes_value must be Base64") from None
    else:
        value = _text(payload, "string_value").encode()
    call.state.secrets.put(_text(payload, "scope"), _text(payload, "key"), value, now_ms=call.now_ms)
    return Response()


def get_secret(call: Call) -> Response:
    """Return a secret's value, in Base64."""
    query = call.request.query
    key = _text(query, "key")
    content = call.state.secrets.content(_text(query, "scope"), key)
    return Response.of({"key": key, "value": base64.b64encode(content).decode()})


def delete_secret(call: Call) -> Response:
    """Delete a secret."""
    payload = call.request.json()
    call.state.secrets.delete(_text(payload, "scope"), _text(payload, "key"))
    return Response()


def list_acls(call: Call) -> Response:
    """List the permissions on a scope; the key is absent if there are none."""
    items = call.state.secrets.acls(_text(call.request.query, "scope"))
    return Response.of({"items": items} if items else {})


def get_acl(call: Call) -> Response:
    """Return a principal's permission on a scope."""
    query = call.request.query
    return Response.of(call.state.secrets.acl(_text(query, "scope"), _text(query, "principal")))


def put_acl(call: Call) -> Response:
    """Set a principal's permission on a scope."""
    payload = call.request.json()
    principal = _principal(call, _text(payload, "principal"))
    call.state.secrets.put_acl(_text(payload, "scope"), principal, payload.get("permission"))
    return Response()


def delete_acl(call: Call) -> Response:
    """Remove a principal's permission on a scope."""
    payload = call.request.json()
    call.state.secrets.delete_acl(_text(payload, "scope"), _text(payload, "principal"))
    return Response()


def _principal(call: Call, name: object) -> str:
    """Return the name of a user, service principal or group, after checking that it exists."""
    kinds: tuple[Kind, ...] = ("user", "service_principal", "group")
    if not isinstance(name, str) or not any(call.state.directory.named(kind, name) for kind in kinds):
        raise invalid(f"{name!r} is not a user, service principal or group of this workspace")
    return name


def _text(given: object, name: str) -> str:
    value = given.get(name) if isinstance(given, dict) else None
    if not isinstance(value, str) or not value:
        raise invalid(f"{name} must be a non-empty string")
    return value
