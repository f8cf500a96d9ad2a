"""Every way to sign in to a workspace, without disclosing a secret."""

import os
import subprocess
import sys
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from databricks.sdk import WorkspaceClient

import tokenkit
from tokenkit import errors
from tokenkit.rest import credentials
from tokenkit.rest.hosts import address
from tokenkit.rest.transport import RetryPolicy


def with_profile(text):
    Path(os.environ["DATABRICKS_CONFIG_FILE"]).write_text(textwrap.dedent(text))


@pytest.mark.parametrize("token", ["", "  ", "dapi x", "dapi\nX-Evil: 1", "dapié", '"dapi1"'])
def test_an_invalid_token_is_an_error_that_does_not_show_it(token):
    with pytest.raises(errors.ConfigurationError) as raised:
        credentials.from_token("https://a", token)
    assert "dapi" not in str(raised.value)


def test_a_host_and_a_token_in_the_environment_are_sufficient(sandbox, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", sandbox.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", sandbox.token)
    assert tokenkit.connect().me() == "admin@example.com"


def test_a_host_and_a_token_do_not_import_the_official_sdk(sandbox):
    """The import takes 0.7 s, so a new interpreter checks the imported modules."""
    program = f"""
        import sys, tokenkit
        tokenkit.connect(host={sandbox.host!r}, token={sandbox.token!r}).token_management.list()
        sys.exit("databricks.sdk" in sys.modules)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False).returncode == 0


def test_a_profile_signs_in_with_its_settings(sandbox):
    with_profile(f"[prod]\nhost = {sandbox.host}\ntoken = {sandbox.token}\n")
    workspace = tokenkit.connect("prod")
    assert workspace.me() == "admin@example.com"
    assert "profile prod" in repr(workspace)


@pytest.mark.parametrize(
    ("variables", "profile", "next_step"),
    [
        ({}, "prod west", "Renew the credential of profile 'prod west' in "),
        ({}, "prod west", "`databricks auth login --profile 'prod west'`"),
        ({"DATABRICKS_TOKEN": "expired"}, None, "Renew the credential in the environment, such as DATABRICKS_TOKEN"),
    ],
)
def test_the_error_of_an_expired_credential_names_the_place_that_it_came_from(
    variables, profile, next_step, sandbox, monkeypatch
):
    with_profile(f"[prod west]\nhost = {sandbox.host}\ntoken = expired\n")
    for name, value in ({"DATABRICKS_HOST": sandbox.host} | variables if variables else {}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(errors.AuthenticationError) as raised:
        tokenkit.connect(profile).me()
    assert next_step in str(raised.value)
    assert ("DATABRICKS_TOKEN" in str(raised.value)) == (profile is None)


def test_the_default_profile_is_used_without_its_name(sandbox):
    with_profile(f"[DEFAULT]\nhost = {sandbox.host}\ntoken = {sandbox.token}\n")
    assert tokenkit.connect().me() == "admin@example.com"


def test_the_environment_can_name_the_profile(sandbox, monkeypatch):
    with_profile(f"[other]\nhost = {sandbox.host}\ntoken = {sandbox.token}\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "other")
    assert tokenkit.connect().me() == "admin@example.com"


def test_a_host_is_signed_in_to_by_the_profile_that_the_environment_names_for_it(sandbox, monkeypatch):
    with_profile(f"[other]\nhost = {sandbox.host}\ntoken = {sandbox.token}\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "other")
    workspace = tokenkit.connect(host=sandbox.host)
    assert workspace.me() == "admin@example.com"
    assert "profile other" in repr(workspace)


def test_a_sign_in_without_a_host_is_an_error():
    with pytest.raises(errors.ConfigurationError, match="No workspace is configured"):
        credentials.from_sdk_config(SimpleNamespace(host=None))


def test_headers_without_a_credential_have_the_hash_of_no_value():
    unsigned = credentials.Credentials("https://a.example", dict, origin="a test")
    assert unsigned.hashes(lambda value: [f"hash of {value!r}"]) == {"hash of ''"}


def test_a_service_principal_signs_in_by_oauth(sandbox):
    with_profile(
        f"[robot]\nhost = {sandbox.host}\nclient_id = {sandbox.client_id}\nclient_secret = {sandbox.client_secret}\n"
    )
    workspace = tokenkit.connect("robot")
    assert workspace.me() == sandbox.client_id
    assert len(workspace.token_management.list()) == 300


def test_a_host_without_a_token_uses_the_sign_in_of_the_official_tools(sandbox, monkeypatch):
    monkeypatch.setenv("DATABRICKS_TOKEN", sandbox.token)
    assert tokenkit.connect(sandbox.host).me() == "admin@example.com"
    assert tokenkit.connect(host=sandbox.host).me() == "admin@example.com"
    monkeypatch.setenv("DATABRICKS_WORKSPACE_ID", "2")
    assert tokenkit.connect(sandbox.host).workspace_id == "2"


def test_an_official_client_or_config_shares_its_sign_in(sandbox):
    official = WorkspaceClient(host=sandbox.host, token=sandbox.token)
    assert tokenkit.connect(official).me() == "admin@example.com"
    assert tokenkit.connect(official.config).me() == "admin@example.com"


def test_a_profile_that_the_environment_overrides_is_an_error(sandbox, monkeypatch):
    """The official tools would use the environment's host under the profile's name."""
    with_profile("[prod]\nhost = https://prod.example.com\ntoken = dapi1\n")
    monkeypatch.setenv("DATABRICKS_HOST", sandbox.host)
    with pytest.raises(errors.ConfigurationError, match="'prod' is overridden by DATABRICKS_HOST"):
        tokenkit.connect("prod")


@pytest.mark.parametrize("workspace", ["workspace_id = 1", ""])
def test_a_profile_cannot_be_used_for_another_workspace(workspace, monkeypatch):
    with_profile(f"[prod]\nhost = https://prod.example.com\ntoken = dapi1\n{workspace}")
    monkeypatch.setenv("DATABRICKS_WORKSPACE_ID", "2")
    with pytest.raises(errors.ConfigurationError, match="'prod' is overridden by DATABRICKS_WORKSPACE_ID"):
        tokenkit.connect("prod")


def test_a_profile_and_the_environment_can_have_equal_settings(monkeypatch):
    with_profile("[prod]\nhost = https://prod.example.com/?o=2\ntoken = dapi1\n")
    monkeypatch.setenv("DATABRICKS_WORKSPACE_ID", "2")
    assert tokenkit.connect("prod").workspace_id == "2"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["nowhere"], {}), "no profile 'nowhere'"),
        (([], {}), "pass host=… and token=…"),
        (([], {"token": "dapi1"}), "does not identify its workspace"),
        ((["prod"], {"host": "https://a", "token": "dapi1"}), "either a profile, or a host and a token"),
        ((["prod"], {"token": ""}), "either a profile, or a host and a token"),
        (([], {"host": "https://a", "token": ""}), "token is empty"),
        (([], {"host": "https://a", "token": " \t"}), "token is empty"),
        (([], {"host": "https://a", "token": b"dapi1"}), "not bytes"),
        (([], {"host": 7, "token": "dapi1"}), "not int"),
        ((["https://accounts.cloud.databricks.com"], {}), "account console"),
        (([], {"host": ""}), "is not a host"),
        (([], {"host": "", "token": "dapi1"}), "is not a host"),
        (([], {"host": "https://[::1", "token": "dapi1"}), "is not a host"),
        (([""], {}), "no profile ''"),
        (([], {"host": "https://a/?o=1", "token": "dapi1", "workspace_id": 2}), "Conflicting workspace ids"),
        (([], {"host": "https://a", "token": "dapi1", "workspace_id": 0}), "not a workspace id"),
        (([], {"host": "https://a", "token": "dapi1", "workspace_id": "1/../2"}), "not a workspace id"),
        (([], {"host": "https://accounts.cloud.databricks.com", "token": "dapi1"}), "account console"),
        ((["sandbox"], {"token": ""}), "starts a new workspace"),
        ((["sandbox"], {"workspace_id": 5}), "starts a new workspace"),
        (([7], {}), "not (a )?int"),
        ((["sandbox"], {"host": "https://a"}), "starts a new workspace"),
        ((["https://a"], {"tokens": 5}), "only for a sandbox"),
    ],
)
def test_an_impossible_connection_is_a_one_line_error_with_a_next_step(arguments, message):
    positional, named = arguments
    with pytest.raises(errors.ConfigurationError, match=message) as raised:
        tokenkit.connect(*positional, **named)
    assert "\n" not in str(raised.value)
    assert raised.value.__cause__ is raised.value.__context__ is None


# A credential is sent only to the host that it was given for. ``taken`` must not receive one.


@pytest.fixture
def taken():
    """A host that records every request and responds to none."""
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append(self.headers.get("Authorization"))
            self.send_error(404)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        server.host, server.heard = f"http://127.0.0.1:{server.server_address[1]}", heard
        yield server
        server.shutdown()


IN_ENVIRONMENT = {
    "host and token": {"DATABRICKS_HOST": "https://prod.example.com", "DATABRICKS_TOKEN": "dapi1"},
    "host in other letters": {"DATABRICKS_HOST": "PROD.example.com:443", "DATABRICKS_TOKEN": "dapi1"},
    "OAuth": {
        "DATABRICKS_HOST": "https://prod.example.com",
        "DATABRICKS_CLIENT_ID": "robot",
        "DATABRICKS_CLIENT_SECRET": "dose1",
    },
    "name and password": {
        "DATABRICKS_HOST": "https://prod.example.com",
        "DATABRICKS_USERNAME": "ann",
        "DATABRICKS_PASSWORD": "secret",
    },
    "a profile": {"DATABRICKS_CONFIG_PROFILE": "prod"},
    "a profile and a token": {"DATABRICKS_CONFIG_PROFILE": "prod", "DATABRICKS_TOKEN": "dapi1"},
}


@pytest.mark.parametrize("environment", IN_ENVIRONMENT.values(), ids=IN_ENVIRONMENT)
@pytest.mark.parametrize(
    "connect",
    [
        lambda host: tokenkit.connect(host).me(),
        lambda host: tokenkit.connect(host=host).me(),
        lambda host: tokenkit.fleet([host]).tokens(),
        lambda host: tokenkit.fleet(account=host, account_id="a"),
    ],
    ids=["target", "host", "fleet", "account"],
)
def test_the_credential_of_the_environment_is_sent_only_to_its_host(connect, environment, taken, monkeypatch):
    with_profile("[prod]\nhost = https://prod.example.com\ntoken = dapi1\n")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(errors.TokenKitError, match=r"is for https://prod\.example\.com"):
        connect(taken.host)
    assert taken.heard == []


@pytest.mark.parametrize(
    "sign_in", [{"token": "dapi1"}, {"client_id": "robot", "client_secret": "dose1"}], ids=["token", "OAuth"]
)
@pytest.mark.parametrize(
    "variables",
    [
        {"DATABRICKS_HOST": "HOST"},
        {"DATABRICKS_HOST": "HOST", "DATABRICKS_CONFIG_PROFILE": "prod"},
    ],
    ids=["a host alone", "a host and a profile"],
)
@pytest.mark.parametrize("named", ["DEFAULT", "prod"])
def test_the_credential_of_a_profile_is_sent_only_to_its_host(named, variables, sign_in, taken, monkeypatch):
    settings = "".join(f"{name} = {value}\n" for name, value in sign_in.items())
    with_profile(f"[{named}]\nhost = https://prod.example.com\n{settings}")
    for name, value in variables.items():
        monkeypatch.setenv(name, taken.host if value == "HOST" else value)
    with pytest.raises(errors.ConfigurationError):
        tokenkit.connect()
    assert not any(taken.heard)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABRICKS_TOKEN", "dapi2"),
        ("DATABRICKS_CLIENT_ID", "other"),
        ("DATABRICKS_CLIENT_SECRET", "dose2"),
        ("DATABRICKS_PASSWORD", "secret"),
        ("DATABRICKS_WORKSPACE_ID", "5"),
    ],
)
def test_the_credential_of_the_environment_is_not_sent_to_the_host_of_a_profile(name, value, taken, monkeypatch):
    with_profile(f"[robot]\nhost = {taken.host}\nclient_id = robot\nclient_secret = dose1\n")
    monkeypatch.setenv(name, value)
    with pytest.raises(errors.ConfigurationError, match=f"overridden by {name}"):
        tokenkit.connect("robot")
    assert taken.heard == []


def test_a_token_in_the_environment_without_a_host_is_not_sent_to_a_host_of_the_file(taken, monkeypatch):
    with_profile(f"[DEFAULT]\nhost = {taken.host}\n")
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi1")
    with pytest.raises(errors.ConfigurationError, match="DATABRICKS_HOST is not"):
        tokenkit.connect()
    assert taken.heard == []


def test_one_token_in_the_environment_is_not_sent_to_two_hosts_of_a_fleet(taken, sandbox, monkeypatch):
    monkeypatch.setenv("DATABRICKS_TOKEN", sandbox.token)
    with pytest.raises(errors.ConfigurationError, match="is valid for one workspace, but 2 hosts are named"):
        tokenkit.fleet([sandbox.host, taken.host])
    monkeypatch.setenv("DATABRICKS_HOST", sandbox.host)
    fleet = tokenkit.fleet([sandbox.host, taken.host])
    assert set(fleet.tokens()["workspace"]) == {sandbox.host}
    assert "credentials are not for" in fleet.errors["message"].iloc[0]
    assert taken.heard == []


def test_all_spellings_of_the_host_in_the_environment_are_equal(sandbox, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", f"{sandbox.host}/")
    monkeypatch.setenv("DATABRICKS_TOKEN", sandbox.token)
    assert tokenkit.connect(sandbox.host.upper().replace("HTTP", "http")).me() == "admin@example.com"


def test_a_host_without_a_credential_is_an_error_that_names_it(monkeypatch):
    monkeypatch.setenv("PATH", "")  # without the Databricks CLI
    monkeypatch.setattr(credentials, "_DISCOVERY_SECONDS", 1)
    with pytest.raises(errors.ConfigurationError, match=r"No credentials were found for http://127\.0\.0\.1:9\b"):
        tokenkit.connect("http://127.0.0.1:9")


@pytest.mark.parametrize("how", ["environment", "profile", "host and profile"])
def test_no_request_is_sent_to_a_host_that_is_down_if_the_sign_in_needs_none(how, monkeypatch, capfd, caplog):
    where, credential = "http://127.0.0.1:9", "dapi1"
    with_profile(f"[down]\nhost = {where}\ntoken = {credential}\n")
    if how == "environment":
        monkeypatch.setenv("DATABRICKS_HOST", where)
        monkeypatch.setenv("DATABRICKS_TOKEN", credential)
    monkeypatch.setitem(sys.modules, "databricks.sdk.core", None)  # importing it fails
    workspace = tokenkit.connect(None if how == "environment" else "down", retries=RetryPolicy(budget_seconds=0))
    with pytest.raises(errors.ConnectionFailedError):
        workspace.me()
    assert capfd.readouterr().err == ""
    assert caplog.records == []


def test_the_log_of_the_sdk_about_a_host_that_is_down_is_not_shown():
    """A new interpreter, because pytest adds a handler to every logger. The SDK determines how long it retries."""
    program = """
        import logging
        from tokenkit.rest import credentials
        credentials.load_sdk()
        logging.getLogger("databricks.sdk.retries").warning("the host is down")
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, capture_output=True, text=True)
    assert ran.stderr == ""


