"""Fills a new database: the account, and for each workspace its company and its tokens.

Everything follows from the seed, the workspace's position and the time, so that a guide shows the same tokens every
day that its clock stands still. A million tokens are written as text from prepared pieces: serialising each would
take most of a minute.
"""

from __future__ import annotations

import hashlib
import json
import random
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenkit.sandbox.archetypes import DECK, YEAR_9999_MS, Archetype, allot
from tokenkit.sandbox.company import found_company
from tokenkit.sandbox.directory import INSERT_IDENTITY, INSERT_MEMBERSHIP, identity_row
from tokenkit.sandbox.names import (
    COMMENTS,
    HOSTILE_COMMENTS,
    MEANINGLESS_COMMENTS,
    SCOPE_SETS,
    WIDE_SCOPE_SETS,
)
from tokenkit.sandbox.permissions import INSERT_ACCESS
from tokenkit.sandbox.secrets import FIRST_SCOPE, INSERT_SCOPE
from tokenkit.sandbox.settings import ENABLED, INSERT_SETTING, MAXIMUM
from tokenkit.sandbox.tokens import DAY_MS, INSERT_TOKEN, token_id_of, token_info, token_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenkit.sandbox.archetypes import Scopes
    from tokenkit.sandbox.company import Company
    from tokenkit.sandbox.database import Database

_ADMIN_TOKEN_DAYS = 365


def seed_account(database: Database, *, seed: int) -> None:
    """Write what is the same in every workspace: the account's id and the automation's credentials."""
    rng = random.Random(f"{seed}/account")  # noqa: S311  # it must be repeatable; nothing here is secret
    properties = {
        "account_id": _uuid(rng),
        "client_id": _uuid(rng),
        "client_secret": "dose" + rng.randbytes(16).hex(),
    }
    statement = "INSERT INTO properties (name, value) VALUES (?, ?)"
    database.change_many(statement, properties.items())


def seed_workspace(database: Database, position: int, *, tokens: int, seed: int, now_ms: int) -> None:
    """Write a workspace's company and exactly so many tokens, its admin's own included."""
    rng = random.Random(f"{seed}/{position}")  # noqa: S311  # as above
    workspace_id = rng.randrange(2**53, 2**63) if position % 2 else rng.randrange(10**15, 2**53)
    client_id = database.row("SELECT value FROM properties WHERE name = 'client_id'")[0]
    company = found_company(rng, tokens=tokens, client_id=client_id, everyone_may=position % 3 == 2)
    admin_token = "dapi" + rng.randbytes(16).hex()

    statement = "INSERT INTO workspaces (position, workspace_id, token) VALUES (?, ?, ?)"
    database.change(statement, (position, workspace_id, admin_token))
    _write_company(database, workspace_id, company)
    settings = {ENABLED: "true"} | ({MAXIMUM: "365"} if position % 2 else {})
    database.change_many(INSERT_SETTING, [(workspace_id, name, value) for name, value in settings.items()])
    database.change(INSERT_SCOPE, (workspace_id, FIRST_SCOPE))
    database.change(INSERT_TOKEN, token_row(_admin_info(company, workspace_id, admin_token, now_ms)))
    database.change_many(INSERT_TOKEN, _token_rows(rng, company, workspace_id, tokens - 1, now_ms))


def _write_company(database: Database, workspace_id: int, company: Company) -> None:
    database.change_many(INSERT_IDENTITY, [identity_row(workspace_id, each) for each in company.identities])
    memberships = [(workspace_id, group_id, member_id) for group_id, member_id in company.memberships]
    database.change_many(INSERT_MEMBERSHIP, memberships)
    database.change_many(INSERT_ACCESS, [(workspace_id, *entry) for entry in company.access])


def _admin_info(company: Company, workspace_id: int, value: str, now_ms: int) -> dict[str, object]:
    creation = now_ms - 5 * DAY_MS
    return token_info(
        token_id=token_id_of(value),
        workspace_id=workspace_id,
        owner_id=company.admin.id,
        created_by_id=company.admin.id,
        created_by_username=company.admin.name,
        creation_time=creation,
        expiry_time=creation + _ADMIN_TOKEN_DAYS * DAY_MS,
        # Used today, so that a first listing does not change what a second one shows.
        last_used_day=now_ms - now_ms % DAY_MS,
        comment="tokenkit (this session)",
    )


@dataclass(frozen=True, slots=True)
class _ScopePieces:
    """The fields about scopes as text, in the three places where they stand."""

    states: str = ""
    inferred: str = ""
    scopes: str = ""


