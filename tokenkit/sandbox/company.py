"""A believable company: its people, programs and groups, and who of them may use tokens.

People sit in teams, teams in teams. Some people left (inactive, or gone altogether), some have the right and no token,
some own tokens without the right; programs are service principals, a few of them admins.
"""

from __future__ import annotations

import unicodedata
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tokenkit.sandbox.directory import ADMINS, USERS, Identity
from tokenkit.sandbox.names import FAMILY_NAMES, GIVEN_NAMES, LETTERS, PROGRAMS, SPELLED
from tokenkit.sandbox.permissions import CAN_MANAGE, CAN_USE

if TYPE_CHECKING:
    import random

    from tokenkit.sandbox.archetypes import Owner

# Name, the group it is within, its share of the people, whether it is in the access control list.
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
_TEAMS_WITH_RIGHT = frozenset(
    name for name, within, _, entry in _TEAMS if entry or within in (ADMINS, "data-engineers", "data-scientists")
)
_SERVICE_ACCOUNTS = "service-accounts"
_FEWEST_PEOPLE = 30


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """Whose a seeded token is, and who made it."""

    owner_id: int
    created_by_id: int
    created_by_username: str


@dataclass(slots=True)
class Company:
    """Rows for the database, and pools of owners for the deck."""

    admin: Identity
    automation: Identity
    identities: list[Identity] = field(default_factory=list)
    memberships: list[tuple[int, int]] = field(default_factory=list)
    access: list[tuple[int, str]] = field(default_factory=list)
    owners: dict[Owner, list[TokenOwner]] = field(default_factory=dict)


def people_count(tokens: int) -> int:
    """Return how many people a company with so many tokens has: more tokens a head, the larger it is."""
    return max(_FEWEST_PEOPLE, int(2.2 * tokens**0.65))


