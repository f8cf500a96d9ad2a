"""Voilà: the outputs of a notebook without the notebook, in a frame that may run scripts and nothing else."""

import sys

import nbformat

from tests.browser.overlays import environment, overlay
from tests.browser.server import Server

AROUND = """<!doctype html><html lang="en"><title>around</title><body style="margin:0">
<iframe title="output" src="/" sandbox="allow-scripts" style="border:0;width:100%;height:1600px"></iframe>"""
# Which Voilà's own template asks for.
OWN_REQUESTS = "https://cdn.jsdelivr.net/npm/@fortawesome/fontawesome-free"


class Voila(Server):
    """A server of one notebook.

    Args:
        folder: Where the notebook is, its kernel's files are, and the settings.
        cells: The notebook's cells.
    """

    def __init__(self, folder, cells):
        super().__init__(folder)
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, folder / "screens.ipynb")

    def command(self):
        variables = environment(overlay("voila")) | {
            "JUPYTER_CONFIG_DIR": str(self.folder / "config"),
            "JUPYTER_DATA_DIR": str(self.folder / "data"),
            "IPYTHONDIR": str(self.folder / "ipython"),
        }
        command = [sys.executable, "-m", "voila", self.folder / "screens.ipynb", "--no-browser", f"--port={self.port}"]
        # The frame has no origin.
        return [*command, "--Voila.ip=127.0.0.1", "--Voila.tornado_settings", "allow_origin=*"], variables

    def open(self, page):
        """Open the notebook in a frame of a page; return the frame."""
        page.route(lambda url: not url.startswith(self.url), lambda route: route.abort())
        page.route(f"{self.url}/around", lambda route: route.fulfill(content_type="text/html", body=AROUND))
        page.goto(f"{self.url}/around")
        return page.frames[1]
