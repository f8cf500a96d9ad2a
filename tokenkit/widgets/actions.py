"""The actions on selected tokens: their input, their question, and how they are carried out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tokenkit.actions.options import Progress
from tokenkit.actions.plan import Plan
from tokenkit.actions.result import all_of
from tokenkit.actions.resumption import RemainingPlan
from tokenkit.actions.revocation import LAST_TOKEN, RevocationPlan, notice_text
from tokenkit.core.wording import comma_list, of, pluralize
from tokenkit.review.durations import duration
from tokenkit.review.scopes import DOCUMENTED
from tokenkit.widgets.formatting import sentence

Answers = Mapping[str, str]
CarryOut = Callable[[Any, Progress, threading.Event], pd.DataFrame]
SHOWN_WARNINGS = ("used in the last 7 days", "a service principal's", LAST_TOKEN)
"""The warnings whose count a revocation always shows, also when it is 0."""


@dataclass(frozen=True)
class Field:
    """An input.

    Attributes:
        name: The key of the answer.
        label: The displayed label.
        value: The initial answer.
        choices: The offered answers, and their labels; any other text is allowed too.
        several: Whether the answer is a list of choices, separated by commas.
    """

    name: str
    label: str
    value: str = ""
    choices: Sequence[tuple[str, str]] = ()
    several: bool = False


REASON = Field("reason", "Reason (kept in the journal)")
_GRACE = Field("grace", "Grace period", "14d", (("7d", "7 days"), ("14d", "14 days"), ("30d", "30 days")))


def apply(plan: Plan, progress: Progress, stop: threading.Event) -> pd.DataFrame:
    """Apply a plan; the default of an action."""
    return plan.apply(progress=progress, stop=stop)


def _asks(plan: Plan, where: str, _: Answers) -> tuple[str, str]:
    doing = plan.summary().doing
    return f"{doing[:1].upper()}{doing[1:]} on {where}?", ""


@dataclass(frozen=True, kw_only=True)
class Action:
    """One action.

    Attributes:
        name: Its name in messages.
        verb: The label of the button that confirms it, before the number of tokens.
        opens: The label of the button that begins it, and that confirms it if it affects no token.
        says: Its description, in one sentence.
        plan: Returns the plan for the selected tokens and the answers to ``form``.
        form: The input that the plan needs.
        asks: Returns the question and a line below it, for a plan, the workspace's name and the answers.
        options: The input beside the number that confirms the plan.
        execute: Returns the function that applies the plan, for all answers.
        counters: The warnings that are counted even if no token has them.
        dangerous: Whether the action cannot be undone.
        goes: The label of the button that confirms a change of more than tokens, which is asked about even if it costs
            no token; else ``verb`` and the number of tokens are the label.
        cards: What such a change does, in numbers; None counts the warnings of the plan.
        ends: The sentence before the outcomes of a result, with a space, if they are not all that changed.
        remarks: Returns lines about the result.
        copies: Returns the label of a text to copy, and the text, for the workspace's name and the result.
    """

    name: str
    verb: str
    opens: str = ""
    says: str = ""
    plan: Callable[[pd.DataFrame, Answers], Plan]
    form: Sequence[Field] = ()
    asks: Callable[[Any, str, Answers], tuple[str, str]] = _asks
    options: Sequence[Field] = (REASON,)
    execute: Callable[[Answers], CarryOut] = lambda _: apply
    counters: Sequence[str] = ()
    dangerous: bool = False
    goes: str = ""
    cards: Sequence[Mapping[str, Any]] | None = None
    ends: str = ""
    remarks: Callable[[pd.DataFrame], list[str]] = lambda _: []
    copies: Callable[[str, pd.DataFrame], list[tuple[str, str]]] = lambda _, __: []


def revoking(make: Callable[..., Plan]) -> Action:
    """Return the action that revokes tokens, given a function that creates the plan."""

    def asks(plan: Plan, where: str, _: Answers) -> tuple[str, str]:
        count = len(plan)
        return (
            f"Revoke {pluralize(count, 'token')} on {where}?",
            f"{of(count, 'It stops', 'They stop')} working immediately. This cannot be undone.",
        )

    return Action(
        name="revoke",
        verb="Revoke",
        opens="Revoke",
        says="Revoke the selected tokens, after a preview",
        plan=lambda tokens, _: make(tokens),
        asks=asks,
        counters=SHOWN_WARNINGS,
        dangerous=True,
    )


def scheduling(make: Callable[..., RevocationPlan], now: Callable[[], pd.Timestamp]) -> Action:
    """Return the action that schedules a revocation, given functions that create the plan and return the time."""

    def asks(plan: Plan, where: str, answers: Answers) -> tuple[str, str]:
        due = now() + duration(answers["grace"])
        return (
            f"Schedule the revocation of {pluralize(len(plan), 'token')} on {where} for {due:%Y-%m-%d}?",
            f"Nothing is revoked before {due:%Y-%m-%d %H:%M} UTC. Then confirm it again. "
            "Tokens that are used in the meantime are skipped.",
        )

    def execute(answers: Answers) -> CarryOut:
        def stage(plan: RevocationPlan, _: Progress, __: threading.Event) -> pd.DataFrame:
            return plan.stage(grace=answers["grace"]).notices

        return stage

    return Action(
        name="schedule",
        verb="Schedule",
        opens="Schedule revocation",
        says="Announce a revocation, and revoke after a grace period",
        plan=lambda tokens, _: make(tokens),
        asks=asks,
        options=(_GRACE, REASON),
        execute=execute,
        counters=SHOWN_WARNINGS,
        copies=lambda where, notices: [("Copy notices", notice_text(notices, where))],
    )


def updating(make: Callable[..., Plan]) -> Action:
    """Return the action that updates tokens, given a function that creates the plan."""

    def plan(tokens: pd.DataFrame, answers: Answers) -> Plan:
        scopes = comma_list(answers["scopes"])
        return make(tokens["token_id"].tolist(), comment=answers["comment"] or None, scopes=scopes or None)

    return Action(
        name="edit",
        verb="Change",
        opens="Edit scopes or comment",
        says="Change the comment or the scopes of the selected tokens",
        plan=plan,
        form=(
            Field("comment", "New comment (empty: unchanged)"),
            Field(
                "scopes",
                "New scopes (none: unchanged)",
                choices=[(scope, scope) for scope in sorted(DOCUMENTED)],
                several=True,
            ),
        ),
    )


def resuming(plan_resume: Callable[[str], RemainingPlan], run_id: str) -> Action:
    """Return the action that finishes a run, given a function that creates the plan."""

    def asks(plan: RemainingPlan, where: str, answers: Answers) -> tuple[str, str]:
        title, _ = _asks(plan, where, answers)
        final = " This cannot be undone." if plan.deletes_tokens else ""
        return title, f"This is what remains of run {run_id}.{final}"

    return Action(
        name="resume",
        verb="Resume for",
        opens="Resume",
        plan=lambda *_: plan_resume(run_id),
        asks=asks,
        options=(),
        dangerous=True,
        ends=f"{sentence(all_of(run_id))}: ",
    )
