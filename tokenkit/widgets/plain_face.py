"""What the faces of ipywidgets have in common: sections become calls of ``_show_…``, and a user's events are reported.

Each face builds its parts and sets ``widget``.
"""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from tokenkit.widgets import style
from tokenkit.widgets.face import Hear


class PlainFace:
    """A face of ipywidgets; see ``face``.

    Args:
        hear: Called with each event.

    Attributes:
        widget: The displayed widget.
    """

    widget: widgets.DOMWidget

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._sections: dict[str, Any] = {}
        self._is_updating = False

    def close(self) -> None:
        """Close the widget, in the kernel and in the browser."""
        style.close(self.widget)

    def send(self, **_: Any) -> None:  # noqa: ANN401  # plain data
        """Ignore what only the other face does."""

    def show(self, **sections: Any) -> None:  # noqa: ANN401  # plain data
        """Replace sections."""
        self._sections |= sections
        self._is_updating = True
        for name, value in sections.items():
            if (render := getattr(self, f"_show_{name}", None)) is not None:
                render(value)
        self._is_updating = False

    def _event(self, event: str, **data: Any) -> None:  # noqa: ANN401  # as the screen expects it
        """Report an event of the user, but not a change that ``show`` makes."""
        if not self._is_updating:
            self._hear({"event": event, **data})
