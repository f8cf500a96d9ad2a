"""The pages are correct: every command and snippet runs, every public name is in the reference, and the layers are as
import-linter checks them.

A page runs from its top to its end, as a reader would paste it: Python in one namespace, lines of the magic in one
notebook, each command by itself. ``prod`` and ``dev`` are profiles of a sandbox. The time is fixed, so that the
output below a command is the same in each run; see ``tests/pages.py``.
"""

import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import tokenkit
from tests import pages
from tests.conftest import NOW
from tests.parts import missing
from tokenkit import sandbox as sandbox_package
from tokenkit.commands.options import SHELL
from tokenkit.commands.table import COMMANDS
from tokenkit.core import clock
from tokenkit.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
GENERATED = {"commands.md", "columns.md", "audit-rules.md", "refusals.md"}  # from tables; each row has its own tests
REWRITES = "TOKENKIT_REWRITE" in os.environ
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("**/*.md"))]
PAGES += [path for path in [ROOT / "SECURITY.md"] if path.exists()]
PAGES = [page for page in PAGES if page.name not in GENERATED]

# Commands that the suite cannot run, by how they begin, and what runs them instead.
EXTERNALLY = {
    "python3 -m venv": "it installs: .ci/run runs the test line, tests/commands/test_lab.py what the other line starts",
    "python3 -m pip": "it installs: .ci/installing.py",
    ".venv/bin/": "of an installation: .ci/installing.py",
    "tokenkit lab": "a program that does not end: tests/commands/test_lab.py",
}
RUNS_ELSEWHERE = tuple(EXTERNALLY)
INSTALLS = "%pip install"  # .ci/databricks.py

# What the snippets of a page revoke in prod, by their reason: a recipe that finds no token shows nothing.
REVOKED = {
    "README.md": {"left the company", "in a repository", "incident 4711"},
    "changes.md": {"spring cleaning"},
    "leaver.md": {"left the company"},
    "leak.md": {"in a repository"},
    "fleet.md": {"incident 4711"},
    "automation.md": {"unused for 80 days"},
}


LANGUAGES = {"python", "sh", "text", "toml", "yaml", "output", "picture", "{toctree}"}

# The command line, at the time of the sandbox.
AT_THAT_TIME = f"""
import sys
import pandas as pd
from tokenkit import cli
from tokenkit.core import clock
clock.system_time = lambda: pd.Timestamp("{NOW}")
sys.exit(cli.main())
"""


@dataclass(frozen=True)
class Block:
    """A fenced block, or a picture of a terminal: its language, the line after its fence, its text, or its file."""

    language: str
    line: int
    text: str


_BLOCKS = re.compile(
    r"^```(?P<language>\S*)[^\n]*\n(?P<text>.*?)^```$|^!\[(?P<alt>[^]]*)\]\((?P<picture>[^)]*\.svg)\)$",
    re.MULTILINE | re.DOTALL,
)


def blocks(page):
    text = page.read_text(encoding="utf-8")
    return [
        Block("picture", text.count("\n", 0, found.start()) + 1, found["picture"])
        if found["picture"]
        else Block(found["language"], text.count("\n", 0, found.start("text")) + 1, found["text"])
        for found in _BLOCKS.finditer(text)
    ]