def official(host, token, workspace_id):
    """An SDK object with a workspace id, which newer versions determine themselves."""
    client = WorkspaceClient(host=host, token=token, auth_type="pat")
    client.config.workspace_id = str(workspace_id)
    return client


@pytest.mark.parametrize("signed", ["arguments", "a profile", "environment", "an SDK object"])
def test_the_workspace_id_of_a_host_is_sent_with_requests(signed, companies, monkeypatch):
    """The header selects one of two workspaces behind a host."""
    first, second = companies.workspaces[:2]
    host, token = f"{first.host}/?o={second.workspace_id}", second.token
    with_profile(f"[prod]\nhost = {host}\ntoken = {token}\n")
    if signed == "environment":
        monkeypatch.setenv("DATABRICKS_HOST", host)
        monkeypatch.setenv("DATABRICKS_TOKEN", token)
    workspace = {
        "arguments": lambda: tokenkit.connect(host=host, token=token),
        "a profile": lambda: tokenkit.connect("prod"),
        "environment": tokenkit.connect,
        "an SDK object": lambda: tokenkit.connect(official(first.host, token, second.workspace_id)),
    }[signed]()
    listed = workspace.token_management.list()
    assert set(listed["token_id"]) == set(second.state.tokens.ids())
    assert (workspace.host, workspace.workspace_id) == (first.host, str(second.workspace_id))


