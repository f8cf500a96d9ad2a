"""The handlers of the account: its workspaces, their members, and the OAuth secrets of service principals.

On the real platform, the address of a workspace is ``https://{deployment_name}.cloud.databricks.com``. A sandbox has no
DNS names, so its listing gives the address in an extra field, ``workspace_url``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.responses import ApiError, Response, invalid, whole_number
from tokenkit.sandbox.state.directory import ADMINS, USERS
from tokenkit.sandbox.state.permissions import NAME_FIELDS
from tokenkit.sandbox.state.rule_sets import MANAGER, USER

if TYPE_CHECKING:
    from tokenkit.sandbox.handlers.call import Call
    from tokenkit.sandbox.state.account import Account
    from tokenkit.sandbox.state.directory import Identity, Kind
    from tokenkit.sandbox.state.workspace import State


def list_workspaces(call: Call) -> Response:
    """List the workspaces."""
    return Response.of([_workspace(call.account, workspace_id) for workspace_id in call.account.hosts])


def get_workspace(call: Call) -> Response:
    """Return one workspace."""
    return Response.of(_workspace(call.account, _state(call).workspace_id))


def list_oauth_secrets(call: Call) -> Response:
    """List the OAuth secrets of a service principal, without their values."""
    secrets = call.account.oauth_secrets.of(_service_principal(call).name)
    return Response.of({"secrets": secrets} if secrets else {})


def create_oauth_secret(call: Call) -> Response:
    """Create an OAuth secret, and return its value once."""
    lifetime = call.request.json().get("lifetime")
    name = _service_principal(call).name
    return Response.of(call.account.oauth_secrets.create(name, lifetime, now_ms=call.now_ms))


def delete_oauth_secret(call: Call) -> Response:
    """Delete an OAuth secret."""
    call.account.oauth_secrets.delete(_service_principal(call).name, call.parameters["secret_id"])
    return Response()


def list_assignments(call: Call) -> Response:
    """List the principals of a workspace, and whether each is a user or an admin there."""
    state = _state(call)
    admins = {member_id for _, member_id, *_ in state.directory.members([state.directory.group_id(ADMINS)])}
    assigned = [*state.directory.people(), *(group for group in state.directory.page("group") if group.id in admins)]
    assignments = [_assignment(call, identity, is_admin=identity.id in admins) for identity in assigned]
    return Response.of({"permission_assignments": assignments})


def list_assignment_permissions(_: Call) -> Response:
    """List the permissions that can be assigned."""
    levels = {"USER": "Can use the workspace", "ADMIN": "Can administer the workspace"}
    permissions = [{"permission_level": level, "description": text} for level, text in levels.items()]
    return Response.of({"permissions": permissions})


def put_assignment(call: Call) -> Response:
    """Make a principal of the account a user or an admin of a workspace; without permissions, neither."""
    permissions = call.request.json().get("permissions")
    if not isinstance(permissions, list) or not all(level in ("USER", "ADMIN") for level in permissions):
        raise invalid("permissions must be a list of USER and ADMIN")
    principal, state = _principal(call), _state(call)
    if not permissions:
        _leave(call, state, principal)
        return Response.of({})
    identity = state.directory.named(principal.kind, principal.name) or state.directory.add(
        principal.kind, principal.name, principal.display_name, active=principal.active, attributes=principal.attributes
    )
    admins = state.directory.group_id(ADMINS)
    if "ADMIN" in permissions:
        state.directory.add_members(admins, [identity.id])
    else:
        state.directory.remove_members(admins, [identity.id])
        state.directory.add_members(state.directory.group_id(USERS), [identity.id])
    return Response.of(_assignment(call, identity, is_admin="ADMIN" in permissions))


def delete_assignment(call: Call) -> Response:
    """Remove a principal of the account from a workspace."""
    _leave(call, _state(call), _principal(call))
    return Response()


def get_rule_set(call: Call) -> Response:
    """Return who can use or manage a service principal."""
    return Response.of(call.account.rule_sets.get(_rule_set_name(call, call.request.query.get("name"))))


def put_rule_set(call: Call) -> Response:
    """Replace who can use or manage a service principal."""
    payload = call.request.json()
    rule_set = payload.get("rule_set")
    if not isinstance(rule_set, dict):
        raise invalid("rule_set must be an object")
    name = _rule_set_name(call, payload.get("name") or rule_set.get("name"))
    return Response.of(call.account.rule_sets.put(name, rule_set.get("grant_rules", []), rule_set.get("etag")))


def list_assignable_roles(_: Call) -> Response:
    """List the roles that can be granted on a service principal."""
    return Response.of({"roles": [{"name": role} for role in (MANAGER, USER)]})


def _workspace(account: Account, workspace_id: int) -> dict[str, object]:
    number = list(account.hosts).index(workspace_id) + 1
    return {
        "account_id": account.account_id,
        "workspace_id": workspace_id,
        "workspace_name": f"Sandbox {number}",
        # Longer than the limit of a DNS label, so that no client looks it up.
        "deployment_name": f"sandbox-{number}".ljust(64, "-"),
        "workspace_status": "RUNNING",
        "workspace_status_message": "Workspace is running.",
        "aws_region": "us-east-1",
        "pricing_tier": "ENTERPRISE",
        "creation_time": 1_700_000_000_000 + number,
        "workspace_url": account.hosts[workspace_id],
    }


def _state(call: Call) -> State:
    """Return the state of the workspace in the path, or of the workspace that was called."""
    text = call.parameters.get("workspace_id")
    if text is None:
        return call.state
    workspace_id = whole_number(text)
    if workspace_id is None or workspace_id not in call.account.states:
        raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", "The account has no workspace with this id")
    return call.account.states[workspace_id]


def _principal(call: Call) -> Identity:
    """Return the principal of the account in the path."""
    return _by_id(call.account.state(), call.parameters["principal_id"], "Principal")


def _service_principal(call: Call) -> Identity:
    """Return the service principal in the path, of the account or of the workspace that was called."""
    return _by_id(call.state, call.parameters["id"], "Service principal", "service_principal")


def _by_id(state: State, text: str, what: str, kind: Kind | None = None) -> Identity:
    number = whole_number(text)
    identity = None if number is None else state.directory.get(number, kind)
    if identity is None:
        raise _no_such(what, text)
    return identity


def _no_such(what: str, text: str) -> ApiError:
    return ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"{what} {text} does not exist")


def _leave(call: Call, state: State, principal: Identity) -> None:
    identity = state.directory.named(principal.kind, principal.name)
    if identity is None:
        raise _no_such("Assignment of principal", call.parameters["principal_id"])
    state.remove(identity.id)


def _assignment(call: Call, identity: Identity, *, is_admin: bool) -> dict[str, Any]:
    known = call.account.state().directory.named(identity.kind, identity.name)
    principal = {
        "principal_id": known.id if known else identity.id,
        NAME_FIELDS[identity.kind]: identity.name,
        "display_name": identity.display_name or identity.name,
    }
    return {"principal": principal, "permissions": ["ADMIN" if is_admin else "USER"]}


def _rule_set_name(call: Call, name: object) -> str:
    prefix = f"accounts/{call.account.account_id}/servicePrincipals/"
    if not isinstance(name, str) or not name.startswith(prefix) or not name.endswith("/ruleSets/default"):
        raise invalid(f"name must be '{prefix}APPLICATION_ID/ruleSets/default'. The sandbox has no other rule sets.")
    return name
