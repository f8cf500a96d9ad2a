"""A real JupyterLab or Notebook 7, and a notebook that a test fills, runs and reads through a browser."""

import json
import re
import secrets
import sys
import urllib.request
import uuid

import nbformat
from playwright.sync_api import expect

from tests.browser.overlays import environment
from tests.browser.server import Server

PATIENCE_MS = 30_000


class Lab(Server):
    """JupyterLab on 127.0.0.1, its kernels able to import tokenkit.

    Args:
        folder: Where its notebooks, its settings and its kernels' home are.
        overlays: Folders of packages that come before those of the environment; see ``overlays``.
    """

    module, app = "jupyterlab", "LabApp"
    address = "/lab/workspaces/{workspace}/tree/{name}?token={token}&reset"

    def __init__(self, folder, *overlays):
        super().__init__(folder)
        self._overlays = overlays
        self._token = secrets.token_hex(16)

    def command(self):
        variables = environment(*self._overlays) | {
            "JUPYTER_TOKEN": self._token,
            "JUPYTER_CONFIG_DIR": str(self.folder / "config"),
            "JUPYTER_DATA_DIR": str(self.folder / "data"),
            "JUPYTERLAB_SETTINGS_DIR": str(self.folder / "settings"),
            "IPYTHONDIR": str(self.folder / "ipython"),
            "TOKENKIT_HOME": str(self.folder / "home"),
        }
        (self.folder / "notebooks").mkdir()
        settings = self.folder / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        # Without these, it asks whether to fetch news, and checks for updates.
        quiet = {"fetchNews": "false", "checkForUpdates": False}
        (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
        # Else messages of widgets are handled while a cell runs, which older kernels and other front ends cannot do.
        one_shell = {"commsOverSubshells": "disabled"}
        (settings / "kernels-settings.jupyterlab-settings").write_text(json.dumps(one_shell))
        command = [sys.executable, "-m", self.module, "--no-browser", "--ServerApp.ip=127.0.0.1", "--allow-root"]
        command += [f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0"]
        command += [f"--ServerApp.root_dir={self.folder / 'notebooks'}", f"--{self.app}.expose_app_in_browser=True"]
        return command, variables

    def ask(self, path, method="GET"):
        """Send a request to the server; return its JSON."""
        headers = {"Authorization": f"token {self._token}"}
        request = urllib.request.Request(self.url + path, method=method, headers=headers)  # noqa: S310 - our own server
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - our own server
            body = response.read()
        return json.loads(body) if body else None

    def open(self, page):
        """Open a new notebook whose kernel has imported tokenkit."""
        name = f"{uuid.uuid4().hex}.ipynb"
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import tokenkit.widgets.explorer")])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = self.folder / "notebooks" / name
        nbformat.write(notebook, path)
        page.goto(self.url + self.address.format(workspace=name[:8], name=name, token=self._token))
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=PATIENCE_MS)
        # The idle indicator is displayed before there is a kernel.
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


class NotebookSeven(Lab):
    """Notebook 7 on 127.0.0.1, which is made of JupyterLab's parts."""

    module, app = "notebook", "JupyterNotebookApp"
    address = "/notebooks/{name}?token={token}"


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
        """Replace all cells; the kernel does not change."""
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

    def value(self, number):
        """Run a cell, and return the text of its value: from the model, because the page shows it a moment later."""
        self.run(number)
        return self.page.evaluate(
            """number => jupyterapp.shell.currentWidget.content.widgets[number].outputArea.model.toJSON()
                .at(-1).data["text/plain"]""",
            number,
        )

    def keep_busy(self, file):
        """Keep the kernel busy until the returned function is called, which creates the file."""
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
        """Save the notebook, and return the content of the file."""
        self.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
        return self.path.read_text()
