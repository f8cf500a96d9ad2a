"""The Token Management API: the nine calls of its reference, under the reference's names and parameters."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, Protocol, runtime_checkable
from urllib.parse import quote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit import errors, frames
from tokenkit.frames import Piece, TokenInfo
from tokenkit.rest import answers, listing
from tokenkit.rest.tracebacks import without_frames
from tokenkit.rest.transport import Transport

_TOKENS = "/api/2.0/token-management/tokens"
_ON_BEHALF_OF = "/api/2.0/token-management/on-behalf-of/tokens"
_PERMISSIONS = "/api/2.0/permissions/authorization/tokens"
NO_TOKEN_YET = "tokens tokens does not exist"  # noqa: S105 - what the API says of the permissions then
_PRINCIPAL_FIELDS = ("user_name", "group_name", "service_principal_name")


@runtime_checkable
class SdkObject(Protocol):
    """A request object of the official SDK, recognised by the method that all of them have."""

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object that stands for it."""
        ...


@runtime_checkable
class SdkFieldMask(Protocol):
    """The official SDK's ``FieldMask``."""

    def ToJsonString(self) -> str:  # noqa: N802 - protobuf's name
        """Return the paths, separated by commas."""
        ...


AccessControlList = pd.DataFrame | Iterable[Mapping[str, Any] | SdkObject]


class OboToken:
    """A token that was just made on behalf of a service principal. Its value is known now and never again.

    ``token_value`` is a plain string, for whoever asks for it by name; no repr, HTML, log, pickle or error shows it.

    Attributes:
        token_info: What the workspace will list.
        token_value: The secret itself.
    """

    __slots__ = ("token_info", "token_value")

    def __init__(self, token_info: TokenInfo, token_value: str) -> None:
        self.token_info = token_info
        self.token_value = token_value

    def __repr__(self) -> str:
        return f"<OboToken {self.token_info.token_id}, owner {self.token_info.owner_id}; .token_value is not shown>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "An OboToken is not pickled or copied: that would write its value down. Pass .token_value yourself."
        )


