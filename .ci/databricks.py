"""Install tokenkit beside the packages that Databricks preinstalls, as the docs say, and test it there.

    python .ci/databricks.py wheel 17.3            what the installation changes, and all suites of a notebook
    python .ci/databricks.py --quick wheel 15.4    what the installation changes, and screens, wire and sign-in

The environments are the lists in ``tests/databricks``. Of each list, the packages are installed that tokenkit or a
notebook depends on, directly or not, because an installation cannot change others. Where Databricks' Python is missing,
the nearest one is used.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
LISTS = ROOT / "tests" / "databricks"
UV = [sys.executable, "-m", "uv"]


@dataclass(frozen=True)
class Environment:
    """The Python of an environment, and the preinstalled packages that an installation may replace."""

    python: str
    replaced: frozenset[str] = frozenset()


ENVIRONMENTS = {
    "15.4": Environment("3.11", frozenset({"pandas", "tzdata"})),  # pandas 2 needs newer time zones
    "16.4": Environment("3.11", frozenset({"pandas"})),  # 3.12 there, for which pandas 1.5.3 has no wheel
    "17.3": Environment("3.12"),
    "serverless-2": Environment("3.11", frozenset({"pandas", "tzdata"})),
    "serverless-3": Environment("3.11", frozenset({"pandas"})),  # the same
    "serverless-4": Environment("3.12"),
    "serverless-5": Environment("3.12"),
}
QUICK = ["tests/widgets", "tests/rest", "tests/workspaces/test_connect.py", "tests/workspaces/test_notebook.py"]
WHOLE = [*QUICK, "tests/test_magic.py", "tests/test_kernel.py", "tests/actions", "notebooks"]
WITHOUT_SPARK = ["--ignore", "notebooks/09_spark.ipynb"]
NOTEBOOK = ["ipykernel", "jupyter-client", "nbformat"]
TESTING = [
    "anywidget",
    "duckdb",
    "hypothesis",
    "mfusepy",
    "nbval",
    "openpyxl",
    "pytest>=8.2",
    "pytest-timeout",
    "pytest-xdist",
    "sqlglot",
]
# Warnings of packages of that age.
AGED = ["DeprecationWarning", "PendingDeprecationWarning", "FutureWarning", "ResourceWarning", "UserWarning"]


def main() -> int:
    """Check the environments that the command names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="run only the tests of screens, wire and sign-in")
    parser.add_argument("wheel", type=Path)
    parser.add_argument(
        "environments", nargs="+", choices=ENVIRONMENTS, metavar="environment", help=", ".join(ENVIRONMENTS)
    )
    options = parser.parse_args()
    for name in options.environments:
        with tempfile.TemporaryDirectory() as folder:
            check(name, options.wheel.absolute(), Path(folder), quick=options.quick)
    return 0


def check(name: str, wheel: Path, folder: Path, *, quick: bool) -> None:
    """Create an environment, install the wheel, compare what is installed, and run the tests."""
    environment, listed = ENVIRONMENTS[name], LISTS / f"{name}.txt"
    python = folder / "venv" / "bin" / "python"
    run([*UV, "venv", "--quiet", "--seed", "--python", find_python(environment.python), folder / "venv"])
    install_preinstalled(python, listed, wheel, environment.replaced)
    before = installed(python)
    line = line_of_the_docs(wheel)
    print(f"-- {name}: pip install {' '.join(line)}", flush=True)
    run([python, "-m", "pip", "install", "--quiet", *line])
    after = installed(python)
    replaced = {package for package in before if after.get(package) != before[package]}
    added = sorted(f"{package}=={after[package]}" for package in after.keys() - before.keys())
    print(f"-- {name}: replaced {sorted(replaced) or 'nothing'}; added {', '.join(added)}", flush=True)
    if replaced != environment.replaced:
        raise SystemExit(f"{name}: {sorted(replaced)} were replaced, not {sorted(environment.replaced)}")
    (folder / "installed.txt").write_text(
        "".join(f"{package}=={after[package]}\n" for package in after if package != "tokenkit-databricks")
    )
    run([*UV, "pip", "install", "--quiet", "--python", python, "--constraint", folder / "installed.txt", *TESTING])
    run_tests(python, folder / "elsewhere", QUICK if quick else WHOLE)


