"""``tokenkit lab``: JupyterLab with a copy of the guides, connected to a sandbox.

JupyterLab opens the index of the guides. The copy is in the state folder: edits persist, and the original guides do not
change. ``DATABRICKS_HOST`` and ``DATABRICKS_TOKEN`` name the sandbox, so that ``tokenkit.connect()`` and the official
tools connect to it.
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
from tokenkit.core.home import home, private_file, private_folder
from tokenkit.core.wording import not_installed
from tokenkit.sandbox import Sandbox

_INDEX = "00_index.ipynb"
_TOKENS = 2_000
_START_TIMEOUT_SECONDS = 120


def serve(say: Callable[[str], None], *, open_browser: bool, port: int | None = None) -> int:
    """Run JupyterLab until it is interrupted or shut down, and return the exit code.

    Args:
        say: Shows a message.
        open_browser: Whether to open a browser.
        port: The port of JupyterLab; a free one by default.

    Raises:
        ConfigurationError: JupyterLab is not installed, or did not start.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise errors.ConfigurationError(not_installed("This command requires JupyterLab", "jupyterlab"))
    folder = private_folder(home())
    guides = copy_guides(private_folder(folder, "guides"))
    token, port = secrets.token_urlsafe(24), _free_port(port or 0)
    with Sandbox(tokens=_TOKENS) as sandbox, private_file(folder / "lab.log").open("w") as log:
        environment = os.environ | {
            "DATABRICKS_HOST": sandbox.host,
            "DATABRICKS_TOKEN": sandbox.token,
            "TOKENKIT_HOME": str(folder / "lab"),  # keeps the sandbox out of the journal of real workspaces
            "JUPYTER_TOKEN": token,  # an argument would be visible in the process list
        }
        for name in ("DATABRICKS_CONFIG_PROFILE", "DATABRICKS_AUTH_TYPE", "DATABRICKS_WORKSPACE_ID"):
            environment.pop(name, None)  # connect() would prefer them to the sandbox
        # SIGTERM stops the lab like Ctrl-C; by default, JupyterLab would keep running.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        lab = subprocess.Popen(_command(port, guides), env=environment, stdout=log, stderr=log)  # noqa: S603 - the current interpreter
        try:
            _wait_until_up(lab, port, Path(log.name))
            url = f"http://127.0.0.1:{port}/lab/tree/{_INDEX}?token={token}"
            sys.stdout.write(f"JupyterLab: {url}\n")
            sys.stdout.flush()
            say(f"Guides: {guides}. connect() uses the sandbox at {sandbox.host}. Press Ctrl-C to stop both.")
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
        command.append("--allow-root")  # Jupyter does not run as root by default, and containers usually run as root
    return command


def _wait_until_up(lab: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until the server accepts connections.

    Raises:
        ConfigurationError: The server exited, or did not start within two minutes.
    """
    deadline = time.monotonic() + _START_TIMEOUT_SECONDS
    while lab.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise errors.ConfigurationError(f"JupyterLab did not start. Check its log: {log}.")


def copy_guides(folder: Path) -> Path:
    """Copy the guides to a folder, and return it. Guides that exist there are not overwritten.

    The index is always copied, because a newer tokenkit may have more guides.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(_guides() / _INDEX, folder)
    for guide in sorted(_guides().glob("*.ipynb")):
        if not (folder / guide.name).exists():
            shutil.copy(guide, folder / guide.name)
    return folder


def _guides() -> Path:
    """Return the folder of the guides: inside an installed package, or next to it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "guides"
    return inside if inside.is_dir() else package.parent / "notebooks"


def _free_port(port: int) -> int:
    """Return a port that no program listens on: this one, or for 0 any.

    Raises:
        ConfigurationError: The port is in use, or cannot be used.
    """
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    except (OSError, OverflowError):
        error = errors.ConfigurationError(f"Port {port} is in use or cannot be used. Give another one to --port.")
    raise error
