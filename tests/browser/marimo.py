"""marimo, which shows the values of cells and has no Jupyter."""

import sys
import textwrap

from tests.browser.overlays import environment, overlay
from tests.browser.server import Server

CELL = """
@app.cell
def _({needs}):
{source}
    return {gives}
"""


class Marimo(Server):
    """An app of cells: the first one defines ``ws``, and the others show a screen of it."""

    def __init__(self, folder, cells):
        super().__init__(folder)
        connect, explore, review = cells
        marimo = [
            ("", f"{connect}\nimport marimo", "marimo, ws"),
            ("marimo, ws", f"explorer = {explore}\nmarimo.ui.anywidget(explorer.widget)", "explorer,"),
            ("ws", review, ""),  # as it is
        ]
        texts = [CELL.format(needs=n, source=textwrap.indent(source, "    "), gives=g) for n, source, g in marimo]
        self._file = folder / "app.py"
        self._file.write_text("\n".join(["import marimo", "app = marimo.App()", *texts]))

    def command(self):
        command = [sys.executable, "-m", "marimo", "run", self._file, "--headless", "--no-token"]
        variables = environment(overlay("marimo")) | {"HOME": str(self.folder)}
        return [*command, "--host", "127.0.0.1", "--port", str(self.port)], variables
