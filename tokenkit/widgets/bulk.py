"""What can be done to many tokens at once, and the few questions that each needs answered before there is a plan."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
import pandas as pd

from tokenkit.actions.plan import Progress
from tokenkit.actions.revocation import RevocationPlan
from tokenkit.widgets import style
from tokenkit.widgets.confirmation import CarryOut, Plan, apply

Answers = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Action:
    """One thing to do.

    Attributes:
        verb: What its buttons say.
        says: What it does, in a sentence.
        questions: What is asked first: a name, what it is called, and the answer that stands there already.
        plan: From the selected tokens and answers to the plan.
        carry_out: From answers to what carries the plan out.
        dangerous: Whether it cannot be undone.
    """

    verb: str
    says: str
    questions: Sequence[tuple[str, str, str]]
    plan: Callable[[pd.DataFrame, Answers], Plan]
    carry_out: Callable[[Answers], CarryOut] = lambda _: apply
    dangerous: bool = False


_REASON = ("reason", "Reason, for the journal", "")


def revoking(make: Callable[..., Plan]) -> Action:
    """Return the action that a maker of revocation plans allows."""
    return Action(
        verb="Revoke",
        says="Revoke the selected tokens, after a preview",
        questions=[_REASON],
        plan=_reasoned(make),
        dangerous=True,
    )


def staging(make: Callable[..., RevocationPlan]) -> Action:
    """Return the action that a maker of revocation plans which can be staged allows: revoke after a grace."""

    def staged(answers: Answers) -> CarryOut:
        def stage(plan: RevocationPlan, _: Progress, __: threading.Event) -> pd.DataFrame:
            return plan.stage(grace=answers["grace"]).notices

        return stage

    return Action(
        verb="Stage",
        says="Announce a revocation, and carry it out after a grace",
        questions=[("grace", "Grace", "14d"), _REASON],
        plan=_reasoned(make),
        carry_out=staged,
    )


def _reasoned(make: Callable[..., Plan]) -> Callable[[pd.DataFrame, Answers], Plan]:
    return lambda tokens, answers: make(tokens, reason=answers["reason"] or None)


def updating(make: Callable[..., Plan]) -> Action:
    """Return the action that a maker of update plans allows."""

    def plan(tokens: pd.DataFrame, answers: Answers) -> Plan:
        scopes = [each.strip() for each in answers["scopes"].split(",") if each.strip()]
        comment, reason = answers["comment"] or None, answers["reason"] or None
        return make(tokens["token_id"].tolist(), comment=comment, scopes=scopes or None, reason=reason)

    return Action(
        verb="Update",
        says="Give the selected tokens another comment or other scopes",
        questions=[("comment", "New comment", ""), ("scopes", "New scopes, with commas", ""), _REASON],
        plan=plan,
    )


class Form:
    """The questions of one action.

    Args:
        ready: Called with the action and the answers when they are given.

    Attributes:
        widget: What to display; it is not seen while nothing is asked.
    """

    def __init__(self, ready: Callable[[Action, Answers], None]) -> None:
        self._ready = ready
        self._action: Action | None = None
        self._boxes: dict[str, Any] = {}
        self._title = style.text("", "tk-strong")
        self._fields = style.row(names=("tk-bottom",))
        self._go = style.button("Preview", self._answered, says="Show what would happen; nothing is changed yet")
        self._cancel = style.button("Cancel", self.close)
        self.widget = style.made(widgets.VBox, [self._title, self._fields], names=("tk-panel",))
        self.close()

    def open(self, action: Action) -> None:
        """Ask what an action needs to know."""
        self._action = action
        self._title.value = action.says
        self._boxes = {
            name: style.field(widgets.Text, description=title, value=value, layout={"width": "220px"})
            for name, title, value in action.questions
        }
        style.fill(self._fields, [*self._boxes.values(), self._go, self._cancel])
        style.show(self.widget)

    def close(self) -> None:
        """Put the questions away."""
        self._action = None
        style.show(self.widget, shown=False)

    def _answered(self) -> None:
        action, answers = self._action, {name: box.value.strip() for name, box in self._boxes.items()}
        if action is not None:
            self.close()
            self._ready(action, answers)
