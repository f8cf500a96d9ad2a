"""Other front ends, and other versions of them: packages laid over the environment that the tests run in.

Each is made once, in a folder of the user's cache, and comes first on a server's path. So two versions of ipywidgets,
of which an environment can have only one, are tested with the same tokenkit.
"""

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from platformdirs import user_cache_path

from tests.parts import missing

# Without what they need, where that is in our environment already.
REQUIREMENTS = {
    "notebook": ["--no-deps", "notebook==7.*"],
    "ipywidgets 7.8": ["--no-deps", "ipywidgets==7.8.*", "jupyterlab-widgets==1.*", "ipython-genutils"],
    "voila": ["--no-deps", "voila>=0.5.13", "websockets>=15"],
    "marimo": ["marimo>=0.25", "ipywidgets>=8.1"],  # ipywidgets 8.0.0 rejects marimo's own comm
}


def overlay(name):
    """Return the folder of an overlay, which is installed first if it is not there."""
    requirements = REQUIREMENTS[name]
    made_for = repr((requirements, sys.version_info[:2], version("jupyterlab")))
    title = name.replace(" ", "-")
    folder = user_cache_path("tokenkit") / "front-ends" / f"{title}-{sha256(made_for.encode()).hexdigest()[:12]}"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        uv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--python", sys.executable]
        done = subprocess.run([*uv, "--target", folder, *requirements], check=False, capture_output=True, text=True)
        if done.returncode:
            missing(f"{name} cannot be installed: {done.stderr.strip()}")
        (folder / "complete").touch()
    return folder


def environment(*folders):
    """Return the environment of a program that finds these folders and tokenkit, in this order."""
    here = [*map(str, folders), str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    data = [str(folder / "share" / "jupyter") for folder in folders]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(here),
        "JUPYTER_PATH": os.pathsep.join(data),
        "JUPYTER_CONFIG_PATH": os.pathsep.join(str(folder / "etc" / "jupyter") for folder in folders),
    }
