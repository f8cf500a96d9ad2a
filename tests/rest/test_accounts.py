"""The hosts of an account's workspaces: a deployment name only determines labels of the host name."""

from types import SimpleNamespace

import pytest
from databricks.sdk.core import Config

from tests.rest.wire import reply
from tokenkit import errors, frames
from tokenkit.rest import accounts


def config_for(host):
    list(Config.attributes())  # initializes the attribute names
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
def test_the_host_of_a_workspace_is_its_deployment_name_in_the_clouds_domain(account, zone, name):
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
        "\u212a",  # the kelvin sign, whose lower case is k
        None,
        ["prod"],
        {"x": 1},
    ],
)
@pytest.mark.parametrize(
    "account", ["https://accounts.cloud.databricks.com", "https://accounts.azuredatabricks.net", "https://corp.example"]
)
def test_an_invalid_deployment_name_gives_no_host(account, name):
    workspace = accounts._workspace(
        config_for(account), {"workspace_id": 5, "deployment_name": name, "workspace_url": "https://evil.example"}
    )
    assert (workspace.host, workspace.status) == ("", accounts.NO_ADDRESS)


@pytest.mark.parametrize("url", ["https://evil.example", "http://127.0.0.1.evil.example", "http://[::1", "", None, 5])
def test_the_workspaces_of_a_sandbox_are_on_this_machine(url):
    document = {"workspace_id": 5, "deployment_name": "prod", "workspace_url": url}
    assert accounts._workspace(config_for("http://127.0.0.1:1"), document).host == ""


def test_all_pages_of_principals_and_of_their_secrets_are_read(serve):
    root = "/api/2.0/accounts/acme"
    people = f"{root}/scim/v2/ServicePrincipals?startIndex="
    secrets = f"{root}/servicePrincipals/{{}}/credentials/secrets"
    principals = [{"id": str(n), "applicationId": f"app-{n}", "displayName": f"job {n}"} for n in (1, 2, 3)]
    pages = {
        f"{people}1": {"totalResults": 3, "Resources": principals[:2]},
        f"{people}3": {"totalResults": 3, "Resources": principals[2:]},
        secrets.format(1): {
            "secrets": [{"id": "a", "secret_hash": "f" * 64, "status": "ACTIVE"}],
            "next_page_token": "x",
        },
        f"{secrets.format(1)}?page_token=x": {"secrets": [{"id": "b", "expire_time": "2027-01-01T00:00:00Z"}]},
        secrets.format(2): {},
        secrets.format(3): {"secrets": [{"id": "c"}]},
    }

    def respond(_):
        path = server.requests[-1].split()[1].partition("&count=")[0]
        return reply(pages[path]) if path in pages else reply({}, status="404 Not Found")

    with serve(respond) as server:
        found = accounts.oauth_secrets(Config(host=server.host, account_id="acme", token="secret"))
    rows = found.astype(object).where(found.notna(), None).to_dict("records")
    assert [row["secret_id"] for row in rows] == ["a", "b", "c"]
    assert [row["application_id"] for row in rows] == ["app-1", "app-1", "app-3"]
    assert [row["display_name"] for row in rows] == ["job 1", "job 1", "job 3"]
    assert (rows[0]["secret_hash"], rows[0]["status"], rows[0]["expire_time"]) == ("f" * 64, "ACTIVE", None)
    assert rows[1]["expire_time"] == "2027-01-01T00:00:00Z"


def test_an_account_without_service_principals_has_no_secrets_and_the_same_columns(serve):
    with serve(lambda _: reply({"totalResults": 0})) as server:
        found = accounts.oauth_secrets(Config(host=server.host, account_id="acme", token="secret"))
    assert len(found) == 0
    names = ["application_id", "display_name", "secret_id", "secret_hash", "status", "expire_time"]
    assert found.dtypes.to_dict() == dict.fromkeys(names, frames.TEXT)
    assert "count=1000&attributes=id%2CapplicationId%2CdisplayName" in server.requests[-1].split()[1]


