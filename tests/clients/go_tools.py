"""The official tools that are written in Go, and a program of ours with the official SDK for Go.

They are built from the module proxy into a folder of the user's cache:

    python3 tests/clients/go_tools.py databricks go_sdk     # a few minutes, once

The versions are pinned. Each is one that the module proxy serves with everything that it needs.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

_PROGRAMS = Path(__file__).parent / "programs"


@dataclass(frozen=True)
class Tool:
    """A package of a module at a version."""

    module: str
    version: str
    package: str = "."

    @property
    def folder(self):
        """Where it is built."""
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cache / "tokenkit" / "clients" / f"{self.module.rpartition('/')[2]}-{self.version}"

    def source(self, environment):
        """Download the module, and return its folder."""
        download = ["go", "mod", "download", "-json", f"{self.module}@{self.version}"]
        module = json.loads(subprocess.run(download, check=True, capture_output=True, env=environment).stdout)
        return module["Dir"]


class Program(Tool):
    """A program of ours in ``programs/``, whose go.mod pins the SDK; its version is what it says."""

    @classmethod
    def named(cls, name):
        """Return the program in a folder of ``programs/``."""
        files = sorted((_PROGRAMS / name).iterdir())
        return cls(name, sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12])

    def source(self, environment):  # noqa: ARG002 - as of any tool
        """Return its folder."""
        return _PROGRAMS / self.module


TOOLS = {
    "databricks": Tool("github.com/databricks/cli", "v1.12.1"),
    "terraform-provider-databricks": Tool("github.com/databricks/terraform-provider-databricks", "v1.126.0"),
    "go_sdk": Program.named("go_sdk"),
    "tofu": Tool("github.com/opentofu/opentofu", "v1.12.6", "./cmd/tofu"),
}


def find(name):
    """Return the path of a tool, or None if it was not built."""
    path = TOOLS[name].folder / name
    return path if path.exists() else None


def build(name):
    """Build a tool if it was not, and return its path.

    In its own module, because the `replace` lines of OpenTofu forbid `go install`.
    """
    tool, found = TOOLS[name], find(name)
    if found:
        return found
    environment = os.environ | {"GOWORK": "off", "GOFLAGS": "-mod=mod -buildvcs=false"}
    source = tool.source(environment)
    environment["GOFLAGS"] = "-mod=readonly -buildvcs=false -trimpath"
    tool.folder.mkdir(parents=True, exist_ok=True)
    partial = tool.folder / f"{name}.{os.getpid()}"
    command = ["go", "build", "-o", str(partial), tool.package]
    subprocess.run(command, check=True, cwd=source, env=environment)
    return partial.replace(tool.folder / name)


if __name__ == "__main__":
    if shutil.which("go") is None:
        sys.exit("There is no Go on this machine")
    for given in sys.argv[1:]:
        print(build(given))  # noqa: T201
