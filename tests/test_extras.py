"""Without any extra: what still works, and the one line that names the missing package where one is needed.

``.ci/run`` runs this module in an environment that has the wheel alone; elsewhere the extras' packages are hidden. So
it leans on nothing of its neighbours.
"""

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path

import ipywidgets as widgets
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import tokenkit
from tokenkit import cli
from tokenkit.sandbox import Sandbox

EXTRAS = ["anywidget", "jupyterlab", "matplotlib", "openpyxl", "pyspark"]


@pytest.fixture(scope="module")
def company():
    with Sandbox(tokens=100) as company:
        yield company


@pytest.fixture(autouse=True)
def _bare(company, monkeypatch, tmp_path):
    """Hide the extras, work in an empty folder, and find the sandbox in the environment."""
    for name in {*EXTRAS, *(name for name in sys.modules if name.partition(".")[0] in EXTRAS)}:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "tokenkit.spark", raising=False)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "databrickscfg"))
    monkeypatch.setenv("DATABRICKS_HOST", company.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", company.token)
    monkeypatch.setenv("TOKENKIT_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def shell(*arguments):
    """Return the exit code of a command, what it printed, and what it complained of."""
    printed, complaint = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complaint):
        code = cli.main([*arguments])
    return code, printed.getvalue(), complaint.getvalue()


def notebook(cell):
    """Return what a cell with the magic printed, errors included."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as kept:
        kept.setitem(sys.modules, "__main__", sys.modules["__main__"])  # which IPython replaces
        ipython = InteractiveShell(config=Config(HistoryManager={"enabled": False}))
        ipython.run_line_magic("load_ext", "tokenkit")
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            ipython.run_cell(cell)
    return printed.getvalue()


@pytest.mark.parametrize(
    ("line", "package"),
    [("list --to tokens.xlsx", "openpyxl"), ("report --to report.xlsx", "openpyxl"), ("lab", "jupyterlab")],
)
def test_in_the_shell_one_line_names_the_package(line, package):
    code, printed, complaint = shell(*line.split())
    assert (code, printed) == (2, "")
    assert complaint.endswith(f"Install it with: pip install {package}\n")
    assert len(complaint.splitlines()) == 1


@pytest.mark.parametrize(
    ("statement", "package"),
    [
        ("import tokenkit.spark", "'pyspark>=4.0'"),
        ("from tokenkit import charts; charts.age(tokenkit.connect().tokens())", "matplotlib"),
        ("tokenkit.connect().audit().report('report.xlsx')", "openpyxl"),
    ],
)
def test_in_python_the_error_names_the_package(statement, package):
    with pytest.raises(tokenkit.ConfigurationError, match=rf"pip install {package}$"):
        exec(statement, {"tokenkit": tokenkit})  # noqa: S102 - our own


def test_in_a_notebook_one_line_names_the_package():
    said = notebook("%tokens list --to tokens.xlsx")
    assert "pip install openpyxl" in said.splitlines()[-1]
    assert "Traceback" not in said


def test_the_explorer_is_plain_and_names_the_extra():
    screen = tokenkit.connect().explore()
    lines = [part.value for part in parts(screen.widget) if isinstance(part, widgets.Label)]
    assert any(line.endswith("which is not installed. Install it with: pip install anywidget") for line in lines)
    assert any(isinstance(part, widgets.SelectMultiple) for part in parts(screen.widget))


def test_the_permission_review_needs_no_extra():
    screen = tokenkit.connect().review_access()
    assert any(isinstance(part, widgets.Dropdown) for part in parts(screen.widget))


def parts(widget):
    """Return a widget and everything in it."""
    return [widget, *(part for child in getattr(widget, "children", ()) for part in parts(child))]


def test_a_report_is_a_whole_page_and_says_what_draws_its_charts():
    code, printed, _ = shell("report", "--to", "report.html")
    page = Path("report.html").read_text(encoding="utf-8")
    assert (code, printed) == (0, "report.html\n")
    assert "Charts are not available" in page
    assert "pip install matplotlib" in page
    assert page.rstrip().endswith("</html>")


def test_listing_auditing_and_revoking_need_no_extra():
    code, printed, _ = shell("list", "--output", "json")
    listed = pd.DataFrame(json.loads(printed))
    assert (code, len(listed)) == (0, len(tokenkit.connect().tokens()))
    assert shell("list", "--to", "tokens.csv")[0] == 0
    assert len(pd.read_csv("tokens.csv")) == len(listed)
    assert shell("audit", "--fail-on", "high")[0] == 1
    assert shell("snapshot")[0] == 0
    token_id = listed.loc[listed["owner_kind"] == "user", "token_id"].iloc[-1]
    assert shell("revoke", token_id, "--yes")[0] == 0
    assert token_id not in set(tokenkit.connect().tokens()["token_id"])
    assert "revoked" in shell("journal", "--tokens", "--output", "csv")[1]


def test_the_command_says_what_it_can_do():
    said = subprocess.run([sys.executable, "-m", "tokenkit", "--help"], capture_output=True, text=True, check=True)
    assert "revoke" in said.stdout
