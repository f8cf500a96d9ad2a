"""The style of ipywidgets, and functions to create their parts.

Colors are variables of JupyterLab, so that widgets follow the theme. Text from a workspace is untrusted: it is allowed
in ``text`` labels, in values of text fields and in the options of lists. It is never put into ``widgets.HTML``, a
description, a tooltip or a placeholder, and only after a check into the suggestions of a Combobox, because ipywidgets 7
renders these as HTML. A label would even typeset ``$…$`` as mathematics, unless it has the class ``mathjax_ignore``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any, TypeVar

import ipywidgets as widgets
from IPython import get_ipython

from tokenkit.core.printable import printable
from tokenkit.core.redaction import redact

_SHARED: dict[type[widgets.Widget], widgets.Widget] = {}
Part = TypeVar("Part")


def screen(*children: widgets.Widget) -> widgets.VBox:
    """Return a box with these parts and their style sheet."""
    looks = widgets.HTML(f"<style>{_css()}</style>", layout={"display": "none"})
    return widgets.VBox([looks, *children], _dom_classes=("tokenkit",))


@functools.cache
def _css() -> str:
    return resources.files("tokenkit.widgets").joinpath("screens.css").read_text("utf-8")


def bundle(shown: widgets.DOMWidget, line: str, *, saved: str = "") -> dict[str, Any]:
    """Return the MIME bundle of a widget.

    Not the widget's own, which ipywidgets 7 does not have.

    Args:
        shown: The widget.
        line: Its text if it is closed, and in a terminal.
        saved: Its text in a saved notebook.
    """
    if shown.comm is None:
        return {"text/plain": line}
    view = {"version_major": 2, "version_minor": 0, "model_id": shown.model_id}
    text = saved or line if _in_notebook() else f"{line}\nThis screen requires a notebook. `tokenkit lab` opens one."
    return {"text/plain": text, "application/vnd.jupyter.widget-view+json": view}


def _in_notebook() -> bool:
    shell = get_ipython()
    return (
        shell is None or getattr(shell, "kernel", None) is not None
    )  # without IPython, it is another kind of notebook


def made(kind: Callable[..., Part], *values: Any, names: tuple[str, ...] = (), **settings: Any) -> Part:  # noqa: ANN401  # the arguments of the kind
    """Return a widget that shares its layout and style with all others of its kind, unless they are given.

    A separate layout or style would cost another message to the browser and another object.
    """
    looks = {name: _shared(trait.klass) for name in ("layout", "style") if (trait := getattr(kind, name, None))}
    if "tooltip" in settings and not hasattr(kind, "tooltip"):  # its name in ipywidgets 7, except for buttons
        settings["description_tooltip"] = settings.pop("tooltip")
    return kind(*values, _dom_classes=names, **looks | settings)


def _shared(kind: type[widgets.Widget]) -> widgets.Widget:
    if kind not in _SHARED or _SHARED[kind].comm is None:  # closed, for example by Widget.close_all()
        _SHARED[kind] = kind()
    return _SHARED[kind]


def text(value: str = "", *names: str) -> widgets.Label:
    """Return a line of text, which can be untrusted."""
    return made(widgets.Label, printable(redact(value)), names=("tk-text", "mathjax_ignore", *names))


def row(*children: widgets.Widget, names: tuple[str, ...] = ()) -> widgets.Box:
    """Return parts in a row, which wraps if there is not enough space."""
    return made(widgets.Box, children, names=("tk-row", *names))


def together(*children: widgets.Widget) -> widgets.Box:
    """Return parts at the right end of a row, which wrap together."""
    return row(*children, names=("tk-together",))


def button(words: str, act: Callable[[], object], *, says: str = "", style: str = "") -> widgets.Button:
    """Return a button; ``says`` is its tooltip, which screen readers read too."""
    pressed = made(widgets.Button, description=words, tooltip=says or words, button_style=style)
    pressed.on_click(lambda _: act())
    return pressed


def field(kind: Callable[..., Part], *, names: tuple[str, ...] = (), **settings: Any) -> Part:  # noqa: ANN401 - as the kind takes them
    """Return an input with its description above."""
    return made(kind, names=("tk-field", *names), **settings)


def show(widget: widgets.Widget, *, shown: bool = True) -> None:
    """Show or hide a part."""
    wanted = None if shown else "none"
    if widget.layout.display == wanted:
        return
    if widget.layout is _SHARED.get(type(widget.layout)):
        widget.layout = widgets.Layout(display=wanted)
    else:
        widget.layout.display = wanted


def close(part: widgets.Widget) -> None:
    """Close a part and its children, in the kernel and in the browser. ipywidgets never frees a widget otherwise."""
    for child in getattr(part, "children", ()):
        close(child)
    for looks in (getattr(part, "layout", None), getattr(part, "style", None)):
        if isinstance(looks, widgets.Widget) and looks is not _SHARED.get(type(looks)):
            looks.close()
    part.close()


def fill(box: widgets.Box, parts: Sequence[widgets.Widget]) -> None:
    """Replace the children of a box, and close those that are removed."""
    old, box.children = box.children, parts
    for part in old:
        if part not in box.children:
            close(part)


class Notice:
    """One line below the buttons: progress, a result, or an error message."""

    def __init__(self) -> None:
        self._text = text()
        self.widget = made(widgets.Box, [self._text], names=("tk-notice",), layout={"display": "none"})

    @property
    def value(self) -> str:
        """The displayed text."""
        return str(self._text.value)

    def say(self, words: str) -> None:
        """Show a message; an empty one hides the line."""
        self.widget.remove_class("tk-error")
        self._put(words)

    def show_error(self, words: str) -> None:
        """Show an error message."""
        self.widget.add_class("tk-error")
        self._put(words)

    def _put(self, words: str) -> None:
        self._text.value = printable(words)
        show(self.widget, shown=bool(words))
