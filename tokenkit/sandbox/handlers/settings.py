"""The handlers of workspace settings, and of permission to use passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenkit.sandbox.responses import Response, invalid
from tokenkit.sandbox.state.passwords import LEVELS
from tokenkit.sandbox.state.settings import check_keys

if TYPE_CHECKING:
    from tokenkit.sandbox.handlers.call import Call


def get_settings(call: Call) -> Response:
    """Return the requested settings; an unset one is null."""
    names = [name for name in call.request.query.get("keys", "").split(",") if name]
    if not names:
        raise invalid("keys is required: a list of settings separated by commas")
    check_keys(names)
    return Response.of({name: call.state.settings.get(name) for name in names})


def set_settings(call: Call) -> Response:
    """Change settings."""
    changes = call.request.json()
    check_keys(changes)
    for name, value in changes.items():
        call.state.settings.set(name, value)
    return Response(204, b"")


def get_restriction(call: Call) -> Response:
    """Return whether admins need a role to create tokens on behalf of a service principal."""
    return Response.of(call.state.restriction.document())


def set_restriction(call: Call) -> Response:
    """Set whether admins need a role to create tokens on behalf of a service principal."""
    call.state.restriction.set(call.request.json().get("setting"))
    return Response.of(call.state.restriction.document())


def reset_restriction(call: Call) -> Response:
    """Restore the default: admins do not need a role."""
    return Response.of({"etag": call.state.restriction.reset(call.request.query.get("etag"))})


def get_password_levels(_: Call) -> Response:
    """List the permission levels of passwords."""
    levels = [{"permission_level": level, "description": description} for level, description in LEVELS.items()]
    return Response.of({"permission_levels": levels})


def get_password_permissions(call: Call) -> Response:
    """Return the access control list of passwords."""
    return Response.of(call.state.passwords.document())


def set_password_permissions(call: Call) -> Response:
    """Replace the access control list of passwords."""
    call.state.passwords.replace(call.request.json().get("access_control_list"))
    return Response.of(call.state.passwords.document())


def update_password_permissions(call: Call) -> Response:
    """Add to the access control list of passwords."""
    call.state.passwords.update(call.request.json().get("access_control_list"))
    return Response.of(call.state.passwords.document())
