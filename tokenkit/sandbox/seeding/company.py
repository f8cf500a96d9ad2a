"""A realistic company: its users, service principals and groups, and their permission to use tokens.

Users are in teams, and teams are nested. Some users are inactive or were deleted, some have permission and no token,
and some own tokens without permission. A few service principals are admins.
"""

from __future__ import annotations

import unicodedata
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tokenkit.sandbox.seeding.names import (
    FAMILY_NAMES,
    GIVEN_NAMES,
    LATIN_LETTERS,
    LATIN_SPELLINGS,
    SERVICE_PRINCIPAL_NAMES,
)
from tokenkit.sandbox.state.directory import ADMINS, USERS, Identity
from tokenkit.sandbox.state.permissions import CAN_MANAGE, CAN_USE

if TYPE_CHECKING:
    import random

    from tokenkit.sandbox.seeding.archetypes import Owner

# Name, parent group, share of the users, whether it is in the access control list.
_TEAMS = (
    ("platform-admins", ADMINS, 3, False),
    ("data-engineers", None, 20, True),
    ("streaming-team", "data-engineers", 9, False),
    ("batch-team", "data-engineers", 8, False),
    ("data-scientists", None, 14, True),
    ("ml-platform", "data-scientists", 7, False),
    ("analysts", None, 12, False),
    ("bi-team", "analysts", 10, True),
    ("finance", None, 9, False),
    ("sales-operations", None, 5, False),
    ("contractors", None, 3, False),
)
_TEAMS_WITH_PERMISSION = frozenset(
    name for name, within, _, entry in _TEAMS if entry or within in (ADMINS, "data-engineers", "data-scientists")
)
_SERVICE_ACCOUNTS = "service-accounts"
_MIN_USERS = 30


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """The owner and the creator of a seeded token."""

    owner_id: int
    created_by_id: int
    created_by_username: str


@dataclass(slots=True)
class Company:
    """Rows for the database, and the owners for each kind of token."""

    admin: Identity
    identities: list[Identity] = field(default_factory=list)
    memberships: list[tuple[int, int]] = field(default_factory=list)
    access: list[tuple[int, str]] = field(default_factory=list)
    owners: dict[Owner, list[TokenOwner]] = field(default_factory=dict)


def user_count(tokens: int) -> int:
    """Return the number of users of a company with a number of tokens. Larger companies have more tokens per user."""
    return max(_MIN_USERS, int(2.2 * tokens**0.65))


def generate_company(rng: random.Random, *, tokens: int, client_id: str, all_users_can_use: bool) -> Company:
    """Return the company of one workspace.

    Args:
        rng: The source of all choices.
        tokens: Number of tokens in the workspace.
        client_id: The application id of the admin service principal that signs in with OAuth.
        all_users_can_use: Whether the group ``users`` can use tokens.
    """
    ids = _Ids(rng)
    admin = Identity(
        ids.next(),
        "user",
        "admin@example.com",
        "Avery Admin",
        attributes=_person("Avery", "Admin", "admin@example.com"),
    )
    automation = Identity(ids.next(), "service_principal", client_id, "tokenkit-automation")
    company = Company(admin)
    groups = {
        name: Identity(ids.next(), "group", name)
        for name in (ADMINS, USERS, _SERVICE_ACCOUNTS, *(team for team, _, _, _ in _TEAMS))
    }
    company.identities += [*groups.values(), admin, automation]
    company.memberships += [(groups[ADMINS].id, admin.id), (groups[ADMINS].id, automation.id)]
    company.memberships += [(groups[within].id, groups[name].id) for name, within, _, _ in _TEAMS if within]

    teams = _add_users(company, rng, ids, groups, user_count(tokens))
    ordinary, admins = _add_service_principals(company, rng, ids, groups, user_count(tokens))
    users = [identity for identity in company.identities if identity.kind == "user" or identity.name == client_id]
    company.memberships += [(groups[USERS].id, member.id) for member in (*users, *ordinary, *admins)]

    direct_principal = Identity(ids.next(), "service_principal", ids.uuid(), "erp-export")
    company.identities.append(direct_principal)
    company.memberships.append((groups[USERS].id, direct_principal.id))
    direct = [
        *teams["finance"][:1],
        *teams["data-engineers"][:1],  # has permission through the team too
        *teams["sales-operations"][:1],
    ]
    company.access = [(groups[ADMINS].id, CAN_MANAGE)]
    company.access += [(groups[name].id, CAN_USE) for name, _, _, entry in _TEAMS if entry]
    company.access += [(principal.id, CAN_USE) for principal in (groups[_SERVICE_ACCOUNTS], *direct, direct_principal)]
    if all_users_can_use:
        company.access.append((groups[USERS].id, CAN_USE))

    ordinary.append(direct_principal)
    _pool_owners(company, rng, ids, teams, direct)
    _pool_service_principals(company, rng, ordinary, admins)
    return company


