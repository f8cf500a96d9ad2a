"""Who is in a fleet: profiles, hosts, SDK objects, and the workspaces of an account."""

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config

import tokenkit
from tests.conftest import NOW
from tests.fleets.examples import IMPATIENT, account_of, hands, hosts_of, write_profiles
from tokenkit.rest import accounts
from tokenkit.sandbox import Fault
from tokenkit.sandbox.responses import encode
from tokenkit.sandbox.state.account import ACCOUNT


@pytest.mark.parametrize("none", [[], (), iter([])])
def test_a_fleet_of_none_is_rejected(none):
    with pytest.raises(tokenkit.ConfigurationError, match="at least one workspace"):
        tokenkit.fleet(none)


def test_profiles_hosts_and_sdk_objects_make_a_fleet(companies, monkeypatch, tmp_path):
    first, second, third, _ = companies.workspaces
    profiles = [("prod", {"host": f"{first.host}/", "token": first.token})]
    write_profiles(monkeypatch, tmp_path, profiles)
    official = WorkspaceClient(host=second.host, token=second.token)
    in_hand = tokenkit.connect(host=third.host, token=third.token)
    tokens = tokenkit.fleet(["prod", official, in_hand]).tokens()
    assert tokens["workspace"].drop_duplicates().tolist() == [first.host, second.host, third.host]


def test_a_workspace_is_found_by_its_profile_as_by_its_address(companies, monkeypatch, tmp_path):
    named = zip(("prod", "dev"), companies.workspaces, strict=False)
    write_profiles(monkeypatch, tmp_path, [(name, {"host": of.host, "token": of.token}) for name, of in named])
    fleet = tokenkit.fleet(["prod", "dev"])
    assert fleet.workspace("dev") is fleet.workspace(fleet.hosts[1])
    tokens = fleet.tokens()
    of_dev = tokens[tokens["workspace"] == fleet.hosts[1]]
    by_name, by_address = (fleet.revoke(rows) for rows in (of_dev.assign(workspace="dev"), of_dev))
    assert by_name.token_ids == by_address.token_ids
    assert by_name.hosts == by_address.hosts == (fleet.hosts[1],)
    with pytest.raises(tokenkit.UsageError, match="'test' is not a workspace of this fleet"):
        fleet.workspace("test")


def test_two_names_for_one_host_are_one_workspace(companies, monkeypatch, tmp_path):
    first = companies.workspaces[0]
    profiles = [
        (name, {"host": host, "token": first.token}) for name, host in [("a", first.host), ("b", first.host + "/")]
    ]
    write_profiles(monkeypatch, tmp_path, profiles)
    fleet = tokenkit.fleet(["a", "b", hands(companies)[0]])
    assert fleet.hosts == (first.host,)
    assert fleet.tokens()["token_id"].is_unique


def test_an_unknown_profile_is_told_before_anything_is_asked(companies, monkeypatch, tmp_path):
    profiles = [("prod", {"host": companies.host, "token": companies.token}), ("odd", {"client_id": "x"})]
    write_profiles(monkeypatch, tmp_path, profiles)
    with pytest.raises(tokenkit.ConfigurationError, match="Did you mean prod"):
        tokenkit.fleet(["prod", "prd"])
    with pytest.raises(tokenkit.ConfigurationError, match="'odd' has no host"):
        tokenkit.fleet(["odd"])
    with pytest.raises(tokenkit.ConfigurationError, match="is not a host"):
        tokenkit.fleet(["https://"])
    with pytest.raises(tokenkit.ConfigurationError, match="not a int"):
        tokenkit.fleet([7])
    assert len(companies.requests) == 0


# What an account makes a fleet of


def test_an_account_makes_a_fleet_of_its_workspaces_signed_in_as_one(companies):
    fleet = tokenkit.fleet(account=account_of(companies), clock=NOW)
    assert fleet.hosts == tuple(hosts_of(companies))
    tokens = fleet.tokens()
    assert len(tokens) == 4 * 80
    assert fleet.workspace(companies.host).me() == companies.client_id
    assert companies.client_secret not in repr(fleet) + repr(fleet.workspace(companies.host)) + tokens.to_string()


def test_an_account_is_named_by_config_profile_or_host(companies, monkeypatch, tmp_path):
    sign_in = {"client_id": companies.client_id, "client_secret": companies.client_secret}
    profile = {"host": companies.account_host, "account_id": companies.account_id} | sign_in
    write_profiles(monkeypatch, tmp_path, [("account", profile)])
    assert len(tokenkit.fleet(account="account")) == 4
    assert len(tokenkit.fleet(account=account_of(companies).config)) == 4
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", companies.client_id)
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", companies.client_secret)
    assert len(tokenkit.fleet(account=companies.account_host, account_id=companies.account_id)) == 4
    with pytest.raises(tokenkit.ConfigurationError, match="Pass account_id="):
        tokenkit.fleet(account=companies.account_host)
    with pytest.raises(tokenkit.ConfigurationError, match="not other"):
        tokenkit.fleet(account="account", account_id="other")
    with pytest.raises(tokenkit.ConfigurationError, match="not both"):
        tokenkit.fleet(["account"], account="account")


@pytest.mark.parametrize("fault", [{"status": 403}, {"status": 200, "body": "<html>sign in</html>"}])
def test_an_account_that_cannot_be_listed_is_one_line(companies, fault):
    account = account_of(companies)
    companies.faults.add(Fault(workspace_id=ACCOUNT, path="*/workspaces", **fault))
    with pytest.raises(tokenkit.ConfigurationError, match="could not be listed") as raised:
        tokenkit.fleet(account=account)
    assert companies.client_secret not in str(raised.value)


