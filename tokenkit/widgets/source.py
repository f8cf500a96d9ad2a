"""What an explorer is given: where its tokens come from, and what can be done with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from tokenkit.actions.resumption import RemainingPlan
from tokenkit.widgets.actions import Action
from tokenkit.widgets.model import NOTHING_KNOWN, Known


@dataclass(frozen=True, kw_only=True)
class Source:
    """The input of an explorer.

    Attributes:
        name: The name of the workspace or of the listing.
        read: Returns the current tokens and audit findings.
        now: Returns the current time.
        known: Returns what else is known about the tokens.
        actions: The actions on selected tokens.
        plan_resume: Returns the plan to finish a run; None if nothing is changed here.
        cancel: Cancels what a run has scheduled, and returns the number of tokens.
        lacks: Returns a short note about what is missing from the last listing; empty if it is complete.
        is_saved: Whether the tokens are of a saved listing, whose time is the only one that matters.
    """

    name: str
    read: Callable[[], tuple[pd.DataFrame, pd.DataFrame | None]]
    now: Callable[[], pd.Timestamp]
    known: Callable[[], Known] = lambda: NOTHING_KNOWN
    actions: Sequence[Action] = ()
    plan_resume: Callable[[str], RemainingPlan] | None = None
    cancel: Callable[[str], int] | None = None
    lacks: Callable[[], str] = lambda: ""
    is_saved: bool = False
