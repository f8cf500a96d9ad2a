"""The explorer: filter, inspect and select the tokens of a workspace or of a saved listing, and act on them.

``Explorer`` describes the screen as sections and handles its events; a ``face`` shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from tokenkit import errors
from tokenkit.core.arguments import flag, whole_number
from tokenkit.core.wording import pluralize
from tokenkit.output import export
from tokenkit.review.usage import share
from tokenkit.widgets import face, formatting, sections, style
from tokenkit.widgets.background import in_background
from tokenkit.widgets.decision import AGAIN, Decision
from tokenkit.widgets.download import Download, write_new
from tokenkit.widgets.face import Event
from tokenkit.widgets.facets import Span
from tokenkit.widgets.listing import completed
from tokenkit.widgets.model import (
    DANGER,
    QUICK_FILTER,
    TEXT_FILTER,
    USED_BY,
    Known,
    Model,
    keys_of,
)
from tokenkit.widgets.plain import Plain
from tokenkit.widgets.screen import Screen
from tokenkit.widgets.source import Source

RUN_TO_OPEN = "Run this cell to open it."
_DESCENDING_FIRST = (DANGER, "last_used_day", USED_BY)


class Explorer(Screen):
    """A screen that shows all tokens. It is displayed at the end of a cell.

    Args:
        source: The tokens, and the actions on them.
        page_size: Number of rows per page, at most 500.
        plain: Whether the screen consists of ipywidgets alone, for front ends that cannot load its JavaScript.

    Attributes:
        filtered: The tokens that match the filters, as a frame, in the displayed order.
        selected: The selected tokens, as a frame.
        widget: The displayed widget, for use in a layout of your own.
    """

    _model: Model

    def __init__(self, source: Source, *, page_size: int = 50, plain: bool = False) -> None:
        flag("plain", plain)
        page_size = whole_number("page_size", page_size, least=1)
        self._source = source
        tokens, findings, self._known = self._read()
        self._model = Model(tokens, findings, page_size=page_size, known=self._known)
        self._model.sort(DANGER, descending=True)
        self._actions = {action.name: action for action in source.actions}
        self._open: str | None = None  # the key of the token in the panel
        self._has_charts = False
        self._choices: dict[str, Any] | None = None
        self._asked_for: list[str] = []
        self._decision = Decision(
            source.name,
            changed=self._show_decision,
            done=self._carried_out,
            now=source.now,
            plan_resume=source.plan_resume,
        )
        self._events: Mapping[str, Callable[[Event], object]] = {
            "search": lambda event: self._narrow(**{TEXT_FILTER: str(event["text"]).strip()}),
            "quick": self._on_quick,
            "filter": self._on_filter,
            "toggle": self._on_toggle,
            "unfilter": lambda event: self._narrow(**{str(event["field"]): None}),
            "clear": lambda _: self._on_clear(),
            "choices": self._on_choices,
            "sort": self._on_sort,
            **self._page_events(),
            "tick": lambda event: self._tick([str(key) for key in event["ids"]], chosen=bool(event["on"])),
            "tick_matching": lambda _: self._select_matching(),
            "tick_none": lambda _: self._select_none(),
            "look": lambda event: self._look(str(event["id"])),
            "unlook": lambda _: self._look(None),
            "charts": lambda event: self._toggle_charts(shown=bool(event["on"])),
            "refresh": lambda _: self.refresh(),
            "download": lambda event: self._download.offer(selected=bool(event["selected"])),
            "part": lambda event: self._download.send_part(int(event["file"]), int(event["part"])),
            "save": lambda event: self._save(selected=bool(event["selected"])),
            "act": lambda event: self._act(str(event["action"])),
            "submit": lambda event: self._decision.submit(event["answers"]),
            "answer": lambda event: self._decision.answer(event["answers"]),
            "confirm": lambda event: self._decision.confirm(event["number"], str(event["typed"]), event["answers"]),
            "stop": lambda _: self._decision.stop(),
            "retry": lambda _: self._on_retry(),
            "again": lambda _: self._decision.again(),
            "resume": lambda event: self._on_resume(str(event.get("run", ""))),
            "cancel_schedule": lambda event: self._cancel_schedule(str(event["run"])),
            "close": lambda _: self._decision.close(),
        }
        self._face = face.make(self._on_event, plain=plain, title=f"Tokens of {source.name}", in_ipywidgets=Plain)
        self.widget = self._face.widget
        self._download = Download(self._face, self._csv, self._file_name)
        self._face.show(actions=sections.actions(source.actions), notice={"text": "", "is_error": False})
        self._show()
        self._show_decision()

    def __repr__(self) -> str:
        return f"<Explorer of {pluralize(len(self._model.tokens), 'token')} on {self._source.name}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """Return the MIME bundle for a front end."""
        return style.bundle(
            self.widget, repr(self), saved=f"Tokens of {self._source.name}: {self._about_line()}. {RUN_TO_OPEN}"
        )

    def close(self) -> None:
        """Close the screen, and free its memory in the kernel and in the browser.

        ``filtered`` and ``selected`` still work afterwards.

        Raises:
            UsageError: A change is in progress.
        """
        super().close()

    @property
    def filtered(self) -> pd.DataFrame:
        """The tokens that match the filters, in the displayed order, with the columns of the listing."""
        return self._model.filtered

    @property
    def selected(self) -> pd.DataFrame:
        """The selected tokens, regardless of the filters, with the columns of the listing."""
        return self._model.selected

    def select(self, tokens: pd.DataFrame | Collection[str]) -> None:
        """Select exactly these tokens. Tokens that are not in the listing are ignored.

        Args:
            tokens: A frame such as ``filtered`` or an audit's findings, or ids. In a listing of several workspaces, an
                id selects the token in every workspace; a frame with the column ``workspace`` is specific.
        """
        ids, keys = self._model.tokens["token_id"], self._model.keys
        if not isinstance(tokens, pd.DataFrame):
            chosen = ids.isin(list(tokens))
        elif "workspace" in self._model.tokens and "workspace" in tokens:
            chosen = keys.isin(keys_of(tokens))
        else:
            chosen = ids.isin(tokens["token_id"])
        self._model.selection = keys[chosen].tolist()
        self._show_selection()

    def export(self, path: str | Path, *, selected: bool = False) -> Path:
        """Write the filtered or the selected tokens as CSV. Secrets in comments are redacted.

        Raises:
            UsageError: The file exists, or cannot be written.
        """
        return write_new(Path(path), self._csv(selected=selected))

    # Display

    def _about_line(self) -> str:
        counts = self._model.tokens["status"].value_counts()
        parts = [pluralize(len(self._model.tokens), "token"), *(f"{n:,} {status}" for status, n in counts.items())]
        if len(self._model.findings):
            parts.append(f"{self._model.with_findings:,} with findings")
        return ", ".join(parts)

    def _show(self) -> None:
        """Show the current state of the model."""
        self._face.show(
            about={
                "title": "Tokens",
                "where": self._source.name,
                "line": f"{self._source.name} · {self._about_line()} · {self._as_of()}",
                "lacks": " · ".join(filter(None, [self._source.lacks(), self._coverage()])),
                "can_refresh": not self._source.is_saved,
                "reading": False,
            },
            unfinished=sections.unfinished(self._known.unfinished),
        )
        self._show_filters()

    def _as_of(self) -> str:
        return f"{'as of' if self._source.is_saved else 'read'} {self._source.now():%Y-%m-%d %H:%M} UTC"

    def _coverage(self) -> str:
        return "" if self._model.usage is None else share(self._model.usage)

    def _show_filters(self) -> None:
        """Show everything that depends on the filters."""
        self._show_page()
        charts = sections.charts(self._model) if self._has_charts else None
        if self._choices is not None:
            self._choices = sections.choices(self._model, self._choices["field"], self._choices["query"])
        self._face.show(
            quick=sections.quick(self._model),
            filters=sections.filters(self._model),
            charts=charts,
            choices=self._choices,
        )

    def _show_page(self) -> None:
        self._face.show(table=sections.table(self._model, now=self._source.now()))
        self._show_selection()
        self._show_panel()

    def _show_selection(self) -> None:
        self._face.show(selection=sections.selection(self._model))

    def _show_panel(self) -> None:
        self._face.show(
            panel=None if self._open is None else sections.panel(self._model, self._open, now=self._source.now())
        )

    # Events

    def _narrow(self, **choices: Any) -> None:  # noqa: ANN401  # as the model takes them
        if all(self._model.filters.get(name) == (value or None) for name, value in choices.items()):
            return
        self._model.narrow(**choices)
        self._tell("")
        self._show_filters()
        self._say(sections.match(self._model))

    def _on_quick(self, event: Event) -> None:
        value = str(event["value"])
        self._narrow(**{QUICK_FILTER: None if self._model.filters.get(QUICK_FILTER) == value else value})

    def _on_filter(self, event: Event) -> None:
        name = str(event["field"])
        if name not in self._model.facets:
            return
        if "values" in event:
            self._narrow(**{name: tuple(str(value) for value in event["values"])})
            return
        numbers = []
        for text in (str(event["low"]).strip(), str(event["high"]).strip()):
            try:
                numbers.append(int(text) if text else None)
            except ValueError:
                self._tell(
                    f"{text!r} is not a whole number of days. Enter a number such as 30, or nothing for no limit.",
                    is_error=True,
                )
                return
        low, high = numbers
        self._narrow(**{name: None if low is None and high is None else Span(low, high)})

    def _on_toggle(self, event: Event) -> None:
        """Add a choice to a filter, or remove it."""
        name, value = str(event["field"]), str(event["value"])
        if name in self._model.facets:
            chosen = [choice for choice in sections.chosen_of(self._model, name) if choice != value]
            self._narrow(**{name: (*chosen, value) if event["on"] else tuple(chosen)})

    def _on_clear(self) -> None:
        self._narrow(**dict.fromkeys(self._model.filters))

    def _on_choices(self, event: Event) -> None:
        name = str(event.get("field") or "")
        self._choices = sections.choices(self._model, name, str(event.get("query", ""))) if name else None
        self._face.show(choices=self._choices)

    def _on_sort(self, event: Event) -> None:
        name = str(event["column"])
        first = name in _DESCENDING_FIRST
        column, descending = self._model.sorted_by or ("", False)
        self._model.sort(name, descending=not descending if column == name else first)
        self._show_page()
        self._say(f"Sorted by {sections.title_of(name)}, {'descending' if self._model.sorted_by[1] else 'ascending'}.")  # type: ignore[index]

    def _tick(self, keys: Collection[str], *, chosen: bool) -> None:
        known = set(self._model.keys[self._model.keys.isin(list(keys))])
        self._model.choose(known if chosen else (), known)
        self._selected()

    def _select_matching(self) -> None:
        self._model.choose_matching()
        self._selected()

    def _select_none(self) -> None:
        self._model.choose_none()
        self._selected()

    def _selected(self) -> None:
        self._show_selection()
        self._say(f"{len(self._model.selection):,} selected.")

    def _look(self, key: str | None) -> None:
        self._open = key
        self._show_panel()

    def _toggle_charts(self, *, shown: bool) -> None:
        self._has_charts = shown
        self._face.show(charts=sections.charts(self._model) if shown else None)

    # Files

    def _file_name(self) -> str:
        return f"tokens-{self._source.now():%Y%m%d-%H%M%S}.csv"

    def _csv(self, *, selected: bool) -> str:
        tokens = self.selected if selected else self.filtered
        return export.csv_text(tokens.assign(comment=formatting.text(tokens["comment"])))

    def _save(self, *, selected: bool) -> None:
        name = self._file_name().removesuffix(".csv")
        names = (Path(f"{name}{f'-{n}' if n else ''}.csv") for n in range(10_000))
        try:
            path = self.export(next(path for path in names if not path.exists()), selected=selected)
        except errors.UsageError as problem:
            self._tell(str(problem), is_error=True)
        else:
            count = len(self.selected if selected else self.filtered)
            self._tell(f"Wrote {pluralize(count, 'token')} to {path.resolve()}, where the kernel runs.")

    # Refresh and actions

    def refresh(self) -> None:
        """Read the tokens again, in the background. Filters, order and selection do not change."""
        self._tell(f"Reading {self._source.name} …")
        in_background(
            self._read, done=self._refreshed, failed=self._not_refreshed, on=self.widget, waits=self._still_reading
        )

    def _read(self) -> tuple[pd.DataFrame, pd.DataFrame | None, Known]:
        tokens, findings = self._source.read()
        return completed(tokens, now=self._source.now()), findings, self._source.known()

    def _refreshed(self, read: tuple[pd.DataFrame, pd.DataFrame | None, Known]) -> None:
        *_, self._known = read
        missing = self._model.replace(*read)
        self._tell(f"No longer listed: {pluralize(missing, 'selected token')}." if missing else "")
        self._show()
        if self._decision.view is None:  # else its result is still being read out
            self._say(f"Read again: {self._about_line()}.")

    def _not_refreshed(self, words: str) -> None:
        self._failed(f"The refresh failed. The tokens shown are those read before. {words}")

    def _failed(self, words: str) -> None:
        self._tell(words, is_error=True)

    def _act(self, name: str) -> None:
        """Begin an action on the tokens that are selected now."""
        if self._decision.busy:
            self._tell("Another change is in progress. Wait until it ends, or stop it.", is_error=True)
        elif name in self._actions and len(self._model.selection):
            self._tell("")
            self._asked_for = self._model.selected_keys()
            self._decision.begin(self._actions[name], self.selected)

    def _on_retry(self) -> None:
        self._asked_for = self._model.selected_keys()
        self._decision.retry()

    def _on_resume(self, run_id: str) -> None:
        self._asked_for = []
        self._decision.resume(run_id)

    def _cancel_schedule(self, run_id: str) -> None:
        cancel = self._source.cancel
        if cancel is not None:
            in_background(lambda: cancel(run_id), done=self._canceled, failed=self._failed, on=self.widget)

    def _canceled(self, count: int) -> None:
        self.refresh()
        self._say(f"Canceled: {pluralize(count, 'token')} will not be revoked.")

    def _carried_out(self, result: pd.DataFrame) -> None:
        """Read the workspace again. The tokens that were not processed stay selected, to try again."""
        if "outcome" in result:
            again = result["outcome"].isin(AGAIN)
            self._model.choose(set(keys_of(result[again])), [*self._asked_for, *keys_of(result)])
            self._show_selection()
        self.refresh()
