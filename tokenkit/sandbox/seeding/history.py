"""A realistic audit log for the time before the sandbox started: the programs and addresses that used each token.

The history of a token depends only on the token as it was seeded, and the time, so that it is the same whenever it is
generated, also after the token was used or revoked. It contains the difficulties of a real log: internal tokens of
notebooks and jobs, which are not in any listing; revoked tokens; rejected sign-ins; addresses with a port; and sign-ins
without a token. Some tokens have a planted use (``seeding/uses``), which the audit finds.
"""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokenkit.sandbox.seeding.uses import CLOUD, HOMES, OFFICE, USES_BY_NAME
from tokenkit.sandbox.state.audit_log import EXTERNAL_TOKEN, INTERNAL_TOKEN, Event
from tokenkit.sandbox.state.tokens import DAY_MS, NEVER, day_after

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tokenkit.sandbox.seeding.uses import PlantedUse
    from tokenkit.sandbox.state.directory import Identity
    from tokenkit.sandbox.state.workspace import State

HISTORY_DAYS = 60
_MAX_DAYS_USED = 12
_PLANTED_DAYS = 10
_REVOKED_SHARE = 20  # one revoked token for this many listed ones
_PEOPLES_PROGRAMS = (
    "databricks-cli/0.298.0 databricks-sdk-go/0.128.0 go/1.26.2 os/darwin",
    "databricks-vscode/2.10.0 databricks-sdk-js/0.0.11 nodejs/22.14.0 os/linux",
    "DatabricksJDBCDriverOSS/2.7.3 Java/17.0.12 DBeaver/25.1",
    "databricks-sdk-py/0.62.0 python/3.12.9 os/windows",
    "PostmanRuntime/7.44.0",
    "curl/8.7.1",
    "Tableau Desktop 2025.1 Databricks-ODBC/2.9.1",
)
_SERVICES_PROGRAMS = (
    "databricks-tf-provider/1.96.0 databricks-sdk-go/0.95.0 go/1.24.0 os/linux terraform/1.11.4",
    "dbt-databricks/1.10.4 PyDatabricksSqlConnector/4.0.5",
    "apache-airflow-providers-databricks/7.4.0 python/3.11.11",
    "DatabricksJDBCDriverOSS/2.7.3 Java/21.0.4 Fivetran",
)
# Tools of any use, beside another program or alone.
_SERVICES_TOOLS = ("databricks-sdk-py/0.62.0 python/3.11.11 os/linux cicd/github", "python-requests/2.32.3")
# The notebooks and jobs of the platform itself.
_INTERNAL_PROGRAM = "Apache-HttpClient/4.5.14 (Java/17.0.13) Databricks-Runtime/16.4"


def history(state: State, *, now_ms: int, passed: Sequence[tuple[int, int]] = ()) -> Iterator[Event]:
    """Yield the events of a workspace before a time, in no particular order.

    Args:
        state: The workspace.
        now_ms: The time at which the sandbox started.
        passed: The times before and after each jump of the clock since, in which tokens in daily use were used.
    """
    uses = state.tokens.planted_uses()
    listed = state.tokens.ids() if passed else set()
    people = {identity.id: identity for identity in state.directory.people()}
    for document in state.tokens.seeded_documents():
        info = json.loads(document)
        if info["creation_time"] >= now_ms:
            continue  # what it was used for since is recorded
        rng = random.Random(info["token_id"])  # noqa: S311  # repeatable
        token = _token(state.workspace_id, info, people, rng, USES_BY_NAME.get(uses.get(info["token_id"], "")))
        yield from _token_events(token, rng, now_ms)
        owner = people.get(info["owner_id"])
        if owner is not None and owner.active and info["token_id"] in listed:
            yield from _daily_events(token, rng, passed)
        if rng.randrange(_REVOKED_SHARE) == 0:
            yield from _revoked_token_events(state.workspace_id, info, rng, now_ms)
    for identity in people.values():
        rng = random.Random(f"{state.workspace_id}/{identity.id}")  # noqa: S311
        yield from _identity_events(state.workspace_id, identity, rng, now_ms)


