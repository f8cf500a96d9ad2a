"""The Token Management API: the nine operations of its reference, with the same names and parameters."""

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
from tokenkit.core.arguments import several, table
from tokenkit.frames import ArrowChunk, TokenInfo
from tokenkit.rest import listing, responses
from tokenkit.rest.tracebacks import without_frames
from tokenkit.rest.transport import Transport

_TOKENS = "/api/2.0/token-management/tokens"
_ON_BEHALF_OF = "/api/2.0/token-management/on-behalf-of/tokens"
_PERMISSIONS = "/api/2.0/permissions/authorization/tokens"
NO_TOKEN_YET = "tokens tokens does not exist"  # noqa: S105 - a message of the API
_PRINCIPAL_FIELDS = ("user_name", "group_name", "service_principal_name")


@runtime_checkable
class SdkObject(Protocol):
    """A request object of the official SDK, recognized by its method ``as_dict``."""

    def as_dict(self) -> dict[str, Any]:
        """Return the object as JSON."""


@runtime_checkable
class SdkFieldMask(Protocol):
    """The official SDK's ``FieldMask``."""

    def ToJsonString(self) -> str:  # noqa: N802 - protobuf's name
        """Return the paths, separated by commas."""


AccessControlList = pd.DataFrame | Iterable[Mapping[str, Any] | SdkObject]


class OboToken:
    """A token that was just created on behalf of a service principal. Its value cannot be retrieved later.

    ``token_value`` is a plain string. No repr, HTML, log, pickle, error or traceback shows it.

    Attributes:
        token_info: The token as the workspace lists it.
    """

    __slots__ = ("_value", "token_info")

    def __init__(self, token_info: TokenInfo, token_value: str) -> None:
        self.token_info = token_info
        self._value = token_value

    @property
    def token_value(self) -> str:
        """The value of the token, which is the secret itself."""
        return self._value

    def __repr__(self) -> str:
        return f"<OboToken {self.token_info.token_id}, owner {self.token_info.owner_id}; .token_value is not shown>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "An OboToken cannot be pickled or copied, because it contains the token value. Pass .token_value instead."
        )


