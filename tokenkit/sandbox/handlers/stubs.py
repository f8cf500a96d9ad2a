"""Endpoints that official tools call in addition to those for tokens. Most of the responses are constant or empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenkit.sandbox.responses import ApiError, Response, invalid

if TYPE_CHECKING:
    from tokenkit.sandbox.handlers.call import Call
    from tokenkit.sandbox.state.directory import Identity

_SPARK_VERSIONS = {
    "17.3.x-scala2.13": "17.3 LTS (includes Apache Spark 4.0.0, Scala 2.13)",
    "16.4.x-scala2.12": "16.4 LTS (includes Apache Spark 3.5.2, Scala 2.12)",
    "15.4.x-scala2.12": "15.4 LTS (includes Apache Spark 3.5.0, Scala 2.12)",
}
_TOKEN_SCOPES = (
    "access-management", "all-apis", "authentication", "clusters", "files", "jobs", "mlflow", "pipelines", "scim",
    "secrets", "settings", "sql", "unity-catalog", "vector-search", "workspace",
)  # fmt: skip


def list_spark_versions(_: Call) -> Response:
    """List the versions of the runtime."""
    versions = [{"key": key, "name": name} for key, name in _SPARK_VERSIONS.items()]
    return Response.of({"versions": versions})


def list_token_scopes(_: Call) -> Response:
    """List the scopes that a token can have. The real form of this response is not known."""
    return Response.of({"scopes": [{"name": name} for name in _TOKEN_SCOPES]})


def list_ip_access_lists(_: Call) -> Response:
    """List the IP access lists: none."""
    return Response.of({})


def list_cluster_policies(_: Call) -> Response:
    """List the cluster policies: none."""
    return Response.of({})


def make_folder(call: Call) -> Response:
    """Create a folder and its parents."""
    call.state.folders.add(call.request.json().get("path"))
    return Response()


def get_folder(call: Call) -> Response:
    """Return a folder."""
    return Response.of(call.state.folders.status(call.request.query.get("path")))


def list_legacy_groups(call: Call) -> Response:
    """List the names of the groups, for clients older than SCIM."""
    return Response.of({"group_names": [group.name for group in call.state.directory.page("group")]})


def list_legacy_members(call: Call) -> Response:
    """List the members of a group, for clients older than SCIM."""
    group = _named(call, "group_name", "group")
    members = [call.state.directory.get(member_id) for _, member_id, *_ in call.state.directory.members([group.id])]
    entries = [{"group_name" if member.kind == "group" else "user_name": member.name} for member in members if member]
    return Response.of({"members": entries} if entries else {})


def list_legacy_parents(call: Call) -> Response:
    """List the groups that a user or a group is in, for clients older than SCIM."""
    is_user = "user_name" in call.request.query
    identity = _named(call, "user_name" if is_user else "group_name", "user" if is_user else "group")
    names = [name for _, _, _, name in call.state.directory.groups_of([identity.id])]
    return Response.of({"group_names": names} if names else {})


def _named(call: Call, parameter: str, kind: str) -> Identity:
    name = call.request.query.get(parameter, "")
    if not name:
        raise invalid(f"{parameter} is required")
    identity = call.state.directory.named(kind, name)  # type: ignore[arg-type]  # one of two kinds
    if identity is None:
        raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"{kind.capitalize()} {name} does not exist")
    return identity
