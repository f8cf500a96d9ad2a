"""A decision as ipywidgets, for the plain faces.

See ``decision.Decision.view`` for what it shows. Typing never confirms; only the button does.
"""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from tokenkit.core.wording import comma_list
from tokenkit.widgets import rows, style
from tokenkit.widgets.decision import ASKING, FORM, PLANNING, RUNNING
from tokenkit.widgets.face import Hear

_OWN = "other, below"


class Confirmation:
    """The panel of a decision.

    Args:
        hear: Called with each event; see ``face``.

    Attributes:
        widget: The displayed widget; hidden while there is nothing to decide.
    """

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._view: dict[str, Any] = {"number": 0, "errors": {}}
        self._inputs: dict[str, list[Any]] = {}
        self._title, self._lead = style.text("", "tk-title"), style.text("", "tk-dim")
        self._lines, self._tables = style.made(widgets.VBox, names=("tk-minds",)), style.made(widgets.VBox)
        self._fields = style.row(names=("tk-bottom",))
        self._typed = style.field(widgets.Text, continuous_update=True, layout={"width": "200px"})
        self._typed.observe(lambda _: self._check(), "value")
        self._problem = style.Notice()
        self._bar = widgets.IntProgress(layout={"width": "320px"})
        self._counter = style.text()
        self._progress = style.row(self._bar, self._counter)
        self._buttons = style.row()
        self._go: widgets.Button | None = None
        self.widget = style.made(
            widgets.VBox,
            [
                self._title,
                self._lead,
                self._progress,
                self._lines,
                self._tables,
                style.row(self._fields, self._typed, names=("tk-bottom",)),
                self._problem.widget,
                self._buttons,
            ],
            names=("tk-panel",),
            layout={"display": "none"},
        )

    def show(self, view: dict[str, Any] | None) -> None:
        """Show the view of a decision; None hides the panel."""
        style.show(self.widget, shown=view is not None)
        if view is None:
            return
        is_new, self._view = view["number"] != self._view["number"], view
        self._title.value, self._lead.value = view["title"], view["lead"]
        style.show(self._lead, shown=bool(view["lead"]))
        self._problem.show_error(view.get("error") or "; ".join(filter(None, view["errors"].values())))
        style.show(self._progress, shown="progress" in view)
        if progress := view.get("progress"):
            self._bar.max, self._bar.value = progress["total"], progress["done"]
            self._counter.value = progress["text"]
        if is_new:
            self._renew(view)
        elif view["phase"] == RUNNING and self._go is not None and view["progress"]["stopping"]:
            self._go.description, self._go.disabled = "Stopping …", True

    def _renew(self, view: dict[str, Any]) -> None:
        """Show another question."""
        cards = [f"• {card['count']:,} {card['label']}" for card in view.get("cards", ()) if card["count"]]
        run = [f"Run {view['run']}"] if view.get("run") else []
        style.fill(self._lines, [style.text(line) for line in (*cards, *view.get("lines", ()), *run)])
        copies = [
            style.field(widgets.Textarea, description=label, value=text, layout={"width": "98%", "height": "120px"})
            for label, text in view.get("copies", ())
        ]
        style.fill(self._tables, [*(rows.lines(table) for table in view.get("tables", ())), *copies])
        self._inputs = {field["name"]: self._input(field) for field in view.get("fields", ())}
        style.fill(self._fields, [part for parts in self._inputs.values() for part in parts])
        style.show(self._typed, shown=view["phase"] == ASKING and view["count"] > 0)
        self._typed.description = f"Type {view.get('count', 0):,} to confirm"
        self._typed.value = ""
        style.fill(self._buttons, self._offered(view))
        self._check()

    def _offered(self, view: dict[str, Any]) -> list[widgets.Button]:
        phase, number = view["phase"], view["number"]
        self._go = None
        if phase == PLANNING:
            return []
        if phase == RUNNING:
            stop = style.button("Stop", lambda: self._event("stop"), says="Stop after the requests in progress")
            self._go = stop
            return [stop]
        if phase == FORM:
            preview = style.button("Preview", lambda: self._event("submit", answers=self._answers()))
            return [preview, style.button("Cancel", lambda: self._event("close"))]
        if phase == ASKING:
            self._go = style.button(
                view["go"],
                lambda: self._event("confirm", number=number, typed=self._typed.value, answers=self._answers()),
                says="After you type the number" if view["count"] else "",
                style="danger" if view["danger"] else "primary",
            )
            return [self._go, style.button("Cancel", lambda: self._event("close"))]
        more = [self._way_on(event, label) for event, label in view.get("buttons", ())]
        return [*more, style.button("Close", lambda: self._event("close"))]

    def _way_on(self, event: str, label: str) -> widgets.Button:
        return style.button(label, lambda: self._event(event))

    def _event(self, event: str, **data: Any) -> None:  # noqa: ANN401  # as a decision expects it
        self._hear({"event": event, **data})

    def _check(self) -> None:
        """Enable the button only if the typed number is right."""
        if self._view.get("phase") == ASKING and self._go is not None:
            wanted = self._view["count"]
            self._go.disabled = wanted > 0 and self._typed.value.strip().replace(",", "") != str(wanted)

    # Fields

    def _input(self, field: dict[str, Any]) -> list[Any]:
        choices = [choice for choice, _ in field["choices"]]
        own = style.field(
            widgets.Text,
            description=f"{field['label']}: others" if choices else field["label"],
            value="" if choices else field["value"],
            layout={"width": "260px"},
        )
        if not choices:
            return [own]
        if field["several"]:
            listed = style.field(
                widgets.SelectMultiple, description=field["label"], options=choices, rows=6, layout={"width": "260px"}
            )
        else:
            options = [*((label, choice) for choice, label in field["choices"]), (_OWN, "")]
            listed = style.field(
                widgets.Dropdown,
                description=field["label"],
                options=options,
                value=field["value"],
                layout={"width": "150px"},
            )
            own.continuous_update = False
            for part in (listed, own):
                part.observe(lambda _: self._event("answer", answers=self._answers()), "value")
        return [listed, own]

    def _answers(self) -> dict[str, str]:
        return {name: _answer(*parts) for name, parts in self._inputs.items()}


def _answer(*parts: Any) -> str:  # noqa: ANN401  # inputs
    *listed, own = (part.value for part in parts)
    if not listed:
        return str(own)
    return ", ".join([*listed[0], *comma_list(own)]) if isinstance(listed[0], tuple) else own.strip() or listed[0]