class TokenManagementAPI:
    """All tokens of one workspace, for its admins.

    Every method raises ``ApiError`` if the workspace returns an error, ``ConnectionFailedError`` or
    ``ResponseLostError`` if the connection fails, and ``InvalidResponseError`` if the response cannot be read.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __repr__(self) -> str:
        return f"<TokenManagementAPI of {self._transport.name}>"

    def list(self, created_by_id: int | None = None, created_by_username: str | None = None) -> pd.DataFrame:
        """Return all tokens of the workspace, one row per token, in the order of the response.

        Args:
            created_by_id: Return only tokens that the user with this id created.
            created_by_username: Return only tokens that the user with this name created. For tokens created on behalf
                of a service principal, this can be its application id.

        Returns:
            The columns of ``frames.TOKENS``, then any additional fields of the response. ``expiry_time`` is NaT if the
            token never expires. ``last_used_day`` is accurate to the day, and NaT if the token was never used. Without
            tokens the frame has the same columns and dtypes, but no rows.
        """
        query = {"created_by_id": created_by_id, "created_by_username": created_by_username}
        return frames.concat_chunks(list_chunks(self._transport, query, chunk_bytes=listing.CHUNK_BYTES), frames.TOKENS)

    def get(self, token_id: str) -> TokenInfo:
        """Return one token.

        Args:
            token_id: The complete id of 64 hexadecimal digits.

        Raises:
            NotFoundError: The token does not exist, or no longer exists.
        """
        response = self._transport.call("GET", _token_path(token_id))
        return TokenInfo.from_document(_record(response, "token_info"))

    def delete(self, token_id: str) -> None:
        """Revoke a token immediately and irreversibly. ``Workspace.revoke`` adds a preview and a journal.

        Args:
            token_id: The complete id of 64 hexadecimal digits.

        Raises:
            NotFoundError: The token does not exist. The error is not raised if the response of an earlier attempt of
                the same call was lost, because that attempt revoked the token.
        """
        try:
            self._transport.call("DELETE", _token_path(token_id))
        except errors.NotFoundError as error:
            if not error.after_lost_response:
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
        """Create a token on behalf of a service principal (only on AWS and Google Cloud).

        Args:
            application_id: The service principal's application id.
            autoscope_enabled: Whether the workspace records which scopes the token uses.
            comment: The purpose of the token.
            lifetime_seconds: The lifetime; by default 2 years, or the workspace's maximum.
            scopes: The API scopes of the token; by default all operations that its owner can perform.

        Returns:
            The new token with its value.

        Raises:
            InvalidParameterError: The application id is unknown, or the lifetime is invalid or exceeds the maximum.
            QuotaExceededError: The service principal has 600 tokens.
            ResponseLostError: The response was lost. A token with an unknown value may exist: list the service
                principal's tokens and revoke the newest one.
            InvalidResponseError: The token was created, but its value could not be read. The message names the token if
                the response does.
        """
        body = {
            "application_id": application_id,
            "autoscope_enabled": autoscope_enabled,
            "comment": comment,
            "lifetime_seconds": lifetime_seconds,
            "scopes": None if scopes is None else several("scopes", scopes, str),
        }
        given = {name: value for name, value in body.items() if value is not None}
        response = self._transport.call("POST", _ON_BEHALF_OF, body=given)
        try:
            return _obo_token(response)
        except errors.InvalidResponseError as failure:
            problem = str(failure)
        info = response.get("token_info")
        del response  # the frame of the error must not contain the value
        token_id = info.get("token_id") if isinstance(info, Mapping) else None
        raise errors.InvalidResponseError(
            f"{self._transport.name} created {f'token {token_id}' if token_id else 'a token'}, but its value could not "
            f"be read. Revoke the token. {problem}"
        )

    def update_token_management(
        self,
        token_id: str,
        token: TokenInfo | Mapping[str, Any] | SdkObject,
        update_mask: str | Iterable[str] | SdkFieldMask,
    ) -> TokenInfo:
        """Update fields of a token, and return the updated token.

        Args:
            token_id: The id of the token to update.
            token: The new values: a ``TokenInfo`` of tokenkit or of the official SDK, or a mapping.
            update_mask: The fields to update: ``"comment,scopes"``, a list of names, or the SDK's ``FieldMask``. The
                API can update ``comment`` and ``scopes``.

        Raises:
            InvalidParameterError: A field cannot be updated.
        """
        if isinstance(update_mask, SdkFieldMask):
            mask = update_mask.ToJsonString()
        else:
            mask = update_mask if isinstance(update_mask, str) else ",".join(several("update_mask", update_mask, str))
        values = token.as_dict() if isinstance(token, SdkObject) else table("token", token)
        named = {name: value for name, value in values.items() if mask == "*" or name in mask.split(",")}
        response = self._transport.call("PATCH", _token_path(token_id), body={"token": named, "update_mask": mask})
        # The reference documents "token_info" around the token for get, but not for this operation; accept both.
        return TokenInfo.from_document(_record(response, "token_info") if "token_info" in response else response)

    def get_permission_levels(self) -> pd.DataFrame:
        """Return the permission levels that can be granted: columns ``permission_level`` and ``description``."""
        response = self._transport.call("GET", f"{_PERMISSIONS}/permissionLevels")
        return frames.frame(listing.records(response, "permission_levels"), frames.PERMISSION_LEVELS)

    def get_permissions(self) -> pd.DataFrame:
        """Return the permissions to use tokens: one row per principal and level, with ``CAN_MANAGE`` of ``admins``.

        Returns:
            The columns of ``frames.PERMISSIONS``; each row has one of the three names. The frame can be edited and
            passed to ``set_permissions``.

        Raises:
            NotFoundError: The workspace has never had a token; until then the API returns "tokens tokens does not
                exist".
        """
        return self._permissions("GET")

    def set_permissions(self, access_control_list: AccessControlList | None = None) -> pd.DataFrame:
        """Replace the direct permissions to use tokens.

        Databricks immediately and irreversibly deletes the active tokens of principals that lose the permission.
        ``Workspace.plan_permissions`` shows these principals and tokens first. ``admins`` always keeps ``CAN_MANAGE``.

        Args:
            access_control_list: Mappings, the official SDK's request objects, or a frame, each row with one of
                ``user_name``, ``group_name``, ``service_principal_name``, and a ``permission_level``. Inherited rows of
                a frame are not sent, as they would become direct. None removes all direct permissions.

        Returns:
            The new permissions, as ``get_permissions`` returns them.
        """
        return self._change_permissions("PUT", access_control_list)

    def update_permissions(self, access_control_list: AccessControlList | None = None) -> pd.DataFrame:
        """Add or change permissions to use tokens. Other principals keep their permissions.

        Args:
            access_control_list: As for ``set_permissions``.

        Returns:
            The new permissions, as ``get_permissions`` returns them.
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
            raise errors.NotFoundError(
                f"{self._transport.name} has no token permissions yet ({NO_TOKEN_YET}). They are created with the "
                "first token. Create a token in the workspace, then try again.",
                status=error.status,
                error_code=error.error_code,
                workspace=error.workspace,
                request=error.request,
            ) from None


def list_chunks(
    transport: Transport, query: Mapping[str, object] | None = None, *, chunk_bytes: int = listing.MAX_CHUNK_BYTES
) -> list[ArrowChunk]:
    """Return a listing as chunks, which ``frames.concat_chunks`` concatenates, also for several workspaces.

    Args:
        transport: The transport of the workspace.
        query: The parameters of ``TokenManagementAPI.list``.
        chunk_bytes: Several threads read a listing that is longer than this.
    """

    def read(blocks: Iterator[bytes]) -> list[ArrowChunk]:
        return listing.chunks(blocks, "token_infos", frames.TOKENS, chunk_bytes=chunk_bytes)

    return _without_duplicates(transport.read(_TOKENS, read, query=query), transport.name)


