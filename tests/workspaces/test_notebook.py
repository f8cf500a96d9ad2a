"""In a Databricks notebook, ``connect()`` uses the notebook's own identity and says whose it is.

The stand-ins have the shapes of Databricks' modules, as the official SDK reads them. The workspace is a sandbox behind
TLS with a certificate of the test.
"""

import http.client
import json
import shutil
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace

import IPython
import nbformat
import pytest

import tokenkit
from tests.parts import missing
from tokenkit import errors
from tokenkit.sandbox.serving.recorded import RECORDED_RESPONSES

ME, PERMISSIONS = "/api/2.0/preview/scim/v2/Me", "/api/2.0/permissions/authorization/tokens"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if shutil.which("openssl") is None:
        missing("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificate")
    key, pem = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=workspace"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(pem)]
    subprocess.run(command, check=True, capture_output=True)
    return pem, key


@pytest.fixture
def behind_tls(sandbox, certificate, monkeypatch):
    """The sandbox behind TLS; ``replies`` has responses that replace its own, by path."""
    pem, key = certificate

    class Forward(BaseHTTPRequestHandler):
        def do_GET(self):
            server.tokens.append(self.headers["Authorization"])
            status, content = server.replies.get(self.path) or self.forwarded()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def forwarded(self):
            inner = http.client.HTTPConnection(sandbox.host.removeprefix("http://"))
            wanted = ("Authorization", "Accept")
            inner.request("GET", self.path, headers={name: self.headers[name] for name in wanted})
            response = inner.getresponse()
            content = response.read()
            inner.close()
            return response.status, content

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Forward) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.address, server.replies, server.tokens = f"127.0.0.1:{server.server_address[1]}", {}, []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
        yield server
        server.shutdown()


class Notebook:
    """The modules and variables that Databricks gives a notebook, with the token that it renews."""

    def __init__(self, monkeypatch, address, token):
        self._monkeypatch, self.address, self.token = monkeypatch, address, token
        monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
        monkeypatch.delitem(sys.modules, "databricks.sdk.runtime", raising=False)
        self.variables = {}

    def module(self, name, **content):
        module = ModuleType(name)
        vars(module).update(content)
        self._monkeypatch.setitem(sys.modules, name, module)

    def runtime(self, *, spark_connect=False):
        def namespace():
            if spark_connect:
                raise RuntimeError("[CONTEXT_UNAVAILABLE_FOR_REMOTE_CLIENT] Remote client cannot create a SparkContext")
            return SimpleNamespace(get_namespace_globals=lambda: {"dbutils": self.variables.get("dbutils")})

        self.module("dbruntime", UserNamespaceInitializer=SimpleNamespace(getOrCreate=namespace), __path__=[])

    def headers(self):
        return {"Authorization": f"Bearer {self.token}"}

    def unified(self, workspace_id=None):
        provider = ("https://" + self.address, "an-account", workspace_id, self.headers)
        self.module("dbruntime.sdk_credential_provider", init_runtime_native_unified=lambda: provider)

    def native(self):
        provider = ("https://" + self.address, self.headers)
        self.module("dbruntime.sdk_credential_provider", init_runtime_native_auth=lambda: provider)

    def context(self):
        def get_context():
            return SimpleNamespace(workspaceUrl=self.address, apiToken=self.token)

        self.module("dbruntime.databricks_repl_context", get_context=get_context)

    def dbutils(self):
        """The notebook's ``dbutils`` with a Py4J gateway, whose values are Scala options."""
        context = SimpleNamespace(
            apiUrl=lambda: SimpleNamespace(get=lambda: "https://" + self.address),
            apiToken=lambda: SimpleNamespace(get=lambda: self.token),
        )
        inner = SimpleNamespace(notebook=lambda: SimpleNamespace(getContext=lambda: context))
        entry_point = SimpleNamespace(getDbutils=lambda: inner)
        self._in_ipython(SimpleNamespace(entry_point=entry_point))

    def dbutils_without_py4j(self):
        self._in_ipython(SimpleNamespace())

    def _in_ipython(self, notebook):
        self.variables["dbutils"] = SimpleNamespace(notebook=notebook)
        shell = SimpleNamespace(ns_table={"user_global": self.variables})
        self._monkeypatch.setattr(IPython, "get_ipython", lambda: shell)


@pytest.fixture
def notebook(behind_tls, sandbox, monkeypatch):
    return Notebook(monkeypatch, behind_tls.address, sandbox.token)


SHAPES = {
    "unified": ["unified"],
    "native": ["native"],
    "context": ["context"],
    "dbutils": ["dbutils"],
    "unified without Py4J": ["unified", "dbutils_without_py4j"],
    "native without Py4J": ["native", "dbutils_without_py4j"],
    "context without Py4J": ["context", "dbutils_without_py4j"],
}


@pytest.mark.parametrize(
    ("shape", "spark_connect"),
    # Spark Connect has no Py4J.
    [(shape, connect) for shape in SHAPES for connect in (False, True) if not (connect and shape == "dbutils")],
)
def test_the_identity_of_the_notebook_signs_in_and_is_named(shape, spark_connect, notebook, behind_tls, capfd):
    notebook.runtime(spark_connect=spark_connect)
    for part in SHAPES[shape]:
        getattr(notebook, part)()
    workspace = tokenkit.connect()
    assert capfd.readouterr().err == (
        f"Signed in to https://{behind_tls.address} as admin@example.com, the identity of this notebook.\n"
    )
    assert len(workspace.token_management.list()) == 300
    assert set(behind_tls.tokens) == {f"Bearer {notebook.token}"}
    assert repr(workspace).endswith("signed in by the identity of this notebook>")


