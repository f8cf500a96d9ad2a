"""A workspace's tokens: the rows, and the rules for creating, using and deleting a token.

A token's id is the SHA-256 hash of its value, according to the documentation of the self-service API. It does not
specify the encoding of the input; here it is UTF-8. Only the id is stored.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.responses import ApiError, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tokenkit.sandbox.state.database import Database

DAY_MS = 86_400_000
NEVER = -1
QUOTA = 600
UNUSED_DAYS = 90
_DAILY_USE_DAYS = 14
_ACTIVE = f"(expiry_time = {NEVER} OR expiry_time > ?)"
TOKEN_COLUMNS = (
    "workspace_id", "token_id", "owner_id", "created_by_id", "created_by_username", "expiry_time", "last_used_day",
    "document",
)  # fmt: skip
INSERT_TOKEN = (
    f"INSERT INTO tokens ({', '.join(TOKEN_COLUMNS)}) "  # noqa: S608  # names from the tuple above
    f"VALUES ({', '.join('?' * len(TOKEN_COLUMNS))})"
)
INSERT_PLANTED_USE = "INSERT INTO planted_uses (workspace_id, token_id, use) VALUES (?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Minted:
    """A new token: its value, which only the response to its creation contains, and its listing entry."""

    value: str = field(repr=False)
    info: dict[str, Any]


class Tokens:
    """The tokens of one workspace. Times are in epoch milliseconds."""

    def __init__(self, database: Database, workspace_id: int, entropy: Callable[[int], bytes]) -> None:
        self._database = database
        self._workspace_id = workspace_id
        self._entropy = entropy

    def count(self, owner_id: int | None = None, *, active_at: int | None = None) -> int:
        """Return the number of tokens, optionally of one owner, or active at a time."""
        where, parameters = "workspace_id = ?", [self._workspace_id]
        for condition, value in (("owner_id = ?", owner_id), (_ACTIVE, active_at)):
            if value is not None:
                where, parameters = f"{where} AND {condition}", [*parameters, value]
        return int(self._database.row(f"SELECT count(*) FROM tokens WHERE {where}", parameters)[0])  # noqa: S608

    def exist(self) -> bool:
        """Return whether the workspace has any token."""
        statement = "SELECT 1 FROM tokens WHERE workspace_id = ? LIMIT 1"
        return self._database.row(statement, (self._workspace_id,)) is not None

    def documents(self, *, created_by_id: int | None = None, created_by_username: str | None = None) -> list[bytes]:
        """Return the listing entries as JSON in UTF-8, oldest row first."""
        # INDEXED BY: the planner must not read the listing in the order of ids and then sort it.
        table, where = "tokens INDEXED BY tokens_by_workspace", "workspace_id = ?"
        values: list[Any] = [self._workspace_id]
        for column, value in (("created_by_id", created_by_id), ("created_by_username", created_by_username)):
            if value is not None:
                table, where = "tokens", f"{where} AND {column} = ?"
                values.append(value)
        # As bytes, because decoding and encoding a large listing would double its time.
        statement = f"SELECT CAST(document AS BLOB) FROM {table} WHERE {where} ORDER BY sequence"  # noqa: S608
        return [document for (document,) in self._database.rows(statement, values)]

    def infos(self, **filters: Any) -> list[dict[str, Any]]:  # noqa: ANN401  # those of documents()
        """Return the listing entries as dictionaries."""
        return [json.loads(document) for document in self.documents(**filters)]

    def seeded_documents(self) -> list[bytes]:
        """Return the listing entries of the tokens at the start, as JSON, also of those that were deleted since.

        Tokens that were created since are among them.
        """
        statement = (
            "SELECT CAST(coalesce(past.document, tokens.document) AS BLOB) "
            "FROM tokens INDEXED BY tokens_by_workspace LEFT JOIN past_tokens AS past USING (sequence) "
            "WHERE tokens.workspace_id = ? UNION ALL SELECT CAST(document AS BLOB) FROM past_tokens "
            "WHERE workspace_id = ? AND sequence NOT IN (SELECT sequence FROM tokens)"
        )
        rows = self._database.rows(statement, (self._workspace_id, self._workspace_id))
        return [document for (document,) in rows]

    def planted_uses(self) -> dict[str, str]:
        """Return the planted use of each token that has one, by the token's id."""
        statement = "SELECT token_id, use FROM planted_uses WHERE workspace_id = ?"
        return dict(self._database.rows(statement, (self._workspace_id,)))

    def ids(self) -> set[str]:
        """Return the ids of all tokens."""
        statement = "SELECT token_id FROM tokens WHERE workspace_id = ?"
        return {token_id for (token_id,) in self._database.rows(statement, (self._workspace_id,))}

    def of_owner(self, owner_id: int, *, active_at: int) -> list[dict[str, Any]]:
        """Return the entries of one owner's active tokens."""
        statement = (
            f"SELECT document FROM tokens WHERE workspace_id = ? AND owner_id = ? AND {_ACTIVE} ORDER BY sequence"  # noqa: S608
        )
        rows = self._database.rows(statement, (self._workspace_id, owner_id, active_at))
        return [json.loads(document) for (document,) in rows]

    def document(self, token_id: str) -> str | None:
        """Return one listing entry as JSON text, or None."""
        statement = "SELECT document FROM tokens WHERE workspace_id = ? AND token_id = ?"
        row = self._database.row(statement, (self._workspace_id, token_id))
        return None if row is None else str(row[0])

    def find(self, token_id: str) -> tuple[int, int, int | None] | None:
        """Return the owner, the expiry and the day of last use of a token, or None."""
        statement = "SELECT owner_id, expiry_time, last_used_day FROM tokens WHERE workspace_id = ? AND token_id = ?"
        row: tuple[int, int, int | None] | None = self._database.row(statement, (self._workspace_id, token_id))
        return row

    def owners(self) -> set[int]:
        """Return the ids of all token owners."""
        statement = "SELECT DISTINCT owner_id FROM tokens WHERE workspace_id = ?"
        return {owner_id for (owner_id,) in self._database.rows(statement, (self._workspace_id,))}

    def mint(
        self,
        *,
        owner_id: int,
        created_by_id: int,
        created_by_username: str,
        creation_time: int,
        expiry_time: int,
        comment: str | None = None,
        scopes: list[str] | None = None,
        autoscope_enabled: bool | None = None,
    ) -> Minted:
        """Create a token and return it with its value, which is not stored.

        Raises:
            ApiError: QUOTA_EXCEEDED, if the owner has the maximum number of active tokens.
        """
        if self.count(owner_id, active_at=creation_time) >= QUOTA:
            # The documentation does not say whether expired tokens count. Here they do not.
            raise ApiError(400, "QUOTA_EXCEEDED", f"The number of tokens of a user may not exceed {QUOTA}")
        value = "dapi" + self._entropy(16).hex()
        info = token_info(
            token_id=token_id_of(value),
            workspace_id=self._workspace_id,
            owner_id=owner_id,
            created_by_id=created_by_id,
            created_by_username=created_by_username,
            creation_time=creation_time,
            expiry_time=expiry_time,
            comment=comment,
            scopes=scopes,
            autoscope_state=_autoscope_state(scopes, autoscope_enabled),
        )
        self._database.change(INSERT_TOKEN, token_row(info))
        return Minted(value, info)

    def replace(self, info: Mapping[str, Any]) -> None:
        """Update the listing entry of a token."""
        statement = "UPDATE tokens SET last_used_day = ?, document = ? WHERE workspace_id = ? AND token_id = ?"
        document = encode(in_order(info)).decode()
        self._database.change(statement, (info.get("last_used_day"), document, self._workspace_id, info["token_id"]))

    def touch(self, token_id: str, day: int) -> None:
        """Record the use of a token on a day."""
        document = self.document(token_id)
        if document is not None:
            self.replace({**json.loads(document), "last_used_day": day})

    def delete(self, token_id: str) -> bool:
        """Delete a token, and return whether it existed."""
        statement = "DELETE FROM tokens WHERE workspace_id = ? AND token_id = ?"
        return self._database.change(statement, (self._workspace_id, token_id)) > 0

    def pass_time(self, before_ms: int, now_ms: int) -> None:
        """Let time pass: tokens in daily use continue to be used, and tokens unused for 90 days are revoked.

        A token is in daily use if it was used in the last two weeks, and its owner is active.
        """
        days = (now_ms // DAY_MS - before_ms // DAY_MS) * DAY_MS
        last = "min(last_used_day + ?, CASE expiry_time WHEN -1 THEN ? ELSE expiry_time - expiry_time % ? END)"
        used = (days, now_ms, DAY_MS)
        self._database.change(
            f"UPDATE tokens SET document = json_set(document, '$.last_used_day', {last}), last_used_day = {last} "  # noqa: S608
            "WHERE workspace_id = ? AND last_used_day >= ? AND owner_id IN "
            "(SELECT id FROM identities WHERE workspace_id = ? AND active)",
            (
                *used,
                *used,
                self._workspace_id,
                before_ms - before_ms % DAY_MS - _DAILY_USE_DAYS * DAY_MS,
                self._workspace_id,
            ),
        )
        self._database.change(
            f"DELETE FROM tokens WHERE workspace_id = ? AND {_ACTIVE} "  # noqa: S608
            "AND coalesce(last_used_day, json_extract(document, '$.creation_time')) + ? <= ?",
            (self._workspace_id, now_ms, UNUSED_DAYS * DAY_MS, now_ms),
        )

    def delete_active_of(self, owner_ids: Iterable[int], *, now_ms: int) -> int:
        """Delete all active tokens of owners, and return their number."""
        statement = f"DELETE FROM tokens WHERE workspace_id = ? AND owner_id = ? AND {_ACTIVE}"  # noqa: S608
        parameters = [(self._workspace_id, owner_id, now_ms) for owner_id in owner_ids]
        return self._database.change_many(statement, parameters) if parameters else 0


def day_after(last_used_day: int | None, expiry_time: int, before_ms: int, now_ms: int) -> int | None:
    """Return the day of the last use of a token in daily use after time has passed; None for any other token.

    ``Tokens.pass_time`` does the same to all tokens at once.
    """
    if last_used_day is None or last_used_day < before_ms - before_ms % DAY_MS - _DAILY_USE_DAYS * DAY_MS:
        return None
    days = (now_ms // DAY_MS - before_ms // DAY_MS) * DAY_MS
    end = now_ms if expiry_time == NEVER else expiry_time - expiry_time % DAY_MS
    return min(last_used_day + days, end)


def token_id_of(value: str) -> str:
    """Return the id of the token with a value."""
    return hashlib.sha256(value.encode()).hexdigest()


def token_info(**fields: Any) -> dict[str, Any]:  # noqa: ANN401  # the fields of FIELD_ORDER
    """Return a listing entry without unset fields, such as an empty comment."""
    return in_order({name: value for name, value in fields.items() if value is not None and value not in ("", [])})


FIELD_ORDER = (
    "autoscope_state", "backfill_scopes", "comment", "created_by_id", "created_by_username", "creation_time",
    "expiry_time", "inferred_scopes", "last_used_day", "owner_id", "scopes", "token_id", "workspace_id",
)  # fmt: skip  # the order of TokenInfo in the reference


def in_order(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry with its fields in the reference's order."""
    return {name: info[name] for name in FIELD_ORDER if name in info}


def token_row(info: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the table row of a listing entry."""
    return (*(info.get(name) for name in TOKEN_COLUMNS[:-1]), encode(info).decode())


def _autoscope_state(scopes: list[str] | None, autoscope_enabled: bool | None) -> str | None:  # noqa: FBT001
    if autoscope_enabled:
        return "AUTOSCOPE_STATE_RUNNING"
    if scopes:
        return "AUTOSCOPE_STATE_USER_SELECTED"
    return None if autoscope_enabled is None else "AUTOSCOPE_STATE_DISABLED"