def commands(block):
    """Return the commands of a shell block; a backslash at the end of a line continues the command."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


@pytest.fixture
def desk(monkeypatch, tmp_path):
    """Provide profiles, the files that pages name, and ``tokenkit`` in the shell's path."""
    monkeypatch.setattr(clock, "system_time", lambda: NOW)
    with Sandbox(tokens=200, workspaces=2, clock=NOW.timestamp) as company:
        prod, dev = company.workspaces
        (tmp_path / "databrickscfg").write_text(
            "".join(
                f"[{name}]\nhost = {workspace.host}\ntoken = {workspace.token}\n"
                for name, workspace in [("DEFAULT", prod), ("prod", prod), ("dev", dev)]
            )
        )
        leaked = tokenkit.connect("prod").token_management.create_obo_token(company.client_id).token_value
        (tmp_path / "gitleaks.json").write_text(
            f'[{{"RuleID": "databricks", "Secret": "{leaked}", "File": "x.sh", "Commit": ""}}]'
        )
        (tmp_path / "alerts.json").write_text(
            json.dumps(
                [
                    {
                        "number": 41,
                        "secret_type": "databricks_access_token",
                        "secret": leaked,
                        "first_location_detected": {"path": "conf/job.py", "start_line": 12},
                    }
                ]
            )
        )
        (tmp_path / "tokens.json").write_text(json.dumps(prod.state.tokens.infos()))
        (tmp_path / "waivers.toml").write_text(
            '[[waiver]]\nrule = "no-comment"\nowner = "*"\nreason = "later"\nexpires = 9999-12-31\n'
        )
        command = tmp_path / "bin" / "tokenkit"
        command.parent.mkdir()
        command.write_text(f"#!{sys.executable}\n{AT_THAT_TIME}")
        command.chmod(0o755)
        monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        monkeypatch.chdir(tmp_path)
        yield company
        assert list(company.errors) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_everything_on_the_page_runs(page, desk, ipython):
    namespace = {"tokenkit": tokenkit, "ws": tokenkit.connect("prod")}
    if any("spark" in block.text for block in blocks(page) if block.language == "python"):
        run_in_spark(page)
        return
    hosts = {
        server.host: f"https://{name}.cloud.databricks.com"
        for name, server in zip(("prod", "dev"), desk.workspaces, strict=True)
    }
    found = blocks(page)
    for number, block in enumerate(found):
        following = found[number + 1] if number + 1 < len(found) else None
        if block.language == "python":
            run_python(block, page, namespace)
        elif block.language == "sh":
            *before, last = commands(block)
            for command in before:
                run_command(command)
            if following is not None and following.language in {"output", "picture"}:
                run_shown(last, following, page, hosts)
            else:
                run_command(last)
        elif block.language == "text" and "%" in block.text and not block.text.startswith(INSTALLS):
            result = ipython.run_cell(block.text)
            assert result.success, f"{page.name}:{block.line}"
    journal = tokenkit.connect("prod").journal()
    assert set(journal["outcome"]) <= {"revoked", "updated", "pending", "created"}
    assert set(journal.loc[journal["outcome"] == "revoked", "reason"].dropna()) == REVOKED.get(page.name, set())


def run_python(block, page, namespace):
    # Empty lines before it, so that a traceback has the line of the page.
    code = compile("\n" * (block.line - 1) + block.text, page, "exec")
    try:
        exec(code, namespace)  # noqa: S102 - pages of this repository
    except SystemExit:  # the end of a job's script
        assert "raise SystemExit" in block.text.splitlines()[-1]


def run_command(command):
    if command.startswith(RUNS_ELSEWHERE):
        return
    if command.startswith("tokenkit sandbox"):
        serve(command)
        return
    if command.startswith("tokenkit ") and not set(command) & set("|>$"):
        code, screen = pages.in_terminal(shlex.split(command)[1:], {})
        assert code == expected_code(command), f"{command}\n{screen}"
        return
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expected_code(command), f"{command}\n{done.stderr}"
    assert "Traceback" not in done.stderr


def run_shown(command, shown, page, hosts):
    """Run a command whose output is on the page, and compare it, or write it anew."""
    code, screen = pages.in_terminal(shlex.split(command)[1:], hosts)
    assert code == expected_code(command), f"{command}\n{screen}"
    file = page if shown.language == "output" else page.parent / shown.text
    is_text = shown.language == "output"
    current = pages.as_text(screen) if is_text else pages.as_picture(command, screen)
    stored = shown.text if is_text else file.read_text("utf-8") if file.exists() else ""
    if REWRITES and current != stored:
        before = f"```sh\n{command}\n```\n\n```output\n"
        whole = page.read_text("utf-8")
        file.write_text(whole.replace(f"{before}{stored}", f"{before}{current}") if is_text else current, "utf-8")
        return
    assert stored == current, f"{page.name}:{shown.line}: run TOKENKIT_REWRITE=1 pytest tests/test_documentation.py"


def expected_code(command):
    return 1 if "--fail-on" in command or "find-leaked" in command else 0


def serve(command):
    """Run a sandbox until it prints its address."""
    with subprocess.Popen(shlex.split(command), stdout=subprocess.PIPE, text=True) as served:
        try:
            assert "http://127.0.0.1" in served.stdout.readline()
        finally:
            served.send_signal(signal.SIGINT)