def test_a_workspace_with_another_id_than_the_given_one_is_an_error(companies):
    """As if a proxy removed the header that selects the workspace."""
    first, second = companies.workspaces[:2]
    workspace = tokenkit.connect(host=first.host, token=first.token, workspace_id=second.workspace_id)
    del workspace.api._transport._headers["X-Databricks-Workspace-Id"]
    with pytest.raises(
        errors.ConfigurationError, match=f"is workspace {first.workspace_id}, not {second.workspace_id}"
    ):
        workspace.tokens()


def test_a_workspace_id_is_used_for_every_kind_of_sign_in(companies):
    first, second = companies.workspaces[:2]
    with_profile(f"[prod]\nhost = {first.host}\ntoken = {second.token}\n")
    named = tokenkit.connect("prod", workspace_id=second.workspace_id)
    assert len(named.token_management.list()) == 80
    assert named.identify() == str(second.workspace_id)
    with pytest.raises(errors.ConfigurationError, match="Conflicting workspace ids"):
        tokenkit.connect(official(first.host, second.token, first.workspace_id), workspace_id=second.workspace_id)


def test_a_sign_in_that_fails_later_is_a_one_line_error_without_secrets():
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


def test_a_profile_with_a_host_and_a_token_sends_no_discovery_request(sandbox):
    with_profile(f"[prod]\nhost = {sandbox.host}\ntoken = {sandbox.token}\n")
    workspace = tokenkit.connect("prod")
    assert list(sandbox.requests) == []
    assert workspace.me() == "admin@example.com"


