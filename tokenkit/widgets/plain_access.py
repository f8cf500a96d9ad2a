"""The plain face of the permission review: ipywidgets alone, which show the same sections and send the same events.

Text of a workspace is only in labels and values of text fields; see ``style``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as widgets

from tokenkit.review.values import words
from tokenkit.widgets import rows, style
from tokenkit.widgets.confirmation import Confirmation
from tokenkit.widgets.draft import KINDS, suggestible
from tokenkit.widgets.face import Hear
from tokenkit.widgets.plain_face import PlainFace

_FIXED = "cannot be changed"


class PlainReview(PlainFace):
    """The face of ipywidgets; see ``face``.

    Args:
        hear: Called with each event.
        why: Why the screen is plain.

    Attributes:
        widget: The displayed widget.
        rows: The rows of the entries, by id.
    """

    def __init__(self, hear: Hear, *, why: str) -> None:
        super().__init__(hear)
        self.rows: dict[str, Row] = {}
        self._title, self._line = style.text("", "tk-title"), style.text("", "tk-dim")
        self._notice = style.Notice()
        self._decision = Confirmation(hear)
        self._narrowing = style.row(self._quick, self._search, self._match, names=("tk-bottom",))
        self._list = style.made(widgets.VBox, names=("tk-entries",))
        self._pages = style.row(self._size, self._turning, names=("tk-bottom",))
        self._changes = style.text("", "tk-dim")
        self._verdict = style.text("", "tk-strong")
        self._cards = style.made(widgets.VBox, names=("tk-minds",))
        self._boxes = style.made(widgets.VBox, names=("tk-minds",))
        self._tables = style.made(widgets.VBox)
        self._protected: dict[str, widgets.Checkbox] = {}
        self._discard = style.button("Discard", lambda: self._event("discard"), says="Discard all changes of the draft")
        self._apply = style.button("Apply …", lambda: self._event("apply"), says="Apply the draft after a confirmation")
        self._apply.button_style = "danger"
        refresh = style.button("Refresh", lambda: self._event("refresh"), says="Read again; the draft is kept")
        head = style.row(
            style.made(widgets.VBox, [self._title, self._line, style.text(why, "tk-dim")], names=("tk-grow",)),
            style.together(refresh, self._discard, self._apply),
        )
        impact = style.made(widgets.VBox, [self._verdict, self._changes, self._cards, self._boxes, self._tables])
        self._browse = style.made(
            widgets.Box,
            [style.made(widgets.VBox, [self._narrowing, self._list, self._pages, self._build_form()]), impact],
            names=("tk-beside",),
        )
        self.widget = style.screen(head, self._notice.widget, self._decision.widget, self._browse)

    def _build_form(self) -> widgets.Box:
        kinds = [(words(kind), kind) for kind in KINDS]
        self._kind = style.field(widgets.Dropdown, description="Add", options=kinds, layout={"width": "130px"})
        self._name = style.field(
            widgets.Combobox,
            description="Name",
            placeholder="Search by name",
            continuous_update=True,
            names=("tk-grow",),
        )
        for part in (self._kind, self._name):
            part.observe(lambda _: self._event("suggest", kind=self._kind.value, text=self._name.value), "value")
        add = style.button(
            "Add",
            lambda: self._event("add", kind=self._kind.value, text=self._name.value),
            says="Add this entry to the draft, with CAN_USE",
        )
        return style.row(self._kind, self._name, add, names=("tk-bottom",))

    # Sections

    def _show_about(self, about: dict[str, Any]) -> None:
        self._title.value, self._line.value = f"{about['title']} of {about['where']}", about["line"]

    def _show_notice(self, notice: dict[str, Any]) -> None:
        (self._notice.show_error if notice["is_error"] else self._notice.say)(notice["text"])

    def _show_decision(self, decision: dict[str, Any] | None) -> None:
        self._decision.show(decision)

    def _show_adding(self, adding: dict[str, Any]) -> None:
        self._name.options = suggestible(adding["offered"])
        if adding["is_added"]:
            self._name.value = ""

    def _show_quick(self, filters: Sequence[dict[str, Any]]) -> None:
        if filters:
            super()._show_quick(filters)

    def _show_filters(self, filters: dict[str, Any] | None) -> None:
        style.show(self._narrowing, shown=bool(filters))
        if filters:
            super()._show_filters(filters)

    def _show_entries(self, entries: dict[str, Any]) -> None:
        """Show the entries of a page. Existing rows are reused, so that the focus does not move."""
        style.show(self._pages, shown=bool(entries["sizes"]))
        if entries["sizes"]:
            self._show_place(entries)
        there, listed = self.rows, entries["rows"]
        self.rows = {entry["id"]: there.get(entry["id"]) or Row(entry, self._event) for entry in listed}
        for number, entry in enumerate(listed, entries["page"] * entries["size"] + 1):
            self.rows[entry["id"]].show(entry, number)
        style.fill(self._list, [row.widget for row in self.rows.values()] or [style.text(entries["empty"])])

    def _show_draft(self, draft: dict[str, Any]) -> None:
        self._verdict.value = draft["verdict"]
        self._changes.value = draft["told"]
        self._discard.disabled, self._apply.disabled = not draft["changes"], not draft["can_apply"]
        style.fill(self._cards, [style.text(f"• {card['count']:,} {card['label']}") for card in draft["cards"]])
        style.fill(self._tables, [rows.lines(table) for table in draft["tables"]])
        self._show_protected(draft["protected"])

    def _show_protected(self, protected: Sequence[dict[str, Any]]) -> None:
        """Add a checkbox for each new token; existing ones stay, so that the focus does not move."""
        if self._protected.keys() - {token["id"] for token in protected}:  # they belong to the previous draft
            self._protected = {}
            style.fill(self._boxes, [])
        added = []
        for token in protected:
            box = self._protected.get(token["id"])
            if box is None:
                name = f"Delete protected token {len(self._protected) + 1}"  # a number: see style about descriptions
                box = self._protected[token["id"]] = style.made(widgets.Checkbox, description=name, indent=False)
                box.observe(self._allower(token["id"]), "value")
                added.append(style.row(box, style.text(token["text"])))
            box.value = token["on"]
        style.fill(self._boxes, [*self._boxes.children, *added])

    def _allower(self, token_id: str) -> Callable[[dict[str, Any]], None]:
        return lambda change: self._event("allow", id=token_id, on=change["new"])


class Row:
    """One entry: the principal, what it costs, its level, a button, and its change."""

    def __init__(self, entry: dict[str, Any], event: Callable[..., None]) -> None:
        self._id, self._event = entry["id"], event
        self._level_now = entry["level"]
        self.who, self.cost = style.text("", "tk-strong"), style.text("", "tk-dim")
        self.level = style.made(widgets.Dropdown, options=entry["levels"], names=("tk-unseen",))
        self.button = style.button("Remove", self._pressed)
        self.change = style.text("", "tk-dim", "tk-change")
        about = style.made(widgets.VBox, [self.who, self.cost], names=("tk-grow",))
        self.widget = style.row(about, self.change, self.level, self.button)
        self.level.observe(lambda change: self._event("level", id=self._id, level=change["new"]), "value")

    def show(self, entry: dict[str, Any], number: int) -> None:
        """Show the entry, whose number is its name for screen readers."""
        is_removed = not entry["level"]
        self._level_now = entry["level"]
        self.who.value = f"{entry['kind']} {entry['name']}" + (f" ({entry['detail']})" if entry["detail"] else "")
        self.cost.value = _cost(entry)
        if not is_removed:
            self.level.value = entry["level"]
        self.level.disabled = entry["fixed"] or is_removed or len(entry["levels"]) == 1
        self.button.disabled = entry["fixed"]
        self.button.description = "Restore" if is_removed else "Remove"
        # By the entry's number, not its name: some front ends render a description as HTML.
        self.level.description = f"Level of entry {number}"
        self.button.tooltip = f"{self.button.description} entry {number}"
        self.change.value = _FIXED if entry["fixed"] else entry["change"]
        (self.who.add_class if is_removed else self.who.remove_class)("tk-removed")

    def _pressed(self) -> None:
        self._event("remove" if self._level_now else "restore", id=self._id)


def _cost(entry: dict[str, Any]) -> str:
    parts = [
        f"members: {entry['members']}" if entry["members"] else "",
        f"only this entry: {entry['alone']}" if entry["alone"] else "",
        f"affected tokens: {entry['tokens']} {entry['ends']}".strip() if entry["tokens"] else "",
    ]
    return " · ".join(filter(None, parts))
