"""The state folder inside Databricks: in the folder of the person whose notebook it is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tokenkit
from tokenkit.core.home import home
from tokenkit.workspaces import folder
from tokenkit.workspaces.folder import state_folder

NAMESPACE = """
class UserNamespaceInitializer:
    @classmethod
    def getOrCreate(cls):
        return cls()

    def get_namespace_globals(self):
        return {}
"""
RUNTIME = """
def init_runtime_native_auth():
    return {host!r}, lambda: {{"Authorization": "Bearer {token}"}}
"""
PROGRAM = """
import sys
from pathlib import Path
import tokenkit
from tokenkit.core import write_once
from tokenkit.workspaces import folder

folder.USERS = Path(sys.argv[1]) / "Workspace" / "Users"
write_once.ROOTS = (sys.argv[1] + "/Workspace",)
ws = tokenkit.connect()
print(ws.folder)
tokens = ws.tokens()
plan = ws.revoke(tokens[tokens["owner"] != "admin@example.com"].head(2))
try:
    plan.apply(progress=False)
except tokenkit.JournalError as error:
    print(error)
else:
    print(tokenkit.resume(plan.run_id, progress=False)["outcome"].tolist())
"""


@pytest.fixture
def notebook(fresh_sandbox, tmp_path):
    """Runs the program as in a notebook of admin@example.com; returns its lines and the folder that lasts."""
    runtime = tmp_path / "runtime" / "dbruntime"
    runtime.mkdir(parents=True)
    (runtime / "__init__.py").write_text(NAMESPACE)
    provider = RUNTIME.format(host=fresh_sandbox.host, token=fresh_sandbox.token)
    (runtime / "sdk_credential_provider.py").write_text(provider)
    environment = {name: value for name, value in os.environ.items() if name != "TOKENKIT_HOME"} | {
        "DATABRICKS_RUNTIME_VERSION": "17.3",
        "PYTHONPATH": f"{runtime.parent}:{Path(tokenkit.__file__).parent.parent}",
        "XDG_STATE_HOME": str(tmp_path / "disk"),
    }

    def run():
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, tmp_path], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines(), done.stderr

    return run


def test_it_is_in_the_folder_of_whom_the_workspace_says_the_notebook_is_of(notebook, tmp_path):
    mine = tmp_path / "Workspace" / "Users" / "admin@example.com"
    mine.mkdir(parents=True)
    lines, said = notebook()
    assert lines == [str(mine / ".tokenkit"), "['revoked', 'revoked']"]
    assert f"The journal is in {mine / '.tokenkit'}." in said
    assert [path.name for path in (mine / ".tokenkit").iterdir()] == ["runs"]


def test_where_there_is_none_reading_works_and_a_change_is_rejected(notebook, tmp_path, fresh_sandbox):
    (where, refusal), _ = notebook()
    assert where == str(tmp_path / "disk" / "tokenkit")
    assert "would be lost with the cluster" in refusal
    assert "TOKENKIT_HOME" in refusal
    assert [record for record in fresh_sandbox.requests if record.method == "DELETE"] == []


def test_without_a_sign_in_it_is_on_the_disk_which_takes_no_run(monkeypatch):
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    monkeypatch.delenv("TOKENKIT_HOME")
    assert state_folder() == home({})


@pytest.mark.parametrize("inside", [True, False])
def test_a_folder_that_is_named_is_it(monkeypatch, inside):
    if inside:
        monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    monkeypatch.setenv("TOKENKIT_HOME", "/Volumes/main/ops/state")
    assert state_folder() == Path("/Volumes/main/ops/state")


@pytest.mark.parametrize("name", ["", ".", "..", "/etc", "a/b", "../Shared"])
def test_a_user_name_that_is_no_name_of_a_folder_is_not_followed(monkeypatch, tmp_path, name):
    (tmp_path / "Users" / "a" / "b").mkdir(parents=True)
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    monkeypatch.delenv("TOKENKIT_HOME")
    monkeypatch.setattr(folder, "USERS", tmp_path / "Users")
    monkeypatch.setattr(folder, "_notebook_user", lambda: name)
    assert state_folder() == home({})
