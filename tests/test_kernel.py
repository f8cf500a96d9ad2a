"""``%tokens`` in a real kernel over the Jupyter protocol: prompts, completion, and front ends that cannot ask."""

import os
import time

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tokenkit.sandbox import Sandbox

_PATIENCE_SECONDS = 60


class Kernel:
    """A kernel with the magic loaded, and a person who answers its questions."""

    def __init__(self, client):
        self._client = client

    def run(self, code, *, answers=()):
        """Return what a cell printed, its result, the error's line, and the questions that it asked."""
        left, questions, unseen = list(answers), [], []
        said = {"text": "", "result": "", "html": "", "error": ""}

        def ask(message):
            questions.append(message["content"]["prompt"])
            unseen.append(message["content"]["password"])
            self._client.input(left.pop(0))

        def hear(message):
            content = message["content"]
            if message["msg_type"] == "stream":
                said["text"] += content["text"]
            elif message["msg_type"] in {"execute_result", "display_data"}:
                said["result"] += content["data"].get("text/plain", "") + "\n"
                said["html"] += content["data"].get("text/html", "")
            elif message["msg_type"] == "error":
                said["error"] += "\n".join(content["traceback"])

        self._client.execute_interactive(
            code,
            allow_stdin=True,
            stdin_hook=ask,
            output_hook=hear,
            timeout=_PATIENCE_SECONDS,
            stop_on_error=False,  # else a kernel ignores what it receives just after an error
        )
        return said | {"questions": questions, "unseen": unseen}

    def complete(self, line):
        """Return what the cursor at the end of a line could be completed to, as whole last words."""
        message_id = self._client.complete(line)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            reply = self._client.get_shell_msg(timeout=_PATIENCE_SECONDS)
            if reply["parent_header"].get("msg_id") == message_id:
                content = reply["content"]
                return {f"{line[: content['cursor_start']]}{match}".split()[-1] for match in content["matches"]}
        raise TimeoutError(line)


@pytest.fixture(scope="module")
def company():
    with Sandbox(tokens=80) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def kernel(company, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    environment = os.environ | {
        "DATABRICKS_HOST": company.host,
        "DATABRICKS_TOKEN": company.token,
        "DATABRICKS_CONFIG_FILE": str(home / "databrickscfg"),
        "TOKENKIT_HOME": str(home),
        "IPYTHONDIR": str(home),
    }
    (home / "databrickscfg").write_text("[staging]\nhost = https://staging.example.com\n")
    manager, client = start_new_kernel(env=environment)
    kernel = Kernel(client)
    kernel.run("%load_ext tokenkit")
    yield kernel
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def revocable(company, count):
    """Ids of tokens that are not the caller's."""
    state = company.workspaces[0].state
    mine = state.tokens.infos()[0]["owner_id"]
    return [info["token_id"] for info in state.tokens.infos() if info["owner_id"] != mine][:count]


def test_revoke_shows_the_plan_and_asks_for_the_count(kernel, company):
    ids = revocable(company, 3)
    said = kernel.run(f"%tokens revoke {' '.join(ids)}", answers=["3"])
    assert said["questions"] == [
        f"Type 3 to revoke 3 tokens for good on {company.host} (from the environment), anything else to cancel: "
    ]
    assert "Revoke 3 tokens for good" in said["result"]
    assert "3 tokens revoked" in said["text"]
    assert not set(ids) & set(company.workspaces[0].state.tokens.ids())


@pytest.mark.parametrize("answer", ["", "y", "yes", "1"])
def test_any_other_reply_revokes_nothing(kernel, company, answer):
    ids = revocable(company, 2)
    said = kernel.run(f"%tokens revoke {' '.join(ids)}", answers=[answer])
    assert "Nothing was changed" in said["text"]
    assert set(ids) < set(company.workspaces[0].state.tokens.ids())


@pytest.mark.parametrize("flag", ["--dry-run", "--yes"])
def test_dry_run_and_yes_never_ask(kernel, company, flag):
    (token_id,) = revocable(company, 1)
    said = kernel.run(f"r = %tokens revoke {token_id} {flag}")
    assert said["questions"] == []
    assert (token_id in company.workspaces[0].state.tokens.ids()) == (flag == "--dry-run")


def test_a_change_of_permissions_asks_for_the_number_of_tokens_that_die(kernel, company):
    before = set(company.workspaces[0].state.tokens.ids())
    said = kernel.run("%tokens permissions set group:bi-team", answers=["no"])
    assert "will be deleted or disabled" in said["html"]
    assert "to delete or disable" in said["questions"][0]
    assert set(company.workspaces[0].state.tokens.ids()) == before


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("%tokens rev", "revoke"),
        ("%tokens ", "permissions"),
        ("%tokens permissions s", "show"),
        ("%tokens list --ow", "--owner"),
        ("df = %tokens list --never", "--never-expires"),
        ("%tokens list --status ", "expired"),
        ("%tokens connect st", "staging"),
        ("%tokens connect san", "sandbox"),
    ],
)
def test_tab_completes_commands_options_values_and_profiles(kernel, line, word):
    assert word in kernel.complete(line)


