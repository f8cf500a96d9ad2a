"""Uses of seeded tokens that the audit's rules on usage find in the generated audit log, and nothing else does.

All other sign-ins of the history come from one or two of the company's networks, by programs that go together, and
agree with the listing.
"""

from __future__ import annotations

from dataclasses import dataclass

from tokenkit.sandbox.seeding.archetypes import ARCHETYPES

TOKENS_OF_A_USE = 2
"""The first tokens of the archetype have the use, in each workspace."""

OFFICE, HOMES, CLOUD = "203.0.113.{}", "198.51.100.{}", "192.0.2.{}"  # addresses for documentation
COMPANY_NETWORKS = ("203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24", "127.0.0.0/8")
"""Where the company signs in from; the last is this machine, for the requests that the sandbox is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedUse:
    """What is wrong with the use of a token.

    Attributes:
        name: What it is called in the database.
        archetype: The kind of token that has it.
        rules: The rules of the audit that find it.
        agents: The programs, in turn.
        addresses: Where they sign in from, in turn.
        days_ago: When it was used last; None for the day in the listing.
    """

    name: str
    archetype: str
    rules: tuple[str, ...]
    agents: tuple[str, ...]
    addresses: tuple[str, ...]
    days_ago: int | None = None


_AIRFLOW = "apache-airflow-providers-databricks/7.4.0 python/3.11.11"
_TERRAFORM = "databricks-tf-provider/1.96.0 databricks-sdk-go/0.95.0 go/1.24.0 os/linux terraform/1.11.4"
_LEFT = ("inactive-owner-still-used", "use-disagrees")

USES = (
    PlantedUse(
        name="by a job of an inactive owner",
        archetype="owner inactive",
        rules=_LEFT,
        agents=(_AIRFLOW,),
        addresses=(CLOUD.format(77),),
        days_ago=1,
    ),
    PlantedUse(
        name="by a user whose account was deleted",
        archetype="owner deleted",
        rules=_LEFT,
        agents=("curl/8.7.1",),
        addresses=(HOMES.format(77),),
        days_ago=3,
    ),
    PlantedUse(
        name="by the programs of three teams",
        archetype="everyday, two years",
        rules=("shared-by-programs",),
        agents=(_TERRAFORM, "Tableau Server 2025.1 Databricks-ODBC/2.9.1", "dbt-databricks/1.10.4"),
        addresses=(CLOUD.format(78), OFFICE.format(2)),
    ),
    PlantedUse(
        name="from many networks",
        archetype="used yesterday",
        rules=("many-networks", "outside-networks"),
        agents=("python-requests/2.32.3",),
        addresses=tuple(f"198.18.{number}.{number + 20}" for number in range(12)),  # of tests between networks
    ),
    PlantedUse(
        name="from a network that is not the company's",
        archetype="everyday, a year",
        rules=("outside-networks",),
        agents=("databricks-cli/0.298.0 databricks-sdk-go/0.128.0 go/1.26.2 os/linux",),
        addresses=(OFFICE.format(3), "2001:db8:bad:17::5"),
    ),
    PlantedUse(
        name="by hand, as a service principal",
        archetype="service principal",
        rules=("interactive-service-principal",),
        agents=("PostmanRuntime/7.44.0", "DatabricksJDBCDriverOSS/2.7.3 Java/17.0.12 DBeaver/25.1"),
        addresses=(OFFICE.format(4),),
    ),
    PlantedUse(
        name="again, after two months",
        archetype="unused for 60 days",
        rules=("use-disagrees",),
        agents=("databricks-sdk-py/0.62.0 python/3.12.9 os/linux",),
        addresses=(HOMES.format(78),),
        days_ago=0,
    ),
)
USES_BY_NAME = {use.name: use for use in USES}
USE_OF_ARCHETYPE = [next((use.name for use in USES if use.archetype == kind.name), None) for kind in ARCHETYPES]
"""The use of the first tokens of each archetype, in their order."""
