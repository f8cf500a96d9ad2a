"""Who is there: users, service principals, groups and the caller, from the workspace's SCIM API."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypedDict

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.rest import answers
from tokenkit.rest.listing import records
from tokenkit.rest.transport import Transport

_SCIM = "/api/2.0/preview/scim/v2"
_MOST_PAGES = 100_000  # 2M users at 20 a page
_WIRE_NAMES = {"user_name": "userName", "display_name": "displayName", "application_id": "applicationId"}


class Everybody(TypedDict):
    """All principals of a workspace, as ``IdentitiesAPI.everybody`` returns them."""

    users: pd.DataFrame
    service_principals: pd.DataFrame
    groups: pd.DataFrame


class IdentitiesAPI:
    """The principals of one workspace, as frames."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        # As many as the server gives: it may send fewer, and what it sent decides where the next page starts.
        self._page_size = 10_000

    def __repr__(self) -> str:
        return f"<IdentitiesAPI of {self._transport.name}>"

    def users(self, *, with_groups: bool = True) -> pd.DataFrame:
        """Return every user: ``id, user_name, display_name, active, groups`` (ids, of direct memberships).

        Args:
            with_groups: Whether to ask for ``groups``, which the workspace has to gather for each user.
        """
        return self._listing("Users", frames.USERS, with_groups=with_groups)

    def service_principals(self, *, with_groups: bool = True) -> pd.DataFrame:
        """Return every service principal: ``id, application_id, display_name, active, groups``.

        Args:
            with_groups: As for ``users``.
        """
        return self._listing("ServicePrincipals", frames.SERVICE_PRINCIPALS, with_groups=with_groups)

    def groups(self) -> pd.DataFrame:
        """Return every group: ``id, display_name, members`` (ids of users, service principals and groups)."""
        return self._listing("Groups", frames.GROUPS)

    def everybody(self, granted: Collection[str] = ()) -> Everybody:
        """Return users, service principals and groups, with the members of groups from each response that names them.

        Some workspaces list groups without members, or without some of them. So the ``groups`` of users, service
        principals and groups count as well, and a group that is granted something, or is within such a group, is asked
        for by its id where it is listed without members.

        Args:
            granted: The names of groups whose members have to be known.

        Returns:
            The three frames. ``members`` of a group is None where the workspace does not say who is in it.
        """
        users, service_principals = self.users(), self.service_principals()
        listed = self._records("Groups", "id,displayName,members,groups")
        people = pd.concat([users[["id", "groups"]], service_principals[["id", "groups"]]], ignore_index=True)
        claims = people.explode("groups").dropna()
        claimed: dict[int, list[int]] = {group: [] for group in listed}
        for member, group in itertools.chain(
            zip(claims["id"], claims["groups"], strict=True),
            ((group, parent) for group, record in listed.items() for parent in _references(record, "groups") or ()),
        ):
            claimed.setdefault(int(group), []).append(int(member))
        members = {group: _references(record, "members") for group, record in listed.items()}
        queue = dict.fromkeys(group for group, record in listed.items() if record.get("displayName") in granted)
        asked: set[int] = set()
        while queue:
            group, _ = queue.popitem()
            asked.add(group)
            members[group] = members[group] or self._members_of(group)
            inside = [*(members[group] or ()), *claimed[group]]
            queue |= dict.fromkeys(member for member in inside if member in listed and member not in asked)
        # A group that is empty has no "members" either. It is one if the workspace gives members and people's groups
        # at all, and nobody's have it.
        gives = any(members.values()) and len(claims) > 0
        rows = [
            {
                "id": group,
                "display_name": record.get("displayName"),
                "members": None
                if members[group] is None and (claimed[group] or not gives)
                else [*dict.fromkeys([*(members[group] or ()), *claimed[group]])],
            }
            for group, record in listed.items()
        ]
        return {"users": users, "service_principals": service_principals, "groups": frames.frame(rows, frames.GROUPS)}

    def _members_of(self, group: int) -> list[int] | None:
        """Return who is in a group, asked for by its id; None where that does not say it either."""
        try:
            return _references(self._transport.call("GET", f"{_SCIM}/Groups/{group}"), "members")
        except errors.ApiError:
            return None

    def me(self) -> Mapping[str, Any]:
        """Return the caller as the workspace knows it: ``id``, ``userName``, ``displayName``, ``groups`` …."""
        return self._transport.call("GET", f"{_SCIM}/Me")

    def caller(self) -> tuple[int, str]:
        """Return the caller's id, and user name or application id.

        Raises:
            MalformedAnswerError: The workspace does not say who it is; the caller's own tokens could not be told then.
        """
        caller = self.me()
        user_name = caller.get("userName")
        if not isinstance(user_name, str) or not user_name:
            raise errors.MalformedAnswerError(f"{self._transport.name} did not say what the caller is called.")
        return _id(caller, self._transport.name), user_name

    def _listing(self, resource: str, schema: pa.Schema, *, with_groups: bool = True) -> pd.DataFrame:
        schema = schema if with_groups else pa.schema([field for field in schema if field.name != "groups"])
        wire_names = {name: _WIRE_NAMES.get(name, name) for name in schema.names}
        found = self._records(resource, ",".join(wire_names.values()))
        return frames.frame([_row(record, wire_names) for record in found.values()], schema)

    def _records(self, resource: str, attributes: str) -> dict[int, Mapping[str, Any]]:
        # Somebody added between two pages shifts the rest by one, and the last of a page comes again in the next.
        found: dict[int, Mapping[str, Any]] = {}
        pages_without_news = 0
        for page in self._pages(resource, attributes):
            known = len(found)
            for record in page:
                found.setdefault(_id(record, self._transport.name), record)
            pages_without_news = 0 if len(found) > known else pages_without_news + 1
            if pages_without_news > 1:
                raise errors.MalformedAnswerError(
                    f"{self._transport.name} listed the same {resource} again and again. Try again."
                )
        return found

    def _pages(self, resource: str, attributes: str) -> Iterator[list[Mapping[str, Any]]]:
        name, start, most_pages = self._transport.name, 1, 1
        for number in itertools.count(1):
            query = {"startIndex": start, "count": self._page_size, "attributes": attributes}
            answer = self._transport.call("GET", f"{_SCIM}/{resource}", query=query, is_listing=True)
            page = records(answer.get("Resources"), "Resources")
            total = answers.whole_number(answer.get("totalResults"))
            if total is None or total < 0:
                raise errors.MalformedAnswerError(f"{name} listed {resource} and did not say how many there are.")
            yield page
            start += len(page)
            if start > total:
                return
            if not page:
                raise errors.MalformedAnswerError(
                    f"{name} listed {start - 1:,} of {total:,} {resource} and then no more. Try again."
                )
            if number == 1:
                most_pages = 10 + 2 * -(-total // len(page))  # it may send fewer later, and people may be added
            if not number < most_pages <= _MOST_PAGES:
                raise errors.MalformedAnswerError(
                    f"{name} does not come to an end with its {resource}: {start - 1:,} of {total:,} in {number:,} "
                    "pages."
                )


def _id(record: Mapping[str, Any], name: str) -> int:
    """Return a principal's id, without which its tokens cannot be told from those of others."""
    number = answers.whole_number(record.get("id"))
    if number is None:
        raise errors.MalformedAnswerError(f"{name} sent a user, service principal or group without an id.")
    return number


def _row(record: Mapping[str, Any], wire_names: Mapping[str, str]) -> dict[str, Any]:
    """Return a SCIM resource as a row: our names, and references to others reduced to their ids."""
    row = {ours: record.get(theirs) for ours, theirs in wire_names.items()}
    return row | {name: _references(record, name) or [] for name in row.keys() & {"groups", "members"}}


def _references(record: Mapping[str, Any], name: str) -> list[int] | None:
    """Return the ids that a resource refers to; None where it does not say."""
    if record.get(name) is None:
        return None
    return [_reference(reference, name) for reference in records(record[name], name)]


def _reference(reference: Mapping[str, Any], name: str) -> int:
    number = answers.whole_number(reference.get("value"))
    if number is None:
        raise errors.MalformedAnswerError(f"The workspace sent {name} of which one has no id.")
    return number