@dataclass(frozen=True, slots=True)
class _Token:
    """A token, and what uses it."""

    workspace_id: int
    info: dict[str, Any]
    actor: str
    creator: str
    agents: Sequence[str]
    addresses: Sequence[str]
    use: PlantedUse | None

    def login(self, time_ms: int, agent: str, address: str, status: int = 200, error: str | None = None) -> Event:
        """Return a sign-in."""
        params = {"user": self.actor, "tokenId": self.info["token_id"], "authenticationMethod": EXTERNAL_TOKEN}
        return Event(time_ms, self.workspace_id, "tokenLogin", self.actor, params, address, agent, status, error)


def _token(
    workspace_id: int,
    info: dict[str, Any],
    people: Mapping[int, Identity],
    rng: random.Random,
    use: PlantedUse | None,
) -> _Token:
    is_service = info["owner_id"] != info["created_by_id"]
    owner, creator = (people.get(info[name]) for name in ("owner_id", "created_by_id"))
    actor, maker = (identity.name if identity else info["created_by_username"] for identity in (owner, creator))
    agents, addresses = _agents(rng, is_service=is_service), _addresses(rng, is_service=is_service)
    if use is not None:
        return _Token(workspace_id, info, actor, maker, use.agents, use.addresses, use)
    return _Token(workspace_id, info, actor, maker, agents, addresses, None)


def _token_events(token: _Token, rng: random.Random, now_ms: int) -> Iterator[Event]:
    info = token.info
    start = max(now_ms - HISTORY_DAYS * DAY_MS, info["creation_time"])
    if info["creation_time"] >= start:
        params = {"userId": str(info["owner_id"]), "tokenExpirationTime": str(info["expiry_time"])}
        address = token.addresses[0]
        yield Event(start, token.workspace_id, "generateDbToken", token.creator, params, address, "Mozilla/5.0")
    if token.use is not None:
        yield from _planted_events(token, token.use, rng, now_ms)
        return
    last = info.get("last_used_day")
    if last is None or last < start - start % DAY_MS:
        return
    for time_ms in _times(rng, start, last, info["expiry_time"], now_ms):
        yield token.login(time_ms, rng.choice(token.agents), _with_port(rng, rng.choice(token.addresses)))
    if info["expiry_time"] != NEVER and info["expiry_time"] < now_ms and rng.random() < 0.5:
        # A program still tries an expired token.
        time_ms = rng.randrange(max(info["expiry_time"], start), now_ms)
        yield token.login(time_ms, token.agents[0], token.addresses[0], 401, "Invalid access token.")


