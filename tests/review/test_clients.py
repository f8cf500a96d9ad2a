"""Programs told from user agents, as they are recorded or built by the official clients."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenkit.core.printable import printable
from tokenkit.review import clients

# Forms from the code of the clients: SDKs, drivers, providers of Airflow, dbt and Terraform.
USER_AGENTS = {
    "dbt-databricks/1.7.3 databricks-sql-connector": "dbt",
    "PyDatabricksSqlConnector/3.0.1 (dbt-databricks/1.7.3; dbt-core/1.7.4)": "dbt",
    "Microsoft.Data.Mashup (https://go.microsoft.com/fwlink/?LinkID=304225)": "Power BI",
    "SimbaSparkODBCDriver/2.6.26 PowerBI": "Power BI",
    "TableauDesktop/2023.3 SimbaSparkODBCDriver/2.7.5": "Tableau",
    "databricks-airflow/6.2.0 _/0.0.0 python/3.11.7 os/linux airflow/2.8.1 operator/Submit": "Airflow",
    "databricks-tf-provider/1.38.0 databricks-sdk-go/0.34.0 go/1.21.7 os/linux terraform/1.7.4": "Terraform",
    "cli/0.216.0 databricks-sdk-go/0.36.0 go/1.21.8 os/darwin cmd/clusters_list auth/pat": "Databricks CLI",
    "databricks-cli-0.18.0-clusters-list": "Databricks CLI",
    "unknown/0.0.0 databricks-sdk-py/0.23.0 python/3.11.7 os/linux auth/pat": "SDK for Python",
    "unknown/0.0.0 databricks-sdk-go/0.36.0 go/1.21.8 os/linux auth/pat": "SDK for Go",
    "unknown/0.0.0 databricks-sdk-java/0.17.1 jvm/17.0.9 os/linux auth/pat": "SDK for Java",
    "databricks-vscode/1.2.7 databricks-sdk-js/0.5.0 os/darwin": "Databricks VS Code extension",
    "SimbaSparkJDBCDriver/2.6.32 Java/17": "JDBC driver",
    "DatabricksJDBCDriverOSS/0.9.1": "JDBC driver",
    "SimbaSparkODBCDriver/2.7.5 Thrift/0.9.0": "ODBC driver",
    "PyDatabricksSqlConnector/3.0.1": "SQL connector for Python",
    "NodejsDatabricksSqlConnector/1.8.1 (Node.js 18.19.0; Linux 5.15.0)": "SQL connector for Node.js",
    "godatabrickssqlconnector/1.5.3": "SQL connector for Go",
    "mlflow-python-client/2.10.2": "MLflow",
    "tokenkit/0.1.0": "tokenkit",
    "AzureDataFactory-IntegrationRuntime": "Azure Data Factory",
    "python-requests/2.31.0": "Python",
    "Go-http-client/2.0": "Go",
    "curl/8.4.0": "curl",
    "PostmanRuntime/7.36.3": "Postman",
    "Apache-HttpClient/4.5.14 (Java/17.0.9)": "Java",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/121.0": "browser",
    "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1": "PowerShell",
    "Fivetran/1.0": "Fivetran",
    # The other products and libraries, by each name that they go by.
    "PyDatabricksSqlConnector/3.0.1 (dbtlabs_dbt/1.7)": "dbt",
    "dbt_spark/1.7": "dbt",
    "mydbt-spark/1.7": "dbt",
    "mydbt_databricks/1.7": "dbt",
    "mydbtcloud/1.0": "dbt",
    "mydbt cloud/1.0": "dbt",
    "Power BI/2.1": "Power BI",
    "terraform/1.7": "Terraform",
    "opentofu/1.6": "Terraform",
    "Pulumi/3.1": "Terraform",
    "azure-data-factory/2": "Azure Data Factory",
    "Looker_Looker/23.0 SimbaSparkJDBCDriver/2.6": "Looker",
    "QlikSense/1.0": "Qlik",
    "ThoughtSpot/9.0": "ThoughtSpot",
    "sigma_computing/1": "Sigma",
    "SigmaComputing/1": "Sigma",
    "Sigma/1.0": "Sigma",
    "MicroStrategy/11.3": "MicroStrategy",
    "hex_hex/1.0 PyDatabricksSqlConnector/3.0": "Hex",
    "Hex/2.0": "Hex",
    "Informatica_IICS/1.0": "Informatica",
    "Matillion_ETL/1.68": "Matillion",
    "Alteryx_Designer/2023": "Alteryx",
    "dagster-databricks/0.22": "Dagster",
    "prefect_databricks/0.2": "Prefect",
    "monte_carlo/1.0": "Monte Carlo",
    "MonteCarlo/1.0": "Monte Carlo",
    "great_expectations/0.18": "Great Expectations",
    "GreatExpectations/0.18": "Great Expectations",
    "Collibra/5": "Collibra",
    "Immuta/2023": "Immuta",
    "tokenkit/1.0 python/3.11": "tokenkit",
    "vscode/1.86": "Databricks VS Code extension",
    "Visual Studio Code": "Databricks VS Code extension",
    "DataGrip/2023.3": "DataGrip",
    "JetBrains/1": "DataGrip",
    "IntelliJ IDEA": "DataGrip",
    "DBeaver_CE/23.3": "DBeaver",
    "Microsoft Office/16.0": "Excel",
    "MicrosoftExcel/16": "Excel",
    "insomnia/8.6": "Postman",
    "bruno-runtime/1": "Postman",
    "databricks-connect/14": "Databricks Connect",
    "DatabricksConnect/14": "Databricks Connect",
    "spark connect/3.5": "Databricks Connect",
    "spark_connect/3.5": "Databricks Connect",
    "ucx/0.15": "UCX",
    "DatabricksODBC": "ODBC driver",
    "ADBC/0.1": "ADBC driver",
    "databricks-sql-python/2": "SQL connector for Python",
    "unknown/0.0.0 databricks-sdk-r/0.1": "SDK for R",
    "databricks-sdk-ts/1": "SDK for JavaScript",
    "databricks-sdk-js/1": "SDK for JavaScript",
    "Wget/1.21": "Wget",
    "Python-urllib/3.11": "Python",
    "python/3.11 aiohttp/3.9": "Python",
    "python-httpx/0.26": "Python",
    "x aiohttp/3.9": "Python",
    "Python/3.11": "Python",
    "node-fetch/1.0": "Node.js",
    "axios/1.6": "Node.js",
    "undici": "Node.js",
    "node": "Node.js",
    "okhttp/4.12": "Java",
    "Java/17": "Java",
    "Jetty/9": "Java",
    "Ruby": "Ruby",
    "Faraday v2.9": "Ruby",
    "Thrift/0.16": "Thrift",
    "Mozilla/5.0 (X11) Firefox/122.0": "browser",
    "Mozilla/5.0 Version/17 Safari/605": "browser",
    "Mozilla/5.0 (compatible)": "Mozilla",
    "acme_ingestor/3.5": "acme_ingestor",
    "  acme/1 (x)": "acme",
    "": clients.UNKNOWN,
    "   ": clients.UNKNOWN,
}


@pytest.mark.parametrize(("user_agent", "client"), USER_AGENTS.items())
def test_a_program_is_told_from_its_user_agent(user_agent, client):
    assert clients.client_of(user_agent) == client


@pytest.mark.parametrize(
    "text",
    [
        "10.1.2.3", "10.1.2.3:443/1", "[2001:db8::9]:443", "2001:db8::9/1", "ann@example.com/2", "1234/5",
        "10.1.2.3-build/1", "ip=10.1.2.3/1", "ip-10-1-2-3.ec2.internal/2", "ip-10-1-2-3/2", "Jane-Doe-MacBook.local/1",
        "jane\uff20example.com/1", "v192.0.2.7/x", "192.168.1.1.nip.io/1", "0xC0A80001/1", "aa-bb-1c-2d/1",
    ],
)  # fmt: skip
def test_what_can_be_an_address_is_no_name_of_a_program(text):
    assert clients.client_of(text) == clients.UNKNOWN


def test_every_client_of_the_table_has_an_example_that_no_client_before_it_takes():
    found = {clients.client_of(text) for text in USER_AGENTS}
    assert found - {client.name for client in clients.CLIENTS} == {"acme_ingestor", "acme", "Mozilla", clients.UNKNOWN}
    assert found >= {client.name for client in clients.CLIENTS}


def test_clients_are_for_reports_pipelines_infrastructure_or_catalogs_and_people_sit_before_some():
    of = {field: {name for name, its in clients.FIELDS.items() if its == field} for field in clients.FIELDS.values()}
    assert of == {
        "reports": {
            *("Power BI", "Tableau", "Looker", "Qlik", "ThoughtSpot", "Sigma", "MicroStrategy", "Hex", "Excel"),
        },
        "pipelines": {
            *("dbt", "Airflow", "Azure Data Factory", "Fivetran", "Informatica", "Matillion", "Alteryx", "Dagster"),
            "Prefect",
        },
        "infrastructure": {"Terraform"},
        "catalogs": {"Monte Carlo", "Great Expectations", "Collibra", "Immuta"},
    }
    assert {
        *("Databricks VS Code extension", "DataGrip", "DBeaver", "Excel", "Postman", "browser"),
    } == clients.INTERACTIVE


@given(st.text(max_size=2_000))
def test_any_text_has_a_client_that_can_be_printed(text):
    client = clients.client_of(text)
    assert 0 < len(client) <= 40
    assert printable(client) == client


def test_a_long_user_agent_is_read_to_300_characters():
    assert clients.client_of("x" * 300 + " dbt/1.7") == "x" * 40
    assert clients.client_of("x" * 299 + " dbt/1.7") == "x" * 40
    assert clients.client_of("x" * 292 + " dbt/1.7") == "dbt"


def test_distinct_user_agents_are_parsed_once(monkeypatch):
    seen = []
    monkeypatch.setattr(clients, "client_of", lambda text: seen.append(text) or "one")
    found = clients.clients_of(pd.Series(["a", "b", "a", None] * 100))
    assert (sorted(seen), found.unique().tolist()) == (["a", "b"], ["one", clients.UNKNOWN])