def test_the_log_of_the_official_sdk_is_not_printed(tmp_path):
    """In a separate process, because pytest adds handlers."""
    script = "from tokenkit.rest import credentials\ntry: credentials.sdk_config(host='https://a', profile='nobody')\n"
    script += "except Exception: pass\nimport logging; logging.getLogger('databricks.sdk').warning('heard')"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert ran.stderr == ""


MINE = "https://mine.cloud.databricks.com"


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({}, ""),
        ({"DATABRICKS_HOST": MINE}, ""),
        ({"DATABRICKS_HOST": f"{MINE}/?o=7"}, ""),
        ({"DATABRICKS_CONFIG_PROFILE": "mine"}, ""),
        ({"DATABRICKS_HOST": "https://other.cloud.databricks.com"}, "DATABRICKS_HOST is for https://other"),
        ({"DATABRICKS_HOST": f"{MINE}/?o=8"}, "DATABRICKS_HOST is for"),
        ({"DATABRICKS_CONFIG_PROFILE": "other"}, "DATABRICKS_CONFIG_PROFILE is for https://other"),
        ({"DATABRICKS_HOST": MINE, "DATABRICKS_CONFIG_PROFILE": "other"}, "Unset DATABRICKS_CONFIG_PROFILE"),
    ],
)
def test_credentials_of_the_environment_are_used_only_for_the_workspace_that_it_names(
    monkeypatch, environment, problem
):
    with_profile(f"[mine]\nhost = {MINE}\n[other]\nhost = https://other.cloud.databricks.com\n")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if not problem:
        credentials.check_environment_is_for(address(f"{MINE}/?o=7"))
        return
    with pytest.raises(errors.ConfigurationError, match=f"The environment's credentials are not for .*{problem}"):
        credentials.check_environment_is_for(address(f"{MINE}/?o=7"))


