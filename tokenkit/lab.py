"""``tokenkit lab``: JupyterLab on a copy of the guides, with a sandbox behind it.

It opens at the guides' index. The copy lies in the state folder, so that what somebody tries in a guide stays and the
guide itself does too. In the lab ``tokenkit.connect()`` and the official tools find the sandbox, as ``DATABRICKS_HOST``
and ``DATABRICKS_TOKEN`` name it.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from collections.abc import Callable
from pathlib import Path

from tokenkit import errors
from tokenkit.home import home, private_file, private_folder
from tokenkit.sandbox import Sandbox

_INDEX = "00_index.ipynb"
_TOKENS = 2_000
_PATIENCE_SECONDS = 120


def serve(say: Callable[[str], None], *, open_browser: bool) -> int:
    """Run JupyterLab until it is interrupted or shut down, and return the exit code."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise errors.ConfigurationError(
            "JupyterLab is not installed here. Install it with: pip install 'tokenkit[lab]'"
        )
    folder = private_folder(home())
    guides = copy_guides(private_folder(folder, "guides"))
    token, port = secrets.token_urlsafe(24), _free_port()
    with Sandbox(tokens=_TOKENS) as sandbox, private_file(folder / "lab.log").open("w") as log:
        environment = os.environ | {
            "DATABRICKS_HOST": sandbox.host,
            "DATABRICKS_TOKEN": sandbox.token,
            "TOKENKIT_HOME": str(
                folder / "lab"
            ),  # what is done to the sandbox is not for the record of real workspaces
            "JUPYTER_TOKEN": token,  # in the environment, as an argument would show in the list of processes
        }
        for name in ("DATABRICKS_CONFIG_PROFILE", "DATABRICKS_AUTH_TYPE", "DATABRICKS_WORKSPACE_ID"):
            environment.pop(name, None)  # they would lead connect() past the sandbox
        # A stop from outside ends the lab as Ctrl-C does; by default it would leave JupyterLab behind.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        lab = subprocess.Popen(_command(port, guides), env=environment, stdout=log, stderr=log)  # noqa: S603 - our own interpreter
        try:
            _wait_until_up(lab, port, Path(log.name))
            url = f"http://127.0.0.1:{port}/lab/tree/{_INDEX}?token={token}"
            sys.stdout.write(f"JupyterLab on the guides: {url}\n")
            sys.stdout.flush()
            say(f"The guides are copies in {guides}; connect() finds the sandbox at {sandbox.host}. Ctrl-C stops both.")
            if open_browser:
                webbrowser.open(url)
            return lab.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            lab.terminate()
            lab.wait()


def _command(port: int, guides: Path) -> list[str]:
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={guides}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # Jupyter refuses to run as root, which is who one is in a container
    return command


def _wait_until_up(lab: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return when the server takes connections.

    Raises:
        ConfigurationError: It ended before, or did not come up in two minutes.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while lab.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise errors.ConfigurationError(f"JupyterLab did not start. What it said is in {log}.")


def copy_guides(folder: Path) -> Path:
    """Copy the guides that are not there yet into a folder, and return it. A guide that somebody changed is kept.

    Their index is always copied, as a newer tokenkit may have more guides.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(_guides() / _INDEX, folder)
    for guide in sorted(_guides().glob("*.ipynb")):
        if not (folder / guide.name).exists():
            shutil.copy(guide, folder / guide.name)
    return folder


def _guides() -> Path:
    """Return where the guides are: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "guides"
    return inside if inside.is_dir() else package.parent / "notebooks"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
