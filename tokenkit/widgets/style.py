"""The looks of every screen, and the few parts that are made in one way only.

Colours are JupyterLab's own variables, so a screen follows the theme. Text from a workspace is hostile: it goes into
``text`` labels, into tables and into options of lists, never into ``widgets.HTML``, and never into a description, a
tooltip or a placeholder, nor unchecked into what a Combobox offers, which ipywidgets 7 takes for HTML. A label would
even typeset it as mathematics (``$…$``), unless it has the class ``mathjax_ignore``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import ipywidgets as widgets

from tokenkit.printable import printable

_CSS = """
.tokenkit { --tk-line: var(--jp-border-color2, #e0e0e0); --tk-dim: var(--jp-ui-font-color2, #616161);
  color: var(--jp-ui-font-color1, #212121); font-size: var(--jp-ui-font-size1, 13px); padding: 4px 2px; }
.tokenkit .widget-label { color: inherit; }
.tokenkit .tk-row { display: flex; flex-flow: row wrap; align-items: center; gap: 6px 8px; overflow: visible; }
.tokenkit .tk-row > * { margin: 0; }
.tokenkit > .tk-row { margin: 3px 0; }
.tokenkit .tk-row > .tk-text { line-height: 28px; }
.tokenkit .tk-together { flex-wrap: nowrap; margin-left: auto; }
.tokenkit .tk-bottom { align-items: flex-end; }
.tokenkit .tk-grow { flex: 1 1 auto; }
.tokenkit .tk-title { font-size: var(--jp-ui-font-size2, 15px); font-weight: 600; height: auto; line-height: 1.4; }
.tokenkit .tk-dim, .tokenkit .tk-dim .widget-label { color: var(--tk-dim); }
.tokenkit .tk-text { height: auto; line-height: 1.5; white-space: pre-wrap; overflow-wrap: anywhere; max-width: 100%; }
.tokenkit .tk-strong { font-weight: 600; }
.tokenkit .tk-notice { border-left: 3px solid var(--jp-info-color1, #0277bd); padding: 2px 8px; margin: 2px 0; }
.tokenkit .tk-error { border-left-color: var(--jp-error-color1, #c62828); }
.tokenkit .tk-notice:has(.tk-text:empty) { display: none; }
.tokenkit .tk-panel { border: 1px solid var(--jp-border-color1, #bdbdbd); border-radius: 4px; padding: 10px 12px;
  margin: 6px 0; gap: 6px; background: var(--jp-layout-color1, white); }
.tokenkit .tk-panel > * { margin: 0; }
.tokenkit .tk-minds { gap: 0; padding-left: 2px; }
.tokenkit .tk-filters { display: grid; grid-template-columns: repeat(auto-fill, minmax(max(130px, 25% - 10px), 1fr));
  gap: 6px 10px; margin: 6px 0; overflow: visible; }
.tokenkit .tk-filters > * { width: auto; margin: 0; }
.tokenkit .tk-field { flex-direction: column; align-items: stretch; height: auto; overflow: visible; }
.tokenkit .tk-field > .widget-label { width: auto; text-align: left; height: auto; line-height: 1.6; margin: 0;
  color: var(--tk-dim); font-size: var(--jp-ui-font-size0, 11px); }
.tokenkit .tk-field > select, .tokenkit .tk-field > input { width: 100%; height: 28px; flex: none; }
.tokenkit .tk-range { gap: 6px; margin: 0; overflow: visible; }
.tokenkit .tk-range > * { flex: 1 1 0; width: auto; min-width: 0; margin: 0; }
.tokenkit button.jupyter-button { width: auto; padding: 0 10px; }
.tokenkit button:focus-visible, .tokenkit input:focus-visible, .tokenkit select:focus-visible,
.tokenkit textarea:focus-visible { outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px; }
.tokenkit .tk-table { max-height: 460px; overflow: auto; border: 1px solid var(--tk-line); border-radius: 4px;
  margin: 4px 0; }
.tokenkit .tk-table.tk-short { max-height: 260px; }
.tokenkit .itables_anywidget, .tokenkit .tk-table div.dt-container { background: transparent; color: inherit;
  font-size: inherit; max-width: none; overflow: visible; width: 100%; }
.tokenkit .tk-table div.dt-layout-table > div { overflow: visible; }
.tokenkit .tk-table div.dt-layout-row { margin: 0; }
.tokenkit .tk-table table.dataTable { margin: 0; width: 100%; border: none; }
.tokenkit .tk-table table.dataTable thead tr > th { position: sticky; top: 0; z-index: 1; text-align: left;
  font-weight: 600; background: var(--jp-layout-color2, #eee); color: inherit; border-bottom: 1px solid var(--tk-line);
  padding: 5px 8px; white-space: nowrap; }
.tokenkit .tk-table table.dataTable tbody tr > td { text-align: left; padding: 4px 8px; border: none;
  border-bottom: 1px solid var(--tk-line); white-space: nowrap; max-width: 260px; overflow: hidden;
  text-overflow: ellipsis; }
.tokenkit .tk-table table.dataTable tbody tr > * { box-shadow: none; }
.tokenkit .tk-table table.dataTable tbody tr:hover > * { background: var(--jp-layout-color2, #eee); box-shadow: none; }
.tokenkit .tk-table table.dataTable tbody tr.selected > *,
.tokenkit .tk-table table.dataTable tbody tr.selected:hover > * {
  box-shadow: none !important; color: inherit;
  background: color-mix(in srgb, var(--jp-brand-color1, #1976d2) 18%, transparent); }
.tokenkit .tk-table table.dataTable input.dt-select-checkbox { appearance: auto; width: 14px; height: 14px;
  margin: 0; cursor: pointer; accent-color: var(--jp-brand-color1, #1976d2); }
.tokenkit .tk-table table.dataTable input.dt-select-checkbox::after { display: none !important; }
.tokenkit .tk-table tbody tr:nth-child(-n+STOWAWAYS) { display: none; }
.tokenkit .tk-list { width: 100%; margin: 4px 0; }
.tokenkit .tk-list select { font-family: var(--jp-code-font-family, monospace); font-size: 12px; height: 100%; }
.tokenkit .tk-details { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 2px 14px;
  margin: 4px 0; }
.tokenkit .tk-details > * { margin: 0; }
.tokenkit .tk-beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr));
  gap: 12px 24px; margin: 6px 0; overflow: visible; }
.tokenkit .tk-beside > * { min-width: 0; margin: 0; overflow: visible; }
.tokenkit .tk-entries { max-height: 420px; overflow: auto; border: 1px solid var(--tk-line); border-radius: 4px;
  padding: 2px 8px; }
.tokenkit .tk-entries > .tk-row { flex-wrap: nowrap; flex: none; margin: 2px 0; }
.tokenkit .tk-entries .tk-text { min-width: 0; line-height: 1.4; }
.tokenkit .tk-beside .tk-bottom > .tk-grow { width: 160px; }
.tokenkit .tk-entries .widget-dropdown { width: 130px; flex: none; }
.tokenkit .tk-entries button.jupyter-button { width: 76px; flex: none; }
.tokenkit .tk-change { white-space: nowrap; flex: none; }
.tokenkit .tk-removed { text-decoration: line-through; }
.tokenkit .tk-unseen > .widget-label { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); }
.tokenkit .widget-inline-hbox .widget-readout { color: inherit; }
.tokenkit .tk-charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(max(220px, 33% - 8px), 1fr));
  gap: 8px; margin: 6px 0; }
.tokenkit .tk-charts > img { width: 100%; height: auto; margin: 0; border-radius: 4px; }
body[data-jp-theme-light="false"] .tokenkit .tk-light, body:not([data-jp-theme-light="false"]) .tokenkit .tk-dark {
  display: none; }
"""
STOWAWAYS = 20
"""How many hidden rows each table begins with; see ``table``."""

_SHARED: dict[type[widgets.Widget], widgets.Widget] = {}
Part = TypeVar("Part")


def screen(*children: widgets.Widget) -> widgets.VBox:
    """Return a screen of these parts, with the looks that they need."""
    looks = widgets.HTML(f"<style>{_CSS.replace('STOWAWAYS', str(STOWAWAYS))}</style>", layout={"display": "none"})
    return widgets.VBox([looks, *children], _dom_classes=("tokenkit",))


def bundle(shown: widgets.VBox, line: str) -> dict[str, Any]:
    """Return a screen for a front end that shows widgets, and one line for a saved notebook and for a closed screen."""
    return (dict(shown._repr_mimebundle_() or {}) if shown.comm is not None else {}) | {"text/plain": line}


def made(kind: Callable[..., Part], *values: Any, names: tuple[str, ...] = (), **settings: Any) -> Part:  # noqa: ANN401 - as the kind takes them
    """Return a widget that shares its layout and its style with all others of its kind, unless it is given its own.

    Each of its own would be one message to the browser more, and one object there, before anything is seen.
    """
    looks = {name: _shared(trait.klass) for name in ("layout", "style") if (trait := getattr(kind, name, None))}
    return kind(*values, _dom_classes=names, **looks | settings)


def _shared(kind: type[widgets.Widget]) -> widgets.Widget:
    if kind not in _SHARED or _SHARED[kind].comm is None:  # somebody has closed it, as Widget.close_all() does
        _SHARED[kind] = kind()
    return _SHARED[kind]


def text(value: str = "", *names: str) -> widgets.Label:
    """Return a line of text, which may be hostile."""
    return made(widgets.Label, printable(value), names=("tk-text", "mathjax_ignore", *names))


def row(*children: widgets.Widget, names: tuple[str, ...] = ()) -> widgets.Box:
    """Return parts side by side, on several lines where there is little room."""
    return made(widgets.Box, children, names=("tk-row", *names))


def together(*children: widgets.Widget) -> widgets.Box:
    """Return parts at the right end of a row, which move to the next line together."""
    return row(*children, names=("tk-together",))


def button(words: str, act: Callable[[], object], *, says: str = "", style: str = "") -> widgets.Button:
    """Return a button; ``says`` is what a screen reader and the mouse's pointer say beyond its words."""
    pressed = made(widgets.Button, description=words, tooltip=says or words, button_style=style)
    pressed.on_click(lambda _: act())
    return pressed


def field(kind: Callable[..., Part], *, names: tuple[str, ...] = (), **settings: Any) -> Part:  # noqa: ANN401 - as the kind takes them
    """Return an input whose description stands above it."""
    return made(kind, names=("tk-field", *names), **settings)


def show(widget: widgets.Widget, *, shown: bool = True) -> None:
    """Show a part, or take it away."""
    wanted = None if shown else "none"
    if widget.layout.display == wanted:
        return
    if widget.layout is _SHARED.get(type(widget.layout)):
        widget.layout = widgets.Layout(display=wanted)
    else:
        widget.layout.display = wanted


def close(part: widgets.Widget) -> None:
    """Close a part with everything in it, in the kernel and in the browser; ipywidgets keeps what nobody closes."""
    for child in getattr(part, "children", ()):
        close(child)
    for looks in (getattr(part, "layout", None), getattr(part, "style", None)):
        if isinstance(looks, widgets.Widget) and looks is not _SHARED.get(type(looks)):
            looks.close()
    part.close()


def fill(box: widgets.Box, parts: Sequence[widgets.Widget]) -> None:
    """Put parts into a box, and close those that were in it and are no more."""
    old, box.children = box.children, parts
    for part in old:
        if part not in box.children:
            close(part)


class Notice:
    """One line below the buttons: what is being done, what was done, or what went wrong and what to do."""

    def __init__(self) -> None:
        self._text = text()
        self.widget = made(widgets.Box, [self._text], names=("tk-notice",), layout={"display": "none"})

    @property
    def value(self) -> str:
        """What it says."""
        return str(self._text.value)

    def say(self, words: str) -> None:
        """Say what is so; nothing takes the line away."""
        self.widget.remove_class("tk-error")
        self._put(words)

    def complain(self, words: str) -> None:
        """Say what went wrong, and what to do."""
        self.widget.add_class("tk-error")
        self._put(words)

    def _put(self, words: str) -> None:
        self._text.value = printable(words)
        show(self.widget, shown=bool(words))