class _Ids:
    """Unique new ids: sixteen digits, like most real ones, or any int64, which a float cannot represent."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._taken: set[int] = set()

    def next(self) -> int:
        while True:
            large = self._rng.random() < 0.6
            identity_id = self._rng.randrange(2**53, 2**63) if large else self._rng.randrange(10**14, 2**53)
            if identity_id not in self._taken:
                self._taken.add(identity_id)
                return identity_id

    def uuid(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))


def _add_users(
    company: Company, rng: random.Random, ids: _Ids, groups: dict[str, Identity], count: int
) -> dict[str, list[Identity]]:
    """Add users to the company, at least two in each team, and return the teams. One user in sixteen is inactive."""
    names = [name for name, _, _, _ in _TEAMS]
    placed = [*names, *names, *rng.choices(names, [share for _, _, share, _ in _TEAMS], k=count)][:count]
    teams: dict[str, list[Identity]] = {name: [] for name in names}
    taken: set[str] = {company.admin.name}
    for index, team in enumerate(placed):
        given, family = rng.choice(GIVEN_NAMES), rng.choice(FAMILY_NAMES)
        user_name = _user_name(given, family, taken)
        active = index < len(names) or rng.random() > 0.0625
        if index == len(names) + 1:
            active = False  # at least one user is inactive
        person = Identity(ids.next(), "user", user_name, f"{given} {family}", active, _person(given, family, user_name))
        company.identities.append(person)
        teams[team].append(person)
        company.memberships.append((groups[team].id, person.id))
        if rng.random() < 0.1:
            company.memberships.append((groups[rng.choice(names[1:8])].id, person.id))
    return teams


def _add_service_principals(
    company: Company, rng: random.Random, ids: _Ids, groups: dict[str, Identity], people: int
) -> tuple[list[Identity], list[Identity]]:
    """Add service principals to the company, and return the ordinary ones and the admins."""
    service_principals = []
    for index in range(max(len(SERVICE_PRINCIPAL_NAMES), people // 12)):
        name = SERVICE_PRINCIPAL_NAMES[index % len(SERVICE_PRINCIPAL_NAMES)] + (
            f"-{index // len(SERVICE_PRINCIPAL_NAMES) + 1}" if index >= len(SERVICE_PRINCIPAL_NAMES) else ""
        )
        service_principals.append(Identity(ids.next(), "service_principal", ids.uuid(), name, active=index != 5))
    company.identities += service_principals
    company.memberships += [(groups[_SERVICE_ACCOUNTS].id, member.id) for member in service_principals]
    admins = service_principals[::8]
    company.memberships += [(groups[ADMINS].id, admin.id) for admin in admins]
    rng.shuffle(service_principals)
    return [principal for principal in service_principals if principal not in admins], admins


def _pool_owners(
    company: Company, rng: random.Random, ids: _Ids, teams: dict[str, list[Identity]], direct: list[Identity]
) -> None:
    """Set the owners of each kind of token. One in six users with permission owns none."""
    permitted = [user for name in teams if name in _TEAMS_WITH_PERMISSION for user in teams[name]]
    active = [user for user in permitted if user.active]
    owning = [user for index, user in enumerate(active) if index % 6 != 5]
    permitted_ids = {user.id for user in (*permitted, *direct)}
    second_teams = _permitted_by_second_team(company)
    outside = [
        user
        for name in ("finance", "sales-operations", "contractors", "analysts")
        for user in teams[name]
        if user.active and user.id not in permitted_ids and user.id not in second_teams
    ]
    inactive = [user for team in teams.values() for user in team if not user.active]
    taken = {identity.name for identity in company.identities}
    deleted = []
    for _ in range(max(2, len(active) // 25)):
        given, family = rng.choice(GIVEN_NAMES), rng.choice(FAMILY_NAMES)
        deleted.append(Identity(ids.next(), "user", _user_name(given, family, taken)))
    deleted.append(Identity(ids.next(), "service_principal", ids.uuid()))
    company.owners = {
        "busy_user": [_self_created(owning[0])],
        "user": [_self_created(user) for user in owning[1:]],
        "inactive": [_self_created(user) for user in inactive],
        "deleted": [_self_created(identity) for identity in deleted],
        "without_permission": [_self_created(user) for user in outside],
    }


def _permitted_by_second_team(company: Company) -> set[int]:
    permitted_groups = {
        group.id for group in company.identities if group.kind == "group" and group.name in _TEAMS_WITH_PERMISSION
    }
    return {member_id for group_id, member_id in company.memberships if group_id in permitted_groups}


def _pool_service_principals(
    company: Company, rng: random.Random, ordinary: list[Identity], admins: list[Identity]
) -> None:
    """Set the service principals that own tokens, created by admins.

    The creator's username is the service principal's application id, see ``handlers/token_management``.
    """
    active_users = (user for user in company.identities if user.kind == "user" and user.active)
    creators = [company.admin, *active_users][:4]

    def owners(principals: list[Identity]) -> list[TokenOwner]:
        return [
            TokenOwner(principal.id, rng.choice(creators).id, principal.name)
            for principal in principals
            if principal.active
        ]

    company.owners["service_principal"] = owners(ordinary)
    company.owners["admin_service_principal"] = owners(admins)


def _self_created(identity: Identity) -> TokenOwner:
    return TokenOwner(identity.id, identity.id, identity.name)


def _person(given: str, family: str, user_name: str) -> dict[str, object]:
    emails = [{"type": "work", "value": user_name, "primary": True}]
    return {"name": {"givenName": given, "familyName": family}, "emails": emails}


def _user_name(given: str, family: str, taken: set[str]) -> str:
    """Return an unused email address: ASCII letters, with a number if needed."""
    stem = f"{_ascii(given)}.{_ascii(family)}"
    number = 1
    while (name := f"{stem}{number if number > 1 else ''}@example.com") in taken:
        number += 1
    taken.add(name)
    return name


def _ascii(name: str) -> str:
    spelled = LATIN_SPELLINGS.get(name, name).lower().translate(LATIN_LETTERS)
    decomposed = unicodedata.normalize("NFKD", spelled)
    return "".join(letter for letter in decomposed if letter.isascii() and letter.isalpha())
