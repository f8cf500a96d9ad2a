"""Addresses: all spellings of a host are one host, and ambiguous input is an error."""

import pytest

from tokenkit import errors
from tokenkit.rest import hosts


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ("https://a.cloud.databricks.com", "https://a.cloud.databricks.com"),
        ("https://a.cloud.databricks.com/", "https://a.cloud.databricks.com"),
        ("a.cloud.databricks.com", "https://a.cloud.databricks.com"),
        (" https://a.azuredatabricks.net/?o=123#job/1 ", "https://a.azuredatabricks.net"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://[2001:DB8::1]", "https://[2001:db8::1]"),
        ("HTTPS://A.Cloud.Databricks.COM", "https://a.cloud.databricks.com"),
        ("https://a.cloud.databricks.com:443/", "https://a.cloud.databricks.com"),
        ("a.cloud.databricks.com.:443", "https://a.cloud.databricks.com"),
        ("https://a.cloud.databricks.com.", "https://a.cloud.databricks.com"),
        ("https://a.cloud.databricks.com:8443", "https://a.cloud.databricks.com:8443"),
        ("http://LOCALHOST.:80/", "http://localhost"),
    ],
)
def test_all_spellings_of_a_host_are_one_host(given, host):
    assert hosts.address(given).host == host


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "^'' is not a host"),
        ("https://", "is not a host"),
        ("ftp://a", "is not a host"),
        ("https://[::1", "is not a host"),
        ("https://[nothing]", "is not a host"),
        ("https://[v1.a.example]", "is not a host"),
        (b"https://a", "not bytes"),
        ("https://[fe80::1%25eth0]", "is not a host"),
        ("https://a:port", "is not a host"),
        ("https://a:99999", "is not a host"),
        ("https://a..b", "is not a host"),
        ("https://-a.b", "is not a host"),
        ("https://a%2eb", "is not a host"),
        ("https://a,b", "is not a host"),
        (f"https://{'a' * 64}.cloud.databricks.com", "is not a host"),
        (f"https://{'a.' * 130}com", "is not a host"),
        ("https://user:secret@a", "must not contain a user name"),
        ("https://@a", "must not contain a user name"),
        ("https://a.example\\@evil.example", "invalid in a host"),
        ("https://a。example", "invalid in a host"),
        ("https://a\x00.example", "invalid in a host"),
        ("https://a .example", "contains whitespace"),
        ("https://a.example\n  token = dapisecret", "continues on the next line"),
        ("https://a.example ; the dev one", "comment"),
        ("https://a.example # prod", "comment"),
        ('"https://a.example"', "quotation marks"),
        ("http://a.cloud.databricks.com", "unencrypted"),
        ("http://127.0.0.1.example.com", "unencrypted"),
    ],
)
def test_an_invalid_host_is_an_error_with_the_reason(given, message):
    with pytest.raises(errors.ConfigurationError, match=message) as raised:
        hosts.address(given)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("query", ["/?o=123", "?o=123", "/browse?x=1&o=123#job/1", "/?o=123&o=123"])
def test_the_workspace_id_of_a_url_is_kept(query):
    assert hosts.address(f"https://a.example{query}") == hosts.Address("https://a.example", "123")


@pytest.mark.parametrize("query", ["/?o=0", "/?o=-1", "/?o=1x", "/?o=1&o=2", "/?o=1234567890123456789012"])
def test_an_invalid_or_ambiguous_workspace_id_is_an_error(query):
    with pytest.raises(errors.ConfigurationError, match=r"workspace id|Conflicting workspace ids"):
        hosts.address(f"https://a.example{query}")


def test_an_address_is_written_as_it_is_read():
    assert str(hosts.address("https://A.example/?o=5#x")) == "https://a.example/?o=5"
    assert hosts.address("https://a.example/?o=5") == hosts.address(str(hosts.address("a.example?o=5")))


@pytest.mark.parametrize(
    ("host", "is_one"),
    [
        ("https://accounts.cloud.databricks.com", True),
        ("https://accounts.azuredatabricks.net", True),
        ("https://accounts-dod.cloud.databricks.mil", True),
        ("https://accounts-team.cloud.databricks.com", False),
        ("https://accounts.example.com", False),
    ],
)
def test_an_account_console_is_distinguished_from_a_workspace(host, is_one):
    assert hosts.is_account(host) is is_one