class TokenManagementAPI:
    """All tokens of one workspace, for its admins.

    Every method raises ``ApiError`` where the workspace says no, ``ConnectionFailedError`` or ``AnswerLostError`` where
    it cannot be reached, ``MalformedAnswerError`` where its answer cannot be read.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __repr__(self) -> str:
        return f"<TokenManagementAPI of {self._transport.name}>"

    def list(self, created_by_id: int | None = None, created_by_username: str | None = None) -> pd.DataFrame:
        """Return every token of the workspace, a row each, in the workspace's order.

        Args:
            created_by_id: Only tokens that this user made.
            created_by_username: The same by name. Tokens made on behalf of a service principal may carry its
                application id here.

        Returns:
            The columns of ``frames.TOKENS``, then any field the server added. ``expiry_time`` NaT means never,
            ``last_used_day`` NaT never used; it is exact to a day. No token gives the same columns and dtypes with no
            rows.
        """
        query = {"created_by_id": created_by_id, "created_by_username": created_by_username}
        return frames.joined(listed(self._transport, query, chunk_bytes=listing.CHUNK_BYTES), frames.TOKENS)

    def get(self, token_id: str) -> TokenInfo:
        """Return what the workspace knows of one token.

        Args:
            token_id: The whole id; it is 64 hexadecimal digits.

        Raises:
            NotFoundError: There is no such token, or no longer.
        """
        answer = self._transport.call("GET", _token_path(token_id))
        return TokenInfo.from_document(_record(answer, "token_info"))

    def delete(self, token_id: str) -> None:
        """Revoke a token, at once and for good. ``Workspace.revoke`` shows first what that breaks, and keeps a journal.

        Args:
            token_id: The whole id; it is 64 hexadecimal digits.

        Raises:
            NotFoundError: There is no such token. Where an earlier attempt of this very call was sent and its answer
                lost, the token is gone by our hand and nothing is raised.
        """
        try:
            self._transport.call("DELETE", _token_path(token_id))
        except errors.NotFoundError as error:
            if not error.after_lost_answer:
                raise

    @without_frames()
    def create_obo_token(
        self,
        application_id: str,
        *,
        autoscope_enabled: bool | None = None,
        comment: str | None = None,
        lifetime_seconds: int | None = None,
        scopes: Sequence[str] | None = None,
    ) -> OboToken:
        """Return a new token that acts as a service principal (workspaces on AWS and Google Cloud only).

        Args:
            application_id: The service principal's application id.
            autoscope_enabled: Whether the workspace records which scopes the token really uses.
            comment: What it is for.
            lifetime_seconds: How long it lives. Left out, it lives for 2 years, or the workspace's maximum.
            scopes: What it may do; left out, whatever its owner may.

        Raises:
            InvalidParameterError: An unknown application id, or a lifetime that is not positive or beyond the maximum.
            QuotaExceededError: The service principal has 600 tokens.
            AnswerLostError: The answer was lost. A token may exist whose value nobody knows: list the service
                principal's tokens and revoke the newest.
            MalformedAnswerError: A token exists and its value could not be read; the message names the token where the
                answer does.
        """
        body = {
            "application_id": application_id,
            "autoscope_enabled": autoscope_enabled,
            "comment": comment,
            "lifetime_seconds": lifetime_seconds,
            "scopes": None if scopes is None else builtins.list(scopes),
        }
        given = {name: value for name, value in body.items() if value is not None}
        answer = self._transport.call("POST", _ON_BEHALF_OF, body=given)
        try:
            return _obo_token(answer)
        except errors.MalformedAnswerError as failure:
            problem = str(failure)
        info = answer.get("token_info")
        del answer  # the error must not have the value in its frame
        token_id = info.get("token_id") if isinstance(info, Mapping) else None
        raise errors.MalformedAnswerError(
            f"{self._transport.name} created {f'token {token_id}' if token_id else 'a token'}, and nobody has its "
            f"value: revoke it. {problem}"
        )

    def update_token_management(
        self,
        token_id: str,
        token: TokenInfo | Mapping[str, Any] | SdkObject,
        update_mask: str | Iterable[str] | SdkFieldMask,
    ) -> TokenInfo:
        """Change fields of a token, and return it as it then is.

        Args:
            token_id: The token to change.
            token: The new values: a record, a mapping, or the official SDK's ``TokenInfo``.
            update_mask: Which fields to take from it: ``"comment,scopes"``, a list of names, or the SDK's
                ``FieldMask``. The API can change ``comment`` and ``scopes``.

        Raises:
            InvalidParameterError: A field that cannot be changed.
        """
        if isinstance(update_mask, SdkFieldMask):
            mask = update_mask.ToJsonString()
        else:
            mask = update_mask if isinstance(update_mask, str) else ",".join(update_mask)
        values = token.as_dict() if isinstance(token, SdkObject) else dict(token)
        named = {name: value for name, value in values.items() if mask == "*" or name in mask.split(",")}
        answer = self._transport.call("PATCH", _token_path(token_id), body={"token": named, "update_mask": mask})
        # The reference wraps it for get and not for this call; a server that does both alike is understood as well.
        return TokenInfo.from_document(_record(answer, "token_info") if "token_info" in answer else answer)

    def get_permission_levels(self) -> pd.DataFrame:
        """Return the levels that can be granted: columns ``permission_level`` and ``description``."""
        answer = self._transport.call("GET", f"{_PERMISSIONS}/permissionLevels")
        return frames.frame(
            listing.records(answer.get("permission_levels"), "permission_levels"), frames.PERMISSION_LEVELS
        )

    def get_permissions(self) -> pd.DataFrame:
        """Return who may use tokens: a row for each principal and level, the ``CAN_MANAGE`` of ``admins`` included.

        Returns:
            The columns of ``frames.PERMISSIONS``; one of the three names is set in each row. The frame can be edited
            and given to ``set_permissions``.

        Raises:
            NotFoundError: The workspace has no token yet; the API answers "tokens tokens does not exist" until the
                first one.
        """
        return self._permissions("GET")

    def set_permissions(self, access_control_list: AccessControlList | None = None) -> pd.DataFrame:
        """Replace who may use tokens. Whoever loses the right loses their active tokens, at once and for good.

        ``Workspace.plan_permissions`` shows first who and which. ``admins`` keeps ``CAN_MANAGE`` whatever the list
        says.

        Args:
            access_control_list: Mappings, the official SDK's request objects, or a frame, each row with one of
                ``user_name``, ``group_name``, ``service_principal_name``, and a ``permission_level``. Rows of a frame
                that are inherited are not sent, as they would become direct. None takes every direct permission away.

        Returns:
            The permissions as they then are, like ``get_permissions``.
        """
        return self._change_permissions("PUT", access_control_list)

    def update_permissions(self, access_control_list: AccessControlList | None = None) -> pd.DataFrame:
        """Add to or change who may use tokens; principals that are not named keep what they have.

        Args:
            access_control_list: As for ``set_permissions``.

        Returns:
            The permissions as they then are, like ``get_permissions``.
        """
        return self._change_permissions("PATCH", access_control_list)

    def _change_permissions(self, method: str, access_control_list: AccessControlList | None) -> pd.DataFrame:
        body = {} if access_control_list is None else {"access_control_list": access_entries(access_control_list)}
        return self._permissions(method, body)

    def _permissions(self, method: str, body: Mapping[str, Any] | None = None) -> pd.DataFrame:
        try:
            return _permissions(self._transport.call(method, _PERMISSIONS, body=body))
        except errors.NotFoundError as error:
            if not means_no_token_yet(error):
                raise
            never = error
        raise errors.NotFoundError(
            f"{self._transport.name} has no token permissions yet ({NO_TOKEN_YET}): they are created with its first "
            "token. Create one there, then try again.",
            status=never.status,
            error_code=never.error_code,
            workspace=never.workspace,
            request=never.request,
        )


def listed(
    transport: Transport, query: Mapping[str, object] | None = None, *, chunk_bytes: int = listing.LARGEST_CHUNK_BYTES
) -> list[Piece]:
    """Return a listing in pieces, so that those of many workspaces become one frame at once.

    Args:
        transport: To the workspace.
        query: The parameters of ``TokenManagementAPI.list``.
        chunk_bytes: Above this length, several threads read a listing.
    """

    def read(blocks: Iterator[bytes]) -> list[Piece]:
        return listing.pieces(blocks, "token_infos", frames.TOKENS, chunk_bytes=chunk_bytes)

    return _each_once(transport.read(_TOKENS, read, query=query), transport.name)


def _each_once(found: builtins.list[Piece], name: str) -> builtins.list[Piece]:
    """Return a listing without the twins of tokens that it has more than once.

    Raises:
        MalformedAnswerError: Two that bear one id are not alike.
    """
    ids = pa.chunked_array([piece.known["token_id"].combine_chunks() for piece in found], pa.large_string())
    if len(ids.drop_null().unique()) == len(ids) - ids.null_count:  # a tenth of what count_distinct takes
        return found
    counts = pc.value_counts(ids)
    twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1)).drop_null()
    first: dict[str, dict[str, Any]] = {}
    kept = []
    for piece in found:
        is_kept = np.ones(len(piece), dtype=bool)
        for row in np.flatnonzero(pc.is_in(piece.known["token_id"], value_set=twice).to_numpy()):
            token = piece.row(int(row))
            twin = first.setdefault(token["token_id"], token)
            if _present(twin) != _present(token):
                raise errors.MalformedAnswerError(
                    f"{name} listed token {answers.quoted(token['token_id'])} twice with different values. List again."
                )
            is_kept[row] = twin is token
        kept.append(piece.filter(is_kept))
    return kept


def _present(token: Mapping[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in token.items() if value is not None}


def means_no_token_yet(error: errors.NotFoundError) -> bool:
    """Tell whether the API says that the permissions are not there because the workspace never had a token."""
    return NO_TOKEN_YET in str(error).lower()


def access_entries(access_control_list: AccessControlList) -> list[dict[str, Any]]:
    """Return an access-control list as the JSON objects of a request.

    Raises:
        UsageError: An entry that names no principal or several, or no level.
    """
    if isinstance(access_control_list, pd.DataFrame):
        rows: list[dict[str, Any]] = access_control_list.astype(object).to_dict("records")  # type: ignore[assignment]
        given: list[object] = [row for row in rows if row.get("inherited") is not True]
    else:
        given = [entry.as_dict() if hasattr(entry, "as_dict") else entry for entry in access_control_list]
    entries = []
    for row in given:
        if not isinstance(row, Mapping):
            raise errors.UsageError(
                "An access-control list is a list of entries, as in "
                f"[{{'group_name': 'analysts', 'permission_level': 'CAN_USE'}}], not of {row!r}."
            )
        entry = {name: row[name] for name in (*_PRINCIPAL_FIELDS, "permission_level") if not pd.isna(row.get(name))}
        if len(entry) != 2 or "permission_level" not in entry:
            raise errors.UsageError(
                f"An access-control entry needs one of {', '.join(_PRINCIPAL_FIELDS)} and a permission_level; this one "
                "has "
                f"{', '.join(entry) or 'none of them'}."
            )
        entries.append(entry)
    return entries


def _permissions(answer: Mapping[str, Any]) -> pd.DataFrame:
    """Flatten an ACL object: a row for each principal and level."""
    entries = listing.records(answer.get("access_control_list"), "access_control_list")
    rows = [
        {name: value for name, value in entry.items() if name != "all_permissions"} | dict(permission)
        for entry in entries
        for permission in listing.records(entry.get("all_permissions"), "all_permissions")
    ]
    return frames.frame(rows, frames.PERMISSIONS)


def _obo_token(answer: Mapping[str, Any]) -> OboToken:
    info, value = TokenInfo.from_document(_record(answer, "token_info")), answer.get("token_value")
    if not info.token_id:
        raise errors.MalformedAnswerError("The workspace's answer has no 'token_id'.")
    if not isinstance(value, str) or not value.strip():
        raise errors.MalformedAnswerError("The workspace's answer has no 'token_value'.")
    return OboToken(info, value)


def _token_path(token_id: str) -> str:
    """Return the path of one token. An empty id would name the whole collection, so it is refused here."""
    if not isinstance(token_id, str) or not token_id.strip():
        raise errors.UsageError(f"A token id is a string of 64 hexadecimal digits, not {token_id!r}.")
    return f"{_TOKENS}/{quote(token_id.strip(), safe='')}"


def _record(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    record = answer.get(name)
    if not isinstance(record, Mapping):
        raise errors.MalformedAnswerError(f"The workspace's answer has no {name!r}.")
    return record
