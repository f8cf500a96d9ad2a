"""What all screens share: a face, a table of events, pages, a decision in the place of the content, and messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import ipywidgets as widgets

from tokenkit.widgets import formatting
from tokenkit.widgets.decision import Decision
from tokenkit.widgets.face import Event, Face
from tokenkit.widgets.paging import Paged


class Screen:
    """A screen. Each sets these attributes when it is created.

    Attributes:
        widget: The displayed widget, for use in a layout of your own.
    """

    widget: widgets.DOMWidget
    _face: Face
    _decision: Decision
    _model: Paged
    _events: Mapping[str, Callable[[Event], object]]
    _sayings = 0

    def close(self) -> None:
        """Close the screen, and free its memory in the kernel and in the browser.

        Raises:
            UsageError: A change is in progress.
        """
        self._decision.require_idle()
        self._face.close()

    def _on_event(self, event: Event) -> None:
        handle = self._events.get(event.get("event", ""))
        if handle is not None:
            handle(event)

    def _show_decision(self) -> None:
        self._face.show(decision=self._decision.view)

    def _show_page(self) -> None:
        """Show the page of the model."""
        raise NotImplementedError

    def _page_events(self) -> dict[str, Callable[[Event], object]]:
        return {
            "turn": lambda event: self._turn(self._model.turn, int(event["page"])),
            "size": lambda event: self._turn(self._model.resize, int(event["size"])),
        }

    def _turn(self, change: Callable[[int], None], number: int) -> None:
        change(number)
        self._show_page()
        self._say(f"Page {self._model.page + 1:,} of {self._model.pages:,}.")

    def _tell(self, words: str, *, is_error: bool = False) -> None:
        """Show a message until the next one."""
        self._face.show(notice={"text": formatting.shown(words), "is_error": is_error})

    def _still_reading(self, words: str) -> None:
        self._tell(f"Still reading. {words}")

    def _say(self, words: str) -> None:
        """Announce something to screen readers."""
        self._sayings += 1
        self._face.show(said={"number": self._sayings, "text": words})
