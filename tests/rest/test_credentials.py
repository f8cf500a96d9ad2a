"""Which workspace is meant and how it is signed for: every way in, and no way for a secret out."""

import os
import subprocess
import sys
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient

import tokenkit
from tokenkit import errors
from tokenkit.rest import credentials
from tokenkit.rest.transport import RetryPolicy


def with_profile(text):
    Path(os.environ["DATABRICKS_CONFIG_FILE"]).write_text(textwrap.dedent(text))


@pytest.mark.parametrize("token", ["", "  ", "dapi x", "dapi\nX-Evil: 1", "dapié", '"dapi1"'])
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


@pytest.mark.parametrize("workspace", ["workspace_id = 1", ""])
def test_a_profile_is_of_no_other_workspace_than_it_says(workspace, monkeypatch):
    with_profile(f"[prod]\nhost = https://prod.example.com\ntoken = dapi1\n{workspace}")
    monkeypatch.setenv("DATABRICKS_WORKSPACE_ID", "2")
    with pytest.raises(errors.ConfigurationError, match="'prod' is overridden by DATABRICKS_WORKSPACE_ID"):
        tokenkit.connect("prod")


def test_a_profile_and_the_environment_may_say_the_same(monkeypatch):
    with_profile("[prod]\nhost = https://prod.example.com/?o=2\ntoken = dapi1\n")
    monkeypatch.setenv("DATABRICKS_WORKSPACE_ID", "2")
    assert tokenkit.connect("prod").workspace_id == "2"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((["nowhere"], {}), "no profile 'nowhere'"),
        (([], {}), r"give connect\(\) a host and a token"),
        (([], {"token": "dapi1"}), "which workspace"),
        ((["prod"], {"host": "https://a", "token": "dapi1"}), "not both"),
        ((["prod"], {"token": ""}), "not both"),
        (([], {"host": "https://a", "token": ""}), "token is empty"),
        (([], {"host": "https://a", "token": " \t"}), "token is empty"),
        (([], {"host": "https://a", "token": b"dapi1"}), "not a bytes"),
        (([], {"host": 7, "token": "dapi1"}), "not a int"),
        ((["https://accounts.cloud.databricks.com"], {}), "console of an account"),
        (([], {"host": ""}), "is not a host"),
        (([], {"host": "", "token": "dapi1"}), "is not a host"),
        (([], {"host": "https://[::1", "token": "dapi1"}), "is not a host"),
        (([""], {}), "no profile ''"),
        (([], {"host": "https://a/?o=1", "token": "dapi1", "workspace_id": 2}), "Two workspaces"),
        (([], {"host": "https://a", "token": "dapi1", "workspace_id": 0}), "not a workspace id"),
        (([], {"host": "https://a", "token": "dapi1", "workspace_id": "1/../2"}), "not a workspace id"),
        (([], {"host": "https://accounts.cloud.databricks.com", "token": "dapi1"}), "console of an account"),
        ((["sandbox"], {"token": ""}), "of its own"),
        ((["sandbox"], {"workspace_id": 5}), "of its own"),
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


# A credential goes to no other host than the one that it was given for. ``taken`` is where a credential must not go.


@pytest.fixture
def taken():
    """A host that notes every request that comes to it, and answers none."""
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
def test_the_environment_s_credential_goes_to_no_host_but_its_own(connect, environment, taken, monkeypatch):
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
def test_a_profile_s_credential_goes_to_no_host_but_its_own(named, variables, sign_in, taken, monkeypatch):
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
def test_the_environment_s_credential_does_not_go_to_a_profile_s_host(name, value, taken, monkeypatch):
    with_profile(f"[robot]\nhost = {taken.host}\nclient_id = robot\nclient_secret = dose1\n")
    monkeypatch.setenv(name, value)
    with pytest.raises(errors.ConfigurationError, match=f"overridden by {name}"):
        tokenkit.connect("robot")
    assert taken.heard == []


