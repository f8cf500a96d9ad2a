"""Python environments of other clients, at pinned versions: their requirements do not fit ours.

Each is made once, in a folder of the user's cache.
"""

import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from platformdirs import user_cache_path

# cartography without what its other modules need, which is ten times as much.
REQUIREMENTS = {
    "cartography": (
        ["--no-deps", "cartography==0.143.0"],
        ["backoff==2.2.1", "boto3==1.40.0", "neo4j==6.0.2", "policyuniverse==1.5.1.20231109", "pydantic==2.12.0",
         "python-dateutil==2.9.0.post0", "requests==2.32.5", "statsd==4.0.1", "httpx==0.28.1", "marshmallow==4.0.0",
         "packaging==25.0"],
    ),
    "labs": (
        ["databricks-labs-pytester==0.7.4", "databricks-labs-ucx==0.60.1", "databricks-sdk==0.58.0", "pytest==8.4.2"],
    ),
    "sdk-oldest": (["databricks-sdk==0.20.0"],),
    "sdk-newest": (["databricks-sdk==0.162.0"],),
}  # fmt: skip


def python(name):
    """Return the interpreter of an environment, which is made first if it is not there."""
    steps = REQUIREMENTS[name]
    version = sha256(repr((steps, sys.version_info[:2])).encode()).hexdigest()[:12]
    folder = user_cache_path("tokenkit") / "clients" / f"{name}-{version}"
    interpreter = folder / "bin" / "python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        uv = [str(Path(sys.executable).with_name("uv"))]
        subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
        for step in steps:
            command = [*uv, "pip", "install", "--quiet", "--python", str(interpreter), *step]
            subprocess.run(command, check=True)
        (folder / "complete").touch()
    return interpreter


def run(name, program, *arguments, environment):
    """Run a program of ``programs/`` in an environment, and return what it printed."""
    path = Path(__file__).with_name("programs") / program
    command = [python(name), "-W", "ignore", *arguments, str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=600)
    if done.returncode:
        pytest.fail(done.stdout + done.stderr)
    return done.stdout
