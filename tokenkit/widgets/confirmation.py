"""From a plan to its outcome: preview, the count typed, progress with a stop button, results.

What is confirmed is the plan that was shown, and a plan is frozen; whatever is filtered, ticked or refreshed meanwhile
changes the next plan and not this one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import ipywidgets as widgets
import pandas as pd

from tokenkit import errors
from tokenkit.actions import preview
from tokenkit.actions.plan import Progress, Summary, counted
from tokenkit.widgets import rows as rows_of
from tokenkit.widgets import style
from tokenkit.widgets.style import show
from tokenkit.widgets.table import PageTable
from tokenkit.widgets.work import deliverer, in_background

SHOWN_ROWS = 200
_SECONDS_BETWEEN_STEPS = 0.2


class Plan(Protocol):
    """What every plan has, of one workspace or of several."""

    run_id: str | None

    def summary(self) -> Summary: ...  # noqa: D102 - as the plans say

    def preview(self) -> pd.DataFrame: ...  # noqa: D102

    def apply(  # noqa: D102
        self, *, progress: bool | Progress = True, stop: threading.Event | None = None
    ) -> pd.DataFrame: ...


CarryOut = Callable[[Any, Progress, threading.Event], pd.DataFrame]


def apply(plan: Plan, progress: Progress, stop: threading.Event) -> pd.DataFrame:
    """Carry a plan out, as a confirmation does unless it is told otherwise."""
    return plan.apply(progress=progress, stop=stop)


class Confirmation:
    """The panel in which a plan is looked at, confirmed, watched and read about.

    Args:
        workspace: What the workspace is called.
        done: Called with the result once a plan was carried out, all of it or some.
        plain: Whether tables are plain lists.

    Attributes:
        widget: What to display; it is not seen while there is nothing to decide.
        plan: What is being decided; None otherwise.
        busy: Whether something is under way.
    """

    def __init__(self, workspace: str, done: Callable[[pd.DataFrame], None], *, plain: bool = False) -> None:
        self._workspace = workspace
        self._done = done
        self._carry_out: CarryOut = apply
        self._stop = threading.Event()
        self.plan: Plan | None = None
        self.busy = False
        self._title = style.text("", "tk-title")
        self._minds = style.made(widgets.VBox, names=("tk-minds",))
        self._closing = style.made(widgets.VBox, names=("tk-minds",))
        self._caption = style.text("", "tk-dim")
        self._table = PageTable("Tokens", plain=plain, short=True)
        self._typed = style.field(widgets.Text, continuous_update=True, layout={"width": "260px"})
        self._go = style.button("", self._start, style="danger")
        self._cancel = style.button("Cancel", self.close)
        self._ask = style.row(self._typed, self._go, self._cancel, names=("tk-bottom",))
        self._bar = widgets.IntProgress(layout={"width": "320px"})
        self._counter = style.text()
        self._halt = style.button("Stop", self._halted, says="Stop: what was not sent yet is not sent", style="warning")
        self._running = style.row(self._bar, self._counter, self._halt)
        self._close = style.button("Close", self.close)
        self._notice = style.Notice()
        self.widget = style.made(
            widgets.VBox,
            [
                self._title,
                self._minds,
                self._caption,
                self._table.widget,
                self._running,
                self._notice.widget,
                self._closing,
                self._ask,
                self._close,
            ],
            names=("tk-panel",),
        )
        self._typed.observe(lambda _: self._look(), "value")
        self.close()

    def ask(self, make_plan: Callable[[], Plan], *, verb: str, carry_out: CarryOut = apply) -> None:
        """Make a plan in the background, then ask whether it is to be carried out.

        Args:
            make_plan: Makes it.
            verb: What the button says.
            carry_out: Carries it out, and returns a row for each token.
        """
        if self.busy:
            return
        self._carry_out = carry_out
        self._phase("planning")
        self._go.description = verb
        self._go.tooltip = f"{verb}, once the number is typed"
        self._title.value = f"{verb}: reading {self._workspace} …"
        in_background(make_plan, done=self._planned, failed=self._failed)

    def close(self) -> None:
        """Put the panel away. What is under way is not stopped by this."""
        if not self.busy:
            self.plan = None
            self._phase("closed")

    def require_idle(self) -> None:
        """Raise UsageError while something is under way, whose end would be seen nowhere."""
        if self.busy:
            raise errors.UsageError("A change is in progress. Stop it or wait until it ends, then close the screen.")

    def switch(self, *, plain: bool) -> None:
        """Show tables as plain lists, or as tables again."""
        self._table.switch(plain=plain)

    # Looking at the plan

    def _planned(self, plan: Plan) -> None:
        self.plan = plan
        summary = plan.summary()
        in_short = preview.of(plan, limit=SHOWN_ROWS)
        self._phase("asking" if summary.doing else "empty")
        self._title.value = (
            f"{_sentence(summary.doing)} on {self._workspace}?" if summary.doing else "There is nothing to do."
        )
        for table in in_short.tables[:1]:
            self._show_rows(table.rows, table.caption or "Tokens", total=table.total)
        style.fill(self._closing, [style.text(line) for line in in_short.closing])
        self._typed.description = f"Type {summary.count} to {summary.doing}"
        self._look()

    def _show_rows(self, rows: pd.DataFrame, what: str, *, total: int) -> None:
        shown = rows.head(SHOWN_ROWS)
        more = f", the first {SHOWN_ROWS:,} of {total:,}" if total > SHOWN_ROWS else ""
        self._caption.value = f"{what}{more}:" if len(rows) else ""
        show(self._table.widget, shown=bool(len(rows)))
        self._table.show(readable(shown), [str(place) for place in range(len(shown))])

    def _look(self) -> None:
        """Let the button be pressed only while the number stands there."""
        wanted = str(self.plan.summary().count) if self.plan is not None else None
        self._go.disabled = self._typed.value.strip().replace(",", "") != wanted

    # Carrying it out

    def _start(self) -> None:
        plan = self.plan
        if self.busy or plan is None or self._go.disabled:
            return
        self._stop = stop = threading.Event()
        self._bar.value, self._bar.max = 0, max(1, plan.summary().count)
        self._counter.value = "Reading the workspace once more …"
        self._halt.disabled = False
        self._halt.description = "Stop"
        self._phase("running")
        watcher = _Watcher(self._advanced)
        in_background(
            lambda: self._carry_out(plan, watcher, stop),
            done=lambda result: self._ended(result, watcher.ended_early),
            failed=self._failed,
        )

    def _advanced(self, done: int, total: int) -> None:
        self._bar.max, self._bar.value = total, done
        self._counter.value = f"{done:,} of {total:,}"

    def _halted(self) -> None:
        self._stop.set()
        self._halt.disabled = True
        self._halt.description = "Stopping …"

    def _ended(self, result: pd.DataFrame, ended_early: str) -> None:
        plan = self.plan
        self._phase("done")
        if "outcome" in result:
            counts = result["outcome"].replace("planned", "not sent").value_counts()
            said = ", ".join(f"{n:,} {outcome}" for outcome, n in counts.items())
            result = result.sort_values("outcome", key=lambda column: column.map(_URGENCY).fillna(0), kind="stable")
        else:
            said = f"{counted(len(result), 'owner')} to tell"
        self._title.value = f"{_sentence(said)}."
        style.fill(self._minds, [style.text(f"Run {plan.run_id}", "tk-dim")] if plan and plan.run_id else [])
        if ended_early:
            self._notice.complain(ended_early)
        self._show_rows(result, "Results", total=len(result))
        self.plan = None
        self._done(result)

    def _failed(self, words: str) -> None:
        self._phase("failed")
        self._title.value = "It did not work."
        self._notice.complain(words)
        self.plan = None

    def _phase(self, phase: str) -> None:
        """Show what belongs to a phase and nothing else."""
        self.busy = phase in {"planning", "running"}
        self._notice.say("")
        self._typed.value = ""
        if phase != "running":
            style.fill(self._minds, [])
            style.fill(self._closing, [])
            self._caption.value = ""
            show(self._table.widget, shown=False)
        show(self.widget, shown=phase != "closed")
        show(self._ask, shown=phase == "asking")
        show(self._running, shown=phase == "running")
        show(self._close, shown=phase in {"empty", "done", "failed"})


_URGENCY = {"failed": -3, "unknown": -2, "planned": -1}


class _Watcher:
    """Passes progress on to the screen, a few times a second."""

    def __init__(self, advanced: Callable[[int, int], None]) -> None:
        self._advanced = advanced
        self._deliver = deliverer()
        self._told_at = 0.0
        self.ended_early = ""

    def advance(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - self._told_at >= _SECONDS_BETWEEN_STEPS:
            self._told_at = now
            self._deliver(self._advanced, done, total)

    def end_early(self, words: str) -> None:
        self.ended_early = words


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows as the text that a screen shows, under names that it shows."""
    text = {_sentence(str(name).replace("_", " ")): rows_of.text(rows[name]) for name in rows.columns}
    if "Token id" in text:
        text["Token id"] = text["Token id"].str.slice(0, rows_of.ID_LETTERS)
    return pd.DataFrame(text, index=rows.index)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
