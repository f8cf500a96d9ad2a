"""The charts above the table: drawn when somebody opens them, of the tokens that the filters keep."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets
import pandas as pd

from tokenkit import charts
from tokenkit.widgets import style
from tokenkit.widgets.style import Notice
from tokenkit.widgets.work import in_background

_WIDTH, _HEIGHT = 380, 210  # in pixels; three of them fit beside each other
_CHARTS: tuple[Callable[[pd.DataFrame, pd.Timestamp, bool], bytes], ...] = (
    lambda tokens, now, dark: charts.expiry_calendar(tokens, now=now, dark=dark, width=_WIDTH, height=_HEIGHT),
    lambda tokens, _, dark: charts.age(tokens, dark=dark, width=_WIDTH, height=_HEIGHT),
    lambda tokens, _, dark: charts.idle(tokens, dark=dark, width=_WIDTH, height=_HEIGHT),
)
# A picture cannot follow the theme, so there is one for each, and the page shows the one that fits.
_THEMES = {"tk-light": False, "tk-dark": True}


class Pictures:
    """A row of charts that can be opened.

    Args:
        tokens: Returns the tokens to draw.
        now: Returns the present moment.
        notice: Where it is said that they are being drawn, or cannot be.

    Attributes:
        button: Opens and closes them.
        widget: The charts.
    """

    def __init__(self, tokens: Callable[[], pd.DataFrame], now: Callable[[], pd.Timestamp], notice: Notice) -> None:
        self._tokens, self._now, self._notice = tokens, now, notice
        self._drawing = self._stale = False
        self.button = style.made(widgets.ToggleButton, description="Charts", tooltip="Charts of the filtered tokens")
        self.button.observe(lambda _: self._toggle(), "value")
        self.widget = style.made(widgets.Box, names=("tk-charts",), layout={"display": "none"})

    def refresh(self) -> None:
        """Draw again what is open; a change while something is being drawn is drawn after it."""
        if not self.button.value:
            return
        if self._drawing:
            self._stale = True
            return
        self._drawing = True
        self._notice.say("Drawing the charts …")
        tokens, now = self._tokens(), self._now()

        def draw() -> list[bytes]:
            return [chart(tokens, now, dark) for chart in _CHARTS for dark in _THEMES.values()]

        in_background(draw, done=self._drawn, failed=self._failed, on=self.widget)

    def _drawn(self, pictures: list[bytes]) -> None:
        if not self.widget.children:
            kinds = [name for _ in _CHARTS for name in _THEMES]
            self.widget.children = [widgets.Image(format="png", _dom_classes=(kind,)) for kind in kinds]
        for image, picture in zip(self.widget.children, pictures, strict=True):
            image.value = picture
        self._notice.say("")
        style.show(self.widget, shown=self.button.value)
        self._drawing = False
        if self._stale:
            self._stale = False
            self.refresh()

    def _failed(self, words: str) -> None:
        self._drawing = False
        self.button.value = False
        self._notice.complain(words)

    def _toggle(self) -> None:
        if self.button.value:
            self.refresh()
        else:
            style.show(self.widget, shown=False)
