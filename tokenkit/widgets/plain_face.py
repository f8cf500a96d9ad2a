"""What the faces of ipywidgets have in common: sections become calls of ``_show_…``, and a user's events are reported.

Each face builds its parts and sets ``widget``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        self._quick = self._choice("Show", lambda value: self._event("quick", value=value or self._shown_quick()))
        self._search = self._typed("Search", lambda text: self._event("search", text=text), width="260px")
        self._match = style.text("", "tk-strong")
        self._page = 0
        self._size = self._choice("Rows per page", lambda size: self._event("size", size=size), width="110px")
        self._place = style.text()
        self._previous = style.button("← Previous", lambda: self._event("turn", page=self._page - 1))
        self._next = style.button("Next →", lambda: self._event("turn", page=self._page + 1))
        self._turning = style.together(self._previous, self._place, self._next)

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

    # Filters and pages

    def _choice(self, label: str, act: Callable[[Any], None], *, width: str = "200px") -> widgets.Dropdown:
        listed = style.field(widgets.Dropdown, description=label, layout={"width": width})
        listed.observe(lambda change: None if self._is_updating else act(change["new"]), "value")
        return listed

    def _typed(self, label: str, act: Callable[[str], None], *, width: str = "200px") -> widgets.Text:
        box = style.field(widgets.Text, description=label, continuous_update=False, layout={"width": width})
        box.observe(lambda change: None if self._is_updating else act(change["new"]), "value")
        return box

    def _show_quick(self, filters: Sequence[dict[str, Any]]) -> None:
        options = [(f"{item['label']} ({item['count']:,})", item["value"]) for item in filters]
        offer(self._quick, options, next(item["value"] for item in filters if item["on"]))

    def _shown_quick(self) -> str:
        return next((item["value"] for item in self._sections["quick"] if item["on"]), "")

    def _show_filters(self, filters: dict[str, Any]) -> None:
        self._search.value = filters["text"]
        self._match.value = filters["match"]

    def _show_place(self, table: dict[str, Any]) -> None:
        self._page = table["page"]
        offer(self._size, [(str(size), size) for size in table["sizes"]], table["size"])
        self._place.value = f"Page {table['page'] + 1:,} of {table['pages']:,}"
        self._previous.disabled, self._next.disabled = table["page"] == 0, table["page"] + 1 >= table["pages"]


def options_of(listed: Any) -> list[tuple[str, Any]]:  # noqa: ANN401  # a list of any kind
    """Return the labels and the values of a list."""
    # Its public options can have another form.
    return [*zip(listed._options_labels, listed._options_values, strict=True)]  # noqa: SLF001


def offer(listed: widgets.Dropdown, options: Sequence[tuple[str, Any]], value: Any) -> None:  # noqa: ANN401  # of the options
    """Set the options and the value of a list, in one message and only if they changed."""
    if (options_of(listed), listed.value) != (list(options), value):
        with listed.hold_sync():
            listed.options = options
            listed.value = value