def test_a_profile_with_two_sign_ins_is_an_error_with_the_sdks_own_reason_and_no_secret():
    with_profile(f"[prod]\nhost = {MINE}\ntoken = hidden-1\nclient_id = app\nclient_secret = hidden-2\n")
    expected = "databricks-sdk found no usable credentials for profile 'prod': validate: more than one authorization"
    with pytest.raises(errors.ConfigurationError, match=expected) as raised:
        tokenkit.connect("prod")
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("first\nsecond", "first."),
        ("  first.  \n", "first."),
        ("first?\n", "first?"),
        ("x" * 301, "x" * 300 + "."),
        (" \n", "no reason given."),
    ],
)
def test_of_a_message_of_another_library_the_first_line_is_shown_as_a_sentence(text, line):
    assert credentials.first_line(text) == line


@pytest.mark.parametrize("connect", [tokenkit.connect, lambda profile: tokenkit.fleet(account=profile)])
@pytest.mark.parametrize(
    "other", ["client_id = app\nclient_secret = hidden", "azure_client_id = app\nazure_tenant_id = x"]
)
def test_a_profile_without_a_host_is_an_error_that_names_the_host_and_the_file(connect, other):
    with_profile(f"[prod]\n{other}\n")
    with pytest.raises(errors.ConfigurationError) as raised:
        connect("prod")
    said = (
        f"Profile 'prod' in {credentials.config_file()} has no host. Add host = https://…, the address of the workspace"
    )
    assert str(raised.value).startswith(said)


