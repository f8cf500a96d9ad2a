"""Where the workspaces of an account are: a deployment name decides no more than a label of the host's name."""

import pytest
from databricks.sdk.core import Config

from tokenkit.rest import accounts


def config_for(host):
    list(Config.attributes())  # which names them
    config = object.__new__(Config)
    config._inner = {"host": host}
    return config


@pytest.mark.parametrize(
    ("account", "zone"),
    [
        ("https://accounts.cloud.databricks.com", ".cloud.databricks.com"),
        ("https://accounts.azuredatabricks.net", ".azuredatabricks.net"),
        ("https://accounts.gcp.databricks.com", ".gcp.databricks.com"),
    ],
)
@pytest.mark.parametrize(
    "name", ["prod", "PROD-5", "adb-1234567890123456.7", "evil.example", "a" * 63, "dbc-12345678-abcd"]
)
def test_a_workspace_s_host_is_its_deployment_name_in_the_cloud_s_own_zone(account, zone, name):
    workspace = accounts._workspace(config_for(account), {"workspace_id": 5, "deployment_name": name})
    assert (workspace.host, workspace.status) == (f"https://{name.lower()}{zone}", accounts.RUNNING)


@pytest.mark.parametrize(
    "name",
    [
        "evil.example/x",
        "evil.example#",
        "evil.example?",
        "evil.example:443",
        "evil.example:443/",
        "evil.example\\",
        "a@evil.example",
        "a@evil.example/",
        "https://evil.example/",
        "//evil.example/",
        "evil.example%2f",
        "evil。example",
        "evil.example\n",
        "evil.example ",
        " ",
        "",
        ".",
        "a..b",
        "-a",
        "a-",
        "a" * 64,
        "ß",
        "\u212a",  # the sign of kelvin, which is a k in lower case
        None,
        ["prod"],
        {"x": 1},
    ],
)
@pytest.mark.parametrize(
    "account", ["https://accounts.cloud.databricks.com", "https://accounts.azuredatabricks.net", "https://corp.example"]
)
def test_a_deployment_name_that_is_no_label_names_no_host(account, name):
    workspace = accounts._workspace(
        config_for(account), {"workspace_id": 5, "deployment_name": name, "workspace_url": "https://evil.example"}
    )
    assert (workspace.host, workspace.status) == ("", accounts.NO_ADDRESS)


@pytest.mark.parametrize("url", ["https://evil.example", "http://127.0.0.1.evil.example", "http://[::1", "", None, 5])
def test_a_sandbox_s_workspaces_are_on_this_machine(url):
    document = {"workspace_id": 5, "deployment_name": "prod", "workspace_url": url}
    assert accounts._workspace(config_for("http://127.0.0.1:1"), document).host == ""
