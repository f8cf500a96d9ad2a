"""Fills a new database: the account, and the company and tokens of each workspace.

The data depends only on the seed, the workspace's position and the time, so that a guide with a fixed clock always
shows the same tokens. Tokens are written as text from prepared parts, because serializing a million tokens would take
most of a minute.
"""

from __future__ import annotations

import hashlib
import json
import random
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenkit.sandbox.seeding.archetypes import ARCHETYPES, YEAR_9999_MS, Archetype, allocate
from tokenkit.sandbox.seeding.company import generate_company
from tokenkit.sandbox.seeding.names import (
    BROAD_SCOPE_SETS,
    COMMENTS,
    HOSTILE_COMMENTS,
    MEANINGLESS_COMMENTS,
    SCOPE_SETS,
)
from tokenkit.sandbox.seeding.uses import TOKENS_OF_A_USE, USE_OF_ARCHETYPE
from tokenkit.sandbox.state.directory import INSERT_IDENTITY, INSERT_MEMBERSHIP, identity_row
from tokenkit.sandbox.state.oauth_secrets import INSERT_HASH, hash_of
from tokenkit.sandbox.state.permissions import INSERT_ACCESS
from tokenkit.sandbox.state.secrets import FIRST_SCOPE, INSERT_SCOPE
from tokenkit.sandbox.state.settings import INSERT_SETTING, MAX_LIFETIME_KEY, TOKENS_ENABLED_KEY
from tokenkit.sandbox.state.tokens import (
    DAY_MS,
    INSERT_PLANTED_USE,
    INSERT_TOKEN,
    token_id_of,
    token_info,
    token_row,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenkit.sandbox.seeding.archetypes import Scopes
    from tokenkit.sandbox.seeding.company import Company
    from tokenkit.sandbox.state.database import Database

_ADMIN_TOKEN_DAYS = 365
_CLIENT_SECRET_TIMES = (1_767_225_600_000, YEAR_9999_MS)  # valid at every clock that a guide or a test sets


def seed_account(database: Database, *, seed: int) -> None:
    """Write the account's id, and the OAuth credentials that are valid in all workspaces."""
    rng = random.Random(f"{seed}/account")  # noqa: S311  # repeatable; nothing here is secret
    properties = {
        "account_id": _uuid(rng),
        "client_id": _uuid(rng),
        "client_secret": "dose" + rng.randbytes(16).hex(),
    }
    statement = "INSERT INTO properties (name, value) VALUES (?, ?)"
    database.change_many(statement, properties.items())
    secret_id = str(uuid.uuid5(uuid.UUID(properties["account_id"]), "secret"))
    secret_hash = hash_of(properties["client_secret"])
    row = (properties["client_id"], secret_id, secret_hash, *_CLIENT_SECRET_TIMES)
    database.change(INSERT_HASH, row)


def seed_workspace(database: Database, position: int, *, tokens: int, seed: int, now_ms: int) -> None:
    """Write a workspace's company and exactly ``tokens`` tokens, including its admin's own."""
    rng = random.Random(f"{seed}/{position}")  # noqa: S311  # as above
    workspace_id = rng.randrange(2**53, 2**63) if position % 2 else rng.randrange(10**15, 2**53)
    client_id = database.row("SELECT value FROM properties WHERE name = 'client_id'")[0]
    company = generate_company(rng, tokens=tokens, client_id=client_id, all_users_can_use=position % 3 == 2)
    admin_token = "dapi" + rng.randbytes(16).hex()

    statement = "INSERT INTO workspaces (position, workspace_id, token) VALUES (?, ?, ?)"
    database.change(statement, (position, workspace_id, admin_token))
    _write_company(database, workspace_id, company)
    settings = {TOKENS_ENABLED_KEY: "true"} | ({MAX_LIFETIME_KEY: "365"} if position % 2 else {})
    database.change_many(INSERT_SETTING, [(workspace_id, name, value) for name, value in settings.items()])
    database.change(INSERT_SCOPE, (workspace_id, FIRST_SCOPE))
    database.change(INSERT_TOKEN, token_row(_admin_info(company, workspace_id, admin_token, now_ms)))
    planted: list[tuple[int, str, str]] = []
    database.change_many(INSERT_TOKEN, _token_rows(rng, company, workspace_id, tokens - 1, now_ms, planted=planted))
    database.change_many(INSERT_PLANTED_USE, planted)


def _write_company(database: Database, workspace_id: int, company: Company) -> None:
    database.change_many(INSERT_IDENTITY, [identity_row(workspace_id, identity) for identity in company.identities])
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
        # Used today, so that the first request does not change the listing.
        last_used_day=now_ms - now_ms % DAY_MS,
        comment="tokenkit (this session)",
    )


@dataclass(frozen=True, slots=True)
class _ScopeFields:
    """The scope fields as JSON text, in the three positions of a document."""

    states: str = ""
    inferred: str = ""
    scopes: str = ""