def _planted_events(token: _Token, use: PlantedUse, rng: random.Random, now_ms: int) -> Iterator[Event]:
    """Yield the sign-ins of a planted use: each program and address several times, on the last day and those before."""
    last = token.info["last_used_day"] if use.days_ago is None else now_ms - use.days_ago * DAY_MS
    last -= last % DAY_MS
    start = token.info["creation_time"]
    days = min(_PLANTED_DAYS, (last + DAY_MS - 1 - start) // DAY_MS + 1)
    for number in range(2 * len(use.addresses) * len(use.agents)):
        time_ms = _time_on(rng, last - number % days * DAY_MS, start, now_ms)
        yield token.login(time_ms, use.agents[number % len(use.agents)], use.addresses[number % len(use.addresses)])


def _daily_events(token: _Token, rng: random.Random, passed: Sequence[tuple[int, int]]) -> Iterator[Event]:
    """Yield a sign-in for each time that days passed, on the day that the listing then has as the last."""
    last, expiry, start = token.info.get("last_used_day"), token.info["expiry_time"], token.info["creation_time"]
    for before_ms, after_ms in passed:
        last = day_after(last, expiry, before_ms, after_ms)
        if last is None:
            return
        yield token.login(_time_on(rng, last, start, after_ms), token.agents[0], token.addresses[0])


def _revoked_token_events(workspace_id: int, info: dict[str, Any], rng: random.Random, now_ms: int) -> Iterator[Event]:
    """Yield the events of a token that is no longer listed."""
    token_id = hashlib.sha256(b"revoked" + info["token_id"].encode()).hexdigest()
    actor, revoked = info["created_by_username"], now_ms - rng.randrange(1, HISTORY_DAYS * DAY_MS)
    params = {"user": actor, "tokenId": token_id, "authenticationMethod": EXTERNAL_TOKEN}
    address = OFFICE.format(rng.randrange(1, 6))
    yield Event(revoked - DAY_MS, workspace_id, "tokenLogin", actor, params, address, rng.choice(_PEOPLES_PROGRAMS))
    if rng.random() < 0.3:
        yield Event(revoked, workspace_id, "garbageCollectDbToken", "System-User", {"tokenId": token_id}, "", "")
    else:
        name = rng.choice(("tokenId", "tokenHash"))
        yield Event(revoked, workspace_id, "revokeDbToken", actor, {name: token_id}, address, "Mozilla/5.0")


def _identity_events(workspace_id: int, identity: Identity, rng: random.Random, now_ms: int) -> Iterator[Event]:
    """Yield sign-ins without a listed token: by browser, by OAuth, and by notebooks and jobs."""
    if not identity.active:
        return
    start = now_ms - HISTORY_DAYS * DAY_MS
    for time_ms in sorted(rng.randrange(start, now_ms) for _ in range(rng.randrange(4))):
        if identity.kind == "service_principal":
            params = {"user": identity.name, "authenticationMethod": "OAUTH_CLIENT_SECRET"}
            address, agent = CLOUD.format(rng.randrange(1, 255)), rng.choice(_SERVICES_PROGRAMS)
            yield Event(time_ms, workspace_id, "mintOAuthToken", identity.name, params, address, agent)
            continue
        address = OFFICE.format(rng.randrange(1, 6))
        yield Event(
            time_ms, workspace_id, rng.choice(("samlLogin", "login")), identity.name, {}, address, "Mozilla/5.0"
        )
        token_id = hashlib.sha256(f"{identity.id}/{time_ms}".encode()).hexdigest()
        params = {"user": identity.name, "tokenId": token_id, "authenticationMethod": INTERNAL_TOKEN}
        yield Event(
            time_ms + 60_000, workspace_id, "tokenLogin", identity.name, params, "10.139.64.10", _INTERNAL_PROGRAM
        )


def _times(rng: random.Random, start: int, last_day: int, expiry_time: int, now_ms: int) -> list[int]:
    """Return the times when a token was used: on its last day, and on some earlier days."""
    end = now_ms if expiry_time == NEVER else min(now_ms, expiry_time)
    end = max(end, last_day + 1)  # at midnight, the day of the last use has just begun
    first_day = start - start % DAY_MS
    days = {last_day} | {
        first_day + DAY_MS * rng.randrange((last_day - first_day) // DAY_MS + 1)
        for _ in range(rng.randrange(_MAX_DAYS_USED))
    }
    times = [
        rng.randrange(max(day, start), min(day + DAY_MS, end))
        for day in sorted(days)
        if max(day, start) < min(day + DAY_MS, end)
        for _ in range(rng.randrange(1, 4))
    ]
    return sorted(set(times))


def _time_on(rng: random.Random, day: int, start: int, end: int) -> int:
    """Return a time on a day, from a start to an end that are in it or around it."""
    first = max(day, start)
    return rng.randrange(first, max(first + 1, min(day + DAY_MS, end)))


def _agents(rng: random.Random, *, is_service: bool) -> list[str]:
    """Return one or two programs that go together."""
    if is_service:
        programs = (rng.choice(_SERVICES_PROGRAMS + _SERVICES_TOOLS), rng.choice(_SERVICES_TOOLS))
        return list(dict.fromkeys(programs[: rng.choice((1, 1, 1, 2))]))
    return rng.sample(_PEOPLES_PROGRAMS, k=rng.choice((1, 1, 1, 2)))


def _addresses(rng: random.Random, *, is_service: bool) -> list[str]:
    if is_service:
        return [CLOUD.format(rng.randrange(1, 255)) for _ in range(rng.choice((1, 1, 2)))]
    return [
        OFFICE.format(rng.randrange(1, 6)),
        *([HOMES.format(rng.randrange(1, 255))] if rng.random() < 0.5 else []),
    ]


def _with_port(rng: random.Random, address: str) -> str:
    return f"{address}:{rng.randrange(1024, 65536)}" if rng.random() < 0.2 else address
