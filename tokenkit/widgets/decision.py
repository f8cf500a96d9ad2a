"""A decision: input, preview, confirmation by typing the count, progress with a stop button, results.

This module has no widget. ``Decision.view`` is what a screen shows, as plain data, and the methods are what a user
does. A decision applies the plan that it shows, and a plan is frozen: filters, selection and refreshes affect only the
next plan. Each plan has a number, which a click carries, so that a late click never confirms another plan.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from tokenkit import errors
from tokenkit.actions.plan import Plan, Summary
from tokenkit.actions.preview import worst_first_of
from tokenkit.actions.resumption import RemainingPlan
from tokenkit.actions.revocation import LAST_TOKEN, NOT_FOUND
from tokenkit.actions.states import PENDING, STATES, UNKNOWN
from tokenkit.actions.update import ALL_APIS_ALLOWED
from tokenkit.core.printable import printable_lines
from tokenkit.core.redaction import redact
from tokenkit.core.wording import in_progress, of, pluralize
from tokenkit.review.preview import visible
from tokenkit.review.values import words
from tokenkit.widgets import formatting, plan_table
from tokenkit.widgets.actions import Action, Field, resuming
from tokenkit.widgets.background import deliverer, in_background

SHOWN_ROWS = 200
AGAIN = ("failed", "unknown", "pending", "still_listed")
"""The outcomes of tokens that were not processed, or perhaps not."""
FORM, PLANNING, ASKING, EMPTY, RUNNING, DONE, FAILED = (
    "form",
    "planning",
    "asking",
    "empty",
    "running",
    "done",
    "failed",
)
_SECONDS_BETWEEN_STEPS = 0.2
_HOW = "; to finish, run"
_COUNTED = {
    "this session signs in with it": ("that this session signs in with", "that this session signs in with"),
    "yours": ("owned by you", "owned by you"),
    "a service principal's": ("owned by a service principal", "owned by service principals"),
    LAST_TOKEN: ("of an owner who keeps no active token", "of owners who keep no active token"),
    "expired already": ("already expired", "already expired"),
    ALL_APIS_ALLOWED: ("that will have access to all APIs", "that will have access to all APIs"),
    "new scopes": ("with new scopes", "with new scopes"),
    "may have been processed: looked up first": (
        "that may be done already, looked up first",
        "that may be done already, looked up first",
    ),
}
"""The warnings behind a count: the singular and the plural."""
_OUTCOMES = {state: words(state) for state in STATES} | {PENDING: "not sent"}
_WHY = {NOT_FOUND: "no longer listed", "yours": "yours, which a screen does not revoke"}
"""The reasons for leaving tokens out that are worded differently on a screen, which listed them."""
_URGENCY = ("failed", "unknown", "still_listed", "pending", "skipped", "already_gone")
_RANKS = {outcome: rank for rank, outcome in enumerate(_URGENCY)}


class Decision:
    """A change that a user prepares, confirms and watches.

    Args:
        workspace: The name of the workspace.
        changed: Called after ``view`` has changed.
        done: Called with the result after a plan was applied, completely or partly, and with an empty frame after a
            plan was discarded that lacks tokens because the workspace no longer has them.
        now: Returns the current time.
        plan_resume: Returns the plan to finish a run; None if a stopped run cannot be resumed here.

    Attributes:
        plan: The current plan, or None.
        busy: Whether a plan is being created or applied.
        phase: What it is at; empty if there is nothing to decide.
    """

    def __init__(
        self,
        workspace: str,
        *,
        changed: Callable[[], None],
        done: Callable[[pd.DataFrame], None],
        now: Callable[[], pd.Timestamp],
        plan_resume: Callable[[str], RemainingPlan] | None = None,
    ) -> None:
        self._workspace = workspace
        self._changed = changed
        self._done = done
        self._now = now
        self._plan_resume = plan_resume
        self._stop = threading.Event()
        self._number = 0
        self._action: Action | None = None
        self._tokens = pd.DataFrame()
        self._answers: dict[str, str] = {}
        self._view: dict[str, Any] = {}
        self._failed_tokens = pd.DataFrame()
        self._started_at = 0.0
        self._lacks_tokens = False
        self._run = ""  # that the next plan continues
        self.plan: Plan | None = None
        self.phase = ""

    @property
    def busy(self) -> bool:
        """Whether a plan is being created or applied."""
        return self.phase in {PLANNING, RUNNING}

    @property
    def view(self) -> dict[str, Any] | None:
        """What a screen shows; None if there is nothing to decide."""
        return self._view if self.phase else None

    def require_idle(self) -> None:
        """Raise UsageError while a change is in progress, because its result would not be shown."""
        if self.busy:
            raise errors.UsageError("A change is in progress. Stop it or wait until it ends, then close the widget.")

    # Before the plan

    def begin(self, action: Action, tokens: pd.DataFrame, *, run: str = "") -> None:
        """Begin an action on some tokens: ask for the input of its plan, or create the plan.

        Args:
            action: The action.
            tokens: The tokens.
            run: The run that the plan continues.
        """
        if self.busy:
            return
        self._run = run
        self._action, self._tokens = action, tokens
        self._answers = {field.name: field.value for field in (*action.form, *action.options)}
        if action.form:
            title = f"{action.opens}: {pluralize(len(tokens), 'token')} on {self._workspace}"
            self._enter(FORM, title=title, go="Preview", fields=_inputs(action.form, self._answers))
        else:
            self._make_plan()

    def submit(self, answers: Mapping[str, str]) -> None:
        """Create the plan, with the input that it needs."""
        if self.phase == FORM:
            self._take(answers)
            self._make_plan()

    def _take(self, answers: Mapping[str, str]) -> None:
        self._answers |= {name: str(text).strip() for name, text in answers.items() if name in self._answers}

    def _make_plan(self) -> None:
        action, tokens, answers = self._action, self._tokens, dict(self._answers)
        assert action is not None
        doing = action.goes or f"{action.verb} {pluralize(len(tokens), 'token')}"
        self._enter(PLANNING, title=f"{doing}: reading {self._workspace} …")
        in_background(lambda: action.plan(tokens, answers), done=self._planned, failed=self._fail, waits=self._say_wait)

    def _say_wait(self, words: str) -> None:
        if self.phase == PLANNING:
            self._view = self._view | {"lines": [words]}
        elif self.phase == RUNNING:
            progress = self._view["progress"]
            done = f"{progress['done']:,} of {progress['total']:,} · " if progress["done"] else ""
            self._view = self._view | {"progress": progress | {"text": f"{done}{words}"}}
        self._changed()

    # The confirmation

    def _planned(self, plan: Plan) -> None:
        self.plan = plan
        summary, action = plan.summary(), self._action
        assert action is not None
        self._lacks_tokens = NOT_FOUND in summary.left_out
        if not summary.doing and not action.goes:
            self._enter(EMPTY, title="Nothing to do", lines=_closing(summary))
            return
        tokens = worst_first_of(plan.preview(), list(summary.warnings))
        if "outcome" in tokens:
            so_far = tokens["outcome"]
            tokens = tokens.drop(columns="outcome") if (so_far == PENDING).all() else _with_words(tokens)
        tables = [
            plan_table.table(rows, caption=formatting.sentence(caption), now=self._now(), most=SHOWN_ROWS)
            for caption, rows in plan.principals().items()
        ]
        tables.append(plan_table.table(tokens, caption="Tokens", now=self._now(), most=SHOWN_ROWS))
        self._enter(
            ASKING,
            danger=action.dangerous,
            cards=_counted(summary.warnings, action.counters) if action.cards is None else list(action.cards),
            tables=[table for table in tables if table["rows"]],
            lines=_closing(summary),
            count=summary.count,
            go=action.goes or (f"{action.verb} {pluralize(summary.count, 'token')}" if summary.count else action.opens),
            fields=_inputs(action.options, self._answers),
        )

    def answer(self, answers: Mapping[str, str]) -> None:
        """Take the answers to the options, which can change the question."""
        before = dict(self._answers)
        self._take(answers)
        if self.phase == ASKING and before != self._answers:
            self._ask()
            self._changed()

    def _ask(self, **problems: str) -> None:
        """Update the question, and the errors beside the fields."""
        assert self._action is not None
        assert self.plan is not None
        try:
            title, lead = self._action.asks(self.plan, self._workspace, self._answers)
        except errors.TokenKitError as problem:
            name = self._action.options[0].name if self._action.options else ""
            problems = {name: str(problem)} | problems
        else:
            self._view = self._view | {"title": title, "lead": lead}
        self._view = self._view | {"errors": problems, "fields": _inputs(self._action.options, self._answers)}

    def confirm(self, number: int, typed: str, answers: Mapping[str, str]) -> None:
        """Apply the plan that has this number, if the typed count is right."""
        plan, action = self.plan, self._action
        if self.phase != ASKING or number != self._number or plan is None or action is None:
            return
        self._take(answers)
        wanted = plan.summary().count
        wrong = wanted > 0 and typed.strip().replace(",", "") != str(wanted)
        self._ask(**({"typed": f"That is not the number of tokens: type {wanted:,}."} if wrong else {}))
        if self._view["errors"]:
            self._changed()
            return
        if "reason" in self._answers:
            plan.set_reason(self._answers["reason"] or None)
        self._lacks_tokens = False
        self._stop = stop = threading.Event()
        self._started_at = time.monotonic()
        carry_out, listener = action.execute(dict(self._answers)), _Watcher(self._advanced)
        self._enter(
            RUNNING,
            title=in_progress(self._view["title"].rstrip("?")),
            progress={
                "done": 0,
                "total": max(1, wanted),
                "text": "Reading the workspace again, then sending requests …",
                "stopping": False,
            },
        )
        in_background(
            lambda: carry_out(plan, listener, stop),
            done=lambda result: self._ended(result, listener.ended_early),
            failed=self._fail,
            waits=self._say_wait,
        )

    # While it runs, and afterwards

    def stop(self) -> None:
        """Send no new request."""
        if self.phase == RUNNING:
            self._stop.set()
            self._view = self._view | {"progress": self._view["progress"] | {"stopping": True}}
            self._changed()

    def _advanced(self, done: int, total: int) -> None:
        if self.phase != RUNNING:
            return
        elapsed = time.monotonic() - self._started_at
        text = f"{done:,} of {total:,}" + (" · confirming the outcomes …" if done == total else "")
        if 0 < done < total and elapsed > 1:
            text += (
                f" · {done / elapsed:,.0f} per second · about {_duration((total - done) * elapsed / done)} remaining"
            )
        progress = self._view["progress"] | {"done": done, "total": total, "text": text}
        self._view = self._view | {"progress": progress}
        self._changed()

    def _ended(self, result: pd.DataFrame, ended_early: str) -> None:
        plan = self.plan
        assert plan is not None
        assert self._action is not None
        remarks = self._action.remarks(result)
        copies = [
            (label, printable_lines(redact(text))) for label, text in self._action.copies(self._workspace, result)
        ]
        buttons: list[list[str]] = []
        self._failed_tokens = pd.DataFrame()
        if "outcome" in result:
            counts = result["outcome"].value_counts()
            order = sorted(set(result["outcome"]), key=lambda outcome: _RANKS.get(outcome, -1))
            named = _OUTCOMES | {UNKNOWN: "with an unknown outcome"}
            title = ", ".join(f"{counts[outcome]:,} {named.get(outcome, outcome)}" for outcome in order)
            title = f"{self._action.ends}{title or 'No token was affected'}"
            buttons = self._ways_on(result, plan.run_id)
            if UNKNOWN in counts and ["resume"] in [button[:1] for button in buttons]:
                remarks = [*remarks, "Tokens with an unknown outcome may be done already: Resume looks them up first."]
            rows = _described(result, [plan.preview(), self._tokens])
        else:
            rows = result
            title = f"Scheduled: {pluralize(len(plan), 'token')}, {pluralize(len(result), 'owner')} to notify"
        run_id = plan.run_id or ""
        if any(event == "resume" for event, _ in buttons):  # which is what to run here
            ended_early = f"{ended_early.partition(_HOW)[0].rstrip('.')}." if ended_early else ""
        lines = [*remarks, *([ended_early] if ended_early else [])]
        if "error" in rows and len(rows) > 1:
            reasons = plan_table.without_requests(rows["error"])
            if reasons.notna().all() and reasons.eq(reasons.iloc[0]).all():  # said once
                lines, rows = [*lines, f"Of each token: {reasons.iloc[0]}"], rows.drop(columns="error")
        table = plan_table.table(rows, caption="Results", now=self._now(), most=SHOWN_ROWS)
        self.plan = None
        self._enter(DONE, title=f"{title}.", lines=lines, tables=[table], run=run_id, copies=copies, buttons=buttons)
        self._done(result)

    def _ways_on(self, result: pd.DataFrame, run_id: str | None) -> list[list[str]]:
        """Return the buttons that go on with what was not processed."""
        again = result[result["outcome"].isin(AGAIN)]
        can_resume = self._plan_resume is not None and run_id is not None
        self._failed_tokens = again[again["outcome"] == "failed"] if can_resume else again
        remaining = len(again) - len(self._failed_tokens)
        buttons = [["retry", f"Retry {pluralize(len(self._failed_tokens), 'failed token')}"]]
        return (buttons if len(self._failed_tokens) else []) + (
            [["resume", f"Resume ({remaining:,} remaining)"]] if remaining else []
        )

    def retry(self) -> None:
        """Plan the action again, for the tokens that failed."""
        if self.phase == DONE and len(self._failed_tokens) and self._action is not None:
            self._tokens = self._failed_tokens
            self._run = str(self._view.get("run", ""))
            self._make_plan()

    def resume(self, run_id: str = "") -> None:
        """Plan what remains of a run: of the last one, or of one that was scheduled."""
        run_id = run_id or str(self._view.get("run", ""))
        if self._plan_resume is not None and run_id and not self.busy:
            self.begin(resuming(self._plan_resume, run_id), self._tokens, run=run_id)

    def again(self) -> None:
        """Create the plan again that could not be created."""
        if self.phase == FAILED and self._action is not None:
            self._make_plan()

    def close(self) -> None:
        """Discard the plan, unless one is being created or applied."""
        if not self.busy:
            self.plan = None
            self._enter("")
            if self._lacks_tokens:
                self._lacks_tokens = False
                self._done(pd.DataFrame())

    def _fail(self, words: str) -> None:
        """Say what failed, and how to go on: without a plan nothing was changed, and a run may be unfinished."""
        plan, action, was_planning = self.plan, self._action, self.phase == PLANNING
        assert action is not None
        self.plan = None
        run_id = None if was_planning or plan is None else plan.run_id
        if run_id is None:  # a run is recorded before the first request
            title = "Nothing more was changed." if self._run else "Nothing was changed."
            buttons = [["again", "Try again"]]
            self._enter(FAILED, title=title, error=words, run=self._run, buttons=buttons)
        elif self._plan_resume is None or action.goes:  # one request, whose draft is kept
            found_in = f"To see what run {run_id} changed, read it in the journal."
            self._enter(FAILED, title="The change was not completed.", error=f"{words} {found_in}")
        else:
            how = "To see what remains of the run, select Resume. Nothing is sent before you confirm it."
            buttons = [["resume", "Resume …"]]
            self._enter(
                FAILED, title="The change was not completed.", error=words, lines=[how], run=run_id, buttons=buttons
            )

    def _enter(self, phase: str, **view: Any) -> None:  # noqa: ANN401  # what a screen shows
        self.phase = phase
        self._number += 1
        self._view = {"phase": phase, "number": self._number, "title": "", "lead": "", "errors": {}} | view
        if phase == ASKING:
            self._ask()
        self._changed()


class _Watcher:
    """Reports progress, a few times per second."""

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


def _inputs(fields: Any, answers: Mapping[str, str]) -> list[dict[str, Any]]:  # noqa: ANN401  # fields of an action
    return [_input(field, answers[field.name]) for field in fields]


def _input(field: Field, value: str) -> dict[str, Any]:
    return {
        "name": field.name,
        "label": field.label,
        "value": value,
        "choices": [list(choice) for choice in field.choices],
        "several": field.several,
    }


def _counted(warnings: Mapping[str, int], counters: Sequence[str]) -> list[dict[str, Any]]:
    counts = dict.fromkeys(counters, 0) | dict(warnings)
    return [
        {
            "count": count,
            "label": of(count, *_COUNTED.get(name, (name, name))),
            "level": plan_table.WARNING_LEVELS.get(name, "") if count else "",
        }
        for name, count in counts.items()
        if count or name in counters
    ]


def _shown_reason(why: str) -> str:
    short = why.partition(";")[0]  # an argument of Python follows
    return _WHY.get(short, short)


def _closing(summary: Summary) -> list[str]:
    left_out = [
        f"Left out: {pluralize(count, 'token')} ({_shown_reason(why)})." for why, count in summary.left_out.items()
    ]
    lines = (summary.evidence, *left_out, *summary.unprotected, *summary.explained.values())
    return [visible(line) for line in lines if line]


def _described(result: pd.DataFrame, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return a result with the comments of its tokens from some frames, those that need attention first."""
    names = [name for name in ("workspace", "token_id") if name in result]
    known = [*names, "comment"]
    if described := [tokens[known] for tokens in frames if {*known} <= {*tokens}]:
        result = result.merge(pd.concat(described).drop_duplicates(names), on=names, how="left")
    order = result["outcome"].map(_RANKS).fillna(len(_RANKS)).sort_values(kind="stable").index
    return _with_words(result.loc[order])


def _with_words(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(outcome=rows["outcome"].map(_OUTCOMES).fillna(rows["outcome"]))


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{max(1, round(seconds)):,} s" if seconds < 90 else f"{minutes:,} min"