def found_company(rng: random.Random, *, tokens: int, client_id: str, everyone_may: bool) -> Company:
    """Return the company of one workspace.

    Args:
        rng: What decides everything.
        tokens: How many tokens it will own.
        client_id: The application id of the automation that signs in by OAuth, an admin.
        everyone_may: Whether the group ``users`` may use tokens.
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
    company = Company(admin, automation)
    groups = {
        name: Identity(ids.next(), "group", name)
        for name in (ADMINS, USERS, _SERVICE_ACCOUNTS, *(t[0] for t in _TEAMS))
    }
    company.identities += [*groups.values(), admin, automation]
    company.memberships += [(groups[ADMINS].id, admin.id), (groups[ADMINS].id, automation.id)]
    company.memberships += [(groups[within].id, groups[name].id) for name, within, _, _ in _TEAMS if within]

    teams = _hire(company, rng, ids, groups, people_count(tokens))
    programs, admin_programs = _install_programs(company, rng, ids, groups, people_count(tokens))
    people = [person for person in company.identities if person.kind == "user" or person.name == client_id]
    company.memberships += [(groups[USERS].id, each.id) for each in (*people, *programs, *admin_programs)]

    direct_program = Identity(ids.next(), "service_principal", ids.uuid(), "erp-export")
    company.identities.append(direct_program)
    company.memberships.append((groups[USERS].id, direct_program.id))
    direct = [
        *teams["finance"][:1],
        *teams["data-engineers"][:1],
        *teams["sales-operations"][:1],
    ]  # the second: two paths
    company.access = [(groups[ADMINS].id, CAN_MANAGE)]
    company.access += [(groups[name].id, CAN_USE) for name, _, _, entry in _TEAMS if entry]
    company.access += [(each.id, CAN_USE) for each in (groups[_SERVICE_ACCOUNTS], *direct, direct_program)]
    if everyone_may:
        company.access.append((groups[USERS].id, CAN_USE))

    programs.append(direct_program)
    _pool_owners(company, rng, ids, teams, direct)
    _pool_programs(company, rng, programs, admin_programs)
    return company


class _Ids:
    """New ids, none twice: sixteen digits as most real ones have, or any int64, which a float cannot hold."""

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


def _hire(
    company: Company, rng: random.Random, ids: _Ids, groups: dict[str, Identity], count: int
) -> dict[str, list[Identity]]:
    """Put people into teams, at least two in each, and return the teams; one in sixteen is inactive."""
    names = [name for name, _, _, _ in _TEAMS]
    placed = [*names, *names, *rng.choices(names, [share for _, _, share, _ in _TEAMS], k=count)][:count]
    teams: dict[str, list[Identity]] = {name: [] for name in names}
    taken: set[str] = {company.admin.name}
    for index, team in enumerate(placed):
        given, family = rng.choice(GIVEN_NAMES), rng.choice(FAMILY_NAMES)
        user_name = _user_name(given, family, taken)
        active = index < len(names) or rng.random() > 0.0625
        if index == len(names) + 1:
            active = False  # somebody has always left
        person = Identity(ids.next(), "user", user_name, f"{given} {family}", active, _person(given, family, user_name))
        company.identities.append(person)
        teams[team].append(person)
        company.memberships.append((groups[team].id, person.id))
        if rng.random() < 0.1:
            company.memberships.append((groups[rng.choice(names[1:8])].id, person.id))
    return teams


def _install_programs(
    company: Company, rng: random.Random, ids: _Ids, groups: dict[str, Identity], people: int
) -> tuple[list[Identity], list[Identity]]:
    """Return the service principals: the ordinary ones, and those that are admins."""
    programs = []
    for index in range(max(len(PROGRAMS), people // 12)):
        name = PROGRAMS[index % len(PROGRAMS)] + (f"-{index // len(PROGRAMS) + 1}" if index >= len(PROGRAMS) else "")
        programs.append(Identity(ids.next(), "service_principal", ids.uuid(), name, active=index != 5))
    company.identities += programs
    company.memberships += [(groups[_SERVICE_ACCOUNTS].id, each.id) for each in programs]
    admins = [each for index, each in enumerate(programs) if index % 8 == 0]
    company.memberships += [(groups[ADMINS].id, each.id) for each in admins]
    rng.shuffle(programs)
    return [each for each in programs if each not in admins], admins


def _pool_owners(
    company: Company, rng: random.Random, ids: _Ids, teams: dict[str, list[Identity]], direct: list[Identity]
) -> None:
    """Say which people own which kind of token. One in six with the right owns none."""
    entitled = [each for name in teams if name in _TEAMS_WITH_RIGHT for each in teams[name]]
    active = [each for each in entitled if each.active]
    working = [each for index, each in enumerate(active) if index % 6 != 5]
    entitled_ids = {each.id for each in (*entitled, *direct)}
    second_teams = _entitled_by_second_team(company)
    outside = [
        each
        for name in ("finance", "sales-operations", "contractors", "analysts")
        for each in teams[name]
        if each.active and each.id not in entitled_ids and each.id not in second_teams
    ]
    left = [each for team in teams.values() for each in team if not each.active]
    taken = {each.name for each in company.identities}
    gone = []
    for _ in range(max(2, len(active) // 25)):
        given, family = rng.choice(GIVEN_NAMES), rng.choice(FAMILY_NAMES)
        gone.append(Identity(ids.next(), "user", _user_name(given, family, taken)))
    gone.append(Identity(ids.next(), "service_principal", ids.uuid()))
    company.owners = {
        "heavy": [_self_made(working[0])],
        "person": [_self_made(each) for each in working[1:]],
        "inactive": [_self_made(each) for each in left],
        "deleted": [_self_made(each) for each in gone],
        "without the right": [_self_made(each) for each in outside],
    }


def _entitled_by_second_team(company: Company) -> set[int]:
    entitled_groups = {
        each.id for each in company.identities if each.kind == "group" and each.name in _TEAMS_WITH_RIGHT
    }
    return {member for group, member in company.memberships if group in entitled_groups}


def _pool_programs(
    company: Company, rng: random.Random, programs: list[Identity], admin_programs: list[Identity]
) -> None:
    """Say for which programs an admin minted tokens. The creator's name is the program's, see token_management."""
    admins = [company.admin, *(each for each in company.identities if each.kind == "user" and each.active)][:4]
    for pool, members in (("program", programs), ("admin program", admin_programs)):
        made = [TokenOwner(each.id, rng.choice(admins).id, each.name) for each in members if each.active]
        company.owners["program" if pool == "program" else "admin program"] = made


def _self_made(identity: Identity) -> TokenOwner:
    return TokenOwner(identity.id, identity.id, identity.name)


def _person(given: str, family: str, user_name: str) -> dict[str, object]:
    emails = [{"type": "work", "value": user_name, "primary": True}]
    return {"name": {"givenName": given, "familyName": family}, "emails": emails}


def _user_name(given: str, family: str, taken: set[str]) -> str:
    """Return an address that nobody has yet: letters of ASCII, a number where needed."""
    stem = f"{_ascii(given)}.{_ascii(family)}"
    number = 1
    while (name := f"{stem}{number if number > 1 else ''}@example.com") in taken:
        number += 1
    taken.add(name)
    return name


def _ascii(name: str) -> str:
    spelled = SPELLED.get(name, name).lower().translate(LETTERS)
    decomposed = unicodedata.normalize("NFKD", spelled)
    return "".join(letter for letter in decomposed if letter.isascii() and letter.isalpha())