@pytest.mark.parametrize("shape", ["unified", "native", "context"])
def test_where_an_older_sdk_finds_no_identity_the_runtime_is_asked(shape, notebook, behind_tls, monkeypatch):
    """Such as 0.67, which first creates the Spark objects of a classic notebook. Spark Connect has none."""
    monkeypatch.setitem(sys.modules, "databricks.sdk.runtime", ModuleType("databricks.sdk.runtime"))
    notebook.runtime(spark_connect=True)
    getattr(notebook, shape)()
    workspace = tokenkit.connect()
    assert workspace.host == f"https://{behind_tls.address}"
    assert len(workspace.token_management.list()) == 300
    assert set(behind_tls.tokens) == {f"Bearer {notebook.token}"}


def test_a_certificate_that_nobody_vouches_for_is_an_error_that_says_what_a_proxy_needs(behind_tls, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    workspace = tokenkit.connect(host=f"https://{behind_tls.address}", token="dapi" + "1" * 32)
    with pytest.raises(errors.ConnectionFailedError, match=r"TLS certificate verification failed.*REQUESTS_CA_BUNDLE"):
        workspace.me()


def test_the_workspace_id_that_the_notebook_provides_is_used(notebook, sandbox):
    """Older versions of the SDK do not ask the provider that knows it."""
    notebook.runtime(spark_connect=True)
    notebook.unified(workspace_id=sandbox.workspaces[0].workspace_id)
    assert tokenkit.connect().workspace_id == str(sandbox.workspaces[0].workspace_id)


def test_the_token_that_the_notebook_renews_is_used(notebook, behind_tls, sandbox):
    notebook.runtime()
    notebook.context()
    workspace = tokenkit.connect()
    notebook.token = "renewed"
    with pytest.raises(errors.AuthenticationError):
        workspace.me()
    notebook.token = sandbox.token
    assert workspace.me() == "admin@example.com"
    assert behind_tls.tokens[-2:] == ["Bearer renewed", f"Bearer {sandbox.token}"]


def test_a_person_who_is_no_admin_is_told_so_in_one_line(notebook, behind_tls, capfd):
    behind_tls.replies[ME] = 200, json.dumps({"id": "7", "userName": "ada@example.com", "groups": []}).encode()
    response = RECORDED_RESPONSES["not-admin"]
    behind_tls.replies[PERMISSIONS] = response["status"], json.dumps(response["body"]).encode()
    notebook.runtime()
    notebook.native()
    tokenkit.connect()
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "as ada@example.com, the identity of this notebook. This is not a workspace admin" in said


def test_an_admin_through_a_nested_group_is_not_called_another_thing(notebook, behind_tls, capfd):
    behind_tls.replies[ME] = 200, json.dumps({"id": "7", "userName": "ada@example.com"}).encode()
    notebook.runtime()
    notebook.native()
    tokenkit.connect()
    assert "admin" not in capfd.readouterr().err.replace("admin@", "")


def test_the_guide_runs_in_databricks_and_changes_nothing_there(notebook, behind_tls, ipython, monkeypatch, tmp_path):
    """``behind_tls`` accepts only GET."""
    notebook.runtime(spark_connect=True)
    notebook.native()
    monkeypatch.chdir(tmp_path)
    guide = nbformat.read(Path(__file__).parents[2] / "notebooks" / "10_in_databricks.ipynb", as_version=4)
    for cell in guide.cells:
        if cell.cell_type == "code":
            ipython.run_cell(cell.source).raise_error()
    assert ipython.user_ns["ws"].host == f"https://{behind_tls.address}"
    assert len(ipython.user_ns["plan"]) == 3


@pytest.mark.parametrize("when", ["at once", "later"])
def test_an_expired_token_of_the_notebook_is_one_line_with_what_to_do(when, notebook):
    notebook.runtime()
    notebook.native()
    workspace = tokenkit.connect() if when == "later" else None
    notebook.token = "dapi-expired"
    with pytest.raises(errors.AuthenticationError, match="detach and reattach the notebook") as raised:
        (tokenkit.connect() if workspace is None else workspace).tokens()
    assert "\n" not in str(raised.value)
    assert "profile" not in str(raised.value)
    assert notebook.token not in str(raised.value)


def test_a_missing_sdk_is_one_line_that_installs_it(notebook, monkeypatch):
    notebook.runtime()
    notebook.native()
    monkeypatch.setitem(sys.modules, "databricks.sdk.core", None)  # importing it fails
    with pytest.raises(errors.ConfigurationError, match=r"pip install databricks-sdk$") as raised:
        tokenkit.connect()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("part", [None, "dbutils_without_py4j"])
def test_a_process_without_an_identity_is_one_line_that_says_where_there_is_one(part, notebook):
    """As in %sh, where Python lacks the modules of the notebook."""
    if part:
        notebook.runtime()
        getattr(notebook, part)()
    with pytest.raises(errors.ConfigurationError, match="available only in Python cells and in jobs") as raised:
        tokenkit.connect()
    assert ("default auth" in str(raised.value)) is bool(part)  # what went wrong, unless nothing was found
    assert "\n" not in str(raised.value)


def test_settings_of_the_environment_come_before_the_notebook(notebook, sandbox, monkeypatch, capfd):
    notebook.runtime()
    notebook.native()
    monkeypatch.setenv("DATABRICKS_HOST", sandbox.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", sandbox.token)
    assert tokenkit.connect().host == sandbox.host
    assert capfd.readouterr().err == ""