def test_workspaces_that_do_not_run_are_left_out_and_reported(companies, capsys):
    listed = [
        {"workspace_id": 1, "workspace_name": "new", "workspace_status": "PROVISIONING"},
        {"workspace_id": 2, "workspace_status": "RUNNING", "workspace_url": companies.host, "deployment_name": "x"},
        {"workspace_id": 3, "workspace_name": "<b>old</b>", "workspace_status": "BANNED", "deployment_name": "y"},
    ]
    companies.faults.add(Fault(workspace_id=ACCOUNT, path="*/workspaces", status=200, body=encode(listed)))
    fleet = tokenkit.fleet(account=account_of(companies))
    assert fleet.hosts == (companies.host,)
    assert fleet.errors["message"].tolist() == [
        "new is PROVISIONING, so it is left out.",
        "<b>old</b> is BANNED, so it is left out.",
    ]
    assert fleet.errors["workspace"].tolist() == ["new", "<b>old</b>"]
    assert "2 of 3 workspaces failed" in capsys.readouterr().err
    companies.faults.clear()
    companies.faults.add(Fault(workspace_id=ACCOUNT, path="*/workspaces", status=200, body=encode(listed[:1])))
    with pytest.raises(tokenkit.ConfigurationError, match="no running workspace"):
        tokenkit.fleet(account=account_of(companies))


def test_a_workspace_without_a_valid_address_is_left_out_and_reported(companies):
    listed = [
        {"workspace_id": 1, "workspace_name": "evil", "deployment_name": "x", "workspace_url": "https://evil.example"},
        {"workspace_id": 2, "deployment_name": "y", "workspace_url": companies.host},
    ]
    companies.faults.add(Fault(workspace_id=ACCOUNT, path="*/workspaces", status=200, body=encode(listed)))
    fleet = tokenkit.fleet(account=account_of(companies))
    assert fleet.hosts == (companies.host,)
    assert fleet.errors["message"].tolist() == ["evil is without a valid address, so it is left out."]


def test_two_workspaces_behind_one_host_are_two(companies, monkeypatch, tmp_path):
    first, second = companies.workspaces[:2]
    profiles = [
        (name, {"host": f"{companies.host}/?o={each.workspace_id}", "token": each.token})
        for name, each in [("a", first), ("b", second), ("again", first)]
    ]
    write_profiles(monkeypatch, tmp_path, profiles)
    fleet = tokenkit.fleet(["a", "b", "again"], clock=NOW)
    assert len(companies.requests) == 0
    names = [f"{companies.host}/?o={each.workspace_id}" for each in (first, second)]
    assert fleet.hosts == tuple(names)
    tokens = fleet.tokens()
    for name, each in zip(names, (first, second), strict=True):
        assert set(tokens[tokens["workspace"] == name]["token_id"]) == set(each.state.tokens.ids())
        assert fleet.workspace(name).workspace_id == str(each.workspace_id)


def test_names_of_one_host_are_told_apart_by_asking_which_workspace_they_are(companies, monkeypatch, tmp_path, capsys):
    first, second = companies.workspaces[:2]
    plain = [
        ("a", {"host": companies.host, "token": first.token}),
        ("b", {"host": companies.host, "token": first.token}),
    ]
    other = [("c", {"host": companies.host, "token": second.token, "workspace_id": second.workspace_id})]
    write_profiles(monkeypatch, tmp_path, plain + other)
    assert tokenkit.fleet(["a", "b"]).hosts == (companies.host,)
    names = tuple(f"{companies.host}/?o={each.workspace_id}" for each in (first, second))
    assert capsys.readouterr().err == (
        "b is the same workspace as a. Only the credential of a, which is given first, is used.\n"
    )
    assert tokenkit.fleet(["a", "c", "b"]).hosts == names
    assert capsys.readouterr().err.startswith("b is the same workspace as a. ")
    tokenkit.fleet(["a", "a", "c"])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("fault", "left_out"), [({"status": 500}, 0), ({"drop": True}, 1)], ids=["refusal", "silence"])
def test_a_host_that_does_not_identify_its_workspace_is_left_out_and_reported(
    fault, left_out, companies, monkeypatch, tmp_path
):
    """A refusal says which workspace refuses."""
    first = companies.workspaces[0]
    settings = {"host": companies.host, "token": first.token}
    profiles = [("a", settings | {"workspace_id": first.workspace_id}), ("b", settings)]
    write_profiles(monkeypatch, tmp_path, profiles)
    companies.faults.add(Fault(path="*", **fault))
    fleet = tokenkit.fleet(["a", "b"], retries=IMPATIENT)
    assert fleet.hosts == (companies.host,)
    assert fleet.errors["workspace"].tolist() == [companies.host] * left_out


def test_only_an_account_on_this_machine_is_believed_where_its_workspaces_are():
    document = {"workspace_id": 5, "deployment_name": "prod-5", "workspace_url": "https://evil.example.com"}
    Config.attributes()  # the first of a process has no names for them before
    for host, expected in [
        ("https://accounts.cloud.databricks.com", "https://prod-5.cloud.databricks.com"),
        ("https://accounts.azuredatabricks.net", "https://prod-5.azuredatabricks.net"),
        ("https://accounts.gcp.databricks.com", "https://prod-5.gcp.databricks.com"),
        ("http://127.0.0.1:1", ""),
    ]:
        config = object.__new__(Config)
        config._inner = {"host": host}
        assert accounts._workspace(config, document).host == expected
