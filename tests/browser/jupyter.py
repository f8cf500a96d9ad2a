"""A real JupyterLab, and a notebook in it that a test writes, runs and looks at through a browser."""

import contextlib
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import nbformat
from playwright.sync_api import expect

PATIENCE_MS = 30_000
_ROOT = Path(__file__).parents[2]


class Lab:
    """JupyterLab on 127.0.0.1, its kernels able to import tokenkit.

    Args:
        folder: Where its notebooks, its settings and its kernels' home are.
    """

    def __init__(self, folder):
        self.folder = folder
        self._token = secrets.token_hex(16)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}"

    def __enter__(self):
        environment = os.environ | {
            "JUPYTER_TOKEN": self._token,
            "JUPYTER_CONFIG_DIR": str(self.folder / "config"),
            "JUPYTER_DATA_DIR": str(self.folder / "data"),
            "JUPYTERLAB_SETTINGS_DIR": str(self.folder / "settings"),
            "IPYTHONDIR": str(self.folder / "ipython"),
            "TOKENKIT_HOME": str(self.folder / "home"),
            "PYTHONPATH": os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }
        (self.folder / "notebooks").mkdir()
        settings = self.folder / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        # Without these it asks whether it may fetch news, and looks for updates.
        quiet = {"fetchNews": "false", "checkForUpdates": False}
        (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", "--allow-root"]
        command += [f"--ServerApp.port={self.url.rpartition(':')[2]}", "--ServerApp.port_retries=0"]
        command += [f"--ServerApp.root_dir={self.folder / 'notebooks'}", "--LabApp.expose_app_in_browser=True"]
        with (self.folder / "lab.log").open("w") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                self.ask("/api/status")
                return self
            time.sleep(0.05)
        self.__exit__()
        raise TimeoutError((self.folder / "lab.log").read_text())

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()

    def ask(self, path, method="GET"):
        """Ask the server for something; return its JSON."""
        headers = {"Authorization": f"token {self._token}"}
        request = urllib.request.Request(self.url + path, method=method, headers=headers)  # noqa: S310 - our own server
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own server
            body = answer.read()
        return json.loads(body) if body else None

    def open(self, page):
        """Open a new notebook, whose kernel has tokenkit loaded."""
        name = f"{uuid.uuid4().hex}.ipynb"
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import tokenkit.widgets.explorer")])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = self.folder / "notebooks" / name
        nbformat.write(notebook, path)
        page.goto(f"{self.url}/lab/workspaces/{name[:8]}/tree/{name}?token={self._token}&reset")
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=PATIENCE_MS)
        # The sign for an idle kernel is there before there is one.
        kernel = "jupyterapp.shell.currentWidget.sessionContext.session?.kernel"
        ready = f"() => {kernel}?.connectionStatus === 'connected' && {kernel}.status === 'idle'"
        page.wait_for_function(ready, timeout=PATIENCE_MS)
        page.evaluate("() => jupyterapp.shell.collapseLeft()")
        opened = Notebook(page, path)
        opened.run(0)
        return opened

    def close_all(self):
        """End every kernel."""
        for session in self.ask("/api/sessions"):
            self.ask(f"/api/sessions/{session['id']}", method="DELETE")


class Notebook:
    """An open notebook.

    Attributes:
        page: The page that it is on.
        path: Its file.
    """

    def __init__(self, page, path):
        self.page = page
        self.path = path

    def fill(self, *cells):
        """Put these cells in place of all that are there; the kernel stays as it is."""
        self.page.evaluate(
            """cells => {
                const model = jupyterapp.shell.currentWidget.content.model.sharedModel;
                model.deleteCellRange(0, model.cells.length);
                model.insertCells(0, cells.map(source => ({cell_type: "code", source})));
            }""",
            list(cells),
        )

    def run(self, number):
        """Run a cell, wait until it is done, and return the last of its outputs.

        By JupyterLab's own command: a click may meet what ``fill`` is just taking away, and then Control+Enter runs
        whichever cell was the active one.
        """
        self.page.evaluate(
            """([number, patience]) => {
                const notebook = jupyterapp.shell.currentWidget;
                notebook.content.activeCellIndex = number;
                notebook.content.deselectAll();
                const late = () => `cell ${number}: the kernel is ${notebook.sessionContext.kernelDisplayStatus}`;
                return Promise.race([
                    jupyterapp.commands.execute("notebook:run-cell"),
                    new Promise((_, fail) => setTimeout(() => fail(Error(late())), patience)),
                ]);
            }""",
            [number, PATIENCE_MS],
        )
        cell = self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)
        expect(cell.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]"))
        return cell.locator(".jp-OutputArea-output").last

    def keep_busy(self, file):
        """Let the kernel hear nothing more until the function that this returns is called, which makes the file."""
        code = f"import pathlib, time\nwhile not pathlib.Path({str(file)!r}).exists(): time.sleep(0.01)"
        self.page.evaluate(
            """code => {
                const {kernel} = jupyterapp.shell.currentWidget.sessionContext.session;
                kernel.requestExecute({code});
                return new Promise(resolve => {
                    const check = () => kernel.status === "busy" ? resolve() : setTimeout(check, 10);
                    check();
                });
            }""",
            code,
        )
        return file.touch

    def use_theme(self, name):
        """Change JupyterLab's theme."""
        self.page.evaluate("name => jupyterapp.commands.execute('apputils:change-theme', {theme: name})", name)
        dark = "false" if "Dark" in name else "true"
        self.page.wait_for_function("dark => document.body.dataset.jpThemeLight === dark", arg=dark)

    def save(self):
        """Save it, and return what is in the file."""
        self.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
        return self.path.read_text()