@pytest.mark.parametrize(
    ("account_id", "connect"),
    [("", tokenkit.connect), ("account_id = acme\n", lambda profile: tokenkit.fleet(account=profile))],
)
def test_a_sign_in_at_a_host_that_does_not_respond_is_an_error_that_says_so(monkeypatch, account_id, connect):
    monkeypatch.setattr(credentials, "_DISCOVERY_SECONDS", 1)
    with_profile(f"[prod]\nhost = http://127.0.0.1:9\nclient_id = app\nclient_secret = hidden\n{account_id}")
    with pytest.raises(errors.ConnectionFailedError) as raised:
        connect("prod")
    assert str(raised.value) == (
        "http://127.0.0.1:9 could not be reached, or does not say how to sign in with profile 'prod'. Check the host "
        "name, the network and the proxy."
    )


def test_what_the_official_sdk_appends_of_its_settings_is_not_in_a_message():
    appended = "no access. Config: host=https://example.com, client_id=app. Env: DATABRICKS_CONFIG_FILE"
    assert credentials.first_line(appended) == "no access."
    assert credentials.first_line("no access. Env: DATABRICKS_HOST") == "no access."


def test_requests_of_the_official_sdk_name_tokenkit_and_its_version():
    with_profile(f"[prod]\nhost = {MINE}\ntoken = dapi1\n")
    config = credentials.profile_config("prod")
    assert f"tokenkit/{tokenkit.__version__} " in config.user_agent