def _token_rows(
    rng: random.Random,
    company: Company,
    workspace_id: int,
    count: int,
    now_ms: int,
    *,
    planted: list[tuple[int, str, str]],
) -> Iterator[tuple[object, ...]]:
    """Yield the rows of the tokens, in random order of archetypes, and add to ``planted`` those with a planted use."""
    order = [index for index, number in enumerate(allocate(count)) for _ in range(number)]
    rng.shuffle(order)
    owners = [company.owners[archetype.owner] for archetype in ARCHETYPES]
    scopes = _scope_variants()
    ordinary = [f'"comment":{_json(text)},' for text in COMMENTS]
    end = f'","workspace_id":{workspace_id}}}'
    names: dict[str, str] = {}
    seen = [0] * len(ARCHETYPES)
    uniform, getrandbits, sha256 = rng.random, rng.getrandbits, hashlib.sha256
    for index in order:
        archetype, pool = ARCHETYPES[index], owners[index]
        nth = seen[index]
        seen[index] = nth + 1
        # Users own uneven numbers of tokens. The small pools are used in turn, so that no owner exceeds the quota.
        owner = pool[int(uniform() ** 1.15 * len(pool))] if archetype.owner == "user" else pool[nth % len(pool)]
        creation, expiry = _span(archetype, uniform(), now_ms)
        used = _last_used(archetype, uniform(), creation, expiry, now_ms)
        variants = scopes[archetype.scopes]
        fields = variants[int(uniform() * len(variants))]
        if archetype.comment == "ordinary":
            comment = ordinary[int(uniform() * len(ordinary))]
        else:
            comment = _comment(archetype, nth, rng)
        name = owner.created_by_username
        quoted = names.get(name) or names.setdefault(name, _json(name))
        token_id = sha256(b"dapi%032x" % getrandbits(128)).hexdigest()
        use = USE_OF_ARCHETYPE[index] if nth < TOKENS_OF_A_USE else None
        if use is not None:
            planted.append((workspace_id, token_id, use))
        last_used = "" if used is None else f'"last_used_day":{used},'
        document = (
            f'{{{fields.states}{comment}"created_by_id":{owner.created_by_id},"created_by_username":{quoted},'
            f'"creation_time":{creation},"expiry_time":{expiry},{fields.inferred}{last_used}'
            f'"owner_id":{owner.owner_id},{fields.scopes}"token_id":"{token_id}{end}'
        )
        yield workspace_id, token_id, owner.owner_id, owner.created_by_id, name, expiry, used, document


def _span(archetype: Archetype, chance: float, now_ms: int) -> tuple[int, int]:
    """Return the creation and expiry of a token."""
    if archetype.remaining is not None:
        low, high = archetype.remaining
        expiry = now_ms + int((low + chance * (high - low)) * DAY_MS)
        return expiry - (archetype.lifetime or 0) * DAY_MS, expiry
    low, high = archetype.age
    creation = now_ms - int((low + chance * (high - low)) * DAY_MS)
    if archetype.lifetime is None:
        return creation, -1
    return creation, creation + archetype.lifetime * DAY_MS if archetype.lifetime else YEAR_9999_MS


def _last_used(archetype: Archetype, chance: float, creation: int, expiry: int, now_ms: int) -> int | None:
    """Return the midnight of the last use, between creation and expiry."""
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
        # Generated, so that no secret scanner reports this file.
        secrets = ("dapi" + rng.randbytes(16).hex(), "AKIA" + rng.randbytes(8).hex().upper())
        return f'"comment":{_json(("old key: ", "aws ")[nth % 2] + secrets[nth % 2])},'
    texts = MEANINGLESS_COMMENTS if archetype.comment == "meaningless" else HOSTILE_COMMENTS
    return f'"comment":{_json(texts[nth % len(texts)])},'


def _scope_variants() -> dict[Scopes, list[_ScopeFields]]:
    """Return the variants of each kind. Most of the ordinary ones have no scopes."""
    chosen = [_scope_fields("USER_SELECTED", granted) for granted in SCOPE_SETS]
    return {
        "ordinary": [*chosen, *[_ScopeFields()] * (len(chosen) + 2)],
        "all-apis": [
            _scope_fields(None, ("all-apis",)),
            _scope_fields("API_NOT_COVERED", ("all-apis",), inferred=("sql",)),
        ],
        "authentication": [
            _scope_fields("USER_SELECTED", ("authentication",)),
            _scope_fields("USER_SELECTED", ("authentication", "scim")),
        ],
        "inferred": [
            _scope_fields(state, granted, inferred=granted[:used])
            for granted in BROAD_SCOPE_SETS
            for state, used in (("COMPLETED", 1), ("COMPLETED", 2), ("RUNNING", 1))
        ],
        "backfilled": [_scope_fields("BACKFILLED", granted, backfill=granted[-2:]) for granted in BROAD_SCOPE_SETS],
        "disabled": [_scope_fields("DISABLED", granted) for granted in BROAD_SCOPE_SETS],
    }


def _scope_fields(
    state: str | None, scopes: tuple[str, ...], *, inferred: tuple[str, ...] = (), backfill: tuple[str, ...] = ()
) -> _ScopeFields:
    states = f'"autoscope_state":"AUTOSCOPE_STATE_{state}",' if state else ""
    states += f'"backfill_scopes":{_json(backfill)},' if backfill else ""
    return _ScopeFields(
        states, f'"inferred_scopes":{_json(inferred)},' if inferred else "", f'"scopes":{_json(scopes)},'
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