def find_python(version: str) -> str:
    """Return the interpreter of a version, or of the nearest that this machine has."""
    minor = int(version.partition(".")[2])
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    path = os.pathsep.join([*map(str, pyenv.glob("versions/3.1[1-9]*/bin")), os.environ["PATH"]])
    for candidate in sorted(range(11, 15), key=lambda other: abs(other - minor)):
        found = subprocess.run(
            [*UV, "python", "find", "--no-python-downloads", f"3.{candidate}"],
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        if found.returncode == 0:
            print(f"-- Python 3.{candidate}{'' if candidate == minor else f' for {version}'}", flush=True)
            return found.stdout.strip()
    return sys.executable


def install_preinstalled(python: Path, listed: Path, wheel: Path, replaced: frozenset[str]) -> None:
    """Install the packages of a list that tokenkit or its tests depend on, in the versions of the list."""
    versions = dict(line.split("==") for line in listed.read_text().split())
    fixed = python.parent / "fixed.txt"
    fixed.write_text("".join(f"{name}=={version}\n" for name, version in versions.items() if name not in replaced))
    wanted = [f"tokenkit-databricks[charts] @ {wheel.as_uri()}", *line_of_the_docs(wheel)[1:], *NOTEBOOK]
    resolved = output(
        [*UV, "pip", "compile", "--python", python, "--constraint", fixed, "--no-annotate", "--no-header", "-"],
        "\n".join(wanted),
    )
    names = {re.split(r"[\[=@ ]", line)[0] for line in resolved.splitlines()} & versions.keys()
    left_out = sorted(versions.keys() - names)
    print(f"-- {listed.stem}: {len(names)} preinstalled packages; left out: {', '.join(left_out)}", flush=True)
    run(
        [
            *UV,
            "pip",
            "install",
            "--quiet",
            "--python",
            python,
            "--no-deps",
            *(f"{name}=={versions[name]}" for name in sorted(names)),
        ]
    )


def installed(python: Path) -> dict[str, str]:
    """Return the installed packages and their versions."""
    frozen = output([*UV, "pip", "freeze", "--python", python])
    return dict(re.split("==| @ ", line) for line in frozen.splitlines())


def line_of_the_docs(wheel: Path) -> list[str]:
    """Return the arguments of ``%pip install`` in the docs, with the wheel instead of its path in Databricks."""
    lines = set()
    for page in ["README.md", "docs/installing.md"]:
        text = (ROOT / page).read_text("utf-8")
        lines |= set(re.findall(r"<!-- databricks -->\n```text\n%pip install (.+)\n```", text))
    (line,) = lines
    path, *others = shlex.split(line)
    assert Path(path).name == wheel.name, f"{path} of the docs is not {wheel.name}"
    return [str(wheel), *others]


def run_tests(python: Path, elsewhere: Path, suites: list[str]) -> None:
    """Run suites where the repository's package cannot be imported, only the installed one."""
    for name in ["tests", "notebooks", "docs"]:
        shutil.copytree(ROOT / name, elsewhere / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ["pyproject.toml", "README.md", "CONTRIBUTING.md"]:
        shutil.copy(ROOT / file, elsewhere)
    ignored = [argument for category in AGED for argument in ("-W", f"default::{category}")]
    command = [
        python,
        "-m",
        "pytest",
        "-q",
        "-n",
        "3",  # on two cores, because many tests wait
        "--dist",
        "loadfile",
        "--disable-warnings",
        *ignored,
        *WITHOUT_SPARK,
        *suites,
    ]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    run(command, cwd=elsewhere, env=environment)


def output(command: list[object], text: str | None = None) -> str:
    """Return what a program prints; its messages are shown only if it fails."""
    done = subprocess.run([str(part) for part in command], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def run(command: list[object], **settings: object) -> None:
    """Run a program, and end with its exit code if it fails."""
    done = subprocess.run([str(part) for part in command], check=False, **settings)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed: {done.returncode}")


if __name__ == "__main__":
    sys.exit(main())
