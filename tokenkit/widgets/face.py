"""The face of a screen: what shows its sections, and reports what a user does.

A screen describes itself as **sections** of plain data, and hears **events**: dicts with the key ``event``. There are
two faces for the same sections and events. ``front.Front`` is a widget of its own in JavaScript, for all screens. The
others (``plain``, ``plain_access``) consist of ipywidgets alone, for front ends that load no JavaScript of others.

Everything a user sees is in the face, decisions included, and not in ipywidgets around a table: only so is there one
focus, one live region, one place for Esc, and a text that is the same in ipywidgets 7.7, 7.8 and 8, whose HTML, styles
and escaping differ.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import ipywidgets as widgets

from tokenkit.core.wording import not_installed

Event = Mapping[str, Any]
Hear = Callable[[Event], None]


class Face(Protocol):
    """One face.

    Attributes:
        widget: The displayed widget.
    """

    widget: widgets.DOMWidget

    def show(self, **sections: Any) -> None:  # noqa: ANN401  # plain data
        """Replace sections; the others stay as they are. None removes a section."""

    def send(self, **content: Any) -> None:  # noqa: ANN401  # plain data
        """Send something once that is not a section."""

    def close(self) -> None:
        """Close the widget, in the kernel and in the browser."""


def make(hear: Hear, *, plain: bool, title: str, in_ipywidgets: Callable[..., Face]) -> Face:
    """Return a face.

    Args:
        hear: Called with each event.
        plain: Whether to use ipywidgets alone. Without anywidget, there is no other face.
        title: What a saved notebook shows before a face is opened.
        in_ipywidgets: Makes the face of ipywidgets.
    """
    if plain:
        return in_ipywidgets(hear, why="This is the plain screen (plain=True). It has all functions.")
    if not available():
        return in_ipywidgets(
            hear, why=f"This is the plain screen. {not_installed('The other requires anywidget', 'anywidget')}"
        )
    from tokenkit.widgets.front import Front  # noqa: PLC0415 - anywidget is an extra

    return Front(hear, title=title)


def available() -> bool:
    """Return whether the face in JavaScript is installed."""
    return importlib.util.find_spec("anywidget") is not None
