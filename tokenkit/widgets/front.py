"""The face of a screen as a widget of its own: ``front.js`` and ``front.css``.

Sections travel as custom messages and never as synchronized traits, because front ends store traits in the notebook
("save widget state"), and rows contain comments. The only trait is ``about``: a title and counts, which a saved
notebook shows with the request to run the cell.

A view says ``hello`` when it is displayed, and gets all sections. After that, a message contains the sections that
changed. The answer to an event names it (``ack``), so that the browser knows which of its clicks are processed.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

import anywidget
import traitlets

from tokenkit.core.printable import printable
from tokenkit.widgets.face import Hear

HELLO = "hello"


@functools.cache
def _file(name: str) -> str:
    return resources.files("tokenkit.widgets").joinpath(name).read_text("utf-8")


class _Widget(anywidget.AnyWidget):
    # As text, because anywidget would watch a file for changes, for every widget ever created.
    _esm = _file("front.js")
    _css = _file("front.css")
    about = traitlets.Dict().tag(sync=True)


class Front:
    """The face in JavaScript; see ``face``.

    Attributes:
        widget: The displayed widget.
    """

    def __init__(self, hear: Hear, *, title: str) -> None:
        self._hear = hear
        self._sections: dict[str, Any] = {}
        self._sent: dict[str, Any] = {}
        self._is_seen = self._is_answering = False
        self.widget = _Widget(about={"title": printable(title), "line": ""})
        self.widget.on_msg(self._on_message)

    def show(self, **sections: Any) -> None:  # noqa: ANN401  # plain data
        """Replace sections. During an event they are sent together, in its answer."""
        self._sections |= sections
        if (about := sections.get("about")) and self.widget.comm is not None:
            self.widget.about = {"title": about["title"], "line": about["line"]}
        if self._is_seen and not self._is_answering:
            self._send_changes()

    def send(self, **content: Any) -> None:  # noqa: ANN401  # plain data
        """Send something once."""
        if self.widget.comm is not None:
            self.widget.send(content)

    def close(self) -> None:
        """Close the widget, in the kernel and in the browser."""
        self.widget.layout.close()
        self.widget.close()

    def _on_message(self, _: object, content: dict[str, Any], __: object) -> None:
        self._is_answering = True
        try:
            if content.get("event") == HELLO:
                self._is_seen, self._sent = True, {}
            else:
                self._hear(content)
        finally:
            self._is_answering = False
            self._send_changes(ack=content.get("ack"))

    def _send_changes(self, ack: Any = None) -> None:  # noqa: ANN401  # as the browser sent it
        changed = {
            name: value for name, value in self._sections.items() if name not in self._sent or self._sent[name] != value
        }
        self._sent |= changed
        if changed or ack:
            self.send(sections=changed, ack=ack)
