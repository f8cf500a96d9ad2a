"""Who is there: users, service principals, groups and the caller, from the workspace's SCIM API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.rest.transport import Transport

_SCIM = "/api/2.0/preview/scim/v2"
_WIRE_NAMES = {"user_name": "userName", "display_name": "displayName", "application_id": "applicationId"}


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

    def me(self) -> Mapping[str, Any]:
        """Return the caller as the workspace knows it: ``id``, ``userName``, ``displayName``, ``groups`` …."""
        return self._transport.call("GET", f"{_SCIM}/Me")

    def _listing(self, resource: str, schema: pa.Schema, *, with_groups: bool = True) -> pd.DataFrame:
        schema = schema if with_groups else pa.schema([field for field in schema if field.name != "groups"])
        wire_names = {name: _WIRE_NAMES.get(name, name) for name in schema.names}
        # Somebody added between two pages shifts the rest by one, and the last of a page comes again in the next.
        found: dict[str, Mapping[str, Any]] = {}
        for record in self._pages(resource, ",".join(wire_names.values())):
            found.setdefault(str(record.get("id")), record)
        return frames.frame([_row(record, wire_names) for record in found.values()], schema)

    def _pages(self, resource: str, attributes: str) -> Iterator[Mapping[str, Any]]:
        start = 1
        while True:
            query = {"startIndex": start, "count": self._page_size, "attributes": attributes}
            answer = self._transport.call("GET", f"{_SCIM}/{resource}", query=query)
            records = answer.get("Resources") or []
            yield from records
            start += len(records)
            total = int(answer.get("totalResults") or 0)
            if start > total:
                return
            if not records:
                raise errors.MalformedAnswerError(
                    f"{self._transport.name} listed {start - 1:,} of {total:,} {resource} and then no more. Try again."
                )


def _row(record: Mapping[str, Any], wire_names: Mapping[str, str]) -> dict[str, Any]:
    """Return a SCIM resource as a row: our names, and references to others reduced to their ids."""
    row = {ours: record.get(theirs) for ours, theirs in wire_names.items()}
    references = row.keys() & {"groups", "members"}
    return row | {name: [int(reference["value"]) for reference in row[name] or ()] for name in references}