def test_a_token_without_a_host_in_the_environment_is_for_no_host_of_a_file(taken, monkeypatch):
    with_profile(f"[DEFAULT]\nhost = {taken.host}\n")
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi1")
    with pytest.raises(errors.ConfigurationError, match="DATABRICKS_HOST is not"):
        tokenkit.connect()
    assert taken.heard == []


def test_one_token_in_the_environment_is_not_sent_to_two_hosts_of_a_fleet(taken, sandbox, monkeypatch):
    monkeypatch.setenv("DATABRICKS_TOKEN", sandbox.token)
    with pytest.raises(errors.ConfigurationError, match="is the token of one workspace, and 2 hosts are named"):
        tokenkit.fleet([sandbox.host, taken.host])
    monkeypatch.setenv("DATABRICKS_HOST", sandbox.host)
    fleet = tokenkit.fleet([sandbox.host, taken.host])
    assert set(fleet.tokens()["workspace"]) == {sandbox.host}
    assert "is not sent to another host" in fleet.errors["message"].iloc[0]
    assert taken.heard == []


def test_the_environment_s_own_host_is_the_same_in_any_spelling(sandbox, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", f"{sandbox.host}/")
    monkeypatch.setenv("DATABRICKS_TOKEN", sandbox.token)
    assert tokenkit.connect(sandbox.host.upper().replace("HTTP", "http")).me() == "admin@example.com"


def test_a_host_for_which_there_is_no_credential_is_said_to_be_so(monkeypatch):
    monkeypatch.setenv("PATH", "")  # where the Databricks CLI could be
    monkeypatch.setattr(credentials, "_DISCOVERY_SECONDS", 1)
    with pytest.raises(errors.ConfigurationError, match=r"No credentials were found for http://127\.0\.0\.1:9\b"):
        tokenkit.connect("http://127.0.0.1:9")


@pytest.mark.parametrize("how", ["environment", "profile", "host and profile"])
def test_a_host_that_is_down_is_not_asked_for_a_sign_in_that_needs_no_answer(how, monkeypatch, capfd, caplog):
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


def test_what_the_sdk_logs_of_a_host_that_is_down_is_not_shown():
    """A fresh interpreter, as pytest gives every logger a handler. How long the SDK tries is its own."""
    program = """
        import logging
        from tokenkit.rest import credentials
        credentials.load_sdk()
        logging.getLogger("databricks.sdk.retries").warning("the host is down")
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, capture_output=True, text=True)
    assert ran.stderr == ""


def official(host, token, workspace_id):
    """An SDK object that knows its workspace, as newer versions do by themselves."""
    client = WorkspaceClient(host=host, token=token, auth_type="pat")
    client.config.workspace_id = str(workspace_id)
    return client


@pytest.mark.parametrize("signed", ["arguments", "a profile", "environment", "an SDK object"])
def test_the_workspace_id_of_a_host_is_sent_along(signed, companies, monkeypatch):
    """Of two workspaces behind one host, the header chooses."""
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


def test_a_workspace_that_is_not_the_one_that_was_named_is_refused(companies):
    """As where something in between takes away the header that chooses."""
    first, second = companies.workspaces[:2]
    workspace = tokenkit.connect(host=first.host, token=first.token, workspace_id=second.workspace_id)
    del workspace._transport._headers["X-Databricks-Workspace-Id"]
    with pytest.raises(
        errors.ConfigurationError, match=f"is workspace {first.workspace_id}, not {second.workspace_id}"
    ):
        workspace.tokens()


def test_a_workspace_id_is_honoured_whatever_names_the_workspace(companies):
    first, second = companies.workspaces[:2]
    with_profile(f"[prod]\nhost = {first.host}\ntoken = {second.token}\n")
    named = tokenkit.connect("prod", workspace_id=second.workspace_id)
    assert len(named.token_management.list()) == 80
    assert named.identify() == str(second.workspace_id)
    with pytest.raises(errors.ConfigurationError, match="Two workspaces"):
        tokenkit.connect(official(first.host, second.token, first.workspace_id), workspace_id=second.workspace_id)


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