def _without_duplicates(found: builtins.list[ArrowChunk], name: str) -> builtins.list[ArrowChunk]:
    """Return a listing without duplicates of tokens.

    Raises:
        InvalidResponseError: Two entries with the same id differ.
    """
    ids = pa.chunked_array([chunk.known["token_id"].combine_chunks() for chunk in found], pa.large_string())
    if len(ids.drop_null().unique()) == len(ids) - ids.null_count:  # ten times faster than count_distinct
        return found
    counts = pc.value_counts(ids)
    duplicates = counts.field("values").filter(pc.greater(counts.field("counts"), 1)).drop_null()
    first: dict[str, dict[str, Any]] = {}
    kept = []
    for chunk in found:
        is_kept = np.ones(len(chunk), dtype=bool)
        for row in np.flatnonzero(pc.is_in(chunk.known["token_id"], value_set=duplicates).to_numpy()):
            token = chunk.row(int(row))
            original = first.setdefault(token["token_id"], token)
            if _present(original) != _present(token):
                raise errors.InvalidResponseError(
                    f"{name} listed token {responses.quoted(token['token_id'])} twice, with different values."
                )
            is_kept[row] = original is token
        kept.append(chunk.filter(is_kept))
    return kept


def _present(token: Mapping[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in token.items() if value is not None}


def means_no_token_yet(error: errors.NotFoundError) -> bool:
    """Return whether an error means that the workspace has no permissions because it never had a token."""
    return NO_TOKEN_YET in str(error).lower()


def access_entries(access_control_list: AccessControlList, *, needs_levels: bool = True) -> list[dict[str, Any]]:
    """Return an access control list as the JSON objects of a request.

    Args:
        access_control_list: The entries.
        needs_levels: Whether each entry must have a level.

    Raises:
        UsageError: An entry does not have exactly one principal and one level.
    """
    if isinstance(access_control_list, pd.DataFrame):
        rows: list[dict[str, Any]] = access_control_list.astype(object).to_dict("records")  # type: ignore[assignment]
        given: list[object] = [row for row in rows if row.get("inherited") is not True]
    else:
        listed = access_control_list if isinstance(access_control_list, Iterable) else [access_control_list]
        given = [entry.as_dict() if isinstance(entry, SdkObject) else entry for entry in listed]
    entries = []
    for row in given:
        if not isinstance(row, Mapping):
            raise errors.UsageError(
                f"Invalid entry of an access control list: {row!r}. Pass a list of entries such as "
                "[{'group_name': 'analysts', 'permission_level': 'CAN_USE'}]."
            )
        entry = {name: row[name] for name in (*_PRINCIPAL_FIELDS, "permission_level") if not _is_missing(row.get(name))}
        principals = len(entry) - ("permission_level" in entry)
        if principals != 1 or (needs_levels and "permission_level" not in entry):
            level = " and a permission_level" if needs_levels else ""
            unknown = [] if principals else [str(name) for name in row if name not in entry]
            near = [field for name in unknown for field in errors.similar(name, _PRINCIPAL_FIELDS, cutoff=0.6)[:1]]
            hint = f" Did you mean {near[0]}?" if near else ""
            raise errors.UsageError(
                f"An entry of an access control list requires one of {', '.join(_PRINCIPAL_FIELDS)}{level}, "
                f"but this one has {', '.join(entry) or 'none of them'}.{hint}"
            )
        entries.append(entry)
    return entries


def _is_missing(value: Any) -> bool:  # noqa: ANN401 - of a frame
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def _permissions(response: Mapping[str, Any]) -> pd.DataFrame:
    """Flatten an ACL object: one row per principal and level."""
    entries = listing.records(response, "access_control_list")
    rows = [
        {name: value for name, value in entry.items() if name != "all_permissions"} | dict(permission)
        for entry in entries
        for permission in listing.records(entry, "all_permissions")
    ]
    return frames.frame(rows, frames.PERMISSIONS)


def _obo_token(response: Mapping[str, Any]) -> OboToken:
    info, value = TokenInfo.from_document(_record(response, "token_info")), response.get("token_value")
    if not info.token_id:
        raise errors.InvalidResponseError("The workspace's response has no 'token_id'.")
    if not isinstance(value, str) or not value.strip():
        raise errors.InvalidResponseError("The workspace's response has no 'token_value'.")
    return OboToken(info, value)


def _token_path(token_id: str) -> str:
    """Return the path of one token. An empty id is an error, because it would address the collection."""
    if not isinstance(token_id, str) or not token_id.strip() or not token_id.isascii():
        raise errors.UsageError(f"A token id must be a string of 64 hexadecimal digits, not {token_id!r}.")
    return f"{_TOKENS}/{quote(token_id.strip(), safe='')}"


def _record(response: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    record = response.get(name)
    if not isinstance(record, Mapping):
        raise errors.InvalidResponseError(f"The workspace's response has no {name!r}.")
    return record