def _token_rows(
    rng: random.Random, company: Company, workspace_id: int, count: int, now_ms: int
) -> Iterator[tuple[object, ...]]:
    """Yield a row for each token of the shuffled deck."""
    deck = [index for index, number in enumerate(allot(count)) for _ in range(number)]
    rng.shuffle(deck)
    owners = [company.owners[archetype.owner] for archetype in DECK]
    scopes = {kind: _scope_pieces(kind) for kind in {archetype.scopes for archetype in DECK}}
    ordinary = [f'"comment":{_json(text)},' for text in COMMENTS]
    end = f'","workspace_id":{workspace_id}}}'
    names: dict[str, str] = {}
    seen = [0] * len(DECK)
    uniform, getrandbits, sha256 = rng.random, rng.getrandbits, hashlib.sha256
    for index in deck:
        archetype, pool = DECK[index], owners[index]
        nth = seen[index]
        seen[index] = nth + 1
        # People own unevenly many; the small pools are taken in turn, so that none goes over the quota.
        owner = pool[int(uniform() ** 1.15 * len(pool))] if archetype.owner == "person" else pool[nth % len(pool)]
        creation, expiry = _span(archetype, uniform(), now_ms)
        used = _last_used(archetype, uniform(), creation, expiry, now_ms)
        pieces = scopes[archetype.scopes]
        piece = pieces[int(uniform() * len(pieces))]
        if archetype.comment == "ordinary":
            comment = ordinary[int(uniform() * len(ordinary))]
        else:
            comment = _comment(archetype, nth, rng)
        name = owner.created_by_username
        quoted = names.get(name) or names.setdefault(name, _json(name))
        token_id = sha256(b"dapi%032x" % getrandbits(128)).hexdigest()
        last_used = "" if used is None else f'"last_used_day":{used},'
        document = (
            f'{{{piece.states}{comment}"created_by_id":{owner.created_by_id},"created_by_username":{quoted},'
            f'"creation_time":{creation},"expiry_time":{expiry},{piece.inferred}{last_used}'
            f'"owner_id":{owner.owner_id},{piece.scopes}"token_id":"{token_id}{end}'
        )
        yield workspace_id, token_id, owner.owner_id, owner.created_by_id, name, expiry, used, document


def _span(archetype: Archetype, chance: float, now_ms: int) -> tuple[int, int]:
    """Return when a token was created and when it expires."""
    if archetype.left is not None:
        low, high = archetype.left
        expiry = now_ms + int((low + chance * (high - low)) * DAY_MS)
        return expiry - (archetype.lifetime or 0) * DAY_MS, expiry
    low, high = archetype.age
    creation = now_ms - int((low + chance * (high - low)) * DAY_MS)
    if archetype.lifetime is None:
        return creation, -1
    return creation, creation + archetype.lifetime * DAY_MS if archetype.lifetime else YEAR_9999_MS


def _last_used(archetype: Archetype, chance: float, creation: int, expiry: int, now_ms: int) -> int | None:
    """Return the midnight of the last use: not before the creation, not after the expiry."""
    if archetype.idle is None:
        return None
    low, high = archetype.idle
    end = now_ms if expiry < 0 else min(now_ms, expiry)
    used = end - int(low + chance * (high - low + 1)) * DAY_MS
    used = max(used, creation)
    return used - used % DAY_MS


def _comment(archetype: Archetype, nth: int, rng: random.Random) -> str:
    """Return the comment field of a token whose comment is not ordinary."""
    if archetype.comment == "none":
        return ""
    if archetype.comment == "secret":
        # Put together here, so that no scanner takes this file for a leak.
        secrets = ("dapi" + rng.randbytes(16).hex(), "AKIA" + rng.randbytes(8).hex().upper())
        return f'"comment":{_json(("old key: ", "aws ")[nth % 2] + secrets[nth % 2])},'
    texts = MEANINGLESS_COMMENTS if archetype.comment == "meaningless" else HOSTILE_COMMENTS
    return f'"comment":{_json(texts[nth % len(texts)])},'


def _scope_pieces(kind: Scopes) -> list[_ScopePieces]:
    """Return the variants of a kind; the ordinary ones have no scopes more often than not."""
    if kind == "ordinary":
        chosen = [_pieces("USER_SELECTED", each) for each in SCOPE_SETS]
        return [*chosen, *[_ScopePieces()] * len(chosen), _ScopePieces(), _ScopePieces()]
    if kind == "all-apis":
        return [_pieces(None, ("all-apis",)), _pieces("API_NOT_COVERED", ("all-apis",), inferred=("sql",))]
    if kind == "authentication":
        return [_pieces("USER_SELECTED", ("authentication",)), _pieces("USER_SELECTED", ("authentication", "scim"))]
    if kind == "inferred":
        return [
            _pieces(state, granted, inferred=granted[:used])
            for granted in WIDE_SCOPE_SETS
            for state, used in (("COMPLETED", 1), ("COMPLETED", 2), ("RUNNING", 1))
        ]
    if kind == "backfilled":
        return [_pieces("BACKFILLED", granted, backfill=granted[-2:]) for granted in WIDE_SCOPE_SETS]
    return [_pieces("DISABLED", granted) for granted in WIDE_SCOPE_SETS]


def _pieces(
    state: str | None, scopes: tuple[str, ...], *, inferred: tuple[str, ...] = (), backfill: tuple[str, ...] = ()
) -> _ScopePieces:
    states = f'"autoscope_state":"AUTOSCOPE_STATE_{state}",' if state else ""
    states += f'"backfill_scopes":{_json(backfill)},' if backfill else ""
    return _ScopePieces(
        states, f'"inferred_scopes":{_json(inferred)},' if inferred else "", f'"scopes":{_json(scopes)},'
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
