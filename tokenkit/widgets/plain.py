"""The plain face of a screen: ipywidgets alone, which show the same sections and send the same events.

Text of a workspace is only in labels, in values of text fields and in options of lists; see ``style``. Tokens are
chosen from lists by their keys. Each page has a list of its own, so that a late click is about the tokens that were
seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets

from tokenkit.core.wording import pluralize
from tokenkit.widgets import formatting, style
from tokenkit.widgets.confirmation import Confirmation
from tokenkit.widgets.face import Hear
from tokenkit.widgets.plain_face import PlainFace, offer, options_of

_LIST_LINES = 14
_NONE = ""  # not None, which means no selection
_ADDRESSES = "Addresses: only in the frame of ws.usage(), because a notebook can store this screen."


class Plain(PlainFace):
    """The face of ipywidgets; see ``face``.

    Args:
        hear: Called with each event.
        why: Why the screen is plain.

    Attributes:
        widget: The displayed widget.
    """

    def __init__(self, hear: Hear, *, why: str) -> None:
        super().__init__(hear)
        self._buttons: dict[str, widgets.Button] = {}
        self._title, self._line = style.text("", "tk-title"), style.text("", "tk-dim")
        self._notice = style.Notice()
        self._decision = Confirmation(hear)
        self._unfinished = style.made(widgets.VBox)
        self._browse = style.made(
            widgets.VBox,
            [self._unfinished, self._build_filters(), self._build_selection(), self._build_list(), self._build_panel()],
        )
        head = style.row(
            style.made(widgets.VBox, [self._title, self._line, style.text(why, "tk-dim")], names=("tk-grow",)),
            self._button("Refresh", "refresh", says="Read the tokens again"),
            self._button("Write CSV", "save", says="Write the filtered tokens to a file", selected=False),
        )
        self.widget = style.screen(head, self._notice.widget, self._decision.widget, self._browse)

    # The parts

    def _button(self, label: str, event: str, *, says: str = "", **data: Any) -> widgets.Button:  # noqa: ANN401  # as above
        self._buttons[label] = style.button(label, lambda: self._event(event, **data), says=says)
        return self._buttons[label]

    def _build_filters(self) -> widgets.VBox:
        self._field = self._choice("Filter by", self._choose_field)
        self._part = self._typed("Value contains", self._find_choices)
        self._low = self._typed("At least, days", lambda _: self._choose_days(), width="110px")
        self._high = self._typed("At most, days", lambda _: self._choose_days(), width="110px")
        self._values = style.made(widgets.VBox)
        self._chips = style.text("", "tk-dim")
        clear = self._button("Clear filters", "clear")
        return style.made(
            widgets.VBox,
            [
                style.row(
                    self._quick, self._search, self._field, self._part, self._low, self._high, names=("tk-bottom",)
                ),
                self._values,
                style.row(self._match, self._chips, clear),
            ],
        )

    def _build_selection(self) -> widgets.Box:
        self._count = style.text("", "tk-strong")
        self._acts = style.row()
        page = style.button("Select page", lambda: self._tick_page(on=True), says="Select all tokens on this page")
        self._all = style.button("Select all", lambda: self._event("tick_matching"))
        self._none = self._button("Select none", "tick_none")
        self._save = self._button("Write selected CSV", "save", selected=True)
        return style.row(self._count, page, self._all, self._none, self._save, self._acts)

    def _build_list(self) -> widgets.VBox:
        self._sort = self._choice("Sort by", self._sort_by, width="150px")
        self._turn_round = style.button("Reverse", lambda: self._event("sort", column=self._sort.value))
        self._rows = style.made(widgets.VBox)
        return style.made(
            widgets.VBox,
            [style.row(self._sort, self._turn_round, self._size, self._turning, names=("tk-bottom",)), self._rows],
        )

    def _build_panel(self) -> widgets.VBox:
        self._detailed = self._choice(
            "Details of", lambda key: self._event("look", id=key) if key else self._event("unlook"), width="100%"
        )
        self._details = style.made(widgets.VBox, names=("tk-minds",))
        return style.made(widgets.VBox, [self._detailed, self._details])

    # Sections

    def _show_about(self, about: dict[str, Any]) -> None:
        self._title.value = f"{about['title']} of {formatting.shown(about['where'])}"
        self._line.value = formatting.shown(" · ".join(filter(None, (about["line"], about["lacks"]))))
        style.show(self._buttons["Refresh"], shown=about["can_refresh"])

    def _show_unfinished(self, unfinished: dict[str, Any] | None) -> None:
        parts: list[widgets.Widget] = []
        if unfinished:
            resume = self._resumer(unfinished["label"], unfinished["run"])
            parts = [style.row(style.text(unfinished["text"], "tk-strong"), resume)]
        style.fill(self._unfinished, parts)

    def _resumer(self, label: str, run_id: str) -> widgets.Button:
        return style.button(label, lambda: self._event("resume", run=run_id))

    def _show_notice(self, notice: dict[str, Any]) -> None:
        (self._notice.show_error if notice["is_error"] else self._notice.say)(notice["text"])

    def _show_filters(self, filters: dict[str, Any]) -> None:
        super()._show_filters(filters)
        self._chips.value = "; ".join(chip["label"] for chip in filters["chips"])
        style.show(self._buttons["Clear filters"], shown=filters["is_filtered"])
        fields = [("choose …", _NONE), *((field["title"], field["name"]) for field in filters["fields"])]
        offer(self._field, fields, self._field.value or _NONE)

    def _choose_field(self, name: str) -> None:
        self._is_updating = True
        self._part.value = self._low.value = self._high.value = ""
        self._is_updating = False
        self._event("choices", field=name)

    def _find_choices(self, query: str) -> None:
        if self._field.value:
            self._event("choices", field=self._field.value, query=query)

    def _choose_days(self) -> None:
        if self._field.value:
            self._event("filter", field=self._field.value, low=self._low.value, high=self._high.value)

    def _show_choices(self, choices: dict[str, Any] | None) -> None:
        is_open = bool(choices and choices["field"])
        for box in (self._low, self._high):
            style.show(box, shown=bool(choices and is_open and choices["is_days"]))
        style.show(self._part, shown=bool(choices and is_open and choices["searchable"]))
        if not choices or not is_open:
            style.fill(self._values, [])
            return
        options = [(f"{item['label']} ({item['count']:,})", item["value"]) for item in choices["items"]]
        chosen = tuple(item["value"] for item in choices["items"] if item["on"])
        old = self._values.children[0] if self._values.children else None
        if old is not None and (options_of(old), old.value) == (options, chosen):
            return
        listed = style.field(
            widgets.SelectMultiple,
            description="Values (several with Control)",
            options=options,
            value=chosen,
            rows=min(8, max(2, len(options))),
            names=("tk-list",),
        )
        hidden = [value for value in self._chosen_values() if value not in {value for _, value in options}]
        listed.observe(
            lambda change: self._event("filter", field=choices["field"], values=[*hidden, *change["new"]]), "value"
        )
        style.fill(self._values, [listed, *([style.text(choices["more"], "tk-dim")] if choices["more"] else [])])

    def _chosen_values(self) -> list[str]:
        return list(self._sections["choices"].get("chosen", ()))

    def _show_table(self, table: dict[str, Any]) -> None:
        columns = [(column["title"], column["name"]) for column in table["columns"]]
        offer(self._sort, columns, table["sort"] or None)
        self._turn_round.description = "↓ Descending" if table["descending"] else "↑ Ascending"
        self._turn_round.tooltip = "Reverse the order"
        self._turn_round.disabled = not table["sort"]
        self._show_place(table)
        if not table["rows"]:
            style.fill(self._rows, [style.text(table["empty"])])
        else:
            self._list_rows(table["rows"])
        offer(self._detailed, [("choose a token …", _NONE), *self._lines()], self._looked_at())

    def _lines(self) -> list[tuple[str, str]]:
        return [(formatting.line(row), row["id"]) for row in self._sections["table"]["rows"]]

    def _list_rows(self, rows: Sequence[dict[str, Any]]) -> None:
        selected = set(self._sections.get("selection", {}).get("ids", ()))
        keys = [row["id"] for row in rows]
        listed = style.field(
            widgets.SelectMultiple,
            description="Tokens (select several with Control or Shift)",
            options=self._lines(),
            value=[key for key in dict.fromkeys(keys) if key in selected],
            rows=_LIST_LINES,
            names=("tk-list",),
        )
        listed.observe(self._picked, "value")
        style.fill(self._rows, [listed])

    def _picked(self, change: dict[str, Any]) -> None:
        before, now = set(change["old"]), set(change["new"])
        if now - before:
            self._event("tick", ids=[key for key in change["new"] if key not in before], on=True)
        if before - now:
            self._event("tick", ids=[key for key in change["old"] if key not in now], on=False)

    def _tick_page(self, *, on: bool) -> None:
        self._event("tick", ids=[row["id"] for row in self._sections["table"]["rows"]], on=on)

    def _sort_by(self, column: str) -> None:
        if column != self._sections["table"]["sort"]:
            self._event("sort", column=column)

    def _show_selection(self, selection: dict[str, Any]) -> None:
        hidden = f" ({selection['hidden']:,} hidden by the filters)" if selection["hidden"] else ""
        self._count.value = f"{selection['count']:,} selected{hidden}"
        self._all.description = f"Select all {selection['matching']:,}"
        for part in (self._none, self._save, *self._acts.children):
            part.disabled = not selection["count"]
        if self._rows.children and isinstance(self._rows.children[0], widgets.SelectMultiple):
            chosen = set(selection["ids"])
            wanted = tuple(key for key in dict.fromkeys(key for _, key in self._lines()) if key in chosen)
            if self._rows.children[0].value != wanted:
                self._rows.children[0].value = wanted

    def _show_actions(self, actions: Sequence[dict[str, Any]]) -> None:
        style.fill(self._acts, [self._opener(**action) for action in actions])

    def _opener(self, *, name: str, label: str, says: str, danger: bool) -> widgets.Button:
        look = "danger" if danger else ""
        return style.button(f"{label} …", lambda: self._event("act", action=name), says=says, style=look)

    def _looked_at(self) -> str:
        panel = self._sections.get("panel")
        return panel["id"] if panel and panel["id"] in {key for _, key in self._lines()} else _NONE

    def _show_panel(self, panel: dict[str, Any] | None) -> None:
        offer(self._detailed, [("choose a token …", _NONE), *self._lines()], self._looked_at())
        if panel is None:
            style.fill(self._details, [])
            return
        lines = [style.text(panel["title"] or "no comment", "tk-title")]
        lines.append(
            style.text(f"{panel['owner'] or 'unknown owner'} · {panel['kind']} · {panel['token_id']}", "tk-dim")
        )
        if schedule := panel["schedule"]:
            lines.append(style.text(schedule["text"], "tk-strong"))
            label = f"Cancel the schedule ({pluralize(schedule['count'], 'token')})"
            buttons = [style.button(label, lambda: self._event("cancel_schedule", run=schedule["run"]))]
            if schedule["is_due"]:
                buttons.append(self._resumer("Resume the run …", schedule["run"]))
            lines.append(style.row(*buttons))
        for finding in panel["findings"]:
            severity = f" ({finding['severity']})" if finding["severity"] else ""
            lines.append(style.text(f"• {finding['title']}{severity}", "tk-strong"))
            lines += [style.text(finding[name].replace("\n", " ")) for name in ("evidence", "remedy") if finding[name]]
        lines += [style.text(f"{name}: {value}") for name, value in panel["sentences"]]
        lines += [style.text(f"• {other['title']} · {other['short']}", "tk-dim") for other in panel["others"]]
        if use := panel["use"]:
            lines.append(style.text("Used by", "tk-strong"))
            lines += [style.text(f"{name}: {value}") for name, value in use["sentences"]]
            if use["addresses"]:  # not shown: see _ADDRESSES
                lines.append(style.text(_ADDRESSES, "tk-dim"))
            lines.append(style.text(use["note"], "tk-dim"))
        lines.append(style.text("All fields", "tk-strong"))
        lines += [style.text(f"{name}: {value}", "tk-dim") for name, value in panel["fields"]]
        style.fill(self._details, lines)

    def _show_decision(self, view: dict[str, Any] | None) -> None:
        self._decision.show(view)
        style.show(self._browse, shown=view is None)
