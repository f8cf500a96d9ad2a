"""The official Terraform provider takes the sandbox for a workspace.

Its build takes long, so that these tests run only where it was built: ``bash .ci/terraform``.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients import go_tools
from tests.clients.coverage import called, documented
from tokenkit.sandbox import Sandbox

pytestmark = pytest.mark.timeout(900)

CONFIGURATION = Path(__file__).with_name("main.tf")
CHANGED = "-var=lifetime=60", "-var=comment=weekly"
NO_CHANGES, CHANGES = 0, 2  # the exit codes of `plan -detailed-exitcode`


@pytest.fixture(scope="module")
def company():
    with Sandbox(tokens=60) as sandbox:  # at the real time: the provider forgets expired tokens
        yield sandbox
        assert list(sandbox.errors) == []


@pytest.fixture(scope="module")
def terraform(company, tmp_path_factory):
    """Run OpenTofu, or Terraform, with the official provider as the admin of a workspace."""
    provider = go_tools.find("terraform-provider-databricks")
    program = go_tools.find("tofu") or shutil.which("terraform")
    if provider is None or program is None:
        pytest.skip("OpenTofu and the official provider were not built; `bash .ci/terraform` builds them")
    folder = tmp_path_factory.mktemp("terraform")
    shutil.copy(CONFIGURATION, folder)
    overrides = f'provider_installation {{\n  dev_overrides {{ "databricks/databricks" = "{provider.parent}" }}\n}}\n'
    (folder / "settings").write_text(overrides)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TF_CLI_CONFIG_FILE": str(folder / "settings"),
        "CHECKPOINT_DISABLE": "1",
        "DATABRICKS_HOST": company.host,
        "DATABRICKS_TOKEN": company.token,
    }

    def run(*arguments, exits=0):
        command = [program, *arguments, *([] if arguments[0] == "output" else ["-input=false"]), "-no-color"]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, cwd=folder)
        assert done.returncode == exits, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture
def state(company):
    return company.workspaces[0].state


def comments(state):
    return sorted(info["comment"] for info in state.tokens.infos() if info.get("comment") in ("nightly", "weekly"))


def can_use(state):
    return {identity.name for identity, _ in state.permissions.entries()}


def test_it_applies_changes_and_destroys_what_an_admin_manages_of_tokens(terraform, company, state, held):
    held(company)
    before = state.tokens.ids()
    terraform("plan", "-detailed-exitcode", exits=CHANGES)

    terraform("apply", "-auto-approve")
    robot = json.loads(terraform("output", "-json"))["robot"]["value"]
    assert can_use(state) == {"admins", "crew", robot}
    assert comments(state) == ["nightly", "nightly"]
    assert state.settings.get("maxTokenLifetimeDays") == "90"
    assert state.secrets.value("vault", "token").startswith("dapi")
    terraform("plan", "-detailed-exitcode", exits=NO_CHANGES)

    terraform("apply", "-auto-approve", *CHANGED)
    assert comments(state) == ["weekly", "weekly"]
    assert state.settings.get("maxTokenLifetimeDays") == "60"
    terraform("plan", "-detailed-exitcode", *CHANGED, exits=NO_CHANGES)

    terraform("destroy", "-auto-approve", *CHANGED)
    assert state.tokens.ids() <= before
    assert state.directory.named("group", "crew") is None
    assert state.secrets.scopes() == ["tokenkit"]


@pytest.mark.usefixtures("terraform")
def test_the_table_of_endpoints_says_which_ones_it_was_run_against(company):
    """Runs last, after every test of this module."""
    assert called(company) == documented("terraform")
