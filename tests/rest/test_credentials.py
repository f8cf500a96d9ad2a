"""Which workspace is meant and how it is signed for: every way in, and no way for a secret out."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient

import tokenkit
from tokenkit import errors
from tokenkit.rest import credentials
from tokenkit.rest.transport import RetryPolicy


def with_profile(text):
    Path(os.environ["DATABRICKS_CONFIG_FILE"]).write_text(textwrap.dedent(text))


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ("https://a.cloud.databricks.com", "https://a.cloud.databricks.com"),
        ("https://a.cloud.databricks.com/", "https://a.cloud.databricks.com"),
        ("a.cloud.databricks.com", "https://a.cloud.databricks.com"),
        (" https://a.azuredatabricks.net/?o=123#job/1 ", "https://a.azuredatabricks.net"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ],
)
def test_a_host_is_understood_as_it_is_pasted(given, host):
    assert credentials.normal_host(given) == host


@pytest.mark.parametrize(
    "given",
    [
        "",
        "https://",
        "ftp://a",
        "https://user:secret@a",
        "http://a.cloud.databricks.com",
        "http://127.0.0.1.example.com",
    ],
)
def test_what_is_no_host_is_refused(given):
    with pytest.raises(errors.ConfigurationError) as raised:
        credentials.normal_host(given)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("token", ["", "  ", "dapi x", "dapi\nX-Evil: 1", "dapié"])
def test_what_is_no_token_is_refused_without_being_shown(token):
    with pytest.raises(errors.ConfigurationError) as raised:
        credentials.from_token("https://a", token)
    assert "dapi" not in str(raised.value)


def test_host_and_token_in_the_environment_are_enough(sandbox, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", sandbox.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", sandbox.token)
    assert tokenkit.connect().me() == "admin@example.com"


def test_host_and_token_do_not_import_the_official_sdk(sandbox):
    """It costs 0.7 s, so a fresh interpreter looks what was imported."""
    program = f"""
        import sys, tokenkit
        tokenkit.connect(host={sandbox.host!r}, token={sandbox.token!r}).token_management.list()
        sys.exit("databricks.sdk" in sys.modules)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False).returncode == 0


def test_a_profile_signs_in_as_the_file_says(sandbox):
    with_profile(f"[prod]\nhost = {sandbox.host}\ntoken = {sandbox.token}\n")
    workspace = tokenkit.connect("prod")
    assert workspace.me() == "admin@example.com"
    assert "profile prod" in repr(workspace)


def test_the_default_profile_is_found_without_being_named(sandbox):
    with_profile(f"[DEFAULT]\nhost = {sandbox.host}\ntoken = {sandbox.token}\n")
    assert tokenkit.connect().me() == "admin@example.com"


def test_the_environment_may_name_the_profile(sandbox, monkeypatch):
    with_profile(f"[other]\nhost = {sandbox.host}\ntoken = {sandbox.token}\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "other")
    assert tokenkit.connect().me() == "admin@example.com"


def test_a_service_principal_signs_in_by_oauth(sandbox):
    with_profile(
        f"[robot]\nhost = {sandbox.host}\nclient_id = {sandbox.client_id}\nclient_secret = {sandbox.client_secret}\n"
    )
    workspace = tokenkit.connect("robot")
    assert workspace.me() == sandbox.client_id
    assert len(workspace.token_management.list()) == 300


def test_a_host_alone_is_signed_in_to_as_the_official_tools_would(sandbox, monkeypatch):
    monkeypatch.setenv("DATABRICKS_TOKEN", sandbox.token)
    assert tokenkit.connect(sandbox.host).me() == "admin@example.com"
    assert tokenkit.connect(host=sandbox.host).me() == "admin@example.com"


def test_an_official_client_or_config_shares_its_sign_in(sandbox):
    official = WorkspaceClient(host=sandbox.host, token=sandbox.token)
    assert tokenkit.connect(official).me() == "admin@example.com"
    assert tokenkit.connect(official.config).me() == "admin@example.com"


def test_a_profile_that_the_environment_overrides_is_refused(sandbox, monkeypatch):
    """The official tools would go to the environment's host under the profile's name."""
    with_profile("[prod]\nhost = https://prod.example.com\ntoken = dapi1\n")
    monkeypatch.setenv("DATABRICKS_HOST", sandbox.host)
    with pytest.raises(errors.ConfigurationError, match="'prod' is overridden by DATABRICKS_HOST"):
        tokenkit.connect("prod")


def test_an_unknown_profile_suggests_the_near_one():
    with_profile("[__settings__]\ndefault_profile = prod\n[prod]\nhost = https://a\n[staging]\nhost = https://b\n")
    assert credentials.profiles() == ["prod", "staging"]
    with pytest.raises(errors.ConfigurationError, match="Did you mean staging"):
        tokenkit.connect("stagign")


def test_a_damaged_configuration_file_has_no_profiles():
    with_profile("host = without a section\n")
    assert credentials.profiles() == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((["nowhere"], {}), "no profile 'nowhere'"),
        (([], {}), r"give connect\(\) a host and a token"),
        (([], {"token": "dapi1"}), "which workspace"),
        ((["prod"], {"host": "https://a", "token": "dapi1"}), "not both"),
        (([7], {}), "not a int"),
        ((["sandbox"], {"host": "https://a"}), "of its own"),
        ((["https://a"], {"tokens": 5}), "shape a sandbox"),
    ],
)
def test_a_connection_that_cannot_be_is_one_line_that_says_what_to_do(arguments, words):
    positional, named = arguments
    with pytest.raises(errors.ConfigurationError, match=words) as raised:
        tokenkit.connect(*positional, **named)
    assert "\n" not in str(raised.value)
    assert raised.value.__cause__ is raised.value.__context__ is None


def test_a_sign_in_that_fails_later_is_one_line_without_what_it_holds():
    def sign():
        raise RuntimeError("refresh failed\nsecond line with a secret")

    renewing = credentials.Credentials("https://a", sign, origin="a test")
    with pytest.raises(errors.ConfigurationError, match="refresh failed") as raised:
        renewing.headers()
    assert "secret" not in str(raised.value)
    assert raised.value.__context__ is None


def test_no_repr_shows_a_token(sandbox):
    signed = credentials.from_token(sandbox.host, sandbox.token)
    workspace = tokenkit.connect(host=sandbox.host, token=sandbox.token, retries=RetryPolicy(budget_seconds=0))
    shown = [repr(signed), repr(workspace), str(vars(signed)), repr(workspace.token_management), repr(vars(workspace))]
    assert sandbox.token not in " ".join(shown)


def test_a_profile_with_a_host_and_a_token_asks_nobody_what_the_host_is(sandbox):
    with_profile(f"[prod]\nhost = {sandbox.host}\ntoken = {sandbox.token}\n")
    workspace = tokenkit.connect("prod")
    assert list(sandbox.requests) == []
    assert workspace.me() == "admin@example.com"


def test_what_the_official_sdk_logs_is_not_printed(tmp_path):
    """In a process of its own, as a test has handlers of pytest."""
    script = "from tokenkit.rest import credentials\ntry: credentials.sdk_config(host='https://a', profile='nobody')\n"
    script += "except Exception: pass\nimport logging; logging.getLogger('databricks.sdk').warning('heard')"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert ran.stderr == ""
