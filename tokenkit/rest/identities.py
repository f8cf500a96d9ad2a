"""Users, service principals, groups and the caller, from the workspace's SCIM API."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, TypedDict

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.rest import responses
from tokenkit.rest.listing import records
from tokenkit.rest.transport import Transport

_SCIM = "/api/2.0/preview/scim/v2"
_MAX_PAGES = 100_000  # 2M users with 20 per page
_WIRE_NAMES = {"user_name": "userName", "display_name": "displayName", "application_id": "applicationId"}


class Principals(TypedDict):
    """All principals of a workspace; see ``IdentitiesAPI.principals``."""

    users: pd.DataFrame
    service_principals: pd.DataFrame
    groups: pd.DataFrame


class IdentitiesAPI:
    """The principals of one workspace, as frames."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        # The server may send fewer per page; the next page starts after the received ones.
        self._page_size = 10_000

    def __repr__(self) -> str:
        return f"<IdentitiesAPI of {self._transport.name}>"

    def users(self, *, with_groups: bool = True) -> pd.DataFrame:
        """Return all users: ``id, user_name, display_name, active, groups`` (ids of direct memberships).

        Args:
            with_groups: Whether to request ``groups``, which the workspace has to compute for each user.
        """
        return self._listing("Users", frames.USERS, with_groups=with_groups)

    def service_principals(self, *, with_groups: bool = True) -> pd.DataFrame:
        """Return all service principals: ``id, application_id, display_name, active, groups``.

        Args:
            with_groups: As for ``users``.
        """
        return self._listing("ServicePrincipals", frames.SERVICE_PRINCIPALS, with_groups=with_groups)

    def groups(self) -> pd.DataFrame:
        """Return all groups: ``id, display_name, members`` (ids of users, service principals and groups)."""
        return self._listing("Groups", frames.GROUPS)

    def principals(self, granted: Collection[str] = (), *, always_with_groups: bool = True) -> Principals:
        """Return users, service principals and groups, with group members from all responses that contain them.

        Some workspaces list groups without all of their members. Therefore the ``groups`` of users, service principals
        and groups are used as well. If a group in ``granted``, or a group within one, is listed without members, it is
        also requested by its id.

        Args:
            granted: The names of groups whose members are required.
            always_with_groups: Whether to always request the groups of users and service principals, as for a plan
                that must include members that a group does not list. Otherwise they are requested only if a group in
                ``granted``, or a group within one, is listed without members: with 10,000 users, their groups are two
                thirds of the transferred data.

        Returns:
            The three frames. Users and service principals have no column ``groups`` if it was not requested.
            ``members`` of a group is None if the workspace does not return its members.
        """
        listed = self._records("Groups", "id,displayName,members,groups")
        members = {group: _references(record, "members") for group, record in listed.items()}
        first = [group for group, record in listed.items() if record.get("displayName") in granted]
        with_groups = always_with_groups or not all(members[group] for group in _nested(first, members))
        users = self.users(with_groups=with_groups)
        service_principals = self.service_principals(with_groups=with_groups)
        everyone = pd.concat([users, service_principals], ignore_index=True).reindex(columns=["id", "groups"])
        memberships = everyone.explode("groups").dropna()
        claimed: dict[int, list[int]] = {group: [] for group in listed}
        for member, group in itertools.chain(
            zip(memberships["id"], memberships["groups"], strict=True),
            ((group, parent) for group, record in listed.items() for parent in _references(record, "groups") or ()),
        ):
            claimed.setdefault(int(group), []).append(int(member))
        queue = dict.fromkeys(first)
        visited: set[int] = set()
        while queue:
            group, _ = queue.popitem()
            visited.add(group)
            members[group] = members[group] or self._members_of(group)
            inside = [*(members[group] or ()), *claimed[group]]
            queue |= dict.fromkeys(member for member in inside if member in listed and member not in visited)
        # An empty group has no "members" either. A group without members is considered empty if the workspace returns
        # members and memberships at all, and no principal is a member.
        returns_members = any(members.values()) and len(memberships) > 0
        rows = [
            {
                "id": group,
                "display_name": record.get("displayName"),
                "members": None
                if members[group] is None and (claimed[group] or not returns_members)
                else [*dict.fromkeys([*(members[group] or ()), *claimed[group]])],
            }
            for group, record in listed.items()
        ]
        return {"users": users, "service_principals": service_principals, "groups": frames.frame(rows, frames.GROUPS)}

    def _members_of(self, group: int) -> list[int] | None:
        """Request the members of a group by its id; return None if the response does not contain them."""
        try:
            return _references(self._transport.call("GET", f"{_SCIM}/Groups/{group}"), "members")
        except errors.ApiError:
            return None

    def me(self) -> Mapping[str, Any]:
        """Return the caller's SCIM resource: ``id``, ``userName``, ``displayName``, ``groups`` …."""
        return self._transport.call("GET", f"{_SCIM}/Me")

    def caller(self) -> tuple[int, str]:
        """Return the caller's id, and user name or application id.

        Raises:
            InvalidResponseError: The response does not identify the caller, whose own tokens would not be recognized.
        """
        caller = self.me()
        user_name = caller.get("userName")
        if not isinstance(user_name, str) or not user_name:
            raise errors.InvalidResponseError(f"{self._transport.name} did not return a userName for the caller.")
        return _id(caller, self._transport.name), user_name

    def _listing(self, resource: str, schema: pa.Schema, *, with_groups: bool = True) -> pd.DataFrame:
        schema = schema if with_groups else pa.schema([field for field in schema if field.name != "groups"])
        wire_names = {name: _WIRE_NAMES.get(name, name) for name in schema.names}
        found = self._records(resource, ",".join(wire_names.values()))
        return frames.frame([_row(record, wire_names) for record in found.values()], schema)

    def _records(self, resource: str, attributes: str) -> dict[int, Mapping[str, Any]]:
        # A principal added between two pages shifts the others, so that the next page repeats one.
        found: dict[int, Mapping[str, Any]] = {}
        pages_without_change = 0
        for page in self._pages(resource, attributes):
            known = len(found)
            for record in page:
                found.setdefault(_id(record, self._transport.name), record)
            pages_without_change = 0 if len(found) > known else pages_without_change + 1
            if pages_without_change > 1:
                raise errors.InvalidResponseError(
                    f"{self._transport.name} listed the same {resource} repeatedly. Try again."
                )
        return found

    def _pages(self, resource: str, attributes: str) -> Iterator[list[Mapping[str, Any]]]:
        name, start, max_pages = self._transport.name, 1, 1
        for number in itertools.count(1):
            query = {"startIndex": start, "count": self._page_size, "attributes": attributes}
            response = self._transport.call("GET", f"{_SCIM}/{resource}", query=query, is_listing=True)
            page = records(response, "Resources")
            total = responses.whole_number(response.get("totalResults"))
            if total is None or total < 0:
                raise errors.InvalidResponseError(f"{name} listed {resource} without totalResults. Try again.")
            yield page
            start += len(page)
            if start > total:
                return
            if not page:
                raise errors.InvalidResponseError(
                    f"{name} listed only {start - 1:,} of {total:,} {resource}. Try again."
                )
            if number == 1:
                max_pages = 10 + 2 * -(-total // len(page))  # later pages may be smaller, and principals may be added
            if not number < max_pages <= _MAX_PAGES:
                raise errors.InvalidResponseError(
                    f"{name} lists {resource} in too many pages: {start - 1:,} of {total:,} in {number:,} pages. Try "
                    "again."
                )


def _nested(groups: Iterable[int], members: Mapping[int, list[int] | None]) -> set[int]:
    """Return groups and all groups nested in them, as far as their members are listed."""
    found: set[int] = set()
    queue = [*groups]
    while queue:
        group = queue.pop()
        if group in members and group not in found:
            found.add(group)
            queue += members[group] or ()
    return found


def _id(record: Mapping[str, Any], name: str) -> int:
    """Return a principal's id, which its tokens are matched by."""
    number = responses.whole_number(record.get("id"))
    if number is None:
        raise errors.InvalidResponseError(f"{name} sent a user, service principal or group without an id.")
    return number


def _row(record: Mapping[str, Any], wire_names: Mapping[str, str]) -> dict[str, Any]:
    """Return a SCIM resource as a row: snake_case names, and references reduced to their ids."""
    row = {name: record.get(wire_name) for name, wire_name in wire_names.items()}
    return row | {name: _references(record, name) or [] for name in row.keys() & {"groups", "members"}}


def _references(record: Mapping[str, Any], name: str) -> list[int] | None:
    """Return the ids that a resource refers to; None if the field is absent."""
    if record.get(name) is None:
        return None
    return [_reference(reference, name) for reference in records(record, name)]


def _reference(reference: Mapping[str, Any], name: str) -> int:
    address = reference.get("$ref")  # "Users/70", with or without the host; some responses have nothing else
    identifier = reference.get("value", address.rpartition("/")[2] if isinstance(address, str) else None)
    number = responses.whole_number(identifier)
    if number is None:
        raise errors.InvalidResponseError(f"The workspace sent {name} with an entry that has no id.")
    return number
