"""Measure the start of the command line, and a whole listing, compared with the imports that they need or avoid."""

from __future__ import annotations

import argparse
import compileall
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import tokenkit
from benchmarks.goals import note
from tokenkit.sandbox import Sandbox

START_GOAL = 0.4
LIST_GOAL = 1.3
_RUN = (sys.executable, "-m", "tokenkit")
_COMPLETING = {"_TOKENKIT_COMPLETE": "zsh_complete", "COMP_CWORD": "2"}
STARTS: dict[str, tuple[Sequence[str], Mapping[str, str]]] = {
    "--help": (["--help"], {}),
    "--version": (["--version"], {}),
    "a usage error": (["lst"], {}),
    "TAB": ([], {**_COMPLETING, "COMP_WORDS": "tokenkit list --ow"}),
}


def ratio(
    argv: Sequence[str], baseline: str, *, pairs: int, environment: Mapping[str, str] | None = None
) -> tuple[float, float]:
    """Return the median ratio of a command's time to that of a statement, and the median seconds of the command."""
    ratios, seconds = [], []
    for _ in range(pairs):
        taken = []
        for command, variables in (([*_RUN, *argv], environment or {}), ([sys.executable, "-c", baseline], {})):
            start = time.perf_counter()
            subprocess.run(command, env=os.environ | variables, capture_output=True, check=False)
            taken.append(time.perf_counter() - start)
        ratios.append(taken[0] / taken[1])
        seconds.append(taken[0])
    return statistics.median(ratios), statistics.median(seconds)


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer pairs")
    # As pip installs it. Where the environment forbids Python to write bytecode, a checkout has none.
    compileall.compile_dir(Path(tokenkit.__file__).parent, quiet=1)
    pairs = 7 if parser.parse_args().quick else 21
    for name, (argv, environment) in STARTS.items():
        found, seconds = ratio(argv, "import pandas", pairs=pairs, environment=environment)
        note(f"tokenkit {name}, compared with import pandas", found, most=START_GOAL)
        print(f"tokenkit {name:14} {seconds * 1e3:5.0f} ms, {found:.2f}x of importing pandas")
    with Sandbox(tokens=1_000) as sandbox:
        workspace = {"DATABRICKS_HOST": sandbox.host, "DATABRICKS_TOKEN": sandbox.token}
        found, seconds = ratio(["list"], "import requests, pandas", pairs=pairs, environment=workspace)
    note("tokenkit list of 1,000 tokens, compared with the imports", found, most=LIST_GOAL)
    print(f"tokenkit list of 1,000 tokens {seconds * 1e3:5.0f} ms, {found:.2f}x of importing requests and pandas")


if __name__ == "__main__":
    main()