@pytest.mark.parametrize(
    ("read", "what"), [(accounts.account_workspaces, "workspaces"), (accounts.oauth_secrets, "OAuth secrets")]
)
def test_what_cannot_be_listed_is_an_error_that_names_the_account_and_the_reason(serve, read, what):
    body = {"error_code": "PERMISSION_DENIED", "message": "You are no account admin."}
    with serve(lambda _: reply(body, status="403 Forbidden")) as server:
        config = Config(host=server.host, account_id="acme", token="secret")
        with pytest.raises(errors.ConfigurationError) as raised:
            read(config)
    message = f"{server.host}: the {what} of account acme could not be listed: You are no account admin. "
    assert str(raised.value).startswith(message)  # newer versions of the SDK add the configuration
    assert str(raised.value).endswith(" Check that the caller is an account admin.")


@pytest.mark.unknown_routes
def test_a_host_that_does_not_list_the_account_is_not_its_console(sandbox):
    for host, account_id in ((sandbox.host, "acme"), (sandbox.account_host, "acme")):
        config = Config(host=host, account_id=account_id, token=sandbox.token)
        message = (
            f"{host} is not the console of account acme: it does not list its workspaces. Use the host or a profile of "
            "the console."
        )
        with pytest.raises(errors.ConfigurationError, match=f"^{message}$"):
            accounts.account_workspaces(config)


def test_the_host_of_an_account_console_needs_the_id_of_the_account(serve, monkeypatch):
    monkeypatch.setenv("DATABRICKS_TOKEN", "secret")
    with serve(lambda _: reply({})) as console:
        with pytest.raises(errors.ConfigurationError, match=f"{console.host} serves many accounts. Pass account_id"):
            accounts.account_config(console.host)
        assert console.requests == []
        assert accounts.account_config(console.host, "acme").account_id == "acme"
        monkeypatch.setenv("DATABRICKS_ACCOUNT_ID", "umbrella")
        assert accounts.account_config(console.host).account_id == "umbrella"
        monkeypatch.delenv("DATABRICKS_TOKEN")
        with pytest.raises(errors.ConfigurationError, match=f"No credentials were found for {console.host}"):
            accounts.account_config(console.host, "acme")


@pytest.mark.parametrize(
    ("document", "name", "status"),
    [
        ({"workspace_name": "Production"}, "Production", "RUNNING"),
        ({}, "prod", "RUNNING"),
        ({"deployment_name": None}, "5", accounts.NO_ADDRESS),
        ({"deployment_name": None, "workspace_status": "PROVISIONING"}, "5", "PROVISIONING"),
        ({"deployment_name": None, "workspace_status": "RUNNING"}, "5", accounts.NO_ADDRESS),
        ({"workspace_status": "BANNED"}, "prod", "BANNED"),
        ({"workspace_name": "key dapi" + "0" * 32}, "key [redacted]", "RUNNING"),
    ],
)
def test_a_workspace_has_a_name_and_a_status_whatever_the_listing_lacks(document, name, status):
    listed = {"workspace_id": "5", "deployment_name": "prod"} | document
    workspace = accounts._workspace(config_for("https://accounts.cloud.databricks.com"), listed)
    assert (workspace.name, workspace.status, workspace.workspace_id) == (name, status, 5)
    assert workspace.host == ("https://prod.cloud.databricks.com" if listed["deployment_name"] else "")


def test_the_workspace_of_a_sandbox_has_the_host_of_the_listing():
    document = {"workspace_id": 5, "workspace_url": "http://127.0.0.1:9"}
    assert accounts._workspace(config_for("http://127.0.0.1:1"), document).host == "http://127.0.0.1:9"


def config_of(account_id):
    """What is read of a config. The SDK's own asks its host for more."""
    return SimpleNamespace(host="https://a.example", account_id=account_id, authenticate=dict)


@pytest.mark.parametrize(
    ("account", "account_id", "message"),
    [
        (7, None, "or the account console's host, not int"),
        (object(), None, "or the account console's host, not object"),
        ("config", "other", "is for account acme, not other. Check account_id"),
        ("no id", None, "account_id for https://a.example is not set. Pass account_id"),
    ],
)
def test_an_account_that_is_none_or_another_one_is_an_error(account, account_id, message):
    configs = {"config": config_of("acme"), "no id": config_of(None)}
    account = configs.get(account, account) if isinstance(account, str) else account
    with pytest.raises(errors.ConfigurationError, match=message):
        accounts.account_config(account, account_id)


def test_a_client_or_a_config_of_an_account_is_its_config():
    config = config_of("acme")
    for account in (config, SimpleNamespace(config=config)):
        assert accounts.account_config(account) is config
        assert accounts.account_config(account, "acme") is config
