"""What ``import tokenkit`` loads, and what it must not."""

import subprocess
import sys

import pytest

import tokenkit

HEAVY = [
    "databricks.sdk",
    "jupyterlab",
    "matplotlib",
    "openpyxl",
    "pyspark",
    "IPython",
    "ipywidgets",
    "itables",
    "rich",
    "tqdm",
    "argcomplete",
    "pyarrow.parquet",
    "pyarrow.dataset",
    "platformdirs",
    "tomllib",
    "html",
    "tokenkit.report",
    "tokenkit.charts",
]
"""What not everybody who connects needs. The small ones add up: without them the import is where ``benchmarks.listing``
wants it."""


def loaded_by(statement):
    program = f"{statement}; import sys; print(*sys.modules)"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()


@pytest.fixture(scope="module")
def modules():
    return loaded_by("import tokenkit")


@pytest.mark.parametrize("name", HEAVY)
def test_import_tokenkit_does_not_import(modules, name):
    assert name not in modules


def test_the_shell_command_does_not_load_the_doors_it_is_not():
    assert not {"IPython", "databricks.sdk", "jupyterlab"} & set(loaded_by("import tokenkit.cli"))


def test_every_public_name_is_there():
    assert [name for name in tokenkit.__all__ if getattr(tokenkit, name, None) is None] == []
