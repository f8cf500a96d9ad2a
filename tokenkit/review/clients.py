"""Client programs, identified by the user agents in the audit log.

Programs choose their user agents freely, so a client is a claim of the program. The patterns are from the code of the
official SDKs, drivers and tools, and from the form ``<vendor>_<product>/<version>`` that Databricks requires of its
partners.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

import pandas as pd

from tokenkit.core.printable import printable
from tokenkit.frames import TEXT

LONGEST_USER_AGENT = 300
"""The number of characters of a user agent that are read, so that no text takes long to match."""

UNKNOWN = "unknown"
"""The client of a sign-in without a recognizable program."""

_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Client:
    """A program that signs in with tokens."""

    name: str
    """The name that frames show."""
    pattern: str
    """A regular expression over the user agent, in lower case."""
    field: str = ""
    """The purpose: ``reports``, ``pipelines``, ``infrastructure`` or ``catalogs``. Empty for a general-purpose tool."""
    is_interactive: bool = False
    """Whether a person uses it interactively."""


CLIENTS = (
    # Products come before the drivers, SDKs and libraries that they are built on.
    Client("dbt", r"\bdbt\b|dbt[-_]databricks|dbt[-_]spark|dbtlabs|dbt[-_ ]?cloud", "pipelines"),
    Client("Power BI", r"power ?bi|powerbi|mashup", "reports"),
    Client("Tableau", r"tableau", "reports"),
    Client("Airflow", r"\bairflow\b", "pipelines"),
    Client("Terraform", r"databricks-tf-provider|terraform|opentofu|pulumi", "infrastructure"),
    Client("Azure Data Factory", r"azuredatafactory|azure-data-factory", "pipelines"),
    Client("Fivetran", r"fivetran", "pipelines"),
    Client("Looker", r"looker", "reports"),
    Client("Qlik", r"qlik", "reports"),
    Client("ThoughtSpot", r"thoughtspot", "reports"),
    Client("Sigma", r"sigma[_ ]?computing|\bsigma\b", "reports"),
    Client("MicroStrategy", r"microstrategy", "reports"),
    Client("Hex", r"\bhex_|\bhex/", "reports"),
    Client("Informatica", r"informatica", "pipelines"),
    Client("Matillion", r"matillion", "pipelines"),
    Client("Alteryx", r"alteryx", "pipelines"),
    Client("Dagster", r"dagster", "pipelines"),
    Client("Prefect", r"prefect", "pipelines"),
    Client("Monte Carlo", r"monte[_ ]?carlo", "catalogs"),
    Client("Great Expectations", r"great[-_ ]?expectations", "catalogs"),
    Client("Collibra", r"collibra", "catalogs"),
    Client("Immuta", r"immuta", "catalogs"),
    Client("MLflow", r"\bmlflow"),
    Client("tokenkit", r"\btokenkit/"),
    Client("Databricks VS Code extension", r"databricks-vscode|\bvscode\b|visual studio code", is_interactive=True),
    Client("DataGrip", r"datagrip|jetbrains|intellij", is_interactive=True),
    Client("DBeaver", r"dbeaver", is_interactive=True),
    Client("Excel", r"microsoft ?excel|microsoft office", "reports", is_interactive=True),
    Client("Postman", r"postmanruntime|insomnia|bruno", is_interactive=True),
    Client("Databricks Connect", r"databricks-?connect|spark[_ ]connect"),
    Client("Databricks CLI", r"^cli/|databricks-cli"),
    Client("UCX", r"^ucx/"),
    Client("ODBC driver", r"odbc"),
    Client("JDBC driver", r"jdbc"),
    Client("ADBC driver", r"adbc"),
    Client("SQL connector for Python", r"pydatabrickssqlconnector|databricks-sql-python"),
    Client("SQL connector for Node.js", r"nodejsdatabrickssqlconnector"),
    Client("SQL connector for Go", r"godatabrickssqlconnector"),
    Client("SDK for Python", r"databricks-sdk-py"),
    Client("SDK for Go", r"databricks-sdk-go"),
    Client("SDK for Java", r"databricks-sdk-java"),
    Client("SDK for R", r"databricks-sdk-r\b"),
    Client("SDK for JavaScript", r"databricks-sdk-js|databricks-sdk-ts"),
    Client("curl", r"^curl/"),
    Client("Wget", r"^wget/"),
    Client("PowerShell", r"powershell"),
    Client("Python", r"python-requests|python-urllib|aiohttp|python-httpx|^python/"),
    Client("Go", r"go-http-client"),
    Client("Node.js", r"node-fetch|^axios/|undici|^node\b"),
    Client("Java", r"apache-httpclient|okhttp|^java/|jetty"),
    Client("Ruby", r"^ruby\b|faraday"),
    Client("Thrift", r"^thrift/"),
    Client("browser", r"mozilla/\d.*(?:chrome|firefox|safari|edg|opera|gecko)", is_interactive=True),
)

_FIRST_PRODUCT = re.compile(r"\s*([^\s/();,]+)")
# Not an address or a name of a computer or of a person, because clients are in reports: one word with one number.
_NAME = re.compile(r"[A-Za-z][A-Za-z_+-]*\d{0,3}[A-Za-z_+-]*")

FIELDS = {client.name: client.field for client in CLIENTS if client.field}
"""The purpose of each client, by name, without general-purpose tools."""

INTERACTIVE = frozenset(client.name for client in CLIENTS if client.is_interactive)
"""The names of clients that a person uses."""


@functools.cache
def _patterns() -> tuple[re.Pattern[str], tuple[re.Pattern[str], ...]]:
    """Return the patterns of the clients, as one and each. They take long to compile, and most commands need none."""
    one = "|".join(f"(?P<_{number}>{client.pattern})" for number, client in enumerate(CLIENTS))
    return re.compile(one), tuple(re.compile(client.pattern) for client in CLIENTS)


def client_of(user_agent: str) -> str:
    """Return the name of the program of a user agent.

    Args:
        user_agent: The text in the log.

    Returns:
        A name of ``CLIENTS``. For another program, the first product of its user agent, at most 40 characters.
        ``UNKNOWN`` if there is none, or if it can be the address of a computer or of a person.
    """
    text = printable(user_agent[:LONGEST_USER_AGENT])
    lower = text.lower()
    any_client, patterns = _patterns()
    if any_client.search(lower):
        return next(client.name for client, pattern in zip(CLIENTS, patterns, strict=True) if pattern.search(lower))
    product = _FIRST_PRODUCT.match(text)
    return product[1][:_LONGEST_NAME] if product and _NAME.fullmatch(product[1]) else UNKNOWN


def clients_of(user_agents: pd.Series[str]) -> pd.Series[str]:
    """Return the program of each user agent. Each distinct one is parsed once."""
    distinct = user_agents.dropna().unique()
    return user_agents.map({text: client_of(text) for text in distinct}).fillna(UNKNOWN).astype(TEXT)
