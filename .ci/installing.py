"""Run the installation commands of docs/installing.md in a fresh environment and a fresh checkout.

    python .ci/installing.py

``python3`` is the environment's Python, the repository's address is that of the checkout, and a mirror is left out.
tokenkit is uninstalled after each section, so that the next one installs it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
GIT = "https://git.example.com/platform/tokenkit.git@main"
MIRROR = "--index-url https://mirror.example.com/simple "
# -P: the checkout is not the installation
IS_INSTALLED = "python3 -P -m tokenkit --version 2> /dev/null || .venv/bin/python -P -m tokenkit --version"
UNINSTALL = "rm -rf .venv && python3 -m pip uninstall --quiet --yes tokenkit-databricks"


def main() -> int:
    """Run each section, and check after its last command that tokenkit is installed, or is gone."""
    text = (ROOT / "docs" / "installing.md").read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        checkout, venv = Path(folder, "tokenkit"), Path(folder, "venv")
        git = f"git clone --quiet --no-hardlinks '{ROOT}' '{checkout}'"
        run(f"{git} && '{sys.executable}' -m venv '{venv}'", Path(folder), os.environ["PATH"])
        path = f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}"
        for title, section in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL):
            if commands := "".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL)):
                print(f"-- {title}\n{commands}", flush=True)
                if title == "Uninstall":
                    run("python3 -m pip install --quiet dist/*.whl", checkout, path)
                run(commands.replace(GIT, checkout.as_uri()).replace(MIRROR, ""), checkout, path)
                check = f"! ( {IS_INSTALLED} )" if title == "Uninstall" else IS_INSTALLED
                run(f"{check}\n{UNINSTALL}", checkout, path)
    return 0


def run(commands: str, folder: Path, path: str) -> None:
    """Run commands in a folder, and end if one fails."""
    environment = os.environ | {"PATH": path}
    done = subprocess.run(["/bin/bash", "-euc", commands], cwd=folder, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{commands}\nfailed: {done.returncode}")


if __name__ == "__main__":
    sys.exit(main())