def test_tab_completes_owners_and_ids_of_the_last_listing(kernel, company):
    kernel.run("df = %tokens list")
    infos = company.workspaces[0].state.tokens.infos()
    assert infos[-1]["token_id"] in kernel.complete(f"%tokens get {infos[-1]['token_id'][:6]}")
    assert "admin@example.com" in kernel.complete("%tokens list --owner admin")


def test_a_cell_runs_several_lines_and_shows_each_result(kernel):
    said = kernel.run("%%tokens\n# a remark\nlist --limit 1 --columns status\n\npermissions levels")
    assert "active" in said["result"]
    assert "CAN_MANAGE" in said["result"]
    assert "Traceback" not in said["error"]


def test_a_mistake_in_a_cell_names_its_line(kernel):
    said = kernel.run("%%tokens\nlist --limit 1\nlst")
    assert "Line 3, 'lst'" in said["error"]
    assert len(said["error"].splitlines()) == 1


def test_a_value_goes_to_a_variable_and_is_never_shown(kernel):
    said = kernel.run(
        "obo = %tokens create-obo terraform --lifetime 1d --variable secret_value --env SECRET_VALUE\nobo"
    )
    check = kernel.run("import os; (secret_value == obo.token_value == os.environ['SECRET_VALUE'], secret_value[:4])")
    assert (said["error"], check["error"]) == ("", "")
    assert check["result"].strip() == "(True, 'dapi')"
    value = kernel.run("secret_value")["result"].strip().strip("'")
    assert value.startswith("dapi")
    assert value not in str(said)


@pytest.mark.parametrize("code", ["%tokens find-leaked", "import tokenkit; tokenkit.connect().find_leaked()"])
def test_leaked_values_are_asked_for_in_a_field_that_shows_nothing(kernel, company, code):
    said = kernel.run(code, answers=[company.token, ""])
    assert said["unseen"] == [True, True]
    assert "1 of 1 value matched a token here" in said["result"]
    assert company.token not in str(said)
    remembered = kernel.run("[str(value) for value in globals().values()]")["result"]
    assert "Leaks on" in remembered
    assert company.token not in remembered


def executed(*cells):
    """Run cells as nbclient does, with nobody to ask; return the notebook as it would be saved."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    failure = None
    try:
        NotebookClient(notebook, kernel_name="python3", timeout=_PATIENCE_SECONDS).execute()
    except CellExecutionError as error:
        failure = error
    return notebook, failure


@pytest.fixture
def in_the_environment(company, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", company.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", company.token)


@pytest.mark.usefixtures("in_the_environment")
def test_without_a_terminal_one_line_names_yes(company):
    (token_id,) = revocable(company, 1)
    notebook, failure = executed("%load_ext tokenkit", f"%tokens revoke {token_id}")
    assert failure is not None
    error = next(output for output in notebook.cells[1].outputs if output.output_type == "error")
    assert "Use --yes" in error.evalue
    assert len("".join(error.traceback).splitlines()) == 1
    assert token_id in company.workspaces[0].state.tokens.ids()


@pytest.mark.usefixtures("in_the_environment")
def test_a_saved_notebook_that_makes_a_token_holds_no_value(company):
    before = set(company.workspaces[0].state.tokens.ids())
    notebook, failure = executed(
        "%load_ext tokenkit\nimport tokenkit",
        "%tokens create-obo terraform --lifetime 1d --secret tokenkit/made --variable value",
        "obo = tokenkit.connect().token_management.create_obo_token(application_id='nobody')",
        "raise RuntimeError(value is None)",
    )
    saved = nbformat.writes(notebook)
    assert failure is not None
    assert "<OboToken" in saved
    made = company.workspaces[0].state.secrets.value("tokenkit", "made")
    assert made.startswith("dapi")
    assert len(set(company.workspaces[0].state.tokens.ids()) - before) == 1
    assert made not in saved
    assert company.token not in saved
