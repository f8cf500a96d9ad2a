"""What the pages say is so: every command and snippet runs, every public name is in the reference, the floors are those
that import-linter holds.

A page is run from its top to its end, as somebody would who pastes it: Python in one namespace, lines of the magic in
one notebook, commands in a shell of their own. ``prod`` and ``dev`` are profiles, of a sandbox.
"""

import importlib.util
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

import tokenkit
from tests.parts import missing
from tokenkit import sandbox as sandbox_package
from tokenkit.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
GENERATED = {"verbs.md", "audit-rules.md", "refusals.md"}  # from tables of which every row has tests of its own
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += [path for path in [ROOT / "SECURITY.md"] if path.exists()]
PAGES = [page for page in PAGES if page.name not in GENERATED]

# What the suite cannot run, by how it begins, and what runs it instead.
ELSEWHERE = {
    "python3 -m venv": "it installs: .ci/run runs the README's test line, tests/test_lab.py what the other starts",
    "eval": "completion in the reader's own shell: tests/test_cli.py",
    "tokenkit lab": "a program that stays: tests/test_lab.py",
}
RUNS_ELSEWHERE = tuple(ELSEWHERE)

# What a page's snippets revoke in prod, by the reason that they give: a recipe that finds nothing shows nothing.
REVOKED = {
    "README.md": {"left the company", "in a repository", "incident 4711"},
    "changes.md": {"spring cleaning"},
}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the line after its fence, and its text."""

    language: str
    line: int
    text: str


def blocks(page):
    text = page.read_text(encoding="utf-8")
    return [
        Block(found["language"], text.count("\n", 0, found.start("text")) + 1, found["text"])
        for found in re.finditer(r"^```(?P<language>\S*)[^\n]*\n(?P<text>.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]


def commands(block):
    """Return the commands of a shell's block; one that ends in a backslash goes on in the next line."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


@pytest.fixture
def desk(monkeypatch, tmp_path):
    """Where an admin sits: profiles, the files that pages speak of, and ``tokenkit`` in the path of the shell."""
    with Sandbox(tokens=200, workspaces=2) as company:
        prod, dev = company.workspaces
        (tmp_path / "databrickscfg").write_text(
            "".join(
                f"[{name}]\nhost = {each.host}\ntoken = {each.token}\n"
                for name, each in [("DEFAULT", prod), ("prod", prod), ("dev", dev)]
            )
        )
        leaked = tokenkit.connect("prod").token_management.create_obo_token(company.client_id).token_value
        (tmp_path / "gitleaks.json").write_text(
            f'[{{"RuleID": "databricks", "Secret": "{leaked}", "File": "x.sh", "Commit": ""}}]'
        )
        (tmp_path / "accepted.toml").write_text(
            '[[accept]]\nrule = "no-comment"\nowner = "*"\nreason = "later"\nuntil = 9999-12-31\n'
        )
        command = tmp_path / "bin" / "tokenkit"
        command.parent.mkdir()
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tokenkit "$@"\n')
        command.chmod(0o755)
        monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        monkeypatch.chdir(tmp_path)
        yield company
        assert list(company.errors) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_everything_on_the_page_runs(page, desk, ipython):  # noqa: ARG001 - the files and profiles have to be there
    namespace = {"tokenkit": tokenkit, "ws": tokenkit.connect("prod")}
    if any("spark" in block.text for block in blocks(page) if block.language == "python"):
        run_in_spark(page)
        return
    for block in blocks(page):
        if block.language == "python":
            run_python(block, page, namespace)
        elif block.language == "sh":
            for command in commands(block):
                run_command(command)
        elif block.language == "text" and "%" in block.text:
            result = ipython.run_cell(block.text)
            assert result.success, f"{page.name}:{block.line}"
    journal = tokenkit.connect("prod").journal()
    assert set(journal["outcome"]) <= {"revoked", "updated", "planned"}
    assert set(journal.loc[journal["outcome"] == "revoked", "reason"].dropna()) == REVOKED.get(page.name, set())


def run_python(block, page, namespace):
    # So many empty lines before it that a traceback names the line of the page.
    exec(compile("\n" * (block.line - 1) + block.text, page, "exec"), namespace)  # noqa: S102 - our own pages


def run_command(command):
    if command.startswith(RUNS_ELSEWHERE):
        return
    if command.startswith("tokenkit sandbox"):
        serve(command)
        return
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (1 if "--fail-on" in command else 0), f"{command}\n{done.stderr}"
    assert "Traceback" not in done.stderr


def serve(command):
    """Run a sandbox until it says where it is."""
    with subprocess.Popen(shlex.split(command), stdout=subprocess.PIPE, text=True) as served:
        try:
            assert "http://127.0.0.1" in served.stdout.readline()
        finally:
            served.send_signal(signal.SIGINT)


def run_in_spark(page):
    """Run a page's Python in an interpreter of its own, as a process has one Spark session."""
    if shutil.which("java") is None:
        missing("Spark needs Java 17 (Debian: apt-get install openjdk-17-jre-headless)")
    if importlib.util.find_spec("pyspark") is None:
        missing("PySpark is not installed (pip install 'tokenkit[spark]')")
    # A JVM that lives for seconds need not learn to be fast.
    settings = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
    settings["PYSPARK_PYTHON"] = sys.executable  # Spark would take whatever python3 is on the path
    session = "from pyspark.sql import SparkSession\nimport tokenkit\nws = tokenkit.connect('prod')\n"
    session += "spark = SparkSession.builder.master('local[1]').config('spark.ui.enabled', 'false').getOrCreate()\n"
    script = session + "\n".join(block.text for block in blocks(page) if block.language == "python")
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_block_has_a_language_that_is_run_or_is_no_code():
    for page in PAGES:
        for block in blocks(page):
            assert block.language in {"python", "sh", "text", "toml", "{toctree}"}, f"{page.name}:{block.line}"


def test_what_is_run_elsewhere_is_there():
    said = [line for page in PAGES for block in blocks(page) if block.language == "sh" for line in commands(block)]
    assert [each for each in ELSEWHERE if not any(line.startswith(each) for line in said)] == []


def test_every_public_name_stands_in_the_reference():
    pages = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "reference").glob("*.rst")))
    names = {f"tokenkit.{name}" for name in tokenkit.__all__ if not name.endswith("Error")}
    names |= {f"tokenkit.sandbox.{name}" for name in sandbox_package.__all__}
    assert {name for name in names if not re.search(rf":: {re.escape(name)}$", pages, re.MULTILINE)} == set()
    errors = re.findall(r"\w+Error\b", pages.partition(".. automodule:: tokenkit.errors")[2])
    assert {name for name in tokenkit.__all__ if name.endswith("Error")} - set(errors) == set()


def test_the_floors_of_contributing_are_those_that_import_linter_holds():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(each["layers"] for each in contracts if each["type"] == "layers")
    floor_of = {name: floor for floor, layer in enumerate(layers) for name in re.findall(r"tokenkit\.(\w+)", layer)}
    drawn = re.search(
        r"^    front ends.*?(?=^    beside)", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE | re.DOTALL
    )
    named = re.findall(r"\b(\w+)(?:\.py|/)(?=[\s,;:]|$)", drawn[0], re.MULTILINE)
    assert set(named) == set(floor_of)
    assert [floor_of[name] for name in named] == sorted(floor_of.values())


def test_every_module_stands_on_a_floor_or_beside():
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    modules = {
        path.stem for path in (ROOT / "tokenkit").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert {
        name for name in modules - {"__init__", "__main__"} if not re.search(rf"\b{name}(\.py|/)", contributing)
    } == set()