def run_in_spark(page):
    """Run a page's Python in a separate interpreter, because a process has one Spark session."""
    if shutil.which("java") is None:
        missing("Spark needs Java 17 (Debian: apt-get install openjdk-17-jre-headless)")
    if importlib.util.find_spec("pyspark") is None:
        missing("PySpark is not installed (pip install 'pyspark>=4.0')")
    # A JVM that runs for seconds does not need to optimize.
    settings = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
    settings["PYSPARK_PYTHON"] = sys.executable  # otherwise Spark takes the first python3 in the path
    session = "from pyspark.sql import SparkSession\nimport tokenkit\nws = tokenkit.connect('prod')\n"
    session += "spark = SparkSession.builder.master('local[1]').config('spark.ui.enabled', 'false').getOrCreate()\n"
    script = session + "\n".join(block.text for block in blocks(page) if block.language == "python")
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_block_has_a_language_that_is_run_or_is_not_code():
    for page in PAGES:
        for block in blocks(page):
            assert block.language in LANGUAGES, f"{page.name}:{block.line}"
            assert block.language != "yaml" or yaml.safe_load(block.text), f"{page.name}:{block.line}"


def test_options_of_commands_in_blocks_that_are_not_run_exist():
    """In crontabs, workflows and lines with placeholders: the command and its options exist."""
    written = [
        (page.name, found)
        for page in PAGES
        for block in blocks(page)
        if block.language in {"text", "yaml"}
        for found in re.findall(r"\btokenkit ((?:[a-z][a-z-]* )+)(.*)", block.text)
    ]
    unknown = []
    for page, (words, rest) in written:
        paths = [command for command in COMMANDS if f"{words} ".startswith(f"{command.path} ")]
        known = {name for command in paths[-1:] for param in command.params_at(SHELL) for name in param.opts}
        unknown += [(page, words, option) for option in re.findall(r"(?<!\S)--[a-z-]+", rest) if option not in known]
    assert len(written) > 5
    assert unknown == []


def test_commands_that_are_run_elsewhere_are_on_a_page():
    lines = [line for page in PAGES for block in blocks(page) if block.language == "sh" for line in commands(block)]
    assert [begin for begin in EXTERNALLY if not any(line.startswith(begin) for line in lines)] == []


def test_every_public_name_is_in_the_reference():
    pages = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "reference").glob("*.rst")))
    names = {f"tokenkit.{name}" for name in tokenkit.__all__ if not name.endswith("Error")}
    names |= {f"tokenkit.sandbox.{name}" for name in sandbox_package.__all__}
    assert {name for name in names if not re.search(rf":: {re.escape(name)}$", pages, re.MULTILINE)} == set()
    errors = re.findall(r"\w+Error\b", pages.partition(".. automodule:: tokenkit.errors")[2])
    assert {name for name in tokenkit.__all__ if name.endswith("Error")} - set(errors) == set()


def layers_of_contributing():
    """Return the modules of each row of the table in CONTRIBUTING, from the top."""
    section = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("\n## Layers\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| \d+ \| ([^|]+) \|", section, re.MULTILINE)
    return [re.findall(r"`([\w/]+?)(?:\.py|/)`", row) for row in rows]


def test_the_layers_of_contributing_are_those_that_import_linter_checks():
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    contract = next(contract for contract in tools["importlinter"]["contracts"] if "containers" not in contract)
    layers = [re.findall(r"tokenkit\.([\w.]+)", layer) for layer in contract["layers"]]
    layer_of = {name.replace(".", "/"): number for number, names in enumerate(layers) for name in names}
    rows = layers_of_contributing()
    names = [name for row in rows for name in row]
    assert sorted(names) == sorted(layer_of)
    assert [layer_of[name] for name in names] == sorted(layer_of.values())


def test_every_module_at_the_top_and_every_package_is_in_a_layer():
    top = {
        path.stem for path in (ROOT / "tokenkit").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert top - {"__init__", "__main__"} == {name.split("/")[0] for row in layers_of_contributing() for name in row}


def test_the_readme_links_to_every_page():
    pages = {page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").glob("**/*.md")} - {"docs/index.md"}
    linked = set(re.findall(r"\]\((docs/[^)#]+\.md)", (ROOT / "README.md").read_text("utf-8")))
    assert linked == pages
