"""Without any extra: what still works, and the one line that names the extra where one is needed.

``.ci/run`` runs this module in an environment that has the wheel alone; elsewhere the extras' packages are hidden. So
it leans on nothing of its neighbours.
"""

import contextlib
import io
import json
import subprocess
import sys
import threading
from pathlib import Path

import ipywidgets as widgets
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import tokenkit
from tokenkit import cli
from tokenkit.sandbox import Sandbox

EXTRAS = ["anywidget", "itables", "jupyterlab", "matplotlib", "openpyxl", "pyspark"]


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
    ("line", "extra"),
    [("list --to tokens.xlsx", "excel"), ("report --to report.xlsx", "excel"), ("lab", "lab")],
)
def test_in_the_shell_one_line_names_the_extra(line, extra):
    code, printed, complaint = shell(*line.split())
    assert (code, printed) == (2, "")
    assert complaint.endswith(f"Install it with: pip install 'tokenkit[{extra}]'\n")
    assert len(complaint.splitlines()) == 1


@pytest.mark.parametrize(
    ("statement", "extra"),
    [
        ("import tokenkit.spark", "spark"),
        ("from tokenkit import charts; charts.age(tokenkit.connect().tokens())", "charts"),
        ("tokenkit.connect().audit().report('report.xlsx')", "excel"),
    ],
)
def test_in_python_the_error_names_the_extra(statement, extra):
    with pytest.raises(tokenkit.ConfigurationError, match=rf"pip install 'tokenkit\[{extra}\]'"):
        exec(statement, {"tokenkit": tokenkit})  # noqa: S102 - our own


def test_in_a_notebook_one_line_names_the_extra():
    said = notebook("%tokens list --to tokens.xlsx")
    assert "pip install 'tokenkit[excel]'" in said.splitlines()[-1]
    assert "Traceback" not in said


@pytest.mark.parametrize("open_screen", ["explore", "review_access"])
def test_a_screen_shows_lists_and_names_the_extra_for_tables(open_screen):
    screen = getattr(tokenkit.connect(), open_screen)()
    words = [each.value for each in parts(screen.widget) if isinstance(each, widgets.Label)]
    assert "Tables need itables, which is not installed here. Install it with: pip install 'tokenkit[widgets]'" in words
    assert any(isinstance(each, widgets.SelectMultiple) for each in parts(screen.widget)) == (open_screen == "explore")


def test_the_charts_of_the_explorer_name_the_extra():
    explorer = tokenkit.connect().explore()
    (button,) = [each for each in parts(explorer.widget) if getattr(each, "description", "") == "Charts"]
    button.value = True
    for job in [each for each in threading.enumerate() if each.name == "tokenkit-widget"]:
        job.join(timeout=60)
    words = [each.value for each in parts(explorer.widget) if isinstance(each, widgets.Label)]
    assert any("pip install 'tokenkit[charts]'" in each for each in words)
    assert button.value is False


def parts(widget):
    """Return a widget and everything in it."""
    return [widget, *(part for child in getattr(widget, "children", ()) for part in parts(child))]


def test_a_report_is_a_whole_page_and_says_what_draws_its_charts():
    code, printed, _ = shell("report", "--to", "report.html")
    page = Path("report.html").read_text(encoding="utf-8")
    assert (code, printed) == (0, "report.html\n")
    assert "There are no charts here" in page
    assert "tokenkit[charts]" in page
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
    assert "revoked" in shell("journal", "--output", "csv")[1]


def test_the_command_says_what_it_can_do():
    said = subprocess.run([sys.executable, "-m", "tokenkit", "--help"], capture_output=True, text=True, check=True)
    assert "revoke" in said.stdout
